"""What every model learns from extreme numbers is finite, or fit says what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.errors import NumericalError, ShortlistError
from shortlist.models.base import Fitted, Model
from shortlist.models.config import ModelConfig
from shortlist.models.registry import MODULES, model_class
from shortlist.recommend.query import Query
from shortlist.scoring.capabilities import ComparesItems, Explains
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import DenseScores, FactorScores, ItemFactors, Scores, SparseScores
from shortlist.testing import of_matrix, small_world

# Small sizes, so that a fit takes milliseconds; everything else is drawn from the search ranges.
SMALL: dict[str, Any] = {
    "epochs": 3,
    "trees": 5,
    "candidates": 5,
    "batch_size": 64,
    "stages": ("UserCosine", "ItemCosine"),
}
TRAINED_BY_TORCH = {"GMF", "MLP", "NeuMF", "Retrieval", "Ranking", "MultiTask"}


@st.composite
def logs(draw: st.DrawFn) -> Dataset:
    """Draw interactions with extreme weights, outliers, duplicate rows, or few rows."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    n_users, n_items = draw(st.sampled_from([(3, 12), (12, 3), (14, 11)]))
    pairs = np.argwhere(rng.random((n_users, n_items)) < 0.5)
    if not len(pairs):
        pairs = np.array([[0, 0]])
    scale = 10.0 ** draw(st.sampled_from([-30, -20, -5, 0, 2, 5, 10, 20, 30]))
    weights = scale * rng.uniform(0.5, 2, len(pairs))
    if draw(st.booleans()):  # one outlier
        weights[rng.integers(len(pairs))] = 10.0 ** draw(st.sampled_from([-30, 5, 10, 30]))
    if draw(st.booleans()):  # every user twice
        pairs = np.concatenate([pairs, pairs + np.array([n_users, 0])])
        weights = np.concatenate([weights, weights])
    items = np.arange(n_items)
    log = pa.table({"user_id": pairs[:, 0], "item_id": pairs[:, 1], "weight": weights})
    users = np.arange(2 * n_users)
    return Dataset.from_tables(
        log,
        pa.table({"user_id": users, "group": [f"g{n % 3}" for n in users]}),
        pa.table(
            {"item_id": items, "kind": [f"k{n % 4}" for n in items], "size": 10.0 ** (items - 5)}
        ),
        weight="weight",
    )


def extreme_settings(name: str, small: dict[str, Any] = SMALL) -> st.SearchStrategy[dict[str, Any]]:
    """Draw settings at either end of their search ranges, or at their defaults."""
    drawn: dict[str, st.SearchStrategy[Any]] = {}
    for setting, field in model_class(name).Config.model_fields.items():
        extra = field.json_schema_extra
        search: Any = extra.get("search") if isinstance(extra, dict) else None
        if setting in small:
            drawn[setting] = st.just(small[setting])
        elif setting == "weighting":
            drawn[setting] = st.sampled_from([field.default, "weighted", "binary"])
        elif search is not None and not search.choices:
            kind = int if isinstance(field.default, int) else float
            drawn[setting] = st.sampled_from([field.default, kind(search.low), kind(search.high)])
    return st.fixed_dictionaries(drawn)


def assert_finite_and_complete(model: Model[Any, Any]) -> None:
    """Assert that each user gets every item that they have not chosen, with a finite score."""
    data = model.data
    table = model.recommend(k=data.n_items).to_arrow()
    assert np.isfinite(table.column("score").to_numpy()).all()
    assert table.num_rows == data.n_users * data.n_items - data.n_interactions
    user, item = data.users.ids[0].as_py(), data.items.ids[0].as_py()
    if isinstance(model, ComparesItems):
        similar = model.similar(data.items.ids.to_pylist(), k=data.n_items).to_arrow()
        assert np.isfinite(similar.column("score").to_numpy()).all()
        assert similar.num_rows == data.n_items * (data.n_items - 1)
    if isinstance(model, Explains):
        reasons = model.explain(user, item)
        assert np.isfinite([reasons.score, *reasons.parts.column("amount").to_pylist()]).all()


def is_refused(action: Callable[[], object]) -> bool:
    """Return whether the action raises an error of the library, with a remedy."""
    try:
        action()
    except ShortlistError as error:
        return error.remedy is not None
    return False


def assert_finite_or_refused(name: str, data: Dataset, settings: dict[str, Any]) -> None:
    """Fit the model and fold in; the numbers are finite, or the error says what to do."""
    model = model_class(name)(**settings)
    if is_refused(lambda: model.fit(data)):
        assert not model.is_fitted
        return
    assert_finite_and_complete(model)
    items = data.items.ids.to_pylist()[:3]
    for weight in (1e-30, 1.0, 1e30):
        history = {item: weight * (1 + n) for n, item in enumerate(items)}
        lists = partial(model.recommend, queries=[Query(history=history)], k=data.n_items)
        if not is_refused(lists):
            table = lists().to_arrow()
            assert np.isfinite(table.column("score").to_numpy()).all()
            assert table.num_rows == data.n_items - len(history)


