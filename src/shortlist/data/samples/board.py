"""A synthetic job board as a Dataset."""

from __future__ import annotations

import tempfile
from pathlib import Path

from shortlist.data.dataset import Dataset
from shortlist.data.samples.jobs import generate_jobs
from shortlist.data.store.store import Store

RESUMES, POSTINGS = 600, 500


def jobs(n_resumes: int = RESUMES, n_postings: int = POSTINGS, *, seed: int = 0) -> Dataset:
    """Return a synthetic job board: résumés, postings and applications, with their features.

    The tables of :func:`shortlist.data.samples.generate_jobs` pass through a store of the schema
    ``jobs``.

    Parameters
    ----------
    n_resumes, n_postings, seed
        As for :func:`shortlist.data.samples.generate_jobs`.

    Returns
    -------
    Dataset
        Users are résumés, items are postings. There are no times and no weights.

    Raises
    ------
    InputError
        An argument is out of range.

    Examples
    --------
    >>> board = jobs(200, 150)
    >>> board.n_users, board.n_items, board.users.ids[0].as_py()
    (200, 150, 'U00001')
    """
    with tempfile.TemporaryDirectory() as folder:
        tables = generate_jobs(Path(folder) / "tables", n_resumes, n_postings, seed)
        with Store.create(Path(folder) / "jobs.duckdb", "jobs") as store:
            store.load(tables)
            return store.dataset()
