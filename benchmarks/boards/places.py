"""A synthetic job board with titles, places and times: few views a person, most in one sitting.

Every person lives in a city and has an occupation. A person's first view is drawn among the
postings that are open at that moment, and each later view follows the one before: the same state,
city, company and occupation are each several times as likely. Most views of a person are minutes
apart. Hardly two people view the same posting, so models of co-occurrence find little, and the
features of the postings that a person viewed find much.

It is calibrated on a real board: 2.7 views a person and 1.25 a posting, most of a person's in one
sitting. A view and the one before it agree in state (.94), city (.52), company (.13) and a tenth of
the words of their titles.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from shortlist.data.samples.jobs.columns import Floats, Ints, code_values, quantile_values

PEOPLE, VIEWED = 3_400, 7_000  # at which the figures below hold
POSTINGS_PER_VIEWED = 7.5  # open postings for one that somebody views
STATES, CITIES_PER_STATE, COMPANIES = 45, 8, 900
DAYS, LIFETIME = 90.0, 6.5  # of the board; mean of a posting (of those viewed the median is 11)
MOST_VIEWS, MEAN_VIEWS = 20, 2.7
AT_HOME, IN_OWN_CITY = 0.85, 0.6  # shares of people who begin in their state, and there in the city
SITTING, MINUTES, PAUSE = 0.85, 4.0, 6.0  # share of views that follow in minutes; else days
WITH_PAST = 0.25  # share of people who give past positions

# How many times as likely is a posting that agrees with the last one viewed (or with the person).
# Chosen so that a view and the one before it agree in state .94, city .52, company .13 and in a
# tenth of the words of their titles, and a person's own state with .75 of the views.
STATE, CITY, COMPANY, OCCUPATION = 550.0, 7.0, 9.0, 80.0

_WORDS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
OCCUPATIONS, AREAS, GRADES, CITY_STARTS, CITY_ENDS = (
    tuple[str, ...](_WORDS[name].split())
    for name in ("occupations", "areas", "grades", "city_starts", "city_ends")
)


@dataclass(frozen=True)
class _Postings:
    """The postings of the board; positions in the lists of states, cities and so on."""

    state: Ints
    city: Ints
    company: Ints
    occupation: Ints
    area: Ints
    opened: Floats  # days
    closed: Floats
    appeal: Floats


def build_board(
    n_people: int = PEOPLE, n_viewed: int = VIEWED, seed: int = 0
) -> dict[str, pa.Table]:
    """Return the tables ``people``, ``postings`` (those viewed) and ``views``.

    ``n_viewed`` is about the number of postings where there are about twice as many as people.
    """
    rng = np.random.default_rng([seed, 7])
    areas = rng.dirichlet(np.full(len(AREAS), 0.08), len(OCCUPATIONS))  # of each occupation
    postings = _open_postings(round(n_viewed * POSTINGS_PER_VIEWED), areas, rng)
    state, city = _places(n_people, rng)
    occupation = rng.integers(0, len(OCCUPATIONS), n_people)
    n_views = _view_counts(n_people, rng)
    viewers, viewed, moments = [], [], []
    for person in range(n_people):
        chosen, times = _sitting(
            (int(state[person]), int(city[person]), int(occupation[person])),
            int(n_views[person]),
            postings,
            rng,
        )
        viewers += [person] * len(chosen)
        viewed += chosen
        moments += times
    rows, numbers = np.unique(np.array(viewed, dtype=np.int64), return_inverse=True)
    past = _titles(occupation, _drawn_areas(occupation, areas, rng), rng)
    has_past = rng.permutation(code_values({1: WITH_PAST, 0: 1 - WITH_PAST}, n_people)) == 1
    titles = _titles(postings.occupation[rows], postings.area[rows], rng)
    people_ids = np.array([f"P{person + 1:05d}" for person in range(n_people)])
    posting_ids = np.array([f"J{row + 1:05d}" for row in range(len(rows))])
    return {
        "people": pa.table(
            {
                "person_id": people_ids,
                **_place_columns(state, city),
                "past_positions": pa.array(past, mask=~has_past),
            }
        ),
        "postings": pa.table(
            {
                "posting_id": posting_ids,
                "title": titles,
                "company": [f"Company {company + 1}" for company in postings.company[rows]],
                **_place_columns(postings.state[rows], postings.city[rows]),
                "opened": _moments(postings.opened[rows]),
                "closes": _moments(postings.closed[rows]),
            }
        ),
        "views": pa.table(
            {
                "person_id": people_ids[np.array(viewers, dtype=np.int64)],
                "posting_id": posting_ids[numbers],
                "viewed_at": _moments(np.array(moments)),
            }
        ),
    }


def _view_counts(n_people: int, rng: np.random.Generator) -> Ints:
    """Draw how many postings each person views: the quantiles of a geometric distribution."""
    tail = 1 - 1 / MEAN_VIEWS
    shares = 1 - tail ** np.arange(MOST_VIEWS)
    steps = [(share, 1.0 + views) for views, share in enumerate(shares)]
    n_views = np.floor(quantile_values([*steps, (1, MOST_VIEWS)], n_people))
    return rng.permutation(n_views.astype(np.int64))


def _sitting(
    person: tuple[int, int, int], n_views: int, postings: _Postings, rng: np.random.Generator
) -> tuple[list[int], list[float]]:
    """Return the postings that a person views one after another, and when, in days."""
    state, city, occupation = person
    if rng.random() >= AT_HOME:
        state, city = (int(drawn[0]) for drawn in _places(1, rng))
    elif rng.random() >= IN_OWN_CITY:
        city = state * CITIES_PER_STATE + int(rng.integers(CITIES_PER_STATE))
    company = -1
    moment = rng.uniform(0, DAYS)
    chosen: list[int] = []
    times: list[float] = []
    for _ in range(n_views):
        rows = np.flatnonzero((postings.opened <= moment) & (moment < postings.closed))
        rows = rows[~np.isin(rows, chosen)]
        if not len(rows):
            break
        score = np.log(postings.appeal[rows])
        score += np.log(STATE) * (postings.state[rows] == state)
        score += np.log(CITY) * (postings.city[rows] == city)
        score += np.log(COMPANY) * (postings.company[rows] == company)
        score += np.log(OCCUPATION) * (postings.occupation[rows] == occupation)
        row = int(rows[np.argmax(score + rng.gumbel(size=len(rows)))])
        chosen.append(row)
        times.append(float(moment))
        state, city = int(postings.state[row]), int(postings.city[row])
        company = int(postings.company[row])
        is_sitting = rng.random() < SITTING
        moment += rng.exponential(MINUTES) / 1440 if is_sitting else rng.exponential(PAUSE)
    return chosen, times


def _open_postings(count: int, areas: Floats, rng: np.random.Generator) -> _Postings:
    state, city = _places(count, rng)
    occupation = rng.integers(0, len(OCCUPATIONS), count)
    company = _companies(state, occupation, rng)
    opened = rng.uniform(-10, DAYS, count)
    return _Postings(
        state,
        city,
        company,
        occupation,
        _drawn_areas(occupation, areas, rng),
        opened,
        opened + rng.exponential(LIFETIME, count),
        rng.gamma(4, 1, count),
    )


def _companies(state: Ints, occupation: Ints, rng: np.random.Generator) -> Ints:
    """Draw the companies of postings: they hire where they are, and for what they do."""
    seat, focus = _places(COMPANIES, rng)[0], rng.integers(0, len(OCCUPATIONS), COMPANIES)
    everywhere = np.where(rng.random(COMPANIES) < 0.1, 1.0, 0.02)
    size, draws = _zipf(COMPANIES, 0.7), rng.random(len(state))
    company = np.empty(len(state), dtype=np.int64)
    groups = state * len(OCCUPATIONS) + occupation
    order = np.argsort(groups, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
        is_near, is_focus = seat == state[rows[0]], focus == occupation[rows[0]]
        weights = np.cumsum(
            size * np.where(is_near, 6.0, everywhere) * np.where(is_focus, 4.0, 1.0)
        )
        company[rows] = np.searchsorted(weights, draws[rows] * weights[-1])
    return company


def _places(count: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Draw states and cities; large ones more often."""
    state = rng.choice(STATES, count, p=_zipf(STATES, 0.8))
    city = rng.choice(CITIES_PER_STATE, count, p=_zipf(CITIES_PER_STATE, 1.0))
    return state, state * CITIES_PER_STATE + city


