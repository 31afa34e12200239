"""Nothing leaves the building by way of the frameworks."""

from langsmith.utils import get_env_var, tracing_is_enabled

from medner.agents.engines.scripted import ScriptedEngine
from medner.agents.strategies import CODECS
from medner.agents.taggers.tagger import GenerativeTagger
from medner.core.labels import load_label_set
from medner.core.records import Document, Sentence
from medner.graph import Deps, Pipeline

LABELS = load_label_set("cmeee-v2")


async def test_langsmith_stays_off_whatever_the_environment_says(monkeypatch):
    """With LANGSMITH_TRACING set, nodes still run with tracing off, for sentences and for documents."""
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    monkeypatch.setenv("LANGCHAIN_TRACING_V2", "true")
    get_env_var.cache_clear()  # type: ignore[attr-defined]  # its types do not tell that it keeps values
    seen: list[object] = []

    def answer(request):
        seen.append(tracing_is_enabled())
        return "没有实体"

    tagger = GenerativeTagger("a", ScriptedEngine(answer), CODECS["symbol"], LABELS)
    pipeline = Pipeline(Deps(LABELS, (tagger,)))
    try:
        assert tracing_is_enabled()
        await pipeline.annotate_sentence(Sentence("s", "咳嗽"))
        await pipeline.annotate_document(Document("d", "咳嗽。发热。"))
    finally:
        get_env_var.cache_clear()  # type: ignore[attr-defined]
    assert seen == [False, False, False]
