"""MatrixFactorization: contract, defects of the notes' code, fold-in, ratings, explanations."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data import split
from shortlist.data.dataset import Dataset
from shortlist.errors import InputError, NumericalError, ShortlistError, UnknownIdError
from shortlist.evaluation import evaluate
from shortlist.kernels.ridge import solve_ridge
from shortlist.kernels.threads import thread_limit
from shortlist.models.base import NO_HISTORY
from shortlist.models.factorization.learned import FactorizationLearned
from shortlist.models.factorization.model import MatrixFactorization
from shortlist.models.factorization.training import Factors
from shortlist.recommend.query import Query
from shortlist.scoring.capabilities import ComparesItems, Explains, HasVectors, PredictsRatings
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import FactorScores
from shortlist.scoring.selection import dense
from shortlist.scoring.sparse import csr_arrays
from shortlist.testing import ModelContract, checkerboard, of_matrix, small_world, tiny

Doubles = NDArray[np.float64]
LOSSES = ("observed", "regularized", "softmax")

# On a board of 12 x 12, three in seven cells are known; gravity 1 balances known and other cells.
small = partial(MatrixFactorization, embedding_size=6, epochs=60, gravity=1.0, regularization=0.1)


class TestRegularized(ModelContract):
    model = small
    user_is_history = False


class TestRegularizedWithBiases(ModelContract):
    model = partial(small, biases=True, batch_size=40, epochs=15)
    user_is_history = False


class TestSoftmax(ModelContract):
    model = partial(small, loss="softmax", learning_rate=0.02)


class TestObserved(ModelContract):
    model = partial(small, loss="observed", biases=True)
    user_is_history = False

    def test_the_checkerboard_has_its_right_answer(self) -> None:
        """This loss learns from ratings, not from choices alone."""
        parity = np.add.outer(np.arange(12), np.arange(12)) % 2
        ratings = np.where(parity == 0, 5.0, 1.0)
        known = np.random.default_rng(0).random((12, 12)) < 0.6
        model = self.fresh().fit(of_matrix(ratings, known))
        best = model.recommend(k=1)
        pairs = zip(best.column("user_id"), best.column("item_id"), strict=True)
        assert all((user + item) % 2 == 0 for user, item in pairs)

    def test_a_history_on_the_checkerboard_gets_its_own_taste(self) -> None:
        parity = np.add.outer(np.arange(12), np.arange(12)) % 2
        model = self.fresh().fit(of_matrix(np.where(parity == 0, 5.0, 1.0)))
        found = model.recommend(queries=[Query(history={1: 5.0, 7: 5.0, 2: 1.0})], k=4)
        assert set(found.column("item_id")) == {3, 5, 9, 11}


# --- the nine defects of the notes' code ----------------------------------------------------------


def films(n_users: int = 30, n_items: int = 20, seed: int = 0, rank: int = 2) -> Dataset:
    """Ratings around 3, of low rank; about half of the cells are known."""
    rng = np.random.default_rng(seed)
    ratings = 3 + rng.normal(0, 0.7, (n_users, rank)) @ rng.normal(0, 1, (rank, n_items))
    return of_matrix(np.clip(ratings, 0.5, 5.5), rng.random((n_users, n_items)) < 0.5)


def test_defect_1_factors_are_leaves_and_move() -> None:
    made = MatrixFactorization(loss="observed").trainable(films())
    assert isinstance(made, Factors)
    for factors in (made.users, made.items):
        assert factors.is_leaf
        assert factors.requires_grad
    losses = MatrixFactorization(loss="observed").fit(films()).history["loss"].to_pylist()
    assert losses[-1] < 0.01 * losses[0]


def test_defect_2_ids_may_be_text() -> None:
    log = films().to_arrow()
    text = log.set_column(
        0, "user_id", pa.array([f"user {u:02}" for u in log["user_id"].to_pylist()])
    )
    text = text.set_column(
        1, "item_id", pa.array([f"film {i:02}" for i in log["item_id"].to_pylist()])
    )
    plain, named = (
        small().fit(Dataset.from_tables(table, weight="weight")) for table in (log, text)
    )
    assert_array_equal(named.learned.users, plain.learned.users)
    assert named.recommend(["user 03"], k=1).column("item_id")[0].startswith("film ")


def test_defect_3_factors_cover_the_catalogue_not_the_split() -> None:
    data = films()
    train, test = data.select(data.item_rows < 15), data.select(data.item_rows >= 15)
    model = small(loss="observed").fit(train)
    assert model.learned.users.shape == (30, 6)
    assert model.learned.items.shape == (20, 6)
    assert (model.learned.items[15:] == 0).all()  # they are not in training
    predicted = model.predict(test.users.take(test.user_rows), test.items.take(test.item_rows))
    assert_array_equal(predicted, np.zeros(len(test), np.float32))


def test_defect_4_repeated_pairs_are_not_summed() -> None:
    pairs = {"user_id": [1, 1, 2, 2], "item_id": [5, 5, 5, 6], "rating": [2.0, 4.0, 3.0, 1.0]}
    data = Dataset.from_tables(pa.table(pairs), weight="rating")
    model = small(loss="observed", epochs=300).fit(data)
    assert model.predict([1, 2, 2], [5, 5, 6]) == pytest.approx([4.0, 3.0, 1.0], abs=0.05)


@pytest.mark.parametrize("loss", LOSSES)
def test_defect_5_metrics_are_numbers_in_a_table(loss: str) -> None:
    history = small(loss=loss, validation=0.2, epochs=4).fit(films()).history
    parts = ["observed", "regularization", "gravity"] if loss == "regularized" else []
    assert history.column_names == ["epoch", "loss", *parts, "validation_loss"]
    assert all(kind == pa.float64() for kind in history.schema.types[1:])
    assert history.column("loss").null_count == 0


def test_defect_6_the_optimiser_keeps_its_state() -> None:
    """A new Adam would start without its moments and take other steps."""
    whole = small(epochs=40).fit(films())
    parts = small(epochs=20).fit(films()).resume(20)
    assert parts.history.equals(whole.history)
    assert_array_equal(parts.learned.items, whole.learned.items)


def test_defect_7_every_iteration_is_logged_and_a_seed_gives_one_result() -> None:
    models = [small(seed=seed, epochs=105).fit(films()) for seed in (3, 3, 4)]
    assert models[0].history["epoch"].to_pylist() == list(range(1, 106))
    assert models[0].history.equals(models[1].history)
    assert models[0].history["loss"][0] != models[2].history["loss"][0]
    assert isinstance(models[0], HasVectors)
    assert models[0].user_vectors().shape == (30, 6)
    assert models[0].item_vectors().shape == (20, 6)


@pytest.mark.parametrize("loss", LOSSES)
def test_defect_8_all_three_models_are_there(loss: str) -> None:
    model = small(loss=loss).fit(films())
    assert isinstance(model, PredictsRatings)
    assert isinstance(model, ComparesItems)
    assert isinstance(model, Explains)
    assert np.isfinite(model.history["loss"].to_numpy()).all()
    assert len(model.similar([3], k=4)) == 4


def test_defect_9_a_full_batch_is_one_step_and_the_loss_a_mean() -> None:
    """A learning rate for the mean over all cells, with its tiny gradients, is too large for single
    cells. (The notes use 10 for a mean over 90,000 cells.)"""
    data = films()
    way: dict[str, Any] = {"loss": "observed", "optimizer": "sgd", "epochs": 60}
    whole = small(**way, learning_rate=2.0).fit(data)
    assert whole.history["loss"][-1].as_py() < 0.1 * whole.history["loss"][0].as_py()
    with pytest.raises(ShortlistError) as error:
        small(**way, learning_rate=2.0, batch_size=1).fit(data)
    assert "MatrixFactorization diverged: the loss is " in str(error.value)
    assert "at step " in str(error.value)
    assert "learning_rate=2, optimizer='sgd'" in str(error.value)
    assert "try 0.2)" in str(error.value)
    way["epochs"] = 15
    gentle = small(**way, learning_rate=0.1, batch_size=4).fit(data)  # stochastic gradient descent
    assert gentle.history["loss"][-1].as_py() < 0.1 * gentle.history["loss"][0].as_py()


# --- what is learned ------------------------------------------------------------------------------


def test_held_out_ratings_of_low_rank_are_predicted() -> None:
    train, test = split.random(films(60, 50), 0.1, seed=1)
    pairs = test.users.take(test.user_rows), test.items.take(test.item_rows)
    model = MatrixFactorization(
        loss="observed", embedding_size=2, biases=True, epochs=600, learning_rate=0.02
    ).fit(train)
    errors = model.predict(*pairs) - test.weights
    assert np.sqrt((errors**2).mean()) < 0.25
    assert np.std(test.weights) > 0.8


@pytest.mark.parametrize("batch_size", [None, 64])
@pytest.mark.parametrize("optimizer", ["sgd", "adagrad", "adam"])
def test_every_optimiser_learns(optimizer: str, batch_size: int | None) -> None:
    rate = {"sgd": 5.0 if batch_size is None else 0.5, "adagrad": 0.3, "adam": 0.05}[optimizer]
    model = small(optimizer=optimizer, learning_rate=rate, batch_size=batch_size, epochs=80)
    losses = model.fit(films()).history["loss"].to_pylist()
    assert losses[-1] < 0.55 * losses[0]


def test_gravity_pulls_unknown_pairs_to_zero() -> None:
    data = films()
    free = small(gravity=0.0, epochs=300).fit(data)
    pulled = small(gravity=3.0, epochs=300).fit(data)

    def mean_unknown(model: MatrixFactorization) -> float:
        every = model.learned.users @ model.learned.items.T
        every[data.user_rows, data.item_rows] = 0
        return float(np.abs(every).mean())

    assert mean_unknown(pulled) < 0.3 * mean_unknown(free)
    row = pulled.history.slice(299).to_pylist()[0]
    products = (pulled.learned.users.astype(np.float64) @ pulled.learned.items.T) ** 2
    assert row["gravity"] == pytest.approx(3 * products.mean(), rel=1e-3)


def test_threads_change_nothing() -> None:
    learned = []
    for threads in (1, 3):
        with thread_limit(threads):
            learned.append(small(biases=True).fit(films(50, 40)).learned)
    assert_array_equal(learned[0].users, learned[1].users)
    assert_array_equal(learned[0].items, learned[1].items)


def test_early_stopping_keeps_the_best_epoch() -> None:
    rng = np.random.default_rng(0)
    noise = of_matrix(rng.integers(1, 6, (40, 30)).astype(float), rng.random((40, 30)) < 0.4)
    way = {"loss": "observed", "embedding_size": 8, "epochs": 400, "biases": True}
    model = MatrixFactorization(**way, validation=0.2, patience=5).fit(noise)
    held = model.history["validation_loss"].to_pylist()
    assert len(held) < 400
    assert len(held) == int(np.argmin(held)) + 1 + 5
    inner, fold = model.folds(noise)
    assert fold is not None
    assert len(fold) == round(0.2 * len(noise))
    pairs = fold.users.take(fold.user_rows), fold.items.take(fold.item_rows)
    assert ((model.predict(*pairs) - fold.weights) ** 2).mean() == pytest.approx(
        min(held), rel=1e-5
    )
    assert model.learned.n_cells == len(inner)


def test_softmax_uses_genres_and_years_if_there_are_any() -> None:
    data = small_world().data
    default = MatrixFactorization(loss="softmax").trainable(data)
    names = dict(default.named_parameters())
    assert names["tables.year"].shape == (27 + 1, 2)  # 27 different years, and unknown
    assert "tables.genre" not in names  # there is no column "genres"
    tags = MatrixFactorization(loss="softmax", genre_column="tags", year_size=0).trainable(data)
    shapes = {name: tuple(value.shape) for name, value in tags.named_parameters()}
    assert shapes == {"items": (30, 128), "tables.genre": (5 + 1, 3), "layers.0": (131, 128)}
    with pytest.raises(InputError) as error:
        MatrixFactorization(loss="softmax", genre_column="kinds").fit(data)
    assert str(error.value) == (
        "MatrixFactorization: the items have no feature 'kinds'\n"
        "  where: genre_column='kinds'\n"
        "  to do: use one of these: tags, taste, valid_from, valid_to, year"
    )


# --- the regularization that is chosen -----------------------------------------------------------


@pytest.mark.parametrize("loss", ["regularized", "observed"])
def test_the_automatic_regularization_is_a_share_of_the_noise(loss: str) -> None:
    """By hand: 3 users and 4 items, of which 2 and 3 have the 4 interactions."""
    log = pa.table({"user_id": [1, 1, 2, 2], "item_id": ["a", "b", "a", "c"], "w": [1, 2, 2, 4]})
    users, items = pa.table({"user_id": [1, 2, 3]}), pa.table({"item_id": list("abcd")})
    data = Dataset.from_tables(log, users=users, items=items, weight="w")
    size = np.sqrt((1 + 4 + 4 + 16) / 4)
    noise = size * (np.sqrt(4 / 2) + np.sqrt(4 / 3))  # the end of the singular values
    model = MatrixFactorization(embedding_size=4, loss=loss, epochs=2).fit(data)
    share = model.chosen["regularization"] * 4 / np.sqrt(3 * 4) / noise
    assert share == pytest.approx(0.35)
    assert model.used.regularization == model.chosen["regularization"]
    given = MatrixFactorization(embedding_size=4, loss=loss, epochs=2, regularization=0.5)
    assert given.fit(data).chosen == {}
    assert given.learned.settings == {"embedding_size": 4, "regularization": 0.5}


@pytest.mark.parametrize(
    ("loss", "small", "large"),
    [("regularized", 128, 256), ("observed", 128, 128), ("softmax", 128, 128)],
)
def test_the_automatic_number_of_factors(loss: str, small: int, large: int) -> None:
    chosen = np.eye(4_100, dtype=bool)
    model = MatrixFactorization(loss=loss, epochs=1, batch_size=512)
    assert model.fit(of_matrix(chosen)).user_vectors().shape == (4_100, large)
    chosen[:10] = False  # users and items without interactions do not count
    assert model.fit(of_matrix(chosen)).user_vectors().shape == (4_100, small)
    assert model.chosen["embedding_size"] == model.used.embedding_size == small


@pytest.mark.parametrize(("n_choices", "n_users", "bad"), [(3, 800, 1.0), (60, 300, 0.3)])
def test_the_automatic_regularization_suits_dense_and_sparse_data(
    n_choices: int, n_users: int, bad: float
) -> None:
    """Ten groups of users and items; an item of the own group is nine times as likely."""
    rng = np.random.default_rng(0)
    likely = np.kron(np.eye(10), np.ones((n_users // 10, 20))) * 9 + 1
    chosen = np.zeros(likely.shape)
    for row, chance in zip(chosen, likely / likely.sum(axis=1, keepdims=True), strict=True):
        row[rng.choice(200, n_choices, replace=False, p=chance)] = 1
    data = of_matrix(chosen, chosen > 0)

    def own_group(**settings: Any) -> float:
        """The share of the own group among the three best unseen items."""
        model = MatrixFactorization(embedding_size=32, **settings).fit(data)
        scores = np.where(chosen > 0, -np.inf, model.user_vectors() @ model.item_vectors().T)
        return float(np.take_along_axis(likely > 1, np.argsort(-scores)[:, :3], axis=1).mean())

    assert own_group() > 0.25
    assert own_group(regularization=bad) < 0.1


# --- histories that training did not see ----------------------------------------------------------


def own_row(model: MatrixFactorization, history: Doubles) -> Doubles:
    """Minimise the user's row of the training loss by its definition, in float64."""
    config, learned = model.used, model.learned
    size, n = config.embedding_size, learned.n_cells
    n_users, n_items = len(learned.users), len(learned.items)
    design = learned.items.astype(np.float64)[:, : size + config.biases]
    base = learned.mean + learned.items[:, -1] if config.biases else np.zeros(n_items)
    chosen = history != 0
    a = learned.settings["regularization"] / n_users * np.eye(design.shape[1])
    a += design[chosen].T @ design[chosen] / n
    b = design[chosen].T @ (history - base)[chosen] / n
    if config.loss == "regularized":
        a += config.gravity / (n_users * n_items) * design.T @ design
        b -= config.gravity / (n_users * n_items) * design.T @ base
    return np.linalg.solve(a, b) @ design.T + base


