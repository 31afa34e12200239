"""A sentence and many of its candidates in one row, so that the sentence is run once (causal attention).

Row: the sentence's tokens, then each candidate's. A candidate sees the sentence and itself, and its positions go on
from the sentence's end, so that a row gives exactly what each candidate alone behind the sentence would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch

from medner.agents.prompts.filter import candidate_part, sentence_part
from medner.core.labels import LabelSet
from medner.training.filters.negatives import LabelledCandidate

#: A text's tokens, no control tokens among them.
Tokens = Callable[[str], list[int]]
#: Tokens in a row, at most.
LONGEST_ROW = 512


@dataclass(frozen=True, slots=True)
class PackedRow:
    """A sentence's tokens, those of each candidate, and what is known of the candidates (1.0 right, 0.0 wrong)."""

    sentence: tuple[int, ...]
    candidates: tuple[tuple[int, ...], ...]
    targets: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.sentence) + sum(map(len, self.candidates))


@dataclass(frozen=True, slots=True, eq=False)
class PackedBatch:
    """Rows as tensors.

    ``parts_BT`` numbers what a token belongs to: 0 the sentence, n the nth candidate, -1 padding. ``last_N2`` are
    row and place of each candidate's last token, in the order of ``targets_N``.
    """

    ids_BT: torch.Tensor  # noqa: N815
    positions_BT: torch.Tensor  # noqa: N815
    parts_BT: torch.Tensor  # noqa: N815
    last_N2: torch.Tensor  # noqa: N815
    targets_N: torch.Tensor  # noqa: N815

    def seen_BTT(self) -> torch.Tensor:  # noqa: N802  a tensor's shape stands in its name
        """Which query may look at which key: earlier ones of the sentence or of the same candidate."""
        order = torch.arange(self.ids_BT.shape[1], device=self.ids_BT.device)
        earlier = order[None, :] <= order[:, None]
        keys, queries = self.parts_BT[:, None, :], self.parts_BT[:, :, None]
        return earlier & ((keys == 0) | (keys == queries))

    def two_way_BTT(self) -> torch.Tensor:  # noqa: N802
        """The same, but the sentence's tokens also look at those of the sentence behind them."""
        sentence = self.parts_BT == 0
        return self.seen_BTT() | (sentence[:, None, :] & sentence[:, :, None])


def packed_rows(
    tokens: Tokens, judged: Iterable[LabelledCandidate], labels: LabelSet, *, longest: int = LONGEST_ROW
) -> list[PackedRow]:
    """The candidates in rows, those of a sentence together as far as ``longest`` tokens hold them.

    The order of the rows is that of each sentence's first candidate, and candidates keep theirs.
    """
    by_sentence: dict[str, list[LabelledCandidate]] = {}
    for one in judged:
        by_sentence.setdefault(one.sentence, []).append(one)
    rows: list[PackedRow] = []
    for text, group in by_sentence.items():
        head = tuple(tokens(sentence_part(text)))
        parts = [(tuple(tokens(candidate_part(text, one.entity, labels))), float(one.right)) for one in group]
        rows += split_rows(head, parts, longest)
    return rows


def split_rows(
    head: tuple[int, ...], parts: Sequence[tuple[tuple[int, ...], float]], longest: int
) -> Iterator[PackedRow]:
    """Candidates (tokens, target) behind what they share, in as few rows of ``longest`` tokens as hold them."""
    taken: list[tuple[tuple[int, ...], float]] = []
    size = len(head)
    for part in parts:
        if taken and size + len(part[0]) > longest:
            yield _row(head, taken)
            taken, size = [], len(head)
        taken.append(part)
        size += len(part[0])
    yield _row(head, taken)


def _row(head: tuple[int, ...], parts: Sequence[tuple[tuple[int, ...], float]]) -> PackedRow:
    return PackedRow(head, tuple(ids for ids, _ in parts), tuple(target for _, target in parts))


def packed_batch(rows: Sequence[PackedRow], *, device: torch.device | None = None) -> PackedBatch:
    """The rows as tensors, padded on the right."""
    longest = max(map(len, rows))
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    positions = torch.zeros_like(ids)
    parts = torch.full_like(ids, -1)
    last: list[tuple[int, int]] = []
    for number, row in enumerate(rows):
        at = 0
        for part, piece in enumerate((row.sentence, *row.candidates)):
            end = at + len(piece)
            first = len(row.sentence) if part else 0
            ids[number, at:end] = torch.tensor(piece)
            positions[number, at:end] = torch.arange(first, first + len(piece))
            parts[number, at:end] = part
            if part:
                last.append((number, end - 1))
            at = end
    targets = torch.tensor([target for row in rows for target in row.targets])
    return PackedBatch(*(one.to(device) for one in (ids, positions, parts, torch.tensor(last), targets)))
