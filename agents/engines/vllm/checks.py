"""What can be wrong with vLLM servers, found out before the first sentence is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from medner.agents.engines.vllm.engine import GREEDY
from medner.agents.engines.vllm.pool import Pool
from medner.agents.engines.vllm.server import Server
from medner.core.errors import ExternalError, UserError
from medner.core.findings import Finding, Level

#: The version these engines were tested against; structured outputs change from one to the next.
TESTED = "0.32"

#: No model answers this question so by itself: who does was held to the grammar.
_PROBE = "1+1等于几？只写数字。"
_FORCED = ("体温正常", "脉搏平稳")
_GRAMMAR = "root ::= " + " | ".join(f'"{one}"' for one in _FORCED)


@dataclass(frozen=True, slots=True)
class Need:
    """A model a configuration asks for: ``context`` tokens of prompt and answer, and whether it writes under a grammar.

    Models that do not write (classifiers) are only looked for.
    """

    model: str
    context: int = 0
    writes: bool = True


async def check_servers(pool: Pool, needs: Sequence[Need]) -> list[Finding]:
    """Everything found, servers first. The pool must be open; nothing is raised."""
    found = [one for several in await asyncio.gather(*map(_server, pool.servers)) for one in several]
    found += [finding for need in needs for finding in _serves(pool, need)]
    probed = [server for server in pool.servers if server.alive]
    models = [next((need.model for need in needs if need.writes and need.model in one.models), None) for one in probed]
    jobs = [_enforced(server, model) for server, model in zip(probed, models, strict=True) if model is not None]
    return found + list(await asyncio.gather(*jobs))


async def _server(server: Server) -> list[Finding]:
    subject = server.address.url
    if not server.alive:
        remedy = "start it (medner serve-models) or take it out of the configuration"
        return [Finding(Level.ERROR, subject, "does not answer", remedy)]
    try:
        version = await server.version()
    except (ExternalError, UserError):
        version = ""
    names = ", ".join(sorted(server.models))
    found = [Finding(Level.OK, subject, f"answers, vLLM {version or 'of unknown version'}, serves {names}")]
    if not (version + ".").startswith(TESTED + "."):
        what = f"runs vLLM {version}" if version else "does not say its version"
        found.append(
            Finding(Level.WARNING, subject, what, f"medner is tested with {TESTED}; run make test-vllm against it")
        )
    return found


def _serves(pool: Pool, need: Need) -> list[Finding]:
    served, foreign = pool.served(need.model), pool.foreign(need.model)
    if foreign:
        subject = ", ".join(server.address.url for server in foreign)
        what = f"runs another adapter under the name {need.model} than the configuration's folder holds"
        remedy = "start it again with this adapter (medner serve-models), or use the folder that it was started with"
        return [Finding(Level.ERROR, subject, what, remedy)]
    if not served:
        known = sorted({name for server in pool.servers for name in server.models})
        what = f"no server that answers has it; they serve {', '.join(known) or 'nothing'}"
        remedy = "start one with it (medner serve-models --dry-run shows how), or set `served` to its name there"
        return [Finding(Level.ERROR, f"model {need.model}", what, remedy)]
    context = min((one.context for one in served if one.context), default=None)
    if context is not None and context < need.context:
        what = f"the server gives it {context} tokens, long sentences may need {need.context}"
        remedy = f"start the server with --max-model-len {need.context}, or split sentences shorter (max_chars)"
        return [Finding(Level.WARNING, f"model {need.model}", what, remedy)]
    servers = f"{len(served)} server" + ("s" if len(served) > 1 else "")
    return [Finding(Level.OK, f"model {need.model}", f"on {servers}" + (f", {context} tokens" if context else ""))]


async def _enforced(server: Server, model: str) -> Finding:
    """Whether the server holds an answer to a grammar; one that does not know the parameter ignores it silently."""
    messages = [{"role": "user", "content": _PROBE}]
    body = {
        **GREEDY,
        "model": model,
        "messages": messages,
        "max_tokens": 24,
        "structured_outputs": {"grammar": _GRAMMAR},
    }
    subject = server.address.url
    try:
        answer = await server.post("/v1/chat/completions", body)
        said = answer["choices"][0]["message"]["content"]
    except (ExternalError, UserError, KeyError, IndexError, TypeError) as error:
        return Finding(Level.ERROR, subject, f"the test request failed: {error}", "look at the server's log")
    if said in _FORCED:
        return Finding(Level.OK, subject, "holds answers to a grammar")
    what = "ignores structured_outputs: answers are not held to their grammar"
    return Finding(Level.ERROR, subject, what, f"use vLLM {TESTED}, with its xgrammar backend")
