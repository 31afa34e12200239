"""The files of a distribution as a package index lists them: PEP 691 JSON, or PEP 503 HTML."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import httpx

from medner.core.errors import ExternalError
from medner.store.models.sources.download import RETRIED, RemoteFile, shown
from medner.store.models.sources.wheel_names import Wanted, is_wheel_of, normalised

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"


def find_wheel(client: httpx.Client, indexes: tuple[str, ...], wanted: Wanted) -> RemoteFile:
    """The wheel of a distribution, from the first index that has it.

    ExternalError when none has it or none answers; it names the distribution and every index with its answer.
    """
    reasons = []
    for index in indexes:
        page = f"{index.rstrip('/')}/{normalised(wanted.distribution)}/"
        try:
            response = client.get(page, headers={"Accept": ACCEPT}, follow_redirects=True)
        except httpx.TransportError as error:
            reasons.append(f"{shown(index)}: {error or type(error).__name__}")
            continue
        if response.status_code != 200:
            again = ", try again later" if response.status_code in RETRIED else ""
            reasons.append(f"{shown(index)}: answered {response.status_code}{again}")
            continue
        for file in parse_page(response):
            if is_wheel_of(file.name, wanted):
                return file
        reasons.append(f"{shown(index)}: has no wheel of version {wanted.version}")
    raise ExternalError(f"{wanted.distribution}=={wanted.version} is not to be had ({'; '.join(reasons)})")


def parse_page(response: httpx.Response) -> list[RemoteFile]:
    """The files an index page lists, with absolute addresses; ExternalError when the page cannot be read."""
    if "json" not in response.headers.get("content-type", ""):
        parser = _Links()
        parser.feed(response.text)
        return [_from_link(response.url, href, text) for href, text in parser.links]
    try:
        return [
            RemoteFile(
                _absolute(response.url, file["url"]),
                file["filename"],
                file.get("size"),
                file.get("hashes", {}).get("sha256", ""),
            )
            for file in response.json()["files"]
        ]
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ExternalError(f"{shown(str(response.url))}: not a page of a package index: {error!r}") from error


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href")
        if tag == "a" and href:
            self.links.append((href, ""))

    def handle_data(self, data: str) -> None:
        if self.links and not self.links[-1][1]:
            self.links[-1] = (self.links[-1][0], data.strip())


def _from_link(page: httpx.URL, href: str, text: str) -> RemoteFile:
    address = httpx.URL(_absolute(page, href))
    algorithm, _, digest = address.fragment.partition("=")
    name = text if text.endswith(".whl") else address.path.rsplit("/", 1)[-1]
    return RemoteFile(str(address.copy_with(fragment=None)), name, None, digest if algorithm == "sha256" else "")


def _absolute(page: httpx.URL, address: str) -> str:
    url = page.join(address)
    # An index with a password wants it for its files too, but nobody else may see it.
    if page.userinfo and not url.userinfo and url.host == page.host:
        url = url.copy_with(userinfo=page.userinfo)
    return str(url)
