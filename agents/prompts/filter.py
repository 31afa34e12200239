"""The entity filter's prompt (§3.2, figures 7 and 8): is this marked candidate right?"""

from __future__ import annotations

from medner.agents.prompts.messages import Message
from medner.store.labels import LabelSet
from medner.store.records import Entity, Sentence

#: The two answers, told apart by their first character.
YES, NO = "是", "否"


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
