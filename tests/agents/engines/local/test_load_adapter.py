"""Adapters that come while the engine runs: requests under way go on, and answers are as if they had been there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from medner.agents.engines.engine import AdapterLoader, Request
from medner.agents.engines.local.engine import LocalEngine
from medner.agents.engines.local.model import LocalModel
from medner.agents.prompts.messages import Message
from medner.agents.strategies import CODECS
from medner.core.errors import UserError
from medner.core.labels import load_label_set

LABELS = load_label_set("cmeee-v2")
SENTENCE = "双侧扁桃体红肿，咽部充血。"


def request(adapter: str | None) -> Request:
    messages = (Message("system", "标注医学实体"), Message("user", SENTENCE))
    return Request(messages, CODECS["html"].graph(SENTENCE, LABELS), adapter, 60)


async def test_a_late_adapter_answers_as_an_early_one(tiny_base: Path, tiny_adapters: dict[str, Path]) -> None:
    """Loaded among requests of another adapter and of the base, whose answers stay the same too."""
    early = LocalEngine(LocalModel(tiny_base, tiny_adapters, dtype=torch.float32))
    expected = {name: (await early.complete(request(name))).text for name in (None, "one", "two")}
    await early.close()
    late = LocalEngine(LocalModel(tiny_base, {"one": tiny_adapters["one"]}, dtype=torch.float32))
    assert isinstance(late, AdapterLoader)
    with pytest.raises(UserError, match="no adapter 'two'"):
        await late.complete(request("two"))
    under_way = [asyncio.create_task(late.complete(request(name))) for name in (None, "one") * 3]
    await asyncio.sleep(0)
    await late.load_adapter("two", tiny_adapters["two"])
    found = {"two": (await late.complete(request("two"))).text}
    assert found["two"] == expected["two"]
    texts = [(await task).text for task in under_way]
    assert texts == [expected[None], expected["one"]] * 3
    with pytest.raises(UserError, match="is loaded already"):
        await late.load_adapter("two", tiny_adapters["two"])
    with pytest.raises(UserError, match="holds no adapter_model"):
        await late.load_adapter("three", tiny_base)
    assert (await late.complete(request("one"))).text == expected["one"]
    await late.close()
