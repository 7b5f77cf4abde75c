"""Zenodo: a draft that holds the aggregates of a release, made and mended by a push, published by a separate act.

Belongs here: Zenodo's deposit API, which files of a release go there, and its metadata. Does not belong here: HTTP
itself (`web`).

What is published there has a DOI and stays for good, so nothing goes there that a person may one day ask to be
erased: only datasets whose contract says `level: aggregate`, and documents that hold no rows. Whatever is not
known to be one of these is left out. The manifest goes along: it names the other files with their checksums, and
holds nothing of them.
"""

from __future__ import annotations

import hashlib
import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipelines.release.manifest import DatasetEntry, Manifest, version_key
from pipelines.targets.description import describe, licence_sentence, licences
from pipelines.targets.edition import Edition, Item, Release
from pipelines.targets.target import Progress, Receipt, TargetError
from pipelines.targets.web import Site

Deposition = Mapping[str, Any]
# They hold no rows. Data packages and the like are left out, since they promise files that are not here.
DOCUMENTS = ("CITATION.cff", "README.md", "SHA256SUMS", "codebook.md", "datacite.json", "manifest.json")
LICENCES = {
    "CC-BY-4.0": "cc-by-4.0",
    "CC-BY-SA-4.0": "cc-by-sa-4.0",
    "CC0-1.0": "cc0-1.0",
    "OGL-UK-3.0": "ogl-uk-3.0",
}
# Of several licences the deposit names the one that asks most; its description names all.
STRICTEST = ("CC-BY-SA-4.0", "CC-BY-4.0", "OGL-UK-3.0", "CC0-1.0")
PAGE = 100
REAL = "zenodo.org"
PRODUCT = "councillor-engagement"  # by which our deposits are known; it never changes


