"""`medner train evidence` and `medner train lexicon`."""

import json
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from medner.agents.evidence.lexicon import read_lexicon
from medner.core.errors import BadInputError, UserError
from medner.core.labels import load_label_set
from medner.core.records import Document, Entity
from medner.service.build.pipeline import check_adapters
from medner.service.cli.app import build
from medner.service.config.fingerprint import fingerprint
from medner.service.config.judges.evidence import read_trees
from medner.service.config.options import Overrides, configured
from medner.store.corpora import write_documents

LABELS = load_label_set("cmeee-v2")


def note(number: int) -> Document:
    """A sentence in which 咽痛 is a symptom, and 门诊 nothing, though a tagger thinks as much of it."""
    text = f"第{number}例门诊患者咽痛{number % 7}天。"
    start = text.index("咽痛")
    return Document(str(number), text, (Entity(start, start + 2, "sym"),))


NOTES = [note(number) for number in range(100, 160)]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_documents(NOTES, tmp_path / "train.jsonl", format="jsonl")
    write_documents(NOTES[:5], tmp_path / "test.jsonl", format="jsonl")
    with (tmp_path / "soft.jsonl").open("w", encoding="utf-8") as out:
        for one in NOTES:
            (entity,), outside = one.entities, one.text.index("门诊")
            said = [
                {"start": entity.start, "end": entity.end, "label": "sym", "probability": 0.5},
                {"start": outside, "end": outside + 2, "label": "dep", "probability": 0.5},
            ]
            out.write(json.dumps({"text": one.text, "entities": said}, ensure_ascii=False) + "\n")
    return tmp_path


def run(*words: object):
    return CliRunner().invoke(build(), ["train", *map(str, words)])


def fit(place: Path, *more: object):
    soft = ("--soft-labels", place / "soft.jsonl")
    return run("evidence", place / "train.jsonl", *soft, "-o", place / "judge", *more)


def test_what_the_corpus_knows_is_learnt(place: Path) -> None:
    """The scores alone cannot tell the two candidates of a sentence apart, the lexicon can."""
    result = fit(place, "--exclude", place / "test.jsonl", "--data-note", "Made up.")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"judge: {place / 'judge'}\n"
    assert "55 of 55 sentences have soft labels" in result.stderr
    assert "strict micro F1 1.0000, by the taggers' scores alone 0.6667" in result.stderr
    card = tomllib.loads((place / "judge" / "card.toml").read_text(encoding="utf-8"))
    assert (card["kind"], card["labels"], card["licence_note"]) == ("evidence", "cmeee-v2", "Made up.")
    assert str(place) not in str(card)
    lexicon = read_lexicon(place / "judge" / "lexicon.npz", LABELS)
    found = lexicon.counts("咽痛")
    assert found is not None
    assert found.free == 55


