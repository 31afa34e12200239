"""Copy-constrained draft-and-verify decoding, as pure logic: no tensors, no model.

A :class:`AnswerRow` is one answer in the making. For each forward pass it gives the tokens to run (those not yet run,
then a draft), the model says which allowed token it likes best after each of them, and the row keeps the draft as far
as the model agrees, plus the model's own token at the first place where it does not. What comes out is exactly what
token-by-token constrained greedy decoding gives, in fewer passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from medner.agents.engines.local.vocabulary import Vocabulary
from medner.agents.strategies.automaton import Automaton, State

#: What the model is asked after one token: the ids it may choose from, sorted. Empty: anything.
Question = tuple[int, ...]

#: How many bytes a draft looks ahead. No pass runs as many tokens as these hold, and a guess to the end of a long
#: sentence in every pass would cost time that grows with its square.
HORIZON = 512


class Constraint:
    """An automaton with a vocabulary: allowed tokens by state, kept."""

    def __init__(self, automaton: Automaton, vocabulary: Vocabulary) -> None:
        self.automaton = automaton
        self.vocabulary = vocabulary
        self._known: dict[State, tuple[Question, dict[int, State]]] = {}

    def options(self, state: State) -> tuple[Question, dict[int, State]]:
        """The ids that may follow, sorted (an end token where the answer may end), and the state after each."""
        known = self._known.get(state)
        if known is None:
            after = self.vocabulary.allowed(self.automaton, state)
            ends = self.vocabulary.end_ids if self.automaton.is_final(state) else frozenset[int]()
            known = (tuple(sorted((*after, *ends))), after)
            if not known[0]:
                # An empty question would allow anything.
                raise ValueError(f"{type(self.automaton.graph).__name__} leads to where nothing may follow")
            self._known[state] = known
        return known

    def draft(self, state: State, hints: Hints, doubt: float, longest: int) -> list[int]:
        """At most ``longest`` tokens that probably follow: what is forced, then the graph's own guess with the hints.

        The draft ends where the chance that the model agrees with all of it falls below ``doubt``.
        """
        automaton = self.automaton
        forced = bytearray()
        here: State | None = state
        while here is not None and len(forced) < HORIZON and not automaton.is_final(here):
            choices = automaton.next_bytes(here)
            if len(choices) != 1:
                break
            (byte,) = choices
            forced.append(byte)
            here = automaton.step(here, byte)
        guess = b"" if here is None else hints.guess(automaton, here, HORIZON - len(forced))
        chance, at = 1.0, state
        tokens: list[int] = []
        for token in self._canonical(bytes(forced) + guess)[:longest]:
            question, following = self.options(at)
            after = following.get(token)
            if after is None:
                break
            if len(question) > 1:
                chance *= hints.trust(at, token)
            if chance < doubt:
                break
            tokens.append(token)
            at = after
        return tokens

    def _canonical(self, data: bytes) -> list[int]:
        """The tokenizer's tokens of some bytes; the tail of a character begun before them is spelt first."""
        head = 0
        while head < len(data) and 0x80 <= data[head] < 0xC0:
            head += 1
        # Lone surrogates and a character cut at the end cannot be tokenized; without them the draft is only shorter.
        text = data[head:].decode("utf-8", "ignore")
        return self.vocabulary.spell(data[:head]) + (self.vocabulary.encode(text) if text else [])


