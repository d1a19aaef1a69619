"""Results that are tables: one way to hand them to Arrow, pandas and polars."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl


class Tabular(ABC):
    """A result with a table behind it.

    Examples
    --------
    >>> class Pair(Tabular):
    ...     def to_arrow(self) -> pa.Table:
    ...         return pa.table({"a": [1, 2]})
    >>> Pair().to_polars().shape
    (2, 1)
    """

    @abstractmethod
    def to_arrow(self) -> pa.Table:
        """Give the table."""

    def to_pandas(self) -> pd.DataFrame:
        """:meth:`to_arrow` as a pandas frame (pandas must be installed)."""
        return self.to_arrow().to_pandas()

    def to_polars(self) -> pl.DataFrame:
        """:meth:`to_arrow` as a polars frame (polars must be installed)."""
        import polars as pl

        return pl.DataFrame(self.to_arrow())
