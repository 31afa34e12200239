"""A running batch: rows join and leave between passes, so no row waits for the slowest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import torch

from medner.agents.engines.local.decoding import AnswerRow
from medner.agents.engines.local.model import LocalModel
from medner.agents.engines.local.packed import RowSegment
from medner.agents.engines.local.row_cache import RowCache

#: A shorter fixed part is cheaper to run again than to keep.
SHORTEST_KEPT_PREFIX = 8
KEPT_PREFIXES = 16


@dataclass(slots=True, eq=False)
class Decoding:
    """A row with its cache. ``shared`` counts the prompt tokens that other prompts begin with as well."""

    row: AnswerRow
    shared: int
    cache: RowCache
    adapter: str | None


@dataclass(slots=True, eq=False)
class Choosing:
    """A prompt after which only some first tokens are compared; ``scores`` are their logits, once known."""

    prompt: list[int]
    shared: int
    options: tuple[int, ...]
    cache: RowCache
    adapter: str | None
    scores: list[float] = field(default_factory=list)
    in_cache: int = 0


@dataclass(slots=True, eq=False)
class EncodingRow:
    """Tokens whose hidden states are asked for; ``hidden`` are those behind the ``shared`` first ones, once known.

    ``cache`` may be None where nothing is shared.
    """

    prompt: list[int]
    shared: int
    cache: RowCache | None
    adapter: str | None
    two_way_from: int | None
    layers: int | None = None
    in_cache: int = 0
    hidden: torch.Tensor | None = None


Work = Decoding | Choosing | EncodingRow


#: A pass costs what these many tokens cost, however few it runs: the weights are read once.
PASS_IN_TOKENS = 35
#: Tokens an answer gains in a pass, roughly.
GAIN = 10


def draft_doubt(rows: int) -> float:
    """How unlikely a drafted token may be in a pass of ``rows`` rows.

    An accepted token saves its share of a later pass. With few rows a pass is mostly fixed cost, so that even an
    unlikely token is worth a try; with many, a token costs nearly as much as it may save.
    """
    return 1 / (1 + PASS_IN_TOKENS / (rows * GAIN))


#: Adapter, first two-way layer, number of layers, tokens.
_PrefixKey = tuple[str | None, int | None, int | None, tuple[int, ...]]


class Batch:
    """The work under way. One thread runs it."""

    def __init__(self, model: LocalModel) -> None:
        self.model = model
        self.work: list[Work] = []
        self.passes = 0
        self.tokens = 0
        self._prefixes: OrderedDict[_PrefixKey, RowCache] = OrderedDict()

    def add(self, work: Work) -> None:
        """Takes a piece of work in; its prompt's fixed part is copied from an earlier one where there is one."""
        prompt = work.row.ids if isinstance(work, Decoding) else work.prompt
        two_way_from = work.two_way_from if isinstance(work, EncodingRow) else None
        # Shared tokens that look both ways must be run without the rest, however few they are.
        if work.cache is not None and work.shared >= (SHORTEST_KEPT_PREFIX if two_way_from is None else 1):
            layers = work.layers if isinstance(work, EncodingRow) else None
            prefix = self._prefix((work.adapter, two_way_from, layers, tuple(prompt[: work.shared])))
            work.cache.begin_with(prefix, work.shared)
            if isinstance(work, Decoding):
                work.row.in_cache = work.shared
            else:
                work.in_cache = work.shared
        self.work.append(work)
        # An adapter's rows stand together, so that it is applied to all of them at once.
        self.work.sort(key=lambda one: one.adapter or "")

    def _prefix(self, key: _PrefixKey) -> RowCache:
        adapter, two_way_from, layers, ids = key
        kept = self._prefixes.get(key)
        if kept is None:
            cache = self.model.new_cache(len(ids))
            self.model.hidden(ids, [RowSegment(cache, 0, len(ids), adapter, two_way_from, layers)])
            self.passes += 1
            self.tokens += len(ids)
            kept = cache
            self._prefixes[key] = kept
        self._prefixes.move_to_end(key)
        while len(self._prefixes) > KEPT_PREFIXES:
            self._prefixes.popitem(last=False)
        return kept

    def step(self) -> list[Work]:
        """Runs one pass and returns the work it finished."""
        doubt = draft_doubt(len(self.work))
        inputs = [self._input(work, doubt) for work in self.work]
        segments = [
            RowSegment(work.cache, _in_cache(work), len(tokens), work.adapter, _two_way_from(work), _layers(work))
            for work, tokens in zip(self.work, inputs, strict=True)
        ]
        hidden = self.model.hidden([token for tokens in inputs for token in tokens], segments)
        self.passes += 1
        self.tokens += len(hidden)
        ends = list(accumulate(len(tokens) for tokens in inputs))
        self._answer_rows(hidden, ends)
        for work, end in zip(self.work, ends, strict=True):
            if isinstance(work, Choosing):
                work.scores = self.model.scores(hidden[end - 1], work.options)
            elif isinstance(work, EncodingRow):
                work.hidden = hidden[end - len(work.prompt) + work.shared : end].float().cpu()
        finished = [work for work in self.work if not isinstance(work, Decoding) or work.row.done]
        self.work = [work for work in self.work if isinstance(work, Decoding) and not work.row.done]
        return finished

    @staticmethod
    def _input(work: Work, doubt: float) -> list[int]:
        return work.row.next_input(doubt) if isinstance(work, Decoding) else work.prompt[work.in_cache :]

    def _answer_rows(self, hidden: torch.Tensor, ends: Sequence[int]) -> None:
        """Asks all rows' questions at once and hands each row its answers."""
        places: list[int] = []
        questions: list[tuple[int, ...]] = []
        shares: list[tuple[AnswerRow, int]] = []
        for work, end in zip(self.work, ends, strict=True):
            if isinstance(work, Decoding):
                asked = work.row.questions()
                places += range(end - len(asked), end)
                questions += asked
                shares.append((work.row, len(asked)))
        chosen = self.model.best(hidden[places], questions)
        at = 0
        for row, count in shares:
            row.take(chosen[at : at + count])
            at += count


def _two_way_from(work: Work) -> int | None:
    # What stands behind shared tokens sees only what is before it.
    return work.two_way_from if isinstance(work, EncodingRow) and not work.in_cache else None


def _layers(work: Work) -> int | None:
    return work.layers if isinstance(work, EncodingRow) else None


def _in_cache(work: Work) -> int:
    return work.row.in_cache if isinstance(work, Decoding) else work.in_cache
