"""A base model's tokenizer, and what is said where there is none."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from medner.core.errors import UserError
from medner.training.model.lora import load_tokenizer
from tests.tiny_model import save_tiny_model


@pytest.fixture
def base(tmp_path):
    return save_tiny_model(tmp_path / "base")


def test_the_tokenizer_of_a_base_is_loaded(base):
    """It reads and writes text."""
    tokenizer = load_tokenizer(base)
    assert tokenizer.decode(tokenizer("患者咳嗽。")["input_ids"]) == "患者咳嗽。"


@pytest.mark.parametrize(
    "text",
    [
        None,
        "{",
        "[]",
        '{"version": "1.0"}',
        '{"added_tokens": [], "model": {"type": "Unheard"}}',
        '{"added_tokens": [], "model": {"type": "BPE"}}',
    ],
)
def test_a_tokenizer_that_cannot_be_used_is_refused(base, text):
    """Missing, broken, of an unknown kind, without a word: the error is one line that begins with the folder."""
    file = base / "tokenizer.json"
    file.unlink()
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="its tokenizer cannot be loaded: ") as caught:
        load_tokenizer(base)
    assert str(caught.value).startswith(f"{base}: ")
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_model_is_refused(tmp_path):
    """An empty one, and one that is not there."""
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UserError, match="its tokenizer cannot be loaded: "):
            load_tokenizer(folder)
