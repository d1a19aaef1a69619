"""Text files that are not UTF-8: each has an encoding of its own, and a likely one is named."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

import shortlist as sl
from shortlist.data.formats.text_files import likely_encoding
from shortlist.errors import InputError

KOREAN = "회원번호,공고번호\n1,요리사\n2,간호사\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (KOREAN, "cp949"),
        ("会員番号,商品\n1,コーヒーとパンのセット\n", "shift_jis"),
        ("客户编号,产品\n1,北京的大咖啡和小面包，新鲜的水果\n", "gb18030"),
        ("客戶編號,產品\n1,臺北的大咖啡與小麵包，新鮮的水果\n", "big5"),
        ("Kunde,Artikel\n1,Müsli groß\n2,Käse\n", "cp1252"),
        ("Nr;Artikel;Preis\n1;Müsli;9,98 €\n2;Brot;3,10 €\n3;Tee;2,50 €\n", "cp1252"),
        ("no;price\n1;9 €\n", "cp1252"),
        ("client,prix\n1,12 €\n2,Crème brûlée à la carte\n", "cp1252"),
    ],
)
def test_the_likely_encoding(text: str, encoding: str) -> None:
    assert likely_encoding(text.encode(encoding)) == encoding


@pytest.mark.parametrize("text", ["клиент,товар\n1,Свежий хлеб\n", "πελάτης,προϊόν\n1,Καφές\n"])
def test_other_alphabets_of_single_bytes_are_not_guessed(text: str) -> None:
    encoding = "cp1251" if text.startswith("к") else "iso8859-7"
    assert likely_encoding(text.encode(encoding)) is None


def test_a_letter_that_is_cut_off_does_not_spoil_the_guess() -> None:
    assert likely_encoding(KOREAN.encode("cp949")[:-4] + b"\xb0") == "cp949"


def test_look_reads_an_old_encoding_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(KOREAN, encoding="cp949")
    seen = sl.look(path)
    assert seen.options == {"user_id": "회원번호", "item_id": "공고번호", "encoding": "cp949"}
    assert "text that is not UTF-8 is read as cp949: check the examples" in str(seen)
    data = sl.Dataset.from_tables(path, **seen.options)
    assert data.items.ids.to_pylist() == ["간호사", "요리사"]
    with pytest.raises(InputError, match=r"pass its encoding= \(cp949 reads '회원번호', "):
        sl.Dataset.from_tables(path, user_id="회원번호", item_id="공고번호")


def test_letters_far_down_in_a_file_are_found(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    rows = "".join(f"{n},item {n % 7}\n" for n in range(150_000))
    path.write_text(f"user_id,item_id\n{rows}1,Müsli\n", encoding="latin-1")
    with pytest.raises(InputError, match=r"row 150002\n.* cp1252 reads 'Müsli'"):
        sl.Dataset.from_tables(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949"])
@pytest.mark.parametrize("packed", [False, True])
def test_the_encoding_is_that_of_the_files_that_are_not_utf_8(
    tmp_path: Path, encoding: str, packed: bool
) -> None:
    log, jobs = tmp_path / "log.csv", tmp_path / ("jobs.csv.gz" if packed else "jobs.csv")
    log.write_text(KOREAN, encoding="cp949")
    content = "공고번호,지역\n요리사,서울\n간호사,부산\n".encode(encoding)
    jobs.write_bytes(gzip.compress(content) if packed else content)
    data = sl.Dataset.from_tables(
        log, items=jobs, user_id="회원번호", item_id="공고번호", encoding="cp949"
    )
    assert data.item_features is not None
    assert data.item_features.to_pydict() == {"지역": ["부산", "서울"]}


@pytest.mark.parametrize("name", ["resume.csv", "movies.csv", "recruitment.csv.gz"])
def test_the_name_of_a_published_file_does_not_change_the_encoding(
    tmp_path: Path, name: str
) -> None:
    log, jobs = tmp_path / "log.csv", tmp_path / name
    log.write_text(KOREAN, encoding="cp949")
    content = "공고번호,지역\n요리사,서울\n간호사,부산\n".encode("cp949")
    jobs.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    data = sl.Dataset.from_tables(
        log, items=jobs, user_id="회원번호", item_id="공고번호", encoding="cp949"
    )
    assert data.item_features is not None
    assert data.item_features.to_pydict() == {"지역": ["부산", "서울"]}
    assert sl.look(log, items=jobs).encoding == "cp949"


def test_a_byte_order_mark_needs_no_encoding(tmp_path: Path) -> None:
    path = tmp_path / "sheet.txt"  # a spreadsheet's "Unicode text"
    path.write_text("user_id\titem_id\n1\t요리사\n2\t요리사\n2\t간호사\n", encoding="utf-16")
    assert sl.Dataset.from_tables(path).items.ids.to_pylist() == ["간호사", "요리사"]
    assert sl.look(path).encoding is None


def test_the_wrong_encoding_names_the_likely_one(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(KOREAN, encoding="cp949")
    with pytest.raises(InputError) as caught:
        sl.look(path, encoding="ascii")
    assert "pass encoding='cp949', which it seems to have" in str(caught.value)
