"""Span taggers of one base model merged into one model for a server, checked against what it was made of.

The model is that of ``agents/taggers/spans/served``: a copy of the base's first layers a tagger, each with its adapter
merged, and the part of its head that works on tokens.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from medner.agents.engines.local.floating.body import TransformersBody
from medner.agents.engines.local.loading import quiet
from medner.agents.engines.local.model import LocalModel
from medner.agents.engines.local.packed import ATTENTION, RowSegment, packed_attention
from medner.agents.engines.local.row_cache import RowCache
from medner.agents.taggers.spans.alignment import Aligned, align
from medner.agents.taggers.spans.head import SpanHead, load_head
from medner.agents.taggers.spans.served.weights import ARCHITECTURE, KEY, ServedTagger, served_weights
from medner.agents.taggers.spans.settings import SpanSettings, read_settings
from medner.agents.taggers.spans.tagger import framed, span_scores
from medner.core.errors import ExternalError, UserError
from medner.core.files.atomic import replacing_folder
from medner.core.files.hashing import sha256_of
from medner.training.export import TOLERANCE, WEIGHTS, Exported, ExportedWeights
from medner.training.model.lora import load_tokenizer, shortened_config

#: How far a probability may be from the one before: in two-way layers rounding adds up to more than where models write.
TOLERANCES = {"float32": TOLERANCE["float32"], "bfloat16": 0.25, "float16": 0.05}
#: Stretches that the tagger gives at least this probability are compared.
_LEAST = 0.01
_CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class SpanExportOrder:
    """From what to where: the base's folder and what it is called, the taggers' folders, the target, number format."""

    base: Path
    name: str
    taggers: Sequence[Path]
    out: Path
    dtype: str


def export_spans(
    order: SpanExportOrder, texts: Sequence[str], describe: Callable[[Path, ExportedWeights], None]
) -> Exported:
    """Writes the model; ``describe(folder, weights)`` writes beside the weights what it is.

    ExternalError when a probability of a tagger on one of the texts differs by too much: then nothing is kept.
    """
    layers = int(_config(order.base)["num_hidden_layers"])
    taggers = [ServedTagger.from_dict({"folder": one, "base": order.name}, layers) for one in order.taggers]
    with replacing_folder(order.out) as folder:
        _write(order, taggers, folder)
        before, after = _probabilities(order, taggers, folder, texts)
        differences = (before - after).abs()
        if not len(differences) or not differences.max() <= TOLERANCES[order.dtype]:
            raise ExternalError(
                f"the exported model's probabilities differ by up to {float(differences.max()):.3f} from the adapters' "
                f"({TOLERANCES[order.dtype]} is allowed); nothing is kept. Try --dtype float32"
            )
        describe(folder, ExportedWeights(order.dtype, sha256_of(folder / WEIGHTS)))
        for file in folder.iterdir():
            file.chmod(0o644)  # the writer of safetensors leaves 0600, and servers run as somebody else
    return Exported(order.out, len(differences), float(differences.max()), float(differences.mean()))


def _write(order: SpanExportOrder, taggers: Sequence[ServedTagger], folder: Path) -> None:
    from safetensors.torch import save_file  # noqa: PLC0415  heavy

    dtype = getattr(torch, order.dtype)
    # Heads and identities stay in float32: they are small, and an identity must stay exact. What an adapter leaves as
    # it is comes once for all taggers, and the file wants it for each.
    weights = {
        name: (value if ".layers." not in name and "embed" not in name else value.to(dtype)).clone()
        for name, value in served_weights(_base_weights(order.base), taggers)
    }
    save_file(weights, folder / WEIGHTS, {"format": "pt"})
    config = _config(order.base) | {
        "architectures": [ARCHITECTURE],
        "dtype": order.dtype,
        KEY: [tagger.as_dict() for tagger in taggers],
    }
    (folder / "config.json").write_text(json.dumps(config, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    with quiet():
        load_tokenizer(order.base).save_pretrained(folder)


def _base_weights(base: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """Every weight of a base model; a file is read when its turn comes."""
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415  heavy

    files = sorted(base.glob("*.safetensors"))
    if not files:
        raise UserError(f"{base}: holds no weights (*.safetensors)")
    for file in files:
        try:
            with safe_open(file, framework="pt") as opened:
                for name in opened.keys():  # noqa: SIM118  not a mapping
                    yield name, opened.get_tensor(name)
        except SafetensorError as error:
            raise UserError(f"{file}: cannot be read: {error}") from error


def _config(base: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((base / "config.json").read_text(encoding="utf-8"))
    return config


def _probabilities(
    order: SpanExportOrder, taggers: Sequence[ServedTagger], folder: Path, texts: Sequence[str]
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the taggers give the likelier stretches of the texts: on base and adapters, and as they were written."""
    from safetensors.torch import load_file  # noqa: PLC0415  heavy

    adapters = {str(number): path for number, path in enumerate(order.taggers)}
    here, written = LocalModel(order.base, adapters, dtype=torch.float32, device=_CPU), load_file(folder / WEIGHTS)
    before, after = [], []
    for number, (tagger, path) in enumerate(zip(taggers, order.taggers, strict=True)):
        settings, head, name = read_settings(path), load_head(path), f"taggers.{number}."
        own = {key.removeprefix(name): value for key, value in written.items() if key.startswith(name)}
        body = _body(folder, tagger, {**own, "embed_tokens.weight": written["embed_tokens.weight"]})
        merged_head = _head(head, own)
        for text in texts:
            encode = here.vocabulary.encode
            split = frozenset(settings.split_tokens)
            aligned = framed(align(text, encode, here.vocabulary.data, split=split), encode)
            count, first = len(aligned.tokens), tagger.two_way_from
            row = RowSegment(here.new_cache(count), 0, count, str(number), first, tagger.layers)
            known = _chances(head, here.hidden(aligned.tokens, [row]), aligned, settings)
            cache = RowCache(body.cache_shape, dtype=body.dtype, device=_CPU, capacity=count)
            row = RowSegment(cache, 0, count, None, first)
            found = _chances(merged_head, body.run(aligned.tokens, [row]), aligned, settings)
            before.append(known[known >= _LEAST])
            after.append(found[known >= _LEAST])
    return torch.cat(before), torch.cat(after)


