"""A lexicon: counts by salted hash."""

import numpy as np
import pytest

from medner.agents.evidence.lexicon import Lexicon, StringCounts, read_lexicon
from medner.core.errors import BadInputError
from medner.core.labels import load_label_set

LABELS = load_label_set("ccks2019")
NONE = (0,) * len(LABELS.codes)
FIRST = (1, *NONE[1:])
COUNTS = {
    "咳嗽": StringCounts(7, 2, FIRST, (0, 2, *NONE[2:])),
    "𠮷病": StringCounts(1, 0, FIRST, NONE),
}


def lexicon(salt: bytes = b"salt") -> Lexicon:
    return Lexicon.of(LABELS.codes, salt, COUNTS)


def test_a_string_has_the_counts_it_was_given() -> None:
    """Whatever the order of the hashes, rare Han included; any other string is unknown."""
    known = lexicon()
    assert len(known) == 2
    assert {text: known.counts(text) for text in COUNTS} == COUNTS
    assert known.counts("咳") is None
    assert known.counts("") is None
    assert known.counts("咳" * 100) is None
    assert (COUNTS["咳嗽"].occurrences, COUNTS["咳嗽"].entities) == (9, 3)


def test_a_file_gives_the_lexicon_back_and_holds_no_text(tmp_path) -> None:
    """Bytes of a string's text are nowhere in it, packed or unpacked, and another salt gives other hashes."""
    path = tmp_path / "lexicon.npz"
    lexicon().save(path)
    again = read_lexicon(path, LABELS)
    assert {text: again.counts(text) for text in COUNTS} == COUNTS
    with np.load(path, allow_pickle=False) as data:
        content = b"".join(data[name].tobytes() for name in data.files)
    for text in COUNTS:
        for encoding in ("utf-8", "utf-16-le", "utf-32-le", "gb18030"):
            assert text.encode(encoding) not in path.read_bytes() + content
    assert set(lexicon(b"another").hashes.tolist()).isdisjoint(again.hashes.tolist())


def test_counts_stop_at_what_fits() -> None:
    """A count that needs more than 16 bits stays at the highest."""
    many = Lexicon.of(LABELS.codes, b"s", {"痛": StringCounts(10**6, 1, (10**6, *NONE[1:]), NONE)})
    found = many.counts("痛")
    assert found is not None
    assert (found.free, found.whole[0]) == (65_535, 65_535)


def test_what_is_no_lexicon_is_refused(tmp_path) -> None:
    """Another label set, another file, a pickle, a column that lacks rows: each in one line."""
    path = tmp_path / "lexicon.npz"
    lexicon().save(path)
    with pytest.raises(BadInputError, match="not of label set 'cmeee-v2'"):
        read_lexicon(path, load_label_set("cmeee-v2"))
    for content in (b"", b"PK\x03\x04nothing", path.read_bytes()[:200]):
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(BadInputError, match="is no lexicon"):
            read_lexicon(tmp_path / "bad.npz", LABELS)
    np.savez(tmp_path / "pickled.npz", types=np.array([{"a": 1}], dtype=object))
    with pytest.raises(BadInputError, match="is no lexicon"):
        read_lexicon(tmp_path / "pickled.npz", LABELS)
    with np.load(path) as data:
        columns = {name: data[name] for name in data.files}
    np.savez(tmp_path / "short.npz", **{**columns, "whole": columns["whole"][:1]})
    with pytest.raises(BadInputError, match="is damaged"):
        read_lexicon(tmp_path / "short.npz", LABELS)


def test_counts_without_a_part_of_the_corpus() -> None:
    """Subtraction is by column."""
    own = StringCounts(1, 1, NONE, (0, 1, *NONE[2:]))
    assert COUNTS["咳嗽"] - own == StringCounts(6, 1, FIRST, (0, 1, *NONE[2:]))
