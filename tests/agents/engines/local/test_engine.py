"""The engine's thread: what goes wrong in one place stays there, and nobody waits for ever."""

import asyncio
import threading

import pytest

torch = pytest.importorskip("torch")
from transformers import Gemma3TextConfig

from medner.agents.engines.engine import Request
from medner.agents.engines.local.engine import LocalEngine
from medner.agents.engines.local.model import LocalModel
from medner.agents.prompts.messages import Message
from medner.agents.strategies import CODECS
from medner.core.errors import ExternalError, UserError
from medner.core.labels import load_label_set
from tests.agents.engines.reference import constrained_greedy
from tests.tiny_model import save_tiny, sentence_piece_tokenizer

LABELS = load_label_set("cmeee-v2")
SENTENCE = "双侧扁桃体红肿，咽部充血。"


class Faulty(LocalModel):
    """A model whose passes fail while ``faults`` are left."""

    faults = 0

    def hidden(self, tokens, segments):
        if self.faults:
            self.faults -= 1
            raise RuntimeError("out of memory")
        return super().hidden(tokens, segments)


@pytest.fixture(scope="module")
def model(tiny_base, tiny_adapters):
    return Faulty(tiny_base, tiny_adapters, dtype=torch.float32)


def request_for(sentence, max_tokens=40, graph=None):
    messages = (Message("system", "标注医学实体，请看句子"), Message("user", sentence))
    # This strategy's answer is never empty, whatever a random model likes.
    return Request(messages, graph or CODECS["html"].graph(sentence, LABELS), None, max_tokens)


async def answer_of(engine, request):
    return (await engine.complete(request)).text


async def alone(model, request):
    engine = LocalEngine(model)
    text = await answer_of(engine, request)
    await engine.close()
    return text


async def test_a_failed_pass_fails_its_requests_and_no_later_one(model):
    """The error says what the model said; the next request starts clean."""
    engine = LocalEngine(model)
    wanted = await alone(model, request_for(SENTENCE))
    await answer_of(engine, request_for("咳", 5))
    model.faults = 1
    results = await asyncio.gather(*(engine.complete(request_for(s)) for s in (SENTENCE, "咳")), return_exceptions=True)
    assert [type(result) for result in results] == [ExternalError, ExternalError]
    assert "the model failed: RuntimeError: out of memory" in str(results[0])
    assert await answer_of(engine, request_for(SENTENCE)) == wanted
    await engine.close()


async def test_a_prefix_that_fails_to_run_is_not_kept(model):
    """The request that wanted it fails; the next one runs it again."""
    engine = LocalEngine(model)
    wanted = await alone(model, request_for(SENTENCE))
    model.faults = 1
    with pytest.raises(ExternalError, match="out of memory"):
        await engine.complete(request_for(SENTENCE))
    assert await answer_of(engine, request_for(SENTENCE)) == wanted
    await engine.close()


class Broken:
    """A grammar that fails when it is asked."""

    def start(self):
        return 0

    def edges(self, node):
        raise LookupError("no such node")

    def is_final(self, node):
        return False

    def draft(self, node):
        return b""


async def test_a_broken_grammar_fails_alone(model):
    """A request sent with it gets its answer."""
    engine = LocalEngine(model)
    results = await asyncio.gather(
        engine.complete(request_for(SENTENCE, graph=Broken())),
        answer_of(engine, request_for(SENTENCE)),
        return_exceptions=True,
    )
    await engine.close()
    assert isinstance(results[0], ExternalError)
    assert results[1] == await alone(model, request_for(SENTENCE))


def test_a_loop_that_is_gone_is_not_waited_for(model):
    """Its requests are dropped, and another loop's are answered."""
    engine = LocalEngine(model)
    loop = asyncio.new_event_loop()
    left = loop.create_task(engine.complete(request_for(SENTENCE, 2_000)))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    wanted = asyncio.run(alone(model, request_for("咳嗽")))

    async def later():
        text = await asyncio.wait_for(answer_of(engine, request_for("咳嗽")), 60)
        await engine.close()
        return text

    assert asyncio.run(later()) == wanted
    # Else the loop complains of a task that nobody can end any more.
    left._log_destroy_pending = False  # type: ignore[attr-defined]  # an attribute of CPython's


