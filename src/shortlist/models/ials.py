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

from shortlist import engine
from shortlist.bundle.declarations import Array, Record
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.errors import NumericalError
from shortlist.kernels.als import gram, observed_loss, solve_cg, solve_cholesky
from shortlist.kernels.ridge import solve_double
from shortlist.models.automatic import Step
from shortlist.models.base import Fitted
from shortlist.models.config import AUTO, Auto, Search, hyper
from shortlist.models.signals import Strength, WeightedConfig, choose_signals, mean_weight
from shortlist.models.vectors import LearnedUserVectors, VectorModel
from shortlist.progress import track
from shortlist.scoring.capabilities import ExplainsLists, Parts
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Floats
from shortlist.scoring.sparse import binary, csr_arrays, transposed

ALL_ZEROS = 20.0  # the weight of all unobserved pairs of a user, per interaction of a mean history
_SMALL: Final = {"embedding_size": 64, "epochs": 6, "solver": "cg"}  # chooses the regularization
STEPS: tuple[Step, ...] = (("regularization", (0.003, 0.001, 0.007, 0.015, 0.03)),)


class IALSConfig(WeightedConfig):
    """Settings of :class:`IALS`."""

    embedding_size: int = hyper(
        128, "Length of the vectors.", ge=1, le=2048, search=Search(16, 256, "log")
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
        "cholesky",
        "Solve each row exactly, or by a few conjugate-gradient steps from the previous epoch.",
    )
    cg_steps: int = hyper(3, "Conjugate-gradient steps per row and epoch.", ge=1)
    init_std: float = hyper(
        0.1,
        "Standard deviation of the initial vectors, times the square root of their length.",
        gt=0,
    )
    seed: int = hyper(0, "Seeds the initial vectors.", ge=0)


class IALSSettings(NamedTuple):
    """The settings in use."""

    regularization: Annotated[float, Field(gt=0)]
    unobserved_weight: Annotated[float, Field(gt=0)]
    weighting: Strength | None


@dataclass(frozen=True)
class IALSLearned(LearnedUserVectors):
    """The vectors."""

    users: Annotated[Floats, Array("n_users", "embedding_size")]
    items: Annotated[Floats, Array("n_items", "embedding_size")]
    settings: Annotated[Mapping[str, Any], Record(IALSSettings)]

    @cached_property
    def solver_gram(self) -> Floats:
        """The Gram matrix of the items as the solver uses it, in float32."""  # (f, f)
        return gram(self.items)


