"""The tagger's prompt: its styles, its examples as earlier turns, and the sentence last."""

import pytest

from medner.agents.prompts.shots import load_shots
from medner.agents.prompts.tagger import STYLES, tagger_messages
from medner.agents.strategies import CODECS
from medner.core.errors import UserError
from medner.core.labels import SHIPPED, load_label_set

LABELS = load_label_set("cmeee-v2")
SYMBOL = CODECS["symbol"]


@pytest.mark.parametrize("style", STYLES)
def test_the_fixed_part_stands_first(style: str) -> None:
    """Two sentences share every message but the last, which is the sentence and nothing else."""
    shots = load_shots(LABELS)[:2]
    one = tagger_messages(style, SYMBOL, LABELS, "患者咽痛。", shots)
    other = tagger_messages(style, SYMBOL, LABELS, "考虑肺炎。", shots)
    assert one[:-1] == other[:-1]
    assert (one[-1].role, one[-1].content) == ("user", "患者咽痛。")
    assert one[0].role == "system"


@pytest.mark.parametrize("codec", CODECS.values(), ids=list(CODECS))
@pytest.mark.parametrize("name", SHIPPED)
def test_shots_are_earlier_turns(codec, name: str) -> None:
    """Each shot is asked and answered in the strategy of the tagger, and its answer reads back as its entities."""
    labels = load_label_set(name)
    shots = load_shots(labels)
    chat = tagger_messages("full", codec, labels, "患者咽痛。", shots)
    assert [message.role for message in chat] == ["system", *["user", "assistant"] * len(shots), "user"]
    for shot, asked, answered in zip(shots, chat[1:-1:2], chat[2:-1:2], strict=True):
        assert asked.content == shot.text
        assert codec.decode(shot.text, answered.content, labels).entities == shot.entities


def test_the_full_prompt_defines_every_type() -> None:
    """Types with definitions, the form of the answer, and whether entities may nest."""
    said = tagger_messages("full", SYMBOL, LABELS, "患者咽痛。")[0].content
    assert all(f"{label.name}：{label.definition}" in said for label in LABELS.types)
    assert SYMBOL.instruction in said
    assert "嵌套" in said
    assert "嵌套" not in tagger_messages("full", SYMBOL, load_label_set("ccks2019"), "患者咽痛。")[0].content


def test_the_brief_prompt_is_brief() -> None:
    """It names label set and strategy, so that one adapter can know several."""
    said = [tagger_messages("brief", codec, LABELS, "患者咽痛。")[0].content for codec in CODECS.values()]
    assert len(set(said)) == len(CODECS)
    assert max(map(len, said)) < 32


def test_styles_differ() -> None:
    """No two styles ask in the same words."""
    assert len({tagger_messages(style, SYMBOL, LABELS, "患者咽痛。")[0].content for style in STYLES}) == len(STYLES)


def test_an_unknown_style_is_named() -> None:
    """The error lists the styles there are."""
    with pytest.raises(UserError, match=r"no prompt style 'fancy'; there are: brief, full, plain"):
        tagger_messages("fancy", SYMBOL, LABELS, "患者咽痛。")
