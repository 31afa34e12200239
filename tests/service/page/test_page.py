"""The page's text layout, its escaping and its self-sufficiency, without a browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import tomllib
from html.parser import HTMLParser
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medner.core.labels import load_label_set
from medner.core.records import (
    AnnotatedDocument,
    AnnotatedEntity,
    Annotation,
    Candidate,
    Decision,
    Document,
    Entity,
    FilterDrop,
    Sentence,
    Span,
)
from medner.service.page.layout import assign_tracks, cut_segments
from medner.service.page.page import PALETTE, PAPER, _mix, exact, render_page, script_json

LABELS = load_label_set("cmeee-v2")
TEXTS = st.text(alphabet="肺炎咳痰a1 \r\n\t<&\"'>]😣𬌗", min_size=1, max_size=24)


@st.composite
def _text_and_spans(draw: st.DrawFn) -> tuple[str, list[Span]]:
    text = draw(TEXTS)
    edges = st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))
    pairs = draw(st.sets(edges.filter(lambda pair: pair[0] < pair[1]), max_size=7))
    return text, [Span(*pair) for pair in sorted(pairs)]


class _Reader(HTMLParser):
    """The text of the element of class ``text`` and of each mark, as a parser reads them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[tuple[str, str | None]] = []
        self.text = ""
        self.marks: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in ("div", "span"):
            is_mark = tag == "span" and "data-mark" in values
            role = f"mark {values['data-mark']}" if is_mark else values.get("class")
            self.open.append((tag, role))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("div", "span"):
            assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if ("div", "text") in self.open:
            self.text += data
            for _, role in self.open:
                if role and role.startswith("mark "):
                    self.marks[role] = self.marks.get(role, "") + data


def _page(annotated: AnnotatedDocument, **changes: object) -> str:
    options = {"title": "t", "configuration": {}} | changes
    return render_page([annotated], LABELS, **options)  # type: ignore[arg-type]


def _annotated(text: str, spans: list[Span], label: str = "sym") -> AnnotatedDocument:
    entities = tuple(AnnotatedEntity(Entity(one.start, one.end, label), Decision.AGREED) for one in spans)
    return AnnotatedDocument(Document("d", text), (Annotation(Sentence("d#0", text), entities),))


@given(_text_and_spans())
def test_segments_make_the_text_and_every_mark(case: tuple[str, list[Span]]) -> None:
    """Segments follow one another over the whole text, and those of a mark join to exactly its span."""
    text, spans = case
    segments = cut_segments(text, spans)
    assert "".join(text[one.start : one.end] for one in segments) == text
    for index, span in enumerate(spans):
        own = [one for one in segments if index in one.marks]
        assert "".join(text[one.start : one.end] for one in own) == text[span.start : span.end]
        assert [index in one.ends for one in own] == [False] * (len(own) - 1) + [True]


@given(_text_and_spans())
def test_marks_that_end_are_inside_marks_that_go_on(case: tuple[str, list[Span]]) -> None:
    """In a segment the marks are ordered by where they end, so a label after an end breaks no other mark."""
    text, spans = case
    for segment in cut_segments(text, spans):
        ends = [spans[index].end for index in segment.marks]
        assert ends == sorted(ends, reverse=True)


@given(_text_and_spans())
def test_overlapping_marks_have_tracks_of_their_own(case: tuple[str, list[Span]]) -> None:
    """No two overlapping marks share a track, and an inner mark is nearer to the text than its outer."""
    _, spans = case
    tracks = assign_tracks(spans, [False] * len(spans))
    for first, one in enumerate(spans):
        for second, other in enumerate(spans):
            if first != second and one.overlaps(other):
                assert tracks[first] != tracks[second]
                if one.contains(other) and one != other:
                    assert tracks[first] > tracks[second]


def test_hidden_marks_take_no_track_from_shown_ones() -> None:
    """A short mark that is hidden at first goes below a longer one that is shown."""
    assert assign_tracks([Span(0, 4), Span(1, 3)], [False, True]) == (0, 1)


def test_a_span_outside_the_text_is_refused() -> None:
    """A mark that leaves its text is an error, not a shorter mark."""
    with pytest.raises(ValueError, match=r"\[1, 5\) lies outside a text of 4 characters"):
        cut_segments("四个汉字", [Span(1, 5)])


