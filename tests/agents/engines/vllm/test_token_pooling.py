"""Numbers for each token, as they travel."""

from __future__ import annotations

import base64
import struct
from typing import Any

import pytest

from medner.core.errors import ExternalError

torch = pytest.importorskip("torch")
from medner.agents.engines.vllm.token_pooling import pooled, pooling_request


def answer(*numbers: float) -> dict[str, Any]:
    return {"data": [{"index": 0, "data": base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()}]}


def test_bytes_become_numbers() -> None:
    """Little-endian float32, a row a token."""
    assert pooled("m", answer(1.5, -2.0, 0.25, 4.0), 2).tolist() == [[1.5, -2.0], [0.25, 4.0]]
    assert pooling_request((1, 2))["input"] == [1, 2]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"data": []},
        {"data": [{"data": "???"}]},
        {"data": [{"data": [[1.0, 2.0]]}]},
        answer(1.0, 2.0, 3.0),
        {"data": [*answer(1.0)["data"], *answer(1.0)["data"]]},
    ],
)
def test_another_answer_is_refused(wrong: dict[str, Any]) -> None:
    """The model is named; nothing of the request is."""
    with pytest.raises(ExternalError, match="model m: the server's answer does not hold numbers for each token"):
        pooled("m", wrong, 2)
