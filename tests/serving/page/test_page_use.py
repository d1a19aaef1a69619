"""The page for everybody: keys, ears, colours, languages, phones, paper, tokens."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest

from .page_world import (
    TOKEN,
    Open,
    Page,
    Watch,
    World,
    hits,
    listed,
    settled,
    shows,
    until,
    with_sources,
)

VIEWS = [
    "",
    "user=7",
    "user=7&with=cosine&reasons=yes",
    "model=jobs&as=description",
    "as=history&history=[1,2]&where={}",
    "user=7&view=map",
    "user=7&item=1",
    'user=7&where={"year":{"gte":2090}}',
]

# The controls of which a screen reader could say nothing.
NAMELESS = """() => [...document.querySelectorAll(
    "a, button, input, select, textarea, canvas, dialog[open], [role=listbox]:not([hidden])")]
  .filter((one) => one.checkVisibility())
  .filter((one) => {
    const by = (one.getAttribute("aria-labelledby") ?? "").split(" ").filter(Boolean)
      .map((id) => document.getElementById(id)?.textContent ?? "").join("");
    const labels = [...(one.labels ?? [])].map((label) => label.textContent).join("");
    const own = ["BUTTON", "A"].includes(one.tagName) ? one.textContent : "";
    return !(one.getAttribute("aria-label") || by || labels || own).trim();
  }).map((one) => one.outerHTML)"""

# Text that is too faint before what is behind it: WCAG AA, 4.5 to 1, and 3 to 1 where it is large.
FAINT = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = (colour) => colour.slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0);
  const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length && (colour[3] ?? 1) === 1) return colour;
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const one of document.querySelectorAll("body *")) {
    const text = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!text || !one.checkVisibility()) continue;
    if (one.closest(".visually-hidden, .skip, option, [disabled]")) continue;
    const style = getComputedStyle(one);
    const [a, b] = [light(parse(style.color)), light(behind(one))].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < (large ? 3 : 4.5)) faint.push(`${contrast.toFixed(2)} ${one.outerHTML}`);
  }
  return faint;
}"""


def go(page: Page, world: World, hash_: str) -> None:
    """Show another view on the same page."""
    page.goto(f"{world.address}#{hash_}&k=9")
    page.wait_for_timeout(80)
    settled(page)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_names_and_contrast_of_every_view(visit: Open, world: World, theme: str) -> None:
    page = visit("user=11", color_scheme=theme)
    for view in VIEWS:
        go(page, world, view)
        assert page.evaluate(NAMELESS) == [], view
        assert page.evaluate(FAINT) == [], view


def test_nothing_sticks_out_of_a_phone(visit: Open, world: World) -> None:
    page = visit("user=11", viewport={"width": 360, "height": 740})
    for language in ("English", "한국어"):
        page.get_by_label(language).check()
        for view in VIEWS:
            go(page, world, view)
            sizes = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
            wide, screen = page.evaluate(sizes)
            assert wide == screen == 360, view


def test_landmarks_and_headings(visit: Open) -> None:
    page = visit("user=7")
    listed(page)
    assert page.get_by_role("banner").count() == page.get_by_role("main").count() == 1
    assert page.get_by_role("contentinfo").count() == 1
    assert page.get_by_role("region", name="Who is the list for?").count() == 1
    assert page.get_by_role("heading", level=1).inner_text() == "shortlist"
    levels = page.eval_on_selector_all(
        "h1, h2, h3, h4",
        "all => all.filter(h => h.checkVisibility()).map(h => Number(h.tagName[1]))",
    )
    assert all(after - before <= 1 for before, after in pairwise(levels))
    ids = page.eval_on_selector_all("[id]", "all => all.map((one) => one.id)")
    assert len(ids) == len(set(ids))
    shown = page.get_by_role("main").aria_snapshot()
    assert re.search(r"- list:\n\s+- listitem:", shown)


def test_all_of_it_with_the_keys(visit: Open, world: World) -> None:
    page = visit()
    page.get_by_text("The list will appear here").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the list"
    for _ in range(12):  # the models, the language, the colours, the tabs, and there
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('role')") == "combobox":
            break
    page.keyboard.type("7")
    hits(page).first.wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="For user 7", exact=True).wait_for()
    until(page, lambda: "10 items for user 7" in _said(page), "the list is announced")

    page.keyboard.press("Shift+Tab")  # back to the tabs, of which one is in the order
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("tab", name="Description").get_attribute("aria-selected") == "true"
    page.keyboard.press("ArrowLeft")
    page.get_by_role("heading", name="For user 7", exact=True).wait_for()

    title = page.locator(".row .title").first
    for _ in range(40):
        page.keyboard.press("Tab")
        if title.evaluate("(one) => one === document.activeElement"):
            break
    assert title.evaluate("(one) => getComputedStyle(one).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")
    assert title.evaluate("(one) => one === document.activeElement")
    assert "item=" not in page.url


