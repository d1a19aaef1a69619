"""An interrupted training goes on from the last whole epoch, and ends with the same bits."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from object_store import Bucket

from shortlist.data.dataset import Dataset
from shortlist.errors import InputError
from shortlist.models.ials import checkpoint as checkpoints
from shortlist.models.ials.least_squares import Solver
from shortlist.models.ials.model import IALS
from shortlist.testing import small_world

GIVEN: dict[str, Any] = {"embedding_size": 5, "regularization": 0.02, "weighting": "binary"}


class StoppedError(Exception):
    """As if the process had been killed."""


def interrupt_in_epoch(monkeypatch: pytest.MonkeyPatch, epoch: int) -> None:
    """Stop in the second half of an epoch: two solutions of rows each."""
    improve, calls = Solver.improve, iter(range(1, 2 * epoch + 1))

    def until(self: Solver, *arguments: Any) -> Any:
        if next(calls) == 2 * epoch:
            raise StoppedError
        return improve(self, *arguments)

    monkeypatch.setattr(Solver, "improve", until)


def assert_same(first: IALS, second: IALS) -> None:
    assert first.learned.users.tobytes() == second.learned.users.tobytes()
    assert first.learned.items.tobytes() == second.learned.items.tobytes()
    assert first.learned.settings == second.learned.settings
    assert first.history.equals(second.history)


@pytest.mark.parametrize("solver", ["cg", "exact"])
@pytest.mark.parametrize("regularization", [0.02, "auto"])
def test_the_next_run_goes_on_from_the_last_whole_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, solver: str, regularization: float | str
) -> None:
    data, folder = small_world().data, tmp_path / "training"
    settings = GIVEN | {"solver": solver, "epochs": 5, "regularization": regularization}
    whole = IALS(**settings).fit(data)
    monkeypatch.setattr(IALS, "_settings_for", lambda *_: whole.learned.settings)
    with monkeypatch.context() as patch:
        interrupt_in_epoch(patch, 4)
        with pytest.raises(StoppedError):
            IALS(**settings).fit(data, checkpoint=folder)
    assert {path.name for path in folder.iterdir()} == {
        "training.json", "items-00003.npy", "users-00003-000000000000.npy",
    }  # fmt: skip
    monkeypatch.setattr(IALS, "_settings_for", not_again)
    with monkeypatch.context() as patch:
        interrupt_in_epoch(patch, 3)  # two epochs are left: the third does not come
        assert_same(IALS(**settings).fit(data, checkpoint=folder), whole)
    assert_same(IALS(**settings).fit(data, checkpoint=folder), whole)


def not_again(*_: Any) -> Any:
    raise AssertionError("what was chosen is kept")


def test_vectors_of_users_lie_in_files_of_a_bounded_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "_FILE_BYTES", 300)  # 15 vectors of 5
    data = small_world().data
    IALS(**GIVEN, epochs=1).fit(data, checkpoint=tmp_path)
    names = sorted(path.name for path in tmp_path.glob("users-*"))
    assert [name[6:] for name in names] == [f"00001-{row:012}.npy" for row in (0, 15, 30)]
    on = IALS(**GIVEN, epochs=3).fit(data, checkpoint=str(tmp_path))
    assert_same(on, IALS(**GIVEN, epochs=3).fit(data))


def saved(folder: Path) -> tuple[Dataset, IALS]:
    data, model = small_world().data, IALS(**GIVEN, epochs=2)
    model.fit(data, checkpoint=folder)
    return data, model


def test_the_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    data, model = saved(tmp_path)
    with pytest.raises(InputError) as error:
        IALS(**GIVEN, epochs=1).fit(data, checkpoint=tmp_path)
    assert "the checkpoint has 2 epochs, more than epochs=1" in str(error.value)
    assert "to do: ask for 2 epochs or more, or name another folder" in str(error.value)
    with pytest.raises(InputError, match=r"another training: seed=0 \(here 7\)"):
        IALS(**GIVEN, epochs=2, seed=7).fit(data, checkpoint=tmp_path)
    with pytest.raises(InputError, match=r"another training: other interactions: "):
        model.fit(data.select(data.user_rows < 20), checkpoint=tmp_path)
    with pytest.raises(InputError, match=r"another training: other features of users or items\n"):
        model.fit(dataclasses.replace(data, item_features=None), checkpoint=tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes.txt").touch()
    with pytest.raises(InputError, match=r"the folder holds notes.txt and no checkpoint"):
        model.fit(data, checkpoint=other)
    with pytest.raises(InputError, match="there is no such file or folder"):
        model.fit(data, checkpoint=tmp_path / "no" / "folder")


def rewrite(name: str, change: Callable[[Any], Any]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        [path] = folder.glob(name)
        np.save(path, change(np.load(path)))

    return apply


def without(key: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        state = json.loads((folder / "training.json").read_text())
        del state[key]
        (folder / "training.json").write_text(json.dumps(state))

    return apply


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (rewrite("items-*", lambda items: items[:-1]), "are not 30 vectors of 5"),
        (rewrite("users-*", lambda users: users.astype(float)), "are not 40 vectors of 5"),
        (rewrite("users-*", lambda users: users * np.nan), "numbers that are not finite"),
        (lambda folder: (folder / "training.json").write_text("{"), "Expecting property name"),
        (lambda folder: next(folder.glob("items-*")).write_bytes(b"\x80\x04."), "pickle"),
        (lambda folder: next(folder.glob("users-*")).unlink(), "users-.* is missing"),
        (without("losses"), "'losses'"),
    ],
)
def test_a_damaged_checkpoint_is_refused(
    tmp_path: Path, damage: Callable[[Path], None], text: str
) -> None:
    data, model = saved(tmp_path)
    before = model.learned.users.tobytes()
    damage(tmp_path)
    with pytest.raises(InputError, match=text) as error:
        model.fit(data, checkpoint=tmp_path)
    assert "to do: delete the folder to start from scratch" in str(error.value)
    assert model.learned.users.tobytes() == before


def test_a_checkpoint_in_an_object_store(bucket: Bucket) -> None:
    data = small_world().data
    IALS(**GIVEN, epochs=1).fit(data, checkpoint=bucket.uri("training"))
    assert b'"items-00001.npy"' in bucket.read("training/training.json")
    on = IALS(**GIVEN, epochs=3).fit(data, checkpoint=bucket.uri("training"))
    assert_same(on, IALS(**GIVEN, epochs=3).fit(data))
    with pytest.raises(FileNotFoundError):
        bucket.read("training/items-00001.npy")
