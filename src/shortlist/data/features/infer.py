"""How each column is encoded.

1. ``title``, ``valid_from`` and ``valid_to`` are left out: a text for display, and life spans.
2. Columns without information are left out: no value in any row, or the same value in every row.
3. True and false: category. Dates: number. Lists of fractions: vector. Lists of labels: labels, or
   text if people typed the labels by hand: of more than 20 labels, a tenth differ from another
   label only in blanks and punctuation.
4. Numbers: category if they are integers with at most 20 values that occur twice on average;
   otherwise number.
5. Text: labels, if a quarter of its distinct values contain ';' or '|', and their parts are shared
   (each occurs in 1.5 values on average; so names that contain ';' are not split). Commas separate
   labels too, if these have at most 2.5 words and occur in 3 values, both on average; so prose,
   numbers and 'Leeds, UK' are not split. Text if typed by hand, as in rule 3.
6. Other text: category, if each value occurs twice on average; text, if values have 3 words or 30
   letters on average; category, if there are at most 20 values; left out, if at least half of the
   rows have a unique value (names, ids); otherwise category.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from shortlist.data.features.block import Block, Kind, NothingLearnedError, Spec
from shortlist.data.features.cells import Cells, family_of, read_cells
from shortlist.data.features.text import BETWEEN_WORDS, TextBlock
from shortlist.data.features.values import (
    CategoryBlock,
    LabelsBlock,
    NumberBlock,
    VectorBlock,
    fold,
    split_labels,
)

BLOCKS: dict[str, type[Block]] = {
    "number": NumberBlock,
    "category": CategoryBlock,
    "labels": LabelsBlock,
    "text": TextBlock,
    "vector": VectorBlock,
}
"""The class of each kind of specification."""

EXCLUDED = {
    "title": "a text for display; not a feature",
    "valid_from": "the start of a life span, not a feature",
    "valid_to": "the end of a life span, not a feature",
}
FEW_VALUES = 20
PROSE_WORDS, PROSE_LETTERS = 3.0, 30.0
SEPARATED_SHARE, SHARED_LABELS = 0.25, 1.5
LABEL_WORDS, SHARED_BETWEEN_COMMAS = 2.5, 3.0
SPELLING_VARIANTS = 0.1


def fit_column(column: pa.ChunkedArray, name: str) -> Block:
    """Learn the block of a column; NothingLearnedError if the column is left out."""
    if name in EXCLUDED:
        raise NothingLearnedError(EXCLUDED[name])
    if family_of(column.type) is None:
        raise NothingLearnedError(f"the type {column.type} cannot be encoded")
    cells = read_cells(column, name)
    _require_informative(cells)
    spec = _infer(cells)
    return BLOCKS[spec.kind].fit(name, spec, cells)


def _require_informative(cells: Cells) -> None:
    """Leave out a column that does not distinguish any rows."""
    values = cells.values
    if values.null_count == len(values):
        raise NothingLearnedError("no value in any row")
    if pa.types.is_list(values.type):
        if pc.count_distinct(pc.list_value_length(values), mode="all").as_py() > 1:
            return
        values = pc.binary_join(pc.cast(values, pa.list_(pa.string())), "\x1f")
    if pc.count_distinct(values, mode="all").as_py() == 1:
        raise NothingLearnedError("the same value in every row")


def _infer(cells: Cells) -> Spec:
    """Return the specification of an informative column by rules 3 to 6."""
    if cells.family in ("whole", "number"):
        values = pc.drop_null(cells.values)
        distinct = pc.count_distinct(values).as_py()
        few = distinct <= FEW_VALUES and 2 * distinct <= len(values)
        return Spec(kind="category" if few and cells.family == "whole" else "number")
    if cells.family == "text":
        return _infer_text(cells.values)
    if cells.family == "list":
        by_hand = _typed_by_hand(split_labels(cells.values, None)[1])
        return Spec(kind="text" if by_hand else "labels")
    kinds: dict[str, Kind] = {"truth": "category", "date": "number", "vector": "vector"}
    return Spec(kind=kinds[cells.family])


def _infer_text(values: pa.Array) -> Spec:
    counted = pc.value_counts(pc.drop_null(values))
    distinct, counts = counted.field(0), counted.field(1)
    n_rows, n_distinct = len(values) - values.null_count, len(distinct)
    if (separated := _separated(distinct)) is not None:
        return separated
    if 2 * n_distinct <= n_rows:
        return Spec(kind="category")
    if (
        _mean_words(distinct) >= PROSE_WORDS
        or pc.mean(pc.utf8_length(distinct)).as_py() >= PROSE_LETTERS
    ):
        return Spec(kind="text")
    unique = pc.sum(pc.equal(counts, 1)).as_py()
    if n_distinct > FEW_VALUES and 2 * unique >= n_rows:
        raise NothingLearnedError(f"{unique} of {n_rows} rows have a unique value, like an id")
    return Spec(kind="category")


def _separated(distinct: pa.Array) -> Spec | None:
    """Return the specification of a column whose texts are labels with a mark between them."""
    containing = {mark: pc.sum(pc.match_substring(distinct, mark)).as_py() for mark in ";|,"}
    for mark in (*sorted(";|", key=containing.__getitem__, reverse=True), ","):
        if containing[mark] < SEPARATED_SHARE * len(distinct):
            continue
        _, labels = split_labels(distinct, mark)
        shared = SHARED_LABELS
        if mark == ",":
            shared = SHARED_BETWEEN_COMMAS
            if _mean_words(labels) > LABEL_WORDS or _holds_numbers(distinct):
                return None
        if len(labels) >= shared * max(pc.count_distinct(labels).as_py(), 1):
            if _typed_by_hand(labels):
                return Spec(kind="text")
            return Spec(kind="labels", separator=mark)
    return None


def _mean_words(texts: pa.Array) -> float:
    words: float = pc.mean(pc.add(pc.count_substring_regex(texts, r"\s+"), 1)).as_py()
    return words


def _holds_numbers(texts: pa.Array) -> bool:
    """Return whether a comma is between the digits of many texts: 3,500."""
    numbers = pc.sum(pc.match_substring_regex(texts, r"\d,\d")).as_py()
    return bool(numbers >= SEPARATED_SHARE * len(texts))


def _typed_by_hand(labels: pa.Array) -> bool:
    """Return whether many labels are variants of another; labels without letters are codes."""
    spellings = pc.unique(fold(labels))
    spellings = spellings.filter(pc.match_substring_regex(spellings, r"\p{L}"))
    if len(spellings) <= FEW_VALUES:
        return False
    bare = pc.unique(pc.replace_substring_regex(spellings, pattern=BETWEEN_WORDS, replacement=""))
    return len(bare) <= (1 - SPELLING_VARIANTS) * len(spellings)
