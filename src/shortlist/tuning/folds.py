"""What settings are measured on: choices held out of the training data, never a test."""

from __future__ import annotations

from shortlist.data import split
from shortlist.data.dataset import Dataset
from shortlist.data.split import Order, Split
from shortlist.errors import ConfigError, InputError


def validation_folds(data: Dataset, folds: int = 1, seed: int = 0) -> list[Split]:
    """Hold one choice of each user out, once or several times.

    The first fold holds out the last choice of everyone who has more than one; without times, a
    drawn one. The second holds out one more of them and trains on neither, and so on: no choice is
    held out twice.

    Parameters
    ----------
    data
        What there is to learn from.
    folds
        How many.
    seed
        Seeds what is drawn.

    Raises
    ------
    ConfigError
        ``folds`` is not a whole number from 1.
    InputError
        Nobody has enough choices.

    Examples
    --------
    >>> import pyarrow as pa
    >>> log = pa.table({"user_id": [1, 1, 1], "item_id": [5, 6, 7], "at": [10, 20, 30]})
    >>> data = Dataset.from_tables(log, time="at")
    >>> [held.to_arrow()["item_id"].to_pylist() for _, held in validation_folds(data, 2)]
    [[7], [6]]
    """
    if isinstance(folds, bool) or not isinstance(folds, int) or folds < 1:
        raise ConfigError(
            f"folds={folds!r} is out of range: it is a whole number, 1 or more",
            remedy="pass for example folds=1",
        )
    cuts: list[Split] = []
    for fold in range(folds):
        left = cuts[-1][0] if cuts else data
        if int(left.user_counts.max(initial=0)) < 2:
            raise InputError(
                f"the data is too small for {folds} validation fold{'s' if folds > 1 else ''}: "
                f"nobody has {fold + 2} choices",
                where=f"{data}",
                remedy="ask for fewer folds, or gather more interactions"
                if fold
                else "use the defaults, or gather more interactions",
            )
        order: Order = "random" if data.times is None else "time"
        cuts.append(split.leave_last_out(left, order=order, seed=seed + fold))
    return cuts
