"""A sentence, what three taggers find in it, and a filter by a table."""

from collections.abc import Sequence
from dataclasses import dataclass

from medner.core.records import Annotation, Entity, Sentence
from medner.graph import Deps, Pipeline

TEXT = "患者颈部淋巴结肿大伴咽痛，考虑咽炎。"
SENTENCE = Sentence("note#0", TEXT, 0, "note")
WHOLE = Entity(2, 9, "sym")
PART = Entity(4, 9, "sym")
NODE = Entity(2, 7, "bod")
THROAT = Entity(10, 12, "sym")
PHARYNGITIS = Entity(15, 17, "dis")
A = [WHOLE, NODE, PHARYNGITIS]
B = [PART, NODE, THROAT, PHARYNGITIS]
C = [WHOLE, NODE, THROAT, PHARYNGITIS]


async def annotate(deps: Deps, sentence: Sentence = SENTENCE) -> Annotation:
    return await Pipeline(deps).annotate_sentence(sentence)


def found(annotation: Annotation) -> list[Entity]:
    return [item.entity for item in annotation.entities]


@dataclass(frozen=True)
class ScoreTable:
    """A filter that reads its scores from a table; an exception there is raised."""

    scores: dict[Entity, float] | Exception
    threshold: float = 0.5
    name: str = "table"

    async def score(self, sentence: Sentence, entities: Sequence[Entity]) -> list[float]:
        if isinstance(self.scores, Exception):
            raise self.scores
        return [self.scores.get(entity, 0.9) for entity in entities]
