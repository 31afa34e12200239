"""The walk over a graph of pieces."""

import pytest

from medner.agents.strategies import CODECS, Automaton
from medner.agents.strategies.automaton import State
from medner.core.labels import load_label_set

LABELS = load_label_set("cmeee-v2")


class Two:
    """``ab`` or ``aab``, or ``a`` and then any of them again."""

    def start(self):
        return "start"

    def edges(self, node):
        return [(b"ab", "end"), (b"aab", "end"), (b"a", "start")] if node == "start" else []

    def is_final(self, node):
        return node == "end"

    def draft(self, node):
        return b"ab" if node == "start" else b""


def state_after(automaton: Automaton, data: bytes) -> State:
    """The state after bytes that are legal from the start."""
    state = automaton.walk(automaton.start, data)
    assert state is not None
    return state


def test_pieces_that_begin_alike_are_followed_together():
    """Until the bytes tell them apart."""
    automaton = Automaton(Two())
    assert automaton.accepts("ab")
    assert automaton.accepts("aab")
    assert automaton.accepts("aaaab")
    assert not automaton.accepts("a")
    assert not automaton.accepts("abb")
    assert set(automaton.next_bytes(state_after(automaton, b"a"))) == {ord("a"), ord("b")}


def test_states_are_numbers_that_are_equal_where_the_same_may_follow():
    """Reached another time or another way, they are the same keys."""
    automaton = Automaton(Two())
    assert isinstance(automaton.start, int)
    assert automaton.walk(automaton.start, b"ab") == automaton.walk(automaton.start, b"ab")
    assert automaton.walk(automaton.start, b"ab") != automaton.walk(automaton.start, b"a")
    assert automaton.walk(automaton.start, b"abb") is None
    assert automaton.walk(automaton.start, b"x") is None


def test_a_draft_begins_with_what_is_left_of_a_piece():
    """In the middle of a piece its rest comes first."""
    automaton = Automaton(CODECS["index"].graph("咽痛", LABELS))
    assert automaton.draft(state_after(automaton, b"0:")).decode() == "咽 1:痛"


def test_a_long_piece_costs_no_more_than_its_bytes():
    """Two thousand characters, each of whose states holds the piece and a place in it, not the rest of it."""
    automaton = Automaton(CODECS["index"].graph("咽" * 2_000, LABELS))
    state = state_after(automaton, CODECS["index"].encode("咽" * 2_000, (), LABELS).encode())
    assert automaton.is_final(state)
    assert len({id(piece) for found in automaton._open for piece, _, _ in found if len(piece) > 9}) == 1


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("text", ["", " ", "\n", "咽"])
def test_the_shortest_sentences_have_legal_answers(name, text):
    """An empty one too: no entity is one of them."""
    codec = CODECS[name]
    answer = codec.encode(text, (), LABELS)
    automaton = Automaton(codec.graph(text, LABELS))
    assert automaton.accepts(answer)
    assert codec.decode(text, answer, LABELS).rejected == ()
    assert automaton.walk(automaton.start, automaton.draft(automaton.start)) is not None


@pytest.mark.parametrize("name", CODECS)
def test_lone_surrogates_of_broken_files_are_copied(name):
    """They are code points of the text like any other."""
    text = "咽\ud83d痛"
    codec = CODECS[name]
    answer = codec.encode(text, (), LABELS)
    assert Automaton(codec.graph(text, LABELS)).accepts(answer)
