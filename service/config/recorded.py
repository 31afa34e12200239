"""The taggers of a configuration whose answers come from files (``answers``, ``--answers``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medner.agents.taggers.recorded import RecordedTagger, recorded_annotations, recorded_tagger
from medner.core.errors import UserError
from medner.core.labels import LabelSet
from medner.service.config.taggers import TaggerConfig


def recorded_taggers(taggers: Sequence[TaggerConfig], labels: LabelSet) -> dict[str, RecordedTagger]:
    """The taggers whose answers come from files, by name. BadInputError for a file that has none of a tagger's.

    People are not among them: two equal sentences have one answer of a model, but not of a person.
    """
    recorded = {one.name: one.answers for one in taggers if one.answers is not None and not one.is_person}
    annotations = {file: list(recorded_annotations(file)) for file in recorded.values()}
    return {name: recorded_tagger(name, annotations[file], file, labels) for name, file in recorded.items()}


def with_answers(taggers: Sequence[Mapping[str, Any]], files: Sequence[Path]) -> list[dict[str, Any]]:
    """The taggers, as plain data, each with the first of the files that has its answers, if one has.

    UserError for a file that has no answers of any of them.
    """
    known = {file: _names(file) for file in files}
    names = {tagger["name"] for tagger in taggers}
    for file, there in known.items():
        if not names & there:
            raise UserError(
                f"--answers {file}: has no answers of {', '.join(sorted(names))}; it has those of "
                f"{', '.join(sorted(there)) or 'no tagger'}: name them with --taggers"
            )
    return [
        {**tagger, "answers": next((file for file in files if tagger["name"] in known[file]), tagger.get("answers"))}
        for tagger in taggers
    ]


def _names(file: Path) -> set[str]:
    return {output.tagger for annotation in recorded_annotations(file) for output in annotation.outputs}
