"""From a request to queries, checked before they are scored together with others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from shortlist.data.rules.where import matches
from shortlist.data.vocabulary import Id
from shortlist.recommend.query import OnUnknown, Query
from shortlist.recommend.requests import resolve
from shortlist.recommend.rules import Rules
from shortlist.serving.errors import check_count, wrong_value
from shortlist.serving.limits import Limits
from shortlist.serving.model_store import ServedModel
from shortlist.serving.requests import ExplanationIn, QueryIn, RecommendationsIn, count_values


def to_queries(body: RecommendationsIn, served: ServedModel, limits: Limits) -> list[Query]:
    """Return the queries of a request; the rules of the request are added to each of them."""
    _require_one_of("users", body.users, "queries", body.queries)
    users, given = body.users or [], body.queries or []
    count = len(users) + len(given)
    _check_entries([body, *given], limits)
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
    """Return the query whose score is explained."""
    _require_one_of("a user", body.user, "a query", body.query)
    if body.query is None:
        return Query(user=body.user)
    _check_entries([body.query], limits)
    return _to_query(body.query, served)


def shared_where(body: RecommendationsIn) -> dict[str, Any] | None:
    """Return the rule of a request if one of its queries has a rule for the same field.

    Such a rule cannot be merged into the queries: it is applied besides theirs. All other rules are
    merged, because requests with different rules in their queries can be scored together.
    """
    ruled = {name for query in body.queries or () for name in query.where or ()}
    return body.where if ruled & (body.where or {}).keys() else None


def rules_of(body: RecommendationsIn) -> list[Rules]:
    """Return the rules of a request and of its queries, before they are combined."""
    return [Rules(part.allow, part.deny, part.where) for part in (body, *(body.queries or ()))]


def check_queries(
    served: ServedModel,
    queries: Sequence[Query],
    rules: Iterable[Rules],
    on_unknown: OnUnknown = "raise",
) -> None:
    """Check at little cost that queries can be scored: their ids and features, and the rules.

    A rule that many queries obey is given once: a long one takes tens of milliseconds.
    """
    data = served.data
    for query in queries:
        known = all(item in data.items for item in query.history or ())
        known = known and (query.user is None or query.user in data.users)
        if query.features is not None or not known:
            resolve(served.model, None, queries, on_unknown)
            break
    no_items = None if data.item_features is None else data.item_features.slice(0, 0)
    for each in rules:
        if on_unknown == "raise":
            data.items.require([*(each.allow or ()), *(each.deny or ())])
        if each.rule is not None:
            matches(no_items, each.rule, each.where)


def _require_one_of(first: str, value: object, second: str, other: object) -> None:
    if (value is None) == (other is None):
        both = f"neither {first} nor {second}" if value is None else f"both {first} and {second}"
        raise wrong_value(both, "", "give one of the two")


def _to_query(given: QueryIn, served: ServedModel) -> Query:
    history: Iterable[Id] | Mapping[Id, float] | None = given.history
    if isinstance(given.history, dict):  # keys are text in JSON, whatever the type of the ids
        ids = served.data.items.parse(given.history)
        history = dict(zip(ids, given.history.values(), strict=True))
    return Query(given.user, history, given.features, given.allow, given.deny, given.where)


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


def _check_entries(parts: Iterable[RecommendationsIn | QueryIn], limits: Limits) -> None:
    """Check how many ids and values the lists of a request hold."""
    ids = values = 0
    for part in parts:
        history, features = getattr(part, "history", None), getattr(part, "features", None)
        ids += sum(count_values(each or []) for each in (history, part.allow, part.deny))
        values += count_values(part.where or {}) + count_values(features or {})
    check_count(ids, limits.entries, "item ids", "history, allow, deny")
    check_count(values, limits.entries, "values", "where, features")
