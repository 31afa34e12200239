"""Who plays which part where a manifest does not say."""

from __future__ import annotations

from pathlib import Path

import pytest

from medner.evaluation.paper.manifest import FilterEntry, JudgeEntry, ReportManifest, TaggerEntry
from medner.evaluation.paper.roles import assign_roles, base_key

FILE = Path("x.jsonl")
SYMBOL = TaggerEntry(name="symbol", strategy="symbol", file=FILE)
JSON = TaggerEntry(name="json", strategy="json", file=FILE)
UNTUNED = TaggerEntry(name="untuned", strategy="symbol", file=FILE, zero_shot=True)
CLS = FilterEntry(kind="llm-cls", of="symbol", file=FILE)


def manifest(**more: object) -> ReportManifest:
    """A manifest with two tuned taggers and one that is not, and more."""
    return ReportManifest.model_validate(
        {"labels": "cmeee-v2", "gold": FILE, "tagger": (UNTUNED, JSON, SYMBOL), **more}
    )


def test_the_tuned_symbol_tagger_is_the_main_one() -> None:
    """Also where others stand before it; an untuned one never is."""
    roles = assign_roles(manifest())
    assert roles.main == SYMBOL
    assert roles.members == ("json", "symbol")
    assert (roles.singles, roles.final) == (("json", "symbol"), None)


def test_filtered_predictions_take_the_taggers_place() -> None:
    """A tagger with its LLM-CLS filter joins the ensemble behind it; the first direct judge is the whole method."""
    judges = (
        JudgeEntry(name="slow", prompt="thinking", file=FILE),
        JudgeEntry(name="quick", prompt="direct", file=FILE),
    )
    roles = assign_roles(manifest(filter=(CLS,), judge=judges))
    assert roles.members == ("json", "symbol+llm-cls")
    assert (roles.singles, roles.final) == (("json", "symbol", "symbol+llm-cls"), "quick")


def test_what_the_manifest_says_holds() -> None:
    """Every part can be given by name."""
    roles = assign_roles(manifest(main="json", members=["symbol"], single="symbol", final="json", filter=(CLS,)))
    assert (roles.main, roles.members, roles.singles, roles.final) == (JSON, ("symbol",), ("symbol",), "json")


@pytest.mark.parametrize("name", ["GLM-4-9B-Chat", "THUDM/glm-4-9b-chat", "models/glm-4-9b-chat/"])
def test_base_models_are_matched_by_their_last_name(name: str) -> None:
    """However a model is written, it is the same."""
    assert base_key(name) == "glm-4-9b-chat"
