"""A base model with an adapter merged into it, as one model for a server, checked against what it was made of.

A tagger or an LLM-CAUSAL filter becomes a model that writes. An LLM-CLS filter becomes transformers' model for
sequence classification with one score: the classification layer without its bias, which transformers' has no place
for. The order's ``describe`` keeps the bias, and the filter on a server adds it (``agents/filters/served.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from medner.agents.engines.local.formats import pick_device
from medner.agents.engines.local.loading import quiet
from medner.agents.filters.classifier import ClassifierHead
from medner.core.errors import ExternalError, UserError
from medner.core.files.atomic import replacing_folder
from medner.core.files.hashing import sha256_of
from medner.training.model.lora import quiet_peft

#: How far a checked score may be from the one before: probabilities, by the precision of the exported weights.
TOLERANCE = {"float32": 0.001, "bfloat16": 0.05, "float16": 0.01}
WEIGHTS = "model.safetensors"


@dataclass(frozen=True, slots=True)
class Sample:
    """A text the two models must agree about: the parts a tuned model reads one after the other, as text.

    Of a model that writes, the probabilities of the tokens of the last part are compared; of a classifier, the score
    at the last token.
    """

    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, and how well it agrees: over ``checked`` probabilities the largest and the mean difference."""

    folder: Path
    checked: int
    largest: float
    mean: float

    def line(self) -> str:
        """The agreement in words."""
        return f"{self.checked} probabilities compared: largest difference {self.largest:.4f}, mean {self.mean:.5f}"


@dataclass(frozen=True, slots=True)
class ExportedWeights:
    """The weights that were written: number format, hash, and a classifier's bias, which is not among them."""

    dtype: str
    sha256: str
    bias: float | None = None


@dataclass(frozen=True, slots=True)
class ExportOrder:
    """From what to where: the base's folder, the adapter's, the target, the weights' number format.

    ``describe`` writes beside the weights what the model is.
    """

    base: Path
    adapter: Path
    out: Path
    dtype: str
    describe: Callable[[Path, ExportedWeights], None]


def export_writer(order: ExportOrder, samples: Sequence[Sample]) -> Exported:
    """Writes the merged causal model. ExternalError when its probabilities differ from the adapter's by too much."""
    merged, tokenizer = _merged(order)
    before = _written(merged, tokenizer, samples)

    def after(folder: Path) -> list[float]:
        return _written(_loaded(folder, "AutoModelForCausalLM"), tokenizer, samples)

    return _export(order, merged, tokenizer, before, after)


def export_classifier(order: ExportOrder, head: ClassifierHead, samples: Sequence[Sample]) -> Exported:
    """Writes the model for sequence classification. ExternalError when its scores differ by too much."""
    merged, tokenizer = _merged(order)
    before = _classified(merged, tokenizer, head, samples)
    classifier = _classifier(merged, head)

    def after(folder: Path) -> list[float]:
        served = _loaded(folder, "AutoModelForSequenceClassification")
        # As a server reads it: one text, and no bias.
        logits = [_score(served, tokenizer("".join(one.parts))["input_ids"]) + head.bias for one in samples]
        return torch.tensor(logits).sigmoid().tolist()

    return _export(order, classifier, tokenizer, before, after, bias=head.bias)


def _export(
    order: ExportOrder,
    model: Any,
    tokenizer: Any,
    before: list[float],
    after: Callable[[Path], list[float]],
    *,
    bias: float | None = None,
) -> Exported:
    """Writes a model beside its place, compares, and moves it there: whole, or not at all."""
    with replacing_folder(order.out) as folder:
        with quiet():
            model.to(getattr(torch, order.dtype)).save_pretrained(folder, max_shard_size="100GB")
            tokenizer.save_pretrained(folder)
        differences = [abs(one - other) for one, other in zip(before, after(folder), strict=True)]
        if not max(differences) <= TOLERANCE[order.dtype]:
            raise ExternalError(
                f"the exported model's probabilities differ by up to {max(differences):.3f} from the adapter's "
                f"({TOLERANCE[order.dtype]} is allowed); nothing is kept. Try --dtype float32"
            )
        order.describe(folder, ExportedWeights(order.dtype, sha256_of(folder / WEIGHTS), bias))
        for file in folder.iterdir():
            file.chmod(0o644)  # the writer of safetensors leaves 0600, and servers run as somebody else
    return Exported(order.out, len(differences), max(differences), sum(differences) / len(differences))


