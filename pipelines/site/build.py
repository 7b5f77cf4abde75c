"""Writing the site: every page from the newest release, each put in its place whole, the home page last.

Belongs here: which pages there are, and the order in which they appear. Does not belong here: their content.

Pages have addresses that stay, so they are replaced one by one: each is of one release and names it, and every
download on it leads into the folder of that release, which never changes. A page that the newest release no longer
has is removed after all others stand.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.release.metadata.publisher import Publisher
from pipelines.site.authorities import authority_pages
from pipelines.site.datasets import dataset_pages
from pipelines.site.home import home_page
from pipelines.site.page import Frame, Page, render
from pipelines.site.released import Released, open_released
from pipelines.site.sql import FOLDER as SQL
from pipelines.site.sql import engine_files, sql_page
from pipelines.site.supporting import supporting_files, supporting_pages
from pipelines.snapshots import write_atomically

ASSETS = Path(__file__).resolve().parent / "assets"
FOLDERS = ("datasets", "authorities", "methods", "assets", SQL)  # below public/, and wholly the site's
log = logging.getLogger("engagement")


@dataclass(frozen=True)
class SiteOutcome:
    """How many pages stand now, how many of them changed, and the bytes of the largest."""

    version: str
    pages: int
    changed: int
    largest_bytes: int


def pages(released: Released, engine: Path | None = None) -> Iterator[Page]:
    """All pages of the site but the status page, which is of a run and not of a release; the home page last."""
    yield from authority_pages(released)
    yield from dataset_pages(released)
    yield from supporting_pages(released.public, released.manifests, released.contracts, released.publisher)
    if engine:
        yield sql_page(released, engine)
    yield home_page(released)


def build_site(public: Path, publisher: Publisher, engine: Path | None = None) -> SiteOutcome:
    """Write the site of the newest release into its public folder, and remove pages that it no longer has.

    With the folder of an engine (`site.sql`) there is a page to ask the tables with SQL; without one, none.
    The same releases give the same bytes, and a file that stays as it is is not written. Errors: `ManifestError`
    without a release that can be read; then no page changes.
    """
    with open_released(public, publisher) as released:
        frame = Frame(released.manifest, publisher, has_sql=engine is not None)
        made = {asset.name: asset.read_bytes() for asset in sorted(ASSETS.iterdir()) if asset.is_file()}
        files = {f"assets/{name}": content for name, content in made.items()}
        files |= supporting_files(public, released.manifests, publisher)
        files |= {page.path: render(page, frame) for page in pages(released, engine)}
        files |= engine_files(engine) if engine else {}
    changed = [path for path, content in files.items() if _put(public / path, content)]
    _remove_others(public, set(files))
    html = [len(content) for path, content in files.items() if path.endswith(".html")]
    return SiteOutcome(frame.manifest.version, len(html), len(changed), max(html))


def _put(path: Path, content: bytes) -> bool:
    """Write a file unless it stands there with the same bytes; returns whether it was written."""
    if path.is_file() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content)
    return True


def _remove_others(public: Path, kept: set[str]) -> None:
    for folder in FOLDERS:
        for path in sorted((public / folder).rglob("*")):
            if path.is_file() and str(path.relative_to(public)) not in kept:
                path.unlink()
        if not any(path.startswith(f"{folder}/") for path in kept):
            shutil.rmtree(public / folder, ignore_errors=True)
