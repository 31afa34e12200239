"""What requests and answers have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict


def _is_number(value: object) -> object:
    """A number, and not a word or a truth value that could be taken for one; 2.0 is one as well as 2."""
    if isinstance(value, (str, bool)):
        raise ValueError("a whole number is needed")
    return int(value) if isinstance(value, float) and value.is_integer() else value


#: A whole number in a body: a query has only words, a body has numbers.
IS_WHOLE = BeforeValidator(_is_number)
Whole = Annotated[int, IS_WHOLE]


class Strict(BaseModel):
    """A model that refuses what it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)
