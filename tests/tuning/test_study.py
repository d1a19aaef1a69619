from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from shortlist.errors import InputError
from shortlist.tuning.objective import Trial
from shortlist.tuning.study import open_study

HEADER = {"model": "EASE", "data": "abc", "metric": "ndcg@10", "ranges": {"a": {"low": 1}}}


def trial(number: int, **changed: Any) -> Trial:
    settings = {"a": 0.1 + 0.2, "kind": "near", "layers": [8, 4], "none": None}
    return Trial(number=number, settings=settings, state="complete", value=1 / 3, **changed)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a study with two trials."""
    file = tmp_path / "study.jsonl"
    with open_study(file, HEADER) as study:
        for number in range(2):
            study.start(number)
            study.end(trial(number, steps=((10, 0.25), (20, 1 / 3)), seconds=1.5))
    return file


def trials_in(path: Path, **changed: Any) -> list[Trial]:
    with open_study(path, HEADER | changed) as study:
        return study.trials


def test_trials_are_read_as_they_were_written(path: Path) -> None:
    expected = [trial(n, steps=((10, 0.25), (20, 1 / 3)), seconds=1.5) for n in range(2)]
    assert trials_in(path) == expected


def test_without_a_path_nothing_is_kept() -> None:
    with open_study(None, HEADER) as study:
        study.start(0)
        study.end(trial(0))
        assert study.trials == [trial(0)]


def test_an_incomplete_last_line_is_dropped(path: Path) -> None:
    whole = path.read_bytes()
    for incomplete in (b'{"start": 2', b'{"end": {"number": 2, "sett', b"{", b'{"start": 2}'):
        path.write_bytes(whole + incomplete)
        with open_study(path, HEADER) as study:
            assert len(study.trials) == 2
            assert study.kills(2) == 0
            study.end(trial(2))
        assert len(trials_in(path)) == 3
        path.write_bytes(whole)


def test_every_prefix_of_a_study_can_be_trials_in(path: Path) -> None:
    whole = path.read_bytes()
    head = whole.index(b"\n") + 1
    ends = [end for end in range(head, len(whole) + 1) if whole[:end].endswith(b"\n")]
    for length in range(head, len(whole) + 1):
        path.write_bytes(whole[:length])
        kept = whole[: max(end for end in ends if end <= length)]
        assert len(trials_in(path)) == kept.count(b'{"end"')
        assert path.read_bytes() == kept


def test_kills_are_counted_and_interruptions_are_not(path: Path) -> None:
    for times in range(3):
        with open_study(path, HEADER) as study:
            assert study.kills(2) == times
            study.start(2)
    with open_study(path, HEADER) as study:
        study.start(2)
        study.stop(2)
    with open_study(path, HEADER) as study:
        assert study.kills(2) == 3
        assert study.kills(1) == 1  # a later success does not reset the count


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model", "IALS", 'the study is of another model: "EASE", not "IALS"'),
        ("data", "xyz", "the study is of other interactions: "),
        ("metric", "mrr", 'another metric: "ndcg@10", not "mrr"'),
        ("ranges", {"a": {"low": 2}}, "the study is of other search ranges: "),
    ],
)
def test_a_study_of_another_search_is_refused(
    path: Path, key: str, value: Any, message: str
) -> None:
    before = path.read_bytes()
    with pytest.raises(InputError) as error:
        trials_in(path, **{key: value})
    assert message in error.value.what
    assert error.value.where == str(path)
    assert error.value.remedy == "name another file, or change the command to what the study is of"
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"\n", b"\x80\x81", b'{"a": 1}\n', b"[1]\n", b"PK\x03\n"])
def test_a_file_that_is_not_a_study_is_not_changed(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "other"
    file.write_bytes(content)
    with pytest.raises(InputError) as error:
        trials_in(file)
    assert str(error.value) == f"{file} is not a study\n  to do: name another file"
    assert file.read_bytes() == content


def test_a_study_of_another_format(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"study": 2', b'"study": 1'))
    with pytest.raises(InputError, match="the study has format 1; this version reads 2"):
        trials_in(path)


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
        trials_in(path)
    assert str(error.value) == (
        "the study is damaged: a line cannot be read\n"
        f"  where: {path}, line 4\n"
        "  to do: remove that line and those after it, or name another file"
    )


def test_a_folder_and_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder, not a study"):
        trials_in(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        trials_in(tmp_path / "nowhere" / "study.jsonl")


@pytest.mark.skipif(sys.platform == "win32", reason="files are not locked on Windows")
def test_one_process_at_a_time(path: Path) -> None:
    with (
        open_study(path, HEADER),
        pytest.raises(InputError, match="another process is using this study"),
    ):
        trials_in(path)
    assert len(trials_in(path)) == 2


def test_the_file_is_lines_of_json(path: Path) -> None:
    header, *entries = [json.loads(line) for line in path.read_text().splitlines()]
    assert header == {"study": 2} | HEADER
    assert [next(iter(entry)) for entry in entries] == ["start", "end", "start", "end"]
