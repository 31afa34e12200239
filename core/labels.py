"""Label sets: which entity types there are, what they are called and what they mean."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from medner.core.characters import is_blank
from medner.core.edges import ABBREVIATIONS, MARKS, WORDS, Edges
from medner.core.errors import UserError
from medner.core.nesting import Nesting
from medner.core.validation import complaint


@dataclass(frozen=True, slots=True)
class LabelType:
    """One entity type: ``code`` in records and files, ``name`` (Chinese) and ``definition`` in prompts and pages."""

    code: str
    name: str
    definition: str


@dataclass(frozen=True, slots=True)
class LabelSet:
    """The entity types of a task, in a fixed order, and what no entity begins or ends with.

    ``nested``: entities may overlap; ``outer`` are the types that others may lie in, None: all.
    """

    name: str
    title: str
    types: tuple[LabelType, ...]
    nested: bool = True
    edges: Edges = Edges()  # noqa: RUF009  frozen
    outer: tuple[str, ...] | None = None

    @property
    def nesting(self) -> Nesting:
        """Which entities may overlap."""
        return Nesting(self.nested, self.outer)

    @property
    def codes(self) -> tuple[str, ...]:
        """The types' codes, in order."""
        return tuple(label.code for label in self.types)

    def __contains__(self, code: object) -> bool:
        return any(label.code == code for label in self.types)

    def type_of(self, code: str) -> LabelType:
        """The type with this code; UserError when there is none."""
        for label in self.types:
            if label.code == code:
                return label
        raise UserError(f"label set {self.name!r} has no type {code!r}; it has {', '.join(self.codes)}")

    def resolve(self, label: str) -> str | None:
        """The code meant by a code or a Chinese name, or None."""
        for known in self.types:
            if label in (known.code, known.name):
                return known.code
        return None


class _TypeFile(BaseModel):
    model_config = ConfigDict(extra="forbid")
    # The symbol and HTML strategies write names into their headers and tags, so they must be free of markup.
    code: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    name: str = Field(pattern=r"^[^\s\[\]<>:：\\\"{}|,，]+$")
    definition: str = Field(min_length=1)


class _EdgesFile(BaseModel):
    model_config = ConfigDict(extra="forbid")
    marks: str = MARKS
    words: list[str] = list(WORDS)
    abbreviations: list[Annotated[str, Field(pattern=r"^[A-Za-z]+$")]] = list(ABBREVIATIONS)
    brackets: bool = True

    @field_validator("marks")
    @classmethod
    def _are_marks(cls, marks: str) -> str:
        # A letter among them would eat into every word that begins with it.
        letters = sorted({char for char in marks if char.isalnum()})
        if letters:
            raise ValueError(f"{''.join(letters)!r} is no punctuation; a whole word goes into words")
        return marks

    @field_validator("words")
    @classmethod
    def _are_words(cls, words: list[str]) -> list[str]:
        if any(is_blank(word) for word in words):
            raise ValueError("a word is empty; white space is always trimmed and needs no entry")
        return words

    def edges(self) -> Edges:
        return Edges(self.marks, tuple(self.words), tuple(word.lower() for word in self.abbreviations), self.brackets)


class _NestingFile(BaseModel):
    model_config = ConfigDict(extra="forbid")
    outer: list[str]


class _LabelSetFile(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1)
    title: str = ""
    nested: bool = True
    source: str = ""
    edges: _EdgesFile = _EdgesFile()
    nesting: _NestingFile | None = None
    types: list[_TypeFile] = Field(min_length=1)


SHIPPED = ("cmeee-v2", "ccks2019")


def load_label_set(name_or_path: str | Path) -> LabelSet:
    """A shipped label set by its name, or one of your own from a TOML file. UserError when it is not to be had."""
    return parse_label_set(label_set_toml(name_or_path), where=str(name_or_path))


def label_set_toml(name_or_path: str | Path) -> str:
    """The TOML text of a label set, unchecked. UserError when it is not to be had."""
    path = Path(name_or_path)
    if str(name_or_path) in SHIPPED:
        return (resources.files("medner.core") / "labelsets" / f"{name_or_path}.toml").read_text(encoding="utf-8")
    if path.suffix != ".toml" or not path.is_file():
        raise UserError(
            f"no label set {str(name_or_path)!r}: give one of {', '.join(SHIPPED)}, or the path of a .toml file "
            "(`medner labels show cmeee-v2 --toml` prints one to start from)"
        )
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text; a label set is a TOML file in UTF-8") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error


def parse_label_set(text: str, *, where: str) -> LabelSet:
    """A label set from TOML text; ``where`` names it in errors."""
    try:
        data = _LabelSetFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{where}: not valid TOML: {error}") from error
    except ValidationError as error:
        reason, key = complaint(error)
        raise UserError(f"{where}: {key}: {reason}") from error
    types = tuple(LabelType(entry.code, entry.name, entry.definition) for entry in data.types)
    for values in ([label.code for label in types], [label.name for label in types]):
        repeated = sorted({value for value in values if values.count(value) > 1})
        if repeated:
            raise UserError(f"{where}: types: {', '.join(repeated)} is there more than once")
    # One type's name as another's code would make `resolve` depend on the order of the types.
    shared = sorted({one.code for one in types} & {one.name for one in types if one.name != one.code})
    if shared:
        raise UserError(f"{where}: types: {', '.join(shared)} is both a code and another type's name")
    outer = _outer_types(data, where)
    return LabelSet(data.name, data.title or data.name, types, data.nested, data.edges.edges(), outer)


def _outer_types(data: _LabelSetFile, where: str) -> tuple[str, ...] | None:
    if data.nesting is None:
        return None
    if not data.nested:
        raise UserError(f"{where}: nesting: the label set is flat (nested = false); take one of the two out")
    known = [entry.code for entry in data.types]
    foreign = [code for code in data.nesting.outer if code not in known]
    if foreign:
        raise UserError(f"{where}: nesting.outer: there is no type {foreign[0]!r}; there are {', '.join(known)}")
    return tuple(code for code in known if code in data.nesting.outer)
