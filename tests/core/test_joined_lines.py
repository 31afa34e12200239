"""Lines joined for models, and entities in the original text again."""

from hypothesis import given
from hypothesis import strategies as st

from medner.core.joined_lines import joined_lines
from medner.core.records import Document, Entity
from medner.core.sentences import split_sentences


def test_breaks_and_white_space_around_them_go() -> None:
    """Chinese is joined without a gap, Latin words with a space; every character keeps its place."""
    lines = joined_lines("反复胸\r\n  痛，blood \npressure")
    assert lines.text == "反复胸痛，blood pressure"
    text = "反复胸\r\n  痛，blood \npressure"
    assert lines.original(Entity(2, 4, "sym")).text_in(text) == "胸\r\n  痛"
    assert lines.joined(Entity(2, 8, "sym")) == Entity(2, 4, "sym")
    assert lines.joined(Entity(3, 5, "sym")) is None


@given(st.lists(st.sampled_from(["患", "者", "a", "b", "\n", "\r\n", " ", "\u3000", "😀"]), max_size=12).map("".join))
def test_an_entity_comes_back(text: str) -> None:
    """An entity of the joined text is one of the original with the same characters, and is found again."""
    lines = joined_lines(text)
    assert len(lines.places) == len(lines.text)
    for start in range(len(lines.text)):
        for end in range(start + 1, len(lines.text) + 1):
            entity = Entity(start, end, "x")
            assert lines.joined(lines.original(entity)) == entity
            assert joined_lines(lines.original(entity).text_in(text)).text.strip() == lines.text[start:end].strip()


def sentences(text: str) -> list[str]:
    return [one.text for one in split_sentences(Document("d", text), join_lines=True)]


def test_a_single_line_break_ends_no_sentence() -> None:
    """An empty line, an item, a heading in brackets and a deeper indent do; every sentence is in its place."""
    assert sentences("患者反复胸\n痛三天。查体无\r\n特殊。") == ["患者反复胸\n痛三天。", "查体无\r\n特殊。"]
    assert sentences("患者胸\n\n痛") == ["患者胸", "痛"]
    assert sentences("患者胸\n \n痛") == ["患者胸", "痛"]
    assert sentences("诊断\n1. 肺炎\n2、高血压\n(3)胸痛\n①咳嗽\n- 发热") == [
        "诊断",
        "1. 肺炎",
        "2、高血压",
        "(3)胸痛",
        "①咳嗽",
        "- 发热",
    ]
    assert sentences("血钾\n2.5mmol") == ["血钾\n2.5mmol"]
    assert sentences("主诉咳嗽\n【现病史】发热") == ["主诉咳嗽", "【现病史】发热"]
    assert sentences("　　患者胸\n痛\n　　另有发\n热") == ["患者胸\n痛", "另有发\n热"]
    text = "甲胸\n痛，\n\n乙。"
    for one in split_sentences(Document("d", text), join_lines=True):
        assert text.startswith(one.text, one.offset)


def test_without_the_option_every_line_break_ends_a_sentence() -> None:
    """Nothing changes for those who do not ask for it."""
    assert [one.text for one in split_sentences(Document("d", "患者胸\n痛"))] == ["患者胸", "痛"]
