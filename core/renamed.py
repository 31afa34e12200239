"""Keys and options that have another name than in version 0.1.0: both are read for one more version."""

from __future__ import annotations

#: The keys of taggers, in configuration files and in the frozen configurations of jobs, by their old names.
TAGGER_KEYS = {"said": "answers"}
#: The settings of `import medner`, and the options of commands with two hyphens before them.
SETTINGS = {"said": "answers"}


def renamed_note(old: str, new: str) -> str:
    """What a user of the old name is told."""
    return f"{old} is called {new} now; {old} is read for one more version"