def test_several_loops_share_an_engine(model):
    """One in each of three threads."""
    engine = LocalEngine(model)
    sentences = [SENTENCE, "咳嗽、咳黄痰", "体温38.5℃"]
    texts = {}

    def run(sentence):
        texts[sentence] = asyncio.run(answer_of(engine, request_for(sentence)))

    threads = [threading.Thread(target=run, args=(sentence,)) for sentence in sentences]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    asyncio.run(engine.close())
    assert texts == {sentence: asyncio.run(alone(model, request_for(sentence))) for sentence in sentences}


async def test_cancelled_requests_leave_no_work_behind(model):
    """All at once, waiting and running; then the engine is as new."""
    engine = LocalEngine(model, max_rows=2)
    tasks = [asyncio.create_task(engine.complete(request_for(SENTENCE, 2_000))) for _ in range(6)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    assert await answer_of(engine, request_for(SENTENCE)) == await alone(model, request_for(SENTENCE))
    await engine.close()
    assert engine._batch.work == []


async def test_closing_fails_those_that_wait_for_a_place_too(model):
    """More requests than rows: all end with the same error; closing twice does nothing."""
    engine = LocalEngine(model, max_rows=1)
    tasks = [asyncio.create_task(engine.complete(request_for(SENTENCE, 2_000))) for _ in range(4)]
    await asyncio.sleep(0)
    await engine.close()
    await engine.close()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(result) for result in results] == ["the engine was closed"] * 4


async def test_an_unused_engine_closes(model):
    """Without a thread there is nothing to wait for."""
    await LocalEngine(model).close()


async def test_an_answer_takes_what_room_the_context_leaves(tiny_base):
    """A generous ``max_tokens`` is no error, for the answer may end long before; a prompt without any room is."""
    small = LocalModel(tiny_base, dtype=torch.float32)
    prompt, _ = small.prompt(request_for(SENTENCE).messages)
    small.context = len(prompt) + 6
    engine = LocalEngine(small)
    completion = await engine.complete(request_for(SENTENCE, 10**6))
    assert (completion.truncated, completion.cost.answer_tokens) == (True, 6)
    with pytest.raises(UserError, match=r"do not fit the model's .*--max-chars"):
        await engine.complete(request_for(SENTENCE + "咽" * 9, 5))
    await engine.close()


@pytest.mark.parametrize("options", [(), ("是", "")])
async def test_empty_options_are_the_callers_mistake(model, options):
    """There is no first token to tell them by."""
    engine = LocalEngine(model)
    with pytest.raises(UserError, match="must not be empty"):
        await engine.choose((Message("user", "咳"),), options)
    await engine.close()


@pytest.mark.parametrize("adds_space", [False, True])
async def test_sentence_piece_models_answer_as_token_by_token(tmp_path, adds_space):
    """Gemma's kind: two kinds of layers, spaces as ▁, characters as bytes, two tokens for some bytes."""
    from transformers import AutoModelForCausalLM

    tokenizer = sentence_piece_tokenizer(adds_space=adds_space)
    config = Gemma3TextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        sliding_window=16,
        layer_types=["sliding_attention", "full_attention"],
        max_position_embeddings=1_024,
        eos_token_id=tokenizer.eos_token_id,
        initializer_range=0.3,
    )
    folder = save_tiny(tmp_path, config, tokenizer)
    gemma = LocalModel(folder, dtype=torch.float32)
    plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    engine = LocalEngine(gemma)
    requests = [request_for(text, 60) for text in ("扁桃体 红肿[咳]", "CT 38.5℃\n咽痛😀")]
    texts = await asyncio.gather(*(answer_of(engine, request) for request in requests))
    options = await engine.choose(requests[0].messages, ("是", "否"))
    await engine.close()
    for request, text in zip(requests, texts, strict=True):
        prompt, _ = gemma.prompt(request.messages)
        tokens = constrained_greedy(plain, gemma.vocabulary, prompt, request.graph, max_tokens=60)
        assert gemma.vocabulary.data_of(tokens).decode("utf-8", "ignore") == text
    assert sum(options) == pytest.approx(1)
