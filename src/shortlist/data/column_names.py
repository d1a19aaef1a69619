"""The words of column names, and what they say about a column.

The vocabulary is that of tables in English, Korean, German, French, Spanish, Italian, Portuguese,
Dutch, Japanese and Chinese. Accents do not count.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

# Words by role; the first words are the surest.
ROLES: Mapping[str, tuple[str, ...]] = {
    "user_id": (
        "user", "customer", "client", "member", "person", "viewer", "visitor", "buyer", "reader",
        "listener", "player", "applicant", "candidate", "seeker", "resume", "account",
        "사용자", "고객", "회원", "이력서", "지원자", "구직자", "학생",
        "kunde", "kunden", "benutzer", "nutzer", "mitglied", "bewerber",
        "utilisateur", "membre", "acheteur", "cliente", "usuario", "utente", "klant", "gebruiker",
        "顧客", "会員", "ユーザ", "用户", "客户", "会员",
    ),
    "item_id": (
        "item", "product", "sku", "article", "movie", "film", "book", "track", "song", "artist",
        "game", "job", "posting", "vacancy", "recruitment", "stock", "asin", "isbn",
        "상품", "제품", "공고", "영화", "도서",
        "artikel", "produkt", "produit", "producto", "articulo", "prodotto", "articolo", "produto",
        "artigo", "商品", "製品", "求人", "产品",
    ),
    "time": (
        "timestamp", "time", "ts", "date", "datetime", "day", "created", "시간", "일시", "날짜",
        "일자", "datum", "zeit", "fecha", "日時", "日付", "日期", "时间",
    ),
    "weight": (
        "rating", "stars", "score", "weight", "quantity", "qty", "count", "plays", "clicks",
        "views", "평점", "수량", "menge", "anzahl", "bewertung", "quantite", "cantidad", "quantita",
        "quantidade", "aantal", "puntuacion", "評価", "数量", "评分",
    ),
}  # fmt: skip
COUNTS = {
    "quantity", "qty", "count", "plays", "clicks", "views", "수량", "menge", "anzahl", "quantite",
    "cantidad", "quantita", "quantidade", "aantal", "数量",
}  # fmt: skip
RATINGS = {
    "rating", "ratings", "stars", "score", "scores", "평점", "bewertung", "puntuacion", "評価",
    "评分",
}  # fmt: skip
IDS = {
    "id", "no", "nr", "number", "code", "key", "sku", "번호", "코드", "아이디", "nummer", "numero",
    "codigo", "codice", "番号", "编号",
}  # fmt: skip
NAMES = {
    "name", "title", "이름", "titel", "titre", "titulo", "titolo", "nom", "nombre", "nome", "naam",
    "bezeichnung", "designation", "libelle",
}  # fmt: skip
LABELS = NAMES | {"description", "desc", "type", "category", "email", "country", "beschreibung"}
BIRTH = {
    "birth", "birthday", "birthdate", "dob", "born", "생년월일", "geburtsdatum", "naissance",
    "nacimiento",
}  # fmt: skip
DOCUMENTS = {
    "order", "invoice", "receipt", "transaction", "basket", "session", "bill", "event", "row",
    "line", "purchase", "주문", "영수증", "거래", "rechnung", "rechnungs", "bestellung", "bestell",
    "beleg", "auftrag", "facture", "commande", "factura", "pedido", "fattura", "ordine", "注文",
    "订单",
}  # fmt: skip
"""Words for orders and visits: their numbers repeat as those of users do."""
EVENTS = {
    "event", "action", "activity", "behavior", "behaviour", "type", "kind", "행동", "이벤트",
    "유형", "ereignis", "aktion", "typ", "evenement", "evento", "accion", "azione", "tipo", "行動",
    "行为",
}  # fmt: skip
"""Words for what somebody did: viewed, saved, applied."""
_OF_ITEMS = {word for word in ROLES["item_id"] if word.isascii()} - {"stock", "artist"}
# What a column is called that holds the items themselves, in words: product, film.
_ITEMS = {*ROLES["item_id"]} - {
    "stock", "artist", "job", "posting", "vacancy", "recruitment", "sku", "asin", "isbn", "공고",
    "求人",
}  # fmt: skip
_TITLES = {"title", "titel", "titre", "titulo", "titolo"}
# Korean, Japanese and Chinese join words: these end the names of titles, and of other names.
_TITLE_ENDS = (
    "제목", "상품명", "제품명", "영화명", "공고명", "도서명", "품명", "품목명", "작품명", "곡명",
    "강의명", "과목명", "게임명", "상품이름", "제품이름", "商品名", "製品名", "作品名", "品名",
    "書名", "曲名", "件名", "求人名", "タイトル", "标题", "商品名称", "产品名称",
)  # fmt: skip
_NAME_ENDS = ("명", "이름", "名", "名称", "名前", "氏名")
_ACCENTS = re.compile("[̀-ͯ]")
_FIRST = {*(word for role in ROLES.values() for word in role), *DOCUMENTS}
_LAST = IDS | LABELS | set(ROLES["time"])


def words(name: str) -> list[str]:
    """Return the words of a column's name in lower case, without accents.

    >>> words("CustomerID"), words("product name"), words("orderdate"), words("상품명")
    (['customer', 'id'], ['product', 'name'], ['order', 'date'], ['상품명'])
    """
    plain = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", name)))
    parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_a-zA-Z]+", plain)
    return [word for part in parts for word in _split(part.lower())]


def _split(part: str) -> list[str]:
    """Split two joined words of the vocabulary: ``userid``, ``kundennr``."""
    for end in range(2, len(part) - 1):
        if part[:end] in _FIRST and part[end:] in _LAST and part.isascii():
            return [part[:end], part[end:]]
    return [part]


def has_word(parts: Iterable[str], vocabulary: Iterable[str]) -> bool:
    """Return whether the words of a name include one of a vocabulary.

    >>> has_word(words("고객번호"), ["고객"]), has_word(words("bookings"), ["book"])
    (True, False)
    """
    parts = [*parts]
    return any(
        word in parts or f"{word}s" in parts
        if word.isascii()
        else any(word in part for part in parts)  # a part of a word: they are joined
        for word in vocabulary
    )


def names_titles(name: str) -> bool:
    """Return whether a column of this name holds the titles of items.

    >>> [names_titles(name) for name in ("movie_title", "Product Name", "공고제목", "company_name")]
    [True, True, True, False]
    """
    parts = {*words(name)}
    if parts & _TITLES or any(part.endswith(_TITLE_ENDS) for part in parts):
        return True
    return bool(parts & NAMES) and (len(parts) == 1 or bool(parts & _OF_ITEMS))


def names_items(name: str) -> bool:
    """Return whether a column is named after the items: its texts may be what they are called.

    >>> [names_items(name) for name in ("product", "Artikel", "상품", "product id", "job")]
    [True, True, True, False, False]
    """
    parts = words(name)
    return len(parts) == 1 and parts[0] in _ITEMS


def is_label(name: str) -> bool:
    """Return whether a column of this name describes something and does not identify it."""
    parts = words(name)
    return names_titles(name) or has_word(parts, LABELS) or "".join(parts).endswith(_NAME_ENDS)


def same_column(name: str, names: Iterable[str]) -> str:
    """Return the column that holds the ids of ``name`` in another table; ``name`` if none does.

    It has this name, the same words in another spelling, or else the name id.

    >>> same_column("CustomerID", ["customer_id", "age"]), same_column("sku", ["Id", "price"])
    ('customer_id', 'Id')
    """
    names = [*names]
    alike = [other for other in names if words(other) == words(name)]
    plain = [other for other in names if other.lower() == "id"]
    return name if name in names else next(iter([*alike, *plain]), name)
