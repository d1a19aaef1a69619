from __future__ import annotations

import tracemalloc
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pytest
from naive_similarity import cosines, feature_similarity
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from scipy.sparse import hstack

from shortlist.data.dataset import Dataset
from shortlist.data.features import FeatureEncoder, unit_rows
from shortlist.errors import CapabilityError, ConfigError, InputError
from shortlist.kernels.similarity import neighbors
from shortlist.models import neighborhood
from shortlist.models.hybrid.model import Hybrid
from shortlist.models.hybrid.terms import FORMS
from shortlist.recommend.query import Query
from shortlist.recommend.recommender import dense_scores
from shortlist.testing import ModelContract, of_matrix, small_world

Doubles = NDArray[np.float64]


class TestTuned(ModelContract):
    model = Hybrid
    user_is_history = False  # a known user also has features, and is not their own neighbour


class TestUserAction(ModelContract):
    model = partial(Hybrid, **FORMS["user action"])


class TestConcatenated(ModelContract):
    model = partial(
        Hybrid,
        user_blocks="concatenated",
        user_term=0.5,
        item_term=0.3,
        both_term=0.2,
        user_neighbors=7,
        item_neighbors=4,
    )
    user_is_history = False


def world(n_users: int = 24, n_items: int = 18, seed: int = 0, *, users: bool = True) -> Dataset:
    """Users and items with features. User 5 has no features and no history, user 6 no history.

    Most features are numbers, so that hardly any two similarities are equal.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.random((n_users, n_items)) < 0.25
    chosen[[5, 6]] = False
    chosen[:, 3] = False  # an item without users
    about = {
        "age": rng.normal(40, 10, n_users),
        "pay": rng.lognormal(3, 1, n_users),
        "city": rng.choice(["Seoul", "Busan"], n_users),
    }
    gaps = np.isin(np.arange(n_users), [5])
    items = {
        "price": rng.normal(10, 3, n_items),
        "kind": rng.choice(["book", "film"], n_items),
        "tags": [[f"t{n}" for n in rng.integers(0, 5, 2)] for _ in range(n_items)],
    }
    columns = {name: pa.array(values, mask=gaps) for name, values in about.items()}
    return replace(
        of_matrix(chosen.astype(np.float32)),
        user_features=pa.table(columns) if users else None,
        item_features=pa.table(items),
    )


# --- the scores of the notes' forms ---------------------------------------------------------


def transcribed(form: str, data: Dataset) -> Doubles:
    """The notes' formulas with whole matrices, as in `user_sim @ user_item_mat @ item_sim`."""
    mat = (data.matrix.toarray() > 0).astype(np.float64)  # (n_users, n_items)
    action, choosers = cosines(mat, mat), cosines(mat.T, mat.T)
    user_feat, item_feat = (
        feature_similarity(data.user_features),
        feature_similarity(data.item_features),
    )
    encoder = FeatureEncoder.fit(data.user_features)
    flags = encoder.transform(data.user_features).toarray() != 0
    side_by_side = np.hstack([mat, flags])
    concatenated = cosines(side_by_side, side_by_side)
    return {
        "user action": action @ mat,
        "user features": user_feat @ mat,
        "user concatenated": concatenated @ mat,
        "user action + features": (action + user_feat) @ mat,
        "item interactions": mat @ choosers,
        "item features": mat @ item_feat,
        "action x item interactions": action @ mat @ choosers,
        "action x item features": action @ mat @ item_feat,
        "concatenated x item features": concatenated @ mat @ item_feat,
        "action + features x item features": (action + user_feat) @ mat @ item_feat,
    }[form]


ACTION = ("user action", "action x item interactions", "action x item features")
ITEMS = ("item interactions", "item features")


