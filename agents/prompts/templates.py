"""The wording of a judge's question: files with versions, shipped or a user's own."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medner.core.errors import BadInputError, UserError
from medner.core.validation import complaint

Mode = Literal["select", "rewrite"]
#: The newest file of each mode and manner.
NEWEST: Mapping[Mode, Mapping[str, str]] = {
    "select": {"direct": "select-direct-2", "step-by-step": "select-steps-1"},
    "rewrite": {"direct": "rewrite-direct-1", "step-by-step": "rewrite-steps-1"},
}
_PLACES = ("rule", "none", "abstain", "types", "sentence", "conflicts", "stretch")
_NEEDED = {"select": ("sentence", "conflicts"), "rewrite": ("sentence", "conflicts", "stretch")}
_BRACES = re.compile(r"\{(\w+)\}")


class Template(BaseModel):
    """A question in words, with ``{places}`` for what it is about.

    ``version`` stands in every verdict. ``answer_mark`` is written before the answer when the model is to reason
    first; None: it answers at once.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    version: str = Field(min_length=1, pattern=r"^[\w.-]+$")
    mode: Mode
    system: str
    user: str
    answer_mark: str | None = Field(default=None, min_length=1)

    def filled(self, values: Mapping[str, str]) -> tuple[str, str]:
        """System and user message. One pass: what is put in is never looked at again, whatever braces it holds."""

        def put(text: str) -> str:
            return _BRACES.sub(lambda found: values.get(found[1], found[0]), text.strip("\n"))

        return put(self.system), put(self.user)


def load_template(mode: Mode, named: str = "direct") -> Template:
    """The template of ``direct``, ``step-by-step``, a version, or a user's file (by its path).

    UserError when there is none; BadInputError when it lacks a place that the question cannot do without.
    """
    version = NEWEST[mode].get(named, named)
    source = resources.files("medner.agents.prompts.judges") / f"{version}.toml"
    if not named.endswith(".toml") and source.is_file():
        text, where = source.read_text(encoding="utf-8"), version
    elif Path(named).is_file():
        text, where = Path(named).read_text(encoding="utf-8-sig"), named
    else:
        raise UserError(f"template {named!r}: there are {', '.join(shipped_templates())}, direct, step-by-step, a file")
    template = _checked(text, where)
    if template.mode != mode:
        raise UserError(f"template {named!r} is for a {template.mode} judge, not for {mode}")
    return template


def shipped_templates() -> list[str]:
    """The versions that ship."""
    folder = resources.files("medner.agents.prompts.judges")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def _checked(text: str, where: str) -> Template:
    try:
        template = Template.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise BadInputError(f"not valid TOML: {error}", path=where) from error
    except ValidationError as error:
        reason, key = complaint(error, Template)
        raise BadInputError(reason, path=where, key=key) from error
    found = set(_BRACES.findall(template.system + template.user))
    missing = [f"{{{place}}}" for place in _NEEDED[template.mode] if place not in found]
    if missing:
        raise BadInputError(f"lacks {', '.join(missing)}", path=where, key="user")
    unknown = sorted(found - {*_PLACES})
    if unknown:
        raise BadInputError(f"unknown place {{{unknown[0]}}}; there are {', '.join(_PLACES)}", path=where, key="user")
    return template
