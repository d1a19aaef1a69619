"""Training in shards on a cluster of several nodes: the same bits, whatever dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from ray_nodes import NODE, add_node_without_library, cluster, killing_a_worker

from shortlist.data.dataset import Dataset
from shortlist.engine import Held, RayEngine, ray_held
from shortlist.errors import ConfigError, NumericalError, ShortlistError, UnknownIdError
from shortlist.models.ials.model import IALS
from shortlist.testing import of_matrix

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'shortlist[ray]'")

# Ray leaves some of its sockets to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import it


def board(n_users: int, n_items: int) -> Dataset:
    rng = np.random.default_rng(0)
    chosen = rng.random((n_users, n_items)) < rng.random(n_items) ** 4 * 0.3
    users, items = np.nonzero(chosen)
    return Dataset.from_tables(pa.table({"user_id": users, "item_id": items}))


def model(**settings: Any) -> IALS:
    common = {"embedding_size": 20, "regularization": 0.01, "unobserved_weight": 0.1}
    return IALS(**common | {"epochs": 3} | settings)


def assert_same(first: IALS, second: IALS) -> None:
    assert first.learned.users.tobytes() == second.learned.users.tobytes()
    assert first.learned.items.tobytes() == second.learned.items.tobytes()
    assert first.history.equals(second.history)


# --- a state that is easy to follow --------------------------------------------------------------


@dataclass
class Letters:
    """Holds a text, and writes more letters."""

    text: str
    written: str = ""

    def changed(self) -> str:
        return self.written

    def restore(self, changed: str) -> None:
        self.written = changed


def die_once(folder: Path, name: str) -> None:
    """Die as by the operating system's killer, the first time."""
    mark = folder / name
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def write(letters: Letters, *, number: int, dies: Path | None) -> str:
    if dies is not None and "b" in letters.text:
        die_once(dies, f"write {number}")
    letters.written += str(number)
    return letters.written


def add(letters: Letters, question: str, before: str | None, *, dies: Path | None) -> str:
    if dies is not None and "d" in letters.text:
        die_once(dies, f"add {question[0]}")
    return (before or question) + letters.text


def step(number: int, value: str, *, held: Any, dies: Path | None = None) -> str:
    written = held.each(partial(write, number=number, dies=dies))
    answers: dict[int, str] = {}

    def turn(place: int, answer: str) -> str | None:
        answers[place] = answer
        return answer.upper() if len(answer) < 8 else None

    held.add_up(partial(add, dies=dies), ["x", "y"], turn)
    return f"{value} {written[0]}{answers[0]}{answers[1]}"


def cut(shards: range) -> Letters:
    return Letters("abcdef"[shards.start : shards.stop])


ONCE = "XABCDEFabcdefYABCDEFabcdef"  # the answers of two rounds
AFTER = " ".join(["", f"1{ONCE}", f"12{ONCE}", f"123{ONCE}"])


@pytest.fixture(scope="class")
def two_nodes() -> Iterator[Any]:
    with cluster() as nodes:
        nodes.add_node(**NODE)
        yield nodes


def test_the_shards_are_shared_out_by_their_work() -> None:
    assert ray_held.shares_of([1] * 8, [1, 1]) == [range(4), range(4, 8)]
    assert ray_held.shares_of([1] * 8, [1, 3]) == [range(2), range(2, 8)]
    assert ray_held.shares_of([5, 1, 1, 1, 1, 1], [1, 1]) == [range(1), range(1, 6)]
    assert ray_held.shares_of([1, 1], [4, 4, 4]) == [range(1), range(1, 1), range(1, 2)]
    assert ray_held.shares_of([0, 0, 0], [1, 1]) == [range(0), range(3)]


def refuse(letters: Letters) -> str:
    raise UnknownIdError("no such id", remedy="pass another")


