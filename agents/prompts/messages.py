"""A chat as models take it."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Message(NamedTuple):
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str

    def as_dict(self) -> dict[str, str]:
        """The form chat templates and OpenAI-compatible servers take."""
        return {"role": self.role, "content": self.content}
