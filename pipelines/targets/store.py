"""Objects of a store, behind five verbs: list, read, create, replace, remove.

Belongs here: what obstore is asked for, retries, and errors as sentences. Does not belong here: which object comes
when (`objects`), and whether the store keeps its word (`trial`).

The text of an error of obstore holds addresses, and the answers of servers, which may repeat a request with its
signature. None of it is passed on: a message here is made of our own words and at most a status.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import stamina

from pipelines.targets.target import Passing, TargetError

if TYPE_CHECKING:
    from obstore.store import LocalStore, S3Store

Result = TypeVar("Result")
ATTEMPTS = 4
PIECE = 4 * 1024 * 1024
REASONS = (
    (re.compile(r"no space left|os error 28|quota", re.IGNORECASE), "its disk is full"),
    (re.compile(r"permission denied|os error 13", re.IGNORECASE), "it may not be written"),
    (re.compile(r"read-only file system|os error 30", re.IGNORECASE), "it may not be written"),
    (re.compile(r"not a directory|os error 20|is a directory|os error 21", re.IGNORECASE), "a file is in the way"),
    (re.compile(r"timed ?out", re.IGNORECASE), "it did not answer in time"),
    (re.compile(r"incomplete|decode|body|end of file|reset|closed", re.IGNORECASE), "the connection broke off"),
    (re.compile(r"connect|dns|sending request", re.IGNORECASE), "it cannot be reached"),
)
FINAL = range(300, 500)  # asking again does not help, except after these
WAIT = (408, 409, 425, 429)
STATUS = re.compile(r"\b(?:status(?: code)?|response)\D{0,24}([1-5]\d\d)\b", re.IGNORECASE)


class AlreadyThere(Exception):  # noqa: N818 - an answer, not a failure
    """An object of that name exists, so it was not created."""


@dataclass
class Objects:
    """The objects of one store below one prefix; every method may be called from several threads.

    `credentials` names the variables that hold them, for messages.
    """

    target: str
    store: LocalStore | S3Store
    place: str
    credentials: Sequence[str] = ()
    has_headers: bool = True
    attempts: int = ATTEMPTS
    # Whether the store said that it keeps what is overwritten or deleted.
    keeps_versions: bool = field(default=False, init=False)

    # --- reading ---

    def sizes(self, folder: str) -> dict[str, int]:
        """The names and sizes of all objects below a folder; the whole store for an empty name."""
        import obstore

        def collect() -> dict[str, int]:
            found = obstore.list(self.store, folder or None)
            return {entry["path"]: entry["size"] for entries in found for entry in entries}

        return self._do(f"list {folder or 'what is there'}", collect)

    def folders(self, folder: str) -> list[str]:
        """The names of the folders directly in a folder."""
        import obstore

        found = self._do(
            f"list {folder}", lambda: obstore.list_with_delimiter(self.store, folder)["common_prefixes"]
        )
        return sorted(path.rpartition("/")[2] for path in found)

    def read(self, name: str) -> bytes | None:
        """The bytes of a small object, None where there is none."""
        import obstore

        def get() -> bytes | None:
            try:
                return bytes(obstore.get(self.store, name).bytes())
            except FileNotFoundError:
                return None

        return self._do(f"read {name}", get)

    def read_part(self, name: str, start: int, end: int) -> bytes:
        """A part of an object, without its last byte `end`, as readers of Parquet ask for it."""
        import obstore

        return self._do(
            f"read a part of {name}", lambda: bytes(obstore.get_range(self.store, name, start=start, end=end))
        )

    def fingerprint(self, name: str) -> tuple[int, str] | None:
        """Size and SHA-256 of an object, from all of its bytes, None where there is none."""
        import obstore

        def hash_all() -> tuple[int, str] | None:
            sha256, size = hashlib.sha256(), 0
            try:
                pieces = obstore.get(self.store, name).stream(min_chunk_size=PIECE)
                for piece in pieces:
                    sha256.update(piece)
                    size += len(piece)
            except FileNotFoundError:
                return None
            return size, sha256.hexdigest()

        return self._do(f"read {name}", hash_all)

    # --- writing ---

    def create(self, name: str, content: bytes | Path, headers: Mapping[str, str]) -> None:
        """Write a new object. Errors: `AlreadyThere` where one of that name exists; it stays as it is."""
        import obstore
        from obstore.exceptions import AlreadyExistsError

        if isinstance(content, Path) and not content.is_file():
            raise TargetError(f"{content} is gone since it was listed: push again")

        def put() -> None:
            try:
                # As one request: a store can be asked for a condition on no other kind of upload.
                done = obstore.put(
                    self.store,
                    name,
                    content,
                    mode="create",
                    attributes=dict(headers) if self.has_headers else None,
                )
            except AlreadyExistsError:
                raise AlreadyThere(name) from None
            self.keeps_versions |= bool(done["version"])

        self._do(f"write {name}", put)

    def replace(self, name: str, content: bytes, headers: Mapping[str, str]) -> None:
        """Write an object, over the one of that name if there is one; readers see the old or the new."""
        import obstore

        def put() -> None:
            attributes = dict(headers) if self.has_headers else None
            obstore.put(self.store, name, content, mode="overwrite", attributes=attributes, use_multipart=False)

        self._do(f"write {name}", put)

    def remove(self, names: Iterable[str]) -> None:
        """Delete objects one after another; one that is gone already is no error."""
        import obstore

        for name in names:

            def delete(name: str = name) -> None:
                with contextlib.suppress(FileNotFoundError):
                    obstore.delete(self.store, name)

            self._do(f"delete {name}", delete)

    def clear(self, folder: str) -> None:
        """Delete every object whose name begins with this folder."""
        self.remove(self.sizes(folder))

    def tidy(self, names: Iterable[str]) -> None:
        """Take away what killed writers of these objects left; object stores leave nothing that is visible."""

    def settle(self, names: Iterable[str]) -> None:
        """Have these objects survive a power cut; object stores promise that with their answer."""

    # --- failing ---

    def _do(self, act: str, call: Callable[[], Result]) -> Result:
        """Call, again where that may help. Errors: `TargetError` that names target, act and remedy."""
        try:
            for attempt in stamina.retry_context(
                on=Passing, attempts=self.attempts, timeout=None, wait_initial=0.5, wait_max=15.0
            ):
                with attempt:
                    return self._plainly(act, call)
        except Passing as failure:
            raise TargetError(
                f"{failure}, {self.attempts} times over; the same command goes on from here"
            ) from None
        raise AssertionError("stamina ends with a result or an error")

    def _plainly(self, act: str, call: Callable[[], Result]) -> Result:
        """Call, and put a failure into our own words."""
        from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

        try:
            return call()
        except (PermissionDeniedError, UnauthenticatedError, PermissionError):
            raise TargetError(f"target {self.target}: may not {act}: {self._rights()}") from None
        except FileNotFoundError:
            raise self._not_there(act) from None
        except (BaseError, OSError, NotImplementedError, ValueError) as error:
            why, status = reason(error)
            if status == 404:
                raise self._not_there(act) from None
            if status in FINAL and status not in WAIT:
                raise TargetError(
                    f"target {self.target}: could not {act}: {why}; look whether bucket, region and endpoint are "
                    f"right, and whether the store speaks S3"
                ) from None
            raise Passing(f"target {self.target}: could not {act}: {why}") from None

    def _not_there(self, act: str) -> TargetError:
        return TargetError(
            f"target {self.target}: could not {act}: {self.place} is not there: make it, or correct the list of "
            f"targets"
        )

    def _rights(self) -> str:
        if not self.credentials:
            return f"give this user the right to write {self.place}"
        return f"check the credentials in {', '.join(self.credentials)}, and what they may do in {self.place}"


@dataclass
class DiskObjects(Objects):
    """Objects that are files below a folder of this machine."""

    root: Path = field(default_factory=Path)

    def clear(self, folder: str) -> None:
        """Delete the files below a folder, also those that a killed writer had not yet linked to their name."""
        super().clear(folder)
        for left in (self.root / folder).glob("*#*"):  # obstore does not list them
            left.unlink(missing_ok=True)

    def tidy(self, names: Iterable[str]) -> None:
        """Take away files such as `x.parquet#1`, which obstore writes before it links them to their name."""
        for name in names:
            path = self.root / name
            for left in path.parent.glob(f"{glob_escape(path.name)}#*"):
                if left.name.rpartition("#")[2].isdigit():
                    left.unlink(missing_ok=True)

    def settle(self, names: Iterable[str]) -> None:
        """Ask the disk to keep the files, and then the folders that they stand in."""
        paths = [self.root / name for name in names]
        folders = {parent for path in paths for parent in path.parents if parent.is_relative_to(self.root)}
        for path in [*paths, *sorted(folders, reverse=True)]:
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def reason(error: Exception) -> tuple[str, int | None]:
    """Why a store failed, in words of our own, and the status of its answer where there was one.

    Nothing of the error's text is repeated but the three digits of that status.
    """
    text = str(error)
    if found := STATUS.search(text.partition("\n")[0]):
        return f"it answered with status {found.group(1)}", int(found.group(1))
    return next((words for pattern, words in REASONS if pattern.search(text)), "its answer cannot be used"), None


def glob_escape(name: str) -> str:
    """A file name as a pattern that matches nothing else."""
    return re.sub(r"([*?\[])", r"[\1]", name)
