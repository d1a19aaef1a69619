"""Implicit alternating least squares: vectors of users and items; unseen pairs are weak zeros."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Annotated, Any, Final, Literal, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from shortlist import engine
from shortlist.bundle.declarations import Record
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.errors import NumericalError
from shortlist.kernels.als import solve_cg, solve_cholesky, solve_exact
from shortlist.kernels.products import gram, multiply
from shortlist.kernels.ridge import solve_double
from shortlist.models.automatic import Step
from shortlist.models.base import Fitted
from shortlist.models.config import AUTO, Auto, Search, hyper
from shortlist.models.feature_map import MappedConfig, MappedModel, MappedVectors
from shortlist.models.partial import Growth, spread, unchanged_items
from shortlist.models.signals import Strength, choose_signals, mean_weight
from shortlist.progress import track
from shortlist.scoring.capabilities import ExplainsLists, Parts
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Floats
from shortlist.scoring.sparse import binary, csr_arrays, transposed

ALL_ZEROS = 20.0  # the weight of all unobserved pairs of a user, per interaction of a mean history
_LEAST_SIZE, _MOST_SIZE = 128, 512  # of "auto"
_ROWS_PER_FACTOR: Final = 32
_MOST_PRODUCTS: Final = 3e9  # of interactions and factors: about a minute on two cores
_SMALL: Final = {
    "embedding_size": 64,
    "epochs": 6,
    "solver": "cg",
    "cg_steps": 2,
    "features": False,
}  # chooses the regularization
_MOST_STEPS: Final = 4  # of conjugate gradients per row and epoch; a row takes fewer
_LEFT: Final = 0.02  # where this share of its excess loss is left: as good as exact solutions
STEPS: tuple[Step, ...] = (("regularization", (0.003, 0.001, 0.007, 0.015, 0.03)),)


class IALSConfig(MappedConfig):
    """Settings of :class:`IALS`."""

    embedding_size: Annotated[int, Field(ge=1, le=2048)] | Auto = hyper(
        "auto",
        "Length of the vectors; auto: 128, 256 or 512, about a 32nd of the number of users "
        "or of items, whichever is smaller.",
        search=Search(16, 1024, "log"),
    )
    epochs: int = hyper(15, "Passes over users and items.", ge=1, search=Search(5, 30))
    regularization: Annotated[float, Field(gt=0)] | Auto = hyper(
        "auto",
        "Weight of the squared vectors (lambda); auto: chosen on a validation fold, with 64 "
        "factors.",
        search=Search(1e-4, 0.1, "log"),
    )
    unobserved_weight: Annotated[float, Field(gt=0)] | Auto = hyper(
        "auto",
        "Weight of unobserved pairs (alpha), an interaction has weight 1; auto: 20 interactions of "
        "a mean history over the number of items.",
        search=Search(1e-3, 1.0, "log"),
    )
    frequency_exponent: float = hyper(
        1.0,
        "Exponent (nu) by which regularization grows with the interactions of a row; 0: constant.",
        ge=0,
        le=1,
        search=Search(0.5, 1.0),
    )
    solver: Literal["cholesky", "cg"] = hyper(
        "cg",
        "In each epoch, improve each row by a few conjugate-gradient steps, or solve it exactly: "
        "the same optimum, slower. At the end the users are solved exactly in both cases.",
    )
    cg_steps: Annotated[int, Field(ge=1)] | None = hyper(
        None,
        "Conjugate-gradient steps per row and epoch; None: up to 4, fewer where about a fiftieth "
        "of the row's excess loss is left.",
    )
    init_std: float = hyper(
        0.1,
        "Standard deviation of the initial vectors, times the square root of their length.",
        gt=0,
    )
    seed: int = hyper(0, "Seeds the initial vectors.", ge=0)


class IALSSettings(NamedTuple):
    """The settings in use."""

    embedding_size: Annotated[int, Field(ge=1, le=2048)]
    regularization: Annotated[float, Field(gt=0)]
    unobserved_weight: Annotated[float, Field(gt=0)]
    weighting: Strength | None


class Basis(NamedTuple):
    """The eigenvalues of a Gram matrix V'V, from large to small, and its eigenvectors."""

    values: NDArray[np.float64]  # (f,)
    vectors: Floats  # (f, f), one a column

    @classmethod
    def of(cls, vectors: Floats) -> Basis | None:
        """Return that of V'V; None if it is not finite in float64."""
        products = gram(vectors)
        if not np.isfinite(products).all():
            return None
        with threadpool_limits(1, user_api="blas"):  # with more, the last bits depend on them
            values, directions = np.linalg.eigh(products)
        ordered = np.ascontiguousarray(directions[:, ::-1], dtype=np.float32)
        return cls(np.maximum(values[::-1], 0), ordered)


