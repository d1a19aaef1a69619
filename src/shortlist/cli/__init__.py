"""The command line: each command is a few lines over the library.

Results go to stdout, progress and remarks to stderr. Exit codes: 0 done, 1 failed, 2 wrong input.
"""

from __future__ import annotations

import os
import sys

from shortlist.errors import InputError, ShortlistError, without_passwords
from shortlist.system import system_error


def main() -> None:
    """Run the command line; errors are a few lines, with a traceback only under ``--debug``."""
    from shortlist.cli.app import app

    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app(arguments)
    except ShortlistError as error:
        if debug:
            raise
        _fail(str(error), 2 if isinstance(error, InputError) else 1)
    except BrokenPipeError:  # the reader has closed the pipe, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt:
        _fail("stopped", 130)
    except OSError as error:
        if debug:
            raise
        converted = system_error(error)
        _fail(str(converted), 2 if isinstance(converted, InputError) else 1)
    except MemoryError as error:
        if debug:
            raise
        _fail(
            f"there is not enough memory {error}".rstrip() + "\n"
            "  to do: use a smaller model or less data, or a machine with more memory",
            1,
        )
    except Exception as error:
        if debug:
            raise
        _fail(
            f"{type(error).__name__}: {error}\n"
            "  to do: this should not happen; run it again with --debug and report the traceback",
            1,
        )


def _fail(message: str, code: int) -> None:
    sys.stderr.write(f"error: {without_passwords(message)}\n")
    sys.exit(code)
