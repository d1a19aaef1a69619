"""The lists on the page are those of the models."""

from __future__ import annotations

import csv
import math
import re
from typing import Any

import shortlist as sl

from .page_world import (
    ATTACK,
    ATTACKED,
    Open,
    Watch,
    World,
    hits,
    listed,
    shows,
    titles,
    until,
    with_sources,
)


def test_a_list_is_the_models_own(visit: Open, world: World) -> None:
    page = visit("user=7")
    wanted = world.models["ials"].recommend(users=[7], k=10)
    shows(page, world.titles(wanted))
    assert page.locator(".row .rank").all_inner_texts() == [
        f"rank {rank}\n{rank}" for rank in range(1, 11)
    ]
    shown = [float(text) for text in page.locator(".row .score .number").all_inner_texts()]
    assert shown == [float(f"{score:.3g}") for score in wanted.column("score")]
    shares = page.eval_on_selector_all(
        ".score-bar", "all => all.map((one) => Number(one.style.getPropertyValue('--share')))"
    )
    scores = wanted.column("score")
    assert [round(one, 5) for one in shares] == [round(one / scores[0], 5) for one in scores]
    assert page.title() == "For user 7 · shortlist"


def test_a_list_is_saved_as_csv(visit: Open, world: World) -> None:
    page = visit("user=7")
    wanted = world.models["ials"].recommend(users=[7], k=10)
    shows(page, world.titles(wanted))
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as CSV").click()
    assert saved.value.suggested_filename == "ials.csv"
    with saved.value.path().open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["title"].lstrip("'") for row in rows] == world.titles(wanted)
    assert [int(row["item_id"]) for row in rows] == wanted.column("item_id")
    assert [row["rank"] for row in rows] == [str(rank) for rank in range(1, 11)]
    assert {row["source"] for row in rows} == {"IALS"}


def test_length_and_what_was_chosen(visit: Open, world: World) -> None:
    page = visit("user=7")
    page.get_by_label("List length").fill("5")
    page.keyboard.press("Enter")
    model = world.models["ials"]
    shows(page, world.titles(model.recommend(users=[7], k=5)))
    page.get_by_label("Hide items already chosen").uncheck()
    everything = world.titles(model.recommend(users=[7], k=5, exclude_seen=False))
    shows(page, everything)
    assert page.url.endswith("#user=7&k=5&fresh=no")


def test_a_varied_list(visit: Open, world: World) -> None:
    page = visit("user=7")
    model = world.models["ials"]
    plain, some, much = (
        world.titles(model.recommend(users=[7], k=10, diversity=d)) for d in (0, 0.3, 0.6)
    )
    assert plain != some != much != plain
    shows(page, plain)
    variety = page.get_by_label("Variety")
    variety.focus()
    page.keyboard.press("ArrowDown")
    shows(page, some)
    assert page.url.endswith("#user=7&diversity=0.3")
    assert variety.evaluate("one => one === document.activeElement")
    variety.select_option("Much variety")
    shows(page, much)
    variety.select_option("Best matches only")
    shows(page, plain)
    assert page.url.endswith("#user=7")

    page = visit("user=7&diversity=0.45")  # of an address that somebody wrote
    shows(page, world.titles(model.recommend(users=[7], k=10, diversity=0.45)))
    assert page.get_by_label("Variety").input_value() == "0.45"
    page = visit("user=7&diversity=3")
    shows(page, plain)
    assert page.get_by_label("Variety").input_value() == "0"


def test_filters_reach_the_service(visit: Open, world: World) -> None:
    page = visit("user=7")
    page.get_by_label("Add a filter").select_option("year")
    page.get_by_label("year, from").fill("1995")
    page.get_by_label("Add a filter").select_option("genres")
    page.get_by_label("genres, has").select_option("War")
    where = {"year": {"gte": 1995}, "genres": {"contains": "War"}}
    wanted = world.titles(world.models["ials"].recommend(users=[7], k=10, where=where))
    shows(page, wanted)
    assert page.get_by_text("2 active filters").is_visible()

    page.reload()  # the address holds them
    shows(page, wanted)
    assert page.get_by_label("year, from").input_value() == "1995"

    page.get_by_role("button", name="Remove the filter on year").click()
    where = {"genres": {"contains": "War"}}
    shows(page, world.titles(world.models["ials"].recommend(users=[7], k=10, where=where)))