def _merged(order: ExportOrder) -> tuple[Any, Any]:
    """The base in float32 with the adapter added to its weights, and the tokenizer."""
    from peft import PeftModel  # noqa: PLC0415  heavy
    from safetensors import SafetensorError  # noqa: PLC0415
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415

    try:
        with quiet(), quiet_peft():
            tokenizer = AutoTokenizer.from_pretrained(order.base, local_files_only=True)
            base = AutoModelForCausalLM.from_pretrained(
                order.base, dtype=torch.float32, local_files_only=True, use_safetensors=True
            )
            model = PeftModel.from_pretrained(base, str(order.adapter), local_files_only=True)
            merged = model.merge_and_unload().to(pick_device()).eval()
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        first = str(error).strip().partition("\n")[0]
        raise UserError(f"{order.adapter} on {order.base.name}: cannot be loaded: {first}") from error
    return merged, tokenizer


def _classifier(merged: Any, head: ClassifierHead) -> Any:
    from transformers import AutoModelForSequenceClassification  # noqa: PLC0415  heavy

    config = merged.config
    config.num_labels = 1
    if config.pad_token_id is None:
        ends = config.eos_token_id
        config.pad_token_id = ends[0] if isinstance(ends, list) else ends
    try:
        classifier = AutoModelForSequenceClassification.from_config(config)
    except ValueError as error:
        raise UserError(f"transformers has no sequence classification for {type(merged).__name__}") from error
    classifier.get_decoder().load_state_dict(merged.get_decoder().state_dict())
    classifier.score.weight.data.copy_(head.weight_W.unsqueeze(0))
    return classifier


def _loaded(folder: Path, kind: str) -> Any:
    import transformers  # noqa: PLC0415  heavy

    with quiet():
        model = getattr(transformers, kind).from_pretrained(folder, local_files_only=True, dtype="auto")
    return model.to(pick_device()).eval()


@torch.inference_mode()
def _written(model: Any, tokenizer: Any, samples: Sequence[Sample]) -> list[float]:
    """The probability of each token of the samples' last parts after what stands before it."""
    found: list[float] = []
    for sample in samples:
        parts = [tokenizer(part, add_special_tokens=False)["input_ids"] for part in sample.parts]
        ids = torch.tensor([list(chain.from_iterable(parts))], device=model.device)
        begin = ids.shape[1] - len(parts[-1])
        chances_TV = model(input_ids=ids).logits[0, begin - 1 : -1].float().softmax(-1)
        found += chances_TV.gather(1, ids[0, begin:, None]).squeeze(1).tolist()
    return found


@torch.inference_mode()
def _classified(model: Any, tokenizer: Any, head: ClassifierHead, samples: Sequence[Sample]) -> list[float]:
    """The filter's probabilities, uncalibrated, computed as the local engine does: part by part."""
    found: list[float] = []
    for sample in samples:
        ids = list(chain.from_iterable(tokenizer(part, add_special_tokens=False)["input_ids"] for part in sample.parts))
        hidden_TW = model.get_decoder()(input_ids=torch.tensor([ids], device=model.device)).last_hidden_state[0]
        found.append(torch.tensor(head.logit(hidden_TW[-1].cpu())).sigmoid().item())
    return found


@torch.inference_mode()
def _score(model: Any, ids: Sequence[int]) -> float:
    return float(model(input_ids=torch.tensor([ids], device=model.device)).logits[0, 0].float())
