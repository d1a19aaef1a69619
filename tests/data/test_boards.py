"""The synthetic boards of the benchmarks are as hard as the real boards that calibrate them."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
import pytest
from boards import codes, places
from numpy.typing import NDArray

from shortlist.data.samples.jobs.world import plan_world

from .held_out import recall

Tables = dict[str, pa.Table]


# --- codes ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def coded() -> Tables:
    return codes.build_board()


def applications(tables: Tables) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    log = tables["apply_train"]
    resumes, postings = (
        np.array([int(text[1:]) - 1 for text in log[name].to_pylist()])
        for name in ("resume_seq", "recruitment_seq")
    )
    return resumes, postings


def share_within(values: NDArray[np.float64], groups: NDArray[np.int64]) -> float:
    """The variance within groups of two or more, over that of all."""
    counts = np.bincount(groups)
    means = np.bincount(groups, values) / np.maximum(counts, 1)
    several = counts[groups] > 1
    squares = ((values - means[groups])[several] ** 2).sum()
    return float(squares / (counts[counts > 1] - 1).sum() / values[several].var())


def test_codes_tell_as_little_as_on_a_real_board(coded: Tables) -> None:
    """Real: career months .59, last salary .82, registered .91, hoped salary .98, degree .99."""
    resumes, postings = applications(coded)
    table = coded["resume"]
    found = {}
    for name in ("career_month", "last_salary", "hope_salary", "degree"):
        found[name] = share_within(table[name].to_numpy().astype(np.float64)[resumes], postings)
    days = table["reg_date"].cast(pa.timestamp("s")).cast(pa.int64()).to_numpy() / 86_400
    found["reg_date"] = share_within(days[resumes], postings)
    assert 0.65 < found["career_month"] < 0.78
    assert 0.79 < found["last_salary"] < 0.87
    assert 0.87 < found["reg_date"] < 0.94
    assert 0.96 < found["hope_salary"] < 1.01
    assert 0.98 < found["degree"] < 1.01


def test_wanted_jobs_agree_more_often_than_by_chance(coded: Tables) -> None:
    """Real: .88 of the pairs of a posting, .79 by chance."""
    resumes, postings = applications(coded)
    jobs = coded["resume"]["job_code_seq1"].to_numpy()[resumes]
    order = np.argsort(postings, kind="stable")
    same_posting = np.diff(postings[order]) == 0
    agree = (np.diff(jobs[order]) == 0)[same_posting].mean()
    chance = (jobs == np.random.default_rng(0).permutation(jobs)).mean()
    assert 0.08 < agree - chance < 0.12


def test_codes_leave_half_of_the_choices_out_of_reach() -> None:
    """Real: user cosine .121, item cosine .105, popularity .011."""
    recalls = recall(plan_world(8_482, 6_695, 0, codes.STRUCTURE))
    assert 0.004 < recalls["popularity"] < 0.012
    assert 0.115 < recalls["user cosine"] < 0.135
    assert 0.100 < recalls["item cosine"] < 0.120


# --- titles, places and times ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def board() -> Tables:
    return places.build_board()


def test_views_follow_one_another_as_on_a_real_board(board: Tables) -> None:
    """Real: state .94, city .52, company .13, a tenth of the words of titles, own state .75."""
    postings = {row["posting_id"]: row for row in board["postings"].to_pylist()}
    homes = {row["person_id"]: row["state"] for row in board["people"].to_pylist()}
    views = board["views"].to_pylist()
    pairs = [
        (postings[a["posting_id"]], postings[b["posting_id"]])
        for a, b in itertools.pairwise(views)
        if a["person_id"] == b["person_id"]
    ]
    agree = {
        name: np.mean([a[name] == b[name] for a, b in pairs])
        for name in ("state", "city", "company")
    }
    words = [(set(a["title"].split()), set(b["title"].split())) for a, b in pairs]
    own = [homes[view["person_id"]] == postings[view["posting_id"]]["state"] for view in views]
    assert 0.92 < agree["state"] < 0.96
    assert 0.49 < agree["city"] < 0.55
    assert 0.11 < agree["company"] < 0.17
    assert 0.08 < np.mean([len(a & b) / len(a | b) for a, b in words]) < 0.12
    assert 0.72 < np.mean(own) < 0.78


def test_few_views_a_person_and_a_posting(board: Tables) -> None:
    """Real: 2.6 a person, 1.3 a posting, minutes apart; 11 days; a quarter with past positions."""
    people, postings, views = (board[name] for name in ("people", "postings", "views"))
    assert people.num_rows == 3_400
    assert 6_600 < postings.num_rows < 7_800
    assert 2.5 < views.num_rows / people.num_rows < 2.8
    assert 1.1 < views.num_rows / postings.num_rows < 1.4
    pairs = pa.TableGroupBy(views, ["person_id", "posting_id"]).aggregate([])
    assert pairs.num_rows == views.num_rows
    people_of = views["person_id"].to_numpy()
    pauses = np.diff(views["viewed_at"].to_numpy())[people_of[1:] == people_of[:-1]]
    assert np.timedelta64(1, "m") < np.median(pauses) < np.timedelta64(10, "m")
    lives = postings["closes"].to_numpy() - postings["opened"].to_numpy()
    assert np.timedelta64(9, "D") < np.median(lives) < np.timedelta64(13, "D")
    assert people["past_positions"].null_count == 2_550


def test_a_board_with_places_in_other_sizes() -> None:
    first, second = (places.build_board(300, 400, 3) for _ in range(2))
    assert first == second
    assert first["people"].num_rows == 300
    assert 500 < first["postings"].num_rows < 700
