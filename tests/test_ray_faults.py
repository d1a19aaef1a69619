"""What breaks on a cluster of several nodes, and that results do not. Skipped without Ray."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from ray_nodes import NODE, add_node_without_library, cluster, killing_a_worker

from shortlist import compare, evaluate, tune
from shortlist.data import split
from shortlist.data.dataset import Dataset
from shortlist.engine import RayEngine, ray_engine
from shortlist.errors import ConfigError
from shortlist.kernels.threads import thread_count
from shortlist.models.cosine import ItemCosine
from shortlist.models.ease import EASE
from shortlist.models.ials.model import IALS
from shortlist.models.registry import load

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'shortlist[ray]'")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # Ray's sockets
]

ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import it


@pytest.fixture(scope="class")
def two_nodes() -> Iterator[Any]:
    with cluster() as nodes:
        nodes.add_node(**NODE)
        yield nodes


@pytest.fixture(scope="module")
def data() -> Dataset:
    """2,000 users and 400 items: enough work to be interrupted."""
    rng = np.random.default_rng(0)
    users, items = rng.integers(2_000, size=40_000), rng.integers(400, size=40_000)
    return Dataset.from_tables(pa.table({"user_id": users, "item_id": items}))


def told(caught: Any) -> str:
    return "\n".join(str(warning.message) for warning in caught)


DRIVER = """
import sys, ray, shortlist as sl
ray.init(address=sys.argv[1], log_to_driver=False, logging_level="ERROR")
sl.load(sys.argv[2]).recommend_to(sys.argv[3], lists_per_file=20, engine="ray")
"""


class TestKilled:
    """A worker is killed in each phase of each job, and then the driver."""

    def test_while_lists_are_made(self, two_nodes: Any, data: Dataset) -> None:
        model = ItemCosine(neighbors=50, weighting="binary", shrinkage=0.0).fit(data)
        expected = model.recommend().table.combine_chunks()
        with pytest.warns(RuntimeWarning) as caught, killing_a_worker(two_nodes):
            lists = model.recommend(engine=RayEngine(block_bytes=200_000))
        assert lists.table.combine_chunks().equals(expected)
        assert "recommending: rows " in told(caught)
        assert "running again (attempt 2 of 4)" in told(caught)

    def test_while_files_are_written(self, two_nodes: Any, data: Dataset, tmp_path: Path) -> None:
        model = ItemCosine(neighbors=50, weighting="binary", shrinkage=0.0).fit(data)
        model.recommend_to(tmp_path / "here", lists_per_file=50)
        with pytest.warns(RuntimeWarning) as caught, killing_a_worker(two_nodes):
            model.recommend_to(tmp_path / "there", lists_per_file=50, engine=RayEngine())
        files = [
            {path.name: path.read_bytes() for path in (tmp_path / name).glob("[!.]*")}
            for name in ("here", "there")
        ]
        assert files[0] == files[1]
        assert "running again" in told(caught)

    def test_while_figures_are_measured(self, two_nodes: Any, data: Dataset) -> None:
        train, test = split.leave_last_out(data, order="row")
        model = ItemCosine(neighbors=50, weighting="binary", shrinkage=0.0).fit(train)
        expected = evaluate(model, train, test)
        with pytest.warns(RuntimeWarning) as caught, killing_a_worker(two_nodes):
            report = evaluate(model, train, test, engine=RayEngine(block_bytes=100_000))
        assert report.to_arrow().equals(expected.to_arrow())
        assert "evaluating ItemCosine: rows " in told(caught)

    def test_while_models_are_compared(self, two_nodes: Any, data: Dataset) -> None:
        train, test = split.leave_last_out(data, order="row")
        expected = compare([EASE(), IALS(epochs=20)], train, test)
        with pytest.warns(RuntimeWarning) as caught, killing_a_worker(two_nodes):
            comparison = compare([EASE(), IALS(epochs=20)], train, test, engine=RayEngine())
        assert comparison.to_arrow().equals(expected.to_arrow())
        assert "fitting EASE, IALS: part " in told(caught)
        assert "was lost to WorkerCrashedError" in told(caught)

    def test_while_settings_are_searched(self, two_nodes: Any, data: Dataset) -> None:
        expected = tune(IALS(epochs=5), data, trials=5, check=False)
        with pytest.warns(RuntimeWarning) as caught, killing_a_worker(two_nodes):
            found = tune(IALS(epochs=5), data, trials=5, check=False, engine=RayEngine())
        values = [[(trial.settings, trial.value) for trial in t.trials] for t in (expected, found)]
        assert values[0] == values[1]
        assert "tuning IALS, trials 0, 1, 2, 3, 4: part " in told(caught)

    def test_the_next_run_goes_on_after_the_driver_was_killed(
        self, two_nodes: Any, data: Dataset, tmp_path: Path
    ) -> None:
        model = ItemCosine(neighbors=50, weighting="binary", shrinkage=0.0).fit(data)
        model.recommend_to(tmp_path / "here", lists_per_file=20)
        folder, bundle = tmp_path / "there", model.save(tmp_path / "bundle")
        driver = subprocess.Popen([sys.executable, "-c", DRIVER, two_nodes.address, bundle, folder])
        while driver.poll() is None and not (folder / "part-00002.parquet").exists():
            time.sleep(0.002)
        driver.kill()
        driver.wait()
        assert not (folder / "_manifest.json").exists()
        written = load(bundle).recommend_to(folder, lists_per_file=20, engine=RayEngine())
        assert written.found >= 2
        assert written.files == 100
        files = [
            {path.name: path.read_bytes() for path in each.glob("[!.]*")}
            for each in (tmp_path / "here", folder)
        ]
        assert files[0] == files[1]


# --- nodes that come, go, and lack something ------------------------------------------------------


def slow_square(block: range) -> int:
    time.sleep(0.3)
    return block.start**2


def squares_while(count: int, seconds: float, change: Callable[[], Any]) -> list[int]:
    """Run a job in a thread; change the nodes in this one, as Ray wants, some seconds later."""
    with ThreadPoolExecutor(1) as pool:
        rows = RayEngine(block_bytes=1).map_rows(slow_square, count, 1, "testing")
        job = pool.submit(list, rows)
        time.sleep(seconds)
        change()
        return job.result(timeout=100)


def test_a_node_joins_late_and_another_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_engine, "_PATIENCE", 0.5)
    with cluster(num_cpus=0) as nodes:
        with pytest.warns(RuntimeWarning, match="no node has a core; waiting for one to join"):
            results = squares_while(4, 2.0, lambda: nodes.add_node(**NODE))
        assert results == [0, 1, 4, 9]
        node = nodes.add_node(**NODE)
        with pytest.warns(RuntimeWarning, match="running again"):
            results = squares_while(60, 5.0, lambda: nodes.remove_node(node, allow_graceful=False))
        assert results == [number**2 for number in range(60)]


def threads_of(piece: int) -> int:
    return thread_count()


def test_few_pieces_get_several_cores_each() -> None:
    with cluster(num_cpus=4) as nodes:
        assert list(RayEngine().map(threads_of, [1, 2], 0, "testing")) == [2, 2]
        nodes.add_node(**NODE | {"num_cpus": 2})
        assert list(RayEngine().map(threads_of, [1, 2], 0, "testing")) == [2, 2]
        assert list(RayEngine().map(threads_of, range(5), 0, "testing")) == [1] * 5


def test_a_node_without_the_library(tmp_path: Path) -> None:
    with cluster(num_cpus=0) as nodes:
        add_node_without_library(nodes, tmp_path)
        with pytest.raises(ConfigError) as error:
            list(RayEngine(block_bytes=1).map_rows(slow_square, 4, 1, "testing"))
    text = str(error.value)
    assert "cannot import shortlist (No module named 'shortlist" in text
    assert "to do: install shortlist 0" in text
