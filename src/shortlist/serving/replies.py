"""The form of every reply: the service encodes its replies from these types and documents them.

Type checking holds each endpoint to its form; a value of another type is a warning, and therefore
an error in the tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Generic, Literal, NotRequired, TypeAlias, TypeVar

from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict


def note(description: str | None = None, *, example: Any = None) -> Any:
    """Return the documentation of a field."""
    return Field(description=description, examples=None if example is None else [example])


ItemKey: TypeAlias = Annotated[int | str, note(example="R00001")]
UserKey: TypeAlias = Annotated[int | str, note(example="U00001")]
ModelKey: TypeAlias = Annotated[str, note(example="ials")]
Title: TypeAlias = Annotated[
    str,
    note(
        "The title of the item; if items have no titles, its id and some features.",
        example="Welder, Busan",
    ),
]
Features: TypeAlias = Annotated[
    dict[str, Any], note(example={"education": 3, "keywords": ["welding"]})
]
Time: TypeAlias = Annotated[str, note(example="2024-05-31T18:00:00+00:00")]


class Reason(TypedDict):
    """A term of a score."""

    kind: Annotated[str, note(example="chosen item")]
    name: Annotated[str, note("An id or a feature's name.", example="R00002")]
    label: Annotated[str, note("The name to display.", example="Welder, Busan")]
    amount: float
    title: NotRequired[
        Annotated[str | None, note("The title of a chosen item, if the items have titles.")]
    ]


class ItemSummary(TypedDict):
    """An item, as every reply shows it."""

    item_id: ItemKey
    title: Title
    features: Features


class RankedItem(ItemSummary):
    """An item of a list."""

    rank: Annotated[int, note("From 1.", example=1)]
    score: float
    source: Annotated[
        str,
        note(
            "The model, or 'popularity' if the model knows nothing about the user.", example="IALS"
        ),
    ]
    reasons: NotRequired[Annotated[list[Reason], note("Only if requested.")]]


class RankedList(TypedDict):
    """The list for one query or user of the request."""

    user: UserKey | None
    query: Annotated[int, note("The position of the query or user in the request, from 0.")]
    items: list[RankedItem]


class Recommendations(TypedDict):
    """The lists, in the order of the request."""

    model: ModelKey
    lists: list[RankedList]
    notes: NotRequired[
        Annotated[
            list[str],
            note(
                "Given features that had no effect, and lists of popular items in their place; "
                "absent if there are none.",
                example=["feature 'degree': the model gives it no weight"],
            ),
        ]
    ]


class UserRecommendations(TypedDict):
    """The list of one user."""

    model: ModelKey
    user_id: UserKey
    items: list[RankedItem]


class SimilarItems(TypedDict):
    """The items most similar to an item."""

    model: ModelKey
    item_id: ItemKey
    items: list[RankedItem]


class RankedUser(TypedDict):
    """A user of an audience."""

    user_id: UserKey
    rank: int
    score: float
    features: dict[str, Any]


class Audience(TypedDict):
    """The users with the highest scores for an item."""

    model: ModelKey
    item_id: ItemKey
    users: list[RankedUser]


class Explanation(TypedDict):
    """The terms of a score, the largest first."""

    model: ModelKey
    item_id: ItemKey
    score: float
    source: str
    parts: list[Reason]


class Recorded(TypedDict):
    """The number of recorded interactions, and their ids."""

    recorded: int
    ids: Annotated[
        list[int],
        note("For DELETE /interactions/{record_id}, in the order of the request.", example=[1]),
    ]


class Removed(TypedDict):
    """The number of removed interactions."""

    removed: int


class Item(ItemSummary):
    """An item of the catalogue."""

    interactions: int


class Items(TypedDict):
    """The items that match a search, the best match first."""

    items: list[Item]


class UserSummary(TypedDict):
    """A user that matches a search."""

    user_id: UserKey
    interactions: int


class Users(TypedDict):
    """The users that match a search."""

    users: list[UserSummary]


class HistoryItem(TypedDict):
    """An item of a user's history."""

    item_id: ItemKey
    title: Title
    weight: float
    time: Time | None
    record_id: Annotated[
        int | None,
        note(
            "For DELETE /interactions/{record_id}; null: it was not recorded here, or "
            "the bundle was fitted with it."
        ),
    ]


