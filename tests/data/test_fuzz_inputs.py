"""Fuzzed inputs over all formats: each is read, or refused with an error of this library.

The number of inputs is SHORTLIST_FUZZ_INPUTS; each has its own seed, which the failure names.
"""

from __future__ import annotations

import gzip
import io
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from published_split import read_split

from shortlist.data.dataset import Dataset
from shortlist.data.rules.where import matches, parse_where
from shortlist.errors import ShortlistError

INPUTS = int(os.environ.get("SHORTLIST_FUZZ_INPUTS", "2000"))
PARTS = 8

CELLS = [
    "", " ", "0", "1", "7", "-1", "007", "1.0", "3,5", "$3.50", "1,000", "true", "nan", "inf",
    "1e400", "9" * 30, "9" * 5000, "2019", "20240102", "1704067200000", "2024-01-02", "2024-02-30",
    "31/12/2024", "9999-12-31T23:59:59.999999", "0001-01-01", "infinity", "epoch", "a", "é", "가",
    "\0", "\r", "\n", '"', "'", ",", "\t", ";", "::", "|", "\ufeff", "NULL", "None", "~", "[1, 2]",
    "{}", "--", "%", "x" * 3000,
]  # fmt: skip
HEADER = "user_id,item_id,w,t"
TEXT = "\n".join([HEADER, "1,10,2.5,2024-01-02", "2,10,1,2024-01-03", "2,11,4,2024-01-04"]) + "\n"
OPTIONS: list[dict[str, Any]] = [
    {},
    {"weight": "w"},
    {"time": "t"},
    {"weight": "w", "time": "t", "on_bad_row": "skip"},
    {"weight": "w", "decimal": ","},
    {"weight": "w", "decimal": ".", "on_bad_row": "skip"},
    {"time": "t", "time_format": "%d/%m/%Y"},
    {"time": "t", "time_format": "ms", "on_bad_row": "skip"},
    {"encoding": "cp1252"},
    {"encoding": "utf-16"},
]


def mutated(content: bytes, rng: random.Random) -> bytes:
    """Change a few places: flip, delete, repeat or insert."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        position = rng.randrange(len(data) + 1)
        kind = rng.randrange(5)
        if kind == 0 and position < len(data):
            data[position] = rng.randrange(256)
        elif kind == 1:
            del data[position : position + rng.randint(1, 12)]
        elif kind == 2:
            data[position:position] = rng.choice(CELLS).encode()
        elif kind == 3:
            end = position + rng.randint(1, 30)
            data[position:position] = data[position:end]
        else:
            del data[position:]
    return bytes(data)


def random_text(rng: random.Random, separator: str = ",") -> bytes:
    """Return a table of random cells."""
    rows = [HEADER.split(",")]
    rows += [[rng.choice(CELLS) for _ in range(4)] for _ in range(rng.randint(0, 4))]
    return "\n".join(separator.join(row) for row in rows).encode()


def text(rng: random.Random) -> bytes:
    return mutated(TEXT.encode(), rng) if rng.random() < 0.6 else random_text(rng)


def json_lines(rng: random.Random) -> bytes:
    frame = pa.table(
        {"user_id": [1, 2], "item_id": ["a", "b"], "w": [1.5, None], "t": ["2024-01-02"] * 2}
    )
    return mutated(frame.to_pandas().to_json(orient="records", lines=True).encode(), rng)


def parquet(rng: random.Random) -> bytes:
    sink = io.BytesIO()
    pq.write_table(
        pa.table({"user_id": [1, 2], "item_id": ["a", "b"], "w": [1.5, 2], "t": [5, 6]}), sink
    )
    return mutated(sink.getvalue(), rng)


FILES: dict[str, Callable[[random.Random], bytes]] = {
    "log.csv": text,
    "~log.csv": text,
    "log.tsv": lambda rng: text(rng).replace(b",", b"\t"),
    "log.csv.gz": lambda rng: (
        mutated(gzip.compress(text(rng)), rng) if rng.random() < 0.5 else gzip.compress(text(rng))
    ),
    "log.jsonl": json_lines,
    "log.parquet": parquet,
    "u.data": lambda rng: mutated(b"1\t10\t3\t880000000\n2\t11\t4\t880000001\n", rng),
    "ratings.dat": lambda rng: mutated(b"1::10::3::880000000\n2::11::4::880000001\n", rng),
    "log.inter": lambda rng: mutated(b"user_id:token\titem_id:token\tw:float\n1\t2\t3\n", rng),
}


def frame(rng: random.Random) -> Any:
    """Return a pandas frame with columns of odd types."""
    n = rng.randint(0, 3)
    odd: list[Any] = [
        None,
        float("nan"),
        pd.NaT,
        pd.NA,
        1,
        2.5,
        "a",
        b"b",
        2**70,
        -1,
        True,
        [1],
        {},
        "\ud800",
    ]
    kinds = ["i8", "f8", ">i8", "f16", "c16", "M8[ns]", "m8[s]", "bool", "u8", "f2", "category"]
    columns = {}
    for name in HEADER.split(","):
        if rng.random() < 0.5:
            columns[name] = pd.Series([rng.choice(odd) for _ in range(n)], dtype=object)
        else:
            columns[name] = pd.Series([rng.randint(0, 3) for _ in range(n)]).astype(object)
            kind = rng.choice(kinds)
            try:
                columns[name] = columns[name].astype(kind)
            except (TypeError, ValueError, NotImplementedError):
                continue
    return pd.DataFrame(columns)


ITEMS = pa.table({"year": [1999, None], "title": ["a", "b"], "tags": [["x"], []]})
RULE = "year >= 1990 and title contains 'a' and tags contains x and year in [1, 2]"


def attempt(seed: int, folder: Path) -> None:
    """Read one fuzzed input."""
    rng = random.Random(seed)
    kind = rng.randrange(len(FILES) + 3)
    options = rng.choice(OPTIONS)
    if kind < len(FILES):
        name = list(FILES)[kind]
        path = folder / name
        path.write_bytes(FILES[name](rng))
        Dataset.from_tables(path, **options)
    elif kind == len(FILES):
        Dataset.from_tables(frame(rng), **options)
    elif kind == len(FILES) + 1:
        rule = mutated(RULE.encode(), rng).decode(errors="replace")
        matches(ITEMS, parse_where(rule), rule)
    else:
        lines = b"0\t5\t4\t100\n1\t7\t3\t90\n"
        (folder / "x.train.rating").write_bytes(mutated(lines, rng))
        (folder / "x.test.rating").write_bytes(mutated(b"0\t7\t5\t200\n", rng))
        (folder / "x.test.negative").write_bytes(mutated(b"(0,7)\t8\t9\n", rng))
        read_split(folder / "x")


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_no_bare_exception(part: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    failures = []
    for seed in range(part, INPUTS, PARTS):
        try:
            attempt(seed, tmp_path)
        except ShortlistError:
            continue
        except Exception as error:
            failures.append(f"seed {seed}: {type(error).__name__}: {str(error)[:200]}")
    assert not failures, "\n".join(failures[:20])