@pytest.mark.parametrize("form", [name for name in FORMS if name != "additive"])
def test_the_scores_of_each_form(form: str) -> None:
    data = world()
    model = Hybrid.form(form).fit(data)
    found = dense_scores(model, np.arange(data.n_users, dtype=np.int32))
    expected = transcribed(form, data)
    expected[5] = data.item_counts  # without data: popularity
    if form in ACTION + ITEMS:
        expected[6] = data.item_counts
    assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_the_code_of_the_notes_gives_the_same_order() -> None:
    """`user_similarity.dot(mat) / np.abs(user_similarity).sum(axis=1)`, divided or not."""
    data = world()
    mat = data.matrix.toarray()
    user_similarity = cosines(mat, mat)
    with np.errstate(invalid="ignore"):
        predicted = user_similarity.dot(mat) / np.array([np.abs(user_similarity).sum(axis=1)]).T
    model = Hybrid.form("user action").fit(data)
    active = np.flatnonzero(data.user_counts).astype(np.int32)
    scores = dense_scores(model, active)
    for row, user in enumerate(active):
        order = np.argsort(-scores[row], kind="stable")
        assert (np.diff(predicted[user][order]) <= 1e-7).all()


def test_forms_are_found_by_name() -> None:
    assert Hybrid.form("additive").config == Hybrid().config
    with pytest.raises(ConfigError) as error:
        Hybrid.form("user actions")
    assert str(error.value).startswith(
        "there is no form 'user actions'\n  to do: did you mean 'user action'? Known: "
    )


@pytest.mark.parametrize("weight", [0.01, 0.3, 1.0, 40.0])
def test_concatenated_blocks_are_the_sum_of_weighted_cosines(weight: float) -> None:
    """In float64 to 1e-12; Hybrid concatenates the same blocks in float32."""
    data = world()
    mat = (data.matrix.toarray() > 0).astype(np.float64)
    encoder = FeatureEncoder.fit(data.user_features)
    encoded = encoder.transform(data.user_features, dtype=np.float64)
    action = unit_rows(data.matrix.astype(np.float64))
    rows = hstack([action, encoded * np.sqrt(weight / 3)], format="csr")
    expected = cosines(mat, mat) + weight * feature_similarity(data.user_features)
    assert_allclose((rows @ rows.T).toarray(), expected, rtol=0, atol=1e-12 * (1 + weight))
    model = Hybrid(
        user_term=1, item_term=0, both_term=0, user_feature_weight=weight,
        column_weights="even", self_similarity=True,
    ).fit(data)  # fmt: skip
    active = np.flatnonzero(data.user_counts)
    own = model.learned.users[active]
    found = (own @ own.T).toarray()
    assert_allclose(found, expected[np.ix_(active, active)], rtol=1e-5, atol=1e-6)


# --- the additive form ---------------------------------------------------------------------------


def nearest(similarity: Doubles, count: int, among: NDArray[np.bool_]) -> Doubles:
    """The nearest other rows of each row, by sorting; all other entries are 0."""
    near = np.zeros_like(similarity)
    for row, values in enumerate(similarity):
        others = [o for o in np.argsort(-values, kind="stable") if o != row and among[o]]
        others = [o for o in others if values[o] != 0][:count]
        near[row, others] = values[others]
    return near


def additive(data: Dataset, config: Any, terms: tuple[float, float, float]) -> Doubles:
    mat = (data.matrix.toarray() > 0).astype(np.float64)
    s_user = cosines(mat, mat) + config.user_feature_weight * feature_similarity(data.user_features)
    s_item = cosines(mat.T, mat.T) + config.item_feature_weight * feature_similarity(
        data.item_features
    )
    cold = mat.sum(axis=1) == 0
    near = nearest(s_user, config.user_neighbors, ~cold)
    near[cold] = nearest(s_user, config.cold_neighbors, ~cold)[cold]
    of_items = nearest(s_item, config.item_neighbors, np.ones(len(s_item), dtype=bool))
    scores = np.zeros_like(mat)
    for weight, term in zip(
        terms, (near @ mat, mat @ of_items.T, near @ mat @ of_items.T), strict=True
    ):
        largest = np.maximum(term.max(axis=1, keepdims=True), 0)
        factor = np.divide(1, largest, out=np.zeros_like(largest), where=largest > 0)
        scores += weight * (term * factor if config.rescaled else term)
    return scores


