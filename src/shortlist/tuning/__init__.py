"""Hyper-parameter search and automatic model selection on validation folds of the training data."""

from shortlist.tuning.result import Choice, Tuning
from shortlist.tuning.search import tune
from shortlist.tuning.selection import auto
from shortlist.tuning.settings_file import SettingsFile

__all__ = ["Choice", "SettingsFile", "Tuning", "auto", "tune"]