def _said(page: Page) -> str:
    text: str = page.locator("#live").inner_text()
    return text


def test_korean_and_english(visit: Open, world: World) -> None:
    page = visit("user=7&with=cosine", locale="ko-KR")
    page.get_by_role("heading", name="사용자 7 추천").wait_for()
    assert page.locator("html").get_attribute("lang") == "ko"
    wanted = world.titles(world.models["ials"].recommend(users=[7], k=10))
    shows(page, wanted)
    page.get_by_label("English").check()
    page.get_by_role("heading", name="For user 7", exact=True).wait_for()
    assert page.locator("html").get_attribute("lang") == "en"
    shows(page, wanted)
    page.reload()
    page.get_by_role("heading", name="For user 7", exact=True).wait_for()


def test_both_languages_say_the_same_things(visit: Open) -> None:
    page = visit()
    with_sources(page)
    kinds = """async () => {
      const [{ en }, { ko }] = await Promise.all(
        ["en", "ko"].map((one) => import(`/sources/words/${one}.js`)));
      const shape = (words) => Object.entries(words).map(([key, word]) => [key,
        typeof word === "object" ? Object.keys(word).join() : `${typeof word} ${word.length > 0}`]);
      return [shape(en), shape(ko)];
    }"""
    english, korean = page.evaluate(kinds)
    assert english == korean
    assert len(english) > 100


def test_colours_are_chosen_and_kept(visit: Open) -> None:
    page = visit("user=7", color_scheme="light")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_label("Dark").check()
    dark = page.evaluate(ground)
    assert _sum(dark) < 100 < 600 < _sum(light)
    page.reload()
    assert page.evaluate(ground) == dark
    page.get_by_label("Same as system").check()
    assert page.evaluate(ground) == light


def _sum(colour: str) -> int:
    return sum(int(part) for part in re.findall(r"\d+", colour)[:3])


def test_on_paper(visit: Open) -> None:
    page = visit("user=7&with=cosine", color_scheme="dark")
    listed(page)
    page.emulate_media(media="print")
    assert page.get_by_role("heading", name="For user 7", exact=True).is_visible()
    assert page.locator(".row .title").first.is_visible()
    for gone in ("#query", "#settings", "#k", ".row .actions"):
        assert not page.locator(gone).first.is_visible(), gone
    ground = page.evaluate("getComputedStyle(document.querySelector('.list')).backgroundColor")
    assert _sum(ground) == 3 * 255


def test_a_token_is_asked_for_and_kept(visit: Open, guarded: str, watch: Watch) -> None:
    watch.expected = ["status of 401"]
    page = visit("user=7", address=guarded, locale="en-GB")
    dialog = page.get_by_role("dialog", name="This service requires a token")
    field = dialog.get_by_label("Token", exact=True)
    assert field.evaluate("(one) => one === document.activeElement && one.type === 'password'")
    field.fill("a-wrong-token")
    page.keyboard.press("Enter")
    dialog.get_by_text("The token was not accepted.").wait_for()
    field.fill(TOKEN)
    page.keyboard.press("Enter")
    listed(page)
    assert TOKEN not in page.url
    assert page.evaluate("JSON.stringify(localStorage)") == "{}"
    page.reload()
    listed(page)  # without asking again
    assert dialog.count() == 0


def test_a_token_that_is_not_given(visit: Open, guarded: str, watch: Watch) -> None:
    watch.expected = ["status of 401"]
    page = visit("user=7", address=guarded, locale="en-GB")
    page.get_by_role("button", name="Cancel").click()
    assert "the token is missing or wrong" in page.get_by_role("alert").inner_text()
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("dialog", name="This service requires a token").wait_for()


def test_large_ids_come_through_whole(visit: Open) -> None:
    page = visit()
    with_sources(page)
    result: list[Any] = page.evaluate(
        """async () => {
          const { readJson, writeJson } = await import("/sources/json.js");
          const { readId, writeId } = await import("/sources/address.js");
          const text = '{"a":[9007199254740993,1.5,-2,1e30],"b":"9007199254740993"}';
          const ids = [7, "7", "007", '"x"', "U 1", 9007199254740993n];
          return [writeJson(readJson(text)), ids.every((id) => readId(writeId(id)) === id)];
        }"""
    )
    assert result == ['{"a":[9007199254740993,1.5,-2,1e+30],"b":"9007199254740993"}', True]
