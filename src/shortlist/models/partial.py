"""New interactions without a new fit: histories grow at once, what is not updated is listed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shortlist.data.arrow_types import is_number
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import UNKNOWN, Rows, Vocabulary
from shortlist.data.written.number_units import ColumnUnit, unit_and_currency
from shortlist.data.written.numbers import MAX, MIN, given_number
from shortlist.data.written.units import unit_named
from shortlist.errors import CapabilityError, InputError


class Growth(NamedTuple):
    """The data with the new interactions, and the rows of earlier users and items in it."""

    data: Dataset
    users: Rows  # of each earlier user
    items: Rows  # of each earlier item
    counts: NDArray[np.int64]  # the interactions of each earlier item

    @property
    def new_items(self) -> Rows:
        """The rows of items that nothing was learned about.

        They were not known before, or were known without interactions and now have some.
        """
        is_new = np.ones(self.data.n_items, dtype=bool)
        is_new[self.items] = (self.counts == 0) & (self.data.item_counts[self.items] > 0)
        return np.flatnonzero(is_new).astype(np.int32)


class PartialFit:
    """The part of a model that takes up new interactions."""

    learns_quickly: ClassVar[bool] = False  # whether learning takes little but choosing settings
    not_updated: tuple[str, ...] = ()
    """What the last :meth:`partial_fit` left as the last ``fit`` had it, in sentences."""

    def partial_fit(self, data: Dataset) -> Self:
        """Take up new interactions, users and items without a new fit.

        The histories of users grow at once. New users and items enter by their features or
        interactions as far as the model can; ``not_updated`` says what stays as it was. Settings
        that ``fit`` chose are kept. Fit again from time to time.

        Parameters
        ----------
        data
            The new interactions alone; of a pair that is known already the new weight counts. Its
            features replace those of the same users and items. Weights of earlier interactions
            stay as they are: those with a ``half_life`` age at the next ``fit``.

        Returns
        -------
        Self
            The model; its ``data`` holds all interactions.

        Raises
        ------
        CapabilityError
            The model learns only as a whole.
        InputError
            The ids or features of the new data have other types, or only one of the two has times.

        Examples
        --------
        >>> import shortlist as sl
        >>> log = sl.Dataset.from_tables({"user_id": [1, 1, 2, 2], "item_id": [7, 8, 7, 9]})
        >>> model = sl.ItemCosine().fit(log)
        >>> new = sl.Dataset.from_tables({"user_id": [3, 3], "item_id": [7, 10]})
        >>> model.partial_fit(new).recommend([3], k=1).column("item_id")
        [8]
        """
        model: Any = self
        growth, unknown = grown(model.data, data), _features_left_out(model.data, data)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # checked below
            learned, not_updated = self.grow(growth)
        model.require_finite(growth.data, learned)
        model.restore(growth.data, learned, model.history)
        self.not_updated = not_updated + unknown
        return self

    def grow(self, growth: Growth) -> tuple[Any, tuple[str, ...]]:
        """Return what is learned from the grown data, and what was not updated."""
        model: Any = self
        if not self.learns_quickly:
            raise CapabilityError(
                f"{model.name} learns only as a whole",
                remedy="call fit with all interactions",
            )
        return relearned(model, growth)


def relearned(model: Any, growth: Growth) -> tuple[Any, tuple[str, ...]]:
    """Learn again with the settings that ``fit`` chose; say which they are."""
    chosen = model.chosen
    learned = type(model)(**model.get_params() | chosen).learn(growth.data).learned
    kept = (f"the values that fit chose are kept: {', '.join(chosen)}",) if chosen else ()
    return learned, kept


def grown(before: Dataset, new: Dataset) -> Growth:
    """Add new interactions to a data set; :meth:`PartialFit.partial_fit` documents the rules."""
    if not isinstance(new, Dataset):
        raise InputError(
            f"new interactions are a Dataset, not a {type(new).__name__}",
            remedy="make one: Dataset.from_tables(...)",
        )
    users, items = _union(before.users, new.users), _union(before.items, new.items)
    if (before.times is None) != (new.times is None):
        raise InputError(
            "only one of the old and the new interactions have times",
            remedy="give both times, or neither",
        )
    ahead = int(before.positions.max(initial=-1)) + 1
    later = replace(new, positions=new.positions + ahead)
    rejected = (
        None
        if new.dislikes is None
        else replace(new.dislikes, positions=new.dislikes.positions + ahead)
    )
    data = _merged(users, items, later, before, rejected)
    data = replace(
        data,
        user_features=_features(users, before, new, "user"),
        item_features=_features(items, before, new, "item"),
        counting=new.counting or before.counting,
    )
    if before.dislikes is not None or rejected is not None:
        disliked = _merged(users, items, rejected, before.dislikes, later)
        data = replace(data, dislikes=disliked if len(disliked) else None)
    rows = (_rows_in(users, before.users), _rows_in(items, before.items))
    return Growth(data, *rows, before.item_counts)


def _merged(
    users: Vocabulary,
    items: Vocabulary,
    new: Dataset | None,
    old: Dataset | None,
    revoking: Dataset | None,
) -> Dataset:
    """Return the pairs of two data sets; those of the new one, and those that revoke, go first."""
    parts = [part for part in (new, revoking, old) if part is not None]
    keys = np.concatenate([_pairs(users, items, part) for part in parts])
    pairs, first = np.unique(keys, return_index=True)
    ends = np.cumsum([len(part) for part in parts])
    from_part = np.searchsorted(ends, first, side="right")
    kept = np.array([part is not revoking for part in parts], dtype=bool)[from_part]
    pairs, first = pairs[kept], first[kept]
    times = [part.times for part in parts if part.times is not None]
    return Dataset(
        users,
        items,
        (pairs // max(len(items), 1)).astype(np.int32),
        (pairs % max(len(items), 1)).astype(np.int32),
        np.concatenate([part.weights for part in parts])[first],
        np.concatenate(times)[first] if len(times) == len(parts) else None,
        np.concatenate([part.positions for part in parts])[first],
    )


def _pairs(users: Vocabulary, items: Vocabulary, data: Dataset) -> np.ndarray[Any, Any]:
    """Return a number for each (user, item) pair."""
    user_rows = _rows_in(users, data.users)[data.user_rows].astype(np.int64)
    return user_rows * len(items) + _rows_in(items, data.items)[data.item_rows]


def spread(array: np.ndarray[Any, Any], rows: Rows, n_rows: int) -> np.ndarray[Any, Any]:
    """Return an array of ``n_rows`` rows, zero but for the given ones."""
    wide = np.zeros((n_rows, *array.shape[1:]), dtype=array.dtype)
    wide[rows] = array
    return wide


def _union(before: Vocabulary, new: Vocabulary) -> Vocabulary:
    if before.ids.type != new.ids.type:
        raise InputError(
            f"the new {new.kind} ids are {new.ids.type}; those of the model are {before.ids.type}",
            remedy="convert the new ids",
        )
    return before.union(new)


def _rows_in(whole: Vocabulary, part: Vocabulary) -> Rows:
    rows: Rows = pc.index_in(part.ids, value_set=whole.ids).to_numpy(zero_copy_only=False)
    return rows.astype(np.int32)


def _features(
    ids: Vocabulary, before: Dataset, after: Dataset, kind: Literal["user", "item"]
) -> pa.Table | None:
    """Merge the features: those of the new data where it has them, else those of before."""
    old, new = (getattr(data, f"{kind}_features") for data in (before, after))
    if old is None:
        return None
    old_rows, new_rows = (
        pc.fill_null(pc.index_in(ids.ids, value_set=listed.ids), UNKNOWN).to_numpy()
        for listed in (getattr(data, f"{kind}s") for data in (before, after))
    )
    columns = {}
    for name in old.column_names:
        column, rows = old.column(name).combine_chunks(), old_rows
        new_values = None if new is None else _values_of(new, name, old)
        if new_values is not None:
            try:
                added = new_values.cast(column.type)
            except pa.ArrowException:
                raise InputError(
                    f"feature {name!r} of the new {ids.kind}s is {new_values.type}; it was "
                    f"{column.type}",
                    remedy="convert it",
                ) from None
            rows = np.where(new_rows == UNKNOWN, old_rows, len(column) + new_rows)
            column = pa.concat_arrays([column, added])
        columns[name] = column.take(pa.array(rows, mask=rows == UNKNOWN))
    return pa.table(columns).replace_schema_metadata(old.schema.metadata)


def _features_left_out(before: Dataset, new: Dataset) -> tuple[str, ...]:
    """Return a sentence on the columns of the new features that the earlier ones do not have."""
    names: list[str] = []
    for kind in ("user", "item"):
        old, added = (getattr(data, f"{kind}_features") for data in (before, new))
        known = set() if old is None else {*old.column_names}
        for name in () if added is None else added.column_names:
            if name not in known and f"{name}{MIN}" not in known:
                names.append(f"{name} of the {kind}s")
    if not names:
        return ()
    return (f"features that the last fit did not have are left out: {', '.join(names)}",)


def _values_of(new: pa.Table, name: str, old: pa.Table) -> pa.Array | None:
    """Return a column of new rows, or None; few rows may not show that it is one of numbers.

    Words such as "negotiable" are missing then, and numbers are ranges with equal ends.
    """
    whole = name.removesuffix(MIN).removesuffix(MAX)
    if name not in new.column_names and whole not in new.column_names:
        return None
    source = name if name in new.column_names else whole
    column = new.column(source).combine_chunks()
    if not is_number(old.schema.field(name).type):
        return column
    unit = unit_and_currency(old, name)
    if is_number(column.type):
        return _converted(column, name, unit_and_currency(new, source), unit)
    if not pa.types.is_string(column.type):
        return column
    texts = column.drop_null().to_pylist()
    read = {text: given_number(text, *unit) for text in texts}
    if any(any(map(str.isdigit, text)) and number is None for text, number in read.items()):
        return column
    numbers = [read.get(text) for text in column.to_pylist()]
    return pa.array(numbers, pa.float64())


def _converted(column: pa.Array, name: str, own: ColumnUnit, wanted: ColumnUnit) -> pa.Array:
    """Return numbers in the unit of an old column; years become months where it has months."""
    new, old = unit_named(own.unit), unit_named(wanted.unit)
    same_family = (new and new.family) == (old and old.family)
    if any(own) and any(wanted) and not (same_family and own.currency == wanted.currency):
        raise InputError(
            f"feature {name!r} of the new rows is in {own}; it was in {wanted}",
            remedy="convert it",
        )
    if new is None or old is None or new.size == old.size:
        return column
    return pc.multiply(column, new.size / old.size)


def unchanged_items(what: str, growth: Growth) -> tuple[str, ...]:
    """Return the sentence on items that keep what was learned about them."""
    count = growth.data.n_items - len(growth.new_items)
    return (f"{what} of the {count:,} items known before are those of the last fit",)
