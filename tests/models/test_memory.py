"""The memory that models declare, beside what a process really takes."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import shortlist as sl
from shortlist import machine
from shortlist.errors import ShortlistError
from shortlist.recommend import recommender
from shortlist.testing import of_matrix, small_world

MEASURE = """
import sys
import numpy as np, pyarrow as pa
import shortlist as sl

def memory(name):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))

def world(n_users, n_items, count):
    rng = np.random.default_rng(0)
    items = np.minimum((rng.random(count) ** 2.5 * n_items).astype(int), n_items - 1)
    log = pa.table({"user_id": rng.integers(0, n_users, count), "item_id": items})
    data = sl.Dataset.from_tables(log)
    data.matrix, data.recency
    return data

name, settings = sys.argv[1], eval(sys.argv[5])
make = lambda: getattr(sl, name)(**settings)
make().fit(world(300, 80, 3000))  # compiles, and loads libraries
data, model = world(*map(int, sys.argv[2:5])), make()
before = memory("VmRSS")
open("/proc/self/clear_refs", "w").write("5")  # the peak begins here
model.fit(data)
print(model.memory_to_fit(data), memory("VmHWM") - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("name", "shape", "settings"),
    [
        ("IALS", (80_000, 20_000, 400_000), {"embedding_size": 256, "epochs": 2}),
        ("IALS", (20_000, 60_000, 400_000), {"embedding_size": 256, "epochs": 2}),
        ("ItemCosine", (50_000, 10_000, 800_000), {}),
        ("ItemCosine", (20_000, 20_000, 300_000), {"neighbors": None}),
        ("RP3beta", (50_000, 10_000, 800_000), {}),
        ("SparseEASE", (30_000, 20_000, 500_000), {"regularization": 100}),
        ("EASE", (20_000, 8_000, 400_000), {"regularization": 100, "dropout": 0}),
        ("EASE", (1_500, 40_000, 200_000), {"regularization": 100, "dropout": 0}),
        ("GraphFilter", (100_000, 20_000, 500_000), {"embedding_size": 200}),
        ("MatrixFactorization", (100_000, 50_000, 500_000), {"epochs": 2}),
        (
            "SASRec",
            (5_000, 100_000, 50_000),
            {"epochs": 1, "embedding_size": 256, "negatives": 1024},
        ),
        ("GMF", (50_000, 50_000, 200_000), {"epochs": 1}),
        ("GMF", (150_000, 100_000, 300_000), {"epochs": 1}),
        ("NeuMF", (60_000, 40_000, 100_000), {"epochs": 1}),
        ("Retrieval", (60_000, 40_000, 100_000), {"epochs": 1}),
        ("Retrieval", (20_000, 150_000, 200_000), {"epochs": 1, "embedding_size": 64}),
        ("Ranking", (60_000, 60_000, 100_000), {"epochs": 1}),
        ("Hybrid", (40_000, 20_000, 500_000), {}),
    ],
)
def test_what_models_declare_is_what_they_take(
    name: str, shape: tuple[int, int, int], settings: dict[str, Any]
) -> None:
    if name == "IALS":
        settings = settings | {"regularization": 0.01}
    if name == "GraphFilter":
        settings = settings | {"sharpening": 0, "popularity": 0.2, "ideal_weight": 0.2}
    words = [sys.executable, "-c", MEASURE, name, *map(str, shape), repr(settings)]
    run = subprocess.run(words, capture_output=True, text=True, check=True)
    declared, taken = map(int, run.stdout.split())
    assert taken > 100e6
    assert taken / 2 < declared < taken * 2


def test_the_declared_memory_of_ials() -> None:
    data = of_matrix(np.ones((10, 7)))
    block, pairs = 64 * 2**20, 24 * 70
    assert sl.IALS(embedding_size=32).memory_to_fit(data) == 4 * 32 * (10 + 21) + pairs + block
    assert sl.IALS().memory_to_fit(data) == 4 * 128 * (10 + 21) + pairs + block


def test_the_declared_memory_of_networks() -> None:
    data = of_matrix(np.ones((10, 7)))
    vectors = 4 * 6 * 17  # six copies
    assert sl.GMF(embedding_size=32).memory_to_fit(data) == vectors * 32 + 10 + 12 * 12 * 70
    assert sl.GMF(rejection=False, embedding_size=32).memory_to_fit(data) == vectors * 32 + 10_080
    features = pa.table({"item_id": ["a", "b"], "year": [1990.0, 2000.0]})
    log = pa.table({"user_id": [1, 1, 2], "item_id": ["a", "b", "a"]})
    films = sl.Dataset.from_tables(log, items=features)
    plain = sl.Retrieval(embedding_size=8, biases=False, features=False)
    assert plain.memory_to_fit(films) == 4 * 6 * (2 + 2) * 8 + 100 * 3
    by_id = sl.Retrieval(embedding_size=8, biases=True, features=False, user_ids=True)
    assert by_id.memory_to_fit(films) == 4 * 6 * (2 + 2 + 2) * 9 + 100 * 3
    assert sl.Retrieval(embedding_size=8, biases=False).memory_to_fit(films) == (
        plain.memory_to_fit(films) + 10 * films.item_features.nbytes  # type: ignore[union-attr]
    )


