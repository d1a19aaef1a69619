"""Writing sample tables as CSV files, whose bytes depend on the tables alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.csv


def write_tables(folder: Path, tables: Mapping[str, pa.Table], *, mark: bool = False) -> None:
    """Write each table as ``NAME.csv`` in UTF-8, with or without a byte order mark.

    Nothing is quoted, so no text may hold a comma, a quote or a line break.
    """
    options = pa.csv.WriteOptions(include_header=False, quoting_style="none")
    for name, table in tables.items():
        with (folder / f"{name}.csv").open("wb") as stream:
            header = ",".join(table.column_names) + "\n"
            stream.write(header.encode("utf-8-sig" if mark else "utf-8"))
            pa.csv.write_csv(table, stream, options)
