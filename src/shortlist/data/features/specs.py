"""Specifications: how a column is encoded, as small validated models that convert to JSON."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

LARGE_TABLE = 100  # rows from which on values that occur only once are rare


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Counted(_Spec):
    min_count: int | None = Field(None, ge=1)  # None: 2, or 1 in tables of few rows

    def threshold(self, n_rows: int) -> int:
        """Return the number of rows in which a value must occur to get a feature of its own."""
        if self.min_count is not None:
            return self.min_count
        return 2 if n_rows >= LARGE_TABLE else 1


class Number(_Spec):
    """A number or a date on a scale: the closer two values, the more similar the rows.

    ``"robust"`` measures from the median in units of the interquartile range (divided by 1.349,
    which is one standard deviation of a normal distribution); ``"standard"`` measures from the mean
    in standard deviations.
    """

    kind: Literal["number"] = "number"
    scale: Literal["robust", "standard"] = "robust"


class Buckets(_Spec):
    """A number or a date in buckets of about equally many rows: the same bucket or not."""

    kind: Literal["buckets"] = "buckets"
    bins: int = Field(10, ge=2, le=1000)  # the largest number of buckets


class Category(_Counted):
    """One value of a set: a code, a name, true or false. Rare and new values share one feature."""

    kind: Literal["category"] = "category"


class Labels(_Counted):
    """Any number of values: a list, or a text with separators. Rare and new values are ignored.

    Labels that differ in surrounding blanks, case or full and half width are the same.
    """

    kind: Literal["labels"] = "labels"
    separator: str | None = Field(None, min_length=1)  # in a text; None: ';' and '|'
    idf: bool = True  # whether labels weigh more the fewer rows have them


class Text(_Counted):
    """Free text or lists of texts: TF-IDF of words and of letter n-grams inside words.

    Letter n-grams match different forms of a word (개발자, 개발자를).
    """

    kind: Literal["text"] = "text"
    words: int = Field(1, ge=0, le=3)  # the longest word n-gram; 0: no words
    letters: tuple[int, int] | None = (2, 3)  # the shortest and longest n-gram; None: no letters
    max_terms: int = Field(50_000, ge=1)  # words, and letter n-grams, to keep at most

    def model_post_init(self, _: Any) -> None:
        """Check the conditions between fields."""
        if self.letters is not None and not 1 <= self.letters[0] <= self.letters[1] <= 6:
            raise ValueError("letters=(shortest, longest) needs 1 <= shortest <= longest <= 6")
        if self.letters is None and not self.words:
            raise ValueError("words=0 and letters=None leave nothing to encode")


class Vector(_Spec):
    """A precomputed vector, such as an embedding: lists of equally many numbers."""

    kind: Literal["vector"] = "vector"


Spec: TypeAlias = Annotated[
    Number | Buckets | Category | Labels | Text | Vector, Field(discriminator="kind")
]
