"""Vectors of entities in their context: the mean of a language model's last hidden states over the entity's tokens."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from medner.agents.engines.engine import Encoder
from medner.core.errors import UserError
from medner.core.files.hashing import sha256_of
from medner.core.records import Span
from medner.store.models import MANIFEST, read_manifest
from medner.store.models.model_files import WEIGHTS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Kind = Literal["llm", "sentence-transformers"]

#: Stands before every text: a causal model's state of a row's first token says nothing about the token.
LEAD = "病历："


@dataclass(frozen=True, slots=True)
class Origin:
    """What made some vectors; those of different origins cannot be compared.

    ``sha256`` is of the model's weights and tokenizer, so the model may be called or lie otherwise.
    """

    kind: Kind
    name: str
    sha256: str


class Embedder(Protocol):
    """Gives entities vectors that are near one another where the entities are alike."""

    @property
    def origin(self) -> Origin:
        """What the vectors depend on."""
        ...

    async def embed(self, text: str, spans: Sequence[Span]) -> NDArray[np.float32]:
        """A vector of length 1 for each span of the text, [spans, width].

        Raises what the model's engine raises, UserError for a text that is too long for it.
        """
        ...


@dataclass(frozen=True, slots=True)
class EncoderEmbedder:
    """Vectors out of the local language model."""

    encoder: Encoder
    origin: Origin

    async def embed(self, text: str, spans: Sequence[Span]) -> NDArray[np.float32]:
        """The normalised mean of the last hidden states of the tokens that hold a span's bytes, for each span."""
        lead = self.encoder.tokens(LEAD)
        placed = place_tokens(self.encoder, text)
        stretches = [placed.stretch(text, span) for span in spans]
        # Causal attention: what follows the last entity changes nothing.
        needed = max(end for _, end in stretches)
        hidden = await self.encoder.encode([*lead, *placed.tokens[:needed]], shared=len(lead))
        return unit_rows([hidden[start:end].mean(dim=0).numpy() for start, end in stretches])


@dataclass(frozen=True, slots=True)
class PlacedTokens:
    """A text's tokens, each with the bytes of the text it belongs to, [start, end) in UTF-8."""

    tokens: tuple[int, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def stretch(self, text: str, span: Span) -> tuple[int, int]:
        """The tokens that hold a byte of the span, [start, end), at least one; UserError when the text has none."""
        first = len(_utf8(text[: span.start]))
        beyond = first + len(_utf8(text[span.start : span.end]))
        start, end = bisect_right(self.ends, first), bisect_left(self.starts, beyond)
        if not self.tokens:
            raise UserError(f"the model's tokenizer has no token for {text!r}")
        # A tokenizer may drop characters; then the token before stands for them.
        return (start, end) if start < end else (max(0, end - 1), max(1, end))


def place_tokens(encoder: Encoder, text: str) -> PlacedTokens:
    """The tokens of a text with their places.

    They are the model's own where they spell the text. A tokenizer that normalises may spell another one; then each
    character is tokenized alone, so that every token still has its place.
    """
    tokens = encoder.tokens(text)
    try:
        spelt = [encoder.token_bytes(token) for token in tokens]
    except KeyError:  # an unknown-character token has no bytes
        spelt = []
    if b"".join(spelt) == _utf8(text):
        ends = tuple(accumulate(map(len, spelt)))
        return PlacedTokens(tuple(tokens), tuple(end - len(one) for end, one in zip(ends, spelt, strict=True)), ends)
    rows: list[tuple[int, int, int]] = []
    at = 0
    for char in text:
        beyond = at + len(_utf8(char))
        rows += [(token, at, beyond) for token in encoder.tokens(char)]
        at = beyond
    return PlacedTokens(tuple(row[0] for row in rows), tuple(row[1] for row in rows), tuple(row[2] for row in rows))


def unit_rows(vectors: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The vectors as rows of length 1, [vectors, width]; a vector of zeros stays one."""
    import numpy as np  # noqa: PLC0415  heavy

    rows_NW = np.stack(vectors).astype(np.float32)
    lengths = np.linalg.norm(rows_NW, axis=1, keepdims=True)
    return (rows_NW / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def origin_of(kind: Kind, name: str, folder: Path) -> Origin:
    """The origin of what a model in a folder makes. UserError when the folder holds no safetensors weights."""
    if (folder / MANIFEST).is_file():
        known = {path: record.sha256 for path, record in read_manifest(folder).files.items()}
    else:
        known = {}
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    taken = [one for one in names if one.endswith(WEIGHTS) or one == "tokenizer.json"]
    if not any(one.endswith(WEIGHTS) for one in taken):
        raise UserError(f"{folder}: holds no model in the safetensors layout (no *{WEIGHTS} file)")
    lines = [f"{one} {known.get(one) or sha256_of(folder / one)}\n" for one in taken]
    return Origin(kind, name, _sha256("".join(lines)))


def _sha256(text: str) -> str:
    import hashlib  # noqa: PLC0415

    return hashlib.sha256(_utf8(text)).hexdigest()


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
