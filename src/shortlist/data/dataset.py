"""The immutable data set that models are fitted on, with ids encoded as rows."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_array

from shortlist.data.bad_rows import OnBadRow as OnBadRow
from shortlist.data.bad_rows import SkippedRows
from shortlist.data.coding.ingest import encode_tables
from shortlist.data.coding.pairs import Repeats as Repeats
from shortlist.data.forms import table_of_histories, tables_of_matrix
from shortlist.data.interactions import Interactions
from shortlist.data.moments import LifeSpans, decay
from shortlist.data.rules.counting import Counting
from shortlist.data.rules.where import Where
from shortlist.data.table_options import TableOptions
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import InputError


@dataclass(frozen=True, eq=False)
class Dataset(Interactions):
    """Interactions of users with items, and the features of both.

    There is one entry for each (user, item) pair; entries are sorted by user row, then item row.
    Create a data set with :meth:`from_tables` or ``Store(...).dataset()``. Arrays are read-only.

    Attributes
    ----------
    users, items
        The vocabularies: all ids, with or without interactions.
    user_rows, item_rows
        User and item of each interaction, as rows of the vocabularies, int32.  # (n_interactions,)
    weights
        The weight of each interaction, float32, finite and not negative.  # (n_interactions,)
    times
        Microseconds since 1970 (UTC), int64, or None.  # (n_interactions,)
    positions
        The row of the source of each interaction, int64, from 0.  # (n_interactions,)
    user_features, item_features
        The features of each user and item: row i describes ``users.ids[i]``; :meth:`user_table` and
        :meth:`item_table` have the ids as well. None if no table was given, or one without further
        columns. The item columns ``valid_from`` and ``valid_to``
        (dates or times) are the life spans of the items.
    skipped
        The rows of the source that were left out, by reason. A bundle does not keep them.
    notes
        Sentences on what was read from text, such as salaries from ``3,500만원``. A bundle does not
        keep them.
    dislikes
        What users rejected, in the same rows: pairs whose weight is below 0 or that do not meet
        ``positive``. They are not interactions. Lists leave them out. None: there are none.
    counting
        The rules ``only``, ``positive`` and ``half_life`` that were applied. A service applies them
        to what it records. None: there are none.

    Examples
    --------
    >>> table = pa.table({"user_id": ["ann", "bob", "ann"], "item_id": [7, 7, 9]})
    >>> data = Dataset.from_tables(table)
    >>> data
    Dataset(2 users, 2 items, 3 interactions)
    >>> data.matrix.toarray()
    array([[1., 1.],
           [1., 0.]], dtype=float32)
    """

    user_features: pa.Table | None = None
    item_features: pa.Table | None = None
    skipped: tuple[SkippedRows, ...] = ()
    notes: tuple[str, ...] = ()
    dislikes: Dataset | None = None
    counting: Counting | None = None

    @classmethod
    def from_tables(
        cls,
        interactions: Any,
        users: Any = None,
        items: Any = None,
        *,
        labels: Any = None,
        user_id: str = "user_id",
        item_id: str = "item_id",
        weight: str | None = None,
        time: str | None = None,
        title: str | None = None,
        only: Where | None = None,
        positive: Where | None = None,
        half_life: float | None = None,
        repeats: Repeats = "last",
        on_bad_row: OnBadRow = "raise",
        time_format: str | None = None,
        decimal: str | None = None,
        encoding: str | None = None,
    ) -> Dataset:
        """Encode the ids of tables as rows, and merge repeated pairs.

        Parameters
        ----------
        interactions, users, items
            Each a path (CSV, JSON lines, Parquet, a folder, a pattern), an Arrow, pandas or polars
            frame, a dictionary of columns, a list of rows as dictionaries, or a DuckDB relation.
            A ``users`` or ``items`` table must list each id of the interactions once, and may list
            further ids. Its other columns are features. Text that holds numbers (``12,90 €``,
            ``3,500만원``, ``$85k``) or dates in one form is read as such; a duration becomes
            seconds; a record becomes a column for each field, like ``salary.min``; :attr:`notes`
            says what was read.
        labels
            A table ``column, value, label`` that says what codes mean: ``degree, 4, bachelor``. A
            row without a value labels the column. Explanations and lists show the labels.
        user_id, item_id
            The id columns of ``interactions``. In ``users`` and ``items`` they have the same name,
            the same words in another spelling (``CustomerID``, ``customer_id``), or the name
            ``id``. Ids are 64-bit integers or text.
            In a text file they are integers if all of them are written as such (``007`` is not).
        weight
            The column of weights. None: every weight is 1. A pair whose weight is below 0 is a
            dislike.
        time
            The column of times: timestamps, dates, ISO text, or numbers. Numbers are seconds since
            1970 (UTC), unless all are so large that they are milliseconds, microseconds or
            nanoseconds, or most are calendar years (1900 to 2100) or dates written as yyyymmdd,
            yyyymm, yyyymmddhhmm or yyyymmddhhmmss.
            Times without a time zone are taken as UTC.
        title
            The column of the titles of items, which lists show: in ``items``, or else in the
            interactions, where the last text of each item counts. None: a column of ``items``
            whose name says so, such as ``title`` or ``product name``.
        only
            A rule over the columns of ``interactions``, like ``"event = apply"``, in the grammar of
            ``where``: rows that do not meet it are left out, and counted in ``skipped``. None: all
            rows count.
        positive
            A rule like ``only``, such as ``"rating >= 4"``: rows that meet it are choices, the
            others dislikes. The last row of a pair decides. A row in which a column of the rule has
            no value is left out, unless it meets the rule, and counted in ``skipped``.
        half_life
            Days after which an interaction counts half: its weight is multiplied by
            ``0.5 ** (age / half_life)``, its age counted back from the last interaction. Models use
            it where they use weights.
        repeats
            How the weights of a repeated pair are combined: the weight of the last interaction (by
            time, then by row), the sum, the maximum or the mean. Time and position are always those
            of the last interaction.
        on_bad_row
            ``"raise"``: a row that cannot be used is an error, which reports every kind of bad
            row. ``"skip"``: such rows are left out and counted in ``skipped``: rows without an id,
            with a weight or time that cannot be used, with an id that ``users`` or ``items`` does
            not list, further rows of an id in these, and rows of text files with more or fewer
            columns than the header.
        time_format
            How times are written: a unit (``"s"``, ``"ms"``, ``"us"``, ``"ns"``, ``"year"``,
            ``"yyyymm"``, ``"yyyymmdd"``, ``"yyyymmddhhmm"``, ``"yyyymmddhhmmss"``) or a format
            like ``"%d/%m/%Y"``; several with ``|`` between them, of which the first that reads a
            value counts. None: the form is recognised.
        decimal
            The mark before the fraction of weights in text: ``","`` for 3,5 and 1.000,50, ``"."``
            for 1,000.50 and $3.50. None: only plain numbers like 3.5.
        encoding
            The encoding of text files that are not UTF-8, such as ``"cp1252"``. A file that begins
            with a byte order mark is read by that. None: all are UTF-8.

        Raises
        ------
        InputError
            A column is missing or of the wrong type; an id is missing, listed twice, or not listed;
            a weight or a time is missing or out of range; a table has no rows, or none is a
            choice; ``half_life`` is given and there are no times. The message names the file, the
            row (in a text file: the line) and the column.
        ConfigError
            ``repeats`` or another option is not known, or one column is named for two roles.
        """
        options = TableOptions(
            user_id=user_id,
            item_id=item_id,
            weight=weight,
            time=time,
            title=title,
            repeats=repeats,
            time_format=time_format,
            decimal=decimal,
            only=only,
            positive=positive,
            half_life=half_life,
            labels=labels,
            on_bad_row=on_bad_row,
            encoding=encoding,
        )
        encoded = encode_tables(interactions, users, items, options)
        rejected, counting = encoded.dislikes, None
        if only is not None or positive is not None:
            named = {role: name for role, name in options.roles.items() if name != role}
            counting = Counting(only, positive, columns=named)
        data = cls(
            **vars(encoded.interactions),
            user_features=encoded.user_features,
            item_features=encoded.item_features,
            skipped=encoded.skipped,
            notes=encoded.notes,
            dislikes=None if rejected is None else cls(**vars(rejected)),
            counting=counting,
        )
        return data if half_life is None else data.decayed(half_life)

    @classmethod
    def from_matrix(cls, matrix: Any, user_ids: Any = None, item_ids: Any = None) -> Dataset:
        """Return the data set of a user-item matrix, as implicit and SciPy hold interactions.

        Parameters
        ----------
        matrix
            A sparse matrix or array of SciPy, a dense array, or a pandas frame. Each stored entry
            (of a dense array: each that is not 0) is an interaction, and its value the weight; a
            value below 0 is a dislike.
            # (n_users, n_items)
        user_ids, item_ids
            The ids of rows and columns, unique integers or text. None: the labels of a pandas
            frame, otherwise the numbers of rows and columns, from 0.

        Raises
        ------
        InputError
            The matrix has no entry above 0, a value is not finite, or there are more or fewer
            ids than rows or columns.

        Examples
        --------
        >>> data = Dataset.from_matrix(np.array([[1, 0], [2, 5]]), item_ids=["a", "b"])
        >>> data.to_arrow().to_pydict()
        {'user_id': [0, 1, 1], 'item_id': ['a', 'a', 'b'], 'weight': [1.0, 2.0, 5.0]}
        """
        entries, users, items = tables_of_matrix(matrix, user_ids, item_ids)
        return cls.from_tables(entries, users, items, weight="weight", repeats="sum")

    @classmethod
    def from_histories(cls, histories: Any, users: Any = None, items: Any = None) -> Dataset:
        """Return the data set of a dictionary that holds the items of each user.

        Parameters
        ----------
        histories
            A mapping from user id to item ids, the oldest first; or to a mapping from item id to
            weight. A weight below 0 is a dislike.
        users, items
            Tables of features, with the id columns ``user_id`` and ``item_id`` or ``id``, as for
            :meth:`from_tables`.

        Raises
        ------
        InputError
            There is no item, an id or a weight is of the wrong type, or a table is wrong.

        Examples
        --------
        >>> data = Dataset.from_histories({"ann": ["tea", "rye"], "bob": {"tea": 3}})
        >>> data.to_arrow().to_pylist()[-1]
        {'user_id': 'bob', 'item_id': 'tea', 'weight': 3.0}
        """
        return cls.from_tables(table_of_histories(histories), users, items, weight="weight")

    def __repr__(self) -> str:
        return (
            f"Dataset({self.n_users} users, {self.n_items} items, "
            f"{self.n_interactions} interactions"
            + (f", {len(self.dislikes)} dislikes)" if self.dislikes is not None else ")")
        )

    @cached_property
    def excluded(self) -> csr_array:
        """The interactions and the dislikes, which lists leave out."""  # (n_users, n_items)
        if self.dislikes is None:
            return self.choices
        excluded = csr_array(self.choices + self.dislikes.choices)
        excluded.sort_indices()
        return excluded

    @cached_property
    def typical_weight(self) -> float:
        """The mean weight of the interactions; an item that a query lists without one has it.

        With a half-life it is that of an interaction on the last day.
        """
        if not self.weights.any():
            return 1.0
        count = float(self.n_interactions)
        if self.counting is not None and self.times is not None:
            count = float(self.counting.decay(self.times).sum(dtype=np.float64))
        return float(self.weights.sum(dtype=np.float64)) / count

    @cached_property
    def life_spans(self) -> LifeSpans | None:
        """The life spans of the items; None if the item table has none."""
        return LifeSpans.of(self.item_features)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of ids, interactions, weights and times; equal for equal data.

        It depends neither on the order of the source nor on the features.
        """
        digest = hashlib.sha256()
        for vocabulary in (self.users, self.items):
            digest.update(json.dumps(vocabulary.ids.to_pylist()).encode())
        for array in (self.user_rows, self.item_rows, self.weights, self.times):
            digest.update(b"-" if array is None else np.ascontiguousarray(array).data)
        if self.dislikes is not None:
            digest.update(self.dislikes.fingerprint.encode())
        return digest.hexdigest()

    def user_table(self) -> pa.Table:
        """Return the users with their features: ``user_id``, then a column for each feature."""
        return _with_ids("user_id", self.users, self.user_features)

    def item_table(self) -> pa.Table:
        """Return the items with their features: ``item_id``, then a column for each feature.

        Examples
        --------
        >>> log = {"user_id": [1, 2], "item_id": ["a", "b"]}
        >>> data = Dataset.from_tables(log, items={"item_id": ["b", "a"], "year": [2001, 1999]})
        >>> data.item_table().to_pydict()
        {'item_id': ['a', 'b'], 'year': [1999, 2001]}
        """
        return _with_ids("item_id", self.items, self.item_features)

    def decayed(self, half_life: float) -> Dataset:
        """Return the data with recent interactions weighing more.

        Each weight is multiplied by ``0.5 ** (age / half_life)``.

        Parameters
        ----------
        half_life
            Days after which an interaction counts half; above 0. Ages are counted back from the
            last interaction.

        Raises
        ------
        InputError
            The data has no times, or ``half_life`` is out of range.

        Examples
        --------
        >>> days = ["2024-05-01", "2024-05-31"]
        >>> log = pa.table({"user_id": [1, 1], "item_id": [1, 2], "day": days})
        >>> Dataset.from_tables(log, time="day").decayed(30).weights
        array([0.5, 1. ], dtype=float32)
        """
        weights = self.weights * decay(self.times, half_life)
        counting = self.counting or Counting()
        if counting.half_life is not None:  # it was decayed before
            half_life = 1 / (1 / half_life + 1 / counting.half_life)
        last = None if self.times is None else int(self.times.max(initial=0))
        return replace(
            self, weights=weights, counting=replace(counting, half_life=half_life, last=last)
        )


def _with_ids(name: str, vocabulary: Vocabulary, features: pa.Table | None) -> pa.Table:
    ids = pa.table({name: vocabulary.ids})
    if features is None:
        return ids
    taken = [column for column in features.column_names if column != name]
    return features.select(taken).add_column(0, name, vocabulary.ids)


def require_dataset(data: object, reader: str | None = None) -> None:
    """Raise an InputError if the data is not a Dataset; ``reader`` is who learns from it."""
    if not isinstance(data, Dataset):
        kind = type(data).__name__
        raise InputError(
            f"{reader} learns from a Dataset, not from a {kind}"
            if reader
            else f"a Dataset is needed, not a {kind}",
            remedy="make one: Dataset.from_tables(...), Dataset.from_matrix(...) or "
            "Store(...).dataset()",
        )
