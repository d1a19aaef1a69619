"""A Ray cluster gives the same bits as this machine. Skipped where Ray is not installed."""

from __future__ import annotations

import os
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shortlist import compare, engine, evaluate, tune
from shortlist.bundle import parts
from shortlist.data import split
from shortlist.engine.ray_engine import cores_each
from shortlist.errors import CapabilityError, ConfigError, ShortlistError, UnknownIdError
from shortlist.models.ease import EASE
from shortlist.models.registry import MODULES, model_class
from shortlist.testing import small_world
from shortlist.testing.subject import lists_of

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'shortlist[ray]'")

# Ray leaves some of its sockets to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import it

FEW_BYTES = 3_000  # of a block: the worlds here are cut into many


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """One node with two workers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray.init(
            address="local",
            num_cpus=2,
            object_store_memory=100 * 2**20,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
        )
    yield
    ray.shutdown()


def many_blocks() -> engine.RayEngine:
    return engine.RayEngine(block_bytes=FEW_BYTES)


def quick(name: str) -> Any:
    """Return a model that learns in little time."""
    kind = model_class(name)
    fields = kind.Config.model_fields
    return kind(**{"epochs": 2} if "epochs" in fields else {})


def assert_same_everywhere(name: str) -> None:
    train, test = split.leave_last_out(small_world().data, order="row")
    model = quick(name).fit(train)
    local = lists_of(model)
    with engine.use(many_blocks()):
        remote = lists_of(model)
    for request, table in local.items():
        assert remote[request].combine_chunks().equals(table.combine_chunks()), request
    here, there = (evaluate(model, train, test, engine=where) for where in (None, many_blocks()))
    assert there.to_arrow().equals(here.to_arrow())
    for measure, values in here.measures.items():
        assert there.measures[measure].values.tobytes() == values.values.tobytes(), measure


@pytest.mark.parametrize("name", ["Popularity", "UserCosine", "ItemCosine", "EASE", "IALS"])
def test_lists_and_figures_are_the_same(name: str) -> None:
    assert_same_everywhere(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
def test_every_model_gives_the_same(name: str) -> None:
    assert_same_everywhere(name)


LEARNED_IN_BLOCKS: dict[str, dict[str, Any]] = {
    "ItemCosine": {},
    "RP3beta": {},
    "SparseEASE": {},
    "IALS": {"epochs": 3},
    "IALS by exact solutions": {"epochs": 3, "solver": "exact"},
}
OTHERS = ["UserCosine", "ContentBased", "Hybrid", "EASE", "GraphFilter"]


@pytest.mark.parametrize(
    "name", [*LEARNED_IN_BLOCKS, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)]
)
def test_what_is_learned_is_the_same(name: str) -> None:
    kind, settings = model_class(name.split()[0]), LEARNED_IN_BLOCKS.get(name, {})
    here = kind(**settings).fit(small_world().data)
    there = kind(**settings).fit(small_world().data, engine=many_blocks())
    assert there.history.equals(here.history)
    for part, array in parts.split(here.learned).arrays.items():
        assert parts.split(there.learned).arrays[part].tobytes() == array.tobytes(), part


def assert_same_figures(models: list[Any], others: list[Any]) -> None:
    """Compare models here and others, with the same settings, on the workers."""
    train, test = split.leave_last_out(small_world().data, order="row")
    here = compare(models, train, test)
    there = compare(others, train, test, engine=many_blocks())
    assert there.to_arrow().equals(here.to_arrow())
    for model, other in zip(models, others, strict=True):
        assert other.history.equals(model.history)
        for part, array in parts.split(model.learned).arrays.items():
            assert parts.split(other.learned).arrays[part].tobytes() == array.tobytes(), part


def test_models_that_are_fitted_side_by_side_are_the_same() -> None:
    names = ["Popularity", "ItemCosine", "EASE", "IALS"]
    assert_same_figures(*([quick(name) for name in names] for _ in range(2)))


@pytest.mark.slow
def test_all_models_fitted_side_by_side_are_the_same() -> None:
    assert_same_figures(*([quick(name) for name in MODULES] for _ in range(2)))


def trials_of(model: Any, **arguments: Any) -> list[Any]:
    tuning = tune(model, small_world().data, **arguments)
    return [tuning.check, *(trial.model_dump(exclude={"seconds"}) for trial in tuning.trials)]


@pytest.mark.parametrize(
    ("name", "settings", "arguments"),
    [
        ("ItemCosine", {}, {"trials": 7}),
        ("EASE", {}, {"trials": 12, "folds": 2, "check": False}),
        pytest.param("IALS", {"epochs": 2}, {"trials": 12, "folds": 3}, marks=pytest.mark.slow),
        pytest.param(
            "MatrixFactorization",
            {"embedding_size": 4, "epochs": 25, "init_std": 0.1},
            {"trials": 14},  # some of which are pruned
            marks=pytest.mark.slow,
        ),
    ],
)
def test_trials_that_run_side_by_side_are_the_same(
    name: str, settings: dict[str, Any], arguments: dict[str, Any]
) -> None:
    model = model_class(name)(**settings)
    assert trials_of(model, engine=many_blocks(), **arguments) == trials_of(model, **arguments)


class Fragile(EASE):
    """Its first fit in another process kills that process."""

    mark = Path()
    here = 0

    def learn(self, data: Any) -> Any:
        if os.getpid() != self.here and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().learn(data)


def test_a_fit_and_a_trial_whose_worker_dies_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fragile, "here", os.getpid())
    monkeypatch.setattr(Fragile, "mark", tmp_path / "compare")
    with pytest.warns(RuntimeWarning, match=r"^fitting EASE, Fragile: part 2 of 2 was lost to W"):
        assert_same_figures([EASE(), Fragile()], [EASE(), Fragile()])
    monkeypatch.setattr(Fragile, "mark", tmp_path / "tune")
    lost = r"^tuning Fragile, trials 0, 1, 2, 3, 4: part \d of 5 was lost to WorkerCrashedError: .*"
    with pytest.warns(RuntimeWarning, match=lost + r"running again \(attempt 2 of 4\)$"):
        there = trials_of(Fragile(), trials=5, engine=engine.RayEngine(), check=False)
    assert there == trials_of(EASE(), trials=5, check=False)
    assert {path.name for path in tmp_path.iterdir()} == {"compare", "tune"}


def test_a_model_that_is_trained_by_gradient_is_not_trained_over_a_cluster() -> None:
    with pytest.raises(CapabilityError) as error:
        quick("MatrixFactorization").fit(small_world().data, engine="ray")
    assert str(error.value) == (
        "MatrixFactorization is trained by gradient, in one process and not over a cluster\n"
        "  to do: fit it without an engine; recommend, evaluate, compare and tune take the engine"
    )


def timed(wait: float, piece: str) -> tuple[int, str, float, float]:
    started = time.monotonic()
    time.sleep(wait)
    return os.getpid(), piece, started, time.monotonic()


def test_pieces_run_in_other_processes_and_many_cores_are_shared() -> None:
    results = list(engine.RayEngine().map(partial(timed, 0.0), ["one", "two", "three"], 0, "test"))
    assert [piece for _, piece, _, _ in results] == ["one", "two", "three"]
    assert os.getpid() not in {process for process, *_ in results}
    assert [cores_each([8, 16], pieces) for pieces in (2, 3, 6, 24, 25)] == [8, 8, 4, 1, 1]


def test_pieces_run_at_a_time_where_there_is_memory_for_them() -> None:
    [memory] = [int(node["Resources"]["memory"]) for node in ray.nodes()]
    where = engine.RayEngine()
    first, second = where.map(partial(timed, 0.2), ["one", "two"], memory * 6 // 10, "test")
    assert max(first[2], second[2]) >= min(first[3], second[3])
    assert first[0] != os.getpid()
    results = list(where.map(partial(timed, 0.0), ["one", "two"], 2 * memory, "test"))
    assert [process for process, *_ in results] == [os.getpid()] * 2


def square(values: np.ndarray[Any, Any], block: range) -> tuple[int, list[int]]:
    return os.getpid(), (values[block.start : block.stop] ** 2).tolist()


def test_results_come_in_order_from_other_processes() -> None:
    values = np.arange(50_000)
    rows = engine.RayEngine(block_bytes=1_000).map_rows(partial(square, values), 1_000, 100, "")
    results = list(rows)
    assert [number for _, numbers in results for number in numbers] == [n**2 for n in range(1_000)]
    assert len(results) == 100
    assert os.getpid() not in {process for process, _ in results}


def test_a_single_block_runs_here_and_no_rows_are_no_block() -> None:
    where = engine.RayEngine()
    [(process, numbers)] = where.map_rows(partial(square, np.arange(9)), 3, 1, "")
    assert (process, numbers) == (os.getpid(), [0, 1, 4])
    assert list(where.map_rows(partial(square, np.arange(9)), 0, 1, "")) == []


def record(folder: Path, block: range) -> int:
    (folder / str(block.start)).touch()
    return block.start


def test_blocks_begin_when_they_are_asked_for_and_few_at_a_time(tmp_path: Path) -> None:
    results = engine.RayEngine(block_bytes=1).map_rows(partial(record, tmp_path), 100, 1, "")
    assert not any(tmp_path.iterdir())
    assert [next(results), next(results)] == [0, 1]
    results.close()  # type: ignore[attr-defined]
    assert len(list(tmp_path.iterdir())) <= 6  # two workers with two blocks each, and two asked for


def test_equal_arrays_are_sent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    put = ray.put

    def counting(part: Any) -> Any:
        sent.append(part.nbytes)
        return put(part)

    monkeypatch.setattr(ray, "put", counting)
    values = np.arange(50_000)
    where = engine.RayEngine(block_bytes=1)
    for _ in range(2):
        list(where.map_rows(partial(square, values), 4, 1, "first"))
        list(where.map_rows(partial(square, values.copy()), 4, 1, "a copy"))
    assert [size for size in sent if size >= values.nbytes] == [values.nbytes]
    values[:] = 1  # what changes is sent again
    assert [numbers for _, numbers in where.map_rows(partial(square, values), 3, 1, "")] == [
        [1]
    ] * 3


@pytest.mark.parametrize("error", ["ObjectStoreFullError", "OutOfDiskError"])
def test_an_object_store_that_is_full(monkeypatch: pytest.MonkeyPatch, error: str) -> None:
    def full(part: Any) -> Any:
        raise getattr(ray.exceptions, error)("no room for 9 bytes")

    monkeypatch.setattr(ray, "put", full)
    with pytest.raises(ShortlistError) as caught:
        list(engine.RayEngine(block_bytes=1).map_rows(refuse, 3, 1, "testing"))
    text = str(caught.value)
    assert text.startswith(f"testing: the object store of a node is full ({error}: ")
    assert "to do: start the nodes with a larger --object-store-memory, and with room" in text


def refuse(block: range) -> None:
    raise UnknownIdError("no such id", where=f"row {block.start}", remedy="pass another")


class UnwrittenError(Exception):
    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} and {second}")


def refuse_oddly(block: range) -> None:
    raise UnwrittenError(1, 2)


def test_an_error_of_a_task_is_the_error_of_the_call() -> None:
    where = engine.RayEngine(block_bytes=1)
    with pytest.raises(UnknownIdError) as error:
        list(where.map_rows(refuse, 3, 1, ""))
    assert str(error.value) == "no such id\n  where: row 0\n  to do: pass another"
    assert error.value.code == "unknown_id"
    with pytest.raises(RuntimeError, match=r"^UnwrittenError: 1 and 2$"):
        list(where.map_rows(refuse_oddly, 3, 1, ""))


def die_once(folder: Path, block: range) -> int:
    """Die as by the operating system's killer, the first time that row 1 is worked on."""
    mark = folder / "died"
    if block.start == 1 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return block.start