@pytest.mark.parametrize("loss", ["observed", "regularized"])
@pytest.mark.parametrize("biases", [False, True])
def test_a_new_history_gets_the_exact_vector(loss: str, biases: bool) -> None:
    model = small(loss=loss, biases=biases).fit(films())
    rng = np.random.default_rng(9)
    histories = rng.integers(1, 6, (4, 20)) * (rng.random((4, 20)) < 0.3)
    histories[0] = 0
    histories[0, 3] = 4
    weights = of_matrix(histories.astype(float)).matrix
    scored = dense(model.score(Profiles.new(weights)))
    for row, history in enumerate(histories):
        assert_allclose(scored[row], own_row(model, history), rtol=2e-4, atol=2e-5)
    query = Query(history={int(i): float(histories[1, i]) for i in np.flatnonzero(histories[1])})
    listed = model.recommend(queries=[query], k=20).to_arrow().to_pydict()
    assert_array_equal(listed["score"], scored[1][listed["item_id"]])


@pytest.mark.parametrize("seed", range(5))
def test_a_history_whose_system_needs_float64_is_solved(seed: int) -> None:
    """Rounded to float32, the gravity on items of low rank is not positive definite."""
    rng = np.random.default_rng(seed)
    items = (rng.normal(size=(300, 3)) @ rng.normal(size=(3, 24))).astype(np.float32)
    learned = FactorizationLearned(
        rng.normal(size=(10, 24)).astype(np.float32),
        items,
        items[:0],
        0.0,
        10_000,
        {"regularization": 0.0},
    )
    model = MatrixFactorization(embedding_size=24, gravity=100.0, regularization=0.0)
    model.restore(tiny(("u", "i")), learned, NO_HISTORY)
    history = csr_array(np.eye(300, dtype=np.float32)[[4, 9]] * 3)
    prior, linear = model._quadratic()
    rounded = prior.astype(np.float32).astype(np.float64)
    assert np.isnan(solve_ridge(csr_arrays(history), items, rounded, linear)).all()
    scores = model.fold_in(history) @ items.T.astype(np.float64)
    wide = items.astype(np.float64)
    for row, item in zip(scores, wide[[4, 9]], strict=True):
        exact = np.linalg.solve(prior + np.outer(item, item), 3 * item)
        assert_allclose(row, wide @ exact, rtol=1e-3, atol=1e-5 * np.abs(wide @ exact).max())


