"""What flows through medner, as frozen records.

Offsets are 0-based, end-exclusive Unicode code points everywhere. In a :class:`Sentence`'s annotation they count
from the start of the sentence; in a :class:`Document` from the start of the original document text.
"""

from medner.core.records.annotations import (
    TOO_FEW_TAGGERS,
    AnnotatedDocument,
    AnnotatedEntity,
    Annotation,
    Decision,
    Failure,
    FilterDrop,
)
from medner.core.records.answers import Decoded, DecodingCost, Rejected, Rejection, TaggerOutput
from medner.core.records.conflicts import (
    Attempt,
    Candidate,
    Conflict,
    ConflictKind,
    Exemplar,
    Fallback,
    Overruled,
    Verdict,
)
from medner.core.records.places import Box, SourcePlace, places_of
from medner.core.records.text import Document, Entity, KeptValue, Sentence, Span, in_order

__all__ = [
    "TOO_FEW_TAGGERS",
    "AnnotatedDocument",
    "AnnotatedEntity",
    "Annotation",
    "Attempt",
    "Box",
    "Candidate",
    "Conflict",
    "ConflictKind",
    "Decision",
    "Decoded",
    "DecodingCost",
    "Document",
    "Entity",
    "Exemplar",
    "Failure",
    "Fallback",
    "FilterDrop",
    "KeptValue",
    "Overruled",
    "Rejected",
    "Rejection",
    "Sentence",
    "SourcePlace",
    "Span",
    "TaggerOutput",
    "Verdict",
    "in_order",
    "places_of",
]
