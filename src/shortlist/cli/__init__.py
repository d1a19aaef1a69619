"""The command line: each command is a few lines over the library.

Results go to stdout, progress and remarks to stderr. Exit codes: 0 done, 1 failed, 2 wrong input.
"""

from __future__ import annotations

import os
import sys

from shortlist.errors import InputError, ShortlistError
from shortlist.system import system_error


def main() -> None:
    """Run the command line; errors are a few lines, with a traceback only under ``--debug``."""
    from shortlist.cli.app import app

    debug = "--debug" in sys.argv
    try:
        app([argument for argument in sys.argv[1:] if argument != "--debug"])
    except BrokenPipeError:  # the reader has closed the pipe, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt:
        sys.stderr.write("error: stopped\n")
        sys.exit(130)
    except Exception as error:
        if debug:
            raise
        shown = _for_users(error)
        sys.stderr.write(f"error: {shown}\n")
        sys.exit(2 if isinstance(shown, InputError) else 1)


def _for_users(error: Exception) -> ShortlistError:
    """Return an error with a remedy."""
    match error:
        case ShortlistError():
            return error
        case OSError():
            return system_error(error)
        case MemoryError():
            return ShortlistError(
                f"there is not enough memory {error}".rstrip(),
                remedy="use a smaller model or less data, or a machine with more memory",
            )
        case _:
            return ShortlistError(
                f"{type(error).__name__}: {error}",
                remedy="this should not happen; run it again with --debug and report the traceback",
            )
