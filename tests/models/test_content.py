from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
import pytest
from naive_similarity import feature_similarity as naive
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from shortlist.data.dataset import Dataset
from shortlist.errors import ConfigError, InputError, UnknownIdError
from shortlist.models.content import ContentBased
from shortlist.recommend.query import Query
from shortlist.testing import ModelContract, small_world

Aggregate = Literal["sum", "mean", "max", "last", "recency"]
AGGREGATES: tuple[Aggregate, ...] = get_args(Aggregate)


class ContentContract(ModelContract):
    def test_one_item(self) -> None:
        """The features of a single item are constant, so none can be used."""
        with pytest.raises(InputError, match="ContentBased needs features of the items"):
            super().test_one_item()

    def test_one_interaction(self) -> None:
        with pytest.raises(InputError, match="ContentBased needs features of the items"):
            super().test_one_interaction()


class TestMean(ContentContract):
    model = ContentBased


class TestSum(ContentContract):
    model = partial(ContentBased, aggregate="sum", feature_weights={})


class TestMax(ContentContract):
    model = partial(ContentBased, aggregate="max", neighbors=3)


class TestLast(ContentContract):
    model = partial(ContentBased, aggregate="last")


class TestRecency(ContentContract):
    model = partial(ContentBased, aggregate="recency", decay=0.6)


# --- against the definition ----------------------------------------------------------------------


def aggregated(similarity: NDArray[np.float64], history: Sequence[int], how: Aggregate) -> Any:
    """Aggregate the similarities of a history, in its order, to all items."""
    rows = similarity[list(history)]
    match how:
        case "sum":
            return rows.sum(axis=0)
        case "mean":
            return rows.mean(axis=0)
        case "max":
            return rows.max(axis=0)
        case "last":
            return rows[-1]
        case "recency":
            return sum(0.7**age * row for age, row in enumerate(rows[::-1]))


def scores(model: ContentBased, query: Query) -> NDArray[np.float64]:
    """Scores of all items, in the order of their rows."""
    found = model.recommend(queries=[query], k=10**6, exclude_seen=False)
    block = np.empty(model.data.n_items)
    block[model.data.items.rows(found.column("item_id"))] = found.column("score")
    return block


def own_histories() -> list[list[int]]:
    """The history of each user of the small world, in order of time."""
    data = small_world().data
    log = sorted(zip(data.times, data.user_rows, data.item_rows, strict=True))  # type: ignore[arg-type]
    return [[item for _, who, item in log if who == user] for user in range(data.n_users)]


@pytest.mark.parametrize("how", AGGREGATES)
@pytest.mark.parametrize("weights", [{"tags": 3.0, "taste": 0.5}, None], ids=["given", "learned"])
def test_known_users_and_new_histories(how: Aggregate, weights: dict[str, float] | None) -> None:
    data = small_world().data
    model = ContentBased(aggregate=how, decay=0.7, feature_weights=weights).fit(data)
    used = {"year": 1.0} | weights if weights else dict(learned_weights(model))
    similarity = naive(data.item_features, used)
    ids = data.items.ids.to_pylist()
    for user, history in enumerate(own_histories()[:12]):
        if not history:
            continue
        name = data.users.ids[user].as_py()
        expected = aggregated(similarity, history, how)
        assert_allclose(scores(model, Query(user=name)), expected, atol=2e-6)
        more = [item for item in (11, 28, 3) if item not in history]  # after what they chose
        both = Query(user=name, history=[ids[item] for item in more])
        expected = aggregated(similarity, [*history, *more], how)
        assert_allclose(scores(model, both), expected, atol=2e-6)
    for history in ([4], [17, 2], [2, 17], [9, 28, 0, 5, 21, 13, 1, 8]):
        query = Query(history=[ids[item] for item in history])
        assert_allclose(scores(model, query), aggregated(similarity, history, how), atol=2e-6)


def learned_weights(model: ContentBased) -> dict[str, float]:
    from shortlist.models.feature_similarity import FeatureSimilarity

    return dict(FeatureSimilarity.from_table(model.learned.item_similarity).weights)


def test_a_repeated_item_becomes_the_last_of_the_history() -> None:
    model = ContentBased(aggregate="last").fit(small_world().data)
    first = own_histories()[3][0]
    again = model.data.items.ids[first].as_py()
    assert_allclose(
        scores(model, Query(user="u03", history=[again])), scores(model, Query(history=[again]))
    )


def test_weights_of_interactions_do_not_count() -> None:
    model = ContentBased().fit(small_world().data)
    strong = scores(model, Query(history={"i00": 5.0, "i03": 0.0}))
    assert_allclose(strong, scores(model, Query(history=["i00", "i03"])))


