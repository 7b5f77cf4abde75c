"""Fetching a release from the address where it is published, to judge it as a folder.

Belongs here: what is fetched, in which bounds, and what is said when it does not come. Does not belong here:
judging what came (`verify`), and the polite collecting of sources: this asks one host for its own files, once.

Nothing that a server says is trusted before it is compared: no more is read of a file than the manifest says that
it has, names lead nowhere but into the folder, and no other host is asked. What a server sends packed is taken as
it comes, since a file that was stored packed has its hash in that form.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urljoin, urlsplit

import orjson

from pipelines.release.manifest import FileEntry, ManifestError, read_manifest, read_pointer, version_key
from pipelines.release.signing import SIGNATURE
from pipelines.release.verify import CHECKSUMS, path_fault

if TYPE_CHECKING:
    import httpx

Job = TypeVar("Job")
Found = TypeVar("Found")
Progress = Callable[[int, int], None]  # bytes that came, bytes that are expected
AT_ONCE = 6  # files that are fetched side by side
REDIRECTS = 3
ATTEMPTS = 3
SILENCE = 30.0  # seconds
# Files of which nothing says beforehand how large they are, in bytes.
POINTER_BYTES = 1 << 16
LIST_BYTES = 1 << 26
MANIFEST_BYTES = 1 << 24
SIGNATURE_BYTES = 1 << 12
MOST_VERSIONS = 2_000
LISTS = ("versions.json", "deltas.json", "catalog.json")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
PAGES = ("index.html", "latest.json", "manifest.json")  # what people copy from the bar of a browser


class RemoteError(Exception):
    """What an address did not give, in a sentence that names the file."""


@dataclass(frozen=True)
class Fetched:
    """What came: the release folder, the public folder around it if that was asked for, and what did not come."""

    release: Path
    public: Path | None
    faults: tuple[str, ...]


def is_address(place: str) -> bool:
    """Whether a place is meant as a web address and not as a folder."""
    return "://" in place


def fetch(address: str, into: Path, show: Progress | None = None) -> Fetched:
    """Fetch a release into a folder: the one at `…/v/<version>/`, else the newest of a public address.

    With the newest come the lists beside it and the manifests of all versions that they name. Files that do not
    come as they should are named in what is returned. Errors: `RemoteError` when there is no
    release to begin with.
    """
    import httpx

    base = _base(address)
    version = re.search(r"/v/([^/]+)/$", base)
    # What the environment says about proxies and certificates holds here as for everything else.
    with httpx.Client(timeout=SILENCE, headers={"Accept-Encoding": "identity"}, follow_redirects=False) as client:
        place = _Place(client, base)
        if version:
            return _one_release(place, into / version.group(1), show)
        return _newest_release(place, into, show)


def _base(address: str) -> str:
    """The folder that an address means. Errors: `RemoteError`."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        raise RemoteError("this is not an address such as https://data.example/") from None
    is_here = parts.hostname in LOOPBACK
    if not parts.hostname or parts.scheme not in ("https", "http") or (parts.scheme == "http" and not is_here):
        raise RemoteError(f"{parts.scheme}://{parts.hostname or ''}: give an address that begins with https://")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise RemoteError(f"{parts.hostname}: give the address of a folder, without user, query or fragment")
    folder, _, last = parts.path.rpartition("/")
    path = folder if last in ("", *PAGES) else parts.path
    return f"{parts.scheme}://{parts.netloc}{path.rstrip('/')}/"


# --- what is fetched ----------------------------------------------------------------------------------------


def _newest_release(place: _Place, public: Path, show: Progress | None) -> Fetched:
    """The newest release, the lists beside it, and the manifest of every version that the lists name."""
    place.save("latest.json", public, POINTER_BYTES)
    pointer = _read(lambda: read_pointer(public))
    if pointer is None or pointer.path != f"v/{pointer.version}" or not _is_version(pointer.version):
        raise RemoteError("latest.json: does not name a release")
    fetched = _one_release(place.inside(f"{pointer.path}/"), public / "v" / pointer.version, show)
    faults = list(fetched.faults)
    found = hashlib.sha256((fetched.release / "manifest.json").read_bytes()).hexdigest()
    if found != pointer.manifest_sha256:
        faults.append("latest.json: names another manifest.json than the one that is there")
    faults += _tried(lambda name: place.save(name, public, LIST_BYTES), LISTS)
    names = [f"v/{version}/manifest.json" for version in _announced(public) if version != pointer.version]
    faults += _tried(lambda name: place.save(name, public, MANIFEST_BYTES), names)
    return Fetched(fetched.release, public, tuple(faults))


