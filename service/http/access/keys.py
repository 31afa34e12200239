"""API keys: who may use the server. A file keeps their salted hashes; a key itself is shown once and kept nowhere.

A key is 256 random bits, which nobody can guess, so that a fast hash is as good as a slow one: there is no weak key
to try out. The file is read anew when it changes; keys come and go without a restart.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medner.core.environment import API_KEYS, variable
from medner.core.errors import UserError
from medner.core.files.data_folder import data_folder
from medner.core.files.locks import exclusive
from medner.core.validation import complaint
from medner.service.http.scopes import ALL, Scope, granted

_PREFIX = "medner_"


class StoredKey(BaseModel):
    """A key as the file has it. One without ``scopes`` is of a time without them: it may do everything."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = Field(pattern=r"^[\w.@-]{1,64}$")
    salt: str = Field(pattern=r"^[0-9a-f]{32}$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    added: datetime
    scopes: tuple[Scope, ...] = Field(default=tuple(Scope), min_length=1)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    keys: tuple[StoredKey, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyFile:
    """The file of the keys, which may not be there."""

    path: Path

    def stored(self) -> tuple[StoredKey, ...]:
        """The keys of the file, none where there is no file. UserError for one that is damaged."""
        try:
            return _File.model_validate_json(self.path.read_bytes()).keys
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise UserError(f"{self.path}: cannot be read: {error.strerror}") from error
        except ValidationError as error:
            reason, key = complaint(error)
            raise UserError(f"{self.path}: {key or 'the file'}: {reason}; medner serve keys writes it") from error

    def add(self, name: str, scopes: Iterable[Scope] = ALL) -> str:
        """Makes a key of a name and gives it, this once. UserError for a name that has one, or that is none."""
        allowed = tuple(one for one in Scope if one in granted(scopes))
        key = _PREFIX + secrets.token_urlsafe(32)
        salt = secrets.token_hex(16)
        try:
            hashed = _hashed(salt, key)
            stored = StoredKey(name=name, salt=salt, sha256=hashed, added=datetime.now(UTC), scopes=allowed)
        except ValidationError as error:
            raise UserError(f"{name!r}: a name has 1 to 64 letters, digits, or . _ @ -") from error
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(self.path.with_suffix(".lock"), lambda: None):
            known = self.stored()
            if any(one.name == name for one in known):
                raise UserError(f"{name!r} has a key already; remove it first: medner serve keys remove {name}")
            self._write((*known, stored))
        return key

    def remove(self, name: str) -> int:
        """Takes a name's key away; how many are left. UserError where the name has none."""
        with exclusive(self.path.with_suffix(".lock"), lambda: None):
            known = self.stored()
            left = tuple(one for one in known if one.name != name)
            if len(left) == len(known):
                names = ", ".join(one.name for one in known) or "none"
                raise UserError(f"{name!r} has no key; there are: {names}")
            self._write(left)
        return len(left)

    def _write(self, keys: tuple[StoredKey, ...]) -> None:
        part = self.path.with_suffix(f".{os.getpid()}.part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(_File(keys=keys).model_dump_json(indent=2) + "\n")
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.path)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise


class KeyRing:
    """The keys of a file as they are now. ``needed``: requests are to have one.

    Without a file, none is needed; once there is one, or where ``required``, nobody gets in without, also when the
    file is emptied, damaged or taken away.
    """

    def __init__(self, file: KeyFile, *, required: bool = False) -> None:
        self._file = file
        self._required = required
        self._stamp: tuple[int, int, int] | None = None
        self._keys: tuple[StoredKey, ...] = ()

    @property
    def needed(self) -> bool:
        """Whether requests need a key."""
        self._refresh()
        return self._required

    def owner(self, key: str) -> str | None:
        """The name of a key, None where it is none. Takes the same time for every wrong key."""
        self._refresh()
        found = None
        for one in self._keys:
            if hmac.compare_digest(_hashed(one.salt, key), one.sha256):
                found = one.name
        return found

    def scopes_of(self, name: str) -> frozenset[Scope]:
        """What the key of a name may do; nothing where the name has none."""
        self._refresh()
        return next((granted(one.scopes) for one in self._keys if one.name == name), frozenset())

    def _refresh(self) -> None:
        try:
            facts = self._file.path.stat()
        except OSError:
            self._stamp, self._keys = None, ()
            return
        stamp = (facts.st_mtime_ns, facts.st_ino, facts.st_size)
        if stamp == self._stamp:
            return
        self._required, self._stamp, self._keys = True, stamp, ()
        with suppress(UserError):
            self._keys = self._file.stored()


def key_file() -> KeyFile:
    """The file of ``MEDNER_API_KEYS``, else ``api-keys.json`` in the data folder."""
    file = variable(API_KEYS)
    return KeyFile(Path(file).expanduser() if file else data_folder() / "api-keys.json")


def _hashed(salt: str, key: str) -> str:
    return hashlib.sha256(bytes.fromhex(salt) + key.encode()).hexdigest()