def die(letters: Letters) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class TestTwoNodes:
    """Two nodes of one core."""

    def test_states_live_on_the_nodes_and_answers_pass_along_them(self, two_nodes: Any) -> None:
        with RayEngine().hold(cut, [1] * 6) as held:
            assert len(held) == 2
            assert held.each(lambda letters: letters.text) == ["abc", "def"]
            processes = held.each(lambda _: os.getpid())
            assert len({os.getpid(), *processes}) == 3
            values = list(held.steps(partial(step, held=held), "", range(1, 4), "testing"))
            assert [" ".join(["", *AFTER.split()[:count]]) for count in (1, 2, 3)] == values
            with pytest.raises(UnknownIdError, match=r"^no such id\n  to do: pass another$"):
                held.each(refuse)
            with pytest.raises(UnknownIdError, match=r"^no such id\n  to do: pass another$"):
                held.add_up(lambda *_: refuse(_[0]), ["x"], lambda *_: None)
            assert held.each(lambda letters: letters.written) == ["123", "123"]
        with RayEngine().hold(cut, [1]) as held:
            assert type(held) is Held

    @pytest.mark.parametrize("dying", ["write 1", "write 2", "add X"])
    def test_a_step_runs_again_when_a_worker_is_killed(
        self, two_nodes: Any, tmp_path: Path, dying: str
    ) -> None:
        for name in ("write 1", "write 2", "write 3", "add x", "add y", "add X", "add Y"):
            if name != dying:
                (tmp_path / name).touch()
        with RayEngine().hold(cut, [1] * 6) as held, pytest.warns(RuntimeWarning) as told:
            *_, value = held.steps(
                partial(step, held=held, dies=tmp_path), "", range(1, 4), "testing"
            )
        assert value == AFTER
        number = 2 if dying == "write 2" else 1
        [text] = [str(warning.message) for warning in told]
        assert text.startswith(f"testing: step {number} of 3 was lost to ActorDiedError: ")
        assert text.endswith("; it runs again (attempt 2 of 4)")

    def test_training_gives_the_same_bits_on_two_nodes(self, two_nodes: Any) -> None:
        data = board(1_500, 90)
        assert_same(model().fit(data, engine="ray"), model().fit(data))

    def test_a_system_without_a_solution_is_the_same_error(self, two_nodes: Any) -> None:
        data = of_matrix(np.add.outer(np.arange(1_100), np.arange(60)) % 2 * 3e30)
        heavy = model(weighting="weighted", embedding_size=64)
        with pytest.raises(NumericalError, match=r"largest weight of 3e\+30\n  to do: choose"):
            heavy.fit(data, engine=RayEngine())

    @pytest.mark.slow
    def test_a_step_that_always_kills_its_worker_is_an_error(self, two_nodes: Any) -> None:
        with (
            RayEngine().hold(cut, [1] * 6) as held,
            pytest.warns(RuntimeWarning) as told,
            pytest.raises(ShortlistError, match=r"^testing: step 1 of 1 was lost 4 times, the"),
        ):
            list(held.steps(lambda *_: held.each(die), None, range(1, 2), "testing"))
        assert len(told) == 3

    @pytest.mark.slow
    @pytest.mark.parametrize("title", ["Holder", "Holder.begin", "Holder.each", "Holder.add"])
    def test_a_worker_is_killed_while_vectors_are_learned(self, two_nodes: Any, title: str) -> None:
        data = board(4_000, 300)
        here = model(embedding_size=64).fit(data)
        with pytest.warns(RuntimeWarning) as told, killing_a_worker(two_nodes, title):
            there = model(embedding_size=64).fit(data, engine=RayEngine())
        assert_same(there, here)
        text = str(told[0].message)
        assert "; it runs again (attempt 2 of 4)" in text or "; it is sent again" in text


DRIVER = """
import sys, ray, shortlist as sl
ray.init(address=sys.argv[1], log_to_driver=False, logging_level="ERROR")
model = sl.load(sys.argv[2])
sl.IALS(**model.get_params()).fit(model.data, checkpoint=sys.argv[3], engine="ray")
"""


@pytest.mark.slow
@pytest.mark.parametrize("after", ["local", "ray"])
def test_the_next_run_goes_on_after_the_driver_was_killed(tmp_path: Path, after: str) -> None:
    """On three nodes, and then on one or here."""
    data, folder = board(4_000, 300), tmp_path / "training"
    here = model(embedding_size=64, epochs=20).fit(data)
    bundle = here.save(tmp_path / "bundle")
    with cluster() as nodes:
        others = [nodes.add_node(**NODE) for _ in range(2)]
        driver = subprocess.Popen([sys.executable, "-c", DRIVER, nodes.address, bundle, folder])
        while driver.poll() is None and not (folder / "training.json").exists():
            time.sleep(0.002)
        driver.kill()
        driver.wait()
        done = len(json.loads((folder / "training.json").read_text())["losses"])
        assert 1 <= done < 20
        assert len(list(folder.glob(f"users-{done:05}-*"))) == 3
        for node in others:
            nodes.remove_node(node)
        there = model(embedding_size=64, epochs=20).fit(data, checkpoint=folder, engine=after)
    assert_same(there, here)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 3, 8])
def test_any_number_of_workers_gives_the_same_bits(workers: int) -> None:
    data = board(3_000, 200)
    here = model().fit(data)
    with cluster(num_cpus=0) as nodes:
        for _ in range(workers):
            nodes.add_node(**NODE)
        assert_same(model().fit(data, engine=RayEngine()), here)


@pytest.mark.slow
def test_all_steps_run_again_when_a_node_is_gone() -> None:
    with cluster() as nodes:
        node = nodes.add_node(**NODE)
        with RayEngine().hold(cut, [1] * 6) as held:
            taken = held.steps(partial(step, held=held), "", range(1, 4), "testing")
            assert [next(taken), len(held)] == [f" 1{ONCE}", 2]
            nodes.remove_node(node, allow_graceful=False)
            with pytest.warns(RuntimeWarning) as told:
                *_, value = taken
            assert [value, len(held)] == [AFTER, 1]
    texts = [str(warning.message) for warning in told]
    assert "testing: step 2 of 3 was lost to " in texts[0]
    assert texts[-1] == "testing: a node is gone with its copy; all steps run again"


def texts_on_a_late_node(nodes: Any) -> list[str]:
    """Hold states in a thread; add a node in this one, as Ray wants, two seconds later."""

    def texts() -> list[str]:
        with RayEngine().hold(cut, [1] * 6) as held:
            return held.each(lambda letters: letters.text)

    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(texts)
        time.sleep(2)
        nodes.add_node(**NODE)
        return job.result(timeout=100)


@pytest.mark.slow
def test_it_waits_for_a_node_with_a_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_held, "_PATIENCE", 0.5)
    with cluster(num_cpus=0) as nodes, pytest.warns(RuntimeWarning) as told:
        assert texts_on_a_late_node(nodes) == ["abcdef"]
    assert str(told[0].message) == "no node has a core; waiting for one to join"


@pytest.mark.slow
def test_a_node_without_the_library_is_named(tmp_path: Path) -> None:
    with cluster(num_cpus=0) as nodes:
        add_node_without_library(nodes, tmp_path)
        with pytest.raises(ConfigError, match="cannot import shortlist"):
            model().fit(board(1_500, 90), engine=RayEngine())
