"""Adapters merged into tiny random models, and read back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")
from safetensors.torch import load_file, save_file

from medner.agents.engines.engine import Request
from medner.agents.engines.local.engine import LocalEngine
from medner.agents.engines.local.model import LocalModel
from medner.agents.filters import ClassifierFilter, ServedClassifierFilter, load_head
from medner.agents.prompts.tagger import tagger_messages
from medner.agents.strategies import CODECS
from medner.core.errors import BadInputError, ExternalError, UserError
from medner.core.files.hashing import sha256_of
from medner.core.labels import load_label_set
from medner.core.records import Entity, Sentence
from medner.service.config.cards import (
    ClassifierExport,
    FilterExport,
    TaggerExport,
    classifier_export,
    export_card,
    write_card,
)
from medner.service.train.export import export_adapter
from medner.training import export
from medner.training.loop.settings import TaggerTraining
from medner.training.model.lora import adapted_model, save_adapter
from tests.tiny_model import save_tiny_model

LABELS = load_label_set("cmeee-v2")
TEXT = "患者三天前出现咳嗽，伴发热。"
SETTINGS = TaggerTraining(rank=4, alpha=8, first_layer=0)
TAGGER = 'name = "symbol"\nbase = "tiny"\nlabels = "cmeee-v2"\nstrategy = "symbol"\n'
FILTER = 'name = "cls"\nkind = "llm-cls"\nbase = "tiny"\nlabels = "cmeee-v2"\nthreshold = 0.4\ntemperature = 2.0\n'


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("tiny") / "tiny")


def adapter(base: Path, folder: Path, card: str) -> Path:
    """An adapter that changes answers: random, not the zeros a fresh one begins with."""
    torch.manual_seed(1)
    model = adapted_model(base, SETTINGS)
    for parameter in model.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.05)
    save_adapter(model, folder)
    (folder / "card.toml").write_text(card, encoding="utf-8")
    return folder


def classifying(base: Path, folder: Path, card: str = FILTER) -> Path:
    adapter(base, folder, card)
    save_file({"weight": torch.randn(1, 64), "bias": torch.tensor([0.7])}, folder / "classifier.safetensors")
    return folder


async def test_a_merged_tagger_answers_as_its_adapter_does(base: Path, tmp_path: Path) -> None:
    """The local engine gives the same text for the exported model as for base and adapter."""
    folder = adapter(base, tmp_path / "a", TAGGER)
    done = export_adapter(folder, tmp_path / "out", base=str(base), dtype="float32", most=4)
    assert done.checked > 50
    assert done.largest < 1e-4
    messages = tuple(tagger_messages("brief", CODECS["symbol"], LABELS, TEXT))
    graph = CODECS["symbol"].graph(TEXT, LABELS)
    answers = []
    for model, name in ((LocalModel(base, {"x": folder}, dtype=torch.float32), "x"), (LocalModel(done.folder), None)):
        engine = LocalEngine(model, max_rows=1)
        answers.append((await engine.complete(Request(messages, graph, name, max_tokens=200))).text)
        await engine.close()
    assert answers[0] == answers[1]
    written = export_card(done.folder)
    weights = sha256_of(done.folder / "model.safetensors")
    assert written == TaggerExport(
        name="symbol", base="tiny", labels="cmeee-v2", strategy="symbol", style="brief", sha256=weights
    )
    assert 'dtype = "float32"\n' in (done.folder / "export.toml").read_text(encoding="utf-8")
    with pytest.raises(BadInputError, match=r"export\.toml: this exported model writes"):
        classifier_export(done.folder)


async def test_an_exported_filter_scores_as_the_filter_does(base: Path, tmp_path: Path) -> None:
    """What a server computes, with the bias added by who asks it, is the filter's probability."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = classifying(base, tmp_path / "f")
    done = export_adapter(folder, tmp_path / "out", base=str(base), dtype="float32", most=4)
    served = AutoModelForSequenceClassification.from_pretrained(done.folder)
    tokenizer = AutoTokenizer.from_pretrained(done.folder)

    class Server:
        async def classify(self, model: str, texts: Sequence[str]) -> list[float]:
            with torch.inference_mode():
                return [float(served(**tokenizer(text, return_tensors="pt")).logits) for text in texts]

    card = classifier_export(done.folder)
    assert (card.kind, card.threshold, card.temperature) == ("llm-cls", 0.4, 2.0)
    assert export_card(done.folder) == card
    sentence, candidates = Sentence("s", TEXT), [Entity(7, 9, "sym"), Entity(11, 13, "sym"), Entity(7, 9, "dis")]
    there = ServedClassifierFilter(Server(), LABELS, "m", card.bias, temperature=card.temperature)
    engine = LocalEngine(LocalModel(base, {"f": folder}, dtype=torch.float32), max_rows=4)
    here = ClassifierFilter(engine, LABELS, load_head(folder), temperature=2.0, adapter="f")
    assert await there.score(sentence, candidates) == pytest.approx(await here.score(sentence, candidates), abs=1e-4)
    await engine.close()


