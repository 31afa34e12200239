"""Who disagrees with whom about what, and whose word the judge takes: counted over annotations."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Self

from medner.core.records import Annotation, Entity, Verdict


@dataclass(slots=True)
class Share:
    """A part of a total; the ratio of nothing is NaN."""

    part: int = 0
    total: int = 0

    @property
    def ratio(self) -> float:
        """The share."""
        return self.part / self.total if self.total else float("nan")

    def count(self, *, inside: bool) -> None:
        """One more of the total, and of the part if it is inside."""
        self.total += 1
        self.part += inside


@dataclass(slots=True)
class Disputes:
    """Counts over sentences.

    ``pairs``: of the entities that either of two taggers gave, those that both gave. ``kinds`` of conflicts.
    ``wins``: of a tagger's disputed candidates, those that were kept, whole and by type. ``of_all`` and ``of_none``:
    the same of disputed candidates that every tagger gave, and that no tagger gave. ``left_out``: by kind, entities
    that were too many to be questioned. ``strings``: disputed texts with their type, kept out of how often they were
    disputed. ``judges`` by name and version.
    """

    sentences: int = 0
    in_dispute: int = 0
    conflicts: int = 0
    pairs: defaultdict[tuple[str, str], Share] = field(default_factory=lambda: defaultdict(Share))
    kinds: Counter[str] = field(default_factory=Counter)
    wins: defaultdict[str, Share] = field(default_factory=lambda: defaultdict(Share))
    wins_by_type: defaultdict[tuple[str, str], Share] = field(default_factory=lambda: defaultdict(Share))
    of_all: Share = field(default_factory=Share)
    of_none: Share = field(default_factory=Share)
    left_out: Counter[str] = field(default_factory=Counter)
    strings: defaultdict[tuple[str, str], Share] = field(default_factory=lambda: defaultdict(Share))
    judges: Counter[str] = field(default_factory=Counter)
    fallbacks: int = 0
    abstained: int = 0
    overruled: int = 0

    def add(self, annotation: Annotation) -> None:
        """Counts one sentence."""
        self.sentences += 1
        self.in_dispute += bool(annotation.conflicts)
        self._add_pairs(annotation)
        self.left_out.update(annotation.left_out)
        everyone = {output.tagger for output in annotation.outputs}
        verdicts = {verdict.conflict_id: verdict for verdict in annotation.verdicts}
        for conflict in annotation.conflicts:
            self.conflicts += 1
            self.kinds[conflict.kind.value] += 1
            verdict = verdicts.get(conflict.id)
            if verdict is None:
                continue
            self._add_verdict(verdict)
            for candidate in conflict.candidates:
                kept = candidate.entity in verdict.kept
                label = candidate.entity.label
                self.strings[candidate.entity.text_in(annotation.sentence.text), label].count(inside=kept)
                if not candidate.taggers:
                    self.of_none.count(inside=kept)
                elif everyone <= set(candidate.taggers):
                    self.of_all.count(inside=kept)
                for tagger in candidate.taggers:
                    self.wins[tagger].count(inside=kept)
                    self.wins_by_type[tagger, label].count(inside=kept)

    def _add_pairs(self, annotation: Annotation) -> None:
        entities: dict[str, set[Entity]] = {one.tagger: set(one.decoded.entities) for one in annotation.outputs}
        for one, other in combinations(sorted(entities), 2):
            share = self.pairs[one, other]
            share.part += len(entities[one] & entities[other])
            share.total += len(entities[one] | entities[other])

    def _add_verdict(self, verdict: Verdict) -> None:
        self.judges[f"{verdict.judge}@{verdict.judge_version}"] += 1
        self.fallbacks += verdict.fallback is not None
        self.abstained += verdict.abstained
        self.overruled += verdict.overruled is not None

    def contested(self, most: int) -> list[tuple[str, str, Share]]:
        """The texts disputed most often, with their type; the more often, the further up."""
        ordered = sorted(self.strings.items(), key=lambda one: (-one[1].total, one[0]))
        return [(text, label, share) for (text, label), share in ordered[:most]]

    def as_data(self, *, most: int = 20) -> dict[str, Any]:
        """All counts as plain data."""
        return {
            "sentences": self.sentences,
            "in_dispute": self.in_dispute,
            "conflicts": self.conflicts,
            "pairs": [
                {"taggers": list(pair), "both": share.part, "either": share.total}
                for pair, share in sorted(self.pairs.items())
            ],
            "kinds": dict(sorted(self.kinds.items())),
            "wins": {name: {"kept": one.part, "disputed": one.total} for name, one in sorted(self.wins.items())},
            "wins_by_type": [
                {"tagger": tagger, "type": label, "kept": one.part, "disputed": one.total}
                for (tagger, label), one in sorted(self.wins_by_type.items())
            ],
            "of_all": {"kept": self.of_all.part, "disputed": self.of_all.total},
            "of_none": {"kept": self.of_none.part, "disputed": self.of_none.total},
            "left_out": dict(sorted(self.left_out.items())),
            "contested": [
                {"text": text, "type": label, "kept": one.part, "disputed": one.total}
                for text, label, one in self.contested(most)
            ],
            "judges": dict(sorted(self.judges.items())),
            "fallbacks": self.fallbacks,
            "abstained": self.abstained,
            "overruled": self.overruled,
        }

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> Self:
        """The counts that :meth:`as_data` gave; of the disputed texts those that it named."""
        found = cls(data["sentences"], data["in_dispute"], data["conflicts"])
        for one in data["pairs"]:
            found.pairs[one["taggers"][0], one["taggers"][1]] = Share(one["both"], one["either"])
        for name, one in data["wins"].items():
            found.wins[name] = Share(one["kept"], one["disputed"])
        for one in data["wins_by_type"]:
            found.wins_by_type[one["tagger"], one["type"]] = Share(one["kept"], one["disputed"])
        found.of_all, found.of_none = (Share(data[key]["kept"], data[key]["disputed"]) for key in ("of_all", "of_none"))
        found.left_out.update(data["left_out"])
        for one in data["contested"]:
            found.strings[one["text"], one["type"]] = Share(one["kept"], one["disputed"])
        found.kinds.update(data["kinds"])
        found.judges.update(data["judges"])
        found.fallbacks, found.abstained, found.overruled = data["fallbacks"], data["abstained"], data["overruled"]
        return found


def disputes_in(annotations: Iterable[Annotation]) -> Disputes:
    """The counts over some annotations."""
    found = Disputes()
    for annotation in annotations:
        found.add(annotation)
    return found
