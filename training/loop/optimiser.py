"""Weights in bf16 with copies in full precision for the optimiser, and the learning rate's course."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

from medner.core.errors import UserError


@dataclass(frozen=True, slots=True)
class Schedule:
    """A learning rate that rises to ``peak`` during the first ``warm_up`` (a share of the run), then falls linearly."""

    peak: float
    warm_up: float = 0.03
    floor: float = 0.02

    def rate(self, progress: float) -> float:
        """The learning rate where ``progress`` (0 to 1) of the run is over."""
        if progress < self.warm_up:
            return self.peak * (progress + 1e-3) / self.warm_up
        return self.peak * max(self.floor, (1 - progress) / (1 - self.warm_up))


class Masters:
    """AdamW on copies in full precision: bf16 weights are too coarse for small steps.

    Of the parameters only those that need gradients are taken. Those of ``faster`` learn at ``factor`` times the rate:
    a fresh layer on top of a trained model has further to go.
    """

    def __init__(
        self,
        parameters: Iterable[torch.nn.Parameter],
        *,
        faster: Iterable[torch.nn.Parameter] = (),
        factor: float = 1.0,
        weight_decay: float = 0.0,
    ) -> None:
        groups = [
            ([one for one in group if one.requires_grad], by) for group, by in ((parameters, 1.0), (faster, factor))
        ]
        self._parameters = [parameter for group, _ in groups for parameter in group]
        self._masters = [parameter.detach().float().clone().requires_grad_() for parameter in self._parameters]
        left = iter(self._masters)
        self._optimiser = torch.optim.AdamW(
            [{"params": [next(left) for _ in group], "factor": by} for group, by in groups if group],
            weight_decay=weight_decay,
            betas=(0.9, 0.98),
        )

    def step(self, rate: float) -> None:
        """One step at a learning rate, from the gradients the weights hold now, cut to norm 1; they are used up.

        UserError, and no step, when a gradient is not a finite number: all weights would become NaN, and so would the
        next checkpoint.
        """
        for group in self._optimiser.param_groups:
            group["lr"] = rate * group["factor"]
        for master, parameter in zip(self._masters, self._parameters, strict=True):
            master.grad = parameter.grad.float() if parameter.grad is not None else None
            parameter.grad = None
        if not torch.nn.utils.clip_grad_norm_(self._masters, 1.0).isfinite():
            raise UserError(
                "the training diverged: its loss or gradients are not finite numbers any more. The last checkpoint is "
                "unharmed; train again with a lower --learning-rate and another --out"
            )
        self._optimiser.step()
        self._write_back()

    def forget(self) -> None:
        """Drops the gradients the weights hold now."""
        for parameter in self._parameters:
            parameter.grad = None

    def state(self) -> dict[str, Any]:
        """What :meth:`restore` needs to go on exactly."""
        return {"masters": self._masters, "optimiser": self._optimiser.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Puts weights and optimiser where :meth:`state` found them."""
        with torch.no_grad():
            for master, saved in zip(self._masters, state["masters"], strict=True):
                master.copy_(saved)
        self._optimiser.load_state_dict(state["optimiser"])
        self._write_back()

    @torch.no_grad()
    def _write_back(self) -> None:
        for master, parameter in zip(self._masters, self._parameters, strict=True):
            parameter.copy_(master)
