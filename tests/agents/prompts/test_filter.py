"""The filter's prompt: one candidate, marked at its own place."""

from medner.agents.prompts.filter import NO, YES, filter_messages
from medner.core.labels import load_label_set
from medner.core.records import Entity, Sentence

LABELS = load_label_set("cmeee-v2")


def test_the_marked_place_is_the_candidates() -> None:
    """Of a repeated string the right place is marked, and the type is asked by its Chinese name."""
    sentence = Sentence("s", "头痛缓解后又头痛")
    system, user = filter_messages(sentence, Entity(6, 8, "sym"), LABELS)
    assert user.content.split("\n")[:3] == ["句子：头痛缓解后又【头痛】", "候选实体：头痛", "类型：临床表现"]
    assert YES in system.content
    assert NO in system.content


def test_the_fixed_part_stands_first() -> None:
    """All candidates of all sentences share the system message."""
    one = filter_messages(Sentence("s", "头痛"), Entity(0, 2, "sym"), LABELS)
    other = filter_messages(Sentence("t", "肺炎"), Entity(0, 2, "dis"), LABELS)
    assert one[0] == other[0]
    assert one[1] != other[1]


def test_yes_and_no_differ_at_once() -> None:
    """Their first characters tell them apart."""
    assert YES[0] != NO[0]
