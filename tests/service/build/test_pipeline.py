"""From a configuration to agents: what is built, what is missing, how many threads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from medner.agents.engines.scripted import ScriptedEngine
from medner.agents.judges.judge import BestTagger, HardVote
from medner.agents.judges.select import SelectJudge
from medner.core.choices import DEFAULT_MODEL
from medner.core.errors import UserError
from medner.service.build.cpu_cores import physical_cores
from medner.service.build.engines import EngineOrder, local_engine, model_folder
from medner.service.build.pipeline import build_deps
from medner.service.config.configuration import validated
from medner.service.config.default import default_configuration
from medner.service.config.options import Overrides, configured
from medner.store.models import ModelStore


def _deps(**overrides: Any) -> Any:
    return build_deps(configured(Overrides(**overrides)), ScriptedEngine(lambda request: ""))


async def test_the_agents_are_those_of_the_configuration() -> None:
    """Taggers in order with prompts and examples, the select judge on the same model, the exemplars of the labels."""
    deps = _deps(labels="ccks2019", taggers="html:full,symbol:brief", filter="llm-causal:0.3", judge="select")
    assert [(one.name, one.codec.name, one.style, len(one.shots), one.adapter) for one in deps.taggers] == [
        ("html-full", "html", "full", 3, None),
        ("symbol-brief", "symbol", "brief", 0, None),
    ]
    assert (deps.labels.name, deps.max_chars, deps.min_taggers) == ("ccks2019", 256, 1)
    assert (deps.filter.name, deps.filter.threshold) == ("llm-causal", 0.3)
    assert isinstance(deps.judge, SelectJudge)
    assert deps.judge.name == DEFAULT_MODEL
    assert await deps.exemplars.exemplars(None, None, [deps.labels.codes[0]])


@pytest.mark.parametrize(("judge", "kind"), [("hard-vote", HardVote), ("best-tagger:html-full", BestTagger)])
def test_judges_without_a_model_can_be_chosen(judge: str, kind: type) -> None:
    """Hard voting and the best tagger need no engine."""
    assert isinstance(_deps(judge=judge, taggers="html:full").judge, kind)


def test_a_model_that_is_not_here_is_not_pulled(tmp_path: Path) -> None:
    """The error says how to get it; a folder without a model is refused."""
    with pytest.raises(UserError, match=f"medner models pull {DEFAULT_MODEL}"):
        model_folder(default_configuration(), ModelStore(tmp_path))
    with pytest.raises(UserError, match=r"no config\.json"):
        model_folder(default_configuration(model=str(tmp_path)))
    with pytest.raises(UserError, match="folder of a base model"):
        local_engine(EngineOrder(None, {}, 1))


def test_an_unknown_configuration_key_never_reaches_the_agents() -> None:
    """Plain data is checked at the boundary."""
    with pytest.raises(UserError, match="unknown key"):
        validated({**default_configuration().model_dump(), "speed": 3}, where="here")


def _topology(root: Path, siblings: list[str]) -> Path:
    for cpu, names in enumerate(siblings):
        folder = root / f"cpu{cpu}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(names + "\n", encoding="ascii")
    return root


def test_threads_are_physical_cores_within_the_quota(tmp_path: Path) -> None:
    """Sibling threads count once, a container's quota limits, and nothing known gives at least one."""
    everyone = _topology(tmp_path / "cpus", ["all"] * 512)
    assert physical_cores(everyone, tmp_path / "none") == 1
    assert physical_cores(tmp_path / "none", tmp_path / "none") >= 1
    quota = tmp_path / "cpu.max"
    quota.write_text("50000 100000\n", encoding="ascii")
    assert physical_cores(tmp_path / "none", quota) == 1
    quota.write_text("max 100000\n", encoding="ascii")
    assert physical_cores(tmp_path / "none", quota) == physical_cores(tmp_path / "none", tmp_path / "none")


@pytest.mark.model
def test_the_real_model_annotates_a_sentence() -> None:
    """The shipped default runs end to end in a process of its own; every offset is right."""
    try:
        ModelStore().path(DEFAULT_MODEL)
    except UserError as missing:
        pytest.skip(str(missing))
    text = "咳嗽3天。"
    command = [sys.executable, "-m", "medner.service.cli", "annotate", "--text", text, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")  # noqa: S603
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert [len(sentence["outputs"]) for sentence in record["sentences"]] == [2]
    assert all(text[one["start"] : one["end"]] == one["text"] for one in record["entities"])
