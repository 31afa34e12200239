"""The component: annotates Docs, puts the entities on their tokens, and says which do not fit."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Literal, cast, get_args

from spacy.language import Language
from spacy.scorer import Scorer
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import raise_error

from medner._annotator import AHEAD
from medner._documents import Document
from medner._lazy_annotator import Annotates, LazyAnnotator
from medner.core.characters import is_blank
from medner.core.errors import UserError
from medner.spacy.extensions import entity_data, record, register

#: What becomes of an entity that cuts a token: no span, the whole tokens, or the tokens inside it.
Alignment = Literal["strict", "expand", "contract"]


class MednerComponent:
    """Annotates Docs. The models are loaded at the first text, once a process; ``use`` hands in loaded ones.

    ``misaligned`` counts the entities so far that cut a token.
    """

    def __init__(
        self,
        name: str,
        settings: Mapping[str, Any],
        *,
        spans_key: str = "medner",
        alignment: Alignment = "strict",
        set_ents: bool = True,
        overwrite_ents: bool = False,
    ) -> None:
        if alignment not in get_args(Alignment):
            raise UserError(f"alignment: must be one of {', '.join(get_args(Alignment))}, got {alignment!r}")
        if not spans_key:
            raise UserError("spans_key: must be a name, for example 'medner'")
        self.name = name
        self.spans_key = spans_key
        self.alignment = alignment
        self.set_ents = set_ents
        self.overwrite_ents = overwrite_ents
        self.misaligned = 0
        self._annotator = LazyAnnotator(settings)
        self._error_handler: Any = raise_error
        register()

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that annotate."""
        return dict(self._annotator.settings)

    def use(self, annotator: Annotates) -> None:
        """Annotates with models that are loaded already: a :class:`medner.Annotator`, which the caller closes."""
        self._annotator.use(annotator)

    def __call__(self, doc: Doc) -> Doc:
        """The Doc with its entities."""
        (annotated,) = self._annotated((doc,), 1)
        return annotated

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = AHEAD) -> Iterator[Doc]:
        """The Docs in order, with their entities. At most ``batch_size`` are read ahead, and no more than 64.

        A Doc that fails goes to the pipeline's error handler alone.
        """
        docs = iter(stream)
        while True:
            waiting: deque[Doc] = deque()
            try:
                yield from self._annotated(docs, min(batch_size, AHEAD), waiting)
                return
            except Exception as error:
                if not waiting:
                    raise  # of the stream itself: another component's
                self._error_handler(self.name, self, [waiting.popleft()], error)
                docs = chain(waiting, docs)

    def _annotated(self, docs: Iterable[Doc], ahead: int, waiting: deque[Doc] | None = None) -> Iterator[Doc]:
        queue = deque[Doc]() if waiting is None else waiting

        def texts() -> Iterator[str]:
            for doc in docs:
                queue.append(doc)
                yield doc.text

        for document in self._annotator.pipe(texts(), ahead=ahead):
            doc = self._written(queue[0], document)
            queue.popleft()
            yield doc

    def _written(self, doc: Doc, document: Document) -> Doc:
        spans: dict[tuple[int, int, str], Span] = {}
        scores: dict[tuple[int, int, str], float] = {}
        data: list[dict[str, Any]] = []
        for entity in document.entities:
            span = doc.char_span(entity.start, entity.end, label=entity.label, alignment_mode=self.alignment)
            if span is None or is_blank(span.text):
                data.append(entity_data(entity, None))
                continue
            data.append(entity_data(entity, (span.start_char, span.end_char)))
            place = (span.start, span.end, entity.label)
            spans.setdefault(place, span)  # two that cut the same tokens become one
            scores[place] = max(scores.get(place, 0.0), entity.score or 0.0)
        record(doc, document, data)
        doc.spans[self.spans_key] = list(spans.values())
        if self.set_ents:
            ranked = sorted(spans, key=lambda place: (place[0] - place[1], -scores[place], place[0], place[2]))
            self._set_ents(doc, [spans[place] for place in ranked])
        self._tell(doc)
        return doc

    def _set_ents(self, doc: Doc, ranked: Sequence[Span]) -> None:
        """Those that fit beside the entities that were there and the better ranked ones."""
        kept = [] if self.overwrite_ents else list(doc.ents)
        taken = {at for span in kept for at in range(span.start, span.end)}
        for span in ranked:
            places = range(span.start, span.end)
            if taken.isdisjoint(places):
                kept.append(span)
                taken.update(places)
        doc.set_ents(kept)

    def _tell(self, doc: Doc) -> None:
        count = len(doc._.medner_misaligned)
        if count and not self.misaligned:
            kept = "have no span" if self.alignment == "strict" else "have the span of other tokens, or none"
            warnings.warn(
                f"[{self.name}] entities that cut a token {kept} ({count} in this Doc): doc._.medner_misaligned has "
                "them. The character segmenter of spacy.blank('zh') cuts none; alignment='expand' takes whole tokens. "
                f"This is said once; nlp.get_pipe({self.name!r}).misaligned counts on",
                stacklevel=2,
            )
        self.misaligned += count

    def set_error_handler(self, handler: Any) -> None:
        """What gets a Doc that fails; spaCy calls it."""
        self._error_handler = handler

    def get_error_handler(self) -> Any:
        """What gets a Doc that fails."""
        return self._error_handler

    def score(self, examples: Iterable[Example], **settings: Any) -> dict[str, Any]:
        """Precision, recall and F1 of ``doc.spans``, nested ones included: what `nlp.evaluate` asks for."""
        key = f"spans_{self.spans_key}"
        settings.setdefault("allow_overlap", True)
        settings.setdefault("getter", lambda doc, _: doc.spans.get(self.spans_key, ()))
        settings.setdefault("has_annotation", lambda doc: self.spans_key in doc.spans)
        return dict(Scorer.score_spans(list(examples), key, **settings))

    # spaCy calls these four for every component. What there is to keep is in the pipeline's config.

    def to_disk(self, path: object, *, exclude: Sequence[str] = ()) -> None:
        """Writes nothing."""

    def from_disk(self, path: object, *, exclude: Sequence[str] = ()) -> MednerComponent:
        """The component as the pipeline's config made it."""
        return self

    def to_bytes(self, *, exclude: Sequence[str] = ()) -> bytes:
        """Nothing."""
        return b""

    def from_bytes(self, data: bytes, *, exclude: Sequence[str] = ()) -> MednerComponent:
        """The component as the pipeline's config made it."""
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_error_handler": raise_error}  # the pipeline's own cannot be pickled

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        register()


