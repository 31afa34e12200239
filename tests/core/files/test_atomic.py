"""A file or folder appears whole or not at all."""

from pathlib import Path

import pytest

from medner.core.errors import ExternalError, UserError
from medner.core.files.atomic import replacing_file, replacing_folder


def test_a_failed_writing_leaves_the_old_file(tmp_path: Path) -> None:
    """The old content stays and no part is left beside it."""
    path = tmp_path / "a.txt"
    path.write_text("旧")

    def fail() -> None:
        with replacing_file(path) as out:
            out.write("新")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    assert path.read_text() == "旧"
    assert list(tmp_path.iterdir()) == [path]


def test_a_good_writing_replaces_the_file(tmp_path: Path) -> None:
    """Line ends are written as given, and a link is followed."""
    path, link = tmp_path / "a.txt", tmp_path / "b.txt"
    path.write_text("旧")
    link.symlink_to(path)
    with replacing_file(link) as out:
        out.write("新\r\n\n")
    assert path.read_bytes() == "新\r\n\n".encode()
    assert link.is_symlink()


def test_a_full_disk_is_an_error_outside(tmp_path: Path) -> None:
    """The message names the path and the reason."""
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    with (
        pytest.raises(ExternalError, match="/dev/full: cannot be written: No space left"),
        replacing_file(Path("/dev/full")) as out,
    ):
        out.write("新")


def test_a_folder_is_filled_or_absent(tmp_path: Path) -> None:
    """A failure leaves no folder; a folder that holds anything is not touched; a missing parent is said."""
    target = tmp_path / "out"

    def fail() -> None:
        with replacing_folder(target) as folder:
            (folder / "a").write_text("甲")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    assert list(tmp_path.iterdir()) == []
    with replacing_folder(target) as folder:
        (folder / "a").write_text("甲")
    with pytest.raises(UserError, match="is there already"), replacing_folder(target):
        pass
    assert (target / "a").read_text() == "甲"
    with pytest.raises(UserError, match="there is no folder"), replacing_file(tmp_path / "no" / "a"):
        pass
