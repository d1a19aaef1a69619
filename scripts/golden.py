"""Freeze what the library computes, and compare two frozen states to the last bit.

Meant for refactoring: write the state before and after, then compare ::

    python scripts/golden.py write before
    python scripts/golden.py write after
    python scripts/golden.py compare before after

Everything is asked of the public interface, so internal modules may move. Four data sets (films
with ratings and times, synthetic job postings with features of both sides, a random world with
weights, times, life spans and large ids, and bare choices) meet every model in several settings.
What comes back is kept as Parquet, npz and JSON: one file a part, ``DATA/MODEL/PART``. Where a
model refuses, the class and the message of its error are the part.

Results are the same bits on one machine only: write both states on the same one. Needs every extra
of the library that a model asks for (``torch``, ``trees``, ``index``, ``tune``).
"""

from __future__ import annotations

import argparse
import datetime as dt
import itertools
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

import shortlist as sl
from shortlist.data.samples import generate_jobs, sample_paths

Id: TypeAlias = int | str
Arrays: TypeAlias = dict[str, NDArray[Any]]

ABOUT = "about.json"
WORDS = "_words"  # ends the name of a part that is text for people
K = 10
FILM_VIEWERS, FILMS = 180, 2_500  # an index is searched, not passed over, from 2,000 items on


def say(text: str = "") -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


# --- parts on disk -------------------------------------------------------------------------------


class Keeper:
    """Writes the parts of one model on one data set, or the errors that stand in for them.

    Attributes
    ----------
    kept
        How many parts there are.
    surprises
        Errors that the library does not raise on purpose.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.kept = 0
        self.surprises: list[str] = []

    def keep(self, part: str, make: Callable[[], Any]) -> Any:
        """Compute a part and write it; give it back, or None where an error came instead."""
        self.kept += 1
        try:
            result = make()
        except Exception as error:
            if not isinstance(error, sl.errors.ShortlistError | AbsentError):
                self.surprises.append(f"{self.folder.name} {part}: {error!r}")
            text = {"error": type(error).__name__, "message": str(error)}
            write_json(self.folder / f"{part}.error.json", text)
            return None
        self._write(part, result)
        return result

    def _write(self, part: str, result: Any) -> None:
        if hasattr(result, "to_arrow"):
            result = result.to_arrow()
        if isinstance(result, pa.Table):
            pq.write_table(result, self.folder / f"{part}.parquet", compression="zstd")
        elif isinstance(result, dict) and all(isinstance(v, np.ndarray) for v in result.values()):
            np.savez_compressed(self.folder / f"{part}.npz", **result)
        else:
            write_json(self.folder / f"{part}.json", result)


class AbsentError(Exception):
    """The model has no such method at all."""


def method(model: Any, name: str) -> Callable[..., Any]:
    """Give a method that only some models have."""
    if not hasattr(model, name):
        raise AbsentError(f"{type(model).__name__} has no {name}()")
    found: Callable[..., Any] = getattr(model, name)
    return found


def write_json(path: Path, content: Any) -> None:
    """Write JSON; a float keeps all of its bits in its shortest text."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


