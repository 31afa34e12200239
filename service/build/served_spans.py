"""The span taggers of a configuration that run on servers, those that judges read with too: who must have them, and
who asks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from medner.agents.engines.engine import Engine, TokenPooler
from medner.core.errors import UserError
from medner.service.build.server_names import span_model, span_models
from medner.service.config.agent import AgentConfig
from medner.service.config.bases import base_name
from medner.service.config.configuration import Configuration
from medner.service.config.taggers import TaggerConfig
from medner.store.models import base_model_folder

if TYPE_CHECKING:
    from medner.agents.taggers.spans.served.checks import WantedSpans
    from medner.agents.taggers.spans.served.states import SpanServer

#: Tokens that a character takes at most, one that a tokenizer writes byte by byte.
_PER_CHARACTER = 4
#: What stands before a sentence, and room.
_MORE = 16


def span_context(configuration: Configuration) -> int:
    """The tokens that the longest sentence takes at most."""
    return _PER_CHARACTER * configuration.max_chars + _MORE


def wanted_spans(configuration: Configuration) -> list[WantedSpans]:
    """The span taggers that servers must run."""
    wanted = [wanted_of(agent, configuration) for agent in configuration.served_spans]
    return [one for one in wanted if one is not None]


def wanted_of(agent: AgentConfig, configuration: Configuration) -> WantedSpans | None:
    """What servers must run for a tagger or judge; None where it is made of no span tagger."""
    from medner.agents.taggers.spans.served.checks import WantedSpans  # noqa: PLC0415  heavy

    folder = agent.span_folder
    if folder is None:
        return None
    who = f"span tagger {agent.name}" if isinstance(agent, TaggerConfig) else f"judge {folder.name}"
    model = span_model(configuration.label_set.name, agent.own_base)
    return WantedSpans(who, folder, model, base_name(agent.own_base or configuration.model))


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
