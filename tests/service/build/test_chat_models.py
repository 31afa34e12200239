"""Judges of other providers: a real LangChain client, a server of the test's own that speaks OpenAI's protocol."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

pytest.importorskip("langchain_openai")

from medner.agents.judges.asking import Asking
from medner.agents.judges.select import SelectJudge
from medner.core.errors import ExternalError, UserError
from medner.core.labels import load_label_set
from medner.core.records import Entity
from medner.service.build.chat_models import Connections, named_chat
from medner.service.build.judges import JudgeParts, build_judge_chain
from medner.service.config.judges import SelectJudgeConfig
from tests.agents.judges.conftest import make_case

CASE = make_case("右肺上叶腺癌", {Entity(0, 6, "dis"): "a", Entity(4, 6, "dis"): "b"})


class Server(ThreadingHTTPServer):
    """Answers with ``said`` in turn; an int is a status. Keeps what it was asked."""

    said: list[Any]
    asked: list[tuple[dict[str, Any], str]]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((body, self.headers.get("Authorization", "")))
        said = self.server.said.pop(0) if len(self.server.said) > 1 else self.server.said[0]
        message = {"role": "assistant", "content": said}
        answer = {
            "id": "x",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }
        data = json.dumps(answer if isinstance(said, str) else {"error": {"message": "busy"}}).encode()
        self.send_response(200 if isinstance(said, str) else said)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Nothing on stderr."""


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server(("127.0.0.1", 0), Handler)
    running.said, running.asked = ["1"], []
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield running
    running.shutdown()
    thread.join()


def config(server: Server, **more: Any) -> SelectJudgeConfig:
    return SelectJudgeConfig(model="openai:house-model", url=f"http://127.0.0.1:{server.server_port}/v1", **more)


async def test_a_server_of_ones_own_judges(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Greedy, with the key of the variable that is named; no grammar is sent to a server that may not know any."""
    monkeypatch.setenv("HOUSE_KEY", "sesame")
    parts = JudgeParts(load_label_set("cmeee-v2"), "a", "base")
    judge_chain = build_judge_chain(config(server, key_env="HOUSE_KEY", max_tokens=64), parts)
    verdict = await judge_chain.judges[0].judge(CASE)
    assert verdict.kept == (Entity(0, 6, "dis"),)
    assert verdict.judge == "house-model"
    (body, key) = server.asked[0]
    assert key == "Bearer sesame"
    assert (body["model"], body["temperature"]) == ("house-model", 0)
    assert "graph" not in body
    assert 64 in (body.get("max_tokens"), body.get("max_completion_tokens"))
    assert [message["role"] for message in body["messages"]] == ["system", "user"]


async def test_a_busy_server_is_asked_again_by_us_alone(server: Server) -> None:
    """Attempts are counted in one place: three questions for three attempts."""
    server.said = [503]
    chat, name = named_chat(config(server), Connections())
    judge = SelectJudge(chat, name, asking=Asking(chat, attempts=3, wait_s=0.0))
    with pytest.raises(ExternalError, match="3 attempts"):
        await judge.judge(CASE)
    assert len(server.asked) == 3
    server.said = [503, "1"]
    assert (await judge.judge(CASE)).answer == "1"


def test_a_provider_whose_package_is_missing_is_named() -> None:
    """With what to install."""
    with pytest.raises(UserError, match="pip install langchain-anthropic"):
        named_chat(SelectJudgeConfig(model="anthropic:claude"), Connections())


def test_settings_that_a_provider_refuses_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that is missing, in the provider's own words and ours."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UserError, match="key_env"):
        named_chat(SelectJudgeConfig(model="openai:gpt-4o"), Connections())
