"""Finding a model's settings, and finding the model, on folds of the training data."""

from shortlist.tuning.choice import Choice
from shortlist.tuning.choosing import auto
from shortlist.tuning.chosen import Chosen
from shortlist.tuning.result import Tuning
from shortlist.tuning.study import tune

__all__ = ["Choice", "Chosen", "Tuning", "auto", "tune"]
