"""An annotator in a tagger's place: what a person marked, so that people's disagreements go the way of taggers'."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from medner.agents.taggers.recorded import checked_labels, recorded_annotations
from medner.core.errors import BadInputError, ExternalError, UserError
from medner.core.labels import LabelSet
from medner.core.records import Sentence, TaggerOutput


@dataclass(frozen=True, slots=True)
class Annotator:
    """A person's annotations by sentence; of equal sentences each has its own, unlike a model's answers."""

    name: str
    answers: Mapping[tuple[str, str], TaggerOutput | None]
    file: Path

    async def tag(self, sentence: Sentence) -> TaggerOutput:
        """What the annotator marked in the sentence.

        UserError for a sentence that the file does not have, ExternalError for a document of other annotators.
        """
        place = sentence.id, sentence.text
        if place not in self.answers:
            raise UserError(
                f"{self.file}: has no sentence {sentence.id!r} with this text: submit the file itself, with the "
                "configuration that medner compare-annotators wrote beside it"
            )
        found = self.answers[place]
        if found is None:
            raise ExternalError(f"{self.name} did not annotate this document")
        return found


def load_annotator(name: str, file: Path, labels: LabelSet) -> Annotator:
    """An annotator of a file of `medner compare-annotators`. BadInputError where there is nothing by that name."""
    answers = {
        (one.sentence.id, one.sentence.text): next((output for output in one.outputs if output.tagger == name), None)
        for one in recorded_annotations(file)
    }
    if not any(answers.values()):
        raise BadInputError(f"has nothing by an annotator {name!r}", path=file)
    checked_labels(name, answers.values(), file, labels)
    return Annotator(name, answers, file)
