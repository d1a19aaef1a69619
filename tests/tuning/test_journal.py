from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from shortlist.errors import InputError
from shortlist.tuning.journal import Journal
from shortlist.tuning.trials import Trial

SUBJECT = {"model": "EASE", "data": "abc", "metric": "ndcg@10", "ranges": {"a": {"low": 1}}}


def trial(number: int, **changed: Any) -> Trial:
    settings = {"a": 0.1 + 0.2, "kind": "near", "layers": [8, 4], "none": None}
    return Trial(number=number, settings=settings, state="complete", value=1 / 3, **changed)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A study of two trials."""
    file = tmp_path / "study.jsonl"
    with Journal(file, SUBJECT) as journal:
        for number in range(2):
            journal.start(number)
            journal.end(trial(number, steps=((10, 0.25), (20, 1 / 3)), seconds=1.5))
    return file


def opened(path: Path, **changed: Any) -> list[Trial]:
    with Journal(path, SUBJECT | changed) as journal:
        return journal.trials


def test_trials_come_back_to_the_bit(path: Path) -> None:
    expected = [trial(n, steps=((10, 0.25), (20, 1 / 3)), seconds=1.5) for n in range(2)]
    assert opened(path) == expected


def test_without_a_path_nothing_is_kept() -> None:
    with Journal(None, SUBJECT) as journal:
        journal.start(0)
        journal.end(trial(0))
        assert journal.trials == [trial(0)]


def test_a_line_that_was_not_written_whole_is_dropped(path: Path) -> None:
    whole = path.read_bytes()
    for torn in (b'{"start": 2', b'{"end": {"number": 2, "sett', b"{", b'{"start": 2}'):
        path.write_bytes(whole + torn)
        with Journal(path, SUBJECT) as journal:
            assert len(journal.trials) == 2
            assert journal.deaths(2) == 0
            journal.end(trial(2))
        assert len(opened(path)) == 3
        path.write_bytes(whole)


def test_every_prefix_of_a_study_can_be_opened(path: Path) -> None:
    whole = path.read_bytes()
    head = whole.index(b"\n") + 1
    ends = [at for at in range(head, len(whole) + 1) if whole[:at].endswith(b"\n")]
    for length in range(head, len(whole) + 1):
        path.write_bytes(whole[:length])
        kept = whole[: max(end for end in ends if end <= length)]
        assert len(opened(path)) == kept.count(b'{"end"')
        assert path.read_bytes() == kept


def test_deaths_are_counted_and_stops_are_not(path: Path) -> None:
    for times in range(3):
        with Journal(path, SUBJECT) as journal:
            assert journal.deaths(2) == times
            journal.start(2)
    with Journal(path, SUBJECT) as journal:
        journal.start(2)
        journal.stop(2)
    with Journal(path, SUBJECT) as journal:
        assert journal.deaths(2) == 3
        assert journal.deaths(1) == 1  # it ended, so nobody asks


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model", "IALS", 'the study is about another model: "EASE", where "IALS" is asked for'),
        ("data", "xyz", "the study is about other interactions than these: "),
        ("metric", "mrr", 'another metric: "ndcg@10", where "mrr" is asked for'),
        ("ranges", {"a": {"low": 2}}, "the study is about other search ranges: "),
    ],
)
def test_a_study_of_something_else(path: Path, key: str, value: Any, message: str) -> None:
    before = path.read_bytes()
    with pytest.raises(InputError) as error:
        opened(path, **{key: value})
    assert message in error.value.what
    assert error.value.where == str(path)
    assert error.value.remedy == "name another file, or ask for what the study is about"
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"\n", b"\x80\x81", b'{"a": 1}\n', b"[1]\n", b"PK\x03\n"])
def test_a_file_that_is_no_study_is_left_alone(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "other"
    file.write_bytes(content)
    with pytest.raises(InputError) as error:
        opened(file)
    assert str(error.value) == f"{file} is not a study\n  to do: name another file"
    assert file.read_bytes() == content


def test_a_study_of_another_format(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"study": 1', b'"study": 2'))
    with pytest.raises(InputError, match="the study has format 2; this version reads 1"):
        opened(path)


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        "",
        "[]",
        '{"start": 5}',
        '{"end": {"number": 7, "settings": {}, "state": "complete", "value": 1.0}}',
        '{"end": {"number": 1, "settings": {}, "state": "done", "value": 1.0}}',
        '{"end": {"number": 1, "settings": {}, "state": "complete", "value": NaN}}',
        '{"end": 3}',
        '{"begin": 1}',
    ],
)
def test_a_damaged_line(path: Path, line: str) -> None:
    lines = path.read_text().splitlines()
    lines[3] = line
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError) as error:
        opened(path)
    assert str(error.value) == (
        "the study is damaged: this line is none that was written\n"
        f"  where: {path}, line 4\n"
        "  to do: remove that line and those after it, or name another file"
    )


def test_a_folder_and_a_place_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder, not a study"):
        opened(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        opened(tmp_path / "nowhere" / "study.jsonl")


@pytest.mark.skipif(sys.platform == "win32", reason="no locks there")
def test_one_process_at_a_time(path: Path) -> None:
    with (
        Journal(path, SUBJECT),
        pytest.raises(InputError, match="another process is working on this study"),
    ):
        opened(path)
    assert len(opened(path)) == 2


def test_the_file_is_lines_of_json(path: Path) -> None:
    first, *others = [json.loads(line) for line in path.read_text().splitlines()]
    assert first == {"study": 1} | SUBJECT
    assert [next(iter(one)) for one in others] == ["start", "end", "start", "end"]
