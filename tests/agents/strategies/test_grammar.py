"""Grammars for servers: the symbol strategy's is its graph, the others' hold every legal answer.

The grammars are read by a small interpreter here, and by xgrammar itself where it is installed.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Any

import pytest

from medner.agents.strategies import CODECS, Automaton
from medner.agents.strategies.grammar import (
    MOST_NODES,
    HasGrammar,
    grammar_of,
    literal,
    number_up_to,
    rule,
    written_out,
)
from medner.core.errors import UserError
from medner.core.labels import LabelSet, LabelType, load_label_set
from medner.core.records import Entity

LABELS = load_label_set("cmeee-v2")
TWO = LabelSet("two", "两类", (LabelType("a", "甲", ""), LabelType("b", "乙", "")))
TEXTS = ["痛", "咽痛", '他说："[痛]\\"', "<b>😀\n痛</b>", "a\tb\x01c", "痛痛痛"]

TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|\[([^\]]+)\]|(\{\d+,\d+\})|([A-Za-z]\w*)|([()|*])|\s+')
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


#: Kind, text or alternatives, and how often at least and at most.
Part = tuple[str, Any, int, int]


class Reader:
    """Recognises strings by a grammar of the subset that the strategies write: all ends a rule may reach."""

    def __init__(self, grammar: str) -> None:
        self.rules: dict[str, list[list[Part]]] = {}
        for line in grammar.split("\n"):
            name, _, body = line.partition(" ::= ")
            self.rules[name] = self._alternatives(list(self._tokens(body)))

    def _tokens(self, body: str) -> Iterator[tuple[str, str]]:
        at = 0
        while at < len(body):
            found = TOKEN.match(body, at)
            assert found, body[at : at + 20]
            at = found.end()
            for kind, text in zip(("string", "class", "times", "name", "mark"), found.groups(), strict=True):
                if text is not None:
                    yield kind, text

    def _alternatives(self, tokens: list[tuple[str, str]]) -> list[list[Part]]:
        ways: list[list[Part]] = [[]]
        while tokens:
            kind, text = tokens.pop(0)
            if (kind, text) == ("mark", ")"):
                break
            if (kind, text) == ("mark", "|"):
                ways.append([])
            elif (kind, text) == ("mark", "("):
                ways[-1].append(("group", self._alternatives(tokens), 1, 1))
            elif (kind, text) == ("mark", "*"):
                ways[-1][-1] = (*ways[-1][-1][:2], 0, 99)
            elif kind == "times":
                low, high = map(int, text[1:-1].split(","))
                ways[-1][-1] = (*ways[-1][-1][:2], low, high)
            else:
                ways[-1].append((kind, self._unescaped(text) if kind == "string" else text, 1, 1))
        return ways

    def _unescaped(self, text: str) -> str:
        return re.sub(
            r"\\(x[0-9a-f]{2}|.)",
            lambda m: chr(int(m[1][1:], 16)) if m[1][0] == "x" and len(m[1]) == 3 else ESCAPES[m[1]],
            text,
        )

    def accepts(self, answer: str) -> bool:
        return len(answer) in self._ways(self.rules["root"], answer, 0)

    def _ways(self, ways: list[list[Part]], answer: str, at: int) -> set[int]:
        return {end for way in ways for end in self._sequence(way, answer, {at})}

    def _sequence(self, way: list[Part], answer: str, ends: set[int]) -> set[int]:
        for kind, what, low, high in way:
            reached, after = set(ends) if low == 0 else set(), ends
            for count in range(1, high + 1):
                after = {end for at in after for end in self._one(kind, what, answer, at)} - reached
                if count >= low:
                    reached |= after
                if not after:
                    break
            ends = reached
        return ends

    def _one(self, kind: str, what: Any, answer: str, at: int) -> set[int]:
        if kind == "string":
            return {at + len(what)} if answer.startswith(what, at) else set()
        if kind == "class":
            return {at + 1} if at < len(answer) and what[0] <= answer[at] <= what[-1] else set()
        return self._ways(self.rules[what] if kind == "name" else what, answer, at)


def walked(graph, rng: random.Random, most: int = 400) -> str | None:
    """A random legal answer; None when it grew too long."""
    node, written = graph.start(), b""
    while len(written) < most:
        edges = list(graph.edges(node))
        if graph.is_final(node) and (not edges or rng.random() < 0.4):
            return written.decode("utf-8")
        piece, node = rng.choice(edges)
        written += piece
    return None


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("text", TEXTS)
def test_every_legal_answer_is_in_the_grammar(name: str, text: str) -> None:
    """Random walks through the graph are accepted, whatever marks the text itself holds."""
    graph = CODECS[name].graph(text, TWO)
    reader, rng = Reader(grammar_of(graph)), random.Random(7)  # noqa: S311
    answers = {answer for _ in range(60) if (answer := walked(graph, rng)) is not None}
    assert answers
    for answer in answers:
        assert reader.accepts(answer), answer


@pytest.mark.parametrize("name", CODECS)
def test_what_a_codec_writes_is_in_the_grammar(name: str) -> None:
    """Nested entities of the nine types."""
    text = "急性咽炎伴咽痛3天"
    entities = (Entity(0, 4, "dis"), Entity(2, 3, "bod"), Entity(5, 7, "sym"))
    reader = Reader(grammar_of(CODECS[name].graph(text, LABELS)))
    assert reader.accepts(CODECS[name].encode(text, entities, LABELS))
    assert not reader.accepts(CODECS[name].encode("头痛", (Entity(0, 2, "sym"),), LABELS))


@pytest.mark.parametrize("text", ["痛", "咽痛", "[]"])
def test_the_symbol_grammar_is_the_graph(text: str) -> None:
    """Answers with one character changed, dropped or added are legal for both or for neither."""
    graph = CODECS["symbol"].graph(text, TWO)
    assert isinstance(graph, HasGrammar)
    reader, automaton, rng = Reader(graph.grammar()), Automaton(graph), random.Random(3)  # noqa: S311
    legal = 0
    for _ in range(400):
        answer = walked(graph, rng, 90) or ""
        at = rng.randrange(len(answer) + 1)
        changed = answer[:at] + rng.choice(["", "[", "]", "\n", "痛", "甲："]) + answer[at + rng.randrange(2) :]
        assert reader.accepts(changed) == automaton.accepts(changed), changed
        legal += automaton.accepts(changed)
    assert 0 < legal < 400


@pytest.mark.parametrize("name", ["symbol", "html"])
def test_no_unfaithful_copy_is_in_the_grammar(name: str) -> None:
    """A character more, less or another one outside the marks is refused."""
    reader = Reader(grammar_of(CODECS[name].graph("咽痛三天", TWO)))
    good = CODECS[name].encode("咽痛三天", (Entity(0, 2, "a"),), TWO)
    assert reader.accepts(good)
    for bad in (good.replace("三天", "三"), good.replace("三天", "四天"), good + "。"):
        assert not reader.accepts(bad), bad


@pytest.mark.parametrize("most", [0, 7, 9, 10, 42, 99, 100, 257, 2_077])
def test_numbers_end_where_they_should(most: int) -> None:
    """Every number up to the most, none above, no leading zeros."""
    reader = Reader(rule("root", [number_up_to(most)]))
    assert all(reader.accepts(str(number)) for number in range(most + 1))
    assert not any(reader.accepts(str(number)) for number in range(most + 1, 10 * most + 20))
    assert not reader.accepts("00")


class Few:
    """Two options, without a grammar of their own."""

    def start(self):
        return 0

    def edges(self, node):
        return [(b"A", 1), ("咽".encode(), 1)] if node == 0 else []

    def is_final(self, node):
        return node == 1

    def draft(self, node):
        return b""


def test_a_small_graph_is_written_out() -> None:
    """A rule a node; the first is root."""
    grammar = grammar_of(Few())
    assert grammar.startswith("root ::= ")
    reader = Reader(grammar)
    assert reader.accepts("A")
    assert reader.accepts("咽")
    assert not reader.accepts("AA")


def test_a_large_graph_is_refused() -> None:
    """The error says how many places are too many."""

    class Endless(Few):
        def edges(self, node):
            return [(b"A", node + 1)]

    with pytest.raises(UserError, match=str(MOST_NODES)):
        written_out(Endless())


def test_half_a_surrogate_pair_is_refused() -> None:
    """JSON over HTTP cannot carry it."""
    with pytest.raises(UserError, match="surrogate"):
        literal("\ud83d".encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("text", TEXTS)
def test_xgrammar_takes_them(name: str, text: str) -> None:
    """The real compiler and matcher, as a vLLM server runs them."""
    xgrammar = pytest.importorskip("xgrammar", reason="xgrammar is not installed; make test-vllm has it")
    graph = CODECS[name].graph(text, TWO)
    info = xgrammar.TokenizerInfo([bytes([code]) for code in range(256)] + ["</s>"], stop_token_ids=[256])
    compiled = xgrammar.GrammarCompiler(info).compile_grammar(grammar_of(graph))
    rng = random.Random(5)  # noqa: S311
    for answer in {one for _ in range(30) if (one := walked(graph, rng)) is not None}:
        matcher = xgrammar.GrammarMatcher(compiled)
        assert matcher.accept_string(answer), answer
        assert matcher.accept_token(256)