def test_filters_by_category_and_list(visit: Open, world: World) -> None:
    page = visit("model=jobs&user=U00005")
    model = world.models["jobs"]
    regions = sorted({one for one in model.data.item_features["region"].to_pylist() if one})[:2]
    page.get_by_label("Add a filter").select_option("region")
    for region in regions:
        box = page.get_by_role("group", name="region").get_by_label(region, exact=True)
        if box.count():
            box.check()
        else:
            page.get_by_label("region, is one of").fill(region)
            page.keyboard.press("Enter")
    wanted = model.recommend(users=["U00005"], k=10, where={"region": regions})
    shows(page, world.titles(wanted, "jobs"), "jobs")


def test_nothing_left_and_back_again(visit: Open, world: World) -> None:
    page = visit('user=7&where={"year":{"gte":2090}}')
    page.get_by_text("No item matches all filters.").wait_for()
    page.get_by_role("main").get_by_role("button", name="Remove all filters").click()
    shows(page, world.titles(world.models["ials"].recommend(users=[7], k=10)))
    assert page.get_by_label("year, from").count() == 0


def test_reasons_on_demand_and_switched_on(visit: Open, world: World) -> None:
    page = visit("user=7")
    first = listed(page)[0]
    model = world.models["ials"]
    item = model.recommend(users=[7], k=1).column("item_id")[0]
    parts = model.explain(7, item).parts.to_pylist()
    assert {part["kind"] for part in parts} == {"chosen item"}
    opener = page.get_by_role("button", name=f"Why {first}?")
    assert opener.get_attribute("aria-expanded") == "false"
    opener.click()
    assert opener.get_attribute("aria-expanded") == "true"
    amounts = page.locator(".row").first.locator(".reasons .number")
    amounts.first.wait_for()
    shown = amounts.all_inner_texts()
    decimals = 2 - math.floor(math.log10(parts[0]["amount"]))  # three digits of the largest
    assert shown == [f"{part['amount']:+.{decimals}f}" for part in parts[:6]]
    page.get_by_role("button", name=re.compile(r"^\d+ more$")).last.click()
    assert amounts.count() == min(len(parts), 56)

    page.get_by_label("Show reasons").check()
    until(page, lambda: page.locator(".row .reasons").count() == 10, "every item has its reasons")


def test_two_lists_side_by_side(visit: Open, world: World, watch: Watch) -> None:
    watch.expected = ["status of 404"]
    page = visit("user=7&k=20")
    listed(page)
    page.get_by_label("Compare with").select_option("cosine")
    one = world.models["ials"].recommend(users=[7], k=20).column("item_id")
    other = world.models["cosine"].recommend(users=[7], k=20).column("item_id")
    both = set(one) & set(other)
    assert 0 < len(both) < 20
    shows(page, world.titles(world.models["cosine"].recommend(users=[7], k=20)), "cosine")
    assert page.get_by_text(f"{len(both)} of 20 on both lists").is_visible()
    assert page.locator('.column[aria-label="ials"] .row.shared').count() == len(both)
    marks = page.locator('.column[aria-label="ials"] .row .move [aria-hidden]').all_inner_texts()
    assert marks == [_mark(place, other, item) for place, item in enumerate(one)]
    assert page.locator(".links path").count() == len(both)  # lines from one list to the other

    page.get_by_label("Compare with").select_option("jobs")  # it does not know this user
    page.locator('.column[aria-label="jobs"] .failure').wait_for()
    assert len(titles(page)) == 20


def _mark(place: int, other: list[Any], item: Any) -> str:
    if item not in other:
        return "only here"
    higher = other.index(item) - place
    return f"▲ {higher}" if higher > 0 else f"▼ {-higher}" if higher < 0 else "="


