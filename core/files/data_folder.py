"""Where medner keeps what outlives a run."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_data_dir

from medner.core.environment import CACHE, HOME, variable


def data_folder() -> Path:
    """``$MEDNER_HOME``, else medner's folder in the user's data folder. Need not exist."""
    home = variable(HOME)
    return Path(home).expanduser() if home else Path(user_data_dir("medner", appauthor=False))


def cache_folder() -> Path:
    """Where medner keeps what it can make again: ``$MEDNER_CACHE``, else the data folder. Need not exist."""
    cache = variable(CACHE)
    return Path(cache).expanduser() if cache else data_folder()