class IALS(VectorModel[IALSConfig, IALSLearned], ExplainsLists):
    """Implicit ALS (Hu, Koren & Volinsky, ICDM 2008) as revisited by Rendle et al. (RecSys 2022).

    Minimises ``sum over observed of w (1 - p.q)^2 + alpha * sum over all pairs of (p.q)^2
    + lambda * sum_u (n_u + alpha n_items)^nu |p_u|^2 + the same for the items``, a row at a time in
    closed form: ``(alpha Q'Q + sum w q q' + lambda_u I) p_u = sum w q``. With the Gram
    matrix Q'Q the sum over all pairs costs nothing extra.

    A user's vector is always the exact solution for the history. A new user therefore gets the same
    list as a known user with the same history.

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
        if AUTO in (config.regularization, config.unobserved_weight, config.weighting):
            given = {"weighting": settings["weighting"] or "binary"}
            fitted = IALS(**self.settings | settings | given).learn(data)
            return Fitted(replace(fitted.learned, settings=settings), fitted.history)
        rng = np.random.default_rng(config.seed)
        std = config.init_std / np.sqrt(config.embedding_size)
        users, items = (
            rng.normal(0, std, (count, config.embedding_size)).astype(np.float32)
            for count in (data.n_users, data.n_items)
        )
        by_user = self._weights(data.matrix)
        by_item = transposed(by_user)
        losses = []
        for _ in track(range(config.epochs), "IALS"):
            users = self._solve(by_user, items, users)
            items = self._solve(by_item, users, items)
            losses.append(self._loss(by_user, users, items))
        history = pa.table({"epoch": range(1, config.epochs + 1), "loss": losses})
        users = self._over_rows(by_user, items, gram(items))
        return Fitted(IALSLearned(users, items, settings), history)

    def _settings_for(self, data: Dataset) -> dict[str, Any]:
        """Return the regularization and the weight of unobserved pairs, chosen where "auto"."""
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
        return settings | {"unobserved_weight": alpha * scale}

    def fold_in(self, history: csr_array) -> Floats:
        """Solve exactly for the vectors of users with these histories."""  # (B, f)
        learned = self.learned
        return self._over_rows(self._weights(history), learned.items, learned.solver_gram)

    def parts_of(self, profiles: Profiles, items: Rows) -> Iterator[list[Parts]]:
        """Yield the contribution of each item of the history, for each of these items.

        The vector of a user is linear in their history, ``p_u = A_u^-1 sum w_j q_j``, so item j
        adds ``w_j q_j . A_u^-1 q_i`` to the score of i.
        """
        history = self._weights(profiles.history)
        learned = self.learned
        chosen = learned.items[history.indices].astype(np.float64)  # (n, f)
        weights = history.data  # (n,)
        system = self.used.unobserved_weight * learned.gram  # (f, f)
        system += (chosen * weights[:, np.newaxis]).T @ chosen
        system[np.diag_indices_from(system)] += self._penalties(history)[0]
        solved = np.linalg.solve(system, learned.items[items].astype(np.float64).T)  # (f, k)
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

    def _solve(self, matrix: csr_array, fixed: Floats, start: Floats) -> Floats:
        """Take half an epoch: solve for the vectors of the rows with those of the columns fixed."""
        if self.config.solver == "cholesky":
            return self._over_rows(matrix, fixed, gram(fixed))
        return self._over_rows(matrix, fixed, gram(fixed), start=start, steps=self.config.cg_steps)

    def _over_rows(self, matrix: csr_array, fixed: Floats, inner: Floats, **options: Any) -> Floats:
        """Solve for the vectors of the rows, by default exactly; where float32 fails in float64."""
        n_rows = matrix.shape[0]
        penalties = self._penalties(matrix)
        task = partial(
            _solve_block,
            matrix=matrix,
            penalties=penalties,
            fixed=fixed,
            inner=inner,
            alpha=self.used.unobserved_weight,
            **options,
        )
        row_bytes = 4 * fixed.shape[1] + 12 * matrix.nnz // max(n_rows, 1)
        blocks = list(engine.current().map_rows(task, n_rows, row_bytes, "IALS rows"))
        solved = np.concatenate([np.empty((0, fixed.shape[1]), dtype=np.float32), *blocks])
        failed = np.flatnonzero(~np.isfinite(solved).all(axis=1))
        if len(failed):
            rows, alpha = csr_arrays(matrix[failed]), self.used.unobserved_weight
            solved[failed] = solve_double(rows, fixed, alpha, penalties[failed])
            if not np.isfinite(solved[failed]).all():
                raise self._unsolvable(matrix)
        return solved

    def _unsolvable(self, matrix: csr_array) -> NumericalError:
        config = self.used
        largest = float(matrix.data.max())
        return NumericalError(
            f"{self.name}: a system of equations is not positive definite, not even in float64, "
            f"because regularization={config.regularization:g} is too weak for "
            f"embedding_size={config.embedding_size} and a largest weight of {largest:g}",
            remedy="choose a larger regularization or a smaller embedding_size, scale the weights "
            "down, or use weighting='binary'",
        )

    def _loss(self, matrix: csr_array, users: Floats, items: Floats) -> float:
        all_pairs = float(np.sum(gram(users).astype(np.float64) * gram(items)))
        observed = observed_loss(csr_arrays(matrix), users, items)
        penalty = sum(
            float(self._penalties(rows) @ np.square(vectors.astype(np.float64)).sum(axis=1))
            for rows, vectors in ((matrix, users), (transposed(matrix), items))
        )
        return float(observed + self.used.unobserved_weight * all_pairs + penalty)


def _solve_block(
    block: range,
    *,
    matrix: csr_array,
    penalties: NDArray[np.float64],
    fixed: Floats,
    inner: Floats,
    alpha: float,
    start: Floats | None = None,
    steps: int = 0,
) -> Floats:
    """Solve a block of rows: exactly, or by ``steps`` conjugate-gradient steps from ``start``."""
    span = slice(block.start, block.stop)
    rows, penalty = csr_arrays(matrix[span]), penalties[span].astype(np.float32)
    if start is None:
        return solve_cholesky(rows, fixed, inner, alpha, penalty)
    return solve_cg(rows, fixed, inner, alpha, penalty, start[span], steps)
