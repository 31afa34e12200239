"""What a judge is made of: a rule, or a model with its question, its attempts and the judges that step in for it."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from medner.core.errors import UserError
from medner.core.plugins import PREFIX, is_plugin
from medner.service.config.cards import AsText, OrPlugin

JudgeKind = Literal["select", "rewrite", "trained", "hard-vote", "best-tagger", "filter-score"]
RULES = ("hard-vote", "best-tagger", "filter-score")
CHATTING = ("select", "rewrite")
KINDS = ("select", "rewrite", "trained", *RULES)
#: Providers whose models run on the machine that is asked, by default this one.
_HERE = ("ollama", "llamacpp", "huggingface")
_SECRET = ("key", "token", "secret", "password", "credential")
_BY_MODEL = {
    "model",
    "url",
    "key_env",
    "template",
    "joint",
    "may_abstain",
    "attempts",
    "timeout_s",
    "max_tokens",
    "options",
}
#: Which further keys a kind takes; all take ``kind`` and ``fallback``.
_KEYS: dict[str, set[str]] = {
    "select": _BY_MODEL,
    "rewrite": _BY_MODEL - {"joint"},
    "trained": {"adapter", "abstain"},
    "hard-vote": set(),
    "best-tagger": {"tagger"},
    "filter-score": {"least"},
}


class JudgeConfig(BaseModel):
    """A judge. ``name`` and ``version`` are what verdicts call it, None: its rule or model, and a hash.

    ``tagger`` is whom ``best-tagger`` follows, None the first; ``least`` what ``filter-score`` asks for; ``adapter``
    the folder of ``trained``, and ``abstain`` the probabilities between which it leaves a conflict to a person.

    ``select`` and ``rewrite`` ask ``model``: None is the base model, ``vllm:NAME`` one of a vLLM server at ``url``,
    ``provider:NAME`` one that LangChain knows, with ``url`` any that speaks OpenAI's protocol (``openai:NAME``).
    ``key_env`` names the environment variable that holds the key; ``options`` go to the chat model as they are.
    ``joint``: the conflicts of a sentence in one question. ``fallback`` are the judges that step in, in their order.

    A model that is not tuned rejects nearly everything as a judge (docs/log.md), so none judges by default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str | None = Field(default=None, min_length=1)
    version: str | None = None
    kind: Annotated[JudgeKind, OrPlugin, AsText] = "best-tagger"
    tagger: str | None = None
    least: float = Field(default=0.5, ge=0, le=1)
    adapter: Path | None = None
    abstain: tuple[float, float] | None = None
    model: str | None = Field(default=None, pattern=r"^[\w.-]+:\S+$")
    url: str | None = Field(default=None, pattern=r"^https?://[^\s]+$")
    key_env: str | None = Field(default=None, pattern=r"^[A-Za-z_]\w*$")
    template: str = "direct"
    joint: bool = False
    may_abstain: bool = False
    attempts: int = Field(default=3, ge=1, le=20)
    timeout_s: float = Field(default=120, gt=0, le=86_400)
    max_tokens: int = Field(default=1_024, ge=1, le=1_048_576)
    options: dict[str, Any] = Field(default_factory=dict)
    fallback: tuple[JudgeConfig, ...] = ()

    @field_validator("fallback", mode="before")
    @classmethod
    def _fallback_in_words(cls, value: object) -> object:
        if not isinstance(value, (list, tuple)):
            return value
        try:
            return [read_judge(one) if isinstance(one, str) else one for one in value]
        except UserError as error:
            raise ValueError(str(error)) from error

    @model_validator(mode="after")
    def _keys_fit(self) -> JudgeConfig:
        foreign = sorted(self._given() - _KEYS.get(self.kind, set()) - {"kind", "fallback", "name", "version"})
        if foreign:
            takers = ", ".join(kind for kind in KINDS if foreign[0] in _KEYS[kind])
            raise ValueError(f"{foreign[0]}: only {takers} takes this, {self.kind} does not")
        if self.kind == "trained" and self.adapter is None:
            raise ValueError("adapter: a trained judge needs the folder that medner train judge wrote")
        if any(judge.fallback for judge in self.fallback):
            raise ValueError("fallback: a judge that steps in has no fallback of its own; write all in one list")
        self._check_model()
        return self

    def _given(self) -> set[str]:
        """The keys that somebody wrote. Nobody writes all there are: such a table is one that medner wrote in full."""
        given, fields = self.model_fields_set, JudgeConfig.model_fields
        if given != fields.keys():
            return set(given)
        return {name for name in given if getattr(self, name) != fields[name].get_default(call_default_factory=True)}

    def _check_model(self) -> None:
        provider = "" if self.model is None else self.model.partition(":")[0]
        if provider == "vllm" and self.url is None:
            raise ValueError('url: a vLLM model needs the server\'s address, url = "http://127.0.0.1:8101"')
        if self.model is None and (self.url or self.key_env or self.options):
            raise ValueError('model: url, key_env and options need the model\'s name too, model = "openai:NAME"')
        secret = next((name for name in self.options if any(word in name.lower() for word in _SECRET)), None)
        if secret is not None:
            raise ValueError(f"options: {secret} looks like a secret; name an environment variable in key_env instead")
        if self.abstain is not None and not 0 <= self.abstain[0] < self.abstain[1] <= 1:
            raise ValueError("abstain: give two probabilities, the lower first, as [0.4, 0.6]")

    @property
    def in_order(self) -> tuple[JudgeConfig, ...]:
        """The judge and those that step in for it."""
        return (self, *self.fallback)

    @property
    def needs_base(self) -> bool:
        """Whether it, or one that steps in, runs on the base model of the run."""
        return any(one.kind == "trained" or (one.kind in CHATTING and one.model is None) for one in self.in_order)

    def in_words(self, followed: str | None = None) -> str:
        """The judge in a few words; ``followed`` is the tagger that best-tagger follows."""
        more = {"best-tagger": followed or self.tagger, "trained": self.adapter and self.adapter.name}.get(self.kind)
        if self.model is not None:
            more = self.model
        manner = f" ({self.template})" if self.kind in CHATTING and self.template != "direct" else ""
        chain = "".join(f", then {one.in_words()}" for one in self.fallback)
        called = "" if self.name is None else f"{self.name}@{self.version or '?'}: "
        return f"{called}{self.kind}{f':{more}' if more else ''}{manner}{chain}"

    def goes_out_to(self) -> tuple[str, ...]:
        """Where sentences are sent beyond this machine: hosts, or providers whose servers LangChain knows."""
        return tuple(dict.fromkeys(filter(None, (_outside(one) for one in self.in_order))))


