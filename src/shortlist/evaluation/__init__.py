"""Measuring models honestly: full catalogue, intervals, and tests between models."""

from shortlist.evaluation.comparing import compare
from shortlist.evaluation.comparison import Comparison
from shortlist.evaluation.protocol import evaluate
from shortlist.evaluation.report import Report
from shortlist.evaluation.sampled import evaluate_sampled

__all__ = ["Comparison", "Report", "compare", "evaluate", "evaluate_sampled"]