def test_a_history_that_float64_cannot_solve_is_an_error() -> None:
    items = np.ones((4, 4), np.float32)
    learned = FactorizationLearned(items[:2], items, items[:0], 0.0, 8, {"regularization": 0.0})
    model = MatrixFactorization(embedding_size=4, gravity=4.0**20, regularization=0.0)
    model.restore(tiny(("u", "i")), learned, NO_HISTORY)
    with pytest.raises(NumericalError, match="not even in float64, because regularization=0 is"):
        model.fold_in(csr_array(np.zeros((1, 4), np.float32)))


@pytest.mark.parametrize("biases", [False, True])
def test_folding_in_agrees_with_a_converged_training(biases: bool) -> None:
    data = films()
    model = small(biases=biases, epochs=1500, learning_rate=0.02).fit(data)
    folded = dense(model.score(Profiles.new(data.matrix)))
    learned = model.user_vectors() @ model.item_vectors().T
    assert np.abs(folded - learned).max() < 2e-3
    assert np.abs(learned).max() > 1


def test_known_users_keep_their_learned_vectors_unless_the_history_changed() -> None:
    data = films()
    model = small().fit(data)
    users = np.arange(3, dtype=np.int32)
    history, nothing_new = data.matrix[users], np.zeros(3, dtype=bool)
    scored = model.score(Profiles(users, history, nothing_new))
    assert isinstance(scored, FactorScores)
    assert_array_equal(scored.queries, model.learned.users[:3])
    changed = model.score(Profiles(users, history, np.array([False, True, False])))
    assert isinstance(changed, FactorScores)
    assert_array_equal(changed.queries[[0, 2]], model.learned.users[[0, 2]])
    new = model.score(Profiles.new(history[1:2]))
    assert isinstance(new, FactorScores)
    assert_array_equal(changed.queries[1], new.queries[0])


