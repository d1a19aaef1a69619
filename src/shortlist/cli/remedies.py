"""Python arguments in messages, written as options of the command line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection


def as_options(text: str, options: Collection[str]) -> str:
    r"""Write the Python arguments of these names as options.

    >>> as_options("name time='seen on' and time_format=", ["time", "time_format"])
    "name --time 'seen on' and --time-format"
    >>> print(as_options("only='user_id != \"NULL\"' and user_id=", ["only", "user_id"]))
    --only 'user_id != "NULL"' and --user-id
    """

    def option(match: re.Match[str]) -> str:
        name, _, value, _, other, word = match.groups()
        if word is not None:
            return f"--{word.replace('_', '-')}"
        if name not in options:
            return match[0]
        value = None if value is None else shlex.quote(value.replace("\\\\", "\\"))
        words = [f"--{name.replace('_', '-')}", value, "or " + other if other else None]
        return " ".join(filter(None, words))

    value = r"(['\"])((?:(?!\2).)*)\2(?: or (['\"])(\w+)\4)?"
    several = "|".join(sorted(name for name in options if "_" in name))
    # In one pass: what stands in a value is the caller's, also where it is called like an option.
    return re.sub(rf"\b(\w+)=(?:{value})?|(?<![\w-])({several})\b", option, text)
