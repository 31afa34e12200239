"""Training examples for taggers: the same codec and prompt as serving, as token ids."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from medner.agents.engines.local.chat import ChatTokens
from medner.agents.prompts.tagger import tagger_messages
from medner.agents.strategies import CODECS
from medner.core.labels import LabelSet
from medner.core.records import Document


@dataclass(frozen=True, slots=True)
class Example:
    """One chat as token ids; the loss counts from ``answer_start`` on. The last id ends the turn."""

    ids: tuple[int, ...]
    answer_start: int

    def __len__(self) -> int:
        return len(self.ids)


def tagger_example(chat: ChatTokens, document: Document, *, strategy: str, style: str, labels: LabelSet) -> Example:
    """The example a tagger of ``strategy`` learns from one annotated sentence."""
    codec = CODECS[strategy]
    # Prompt and answer are tokenized apart, because serving starts from the prompt's tokens as they are.
    prompt = chat.prompt(tagger_messages(style, codec, labels, document.text))
    answer = chat.answer(codec.encode(document.text, document.entities, labels))
    return Example((*prompt, *answer, chat.tokenizer.eos_token_id), len(prompt))


def answer_vocabulary(examples: Iterable[Example]) -> list[int]:
    """The token ids that occur in any answer, sorted."""
    return sorted({token for example in examples for token in example.ids[example.answer_start :]})
