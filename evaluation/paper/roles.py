"""Which of a manifest's systems the tables speak of."""

from __future__ import annotations

from dataclasses import dataclass

from medner.evaluation.paper.manifest import FilterEntry, ReportManifest, TaggerEntry

#: The paper's own filter; tables 7, 9 and 11 are about it.
PAPERS_FILTER = "llm-cls"


@dataclass(frozen=True, slots=True)
class Roles:
    """The systems that tables compare, by name.

    ``main`` is the tagger whose strategies, filters and errors are looked at (the paper's GLM4 with the symbol
    strategy), ``members`` is what the ensembles are made of, ``final`` the whole method; None: the manifest has nothing
    that could play the part. The best of ``singles`` is the best there is without an ensemble.
    """

    main: TaggerEntry | None
    members: tuple[str, ...]
    singles: tuple[str, ...]
    final: str | None


def assign_roles(manifest: ReportManifest) -> Roles:
    """What the manifest says, and where it says nothing: the first tuned symbol tagger (else the first tuned one) is
    ``main``; every tuned tagger, behind its LLM-CLS filter where it has one, is a member; tuned taggers
    and their filters are ``singles``; ``final`` is the first judge with the direct prompt, else the hard vote."""
    tuned = [tagger for tagger in manifest.tagger if not tagger.zero_shot]
    main = next((tagger for tagger in manifest.tagger if tagger.name == manifest.main), None)
    if main is None:
        main = next((tagger for tagger in tuned if tagger.strategy == "symbol"), tuned[0] if tuned else None)
    members = manifest.members
    if members is None:
        members = tuple(behind_filter(manifest, tagger) for tagger in tuned)
    judges = [judge.name for judge in manifest.judge if judge.prompt == "direct"]
    votes = [ensemble.system for ensemble in manifest.ensemble if ensemble.kind == "hard-vote"]
    final = manifest.final or next(iter([*judges, *votes]), None)
    names = {tagger.name for tagger in tuned}
    singles = (*(one.name for one in tuned), *(one.system for one in manifest.filter if one.of in names))
    return Roles(main, members, singles if manifest.single is None else (manifest.single,), final)


def filter_of(manifest: ReportManifest, tagger: TaggerEntry) -> FilterEntry | None:
    """The tagger's LLM-CLS filter, if the manifest has it."""
    return next((one for one in manifest.filter if one.of == tagger.name and one.kind == PAPERS_FILTER), None)


def behind_filter(manifest: ReportManifest, tagger: TaggerEntry) -> str:
    """The name of the tagger's filtered predictions, or of the tagger where they are not at hand."""
    found = filter_of(manifest, tagger)
    return tagger.name if found is None else found.system


def base_key(base: str) -> str:
    """What base models are matched by: the last part of the name, in small letters (GLM-4-9B-Chat of THUDM/...)."""
    return base.rstrip("/").rpartition("/")[2].lower()
