"""The same span taggers as transformers and PEFT run them: no packed passes, no merged adapters, no shared layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from engine_sides.side import Counts, RefusedError
from medner.agents.engines.local.formats import DTYPES, Format
from medner.agents.engines.local.loading import quiet
from medner.agents.engines.local.vocabulary import Vocabulary
from medner.agents.taggers.spans.alignment import Aligned, align
from medner.agents.taggers.spans.head import SpanHead, load_head
from medner.agents.taggers.spans.settings import SpanSettings, read_settings
from medner.agents.taggers.spans.tagger import framed, least_score, span_scores, spans_over
from medner.core.labels import load_label_set
from medner.service.build.engines import model_folder
from medner.service.config.options import Overrides, configured


@dataclass(frozen=True, slots=True)
class SpanParts:
    """What a span tagger's folder holds beside its adapter."""

    name: str
    head: SpanHead
    settings: SpanSettings


class PlainTransformersSide:
    """``AutoModelForCausalLM`` with PEFT's adapters and the same span heads; batches are padded.

    Every tagger runs every sentence. Filter and judge, which cost next to nothing, are left out.
    """

    def __init__(self, options: Mapping[str, Any], number_format: Format, texts: Sequence[str]) -> None:
        configuration = configured(Overrides(**options))
        writing = [tagger.name for tagger in configuration.taggers if tagger.strategy != "span"]
        if writing:
            raise RefusedError(f"{', '.join(writing)} writes its answer: benchmarks/decoding.py measures such taggers")
        folders = {tagger.name: tagger.folder for tagger in configuration.taggers if tagger.folder is not None}
        self._labels = load_label_set(configuration.labels)
        self._texts = sorted(texts, key=len)
        self._model, tokenizer = _loaded(model_folder(configuration), folders, number_format)
        self._vocabulary = Vocabulary(tokenizer, frozenset({tokenizer.eos_token_id}))
        self._taggers = [SpanParts(name, load_head(path), read_settings(path)) for name, path in folders.items()]
        self.facts = {"format": number_format, "taggers": list(folders)}

    def run(self, at_a_time: int) -> Counts:
        """Tags all sentences with each tagger, so many at a time, the short ones first."""
        passes = entities = 0
        for tagger in self._taggers:
            self._model.set_adapter(tagger.name)
            for first in range(0, len(self._texts), at_a_time):
                entities += sum(self._entities(tagger, self._texts[first : first + at_a_time]))
                passes += 1
        return Counts(passes, entities)

    def _entities(self, tagger: SpanParts, texts: Sequence[str]) -> Iterator[int]:
        """How many entities each sentence of a batch has."""
        encode = self._vocabulary.encode
        split = frozenset(tagger.settings.split_tokens)
        rows = [framed(align(text, encode, self._vocabulary.data, split=split), encode) for text in texts]
        states_BTW = _states(self._model.get_base_model().base_model, rows, tagger.settings)
        least = least_score(tagger.settings.threshold, tagger.settings.temperature)
        for row, states_TW in zip(rows, states_BTW, strict=True):
            scores = span_scores(tagger.head, states_TW[: len(row.tokens)], row)
            yield len(spans_over(scores, self._labels, score=least))


def _loaded(base: Path, folders: Mapping[str, Path], number_format: Format) -> tuple[Any, Any]:
    """The model with all adapters, and its tokenizer."""
    try:
        from peft import PeftModel
    except ImportError as error:
        raise RefusedError(f"{error.name} is missing: pip install 'medner[train]'") from error
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with quiet():
        model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=DTYPES[number_format], local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(base, local_files_only=True)
    (first, path), *others = folders.items()
    model = PeftModel.from_pretrained(model, path, adapter_name=first, autocast_adapter_dtype=False)
    for name, other in others:
        model.load_adapter(other, adapter_name=name, autocast_adapter_dtype=False)
    return model.eval(), tokenizer


@torch.inference_mode()
def _states(body: Any, rows: Sequence[Aligned], settings: SpanSettings) -> torch.Tensor:
    """The last hidden states [rows, tokens, width] of a padded batch; layers look both ways from one of them on."""
    longest = max(len(row.tokens) for row in rows)
    ids_BT = torch.tensor([[*row.tokens, *[0] * (longest - len(row.tokens))] for row in rows])
    positions_BT = torch.arange(longest).expand_as(ids_BT)
    real_BT = positions_BT < torch.tensor([[len(row.tokens)] for row in rows])
    both_ways = real_BT[:, None, None, :].expand(-1, 1, longest, -1)
    one_way = both_ways & torch.ones(longest, longest, dtype=torch.bool).tril()
    states = body.embed_tokens(ids_BT)
    turns = body.rotary_emb(states, positions_BT)
    for number, layer in enumerate(body.layers[: settings.layers]):
        mask = both_ways if number >= settings.two_way_from else one_way
        out = layer(states, attention_mask=mask, position_ids=positions_BT, position_embeddings=turns)
        states = out[0] if isinstance(out, tuple) else out
    normed: torch.Tensor = body.norm(states)
    return normed
