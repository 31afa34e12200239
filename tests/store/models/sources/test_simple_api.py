import httpx
import pytest

from medner.core.errors import ExternalError
from medner.store.models.sources.simple_api import find_wheel
from medner.store.models.sources.wheel_names import Wanted, is_wheel_of

WANTED = Wanted("Tiny.Part1", "1.0")
HTML = """<!DOCTYPE html><html><body><h1>Links</h1>
<a href="/f/tiny_part1-0.9-py3-none-any.whl#sha256=00">tiny_part1-0.9-py3-none-any.whl</a>
<a href="/f/tiny_part1-1.0.tar.gz#sha256=11">tiny_part1-1.0.tar.gz</a>
<a href="/f/tiny_part1-1.0-py3-none-any.whl#sha256=ab12" data-yanked="">tiny_part1-1.0-py3-none-any.whl</a>
</body></html>"""


def find(indexes, answers):
    def answer(request: httpx.Request) -> httpx.Response:
        found: httpx.Response | None = answers.get(request.url.host)
        if found is None:
            raise httpx.ConnectError("refused")
        return found

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        return find_wheel(client, indexes, WANTED)


def test_json_page(server, index):
    """A JSON page gives the wheel of the version asked for, with size, hash and absolute address."""
    with httpx.Client() as client:
        file = find_wheel(client, (f"{server.url}/simple",), WANTED)
    assert file.url == f"{server.url}{index.wheel_paths[0]}"
    assert file.size == len(server.pages[index.wheel_paths[0]][1])
    assert len(file.sha256) == 64


def test_html_page():
    """An index that speaks only HTML is read as well; the hash is in the link."""
    page = httpx.Response(200, html=HTML)
    file = find(("http://one/simple/",), {"one": page})
    assert (file.url, file.sha256, file.size) == ("http://one/f/tiny_part1-1.0-py3-none-any.whl", "ab12", None)


def test_next_index_is_asked():
    """An index that is down, or lacks the distribution, passes the question on."""
    answers = {"two": httpx.Response(404), "three": httpx.Response(200, html=HTML)}
    file = find(("http://one/", "http://two/", "http://three/"), answers)
    assert file.url.startswith("http://three/")


def test_nowhere_names_every_index():
    """When no index has it, the error names the distribution and what each index said."""
    answers = {"one": httpx.Response(404), "two": httpx.Response(200, html="<a href='x-2.0.whl'>x</a>")}
    with pytest.raises(ExternalError, match=r"Tiny\.Part1==1\.0.*404.*no wheel of version 1\.0.*refused"):
        find(("http://one/", "http://two/", "http://three/"), answers)


def test_credentials_go_to_their_host_only():
    """User and password of an index are used for files on its host, sent to no other, and in no message."""
    own = httpx.Response(200, html=HTML)
    assert find(("http://u:p@one/simple/",), {"one": own}).url.startswith("http://u:p@one/f/")
    foreign = httpx.Response(200, html=HTML.replace('href="/f', 'href="http://cdn/f'))
    assert find(("http://u:p@one/simple/",), {"one": foreign}).url.startswith("http://cdn/f/")
    with pytest.raises(ExternalError) as caught:
        find(("http://u:p@one/simple/",), {"one": httpx.Response(500)})
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"files": [{}]}', b'{"files": 3}'])
def test_broken_json_page(body):
    """A page that is no index page is an outside error with its address."""
    page = httpx.Response(200, content=body, headers={"content-type": "application/vnd.pypi.simple.v1+json"})
    with pytest.raises(ExternalError, match="not a page"):
        find(("http://one/",), {"one": page})


def test_wheel_names():
    """Spelling of the name does not matter, version and kind do."""
    assert is_wheel_of("tiny_part1-1.0-py3-none-any.whl", WANTED)
    assert not is_wheel_of("tiny_part1-1.0.1-py3-none-any.whl", WANTED)
    assert not is_wheel_of("tiny_part10-1.0-py3-none-any.whl", WANTED)
    assert not is_wheel_of("tiny_part1-1.0.tar.gz", WANTED)
