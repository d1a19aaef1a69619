from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from shortlist.data import split
from shortlist.data.samples.movies import films
from shortlist.models.factorization.model import MatrixFactorization
from shortlist.models.towers.model import MultiTask, Ranking
from shortlist.testing import ModelContract, of_matrix

SMALL = {"embedding_size": 8, "epochs": 12, "batch_size": 64, "learning_rate": 0.02}


class TestRanking(ModelContract):
    model = partial(Ranking, **SMALL, head_layers=(16,), rejection=False)
    user_is_history = False


class TestCrossed(ModelContract):
    model = partial(
        Ranking, **SMALL, head_layers=(8,), cross_layers=2, cross_rank=3, rejection=False
    )
    user_is_history = False


class TestLists(ModelContract):
    model = partial(Ranking, **SMALL, head_layers=(), loss="listmle", rejection=False)
    user_is_history = False


class TestMultiTask(ModelContract):
    model = partial(MultiTask, **SMALL, head_layers=(8,))
    user_is_history = False


def test_ratings_have_defaults_of_their_own() -> None:
    model = Ranking(loss="squared")
    config = model.config
    assert (config.user_ids, config.head_layers, config.dropout) == (True, (), 0)
    assert (config.regularization, config.learning_rate, config.epochs) == (0.08, 0.002, 12)
    assert repr(model) == "Ranking(loss='squared')"
    given = Ranking(loss="squared", epochs=20, dropout=0.1)
    assert (given.config.epochs, given.config.dropout) == (20, 0.1)
    assert repr(given) == "Ranking(loss='squared', epochs=20, dropout=0.1)"
    assert type(model)(**model.get_params()).settings == model.settings
    assert Ranking().config.head_layers == (64,)
    assert repr(Ranking(epochs=3)) == "Ranking(epochs=3)"


def test_predictions_are_clipped_to_the_range_of_the_ratings_on_request() -> None:
    rng = np.random.default_rng(0)
    stars = rng.integers(1, 6, (30, 12)).astype(np.float32)
    stars[:, 0], stars[0] = 5, 5  # everyone's favourite, and someone who likes everything
    chosen = rng.random(stars.shape) < 0.7
    data = of_matrix(stars, chosen)
    users, items = np.repeat(np.arange(30), 12).tolist(), np.tile(np.arange(12), 30).tolist()
    for model in (
        Ranking(**SMALL | {"epochs": 60}, loss="squared", regularization=0),
        MatrixFactorization(embedding_size=8, loss="observed"),
    ):
        predicted = model.fit(data).predict(users, items)
        assert predicted.max() > 5
        clipped = model.predict(users, items, clip=True)
        assert_array_equal(clipped, np.clip(predicted, 1, 5))


@pytest.mark.slow
def test_films_are_rated_well_by_default() -> None:
    # .935 with the defaults of the other losses; guessing the mean gives 1.06.
    train, test = split.random(films(), 0.2, seed=1)
    model = Ranking(loss="squared").fit(train)
    pairs = train.users.take(test.user_rows), train.items.take(test.item_rows)
    errors = model.predict(*pairs).astype(np.float64) - test.weights
    assert np.sqrt(np.mean(errors**2)) < 0.87
