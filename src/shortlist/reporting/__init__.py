"""A comparison as one HTML page. Needs the extra ``report`` to write it.

The sections are gathered by subject, drawn (``charts``), and rendered into the template (``page``).
What only the template reads is a dictionary; what is also drawn is a dataclass.
"""

from shortlist.reporting.comparison import ComparisonWithReport, compare

__all__ = ["ComparisonWithReport", "compare"]
