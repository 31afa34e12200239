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