@dataclass
class ZenodoTarget:
    """Deposits of one user; `record` is the number of any version of the record, None before the first."""

    name: str
    site: Site
    record: str | None

    def push(self, edition: Edition, progress: Progress) -> Receipt:
        """Make the draft of a release, or bring it up to date, and compare the checksums of all files in it."""
        release = edition.release
        items, left_out = _sent(release)
        metadata = _metadata(release)
        published = self._published(release.version)
        if published is not None:
            return self._is_the_same(published, items, release)
        draft = self._draft(metadata, release)
        draft = self._update(draft, metadata)
        sent, removed = self._bring_files(draft, items, progress)
        self._verify(self._read(draft), items)
        where = f"the draft {self._page(draft)} is for you to look at: `engagement publish-draft {self.name} "
        notes = [f"{where}{release.version}` publishes it, with a DOI, for good"]
        notes.append(
            "look at the creators first: Zenodo takes every name for that of a person; mend it in the draft"
        )
        if left_out:
            notes.append(f"not sent, since they are not stated to be aggregates: {', '.join(left_out)}")
        if self.record is None:
            notes.append(f"add `record: {draft['conceptrecid']}` to the list of targets once it is published")
        return Receipt(
            self.name,
            release.version,
            self._page(draft),
            sent=len(sent),
            kept=len(items) - len(sent),
            removed=removed,
            sent_bytes=sum(item.size for item in sent),
            notes=tuple(notes),
        )

    def publish(self, edition: Edition, progress: Progress) -> Receipt:
        """Publish the draft of a release, which cannot be undone, once its files are those that are here."""
        release = edition.release
        items, _ = _sent(release)
        published = self._published(release.version)
        if published is not None:
            return self._is_the_same(published, items, release)
        if release.manifest.notice and self.site.address.partition("://")[2] == REAL:
            raise TargetError(f"target {self.name}: a sample gets no DOI: publish it at sandbox.zenodo.org")
        draft = self._find_draft(release.version)
        if draft is None:
            raise TargetError(
                f"target {self.name}: there is no draft of {release.version}: `engagement push {self.name} "
                f"{release.version}` makes it"
            )
        draft = self._read(draft)
        self._verify(draft, items)
        if dict(draft["metadata"]).get("notes") != _marker(release.version):
            raise TargetError(f"target {self.name}: the draft was changed by somebody: push again, then publish")
        act = f"publish the draft of {release.version}"
        self.site.send(act, "POST", f"{self._deposits()}/{draft['id']}/actions/publish")
        done = self._read(draft)
        if not done.get("submitted"):
            raise TargetError(f"target {self.name}: the draft of {release.version} was not published: try again")
        progress.say(f"{release.version} is published as {done.get('doi', 'a record')}")
        return Receipt(self.name, release.version, self._page(done), kept=len(items))

    def withdraw(self, version: str, progress: Progress) -> Receipt:
        """Delete the draft of a version. What is published only Zenodo's own staff can remove."""
        version_key(version)
        published = self._published(version)
        if published is not None:
            raise TargetError(
                f"target {self.name}: {version} is published as record {published['id']}, which no user can "
                f"delete: ask Zenodo's support to remove it, and say why"
            )
        draft = self._find_draft(version)
        if draft is None:
            return Receipt(self.name, version, self.site.address)
        removed = len(draft.get("files") or [])
        progress.say(f"the draft of {version} with {removed} files is deleted at {self.name}")
        self.site.send(
            f"delete the draft of {version}",
            "DELETE",
            f"{self._deposits()}/{draft['id']}",
            again=True,
            accepted=(404, 410),
        )
        return Receipt(self.name, version, self.site.address, removed=removed)

    # --- finding ---

    def _deposits(self) -> str:
        return f"{self.site.address}/api/deposit/depositions"

    def _page(self, deposition: Deposition) -> str:
        kind = "records" if deposition.get("submitted") else "uploads"
        return f"{self.site.address}/{kind}/{deposition['id']}"

    def _list(self, status: str) -> Iterator[Deposition]:
        """All deposits of the user with a status, page by page."""
        act, page = "list deposits", 0
        while True:
            page += 1
            asked = {"status": status, "all_versions": "true", "size": PAGE, "page": page, "sort": "mostrecent"}
            found = self.site.document(act, self.site.send(act, "GET", self._deposits(), again=True, params=asked))
            if not isinstance(found, list):
                raise TargetError(f"target {self.name}: {self.site.address} answers as no Zenodo does")
            yield from found
            if len(found) < PAGE:
                return

    def _ours(self, status: str, version: str) -> list[Deposition]:
        marker = _marker(version)
        return [
            found
            for found in self._list(status)
            if found["metadata"].get("notes") == marker and bool(found["submitted"]) == (status == "published")
        ]

    def _published(self, version: str) -> Deposition | None:
        found = self._ours("published", version)
        return self._read(found[0]) if found else None

    def _find_draft(self, version: str) -> Deposition | None:
        found = self._ours("draft", version)
        if len(found) > 1:
            numbers = ", ".join(str(one["id"]) for one in found)
            raise TargetError(
                f"target {self.name}: there are {len(found)} drafts of {version} ({numbers}): delete all but one"
            )
        return found[0] if found else None

    def _read(self, deposition: Deposition) -> Deposition:
        act = f"read deposit {deposition['id']}"
        answer = self.site.get(act, f"{self._deposits()}/{deposition['id']}")
        if answer is None:
            raise TargetError(f"target {self.name}: deposit {deposition['id']} is gone: push again")
        return dict(self.site.document(act, answer))

    # --- the draft ---

    def _draft(self, metadata: Mapping[str, Any], release: Release) -> Deposition:
        """The draft of the version, made where there is none.

        It is made with its metadata in the same request, so that a push that is killed finds it again.
        """
        found = self._find_draft(release.version)
        if found is not None:
            return self._read(found)
        if self.record is not None:
            return self._new_version(self.record)
        act = f"make a draft of {release.version}"
        answer = self.site.send(act, "POST", self._deposits(), json={"metadata": metadata})
        return dict(self.site.document(act, answer))

    def _new_version(self, record: str) -> Deposition:
        """The one draft that a record may have of its next version; asked for twice, it stays one."""
        act = f"find record {record}"
        answer = self.site.get(act, f"{self.site.address}/api/records/{record}", follow_redirects=True)
        if answer is None:
            raise TargetError(f"target {self.name}: there is no record {record}: mend it in the list of targets")
        newest = self.site.get(act, self.site.document(act, answer)["links"]["latest"], follow_redirects=True)
        latest = self.site.document(act, newest or answer)["id"]
        act = f"make a new version of record {latest}"
        answer = self.site.send(act, "POST", f"{self._deposits()}/{latest}/actions/newversion", again=True)
        made = self.site.document(act, answer)
        number = str(made["links"].get("latest_draft") or made["id"]).rpartition("/")[2]
        draft = self._read({"id": number})
        if draft["submitted"]:
            raise TargetError(f"target {self.name}: record {latest} gives no draft of a new version: look there")
        return draft

    def _update(self, draft: Deposition, metadata: Mapping[str, Any]) -> Deposition:
        """Give the draft its metadata, unless it has them."""
        there = dict(draft["metadata"])
        if all(there.get(name) == value for name, value in metadata.items()):
            return draft
        act = f"describe deposit {draft['id']}"
        content = {"metadata": metadata}
        answer = self.site.send(act, "PUT", f"{self._deposits()}/{draft['id']}", again=True, json=content)
        return dict(self.site.document(act, answer))

    def _bring_files(self, draft: Deposition, items: Sequence[Item], progress: Progress) -> tuple[list[Item], int]:
        """Send what is not there with the same checksum, and delete what does not belong there."""
        there = _checksums(draft)
        wanted = {_name(item): item for item in items}
        bucket = str(draft["links"]["bucket"])
        progress.begin("draft", sum(item.size for item in items))
        strangers = sorted(there.keys() - wanted.keys())
        for name in strangers:
            self.site.send(f"delete {name}", "DELETE", f"{bucket}/{quote(name)}", again=True, accepted=(404, 410))
        sent = []
        for name, item in wanted.items():
            md5 = _md5(item.path)
            if there.get(name) != md5:
                self._send_file(f"{bucket}/{quote(name)}", item, md5)
                sent.append(item)
            progress.advance(item.size)
        return sent, len(strangers)

    def _send_file(self, url: str, item: Item, md5: str) -> None:
        act = f"send {_name(item)}"
        with item.path.open("rb") as content:
            headers = {"Content-Type": "application/octet-stream", "Content-Length": str(item.size)}
            # Once: what was read cannot be sent again. The next push goes on with this file.
            answer = self.site.send(act, "PUT", url, content=content, headers=headers)
        if str(self.site.document(act, answer).get("checksum", "")).rpartition(":")[2] != md5:
            raise TargetError(f"target {self.name}: {_name(item)} did not arrive as it was sent: push again")

    def _verify(self, deposition: Deposition, items: Sequence[Item]) -> None:
        """The files of a deposit are those of the release, by the checksums that Zenodo made of them."""
        there, here = _checksums(deposition), {_name(item): _md5(item.path) for item in items}
        if wrong := sorted(name for name in there.keys() | here.keys() if there.get(name) != here.get(name)):
            raise TargetError(
                f"target {self.name}: {wrong[0]} of deposit {deposition['id']} is not as it is here: push again"
            )

    def _is_the_same(self, published: Deposition, items: Sequence[Item], release: Release) -> Receipt:
        try:
            self._verify(published, items)
        except TargetError:
            raise TargetError(
                f"target {self.name}: {release.version} is published as record {published['id']} with other files "
                f"than here, and a record cannot change: if rows had to be erased, ask Zenodo's support for that"
            ) from None
        return Receipt(self.name, release.version, self._page(published), kept=len(items))


