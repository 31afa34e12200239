"""What a key allows: reading, and beside it submitting, reviewing, or everything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from medner.core.errors import UserError


class Scope(StrEnum):
    """``read``: jobs, results, traces. ``submit``: jobs too. ``review``: decide conflicts too. ``admin``: all."""

    READ = "read"
    SUBMIT = "submit"
    REVIEW = "review"
    ADMIN = "admin"


ALL = frozenset(Scope)


def granted(scopes: Iterable[Scope]) -> frozenset[Scope]:
    """The scopes with those that they bring: each brings ``read``, ``admin`` brings all."""
    named = frozenset(scopes)
    return ALL if Scope.ADMIN in named else named | {Scope.READ} if named else named


def scopes_in(words: str) -> frozenset[Scope]:
    """The scopes of a comma list. UserError for a word that is none."""
    found = [word.strip() for word in words.replace("，", ",").split(",")]
    wrong = [word for word in found if word not in tuple(Scope)]
    if wrong:
        raise UserError(f"--scopes: there is no scope {wrong[0]!r}; there are {', '.join(Scope)}")
    return frozenset(map(Scope, found))


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request: the key's name ("" where no key is needed) and what it may do."""

    name: str
    scopes: frozenset[Scope]


#: Everybody, where no key is needed.
ANYONE = Caller("", ALL)
