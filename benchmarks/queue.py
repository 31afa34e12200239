"""Runs benchmarks/job_queue.py, and stays out of the way of Python's own module of this name.

A script's folder comes first on the path, so the scripts beside this file that need Python's ``queue`` find this one.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from runpy import run_path

if __name__ == "__main__":
    run_path(str(Path(__file__).with_name("job_queue.py")), run_name="__main__")
else:
    here, name = sys.path.pop(0), __name__
    del sys.modules[name]
    sys.modules[name] = import_module(name)
    sys.path.insert(0, here)
