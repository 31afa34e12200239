"""Looks at everything a user can get wrong; raises nothing, finds."""

from __future__ import annotations

import asyncio
import platform
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from medner.core.environment import REDIS_URL, variable
from medner.core.errors import MednerError
from medner.core.files.names import ADAPTER_WEIGHTS
from medner.core.findings import Finding, Level
from medner.service.build.engines import model_folder
from medner.service.build.pipeline import adapter_names
from medner.service.build.run_engines import (
    bases_here,
    check_memory,
    engine_orders,
    memory_in_words,
    needs_local,
    needs_model,
)
from medner.service.build.vllm_engine import server_findings
from medner.service.config.cards import check_base, check_card, filter_card
from medner.service.config.configuration import Configuration, by_name, is_path
from medner.service.config.filters.filter import check_labels
from medner.service.doctor.redis_check import redis_findings
from medner.store.models import ModelStore, base_model_folder
from medner.store.models.store import default_root

#: What a run needs beside the model: results, journals, logs.
_FREE_GB = 2.0
_CPU_FACTS = Path("/proc/cpuinfo")
_MEMORY_FACTS = Path("/proc/meminfo")
_PACKAGES = ("torch", "transformers", "langgraph", "langchain-core", "faiss-cpu")

ok, warning, error = Level.OK, Level.WARNING, Level.ERROR


def examine(configuration: Configuration, *, hashes: bool = True) -> list[Finding]:
    """Every finding about this machine and a configuration; ``hashes`` reads the whole base model."""
    parts: list[Callable[[], Iterator[Finding]]] = [
        python,
        lambda: packages(needs_local(configuration)),
        processor,
        lambda: number_formats(configuration),
        disk,
        lambda: base_model(configuration, hashes=hashes),
        lambda: memory(configuration),
        lambda: adapters(configuration),
        lambda: servers(configuration),
        lambda: redis_findings(variable(REDIS_URL)),
    ]
    return [finding for part in parts for finding in part()]


