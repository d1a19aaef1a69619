from __future__ import annotations

import math
import unicodedata
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.data.features import FeatureEncoder, Text

ALPHABET = st.text(st.sampled_from("가나다ab +#;.1😀é"), max_size=15)


def fit(values: object, **settings: Any) -> tuple[FeatureEncoder, pa.Table]:
    table = pa.table({"x": values})
    return FeatureEncoder.fit(table, {"x": Text(**settings)}), table


def words_of(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", text).lower()
    kept = "".join(
        letter if letter in "#" or unicodedata.category(letter)[0] in "LMNS" else " "
        for letter in folded
    )
    return kept.split()


def terms(texts: list[str], spec: Text) -> tuple[Counter[str], Counter[str]]:
    """Count words and letter n-grams with loops."""
    words: Counter[str] = Counter()
    letters: Counter[str] = Counter()
    for text in texts:
        words_in_text = words_of(text)
        for size in range(1, spec.words + 1):
            words.update(
                " ".join(words_in_text[i : i + size]) for i in range(len(words_in_text) - size + 1)
            )
        for word in words_in_text if spec.letters else []:
            assert spec.letters is not None
            for size in range(spec.letters[0], spec.letters[1] + 1):
                letters.update(word[i : i + size] for i in range(len(word) - size + 1))
    return words, letters


def naive(documents: list[list[str]], spec: Text) -> tuple[list[str], np.ndarray]:
    """TF-IDF with dictionaries and loops: names and rows."""
    counted = [terms(texts, spec) for texts in documents]
    n, parts, names = len(documents), [], []
    for part in (0, 1):
        df = Counter(term for counts in counted for term in counts[part])
        vocabulary = sorted(df)
        rows = np.zeros((n, len(vocabulary)))
        for row, counts in enumerate(counted):
            for term, times in counts[part].items():
                weight = math.log((1 + n) / (1 + df[term])) + 1
                rows[row, vocabulary.index(term)] = (1 + math.log(times)) * weight
        names += [f"x~*{term}*" if part else f"x~{term}" for term in vocabulary]
        parts.append(unit(rows))
    return names, unit(np.hstack(parts))


def unit(rows: np.ndarray) -> np.ndarray:
    length = np.sqrt((rows**2).sum(axis=1, keepdims=True))
    scaled: np.ndarray = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
    return scaled


def test_words_and_letter_ngrams_of_hangul_by_hand() -> None:
    encoder, table = fit(["자바 개발자", "개발자를 구함", None])
    assert encoder.names == (
        "x~개발자", "x~개발자를", "x~구함", "x~자바",
        "x~*개발*", "x~*개발자*", "x~*구함*", "x~*발자*", "x~*발자를*", "x~*자를*", "x~*자바*",
    )  # fmt: skip
    rows = encoder.transform(table, dtype=np.float64).toarray()
    twice, once = math.log(4 / 3) + 1, math.log(4 / 2) + 1
    # First row: two words of its own; of its four letter n-grams, both rows have three.
    np.testing.assert_allclose(rows[0, [0, 3]], [0.5, 0.5])
    shared = twice / math.sqrt(2 * (3 * twice**2 + once**2))
    np.testing.assert_allclose(rows[0, [4, 5, 7]], shared)
    assert rows[0] @ rows[1] > 0  # they share no word, but 개발, 발자 and 개발자
    assert rows[2].tolist() == [0] * 11


@settings(deadline=None)
@given(
    st.lists(st.none() | ALPHABET, min_size=2, max_size=8),
    st.integers(0, 3),
    st.none() | st.sampled_from([(1, 1), (2, 3), (3, 4)]),
)
def test_texts_equal_those_of_a_loop(
    texts: list[str | None], words: int, letters: tuple[int, int] | None
) -> None:
    if not words and letters is None:
        return
    spec = Text(words=words, letters=letters)
    names, expected = naive([[text or ""] for text in texts], spec)
    table = pa.table({"x": pa.array(texts, pa.string())})
    encoder = FeatureEncoder.fit(table, {"x": spec})
    if encoder.left_out:
        return
    assert list(encoder.names) == names
    rows = encoder.transform(table, dtype=np.float64)
    np.testing.assert_allclose(rows.toarray(), expected, rtol=1e-13, atol=1e-15)
    for row in range(len(texts)):  # rows are independent
        alone = encoder.transform(table.slice(row, 1), dtype=np.float64).toarray()
        np.testing.assert_array_equal(alone[0], rows[[row]].toarray()[0])


@settings(deadline=None)
@given(st.lists(st.none() | st.lists(ALPHABET, max_size=3), min_size=2, max_size=6))
def test_lists_of_texts_equal_those_of_a_loop(lists: list[list[str] | None]) -> None:
    table = pa.table({"x": pa.array(lists, pa.list_(pa.string()))})
    spec = Text(words=2)
    encoder = FeatureEncoder.fit(table, {"x": spec})
    names, expected = naive([texts or [] for texts in lists], spec)
    if encoder.left_out:
        return
    assert list(encoder.names) == names
    rows = encoder.transform(table, dtype=np.float64).toarray()
    np.testing.assert_allclose(rows, expected, rtol=1e-13, atol=1e-15)


def test_word_ngrams_do_not_cross_texts() -> None:
    encoder, _ = fit([["a b", "c"], ["a b"]], words=2, letters=None)
    assert encoder.names == ("x~a", "x~a b", "x~b", "x~c")


def test_symbols_in_words() -> None:
    encoder, _ = fit(["C++/C# .NET", "😀👍 ok_go", "ＪＡＶＡ １２", "Ａ"], letters=None)
    assert [name.removeprefix("x~") for name in encoder.names] == [
        "12", "a", "c#", "c++", "go", "java", "net", "ok", "😀👍",
    ]  # fmt: skip


def test_spelling_variants_are_similar() -> None:
    spellings = [
        "컴퓨터활용능력 2급",
        "컴퓨터활용능력2급 취득",
        "한식조리기능사",
        "한식 조리 기능사",
    ]
    encoder, table = fit(spellings)
    similarity = (lambda rows: rows @ rows.T)(encoder.transform(table).toarray())
    assert similarity[0, 1] > 0.2
    assert similarity[2, 3] > 0.2
    assert similarity[0, 2] == similarity[0, 3] == 0


def test_other_scripts_in_queries_are_reported() -> None:
    encoder, _ = fit(["자바 개발자 모집", "자바 디자이너 모집"])
    query = pa.table({"x": ["ソフトウェア エンジニア", "🎉 파티", "...", None, "자바"]})
    rows = encoder.transform(query)
    assert np.diff(rows.indptr).tolist() == [0, 0, 0, 0, 2]
    unknown = "'エンジニア', 'ソフトウェア', '파티'"
    assert encoder.unused(query) == {"x": f"not among the values of the training data: {unknown}"}


def test_a_table_in_another_script_is_learned() -> None:
    encoder, table = fit(["ソフトウェア開発", "ソフトウェア設計", "مهندس برمجيات"])
    rows = encoder.transform(table).toarray()
    assert rows[0] @ rows[1] > 0.15
    assert rows[0] @ rows[2] == 0


def test_letter_ngrams_without_words() -> None:
    encoder, _ = fit(["abc", "abd"], words=0, letters=(2, 2))
    assert encoder.names == ("x~*ab*", "x~*bc*", "x~*bd*")
    query = pa.table({"x": ["abz"]})
    assert encoder.transform(query).indices.tolist() == [0]
    assert encoder.unused(query) == {"x": "not among the values of the training data: 'bz'"}


def test_rare_terms_are_dropped() -> None:
    encoder, _ = fit(["공통 하나", "공통 둘"] + ["공통"] * 98, letters=None)
    assert encoder.names == ("x~공통",)


def test_the_most_frequent_terms_are_kept() -> None:
    encoder, _ = fit(["c a b", "c b d", "c"], letters=None, max_terms=2)
    assert encoder.names == ("x~b", "x~c")
    tied, _ = fit(["d a b", "e"], letters=None, max_terms=2)
    assert tied.names == ("x~a", "x~b")


@pytest.mark.parametrize("texts", [["...", ";;"], ["", None, "-"]])
def test_texts_without_a_word(texts: list[str | None]) -> None:
    encoder, _ = fit(texts)
    assert encoder.left_out == {"x": "no word or letter n-gram occurs in 1 or more rows"}


def test_a_very_long_word() -> None:
    encoder, table = fit(["a" * 300_000 + "b", "c d"], letters=(2, 2))
    assert encoder.names[-1] == "x~*aa*"  # only the first hundred letters are used
    assert encoder.transform(table).shape == (2, 4)
