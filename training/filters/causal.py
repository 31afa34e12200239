"""Trains LLM-CAUSAL: an adapter that answers the brief question with one token, yes or no (§4.4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch

from medner.agents.engines.local.chat import ChatTokens
from medner.agents.prompts.filter import NO, YES, brief_filter_messages
from medner.core.labels import LabelSet
from medner.core.records import Sentence
from medner.training.filters.negatives import LabelledCandidate
from medner.training.loop.batching import SCORED_TOKENS, batches_by_tokens
from medner.training.taggers.examples import Example


def answers(chat: ChatTokens) -> tuple[int, int]:
    """The first tokens of yes and of no, by which the engine tells them apart."""
    return chat.vocabulary.encode(YES)[0], chat.vocabulary.encode(NO)[0]


def causal_examples(chat: ChatTokens, judged: Iterable[LabelledCandidate], labels: LabelSet) -> list[Example]:
    """A chat a candidate; its answer is the one token that serving compares."""
    yes, no = answers(chat)
    return [
        Example((*prompt, yes if one.right else no), len(prompt))
        for one in judged
        for prompt in (chat.prompt(brief_filter_messages(Sentence("", one.sentence), one.entity, labels)),)
    ]


@torch.no_grad()
def causal_scores(model: Any, examples: Sequence[Example], answer_ids: tuple[int, int]) -> list[float]:
    """By how much yes is likelier than no (in logits), for each example; ``model`` is wrapped by PEFT."""
    plain = model.get_base_model()
    head = plain.get_output_embeddings().weight
    direction = (head[answer_ids[0]] - head[answer_ids[1]]).float()
    place = {id(example): number for number, example in enumerate(examples)}
    scores = [0.0] * len(examples)
    model.eval()
    for batch in batches_by_tokens(examples, budget=SCORED_TOKENS, seed=0):
        ids = torch.zeros(len(batch), max(map(len, batch)), dtype=torch.long)
        for row, example in enumerate(batch):
            ids[row, : len(example)] = torch.tensor(example.ids)
        last = torch.tensor([example.answer_start - 1 for example in batch])
        hidden = plain.base_model(input_ids=ids.to(head.device), use_cache=False)[0]
        said = hidden[torch.arange(len(batch)), last].float() @ direction
        for example, score in zip(batch, said.tolist(), strict=True):
            scores[place[id(example)]] = score
    model.train()
    return scores
