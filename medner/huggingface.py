"""medner in the forms of Hugging Face (docs/huggingface.md): a pipeline's dictionaries, and data sets in and out.

::

    from medner.huggingface import pipeline

    with pipeline("cmeee-v2", preset="fast") as ner:
        print(ner("患者咳嗽三天。"))  # [{"entity_group": "sym", "score": ..., "word": "咳嗽", "start": 2, "end": 4}]

The pipeline needs nothing of Hugging Face; data sets need ``pip install 'medner[huggingface]'``.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypedDict, overload

from medner._annotator import AHEAD
from medner._corpora import read
from medner._documents import Document, Entity
from medner._lazy_annotator import Annotates, LazyAnnotator
from medner.core.errors import BadInputError, UserError

if TYPE_CHECKING:
    import datasets

    from medner.core.labels import LabelSet

__all__ = ["EntityGroup", "MednerPipeline", "from_dataset", "pipeline", "to_dataset"]


class EntityGroup(TypedDict):
    """An entity as token-classification pipelines give it. ``score`` is None where nothing gave a probability."""

    entity_group: str
    score: float | None
    word: str
    start: int
    end: int


def pipeline(
    labels: str | None = None, *, server: str | None = None, key_env: str | None = None, **settings: Any
) -> MednerPipeline:
    """A callable like a token-classification pipeline: the settings of :func:`medner.load`, or a medner server's URL.

    The models are loaded at the first text. UserError for a wrong setting.
    """
    return MednerPipeline(LazyAnnotator({"labels": labels, "server": server, "key_env": key_env, **settings}))


class MednerPipeline:
    """Annotates texts, lists and streams of them, and the rows of data sets. Made by :func:`pipeline`.

    It can be pickled: each process loads its own models.
    """

    def __init__(self, annotator: LazyAnnotator) -> None:
        self._annotator = annotator

    def use(self, annotator: Annotates) -> Self:
        """Annotates with models that are loaded already: a :class:`medner.Annotator`, which the caller closes."""
        self._annotator.use(annotator)
        return self

    @overload
    def __call__(  # type: ignore[overload-overlap]  # a text is a sequence of texts, too
        self, inputs: str, *, batch_size: int = ...
    ) -> list[EntityGroup]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, inputs: Sequence[str], *, batch_size: int = ...
    ) -> list[list[EntityGroup]]: ...
    @overload
    def __call__(self, inputs: Iterable[str], *, batch_size: int = ...) -> Iterator[list[EntityGroup]]: ...
    def __call__(self, inputs: str | Iterable[str], *, batch_size: int = AHEAD) -> Any:
        """The entities of a text; of a list, a list of them; of any other stream, one text's after the other.

        ``batch_size`` texts are read ahead, so that their sentences run together. A blank text has none.
        """
        if isinstance(inputs, str):
            (only,) = self._groups([inputs], 1)
            return only
        found = self._groups(inputs, batch_size)
        return list(found) if isinstance(inputs, Sequence) else found

    def map(
        self,
        dataset: Any,
        *,
        text_column: str = "text",
        column: str = "entities",
        batch_size: int = AHEAD,
        **options: Any,
    ) -> Any:
        """The data set (or each split of a ``DatasetDict``) with a column of entities; ``options`` are its ``map``'s.

        The column is that of :func:`to_dataset`. Rows without a text have no entities.
        """
        if isinstance(dataset, Mapping):
            given = {"text_column": text_column, "column": column, "batch_size": batch_size, **options}
            made: Any = type(dataset)
            return made({name: self.map(split, **given) for name, split in dataset.items()})
        features = None if dataset.features is None else _features(dataset.features, column)
        if features is not None:
            options.setdefault("features", features)
        work = _Column(self._annotator, text_column, column)
        return dataset.map(work, batched=True, batch_size=batch_size, **options)

    def close(self) -> None:
        """Frees the models; ``with`` does it."""
        self._annotator.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _groups(self, texts: Iterable[str], ahead: int) -> Iterator[list[EntityGroup]]:
        return ([_group(one) for one in document.entities] for document in self._annotator.pipe(texts, ahead=ahead))


class _Column:
    """What `map` calls with batches. Its pickle has settings alone, by which `datasets` knows a result again."""

    def __init__(self, annotator: LazyAnnotator, text_column: str, column: str) -> None:
        self._annotator = annotator
        self._text_column = text_column
        self._column = column

    def __call__(self, batch: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
        if self._text_column not in batch:
            raise UserError(f"there is no column {self._text_column!r}; text_column names one of {', '.join(batch)}")
        texts = ["" if text is None else text for text in batch[self._text_column]]
        documents = self._annotator.pipe(texts, ahead=max(1, len(texts)))
        return {self._column: [[_entity_row(one) for one in document.entities] for document in documents]}


def to_dataset(documents: Iterable[Document]) -> datasets.Dataset:
    """The documents as a data set: ``id``, ``text``, and ``entities``, a list of dictionaries a row."""
    found = list(documents)
    columns = {
        "id": [one.id for one in found],
        "text": [one.text for one in found],
        "entities": [[_entity_row(entity) for entity in one.entities] for one in found],
    }
    library = _library()
    text = library.Value("string")
    return library.Dataset.from_dict(columns, features=_features({"id": text, "text": text}, "entities"))


def from_dataset(
    dataset: Iterable[Mapping[str, Any]],
    *,
    text_column: str | None = None,
    id_column: str | None = None,
    labels: str | LabelSet | None = None,
) -> list[Document]:
    """The documents of a data set's rows, every entity checked against its text.

    Rows are read as `medner convert` reads JSON records (docs/formats.md): a text and a list of entities, or tokens and
    tags, whose numbers become names. With ``labels`` Chinese names become codes and other labels are errors.
    BadInputError names the first bad row.
    """
    features = getattr(dataset, "features", None) or {}
    with tempfile.TemporaryDirectory(prefix="medner-") as folder:
        file = Path(folder) / "rows.jsonl"
        with file.open("w", encoding="utf-8") as out:
            for number, row in enumerate(dataset):
                named = {name: _named(value, features.get(name)) for name, value in row.items() if value is not None}
                if not any(key in named for key in ("id", id_column)):
                    named["id"] = f"row-{number}"
                out.write(json.dumps(named, ensure_ascii=False, default=str) + "\n")
        try:
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                found = read(file, labels=labels, text_key=text_column, id_key=id_column)
        except BadInputError as error:
            raise BadInputError(error.reason, path="data set", line=error.line, key=error.key) from error
    for one in told:
        warnings.warn(str(one.message).replace(str(file), "data set"), stacklevel=2)
    return found


def _named(value: Any, feature: Any) -> Any:
    """A value of a data set with names in place of numbers, and lists of objects in place of objects of lists."""
    inner = feature[0] if isinstance(feature, list) else getattr(feature, "feature", None)
    if value is None or feature is None:
        return value
    if hasattr(feature, "int2str"):
        return feature.int2str(value) if isinstance(value, int) and value >= 0 else value
    if isinstance(feature, Mapping) and isinstance(value, Mapping):
        return {key: _named(one, feature.get(key)) for key, one in value.items()}
    if inner is not None and isinstance(value, Mapping) and isinstance(inner, Mapping):
        names = list(value)
        return [_named(dict(zip(names, one, strict=True)), inner) for one in zip(*value.values(), strict=True)]
    return [_named(one, inner) for one in value] if inner is not None else value


def _group(entity: Entity) -> EntityGroup:
    return EntityGroup(
        entity_group=entity.label, score=entity.score, word=entity.text, start=entity.start, end=entity.end
    )


def _entity_row(entity: Entity) -> dict[str, Any]:
    return {
        "start": entity.start,
        "end": entity.end,
        "label": entity.label,
        "text": entity.text,
        "score": entity.score,
        "decision": entity.decision,
    }


def _features(others: Mapping[str, Any], column: str) -> Any:
    """The columns with that of entities: said, because a batch without any would not tell its types."""
    library = _library()
    number, text, real = (library.Value(name) for name in ("int64", "string", "float64"))
    entity = {"start": number, "end": number, "label": text, "text": text, "score": real, "decision": text}
    return library.Features({**others, column: [entity]})


def _library() -> Any:
    try:
        import datasets
    except ImportError as error:
        raise UserError("datasets is missing: data sets need pip install 'medner[huggingface]'") from error
    return datasets
