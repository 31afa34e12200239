"""An encoder of BERT-base's size with a span head in onnxruntime: what a model made for tagging takes.

Its weights are random, because time does not depend on them. A character is a token, so its tokenizer costs nothing
here, which a real one's would. No entity comes of it either: taking entities from its scores is a threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine_sides.encoder_graph import POSITIONS, VOCABULARY
from engine_sides.side import Counts, RefusedError

#: No score of random weights is as high.
_THRESHOLD = 1e6


@dataclass(frozen=True, slots=True)
class Padded:
    """Sentences side by side: ids [rows, tokens], and 0 for tokens, a large negative number for padding."""

    ids: np.ndarray[Any, Any]
    mask: np.ndarray[Any, Any]


class EncoderSide:
    """A graph of :mod:`encoder_graph` in onnxruntime; batches are padded."""

    def __init__(self, model: Path, number_format: str, threads: int, texts: Sequence[str]) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise RefusedError("onnxruntime is missing: pip install 'medner[bench]'") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._texts = sorted(texts, key=len)
        self.facts = {"format": number_format, "onnxruntime": onnxruntime.__version__}

    def run(self, at_a_time: int) -> Counts:
        """Scores all sentences, so many at a time, the short ones first."""
        entities = passes = 0
        for first in range(0, len(self._texts), at_a_time):
            batch = padded(self._texts[first : first + at_a_time])
            (scores,) = self._session.run(["scores"], {"ids": batch.ids, "mask": batch.mask})
            entities += len(np.argwhere(scores >= _THRESHOLD))
            passes += 1
        return Counts(passes, entities)


def padded(texts: Sequence[str]) -> Padded:
    """Sentences as a batch: a token a character, one before and one behind."""
    rows = [[1, *(ord(char) % VOCABULARY for char in text[: POSITIONS - 2]), 2] for text in texts]
    longest = max(map(len, rows))
    ids = np.array([row + [0] * (longest - len(row)) for row in rows], dtype=np.int64)
    lengths = np.array([[len(row)] for row in rows])
    mask = np.where(np.arange(longest) < lengths, 0.0, -1e9).astype(np.float32)
    return Padded(ids, mask[:, None, None, :])
