"""A comparison as one HTML page: what was found, drawn, and written in one step.

What the page says is gathered first (one file a section, plain dataclasses), then drawn
(``charts``), then put into the template (``page``). Needs the extra ``report``.
"""

from shortlist.reporting.write import write_report

__all__ = ["write_report"]
