"""Ray Data on two nodes: what `medner.annotate` finds, also where a node is killed in the middle."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import medner
from medner.ray import ERROR_COLUMN, AnnotateBatches, annotate
from tests.clusters.ray_cluster import TwoNodes, two_nodes
from tests.jobs_kit import wait_for

ray = pytest.importorskip("ray")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

Places = list[tuple[int, int, str]]
_FILES = 6


@pytest.fixture(scope="module")
def cluster() -> Iterator[TwoNodes]:
    """Two nodes; a test that kills one leaves the other."""
    with two_nodes() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, notes: list[str]) -> Path:
    """The notes in Parquet files, as a hospital's lake has them."""
    folder = tmp_path_factory.mktemp("notes")
    for number in range(_FILES):
        rows = list(range(number, len(notes), _FILES))
        table = pa.table({"id": rows, "note": [notes[row] for row in rows], "ward": ["七"] * len(rows)})
        pq.write_table(table, folder / f"{number}.parquet")
    return folder


def _places(row: dict[str, Any]) -> Places:
    return [(one["start"], one["end"], one["label"]) for one in row["entities"]]


def test_wrong_settings_are_told_before_anything_runs(cluster: TwoNodes) -> None:
    """On the driver, as medner's own error; a wrong column when the first batch comes, with the way out."""
    rows = ray.data.from_items([{"note": "咳嗽。"}])
    with pytest.raises(medner.UserError, match="preset"):
        annotate(rows, preset="none")
    with pytest.raises(Exception, match="text_column names one of note"):
        annotate(rows).take_all()
    with pytest.warns(UserWarning, match="take 4 of the cluster's 4 cores"):
        annotate(rows, text_column="note", concurrency=4)


def test_two_nodes_find_what_annotate_finds(
    cluster: TwoNodes, folder: Path, tmp_path: Path, settings: dict[str, Any], expected: dict[str, Places]
) -> None:
    """With two actors, from Parquet to Parquet; all other columns are kept."""
    data = ray.data.read_parquet(str(folder)).repartition(_FILES)
    annotate(data, text_column="note", concurrency=2, batch_size=8, **settings).write_parquet(str(tmp_path))
    rows = pq.read_table(tmp_path).to_pylist()
    assert sorted(row["id"] for row in rows) == list(range(len(expected)))
    assert {row["note"]: _places(row) for row in rows} == expected
    assert {(row["ward"], row[ERROR_COLUMN]) for row in rows} == {("七", None)}


def test_a_node_killed_in_the_middle_changes_nothing(
    cluster: TwoNodes, folder: Path, tmp_path: Path, settings: dict[str, Any], expected: dict[str, Places]
) -> None:
    """Its batches are done again on the node that is left: every row is there once, with the same entities."""
    log = tmp_path / "batches"

    class Logged(AnnotateBatches):
        """Slow, so that there is a middle, and leaves a line a batch: on which node it ran."""

        def __call__(self, batch: Any) -> Any:
            found = super().__call__(batch)
            with log.open("a", encoding="utf-8") as lines:
                lines.write(f"{ray.get_runtime_context().get_node_id()}\n")
            time.sleep(0.5)
            return found

    def batches(node: str | None = None) -> int:
        lines = log.read_text(encoding="utf-8").split() if log.exists() else []
        return len(lines if node is None else [line for line in lines if line == node])

    killed_at: list[int] = []

    def kill_in_the_middle() -> None:
        wait_for(lambda: batches(cluster.second.node_id) >= 2, patience_s=300)
        killed_at.append(batches())
        cluster.kill_second()

    killer = threading.Thread(target=kill_in_the_middle)
    killer.start()
    data = ray.data.read_parquet(str(folder)).repartition(_FILES)
    annotated = data.map_batches(
        Logged,
        fn_constructor_kwargs={"text_column": "note", **settings},
        batch_format="pyarrow",
        batch_size=2,
        num_cpus=1,
        concurrency=2,
    )
    rows = annotated.take_all()
    killer.join()
    whole = len(expected) // 2
    assert killed_at[0] < whole - 2, "the node was killed when nothing was left to do"
    assert batches() > whole, "nothing was done again"
    assert [node["Alive"] for node in ray.nodes()].count(True) == 1
    assert sorted(row["id"] for row in rows) == list(range(len(expected)))
    assert {row["note"]: _places(row) for row in rows} == expected
