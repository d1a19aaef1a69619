"""The address of a database, and the parts of it that messages show."""

from __future__ import annotations

from pathlib import Path

import pytest

from shortlist.data.store.address import Address
from shortlist.data.store.store import Store
from shortlist.errors import InputError


@pytest.mark.parametrize(
    ("target", "kind", "place", "path"),
    [
        ("shop.duckdb", "duckdb", "shop.duckdb", "shop.duckdb"),
        (Path("a/shop.db"), "duckdb", "a/shop.db", "a/shop.db"),
        ("shop.sqlite", "sqlite", "shop.sqlite", "shop.sqlite"),
        ("sqlite:///shop.db", "sqlite", "shop.db", "shop.db"),
        ("sqlite:////data/my%20shop.db", "sqlite", "/data/my shop.db", "/data/my shop.db"),
        ("duckdb:///shop", "duckdb", "shop", "shop"),
        (
            "postgresql://ann:pw@h:1/shop?sslmode=require",
            "postgresql",
            "postgresql://h:1/shop",
            None,
        ),
        ("postgres://h/shop", "postgresql", "postgresql://h/shop", None),
        ("postgresql:///shop", "postgresql", "postgresql:///shop", None),
    ],
)
def test_parsing_paths_and_urls(
    target: str | Path, kind: str, place: str, path: str | None
) -> None:
    address = Address.of(target)
    assert (address.kind, address.place) == (kind, place)
    assert address.path == (None if path is None else Path(path))


@pytest.mark.parametrize(
    ("url", "uri"),
    [
        ("postgresql://h/d", "postgresql://h/d?connect_timeout=10"),
        ("postgres://h/d?connect_timeout=3", "postgresql://h/d?connect_timeout=3"),
        ("postgresql://a:p%40%3F@h/d", "postgresql://a:p%40%3F@h/d?connect_timeout=10"),
        ("postgresql://a:p@q:r@h:5/d", "postgresql://a:p%40q%3Ar@h:5/d?connect_timeout=10"),
        (
            "postgresql://h/d?options=-csearch_path%3Dmine",
            "postgresql://h/d?options=-csearch_path%3Dmine&connect_timeout=10",
        ),
        ("postgresql://[::1]:5/d", "postgresql://[::1]:5/d?connect_timeout=10"),
    ],
)
def test_url_for_the_driver(url: str, uri: str) -> None:
    assert Address.of(url).uri == uri


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://zoe:s3/cret@h/d",
        "postgresql://zoe:s3#cret@h/d",
        "postgresql://zoe:s3?cret@h/d",
        "postgresql://zoe:s3cret@h:port/d",
        "mysql://zoe:s3cret@h/d",
        "postgres//zoe:s3cret@h/d",
        "postgresql:/zoe:s3cret@h/d",
        "sqlite://zoe:s3cret@h/d",
    ],
)
def test_no_message_repeats_an_invalid_url(url: str) -> None:
    with pytest.raises(InputError) as caught:
        Store(url)
    assert "cret" not in str(caught.value)
    assert "zoe" not in str(caught.value)


def test_secrets_are_removed_from_messages() -> None:
    address = Address.of("postgresql://ann:p%40ss@h/d?password=other")
    message = address.redacted('no p@ss, p%40ss or other for "ann" in annals; another')
    assert message == 'no ..., ... or ... for "..." in annals; another'
    assert "p%40ss" not in repr(address)


@pytest.mark.parametrize("text", ["host=h password=secret dbname=shop", "PASSWORD = 'secret'"])
def test_a_connection_string_is_refused_without_a_word_of_it(text: str) -> None:
    for use in (Address.of, Store, lambda text: Store.create(text, "runs")):
        with pytest.raises(InputError) as error:
            use(text)
        assert str(error.value) == (
            "a database is not named by a connection string\n"
            "  to do: write a URL, postgresql://USER@HOST/DATABASE, and keep the password in "
            "PGPASSWORD or ~/.pgpass"
        )