def _place_columns(state: Ints, city: Ints) -> dict[str, list[str]]:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return {
        "state": [letters[number // 7] + letters[number % 7 * 3 + 2] for number in state],
        "city": [
            CITY_STARTS[number // len(CITY_ENDS)] + CITY_ENDS[number % len(CITY_ENDS)]
            for number in city
        ],
    }


def _drawn_areas(occupation: Ints, areas: Floats, rng: np.random.Generator) -> Ints:
    cumulative = np.cumsum(areas, axis=1)[occupation]  # (n, areas)
    drawn = (cumulative < rng.random((len(occupation), 1))).sum(axis=1)
    return np.asarray(np.minimum(drawn, len(AREAS) - 1))


def _titles(occupation: Ints, area: Ints, rng: np.random.Generator) -> list[str]:
    """Return an occupation, often with an area or a grade before it."""
    grade = rng.integers(0, len(GRADES), len(occupation))
    has_grade, has_area = rng.random((2, len(occupation))) < np.array([[0.6], [0.7]])
    return [
        " ".join(
            [
                *([GRADES[grade[row]]] if has_grade[row] else []),
                *([AREAS[area[row]]] if has_area[row] else []),
                OCCUPATIONS[occupation[row]],
            ]
        )
        for row in range(len(occupation))
    ]


def _moments(days: Floats) -> pa.Array:
    first = np.datetime64("2024-03-01T00:00:00", "s")
    return pa.array(first + np.rint(days * 86_400).astype("timedelta64[s]"))


def _zipf(count: int, power: float) -> Floats:
    weights = np.arange(1, count + 1) ** -power
    return np.asarray(weights / weights.sum())
