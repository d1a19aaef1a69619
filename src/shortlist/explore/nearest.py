"""Lists for one user or one item, by dot product, by cosine, or by a measure between the two."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from shortlist.data.vocabulary import Id
from shortlist.errors import CapabilityError, ConfigError, InputError, require_known
from shortlist.explore.items import item_factors, item_table, titles
from shortlist.frames import Tabular
from shortlist.models.base import Model
from shortlist.recommend.query import Query
from shortlist.recommend.recommender import check_k
from shortlist.recommend.requests import resolve
from shortlist.scoring.scores import FactorScores
from shortlist.scoring.sparse import inverse
from shortlist.text import TextTable, cells

Measure = Literal["dot", "cosine", "power"]
Vectors = NDArray[np.floating[Any]]


def scores(
    query: Vectors, vectors: Vectors, measure: Measure = "dot", power: float = 0.5
) -> NDArray[np.float64]:
    """Score vectors for one query vector.

    - ``dot``: ``u.v``. Popular items have long vectors and come first.
    - ``cosine``: ``u.v / (|u| |v|)``. Independent of length, so rare items come up too.
    - ``power``: ``u.v / |v|^power``. Power 0 is the dot product, power 1 orders like the cosine.

    A vector of zeros scores 0.

    Parameters
    ----------
    query
        The vector of a user or an item.  # (f,)
    vectors
        The vectors to score.  # (n, f)
    measure, power
        The measure; ``power`` is used by the measure ``power`` only.

    Raises
    ------
    ConfigError
        There is no such measure, or ``power`` is not finite.

    Examples
    --------
    >>> vectors = np.array([[0.0, 4.0], [1.0, 0.0]])
    >>> for measure in ("dot", "cosine", "power"):
    ...     scores(np.array([0.0, 2.0]), vectors, measure, power=2).tolist()
    [8.0, 0.0]
    [1.0, 0.0]
    [0.5, 0.0]
    """  # (n,)
    require_known(measure, get_args(Measure), f"there is no measure {measure!r}", ConfigError)
    if not np.isfinite(power):
        raise ConfigError(f"power={power} is not finite", remedy="pass 0 (dot) to 1 (cosine)")
    query = np.asarray(query, dtype=np.float64)
    rows = np.asarray(vectors, dtype=np.float64)
    products: NDArray[np.float64] = rows @ query
    lengths = np.sqrt((rows**2).sum(axis=1))
    match measure:
        case "dot":
            return products
        case "cosine":
            length = np.sqrt(query[np.newaxis] @ query)
            return products * inverse(lengths) * float(inverse(length)[0])
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
    """List the best items for a user, or for any history, by a measure.

    Parameters
    ----------
    model
        A fitted model with vectors. Biases are ignored.
    user, history
        A user of the training data; item ids, or a mapping from item id to rating; or both.
    measure, power
        As for :func:`scores`.
    k
        Length of the list.
    exclude_seen
        Whether to leave out the items of the history.

    Returns
    -------
    Columns ``item_id``, ``title`` (if items have one) and ``score``, best first.
    """
    check_k(k)
    vectors = item_factors(model)
    profiles = resolve(model, None, [Query(user, history)], "raise").profiles(range(1), model)
    scored = model.score(profiles)
    if not isinstance(scored, FactorScores):
        raise CapabilityError(f"{model.name} gives no vector for a query")
    values = scores(scored.queries[0, : vectors.shape[1]], vectors, measure, power)
    return _best(model, values, profiles.excluded.indices if exclude_seen else [], k)


@dataclass(frozen=True)
class Neighbors(Tabular):
    """The nearest items of one item, which was looked up by its title.

    Attributes
    ----------
    item, title
        The id and the title of that item.
    others
        The other titles that matched, most popular first.
    table
        The nearest items: ``item_id``, ``title`` (if items have one) and ``score``, best first.
    """

    item: Id
    title: str
    others: list[str]
    table: pa.Table

    def to_arrow(self) -> pa.Table:
        """Return ``table``."""
        return self.table

    def content(self) -> list[str | TextTable]:
        """Return the title, and the table of the nearest items."""
        rows = cells(self.table.to_pylist())
        return [self.title, "", TextTable(self.table.column_names, rows)]


def neighbors(
    model: Model[Any, Any],
    title: str,
    *,
    measure: Measure = "cosine",
    power: float = 0.5,
    k: int = 6,
) -> Neighbors:
    """List the items nearest to an item, which is looked up by a part of its title.

    Parameters
    ----------
    model
        A fitted model with vectors.
    title
        A part of the title, in upper or lower case. Of several matches the most popular is taken.
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
    matches = [row for row, name in enumerate(names) if title.casefold() in name.casefold()]
    if not matches:
        close = " or ".join(map(repr, get_close_matches(title, names, n=3, cutoff=0.4)))
        remedy = f"did you mean {close}?" if close else "try a shorter part"
        raise InputError(f"no title contains {title!r}", remedy=remedy)
    row, *others = sorted(matches, key=lambda row: -int(data.item_counts[row]))
    table = _best(model, scores(vectors[row], vectors, measure, power), [row], k)
    return Neighbors(
        data.items.ids[row].as_py(), names[row], [names[other] for other in others], table
    )


def _best(model: Model[Any, Any], values: NDArray[np.float64], seen: ArrayLike, k: int) -> pa.Table:
    order = np.lexsort((model.data.popularity_order, -values))  # ties as in every list
    best = order[np.isin(order, seen, invert=True)][:k].astype(np.int32)
    return item_table(model.data, best, score=values[best])