# --- data sets -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A data set, a split of it, and what is asked about it.

    Attributes
    ----------
    name
        What its folder is called.
    data, train, test
        All of it, and the split that models are fitted and measured on.
    wheres
        Rules, by name.
    features
        What is known of people whom nobody has seen.
    moment
        A time at which some items are live, where they have life spans, and some have happened.
    """

    name: str
    data: sl.Dataset
    train: sl.Dataset
    test: sl.Dataset
    wheres: Mapping[str, Any]
    features: Sequence[Mapping[str, Any]]
    moment: str = "2024-03-01"

    @cached_property
    def users(self) -> list[Id]:
        """Users with the most, some, few and (where there are such) no training interactions."""
        ordered = most_first(self.train.user_rows, self.train.n_users)
        return self._spread(self.train.users.ids, ordered, 8)

    @cached_property
    def items(self) -> list[Id]:
        """Items from the most popular to one that nobody chose in training."""
        ordered = most_first(self.train.item_rows, self.train.n_items)
        popular = self._spread(self.train.items.ids, ordered[: len(ordered) // 10], 3)
        return popular + self._spread(self.train.items.ids, ordered[len(ordered) // 10 :], 5)

    @cached_property
    def many_items(self) -> list[Id]:
        """Every 17th item: a list to allow, to deny, or to have chosen."""
        some: list[Id] = self.train.items.ids.to_pylist()[3::17]
        return some

    @property
    def histories(self) -> list[list[Id]]:
        """Histories of one popular item, of several, of many, and of one nobody chose."""
        return [self.items[:1], self.items[1:5], self.many_items[:25], self.items[-1:]]

    @property
    def weighted(self) -> list[dict[Id, float]]:
        """The same with weights, a zero among them."""
        return [{one: (n % 6) / 2 for n, one in enumerate(items, 2)} for items in self.histories]

    @property
    def unknown(self) -> Id:
        """An id that is neither a user's nor an item's."""
        return "nobody" if pa.types.is_string(self.data.items.ids.type) else 999_999_999

    @property
    def stranger(self) -> Id:
        """An id that no user has."""
        return "nobody" if pa.types.is_string(self.data.users.ids.type) else 999_999_999

    @staticmethod
    def _spread(ids: pa.Array, ordered: NDArray[np.intp], count: int) -> list[Id]:
        places = np.linspace(0, len(ordered) - 1, count).round().astype(int)
        spread: list[Id] = ids.take(pa.array(ordered[places])).to_pylist()
        return spread


def most_first(rows: NDArray[np.int32], count: int) -> NDArray[np.intp]:
    """Order users or items by their interactions, most first, then by row."""
    return np.argsort(-np.bincount(rows, minlength=count), kind="stable")


def films() -> Case:
    """Some viewers of the bundled sample, and the films that are rated most, or never, by them."""
    sample = sample_paths()
    viewers = pq.read_table(sample.users)
    viewers = viewers.take(pa.array(range(0, 3 * FILM_VIEWERS, 3)))
    ratings = pq.read_table(sample.ratings)
    ratings = ratings.filter(pc.is_in(ratings["user_id"], viewers["user_id"].combine_chunks()))
    shelf = pq.read_table(sample.items)
    ids = shelf["item_id"].to_numpy()
    counts = np.bincount(np.searchsorted(ids, ratings["item_id"].to_numpy()), minlength=len(ids))
    unrated = np.flatnonzero(counts == 0)[:50]
    kept = np.sort(np.append(np.argsort(-counts, kind="stable")[: FILMS - 50], unrated))
    shelf = shelf.take(pa.array(kept))
    ratings = ratings.filter(pc.is_in(ratings["item_id"], shelf["item_id"].combine_chunks()))
    data = sl.Dataset.from_tables(ratings, viewers, shelf, weight="rating", time="rated_at")
    return Case(
        "films",
        data,
        *sl.split.leave_last_out(data),
        wheres={
            "text": "year >= 1990",
            "words": "year < 1980 and genres contains 'Film-Noir'",
            "mapping": {"year": {"gte": 1990, "lt": 2000}, "genres": {"contains": "War"}},
            "list": {"year": [1994, 1995], "title": {"ne": "Toy Story"}},
        },
        features=[{"age": 31}],
        moment="2005-01-01",
    )


def jobs() -> Case:
    """Synthetic résumés and postings, through a store; one application of each is held out."""
    with tempfile.TemporaryDirectory() as folder:
        tables = generate_jobs(Path(folder) / "tables", n_resumes=260, n_postings=200, seed=7)
        with sl.Store.create(Path(folder) / "jobs.duckdb", "jobs") as store:
            store.load(tables)
            data = store.dataset()
    assert data.user_features is not None
    known = data.user_features.slice(3, 1).to_pylist()[0]
    return Case(
        "jobs",
        data,
        *sl.split.leave_last_out(data, order="random", seed=1),
        wheres={
            "text": "education <= 3",
            "words": "education <= 3 and check_boxes contains '2101'",
            "mapping": {"education": {"lte": 3}, "qualifications": {"not_in": [1, 2]}},
            "list": {"address_seq1": ["3", "5"], "career_end": {"is_null": True}},
        },
        features=[
            {"degree": 4, "keywords": known["keywords"]},
            {name: value for name, value in known.items() if value is not None},
            {"univ_major_type": "8", "hope_salary": 3000.0, "certificates": ["x"]},
            {"degree": None},
        ],
    )


def world_tables(seed: int = 2024) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Make interactions, users and items at random: four tastes, gaps, repeats and ties."""
    rng = np.random.default_rng(seed)
    n_users, n_items = 300, 220
    users = [2**62 + n for n in range(n_users)]  # neighbours here are one and the same float64
    items = [f"i{n:03}" for n in range(n_items)]
    likes = rng.normal(size=(n_users, 4)) @ rng.normal(size=(4, n_items))
    likes += np.linspace(1.5, -1.5, n_items)  # the first items are the popular ones
    chances = 0.16 / (1 + np.exp(-likes))
    chances[::60] = 0
    chances[:, ::37] = 0
    pairs = np.argwhere(rng.random(chances.shape) < chances)
    pairs = np.concatenate([pairs, pairs[rng.random(len(pairs)) < 0.05]])  # some twice
    rng.shuffle(pairs)
    start = int(dt.datetime(2024, 1, 1, tzinfo=dt.UTC).timestamp())
    log = pa.table(
        {
            "user_id": [users[n] for n in pairs[:, 0].tolist()],
            "item_id": [items[n] for n in pairs[:, 1].tolist()],
            "weight": pa.array(rng.integers(0, 11, len(pairs)) / 2, pa.float32()),
            "at": start + 86_400 * rng.integers(0, 120, len(pairs)),  # days, so many are equal
        }
    )
    born = [dt.datetime(2024, 1, 1) + dt.timedelta(days=n % 70 - 40) for n in range(n_items)]
    shelf = pa.table(
        {
            "item_id": items,
            "title": [f"Thing {n}" for n in range(n_items)],
            "price": [
                None if n % 9 == 4 else round(float(rng.gamma(2)), 2) for n in range(n_items)
            ],
            "kind": [("tool", "toy", "book")[n % 3] for n in range(n_items)],
            "tags": [None if n % 7 == 3 else [f"t{n % 4}", f"t{n % 5}"] for n in range(n_items)],
            "valid_from": [None if n % 4 == 0 else day for n, day in enumerate(born)],
            "valid_to": [
                None if n % 3 == 0 else day + dt.timedelta(days=110) for n, day in enumerate(born)
            ],
        }
    )
    return log, pa.table({"user_id": users}), shelf


