"""The type of the client that everything about Redis is handed."""

from __future__ import annotations

from typing import Any, TypeAlias

#: A ``redis.asyncio.Redis`` whose answers are bytes. Its own annotations allow text and synchronous answers as well.
Client: TypeAlias = Any
