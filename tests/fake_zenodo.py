"""A stand-in for Zenodo's deposit API on 127.0.0.1: deposits, files in buckets, versions, publishing, one user.

Belongs here: what Zenodo does since it runs on InvenioRDM, as its documentation and its public source say, and
switches for what may go wrong. Does not belong here: any expectation. That it is no toy is judged by
`zenodo-client`, a client that others wrote for the real one; see `test_zenodo.py`.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

REQUIRED = ("title", "upload_type", "description", "creators")
TIME = "2026-11-23T12:00:00.000000+00:00"


@dataclass
class Deposit:
    """One version of a record, published or not."""

    number: int
    concept: int
    bucket: str
    metadata: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)
    submitted: bool = False


@dataclass
class FakeZenodo:
    """All deposits; `echo` makes errors repeat the request with its token, as a careless proxy does.

    `damage` names a file that is kept with one byte too many. `fail_next` are statuses for the next requests.
    """

    token: str
    address: str = ""
    deposits: dict[int, Deposit] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    echo: bool = False
    damage: str | None = None
    fail_next: list[int] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1001, 2))

    def versions(self, concept: int) -> list[Deposit]:
        return [one for one in self.deposits.values() if one.concept == concept]

    def latest(self, number: int) -> Deposit | None:
        """The newest published version of the record that a number belongs to."""
        concept = self.deposits[number].concept if number in self.deposits else number
        published = [one for one in self.versions(concept) if one.submitted]
        return max(published, key=lambda one: one.number, default=None)

    def make(self, metadata: dict[str, Any], concept: int | None = None) -> Deposit:
        number = next(self.numbers)
        made = Deposit(number, concept or number - 1, str(uuid.uuid4()), metadata)
        self.deposits[number] = made
        return made

    def shown(self, one: Deposit) -> dict[str, Any]:
        """A deposit as the API shows it."""
        base = f"{self.address}/api/deposit/depositions/{one.number}"
        drafts = [other for other in self.versions(one.concept) if not other.submitted]
        links = {
            "self": base,
            "html": f"{self.address}/uploads/{one.number}",
            "bucket": f"{self.address}/api/files/{one.bucket}",
            "files": f"{base}/files",
            "publish": f"{base}/actions/publish",
            "edit": f"{base}/actions/edit",
            "discard": f"{base}/actions/discard",
            "newversion": f"{base}/actions/newversion",
            **({"latest_draft": f"{self.address}/api/deposit/depositions/{drafts[0].number}"} if drafts else {}),
        }
        doi = f"10.5281/zenodo.{one.number}"
        reserved = {"prereserve_doi": {"doi": doi, "recid": one.number}}
        return {
            "id": one.number,
            "conceptrecid": str(one.concept),
            "record_id": one.number,
            "created": TIME,
            "modified": TIME,
            "owner": 1,
            "title": one.metadata.get("title", ""),
            "metadata": {**one.metadata, **reserved},
            "state": "done" if one.submitted else "unsubmitted",
            "submitted": one.submitted,
            "links": links,
            **({"files": [self.file(one, name) for name in one.files]} if one.files else {}),
            **({"doi": doi, "doi_url": f"https://doi.org/{doi}"} if one.submitted else {}),
        }

    def file(self, one: Deposit, name: str) -> dict[str, Any]:
        content = one.files[name]
        where = f"{self.address}/api/files/{one.bucket}/{name}"
        return {
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, where)),
            "filename": name,
            "filesize": len(content),
            "checksum": hashlib.md5(content, usedforsecurity=False).hexdigest(),
            "links": {"self": where, "download": where},
        }

    def stored(self, one: Deposit, name: str) -> dict[str, Any]:
        """A file as the API of buckets shows it."""
        about = self.file(one, name)
        return {
            "key": name,
            "size": about["filesize"],
            "checksum": f"md5:{about['checksum']}",
            "mimetype": "application/octet-stream",
            "version_id": about["id"],
            "created": TIME,
            "updated": TIME,
            "is_head": True,
            "delete_marker": False,
            "links": {"self": about["links"]["self"]},
        }


class _Refused(Exception):  # noqa: N818 - an answer
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    zenodo: FakeZenodo

    def _do(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.zenodo.lock:
            address = urlsplit(self.path)
            self.zenodo.requests.append((self.command, address.path))
            try:
                if self.zenodo.fail_next:
                    raise _Refused(self.zenodo.fail_next.pop(0), "not now")  # noqa: TRY301 - one answer for all
                asked = {name: values[0] for name, values in parse_qs(address.query).items()}
                self._sign_in(asked)
                parts = [unquote(part) for part in address.path.strip("/").split("/")]
                status, answer = self._route(parts[1:], asked, content)
            except _Refused as refused:
                status = refused.status
                answer = {"status": status, "message": str(refused)}
                if self.zenodo.echo:
                    answer |= {"request": self.path, "headers": dict(self.headers)}
        body = b"" if answer is None else answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = _do  # noqa: N815 - the names that the server calls

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""

    def _sign_in(self, asked: dict[str, str]) -> None:
        given = self.headers.get("Authorization", "").removeprefix("Bearer ") or asked.get("access_token")
        if given != self.zenodo.token:
            raise _Refused(401 if not given else 403, "The server could not verify that you are authorized")

    def _route(self, parts: list[str], asked: dict[str, str], content: bytes) -> tuple[int, Any]:
        match (self.command, *parts):
            case ("GET", "deposit", "depositions"):
                return 200, self._listed(asked)
            case ("POST", "deposit", "depositions"):
                metadata = dict((json.loads(content or b"{}")).get("metadata", {}))
                return 201, self.zenodo.shown(self.zenodo.make(metadata))
            case (_, "deposit", "depositions", number, *rest):
                return self._deposit(self._one(number), rest, content)
            case ("GET", "records", number, *_):
                latest = self.zenodo.latest(int(number))
                if latest is None:
                    raise _Refused(404, "The persistent identifier does not exist.")
                own = f"{self.zenodo.address}/api/records/{latest.number}"
                return 200, {"id": latest.number, "links": {"self": own, "latest": f"{own}/versions/latest"}}
            case (_, "files", bucket, name):
                return self._file(bucket, name, content)
        raise _Refused(404, "not found")

    def _listed(self, asked: dict[str, str]) -> list[dict[str, Any]]:
        size, page = int(asked.get("size", 10)), int(asked.get("page", 1))
        wanted = {"draft": False, "published": True}.get(asked.get("status", ""))
        found = [
            one
            for one in sorted(self.zenodo.deposits.values(), key=lambda one: -one.number)
            if wanted is None or one.submitted == wanted
        ]
        return [self.zenodo.shown(one) for one in found[(page - 1) * size : page * size]]

    def _one(self, number: str) -> Deposit:
        if not number.isdigit() or int(number) not in self.zenodo.deposits:
            raise _Refused(404, "The persistent identifier does not exist.")
        return self.zenodo.deposits[int(number)]

    def _deposit(self, one: Deposit, rest: list[str], content: bytes) -> tuple[int, Any]:
        match (self.command, *rest):
            case ("GET",):
                return 200, self.zenodo.shown(one)
            case ("PUT",):
                self._refuse_published(one)
                given = dict(json.loads(content)["metadata"])
                given.pop("prereserve_doi", None)
                one.metadata = given
                return 200, self.zenodo.shown(one)
            case ("DELETE",) | ("POST", "actions", "discard"):
                self._refuse_published(one)
                del self.zenodo.deposits[one.number]
                return 204, None
            case ("POST", "actions", "publish"):
                return self._publish(one)
            case ("POST", "actions", "newversion"):
                return 201, self.zenodo.shown(self._new_version(one))
        raise _Refused(404, "not found")

    def _publish(self, one: Deposit) -> tuple[int, Any]:
        self._refuse_published(one)
        if lacking := [name for name in REQUIRED if not one.metadata.get(name)]:
            raise _Refused(400, f"Validation error: {lacking}")
        if not one.files:
            raise _Refused(400, "Uploaded files are required.")
        one.submitted = True
        return 202, self.zenodo.shown(one)

    def _new_version(self, one: Deposit) -> Deposit:
        if not one.submitted or self.zenodo.latest(one.number) is not one:
            raise _Refused(404, "only the latest published version has a next one")
        draft = next((other for other in self.zenodo.versions(one.concept) if not other.submitted), None)
        if draft is None:
            draft = self.zenodo.make(dict(one.metadata), one.concept)
            draft.files = dict(one.files)
        return draft

    def _file(self, bucket: str, name: str, content: bytes) -> tuple[int, Any]:
        one = next((one for one in self.zenodo.deposits.values() if one.bucket == bucket), None)
        if one is None or (self.command != "PUT" and name not in one.files):
            raise _Refused(404, "not found")
        if self.command == "GET":
            return 200, one.files[name]
        self._refuse_published(one)
        if self.command == "DELETE":
            del one.files[name]
            return 204, None
        one.files[name] = content + (b"!" if name == self.zenodo.damage else b"")
        return 201, self.zenodo.stored(one, name)

    def _refuse_published(self, one: Deposit) -> None:
        if one.submitted:
            raise _Refused(403, "a published record does not change")


@contextmanager
def running_zenodo(token: str) -> Iterator[FakeZenodo]:
    """Run a Zenodo without deposits until the end of the block."""
    zenodo = FakeZenodo(token)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"zenodo": zenodo}))
    zenodo.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield zenodo
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
