"""A tokenizer's vocabulary as byte strings, and which tokens an automaton allows next."""

from __future__ import annotations

from bisect import bisect_left
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


def _sentence_piece(token: str) -> bytes:
    if len(token) == 6 and token.startswith("<0x") and token.endswith(">"):
        return bytes([int(token[3:5], 16)])
    return token.replace("▁", " ").encode("utf-8", "surrogatepass")


class Vocabulary:
    """The ordinary tokens of a tokenizer (no special ones), by their bytes.

    ``tokenizer`` is a fast tokenizer of transformers, byte-level (Qwen, Llama 3, GLM) or sentence-piece (Gemma).
    """

    def __init__(self, tokenizer: Any, end_ids: frozenset[int]) -> None:
        self.tokenizer = tokenizer
        self.end_ids = end_ids
        #: What the tokenizer would read as control tokens if it stood in a text.
        self.control_strings = frozenset(
            {str(token) for token in tokenizer.all_special_tokens}
            | {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
        )
        decoder = str(getattr(tokenizer, "backend_tokenizer", tokenizer).decoder)
        read = _byte_level if "ByteLevel" in decoder else _sentence_piece
        special = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder) | set(end_ids)
        pairs = []
        for token, number in tokenizer.get_vocab().items():
            data = None if number in special else read(token)
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

    def data(self, token: int) -> bytes:
        """The token's bytes."""
        return self._bytes[token]

    def encode(self, text: str) -> list[int]:
        """The tokenizer's own (canonical) tokens of a text, no special ones added or recognised."""
        ids = self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        return list(ids)

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
