"""LLM-CLS on a server: the scores of a run here, by masks and positions that need no server to be looked at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from medner.core.errors import UserError
from medner.core.labels import load_label_set
from medner.core.records import Entity, Sentence

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")
pytest.importorskip("peft")
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from medner.agents.engines.local.engine import LocalEngine
from medner.agents.engines.local.model import LocalModel
from medner.agents.filters import ClassifierFilter, load_head
from medner.agents.filters.candidates.asking import CandidateServer, ServedCandidateFilter
from medner.agents.filters.candidates.attention import Rows
from medner.agents.filters.candidates.identity import identity
from medner.agents.filters.candidates.weights import ServedFilter, served_weights
from tests.tiny_filter import save_tiny_filter
from tests.tiny_model import save_tiny_model

LABELS = load_label_set("cmeee-v2")
TEXT = "患者三天前出现咳嗽、咳黄痰，伴咳嗽。"
ENTITIES = [Entity(7, 9, "sym"), Entity(15, 17, "sym"), Entity(6, 9, "sym"), Entity(0, 13, "dis"), Entity(7, 9, "dis")]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("tiny") / "tiny", layers=3)


class Computing:
    """A server's model in this process: the weights that it would have, transformers' layers under medner's masks."""

    def __init__(self, base: Path, folder: Path, two_way_from: int | None) -> None:
        weights = dict(load_file(base / "model.safetensors"))
        found = dict(served_weights(weights.items(), ServedFilter(folder, "tiny", two_way_from)))
        self.header = torch.cat([found.pop("identity"), torch.ones(1)])
        self.head = found.pop("head.weight")[0], found.pop("head.bias")[0]
        self.model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager")
        self.model.model.load_state_dict(found)
        self.first = two_way_from
        self.passes = 0

    async def pool_tokens(self, model: str, tokens: list[int]) -> torch.Tensor:
        """What a server answers: two requests in a pass, of which the second is asked for."""
        assert model == "cmeee-v2.llm-cls"
        self.passes += 1
        other = [5, 6, 7]
        ids = torch.tensor([*other, *tokens])
        rows = Rows()
        positions = rows.take(ids, torch.tensor([*range(len(other)), *range(len(tokens))]))
        body = self.model.model
        with torch.inference_mode():
            hidden = body.embed_tokens(ids)[None]
            turned = body.rotary_emb(hidden, positions[None])
            for number, layer in enumerate(body.layers):
                two_way = self.first is not None and number >= self.first
                mask = torch.zeros(len(ids), len(ids), dtype=torch.bool)
                for start, end, masks in rows.masks:
                    mask[start:end, start:end] = masks[two_way]
                closed = torch.zeros(mask.shape).masked_fill(~mask, torch.finfo(torch.float32).min)
                hidden = layer(hidden, attention_mask=closed[None, None], position_embeddings=turned)
            weight, bias = self.head
            scores = body.norm(hidden)[0] @ weight + bias
        return torch.cat([self.header.expand(len(ids), -1), scores[:, None]], dim=1)[len(other) :]


def server(engine: Any, base: Path, folder: Path, two_way_from: int | None) -> CandidateServer:
    return CandidateServer(engine, "cmeee-v2.llm-cls", folder, base="tiny", base_folder=base, two_way_from=two_way_from)


@pytest.mark.parametrize("two_way_from", [None, 0, 2])
async def test_the_scores_are_those_of_a_run_here(base: Path, tmp_path: Path, two_way_from: int | None) -> None:
    """All of a sentence's candidates in one request, which see the sentence and nothing of one another."""
    folder = save_tiny_filter(base, tmp_path / "cls", two_way_from=two_way_from)
    engine = LocalEngine(LocalModel(base, {"cls": folder}, dtype=torch.float32))
    here = ClassifierFilter(
        engine, LABELS, load_head(folder), temperature=1.5, adapter="cls", two_way_from=two_way_from
    )
    expected = await here.score(Sentence("s", TEXT), ENTITIES)
    await engine.close()
    computing = Computing(base, folder, two_way_from)
    there = ServedCandidateFilter(server(computing, base, folder, two_way_from), LABELS, temperature=1.5)
    asked = [*ENTITIES, ENTITIES[0]]
    assert await there.score(Sentence("s", TEXT), asked) == pytest.approx([*expected, expected[0]], abs=1e-5)
    assert computing.passes == 1
    assert max(expected) - min(expected) > 0.01, "scores that are all alike would prove nothing"
    assert await there.score(Sentence("s", TEXT), []) == []


async def test_another_filter_under_the_name_is_refused(base: Path, tmp_path: Path) -> None:
    """Other weights, other two-way layers, another base model: each has another identity."""
    mine, other = (save_tiny_filter(base, tmp_path / name, seed=seed) for name, seed in (("a", 1), ("b", 2)))
    names = {identity(mine, "tiny", 1), identity(other, "tiny", 1), identity(mine, "tiny", 2), identity(mine, "x", 1)}
    assert len(names) == 4
    there = ServedCandidateFilter(server(Computing(base, other, 1), base, mine, 1), LABELS)
    with pytest.raises(UserError, match=r"the filter: the model cmeee-v2\.llm-cls on the vLLM servers runs another"):
        await there.score(Sentence("s", TEXT), ENTITIES)
    (mine / "classifier.safetensors").unlink()
    with pytest.raises(UserError, match=r"holds no classifier\.safetensors: it is not an LLM-CLS filter"):
        identity(mine, "tiny", 1)


def test_an_adapter_of_another_base_is_refused(base: Path, tmp_path: Path) -> None:
    """One with more layers than there are, and one of another width."""
    folder = save_tiny_filter(base, tmp_path / "cls")
    weights = dict(load_file(base / "model.safetensors"))
    short = {name: value for name, value in weights.items() if ".layers.2." not in name}
    with pytest.raises(UserError, match="weights for layers that this base model does not have"):
        list(served_weights(short.items(), ServedFilter(folder, "tiny", 1)))
    other = save_tiny_model(tmp_path / "other", hidden=96, layers=3)
    with pytest.raises(UserError, match="does not fit the base model"):
        list(served_weights(load_file(other / "model.safetensors").items(), ServedFilter(folder, "tiny", 1)))
