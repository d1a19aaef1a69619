"""Text files: opened whatever their compression and encoding, or refused with a remedy."""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, cast

from shortlist.errors import InputError

# Where one of them cannot read a text, the next may; those of many bytes a character come first.
_ENCODINGS: Final = ("cp949", "shift_jis", "gb18030", "cp1252", "cp1251")
_SAMPLE: Final = 1 << 16  # bytes of a file that tell its encoding
_MOST_SHOWN: Final = 24  # characters of a text


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file to read, and decompress it if its name ends in ``.gz``."""
    if path.suffix.lower() == ".gz":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    return path.open("rb")


def open_text(path: Path, encoding: str) -> IO[str]:
    """Open a text file to read, like :func:`open_bytes`; line ends stay as they are."""
    encoding = "utf-8-sig" if is_utf8(encoding) else encoding
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding=encoding, newline="")
    return path.open(encoding=encoding, newline="")


def is_utf8(encoding: str) -> bool:
    """Return whether a name of an encoding means UTF-8."""
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")


def not_encoded(path: Path, encoding: str, row: int) -> InputError:
    """Return the error for text that is not in its encoding."""
    if not is_utf8(encoding):
        return InputError(
            f"the text is not in the encoding {encoding}",
            where=f"{path.name}, near row {row}",
            remedy="give the encoding that the file was saved with",
        )
    readings = [f"{name} reads {text!r}" for name, text in _readings(path).items()]
    shown = f" ({', '.join(readings)})" if readings else ", such as cp1252"
    return InputError(
        "the text is not UTF-8",
        where=f"{path.name}, row {row}",
        remedy=f"pass its encoding={shown}, "
        "or save the file as UTF-8 (in a spreadsheet: 'CSV UTF-8')",
    )


def _readings(path: Path) -> dict[str, str]:
    """Return the first text of a file that is not ASCII, as read by each encoding that can."""
    with suppress(EOFError, OSError, zlib.error), open_bytes(path) as stream:
        sample = stream.read(_SAMPLE)
        text = re.search(rb"[^\n\r,;\t|\"]*[\x80-\xff][^\n\r,;\t|\"]*", sample)
        if text and len(text[0]) < _SAMPLE:
            return {
                name: read[:_MOST_SHOWN]
                for name in _ENCODINGS
                if (read := _read(text[0], name)) is not None
            }
    return {}


def _read(text: bytes, encoding: str) -> str | None:
    """Return a text in an encoding; None if it is none, or holds what no one can see."""
    with suppress(UnicodeDecodeError):
        read = text.decode(encoding)
        return read if read.isprintable() else None
    return None
