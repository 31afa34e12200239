"""The command lines of the vLLM servers that a configuration needs."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medner.agents.engines.vllm.adapter_identity import adapter_identity, marked
from medner.core.errors import BadInputError, UserError
from medner.core.files.names import ADAPTER_CONFIG
from medner.service.build.server_names import served_base, served_names
from medner.service.build.vllm_engine import model_needs
from medner.service.config.configuration import Configuration
from medner.service.config.judges import BestTaggerConfig, JudgeConfig
from medner.service.vllm_servers.memory import gpu_shares
from medner.service.vllm_servers.options import common, context_size, options
from medner.service.vllm_servers.plan import Device, Plan, ServerPart, Speculation
from medner.service.vllm_servers.pooling import classifying, scoring
from medner.store.models import base_model_folder

#: The drafter class, by the name that vLLM imports it under.
COPY_PROPOSER = "medner.agents.engines.vllm.drafting.CopyProposer"
#: Ranks that vLLM allocates adapter slots for.
_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)


@dataclass(frozen=True, slots=True)
class ServeCommand:
    """One server: what to run, with which environment beside the caller's, and where it will answer."""

    name: str
    url: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    def shell(self) -> str:
        """The command as one would type it."""
        settings = [f"{name}={shlex.quote(value)}" for name, value in self.environment.items()]
        return " ".join([*settings, *map(shlex.quote, self.arguments)])


def serve_commands(configuration: Configuration, model: Path, plan: Plan) -> list[ServeCommand]:
    """The servers of a configuration, each ``plan.replicas`` times.

    One a base model holds it with every adapter that writes as a model name of its own, one runs the base's span
    taggers, another the exported filter. Where the configuration names no servers, all that can run on some is meant.
    ``model`` is the folder of the run's base model. UserError when nothing of the configuration runs on a server.
    """
    every = [
        *(server for base in _bases(configuration, model) for server in _writing(*base, plan)),
        *scoring(configuration, model, plan),
        *classifying(configuration, model, plan),
    ]
    parts = [one for one in every if plan.part in (ServerPart.ALL, one[0])]
    if every and not parts:
        there = ", ".join(dict.fromkeys(kind.value for kind, _ in every))
        raise UserError(f"this configuration has no server of the part {plan.part.value}; it has {there}")
    if not parts:
        raise UserError(
            "nothing of this configuration runs on a server: no tagger, filter or judge writes text, no filter is "
            "exported, and span taggers, a judge's too, are kept in the process that annotates (engine.span_taggers)"
        )
    commands = []
    started = [one for one in parts for _ in range(plan.replicas)]
    shares = gpu_shares([arguments for _, arguments in started], plan.gpu_memory) if plan.device is Device.GPU else []
    for number, (kind, arguments) in enumerate(started):
        port = plan.port + number
        line = [plan.python, "-m", "vllm.entrypoints.openai.api_server", *arguments]
        line += options("host", plan.host, "port", port)
        line += ["--enforce-eager"] if plan.device is Device.CPU else []
        line += options("gpu-memory-utilization", shares[number]) if shares else []
        commands.append(
            ServeCommand(f"{kind.value}-{port}", f"http://{plan.reached_at}:{port}", tuple(line), _environment(plan))
        )
    return commands


def _bases(configuration: Configuration, model: Path) -> Iterator[tuple[Configuration, Path]]:
    """What of a configuration each base model's server is for, and that model's folder; the run's base first."""
    for base in (None, *configuration.bases):
        taggers = tuple(one for one in configuration.taggers if one.own_base == base)
        alone: dict[str, Any] = {"taggers": taggers, "judge": _chatting(configuration.judge, base)}
        if base is None:
            yield configuration.model_copy(update=alone), model
        elif any(tagger.writes for tagger in taggers) or alone["judge"].chats:
            yield configuration.model_copy(update={**alone, "model": base, "filter": None}), base_model_folder(base)


def _chatting(judge: JudgeConfig, base: str | None) -> JudgeConfig:
    """A judge, or one that steps in, that asks a base model (None: the run's) on its server; else a rule."""
    asking = (one for one in judge.in_order if one.chats and one.asks_model and one.own_base == base)
    found = next(asking, None)
    return BestTaggerConfig() if found is None else found.model_copy(update={"fallback": ()})


def _writing(configuration: Configuration, model: Path, plan: Plan) -> Iterator[tuple[ServerPart, list[str]]]:
    contexts = [need.context for need in model_needs(configuration) if need.writes]
    if contexts:
        adapters = {name: folder for folder, name in served_names(configuration).items()}
        yield (
            ServerPart.MODELS,
            [
                *common(
                    model,
                    (served_base(configuration), *_marks(adapters)),
                    plan.context or context_size(max(contexts)),
                    plan,
                ),
                "--enable-prefix-caching",
                *_lora(adapters, plan.device),
                *_speculation(plan),
                # Else an option that is not among the likeliest tokens has no probability (VllmEngine.choose).
                *options("logprobs-mode", "processed_logprobs"),
            ],
        )


def _marks(adapters: Mapping[str, Path]) -> list[str]:
    """Further names of the base model, which say which adapters these are (adapter_identity.py)."""
    identities = {name: adapter_identity(folder) for name, folder in adapters.items()}
    return [marked(name, identity) for name, identity in identities.items() if identity is not None]


def adapter_rank(folder: Path) -> int:
    """The rank in an adapter's adapter_config.json. BadInputError when it says none."""
    path = folder / ADAPTER_CONFIG
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return max(int(data["r"]), *map(int, (data.get("rank_pattern") or {"": 0}).values()))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}; a LoRA adapter has one") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BadInputError("says no rank of the adapter", path=path, key="r") from error


def _lora(adapters: Mapping[str, Path], device: Device) -> list[str]:
    if not adapters:
        return []
    highest = max(map(adapter_rank, adapters.values()))
    rank = next((one for one in _RANKS if one >= highest), None)
    if rank is None:
        raise UserError(f"an adapter of rank {highest} is more than vLLM takes ({_RANKS[-1]})")
    # On a processor, requests to the base model get the last slot's adapter unless one slot stays empty (vLLM #48421).
    slots = len(adapters) + (device is Device.CPU)
    modules = [f"{name}={folder.resolve()}" for name, folder in adapters.items()]
    return ["--enable-lora", *options("max-loras", slots, "max-lora-rank", rank), "--lora-modules", *modules]


def _speculation(plan: Plan) -> list[str]:
    settings: dict[Speculation, dict[str, object]] = {
        Speculation.OFF: {},
        Speculation.COPY: {"method": "custom_class", "model": COPY_PROPOSER, "num_speculative_tokens": plan.drafts},
        # Chinese words are one or two tokens: the default of five finds little.
        Speculation.NGRAM: {
            "method": "ngram",
            "num_speculative_tokens": plan.drafts,
            "prompt_lookup_min": 1,
            "prompt_lookup_max": 3,
        },
    }
    chosen = settings[plan.speculation]
    return ["--speculative-config", json.dumps(chosen)] if chosen else []


def _environment(plan: Plan) -> dict[str, str]:
    everywhere = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    if plan.adapter_updates:
        everywhere["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] = "1"
    if plan.device is Device.GPU:
        return everywhere
    threads = str(max(1, plan.threads // plan.replicas))
    return {
        **everywhere,
        "VLLM_TARGET_DEVICE": "cpu",
        "VLLM_CPU_KVCACHE_SPACE": str(plan.cache_gib),
        "OMP_NUM_THREADS": threads,
        "TORCHDYNAMO_DISABLE": "1",
        # Else the model runs in a process of its own, and the one that waits for it spins on a core.
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    }
