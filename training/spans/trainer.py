"""Trains a span tagger: LoRA and a span head on a language model whose upper layers look both ways."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from medner.agents.spans.head import SpanHead, SpanShape
from medner.store.errors import UserError
from medner.training.attention import MASKED, MaskedBody, register
from medner.training.spans.examples import SpanBatch, SpanExample, collated, span_batches

LINEAR_LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True, slots=True)
class SpanTraining:
    """The settings of a run. Defaults are for a 0.5B base on a laptop CPU.

    ``epochs`` counts passes over the completely annotated sentences; others are read once, in the first pass.
    """

    rank: int = 16
    alpha: int = 32
    first_layer: int = 8  # lower layers stay as they are, and causal
    learning_rate: float = 4e-4
    head_rate: float = 1e-3
    warm_up: float = 0.05
    weight_decay: float = 0.01
    batch_tokens: int = 640
    epochs: int = 2
    time_limit_s: float = 3_600.0
    checkpoint_every_s: float = 600.0
    seed: int = 7


@dataclass(frozen=True, slots=True)
class SpanStep:
    """Where a run is after an optimiser step: ``loss`` is the mean a sentence and type."""

    batch: int
    of: int
    loss: float
    seconds: float
    tokens: int
    rate: float


class SpanTrainer:
    """One training run: model, head, optimiser, place in the data. Resumes exactly from its run folder."""

    def __init__(
        self,
        base: Path,
        run: Path,
        complete: Sequence[SpanExample],
        partial: Sequence[SpanExample],
        settings: SpanTraining,
        *,
        types: int,
    ) -> None:
        self.settings, self.run, self.types = settings, run, types
        run.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(settings.seed)
        self.model = _adapted(base, settings)
        self.body = MaskedBody(self.model)
        width = self.model.get_base_model().config.get_text_config().hidden_size
        self.head = SpanHead(SpanShape(width, types))
        self.batches = _all_batches(complete, partial, settings)
        self._parameters = [p for p in self.model.parameters() if p.requires_grad]
        # bf16 weights are too coarse for small steps, so the optimiser works on copies in full precision.
        self._masters = [p.detach().float().clone().requires_grad_() for p in self._parameters]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": self._masters, "peak": settings.learning_rate, "weight_decay": 0.0},
                {"params": list(self.head.parameters()), "peak": settings.head_rate},
            ],
            weight_decay=settings.weight_decay,
            betas=(0.9, 0.98),
        )
        self.done, self.seconds, self.tokens = 0, 0.0, 0
        self._resume()

    @property
    def progress(self) -> float:
        """How far the run is, 0 to 1, by data or by time, whichever is further."""
        return min(1.0, max(self.done / len(self.batches), self.seconds / self.settings.time_limit_s))

    def train(self, on_step: Callable[[SpanStep], None] = lambda _: None) -> None:
        """Runs to the end of the data or of the time, whichever is first, and saves adapter and head."""
        saved = time.monotonic()
        self.model.train()
        while self.done < len(self.batches) and self.seconds < self.settings.time_limit_s:
            began = time.monotonic()
            batch = collated(self.batches[self.done], self.types)
            loss = self._step(batch)
            self.done += 1
            self.tokens += batch.tokens
            self.seconds += time.monotonic() - began
            on_step(self._log(loss))
            if time.monotonic() - saved > self.settings.checkpoint_every_s:
                self.save()
                saved = time.monotonic()
        self.model.eval()
        self.save()

    def scores(self, batch: SpanBatch) -> torch.Tensor:
        """Scores [B, types, C, C] of a batch."""
        count = batch.ids.shape[1]
        real = torch.arange(count) < batch.lengths.unsqueeze(1)
        # Padding sees itself alone: a row of the mask without any key would make NaN of it.
        upper = real.unsqueeze(1) & real.unsqueeze(2) | torch.eye(count, dtype=torch.bool)
        lower = upper.tril()
        positions = torch.arange(count).expand_as(batch.ids)
        hidden = self.body(batch.ids, positions, lower, upper, self.settings.first_layer)
        scored: torch.Tensor = self.head(hidden, batch.token_of, batch.place_of)
        return scored

    def _step(self, batch: SpanBatch) -> float:
        loss = span_loss(self.scores(batch), batch.gold, batch.counted)
        loss.backward()  # type: ignore[no-untyped-call]
        rate = self._rate()
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak"] * rate
        for master, parameter in zip(self._masters, self._parameters, strict=True):
            master.grad = parameter.grad.float() if parameter.grad is not None else None
            parameter.grad = None
        torch.nn.utils.clip_grad_norm_([*self._masters, *self.head.parameters()], 1.0)
        self.optimiser.step()
        self.head.zero_grad(set_to_none=True)
        with torch.no_grad():
            for master, parameter in zip(self._masters, self._parameters, strict=True):
                parameter.copy_(master)
        return loss.item()

    def _rate(self) -> float:
        """The learning rate's share of its peak."""
        warm_up = self.settings.warm_up
        if self.progress < warm_up:
            return (self.progress + 1e-3) / warm_up
        return max(0.02, (1 - self.progress) / (1 - warm_up))

    def _log(self, loss: float) -> SpanStep:
        step = SpanStep(
            batch=self.done,
            of=len(self.batches),
            loss=round(loss, 5),
            seconds=round(self.seconds, 1),
            tokens=self.tokens,
            rate=round(self._rate() * self.settings.learning_rate, 7),
        )
        with (self.run / "loss.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(step)) + "\n")
        return step

    def save(self) -> None:
        """Writes adapter and head and, beside them, what a resume needs."""
        folder = self.run / "adapter"
        self.model.save_pretrained(folder)
        _tidy(folder)
        self.head.save(folder)
        state = {
            "masters": self._masters,
            "head": self.head.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "done": self.done,
            "seconds": self.seconds,
            "tokens": self.tokens,
        }
        partial = self.run / "state.pt.partial"
        torch.save(state, partial)
        os.replace(partial, self.run / "state.pt")
        (self.run / "settings.json").write_text(json.dumps(asdict(self.settings), indent=2) + "\n", encoding="utf-8")

    def _resume(self) -> None:
        path = self.run / "state.pt"
        if not path.exists():
            return
        kept = json.loads((self.run / "settings.json").read_text(encoding="utf-8"))
        changed = {name for name, value in asdict(self.settings).items() if kept.get(name) != value}
        unlike = sorted(changed - {"time_limit_s", "checkpoint_every_s"})
        if unlike:
            raise UserError(f"{self.run} holds a run with other settings ({', '.join(unlike)}); choose another --out")
        state = torch.load(path, weights_only=True)
        with torch.no_grad():
            for master, parameter, saved in zip(self._masters, self._parameters, state["masters"], strict=True):
                master.copy_(saved)
                parameter.copy_(saved)
        self.head.load_state_dict(state["head"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.done, self.seconds, self.tokens = state["done"], state["seconds"], state["tokens"]
        _cut_log(self.run / "loss.jsonl", self.done)


def span_loss(scores_BYCC: torch.Tensor, gold_BYCC: torch.Tensor, counted_BYCC: torch.Tensor) -> torch.Tensor:
    """GlobalPointer's loss (Su et al. 2022): every entity's score above 0, every other's below, a mean a type.

    Cells that are not counted have no share.
    """
    none = torch.finfo(scores_BYCC.dtype).min
    wrong = scores_BYCC.masked_fill(~(counted_BYCC & ~gold_BYCC), none).flatten(2)
    right = (-scores_BYCC).masked_fill(~gold_BYCC, none).flatten(2)
    zero = torch.zeros_like(wrong[..., :1])
    above = torch.logsumexp(torch.cat([wrong, zero], dim=-1), dim=-1)
    below = torch.logsumexp(torch.cat([right, zero], dim=-1), dim=-1)
    return (above + below).mean()


def _adapted(base: Path, settings: SpanTraining) -> Any:
    from peft import LoraConfig, get_peft_model  # noqa: PLC0415  heavy
    from transformers import AutoModelForCausalLM  # noqa: PLC0415  heavy

    from medner.agents.engines.local.loading import quiet  # noqa: PLC0415

    register()
    with quiet():
        model = AutoModelForCausalLM.from_pretrained(
            base, dtype=torch.bfloat16, local_files_only=True, attn_implementation=MASKED
        )
    layers = model.config.get_text_config().num_hidden_layers
    if settings.first_layer >= layers:
        raise UserError(
            f"the base model has {layers} layers; none is left to train from layer {settings.first_layer} on"
        )
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        target_modules=list(LINEAR_LAYERS),
        layers_to_transform=list(range(settings.first_layer, layers)),
    )
    return get_peft_model(model, config, autocast_adapter_dtype=False)


def _all_batches(
    complete: Sequence[SpanExample], partial: Sequence[SpanExample], settings: SpanTraining
) -> list[list[SpanExample]]:
    passes = [[*complete, *partial], *[complete] * (settings.epochs - 1)]
    return [
        batch
        for number, examples in enumerate(passes)
        for batch in span_batches(examples, budget=settings.batch_tokens, seed=settings.seed + number)
    ]


def _cut_log(path: Path, done: int) -> None:
    """Takes out of a loss curve what came after the checkpoint, so that every step stands in it once."""
    if path.exists():
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if json.loads(line)["batch"] <= done]
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _tidy(folder: Path) -> None:
    """Takes out of PEFT's files what tells about this machine: the base's path, a card template."""
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = Path(config["base_model_name_or_path"]).name
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
