"""The judge's prompt in `select` mode (§3.3, appendix B): choose among numbered candidates.

Candidates stand in text order and nothing tells how many taggers proposed each, so that the judge decides by the
text and not by the vote.
"""

from __future__ import annotations

from medner.agents.prompts.messages import Message
from medner.store.labels import LabelSet
from medner.store.records import Conflict, Exemplar, Sentence

VERSION = "select-direct-1"
NONE = "无"


def select_messages(
    sentence: Sentence, conflict: Conflict, labels: LabelSet, exemplars: tuple[Exemplar, ...]
) -> list[Message]:
    """The chat that asks which candidates of a conflict are right."""
    rule = "不同类型的实体可以嵌套，同类型的不重叠。" if labels.nested else "实体之间不重叠。"
    system = (
        "你是医学命名实体识别专家。几个模型对句子中的一处有不同的标注，请根据类型定义和上下文，"
        f"判断哪些候选实体的边界和类型都正确。{rule}\n"
        f"只回答正确候选的编号，多个用逗号隔开；都不正确时回答“{NONE}”。"
    )
    codes = [label.code for label in labels.types if label.code in types_at_stake(conflict)]
    parts = ["类型定义："]
    for code in codes:
        label = labels.type_of(code)
        parts.append(f"{label.name}：{label.definition}")
        typical = "；".join(exemplar.text for exemplar in exemplars if exemplar.label == code)
        if typical:
            parts.append(f"　典型实体：{typical}")
    parts.append(f"句子：{sentence.text}")
    parts.append(f"有分歧的片段：{sentence.text[conflict.region.start : conflict.region.end]}")
    parts += [f"已确定：{labels.type_of(e.label).name}：{e.text_in(sentence.text)}" for e in conflict.context]
    parts.append("候选实体：")
    for number, candidate in enumerate(conflict.candidates, 1):
        entity = candidate.entity
        parts.append(f"{number}. {labels.type_of(entity.label).name}：{entity.text_in(sentence.text)}")
    parts.append("正确的编号：")
    return [Message("system", system), Message("user", "\n".join(parts))]


def types_at_stake(conflict: Conflict) -> set[str]:
    """The types some candidate of the conflict has."""
    return {candidate.entity.label for candidate in conflict.candidates}
