"""What can go wrong, in words a user can act on.

Every message says what is wrong, where (file, row, column, argument), the bound, and what to do.
The command line prints it as it stands and exits with 2 for :class:`InputError`, 1 for the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


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
    """The caller's input is wrong: a table, a value, a name. Nothing has been changed."""


class ConfigError(InputError):
    """A model, a hyper-parameter or an option does not exist or is out of its range."""


class UnknownIdError(InputError):
    """A user or item id is not in the vocabulary."""


class CapabilityError(InputError):
    """The model cannot do what was asked (predict ratings, use features, compare items)."""


class BundleError(InputError):
    """The folder is not a bundle, is damaged, or was written by an incompatible version."""


class NotFittedError(ShortlistError, RuntimeError):
    """The model was asked for something before ``fit``."""


class DownloadError(ShortlistError):
    """A data set could not be fetched, or what arrived is not what was expected."""


class DatabaseError(ShortlistError):
    """A database cannot be reached, refuses, or failed. No message holds a user or a password."""


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
