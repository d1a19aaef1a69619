"""Item vectors laid out for the kernels once, and kept for as long as the vectors live.

Laying a catalogue out takes longer than scoring a few queries with it. Where the same vectors
answer many small batches, as in a service, :func:`keep_packed` does it once, for as much memory
again as the vectors take. Scores have the same bits either way.
"""

from __future__ import annotations

import weakref

from shortlist.kernels.topk import packed_items
from shortlist.scoring.scores import FactorScores, Floats, Scores

_kept: dict[int, tuple[weakref.ref[Floats], Floats]] = {}  # by the identity of the vectors


def keep_packed(scores: Scores) -> None:
    """Lay the items of factor scores out, and keep that for later scores of the same array.

    The array may not be written to from here on. Other shapes have nothing to lay out.

    Parameters
    ----------
    scores
        What a model answers to any query.

    Examples
    --------
    >>> import numpy as np
    >>> items = np.ones((2, 3), np.float32)
    >>> keep_packed(FactorScores(np.ones((1, 2), np.float32), items))
    >>> packed_of(items).shape  # 3 items are filled up to 16
    (32,)
    """
    if not isinstance(scores, FactorScores):
        return
    items, key = scores.items, id(scores.items)
    if packed_of(items) is None:
        items.setflags(write=False)
        _kept[key] = (weakref.ref(items, lambda _: _kept.pop(key, None)), packed_items(items))


def packed_of(items: Floats) -> Floats | None:
    """Give what is kept of these very vectors, or None.

    Parameters
    ----------
    items
        One column an item.  # (f, n_items)
    """
    kept = _kept.get(id(items))
    return kept[1] if kept is not None and kept[0]() is items else None
