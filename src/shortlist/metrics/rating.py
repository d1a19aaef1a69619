"""Rating metrics: the errors of predicted ratings."""

from __future__ import annotations

import numpy as np

from shortlist.metrics.bootstrap import Measure
from shortlist.metrics.ranking import FloatArray, Int64Array, sum_by_user


def rating_errors(
    predicted: FloatArray, actual: FloatArray, indptr: Int64Array
) -> dict[str, Measure]:
    """Compute RMSE and MAE over all test ratings; a user weighs as much as they rated.

    ``rmse = sqrt(mean (predicted - actual)^2)``, ``mae = mean |predicted - actual|``. The values
    per user are the mean squared and the mean absolute error, weighted by the number of ratings.
    """
    counts = np.diff(indptr).astype(np.float64)
    difference = predicted - actual
    squared = sum_by_user(difference**2, indptr) / counts
    absolute = sum_by_user(np.abs(difference), indptr) / counts
    return {
        "rmse": Measure(squared, weights=counts, root=True),
        "mae": Measure(absolute, weights=counts),
    }
