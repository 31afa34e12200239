"""docker-compose.yml: valid, closed to the outside, and its commands are commands of medner."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from medner.core.errors import UserError
from medner.service.cli.app import build
from medner.store.models import ModelStore

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
SECRETS = {"REDIS_PASSWORD": "r", "VLLM_API_KEY": "v"}


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    """The services with anchors and merges resolved."""
    loaded: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]
    return loaded


def test_the_file_follows_the_compose_specification() -> None:
    """The published schema, as check-jsonschema carries it."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)  # noqa: S603  ours
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_is_published_and_no_secret_is_written(services: dict[str, dict[str, Any]]) -> None:
    """No port leaves the machine; passwords come from the environment and have no default."""
    for name, service in services.items():
        assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert "network_mode" not in service
        for key, value in service.get("environment", {}).items():
            if key in ("REDIS_PASSWORD", "VLLM_API_KEY"):
                assert value.startswith(f"${{{key}:?"), name
    example = (ROOT / "deploy/example.env").read_text(encoding="utf-8")
    assert "\nREDIS_PASSWORD=\n" in example
    assert "\nVLLM_API_KEY=\n" in example


def test_every_server_has_a_health_check_and_limits(services: dict[str, dict[str, Any]]) -> None:
    """A restart policy, no new privileges; servers say when they are ready."""
    for name, service in services.items():
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"], name
        if name == "redis" or service["image"].startswith("medner-vllm"):
            assert service["healthcheck"]["test"][0] == "CMD", name
    assert {name for name, one in services.items() if one.get("profiles") == ["cpu"]} == {
        "taggers-cpu",
        "spans-cpu",
        "reader-cpu",
        "filter-cpu",
        "judge-cpu",
    }
    assert {name for name, one in services.items() if one.get("profiles") == ["gpu"]} == {
        "taggers-gpu",
        "spans-gpu",
        "reader-gpu",
        "filter-gpu",
        "judge-gpu",
    }


def _commands(services: dict[str, dict[str, Any]], first: str) -> Iterator[tuple[str, list[str]]]:
    """The commands of medner's images that begin with a word."""
    for name, service in services.items():
        command = service.get("command", [])
        if "entrypoint" not in service and command and command[0] == first:
            yield name, command


def _filled(word: str) -> str:
    """A word with the defaults of its variables."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", word)


def test_the_servers_of_one_gpu_share_it_and_start_in_turn(services: dict[str, dict[str, Any]]) -> None:
    """Together at most vLLM's .92; none measures free memory while the one before it takes some."""
    shares = {}
    for name, service in services.items():
        if name.endswith("-gpu"):
            words = [*service.get("entrypoint", []), *service["command"]]
            flag = "--gpu-memory-utilization" if name == "judge-gpu" else "--gpu-memory"
            shares[name] = float(_filled(words[words.index(flag) + 1]))
    assert set(shares) == {"taggers-gpu", "spans-gpu", "reader-gpu", "filter-gpu", "judge-gpu"}
    assert sum(shares.values()) == pytest.approx(0.92)
    after = {name: list(services[name].get("depends_on", {})) for name in shares}
    assert after == {
        "taggers-gpu": [],
        "spans-gpu": ["taggers-gpu"],
        "reader-gpu": ["spans-gpu"],
        "filter-gpu": ["spans-gpu"],
        "judge-gpu": ["spans-gpu"],
    }
    example = (ROOT / "deploy/example.env").read_text(encoding="utf-8")
    for name, share in shares.items():
        assert f"\n{name.removesuffix('-gpu').upper()}_GPU_MEMORY={share:g}\n" in example


def test_every_command_is_one_of_medners(services: dict[str, dict[str, Any]]) -> None:
    """Names and options of the commands in the file are parsed as the command line parses them."""
    root: Any = typer.main.get_command(build())
    parsed = set()
    for service in services.values():
        line = list(map(_filled, service.get("command", [])))
        if "entrypoint" in service or service["image"] == "redis:8" or line == ["--help"]:
            continue
        root.commands[line[0]].make_context(line[0], line[1:])
        parsed.add(line[0])
    assert parsed == {"serve-models", "worker"}


@pytest.mark.model
def test_the_servers_commands_are_understood(services: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    """As the containers run them, with the configuration they mount; a dry run prints vLLM's command line."""
    try:
        ModelStore().path("qwen2.5-coder-0.5b-instruct")
    except UserError as error:
        pytest.skip(str(error))
    mounted = tmp_path / "configuration.toml"
    shutil.copy(ROOT / "deploy/configuration.toml", mounted)
    apart = ("filter", "reader")  # of what is commented out there
    found = {name: line for name, line in _commands(services, "serve-models") if not name.startswith(apart)}
    assert set(found) == {"taggers-cpu", "taggers-gpu", "spans-cpu", "spans-gpu"}
    for name, command in found.items():
        line = [str(mounted) if word.startswith("/etc/medner") else _filled(word) for word in command]
        done = subprocess.run(  # noqa: S603  ours
            [sys.executable, "-m", "medner.service.cli", *line, "--dry-run", "--json"],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={**os.environ, **SECRETS},
        )
        assert done.returncode == 0, done.stderr
        (server,) = json.loads(done.stdout)
        assert server["url"] == "http://127.0.0.1:8101"
        assert ("--enforce-eager" in server["arguments"]) == name.endswith("cpu")
        served = "cmeee-v2.spans" if name.startswith("spans") else "cmeee-v2.symbol="
        assert any(word.startswith(served) for word in server["arguments"])
