"""`medner train span`, on a tiny model."""

import json
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from medner.agents.taggers.spans.settings import read_settings
from medner.core.errors import UserError
from medner.core.labels import label_set_toml
from medner.core.records import Document, Entity
from medner.service.cli.app import build
from medner.service.config.options import Overrides, configured
from medner.store.corpora import read_documents, write_documents
from tests.tiny_model import save_tiny_model

torch = pytest.importorskip("torch")
load_file = pytest.importorskip("safetensors.torch").load_file

NOTES = [
    Document(str(number), f"患者{number}天前出现咽部充血。", (Entity(8, 12, "sym"), Entity(8, 10, "bod")))
    for number in range(10, 80)
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("span")
    save_tiny_model(folder / "tiny-base")
    write_documents(NOTES, folder / "train.jsonl", format="jsonl")
    return folder


def train(place: Path, *options: str, out: str = "run"):
    command = ["train", "span", str(place / "train.jsonl"), "-o", str(place / out), "--base", str(place / "tiny-base")]
    return CliRunner().invoke(build(), [*command, "--first-layer", "1", *options])


def test_a_run_ends_with_a_tagger_that_a_configuration_can_name(place):
    """Adapter, head, settings, card and plot are there; the card names files without folders."""
    result = train(place, "--epochs", "1")
    assert result.exit_code == 0, result.stderr
    folder = place / "run" / "adapter"
    assert result.stdout == f"adapter: {folder}\n"
    assert "held back:" in result.stderr
    names = {path.name for path in folder.iterdir()}
    assert {"adapter_model.safetensors", "span_head.safetensors", "span.json", "card.toml"} <= names
    assert (place / "run" / "loss.svg").is_file()
    held = list(read_documents(place / "run" / "held_back.jsonl"))
    assert f"held back: {len(held)} sentences" in result.stderr
    assert {document.text for document in held} < {document.text for document in NOTES}
    text = (folder / "card.toml").read_text(encoding="utf-8")
    card = tomllib.loads(text)
    assert str(place) not in text
    assert (card["name"], card["base"], card["strategy"], card["labels"]) == ("span", "tiny-base", "span", "cmeee-v2")
    assert card["command"].startswith("medner train span train.jsonl")
    (tagger,) = configured(Overrides(taggers=str(folder))).taggers
    assert (tagger.name, tagger.strategy, tagger.folder) == ("span", "span", folder)


def test_another_base_or_exclusion_is_another_run(place):
    """What a run was made of is compared before it goes on: base model and excluded texts as well as the data."""
    assert train(place, "--hours", "0", out="again").exit_code == 0
    write_documents(NOTES[:3], place / "test.jsonl", format="jsonl")
    result = train(place, "--hours", "0", "--exclude", str(place / "test.jsonl"), out="again")
    assert "other settings (exclude)" in str(result.exception)
    save_tiny_model(place / "other-base")
    result = train(place, "--hours", "0", "--base", str(place / "other-base"), out="again")
    assert "other settings (base)" in str(result.exception)


def test_a_card_names_a_label_set_of_ones_own(place):
    """The card holds the label set's name, not the path of its file."""
    text = label_set_toml("cmeee-v2").replace('name = "cmeee-v2"', 'name = "mine"')
    (place / "other.toml").write_text(text, encoding="utf-8")
    assert train(place, "--hours", "0", "--labels", str(place / "other.toml"), out="mine").exit_code == 0
    card = tomllib.loads((place / "mine" / "adapter" / "card.toml").read_text(encoding="utf-8"))
    assert card["labels"] == "mine"


def test_a_run_goes_on_from_another_tagger(place):
    """The head of another seed is taken over, as far as one step leaves it; the card says from what."""
    assert train(place, "--epochs", "1", "--seed", "3", out="first").exit_code == 0
    first = place / "first" / "adapter"
    result = train(place, "--hours", "0", "--start", str(first), out="second")
    assert result.exit_code == 0, result.stderr
    second = place / "second" / "adapter"
    before, after = (load_file(folder / "span_head.safetensors") for folder in (first, second))
    assert all(torch.allclose(before[name], after[name], atol=0.01) for name in before)
    assert tomllib.loads((second / "card.toml").read_text(encoding="utf-8"))["start"].startswith("span sha256:")


def test_a_tagger_of_other_types_lends_its_adapter(place):
    """The head is that of the new label set; the adapter is the other tagger's, as far as one step leaves it."""
    assert train(place, "--epochs", "1", "--seed", "3", out="lender").exit_code == 0
    first = place / "lender" / "adapter"
    text = label_set_toml("cmeee-v2").replace('name = "cmeee-v2"', 'name = "mine"').replace("mic", "germ")
    (place / "mine.toml").write_text(text, encoding="utf-8")
    result = train(place, "--hours", "0", "--labels", str(place / "mine.toml"), "--start", str(first), out="borrower")
    assert result.exit_code == 0, result.exception
    second = place / "borrower" / "adapter"
    assert "germ" in read_settings(second).types
    before, after = (load_file(folder / "adapter_model.safetensors") for folder in (first, second))
    assert all(torch.allclose(before[name], after[name], atol=0.01) for name in before)
    before, after = (load_file(folder / "span_head.safetensors") for folder in (first, second))
    assert not all(torch.allclose(before[name], after[name], atol=0.05) for name in before)


def test_a_start_that_does_not_fit_is_refused(place):
    """Other two-way layers, or no span tagger at all."""
    assert train(place, "--hours", "0", out="begin").exit_code == 0
    begin = str(place / "begin" / "adapter")
    result = train(place, "--start", begin, "--first-layer", "0", out="other-layers")
    assert "--first-layer 1" in str(result.exception)
    result = train(place, "--start", str(place), out="none")
    assert "holds no adapter" in str(result.exception)
    (place / "begin" / "adapter" / "span.json").unlink()
    result = train(place, "--start", begin, out="none")
    assert "it is not a span tagger" in str(result.exception)


def test_a_base_with_too_few_layers_is_refused(place):
    """The error says how many layers there are."""
    result = train(place, "--first-layer", "7", out="other")
    assert result.exit_code != 0
    assert "2 layers" in str(result.exception)


def test_a_base_without_a_tokenizer_is_refused(place):
    """The error names the folder."""
    base = save_tiny_model(place / "wordless")
    (base / "tokenizer.json").unlink()
    result = train(place, "--base", str(base), out="other")
    assert isinstance(result.exception, UserError)
    assert f"{base}: its tokenizer cannot be loaded" in str(result.exception)


def test_what_is_no_adapter_is_refused(place):
    """A folder without a card is no tagger."""
    with pytest.raises(Exception, match=r"holds no adapter \(no card\.toml\)"):
        configured(Overrides(taggers=str(place)))


def test_a_student_learns_from_a_teacher_that_has_not_seen_the_text(place):
    """A teacher of two folds labels the third; the student's card names the soft labels; folds never overlap."""
    result = train(place, "--epochs", "1", "--fold", "0/3", out="teacher")
    assert result.exit_code == 0, result.stderr
    card = tomllib.loads((place / "teacher" / "adapter" / "card.toml").read_text(encoding="utf-8"))
    assert card["fold_left_out"] == "0/3"
    command = ["train", "soft-labels", str(place / "train.jsonl"), "--fold", "0/3", "-o", str(place / "soft.jsonl")]
    command += ["--taggers", str(place / "teacher" / "adapter"), "--base", str(place / "tiny-base")]
    labelled = CliRunner().invoke(build(), command)
    assert labelled.exit_code == 0, labelled.stderr
    texts = [json.loads(line)["text"] for line in (place / "soft.jsonl").read_text(encoding="utf-8").splitlines()]
    held = {document.text for document in read_documents(place / "teacher" / "held_back.jsonl")}
    assert texts
    assert not set(texts) & held
    assert len(texts) + card["sentences"] + len(held) == len(NOTES)
    student = train(place, "--epochs", "1", "--soft-labels", str(place / "soft.jsonl"), out="student")
    assert student.exit_code == 0, student.stderr
    card = tomllib.loads((place / "student" / "adapter" / "card.toml").read_text(encoding="utf-8"))
    assert card["soft_labels"][0].startswith("soft.jsonl sha256:")
    refused = train(place, "--epochs", "1", out="student")
    assert "other settings" in str(refused.exception)


def test_soft_labels_never_replace_what_they_are_made_of(place):
    """An output that is an input is refused before anything is read, and the input stays as it is."""
    before = (place / "train.jsonl").read_bytes()
    command = ["train", "soft-labels", str(place / "train.jsonl"), "-o", str(place / "train.jsonl")]
    command += ["--taggers", str(place / "none"), "--base", str(place / "tiny-base")]
    result = CliRunner().invoke(build(), command)
    assert isinstance(result.exception, UserError)
    assert "is an input, and --out" in str(result.exception)
    assert (place / "train.jsonl").read_bytes() == before
