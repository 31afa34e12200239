"""Requests as servers get them, answers as the pipeline gets them."""

from __future__ import annotations

import math

import pytest

from medner.agents.engines.engine import Request
from medner.agents.engines.vllm.engine import VllmEngine
from medner.agents.prompts.messages import Message
from medner.agents.strategies import CODECS
from medner.core.errors import ExternalError, UserError
from medner.core.labels import load_label_set
from tests.agents.engines.vllm.play import Play, pool_of

LABELS = load_label_set("cmeee-v2")
CHAT = (Message("system", "标注"), Message("user", "咽痛三天"))


async def engine_on(*plays: Play) -> VllmEngine:
    """An engine on played servers, with one adapter."""
    pool = pool_of(*plays)
    await pool.open()
    return VllmEngine(pool, base="base", served={"symbol": "cmeee-v2.symbol"})


async def test_an_adapter_is_a_model_name_and_the_graph_a_grammar() -> None:
    """Greedy whatever the model's own defaults say, held to the strategy's grammar, never by guided_*."""
    play = Play(answer="临床表现：[咽痛]三天")
    engine = await engine_on(play)
    graph = CODECS["symbol"].graph("咽痛三天", LABELS)
    completion = await engine.complete(Request(CHAT, graph=graph, adapter="symbol", max_tokens=99))
    assert completion.text == "临床表现：[咽痛]三天"
    assert not completion.truncated
    assert (completion.cost.prompt_tokens, completion.cost.answer_tokens) == (7, 11)
    sent = play.seen[-1]
    assert sent["model"] == "cmeee-v2.symbol"
    assert (sent["temperature"], sent["repetition_penalty"]) == (0, 1)
    assert sent["structured_outputs"]["grammar"].startswith("root ::= ")
    assert not any(key.startswith("guided") for key in sent)
    await engine.close()


async def test_without_a_graph_nothing_constrains() -> None:
    """The base model answers freely."""
    play = Play()
    engine = await engine_on(play)
    await engine.complete(Request(CHAT))
    assert "structured_outputs" not in play.seen[-1]
    assert play.seen[-1]["model"] == "base"
    await engine.close()


async def test_an_answer_at_its_cap_is_truncated() -> None:
    """finish_reason "length" is told on."""
    engine = await engine_on(Play(answer="一二三四"))
    assert (await engine.complete(Request(CHAT, max_tokens=2))).truncated
    await engine.close()


async def test_a_cap_beyond_the_context_is_cut_to_what_fits() -> None:
    """Servers refuse more; the local engine cuts as well."""
    play = Play(models={"base": 100})
    engine = await engine_on(play)
    await engine.complete(Request(CHAT, max_tokens=4_000))
    assert play.seen[-1]["max_tokens"] == 100 - 6
    await engine.close()


async def test_a_prompt_beyond_the_context_says_what_to_change() -> None:
    """Server, model and options are named, the text is not."""
    engine = await engine_on(Play(models={"base": 5}))
    with pytest.raises(UserError, match=r"a prompt of 6 tokens .* 5 .*--max-model-len.*--max-chars") as caught:
        await engine.complete(Request(CHAT))
    assert "咽痛" not in str(caught.value)
    await engine.close()


async def test_choices_are_probabilities_over_the_options() -> None:
    """The server's log-probabilities of the options' first tokens, normalised."""
    play = Play()
    engine = await engine_on(play)
    found = await engine.choose(CHAT, ["是", "否"], adapter="symbol")
    assert math.isclose(sum(found), 1)
    assert math.isclose(found[0] / found[1], math.e)
    assert play.seen[-1]["allowed_token_ids"] == [ord("是"), ord("否")]
    await engine.choose(CHAT, ["是", "否"], adapter="symbol")
    assert sum("prompt" in body for body in play.seen) == 2, "tokens of options are asked for once"
    await engine.close()


async def test_an_option_the_server_tells_nothing_of() -> None:
    """It is not taken for impossible: the message names the server's setting."""
    engine = await engine_on(Play(untold=(ord("否"),)))
    with pytest.raises(ExternalError, match="--logprobs-mode processed_logprobs"):
        await engine.choose(CHAT, ["是", "否"])
    await engine.close()


async def test_texts_are_classified_in_one_request() -> None:
    """Raw scores, in the order of the texts whatever the server's."""
    play = Play(models={"filter": 512})
    engine = await engine_on(play)
    assert await engine.classify("filter", ["一", "二二二", "三三"]) == [1.0, 3.0, 2.0]
    (sent,) = play.seen
    assert (sent["use_activation"], sent["add_special_tokens"]) == (False, False)
    await engine.close()


async def test_options_with_one_beginning_are_refused() -> None:
    """They cannot be told apart by one token."""
    engine = await engine_on(Play())
    with pytest.raises(UserError, match="cannot be told apart"):
        await engine.choose(CHAT, ["是的", "是"])
    await engine.close()


async def test_an_unknown_adapter_is_refused() -> None:
    """The adapters there are stand in the message."""
    engine = await engine_on(Play())
    with pytest.raises(UserError, match=r"no adapter 'x'.*symbol"):
        await engine.complete(Request(CHAT, adapter="x"))
    await engine.close()
