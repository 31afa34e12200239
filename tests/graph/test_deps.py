"""A run with impossible settings does not start."""

import pytest

from medner.agents.judges.judge import BestTagger
from medner.core.errors import UserError
from medner.graph import Deps, Pipeline


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        ([], {}, "no tagger"),
        (["a", "a"], {}, "same name"),
        (["a", "b"], {"min_taggers": 0}, "from 1 to 2"),
        (["a", "b"], {"min_taggers": 3}, "from 1 to 2"),
        (["a"], {"max_chars": 0}, "max_chars"),
        (["a", "b"], {"judge": BestTagger("c")}, "there are: a, b"),
    ],
)
def test_bad_settings_are_named(labels, scripted_tagger, names, options, message) -> None:
    """Each is a UserError that says what is allowed."""
    with pytest.raises(UserError, match=message):
        Deps(labels, tuple(scripted_tagger(name, []) for name in names), **options)


def test_a_pipeline_needs_room_for_one_sentence(labels, scripted_tagger) -> None:
    """LangGraph would take 0 for no limit at all."""
    with pytest.raises(UserError, match="at least 1"):
        Pipeline(Deps(labels, (scripted_tagger("a", []),)), concurrency=0)
