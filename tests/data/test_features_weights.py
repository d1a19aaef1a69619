from __future__ import annotations

import math
import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from shortlist.data.features import FeatureEncoder, scaled, unit_rows
from shortlist.errors import InputError


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    length = math.sqrt(float(a @ a)) * math.sqrt(float(b @ b))
    return float(a @ b) / length if length else 0.0


@settings(deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.sampled_from([0.0, 1e-4, 0.3, 1.0, 250.0]), min_size=3, max_size=3).filter(any),
)
def test_concatenated_blocks_add_up_to_weighted_cosines(seed: int, weights: list[float]) -> None:
    rng = np.random.default_rng(seed)
    raw = {
        name: csr_array(rng.random((7, width)) * (rng.random((7, width)) < 0.3))
        for name, width in (("action", 40), ("salary", 2), ("keywords", 9))
    }
    given_weights = dict(zip(raw, weights, strict=True))
    rows = scaled({name: unit_rows(block) for name, block in raw.items()}, given_weights)
    dots = (rows @ rows.T).toarray()
    dense = {name: block.toarray() for name, block in raw.items()}
    for i in range(7):
        for j in range(7):
            expected = sum(
                w * cosine(dense[name][i], dense[name][j]) for name, w in given_weights.items()
            )
            assert abs(dots[i, j] - expected) <= 1e-12 * max(weights)


def test_the_blocks_of_an_encoder_add_up() -> None:
    table = pa.table(
        {
            "pay": [10.0, None, 30.0, 5.0],
            "genres": [["a", "b"], [], ["b"], None],
            "text": ["자바 개발자", None, "개발자 구함", "회계 담당"],
        }
    )
    encoder = FeatureEncoder.fit(table, {"text": "text"})
    rows = encoder.transform(table, dtype=np.float64)
    blocks = encoder.split(rows)
    assert list(blocks) == ["pay", "genres", "text"]
    length = {name: np.sqrt((b.toarray() ** 2).sum(axis=1)) for name, b in blocks.items()}
    np.testing.assert_allclose(length["pay"], [1, 1, 1, 1])
    np.testing.assert_allclose(length["genres"], [1, 0, 1, 0])
    np.testing.assert_allclose(length["text"], [1, 0, 1, 1])
    weights = {"pay": 0.5, "genres": 2.0, "text": 1.0}
    mixed = scaled(blocks, weights)
    expected = sum(w * (blocks[n] @ blocks[n].T).toarray() for n, w in weights.items())
    np.testing.assert_allclose((mixed @ mixed.T).toarray(), expected, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(
        scaled(blocks, dict.fromkeys(blocks, 1.0)).toarray(), rows.toarray()
    )


def test_float32_stays_float32() -> None:
    block = csr_array(np.array([[3, 4]], dtype=np.float32))
    assert unit_rows(block).dtype == np.float32
    assert scaled({"a": unit_rows(block)}, {"a": 0.3}).dtype == np.float32


def test_unit_rows_does_not_modify_its_argument() -> None:
    block = csr_array(np.array([[3.0, 4.0]]))
    unit = unit_rows(block)
    unit.indices[:] = 0
    assert block.toarray().tolist() == [[3, 4]]


def test_a_weight_of_zero_keeps_the_columns() -> None:
    block = csr_array(np.array([[1.0, 0.0]]))
    rows = scaled({"a": block, "b": block}, {"a": 0, "b": 1})
    assert rows.shape == (1, 4)
    assert rows.nnz == 1


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (
            {"a": 0.0, "b": 0},
            "the weights of all blocks are 0, so every similarity would be 0\n"
            "  to do: give at least one block a weight above 0",
        ),
        (
            {"a": -1.0, "b": 1},
            "the weight -1.0 of block 'a' is out of range\n"
            "  to do: weights are finite numbers, 0 or more",
        ),
        ({"a": math.nan, "b": 1}, "the weight nan of block 'a' is out of range"),
        ({"a": math.inf, "b": 1}, "the weight inf of block 'a' is out of range"),
        ({"a": 1.0}, "block 'b' has no weight\n  to do: give it a weight; 0 leaves the block out"),
        (
            {"a": 1.0, "b": 1, "c": 1},
            "there is no block 'c' to weight\n  to do: Known: a, b",
        ),
    ],
)
def test_invalid_weights(weights: dict[str, float], message: str) -> None:
    block = csr_array(np.array([[1.0]]))
    with pytest.raises(InputError, match=f"^{re.escape(message)}"):
        scaled({"a": block, "b": block}, weights)
