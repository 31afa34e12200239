"""The LangGraph state machine of a sentence, and the pipeline that runs documents through it."""

from medner.graph.deps import Deps
from medner.graph.pipeline import Pipeline

__all__ = ["Deps", "Pipeline"]
