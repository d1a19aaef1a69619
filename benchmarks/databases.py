"""Rows per second from a database into a Dataset, and from lists into its run tables.

    python benchmarks/databases.py [--rows 1e6] [--postgresql URL] [--json OUT]

The same synthetic rows (as in benchmarks/ingest.py), with a weight and a time, are in a table of a
DuckDB file, a SQLite file and, if a URL is given, a PostgreSQL database: in a schema called
shortlist_benchmark, which is dropped before and after. Each is read by ``Store.dataset``; encoding
the rows is part of the time, and ``arrow`` is that part alone. Then a tenth as many rows of lists
are written as one run. CPU seconds are those of this process, not of a server.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from ingest import synthetic

from shortlist.data.dataset import Dataset
from shortlist.data.store.store import Store
from shortlist.text import text_table

COLUMNS: dict[str, Any] = {"weight": "rating", "time": "moment"}
SCHEMA = "shortlist_benchmark"


def log(rows: int) -> pa.Table:
    table = synthetic(rows)
    moment = table.column("timestamp").cast(pa.timestamp("s")).cast(pa.timestamp("us"))
    return table.set_column(3, "moment", moment)


def lists(rows: int) -> pa.Table:
    users, ranks = np.divmod(np.arange(rows), 10)
    return pa.table(
        {
            "user_id": users,
            "item_id": ranks * 3 + 1,
            "rank": ranks + 1,
            "score": (1 / (ranks + 1)).astype(np.float32),
            "source": pa.array(["IALS"]).take(pa.array(np.zeros(rows, dtype=np.int8))),
        }
    )


def write_rows(url: str, table: pa.Table) -> None:
    """Write the rows to a table as a team would have it, and create the run tables."""
    Store.create(url, "runs").close()
    if url.endswith(".duckdb"):
        with duckdb.connect(url) as db:
            db.register("rows", table)
            db.execute("CREATE TABLE log AS FROM rows")
        return
    dbapi = import_module(
        "adbc_driver_sqlite.dbapi" if url.endswith(".sqlite") else "adbc_driver_postgresql.dbapi"
    )
    with dbapi.connect(url) as db, db.cursor() as cursor:
        cursor.adbc_ingest("log", table)
        db.commit()


def timed(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    started, cpu_started = time.perf_counter(), time.process_time()
    result = work()
    return result, {
        "seconds": round(time.perf_counter() - started, 2),
        "cpu": round(time.process_time() - cpu_started, 2),
    }


def measure(name: str, url: str, table: pa.Table) -> dict[str, Any]:
    write_rows(url, table)
    rows, listed = table.num_rows, lists(table.num_rows // 10)
    with Store(url) as store:
        data, read = timed(lambda: store.dataset("log", **COLUMNS))
        _, written = timed(lambda: store.write(listed, model="IALS"))
        _, pulled = timed(lambda: store.pull("log", by="moment", **COLUMNS))
    assert isinstance(data, Dataset)
    return {
        "from": name,
        "rows/s": round(rows / read["seconds"]),
        "read s": read["seconds"],
        "read cpu s": read["cpu"],
        "pull s": pulled["seconds"],
        "lists/s": round(listed.num_rows / written["seconds"]),
        "write s": written["seconds"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=float, default=1e6)
    parser.add_argument("--postgresql", help="the URL of a database that may be written to")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    table = log(int(arguments.rows))
    _, encoded = timed(lambda: Dataset.from_tables(table, **COLUMNS))
    results = [{"from": "arrow", "rows/s": round(table.num_rows / encoded["seconds"]),
               "read s": encoded["seconds"], "read cpu s": encoded["cpu"]}]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        urls = {"DuckDB": f"{folder}/log.duckdb", "SQLite": f"{folder}/log.sqlite"}
        for name, url in urls.items():
            results.append(measure(name, url, table))
    if arguments.postgresql:
        results.append(in_postgresql(arguments.postgresql, table))
    header = list(results[-1])
    print(text_table(header, [[str(result.get(c, "")) for c in header] for result in results]))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", "utf-8")


def in_postgresql(url: str, table: pa.Table) -> dict[str, Any]:
    dbapi = import_module("adbc_driver_postgresql.dbapi")
    with dbapi.connect(url, autocommit=True) as db, db.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        cursor.execute(f"CREATE SCHEMA {SCHEMA}")
        try:
            separator = "&" if "?" in url else "?"
            return measure("PostgreSQL", f"{url}{separator}options=-csearch_path%3D{SCHEMA}", table)
        finally:
            cursor.execute(f"DROP SCHEMA {SCHEMA} CASCADE")


if __name__ == "__main__":
    main()
