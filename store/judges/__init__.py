"""The registry of judges in Redis: definitions by name, versions that only grow, and which worker holds which."""

from medner.store.judges.records import Held, JudgeDefinition, JudgeVersion
from medner.store.judges.registry import JudgeRegistry

__all__ = ["Held", "JudgeDefinition", "JudgeRegistry", "JudgeVersion"]
