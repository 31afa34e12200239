"""The pages: one HTML file, its style and its scripts, out of the package; nothing from elsewhere."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources

from jinja2 import Environment, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from medner.service.http.messages.problems import Problem
from medner.service.page.page import PALETTE, base_style, script_json

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_ASSETS = resources.files("medner.service.http") / "assets"
_PLACES = ("annotate", "jobs", "review", "traces", "judges", "models")


async def index(_: Request) -> Response:
    """GET /"""
    return HTMLResponse(_index(), headers={"Content-Security-Policy": _POLICY})


async def asset(request: Request) -> Response:
    """GET /assets/{name}"""
    name = request.path_params["name"]
    if name == "app.css":
        return Response(base_style() + _type_colors() + _file(name), media_type="text/css")
    if name in _scripts():
        return Response(_file(name), media_type="text/javascript")
    raise Problem("unknown-path", "no such file; the page at / names those there are")


WEB_ROUTES = (Route("/", index, methods=["GET"]), Route("/assets/{name}", asset, methods=["GET"]))


@cache
def _index() -> str:
    words = tomllib.loads(_file("words.toml"))
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = environment.from_string(_file("index.html"))
    return template.render(words=words["zh"], all_words=script_json(words), places=_PLACES, scripts=sorted(_scripts()))


@cache
def _type_colors() -> str:
    """The colours of entity types, in light and dark, as the page of annotations has them."""
    light, dark = ("".join(f"--line-{at}:{pair[mode]};" for at, pair in enumerate(PALETTE)) for mode in range(2))
    types = "".join(f".c{at}{{--line:var(--line-{at})}}\n" for at in range(len(PALETTE)))
    return f":root{{{light}}}\n@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n{types}"


@cache
def _scripts() -> frozenset[str]:
    return frozenset(file.name for file in _ASSETS.iterdir() if file.name.endswith(".js"))


@cache
def _file(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")
