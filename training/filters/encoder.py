"""Trains BERT-CLS: an encoder with a classification layer on [CLS], pretrained or from random weights (§4.4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from medner.agents.engines.local.formats import pick_device
from medner.agents.engines.local.loading import quiet
from medner.agents.filters.encoder import encoder_logits, most_tokens
from medner.agents.prompts.filter import encoder_parts
from medner.core.errors import UserError
from medner.core.labels import LabelSet
from medner.training.filters.negatives import LabelledCandidate
from medner.training.loop.loop import Size
from medner.training.model.lora import load_tokenizer

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


@dataclass(frozen=True, slots=True)
class NewEncoder:
    """The size of a BERT that starts from random weights: small enough for a CPU."""

    layers: int = 4
    width: int = 256
    heads: int = 4
    positions: int = 514


@dataclass(frozen=True, slots=True)
class EncodedSample:
    """A candidate as token ids, those of its second part marked, and what is known of it."""

    ids: tuple[int, ...]
    kinds: tuple[int, ...]
    target: float

    def __len__(self) -> int:
        return len(self.ids)


class EncoderClassifier:
    """The model that learns, in full precision."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._device = pick_device()
        self.model, self.tokenizer = model.to(self._device).train(), tokenizer

    def parameters(self) -> list[torch.nn.Parameter]:
        """All weights."""
        return list(self.model.parameters())

    def faster(self) -> tuple[list[torch.nn.Parameter], float]:
        """None."""
        return [], 1.0

    def loss(self, batch: Sequence[EncodedSample]) -> torch.Tensor:
        """The summed cross-entropy of a batch."""
        ids_BT = torch.full((len(batch), max(map(len, batch))), self.tokenizer.pad_token_id)
        kinds_BT, mask_BT = torch.zeros_like(ids_BT), torch.zeros_like(ids_BT)
        for row, one in enumerate(batch):
            ids_BT[row, : len(one)] = torch.tensor(one.ids)
            kinds_BT[row, : len(one)] = torch.tensor(one.kinds)
            mask_BT[row, : len(one)] = 1
        inputs = {"input_ids": ids_BT, "attention_mask": mask_BT}
        if "token_type_ids" in self.tokenizer.model_input_names:
            inputs["token_type_ids"] = kinds_BT
        logits_B = self.model(**{name: value.to(self._device) for name, value in inputs.items()}).logits[:, 0]
        targets_B = torch.tensor([one.target for one in batch], device=self._device)
        return functional.binary_cross_entropy_with_logits(logits_B.float(), targets_B, reduction="sum")

    def size(self, batch: Sequence[EncodedSample]) -> Size:
        """How many candidates and tokens a batch holds."""
        return Size(len(batch), sum(map(len, batch)))

    def score(self, judged: Iterable[LabelledCandidate], labels: LabelSet) -> list[float]:
        """The scores (logits) of some candidates, as inference computes them."""
        self.model.eval()
        parts = [encoder_parts(one.sentence, one.entity, labels) for one in judged]
        scores = encoder_logits(self.model, self.tokenizer, parts)
        self.model.train()
        return scores

    def save(self, folder: Path) -> None:
        """Writes the encoder, its classification layer and its tokenizer, as transformers reads them."""
        with quiet():
            self.model.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)


def encoded_samples(
    learner: EncoderClassifier, judged: Iterable[LabelledCandidate], labels: LabelSet
) -> list[EncodedSample]:
    """The candidates as the encoder reads them."""
    samples = []
    for one in judged:
        name, marked = encoder_parts(one.sentence, one.entity, labels)
        read = learner.tokenizer(name, marked, truncation="only_second", max_length=most_tokens(learner.model))
        kinds = read.get("token_type_ids") or [0] * len(read["input_ids"])
        samples.append(EncodedSample(tuple(read["input_ids"]), tuple(kinds), float(one.right)))
    return samples


def pretrained_encoder(folder: Path, *, seed: int) -> EncoderClassifier:
    """An encoder of Hugging Face's with a fresh classification layer, in full precision whatever its file's is.

    UserError when the folder holds none, or a causal language model.
    """
    from safetensors import SafetensorError  # noqa: PLC0415  heavy
    from transformers import AutoConfig, AutoModelForSequenceClassification  # noqa: PLC0415  heavy

    torch.manual_seed(seed)
    try:
        with quiet():
            config = AutoConfig.from_pretrained(folder, local_files_only=True)
            tokenizer = _encoder_tokenizer(folder, config)
            model = AutoModelForSequenceClassification.from_pretrained(
                folder, num_labels=1, dtype=torch.float32, local_files_only=True, ignore_mismatched_sizes=True
            )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        first = str(error).strip().partition("\n")[0]
        raise UserError(f"{folder}: holds no encoder that can be loaded: {first}") from error
    return EncoderClassifier(model, tokenizer)


def _encoder_tokenizer(folder: Path, config: Any) -> Any:
    """The tokenizer of an encoder. UserError when it cannot pad, or the model is a causal language model."""
    causal = [name for name in config.architectures or () if name.endswith("ForCausalLM")]
    if causal:
        raise _no_encoder(folder, f"is a language model ({causal[0]})")
    tokenizer = load_tokenizer(folder)
    if tokenizer.pad_token_id is None:
        raise _no_encoder(folder, "has a tokenizer without a padding token")
    return tokenizer


def _no_encoder(folder: Path, reason: str) -> UserError:
    return UserError(f"{folder}: {reason}; bert-cls needs an encoder, the other kinds take a language model")


def new_encoder(
    judged: Iterable[LabelledCandidate], labels: LabelSet, *, seed: int, size: NewEncoder | None = None
) -> EncoderClassifier:
    """A small BERT from random weights that knows the characters of the candidates' sentences."""
    from transformers import BertConfig, BertForSequenceClassification  # noqa: PLC0415  heavy

    size = size or NewEncoder()
    parts = (encoder_parts(one.sentence, one.entity, labels) for one in judged)
    tokenizer = character_tokenizer({char for pair in parts for part in pair for char in part})
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=size.width,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        intermediate_size=4 * size.width,
        max_position_embeddings=size.positions,
        pad_token_id=tokenizer.pad_token_id,
        num_labels=1,
    )
    return EncoderClassifier(BertForSequenceClassification(config), tokenizer)


def character_tokenizer(characters: Iterable[str]) -> Any:
    """A tokenizer whose tokens are single characters; others are unknown. Pairs are read as BERT reads them."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors  # noqa: PLC0415  heavy
    from transformers import PreTrainedTokenizerFast  # noqa: PLC0415  heavy

    vocabulary = {token: number for number, token in enumerate((*_SPECIAL, *sorted(set(characters))))}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))  # noqa: S106  a token of text
    core.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        **{f"{name.strip('[]').lower()}_token": name for name in _SPECIAL},
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        split_special_tokens=True,
    )
