"""Bundles of FHIR, held by a FHIR library: R4 (the library's R4B) and R5."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.bundle import Bundle as BundleR5
from fhir.resources.R4B.bundle import Bundle as BundleR4

from medner.core.errors import BadInputError, UserError
from medner.core.labels import load_label_set
from medner.core.records import (
    AnnotatedDocument,
    AnnotatedEntity,
    Annotation,
    Decision,
    Document,
    Entity,
    Sentence,
    SourcePlace,
)
from medner.store.corpora.fhir.files import fhir_file
from medner.store.corpora.fhir.mapping import EXTENSION, load_mapping, mapping_toml
from medner.store.corpora.fhir.resources import DERIVATION

TEXT = "患者胸痛3天，既往高血压，口服阿司匹林，行心电图，血红蛋白98g/L。"
WORDS = {"胸痛": "sym", "胸": "bod", "高血压": "dis", "阿司匹林": "dru", "心电图": "pro", "血红蛋白": "ite"}
LABELS = load_label_set("cmeee-v2")


def entity(word: str, label: str) -> Entity:
    return Entity(TEXT.index(word), TEXT.index(word) + len(word), label)


def annotated(name: str = "a", *, kept: tuple[tuple[str, str], ...] = ()) -> AnnotatedDocument:
    places = (SourcePlace(0, len(TEXT), 2, 5, "现病史"),)
    found = tuple(
        AnnotatedEntity(entity(word, label), Decision.JUDGED, ("span-8",), 0.75) for word, label in WORDS.items()
    )
    return AnnotatedDocument(Document(name, TEXT, (), kept, places), (Annotation(Sentence(f"{name}#0", TEXT), found),))


def bundle_of(path: Path, mapping: Path | None = None, *documents: AnnotatedDocument) -> Any:
    with fhir_file(path, mapping, LABELS) as file:
        for document in documents or (annotated(),):
            file.add(document)
    return json.loads(path.read_text(encoding="utf-8"))


def mapping_file(path: Path, *changes: tuple[str, str]) -> Path:
    text = mapping_toml("cmeee-v2")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text, encoding="utf-8")
    return path


def extension(resource: dict[str, Any], url: str) -> dict[str, Any]:
    [found] = [one for one in resource["extension"] if one["url"] == url]
    return {one["url"]: next(value for key, value in one.items() if key != "url") for one in found["extension"]}


def test_each_type_becomes_its_resource(tmp_path: Path) -> None:
    """Text only, no codes; types without a resource are left out and counted."""
    with fhir_file(tmp_path / "b.json", None, LABELS) as file:
        file.add(annotated())
    [remark] = file.remarks()
    assert "1 entities have no FHIR resource and are left out: bod 1 (--fhir-mapping FILE" in remark

    bundle = json.loads((tmp_path / "b.json").read_text(encoding="utf-8"))
    resources = [entry["resource"] for entry in bundle["entry"]]
    concepts = [(one["resourceType"], one.get("code") or one.get("medicationCodeableConcept")) for one in resources[1:]]
    assert concepts == [
        ("Observation", {"text": "胸痛"}),
        ("Condition", {"text": "高血压"}),
        ("MedicationStatement", {"text": "阿司匹林"}),
        ("Procedure", {"text": "心电图"}),
        ("Observation", {"text": "血红蛋白"}),
    ]
    assert BundleR4.model_validate(bundle).type == "collection"


def test_offsets_lead_into_the_text_of_the_document_reference(tmp_path: Path) -> None:
    """HL7's extension and ours give the same place; decision, score, page and section stay."""
    entries = bundle_of(tmp_path / "b.json")["entry"]
    reference = entries[0]
    assert reference["resource"]["resourceType"] == "DocumentReference"
    text = base64.b64decode(reference["resource"]["content"][0]["attachment"]["data"]).decode("utf-8")
    for entry in entries[1:]:
        resource = entry["resource"]
        derived, ours = extension(resource, DERIVATION), extension(resource, EXTENSION)
        concept = resource.get("code") or resource["medicationCodeableConcept"]
        assert text[derived["offset"] : derived["offset"] + derived["length"]] == concept["text"]
        assert text[ours["start"] : ours["end"]] == concept["text"]
        assert derived["reference"] == {"reference": reference["fullUrl"]}
        assert (ours["decision"], ours["score"], ours["tagger"]) == ("judged", 0.75, "span-8")
        assert (ours["page"], ours["paragraph"], ours["part"]) == (2, 5, "现病史")
        assert (ours["label"], ours["labelName"]) == (ours["label"], LABELS.type_of(ours["label"]).name)


def test_nothing_is_claimed_that_the_text_does_not_say(tmp_path: Path) -> None:
    """Whether a disease is negated is not known, so nothing is confirmed."""
    resources = [entry["resource"] for entry in bundle_of(tmp_path / "b.json")["entry"][1:]]
    statuses = {one["resourceType"]: one.get("status") for one in resources}
    assert statuses == {
        "Observation": "preliminary",
        "Condition": None,
        "MedicationStatement": "unknown",
        "Procedure": "unknown",
    }
    [condition] = [one for one in resources if one["resourceType"] == "Condition"]
    assert condition["verificationStatus"]["coding"][0]["code"] == "unconfirmed"
    assert "clinicalStatus" not in condition


