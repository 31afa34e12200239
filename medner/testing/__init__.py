"""For tests of programs that use medner: an engine that answers from a script, without a model.

::

    from medner.testing import annotator

    with annotator({"咳嗽": "sym"}) as nlp:
        assert nlp.annotate("患者咳嗽。").entities[0].text == "咳嗽"
"""

from medner.agents.engines.engine import Completion, Request
from medner.agents.engines.scripted import ScriptedEngine
from medner.testing._engine import TAGGERS, DictionaryEngine, annotator, async_annotator

__all__ = [
    "TAGGERS",
    "Completion",
    "DictionaryEngine",
    "Request",
    "ScriptedEngine",
    "annotator",
    "async_annotator",
]
