"""A page of the site, and how it becomes HTML.

Belongs here: the frame that all pages share, and the filters that templates use. Does not belong here: what a page
says. Every page is complete without a script, loads nothing from elsewhere, and carries its stylesheet, so that it
also reads from a folder on a disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, FileSystemLoader
from markupsafe import Markup

from pipelines.release import pages
from pipelines.release.manifest import Manifest
from pipelines.release.metadata.publisher import Publisher

TEMPLATES = Path(__file__).resolve().parent / "templates"


@dataclass(frozen=True)
class Page:
    """One page: its path below `public/`, its title, its template and what fills it."""

    path: str
    title: str
    template: str
    values: Mapping[str, object]

    @property
    def root(self) -> str:
        """The way from the page to `public/`, such as `../`."""
        return "../" * self.path.count("/")


@dataclass(frozen=True)
class Frame:
    """What every page of a site shares: the newest release, who stands for it, and whether it answers SQL."""

    manifest: Manifest
    publisher: Publisher
    has_sql: bool = False


def render(page: Page, frame: Frame) -> bytes:
    """A page as HTML in UTF-8. Errors: jinja2's `UndefinedError` for a value that its template misses."""
    style = _style()
    text = (
        _environment()
        .get_template(page.template)
        .render(
            page=page,
            root=page.root,
            manifest=frame.manifest,
            publisher=frame.publisher,
            has_sql=frame.has_sql,
            style=Markup(style),  # noqa: S704 - our own file
            style_hash=pages.csp_hash(style),
            **page.values,
        )
    )
    return text.encode()


@cache
def _environment() -> Environment:
    environment = pages.environment()
    loader = ChoiceLoader([FileSystemLoader(TEMPLATES), FileSystemLoader(pages.TEMPLATES)])
    ours: Environment = environment.overlay(loader=loader)
    return ours


@cache
def _style() -> str:
    return pages.style() + (TEMPLATES / "site.css").read_text(encoding="utf-8")
