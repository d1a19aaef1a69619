from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scored_model import scored

from shortlist.data.dataset import Dataset
from shortlist.errors import CapabilityError, InputError, UnknownIdError
from shortlist.models.hybrid.model import Hybrid
from shortlist.models.hybrid.terms import FORMS
from shortlist.models.registry import load, model_class
from shortlist.recommend.explain import Explanation
from shortlist.recommend.query import Query
from shortlist.scoring.profiles import Profiles
from shortlist.testing import small_world, tiny

MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "popularity": ("Popularity", {}),
    "user cosine": ("UserCosine", {"neighbors": 6}),
    "user cosine, weighted": (
        "UserCosine",
        {"weighting": "weighted", "normalized": True, "neighbors": None, "self_similarity": True},
    ),
    "item cosine": ("ItemCosine", {"neighbors": 5}),
    "item cosine, weighted": ("ItemCosine", {"weighting": "weighted", "normalized": True}),
    "EASE": ("EASE", {"regularization": 5.0}),
    "IALS": ("IALS", {"embedding_size": 8, "epochs": 3}),
    "IALS, weighted": ("IALS", {"embedding_size": 8, "epochs": 3, "weighting": "weighted"}),
    **{
        f"content, {how}": ("ContentBased", {"aggregate": how, "feature_weights": {}})
        for how in ("sum", "mean", "max", "last", "recency")
    },
    **{f"hybrid, {name}": ("Hybrid", form) for name, form in FORMS.items()},
    "hybrid, all terms": (
        "Hybrid",
        {"user_term": 0.5, "item_term": 0.3, "both_term": 0.2, "user_neighbors": 9,
         "item_neighbors": 6, "rescaled": False},
    ),
}  # fmt: skip
every_model = pytest.mark.parametrize("name", MODELS)

KINDS = {
    "Popularity": {"popularity"},
    "UserCosine": {"similar user"},
    "ItemCosine": {"chosen item"},
    "EASE": {"chosen item"},
    "IALS": {"chosen item"},
    "ContentBased": {"feature"},
    "Hybrid": {"similar user", "chosen by similar users", "chosen item", "feature"},
}


@cache
def fitted(name: str) -> Any:
    kind, parameters = MODELS[name]
    return model_class(kind)(**parameters).fit(small_world().data)


def check(model: Any, explanation: Explanation, listed: dict[str, Any]) -> None:
    """The score and the source are those of the list, and the parts add up to it."""
    assert explanation.item == listed["item_id"]
    assert explanation.score == listed["score"]
    assert explanation.source == listed["source"]
    amounts = explanation.parts.column("amount").to_numpy()
    assert amounts.sum() == pytest.approx(listed["score"], rel=1e-5, abs=1e-6)
    assert (np.diff(np.abs(amounts)) <= 0).all()
    assert explanation.parts.schema == pa.schema(
        [("kind", pa.string()), ("name", pa.string()), ("amount", pa.float64())]
    )
    if listed["source"] == "popularity":
        assert set(explanation.parts.column("kind").to_pylist()) == {"popularity"}
    else:
        assert set(explanation.parts.column("kind").to_pylist()) <= KINDS[model.name]


@every_model
def test_the_parts_of_known_users_add_up_to_what_is_listed(name: str) -> None:
    """Of the best, the middle and the last item; u05 has no history, u07 no city."""
    model = fitted(name)
    for user in ("u03", "u05", "u07"):
        lists = model.recommend([user], k=30, exclude_seen=False).table.to_pylist()
        for listed in (lists[0], lists[14], lists[-1]):
            check(model, model.explain(user, listed["item_id"]), listed)


@every_model
def test_the_parts_of_queries_add_up(name: str) -> None:
    model = fitted(name)
    queries = [
        Query(history=["i02"]),
        Query(history={"i02": 0.5, "i03": 4.0, "i11": 1.0}),
        Query(user="u03", history=["i28", "i11"]),
        Query(history=[]),
    ]
    if model.uses_features:
        queries += [
            Query(features={"city": "Seoul"}),
            Query(user="u03", features={"city": "Busan"}),
            Query(history=["i02", "i05"], features={"city": "Busan"}),
            Query(features={"city": None}),
        ]
    for query in queries:
        lists = model.recommend(queries=[query], k=30, exclude_seen=False).table.to_pylist()
        for listed in (lists[0], lists[2], lists[-1]):
            check(model, model.explain(None, listed["item_id"], query=query), listed)


@every_model
def test_names_are_the_ids_and_features_of_the_caller(name: str) -> None:
    model = fitted(name)
    items = set(model.data.items.ids.to_pylist())
    known = {
        "chosen item": items,
        "chosen by similar users": items,
        "popularity": {"users who chose it"},
    }
    explanation = model.explain("u03", "i04")
    own = {row["item_id"] for row in model.data.to_arrow().to_pylist() if row["user_id"] == "u03"}
    for part in explanation.parts.to_pylist():
        if part["kind"] == "similar user":
            assert part["name"].rstrip("s").removesuffix(" user").isdecimal()
        elif part["kind"] == "feature":
            assert part["name"].split("=")[0] in {"year", "year is known", "taste", "tags"}
        else:
            assert part["name"] in known[part["kind"]]
        if part["kind"] == "chosen item":
            assert part["name"] in own


