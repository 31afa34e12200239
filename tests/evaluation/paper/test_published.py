"""The paper's numbers agree with one another."""

from __future__ import annotations

import pytest

from medner.evaluation.paper.published import published
from medner.evaluation.paper.report import FIGURES, TABLES


def test_every_table_and_figure_of_the_report_has_its_numbers() -> None:
    """Tables 3 to 9, 11 and 12 and figures 4 to 6; a row has as many numbers as its table has columns."""
    assert set(published().tables) == set(TABLES) == {3, 4, 5, 6, 7, 8, 9, 11, 12}
    assert set(published().figures) == set(FIGURES) == {4, 5, 6}
    for table in (*published().tables.values(), *published().figures.values()):
        assert len({row.key for row in table.rows}) == len(table.rows)
        assert {len(values) for row in table.rows for values in row.values.values()} == {len(table.columns)}


@pytest.mark.parametrize("number", [3, 5, 7, 8, 9, 11])
def test_f1_is_the_harmonic_mean_of_precision_and_recall(number: int) -> None:
    """A slip in typing a number would show here: the three columns of a row fit up to their rounding."""
    for row in published().tables[number].rows:
        for precision, recall, f1 in row.values.values():
            assert 2 * precision * recall / (precision + recall) == pytest.approx(f1, abs=1.6e-4), row.name


def test_the_shares_of_errors_follow_from_the_counts() -> None:
    """Figure 5: the four classes of table 6 make up the 57.1 % of §4.3, and all five the whole."""
    [row] = published().figures[5].rows
    *false_positives, missed = row.values["cmeee-v2"]
    counts = published().tables[6].rows[0].values["cmeee-v2"]
    assert sum(false_positives) == pytest.approx(0.571, abs=1e-3)
    assert sum(false_positives) + missed == pytest.approx(1)
    assert false_positives == pytest.approx([0.571 * count / sum(counts) for count in counts], abs=1e-4)


def test_one_model_has_the_same_numbers_wherever_it_stands() -> None:
    """The tuned GLM4 with the symbol strategy stands in tables 3, 4 and 5 and in figure 4."""
    tables = published().tables
    symbol = tables[3].rows_on("cmeee-v2")["symbol"].values["cmeee-v2"]
    assert tables[5].rows_on("cmeee-v2")["baseline"].values["cmeee-v2"] == symbol
    assert tables[4].rows_on("cmeee-v2")["symbol"].values["cmeee-v2"][-1] == symbol[-1]
    assert published().figures[4].rows_on("cmeee-v2")["glm-4-9b-chat"].values["cmeee-v2"][0] == symbol[-1]
    assert "elmo-lattice-lstm-crf" not in tables[9].rows_on("cmeee-v2")
