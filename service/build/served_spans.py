"""The span taggers of a configuration that run on servers: who must have them, and who asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from medner.agents.engines.engine import Engine, TokenPooler
from medner.core.errors import UserError
from medner.service.build.server_names import span_models
from medner.service.config.bases import base_name
from medner.service.config.configuration import Configuration
from medner.store.models import base_model_folder

if TYPE_CHECKING:
    from medner.agents.taggers.spans.served.checks import WantedTagger
    from medner.agents.taggers.spans.served.states import SpanServer

#: Tokens that a character takes at most, one that a tokenizer writes byte by byte.
_PER_CHARACTER = 4
#: What stands before a sentence, and room.
_MORE = 16


def span_context(configuration: Configuration) -> int:
    """The tokens that the longest sentence takes at most."""
    return _PER_CHARACTER * configuration.max_chars + _MORE


def wanted_taggers(configuration: Configuration) -> list[WantedTagger]:
    """The span taggers that servers must run."""
    from medner.agents.taggers.spans.served.checks import WantedTagger  # noqa: PLC0415  heavy

    models = span_models(configuration)
    return [
        WantedTagger(
            tagger.name, tagger.folder, models[tagger.own_base], base_name(tagger.own_base or configuration.model)
        )
        for tagger in configuration.served_spans
        if tagger.folder is not None
    ]


def span_servers(
    configuration: Configuration, engine: Engine, others: Mapping[str, Engine]
) -> dict[str | None, SpanServer]:
    """Who asks the servers for span taggers, by the taggers' base (None: that of the run); nothing where they run here.

    UserError where the base model is not on this machine: its tokenizer is needed.
    """
    models = span_models(configuration)
    if not models:
        return {}
    try:
        from medner.agents.taggers.spans.served.states import SpanServer  # noqa: PLC0415  heavy
    except ImportError as error:
        raise UserError(f"{error.name} is missing: a span tagger needs pip install 'medner[local]'") from error
    servers = {}
    for base, model in models.items():
        asking = engine if base is None else others[base]
        if not isinstance(asking, TokenPooler):
            raise UserError(f"model {model}: this engine has no servers that run span taggers")
        named = base or configuration.model
        servers[base] = SpanServer(asking, model, base=base_name(named), folder=base_model_folder(named))
    return servers