def _chances(head: SpanHead, hidden_TW: torch.Tensor, aligned: Aligned, settings: SpanSettings) -> torch.Tensor:
    """The probability of each stretch and type."""
    chances_YCC = (span_scores(head, hidden_TW, aligned) / settings.temperature).sigmoid()
    return chances_YCC.triu()


def _body(folder: Path, tagger: ServedTagger, weights: Mapping[str, torch.Tensor]) -> TransformersBody:
    """One tagger's layers as they were written, in a model of transformers."""
    from transformers import AttentionInterface, AutoModelForCausalLM  # noqa: PLC0415  heavy

    AttentionInterface.register(ATTENTION, packed_attention)
    with quiet():
        config = shortened_config(folder, tagger.layers)
        model = AutoModelForCausalLM.from_config(config, attn_implementation=ATTENTION)
    dtype = weights["embed_tokens.weight"].dtype
    inside = {name: value for name, value in weights.items() if name.startswith(("layers.", "norm.", "embed_tokens."))}
    model.base_model.to(dtype).load_state_dict(inside)
    return TransformersBody(model.to(dtype), path=folder, dtype=dtype, device=_CPU)


def _head(head: SpanHead, weights: Mapping[str, torch.Tensor]) -> SpanHead:
    """The head with the part that was written."""
    merged = SpanHead(head.shape).eval()
    merged.load_state_dict(
        {name: weights.get(f"head.{name}", value) for name, value in head.state_dict().items()},
    )
    return merged
