"""The evidence judge, from a folder that `medner train evidence` wrote to the judge that runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from medner.core.errors import BadInputError, UserError
from medner.core.files.hashing import sha256_of
from medner.core.files.names import ADAPTER_WEIGHTS, CARD
from medner.service.config.bases import base_name
from medner.service.config.cards import evidence_card
from medner.service.config.judges.judge import JudgeConfig
from medner.service.config.parts import encoder
from medner.service.config.shelf import shipped_folder
from medner.store.models import looks_like_path

if TYPE_CHECKING:
    from medner.agents.filters.spans import ScoresSpans
    from medner.agents.judges.judge import Judge
    from medner.agents.judges.trees import BoostedTrees
    from medner.service.config.parts import JudgeParts

#: The judge's name among the shipped adapters of a label set.
SHIPPED = "evidence"
TREES_FILE, LEXICON_FILE = "evidence.json", "lexicon.npz"


class EvidenceJudgeConfig(JudgeConfig):
    """The filter's score, and how often a corpus has the very string as what, in boosted trees.

    ``source`` is the folder that medner train evidence wrote, or the name of one that ships for the label set; None:
    the one that needs no model. Where the folder holds an adapter (--reader), a language model reads each sentence that
    has a conflict; ``base`` is its base model where that is another one than the run's ``model``. ``lexicon`` is the
    counts of another corpus, of your own, in place of the folder's. ``abstain`` are the probabilities between which it
    leaves a conflict to a person.
    """

    needs_filter: ClassVar[bool] = True
    behind_colon: ClassVar[str] = "FOLDER"

    kind: Literal["evidence"] = "evidence"
    source: Path | None = None
    base: str | None = Field(default=None, min_length=1)
    lexicon: Path | None = None
    abstain: tuple[float, float] | None = None

    @classmethod
    def from_words(cls, words: str, rest: str) -> dict[str, Any]:
        """The folder, or the name of one that ships: ./NAME is a folder here that has such a name."""
        del words
        if not rest:
            return {"source": None}
        # A Path would make a name of ./NAME.
        return {"source": Path(os.path.abspath(os.path.expanduser(rest)) if looks_like_path(rest) else rest)}

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.abstain is not None and not 0 <= self.abstain[0] < self.abstain[1] <= 1:
            raise ValueError("abstain: give two probabilities, the lower first, as [0.4, 0.6]")
        return self

    def placed(self, labels: str) -> Self:
        """The judge with the folder that ships for a label set, by its name or where it names none.

        What ships goes before a folder of that name here: the default must not depend on where it is run. UserError
        where nothing is named and none ships.
        """
        if self.source is not None and self.source.name != str(self.source):
            return self
        folder = shipped_folder(labels, SHIPPED if self.source is None else self.source.name)
        if folder is None:
            if self.source is not None:
                return self
            raise UserError(
                f"judge: no evidence judge ships for {labels}; name a folder that medner train evidence wrote"
            )
        return self.model_copy(update={"source": folder})

    @property
    def folder(self) -> Path | None:
        """The folder of the adapter that reads; None where the judge has no language model."""
        return self.source if self.source is not None and (self.source / ADAPTER_WEIGHTS).is_file() else None

    @property
    def span_folder(self) -> Path | None:
        """What reads is a span tagger."""
        return self.folder

    @property
    def needs_hidden_states(self) -> bool:
        """What reads is a span tagger."""
        return self.folder is not None

    @property
    def asks_model(self) -> bool:
        """Whether its folder holds one."""
        return self.folder is not None

    @property
    def _folder(self) -> Path:
        if self.source is None:
            raise UserError("judge.source: name the folder of an evidence judge, as evidence:FOLDER")
        return self.source

    @property
    def lexicon_file(self) -> Path:
        """The lexicon that it asks."""
        return self.lexicon or self._folder / LEXICON_FILE

    def check(self, labels: str) -> None:
        """The card and its label set, and whether trees and lexicon are there."""
        card = evidence_card(self._folder)
        if card.labels != labels:
            raise UserError(f"{self._folder}: this judge knows the label set {card.labels}, not {labels}")
        for path in (self._folder / TREES_FILE, self.lexicon_file):
            if not path.is_file():
                raise UserError(
                    f"{path}: is not there; medner train {'lexicon' if self.lexicon else 'evidence'} writes it"
                )

    def base_of_card(self) -> str:
        """The model that reads."""
        base = evidence_card(self._folder).base
        if base is None:
            raise BadInputError("lacks base, the model that its adapter stands on", path=self._folder / CARD)
        return base

    def facts(self) -> dict[str, Any]:
        """What of it may change an answer: the bytes of its files in place of their paths."""
        files = {"source": self._folder / TREES_FILE, "lexicon": self.lexicon_file}
        return super().facts() | {name: sha256_of(path) for name, path in files.items() if path.is_file()}

    def more(self, followed: str | None) -> str | None:
        """The folder's name."""
        del followed
        return None if self.source is None else self.source.name

    def manner(self) -> str:
        """The base model that reads, and the lexicon where it is another one than the folder's."""
        on = "" if self.base is None else f" (on {base_name(self.base)})"
        return on if self.lexicon is None else f"{on} (lexicon {self.lexicon.name})"

    def build(self, parts: JudgeParts, name: str | None, version: str) -> Judge:
        """The judge of its folder."""
        from medner.agents.evidence.lexicon import read_lexicon  # noqa: PLC0415  configurations need no agents
        from medner.agents.judges.evidence import EvidenceJudge  # noqa: PLC0415

        self.check(parts.labels.name)
        card = evidence_card(self._folder)
        return EvidenceJudge(
            read_trees(self._folder / TREES_FILE),
            read_lexicon(self.lexicon_file, parts.labels),
            name or card.name,
            version,
            card.threshold,
            self.abstain,
            self._reader(parts),
        )

    def _reader(self, parts: JudgeParts) -> ScoresSpans | None:
        if self.folder is None:
            return None
        try:
            from medner.agents.taggers.spans.served.tagger import load_served_span_tagger  # noqa: PLC0415  heavy
            from medner.agents.taggers.spans.settings import load_span_tagger  # noqa: PLC0415
        except ImportError as error:
            raise UserError(f"{error.name} is missing: this judge needs pip install 'medner[local]'") from error
        name = self.folder.name
        if (server := parts.spans.get(self.folder)) is not None:
            return load_served_span_tagger(self.folder, name=name, server=server, labels=parts.labels)
        states = encoder(parts.needed_engine(self.base), f"judge {name!r}", "it reads sentences with")
        adapter = parts.adapters[self.folder]
        return load_span_tagger(self.folder, name=name, adapter=adapter, encoder=states, labels=parts.labels)


def read_trees(path: Path) -> BoostedTrees:
    """The trees of an evidence judge. BadInputError when they cannot be read."""
    from medner.agents.judges.trees import BoostedTrees  # noqa: PLC0415  configurations need no agents

    try:
        return BoostedTrees.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInputError(f"holds no trees of an evidence judge: {error}", path=path) from error
