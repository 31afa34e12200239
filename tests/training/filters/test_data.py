"""From files to candidates: who is held back, who is excluded, what predictions add."""

import pytest

from medner.core.errors import UserError
from medner.core.labels import load_label_set
from medner.core.records import Document, Entity
from medner.training.filters.data import Sources, filter_data, is_held_back, judged
from medner.training.filters.negatives import GoldSentence
from tests.training.filters.conftest import NOTES, write

LABELS = load_label_set("cmeee-v2")


def test_documents_held_back_are_never_learnt_from(tmp_path):
    """Whatever the seed, the same documents are held back, about one in ten."""
    file = write(tmp_path / "train.jsonl", NOTES)
    one, other = (filter_data(Sources((file,)), LABELS, seed=seed) for seed in (1, 2))
    assert not any(is_held_back(candidate.sentence) for data in (one, other) for candidate in data.train)
    assert all(is_held_back(candidate.sentence) for candidate in one.held.candidates)
    assert 0 < sum(is_held_back(f"患者{number}天前咳嗽") for number in range(1_000)) / 1_000 < 0.2
    assert one.held.gold == sum(candidate.right for candidate in one.held.candidates)


def test_excluded_texts_are_in_neither_part(tmp_path):
    """Texts of a test set are not learnt from, nor is a threshold chosen on them, not even from predictions."""
    file, said = write(tmp_path / "train.jsonl", NOTES), write(tmp_path / "said.jsonl", NOTES)
    test = write(tmp_path / "test.jsonl", NOTES[:20])
    data = filter_data(Sources((file,), (test,), (said,)), LABELS)
    gone = {one.text for one in NOTES[:20]}
    assert not gone & {candidate.sentence for candidate in (*data.train, *data.held.candidates)}
    assert (data.documents, data.read) == (len(NOTES) - 20, len(NOTES))


def test_predictions_are_learnt_from_and_checked_on(tmp_path):
    """A tagger's right and wrong entities come on top of the samples; those held back are what the threshold is for."""
    file = write(tmp_path / "train.jsonl", NOTES)
    wrong = Entity(0, 2, "bod")
    said = [Document(one.id, one.text, (*one.entities[:1], wrong)) for one in NOTES]
    stranger = Document("s", "没有标注的文本。", ())
    data = filter_data(Sources((file,), (), (write(tmp_path / "said.jsonl", [*said, stranger]),)), LABELS, samples=10)
    held = [one for one in NOTES if is_held_back(one.text)]
    assert data.held.predicted
    assert data.held.gold == 2 * len(held)
    assert [candidate.right for candidate in data.held.candidates] == [False, True] * len(held)
    learnt = [candidate for candidate in data.train if candidate.entity == wrong]
    assert len(learnt) == len(NOTES) - len(held)
    assert not any(candidate.right for candidate in learnt)
    assert len(set(data.train)) == len(data.train)
    assert data.unknown == 1


def test_candidates_count_from_their_sentence():
    """Offsets are those of the sentence as it is annotated; what lies across two sentences is no candidate."""
    text = "咳嗽三天。头痛一天。"
    truth = {one: GoldSentence(one, frozenset({Entity(0, 2, "sym")})) for one in ("咳嗽三天。", "头痛一天。")}
    said = Document("d", text, (Entity(5, 7, "sym"), Entity(3, 6, "sym"), Entity(0, 2, "dis")))
    found = [(one.sentence, one.entity, one.right) for one in judged(said, truth)]
    assert found == [
        ("咳嗽三天。", Entity(0, 2, "dis"), False),
        ("头痛一天。", Entity(0, 2, "sym"), True),
    ]


