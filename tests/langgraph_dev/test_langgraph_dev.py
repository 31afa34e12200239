"""`langgraph dev` opens the sentence graph by langgraph.json: it draws it, runs it, changes a state, sends nothing."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.langgraph_dev.conftest import LANGSMITH, QUIET, ROOT, Proxy

TEXT = "患者胸痛3天，查心电图。"

#: A graph as docs/langgraph.md has it, with a dictionary in place of models.
GRAPH = """
from medner.langgraph import sentence_graph
from medner.testing import TAGGERS, DictionaryEngine

engine = DictionaryEngine({"胸痛": "sym", "心电图": "pro"}, only={"json": ["心电图"]})
graph = sentence_graph(engine=engine, taggers=TAGGERS, judge="best-tagger:json-plain")
"""


def call(address: str, path: str, body: object = None, *, method: str = "POST") -> Any:
    request = urllib.request.Request(  # noqa: S310  our own server
        address + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"content-type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return json.load(answer)


@pytest.fixture
def own_graph(tmp_path: Path) -> Path:
    """langgraph.json as it ships, with another graph."""
    (tmp_path / "my_graph.py").write_text(GRAPH, encoding="utf-8")
    given = json.loads((ROOT / "langgraph.json").read_text(encoding="utf-8"))
    given["graphs"] = {"sentence": "./my_graph.py:graph"}
    config = tmp_path / "langgraph.json"
    config.write_text(json.dumps(given), encoding="utf-8")
    return config


def test_the_file_that_ships_opens_and_draws_the_graph(serving) -> None:
    """One assistant, its form and its nodes; another assistant of another preset has another drawing. No model yet."""
    with serving(ROOT / "langgraph.json") as address:
        (assistant,) = call(address, "/assistants/search", {})
        assert assistant["graph_id"] == "sentence"
        schemas = call(address, f"/assistants/{assistant['assistant_id']}/schemas", method="GET")
        assert set(schemas["input_schema"]["properties"]) == {"text"}
        assert set(schemas["context_schema"]["properties"]) == {"labels", "preset"}
        drawing = call(address, f"/assistants/{assistant['assistant_id']}/graph", method="GET")
        names = [node["id"] for node in drawing["nodes"]]
        assert names[1:3] == ["tag span-8", "tag span-12"]
        assert names[3:-1] == ["filter", "detect_conflicts", "judge", "merge"]
        assert {(one["source"], one["target"]) for one in drawing["edges"]} >= {
            ("detect_conflicts", "judge"),
            ("detect_conflicts", "merge"),
            ("judge", "merge"),
        }
        fast = call(address, "/assistants", {"graph_id": "sentence", "context": {"preset": "fast"}})
        drawing = call(address, f"/assistants/{fast['assistant_id']}/graph", method="GET")
        assert [one["id"] for one in drawing["nodes"] if one["id"].startswith("tag ")] == ["tag span-6"]


def test_a_run_its_states_and_a_change(serving, own_graph: Path, proxy: Proxy) -> None:
    """A sentence runs; each state is JSON; a person takes a candidate out, and the graph goes on from there."""
    with serving(own_graph, {**QUIET, **LANGSMITH}) as address:
        thread = call(address, "/threads", {})["thread_id"]
        result = call(address, f"/threads/{thread}/runs/wait", {"assistant_id": "sentence", "input": {"text": TEXT}})
        assert [(one["text"], one["decision"]) for one in result["entities"]] == [
            ("胸痛", "agreed"),
            ("心电图", "judged"),
        ]
        history = call(address, f"/threads/{thread}/history", {"limit": 20})
        assert [one["next"] for one in history] == [
            [],
            ["merge"],
            ["judge"],
            ["detect_conflicts"],
            ["filter"],
            ["tag html-full", "tag json-plain"],
            ["__start__"],
        ]
        before = history[3]
        agreed = [one for one in before["values"]["candidates"] if len(one["taggers"]) == 2]
        changed = {"values": {"candidates": agreed}, "as_node": "filter", "checkpoint": before["checkpoint"]}
        fork = call(address, f"/threads/{thread}/state", changed)
        again = {"assistant_id": "sentence", "input": None, "checkpoint": fork["checkpoint"]}
        result = call(address, f"/threads/{thread}/runs/wait", again)
        assert [one["text"] for one in result["entities"]] == ["胸痛"]
        blank = call(address, "/runs/wait", {"assistant_id": "sentence", "input": {"text": " "}})
        assert "text: must be a sentence" in blank["__error__"]["message"]
    assert proxy.asked == []


def test_what_is_sent_without_the_variable_and_the_file(serving, own_graph: Path, proxy: Proxy) -> None:
    """LangGraph's statistics of commands and its look for a new version: what the page says is turned off."""
    given = json.loads(own_graph.read_text(encoding="utf-8"))
    own_graph.write_text(json.dumps({**given, "env": {}}), encoding="utf-8")
    with serving(own_graph, {}):
        pass
    assert {line.split()[1].rpartition(":")[0].split(".", 1)[1] for line in proxy.asked} == {"supabase.co", "org"}


def test_pages_of_other_hosts_are_refused(serving, own_graph: Path) -> None:
    """Only Studio's page may read the server's answers; it has no MCP, A2A or store either."""
    with serving(own_graph) as address:
        for origin, allowed in (("https://smith.langchain.com", True), ("https://example.org", False)):
            request = urllib.request.Request(f"{address}/ok", headers={"Origin": origin})  # noqa: S310
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                assert (answer.headers.get("access-control-allow-origin") == origin) is allowed
        for path in ("/mcp", "/a2a/sentence", "/store/items/search"):
            with pytest.raises(urllib.error.HTTPError, match=r"404|405"):
                call(address, path, {})
