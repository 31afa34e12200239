"""What all kinds of taggers have in common, and the table of kinds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from medner.core.renamed import TAGGER_KEYS
from medner.service.config.agent import AgentConfig
from medner.service.config.bases import base_name
from medner.service.config.kinds import KindTable

if TYPE_CHECKING:
    from medner.agents.taggers.tagger import Tagger
    from medner.core.labels import LabelSet
    from medner.service.config.parts import Parts


def _rows() -> Mapping[str, type[TaggerConfig]]:
    from medner.service.config.taggers import KINDS  # noqa: PLC0415  the kinds are made from this module

    return KINDS


class TaggerConfig(AgentConfig):
    """A tagger of any kind: its name, and what is asked of every kind.

    ``answers`` is a file of `medner annotate`: the tagger's answers in it are taken, and no model is asked.
    """

    #: Whether it writes its answers, so that a server can run it.
    writes: ClassVar[bool] = False
    #: Whether it is a person, whose answers belong to one document each.
    is_person: ClassVar[bool] = False
    #: Whether it scores stretches, which the filter span and judges by scores go by.
    scores_spans: ClassVar[bool] = False

    name: str = Field(min_length=1)
    strategy: str
    answers: Path | None = None

    @classmethod
    def from_words(cls, words: str) -> dict[str, Any] | None:
        """The keys of a tagger that is named by words, as in ``--taggers``; None where they name none of this kind."""
        del words
        return None

    @classmethod
    def words(cls) -> str:
        """What :meth:`from_words` reads; nothing where it reads nothing."""
        return ""

    @property
    def is_untuned(self) -> bool:
        """Whether it runs on the base model alone."""
        return False

    @property
    def asks_model(self) -> bool:
        """Whether it runs on a base model, tuned or not."""
        return True

    def served_name(self, labels: str) -> str | None:
        """The name of its adapter on servers; None where no server runs one."""
        del labels
        return None

    def longest_request(self, labels: LabelSet, max_chars: int) -> int | None:
        """The most tokens that a sentence usually takes on a server; None where it asks no server."""
        del labels, max_chars
        return None

    def plugins(self) -> Iterator[tuple[str, str]]:
        """The plugin it comes from, with its version, for fingerprints."""
        yield from ()

    def in_words(self) -> str:
        """The tagger in a few words."""
        on = "" if self.own_base is None else f", on {base_name(self.own_base)}"
        if self.answers is not None:
            return f"{self.name} (as in {self.answers.name}, {self.tuning}{on})"
        return f"{self.name} ({self.manner()}{on})"

    @property
    def tuning(self) -> str:
        """Whether it is tuned, in a word."""
        return "untuned" if self.folder is None else "tuned"

    def manner(self) -> str:
        """How it works, in a few words."""
        raise NotImplementedError

    def build(self, parts: Parts) -> Tagger:
        """The tagger that runs. UserError when it cannot be made."""
        raise NotImplementedError


#: What 0.1.0 wrote of every tagger.
_WRITTEN: dict[str, Any] = {
    "name": None,
    "strategy": None,
    "style": "full",
    "shots": 0,
    "adapter": None,
    "constrained": True,
    "served": None,
    "said": None,
}
TAGGERS: KindTable[TaggerConfig] = KindTable(
    lambda: TaggerConfig, _rows, key="strategy", written=_WRITTEN, renamed=TAGGER_KEYS
)
TaggerConfig.table = TAGGERS
