"""Whether a server does its work, and who asks."""

from __future__ import annotations

from medner.service.client.calls import Call, Message, Steps, ask, read_json


class HealthMessage(Message):
    """A server that can do its work."""

    version: str
    workers: int


def health() -> Steps[HealthMessage]:
    """What the server says of itself; it needs no key."""
    return (yield from ask(Call("GET", "/health", read_json(HealthMessage))))