@pytest.mark.parametrize("name", ["item cosine", "content, mean", "hybrid, all terms"])
def test_a_model_from_disk_explains_the_same(name: str, tmp_path: Any) -> None:
    model = fitted(name)
    again = load(model.save(tmp_path / "bundle"))
    for item in ("i04", "i11"):
        one, other = (each.explain("u03", item) for each in (model, again))
        assert one.score == other.score
        assert one.parts.equals(other.parts)


@pytest.mark.parametrize("name", ["user cosine", "content, sum", "hybrid, all terms"])
def test_large_ids_are_shown_exactly(name: str) -> None:
    kind, parameters = MODELS[name]
    model = model_class(kind)(**parameters).fit(small_world("large").data)
    explanation = model.explain(2**62 + 3, 2**62 + 4)
    assert explanation.item == 2**62 + 4
    ids = {str(2**62 + n) for n in range(40)}
    for part in explanation.parts.to_pylist():
        assert part["kind"] in ("feature", "similar user") or part["name"] in ids


def test_an_answer_that_can_be_worked_out() -> None:
    """rye goes with tea in one of two histories: 1 / (sqrt(2) sqrt(1)), and with nothing else."""
    data = tiny(("ann", "tea"), ("ann", "gin"), ("bob", "tea"), ("bob", "rye"))
    model = model_class("ItemCosine")(weighting="binary", shrinkage=0).fit(data)
    explanation = model.explain("ann", "rye")
    assert explanation.parts.to_pylist() == [
        {"kind": "chosen item", "name": "tea", "amount": pytest.approx(2**-0.5, rel=1e-6)}
    ]
    assert str(explanation).splitlines() == [
        "reason      | name | of 0.7071",
        "------------+------+----------",
        "chosen item |  tea |   +0.7071",
    ]


def test_features_in_words() -> None:
    log = pa.table({"user_id": [1, 1, 2], "item_id": [10, 20, 30]})
    films = pa.table(
        {"item_id": [10, 20, 30, 40], "genres": [["War"], ["Drama"], ["War"], ["War"]]}
    )
    model = model_class("ContentBased")(aggregate="mean").fit(Dataset.from_tables(log, items=films))
    parts = model.explain(1, 40).parts.to_pylist()
    assert parts == [{"kind": "feature", "name": "genres=War", "amount": pytest.approx(0.5)}]


def test_an_item_that_nothing_speaks_for_has_no_parts() -> None:
    data = tiny(("ann", "tea"), ("bob", "rye"))
    explanation = model_class("ItemCosine")(neighbors=5).fit(data).explain("ann", "rye")
    assert explanation.score == 0
    assert len(explanation.parts) == 0
    assert str(explanation).startswith("reason | name | of 0.0000")


def test_what_is_popular_is_explained_as_such() -> None:
    explanation = fitted("item cosine").explain("u05", "i00")
    count = small_world().data.item_counts[0]
    assert explanation.source == "popularity"
    assert explanation.parts.to_pylist() == [
        {"kind": "popularity", "name": "users who chose it", "amount": float(count)}
    ]


def test_rules_of_a_query_do_not_touch_a_score() -> None:
    model = fitted("item cosine")
    denied = model.explain(None, "i04", query=Query(user="u03", deny=["i04"]))
    assert denied.score == model.explain("u03", "i04").score


class TestRefusals:
    @pytest.mark.parametrize(
        ("user", "item", "message"),
        [
            ("zoe", "i04", "1 unknown user id: 'zoe' (40 users are known, 'u00' to 'u39')"),
            ("u03", "x", "1 unknown item id: 'x' (30 items are known, 'i00' to 'i29')"),
            ("u03", 4, "1 unknown item id: 4 (30 items are known, 'i00' to 'i29')"),
        ],
    )
    def test_unknown_ids(self, user: str, item: Any, message: str) -> None:
        with pytest.raises(UnknownIdError) as error:
            fitted("item cosine").explain(user, item)
        assert str(error.value).splitlines()[0] == message

    def test_an_unknown_item_in_a_history(self) -> None:
        with pytest.raises(UnknownIdError, match="1 unknown item id: 'x'"):
            fitted("item cosine").explain(None, "i04", query=Query(history=["i03", "x"]))

    @pytest.mark.parametrize("arguments", [(None, "i04"), ("u03", "i04", Query(user="u04"))])
    def test_a_user_or_a_query(self, arguments: tuple[Any, ...]) -> None:
        user, item, *query = arguments
        with pytest.raises(InputError) as error:
            fitted("item cosine").explain(user, item, query=query[0] if query else None)
        assert str(error.value) == (
            "give a user or a query\n  to do: explain(user, item), or query=Query(...)"
        )

    def test_a_model_that_cannot(self) -> None:
        data = tiny(("ann", "tea"), ("bob", "rye"))
        model = scored(data, np.eye(2))
        with pytest.raises(CapabilityError) as error:
            model.explain("ann", "rye")
        assert str(error.value).startswith("Scored cannot explain its scores\n  to do: choose")

    def test_features_where_none_are_used(self) -> None:
        model = Hybrid.form("user action").fit(small_world().data)
        with pytest.raises(CapabilityError, match=r"^Hybrid cannot use features"):
            model.explain(None, "i04", query=Query(features={"city": "Seoul"}))


