"""The Markdown page: tables, sections, and sentences that are checked before they are written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

WIDTH = 100


@dataclass(frozen=True)
class Table:
    """A table whose source lines up: the first column to the left, figures to the right."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __str__(self) -> str:
        lines = [list(self.header), *(list(row) for row in self.rows)]
        widths = [max(3, *(len(line[at]) for line in lines)) for at in range(len(self.header))]
        rule = ["-" * width + ("" if at == 0 else ":") for at, width in enumerate(widths)]
        rule = [text if at == 0 else text[1:] for at, text in enumerate(rule)]
        padded = [
            [
                cell.ljust(width) if at == 0 else cell.rjust(width)
                for at, (cell, width) in enumerate(zip(line, widths, strict=True))
            ]
            for line in [lines[0], rule, *lines[1:]]
        ]
        return "\n".join(f"| {' | '.join(line)} |" for line in padded)


@dataclass(frozen=True)
class Section:
    """A question, what was tried, what came out, and the answer.

    Attributes
    ----------
    title
        The heading.
    asked
        What the notes say, and the same in English where it is not.
    short
        The answer in a few words, for the contents; the claims of the section bear it out.
    tried
        The experiment.
    found
        Tables, and paragraphs about them.
    answer
        In a sentence or two.
    reference
        How our figures stand to those of the reference; None: it has none.
    """

    title: str
    short: str
    tried: str
    found: Sequence[Table | str]
    answer: str
    asked: Sequence[tuple[str, str | None]] = ()
    reference: str | None = None

    @property
    def link(self) -> str:
        """A link to the section, as GitHub and most renderers name it."""
        kept = re.sub(r"[^\w\- ]", "", self.title.lower())
        return f"[{self.title}](#{kept.replace(' ', '-')})"

    def __str__(self) -> str:
        quotes = [
            f"> {original}" + ("" if english is None else f"\\\n> *{english}*")
            for original, english in self.asked
        ]
        parts = [f"## {self.title}", "\n>\n".join(quotes)]
        parts += [wrapped(f"**Tried.** {self.tried}")]
        parts += [str(one) if isinstance(one, Table) else wrapped(one) for one in self.found]
        parts += [wrapped(f"**Answer.** {self.answer}")]
        if self.reference is not None:
            parts += [wrapped(f"**Beside the reference.** {self.reference}")]
        return "\n\n".join(part for part in parts if part)


def wrapped(text: str) -> str:
    """Break a paragraph into lines; code in backticks and links stay whole."""
    words = re.findall(r"(?:\[[^\]]*\]\([^)]*\)|`[^`]*`|\S)+", text)
    lines, line = [], ""
    for word in words:
        if line and len(line) + 1 + len(word) > WIDTH:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return "\n".join([*lines, line])


@dataclass
class Claims:
    """Sentences that a run must bear out.

    A claim that does not hold is collected, so that a long run names all of them at its end.
    """

    failed: list[str] = field(default_factory=list)

    def __call__(self, holds: bool, sentence: str) -> str:
        """Give the sentence, and note it if it does not hold."""
        if holds:
            return sentence
        self.failed.append(sentence)
        return f"~~{sentence}~~ (not borne out by this run)"
