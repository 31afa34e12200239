"""Span taggers merged into one model for a server, and read back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")
pytest.importorskip("peft")
from safetensors.torch import load_file

from medner.agents.taggers.spans.served.identity import identity
from medner.agents.taggers.spans.served.weights import ServedTagger
from medner.core.errors import ExternalError, UserError
from medner.core.files.hashing import sha256_of
from medner.service.config.cards import SpanExport, export_card
from medner.service.train.export_spans import are_span_taggers, export_span_taggers
from medner.training import span_export
from tests.tiny_model import save_tiny_model
from tests.tiny_span_tagger import save_tiny_evidence_judge, save_tiny_span_tagger


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("tiny") / "tiny")


@pytest.fixture(scope="module")
def taggers(base: Path) -> list[Path]:
    """One on the base's first layer, one on both."""
    return [
        save_tiny_span_tagger(base, base.parent / "a", layers=1),
        save_tiny_span_tagger(base, base.parent / "b", seed=2),
    ]


def test_the_model_says_what_it_runs(base: Path, taggers: list[Path], tmp_path: Path) -> None:
    """Class, layers and heads in config.json, which vLLM reads; names and identities on the card, for people."""
    done = export_span_taggers(taggers, tmp_path / "out", base=str(base), dtype="float32", most=4)
    assert done.checked > 50
    assert done.largest < 1e-4
    config = json.loads((done.folder / "config.json").read_text(encoding="utf-8"))
    assert config["architectures"] == ["MednerSpanTaggers"]
    read = [ServedTagger.from_dict(one, 99) for one in config["medner_taggers"]]
    assert read == [ServedTagger(1, 1, 8, "tiny"), ServedTagger(2, 1, 8, "tiny")]
    assert export_card(done.folder) == SpanExport(
        name="a, b",
        base="tiny",
        labels="cmeee-v2",
        sha256=sha256_of(done.folder / "model.safetensors"),
        strategy="span",
        taggers=tuple(f"{one.name} {identity(one, 'tiny').hex()}" for one in taggers),
    )
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in done.folder.iterdir())
    assert (done.folder / "tokenizer.json").is_file()


def test_heads_and_identities_keep_their_precision(base: Path, taggers: list[Path], tmp_path: Path) -> None:
    """The layers are in the wanted format; an identity in bfloat16 would still be exact, a head would not."""
    done = export_span_taggers(taggers[:1], tmp_path / "out", base=str(base), most=2)
    weights = load_file(done.folder / "model.safetensors")
    exact = {name for name, weight in weights.items() if weight.dtype is torch.float32 and ".norm." not in name}
    assert exact == {f"taggers.0.{name}" for name in ("head.inner.weight", "head.inner.bias", "identity")}
    assert weights["taggers.0.layers.0.mlp.up_proj.weight"].dtype is torch.bfloat16
    assert not any(name.startswith("taggers.0.layers.1") for name in weights)


def test_a_judge_that_reads_is_exported_as_a_tagger_is(base: Path, taggers: list[Path], tmp_path: Path) -> None:
    """Alone, or with the taggers of its base; one that reads nothing has no model."""
    judge = save_tiny_evidence_judge(base, tmp_path / "judge", seed=3)
    assert are_span_taggers([taggers[0], judge])
    done = export_span_taggers([taggers[0], judge], tmp_path / "out", base=str(base), dtype="float32", most=2)
    written = export_card(done.folder)
    assert isinstance(written, SpanExport)
    assert written.taggers == tuple(f"{one.name} {identity(one, 'tiny').hex()}" for one in (taggers[0], judge))
    (judge / "span.json").unlink()
    with pytest.raises(UserError, match="judge: this judge reads with no span tagger"):
        are_span_taggers([judge])


def test_an_outcome_that_differs_is_not_kept(
    base: Path, taggers: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says by how much; no folder stands there."""
    monkeypatch.setitem(span_export.TOLERANCES, "bfloat16", 0.0)
    with pytest.raises(ExternalError, match=r"differ by up to .*nothing is kept"):
        export_span_taggers(taggers, tmp_path / "out", base=str(base), most=2)
    assert list(tmp_path.iterdir()) == []


def test_who_shares_a_model(taggers: list[Path], tmp_path: Path) -> None:
    """Span taggers of one base and one label set, and no others."""
    assert are_span_taggers(taggers)
    writes = tmp_path / "writes"
    shutil.copytree(taggers[0], writes)
    card = (writes / "card.toml").read_text(encoding="utf-8")
    (writes / "card.toml").write_text(card.replace('"span"', '"symbol"'), encoding="utf-8")
    assert not are_span_taggers([writes])
    with pytest.raises(UserError, match="writes: is no span tagger; only span taggers share an exported model"):
        are_span_taggers([taggers[0], writes])
    (writes / "card.toml").write_text(card.replace('"tiny"', '"other"'), encoding="utf-8")
    with pytest.raises(UserError, match="are of one base model; these are of other, tiny"):
        export_span_taggers([taggers[0], writes], tmp_path / "out", most=2)
