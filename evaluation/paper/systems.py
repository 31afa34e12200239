"""The systems of a manifest, read and measured against its gold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medner.core.errors import BadInputError, UserError
from medner.core.labels import load_label_set
from medner.core.records import Document
from medner.evaluation.measures import ensembles as voting
from medner.evaluation.measures.errors import ErrorClass, ErrorTable, Mistake, find_mistakes, tabulate
from medner.evaluation.measures.matching import Pairing, pair_documents
from medner.evaluation.measures.scoring import Score, nested_entities, score
from medner.evaluation.measures.significance import Array, Difference, Resampling, differences, intervals, stack
from medner.evaluation.paper.costs import Answers, Costs, read_answers
from medner.evaluation.paper.manifest import EnsembleEntry, ReportManifest
from medner.evaluation.paper.roles import Roles, assign_roles
from medner.evaluation.reports.report import Gold, Scored
from medner.store.corpora import NO_OPTIONS, ReadOptions, read_documents


@dataclass(frozen=True, slots=True)
class System:
    """A system's scores and errors. ``missing`` are gold documents without a prediction; in ``failed`` sentences no
    tagger had answered."""

    name: str
    scored: Scored
    mistakes: tuple[Mistake, ...]
    errors: ErrorTable
    counts_dkc: Array
    costs: Costs | None = None
    missing: tuple[str, ...] = ()
    by_text: int = 0
    failed: int = 0

    @property
    def f1(self) -> float:
        """The strict micro F1."""
        return self.scored.counts.f1


@dataclass(frozen=True, slots=True)
class Dataset:
    """A manifest with everything measured: ``systems`` by name, in the order of the manifest."""

    manifest: ReportManifest
    roles: Roles
    labels_name: str
    gold: Gold
    document_ids: tuple[str, ...]
    systems: Mapping[str, System]
    resampling: Resampling

    @property
    def name(self) -> str:
        """What the report calls the data set."""
        return self.manifest.title

    def best(self, names: Iterable[str]) -> System | None:
        """The system with the highest F1; of equal ones the first."""
        found = [self.systems[name] for name in names]
        return max(found, key=lambda system: system.f1, default=None)

    @property
    def single(self) -> System | None:
        """The best there is without an ensemble."""
        return self.best(self.roles.singles)

    def difference(self, a: System, b: System) -> Difference:
        """The F1 of ``b`` minus that of ``a``, paired over documents."""
        return differences(a.counts_dkc, b.counts_dkc, self.resampling)[0].f1

    def mistakes_dk(self, system: System, kinds: Sequence[ErrorClass], *, nested: bool = False) -> Array:
        """How many mistakes of each kind each document holds."""
        row = {id_: at for at, id_ in enumerate(self.document_ids)}
        column = {kind: at for at, kind in enumerate(kinds)}
        counted = np.zeros((len(row), len(column)))
        for mistake in system.mistakes:
            if mistake.kind in column and (mistake.nested or not nested):
                counted[row[mistake.document_id], column[mistake.kind]] += 1
        return counted


def measure(
    manifest: ReportManifest, where: Path, resampling: Resampling, options: ReadOptions = NO_OPTIONS
) -> Dataset:
    """The manifest's files read and measured; ``where`` names the manifest in errors.

    BadInputError and UserError as the files deserve: bad records, documents that do not fit gold.
    """
    labels = load_label_set(manifest.labels)
    gold = list(read_documents(manifest.gold, labels=labels, options=options))
    if not gold:
        raise BadInputError("holds no document, so there is nothing to measure against", path=manifest.gold)
    answers = {
        tagger.name: read_answers(tagger.file, labels, tagger=tagger.name, output=tagger.output, options=options)
        for tagger in manifest.tagger
    }
    other = [(one.system, one.file) for one in manifest.filter]
    other += [(one.name, one.file) for one in manifest.judge]
    other += [(one.system, one.file) for one in manifest.ensemble if one.file is not None]
    for name, file in other:
        answers[name] = read_answers(file, labels, tagger=name, options=options)
    roles = assign_roles(manifest)
    for at, ensemble in enumerate(manifest.ensemble):
        if ensemble.file is None:
            members = {name: answers[name].documents for name in roles.members}
            answers[ensemble.system] = Answers(tuple(_vote(ensemble, members, gold, (where, at))))
    facts = Gold(
        manifest.gold.name,
        len(gold),
        sum(len(document.entities) for document in gold),
        sum(len(nested_entities(document.entities)) for document in gold),
    )
    systems = {name: _system(name, gold, answers[name], resampling) for name in manifest.names}
    ids = tuple(document.id for document in gold)
    return Dataset(manifest, roles, labels.name, facts, ids, systems, resampling)


def _vote(
    ensemble: EnsembleEntry, members: voting.Systems, gold: Sequence[Document], place: tuple[Path, int]
) -> list[Document]:
    where, at = place
    if len(members) < 2:
        raise BadInputError(
            f"a vote needs two members, and there {'is' if members else 'are'} {len(members)}: add taggers, name them "
            "under `members`, or take the entry out",
            path=where,
            key=f"ensemble.{at}.kind",
        )
    votes = {
        "hard-vote": lambda: voting.hard_vote(members),
        "union": lambda: voting.union(members),
        "unanimous": lambda: voting.intersection(members),
        "oracle": lambda: voting.oracle(members, gold),
    }
    try:
        return votes[ensemble.kind]()
    except UserError as error:
        raise BadInputError(str(error), path=where, key=f"ensemble.{at}") from error


def _system(name: str, gold: Sequence[Document], answers: Answers, how: Resampling) -> System:
    pairing: Pairing = pair_documents(gold, answers.documents, name=name)
    scores: Score = score(pairing.pairs)
    counts_dkc = stack(scores.documents, ())[:, :1]
    mistakes = find_mistakes(pairing.pairs)
    return System(
        name,
        Scored(scores.overall, intervals(counts_dkc, how)[0]),
        mistakes,
        tabulate(mistakes),
        counts_dkc,
        answers.costs,
        pairing.missing,
        pairing.by_text,
        answers.failed,
    )
