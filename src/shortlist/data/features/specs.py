"""How a column is encoded, as a small model that converts to JSON."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

Kind: TypeAlias = Literal["number", "category", "labels", "text", "vector"]
"""``number``: a number or a date on a scale: the closer two values, the more similar the rows.
``category``: one value of a set: a code, a name, true or false. ``labels``: any number of values: a
list, or a text with separators. ``text``: free text or lists of texts, by words and by letters.
``vector``: a precomputed vector, such as an embedding: lists of equally many numbers."""


class Spec(BaseModel):
    """The kind of a column; ``separator`` stands between the labels of a text (None: ';' and '|').

    Saved encoders may have further settings, which had a single value each.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    separator: str | None = None
