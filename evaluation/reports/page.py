"""Reports as one self-contained HTML page: no outside resources, no scripts, everything escaped."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from medner.evaluation.measures.differences import DIFFERING, Outcome
from medner.evaluation.measures.errors import FALSE_POSITIVES, NESTED_CLASSES, ErrorClass
from medner.evaluation.reports import wording
from medner.evaluation.reports.reliability import reliability_plot
from medner.evaluation.reports.report import Comparison, Evaluation
from medner.evaluation.reports.tables import printable

AROUND = 24  # characters of text on either side of an entity
MOST_PLACES = 500  # a page with every place of a large corpus would be too heavy to open


def evaluation_page(evaluation: Evaluation, *, by_type: bool = True) -> str:
    """The report on one or several systems."""
    return (
        _templates()
        .get_template("evaluation.html.j2")
        .render(
            report=evaluation,
            by_type=by_type,
            classes=(*FALSE_POSITIVES, ErrorClass.MISSED),
            nested_classes=NESTED_CLASSES,
        )
    )


def comparison_page(comparison: Comparison, *, by_type: bool = True) -> str:
    """The report on two systems, with the first places where they differ."""
    differing = [entry for entry in comparison.judged if entry.outcome in DIFFERING]
    return (
        _templates()
        .get_template("comparison.html.j2")
        .render(
            report=comparison,
            by_type=by_type,
            outcomes=tuple(Outcome),
            differing=differing[:MOST_PLACES],
            number_differing=len(differing),
            around=AROUND,
        )
    )


def page_templates(package: str) -> Environment:
    """The templates of a package's pages: what they show is escaped, and a name that is missing is an error."""
    environment = Environment(
        loader=PackageLoader(package, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["printable"] = printable
    return environment


def _templates() -> Environment:
    templates = page_templates("medner.evaluation.reports")
    templates.filters |= {"ratio": wording.ratio, "interval": wording.interval}
    templates.globals |= {"wording": wording, "reliability": reliability_plot}
    return templates
