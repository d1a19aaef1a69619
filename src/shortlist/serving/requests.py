"""The form of every request. Unknown fields, other types and non-finite numbers are refused."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import (
    AllowInfNan,
    BaseModel,
    ConfigDict,
    Field,
    Strict,
    StrictBool,
    StrictInt,
    StrictStr,
)

Id: TypeAlias = StrictInt | Annotated[StrictStr, Field(max_length=1_000)]
NewId: TypeAlias = (
    Annotated[StrictInt, Field(ge=-(2**63), lt=2**64)]
    | Annotated[StrictStr, Field(min_length=1, max_length=1_000)]
)
Number: TypeAlias = Annotated[float, Strict(), AllowInfNan(False)]
Scalar: TypeAlias = StrictBool | StrictInt | Number | StrictStr | None
Value: TypeAlias = Scalar | list[Scalar]
Operator: TypeAlias = Literal[
    "eq", "ne", "lt", "lte", "gt", "gte", "in", "not_in", "contains", "is_null"
]
Where: TypeAlias = dict[str, Value | dict[Operator, Value]]
Weights: TypeAlias = dict[str, Annotated[Number, Field(ge=0)]]

_WHERE = (
    "A rule over item fields: {field: value}, {field: [values]} or {field: {operator: value}}. "
    "All conditions must hold."
)
_MODEL = "The name of a loaded bundle; by default the first."


class Body(BaseModel):
    """The base of every request: no unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class QueryIn(Body):
    """The query of a list: a known user, a history, features, or several of them."""

    user: Id | None = Field(None, description="The id of a user.", examples=["U00001"])
    history: list[Id] | Weights | None = Field(
        None,
        description="Item ids, the latest last, or a mapping from item id to weight.",
        examples=[["R00001", "R00002"], {"R00001": 4.5}],
    )
    features: dict[str, Value] | None = Field(
        None,
        description="User features by name (see GET /schema).",
        examples=[{"degree": 4, "keywords": ["welding"]}],
    )
    allow: list[Id] | None = Field(None, description="Only these items.")
    deny: list[Id] | None = Field(None, description="None of these items.")
    where: Where | None = Field(
        None, description=_WHERE, examples=[{"education": {"lte": 3}, "address_seq1": ["3", "4"]}]
    )


class RecommendationsIn(Body):
    """One list or many, for ``queries`` or ``users``. The rules here apply to every list."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"users": ["U00001", "U00002"], "k": 5},
                {"queries": [{"history": ["R00001"], "where": {"education": {"lte": 3}}}]},
            ]
        }
    )

    model: str | None = Field(None, description=_MODEL)
    queries: list[QueryIn] | None = Field(None, min_length=1)
    users: list[Id] | None = Field(None, min_length=1, description="Ids of users.")
    k: StrictInt = Field(10, ge=1, description="The largest number of items of a list.")
    exclude_seen: StrictBool = Field(True, description="Leave out the items of the history.")
    allow: list[Id] | None = Field(None, description="Only these items.")
    deny: list[Id] | None = Field(None, description="None of these items.")
    where: Where | None = Field(
        None, description=_WHERE, examples=[{"year": {"gte": 1990}, "genres": {"contains": "War"}}]
    )
    as_of: str | None = Field(
        None,
        description="Only items live at this time (ISO or 'now'), if items have life spans.",
        examples=["now"],
    )
    on_unknown: Literal["raise", "skip", "fallback"] = Field(
        "raise",
        description="Unknown ids: refuse the request, skip the query, or use a fallback list.",
    )
    reasons: StrictBool = Field(False, description="Add the reasons for each item.")


class ExplanationIn(Body):
    """The score to explain: of an item, for a user or a query."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"user": "U00001", "item": "R00001"}]}
    )

    model: str | None = Field(None, description=_MODEL)
    user: Id | None = None
    query: QueryIn | None = None
    item: Id


class InteractionIn(Body):
    """An interaction of a user with an item."""

    user_id: NewId = Field(description="The id of a known or new user.")
    item_id: Id = Field(description="The id of an item of the catalogue.")
    weight: Number = Field(1.0, ge=0, le=1e6, description="The weight, as in the training data.")
    time: str | Number | None = Field(
        None,
        description="ISO text or seconds since 1970 (UTC); by default now.",
        examples=["2024-05-31T18:00"],
    )


class InteractionsIn(Body):
    """Interactions to record: all of them or none."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"interactions": [{"user_id": "U00001", "item_id": "R00001"}]}]
        }
    )

    interactions: list[InteractionIn] = Field(min_length=1)


class Parameters(Body):
    """The parameters that most query strings share."""

    model: str | None = Field(None, description=_MODEL)


class ListParameters(Parameters):
    """The parameters of the list of a user."""

    k: int = Field(10, ge=1, description="The largest number of items.")
    exclude_seen: bool = Field(True, description="Leave out the items of the user's history.")
    where: str | None = Field(
        None, description=f"As JSON. {_WHERE}", examples=['{"education": {"lte": 3}}']
    )
    as_of: str | None = Field(
        None, description="Only items that are live at this time: ISO, or 'now'.", examples=["now"]
    )
    reasons: bool = Field(False, description="Add the reasons for each item.")


class SimilarParameters(Parameters):
    """The parameters of a list of similar items."""

    k: int = Field(10, ge=1, description="The largest number of items.")
    where: str | None = Field(
        None, description=f"As JSON. {_WHERE}", examples=['{"education": {"lte": 3}}']
    )


class AudienceParameters(Parameters):
    """The parameters of the audience of an item."""

    k: int = Field(10, ge=1, description="The largest number of users.")
    exclude_seen: bool = Field(
        True, description="Leave out the users whose history contains the item."
    )


class SearchParameters(Parameters):
    """The parameters of a search."""

    q: str = Field("", max_length=200, description="The text to search for; empty: no filter.")
    limit: int = Field(20, ge=1, description="The largest number of results.")
