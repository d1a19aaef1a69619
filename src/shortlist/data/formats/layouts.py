"""The published files that each schema knows.

Files named after the tables of a schema need no layout: ``ratings.csv`` with the columns of the
table ``ratings`` is recognised without being listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from shortlist.data.formats.jobs import JOBS
from shortlist.data.formats.layout import Layout
from shortlist.data.formats.movies import MOVIES

LAYOUTS: Mapping[str, tuple[Layout, ...]] = MappingProxyType({"movies": MOVIES, "jobs": JOBS})
