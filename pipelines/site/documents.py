"""The project's documents in Markdown as pages of the site, under `methods/`.

Belongs here: which documents are on the site, where their links lead, and tables and headings as the site's pages
have them. Does not belong here: the documents themselves (`docs/`), and Markdown as such (markdown-it-py).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

from pipelines.settings import SettingsError
from pipelines.site.page import Page

FOLDER = "methods"
# By the name of the document below docs/: the page that it becomes, and what it is about, for the list of methods.
DOCUMENTS: Mapping[str, tuple[str, str]] = {
    "methods-measures.md": ("measures", "the measures, their formulas and sources, and what they cannot say"),
    "datasets-engagement.md": ("engagement", "what the datasets about posts say, and what misleads in them"),
    "observations.md": ("observations", "how profiles and posts are observed, and what is never stored"),
    "official-accounts.md": ("official-accounts", "the policy for the list that is kept here by hand"),
    "methods-interviews.md": ("interviews", "the rules, what they cost, and what attacks on the result found"),
    "interviews.md": ("studies", "how a researcher hands a study in, and what is read of it"),
    "privacy.md": ("privacy", "what is read about people, where it stays, and what is published"),
    "data-licences.md": ("licences", "whose data this is, and what follows if you use it"),
    "versions.md": ("versions", "what version numbers promise, and how changes are told"),
}


@dataclass(frozen=True)
class Document:
    """A document as HTML: its page, its title, and its content without the title, which stands above it."""

    path: str
    title: str
    about: str
    content: Markup


def read_documents(folder: Path) -> list[Document]:
    """All documents that are on the site, as HTML.

    Errors: `SettingsError` naming one that is missing or has no title.
    """
    texts = {name: _parse(folder / name) for name in DOCUMENTS}
    titles = {name: _plain(tokens[1]) for name, tokens in texts.items()}
    return [
        Document(f"{FOLDER}/{page}.html", titles[name], about, _render(texts[name][3:], name, titles))
        for name, (page, about) in DOCUMENTS.items()
    ]


def document_pages(documents: Sequence[Document]) -> list[Page]:
    """A page for each document."""
    return [
        Page(document.path, document.title, "document.html", {"content": document.content})
        for document in documents
    ]


def _parser() -> MarkdownIt:
    """Markdown as the documents use it; HTML in them would be shown and not run."""
    return MarkdownIt("commonmark", {"html": False}).enable("table")


def _parse(path: Path) -> list[Token]:
    """A document's parts; the first three are its title."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(f"docs/{path.name}: not there; the site has a page of it: put it back") from None
    tokens = _parser().parse(text)
    if len(tokens) < 3 or tokens[0].type != "heading_open" or tokens[0].tag != "h1":
        raise SettingsError(f"docs/{path.name}: begins with no title; write `# Title` in its first line")
    return tokens


def _render(tokens: Sequence[Token], name: str, titles: Mapping[str, str]) -> Markup:
    body = list(_tables(_headings(tokens), titles[name]))
    for token in body:
        if token.type == "inline":
            token.children = list(_links(token.children or [], name, titles))
    parser = _parser()
    return Markup(parser.renderer.render(body, parser.options, {}))  # noqa: S704 - it lets no HTML through


def _plain(token: Token) -> str:
    """The text of a line without its marks."""
    return "".join(child.content for child in token.children or [] if child.type in ("text", "code_inline"))


# --- headings and links -------------------------------------------------------------------------------------


def slug(text: str) -> str:
    """The anchor of a heading, as forges make it, so that links between documents hold in both places."""
    return re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-")


def _headings(tokens: Sequence[Token]) -> list[Token]:
    """Give every heading its anchor; a second one of the same words gets a number."""
    seen: dict[str, int] = {}
    for token, line in pairwise(tokens):
        if token.type == "heading_open":
            anchor = slug(_plain(line))
            seen[anchor] = seen.get(anchor, -1) + 1
            token.attrSet("id", f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
    return list(tokens)


def _links(tokens: Sequence[Token], name: str, titles: Mapping[str, str]) -> Iterator[Token]:
    """Lead links to documents to their pages; what is not on the site stays as words.

    A link that is called after its file is called by the title of the page instead.
    """
    dropped = False
    for token, words in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "link_open":
            if words and words.content in titles:
                words.content = titles[words.content]
            target = _target(str(token.attrs.get("href", "")), name)
            dropped = target is None
            if target is not None:
                token.attrSet("href", target)
                yield token
        elif token.type == "link_close" and dropped:
            dropped = False
        else:
            yield token


def _target(href: str, name: str) -> str | None:
    """Where a link of a document leads on the site, None where that is nowhere."""
    place, _, anchor = href.partition("#")
    if "://" in place or place.startswith("mailto:"):
        return href
    target = posixpath.normpath(posixpath.join(posixpath.dirname(name), place)) if place else name
    if target not in DOCUMENTS:
        return None
    page = f"{DOCUMENTS[target][0]}.html" if place else ""
    return f"{page}#{anchor}" if anchor else page or None


# --- tables -------------------------------------------------------------------------------------------------


def _tables(tokens: Sequence[Token], title: str) -> Iterator[Token]:
    """Tables as the site's pages have them: captioned, in a region that scrolls, with a header in each row.

    A caption is the heading above the table, with a number from its second table on.
    """
    above, counts, position = title, {title: 0}, -1
    for token, line in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "heading_open" and line:
            above = _plain(line)
            counts.setdefault(above, 0)
        if token.type == "table_open":
            counts[above] += 1
            words = above if counts[above] == 1 else f"{above} ({counts[above]})"
            yield _raw(_table_head(words, f"table-{sum(counts.values())}"))
        elif token.type == "table_close":
            yield _raw("</table>\n</div>\n")
        else:
            position = -1 if token.type == "tr_open" else position + token.type.endswith(("th_open", "td_open"))
            yield _cell(token, line, is_first=position == 0)


def _table_head(words: str, anchor: str) -> str:
    return (
        f'<div class="scroll" role="region" aria-labelledby="{anchor}" tabindex="0">\n<table>\n'
        f'<caption id="{anchor}"><span>{escape(words)}</span></caption>\n'
    )


def _cell(token: Token, line: Token | None, *, is_first: bool) -> Token:
    """A token of a table: a cell says what it is a header of, how it is aligned, and that it is empty."""
    if token.type == "th_open":
        token.attrSet("scope", "col")
    if token.type in ("td_open", "td_close") and is_first:
        token.tag = "th"
        if token.type == "td_open":
            token.attrSet("scope", "row")
    if token.type in ("th_open", "td_open"):
        if "right" in str(token.attrs.pop("style", "")):
            token.attrJoin("class", "number")
        if line and line.type == "inline" and not line.children:
            line.children = [_raw('<span aria-hidden="true">–</span><span class="vh">nothing</span>')]
    return token


def _raw(html: str) -> Token:
    """HTML of our own among the tokens; documents cannot bring any."""
    return Token("html_inline", "", 0, content=html)
