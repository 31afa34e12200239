"""The engine of a configuration: the model in this process, on servers, or both."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from medner.agents.engines.engine import Engine
from medner.core.errors import UserError
from medner.service.build.cpu_cores import physical_cores
from medner.service.config.configuration import Configuration, DtypeName
from medner.store.models import ModelStore, base_model_folder


@dataclass(frozen=True, slots=True)
class EngineOrder:
    """What an engine is built from: the base model's folder, adapters by tagger name, rows in a forward pass, format.

    ``dtype`` is the number format by name, ``auto`` what the machine computes fastest. ``turn`` is what engines of
    several base models in one process hold while they compute, so that one computes at a time.
    ``at_once`` are the requests that come together at most, which an idle engine waits for; None: ``max_rows``.
    """

    model: Path | None
    adapters: Mapping[str, Path]
    max_rows: int
    dtype: DtypeName = "auto"
    turn: threading.Lock | None = None
    at_once: int | None = None


#: Builds an engine; called in a thread of its own, because loading a model takes its time.
EngineFactory = Callable[[EngineOrder], Engine]


def model_folder(configuration: Configuration, store: ModelStore | None = None) -> Path:
    """The base model's folder on this machine. UserError with the way to get it when it is not here."""
    return base_model_folder(configuration.model, store)


def local_engine(order: EngineOrder) -> Engine:
    """The engine that runs the model in this process."""
    if order.model is None:
        raise UserError("the local engine needs the folder of a base model")
    try:
        import torch  # noqa: PLC0415  heavy

        from medner.agents.engines.local.engine import LocalEngine  # noqa: PLC0415
    except ImportError as error:
        raise UserError(
            f"{error.name} is missing: the local engine needs pip install 'medner[local]'",
        ) from error
    # OMP_NUM_THREADS says what the user wants; torch has read it by now.
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(physical_cores())
    return LocalEngine.load(
        order.model,
        order.adapters,
        max_rows=order.max_rows,
        format=None if order.dtype == "auto" else order.dtype,
        turn=order.turn,
        at_once=order.at_once,
    )
