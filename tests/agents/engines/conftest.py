"""A tiny random model with two adapters, made once a session."""

import pytest

from tests.tiny_model import save_tiny_adapter, save_tiny_model


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory):
    return save_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny_adapters(tiny_base, tmp_path_factory):
    return {
        name: save_tiny_adapter(tiny_base, tmp_path_factory.mktemp(name), seed=seed)
        for seed, name in enumerate(["one", "two"], start=1)
    }
