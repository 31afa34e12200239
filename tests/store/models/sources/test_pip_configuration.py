import pytest

from medner.core.errors import UserError
from medner.store.models.sources.pip_configuration import IndexSettings, index_settings, parse_pip_config


def test_environment_decides():
    """PIP_INDEX_URL is taken as it stands, with further indexes, proxy and certificates of the environment."""
    settings = index_settings(
        {
            "PIP_INDEX_URL": "https://a/simple",
            "PIP_EXTRA_INDEX_URL": "file:///opt/simple https://b/simple",
            "PIP_CERT": "/x.pem",
            "PIP_PROXY": "http://proxy:1",
        }
    )
    assert settings == IndexSettings(("https://a/simple", "https://b/simple"), "http://proxy:1", "/x.pem")


def test_folder_indexes_are_left_out():
    """An index that is a folder is no place to download from; alone it is an error with the way out."""
    with pytest.raises(UserError, match="PIP_INDEX_URL"):
        index_settings({"PIP_INDEX_URL": "file:///opt/simple"})


def test_no_index_is_heeded():
    """pip's no-index means that no index may be asked."""
    with pytest.raises(UserError, match="no-index"):
        index_settings({"PIP_INDEX_URL": "https://a/simple", "PIP_NO_INDEX": "1"})


def test_pip_itself_is_asked():
    """Without a variable the answer comes from pip's files or pip's default, and is an http(s) address."""
    assert all(url.startswith("http") for url in index_settings({}).urls)


def test_listing_of_pip_config():
    """Of pip's listing the sections for all commands and for downloads count, the latter first."""
    found = parse_pip_config("global.index-url='https://a'\ndownload.index-url='https://b'\n:env:.x='1'\n")
    assert found == {"index-url": "https://b"}


def test_missing_certificates_are_named():
    """A certificate bundle that is not there is an error that names it."""
    with pytest.raises(UserError, match="/nowhere"):
        IndexSettings(("https://a",), certificates="/nowhere.pem").client()
