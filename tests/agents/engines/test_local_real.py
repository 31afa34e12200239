"""The local engine on a real base model of half a billion weights."""

import asyncio
import gc

import pytest

from medner.agents.engines.engine import Request
from medner.agents.prompts.shots import Shot
from medner.agents.prompts.tagger import tagger_messages
from medner.agents.strategies import CODECS, Automaton
from medner.core.errors import UserError
from medner.core.labels import load_label_set
from medner.core.records import Entity
from medner.store.models import ModelStore
from tests.agents.engines.reference import constrained_greedy

torch = pytest.importorskip("torch")
from medner.agents.engines.local.engine import LocalEngine
from medner.agents.engines.local.formats import formats_by_speed, pick_device
from medner.agents.engines.local.model import LocalModel

pytestmark = [pytest.mark.model, pytest.mark.timeout(600)]

NAME = "qwen2.5-coder-0.5b-instruct"
LABELS = load_label_set("cmeee-v2")
SYMBOL = CODECS["symbol"]
SENTENCES = [
    "双侧扁桃体红肿，右肺下叶支气管炎。",
    "查CT、ECG及HbA1c，必要时加用ceftriaxone。",
    "体温38.5℃，WBC 15.2×10^9/L，CRP 46mg/L。",
    "主诉：咽痛3天\n现病史：发热伴咳嗽。",
    "予[阿莫西林](0.5g，每日3次)口服\\饭后。",
    "服药后皮疹😀消退，𠮷某复诊。",
]
LONGEST = 32
#: Without an example the untuned model says that there is no entity, and nothing would be tested.
SHOT = Shot("咽痛伴发热。", (Entity(0, 2, "sym"), Entity(3, 5, "sym")))


@pytest.fixture(scope="module")
def folder():
    try:
        return ModelStore().path(NAME)
    except UserError as error:
        pytest.skip(str(error))


def requests(sentences, longest):
    return [
        Request(
            tuple(tagger_messages("brief", SYMBOL, LABELS, sentence, [SHOT])),
            SYMBOL.graph(sentence, LABELS),
            max_tokens=longest,
        )
        for sentence in sentences
    ]


def answers(model, asked, **options):
    async def ask():
        engine = LocalEngine(model, **options)
        completions = await asyncio.gather(*(engine.complete(request) for request in asked))
        await engine.close()
        return completions

    return asyncio.run(ask())


def test_drafting_and_batching_change_no_answer(folder):
    """In the processor's own dtype: nested entities, Latin, numbers, a line break, brackets and emoji."""
    model = LocalModel(folder)
    assert model.format == formats_by_speed(pick_device())[0]
    asked = requests(SENTENCES, LONGEST)
    stepwise = answers(model, asked, max_rows=1, drafting=False)
    alone = answers(model, asked, max_rows=1)
    together = answers(model, asked, max_rows=len(asked))
    assert [one.text for one in alone] == [one.text for one in stepwise]
    assert [one.text for one in together] == [one.text for one in stepwise]
    assert sum(one.cost.passes for one in alone) < sum(one.cost.passes for one in stepwise) / 2
    assert sum(one.cost.answer_tokens for one in alone) > len(SENTENCES) * LONGEST / 3
    for sentence, request, one in zip(SENTENCES, asked, alone, strict=True):
        automaton = Automaton(request.graph)
        state = automaton.walk(automaton.start, one.text.encode())
        assert state is not None
        assert one.truncated or automaton.is_final(state)
        for entity in SYMBOL.decode(sentence, one.text, LABELS).entities:
            assert entity.text_in(sentence) in sentence


def test_float32_answers_are_those_of_transformers(folder):
    """Token by token through transformers' own model and attention, whole sequences, no cache: the same tokens."""
    from transformers import AutoModelForCausalLM

    asked = requests(["双侧扁桃体红肿。", "予ABC 2.5mg[口服]。"], 12)
    model = LocalModel(folder, dtype=torch.float32)
    ours = [one.text for one in answers(model, asked)]
    prompts = [model.prompt(request.messages)[0] for request in asked]
    vocabulary = model.vocabulary
    del model
    gc.collect()
    plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True).eval()
    for request, prompt, text in zip(asked, prompts, ours, strict=True):
        tokens = constrained_greedy(plain, vocabulary, prompt, request.graph, max_tokens=request.max_tokens)
        assert tokens
        assert vocabulary.data_of(tokens).decode("utf-8", "ignore") == text
