"""Lists that are asked for at the same time are scored together, in one call of ``recommend``.

Nothing waits for company: while one batch is scored, the requests that arrive meanwhile are the
next one. A lone request is scored at once; under load the batches grow by themselves.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shortlist import engine
from shortlist.data.moments import When
from shortlist.data.vocabulary import Id
from shortlist.recommend.query import OnUnknown, Query
from shortlist.recommend.where import Where
from shortlist.serving.limits import Limits
from shortlist.serving.metrics import Metrics
from shortlist.serving.served import Served
from shortlist.serving.troubles import OverloadedError

_BLOCK_BYTES = 2**28  # a batch in one block wherever it fits: each block reads all of the items


@dataclass(frozen=True)
class Listing:
    """One list: the ids, and each item as JSON whose brace is left open."""

    ids: list[Id]
    items: list[bytes]


Listings: TypeAlias = list[Listing | None]  # None: left out, as on_unknown="skip" asks for


@dataclass(frozen=True, eq=False)
class Job:
    """The lists of one request.

    Attributes
    ----------
    served
        The bundle that answers, also if another takes its place meanwhile.
    queries, k, exclude_seen, on_unknown, as_of, where
        As for ``recommend``.
    """

    served: Served
    queries: Sequence[Query]
    k: int
    exclude_seen: bool = True
    on_unknown: OnUnknown = "raise"
    as_of: When | None = None
    where: Where | None = None
    answer: asyncio.Future[Listings] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    since: float = field(default_factory=time.monotonic)

    @property
    def kind(self) -> tuple[object, ...]:
        """What must be equal for jobs to be scored together."""
        how = (self.k, self.exclude_seen, self.on_unknown, self.as_of, repr(self.where))
        return (id(self.served), *how)


Outcome: TypeAlias = Listings | Exception


class Batcher:
    """Scores lists in a thread of its own, as many together as wait.

    Parameters
    ----------
    limits
        How many lists may wait, how long, and how many are scored in one call.
    metrics
        Where to count.
    """

    def __init__(self, limits: Limits, metrics: Metrics) -> None:
        self._limits, self._metrics = limits, metrics
        self._jobs: deque[Job] = deque()
        self._waiting = 0  # lists in _jobs
        self._changed = threading.Condition()
        self._stopping = False
        metrics.waiting.set_function(lambda: self._waiting)
        self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to work for the requests of an event loop."""
        self._loop = loop
        self._thread.start()

    def stop(self) -> None:
        """Finish what waits, then stop."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def submit(self, job: Job) -> asyncio.Future[Listings]:
        """Line a job up.

        Raises
        ------
        OverloadedError
            Too many lists wait already.
        """
        with self._changed:
            if self._waiting and self._waiting + len(job.queries) > self._limits.waiting:
                raise OverloadedError(f"{self._waiting} lists wait to be scored already")
            self._jobs.append(job)
            self._waiting += len(job.queries)
            self._changed.notify()
        return job.answer

    def _work(self) -> None:
        with engine.use(engine.LocalEngine(_BLOCK_BYTES)):
            while jobs := self._take():
                for done in self._answered(jobs):
                    self._loop.call_soon_threadsafe(_deliver, done)

    def _take(self) -> list[Job]:
        """Wait for jobs, and take as many as fit into one call; none: time to stop."""
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

    def _answered(self, jobs: Sequence[Job]) -> Iterator[list[tuple[Job, Outcome]]]:
        """Answer jobs, those together that can be."""
        groups: dict[tuple[object, ...], list[Job]] = {}
        patience = self._limits.wait_seconds
        oldest = time.monotonic() - patience
        late = [job for job in jobs if job.since < oldest]
        if late:
            yield [(job, OverloadedError(f"the list waited {patience:g} seconds")) for job in late]
        for job in jobs:
            if job.since >= oldest:
                groups.setdefault(job.kind, []).append(job)
        for group in groups.values():
            self._metrics.batch.observe(sum(len(job.queries) for job in group))
            try:
                yield list(zip(group, score(group), strict=True))
            except Exception as error:  # a thread hands over whatever goes wrong
                # Where one of several is wrong, the others do not suffer for it.
                yield [(job, error if len(group) == 1 else _alone(job)) for job in group]


def score(jobs: Sequence[Job]) -> list[Listings]:
    """Score jobs of one kind together.

    Raises
    ------
    ShortlistError
        Something is wrong with one of them.
    """
    first, queries = jobs[0], [query for job in jobs for query in job.queries]
    plain = first.on_unknown == "raise" and first.where is None
    if plain and all(map(_only_a_user, queries)):
        each = _of_users(first, [query.user for query in queries if query.user is not None])
    else:
        each = _of_queries(first, queries)
    lists = iter(each)
    return [list(islice(lists, len(job.queries))) for job in jobs]


def _only_a_user(query: Query) -> bool:
    parts = (query.history, query.features, query.allow, query.deny, query.where)
    return all(part is None for part in parts)


def _of_users(how: Job, users: Sequence[Id]) -> list[Listing | None]:
    """Score users whom the data knows; looking them up together costs a tenth of one by one."""
    model = how.served.model
    table = model.recommend(users, k=how.k, exclude_seen=how.exclude_seen, as_of=how.as_of).table
    whose = table.column("user_id").combine_chunks()
    if not len(whose):
        return [Listing([], []) for _ in users]
    ends = [*(np.flatnonzero(pc.not_equal(whose[1:], whose[:-1])) + 1).tolist(), len(whose)]
    cut = _cut(how.served, table, [0, *ends])
    found = dict(zip(whose.take([end - 1 for end in ends]).to_pylist(), cut, strict=True))
    return [found.get(user, Listing([], [])) for user in users]


def _of_queries(how: Job, queries: Sequence[Query]) -> list[Listing | None]:
    """Score queries of any kind."""
    table = how.served.model.recommend(
        queries=queries,
        k=how.k,
        exclude_seen=how.exclude_seen,
        on_unknown=how.on_unknown,
        as_of=how.as_of,
        where=how.where,
    ).table
    starts = np.searchsorted(table.column("query").to_numpy(), np.arange(len(queries) + 1))
    lists = _cut(how.served, table, starts.tolist())
    left_out = how.on_unknown == "skip"
    return [None if left_out and not one.ids else one for one in lists]


def _cut(served: Served, table: pa.Table, bounds: Sequence[int]) -> list[Listing]:
    """Write all rows at once, and cut them into lists."""
    ids, written = table.column("item_id").to_pylist(), served.listed(table)
    return [Listing(ids[start:stop], written[start:stop]) for start, stop in pairwise(bounds)]


def _alone(job: Job) -> Outcome:
    try:
        return score([job])[0]
    except Exception as error:
        return error


def _deliver(done: Sequence[tuple[Job, Outcome]]) -> None:
    for job, outcome in done:
        if job.answer.done():  # who asked has gone
            continue
        if isinstance(outcome, Exception):
            job.answer.set_exception(outcome)
        else:
            job.answer.set_result(outcome)
