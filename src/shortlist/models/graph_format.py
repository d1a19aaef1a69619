"""The file format of an HNSW graph of usearch 2, checked before usearch reads it.

The file is a matrix of vectors, a header, and the graph: usearch trusts the lengths and the indices
of neighbours in it, and reads beyond the end of its memory where they are wrong.

::

    uint32 n, uint32 bytes per vector, n vectors of float32
    64 bytes: "usearch", version, kinds of metric, scalar, key and slot, counts, dimensions
    uint64 n, connectivity, connectivity of level 0, highest level, slot of the entry
    int16 level of each node
    per node: uint64 key, int16 level, and for each level up to its own
        uint32 count, as many uint32 slots as the connectivity of that level
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.bundle.declarations import LARGEST, check_range

_HEADER_BYTES = 64
_NODE_HEAD = 10  # key and level
_KINDS = bytes([ord("i"), 0x0B, 0x0E, 0x0F])  # inner product, float32, uint64 keys, uint32 slots


def check_graph_bytes(graph: NDArray[np.uint8], n_items: int, width: int) -> None:
    """Raise ValueError unless bytes are a graph over vectors of that width of all items.

    The keys are the rows of the items in this order.
    """
    if graph.dtype != np.uint8 or graph.ndim != 1:
        raise ValueError(f"is a {graph.dtype} array of shape {graph.shape}, expected bytes")
    vectors_end = 8 + 4 * n_items * width
    start = vectors_end + _HEADER_BYTES
    if len(graph) < start + 40 + 2 * n_items:
        raise ValueError(f"has {len(graph)} bytes, too few for {n_items} items of {width} numbers")
    if _numbers(graph[:8], "<u4").tolist() != [n_items, 4 * width]:
        raise ValueError(f"does not hold {n_items} vectors of {width} numbers")
    check_range(_numbers(graph[8:vectors_end], "<f4"), -LARGEST, LARGEST)
    header = graph[vectors_end:start].tobytes()
    counts = np.frombuffer(header[17:41], dtype="<u8").tolist()
    if header[:7] != b"usearch" or header[13:17] != _KINDS or header[41] != 0:
        raise ValueError("has a header that is not one of usearch")
    if counts != [n_items, 0, width]:
        raise ValueError(f"has a header for other sizes than {n_items} items of {width} numbers")
    size, connectivity, base, top, entry = _numbers(graph[start : start + 40], "<u8").tolist()
    levels = _numbers(graph[start + 40 : start + 40 + 2 * n_items], "<i2").astype(np.int64)
    if size != n_items or not (1 <= connectivity <= 2**16 and 1 <= base <= 2**17):
        raise ValueError("has a graph of another size")
    if n_items and not (entry < n_items and levels.min() >= 0):
        raise ValueError("has an entry or a level out of range")
    if n_items and not (levels.max() == top == levels[entry]):
        raise ValueError("does not enter at its highest level")
    _check_nodes(graph[start + 40 + 2 * n_items :], levels, connectivity, base)


def _check_nodes(
    nodes: NDArray[np.uint8], levels: NDArray[np.int64], connectivity: int, base: int
) -> None:
    """Check the keys, the levels and the neighbours of all nodes."""
    base_bytes, level_bytes = 4 * (1 + base), 4 * (1 + connectivity)
    sizes = _NODE_HEAD + base_bytes + level_bytes * levels
    if sizes.sum() != len(nodes):
        raise ValueError(f"has {len(nodes)} bytes of nodes, expected {sizes.sum()}")
    starts = np.cumsum(sizes) - sizes
    heads = nodes[starts[:, np.newaxis] + np.arange(_NODE_HEAD)]  # (n, 10)
    keys = _numbers(heads[:, :8], "<u8").ravel()
    if not np.array_equal(keys, np.arange(len(levels))):
        raise ValueError("has keys that are not the rows of the items")
    if not np.array_equal(_numbers(heads[:, 8:], "<i2").ravel(), levels):
        raise ValueError("has nodes of another level than listed")
    for level in range(int(levels.max(initial=-1)) + 1):
        here = np.flatnonzero(levels >= level)
        offset = _NODE_HEAD + (base_bytes + level_bytes * (level - 1) if level else 0)
        width = base if level == 0 else connectivity
        span = np.arange(4 * (1 + width))
        lists = _numbers(nodes[starts[here, np.newaxis] + offset + span], "<u4")  # (n, 1 + width)
        used = np.arange(width) < lists[:, :1]
        slots = lists[:, 1:][used]
        if (lists[:, 0] > width).any() or (slots >= len(levels)).any():
            raise ValueError(f"has neighbours out of range on level {level}")
        if (levels[slots] < level).any():
            raise ValueError(f"has neighbours on level {level} that do not reach it")


def _numbers(content: NDArray[np.uint8], dtype: str) -> NDArray[Any]:
    """Read bytes as numbers."""
    return np.ascontiguousarray(content).view(dtype)
