"""The local engine's hidden states against transformers', causal and two-way."""

import asyncio

import pytest

from medner.core.errors import UserError

torch = pytest.importorskip("torch")
from medner.agents.engines.local.engine import LocalEngine
from medner.agents.engines.local.model import LocalModel
from medner.training.model.attention import MASKED, MaskedBody, register

TEXTS = ["双侧扁桃体红肿，咽部充血。", "咳", "CT示右下肺见斑片状影(约2.3cm×1.5cm)。" * 4]


@pytest.fixture(scope="module")
def engine(tiny_base, tiny_adapters):
    return LocalEngine(LocalModel(tiny_base, tiny_adapters, dtype=torch.float32))


@pytest.fixture(scope="module")
def bodies(tiny_base, tiny_adapters):
    """The same weights as transformers runs them under a mask: the base, and each adapter on it."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    register()

    def load():
        return AutoModelForCausalLM.from_pretrained(tiny_base, dtype=torch.float32, attn_implementation=MASKED).eval()

    adapted = {name: PeftModel.from_pretrained(load(), folder).eval() for name, folder in tiny_adapters.items()}
    return {name: MaskedBody(model) for name, model in {None: load(), **adapted}.items()}


def encode_all(engine, texts, **options):
    async def run():
        return await asyncio.gather(*(engine.encode(engine.tokens(text), **options) for text in texts))

    return asyncio.run(run())


@torch.inference_mode()
def reference(body, tokens, two_way_from=None, layers=None):
    count = len(tokens)
    seen = torch.ones(1, count, count, dtype=torch.bool).tril()
    upper = None if two_way_from is None else torch.ones_like(seen)
    return body(torch.tensor([tokens]), torch.arange(count).unsqueeze(0), seen, upper, two_way_from or 0)[0]


@pytest.mark.parametrize("two_way_from", [None, 0, 1])
def test_hidden_states_are_the_models(engine, bodies, tiny_adapters, two_way_from):
    """Texts of unlike length in one pass, with and without adapter, have the states transformers gives each alone."""
    for adapter in (None, *tiny_adapters):
        states = encode_all(engine, TEXTS, adapter=adapter, two_way_from=two_way_from)
        for text, state in zip(TEXTS, states, strict=True):
            expected = reference(bodies[adapter], engine.tokens(text), two_way_from)
            assert torch.allclose(state, expected, atol=1e-4)


def test_a_two_way_token_sees_what_follows(engine):
    """The first token's state depends on the last one's if layers look both ways, and not if they are causal."""
    pair = ["38 A", "38 B"]
    causal = encode_all(engine, pair)
    both = encode_all(engine, pair, two_way_from=0)
    assert torch.allclose(causal[0][0], causal[1][0], atol=1e-5)
    assert not torch.allclose(both[0][0], both[1][0], atol=1e-3)


def test_shared_tokens_are_run_once(engine, bodies):
    """Of rows with a common beginning only the rest's states come back, and they are those of the whole row."""
    head = engine.tokens("a b c d e f g h i j")
    tails = [engine.tokens(text) for text in ("咽部", "红肿充血")]
    before = engine.passes

    async def run():
        return await asyncio.gather(*(engine.encode([*head, *tail], shared=len(head)) for tail in tails))

    states = asyncio.run(run())
    assert engine.passes - before == 2
    for tail, state in zip(tails, states, strict=True):
        assert torch.allclose(state, reference(bodies[None], [*head, *tail])[len(head) :], atol=1e-4)


@pytest.mark.parametrize("head", ["咳", "双侧扁桃体红肿，咽部充血，颈部淋巴结肿大。"])
def test_shared_tokens_may_look_both_ways(engine, bodies, tiny_adapters, head):
    """A two-way beginning is run once, short or long; the rest sees all of it, and of itself what comes before."""
    shared = engine.tokens(head)
    tails = [engine.tokens(text) for text in ("咽部", "红肿充血")]
    for adapter in (None, *tiny_adapters):

        async def run(name=adapter):
            ask = {"shared": len(shared), "adapter": name, "two_way_from": 1}
            return await asyncio.gather(*(engine.encode([*shared, *tail], **ask) for tail in tails))

        for tail, state in zip(tails, asyncio.run(run()), strict=True):
            count = len(shared) + len(tail)
            seen = torch.ones(1, count, count, dtype=torch.bool).tril()
            upper = seen.clone()
            upper[:, : len(shared), : len(shared)] = True
            with torch.inference_mode():
                ids = torch.tensor([[*shared, *tail]])
                expected = bodies[adapter](ids, torch.arange(count).unsqueeze(0), seen, upper, 1)[0]
            assert torch.allclose(state, expected[len(shared) :], atol=1e-4)


def test_sharing_everything_is_refused(engine):
    """There must be a token left to ask for."""
    with pytest.raises(UserError, match="cannot be shared"):
        asyncio.run(engine.encode([5, 6, 7], shared=3))
