"""From annotated files to a tagger's training examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medner.agents.engines.local.chat import ChatTokens
from medner.core.errors import UserError
from medner.core.labels import LabelSet
from medner.core.records import Document
from medner.store.corpora import NO_OPTIONS, ReadOptions, read_all_documents
from medner.training.sentences import annotated_sentences, sentence_texts
from medner.training.taggers.examples import Example, tagger_example


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Examples, and what became of the documents and sentences they were made from.

    ``excluded`` counts documents, ``too_long`` sentences, ``torn`` the entities that lie in no single sentence.
    """

    examples: tuple[Example, ...]
    documents: int
    excluded: int
    too_long: int
    torn: int

    @property
    def tokens(self) -> int:
        """Tokens an epoch, padding not counted."""
        return sum(map(len, self.examples))


@dataclass(frozen=True, slots=True)
class TaskForm:
    """How a task is put to a model: its label set, the answer's strategy, the prompt's style."""

    labels: LabelSet
    strategy: str
    style: str = "brief"


def training_data(
    tokenizer: Any,
    files: Sequence[Path],
    form: TaskForm,
    *,
    exclude: Sequence[Path] = (),
    max_tokens: int = 448,
    options: ReadOptions = NO_OPTIONS,
) -> TrainingData:
    """The examples of some annotated files: the sentences that an annotation run would cut, each text once.

    Documents whose text stands in a file of ``exclude`` (test sets) are left out, sentences that stand in one of its
    documents too, and so are examples of more than ``max_tokens``: a few very long ones would take most of the time.
    UserError when nothing is left.
    """
    unseen = list(read_all_documents(exclude, labels=form.labels, options=options))
    forbidden = {document.text for document in unseen}
    sentences_unseen = sentence_texts(unseen, join_lines=options.join_lines)
    sentences: dict[str, Document] = {}
    seen: set[str] = set()
    excluded = torn = 0
    for document in read_all_documents(files, labels=form.labels, options=options):
        if document.text in forbidden:
            excluded += 1
        elif document.text not in seen:
            seen.add(document.text)
            cut, lost = annotated_sentences(document, join_lines=options.join_lines)
            torn += lost
            for sentence in cut:
                if sentence.text not in sentences_unseen:
                    sentences.setdefault(sentence.text, sentence)
    chat = ChatTokens(tokenizer)
    made = [
        tagger_example(chat, sentence, strategy=form.strategy, style=form.style, labels=form.labels)
        for sentence in sentences.values()
    ]
    examples = tuple(example for example in made if len(example) <= max_tokens)
    if not examples:
        raise UserError(
            f"no example is left of {len(made)} ({excluded} documents excluded): all are longer than {max_tokens} "
            "tokens; --max-tokens allows longer ones"
        )
    return TrainingData(examples, len(seen), excluded, len(made) - len(examples), torn)
