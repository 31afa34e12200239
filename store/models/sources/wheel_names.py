"""Names of distributions and of their wheels, by PEP 503 and PEP 427."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wanted:
    """A distribution in one version."""

    distribution: str
    version: str


def normalised(distribution: str) -> str:
    """A distribution's name in the one spelling of PEP 503."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def is_wheel_of(file_name: str, wanted: Wanted) -> bool:
    """Whether a file's name is that of a wheel of this distribution and version."""
    name, _, rest = file_name.removesuffix(".whl").partition("-")
    same_name = normalised(name) == normalised(wanted.distribution)
    return file_name.endswith(".whl") and same_name and rest.partition("-")[0] == wanted.version
