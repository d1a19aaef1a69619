"""What may be asked: an unknown field, a wrong type or a number that is not finite is refused."""

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


class Body(BaseModel):
    """What every request body has in common."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class QueryIn(Body):
    """Who a list is for: a known user, a history, features, or a mix of them."""

    user: Id | None = Field(None, description="The id of a user.", examples=["U00001"])
    history: list[Id] | Weights | None = Field(
        None,
        description="Ids of chosen items, the latest last, or a mapping from id to weight.",
        examples=[["R00001", "R00002"], {"R00001": 4.5}],
    )
    features: dict[str, Value] | None = Field(
        None,
        description="What is known of somebody, by feature name (see GET /schema).",
        examples=[{"degree": 4, "keywords": ["welding"]}],
    )
    allow: list[Id] | None = Field(None, description="Only these items.")
    deny: list[Id] | None = Field(None, description="None of these items.")
    where: Where | None = Field(
        None, description=_WHERE, examples=[{"education": {"lte": 3}, "address_seq1": ["3", "4"]}]
    )


class RecommendationsIn(Body):
    """One list or many. Give ``queries`` or ``users``; rules given here hold for all of them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"users": ["U00001", "U00002"], "k": 5},
                {"queries": [{"history": ["R00001"], "where": {"education": {"lte": 3}}}]},
            ]
        }
    )

    model: str | None = Field(None, description="The name of a loaded bundle; else the first.")
    queries: list[QueryIn] | None = Field(None, min_length=1)
    users: list[Id] | None = Field(None, min_length=1, description="Ids of users.")
    k: StrictInt = Field(10, ge=1, description="How many items a list has at most.")
    exclude_seen: StrictBool = Field(True, description="Leave out what is in the history.")
    allow: list[Id] | None = Field(None, description="Only these items.")
    deny: list[Id] | None = Field(None, description="None of these items.")
    where: Where | None = Field(
        None, description=_WHERE, examples=[{"year": {"gte": 1990}, "genres": {"contains": "War"}}]
    )
    as_of: str | None = Field(
        None,
        description="Only items live at this moment, where items have a life span: ISO or 'now'.",
        examples=["now"],
    )
    on_unknown: Literal["raise", "skip", "fallback"] = Field(
        "raise", description="What to do about unknown ids: refuse, leave out, or fall back."
    )
    reasons: StrictBool = Field(False, description="Say why each item is listed.")


class ExplanationIn(Body):
    """Which score to take apart: that of an item for a user, or for a query."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"user": "U00001", "item": "R00001"}]}
    )

    model: str | None = Field(None, description="The name of a loaded bundle; else the first.")
    user: Id | None = None
    query: QueryIn | None = None
    item: Id


class InteractionIn(Body):
    """A choice that somebody made."""

    user_id: Id = Field(description="A user, known or new.")
    item_id: Id = Field(description="An item of the catalogue.")
    weight: Number = Field(1.0, ge=0, le=1e6, description="How strong it is, as in training.")
    time: str | Number | None = Field(
        None,
        description="When: ISO text or seconds since 1970 (UTC); else now.",
        examples=["2024-05-31T18:00"],
    )


class InteractionsIn(Body):
    """Choices to record; all of them are, or none."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"interactions": [{"user_id": "U00001", "item_id": "R00001"}]}]
        }
    )

    interactions: list[InteractionIn] = Field(min_length=1)


class Asked(Body):
    """What query strings have in common."""

    model: str | None = Field(None, description="The name of a loaded bundle; else the first.")


class ListAsked(Asked):
    """How to make the list of a user."""

    k: int = Field(10, ge=1, description="How many items, at most.")
    exclude_seen: bool = Field(True, description="Leave out what the user has chosen.")
    where: str | None = Field(
        None, description=f"As JSON. {_WHERE}", examples=['{"education": {"lte": 3}}']
    )
    as_of: str | None = Field(
        None, description="Only items live at this moment: ISO, or 'now'.", examples=["now"]
    )
    reasons: bool = Field(False, description="Say why each item is listed.")


class SimilarAsked(Asked):
    """How to list items like an item."""

    k: int = Field(10, ge=1, description="How many items, at most.")
    where: str | None = Field(
        None, description=f"As JSON. {_WHERE}", examples=['{"education": {"lte": 3}}']
    )


class AudienceAsked(Asked):
    """How to list the users whom an item suits."""

    k: int = Field(10, ge=1, description="How many users, at most.")
    exclude_seen: bool = Field(True, description="Leave out who has chosen the item.")


class SearchAsked(Asked):
    """What to look for."""

    q: str = Field("", max_length=200, description="A text; empty: everything.")
    limit: int = Field(20, ge=1, description="How many hits, at most.")