@settings(max_examples=40, deadline=None)  # each example renders a whole page
@given(_text_and_spans())
def test_a_parser_reads_back_text_and_entities(case: tuple[str, list[Span]]) -> None:
    """What an HTML parser reads is the text and each entity, whatever characters they hold."""
    text, spans = case
    reader = _Reader()
    reader.feed(_page(_annotated(text, spans)))
    marks = sorted(spans, key=lambda span: (span.start, -span.end))
    assert reader.text == text
    assert reader.marks == {f"mark {place}": text[one.start : one.end] for place, one in enumerate(marks)}


def test_text_is_escaped_exactly() -> None:
    """The five characters of markup and the carriage return are written as references, all else as it is."""
    assert exact("a<b>&\"'\r\n肺\r😣") == "a&lt;b&gt;&amp;&#34;&#39;&#13;\n肺&#13;<br>😣"


def test_json_cannot_end_its_script() -> None:
    """No character that an HTML parser acts on stands in the JSON, and it reads back the same."""
    value = {"</script><!--": ["&amp;", "\u2028\u2029", "肺"]}
    text = script_json(value)
    assert text == '{"\\u003c/script\\u003e\\u003c!--":["\\u0026amp;","\\u2028\\u2029","肺"]}'
    assert json.loads(text) == value


def test_everything_from_outside_is_escaped() -> None:
    """Title, notice, configuration, document id, label and filter name cannot become markup."""
    evil = "</script><img src=x onerror=alert(1)>\"'&"
    sentence = Sentence("s", "肺炎")
    drop = FilterDrop(Candidate(Entity(0, 1, evil), (evil,), 0.1), evil, 0.5)
    annotated = AnnotatedDocument(Document(evil, "肺炎"), (Annotation(sentence, dropped=(drop,)),))
    html = _page(annotated, title=evil, notice=evil, configuration={evil: evil})
    assert "<img" not in html
    assert html.count("</script>") == 3
    assert html.count("&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&#34;&#39;&amp;") >= 5


def test_policy_allows_only_the_pages_own_style_and_script() -> None:
    """The hashes of the policy are those of the one style and the one script; no attribute runs or loads anything."""
    html = _page(_annotated("肺炎", [Span(0, 2)]))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    style = re.findall(r"<style>(.*?)</style>", html, re.S)
    script = re.findall(r"<script>(.*?)</script>", html, re.S)
    hashes = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in (*style, *script)]
    assert len(hashes) == 2
    assert policy[1].replace("&#39;", "'") == (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert not re.search(r"\s(style|src|srcset|on\w+)=|url\(|@import|https?://", html)


def test_unknown_label_is_shown_by_its_code() -> None:
    """An entity whose label the set does not know is drawn and counted under its code."""
    assert "<code>xyz</code></span><b>1</b>" in _page(_annotated("肺炎", [Span(0, 2)], "xyz"))


def test_nul_and_lone_surrogates_are_replaced_one_for_one() -> None:
    """Characters HTML cannot hold become U+FFFD, so that every later offset still holds."""
    reader = _Reader()
    html = _page(_annotated("a\0肺\ud800炎", [Span(2, 5)]))
    html.encode("utf-8")
    reader.feed(html)
    assert reader.text == "a\ufffd肺\ufffd炎"


def test_a_sentence_that_is_not_at_its_offset_is_refused() -> None:
    """A page never shows an annotation at a place where its sentence does not stand."""
    annotated = AnnotatedDocument(Document("d", "肺炎咳嗽"), (Annotation(Sentence("s", "咳嗽", 1)),))
    with pytest.raises(ValueError, match="sentence 's' is not at its offset"):
        _page(annotated)


def test_nothing_to_show_is_said() -> None:
    """No documents, and a document without text, each give a page that says so."""
    empty = render_page([], LABELS, title="t", configuration={}, language="en")
    assert "There are no documents." in empty
    assert '<html lang="en"' in empty
    assert "（空文档）" in _page(_annotated("", []))


def test_both_languages_have_the_same_words() -> None:
    """Every word of the interface exists in Chinese and in English."""
    text = (resources.files("medner.service.page") / "templates" / "page_words.toml").read_text(encoding="utf-8")
    words = tomllib.loads(text)
    assert list(words) == ["zh", "en"]
    assert list(words["zh"]) == list(words["en"])
    assert all(word for language in words.values() for word in language.values())


def _luminance(color: str) -> float:
    parts = [value / 255 for value in bytes.fromhex(color[1:])]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_labels_have_enough_contrast() -> None:
    """Every colour stands at least 4.5 to 1 against the tint behind its label, in light and in dark (WCAG 2.2 AA)."""
    for pair in PALETTE:
        for color, paper in zip(pair, PAPER, strict=True):
            light, dark = sorted((_luminance(color), _luminance(_mix(color, paper, 0.13))), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (color, paper)
