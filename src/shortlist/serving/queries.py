"""From a request to queries, checked before they are scored together with others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from shortlist.data.moments import moment
from shortlist.data.vocabulary import Id
from shortlist.recommend.query import OnUnknown, Query
from shortlist.recommend.requests import resolve
from shortlist.recommend.rules import Rules
from shortlist.recommend.where import matches
from shortlist.serving.errors import RequestError, RequestErrorCode, invalid
from shortlist.serving.limits import Limits
from shortlist.serving.model_store import ServedModel
from shortlist.serving.requests import ExplanationIn, QueryIn, RecommendationsIn, Where

_WHERE: TypeAdapter[dict[str, Any]] = TypeAdapter(Where)


def parse_where(text: str | None) -> dict[str, Any] | None:
    """Read the rule in a query string.

    Raises
    ------
    RequestError
        It is not JSON, or not a rule.
    """
    if text is None:
        return None
    try:
        content = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise RequestError(
            RequestErrorCode.INVALID_VALUE,
            f"the rule is not JSON: {error}",
            where="where",
            remedy='write it like where={"year":{"gte":1990}}, percent-encoded',
            parameter="where",
        ) from None
    try:
        return _WHERE.validate_python(content)
    except ValidationError as error:
        raise invalid(error.errors(), within="where") from None


def to_queries(body: RecommendationsIn, served: ServedModel, limits: Limits) -> list[Query]:
    """Return the queries of a request; the rules of the request are added to each of them.

    Raises
    ------
    RequestError
        There are neither users nor queries, or both; or more than the limits allow.
    """
    _require_one_of("users", body.users, "queries", body.queries)
    check_k(body.k, limits)
    users, given = body.users or [], body.queries or []
    count = len(users) + len(given)
    check_count(count, limits.queries, "lists", "queries")
    ids = _total_length([body.allow, body.deny]) + sum(
        _total_length([query.history, query.allow, query.deny]) for query in given
    )
    check_count(ids, limits.entries, "item ids", "history, allow, deny")
    check_count(count * body.k, limits.listed, "items to list", "lists times k")
    if body.reasons:
        check_count(count * body.k, limits.reasons, "reasons", "lists times k")
    where = None if shared_where(body) else body.where
    common = Query(history=(), allow=body.allow, deny=body.deny, where=where)
    return [
        *(replace(common, user=user, history=None) for user in users),
        *(_combined(_to_query(query, served), common) for query in given),
    ]


def to_explained_query(body: ExplanationIn, served: ServedModel, limits: Limits) -> Query:
    """Return the query whose score is explained.

    Raises
    ------
    RequestError
        There is neither a user nor a query, or both; or more than the limits allow.
    """
    _require_one_of("a user", body.user, "a query", body.query)
    if body.query is None:
        return Query(user=body.user)
    check_count(_total_length([body.query.history]), limits.entries, "item ids", "query.history")
    return _to_query(body.query, served)


def shared_where(body: RecommendationsIn) -> dict[str, Any] | None:
    """Return the rule of a request if one of its queries has a rule for the same field.

    Such a rule cannot be merged into the queries: it is applied besides theirs. All other rules are
    merged, because requests with different rules in their queries can be scored together.
    """
    ruled = {name for query in body.queries or () for name in query.where or ()}
    return body.where if ruled & (body.where or {}).keys() else None


def check_queries(
    served: ServedModel,
    queries: Sequence[Query],
    on_unknown: OnUnknown,
    where: dict[str, Any] | None = None,
) -> None:
    """Check at little cost that queries can be scored.

    Raises
    ------
    InputError
        An id, a feature, a field or a value in a rule is wrong.
    """
    data = served.data
    for query in queries:
        known = all(item in data.items for item in query.history or ())
        known = known and (query.user is None or query.user in data.users)
        if query.features is not None or not known:
            resolve(served.model, None, queries, on_unknown)
            break
    if where is not None:
        _check_rules(served, Rules(where=where), strict=True)
    for query in queries:
        if query.allow is not None or query.deny is not None or query.where is not None:
            _check_rules(served, query.rules, strict=on_unknown == "raise")


def check_k(k: int, limits: Limits) -> None:
    """Check the length of a list.

    Raises
    ------
    RequestError
        It is out of range.
    """
    if not 1 <= k <= limits.k:
        raise RequestError(
            RequestErrorCode.OUT_OF_RANGE,
            f"k={k} is out of range",
            where="k",
            remedy=f"ask for 1 to {limits.k} items",
            parameter="k",
        )


def check_moment(as_of: str | None) -> None:
    """Check a time.

    Raises
    ------
    InputError
        It is not a time.
    """
    if as_of is not None:
        moment(as_of)


def check_count(count: int, limit: int, noun: str, where: str) -> None:
    """Check a number against a limit.

    Raises
    ------
    RequestError
        It is larger.
    """
    if count > limit:
        raise RequestError(
            RequestErrorCode.TOO_MANY,
            f"{count} {noun} in one request",
            where=where,
            remedy=f"at most {limit}: send several requests",
        )


def _require_one_of(first: str, value: object, second: str, other: object) -> None:
    if (value is None) == (other is None):
        neither = value is None
        raise RequestError(
            RequestErrorCode.INVALID_VALUE,
            f"neither {first} nor {second}" if neither else f"both {first} and {second}",
            where="the body",
            remedy="give one of the two",
        )


def _to_query(given: QueryIn, served: ServedModel) -> Query:
    history: Iterable[Id] | Mapping[Id, float] | None = given.history
    if isinstance(given.history, dict):  # keys are text in JSON, whatever the type of the ids
        ids = served.data.items.parse(given.history)
        history = dict(zip(ids, given.history.values(), strict=True))
    return Query(
        user=given.user,
        history=history,
        features=given.features,
        allow=given.allow,
        deny=given.deny,
        where=given.where,
    )


def _combined(query: Query, common: Query) -> Query:
    """Add the rules of a request to those of one of its queries: an item must pass both."""
    allow, deny, where = query.allow, query.deny, query.where
    if common.allow is not None:
        own = None if allow is None else set(allow)
        allow = [item for item in common.allow if own is None or item in own]
    if common.deny is not None:
        deny = [*(deny or ()), *common.deny]
    if isinstance(common.where, Mapping):
        where = {**common.where, **(where if isinstance(where, Mapping) else {})}
    return replace(query, allow=allow, deny=deny, where=where)


def _check_rules(served: ServedModel, rules: Rules, *, strict: bool) -> None:
    data = served.data
    if strict:
        data.items.require([*(rules.allow or ()), *(rules.deny or ())])
    if rules.rule is not None:
        no_items = None if data.item_features is None else data.item_features.slice(0, 0)
        matches(no_items, rules.rule, rules.where)


def _total_length(parts: Iterable[Any]) -> int:
    return sum(len(part) for part in parts if part is not None)
