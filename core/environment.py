"""The environment variables that medner reads; docs/operations.md says what each is for.

Those of other programs (``OMP_NUM_THREADS``, pip's, a key that a configuration names) are read where they are used.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

HOME = "MEDNER_HOME"
CACHE = "MEDNER_CACHE"
API_KEYS = "MEDNER_API_KEYS"
MODEL_SOURCE = "MEDNER_MODEL_SOURCE"
REDIS_URL = "MEDNER_REDIS_URL"
TRACES = "MEDNER_TRACES"
VLLM_PYTHON = "MEDNER_VLLM_PYTHON"


def variable(name: str, environment: Mapping[str, str] | None = None) -> str | None:
    """A variable's value without white space around it; None where it is not set, or blank."""
    return (os.environ if environment is None else environment).get(name, "").strip() or None


def is_set(name: str) -> bool:
    """Whether a variable is set, if only to nothing."""
    return name in os.environ