def test_without_penalty_fold_in_gives_the_shortest_exact_vector() -> None:
    model = small(loss="observed", regularization=0.0).fit(films())
    history = of_matrix(np.eye(20)[[4]] * 3.0).matrix
    scored = model.score(Profiles.new(history))
    assert isinstance(scored, FactorScores)
    item = model.learned.items[4].astype(np.float64)
    assert_allclose(scored.queries[0], 3 * item / (item @ item), rtol=1e-3)


def test_without_biases_the_scale_of_a_history_does_not_change_the_order() -> None:
    model = small().fit(films())
    light, heavy = (Query(history=dict.fromkeys([2, 7, 9], weight)) for weight in (1.0, 4.0))
    lists = [model.recommend(queries=[one], k=9).to_arrow().to_pydict() for one in (light, heavy)]
    assert lists[0]["item_id"] == lists[1]["item_id"]
    assert_allclose(4 * np.array(lists[0]["score"]), lists[1]["score"], rtol=1e-5)


# --- ratings --------------------------------------------------------------------------------------


def test_observed_scores_are_ratings() -> None:
    data = films()
    for biases in (False, True):
        model = small(loss="observed", biases=biases).fit(data)
        exact = (
            model.user_vectors()[[4, 2]].astype(np.float64) * model.item_vectors()[[0, 7]]
        ).sum(1)
        assert_allclose(model.predict([4, 2], [0, 7]), exact, rtol=1e-6)


