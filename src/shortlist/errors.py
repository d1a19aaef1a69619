"""The errors that this library raises on purpose.

Every message states the problem, its location (file, row, column, argument), the allowed range and
a remedy. The command line prints the message unchanged and exits with status 2 for
:class:`InputError` and its subclasses, and with 1 for all others.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches
from enum import StrEnum
from typing import ClassVar


class ErrorCode(StrEnum):
    """The kind of an error, for programs: messages may be reworded, codes stay."""

    FAILED = "failed"
    INVALID_INPUT = "invalid_input"
    INVALID_CONFIG = "invalid_config"
    UNKNOWN_ID = "unknown_id"
    WRONG_ID_TYPE = "wrong_id_type"
    UNSUPPORTED = "unsupported"
    UNKNOWN_FEATURE = "unknown_feature"
    FEATURES_UNSUPPORTED = "features_unsupported"
    NO_USER_FEATURES = "no_user_features"
    NO_ITEM_FEATURES = "no_item_features"
    NO_LIFE_SPANS = "no_life_spans"
    INVALID_BUNDLE = "invalid_bundle"
    NOT_FITTED = "not_fitted"
    DOWNLOAD_FAILED = "download_failed"
    DATABASE_FAILED = "database_failed"


class ShortlistError(Exception):
    """Base class of the errors of this library.

    Parameters
    ----------
    what
        The problem: the offending value and the limit that it violates.
    where
        The file, row, column, argument or key that holds the value.
    remedy
        How the caller can solve the problem.
    code
        The kind of the error; None: that of the class.
    parameter
        The name of the parameter to change, if one parameter is at fault.
    allowed
        The values that the parameter may have, if they can be listed.

    Examples
    --------
    >>> print(ShortlistError("weight is -1; weights are 0 or more", where="row 7, column 'weight'"))
    weight is -1; weights are 0 or more
      where: row 7, column 'weight'
    >>> UnknownIdError("1 unknown user id: 'ann'").code
    <ErrorCode.UNKNOWN_ID: 'unknown_id'>
    """

    default_code: ClassVar[ErrorCode] = ErrorCode.FAILED

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        remedy: str | None = None,
        code: str | None = None,
        parameter: str | None = None,
        allowed: Sequence[str] | None = None,
    ) -> None:
        what = without_passwords(what)
        where = None if where is None else without_passwords(where)
        remedy = None if remedy is None else without_passwords(remedy)
        self.what, self.where, self.remedy = what, where, remedy
        self.code: str = self.default_code if code is None else code
        self.parameter, self.allowed = parameter, allowed
        lines = [what]
        if where is not None:
            lines.append(f"  where: {where}")
        if remedy is not None:
            lines.append(f"  to do: {remedy}")
        super().__init__("\n".join(lines))


class InputError(ShortlistError, ValueError):
    """A table, value or name passed by the caller is invalid. Nothing has been changed."""

    default_code = ErrorCode.INVALID_INPUT


class ConfigError(InputError):
    """A model, hyper-parameter or option does not exist, or its value is out of range."""

    default_code = ErrorCode.INVALID_CONFIG


class NumericalError(InputError, ArithmeticError):
    """The numbers that these data and settings lead to are beyond what floats can hold."""


class UnknownIdError(InputError):
    """A user id or item id is not in the vocabulary."""

    default_code = ErrorCode.UNKNOWN_ID


class CapabilityError(InputError):
    """The model lacks a capability (predicting ratings, using features, comparing items)."""

    default_code = ErrorCode.UNSUPPORTED


class BundleError(InputError):
    """A folder is not a bundle, is damaged, or was written by an incompatible version."""

    default_code = ErrorCode.INVALID_BUNDLE


class NotFittedError(ShortlistError, RuntimeError):
    """A method that needs a fitted model was called before ``fit``."""

    default_code = ErrorCode.NOT_FITTED


class DownloadError(ShortlistError):
    """A data set could not be downloaded, or the downloaded files are not the expected ones."""

    default_code = ErrorCode.DOWNLOAD_FAILED


class DatabaseError(ShortlistError):
    """A database is unreachable or reported an error. Messages never hold user or password."""

    default_code = ErrorCode.DATABASE_FAILED


def without_passwords(text: str) -> str:
    """Hide the passwords in URLs and connection strings.

    Examples
    --------
    >>> without_passwords("no file postgresql://ann:secret@db/shop, host=db password='a b' port=1")
    'no file postgresql://ann:...@db/shop, host=db password=... port=1'
    """
    text = re.sub(r"(\w:/{1,2}[^\s'\"/:@]*):[^\s'\"]*@", r"\1:...@", text)
    value = r"('(?:[^'\\]|\\.)*'|[^\s&;,]+)"
    return re.sub(rf"(?i)\b(\w*(?:password|passwd|pwd)\s*=\s*){value}", r"\1...", text)


def require_known(
    name: str,
    known: Collection[str],
    what: str,
    kind: type[ShortlistError] = InputError,
    where: str | None = None,
) -> None:
    """Raise an error, with a suggestion as its remedy, unless a name is a known one."""
    if name not in known:
        raise kind(what, where=where, remedy=suggestion(str(name), known))


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return a remedy for a misspelt name: the closest known name, and the list of all."""
    names = sorted(known)
    if not names:
        return "there is none"
    lower = {each.lower(): each for each in names}
    close = get_close_matches(name.lower(), lower, n=1)
    start = f"did you mean '{lower[close[0]]}'? Known" if close else "use one of these"
    return f"{start}: {', '.join(names)}"
