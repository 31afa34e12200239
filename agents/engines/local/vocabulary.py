"""A tokenizer's vocabulary as byte strings, and which tokens an automaton allows next."""

from __future__ import annotations

import copy
import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from medner.agents.strategies.automaton import Automaton, State
from medner.core.errors import UserError


def _byte_level_alphabet() -> dict[str, int]:
    """The printable stand-ins that byte-level BPE uses for the 256 bytes (GPT-2's table)."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    table = {chr(byte): byte for byte in plain}
    table.update({chr(256 + place): byte for place, byte in enumerate(others)})
    return table


_ALPHABET = _byte_level_alphabet()
_LETTERS = {byte: letter for letter, byte in _ALPHABET.items()}


def _byte_level(token: str) -> bytes | None:
    try:
        return bytes(_ALPHABET[char] for char in token)
    except KeyError:
        return None


_BYTE_TOKEN = re.compile("<0x([0-9A-Fa-f]{2})>")


def _sentence_piece(token: str) -> bytes:
    byte = _BYTE_TOKEN.fullmatch(token)
    if byte is not None:
        return bytes([int(byte[1], 16)])
    return token.replace("▁", " ").encode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True)
class _SortedTokens:
    """The bytes of tokens, sorted, and the tokens' numbers."""

    tokens: list[bytes]
    ids: list[int]


class Vocabulary:
    """The ordinary tokens of a tokenizer (no special ones), by their bytes.

    ``tokenizer`` is a fast tokenizer of transformers, byte-level (Qwen, Llama 3, GLM) or sentence-piece (Gemma).
    ``size`` is how many tokens the model has rows for: a tokenizer may know more. UserError when the tokenizer cannot
    write every byte.
    """

    def __init__(self, tokenizer: Any, end_ids: frozenset[int], *, size: int | None = None) -> None:
        self.end_ids = end_ids
        self._bytes: dict[int, bytes | None] = {}
        #: What the tokenizer would read as control tokens if it stood in a text.
        self.control_strings = frozenset(
            {str(token) for token in tokenizer.all_special_tokens}
            | {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
        )
        # A tokenizer of its own: to switch the reading of control tokens off in a shared one, and on again, would
        # change what another thread reads at that moment.
        self._plain: Any = copy.deepcopy(tokenizer.backend_tokenizer)
        self._plain.encode_special_tokens = True
        self._plain.no_truncation()
        self._plain.no_padding()
        self._read = _byte_level if "ByteLevel" in str(self._plain.decoder) else _sentence_piece
        self._special = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder) | set(end_ids)
        self._size = size
        if not self._writes_every_byte():
            raise UserError(
                "this tokenizer cannot write every byte, so its answers cannot be held to the sentence; "
                "use a model with a byte-level or byte-fallback tokenizer"
            )
        self._adds_space = self.data_of(self._raw("a")).startswith(b" ")

    def _writes_every_byte(self) -> bool:
        """Whether each byte of UTF-8 has a token of its own."""
        found = set()
        for byte in range(256):
            names = [_LETTERS[byte]] if self._read is _byte_level else [f"<0x{byte:02X}>", chr(byte)]
            found |= {self.data_or_none(self._plain.token_to_id(name)) for name in names}
        return {bytes([byte]) for byte in range(0xF5) if byte not in (0xC0, 0xC1)} <= found

    @cached_property
    def _sorted(self) -> _SortedTokens:
        """All tokens in the order of their bytes. It takes a second to make, and only constrained answers need it."""
        pairs = []
        for token, number in self._plain.get_vocab(with_added_tokens=True).items():
            data = self._read(token) if self._is_ordinary(number) else None
            if data:
                pairs.append((data, number))
        pairs.sort()
        return _SortedTokens([data for data, _ in pairs], [number for _, number in pairs])

    def _is_ordinary(self, number: int) -> bool:
        return number not in self._special and (self._size is None or number < self._size)

    def data_or_none(self, token: int | None) -> bytes | None:
        """The token's bytes; None for a control token, or one that there is not."""
        if token is None or not self._is_ordinary(token):
            return None
        if token not in self._bytes:
            name = self._plain.id_to_token(token)
            self._bytes[token] = (None if name is None else self._read(name)) or None
        return self._bytes[token]

    def data(self, token: int) -> bytes:
        """The token's bytes. KeyError for a control token."""
        data = self.data_or_none(token)
        if data is None:
            raise KeyError(token)
        return data

    def data_of(self, tokens: Iterable[int]) -> bytes:
        """The bytes of some tokens; special ones have none."""
        return b"".join(self.data_or_none(token) or b"" for token in tokens)

    def encode(self, text: str) -> list[int]:
        """The tokenizer's own (canonical) tokens of a text, no special ones added or recognised."""
        if not self._adds_space:
            return self._raw(text)
        # Sentence-piece tokenizers of the older kind begin every text with a space of their own.
        ids = self._raw("\n" + text)
        for count in range(1, len(ids)):
            if self.data_of(ids[:count]).lstrip(b" ") == b"\n":
                return ids[count:]
        return self._raw(text)

    def _raw(self, text: str) -> list[int]:
        return list(self._plain.encode(text, add_special_tokens=False).ids)

    def spell(self, data: bytes) -> list[int]:
        """Bytes as single-byte tokens, for the pieces of a character that no tokenizer call can take."""
        table = self._sorted
        return [table.ids[bisect_left(table.tokens, bytes([byte]))] for byte in data]

    def allowed(self, automaton: Automaton, state: State) -> dict[int, State]:
        """Every ordinary token that may follow ``state``, with the state after it."""
        tokens, ids = self._sorted.tokens, self._sorted.ids
        found: dict[int, State] = {}
        stack: list[tuple[State, bytes, int, int]] = [(state, b"", 0, len(tokens))]
        while stack:
            here, prefix, low, high = stack.pop()
            for byte in automaton.next_bytes(here):
                longer = prefix + bytes([byte])
                first = bisect_left(tokens, longer, low, high)
                beyond = prefix + bytes([byte + 1]) if byte < 255 else None
                last = high if beyond is None else bisect_left(tokens, beyond, first, high)
                after = automaton.step(here, byte) if first < last else None
                if after is None:
                    continue
                whole = first
                while whole < last and tokens[whole] == longer:
                    found[ids[whole]] = after
                    whole += 1
                if whole < last:
                    stack.append((after, longer, whole, last))
        return found
