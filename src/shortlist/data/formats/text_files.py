"""Text files of any compression and encoding, opened or refused with a remedy."""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, cast

from shortlist.data.formats.encodings import likely_encoding
from shortlist.errors import InputError

# Where one of them cannot read a text, the next may; those of many bytes a character come first.
_ENCODINGS: Final = ("cp949", "shift_jis", "gb18030", "cp1252", "cp1251")
_SAMPLE: Final = 1 << 16  # bytes of a file that tell its encoding
_MOST_SHOWN: Final = 24  # characters of a text
_MARKS: Final = {
    codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
_CHUNK: Final = 1 << 20
_DAMAGED: Final = (EOFError, OSError, zlib.error)  # reading the rows explains it


class NotEncodedError(InputError):
    """The text of a file is not in its encoding; ``likely`` is one that it seems to be in."""

    likely: str | None = None


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


def encoding_of(path: Path, given: str | None) -> str:
    """Return the encoding of a file, where ``given`` is that of the files that are not UTF-8.

    A byte order mark decides. So does text beyond ASCII that is valid UTF-8: text in another
    encoding is not, except by chance.
    """
    try:
        with open_bytes(path) as stream:
            start = stream.read(4)
    except _DAMAGED:
        start = b""
    for mark, encoding in _MARKS.items():
        if start.startswith(mark) and start != codecs.BOM_UTF32_LE:
            return encoding
    if given is None or is_utf8(given) or _is_utf8_text(path):
        return "utf-8"
    return given


def _is_utf8_text(path: Path) -> bool:
    """Return whether a file is valid UTF-8 and holds more than ASCII."""
    decoder, beyond = codecs.getincrementaldecoder("utf-8")(), False
    try:
        with open_bytes(path) as stream:
            while chunk := stream.read(_CHUNK):
                decoder.decode(chunk)
                beyond = beyond or not chunk.isascii()
            decoder.decode(b"", final=True)
    except (UnicodeDecodeError, *_DAMAGED):
        return False
    return beyond


def latin_or_utf8(path: Path) -> str:
    """Return the encoding: latin-1 (ML-100K and ML-1M) or UTF-8 (ML-10M, same file names)."""
    try:
        path.read_text("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def not_encoded(path: Path, encoding: str, row: int) -> NotEncodedError:
    """Return the error for text that is not in its encoding."""
    sample = _sample(path)
    likely = likely_encoding(sample)
    if not is_utf8(encoding):
        remedy = "give the encoding that the file was saved with"
        error = NotEncodedError(
            f"the text is not in the encoding {encoding}",
            where=f"{path.name}, near row {row}",
            remedy=f"pass encoding={likely!r}, which it seems to have" if likely else remedy,
        )
    else:
        readings = [f"{name} reads {text!r}" for name, text in _readings(sample).items()]
        shown = f" ({', '.join(readings)})" if readings else ", such as cp1252"
        error = NotEncodedError(
            "the text is not UTF-8",
            where=f"{path.name}, row {row}",
            remedy=f"pass its encoding={shown}, "
            "or save the file as UTF-8 (in a spreadsheet: 'CSV UTF-8')",
        )
    error.likely = likely
    return error


def _sample(path: Path) -> bytes:
    """Read from the first line that is not ASCII: it may be far down."""
    with suppress(*_DAMAGED), open_bytes(path) as stream:
        for line in iter(lambda: stream.readline(_SAMPLE), b""):
            if not line.isascii():
                return line + stream.read(_SAMPLE)
    return b""


def _readings(sample: bytes) -> dict[str, str]:
    """Return the first text that is not ASCII, as read by each encoding that can."""
    text = re.search(rb"[^\n\r,;\t|\"]*[\x80-\xff][^\n\r,;\t|\"]*", sample)
    if text is None or len(text[0]) >= _SAMPLE:
        return {}
    read = {name: _read(text[0], name) for name in _ENCODINGS}
    return {name: words[:_MOST_SHOWN] for name, words in read.items() if words is not None}


def _read(text: bytes, encoding: str) -> str | None:
    """Return a text in an encoding; None if it is none, or holds what no one can see."""
    with suppress(UnicodeDecodeError):
        read = text.decode(encoding)
        return read if read.isprintable() else None
    return None
