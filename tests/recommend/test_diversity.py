"""Lists that are picked for variety, against a naive maximal marginal relevance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import shortlist as sl
from shortlist.errors import InputError
from shortlist.models.base import Model
from shortlist.testing import of_matrix, small_world

MODELS: tuple[Model[Any, Any], ...] = (
    sl.Popularity(), sl.ItemCosine(neighbors=20), sl.EASE(regularization=5),
    sl.IALS(embedding_size=4), sl.UserCosine(neighbors=20),
)  # fmt: skip


def cosines(chosen: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the cosines of the columns of a matrix."""
    lengths = np.sqrt((chosen**2).sum(axis=0))
    scaled = np.divide(chosen, lengths, out=np.zeros_like(chosen), where=lengths > 0)
    return np.asarray(scaled.T @ scaled)


def naive(
    items: list[int], scores: list[float], similarity: np.ndarray[Any, Any], share: float, k: int
) -> list[int]:
    spread = scores[0] - scores[-1]
    relevance = {
        item: (score - scores[-1]) / spread if spread else 0.0
        for item, score in zip(items, scores, strict=True)
    }
    picked: list[int] = []
    left = list(items)
    while left and len(picked) < k:

        def value(item: int) -> float:
            nearest = max((similarity[item, other] for other in picked), default=0.0)
            return (1 - share) * relevance[item] - share * float(nearest)

        best = max(left, key=lambda item: round(value(item), 9))
        picked.append(best)
        left.remove(best)
    return picked


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_lists_are_those_of_maximal_marginal_relevance(
    model: Model[Any, Any], share: float
) -> None:
    rng = np.random.default_rng(4)
    data = of_matrix(rng.random((40, 60)) < 0.15)
    fitted, similarity = model.fit(data), cosines(data.choices.toarray().astype(np.float64))
    k = 4
    longer = fitted.recommend(k=10 * k).to_arrow().to_pylist()
    varied = fitted.recommend(k=k, diversity=share).to_arrow().to_pylist()
    for user in data.users.ids.to_pylist():
        rows = [row for row in longer if row["user_id"] == user]
        expected = naive(
            [row["item_id"] for row in rows], [row["score"] for row in rows], similarity, share, k
        )
        own = [row for row in varied if row["user_id"] == user]
        assert [row["item_id"] for row in own] == expected
        assert [row["rank"] for row in own] == [1, 2, 3, 4]
        score_of = {row["item_id"]: row["score"] for row in rows}
        assert [row["score"] for row in own] == [score_of[item] for item in expected]


def test_no_diversity_is_the_order_of_the_scores() -> None:
    model = sl.EASE(regularization=5).fit(small_world().data)
    assert model.recommend(k=5, diversity=0).table.equals(model.recommend(k=5).table)


def test_variety_grows_with_the_share() -> None:
    films = sl.films()
    data = films.select(films.user_rows < 150)
    model = sl.ItemCosine(neighbors=50, weighting="tfidf", shrinkage=50).fit(data)
    chosen = data.choices.toarray().astype(np.float64)
    means = []
    for share in (0.0, 0.3, 0.6):
        table = model.recommend(data.users.ids[:20].to_pylist(), k=10, diversity=share).to_arrow()
        rows = data.items.rows(table["item_id"].to_pylist()).reshape(20, 10)
        pairs = [cosines(chosen[:, row])[np.triu_indices(10, 1)].mean() for row in rows]
        means.append(np.mean(pairs))
    assert means[0] > means[1] + 0.02 > means[2] + 0.04


def test_rules_and_length_are_kept() -> None:
    world = small_world()
    model = sl.ItemCosine(neighbors=5).fit(world.data)
    allowed = world.data.items.ids.to_pylist()[:9]
    for share in (0.5, 1.0):
        table = model.recommend(k=7, allow=allowed, deny=allowed[:1], diversity=share).to_arrow()
        plain = model.recommend(k=99, allow=allowed, deny=allowed[:1]).to_arrow()
        assert set(table["item_id"].to_pylist()) <= set(allowed[1:])
        for user in world.data.users.ids.to_pylist():
            listed = [r["item_id"] for r in table.to_pylist() if r["user_id"] == user]
            eligible = [r["item_id"] for r in plain.to_pylist() if r["user_id"] == user]
            assert len(listed) == len(set(listed)) == min(7, len(eligible))
            assert set(listed) <= set(eligible)


def test_one_query_or_many_give_the_same_list() -> None:
    data = small_world().data
    model = sl.EASE(regularization=5).fit(data)
    together = model.recommend(k=5, diversity=0.5).to_arrow().to_pylist()
    for user in data.users.ids.to_pylist()[:5]:
        alone = model.recommend([user], k=5, diversity=0.5).to_arrow().to_pylist()
        assert alone == [row for row in together if row["user_id"] == user]


@pytest.mark.parametrize("diversity", [-0.1, 1.1, float("nan"), True, "high", None])
def test_a_diversity_that_is_out_of_range(diversity: Any) -> None:
    model = sl.Popularity().fit(small_world().data)
    with pytest.raises(InputError) as caught:
        model.recommend(k=3, diversity=diversity)
    assert str(caught.value) == (
        f"diversity={diversity!r} is out of range\n"
        "  to do: pass a number from 0, the order of the scores, to 1"
    )
