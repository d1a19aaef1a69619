"""The study file: the trials of a search on disk, as lines that are appended and never changed.

::

    {"study": 2, "model": "EASE", "metric": "ndcg@10", "data": "0f3a...", ...}
    {"start": 0}
    {"end": {"number": 0, "settings": {...}, "state": "complete", "value": 0.1, ...}}

If the process is killed, only the running trial is lost: an incomplete last line is dropped. Since
suggestions depend on finished trials only, a resumed search suggests the same settings as an
uninterrupted one.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from shortlist.data.dataset import Dataset
from shortlist.data.identity import OTHER, identity_of
from shortlist.errors import InputError
from shortlist.files import atomic_file, lock
from shortlist.text import shortened
from shortlist.tuning.objective import Objective, Trial
from shortlist.tuning.space import Space

FORMAT = 2

_NAMES = {"folds": "another number of folds", "given": "other given settings"}
_UNREADABLE = {  # values that are hashes, or too long to show
    **OTHER,
    "ranges": "other search ranges: of another version, or of other given settings",
}


def study_header(
    space: Space, data: Dataset, objective: Objective, folds: int, seed: int
) -> dict[str, Any]:
    """Return everything that the outcome of a search depends on, ready for JSON."""
    return {
        "model": space.model.__name__,
        **identity_of(data),
        "metric": objective.metric,
        "folds": folds,
        "seed": seed,
        "given": space.make({}).config.model_dump(mode="json", include=set(space.given)),
        "ranges": space.to_dict(),
    }


class Study:
    """The trials of a search; each step is also appended to a file, if there is one."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        self.trials: list[Trial] = []
        self._stream = stream
        self._starts: Counter[int] = Counter()

    def kills(self, number: int) -> int:
        """Return how often the process was killed during a trial."""
        return self._starts[number]

    def start(self, number: int) -> None:
        """Record that a trial starts."""
        self._write({"start": number})

    def stop(self, number: int) -> None:
        """Record that a trial was interrupted, so that its start does not count as a kill."""
        self._write({"stop": number})

    def end(self, trial: Trial) -> None:
        """Record a finished trial."""
        self.trials.append(trial)
        self._write({"end": trial.model_dump(mode="json")})

    def _write(self, entry: Mapping[str, Any]) -> None:
        if self._stream is not None:
            self._stream.write(_line(entry))
            self._stream.flush()
            os.fsync(self._stream.fileno())

    def read(self, line: bytes) -> None:
        """Add an entry of the file; raise a ValueError or TypeError if it is not one."""
        match json.loads(line):
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
                raise ValueError("unknown entry")


@contextmanager
def open_study(path: str | Path | None, header: Mapping[str, Any]) -> Iterator[Study]:
    """Open the study in a file, for this process alone; None: the trials stay in memory.

    The file is created if it does not exist. An InputError is raised if it has another header (what
    the search depends on), is damaged, is not a study, or is in use.
    """
    if path is None:
        yield Study(None)
        return
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a study", remedy="name a file in it")
    expected = {"study": FORMAT, **json.loads(json.dumps(dict(header)))}
    if not path.exists():
        with atomic_file(path) as partial:
            partial.write_bytes(_line(expected))
    with path.open("r+b") as stream:
        if not lock(stream.fileno()):
            raise InputError(
                "another process is using this study",
                where=f"{path}",
                remedy="wait for it, or name another file",
            )
        *lines, incomplete = stream.read().split(b"\n")
        _require_header(lines[0] if lines else b"", expected, path)
        study = Study(stream)
        for number, line in enumerate(lines[1:], start=2):
            try:
                study.read(line)
            except (ValueError, TypeError):  # pydantic's ValidationError is a ValueError
                raise InputError(
                    "the study is damaged: a line cannot be read",
                    where=f"{path}, line {number}",
                    remedy="remove that line and those after it, or name another file",
                ) from None
        stream.seek(-len(incomplete), os.SEEK_END)
        stream.truncate()
        yield study


def _line(entry: Mapping[str, Any]) -> bytes:
    return json.dumps(entry, ensure_ascii=False).encode() + b"\n"


def _require_header(line: bytes, expected: dict[str, Any], path: Path) -> None:
    """Raise an InputError if the first line of a file is not the expected header."""
    try:
        header = json.loads(line)
    except ValueError:  # not UTF-8, or not JSON
        header = None
    if not isinstance(header, dict) or "study" not in header:
        raise InputError(f"{path} is not a study", remedy="name another file")
    if header["study"] != FORMAT:
        raise InputError(
            f"the study has format {header['study']!r}; this version reads {FORMAT}",
            where=f"{path}",
            remedy="name another file",
        )
    for key, value in expected.items():
        if header.get(key) != value:
            difference = _UNREADABLE.get(key) or (
                f"{_NAMES.get(key, f'another {key}')}: "
                f"{_shortened(header.get(key))}, not {_shortened(value)}"
            )
            raise InputError(
                f"the study is of {difference}",
                where=f"{path}",
                remedy="name another file, or change the command to what the study is of",
            )


def _shortened(value: Any) -> str:
    return shortened(json.dumps(value, ensure_ascii=False), 60)
