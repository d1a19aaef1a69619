from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from naive_similarity import feature_similarity as naive
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.errors import ConfigError, InputError
from shortlist.models.feature_similarity import FeatureSimilarity, side_by_side
from shortlist.testing import small_world

ITEMS = pa.table(
    {
        "genres": [["Drama"], ["Drama", "War"], ["War"], None, ["Comedy"]],
        "year": [1990, 1995, None, 2001, 1991],
        "country": ["KR", "US", "KR", "KR", None],
    }
)
NO_CHOICES = csr_array(np.zeros((5, 3), np.float32))


def learned(table: pa.Table, choices: csr_array, seed: int = 0) -> dict[str, float]:
    similarity = FeatureSimilarity.learn(table, choices, seed=seed)
    assert similarity is not None
    return dict(similarity.weights)


def given(weights: dict[str, float]) -> FeatureSimilarity:
    similarity = FeatureSimilarity.learn(ITEMS, NO_CHOICES, weights=weights)
    assert similarity is not None
    return similarity


def random_columns(rng: np.random.Generator, n_rows: int) -> dict[str, list[object]]:
    return {
        "colour": rng.choice(["red", "green", "blue"], n_rows).tolist(),
        "size": rng.normal(size=n_rows).tolist(),
        "tags": [[f"t{n}" for n in rng.integers(0, 9, 3)] for _ in range(n_rows)],
    }


def as_choices(chosen: NDArray[np.bool_]) -> csr_array:
    return csr_array(chosen.astype(np.float32))


class TestDotProducts:
    @pytest.mark.parametrize(
        "weights", [{}, {"genres": 3.0}, {"year": 0.0, "country": 0.5}, {"genres": 0, "year": 0}]
    )
    def test_are_the_weighted_mean_of_the_cosines_of_the_columns(
        self, weights: dict[str, float]
    ) -> None:
        rows = given(weights).rows(ITEMS)
        assert rows.dtype == np.float32
        every = {"genres": 1.0, "year": 1.0, "country": 1.0} | weights
        assert_allclose((rows @ rows.T).toarray(), naive(ITEMS, every), atol=3e-7)

    def test_of_a_row_with_itself_are_the_weight_of_its_columns(self) -> None:
        rows = given({"genres": 2.0}).rows(ITEMS)
        assert_allclose((rows @ rows.T).diagonal(), [1, 1, 0.75, 0.5, 0.75], atol=1e-6)

    def test_a_column_of_weight_0_has_no_entries(self) -> None:
        similarity = given({"genres": 0})
        rows = similarity.rows(ITEMS)
        assert rows[:, similarity.encoder.blocks["genres"]].nnz == 0
        assert rows.nnz > 0

    def test_of_features_in_a_larger_world(self) -> None:
        table = small_world().data.item_features
        similarity = FeatureSimilarity.learn(table, as_choices(np.eye(30, dtype=bool)))
        assert similarity is not None
        rows = similarity.rows(table)
        assert_allclose((rows @ rows.T).toarray(), naive(table), atol=1e-6)


class TestGivenWeights:
    def test_weights_sum_to_one_and_default_to_equal(self) -> None:
        assert given({"genres": 2.0}).weights == {"genres": 0.5, "year": 0.25, "country": 0.25}

    @pytest.mark.parametrize(
        ("weights", "message"),
        [
            (
                {"genre": 1.0},
                "feature_weights: 'genre' is not an encoded column\n"
                "  to do: did you mean 'genres'? Known: country, genres, year",
            ),
            (
                {"year": -0.5},
                "feature_weights: 'year' has weight -0.5\n  to do: weights are 0 or more",
            ),
            (
                {"year": float("nan")},
                "feature_weights: 'year' has weight nan\n  to do: weights are 0 or more",
            ),
            (
                {"year": 0, "genres": 0, "country": 0},
                "feature_weights are all 0, so every similarity would be 0\n"
                "  to do: give at least one column a weight above 0",
            ),
        ],
    )
    def test_out_of_range(self, weights: dict[str, float], message: str) -> None:
        with pytest.raises(ConfigError) as error:
            given(weights)
        assert str(error.value) == message

    def test_a_weight_for_a_constant_column(self) -> None:
        table = ITEMS.append_column("planet", pa.array(["Earth"] * 5))
        with pytest.raises(ConfigError) as error:
            FeatureSimilarity.learn(table, NO_CHOICES, weights={"planet": 1.0})
        assert str(error.value).startswith(
            "feature_weights: 'planet' is not an encoded column: the same value in every row\n"
        )


