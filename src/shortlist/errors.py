"""What can go wrong, in words a user can act on.

Every message says what is wrong, where (file, row, column, argument), the bound, and what to do.
The command line prints it as it stands and exits with 2 for :class:`InputError`, 1 for the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
    """Base of every error this library raises on purpose.

    Parameters
    ----------
    what
        What is wrong, with the offending value and the bound it broke.
    where
        The file, row, column, argument or key it was found in.
    remedy
        What the caller can do about it.
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
    """The caller's input is wrong: a table, a value, a name. Nothing has been changed."""

    default_code = ErrorCode.INVALID_INPUT


class ConfigError(InputError):
    """A model, a hyper-parameter or an option does not exist or is out of its range."""

    default_code = ErrorCode.INVALID_CONFIG


class UnknownIdError(InputError):
    """A user or item id is not in the vocabulary."""

    default_code = ErrorCode.UNKNOWN_ID


class CapabilityError(InputError):
    """The model cannot do what was asked (predict ratings, use features, compare items)."""

    default_code = ErrorCode.UNSUPPORTED


class BundleError(InputError):
    """The folder is not a bundle, is damaged, or was written by an incompatible version."""

    default_code = ErrorCode.INVALID_BUNDLE


class NotFittedError(ShortlistError, RuntimeError):
    """The model was asked for something before ``fit``."""

    default_code = ErrorCode.NOT_FITTED


class DownloadError(ShortlistError):
    """A data set could not be fetched, or what arrived is not what was expected."""

    default_code = ErrorCode.DOWNLOAD_FAILED


class DatabaseError(ShortlistError):
    """A database cannot be reached, refuses, or failed. No message holds a user or a password."""

    default_code = ErrorCode.DATABASE_FAILED


def suggestion(name: str, known: Iterable[str]) -> str:
    """Name the nearest known word, or list all of them.

    Examples
    --------
    >>> suggestion("regularisation", ["regularization", "seed"])
    "did you mean 'regularization'? Known: regularization, seed"
    """
    names = sorted(known)
    close = get_close_matches(name, names, n=1)
    start = f"did you mean '{close[0]}'? " if close else ""
    return f"{start}Known: {', '.join(names)}"
