"""A model goes into MLflow and comes back; pyfunc answers with its lists."""

from __future__ import annotations

import warnings
from pathlib import Path

import pandas as pd
import pytest

import shortlist as sl
from shortlist.errors import InputError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    mlflow = pytest.importorskip("mlflow", reason="no mlflow: pip install 'shortlist[mlflow]'")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # its imports take seconds


@pytest.fixture
def model() -> sl.ItemCosine:
    log = {"user_id": ["a", "a", "b", "b", "c"], "item_id": [1, 2, 1, 3, 2]}
    return sl.ItemCosine(weighting="binary").fit(sl.Dataset.from_tables(log))


def test_a_saved_model_gives_the_same_lists(model: sl.ItemCosine, tmp_path: Path) -> None:
    from shortlist import mlflow as flavour

    flavour.save_model(model, tmp_path / "saved")
    again = flavour.load_model(str(tmp_path / "saved"))
    wanted = model.recommend(["a", "c"], k=2).to_pandas()
    assert again.recommend(["a", "c"], k=2).to_pandas().equals(wanted)
    served = mlflow.pyfunc.load_model(str(tmp_path / "saved"))
    asked = pd.DataFrame({"user_id": ["a", "c"]})
    assert served.predict(asked, params={"k": 2}).equals(wanted)
    assert served.predict(pd.DataFrame({"user_id": ["z"]}))["source"].unique() == ["popularity"]


def test_a_logged_model_is_found_by_its_run(
    model: sl.ItemCosine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shortlist import mlflow as flavour

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "runs").as_uri())
    with mlflow.start_run():
        logged = flavour.log_model(model)
    loaded = flavour.load_model(logged.model_uri)
    assert loaded.recommend(["b"], k=1).column("item_id") == [2]


def test_a_frame_without_users_is_refused(model: sl.ItemCosine) -> None:
    from shortlist.mlflow import _Lists

    with pytest.raises(InputError, match="the input has no column user_id"):
        _Lists(model).predict(pd.DataFrame({"customer": ["a"]}))
