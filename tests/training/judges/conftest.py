"""The tiny base model of the filters' tests."""

from tests.training.filters.conftest import base

__all__ = ["base"]