def test_a_block_whose_worker_dies_runs_again(tmp_path: Path) -> None:
    where = engine.RayEngine(block_bytes=1)
    with pytest.warns(RuntimeWarning) as told:
        assert list(where.map_rows(partial(die_once, tmp_path), 4, 1, "testing")) == [0, 1, 2, 3]
    first = str(told[0].message)
    assert first.startswith("testing: rows 1 to 1 were lost to WorkerCrashedError")
    assert first.endswith("; running again (attempt 2 of 4)")


def die(block: range) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_block_that_always_kills_its_worker_is_an_error() -> None:
    where = engine.RayEngine(block_bytes=1)
    failure = r"rows 0 to 0 were lost 4 times, .* WorkerCrashed"
    with pytest.warns(RuntimeWarning) as told, pytest.raises(ShortlistError, match=failure):
        list(where.map_rows(die, 2, 1, "testing"))
    assert len(told) == 3


def test_another_cluster_needs_a_new_connection() -> None:
    with pytest.raises(
        ConfigError, match="connected to another Ray cluster than ray://there:10001"
    ):
        engine.RayEngine("ray://there:10001")


def test_a_module_that_workers_lack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "only_here.py").write_text("def work(block):\n    return block.start\n")
    monkeypatch.syspath_prepend(tmp_path)
    import only_here  # type: ignore[import-not-found]

    with pytest.raises(ConfigError) as error:
        list(engine.RayEngine(block_bytes=1).map_rows(only_here.work, 2, 1, "testing"))
    assert "cannot import what the task needs (No module named 'only_here')" in str(error.value)
    assert "to do: install shortlist" in str(error.value)


def test_workers_write_the_files_of_a_folder(tmp_path: Path) -> None:
    model = quick("ItemCosine").fit(small_world().data)
    model.recommend_to(tmp_path / "here", lists_per_file=5)
    model.recommend_to(tmp_path / "there", lists_per_file=5, engine=engine.RayEngine())
    files = [
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("here", "there")
    ]
    assert len(files[0]) == 8 + 2
    assert files[1] == files[0]
