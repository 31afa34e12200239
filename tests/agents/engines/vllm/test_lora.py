"""LoRA kernels for vLLM on processors, against the plain formula."""

from types import ModuleType

import pytest

torch = pytest.importorskip("torch")
from medner.agents.engines.vllm import lora

SLOTS, RANK, WIDTH = 3, 4, 10
BATCHES = {
    "one adapter": [1, 1, 1, 1],
    "none": [-1, -1, -1, -1],
    "base between adapters": [0, -1, 2, 2],
    "alternating": [0, 1, 0, 1],
}


def plain(inputs, weights, slots):
    """Each token by its own slot's matrix; zeros without one."""
    rows = [
        weights[slot].reshape(weights.shape[-2:]) @ row if slot >= 0 else torch.zeros(weights.shape[-2])
        for row, slot in zip(inputs, slots.tolist(), strict=True)
    ]
    return torch.stack(rows)


@pytest.fixture(params=BATCHES)
def slots(request):
    return torch.tensor(BATCHES[request.param])


@pytest.fixture(params=[(SLOTS, 1), (SLOTS,)], ids=["4 dimensions", "3 dimensions"])
def leading(request):
    return request.param


def test_shrink(slots, leading):
    """What was in the buffer before does not matter."""
    inputs, weights = torch.randn(4, WIDTH), torch.randn(*leading, RANK, WIDTH)
    output = torch.full((4, RANK), 7.0)
    lora.bgmv_shrink(inputs, weights, output, slots, 0.5)
    torch.testing.assert_close(output, 0.5 * plain(inputs, weights, slots))


@pytest.mark.parametrize("add", [True, False])
def test_expand(slots, leading, add):
    """Added to what is there, or in its place; columns beyond the adapter's stay."""
    inputs, weights = torch.randn(4, RANK), torch.randn(*leading, WIDTH, RANK)
    before = torch.randn(4, WIDTH + 2)
    output = before.clone()
    lora.bgmv_expand(inputs, weights, output, slots, add)
    expected = before.clone()
    expected[:, :WIDTH] = plain(inputs, weights, slots) + (before[:, :WIDTH] if add else 0)
    torch.testing.assert_close(output, expected)


@pytest.mark.parametrize("add", [True, False])
def test_expand_into_a_slice(slots, leading, add):
    """Only the slice's columns change."""
    inputs, weights = torch.randn(4, RANK), torch.randn(*leading, 5, RANK)
    before = torch.randn(4, WIDTH)
    output = before.clone()
    lora.bgmv_expand_slice(inputs, weights, output, slots, 3, 5, add)
    expected = before.clone()
    expected[:, 3:8] = plain(inputs, weights, slots) + (before[:, 3:8] if add else 0)
    torch.testing.assert_close(output, expected)


def test_prompts_have_a_slot_each(leading):
    """Prompts of 3 and 1 tokens, the second for the base model."""
    inputs, weights, slots = torch.randn(4, WIDTH), torch.randn(*leading, RANK, WIDTH), torch.tensor([2, 2, 2, -1])
    output = torch.zeros(4, RANK)
    starts, lengths, indices = torch.tensor([0, 3]), torch.tensor([3, 1]), torch.tensor([2, -1])
    lora.sgmv_shrink(inputs, weights, output, starts, lengths, indices, 2, 3, 4, 2.0)
    torch.testing.assert_close(output, 2 * plain(inputs, weights, slots))


def kernels(names=lora._KERNELS):
    """A module like vLLM's that has the kernels of the given names."""
    module = ModuleType("punica_cpu")
    for name in names:
        parameters = ", ".join(lora._KERNELS[name])
        exec(f"def {name}({parameters}): pass", module.__dict__)  # noqa: S102  a signature out of a list
    return module


def test_kernels_are_replaced_once():
    """Plugins may be loaded several times."""
    module = kernels()
    assert lora.install(module)
    assert module.sgmv_expand is lora.sgmv_expand
    assert lora.install(module)


def test_other_kernels_stay_as_they_are():
    """One missing, or with another parameter: this is another vLLM."""
    assert not lora.install(kernels(list(lora._KERNELS)[1:]))
    module = kernels()
    module.bgmv_expand = lambda inputs, weights: None
    before = dict(module.__dict__)
    assert not lora.install(module)
    assert module.__dict__ == before
