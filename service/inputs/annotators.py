"""What several annotators made of the same texts, out of the exports of annotation tools.

An input is one annotator's, named by the file or folder; but a Label Studio export holds all annotators of its tasks,
and a folder of INCEpTION's project export has a folder a document with a file an annotator.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from medner.core.errors import UserError
from medner.core.files.paths import readable_path
from medner.core.labels import LabelSet
from medner.core.records import Document, Entity
from medner.evaluation.measures.annotated_texts import AnnotatedText
from medner.store.corpora import NO_OPTIONS, Reading, ReadOptions, guess_format, read_documents
from medner.store.corpora.json_formats.jsonl import read_annotated
from medner.store.corpora.reading.read_options import EVERY_ANNOTATOR

_LABEL_STUDIO = "label-studio"
_INCEPTION = ("webanno-tsv", "cas-json", "cas-xmi")
#: Files of a project export that are no annotator's: the document as it was before anybody worked on it.
_NOBODY = "INITIAL_CAS"


@dataclass(frozen=True, slots=True)
class AnnotatorInput:
    """A file or folder; ``name`` is its annotator where the user gave one."""

    path: Path
    name: str = ""

    @classmethod
    def of(cls, argument: str) -> AnnotatorInput:
        """The input of a command's argument: a path, or NAME=PATH."""
        name, sign, path = argument.partition("=")
        if not sign or Path(argument).exists():
            return cls(Path(argument))
        if not name.strip():
            raise UserError(f"{argument}: the annotator's name before = is empty")
        return cls(Path(path), name.strip())


@dataclass(slots=True)
class Annotators:
    """The annotators' documents, in the order of the inputs. ``formats`` are those that were found, by path."""

    documents: dict[str, list[Document]] = field(default_factory=dict)
    formats: dict[Path, str] = field(default_factory=dict)

    def add(self, annotator: str, document: Document) -> None:
        """Takes an annotator's document in."""
        self.documents.setdefault(annotator, []).append(document)


def read_annotators(
    inputs: Sequence[AnnotatorInput],
    *,
    format: str | None = None,  # noqa: A002
    labels: LabelSet | None = None,
    options: ReadOptions = NO_OPTIONS,
) -> Annotators:
    """All annotators of the inputs. UserError for a name that two inputs share, BadInputError for a bad record."""
    found = Annotators()
    names = _names(inputs)
    for one in inputs:
        if not one.path.exists():
            raise UserError(f"{one.path}: no such file or folder")
        known = format or guess_format(one.path, options).name
        found.formats[one.path] = known
        if known == _LABEL_STUDIO and not one.name and options.annotator is None:
            reading = read_documents(
                one.path, format=known, labels=labels, options=replace(options, annotator=EVERY_ANNOTATOR)
            )
        else:
            reading = read_documents(one.path, format=known, labels=labels, options=options)
        for annotator, document in _by_annotator(reading, one, known):
            found.add(annotator or names[one.path], document)
    return found


def _names(inputs: Sequence[AnnotatorInput]) -> Mapping[Path, str]:
    """The annotator of each input: as given, else the name of the file or folder, with more of the path if need be."""
    short = {one.path: one.name or _short(one.path.resolve()) for one in inputs}
    alike = Counter(short.values())
    names = {one.path: one.name or _longer(one.path, short, alike) for one in inputs}
    twice = [name for name, number in Counter(names.values()).items() if number > 1]
    if twice or len(names) < len(inputs):
        named = twice[0] if twice else str(inputs[0].path)
        raise UserError(f"{named}: two inputs of one annotator; name them: li=li.jsonl wang=wang.jsonl")
    return names


def _short(path: Path) -> str:
    return readable_path(path.name if path.is_dir() else path.stem)


def _longer(path: Path, short: Mapping[Path, str], alike: Counter[str]) -> str:
    name = short[path]
    return f"{readable_path(path.resolve().parent.name)}/{name}" if alike[name] > 1 else name


def _by_annotator(reading: Reading, one: AnnotatorInput, format: str) -> Iterator[tuple[str, Document]]:  # noqa: A002
    """The documents with their annotators; "" where the whole input is one's."""
    if format not in _INCEPTION or one.name or not one.path.is_dir():
        for document in reading:
            task, annotator = reading.annotators.get(document.id, (document.id, ""))
            yield annotator, replace(document, id=task)
        return
    documents = list(reading)
    is_export = _is_project_export(documents)
    for document in documents:
        folder, _, annotator = document.id.rpartition("/") if is_export else (document.id, "", "")
        if annotator != _NOBODY:
            yield annotator, replace(document, id=folder)


def _is_project_export(documents: Sequence[Document]) -> bool:
    """Whether every document lies in a folder that holds one text alone, as annotated by several."""
    texts: dict[str, set[str]] = {}
    for document in documents:
        texts.setdefault(document.id.rpartition("/")[0], set()).add(document.text)
    return bool(texts) and "" not in texts and all(len(found) == 1 for found in texts.values())


@dataclass(frozen=True, slots=True)
class TaggerAnswers:
    """What taggers give: by the id of a text, then by the tagger's name."""

    taggers: tuple[str, ...]
    by_text: Mapping[str, Mapping[str, frozenset[Entity]]]


def tagger_answers(
    files: Sequence[Path],
    texts: Sequence[AnnotatedText],
    *,
    labels: LabelSet | None = None,
    options: ReadOptions = NO_OPTIONS,
) -> TaggerAnswers:
    """The taggers' answers to annotated texts, matched by id, else by text.

    A result of `medner annotate` holds those of each of its taggers; any other file is one tagger's.
    """
    by_id = {text.id: text for text in texts}
    by_content = {text.text: text for text in reversed(texts)}
    names: list[str] = []
    found: dict[str, dict[str, frozenset[Entity]]] = {}
    for number, file in enumerate(files):
        in_file: dict[str, str] = {}
        for document, answers in _answers(file, labels, options):
            text = by_id.get(document.id)
            if text is None or text.text != document.text:
                text = by_content.get(document.text)
            for name, entities in answers.items():
                if name not in in_file:
                    in_file[name] = name if name not in names else f"{name} ({number + 1})"
                    names.append(in_file[name])
                if text is not None:
                    found.setdefault(text.id, {})[in_file[name]] = entities
    return TaggerAnswers(tuple(names), found)


def _answers(
    file: Path, labels: LabelSet | None, options: ReadOptions
) -> Iterator[tuple[Document, dict[str, frozenset[Entity]]]]:
    reading = read_documents(file, labels=labels, options=options)
    documents = list(reading)
    if not reading.provenance["sentences"]:
        for document in documents:
            yield document, {_short(file): frozenset(document.entities)}
        return
    for annotated in read_annotated(file):
        answers: dict[str, set[Entity]] = {}
        for one in annotated.annotations:
            for output in one.outputs:
                inside = answers.setdefault(output.tagger, set())
                inside.update(entity.shifted(one.sentence.offset) for entity in output.decoded.entities)
        yield annotated.document, {name: frozenset(entities) for name, entities in answers.items()}
