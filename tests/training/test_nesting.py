"""What an annotation without nested entities leaves open."""

from medner.core.records import Document, Entity
from medner.training.nesting import is_open, nested_pairs

SYMPTOM = Entity(0, 4, "sym")


def test_pairs_are_those_that_stand_inside_one_another():
    """Equal stretches, overlaps and entities side by side are no nesting."""
    document = Document(
        "d",
        "咽部充血伴发热",
        (SYMPTOM, Entity(0, 2, "bod"), Entity(0, 4, "dis"), Entity(3, 6, "ite"), Entity(5, 7, "sym")),
    )
    assert nested_pairs([document]) == {("sym", "bod"), ("dis", "bod")}
    assert nested_pairs([]) == frozenset()


def test_only_what_may_be_missing_is_open():
    """A body part in a symptom is open; another type, or a place outside, is not."""
    missing = frozenset({("sym", "bod")})
    assert is_open(Entity(0, 2, "bod"), [SYMPTOM], missing)
    assert not is_open(Entity(0, 2, "dis"), [SYMPTOM], missing)
    assert not is_open(Entity(3, 5, "bod"), [SYMPTOM], missing)
    assert not is_open(Entity(0, 2, "bod"), [SYMPTOM], frozenset())
