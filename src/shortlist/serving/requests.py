"""The form of every request. Unknown fields, other types and non-finite numbers are refused."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import (
    AllowInfNan,
    BaseModel,
    BeforeValidator,
    Field,
    Strict,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    model_validator,
)
from pydantic_core import from_json

from shortlist.serving.errors import RequestError, RequestErrorCode, check_count, wrong_value
from shortlist.serving.limits import Limits


@dataclass(frozen=True)
class AtMost:
    """The bound of a field: the name of a limit of the service, and what it counts, if anything."""

    limit: str
    noun: str = ""
    where: str = ""  # for the message, if it is not the field itself


def _read_rule(text: Any) -> Any:
    """Read the rule in a query string."""
    if text is None:
        return None
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError as error:
        remedy = 'write it like where={"year":{"gte":1990}}, percent-encoded'
        raise wrong_value(f"the rule is not JSON: {error}", "where", remedy) from None


def _name_by_name(given: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """Validate an object up to the first name that is wrong."""
    if not isinstance(given, dict):
        return validate(given)
    valid: dict[str, Any] = {}
    for name, value in given.items():
        valid |= validate({name: value})
    return valid


# pydantic reports every wrong element, as every type that it may have. That takes seconds and much
# memory if there are many, and the reply names one: lists and objects stop at the first.
_Element = TypeVar("_Element")
_Name = TypeVar("_Name", bound=str)
List: TypeAlias = Annotated[list[_Element], Field(fail_fast=True)]
Object: TypeAlias = Annotated[dict[_Name, _Element], WrapValidator(_name_by_name)]

Id: TypeAlias = StrictInt | Annotated[StrictStr, Field(max_length=1_000)]
NewId: TypeAlias = (
    Annotated[StrictInt, Field(ge=-(2**63), lt=2**64)]
    | Annotated[StrictStr, Field(min_length=1, max_length=1_000)]
)
Number: TypeAlias = Annotated[float, Strict(), AllowInfNan(False)]
Scalar: TypeAlias = StrictBool | StrictInt | Number | StrictStr | None
Value: TypeAlias = Scalar | List[Scalar]
Operator: TypeAlias = Literal[
    "eq", "ne", "lt", "lte", "gt", "gte", "in", "not_in", "contains", "is_null"
]
Where: TypeAlias = Object[str, Value | Object[Operator, Value]]
Weights: TypeAlias = Object[str, Annotated[Number, Field(ge=0)]]

_WHERE = (
    "A rule over item fields: {field: value}, {field: [values]} or {field: {operator: value}}. "
    "All conditions must hold."
)

# The parameters of query strings and paths.
ModelName: TypeAlias = Annotated[
    str | None, Field(description="The name of a loaded bundle; by default the first.")
]
ItemId: TypeAlias = Annotated[str, Field(description="The id of an item.")]
UserId: TypeAlias = Annotated[str, Field(description="The id of a user.")]
Length: TypeAlias = Annotated[
    int, AtMost("k"), Field(ge=1, description="The largest number of items.")
]
WhereText: TypeAlias = Annotated[
    Where | None,
    AtMost("entries", "values"),
    BeforeValidator(_read_rule),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "null"}]}),
    Field(description=f"As JSON. {_WHERE}", examples=['{"education": {"lte": 3}}']),
]
DIVERSITY = Field(
    ge=0,
    le=1,
    allow_inf_nan=False,
    description="From 0, the best items, to 1: the items that differ most in who chose them.",
)
SearchText: TypeAlias = Annotated[
    str, Field(max_length=200, description="The text to search for; empty: no filter.")
]
Hits: TypeAlias = Annotated[
    int, AtMost("search", "hits"), Field(ge=1, description="The largest number of results.")
]


class Body(BaseModel, extra="forbid", frozen=True):
    """The base of every request: no unknown fields."""

    @model_validator(mode="before")
    @classmethod
    def _one_unknown(cls, given: Any) -> Any:
        """Leave one unknown field for pydantic to refuse: it would report each of them."""
        if not isinstance(given, dict):
            return given
        unknown = next((name for name in given if name not in cls.model_fields), None)
        named = {*cls.model_fields, unknown}
        return {name: value for name, value in given.items() if name in named}


class QueryIn(Body):
    """The query of a list: a known user, a history, features, or several of them."""

    user: Id | None = Field(None, description="The id of a user.", examples=["U00001"])
    history: List[Id] | Weights | None = Field(
        None,
        description="Item ids, the latest last, or a mapping from item id to weight.",
        examples=[["R00001", "R00002"], {"R00001": 4.5}],
    )
    features: Object[str, Value] | None = Field(
        None,
        description="User features by name (see GET /schema).",
        examples=[{"degree": 4, "keywords": ["welding"]}],
    )
    allow: List[Id] | None = Field(None, description="Only these items.")
    deny: List[Id] | None = Field(None, description="None of these items.")
    where: Where | None = Field(
        None, description=_WHERE, examples=[{"education": {"lte": 3}, "address_seq1": ["3", "4"]}]
    )


_LIST_EXAMPLES: list[dict[str, Any]] = [
    {"users": ["U00001", "U00002"], "k": 5},
    {"queries": [{"history": ["R00001"], "where": {"education": {"lte": 3}}}]},
]


class RecommendationsIn(Body, json_schema_extra={"examples": _LIST_EXAMPLES}):
    """One list or many, for ``queries`` or ``users``. The rules here apply to every list."""

    model: ModelName = None
    queries: Annotated[List[QueryIn] | None, AtMost("queries", "lists")] = Field(None, min_length=1)
    users: Annotated[List[Id] | None, AtMost("queries", "lists", "queries")] = Field(
        None, min_length=1, description="Ids of users."
    )
    k: Annotated[StrictInt, AtMost("k")] = Field(
        10, ge=1, description="The largest number of items of a list."
    )
    exclude_seen: StrictBool = Field(True, description="Leave out the items of the history.")
    allow: List[Id] | None = Field(None, description="Only these items.")
    deny: List[Id] | None = Field(None, description="None of these items.")
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
    diversity: Annotated[Number, DIVERSITY] = 0.0
    reasons: StrictBool = Field(False, description="Add the reasons for each item.")


class ExplanationIn(Body, json_schema_extra={"examples": [{"user": "U00001", "item": "R00001"}]}):
    """The score to explain: of an item, for a user or a query."""

    model: ModelName = None
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


_RECORD_EXAMPLE = {"interactions": [{"user_id": "U00001", "item_id": "R00001"}]}


class InteractionsIn(Body, json_schema_extra={"examples": [_RECORD_EXAMPLE]}):
    """Interactions to record: all of them or none."""

    interactions: Annotated[List[InteractionIn], AtMost("interactions", "interactions")] = Field(
        min_length=1
    )


@cache
def bounds(form: type[BaseModel]) -> dict[str, AtMost]:
    """Return the bounds that the fields of a form declare."""
    return {
        name: bound
        for name, field in form.model_fields.items()
        for bound in field.metadata
        if isinstance(bound, AtMost)
    }


def check_bounds(request: BaseModel, limits: Limits) -> None:
    """Raise a RequestError if a field exceeds the limit that it declares."""
    for name, bound in bounds(type(request)).items():
        value, limit = getattr(request, name), getattr(limits, bound.limit)
        if value is None:
            continue
        count = value if isinstance(value, int) else count_values(value)
        if bound.noun:
            check_count(count, limit, bound.noun, bound.where or name)
        elif count > limit:
            raise RequestError(
                f"{name}={count} is out of range",
                code=RequestErrorCode.OUT_OF_RANGE,
                where=name,
                remedy=f"ask for 1 to {limit} items",
                parameter=name,
            )


def count_values(given: Any) -> int:
    """Return how many values a list, or the parts of a rule or of features, hold."""
    if isinstance(given, dict):
        return sum(map(count_values, given.values()))
    return len(given) if isinstance(given, list) else 1


def add_limits(schemas: dict[str, Any], form: type[BaseModel], limits: Limits) -> None:
    """Add the limits of the service to the schemas of the fields of a form."""
    for name, bound in bounds(form).items():
        for option in schemas[name].get("anyOf", [schemas[name]]):
            if option["type"] in ("integer", "array"):
                key = "maximum" if option["type"] == "integer" else "maxItems"
                option[key] = getattr(limits, bound.limit)