def test_r5_and_transactions(tmp_path: Path) -> None:
    """The other release has its own keys; a transaction says where each resource goes."""
    mapping = mapping_file(tmp_path / "m.toml", ('"R4"', '"R5"'), ('"collection"', '"transaction"'))
    bundle = bundle_of(tmp_path / "b.json", mapping)
    BundleR5.model_validate(bundle)
    by_type = {entry["resource"]["resourceType"]: entry for entry in bundle["entry"]}
    assert by_type["MedicationStatement"]["resource"]["medication"] == {"concept": {"text": "阿司匹林"}}
    assert by_type["MedicationStatement"]["resource"]["status"] == "draft"
    assert by_type["Condition"]["resource"]["clinicalStatus"]["coding"][0]["code"] == "unknown"
    assert by_type["Condition"]["request"] == {"method": "POST", "url": "Condition"}


def test_codes_are_the_users_own(tmp_path: Path) -> None:
    """A code map gives codes to texts, of one type or of any."""
    mapping = mapping_file(tmp_path / "m.toml", ("# codes", "codes"))
    rows = "label,text,system,code,display\ndis,高血压,http://hl7.org/fhir/sid/icd-10,I10,特发性高血压\nsym,高血压,x:y,0,\n,胸痛,x:y,1,\n"
    (tmp_path / "codes.csv").write_text("\ufeff" + rows, encoding="utf-8")
    bundle = bundle_of(tmp_path / "b.json", mapping)
    BundleR4.model_validate(bundle)
    codes = {
        one["resource"]["code"]["text"]: one["resource"]["code"].get("coding")
        for one in bundle["entry"]
        if "code" in one["resource"]
    }
    assert codes["高血压"] == [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "I10", "display": "特发性高血压"}]
    assert codes["胸痛"] == [{"system": "x:y", "code": "1"}]
    assert codes["心电图"] is None


def test_the_patient_comes_from_kept_columns(tmp_path: Path) -> None:
    """As a reference or an identifier; without either, the document is named in words."""
    plain = bundle_of(tmp_path / "a.json")["entry"][1]["resource"]
    assert plain["subject"] == {"display": "the patient of document a"}
    kept = (("住院号", "00124"),)
    mapping = mapping_file(tmp_path / "m.toml", ("# reference", "reference"))
    bundle = bundle_of(tmp_path / "b.json", mapping, annotated(kept=kept))
    assert {entry["resource"]["subject"]["reference"] for entry in bundle["entry"]} == {"Patient/00124"}
    with pytest.raises(BadInputError, match=r"needs the column '住院号'.*--keep 住院号"):
        bundle_of(tmp_path / "c.json", mapping)
    with pytest.raises(BadInputError, match="is no reference of FHIR"):
        bundle_of(tmp_path / "c.json", mapping, annotated(kept=(("住院号", "张某 1"),)))
    assert not (tmp_path / "c.json").exists()
    mapping = mapping_file(tmp_path / "n.toml", ("# system", "system"), ("# value", "value"))
    bundle = bundle_of(tmp_path / "b.json", mapping, annotated(kept=kept))
    BundleR4.model_validate(bundle)
    subject = bundle["entry"][1]["resource"]["subject"]
    assert subject == {"type": "Patient", "identifier": {"system": "urn:oid:2.16.156.10011.1.12", "value": "00124"}}


def test_lines_are_a_bundle_a_document_and_ids_are_stable(tmp_path: Path) -> None:
    """Each run gives the same resource the same id; two documents share none."""
    path = tmp_path / "b.ndjson"
    for _ in range(2):
        with fhir_file(path, None, LABELS) as file:
            file.add(annotated("a"))
            file.add(annotated("b"))
            file.add(AnnotatedDocument(Document("c", "正常。"), ()))
        bundles = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        ids = [entry["resource"]["id"] for bundle in bundles for entry in bundle["entry"]]
        assert len(set(ids)) == len(ids) == 13
        assert ids[0] == bundle_of(tmp_path / "one.json")["entry"][0]["resource"]["id"]
    assert [len(BundleR4.model_validate(bundle).entry) for bundle in bundles] == [6, 6, 1]


def test_entities_of_a_corpus_have_no_decision(tmp_path: Path) -> None:
    """A document that is not annotated gives its own entities."""
    plain = AnnotatedDocument(Document("a", TEXT, (entity("高血压", "dis"),)), ())
    resource = bundle_of(tmp_path / "b.json", None, plain)["entry"][1]["resource"]
    assert extension(resource, EXTENSION).keys() == {"start", "end", "label", "labelName"}


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"Condition"', '"Device"', "types.dis.resource"),
        ('"unconfirmed"', '"sure"', "a Condition has no status 'sure'; there are confirmed"),
        ("[types.dis]", "[types.disease]", "has no type 'disease'; it has dis, sym"),
        ('fhir = "R4"', 'fihr = "R4"', "unknown key"),
        ('"R4"', '"R3"', "fhir"),
        ("# codes", "codes", "cannot be read"),
        ("[subject]", "[subject", "not valid TOML"),
    ],
)
def test_mistakes_in_a_mapping_are_named(old: str, new: str, reason: str, tmp_path: Path) -> None:
    """File, key and what is allowed."""
    mapping = mapping_file(tmp_path / "m.toml", (old, new))
    with pytest.raises(UserError) as caught:
        load_mapping(mapping, LABELS)
    assert reason in str(caught.value)


def test_every_shipped_label_set_has_a_mapping() -> None:
    """Its types exist, and its name is the label set's; another label set says how to get one."""
    for name in ("cmeee-v2", "ccks2019"):
        assert load_mapping(None, load_label_set(name)).types
    with pytest.raises(UserError, match="--fhir-mapping FILE"):
        load_mapping(None, None)
    with pytest.raises(UserError, match="one Bundle"), fhir_file(Path("x.xml"), None, LABELS):
        pass
