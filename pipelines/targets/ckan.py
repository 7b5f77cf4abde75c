"""A data portal that runs CKAN: one dataset of the portal holds the newest release, a resource for every file.

Belongs here: the portal's Action API, and in which order it is used. Does not belong here: HTTP itself (`web`).

A release becomes the newest with one call, `package_revise`, which CKAN carries out as one transaction: metadata,
all new files, and the old ones leaving. A reader sees the old release or the new one. Files that did not change
keep their resource, so that links to them go on working.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from pipelines.release.manifest import DatasetEntry, Manifest, version_key
from pipelines.targets.description import Description, describe, licence_sentence, licences
from pipelines.targets.edition import MANIFEST, Edition, Item, Release, erasures_in
from pipelines.targets.headers import media_type
from pipelines.targets.target import Progress, Receipt, TargetError
from pipelines.targets.web import Site

Package = dict[str, Any]
MEGABYTE = 1024 * 1024
# CKAN's own words for licences; several at once have none, and then each resource says its own.
LICENCES = {"CC-BY-4.0": "cc-by", "CC-BY-SA-4.0": "cc-by-sa", "CC0-1.0": "cc-zero", "OGL-UK-3.0": "uk-ogl"}
SEVERAL = "other-open"
FORMATS = {".parquet": "Parquet", ".csv.gz": "CSV", ".xlsx": "XLSX", ".json": "JSON", ".jsonld": "JSON-LD"}
NOT_IN_TAGS = re.compile(r"[^\w .-]")
FIELD = re.compile(r"[a-z_]{1,40}")
OURS = "release_manifest_sha256"  # an extra that only our datasets have
FIELDS = ("title", "notes", "version", "license_id", "author", "url")


@dataclass(frozen=True)
class Link:
    """Files that are too large for the portal stand below this address instead, None where there is none."""

    base_url: str | None
    largest_bytes: int
    uploads: bool


@dataclass
class CkanTarget:
    """A dataset of a portal, in an organisation that the token may write for."""

    name: str
    site: Site
    dataset: str
    organisation: str
    link: Link

    def push(self, edition: Edition, progress: Progress) -> Receipt:
        """Make a release the one that the dataset shows, and read every file back.

        Before the first release is whole the dataset is a draft, which nobody else sees. A release that reads back
        wrongly is taken back: the dataset shows the one before again.
        """
        if edition.latest is None:
            raise TargetError(
                f"target {self.name}: the dataset {self.dataset} shows the newest release only, and "
                f"{edition.version} is not the newest"
            )
        release = edition.release
        before = self._show()
        if before is not None:
            self._refuse(before, release)
        else:
            before = self._create(release)
        wanted = self._wanted(release, before)
        sending = [entry for entry in wanted if "id" not in entry.fields and entry.is_upload]
        progress.begin(f"release {release.version}", 2 * release.size_bytes)
        self._check([entry for entry in wanted if "id" in entry.fields], before, progress)
        if sending or _differs(before, wanted, self._about(release)):
            replaces = bool(before.get("resources") and sending)
            before = self._switch(before, wanted, sending, release, progress)
        else:
            replaces = False
        if before["state"] != "active":
            before = self._revise(before, {"state": "active"}, [])
        return Receipt(
            self.name,
            release.version,
            f"{self.site.address}/dataset/{self.dataset}",
            sent=len(sending),
            kept=len(wanted) - len(sending),
            sent_bytes=sum(entry.item.size for entry in sending),
            notes=(
                *self._notes(wanted),
                *([self._left_behind()] if replaces and _tells_of_erasure(edition) else []),
            ),
        )

    def withdraw(self, version: str, progress: Progress) -> Receipt:
        """Take the files of a version out of the dataset; the portal no longer gives them to anybody."""
        version_key(version)
        place = f"{self.site.address}/dataset/{self.dataset}"
        package = self._show()
        removed = 0
        if package is not None and package.get("version") == version:
            if package["state"] == "active":
                raise TargetError(
                    f"target {self.name}: the dataset {self.dataset} still shows {version}: push the newest "
                    f"release first, which takes its place"
                )
            removed = len(package["resources"])
            progress.say(f"{removed} resources of release {version} are taken out of a draft at {self.name}")
            self._revise(package, {"resources": []}, [])
        return Receipt(self.name, version, place, removed=removed, notes=(self._left_behind(),))

    # --- what is there ---

    def _show(self) -> Package | None:
        """The dataset with its resources, None where there is none."""
        act = f"read the dataset {self.dataset}"
        where = {"params": {"id": self.dataset}, "accepted": (404, 403)}
        answer = self.site.send(act, "GET", self._action("package_show"), again=True, **where)
        if answer.status_code == httpx.codes.NOT_FOUND and self.site.document(act, answer):
            return None  # CKAN's own answer; that of a site which is no CKAN is not JSON
        found = self._result(act, answer)
        if found.get("state") == "deleted":
            raise TargetError(
                f"target {self.name}: the dataset {self.dataset} was deleted at the portal, which keeps its name: "
                f"have it restored or purged there, or choose another name"
            )
        return found

    def _refuse(self, package: Package, release: Release) -> None:
        """Nothing that is not ours is written over, and no portal goes back or mixes sample and live data."""
        extras = _extras(package)
        if OURS not in extras:
            raise TargetError(
                f"target {self.name}: the dataset {self.dataset} is there and none of ours: choose another name"
            )
        world = release.manifest.world
        if extras.get("world") != world:
            raise TargetError(f"target {self.name}: the dataset {self.dataset} holds other than {world} data")
        there = str(package.get("version") or "0.0.0")
        if re.fullmatch(r"\d+\.\d+\.\d+", there) and version_key(release.version) < _key(there):
            raise TargetError(
                f"target {self.name}: the dataset {self.dataset} shows {there}, which is newer than "
                f"{release.version}: a portal does not go back; push from the home that made it"
            )
        if there == release.version and package["state"] == "active":
            self._refuse_another_edition(package, release)

    def _refuse_another_edition(self, package: Package, release: Release) -> None:
        """The same version with other bytes is taken only where an erasure made a new edition of it."""
        if _extras(package)[OURS] == _manifest(release).sha256:
            return
        here = erasures_in((release.folder / MANIFEST).read_bytes())
        there = frozenset(filter(None, _extras(package).get("erasures", "").split(",")))
        if not there < here:
            raise TargetError(
                f"target {self.name}: the dataset {self.dataset} shows {release.version} with another manifest "
                f"than here: compare the two. If the one there is wrong, delete the dataset there and push again"
            )

    # --- what should be there ---

    def _about(self, release: Release) -> Package:
        """The metadata of the dataset."""
        manifest, told = release.manifest, describe(release)
        found = licences(manifest.datasets)
        one = LICENCES.get(next(iter(found)), SEVERAL) if len(found) == 1 else SEVERAL
        erasures = sorted(erasures_in((release.folder / MANIFEST).read_bytes()))
        extras = {
            OURS: _manifest(release).sha256,
            "world": manifest.world,
            "released_on": manifest.released_on.isoformat(),
            "licences": licence_sentence(manifest.datasets),
            **({"erasures": ",".join(erasures)} if erasures else {}),
        }
        return {
            "title": told.title,
            "notes": _notes(told, manifest),
            "version": manifest.version,
            "license_id": one,
            "author": "; ".join(told.creators),
            "url": self.link.base_url or "",
            "tags": [{"name": name} for name in sorted({NOT_IN_TAGS.sub(" ", word) for word in told.keywords})],
            "extras": [{"key": key, "value": value} for key, value in sorted(extras.items())],
        }

    def _wanted(self, release: Release, package: Package) -> list[_Wanted]:
        """A resource for every file; one that is there with the same bytes is kept under its number."""
        there = {
            (str(found.get("release_path")), str(found.get("hash"))): found
            for found in package.get("resources", [])
        }
        told = describe(release)
        wanted = [self._resource(item, release, told) for item in release.files]
        for entry in wanted:
            found = there.get((entry.path, entry.item.sha256))
            if found is not None and (found.get("url_type") == "upload") == entry.is_upload:
                entry.fields["id"] = found["id"]
                if entry.is_upload:
                    entry.fields |= {"url": found["url"].rpartition("/")[2], "size": entry.item.size}
        return wanted

    def _resource(self, item: Item, release: Release, told: Description) -> _Wanted:
        path = item.name.split("/", 2)[2]
        dataset = _dataset(path, release.manifest)
        about = f"{dataset.title}: {dataset.grain}. {told.of(dataset.name)}" if dataset else ""
        fields: Package = {
            "name": path,
            "description": " ".join([*told.warnings[:1], about]).strip(),
            "format": next((form for ending, form in FORMATS.items() if path.endswith(ending)), ""),
            "mimetype": media_type(path).partition(";")[0],
            "hash": item.sha256,
            "release_path": path,
            "release_version": release.version,
            "url_type": "upload",
            **({"licence": dataset.licence, "schema_version": dataset.schema_version} if dataset else {}),
        }
        is_upload = self.link.uploads and item.size <= self.link.largest_bytes
        if not is_upload:
            if self.link.base_url is None:
                raise TargetError(
                    f"target {self.name}: {path} has {item.size} bytes, more than the portal is said to take: "
                    f"raise largest_megabytes, or give the base_url below which releases are published, to link"
                )
            fields |= {"url": f"{self.link.base_url}/{item.name}", "url_type": "", "size": item.size}
        return _Wanted(item, path, fields, is_upload)

    # --- bringing it there ---

    def _create(self, release: Release) -> Package:
        """A draft without files; the name is taken from here on."""
        act = f"make the dataset {self.dataset}"
        about = {**self._about(release), "name": self.dataset, "owner_org": self.organisation, "state": "draft"}
        answer = self.site.send(act, "POST", self._action("package_create"), json=about, accepted=(409, 403))
        return self._result(act, answer)

    def _switch(
        self, before: Package, wanted: list[_Wanted], sending: list[_Wanted], release: Release, progress: Progress
    ) -> Package:
        """Make the dataset show the release; back to what it showed where a file did not arrive as it was sent."""
        update = {**self._about(release), "resources": [entry.fields for entry in wanted]}
        after = self._revise(before, update, wanted)
        by_path = {found["release_path"]: found["id"] for found in after["resources"]}
        for entry in sending:
            entry.fields["id"] = by_path[entry.path]
        try:
            self._check(sending, after, progress)
        except TargetError as error:
            if before["state"] != "active":
                raise
            self._revise(after, _as_it_was(before), [])
            raise TargetError(f"{error}. The dataset shows {before['version']} again") from None
        order = [by_path[entry.path] for entry in wanted]
        if [found["id"] for found in after["resources"]] != order:
            act = f"order the resources of {self.dataset}"
            content = {"id": after["id"], "order": order}
            self.site.send(act, "POST", self._action("package_resource_reorder"), again=True, json=content)
            after = self._show() or after
        return after

    def _revise(self, package: Package, update: Package, wanted: Sequence[_Wanted]) -> Package:
        """Change the dataset with one call, unless somebody else has changed it since it was read."""
        act = f"change the dataset {self.dataset}"
        cleared = [f"-{name}" for name in ("resources", "extras", "tags") if name in update]
        fields = {
            "match": _text({"id": package["id"], "metadata_modified": package["metadata_modified"]}),
            "filter": _text(cleared),
            "update": _text(update),
        }
        with contextlib.ExitStack() as held:
            files = {
                f"update__resources__{number}__upload": (
                    entry.path.replace("/", "-"),
                    held.enter_context(entry.item.path.open("rb")),
                    media_type(entry.path),
                )
                for number, entry in enumerate(wanted)
                if entry.is_upload and "id" not in entry.fields
            }
            answer = self.site.send(
                act, "POST", self._action("package_revise"), data=fields, files=files or None, accepted=(409, 403)
            )
        return dict(self._result(act, answer)["package"])

    def _check(self, entries: Sequence[_Wanted], package: Package, progress: Progress) -> None:
        """Read uploaded files back and compare all of their bytes."""
        for entry in entries:
            if not entry.is_upload:
                continue
            number = entry.fields["id"]
            folder = f"{self.site.address}/dataset/{package['id']}/resource/{number}"
            url = f"{folder}/download/{entry.path.rpartition('/')[2]}"
            expected = (entry.item.size, entry.item.sha256)
            found = self.site.fingerprint(f"read {entry.path}", url)
            if found is None or (found.size, found.sha256) != expected:
                found = self.site.fingerprint(f"read {entry.path}", url)  # the way there, or the portal?
            if found is None or (found.size, found.sha256) != expected:
                raise TargetError(
                    f"target {self.name}: {entry.path} does not come back from {self.site.address} with the bytes "
                    f"that it should have: delete that resource at the portal and push again"
                )
            progress.advance(2 * entry.item.size)

    def _notes(self, wanted: Sequence[_Wanted]) -> tuple[str, ...]:
        linked = [entry.path for entry in wanted if not entry.is_upload]
        if not linked:
            return ()
        return (
            f"{len(linked)} files are links to {self.link.base_url}: push them there too; they were not read back",
        )

    def _left_behind(self) -> str:
        return (
            f"the portal no longer shows or serves what the dataset {self.dataset} had before, but keeps uploaded "
            f"files on its disk and earlier descriptions in its database: ask its operator to delete what belongs "
            f"to none of its resources now"
        )

    # --- the Action API ---

    def _action(self, action: str) -> str:
        return f"{self.site.address}/api/3/action/{action}"

    def _result(self, act: str, answer: httpx.Response) -> Package:
        """What an action gave, or why it gave nothing: names of fields only, never the portal's own text."""
        document = self.site.document(act, answer)
        error = document.get("error", {}) if isinstance(document, Mapping) else {}
        if answer.is_success and isinstance(document, Mapping) and document.get("success"):
            return dict(document["result"])
        if not isinstance(error, Mapping) or error.get("__type") == "Authorization Error":
            raise self.site.rights(act)
        if "match" in error:
            raise TargetError(
                f"target {self.name}: somebody changed the dataset {self.dataset} while it was pushed: push again"
            )
        if "owner_org" in error:
            raise TargetError(
                f"target {self.name}: may not {act}: the organisation {self.organisation} is not at "
                f"{self.site.address}, or the token in {self.site.variable} may not write for it"
            )
        if "upload" in error:
            raise TargetError(
                f"target {self.name}: could not {act}: a file is larger than {self.site.address} takes: lower "
                f"largest_megabytes, and give a base_url to link to it"
            )
        fields = sorted(key for key in error if FIELD.fullmatch(str(key)) and not key.startswith("__"))
        named = f" ({', '.join(fields)})" if fields else ""
        raise TargetError(
            f"target {self.name}: could not {act}: {self.site.address} does not take its fields{named}"
        )


