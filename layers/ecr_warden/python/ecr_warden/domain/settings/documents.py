"""A policy's document together with the text that ECR gave it as, so that it can be put back to the byte."""

import json
from collections.abc import Mapping
from typing import Any


class Document(dict[str, Any]):
    """A JSON object with its text; it is equal to any other mapping that has the same in it.

    Raises ``ValueError`` where the text is no JSON, ``TypeError`` where it is no object.
    """

    def __init__(self, text: str) -> None:
        document = json.loads(text)
        if not isinstance(document, dict):
            raise TypeError(f"a policy's document is an object, not {document!r}")
        super().__init__(document)
        self.text = text


def text_of(document: Mapping[str, Any] | None) -> str | None:
    """Give the text that ECR gave a document as, or ``None`` where it did not come from ECR."""
    return document.text if isinstance(document, Document) else None
