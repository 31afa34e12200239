"""The label sets of a server, asked for once."""

from __future__ import annotations

from medner._documents import RunFacts
from medner.core.errors import MednerError
from medner.core.labels import LabelSet, LabelType
from medner.service.client.calls import Steps
from medner.service.client.jobs import label_sets as ask_label_sets


class LabelSets:
    """What is known of a server's label sets."""

    def __init__(self) -> None:
        self._known: dict[str, LabelSet] | None = None
        self._default = ""

    def all(self) -> Steps[dict[str, LabelSet]]:
        """The label sets by name."""
        if self._known is None:
            found = yield from ask_label_sets()
            self._default = found.default
            self._known = {
                one.name: LabelSet(
                    one.name,
                    one.title,
                    tuple(LabelType(each.code, each.name, each.definition) for each in one.types),
                    one.nested,
                )
                for one in found.labels
            }
        return self._known

    def facts(self, name: str | None) -> Steps[RunFacts]:
        """What the documents of a run share. Without the label set, documents come without the types' names."""
        try:
            known = yield from self.all()
        except MednerError:
            return RunFacts()
        return RunFacts(known.get(name or self._default))