def world() -> Case:
    """The random world."""
    data = sl.Dataset.from_tables(*world_tables(), weight="weight", time="at")
    return Case(
        "world",
        data,
        *sl.split.leave_last_out(data),
        wheres={
            "text": "price < 2 and kind != toy",
            "words": "kind in [tool, book] and tags contains t1",
            "mapping": {"price": {"is_null": False, "gt": 1.5}, "tags": {"contains": "t3"}},
            "list": {"kind": "book", "price": {"gte": 1, "lte": 4}},
        },
        features=[{"age": 31}],
    )


def bare() -> Case:
    """Choices and nothing else: no weights, times or features."""
    rng = np.random.default_rng(5)
    chances = np.linspace(0.3, 0.02, 60) * np.linspace(1.5, 0.5, 80)[:, np.newaxis]
    pairs = np.argwhere(rng.random((80, 60)) < chances)
    log = pa.table(
        {
            "user_id": [f"u{n:02}" for n in pairs[:, 0].tolist()],
            "item_id": [f"i{n:02}" for n in pairs[:, 1].tolist()],
        }
    )
    data = sl.Dataset.from_tables(log)
    return Case(
        "bare",
        data,
        *sl.split.leave_last_out(data, order="row"),
        wheres={"text": "year >= 1990"},
        features=[{"age": 31}],
    )


CASES: dict[str, Callable[[], Case]] = {"films": films, "jobs": jobs, "world": world, "bare": bare}


# --- models --------------------------------------------------------------------------------------

GRADIENT = {"epochs": 2, "embedding_size": 8}
SMALL_IALS = {"embedding_size": 8, "epochs": 3}

MODELS: dict[str, Callable[[], Any]] = {
    "Popularity": lambda: sl.Popularity(),
    "UserCosine": lambda: sl.UserCosine(),
    "UserCosine-weighted": lambda: sl.UserCosine(
        neighbors=None, weighting="weighted", shrinkage=2, normalized=True
    ),
    "ItemCosine": lambda: sl.ItemCosine(),
    "ItemCosine-bm25": lambda: sl.ItemCosine(
        neighbors=20, weighting="bm25", shrinkage=0, self_similarity=True
    ),
    "RP3beta": lambda: sl.RP3beta(),
    "GraphFilter": lambda: sl.GraphFilter(embedding_size=16),
    "EASE": lambda: sl.EASE(),
    "SparseEASE": lambda: sl.SparseEASE(),
    "EASE-loose": lambda: sl.EASE(regularization=10),
    "IALS-exact": lambda: sl.IALS(embedding_size=16, epochs=4, solver="exact"),
    "IALS-cg": lambda: sl.IALS(
        embedding_size=16, epochs=4, solver="cg", weighting="weighted", frequency_exponent=0.5
    ),
    "ContentBased": lambda: sl.ContentBased(),
    "ContentBased-max": lambda: sl.ContentBased(aggregate="max", neighbors=None),
    "ContentBased-recency": lambda: sl.ContentBased(aggregate="recency", decay=0.7),
    "Hybrid": lambda: sl.Hybrid(),
    "Hybrid-given": lambda: sl.Hybrid(
        user_term=1,
        item_term=0.5,
        both_term=0.25,
        user_feature_weight=0.3,
        item_feature_weight=0.6,
        user_neighbors=30,
        item_neighbors=20,
        cold_neighbors=10,
        item_weighting="bm25",
        column_weights="even",
        rescaled=False,
    ),
    "Hybrid-form": lambda: sl.Hybrid.form("concatenated x item features"),
    "MatrixFactorization-observed": lambda: sl.MatrixFactorization(
        loss="observed",
        epochs=6,
        embedding_size=8,
        biases=True,
        batch_size=512,
        optimizer="adagrad",
    ),
    "MatrixFactorization-regularized": lambda: sl.MatrixFactorization(
        loss="regularized", epochs=8, embedding_size=8, validation=0.1, patience=3
    ),
    "MatrixFactorization-softmax": lambda: sl.MatrixFactorization(
        loss="softmax", epochs=4, embedding_size=8, layers=2
    ),
    "SASRec": lambda: sl.SASRec(**GRADIENT, batch_size=256),
    "GMF": lambda: sl.GMF(**GRADIENT, biases=True, negative_exponent=0.5),
    "GMF-validation": lambda: sl.GMF(
        epochs=4, embedding_size=8, validation=0.5, patience=1, weighted=False, optimizer="sgd"
    ),
    "MLP": lambda: sl.MLP(**GRADIENT, layers=2),
    "NeuMF": lambda: sl.NeuMF(**GRADIENT, layers=2, pretraining=1, regularization=0.001),
    "Retrieval": lambda: sl.Retrieval(**GRADIENT),
    "Retrieval-deep": lambda: sl.Retrieval(
        epochs=2,
        embedding_size=8,
        batch_size=512,
        user_ids=True,
        layers=(16,),
        normalize=True,
        temperature=0.1,
        hard_negatives=3,
        false_negatives="label",
        validation=0.1,
        reduction="mean",
    ),
    "Ranking-logistic": lambda: sl.Ranking(**GRADIENT, head_layers=(16,)),
    "Ranking-squared": lambda: sl.Ranking(
        **GRADIENT, loss="squared", user_ids=True, head_layers=(), cross_layers=1, cross_rank=4
    ),
    "Ranking-hinge": lambda: sl.Ranking(**GRADIENT, loss="hinge", head_layers=(8,), product=False),
    "Ranking-listmle": lambda: sl.Ranking(**GRADIENT, loss="listmle", head_layers=(8,)),
    "MultiTask": lambda: sl.MultiTask(**GRADIENT, head_layers=(16,)),
    "Cascade-linear": lambda: sl.Cascade(
        stages=["UserCosine", "ItemCosine"], ranker="linear", rounds=2, candidates=40
    ),
    "Cascade-trees": lambda: sl.Cascade(
        stages=[sl.UserCosine(neighbors=20), sl.IALS(**SMALL_IALS)],
        ranker="trees",
        features=True,
        rounds=2,
        trees=20,
        least=20,
        candidates=40,
    ),
    "Cascade-networks": lambda: sl.Cascade(
        stages=[sl.Retrieval(**GRADIENT)],
        ranker=sl.Ranking(**GRADIENT, head_layers=(8,)),
        candidates=40,
    ),
    "Indexed-IALS": lambda: sl.Indexed(model=sl.IALS(**SMALL_IALS)),
    "Indexed-Retrieval": lambda: sl.Indexed(model=sl.Retrieval(**GRADIENT), expansion_search=32),
}
OTHERS = ("data", "compare")  # what else is frozen of each data set


