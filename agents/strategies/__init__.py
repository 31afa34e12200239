"""The four annotation strategies (§3.1): how entities are written as text, and read back out of it."""

from medner.agents.strategies.automaton import Automaton
from medner.agents.strategies.codec import Codec
from medner.agents.strategies.html import HtmlCodec
from medner.agents.strategies.index import IndexCodec
from medner.agents.strategies.json import JsonCodec
from medner.agents.strategies.symbol import SymbolCodec

CODECS: dict[str, Codec] = {codec.name: codec for codec in (SymbolCodec(), JsonCodec(), HtmlCodec(), IndexCodec())}

__all__ = ["CODECS", "Automaton", "Codec", "HtmlCodec", "IndexCodec", "JsonCodec", "SymbolCodec"]
