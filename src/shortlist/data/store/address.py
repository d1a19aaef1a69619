"""The address of a database. No message shows the user or the password in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from shortlist.errors import InputError

Kind = Literal["duckdb", "sqlite", "postgresql"]

CONNECT_TIMEOUT = 10  # seconds, unless the URL sets connect_timeout
_FILES: dict[str, Kind] = {"sqlite": "sqlite", "duckdb": "duckdb"}
_SQLITE = b"SQLite format 3\x00"
_SQLITE_ENDINGS = (".sqlite", ".sqlite3")


@dataclass(frozen=True)
class Address:
    """Where a database is."""

    kind: Kind
    place: str  # the name in messages: the file, or the server and the database
    path: Path | None = None
    uri: str = field(default="", repr=False)  # for the driver; may hold a password, so never shown
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """The user and the password, plain and percent-encoded, which no message may contain."""

    @classmethod
    def of(cls, target: str | Path) -> Address:
        """Parse a path or a URL.

        A file is a SQLite database if its first bytes say so, or, while it does not exist or is
        empty, if its name ends in .sqlite or .sqlite3. Any other file is a DuckDB database.

        >>> Address.of("postgresql://ann:secret@db.example/shop").place
        'postgresql://db.example/shop'
        >>> Address.of("sqlite:///shop.sqlite").path
        PosixPath('shop.sqlite')
        """
        text = str(target)
        scheme, separator, rest = text.partition("://")
        if re.match(r"(?i)(.*\s)?(host|hostaddr|dbname|user|password|service)\s*=", text):
            raise InputError(
                "a database is not named by a connection string",
                remedy="write a URL, postgresql://USER@HOST/DATABASE, and keep the password in "
                "PGPASSWORD or ~/.pgpass",
            )
        if not separator or isinstance(target, Path):
            return cls._file(Path(target))
        if scheme.lower() in ("postgresql", "postgres"):
            return cls._server(rest)
        kind = _FILES.get(scheme.lower())
        if kind is not None and rest.startswith("/") and len(rest) > 1:
            return cls(kind, unquote(rest[1:]), Path(unquote(rest[1:])))
        raise InputError(
            f"databases at {scheme}://... are not supported",
            remedy="give a file, or a URL like postgresql://HOST/DATABASE or sqlite:///FILE",
        )

    @classmethod
    def _file(cls, path: Path) -> Address:
        start = b""
        if path.is_file():
            with path.open("rb") as file:
                start = file.read(len(_SQLITE))
        is_sqlite = path.suffix.lower() in _SQLITE_ENDINGS if not start else start == _SQLITE
        place = re.sub(r"//?[^/]*@", "//", str(path))  # a mistyped URL may hold a password
        return cls("sqlite" if is_sqlite else "duckdb", place, path)

    @classmethod
    def _server(cls, rest: str) -> Address:
        """Parse a URL and build it anew, so that libpq parses it in the same way."""
        try:
            parts = urlsplit(f"postgresql://{rest}")
            port = "" if parts.port is None else f":{parts.port}"
            parsed = "@" not in parts.path + parts.query + parts.fragment
        except ValueError:
            parsed = False
        if not parsed or parts.fragment:
            raise InputError(
                "the URL of the database cannot be parsed",
                remedy="write %40 for an @, %2F for a /, %3A for a :, %23 for a # in the user name "
                "and the password, or keep the password in PGPASSWORD or ~/.pgpass",
            )
        user_info, _, host = parts.netloc.rpartition("@")
        host = host.removesuffix(port)
        user, _, password = user_info.partition(":")
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        options.setdefault("connect_timeout", str(CONNECT_TIMEOUT))
        secrets = {user, password, *(options.get(name, "") for name in ("password", "user"))}
        login = ":".join(quote(unquote(part), safe="") for part in (user, password) if part)
        address = f"{host}{port}{parts.path}"
        login = f"{login}@" if login else ""
        uri = f"postgresql://{login}{address}?{urlencode(options, quote_via=quote)}"
        spellings = {text for secret in secrets if secret for text in (secret, unquote(secret))}
        return cls(
            "postgresql",
            f"postgresql://{address}",
            uri=uri,
            secrets=tuple(sorted(spellings, key=len, reverse=True)),
        )

    def require_file(self) -> Path:
        """Return the path of a database file that exists."""
        if self.path is None or not self.path.is_file():
            raise InputError(
                f"there is no database {self.place}",
                remedy="create it: shortlist init DB --schema NAME",
            )
        return self.path

    def redacted(self, message: str) -> str:
        """Replace every secret in a message."""
        for secret in self.secrets:
            message = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "...", message)
        return message
