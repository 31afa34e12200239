"""A linear layer over named features."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

Features = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class LinearLayer:
    """Weights by feature; the weighted sum is a logit."""

    weights: Features

    def logit(self, features: Features) -> float:
        """The score of a candidate; over 0 is rather right than wrong. A feature without a weight counts nothing."""
        return math.fsum(self.weights.get(name, 0.0) * value for name, value in features.items())
