"""Vectors of entities out of a sentence-transformers model instead of the language model."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medner.agents.exemplars.embedding import Origin, origin_of, unit_rows
from medner.core.errors import UserError
from medner.core.records import Span

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class SentenceTransformerEmbedder:
    """The normalised mean of the model's token embeddings over an entity's tokens, in its sentence.

    Not safe to call from several threads; calls from one event loop wait for one another.
    """

    def __init__(self, model: Any, origin: Origin) -> None:
        self._model = model
        self._origin = origin
        self._one_at_a_time = asyncio.Lock()

    @classmethod
    def load(cls, folder: Path) -> SentenceTransformerEmbedder:
        """The model of a local folder: safetensors only, no code of the model's own, no network.

        UserError when the package is missing or the folder holds no such model.
        """
        origin = origin_of("sentence-transformers", folder.resolve().name, folder)
        try:
            package: Any = import_module("sentence_transformers")
        except ImportError as error:
            raise UserError(
                f"{error.name} is missing: --embedder needs pip install sentence-transformers; without --embedder "
                "the local language model makes the vectors"
            ) from error
        from medner.agents.engines.local.loading import quiet  # noqa: PLC0415  heavy

        try:
            with quiet():
                model = package.SentenceTransformer(
                    str(folder),
                    device="cpu",
                    local_files_only=True,
                    trust_remote_code=False,
                    model_kwargs={"use_safetensors": True},
                )
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            first = str(error).strip().partition("\n")[0]
            raise UserError(f"{folder}: cannot be loaded as a sentence-transformers model: {first}") from error
        if not getattr(model.tokenizer, "is_fast", False):
            raise UserError(f"{folder}: its tokenizer does not tell where its tokens stand (it has no tokenizer.json)")
        return cls(model, origin)

    @property
    def origin(self) -> Origin:
        """The model's name and hash."""
        return self._origin

    async def embed(self, text: str, spans: Sequence[Span]) -> NDArray[np.float32]:
        """A vector of length 1 for each span of the text, [spans, width]."""
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._embed, text, spans)

    def _embed(self, text: str, spans: Sequence[Span]) -> NDArray[np.float32]:
        places, states_TW = self._states(text)
        vectors = []
        for span in spans:
            rows = _rows(places, span)
            if rows:
                vectors.append(states_TW[rows].mean(axis=0))
                continue
            # It lies beyond what the model reads of a text: read from it on.
            cut_places, cut_TW = self._states(text[span.start :])
            rows = _rows(cut_places, Span(0, len(span)))
            if not rows:
                raise UserError(f"{self._origin.name} has no token for {text[span.start : span.end]!r}")
            vectors.append(cut_TW[rows].mean(axis=0))
        return unit_rows(vectors)

    def _states(self, text: str) -> tuple[list[tuple[int, int]], NDArray[np.float32]]:
        """The tokens' places in the text (special ones have none) and their states, [tokens, width]."""
        places = self._model.tokenizer(
            text, return_offsets_mapping=True, truncation=True, max_length=self._model.max_seq_length
        )["offset_mapping"]
        states_TW = self._model.encode(
            text, output_value="token_embeddings", prompt="", show_progress_bar=False, convert_to_numpy=False
        )
        if len(places) != len(states_TW):
            raise UserError(
                f"{self._origin.name} reads {len(states_TW)} tokens where its tokenizer writes {len(places)}: "
                "medner cannot tell which belong to an entity; use another model"
            )
        found: NDArray[np.float32] = states_TW.float().cpu().numpy()
        return [(int(start), int(end)) for start, end in places], found


def _rows(places: Sequence[tuple[int, int]], span: Span) -> list[int]:
    return [row for row, (start, end) in enumerate(places) if start < span.end and span.start < end]
