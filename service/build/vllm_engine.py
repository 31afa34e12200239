"""From a configuration to the engine that asks its vLLM servers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from medner.agents.engines.vllm.checks import Need, check_servers
from medner.agents.engines.vllm.engine import VllmEngine
from medner.agents.engines.vllm.pool import Pool
from medner.agents.engines.vllm.server import ServerAddress
from medner.agents.prompts.shots import load_shots
from medner.agents.prompts.tagger import tagger_messages
from medner.agents.strategies import CODECS
from medner.agents.taggers.tagger import answer_cap
from medner.core.errors import ExternalError, UserError
from medner.core.findings import Finding, errors_among
from medner.core.labels import LabelSet
from medner.core.plugins import is_plugin
from medner.service.build.server_names import served_base, served_filter, served_names
from medner.service.config.configuration import Configuration, ServerConfig, TaggerConfig
from medner.service.config.judges import CHATTING

#: What a chat template adds to a prompt, in tokens; more than any seen.
_TEMPLATE = 64


def server_pool(configuration: Configuration) -> Pool:
    """The servers of a configuration, not yet asked. UserError for a key that is not in the environment."""
    engine = configuration.engine
    addresses = [ServerAddress(one.url, one.concurrency, _key(one)) for one in engine.servers]
    return Pool(addresses, timeout_s=engine.timeout_s, attempts=engine.attempts)


async def vllm_engine(configuration: Configuration, adapters: Mapping[Path, str]) -> VllmEngine:
    """An engine whose servers were found to serve what the configuration needs; ``adapters`` are names by folder.

    UserError, with every reason, when they do not; ExternalError when none answers.
    """
    pool = server_pool(configuration)
    try:
        await pool.open()
        needs = model_needs(configuration)
        findings = [one for one in errors_among(await check_servers(pool, needs)) if not _spare(one, pool, needs)]
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
        return await check_servers(pool, model_needs(configuration))
    finally:
        await pool.close()


def model_needs(configuration: Configuration) -> list[Need]:
    """The models that the servers must have, each once, with the context its longest request may take."""
    labels, names = configuration.label_set, served_names(configuration)
    needs: dict[str, Need] = {}

    def need(model: str, context: int, *, writes: bool = True) -> None:
        before = needs.get(model)
        needs[model] = Need(model, max(context, before.context if before else 0), writes)

    for tagger in configuration.asked:
        if tagger.strategy != "span" and not is_plugin(tagger.strategy):
            model = served_base(configuration) if tagger.adapter is None else names[tagger.adapter]
            need(model, longest_request(tagger, labels, configuration.max_chars))
    chosen = configuration.filter
    if chosen is not None and chosen.kind == "llm-causal":
        need(
            served_base(configuration) if chosen.adapter is None else names[chosen.adapter], configuration.max_chars * 2
        )
    if (classifier := served_filter(configuration)) is not None:
        need(classifier, 2 * configuration.max_chars + _TEMPLATE, writes=False)
    if any(judge.kind in CHATTING and judge.model is None for judge in configuration.judge.in_order):
        need(served_base(configuration), 2_048)
    return list(needs.values())


def longest_request(tagger: TaggerConfig, labels: LabelSet, max_chars: int) -> int:
    """The most tokens that prompt and answer of a sentence usually take, by a token a character.

    The answer is taken to fill half of what it may have at most: every type present is rare.
    """
    codec, shots = CODECS[tagger.strategy], load_shots(labels)[: tagger.shots]
    sentence = "症" * max_chars
    messages = tagger_messages(tagger.style, codec, labels, sentence, shots)
    prompt = sum(len(message.content) + 8 for message in messages) + _TEMPLATE
    return prompt + (answer_cap(sentence, labels) + len(codec.encode(sentence, (), labels))) // 2


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
