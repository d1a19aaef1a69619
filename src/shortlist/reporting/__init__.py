"""A comparison as one HTML page. Needs the extra ``report`` to write it.

The contents are gathered first (plain dataclasses, by subject), then drawn (``drawings``, over the
chart types in ``charts``), then rendered into the template (``page``).
"""

from shortlist.reporting.comparison import ComparisonWithReport, compare

__all__ = ["ComparisonWithReport", "compare"]
