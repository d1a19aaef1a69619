"""How a column is encoded where the caller does not say.

The rules, in their order:

1. ``title``, ``valid_from`` and ``valid_to`` are left out: text to show, and life spans.
2. Columns that say nothing are left out: no value in any row; the same in every row.
3. True and false: category. Dates: number. Lists of fractions: vector. Lists of labels: labels; but
   free text, if the labels are typed by hand (a tenth of them differ from another by nothing but
   blanks and punctuation; looked at only where there are more than 20).
4. Numbers: category, if they are whole, take at most 20 values, and each of them stands in two
   rows on average; otherwise number.
5. Text: labels, if a quarter of its distinct values hold ';' or '|' and the parts return in other
   values (each in 1.5 of them on average; so that names with a ';' in them stay whole); typed by
   hand, free text, as in 3.
6. Other text: category, if each value stands in two rows on average; free text, if values have 3
   words or 30 letters on average; category, if there are at most 20 values; left out, if at least
   half of the rows have a value of their own (names, ids); category.

What a caller says of a column overrides 1 and 3 to 6.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from shortlist.data.features.block import NothingLearnedError
from shortlist.data.features.cells import Cells
from shortlist.data.features.ngrams import BETWEEN_WORDS
from shortlist.data.features.specs import Category, Labels, Number, Spec, Text, Vector
from shortlist.data.features.values import fold, split_labels

SET_ASIDE = {
    "title": "text to show; name a kind to encode it",
    "valid_from": "the start of a life span, not a feature",
    "valid_to": "the end of a life span, not a feature",
}
FEW_VALUES = 20
PROSE_WORDS, PROSE_LETTERS = 3.0, 30.0
SEPARATED, RETURNING = 0.25, 1.5
SAME_SPELLED_TWICE = 0.1


def check_informative(cells: Cells) -> None:
    """Refuse a column that cannot tell rows apart.

    Raises
    ------
    NothingLearnedError
        It has no value in any row, or the same in every row.
    """
    values = cells.values
    if values.null_count == len(values):
        raise NothingLearnedError("no value in any row")
    if pa.types.is_list(values.type):
        if pc.count_distinct(pc.list_value_length(values), mode="all").as_py() > 1:
            return
        values = pc.binary_join(pc.cast(values, pa.list_(pa.string())), "\x1f")
    if pc.count_distinct(values, mode="all").as_py() == 1:
        raise NothingLearnedError("the same in every row")


def infer_spec(cells: Cells) -> Spec:
    """Choose the kind of an informative column by rules 3 to 6.

    Raises
    ------
    NothingLearnedError
        Rule 6: nearly every row has a value of its own.
    """
    if cells.family in ("whole", "number"):
        values = pc.drop_null(cells.values)
        distinct = pc.count_distinct(values).as_py()
        few = distinct <= FEW_VALUES and 2 * distinct <= len(values)
        return Category() if few and cells.family == "whole" else Number()
    if cells.family == "text":
        return _infer_text(cells.values)
    if cells.family == "list":
        return Text() if _typed_by_hand(split_labels(cells.values, None)[1]) else Labels()
    kinds: dict[str, Spec] = {"truth": Category(), "date": Number(), "vector": Vector()}
    return kinds[cells.family]


def _infer_text(values: Any) -> Spec:
    counts = pc.value_counts(pc.drop_null(values))
    distinct, times = counts.field(0), counts.field(1)
    n_rows, n_distinct = len(values) - values.null_count, len(distinct)
    held = {mark: pc.sum(pc.match_substring(distinct, mark)).as_py() for mark in ";|"}
    mark = max(held, key=lambda mark: held[mark])
    if held[mark] >= SEPARATED * n_distinct:
        _, labels = split_labels(distinct, mark)
        if len(labels) >= RETURNING * max(pc.count_distinct(labels).as_py(), 1):
            return Text() if _typed_by_hand(labels) else Labels(separator=mark)
    if 2 * n_distinct <= n_rows:
        return Category()
    words = pc.mean(pc.add(pc.count_substring_regex(distinct, r"\s+"), 1)).as_py()
    if words >= PROSE_WORDS or pc.mean(pc.utf8_length(distinct)).as_py() >= PROSE_LETTERS:
        return Text()
    alone = pc.sum(pc.equal(times, 1)).as_py()
    if n_distinct > FEW_VALUES and 2 * alone >= n_rows:
        raise NothingLearnedError(
            f"{alone} of {n_rows} rows have a value of their own, as names and ids do"
        )
    return Category()


def _typed_by_hand(labels: Any) -> bool:
    """Say whether many labels are others spelled differently; labels without letters are codes."""
    spellings = pc.unique(fold(labels))
    spellings = spellings.filter(pc.match_substring_regex(spellings, r"\p{L}"))
    if len(spellings) <= FEW_VALUES:
        return False
    bare = pc.unique(pc.replace_substring_regex(spellings, pattern=BETWEEN_WORDS, replacement=""))
    return len(bare) <= (1 - SAME_SPELLED_TWICE) * len(spellings)
