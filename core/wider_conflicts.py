"""What goes before the judge beside the taggers' disagreements: settings of conflict detection."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WiderConflicts:
    """Two kinds of conflict beyond disagreement; None: that kind is off.

    ``doubtful``: an entity that all taggers gave is questioned when its probability is below this. ``maybe``: an entity
    that no tagger gave is a candidate when its probability is at least this. Of each kind at most ``most`` entities a
    sentence are questioned: the least probable doubtful ones, the most probable others.
    """

    doubtful: float | None = None
    maybe: float | None = None
    most: int = 8


#: Only disagreements are conflicts, as in the paper.
DISAGREEMENTS = WiderConflicts()