def freeze_model(keeper: Keeper, case: Case, make: Callable[[], Any]) -> None:
    """Fit one model on one data set, and keep everything that it says."""
    keep = keeper.keep
    fitted: list[Any] = []

    def fit() -> dict[str, Any]:
        fitted.append(make().fit(case.train))
        return {"model": repr(fitted[0])}

    if keep("fit", fit) is None:
        return
    model = fitted[0]
    keep("training", lambda: model.history)
    lists = keep("lists", partial(model.recommend, k=K))
    keep("run", lambda: dict(lists.run))
    freeze_lists(keep, case, model)
    freeze_items(keep, case, model)
    freeze_explanations(keep, case, model)
    freeze_numbers(keep, case, model)
    keep("handover", lambda: method(model, "handover")(case.test).table)
    freeze_figures(keep, "metrics", partial(sl.evaluate, model, case.train, case.test))
    sampled = partial(sl.evaluate_sampled, model, case.train, case.test, negatives=20, seed=3)
    freeze_figures(keep, "sampled", sampled)
    freeze_bundle(keep, case, model)

    def resumed() -> Any:
        return method(model, "resume")(1).recommend(case.users, k=K)

    keep("resumed", resumed)


def freeze_lists(keep: Callable[..., Any], case: Case, model: Any) -> None:
    """Keep lists for users and queries of every kind, under every kind of rule."""
    users, items, many = case.users, case.items, case.many_items
    ask = partial(model.recommend, k=K)
    some = partial(ask, users)
    keep("seen_too", partial(model.recommend, users, k=1, exclude_seen=False))
    keep("seen_too_long", partial(some, exclude_seen=False))

    def in_small_blocks() -> Any:
        with sl.engine.use(sl.engine.LocalEngine(block_bytes=2**17)):
            return some()

    keep("small_blocks", in_small_blocks)

    keep("history", partial(ask, queries=[sl.Query(history=one) for one in case.histories]))
    keep("weighted", partial(ask, queries=[sl.Query(history=one) for one in case.weighted]))
    keep("features", partial(ask, queries=[sl.Query(features=one) for one in case.features]))
    mixed = [
        sl.Query(user=user, history=history)
        for user, history in zip(users, case.weighted * 2, strict=True)
    ]
    keep("mixed", partial(ask, queries=mixed))
    described = [
        sl.Query(user=user, history=history, features=features)
        for features in case.features
        for user, history in [(None, items[1:4]), (users[0], None), (users[-1], items[2:4])]
    ]
    keep("mixed_features", partial(ask, queries=described))

    keep("allow", partial(some, allow=many))
    keep("deny", partial(some, deny=[*many, *items]))
    for name, where in case.wheres.items():
        keep(f"where_{name}", partial(some, where=where))
    keep("as_of", partial(some, as_of=case.moment))
    first = next(iter(case.wheres.values()))
    keep("rules", partial(some, where=first, deny=items))
    keep("rules_as_of", partial(some, where=first, deny=items, as_of=case.moment))
    own = [
        sl.Query(user=users[0], where=first),
        sl.Query(user=users[1], deny=items),
        sl.Query(history=items[:2], allow=many),
        sl.Query(user=users[2]),
    ]
    keep("own_rules", partial(ask, queries=own))
    keep("own_and_common_rules", partial(ask, queries=own, deny=many[::2]))

    strangers = [users[0], case.stranger, users[1]]
    for what in ("raise", "skip", "fallback"):
        keep(f"unknown_{what}", partial(ask, strangers, on_unknown=what))
        queries = [
            sl.Query(history=[items[0], case.unknown]),
            sl.Query(user=case.stranger, history=items[:2]),
            sl.Query(user=case.stranger),
        ]
        keep(f"unknown_queries_{what}", partial(ask, queries=queries, on_unknown=what))


def freeze_items(keep: Callable[..., Any], case: Case, model: Any) -> None:
    """Keep lists that start from an item."""
    items = case.items
    first = next(iter(case.wheres.values()))
    keep("similar", partial(model.similar, items, k=K))
    keep("similar_rules", partial(model.similar, items[:3], k=K, where=first, deny=case.many_items))
    keep("similar_unknown", partial(model.similar, [items[0], case.unknown], on_unknown="skip"))
    keep("audience", partial(model.audience, items, k=K))
    keep("audience_seen_too", partial(model.audience, items[:4], k=K, exclude_seen=False))
    keep("audience_unknown", partial(model.audience, [case.unknown], k=K))


