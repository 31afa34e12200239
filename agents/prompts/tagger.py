"""The tagger's prompt (§3.1, figure 3): role, type definitions, form of the answer, then the sentence.

The fixed part stands first, so that servers and the local engine keep its state and share it among sentences.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from medner.agents.prompts.messages import Message
from medner.agents.prompts.shots import Shot
from medner.agents.strategies.codec import Codec
from medner.core.errors import UserError
from medner.core.labels import LabelSet


def brief(codec: Codec, labels: LabelSet) -> str:
    """A few tokens, for tuned adapters: they have learnt the task, so the prompt only names it."""
    return f"标注医学实体：{labels.name}，{codec.name}"


def full(codec: Codec, labels: LabelSet) -> str:
    """The paper's prompt: the role of an expert, each type with its definition, the form of the answer."""
    lines = ["你是医学命名实体识别专家。找出句子中的所有医学实体，不要遗漏，也不要改动原文。", "实体类型："]
    lines += [f"{label.name}：{label.definition}" for label in labels.types]
    if labels.nested:
        lines.append("不同类型的实体可以互相嵌套。")
    return "\n".join([*lines, "输出格式：" + codec.instruction])


def plain(codec: Codec, labels: LabelSet) -> str:
    """A second wording of the full prompt: the types by name only, the answer's form first."""
    names = "、".join(label.name for label in labels.types)
    return f"{codec.instruction}\n实体类型有：{names}。请标注下面病历句子里的医学实体。"


STYLES: dict[str, Callable[[Codec, LabelSet], str]] = {"brief": brief, "full": full, "plain": plain}


def tagger_messages(
    style: str, codec: Codec, labels: LabelSet, sentence: str, shots: Sequence[Shot] = ()
) -> list[Message]:
    """The chat for one sentence; ``shots`` become earlier turns, answered in the same strategy.

    UserError for a style there is not.
    """
    if style not in STYLES:
        raise UserError(f"no prompt style {style!r}; there are: {', '.join(STYLES)}")
    chat = [Message("system", STYLES[style](codec, labels))]
    for shot in shots:
        chat += [Message("user", shot.text), Message("assistant", codec.encode(shot.text, shot.entities, labels))]
    return [*chat, Message("user", sentence)]