FAST = sorted(MODULES.keys() - TRAINED_BY_TORCH)


@pytest.mark.parametrize("name", FAST)
@settings(max_examples=3)
@given(drawn=st.data())
def test_numbers_are_finite_or_refused(name: str, drawn: st.DataObject) -> None:
    small = SMALL | {"embedding_size": 32}  # more than there are users or items
    assert_finite_or_refused(name, drawn.draw(logs()), drawn.draw(extreme_settings(name, small)))


@pytest.mark.slow
@pytest.mark.parametrize("name", FAST)
@settings(max_examples=60)
@given(drawn=st.data())
def test_numbers_are_finite_or_refused_for_more(name: str, drawn: st.DataObject) -> None:
    assert_finite_or_refused(name, drawn.draw(logs()), drawn.draw(extreme_settings(name)))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TRAINED_BY_TORCH))
@settings(max_examples=15)
@given(drawn=st.data())
def test_numbers_of_trained_models_are_finite_or_refused(name: str, drawn: st.DataObject) -> None:
    assert_finite_or_refused(name, drawn.draw(logs()), drawn.draw(extreme_settings(name)))


@pytest.mark.parametrize("exponent", [-90, 90])
@pytest.mark.parametrize("name", ["UserCosine", "ItemCosine"])
def test_the_unit_of_the_weights_does_not_change_a_list(name: str, exponent: int) -> None:
    """Cosines do not depend on it; a power of two keeps every bit."""
    matrix = small_world().data.matrix.toarray()
    lists = [
        model_class(name)(weighting="weighted", shrinkage=0.0)
        .fit(of_matrix(matrix * np.float32(scale)))
        .recommend(k=9)
        .column("item_id")
        for scale in (1.0, 2.0**exponent)
    ]
    assert lists[0] == lists[1]


@dataclass(frozen=True)
class Table:
    """A score of every item for every user, in some shape."""

    scores: NDArray[np.float32]  # (n_users, n_items)
    scalar: float = 0.0


class Given(Model[ModelConfig, Table]):
    """Scores by a table that the test provides, in the shape that it provides."""

    table = Table(np.zeros((0, 0), dtype=np.float32))
    shape: Callable[[NDArray[np.float32]], Scores]

    def learn(self, data: Dataset) -> Fitted[Table]:
        return Fitted(self.table)

    def score(self, profiles: Profiles) -> Scores:
        return self.shape(self.learned.scores[profiles.users])

    def similar_scores(self, items: Rows) -> Scores:
        return self.shape(self.learned.scores[items])


def by_factors(block: NDArray[np.float32]) -> Scores:
    return FactorScores(block, ItemFactors(np.eye(block.shape[1], dtype=np.float32)))


def by_sparse_rows(block: NDArray[np.float32]) -> Scores:
    return SparseScores(csr_array(block), csr_array(np.eye(block.shape[1], dtype=np.float32)))


SHAPES = [DenseScores, by_factors, by_sparse_rows]


def given_scores(shape: Any) -> Given:
    """Make a fitted model of 4 users and 4 items; user n chose item n."""
    model = Given()
    model.table = Table(np.ones((4, 4), dtype=np.float32))
    model.shape = shape
    return model.fit(of_matrix(np.eye(4)))


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("k", [1, 4])
@pytest.mark.parametrize("shape", SHAPES)
def test_no_list_leaves_out_an_item_whose_score_is_not_finite(
    shape: Any, k: int, broken: float
) -> None:
    model = given_scores(shape)
    assert len(model.recommend(k=k)) == 4 * min(k, 3)
    model.learned.scores[2, 1] = broken
    lists: list[Callable[[], object]] = [
        lambda: model.recommend(k=k),
        lambda: model.similar([2], k=k),
        lambda: model.audience([1], k=k),
    ]
    for make in lists:
        with pytest.raises(NumericalError, match="Given: some scores are not finite") as error:
            make()
        assert "scale the weights" in str(error.value)
    assert len(model.recommend([0, 1, 3], k=k)) == 3 * min(k, 3)  # the others are not affected


def test_scores_that_overflow_are_refused() -> None:
    model = given_scores(lambda block: FactorScores(block, ItemFactors(np.full((4, 4), 1e30, "f"))))
    model.learned.scores[:] = 1e-9
    assert len(model.recommend(k=3)) == 12
    model.learned.scores[2] = 1e30
    with pytest.raises(NumericalError):
        model.recommend(k=1)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_fit_refuses_what_is_not_finite_and_keeps_its_state(broken: float) -> None:
    model = given_scores(DenseScores)
    before = model.learned
    for table in (Table(np.full((4, 4), broken, "f")), Table(np.ones((4, 4), "f"), broken)):
        model.table = table
        with pytest.raises(NumericalError, match="Given could not be fitted") as error:
            model.fit(of_matrix(np.eye(4)))
        assert "weights of the interactions: 1 to 1" in str(error.value)
        assert "scale the weights to about 1" in str(error.value)
        assert model.learned is before
