"""Taggers whose answers come from a file of `medner annotate`: another filter or judge, and no model asked again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medner.core.errors import BadInputError, ExternalError, UserError
from medner.core.labels import LabelSet
from medner.core.records import Annotation, Sentence, TaggerOutput
from medner.service.config.configuration import TaggerConfig
from medner.store.corpora.json_formats.jsonl import read_annotated


@dataclass(frozen=True, slots=True)
class SaidTagger:
    """A tagger that gives its recorded answers again. ``answers`` is by sentence; None: it had failed there."""

    name: str
    answers: Mapping[str, TaggerOutput | None]
    file: Path

    async def tag(self, sentence: Sentence) -> TaggerOutput:
        """The recorded answer. UserError for a sentence the file does not have, ExternalError where it had failed."""
        if sentence.text not in self.answers:
            raise UserError(
                f"{self.file}: has no sentence like {sentence.id!r}, so {self.name} has no answer to it: annotate the "
                "file's own texts, cut as they were (--max-chars), or leave --said out"
            )
        found = self.answers[sentence.text]
        if found is None:
            raise ExternalError(f"{self.name} gave no answer when {self.file.name} was written")
        return found


def said_taggers(taggers: Sequence[TaggerConfig], labels: LabelSet) -> dict[str, SaidTagger]:
    """The taggers whose answers come from files, by name. BadInputError for a file that has none of a tagger's."""
    files = {tagger.said: list(_annotations(tagger.said)) for tagger in taggers if tagger.said is not None}
    return {
        tagger.name: _said_tagger(tagger.name, files[tagger.said], tagger.said, labels)
        for tagger in taggers
        if tagger.said is not None
    }


def with_answers(taggers: Sequence[Mapping[str, Any]], files: Sequence[Path]) -> list[dict[str, Any]]:
    """The taggers, as plain data, each with the first of the files that has its answers, if one has.

    UserError for a file that has no answers of any of them.
    """
    known = {file: _names(file) for file in files}
    names = {tagger["name"] for tagger in taggers}
    for file, there in known.items():
        if not names & there:
            raise UserError(
                f"--said {file}: has no answers of {', '.join(sorted(names))}; it has those of "
                f"{', '.join(sorted(there)) or 'no tagger'}: name them with --taggers"
            )
    return [
        {**tagger, "said": next((file for file in files if tagger["name"] in known[file]), tagger.get("said"))}
        for tagger in taggers
    ]


def _said_tagger(name: str, annotations: Sequence[Annotation], file: Path, labels: LabelSet) -> SaidTagger:
    answers: dict[str, TaggerOutput | None] = {}
    for one in annotations:
        # Of equal sentences one may have failed.
        answers[one.sentence.text] = answers.get(one.sentence.text) or _answer(one, name)
    if not any(answers.values()):
        raise BadInputError(f"has no answers of a tagger {name!r}", path=file)
    unknown = sorted(
        {
            entity.label
            for answer in answers.values()
            for entity in (answer.decoded.entities if answer else ())
            if entity.label not in labels
        }
    )
    if unknown:
        raise BadInputError(
            f"{name} found {', '.join(unknown)} there, which label set {labels.name!r} does not have", path=file
        )
    return SaidTagger(name, answers, file)


def _answer(annotation: Annotation, name: str) -> TaggerOutput | None:
    return next((output for output in annotation.outputs if output.tagger == name), None)


def _names(file: Path) -> set[str]:
    return {output.tagger for annotation in _annotations(file) for output in annotation.outputs}


def _annotations(file: Path) -> Iterator[Annotation]:
    for document in read_annotated(file):
        yield from document.annotations
