"""From a request as it came over the wire to queries, checked before they wait for their turn."""

from __future__ import annotations

import json
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
from shortlist.serving.limits import Limits
from shortlist.serving.recent import Recent
from shortlist.serving.schemas import ExplanationIn, QueryIn, RecommendationsIn, Where
from shortlist.serving.served import Served
from shortlist.serving.troubles import RefusedError, invalid

_WHERE: TypeAdapter[dict[str, Any]] = TypeAdapter(Where)


def read_json(body: bytes) -> Any:
    """Read JSON as RFC 8259 has it: no NaN, no Infinity, no half of a surrogate pair.

    Raises
    ------
    json.JSONDecodeError
        It is not JSON, or nested too deeply.
    """
    if not body:
        raise json.JSONDecodeError("it is empty", "", 0)
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise json.JSONDecodeError(str(error), "", 0) from None


def where_of(text: str | None) -> dict[str, Any] | None:
    """Read the rule of a query string.

    Raises
    ------
    RefusedError
        It is not JSON, or no rule.
    """
    if text is None:
        return None
    try:
        return _WHERE.validate_python(read_json(text.encode()))
    except json.JSONDecodeError as error:
        raise RefusedError(
            422,
            f"the rule is not JSON: {error.msg}",
            where="where",
            remedy='write it like where={"year":{"gte":1990}}, percent-encoded',
        ) from None
    except ValidationError as error:
        problem = invalid(error.errors())
        place = "where" if problem.where == "the body" else f"where.{problem.where}"
        raise RefusedError(422, problem.what, where=place, remedy=problem.remedy) from None


def queries_of(body: RecommendationsIn, served: Served, limits: Limits) -> list[Query]:
    """Make the queries of a request; rules that it gives for all of them go into each.

    Raises
    ------
    InputError
        There are neither users nor queries, or both; or more than the limits allow.
    """
    if (body.users is None) == (body.queries is None):
        raise RefusedError(
            422,
            "neither users nor queries" if body.users is None else "both users and queries",
            where="the body",
            remedy="give one of the two",
        )
    check_k(body.k, limits)
    users, asked = body.users or [], body.queries or []
    check_most(len(users) + len(asked), limits.queries, "lists", "queries")
    entries = _lengths([body.allow, body.deny]) + sum(
        _lengths([one.history, one.allow, one.deny]) for one in asked
    )
    check_most(entries, limits.entries, "item ids", "history, allow, deny")
    listed = (len(users) + len(asked)) * body.k
    check_most(listed, limits.listed, "items to list", "lists times k")
    if body.reasons:
        check_most(listed, limits.reasons, "reasons", "lists times k")
    where = None if rule_for_all(body) else body.where
    common = Query(history=(), allow=body.allow, deny=body.deny, where=where)
    return [
        *(replace(common, user=user, history=None) for user in users),
        *(_both(query_of(one, served), common) for one in asked),
    ]


def query_to_explain(body: ExplanationIn, served: Served, limits: Limits) -> Query:
    """Make the query whose score is taken apart.

    Raises
    ------
    InputError
        There is neither a user nor a query, or both; or more than the limits allow.
    """
    if (body.user is None) == (body.query is None):
        raise RefusedError(
            422,
            "neither a user nor a query" if body.user is None else "both a user and a query",
            where="the body",
            remedy="give one of the two",
        )
    if body.query is None:
        return Query(user=body.user)
    check_most(_lengths([body.query.history]), limits.entries, "item ids", "query.history")
    return query_of(body.query, served)


def query_of(given: QueryIn, served: Served) -> Query:
    """Make a query; the ids of a history with weights are text in JSON, whatever their type."""
    history: Iterable[Id] | Mapping[Id, float] | None = given.history
    if isinstance(given.history, dict):
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


def _both(query: Query, common: Query) -> Query:
    """Add the rules of a request to those of one of its queries: an item must pass both."""
    allow, deny, where = query.allow, query.deny, query.where
    if common.allow is not None:
        wanted = None if allow is None else set(allow)
        allow = [one for one in common.allow if wanted is None or one in wanted]
    if common.deny is not None:
        deny = [*(deny or ()), *common.deny]
    if isinstance(common.where, Mapping):
        where = {**common.where, **(where if isinstance(where, Mapping) else {})}
    return replace(query, allow=allow, deny=deny, where=where)


def rule_for_all(body: RecommendationsIn) -> dict[str, Any] | None:
    """Give the rule of a request that cannot be put into its queries: one of them has the field.

    It holds beside theirs. Any other rule is best in the queries: requests with different ones
    are scored together.
    """
    ruled = {name for one in body.queries or () for name in one.where or ()}
    return body.where if ruled & (body.where or {}).keys() else None


def check(
    served: Served,
    queries: Sequence[Query],
    on_unknown: OnUnknown,
    where: dict[str, Any] | None = None,
) -> None:
    """See that queries can be answered, at little cost, before they are put with others.

    Raises
    ------
    InputError
        An id, a feature, a field or a value in a rule is wrong.
    """
    data = served.data
    for query in queries:
        known = all(one in data.items for one in query.history or ())
        known = known and (query.user is None or query.user in data.users)
        if query.features is not None or not known:
            resolve(served.model, None, queries, on_unknown)
            break
    for rules in (Rules(where=where), *(query.rules for query in queries)):
        if not rules.empty:
            _check_rules(served, rules, strict=on_unknown == "raise")


def _check_rules(served: Served, rules: Rules, *, strict: bool) -> None:
    data = served.data
    if strict:
        data.items.require([*(rules.allow or ()), *(rules.deny or ())])
    if rules.where is not None:
        no_items = None if data.item_features is None else data.item_features.slice(0, 0)
        matches(no_items, rules.conditions, rules.where)


def check_k(k: int, limits: Limits) -> None:
    """Refuse a list that is too long, or too short.

    Raises
    ------
    RefusedError
        It is.
    """
    if not 1 <= k <= limits.k:
        raise RefusedError(
            422, f"k={k} is out of range", where="k", remedy=f"ask for 1 to {limits.k} items"
        )


def check_moment(when: str | None) -> None:
    """Refuse what is no moment.

    Raises
    ------
    InputError
        It is none.
    """
    if when is not None:
        moment(when)


def check_most(count: int, most: int, what: str, where: str) -> None:
    """Refuse more than a limit.

    Raises
    ------
    RefusedError
        There are more.
    """
    if count > most:
        raise RefusedError(
            422,
            f"{count} {what} in one request",
            where=where,
            remedy=f"at most {most}: send several requests",
        )


def known_now(served: Served, recent: Recent, queries: Sequence[Query]) -> list[Query]:
    """Add what users chose since the bundle was fitted."""
    return [recent.known_by(served.data, query) for query in queries]


def _lengths(parts: Iterable[Any]) -> int:
    return sum(len(one) for one in parts if one is not None)
