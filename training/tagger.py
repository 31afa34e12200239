"""Trains a tagger: LoRA on a local base model, loss on the answer only (§3.1, §4.1).

On a CPU the loss runs over the tokens that occur in any answer instead of the whole vocabulary. Decoding is
constrained to such tokens anyway, and it saves a fifth of the time.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from medner.store.errors import UserError
from medner.training.examples import Example, answer_vocabulary, batches_by_tokens

LINEAR_LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True, slots=True)
class TaggerTraining:
    """The settings of a run. Defaults are for a 0.5B base on a laptop CPU."""

    rank: int = 16
    alpha: int = 32
    first_layer: int = 8  # lower layers stay as they are: a third less backward work
    learning_rate: float = 4e-4
    warm_up: float = 0.03
    weight_decay: float = 0.0
    batch_tokens: int = 1_024
    batches_per_step: int = 2
    epochs: float = 1.0
    time_limit_s: float = 3_600.0
    checkpoint_every_s: float = 600.0
    seed: int = 7


@dataclass(frozen=True, slots=True)
class Step:
    """Where a run is after an optimiser step: ``loss`` is the mean a token, ``rate`` the learning rate."""

    batch: int
    of: int
    loss: float
    seconds: float
    tokens: int
    rate: float


class TaggerTrainer:
    """One training run: model, optimiser, place in the data. Resumes exactly from its run folder."""

    def __init__(self, base: Path, run: Path, examples: Sequence[Example], settings: TaggerTraining) -> None:
        from peft import LoraConfig, get_peft_model  # noqa: PLC0415  heavy
        from transformers import AutoModelForCausalLM  # noqa: PLC0415  heavy

        self.settings, self.run = settings, run
        run.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(settings.seed)
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16, local_files_only=True)
        config = LoraConfig(
            r=settings.rank,
            lora_alpha=settings.alpha,
            target_modules=list(LINEAR_LAYERS),
            layers_to_transform=list(range(settings.first_layer, model.config.num_hidden_layers)),
        )
        self.model: Any = get_peft_model(model, config, autocast_adapter_dtype=False)
        self.model.train()
        self.vocabulary = answer_vocabulary(examples)
        self._row = {token: row for row, token in enumerate(self.vocabulary)}
        head = model.get_output_embeddings().weight
        self._head = head[torch.tensor(self.vocabulary)].detach().clone()
        self.batches = self._all_batches(examples)
        self._parameters = [p for p in self.model.parameters() if p.requires_grad]
        # bf16 weights are too coarse for small steps, so the optimiser works on copies in full precision.
        self._masters = [p.detach().float().clone().requires_grad_() for p in self._parameters]
        self.optimiser = torch.optim.AdamW(
            self._masters, lr=settings.learning_rate, weight_decay=settings.weight_decay, betas=(0.9, 0.98)
        )
        self.done, self.seconds, self.tokens = 0, 0.0, 0
        self._resume()

    def _all_batches(self, examples: Sequence[Example]) -> list[list[Example]]:
        settings = self.settings
        batches: list[list[Example]] = []
        for epoch in range(math.ceil(settings.epochs)):
            share = min(1.0, settings.epochs - epoch)
            one = batches_by_tokens(examples, budget=settings.batch_tokens, seed=settings.seed + epoch)
            batches += one[: round(len(one) * share)]
        return batches

    def train(self, on_step: Callable[[Step], None] = lambda _: None) -> None:
        """Runs to the end of the data or of the time, whichever is first, and saves the adapter.

        A run folder that holds a checkpoint goes on from there.
        """
        self.model.config.use_cache = False
        saved = time.monotonic()
        settings = self.settings
        while self.done < len(self.batches) and self.seconds < settings.time_limit_s:
            began = time.monotonic()
            group = self.batches[self.done : self.done + settings.batches_per_step]
            loss = self._step(group)
            self.done += len(group)
            self.tokens += sum(len(example) for batch in group for example in batch)
            self.seconds += time.monotonic() - began
            on_step(self._log(loss))
            if time.monotonic() - saved > settings.checkpoint_every_s:
                self.save()
                saved = time.monotonic()
        self.save()

    @property
    def progress(self) -> float:
        """How far the run is, 0 to 1, by data or by time, whichever is further."""
        return min(1.0, max(self.done / len(self.batches), self.seconds / self.settings.time_limit_s))

    def _rate(self) -> float:
        warm_up = self.settings.warm_up
        if self.progress < warm_up:
            return self.settings.learning_rate * (self.progress + 1e-3) / warm_up
        return self.settings.learning_rate * max(0.02, (1 - self.progress) / (1 - warm_up))

    def _step(self, group: Sequence[Sequence[Example]]) -> float:
        answers = sum(len(example) - example.answer_start for batch in group for example in batch)
        total = 0.0
        for batch in group:
            loss = self._loss(batch) / answers
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        for group_settings in self.optimiser.param_groups:
            group_settings["lr"] = self._rate()
        for master, parameter in zip(self._masters, self._parameters, strict=True):
            master.grad = parameter.grad.float() if parameter.grad is not None else None
            parameter.grad = None
        torch.nn.utils.clip_grad_norm_(self._masters, 1.0)
        self.optimiser.step()
        with torch.no_grad():
            for master, parameter in zip(self._masters, self._parameters, strict=True):
                parameter.copy_(master)
        return total

    def _loss(self, batch: Sequence[Example]) -> torch.Tensor:
        """The summed cross-entropy of the answers' tokens, over the answers' vocabulary."""
        longest = max(len(example) for example in batch)
        ids = torch.zeros(len(batch), longest, dtype=torch.long)
        targets = torch.full((len(batch), longest), -100)
        for row, example in enumerate(batch):
            ids[row, : len(example)] = torch.tensor(example.ids)
            for place in range(example.answer_start, len(example)):
                targets[row, place - 1] = self._row[example.ids[place]]
        # Padding stands on the right and attention is causal, so no mask is needed for what counts.
        hidden = self.model.base_model.model.model(input_ids=ids, use_cache=False)[0]
        counted = targets >= 0
        logits = hidden[counted] @ self._head.T
        return functional.cross_entropy(logits.float(), targets[counted], reduction="sum")

    def _log(self, loss: float) -> Step:
        step = Step(
            batch=self.done,
            of=len(self.batches),
            loss=round(loss, 5),
            seconds=round(self.seconds, 1),
            tokens=self.tokens,
            rate=round(self._rate(), 7),
        )
        with (self.run / "loss.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(step)) + "\n")
        return step

    def save(self) -> None:
        """Writes the adapter and, beside it, what a resume needs."""
        self.model.save_pretrained(self.run / "adapter")
        self._tidy_adapter()
        state = {
            "masters": self._masters,
            "optimiser": self.optimiser.state_dict(),
            "done": self.done,
            "seconds": self.seconds,
            "tokens": self.tokens,
        }
        partial = self.run / "state.pt.partial"
        torch.save(state, partial)
        os.replace(partial, self.run / "state.pt")
        (self.run / "settings.json").write_text(json.dumps(asdict(self.settings), indent=2) + "\n", encoding="utf-8")

    def _tidy_adapter(self) -> None:
        """Takes out of PEFT's files what tells about this machine: the base's path, a card template."""
        folder = self.run / "adapter"
        (folder / "README.md").unlink(missing_ok=True)
        path = folder / "adapter_config.json"
        config = json.loads(path.read_text(encoding="utf-8"))
        config["base_model_name_or_path"] = Path(config["base_model_name_or_path"]).name
        path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")

    def _resume(self) -> None:
        path = self.run / "state.pt"
        if not path.exists():
            return
        kept = json.loads((self.run / "settings.json").read_text(encoding="utf-8"))
        changed = [name for name, value in asdict(self.settings).items() if kept.get(name) != value]
        # More time or more epochs continue a run; anything else would make it another one.
        unlike = sorted(set(changed) - {"time_limit_s", "epochs", "checkpoint_every_s"})
        if unlike:
            raise UserError(f"{self.run} holds a run with other settings ({', '.join(unlike)}); choose another --out")
        state = torch.load(path, weights_only=True)
        with torch.no_grad():
            for master, parameter, saved in zip(self._masters, self._parameters, state["masters"], strict=True):
                master.copy_(saved)
                parameter.copy_(saved)
        self.optimiser.load_state_dict(state["optimiser"])
        self.done, self.seconds, self.tokens = state["done"], state["seconds"], state["tokens"]
