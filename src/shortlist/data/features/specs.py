"""How a column is to be encoded: one small, validated, JSON-able description a kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from shortlist.errors import ConfigError, suggestion

ENOUGH_ROWS = 100  # in a table this long, a value that one row has is rare


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Pooled(_Spec):
    min_count: int | None = Field(
        None,
        ge=1,
        description="How many rows must have a value for it to get a feature of its own. None: 2, "
        f"or 1 in tables of fewer than {ENOUGH_ROWS} rows",
    )

    def least(self, n_rows: int) -> int:
        """Give the number of rows that a value must occur in."""
        if self.min_count is not None:
            return self.min_count
        return 2 if n_rows >= ENOUGH_ROWS else 1


class Number(_Spec):
    """A number or a date, on a scale: the nearer two values are, the more alike.

    ``"robust"`` measures from the median in units of the quartile range (over 1.349, which makes it
    a standard deviation where values are normal), ``"standard"`` from the mean in standard
    deviations.
    """

    kind: Literal["number"] = "number"
    scale: Literal["robust", "standard"] = "robust"


class Buckets(_Spec):
    """A number or a date, in buckets that hold about equally many rows: alike or not."""

    kind: Literal["buckets"] = "buckets"
    bins: int = Field(10, ge=2, le=1000, description="At most how many buckets")


class Category(_Pooled):
    """One value of a set: a code, a name, true or false. Rare and new values share one feature."""

    kind: Literal["category"] = "category"


class Labels(_Pooled):
    """Any number of values: a list, or a text with separators. Rare and new ones are not encoded.

    Spelling is folded: blanks around a label, upper and lower case, full and half width.
    """

    kind: Literal["labels"] = "labels"
    separator: str | None = Field(
        None, min_length=1, description="What parts the labels of a text. None: ';' and '|'"
    )
    idf: bool = Field(True, description="Whether a label counts the more, the fewer rows have it")


class Text(_Pooled):
    """Free text, or lists of it: TF-IDF of words and of the letter runs inside words.

    Letter runs make spellings and endings of one word alike (개발자, 개발자를).
    """

    kind: Literal["text"] = "text"
    words: int = Field(1, ge=0, le=3, description="Words in a row, at most; 0: no words")
    letters: tuple[int, int] | None = Field(
        (2, 3), description="Letters in a run, least and most (1 to 6). None: no letter runs"
    )
    max_terms: int = Field(
        50_000, ge=1, description="Words, and letter runs, to keep: those that most rows have"
    )

    def model_post_init(self, _: Any) -> None:
        """Check what two fields must fulfil together."""
        if self.letters is not None and not 1 <= self.letters[0] <= self.letters[1] <= 6:
            raise ValueError("letters=(least, most) must fulfil 1 <= least <= most <= 6")
        if self.letters is None and not self.words:
            raise ValueError("words=0 and letters=None leave nothing to encode")


class Vector(_Spec):
    """A vector that was computed elsewhere, an embedding for one: lists of equally many numbers."""

    kind: Literal["vector"] = "vector"


Spec: TypeAlias = Annotated[
    Number | Buckets | Category | Labels | Text | Vector, Field(discriminator="kind")
]
KINDS: dict[str, type[_Spec]] = {
    "number": Number,
    "buckets": Buckets,
    "category": Category,
    "labels": Labels,
    "text": Text,
    "vector": Vector,
}
_ADAPTER: TypeAdapter[Spec] = TypeAdapter(Spec)


def parse_spec(column: str, given: Any) -> Spec:
    """Turn what the caller wrote into a description.

    Parameters
    ----------
    column
        The column it is for, for messages.
    given
        A description, the name of a kind, or a mapping with ``kind`` and its settings.

    Raises
    ------
    ConfigError
        There is no such kind or setting, or a value is out of its range.

    Examples
    --------
    >>> parse_spec("salary", "number")
    Number(kind='number', scale='robust')
    >>> parse_spec("age", {"kind": "buckets", "bins": 5}) == Buckets(bins=5)
    True
    """
    if isinstance(given, _Spec):
        given = given.model_dump()
    content = dict(given) if isinstance(given, Mapping) else {"kind": given}
    kind = content.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ConfigError(
            f"there is no kind of feature {kind!r}",
            where=f"column {column!r}",
            remedy=suggestion(str(kind), KINDS) + ", or None to leave the column out",
        )
    for name in content:
        if name not in KINDS[kind].model_fields:
            raise ConfigError(
                f"kind {kind!r} has no setting {name!r}",
                where=f"column {column!r}",
                remedy=suggestion(name, set(KINDS[kind].model_fields) - {"kind"}),
            )
    try:
        return _ADAPTER.validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        path = first["loc"][1:]  # without the kind
        said = f"{path[0]}={content[str(path[0])]!r} is out of range: " if path else ""
        raise ConfigError(
            f"kind {kind!r}: {said}{first['msg']}", where=f"column {column!r}"
        ) from None
