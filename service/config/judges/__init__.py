"""The kinds of judges: a file a kind with its keys, what it needs and how it is built; a row a kind here."""

from collections.abc import Mapping

from medner.core.plugins import PLUGIN
from medner.service.config.judges.chat import ChatJudgeConfig, RewriteJudgeConfig, SelectJudgeConfig
from medner.service.config.judges.evidence import EvidenceJudgeConfig
from medner.service.config.judges.in_words import read_judge
from medner.service.config.judges.judge import JUDGES, JudgeConfig, settled_judge
from medner.service.config.judges.plugin import PluginJudgeConfig
from medner.service.config.judges.rules import BestTaggerConfig, FilterScoreConfig, HardVoteConfig
from medner.service.config.judges.trained import TrainedJudgeConfig

KINDS: Mapping[str, type[JudgeConfig]] = {
    "select": SelectJudgeConfig,
    "rewrite": RewriteJudgeConfig,
    "trained": TrainedJudgeConfig,
    "evidence": EvidenceJudgeConfig,
    "hard-vote": HardVoteConfig,
    "best-tagger": BestTaggerConfig,
    "filter-score": FilterScoreConfig,
    PLUGIN: PluginJudgeConfig,
}

__all__ = [
    "JUDGES",
    "KINDS",
    "BestTaggerConfig",
    "ChatJudgeConfig",
    "EvidenceJudgeConfig",
    "FilterScoreConfig",
    "HardVoteConfig",
    "JudgeConfig",
    "PluginJudgeConfig",
    "RewriteJudgeConfig",
    "SelectJudgeConfig",
    "TrainedJudgeConfig",
    "read_judge",
    "settled_judge",
]
