"""What of a configuration scores on servers: span taggers, those that judges read with too, and the filter llm-cls.

Who must have them, and who asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from medner.agents.engines.engine import Engine, TokenPooler
from medner.agents.filters.candidates.layout import MOST_TOKENS
from medner.core.errors import UserError
from medner.service.build.server_names import served_filter, span_model, span_models
from medner.service.config.agent import AgentConfig
from medner.service.config.bases import base_name
from medner.service.config.cards import filter_card
from medner.service.config.configuration import Configuration
from medner.service.config.taggers import TaggerConfig
from medner.store.models import base_model_folder

if TYPE_CHECKING:
    from medner.agents.filters.candidates.asking import CandidateServer
    from medner.agents.taggers.spans.served.checks import WantedModel
    from medner.agents.taggers.spans.served.states import SpanServer

#: Tokens that a character takes at most, one that a tokenizer writes byte by byte.
_PER_CHARACTER = 4
#: What stands before a sentence, and room.
_MORE = 16


def span_context(configuration: Configuration) -> int:
    """The tokens that the longest sentence takes at most."""
    return _PER_CHARACTER * configuration.max_chars + _MORE


def candidate_context(configuration: Configuration) -> int:
    """The tokens that a sentence and its candidates take in a request at most."""
    return max(MOST_TOKENS, 2 * span_context(configuration) + _MORE)


def wanted_models(configuration: Configuration) -> list[WantedModel]:
    """What servers must run: the span taggers, the filter."""
    wanted = [wanted_of(agent, configuration) for agent in configuration.served_spans]
    wanted.append(_wanted_filter(configuration))
    return [one for one in wanted if one is not None]


def wanted_of(agent: AgentConfig, configuration: Configuration) -> WantedModel | None:
    """What servers must run for a tagger or judge; None where it is made of no span tagger."""
    from medner.agents.taggers.spans.served.checks import WantedModel, span_tagger_in  # noqa: PLC0415  heavy

    folder = agent.span_folder
    if folder is None:
        return None
    who = f"span tagger {agent.name}" if isinstance(agent, TaggerConfig) else f"judge {folder.name}"
    model = span_model(configuration.label_set.name, agent.own_base)
    base = base_name(agent.own_base or configuration.model)
    return WantedModel(who, folder, model, partial(span_tagger_in, folder, base))


def _wanted_filter(configuration: Configuration) -> WantedModel | None:
    from medner.agents.filters.candidates.identity import identity  # noqa: PLC0415  heavy
    from medner.agents.taggers.spans.served.checks import WantedModel  # noqa: PLC0415

    folder, model = configuration.served_candidates, served_filter(configuration)
    if folder is None or model is None:
        return None
    base = base_name(configuration.model)

    def known() -> tuple[bytes, int]:
        return identity(folder, base, filter_card(folder).two_way_from), 1

    return WantedModel(f"filter {folder.name}", folder, model, known, others="another filter")


def candidate_server(configuration: Configuration, engine: Engine) -> CandidateServer | None:
    """Who asks the servers for the filter's scores; None where it runs here, or an exported one classifies.

    UserError where the base model is not on this machine: its tokenizer is needed.
    """
    folder, model = configuration.served_candidates, served_filter(configuration)
    if folder is None or model is None:
        return None
    try:
        from medner.agents.filters.candidates.asking import CandidateServer  # noqa: PLC0415  heavy
    except ImportError as error:
        raise UserError(f"{error.name} is missing: the filter llm-cls needs pip install 'medner[local]'") from error
    if not isinstance(engine, TokenPooler):
        raise UserError(f"model {model}: this engine has no servers that run the filter llm-cls")
    return CandidateServer(
        engine,
        model,
        folder,
        base=base_name(configuration.model),
        base_folder=base_model_folder(configuration.model),
        two_way_from=filter_card(folder).two_way_from,
    )


def span_servers(configuration: Configuration, engine: Engine, others: Mapping[str, Engine]) -> dict[Path, SpanServer]:
    """Who asks the servers for span taggers, by their folders; nothing where they run here. One asks for all of a base.

    UserError where a base model is not on this machine: its tokenizer is needed.
    """
    models = span_models(configuration)
    servers = {
        base: span_server(model, base or configuration.model, engine if base is None else others[base])
        for base, model in models.items()
    }
    agents = configuration.served_spans
    return {agent.span_folder: servers[agent.own_base] for agent in agents if agent.span_folder is not None}


def span_server(model: str, base: str, engine: Engine) -> SpanServer:
    """Who asks servers for a model that runs span taggers. UserError where the base model is not on this machine."""
    try:
        from medner.agents.taggers.spans.served.states import SpanServer  # noqa: PLC0415  heavy
    except ImportError as error:
        raise UserError(f"{error.name} is missing: a span tagger needs pip install 'medner[local]'") from error
    if not isinstance(engine, TokenPooler):
        raise UserError(f"model {model}: this engine has no servers that run span taggers")
    return SpanServer(engine, model, base=base_name(base), folder=base_model_folder(base))
