"""The data sets of the boards: how each is read, split and measured, and its published figures.

The training side holds everything known before the test; settings are chosen inside it.
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from published_split import TEST, TRAIN, read_split

import shortlist as sl
from shortlist.data.samples import make_jobs
from shortlist.data.samples.csv_files import write_tables

from . import codes, places


@dataclass(frozen=True)
class Board:
    """A data set, split for a test.

    Attributes
    ----------
    name
        Its name.
    train, test
        The sides of the test split.
    metrics
        The metrics to show; settings are chosen by the first.
    negatives
        The items to rank each test item among; None: the full catalogue.
    """

    name: str
    train: sl.Dataset
    test: sl.Dataset
    metrics: tuple[str, ...]
    negatives: sl.Dataset | None = None


def parts(folder: Path) -> Board:
    """Read a set whose rows are marked train, valid or test."""
    table = pq.read_table(folder / "interactions.parquet")
    marks = table.column("part").cast(pa.string())
    ids = table.select(["user_id", "item_id"])

    def side(*names: str) -> sl.Dataset:
        return sl.Dataset.from_tables(ids.filter(pc.is_in(marks, pa.array(names))))

    train, test = sl.split.given(side("train", "valid"), side("test"))
    return Board(folder.name, train, test, ("recall@20", "ndcg@20"))


def sequences(folder: Path) -> Board:
    """Read a set in the order of time: the last choice of each user is the test."""
    log = pq.read_table(folder / "interactions.parquet")
    items = pq.read_table(folder / "items.parquet")
    known = pc.is_in(items.column("item_id"), pc.unique(log.column("item_id")))
    seconds = log.column("position").cast(pa.int64()).cast(pa.timestamp("s"))
    log = log.set_column(log.column_names.index("position"), "at", seconds)
    data = sl.Dataset.from_tables(log, items=items.filter(known), time="at")
    return _last(folder.name, data, ("hit_rate@10", "ndcg@10"))


def movielens_1m(folder: Path) -> Board:
    """Read ML-1M in the protocol of He et al. (WWW 2017): 99 published negatives a user."""
    with tempfile.TemporaryDirectory() as scratch:
        for name in (TRAIN, TEST, ".test.negative"):
            packed, plain = folder / f"ml-1m{name}.gz", Path(scratch) / f"ml-1m{name}"
            if packed.exists():
                with gzip.open(packed) as source, plain.open("wb") as target:
                    shutil.copyfileobj(source, target)
            else:
                shutil.copyfile(folder / f"ml-1m{name}", plain)
        given = read_split(Path(scratch) / "ml-1m")
    metrics = ("hit_rate@10", "ndcg@10")
    return Board("ml-1m", given.train, given.test, metrics, given.negatives)


def jobs(name: str, tables: Mapping[str, pa.Table]) -> Board:
    """Load synthetic job data, and hold out a random application of each résumé."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "tables").mkdir()
        write_tables(folder / "tables", tables)
        with sl.Store.create(folder / "jobs.duckdb", "jobs") as store:
            store.load([folder / "tables"])
            data = store.dataset()
    return _last(name, data, ("recall@5", "ndcg@10"))


def views() -> Board:
    """Draw the synthetic job board with titles, places and times."""
    tables = places.build_board()
    data = sl.Dataset.from_tables(
        tables["views"],
        users=tables["people"],
        items=tables["postings"],
        user_id="person_id",
        item_id="posting_id",
        time="viewed_at",
    )
    return _last("jobs-places", data, ("recall@10", "ndcg@10"))


def _last(name: str, data: sl.Dataset, metrics: tuple[str, ...]) -> Board:
    order: sl.split.Order = "time" if data.times is not None else "random"
    train, test = sl.split.leave_last_out(data, order=order)
    return Board(name, train, test, metrics)


PUBLISHED: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "ml-1m": {
        "NeuMF (NCF paper)": (".730", ".447"),
        "dot product (Rendle et al. 2020)": (".7294", ".4523"),
        "iALS (2020; tuned)": (".711; .730", ".438; .453"),
        "EASE": (".718", ".449"),
    },
    "beauty-seq": {"SASRec": (".0605", ".0318"), "S3-Rec": (".0647", ".0327")},
    "toys-seq": {"SASRec": (".0675", ".0374"), "S3-Rec": (".0700", ".0376")},
}
"""Figures of others as they stand in their papers, in the order of the board's metrics."""

READERS: dict[str, Callable[[Path], Board]] = {
    "jobs-clear": lambda root: jobs("jobs-clear", make_jobs()),
    "jobs-codes": lambda root: jobs("jobs-codes", codes.build_board()),
    "jobs-places": lambda root: views(),
    "ml-1m": lambda root: movielens_1m(root / "ml-1m"),
    "lastfm": lambda root: parts(root / "lastfm"),
    "beauty": lambda root: parts(root / "beauty"),
    "sports": lambda root: parts(root / "sports"),
    "beauty-seq": lambda root: sequences(root / "beauty-seq"),
    "toys-seq": lambda root: sequences(root / "toys-seq"),
}
"""Every board by its name; the folder that SHORTLIST_DATA names is its argument."""

ABOUT = {
    "jobs-clear": "Synthetic job board, features tell much; one random choice a person held out.",
    "jobs-codes": "Synthetic job board of codes that tell little, calibrated on a real one; one "
    "random choice a person held out.",
    "jobs-places": "Synthetic job board, titles, places and times; the last view held out.",
    "ml-1m": "MovieLens 1M in the protocol of the NCF paper: the last choice among 99 drawn items.",
    "lastfm": "Artists of Last.fm listeners; the given test part.",
    "beauty": "A shop, sparse; the given test part.",
    "sports": "A shop, sparse; the given test part.",
    "beauty-seq": "A shop with the order of choices and item features; the last choice held out.",
    "toys-seq": "A shop with the order of choices and item features; the last choice held out.",
}
"""What each board is, for the page."""
