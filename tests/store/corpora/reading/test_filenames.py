"""Ids as file names stay in their folder and come back."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from medner.store.corpora.reading.filenames import document_id, file_stem


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    | st.sampled_from(["..", "../x", "a%2Fb", "%", "x.y", "", "\n", "a\n"])
)
def test_an_id_comes_back_from_its_file_name(id: str) -> None:  # noqa: A002
    """The name holds no separator, does not begin with a dot, and gives the id again."""
    name = file_stem(id) + ".txt"
    assert "/" not in name
    assert not name.startswith(".")
    assert document_id(Path("folder") / name, Path("folder")) == id


def test_foreign_names_are_left_as_they_are() -> None:
    """Percent signs in a name we did not make are no encoding."""
    for stem in ("好转50%", "a%20b", "%E6%82"):
        assert document_id(Path(f"{stem}.txt"), None) == stem
