"""The resources of a document: a DocumentReference with its text, and one for each entity of a mapped type."""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from medner.core.labels import LabelSet
from medner.core.records import AnnotatedDocument, AnnotatedEntity, Entity, SourcePlace, places_of
from medner.store.corpora.fhir.mapping import FhirMapping
from medner.store.corpora.json_formats.jsonl import result_of

Resource = dict[str, Any]
#: HL7's own extension: from where in a text a resource was taken.
DERIVATION = "http://hl7.org/fhir/StructureDefinition/derivation-reference"
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_NAMES = uuid.UUID("6f7dcb0c-9a35-5b52-8d43-3c1f0c5c8f0e")


@dataclass(slots=True)
class FhirWriter:
    """Makes resources; ``left_out`` counts entities by types that the mapping gives no resource."""

    mapping: FhirMapping
    labels: LabelSet | None
    resources: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def bundle(self, entries: list[Resource]) -> Resource:
        """A Bundle of entries."""
        bundle: Resource = {"resourceType": "Bundle", "type": self.mapping.bundle}
        return {**bundle, "entry": entries} if entries else bundle

    def entries(self, annotated: AnnotatedDocument) -> Iterator[Resource]:
        """The entries of a document. A document that is not annotated gives its own entities."""
        document = annotated.document
        key = f"{document.id}\0{hashlib.sha256(document.text.encode('utf-8')).hexdigest()}"
        reference, subject = _id_of(key), self.mapping.subject_of(document)
        yield self._entry(reference, self._reference(annotated, subject))
        known = {one.entity: one for one in result_of(annotated.annotations)}
        for entity in known or document.entities:
            if entity.label not in self.mapping.types:
                self.left_out[entity.label] += 1
                continue
            self.resources += 1
            resource = self._resource(entity, document.text, subject)
            resource["extension"] = [
                _derivation(reference, entity),
                self._extension(entity, known.get(entity), places_of(document.places, entity.start, entity.end)),
            ]
            yield self._entry(_id_of(f"{key}\0{entity.start}\0{entity.end}\0{entity.label}"), resource)

    def _entry(self, id_: str, resource: Resource) -> Resource:
        kind = resource.pop("resourceType")
        entry: Resource = {"fullUrl": f"urn:uuid:{id_}", "resource": {"resourceType": kind, "id": id_, **resource}}
        if self.mapping.bundle != "collection":
            entry["request"] = {"method": "POST", "url": kind}
        return entry

    def _reference(self, annotated: AnnotatedDocument, subject: Resource) -> Resource:
        document = annotated.document
        attachment: Resource = {"contentType": "text/plain; charset=utf-8", "title": document.id}
        data = document.text.encode("utf-8")
        if self.mapping.text and data:
            attachment["data"] = base64.b64encode(data).decode("ascii")
        # FHIR names SHA-1 for this hash.
        attachment["hash"] = base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode("ascii")
        return {
            "resourceType": "DocumentReference",
            "status": "current",
            "subject": subject,
            "content": [{"attachment": attachment}],
        }

    def _resource(self, entity: Entity, text: str, subject: Resource) -> Resource:
        concept = self._concept(entity, entity.text_in(text))
        mapped, is_r5 = self.mapping.types[entity.label], self.mapping.fhir == "R5"
        status = mapped.settled_status()
        resource: Resource = {"resourceType": mapped.resource}
        if mapped.resource == "Condition":
            if is_r5:
                # R5 wants one, and nothing is known of it.
                resource["clinicalStatus"] = _coded("condition-clinical", "unknown")
            return {
                **resource,
                "verificationStatus": _coded("condition-ver-status", status),
                "code": concept,
                "subject": subject,
            }
        if mapped.resource == "MedicationStatement":
            if is_r5:
                status = status if status in ("recorded", "draft") else "draft"
                return {**resource, "status": status, "medication": {"concept": concept}, "subject": subject}
            status = "unknown" if status in ("recorded", "draft") else status
            return {**resource, "status": status, "medicationCodeableConcept": concept, "subject": subject}
        return {**resource, "status": status, "code": concept, "subject": subject}

    def _concept(self, entity: Entity, text: str) -> Resource:
        coding = self.mapping.coding_of(entity.label, text)
        if coding is None:
            return {"text": text}
        coded = {"system": coding.system, "code": coding.code}
        return {"coding": [{**coded, "display": coding.display} if coding.display else coded], "text": text}

    def _extension(self, entity: Entity, found: AnnotatedEntity | None, places: tuple[SourcePlace, ...]) -> Resource:
        """Where the entity stands and why it is there."""
        name = self.labels.type_of(entity.label).name if self.labels and entity.label in self.labels else ""
        values: list[tuple[str, str, object]] = [
            ("start", "Integer", entity.start),
            ("end", "Integer", entity.end),
            ("label", "Code", entity.label),
            ("labelName", "String", name),
        ]
        if found is not None:
            values += [
                ("decision", "Code", found.decision.value),
                ("score", "Decimal", found.score),
                *(("tagger", "String", tagger) for tagger in found.taggers),
            ]
        if places:
            values += [
                ("page", "PositiveInt", places[0].page),
                ("paragraph", "PositiveInt", places[0].paragraph),
                ("part", "String", places[0].part),
            ]
        parts = [{"url": name, f"value{kind}": value} for name, kind, value in values if value not in (None, "")]
        return {"url": self.mapping.extension, "extension": parts}


def _derivation(reference: str, entity: Entity) -> Resource:
    parts: list[Resource] = [
        {"url": "reference", "valueReference": {"reference": f"urn:uuid:{reference}"}},
        {"url": "path", "valueString": "DocumentReference.content[0].attachment.data"},
        {"url": "offset", "valueInteger": entity.start},
        {"url": "length", "valueInteger": entity.end - entity.start},
    ]
    return {"url": DERIVATION, "extension": parts}


def _coded(system: str, code: str) -> Resource:
    return {"coding": [{"system": f"{_TERMINOLOGY}/{system}", "code": code}]}


def _id_of(key: str) -> str:
    """The same id for the same thing in each run."""
    return str(uuid.uuid5(_NAMES, key))