def test_the_declared_memory_of_features() -> None:
    data = small_world().data
    of_items, of_users = data.item_features, data.user_features
    assert of_items is not None
    assert of_users is not None
    features = 10 * (of_items.nbytes + of_users.nbytes)
    assert sl.ContentBased().memory_to_fit(data) == features > 0
    pairs = 24 * data.n_interactions
    assert sl.Hybrid().memory_to_fit(data) == 24 * 30 * 30 + features + pairs
    assert sl.Hybrid(item_neighbors=7).memory_to_fit(data) == 24 * 30 * 7 + features + pairs
    plain = of_matrix(np.ones((10, 7)))
    assert sl.Hybrid().memory_to_fit(plain) == sl.RP3beta(neighbors=500).memory_to_fit(plain)


def test_known_pairs_that_are_not_drawn() -> None:
    data = of_matrix(np.ones((10, 9)))
    without = sl.Ranking(rejection=False).memory_to_fit(data)
    assert sl.Ranking().memory_to_fit(data) == without + 10 * 2
    squared = sl.Ranking(loss="squared")
    assert squared.memory_to_fit(data) == sl.Ranking(loss="squared", rejection=False).memory_to_fit(
        data
    )


def test_a_cascade_needs_what_its_stages_need() -> None:
    data = of_matrix(np.ones((10, 7)))
    stages: list[Any] = [sl.IALS(), sl.ItemCosine()]
    needed = sum(stage.memory_to_fit(data) for stage in stages)
    neighbors = sl.ItemCosine(neighbors=100).memory_to_fit(data)
    assert sl.Cascade(stages=stages).memory_to_fit(data) == needed + neighbors
    ranked = sl.Cascade(stages=stages, ranker=sl.GMF())
    assert ranked.memory_to_fit(data) == needed + sl.GMF().memory_to_fit(data)


def test_neighbors_are_no_more_than_pairs_of_choices() -> None:
    data = of_matrix(np.eye(50))
    assert sl.ItemCosine().memory_to_fit(data) == 24 * 50 + 24 * 50
    dense = of_matrix(np.ones((50, 20)))
    assert sl.ItemCosine(neighbors=3).memory_to_fit(dense) == 24 * 20 * 3 + 24 * 1000
    assert sl.RP3beta(neighbors=None).memory_to_fit(dense) == 24 * 20 * 20 + 24 * 1000


@pytest.mark.parametrize(
    "name",
    ["IALS", "ItemCosine", "RP3beta", "SparseEASE", "GraphFilter", "EASE", "Hybrid", "GMF",
     "NeuMF", "Retrieval", "Ranking", "MultiTask"],
)  # fmt: skip
def test_what_cannot_fit_is_refused_before_the_work(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = small_world().data
    model = getattr(sl, name)()
    monkeypatch.setattr(machine, "available_memory", lambda: 1_000)
    monkeypatch.setattr(model, "learn", None)  # the work
    with pytest.raises(ShortlistError, match=f"^{name} on 40 users and 30 items needs") as error:
        model.fit(data)
    assert error.value.remedy == type(model).with_less_memory


def test_a_comparison_is_refused_before_the_first_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    train, test = sl.split.leave_last_out(small_world().data)
    popular = sl.Popularity()
    monkeypatch.setattr(machine, "available_memory", lambda: 1_000)
    with pytest.raises(ShortlistError, match="EASE on 40 users"):
        sl.compare([popular, sl.EASE()], train, test)
    assert not popular.is_fitted


def test_a_search_is_refused_before_the_first_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "available_memory", lambda: 1_000)
    with pytest.raises(ShortlistError, match="EASE on 40 users"):
        sl.tune("EASE", small_world().data, trials=1)


def test_a_table_of_lists_that_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = sl.Popularity().fit(of_matrix(np.ones((40, 30))))
    whole = 40 * 5 * (8 + 8 + 24)  # ids are int64
    monkeypatch.setattr(recommender, "_LITTLE", 0)
    monkeypatch.setattr(machine, "available_memory", lambda: whole)
    assert len(model.recommend(k=5, exclude_seen=False)) == 200
    monkeypatch.setattr(machine, "available_memory", lambda: whole - 1)
    with pytest.raises(ShortlistError) as error:
        model.recommend(k=5, exclude_seen=False)
    assert str(error.value) == (
        "a table with 5 items for each of 40 queries needs 0.0 GB of memory; 0.0 GB are free\n"
        "  to do: list fewer users at a time, or write the lists part by part into a folder: "
        "recommend_to(FOLDER), --out FOLDER/"
    )