def _one_release(place: _Place, folder: Path, show: Progress | None) -> Fetched:
    """All files of a release that its manifest lists, its checksums, and its signature if there is one."""
    place.save("manifest.json", folder, MANIFEST_BYTES)
    manifest = _read(lambda: read_manifest(folder))
    if odd := path_fault(manifest):
        raise RemoteError(odd)
    entries = manifest.every_file()
    total = sum(max(entry.bytes, 0) for entry in entries)
    if total > shutil.disk_usage(folder).free:
        raise RemoteError(f"the release has {total / 1e9:.1f} GB, more than fits on the disk of {folder.parent}")
    done = 0

    def fetched(size: int) -> None:
        nonlocal done
        done += size
        if show:
            show(done, total)

    faults = [
        *_tried(lambda entry: place.save_listed(entry, folder), entries, lambda entry: fetched(entry.bytes)),
        *_tried(lambda name: place.save(name, folder, LIST_BYTES), [CHECKSUMS]),
        *_tried(lambda name: place.save(name, folder, SIGNATURE_BYTES, may_be_absent=True), [SIGNATURE]),
    ]
    return Fetched(folder, None, tuple(faults))


def _announced(public: Path) -> list[str]:
    """The versions that `versions.json` lists, if it can be read; what is wrong with it is found later."""
    try:
        listed = orjson.loads((public / "versions.json").read_bytes())["versions"]
        versions = [str(entry["version"]) for entry in listed]
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
        return []
    return sorted({version for version in versions[:MOST_VERSIONS] if _is_version(version)})


def _is_version(text: str) -> bool:
    try:
        version_key(text)
    except ManifestError:
        return False
    return True


def _read(reader: Callable[[], Found]) -> Found:
    """What a reader makes of a file that came; a path of this machine means nothing to whoever asked."""
    try:
        return reader()
    except ManifestError as error:
        raise RemoteError(re.sub(r"^.*/(?=[\w.]+: )", "", str(error))) from None


def _tried(do: Callable[[Job], None], jobs: Sequence[Job], then: Callable[[Job], None] | None = None) -> list[str]:
    """Do several things side by side; returns what did not work, in the order of the jobs."""
    faults: dict[int, str] = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        places = {pool.submit(do, job): place for place, job in enumerate(jobs)}
        try:
            for future in as_completed(places):
                if then:
                    then(jobs[places[future]])
                try:
                    future.result()
                except RemoteError as error:
                    faults[places[future]] = str(error)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [faults[place] for place in sorted(faults)]


# --- one file -----------------------------------------------------------------------------------------------


class _TryAgainError(RemoteError):
    """What may go well in a moment."""


@dataclass(frozen=True)
class _Received:
    """What came of a file: how many bytes, their hash, the first of them, and how the server packed them."""

    size: int
    sha256: str
    start: bytes
    packing: str

    @property
    def is_page(self) -> bool:
        """Whether a web page came, such as one that says that something is wrong."""
        return self.start.lstrip().lower().startswith((b"<!doctype html", b"<html"))


