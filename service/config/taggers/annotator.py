"""Annotators in taggers' places, out of the file that `medner compare-annotators` wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import AfterValidator

from medner.service.config.taggers.tagger import TaggerConfig

if TYPE_CHECKING:
    from medner.agents.taggers.tagger import Tagger
    from medner.service.config.parts import Parts


class AnnotatorConfig(TaggerConfig):
    """An annotator: ``name`` is the person's in ``answers``, a file of disagreements."""

    is_person: ClassVar[bool] = True

    strategy: Literal["annotator"] = "annotator"
    # A worker runs in another folder than the command that names the file.
    answers: Annotated[Path, AfterValidator(Path.absolute)]

    @property
    def asks_model(self) -> bool:
        """No model is asked."""
        return False

    @property
    def tuning(self) -> str:
        """Nobody is tuned."""
        return "a person"

    def manner(self) -> str:
        """A person."""
        return self.tuning

    def build(self, parts: Parts) -> Tagger:
        """The annotator, whose answers are read here."""
        from medner.agents.taggers.annotator import load_annotator  # noqa: PLC0415  configurations need no agents

        return load_annotator(self.name, self.answers, parts.labels)
