"""The paragraphs of a PDF: lines that a program broke because the page is no wider are put together again."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from medner.store.corpora.document_formats.pdf_lines import PdfLine

#: Sizes of letters that differ by more are not those of one paragraph.
_SAME_SIZE = 1.15
#: Lines of a paragraph lie so many heights apart at most, from top to top.
_PITCH_HEIGHTS = 2.6
#: A column is at least so many characters wide: shorter lines are broken for another reason.
_LEAST_COLUMN_HEIGHTS = 16
#: A first line stands in by more than this.
_INDENT_HEIGHTS = 1.2
#: How a new item or section begins, wherever it stands.
_BEGINS_ANEW = re.compile(
    r"\s*(?:[一二三四五六七八九十]{1,3}、|[(（][一二三四五六七八九十\d]{1,3}[)）]|\d{1,2}[.、．](?!\d)|[①-⑳•●○■□◆▪]"
    r"|[\u4e00-\u9fff]{2,10}[：:])"
)
_WORD = re.compile(r"[!-~]+|.", re.DOTALL)
_NUMBER = re.compile(r"\d+")
_PAGE_NUMBER = re.compile(
    r"[-—–\s]*(?:第\s*)?#\s*(?:页)?[\s,，/共]*(?:of\s*)?(?:#\s*页?)?[-—–\s]*|Page\s*#(?:\s*(?:of|/)\s*#)?", re.I
)
#: Headers and footers are looked for in so many lines at either end of a page, and in this part of its height.
_FURNITURE_LINES = 4
_FURNITURE_PART = 0.14


def without_furniture(pages: Sequence[Sequence[PdfLine]], heights: Sequence[float]) -> tuple[list[list[PdfLine]], int]:
    """The pages without headers, footers and page numbers, and how many lines these were.

    Headers and footers are lines at an edge of the page that come again on another page, their numbers aside.
    """
    candidates = [_at_edges(lines, height) for lines, height in zip(pages, heights, strict=True)]
    seen = Counter(key for lines in candidates for key in {_key(line) for line in lines})
    kept: list[list[PdfLine]] = []
    removed = 0
    for lines, edge in zip(pages, candidates, strict=True):
        # A line on its own page number's place is one also where there is a single page.
        drop = {id(line) for line in edge if seen[_key(line)] > 1 or _PAGE_NUMBER.fullmatch(_key(line)[0])}
        kept.append([line for line in lines if id(line) not in drop])
        removed += len(drop)
    return kept, removed


def _at_edges(lines: Sequence[PdfLine], height: float) -> list[PdfLine]:
    ordered = sorted(lines, key=lambda line: -line.box[3])
    top = [line for line in ordered[:_FURNITURE_LINES] if line.box[1] > height * (1 - _FURNITURE_PART)]
    bottom = [line for line in ordered[-_FURNITURE_LINES:] if line.box[3] < height * _FURNITURE_PART]
    return list({id(line): line for line in (*top, *bottom)}.values())


def _key(line: PdfLine) -> tuple[str, int]:
    """What makes two lines the same header: their text without numbers, and where they stand."""
    return _NUMBER.sub("#", line.text), round(line.box[1] / 4)


def paragraphs_of(pages: Sequence[Sequence[PdfLine]]) -> Iterator[list[PdfLine]]:
    """The lines of all pages by paragraphs, which may go on over the end of a column or page."""
    whole = _widest([line for lines in pages for line in lines])
    gathered: list[PdfLine] = []
    for lines in pages:
        rights = {**whole, **_justified(lines)}
        for line in lines:
            if gathered and not _goes_on(gathered, line, rights):
                yield gathered
                gathered = []
            gathered.append(line)
    if gathered:
        yield gathered


def _widest(lines: Sequence[PdfLine]) -> dict[int, float]:
    """The right edge of the column that begins at a place, by the place in steps of 24 points."""
    edges: dict[int, float] = defaultdict(float)
    for line in lines:
        edges[_step(line.left)] = max(edges[_step(line.left)], line.right)
    # A first line stands in, so its column begins a step or two before.
    return {step: max(edges.get(step - back, 0.0) for back in range(3)) for step in edges}


def _justified(lines: Sequence[PdfLine]) -> dict[int, float]:
    """The same of a page, where several lines end at the same edge: columns that are narrower than the page."""
    columns: dict[int, list[PdfLine]] = defaultdict(list)
    for line in lines:
        columns[_step(line.left)].append(line)
    edges = {}
    for step, column in columns.items():
        right = max(line.right for line in column)
        if sum(right - line.right < line.height for line in column) > 1:
            edges[step] = right
    return edges


def _step(left: float) -> int:
    return round(left / 24)


def _goes_on(paragraph: Sequence[PdfLine], line: PdfLine, rights: dict[int, float]) -> bool:
    """Whether a line continues the paragraph."""
    last, height = paragraph[-1], paragraph[-1].height
    if last.has_columns or line.has_columns or not last.edges or not line.edges:
        return False
    if max(last.height, line.height) > _SAME_SIZE * min(last.height, line.height):
        return False
    if not _is_beneath(paragraph, line, height):
        return False
    right = rights.get(_step(last.left), last.right)
    if right - last.left < _LEAST_COLUMN_HEIGHTS * height or _BEGINS_ANEW.match(line.text):
        return False
    # Had the next word had room, the break would be the writer's own.
    return right - last.right <= _first_word_width(line) + 1.2 * height


def _is_beneath(paragraph: Sequence[PdfLine], line: PdfLine, height: float) -> bool:
    """Whether a line is where the next line of the paragraph would be, and does not stand in."""
    last = paragraph[-1]
    if last.page == line.page:
        if line.left > last.right and line.box[3] > last.box[3]:
            return True  # at the top of the next column
        if not 0 < last.box[3] - line.box[3] <= _PITCH_HEIGHTS * height:
            return False
    left = paragraph[1].left if len(paragraph) > 1 else last.left
    return line.left <= left + _INDENT_HEIGHTS * height


def _first_word_width(line: PdfLine) -> float:
    word = _WORD.match(line.text)
    return line.edges[word.end() - 1] - line.left if word else 0.0
