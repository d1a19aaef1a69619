"""Charts as inline SVG, in the colours of the page: no pixels, no fonts, nothing to fetch.

Written here because the page needs few kinds of chart, all with intervals, that follow light and
dark, print, and say each value in words; a plotting library draws in fixed colours and ten times
the bytes. Text is escaped by the XML writer.
"""

from shortlist.reporting.charts.bars import Bar, stacked_bars
from shortlist.reporting.charts.intervals import Row, interval_chart
from shortlist.reporting.charts.lines import Line, grouped_chart, line_chart
from shortlist.reporting.charts.places import Dot, place_chart
from shortlist.reporting.charts.scatter import Point, scatter_chart

__all__ = [
    "Bar",
    "Dot",
    "Line",
    "Point",
    "Row",
    "grouped_chart",
    "interval_chart",
    "line_chart",
    "place_chart",
    "scatter_chart",
    "stacked_bars",
]
