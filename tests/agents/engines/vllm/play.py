"""A vLLM server that is played: it answers as the real one does, and fails on order."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from medner.agents.engines.vllm.pool import Pool
from medner.agents.engines.vllm.server import ServerAddress

Fault = Callable[[httpx.Request], httpx.Response]


def refuse(request: httpx.Request) -> httpx.Response:
    """Nobody listens."""
    raise httpx.ConnectError("refused", request=request)


def break_off(request: httpx.Request) -> httpx.Response:
    """The connection ends in the middle of the answer."""
    raise httpx.RemoteProtocolError("closed", request=request)


def say(status: int, message: str = "no", **headers: str) -> Fault:
    """An error status with a message."""
    return lambda _: httpx.Response(status, json={"error": {"message": message}}, headers=headers)


@dataclass
class Play:
    """``models`` by name to context; ``faults`` are played first, one a request to a model, then ``answer``.

    Of the tokens ``untold`` it tells no probability; a text's score is its length; each token has ``token_numbers``.
    """

    models: dict[str, int | None] = field(default_factory=lambda: {"base": 4096, "cmeee-v2.symbol": None})
    answer: str = "好"
    faults: list[Fault] = field(default_factory=list)
    version: str = "0.32.0"
    down: bool = False
    untold: tuple[int, ...] = ()
    token_numbers: tuple[float, ...] = ()
    seen: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            return refuse(request)
        path = request.url.path
        if path == "/health":
            return httpx.Response(200)
        if path == "/version":
            return httpx.Response(200, json={"version": self.version})
        if path == "/v1/models":
            data = [{"id": name, "max_model_len": most, "parent": None} for name, most in self.models.items()]
            return httpx.Response(200, json={"data": data})
        body = json.loads(request.content)
        self.seen.append(body)
        if self.faults:
            return self.faults.pop(0)(request)
        if body["model"] not in self.models:
            return say(404)(request)
        if path == "/tokenize":
            text = body.get("prompt") or "".join(one["content"] for one in body["messages"])
            return httpx.Response(200, json={"count": len(text), "tokens": [ord(char) for char in text]})
        if path == "/pooling":
            row = struct.pack(f"<{len(self.token_numbers)}f", *self.token_numbers)
            numbers = base64.b64encode(row * len(body["input"])).decode()
            return httpx.Response(200, json={"data": [{"index": 0, "data": numbers}]})
        if path == "/classify":
            scored = [{"index": number, "probs": [float(len(text))]} for number, text in enumerate(body["input"])]
            return httpx.Response(200, json={"data": scored[::-1]})
        return httpx.Response(200, json=self._completion(body))

    def _completion(self, body: dict[str, Any]) -> dict[str, Any]:
        ids = [one for one in body.get("allowed_token_ids") or [] if one not in self.untold]
        told = [{"token": f"token_id:{one}", "logprob": -1.0 - number} for number, one in enumerate(ids)]
        cut = self.answer[: body["max_tokens"]]
        return {
            "choices": [
                {
                    "message": {"content": cut},
                    "finish_reason": "stop" if cut == self.answer else "length",
                    "logprobs": {"content": [{"token": "x", "logprob": -3.0, "top_logprobs": told}]},
                }
            ],
            "usage": {"prompt_tokens": 7, "completion_tokens": len(cut)},
        }


def pool_of(*plays: Play, attempts: int = 4, concurrency: int = 32) -> Pool:
    """A pool of played servers that never rests."""
    by_url = {f"http://server{number}": play for number, play in enumerate(plays)}
    return Pool(
        [ServerAddress(url, concurrency) for url in by_url],
        attempts=attempts,
        transport=lambda address: httpx.MockTransport(by_url[address.url]),
        rest=lambda _: 0.0,
    )