@pytest.mark.parametrize("loss", ["regularized", "softmax"])
def test_ratings_are_effects_plus_taste(loss: str) -> None:
    data = films()
    model = small(loss=loss).fit(data)
    ratings = data.matrix.toarray().astype(np.float64)
    known = ratings != 0
    mean = ratings[known].mean()
    by_item = np.where(known, ratings - mean, 0).sum(axis=0) / (known.sum(axis=0) + 10)
    left = ratings - mean - by_item
    by_user = np.where(known, left, 0).sum(axis=1) / (known.sum(axis=1) + 10)
    left = left - by_user[:, np.newaxis]
    alike = model.item_vectors().astype(np.float64)
    alike /= np.linalg.norm(alike, axis=1, keepdims=True)
    exact = np.zeros_like(ratings)
    for user in range(30):
        own = alike[known[user]]
        taste = np.linalg.solve(own.T @ own + 3 * np.eye(6), own.T @ left[user, known[user]])
        exact[user] = mean + by_user[user] + by_item + alike @ taste
    users, items = (side.ravel().tolist() for side in np.indices(ratings.shape))
    predicted = model.predict(users, items)
    assert predicted.dtype == np.float32
    assert_allclose(predicted, exact.ravel(), rtol=1e-4)


def test_ratings_of_equal_weights_and_of_users_without_interactions() -> None:
    model = small(epochs=2).fit(tiny(("ann", "tea"), ("bob", "tea"), ("bob", "rye")))
    assert_array_equal(model.predict(["ann", "bob"], ["rye", "tea"]), [1, 1])
    data = films().select(films().user_rows != 7)
    model = small().fit(data)
    mean = data.weights.mean(dtype=np.float64)
    left = np.bincount(data.item_rows, weights=data.weights - mean, minlength=20)
    effects = left / (data.item_counts + 10)
    assert_allclose(model.predict([7, 7], [0, 5]), mean + effects[[0, 5]], rtol=1e-6)


