"""Judges in words, as ``--judge`` and ``fallback`` have them."""

from __future__ import annotations

from typing import Any

from medner.core.errors import UserError
from medner.core.plugins import PREFIX, is_plugin
from medner.service.config.judges.judge import JUDGES


def read_judge(said: str) -> dict[str, Any]:
    """A judge in words: a rule, best-tagger:NAME, filter-score:LEAST, select, select:PROVIDER:MODEL, trained:FOLDER.

    UserError when it is none of these.
    """
    word = said.strip()
    if is_plugin(word) and word != PREFIX:
        return {"kind": word}
    kind, colon, rest = word.partition(":")
    row = JUDGES.row(kind)
    if row is None or (colon and (not rest or not row.behind_colon)):
        forms = [name + (f"[:{row.behind_colon}]" if row.behind_colon else "") for name, row in JUDGES.rows.items()]
        raise UserError(f"--judge: {said!r} is none; there are {', '.join(forms)}")
    return {"kind": kind, **row.from_words(said, rest)}
