"""Training in another precision, and on a GPU: the same steps as on the CPU, up to rounding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from shortlist.models.config import TrainingConfig
from shortlist.models.registry import MODULES, load, model_class
from shortlist.testing import small_world

torch = pytest.importorskip("torch")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

TRAINED = sorted(name for name in MODULES if issubclass(model_class(name).Config, TrainingConfig))
EPOCHS = 4
SETTINGS: dict[str, dict[str, Any]] = {
    "SASRec": {"dropout": 0.0, "negatives": None, "validation": 0.0},  # dropout is drawn there
}


def fitted(name: str, **given: Any) -> Any:
    settings = {"epochs": EPOCHS, "batch_size": 32} | SETTINGS.get(name, {}) | given
    return model_class(name)(**settings).fit(small_world().data)


@pytest.fixture(scope="module", params=[pytest.param(name, marks=needs_gpu) for name in TRAINED])
def pair(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    return fitted(request.param), fitted(request.param, device="cuda")


def test_losses_of_every_epoch(pair: tuple[Any, Any]) -> None:
    at_home, on_gpu = (model.history.column("loss").to_numpy() for model in pair)
    assert len(on_gpu) == EPOCHS
    np.testing.assert_allclose(on_gpu, at_home, rtol=2e-3)


def test_lists(pair: tuple[Any, Any]) -> None:
    scores = [
        {(row["user_id"], row["item_id"]): row["score"] for row in lists.to_pylist()}
        for lists in (pa.table(model.recommend(k=5)) for model in pair)
    ]
    both = scores[0].keys() & scores[1].keys()
    assert len(both) > 0.9 * len(scores[0])
    np.testing.assert_allclose(
        [scores[1][entry] for entry in both], [scores[0][entry] for entry in both],
        rtol=0.02, atol=0.01,
    )  # fmt: skip


def test_bundle_of_a_gpu_is_read_anywhere(pair: tuple[Any, Any], tmp_path: Path) -> None:
    pair[1].save(tmp_path / "bundle")
    again = load(tmp_path / "bundle")
    assert pa.table(again.recommend(k=5)).equals(pa.table(pair[1].recommend(k=5)))


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_gpu)])
@pytest.mark.parametrize("name", TRAINED)
def test_bfloat16_learns_nearly_the_same(name: str, device: str) -> None:
    exact, rounded = fitted(name), fitted(name, device=device, precision="bfloat16")
    np.testing.assert_allclose(
        rounded.history.column("loss").to_numpy(), exact.history.column("loss").to_numpy(),
        rtol=0.05,
    )  # fmt: skip


@needs_gpu
@pytest.mark.parametrize("name", TRAINED)
def test_training_goes_on_from_a_checkpoint(name: str, tmp_path: Path) -> None:
    data, file = small_world().data, tmp_path / "state"
    settings = {"batch_size": 32, "device": "cuda"} | SETTINGS.get(name, {})
    model: Any = model_class(name)
    model(epochs=2, **settings).fit(data, checkpoint=file)
    resumed = model(epochs=EPOCHS, **settings).fit(data, checkpoint=file)
    whole = model(epochs=EPOCHS, **settings).fit(data)
    np.testing.assert_allclose(
        resumed.history.column("loss").to_numpy(), whole.history.column("loss").to_numpy(),
        rtol=2e-3,
    )  # fmt: skip
