"""The command lines of the servers that write nothing: those of span taggers, and the filter's that classifies."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from medner.core.errors import UserError
from medner.service.build.served_spans import candidate_context, span_context
from medner.service.build.server_names import span_models
from medner.service.build.vllm_engine import model_needs
from medner.service.config.bases import base_name
from medner.service.config.cards import SpanExport, export_card, filter_card
from medner.service.config.configuration import Configuration
from medner.service.config.taggers import TaggerConfig
from medner.service.vllm_servers.options import common, context_size, options
from medner.service.vllm_servers.plan import Device, Plan, ServerPart
from medner.store.models import base_model_folder

#: The model class of span taggers, and where its config lists them (agents/taggers/spans/served; heavy to import).
SPAN_TAGGERS, SPAN_TAGGERS_KEY = "MednerSpanTaggers", "medner_taggers"
#: The model class of the filter llm-cls, and where its config says which one it is (agents/filters/candidates).
CANDIDATE_FILTER, CANDIDATE_FILTER_KEY = "MednerCandidateFilter", "medner_filter"
#: Tokens in a pass, at least.
_PASS_TOKENS = 4_096


def scoring(configuration: Configuration, model: Path, plan: Plan) -> Iterator[tuple[ServerPart, list[str]]]:
    """A server a base model for its span taggers, those that judges read with too; ``model`` is the run's base."""
    agents = configuration.spans if configuration.engine.vllm is None else configuration.served_spans
    models = span_models(configuration, agents)
    called = {base: base_name(base or configuration.model) for base in models}
    exports = _exports(plan.spans, list(called.values()))
    context = plan.context or context_size(span_context(configuration))
    for base, name in models.items():
        export = exports.get(called[base])
        folder = export or (model if base is None else base_model_folder(base))
        line = common(folder, [name], context, plan)
        if export is None:
            folders = [one.span_folder for one in agents if one.own_base == base and one.span_folder is not None]
            line += ["--hf-overrides", json.dumps(_overrides(folders, called[base]), ensure_ascii=False)]
        # A sentence that looks both ways is run in one piece, and nothing of it is kept.
        batch = max(_PASS_TOKENS, context)
        line += [*options("runner", "pooling", "max-num-batched-tokens", batch), "--no-enable-prefix-caching"]
        tag = any(isinstance(one, TaggerConfig) for one in agents if one.own_base == base)
        yield (ServerPart.SPANS if tag else ServerPart.JUDGE), line


def _exports(folders: Sequence[Path], bases: Sequence[str]) -> Mapping[str, Path]:
    """What medner export made of span taggers, by the base model's name. UserError for what nobody here asks."""
    found: dict[str, Path] = {}
    for folder in folders:
        card = export_card(folder)
        if not isinstance(card, SpanExport):
            raise UserError(f"--spans: {folder} is an exported model that is not of span taggers")
        if card.base not in bases:
            raise UserError(
                f"--spans: {folder} stands on the base model {card.base}; this configuration has span taggers on "
                f"{', '.join(bases) or 'none'}"
            )
        if card.base in found:
            raise UserError(
                f"--spans: {found[card.base]} and {folder} are of one base model, {card.base}; export what shares it "
                "into one"
            )
        found[card.base] = folder
    return found


def _overrides(folders: Sequence[Path], base: str) -> dict[str, object]:
    """What vLLM must know beside the base model's own config.json (agents/taggers/spans/served/model.py)."""
    for folder in folders:
        if not (folder / "span.json").is_file():
            raise UserError(f"{folder}: holds no span.json: it is not a span tagger")
    # A judge may read with the very tagger that tags.
    taggers = [{"folder": str(folder.resolve()), "base": base} for folder in dict.fromkeys(folders)]
    return {"architectures": [SPAN_TAGGERS], SPAN_TAGGERS_KEY: taggers}


def classifying(configuration: Configuration, model: Path, plan: Plan) -> Iterator[tuple[ServerPart, list[str]]]:
    """The server of a filter that classifies: of what medner export made of it, or of its adapter on the run's base."""
    chosen = configuration.filter
    if chosen is None:
        return
    name = chosen.served_name(configuration.label_set.name) or ""
    if chosen.exported_folder is not None:
        context = context_size(max(need.context for need in model_needs(configuration) if not need.writes))
        line = common(chosen.exported_folder, [name], context, plan)
        yield ServerPart.FILTER, [*line, *options("runner", "pooling"), "--enable-prefix-caching"]
        return
    folder = chosen.candidate_folder if configuration.engine.vllm is None else configuration.served_candidates
    if folder is not None:
        context = context_size(candidate_context(configuration))
        line = common(model, [name], context, plan)
        told = {
            "folder": str(folder.resolve()),
            "base": base_name(configuration.model),
            "two_way_from": filter_card(folder).two_way_from,
        }
        line += ["--hf-overrides", json.dumps({"architectures": [CANDIDATE_FILTER], CANDIDATE_FILTER_KEY: told})]
        line += options("runner", "pooling", "max-num-batched-tokens", max(_PASS_TOKENS, context))
        # Whoever captures graphs of a pass (GPU) pads it with tokens that are of no request.
        line += ["--no-enable-prefix-caching", *([] if plan.device is Device.CPU else ["--enforce-eager"])]
        yield ServerPart.FILTER, line
