from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scored_model import scored

from shortlist import engine
from shortlist.errors import CapabilityError, ConfigError, InputError, UnknownIdError
from shortlist.kernels.scores import dense_sparse
from shortlist.models.cosine import ItemCosine
from shortlist.models.popularity import Popularity
from shortlist.recommend import items as item_lists
from shortlist.scoring import selection
from shortlist.scoring.scorer import known_profiles
from shortlist.testing import of_matrix, small_world, tiny

SHAPES = ["dense", "sparse", "factors"]


class TestSimilar:
    data = small_world().data
    model = scored(data, np.add.outer(np.arange(30), -2 * np.arange(30)))

    def test_the_best_by_score_without_the_item_itself(self) -> None:
        found = self.model.similar(["i01", "i00"], k=3).table.to_pylist()
        assert [tuple(row.values()) for row in found] == [
            ("i01", "i00", 1, 1.0, "Scored"),
            ("i01", "i02", 2, -3.0, "Scored"),
            ("i01", "i03", 3, -5.0, "Scored"),
            ("i00", "i01", 1, -2.0, "Scored"),
            ("i00", "i02", 2, -4.0, "Scored"),
            ("i00", "i03", 3, -6.0, "Scored"),
        ]

    def test_rules(self) -> None:
        found = self.model.similar(
            ["i04"], allow=["i02", "i04", "i06", "i07"], deny=["i02"], where="taste = even"
        )
        assert found.column("item_id") == ["i06"]
        live = self.model.similar(["i04"], k=99, as_of="1900-01-01").column("item_id")
        assert live == ["i00", "i08", "i12", "i16", "i20", "i24", "i28"]

    def test_all_others_come_back_at_most(self) -> None:
        assert len(self.model.similar(["i04", "i05", "i04"], k=10**6)) == 2 * 29

    def test_unknown_items(self) -> None:
        with pytest.raises(UnknownIdError) as error:
            self.model.similar(["i04", "zzz"])
        assert str(error.value).startswith(
            "1 unknown item id: 'zzz' (30 items are known, 'i00' to 'i29')"
        )
        found = self.model.similar(["zzz", "i04"], k=1, on_unknown="skip")
        assert found.column("query_item_id") == ["i04"]
        with pytest.raises(ConfigError) as refused:
            self.model.similar(["i04"], on_unknown="fallback")
        assert str(refused.value) == (
            "on_unknown='fallback', and for an unknown item there is nothing to fall back to\n"
            "  to do: pass 'raise' or 'skip'"
        )

    def test_one_id_is_no_list(self) -> None:
        with pytest.raises(InputError, match=r"pass \['i04'\] for a single id"):
            self.model.similar("i04")

    def test_a_model_that_cannot(self) -> None:
        with pytest.raises(CapabilityError) as error:
            Popularity().fit(self.data).similar(["i04"])
        assert str(error.value) == (
            "Popularity cannot compare items\n"
            "  to do: choose a model that can (docs: capability ComparesItems)"
        )

    def test_a_length_that_is_none(self) -> None:
        with pytest.raises(InputError, match="k=0 is not a list length"):
            self.model.similar(["i04"], k=0)


