"""Trains LLM-CLS: a LoRA adapter and a classification layer on each candidate's last token (§3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from medner.agents.engines.local.formats import pick_device
from medner.agents.filters.classifier import HEAD_FILE
from medner.training.filters.packing import PackedRow, packed_batch
from medner.training.loop.batching import SCORED_TOKENS, batches_by_tokens
from medner.training.loop.loop import Size
from medner.training.loop.settings import TaggerTraining
from medner.training.model.attention import MASKED, MaskedBody, register
from medner.training.model.lora import adapted_model, learning_parameters, save_adapter

#: How many times faster than the adapter the classification layer learns: five times diverged on a 0.5B base.
HEAD_FACTOR = 1.0


class ClassifierLearner:
    """The model that learns: the base's body with an adapter, and a layer [width -> 1] in full precision.

    ``start`` is an adapter to go on from: a tagger's knows the types already. ``two_way``: in the layers that learn,
    the sentence's tokens look both ways, as a span tagger's do; its candidates never do.
    """

    def __init__(
        self, base: Path, settings: TaggerTraining, *, start: Path | None = None, two_way: bool = False
    ) -> None:
        register()
        torch.manual_seed(settings.seed)
        self.model: Any = adapted_model(base, settings, start=start)
        plain = self.model.get_base_model()
        plain.set_attn_implementation(MASKED)
        self._body = MaskedBody(self.model)
        self.two_way_from = settings.first_layer if two_way else None
        self._device = pick_device()
        self.head = nn.Linear(plain.config.get_text_config().hidden_size, 1, device=self._device)
        # Zeros: before the first step every candidate is as likely as not.
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def parameters(self) -> list[nn.Parameter]:
        """The adapter's weights."""
        return learning_parameters(self.model)

    def faster(self) -> tuple[list[nn.Parameter], float]:
        """The classification layer's weights."""
        return list(self.head.parameters()), HEAD_FACTOR

    def logits(self, rows: Sequence[PackedRow]) -> tuple[torch.Tensor, torch.Tensor]:
        """A score for each candidate of the rows, and what is known of it: two tensors [candidates]."""
        batch = packed_batch(rows, device=self._device)
        upper = None if self.two_way_from is None else batch.two_way_BTT()
        hidden_BTW = self._body(batch.ids_BT, batch.positions_BT, batch.seen_BTT(), upper, self.two_way_from or 0)
        last_NW = hidden_BTW[batch.last_N2[:, 0], batch.last_N2[:, 1]]
        return self.head(last_NW.float()).squeeze(-1), batch.targets_N

    def loss(self, batch: Sequence[PackedRow]) -> torch.Tensor:
        """The summed cross-entropy of a batch's candidates."""
        logits_N, targets_N = self.logits(batch)
        return functional.binary_cross_entropy_with_logits(logits_N, targets_N, reduction="sum")

    def size(self, batch: Sequence[PackedRow]) -> Size:
        """How many candidates and tokens a batch holds."""
        return Size(sum(len(row.candidates) for row in batch), sum(map(len, batch)))

    @torch.no_grad()
    def score(self, rows: Sequence[PackedRow]) -> list[float]:
        """The scores (logits) of the rows' candidates, row by row."""
        self.model.eval()
        scores: dict[int, list[float]] = {}
        order = {id(row): place for place, row in enumerate(rows)}
        for batch in batches_by_tokens(rows, budget=SCORED_TOKENS, seed=None):
            said = iter(self.logits(batch)[0].tolist())
            for row in batch:
                scores[order[id(row)]] = [next(said) for _ in row.candidates]
        self.model.train()
        return [score for place in range(len(rows)) for score in scores[place]]

    def save(self, folder: Path) -> None:
        """Writes the adapter in PEFT's format and, beside it, the classification layer."""
        from safetensors.torch import save_file  # noqa: PLC0415  heavy

        save_adapter(self.model, folder)
        save_file(
            {name: value.detach().cpu().clone() for name, value in self.head.state_dict().items()}, folder / HEAD_FILE
        )
