from __future__ import annotations

import math
import unicodedata
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.data.features import FeatureEncoder, Spec
from shortlist.data.features.text import most_frequent

from .one_column import encoder_of

ALPHABET = st.text(st.sampled_from("가나다ab +#;.1😀é"), max_size=15)


TEXT = Spec(kind="text")


def fit(values: object) -> tuple[FeatureEncoder, pa.Table]:
    table = pa.table({"x": values})
    return encoder_of(table, TEXT), table


def words_in(encoder: FeatureEncoder) -> list[str]:
    """Return the words among the names of the features."""
    return [name.removeprefix("x~") for name in encoder.names if not name.startswith("x~*")]


def words_of(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", text).lower()
    kept = "".join(
        letter if letter in "#" or unicodedata.category(letter)[0] in "LMNS" else " "
        for letter in folded
    )
    return kept.split()


def terms(texts: list[str]) -> tuple[Counter[str], Counter[str]]:
    """Count words and letter n-grams with loops."""
    words: Counter[str] = Counter()
    letters: Counter[str] = Counter()
    for word in (word for text in texts for word in words_of(text)):
        words[word] += 1
        for size in (2, 3):
            letters.update(word[i : i + size] for i in range(len(word) - size + 1))
    return words, letters


def naive(documents: list[list[str]]) -> tuple[list[str], np.ndarray]:
    """TF-IDF with dictionaries and loops: names and rows."""
    counted = [terms(texts) for texts in documents]
    n, parts, names = sum(bool(words) for words, _ in counted), [], []
    for part in (0, 1):
        df = Counter(term for counts in counted for term in counts[part])
        vocabulary = sorted(df)
        rows = np.zeros((len(documents), len(vocabulary)))
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
    twice, once = math.log(3 / 3) + 1, math.log(3 / 2) + 1  # the empty row is no document
    # First row: two words of its own; of its four letter n-grams, both rows have three.
    np.testing.assert_allclose(rows[0, [0, 3]], [0.5, 0.5])
    shared = twice / math.sqrt(2 * (3 * twice**2 + once**2))
    np.testing.assert_allclose(rows[0, [4, 5, 7]], shared)
    assert rows[0] @ rows[1] > 0  # they share no word, but 개발, 발자 and 개발자
    assert rows[2].tolist() == [0] * 11


@settings(deadline=None)
@given(st.lists(st.none() | ALPHABET, min_size=2, max_size=8))
def test_texts_equal_those_of_a_loop(texts: list[str | None]) -> None:
    names, expected = naive([[text or ""] for text in texts])
    encoder, table = fit(pa.array(texts, pa.string()))
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
    encoder, table = fit(pa.array(lists, pa.list_(pa.string())))
    names, expected = naive([texts or [] for texts in lists])
    if encoder.left_out:
        return
    assert list(encoder.names) == names
    rows = encoder.transform(table, dtype=np.float64).toarray()
    np.testing.assert_allclose(rows, expected, rtol=1e-13, atol=1e-15)


def test_symbols_in_words() -> None:
    encoder, _ = fit(["C++/C# .NET", "😀👍 ok_go", "ＪＡＶＡ １２", "Ａ"])
    assert words_in(encoder) == [
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


def test_letter_ngrams_of_words_that_are_rare() -> None:
    encoder, _ = fit([f"abcd{n:03}" for n in range(100)])
    assert words_in(encoder) == []
    assert encoder.names[:3] == ("x~*00*", "x~*01*", "x~*02*")
    query = pa.table({"x": ["abz"]})
    assert [encoder.names[n] for n in encoder.transform(query).indices] == ["x~*ab*"]
    assert encoder.unused(query) == {"x": "not among the values of the training data: 'abz'"}


def test_rare_terms_are_dropped() -> None:
    encoder, _ = fit(["공통 하나", "공통 둘"] + ["공통"] * 98)
    assert encoder.names == ("x~공통", "x~*공통*")


def test_the_most_frequent_terms_are_kept() -> None:
    terms, df = pa.array(["c", "a", "b", "d"]), np.array([3, 1, 2, 1])
    assert most_frequent(terms, df, 1, most=2).tolist() == [2, 0]
    assert most_frequent(terms, np.ones(4, dtype=int), 1, most=2).tolist() == [1, 2]
    assert most_frequent(terms, df, 2).tolist() == [2, 0]


@pytest.mark.parametrize("texts", [["...", ";;"], ["", None, "-"]])
def test_texts_without_a_word(texts: list[str | None]) -> None:
    encoder, _ = fit(texts)
    assert encoder.left_out == {"x": "no word or letter n-gram occurs in 1 or more rows"}


def test_a_very_long_word() -> None:
    encoder, table = fit(["a" * 300_000 + "b", "c d"])
    # Only the first hundred letters are used.
    assert encoder.names[-2:] == ("x~*aa*", "x~*aaa*")
    assert encoder.transform(table).shape == (2, 5)
