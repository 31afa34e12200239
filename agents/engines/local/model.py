"""A base model with its adapters, loaded for packed passes."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from medner.agents.engines.local.adapters import Adapters
from medner.agents.engines.local.chat import ChatTokens
from medner.agents.engines.local.decoding import Question
from medner.agents.engines.local.loading import load
from medner.agents.engines.local.packed import KeyValueShape, PackedPass, RowCache, Segment
from medner.agents.engines.local.prepacked import can_prepack, prepack
from medner.agents.engines.local.vocabulary import Vocabulary
from medner.agents.prompts.messages import Message

#: Among how many tokens a free answer's next one is chosen exactly.
_LIKELY = 64


def pick_device() -> torch.device:
    """A GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def pick_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the processor computes in it, else float32 (emulated bfloat16 is slower than float32)."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    flags = _cpu_flags()
    return torch.bfloat16 if {"avx512_bf16", "amx_bf16", "bf16"} & flags else torch.float32


def _cpu_flags() -> set[str]:
    if platform.system() != "Linux":
        return set()
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return set()
    for line in text.splitlines():
        if line.startswith(("flags", "Features")):
            return set(line.partition(":")[2].split())
    return set()


#: Passes have a multiple of this many tokens.
FILL = 8


class LocalModel:
    """A causal language model in this process: packed passes, in which every row may use another adapter.

    ``adapters`` maps names to folders in PEFT's format (safetensors). Not safe for concurrent use: one thread runs it.
    UserError for a model or an adapter that cannot be loaded or run.
    """

    def __init__(
        self,
        path: Path,
        adapters: Mapping[str, Path] | None = None,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
    ) -> None:
        self.device = device or pick_device()
        self.dtype = dtype or pick_dtype(self.device)
        self.tokenizer, model = load(path, dtype=self.dtype)
        self._body = model.to(self.device).eval().base_model
        self._head: torch.Tensor = model.get_output_embeddings().weight
        config = model.config.get_text_config()
        self._softcap = getattr(config, "final_logit_softcapping", None)
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self.shape = KeyValueShape(config.num_hidden_layers, config.num_key_value_heads, size)
        self.context = int(config.max_position_embeddings)
        self.end_ids = _end_ids(model, self.tokenizer)
        self.vocabulary = Vocabulary(self.tokenizer, self.end_ids, size=len(self._head))
        self._chat = ChatTokens(self.tokenizer, self.vocabulary)
        if can_prepack(self.device, self.dtype):
            prepack(self._body)
        self._adapters = Adapters(model, dtype=self.dtype, device=self.device)
        for name, folder in (adapters or {}).items():
            self._adapters.load(name, folder)

    def load_adapter(self, name: str, folder: Path) -> None:
        """Loads a further adapter; UserError when the folder holds none that fits."""
        self._adapters.load(name, folder)

    @property
    def adapters(self) -> tuple[str, ...]:
        """The names of the loaded adapters."""
        return self._adapters.names

    def new_cache(self, capacity: int = 256) -> RowCache:
        """An empty cache for one row."""
        return RowCache(self.shape, dtype=self.dtype, device=self.device, capacity=capacity)

    def prompt(self, messages: Sequence[Message]) -> tuple[list[int], int]:
        """A chat's tokens, ready for the answer, and how many of them stay the same for every last message."""
        whole = self._chat.prompt(messages)
        shared = 0
        for ours, theirs in zip(self._chat.prompt(messages, before_last=True), whole[:-1], strict=False):
            if ours != theirs:
                break
            shared += 1
        return whole, shared

    @torch.inference_mode()
    def hidden(self, tokens: Sequence[int], segments: Sequence[Segment]) -> torch.Tensor:
        """The last hidden states [tokens, width] of a packed pass; writes the rows' caches."""
        # Kernels are made for a number of tokens and kept; a few fill-in tokens keep these numbers few.
        fill = -len(tokens) % FILL
        self._adapters.route(stretches(segments, fill), len(tokens) + fill)
        packed = PackedPass(segments, device=self.device, dtype=self.dtype, fill=fill)
        ids = torch.tensor([[*tokens, *[0] * fill]], device=self.device)
        out = self._body(
            input_ids=ids, position_ids=packed.positions(), use_cache=False, attention_mask=None, packed=packed
        )
        hidden: torch.Tensor = out[0][0][: len(tokens)]
        return hidden

    @torch.inference_mode()
    def best(self, hidden_NW: torch.Tensor, questions: Sequence[Question]) -> list[int]:
        """The best allowed token for each hidden state; the lowest id among equals, so that ties never depend on shape.

        Only the scores of tokens some question allows are computed.
        """
        answers: list[int] = [question[0] if len(question) == 1 else -1 for question in questions]
        open_rows = [row for row, question in enumerate(questions) if len(question) > 1]
        free_rows = [row for row, question in enumerate(questions) if not question]
        if open_rows:
            union = sorted({token for row in open_rows for token in questions[row]})
            column = {token: place for place, token in enumerate(union)}
            scores = self._scores(hidden_NW[open_rows], self._rows_of(union))
            for place, row in enumerate(open_rows):
                allowed = torch.tensor([column[token] for token in questions[row]], device=self.device)
                answers[row] = questions[row][int(scores[place, allowed].argmax())]
        for row in free_rows:
            answers[row] = self._best_of_all(hidden_NW[row])
        return answers

    @torch.inference_mode()
    def scores(self, hidden_W: torch.Tensor, tokens: Sequence[int]) -> list[float]:
        """The logits of some tokens after one hidden state, as floats."""
        return [float(score) for score in self._scores(hidden_W.unsqueeze(0), self._rows_of(tokens))[0]]

    def _best_of_all(self, hidden_W: torch.Tensor) -> int:
        # The whole vocabulary in the model's own precision, then the likeliest tokens exactly.
        rough = functional.linear(hidden_W, self._head)
        likely = rough.topk(min(_LIKELY, len(rough))).indices.sort().values.tolist()
        return int(likely[int(self._scores(hidden_W.unsqueeze(0), self._rows_of(likely))[0].argmax())])

    def _rows_of(self, tokens: Sequence[int]) -> torch.Tensor:
        return self._head[torch.tensor(list(tokens), device=self.device)]

    def _scores(self, hidden_NW: torch.Tensor, weights_TW: torch.Tensor) -> torch.Tensor:
        # In float64 the result does not depend on how many states and tokens are scored at once.
        scores: torch.Tensor = hidden_NW.double() @ weights_TW.double().T
        if self._softcap:
            scores = torch.tanh(scores / self._softcap) * self._softcap
        return scores


def stretches(segments: Sequence[Segment], fill: int = 0) -> list[tuple[str, int, int]]:
    """Which tokens of a packed pass belong to which adapter; neighbours with the same one are joined.

    ``fill`` tokens at the end go with the last row, so that one adapter for all rows is one for all tokens.
    """
    found: list[tuple[str, int, int]] = []
    at = 0
    for segment in segments:
        end = at + segment.count
        if segment.adapter is not None:
            if found and found[-1][0] == segment.adapter and found[-1][2] == at:
                found[-1] = (segment.adapter, found[-1][1], end)
            else:
                found.append((segment.adapter, at, end))
        at = end
    if found and found[-1][2] == at:
        found[-1] = (*found[-1][:2], at + fill)
    return found


def _end_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    stated = getattr(model.generation_config, "eos_token_id", None)
    ids = [*stated] if isinstance(stated, list) else [stated]
    return frozenset(number for number in (*ids, tokenizer.eos_token_id) if number is not None)
