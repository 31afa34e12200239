"""What clients may choose, and what of the server's start stays out of their reach."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from medner.core.errors import UserError
from medner.core.labels import label_set_toml
from medner.service.config.options import Overrides
from medner.service.http.allowed_options import AllowedOptions, offer_of, own_label_sets
from medner.service.http.messages.problems import Problem
from medner.service.http.messages.requests import JobOptions
from medner.store.jobs import Jobs
from tests.service.http.conftest import Serving

NOTE = {"documents": [{"id": "甲", "text": "患者咳嗽三天。"}]}


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A label set of one's own."""
    file = tmp_path / "ward.toml"
    file.write_text(label_set_toml("ccks2019").replace('name = "ccks2019"', 'name = "ward"'), encoding="utf-8")
    return file


async def test_label_sets_of_ones_own_are_offered_by_name(own: Path, serving: Serving, jobs: Jobs) -> None:
    """The client says the name; the job has the file; answers show no folder of the server."""
    offer = AllowedOptions(Overrides(taggers="html:full,json:plain", judge="hard-vote"), own_label_sets((own,)))
    async with serving(offer=offer) as client:
        listed = await client.get("/v1/labels")
        submitted = await client.post("/v1/jobs", json={**NOTE, "labels": "ward"})
        shown = await client.get(submitted.headers["location"])
    assert [one["name"] for one in listed.json()["labels"]] == ["cmeee-v2", "ccks2019", "ward"]
    assert shown.json()["labels"] == "ward"
    assert str(own.parent) not in listed.text + submitted.text + shown.text
    (view,) = await jobs.all()
    assert view.spec is not None
    assert view.spec.configuration["labels"] == str(own)


def test_the_label_set_of_the_configuration_is_offered(own: Path, tmp_path: Path) -> None:
    """What jobs use by default can be named too; a configuration that is wrong is told at the start."""
    configuration = tmp_path / "medner.toml"
    configuration.write_text('labels = "./ward.toml"\n', encoding="utf-8")
    default, known = offer_of(Overrides(config=configuration), ()).labels()
    assert default == "ward"
    assert "ward" in [one.name for one in known]
    configuration.write_text('labels = "./nothing.toml"\n', encoding="utf-8")
    with pytest.raises(UserError):
        offer_of(Overrides(config=configuration), ())


def test_two_label_sets_of_one_name_are_refused(own: Path) -> None:
    """A name means one label set."""
    with pytest.raises(UserError, match="another name"):
        own_label_sets((own, own))


async def test_options_change_the_job_and_nothing_else(client: httpx.AsyncClient, jobs: Jobs) -> None:
    """What a client leaves out is the server's; what it says is in the job's frozen configuration."""
    options = {"taggers": ["html:full"], "judge": "best-tagger:html-full", "trace": "all", "keep_days": 1}
    await client.post("/v1/jobs", json={**NOTE, **options})
    await client.post("/v1/jobs", json=NOTE)
    usual, changed = [view.spec for view in sorted(await jobs.all(), key=lambda view: view.submitted_s, reverse=True)]
    assert usual is not None
    assert changed is not None
    assert [one["name"] for one in changed.configuration["taggers"]] == ["html-full"]
    assert (changed.configuration["judge"]["kind"], changed.trace, changed.keep_s) == ("best-tagger", "all", 86_400)
    assert [one["name"] for one in usual.configuration["taggers"]] == ["html-full", "json-plain"]
    assert (usual.configuration["judge"]["kind"], usual.trace) == ("hard-vote", "conflicts")


@pytest.mark.parametrize("taggers", ["plugin:dictionary", "plugin:dictionary:words.txt", "html:full,plugin:dictionary"])
def test_a_client_names_no_plugin(taggers: str) -> None:
    """A plugin reads what stands behind its name; only the server's own configuration names one."""
    offer = AllowedOptions(Overrides(taggers="html:full,json:plain", judge="hard-vote"), own_label_sets(()))
    with pytest.raises(Problem, match="is no name"):
        offer.spec(JobOptions(taggers=taggers))
    with pytest.raises(Problem, match="is none"):
        offer.spec(JobOptions(judge="plugin:longest"))
