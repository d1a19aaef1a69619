"""Lists for one user or one item, by dot product, cosine, or anything between."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist.data.vocabulary import Id
from shortlist.errors import CapabilityError, ConfigError, InputError, suggestion
from shortlist.explore.items import described, item_factors, titles
from shortlist.models.base import Model
from shortlist.recommend.query import Query
from shortlist.recommend.recommender import check_k
from shortlist.recommend.requests import resolve
from shortlist.scoring.scores import FactorScores
from shortlist.scoring.sparse import inverse

Measure = Literal["dot", "cosine", "power"]
Vectors = NDArray[np.floating[Any]]


def scores(
    query: Vectors, vectors: Vectors, measure: Measure = "dot", power: float = 0.5
) -> NDArray[np.float64]:
    """Score vectors for one query vector.

    - ``dot``: ``u.v``. What is popular has long vectors and comes first.
    - ``cosine``: ``u.v / (|u| |v|)``. Length plays no part: what hardly anybody chose comes up too.
    - ``power``: ``u.v / |v|^power``. At 0 that is the dot product, at 1 the order of the cosine.

    A vector of zeros scores 0.

    Parameters
    ----------
    query
        The vector of a user or an item.  # (f,)
    vectors
        What is scored.  # (n, f)
    measure, power
        How.

    Examples
    --------
    >>> vectors = np.array([[0.0, 4.0], [1.0, 0.0]])
    >>> for measure in ("dot", "cosine", "power"):
    ...     scores(np.array([0.0, 2.0]), vectors, measure, power=2).tolist()
    [8.0, 0.0]
    [1.0, 0.0]
    [0.5, 0.0]
    """  # (n,)
    if measure not in get_args(Measure):
        raise ConfigError(
            f"there is no measure {measure!r}", remedy=suggestion(measure, get_args(Measure))
        )
    if not np.isfinite(power):
        raise ConfigError(f"power={power} is not finite", remedy="pass 0 (dot) to 1 (cosine)")
    own = np.asarray(query, dtype=np.float64)
    rows = np.asarray(vectors, dtype=np.float64)
    products: NDArray[np.float64] = rows @ own
    lengths = np.sqrt((rows**2).sum(axis=1))
    match measure:
        case "dot":
            return products
        case "cosine":
            return products * inverse(lengths) * float(inverse(np.sqrt(own[np.newaxis] @ own))[0])
        case "power":
            divisors = np.where(lengths > 0, lengths, 1.0) ** power
            return np.asarray(products / divisors)


def for_user(
    model: Model[Any, Any],
    user: Id | None = None,
    *,
    history: Iterable[Id] | Mapping[Id, float] | None = None,
    measure: Measure = "dot",
    power: float = 0.5,
    k: int = 6,
    exclude_seen: bool = True,
) -> pa.Table:
    """List the best items for a user, or for a history of your own, by a measure.

    Parameters
    ----------
    model
        A fitted model with vectors; biases play no part.
    user, history
        A user of the training data, item ids or a mapping from item id to rating, or both.
    measure, power
        As for :func:`scores`.
    k
        How many.
    exclude_seen
        Leave out what is in the history.

    Returns
    -------
    Columns ``item_id``, ``title`` (where items have one) and ``score``, best first.
    """
    check_k(k)
    vectors, data = item_factors(model), model.data
    profiles = resolve(model, None, [Query(user, history)], "raise").profiles(range(1), model)
    scored = model.score(profiles)
    if not isinstance(scored, FactorScores):
        raise CapabilityError(f"{model.name} gives no vector for a query")
    values = scores(scored.queries[0, : vectors.shape[1]], vectors, measure, power)
    eligible = np.ones(data.n_items, dtype=bool)
    if exclude_seen:
        eligible[profiles.history.indices] = False
    return _best(model, values, eligible, k)


@dataclass(frozen=True)
class Neighbors:
    """The items nearest to the one whose title matched best.

    Attributes
    ----------
    item, title
        Which one that was.
    others
        The other titles that matched, the most chosen first.
    table
        ``item_id``, ``title`` (where items have one) and ``score``, best first.
    """

    item: Id
    title: str
    others: list[str]
    table: pa.Table


def neighbors(
    model: Model[Any, Any],
    title: str,
    *,
    measure: Measure = "cosine",
    power: float = 0.5,
    k: int = 6,
) -> Neighbors:
    """List the items nearest to the one with a title like this.

    Parameters
    ----------
    model
        A fitted model with vectors.
    title
        A part of the title, in upper or lower case. Of several matches the most chosen is taken.
    measure, power, k
        As for :func:`for_user`.

    Raises
    ------
    InputError
        No title contains it.
    """
    check_k(k)
    vectors, data = item_factors(model), model.data
    names = titles(data).to_pylist()
    found = [row for row, name in enumerate(names) if title.casefold() in name.casefold()]
    if not found:
        close = get_close_matches(title, names, n=3, cutoff=0.4)
        raise InputError(
            f"no title contains {title!r}",
            remedy=f"did you mean {' or '.join(map(repr, close))}?"
            if close
            else "try a shorter part",
        )
    found.sort(key=lambda row: -int(data.item_counts[row]))
    row = found[0]
    eligible = np.ones(data.n_items, dtype=bool)
    eligible[row] = False
    table = _best(model, scores(vectors[row], vectors, measure, power), eligible, k)
    return Neighbors(data.items.ids[row].as_py(), names[row], [names[n] for n in found[1:]], table)


def _best(
    model: Model[Any, Any], values: NDArray[np.float64], eligible: NDArray[np.bool_], k: int
) -> pa.Table:
    rows = np.flatnonzero(eligible)
    # Of equal scores the more popular item comes first, as in every list.
    order = np.lexsort((model.data.popularity_order[rows], -values[rows]))
    best = rows[order[:k]].astype(np.int32)
    return described(model.data, best, score=values[best])