@dataclass(frozen=True)
class IALSLearned(MappedVectors):
    """The vectors, and the maps from features to them."""

    settings: Annotated[Mapping[str, Any], Record(IALSSettings)]

    @cached_property
    def basis(self) -> Basis | None:
        """The eigenbasis of the items."""
        return Basis.of(self.items)


class IALS(MappedModel[IALSConfig, IALSLearned], ExplainsLists):
    """Implicit ALS (Hu, Koren & Volinsky, ICDM 2008) as revisited by Rendle et al. (RecSys 2022).

    Minimises ``sum over observed of w (1 - p.q)^2 + alpha * sum over all pairs of (p.q)^2
    + lambda * sum_u (n_u + alpha n_items)^nu |p_u|^2 + the same for the items``, a row at a time in
    closed form: ``(alpha Q'Q + sum w q q' + lambda_u I) p_u = sum w q``. With the Gram
    matrix Q'Q the sum over all pairs costs nothing extra.

    A user's vector is always the exact solution for the history. A new user therefore gets the same
    list as a known user with the same history.

    With ``features`` the learned vectors are also regressed on the features of their users, and of
    their items: ``p ~ mean + W x``, by ridge regression, every user alike. So a user without a
    history gets a list by features, and an item without interactions a place in the lists.

    Examples
    --------
    >>> import pyarrow as pa
    >>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "a"]})
    >>> IALS(embedding_size=4).fit(Dataset.from_tables(log)).recommend([3], k=1).column("item_id")
    ['b']
    """

    def learn(self, data: Dataset) -> Fitted[IALSLearned]:
        """Alternate between users and items; ``history`` holds the loss after each epoch."""
        config, settings = self.config, self._settings_for(data)
        if AUTO in self.settings.values():
            given = {"weighting": settings["weighting"] or "binary"}
            fitted = IALS(**self.settings | settings | given).learn(data)
            return Fitted(replace(fitted.learned, settings=settings), fitted.history)
        rng = np.random.default_rng(config.seed)
        size = int(config.embedding_size)
        std = config.init_std / np.sqrt(size)
        users, items = (
            rng.normal(0, std, (count, size)).astype(np.float32)
            for count in (data.n_users, data.n_items)
        )
        by_user = self._weights(data.matrix)
        by_item = transposed(by_user)
        penalties = self._penalties(by_user)
        losses = []
        for _ in track(range(config.epochs), "IALS"):
            users, items, _ = self._half_epoch(by_user, users, items)
            items, users, loss = self._half_epoch(by_item, items, users)
            losses.append(loss + float(penalties @ np.square(users, dtype=np.float64).sum(axis=1)))
        history = pa.table({"epoch": range(1, config.epochs + 1), "loss": losses})
        users = self._exactly(by_user, items, Basis.of(items))
        maps = self.learn_maps(data, users, items)
        return Fitted(IALSLearned(users, items, *maps, settings), history)

    def grow(self, growth: Growth) -> tuple[IALSLearned, tuple[str, ...]]:
        """Solve for the new items with the users fixed, then for all users: each row exactly."""
        data, learned = growth.data, self.learned
        matrix, new = self._weights(data.matrix), growth.new_items
        items = spread(learned.items, growth.items, data.n_items)
        if len(new):
            users = self._exactly(matrix, items, Basis.of(items))
            items[new] = self._exactly(transposed(matrix)[new], users, Basis.of(users))
        users = self._exactly(matrix, items, Basis.of(items))
        kept = unchanged_items("the vectors", growth)
        if learned.user_features or learned.item_features:
            kept += ("the maps from features to vectors are those of the last fit",)
        return replace(learned, users=users, items=items), kept

    def _settings_for(self, data: Dataset) -> dict[str, Any]:
        """Return the settings that can be "auto", chosen where they are."""
        size = self.config.embedding_size
        active = int((data.user_counts > 0).sum())
        alpha, means = self.config.unobserved_weight, {}
        if alpha == AUTO:
            means = {"weighted": mean_weight(data)}  # of an interaction, 1 if binary
            alpha = ALL_ZEROS * data.n_interactions / max(active * data.n_items, 1)
            alpha = alpha or 1.0  # no interactions

        def fit(fold: Dataset, settings: Mapping[str, Any]) -> IALS:
            small = self.settings | dict(settings) | _SMALL
            scale = means.get(settings.get("weighting", self.config.weighting), 1.0)
            return IALS(**small | {"unobserved_weight": alpha * scale}).fit(fold)

        settings = choose_signals(self, data, STEPS, fit)
        scale = means.get(settings["weighting"], 1.0)
        if size == AUTO:
            rows = min(active, int((data.item_counts > 0).sum()))
            size = embedding_size(rows, data.n_interactions)
        return settings | {"embedding_size": size, "unobserved_weight": alpha * scale}

    def fold_in(self, history: csr_array) -> Floats:
        """Solve exactly for the vectors of users with these histories."""  # (B, f)
        learned = self.learned
        return self._exactly(self._weights(history), learned.items, learned.basis)

    def parts_of(self, profiles: Profiles, items: Rows) -> Iterator[list[Parts]]:
        """Yield the contribution of each item of the history, for each of these items.

        The vector of a user is linear in their history, ``p_u = A_u^-1 sum w_j q_j``, so item j
        adds ``w_j q_j . A_u^-1 q_i`` to the score of i. Without a history it is linear in the
        features.
        """
        history = self._weights(profiles.history)
        learned, listed = self.learned, self.listed.items[items].astype(np.float64)
        if not history.nnz:
            yield from self.feature_parts(profiles, listed)
            return
        chosen = learned.items[history.indices].astype(np.float64)  # (n, f)
        weights = history.data  # (n,)
        system = self.used.unobserved_weight * learned.gram  # (f, f)
        system += (chosen * weights[:, np.newaxis]).T @ chosen
        system[np.diag_indices_from(system)] += self._penalties(history)[0]
        solved = np.linalg.solve(system, listed.T)  # (f, k)
        names = self.data.items.take(history.indices)
        for products in (chosen @ solved).T:
            yield [Parts("chosen item", names, weights * products)]

    def _weights(self, matrix: csr_array) -> csr_array:
        return matrix if self.used.weighting == "weighted" else binary(matrix)

    def _penalties(self, matrix: csr_array) -> NDArray[np.float64]:
        """Return the regularization of each row: lambda (n + alpha n_columns)^nu."""  # (n_rows,)
        config = self.used
        frequencies = np.diff(matrix.indptr) + config.unobserved_weight * matrix.shape[1]
        penalties: NDArray[np.float64] = (
            config.regularization * frequencies**config.frequency_exponent
        )
        return penalties

    def _half_epoch(
        self, matrix: csr_array, start: Floats, fixed: Floats
    ) -> tuple[Floats, Floats, float]:
        """Improve the vectors of the rows, with those of the columns fixed.

        Return both, turned into the eigenbasis of the columns, and the loss without the penalty of
        the columns. Turning all vectors alike changes no product of two.
        """
        basis = self._checked(Basis.of(fixed), matrix)
        fixed = multiply(fixed, basis.vectors)
        if self.config.solver == "cg":
            start = multiply(start, basis.vectors)
        solved, loss = self._over_rows(matrix, self._penalties(matrix), fixed, basis, start)
        return solved, fixed, loss

    def _exactly(self, matrix: csr_array, items: Floats, basis: Basis | None) -> Floats:
        """Solve for the vectors of rows, such as users with these histories."""  # (B, f)
        basis = self._checked(basis, matrix)
        chosen = np.unique(matrix.indices)
        known = np.searchsorted(chosen, matrix.indices).astype(np.int32)
        compact = csr_array((matrix.data, known, matrix.indptr), (matrix.shape[0], len(chosen)))
        turned = multiply(items[chosen], basis.vectors)
        solved, _ = self._over_rows(compact, self._penalties(matrix), turned, basis)
        return multiply(solved, np.ascontiguousarray(basis.vectors.T))

    def _over_rows(
        self,
        matrix: csr_array,
        penalties: NDArray[np.float64],
        fixed: Floats,
        basis: Basis,
        start: Floats | None = None,
    ) -> tuple[Floats, float]:
        """Solve for the vectors of the rows, in float64 where float32 fails; also the loss."""
        n_rows = matrix.shape[0]
        shared = self.used.unobserved_weight * basis.values
        task = partial(
            _solve_block,
            matrix=matrix,
            penalties=penalties,
            fixed=fixed,
            shared=shared.astype(np.float32),
            start=start,
            solver=self.config.solver,
            steps=self.config.cg_steps,
        )
        row_bytes = 4 * fixed.shape[1] + 12 * matrix.nnz // max(n_rows, 1)
        blocks = list(engine.current().map_rows(task, n_rows, row_bytes, "IALS rows"))
        solved = np.concatenate(
            [np.empty((0, fixed.shape[1]), np.float32), *(b[0] for b in blocks)]
        )
        losses = np.concatenate([np.empty(0), *(b[1] for b in blocks)])
        failed = np.flatnonzero(~np.isfinite(solved).all(axis=1))
        if len(failed):
            rows, weak = csr_arrays(matrix[failed]), penalties[failed]
            solved[failed] = solve_double(rows, fixed, shared, weak)
            if not np.isfinite(solved[failed]).all():
                raise self._unsolvable(matrix)
            common = rows, fixed, shared.astype(np.float32), weak.astype(np.float32)
            losses[failed] = solve_cg(*common, solved[failed], 0)[1]
        return solved, float(losses.sum())

    def _checked(self, basis: Basis | None, matrix: csr_array) -> Basis:
        if basis is None:
            raise self._unsolvable(matrix)
        return basis

    def _unsolvable(self, matrix: csr_array) -> NumericalError:
        config = self.used
        largest = float(matrix.data.max(initial=0))
        return NumericalError(
            f"{self.name}: a system of equations is not positive definite, not even in float64, "
            f"because regularization={config.regularization:g} is too weak for "
            f"embedding_size={config.embedding_size} and a largest weight of {largest:g}",
            remedy="choose a larger regularization or a smaller embedding_size, scale the weights "
            "down, or use weighting='binary'",
        )