class TestLearnedWeights:
    def test_a_fully_informative_column_gets_all_the_weight(self) -> None:
        for seed in range(3):
            rng = np.random.default_rng(seed)
            taste = rng.integers(0, 4, 200)
            series = rng.integers(0, 4, 80)
            chosen = (rng.random((200, 80)) < 0.15) & (taste[:, np.newaxis] == series)
            noise = random_columns(rng, 80)
            items = pa.table({"series": [f"s{n}" for n in series], **noise})
            assert learned(items, as_choices(chosen.T), seed)["series"] > 0.95
            users = pa.table({**random_columns(rng, 200), "taste": [f"t{n}" for n in taste]})
            assert learned(users, as_choices(chosen), seed)["taste"] > 0.95

    def test_two_informative_columns_share_the_weight(self) -> None:
        rng = np.random.default_rng(0)
        one, other = rng.integers(0, 3, 120), rng.integers(0, 3, 120)
        likes = rng.integers(0, 3, (300, 2))
        agree = (likes[:, :1] == one).astype(int) + (likes[:, 1:] == other)
        chosen = rng.random((300, 120)) < 0.1 * agree
        noise = random_columns(rng, 120)
        items = {"one": [f"a{n}" for n in one], "other": [f"b{n}" for n in other], **noise}
        weights = learned(pa.table(items), as_choices(chosen.T))
        assert weights["one"] == pytest.approx(0.5, abs=0.1)
        assert weights["other"] == pytest.approx(0.5, abs=0.1)

    def test_a_column_that_says_nothing_new_keeps_a_little_weight(self) -> None:
        rng = np.random.default_rng(0)
        taste, series = rng.integers(0, 4, 200), rng.integers(0, 4, 80)
        chosen = (rng.random((200, 80)) < 0.15) & (taste[:, np.newaxis] == series)
        blurred = np.where(rng.random(200) < 0.8, taste, rng.integers(0, 4, 200))
        users = {
            "taste": [f"t{n}" for n in taste],
            "skill": [f"s{n}" for n in blurred],
            **random_columns(rng, 200),
        }
        weights = learned(pa.table(users), as_choices(chosen))
        assert 0.0009 < weights["skill"] / weights["taste"] < 0.05
        assert weights["colour"] == weights["size"] == weights["tags"] == 0

    def test_without_a_signal_all_weights_are_equal(self) -> None:
        """Even if groups of users choose the same items, as long as the features are noise."""
        for seed in range(10):
            rng = np.random.default_rng(seed)
            group, kind = rng.integers(0, 4, 60), rng.integers(0, 4, 40)
            likely = np.where(group[:, np.newaxis] == kind, 0.4, 0.05)
            chosen = rng.random((60, 40)) < likely
            weights = learned(pa.table(random_columns(rng, 60)), as_choices(chosen), seed)
            assert weights == {"colour": 1 / 3, "size": 1 / 3, "tags": 1 / 3}

    @pytest.mark.parametrize(
        "chosen",
        [np.zeros((5, 3)), np.eye(5), [[1], [0], [0], [0], [0]], [[1], [1], [0], [0], [0]]],
        ids=["no choices", "no shared choice", "one choice", "one sharing pair"],
    )
    def test_too_little_to_learn_from(self, chosen: NDArray[np.float64]) -> None:
        assert learned(ITEMS, csr_array(np.array(chosen, np.float32))) == {
            "genres": 1 / 3,
            "year": 1 / 3,
            "country": 1 / 3,
        }

    def test_the_seed_determines_the_weights(self) -> None:
        world = small_world().data
        transposed = world.matrix.T.tocsr()
        once, again = (learned(world.item_features, transposed, seed=7) for _ in range(2))
        assert once == again

    def test_no_column_to_encode(self) -> None:
        assert FeatureSimilarity.learn(None, NO_CHOICES) is None
        assert FeatureSimilarity.learn(ITEMS.select([]), NO_CHOICES) is None
        same = pa.table({"planet": ["Earth"] * 5, "title": list("abcde"), "gap": [None] * 5})
        assert FeatureSimilarity.learn(same, NO_CHOICES) is None


