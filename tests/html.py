"""A small reader of HTML: strict about what is left open, so that a page that parses is well formed."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
# Shapes of SVG that the charts close in themselves.
SHAPES = {"line", "rect", "circle", "path"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    children: list[Element] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def all(self, *tags: str) -> list[Element]:
        here = [self] if self.tag in tags else []
        return here + [found for child in self.children for found in child.all(*tags)]

    def everything(self) -> list[Element]:
        return [self, *(found for child in self.children for found in child.everything())]

    @property
    def text(self) -> str:
        return " ".join(" ".join([*self.words, *(child.text for child in self.children)]).split())


class _Tree(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("root", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SHAPES, f"<{tag}/> does not close itself in HTML"
        self.open[-1].children.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].words.append(data)


def parse(page: str) -> Element:
    tree = _Tree()
    tree.feed(page)
    tree.close()
    assert tree.open == [tree.root], f"left open: {[element.tag for element in tree.open[1:]]}"
    return tree.root


def ids(tree: Element) -> list[str]:
    return [element.attributes["id"] or "" for element in tree.everything() if "id" in element.attributes]


def assert_headings_in_order(tree: Element) -> None:
    """One h1, first in main, and no level is skipped."""
    levels = [heading.tag for heading in tree.all("h1", "h2", "h3", "h4", "h5", "h6")]
    main = [int(heading.tag[1]) for heading in tree.all("main")[0].all("h1", "h2", "h3", "h4")]
    assert levels.count("h1") == 1
    assert main[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(main))


def assert_landmarks(tree: Element) -> None:
    """Language, header, main, footer, title, and a link that skips to the content."""
    assert tree.all("html")[0].attributes["lang"] == "en-GB"
    assert [len(tree.all(tag)) for tag in ("header", "main", "footer")] == [1, 1, 1]
    assert len(tree.all("head")[0].all("title")) == 1
    skip = tree.all("body")[0].children[0]
    assert skip.attributes["href"] == f"#{tree.all('main')[0].attributes['id']}"


def assert_references(tree: Element) -> None:
    """Ids are unique, and what is named by one exists."""
    known = ids(tree)
    assert len(known) == len(set(known))
    for element in tree.everything():
        for attribute in ("aria-labelledby", "for"):
            assert set((element.attributes.get(attribute) or "").split()) <= set(known)


def assert_tables(tree: Element) -> None:
    """Every table has a caption, scopes, full rows, and a region that takes the focus."""
    regions = [element for element in tree.all("div") if element.attributes.get("role") == "region"]
    tables = tree.all("table")
    assert [table for region in regions for table in region.all("table")] == tables
    for region, table in zip(regions, tables, strict=True):
        caption = table.children[0]
        assert caption.tag == "caption"
        assert caption.text
        assert region.attributes["aria-labelledby"] == caption.attributes["id"]
        assert region.attributes["tabindex"] == "0"
        assert {th.attributes.get("scope") for th in table.all("thead")[0].all("th")} == {"col"}
        width = len(table.all("thead")[0].all("th"))
        for row in table.all("tbody")[0].all("tr"):
            cells = row.all("th", "td")
            assert len(cells) == width
            assert [cell.attributes.get("scope") for cell in row.all("th")] == ["row"]
            assert all(cell.text for cell in cells), "an empty cell says nothing to a screen reader"
