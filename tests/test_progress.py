from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import redirect_stderr
from typing import Any

import pytest

from shortlist import progress
from shortlist.progress import pace_of, track


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
    assert "weighing feathers: 1 of 3, 0 s" in lines
    # On a busy machine other steps may last as long as the interval.
    assert set(lines) <= {f"weighing feathers: {done} of 3, 0 s" for done in range(4)}


def test_nothing_is_shown_on_request(monkeypatch: pytest.MonkeyPatch, terminal: Terminal) -> None:
    monkeypatch.setattr(progress, "_shown", "nothing")
    with redirect_stderr(terminal):
        assert list(track(range(4), "weighing feathers")) == [0, 1, 2, 3]
    assert terminal.getvalue() == ""


class Clock:
    """A clock that steps move on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The announcements."""
    lines: list[str] = []
    progress.announce_time(lines.append)
    yield lines
    progress.announce_time(None)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setattr(progress, "_shown", "nothing")
    return Clock(monkeypatch)


def work_on(clock: Clock, seconds: list[float], **options: Any) -> None:
    for each in track(seconds, "weighing feathers", **options):
        clock.now += each


def test_long_work_is_announced_once_without_the_first_step(clock: Clock, said: list[str]) -> None:
    work_on(clock, [100.0, *[10.0] * 20])
    assert said == ["weighing feathers: about 3 min to go"]


def test_short_steps_are_measured_for_two_seconds(clock: Clock, said: list[str]) -> None:
    work_on(clock, [1.0, *[0.25] * 1000])
    assert said == ["weighing feathers: about 4 min to go"]


def test_work_that_takes_less_than_a_minute_is_not_announced(clock: Clock, said: list[str]) -> None:
    work_on(clock, [10.0] * 7)
    assert said == []


def test_steps_of_different_sizes(clock: Clock, said: list[str]) -> None:
    work = [1.0, 2.0, 3.0, 4.0, 100.0]  # the last one comes after the steps
    work_on(clock, [10.0, 20.0, 30.0, 40.0], work=work)
    assert said == ["weighing feathers: about 18 min to go"]


def test_what_is_within_announced_work_is_not_announced(clock: Clock, said: list[str]) -> None:
    for _ in track(range(3), "outer"):
        work_on(clock, [20.0] * 20)
    assert said == ["outer: about 7 min to go"]


def test_different_steps_announce_their_own_time(clock: Clock, said: list[str]) -> None:
    for _ in track(range(3), "outer", alike=False):
        work_on(clock, [20.0] * 20)
    assert said == ["weighing feathers: about 6 min to go"] * 3
    work_on(clock, [3600.0] * 20)
    assert said[3:] == ["weighing feathers: about 18.0 h to go"]


def test_work_that_is_left_early_can_be_followed_by_other_work(
    clock: Clock, said: list[str]
) -> None:
    for _ in track(range(9), "abandoned"):
        break
    work_on(clock, [20.0] * 6)
    assert said == ["weighing feathers: about 80 s to go"]


def test_steps_within_a_step_are_announced_together(clock: Clock, said: list[str]) -> None:
    pace = pace_of("training", 10, most=True)
    assert pace is not None
    for _ in track(range(10), "epochs", alike=False):
        for _ in range(4):
            clock.now += 5
            pace.add(0.25)
    assert said == ["training: at most 3 min to go"]
    for _ in track(range(2), "outer"):
        assert pace_of("within announced work", 10) is None
    progress.announce_time(None)
    assert pace_of("nobody listens", 10) is None
