"""The command line, run in this process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from shortlist.cli import main
from shortlist.progress import announce_time


def exit_code(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    """Run a command; return its exit code."""
    monkeypatch.setattr(sys, "argv", ["shortlist", *map(str, arguments)])
    code: object = 0
    try:
        main()
    except SystemExit as stop:
        code = stop.code or 0
    finally:
        announce_time(None)  # the rest of the process is no command
    assert isinstance(code, int)
    return code