@pytest.mark.parametrize("how", AGGREGATES)
def test_similar_items(how: Aggregate) -> None:
    data = small_world().data
    model = ContentBased(aggregate=how, feature_weights={}).fit(data)
    similarity = naive(data.item_features)
    found = model.similar(["i06", "i11"], k=99)  # nobody chose i11
    for item, row in (("i06", 6), ("i11", 11)):
        own = [n for n, query in enumerate(found.column("query_item_id")) if query == item]
        listed = data.items.rows([found.column("item_id")[n] for n in own])
        assert sorted(listed) == [other for other in range(30) if other != row]
        values = [found.column("score")[n] for n in own]
        assert_allclose(values, similarity[row][listed], atol=1e-6)


# --- users with features but no history ------------------------------------------------------


def audience_world(**columns: Any) -> Dataset:
    """Three users from Seoul who like drama, two from Busan who like war, two new users."""
    log = pa.table(
        {
            "user_id": ["s1", "s1", "s2", "s3", "b1", "b1", "b2"],
            "item_id": ["drama1", "drama2", "drama1", "drama3", "war1", "war2", "war3"],
        }
    )
    users = {
        "user_id": ["s1", "s2", "s3", "b1", "b2", "new_s", "new_b", "nobody"],
        "city": ["Seoul", "Seoul", "Seoul", "Busan", "Busan", "Seoul", "Busan", None],
        **columns,
    }
    films = [f"{genre}{n}" for genre in ("drama", "war") for n in range(1, 5)]
    items = pa.table({"item_id": films, "genre": [film[:-1] for film in films]})
    return Dataset.from_tables(log, pa.table(users), items)


@pytest.mark.parametrize("how", ["sum", "mean", "max"])
class TestFeaturesAlone:
    def test_a_new_user_gets_the_items_of_similar_users(self, how: Aggregate) -> None:
        model = ContentBased(aggregate=how).fit(audience_world())
        found = model.recommend(["new_s", "new_b"], k=4)
        assert set(found.column("item_id")[:4]) == {"drama1", "drama2", "drama3", "drama4"}
        assert set(found.column("item_id")[4:]) == {"war1", "war2", "war3", "war4"}
        assert set(found.column("source")) == {"ContentBased"}
        by_query = model.recommend(queries=[Query(features={"city": "Busan"})], k=4)
        assert by_query.column("item_id") == found.column("item_id")[4:]

    def test_features_of_a_query_replace_those_of_the_data(self, how: Aggregate) -> None:
        model = ContentBased(aggregate=how).fit(audience_world())
        moved = Query(user="new_s", features={"city": "Busan"})
        assert model.recommend(queries=[moved], k=1).column("item_id")[0].startswith("war")

    def test_a_history_is_used_before_features(self, how: Aggregate) -> None:
        model = ContentBased(aggregate=how).fit(audience_world())
        query = Query(history=["war1"], features={"city": "Seoul"})
        assert set(model.recommend(queries=[query], k=3).column("item_id")) == {
            "war2", "war3", "war4",
        }  # fmt: skip

    @pytest.mark.parametrize(
        "query",
        [
            Query(user="nobody"),
            Query(features={}),
            Query(features={"city": None}),
            Query(features={"city": "Jeju"}),  # no training user is from there
            Query(history=[]),
        ],
    )
    def test_a_query_without_usable_features_gets_popular_items(
        self, how: Aggregate, query: Query
    ) -> None:
        model = ContentBased(aggregate=how).fit(audience_world())
        found = model.recommend(queries=[query], k=2)
        assert found.column("item_id") == ["drama1", "drama2"]
        assert found.column("score") == [2.0, 1.0]
        assert found.column("source") == ["popularity", "popularity"]

    def test_the_audience_of_an_item(self, how: Aggregate) -> None:
        model = ContentBased(aggregate=how).fit(audience_world())
        found = model.audience(["war4"], k=9)
        assert set(found.column("user_id")[:3]) == {"b1", "b2", "new_b"}
        assert "nobody" not in found.column("user_id")


