"""A tagger whose answers come from a file of `medner annotate`: another filter or judge, and no model asked again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medner.core.errors import BadInputError, ExternalError, UserError
from medner.core.labels import LabelSet
from medner.core.records import Annotation, Sentence, TaggerOutput
from medner.store.corpora.json_formats.jsonl import read_annotated


@dataclass(frozen=True, slots=True)
class RecordedTagger:
    """A tagger that gives its recorded answers again. ``answers`` is by sentence; None: it had failed there."""

    name: str
    answers: Mapping[str, TaggerOutput | None]
    file: Path

    async def tag(self, sentence: Sentence) -> TaggerOutput:
        """The recorded answer. UserError for a sentence the file does not have, ExternalError where it had failed."""
        if sentence.text not in self.answers:
            raise UserError(
                f"{self.file}: has no sentence like {sentence.id!r}, so {self.name} has no answer to it: annotate the "
                "file's own texts, cut as they were (--max-chars), or leave --answers out"
            )
        found = self.answers[sentence.text]
        if found is None:
            raise ExternalError(f"{self.name} gave no answer when {self.file.name} was written")
        return found


def recorded_tagger(name: str, annotations: Sequence[Annotation], file: Path, labels: LabelSet) -> RecordedTagger:
    """A tagger's answers in the annotations of a file. BadInputError where there are none, or of unknown labels."""
    answers: dict[str, TaggerOutput | None] = {}
    for one in annotations:
        # Of equal sentences one may have failed.
        answers[one.sentence.text] = answers.get(one.sentence.text) or _answer(one, name)
    if not any(answers.values()):
        raise BadInputError(f"has no answers of a tagger {name!r}", path=file)
    checked_labels(name, answers.values(), file, labels)
    return RecordedTagger(name, answers, file)


def checked_labels(name: str, answers: Iterable[TaggerOutput | None], file: Path, labels: LabelSet) -> None:
    """BadInputError for answers with labels that the label set does not have."""
    found = {entity.label for answer in answers if answer is not None for entity in answer.decoded.entities}
    unknown = sorted(label for label in found if label not in labels)
    if unknown:
        raise BadInputError(
            f"{name} found {', '.join(unknown)} there, which label set {labels.name!r} does not have", path=file
        )


def _answer(annotation: Annotation, name: str) -> TaggerOutput | None:
    return next((output for output in annotation.outputs if output.tagger == name), None)


def recorded_annotations(file: Path) -> Iterator[Annotation]:
    """The annotations of a file of `medner annotate`, sentence by sentence."""
    for document in read_annotated(file):
        yield from document.annotations
