"""What medner export makes of an LLM-CLS filter and of a span tagger, on real vLLM servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from medner.agents.filters import ClassifierFilter, ServedClassifierFilter
from medner.agents.prompts.shots import load_shots
from medner.core.findings import Level
from medner.core.labels import load_label_set
from medner.core.records import Entity, Sentence
from medner.service.build.engines import EngineOrder
from medner.service.build.pipeline import assembled
from medner.service.build.vllm_engine import server_findings
from medner.service.config.configuration import Configuration
from medner.service.config.default import default_configuration
from medner.service.config.engine import ServerConfig
from medner.service.config.options import Overrides, configured
from medner.service.train.export import export_adapter
from medner.service.train.export_spans import export_span_taggers
from medner.service.vllm_servers.command import serve_commands
from medner.service.vllm_servers.plan import Plan
from medner.service.vllm_servers.running import serving
from tests.free_port import free_port
from tests.vllm.conftest import on

torch = pytest.importorskip("torch")
pytest.importorskip("peft")
from medner.agents.engines.local.engine import LocalEngine
from medner.agents.engines.local.model import LocalModel
from medner.agents.filters import load_head

LABELS = load_label_set("cmeee-v2")
SENTENCES = ("咽部充血，伴发热三天。", "右下肺可闻及湿性啰音，WBC 12.3×10^9/L。", "1型糖尿病患者。")
CARD = (
    'name = "cls"\nkind = "llm-cls"\nbase = "qwen2.5-coder-0.5b-instruct"\nlabels = "cmeee-v2"\n'
    "threshold = 0.4\ntemperature = 1.5\n"
)


@pytest.fixture
def trained(configuration: Configuration, tmp_path: Path) -> Path:
    """A filter that reads one way: the symbol tagger's adapter under a random classification layer."""
    from safetensors.torch import save_file

    folder, symbol = tmp_path / "cls", configuration.taggers[0].folder
    assert symbol is not None
    folder.mkdir()
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (folder / name).write_bytes((symbol / name).read_bytes())
    torch.manual_seed(0)
    save_file({"weight": torch.randn(1, 896) / 200, "bias": torch.tensor([0.3])}, folder / "classifier.safetensors")
    (folder / "card.toml").write_text(CARD, encoding="utf-8")
    return folder


async def test_an_exported_filter_scores_on_a_server_as_here(
    trained: Path, python: str, model: Path, tmp_path: Path
) -> None:
    """float32 on both sides, beside a span tagger in this process: the same probabilities of right and wrong ones."""
    done = export_adapter(trained, tmp_path / "exported", dtype="float32", most=4)
    port = free_port()
    shipped = default_configuration("cmeee-v2").model_dump()
    configuration = Configuration.model_validate(
        {
            **shipped,
            "taggers": [one for one in shipped["taggers"] if one["strategy"] == "span"],
            "filter": {"kind": "llm-cls", "exported": done.folder},
            "judge": {"kind": "best-tagger"},
            "conflicts": None,
            "engine": {
                "kind": "vllm",
                "servers": [{"url": f"http://127.0.0.1:{port}"}],
                "span_taggers": "local",
            },
        }
    )
    (command,) = serve_commands(configuration, model, Plan(port=port, python=python, dtype="float32", threads=1))
    made: list[LocalEngine] = []

    def here(order: EngineOrder) -> LocalEngine:
        adapters = {**order.adapters, "cls": trained}
        made.append(LocalEngine(LocalModel(model, adapters, dtype=torch.float32), max_rows=8))
        return made[0]

    asked = [
        (Sentence("s", shot.text), [*shot.entities, *(Entity(one.start, one.end, "equ") for one in shot.entities)])
        for shot in load_shots(LABELS)
        if shot.entities
    ]
    with serving([command], tmp_path / "logs", patience_s=300):
        async with assembled(configuration, model=model, engine_factory=here) as pipeline:
            there = pipeline.deps.filter
            assert isinstance(there, ServedClassifierFilter)
            local = ClassifierFilter(made[0], LABELS, load_head(trained), temperature=1.5, adapter="cls")
            known: list[float] = []
            for sentence, candidates in asked:
                expected = await local.score(sentence, candidates)
                assert await there.score(sentence, candidates) == pytest.approx(expected, abs=2e-3)
                known += expected
            assert max(known) - min(known) > 0.05, "scores that are all alike would prove nothing"


async def test_exported_span_taggers_score_as_here(python: str, model: Path, tmp_path: Path) -> None:
    """Merged beforehand, in float32: the server is told nothing but the folder, and doctor knows the tagger."""
    from tests.vllm.test_spans import none_here, table

    local = configured(Overrides(preset="fast", dtype="f32"))
    folder = local.taggers[0].folder
    assert folder is not None
    done = export_span_taggers([folder], tmp_path / "spans", dtype="float32", most=4)
    plan = Plan(port=free_port(), python=python, dtype="float32", spans=(done.folder,))
    with serving(serve_commands(local, model, plan), tmp_path / "logs", patience_s=300) as (server,):
        served = on(local, ServerConfig(url=server.command.url))
        findings = await server_findings(served)
        assert [finding.line() for finding in findings if finding.level is not Level.OK] == []
        sentences = [Sentence(str(number), text) for number, text in enumerate(SENTENCES)]
        async with assembled(served, engine_factory=none_here) as there, assembled(local, model=model) as here:
            for sentence in sentences:
                one, other = [await table(pipeline.deps.taggers[0], sentence) for pipeline in (there, here)]
                assert float((one - other).abs().max()) < 1e-3
