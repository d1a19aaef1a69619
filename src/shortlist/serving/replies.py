"""What comes back, as the documentation shows it; the replies are written without these classes."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, Field

ItemKey: TypeAlias = Annotated[int | str, Field(examples=["R00001"])]
UserKey: TypeAlias = Annotated[int | str, Field(examples=["U00001"])]
ModelKey: TypeAlias = Annotated[str, Field(examples=["ials"])]
Title: TypeAlias = Annotated[
    str,
    Field(
        description="What to call it: its title; where items have none, its id and a few fields.",
        examples=["Welder, Busan"],
    ),
]


class Reason(BaseModel):
    """A part of a score."""

    kind: str = Field(examples=["chosen item"])
    name: str = Field(description="An id, or the name of a feature.", examples=["R00002"])
    label: str = Field(description="The same for people to read.", examples=["Welder, Busan"])
    amount: float


class Listed(BaseModel):
    """An item of a list."""

    item_id: ItemKey
    title: Title
    features: dict[str, Any] = Field(examples=[{"education": 3, "keywords": ["welding"]}])
    rank: int = Field(description="From 1.", examples=[1])
    score: float
    source: str = Field(
        description="The model, or 'popularity' for somebody it knows nothing of.",
        examples=["IALS"],
    )
    reasons: list[Reason] | None = Field(None, description="Only where they were asked for.")


class List(BaseModel):
    """One list."""

    user: UserKey | None
    query: int = Field(description="The position of the query or user in the request, from 0.")
    items: list[Listed]


class Recommendations(BaseModel):
    """The lists, in the order of the request."""

    model: ModelKey
    lists: list[List]


class UserList(BaseModel):
    """The list of one user."""

    model: ModelKey
    user_id: UserKey
    items: list[Listed]


class SimilarItems(BaseModel):
    """The items most like an item."""

    model: ModelKey
    item_id: ItemKey
    items: list[Listed]


class Member(BaseModel):
    """A user whom an item suits."""

    user_id: UserKey
    rank: int
    score: float


class Audience(BaseModel):
    """The users whom an item suits best."""

    model: ModelKey
    item_id: ItemKey
    users: list[Member]


class Explanation(BaseModel):
    """What a score is the sum of, the largest part first."""

    model: ModelKey
    item_id: ItemKey
    score: float
    source: str
    parts: list[Reason]


class Recorded(BaseModel):
    """How many interactions were recorded."""

    recorded: int


class Item(BaseModel):
    """An item of the catalogue."""

    item_id: ItemKey
    title: Title
    interactions: int
    features: dict[str, Any]


class Items(BaseModel):
    """What a search found, the best first."""

    items: list[Item]


class UserHit(BaseModel):
    """A user that a search found."""

    user_id: UserKey
    interactions: int


class Users(BaseModel):
    """What a search found."""

    users: list[UserHit]


class Chosen(BaseModel):
    """An item of a history."""

    item_id: ItemKey
    title: Title
    weight: float
    time: str | None = Field(examples=["2024-05-31T18:00:00+00:00"])


class User(BaseModel):
    """What is known of a user."""

    user_id: UserKey
    features: dict[str, Any]
    history: list[Chosen] = Field(description="The latest first.")


class ModelInfo(BaseModel):
    """A loaded bundle."""

    name: ModelKey
    kind: str = Field(description="The class of the model.", examples=["IALS"])
    users: int
    items: int
    interactions: int
    created: str = Field(examples=["2024-05-31T18:00:00+00:00"])
    metrics: dict[str, Any] = Field(examples=[{"recall@10": 0.31}])
    can: list[Literal["similar", "audience", "explain", "predict", "features", "map"]]
    trouble: str | None = Field(
        description="Why a newer bundle at its place was not taken over; null: all is well.",
        examples=["arrays.safetensors is damaged: it is not what the manifest's hash says"],
    )


class Models(BaseModel):
    """The loaded bundles, the default first."""

    models: list[ModelInfo]
    records: bool = Field(description="Whether POST /interactions has a store to record into.")


class FieldInfo(BaseModel):
    """A feature of users, or a field of items: what a form or a filter needs to know."""

    name: str = Field(examples=["education"])
    kind: Literal["number", "category", "list", "text", "date", "flag"]
    values: list[Any] | None = Field(
        None, description="The most frequent values.", examples=[["3", "4"]]
    )
    min: float | str | None = None
    max: float | str | None = None


class Schema(BaseModel):
    """The features of users and the fields of items."""

    user_features: list[FieldInfo]
    item_fields: list[FieldInfo]


class Point(BaseModel):
    """An item on the map."""

    item_id: ItemKey
    title: Title
    x: float = Field(description="From -1 to 1.")
    y: float = Field(description="From -1 to 1.")
    interactions: int
    group: str | None = Field(examples=["welding"])


class Map(BaseModel):
    """The most chosen items, so that alike ones are neighbours."""

    points: list[Point]


class Health(BaseModel):
    """How the service is."""

    status: Literal["ok", "degraded"]
    models: dict[str, str] = Field(
        description="'ok', or why a newer bundle was not taken over.", examples=[{"ials": "ok"}]
    )


class Trouble(BaseModel):
    """What is wrong, where, and what to do."""

    what: str = Field(examples=["k=1000000000 is too long a list; at most 1000"])
    where: str | None = Field(examples=["k"])
    remedy: str | None = Field(examples=["ask for less"])


class Error(BaseModel):
    """Every error has this shape."""

    error: Trouble
