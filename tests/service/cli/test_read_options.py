"""The options about reading files are the same for every command that reads, and reach the reader."""

import inspect

import pytest

from medner.core.errors import UserError
from medner.service.cli.read_options import with_read_options
from medner.store.corpora import ReadOptions


def test_a_command_gets_one_record_of_its_read_options() -> None:
    """The command line has an option a field; the command itself has the record."""

    @with_read_options
    def command(name: str, *, options: ReadOptions, last: bool = False) -> tuple[str, ReadOptions, bool]:
        return name, options, last

    fields = [name for name in inspect.signature(ReadOptions).parameters if name not in ("log", "table", "database")]
    assert list(inspect.signature(command).parameters) == ["name", *fields, "skip_bad", "last"]
    given = dict.fromkeys(fields) | {"encoding": "gb18030", "join_lines": True}
    assert command("a", **given) == ("a", ReadOptions(encoding="gb18030", join_lines=True), False)


@pytest.mark.parametrize("name", ["nonsense", "rot13", "base64", ""])
def test_an_encoding_that_there_is_not_is_a_user_error(name: str) -> None:
    """The message names the option and usual encodings; codecs that are no encodings are none."""
    with pytest.raises(UserError, match=r"--encoding.*gb18030"):
        ReadOptions(encoding=name)
