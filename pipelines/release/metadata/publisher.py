"""Who stands for the data, where it is published, and how a release of it is cited.

Belongs here: the settings of a publisher, and citations for people and for BibTeX. Does not belong here: documents
about a release.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from pipelines.release.manifest import Manifest
from pipelines.release.package import PRODUCT
from pipelines.settings import SettingsError


@dataclass(frozen=True)
class Publisher:
    """Who stands for the data, and where it is published.

    `contact` is an e-mail or web address. `base_url` is the address of the folder that holds `latest.json`,
    without a slash at its end; with None all links are relative.
    """

    name: str = "Councillor engagement data project"
    url: str | None = None
    contact: str | None = None
    base_url: str | None = None

    def address(self, version: str, path: str) -> str:
        """The address of a file of a release; relative to the release folder where no base is set."""
        return f"{self.base_url}/v/{version}/{path}" if self.base_url else path


# By environment variable: the setting, and what its value looks like.
_WEB = r"https?://[^\s/?#@<>\"]+(/[^\s?#<>\"]*)?"
VARIABLES = {
    "ENGAGEMENT_PUBLISHER": ("name", r"\S(.{0,198}\S)?", "a name"),
    "ENGAGEMENT_PUBLISHER_URL": ("url", _WEB, "a web address"),
    "ENGAGEMENT_CONTACT": ("contact", rf"[^\s@<>\"]+@[^\s@<>\"]+|{_WEB}", "an e-mail or web address"),
    "ENGAGEMENT_BASE_URL": ("base_url", _WEB, "a web address without query or user, such as https://data.example"),
}


def publisher_from(environment: Mapping[str, str] | None = None) -> Publisher:
    """The publisher that environment variables name; what is not set keeps its default.

    Reads `ENGAGEMENT_PUBLISHER`, `ENGAGEMENT_PUBLISHER_URL`, `ENGAGEMENT_CONTACT`, `ENGAGEMENT_BASE_URL`. Errors:
    `SettingsError` naming the variable.
    """
    given = os.environ if environment is None else environment
    values = {}
    for variable, (setting, pattern, words) in VARIABLES.items():
        value = given.get(variable, "").strip()
        if not value:
            continue
        if not re.fullmatch(pattern, value) or not _has_usable_port(value):
            raise SettingsError(f"{variable}: expected {words}")
        values[setting] = value.rstrip("/") if setting == "base_url" else value
    return Publisher(**values)


def _has_usable_port(value: str) -> bool:
    try:
        _ = urlsplit(value).port
    except ValueError:
        return False
    return True


def cite(manifest: Manifest, publisher: Publisher) -> str:
    """How to cite a release, in one line; a sample says that there is nothing to cite."""
    if manifest.notice:
        return f"Do not cite this. {manifest.notice}"
    who = f"{publisher.name} ({manifest.released_on.year})"
    where = [publisher.address(manifest.version, "index.html")] if publisher.base_url else []
    return " ".join([f"{who}. {manifest.title}, release {manifest.version} [Data set].", *where])


def bibtex(manifest: Manifest, publisher: Publisher) -> str:
    """The citation as BibTeX; that of a sample is a sentence against citing it."""
    if manifest.notice:
        return cite(manifest, publisher)
    fields = {
        "author": f"{{{publisher.name}}}",
        "title": manifest.title,
        "year": str(manifest.released_on.year),
        "version": manifest.version,
        **({"url": publisher.address(manifest.version, "index.html")} if publisher.base_url else {}),
    }
    said = ", ".join(f"{name} = {{{value}}}" for name, value in fields.items())
    return f"@misc{{{PRODUCT}-{manifest.version}, {said}}}"
