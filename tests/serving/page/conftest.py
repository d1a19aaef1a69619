"""Chromium, and the service whose page it looks at: each is started once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

import shortlist as sl
from shortlist.serving.access import Access
from shortlist.serving.service import Service

from .page_world import PATIENCE, TOKEN, Browser, Open, Page, Watch, World, films, jobs, running


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium, once for all tests."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install it")
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--force-color-profile=srgb", "--disable-dev-shm-usage"],
        )
        yield started
        started.close()


@pytest.fixture(scope="package")
def world(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A service with two models of films and one of postings."""
    data = films()
    models: dict[str, Any] = {
        "ials": sl.IALS(embedding_size=16, epochs=4, seed=0).fit(data),
        "cosine": sl.ItemCosine().fit(data),
        "jobs": sl.ContentBased().fit(jobs()),
    }
    folder = tmp_path_factory.mktemp("page")
    for name, model in models.items():
        model.save(folder / name)
    database = folder / "films.duckdb"
    features = data.item_features
    assert features is not None
    items = pa.table({"item_id": data.items.ids, "title": features["title"]})
    with sl.Store.create(database, "movies") as store:
        store.load({"items": items})
    service = Service({name: folder / name for name in models}, database=database)
    with running(service) as address:
        yield World(address, models, database, service)


@pytest.fixture
def guarded(world: World) -> Iterator[str]:
    """The address of a service that wants a token."""
    bundles = {"ials": world.database.parent / "ials"}
    with running(Service(bundles), Access(token=TOKEN)) as address:
        yield address


@pytest.fixture
def watch() -> Iterator[Watch]:
    """What the pages of a test do; it is checked at the end."""
    watching = Watch()
    yield watching
    watching.check()


@pytest.fixture(scope="package")
def plain(browser: Browser) -> Iterator[Any]:
    """A context in English and in light colours, for tests that leave nothing behind in it."""
    with browser.new_context(locale="en-GB", reduced_motion="reduce") as context:
        yield context


@pytest.fixture
def visit(browser: Browser, plain: Any, world: World, watch: Watch) -> Iterator[Open]:
    """Open the page: what stands after the '#', and options for a browser context of its own."""
    opened: list[Any] = []

    def visit(hash_: str = "", *, address: str = world.address, **options: Any) -> Page:
        context = plain
        if options:
            context = browser.new_context(
                **{"locale": "en-GB", "reduced_motion": "reduce"} | options
            )
            opened.append(context)
        page = context.new_page()
        opened.append(page)
        page.set_default_timeout(PATIENCE)
        watch.follow(page, address)
        page.goto(f"{address}#{hash_}" if hash_ else address)
        return page

    yield visit
    for one in reversed(opened):
        one.close()
