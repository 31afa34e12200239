"""JSON that is no corpus of entities with offsets: what it is, and how to get at the texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

_Fields = Mapping[str, object]
_TEXTS = "to annotate the texts alone: --text-key "


def refusal(value: object) -> str | None:
    """Why a record like this is not read, with the way out; None when it is of no kind that is known."""
    if not isinstance(value, dict):
        return None
    for is_kind, reason in _KINDS:
        if is_kind(value):
            return reason(value) if callable(reason) else reason
    return None


def _text_key(value: _Fields) -> str:
    strings = {key: text for key, text in value.items() if isinstance(text, str)}
    return max(strings, key=lambda key: len(strings[key]), default="KEY")


_KINDS: tuple[tuple[Callable[[_Fields], bool], str | Callable[[_Fields], str]], ...] = (
    (
        lambda value: "resourceType" in value,
        lambda value: (
            f"a FHIR resource ({value['resourceType']}), which medner does not read; take the notes out of it "
            '(attachment.data is base64) and write each into a .txt file, or as lines of {"id": ..., "text": ...}'
        ),
    ),
    (
        lambda value: "spo_list" in value or "triples" in value or "triple_list" in value,
        lambda value: (
            "relations without offsets (spo_list, as CMeIE has them), and medner reads entities with offsets; "
            f"{_TEXTS}{_text_key(value)}"
        ),
    ),
    (
        lambda value: isinstance(value.get("tokens"), list) and any("tag" in key or "label" in key for key in value),
        "tokens with numbers as tags, and the numbers' names are not in the file; write the tags as names "
        "(B-..., I-..., O)",
    ),
    (
        lambda value: isinstance(value.get("cells"), list) and "nbformat" in value,
        "a Jupyter notebook, which holds no records",
    ),
    (
        lambda value: "messages" in value or "conversations" in value or ("instruction" in value and "output" in value),
        lambda value: (
            "records for the training of a chat model, which hold no offsets; medner reads entities with offsets; "
            f"{_TEXTS}{'input' if isinstance(value.get('input'), str) else _text_key(value)}"
        ),
    ),
    (
        lambda value: isinstance(value.get("images"), list) and isinstance(value.get("annotations"), list),
        "annotations of images (COCO), which hold no text",
    ),
)
