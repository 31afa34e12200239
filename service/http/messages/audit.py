"""The audit log as it is kept and goes out."""

from __future__ import annotations

from datetime import datetime

from medner.service.http.messages.strict import Strict


class AuditEntry(Strict):
    """What somebody did. ``on`` is the job, run or judge; ``outcome`` is ``done`` or the kind of the problem."""

    at: datetime
    who: str
    what: str
    on: str
    outcome: str


class AuditAnswer(Strict):
    """Entries of the audit log, the newest first; ``next`` is the cursor of the next page."""

    entries: tuple[AuditEntry, ...]
    next: str | None
