"""Tokens that entities cut are read character by character, in training and in serving."""

import asyncio

import pytest

from medner.core.records import Document, Entity, Sentence
from tests.tiny_model import byte_level_tokenizer, save_tiny_model

torch = pytest.importorskip("torch")
from medner.agents.engines.local.engine import LocalEngine
from medner.agents.engines.local.model import LocalModel
from medner.agents.engines.local.vocabulary import Vocabulary
from medner.agents.taggers.spans.alignment import align
from medner.agents.taggers.spans.head import SpanHead, SpanShape
from medner.agents.taggers.spans.settings import SpanSettings, load_span_tagger, read_settings
from medner.core.labels import load_label_set
from medner.training.spans.split_tokens import split_tokens

LABELS = load_label_set("cmeee-v2")
#: The tiny tokenizer has the token 扁桃体 whole.
TEXT = "双侧扁桃体红肿"


@pytest.fixture(scope="module")
def vocabulary():
    tokenizer = byte_level_tokenizer()
    return Vocabulary(tokenizer, frozenset({tokenizer.eos_token_id}))


def whole_tokens(vocabulary, text):
    """The tokens of a text that are several whole characters."""
    aligned = align(text, vocabulary.encode, vocabulary.data)
    pieces = [vocabulary.data(token).decode("utf-8", "replace") for token in aligned.tokens]
    return [piece for piece in pieces if len(piece) > 1 and "\ufffd" not in piece]


def test_a_token_that_entities_cut_twice_is_found(vocabulary):
    """An entity that ends inside a token cuts it; one place in the data is not enough, two are."""
    token = whole_tokens(vocabulary, TEXT)[0]
    at = TEXT.index(token)
    cut = Document("d", TEXT, (Entity(0, at + 1, "bod"),))
    whole = Document("w", TEXT, (Entity(at, at + len(token), "bod"),))
    assert split_tokens([cut], vocabulary.encode, vocabulary.data) == ()
    assert split_tokens([whole, whole], vocabulary.encode, vocabulary.data) == ()
    assert split_tokens([cut, whole, cut], vocabulary.encode, vocabulary.data) == (token,)


def test_a_split_token_gives_each_character_its_own(vocabulary):
    """Every character of a split token is at a token of its own; the text is still all there."""
    token = whole_tokens(vocabulary, TEXT)[0]
    aligned = align(TEXT, vocabulary.encode, vocabulary.data, split=frozenset({token}))
    at = TEXT.index(token)
    assert len(set(aligned.token_of[at : at + len(token)])) == len(token)
    assert vocabulary.data_of(aligned.tokens) == TEXT.encode()


def test_a_tagger_reads_as_it_was_trained(vocabulary, tmp_path):
    """The tokens to split travel in span.json to the served tagger, which then reads more tokens."""
    base = save_tiny_model(tmp_path / "base")
    token = whole_tokens(vocabulary, TEXT)[0]
    engine = LocalEngine(LocalModel(base, {}, dtype=torch.float32))
    counts = []
    for name, split in (("whole", ()), ("split", (token,))):
        folder = tmp_path / name
        folder.mkdir()
        SpanSettings(types=LABELS.codes, two_way_from=0, split_tokens=split).save(folder)
        torch.manual_seed(0)
        SpanHead(SpanShape(64, len(LABELS.codes))).save(folder)
        assert read_settings(folder).split_tokens == split
        tagger = load_span_tagger(folder, name=name, adapter=None, encoder=engine, labels=LABELS)
        counts.append(asyncio.run(tagger.tag(Sentence("s#0", TEXT))).cost.prompt_tokens)
    assert counts[1] > counts[0]
