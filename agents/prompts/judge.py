"""The judge's question (§3.3, appendix B): the disputed stretch, the types at stake, and the candidates.

Candidates stand in text order and nothing tells how many taggers proposed each, so that the judge decides by the
text and not by the vote. The wording is in ``judges/*.toml``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from medner.agents.prompts.messages import Message
from medner.agents.prompts.templates import Template
from medner.core.labels import LabelSet
from medner.core.records import Conflict, Exemplar, Sentence, Span

NONE = "无"
#: What a judge says that leaves the decision to a person, where it may.
UNSURE = "存疑"

_LINE_BREAK = re.compile("[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


def judge_messages(  # noqa: PLR0913  what a question is made of
    template: Template,
    sentence: Sentence,
    conflicts: Sequence[Conflict],
    labels: LabelSet,
    exemplars: tuple[Exemplar, ...],
    *,
    stretch: Span | None = None,
    may_abstain: bool = False,
) -> list[Message]:
    """The chat that asks about conflicts of one sentence; candidates are numbered through all of them.

    What comes from the note stands on one line each, so that no sentence can look like a list of candidates.
    ``stretch`` is what a rewrite judge writes again.
    """
    text = one_line(sentence.text)
    system, user = template.filled(
        {
            "rule": "不同类型的实体可以嵌套，同类型的不重叠。" if labels.nested else "实体之间不重叠。",
            "none": NONE,
            "abstain": f"拿不准、需要人工判断时回答“{UNSURE}”。" if may_abstain else "",
            "types": "\n".join(_type_lines(conflicts, labels, exemplars)),
            "sentence": text,
            "conflicts": "\n".join(_conflict_lines(text, conflicts, labels, numbered=template.mode == "select")),
            "stretch": "" if stretch is None else text[stretch.start : stretch.end],
        }
    )
    return [Message("system", system), Message("user", user)]


def _type_lines(conflicts: Sequence[Conflict], labels: LabelSet, exemplars: tuple[Exemplar, ...]) -> list[str]:
    """The definitions of the types at stake, each with its typical entities."""
    at_stake = set().union(*map(types_at_stake, conflicts))
    lines = []
    for label in labels.types:
        if label.code in at_stake:
            lines.append(f"{label.name}：{label.definition}")
            typical = "；".join(one_line(exemplar.text) for exemplar in exemplars if exemplar.label == label.code)
            if typical:
                lines.append(f"　典型实体：{typical}")
    return lines


def _conflict_lines(text: str, conflicts: Sequence[Conflict], labels: LabelSet, *, numbered: bool) -> list[str]:
    """Each conflict's stretch, what is settled in it, and its candidates."""
    lines, number = [], 0
    for conflict in conflicts:
        start, end = conflict.region.start, conflict.region.end
        region = text[start:end]
        lines.append(f"有分歧的片段：{region}{_which('句中', text, region, start)}")
        lines += [f"已确定：{labels.type_of(e.label).name}：{e.text_in(text)}" for e in conflict.context]
        lines.append("候选实体：")
        for candidate in conflict.candidates:
            number += 1
            entity = candidate.entity
            part = entity.text_in(text)
            which = _which("片段中", region, part, entity.start - start)
            sign = f"{number}." if numbered else "-"
            lines.append(f"{sign} {labels.type_of(entity.label).name}：{part}{which}")
    return lines


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
