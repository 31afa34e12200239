"""What taggers and judges of any kind have in common: an adapter, a base model."""

from __future__ import annotations

from pathlib import Path

from medner.service.config.kinds import KindSettings


class AgentConfig(KindSettings):
    """A tagger or a judge."""

    @property
    def folder(self) -> Path | None:
        """The folder of its adapter; None for an agent without."""
        return None

    @property
    def own_base(self) -> str | None:
        """The base model that it names with its key ``base``, a name or a path; None: that of the run."""
        base: str | None = getattr(self, "base", None)
        return base

    @property
    def span_folder(self) -> Path | None:
        """The folder of the span tagger that it is made of, which servers can run; None where it is made of none."""
        return None

    @property
    def needs_hidden_states(self) -> bool:
        """Whether it is made of hidden states, which only a model in this process gives."""
        return False

    @property
    def asks_model(self) -> bool:
        """Whether it runs on a base model, tuned or not; those that step in for it are not meant."""
        return False
