"""The vocabulary of the synthetic job data, from ``words.toml``."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import NamedTuple

_WORDS = tomllib.loads((files(__package__) / "words.toml").read_text("utf-8"))


class Field(NamedTuple):
    """A field of work: its name, twelve specialities in order, and six usual certificates."""

    name: str
    specialities: tuple[str, ...]
    certificates: tuple[str, ...]


def _read_fields(text: str) -> tuple[Field, ...]:
    """Read two lines per field: ``name: specialities``, then the certificates."""
    lines = text.splitlines()
    return tuple(
        Field(name, tuple(specialities.split()), tuple(certificates.strip().split(", ")))
        for first, certificates in zip(lines[::2], lines[1::2], strict=True)
        for name, _, specialities in [first.partition(": ")]
    )


FIELDS = _read_fields(_WORDS["fields"])
SPECIALITIES = tuple(word for field in FIELDS for word in field.specialities)
CERTIFICATES = tuple(name for field in FIELDS for name in field.certificates)
GENERAL = tuple(f"{trait} {noun}" for trait in _WORDS["traits"] for noun in _WORDS["nouns"])
ENDINGS, MAJOR_ENDINGS, COMMON_CERTIFICATES, SPELLINGS, INDUSTRIES, SCHOOL_KINDS = (
    tuple[str, ...](_WORDS[name])
    for name in (
        "endings", "major_endings", "common_certificates", "spellings", "industries",
        "school_kinds",
    )
)  # fmt: skip
