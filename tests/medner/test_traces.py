"""Traces from Python: recorded while annotating, shown, forked, compared, overruled."""

from __future__ import annotations

from pathlib import Path

import pytest

import medner
from medner.testing import TAGGERS, DictionaryEngine
from tests.medner.conftest import ONLY, WORDS


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The traces of a run with two conflicts."""
    place = tmp_path / "traces.sqlite"
    engine = DictionaryEngine(WORDS, only=ONLY)
    with medner.load(
        engine=engine, taggers=TAGGERS, judge="best-tagger:json-plain", trace="conflicts", traces=place
    ) as nlp:
        list(nlp.pipe(["查心电图。", "胸痛。", "复查心电图。"]))
    return place


def test_a_run_is_listed_and_shown(place: Path) -> None:
    """Each sentence with a conflict is a document of its own."""
    with medner.Traces(place) as traces:
        (run,) = traces.runs()
        assert (run.kind, run.labels, run.traces) == ("annotate", "cmeee-v2", 2)
        first, second = traces.list()
        assert (first.conflicts, first.kinds) == (1, ("no_overlap",))
        document = traces.show("last/1")
        assert document.text == "查心电图。"
        assert document.conflicts[0].judge == "best-tagger:json-plain" or document.conflicts[0].candidates[0].kept
        assert traces.show(second.name).text == "复查心电图。"
        assert len(traces.export()) == 2
        assert traces.agreement()["conflicts"] == 2


def test_another_judge_settles_the_same_conflicts(place: Path) -> None:
    """A fork is a run of its own; the difference is counted; no tagger is asked."""
    with medner.Traces(place) as traces:
        source = traces.runs()[0].name
        fork = traces.fork("last", "hard-vote")
        assert (fork.kind, fork.parent, fork.traces) == ("fork", source, 2)
        found = traces.diff(source, fork.name)
        assert (found.sentences, found.conflicts, found.changed_conflicts) == (2, 2, 2)
        assert len(found.changed) == 2
        assert traces.remove(fork.name) == 2
        assert len(traces.runs()) == 1


async def test_a_person_overrules(place: Path) -> None:
    """The decision is in the sentence's trace from then on; the twin has the same verbs."""
    async with medner.AsyncTraces(place) as traces:
        before = await traces.show("last/1")
        assert before.entities
        after = await traces.overrule("last/1", before.conflicts[0].id, [], by="Dr Li", why="not done")
        assert after.entities == ()
        with pytest.raises(medner.UserError, match="who decides"):
            await traces.overrule("last/1", before.conflicts[0].id, [], by="", why="")


def test_what_is_not_there(tmp_path: Path, place: Path) -> None:
    """No file, no run, no other judge."""
    with pytest.raises(medner.UserError, match="no traces are there"):
        medner.Traces(tmp_path / "none.sqlite")
    with medner.Traces(place) as traces:
        with pytest.raises(medner.UserError, match="no run"):
            traces.list("nothing")
        with pytest.raises(medner.UserError, match="king"):
            traces.fork("last", "king")
