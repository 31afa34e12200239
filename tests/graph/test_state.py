"""Results of parallel nodes meet the same way in whatever order they come."""

from functools import reduce
from itertools import permutations

from medner.core.records import Decoded, Failure, TaggerOutput
from medner.graph.state import join_failures, join_outputs, join_timings


def test_joining_does_not_depend_on_order() -> None:
    """Outputs stand by tagger, failures by stage and agent, timings by node."""
    outputs = [[TaggerOutput(name, "", Decoded(()))] for name in "cab"]
    failures = [[Failure("tag", name, "ExternalError", "gone")] for name in "cab"]
    timings = [{"tag:c": 1.0}, {"filter": 2.0}, {"tag:a": 0.5}]
    no_outputs: list[TaggerOutput] = []
    no_failures: list[Failure] = []
    no_timings: dict[str, float] = {}
    for order in permutations(range(3)):
        all_outputs = reduce(join_outputs, [outputs[n] for n in order], no_outputs)
        all_failures = reduce(join_failures, [failures[n] for n in order], no_failures)
        all_timings = reduce(join_timings, [timings[n] for n in order], no_timings)
        assert [one.tagger for one in all_outputs] == ["a", "b", "c"]
        assert [one.agent for one in all_failures] == ["a", "b", "c"]
        assert list(all_timings) == ["filter", "tag:a", "tag:c"]


def test_a_node_that_runs_twice_adds_up() -> None:
    """Seconds under one name are summed."""
    assert join_timings({"filter": 1.0}, {"filter": 0.5}) == {"filter": 1.5}