@pytest.mark.parametrize("name", ["user cosine", "hybrid, all terms"])
def test_other_users_are_counted_and_never_named(name: str) -> None:
    model = fitted(name)
    users = set(model.data.users.ids.to_pylist())
    items = model.data.items.ids.to_pylist()
    profiles = Profiles.known(model.data, model.data.users.rows(["u03"]))
    counts = set()
    for row, item in enumerate(items):
        explanation = model.explain("u03", item)
        terms = {part["name"]: part for part in explanation.parts.to_pylist()}
        assert not users & set(terms)
        [parts] = model.parts_of(profiles, np.array([row], dtype=np.int32))
        similar = [part for part in parts if part.kind == "similar user"]
        amounts = np.concatenate([part.amounts for part in similar])
        counts.add(len(amounts))
        if len(amounts):
            folded = terms[f"{len(amounts)} users" if len(amounts) > 1 else "1 user"]
            assert folded["kind"] == "similar user"
            assert folded["amount"] == pytest.approx(amounts.sum())
    assert max(counts) > 1


def test_the_strongest_five_and_the_rest() -> None:
    log = [("ann", f"i{n}") for n in range(8)] + [("bob", f"i{n}") for n in range(9)]
    explanation = model_class("EASE")(regularization=1).fit(tiny(*log)).explain("ann", "i8")
    lines = str(explanation).splitlines()
    assert len(lines) == 2 + 5 + 1
    assert lines[-1].startswith("and 3 more")
    amounts = [float(line.rsplit("|", 1)[1]) for line in lines[2:]]
    assert sum(amounts) == pytest.approx(explanation.score, abs=1e-3)


def board(labels: Any = None) -> Dataset:
    """Six bachelors apply for jobs a and b, six masters for c and d; a hobby that says nothing."""
    log = [(f"u{n:02}", "abcd"[2 * (n // 6) + m]) for n in range(12) for m in range(2)]
    people = {
        "user_id": [f"u{n:02}" for n in range(12)],
        "degree": [3 + n // 6 for n in range(12)],
        "years": [float(n % 7) for n in range(12)],
    }
    return Dataset.from_tables(
        {"user_id": [user for user, _ in log], "item_id": [item for _, item in log]},
        people,
        {"item_id": ["a", "b", "c", "d"], "name": ["Cook", "Chef", "Nurse", "Doctor"]},
        labels=labels,
    )


HYBRIDS: dict[str, dict[str, Any]] = {
    "users": {"user_term": 1.0, "item_term": 0.0, "both_term": 0.0},
    "both, rescaled": {"user_term": 0.5, "item_term": 0.3, "both_term": 0.2, "rescaled": True},
    "concatenated": {"user_term": 1.0, "both_term": 0.5, "user_blocks": "concatenated"},
}


@pytest.mark.parametrize("form", HYBRIDS)
def test_a_newcomer_with_features_gets_features_as_reasons(form: str) -> None:
    settings = {"cold_neighbors": 5, "column_weights": "even"} | HYBRIDS[form]
    model = Hybrid(**settings).fit(board())
    query = Query(features={"degree": 3, "years": 2.0})
    for listed in model.recommend(queries=[query], k=4).table.to_pylist():
        explanation = model.explain(None, listed["item_id"], query=query)
        parts = explanation.parts.to_pylist()
        assert {part["kind"] for part in parts} <= {"feature"}
        assert {part["name"] for part in parts} <= {"degree=3", "years=2.0"}
        assert sum(part["amount"] for part in parts) == pytest.approx(listed["score"], rel=1e-5)
    first = model.explain(None, "a", query=query).parts.to_pylist()
    assert {part["name"] for part in first} == {"degree=3", "years=2.0"}


def test_feature_reasons_are_told_in_words() -> None:
    labels = {
        "column": ["degree", "degree"],
        "value": [None, "3"],
        "label": ["education", "bachelor's"],
    }
    model = Hybrid(user_term=1.0, item_term=0.0, both_term=0.0).fit(board(labels))
    explanation = model.explain(None, "a", query=Query(features={"degree": 3}))
    assert explanation.parts.column("name").to_pylist() == ["degree=3"]
    assert explanation.labels == ("education bachelor's, as 6 of 6 who chose it",)
    assert "education bachelor's, as 6 of 6 who chose it" in str(explanation)


def test_items_are_called_by_their_titles() -> None:
    explanation = model_class("ItemCosine")().fit(board()).explain("u00", "b")
    assert explanation.labels == ("Cook",)
    assert explanation.parts.column("title").to_pylist() == ["Cook"]
