"""Evaluation against the full catalogue, with intervals, and tests between models."""

from shortlist.evaluation.comparison import Comparison
from shortlist.evaluation.protocol import evaluate
from shortlist.evaluation.report import Report
from shortlist.evaluation.sampled import evaluate_sampled

__all__ = ["Comparison", "Report", "evaluate", "evaluate_sampled"]
