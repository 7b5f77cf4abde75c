"""A stand-in for the Hugging Face Hub on 127.0.0.1: dataset repositories with commits, large files and tags.

Belongs here: the part of the Hub's HTTP API that reading and committing needs, and switches for what may go wrong.
Does not belong here: any expectation. `huggingface_hub`, the Hub's own client, judges it in
`test_huggingface.py`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

LARGE = (".parquet", ".zip")
PAGE = 5  # entries of a tree in one answer, so that a reader has to turn pages


@dataclass
class Commit:
    """All files at one time, by name: where the bytes are in git, or under which number beside it."""

    sha: str
    parents: tuple[str, ...]
    files: dict[str, tuple[bytes | None, str]]


@dataclass
class Repository:
    """Branch `main`, tags, and every commit that was ever made."""

    commits: dict[str, Commit]
    head: str
    tags: dict[str, str] = field(default_factory=dict)

    def resolve(self, revision: str) -> Commit | None:
        sha = self.head if revision == "main" else self.tags.get(revision, revision)
        return self.commits.get(sha)

    def reachable(self) -> set[str]:
        """Every commit that a branch or tag leads to: what people can get."""
        found, waiting = set(), [self.head, *self.tags.values()]
        while waiting:
            sha = waiting.pop()
            if sha not in found:
                found.add(sha)
                waiting += self.commits[sha].parents
        return found


@dataclass
class FakeHub:
    """All repositories of one user; `echo` makes errors repeat the request with its token.

    `damage` names a file that is given back with a changed byte; `fail_at` is the number of a request that is
    answered with `fail_status`.
    """

    token: str
    address: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    signed: list[str] = field(default_factory=list)
    echo: bool = False
    damage: str | None = None
    fail_at: int | None = None
    fail_status: int = 500
    lock: threading.RLock = field(default_factory=threading.RLock)

    def content(self, file: tuple[bytes | None, str]) -> bytes:
        return self.large[file[1]] if file[0] is None else file[0]

    def commit(self, repository: Repository, files: dict[str, tuple[bytes | None, str]], parents: Any) -> str:
        told = json.dumps([sorted((n, f[1]) for n, f in files.items()), list(parents), len(repository.commits)])
        sha = hashlib.sha1(told.encode(), usedforsecurity=False).hexdigest()
        repository.commits[sha] = Commit(sha, tuple(parents), files)
        repository.head = sha
        return sha


def git_number(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


class _Refused(Exception):  # noqa: N818 - an answer
    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status, self.code = status, code


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: FakeHub

    def _do(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers: dict[str, str] = {}
        with self.hub.lock:
            path = unquote(urlsplit(self.path).path)
            self.hub.requests.append((self.command, path))
            if "Authorization" in self.headers:
                self.hub.signed.append(path)
            try:
                self._fail_if_told()
                status, answer, headers = self._route(path.strip("/").split("/"), sent)
            except _Refused as refused:
                status, answer = refused.status, {"error": str(refused)}
                headers = {"X-Error-Code": refused.code} if refused.code else {}
                if self.hub.echo:
                    answer |= {"request": self.path, "headers": dict(self.headers)}
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _do  # noqa: N815 - the names that the server calls

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""

    def _fail_if_told(self) -> None:
        if self.hub.fail_at == len(self.hub.requests):
            raise _Refused(self.hub.fail_status, "not now")

    def _route(self, parts: list[str], sent: bytes) -> tuple[int, Any, dict[str, str]]:
        if parts[0] == "lfs":  # an address that was given out; whoever has it may write, and no token comes along
            self.hub.large[parts[1]] = sent
            return 200, b"", {}
        if self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            raise _Refused(401, "Invalid username or password.")
        match (self.command, *parts):
            case ("POST", "api", "repos", "create"):
                return self._create(json.loads(sent))
            case ("POST", "datasets", owner, name, "info", "lfs", "objects", "batch"):
                self._repository(f"{owner}/{name.removesuffix('.git')}")
                return 200, self._batch(json.loads(sent)), {}
            case ("GET" | "HEAD", "datasets", owner, name, "resolve", revision, *path):
                return self._download(self._repository(f"{owner}/{name}"), revision, "/".join(path))
            case (_, "api", "datasets", owner, name, *rest):
                return self._api(f"{owner}/{name}", rest, sent)
        raise _Refused(404, "not found")

    def _repository(self, name: str) -> Repository:
        if name not in self.hub.repositories:
            raise _Refused(404, "Repository not found", "RepoNotFound")
        return self.hub.repositories[name]

    def _create(self, asked: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        name = f"{asked['organization']}/{asked['name']}"
        url = f"{self.hub.address}/datasets/{name}"
        if name in self.hub.repositories:
            return 409, {"error": "You already created this dataset repo", "url": url}, {}
        made = Repository({}, "")
        attributes = b"*.parquet filter=lfs diff=lfs merge=lfs -text\n"
        self.hub.commit(made, {".gitattributes": (attributes, git_number(attributes))}, ())
        self.hub.repositories[name] = made
        return 200, {"url": url, "name": name, "id": "1"}, {}

    def _batch(self, asked: dict[str, Any]) -> dict[str, Any]:
        objects = []
        for one in asked["objects"]:
            upload = {"upload": {"href": f"{self.hub.address}/lfs/{one['oid']}", "header": {}}}
            objects.append({**one, **({} if one["oid"] in self.hub.large else {"actions": upload})})
        return {"transfer": "basic", "objects": objects}

    def _api(self, name: str, rest: list[str], sent: bytes) -> tuple[int, Any, dict[str, str]]:  # noqa: C901 - a table
        repository = self._repository(name)
        match (self.command, *rest):
            case ("GET",):
                return 200, self._about(name, repository, repository.resolve("main")), {}
            case ("GET", "revision", revision):
                return 200, self._about(name, repository, self._commit_of(repository, revision)), {}
            case ("GET", "refs"):
                refs = {"branches": [("main", "heads", repository.head)], "converts": [], "pullRequests": []}
                refs["tags"] = [(tag, "tags", sha) for tag, sha in repository.tags.items()]
                told = {
                    kind: [{"name": n, "ref": f"refs/{k}/{n}", "targetCommit": sha} for n, k, sha in entries]
                    for kind, entries in refs.items()
                }
                return 200, told, {}
            case ("GET", "tree", revision, *_):
                return self._tree(name, self._commit_of(repository, revision))
            case ("POST", "preupload", _):
                files = json.loads(sent)["files"]
                modes = [
                    {
                        "path": f["path"],
                        "uploadMode": "lfs" if f["path"].endswith(LARGE) else "regular",
                        "shouldIgnore": False,
                    }
                    for f in files
                ]
                return 200, {"files": modes}, {}
            case ("POST", "commit", "main"):
                return self._commit(name, repository, sent)
            case ("POST", "tag", revision):
                tag = json.loads(sent)["tag"]
                if tag in repository.tags:
                    raise _Refused(409, "Tag reference exists already")
                repository.tags[tag] = self._commit_of(repository, revision).sha
                return 200, {}, {}
            case ("DELETE", "tag", tag):
                if repository.tags.pop(tag, None) is None:
                    raise _Refused(404, "no such tag", "RevisionNotFound")
                return 200, {}, {}
            case ("POST", "super-squash", "main"):
                self.hub.commit(repository, dict(repository.commits[repository.head].files), ())
                return 200, {}, {}
        raise _Refused(404, "not found")

    def _commit_of(self, repository: Repository, revision: str) -> Commit:
        found = repository.resolve(revision)
        if found is None:
            raise _Refused(404, "Invalid rev id", "RevisionNotFound")
        return found

    def _about(self, name: str, repository: Repository, commit: Commit | None) -> dict[str, Any]:
        assert commit is not None
        siblings = [{"rfilename": path} for path in sorted(commit.files)]
        return {"id": name, "sha": commit.sha, "private": False, "siblings": siblings, "tags": [], "downloads": 0}

    def _tree(self, name: str, commit: Commit) -> tuple[int, Any, dict[str, str]]:
        query = urlsplit(self.path).query
        start = int(query.rpartition("cursor=")[2]) if "cursor=" in query else 0
        names = sorted(commit.files)
        entries = []
        for path in names[start : start + PAGE]:
            in_git, number = commit.files[path]
            size = len(self.hub.content(commit.files[path]))
            entry: dict[str, Any] = {"type": "file", "path": path, "size": size, "oid": number}
            if in_git is None:
                entry |= {
                    "oid": git_number(number.encode()),
                    "lfs": {"oid": number, "size": size, "pointerSize": 134},
                }
            entries.append(entry)
        headers = {}
        if start + PAGE < len(names):
            where = (
                f"{self.hub.address}/api/datasets/{name}/tree/{commit.sha}?recursive=true&cursor={start + PAGE}"
            )
            headers = {"Link": f'<{where}>; rel="next"'}
        return 200, entries, headers

    def _commit(self, name: str, repository: Repository, sent: bytes) -> tuple[int, Any, dict[str, str]]:
        lines = [json.loads(line) for line in sent.splitlines() if line.strip()]
        parent = lines[0]["value"].get("parentCommit")
        if parent is not None and parent != repository.head:
            raise _Refused(412, "A commit has happened since. Please refresh and try again.")
        files = dict(repository.commits[repository.head].files)
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                content = base64.b64decode(value["content"])
                files[value["path"]] = (content, git_number(content))
            elif line["key"] == "lfsFile":
                stored = self.hub.large.get(value["oid"])
                if stored is None or hashlib.sha256(stored).hexdigest() != value["oid"]:
                    raise _Refused(400, "Your push was rejected because an LFS pointer pointed to no file")
                files[value["path"]] = (None, value["oid"])
            elif line["key"] == "deletedFile":
                files.pop(value["path"])
        sha = self.hub.commit(repository, files, (repository.head,))
        url = f"{self.hub.address}/datasets/{name}/commit/{sha}"
        return 200, {"success": True, "commitOid": sha, "commitUrl": url}, {}

    def _download(self, repository: Repository, revision: str, path: str) -> tuple[int, Any, dict[str, str]]:
        commit = self._commit_of(repository, revision)
        if path not in commit.files:
            raise _Refused(404, "Entry not found", "EntryNotFound")
        content = self.hub.content(commit.files[path])
        if path == self.hub.damage:
            content = bytes([content[0] ^ 1]) + content[1:]
        return 200, content, {"X-Repo-Commit": commit.sha, "ETag": f'"{commit.files[path][1]}"'}


@contextmanager
def running_hub(token: str) -> Iterator[FakeHub]:
    """Run a Hub without repositories until the end of the block."""
    hub = FakeHub(token)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