def _outside(judge: JudgeConfig) -> str | None:
    if judge.model is None:
        return None
    provider = judge.model.partition(":")[0]
    host = (
        urlsplit(judge.url).hostname
        if judge.url
        else judge.options.get("base_url") and urlsplit(str(judge.options["base_url"])).hostname
    )
    if host is None:
        return None if provider in _HERE else f"the servers of {provider}"
    try:
        return None if ipaddress.ip_address(host).is_loopback else host
    except ValueError:
        return None if host == "localhost" else host


def read_judge(said: str) -> dict[str, Any]:
    """A judge in words: a rule, best-tagger:NAME, filter-score:LEAST, select, select:PROVIDER:MODEL, trained:FOLDER.

    UserError when it is none of these.
    """
    if is_plugin(said.strip()) and len(said.strip()) > len(PREFIX):
        return {"kind": said.strip()}
    kind, colon, rest = said.strip().partition(":")
    if kind not in KINDS or (colon and not rest) or (colon and kind == "hard-vote"):
        raise UserError(
            f"--judge: {said!r} is none; there are select, rewrite (each with :PROVIDER:MODEL for another model than "
            "the base), trained:FOLDER, hard-vote, filter-score, best-tagger (follows the first), "
            "filter-score:LEAST, best-tagger:NAME and plugin:NAME"
        )
    if kind == "best-tagger":
        return {"kind": kind, "tagger": rest or None}
    if kind == "filter-score":
        return {"kind": kind, **({"least": _probability(said, rest)} if rest else {})}
    if kind == "trained":
        return {"kind": kind, "adapter": Path(os.path.expanduser(rest)) if rest else None}
    if rest and ":" not in rest:
        raise UserError(f"--judge: {said!r} names no provider; write {kind}:PROVIDER:MODEL, as {kind}:ollama:qwen3")
    return {"kind": kind, **({"model": rest} if rest else {})}


def _probability(said: str, number: str) -> float:
    try:
        found = float(number)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 1:
        raise UserError(f"--judge: {said!r} names no probability; write filter-score:LEAST, from 0 to 1")
    return found
