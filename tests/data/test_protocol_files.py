"""The files of He et al.: reading them, and errors that name the malformed line."""

from __future__ import annotations

from pathlib import Path

import pytest
from published_split import read_split

from shortlist.errors import InputError

TRAIN = "0\t5\t4\t100\n0\t7\t3\t90\n1\t7\t3.5\t80\n"
TEST = "0\t9\t5\t200\n1\t5\t1\t201\n"
NEGATIVE = "(0,9)\t11\t12\n(1,5)\t12\t13\t14\n"


def written(folder: Path, train: str = TRAIN, test: str = TEST, negative: str = NEGATIVE) -> Path:
    prefix = folder / "toy"
    for ending, text in (("train.rating", train), ("test.rating", test)):
        Path(f"{prefix}.{ending}").write_text(text)
    Path(f"{prefix}.test.negative").write_text(negative)
    return prefix


def test_a_split_and_its_negatives_have_the_same_ids(tmp_path: Path) -> None:
    train, test, negatives = read_split(written(tmp_path))
    assert train.users.ids.to_pylist() == [0, 1]
    assert train.items.ids.to_pylist() == [5, 7, 9, 11, 12, 13, 14]
    for part in (test, negatives):
        assert part.users.equals(train.users)
        assert part.items.equals(train.items)
    assert train.to_arrow()["item_id"].to_pylist() == [5, 7, 7]
    assert train.weights.tolist() == [4, 3, 3.5]
    assert train.times is not None
    assert (train.times // 10**6).tolist() == [100, 90, 80]
    assert test.to_arrow()["item_id"].to_pylist() == [9, 5]
    assert negatives.to_arrow().select(["user_id", "item_id"]).to_pydict() == {
        "user_id": [0, 0, 1, 1, 1],
        "item_id": [11, 12, 12, 13, 14],
    }


def test_two_columns_and_blank_lines_are_enough(tmp_path: Path) -> None:
    train, test, _ = read_split(written(tmp_path, "0\t5\n\n1\t7\n", "0\t9\n", "\n(0,9)\t11\n\n"))
    assert len(train) == 2
    assert train.times is None
    assert test.weights.tolist() == [1]


@pytest.mark.parametrize(
    ("name", "text", "line", "what"),
    [
        ("train", "0\t5\t4\t1\n0\tsix\t4\t1\n", 2, "item_id is 'six', not a number"),
        ("train", "0\t5\t4\t1\n\n0\t5\t4\n", 3, "3 fields instead of 4"),
        ("test", "0,9,5,200\n", 1, "1 fields instead of at least 2"),
        ("train", "0\n", 1, "1 fields instead of at least 2"),
        ("test", "0\t9\tgood\t200\n", 1, "rating is 'good', not a number"),
        ("negative", "(0,9)\t11\n0,9\t12\n", 2, "it begins with '0,9', not with (user,item)"),
        ("negative", "(0,9)\t11\n(1,7)\t12\n", 2, "(1,7) is not in toy.test.rating"),
        ("negative", "(0,9)\n", 1, "there are no negatives after the pair"),
        ("negative", "(0,9)\t11\tx\t12\n", 1, "the negative 'x' is not a number"),
    ],
)
def test_a_malformed_line_is_named(
    tmp_path: Path, name: str, text: str, line: int, what: str
) -> None:
    prefix = written(tmp_path, **{name: text})
    with pytest.raises(InputError) as error:
        read_split(prefix)
    message = str(error.value)
    assert message.startswith(f"line {line} is malformed: {what}\n")
    ending = "test.negative" if name == "negative" else f"{name}.rating"
    assert f"{prefix}.{ending}, line {line}" in message
    assert "to do: separate by tabs: user, item, rating and time" in message


@pytest.mark.parametrize("name", ["train", "test", "negative"])
def test_an_empty_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"is empty\n"):
        read_split(written(tmp_path, **{name: ""}))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    prefix = written(tmp_path)
    Path(f"{prefix}.test.negative").unlink()
    with pytest.raises(InputError) as error:
        read_split(prefix)
    assert str(error.value) == (
        f"there is no file {prefix}.test.negative\n"
        "  to do: pass the part of the path before .train.rating, .test.rating and .test.negative"
    )
