"""From a configuration to the engine that asks its vLLM servers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from medner.agents.engines.vllm.adapter_identity import adapter_identity
from medner.agents.engines.vllm.checks import Need, check_servers
from medner.agents.engines.vllm.engine import VllmEngine
from medner.agents.engines.vllm.pool import Pool
from medner.agents.engines.vllm.server import ServerAddress
from medner.core.errors import ExternalError, UserError
from medner.core.findings import Finding, errors_among
from medner.service.build.served_spans import candidate_context, span_context, wanted_models
from medner.service.build.server_names import served_base, served_filter, served_names, span_models
from medner.service.config.bases import base_name
from medner.service.config.configuration import Configuration
from medner.service.config.engine import ServerConfig

#: What a chat template adds to a prompt, in tokens; more than any seen.
_TEMPLATE = 64
#: What a chatting judge's question and answer take, in tokens.
_JUDGE_CONTEXT = 2_048


def server_pool(configuration: Configuration) -> Pool:
    """The servers of a configuration, not yet asked. UserError for a key that is not in the environment."""
    engine = configuration.engine.vllm
    if engine is None:
        raise UserError("this configuration names no servers")
    addresses = [ServerAddress(one.url, one.concurrency, _key(one)) for one in engine.servers]
    told = {name: adapter_identity(folder) for folder, name in served_names(configuration).items()}
    identities = {name: identity for name, identity in told.items() if identity is not None}
    return Pool(addresses, timeout_s=engine.timeout_s, attempts=engine.attempts, identities=identities)


async def vllm_engine(configuration: Configuration, adapters: Mapping[Path, str]) -> VllmEngine:
    """An engine whose servers were found to serve what the configuration needs; ``adapters`` are names by folder.

    UserError, with every reason, when they do not; ExternalError when none answers.
    """
    pool = server_pool(configuration)
    try:
        await pool.open()
        needs = model_needs(configuration)
        findings = [one for one in errors_among(await _found(pool, configuration)) if not _spare(one, pool, needs)]
        if findings:
            raise UserError("\n".join(finding.line() for finding in findings))
    except BaseException:
        await pool.close()
        raise
    names = served_names(configuration)
    served = {adapters[folder]: name for folder, name in names.items() if folder in adapters}
    return VllmEngine(pool, base=served_base(configuration), served=served)


async def server_findings(configuration: Configuration) -> list[Finding]:
    """What is right and wrong with the servers of a configuration, for `medner doctor`."""
    pool = server_pool(configuration)
    try:
        with suppress(ExternalError):  # the findings say which servers do not answer
            await pool.open()
        return await _found(pool, configuration)
    finally:
        await pool.close()


async def _found(pool: Pool, configuration: Configuration) -> list[Finding]:
    found = await check_servers(pool, model_needs(configuration))
    if not configuration.served_spans and configuration.served_candidates is None:
        return found
    try:
        from medner.agents.taggers.spans.served.checks import check_span_servers  # noqa: PLC0415  heavy
    except ImportError as error:
        raise UserError(f"{error.name} is missing: what scores on servers needs pip install 'medner[local]'") from error
    return found + await check_span_servers(pool, wanted_models(configuration))


def model_needs(configuration: Configuration) -> list[Need]:
    """The models that the servers must have, each once, with the context its longest request may take."""
    labels, names = configuration.label_set, served_names(configuration)
    needs: dict[str, Need] = {}

    def need(model: str, context: int, *, writes: bool = True) -> None:
        before = needs.get(model)
        needs[model] = Need(model, max(context, before.context if before else 0), writes)

    for tagger in configuration.asked:
        longest = tagger.longest_request(labels, configuration.max_chars)
        if longest is not None:
            base = base_name(tagger.own_base or configuration.model)
            need(base if tagger.folder is None else names[tagger.folder], longest)
    chosen = configuration.filter
    if chosen is not None and chosen.writes:
        model = served_base(configuration) if chosen.folder is None else names[chosen.folder]
        need(model, configuration.max_chars * 2)
    for model in span_models(configuration).values():
        need(model, span_context(configuration), writes=False)
    if (classifier := served_filter(configuration)) is not None:
        exported = configuration.served_candidates is None
        context = 2 * configuration.max_chars + _TEMPLATE if exported else candidate_context(configuration)
        need(classifier, context, writes=False)
    for judge in configuration.judge.in_order:
        if judge.chats and judge.asks_model:
            need(base_name(judge.own_base or configuration.model), _JUDGE_CONTEXT)
    return list(needs.values())


def _spare(finding: Finding, pool: Pool, needs: list[Need]) -> bool:
    """Whether others do without the server: a replica that is down must not stop a run."""
    down = {server.address.url for server in pool.servers if not server.alive}
    return finding.subject in down and all(pool.served(need.model) for need in needs)


def _key(server: ServerConfig) -> str | None:
    if server.key_env is None:
        return None
    key = os.environ.get(server.key_env)
    if not key:
        raise UserError(f"{server.url}: key_env names the environment variable {server.key_env}, which is not set")
    return key
