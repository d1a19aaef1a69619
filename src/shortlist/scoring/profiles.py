"""What a model sees of a block of queries, whoever they come from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.vocabulary import UNKNOWN, Rows


@dataclass(frozen=True)
class Profiles:
    """A block of B queries in rows of the training data.

    Attributes
    ----------
    users
        The row of a user seen in training, -1 for somebody new, int32.  # (B,)
    history
        What each has chosen, with weights: the training interactions of a known user, plus whatever
        the query adds.  # (B, n_items)
    changed
        Whether the history differs from what the user had in training; always true for somebody
        new. A model may use what it learned of a user only where this is false.  # (B,)
    features
        What is known of each, in the columns of the data's user features; None where the model
        does not use them or there are none.  # B rows
    recency
        The place of each entry of the history counted back from the latest, which is 1; only for
        models that use the order.  # (B, n_items)
    """

    users: Rows
    history: csr_array
    changed: NDArray[np.bool_]
    features: pa.Table | None = None
    recency: csr_array | None = None

    def __len__(self) -> int:
        return len(self.users)

    @classmethod
    def new(cls, history: csr_array) -> Profiles:
        """Describe people who were not in training by their histories alone."""
        count = history.shape[0]
        return cls(np.full(count, UNKNOWN, dtype=np.int32), history, np.ones(count, dtype=bool))

    def take(self, chosen: NDArray[np.intp]) -> Profiles:
        """Keep the chosen queries, in that order."""
        return Profiles(
            self.users[chosen],
            self.history[chosen],
            self.changed[chosen],
            None if self.features is None else self.features.take(pa.array(chosen)),
            None if self.recency is None else self.recency[chosen],
        )
