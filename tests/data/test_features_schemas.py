"""The feature views of both schemas, as the encoder sees them, and an encoder in a bundle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shortlist import bundle
from shortlist.bundle.declarations import Array, FeatureTable
from shortlist.data.dataset import Dataset
from shortlist.data.features import FeatureEncoder
from shortlist.data.samples.jobs import generate_jobs
from shortlist.data.samples.movies import sample_paths
from shortlist.data.store.store import Store
from shortlist.errors import BundleError
from shortlist.models.base import Fitted, Model
from shortlist.models.config import ModelConfig
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import FactorScores, Floats, ItemFactors, Scores


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("jobs")
    files = generate_jobs(folder / "files", 1500, 1200)
    with Store.create(folder / "jobs.duckdb", "jobs") as store:
        store.load(files)
        return store.dataset()


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    with Store.create(tmp_path_factory.mktemp("films") / "films.duckdb", "movies") as store:
        store.load(sample_paths().items.parent)
        return store.dataset()


def test_films_have_a_year_and_genres(films: Dataset) -> None:
    assert films.item_features is not None
    encoder = FeatureEncoder.fit(films.item_features)
    assert {name: spec.kind for name, spec in encoder.kinds.items()} == {
        "year": "number",
        "genres": "labels",
    }
    assert list(encoder.left_out) == ["title"]
    assert encoder.names[:4] == ("year", "year is known", "genres=Action", "genres=Adventure")
    rows = encoder.transform(films.item_features)
    toy_story, toy_story_2, heat = films.items.rows([1, 3114, 6])
    similarity = (rows[[toy_story]] @ rows.T).toarray()[0]
    assert similarity[toy_story] == pytest.approx(2, rel=1e-6)
    assert similarity[toy_story_2] > 1.9 > similarity[heat] > 0
    genres = films.item_features["genres"][int(toy_story)].as_py()
    shown = [encoder.names[index] for index in rows[[toy_story]].indices]
    assert shown == ["year", "year is known", *(f"genres={genre}" for genre in sorted(genres))]


def test_films_without_a_year_have_zeros(films: Dataset) -> None:
    assert films.item_features is not None
    encoder = FeatureEncoder.fit(films.item_features)
    known = encoder.names.index("year is known")
    assert encoder.transform(films.item_features)[:, [known]].nnz == films.n_items - 5


def test_viewers_without_features(films: Dataset) -> None:
    assert films.user_features is not None
    encoder = FeatureEncoder.fit(films.user_features)
    assert encoder.n_features == 0
    assert set(encoder.left_out.values()) == {"no value in any row"}


def test_resumes(jobs: Dataset) -> None:
    assert jobs.user_features is not None
    encoder = FeatureEncoder.fit(jobs.user_features)
    codes = {
        name
        for name in jobs.user_features.column_names
        if name.startswith(("hischool", "univ", "job_code"))
    } - {"univ_score"}
    measured = "reg_date updated_date graduate_date hope_salary last_salary career_month univ_score"
    assert {name: spec.kind for name, spec in encoder.kinds.items()} == {
        **dict.fromkeys(measured.split(), "number"),
        **dict.fromkeys([*codes, "degree", "career_job_code"], "category"),
        "keywords": "labels",
        "languages": "labels",
        "certificates": "text",  # spelled in many ways
    }
    assert encoder.left_out == {}
    assert "degree=4" in encoder.names
    assert "career_job_code=전기;전자;제어" in encoder.names
    assert "certificates~*기사*" in encoder.names
    rows = encoder.transform(jobs.user_features)
    assert rows.shape == (jobs.n_users, encoder.n_features)
    assert np.isfinite(rows.data).all()


def test_postings(jobs: Dataset) -> None:
    assert jobs.item_features is not None
    encoder = FeatureEncoder.fit(jobs.item_features)
    assert encoder.kinds["check_boxes"].kind == encoder.kinds["keywords"].kind == "labels"
    assert encoder.kinds["employee"].kind == "number"
    assert encoder.kinds["address_seq1"].kind == "category"
    unshared = {"address_seq3": "no value occurs in 2 or more rows"}  # in so few postings
    assert encoder.left_out == unshared | {
        "career_end": "no value in any row",
        "career_start": "no value in any row",
        "valid_from": "the start of a life span, not a feature",
        "valid_to": "the end of a life span, not a feature",
    }


def test_a_new_resume(jobs: Dataset) -> None:
    assert jobs.user_features is not None
    encoder = FeatureEncoder.fit(jobs.user_features)
    query = {
        "degree": 4,
        "keywords": ["용접", "없는말"],
        "hope_salary": 3000,
        "job_code_seq1": "77",
    }
    names = jobs.user_features.column_names
    table = pa.Table.from_pylist([dict.fromkeys(names) | query], jobs.user_features.schema)
    row = encoder.transform(table)
    assert [encoder.names[index] for index in row.indices] == [
        "degree=4",
        "hope_salary",
        "hope_salary is known",
        "job_code_seq1 is other",
        "keywords=용접",
    ]


def test_spelling_variants_of_certificates_are_similar(jobs: Dataset) -> None:
    assert jobs.user_features is not None
    table = jobs.user_features.select(["certificates"])
    encoder = FeatureEncoder.fit(table)
    spellings = [["정보처리기사"], ["정보처리 기사 자격증 (취득)"], ["한식조리기능사"]]
    rows = encoder.transform(pa.table({"certificates": spellings}))
    similarity = (rows @ rows.T).toarray()
    assert similarity[0, 1] > 0.2 > similarity[0, 2]


# --- an encoder inside a model's bundle ----------------------------------------------------------


@dataclass(frozen=True)
class Learned:
    """The learned state of a model with an encoder."""

    items_t: Annotated[Floats, Array("n_features", "n_items")]
    encoder: Annotated[pa.Table, FeatureTable("n_features", FeatureEncoder.from_table)]
    nothing: Annotated[
        pa.Table | None, FeatureTable("n_none", FeatureEncoder.from_table, optional=True)
    ]


class FeatureModel(Model[ModelConfig, Learned]):
    """A model that scores items by their features."""

    def learn(self, data: Dataset) -> Fitted[Learned]:
        assert data.item_features is not None
        encoder = FeatureEncoder.fit(data.item_features)
        items = encoder.transform(data.item_features).toarray()
        return Fitted(Learned(np.ascontiguousarray(items.T), encoder.to_table(), None))

    def score(self, profiles: Profiles) -> Scores:
        items_t = self.learned.items_t
        queries = np.asarray(profiles.history @ items_t.T, dtype=np.float32)
        return FactorScores(queries, ItemFactors(items_t))


@pytest.fixture
def saved(tmp_path: Path) -> tuple[FeatureModel, Path]:
    log = pa.table({"user_id": ["ann", "bob"], "item_id": [1, 2]})
    items = pa.table({"item_id": [1, 2], "genres": [["Drama"], ["Crime", "Drama"]]})
    model = FeatureModel().fit(Dataset.from_tables(log, items=items))
    return model, model.save(tmp_path / "bundle")


def test_a_learned_table_is_a_file_of_the_bundle(saved: tuple[FeatureModel, Path]) -> None:
    model, folder = saved
    assert pq.read_table(folder / "learned.encoder.parquet").num_rows == 2
    assert "learned.encoder.parquet" in bundle.read_manifest(folder).files
    loaded, _ = bundle.read(folder, {"FeatureModel": FeatureModel}.__getitem__)
    assert loaded.learned.nothing is None
    assert loaded.learned.encoder.equals(model.learned.encoder, check_metadata=True)
    encoder = FeatureEncoder.from_table(loaded.learned.encoder)
    assert encoder.names == ("genres=Crime", "genres=Drama")
    assert loaded.recommend(k=1).to_arrow().equals(model.recommend(k=1).to_arrow())


def test_a_learned_table_that_was_changed(saved: tuple[FeatureModel, Path]) -> None:
    _, folder = saved
    pq.write_table(pa.table({"a": [1]}), folder / "learned.encoder.parquet")
    with pytest.raises(BundleError, match=r"^learned\.encoder\.parquet is damaged"):
        bundle.read(folder, {"FeatureModel": FeatureModel}.__getitem__)
    (folder / "learned.encoder.parquet").unlink()
    with pytest.raises(BundleError, match=r"^learned\.encoder\.parquet is missing"):
        bundle.read(folder, {"FeatureModel": FeatureModel}.__getitem__)
