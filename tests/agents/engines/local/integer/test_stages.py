"""Which rows of a pass run through which layers."""

import pytest

pytest.importorskip("torch")
from medner.agents.engines.local.integer.stages import LayerStage, pass_stages
from medner.agents.engines.local.packed import RowSegment

ROW, OTHER = (1, 2, 3), (4, 5)


def row(tokens=ROW, **options):
    return RowSegment(None, 0, len(tokens), **options)


def outline(stages: list[LayerStage]):
    return [(stage.first, stage.end, len(stage.segments), stage.source) for stage in stages]


def two_way(segment):
    return 8 if segment.two_way_from is None else segment.two_way_from


def test_rows_of_one_depth_are_one_stage():
    """Nothing is shared where tokens differ."""
    assert outline(pass_stages([ROW, OTHER], [row(), row(OTHER)], 8, two_way)) == [(0, 8, 2, None)]


def test_equal_rows_are_one_until_something_tells_them_apart():
    """Two taggers on one sentence: the layers below the first adapted or two-way one are run once."""
    segments = [row(two_way_from=2), row(two_way_from=3), row(OTHER, two_way_from=5)]
    stages = pass_stages([ROW, ROW, OTHER], segments, 8, two_way)
    assert outline(stages) == [(0, 2, 2, (0, 2)), (2, 8, 3, (0, 0, 1))]


def test_a_row_leaves_behind_its_last_layer():
    """The others go on; none runs a layer that it does not need."""
    segments = [row(layers=4), row(OTHER), row((9,), layers=6)]
    stages = pass_stages([ROW, OTHER, (9,)], segments, 8, two_way)
    assert outline(stages) == [(0, 4, 3, None), (4, 6, 2, (1, 2)), (6, 8, 1, (0,))]


def test_equal_rows_of_unlike_depth_part_before_the_shorter_one_ends():
    """Also where nothing tells them apart until then."""
    stages = pass_stages([ROW, ROW], [row(layers=3), row()], 8, two_way)
    assert outline(stages) == [(0, 2, 1, (0,)), (2, 3, 2, (0, 0)), (3, 8, 1, (1,))]
    assert outline(pass_stages([ROW, ROW], [row(layers=1), row()], 8, two_way))[0] == (0, 1, 2, None)