def test_a_choice_is_recorded_and_known(visit: Open, world: World) -> None:
    page = visit("user=11")
    before = listed(page)
    item = world.models["ials"].recommend(users=[11], k=1).column("item_id")[0]
    page.get_by_role("button", name=f"Mark {before[0]} as chosen").click()
    page.get_by_text(f"User 11 gives {before[0]} the rating:").wait_for()
    page.get_by_role("button", name="Rating 4", exact=True).click()
    until(page, lambda: before[0] not in titles(page), "the chosen item leaves the list")
    assert page.locator(".card .plain li button").first.inner_text() == before[0]
    page.get_by_text(f"Recorded: {before[0]}").wait_for(state="attached")
    with sl.Store(world.database) as store:
        assert [(one.user_id, one.item_id, one.weight) for one in store.recorded()] == [
            (11, item, 4.0)
        ]
    page.get_by_text(f"User 11 rated {before[0]} 4.").wait_for()
    page.get_by_role("group", name="Last recorded choice").get_by_role(
        "button", name=f"Undo: {before[0]}"
    ).click()
    until(page, lambda: titles(page) == before, "the list is as before")
    with sl.Store(world.database) as store:
        assert store.recorded() == []


def test_a_choice_can_be_taken_back_after_a_reload(visit: Open, world: World) -> None:
    page = visit("user=12")
    before = listed(page)
    page.get_by_role("button", name=f"Mark {before[0]} as chosen").click()
    page.get_by_role("button", name="Rating 5", exact=True).click()
    until(page, lambda: before[0] not in titles(page), "the chosen item leaves the list")
    page.reload()
    until(page, lambda: len(titles(page)) == len(before), "the list is there again")
    page.locator(".card").get_by_role("button", name=f"Undo: {before[0]}").click()
    until(page, lambda: titles(page) == before, "the list is as before")
    with sl.Store(world.database) as store:
        assert store.recorded() == []


def test_an_open_item(visit: Open, world: World) -> None:
    page = visit("user=7")
    first = listed(page)[0]
    model = world.models["ials"]
    item = model.recommend(users=[7], k=1).column("item_id")[0]
    page.get_by_role("button", name=first, exact=True).click()
    dialog = page.get_by_role("dialog", name=first)
    similar = dialog.get_by_role("region", name="Similar items").locator("button")
    similar.first.wait_for()
    assert similar.all_inner_texts() == world.titles(model.similar([item], k=10))
    audience = dialog.get_by_role("region", name="Best matching users").locator("button")
    audience.first.wait_for()
    users = model.audience([item], k=10).column("user_id")
    assert audience.all_inner_texts() == [f"User {user}" for user in users]

    similar.first.click()
    second = world.titles(model.similar([item], k=10))[0]
    page.get_by_role("dialog", name=second).wait_for()
    page.get_by_role("dialog").get_by_role("button", name="Back").click()
    page.get_by_role("dialog", name=first).wait_for()
    audience.first.click()
    page.get_by_role("heading", name=f"For user {users[0]}").wait_for()
    assert page.get_by_role("dialog").count() == 0


def test_what_the_service_refuses_is_told(visit: Open, watch: Watch) -> None:
    watch.expected = ["status of 404"]
    page = visit("user=999999")
    alert = page.get_by_role("main").get_by_role("alert")
    assert "999999" in alert.inner_text()
    assert "What to do" in alert.inner_text()


def test_a_service_that_does_not_answer(visit: Open, world: World, watch: Watch) -> None:
    watch.expected = ["Failed to load resource: net::ERR"]
    page = visit("user=7")
    listed(page)
    page.route("**/recommendations", lambda route: route.abort())
    page.get_by_label("List length").fill("3")
    page.keyboard.press("Enter")
    page.get_by_text("The service does not respond").wait_for()
    page.unroute("**/recommendations")
    page.get_by_role("button", name="Try again").click()
    shows(page, world.titles(world.models["ials"].recommend(users=[7], k=3)))


def test_a_hostile_title_is_only_text(visit: Open, world: World) -> None:
    page = visit("as=history")
    page.get_by_label("Find an item").fill("<img")
    hits(page).first.wait_for()
    assert ATTACK in hits(page).first.inner_text()
    hits(page).first.click()
    assert page.locator(".chip").inner_text().strip() == ATTACK
    assert page.url.endswith(f"history=%5B{ATTACKED}%5D")
    listed(page)
    page.goto(f"{world.address}#user=7&item={ATTACKED}")
    page.reload()
    page.get_by_role("dialog", name=ATTACK).wait_for()
    assert page.locator("img").count() == 1  # the mark of the page itself
    assert page.title() != "1"


