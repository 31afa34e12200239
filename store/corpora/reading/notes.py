"""What a reading met that is no error, and what a writing could not hold, in words and to be counted."""

from __future__ import annotations

from enum import StrEnum


class Note(StrEnum):
    """What a reader met that is no error and that the user should know."""

    EDGE_WHITE = "entities with white space at an edge (kept)"
    REPEATED = "repeated entities (kept once)"
    OTHER_LAYER = "annotations that are not entities (left out)"
    OTHER_ANNOTATOR = "further annotations of the same task (left out; --annotator NAME or '*' reads them)"
    NOT_BY_ANNOTATOR = "records that --annotator did not annotate (left out)"
    PREDICTED = "predictions of tasks that nobody annotated (read; --annotator '*' leaves them out)"
    UNANNOTATED = "tasks that nobody annotated (read without entities; --annotator '*' leaves them out)"
    CANCELLED = "cancelled annotations (left out)"
    REJECTED = "records that were rejected or ignored (left out)"
    NO_LABEL = "marked places without a label (left out)"
    NO_PLACE = "entities without a place in the text (left out)"
    OTHER_WHITE = "entity strings with other white space than the text (the text's is kept)"
    UTF16 = "records with UTF-16 offsets (turned into code points)"
    GB18030 = "files in GB18030 (turned into Unicode)"
    UTF16_FILE = "files in UTF-16 or UTF-32 (turned into UTF-8)"
    UTF8_FILE = "files in UTF-8 although --encoding names another encoding (read as UTF-8)"
    BREAKS_AS_ONE = "records whose offsets count a line end CR LF as one character (turned into code points)"
    MARK_COUNTED = "files whose offsets count the byte order mark (turned into offsets of the text)"
    COMMENT = "lines that are comments or -DOCSTART- (left out)"
    SEGMENTED = "tokens with a word-segmentation digit (the digit is taken off)"
    NO_TABLE = "texts without an annotation table (no entities)"
    NO_ANN = "texts without an .ann file (no entities)"
    EMPTY_CELL = "rows without text (left out)"
    NUMBER_CELL = "rows whose text is a number (read as its digits)"
    HEADERS = "headers and footers with text (left out)"
    COMMENTS = "comments (left out)"
    DELETED = "deleted or moved stretches of tracked changes (left out)"
    HIDDEN = "stretches of hidden text (left out)"
    NUMBERED = "paragraphs that Word numbers (the numbers are not in the text)"
    PAGE_FURNITURE = "lines that are headers, footers or page numbers (left out)"
    PICTURE_PAGES = "pages without text, only pictures (left out; they need OCR)"
    UNMAPPED = "characters whose font does not say which they are (left out)"
    RADICALS = "radicals that a font gives for characters (turned into the characters)"
    ENTRIES = "values of entries beside a narrative, which says the same (left out)"
    PICTURES = "pictures (text in them would need OCR)"
    FORMULA = "cells that are formulas (the values that were saved with them are read)"


class Loss(StrEnum):
    """What a format could not hold."""

    NESTED = "nested entities"
    CROSSING = "crossing entities"
    SAME_SPAN = "entities on a span that another label holds"
    ALL_ENTITIES = "entities (the format holds text alone)"
    ACROSS_BREAK = "entities across a line break"
    EDGE_BREAK = "line breaks at the edge of an entity"
    CUT_AT_BREAK = "documents cut at their line breaks"
    IDS = "document ids"
    EMPTY = "documents without text"
