import hashlib
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medner.core.errors import ExternalError
from medner.store.models.sources.download import Downloader, RemoteFile, shown

BODY = bytes(range(256)) * 400
SHA256 = hashlib.sha256(BODY).hexdigest()


def fetch(remote, target, *, attempts=4, client=None):
    seen: list[int] = []
    with client or httpx.Client() as open_client:
        Downloader(open_client, attempts=attempts, pause=lambda seconds: None).fetch(remote, target, seen.append)
    return seen


def test_broken_connection_goes_on_at_its_byte(server, tmp_path):
    """After a break the next request asks for the rest only, and the file is whole."""
    url = server.put("/file", BODY)
    server.cuts["/file"] = [1000, 5000]
    seen = fetch(RemoteFile(url, "file", len(BODY), SHA256), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY
    assert server.ranges_of("/file") == ["", "bytes=1000-", "bytes=6000-"]
    assert sum(seen) == len(BODY)


def test_a_new_process_goes_on_from_the_part_file(server, tmp_path):
    """Bytes of an earlier process are kept and not asked for again."""
    url = server.put("/file", BODY)
    (tmp_path / "file.part").write_bytes(BODY[:777])
    fetch(RemoteFile(url, "file", len(BODY), SHA256), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY
    assert server.ranges_of("/file") == ["bytes=777-"]


def test_a_complete_part_needs_no_request(server, tmp_path):
    """A part file with every byte is only checked."""
    (tmp_path / "file.part").write_bytes(BODY)
    fetch(RemoteFile(server.url + "/file", "file", len(BODY), SHA256), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY
    assert server.asked == []


def test_a_server_without_ranges_starts_again(server, tmp_path):
    """When the server sends the whole file again, nothing is doubled, in the file or in the count."""
    server.ranges = False
    url = server.put("/file", BODY)
    server.cuts["/file"] = [1000]
    seen = fetch(RemoteFile(url, "file", len(BODY), SHA256), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY
    assert sum(seen) == len(BODY)


def test_a_part_longer_than_the_file_starts_again(server, tmp_path):
    """A part file that is too long is dropped when the server says so."""
    url = server.put("/file", BODY)
    (tmp_path / "file.part").write_bytes(BODY + b"more")
    fetch(RemoteFile(url, "file", len(BODY), SHA256), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY


def test_wrong_hash_keeps_the_file_aside(server, tmp_path):
    """A file with another hash is renamed, never installed, and the error says where it is."""
    url = server.put("/file", BODY)
    with pytest.raises(ExternalError, match=r"file\.part\.bad"):
        fetch(RemoteFile(url, "file", len(BODY), "0" * 64), tmp_path / "file")
    assert (tmp_path / "file.part.bad").read_bytes() == BODY
    assert not (tmp_path / "file").exists()


def test_fruitless_tries_end(server, tmp_path):
    """Tries that bring no byte are counted and end with what is kept."""
    url = server.put("/file", BODY)
    server.cuts["/file"] = [100, 0, 0, 0, 0]
    with pytest.raises(ExternalError, match="100 bytes are kept"):
        fetch(RemoteFile(url, "file", len(BODY), SHA256), tmp_path / "file", attempts=3)
    assert len(server.asked) == 4


def test_missing_file_is_not_tried_again(server, tmp_path):
    """A 404 ends at once: trying again would not help."""
    with pytest.raises(ExternalError, match="404"):
        fetch(RemoteFile(server.url + "/none", "none"), tmp_path / "none")
    assert len(server.asked) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_full_disk_is_an_os_error(server, tmp_path):
    """A disk that takes no more bytes raises OSError, which the store explains."""
    url = server.put("/file", BODY)
    (tmp_path / "file.part").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        fetch(RemoteFile(url, "file", len(BODY), SHA256), tmp_path / "file")


@given(cuts=st.lists(st.integers(1, 300), max_size=8), known_size=st.booleans())
def test_any_breaks_give_the_same_bytes(tmp_path_factory, cuts, known_size):
    """Wherever the connection breaks, the file comes out byte for byte."""
    body = BODY[:1000]
    left = list(cuts)

    def answer(request: httpx.Request) -> httpx.Response:
        start = int(request.headers.get("Range", "bytes=0-")[6:-1])
        rest = body[start:]
        sent = rest[: left.pop(0)] if left else rest

        def stream():
            yield sent
            if len(sent) < len(rest):
                raise httpx.ReadError("broken")

        headers = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
        return httpx.Response(206 if start else 200, headers=headers, content=stream())

    target = tmp_path_factory.mktemp("download") / "file"
    remote = RemoteFile("http://x/file", "file", len(body) if known_size else None)
    seen = fetch(remote, target, client=httpx.Client(transport=httpx.MockTransport(answer)))
    assert target.read_bytes() == body
    assert sum(seen) == len(body)


def test_messages_hide_credentials():
    """An address in a message has no user, password or query."""
    assert shown("https://user:secret@host/a/b?token=1#c") == "https://host/a/b"
