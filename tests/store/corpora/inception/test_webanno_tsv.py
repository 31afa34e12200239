"""WebAnno TSV 3: what INCEpTION's own files look like is understood, and what is written looks like them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from medner.core.errors import BadInputError
from medner.core.records import Document, Entity
from medner.store.corpora import Loss, Note, Reading, ReadOptions, read_documents, write_documents
from medner.store.corpora.reading.read_log import ReadLog

Make = Callable[..., Path]
HEAD = "#FORMAT=WebAnno TSV 3.3\n#T_SP=de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity|identifier|value\n\n\n"
#: Emoji and rare Han take two UTF-16 units; stacked and long annotations have numbers; a word has parts.
FILE = HEAD + (
    "#Text=患者😊𠮷 COPD\n"
    "1-1\t0-1\t患\t_\t_\t\n"
    "1-2\t1-2\t者\t_\t_\t\n"
    "1-3\t2-4\t😊\t*[1]|*[2]\tsym[1]|dis[2]\t\n"
    "1-4\t4-6\t𠮷\t*[1]\tsym[1]\t\n"
    "1-5\t7-11\tCOPD\t_\t_\t\n"
    "1-5.1\t7-9\tCO\t*\titm\t\n"
    "1-5.2\t9-11\tPD\t*[3]\tbod[3]\t\n"
    "\n"
    "#Text=咳嗽。\n"
    "2-1\t11-12\t咳\t*[3]\tbod[3]\t\n"
    "2-2\t12-13\t嗽\t_\t_\t\n"
    "2-3\t13-14\t。\t_\t_\t\n"
)


def read_all(path: Path, **options: str) -> tuple[Reading, list[Document]]:
    """A reading that has ended, and its documents."""
    reading = read_documents(path, **options)  # type: ignore[arg-type]
    return reading, list(reading)


def entities_of(path: Path) -> list[tuple[str, str]]:
    """The texts and labels of a file of one document."""
    _, (document,) = read_all(path)
    return [(one.text_in(document.text), one.label) for one in document.entities]


def test_a_file_in_the_layout_of_inception_is_read(make: Make) -> None:
    """Text and places are in code points; stacked, nested, sub-token and cross-sentence annotations are there."""
    reading, (document,) = read_all(make(FILE, "入院 1.tsv"))
    assert (reading.format.name, document.id) == ("webanno-tsv", "入院 1")
    assert document.text == "患者😊𠮷 COPD咳嗽。"
    assert document.entities == (
        Entity(2, 4, "sym"),
        Entity(2, 3, "dis"),
        Entity(5, 7, "itm"),
        Entity(7, 10, "bod"),
    )


def test_gaps_between_sentences_become_a_line_break_and_spaces(make: Make) -> None:
    """The format has no text between sentences; as INCEpTION does it, one character is a line break."""
    rows = "#Text=咳。\n1-1\t3-4\t咳\t_\t_\t\n1-2\t4-5\t。\t_\t_\t\n\n#Text=嗽\n2-1\t8-9\t嗽\t_\tsym\t\n"
    _, (document,) = read_all(make(HEAD + rows, "a.tsv"))
    assert document.text == "   咳。\n  嗽"
    assert entities_of(make(HEAD + rows, "b.tsv")) == [("嗽", "sym")]


def test_lines_and_escapes_of_a_text(make: Make) -> None:
    """A sentence of several lines, a tab, a carriage return, a backslash and a control character."""
    rows = "#Text=既往\\r\n#Text=史\\t\\\\\\\x07。\n1-1\t0-1\t既\t_\t_\t\n1-2\t4-5\t史\t_\tdis\t\n"
    _, (document,) = read_all(make(HEAD + rows, "a.tsv"))
    assert document.text == "既往\r\n史\t\\\x07。"
    assert document.entities == (Entity(4, 5, "dis"),)


@pytest.mark.parametrize(
    ("cell", "label"),
    [
        ("de.ukp.NamedEntity:value", "de.ukp.NamedEntity:value"),
        ("\\_", "_"),
        ("\\*", "*"),
        ("NOT\\[0\\]", "NOT[0]"),
        ("NOT\\[0\\][4]", "NOT[0]"),
        ("a\\|b\\;c\\->d", "a|b;c->d"),
        ("a\\\\", "a\\"),
        ("B-疾病", "B-疾病"),
    ],
)
def test_values_with_reserved_characters(make: Make, tmp_path: Path, cell: str, label: str) -> None:
    """They are read, and written the same way."""
    assert entities_of(make(HEAD + f"#Text=咳\n1-1\t0-1\t咳\t_\t{cell}\t\n", "a.tsv")) == [("咳", label)]
    write_documents([Document("b", "咳", (Entity(0, 1, label),))], tmp_path / "b.tsv", format="webanno-tsv")
    written = (tmp_path / "b.tsv").read_text(encoding="utf-8").splitlines()[-1].split("\t")[3]
    assert written == cell.removesuffix("[4]")


def test_other_layers_are_counted_and_left_out(make: Make) -> None:
    """Parts of speech, slots, chains and relations have columns of their own."""
    head = (
        "#FORMAT=WebAnno TSV 3.2\n"
        "#T_SP=de.tudarmstadt.ukp.dkpro.core.api.lexmorph.type.pos.POS|PosValue\n"
        "#T_SP=webanno.custom.Drug|ROLE_webanno.custom.Drug:dose_webanno.custom.Link|webanno.custom.Dose|kind\n"
        "#T_CH=de.tudarmstadt.ukp.dkpro.core.api.coref.type.CoreferenceLink|referenceType|referenceRelation\n"
        "#T_RL=webanno.custom.Relation|name|BT_webanno.custom.Drug\n\n\n"
    )
    rows = (
        "1-1\t0-1\t钠\tNN\tp1;p2\t1-2;1-3\tdru\tpr[1]\tcoref->1-1\tR\t1-1\t\n1-2\t1-2\t片\tNN\t_\t_\t_\t_\t_\t_\t_\t\n"
    )
    told: list[str] = []
    path = make(head + "#Text=钠片\n" + rows, "a.tsv")
    reading = read_documents(path, options=ReadOptions(log=ReadLog(told.append)))
    (document,) = reading
    assert document.entities == (Entity(0, 1, "dru"),)
    assert reading.notes[Note.OTHER_LAYER] == 4
    assert "webanno.custom.Drug" in told[0]
    assert "feature kind" in told[0]


def test_a_layer_without_features_is_the_label(make: Make) -> None:
    """And its annotations are stars, stacked ones with numbers."""
    head = "#FORMAT=WebAnno TSV 3.3\n#T_SP=webanno.custom.Symptom|\n\n\n#Text=咳嗽\n"
    rows = "1-1\t0-1\t咳\t*[1]|*[2]\t\n1-2\t1-2\t嗽\t*[1]\t\n1-2.1\t2-2\t\t*\t\n"
    path = make(head + rows, "a.tsv")
    assert entities_of(path) == [("咳嗽", "Symptom"), ("咳", "Symptom")]
    assert read_all(path)[0].notes[Note.NO_PLACE] == 1


def test_annotations_without_a_value_are_counted(make: Make) -> None:
    """They are left out beside others, and an error where nothing else is there."""
    row = "#Text=咳嗽\n1-1\t0-1\t咳\t_\t*\t\n1-2\t1-2\t嗽\t_\t"
    reading, (document,) = read_all(make(HEAD + row + "sym\t\n", "a.tsv"))
    assert (reading.notes[Note.NO_LABEL], len(document.entities)) == (1, 1)
    with pytest.raises(BadInputError, match="no entity was read"):
        read_all(make(HEAD + row + "_\t\n", "b.tsv"))


def test_offsets_in_code_points_are_recognised(make: Make) -> None:
    """Tools in other languages than Java write them; the tokens tell."""
    rows = "#Text=😊咳嗽\n1-1\t0-1\t😊\t_\t_\t\n1-2\t1-2\t咳\t*[1]\tsym[1]\t\n1-3\t2-3\t嗽\t*[1]\tsym[1]\t\n"
    reading, (document,) = read_all(make(HEAD + rows, "a.tsv"))
    assert document.entities == (Entity(1, 3, "sym"),)
    assert reading.notes[Note.CODE_POINTS] == 1


def test_old_versions_escape_texts_as_java_does(make: Make) -> None:
    """A rare character is its two surrogates there."""
    rows = "#Text=\\uD83D\\uDE0A\\u54B3\\\\\n1-1\t0-2\t😊\t_\t_\t\n1-2\t2-3\t咳\t_\tsym\t\n"
    assert entities_of(make(HEAD.replace("3.3", "3.1") + rows, "a.tsv")) == [("咳", "sym")]


@pytest.mark.parametrize(
    ("content", "reason", "line"),
    [
        (HEAD + "#Text=咳\n1-1\t0-1\t嗽\t_\t_\t\n", "the token is said to be '嗽', but", 6),
        (HEAD + "#Text=咳\n1-1\t0-1\t咳\n", "1 columns of annotation, where the header declares 2", 6),
        (HEAD + "#Text=咳\nnonsense\n", "not a row", 6),
        (HEAD + "#Text=咳嗽\n1-1\t0-1\t咳\t_\t_\t\n\n#Text=吐\n2-1\t1-2\t吐\t_\t_\t\n", "a sentence begins before", 9),
        (HEAD + "#Text=咳\n\n", "a sentence without rows", 6),
        ("#FORMAT=WebAnno TSV 2.0\n", "not WebAnno TSV 3", 1),
    ],
)
def test_broken_files_name_the_line(make: Make, content: str, reason: str, line: int) -> None:
    """And what is wrong there."""
    with pytest.raises(BadInputError, match=reason) as told:
        read_all(make(content, "a.tsv"), format="webanno-tsv")
    assert told.value.line == line


def test_folders_files_and_streams(tmp_path: Path) -> None:
    """A folder has a file a document, a target that ends in .tsv is one document."""
    documents = [Document("a/1", "咳嗽。", (Entity(0, 2, "sym"),)), Document("b", "", ())]
    write_documents(documents, tmp_path / "out", format="webanno-tsv")
    assert [one.name for one in sorted((tmp_path / "out").iterdir())] == ["a%2F1.tsv", "b.tsv"]
    assert list(read_documents(tmp_path / "out")) == documents
    write_documents(documents[:1], tmp_path / "one.tsv", format="webanno-tsv")
    assert (tmp_path / "one.tsv").is_file()


def test_what_is_written_looks_like_inceptions_own(tmp_path: Path) -> None:
    """Header, sentences, UTF-16 offsets, parts of tokens and numbers are as in its reference files."""
    text = "患者😊𠮷 COPD咳。\n既往体健。"
    entities = (Entity(2, 4, "sym"), Entity(2, 3, "dis"), Entity(5, 7, "itm"), Entity(7, 10, "bod"))
    writing = write_documents([Document("a", text, entities)], tmp_path / "a.tsv", format="webanno-tsv")
    assert not writing.losses
    assert (tmp_path / "a.tsv").read_text(encoding="utf-8") == (
        "#FORMAT=WebAnno TSV 3.3\n#T_SP=de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity|value\n\n\n"
        "#Text=患者😊𠮷 COPD咳。\n"
        "1-1\t0-1\t患\t_\t\n"
        "1-2\t1-2\t者\t_\t\n"
        "1-3\t2-4\t😊\tsym[1]|dis[2]\t\n"
        "1-4\t4-6\t𠮷\tsym[1]\t\n"
        "1-5\t7-11\tCOPD\t_\t\n"
        "1-5.1\t7-9\tCO\titm\t\n"
        "1-5.2\t9-11\tPD\tbod[3]\t\n"
        "1-6\t11-12\t咳\tbod[3]\t\n"
        "1-7\t12-13\t。\t_\t\n"
        "\n"
        "#Text=既往体健。\n"
        "2-1\t14-15\t既\t_\t\n"
        "2-2\t15-16\t往\t_\t\n"
        "2-3\t16-17\t体\t_\t\n"
        "2-4\t17-18\t健\t_\t\n"
        "2-5\t18-19\t。\t_\t\n"
    )


def test_what_it_cannot_hold_is_counted(tmp_path: Path) -> None:
    """White space at edges, entities of nothing else, white space before the first word, NUL, blank texts."""
    documents = [
        Document("a", "\t咳嗽 \0。", (Entity(1, 4, "sym"), Entity(3, 4, "dis"))),
        Document("b", " \n", (Entity(0, 1, "sym"),)),
    ]
    writing = write_documents(documents, tmp_path / "out", format="webanno-tsv")
    assert writing.losses == {
        Loss.EDGE_WHITE: 1,
        Loss.ALL_WHITE: 2,
        Loss.LEADING_WHITE: 1,
        Loss.CONTROL: 1,
        Loss.EMPTY: 1,
    }
    assert list(read_documents(tmp_path / "out")) == [
        Document("a", " 咳嗽 \ufffd。", (Entity(1, 3, "sym"),)),
        Document("b", "", ()),
    ]