def test_a_filter_that_answers_yes_or_no_is_described(base: Path, tmp_path: Path) -> None:
    """With its threshold and temperature, and no bias."""
    card = FILTER.replace("llm-cls", "llm-causal")
    done = export_adapter(adapter(base, tmp_path / "f", card), tmp_path / "out", base=str(base), most=2)
    written = export_card(done.folder)
    assert isinstance(written, FilterExport)
    assert (written.kind, written.threshold, written.temperature) == ("llm-causal", 0.4, 2.0)
    with pytest.raises(BadInputError, match="this exported model writes"):
        classifier_export(done.folder)


#: As version 0.1.0 wrote it.
OLD = """name = "cls"
base = "tiny"
labels = "cmeee-v2"
kind = "llm-cls"
threshold = 0.4
temperature = 2.0
bias = 0.7
dtype = "bfloat16"
sha256 = "00"
"""


def test_an_export_of_0_1_0_is_read_and_written_alike(tmp_path: Path) -> None:
    """One model reads and writes the file."""
    (tmp_path / "export.toml").write_text(OLD, encoding="utf-8")
    card = classifier_export(tmp_path)
    assert card.bias == 0.7
    write_card(tmp_path, card, {"dtype": "bfloat16"})
    assert sorted((tmp_path / "export.toml").read_text(encoding="utf-8").splitlines()) == sorted(OLD.splitlines())
    assert isinstance(export_card(tmp_path), ClassifierExport)


def test_an_outcome_that_differs_is_not_kept(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says by how much; no folder stands there."""
    monkeypatch.setitem(export.TOLERANCE, "bfloat16", 0.0)
    with pytest.raises(ExternalError, match=r"differ by up to .*nothing is kept"):
        export_adapter(adapter(base, tmp_path / "a", TAGGER), tmp_path / "out", base=str(base), most=2)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_no_server_runs_is_refused(base: Path, tmp_path: Path) -> None:
    """Span taggers become no model that writes, two-way filters look at what comes later; a taken folder is left."""
    span = adapter(base, tmp_path / "span", TAGGER.replace('"symbol"\n', '"span"\n'))
    with pytest.raises(UserError, match="a span tagger does not write text"):
        export_adapter(span, tmp_path / "out", base=str(base), most=2)
    two_way = classifying(base, tmp_path / "f", FILTER + "two_way_from = 1\n")
    with pytest.raises(UserError, match=r"looks both ways from layer 1 on.*needs no export"):
        export_adapter(two_way, tmp_path / "out", base=str(base), most=2)
    with pytest.raises(UserError, match="holds no adapter"):
        export_adapter(tmp_path / "nothing", tmp_path / "out", base=str(base), most=2)
    with pytest.raises(UserError, match="is there already"):
        export_adapter(adapter(base, tmp_path / "a", TAGGER), span, base=str(base), most=2)


def test_files_that_can_be_served(base: Path, tmp_path: Path) -> None:
    """Weights in one file of the wanted format, readable by others, with tokenizer and chat template."""
    done = export_adapter(adapter(base, tmp_path / "a", TAGGER), tmp_path / "out", base=str(base), most=2)
    weights = load_file(done.folder / "model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.bfloat16}
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in done.folder.iterdir())
    assert (done.folder / "tokenizer.json").is_file()
    assert json.loads((done.folder / "config.json").read_text())["architectures"] == ["Qwen2ForCausalLM"]
