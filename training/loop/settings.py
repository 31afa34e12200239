"""The settings of a tagger's training run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from medner.core.errors import UserError

Quantise = Literal["nf4", "none"]
#: The format of the frozen layers' products: bf16, or eight-bit integers forward and backward (on a processor).
Products = Literal["bf16", "int8"]

#: What may change between two parts of one run: more time or more data of the same kind continue it.
GROWING = ("time_limit_s", "epochs", "checkpoint_every_s")


@dataclass(frozen=True, slots=True)
class TaggerTraining:
    """The settings of a run. Defaults are for a 0.5B base on a laptop CPU.

    ``layers`` is how many of the base's layers the model has, from the first on; None is all of them. ``targets`` are
    the names of the layers that LoRA adapts, None for all linear layers; layers below ``first_layer`` stay as they
    are. A batch holds at most ``batch_tokens`` padded tokens and, where given, ``batch_examples`` examples; an
    optimiser step takes ``batches_per_step`` batches. ``whole_vocabulary``: the loss runs over all tokens, not only
    over those that occur in answers. ``recompute`` computes each layer again in the backward pass instead of keeping
    what it needs: about a third more time, far less memory. ``dropout`` is the adapter's own. Partly annotated
    sentences, where a trainer knows such, are read in the first ``partial_epochs`` epochs.
    """

    rank: int = 16
    alpha: int = 32
    targets: tuple[str, ...] | None = None
    first_layer: int = 8  # lower layers stay as they are: a third less backward work
    quantise: Quantise = "none"
    products: Products = "bf16"
    layers: int | None = None
    learning_rate: float = 4e-4
    warm_up: float = 0.03
    weight_decay: float = 0.0
    batch_tokens: int = 1_024
    batch_examples: int | None = None
    batches_per_step: int = 2
    whole_vocabulary: bool = False
    recompute: bool = False
    dropout: float = 0.0
    epochs: float = 1.0
    partial_epochs: int = 1
    time_limit_s: float = 3_600.0
    checkpoint_every_s: float = 600.0
    seed: int = 7


#: Settings that may be given in a larger unit, and its seconds.
_UNITS_S = {"hours": ("time_limit_s", 3_600.0), "checkpoint_minutes": ("checkpoint_every_s", 60.0)}


def changed(settings: TaggerTraining, given: Mapping[str, Any]) -> TaggerTraining:
    """The settings with those that are given (and not None) in place of theirs.

    ``hours`` and ``checkpoint_minutes`` may stand for their seconds. UserError for a setting that there is not.
    """
    chosen = {key: value for key, value in given.items() if value is not None}
    for key, (field, seconds) in _UNITS_S.items():
        if key in chosen:
            chosen[field] = chosen.pop(key) * seconds
    known = [field.name for field in fields(TaggerTraining)]
    if unknown := sorted(chosen.keys() - set(known)):
        raise UserError(f"no setting {unknown[0]!r} of a training; there are {', '.join([*known, *_UNITS_S])}")
    return replace(settings, **chosen)
