"""The errors that this library raises on purpose.

Every message states the problem, its location (file, row, column, argument), the allowed range and
a remedy. The command line prints the message unchanged and exits with status 2 for
:class:`InputError` and its subclasses, and with 1 for all others.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


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

    Examples
    --------
    >>> print(ShortlistError("weight is -1; weights are 0 or more", where="row 7, column 'weight'"))
    weight is -1; weights are 0 or more
      where: row 7, column 'weight'
    """

    def __init__(self, what: str, *, where: str | None = None, remedy: str | None = None) -> None:
        self.what, self.where, self.remedy = what, where, remedy
        lines = [what]
        if where is not None:
            lines.append(f"  where: {where}")
        if remedy is not None:
            lines.append(f"  to do: {remedy}")
        super().__init__("\n".join(lines))


class InputError(ShortlistError, ValueError):
    """A table, value or name passed by the caller is invalid. Nothing has been changed."""


class ConfigError(InputError):
    """A model, hyper-parameter or option does not exist, or its value is out of range."""


class UnknownIdError(InputError):
    """A user id or item id is not in the vocabulary."""


class CapabilityError(InputError):
    """The model lacks a capability (predicting ratings, using features, comparing items)."""


class BundleError(InputError):
    """A folder is not a bundle, is damaged, or was written by an incompatible version."""


class NotFittedError(ShortlistError, RuntimeError):
    """A method that needs a fitted model was called before ``fit``."""


class DownloadError(ShortlistError):
    """A data set could not be downloaded, or the downloaded files are not the expected ones."""


class DatabaseError(ShortlistError):
    """A database is unreachable or reported an error. Messages never hold user or password."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return a remedy for a misspelt name: the closest known name, and the list of all.

    Examples
    --------
    >>> suggestion("regularisation", ["regularization", "seed"])
    "did you mean 'regularization'? Known: regularization, seed"
    """
    names = sorted(known)
    close = get_close_matches(name, names, n=1)
    start = f"did you mean '{close[0]}'? " if close else ""
    return f"{start}Known: {', '.join(names)}"
