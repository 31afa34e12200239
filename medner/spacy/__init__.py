"""medner as a component of spaCy pipelines (docs/spacy.md). Needs ``pip install 'medner[spacy]'``.

::

    import spacy

    nlp = spacy.blank("zh")
    nlp.add_pipe("medner")
    doc = nlp("患者咳嗽三天，右下肺可闻及湿性啰音。")
    print([(span.text, span.label_, span._.medner_score) for span in doc.spans["medner"]])

spaCy finds the component by its entry point; nothing of medner need be imported.
"""

from medner.core.errors import UserError

try:
    from medner.spacy.component import MednerComponent, make_component
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] not in ("spacy", "thinc"):
        raise
    raise UserError(
        f"{error.name.partition('.')[0]} is missing: the component needs pip install 'medner[spacy]'"
    ) from error

__all__ = ["MednerComponent", "make_component"]