def test_unknown_pairs_and_unequal_lengths_are_refused() -> None:
    model = small(epochs=2).fit(films())
    with pytest.raises(UnknownIdError, match="1 unknown item id: 99"):
        model.predict([0, 1], [3, 99])
    with pytest.raises(InputError) as error:
        model.predict([0, 1], [3])
    assert str(error.value) == (
        "2 users and 1 items to predict\n"
        "  to do: pass one item for each user: the pairs are (users[n], items[n])"
    )


def test_evaluate_measures_ratings() -> None:
    train, test = split.random(films(60, 50), 0.2)
    model = small(loss="observed", biases=True, embedding_size=2, epochs=200).fit(train)
    pairs = test.users.take(test.user_rows), test.items.take(test.item_rows)
    errors = model.predict(*pairs).astype(np.float64) - test.weights
    report = evaluate(model, train, test)
    assert report["rmse"] == pytest.approx(np.sqrt((errors**2).mean()), rel=0.05)
    assert report["rmse"] < 0.5 * np.std(test.weights)


# --- reasons and likeness -------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("biases", [False, True])
def test_parts_add_up_to_the_score(loss: str, biases: bool) -> None:
    data = films()
    model = small(loss=loss, biases=biases).fit(data)
    for asked in ({"user": 5}, {"user": None, "query": Query(history={2: 4.0, 6: 1.0, 11: 5.0})}):
        explanation = model.explain(item=9, **asked)
        parts = explanation.parts.to_pydict()
        assert sum(parts["amount"]) == pytest.approx(explanation.score, abs=1e-4)
        chosen = {
            name for name, kind in zip(parts["name"], parts["kind"], strict=True)
            if kind == "chosen item"
        }  # fmt: skip
        own = data.item_rows[data.user_rows == 5].tolist() if asked["user"] == 5 else [2, 6, 11]
        assert chosen == {str(item) for item in own}
        kinds = {"chosen item"} | ({"bias"} if biases else set())
        if loss != "softmax" and asked["user"] == 5:
            kinds.add("training")
        assert set(parts["kind"]) == kinds