def embedding_size(rows: int, interactions: int) -> int:
    """Return the number of factors for data with this many users or items, the fewer of both.

    The more users and items there are, the more factors pay. Their time is bounded: dense data
    gains little from many.
    """
    most = min(_MOST_SIZE, _MOST_PRODUCTS / max(interactions, 1))
    size = _LEAST_SIZE
    while size * _ROWS_PER_FACTOR < rows and 2 * size <= most:
        size *= 2
    return size


def _solve_block(
    block: range,
    *,
    matrix: csr_array,
    penalties: NDArray[np.float64],
    fixed: Floats,
    shared: Floats,
    start: Floats | None,
    solver: str,
    steps: int | None,
) -> tuple[Floats, NDArray[np.float64]]:
    """Solve a block of rows, exactly if there is no ``start``; also return the losses."""
    span = slice(block.start, block.stop)
    common = csr_arrays(matrix[span]), fixed, shared, penalties[span].astype(np.float32)
    if start is None:
        return solve_exact(*common)
    if solver == "cholesky":
        solved = solve_cholesky(*common)
        return solved, solve_cg(*common, solved, 0)[1]
    if steps is None:
        return solve_cg(*common, start[span], _MOST_STEPS, _LEFT)
    return solve_cg(*common, start[span], steps)