@pytest.mark.parametrize("rescaled", [True, False])
@pytest.mark.parametrize(
    "terms", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.5, 0.3, 0.2), (2, 0.1, 3)], ids=str
)
@pytest.mark.parametrize("seed", [0, 1])
def test_top_n_neighbours_zero_diagonals_and_three_terms(
    terms: tuple[float, float, float], rescaled: bool, seed: int
) -> None:
    data = world(seed=seed)
    a, b, c = terms
    model = Hybrid(
        user_term=a, item_term=b, both_term=c, user_neighbors=5, cold_neighbors=3,
        item_neighbors=4, user_feature_weight=0.7, item_feature_weight=0.4,
        item_weighting="binary", column_weights="even", rescaled=rescaled,
    ).fit(data)  # fmt: skip
    found = dense_scores(model, np.arange(data.n_users, dtype=np.int32))
    expected = additive(data, model.config, terms)
    expected[5] = data.item_counts
    if a == c == 0:
        expected[6] = data.item_counts  # features alone are no history
    assert_allclose(found, expected, rtol=2e-5, atol=2e-6)


def test_a_known_user_with_additional_history() -> None:
    """The additional history is used, and the user is still not their own neighbour."""
    data = world()
    model = Hybrid(
        user_term=1, item_term=0, both_term=0, user_neighbors=4, user_blocks="action",
        item_neighbors=3, rescaled=False,
    ).fit(data)  # fmt: skip
    mat = data.matrix.toarray().astype(np.float64)
    extended = mat.copy()
    extended[2, 3] = 1  # an item without users
    similarity = cosines(extended, mat)[2]
    similarity[2] = 0
    near = np.argsort(-similarity)[:4]
    found = model.recommend(queries=[Query(user=2, history=[3])], k=99)
    listed = data.items.rows(found.column("item_id"))
    assert_allclose(found.column("score"), (similarity[near] @ mat[near])[listed], atol=1e-6)
    assert 3 not in found.column("item_id")


def test_similar_items_by_both_blocks() -> None:
    data = world()
    model = Hybrid(
        user_term=1, item_term=0, both_term=0, item_neighbors=None, item_feature_weight=0.5,
        item_weighting="binary", column_weights="even", user_neighbors=3,
    ).fit(data)  # fmt: skip
    mat = data.matrix.toarray()
    expected = cosines(mat.T, mat.T) + 0.5 * feature_similarity(data.item_features)
    found = model.similar([3, 7], k=99)
    for item in (3, 7):
        own = [n for n, query in enumerate(found.column("query_item_id")) if query == item]
        assert len(own) == 17
        for n in own:
            other = found.column("item_id")[n]
            assert found.column("score")[n] == pytest.approx(expected[item, other], abs=2e-6)


# --- cold users ----------------------------------------------------------------------------------


def cities(**columns: Any) -> Dataset:
    """Users of two cities who choose items of their city; new users; a user without features."""
    kinds = ("tea", "rye", "gin", "ale")
    pairs = [
        (f"{city}{n}", f"{city} {kind}")
        for city in ("seoul", "busan")
        for n in range(6)
        for position, kind in enumerate(kinds)
        if (n + position) % 4
    ]
    known = [f"{city}{n}" for city in ("seoul", "busan") for n in range(6)]
    users = {
        "user_id": [*known, "new_seoul", "new_busan", "nobody"],
        "city": ["Seoul"] * 6 + ["Busan"] * 6 + ["Seoul", "Busan", None],
        **columns,
    }
    log = pa.table({"user_id": [u for u, _ in pairs], "item_id": [i for _, i in pairs]})
    things = sorted({item for _, item in pairs})
    items = pa.table({"item_id": things, "kind": [thing.split()[1] for thing in things]})
    return Dataset.from_tables(log, pa.table(users), items)


@pytest.mark.parametrize(
    "form", ["additive", "user features", "user action + features", "user concatenated"]
)
class TestColdUsers:
    def test_get_a_list_from_features_alone(self, form: str) -> None:
        model = Hybrid.form(form).fit(cities())
        found = model.recommend(["new_seoul", "new_busan"], k=3)
        assert all(item.startswith("seoul") for item in found.column("item_id")[:3])
        assert all(item.startswith("busan") for item in found.column("item_id")[3:])
        assert set(found.column("source")) == {"Hybrid"}

    def test_get_a_list_from_the_features_of_a_query(self, form: str) -> None:
        model = Hybrid.form(form).fit(cities())
        known = model.recommend(["new_busan"], k=3)
        by_query = model.recommend(queries=[Query(features={"city": "Busan"})], k=3)
        assert by_query.column("item_id") == known.column("item_id")
        assert by_query.column("score") == known.column("score")
        moved = model.recommend(queries=[Query(user="new_seoul", features={"city": "Busan"})], k=3)
        assert moved.column("item_id") == known.column("item_id")

    @pytest.mark.parametrize(
        "query",
        [
            Query(user="nobody"),
            Query(features={"city": None}),
            Query(features={"city": "Jeju"}),
            Query(features={}),
            Query(history=[]),
        ],
    )
    def test_get_popular_items_without_features(self, form: str, query: Query) -> None:
        data = cities()
        found = Hybrid.form(form).fit(data).recommend(queries=[query], k=6)
        assert found.column("source") == ["popularity"] * 6
        assert found.column("score") == sorted(data.item_counts.tolist(), reverse=True)[:6]

    def test_are_not_in_an_audience_without_features(self, form: str) -> None:
        found = Hybrid.form(form).fit(cities()).audience(["seoul tea"], k=99, exclude_seen=False)
        assert len(found) == 14
        assert "nobody" not in found.column("user_id")


