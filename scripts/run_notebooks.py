"""Runs notebooks and writes their outputs into them: real ones, small, without a trace of the machine.

    python scripts/run_notebooks.py examples/annotate.ipynb

Each runs in its own folder, as in Jupyter; files that it writes there are left. Needs nbclient, ipykernel and
matplotlib, and the base models.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient


def executed(notebook: Path, folder: Path, *, timeout_s: int = 600) -> Any:
    """The notebook as it is after its cells ran in ``folder``, from the top; an error of a cell is raised."""
    node: Any = nbformat.reads(notebook.read_text(encoding="utf-8"), as_version=4)  # type: ignore[no-untyped-call]
    client = NotebookClient(
        node, timeout=timeout_s, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    for cell in node.cells:
        cell.metadata.pop("execution", None)  # when each cell ran
    node.metadata["language_info"] = {"name": "python"}
    return node


def main() -> None:
    """The command."""
    if not sys.argv[1:]:
        sys.exit("which notebooks? python scripts/run_notebooks.py examples/annotate.ipynb")
    for name in sys.argv[1:]:
        path = Path(name)
        text = nbformat.writes(executed(path, path.parent))  # type: ignore[no-untyped-call]
        path.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
