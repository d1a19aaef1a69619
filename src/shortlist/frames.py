"""Base class of results that convert to Arrow, pandas and polars tables."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import pyarrow as pa

from shortlist.text import TextTable, as_html, as_text

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

SHOWN_ROWS = 20  # of a result that is printed, or shown in a notebook


class Tabular(ABC):
    """A result that is stored as a table."""

    @abstractmethod
    def to_arrow(self) -> pa.Table:
        """Return the table."""

    @abstractmethod
    def content(self) -> list[str | TextTable]:
        """Return the lines and the tables that ``print`` and notebooks show."""

    def __str__(self) -> str:
        """Return the lines and the tables as text."""
        return as_text(self.content())

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Export the table through Arrow's C interface: polars, DuckDB and others read it as is."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def _repr_html_(self) -> str:
        """Show in a notebook what ``print`` shows, its tables as HTML tables."""
        return as_html(self.content())

    def first(self, count: int) -> pa.Table:
        """Return the first rows, as they are shown to people."""
        return self.to_arrow().slice(0, count)

    def _frame(self) -> pa.Table:
        """Return the table that data frames hold."""
        return self.to_arrow()

    def to_pandas(self) -> pd.DataFrame:
        """Return the table as a pandas data frame; pandas must be installed."""
        return self._frame().to_pandas()

    def to_polars(self) -> pl.DataFrame:
        """Return the table as a polars data frame; polars must be installed."""
        import polars as pl

        return pl.DataFrame(self._frame())
