"""What PostgreSQL and SQLite refuse, in words: what is wrong, where, and what to do."""

from __future__ import annotations

import re

from shortlist.data.store.address import Address
from shortlist.errors import DatabaseError, InputError, ShortlistError


def explained(error: Exception, address: Address) -> ShortlistError:
    """Turn a failure of PostgreSQL's driver into an error that holds no user and no password.

    Where the connection could not be made there is no SQLSTATE, only text in the language of the
    server; what is not recognised is shown as it came, without the secrets.
    """
    message = str(error).split("Query was:")[0]
    state = getattr(error, "sqlstate", None) or _state(message)
    told = address.redacted(_first_line(message))
    place = address.place
    match state:
        case "28P01" | "28000":
            return DatabaseError(
                "the database refuses the user name or the password",
                where=place,
                remedy="check both in the URL, in PGPASSWORD or in ~/.pgpass; write %40 for an @",
            )
        case "3D000":
            return InputError(
                f"there is no such database: {place}",
                remedy="check the name, or create it: createdb NAME",
            )
        case "reach":
            return DatabaseError(
                f"the database cannot be reached: {told}",
                where=place,
                remedy="see that the server runs, and that host and port are right",
            )
        case "lost":
            return DatabaseError(
                f"the connection to the database was lost: {told}",
                where=place,
                remedy="what was being written has been undone; try again",
            )
        case "42501":
            return DatabaseError(
                f"the database does not permit it: {told}",
                where=place,
                remedy="ask its owner for the right, or connect as somebody who has it",
            )
        case "25006":
            return DatabaseError(
                f"the database only reads: {told}",
                where=place,
                remedy="open the store to write, and on the primary server",
            )
        case "42P07" | "42710":
            return InputError(
                f"the database has such a table already: {told}",
                where=place,
                remedy="make the store in a schema of its own: add "
                "?options=-csearch_path%3DNAME to the URL",
            )
        case "42P01" | "42703" | "42804" | "42883":
            return InputError(
                f"the tables are not what they were: {told}",
                where=place,
                remedy="compare them with: shortlist schema NAME",
            )
        case "55P03" | "57014" | "40P01" | "40001":
            return DatabaseError(
                f"another program is in the way: {told}",
                where=place,
                remedy="nothing has been written; try again when it has finished",
            )
    if state is not None and state.startswith("23"):
        return InputError(
            f"the database refuses a row: {told}",
            where=place,
            remedy="nothing has been written; correct the row and try again",
        )
    return DatabaseError(
        f"PostgreSQL failed: {told}",
        where=place if state is None else f"{place} (SQLSTATE {state})",
        remedy="what was being written has been undone; see the message",
    )


def explained_sqlite(error: Exception, place: str, patience: int) -> ShortlistError:
    """Turn a failure of SQLite's driver into an error; it waited so many seconds for a lock."""
    message = str(error).split("Query was:")[0].strip()
    lower = message.lower()
    if "locked" in lower or "busy" in lower:
        return DatabaseError(
            f"{place} is in use: another program has written to it for {patience} seconds",
            remedy="try again, or close that program",
        )
    if "not a database" in lower or "malformed" in lower:
        return InputError(
            f"{place} is not a whole SQLite database: {message.splitlines()[0]}",
            remedy="name a file that SQLite or shortlist init made, or restore it",
        )
    if "constraint failed" in lower:
        return InputError(
            f"the database refuses a row: {message.splitlines()[0]}",
            where=place,
            remedy="nothing has been written; correct the row and try again",
        )
    if "readonly" in lower:
        return DatabaseError(f"{place} may not be written to", remedy="see who owns the file")
    return DatabaseError(
        f"SQLite failed: {(message or type(error).__name__).splitlines()[0]}",
        where=place,
        remedy="nothing has been written by the step that failed; see the message",
    )


def _state(message: str) -> str | None:
    """Recognise what has no SQLSTATE, or has it only in the text."""
    if found := re.search(r"SQLSTATE:? (\w{5})", message):
        return found[1]
    if "password" in message or "pg_hba.conf" in message or "role " in message:
        return "28P01"
    if re.search(r'database ".*" does not exist', message, re.DOTALL):
        return "3D000"
    if re.search(r"server closed the connection|no connection to the server|terminating", message):
        return "lost"
    if "Failed to connect" in message:
        return "reach"
    return None


def _first_line(message: str) -> str:
    """Take what the server says out of what the driver wraps around it."""
    said = re.search(r"(?:ERROR|FATAL):\s+(.*)", message)
    detail = re.search(r"^DETAIL:\s+(.*)", message, re.MULTILINE)
    line = said[1] if said else (message.strip().splitlines() or ["no reason given"])[0]
    line = re.sub(r"^\w+: (\[libpq\] )?(Failed to connect: )?|\. SQLSTATE.*$", "", line)
    return line if detail is None else f"{line}: {detail[1]}"
