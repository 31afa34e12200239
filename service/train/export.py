"""From an adapter's folder to a model for a server: which kind it becomes, and the texts it is checked on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medner.agents.prompts.filter import NO, YES, brief_filter_messages, candidate_part, sentence_part
from medner.agents.prompts.shots import Shot, load_shots
from medner.agents.prompts.tagger import tagger_messages
from medner.agents.strategies import CODECS
from medner.core.errors import UserError
from medner.core.files.names import CARD
from medner.core.labels import LabelSet, load_label_set
from medner.core.records import Entity, Sentence
from medner.service.config.cards import (
    AdapterCard,
    ClassifierExport,
    ExportCard,
    FilterCard,
    FilterExport,
    TaggerExport,
    adapter_card,
    filter_card,
    is_filter,
    write_card,
)
from medner.service.config.filters import FILTERS
from medner.service.config.taggers import TAGGERS
from medner.store.corpora import read_documents
from medner.store.models import base_model_folder

if TYPE_CHECKING:
    from medner.training.export import Exported, ExportedWeights, Sample

#: Annotated sentences of at most so many characters are compared.
_LONGEST = 256


def export_adapter(
    adapter: Path, out: Path, *, base: str | None = None, dtype: str = "bfloat16", check: Path | None = None, most: int
) -> Exported:
    """Merges an adapter into its base and checks the outcome on ``most`` annotated sentences.

    ``base`` None: the one its card names. ``check`` None: hand-written sentences that ship. UserError for what cannot
    become a model of its own, ExternalError when the outcome differs.
    """
    try:
        import transformers  # noqa: F401, PLC0415  heavy

        from medner.agents.filters import load_head  # noqa: PLC0415
        from medner.training.export import ExportOrder, export_classifier, export_writer  # noqa: PLC0415
        from medner.training.model.lora import load_tokenizer  # noqa: PLC0415
    except ImportError as error:
        raise UserError(f"{error.name} is missing: exporting needs pip install 'medner[train]'") from error
    card = _card(adapter)
    labels = load_label_set(card.labels)
    folder = base_model_folder(base or card.base)
    shots = annotated_sentences(check, labels, most)
    order = ExportOrder(folder, adapter, out, dtype, partial(_describe, card))
    if isinstance(card, FilterCard) and card.kind == "llm-cls":
        return export_classifier(order, load_head(adapter), _candidate_samples(shots, labels))
    tokenizer = load_tokenizer(folder)
    if isinstance(card, FilterCard):
        return export_writer(order, _question_samples(shots, labels, tokenizer))
    return export_writer(order, _tagger_samples(shots, labels, tokenizer, card))


def _describe(card: AdapterCard | FilterCard, out: Path, weights: ExportedWeights) -> None:
    """Writes what an exported model is."""
    exported: ExportCard
    common = {"name": card.name, "base": card.base, "labels": card.labels, "sha256": weights.sha256}
    if isinstance(card, AdapterCard):
        exported = TaggerExport(**common, strategy=card.strategy, style=card.style)
    elif weights.bias is None:
        exported = FilterExport(**common, kind=card.kind, threshold=card.threshold, temperature=card.temperature)
    else:
        exported = ClassifierExport(
            **common, kind="llm-cls", threshold=card.threshold, temperature=card.temperature, bias=weights.bias
        )
    write_card(out, exported, {"dtype": weights.dtype})


def _card(adapter: Path) -> AdapterCard | FilterCard:
    """The card of something that can be exported; UserError with the reason for what cannot."""
    if not (adapter / CARD).is_file() or not is_filter(adapter):
        card = adapter_card(adapter)
        if not TAGGERS.rows[card.strategy].writes:
            raise UserError(
                f"{adapter}: a {card.strategy} tagger does not write text, so it becomes no model that writes"
            )
        return card
    found = filter_card(adapter)
    if not FILTERS.rows[found.kind].fits_one_base:
        raise UserError(f"{adapter}: a {found.kind} filter is a model of its own already, and runs beside any engine")
    if found.two_way_from is not None:
        raise UserError(
            f"{adapter}: this filter looks both ways from layer {found.two_way_from} on, which only medner's own model "
            "class does on a server; it needs no export: medner serve-models --filter merges it when the server starts"
        )
    return found


def annotated_sentences(check: Path | None, labels: LabelSet, most: int) -> list[Shot]:
    """What an export is compared on: a file's short sentences, None: hand-written ones that ship."""
    if check is None:
        shots = list(load_shots(labels))
        where = f"no annotated sentences ship for the label set {labels.name}; name a file with --check"
    else:
        documents = (one for one in read_documents(check, labels=labels) if one.entities and len(one.text) <= _LONGEST)
        shots = [Shot(one.text, one.entities) for one in islice(documents, most)]
        where = f"{check}: no annotated record of at most {_LONGEST} characters"
    if not shots:
        raise UserError(where)
    return shots[:most]


def _tagger_samples(shots: Sequence[Shot], labels: LabelSet, tokenizer: Any, card: AdapterCard) -> list[Sample]:
    from medner.training.export import Sample  # noqa: PLC0415  heavy

    codec = CODECS[card.strategy]
    chats = [(tagger_messages(card.style, codec, labels, shot.text), shot) for shot in shots]
    return [
        Sample((_chat(tokenizer, messages), codec.encode(shot.text, shot.entities, labels))) for messages, shot in chats
    ]


def _question_samples(shots: Sequence[Shot], labels: LabelSet, tokenizer: Any) -> list[Sample]:
    from medner.training.export import Sample  # noqa: PLC0415  heavy

    asked = [
        _chat(tokenizer, brief_filter_messages(Sentence("", shot.text), entity, labels))
        for shot in shots
        for entity in _candidates(shot, labels)
    ]
    return [Sample((chat, answer)) for chat in asked for answer in (YES, NO)]


def _candidate_samples(shots: Sequence[Shot], labels: LabelSet) -> list[Sample]:
    from medner.training.export import Sample  # noqa: PLC0415  heavy

    return [
        Sample((sentence_part(shot.text), candidate_part(shot.text, entity, labels)))
        for shot in shots
        for entity in _candidates(shot, labels)
    ]


def _candidates(shot: Shot, labels: LabelSet) -> list[Entity]:
    """The right entities, and each with another type: what a filter is to tell apart."""
    codes = labels.codes
    wrong = [
        Entity(one.start, one.end, codes[(codes.index(one.label) + 1) % len(codes)])
        for one in shot.entities
        if len(codes) > 1
    ]
    return [*shot.entities, *wrong]


def _chat(tokenizer: Any, messages: Sequence[Any]) -> str:
    chat: str = tokenizer.apply_chat_template(
        [message.as_dict() for message in messages], tokenize=False, add_generation_prompt=True
    )
    return chat
