"""Settings of all property tests, and what runs beside what."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

import pytest
from hypothesis import settings

# Integer weights of tiny models and a busy machine's measurement do not belong into the user's own folder.
if "MEDNER_CACHE" not in os.environ:
    os.environ["MEDNER_CACHE"] = tempfile.mkdtemp(prefix="medner-cache-")
    atexit.register(shutil.rmtree, os.environ["MEDNER_CACHE"], ignore_errors=True)

# On a machine that does something else as well, the time an example takes says nothing about the code.
settings.register_profile("medner", deadline=None)
settings.load_profile("medner")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With several processes (`make test WORKERS=2`): a file in one of them, and the real models in one as well.

    Two default pipelines at once may not fit into memory.
    """
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            group = "model" if item.get_closest_marker("model") else str(item.path)
            item.add_marker(pytest.mark.xdist_group(group))
