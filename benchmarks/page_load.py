"""How long a first visit to the page takes on a slow connection.

    apt-get install chromium
    pip install -e ".[dev]"
    python benchmarks/page_load.py [--latency 400] [--kilobytes 50] [--repeats 5] [--json OUT]

Starts `shortlist serve` on the film sample, and opens the page in Chromium with an empty cache. Two
visits are measured: a link to the list of a user, until the first row of that list is painted; and
the bare address, until the page suggests users.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow.parquet as pq
from playwright.sync_api import Browser, CDPSession, sync_playwright

import shortlist as sl
from shortlist.data.samples import sample_paths
from shortlist.text import text_table

SERVE = "from shortlist.cli import main; main()"
VISITS = {
    "first list": ("#user=7", ".row .title"),
    "first suggestions": ("", ".picks button"),
}
TIMER = """
addEventListener("DOMContentLoaded", () => {
  const look = () => {
    if (document.querySelector(SELECTOR)) {
      observer.disconnect();
      const note = () => (window.shownAt = performance.now());
      requestAnimationFrame(() => requestAnimationFrame(note));  // once the first frame is painted
    }
  };
  const observer = new MutationObserver(look);
  observer.observe(document.body, {childList: true, subtree: true});
  look();
});
"""


@dataclass(frozen=True)
class Visit:
    """What a visit took until its content was painted."""

    seconds: float
    requests: int
    kilobytes: float  # as transferred, headers included


@contextmanager
def running(bundle: Path) -> Iterator[str]:
    """Start a service, and stop it in the end; give its address."""
    command = [sys.executable, "-c", SERVE, "serve", str(bundle), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if found := re.search(r"http://[\w.]+:\d+/", line):
                    yield found[0]
                    return
            raise RuntimeError("the service did not start")
        finally:
            process.terminate()


def throttle(session: CDPSession, latency: float, kilobytes: float) -> None:
    """Slow the network of a page down."""
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": False})
    session.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": latency,
            "downloadThroughput": kilobytes * 1024,
            "uploadThroughput": kilobytes * 1024,
        },
    )


def visit(browser: Browser, address: str, selector: str, latency: float, kilobytes: float) -> Visit:
    """Open an address with an empty cache, until an element of a selector is painted."""
    with browser.new_context() as context:
        page = context.new_page()
        session = context.new_cdp_session(page)
        throttle(session, latency, kilobytes)
        requests, sizes = [0], [0.0]

        def asked(event: dict[str, dict[str, str]]) -> None:
            requests[0] += event["request"]["url"].startswith("http")  # not the icon in the page

        def loaded(event: dict[str, float]) -> None:
            sizes[0] += event["encodedDataLength"]

        session.on("Network.requestWillBeSent", asked)
        session.on("Network.loadingFinished", loaded)
        page.add_init_script(TIMER.replace("SELECTOR", json.dumps(selector)))
        page.goto(address, wait_until="commit")
        while not page.evaluate(
            "window.shownAt"
        ):  # the policy of the page forbids waiting for code
            page.wait_for_timeout(50)
        seconds = page.evaluate("window.shownAt") / 1000
        return Visit(seconds, requests[0], sizes[0] / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=400, help="ms a request (default 400)")
    parser.add_argument("--kilobytes", type=float, default=50, help="a second (default 50)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    given = parser.parse_args()
    program = shutil.which("chromium")
    if program is None:
        sys.exit("no chromium: apt-get install chromium")

    paths = sample_paths()
    ratings, items = pq.read_table(paths.ratings), pq.read_table(paths.items)
    data = sl.Dataset.from_tables(ratings, items=items, weight="rating", time="rated_at")
    figures: dict[str, list[Visit]] = {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        sl.IALS(embedding_size=32, epochs=4, seed=0).fit(data).save(Path(folder) / "bundle")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        with running(Path(folder) / "bundle") as address:
            for name, (hash_, selector) in VISITS.items():
                figures[name] = [
                    visit(browser, address + hash_, selector, given.latency, given.kilobytes)
                    for _ in range(given.repeats)
                ]
        browser.close()
    rows = [
        [
            name,
            f"{statistics.median(one.seconds for one in visits):.2f}",
            f"{max(one.seconds for one in visits):.2f}",
            str(visits[0].requests),
            f"{visits[0].kilobytes:.0f}",
        ]
        for name, visits in figures.items()
    ]
    print(text_table(["visit, until", "s (median)", "s (worst)", "requests", "KB"], rows))
    if given.json:
        plain = {name: [asdict(one) for one in visits] for name, visits in figures.items()}
        given.json.write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