class TestOtherTables:
    def test_a_missing_column(self) -> None:
        with pytest.raises(InputError) as error:
            given({}).rows(ITEMS.drop_columns(["year"]))
        assert str(error.value) == (
            "the column 'year' is missing\n"
            "  where: columns genres, country\n"
            "  to do: the encoder was fitted with it: add it (it may be empty), or fit again"
        )

    def test_a_column_of_another_type(self) -> None:
        position = ITEMS.column_names.index("year")
        texts = pa.array(["1990", "1995", None, "2001", "soon"])
        with pytest.raises(InputError) as error:
            given({}).rows(ITEMS.set_column(position, "year", texts))
        assert str(error.value) == (
            "column 'year' holds text; it held numbers when the encoder was fitted\n"
            "  where: column 'year'\n"
            "  to do: cast it to double, or fit again"
        )

    def test_an_empty_column_adds_nothing(self) -> None:
        similarity = given({})
        position = ITEMS.column_names.index("genres")
        empty = ITEMS.set_column(position, "genres", pa.nulls(5))
        rows = similarity.rows(empty)
        genres = similarity.encoder.blocks["genres"]
        assert rows[:, genres].nnz == 0
        assert_array_equal(
            rows[:, genres.stop :].toarray(), similarity.rows(ITEMS)[:, 3:].toarray()
        )

    def test_text_in_another_script_shares_nothing(self) -> None:
        english = pa.table(
            {"text": ["backend developer in java", "nurse in a big hospital", "java tester wanted"]}
        )
        similarity = FeatureSimilarity.learn(english, csr_array(np.zeros((3, 1), np.float32)))
        assert similarity is not None
        korean = pa.table({"text": ["서울에서 일할 자바 개발자", "병원 간호사 모집"]})
        assert similarity.rows(korean).nnz == 0
        mixed = similarity.rows(pa.table({"text": ["java 개발자"]}))
        near = (mixed @ similarity.rows(english).T).toarray()[0]
        assert near[1] < min(near[0], near[2])

    def test_to_table_and_from_table(self, tmp_path: Path) -> None:
        similarity = given({"genres": 0.3})
        pq.write_table(similarity.to_table(), tmp_path / "similarity.parquet")
        again = FeatureSimilarity.from_table(pq.read_table(tmp_path / "similarity.parquet"))
        assert again.weights == similarity.weights
        assert again.encoder.names == similarity.encoder.names
        assert_array_equal(again.rows(ITEMS).toarray(), similarity.rows(ITEMS).toarray())


def test_side_by_side() -> None:
    left = csr_array(np.array([[1, 0], [0, 2]], np.float32))
    right = csr_array(np.array([[3], [0]], np.float32))
    assert_array_equal(side_by_side(left, right, 4.0).toarray(), [[1, 0, 6], [0, 2, 0]])
    without = side_by_side(left, right, 0.0)
    assert without.shape == (2, 3)
    assert without.nnz == 2  # a stored zero would make rows neighbours
    assert without.dtype == np.float32