def test_a_configuration_names_the_folder(place: Path) -> None:
    """It needs a filter; its fingerprint follows the bytes of its files, not where they lie."""
    assert fit(place).exit_code == 0
    chosen = configured(Overrides(judge=f"evidence:{place / 'judge'}", taggers="span-8", filter="span"))
    assert chosen.judge.in_words() == "evidence:judge"
    (place / "judge").rename(place / "moved")
    moved = configured(Overrides(judge=f"evidence:{place / 'moved'}", taggers="span-8", filter="span"))
    assert fingerprint(moved) == fingerprint(
        configured(Overrides(judge={"kind": "evidence", "source": place / "moved"}, taggers="span-8", filter="span"))
    )
    before = fingerprint(moved)
    trees = place / "moved" / "evidence.json"
    trees.write_text(trees.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert fingerprint(moved) != before
    with pytest.raises(UserError, match="evidence needs a filter"):
        configured(Overrides(judge=f"evidence:{place / 'moved'}", taggers="span-8", filter="off"))


def test_a_lexicon_of_ones_own_takes_the_place_of_the_folders(place: Path) -> None:
    """`medner train lexicon` writes it; the judge then asks it."""
    assert fit(place).exit_code == 0
    result = run("lexicon", place / "test.jsonl", "-o", place / "own.npz")
    assert (result.exit_code, result.stdout) == (0, f"lexicon: {place / 'own.npz'}\n")
    found = read_lexicon(place / "own.npz", LABELS).counts("咽痛")
    assert found is not None
    assert found.free == 5
    own = {"kind": "evidence", "source": place / "judge", "lexicon": place / "own.npz"}
    chosen = configured(Overrides(judge=own, taggers="span-8", filter="span"))
    assert chosen.judge.in_words() == "evidence:judge (lexicon own.npz)"


LARGE = "qwen2.5-coder-1.5b-instruct"


def reader_in(place: Path) -> Path:
    """A span tagger's folder on another base, and what such a tagger thinks: it knows the symptom."""
    folder = place / "large"
    folder.mkdir()
    for name in ("adapter_config.json", "adapter_model.safetensors", "span.json", "span_head.safetensors"):
        (folder / name).write_text(name, encoding="utf-8")
    card = f'name = "large"\nbase = "{LARGE}"\nlabels = "cmeee-v2"\nstrategy = "span"\n'
    (folder / "card.toml").write_text(card, encoding="utf-8")
    with (place / "read.jsonl").open("w", encoding="utf-8") as out:
        for one in NOTES:
            (entity,) = one.entities
            said = {"start": entity.start, "end": entity.end, "label": "sym", "probability": 0.97}
            out.write(json.dumps({"text": one.text, "entities": [said]}, ensure_ascii=False) + "\n")
    return folder


def test_a_judge_may_read(place: Path) -> None:
    """Its folder holds the span tagger that reads; a run then needs that base model too, and its trees use it."""
    folder = reader_in(place)
    result = fit(place, "--reader", folder, "--reader-labels", place / "read.jsonl")
    assert result.exit_code == 0, result.stderr
    judge = place / "judge"
    assert (judge / "adapter_model.safetensors").read_text(encoding="utf-8") == "adapter_model.safetensors"
    assert {"reader", "taggers"} <= set(json.loads((judge / "evidence.json").read_text(encoding="utf-8"))["features"])
    chosen = configured(Overrides(judge=f"evidence:{judge}", taggers="span-8", filter="span"))
    assert chosen.bases == (LARGE,)
    assert (chosen.judge.asks_model, chosen.judge.needs_hidden_states, chosen.judge.folder) == (True, True, judge)
    assert chosen.judge.in_words() == f"evidence:judge (on {LARGE})"
    assert chosen.described()["model"].endswith(f", {LARGE}")
    card = judge / "card.toml"
    card.write_text(card.read_text(encoding="utf-8").replace(f'base = "{LARGE}"\n', ""), encoding="utf-8")
    with pytest.raises(BadInputError, match="lacks base"):
        check_adapters(configured(Overrides(judge=f"evidence:{judge}", taggers="span-8", filter="span")))


def test_what_reads_is_a_span_tagger_with_labels(place: Path) -> None:
    """Both options or neither; a whole folder, of this label set."""
    folder = reader_in(place)
    assert "give both, or neither" in str(fit(place, "--reader", folder).exception)
    labels = ("--reader-labels", place / "read.jsonl")
    assert "give both, or neither" in str(fit(place, *labels).exception)
    card = folder / "card.toml"
    card.write_text(card.read_text(encoding="utf-8").replace("cmeee-v2", "ccks2019"), encoding="utf-8")
    assert "was trained for the label set ccks2019" in str(fit(place, "--reader", folder, *labels).exception)
    (folder / "span.json").unlink()
    assert "holds no span.json" in str(fit(place, "--reader", folder, *labels).exception)


def test_a_judge_that_ships_is_named_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In words and in files; a name that none has is taken for a folder, and said not to be one.

    A folder of that name where the command runs is another one, and is meant by ./NAME.
    """
    here = tmp_path / "evidence-1.5b"
    here.mkdir()
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "c" / "c.toml"
    path.parent.mkdir()
    path.write_text('judge = {kind = "evidence", source = "evidence-1.5b"}\n', encoding="utf-8")
    assert configured(Overrides(config=path)).judge == configured(Overrides()).judge
    with pytest.raises(UserError, match="holds no evidence judge"):
        check_adapters(configured(Overrides(judge="evidence:./evidence-1.5b")))
    chosen = configured(Overrides(judge="evidence:evidence-1.5b"))
    assert chosen.judge == configured(Overrides()).judge
    assert chosen.bases == (LARGE,)
    assert configured(Overrides(judge="evidence")).bases == ()
    with pytest.raises(UserError, match="holds no evidence judge"):
        check_adapters(configured(Overrides(judge="evidence:evidence-9b")))


def test_what_cannot_be_learnt_is_told(place: Path) -> None:
    """Soft labels of other texts, a folder that is there, nothing annotated, an output that is an input."""
    (place / "other.jsonl").write_text('{"text": "无关", "entities": []}\n', encoding="utf-8")
    write_documents([Document("1", "无。")], place / "empty.jsonl", format="jsonl")
    train, judge = place / "train.jsonl", place / "judge"
    refused = run("evidence", train, "--soft-labels", place / "other.jsonl", "-o", judge).exception
    assert isinstance(refused, UserError)
    assert "knows none of the gold sentences" in str(refused)
    assert not judge.exists()
    assert fit(place).exit_code == 0
    assert "is there already" in str(fit(place).exception)
    assert "no entity is left" in str(run("lexicon", place / "empty.jsonl", "-o", place / "x.npz").exception)
    before = train.read_bytes()
    assert isinstance(run("lexicon", train, "-o", train).exception, UserError)
    assert train.read_bytes() == before


def test_a_damaged_judge_is_told_by_its_file(place: Path) -> None:
    """Trees that are none."""

    (place / "evidence.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BadInputError, match="holds no trees"):
        read_trees(place / "evidence.json")
