"""What a run says on standard error, for people: notes, what was skipped, how it ended."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from medner.core.files.paths import printable, readable_path
from medner.service.annotate.counts import RunCounts
from medner.service.annotate.journal import Journal
from medner.service.annotate.progress import remarks_console
from medner.service.annotate.terminal import LEGEND
from medner.store.corpora import BadRecord

_BAD_SHOWN = 20


class RunMessages:
    """``written`` are the files of results. ``legend``: results on the screen have signs that need one."""

    def __init__(self, written: tuple[Path, ...], *, legend: bool) -> None:
        self.console = remarks_console()
        self._written = written
        self._legend = legend

    def say(self, message: str) -> None:
        """A line."""
        self.console.print(printable(message), markup=False)

    def bad(self, records: Collection[BadRecord], *, since: int = 0) -> None:
        """The first records that were skipped, and how many more there are; ``since``: so many were told earlier."""
        for record in list(records)[since : since + _BAD_SHOWN]:
            self.say(f"skipped: {record}")
        if len(records) - since > _BAD_SHOWN:
            self.say(f"skipped: {len(records) - since - _BAD_SHOWN:,} more")

    def resumed(self, journal: Journal) -> None:
        """From where a run goes on."""
        changed = " (the inputs are others than then: only equal sentences are taken over)"
        self.say(
            f"{journal.path}: going on after {journal.resumed:,} finished sentences"
            f"{changed if journal.inputs_changed else ''}; --restart begins anew"
        )

    def failed(self, journal: Journal) -> None:
        """Before the error that ends a run."""
        self.say(f"{_kept(journal)}, once this is mended:")

    def stopped(self, tally: RunCounts, journal: Journal | None) -> None:
        """The end of a run that was stopped by Ctrl-C."""
        kept = f"; {_kept(journal)}" if journal else ""
        self.say(f"stopped after {tally.progress} sentences{kept}")

    def ended(self, tally: RunCounts, journal: Journal | None) -> None:
        """The end of a run that did all it could."""
        if self._legend and tally.conflicts:
            self.say(LEGEND)
        reused = f" ({tally.reused:,} taken over)" if tally.reused else ""
        self.say(f"{tally.line()}{reused}, {tally.entities:,} entities")
        for path in self._written:
            self.say(f"written: {readable_path(path)}")
        if tally.left_out:
            self.say(f"{tally.left_out:,} doubtful or maybe entities went to no judge: [conflicts] most is the bound")
        if tally.partial:
            self.say(f"{tally.partial:,} sentences lack an agent's answer; their failures are in the result")
        if tally.failed:
            again = " The same command tries those again." if journal else ""
            self.say(f"{tally.failed:,} sentences have no result; the first: {tally.first_reason}.{again}")


def _kept(journal: Journal) -> str:
    return f"{len(journal):,} finished sentences are kept in {journal.path}: the same command goes on from there"
