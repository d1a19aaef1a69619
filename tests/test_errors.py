from __future__ import annotations

import pytest

from shortlist import errors
from shortlist.errors import (
    BundleError,
    CapabilityError,
    ConfigError,
    DownloadError,
    InputError,
    NotFittedError,
    ShortlistError,
    UnknownIdError,
    suggestion,
)


@pytest.mark.parametrize(
    ("where", "remedy", "text"),
    [
        (None, None, "it is wrong"),
        ("row 7", None, "it is wrong\n  where: row 7"),
        (None, "mend it", "it is wrong\n  to do: mend it"),
        ("row 7", "mend it", "it is wrong\n  where: row 7\n  to do: mend it"),
    ],
)
def test_messages_have_one_to_three_lines(where: str | None, remedy: str | None, text: str) -> None:
    error = ShortlistError("it is wrong", where=where, remedy=remedy)
    assert str(error) == text
    assert (error.what, error.where, error.remedy) == ("it is wrong", where, remedy)


def test_wrong_input_is_a_value_error() -> None:
    for kind in (ConfigError, UnknownIdError, CapabilityError, BundleError):
        assert issubclass(kind, InputError)
    assert issubclass(InputError, ValueError)
    assert issubclass(NotFittedError, RuntimeError)
    assert not issubclass(NotFittedError, InputError)
    assert not issubclass(DownloadError, InputError)


def test_all_errors_have_the_same_base() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    raised = [kind for kind in kinds if issubclass(kind, Exception)]
    assert len(raised) == 10
    assert all(issubclass(kind, ShortlistError) for kind in raised)
    assert all(kind.__doc__ for kind in raised)


@pytest.mark.parametrize(
    ("name", "known", "text"),
    [
        ("sead", ["seed", "epochs"], "did you mean 'seed'? Known: epochs, seed"),
        ("learning_rate", ["seed", "epochs"], "use one of these: epochs, seed"),
        ("x", [], "there is none"),
        ("ease", {"EASE": 1, "IALS": 2}, "did you mean 'EASE'? Known: EASE, IALS"),
    ],
)
def test_suggestions(name: str, known: list[str], text: str) -> None:
    assert suggestion(name, known) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no file host=h password=geheim user=u", "no file host=h password=... user=u"),
        ("PGPASSWORD='ge heim' psql", "PGPASSWORD=... psql"),
        ("at postgresql://u:geheim@h:5/db?sslmode=off", "at postgresql://u:...@h:5/db?sslmode=off"),
        ("at 'postgresql://u:p@ss/geheim@h/db'", "at 'postgresql://u:...@h/db'"),
        ("a path: postgresql:/u:geheim@h/db", "a path: postgresql:/u:...@h/db"),
        ("mysql://h/db?user=u&password=geheim&x=1", "mysql://h/db?user=u&password=...&x=1"),
        ("https://host/a, ann@example.org", "https://host/a, ann@example.org"),
    ],
)
def test_no_message_holds_a_password(text: str, shown: str) -> None:
    assert str(ShortlistError(text, where=text, remedy=text)) == (
        f"{shown}\n  where: {shown}\n  to do: {shown}"
    )
