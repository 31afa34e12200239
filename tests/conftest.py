"""Settings of all property tests."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

from hypothesis import settings

# Integer weights of tiny models and a busy machine's measurement do not belong into the user's own folder.
if "MEDNER_CACHE" not in os.environ:
    os.environ["MEDNER_CACHE"] = tempfile.mkdtemp(prefix="medner-cache-")
    atexit.register(shutil.rmtree, os.environ["MEDNER_CACHE"], ignore_errors=True)

# On a machine that does something else as well, the time an example takes says nothing about the code.
settings.register_profile("medner", deadline=None)
settings.load_profile("medner")
