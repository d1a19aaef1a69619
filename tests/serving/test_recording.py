"""Recorded interactions are on disk when the reply comes, and the next list considers them."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pyarrow as pa
import pytest

import shortlist as sl
from shortlist.data.moments import DAY, as_datetime
from shortlist.data.store.recorded import Recorded
from shortlist.errors import DatabaseError, InputError, ShortlistError
from shortlist.serving.app import create_app
from shortlist.serving.limits import Limits
from shortlist.serving.recent import RecentInteractions
from shortlist.serving.service import Service

from .test_model_store import eventually

DAY_SECONDS = DAY // 1_000_000
NUMBERS = itertools.count(1)  # of recorded interactions
NOON = dt.datetime(2024, 5, 31, 12, tzinfo=dt.UTC)
SCHEMA = """
CREATE TABLE person (user_id VARCHAR PRIMARY KEY, trade VARCHAR, degree TINYINT);
CREATE TABLE posting (item_id VARCHAR PRIMARY KEY, title VARCHAR, trade VARCHAR);
CREATE TABLE application (
    user_id VARCHAR REFERENCES person (user_id), item_id VARCHAR REFERENCES posting (item_id),
    weight FLOAT, chosen_at TIMESTAMP, PRIMARY KEY (user_id, item_id)
);
CREATE VIEW interactions AS SELECT user_id, item_id, weight, chosen_at AS time FROM application;
CREATE VIEW user_features AS FROM person;
CREATE VIEW item_features AS FROM posting;
"""


@pytest.fixture
def database(data: sl.Dataset, tmp_path: Path) -> Path:
    """The job board as a store."""
    (tmp_path / "board.sql").write_text(SCHEMA)
    log, users, items = data.to_arrow(), data.user_features, data.item_features
    assert users is not None
    assert items is not None
    with sl.Store.create(tmp_path / "board.duckdb", tmp_path / "board.sql") as store:
        store.load(
            {
                "person": users.add_column(0, "user_id", data.users.ids),
                "posting": items.select(["title", "trade"]).add_column(
                    0, "item_id", data.items.ids
                ),
                "application": log.rename_columns(["user_id", "item_id", "weight", "chosen_at"]),
            }
        )
    return tmp_path / "board.duckdb"


def choose(client: Any, *pairs: tuple[str, str], **more: Any) -> httpx.Response:
    rows = [{"user_id": user, "item_id": item, **more} for user, item in pairs]
    reply: httpx.Response = client.post("/interactions", json={"interactions": rows})
    return reply


def listed(client: Any, user: str, **params: Any) -> list[tuple[str, float]]:
    reply = client.get(f"/users/{user}/recommendations", params=params)
    assert reply.status_code == 200, reply.text
    return [(item["item_id"], item["score"]) for item in reply.json()["items"]]


def expected(model: Any, **query: Any) -> list[tuple[str, float]]:
    result = model.recommend(queries=[sl.Query(**query)])
    return list(zip(result.column("item_id"), result.column("score"), strict=True))


def test_the_next_list_considers_the_interaction(
    serve: Any, database: Path, models: dict[str, Any]
) -> None:
    client = serve(database=database)
    best = listed(client, "U00")[0][0]
    assert choose(client, ("U00", best)).json() == {"recorded": 1, "ids": [1]}
    for name, model in models.items():
        again = listed(client, "U00", model=name)
        assert best not in [item for item, _ in again]
        assert again == expected(model, user="U00", history=[best])
    body = {"queries": [{"user": "U00", "history": ["R01"]}]}
    posted = client.post("/recommendations", json=body).json()["lists"][0]
    assert posted["user"] == "U00"
    assert [(item["item_id"], item["score"]) for item in posted["items"]] == expected(
        models["ials"], user="U00", history=[best, "R01"]
    )
    explained = client.post("/explanations", json={"user": "U00", "item": "R23"}).json()
    assert best in [part["name"] for part in explained["parts"]]


def test_a_new_user_is_known_after_an_interaction(
    serve: Any, database: Path, models: dict[str, Any]
) -> None:
    client = serve(database=database)
    assert client.get("/users/newcomer/recommendations").status_code == 404
    assert client.get("/users/newcomer").status_code == 404
    choose(client, ("newcomer", "R00"), weight=2.0, time="2024-05-31T12:00")
    choose(client, ("newcomer", "R03"), time=NOON.timestamp() + 60)
    assert listed(client, "newcomer") == expected(models["ials"], history={"R00": 2.0, "R03": 1.0})
    many = client.post("/recommendations", json={"users": ["newcomer", "U01"]}).json()["lists"]
    assert [entry["user"] for entry in many] == ["newcomer", "U01"]
    assert client.get("/users/newcomer").json() == {
        "user_id": "newcomer",
        "features": {},
        "history": [
            {
                "item_id": "R03",
                "title": "용접공 Welder 3",
                "weight": 1.0,
                "time": "2024-05-31T12:01:00+00:00",
                "record_id": 2,
            },
            {
                "item_id": "R00",
                "title": "Welder 0",
                "weight": 2.0,
                "time": "2024-05-31T12:00:00+00:00",
                "record_id": 1,
            },
        ],
    }
    hits = client.get("/users", params={"q": "newc"}).json()["users"]
    assert hits == [{"user_id": "newcomer", "interactions": 2}]


def test_interactions_survive_a_restart(serve: Any, database: Path, models: dict[str, Any]) -> None:
    client = serve(database=database)
    choose(client, ("newcomer", "R00"), ("newcomer", "R03"), ("U00", "R12"))
    before = [listed(client, "newcomer"), listed(client, "U00")]
    client.__exit__()
    again = serve(database=database)
    assert [listed(again, "newcomer"), listed(again, "U00")] == before


def test_interactions_are_on_disk_before_the_reply(
    serve: Any, database: Path, tmp_path: Path
) -> None:
    """A copy of the files of the running service contains all confirmed interactions."""
    client = serve(database=database)
    for number in range(5):
        assert choose(client, ("U00", f"R{number:02}")).status_code == 200
    copied = tmp_path / "crashed"
    copied.mkdir()
    for file in database.parent.glob("board.duckdb*"):
        (copied / file.name).write_bytes(file.read_bytes())
    with sl.Store(copied / "board.duckdb") as store:
        assert [row.item_id for row in store.recorded()] == [f"R{n:02}" for n in range(5)]


def test_interactions_in_all_bundles_need_no_memory(
    serve: Any, database: Path, bundles: dict[str, Path]
) -> None:
    client = serve(database=database, bundles={"cosine": bundles["cosine"]})
    choose(client, ("newcomer", "R00"), ("newcomer", "R03"), ("U00", "R12"))
    service = client.app_state["service"]
    assert len(service.recent) == 3
    client.__exit__()
    with sl.Store(database, read_only=True) as store:
        model = sl.ItemCosine().fit(store.dataset())
    assert model.data.n_users == 31
    model.save(bundles["cosine"])
    again = serve(database=database, bundles={"cosine": bundles["cosine"]})
    assert len(again.app_state["service"].recent) == 0
    result = model.recommend(["newcomer"])
    assert listed(again, "newcomer") == list(
        zip(result.column("item_id"), result.column("score"), strict=True)
    )


def test_the_store_can_be_read_while_nothing_is_written(serve: Any, database: Path) -> None:
    client = serve(database=database)
    with sl.Store(database, read_only=True) as store:  # as another program that fits on it
        store.dataset()
    assert choose(client, ("U00", "R12")).status_code == 200


def test_all_interactions_of_a_request_are_recorded_or_none(serve: Any, database: Path) -> None:
    client = serve(database=database)
    reply = choose(client, ("U00", "R12"), ("U00", "R99"))
    assert reply.status_code == 404
    assert "unknown item id: 'R99'" in reply.json()["error"]["what"]
    assert "R12" in [item for item, _ in listed(client, "U00", k=24)]


BAD: list[tuple[dict[str, Any], int, str, str | None]] = [
    ({"weight": -1}, 422, "greater than or equal to 0", "interactions.0.weight"),
    ({"weight": "1"}, 422, "valid number", "interactions.0.weight"),
    ({"weight": 1e9}, 422, "less than or equal to 1000000", "interactions.0.weight"),
    ({"time": "yesterday"}, 422, "'yesterday' is not a time", "interactions.0.time"),
    ({"time": 1e300}, 422, "is not a time", "interactions.0.time"),
    ({"time": True}, 422, "valid", "interactions.0.time"),
    ({"user_id": 7}, 422, "user_id 7", None),
    ({"rating": 5}, 422, "there is no 'rating'", "interactions.0.rating"),
]


def test_wrong_interactions(serve: Any, database: Path) -> None:
    client = serve(database=database)
    for more, status, what, where in BAD:
        row = {"user_id": "U00", "item_id": "R12", **more}
        reply = client.post("/interactions", json={"interactions": [row]})
        assert reply.status_code == status, more
        assert what in reply.json()["error"]["what"]
        assert where is None or reply.json()["error"]["where"] == where
    reply = choose(client, *[("U00", "R12")] * 1001)
    assert reply.json()["error"]["what"] == "1001 interactions in one request"
    assert client.post("/interactions", json={"interactions": []}).status_code == 422


def test_concurrent_requests_are_written_together(bundles: dict[str, Path], database: Path) -> None:
    async def scenario() -> tuple[set[int], str]:
        service = Service({"ials": bundles["ials"]}, database=database)
        transport = httpx.ASGITransport(create_app(service))
        async with (
            service.run(),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            asked = [
                client.post(
                    "/interactions",
                    json={"interactions": [{"user_id": f"N{number}", "item_id": "R00"}]},
                )
                for number in range(50)
            ]
            statuses = {reply.status_code for reply in await asyncio.gather(*asked)}
            return statuses, (await client.get("/metrics")).text

    statuses, counted = asyncio.run(scenario())
    assert statuses == {200}
    assert "shortlist_interactions_recorded_total 50.0" in counted
    with sl.Store(database, read_only=True) as store:
        assert {row.user_id for row in store.recorded()} == {f"N{n}" for n in range(50)}


def test_a_request_that_fails_does_not_affect_the_others(
    bundles: dict[str, Path], database: Path
) -> None:
    async def scenario() -> list[Any]:
        service = Service({"ials": bundles["ials"]}, database=database)
        async with service.run():
            rows = [Recorded("A", "R00", 1.0, NOON), Recorded(7, "R00", 1.0, NOON)]
            rows += [Recorded("B", "R00", 1.0, NOON)]
            asked = [service.recorder.submit([row]) for row in rows]
            result = await asyncio.gather(*asked, return_exceptions=True)
            return [entry if isinstance(entry, list) else type(entry).__name__ for entry in result]

    assert asyncio.run(scenario()) == [[1], "InputError", [2]]
    with sl.Store(database, read_only=True) as store:
        assert [row.user_id for row in store.recorded()] == ["A", "B"]


def test_the_memory_for_recent_interactions_is_bounded(
    serve: Any, database: Path, bundles: dict[str, Path]
) -> None:
    client = serve(database=database, unfitted=2)
    assert choose(client, ("N1", "R00"), ("N2", "R00")).status_code == 200
    reply = choose(client, ("N3", "R00"))
    assert reply.status_code == 503
    assert "fit it again" in reply.json()["error"]["what"]
    client.__exit__()
    with pytest.raises(InputError, match="2 interactions were recorded since"):
        Service(bundles, database=database, limits=Limits(unfitted=1))


def test_a_file_that_is_not_a_database(bundles: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no database"):
        Service(bundles, database=tmp_path / "none.duckdb")
    sl.Store.create(tmp_path / "runs.duckdb", "runs").close()
    with pytest.raises(InputError, match="has no interactions"):
        Service(bundles, database=tmp_path / "runs.duckdb")


@pytest.fixture
def recent() -> RecentInteractions:
    return RecentInteractions(capacity=10)


def add(recent: RecentInteractions, *rows: Recorded) -> None:
    recent.add(rows, [next(NUMBERS) for _ in rows])


def test_the_latest_interaction_with_an_item_counts(
    recent: RecentInteractions, data: sl.Dataset
) -> None:
    add(recent, Recorded("A", "R00", 1.0, NOON), Recorded("A", "R01", 1.0, NOON))
    add(recent, Recorded("A", "R00", 3.0, NOON))
    assert len(recent) == 2
    known = recent.extended(sl.Query(user="A", history={"R01": 0.5}), data)
    assert known.user is None
    assert known.weights == {"R00": 3.0, "R01": 0.5}  # the weight of the query counts
    assert list(known.weights) == ["R00", "R01"]


def test_what_the_data_has_already_adds_nothing(
    recent: RecentInteractions, data: sl.Dataset
) -> None:
    query = sl.Query(user="U00")
    assert data.times is not None
    fitted = as_datetime(int(data.times[0]))
    add(recent, Recorded("U00", "R00", 1.0, fitted), Recorded("U00", "X", 1.0, NOON))
    assert (
        recent.extended(query, data) is query
    )  # one is in the training data, one not in the catalogue
    add(recent, Recorded("U00", "R00", 2.0, fitted))
    assert recent.extended(query, data).weights == {"R00": 2.0}
    add(recent, Recorded("U00", "R00", 1.0, NOON))
    assert recent.extended(query, data).weights == {"R00": 1.0}  # again, and later


@pytest.mark.parametrize(
    ("kept", "hours", "is_fitted"),
    [(0, 23, True), (0, 25, False), (3600, 1.0002, True), (3600, 2, False)],
)
def test_a_table_may_keep_times_in_seconds_or_days(
    recent: RecentInteractions, kept: int, hours: float, is_fitted: bool
) -> None:
    log = {"user_id": ["A", "A"], "item_id": ["x", "y"], "at": [5 * DAY_SECONDS + kept, 0]}
    data = sl.Dataset.from_tables(log, time="at")
    add(recent, Recorded("A", "x", 1.0, as_datetime(5 * DAY) + dt.timedelta(hours=hours)))
    assert (recent.lacking(data, "A") == {}) is is_fitted


TIMED = {"at": [0, DAY_SECONDS, 2 * DAY_SECONDS]}
EARLIER, LATER = (as_datetime(days * DAY) for days in (1, 5))


@pytest.mark.parametrize(("times", "weight"), [(TIMED, 5.0), ({}, 0.5)])
def test_the_latest_is_that_of_a_fit(
    recent: RecentInteractions, times: dict[str, list[int]], weight: float
) -> None:
    """By time if the data has times, or else in the order of recording."""
    log = {"user_id": ["A", "B", "B"], "item_id": ["x", "x", "y"], **times}
    data = sl.Dataset.from_tables(log, time=next(iter(times), None))
    add(recent, Recorded("A", "y", 5.0, LATER))
    add(recent, *[Recorded("A", "y", 0.5, EARLIER)] * 12)  # more than are kept of an item
    assert recent.extended(sl.Query(user="A"), data).weights == {"y": weight}
    add(recent, Recorded("B", "y", 0.5, EARLIER))
    superseded = recent.extended(sl.Query(user="B"), data).weights == {}
    assert superseded == bool(times)  # by the interaction of the data


RULES: list[tuple[dict[str, Any], dict[str, float], dict[str, float]]] = [
    ({"positive": "stars >= 4"}, {"z": 4.5}, {"y": 1.0}),
    ({"only": "stars >= 4"}, {"z": 4.5}, {}),
    ({"half_life": 1.0}, {"y": 0.25, "z": 4.5}, {}),
    ({"only": "event = view"}, {"y": 0.5, "z": 4.5}, {}),  # nothing recorded has an event
]


@pytest.mark.parametrize(("rules", "weights", "dislikes"), RULES)
def test_the_rules_of_the_bundle_hold_for_recorded_interactions(
    recent: RecentInteractions,
    rules: dict[str, Any],
    weights: dict[str, float],
    dislikes: dict[str, float],
    tmp_path: Path,
) -> None:
    log = {"user_id": ["A", "B", "C"], "item_id": ["x", "y", "z"], "stars": [5.0, 4.0, 5.0]}
    log |= {"event": ["view"] * 3, **TIMED}
    data = sl.Dataset.from_tables(log, weight="stars", time="at", **rules)
    sl.Popularity().fit(data).save(tmp_path / "bundle")
    rows = [Recorded("A", "y", 0.5, EARLIER), Recorded("A", "z", 4.5, LATER)]
    add(recent, *rows)
    query = recent.extended(sl.Query(user="A"), sl.load(tmp_path / "bundle").data)
    assert (query.weights, query.dislikes) == (weights, dislikes)
    more = {"user_id": "A", "event": "view"}
    entries = [{"stars": s, "at": t, "item_id": i, **more} for _, i, s, t in rows]
    table = sl.Dataset.from_tables(
        pa.concat_tables(
            [
                pa.table(log | {"at": [as_datetime(t * 10**6) for t in TIMED["at"]]}),
                pa.Table.from_pylist(entries),
            ],
            promote_options="default",
        ),
        weight="stars",
        time="at",
        **rules,
    )
    assert recent.extended(sl.Query(user="A"), table).history is None  # it was fitted with them
    recent.refill({1: rows[0], 2: rows[1]}, [table])
    assert len(recent) == 0
    recent.refill({1: rows[0], 2: rows[1]}, [table, data])
    assert len(recent) == len(weights) + len(dislikes)


def test_an_interaction_comes_back_with_a_bundle_that_lacks_it(
    serve: Any, database: Path, bundles: dict[str, Path], data: sl.Dataset, tmp_path: Path
) -> None:
    """Two others are served meanwhile: one without the item, one fitted with the interaction."""
    client = serve(database=database, bundles={"cosine": bundles["cosine"]})
    choose(client, ("newcomer", "R12"))
    recent = client.app_state["service"].recent
    former = sl.load(bundles["cosine"])
    item = int(data.items.rows(["R12"])[0])
    without = data.select(data.item_rows != item).to_arrow()
    for other in (sl.Dataset.from_tables(without, weight="weight", time="time"), None):
        if other is None:
            with sl.Store(database) as store:
                other = store.dataset()
        sl.ItemCosine().fit(other).save(bundles["cosine"])
        eventually(lambda: len(recent) == 0)
        former.save(bundles["cosine"])
        eventually(lambda: len(recent) == 1)
    assert client.get("/users/newcomer").json()["history"][0]["item_id"] == "R12"


def test_the_audience_leaves_out_who_has_just_recorded_the_item(serve: Any, database: Path) -> None:
    client = serve(database=database)

    def audience(**params: Any) -> list[dict[str, Any]]:
        reply = client.get("/items/R12/audience", params={"k": 5, **params}).json()
        users: list[dict[str, Any]] = reply["users"]
        return users

    before = client.get("/items/R12/audience", params={"k": 6}).json()["users"]
    choose(client, (before[1]["user_id"], "R12"))
    after = audience()
    assert [user["user_id"] for user in after] == [before[n]["user_id"] for n in (0, 2, 3, 4, 5)]
    assert [user["rank"] for user in after] == [1, 2, 3, 4, 5]
    assert before[1]["user_id"] in [u["user_id"] for u in audience(exclude_seen=False, k=30)]


def test_a_request_whose_client_has_gone_is_not_written(
    bundles: dict[str, Path], database: Path
) -> None:
    async def scenario() -> list[int]:
        service = Service({"ials": bundles["ials"]}, database=database)
        first = service.recorder.submit([Recorded("A", "R00", 1.0, NOON)])
        second = service.recorder.submit([Recorded("B", "R00", 1.0, NOON)])
        first.cancel()
        async with service.run():
            return await second

    assert asyncio.run(scenario()) == [1]
    with sl.Store(database, read_only=True) as store:
        assert [row.user_id for row in store.recorded()] == ["B"]


def test_a_database_that_fails_for_now_is_503(
    serve: Any, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: Any) -> None:
        raise DatabaseError("board.sqlite is in use")

    client = serve(database=database)
    monkeypatch.setattr(sl.Store, "record", locked)
    reply = choose(client, ("U00", "R12"))
    assert reply.status_code == 503
    assert reply.json()["error"]["what"] == "board.sqlite is in use"


def test_a_service_without_a_database_records_nothing(serve: Any) -> None:
    client = serve()
    reply = choose(client, ("U00", "R12"))
    assert reply.status_code == 409
    assert reply.json()["error"]["remedy"] == "start it with --database DB"
    with pytest.raises(ShortlistError, match="no database"):
        _ = client.app_state["service"].recorder


def test_the_recorder_waits_for_a_database_that_is_open_elsewhere(
    serve: Any, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shortlist.serving.recording._OPEN_SECONDS", 0.1)
    client = serve(database=database)
    with sl.Store(database, read_only=True):
        reply = choose(client, ("U00", "R12"))
        assert reply.status_code == 503
        assert reply.headers["retry-after"] == "1"
    assert choose(client, ("U00", "R12")).status_code == 200
    client.__exit__()
    with sl.Store(database, read_only=True) as store:
        assert len(store.recorded()) == 1


def test_an_interaction_is_taken_back(serve: Any, database: Path) -> None:
    client = serve(database=database)
    before = listed(client, "U00")
    ids = choose(client, ("U00", before[0][0]), ("U00", before[1][0])).json()["ids"]
    history = client.get("/users/U00").json()["history"]
    assert [entry["record_id"] for entry in history[:3]] == [ids[1], ids[0], None]
    after_both = listed(client, "U00")
    again = choose(client, ("U00", before[0][0]), weight=3.0).json()["ids"]
    weights = [entry["weight"] for entry in client.get("/users/U00").json()["history"][:2]]
    assert weights == [3.0, 1.0]
    assert client.delete(f"/interactions/{again[0]}").json() == {"removed": 1}
    weights = [entry["weight"] for entry in client.get("/users/U00").json()["history"][:2]]
    assert weights == [1.0, 1.0]
    assert listed(client, "U00") == after_both  # the former one counts again
    for number in ids:
        assert client.delete(f"/interactions/{number}").json() == {"removed": 1}
    assert listed(client, "U00") == before
    for wrong in (ids[0], 0, 10**30, 9 * "1" + 5000 * "0", "x", -1):
        reply = client.delete(f"/interactions/{wrong}")
        assert reply.status_code == 404
        assert "there is no recorded interaction" in reply.json()["error"]["what"]
    client.__exit__()
    with sl.Store(database, read_only=True) as store:
        assert store.recorded() == []


def test_an_interaction_from_before_a_restart_is_taken_back(serve: Any, database: Path) -> None:
    client = serve(database=database)
    before = listed(client, "U00")
    ids = choose(client, ("U00", before[0][0])).json()["ids"]
    client.__exit__()
    restarted = serve(database=database)
    assert listed(restarted, "U00") != before
    assert restarted.delete(f"/interactions/{ids[0]}").status_code == 200
    assert listed(restarted, "U00") == before


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"user_id": 7}, "the ids of this store are VARCHAR"),
    ({"user_id": ""}, "at least 1 character"),
    ({"user_id": "a\0b"}, "NUL"),
    ({"item_id": "R99"}, "unknown"),
    ({"item_id": ""}, "unknown"),
    ({"weight": 1e30}, "less than or equal to"),
    ({"weight": -1}, "greater than or equal to 0"),
    ({"time": "0001-01-01T00:00"}, "the years 1900 to 2199"),
    ({"time": "2999-01-01T00:00"}, "in the future"),
    ({"time": 1e300}, "is not a time"),
]


@pytest.mark.parametrize(("change", "what"), WRONG)
def test_wrong_interactions_are_refused(
    serve: Any, database: Path, change: dict[str, Any], what: str
) -> None:
    client = serve(database=database)
    row = {"user_id": "U00", "item_id": "R12"} | change
    reply = client.post("/interactions", json={"interactions": [row]})
    assert reply.status_code in (404, 422), reply.text
    assert what in reply.text
    client.__exit__()
    with sl.Store(database, read_only=True) as store:
        assert store.recorded() == []


def test_bad_lines_of_the_database_do_not_stop_the_service(
    serve: Any, database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with duckdb.connect(str(database)) as db:
        db.execute(
            "INSERT INTO recorded_interactions (user_id, item_id, weight, time) "
            "VALUES ('U00', 'R12', 1, '0001-01-01'), ('U00', 'R13', 1, '2024-01-01')"
        )
    client = serve(database=database)
    assert "1 recorded interaction skipped" in caplog.text
    history = client.get("/users/U00").json()["history"]
    assert history[0]["item_id"] == "R13"