def freeze_explanations(keep: Callable[..., Any], case: Case, model: Any) -> None:
    """Keep the reasons for several pairs, and for queries."""
    users = [case.users[place] for place in (0, 3, 6, -1)]
    items = [case.items[place] for place in (0, 2, 4, -1)]
    pairs = list(itertools.product(users, items))
    keep("explain", lambda: explained([(user, item, None) for user, item in pairs], model))
    for name, queries in {
        "history": [sl.Query(history=one) for one in case.weighted],
        "features": [sl.Query(features=one) for one in case.features],
        "mixed": [sl.Query(user=users[1], history=case.weighted[1])],
    }.items():
        asked = [(None, item, query) for query in queries for item in items[::2]]
        keep(f"explain_{name}", partial(explained, asked, model))


def explained(asked: Iterable[tuple[Id | None, Id, sl.Query | None]], model: Any) -> pa.Table:
    """Explain several scores in one table: a row for each part, one at least for each score."""
    rows = []
    for number, (user, item, query) in enumerate(asked):
        one = model.explain(user, item, query=query)
        whole = {"asked": number, "item": str(one.item), "score": one.score, "source": one.source}
        rows += [whole | part for part in one.parts.to_pylist() or [{}]]
    fields = {"asked": pa.int64(), "item": pa.string(), "score": pa.float64()}
    fields |= {"source": pa.string(), "kind": pa.string(), "name": pa.string()}
    fields |= {"amount": pa.float64(), "title": pa.string()}
    return pa.Table.from_pylist(rows, schema=pa.schema(list(fields.items())))


def freeze_numbers(keep: Callable[..., Any], case: Case, model: Any) -> None:
    """Keep predicted ratings and vectors."""
    users, items = zip(*itertools.product(case.users, case.items), strict=True)

    def predicted() -> Arrays:
        return {"rating": method(model, "predict")(list(users), list(items))}

    def vectors(side: str) -> Arrays:
        return {side: method(model, f"{side}_vectors")()}

    keep("predict", predicted)
    keep("user_vectors", partial(vectors, "user"))
    keep("item_vectors", partial(vectors, "item"))


def freeze_figures(keep: Callable[..., Any], name: str, measure: Callable[[], Any]) -> None:
    """Keep a report: its figures, those of every user, and what it says in words."""
    report = keep(name, measure)
    if report is None:
        return
    keep(f"{name}_users", report.per_user_table)
    keep(f"{name}_listed", lambda: {str(k): counts for k, counts in report.listed.items()})
    numbers = ("k", "n_items", "n_users", "main", "seed", "resamples", "level")
    keep(f"{name}_facts", lambda: {one: getattr(report, one) for one in numbers})
    words = {"protocol": report.protocol, "label": report.label, "notes": list(report.notes)}
    keep(f"{name}{WORDS}", lambda: words)


def freeze_bundle(keep: Callable[..., Any], case: Case, model: Any) -> None:
    """Save the model, load it again, and keep what it then lists."""
    with tempfile.TemporaryDirectory() as folder:
        loaded: list[Any] = []

        def load() -> dict[str, str]:
            loaded.append(sl.load(model.save(Path(folder) / "bundle")))
            return {"model": repr(loaded[0])}

        if keep("bundle", load) is None:
            return
        queries = [sl.Query(history=one) for one in case.histories]
        keep("bundle_users", partial(loaded[0].recommend, case.users, k=K))
        keep("bundle_queries", partial(loaded[0].recommend, queries=queries, k=K))


# --- what is frozen besides models ---------------------------------------------------------------


def facts(data: sl.Dataset) -> dict[str, Any]:
    """Give what a data set says of itself."""
    return {
        "repr": repr(data),
        "fingerprint": data.fingerprint,
        "n_users": data.n_users,
        "n_items": data.n_items,
        "n_interactions": data.n_interactions,
        "user_id_type": str(data.users.ids.type),
        "item_id_type": str(data.items.ids.type),
        "has_times": data.times is not None,
    }


def freeze_data(keeper: Keeper, case: Case) -> None:
    """Keep vocabularies, interactions, features and what every split makes of them."""
    keep, data = keeper.keep, case.data
    keep("facts", partial(facts, data))
    keep("users", lambda: pa.table({"id": data.users.ids}))
    keep("items", lambda: pa.table({"id": data.items.ids}))
    keep("interactions", data.to_arrow)
    names = ("user_rows", "item_rows", "weights", "times", "positions")
    arrays = {name: getattr(data, name) for name in names}
    keep("arrays", lambda: {name: array for name, array in arrays.items() if array is not None})
    keep("user_features", lambda: data.user_features)
    keep("item_features", lambda: data.item_features)
    if case.name == "world":
        for repeats in ("last", "sum", "max", "mean"):
            read = partial(sl.Dataset.from_tables, *world_tables(), weight="weight", time="at")
            keep(f"repeats_{repeats}", partial(read, repeats=repeats))
    split = sl.split
    for name, cut in {
        "last_time": lambda: split.leave_last_out(data),
        "last_row": lambda: split.leave_last_out(data, order="row"),
        "last_2_random": lambda: split.leave_last_out(data, n=2, order="random", seed=4),
        "random": lambda: split.random(data, 0.3, seed=2),
        "by_time": lambda: split.by_time(data, case.moment),
        "cold_users": lambda: split.cold_users(data, 0.2, seed=2),
        "cold_items": lambda: split.cold_items(data, 0.2, seed=2),
        "given": lambda: split.given(*apart(*split.random(data, 0.2, seed=6))),
    }.items():
        freeze_split(keep, f"split_{name}", cut)
    folds = list(split.k_folds(data, folds=3, seed=1))
    for number, fold in enumerate(folds):
        freeze_split(keep, f"split_fold_{number}", partial(tuple, fold))


