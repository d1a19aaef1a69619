"""The synthetic job data has the published marginals, the planted structure and file format.

Expected values are those published about the competition: 8,482 résumés and 6,695 postings.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.samples import generate_jobs, make_jobs
from shortlist.data.samples.jobs.columns import cell, code_values, draw_distinct, quantile_values
from shortlist.data.samples.jobs.words import CERTIFICATES, COMMON_CERTIFICATES, ENDINGS, FIELDS
from shortlist.data.samples.jobs.world import plan_world
from shortlist.errors import InputError

from .held_out import recall

Tables = dict[str, pa.Table]
COLUMNS = {
    "resume": "resume_seq,reg_date,updated_date,degree,graduate_date,hope_salary,last_salary,"
    "text_keyword,job_code_seq1,job_code_seq2,job_code_seq3,career_month,career_job_code",
    "resume_education": "resume_seq,hischool_type_seq,hischool_special_type,hischool_nation,"
    "hischool_gender,hischool_location_seq,univ_type_seq1,univ_type_seq2,univ_transfer,"
    "univ_location,univ_major,univ_sub_major,univ_major_type,univ_score",
    "resume_certificate": "resume_seq,certificate_contents",
    "resume_language": "resume_seq,language,exam_name,score",
    "recruitment": "recruitment_seq,address_seq1,address_seq2,address_seq3,career_end,"
    "career_start,check_box_keyword,education,major_task,qualifications,text_keyword",
    "company": "recruitment_seq,company_type_seq,supply_kind,employee",
    "apply_train": "resume_seq,recruitment_seq",
}


@pytest.fixture(scope="module", params=[0, 1])
def tables(request: pytest.FixtureRequest) -> Tables:
    """The tables of the published size."""
    return make_jobs(seed=request.param)


def counted(column: pa.ChunkedArray) -> dict[object, int]:
    return {entry["values"]: entry["counts"] for entry in column.value_counts().to_pylist()}


def lists(column: pa.ChunkedArray) -> list[list[str]]:
    """Split ';' lists into clean values; skip nulls."""
    return [
        [part.strip() for part in text.split(";") if part.strip()]
        for text in column.drop_null().to_pylist()
    ]


def near(value: float, published: float, tolerance: float = 0.03) -> bool:
    return abs(value / published - 1) <= tolerance


# --- marginals ------------------------------------------------------------------------------------


def test_applications_per_resume(tables: Tables) -> None:
    assert tables["apply_train"].num_rows == 57_946
    sizes = np.array(list(counted(tables["apply_train"]["resume_seq"]).values()))
    assert len(sizes) == 8_482
    assert (np.sum(sizes == 2), np.sum(sizes == 3)) == (1_755, 2_125)
    assert np.percentile(sizes, [0, 50, 90, 95, 99, 100]).tolist() == [2, 4, 15, 20, 41, 77]
    assert round(float(sizes.mean()), 2) == 6.83


def test_applications_per_posting(tables: Tables) -> None:
    sizes = np.sort(list(counted(tables["apply_train"]["recruitment_seq"]).values()))
    assert len(sizes) == 6_695
    assert np.percentile(sizes, [0, 50, 99, 100]).tolist() == [1, 7, 30, 78]
    assert round(float(sizes.mean()), 2) == 8.66
    assert round(sizes[-669:].sum() / sizes.sum(), 2) == 0.24


def test_applications_are_unique_and_shuffled(tables: Tables) -> None:
    log = tables["apply_train"]
    assert log.group_by(log.column_names).aggregate([]).num_rows == log.num_rows
    for key in log.column_names:
        rows = np.array([int(text[1:]) for text in log[key].to_pylist()])
        assert abs(np.corrcoef(rows, np.arange(len(rows)))[0, 1]) < 0.02


def test_resumes(tables: Tables) -> None:
    table = tables["resume"]
    assert table.num_rows == 8_482
    assert table["resume_seq"][0].as_py() == "U00001"
    assert table["resume_seq"][-1].as_py() == "U08482"
    assert counted(table["degree"]) == {2: 211, 3: 463, 4: 7_453, 5: 349, 6: 6}
    zeros = {
        "graduate_date": 792,
        "hope_salary": 4_963,
        "last_salary": 2_409,
        "career_month": 1_095,
    }
    largest = {"graduate_date": 2022, "hope_salary": 10_000, "last_salary": 10_000}
    for name, count in zeros.items():
        assert counted(table[name])[0] == count, name
        assert pc.max(table[name]).as_py() == (largest | {"career_month": 432})[name], name
    graduated = table["graduate_date"].to_numpy()
    assert graduated[graduated > 0].min() == 1975
    days = [str(day) for day in pc.min_max(table["reg_date"]).as_py().values()]
    assert days == ["2000-10-15", "2020-12-31"]
    assert pc.unique(pc.year(table["updated_date"])).to_pylist() == [2020]
    assert pc.all(pc.less_equal(table["reg_date"], table["updated_date"])).as_py()
    nulls = {name: table[name].null_count for name in table.column_names}
    assert {name: count for name, count in nulls.items() if count} == {
        "text_keyword": 195,
        "job_code_seq2": 7_982,
        "job_code_seq3": 8_295,
        "career_job_code": 758,
    }
    assert max(counted(table["job_code_seq1"]).values()) == 7_288
    codes = [len(counted(table[f"job_code_seq{i}"].drop_null())) for i in (1, 2, 3)]
    assert codes == [9, 11, 11]
    industries = set(table["career_job_code"].drop_null().to_pylist())
    assert len(industries) == 41
    assert any(";" in name for name in industries)


def test_keywords_are_messy_lists(tables: Tables) -> None:
    column = tables["resume"]["text_keyword"]
    word_lists = lists(column)
    assert near(float(np.mean([len(words) for words in word_lists])), 3.4)
    assert near(len({word for words in word_lists for word in words}), 2_883)
    assert all(len(set(words)) == len(words) >= 1 for words in word_lists)
    texts = column.drop_null().to_pylist()
    assert 0.02 < np.mean([text.endswith(";") for text in texts]) < 0.04
    assert any("; " in text for text in texts)


def test_education(tables: Tables) -> None:
    table = tables["resume_education"]
    assert table["resume_seq"].equals(tables["resume"]["resume_seq"])
    numbers = {
        "hischool_type_seq": 12,
        "hischool_special_type": 5,
        "hischool_nation": 3,
        "hischool_gender": 4,
        "hischool_location_seq": 17,
        "univ_type_seq1": 6,
        "univ_type_seq2": 10,
        "univ_location": 18,
        "univ_major_type": 23,
    }
    assert {name: len(counted(table[name])) for name in numbers} == numbers
    assert counted(table["univ_type_seq1"])[0] == counted(table["univ_type_seq2"])[0] == 923
    assert counted(table["univ_transfer"]) == {0: 8_444, 1: 38}
    assert pc.min_max(table["univ_score"]).as_py() == {"min": 0, "max": 100}
    for name in ("univ_major", "univ_sub_major"):
        assert table[name].null_count > 0.99 * 8_482
        assert max(counted(table[name].drop_null()).values()) == 1


def test_certificates_are_free_text(tables: Tables) -> None:
    table = tables["resume_certificate"]
    assert near(table.num_rows, 12_975, 0.001)
    held = counted(table["resume_seq"])
    assert (len(held), max(held.values())) == (5_976, 10)
    assert table["certificate_contents"].null_count == 4
    spellings = set(table["certificate_contents"].drop_null().to_pylist())
    assert near(len(spellings), 1_786)
    assert len(CERTIFICATES) + len(COMMON_CERTIFICATES) == 132
    assert {"컴퓨터활용능력 2급", "컴퓨터활용능력2급", "컴퓨터활용능력 2급 자격증"} <= spellings


def test_languages(tables: Tables) -> None:
    table = tables["resume_language"]
    assert table.num_rows == 869
    assert table.group_by(table.column_names).aggregate([]).num_rows == 868
    assert len(counted(table["resume_seq"])) == 820
    assert len(counted(table["language"])) == 5
    assert len(counted(table["exam_name"])) == 15
    assert pc.min_max(table["score"]).as_py() == {"min": 0.0, "max": 989.9}


def test_postings(tables: Tables) -> None:
    table = tables["recruitment"]
    assert table.num_rows == 6_695
    assert table["recruitment_seq"][-1].as_py() == "R06695"
    assert max(counted(table["address_seq1"]).values()) == pytest.approx(6_490, abs=1)
    assert table["address_seq1"].null_count == 1
    for name in ("address_seq2", "address_seq3"):
        assert 0.98 <= table[name].null_count / 6_695 <= 0.999
    for name in ("career_start", "career_end"):
        assert counted(table[name]) == {0: 6_695}
    assert set(counted(table["education"])) == {1, 2, 3, 4}
    assert set(counted(table["qualifications"])) == {0, 1, 2}
    tasks = counted(table["major_task"])
    assert (len(tasks), max(tasks.values())) == (7, 6_341)
    boxes = lists(table["check_box_keyword"])
    assert sum("2101" in codes for codes in boxes) == 6_195
    codes = {code for ticked in boxes for code in ticked}
    assert len(codes) == 61
    assert all(len(code) == 4 and code.isdigit() for code in codes)
    assert near(len(counted(table["check_box_keyword"])), 761)
    assert table["text_keyword"].null_count == 5_988
    words = {word for listed in lists(table["text_keyword"]) for word in listed}
    assert near(len(words), 533, 0.05)


def test_companies(tables: Tables) -> None:
    table = tables["company"]
    assert table.num_rows == len(counted(table["recruitment_seq"])) == 2_377
    assert len(counted(table["company_type_seq"])) == 6
    assert len(counted(table["supply_kind"])) == 17
    assert pc.min_max(table["employee"]).as_py() == {"min": 0, "max": 12_223}


# --- planted structure ----------------------------------------------------------------------------


def test_collaborative_filtering_does_as_well_as_on_the_real_data() -> None:
    """Reported: user cosine .115 to .126, popularity .006, the best about .13."""
    recalls = recall(plan_world(8_482, 6_695, seed=0))
    assert 0.003 < recalls["popularity"] < 0.009
    assert 0.110 < recalls["user cosine"] < 0.135
    assert 0.100 < recalls["item cosine"] < 0.130


@pytest.mark.parametrize("seed", [3, 4])
def test_it_does_as_well_at_a_smaller_size(seed: int) -> None:
    recalls = recall(plan_world(2_000, 1_600, seed))
    assert recalls["user cosine"] > 4 * recalls["popularity"]
    assert recalls["item cosine"] > 3 * recalls["popularity"]


def test_resumes_prefer_postings_of_their_field() -> None:
    world = plan_world(8_482, 6_695, seed=0)
    resume_field = cell(world.resume_work, len(FIELDS))
    posting_field = cell(world.posting_work, len(FIELDS))
    same = resume_field[world.resume_rows] == posting_field[world.posting_rows]
    assert 0.7 < same.mean() < 0.9  # by chance: one in twenty
    assert np.bincount(resume_field, minlength=20).min() > 250


def test_words_and_boxes_reveal_the_field() -> None:
    world, tables = plan_world(8_482, 6_695, seed=0), make_jobs()
    resume_field = cell(world.resume_work, len(FIELDS))
    posting_field = cell(world.posting_work, len(FIELDS))
    field_of = {
        word + ending: row
        for row, field in enumerate(FIELDS)
        for word in field.specialities
        for ending in ENDINGS
    }
    given = np.flatnonzero(tables["resume"]["text_keyword"].is_valid().to_numpy())
    named = [
        field_of[word] == resume_field[row]
        for row, words in zip(given, lists(tables["resume"]["text_keyword"]), strict=True)
        for word in words
        if word in field_of
    ]
    assert 0.7 < np.mean(named) < 0.95
    # A tick other than the usual one: how often do two postings of a field share it?
    ticked = np.zeros((6_695, 2_710 - 2_200 + 1))
    for row, codes in enumerate(lists(tables["recruitment"]["check_box_keyword"])):
        ticked[row, [int(code) - 2_200 for code in codes if code != "2101"]] = 1
    by_field = np.array([ticked[posting_field == field].mean(0) for field in range(20)])
    assert np.sum(by_field**2, axis=1).mean() > 3 * np.sum(ticked.mean(0) ** 2)


def test_features_help_resumes_without_applications() -> None:
    """Recommend the postings of résumés with the same keywords to new résumés."""
    world, tables = plan_world(4_000, 3_200, seed=0), make_jobs(4_000, 3_200, seed=0)
    words = lists(pa.chunked_array([tables["resume"]["text_keyword"].fill_null("")]))
    vocabulary = {
        word: index for index, word in enumerate(sorted({w for row in words for w in row}))
    }
    rows = np.repeat(np.arange(4_000), [len(row) for row in words])
    columns = [vocabulary[word] for row in words for word in row]
    spoken = csr_array((np.ones(len(rows)), (rows, columns)), shape=(4_000, len(vocabulary)))
    weighted = spoken * np.log(4_000 / spoken.sum(0))[None, :]
    profile = csr_array(weighted)
    log = (np.ones(len(world.resume_rows)), (world.resume_rows, world.posting_rows))
    applied = csr_array(log, shape=(4_000, 3_200))
    new, old = np.arange(800), np.arange(800, 4_000)
    scores = (profile[new] @ profile[old].T @ applied[old]).toarray()
    popular: NDArray[np.float64] = np.tile(applied[old].sum(0), (len(new), 1))

    def mean_recall(block: NDArray[np.float64]) -> float:
        best = np.argsort(-block, axis=1, kind="stable")[:, :5]
        hits = np.take_along_axis(applied[new].toarray(), best, axis=1).sum(1)
        return float(np.mean(hits / np.minimum(applied[new].sum(1), 5)))

    assert mean_recall(scores) > 2.5 * mean_recall(popular)


# --- any size -------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(
    st.integers(100, 500).flatmap(
        lambda n: st.tuples(st.just(n), st.integers(150, min(4 * n, 700)), st.integers(0, 2**32))
    )
)
def test_every_size_is_consistent(size: tuple[int, int, int]) -> None:
    n_resumes, n_postings, seed = size
    tables = make_jobs(n_resumes, n_postings, seed)
    log = tables["apply_train"]
    assert log.group_by(log.column_names).aggregate([]).num_rows == log.num_rows
    applied = counted(log["resume_seq"])
    assert set(applied) == set(tables["resume"]["resume_seq"].to_pylist())
    assert (min(applied.values()), max(applied.values())) == (2, 77)
    assert set(log["recruitment_seq"].to_pylist()) == set(
        tables["recruitment"]["recruitment_seq"].to_pylist()
    )
    assert len(applied) == n_resumes
    assert tables["recruitment"].num_rows == n_postings


def test_many_more_resumes_than_postings() -> None:
    log = make_jobs(3_000, 150)["apply_train"]
    assert near(log.num_rows, 3_000 * 6.83, 0.01)
    assert log.group_by(log.column_names).aggregate([]).num_rows == log.num_rows


@pytest.mark.slow
def test_a_hundred_thousand_resumes_get_six_digits() -> None:
    tables = make_jobs(100_000, 6_695)
    assert tables["resume"]["resume_seq"][-1].as_py() == "U100000"
    assert near(tables["apply_train"].num_rows, 683_000, 0.01)


@given(st.dictionaries(st.integers(0, 99), st.integers(1, 50), min_size=1), st.integers(0, 200))
def test_codes_have_their_shares(counts: dict[int, int], n: int) -> None:
    deck = code_values(counts, n)
    assert len(deck) == n
    for code, count in counts.items():
        assert abs(np.sum(deck == code) - count / sum(counts.values()) * n) <= 1


def test_numbers_have_their_quantiles() -> None:
    deck = quantile_values([(0, 5), (0.25, 5), (0.25, 10), (1, 16)], 9)
    assert deck.tolist() == [5, 5, 10, 11, 12, 13, 14, 15, 16]


def test_distinct_draws_have_the_given_sizes() -> None:
    rng = np.random.default_rng(0)
    sizes = np.array([0, 3, 1, 0, 5])
    rows, values = draw_distinct(sizes, lambda rows: rng.integers(0, 40, len(rows)), 40)
    assert np.bincount(rows, minlength=5).tolist() == sizes.tolist()
    assert len(set(zip(rows.tolist(), values.tolist(), strict=True))) == 9
    assert rows.tolist() == sorted(rows.tolist())


# --- files ----------------------------------------------------------------------------------------


def test_the_files_have_the_published_form(tmp_path: Path) -> None:
    folder = generate_jobs(tmp_path / "jobs", 200, 150, seed=3)
    assert folder == tmp_path / "jobs"
    names = {path.name for path in folder.iterdir()}
    assert names == {f"{name}.csv" for name in COLUMNS} | {"README-SYNTHETIC.txt"}
    tables = make_jobs(200, 150, seed=3)
    for name, header in COLUMNS.items():
        content = (folder / f"{name}.csv").read_bytes()
        assert content.startswith(b"\xef\xbb\xbf" + header.encode() + b"\n"), name
        assert content.endswith(b"\n")
        rows = list(csv.DictReader(content.decode("utf-8-sig").splitlines()))
        assert len(rows) == tables[name].num_rows
        for column in header.split(","):
            empty = sum(row[column] == "" for row in rows)
            assert empty == tables[name][column].null_count, (name, column)
    note = (folder / "README-SYNTHETIC.txt").read_text(encoding="utf-8")
    assert note.startswith("SYNTHETIC DATA.")
    assert note.endswith("resumes: 200\npostings: 150\nseed: 3\n")


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    def contents(name: str, seed: int) -> dict[str, bytes]:
        folder = generate_jobs(tmp_path / name, 300, 200, seed)
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    first = contents("first", 7)
    assert contents("second", 7) == first
    other_seed = contents("third", 8)
    assert all(other_seed[name] != first[name] for name in first)


def test_synthetic_files_are_replaced(tmp_path: Path) -> None:
    generate_jobs(tmp_path / "jobs", 300, 200)
    generate_jobs(tmp_path / "jobs", 200, 150)
    lines = (tmp_path / "jobs" / "resume.csv").read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == 201
    assert [path.name for path in tmp_path.iterdir()] == ["jobs"]


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_resumes": -1}, "n_resumes is -1; it must be an integer of 100 or more"),
        ({"n_resumes": 99}, "n_resumes is 99; it must be an integer of 100 or more"),
        ({"n_postings": 149}, "n_postings is 149; it must be an integer of 150 or more"),
        ({"n_postings": 0}, "n_postings is 0; it must be an integer of 150 or more"),
        ({"n_resumes": 200.0}, "n_resumes is 200.0; it must be an integer of 100 or more"),
        ({"seed": -5}, "seed is -5; it must be an integer of 0 or more"),
        ({"seed": True}, "seed is True; it must be an integer of 0 or more"),
        (
            {"n_resumes": 100, "n_postings": 401},
            "401 postings are too many for 100 résumés: at most 400, or some would have no",
        ),
    ],
)
def test_sizes_out_of_bounds(arguments: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        generate_jobs(tmp_path / "jobs", **arguments)
    assert str(caught.value).startswith(message)
    assert "where: argument " in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_other_files_is_not_changed(tmp_path: Path) -> None:
    (tmp_path / "resume.csv").write_text("the real one")
    with pytest.raises(InputError, match="holds other files, which would be deleted") as caught:
        generate_jobs(tmp_path, 200, 150)
    assert "where: resume.csv\n" in str(caught.value)
    generate_jobs(tmp_path / "jobs", 200, 150)
    (tmp_path / "jobs" / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match=r"where: mine\.txt"):
        generate_jobs(tmp_path / "jobs", 200, 150)
    assert (tmp_path / "resume.csv").read_text() == "the real one"
    assert (tmp_path / "jobs" / "mine.txt").read_text() == "keep"


def test_a_folder_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is a file\n  to do: choose a folder"):
        generate_jobs(tmp_path / "file", 200, 150)
    with pytest.raises(InputError, match="does not exist"):
        generate_jobs(tmp_path / "nowhere" / "jobs", 200, 150)
