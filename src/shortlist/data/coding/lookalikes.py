"""Ids that look the same to a person and are different texts."""

from __future__ import annotations

import unicodedata

import pyarrow.compute as pc

from shortlist.data.arrow_types import is_text
from shortlist.data.vocabulary import Vocabulary
from shortlist.text import shown


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
