"""A base model with its adapters, loaded for packed passes."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from medner.agents.engines.local.adapters import Adapters
from medner.agents.engines.local.decoding import Question
from medner.agents.engines.local.packed import ATTENTION, KeyValueShape, PackedPass, RowCache, Segment, packed_attention
from medner.agents.engines.local.prepacked import can_prepack, prepack
from medner.agents.engines.local.vocabulary import Vocabulary
from medner.agents.prompts.messages import Message
from medner.store.errors import ExternalError

#: Stands for the sentence while a prompt's fixed part is cut out; a private-use character no note holds.
_PLACE = "\ue1a7"


#: The whole vocabulary is too much to score in float64.
MANY_TOKENS = 8_192


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


class LocalModel:
    """A causal language model in this process: packed passes, in which every row may use another adapter.

    ``adapters`` maps names to folders in PEFT's format (safetensors). Not safe for concurrent use: one thread runs it.
    """

    def __init__(
        self,
        path: Path,
        adapters: Mapping[str, Path] | None = None,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
    ) -> None:
        from transformers import AttentionInterface, AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415  heavy

        AttentionInterface.register(ATTENTION, packed_attention)
        self.device = device or pick_device()
        self.dtype = dtype or pick_dtype(self.device)
        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(path, local_files_only=True)
            model: Any = AutoModelForCausalLM.from_pretrained(
                path, dtype=self.dtype, local_files_only=True, attn_implementation=ATTENTION, use_safetensors=True
            )
        except (OSError, ValueError) as error:
            raise ExternalError(f"{path}: the model cannot be loaded: {error}") from error
        self._model = model.to(self.device).eval()
        self._body = model.model
        self._head = model.get_output_embeddings().weight
        self._softcap = getattr(model.config, "final_logit_softcapping", None)
        config = model.config
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self.shape = KeyValueShape(config.num_hidden_layers, config.num_key_value_heads, size)
        self.context = int(config.max_position_embeddings)
        self.end_ids = _end_ids(model, self.tokenizer)
        self.vocabulary = Vocabulary(self.tokenizer, self.end_ids)
        if can_prepack(self.device, self.dtype):
            prepack(self._body)
        self._adapters = Adapters(model, dtype=self.dtype, device=self.device)
        for name, folder in (adapters or {}).items():
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
        whole = self._ids(messages)
        template = self._render([*messages[:-1], Message(messages[-1].role, _PLACE)])
        fixed = self._pieces(template.partition(_PLACE)[0], [message.content for message in messages[:-1]])
        shared = 0
        for ours, theirs in zip(fixed, whole[:-1], strict=False):
            if ours != theirs:
                break
            shared += 1
        return whole, shared

    def _render(self, messages: Sequence[Message]) -> str:
        chat = [message.as_dict() for message in messages]
        return str(self.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True))

    def _ids(self, messages: Sequence[Message]) -> list[int]:
        return self._pieces(self._render(messages), [message.content for message in messages])

    def _pieces(self, rendered: str, contents: Sequence[str]) -> list[int]:
        """The tokens of a rendered chat; what looks like a control token inside a message stays plain text.

        A note that holds ``<|im_end|>`` must not be able to end its own turn.
        """
        control = self.vocabulary.control_strings
        dangerous = [text for text in contents if any(string in text for string in control)]
        ids: list[int] = []
        for text in dangerous:
            before, found, rendered = rendered.partition(text)
            if not found:  # a template that rewrites its messages
                rendered = before
                continue
            ids += list(self.tokenizer(before, add_special_tokens=False)["input_ids"])
            ids += self.vocabulary.encode(text)
        return ids + list(self.tokenizer(rendered, add_special_tokens=False)["input_ids"])

    @torch.inference_mode()
    def hidden(self, tokens: Sequence[int], segments: Sequence[Segment]) -> torch.Tensor:
        """The last hidden states [tokens, width] of a packed pass; writes the rows' caches."""
        self._adapters.route(stretches(segments))
        packed = PackedPass(segments, device=self.device, dtype=self.dtype)
        ids = torch.tensor([list(tokens)], device=self.device)
        out = self._body(
            input_ids=ids, position_ids=packed.positions(), use_cache=False, attention_mask=None, packed=packed
        )
        hidden: torch.Tensor = out[0][0]
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
            scores = self._scores(hidden_NW[open_rows], self._head[torch.tensor(union, device=self.device)])
            for place, row in enumerate(open_rows):
                allowed = torch.tensor([column[token] for token in questions[row]], device=self.device)
                answers[row] = questions[row][int(scores[place, allowed].argmax())]
        for row in free_rows:
            answers[row] = int(self._scores(hidden_NW[row : row + 1], self._head)[0].argmax())
        return answers

    @torch.inference_mode()
    def scores(self, hidden_W: torch.Tensor, tokens: Sequence[int]) -> list[float]:
        """The logits of some tokens after one hidden state, as floats."""
        weights = self._head[torch.tensor(list(tokens), device=self.device)]
        return [float(score) for score in self._scores(hidden_W.unsqueeze(0), weights)[0]]

    def _scores(self, hidden_NW: torch.Tensor, weights_TW: torch.Tensor) -> torch.Tensor:
        # In float64 the result does not depend on how many states and tokens are scored at once.
        precision = torch.float64 if len(weights_TW) < MANY_TOKENS else torch.float32
        scores = hidden_NW.to(precision) @ weights_TW.to(precision).T
        if self._softcap:
            scores = torch.tanh(scores / self._softcap) * self._softcap
        return scores


def stretches(segments: Sequence[Segment]) -> list[tuple[str, int, int]]:
    """Which tokens of a packed pass belong to which adapter; neighbours with the same one are joined."""
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
    return found


def _end_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    stated = getattr(model.generation_config, "eos_token_id", None)
    ids = [*stated] if isinstance(stated, list) else [stated]
    return frozenset(number for number in (*ids, tokenizer.eos_token_id) if number is not None)