def test_features_alone_against_the_definition() -> None:
    """The weighted mean, over the most similar users, of the mean similarity to their items."""
    rng = np.random.default_rng(4)
    n_users, n_items = 30, 12
    users = pa.table({"user_id": range(n_users), "age": rng.normal(40, 9, n_users)})
    items = pa.table({"item_id": range(n_items), "price": rng.normal(10, 3, n_items)})
    log = [(u, i) for u in range(20) for i in range(n_items) if rng.random() < 0.3]
    data = Dataset.from_tables(
        pa.table({"user_id": [u for u, _ in log], "item_id": [i for _, i in log]}), users, items
    )
    among_users, among_items = naive(data.user_features), naive(data.item_features)
    chosen = data.matrix.toarray()
    for neighbors in (4, None):
        model = ContentBased(neighbors=neighbors).fit(data)
        for new in (20, 27):
            peers = [u for u in np.argsort(-among_users[new]) if chosen[u].any()][:neighbors]
            peers = [
                u for u in peers if among_users[new, u] > 0
            ]  # users with a negative similarity are ignored
            likes = np.array([chosen[u] @ among_items / chosen[u].sum() for u in peers])
            weights = among_users[new, peers]
            expected = weights @ likes / weights.sum()
            assert_allclose(scores(model, Query(user=new)), expected, atol=2e-6)


def test_constant_user_features_cannot_be_used() -> None:
    model = ContentBased().fit(audience_world(city=["Seoul"] * 8))
    assert model.recommend(["new_b"], k=2).column("source") == ["popularity", "popularity"]


# --- mistakes in other implementations -----------------------------------------------------------


def films(**more: Any) -> Dataset:
    """Unordered films with large ids, and genres in MovieLens format."""
    table = {
        "item_id": [900, 17, 5001, 44, 3, 260, 1200, 71],
        "genres": [
            "Sci-Fi|Action", "Film-Noir", "(no genres listed)", "Sci-Fi", "Fi", "Film-Noir|Drama",
            "Drama", "(no genres listed)",
        ],
        **more,
    }  # fmt: skip
    log = {"user_id": [8, 8, 9, 9, 9], "item_id": [900, 17, 44, 17, 3], "weight": [5, 1, 3, 4, 2]}
    return Dataset.from_tables(pa.table(log), items=pa.table(table), weight="weight")


class TestDefectsOfOtherImplementations:
    def test_genres_of_several_words_are_one_feature(self) -> None:
        model = ContentBased().fit(films())
        assert sorted(model.learned.feature_names.to_pylist()) == [
            "genres=(no genres listed)",
            "genres=Action",
            "genres=Drama",
            "genres=Fi",
            "genres=Film-Noir",
            "genres=Sci-Fi",
        ]
        near = model.similar([44], k=7)  # Sci-Fi
        near_scores = dict(zip(near.column("item_id"), near.column("score"), strict=True))
        assert [item for item, score in near_scores.items() if score > 0] == [900]
        assert near_scores[3] == 0  # "Fi" is not a part of "Sci-Fi"

    def test_ids_are_not_positions(self) -> None:
        model = ContentBased().fit(films())
        similar = model.similar([17, 5001, 260], k=1)
        assert similar.column("query_item_id") == [17, 5001, 260]
        assert similar.column("item_id") == [260, 71, 17]

    def test_an_item_is_not_similar_to_itself(self) -> None:
        model = ContentBased().fit(films())
        for item in model.data.items.ids.to_pylist():
            assert item not in model.similar([item], k=99).column("item_id")
            listed = model.recommend(queries=[Query(history=[item])], k=99).column("item_id")
            assert item not in listed
            assert len(listed) == 7

    def test_rules_are_applied_before_the_top_k(self) -> None:
        """The list holds the best three eligible items, not the eligible ones of the best three."""
        years = [1950 + 10 * n for n in range(8)]
        model = ContentBased(feature_weights={"year": 0}).fit(films(year=years))
        for k in (1, 2, 3):
            found = model.recommend(queries=[Query(history=[900])], k=k, where="year >= 1990")
            assert len(found) == k
            near = model.similar([900], k=k, where="year >= 1990", deny=[3])
            assert len(near) == k
            assert not {900, 17, 5001, 44, 3} & set(near.column("item_id"))

    def test_no_column_of_scores_is_rescaled(self) -> None:
        """Scaling the scores of each item to 0 to 1 would change the order of lists."""
        data = small_world().data
        model = ContentBased(aggregate="sum", feature_weights={}).fit(data)
        similarity = naive(data.item_features)
        for user, history in enumerate(own_histories()):
            if not history:
                continue
            expected = aggregated(similarity, history, "sum")
            found = model.recommend([data.users.ids[user].as_py()], k=99)
            listed = expected[data.items.rows(found.column("item_id"))]
            assert (np.diff(listed) <= 1e-6).all()
            assert_allclose(found.column("score"), listed, atol=1e-5)

    def test_the_order_of_the_tables_does_not_matter(self) -> None:
        world = small_world()
        names = world.items.column("item_id").to_pylist()
        similarity = naive(world.items.drop_columns(["item_id"]))
        for seed in (1, 2, 3):
            model = ContentBased(feature_weights={}).fit(world.shuffled(seed).data)
            found = model.recommend(queries=[Query(history=["i12"])], k=99)
            for item, score in zip(found.column("item_id"), found.column("score"), strict=True):
                assert score == pytest.approx(similarity[12, names.index(item)], abs=1e-6)

    def test_ties_are_ordered_by_popularity(self) -> None:
        model = ContentBased().fit(films())
        found = model.similar([1200], k=99)  # Drama
        assert found.column("item_id") == [260, 17, 3, 44, 900, 71, 5001]


