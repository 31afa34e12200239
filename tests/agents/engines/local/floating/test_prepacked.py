"""Prepacked linear layers against PyTorch's own."""

import pytest

torch = pytest.importorskip("torch")
from medner.agents.engines.local.floating.prepacked import PrepackedLinear, can_prepack, prepack

CPU = torch.device("cpu")


@pytest.mark.skipif(not can_prepack(CPU, torch.bfloat16), reason="this processor has no bfloat16 instructions")
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("count", [1, 2, 31, 32, 33, 100])
@torch.inference_mode()
def test_prepacked_layers_give_the_same_bits(count, bias):
    """For any number of tokens, with and without a bias."""
    torch.manual_seed(count)
    linear = torch.nn.Linear(96, 160, bias=bias).to(torch.bfloat16)
    tokens = torch.randn(1, count, 96, dtype=torch.bfloat16)
    packed = PrepackedLinear(linear)(tokens)
    assert torch.equal(packed, linear(tokens))
    assert packed.shape == (1, count, 160)


@pytest.mark.skipif(not can_prepack(CPU, torch.bfloat16), reason="this processor has no bfloat16 instructions")
def test_every_linear_layer_is_replaced():
    """At any depth; other layers stay."""
    inner = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU())
    model = torch.nn.Sequential(inner, torch.nn.Linear(8, 4)).to(torch.bfloat16)
    assert prepack(model) == 2
    assert [type(layer) for layer in (model[0][0], model[0][1], model[1])] == [
        PrepackedLinear,
        torch.nn.ReLU,
        PrepackedLinear,
    ]
    assert (model[1].in_features, model[1].out_features) == (8, 4)


@pytest.mark.parametrize(
    ("device", "dtype"), [("cpu", torch.float32), ("cpu", torch.float16), ("meta", torch.bfloat16)]
)
def test_only_bfloat16_on_a_processor_is_prepacked(device, dtype):
    """Everything else runs PyTorch's own layers."""
    assert not can_prepack(torch.device(device), dtype)
