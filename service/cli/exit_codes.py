"""The end of a command that has said why it ends."""

from __future__ import annotations


class ReportedExit(int):
    """An exit code whose reason the command has said: nothing is added to it."""
