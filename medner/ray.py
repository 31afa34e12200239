"""medner on a Ray cluster (docs/clusters.md): annotates data sets of Ray Data. Needs ``pip install 'medner[ray]'``.

::

    import ray.data
    from medner.ray import annotate

    notes = ray.data.read_parquet("notes/")
    annotate(notes, "cmeee-v2", text_column="note", concurrency=4).write_parquet("out/")

Ray reports its use to its makers unless ``RAY_USAGE_STATS_ENABLED`` is 0. Importing this module sets that variable, if
it is not set, for the cluster that `ray.init` starts in this process; set it yourself where you run `ray start`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from medner._annotator import AHEAD
from medner._documents import Document, Entity
from medner._lazy_annotator import Annotates, LazyAnnotator
from medner.core.characters import is_blank
from medner.core.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa
    import ray.data

__all__ = ["ERROR_COLUMN", "AnnotateBatches", "annotate"]

#: Says in words what is wrong with a row's text or result; null where nothing is.
ERROR_COLUMN = "medner_error"
#: What is told of an entity, by Arrow's types. Offsets count code points, the end is exclusive.
_FIELDS = {
    "start": "int64",
    "end": "int64",
    "label": "string",
    "label_name": "string",
    "text": "string",
    "score": "float64",
    "decision": "string",
}

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


class AnnotateBatches:
    """An actor class for ``Dataset.map_batches(..., batch_format="pyarrow")``: a table in, a table out.

    ``settings`` are those of :func:`medner.load`, or ``server`` (a medner server's URL) with ``key_env``. Each actor
    loads its models at its first batch. All columns are kept; ``column`` (a list of entities a row) and
    ``medner_error`` are added. With ``flat`` the table has a row an entity, with columns ``entity_start``,
    ``entity_end`` ... in place of the text. Rows without an entity are left out there, but for those with an error.
    """

    def __init__(
        self,
        labels: str | None = None,
        *,
        text_column: str = "text",
        column: str = "entities",
        flat: bool = False,
        **settings: Any,
    ) -> None:
        self._annotator = LazyAnnotator({"labels": labels, **settings})
        self._text_column = text_column
        self._column = column
        self._flat = flat

    def __call__(self, batch: pa.Table) -> pa.Table:
        """The table with the entities of its texts. UserError where it has no column of texts of that name."""
        given = self._given(batch)
        texts = [_text(value) for value in given]
        documents = self._documents([text or "" for text in texts])
        errors = [_error(*row) for row in zip(given, texts, documents, strict=True)]
        if self._flat:
            return _flat_table(batch.drop_columns([self._text_column]), documents, errors)
        entities = [
            None if text is None else [_values(one) for one in document.entities]
            for text, document in zip(texts, documents, strict=True)
        ]
        return _with_columns(batch.schema, batch.columns, {self._column: entities, ERROR_COLUMN: errors})

    def use(self, annotator: Annotates) -> Self:
        """Annotates with models that are loaded already: a :class:`medner.Annotator`, which the caller closes."""
        self._annotator.use(annotator)
        return self

    def _given(self, batch: pa.Table) -> list[bytes | None]:
        """The texts as bytes: a column of another program may hold what is no UTF-8."""
        arrow = _arrow()
        if not isinstance(batch, arrow.Table):
            raise UserError(f"a batch must be an Arrow table, got {type(batch).__name__}: set batch_format='pyarrow'")
        names, text = batch.column_names, self._text_column
        if text not in names:
            raise UserError(f"there is no column {text!r}; text_column names one of {', '.join(names)}")
        added = [f"entity_{name}" for name in _FIELDS] if self._flat else [self._column]
        for name in (*added, ERROR_COLUMN):
            if name in names:
                raise UserError(f"there is a column {name!r} already; rename it (Dataset.rename_columns)")
        column = batch.column(text)
        if arrow.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if arrow.types.is_null(column.type) or arrow.types.is_string_view(column.type):
            column = column.cast(arrow.string())
        is_text = (arrow.types.is_string, arrow.types.is_large_string, arrow.types.is_binary)
        if not any(check(column.type) for check in is_text):
            raise UserError(f"column {text!r} holds {column.type}; text_column names a column of texts")
        found: list[bytes | None] = column.cast(arrow.large_binary()).to_pylist()
        return found

    def _documents(self, texts: Sequence[str]) -> list[Document]:
        return list(self._annotator.pipe(texts, ahead=AHEAD)) if texts else []


def annotate(
    dataset: ray.data.Dataset,
    labels: str | None = None,
    *,
    concurrency: int | tuple[int, int] = 1,
    batch_size: int = AHEAD,
    ray_options: dict[str, Any] | None = None,
    **settings: Any,
) -> ray.data.Dataset:
    """The data set with the entities of its texts. ``settings`` are those of :class:`AnnotateBatches`.

    ``concurrency`` actors annotate, or from so many to so many; each takes a core (``ray_options={"num_cpus": 2}``
    for two). ``ray_options`` are other arguments of ``Dataset.map_batches``. UserError, before anything runs, for a
    wrong setting.
    """
    try:
        from ray.data import ActorPoolStrategy
    except ImportError as error:
        raise UserError("ray is missing: data sets of Ray need pip install 'medner[ray]'") from error
    AnnotateBatches(labels, **settings)
    smallest, largest = (concurrency, concurrency) if isinstance(concurrency, int) else concurrency
    options: dict[str, Any] = {"num_cpus": 1, **(ray_options or {})}
    _warn_of_no_core_left(smallest * float(options["num_cpus"]))
    return dataset.map_batches(
        AnnotateBatches,
        fn_constructor_args=(labels,),
        fn_constructor_kwargs=settings,
        batch_format="pyarrow",
        batch_size=batch_size,
        compute=ActorPoolStrategy(min_size=smallest, max_size=largest),
        **options,
    )


def _warn_of_no_core_left(cores: float) -> None:
    """Ray does not run tasks that read and write beside actors that hold every core: nothing would ever happen."""
    import ray

    all_cores = ray.cluster_resources().get("CPU", 0) if ray.is_initialized() else 0
    if 0 < all_cores < cores + 1:
        warnings.warn(
            f"the actors take {cores:g} of the cluster's {all_cores:g} cores, and reading and writing need one too: "
            "the run waits until there is one. Lower concurrency, or add a node",
            stacklevel=3,
        )


def _text(given: bytes | None) -> str | None:
    """The text of a row; None where it has none."""
    try:
        return None if given is None else given.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _error(given: bytes | None, text: str | None, document: Document) -> str | None:
    """Why a row has no result, or not a whole one."""
    if given is None:
        return "there is no text (null)"
    if text is None:
        return "the text is not UTF-8"
    if is_blank(text):
        return "the text is blank"
    if document.complete:
        return None
    return "; ".join(document.failures) or "a sentence has no result"


def _values(entity: Entity) -> dict[str, Any]:
    return {name: getattr(entity, name) for name in _FIELDS}


def _with_columns(fields: Sequence[pa.Field], arrays: Sequence[Any], columns: dict[str, list[Any]]) -> pa.Table:
    """The columns with new ones, whose types are the same for every batch, also for one without entities."""
    arrow = _arrow()
    types = {name: getattr(arrow, kind)() for name, kind in _FIELDS.items()}
    known = {ERROR_COLUMN: arrow.string(), **{f"entity_{name}": kind for name, kind in types.items()}}
    entities = arrow.list_(arrow.struct(list(types.items())))
    added = [arrow.field(name, known.get(name, entities)) for name in columns]
    made = [arrow.array(values, field.type) for values, field in zip(columns.values(), added, strict=True)]
    return arrow.Table.from_arrays([*arrays, *made], schema=arrow.schema([*fields, *added]))


def _flat_table(kept: pa.Table, documents: Sequence[Document], errors: Sequence[str | None]) -> pa.Table:
    """A row an entity, and one for a document without any where something is wrong with it."""
    rows: list[tuple[int, Entity | None]] = []
    for number, (document, error) in enumerate(zip(documents, errors, strict=True)):
        rows += [(number, entity) for entity in document.entities]
        if error is not None and not document.entities:
            rows.append((number, None))
    numbers = [number for number, _ in rows]
    columns = {
        f"entity_{name}": [None if entity is None else getattr(entity, name) for _, entity in rows] for name in _FIELDS
    }
    columns[ERROR_COLUMN] = [errors[number] for number in numbers]
    places = _arrow().array(numbers, _arrow().int64())
    return _with_columns(kept.schema, [column.take(places) for column in kept.columns], columns)


def _arrow() -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise UserError("pyarrow is missing: data sets of Ray need pip install 'medner[ray]'") from error
    return pyarrow
