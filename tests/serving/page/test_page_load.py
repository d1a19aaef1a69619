"""A first visit on a slow connection. `benchmarks/page_load.py` measures it in detail."""

from __future__ import annotations

import pytest

from .page_world import Browser, World

LATENCY, BYTES_PER_SECOND = 400, 50 * 1024
REQUESTS = 7  # the page, its script, its style sheet; models, list, user, fields
BOUND = 3.0  # seconds until the first list is painted


@pytest.mark.slow
def test_the_first_list_on_a_slow_connection(browser: Browser, world: World) -> None:
    times = []
    for _ in range(3):  # a busy machine may be slow; a page that is slow always is
        with browser.new_context(locale="en-GB") as context:  # its cache is empty
            page = context.new_page()
            session = context.new_cdp_session(page)
            session.send("Network.enable")
            speed = {"downloadThroughput": BYTES_PER_SECOND, "uploadThroughput": BYTES_PER_SECOND}
            session.send(
                "Network.emulateNetworkConditions",
                {"offline": False, "latency": LATENCY, **speed},
            )
            requests: list[str] = []
            page.on("request", lambda request, urls=requests: urls.append(request.url))
            page.goto(f"{world.address}#user=7", wait_until="commit")
            page.locator(".row .title").first.wait_for()
            page.evaluate("() => new Promise((done) => requestAnimationFrame(() => done()))")
            times.append(page.evaluate("performance.now()") / 1000)
            fetched = [url for url in requests if url.startswith(world.address)]
            assert len(fetched) == len(set(fetched)) == REQUESTS
    assert min(times) < BOUND, times


def test_the_list_is_requested_with_the_models_and_once(browser: Browser, world: World) -> None:
    with browser.new_context(locale="en-GB") as context:
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url.removeprefix(world.address)))
        for path in ("models", "recommendations"):
            page.route(f"**/{path}", lambda route: route.abort())
        page.goto(f"{world.address}#user=7&k=4")
        page.get_by_text("The service does not respond").wait_for()
        assert asked.count("recommendations") == 1  # it did not wait for the models
        for path in ("models", "recommendations"):
            page.unroute(f"**/{path}")
        page.get_by_role("button", name="Try again").click()
        page.locator(".row .title").nth(3).wait_for()
        assert page.locator(".row").count() == 4
        page.wait_for_load_state("networkidle")
        assert asked.count("recommendations") == 2
