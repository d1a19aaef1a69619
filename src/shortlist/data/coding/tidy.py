"""Feature columns as they are needed: numbers and dates that text holds, and fields of records."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shortlist.data.arrow_types import is_list, is_text
from shortlist.data.coding.reading import parsed_time
from shortlist.data.columns.names import is_label
from shortlist.data.features.cells import LARGEST
from shortlist.data.sql import Connection
from shortlist.data.table_options import TableOptions
from shortlist.data.written.number_units import with_units
from shortlist.data.written.numbers import (
    MAX,
    MIN,
    NumberForm,
    clashing_numbers,
    ends_of,
    form_of_numbers,
    is_converted,
    read_number,
    read_range,
    says_missing,
)
from shortlist.data.written.times import form_of_times
from shortlist.errors import InputError
from shortlist.text import counted, first_few, shown

_SAMPLE = 200  # distinct texts that show whether a column may hold dates
_LEAST = 0.7  # share of the rows that are dates; the rest are words such as "until filled"
_BIGGEST = 2.0**63  # of 64-bit integers
_MOST_WORDS = 20  # different words among the dates or numbers of a column
_DATE = re.compile(
    r"\s*(?:\d{4}\D{1,3}\d{1,2}\D{1,3}\d{1,2}|\d{1,2}\D{1,3}(?:\d{1,2}|[^\W\d]{3,9})\D{1,3}\d{2,4}"
    r"|[^\W\d]{3,9}\D{1,2}\d{1,2}\D{1,3}\d{4})(?:\D.*)?",
    re.DOTALL,
)


class _Read(NamedTuple):
    """A column that was read from text, an example, and the words that mean nothing in it.

    The example has a unit where it was converted.
    """

    values: pa.ChunkedArray
    example: tuple[str, Any, str]
    words: tuple[str, ...]
    rows: int  # with such words


def tidied(
    connection: Connection,
    tables: Mapping[str, pa.Table | None],
    options: TableOptions,
    untyped: Collection[str] = (),
) -> tuple[list[pa.Table | None], tuple[str, ...]]:
    """Flatten records, and read numbers and dates that columns of text hold.

    A column becomes numbers or dates if nearly all of its values are; the others must be words.
    Numbers that a model cannot use count as missing. The tables come by their labels; those of
    text files, in which digits are numbers, are ``untyped``. The second result says what was read.
    """
    tidy: list[pa.Table | None] = []
    notes: list[str] = []
    for label, table in tables.items():
        if table is not None:
            table, read = _tidied(connection, flattened(table), options, label in untyped)
            _require_storable(label, table)
            notes += [f"{label}: {kind}: {'; '.join(names)}" for kind, names in read.items()]
        tidy.append(table)
    return tidy, tuple(notes)


def _tidied(
    connection: Connection, features: pa.Table, options: TableOptions, untyped: bool
) -> tuple[pa.Table, dict[str, list[str]]]:
    """Return the features, and by kind what was read from text."""
    notes: dict[str, list[str]] = {}
    features, forms = _with_ends(features, options)
    for position, name in enumerate(features.column_names):
        column = features.column(name)
        if pa.types.is_interval(column.type):
            features = features.set_column(position, name, _seconds(connection, column))
            forms[name] = NumberForm(".", years=False, unit="seconds")
            notes.setdefault("durations, read as seconds", []).append(name)
            continue
        if (bounded := _bounded(column)) is not None:
            features = features.set_column(position, name, bounded)
            rows = bounded.null_count - column.null_count
            kind = f"infinite or beyond {LARGEST:g}, taken as missing"
            notes.setdefault(kind, []).append(f"{name} ({counted(rows, 'row')})")
            continue
        if not _may_be_read(name, column, options):
            continue
        frequencies, sample = _counted(column)
        sample = sample[:_SAMPLE]
        read = None
        if sample and all(read_number(text) is not None for text in sample):
            counts = _counts(frequencies)
            form = forms.get(name) or _form(counts, options, plain=untyped)
            if form is not None and (read := _numbers(column, counts, form)) is not None:
                forms[name] = form
        elif sample and all(map(_DATE.fullmatch, sample)):
            read = _dates(connection, column, _counts(frequencies))
        if read is not None:
            features = features.set_column(position, name, read.values)
            kind = "dates" if pa.types.is_timestamp(read.values.type) else "numbers"
            notes.setdefault(f"read as {kind}", []).append(_note(name, read))
        elif clashing := clashing_numbers(sample):
            examples = " and ".join(map(shown, clashing))
            notes.setdefault("stays text, its numbers are not comparable", []).append(
                f"{name} ({examples})"
            )
    return with_units(features, forms), notes


def _with_ends(features: pa.Table, options: TableOptions) -> tuple[pa.Table, dict[str, NumberForm]]:
    """Replace each column of ranges by the columns of their ends; numbers have equal ends.

    The second result is how the ends are written, which both have in common.
    """
    forms: dict[str, NumberForm] = {}
    for name in features.column_names:
        column = features.column(name)
        if not _may_be_read(name, column, options):
            continue
        frequencies, sample = _counted(column)
        if not any(map(read_range, sample[:_SAMPLE])):
            continue
        counts: Counter[str] = Counter()
        for text, count in _counts(frequencies).items():
            for end in ends_of(text):
                counts[end] += count
        form = _form(counts, options)
        ends = [f"{name}{MIN}", f"{name}{MAX}"]
        if form is None or {*ends} & {*features.column_names}:
            continue
        texts = column.combine_chunks().dictionary_encode()
        parts = zip(*map(ends_of, texts.dictionary.to_pylist()), strict=True)
        arrays = [pa.array(part, pa.string()).take(texts.indices) for part in parts]
        position = features.column_names.index(name)
        features = features.remove_column(position)
        for end, array in zip(ends[::-1], arrays[::-1], strict=True):
            features = features.add_column(position, end, array)
        forms |= dict.fromkeys(ends, form)
    return features, forms


def _may_be_read(name: str, column: pa.ChunkedArray, options: TableOptions) -> bool:
    return name != options.title and is_text(column.type) and not is_label(name)


def _counted(column: pa.ChunkedArray) -> tuple[pa.StructArray, list[str]]:
    """Return the distinct texts with their counts, and those of the first that hold a digit."""
    frequencies = pc.value_counts(pc.drop_null(column.combine_chunks()))
    head = frequencies.field(0).slice(0, 10 * _SAMPLE).to_pylist()
    return frequencies, list(filter(_has_digit, head))


def flattened(table: pa.Table) -> pa.Table:
    """Replace records by a column for each field: ``salary.min``, and lists of records by lists.

    Times in nanoseconds become microseconds.

    >>> table = pa.table({"pay": [{"min": 3, "max": 5}], "skills": [[{"name": "sql"}]]})
    >>> flattened(table).to_pydict()
    {'pay.min': [3], 'pay.max': [5], 'skills.name': [['sql']]}
    """
    for position, field in enumerate(table.schema):
        if pa.types.is_fixed_size_list(field.type):
            lists = pc.cast(table.column(position), pa.list_(field.type.value_type))
            lists = pc.if_else(pc.is_valid(lists), lists, None)  # missing lists hide nothing
            table = table.set_column(position, field.name, lists)
    while any(map(_is_record, table.schema.types)):
        columns: dict[str, Any] = {}
        for name in table.column_names:
            column = table.column(name).combine_chunks()
            fields = _fields(name, column) if _is_record(column.type) else {name: column}
            for field, values in fields.items():
                columns[field if field not in columns else f"{field} (record)"] = values
        table = pa.table(columns).replace_schema_metadata(table.schema.metadata)
    for position, field in enumerate(table.schema):
        kind = _in_microseconds(field.type)
        if kind != field.type:
            values = pc.cast(table.column(position), kind, safe=False)
            table = table.set_column(position, field.name, values)
    return table


def _in_microseconds(kind: pa.DataType) -> pa.DataType:
    """Return a type without nanoseconds: Python's times have none, and Arrow then needs pandas."""
    if is_list(kind):
        make = pa.large_list if pa.types.is_large_list(kind) else pa.list_
        return make(_in_microseconds(kind.value_type))
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        return pa.timestamp("us", kind.tz)
    return pa.time64("us") if kind == pa.time64("ns") else kind


