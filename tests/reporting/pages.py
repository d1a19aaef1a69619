"""Reading a page like a browser, with the standard library only."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "input", "br", "img", "hr"}


@dataclass
class Element:
    """One element: its name, attributes, children, and the text directly in it."""

    tag: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    order: list[Element | str] = field(default_factory=list)

    def text(self) -> str:
        """Return all text inside, with single blanks."""
        parts = [part if isinstance(part, str) else part.text() for part in self.order]
        return " ".join(" ".join(parts).split())

    def walk(self) -> list[Element]:
        """Return this element and all inside it, in the order of the page."""
        return [self, *(inner for child in self.children for inner in child.walk())]

    def all(self, tag: str, style: str | None = None) -> list[Element]:
        """Return the elements of a tag, and of a class if one is given."""
        return [
            element
            for element in self.walk()
            if element.tag == tag
            and (style is None or style in element.attributes.get("class", "").split())
        ]

    def by_id(self, name: str) -> Element:
        """Return the element with this id; there is exactly one."""
        [element] = [inner for inner in self.walk() if inner.attributes.get("id") == name]
        return element

    def has(self, name: str) -> bool:
        """Return whether there is an element with this id."""
        return any(inner.attributes.get("id") == name for inner in self.walk())

    def rows(self) -> list[list[str]]:
        """Return the cells of each row of a table."""
        return [
            [cell.text() for cell in row.children if cell.tag in ("td", "th")]
            for row in self.all("tr")
        ]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("page", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "wbr":  # a place to break a line, within a word
            return
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        self.open[-1].order.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        closed = self.open.pop()
        assert closed.tag == tag, f"</{tag}> closes <{closed.tag}>"

    def handle_data(self, data: str) -> None:
        order = self.open[-1].order
        if order and isinstance(order[-1], str):
            order[-1] += data
        else:
            order.append(data)


def read(page: str) -> Element:
    """Parse a page; every element must be closed by its own end tag."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == [reader.root], f"<{reader.open[-1].tag}> is not closed"
    return reader.root
