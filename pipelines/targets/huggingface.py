"""The Hugging Face Hub: a dataset repository in which each release is one commit and one tag.

Belongs here: the Hub's HTTP API for commits, large files and tags, and the dataset card. Does not belong here:
HTTP itself (`web`).

A commit is atomic: whoever reads `main` sees the old release or the new one. The Hub's own client is the judge in
the tests and no part of the program: it brings a second HTTP stack and a binary of its own for what are six
requests, and its errors may repeat what a server says.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import yaml

from pipelines.release.manifest import Manifest, version_key
from pipelines.targets.description import Description, describe, licence_sentence, licences
from pipelines.targets.edition import MANIFEST, Edition, Release, erasures_in
from pipelines.targets.target import Progress, Receipt, TargetError
from pipelines.targets.web import Site

DOCUMENTS = ("CITATION.cff", "SHA256SUMS", "codebook.md", "croissant.json", "datacite.json", "manifest.json")
CARD = "README.md"
KEPT_BY_HUB = frozenset({".gitattributes"})  # made by the Hub, which stores large files by it
BRANCH = "main"
LFS = {"Accept": "application/vnd.git-lfs+json", "Content-Type": "application/vnd.git-lfs+json"}
HUB_KEEPS = (
    "the Hub keeps large files that nothing leads to: delete them in the repository's settings, under LFS files; "
    "copies may live on in caches and with those who downloaded them"
)
SAMPLE_BYTES = 512  # by which the Hub decides how it stores a file


@dataclass(frozen=True)
class Blob:
    """One file of a commit: bytes of our own, or a file of the release."""

    name: str
    content: bytes | Path
    size: int
    sha256: str

    def read(self) -> bytes:
        """All bytes."""
        return self.content.read_bytes() if isinstance(self.content, Path) else self.content

    def git_number(self) -> str:
        """By which git knows a file that it keeps itself."""
        return hashlib.sha1(b"blob %d\0" % self.size + self.read(), usedforsecurity=False).hexdigest()

    def is_there(self, entry: Mapping[str, Any] | None) -> bool:
        """Whether an entry of a tree has these very bytes."""
        if entry is None:
            return False
        if large := entry.get("lfs"):
            return bool(large["oid"] == self.sha256)
        return bool(entry["oid"] == self.git_number())


@dataclass
class HubTarget:
    """A dataset repository such as `someone/councillor-engagement`."""

    name: str
    site: Site
    repository: str

    def push(self, edition: Edition, progress: Progress) -> Receipt:
        """Commit a release to `main`, read every file of it back, then set its tag."""
        if edition.latest is None:
            raise TargetError(
                f"target {self.name}: `{BRANCH}` of {self.repository} shows the newest release, and "
                f"{edition.version} is not the newest"
            )
        release = edition.release
        blobs = _blobs(release)
        tags = self._tags()
        if tags is None:
            self._create()
            tags = {}
        head, tree = self._tree()
        self._refuse(release, tree)
        adding = [blob for blob in blobs if not blob.is_there(tree.get(blob.name))]
        names = {blob.name for blob in blobs} | KEPT_BY_HUB
        deleting = sorted(tree.keys() - names)
        progress.begin(f"release {release.version}", sum(blob.size for blob in (*adding, *blobs)))
        if adding or deleting:
            head = self._commit(release, head, adding, deleting, progress)
        self._read_back(head, blobs, progress)
        notes = self._set_tag(release, tags, head)
        return Receipt(
            self.name,
            release.version,
            f"{self.site.address}/datasets/{self.repository}/tree/{release.version}",
            sent=len(adding),
            kept=len(blobs) - len(adding),
            removed=len(deleting),
            sent_bytes=sum(blob.size for blob in adding),
            notes=tuple(notes),
        )

    def withdraw(self, version: str, progress: Progress) -> Receipt:
        """Delete a version from the repository with all history that holds it.

        The history of every later tag holds it too, so these tags go as well; the newest release is tagged anew on
        a history of one commit.
        """
        version_key(version)
        place = f"{self.site.address}/datasets/{self.repository}"
        tags = self._tags()
        if not tags or version not in tags:
            return Receipt(self.name, version, place)
        newest = self._manifest(BRANCH)
        if newest is None or newest.get("version") == version:
            raise TargetError(
                f"target {self.name}: `{BRANCH}` of {self.repository} still shows {version}: push the newest "
                f"release first, then withdraw"
            )
        progress.say(f"{version} is taken out of the history of {self.repository}")
        notes = self._forget(version, tags, str(newest["version"]))
        return Receipt(self.name, version, place, removed=1, notes=tuple(notes))

    # --- what is there ---

    def _api(self, rest: str) -> str:
        return f"{self.site.address}/api/datasets/{self.repository}/{rest}"

    def _json(self, act: str, url: str, **options: Any) -> Any:
        answer = self.site.get(act, url, **options)
        return None if answer is None else self.site.document(act, answer)

    def _tags(self) -> dict[str, str] | None:
        """The commit of every tag, None where there is no such repository."""
        found = self._json(f"read the tags of {self.repository}", self._api("refs"))
        return None if found is None else {tag["name"]: tag["targetCommit"] for tag in found["tags"]}

    def _tree(self) -> tuple[str, dict[str, Mapping[str, Any]]]:
        """The newest commit of `main`, and its files by name."""
        act = f"read {self.repository}"
        found = self._json(act, self._api(f"revision/{BRANCH}"))
        if found is None:
            raise TargetError(f"target {self.name}: {self.repository} has no branch {BRANCH}: make it at the Hub")
        head = str(found["sha"])
        url: str | None = self._api(f"tree/{head}?recursive=true")
        files: dict[str, Mapping[str, Any]] = {}
        while url is not None:
            answer = self.site.get(act, url)
            if answer is None:
                break
            files |= {e["path"]: e for e in self.site.document(act, answer) if e["type"] == "file"}
            url = answer.links.get("next", {}).get("url")
        return head, files

    def _manifest(self, revision: str) -> dict[str, Any] | None:
        """The manifest of a branch or commit, as plain JSON: it may be older than what this program knows."""
        act = f"read {MANIFEST} of {self.repository}"
        found = self._json(act, self._file(revision, MANIFEST), follow_redirects=True)
        return None if found is None else dict(found)

    def _file(self, revision: str, name: str) -> str:
        return f"{self.site.address}/datasets/{self.repository}/resolve/{revision}/{quote(name)}"

    def _refuse(self, release: Release, tree: Mapping[str, Any]) -> None:
        """Nothing of others is written over, and nothing goes back."""
        there = self._manifest(BRANCH) if MANIFEST in tree else None
        if there is None:
            if strangers := sorted(tree.keys() - KEPT_BY_HUB - {CARD}):
                raise TargetError(
                    f"target {self.name}: {self.repository} holds {strangers[0]} and no release: choose another"
                )
            return
        if there.get("world") != release.manifest.world:
            raise TargetError(
                f"target {self.name}: {self.repository} holds other than {release.manifest.world} data"
            )
        shown = str(there.get("version"))
        if version_key(shown) > version_key(release.version):
            raise TargetError(
                f"target {self.name}: {self.repository} shows {shown}, which is newer than {release.version}: "
                f"push from the home that made it"
            )
        if shown == release.version:
            self._is_superseded(release, there)

    def _is_superseded(self, release: Release, there: Mapping[str, Any]) -> bool:
        """Whether an erasure made a new edition since. Errors: `TargetError` where they differ otherwise."""
        here = (release.folder / MANIFEST).read_bytes()
        if there == orjson.loads(here):
            return False
        if erasures_in(orjson.dumps(there)) < erasures_in(here):
            return True
        raise TargetError(
            f"target {self.name}: {self.repository} has another release {release.version} than here, and it is "
            f"never overwritten: compare the two"
        )

    # --- bringing it there ---

    def _create(self) -> None:
        """Make the repository; that it is there already is no error."""
        owner, name = self.repository.split("/")
        content = {"type": "dataset", "name": name, "organization": owner}
        act = f"make {self.repository}"
        url = f"{self.site.address}/api/repos/create"
        self.site.send(act, "POST", url, again=True, json=content, accepted=(409,))

    def _commit(
        self, release: Release, head: str, adding: Sequence[Blob], deleting: Sequence[str], progress: Progress
    ) -> str:
        """One commit on top of the one that was read; refused where somebody else has made one since."""
        large = self._large(adding)
        self._send_large([blob for blob in adding if blob.name in large], progress)
        message = {"summary": f"Release {release.version}", "description": "", "parentCommit": head}
        lines: list[Mapping[str, Any]] = [{"key": "header", "value": message}]
        for blob in adding:
            if blob.name in large:
                value = {"path": blob.name, "algo": "sha256", "oid": blob.sha256, "size": blob.size}
                lines.append({"key": "lfsFile", "value": value})
            else:
                text = base64.b64encode(blob.read()).decode()
                lines.append({"key": "file", "value": {"path": blob.name, "content": text, "encoding": "base64"}})
                progress.advance(blob.size)
        lines += [{"key": "deletedFile", "value": {"path": name}} for name in deleting]
        act = f"commit release {release.version}"
        answer = self.site.send(
            act,
            "POST",
            self._api(f"commit/{BRANCH}"),
            content=b"\n".join(orjson.dumps(line) for line in lines),
            headers={"Content-Type": "application/x-ndjson"},
            accepted=(409, 412),
        )
        if not answer.is_success:
            raise TargetError(
                f"target {self.name}: somebody changed {self.repository} while it was pushed: push again"
            )
        return str(self.site.document(act, answer)["commitOid"])

    def _large(self, adding: Iterable[Blob]) -> frozenset[str]:
        """The files that the Hub wants beside git."""
        files = [
            {"path": b.name, "size": b.size, "sample": base64.b64encode(_beginning(b)).decode()} for b in adding
        ]
        if not files:
            return frozenset()
        act = "ask how files are to be sent"
        answer = self.site.send(act, "POST", self._api(f"preupload/{BRANCH}"), again=True, json={"files": files})
        found = self.site.document(act, answer)["files"]
        return frozenset(one["path"] for one in found if one["uploadMode"] == "lfs")

    def _send_large(self, blobs: Sequence[Blob], progress: Progress) -> None:
        """Send what the Hub does not hold yet, to where it says; a push that goes on finds it there."""
        if not blobs:
            return
        act = "send data files"
        asked = {
            "operation": "upload",
            "transfers": ["basic"],
            "hash_algo": "sha256",
            "ref": {"name": BRANCH},
            "objects": [{"oid": blob.sha256, "size": blob.size} for blob in blobs],
        }
        url = f"{self.site.address}/datasets/{self.repository}.git/info/lfs/objects/batch"
        answer = self.site.send(act, "POST", url, again=True, content=orjson.dumps(asked), headers=LFS)
        told = {one["oid"]: one for one in self.site.document(act, answer)["objects"]}
        for blob in blobs:
            one = told.get(blob.sha256, {"error": {}})
            if "error" in one:
                raise TargetError(
                    f"target {self.name}: {self.site.address} does not take {blob.name}: is it too large?"
                )
            actions = one.get("actions") or {}
            if "upload" in actions:
                upload = actions["upload"]
                self.site.deliver(f"send {blob.name}", upload["href"], upload.get("header") or {}, blob.read())
            if "verify" in actions:
                content = {"oid": blob.sha256, "size": blob.size}
                self.site.send(f"confirm {blob.name}", "POST", actions["verify"]["href"], again=True, json=content)
            progress.advance(blob.size)

    def _read_back(self, commit: str, blobs: Sequence[Blob], progress: Progress) -> None:
        for blob in blobs:
            found = self.site.fingerprint(f"read {blob.name}", self._file(commit, blob.name))
            if found is None or (found.size, found.sha256) != (blob.size, blob.sha256):
                raise TargetError(
                    f"target {self.name}: {blob.name} of {self.repository} does not come back with the bytes that "
                    f"it should have, so the release gets no tag: push again"
                )
            progress.advance(blob.size)

    def _set_tag(self, release: Release, tags: Mapping[str, str], head: str) -> list[str]:
        """Let the tag lead to the release; one that leads to an edition with more rows goes with its history."""
        there = self._manifest(tags[release.version]) if release.version in tags else None
        if there is None:
            self._tag(release.version, head)
        elif self._is_superseded(release, there):
            return self._forget(release.version, tags, release.version)
        return []

    def _tag(self, version: str, commit: str) -> None:
        act, content = f"set the tag {version}", {"tag": version}
        self.site.send(act, "POST", self._api(f"tag/{commit}"), again=True, json=content, accepted=(409,))
        if (self._tags() or {}).get(version) != commit:
            raise TargetError(
                f"target {self.name}: the tag {version} of {self.repository} leads elsewhere: delete it there and "
                f"push again"
            )

    def _forget(self, version: str, tags: Mapping[str, str], newest: str) -> list[str]:
        """Make `main` a history of one commit, and drop every tag whose history holds the version."""
        act = f"shorten the history of {self.repository}"
        content = {"message": f"Release {newest}"}
        # The branch first: a stop after it leaves tags, by which the next call sees that it has to go on.
        self.site.send(act, "POST", self._api(f"super-squash/{BRANCH}"), again=True, json=content)
        later = [name for name in tags if _is_version(name) and version_key(name) > version_key(version)]
        for name in [*sorted(later, key=version_key, reverse=True), version]:
            url = self._api(f"tag/{quote(name)}")
            self.site.send(f"delete the tag {name}", "DELETE", url, again=True, accepted=(404,))
        head, _ = self._tree()
        self._tag(newest, head)
        lost = ", ".join(name for name in later if name != newest)
        return [
            f"the history of {self.repository} was shortened to {newest}: older commits held what was taken back",
            *([f"the tags {lost} had it in their history and are gone too"] if lost else []),
            HUB_KEEPS,
        ]


# --- what goes there ------------------------------------------------------------------------------------------


def _blobs(release: Release) -> list[Blob]:
    """The card, the documents, and a Parquet file for every dataset."""
    parquet = {d.file(".parquet").path: f"data/{d.name}.parquet" for d in release.manifest.datasets}
    names = {**{name: name for name in DOCUMENTS}, **parquet}
    blobs = [
        Blob(names[path], item.path, item.size, item.sha256)
        for item in release.files
        if (path := item.name.split("/", 2)[2]) in names
    ]
    card = dataset_card(release.manifest, describe(release)).encode()
    return sorted(
        [Blob(CARD, card, len(card), hashlib.sha256(card).hexdigest()), *blobs], key=lambda blob: blob.name
    )


def dataset_card(manifest: Manifest, told: Description) -> str:
    """The page of the repository: what the Hub reads, then warnings, then what people read."""
    about = {
        "pretty_name": manifest.title,
        "language": ["en"],
        "license": [code.lower() for code in licences(manifest.datasets)],
        "tags": list(told.keywords),
        "configs": [
            {
                "config_name": d.name,
                "data_files": f"data/{d.name}.parquet",
                **({"default": True} if n == 0 else {}),
            }
            for n, d in enumerate(manifest.datasets)
        ],
    }
    front = yaml.safe_dump(about, sort_keys=False, allow_unicode=True, width=110)
    abstract = told.abstract.removeprefix(manifest.notice or "").strip()
    credit = sorted({name for dataset in manifest.datasets for name in dataset.attribution})
    parts = [
        f"---\n{front}---",
        f"# {manifest.title}",
        *(f"> **{warning}**" for warning in told.warnings),
        abstract,
        f"Release {manifest.version} of {manifest.released_on.isoformat()}, kept under the tag of the same name.",
        *(f"## {d.title}\n\n`{d.name}`, {d.grain}. {told.of(d.name)}" for d in manifest.datasets),
        f"## Licences\n\n{licence_sentence(manifest.datasets)}.",
        *([] if manifest.notice else [f"Contains data of: {'; '.join(credit)}."]),
    ]
    return "\n\n".join(parts) + "\n"


def _beginning(blob: Blob) -> bytes:
    if isinstance(blob.content, bytes):
        return blob.content[:SAMPLE_BYTES]
    with blob.content.open("rb") as content:
        return content.read(SAMPLE_BYTES)


def _is_version(name: str) -> bool:
    return len(parts := name.split(".")) == 3 and all(part.isdigit() for part in parts)