def python() -> Iterator[Finding]:
    """The interpreter."""
    yield Finding(ok, "Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def packages(local: bool) -> Iterator[Finding]:
    """The packages that models run on."""
    for name in _PACKAGES:
        try:
            yield Finding(ok, name, version(name))
        except PackageNotFoundError:
            needed = local or name not in ("torch", "transformers")
            remedy = "pip install 'medner[local]'" if needed else "only needed to run models in this process"
            yield Finding(error if needed else ok, name, "is not installed", remedy)


def processor(cpu: Path = _CPU_FACTS, memory: Path = _MEMORY_FACTS) -> Iterator[Finding]:
    """Cores, instructions that matter for speed, memory."""
    from medner.service.build.cpu_cores import physical_cores  # noqa: PLC0415  beside what it is for

    with suppress(OSError):
        flags = next((line for line in cpu.read_text(encoding="utf-8").splitlines() if line.startswith("flags")), "")
        known = ("amx_int8", "amx_bf16", "avx512_vnni", "avx512_bf16", "avx_vnni", "avx512f", "avx2")
        fast = [name for name in known if name in flags.split()]
        what = f"{physical_cores()} cores, {', '.join(fast) or 'no vector instructions that are known'}"
        yield Finding(ok, "processor", what)
    with suppress(OSError, ValueError, StopIteration):
        lines = memory.read_text(encoding="utf-8").splitlines()
        kib = int(next(line for line in lines if line.startswith("MemAvailable")).split()[1])
        few = kib < 3 * 1024**2
        remedy = "the default model takes about 2 GB; close other programs" if few else ""
        yield Finding(warning if few else ok, "memory", f"{kib / 1024**2:.1f} GiB free", remedy)


def number_formats(configuration: Configuration) -> Iterator[Finding]:
    """How fast this machine computes in each number format, and which one models get."""
    try:
        from medner.agents.engines.local.formats import measured_formats, pick_device  # noqa: PLC0415  heavy
        from medner.service.config.number_format import settled_dtype  # noqa: PLC0415  beside what it is for
    except ImportError:
        return
    if pick_device().type != "cpu":
        return
    measured = measured_formats()
    times = ", ".join(f"{name} {measured.microseconds[name]:g}" for name in measured.order)
    told = f"microseconds a token for a layer's largest product: {times}"
    with suppress(MednerError):
        told = f"{settled_dtype(configuration, model_folder(configuration))} ({told})"
    remedy = "" if "int8" in measured.order else "this processor has no exact integer kernels (VNNI, AMX): slower"
    yield Finding(ok, "number format", told, remedy)


def disk(root: Path | None = None) -> Iterator[Finding]:
    """Free space where models lie."""
    place = root or default_root()
    there = next((one for one in (place, *place.parents) if one.exists()), Path("/"))
    free = shutil.disk_usage(there).free / 1e9
    subject, what = f"disk of {there}", f"{free:.1f} GB free"
    if free < _FREE_GB:
        yield Finding(warning, subject, what, "free some space, or choose another place with MEDNER_HOME")
    else:
        yield Finding(ok, subject, what)


def base_model(configuration: Configuration, *, hashes: bool) -> Iterator[Finding]:
    """The base models on this machine, if anything here runs them."""
    here = bases_here(configuration)
    for base in dict.fromkeys((configuration.model, *here)):
        yield from _base(base, needed=base in here, hashes=hashes)


def _base(base: str, *, needed: bool, hashes: bool) -> Iterator[Finding]:
    subject = f"model {base}"
    try:
        folder = base_model_folder(base)
    except MednerError as problem:
        yield Finding(error if needed else ok, subject, str(problem), "" if needed else "not needed here")
        return
    if is_path(base) or not hashes:
        yield Finding(ok, subject, f"in {folder}" + ("" if is_path(base) else ", hashes not checked"))
        return
    damages = ModelStore().verify(base).problems
    for damage in damages:
        remedy = f"medner models remove {base}, then medner models pull {base}"
        yield Finding(error, subject, damage, remedy)
    if not damages:
        yield Finding(ok, subject, f"in {folder}, every file has its hash")


def memory(configuration: Configuration, free: float | None = None) -> Iterator[Finding]:
    """What several base models take of memory in one process; ``free`` None: what this machine has."""
    if len(bases_here(configuration)) < 2:
        return
    try:
        from medner.agents.engines.local.memory import free_for_models  # noqa: PLC0415  heavy

        model = model_folder(configuration) if needs_model(configuration) else None
        names = adapter_names(configuration)
        check_memory(
            configuration, engine_orders(configuration, model, names), free_for_models() if free is None else free
        )
        yield Finding(ok, "memory of models", memory_in_words(configuration, model, names))
    except ImportError:
        return  # the finding about packages says it
    except MednerError as problem:
        yield Finding(error, "memory of models", str(problem))


def adapters(configuration: Configuration) -> Iterator[Finding]:
    """The adapters of taggers, filter and judges: files, label set, base."""
    labels = configuration.label_set.name
    model = by_name(configuration.model)
    for tagger in configuration.taggers:
        subject = f"tagger {tagger.name}"
        if tagger.folder is None:
            yield Finding(ok, subject, "runs on the base model, not tuned" if tagger.is_untuned else tagger.manner())
            continue
        try:
            check_card(tagger.folder, labels=labels, model=by_name(tagger.own_base or configuration.model))
            yield _weights(subject, tagger.folder)
        except MednerError as problem:
            yield Finding(error, subject, str(problem))
    chosen = configuration.filter
    if chosen is not None and chosen.folder is not None:
        try:
            card = filter_card(chosen.folder)
            check_labels(chosen.folder, card.labels, configuration.label_set)
            chosen.check(model)
            yield Finding(ok, f"filter {card.name}", f"{card.kind} in {chosen.folder}")
        except MednerError as problem:
            yield Finding(error, f"filter {chosen.folder}", str(problem))
    for judge in configuration.judge.in_order:
        if judge.folder is None:
            continue
        subject = f"judge {judge.folder.name}"
        try:
            judge.check(labels)
            check_base(judge.folder, judge.base_of_card(), by_name(judge.own_base or configuration.model))
            yield _weights(subject, judge.folder)
        except MednerError as problem:
            yield Finding(error, subject, str(problem))


def _weights(subject: str, folder: Path) -> Finding:
    if (folder / ADAPTER_WEIGHTS).is_file():
        return Finding(ok, subject, f"adapter in {folder}")
    return Finding(error, subject, f"{folder} has no {ADAPTER_WEIGHTS}", "copy the whole folder, or train it again")


def servers(configuration: Configuration) -> Iterator[Finding]:
    """The vLLM servers, if the configuration has any."""
    if configuration.engine.is_local:
        return
    try:
        yield from asyncio.run(server_findings(configuration))
    except MednerError as problem:
        yield Finding(error, "servers", str(problem))
