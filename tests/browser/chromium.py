"""A real Chromium on this machine, which reaches the site under test and nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Page, Route, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
PARTS = ROOT / "build" / "browser"  # where tests/browser/install.sh puts npm's packages
FLAGS = (
    "--no-sandbox",  # a container's root has no sandbox; only our own pages are opened
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class MissingPartError(Exception):
    """Chromium or an npm package is not on this machine; the message says what to do."""


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """Start Chromium, from `CHROMIUM` or the path; raises `MissingPartError` where there is none."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if program is None:
        raise MissingPartError("there is no chromium; `make test-browser` installs it, or name one in CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def npm_part(path: str) -> Path:
    """A file of an npm package; raises `MissingPartError` where it was not installed."""
    file = PARTS / "node_modules" / path
    if not file.is_file():
        raise MissingPartError(f"{file} is missing; run `make test-browser`, which installs it")
    return file


@dataclass
class Visit:
    """A page in a window of its own, with what it asked of other places and what it complained about."""

    page: Page
    refused: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@contextmanager
def visiting(
    browser: Browser,
    origin: str,
    *,
    width: int = 1200,
    height: int = 900,
    scripts: bool = True,
    scale: float = 1,
) -> Iterator[Visit]:
    """Open an empty window whose requests to any place but `origin` are refused and written down."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        java_script_enabled=scripts,
        device_scale_factor=scale,
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="Europe/London",
    )
    visit = Visit(context.new_page())

    def decide(route: Route) -> None:
        if route.request.url.startswith((f"{origin}/", "data:", "blob:")):
            route.continue_()
            return
        visit.refused.append(route.request.url)
        route.abort()

    context.route("**/*", decide)
    visit.page.on("console", lambda said: visit.complaints.append(said.text) if said.type == "error" else None)
    visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    try:
        yield visit
    finally:
        context.close()