def test_a_form_of_features_alone_does_not_use_a_history() -> None:
    found = Hybrid.form("user features").fit(cities()).recommend(
        queries=[Query(history=["seoul tea"])], k=1
    )  # fmt: skip
    assert found.column("source") == ["popularity"]


def test_users_without_a_history_are_not_neighbours() -> None:
    """A hundred users from Busan without a history do not replace the six with one."""
    data = cities()
    log = data.to_arrow()
    newcomers = [f"a{n}" for n in range(100)]  # ties go to the first ids
    names = data.users.ids.to_pylist()
    where = data.user_features.column("city").to_pylist()  # type: ignore[union-attr]
    users = {"user_id": names + newcomers, "city": where + ["Busan"] * 100}
    crowded = Dataset.from_tables(log, pa.table(users), pa.table({"item_id": data.items.ids}))
    model = Hybrid(cold_neighbors=6).fit(crowded)
    found = model.recommend(["new_busan"], k=3)
    assert all(item.startswith("busan") for item in found.column("item_id"))


@pytest.mark.parametrize("form", ["user action", "item interactions", "action x item features"])
def test_forms_that_do_not_use_features_of_users_refuse_them(form: str) -> None:
    model = Hybrid.form(form).fit(cities())
    if form == "item interactions":
        assert (
            model.config.user_blocks == "action+features"
        )  # not used: the weight of the term is 0
    with pytest.raises(CapabilityError, match=r"^Hybrid cannot use features\n  where: query 0"):
        model.recommend(queries=[Query(features={"city": "Seoul"})])
    assert model.recommend(["new_seoul"], k=1).column("source") == ["popularity"]


class TestMissingFeatureTables:
    """Every user gets a list, whichever feature table is missing."""

    def check(self, data: Dataset, new: Literal["Hybrid", "popularity"]) -> None:
        model = Hybrid().fit(data)
        found = model.recommend(k=2)
        assert len(set(found.column("user_id"))) == data.n_users
        own = dict(zip(found.column("user_id"), found.column("source"), strict=True))
        assert own["seoul1"] == "Hybrid"
        assert own["new_seoul"] == new
        assert own["nobody"] == "popularity"

    def test_only_users(self) -> None:
        self.check(replace(cities(), item_features=None), "Hybrid")

    def test_only_items(self) -> None:
        self.check(replace(cities(), user_features=None), "popularity")

    def test_none(self) -> None:
        self.check(replace(cities(), user_features=None, item_features=None), "popularity")

    def test_constant_user_features(self) -> None:
        self.check(cities(city=["Seoul"] * 15), "popularity")

    @pytest.mark.parametrize(
        ("form", "message"),
        [
            (
                "user features",
                "users are to be compared by features, and there are none\n"
                "  to do: give a users table with more than ids, or compare by action",
            ),
            (
                "item features",
                "items are to be compared by features, and there are none\n"
                "  to do: give an items table with more than ids, or compare by interactions",
            ),
        ],
    )
    def test_forms_that_need_features_raise_an_error(self, form: str, message: str) -> None:
        data = replace(cities(), user_features=None, item_features=None)
        with pytest.raises(InputError) as error:
            Hybrid.form(form).fit(data)
        assert str(error.value) == message


# --- settings ------------------------------------------------------------------------------------


