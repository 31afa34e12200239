"""Runs the benchmark of benchmarks/job_queue/, and stays out of the way of Python's own module of this name.

A script's folder comes first on the path: the modules of the benchmark are found there, and the scripts beside this
file that need Python's ``queue`` find this one.
"""

from __future__ import annotations

import sys
from importlib import import_module

if __name__ == "__main__":
    import asyncio

    from job_queue.command import main

    asyncio.run(main())
else:
    here, name = sys.path.pop(0), __name__
    del sys.modules[name]
    sys.modules[name] = import_module(name)
    sys.path.insert(0, here)
