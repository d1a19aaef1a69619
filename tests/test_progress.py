from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import redirect_stderr

import pytest

from shortlist import progress
from shortlist.progress import track


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show bars immediately."""
    monkeypatch.setattr(progress, "_DELAY", -1.0)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


def test_all_steps_are_yielded_in_order(terminal: Terminal) -> None:
    with redirect_stderr(terminal):
        assert list(track([3, 1, 2], "counting")) == [3, 1, 2]
        assert list(track([], "counting")) == []


def test_a_terminal_shows_description_and_progress(terminal: Terminal) -> None:
    with redirect_stderr(terminal):
        list(track(range(4), "weighing feathers"))
    assert "weighing feathers" in terminal.getvalue()
    assert "4/4" in terminal.getvalue()


def test_the_total_of_steps_without_a_length(terminal: Terminal) -> None:
    with redirect_stderr(terminal):
        list(track(iter("abc"), "spelling", total=3))
    assert "3/3" in terminal.getvalue()


def test_quick_work_shows_no_bar(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_DELAY", 100.0)
    with redirect_stderr(terminal):
        assert list(track(range(1000), "counting")) == list(range(1000))
    assert terminal.getvalue() == ""


def test_other_streams_show_no_bar() -> None:
    stream = io.StringIO()
    with redirect_stderr(stream):
        assert list(track(range(3), "counting")) == [0, 1, 2]
    assert stream.getvalue() == ""


def test_stdout_shows_no_bar(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    with redirect_stderr(terminal):
        list(track(range(3), "counting"))
    assert capsys.readouterr().out == ""


def test_a_nested_bar_is_not_shown(terminal: Terminal) -> None:
    with redirect_stderr(terminal):
        for _ in track(range(2), "outer"):
            list(track(range(2), "inner"))
        list(track(range(2), "the next"))
    assert "outer" in terminal.getvalue()
    assert "inner" not in terminal.getvalue()
    assert "the next" in terminal.getvalue()


def test_after_an_error_the_next_bar_is_shown(terminal: Terminal) -> None:
    def failing() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("no space left")

    with redirect_stderr(terminal):
        with pytest.raises(OSError, match="no space left"):
            list(track(failing(), "failing"))
        list(track(range(2), "the next"))
    assert "the next" in terminal.getvalue()


def test_leaving_a_loop_early_removes_the_bar(terminal: Terminal) -> None:
    with redirect_stderr(terminal):
        for step in track(range(9), "abandoned"):
            if step == 2:
                break
        list(track(range(2), "the next"))
    assert "the next" in terminal.getvalue()


def test_a_long_step_is_shown_before_it_ends(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_DELAY", 0.01)
    with redirect_stderr(terminal):
        for _ in track(range(1), "a long step"):
            waited_until = time.monotonic() + 10
            while "a long step" not in terminal.getvalue() and time.monotonic() < waited_until:
                time.sleep(0.01)
            assert "0/1" in terminal.getvalue()


def test_lines_in_a_log(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_shown", "lines")
    monkeypatch.setattr(progress, "_INTERVAL", 0.02)
    for step in track(range(3), "weighing feathers"):
        if step == 1:
            time.sleep(0.1)
    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert set(lines) == {"weighing feathers: 1 of 3, 0 s"}


def test_nothing_is_shown_on_request(monkeypatch: pytest.MonkeyPatch, terminal: Terminal) -> None:
    monkeypatch.setattr(progress, "_shown", "nothing")
    with redirect_stderr(terminal):
        assert list(track(range(4), "weighing feathers")) == [0, 1, 2, 3]
    assert terminal.getvalue() == ""
