"""Which FHIR resource the entities of a label set become, out of a TOML file, and the codes of a user's own."""

from __future__ import annotations

import csv
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, field_validator

from medner.core.errors import BadInputError, UserError
from medner.core.labels import LabelSet
from medner.core.records import Document
from medner.core.validation import StrictModel, complaint

SHIPPED = ("cmeee-v2", "ccks2019")
#: The beginning of the URLs of extensions that are not HL7's. Nobody has to resolve it; a hospital puts its own.
EXTENSION = "urn:x-medner:entity"
ResourceName = Literal["Condition", "MedicationStatement", "Observation", "Procedure"]
_CODES = {"label", "text", "system", "code", "display"}
_REFERENCE = re.compile(r"(?:urn:uuid:|urn:oid:|https?://)\S+|[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}")
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_STATUSES: dict[str, frozenset[str]] = {
    "Condition": frozenset({"unconfirmed", "provisional", "differential", "confirmed", "refuted"}),
    "MedicationStatement": frozenset(
        {"active", "completed", "intended", "stopped", "on-hold", "unknown", "not-taken", "recorded", "draft"}
    ),
    "Observation": frozenset({"registered", "preliminary", "final", "amended", "corrected", "unknown"}),
    "Procedure": frozenset({"preparation", "in-progress", "not-done", "on-hold", "stopped", "completed", "unknown"}),
}
DEFAULT_STATUS = {
    "Condition": "unconfirmed",
    "MedicationStatement": "unknown",
    "Observation": "preliminary",
    "Procedure": "unknown",
}


@dataclass(frozen=True, slots=True)
class Coding:
    """A code of a user's code map."""

    system: str
    code: str
    display: str = ""


class TypeMapping(StrictModel):
    """What the entities of a type become. ``status``: the resource's, for a Condition its verificationStatus."""

    resource: ResourceName
    status: str | None = None

    def settled_status(self) -> str:
        """The status, or the one of the resource that claims least."""
        return self.status or DEFAULT_STATUS[self.resource]


class Subject(StrictModel):
    """Whose the resources are: templates of a reference, or of an identifier's system and value."""

    reference: str | None = None
    system: str | None = None
    value: str | None = None


class _MappingFile(StrictModel):
    labels: str | None = None
    fhir: Literal["R4", "R5"] = "R4"
    bundle: Literal["collection", "batch", "transaction"] = "collection"
    extension: str = Field(EXTENSION, pattern=r"^(urn:|https?://)\S+$")
    text: bool = True
    codes: str | None = None
    subject: Subject = Subject()
    types: dict[str, TypeMapping] = Field(min_length=1)

    @field_validator("types")
    @classmethod
    def _have_statuses(cls, types: dict[str, TypeMapping]) -> dict[str, TypeMapping]:
        for name, one in types.items():
            if one.status is not None and one.status not in _STATUSES[one.resource]:
                allowed = ", ".join(sorted(_STATUSES[one.resource]))
                raise ValueError(f"{name}: a {one.resource} has no status {one.status!r}; there are {allowed}")
        return types


@dataclass(frozen=True, slots=True)
class FhirMapping:
    """A mapping that can be used.

    ``text``: the DocumentReference holds the text. ``codes`` are by label ("" for any) and the entity's text.
    """

    fhir: Literal["R4", "R5"]
    bundle: str
    extension: str
    text: bool
    subject: Subject
    types: Mapping[str, TypeMapping]
    codes: Mapping[tuple[str, str], Coding]

    def coding_of(self, label: str, text: str) -> Coding | None:
        """The code of an entity in the user's code map; None where it has none."""
        return self.codes.get((label, text)) or self.codes.get(("", text))

    def subject_of(self, document: Document) -> dict[str, object]:
        """The reference to the patient. BadInputError where the document lacks a column that it is made of."""
        if self.subject.reference is not None:
            reference = _filled(self.subject.reference, document)
            if not _REFERENCE.fullmatch(reference):
                raise BadInputError(
                    f"document {document.id!r}: {reference!r} is no reference of FHIR (Patient/ID, with at most 64 of "
                    "A-Z a-z 0-9 - . as the ID)"
                )
            return {"reference": reference}
        if self.subject.value is not None:
            identifier = {"value": _filled(self.subject.value, document)}
            if self.subject.system is not None:
                identifier = {"system": self.subject.system, **identifier}
            return {"type": "Patient", "identifier": identifier}
        return {"display": f"the patient of document {document.id}"}


