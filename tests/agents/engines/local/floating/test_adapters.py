"""Adapters: which are refused and how that is said, and whose tokens they touch."""

import json
import shutil

import pytest

torch = pytest.importorskip("torch")
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from medner.agents.engines.local.floating.adapters import AdaptedLinear, Adapters
from medner.agents.engines.local.floating.body import stretches
from medner.agents.engines.local.packed import RowSegment
from medner.core.errors import UserError
from tests.tiny_model import save_tiny_adapter, save_tiny_model

CPU = torch.device("cpu")


@pytest.fixture
def folder(tiny_adapters, tmp_path):
    return shutil.copytree(tiny_adapters["one"], tmp_path / "adapter")


@pytest.fixture
def adapters(tiny_base):
    return Adapters(AutoModelForCausalLM.from_pretrained(tiny_base), dtype=torch.float32, device=CPU)


def change_weights(folder, change):
    tensors = load_file(folder / "adapter_model.safetensors")
    save_file(change(tensors), folder / "adapter_model.safetensors")


def change_config(folder, **changes):
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_damaged_file_is_named(adapters, folder):
    """A file cut off in the middle."""
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"adapter 'x': .*adapter_model\.safetensors is damaged"):
        adapters.load("x", folder)


def test_an_adapter_of_another_base_is_refused_and_nothing_changed(adapters, tmp_path):
    """The sizes differ: the error gives both, and no layer was touched."""
    other = save_tiny_adapter(save_tiny_model(tmp_path / "base", hidden=32), tmp_path / "adapter", seed=1)
    with pytest.raises(
        UserError, match=r"'x' does not fit the base model: model\.layers\.0.* is 64x\d+, the adapter's 32x"
    ):
        adapters.load("x", other)
    assert not any(isinstance(module, AdaptedLinear) for module in adapters._model.modules())
    assert adapters.names == ()


def test_an_adapter_of_a_deeper_base_is_refused_and_nothing_changed(adapters, tmp_path):
    """The first layers fit and a later one is not there."""
    other = save_tiny_adapter(save_tiny_model(tmp_path / "base", layers=3), tmp_path / "adapter", seed=1)
    with pytest.raises(UserError, match=r"which has no layer model\.layers\.2"):
        adapters.load("x", other)
    assert not any(isinstance(module, AdaptedLinear) for module in adapters._model.modules())


def test_a_layer_that_is_not_linear_is_refused(adapters, folder):
    """Embeddings, for example."""
    change_weights(folder, lambda old: {key.replace("layers.0.self_attn.q_proj", "norm"): t for key, t in old.items()})
    with pytest.raises(UserError, match=r"adapts model\.norm, which is not a linear layer"):
        adapters.load("x", folder)


@pytest.mark.parametrize("half", ["lora_A", "lora_B"])
def test_a_missing_half_is_said(adapters, folder, half):
    """Either of the two."""
    missing = f"base_model.model.model.layers.0.self_attn.q_proj.{half}.weight"
    change_weights(folder, lambda old: {key: tensor for key, tensor in old.items() if key != missing})
    with pytest.raises(UserError, match="without its other half"):
        adapters.load("x", folder)


@pytest.mark.parametrize("key", ["base_model.model.lm_head.weight", "base_model.model.model.norm.lora_B.bias"])
def test_weights_that_would_be_left_out_are_refused(adapters, folder, key):
    """An adapter is run whole or not at all."""
    change_weights(folder, lambda old: {**old, key: torch.zeros(4)})
    with pytest.raises(UserError, match="only plain LoRA adapters"):
        adapters.load("x", folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"use_dora": True}, "this one uses use_dora"),
        ({"rank_pattern": {"q_proj": 8}}, "this one uses rank_pattern"),
        ({"peft_type": "IA3"}, "this one uses IA3"),
        ({"r": None}, "cannot be read: TypeError"),
        ({"lora_alpha": "much"}, "cannot be read: ValueError"),
    ],
)
def test_other_kinds_of_adapters_are_refused(adapters, folder, changes, said):
    """The error says what the adapter uses that cannot be run."""
    change_config(folder, **changes)
    with pytest.raises(UserError, match=said):
        adapters.load("x", folder)


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_a_missing_or_broken_configuration_is_named(adapters, folder, content):
    """Its path stands in the error."""
    path = folder / "adapter_config.json"
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(UserError, match=r"adapter_config\.json cannot be read"):
        adapters.load("x", folder)


def test_a_name_is_taken_once(adapters, folder):
    """Two adapters of one name could not be told apart."""
    adapters.load("x", folder)
    with pytest.raises(UserError, match="'x' is loaded already"):
        adapters.load("x", folder)


def test_an_adapter_touches_its_own_tokens_only(adapters, folder):
    """Rows without one, and rows of another, keep the base's values to the bit."""
    adapters.load("x", folder)
    layer = adapters._model.model.layers[0].self_attn.q_proj
    tokens = torch.randn(1, 9, 64)
    with torch.inference_mode():
        base = layer.base(tokens)
        adapters.route([("x", 2, 5), ("unknown", 5, 7)], 9)
        routed = layer(tokens)
    changed = (routed != base).any(dim=2)[0]
    assert changed.tolist() == [2 <= place < 5 for place in range(9)]


def test_neighbours_with_the_same_adapter_are_one_stretch():
    """Tokens of rows without an adapter stand between stretches and belong to none."""
    rows = [("a", 3), ("a", 2), (None, 4), ("a", 1), ("b", 1)]
    segments = [RowSegment(None, 0, count, adapter) for adapter, count in rows]
    assert stretches(segments) == [("a", 0, 5), ("a", 9, 10), ("b", 10, 11)]
    assert stretches(segments[:2], fill=3) == [("a", 0, 8)]


def test_two_adapters_of_one_pass_do_not_mix(adapters, tiny_adapters):
    """Each token has its own adapter's values, the same as when that adapter runs alone."""
    for name, folder in tiny_adapters.items():
        adapters.load(name, folder)
    layer = adapters._model.model.layers[0].self_attn.q_proj
    tokens = torch.randn(1, 8, 64)
    with torch.inference_mode():
        adapters.route([("one", 0, 8)], 8)
        one = layer(tokens)
        adapters.route([("two", 0, 8)], 8)
        two = layer(tokens)
        adapters.route([("two", 0, 3), ("one", 3, 8)], 8)
        mixed = layer(tokens)
    assert torch.equal(mixed[0, :3], two[0, :3])
    assert torch.equal(mixed[0, 3:], one[0, 3:])
    assert not torch.equal(one, two)
