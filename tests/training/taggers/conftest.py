"""A tiny base model, and examples for it."""

import pytest

from medner.agents.engines.local.chat import ChatTokens
from medner.training.taggers.examples import tagger_example
from tests.tiny_model import save_tiny_model

pytest.importorskip("torch")
from tests.training.taggers.runs_kit import DOCUMENTS, LABELS


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_tiny_model(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def examples(base):
    from transformers import AutoTokenizer

    chat = ChatTokens(AutoTokenizer.from_pretrained(base))
    return [tagger_example(chat, one, strategy="symbol", style="brief", labels=LABELS) for one in DOCUMENTS]
