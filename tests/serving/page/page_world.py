"""What the tests of the page share: a service with real films and made-up postings, and helpers."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import uvicorn

import shortlist as sl
from shortlist.data.samples import make_jobs, sample_paths
from shortlist.serving.access import Access
from shortlist.serving.app import create_app
from shortlist.serving.run import bind
from shortlist.serving.service import Service

Browser: TypeAlias = Any
Page: TypeAlias = Any

ATTACK = '<img src=x onerror="document.title=1"><b>Heat</b>'
ATTACKED = 6  # the film whose title that is
TOKEN = "a-token-of-the-test-0123456789"
SOURCES = Path(__file__).parents[3] / "web" / "src"  # of the page
PATIENCE = 10_000  # ms to wait for something on the page


def films() -> sl.Dataset:
    """The films of the sample that forty viewers or more have rated; one title is hostile."""
    paths = sample_paths()
    ratings, items = pq.read_table(paths.ratings), pq.read_table(paths.items)
    counts = ratings.group_by("item_id").aggregate([("rating", "count")])
    known = counts.filter(pc.field("rating_count") >= 40).column("item_id")
    items = items.filter(pc.is_in(items["item_id"], known))
    ratings = ratings.filter(pc.is_in(ratings["item_id"], known))
    titles = pc.if_else(pc.equal(items["item_id"], ATTACKED), ATTACK, items["title"])
    items = items.set_column(items.column_names.index("title"), "title", titles)
    return sl.Dataset.from_tables(ratings, items=items, weight="rating", time="rated_at")


def jobs() -> sl.Dataset:
    """Synthetic résumés and postings with a few columns of every kind."""
    tables = make_jobs(120, 150, seed=3)
    resume, posting = tables["resume"], tables["recruitment"]
    users = pa.table(
        {
            "user_id": resume["resume_seq"],
            "degree": resume["degree"],
            "career_month": resume["career_month"],
            "updated_date": resume["updated_date"],
            "industry": resume["career_job_code"],
            "keywords": pc.split_pattern(resume["text_keyword"], ";"),
        }
    )
    items = pa.table(
        {
            "item_id": posting["recruitment_seq"],
            "education": posting["education"],
            "region": pc.cast(posting["address_seq1"], pa.string()),
            "keywords": pc.split_pattern(posting["text_keyword"], ";"),
        }
    )
    chosen = tables["apply_train"].rename_columns(["user_id", "item_id"])
    return sl.Dataset.from_tables(chosen, users, items)


@dataclass
class World:
    """The service under test, and the models it serves."""

    address: str
    models: dict[str, Any]
    database: Path
    service: Service

    def titles(self, recommendations: Any, model: str = "ials") -> list[str]:
        """The titles of a list, as the page should show them."""
        data = self.models[model].data
        rows = data.items.rows(recommendations.table.column("item_id"))
        named = data.item_features.column_names
        shown = data.item_features["title"] if "title" in named else data.items.ids
        return [str(shown[row].as_py()) for row in rows.tolist()]


@contextmanager
def running(service: Service, access: Access | None = None) -> Iterator[str]:
    """Serve in a thread of this process."""
    taken = bind("127.0.0.1", 0)
    config = uvicorn.Config(create_app(service, access), log_config=None, ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]}, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the service did not start"
        time.sleep(0.01)
    yield f"http://127.0.0.1:{taken.getsockname()[1]}/"
    server.should_exit = True
    thread.join(10)


@dataclass
class Watch:
    """What pages did that they should not do."""

    wrong: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def follow(self, page: Page, address: str) -> None:
        """Note errors, and whatever is asked of another host."""
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.wrong.append(f"exception: {error}"))
        page.on("request", lambda request: self._asked(request.url, address))

    def _asked(self, url: str, address: str) -> None:
        if not url.startswith(address):
            self.wrong.append(f"left for {url}")

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(f"{message.type}: {message.text}")

    def check(self) -> None:
        """Nothing but what a test expects."""
        left = [one for one in self.wrong if not any(re.search(e, one) for e in self.expected)]
        assert left == []


Open: TypeAlias = Callable[..., Page]


def with_sources(page: Page) -> None:
    """Let a page import the modules that its script is bundled from, as /sources/NAME.js."""
    folder = SOURCES / "js"
    page.route(
        "**/sources/**",
        lambda route: route.fulfill(path=folder / route.request.url.partition("/sources/")[2]),
    )


def hits(page: Page) -> Any:
    """What a search has found for the text in the field."""
    return page.locator("[role=listbox]:not([aria-busy]) [role=option]")


def until(page: Page, holds: Callable[[], bool], what: str) -> None:
    """Wait until something holds. (The policy of the page forbids code in strings.)"""
    deadline = time.monotonic() + PATIENCE / 1000
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        page.wait_for_timeout(25)


def settled(page: Page) -> None:
    """Wait until nothing is asked for any more."""
    page.wait_for_selector("#views > *")
    until(page, lambda: not page.locator(".waiting, [aria-busy]").count(), "the page settles")


def titles(page: Page, model: str = "ials") -> list[str]:
    """The titles of a list that is there."""
    found: list[str] = page.locator(f'.column[aria-label="{model}"] .row .title').all_inner_texts()
    return found


def listed(page: Page, model: str = "ials") -> list[str]:
    """The titles of a list, once it is there."""
    page.wait_for_selector(f'.column[aria-label="{model}"] .row')
    settled(page)
    return titles(page, model)


def shows(page: Page, wanted: list[str], model: str = "ials") -> None:
    """Wait until a list is the wanted one."""
    deadline = time.monotonic() + PATIENCE / 1000
    while titles(page, model) != wanted and time.monotonic() < deadline:
        page.wait_for_timeout(25)
    assert titles(page, model) == wanted
