"""Formats of other libraries, checked before these read them: LightGBM's trees, usearch's graph.

Both libraries trust their own formats: an index beyond an array ends the process, or reads beyond
the end of the memory. So every number is checked here.

LightGBM's text is a header, then lines ``key=value`` for each tree. It gets a new text of the
checked lines alone. The file of usearch 2 is a matrix of vectors, a header, and the HNSW graph ::

    uint32 n, uint32 bytes per vector, n vectors of float32
    64 bytes: "usearch", version, kinds of metric, scalar, key and slot, counts, dimensions
    uint64 n, connectivity, connectivity of level 0, highest level, slot of the entry
    int16 level of each node
    per node: uint64 key, int16 level, and for each level up to its own
        uint32 count, as many uint32 slots as the connectivity of that level
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.bundle.declarations import LARGEST, check_range

MAX_LEAVES = 1024  # the bound of the setting ``leaves``
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?", re.ASCII)
_WHOLE = re.compile(r"-?[0-9]{1,10}", re.ASCII)
_HEADER = ("num_class", "num_tree_per_iteration", "label_index", "max_feature_idx", "objective",
           "feature_names", "feature_infos", "tree_sizes")  # fmt: skip
_SPLITS = ("split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child",
           "internal_value", "internal_weight", "internal_count")  # fmt: skip
_LEAVES = ("leaf_value", "leaf_weight", "leaf_count")
_CATEGORIES = ("cat_boundaries", "cat_threshold")
_SCALARS = ("num_leaves", "num_cat", "is_linear", "shrinkage")
_WHOLE_LINES = ("split_feature", "decision_type", "left_child", "right_child", "internal_count",
                "leaf_count", *_CATEGORIES)  # fmt: skip

_HEADER_BYTES = 64
_NODE_HEAD = 10  # key and level
_KINDS = bytes([ord("i"), 0x0B, 0x0E, 0x0F])  # inner product, float32, uint64 keys, uint32 slots


# --- trees of LightGBM ----------------------------------------------------------------------------


def checked_trees(text: str, n_columns: int, n_trees: int | None = None) -> str:
    """Return the trees of LightGBM's text as a text that LightGBM can read safely.

    ``n_columns`` is that of the rows that the trees are for, ``n_trees`` the most trees. A wrong
    line raises ValueError, which names tree and line; what follows the trees is left out.
    """
    head, *blocks = re.split(r"(?m)^Tree=[0-9]+\n", text.partition("\nend of trees\n")[0] + "\n")
    if n_trees is not None and len(blocks) > n_trees:
        raise ValueError(f"holds {len(blocks)} trees, expected at most {n_trees}")
    start, _, rest = head.partition("\nversion=v4\n")
    header = _lines(rest, "the header")
    if start != "tree" or set(header) != set(_HEADER):
        raise ValueError("does not begin as a text of LightGBM 4")
    if header["max_feature_idx"] != str(n_columns - 1) or header["num_class"] != "1":
        raise ValueError(f"is not for rows of {n_columns} columns")
    if header["num_tree_per_iteration"] != "1":
        raise ValueError("has several trees for each iteration, expected 1")
    trees = []
    for position, block in enumerate(blocks):
        name = f"tree {position}"
        lines = _lines(block, name)
        _check_tree(name, lines, n_columns)
        content = "\n".join(f"{key}={value}" for key, value in lines.items())
        trees.append(f"Tree={position}\n{content}\n\n\n")
    names = " ".join(f"Column_{column}" for column in range(n_columns))
    infos = " ".join(["none"] * n_columns)
    sizes = " ".join(str(len(tree)) for tree in trees)
    return (
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\n"
        f"max_feature_idx={n_columns - 1}\nobjective=lambdarank\nfeature_names={names}\n"
        f"feature_infos={infos}\ntree_sizes={sizes}\n\n{''.join(trees)}end of trees\n"
    )


def _lines(text: str, name: str) -> dict[str, str]:
    """Return the lines ``key=value``."""
    lines: dict[str, str] = {}
    for line in filter(None, text.split("\n")):
        key, equals, value = line.partition("=")
        if not equals or key in lines:
            raise ValueError(f"{name}: {line[:40]!r} is not a line of its own kind")
        lines[key] = value
    return lines


def _check_tree(name: str, lines: Mapping[str, str], n_columns: int) -> None:
    """Check the numbers of a tree."""
    n_categorical = _whole(lines.get("num_cat", ""), f"{name}: num_cat", 0, MAX_LEAVES)
    expected = {*_SCALARS, *_SPLITS, *_LEAVES, *(_CATEGORIES if n_categorical else ())}
    if set(lines) != expected:
        raise ValueError(
            f"{name}: the lines {sorted(expected ^ set(lines))} are missing or unknown"
        )
    if lines["is_linear"] != "0":
        raise ValueError(f"{name}: is_linear is {lines['is_linear'][:20]}, expected 0")
    _number(lines["shrinkage"], f"{name}: shrinkage")
    n_leaves = _whole(lines["num_leaves"], f"{name}: num_leaves", 1, MAX_LEAVES)
    n_splits = n_leaves - 1
    wholes: dict[str, list[int]] = {}
    for key in lines.keys() - set(_SCALARS):
        where, texts = f"{name}: {key}", lines[key].split()
        length = {**dict.fromkeys(_SPLITS, n_splits), **dict.fromkeys(_LEAVES, n_leaves)}.get(key)
        if key == "leaf_weight" and n_leaves == 1:
            length = len(texts) and 1  # LightGBM leaves it out for a single leaf
        if length is not None and len(texts) != length:
            raise ValueError(f"{where} has {len(texts)} numbers, expected {length}")
        if key in _WHOLE_LINES:
            wholes[key] = [_whole(text, where) for text in texts]
        else:
            for text in texts:
                _number(text, where, None) if key == "threshold" else _number(text, where)
    _check_splits(name, wholes, n_leaves, n_columns)
    _check_categories(name, lines, wholes, n_categorical)


def _check_splits(
    name: str, wholes: Mapping[str, list[int]], n_leaves: int, n_columns: int
) -> None:
    """Check that the nodes form one tree, each child after its parent, and the columns exist."""
    children = [wholes["left_child"], wholes["right_child"]]
    targets = sorted(child for side in children for child in side)
    nodes = [*range(-n_leaves, 0), *range(1, n_leaves - 1)] if n_leaves > 1 else []
    if targets != nodes:
        raise ValueError(f"{name}: left_child and right_child do not reach every node once")
    for side in children:
        if any(0 <= child <= parent for parent, child in enumerate(side)):
            raise ValueError(f"{name}: a node comes before its parent")
    for key, low, high in (("split_feature", 0, n_columns - 1), ("decision_type", 0, 11)):
        _require(name, key, wholes[key], low, high)
    for key in ("internal_count", "leaf_count"):
        _require(name, key, wholes[key], 1, 2**31 - 1)  # SHAP values divide by them


def _check_categories(
    name: str, lines: Mapping[str, str], wholes: Mapping[str, list[int]], n_categorical: int
) -> None:
    """Check the sets of categories, and that each categorical split refers to one of them."""
    thresholds = lines["threshold"].split()
    for kind, threshold in zip(wholes["decision_type"], thresholds, strict=True):
        if kind & 1:  # the split is categorical
            _whole(threshold, f"{name}: threshold of a category", 0, n_categorical - 1)
    if not n_categorical:
        return
    bounds, words = (wholes[key] for key in _CATEGORIES)
    if (
        len(bounds) != n_categorical + 1
        or bounds[0] != 0
        or bounds[-1] != len(words)
        or sorted(bounds) != bounds
    ):
        raise ValueError(f"{name}: cat_boundaries do not divide the {len(words)} cat_threshold")
    _require(name, "cat_threshold", words, 0, 2**32 - 1)


def _require(name: str, key: str, numbers: list[int], low: int, high: int) -> None:
    wrong = next((number for number in numbers if not low <= number <= high), None)
    if wrong is not None:
        raise ValueError(f"{name}: {key} holds {wrong}, expected {low} to {high}")


def _whole(text: str, where: str, low: int = -(2**31), high: int = 2**32 - 1) -> int:
    if not _WHOLE.fullmatch(text) or not low <= int(text) <= high:
        raise ValueError(f"{where} is {text[:20]!r}, expected a whole number, {low} to {high}")
    return int(text)


def _number(text: str, where: str, largest: float | None = LARGEST) -> float:
    if largest is None and text in ("inf", "-inf"):  # a split between known and missing values
        return float(text)
    if not _NUMBER.fullmatch(text) or len(text) > 40:
        raise ValueError(f"{where} is {text[:20]!r}, expected a number")
    number = float(text)
    bound = 1e301 if largest is None else largest
    if not abs(number) <= bound:
        raise ValueError(f"{where} is {text}, expected at most {bound:g}")
    return number


def lowest_leaves(text: str) -> Iterator[float]:
    """Yield the lowest leaf of each tree."""
    for line in text.splitlines():
        if line.startswith("leaf_value="):
            yield min(map(float, line.partition("=")[2].split()))


# --- graphs of usearch ----------------------------------------------------------------------------


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
