from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from shortlist import extras
from shortlist.errors import ConfigError

from .conftest import Run

TOKEN = "a-token-of-enough-letters"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Do not serve; record the arguments of run."""
    recorded: dict[str, Any] = {}

    def run(app: Any, service: Any, listener: socket.socket, drain_seconds: float) -> None:
        recorded.update(app=app, port=listener.getsockname()[1], drain=drain_seconds)
        listener.close()

    monkeypatch.setattr("shortlist.serving.run.run", run)
    monkeypatch.delenv("SHORTLIST_TOKEN", raising=False)
    return recorded


def access(started: dict[str, Any]) -> Any:
    return started["app"]._access


def test_the_address_is_printed(run: Run, bundle: Path, started: dict[str, Any]) -> None:
    done = run("serve", bundle, "--port", "0")
    assert done.code == 0
    assert "serving bundle\n" in done.err
    assert f"  the page: http://127.0.0.1:{started['port']}/" in done.err
    assert "no token: everybody who reaches this address has access" in done.err
    assert access(started).token is None
    assert "localhost" in access(started).hosts


def test_other_addresses_get_a_new_token(run: Run, bundle: Path, started: dict[str, Any]) -> None:
    done = run("serve", bundle, "--host", "0.0.0.0", "--port", "0")
    assert f"token, shown only once: {access(started).token}\n" in done.err
    assert len(access(started).token) == 43
    done = run("serve", bundle, "--host", "0.0.0.0", "--port", "0", "--no-token")
    assert access(started).token is None
    assert "no token" in done.err


def test_a_given_token_is_not_printed(
    run: Run,
    bundle: Path,
    started: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secret = tmp_path / "token"
    secret.write_text(f"{TOKEN}\n")
    done = run("serve", bundle, "--port", "0", "--token-file", secret)
    assert access(started).token == TOKEN
    assert f"required: the token in {secret}" in done.err
    assert TOKEN not in done.err
    done = run("serve", bundle, "--port", "0", "--token", TOKEN)
    assert access(started).token == TOKEN
    assert TOKEN not in done.err
    monkeypatch.setenv("SHORTLIST_TOKEN", TOKEN[::-1])
    done = run("serve", bundle, "--port", "0")
    assert access(started).token == TOKEN[::-1]
    assert "required: the token in the environment variable SHORTLIST_TOKEN" in done.err


def test_names_of_bundles(run: Run, bundle: Path, started: dict[str, Any]) -> None:
    done = run("serve", bundle, f"other={bundle}", "--port", "0", "--name", "jobs.example")
    assert "serving bundle, other\n" in done.err
    assert "jobs.example" in access(started).hosts
    done = run("serve", bundle, bundle, "--port", "0")
    assert done.code == 2
    assert "two bundles are called 'bundle'" in done.err
    assert "NAME=FOLDER" in done.err


def test_wrong_input(run: Run, bundle: Path, tmp_path: Path, started: dict[str, Any]) -> None:
    wrong: list[tuple[list[Any], str]] = [
        ([tmp_path / "none"], "does not exist"),
        ([bundle, "--database", tmp_path / "none.duckdb"], "there is no database"),
        ([bundle, "--token", "short"], "the token has 5 characters"),
        ([bundle, "--token-file", tmp_path / "none"], "there is no file"),
        ([bundle, "--token", TOKEN, "--token-file", bundle / "manifest.json"], "both --token"),
        ([bundle, "--token", TOKEN, "--no-token"], "both --no-token and the token of --token"),
        ([bundle, "--host", "192.0.2.1"], "cannot listen on 192.0.2.1"),
        ([f"={bundle}"], "has no name"),
    ]
    for arguments, what in wrong:
        done = run("serve", *arguments, "--port", "0")
        assert done.code == 2, arguments
        assert what in done.err
    assert not started


def test_an_address_in_use(run: Run, bundle: Path, started: dict[str, Any]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = run("serve", bundle, "--port", str(port))
    assert done.code == 2
    assert f"cannot listen on 127.0.0.1 port {port}" in done.err
    assert "--port" in done.err


def test_a_missing_extra_is_reported_with_the_install_command(
    run: Run, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(extra: str, what: str) -> None:
        raise ConfigError(f"{what} needs {extra}", remedy=extras.install_command(extra))

    monkeypatch.setattr(extras, "require", missing)
    done = run("serve", bundle)
    assert done.code == 2
    assert "shortlist serve needs serve" in done.err
    assert "pip install 'shortlist[serve]'" in done.err