def freeze_split(keep: Callable[..., Any], name: str, cut: Callable[[], Any]) -> None:
    """Keep both sides of a split."""
    both: list[sl.Dataset] = []

    def sides() -> dict[str, Any]:
        both.extend(cut())
        return {"train": facts(both[0]), "test": facts(both[1])}

    if keep(name, sides) is not None:
        keep(f"{name}_train", both[0].to_arrow)
        keep(f"{name}_test", both[1].to_arrow)


def apart(train: sl.Dataset, test: sl.Dataset) -> list[sl.Dataset]:
    """Read both sides anew, so that each knows only the ids that it uses."""
    timed = None if train.times is None else "time"
    return [
        sl.Dataset.from_tables(one.to_arrow(), weight="weight", time=timed) for one in (train, test)
    ]


def freeze_comparisons(keeper: Keeper, case: Case) -> None:
    """Keep comparisons of cheap models on three splits, and a small search for settings."""
    keep = keeper.keep
    splits: dict[str, Callable[[], Any]] = {
        "last": lambda: (case.train, case.test),
        "time": lambda: sl.split.by_time(case.data, case.moment),
        "cold_items": lambda: sl.split.cold_items(case.data, 0.2, seed=2),
    }
    for name, cut in splits.items():
        freeze_comparison(keep, name, cut, case.data.item_features is not None)

    def tuned() -> pa.Table:
        return sl.tune("ItemCosine", case.train, trials=4, seed=0).to_arrow().drop(["seconds"])

    keep("tune", tuned)


def freeze_comparison(
    keep: Callable[..., Any], name: str, cut: Callable[[], Any], described: bool
) -> None:
    """Keep one comparison: its table, and the paired tests of every metric."""

    def compared() -> Any:
        train, test = cut()
        cheap: list[Any] = [
            sl.Popularity(),
            sl.UserCosine(),
            sl.ItemCosine(),
            sl.ItemCosine(neighbors=5),
        ]
        cheap += [sl.EASE(), sl.IALS(**SMALL_IALS), *([sl.ContentBased()] if described else [])]
        return sl.compare(cheap, train, test, k=(5, 10), seed=1)

    comparison = keep(name, compared)
    if comparison is None:
        return

    def tests() -> pa.Table:
        rows = [
            {"metric": metric} | asdict(test)
            for metric in comparison.metrics
            for test in comparison.tests(metric)
        ]
        return pa.Table.from_pylist(rows)

    keep(f"{name}_tests", tests)
    keep(f"{name}_facts", lambda: {"best": comparison.best, "main": comparison.main})


# --- writing -------------------------------------------------------------------------------------


def write(folder: Path, chosen: Sequence[str]) -> int:
    """Freeze everything that is chosen into a new folder."""
    if folder.exists() and any(folder.iterdir()):
        say(f"{folder} is not empty: name a new folder")
        return 2
    folder.mkdir(parents=True, exist_ok=True)
    say(f"shortlist {sl.__version__} of {Path(str(sl.__file__)).parent}")
    started, kept, seconds = time.perf_counter(), 0, {}
    surprises: list[str] = []
    for name, make_case in CASES.items():
        case = make_case()
        say(f"{name}: {case.data}")
        for what in chosen:
            begun = time.perf_counter()
            keeper = Keeper(folder / name / what)
            if what == "data":
                freeze_data(keeper, case)
            elif what == "compare":
                freeze_comparisons(keeper, case)
            else:
                freeze_model(keeper, case, MODELS[what])
            kept += keeper.kept
            surprises += [f"{name} {one}" for one in keeper.surprises]
            seconds[f"{name} {what}"] = round(time.perf_counter() - begun, 2)
            say(f"  {what:32} {seconds[f'{name} {what}']:6.1f} s {keeper.kept:4} parts")
    versions = {"python": platform.python_version(), "numpy": np.__version__}
    versions |= {"pyarrow": pa.__version__, "shortlist": sl.__version__}
    write_json(folder / ABOUT, {"chosen": list(chosen), "versions": versions, "seconds": seconds})
    say(f"{kept:,} parts in {time.perf_counter() - started:.0f} s")
    for one in surprises:
        say(f"an error that the library does not raise on purpose: {one}")
    return 1 if surprises else 0


def selected(names: str | None) -> list[str]:
    """Read ``--models``: models with all of their settings, or one of them; data; compare."""
    everything = [*OTHERS, *MODELS]
    if names is None:
        return everything
    asked = [name.strip() for name in names.split(",")]
    kinds = {name: name.partition("-")[0] for name in everything}
    for name in asked:
        if name not in kinds and name not in kinds.values():
            raise SystemExit(f"there is no {name!r}; known: {', '.join(everything)}")
    return [name for name, kind in kinds.items() if name in asked or kind in asked]


# --- comparing -----------------------------------------------------------------------------------


class Finding(NamedTuple):
    """One way in which a part differs."""

    kind: str
    how: str


@dataclass
class Outcome:
    """What a comparison found.

    Attributes
    ----------
    parts
        How many were looked at.
    rows
        Data set, model, part, kind and words of each difference.
    messages
        The same, where only the words of an error or a note differ.
    """

    parts: int = 0
    rows: list[tuple[str, ...]] = field(default_factory=list)
    messages: list[tuple[str, ...]] = field(default_factory=list)


