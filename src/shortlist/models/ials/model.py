"""Implicit ALS: vectors of users and items; unobserved pairs are zeros with a small weight."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field
from scipy.sparse import csr_array

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.engine import Engine
from shortlist.engine.base import BLOCK_BYTES
from shortlist.models.automatic import Step
from shortlist.models.base import Fitted
from shortlist.models.config import AUTO, Auto, Search, chosen_settings, hyper
from shortlist.models.feature_map import MappedConfig, MappedModel, MappedVectors
from shortlist.models.ials.checkpoint import Checkpoint, Start, identity_of_training
from shortlist.models.ials.least_squares import Basis, Solver
from shortlist.models.ials.shards import alternate_by_rows, alternate_in_shards
from shortlist.models.partial import Growth, spread, unchanged_items
from shortlist.models.signals import choose_signals, mean_weight
from shortlist.models.vectors import LEAST_SIZE, embedding_size
from shortlist.recommend.places import Place
from shortlist.scoring.capabilities import Parts
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Floats
from shortlist.scoring.sparse import binary, transposed

ALL_ZEROS = 20.0  # the weight of all unobserved pairs of a user, per interaction of a mean history
_MOST_SIZE: Final = 512  # of "auto"
_DRAWN: Final = 8_192  # initial vectors at a time, in float64
# Of the short fits that choose the regularization. They also have at most 128 factors: with that
# many they prefer what the full model prefers, with 64 they do not.
_QUICK: Final = {"epochs": 6, "solver": "cg", "cg_steps": 2, "features": False}
STEPS: tuple[Step, ...] = (("regularization", (0.01, 0.003, 0.006, 0.015, 0.03)),)


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
        "Weight of the squared vectors (lambda); auto: chosen on a validation fold, with at most "
        "128 factors.",
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
    solver: Literal["cg", "exact"] = hyper(
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


@dataclass(frozen=True)
class IALSLearned(MappedVectors):
    """The vectors, and the maps from features to them."""

    settings: Annotated[Mapping[str, Any], chosen_settings(IALSConfig)]

    @cached_property
    def basis(self) -> Basis | None:
        """The eigenbasis of the items."""
        return Basis.of(self.items)


class IALS(MappedModel[IALSConfig, IALSLearned]):
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

    with_less_memory = "choose a smaller embedding_size, or keep fewer users and items"

    def memory_to_fit(self, data: Dataset) -> int:
        """Return the bytes of the users, three versions of the items, and a block."""
        vectors = data.n_users + 3 * data.n_items
        if self.config.solver == "exact":
            vectors += data.n_users
        if self.config.features:
            vectors += 2 * max(data.n_users, data.n_items)  # in float64
        return 4 * self._size(data) * vectors + 24 * data.n_interactions + BLOCK_BYTES

    def fit(
        self,
        data: Dataset,
        *,
        checkpoint: str | Path | None = None,
        engine: Engine | str | None = None,
    ) -> Self:
        """Learn from the data; a second call starts from scratch.

        Parameters
        ----------
        data
            The training data.
        checkpoint
            A folder for the vectors, written after every epoch: one that all nodes share, or an
            address such as ``s3://bucket/folder``. If it holds a checkpoint, training goes on from
            its epoch and gives bit for bit what an uninterrupted training gives, on any engine.
            Data and settings must be the same as before; only ``epochs`` may be more.
        engine
            Where it is computed: ``"local"``, ``"ray"``, ``"ray://host:port"`` or an engine; the
            result is bit-identical. None: the one in use, by default local.

        Returns
        -------
        Self
            The model.

        Raises
        ------
        InputError
            The checkpoint is of other data or settings, has more epochs, or is damaged.
        NumericalError
            Something learned is not finite, because of the weights or the settings. The model
            keeps the state it had.

        Examples
        --------
        >>> import tempfile
        >>> from shortlist.testing import checkerboard
        >>> data = checkerboard().data
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     first = IALS(embedding_size=4, epochs=3).fit(data, checkpoint=folder)
        ...     on = IALS(embedding_size=4, epochs=8).fit(data, checkpoint=folder)
        >>> whole = IALS(embedding_size=4, epochs=8).fit(data)
        >>> len(on.history), bool((on.learned.users == whole.learned.users).all())
        (8, True)
        """
        return self._fit_by(partial(self._train, folder=checkpoint), data, engine)

    def learn(self, data: Dataset) -> Fitted[IALSLearned]:
        """Alternate between users and items; ``history`` holds the loss after each epoch."""
        return self._train(data, None)

    def _train(self, data: Dataset, folder: str | Path | None) -> Fitted[IALSLearned]:
        """Learn, from the checkpoint in the folder if there is one."""
        checkpoint = saved = None
        if folder is not None:
            identity = identity_of_training(self.name, self.settings, data)
            checkpoint = Checkpoint(Place.of(folder), identity)
            checkpoint.begin()
            saved = checkpoint.read(data.n_users, data.n_items, self.config.epochs)
        settings = self._settings_for(data) if saved is None else saved[1]
        given = {"weighting": settings["weighting"] or "binary"}
        with_all = IALS(**self.settings | settings | given)
        start = with_all._initial(data) if saved is None else saved[0]
        if checkpoint is not None:
            checkpoint = replace(checkpoint, chosen=settings)
        return with_all._alternated(data, start, checkpoint, settings)

    def _initial(self, data: Dataset) -> Start:
        """Draw the initial vectors."""
        rng = np.random.default_rng(self.config.seed)
        size = int(self.config.embedding_size)
        std = self.config.init_std / np.sqrt(size)
        users, items = (
            np.empty((count, size), np.float32) for count in (data.n_users, data.n_items)
        )
        for vectors in (users, items):
            for start in range(0, len(vectors), _DRAWN):
                rows = vectors[start : start + _DRAWN]
                rows[:] = rng.normal(0, std, rows.shape)
        return Start(users, items)

    def _alternated(
        self,
        data: Dataset,
        start: Start,
        checkpoint: Checkpoint | None,
        settings: dict[str, Any],
    ) -> Fitted[IALSLearned]:
        """Learn with settings of which none is automatic."""
        alternate = alternate_in_shards if self.config.solver == "cg" else alternate_by_rows
        by_user = self._weights(data.matrix)
        epochs = self.config.epochs
        users, items, losses = alternate(self._solver, by_user, start, epochs, checkpoint)
        history = pa.table({"epoch": range(1, len(losses) + 1), "loss": losses})
        maps = self.learn_maps(data, users, items)
        return Fitted(IALSLearned(users, items, *maps, settings), history)

    def grow(self, growth: Growth) -> tuple[IALSLearned, tuple[str, ...]]:
        """Solve for the new items with the users fixed, then for all users: each row exactly."""
        data, learned, solver = growth.data, self.learned, self._solver
        matrix, new = self._weights(data.matrix), growth.new_items
        items = spread(learned.items, growth.items, data.n_items)
        if len(new):
            items[new] = 0
            users = solver.exactly(matrix, items, Basis.of(items))
            items[new] = solver.exactly(transposed(matrix)[new], users, Basis.of(users))
        users = solver.exactly(matrix, items, Basis.of(items))
        kept = unchanged_items("the vectors", growth)
        if learned.user_features or learned.item_features:
            kept += ("the maps from features to vectors are those of the last fit",)
        return replace(learned, users=users, items=items), kept

    def _settings_for(self, data: Dataset) -> dict[str, Any]:
        """Return the settings that can be "auto", chosen where they are."""
        size, alpha, means = self._size(data), self.config.unobserved_weight, {}
        if alpha == AUTO:
            means = {"weighted": mean_weight(data)}  # of an interaction, 1 if binary
            alpha = unobserved_weight(data, ALL_ZEROS)

        def learn(fold: Dataset, settings: Mapping[str, Any]) -> IALSLearned:
            scale = means.get(settings.get("weighting", self.config.weighting), 1.0)
            small = {
                "embedding_size": min(size, LEAST_SIZE),
                "unobserved_weight": alpha * scale,
            }
            return IALS(**self.settings | dict(settings) | _QUICK | small).fit(fold).learned

        settings = choose_signals(self, data, STEPS, learn)
        scale = means.get(settings["weighting"], 1.0)
        return settings | {"embedding_size": size, "unobserved_weight": alpha * scale}

    def _size(self, data: Dataset) -> int:
        """Return the number of factors."""
        given = self.config.embedding_size
        return embedding_size(data, _MOST_SIZE) if given == AUTO else int(given)

    def fold_in(self, history: csr_array) -> Floats:
        """Solve exactly for the vectors of users with these histories."""  # (B, f)
        learned = self.learned
        return self._solver.exactly(self._weights(history), learned.items, learned.basis)

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
        counts = np.diff(history.indptr)
        penalty = self._solver.penalties(counts, history.shape[1])[0]
        system[np.diag_indices_from(system)] += penalty
        solved = np.linalg.solve(system, listed.T)  # (f, k)
        names = self.data.items.take(history.indices)
        for products in (chosen @ solved).T:
            yield [Parts("chosen item", names, weights * products)]

    def _weights(self, matrix: csr_array) -> csr_array:
        return matrix if self.used.weighting == "weighted" else binary(matrix)

    @property
    def _solver(self) -> Solver:
        used = self.used
        return Solver(
            name=self.name,
            embedding_size=int(used.embedding_size),
            regularization=used.regularization,
            unobserved_weight=used.unobserved_weight,
            frequency_exponent=used.frequency_exponent,
            steps=used.cg_steps,
        )


def unobserved_weight(data: Dataset, all_zeros: float) -> float:
    """Return alpha, for all unobserved pairs of a user together.

    They weigh ``all_zeros`` for each interaction of a mean history.
    """
    active = int((data.user_counts > 0).sum())
    alpha = all_zeros * data.n_interactions / max(active * data.n_items, 1)
    return alpha or 1.0  # there are no interactions
