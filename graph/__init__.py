"""The LangGraph state machine: what happens to a sentence, and to a document of them."""

from medner.graph.deps import Deps
from medner.graph.pipeline import Pipeline

__all__ = ["Deps", "Pipeline"]