@dataclass
class _Wanted:
    """A file of the release and the resource that should stand for it; with an id where it is there already."""

    item: Item
    path: str
    fields: Package
    is_upload: bool


def _notes(told: Description, manifest: Manifest) -> str:
    """The description in Markdown: warnings first, then what it is, then the limits of each dataset."""
    first = [f"**{warning}**" for warning in told.warnings]
    abstract = told.abstract.removeprefix(manifest.notice or "").strip()
    parts = [f"- **{d.title}** ({d.name}, {d.licence}): {told.of(d.name)}" for d in manifest.datasets]
    credit = sorted({name for dataset in manifest.datasets for name in dataset.attribution})
    thanks = [] if manifest.notice else [f"Contains data of: {'; '.join(credit)}."]
    return "\n\n".join([*first, abstract, f"Release {manifest.version}.", "\n".join(parts), *thanks])


def _dataset(path: str, manifest: Manifest) -> DatasetEntry | None:
    return next((d for d in manifest.datasets if any(file.path == path for file in d.files)), None)


def _tells_of_erasure(edition: Edition) -> bool:
    """Whether an account was erased from the release, or from an earlier one whose files the portal may have."""
    earlier = [edition.public / "v" / version for version in edition.listed]
    return any(erasures_in((folder / MANIFEST).read_bytes()) for folder in [edition.release.folder, *earlier])


