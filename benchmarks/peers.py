"""The jobs of `speed.py`, by us and by other libraries: from a matrix to everyone's list.

A job returns the rows of the items of each user's list (n_users, K). A library that is not
installed raises ImportError when its job starts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

import shortlist as sl

K, NEIGHBORS, FACTORS, EPOCHS, THREADS = 20, 50, 64, 15, 2
RIDGE = 500.0  # of EASE
ALPHA, BETA = 1.0, 0.6  # of RP3beta

Lists = NDArray[np.int32]
Job = Callable[["World"], Any]


@dataclass
class World:
    """A data set without the held-out items of each user.

    Attributes
    ----------
    name, data
        Its name, and the training side.
    matrix, truth
        The training side and the held-out choices, as ones in the same rows.
    vectors
        Vectors of users and items for the job that only makes lists; set on demand.
    """

    name: str
    data: sl.Dataset
    matrix: csr_matrix
    truth: csr_matrix
    vectors: tuple[NDArray[np.float32], NDArray[np.float32]] | None = field(default=None)

    @property
    def pairs(self) -> NDArray[np.int64]:
        """The interactions as rows of user and item."""
        return np.stack(self.matrix.nonzero(), axis=1)

    def random_vectors(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the same random vectors of users and items at each call."""
        if self.vectors is None:
            rng = np.random.default_rng(1)
            sizes = [(n, FACTORS) for n in self.matrix.shape]
            users, items = (rng.standard_normal(size).astype(np.float32) for size in sizes)
            self.vectors = users, items
        return self.vectors


def rows_of(answer: Any, world: World) -> Lists:
    """Return an answer as rows of items (n_users, K), -1 where a list is shorter."""
    if isinstance(answer, sl.Recommendations):
        users, ranks, items = (
            answer.table.column(name).to_numpy() for name in ("user_id", "rank", "item_id")
        )
        rows = np.full((world.matrix.shape[0], K), -1, dtype=np.int32)
        rows[users, ranks - 1] = items
        return rows
    if hasattr(answer, "columns"):  # a data frame of rusket, best first
        users, items = (np.asarray(answer[name]) for name in ("user_id", "item_id"))
        rows = np.full((world.matrix.shape[0], K), -1, dtype=np.int32)
        starts = np.searchsorted(users, np.arange(len(rows)))
        rows[users, np.arange(len(users)) - starts[users]] = items
        return rows
    return np.asarray(answer, dtype=np.int32)


def _ours(**models: Callable[[], Any]) -> Job:
    [make] = models.values()
    return lambda world: make().fit(world.data).recommend(k=K)


def _our_factors(world: World) -> Any:
    users, items = world.random_vectors()
    model = sl.IALS(embedding_size=FACTORS, epochs=1, regularization=1.0, unobserved_weight=0.1)
    learned = _fitted_once(world, model).learned
    learned.users[:], learned.items[:] = users, items
    return _MODELS[world.name].recommend(k=K)


_MODELS: dict[str, Any] = {}


def _fitted_once(world: World, model: Any) -> Any:
    if world.name not in _MODELS:
        _MODELS[world.name] = model.fit(world.data)
    return _MODELS[world.name]


# --- implicit


def _implicit_lists(model: Any, world: World) -> Lists:
    everyone = np.arange(world.matrix.shape[0])
    return np.asarray(
        model.recommend(everyone, world.matrix, N=K, filter_already_liked_items=True)[0]
    )


def _implicit_item_cosine(world: World) -> Lists:
    from implicit.nearest_neighbours import CosineRecommender

    model = CosineRecommender(K=NEIGHBORS, num_threads=THREADS)
    model.fit(world.matrix, show_progress=False)
    return _implicit_lists(model, world)


def _implicit_ials(world: World) -> Lists:
    from implicit.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(
        factors=FACTORS, iterations=EPOCHS, num_threads=THREADS, random_state=0
    )
    model.fit(world.matrix, show_progress=False)
    return _implicit_lists(model, world)


def _implicit_factors(world: World) -> Lists:
    from implicit.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(factors=FACTORS, num_threads=THREADS)
    model.user_factors, model.item_factors = world.random_vectors()
    return _implicit_lists(model, world)


# --- irspack: it scores blocks of users; the lists are cut out by NumPy


def _irspack_lists(model: Any, world: World) -> Lists:
    lists = []
    for start in range(0, world.matrix.shape[0], 512):
        scores = model.get_score_remove_seen_block(start, min(start + 512, world.matrix.shape[0]))
        best = np.argpartition(-scores, K, axis=1)[:, :K]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
        lists.append(np.take_along_axis(best, order, axis=1))
    return np.concatenate(lists).astype(np.int32)


def _irspack(name: str, **settings: Any) -> Job:
    def job(world: World) -> Lists:
        import irspack

        model = getattr(irspack, name)(world.matrix.astype(np.float64), **settings)
        return _irspack_lists(model.learn(), world)

    return job


