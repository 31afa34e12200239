"""A tag a token: schemes, spellings, columns."""

from __future__ import annotations

import pytest

from medner.core.errors import BadInputError
from tests.cases.text_kit import Make, found, rows

_WHOLE = [("胸部痛。", [("胸部痛", "sym")])]


@pytest.mark.parametrize(
    "content",
    [
        rows("胸\tB-sym", "部\tM-sym", "痛\tE-sym", "。\tO"),
        rows("胸 B-sym", "部 I-sym", "痛 L-sym", "。 O"),
        rows("胸 B_sym", "部 I_sym", "痛 I_sym", "。 O"),
        rows("胸 sym-B", "部 sym-I", "痛 sym-I", "。 O"),
        rows("胸\tI-sym", "部\tI-sym", "痛\tI-sym", "。\tO"),
        rows("胸 n B-sym", "部 n I-sym", "痛 n I-sym", "。 w O"),
        rows("胸部\tB-sym", "痛\tI-sym", "。\tO"),
        rows("-DOCSTART- O", "", "胸 B-sym", "部 I-sym", "痛 I-sym", "。 O"),
        rows("胸0\tB-sym", "部1\tI-sym", "痛0\tI-sym", "。0\tO"),
        rows("\ufeff胸\tB-sym", "部\tI-sym", "痛\tI-sym", "。\tO").replace("\n", "\r\n"),
        "\n" + rows("胸\tB-sym", "部\tI-sym", "痛\tI-sym", "。\tO"),
    ],
)
@pytest.mark.parametrize("suffix", [".txt", ".bio", ".conll"])
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
def test_tags_of_every_scheme_are_read(make: Make, content: str, suffix: str, encoding: str) -> None:
    """Schemes, spellings, columns and encodings are found from the file."""
    if encoding != "utf-8":
        content = content.removeprefix("\ufeff")
    assert found(make(content.encode(encoding), f"x{suffix}")) == ("bio", _WHOLE)


def test_single_tokens_and_iob1(make: Make) -> None:
    """S, U and W are whole entities; in IOB1 a B parts two entities of one type; in BIO a stray I is an error."""
    for letter in "SUW":
        assert found(make(rows("胸\tB-sym", "痛\tE-sym", f"肺\t{letter}-bod"))) == (
            "bio",
            [("胸痛肺", [("胸痛", "sym"), ("肺", "bod")])],
        )
    assert found(make(rows("胸\tI-sym", "痛\tI-sym", "头\tB-sym", "痛\tI-sym", "肺\tI-bod"))) == (
        "bio",
        [("胸痛头痛肺", [("胸痛", "sym"), ("头痛", "sym"), ("肺", "bod")])],
    )
    with pytest.raises(BadInputError, match="does not continue"):
        found(make(rows("胸\tB-sym", "痛\tO", "肺\tI-bod")))
    with pytest.raises(BadInputError, match="without its last tag"):
        found(make(rows("胸\tB-sym", "痛\tI-sym", "。\tO", "肺\tB-bod", "炎\tE-bod")))
