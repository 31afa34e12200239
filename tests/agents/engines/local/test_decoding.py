"""Draft-and-verify as pure logic: any way to choose tokens gives what choosing one at a time gives."""

from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medner.agents.strategies import CODECS, Automaton
from medner.core.labels import load_label_set

pytest.importorskip("transformers")

from medner.agents.engines.local.decoding import HORIZON, AnswerRow, Constraint, Hints
from tests.agents.engines.local.vocabularies import TOKENIZERS, vocabulary

LABELS = load_label_set("cmeee-v2")
PROMPT = [1, 2, 3]


class Chooser:
    """A way to choose: any function of what stands before and what is allowed; ``longing`` prefers long tokens."""

    def __init__(self, words, seed, longing):
        self.words, self.seed, self.longing = words, seed, longing

    def __call__(self, before, question):
        start = crc32(repr((self.seed, before[-5:], len(before))).encode())

        def liking(token):
            length = 0 if token in self.words.end_ids else len(self.words.data(token))
            return crc32(token.to_bytes(4, "big"), start) % 100 + self.longing * length

        return max(question, key=liking)


def one_at_a_time(graph, words, choose, max_tokens):
    automaton = Automaton(graph)
    state = automaton.start
    answer: list[int] = []
    while len(answer) < max_tokens:
        after = words.allowed(automaton, state)
        ends = words.end_ids if automaton.is_final(state) else set()
        token = choose([*PROMPT, *answer], sorted({*after, *ends}))
        if token in words.end_ids:
            break
        answer.append(token)
        state = after[token]
    return answer


def run(row, choose, doubt):
    """Decodes to the end; gives the number of passes."""
    passes = 0
    while not row.done:
        tokens = row.next_input(doubt)
        line = row.ids[: row.in_cache] + tokens
        first = len(line) - len(row.questions())
        row.take([choose(line[: first + place + 1], question) for place, question in enumerate(row.questions())])
        passes += 1
    return passes


@pytest.mark.parametrize("strategy", CODECS)
@pytest.mark.parametrize("name", TOKENIZERS)
@given(
    text=st.text(alphabet='咳嗽，扁桃体38CT 痰[]<\\"\n😀é', min_size=1, max_size=12),
    seed=st.integers(0, 10**6),
    longing=st.sampled_from([0, 15, 60]),
    doubt=st.sampled_from([0.0, 0.2, 0.7]),
    max_tokens=st.sampled_from([1, 7, 60]),
)
@settings(max_examples=30, deadline=None)
def test_drafts_change_no_answer(name, strategy, *, text, seed, longing, doubt, max_tokens):
    """Whatever the model likes best at each place, drafting gives what choosing a token at a time gives."""
    words = vocabulary(name)
    choose = Chooser(words, seed, longing)
    graph = CODECS[strategy].graph(text, LABELS)
    row = AnswerRow(PROMPT, Constraint(Automaton(graph), words), end_ids=words.end_ids, max_tokens=max_tokens)
    passes = run(row, choose, doubt)
    assert row.answer == one_at_a_time(graph, words, choose, max_tokens)
    assert passes == row.passes <= len(row.answer) + 1
    assert row.truncated == (len(row.answer) == max_tokens)