@dataclass(slots=True)
class Hints:
    """What earlier passes of the same answer tell about the rest of it.

    When a draft fails at one bracket, what the model said behind that place is not used, but it is very probably
    right about the next brackets. ``said`` keeps the token it chose at each state; ``marks`` the bytes it wanted
    where the draft had others.
    """

    said: dict[State, int] = field(default_factory=dict)
    marks: dict[State, bytes] = field(default_factory=dict)

    #: How often the model agrees with a drafted token: one it has said at this state before, said otherwise, or was
    #: never asked about. Rough figures from benchmarks/decoding.py; they steer the length of drafts, never an answer.
    SAID, DENIED, UNKNOWN = 0.98, 0.3, 0.95

    def trust(self, state: State, token: int) -> float:
        """How probable it is that the model agrees with ``token``."""
        said = self.said.get(state)
        if said is None:
            return self.UNKNOWN
        return self.SAID if said == token else self.DENIED

    def note(self, constraint: Constraint, state: State, wanted: int, drafted: int) -> None:
        """Keeps what the model wanted at a state where ``drafted`` stood in the draft."""
        self.said[state] = wanted
        mark, plain = constraint.vocabulary.data(wanted), constraint.vocabulary.data(drafted)
        if mark == plain:  # sentence-piece tokenizers may have two tokens of the same bytes
            return
        if not plain.startswith(mark):
            self.marks[state] = mark
            return
        # The model stopped inside the drafted token: something else than copying comes there.
        inside = constraint.automaton.walk(state, mark)
        others = [] if inside is None else constraint.automaton.next_bytes(inside) - {plain[len(mark)]}
        if inside is not None and len(others) == 1:
            self.marks[inside] = bytes(others)

    def guess(self, automaton: Automaton, state: State, length: int) -> bytes:
        """The graph's draft with the marks put in where they apply, to about ``length`` bytes."""
        found = bytearray()
        here: State | None = state
        plain, at = automaton.draft(state), 0
        while here is not None and at < len(plain) and len(found) < length:
            mark = self.marks.get(here)
            marked = None if mark is None else automaton.walk(here, mark)
            if mark is not None and marked is not None:
                found += mark
                plain, at, here = automaton.draft(marked), 0, marked
                continue
            found.append(plain[at])
            here = automaton.step(here, plain[at])
            at += 1
        return bytes(found)


class AnswerRow:
    """One answer in the making.

    ``ids`` are prompt and answer so far; ``in_cache`` counts how many of them the model has already run. A free row
    (no constraint) has questions that allow anything and no drafts.
    """

    def __init__(
        self,
        prompt: Sequence[int],
        constraint: Constraint | None,
        *,
        end_ids: frozenset[int],
        max_tokens: int,
        drafting: bool = True,
    ) -> None:
        self.ids = list(prompt)
        self.prompt_length = len(self.ids)
        self.in_cache = 0
        self.done = False
        self.truncated = False
        self.passes = 0
        self.drafted = 0
        self._constraint = constraint
        self._state = None if constraint is None else constraint.automaton.start
        self._end_ids = end_ids
        self._max_tokens = max_tokens
        self._drafting = drafting
        self._draft: list[int] = []
        self._path: list[State] = []
        self._hints = Hints()

    @property
    def answer(self) -> list[int]:
        """The answer's tokens so far, without an end token."""
        return self.ids[self.prompt_length :]

    def _room(self) -> int:
        return self._max_tokens - (len(self.ids) - self.prompt_length)

    def next_input(self, doubt: float) -> list[int]:
        """The tokens of the next pass: those not run yet, then a draft as long as it is trusted more than ``doubt``."""
        self._draft = []
        if self._constraint is not None and self._state is not None:
            if self._drafting:
                self._draft = self._constraint.draft(self._state, self._hints, doubt, self._room() - 1)
            self._path = [self._state]
            for token in self._draft:
                self._path.append(self._constraint.options(self._path[-1])[1][token])
        return self.ids[self.in_cache :] + self._draft

    def questions(self) -> list[Question]:
        """What to ask after the last known token and after each drafted one."""
        if self._constraint is None:
            return [()]
        return [self._constraint.options(state)[0] for state in self._path]

    def take(self, chosen: Sequence[int]) -> None:
        """Takes the model's choices: one for each question of this pass."""
        self.passes += 1
        self.drafted += len(self._draft)
        self.in_cache = len(self.ids)
        for place, token in enumerate(chosen):
            agreed = place < len(self._draft) and self._draft[place] == token
            self._append(token, place)
            if self.done or not agreed:
                break
            self.in_cache += 1
        if not self.done:
            self._learn(chosen)

    def _append(self, token: int, place: int) -> None:
        if token in self._end_ids:
            self.done = True
            return
        self.ids.append(token)
        if self._constraint is not None:
            self._state = self._constraint.options(self._path[place])[1][token]
        if self._room() <= 0:
            self.done = self.truncated = True

    def _learn(self, chosen: Sequence[int]) -> None:
        """Keeps what the model wanted at the drafted places, also behind the first refusal."""
        if self._constraint is None:
            return
        for place, token in enumerate(chosen[: len(self._draft)]):
            if token not in self._end_ids:
                self._hints.note(self._constraint, self._path[place], token, self._draft[place])
