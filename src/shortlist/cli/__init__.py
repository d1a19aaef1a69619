"""The command line: each command is a few lines over the library.

Results go to stdout, progress and remarks to stderr. Exit codes: 0 done, 1 failed, 2 wrong input.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from typing import TextIO

from shortlist.errors import InputError, ShortlistError, without_passwords
from shortlist.system import system_error


def main() -> None:
    """Run the command line; errors are a few lines, with a traceback only under ``--debug``."""
    from shortlist.cli.app import app

    debug = "--debug" in sys.argv
    warnings.showwarning = _show_warning
    try:
        app([argument for argument in sys.argv[1:] if argument != "--debug"])
    except BrokenPipeError:  # the reader has closed the pipe, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt:
        _fail("stopped", 130)
    except Exception as error:
        if debug:
            raise
        shown = _for_users(error)
        _fail(str(shown), 2 if isinstance(shown, InputError) else 1)


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


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning as a remark, without the line of code that raised it."""
    sys.stderr.write(f"warning: {message}\n")


def _fail(message: str, code: int) -> None:
    lines = [
        in_options(line) if line.lstrip().startswith("to do:") else line
        for line in message.splitlines()
    ]
    sys.stderr.write("error: " + without_passwords("\n".join(lines)) + "\n")
    sys.exit(code)


def in_options(remedy: str) -> str:
    """Write the Python arguments of a remedy as command line options, which have the same names.

    Examples
    --------
    >>> in_options("leave the rows out: on_bad_row='skip'")
    'leave the rows out: --on-bad-row skip'
    >>> in_options("pass on_unknown='skip' or 'fallback'")
    'pass --on-unknown skip or fallback'
    """
    from typer.main import get_group

    from shortlist.cli.app import app

    commands = get_group(app).commands.values()
    options = {
        parameter.name
        for command in commands
        for parameter in command.params
        if parameter.param_type_name == "option"
    }

    def option(match: re.Match[str]) -> str:
        name, _, value, _, other = match.groups()
        if name not in options:
            return match[0]
        words = [f"--{name.replace('_', '-')}", value, "or " + other if other else None]
        return " ".join(word for word in words if word)

    value = r"(['\"])([^'\"]*)\2(?: or (['\"])(\w+)\4)?"
    text = re.sub(rf"\b(\w+)=(?:{value})?", option, remedy)
    several = "|".join(sorted(name for name in options if name and "_" in name))
    return re.sub(rf"(?<![\w-])({several})\b", lambda m: f"--{m[0].replace('_', '-')}", text)
