"""Lists of runs and traces, as a table or as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from medner.evaluation.reports.tables import table
from medner.service.traces.naming import KnownTraces
from medner.store.traces import RunRecord


@dataclass(frozen=True, slots=True)
class Rows:
    """A table: headings, cells, and the same as data."""

    headings: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    data: tuple[dict[str, Any], ...]

    def give_out(self, *, as_json: bool) -> None:
        """Prints it."""
        if as_json:
            print(json.dumps(list(self.data), ensure_ascii=False, indent=1))  # noqa: T201  the command's result
            return
        print(table(self.headings, self.cells, left=len(self.headings)))  # noqa: T201


def run_rows(backend: KnownTraces) -> Rows:
    """The runs, the oldest first."""
    runs = [(run, backend.count(run.run)) for run in backend.runs()]
    return Rows(
        ("run", "created (UTC)", "kind", "judge", "policy", "traces", "keep", "of"),
        tuple(
            (
                run.run,
                f"{run.created:%Y-%m-%d %H:%M:%S}",
                run.kind,
                run.judge,
                run.policy.value,
                f"{number:,}",
                "" if run.keep_days is None else f"{run.keep_days} d",
                run.parent or "",
            )
            for run, number in runs
        ),
        tuple(
            {**run.model_dump(mode="json", exclude={"labels", "configuration"}), "traces": number}
            for run, number in runs
        ),
    )


def trace_rows(backend: KnownTraces, run: RunRecord) -> Rows:
    """The traces of a run, numbered, in the order they began."""
    found = list(backend.summaries(run.run))
    return Rows(
        ("no.", "sentence", "conflicts", "kinds", "judge", "fallback", "abstained", "overruled", "seconds"),
        tuple(
            (
                str(number),
                one.sentence_id,
                str(one.conflicts),
                ", ".join(one.kinds),
                ", ".join(one.judges),
                str(one.fallbacks or ""),
                str(one.abstained or ""),
                str(one.overruled or ""),
                f"{one.seconds:.3f}",
            )
            for number, one in enumerate(found, 1)
        ),
        tuple({"number": number, **asdict(one)} for number, one in enumerate(found, 1)),
    )
