"""A study on disk: a line when a trial starts, a line when it ends, never a line changed.

::

    {"study": 1, "model": "EASE", "metric": "ndcg@10", "data": "0f3a...", ...}
    {"start": 0}
    {"end": {"number": 0, "settings": {...}, "state": "complete", "value": 0.1, ...}}

A kill at any moment costs the trial that was running and nothing else: a line that was not written
whole is dropped. No trial is half there, so what is suggested next is what would have been
suggested without the kill.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from shortlist.errors import InputError
from shortlist.files import atomic_file
from shortlist.tuning.trials import Trial

FORMAT = 1

_NAMES = {"folds": "another number of folds", "given": "other given settings"}
_OTHER = {  # what is kept as a hash, or too long to show
    "data": "other interactions than these: other tables, or rows that came since",
    "features": "other features of users or items than these",
    "ranges": "other search ranges: those of another version, or of other given settings",
}


class Journal:
    """The trials of a study, kept in a file where a path is given; a context manager.

    Parameters
    ----------
    path
        The file, made if it does not exist. None: nothing is kept.
    subject
        What the study is about; a file about anything else is refused.

    Raises
    ------
    InputError
        The file is of another study, is damaged, is no study, or is in use.
    """

    def __init__(self, path: str | Path | None, subject: Mapping[str, Any]) -> None:
        self._subject = {"study": FORMAT, **json.loads(json.dumps(dict(subject)))}
        self._path = None if path is None else Path(path)
        self._stream: IO[bytes] | None = None
        self._starts: Counter[int] = Counter()
        self.trials: list[Trial] = []

    def __enter__(self) -> Self:
        if self._path is not None:
            if not self._path.exists():
                with atomic_file(self._path) as partial:
                    partial.write_bytes(_line(self._subject))
            self._stream = self._opened(self._path)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def deaths(self, number: int) -> int:
        """How often the process was killed during a trial."""
        return self._starts[number]

    def start(self, number: int) -> None:
        """Note that a trial starts."""
        self._write({"start": number})

    def stop(self, number: int) -> None:
        """Note that a trial was stopped from outside, which is not its fault."""
        self._write({"stop": number})

    def end(self, trial: Trial) -> None:
        """Keep a trial."""
        self.trials.append(trial)
        self._write({"end": trial.model_dump(mode="json")})

    def _write(self, entry: Mapping[str, Any]) -> None:
        if self._stream is not None:
            self._stream.write(_line(entry))
            self._stream.flush()
            os.fsync(self._stream.fileno())

    def _opened(self, path: Path) -> IO[bytes]:
        if path.is_dir():
            raise InputError(f"{path} is a folder, not a study", remedy="name a file in it")
        stream = path.open("r+b")
        try:
            _lock(stream, path)
            *lines, torn = stream.read().split(b"\n")
            self._read(lines, path)
            stream.seek(-len(torn), os.SEEK_END)
            stream.truncate()
        except BaseException:
            stream.close()
            raise
        return stream

    def _read(self, lines: list[bytes], path: Path) -> None:
        head = _parsed(lines[0]) if lines else None
        if head is None or "study" not in head:
            raise InputError(f"{path} is not a study", remedy="name another file")
        _require_same(head, self._subject, path)
        for number, line in enumerate(lines[1:], start=2):
            try:
                self._take(_parsed(line) or {})
            except (ValueError, TypeError):  # pydantic's ValidationError is a ValueError
                raise InputError(
                    "the study is damaged: this line is none that was written",
                    where=f"{path}, line {number}",
                    remedy="remove that line and those after it, or name another file",
                ) from None

    def _take(self, entry: dict[str, Any]) -> None:
        match entry:
            case {"start": int(number)} if number == len(self.trials):
                self._starts[number] += 1
            case {"stop": int(number)} if number == len(self.trials):
                self._starts[number] -= 1
            case {"end": dict(content)}:
                trial = Trial.model_validate(content)
                if trial.number != len(self.trials):
                    raise ValueError("a trial is missing")
                self.trials.append(trial)
            case _:
                raise ValueError("no entry")


def _line(entry: Mapping[str, Any]) -> bytes:
    return json.dumps(entry, ensure_ascii=False).encode() + b"\n"


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:  # not UTF-8, or not JSON
        return None
    return found if isinstance(found, dict) else None


def _require_same(found: dict[str, Any], asked: dict[str, Any], path: Path) -> None:
    if found.get("study") != FORMAT:
        raise InputError(
            f"the study has format {found.get('study')!r}; this version reads {FORMAT}",
            where=f"{path}",
            remedy="name another file",
        )
    for key, value in asked.items():
        if found.get(key) != value:
            there, here = (_brief(one) for one in (found.get(key), value))
            name = _NAMES.get(key, f"another {key}")
            raise InputError(
                f"the study is about {_OTHER[key]}"
                if key in _OTHER
                else f"the study is about {name}: {there}, where {here} is asked for",
                where=f"{path}",
                remedy="name another file, or ask for what the study is about",
            )


def _brief(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _lock(stream: IO[bytes], path: Path) -> None:
    """Keep other processes out; the lock ends with the process, however that ends."""
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise InputError(
            "another process is working on this study",
            where=f"{path}",
            remedy="wait for it, or name another file",
        ) from None
