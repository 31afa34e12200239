"""The entity filter's questions (§3.2, figures 7 and 8): is this marked candidate right?

Models that are not tuned are told all about it. Tuned ones get the sentence first and then a short question, so that
what a model has computed of the sentence serves all of its candidates.
"""

from __future__ import annotations

from medner.agents.prompts.messages import Message
from medner.core.labels import LabelSet
from medner.core.records import Entity, Sentence

#: The two answers, told apart by their first character.
YES, NO = "是", "否"
#: How many characters around a candidate say which of several equal stretches is meant.
CONTEXT = 4
_BRIEF = "判断候选医学实体：\n"


def filter_messages(sentence: Sentence, entity: Entity, labels: LabelSet) -> list[Message]:
    """The question whether ``entity`` is right, its place marked in the sentence (equation 1)."""
    types = "\n".join(f"{label.name}：{label.definition}" for label in labels.types)
    marked = f"{sentence.text[: entity.start]}【{entity.text_in(sentence.text)}】{sentence.text[entity.end :]}"
    label = labels.type_of(entity.label)
    return [
        Message(
            "system",
            f"你是医学命名实体识别专家。判断句中用【】标出的候选实体，边界和类型是否都正确。\n实体类型：\n{types}\n"
            f"只回答“{YES}”或“{NO}”。",
        ),
        Message("user", f"句子：{marked}\n候选实体：{entity.text_in(sentence.text)}\n类型：{label.name}\n是否正确？"),
    ]


def brief_filter_messages(sentence: Sentence, entity: Entity, labels: LabelSet) -> list[Message]:
    """The question for a tuned model; all but the last message is the same for every candidate of the sentence."""
    return [
        Message("system", sentence_part(sentence.text)),
        Message("user", candidate_part(sentence.text, entity, labels)),
    ]


def sentence_part(text: str) -> str:
    """What stands before a tuned model's candidates: the task in a few tokens, the sentence."""
    return f"{_BRIEF}{text}\n"


def candidate_part(text: str, entity: Entity, labels: LabelSet) -> str:
    """One candidate as a tuned model sees it behind the sentence: marked, in its context, with its type's name."""
    left = text[max(0, entity.start - CONTEXT) : entity.start]
    right = text[entity.end : entity.end + CONTEXT]
    return f"{left}[{entity.text_in(text)}]{right}|{labels.type_of(entity.label).name}："


def encoder_parts(text: str, entity: Entity, labels: LabelSet, *, room: int = 400) -> tuple[str, str]:
    """The type's name and the sentence with the candidate marked, for an encoder (equations 1 and 2).

    Of a long sentence, about ``room`` characters around the candidate.
    """
    around = max(0, room - (entity.end - entity.start)) // 2
    left, right = text[max(0, entity.start - around) : entity.start], text[entity.end : entity.end + around]
    return labels.type_of(entity.label).name, f"{left}【{entity.text_in(text)}】{right}"
