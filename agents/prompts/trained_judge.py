"""What a trained judge reads: the sentence, the candidates of a conflict, then each candidate as a filter reads it."""

from __future__ import annotations

from medner.agents.prompts.filter import sentence_part
from medner.core.labels import LabelSet
from medner.core.records import Conflict


def conflict_part(text: str, conflict: Conflict, labels: LabelSet) -> str:
    """What stands before the candidates: the sentence, and all candidates in text order with what is settled.

    It begins as a filter's does, so that training can go on from one. Nothing tells who said what.
    """
    listed = "；".join(
        f"{labels.type_of(one.entity.label).name}：{one.entity.text_in(text)}" for one in conflict.candidates
    )
    settled = "；".join(f"{labels.type_of(one.label).name}：{one.text_in(text)}" for one in conflict.context)
    return f"{sentence_part(text)}候选：{listed}\n" + (f"已定：{settled}\n" if settled else "")
