"""Exploring vectors: measures, neighbours by title, norms, maps, plots; titles on their rows."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import shortlist as sl
from shortlist import explore, extras
from shortlist.errors import CapabilityError, ConfigError, InputError, UnknownIdError
from shortlist.explore import Neighbors
from shortlist.explore.items import first_values
from shortlist.testing import tiny

GROUPS = ("amber", "birch", "cedar")
EACH = 8


def tables(order: np.random.Generator | None = None) -> tuple[pa.Table, pa.Table]:
    """Make three tastes with eight items each, named in the titles and not in the ids.

    Ids are assigned in random order, so that neither titles nor tables are in the order of the
    rows. ``order`` shuffles the tables once more.
    """
    rng = np.random.default_rng(5)
    titles = [f"{group} {n}" for group in GROUPS for n in range(EACH)]
    ids = (100 + rng.permutation(len(titles))).tolist()
    items = pa.table(
        {
            "item_id": ids,
            "title": titles,
            "genres": [[title.split()[0], "any"] for title in titles],
        }
    )
    log = []
    for user in range(60):
        for position, title in enumerate(titles):
            chance = 0.75 if title.startswith(GROUPS[user % 3]) else 0.02
            if rng.random() < chance * (1 - 0.08 * (position % EACH)):
                log.append((user, ids[position], float(rng.integers(3, 6))))
    users, chosen, ratings = zip(*log, strict=True)
    interactions = pa.table({"user_id": users, "item_id": chosen, "rating": ratings})
    if order is not None:
        items = items.take(pa.array(order.permutation(items.num_rows)))
        interactions = interactions.take(pa.array(order.permutation(interactions.num_rows)))
    return interactions, items


@cache
def model(**settings: Any) -> sl.MatrixFactorization:
    interactions, items = tables()
    data = sl.Dataset.from_tables(interactions, items=items, weight="rating")
    return sl.MatrixFactorization(
        embedding_size=6, gravity=1.0, regularization=0.3, **settings
    ).fit(data)


# --- measures -------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.floats(0, 2))
def test_measures_follow_their_formulas(seed: int, power: float) -> None:
    rng = np.random.default_rng(seed)
    query, vectors = rng.standard_normal(4), rng.standard_normal((9, 4))
    vectors[3] = 0
    for row, vector in enumerate(vectors):
        length = np.sqrt((vector**2).sum())
        dot = sum(a * b for a, b in zip(query, vector, strict=True))
        exact = {
            "dot": dot,
            "cosine": dot / length / np.sqrt((query**2).sum()) if length else 0.0,
            "power": dot / length**power if length else 0.0,
        }
        for measure, expected in exact.items():
            result = explore.scores(query, vectors, measure, power)[row]  # type: ignore[arg-type]
            assert result == pytest.approx(expected, abs=1e-12)


def test_power_goes_from_the_dot_product_to_the_order_of_the_cosine() -> None:
    rng = np.random.default_rng(0)
    query, vectors = rng.standard_normal(5), rng.standard_normal((30, 5))
    dot, cosine = (explore.scores(query, vectors, measure) for measure in ("dot", "cosine"))
    assert explore.scores(query, vectors, "power", 0) == pytest.approx(dot)
    by_power = explore.scores(query, vectors, "power", 1)
    assert np.argsort(by_power).tolist() == np.argsort(cosine).tolist()


def test_unknown_measures() -> None:
    ones = np.ones((1, 1))
    with pytest.raises(ConfigError) as error:
        explore.scores(ones[0], ones, "cosin")  # type: ignore[arg-type]
    assert str(error.value) == (
        "there is no measure 'cosin'\n  to do: did you mean 'cosine'? Known: cosine, dot, power"
    )
    with pytest.raises(ConfigError, match="power=nan is not finite"):
        explore.scores(ones[0], ones, "power", np.nan)


# --- one user, one item ---------------------------------------------------------------------------


def test_the_dot_product_gives_the_lists_of_the_model() -> None:
    fitted = model()
    listed = fitted.recommend([4], k=6)
    result = explore.for_user(fitted, 4)
    assert result.column_names == ["item_id", "title", "score"]
    assert result["item_id"].to_pylist() == listed.column("item_id")
    assert result["score"].to_pylist() == pytest.approx(listed.column("score"), rel=1e-5)
    history = {result["item_id"][0].as_py(): 5.0}
    query = sl.Query(user=4, history=history)
    assert (
        explore.for_user(fitted, 4, history=history)["item_id"].to_pylist()
        == fitted.recommend(queries=[query], k=6).column("item_id")
    )  # fmt: skip


@pytest.mark.parametrize(
    "settings", [{}, {"loss": "softmax"}, {"loss": "softmax", "biases": True}], ids=str
)
def test_a_new_user_with_ratings(settings: dict[str, Any]) -> None:
    fitted = model(**settings)
    cedar = explore.neighbors(fitted, "cedar 1")
    for measure in ("dot", "cosine", "power"):
        result = explore.for_user(
            fitted,
            history={cedar.item: 5.0, cedar.table["item_id"][0].as_py(): 4.0},
            measure=measure,
            k=3,
        )
        assert {title.split()[0] for title in result["title"].to_pylist()} == {"cedar"}
        assert cedar.title not in result["title"].to_pylist()
    seen = explore.for_user(fitted, history=[cedar.item], k=24, exclude_seen=False)
    assert seen.num_rows == 24


@pytest.mark.parametrize(
    "settings", [{}, {"loss": "softmax"}, {"loss": "softmax", "biases": True}], ids=str
)
def test_neighbours_are_of_the_same_group(settings: dict[str, Any]) -> None:
    fitted = model(**settings)
    for group in GROUPS:
        for n in range(EACH):
            result = explore.neighbors(fitted, f"{group} {n}", k=5)
            assert result.title == f"{group} {n}"
            assert {title.split()[0] for title in result.table["title"].to_pylist()} == {group}
            assert result.title not in result.table["title"].to_pylist()


def test_of_several_matches_the_most_popular_is_taken_and_the_others_listed() -> None:
    fitted = model()
    counts = dict(zip(titles_of(fitted), fitted.data.item_counts.tolist(), strict=True))
    result = explore.neighbors(fitted, "BIRCH")
    assert isinstance(result, Neighbors)
    matches = [result.title, *result.others]
    assert sorted(matches) == [f"birch {n}" for n in range(EACH)]
    assert [counts[title] for title in matches] == sorted(
        (counts[title] for title in matches), reverse=True
    )
    assert result.table.num_rows == 6


def test_an_unknown_title() -> None:
    with pytest.raises(InputError) as error:
        explore.neighbors(model(), "Cedric 2")
    first, remedy = str(error.value).splitlines()
    assert first == "no title contains 'Cedric 2'"
    assert remedy.startswith("  to do: did you mean 'cedar 2'")
    with pytest.raises(InputError, match="to do: try a shorter part"):
        explore.neighbors(model(), "zzzzzzzzzz")


def test_ids_replace_missing_titles() -> None:
    data = tiny(("ann", "tea"), ("ann", "rye"), ("bob", "tea"), ("cat", "gin"))
    fitted = sl.MatrixFactorization(embedding_size=2, epochs=5).fit(data)
    result = explore.neighbors(fitted, "te", k=9)
    assert (result.item, result.title, result.others) == ("tea", "tea", [])
    assert result.table.column_names == ["item_id", "score"]
    assert sorted(result.table["item_id"].to_pylist()) == ["gin", "rye"]


def test_invalid_arguments() -> None:
    fitted = model()
    with pytest.raises(CapabilityError, match="EASE cannot give vectors"):
        explore.norms(sl.EASE().fit(fitted.data))
    with pytest.raises(UnknownIdError, match="1 unknown user id: 99"):
        explore.for_user(fitted, 99)
    with pytest.raises(InputError, match="an empty query"):
        explore.for_user(fitted)
    with pytest.raises(InputError, match="k=0 is not a list length"):
        explore.neighbors(fitted, "cedar", k=0)
    assert explore.norms(sl.IALS(embedding_size=4).fit(fitted.data)).num_rows == 24


def test_biases_are_ignored() -> None:
    fitted = model(biases=True)
    assert fitted.item_vectors().shape == (24, 8)
    factors = fitted.item_vectors()[:, :6]
    result = explore.norms(fitted)["norm"].to_pylist()
    assert result == pytest.approx(np.linalg.norm(factors, axis=1).tolist(), rel=1e-6)
    scored = explore.for_user(fitted, 4, k=24, exclude_seen=False).to_pylist()
    rows = fitted.data.items.rows([row["item_id"] for row in scored])
    exact = factors[rows] @ fitted.user_vectors()[4, :6]
    assert [row["score"] for row in scored] == pytest.approx(exact.tolist(), abs=1e-5)


# --- titles of the right rows ------------------------------------------------------------------


def titles_of(fitted: sl.MatrixFactorization) -> list[str]:
    features = fitted.data.item_features
    assert features is not None
    titles: list[str] = features["title"].to_pylist()
    return titles


@pytest.mark.parametrize("loss", ["observed", "regularized", "softmax"])
def test_titles_belong_to_the_right_rows(loss: str) -> None:
    """A model with shuffled titles has the same loss; only its rows show the error.

    Popularity counted by title from the raw tables must equal that of the norms table, and vectors
    looked up by title must not depend on the order of any table.
    """
    interactions, items = tables()
    title_of = dict(zip(items["item_id"].to_pylist(), items["title"].to_pylist(), strict=True))
    counted = dict.fromkeys(title_of.values(), 0)
    for item in interactions["item_id"].to_pylist():
        counted[title_of[item]] += 1
    results = []
    for order in (None, np.random.default_rng(1), np.random.default_rng(2)):
        log, films = tables(order)
        data = sl.Dataset.from_tables(log, items=films, weight="rating")
        fitted = sl.MatrixFactorization(loss=loss, embedding_size=6, epochs=30).fit(data)
        result = explore.norms(fitted)
        assert result["item_id"].to_pylist() == sorted(title_of)
        assert {
            row["title"]: row["interactions"] for row in result.to_pylist()
        } == counted  # fmt: skip
        assert all(title_of[row["item_id"]] == row["title"] for row in result.to_pylist())
        for row, length in enumerate(np.linalg.norm(fitted.item_vectors(), axis=1)):
            assert result["norm"][row].as_py() == pytest.approx(length, rel=1e-6)
        near = {title: explore.neighbors(fitted, title).table.to_pylist() for title in counted}
        for rows in near.values():
            assert all(title_of[row["item_id"]] == row["title"] for row in rows)
        results.append((result, near))
    assert results[0] == results[1] == results[2]


# --- maps and plots -------------------------------------------------------------------------------


@cache
@cache
def small_map() -> pa.Table:
    return explore.item_map(model(), perplexity=5)


def test_the_map_puts_similar_items_together() -> None:
    result = small_map()
    assert result.column_names == ["item_id", "title", "group", "x", "y"]
    assert result["title"].to_pylist() == titles_of(model())
    for row in result.to_pylist():
        assert row["group"] == row["title"].split()[0]
    points = np.column_stack([result["x"].to_numpy(), result["y"].to_numpy()])
    groups = np.array(result["group"].to_pylist())
    distances = np.linalg.norm(points[:, np.newaxis] - points, axis=2)
    same = groups[:, np.newaxis] == groups
    np.fill_diagonal(distances, np.inf)
    assert same[np.arange(24), distances.argmin(axis=1)].all()
    assert explore.item_map(model(), perplexity=5).equals(result)


def test_the_map_groups_by_any_feature_and_omits_rare_items() -> None:
    fitted = model()
    counts = fitted.data.item_counts
    least = int(np.sort(counts)[-6])
    result = explore.item_map(fitted, by="title", least=least)
    assert result.num_rows == (counts >= least).sum()
    assert result["group"].to_pylist() == result["title"].to_pylist()
    with pytest.raises(InputError) as error:
        explore.item_map(fitted, by="genre")
    assert str(error.value) == (
        "the items have no feature 'genre' to group them by\n"
        "  where: by='genre'\n"
        "  to do: did you mean 'genres'? Known: genres, title"
    )
    with pytest.raises(InputError, match=r"0 items have 1000 or more .* a map needs 4"):
        explore.item_map(fitted, least=1000)


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.string()), pa.large_list(pa.string()), pa.list_(pa.string(), 2)]
)
def test_the_first_value_of_a_list(kind: pa.DataType) -> None:
    column = pa.chunked_array([pa.array([["a", "b"], None, [None, "c"]], kind)])
    assert first_values(column).to_pylist() == ["a", None, None]


def test_the_first_value_of_an_empty_list_or_a_plain_cell() -> None:
    assert first_values(pa.chunked_array([[["a"], []]])).to_pylist() == ["a", None]
    assert first_values(pa.chunked_array([["a", None]])).to_pylist() == ["a", None]


def test_plots_need_no_display(tmp_path: Path) -> None:
    norms = explore.norms(model())
    figures = {
        "one.png": explore.plot_norms(norms),
        "two.png": explore.plot_norms({"first": norms, "second": norms}),
        "map.png": explore.plot_map(small_map()),
    }
    for name, figure in figures.items():
        figure.savefig(tmp_path / name)
        content = (tmp_path / name).read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) > 5_000
    axis = figures["one.png"].axes[0]
    assert (axis.get_xlabel(), axis.get_xscale()) == ("users who chose it", "log")
    points = np.asarray(axis.collections[0].get_offsets())
    assert points[:, 0].tolist() == norms["interactions"].to_pylist()
    assert points[:, 1].tolist() == norms["norm"].to_pylist()
    assert axis.get_title().startswith("Spearman ")
    assert [a.get_title().split("\n")[0] for a in figures["two.png"].axes] == ["first", "second"]
    legend = figures["map.png"].axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        f"{name} (8)" for name in dict.fromkeys(small_map()["group"].to_pylist())
    ]


def test_small_groups_are_grey() -> None:
    many = pa.table(
        {
            "group": [f"g{n % 12}" for n in range(100)],
            "x": np.arange(100.0),
            "y": np.arange(100.0),
        }
    )
    axis = explore.plot_map(many).axes[0]
    labels = [str(points.get_label()) for points in axis.collections]
    assert len(labels) == 11
    assert labels[-1] == "others"
    assert sum(len(np.asarray(points.get_offsets())) for points in axis.collections) == 100


def test_plots_without_the_extra_name_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    norms = explore.norms(model())
    monkeypatch.setattr(extras, "find_spec", lambda package: None)
    for call, what in (
        (lambda: explore.plot_norms(norms), "a picture"),
        (lambda: explore.item_map(model()), "a map of the items"),
    ):
        with pytest.raises(ConfigError) as error:
            call()
        assert str(error.value) == (
            f"{what} needs matplotlib and sklearn, which is not installed\n"
            "  to do: pip install 'shortlist[plots]'"
        )
    monkeypatch.undo()
    with pytest.raises(InputError, match="there is no table to draw"):
        explore.plot_norms({})
