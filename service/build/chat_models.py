"""Chat models by name: any that LangChain knows, any server that speaks OpenAI's protocol, a vLLM server's."""

from __future__ import annotations

import os
import re
from typing import Any

from langchain_core.language_models import BaseChatModel

from medner.agents.engines.vllm.engine import VllmEngine
from medner.agents.engines.vllm.pool import Pool
from medner.agents.engines.vllm.server import ServerAddress
from medner.agents.judges.engine_chat_model import EngineChatModel
from medner.core.errors import UserError
from medner.service.config.judges import ChatJudgeConfig

VLLM = "vllm"
_PACKAGE = re.compile(r"langchain-[\w-]+")


class Connections:
    """The vLLM servers that judges ask: known when the judges are built, opened before the first question."""

    def __init__(self) -> None:
        self._closed: list[Pool] = []
        self._open: list[Pool] = []

    def add(self, pool: Pool) -> None:
        """Takes servers that are to be asked."""
        self._closed.append(pool)

    async def open(self) -> None:
        """Meets the servers that are new since the last time. ExternalError when one does not answer."""
        while self._closed:
            self._open.append(self._closed.pop())
            await self._open[-1].open()

    async def close(self) -> None:
        """Ends all connections."""
        while self._open:
            await self._open.pop().close()


def named_chat(judge: ChatJudgeConfig, connections: Connections) -> tuple[BaseChatModel, str]:
    """The chat model that a judge names, and that model's name; its servers are added to ``connections``.

    UserError for a package, key or provider that is missing.
    """
    if judge.model is None:
        raise UserError("this judge names no model of its own")
    provider, _, name = judge.model.partition(":")
    if provider == VLLM:
        return _vllm_chat(judge, name, connections), name
    return _provider_chat(judge), name


def _vllm_chat(judge: ChatJudgeConfig, name: str, connections: Connections) -> BaseChatModel:
    """A model of a vLLM server, held to the judge's grammar by the server."""
    address = ServerAddress((judge.url or "").removesuffix("/").removesuffix("/v1"), key=api_key(judge))
    pool = Pool([address], timeout_s=judge.timeout_s, attempts=judge.attempts)
    connections.add(pool)
    engine = VllmEngine(pool, base=name)
    return EngineChatModel(engine=engine, model_name=name, max_tokens=judge.max_tokens)


def _provider_chat(judge: ChatJudgeConfig) -> BaseChatModel:
    try:
        from langchain.chat_models import init_chat_model  # noqa: PLC0415  an optional dependency
    except ImportError as error:
        raise UserError(f"{error.name} is missing: a judge by provider needs pip install 'medner[judges]'") from error
    settings: dict[str, Any] = {"temperature": 0, "max_tokens": judge.max_tokens, **judge.options}
    if judge.url is not None:
        settings["base_url"] = judge.url
    key = api_key(judge)
    if key is not None or judge.url is not None:
        # Servers in one's own network often ask for no key, but the client insists on having one.
        settings["api_key"] = key or "none"
    if (judge.model or "").startswith("openai:"):
        # Attempts are counted in one place.
        settings.setdefault("max_retries", 0)
    try:
        made: BaseChatModel = init_chat_model(judge.model, **settings)
    except ImportError as error:
        named = _PACKAGE.search(str(error))
        missing = named[0] if named else str(error.name or error)
        raise UserError(f"judge {judge.model}: its package is missing: pip install {missing}") from error
    except Exception as error:  # providers check their settings each in their own way
        first = str(error).strip().partition("\n")[0]
        raise UserError(f"judge {judge.model}: {first}; a key is named by key_env") from error
    return made


def api_key(judge: ChatJudgeConfig) -> str | None:
    """The key in the environment variable that the judge names. UserError when it is not set."""
    if judge.key_env is None:
        return None
    key = os.environ.get(judge.key_env)
    if not key:
        raise UserError(f"judge: key_env names the environment variable {judge.key_env}, which is not set")
    return key
