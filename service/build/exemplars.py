"""Which exemplars the judge of a configuration is shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from medner.agents.engines.engine import Encoder, Engine
from medner.agents.exemplars import (
    ClusterExemplars,
    ClustersThenNearest,
    ExemplarSource,
    FixedExemplars,
    NearestExemplars,
)
from medner.agents.exemplars.embedding import Embedder, EncoderEmbedder, origin_of
from medner.agents.exemplars.folder import ExemplarFolder, check_origin
from medner.agents.exemplars.sentence_transformer import SentenceTransformerEmbedder
from medner.core.errors import UserError
from medner.service.config.configuration import Configuration, ExemplarsConfig


def planned_exemplars(configuration: Configuration, model: Path | None) -> Callable[[Engine | None], ExemplarSource]:
    """What gives the exemplars once the engine runs; the folder is checked now, before a model is loaded.

    Without a folder they are the hand-written ones. ``model`` is the base model's folder. UserError when the folder
    is damaged, of another label set, or its index of another model.
    """
    labels = configuration.label_set
    chosen = configuration.exemplars
    if chosen is None:
        shipped = FixedExemplars.shipped(labels)
        return lambda _: shipped
    folder = ExemplarFolder.open(chosen.folder, labels=labels)
    clusters = ClusterExemplars.read(folder, each=chosen.each)
    # Judges that are asked nothing in words look at no exemplars.
    if not chosen.nearest or not any(judge.chats for judge in configuration.judge.in_order):
        return lambda _: clusters
    embedder = _planned_embedder(chosen, folder, model)
    nearest = chosen.nearest
    return lambda engine: ClustersThenNearest(clusters, NearestExemplars.read(folder, embedder(engine), each=nearest))


def encoder_of(engine: Engine | None) -> Encoder:
    """The engine as one that gives hidden states; UserError when it does not."""
    if not isinstance(engine, Encoder):
        raise UserError("this engine gives no hidden states, which vectors of entities are made of")
    return engine


def _planned_embedder(
    chosen: ExemplarsConfig, folder: ExemplarFolder, model: Path | None
) -> Callable[[Engine | None], Embedder]:
    if chosen.embedder is not None:
        loaded = SentenceTransformerEmbedder.load(chosen.embedder)
        check_origin(folder.card, loaded.origin, where=folder.path)
        return lambda _: loaded
    if folder.card.embedder != "llm":
        raise UserError(
            f"{folder.path}: its index was made with the sentence-transformers model {folder.card.base}; "
            "name its folder as exemplars.embedder in the configuration, or set exemplars.nearest = 0"
        )
    if model is None:
        raise UserError("nearest exemplars need the folder of the base model; set exemplars.nearest = 0")
    origin = origin_of("llm", model.resolve().name, model)
    check_origin(folder.card, origin, where=folder.path)
    return lambda engine: EncoderEmbedder(encoder_of(engine), origin)