class TestSettings:
    def test_weights_that_are_all_zero_are_refused(self) -> None:
        with pytest.raises(ConfigError) as error:
            Hybrid(user_term=0, item_term=0, both_term=0)
        assert str(error.value) == (
            "Hybrid: both_term=0 is out of range: user_term and item_term are 0 as "
            "well, so every score would be 0\n"
            "  to do: Weight c of S_user R S_item. (default: auto)"
        )
        assert Hybrid(user_term=0, item_term=0).config.both_term == "auto"

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("user_term", -0.1),
            ("item_term", float("nan")),
            ("both_term", float("inf")),
            ("user_feature_weight", -1),
            ("item_feature_weight", "tune"),
            ("user_neighbors", 0),
            ("item_neighbors", 2.5),
            ("cold_neighbors", "all"),
        ],
    )
    def test_out_of_range(self, name: str, value: Any) -> None:
        with pytest.raises(ConfigError, match=rf"^Hybrid: {name}={value!r} is out of range"):
            Hybrid(**{name: value})

    @pytest.mark.parametrize(
        ("name", "value"), [("user_term", 0.0), ("item_neighbors", None), ("user_neighbors", 1)]
    )
    def test_at_the_bound(self, name: str, value: Any) -> None:
        assert getattr(Hybrid(**{name: value}).config, name) == value

    def test_column_weights(self) -> None:
        """Learned weights select the city among columns of noise; even weights are all equal."""
        rng = np.random.default_rng(0)
        noise = {f"noise{n}": rng.choice(list("abc"), 63).tolist() for n in range(8)}
        pairs = [(u, i) for u in range(60) for i in range(20) if (u + i) % 2 and rng.random() < 0.4]
        users = {"user_id": range(63), "city": ["Seoul", "Busan"] * 31 + ["Seoul"], **noise}
        log = pa.table({"user_id": [u for u, _ in pairs], "item_id": [i for _, i in pairs]})
        data = Dataset.from_tables(log, pa.table(users))
        learned = Hybrid(cold_neighbors=10).fit(data)
        even = Hybrid(cold_neighbors=10, column_weights="even").fit(data)
        assert learned.learned.user_similarity is not None
        assert learned.learned.user_similarity.weights["city"] == 1.0
        assert even.learned.user_similarity is not None
        assert set(even.learned.user_similarity.weights.values()) == {1 / 9}
        right = learned.recommend([60, 62], k=5).column("item_id")
        assert all(item % 2 for item in right)


# --- memory --------------------------------------------------------------------------------------


def test_the_similarity_matrix_of_users_is_never_built(monkeypatch: pytest.MonkeyPatch) -> None:
    n_users = 4000
    rng = np.random.default_rng(0)
    pairs = np.unique(rng.integers(0, n_users * 40, 5 * n_users))
    data = Dataset.from_tables(
        pa.table({"user_id": pairs // 40, "item_id": pairs % 40}),
        pa.table({"user_id": range(n_users), "age": rng.normal(40, 9, n_users)}),
        pa.table({"item_id": range(40), "price": rng.normal(10, 3, 40)}),
    )
    widths = []

    def watched(*arguments: Any) -> Any:
        rows, values = neighbors(*arguments)
        widths.append(rows.size)
        return rows, values

    monkeypatch.setattr(neighborhood, "neighbors", watched)
    tracemalloc.start()
    try:
        model = Hybrid(user_neighbors=50, cold_neighbors=50, user_feature_weight=1.0).fit(data)
        model.recommend(k=5)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert max(widths) <= n_users * 50
    assert peak < n_users**2 * 4 * 0.75  # 48 MB; the similarities of all users would take 64


def test_bytes_per_query_count_the_neighbours() -> None:
    data = world()
    few = Hybrid(user_neighbors=2, cold_neighbors=3).fit(data)
    every = Hybrid(user_neighbors=None, cold_neighbors=3).fit(data)
    assert every.bytes_per_query - few.bytes_per_query == (24 - 3) * 32


def test_queries_of_a_block_are_independent() -> None:
    """A cold and a warm user get the same lists together and alone."""
    model = Hybrid(cold_neighbors=30, user_neighbors=2).fit(small_world().data)
    together = model.recommend(["u05", "u03"], k=4).table
    alone = [model.recommend([user], k=4).table for user in ("u05", "u03")]
    assert together.equals(pa.concat_tables(alone))
