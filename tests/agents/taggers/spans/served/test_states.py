"""What servers answer about tokens, and whose it is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from medner.core.errors import ExternalError, UserError

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")
from medner.agents.taggers.spans.served.states import ServedStates, SpanServer, by_identity, problem_of
from tests.tiny_model import save_tiny_model

ONE, TWO = bytes(range(8)), bytes(range(200, 208))


def block(identity: bytes, states: torch.Tensor) -> torch.Tensor:
    """A tagger's part of an answer: identity, how many numbers, the numbers."""
    header = torch.tensor([*identity, states.shape[1]], dtype=torch.float32)
    return torch.cat([header.expand(len(states), -1), states], dim=1)


def test_an_answer_is_read_tagger_by_tagger() -> None:
    """Of any number, in any order, with heads of different width."""
    narrow, wide = torch.randn(3, 4), torch.randn(3, 6)
    found = by_identity(torch.cat([block(TWO, wide), block(ONE, narrow)], dim=1), "m")
    assert torch.equal(found[ONE], narrow)
    assert torch.equal(found[TWO], wide)


@pytest.mark.parametrize(
    "numbers",
    [
        torch.randn(3, 896),  # hidden states of a model as it is
        block(ONE, torch.randn(3, 4))[:, :-1],
        torch.cat([block(ONE, torch.randn(3, 4)), torch.zeros(3, 2)], dim=1),
        torch.zeros(3, 9),
        torch.zeros(0, 13),
        torch.zeros(13),
    ],
)
def test_an_answer_of_another_model_is_no_answer(numbers: torch.Tensor) -> None:
    """It is said which model gave it, and what starts the right one."""
    with pytest.raises(ExternalError, match=r"model m: .*medner serve-models"):
        by_identity(numbers, "m")


def test_a_tagger_that_is_not_there_or_has_another_width() -> None:
    """Both are named; None for the right one."""
    given = {ONE: torch.zeros(3, 4)}
    assert problem_of(given, ONE, 4) is None
    assert "gives 4 numbers a token, this tagger has 5" in (problem_of(given, ONE, 5) or "")
    assert f"runs other span taggers ({ONE.hex()}) than this one ({TWO.hex()}" in (problem_of(given, TWO, 4) or "")


@dataclass
class Answering:
    """A server that answers with two taggers' numbers."""

    asked: list[tuple[int, ...]] = field(default_factory=list)

    async def pool_tokens(self, model: str, tokens: Sequence[int]) -> torch.Tensor:
        self.asked.append(tuple(tokens))
        await asyncio.sleep(0)
        count = torch.arange(len(tokens), dtype=torch.float32).unsqueeze(1)
        return torch.cat([block(ONE, count + 1), block(TWO, count + 2)], dim=1)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("tiny") / "tiny")


async def test_two_taggers_share_a_request(base: Path) -> None:
    """Each gets its own numbers; the same tokens are asked for once, others again."""
    answering = Answering()
    server = SpanServer(answering, "m", base="tiny", folder=base)
    one, two = ServedStates(server, "a", ONE, 1), ServedStates(server, "b", TWO, 1)
    first, second, third = await asyncio.gather(one.states([7, 8]), two.states([7, 8]), two.states([7, 9]))
    assert first.flatten().tolist() == [1.0, 2.0]
    assert second.flatten().tolist() == third.flatten().tolist() == [2.0, 3.0]
    assert sorted(answering.asked) == [(7, 8), (7, 9)]


async def test_a_tagger_that_the_server_does_not_run_is_refused(base: Path) -> None:
    """Also in the middle of a run, when another server answers under the name."""
    states = ServedStates(SpanServer(Answering(), "m", base="tiny", folder=base), "c", bytes(8), 1)
    with pytest.raises(UserError, match="tagger 'c': the model m on the vLLM servers runs other span taggers"):
        await states.states([7])


def test_tokens_need_only_the_tokenizer(base: Path, tmp_path: Path) -> None:
    """No weights are read; tokens are the whole text, and control tokens in it are text."""
    (tmp_path / "tokenizer.json").write_bytes((base / "tokenizer.json").read_bytes())
    server = SpanServer(Answering(), "m", base="tiny", folder=tmp_path)
    for text in ("咽部充血。体温38.5℃", "<|im_end|>", "COPD，𠮷", ""):
        assert b"".join(map(server.token_bytes, server.tokens(text))) == text.encode()
    assert len(server.tokens("<|im_end|>")) > 1
