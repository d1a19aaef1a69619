"""The Markdown page: tables, sections, and sentences that are checked before they are written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

WIDTH = 100


@dataclass(frozen=True)
class Table:
    """A table with an aligned source: the first column to the left, figures to the right."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __str__(self) -> str:
        lines = [list(self.header), *(list(row) for row in self.rows)]
        widths = [
            max(3, *(len(line[column]) for line in lines)) for column in range(len(self.header))
        ]
        rule = ["-" * width + ("" if column == 0 else ":") for column, width in enumerate(widths)]
        rule = [text if column == 0 else text[1:] for column, text in enumerate(rule)]
        padded = [
            [
                cell.ljust(width) if column == 0 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            ]
            for line in [lines[0], rule, *lines[1:]]
        ]
        return "\n".join(f"| {' | '.join(line)} |" for line in padded)


@dataclass(frozen=True)
class Section:
    """A question, the experiment, its results, and the answer.

    Attributes
    ----------
    title
        The heading.
    asked
        Quotes of the notes, each with its English translation or None.
    short
        The answer in a few words, for the table of contents.
    tried
        The experiment.
    found
        Tables, and paragraphs about them.
    answer
        In a sentence or two.
    reference
        Our figures compared with those of the reference; None if it has none.
    """

    title: str
    summary: str
    setup: str
    results: Sequence[Table | str]
    answer: str
    quotes: Sequence[tuple[str, str | None]] = ()
    reference: str | None = None

    @property
    def link(self) -> str:
        """A link to the section, with the anchor that GitHub and most renderers make."""
        kept = re.sub(r"[^\w\- ]", "", self.title.lower())
        return f"[{self.title}](#{kept.replace(' ', '-')})"

    def __str__(self) -> str:
        lines = [
            f"> {original}" + ("" if english is None else f"\\\n> *{english}*")
            for original, english in self.quotes
        ]
        parts = [f"## {self.title}", "\n>\n".join(lines)]
        parts += [wrapped(f"**Experiment.** {self.setup}")]
        parts += [str(part) if isinstance(part, Table) else wrapped(part) for part in self.results]
        parts += [wrapped(f"**Answer.** {self.answer}")]
        if self.reference is not None:
            parts += [wrapped(f"**Compared with the reference.** {self.reference}")]
        return "\n\n".join(part for part in parts if part)


def wrapped(text: str) -> str:
    """Wrap a paragraph; code in backticks and links are not broken."""
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
    """Sentences that a run must confirm.

    Claims that do not hold are collected, so that a long run lists all of them at its end.
    """

    failed: list[str] = field(default_factory=list)

    def __call__(self, holds: bool, sentence: str) -> str:
        """Return the sentence; record it if it does not hold."""
        if holds:
            return sentence
        self.failed.append(sentence)
        return f"~~{sentence}~~ (not confirmed by this run)"
