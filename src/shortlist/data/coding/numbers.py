"""Numbers as people write them in text: 3,5 and 1.000,50 and $3.50."""

from __future__ import annotations

from shortlist.errors import ConfigError

_CURRENCIES = "$€£¥₩₹"


def check_decimal(decimal: str | None) -> None:
    """Refuse a mark that is neither a full stop nor a comma.

    Raises
    ------
    ConfigError
        ``decimal`` is not known.
    """
    if decimal not in (None, ".", ","):
        raise ConfigError(
            f"decimal={decimal!r} is not a mark before the fraction of a number",
            remedy="give '.' or ','; the other of the two then separates thousands",
        )


def plain_number(x: str, decimal: str | None) -> str:
    """Return SQL that rewrites the number in a text so that SQL can cast it; NULL if it is none.

    Parameters
    ----------
    x
        SQL of a text.
    decimal
        The mark before the fraction. Where it is given, thousands may be separated by the other
        mark or by a space, and a currency sign may stand before or after the number. None: the
        text is not changed.

    Examples
    --------
    >>> import duckdb
    >>> sql = plain_number("x", ",")
    >>> rows = "(VALUES ('3,5'), ('€ 1.000,50'), ('1.5')) AS rows(x)"
    >>> duckdb.sql(f"SELECT {sql} FROM {rows}").fetchall()
    [('3.5',), ('1000.50',), (None,)]
    """
    if decimal is None:
        return x
    group = "," if decimal == "." else "."
    sign = f"[{_CURRENCIES}]"
    bare = f"regexp_replace(trim({x}), '^([-+]?)\\s*{sign}\\s*|\\s*{sign}$', '\\1')"
    digits = rf"([0-9]+|[0-9]{{1,3}}([{group} ][0-9]{{3}})+)"
    form = rf"[-+]?({digits}([{decimal}][0-9]*)?|[{decimal}][0-9]+)([eE][-+]?[0-9]+)?"
    rewritten = f"translate({bare}, '{decimal}{group} ', '.')"
    return f"CASE WHEN regexp_full_match({bare}, '{form}') THEN {rewritten} END"
