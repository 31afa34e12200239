"""The judge's prompt in `select` mode (§3.3, appendix B): choose among numbered candidates.

Candidates stand in text order and nothing tells how many taggers proposed each, so that the judge decides by the
text and not by the vote.
"""

from __future__ import annotations

import re

from medner.agents.prompts.messages import Message
from medner.store.labels import LabelSet
from medner.store.records import Conflict, Exemplar, Sentence

VERSION = "select-direct-2"
NONE = "无"

_LINE_BREAK = re.compile("[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


def select_messages(
    sentence: Sentence, conflict: Conflict, labels: LabelSet, exemplars: tuple[Exemplar, ...]
) -> list[Message]:
    """The chat that asks which candidates of a conflict are right.

    What comes from the note stands on one line each, so that no sentence can look like a list of candidates.
    """
    text = one_line(sentence.text)
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
        typical = "；".join(one_line(exemplar.text) for exemplar in exemplars if exemplar.label == code)
        if typical:
            parts.append(f"　典型实体：{typical}")
    start, end = conflict.region.start, conflict.region.end
    region = text[start:end]
    parts.append(f"句子：{text}")
    parts.append(f"有分歧的片段：{region}{_which('句中', text, region, start)}")
    parts += [f"已确定：{labels.type_of(e.label).name}：{e.text_in(text)}" for e in conflict.context]
    parts.append("候选实体：")
    for number, candidate in enumerate(conflict.candidates, 1):
        entity = candidate.entity
        part = entity.text_in(text)
        which = _which("片段中", region, part, entity.start - start)
        parts.append(f"{number}. {labels.type_of(entity.label).name}：{part}{which}")
    parts.append("正确的编号：")
    return [Message("system", system), Message("user", "\n".join(parts))]


def one_line(text: str) -> str:
    """The text with a space for each line break: as long as before, so offsets still hold."""
    return _LINE_BREAK.sub(" ", text)


def _which(where: str, text: str, part: str, start: int) -> str:
    """Which place is meant, where ``part`` stands in ``text`` more than once; otherwise nothing."""
    places = [at for at in range(len(text)) if text.startswith(part, at)]
    return f"（{where}第{places.index(start) + 1}处）" if len(places) > 1 else ""


def types_at_stake(conflict: Conflict) -> set[str]:
    """The types some candidate of the conflict has."""
    return {candidate.entity.label for candidate in conflict.candidates}
