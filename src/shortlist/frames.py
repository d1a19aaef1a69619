"""Base class of results that convert to Arrow, pandas and polars tables."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl


class Tabular(ABC):
    """A result that is stored as a table."""

    @abstractmethod
    def to_arrow(self) -> pa.Table:
        """Return the table."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Export the table through Arrow's C interface: polars, DuckDB and others read it as is."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def to_pandas(self) -> pd.DataFrame:
        """Return :meth:`to_arrow` as a pandas data frame; pandas must be installed."""
        return self.to_arrow().to_pandas()

    def to_polars(self) -> pl.DataFrame:
        """Return :meth:`to_arrow` as a polars data frame; polars must be installed."""
        import polars as pl

        return pl.DataFrame(self.to_arrow())
