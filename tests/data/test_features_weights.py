from __future__ import annotations

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_array

from shortlist.data.features import FeatureEncoder, unit_rows


def test_the_blocks_of_an_encoder_have_length_one_or_zero() -> None:
    table = pa.table(
        {
            "pay": [10.0, None, 30.0, 5.0],
            "genres": [["a", "b"], [], ["b"], None],
            "text": ["자바 개발자 모집", None, "자바 개발자 구함", "회계 담당자 구함"],
        }
    )
    encoder = FeatureEncoder.fit(table)
    rows = encoder.transform(table, dtype=np.float64).toarray()
    assert list(encoder.blocks) == ["pay", "genres", "text"]
    length = {n: np.linalg.norm(rows[:, part], axis=1) for n, part in encoder.blocks.items()}
    np.testing.assert_allclose(length["pay"], [1, 0, 1, 1])
    np.testing.assert_allclose(length["genres"], [1, 0, 1, 0])
    np.testing.assert_allclose(length["text"], [1, 0, 1, 1])


def test_float32_stays_float32() -> None:
    block = csr_array(np.array([[3, 4]], dtype=np.float32))
    assert unit_rows(block).dtype == np.float32


def test_unit_rows_does_not_modify_its_argument() -> None:
    block = csr_array(np.array([[3.0, 4.0]]))
    unit = unit_rows(block)
    unit.indices[:] = 0
    assert block.toarray().tolist() == [[3, 4]]