def compare(one: Path, other: Path, chosen: Sequence[str], messages: bool) -> int:
    """Print what differs between two frozen states; 1 if anything does."""
    for folder in (one, other):
        if not (folder / ABOUT).exists():
            say(f"{folder} holds no state that was written to its end")
            return 2
    abouts = [json.loads((folder / ABOUT).read_text(encoding="utf-8")) for folder in (one, other)]
    for folder, about in zip((one, other), abouts, strict=True):
        missing = [name for name in chosen if name not in about["chosen"]]
        if missing:
            say(f"not written in {folder}, and not compared: {', '.join(missing)}")
        chosen = [name for name in chosen if name in about["chosen"]]
    for name, version in abouts[0]["versions"].items():
        if abouts[1]["versions"].get(name) != version:
            say(f"note: {name} is {version} in A and {abouts[1]['versions'].get(name)} in B")
    outcome = Outcome()
    for case in CASES:
        for what in chosen:
            compare_folders(outcome, case, what, one / case / what, other / case / what)
    header = ("data", "model", "part", "kind", "A -> B")
    if messages and outcome.messages:
        say(lined_up([header, *outcome.messages]))
        say()
    if outcome.rows:
        say(lined_up([header, *outcome.rows]))
        say()
    different = len({row[:3] for row in outcome.rows})
    reworded = len(outcome.messages)
    say(
        f"{different:,} of {outcome.parts:,} parts differ"
        if different
        else f"all {outcome.parts:,} parts are the same, to the bit"
    )
    if reworded and not messages:
        say(f"{reworded:,} messages are worded otherwise (--messages shows them)")
    return 1 if different or not outcome.parts else 0


def compare_folders(outcome: Outcome, case: str, what: str, one: Path, other: Path) -> None:
    """Compare every part of one model on one data set."""
    first, second = (
        {path.name.partition(".")[0]: path for path in folder.glob("*")} for folder in (one, other)
    )
    for part in sorted({*first, *second}):
        outcome.parts += 1
        for finding in differences(first.get(part), second.get(part)):
            row = (case, what, part, *finding)
            (outcome.messages if finding.kind == "message" else outcome.rows).append(row)


def differences(one: Path | None, other: Path | None) -> Iterator[Finding]:
    """Say how two files of the same part differ."""
    if one is None or other is None:
        yield Finding("missing", "only in A" if other is None else "only in B")
        return
    kinds = [path.name.partition(".")[2] for path in (one, other)]
    if kinds[0] != kinds[1]:
        yield Finding("outcome", " -> ".join(outcome_of(path) for path in (one, other)))
    elif kinds[0] == "error.json":
        yield from error_differences(read_json(one), read_json(other))
    elif kinds[0] == "json":
        for finding in json_differences(read_json(one), read_json(other)):
            yield finding._replace(kind="message") if one.stem.endswith(WORDS) else finding
    elif kinds[0] == "npz":
        yield from arrays_differences(read_arrays(one), read_arrays(other))
    else:
        yield from table_differences(pq.read_table(one), pq.read_table(other))


def outcome_of(path: Path) -> str:
    """Say what a part is: a result, or which error."""
    return str(read_json(path)["error"]) if path.name.endswith(".error.json") else "a result"


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def read_arrays(path: Path) -> Arrays:
    """Read an npz file; no object in it is ever run."""
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def error_differences(one: Mapping[str, str], other: Mapping[str, str]) -> Iterator[Finding]:
    """Compare the classes of two errors, and their messages for who wants to know."""
    if one["error"] != other["error"]:
        yield Finding("error", f"{one['error']} -> {other['error']}")
    elif one["message"] != other["message"]:
        yield Finding("message", f"{one['message']!r} -> {other['message']!r}")


def json_differences(one: Any, other: Any, place: str = "") -> Iterator[Finding]:
    """Compare two JSON values leaf by leaf."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in {**one, **other}:
            if key in one and key in other:
                yield from json_differences(one[key], other[key], f"{place}.{key}".lstrip("."))
            else:
                yield Finding("values", f"{place}.{key} only in {'A' if key in one else 'B'}")
    elif json.dumps(one) != json.dumps(other):
        yield Finding("values", f"{place}: {shortened(one)} -> {shortened(other)}")


def shortened(value: Any, most: int = 60) -> str:
    """Give a value in a few characters."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= most else text[: most - 3] + "..."


def arrays_differences(one: Arrays, other: Arrays) -> Iterator[Finding]:
    """Compare arrays by name, type, shape and bits."""
    for name in {**one, **other}:
        if name not in one or name not in other:
            yield Finding("missing", f"{name} only in {'A' if name in one else 'B'}")
            continue
        a, b = one[name], other[name]
        if a.dtype != b.dtype or a.shape != b.shape:
            yield Finding("shape", f"{name}: {a.dtype} {a.shape} -> {b.dtype} {b.shape}")
        elif a.dtype.kind == "f":
            yield from bit_differences(name, a.ravel(), b.ravel())
        elif changed := int((a != b).sum()):
            yield Finding("values", f"{name}: {changed:,} of {a.size:,}")


def bit_differences(name: str, one: NDArray[Any], other: NDArray[Any]) -> Iterator[Finding]:
    """Compare floats by their bits; say by how much those that changed did."""
    unsigned = np.dtype(f"u{one.itemsize}")
    bits, others = (np.ascontiguousarray(side).view(unsigned) for side in (one, other))
    changed = bits != others
    if changed.any():
        size = size_of(one[changed], other[changed])
        yield Finding("bits", f"{name}: {int(changed.sum()):,} of {len(one):,}, {size}")


