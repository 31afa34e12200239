"""Judges in words, as ``--judge`` and ``fallback`` have them."""

from __future__ import annotations

from typing import Any

from medner.core.errors import UserError
from medner.core.plugins import PREFIX, is_plugin
from medner.service.config.judges.judge import JUDGES, JudgeConfig
from medner.store.models import settled_base_model


def read_judge(words: str) -> dict[str, Any]:
    """A judge in words: a rule, best-tagger:NAME, filter-score:LEAST, select, select@BASE, select:PROVIDER:MODEL,
    trained:FOLDER.

    UserError when it is none of these.
    """
    word = words.strip()
    if is_plugin(word) and word != PREFIX:
        return {"kind": word}
    kind, at, base = word.partition("@")
    if at and (row := JUDGES.row(kind)) is not None and row.chats and base:
        return {"kind": kind, "base": settled_base_model(base)}
    kind, colon, rest = word.partition(":")
    row = JUDGES.row(kind)
    if row is None or (colon and (not rest or not row.behind_colon)):
        raise UserError(f"--judge: {words!r} is none; there are {', '.join(map(_form, JUDGES.rows.items()))}")
    return {"kind": kind, **row.from_words(words, rest)}


def _form(kind: tuple[str, type[JudgeConfig]]) -> str:
    name, row = kind
    more = [f":{row.behind_colon}"] if row.behind_colon else []
    more += ["@BASE"] if row.chats else []
    return name + (f"[{'|'.join(more)}]" if more else "")
