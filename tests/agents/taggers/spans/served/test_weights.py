"""What a server's model of span taggers is made of."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from medner.core.errors import UserError

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")
pytest.importorskip("peft")
from safetensors.torch import load_file

from medner.agents.taggers.spans.head import SpanHead
from medner.agents.taggers.spans.served.identity import identity
from medner.agents.taggers.spans.served.weights import ServedTagger, served_weights
from medner.agents.taggers.spans.settings import SpanSettings
from tests.tiny_model import save_tiny_model
from tests.tiny_span_tagger import CODES, SHAPE, save_tiny_span_tagger


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("tiny") / "tiny")


def base_weights(base: Path) -> dict[str, torch.Tensor]:
    return dict(load_file(base / "model.safetensors"))


def tagger(folder: Path) -> ServedTagger:
    return ServedTagger.from_dict({"folder": str(folder), "base": "tiny"}, 2)


def test_every_tagger_has_its_own_layers(base: Path, tmp_path: Path) -> None:
    """As many as it uses, with its adapter merged as PEFT merges it; embeddings are shared."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    folders = [
        save_tiny_span_tagger(base, tmp_path / "a", seed=1, layers=1),
        save_tiny_span_tagger(base, tmp_path / "b", seed=2, layers=None),
    ]
    found = dict(served_weights(base_weights(base).items(), [tagger(one) for one in folders]))
    assert {name.split(".")[3] for name in found if name.startswith("taggers.0.layers")} == {"0"}
    assert {name.split(".")[3] for name in found if name.startswith("taggers.1.layers")} == {"0", "1"}
    assert not any("lm_head" in name for name in found)
    for number, (folder, layers) in enumerate(zip(folders, (1, 2), strict=True)):
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        model.model.layers = model.model.layers[:layers]
        merged = PeftModel.from_pretrained(model, str(folder)).merge_and_unload().base_model.state_dict()
        own = {name: value for name, value in merged.items() if not name.startswith("embed_tokens")}
        for name, value in own.items():
            torch.testing.assert_close(found[f"taggers.{number}.{name}"].float(), value, atol=1e-6, rtol=1e-5)
        head = SpanHead(SHAPE)
        assert {name for name in found if name.startswith(f"taggers.{number}.head")} == {
            f"taggers.{number}.head.{name}" for name in head.state_dict() if name.startswith(("norm.", "inner."))
        }
        assert bytes(map(int, found[f"taggers.{number}.identity"].tolist())) == identity(folder, "tiny")


def test_an_adapter_of_a_deeper_base_is_refused(base: Path, tmp_path: Path) -> None:
    """Weights that find no layer are named; nothing is left out in silence."""
    folder = save_tiny_span_tagger(base, tmp_path / "a")
    SpanSettings(types=CODES, two_way_from=0, layers=1).save(folder)
    with pytest.raises(UserError, match=r"an adapter has weights for layers .* model\.layers\.1\."):
        dict(served_weights(base_weights(base).items(), [tagger(folder)]))


def test_an_exported_tagger_says_itself_what_it_is(base: Path, tmp_path: Path) -> None:
    """Its entry of config.json is read back; it has no folder, and nothing is left to merge."""
    made = tagger(save_tiny_span_tagger(base, tmp_path / "a"))
    assert (made.layers, made.two_way_from, made.inner) == (2, 1, 8)
    read = ServedTagger.from_dict(made.as_dict(), 24)
    assert read == ServedTagger(2, 1, 8, "tiny")
    with pytest.raises(UserError, match="without its folder"):
        dict(served_weights([], [read]))


def test_what_an_identity_is_of(base: Path, tmp_path: Path) -> None:
    """Adapter, head, layers and base change it; a threshold, which the client applies, does not."""
    folder = save_tiny_span_tagger(base, tmp_path / "a")
    known = identity(folder, "tiny")
    assert len(known) == 8
    assert identity(folder, "other") != known
    SpanSettings(types=CODES, two_way_from=1, threshold=0.9, temperature=2.0, split_tokens=("ab",)).save(folder)
    assert identity(folder, "tiny") == known
    SpanSettings(types=CODES, two_way_from=0).save(folder)
    assert identity(folder, "tiny") != known
    SpanSettings(types=CODES, two_way_from=1).save(folder)
    for name in ("adapter_model.safetensors", "span_head.safetensors", "adapter_config.json"):
        changed = tmp_path / f"changed {name}"
        shutil.copytree(folder, changed)
        (changed / name).write_bytes((changed / name).read_bytes() + b" ")
        assert identity(changed, "tiny") != known
        (changed / name).unlink()
        with pytest.raises(UserError, match=f"holds no {name}"):
            identity(changed, "tiny")
