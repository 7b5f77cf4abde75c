"""A target that keeps files under names: a folder or an object store. In which order it is brought up to date.

Belongs here: what is written, compared, read back and deleted when, so that a reader who starts at `latest.json`
always meets a whole release. Does not belong here: how a store is asked (`store`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from pydantic import ValidationError

from pipelines.release.manifest import Pointer, version_key
from pipelines.release.verify import CHECKSUMS
from pipelines.targets.edition import CATALOGUE, LATEST, MANIFEST, RELEASES, Edition, Item, Release, erasures_in
from pipelines.targets.headers import IMMUTABLE, SHORT, media_type, media_types
from pipelines.targets.store import AlreadyThere, Objects
from pipelines.targets.target import Progress, Receipt, TargetError
from pipelines.targets.trial import try_out

WORKERS = 8
# A file is sent as one request and held in memory while that lasts. Larger ones go one at a time.
LARGE_BYTES = 16 * 1024 * 1024
# What S3 takes in one request; only such a request can be told not to overwrite.
LARGEST_BYTES = 5 * 1024**3


@dataclass
class _Tally:
    """What was done so far."""

    sent: int = 0
    kept: int = 0
    removed: int = 0
    sent_bytes: int = 0
    notes: list[str] = field(default_factory=list)

    def count(self, outcomes: Iterable[tuple[Item, bool]]) -> None:
        """Take in what became of each item: whether it had to be sent."""
        for item, was_sent in outcomes:
            self.sent += was_sent
            self.kept += not was_sent
            self.sent_bytes += item.size if was_sent else 0


@dataclass
class ObjectTarget:
    """A folder or a bucket that holds a copy of the public folder."""

    name: str
    objects: Objects

    def push(self, edition: Edition, progress: Progress) -> Receipt:
        """Send a release, then pages, then the catalogue, then `latest.json`; each is read back before the next.

        Releases that the catalogue names and the target lacks go first. Earlier releases from which an erasure
        took rows are replaced last, when `latest.json` leads to one that it did not touch.
        """
        self._refuse_what_is_older(edition)
        try_out(self.objects)
        tally = _Tally()
        missing, superseded = self._earlier_releases(edition)
        for version in missing:
            progress.say(f"release {version} is in the catalogue and not at {self.name} yet: it goes along")
            self._send_release(edition.other(version), progress, tally)
        self._send_release(edition.release, progress, tally)
        if edition.latest is not None:
            self._send_beside(edition, edition.latest, progress, tally)
            for version in superseded:
                self._send_release(edition.other(version), progress, tally)
            self._note_what_is_not_here(edition, tally)
        else:
            tally.notes.append(
                f"{edition.version} is not the newest release, so pages, catalogue and {LATEST} stay as they are"
            )
        return self._receipt(edition.version, tally)

    def withdraw(self, version: str, progress: Progress) -> Receipt:
        """Delete all objects of a version, its checksums first, unless a pointer of the target names it."""
        version_key(version)
        for name in (LATEST, *CATALOGUE):
            if _names(self.objects.read(name), version):
                raise TargetError(
                    f"target {self.name}: its {name} still names {version}: push the newest release first, then "
                    f"withdraw"
                )
        try_out(self.objects)  # a store that does not delete has to be known
        tally = _Tally()
        self._clear(version, progress, tally)
        return self._receipt(version, tally)

    def _receipt(self, version: str, tally: _Tally) -> Receipt:
        place = self.objects.place
        return Receipt(
            self.name, version, place, tally.sent, tally.kept, tally.removed, tally.sent_bytes, tuple(tally.notes)
        )

    # --- before anything is written ---

    def _pointer(self) -> Pointer | None:
        """What `latest.json` of the target says, None before the first push."""
        content = self.objects.read(LATEST)
        if content is None:
            return None
        try:
            return Pointer.model_validate_json(content)
        except ValidationError:
            raise TargetError(
                f"target {self.name}: its {LATEST} is none of ours: look whether {self.objects.place} is the "
                f"right place, and delete that file if it is"
            ) from None

    def _refuse_what_is_older(self, edition: Edition) -> None:
        """A target never goes back, and sample and live data never share one."""
        there = self._pointer()
        if there is None:
            return
        world = edition.release.manifest.world
        if there.world != world:
            raise TargetError(
                f"target {self.name}: holds {there.world} data and cannot take {world} data: use another target"
            )
        if edition.is_newest and version_key(there.version) > version_key(edition.version):
            raise TargetError(
                f"target {self.name}: its {LATEST} names {there.version}, which is newer than {edition.version}: "
                f"push from the home that made it. A target does not go back; what was wrong is mended by a "
                f"newer release"
            )

    def _refuse_what_is_too_large(self, release: Release) -> None:
        if large := [item for item in release.files if item.size > LARGEST_BYTES]:
            raise TargetError(
                f"target {self.name}: {large[0].name} is larger than 5 GiB, which no store of this kind takes in "
                f"one piece without overwriting: divide the dataset"
            )

    # --- releases ---

    def _earlier_releases(self, edition: Edition) -> tuple[list[str], list[str]]:
        """Versions in the catalogue: those that the target lacks, and those of which it has an old edition.

        A release whose checksums are there and the same is complete. Anything else is looked at when it is sent.
        """
        missing: list[str] = []
        superseded: list[str] = []
        for version in edition.listed:
            if version == edition.version:
                continue
            name = f"{RELEASES}/{version}/{CHECKSUMS}"
            if self.objects.read(name) != (edition.public / name).read_bytes():
                (superseded if self._is_superseded(edition.public, version) else missing).append(version)
        return missing, superseded

    def _is_superseded(self, public: Path, version: str) -> bool:
        """Whether the release here tells of an erasure that the one at the target does not know."""
        name = f"{RELEASES}/{version}/{MANIFEST}"
        there = self.objects.read(name)
        if there is None:
            return False
        return erasures_in(there) < erasures_in((public / name).read_bytes())

    def _send_release(self, release: Release, progress: Progress, tally: _Tally) -> None:
        """Create every file of a release that is not there, and read back all; the checksums last of all."""
        self._refuse_what_is_too_large(release)
        *files, checksums = release.files
        if self._is_superseded(release.folder.parent.parent, release.version):
            progress.say(f"release {release.version} was changed by an erasure: it is replaced at {self.name}")
            self._clear(release.version, progress, tally)
        names = [item.name for item in release.files]
        self.objects.tidy(names)
        folder = f"{RELEASES}/{release.version}"
        there = self.objects.sizes(folder)
        if strangers := sorted(there.keys() - set(names)):
            raise TargetError(
                f"target {self.name}: {strangers[0]} is not part of release {release.version}: look who put it "
                f"there, and delete it"
            )
        types = media_types(release.manifest)

        def send(item: Item) -> bool:
            kind = types.get(item.name, media_type(item.name))
            return self._create(item, kind, item.name in there, there.get(item.name), progress)

        progress.begin(f"release {release.version}", 2 * release.size_bytes)
        tally.count(_each(files, send))
        self.objects.settle(item.name for item in files)
        tally.count(_each([checksums], send))
        self.objects.settle([checksums.name])

    def _create(self, item: Item, kind: str, is_there: bool, size: int | None, progress: Progress) -> bool:
        """Create an object unless it is there, and compare all its bytes; returns whether it was created."""
        if is_there and size != item.size:
            raise self._differs(item.name)
        is_ours = False
        if not is_there:
            try:
                self.objects.create(item.name, item.path, {"Content-Type": kind, "Cache-Control": IMMUTABLE})
                is_ours = True
            except AlreadyThere:
                pass  # by another push, or by an attempt of our own whose answer was lost
        progress.advance(item.size)
        if not self._reads_back(item):
            if not is_ours:
                raise self._differs(item.name)
            # No reader knows of it yet, and it would be in the way of the next push for ever.
            self.objects.remove([item.name])
            raise self._damaged(item.name, "it was taken away again")
        progress.advance(item.size)
        return is_ours

    def _reads_back(self, item: Item) -> bool:
        """Whether all bytes of an object are as they should be; a second look tells the way from the store."""
        expected = (item.size, item.sha256)
        return self.objects.fingerprint(item.name) == expected or self.objects.fingerprint(item.name) == expected

    # --- what stands beside the releases ---

    def _send_beside(self, edition: Edition, latest: Item, progress: Progress, tally: _Tally) -> None:
        """Pages, catalogue, `latest.json`; then what nothing leads to any more is deleted."""
        beside = [*edition.pages, *edition.catalogue, latest]
        self.objects.tidy(item.name for item in beside)
        progress.begin("pages and catalogue", sum(item.size for item in beside))

        def send(item: Item) -> bool:
            return self._replace(item, progress)

        tally.count(_each(edition.pages, send))
        self.objects.settle(item.name for item in edition.pages)
        self._refuse_what_is_older(edition)  # somebody else may have pushed meanwhile
        for item in (*edition.catalogue, latest):
            tally.count([(item, send(item))])
            self.objects.settle([item.name])
        self._remove_lost_pages(edition, progress, tally)

    def _note_what_is_not_here(self, edition: Edition, tally: _Tally) -> None:
        """Versions that the target holds and this home does not; whether they should go is not known here."""
        for version in sorted(set(self.objects.folders(RELEASES)) - set(edition.listed)):
            tally.notes.append(
                f"{self.name} holds {version}, which is not here: if it was taken back, "
                f"`engagement withdraw {self.name} {version}` deletes it there"
            )

    def _replace(self, item: Item, progress: Progress) -> bool:
        """Write an object if its bytes differ, and read it back; returns whether it was written."""
        content = item.content()
        progress.advance(item.size)
        if self.objects.read(item.name) == content:
            return False
        self.objects.replace(item.name, content, {"Content-Type": media_type(item.name), "Cache-Control": SHORT})
        if not self._reads_back(item):
            raise self._damaged(item.name, "push again")
        return True

    def _remove_lost_pages(self, edition: Edition, progress: Progress, tally: _Tally) -> None:
        """Delete pages that the local folder no longer has, in the folders that it has pages in."""
        ours = {item.name for item in edition.pages}
        folders = sorted({name.split("/")[0] for name in ours if "/" in name})
        lost = sorted(name for folder in folders for name in self.objects.sizes(folder) if name not in ours)
        if lost:
            progress.say(f"{len(lost)} pages are gone here and are deleted at {self.name}")
            self.objects.remove(lost)
            tally.removed += len(lost)

    # --- deleting ---

    def _clear(self, version: str, progress: Progress, tally: _Tally) -> None:
        """Delete all objects of a version.

        Without its checksums, which go first, a release counts as incomplete. Its manifest goes last: it tells the
        next push that the rest was to be replaced, should this one be stopped.
        """
        folder = f"{RELEASES}/{version}"
        order = {f"{folder}/{CHECKSUMS}": 0, f"{folder}/{MANIFEST}": 2}
        names = sorted(self.objects.sizes(folder), key=lambda name: (order.get(name, 1), name))
        self.objects.tidy(names)
        if not names:
            return
        progress.say(f"{len(names)} objects of release {version} are deleted at {self.name}")
        self.objects.remove(names)
        if left := self.objects.sizes(folder):
            raise TargetError(
                f"target {self.name}: {min(left)} is still there after it was deleted: delete it there"
            )
        tally.removed += len(names)
        kept = " The store also keeps what is deleted, as older versions: delete those."
        tally.notes.append(
            f"objects of {version} were deleted; copies may live on in caches and mirrors: clear them too."
            + kept * self.objects.keeps_versions
        )

    # --- sentences ---

    def _differs(self, name: str) -> TargetError:
        return TargetError(
            f"target {self.name}: {name} is there with other bytes than here, and is never overwritten: compare "
            f"the two. If the one there is the wrong one, delete it there and push again"
        )

    def _damaged(self, name: str, remedy: str) -> TargetError:
        return TargetError(
            f"target {self.name}: {name} did not come back as it was sent, so the way there or the store is "
            f"faulty; {remedy}"
        )


def _each(items: Sequence[Item], act: Callable[[Item], bool]) -> list[tuple[Item, bool]]:
    """Do something with each item, the small ones several at a time; the first failure ends it."""
    small = [item for item in items if item.size <= LARGE_BYTES]
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            done = list(zip(small, pool.map(act, small), strict=True))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return [*done, *((item, act(item)) for item in items if item.size > LARGE_BYTES)]


def _names(content: bytes | None, version: str) -> bool:
    """Whether a pointer or a list leads to a version; that it tells of one that was withdrawn is no lead."""
    if content is None:
        return False
    try:
        return any(_leads(text, version) for text in _texts(orjson.loads(content)))
    except orjson.JSONDecodeError:
        return False


def _leads(text: str, version: str) -> bool:
    folder = f"{RELEASES}/{version}"
    return text == folder or text.startswith(f"{folder}/")


def _texts(document: object) -> Iterator[str]:
    """Every text in a JSON document."""
    if isinstance(document, str):
        yield document
    elif isinstance(document, Mapping):
        for value in document.values():
            yield from _texts(value)
    elif isinstance(document, list):
        for value in document:
            yield from _texts(value)
