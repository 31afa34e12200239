"""The report as one self-contained HTML page: charts inline, no outside resources, no scripts, everything escaped."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from medner.evaluation.paper import words
from medner.evaluation.paper.report import PaperReport
from medner.evaluation.reports.tables import printable


def paper_page(report: PaperReport) -> str:
    """The page's HTML."""
    environment = Environment(
        loader=PackageLoader("medner.evaluation.paper", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The charts are the only markup that is not the template's; they escape what they show themselves.
    environment.filters |= {"printable": printable, "drawn": Markup}
    return environment.get_template("paper.html.j2").render(report=report, words=words)