@dataclass(frozen=True)
class _Place:
    """A folder on the web."""

    client: httpx.Client
    base: str

    def inside(self, path: str) -> _Place:
        """A folder in this one."""
        return _Place(self.client, urljoin(self.base, path))

    def save(self, name: str, folder: Path, most: int, *, may_be_absent: bool = False) -> None:
        """Fetch a file of unknown size into a folder. Errors: `RemoteError`, unless it `may_be_absent`."""
        came = self._receive(name, folder / name, most, may_be_absent=may_be_absent)
        if came is None:
            return
        if came.size > most:
            raise RemoteError(f"{name}: is larger than {most} bytes; that is not what a release has")
        if came.is_page:
            raise RemoteError(f"{name}: a web page came instead of the file")

    def save_listed(self, entry: FileEntry, folder: Path) -> None:
        """Fetch a file that a manifest lists into a folder. Errors: `RemoteError` when something else comes."""
        came = self._receive(entry.path, folder / entry.path, entry.bytes)
        if came is None or (came.size, came.sha256) == (entry.bytes, entry.sha256):
            return
        if came.is_page and not entry.path.endswith(".html"):
            raise RemoteError(f"{entry.path}: a web page came instead of the file")
        packed = f" (the server packs it as {came.packing}: turn that off)" if came.packing else ""
        if came.size > entry.bytes:
            raise RemoteError(f"{entry.path}: is larger than the {entry.bytes} bytes of the manifest{packed}")
        if came.size < entry.bytes:
            raise RemoteError(f"{entry.path}: ends after {came.size} of {entry.bytes} bytes{packed}")
        raise RemoteError(f"{entry.path}: its SHA-256 is not the one in the manifest{packed}")

    def _receive(self, name: str, path: Path, most: int, *, may_be_absent: bool = False) -> _Received | None:
        import httpx
        import stamina
        from stamina.instrumentation import LoggingOnRetryHook, set_on_retry_hooks

        set_on_retry_hooks([LoggingOnRetryHook])
        attempts = stamina.retry_context(
            on=(_TryAgainError, httpx.TransportError),
            attempts=ATTEMPTS,
            wait_initial=0.5,
            wait_max=5.0,
            timeout=None,
        )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            for attempt in attempts:
                with attempt:
                    return self._receive_once(name, path, most, may_be_absent=may_be_absent)
        except httpx.HTTPError as error:
            raise RemoteError(f"{name}: cannot be fetched ({type(error).__name__})") from None
        except OSError as error:
            raise RemoteError(f"{name}: cannot be written ({error.strerror})") from None
        raise AssertionError("unreachable")  # pragma: no cover - the last attempt returns or raises

    def _receive_once(self, name: str, path: Path, most: int, *, may_be_absent: bool) -> _Received | None:
        """Write what comes to the disk, one byte more than expected at the most."""
        with self._opened(name) as response:
            if response.status_code == 404 and may_be_absent:
                return None
            if response.status_code != 200:
                kind = (
                    _TryAgainError if response.status_code == 429 or response.status_code >= 500 else RemoteError
                )
                said = "is not there" if response.status_code in (404, 410) else "cannot be had"
                raise kind(f"{name}: {said} (status {response.status_code})")
            digest, size, start = hashlib.sha256(), 0, b""
            with path.open("wb") as file:
                for piece in _pieces(name, response, most):
                    digest.update(piece)
                    size += len(piece)
                    start = start or piece[:512]
                    file.write(piece)
            packing = response.headers.get("content-encoding", "identity").lower()
            return _Received(size, digest.hexdigest(), start, "" if packing == "identity" else packing)

    @contextmanager
    def _opened(self, name: str) -> Iterator[httpx.Response]:
        """The answer about a file; the same host may lead elsewhere on itself a few times."""
        address = urljoin(self.base, name)
        for _ in range(REDIRECTS + 1):
            with self.client.stream("GET", address) as response:
                if not response.has_redirect_location:
                    yield response
                    return
                there = urljoin(address, response.headers["location"])
            if _host(there) != _host(address):
                raise RemoteError(f"{name}: the server leads to another one, {urlsplit(there).hostname}; ask that")
            address = there
        raise RemoteError(f"{name}: the server leads in circles")


def _host(address: str) -> tuple[str, str]:
    parts = urlsplit(address)
    return parts.scheme, parts.netloc


def _pieces(name: str, response: httpx.Response, most: int) -> Iterator[bytes]:
    """The bytes as they were stored, until there is one more than there may be."""
    import httpx

    size = 0
    try:
        for piece in response.iter_raw():
            size += len(piece)
            yield piece[: len(piece) - max(0, size - most - 1)]
            if size > most:
                return
    except httpx.RemoteProtocolError:
        raise _TryAgainError(f"{name}: the connection broke off after {size} bytes") from None
