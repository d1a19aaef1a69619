"""Text files of any compression and encoding, opened or refused with a remedy."""

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
_MARKS: Final = {
    codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
_HANGUL, _HAN, _KANA = "가-힣", "一-鿿", "ぁ-ヿ"
# Encodings of East Asian text, and the letters of which text in them has at least a share. Chinese
# text in GB 2312 is also valid in cp949, but then half of it is Hanja.
_EAST_ASIAN = (
    ("cp949", _HANGUL, 0.9), ("shift_jis", _KANA, 0.2), ("gb18030", _HAN, 0.8), ("big5", _HAN, 0.8),
)  # fmt: skip
_STRICT = {"gb18030": "gb2312"}  # gb18030 reads nearly all bytes
_LETTERS = 0.5  # the least share of letters among the characters beyond ASCII in text in cp1252
_SIGNS = "€£§°²³µ½¼–—‘’“”„…•©®™×\u00a0"  # in text of any language; they count for neither
_LONGEST_RUN = 1.5  # of these in a row, on average: in other alphabets, words consist of them
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


def invalid_row(path: Path) -> int:
    """Return the first line that is not UTF-8, from 1; a decoder reads ahead of the rows."""
    with open_bytes(path) as stream:
        for row, line in enumerate(stream, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return row
    return 1


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
    """Decode a text; None if it is not in the encoding, or has unprintable characters."""
    with suppress(UnicodeDecodeError):
        read = text.decode(encoding)
        return read if read.isprintable() else None
    return None


def likely_encoding(content: bytes) -> str | None:
    """Return the encoding that text beyond UTF-8 seems to be in; None where it is unclear.

    >>> likely_encoding("회원번호,공고".encode("cp949")), likely_encoding("Café,4".encode("cp1252"))
    ('cp949', 'cp1252')
    """
    for encoding, letters, share in _EAST_ASIAN:
        text = _decoded(content, _STRICT.get(encoding, encoding))
        beyond = re.sub(r"[\x00-\x7f]+", "", text or "")
        if beyond and len(re.findall(f"[{letters}]", beyond)) >= share * len(beyond):
            return encoding
    runs = re.findall(rb"[\x80-\xff]+", content)
    text = _decoded(b"".join(runs), "cp1252")
    if text and len(text) <= _LONGEST_RUN * len(runs):
        telling = text.translate(dict.fromkeys(map(ord, _SIGNS)))
        return "cp1252" if sum(map(str.isalpha, telling)) >= _LETTERS * len(telling) else None
    return None


def _decoded(content: bytes, encoding: str) -> str | None:
    """Decode bytes of which the last may be a part of a letter; None if they are invalid."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(content)
    except UnicodeDecodeError:
        return None


def unreadable(path: Path, error: Exception) -> InputError:
    """Return the error for a file that the system or a decompressor cannot read."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return InputError(
        f"cannot read the file: {reason}",
        where=str(path),
        remedy="check that the file is complete and that you may read it",
    )