def test_one_sentence_in_several_documents(tmp_path):
    """What one document says of a sentence holds in all; one of a document held back or excluded is not learnt from."""
    common, half = "查体：咽部充血。", "患者咳嗽两天。"
    twice = [
        Document(f"t{number}", f"{common}{half}编号{number}。", (Entity(3, 7, "sym"),) if number % 2 else ())
        for number in range(60)
    ]
    file = write(tmp_path / "train.jsonl", twice)
    assert {is_held_back(one.text) for one in twice} == {True, False}
    said = [Document(one.id, one.text, (Entity(3, 7, "sym"), Entity(10, 12, "sym"))) for one in twice]
    said += [Document(one.id, one.text, one.entities) for one in NOTES]
    files = (file, write(tmp_path / "notes.jsonl", NOTES))
    data = filter_data(Sources(files, (), (write(tmp_path / "said.jsonl", said),)), LABELS)
    assert not {common, half} & {candidate.sentence for candidate in data.train}
    found = {(one.sentence, one.right) for one in data.held.candidates if one.sentence in (common, half)}
    assert found == {(common, True), (half, False)}
    test = write(tmp_path / "test.jsonl", [Document("x", f"{common}无殊。", ())])
    kept = write(tmp_path / "kept.jsonl", [one for one in twice if not is_held_back(one.text)])
    data = filter_data(Sources((kept, files[1]), (test,)), LABELS)
    assert common not in {candidate.sentence for candidate in data.train}


def test_too_little_data_is_refused(tmp_path):
    """Without anything to hold back there is no threshold; without predictions of what is held back, neither."""
    kept = [one for one in NOTES if not is_held_back(one.text)]
    file = write(tmp_path / "train.jsonl", kept)
    with pytest.raises(UserError, match="some of both"):
        filter_data(Sources((file,)), LABELS)
    whole = write(tmp_path / "whole.jsonl", NOTES)
    with pytest.raises(UserError, match="predict the texts of the annotated files"):
        filter_data(Sources((whole,), (), (file,)), LABELS)
    nothing = write(tmp_path / "nothing.jsonl", [Document(one.id, one.text, ()) for one in NOTES])
    with pytest.raises(UserError, match="hold no entity in the"):
        filter_data(Sources((whole,), (), (nothing,)), LABELS)


def test_what_several_taggers_said_is_put_together(tmp_path):
    """The filter sees all taggers' candidates of a sentence together, each once; so does the threshold."""
    file = write(tmp_path / "train.jsonl", NOTES)
    first = write(tmp_path / "first.jsonl", [Document(one.id, one.text, one.entities[:1]) for one in NOTES])
    second = write(tmp_path / "second.jsonl", NOTES)
    data = filter_data(Sources((file,), (), (first, second)), LABELS, samples=10)
    held = [one for one in NOTES if is_held_back(one.text)]
    assert len(data.held.candidates) == data.held.gold == sum(len(one.entities) for one in held)


def test_nested_entities_that_an_annotation_may_lack_are_not_wrong(tmp_path):
    """A type that nests in the complete files is left open inside such an outer entity of the partial ones."""
    symptom, body = Entity(0, 4, "sym"), Entity(0, 2, "bod")
    nested = [Document(f"n{number}", f"咽部充血{number}天。", (symptom, body)) for number in range(30)]
    flat = [Document(f"f{number}", f"扁桃充血{number}天。", (symptom,)) for number in range(30)]
    complete, partial = write(tmp_path / "complete.jsonl", nested), write(tmp_path / "partial.jsonl", flat)
    wrong = Entity(0, 4, "dis")
    said = write(tmp_path / "said.jsonl", [Document(one.id, one.text, (symptom, body, wrong)) for one in flat])
    data = filter_data(Sources((complete,), (), (said,), (partial,)), LABELS, samples=400)
    candidates = [one for one in (*data.train, *data.held.candidates) if one.sentence.startswith("扁桃")]
    assert not [one for one in candidates if one.entity == body]
    assert {one.right for one in candidates if one.entity == symptom} == {True}
    assert {one.right for one in candidates if one.entity == wrong} == {False}