# --- settings and bad input ----------------------------------------------------------------------


class TestFeatureWeights:
    def test_a_column_of_weight_zero_is_not_used(self) -> None:
        data = films(year=[1990, 2020, 1991, 2019, 1990, 1990, 2021, 2020])
        model = ContentBased(feature_weights={"year": 0}).fit(data)
        names = model.explain(None, 900, query=Query(history=[44])).parts.column("name")
        assert names.to_pylist() == ["genres=Sci-Fi"]

    @pytest.mark.parametrize(
        ("weights", "message"),
        [
            ({"genre": 1.0}, "feature_weights: 'genre' is not an encoded column\n"),
            ({"genres": -1.0}, "feature_weights: 'genres' has weight -1.0\n"),
            ({"genres": 0.0}, "feature_weights are all 0, so every similarity would be 0\n"),
            (
                {"title": 1.0},
                "feature_weights: 'title' is not an encoded column: a text for display;",
            ),
        ],
    )
    def test_out_of_range(self, weights: dict[str, float], message: str) -> None:
        data = films(title=[f"Film {n}" for n in range(8)])
        with pytest.raises(ConfigError) as error:
            ContentBased(feature_weights=weights).fit(data)
        assert str(error.value).startswith(message)

    @pytest.mark.parametrize("weight", [float("inf"), float("nan"), "heavy", None])
    def test_weights_that_are_not_numbers(self, weight: Any) -> None:
        with pytest.raises(ConfigError, match=r"^ContentBased: feature_weights="):
            ContentBased(feature_weights={"genres": weight})


@pytest.mark.parametrize("how", ["max", "last", "recency"])
@pytest.mark.parametrize("signal", [{"weighting": "weighted"}, {"dislikes": 0.3}])
def test_signals_that_would_not_count_are_refused(how: Aggregate, signal: dict[str, Any]) -> None:
    [(name, value)] = signal.items()
    with pytest.raises(ConfigError) as error:
        ContentBased(aggregate=how, **signal)
    assert error.value.what == (
        f"ContentBased: aggregate='{how}' is out of range: only sum and mean count "
        f"{name}={value!r}; leave it out, or choose one"
    )
    assert ContentBased(aggregate=how, weighting="binary", dislikes=0).config.aggregate == how


def test_a_new_fit_forgets_the_order_that_the_last_one_chose() -> None:
    items = pa.table({"item_id": [1, 2, 3, 4], "genre": ["War", "War", "Tale", "Tale"]})
    log = pa.table({"user_id": [1, 1, 2, 2], "item_id": [1, 2, 3, 4], "at": [1, 2, 1, 2]})
    model = ContentBased().fit(Dataset.from_tables(log, items=items, time="at"))
    assert model.uses_order
    without = Dataset.from_tables(log.drop_columns("at"), items=items)
    assert model.fit(without).chosen == ContentBased().fit(without).chosen


@pytest.mark.parametrize("how", ["last", "recency"])
def test_recency_needs_times(how: Aggregate) -> None:
    with pytest.raises(ConfigError) as error:
        ContentBased(aggregate=how).fit(films())
    assert str(error.value) == (
        f"aggregate='{how}' needs times, and the interactions have none\n"
        "  to do: name the time column (time=...), or use sum, mean or max"
    )


@pytest.mark.parametrize(
    "items",
    [
        None,
        pa.table({"item_id": [1, 2]}),
        pa.table({"item_id": [1, 2], "planet": ["Earth", "Earth"], "title": ["A", "B"]}),
        pa.table({"item_id": [1, 2], "year": pa.nulls(2, pa.int64())}),
    ],
    ids=["no table", "ids alone", "constant columns", "missing values only"],
)
def test_no_features(items: pa.Table | None) -> None:
    data = Dataset.from_tables(pa.table({"user_id": [7, 7], "item_id": [1, 2]}), items=items)
    with pytest.raises(InputError) as error:
        ContentBased().fit(data)
    assert str(error.value) == (
        "ContentBased needs features of the items, and there are none it can use\n"
        "  to do: give Dataset.from_tables an items table with columns besides the id"
    )


