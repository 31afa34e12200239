"""A generative tagger: what it asks its engine for, and what it makes of the answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medner.agents.engines.engine import Completion, Request
from medner.agents.engines.scripted import ScriptedEngine
from medner.agents.prompts.shots import load_shots
from medner.agents.strategies import CODECS, Automaton
from medner.agents.taggers.tagger import GenerativeTagger, answer_cap
from medner.core.errors import ExternalError
from medner.core.labels import load_label_set
from medner.core.records import Entity, Rejection, Sentence

LABELS = load_label_set("cmeee-v2")
SYMBOL = CODECS["symbol"]
SENTENCE = Sentence("note#0", "患者咽痛，考虑咽炎。", 40, "note")
THROAT, PHARYNGITIS = Entity(2, 4, "sym"), Entity(7, 9, "dis")


@pytest.mark.parametrize("codec", CODECS.values(), ids=list(CODECS))
async def test_a_tagger_reads_its_strategy(codec) -> None:
    """Entities come with offsets of the sentence, whatever its place in the document; the raw answer is kept."""
    answer = codec.encode(SENTENCE.text, [THROAT, PHARYNGITIS], LABELS)
    engine = ScriptedEngine(lambda _: answer)
    output = await GenerativeTagger("one", engine, codec, LABELS, adapter="tuned").tag(SENTENCE)
    assert output.decoded.entities == (THROAT, PHARYNGITIS)
    assert (output.tagger, output.answer) == ("one", answer)
    assert output.cost.passes == 1
    (request,) = engine.requests
    assert request.adapter == "tuned"
    assert request.graph is not None
    assert Automaton(request.graph).accepts(answer)


async def test_a_free_tagger_has_no_grammar() -> None:
    """Unconstrained, what cannot be read is refused with its reason and is no error."""
    engine = ScriptedEngine(lambda _: "药物：患者[头孢]，考虑咽炎。\n疾病：患者咽痛，考虑[咽炎]。")
    output = await GenerativeTagger("one", engine, SYMBOL, LABELS, constrained=False).tag(SENTENCE)
    assert output.decoded.entities == (PHARYNGITIS,)
    assert output.decoded.rejected
    assert engine.requests[0].graph is None


async def test_style_and_shots_reach_the_prompt() -> None:
    """The prompt is the style's, with the shots before the sentence."""
    engine = ScriptedEngine(lambda _: "")
    shots = load_shots(LABELS)[:2]
    await GenerativeTagger("one", engine, SYMBOL, LABELS, style="plain", shots=shots).tag(SENTENCE)
    messages = engine.requests[0].messages
    assert [message.role for message in messages] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert messages[1].content == shots[0].text
    assert messages[-1].content == SENTENCE.text


async def test_a_cut_answer_is_marked() -> None:
    """What was read before the cut stays; a refusal says that more may have come."""

    class Cuts(ScriptedEngine):
        async def complete(self, request: Request) -> Completion:
            return Completion("临床表现：患者[咽痛]，考", truncated=True)

    output = await GenerativeTagger("one", Cuts(lambda _: ""), SYMBOL, LABELS).tag(SENTENCE)
    assert output.decoded.entities == (THROAT,)
    assert output.decoded.rejected[-1].reason is Rejection.TRUNCATED
    assert str(answer_cap(SENTENCE.text, LABELS)) in output.decoded.rejected[-1].detail


async def test_an_engines_failure_comes_through() -> None:
    """The graph, not the tagger, makes a record of it."""
    with pytest.raises(ExternalError, match="gone"):
        await GenerativeTagger("one", ScriptedEngine(lambda _: ExternalError("gone")), SYMBOL, LABELS).tag(SENTENCE)


@given(st.integers(1, 3_000))
def test_an_answer_has_room_but_an_end(length: int) -> None:
    """At least two whole lines of a token a character fit; the cap grows only slowly with a very long sentence."""
    cap = answer_cap("痛" * length, LABELS)
    assert cap > 2 * (length + 12)
    assert cap <= 48 + 2_048 + 8 * length
