"""The settings of a tagger's training run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
