"""The thread beside the event loop that scores lists in batches."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shortlist import engine
from shortlist.data.vocabulary import Id
from shortlist.recommend.query import Query
from shortlist.recommend.recommender import ListOptions, recommend
from shortlist.recommend.requests import resolve
from shortlist.serving.errors import OverloadedError
from shortlist.serving.limits import Limits
from shortlist.serving.metrics import Metrics
from shortlist.serving.model_store import ServedModel
from shortlist.serving.replies import RankedItem
from shortlist.serving.workers import deliver

_BLOCK_BYTES = 2**28  # large, so that a batch is one block: each block reads all item vectors

Items: TypeAlias = list[RankedItem] | None  # None: the query is skipped (on_unknown="skip")


@dataclass(frozen=True, eq=False)
class Job:
    """The lists of one request."""

    served: ServedModel  # it answers, even if it is replaced before the job is done
    queries: Sequence[Query]
    options: ListOptions
    lists: asyncio.Future[list[Items]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    since: float = field(default_factory=time.monotonic)

    @property
    def kind(self) -> Hashable:
        """The key of jobs that can be scored in one call; rules hold lists, and have a key."""
        given = self.options
        shared = given.k, given.exclude_seen, given.rules.key, given.on_unknown, given.diversity
        return id(self.served), shared


Outcome: TypeAlias = list[Items] | Exception


class Batcher:
    """Scores all lists that wait in one call of ``recommend``, in its own thread.

    Batching never delays a request: while one batch is scored, the requests that arrive form the
    next batch. A single request is scored at once; under load the batches grow.
    """

    def __init__(self, limits: Limits, metrics: Metrics) -> None:
        self._limits, self._metrics = limits, metrics
        self._jobs: deque[Job] = deque()
        self._waiting = 0  # lists in _jobs
        self._changed = threading.Condition()
        self._stopping = False
        metrics.waiting.set_function(lambda: self._waiting)
        self._thread = threading.Thread(target=self._run, name="batcher", daemon=True)

    def start(self) -> None:
        """Start to score."""
        self._thread.start()

    def stop(self) -> None:
        """Score what waits, then stop."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def submit(self, job: Job) -> asyncio.Future[list[Items]]:
        """Queue a job."""
        with self._changed:
            if self._waiting and self._waiting + len(job.queries) > self._limits.waiting:
                raise OverloadedError(f"{self._waiting} lists wait to be scored already")
            self._jobs.append(job)
            self._waiting += len(job.queries)
            self._changed.notify()
        return job.lists

    def _run(self) -> None:
        with engine.use(engine.LocalEngine(_BLOCK_BYTES)):
            while jobs := self._take():
                for outcomes in self._outcomes(jobs):
                    deliver([(job.lists, outcome) for job, outcome in outcomes])

    def _take(self) -> list[Job]:
        """Wait for jobs and take as many as fit into one call; an empty list means stop."""
        with self._changed:
            while not self._jobs and not self._stopping:
                self._changed.wait()
            taken: list[Job] = []
            room = self._limits.batch
            while self._jobs and (not taken or len(self._jobs[0].queries) <= room):
                taken.append(self._jobs.popleft())
                room -= len(taken[-1].queries)
            self._waiting -= sum(len(job.queries) for job in taken)
            return taken

    def _outcomes(self, jobs: Sequence[Job]) -> Iterator[list[tuple[Job, Outcome]]]:
        """Score jobs, those of one kind together."""
        groups: dict[Hashable, list[Job]] = {}
        limit = self._limits.wait_seconds
        oldest = time.monotonic() - limit
        late = [job for job in jobs if job.since < oldest]
        if late:
            yield [(job, OverloadedError(f"the list waited {limit:g} seconds")) for job in late]
        for job in jobs:
            if job.since >= oldest and not job.lists.done():  # else the request has ended
                groups.setdefault(job.kind, []).append(job)
        for group in groups.values():
            self._metrics.batch.observe(sum(len(job.queries) for job in group))
            yield _scored(group)


def _scored(jobs: Sequence[Job]) -> list[tuple[Job, Outcome]]:
    """Score jobs together, or one by one if one of them is wrong."""
    try:
        return list(zip(jobs, score(jobs), strict=True))
    except Exception as error:  # whatever it is, the requests get it
        if len(jobs) == 1:
            return [(jobs[0], error)]
        return [outcome for job in jobs for outcome in _scored([job])]


def score(jobs: Sequence[Job]) -> list[list[Items]]:
    """Score jobs of one kind in one call; return the lists of each job."""
    first, queries = jobs[0], [query for job in jobs for query in job.queries]
    simple = first.options.strict and first.options.rules.where is None
    if simple and all(map(_is_user_only, queries)):
        users = [query.user for query in queries if query.user is not None]
        lists = iter(_lists_of_users(first, users))
    else:
        lists = iter(_lists_of_queries(first, queries))
    return [list(islice(lists, len(job.queries))) for job in jobs]


def _is_user_only(query: Query) -> bool:
    parts = (query.history, query.features, query.allow, query.deny, query.where)
    return all(part is None for part in parts)


def _lists_of_users(job: Job, users: Sequence[Id]) -> Sequence[Items]:
    """Score known users by id: looking them up takes a tenth of the time that queries take."""
    table = recommend(job.served.model, users, None, job.options).table
    owners = table.column("user_id").combine_chunks()
    if not len(owners):
        return [[] for _ in users]
    ends = [*(np.flatnonzero(pc.not_equal(owners[1:], owners[:-1])) + 1).tolist(), len(owners)]
    lists = _split(job.served, table, [0, *ends])
    by_user = dict(zip(owners.take([end - 1 for end in ends]).to_pylist(), lists, strict=True))
    return [by_user.get(user, []) for user in users]


def _lists_of_queries(job: Job, queries: Sequence[Query]) -> Sequence[Items]:
    """Score queries of any kind."""
    table = recommend(job.served.model, None, queries, job.options).table
    starts = np.searchsorted(table.column("query").to_numpy(), np.arange(len(queries) + 1))
    lists = _split(job.served, table, starts.tolist())
    if job.options.on_unknown != "skip" or all(lists):
        return lists
    kept = set(resolve(job.served.model, None, queries, "skip").labels.to_pylist())
    return [items if position in kept else None for position, items in enumerate(lists)]


def _split(served: ServedModel, table: pa.Table, bounds: Sequence[int]) -> list[list[RankedItem]]:
    """Convert all rows at once, and split them into lists."""
    items = served.ranked_items(table)
    return [items[start:stop] for start, stop in pairwise(bounds)]
