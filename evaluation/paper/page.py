"""The report as one self-contained HTML page: charts inline, no outside resources, no scripts, everything escaped."""

from __future__ import annotations

from markupsafe import Markup

from medner.evaluation.paper import words
from medner.evaluation.paper.report import PaperReport
from medner.evaluation.reports.page import page_templates


def paper_page(report: PaperReport) -> str:
    """The page's HTML."""
    templates = page_templates("medner.evaluation.paper")
    # The charts are the only markup that is not the template's; they escape what they show themselves.
    templates.filters["drawn"] = Markup
    return templates.get_template("paper.html.j2").render(report=report, words=words)
