"""Numbers for each token from a vLLM server: the request, and its answer as a tensor."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from medner.core.errors import ExternalError

if TYPE_CHECKING:
    import torch


def pooling_request(tokens: Sequence[int]) -> dict[str, Any]:
    """The body of a request to ``/pooling``; numbers travel as bytes, half as long as their digits."""
    return {
        "task": "token_embed",
        "input": list(tokens),
        "encoding_format": "base64",
        "embed_dtype": "float32",
        "endianness": "little",
    }


def pooled(model: str, answer: Mapping[str, Any], tokens: int) -> torch.Tensor:
    """The numbers [tokens, numbers] of an answer. ExternalError where it does not hold as many."""
    import numpy as np  # noqa: PLC0415  heavy
    import torch  # noqa: PLC0415

    try:
        (only,) = answer["data"]
        numbers = np.frombuffer(base64.b64decode(only["data"], validate=True), dtype="<f4").astype("f4")
        return torch.from_numpy(numbers.reshape(tokens, -1))
    except (KeyError, IndexError, TypeError, ValueError, binascii.Error) as error:
        raise ExternalError(f"model {model}: the server's answer does not hold numbers for each token") from error
