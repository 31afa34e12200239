"""Weights with copies in full precision."""

import pytest

from medner.core.errors import UserError

torch = pytest.importorskip("torch")
from medner.training.loop.optimiser import Masters


def weight():
    return torch.nn.Parameter(torch.ones(4, dtype=torch.bfloat16))


def learn(masters, parameter, *, factor=1.0):
    (parameter.float().square().sum() * factor).backward()
    masters.step(1e-3)


def test_steps_too_small_for_bf16_add_up():
    """Steps that each vanish in the weights move their copies, and in the end the weights."""
    parameter = weight()
    masters = Masters([parameter])
    learn(masters, parameter)
    assert (parameter == 1).all()
    for _ in range(9):
        learn(masters, parameter)
    assert (parameter < 1).all()


@pytest.mark.parametrize("factor", [float("nan"), float("inf")])
def test_a_diverged_step_is_refused(factor):
    """A gradient that is no finite number ends the training before it reaches a weight."""
    parameter = weight()
    masters = Masters([parameter])
    with pytest.raises(UserError, match="diverged"):
        learn(masters, parameter, factor=factor)
    assert (parameter == 1).all()
    assert (masters.state()["masters"][0] == 1).all()
