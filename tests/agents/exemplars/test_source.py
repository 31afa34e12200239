"""Exemplars a type: at most as many as asked for, always the same."""

import pytest

from medner.agents.exemplars import FixedExemplars
from medner.core.labels import SHIPPED, LabelSet, LabelType, load_label_set
from medner.core.records import Exemplar, Sentence, Span

HERE = (Sentence("s", "患者咽痛。"), Span(2, 4))


@pytest.mark.parametrize("name", SHIPPED)
async def test_shipped_exemplars_are_five_a_type(name: str) -> None:
    """Type by type in the order asked, five each (§3.3), the same every time."""
    labels = load_label_set(name)
    codes = list(reversed(labels.codes))
    source = FixedExemplars.shipped(labels)
    exemplars = await source.exemplars(*HERE, codes)
    assert [exemplar.label for exemplar in exemplars] == [code for code in codes for _ in range(5)]
    assert await source.exemplars(*HERE, iter(codes)) == exemplars


async def test_a_smaller_number_takes_the_first() -> None:
    """`each` shortens; a type without exemplars gives none."""
    many = tuple(Exemplar(f"肺炎{n}", "dis") for n in range(9))
    assert await FixedExemplars({"dis": many}, each=2).exemplars(*HERE, ["sym", "dis"]) == many[:2]


async def test_a_label_set_of_ones_own_has_none() -> None:
    """No exemplars are made up for types nobody wrote any for."""
    own = LabelSet("own", "own", (LabelType("dis", "疾病", "任何疾病"),))
    assert await FixedExemplars.shipped(own).exemplars(*HERE, ["dis"]) == ()
