"""Which Redis is meant, and what is said when it cannot be used."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import quote

import pytest

from medner.core.errors import ExternalError, UserError
from medner.store.redis import open_redis, plain_redis_errors, redis_address
from medner.store.redis.address import RedisAddress
from medner.store.redis.embedded import EmbeddedValkey

SECRET = "geheim-密码"


def test_without_a_url_it_is_the_one_of_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MEDNER_HOME says where; nothing is started yet."""
    monkeypatch.setenv("MEDNER_HOME", str(tmp_path))
    address = redis_address({})
    assert address.embedded == EmbeddedValkey(tmp_path / "redis")
    assert not (tmp_path / "redis").exists()


@pytest.mark.parametrize("url", ["http://host", "redis://", "host:6379", f"ftp://:{SECRET}@host", "redis://host:port"])
def test_a_url_that_is_none_is_refused_without_repeating_it(url: str) -> None:
    """The variable is named, its value is not."""
    with pytest.raises(UserError, match="MEDNER_REDIS_URL") as caught:
        redis_address({"MEDNER_REDIS_URL": url})
    assert SECRET not in str(caught.value)


def test_the_password_is_never_shown() -> None:
    """Neither the name for people nor the repr of an address holds it."""
    address = redis_address({"MEDNER_REDIS_URL": f"rediss://user:{SECRET}@redis.example:6380/2"})
    assert address.shown == "Redis at redis.example:6380"
    assert SECRET not in repr(address)


async def test_a_server_that_is_not_there_is_an_external_error() -> None:
    """Trying again may help: exit code 3, with the place and without the password."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = redis_address({"MEDNER_REDIS_URL": f"redis://:{SECRET}@127.0.0.1:{port}"})
    with pytest.raises(ExternalError, match=f"127.0.0.1:{port}: does not answer") as caught:
        async with open_redis(address):
            pass
    assert SECRET not in str(caught.value)


async def test_a_wrong_password_is_the_users_to_mend(embedded: EmbeddedValkey) -> None:
    """Exit code 2, naming the variable."""
    embedded.ensure()
    address = RedisAddress(embedded.url, "it", embedded)
    async with open_redis(address) as client:
        await client.config_set("requirepass", SECRET)
    with pytest.raises(UserError, match="MEDNER_REDIS_URL"):
        async with open_redis(RedisAddress(f"unix://:wrong@{quote(str(embedded.socket))}", "it")):
            pass
    async with open_redis(RedisAddress(f"unix://:{SECRET}@{quote(str(embedded.socket))}", "it")) as client:
        await client.config_set("requirepass", "")


async def test_a_full_memory_is_told_as_such(embedded: EmbeddedValkey) -> None:
    """The client's error becomes one of ours, with the way out."""
    async with open_redis(RedisAddress(embedded.url, "it", embedded)) as client:
        await client.config_set("maxmemory", 1)
        with pytest.raises(ExternalError, match="memory is full"), plain_redis_errors(RedisAddress("", "it")):
            await client.set("a", "b" * 1000)
