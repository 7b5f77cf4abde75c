"""The Atom feed of releases (RFC 4287).

Belongs here: one entry per release, with what changed in it. Does not belong here: finding out what changed.

An entry's id is made of publisher, world and version, so that it stays when the site moves to another address.
Without a base address links are relative, to the feed's own place.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence

from lxml import etree
from markupsafe import Markup

from pipelines.release.changes import ReleaseChanges
from pipelines.release.manifest import Manifest, version_key
from pipelines.release.metadata.publisher import Publisher
from pipelines.release.package import PRODUCT
from pipelines.site.versions import change_sentence

PATH = "feed.xml"
ATOM = "http://www.w3.org/2005/Atom"
XML_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
ENTRIES = 50  # the newest; all releases are in versions.json
SENTENCES = 100  # of one entry


def atom_feed(manifests: Sequence[Manifest], changes: Sequence[ReleaseChanges], publisher: Publisher) -> bytes:
    """The feed of some releases, newest first; they may come in any order, and one may lack its changes."""
    releases = sorted(manifests, key=lambda manifest: version_key(manifest.version), reverse=True)
    by_version = {told.version: told for told in changes}
    newest = releases[0]
    feed = etree.Element(_name("feed"), {XML_LANGUAGE: "en-GB"}, nsmap={None: ATOM})
    _add(feed, "id", _identifier(newest, publisher, "feed"))
    _add(feed, "title", f"{newest.title}: releases")
    _add(feed, "subtitle", newest.notice or "What changed in each release of the data.")
    _add(feed, "updated", _moment(newest.released_on))
    _add_author(feed, publisher)
    _add(feed, "link", None, {"rel": "self", "type": "application/atom+xml", "href": _address(publisher, PATH)})
    _add(
        feed,
        "link",
        None,
        {"rel": "alternate", "type": "text/html", "href": _address(publisher, "versions.html")},
    )
    for manifest in releases[:ENTRIES]:
        _add_entry(feed, manifest, by_version, publisher)
    etree.indent(feed)
    return bytes(etree.tostring(feed, xml_declaration=True, encoding="UTF-8") + b"\n")


def _add_entry(
    feed: etree._Element, manifest: Manifest, by_version: Mapping[str, ReleaseChanges], publisher: Publisher
) -> None:
    entry = etree.SubElement(feed, _name("entry"))
    _add(entry, "id", _identifier(manifest, publisher, manifest.version))
    level = f" ({manifest.change})" if manifest.change else ""
    _add(entry, "title", f"Release {manifest.version}{level}")
    _add(entry, "updated", _moment(manifest.released_on))
    _add(entry, "published", _moment(manifest.released_on))
    href = _address(publisher, f"v/{manifest.version}/index.html")
    _add(entry, "link", None, {"rel": "alternate", "type": "text/html", "href": href})
    _add(entry, "content", _content(manifest, by_version.get(manifest.version)), {"type": "html"})


def _content(manifest: Manifest, changes: ReleaseChanges | None) -> str:
    """What changed as a list in HTML, in which nothing of the data is taken for a tag."""
    told = list(changes.sentences if changes else ()) or ["This release does not tell what changed."]
    more = len(told) - SENTENCES
    told = told[:SENTENCES] + ([f"and {more} more changes, see CHANGES.md of the release"] if more > 0 else [])
    items = Markup("").join(Markup("<li>{}</li>").format(change_sentence(text)) for text in told)
    notice = Markup("<p>{}</p>").format(manifest.notice) if manifest.notice else Markup("")
    return str(notice + Markup("<ul>{}</ul>").format(items))


def _identifier(manifest: Manifest, publisher: Publisher, what: str) -> str:
    name = f"{PRODUCT}/{publisher.name}/{manifest.world}/{what}"
    return uuid.uuid5(uuid.NAMESPACE_URL, name).urn


def _moment(day: dt.date) -> str:
    return f"{day.isoformat()}T00:00:00Z"


def _address(publisher: Publisher, path: str) -> str:
    return f"{publisher.base_url}/{path}" if publisher.base_url else path


def _add_author(feed: etree._Element, publisher: Publisher) -> None:
    author = etree.SubElement(feed, _name("author"))
    _add(author, "name", publisher.name)
    if publisher.url:
        _add(author, "uri", publisher.url)


def _add(parent: etree._Element, name: str, text: str | None, attributes: Mapping[str, str] | None = None) -> None:
    element = etree.SubElement(parent, _name(name), dict(attributes or {}))
    element.text = text


def _name(name: str) -> str:
    return f"{{{ATOM}}}{name}"
