"""The picture of the presets in README shows the figures of docs/results.md."""

import re
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

TOP = Path(__file__).parent.parent
sys.path.insert(0, str(TOP / "scripts"))

from preset_chart import draw, points


def page():
    return (TOP / "docs" / "results.md").read_text(encoding="utf-8")


def labels(picture: Path):
    return [text for text in re.findall(r"<text[^>]*>([^<]*)", picture.read_text(encoding="utf-8")) if "  ." in text]


def test_the_picture_is_that_of_the_page(tmp_path):
    """What the script draws now has the labels of the picture that is shown."""
    draw(points(page()), tmp_path / "now.svg")
    shown = labels(TOP / "docs" / "images" / "presets.svg")
    assert len(shown) == 3
    assert shown == labels(tmp_path / "now.svg")


def test_a_page_without_a_figure_is_told():
    """A row that went is an error, not a picture with two points."""
    without = "\n".join(line for line in page().splitlines() if not line.startswith("| `--preset fast`"))
    with pytest.raises(ValueError, match="--preset fast"):
        points(without)
