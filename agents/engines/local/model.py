"""A base model with its adapters, loaded for packed passes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch.nn import functional

from medner.agents.engines.local.chat import ChatTokens
from medner.agents.engines.local.decoding import Question
from medner.agents.engines.local.formats import DTYPES, FORMAT_OF, Format, formats_by_speed, pick_device
from medner.agents.engines.local.integer.body import IntegerBody
from medner.agents.engines.local.integer.body_shape import FAMILIES, body_shape
from medner.agents.engines.local.integer.int8 import is_exact
from medner.agents.engines.local.integer.weights import WAY_OUT
from medner.agents.engines.local.packed import RowSegment
from medner.agents.engines.local.row_cache import KeyValueShape, RowCache
from medner.agents.engines.local.vocabulary import Vocabulary
from medner.agents.prompts.messages import Message
from medner.core.errors import UserError
from medner.core.files.data_folder import cache_folder

#: Among how many tokens a free answer's next one is chosen exactly.
_LIKELY = 64
#: Where integer weights are kept, below the cache folder.
KEPT = "int8"


class Body(Protocol):
    """The layers of a model with adapters: runs packed passes."""

    #: The format of the rows' caches, and what they keep of a token.
    dtype: torch.dtype
    cache_shape: KeyValueShape
    #: Whether a row that is run once and whole needs a cache too.
    needs_caches: bool

    @property
    def adapters(self) -> tuple[str, ...]:
        """The names of the loaded adapters."""
        ...

    def load_adapter(self, name: str, folder: Path) -> None:
        """Loads a further adapter; UserError when the folder holds none that fits."""
        ...

    def head(self) -> torch.Tensor:
        """The output layer's matrix [vocabulary, width]."""
        ...

    def run(self, tokens: Sequence[int], segments: Sequence[RowSegment]) -> torch.Tensor:
        """The last hidden states [tokens, width] of a packed pass, each row's behind its last layer; fills caches."""
        ...


class LocalModel:
    """A causal language model in this process: packed passes, in which every row may use another adapter.

    ``adapters`` maps names to folders in PEFT's format (safetensors). ``format`` None takes what this machine computes
    fastest; ``dtype`` says the same as a type of PyTorch. Not safe for concurrent use: one thread runs it.
    UserError for a model or an adapter that cannot be loaded or run.
    """

    def __init__(
        self,
        path: Path,
        adapters: Mapping[str, Path] | None = None,
        *,
        format: Format | None = None,  # noqa: A002  the word for it
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
    ) -> None:
        self.device = device or pick_device()
        self.format: Format = format or (FORMAT_OF[dtype] if dtype else best_format(path, self.device))
        self.tokenizer, self._body, config, ends = self._loaded(path)
        self.dtype = self._body.dtype
        self.context = int(config["max_position_embeddings"])
        self._softcap: float | None = config.get("final_logit_softcapping")
        self._head = self._body.head()
        self.end_ids = frozenset(number for number in (*ends, self.tokenizer.eos_token_id) if number is not None)
        self.vocabulary = Vocabulary(self.tokenizer, self.end_ids, size=len(self._head))
        self._chat = ChatTokens(self.tokenizer, self.vocabulary)
        for name, folder in (adapters or {}).items():
            self._body.load_adapter(name, folder)

    def _loaded(self, path: Path) -> tuple[Any, Body, Mapping[str, Any], Sequence[int]]:
        """The tokenizer, the body, the text part of config.json, and the tokens that end an answer."""
        if self.format == "int8":
            return _load_integers(path, self.device)
        from medner.agents.engines.local.floating.body import TransformersBody  # noqa: PLC0415
        from medner.agents.engines.local.loading import load  # noqa: PLC0415  transformers takes seconds

        dtype = DTYPES[self.format]
        tokenizer, model = load(path, dtype=dtype)
        body = TransformersBody(model, path=path, dtype=dtype, device=self.device)
        ends = _as_list(getattr(model.generation_config, "eos_token_id", None))
        return tokenizer, body, model.config.get_text_config().to_dict(), ends

    def load_adapter(self, name: str, folder: Path) -> None:
        """Loads a further adapter; UserError when the folder holds none that fits."""
        self._body.load_adapter(name, folder)

    @property
    def adapters(self) -> tuple[str, ...]:
        """The names of the loaded adapters."""
        return self._body.adapters

    @property
    def layers(self) -> int:
        """How many layers the model has."""
        return self._body.cache_shape.layers

    def new_cache(self, capacity: int = 256) -> RowCache:
        """An empty cache for one row."""
        return RowCache(self._body.cache_shape, dtype=self.dtype, device=self.device, capacity=capacity)

    def whole_row_cache(self, tokens: int) -> RowCache | None:
        """What a row of so many tokens needs that is run once and whole: a cache, or nothing."""
        return self.new_cache(tokens) if self._body.needs_caches else None

    def prompt(self, messages: Sequence[Message]) -> tuple[list[int], int]:
        """A chat's tokens, ready for the answer, and how many of them stay the same for every last message."""
        whole = self._chat.prompt(messages)
        shared = 0
        for ours, theirs in zip(self._chat.prompt(messages, before_last=True), whole[:-1], strict=False):
            if ours != theirs:
                break
            shared += 1
        return whole, shared

    def hidden(self, tokens: Sequence[int], segments: Sequence[RowSegment]) -> torch.Tensor:
        """The last hidden states [tokens, width] of a packed pass; writes the rows' caches."""
        return self._body.run(tokens, segments)

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
        rough = functional.linear(hidden_W.to(self._head.dtype), self._head)
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


def best_format(path: Path, device: torch.device) -> Format:
    """The fastest format of this machine that a model can be computed in."""
    # Asked again, whatever was measured: a home folder may be used on several machines.
    able = body_shape(_config(path)) is not None and is_exact()
    return next(name for name in formats_by_speed(device) if able or name != "int8")


def _config(path: Path) -> dict[str, Any]:
    """config.json; nothing where it cannot be read: the loading says why."""
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def _load_integers(path: Path, device: torch.device) -> tuple[Any, Body, Mapping[str, Any], Sequence[int]]:
    from medner.agents.engines.local.tokenizer_file import TokenizerFile  # noqa: PLC0415  heavy

    if device.type != "cpu" or not is_exact():
        raise UserError(
            "int8 needs a processor with exact integer kernels (VNNI or AMX); leave --dtype out, or take bf16"
        )
    config = _config(path)
    shape = body_shape(config)
    if shape is None:
        raise UserError(f"{path}: int8 computes models of the families {', '.join(FAMILIES)}; take --dtype bf16")
    tokenizer = TokenizerFile(path)
    if not tokenizer.chat_template:
        raise UserError(
            f"{path}: the local engine cannot run this model: its tokenizer has no chat template; take the "
            "instruction-tuned (chat) variant of the model"
        )
    body = IntegerBody(path, shape, kept=cache_folder() / KEPT)
    return tokenizer, body, config, _as_list(_generation(path).get("eos_token_id", config.get("eos_token_id")))


def _generation(path: Path) -> dict[str, Any]:
    """generation_config.json; nothing where there is none. UserError when it is damaged."""
    file = path / "generation_config.json"
    if not file.is_file():
        return {}
    try:
        settings: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{file}: is no JSON ({WAY_OUT})") from error
    return settings


def _as_list(value: Any) -> list[int]:
    return [*value] if isinstance(value, list) else [] if value is None else [value]