def size_of(one: NDArray[Any], other: NDArray[Any]) -> str:
    """Say how far apart numbers are at most."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    finite = np.isfinite(a) & np.isfinite(b)
    text = "" if finite.all() else f"{int((~finite).sum()):,} not finite, "
    if not finite.any():
        return text + "no finite pair"
    apart = np.abs(a - b)[finite]
    scale = np.maximum(np.abs(a), np.abs(b))[finite]
    relative = np.divide(apart, scale, out=np.zeros_like(apart), where=scale > 0)
    return f"{text}at most {apart.max():.1e} (relative {relative.max():.1e})"


def table_differences(one: pa.Table, other: pa.Table) -> Iterator[Finding]:
    """Compare tables: columns, types, rows, and the values of each column, floats by bits."""
    if one.column_names != other.column_names:
        yield Finding("columns", f"{one.column_names} -> {other.column_names}")
        return
    for name in one.column_names:
        types = one.schema.field(name).type, other.schema.field(name).type
        if types[0] != types[1]:
            yield Finding("types", f"{name}: {types[0]} -> {types[1]}")
            return
    is_list = one.column_names[2:] == ["rank", "score", "source"]
    told = list(list_differences(one, other)) if is_list else []
    yield from told
    if one.num_rows != other.num_rows:
        yield Finding("rows", f"{one.num_rows:,} -> {other.num_rows:,}")
        return
    for name in one.column_names:
        if not (told and name == one.column_names[1]):  # the ids: told list by list
            yield from column_differences(name, one.column(name), other.column(name))


def column_differences(
    name: str, one: pa.ChunkedArray, other: pa.ChunkedArray
) -> Iterator[Finding]:
    """Compare two columns of the same type and length."""
    if pa.types.is_floating(one.type):
        absent, absent_too = (np.asarray(side.is_null()) for side in (one, other))
        if missing := int((absent != absent_too).sum()):
            yield Finding("values", f"{name}: {missing:,} of {len(one):,} are empty in one only")
        both = ~(absent | absent_too)
        numbers, others = (side.to_numpy()[both] for side in (one, other))
        yield from bit_differences(name, numbers, others)
        return
    pairs = zip(one.to_pylist(), other.to_pylist(), strict=True)
    changed = [place for place, (a, b) in enumerate(pairs) if a != b]
    if changed:
        kind = "source" if name == "source" else "values"
        a, b = (shortened(str(side[changed[0]].as_py()), 40) for side in (one, other))
        yield Finding(kind, f"{name}: {len(changed):,} of {len(one):,}, the first {a} -> {b}")


def list_differences(one: pa.Table, other: pa.Table) -> Iterator[Finding]:
    """Compare lists: who has one, which items are on it, in which order, with which score."""
    lists, others = by_owner(one), by_owner(other)
    if list(lists) != list(others):
        gone, new = (
            len([o for o in a if o not in b]) for a, b in ((lists, others), (others, lists))
        )
        yield Finding("lists", f"{gone:,} gone, {new:,} new, of {len(lists):,}")
    common = [owner for owner in lists if owner in others]
    order = items = swapped = 0
    pairs: list[tuple[float, float]] = []
    for owner in common:
        a, b = lists[owner], others[owner]
        if list(a) == list(b):
            continue
        if a.keys() == b.keys():
            order += 1
        else:
            items += 1
        swapped += len(a.keys() - b.keys())
        pairs += [(score, b[item]) for item, score in a.items() if item in b]
    if order:
        yield Finding("order", f"{order:,} of {len(common):,} lists have another order")
    if items:
        how = f"{items:,} of {len(common):,} lists have other items, {swapped:,} items left"
        yield Finding("ids", how)
    if pairs:
        scores, others_scores = (np.array(side) for side in zip(*pairs, strict=True))
        if (scores != others_scores).any():
            yield Finding("scores", f"of the same items there: {size_of(scores, others_scores)}")


def by_owner(table: pa.Table) -> dict[Any, dict[Any, float]]:
    """Give each list as item to score, in its order."""
    lists: dict[Any, dict[Any, float]] = {}
    owners, items, scores = (table.column(place).to_pylist() for place in (0, 1, 3))
    for owner, item, score in zip(owners, items, scores, strict=True):
        lists.setdefault(owner, {})[item] = score
    return lists


def lined_up(rows: Sequence[tuple[str, ...]]) -> str:
    """Give rows of text as columns."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join(lines)


# --- the command line ----------------------------------------------------------------------------


def main() -> int:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    narrow = f"some of: {', '.join([*OTHERS, *dict.fromkeys(n.partition('-')[0] for n in MODELS)])}"
    writing = commands.add_parser("write", help="freeze the library as it is now")
    writing.add_argument("folder", type=Path, metavar="OUT_DIR", help="a new folder")
    writing.add_argument("--models", metavar="A,B", help=narrow)
    comparing = commands.add_parser(
        "compare", help="say what differs; exit code 1 if anything does"
    )
    comparing.add_argument("one", type=Path, metavar="DIR_A")
    comparing.add_argument("other", type=Path, metavar="DIR_B")
    comparing.add_argument("--models", metavar="A,B", help=narrow)
    comparing.add_argument(
        "--messages", action="store_true", help="show where the words of errors and notes differ"
    )
    given = parser.parse_args()
    chosen = selected(given.models)
    if given.command == "write":
        return write(given.folder, chosen)
    return compare(given.one, given.other, chosen, given.messages)


if __name__ == "__main__":
    sys.exit(main())