# --- skrecsys


def _skrecsys(name: str, **settings: Any) -> Job:
    def job(world: World) -> Lists:
        from skrecsys import recommendation

        model = getattr(recommendation, name)(**settings).fit(world.pairs)
        users = np.arange(world.matrix.shape[0])
        return np.asarray(model.recommend(users, n_recommendations=K)[0])

    return job


# --- rusket


def _rusket_item_cosine(world: World) -> Lists:
    import rusket

    model = rusket.ItemKNN(method="cosine", k=NEIGHBORS).fit(world.matrix.copy())
    rows = np.full((world.matrix.shape[0], K), -1, dtype=np.int32)
    for user in range(len(rows)):  # it has no call for all users
        items = model.recommend_items(user, n=K)[0]
        rows[user, : len(items)] = items
    return rows


def _rusket_ials(world: World) -> Any:
    import rusket

    model = rusket.ALS(factors=FACTORS, iterations=EPOCHS, alpha=1.0, seed=0)
    return model.fit(world.matrix.copy()).batch_recommend(n=K)


def _rusket_factors(world: World) -> Any:
    import rusket

    model = rusket.ALS.from_factors(*world.random_vectors())
    return model.batch_recommend(n=K, exclude=world.matrix)


# --- scikit-learn


def _sklearn_user_cosine(world: World) -> Lists:
    from sklearn.metrics.pairwise import cosine_similarity  # type: ignore[import-untyped]
    from sklearn.neighbors import NearestNeighbors  # type: ignore[import-untyped]

    search = NearestNeighbors(n_neighbors=NEIGHBORS + 1, metric="cosine", algorithm="brute")
    near = search.fit(world.matrix).kneighbors_graph(mode="connectivity")
    lists = []
    for start in range(0, world.matrix.shape[0], 512):
        rows, some = world.matrix[start : start + 512], near[start : start + 512]
        weights = some.multiply(cosine_similarity(rows, world.matrix, dense_output=False)).tocsr()
        scores = (weights @ world.matrix).toarray()
        scores[rows.nonzero()] = -np.inf
        best = np.argpartition(-scores, K, axis=1)[:, :K]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
        lists.append(np.take_along_axis(best, order, axis=1))
    return np.concatenate(lists).astype(np.int32)


COSINE: dict[str, Any] = {"neighbors": NEIGHBORS, "weighting": "binary", "shrinkage": 0.0}
JOBS: dict[str, dict[str, Job]] = {
    "item cosine": {
        "shortlist": _ours(model=lambda: sl.ItemCosine(**COSINE)),
        "implicit": _implicit_item_cosine,
        "irspack": _irspack("CosineKNNRecommender", top_k=NEIGHBORS, n_threads=THREADS),
        "skrecsys": _skrecsys("ItemKNNRecommender", n_neighbors=NEIGHBORS, n_jobs=THREADS),
        "rusket": _rusket_item_cosine,
    },
    "RP3beta": {
        "shortlist": _ours(
            model=lambda: sl.RP3beta(neighbors=NEIGHBORS, alpha=ALPHA, beta=BETA, normalized=True)
        ),
        "irspack": _irspack(
            "RP3betaRecommender", alpha=ALPHA, beta=BETA, top_k=NEIGHBORS, normalize_weight=True,
            n_threads=THREADS,
        ),
        "skrecsys": _skrecsys(
            "RP3Beta", n_neighbors=NEIGHBORS, alpha=ALPHA, beta=BETA, n_jobs=THREADS
        ),
    },
    "user cosine": {
        "shortlist": _ours(model=lambda: sl.UserCosine(**COSINE)),
        "irspack": _irspack("CosineUserKNNRecommender", top_k=NEIGHBORS, n_threads=THREADS),
        "scikit-learn": _sklearn_user_cosine,
    },
    "lists from 64 factors": {
        "shortlist": _our_factors, "implicit": _implicit_factors, "rusket": _rusket_factors,
    },
    "iALS with 64 factors": {
        "shortlist": _ours(model=lambda: sl.IALS(embedding_size=FACTORS, epochs=EPOCHS,
                                                regularization=0.003, unobserved_weight=0.1)),
        "implicit": _implicit_ials,
        "irspack": _irspack("IALSRecommender", n_components=FACTORS, alpha0=0.1, reg=0.003,
                            train_epochs=EPOCHS, n_threads=THREADS),
        "rusket": _rusket_ials,
    },
    "EASE": {
        "shortlist": _ours(model=lambda: sl.EASE(regularization=RIDGE)),
        "irspack": _irspack("DenseSLIMRecommender", reg=RIDGE),
        "skrecsys": _skrecsys("EASE", l2_reg=RIDGE, n_jobs=THREADS),
    },
}  # fmt: skip
"""What each library does, with the same settings where it has them."""

DISTRIBUTIONS = ("implicit", "irspack", "skrecsys", "rusket", "scikit-learn")
