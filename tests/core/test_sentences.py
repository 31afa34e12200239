"""Sentence splitting keeps every character in its place."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medner.core.characters import is_blank
from medner.core.records import Document
from medner.core.sentences import split_sentences

# Emoji with joiners and skin tones, flags, full-width forms, Han of extension B, combining marks, all kinds of breaks.
_PIECES = (
    st.sampled_from("患者。！？；…，、. \t\n\u2028\u3000”“\"')（[]\x85\x0b𠀀")
    | st.sampled_from(
        ["发热", "3.5", "mg", "q.d.", "\r\n", "👨‍👩‍👧", "👍🏽", "🇨🇳", "e\u0301", "１２．５", "<b>", "𠀀𪚥"]
    )
    | st.text(max_size=3)
)
TEXTS = st.lists(_PIECES, max_size=40).map("".join)


def texts_of(text: str, max_chars: int = 256) -> list[str]:
    return [sentence.text for sentence in split_sentences(Document("d", text), max_chars=max_chars)]


@given(TEXTS, st.integers(1, 30))
def test_sentences_are_pieces_of_the_text_in_order_and_hold_all_of_it(text: str, cap: int) -> None:
    """Each sentence stands at its offset; between sentences all is blank; none breaks the cap or a line."""
    at = 0
    for number, sentence in enumerate(split_sentences(Document("d", text), max_chars=cap)):
        assert sentence.id == f"d#{number}"
        assert sentence.document_id == "d"
        assert text[sentence.offset : sentence.offset + len(sentence.text)] == sentence.text
        assert is_blank(text[at : sentence.offset])
        assert sentence.text == sentence.text.strip()
        assert not is_blank(sentence.text)
        assert len(sentence.text) <= cap
        assert len(sentence.text.splitlines()) == 1
        at = sentence.offset + len(sentence.text)
    assert is_blank(text[at:])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("患者发热。头痛！恶心？腹痛；乏力", ["患者发热。", "头痛！", "恶心？", "腹痛；", "乏力"]),
        ("咳嗽……咳痰", ["咳嗽……", "咳痰"]),
        ("主诉：“头痛。”查体无殊。", ["主诉：“头痛。”", "查体无殊。"]),
        ("（既往体健。）否认外伤。", ["（既往体健。）", "否认外伤。"]),
        ('他说"头痛。"之后"呕吐。不适。"结束', ['他说"头痛。"', '之后"呕吐。', '不适。"', "结束"]),
        ('已好转。"继续"服药', ["已好转。", '"继续"服药']),
        ("体温38.5℃，阿司匹林0.1g q.d.口服", ["体温38.5℃，阿司匹林0.1g q.d.口服"]),
        ("1.高血压 2.糖尿病", ["1.高血压 2.糖尿病"]),
        ("（1）.高血压", ["（1）.高血压"]),
        ("１２．５毫克", ["１２．５毫克"]),
        ("E.coli感染，Dr. 建议tab. 1片", ["E.coli感染，Dr. 建议tab. 1片"]),
        ("病情稳定.继续观察.", ["病情稳定.", "继续观察."]),
        ("No fever. 无发热", ["No fever.", "无发热"]),
        ("  主诉\t\r\n\r\n现病史\n", ["主诉", "现病史"]),
        ("", []),
        (" \n\t\u3000", []),
        ("\ufeff\u200b\u00a0\x85\u2028\x07\u00ad\u3164", []),
        ("\u3000\u3000主诉\u200b\n\ufeff现病史\x07", ["主诉", "现病史"]),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, expected: list[str]) -> None:
    """Chinese ends and line breaks split; stops in numbers, doses and abbreviations do not; closers stay."""
    assert texts_of(text) == expected


def test_a_long_sentence_is_cut_at_the_best_place() -> None:
    """A comma is better than an enumeration comma, that is better than a space, and a number's comma is no place."""
    assert texts_of("头痛、恶心，呕吐、腹泻，乏力、纳差", max_chars=12) == ["头痛、恶心，呕吐、腹泻，", "乏力、纳差"]
    assert texts_of("头痛恶心呕吐、腹泻乏力纳差", max_chars=10) == ["头痛恶心呕吐、", "腹泻乏力纳差"]
    assert texts_of("头痛恶心呕吐 腹泻乏力纳差", max_chars=10) == ["头痛恶心呕吐", "腹泻乏力纳差"]
    assert texts_of("白细胞计数结果是12,000个", max_chars=11) == ["白细胞计数结果是", "12,000个"]


def test_a_hard_cut_tears_no_character_apart() -> None:
    """Families, flags, skin tones and accents stay whole where they fit."""
    for whole in ("👨‍👩‍👧", "👍🏽", "🇨🇳", "e\u0301"):
        assert all(piece.replace(whole, "").strip("好") == "" for piece in texts_of("好好" + whole * 9, max_chars=13))


def test_a_cap_below_one_is_refused() -> None:
    """A sentence has at least one character."""
    with pytest.raises(ValueError, match="max_chars"):
        split_sentences(Document("d", "好"), max_chars=0)


@pytest.mark.parametrize("unit", ["好", "，", "\u0301", "a.b", '好"'])
def test_time_grows_with_length_not_its_square(unit: str) -> None:
    """Two megabytes in one line take seconds at most (a square would take hours)."""
    text = unit * (700_000 // len(unit))
    begun = time.process_time()
    sentences = split_sentences(Document("d", text))
    assert time.process_time() - begun < 10
    assert "".join(sentence.text for sentence in sentences) == text
