"""A short name for everything that may change an answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from medner.core.errors import UserError
from medner.core.files.hashing import sha256_of
from medner.service.config.bases import base_name
from medner.service.config.configuration import Configuration, ExemplarsConfig
from medner.service.config.filters import FilterConfig
from medner.service.config.judges import JudgeConfig
from medner.service.config.number_format import settled_dtype
from medner.service.config.retired import refuse_retired
from medner.service.config.taggers import TAGGERS
from medner.store.models import MANIFEST, base_model_folder, read_manifest

#: What only changes how fast an answer comes.
_SPEED = {"concurrency", "max_rows"}


def fingerprint(configuration: Configuration, model: Path | None = None, *, own_bases: bool = False) -> str:
    """Sixteen hexadecimal digits that change with whatever may change an answer.

    These are the configuration, the label set's content, the adapters' and the model's files, and medner's version;
    the paths where they lie do not count. ``model`` is the base model's folder; None: only its name counts.
    The files of further base models count with it, or with ``own_bases``.
    """
    facts = fingerprint_facts(configuration, model, own_bases=own_bases)
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def fingerprint_facts(
    configuration: Configuration, model: Path | None = None, *, own_bases: bool = False
) -> dict[str, Any]:
    """What a fingerprint is the hash of, in the form that 0.1.0 gave it."""
    facts: dict[str, Any] = configuration.model_dump(mode="json", exclude=_SPEED)
    facts["taggers"] = [
        TAGGERS.in_full(tagger, fact) for tagger, fact in zip(configuration.taggers, facts["taggers"], strict=True)
    ]
    files = own_bases or model is not None
    # Where the servers are changes nothing; that another program runs the model may.
    facts["engine"] = configuration.engine.kind
    if configuration.served_spans or configuration.served_candidates is not None:
        # Without it they ran in this process, as 0.1.0 had it.
        facts["span_taggers"] = "vllm"
    if not configuration.join_lines:
        # As it was before there was a choice: what was annotated then is annotated so.
        del facts["join_lines"]
    if configuration.conflicts is None:
        # As it was before conflicts could be more than disagreements.
        del facts["conflicts"]
    facts["labels"] = asdict(configuration.label_set)
    if configuration.label_set.outer is None:
        # As it was before label sets could name them.
        del facts["labels"]["outer"]
    for fact, tagger in zip(facts["taggers"], configuration.taggers, strict=True):
        fact["adapter"] = dict(_files(tagger.folder)) if tagger.folder else None
        # Under the name that the key had in 0.1.0, so that runs begun then go on.
        fact["said"] = _hash_of_answers(tagger.answers) if tagger.answers else None
        fact.update(_own_base(tagger.own_base, configuration, files=files))
    if configuration.filter is not None:
        facts["filter"] = _filter_facts(configuration.filter)
    facts["judge"] = _judge_facts(configuration.judge, configuration, files=files)
    if configuration.exemplars is not None:
        facts["exemplars"] = _exemplar_facts(configuration.exemplars)
    if model is not None:
        facts["model"] = _model_facts(model)
        facts["dtype"] = settled_dtype(configuration, model)
    plugins = dict(plugins_of(configuration))
    if plugins:
        facts["plugins"] = plugins
    facts["medner"] = version("medner")
    return facts


def _hash_of_answers(file: Path) -> str:
    try:
        return sha256_of(file)
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}") from error


def plugins_of(configuration: Configuration) -> Iterator[tuple[str, str]]:
    """The plugins of a configuration, each with its package's version, and the hash of the file it is given.

    UserError for one that is not installed.
    """
    for tagger in configuration.taggers:
        yield from tagger.plugins()
    for judge in configuration.judge.in_order:
        yield from judge.plugins()
    if configuration.filter is not None:
        yield from configuration.filter.plugins()


def _filter_facts(chosen: FilterConfig) -> dict[str, Any]:
    """What of a filter may change an answer: how its scores are read, and its files."""
    if chosen.exported_folder is not None:
        return chosen.facts()
    return {**chosen.facts(), "adapter": dict(_files(chosen.folder)) if chosen.folder else None}


def _own_base(base: str | None, configuration: Configuration, *, files: bool) -> dict[str, Any]:
    """What a base model beside the run's adds: its name, and its files and number format where ``files`` count."""
    if base is None:
        return {}
    if not files:
        return {"base": base_name(base)}
    folder = base_model_folder(base)
    return {"base": _model_facts(folder), "base_dtype": settled_dtype(configuration, folder)}


def _judge_facts(judge: JudgeConfig, configuration: Configuration, *, files: bool) -> dict[str, Any]:
    """What of a judge may change an answer, its files and those that step in among it."""
    adapter = dict(_files(judge.folder)) if judge.folder else None
    fallback = [_judge_facts(one, configuration, files=files) for one in judge.fallback]
    own = _own_base(judge.own_base, configuration, files=files)
    return {**judge.facts(), "adapter": adapter, "fallback": fallback, **own}


def _exemplar_facts(chosen: ExemplarsConfig) -> dict[str, Any]:
    """What of the exemplars may change an answer: how many are shown, and the folder's and the embedder's files."""
    return {
        "shown": (chosen.each, chosen.nearest),
        "folder": dict(_files(chosen.folder, (".json", ".jsonl", ".faiss"))),
        "embedder": dict(_files(chosen.embedder)) if chosen.embedder else None,
    }


def _model_facts(folder: Path) -> dict[str, str]:
    if (folder / MANIFEST).is_file():
        return {name: record.sha256 for name, record in read_manifest(folder).files.items()}
    return dict(_files(folder))


def _files(
    folder: Path, kinds: Sequence[str] = (".json", ".safetensors", ".txt", ".model", ".jinja")
) -> Iterator[tuple[str, str]]:
    refuse_retired(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; a model or an adapter is a folder")
    for path in sorted(folder.iterdir()):
        if path.suffix in kinds:
            yield path.name, sha256_of(path)
