"""Where entities may begin and end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medner.core.characters import is_blank, is_inside_cluster
from medner.core.edges import MARKS, Edges, trimmed_entities
from medner.core.records import Entity

EDGES = Edges()
TEXTS = st.text(
    st.sampled_from("炎 \u3000\u200b的，。.、；：…a5%（）()“”e\u0301❤\ufe0f\u200d\U0001f44d\U0001f3fd\n目"), max_size=12
)


def trimmed(text: str, edges: Edges = EDGES) -> str | None:
    entity = edges.trimmed(Entity(0, len(text), "dis"), text)
    return None if entity is None else entity.text_in(text)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (" COPD", "COPD"),
        ("\u3000warfarin\xa0", "warfarin"),
        ("\ufeff肺炎\u200b", "肺炎"),
        ("左室射血分数52%，", "左室射血分数52%"),
        ("，、。咳嗽；：…", "咳嗽"),
        ("肺炎.", "肺炎"),
        ("的肺炎的", "肺炎"),
        ("肺炎的，", "肺炎"),
        ("目的", "目"),
        ("（肺炎", "肺炎"),
        ("肺炎）", "肺炎"),
        ("肺炎（", "肺炎"),
        ("“肺炎", "肺炎"),
        ("（甲（乙）", "甲（乙）"),
        ("（肺炎）", "（肺炎）"),
        ("肺癌(T1N0）", "肺癌(T1N0）"),
        ("肺癌（T1N0", "肺癌（T1N0"),
        ("0.9%", "0.9%"),
        (".9%氯化钠", ".9%氯化钠"),
        ("E. coli", "E. coli"),
        ("P.aeruginosa.", "P.aeruginosa"),
        ("Candida sp.", "Candida sp."),
        ("Candida spp.。", "Candida spp."),
        ("Candida sp..", "Candida sp."),
        ("i.v.", "i.v."),
        ("COPD.", "COPD"),
        ("维生素C.", "维生素C"),
        ("❤\ufe0f，", "❤\ufe0f"),
        ("的\ufe00肺炎的\ufe00", "肺炎"),
        ("\u200d\u0301肺炎", "肺炎"),
        ("肺炎？", "肺炎？"),
        ("HBsAg+", "HBsAg+"),
        ("，", None),
        ("\u3000\u200b", None),
        ("的", None),
        ("的的、", None),
        ("（", None),
    ],
)
def test_edges_are_trimmed(said: str, meant: str | None) -> None:
    """White space, commas, full stops, 的 and half pairs of brackets go; what belongs to the word stays."""
    assert trimmed(said) == meant


@pytest.mark.parametrize(
    ("start", "end", "meant"),
    [(0, 1, "M"), (0, 2, "Me\u0301"), (1, 2, "e\u0301"), (2, 3, None), (2, 4, "n"), (0, 5, "Me\u0301ni\u0300")],
)
def test_a_mark_goes_where_its_base_goes(start: int, end: int, meant: str | None) -> None:
    """An end behind a base takes its mark in, a start behind a base leaves its mark out."""
    text = "Me\u0301ni\u0300e"
    found = EDGES.trimmed(Entity(start, end, "dis"), text)
    assert (None if found is None else found.text_in(text)) == meant


@given(TEXTS, st.data())
def test_a_trimmed_entity_is_inside_its_characters_and_trims_to_itself(text: str, data: st.DataObject) -> None:
    """It tears nothing apart, has no surplus left, holds no base that was not proposed, and is trimmed no further."""
    if not text:
        return
    start = data.draw(st.integers(0, len(text) - 1))
    proposed = Entity(start, data.draw(st.integers(start + 1, len(text))), "dis")
    found = EDGES.trimmed(proposed, text)
    if found is None:
        return
    said = found.text_in(text)
    assert EDGES.trimmed(found, text) == found
    assert not is_inside_cluster(text, found.start)
    assert not is_inside_cluster(text, found.end)
    assert not is_blank(said[0])
    assert not said.endswith(tuple(MARKS.replace(".", "").replace("．", "")))
    assert not said.startswith("的")
    assert not said.endswith("的")
    assert found.start >= proposed.start
    assert all(is_inside_cluster(text, at) for at in range(proposed.end, found.end))


@given(TEXTS, st.data())
def test_the_widest_edges_trim_to_the_entity(text: str, data: st.DataObject) -> None:
    """Every start from the first and every end up to the last mean the entity; an entity with surplus means itself."""
    if not text:
        return
    start = data.draw(st.integers(0, len(text) - 1))
    entity = Entity(start, data.draw(st.integers(start + 1, len(text))), "dis")
    first, last = EDGES.widest(entity, text)
    assert first <= entity.start
    assert last >= entity.end
    for at in range(first, entity.start):
        assert EDGES.trimmed(Entity(at, entity.end, "dis"), text) == entity
    for at in range(entity.end + 1, last + 1):
        assert EDGES.trimmed(Entity(entity.start, at, "dis"), text) == entity


def test_a_rule_of_ones_own() -> None:
    """Marks, words, abbreviations and brackets are the label set's to say; white space always goes."""
    assert trimmed(" 目的，", Edges(words=())) == "目的"
    assert trimmed(" 肺炎（", Edges(marks="", brackets=False)) == "肺炎（"
    assert trimmed("No. ", Edges(abbreviations=("no",))) == "No."


def test_entities_that_become_equal_are_one() -> None:
    """Several are trimmed together: in order, each once, none that is nothing but edges."""
    text = "诊断 COPD ，"
    said = [Entity(2, 7, "dis"), Entity(3, 7, "dis"), Entity(8, 9, "dis"), Entity(0, 2, "pro")]
    assert trimmed_entities(said, text, EDGES) == (Entity(0, 2, "pro"), Entity(3, 7, "dis"))
