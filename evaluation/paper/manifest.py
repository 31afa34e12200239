"""The manifest of a report: which prediction file plays which role on which gold file."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from medner.core.errors import BadInputError, UserError
from medner.core.validation import complaint
from medner.evaluation.paper.published import published


def _kind(table: int, *further: str) -> AfterValidator:
    """Takes the kinds of a table of the paper, ``further`` ones, and any other name that resembles none of these."""

    def checked(kind: str) -> str:
        known = [*(row.key for row in published().tables[table].rows), *further]
        if kind not in known and (close := get_close_matches(kind, known, 1, 0.75)):
            raise ValueError(
                f"there is no {kind!r}; is {close[0]} meant? There are {', '.join(known)}; a kind of your own "
                "needs a name that resembles none of them"
            )
        return kind

    return AfterValidator(checked)


#: How a tagger answers: a strategy of the paper, by spans, a classical sequence tagger, or another.
Strategy = Annotated[str, Field(min_length=1), _kind(3, "span", "sequence")]
FilterKind = Annotated[str, Field(min_length=1), _kind(5)]
Vote = Literal["hard-vote", "soft-vote", "union", "unanimous", "oracle"]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TaggerEntry(_Entry):
    """A tagger's predictions, unfiltered. ``base`` is its base model, by which rows are matched with the paper's.

    ``output`` takes the answers of the tagger of that name out of a file that several taggers wrote.
    ``seconds`` a sentence and ``memory_gb`` are what you measured; without them the file's own costs are used.
    """

    name: str = Field(min_length=1)
    strategy: Strategy
    base: str = ""
    file: Path
    zero_shot: bool = False
    output: str | None = None
    seconds: float | None = Field(default=None, gt=0)
    memory_gb: float | None = Field(default=None, gt=0)


class FilterEntry(_Entry):
    """What a filter left of the predictions of the tagger ``of``; ``name`` is "TAGGER+KIND" where it is left out."""

    kind: FilterKind
    of: str
    file: Path
    name: str = ""

    @property
    def system(self) -> str:
        """The name its predictions go by."""
        return self.name or f"{self.of}+{self.kind}"


class EnsembleEntry(_Entry):
    """A vote of the members: computed, or read from ``file``.

    A soft vote goes by the members' probabilities, which their results do not hold of every candidate, so it is read.
    """

    kind: Vote
    name: str = ""
    file: Path | None = None

    @property
    def system(self) -> str:
        """The name its predictions go by."""
        return self.name or self.kind

    @model_validator(mode="after")
    def _can_be_had(self) -> EnsembleEntry:
        if self.kind == "soft-vote" and self.file is None:
            raise ValueError("file: a soft vote cannot be computed of the members' entities; name what a run wrote")
        return self


class JudgeEntry(_Entry):
    """Predictions that a judge on the model ``base`` settled."""

    name: str = Field(min_length=1)
    base: str = ""
    prompt: Literal["direct", "thinking"] = "direct"
    mode: Literal["select", "rewrite"] = "select"
    file: Path


class ReportManifest(_Entry):
    """One data set's part of a report.

    ``main``, ``members``, ``single`` and ``final`` name systems; where they are left out,
    :func:`medner.evaluation.paper.roles.assign_roles` chooses.
    """

    labels: str
    gold: Path
    dataset: str = ""
    commit: str = ""
    configuration: str = ""
    main: str | None = None
    members: tuple[str, ...] | None = None
    single: str | None = None
    final: str | None = None
    tagger: tuple[TaggerEntry, ...] = ()
    filter: tuple[FilterEntry, ...] = ()
    ensemble: tuple[EnsembleEntry, ...] = ()
    judge: tuple[JudgeEntry, ...] = ()

    @property
    def title(self) -> str:
        """What the report calls the data set."""
        return self.dataset or Path(self.labels).stem

    @property
    def names(self) -> tuple[str, ...]:
        """Every system's name, in the order of the roles."""
        return tuple(system.name for system in _systems(self))

    @model_validator(mode="after")
    def _fits(self) -> ReportManifest:
        if not self.tagger:
            raise ValueError("tagger: a report needs a [[tagger]] at least")
        systems = list(_systems(self))
        for at, system in enumerate(systems):
            if system.name in [other.name for other in systems[:at]]:
                raise ValueError(f"{system.key}.name: {system.name!r} is there more than once; give it another name")
        for key, allowed, chosen in self._references():
            for name in chosen:
                if name not in allowed:
                    raise ValueError(f"{key}: no system is called {name!r}; there are {', '.join(allowed)}")
        return self

    def _references(self) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
        """Key, allowed names and given names of everything that refers to a system."""
        taggers = tuple(one.name for one in self.tagger)
        yield from ((f"filter.{at}.of", taggers, (one.of,)) for at, one in enumerate(self.filter))
        single = (*taggers, *(one.system for one in self.filter))
        yield "main", taggers, _given(self.main)
        yield "members", single, self.members or ()
        yield "single", single, _given(self.single)
        yield "final", self.names, _given(self.final)


