"""Traces, judges and reviews of a server from Python, with a real server, Valkey and worker."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import medner
from tests.medner.client.conftest import Ward

TEXTS = ["患者咳嗽。行心电图检查。", "既往高血压，查心电图。", "胸痛。"]


async def test_the_same_as_the_local_traces(ward: Ward, tmp_path: Path) -> None:
    """Runs, lists, sentences, exports, agreement: equal to what `medner.Traces` reads on the server's machine."""

    job = await ward.traced(TEXTS)

    def story(server: medner.Server) -> None:
        with medner.Traces(tmp_path / "traces.sqlite") as local:
            assert server.traces.runs() == local.runs()
            assert [one.name for one in server.traces.runs()] == [job.id]
            assert server.traces.list() == local.list() == server.traces.list(job.id[:-1])
            assert len(server.traces.list()) == 2
            for name in ("last/1", f"{job.id}/2", server.traces.list()[1].name):
                here, there = local.show(name), server.traces.show(name)
                assert there == here
                assert there.entities == here.entities
                assert [one.prompt for one in there.conflicts] == [one.prompt for one in here.conflicts]
            assert server.traces.export() == local.export()
            assert server.traces.agreement() == local.agreement()
            assert server.jobs.agreement(job)["conflicts"] == 2

    await ward.asked(story)


async def test_fork_overrule_and_remove(ward: Ward) -> None:
    """Another judge settles the same conflicts; a person's decision wins and is taken back; a run is removed."""
    job = await ward.traced(TEXTS)
    async with ward.connected() as server:
        fork = await server.traces.fork("last", "best-tagger:json-plain")
        assert (fork.kind, fork.parent, fork.traces) == ("fork", job.id, 2)
        found = await server.traces.diff(job.id, fork.name)
        assert (found.sentences, found.conflicts, found.changed_conflicts, len(found.changed)) == (2, 2, 2, 2)
        decided = await server.traces.overrule("last/1", "c0", [1], why="心电图是检查", by="Dr Li")
        assert [(one.text, one.decision) for one in decided.entities] == [("心电图", "human")]
        assert (await server.traces.list())[0].overruled == 1
        assert (await server.traces.take_back("last/1", "c0")).entities == ()
        assert await server.traces.remove(fork.name) == 2
        for name, words in (("nope", "no run 'nope'"), ("last/9", "no trace of sentence '9'|no such trace|'9'")):
            with pytest.raises(medner.UserError, match=words):
                await (server.traces.show(name) if "/" in name else server.traces.list(name))
        with pytest.raises(medner.UserError, match="RUN/SENTENCE"):
            await server.traces.show("last")
        with pytest.raises(medner.UserError, match="a judge by name"):
            await server.traces.fork("last", {"kind": "hard-vote"})  # type: ignore[arg-type]


async def test_judges(ward: Ward) -> None:
    """Defined, tested, put in place, brought back, forgotten: as with `medner.Judges`."""

    def story(server: medner.Server) -> None:
        judges = server.judges
        assert judges.current() is None
        added = judges.add("vote", "hard-vote")
        assert (added.name, added.judge["kind"], added.revision) == ("vote", "hard-vote", 1)
        assert judges.add("best", {"kind": "best-tagger", "tagger": "json-plain"}).revision == 1
        assert [one.name for one in judges.list()] == ["best", "vote"]
        assert judges.test("vote").passed
        first = judges.use("vote", why="a rule to begin with")
        assert (first.version, first.name, first.why) == (1, "vote", "a rule to begin with")
        assert judges.use("best", force=True).version == 2
        assert judges.back_to(1, why="again").version == 3
        current = judges.current()
        assert current is not None
        assert (current.version, current.name) == (3, "vote")
        assert [one.version for one in judges.history()] == [3, 2, 1]
        judges.remove("best")
        with pytest.raises(medner.RefusedError, match="in use"):
            judges.remove("vote")
        with pytest.raises(medner.RefusedError, match="no judge 'nobody'"):
            judges.use("nobody")
        with pytest.raises(medner.RefusedError, match="judge: "):
            judges.add("odd", "no-such-judge")
        assert judges.workers() == {}

    await ward.asked(story)


async def test_a_review(ward: Ward) -> None:
    """Two reviewers never have the same conflict; decisions flow into results; a late one says so."""
    job = await ward.traced(TEXTS)
    async with ward.connected() as server:
        assert (await server.review.progress()).left == 2
        one = await server.review.claim(job, by="Li")
        other = await server.review.claim(job, by="Wang")
        assert one is not None
        assert other is not None
        assert one.trace != other.trace
        assert await server.review.claim(job, by="Chen") is None
        assert (one.conflict.text, one.text[one.conflict.start : one.conflict.end]) == ("心电图", "心电图")
        assert one.conflict.candidates[0].label_name == "医疗程序"
        asked = await server.review.ask(one, "best-tagger:json-plain")
        assert (asked.judge, asked.candidates[0].kept) == ("best-tagger:json-plain", True)
        assert not one.conflict.candidates[0].kept
        assert (await server.review.keep(one)).expires >= one.expires
        decided = await server.review.decide(one, [1], why="检查")
        assert decided.candidates[0].kept
        with pytest.raises(medner.RefusedError) as caught:
            await server.review.decide(replace(one), [])
        assert caught.value.kind in ("claim-lost", "unknown-claim")
        await server.review.release(other)
        again = await server.review.claim(job, by="Chen", kinds=[other.conflict.kind], label="pro")
        assert again is not None
        assert again.trace == other.trace
        await server.review.skip(again, why="unclear")
        progress = await server.review.progress(job)
        assert (progress.conflicts, progress.decided, progress.skipped, progress.left) == (2, 1, 1, 0)
        assert set(progress.decisions_for) == {0.5, 0.8, 0.95}
        texts = [entity.text async for each in server.jobs.results(job) for entity in each.entities]
        assert texts.count("心电图") == 1
        assert not (await server.review.undo(job, by="Li")).candidates[0].kept
