"""A tokenizer's vocabulary as byte strings, and which tokens an automaton allows next."""

from __future__ import annotations

import copy
import re
from bisect import bisect_left
from collections.abc import Iterable
from typing import Any

from medner.agents.strategies.automaton import Automaton, State
from medner.store.errors import UserError


def _byte_level_alphabet() -> dict[str, int]:
    """The printable stand-ins that byte-level BPE uses for the 256 bytes (GPT-2's table)."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    table = {chr(byte): byte for byte in plain}
    table.update({chr(256 + place): byte for place, byte in enumerate(others)})
    return table


_ALPHABET = _byte_level_alphabet()


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


class Vocabulary:
    """The ordinary tokens of a tokenizer (no special ones), by their bytes.

    ``tokenizer`` is a fast tokenizer of transformers, byte-level (Qwen, Llama 3, GLM) or sentence-piece (Gemma).
    ``size`` is how many tokens the model has rows for: a tokenizer may know more. UserError when the tokenizer cannot
    write every byte.
    """

    def __init__(self, tokenizer: Any, end_ids: frozenset[int], *, size: int | None = None) -> None:
        self.end_ids = end_ids
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
        read = _byte_level if "ByteLevel" in str(self._plain.decoder) else _sentence_piece
        special = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder) | set(end_ids)
        pairs = []
        for token, number in tokenizer.get_vocab().items():
            known = number not in special and (size is None or number < size)
            data = read(token) if known else None
            if data:
                pairs.append((data, number))
        pairs.sort()
        self._tokens = [data for data, _ in pairs]
        self._ids = [number for _, number in pairs]
        self._bytes = {number: data for data, number in pairs}
        if not {bytes([byte]) for byte in range(0xF5) if byte not in (0xC0, 0xC1)} <= set(self._tokens):
            raise UserError(
                "this tokenizer cannot write every byte, so its answers cannot be held to the sentence; "
                "use a model with a byte-level or byte-fallback tokenizer"
            )
        self._adds_space = self.data_of(self._raw("a")).startswith(b" ")

    def data(self, token: int) -> bytes:
        """The token's bytes."""
        return self._bytes[token]

    def data_of(self, tokens: Iterable[int]) -> bytes:
        """The bytes of some tokens; special ones have none."""
        return b"".join(self._bytes.get(token, b"") for token in tokens)

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
        return [self._ids[bisect_left(self._tokens, bytes([byte]))] for byte in data]

    def allowed(self, automaton: Automaton, state: State) -> dict[int, State]:
        """Every ordinary token that may follow ``state``, with the state after it."""
        found: dict[int, State] = {}
        stack: list[tuple[State, bytes, int, int]] = [(state, b"", 0, len(self._tokens))]
        while stack:
            here, prefix, low, high = stack.pop()
            for byte in automaton.next_bytes(here):
                longer = prefix + bytes([byte])
                first = bisect_left(self._tokens, longer, low, high)
                beyond = prefix + bytes([byte + 1]) if byte < 255 else None
                last = high if beyond is None else bisect_left(self._tokens, beyond, first, high)
                after = automaton.step(here, byte) if first < last else None
                if after is None:
                    continue
                whole = first
                while whole < last and self._tokens[whole] == longer:
                    found[self._ids[whole]] = after
                    whole += 1
                if whole < last:
                    stack.append((after, longer, whole, last))
        return found