@Language.factory(  # type: ignore[untyped-decorator]
    "medner",
    assigns=["doc.spans", "doc.ents", "doc._.medner_entities", "doc._.medner_conflicts", "span._.medner_score"],
    default_score_weights={"spans_medner_f": 1.0, "spans_medner_p": 0.0, "spans_medner_r": 0.0},
)
def make_component(  # noqa: PLR0913, PLR0917  the keys of a pipeline's config
    nlp: Language,  # noqa: ARG001  spaCy hands it in
    name: str,
    labels: str | None = None,
    taggers: str | list[str] | None = None,
    judge: str | dict[str, Any] | None = None,
    filter: str | None = None,  # noqa: A002  the setting's name
    model: str | None = None,
    preset: str | None = None,
    dtype: str | None = None,
    config: str | None = None,
    exemplars: str | None = None,
    servers: list[str] | None = None,
    answers: list[str] | None = None,
    max_chars: int | None = None,
    join_lines: bool | None = None,
    server: str | None = None,
    key_env: str | None = None,
    spans_key: str = "medner",
    alignment: str = "strict",
    set_ents: bool = True,
    overwrite_ents: bool = False,
) -> MednerComponent:
    """The component of a pipeline. Its settings are those of :func:`medner.load`, or of a server with its URL.

    ``key_env``: the environment variable that holds the server's key. The last four say how entities become spans.
    """
    settings = {
        "labels": labels,
        "taggers": taggers,
        "judge": judge,
        "filter": filter,
        "model": model,
        "preset": preset,
        "dtype": dtype,
        "config": config,
        "exemplars": exemplars,
        "servers": servers,
        "answers": answers,
        "max_chars": max_chars,
        "join_lines": join_lines,
        "server": server,
        "key_env": key_env,
    }
    return MednerComponent(
        name,
        settings,
        spans_key=spans_key,
        alignment=cast(Alignment, alignment),  # checked there, with a message
        set_ents=set_ents,
        overwrite_ents=overwrite_ents,
    )
