"""The map of the catalogue."""

from __future__ import annotations

import json
import math
from typing import Any

from .page_world import Open, Page, World, hits, listed, until, with_sources

MARGIN = 28  # px that the page leaves around the whole map


def points(world: World) -> list[dict[str, Any]]:
    encoded = world.service.models.get("ials").map
    assert encoded is not None
    found = json.loads(encoded.content)["points"]
    return sorted(found, key=lambda one: -one["interactions"])


def on_screen(page: Page, point: dict[str, Any]) -> tuple[float, float]:
    box = page.locator("canvas").bounding_box()
    unit = min(box["width"], box["height"]) / 2 - MARGIN
    return box["width"] / 2 + point["x"] * unit, box["height"] / 2 - point["y"] * unit


def far(one: dict[str, Any], other: dict[str, Any]) -> float:
    return math.hypot(one["x"] - other["x"], one["y"] - other["y"])


def painted(page: Page, x: float, y: float) -> list[int]:
    colour: list[int] = page.evaluate(
        """([x, y]) => [...document.querySelector("canvas").getContext("2d")
            .getImageData(Math.round(x), Math.round(y), 1, 1).data]""",
        [x, y],
    )
    return colour


def test_pointing_names_an_item(visit: Open, world: World) -> None:
    page = visit("view=map")
    page.get_by_role("application").wait_for()
    every = points(world)
    lonely = max(every, key=lambda one: min(far(one, other) for other in every if other != one))
    x, y = on_screen(page, lonely)
    page.wait_for_timeout(100)
    assert painted(page, x, y)[3] > 0  # something is drawn there
    page.locator("canvas").hover(position={"x": x, "y": y})
    tip = page.locator(".tip")
    assert lonely["title"] in tip.inner_text()
    assert str(lonely["interactions"]) in tip.inner_text()

    page.locator("canvas").click(position={"x": x, "y": y})
    page.get_by_role("heading", name=lonely["title"], exact=True).wait_for()
    near = sorted((one for one in every if one != lonely), key=lambda one: far(one, lonely))[:10]
    shown = page.locator(".near .plain button").all_inner_texts()
    assert shown == [one["title"] for one in near]


def test_the_list_is_marked_on_it(visit: Open, world: World) -> None:
    page = visit("user=7")
    listed(page)
    page.get_by_role("tab", name="Map").click()
    first = world.models["ials"].recommend(users=[7], k=1).column("item_id")[0]
    point = next(one for one in points(world) if one["item_id"] == first)
    page.get_by_role("application").wait_for()
    page.wait_for_timeout(150)
    x, y = on_screen(page, point)
    accent = page.evaluate(
        """() => { const probe = document.createElement("i"); document.body.append(probe);
            probe.style.color = "var(--accent)"; return getComputedStyle(probe).color; }"""
    )
    red, green, blue, _ = painted(page, x - 6, y)  # beside the number, on its disc
    assert accent == f"rgb({red}, {green}, {blue})"


def test_keys_go_to_neighbours_and_open_items(visit: Open, world: World) -> None:
    page = visit("view=map")
    canvas = page.get_by_role("application")
    canvas.focus()
    page.keyboard.press("ArrowRight")  # the first key goes to the item that most have chosen
    every = points(world)
    here = every[0]
    page.get_by_role("heading", name=here["title"], exact=True).wait_for()
    page.keyboard.press("ArrowRight")
    right = [one for one in every if one["x"] - here["x"] >= far(one, here) * math.sqrt(0.5)]
    there = min((one for one in right if far(one, here) > 0), key=lambda one: far(one, here))
    page.get_by_role("heading", name=there["title"], exact=True).wait_for()
    said = page.locator("#live")
    until(page, lambda: there["title"] in said.inner_text(), "the item is announced")
    page.keyboard.press("Enter")
    page.get_by_role("dialog", name=there["title"]).wait_for()


def test_zoom_and_groups(visit: Open, world: World) -> None:
    page = visit("view=map")
    page.get_by_role("application").wait_for()
    picture = "document.querySelector('canvas').toDataURL()"
    page.wait_for_timeout(150)
    whole = page.evaluate(picture)
    page.get_by_role("button", name="Zoom in").click()
    page.wait_for_timeout(100)
    assert page.evaluate(picture) != whole
    page.get_by_role("button", name="Show the whole map").click()
    page.wait_for_timeout(100)
    assert page.evaluate(picture) == whole

    groups = [one["group"] for one in points(world)]
    largest = max(set(groups), key=groups.count)
    legend = page.get_by_role("list", name="Groups").get_by_role("button")
    assert legend.first.inner_text().split() == [largest, str(groups.count(largest))]
    legend.first.click()
    assert legend.first.get_attribute("aria-pressed") == "false"
    page.wait_for_timeout(100)
    assert page.evaluate(picture) != whole


def test_an_item_is_found_on_it(visit: Open) -> None:
    page = visit("view=map")
    page.get_by_role("combobox", name="Find on the map").fill("jurassic")
    hits(page).first.click()
    page.get_by_role("heading", name="Jurassic Park", exact=True).wait_for()


def test_there_is_no_map_tab_for_a_model_without_a_map(visit: Open) -> None:
    page = visit("model=cosine&user=7&view=map")
    listed(page, "cosine")
    assert page.get_by_role("tab", name="Map").count() == 0
    assert page.locator(".row").first.is_visible()
    page.get_by_label("Model", exact=True).select_option("ials")
    page.get_by_role("tab", name="Map").click()
    page.get_by_role("application").wait_for()


def test_no_title_covers_a_rank(visit: Open) -> None:
    """Beside an item of the list, no title is written that would lie on its rank."""
    page = visit()
    with_sources(page)
    written = page.evaluate(
        """async () => {
          const { draw } = await import("/sources/map/draw.js");
          const size = { width: 600, height: 600 }, view = { scale: 1, x: 0, y: 0 };
          const points = [[-0.5, 0], [-0.46, 0.005], [0.3, 0.5]].map(([x, y], n) =>
            ({ item_id: n, title: `Title ${n}`, x, y, interactions: 5, group: null }));
          const texts = [];
          const does = {
            measureText: (text) => ({ width: 7 * text.length }),
            fillText: (text) => texts.push(text),
          };
          const pen = new Proxy({}, {
            get: (_, name) => does[name] ?? (() => {}),
            set: () => true,
          });
          draw(pen, size, view, {
            points, colour: () => 0, shown: () => true, ranks: new Map([[1, 1]]),
            chosen: new Set(), hovered: null, selected: null,
          }, { groups: ["red"], ground: "white", ink: "black", quiet: "grey", accent: "green" });
          return texts;
        }"""
    )
    assert written == ["1", "Title 1", "Title 2"]  # Title 0 would lie on the rank of item 1