# --- what goes there ------------------------------------------------------------------------------------------


def _aggregates(release: Release) -> list[DatasetEntry]:
    levels = describe(release).levels
    return [dataset for dataset in release.manifest.datasets if levels[dataset.name] == "aggregate"]


def _sent(release: Release) -> tuple[list[Item], list[str]]:
    """The files that go to Zenodo, and the datasets that do not. Errors: `TargetError` where no dataset may."""
    aggregates = _aggregates(release)
    if not aggregates:
        raise TargetError(
            f"release {release.version} has no dataset whose contract says `level: aggregate`, so nothing of it "
            f"goes to an archive that never forgets"
        )
    allowed = {*DOCUMENTS, *(file.path for dataset in aggregates for file in dataset.files)}
    items = [item for item in release.files if item.name.split("/", 2)[2] in allowed]
    names = {dataset.name for dataset in aggregates}
    return items, [d.name for d in release.manifest.datasets if d.name not in names]


def _metadata(release: Release) -> dict[str, Any]:
    """The metadata of a deposit: of its datasets only, warnings first."""
    manifest, told, datasets = release.manifest, describe(release), _aggregates(release)
    found = licences(datasets)
    code = next((code for code in STRICTEST if code in found), next(iter(found)))
    return {
        "title": told.title,
        "upload_type": "dataset",
        "description": "".join(f"<p>{html.escape(part, quote=False)}</p>" for part in _paragraphs(release)),
        "creators": [{"name": name} for name in told.creators],
        "keywords": list(told.keywords),
        "publication_date": manifest.released_on.isoformat(),
        "access_right": "open",
        "license": LICENCES.get(code, code.lower()),
        "language": "eng",
        "version": manifest.version,
        "notes": _marker(manifest.version),
    }


def _paragraphs(release: Release) -> list[str]:
    manifest, told, datasets = release.manifest, describe(release), _aggregates(release)
    return [
        *told.warnings,
        told.abstract.removeprefix(manifest.notice or "").strip(),
        *(f"{dataset.title} ({dataset.name}): {told.of(dataset.name)}" for dataset in datasets),
        f"Licences: {licence_sentence(datasets)}.",
        *_credits(manifest, datasets),
        "Datasets that show single accounts are not part of this deposit; manifest.json names them.",
    ]


def _credits(manifest: Manifest, datasets: Sequence[DatasetEntry]) -> list[str]:
    names = sorted({name for dataset in datasets for name in dataset.attribution})
    return [] if manifest.notice or not names else [f"Contains data of: {'; '.join(names)}."]


def _marker(version: str) -> str:
    """By which a deposit of ours is found again."""
    return f"{PRODUCT}/{version}"


def _name(item: Item) -> str:
    """The name of a file in a deposit, which knows no folders."""
    return item.name.split("/", 2)[2].replace("/", "-")


def _checksums(deposition: Deposition) -> dict[str, str]:
    return {str(one["filename"]): str(one["checksum"]).rpartition(":")[2] for one in deposition.get("files") or []}


def _md5(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
