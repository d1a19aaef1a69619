"""Notes on ids that look like others, or like a missing value."""

from __future__ import annotations

import json
import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shortlist.data.arrow_types import is_text
from shortlist.data.rules.text import written_word
from shortlist.data.vocabulary import Rows, Vocabulary
from shortlist.data.written.numbers import MISSING
from shortlist.text import counted, first_few, shown


def note_on_lookalikes(ids: Vocabulary) -> tuple[str, ...]:
    """Return a note if ids differ only in blanks around them, or in how accents are stored.

    >>> import pyarrow as pa
    >>> note_on_lookalikes(Vocabulary(pa.array(["a", "a ", "b"]), kind="user"))
    ("users: 1 id differs from another only in blanks or in how accents are stored: 'a' and 'a '",)
    """
    if not is_text(ids.ids.type):
        return ()
    plain = pc.utf8_trim_whitespace(pc.utf8_normalize(ids.ids, form="NFC"))
    if pc.all(pc.equal(plain, ids.ids)).as_py():
        return ()
    counts = pc.value_counts(plain)
    repeated = counts.field(0).filter(pc.greater(counts.field(1), 1))
    if not len(repeated):
        return ()
    more = len(plain) - len(counts)
    alike = ids.ids.filter(pc.equal(plain, repeated[0])).to_pylist()[:2]
    differ = "1 id differs from another" if more == 1 else f"{more:,} ids differ from others"
    composed = [unicodedata.is_normalized("NFC", text) for text in alike]
    texts = map(shown if all(composed) else ascii, alike)  # escapes show stored accents
    return (
        f"{ids.kind}s: {differ} only in blanks or in how accents are stored: {' and '.join(texts)}",
    )


def note_on_missing(ids: Vocabulary, rows: Rows, column: str) -> tuple[str, ...]:
    """Return a note if ids of interactions are words for a missing value, such as NULL.

    All the rows in which an id is missing would be those of one user or item. ``rows`` has the rows
    of the ids in the interactions, ``column`` is their name there.

    >>> users = Vocabulary(pa.array(["NULL", "u1"]), kind="user")
    >>> print(*note_on_missing(users, np.array([0, 1, 0]), "user"))
    users: 'NULL' (2 rows) may mean a missing id; leave such rows out: only='user != "NULL"'
    """
    if not is_text(ids.ids.type):
        return ()
    plain = pc.utf8_lower(pc.utf8_trim_whitespace(ids.ids))
    found = np.flatnonzero(pc.is_in(plain, value_set=pa.array(sorted(MISSING))))
    counts = np.bincount(rows, minlength=len(ids))[found]  # a list may have ids without rows
    words = ids.ids.take(found[counts > 0]).to_pylist()
    if not words:
        return ()
    named = [
        f"{shown(word)} ({counted(count, 'row')})"
        for word, count in zip(words, counts[counts > 0].tolist(), strict=True)
    ]
    one = len(words) == 1
    values = json.dumps(words[0] if one else words, ensure_ascii=False)
    rule = f"{written_word(column)} {'!=' if one else 'not in'} {values}"
    return (
        f"{ids.kind}s: {first_few(named)} may mean a missing id; leave such rows out: "
        f"only={rule!r}",
    )
