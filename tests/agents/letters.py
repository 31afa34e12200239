"""An encoder without a model, whose tokens are characters."""

from __future__ import annotations


class LettersEncoder:
    """``states(tokens, shared)`` gives what :meth:`encode` does. Keeps what it was asked.

    ``asked`` holds the shared text, the rest of the text, and the adapter; ``two_way_from`` the last call's.
    """

    def __init__(self, states):
        self._states = states
        self.asked = []
        self.two_way_from = None

    def tokens(self, text):
        return [ord(char) for char in text]

    def token_bytes(self, token):
        return chr(token).encode()

    async def encode(self, tokens, *, shared=0, adapter=None, two_way_from=None, layers=None):
        self.asked.append(("".join(map(chr, tokens[:shared])), "".join(map(chr, tokens[shared:])), adapter))
        self.two_way_from = two_way_from
        return self._states(tokens, shared)
