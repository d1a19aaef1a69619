"""Which encoding bytes of text that is not UTF-8 seem to be in."""

from __future__ import annotations

import codecs
import re

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
