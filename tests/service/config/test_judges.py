"""Judges in words and in tables: what fits together, what is refused, who is sent patients' text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from medner.agents.engines.scripted import ScriptedEngine
from medner.agents.judges.judge import BestTagger, FilterScore, HardVote, Renamed
from medner.agents.judges.rewrite import RewriteJudge
from medner.agents.judges.select import SelectJudge
from medner.core.errors import UserError
from medner.core.labels import load_label_set
from medner.service.build.chat_models import Connections, named_chat
from medner.service.build.judges import JudgeParts, Naming, build_judge_chain
from medner.service.config.judges import FilterScoreConfig, HardVoteConfig, JudgeConfig, SelectJudgeConfig, read_judge


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("hard-vote", {"kind": "hard-vote"}),
        ("best-tagger", {"kind": "best-tagger", "tagger": None}),
        ("best-tagger:span", {"kind": "best-tagger", "tagger": "span"}),
        ("select", {"kind": "select"}),
        ("rewrite", {"kind": "rewrite"}),
        ("select:ollama:qwen3:8b", {"kind": "select", "model": "ollama:qwen3:8b"}),
        ("trained:runs/judge/adapter", {"kind": "trained", "adapter": Path("runs/judge/adapter")}),
    ],
)
def test_judges_in_words(said: str, read: dict[str, Any]) -> None:
    """Each form of --judge."""
    assert read_judge(said) == read
    JudgeConfig.model_validate(read)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"kind": "hard-vote", "template": "step-by-step"}, "template: only select, rewrite takes this"),
        ({"kind": "select", "tagger": "span"}, "tagger: only best-tagger"),
        ({"kind": "rewrite", "joint": True}, "joint: only select"),
        ({"kind": "hard-vote", "joint": False}, "joint: only select takes this, hard-vote does not"),
        ({"kind": "best-tagger", "least": 0.5}, "least: only filter-score"),
        ({"kind": "filter-score", "template": "direct"}, "template: only select, rewrite"),
        ({"kind": "select", "abstain": None}, "abstain: only trained"),
        ({"least": 0.5}, "least: only filter-score takes this, best-tagger does not"),
        ({"kind": "select", "fallback": [{"kind": "hard-vote", "attempts": 3}]}, "attempts: only select"),
        ({"kind": "trained"}, "adapter: a trained judge needs"),
        ({"kind": "select", "model": "gpt-4o"}, "model"),
        ({"kind": "select", "model": "vllm:qwen"}, "url: a vLLM model needs"),
        ({"kind": "select", "url": "http://localhost:1"}, "model: url, key_env and options need"),
        ({"kind": "select", "model": "openai:x", "options": {"api_key": "sk-1"}}, "looks like a secret"),
        ({"kind": "trained", "adapter": "a", "abstain": [0.6, 0.4]}, "abstain: give two probabilities"),
        ({"kind": "select", "fallback": ["jury"]}, "'jury' is none"),
        ({"kind": "select", "fallback": [{"kind": "select", "fallback": ["hard-vote"]}]}, "no fallback of its own"),
        ({"kind": "select", "votes": 3}, "votes"),
    ],
)
def test_what_does_not_fit_is_refused(data: dict[str, Any], message: str) -> None:
    """With the key at fault first."""
    with pytest.raises(ValidationError) as refused:
        JudgeConfig.model_validate(data)
    assert message in str(refused.value)


@pytest.mark.parametrize("judge", ["hard-vote", "best-tagger:a", "filter-score:0.3", "select", "rewrite", "trained:x"])
@pytest.mark.parametrize("mode", ["python", "json"])
def test_a_judge_written_out_in_full_is_read_again(judge: str, mode: Any) -> None:
    """Jobs, traces and the registry hold judges with every key; those of other kinds are at their defaults there."""
    chosen = JudgeConfig.model_validate({**read_judge(judge), "fallback": ["hard-vote"]})
    assert JudgeConfig.model_validate(chosen.model_dump(mode=mode)) == chosen


@pytest.mark.parametrize(
    ("data", "hosts"),
    [
        ({"kind": "select"}, ()),
        ({"kind": "hard-vote"}, ()),
        ({"kind": "select", "model": "ollama:qwen3"}, ()),
        ({"kind": "select", "model": "deepseek:deepseek-chat"}, ("the servers of deepseek",)),
        ({"kind": "select", "model": "vllm:q", "url": "http://127.0.0.1:8101"}, ()),
        ({"kind": "select", "model": "openai:q", "url": "http://localhost:1/v1"}, ()),
        ({"kind": "select", "model": "openai:q", "url": "http://10.0.0.3:8000/v1"}, ("10.0.0.3",)),
        ({"kind": "select", "fallback": [{"kind": "select", "model": "openai:gpt"}]}, ("the servers of openai",)),
    ],
)
def test_who_is_sent_sentences(data: dict[str, Any], hosts: tuple[str, ...]) -> None:
    """Every place outside this machine is known before the first sentence goes there, fallbacks' too."""
    assert JudgeConfig.model_validate(data).goes_out_to() == hosts


def test_the_bench_is_what_the_table_says() -> None:
    """Rules and models in order; a registered judge carries its name and version, others a hash of their table."""
    data = {"kind": "select", "fallback": [{"kind": "rewrite", "template": "step-by-step"}, "best-tagger", "hard-vote"]}
    parts = JudgeParts(load_label_set("cmeee-v2"), "span", "base", ScriptedEngine(lambda _: "1"))
    judge_chain = build_judge_chain(JudgeConfig.model_validate(data), parts)
    first, second, third, fourth = judge_chain.judges
    assert isinstance(first, SelectJudge)
    assert isinstance(second, RewriteJudge)
    assert second.template.version == "rewrite-steps-1"
    assert third == BestTagger("span")
    assert fourth == HardVote()
    assert first.name == "base"
    joint = build_judge_chain(SelectJudgeConfig(joint=True), parts)
    assert joint.judges[0].version != first.version
    named = build_judge_chain(FilterScoreConfig(least=0.3), parts, Naming("house", "4"))
    assert named.judges == (Renamed(FilterScore(0.3), "house", "4"),)


def test_a_judge_without_its_engine_is_refused() -> None:
    """A rule needs none."""
    parts = JudgeParts(load_label_set("cmeee-v2"), "span", "base")
    assert (build_judge_chain(HardVoteConfig(), parts)).judges == (HardVote(),)
    with pytest.raises(UserError, match="not loaded here"):
        build_judge_chain(SelectJudgeConfig(), parts)


def test_a_key_that_is_not_set_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the variable's name; the key itself is in no configuration."""
    monkeypatch.delenv("HOUSE_KEY", raising=False)
    judge = SelectJudgeConfig(model="vllm:q", url="http://127.0.0.1:1", key_env="HOUSE_KEY")
    with pytest.raises(UserError, match="HOUSE_KEY, which is not set"):
        named_chat(judge, Connections())


def test_a_missing_package_is_named() -> None:
    """LangChain, or the provider's own package."""
    judge = SelectJudgeConfig(model="anthropic:claude")
    with pytest.raises(UserError, match=r"pip install 'medner\[judges\]'|pip install langchain-anthropic"):
        named_chat(judge, Connections())
