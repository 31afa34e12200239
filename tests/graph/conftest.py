"""Shared by the tests of the graphs: agents that answer from a script."""

from collections.abc import Callable, Sequence

import pytest

from medner.agents.engines.engine import Request
from medner.agents.engines.scripted import ScriptedEngine
from medner.agents.judges.engine_chat_model import EngineChatModel
from medner.agents.judges.select import SelectJudge
from medner.agents.strategies import CODECS
from medner.agents.taggers.tagger import GenerativeTagger
from medner.core.labels import LabelSet, load_label_set
from medner.core.records import Entity

Said = Sequence[Entity] | Exception


@pytest.fixture(scope="session")
def labels() -> LabelSet:
    """The nested label set."""
    return load_label_set("cmeee-v2")


@pytest.fixture(scope="session")
def scripted_tagger(labels: LabelSet) -> Callable[..., GenerativeTagger]:
    """A real tagger on a scripted engine that says the same entities, or fails alike, for every sentence."""

    def make(name: str, said: Said) -> GenerativeTagger:
        codec = CODECS["symbol"]

        def answer(request: Request) -> str | Exception:
            if isinstance(said, Exception):
                return said
            return codec.encode(request.messages[-1].content, said, labels)

        return GenerativeTagger(name, ScriptedEngine(answer), codec, labels)

    return make


@pytest.fixture(scope="session")
def scripted_judge() -> Callable[..., tuple[SelectJudge, ScriptedEngine]]:
    """A select judge with its engine, which keeps what it was asked."""

    def make(answer: str | Exception) -> tuple[SelectJudge, ScriptedEngine]:
        engine = ScriptedEngine(lambda _: answer)
        return SelectJudge(EngineChatModel(engine=engine, model_name="scripted"), name="scripted"), engine

    return make
