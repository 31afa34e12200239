"""Constraints as EBNF grammars, for servers that hold an answer to one (xgrammar's syntax, which vLLM takes).

A server knows nothing of a :class:`PieceGraph`; it gets the legal answers as a grammar with each request. The symbol
strategy's grammar is exactly its graph's language. Those of the others are wider where a grammar of a few rules a
character cannot count: every copy of the sentence in them is faithful and every type is known, but the order of
entities, and which end tag or offset belongs to which entity, is left to the decoder, which refuses what is wrong.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Protocol, runtime_checkable

from medner.agents.strategies.automaton import PieceGraph
from medner.core.errors import UserError

#: A graph without a grammar of its own is written out node by node, up to so many nodes.
MOST_NODES = 4_096

_NAMED = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


@runtime_checkable
class HasGrammar(Protocol):
    """A graph that knows a grammar of its own language, or of a wider one."""

    def grammar(self) -> str:
        """The grammar; its first rule is ``root``."""
        ...


def grammar_of(graph: PieceGraph) -> str:
    """The legal answers as a grammar. UserError for text that UTF-8 cannot carry, and for a graph too large."""
    return graph.grammar() if isinstance(graph, HasGrammar) else written_out(graph)


def written_out(graph: PieceGraph) -> str:
    """A graph as a grammar, a rule a node. UserError when it has more than :data:`MOST_NODES`."""
    names: dict[Hashable, str] = {graph.start(): "root"}
    rules, todo = [], [graph.start()]
    while todo:
        node = todo.pop()
        ways = [""] if graph.is_final(node) else []
        for piece, after in graph.edges(node):
            if after not in names:
                names[after] = f"n{len(names)}"
                todo.append(after)
            ways.append(f"{literal(piece)} {names[after]}")
        if len(names) > MOST_NODES:
            raise UserError(f"this constraint has more than {MOST_NODES} places: too many for a server's grammar")
        rules.append(rule(names[node], ways))
    return "\n".join(sorted(rules, key=lambda line: not line.startswith("root ")))


def rule(name: str, ways: Iterable[str]) -> str:
    """A rule with its alternatives; an empty one is the empty string."""
    return f"{name} ::= " + " | ".join(way or '""' for way in ways)


def literal(piece: bytes | str) -> str:
    """A piece of an answer in quotes. UserError for half of a surrogate pair, which no server can be sent."""
    try:
        text = piece.decode("utf-8") if isinstance(piece, bytes) else piece
        text.encode("utf-8")
    except UnicodeError as error:
        raise UserError("the text holds half of a surrogate pair; it cannot be sent to a server") from error
    return '"' + "".join(_NAMED.get(char) or _char(char) for char in text) + '"'


def _char(char: str) -> str:
    code = ord(char)
    return char if code >= 0x20 and code != 0x7F else f"\\x{code:02x}"


def any_of(names: Sequence[str]) -> str:
    """One of several strings."""
    return "(" + " | ".join(literal(name) for name in names) + ")"


def number_up_to(most: int) -> str:
    """A number from 0 to ``most``, without leading zeros."""
    digits = str(most)
    ways = [_DIGITS] if len(digits) > 1 else [f"[0-{digits}]"]
    ways += ["[1-9]" + " [0-9]" * (length - 1) for length in range(2, len(digits))]
    if len(digits) > 1:
        for at, digit in enumerate(digits):
            low, high = "1" if at == 0 else "0", int(digit) - (at < len(digits) - 1)
            if int(low) <= high:
                before = [f"[{one}]" for one in digits[:at]]
                ways.append(" ".join([*before, f"[{low}-{high}]", *["[0-9]"] * (len(digits) - at - 1)]))
    return "(" + " | ".join(ways) + ")"


_DIGITS = "[0-9]"


def stretches(pieces: Sequence[bytes]) -> list[str]:
    """Rules ``from0``, ``from1`` ... for a stretch that begins at a character, and ``stretch`` for one anywhere.

    ``pieces`` are the characters as an answer writes them; a stretch has at least one.
    """
    count = len(pieces)
    rules = [rule("stretch", [f"from{at}" for at in range(count)])]
    rules += [rule(f"from{at}", [f"{literal(pieces[at])} on{at + 1}"]) for at in range(count)]
    rules += [rule(f"on{at}", ["", f"{literal(pieces[at])} on{at + 1}"]) for at in range(1, count)]
    return [*rules, rule(f"on{count}", [""])]