class TestAudience:
    def test_who_has_chosen_it_is_left_out_if_asked(self) -> None:
        data = tiny(("ann", "tea"), ("bob", "tea"), ("bob", "rye"), ("cat", "rye"))
        model = scored(data, [[3, 1], [1, 2]])  # rye, tea: ann 1 2, bob 4 3, cat 3 1
        found = model.audience(["tea", "rye"])
        assert [tuple(row.values()) for row in found.table.to_pylist()] == [
            ("tea", "cat", 1, 1.0, "Scored"),
            ("rye", "ann", 1, 1.0, "Scored"),
        ]
        everybody = model.audience(["tea", "rye"], exclude_seen=False)
        assert everybody.column("user_id") == ["bob", "ann", "cat", "bob", "cat", "ann"]
        assert everybody.column("score") == [3.0, 2.0, 1.0, 4.0, 3.0, 1.0]

    def test_of_equal_scores_the_first_user_comes_first(self) -> None:
        model = Popularity().fit(small_world().data)
        found = model.audience(["i28"], k=50)  # nobody has chosen it
        assert found.column("user_id") == [f"u{n:02}" for n in range(40)]

    def test_somebody_of_whom_nothing_is_known_is_nobodys_audience(self) -> None:
        model = scored(small_world().data, np.eye(30))
        users = model.audience(["i28"], k=50).column("user_id")
        assert len(users) == 38
        assert not {"u05", "u22"} & set(users)

    def test_unknown_items(self) -> None:
        model = Popularity().fit(small_world().data)
        with pytest.raises(UnknownIdError, match="1 unknown item id: 'zzz'"):
            model.audience(["zzz"])
        assert len(model.audience(["zzz"], on_unknown="skip")) == 0
        with pytest.raises(ConfigError, match="there is nothing to fall back to"):
            model.audience(["i04"], on_unknown="fallback")  # type: ignore[arg-type]


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 9),
    st.integers(1, 7),
    st.sampled_from(SHAPES),
    st.booleans(),
    st.sampled_from([1, 100, 10**9]),
)
@settings(max_examples=100, deadline=None)
def test_an_audience_is_the_best_of_all_users(
    seed: int, n_users: int, n_items: int, shape: str, exclude_seen: bool, block_bytes: int
) -> None:
    """Block after block of users, merged, against every score sorted."""
    rng = np.random.default_rng(seed)
    chosen = rng.random((n_users, n_items)) < rng.random()
    data = of_matrix(rng.integers(1, 3, chosen.shape), chosen)
    affinity = rng.integers(-1, 2, (n_items, n_items))
    model, k = scored(data, affinity, shape=shape), int(rng.integers(1, n_users + 2))
    scores = data.matrix.toarray() @ affinity
    asked = rng.permutation(n_items)[: rng.integers(1, n_items + 1)].tolist()
    expected: list[tuple[Any, ...]] = []
    for item in asked:
        users = [
            user
            for user in sorted(range(n_users), key=lambda user: -scores[user, item])
            if chosen[user].any() and not (exclude_seen and chosen[user, item])
        ]
        expected += [
            (item, user, rank, scores[user, item]) for rank, user in enumerate(users[:k], 1)
        ]
    with engine.use(engine.LocalEngine(block_bytes=block_bytes)):
        found = model.audience(asked, k=k, exclude_seen=exclude_seen)
    rows = [tuple(row.values())[:4] for row in found.table.to_pylist()]
    assert rows == expected


def test_many_items_take_several_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    model = scored(small_world().data, np.add.outer(np.arange(30), np.arange(30)))
    at_once = model.audience(model.data.items.ids, k=3).table
    monkeypatch.setattr(item_lists, "ITEMS_PER_PASS", 7)
    assert (
        model.audience(model.data.items.ids, k=3)
        .table.combine_chunks()
        .equals(at_once.combine_chunks())
    )
    assert at_once.num_rows == 90


def test_of_sparse_scores_only_those_of_the_items_are_written_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = ItemCosine(neighbors=5, shrinkage=0, weighting="binary").fit(small_world().data)
    data, widths, write = model.data, [], dense_sparse
    items = data.items.ids.to_pylist()[3:5]
    users = np.arange(data.n_users, dtype=np.int32)
    whole = selection.dense(model.score(known_profiles(model, users)))[:, 3:5]

    def noted(profiles: Any, matrix: Any, n_items: int) -> Any:
        widths.append(n_items)
        return write(profiles, matrix, n_items)

    monkeypatch.setattr(selection, "dense_sparse", noted)
    with engine.use(engine.LocalEngine(block_bytes=8_000)):
        listed = model.audience(items, k=99, exclude_seen=False)
    assert len(widths) > 1
    assert set(widths) == {2}
    rows = data.users.rows(listed.column("user_id"))
    columns = [items.index(item) for item in listed.column("item_id")]
    assert listed.column("score") == whole[rows, columns].tolist()