def test_similarity_is_the_cosine_of_the_factors() -> None:
    model = small(biases=True).fit(films())
    factors = model.item_vectors()[:, :6].astype(np.float64)
    lengths = np.linalg.norm(factors, axis=1)
    exact = factors @ factors[3] / (lengths * lengths[3])
    found = model.similar([3], k=19).to_arrow().to_pydict()
    assert_allclose(found["score"], exact[found["item_id"]], atol=1e-6)
    assert found["score"] == sorted(found["score"], reverse=True)


def test_defaults_solve_a_large_checkerboard() -> None:
    """Two tastes, 60 items each: every list holds items of the user's taste only."""
    world = checkerboard(side=60)
    best = MatrixFactorization(epochs=40).fit(world.data).recommend(k=1)
    answers = dict(zip(best.column("user_id"), best.column("item_id"), strict=True))
    assert answers == world.answers


@pytest.mark.parametrize("loss", ["observed", "regularized", "softmax"])
def test_users_and_items_with_a_history_stay_in_training(loss: str) -> None:
    """Those whose interactions would all fall into the fold are not held out."""
    rng = np.random.default_rng(0)
    short = of_matrix(np.ones((60, 20)), rng.random((60, 20)) < 0.08)
    model = MatrixFactorization(loss=loss, embedding_size=4, epochs=2, validation=0.4)
    inner, held = model.folds(short)
    assert held is not None
    assert len(inner) + len(held) == len(short)
    for counts in ("user_counts", "item_counts"):
        assert_array_equal(getattr(inner, counts) > 0, getattr(short, counts) > 0)
    users = model.fit(short).learned.users
    assert_array_equal(np.any(users != 0, axis=1), short.user_counts > 0)


def test_users_with_one_choice_leave_no_fold() -> None:
    single = of_matrix(np.ones((4, 4)), np.eye(4, dtype=bool))
    model = MatrixFactorization(embedding_size=4, epochs=2, validation=0.5)
    assert model.folds(single) == (single, None)
