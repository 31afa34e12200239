"""What can be known of a GPU's servers without one: vLLM's own parser, and its own memory."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from medner.service.config.configuration import Configuration
from medner.service.config.default import default_configuration
from medner.service.config.filters import ClassifierFilterConfig
from medner.service.vllm_servers.command import serve_commands
from medner.service.vllm_servers.memory import server_memory
from medner.service.vllm_servers.plan import Device, Plan, Speculation
from tests.tiny_model import byte_level_tokenizer, save_tiny
from tests.vllm.conftest import ROOT

yaml = pytest.importorskip("yaml")


def tiny_families(folder: Path) -> list[Path]:
    """Random models of three families: with and without adapted embeddings, tied and not, with heads of their own."""
    from transformers import LlamaConfig, Qwen2Config, Qwen3Config

    tokenizer = byte_level_tokenizer()
    shape = {"vocab_size": 512, "hidden_size": 128, "intermediate_size": 320, "num_hidden_layers": 3}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 1_024}
    configs = [
        Qwen2Config(**shape, **heads, tie_word_embeddings=True),
        Qwen3Config(**shape, **heads, head_dim=64, tie_word_embeddings=False),
        LlamaConfig(**shape, **heads, tie_word_embeddings=False),
    ]
    return [save_tiny(folder / config.model_type, config, tokenizer) for config in configs]


def ask(python: str, what: str, lines: list[list[str]], home: Path) -> list[dict[str, Any]]:
    """What vLLM says of command lines, in a process of its own."""
    quiet = {"VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1", "VLLM_PLUGINS": ""}
    small = {"VLLM_CPU_KVCACHE_SPACE": "1", "OMP_NUM_THREADS": "1", "TORCHDYNAMO_DISABLE": "1"}
    done = subprocess.run(  # noqa: S603  ours
        [python, Path(__file__).parent / "vllm_facts.py", what],
        input=json.dumps(lines),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        cwd=home,
        env={**os.environ, **quiet, **small},
    )
    assert done.returncode == 0, done.stderr[-4_000:]
    answer: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return answer


def arguments(configuration: Configuration, model: Path, plan: Plan) -> list[list[str]]:
    """The options of a configuration's servers, without `python -m module`."""
    return [list(one.arguments[3:]) for one in serve_commands(configuration, model, plan)]


def test_vllm_parses_every_command_line_for_gpus(
    python: str, model: Path, configuration: Configuration, tmp_path: Path
) -> None:
    """As they were meant: writers with each drafter, span taggers, an exported filter, the compose file's judge."""
    spans = default_configuration("cmeee-v2", preset="balanced")
    filtered = configuration.model_copy(update={"filter": ClassifierFilterConfig(exported=tmp_path)})
    writing = [
        line
        for speculation in Speculation
        for line in arguments(configuration, model, Plan(device=Device.GPU, speculation=speculation))
    ]
    scoring = arguments(spans, model, Plan(device=Device.GPU))
    both = arguments(filtered, model, Plan(device=Device.GPU, replicas=2, dtype="float32", gpu_memory=0.8))
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    words = [*compose["judge-gpu"]["entrypoint"][3:], *compose["judge-gpu"]["command"]]
    judge = [re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", word) for word in words]
    understood = ask(python, "parse", [*writing, *scoring, *both, judge], tmp_path)
    assert [one["max_loras"] for one in understood[:3]] == [2, 2, 2], "one slot an adapter"
    assert [one["enforce_eager"] for one in understood] == [False] * len(understood)
    drafters = [(one["speculative_config"] or {}).get("method") for one in understood[:3]]
    assert drafters == ["custom_class", "ngram", None]
    assert all("cmeee-v2.symbol" in str(one["lora_modules"]) for one in understood[:3])
    served = understood[3]
    assert served["hf_overrides"]["architectures"] == ["MednerSpanTaggers"]
    assert (served["runner"], served["enable_prefix_caching"]) == ("pooling", False)
    shares = [one["gpu_memory_utilization"] for one in understood[4:-1]]
    assert len(shares) == 4
    assert 0.75 < sum(shares) <= 0.8, "two servers, twice, on one GPU"
    assert understood[-1]["served_model_name"] == ["judge"]


def test_memory_is_what_vllm_allocates(python: str, tmp_path: Path) -> None:
    """Weights, adapter slots, cache a token: of each family, in both number formats."""
    lines = []
    for folder, dtype in zip(tiny_families(tmp_path), ("float32", "bfloat16", "float32"), strict=True):
        options = {"model": folder, "dtype": dtype, "max-model-len": 512, "max-loras": 3, "max-lora-rank": 16}
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        lines.append([*words, "--enable-lora", "--enforce-eager"])
    for line, told in zip(lines, ask(python, "memory", lines, tmp_path), strict=True):
        memory = server_memory(tuple(line))
        assert memory.token == told["token"], line
        assert memory.adapters == told["adapters"], line
        assert memory.weights == told["weights"], line
