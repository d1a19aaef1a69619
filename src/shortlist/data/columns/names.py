"""The words of column names, and what they say about a column.

``names.toml`` has the vocabulary. Accents do not count.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from importlib.resources import files

_WORDS: Mapping[str, tuple[str, ...]] = {
    name: tuple(listed.split())
    for name, listed in tomllib.loads(
        (files("shortlist.data.columns") / "names.toml").read_text("utf-8")
    ).items()
}
ROLES = {role: _WORDS[role] for role in ("user_id", "item_id", "time", "weight")}
COUNTS, RATINGS, IDS, NAMES, BIRTH, DOCUMENTS, EVENTS, OUTCOMES = (
    {*_WORDS[name]}
    for name in ("counts", "ratings", "ids", "names", "birth", "documents", "events", "outcomes")
)
_LABELS = NAMES | {*_WORDS["labels"]}
_OF_ITEMS = {word for word in ROLES["item_id"] if word.isascii()} - {"stock", "artist"}
# Names of columns that hold the items themselves, in words: product, film.
_ITEMS = {*ROLES["item_id"]} - {
    "stock", "artist", "job", "posting", "vacancy", "recruitment", "sku", "asin", "isbn", "공고",
    "求人",
}  # fmt: skip
_ACCENTS = re.compile("[̀-ͯ]")
_FIRST = {*(word for role in ROLES.values() for word in role), *DOCUMENTS}
_LAST = IDS | _LABELS | {*ROLES["time"]}


def words(name: str) -> list[str]:
    """Return the words of a column's name in lower case, without accents.

    >>> words("CustomerID"), words("product name"), words("orderdate"), words("상품명")
    (['customer', 'id'], ['product', 'name'], ['order', 'date'], ['상품명'])
    """
    plain = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", name)))
    parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_a-zA-Z]+", plain)
    return [word for part in parts for word in _split(part.lower())]


def _split(part: str) -> list[str]:
    """Split two joined words of the vocabulary: ``userid``, ``kundennr``."""
    for end in range(2, len(part) - 1):
        if part[:end] in _FIRST and part[end:] in _LAST and part.isascii():
            return [part[:end], part[end:]]
    return [part]


def has_word(parts: Iterable[str], vocabulary: Iterable[str]) -> bool:
    """Return whether the words of a name include one of a vocabulary.

    >>> has_word(words("고객번호"), ["고객"]), has_word(words("bookings"), ["book"])
    (True, False)
    """
    parts = [*parts]
    return any(
        word in parts or f"{word}s" in parts
        if word.isascii()
        else any(word in part for part in parts)  # a part of a word: they are joined
        for word in vocabulary
    )


def names_titles(name: str) -> bool:
    """Return whether a column of this name holds the titles of items.

    >>> [names_titles(name) for name in ("movie_title", "Product Name", "공고제목", "company_name")]
    [True, True, True, False]
    """
    parts = {*words(name)}
    if parts & {*_WORDS["titles"]} or any(part.endswith(_WORDS["title_ends"]) for part in parts):
        return True
    return bool(parts & NAMES) and (len(parts) == 1 or bool(parts & _OF_ITEMS))


def names_items(name: str) -> bool:
    """Return whether a column is named after the items, so that its texts may be their names.

    >>> [names_items(name) for name in ("product", "Artikel", "상품", "product id", "job")]
    [True, True, True, False, False]
    """
    parts = words(name)
    return len(parts) == 1 and parts[0] in _ITEMS


def is_label(name: str) -> bool:
    """Return whether a column of this name describes something and does not identify it."""
    parts = words(name)
    return (
        names_titles(name)
        or has_word(parts, _LABELS)
        or "".join(parts).endswith(_WORDS["name_ends"])
    )


def same_column(name: str, names: Iterable[str]) -> str:
    """Return the column that holds the ids of ``name`` in another table; ``name`` if none does.

    It has this name, the same words in another spelling, or else the name id.

    >>> same_column("CustomerID", ["customer_id", "age"]), same_column("sku", ["Id", "price"])
    ('customer_id', 'Id')
    """
    names = [*names]
    alike = [other for other in names if words(other) == words(name)]
    plain = [other for other in names if other.lower() == "id"]
    return name if name in names else next(iter([*alike, *plain]), name)
