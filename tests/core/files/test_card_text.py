"""Cards as text."""

import tomllib

from medner.core.files.card_text import card_text


def test_a_card_is_toml():
    """Cards hold strings, numbers and lists."""
    fields = {"name": "symbol", "examples": 3, "data": ["a.json sha256:00"], "note": '含"引号"'}
    assert tomllib.loads(card_text(fields)) == fields
