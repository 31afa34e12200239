"""Real vLLM servers: one configuration, two replicas, one of them for the test that kills it."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from medner.core.errors import UserError
from medner.service.config.configuration import Configuration
from medner.service.config.default import default_configuration, tuned_taggers
from medner.service.config.engine import ServerConfig, VllmEngineConfig
from medner.service.config.judges import HardVoteConfig
from medner.service.config.taggers import WritingTaggerConfig
from medner.service.vllm_servers.command import serve_commands
from medner.service.vllm_servers.plan import Plan
from medner.service.vllm_servers.running import Serving, serving
from medner.store.models import ModelStore
from tests.free_port import free_port

MODEL = "qwen2.5-coder-0.5b-instruct"
JUDGE_MODEL = "qwen2.5-coder-1.5b-instruct"
ROOT = Path(__file__).parents[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here needs the servers, and time: two cores run two models."""
    for item in items:
        if Path(item.path).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.vllm)
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def python() -> str:
    """vLLM's Python."""
    found = os.environ.get("MEDNER_VLLM_PYTHON") or str(ROOT / ".venv-vllm/bin/python")
    if not Path(found).is_file():
        pytest.skip(f"no vLLM at {found}: scripts/vllm_environment.sh makes its environment")
    return found


@pytest.fixture(scope="session")
def model() -> Path:
    """The base model's folder."""
    try:
        return ModelStore().path(MODEL)
    except UserError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def judge_model() -> Path:
    """The folder of the base model that the default's judge reads with."""
    try:
        return ModelStore().path(JUDGE_MODEL)
    except UserError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Configuration:
    """Two adapters that write: the shipped symbol tagger, and as a stranger to its task the LLM-CLS filter's."""
    shipped = default_configuration("cmeee-v2")
    symbol = next(tagger for tagger in tuned_taggers("cmeee-v2", shipped.model) if tagger.strategy == "symbol")
    assert symbol.folder is not None
    stranger = tmp_path_factory.mktemp("other")
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copy(symbol.folder.parent / "llm-cls" / name, stranger)
    other = WritingTaggerConfig(name="other", strategy="html", style="brief", adapter=stranger)
    alone = {"taggers": (symbol, other), "filter": None, "judge": HardVoteConfig(), "conflicts": None}
    return shipped.model_copy(update=alone)


@pytest.fixture(scope="session")
def servers(
    python: str, model: Path, configuration: Configuration, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Serving]]:
    """Two replicas in float32, for answers that can be compared, with the copy proposer."""
    commands = [
        serve_commands(
            configuration,
            model,
            Plan(port=free_port(), python=python, dtype="float32", threads=1, adapter_updates=True),
        )[0]
        for _ in range(2)
    ]
    with serving(commands, tmp_path_factory.mktemp("vllm"), patience_s=900) as running:
        yield running


@pytest.fixture(scope="session")
def served(configuration: Configuration, servers: list[Serving]) -> Configuration:
    """The configuration on both servers."""
    addresses = tuple(ServerConfig(url=server.command.url) for server in servers)
    return on(configuration, *addresses)


def on(configuration: Configuration, *servers: ServerConfig) -> Configuration:
    """A configuration on vLLM servers; patient, for two cores do all of it."""
    engine = VllmEngineConfig(servers=servers, timeout_s=600)
    return Configuration.model_validate({**configuration.model_dump(), "engine": engine.model_dump()})


def kill(server: Serving) -> None:
    """As a power cut would."""
    server.kill(signal.SIGKILL)
    server.process.wait(10)