def flattened_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a query, with records in the form of :func:`flattened`.

    >>> flattened_values({"pay": {"min": 3}, "skills": [{"name": "sql"}, {"name": "r"}]})
    {'pay.min': 3, 'skills.name': ['sql', 'r']}
    """
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= flattened_values({f"{name}.{field}": part for field, part in value.items()})
        elif isinstance(value, list) and value and all(isinstance(v, Mapping) for v in value):
            fields = dict.fromkeys(field for record in value for field in record)
            lists = {f"{name}.{field}": [v.get(field) for v in value] for field in fields}
            flat |= flattened_values(lists)
        else:
            flat[name] = value
    return flat


def _is_record(kind: pa.DataType) -> bool:
    return bool(pa.types.is_struct(kind.value_type if is_list(kind) else kind))


def _fields(name: str, column: pa.Array) -> dict[str, pa.Array]:
    """Return the fields of records, or of lists of records."""
    if pa.types.is_struct(column.type):
        fields = [field.name for field in column.type]
        return {f"{name}.{f}": v for f, v in zip(fields, column.flatten(), strict=True)}
    lists = pc.if_else(pc.is_valid(column), column, None)  # begins at 0 and hides nothing
    records = lists.flatten()
    fields = [field.name for field in records.type]
    return {
        f"{name}.{field}": type(lists).from_arrays(lists.offsets, values, mask=pc.is_null(lists))
        for field, values in zip(fields, records.flatten(), strict=True)
    }


def _require_storable(label: str, table: pa.Table) -> None:
    """Raise an InputError for a column that bundles cannot hold."""
    for field in table.schema:
        if _holds(field.type, pa.types.is_union) or _holds(field.type, pa.types.is_interval):
            reason = f"is of type {field.type}"
        elif pa.types.is_decimal(field.type) and not _is_valid(table.column(field.name)):
            reason = f"has numbers beyond {field.type.precision} digits"
        else:
            continue
        raise InputError(
            f"{label}: column {field.name!r} {reason}, which cannot be kept",
            remedy="convert it to numbers, texts, times or lists of these, or leave it out",
        )


def _holds(kind: pa.DataType, test: Callable[[pa.DataType], bool]) -> bool:
    """Return whether a type, or one inside it, passes the test."""
    inside = (kind.field(number).type for number in range(kind.num_fields))
    return test(kind) or any(_holds(part, test) for part in inside)


def _is_valid(column: pa.ChunkedArray) -> bool:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _note(name: str, read: _Read) -> str:
    """Return what was read from a column: an example, and the words that count as missing."""
    text, value, unit = read.example
    plain = f"{value:,} {unit}" if isinstance(value, int | float) else f"{value:%Y-%m-%d}"
    words = ""
    if read.words:
        listed = first_few([*map(repr, read.words)], 2)
        words = f"; missing in {counted(read.rows, 'row')}: {listed}"
    return f"{name} ({shown(text)} is {plain.strip()}{words})"


def _has_digit(text: str) -> bool:
    return any(map(str.isdigit, text))


def _counts(frequencies: pa.StructArray) -> dict[str, int]:
    return dict(
        zip(frequencies.field(0).to_pylist(), frequencies.field(1).to_pylist(), strict=True)
    )


def _form(
    counts: Mapping[str, int], options: TableOptions, *, plain: bool = False
) -> NumberForm | None:
    return form_of_numbers(counts, options.decimal, plain=plain) or form_of_numbers(
        counts, plain=plain
    )


def _numbers(column: pa.ChunkedArray, counts: Mapping[str, int], form: NumberForm) -> _Read | None:
    """Read a column of numbers that are written with units, currencies or marks."""
    values = {text: read_number(text, form) for text in counts}
    whole = all(
        value is None or (value == int(value) and abs(value) < _BIGGEST)
        for value in values.values()
    )
    converted = next((text for text in counts if is_converted(text, form)), None)
    kind = pa.int64() if whole else pa.float64()
    return _looked_up(column, counts, values, kind, converted, form.unit)


def _bounded(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return floats, or lists of them, without those that are out of range; None if all are in it.

    A list that holds such a number is missing.
    """
    kind = column.type
    if not pa.types.is_floating(kind.value_type if is_list(kind) else kind):
        return None
    cells = column.combine_chunks()
    flat = pc.list_flatten(cells) if is_list(kind) else cells
    wrong = np.flatnonzero(pc.fill_null(pc.greater(pc.abs(flat), LARGEST), False))
    if not len(wrong):
        return None
    rows = pc.list_parent_indices(cells).take(wrong) if is_list(kind) else wrong
    out = np.zeros(len(cells), dtype=bool)
    out[rows] = True
    return pa.chunked_array([pc.if_else(pa.array(out), pa.scalar(None, kind), cells)])