def _manifest(release: Release) -> Item:
    return next(item for item in release.files if item.name.endswith(f"/{MANIFEST}"))


def _extras(package: Package) -> dict[str, str]:
    return {entry["key"]: entry["value"] for entry in package.get("extras", [])}


def _key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _differs(package: Package, wanted: Sequence[_Wanted], about: Package) -> bool:
    """Whether the dataset says anything else than it should, or has other resources."""
    if any((package.get(name) or "") != about[name] for name in FIELDS):
        return True
    if _extras(package) != _extras(about):
        return True
    if {tag["name"] for tag in package.get("tags", [])} != {tag["name"] for tag in about["tags"]}:
        return True
    if [found["id"] for found in package["resources"]] != [entry.fields.get("id") for entry in wanted]:
        return True
    shown = ("name", "description", "release_version", "licence")
    pairs = zip(package["resources"], wanted, strict=True)
    return any((found.get(name) or "") != entry.fields.get(name, "") for found, entry in pairs for name in shown)


def _as_it_was(package: Package) -> Package:
    """What the dataset showed before, in the form in which it is given to the portal."""
    shown = (
        "name",
        "description",
        "format",
        "mimetype",
        "hash",
        "release_path",
        "release_version",
        "url_type",
        "size",
    )
    more = ("licence", "schema_version")
    resources = [
        {
            "id": found["id"],
            "url": found["url"].rpartition("/")[2] if found.get("url_type") == "upload" else found["url"],
            **{name: found[name] for name in (*shown, *more) if found.get(name) is not None},
        }
        for found in package["resources"]
    ]
    tags = [{"name": tag["name"]} for tag in package["tags"]]
    return {
        **{name: package.get(name) or "" for name in FIELDS},
        "extras": package["extras"],
        "tags": tags,
        "resources": resources,
    }


def _text(document: object) -> str:
    return orjson.dumps(document).decode()
