"""Rules as text, such as ``year >= 1990 and (genres contains War or title is null)``."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple, TypeAlias

from shortlist.errors import InputError
from shortlist.text import shown

_SIGNS = {"=": "eq", "==": "eq", "!=": "ne", "<>": "ne"}
_SIGNS |= {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}
_DEEPEST = 50  # brackets within brackets

_NAME = re.compile(r"\s*(?:\"([^\"]+)\"|'([^']+)'|(\w+(?:\.\w+)*))")
_OPERATOR = re.compile(
    r"\s*(<=|>=|==|!=|<>|=|<|>|(?:is\s+not\s+null|is\s+null|not\s+in|not_in|in|between|contains"
    r"|is_null)\b)",
    re.IGNORECASE,
)
_WORD = r"\s*\b{}\b"
_QUOTED = re.compile(r"\s*(\"[^\"]*\"|'[^']*'|\[[^]]*\])(?=\s|\)|$)")
# Blanks at the end are stripped later: to look for them after each letter takes quadratic time.
_BARE = re.compile(r"\s*([^\s<>=][^<>=]*?)(?=\b(?:and|or)\b|$)", re.IGNORECASE)
_BARE_IN_BRACKETS = re.compile(r"\s*([^\s<>=()][^<>=()]*?)(?=\b(?:and|or)\b|\)|$)", re.IGNORECASE)
_ELEMENT = re.compile(r"""("[^"]*"|'[^']*'|[^\s,][^,]*)\s*(?:,|$)""")


class Condition(NamedTuple):
    """One comparison of a feature with a value."""

    name: str
    operator: str
    value: Any


class Combination(NamedTuple):
    """Rules of which all must hold, or any."""

    any_of: bool
    rules: tuple[Rule, ...]


Rule: TypeAlias = Condition | Combination


def written_word(word: str) -> str:
    """Return a name or a text as it is written in a rule: in quotes unless it is a plain word."""
    return word if word.isidentifier() else f'"{word}"'


def read_rule(text: str) -> Rule:
    """Read a rule; an InputError names the place where it cannot be read.

    ``and`` binds more closely than ``or``; brackets group. Names and values with blanks may be
    quoted. Operators are those of ``where`` (``=`` to ``>=``, ``in``, ``not in``, ``contains``),
    ``between 1990 and 1999``, ``is null`` and ``is not null``.

    >>> read_rule("year >= 1990 or 'film type' = short")
    Combination(any_of=True, rules=(Condition(name='year', operator='gte', value=1990), \
Condition(name='film type', operator='eq', value='short')))
    """
    return _Reader(text).read() if text else Combination(False, ())


class _Reader:
    """A position in the text of a rule, which moves on as parts are read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.depth = 0

    def read(self) -> Rule:
        rule = self._any()
        if self.text[self.position :].strip():
            raise self._error()
        return rule

    def _any(self) -> Rule:
        return self._combined("or", any_of=True)

    def _combined(self, word: str, *, any_of: bool) -> Rule:
        """Read parts that are joined by a word: conditions by ``and``, and these by ``or``."""
        joint = re.compile(_WORD.format(word), re.IGNORECASE)
        rules = [self._part(any_of)]
        while self._take(joint):
            rules.append(self._part(any_of))
        return rules[0] if len(rules) == 1 else Combination(any_of, tuple(rules))

    def _part(self, any_of: bool) -> Rule:
        return self._combined("and", any_of=False) if any_of else self._bracket()

    def _bracket(self) -> Rule:
        if not self._take(re.compile(r"\s*\(")):
            return self._condition()
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self._error()
        rule = self._any()
        if not self._take(re.compile(r"\s*\)")):
            raise self._error()
        self.depth -= 1
        return rule

    def _condition(self) -> Rule:
        start = self.position
        name, operator = self._take(_NAME), self._take(_OPERATOR)
        if name is None or operator is None:
            raise self._error(start)
        feature = next(group for group in name.groups() if group)
        word = " ".join(operator[1].lower().split())
        if word in ("is null", "is not null"):
            return Condition(feature, "is_null", word == "is null")
        value = self._value(start)
        if word != "between":
            return Condition(feature, _SIGNS.get(word, word.replace(" ", "_")), value)
        if not self._take(re.compile(_WORD.format("and"), re.IGNORECASE)):
            raise self._error(start)
        bounds = (Condition(feature, "gte", value), Condition(feature, "lte", self._value(start)))
        return Combination(False, bounds)

    def _value(self, start: int) -> Any:
        bare = _BARE_IN_BRACKETS if self.depth else _BARE
        match = self._take(_QUOTED) or self._take(bare)
        if match is None or match[1].count(")") > match[1].count("("):
            raise self._error(start)
        return _literal(match[1].rstrip())

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self.text, self.position)
        if match is not None:
            self.position = match.end()
        return match

    def _error(self, start: int | None = None) -> InputError:
        rest = self.text[self.position if start is None else start :].strip()
        return InputError(
            f"cannot read the rule {shown(self.text)} from {shown(rest)} on",
            remedy="write it like: year >= 1990 and (genres contains 'Film-Noir' or country in "
            "[FR, KR])",
        )


def _literal(text: str) -> Any:
    """Parse a number, true, false, a list or a quoted text; anything else is plain text."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        if text[0] == "[" and text[-1] == "]":
            return [_literal(element.rstrip()) for element in _ELEMENT.findall(text[1:-1])]
        return text[1:-1] if text[0] == text[-1] == "'" else text
    except (ValueError, RecursionError):  # a number of thousands of digits; deeply nested lists
        raise InputError(
            f"cannot read the value {shown(text, 60)} of a rule",
            remedy="give a number of up to 4,300 digits, a text, or a list of these",
            parameter="where",
        ) from None
