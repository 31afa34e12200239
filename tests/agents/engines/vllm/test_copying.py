"""Drafts of answers that copy their sentence."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("transformers")

from medner.agents.engines.vllm.copying import Copying
from medner.agents.engines.vllm.drafting import CopyProposer
from medner.agents.strategies import CODECS
from medner.agents.strategies.escaping import escape
from medner.core.labels import load_label_set
from medner.core.records import Entity
from tests.tiny_model import byte_level_tokenizer

LABELS = load_label_set("cmeee-v2")
TOKENIZER = byte_level_tokenizer()
SPECIAL = frozenset(TOKENIZER.added_tokens_decoder)
TEXT = "患者反复胸痛3天，既往有高血压[二级]，否认发热😀。"
GOLD = (Entity(4, 6, "sym"), Entity(12, 15, "dis"), Entity(4, 5, "bod"))


def prompt(text: str) -> list[int]:
    """A chat as tokens."""
    chat = [{"role": "system", "content": "标注"}, {"role": "user", "content": text}]
    tokens: list[int] = TOKENIZER.apply_chat_template(
        chat, add_generation_prompt=True, tokenize=True, return_dict=False
    )
    return tokens


def verified(copying: Copying, text: str, answer: str, most: int = 12) -> tuple[int, int]:
    """The tokens of an answer, and the passes in which a server would have them: one more a wrong or missing draft."""
    target = [*TOKENIZER.encode(answer, add_special_tokens=False), TOKENIZER.eos_token_id]
    written, passes = target[:1], 1
    while len(written) < len(target):
        passes += 1
        for guess in copying.next_tokens([*prompt(text), *written], most):
            if guess != target[len(written)]:
                break
            written.append(guess)
            if len(written) == len(target):
                return len(target), passes
        written.append(target[len(written)])
    return len(target), passes


def test_a_symbol_answer_takes_few_passes() -> None:
    """Headers are learnt from the first answer; the second takes less than a third of the passes of one a token."""
    copying = Copying(TOKENIZER, SPECIAL)
    answer = CODECS["symbol"].encode(TEXT, GOLD, LABELS)
    verified(copying, TEXT, answer, most=32)
    tokens, passes = verified(copying, TEXT, answer, most=32)
    assert passes * 3 < tokens


@pytest.mark.parametrize("strategy", CODECS)
def test_no_answer_is_harmed(strategy: str) -> None:
    """Whatever is drafted, the verified answer is the answer; no strategy takes more passes than tokens."""
    copying = Copying(TOKENIZER, SPECIAL)
    tokens, passes = verified(copying, TEXT, CODECS[strategy].encode(TEXT, GOLD, LABELS))
    assert passes <= tokens


def test_html_and_index_are_followed_where_they_copy() -> None:
    """By the last characters that stand in the sentence once."""
    copying = Copying(TOKENIZER, SPECIAL)
    tokens, passes = verified(copying, TEXT, CODECS["html"].encode(TEXT, GOLD[1:2], LABELS))
    assert passes < tokens * 0.8


def test_a_draft_has_at_most_so_many_tokens() -> None:
    """The server gives the number."""
    context = [*prompt(TEXT), *TOKENIZER.encode("疾病：患", add_special_tokens=False)]
    assert len(Copying(TOKENIZER, SPECIAL).next_tokens(context, 5)) == 5
    assert Copying(TOKENIZER, SPECIAL).next_tokens(context, 0) == []


@pytest.mark.parametrize("context", [[], [0], [0, 1], TOKENIZER.encode("咽痛", add_special_tokens=False)])
def test_what_is_no_chat_gets_no_draft(context: list[int]) -> None:
    """Nor does an empty context fail."""
    assert Copying(TOKENIZER, SPECIAL).next_tokens(context, 8) == []


def test_an_unfaithful_line_gets_no_copy() -> None:
    """Where the answer strays from the sentence, only its last characters can say where it is."""
    context = [*prompt("咽痛三天"), *TOKENIZER.encode("疾病：头昏", add_special_tokens=False)]
    assert Copying(TOKENIZER, SPECIAL).next_tokens(context, 8) == []


def test_a_half_written_character_is_completed() -> None:
    """A token may end inside a character."""
    whole = TOKENIZER.encode("疾病：" + escape(TEXT, "[]") + "\n", add_special_tokens=False)
    copying = Copying(TOKENIZER, SPECIAL)
    for cut in range(len(TOKENIZER.encode("疾病：", add_special_tokens=False)), len(whole) - 1):
        draft = copying.next_tokens([*prompt(TEXT), *whole[:cut]], 4)
        assert draft == whole[cut : cut + 4], cut


def proposer(monkeypatch: pytest.MonkeyPatch) -> CopyProposer:
    """The class as vLLM builds it, on the small tokenizer."""
    import transformers

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", lambda *_, **__: TOKENIZER)
    return CopyProposer(
        SimpleNamespace(
            speculative_config=SimpleNamespace(num_speculative_tokens=4),
            model_config=SimpleNamespace(max_model_len=512, tokenizer="x"),
        )
    )


def test_the_proposer_drafts_a_row_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that sampled nothing, or have no room left, get no draft."""
    import numpy as np

    row = [*prompt(TEXT), *TOKENIZER.encode("疾病：患", add_special_tokens=False)]
    ids = np.zeros((3, 512), dtype=np.int32)
    ids[0, : len(row)] = ids[1, : len(row)] = row
    ids[2] = row[-1]
    drafts = proposer(monkeypatch).propose([[1], [], [1]], np.array([len(row), len(row), 511]), ids, slot_mappings=None)
    assert [len(draft) for draft in drafts] == [4, 0, 0]


def test_another_interface_is_told_clearly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Newer versions hand over more; a wrong configuration has less."""
    with pytest.raises(RuntimeError, match=r"does not fit this vLLM.*0\.32"):
        proposer(monkeypatch).propose([[1]], [1], [[1]], hidden_states=None)
    with pytest.raises(RuntimeError, match=r"without --speculative-config"):
        CopyProposer(SimpleNamespace(speculative_config=None))