class User(TypedDict):
    """The features and the history of a user."""

    user_id: UserKey
    features: dict[str, Any]
    history: Annotated[list[HistoryItem], note("The latest first.")]


Capability: TypeAlias = Literal["similar", "audience", "explain", "predict", "features", "map"]


class Ratings(TypedDict):
    """The scale of the weights of interactions."""

    min: float
    max: float
    values: Annotated[list[float] | None, note("The values in use, if they are few.")]


class ModelInfo(TypedDict):
    """A loaded bundle."""

    name: ModelKey
    kind: Annotated[str, note("The class of the model.", example="IALS")]
    users: int
    items: int
    interactions: int
    created: Time
    metrics: Annotated[dict[str, Any], note(example={"recall@10": 0.31})]
    ratings: Annotated[
        Ratings | None, note("The weights of interactions; null: they are all equal.")
    ]
    can: Annotated[list[Capability], note("The capabilities besides lists.")]
    trouble: Annotated[
        str | None,
        note(
            "Why a newer bundle in the folder could not be loaded; null: no error.",
            example="arrays.safetensors is damaged: its hash differs from the one in the manifest",
        ),
    ]


class Models(TypedDict):
    """The loaded bundles, the default first."""

    models: list[ModelInfo]
    records: Annotated[bool, note("Whether POST /interactions has a database to write to.")]


class FieldLabels(TypedDict):
    """What a field and its values are called."""

    label: NotRequired[Annotated[str, note("What the field is called.", example="education")]]
    labels: NotRequired[
        Annotated[dict[str, str], note("Words for values.", example={"3": "bachelor's"})]
    ]


class FieldInfo(FieldLabels):
    """A feature of users or items, as a form or a filter needs it."""

    name: Annotated[str, note(example="education")]
    kind: Literal["number", "category", "list", "text", "date", "flag"]
    values: NotRequired[Annotated[list[Any], note("The most frequent values.", example=["3", "4"])]]
    min: NotRequired[int | float | str | None]
    max: NotRequired[int | float | str | None]


class Schema(TypedDict):
    """The features of users and of items."""

    user_features: list[FieldInfo]
    item_fields: list[FieldInfo]


class Point(TypedDict):
    """An item on the map."""

    item_id: ItemKey
    title: Title
    x: Annotated[float, note("From -1 to 1.")]
    y: Annotated[float, note("From -1 to 1.")]
    interactions: int
    group: Annotated[str | None, note(example="welding")]


class Map(TypedDict):
    """The most popular items in two dimensions; similar items are close to each other."""

    points: list[Point]


class Traffic(TypedDict):
    """The requests of a route since the service was started."""

    route: str
    requests: int
    failed: Annotated[int, note("Answered with a status of 500 or more.")]
    median_ms: Annotated[float | None, note("Interpolated; null: more than 10 s.")]
    p95_ms: Annotated[float | None, note("95% of the requests took no longer.")]


class ServedLists(TypedDict):
    """A loaded bundle, and the lists it has answered with since the service was started."""

    name: ModelKey
    kind: Annotated[str, note("The class of the model.", example="IALS")]
    created: Time
    lists: int
    popular: Annotated[int, note("Lists of popular items, as the model could not score them.")]
    trouble: str | None


class Overview(TypedDict):
    """What the service has done since it was started."""

    seconds: Annotated[float, note("Since the start.")]
    routes: list[Traffic]
    models: list[ServedLists]


class Health(TypedDict):
    """The state of the service."""

    status: Literal["ok", "degraded"]
    version: Annotated[str, note("The version of shortlist.", example="0.1.0")]
    models: Annotated[
        dict[str, str],
        note("'ok', or why a newer bundle could not be loaded.", example={"ials": "ok"}),
    ]


T = TypeVar("T")


@dataclass(frozen=True)
class Encoded(Generic[T]):
    """A reply of form ``T`` that is already JSON: encoded once, sent many times."""

    content: bytes


@cache
def adapter(form: Any) -> TypeAdapter[Any]:
    """Return the encoder and the schema of a form."""
    return TypeAdapter(form)


def encode(form: Any, reply: Any) -> bytes:
    """Encode a reply as JSON; numbers that are not finite become null.

    >>> encode(Removed, {"removed": 1})
    b'{"removed":1}'
    """
    return adapter(form).dump_json(reply)
