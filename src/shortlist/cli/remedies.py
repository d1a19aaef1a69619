"""Python arguments in messages, written as options of the command line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection


def as_options(text: str, options: Collection[str]) -> str:
    """Write the Python arguments of these names as options.

    >>> as_options("name time='seen on' and time_format=", ["time", "time_format"])
    "name --time 'seen on' and --time-format"
    """

    def option(match: re.Match[str]) -> str:
        name, _, value, _, other = match.groups()
        if name not in options:
            return match[0]
        value = None if value is None else shlex.quote(value)
        words = [f"--{name.replace('_', '-')}", value, "or " + other if other else None]
        return " ".join(word for word in words if word)

    value = r"(['\"])([^'\"]*)\2(?: or (['\"])(\w+)\4)?"
    text = re.sub(rf"\b(\w+)=(?:{value})?", option, text)
    several = "|".join(sorted(name for name in options if "_" in name))
    return re.sub(rf"(?<![\w-])({several})\b", lambda m: f"--{m[0].replace('_', '-')}", text)