def _seconds(connection: Connection, durations: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return durations as numbers of seconds; Parquet has no type for them."""
    rows = connection.from_arrow(pa.table({"x": durations}))
    return rows.project("epoch(x) AS x").to_arrow_table().column("x")


def _dates(
    connection: Connection, column: pa.ChunkedArray, counts: Mapping[str, int]
) -> _Read | None:
    """Read a column of dates in any one form."""
    dated = list(filter(_has_digit, counts))
    given = sum(count for text, count in counts.items() if not says_missing(text))
    if sum(counts[text] for text in dated) < _LEAST * given:
        return None
    texts = connection.from_arrow(pa.table({"x": pa.array(dated, pa.string())}))
    texts.create_view("dated", replace=True)
    form, note = form_of_times(connection, "dated", "x", dated[0])
    if note:
        return None
    parsed = "TRY_CAST(trim(x) AS TIMESTAMPTZ) AT TIME ZONE 'UTC'"  # a plain cast drops the zone
    if form is not None:
        parsed = parsed_time("x", form)
    times = [time for (time,) in connection.execute(f"SELECT {parsed} FROM dated").fetchall()]
    if any(time is None for time in times):
        return None
    values = dict(zip(dated, times, strict=True))
    return _looked_up(column, counts, values, pa.timestamp("us"))


def _looked_up(
    column: pa.ChunkedArray,
    counts: Mapping[str, int],
    values: Mapping[str, Any],
    kind: pa.DataType,
    example: str | None = None,
    unit: str = "",
) -> _Read | None:
    """Replace the texts of a column by their values; None if too many of them have none.

    The example is a text that was converted to the unit.
    """
    words = [text for text in counts if values.get(text) is None]
    if len(words) > _MOST_WORDS:
        return None
    texts = column.combine_chunks().dictionary_encode()
    read = pa.array([values.get(text) for text in texts.dictionary.to_pylist()], kind)
    unit = "" if example is None else unit
    example = example or next(text for text in counts if values.get(text) is not None)
    rows = sum(counts[word] for word in words)
    words = sorted((word for word in words if word.strip()), key=lambda word: -counts[word])
    return _Read(
        pa.chunked_array([read.take(texts.indices)]),
        (example, read[texts.dictionary.index(example).as_py()].as_py(), unit),
        tuple(words),
        rows,
    )
