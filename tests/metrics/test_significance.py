"""Intervals cover as promised, p values agree with SciPy, corrections match hand calculations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from shortlist.metrics import bootstrap as bootstrap_module
from shortlist.metrics.bootstrap import Measure, bootstrap, interval
from shortlist.metrics.paired import holm, paired_p_value, paired_tests
from shortlist.metrics.ranking import FloatArray


def test_intervals_have_their_nominal_coverage() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for trial in range(300):
        sample = Measure(rng.exponential(size=100))  # the true mean is 1
        low, high = interval(bootstrap([sample], seed=trial)[:, 0], 0.95)
        covered += low <= 1.0 <= high
    # Of 300 at .95: 285 +- 3.8; skewed samples of 100 cover a little less.
    assert 270 <= covered <= 296


def test_the_bootstrap_agrees_with_the_standard_error_of_the_mean() -> None:
    values = np.random.default_rng(2).normal(size=400)
    figures = bootstrap([Measure(values)], resamples=4000)[:, 0]
    assert figures.mean() == pytest.approx(values.mean(), abs=0.005)
    assert figures.std() == pytest.approx(values.std() / np.sqrt(400), rel=0.05)


def test_resamples_draw_users_with_replacement() -> None:
    values = np.array([0.0, 1.0])
    figures = bootstrap([Measure(values)], resamples=2000)[:, 0]
    shares = [(figures == mean).mean() for mean in (0.0, 0.5, 1.0)]
    assert sum(shares) == pytest.approx(1.0)
    assert shares == pytest.approx([0.25, 0.5, 0.25], abs=0.04)


def test_weights_and_roots_are_resampled_with_their_users() -> None:
    squares, weights = np.array([1.0, 9.0]), np.array([3.0, 1.0])
    figures = bootstrap([Measure(squares, weights, root=True), Measure(squares)], resamples=200)
    both = figures[(figures[:, 1] == 5.0)]  # each user drawn once
    assert len(both)
    assert both[:, 0] == pytest.approx(np.sqrt((3 * 1 + 1 * 9) / 4))
    assert set(np.unique(figures[:, 0]).round(12)) == {1.0, round(np.sqrt(3), 12), 3.0}


def test_all_measures_get_the_same_resamples() -> None:
    values = np.random.default_rng(3).random(50)
    figures = bootstrap([Measure(values), Measure(values + 1)])
    assert figures[:, 1] - figures[:, 0] == pytest.approx(1.0)


def test_memory_limits_do_not_change_the_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = Measure(np.random.default_rng(4).random(30))
    whole = bootstrap([sample], seed=5)
    monkeypatch.setattr(bootstrap_module, "_DRAWS_AT_ONCE", 70)  # two resamples at a time
    assert bootstrap([sample], seed=5) == pytest.approx(whole, rel=1e-12)
    assert bootstrap([sample], seed=6) != pytest.approx(whole, rel=1e-12)


@given(
    st.integers(2, 40).flatmap(
        lambda n: st.tuples(
            *[st.lists(st.integers(0, 10), min_size=n, max_size=n) for _ in range(2)]
        )
    )
)
def test_p_values_are_those_of_scipy(pair: tuple[list[int], list[int]]) -> None:
    first, second = (np.array(values, dtype=np.float64) for values in pair)
    if (first - second).std() == 0:  # undefined in SciPy; the next test covers it
        return
    expected = stats.ttest_rel(first, second).pvalue
    assert paired_p_value(Measure(first), Measure(second)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("first", "second", "p_value"),
    [
        ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5], 1.0),  # the same lists
        ([1.0, 1.0, 1.0], [0.0, 0.0, 0.0], 0.0),  # always better by the same
        ([1.0], [0.0], 1.0),  # a single user
    ],
)
def test_differences_without_spread(
    first: list[float], second: list[float], p_value: float
) -> None:
    assert paired_p_value(Measure(np.array(first)), Measure(np.array(second))) == p_value


def test_the_paired_test_weights_its_users() -> None:
    weights = np.array([1.0, 2.0, 5.0, 1.0])
    first, second = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.5, 1.0, 2.0, 4.0])
    expected = stats.ttest_1samp(weights * (first - second), 0).pvalue
    assert paired_p_value(Measure(first, weights), Measure(second, weights)) == pytest.approx(
        expected
    )


def test_holm_by_hand() -> None:
    # Sorted .005 .01 .03 .04, times 4 3 2 1: .02 .03 .06 .04, and never falling: .02 .03 .06 .06.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
    assert holm([0.04]) == pytest.approx([0.04])


def test_each_pair_is_tested_once_in_order() -> None:
    rng = np.random.default_rng(7)
    shared = rng.random(500)
    measures = {
        "best": Measure(shared + 0.2 + 0.1 * rng.random(500)),
        "twin": Measure(shared + 0.2 + 0.1 * rng.random(500)),
        "poor": Measure(shared + 0.1 * rng.random(500)),
    }
    tests = paired_tests(measures, bootstrap(list(measures.values())))
    assert [(test.first, test.second) for test in tests] == [
        ("best", "twin"),
        ("best", "poor"),
        ("twin", "poor"),
    ]
    assert [test.real for test in tests] == [False, True, True]
    for test in tests:
        assert test.low < test.difference < test.high
        assert test.corrected >= test.p_value
    assert tests[1].difference == pytest.approx(0.2, abs=0.01)
    # Paired: the variation that all models share does not widen the interval of the difference.
    assert tests[1].high - tests[1].low < 0.02
    swapped = tests[1].reversed()
    assert (swapped.first, swapped.second) == ("poor", "best")
    assert (swapped.low, swapped.difference, swapped.high) == (
        -tests[1].high,
        -tests[1].difference,
        -tests[1].low,
    )


def test_equal_models_rarely_differ_significantly() -> None:
    rng = np.random.default_rng(8)
    wrong = 0
    for _ in range(200):
        values: list[FloatArray] = [rng.random(60) for _ in range(4)]
        measures = {str(position): Measure(sample) for position, sample in enumerate(values)}
        figures = np.zeros((2, 4))  # intervals are not tested here
        wrong += any(test.real for test in paired_tests(measures, figures))
    assert wrong <= 20  # of 200 at .05: 10 +- 3
