"""Judges that ask a chat model."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from medner.agents.prompts.templates import Template, load_template
from medner.core.errors import UserError
from medner.service.config.bases import base_name
from medner.service.config.judges.judge import JudgeConfig

if TYPE_CHECKING:
    from medner.agents.judges.asking import Asking
    from medner.agents.judges.judge import Judge
    from medner.service.config.parts import JudgeParts

#: Providers whose models run on the machine that is asked, by default this one.
_HERE = ("ollama", "llamacpp", "huggingface")
_SECRET = ("key", "token", "secret", "password", "credential")


class ChatJudgeConfig(JudgeConfig):
    """A judge that asks ``model``: None is the base model, ``vllm:NAME`` one of a vLLM server at ``url``,
    ``provider:NAME`` one that LangChain knows, with ``url`` any that speaks OpenAI's protocol (``openai:NAME``).

    ``base`` is the base model that it asks, a name or a folder, where that is another one than the run's ``model``.
    ``key_env`` names the environment variable that holds the key; ``options`` go to the chat model as they are.
    A model that is not tuned rejects nearly everything as a judge (docs/log.md), so none judges by default.
    """

    chats: ClassVar[bool] = True
    behind_colon: ClassVar[str] = "PROVIDER:MODEL"

    base: str | None = Field(default=None, min_length=1)
    model: str | None = Field(default=None, pattern=r"^[\w.-]+:\S+$")
    url: str | None = Field(default=None, pattern=r"^https?://[^\s]+$")
    key_env: str | None = Field(default=None, pattern=r"^[A-Za-z_]\w*$")
    template: str = "direct"
    may_abstain: bool = False
    attempts: int = Field(default=3, ge=1, le=20)
    timeout_s: float = Field(default=120, gt=0, le=86_400)
    max_tokens: int = Field(default=1_024, ge=1, le=1_048_576)
    options: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def from_words(cls, words: str, rest: str) -> dict[str, Any]:
        """The model's name."""
        if rest and ":" not in rest:
            kind = words.strip().partition(":")[0]
            raise UserError(
                f"--judge: {words!r} names no provider; write {kind}:PROVIDER:MODEL, as {kind}:ollama:qwen3"
            )
        return {"model": rest} if rest else {}

    @model_validator(mode="after")
    def _model_fits(self) -> Self:
        if self.provider == "vllm" and self.url is None:
            raise ValueError('url: a vLLM model needs the server\'s address, url = "http://127.0.0.1:8101"')
        if self.model is not None and self.base is not None:
            raise ValueError("base: is the base model that the judge asks, and model names another; leave one out")
        if self.model is None and (self.url or self.key_env or self.options):
            raise ValueError('model: url, key_env and options need the model\'s name too, model = "openai:NAME"')
        secret = next((name for name in self.options if any(word in name.lower() for word in _SECRET)), None)
        if secret is not None:
            raise ValueError(f"options: {secret} looks like a secret; name an environment variable in key_env instead")
        return self

    @property
    def provider(self) -> str | None:
        """What stands before the colon of ``model``."""
        return None if self.model is None else self.model.partition(":")[0]

    @property
    def asks_model(self) -> bool:
        """Whether it runs on a base model."""
        return self.model is None

    def facts(self) -> dict[str, Any]:
        """What of it may change an answer, its template's content among it."""
        return {**super().facts(), "template": self.wording.model_dump()}

    @property
    def wording(self) -> Template:
        """The template that ``template`` names. UserError where there is none."""
        raise NotImplementedError

    def more(self, followed: str | None) -> str | None:
        """The model."""
        del followed
        return self.model

    def manner(self) -> str:
        """The template, where it is not the usual one, and its base, where it has one of its own."""
        parts = [] if self.template == "direct" else [self.template]
        parts += [] if self.base is None else [f"on {base_name(self.base)}"]
        return f" ({', '.join(parts)})" if parts else ""

    def outside(self) -> str | None:
        """The host of its model, or the provider's servers."""
        if self.model is None:
            return None
        address = self.url or self.options.get("base_url")
        host = urlsplit(str(address)).hostname if address else None
        if host is None:
            return None if self.provider in _HERE else f"the servers of {self.provider}"
        try:
            return None if ipaddress.ip_address(host).is_loopback else host
        except ValueError:
            return None if host == "localhost" else host

    def asking(self, parts: JudgeParts) -> tuple[Asking, str]:
        """How its model is asked, and the model's name."""
        from medner.agents.judges.asking import Asking  # noqa: PLC0415  configurations need no agents

        chat, model = parts.chat(self)
        return Asking(chat, attempts=self.attempts, timeout_s=self.timeout_s), model


class SelectJudgeConfig(ChatJudgeConfig):
    """The chat model chooses among the candidates. ``joint``: the conflicts of a sentence in one question."""

    is_open_to_clients: ClassVar[bool] = True

    kind: Literal["select"] = "select"
    joint: bool = False

    @property
    def wording(self) -> Template:
        """The template of its questions."""
        return load_template(self.kind, self.template)

    def build(self, parts: JudgeParts, name: str | None, version: str) -> Judge:
        """The judge with its chat model."""
        from medner.agents.judges.select import SelectJudge  # noqa: PLC0415  configurations need no agents

        asking, model = self.asking(parts)
        return SelectJudge(asking.chat, name or model, version, self.wording, self.joint, self.may_abstain, asking)


class RewriteJudgeConfig(ChatJudgeConfig):
    """The chat model writes the stretch again and marks the entities; it may correct a boundary."""

    kind: Literal["rewrite"] = "rewrite"

    @property
    def wording(self) -> Template:
        """The template of its questions."""
        return load_template(self.kind, self.template)

    def build(self, parts: JudgeParts, name: str | None, version: str) -> Judge:
        """The judge with its chat model."""
        from medner.agents.judges.rewrite import RewriteJudge  # noqa: PLC0415  configurations need no agents

        asking, model = self.asking(parts)
        return RewriteJudge(asking.chat, name or model, version, self.wording, self.may_abstain, asking)
