"""UIMA CAS as JSON and XMI: what dkpro-cassis, the library of the field, writes is read, and the other way round."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

cassis = pytest.importorskip("cassis")

from medner.core.errors import BadInputError
from medner.core.records import Document, Entity
from medner.store.corpora import Loss, Note, ReadOptions, read_documents, write_documents
from medner.store.corpora.reading.read_log import ReadLog

Make = Callable[..., Path]
NAMED = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"
CUSTOM = "webanno.custom.Finding"
TEXT = '患者😊𠮷 <COPD> & "咳嗽"\r\n\t三天。\n'
ENTITIES = (Entity(2, 4, "sym"), Entity(2, 3, "dis"), Entity(3, 10, "a<b>&\"'"), Entity(14, 16, "sym"))
FORMATS = {"cas-json": ".json", "cas-xmi": ".xmi"}


def types() -> Any:
    """The types of a project with a layer of its own, as a user makes one."""
    system = cassis.TypeSystem()
    named = system.create_type(NAMED, supertypeName="uima.tcas.Annotation")
    system.create_feature(named, "value", "uima.cas.String")
    system.create_feature(named, "identifier", "uima.cas.String")
    custom = system.create_type(CUSTOM, supertypeName="uima.tcas.Annotation")
    system.create_feature(custom, "order", "uima.cas.Integer")
    system.create_feature(custom, "Category", "uima.cas.String")
    system.create_feature(custom, "remark", "uima.cas.String")
    pos = system.create_type("de.tudarmstadt.ukp.dkpro.core.api.lexmorph.type.pos.POS", "uima.tcas.Annotation")
    system.create_feature(pos, "PosValue", "uima.cas.String")
    return system


def saved(cas: Any, name: str, folder: Path) -> Path:
    """A CAS as cassis writes it; with its type system beside it, as INCEpTION exports XMI."""
    path = folder / f"入院{FORMATS[name]}"
    if name == "cas-json":
        cas.to_json(path)
    else:
        cas.to_xmi(path)
        cas.typesystem.to_xml(folder / "TypeSystem.xml")
    return path


def of_entities(system: Any) -> Any:
    """A CAS of the text with its entities and a part of speech."""
    cas = cassis.Cas(typesystem=system)
    cas.sofa_string = TEXT
    cas.sofa_mime = "text"
    named = system.get_type(NAMED)
    for one in ENTITIES:
        cas.add(named(begin=one.start, end=one.end, value=one.label, identifier="http://x/1"))
    pos = system.get_type("de.tudarmstadt.ukp.dkpro.core.api.lexmorph.type.pos.POS")
    cas.add(pos(begin=0, end=1, PosValue="NN"))
    return cas


@pytest.mark.parametrize("name", FORMATS)
def test_what_cassis_writes_is_read(tmp_path: Path, name: str) -> None:
    """Text and entities in code points, whatever UTF-16 counts; other layers are counted."""
    reading = read_documents(saved(of_entities(types()), name, tmp_path))
    (document,) = reading
    assert (reading.format.name, document) == (name, Document("入院", TEXT, ENTITIES))
    assert reading.notes[Note.OTHER_LAYER] == 1


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_written_cassis_reads(tmp_path: Path, name: str) -> None:
    """The same text and entities, and sentences and tokens that cover what they should."""
    folder = tmp_path / "out"
    assert not write_documents([Document("入院", TEXT, ENTITIES)], folder, format=name).losses
    if name == "cas-json":
        cas = cassis.load_cas_from_json((folder / "入院.json").read_text(encoding="utf-8"))
    else:
        system = cassis.load_typesystem(folder / "TypeSystem.xml")
        cas = cassis.load_cas_from_xmi(folder / "入院.xmi", typesystem=system)
    assert cas.sofa_string == TEXT
    found = {Entity(one.begin, one.end, one.value) for one in cas.select(NAMED)}
    assert found == set(ENTITIES)
    segmentation = "de.tudarmstadt.ukp.dkpro.core.api.segmentation.type."
    sentences = [one.get_covered_text() for one in cas.select(f"{segmentation}Sentence")]
    assert sentences == ['患者😊𠮷 <COPD> & "咳嗽"', "三天。"]
    tokens = [one.get_covered_text() for one in cas.select(f"{segmentation}Token")]
    assert tokens == ["患", "者", "😊", "𠮷", "<", "COPD", ">", "&", '"', "咳", "嗽", '"', "三", "天", "。"]


@pytest.mark.parametrize("name", FORMATS)
def test_a_layer_of_a_projects_own_is_read_by_its_label(tmp_path: Path, name: str) -> None:
    """The feature of a usual name is the label, and is told; annotations without one are counted."""
    system = types()
    cas = cassis.Cas(typesystem=system)
    cas.sofa_string = "咳嗽"
    layer = system.get_type(CUSTOM)
    cas.add(layer(begin=0, end=2, Category="sym", remark="三天", order=7))
    cas.add(layer(begin=0, end=1, remark="?"))
    cas.add(layer(begin=1, end=1, Category="dis"))
    told: list[str] = []
    reading = read_documents(saved(cas, name, tmp_path), options=ReadOptions(log=ReadLog(told.append)))
    (document,) = reading
    assert document.entities == (Entity(0, 2, "sym"),)
    assert (reading.notes[Note.NO_LABEL], reading.notes[Note.NO_PLACE]) == (1, 1)
    assert "feature Category" in told[0]


def test_xmi_without_its_type_system(tmp_path: Path) -> None:
    """Features are those that annotations have; numbers are references to others."""
    path = saved(of_entities(types()), "cas-xmi", tmp_path)
    (tmp_path / "TypeSystem.xml").unlink()
    assert next(read_documents(path)).entities == ENTITIES


def test_deleted_annotations_and_other_views_are_left_out(make: Make) -> None:
    """Only members of the first view count."""
    content = (
        '<?xml version="1.1" encoding="UTF-8"?><xmi:XMI xmlns:cas="http:///uima/cas.ecore" '
        'xmlns:xmi="http://www.omg.org/XMI" xmlns:custom="http:///webanno/custom.ecore" xmi:version="2.0">'
        '<cas:NULL xmi:id="0"/>'
        '<custom:Sym xmi:id="3" sofa="1" begin="0" end="1" target="3"/>'
        '<custom:Sym xmi:id="4" sofa="1" begin="0" end="2"/>'
        '<custom:Sym xmi:id="5" sofa="2" begin="0" end="2"/>'
        '<cas:Sofa xmi:id="1" sofaNum="1" sofaID="_InitialView" mimeType="text" sofaString="咳嗽"/>'
        '<cas:Sofa xmi:id="2" sofaNum="2" sofaID="other" mimeType="text" sofaString="头痛"/>'
        '<cas:View sofa="1" members="3"/><cas:View sofa="2" members="5"/></xmi:XMI>'
    )
    (document,) = read_documents(make(content, "a.xmi"))
    assert (document.text, document.entities) == ("咳嗽", (Entity(0, 1, "Sym"),))


def test_json_as_an_object_of_structures(make: Make) -> None:
    """Older files have the structures by their ids, and no types."""
    content = (
        '{"%FEATURE_STRUCTURES": {"1": {"%TYPE": "uima.cas.Sofa", "sofaID": "_InitialView", "sofaString": "😊咳"},'
        f'"2": {{"%TYPE": "{NAMED}", "@sofa": 1, "begin": 2, "end": 3, "value": "sym"}}}},'
        '"%VIEWS": {"_InitialView": {"%SOFA": 1, "%MEMBERS": [2]}}}'
    )
    assert next(read_documents(make(content, "a.json"))).entities == (Entity(1, 2, "sym"),)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><xmi:XMI xmlns:xmi="x">&a;</xmi:XMI>', "document type"),
        ('<xmi:XMI xmlns:xmi="http://www.omg.org/XMI"><a></xmi:XMI>', "not valid XML"),
        ('<xmi:XMI xmlns:xmi="http://www.omg.org/XMI"></xmi:XMI>', "0 views that hold a text"),
    ],
)
def test_xml_that_is_not_read(make: Make, content: str, reason: str) -> None:
    """An entity that names a file is refused, and nothing of that file appears."""
    with pytest.raises(BadInputError, match=reason) as told:
        list(read_documents(make(content, "a.xmi")))
    assert "root:" not in str(told.value)


def test_an_offset_inside_a_character_is_an_error(make: Make) -> None:
    """UTF-16 has two units for an emoji, and none begins between them."""
    content = (
        '{"%TYPES": {}, "%FEATURE_STRUCTURES": [{"%ID": 1, "%TYPE": "uima.cas.Sofa", "sofaID": "_InitialView", '
        f'"sofaString": "😊咳"}}, {{"%ID": 2, "%TYPE": "{NAMED}", "@sofa": 1, "begin": 1, "end": 3, "value": "x"}}]}}'
    )
    with pytest.raises(BadInputError, match="is not a span of the text"):
        list(read_documents(make(content, "a.json")))


def test_characters_that_xml_cannot_hold_are_counted(tmp_path: Path) -> None:
    """They are replaced one by one, so that places stay."""
    document = Document("a", "咳\x07嗽\uffff。", (Entity(0, 3, "sym"),))
    writing = write_documents([document], tmp_path / "a.xmi", format="cas-xmi")
    assert writing.losses == {Loss.CONTROL: 2}
    assert list(read_documents(tmp_path / "a.xmi")) == [Document("a", "咳\ufffd嗽\ufffd。", (Entity(0, 3, "sym"),))]
    assert not write_documents([document], tmp_path / "a.json", format="cas-json").losses
    assert list(read_documents(tmp_path / "a.json")) == [document]