def load_mapping(path: Path | str | None, labels: LabelSet | None) -> FhirMapping:
    """The mapping of a TOML file, or with None the one that ships for the label set.

    UserError where there is none, or for a type that the label set does not have.
    """
    where, folder = str(path), Path(path or ".").parent
    if path is None:
        if labels is None:
            raise UserError(
                "FHIR needs a label set, for its mapping: --labels NAME (in Python labels=), or a mapping of your own: "
                "--fhir-mapping FILE"
            )
        name = labels.name
        if name not in SHIPPED:
            raise UserError(
                f"no FHIR mapping ships for the label set {name!r}; write one and name it: --fhir-mapping FILE "
                "(medner labels fhir cmeee-v2 prints one to start from)"
            )
        where, text = name, mapping_toml(name)
    else:
        text = _text_of(Path(path))
    try:
        data = _MappingFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{where}: not valid TOML: {error}") from error
    except ValidationError as error:
        reason, key = complaint(error, _MappingFile)
        raise UserError(f"{where}: {key}: {reason}") from error
    unknown = [] if labels is None else [code for code in data.types if code not in labels]
    if unknown and labels is not None:
        raise UserError(
            f"{where}: types: the label set {labels.name!r} has no type {unknown[0]!r}; it has "
            f"{', '.join(labels.codes)}"
        )
    codes = {} if data.codes is None else _codes_of(folder / Path(data.codes).expanduser())
    return FhirMapping(data.fhir, data.bundle, data.extension, data.text, data.subject, data.types, codes)


def mapping_toml(name: str) -> str:
    """The TOML text of a mapping that ships. UserError where there is none."""
    if name not in SHIPPED:
        raise UserError(f"no FHIR mapping ships for {name!r}; there are {', '.join(SHIPPED)}")
    return (resources.files("medner.store.corpora.fhir") / "mappings" / f"{name}.toml").read_text(encoding="utf-8")


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text; a FHIR mapping is a TOML file in UTF-8") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error


def _codes_of(path: Path) -> dict[tuple[str, str], Coding]:
    """A code map: a CSV file with the columns text, system and code, and if wanted label and display."""
    rows = csv.DictReader(_text_of(path).splitlines())
    names = set(rows.fieldnames or ())
    if not {"text", "system", "code"} <= names or not names <= _CODES:
        raise UserError(f"{path}: a code map is a CSV file with the columns text, system, code, and label and display")
    codes: dict[tuple[str, str], Coding] = {}
    for number, row in enumerate(rows, 2):
        text, system, code = ((row[name] or "").strip() for name in ("text", "system", "code"))
        if not (text and system and code):
            raise UserError(f"{path}: line {number}: text, system or code is empty")
        key = ((row.get("label") or "").strip(), text)
        coding = Coding(system, code, (row.get("display") or "").strip())
        if codes.setdefault(key, coding) != coding:
            raise UserError(f"{path}: line {number}: {text!r} has another code above")
    return codes


def _filled(template: str, document: Document) -> str:
    """A template with the values of the document's kept columns."""
    values = {name: value for name, value in document.kept if value not in (None, "")} | {"id": document.id}
    missing = next((name for name in _PLACEHOLDER.findall(template) if name not in values), None)
    if missing is not None:
        raise BadInputError(
            f"document {document.id!r}: its subject needs the column {missing!r}, which it lacks or which is empty; "
            f"take it along with --keep {missing}"
        )
    return _PLACEHOLDER.sub(lambda match: str(values[match[1]]), template)
