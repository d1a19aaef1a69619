"""The command line: each command is a few lines over the library.

Results go to stdout, progress and remarks to stderr (``-q``: neither; ``-v``: progress also in a
log). Exit codes: 0 done, 1 failed, 2 wrong input.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import FrameType
from typing import TextIO

from shortlist.cli.remedies import as_options
from shortlist.errors import ConfigError, InputError, ShortlistError, without_passwords
from shortlist.system import system_error


def main() -> None:
    """Run the command line; errors are a few lines, with a traceback only under ``--debug``."""
    from shortlist.cli.app import app
    from shortlist.cli.output import stop_reported

    _leave_pandas_out()
    arguments, flags = _global_flags(sys.argv[1:])
    debug = "--debug" in flags
    try:
        _set_verbosity(flags)
        app(arguments)
    except BrokenPipeError:  # the reader has closed the pipe, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt:
        _fail("stopped", 130)
    except SystemExit as end:
        # Typer ends so after Ctrl-C. Most commands have said what is left.
        if end.code == 130 and not stop_reported():
            sys.stderr.write("stopped\n")
        raise
    except Exception as error:
        if debug:
            raise
        shown = _for_users(error)
        _fail(str(shown), 2 if isinstance(shown, InputError) else 1, arguments)


class _WithoutPandas(MetaPathFinder):
    """Refuses pandas to Arrow, where this library calls it; others may import it."""

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        if name != "pandas":
            return
        frame: FrameType | None = sys._getframe(1)  # compiled code such as Arrow's has no frame
        while frame is not None and frame.f_code.co_filename.startswith("<frozen importlib"):
            frame = frame.f_back
        importer = "" if frame is None else frame.f_globals.get("__name__", "")
        if importer.partition(".")[0] in ("shortlist", "pyarrow"):
            raise ModuleNotFoundError("commands need no pandas", name=name)


def _leave_pandas_out() -> None:
    """Keep Arrow from importing pandas, which takes a third of a second: commands read files.

    A process that has imported Arrow, such as a test, may use pandas.
    """
    if "pyarrow" not in sys.modules:
        sys.meta_path.insert(0, _WithoutPandas())


_FLAGS = {"--debug": "--debug", "--quiet": "-q", "-q": "-q", "--verbose": "-v", "-v": "-v"}


def _global_flags(arguments: list[str]) -> tuple[list[str], set[str]]:
    """Take the flags of every command out of the arguments, wherever they stand before ``--``."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    flags = {_FLAGS[word] for word in arguments[:end] if word in _FLAGS}
    rest = [word for word in arguments[:end] if word not in _FLAGS]
    return [*rest, *arguments[end:]], flags


def _set_verbosity(flags: set[str]) -> None:
    from shortlist.cli.output import start
    from shortlist.progress import show_progress

    if {"-q", "-v"} <= flags:
        raise ConfigError("both --quiet and --verbose", remedy="leave one of the two out")
    start(quiet="-q" in flags)
    show_progress("nothing" if "-q" in flags else "lines" if "-v" in flags else "bar")
    warnings.showwarning = (lambda *_, **__: None) if "-q" in flags else _show_warning


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


def _fail(message: str, code: int, arguments: Sequence[str] = ()) -> None:
    lines = [
        in_options(line, arguments) if line.lstrip().startswith("to do:") else line
        for line in message.splitlines()
    ]
    sys.stderr.write("error: " + without_passwords("\n".join(lines)) + "\n")
    sys.exit(code)


def in_options(remedy: str, arguments: Sequence[str] = ()) -> str:
    """Write the Python arguments of a remedy as command line options, which have the same names.

    Alternatives that the command among the ``arguments`` does not offer are left out.

    >>> in_options("leave the rows out: on_bad_row='skip'")
    'leave the rows out: --on-bad-row skip'
    >>> in_options("pass on_unknown='skip' or 'fallback'")
    'pass --on-unknown skip or fallback'
    >>> in_options("check the spelling, or pass on_unknown='skip'", ["similar"])
    'check the spelling'
    """
    from typer.main import get_group

    from shortlist.cli.app import app

    commands = {
        name: {p.name for p in command.params if p.name and p.param_type_name == "option"}
        for name, command in get_group(app).commands.items()
    }
    options = set[str]().union(*commands.values())
    command = next((word for word in arguments if word in commands), None)
    missing = frozenset() if command is None else options - commands[command]
    offered = [
        way
        for way in remedy.split(", or ")
        if not any(re.search(rf"\b{name}=", way) for name in missing)
    ]
    return as_options(", or ".join(offered) or remedy, options)
