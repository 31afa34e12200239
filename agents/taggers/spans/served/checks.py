"""Whether servers run the span taggers that a configuration needs, found out before the first sentence is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from medner.agents.engines.vllm.pool import Pool
from medner.agents.engines.vllm.server import Server
from medner.agents.engines.vllm.token_pooling import pooled, pooling_request
from medner.agents.taggers.spans.head import load_head
from medner.agents.taggers.spans.served.identity import identity
from medner.agents.taggers.spans.served.states import by_identity, problem_of
from medner.core.errors import MednerError
from medner.core.findings import Finding, Level

#: Any tokens do: every answer says whose it is.
_PROBE = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class WantedModel:
    """What a server must run: whose it is, its folder, the model on servers.

    ``known`` gives its identity and how many numbers it makes of a token. UserError when the folder holds none.
    ``others`` is what runs there where another answers.
    """

    who: str
    folder: Path
    model: str
    known: Callable[[], tuple[bytes, int]]
    others: str = "other span taggers"


def span_tagger_in(folder: Path, base: str) -> tuple[bytes, int]:
    """The identity of a folder's span tagger on a base model, and how many numbers its head makes of a token."""
    return identity(folder, base), load_head(folder).shape.inner


async def check_span_servers(pool: Pool, wanted: Sequence[WantedModel]) -> list[Finding]:
    """A finding for each tagger and server that lives and has its model. The pool must be open; nothing is raised."""
    models = dict.fromkeys(tagger.model for tagger in wanted)
    asked = [(server, model) for model in models for server in pool.servers if server.alive and model in server.models]
    found = await asyncio.gather(
        *(_findings(server, model, [one for one in wanted if one.model == model]) for server, model in asked)
    )
    return [finding for several in found for finding in several]


async def _findings(server: Server, model: str, wanted: Sequence[WantedModel]) -> list[Finding]:
    subject = server.address.url
    try:
        answer = await server.post("/pooling", {"model": model, **pooling_request(_PROBE)})
        given = by_identity(pooled(model, answer, len(_PROBE)), model)
        return [_finding(subject, one, problem_of(given, *one.known(), others=one.others)) for one in wanted]
    except MednerError as error:
        return [Finding(Level.ERROR, subject, f"the model {model} does not score as medner's do: {error}")]


def _finding(subject: str, tagger: WantedModel, problem: str | None) -> Finding:
    if problem is None:
        return Finding(Level.OK, subject, f"runs the {tagger.who} with the weights of {tagger.folder}")
    return Finding(Level.ERROR, subject, f"{tagger.who}: the model {tagger.model} {problem}")
