"""Settings of all property tests."""

from __future__ import annotations

from hypothesis import settings

# On a machine that does something else as well, the time an example takes says nothing about the code.
settings.register_profile("medner", deadline=None)
settings.load_profile("medner")