def test_accepted_drafts_save_passes():
    """A model that copies takes far fewer passes than the answer has tokens."""
    words = vocabulary("byte-level")
    text = "患者三天前出现咳嗽、咳黄痰，伴发热，体温38.5℃。"
    canonical = words.encode("疾病：" + text)

    def copies(before, question):
        place = len(before) - len(PROMPT)
        wanted = canonical[place] if place < len(canonical) else next(iter(words.end_ids))
        return wanted if wanted in question else question[0]

    graph = CODECS["symbol"].graph(text, LABELS)
    row = AnswerRow(PROMPT, Constraint(Automaton(graph), words), end_ids=words.end_ids, max_tokens=400)
    assert run(row, copies, 0.2) <= 6
    assert row.answer == canonical
    assert row.drafted > len(canonical) / 2


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("text", ["Å\u212b", "e\u0301咳", "\uf900嗽", "a\u0308\u212bＡ", "👩\u200d⚕️咳"])
def test_what_a_tokenizer_would_normalise_is_copied_as_it_is(name, text):
    """The answer holds the sentence's own code points, also where the tokenizer composes or replaces them."""
    words = vocabulary(name)
    graph = CODECS["symbol"].graph(text, LABELS)
    for seed in range(5):
        row = AnswerRow(PROMPT, Constraint(Automaton(graph), words), end_ids=words.end_ids, max_tokens=2_000)
        run(row, Chooser(words, seed, 15), 0.2)
        answer = words.data_of(row.answer).decode()
        plain = answer.replace("[", "").replace("]", "")
        assert all(line.partition("：")[2] == text for line in plain.split("\n") if line)


def test_no_pass_runs_more_than_the_answer_may_take():
    """A draft is cut so that even all of it accepted stays within ``max_tokens``."""
    words = vocabulary("byte-level")
    graph = CODECS["html"].graph("患者三天前出现咳嗽、咳黄痰", LABELS)
    row = AnswerRow(PROMPT, Constraint(Automaton(graph), words), end_ids=words.end_ids, max_tokens=4)
    assert len(row.next_input(0.0)) <= len(PROMPT) + 3


def test_a_draft_looks_a_bounded_way_ahead():
    """In a very long sentence too: else each pass would take time in proportion to its length."""
    automaton = Automaton(CODECS["symbol"].graph("咳嗽，扁桃体" * 800, LABELS))
    state = automaton.walk(automaton.start, "疾病：".encode())
    assert state is not None
    assert HORIZON <= len(Hints().guess(automaton, state, HORIZON)) <= HORIZON + 3
    constraint = Constraint(Automaton(CODECS["index"].graph("咳嗽，扁桃体" * 800, LABELS)), vocabulary("byte-level"))
    assert len(constraint.draft(constraint.automaton.start, Hints(), 0.0, 10**6)) <= HORIZON


def test_a_draft_ends_where_doubt_begins():
    """The more is asked of a draft, the shorter it is."""
    words = vocabulary("byte-level")
    constraint = Constraint(Automaton(CODECS["html"].graph("患者三天前出现咳嗽、咳黄痰，伴发热", LABELS)), words)
    start = constraint.automaton.start
    lengths = [len(constraint.draft(start, Hints(), doubt, 100)) for doubt in (0.0, 0.8, 0.9, 0.99)]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] > lengths[1] > lengths[-1] == 0


def test_a_free_row_asks_for_anything_and_ends_at_an_end_token():
    """Without a constraint there is no draft and no limit but ``max_tokens``."""
    row = AnswerRow(PROMPT, None, end_ids=frozenset([9]), max_tokens=3)
    assert row.next_input(0.2) == PROMPT
    assert row.questions() == [()]
    row.take([5])
    assert row.next_input(0.2) == [5]
    row.take([9])
    assert (row.done, row.truncated, row.answer) == (True, False, [5])


class DeadEnd:
    """A faulty grammar: after one letter nothing may follow, and the answer may not end."""

    def start(self):
        return 0

    def edges(self, node):
        return [(b"a", 1)] if node == 0 else []

    def is_final(self, node):
        return False

    def draft(self, node):
        return b""


def test_a_grammar_with_a_dead_end_is_found_out():
    """An empty set of allowed tokens would otherwise mean that anything is allowed."""
    words = vocabulary("byte-level")
    constraint = Constraint(Automaton(DeadEnd()), words)
    (after,) = constraint.options(constraint.automaton.start)[1].values()
    with pytest.raises(ValueError, match="DeadEnd leads to where nothing may follow"):
        constraint.options(after)