def test_the_address_goes_back_and_forth(visit: Open, world: World) -> None:
    page = visit("user=7")
    seven = listed(page)
    page.get_by_label("Find a user").fill("11")
    hits(page).first.click()
    page.get_by_role("heading", name="For user 11").wait_for()
    page.go_back()
    page.get_by_role("heading", name="For user 7").wait_for()
    shows(page, seven)
    page.go_forward()
    page.get_by_role("heading", name="For user 11").wait_for()


def test_rows_of_the_same_rank_are_at_the_same_height(visit: Open) -> None:
    page = visit("user=7&with=cosine", viewport={"width": 1280, "height": 900})
    listed(page, "cosine")
    places = """all => all.map((one) => { const { top, height } = one.getBoundingClientRect();
      return [Math.round(top), Math.round(height)]; })"""

    def rows(model: str) -> list[list[int]]:
        found: list[list[int]] = page.eval_on_selector_all(f'[aria-label="{model}"] .row', places)
        return found

    until(page, lambda: rows("ials") == rows("cosine"), "the rows are aligned")
    assert len(rows("ials")) == 10
    assert page.locator(".scale").count() == 2


def test_bars_start_at_zero(visit: Open) -> None:
    page = visit()
    with_sources(page)
    bars = page.evaluate(
        """async () => {
          const { scale } = await import("/sources/lists/scorebar.js");
          const of = (...scores) => scores.map(scale(scores.map((score) => ({ score }))));
          return [of(4, 1), of(3, -1), of(-1, -4), of(0, 0)];
        }"""
    )

    def bar(start: float, share: float, zero: float, largest: float) -> dict[str, float]:
        return {"from": start, "share": share, "zero": zero, "largest": largest}

    assert bars == [
        [bar(0, 1, 0, 4), bar(0, 0.25, 0, 4)],
        [bar(0.25, 0.75, 0.25, 3), bar(0, 0.25, 0.25, 3)],
        [bar(0.75, 0.25, 1, 4), bar(0, 1, 1, 4)],
        [bar(0, 0, 0, 0), bar(0, 0, 0, 0)],
    ]


def test_amounts_of_a_column_have_the_same_decimals(visit: Open) -> None:
    page = visit()
    with_sources(page)
    shown = page.evaluate(
        """async () => {
          const { amount } = await import("/sources/format.js");
          const column = (largest, ...values) => values.map((value) => amount(value, largest));
          return [
            column(0.367, 0.367, 0.00435), column(12.5, 12.5, -3.14159), column(1234, 1234, 9),
            [amount(0)], [amount(0.00002), amount(0.1234, 0.5, true)],
          ];
        }"""
    )
    assert shown == [
        ["0.367", "0.004"], ["12.5", "-3.1"], ["1,234", "9"], ["0.00"], ["2.00E-5", "+0.123"],
    ]  # fmt: skip


def test_people_are_told_apart_by_their_features(visit: Open, world: World) -> None:
    page = visit("model=jobs&item=R00001")
    people = page.get_by_role("region", name="Best matching users").locator("li")
    people.first.wait_for()
    model = world.models["jobs"]
    [first] = model.audience(["R00001"], k=1).column("user_id")
    row = int(model.data.users.rows([first])[0])
    known = model.data.user_features.slice(row, 1).to_pylist()[0]
    shown = people.first.inner_text()
    assert f"User {first}" in shown
    assert f"keywords {', '.join(known['keywords'][:3])}" in shown


def test_the_overview_counts_lists_and_requests(visit: Open, world: World) -> None:
    page = visit("user=7")
    listed(page)
    page.get_by_role("button", name="Overview").click()
    dialog = page.get_by_role("dialog", name="Overview")
    models = dialog.get_by_role("table", name="Models").get_by_role("row")
    models.nth(1).wait_for()
    assert [row.split()[0] for row in models.all_inner_texts()[1:]] == ["ials", "cosine", "jobs"]
    cells = models.nth(1).get_by_role("cell").all_inner_texts()
    assert int(cells[1].replace(",", "")) >= 1
    assert cells[2].startswith("0 (0")
    routes = dialog.get_by_role("table", name="Requests").get_by_role("row").all_inner_texts()
    assert any(row.startswith("/recommendations") for row in routes)
    page.get_by_role("button", name="Close").click()
    dialog.wait_for(state="hidden")