@dataclass(frozen=True, slots=True)
class _Named:
    """A system's name, its key in the manifest and its file."""

    name: str
    key: str
    file: Path | None


def _systems(manifest: ReportManifest) -> Iterator[_Named]:
    for at, tagger in enumerate(manifest.tagger):
        yield _Named(tagger.name, f"tagger.{at}", tagger.file)
    for at, filter_ in enumerate(manifest.filter):
        yield _Named(filter_.system, f"filter.{at}", filter_.file)
    for at, ensemble in enumerate(manifest.ensemble):
        yield _Named(ensemble.system, f"ensemble.{at}", ensemble.file)
    for at, judge in enumerate(manifest.judge):
        yield _Named(judge.name, f"judge.{at}", judge.file)


def _given(name: str | None) -> tuple[str, ...]:
    return () if name is None else (name,)


def load_manifest(path: Path) -> ReportManifest:
    """The manifest of a TOML file; paths in it count from its folder.

    BadInputError names the key and what is allowed.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BadInputError("not UTF-8 text; a manifest is a TOML file in UTF-8", path=path) from error
    except tomllib.TOMLDecodeError as error:
        raise BadInputError(f"not valid TOML: {error}", path=path) from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    _anchor(data, path.parent)
    try:
        manifest = ReportManifest.model_validate(data)
    except ValidationError as error:
        reason, key = complaint(error, ReportManifest, _ENTRIES)
        raise BadInputError(reason, path=path, key=key) from error
    _check_files(manifest, path)
    return manifest


def _check_files(manifest: ReportManifest, path: Path) -> None:
    files = [("gold", manifest.gold), *((f"{one.key}.file", one.file) for one in _systems(manifest))]
    for key, file in files:
        if file is not None and not file.exists():
            way_out = "" if key == "gold" else "; take the entry out to have its row say that it was not measured"
            raise BadInputError(
                f"{file}: no such file (paths count from the manifest's folder){way_out}", path=path, key=key
            )


def _anchor(data: dict[str, Any], folder: Path) -> None:
    """Makes the paths of a manifest count from its folder."""

    def anchor(table: dict[str, Any], key: str) -> None:
        if isinstance(table.get(key), str):
            table[key] = str(folder / Path(table[key]).expanduser())

    anchor(data, "gold")
    if str(data.get("labels", "")).endswith(".toml"):
        anchor(data, "labels")
    for role in _ENTRIES:
        entries = data.get(role)
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, dict):
                anchor(entry, "file")


_ENTRIES: dict[str, type[_Entry]] = {
    "tagger": TaggerEntry,
    "filter": FilterEntry,
    "ensemble": EnsembleEntry,
    "judge": JudgeEntry,
}
