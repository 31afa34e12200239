"""The efficient GlobalPointer: a score for every start, end and type, with few weights a type.

After Su et al., "Global Pointer: Novel Efficient Span-based Approach for Named Entity Recognition" (2022): one scoring
of spans that all types share, plus a bias a type for the start and for the end.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from medner.agents.taggers.spans.alignment import PLACES
from medner.core.errors import UserError

WEIGHTS = "span_head.safetensors"


@dataclass(frozen=True, slots=True)
class SpanShape:
    """Sizes of a head: ``width`` of the model's states, ``inner`` of a character's, ``size`` of a pointer."""

    width: int
    types: int
    inner: int = 256
    size: int = 64


class SpanHead(nn.Module):
    """Scores of spans from the hidden states of a sentence's tokens; a positive score means an entity."""

    def __init__(self, shape: SpanShape) -> None:
        super().__init__()
        self.shape = shape
        self.norm = nn.LayerNorm(shape.width)
        self.inner = nn.Linear(shape.width, shape.inner)
        # A character's state is its token's, scaled and shifted by where in the token it stands.
        self.place = nn.Embedding(PLACES, 2 * shape.inner)
        self.pointers = nn.Linear(shape.inner, 2 * shape.size)
        self.biases = nn.Linear(shape.inner, 2 * shape.types)
        nn.init.normal_(self.place.weight, std=0.02)

    def forward(self, hidden_BTW: torch.Tensor, token_BC: torch.Tensor, place_BC: torch.Tensor) -> torch.Tensor:
        """Scores [B, types, start, end] of all pairs of characters, from the tokens' states.

        ``token`` says which token holds a character, ``place`` where in it
        (:mod:`medner.agents.taggers.spans.alignment`). Pairs whose end lies before their start are scored
        too, and mean nothing.
        """
        return self.scores(self.inner(self.norm(hidden_BTW.float())), token_BC, place_BC)

    @torch.inference_mode()
    def token_states(self, hidden_TW: torch.Tensor) -> torch.Tensor:
        """What the head makes of each token by itself [tokens, inner]; servers send this for hidden states."""
        states: torch.Tensor = self.inner(self.norm(hidden_TW.float()))
        return states

    def scores(self, states_BTI: torch.Tensor, token_BC: torch.Tensor, place_BC: torch.Tensor) -> torch.Tensor:
        """The scores of :meth:`forward` from the tokens' states (:meth:`token_states`)."""
        index = token_BC.unsqueeze(-1).expand(-1, -1, self.shape.inner)
        scale_BCI, shift_BCI = self.place(place_BC).chunk(2, dim=-1)
        chars_BCI = functional.gelu(states_BTI.gather(1, index) * (1 + scale_BCI) + shift_BCI)
        starts_BCS, ends_BCS = self.pointers(chars_BCI).chunk(2, dim=-1)
        shared_BCC = _rotated(starts_BCS) @ _rotated(ends_BCS).transpose(1, 2) / self.shape.size**0.5
        start_BCY, end_BCY = self.biases(chars_BCI).chunk(2, dim=-1)
        scores: torch.Tensor = (
            shared_BCC.unsqueeze(1) + start_BCY.transpose(1, 2).unsqueeze(3) + end_BCY.transpose(1, 2).unsqueeze(2)
        )
        return scores

    def save(self, folder: Path) -> None:
        """Writes the weights and the shape to a folder."""
        from safetensors.torch import save_file  # noqa: PLC0415  heavy

        shape = {"shape": json.dumps(asdict(self.shape))}
        save_file({name: value.contiguous() for name, value in self.state_dict().items()}, folder / WEIGHTS, shape)


def load_head(folder: Path) -> SpanHead:
    """The head of a folder, ready to score. UserError when there is none or it is damaged."""
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415  heavy

    path = folder / WEIGHTS
    if not path.is_file():
        raise UserError(f"{folder} holds no {WEIGHTS}: it is not a span tagger")
    try:
        with safe_open(path, framework="pt") as file:
            shape = SpanShape(**json.loads((file.metadata() or {})["shape"]))
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
        head = SpanHead(shape)
        head.load_state_dict(weights)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{path} is damaged: {str(error).partition(chr(10))[0]}") from error
    return head.eval()


@lru_cache(maxsize=512)
def _angles(count: int, size: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Sines and cosines of the rotary positions, [count, size / 2] each."""
    with torch.inference_mode(mode=False):
        rates = 10_000 ** (-torch.arange(0, size, 2, device=device, dtype=torch.float32) / size)
        angles = torch.arange(count, device=device, dtype=torch.float32).unsqueeze(1) * rates
        return angles.sin(), angles.cos()


def _rotated(states_BCS: torch.Tensor) -> torch.Tensor:
    """Rotary positions, so that a product of two states knows how far apart they stand."""
    sines, cosines = _angles(states_BCS.shape[1], states_BCS.shape[2], states_BCS.device)
    even, odd = states_BCS[..., 0::2], states_BCS[..., 1::2]
    return torch.stack([even * cosines - odd * sines, even * sines + odd * cosines], dim=-1).flatten(2)