def test_missing_values_and_an_empty_column() -> None:
    """Missing values cause no error and no similarity."""
    data = films(
        year=[1990, None, None, 1991, 2000, None, 1990, None],
        mood=pa.nulls(8, pa.string()),
        seen=[None] * 8,
    )
    model = ContentBased(feature_weights={}).fit(data)
    near = model.similar([5001], k=99)  # (no genres listed), no year
    assert near.column("item_id")[0] == 71
    assert near.column("score") == pytest.approx([0.5, 0, 0, 0, 0, 0, 0])


def test_an_item_without_features_has_similarity_zero() -> None:
    data = films(genres=["Drama", None, "War", "Drama", "War", "Drama", "War", "Drama"])
    model = ContentBased().fit(data)
    assert model.similar([17], k=99).column("score") == [0.0] * 7
    listed = model.recommend(queries=[Query(history=[17])], k=2)
    assert listed.column("score") == [0.0, 0.0]
    assert model.similar([900], k=1).column("score") == pytest.approx([1.0])


def jobs() -> ContentBased:
    """Job postings, and résumés with texts in two scripts."""
    log = pa.table({"user_id": [1, 1, 2, 3], "item_id": ["java", "web", "nurse", "clinic"]})
    users = pa.table(
        {
            "user_id": [1, 2, 3, 4],
            "about": ["java developer, ten years of spring", "nurse in a big city hospital",
                      "간호사, 병원에서 오 년 일했습니다", None],
            "degree": [4, 3, 3, None],
            "since": [dt.date(2010, 1, 1), dt.date(2015, 5, 1), dt.date(2019, 1, 1), None],
        }
    )  # fmt: skip
    items = pa.table(
        {"item_id": ["java", "web", "nurse", "clinic", "ward"],
         "field": ["it", "it", "care", "care", "care"]}
    )  # fmt: skip
    return ContentBased().fit(Dataset.from_tables(log, users, items))


class TestQueries:
    def test_an_unknown_feature(self) -> None:
        with pytest.raises(InputError) as error:
            jobs().recommend(queries=[Query(user=1), Query(features={"degre": 4})])
        assert str(error.value) == (
            "users have no feature 'degre'\n"
            "  where: query 1\n"
            "  to do: did you mean 'degree'? Known: about, degree, since"
        )

    @pytest.mark.parametrize(
        ("feature", "value", "kind"),
        [("degree", "four", "int64"), ("about", 7, "string"), ("since", "long ago", "date32[day]")],
    )
    def test_a_feature_of_another_type(self, feature: str, value: Any, kind: str) -> None:
        with pytest.raises(InputError) as error:
            jobs().recommend(queries=[Query(features={feature: value})])
        assert str(error.value).startswith(f"feature {feature!r} is {value!r}; it has type {kind}")

    def test_text_in_the_script_of_one_user(self) -> None:
        found = jobs().recommend(queries=[Query(features={"about": "병원 간호사 찾습니다"})], k=3)
        assert set(found.column("item_id")) == {"nurse", "clinic", "ward"}
        assert set(found.column("source")) == {"ContentBased"}

    def test_text_in_an_unknown_script_is_not_usable(self) -> None:
        found = jobs().recommend(queries=[Query(features={"about": "Медсестра"})], k=1)
        assert found.column("source") == ["popularity"]

    def test_an_unknown_item_among_known_ones(self) -> None:
        model = jobs()
        mixed, unknown = Query(history=["java", "pilot"]), Query(history=["pilot"])
        with pytest.raises(UnknownIdError) as error:
            model.recommend(queries=[Query(user=1), mixed])
        assert str(error.value).startswith("1 unknown item id: 'pilot'")
        known = model.recommend(queries=[Query(history=["java"])], k=3)
        for how in ("skip", "fallback"):
            found = model.recommend(queries=[mixed], k=3, on_unknown=how)
            assert found.table.equals(known.table)
        assert len(model.recommend(queries=[unknown], on_unknown="skip")) == 0
        listed = model.recommend(queries=[unknown, mixed], k=2, on_unknown="fallback")
        assert listed.column("source") == ["popularity"] * 2 + ["ContentBased"] * 2

    def test_features_are_used_if_the_history_is_unknown(self) -> None:
        query = Query(history=["pilot"], features={"degree": 3, "about": "nurse"})
        found = jobs().recommend(queries=[query], k=3, on_unknown="skip")
        assert set(found.column("item_id")) == {"nurse", "clinic", "ward"}
        assert set(found.column("source")) == {"ContentBased"}
