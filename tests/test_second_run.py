"""The second process that does something compiles nothing: every kernel comes from the cache."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shortlist.models.hybrid.model import Hybrid
from shortlist.models.registry import MODULES
from shortlist.testing import small_world

TORCH = {"GMF", "MLP", "NeuMF", "Retrieval", "Ranking", "MultiTask"}
FIT_AND_USE = """
import sys
from numba.core import event

with event.install_recorder("numba:compile") as recorder:
    import shortlist as sl
    from shortlist.models.registry import model_class
    from shortlist.scoring.capabilities import ComparesItems, Explains
    from shortlist.testing import small_world

    small = {"epochs": 2, "stages": ("UserCosine", "ItemCosine")}
    data = small_world().data
    user, items = data.users.ids[0].as_py(), data.items.ids.to_pylist()[:3]
    for name in sys.argv[1:]:
        kind = model_class(name)
        settings = {key: value for key, value in small.items() if key in kind.Config.model_fields}
        model = kind(**settings).fit(data)
        model.recommend(k=3)
        model.recommend(queries=[sl.Query(history=items)], k=3)
        model.audience(items, k=3)
        if isinstance(model, ComparesItems):
            model.similar(items, k=3)
        if isinstance(model, Explains):
            model.explain(user, items[0])
    train, test = sl.split.leave_last_out(data, order="random")
    model = sl.Popularity().fit(train)
    sl.evaluate(model, train, test, k=5)
    sl.evaluate_sampled(model, train, test, k=5)
print([e.data["dispatcher"].py_func.__name__ for _, e in recorder.buffer if e.is_start])
"""


def compiled(*models: str) -> str:
    """Fit and use models in a new process, and return the names of the functions it compiled."""
    done = subprocess.run(
        [sys.executable, "-c", FIT_AND_USE, *models],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    "models",
    [sorted(set(MODULES) - TORCH), pytest.param(sorted(TORCH), marks=pytest.mark.slow)],
    ids=["without torch", "torch"],
)
def test_a_second_process_compiles_nothing(models: list[str]) -> None:
    if compiled(*models) != "[]":  # it has filled the cache
        assert compiled(*models) == "[]"


RECOMMEND = """
import sys
from shortlist.cli import main

try:
    main()
finally:
    slow = {"pandas", "pyarrow.dataset", "scipy.optimize", "torch", "matplotlib"}
    sys.stderr.write(f"imported: {sorted(slow & set(sys.modules))}")
"""


OTHERS = """
from importlib.util import find_spec
from shortlist.cli import _leave_pandas_out

_leave_pandas_out()
assert find_spec("pandas") is not None
import torch._dynamo, pandas
"""


def test_other_libraries_may_import_pandas_in_a_command() -> None:
    pytest.importorskip("torch")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", OTHERS], env=env, check=True)


def test_a_list_from_a_bundle_imports_no_library_that_it_does_not_need(tmp_path: Path) -> None:
    data = small_world().data
    Hybrid().fit(data).save(tmp_path / "bundle")
    done = subprocess.run(
        [sys.executable, "-c", RECOMMEND, "recommend", tmp_path / "bundle", "-k", "1"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout.splitlines()) == data.n_users + 1
    assert done.stderr == "imported: []"
