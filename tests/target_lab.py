"""What the tests of targets share: two small releases, servers that speak S3, and a reader who trusts nothing.

Belongs here: real servers on this machine and what is pushed to them. Does not belong here: any expectation.
"""

from __future__ import annotations

import datetime as dt
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import duckdb
import httpx
import obstore
import orjson

from pipelines.contract import to_ddl
from pipelines.release.build import ReleaseInput, build_release
from pipelines.release.verify import verify_release
from pipelines.settings import Home
from pipelines.targets.edition import read_edition
from pipelines.targets.objects import ObjectTarget
from pipelines.targets.opening import open_target
from pipelines.targets.settings import FolderSettings, S3Settings
from pipelines.targets.target import Receipt
from tests.helpers import column, document, key, load

OLD, NEW = "2026.11.0", "2026.12.0"
KEY, SECRET = "ENGAGEMENT_TEST_KEY", "ENGAGEMENT_TEST_SECRET"
SIGNED_IN = {KEY: "AKTESTKEY0001", SECRET: "planted-secret-0c2f9a"}
BUCKET = "engagement"


# --- what is pushed -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Press:
    """A home in which a small dataset is released again and again, and pages stand beside it."""

    folder: Path

    @property
    def home(self) -> Home:
        return Home(self.folder / "home")

    @property
    def public(self) -> Path:
        return self.home.public

    def release(self, day: dt.date, rows: int) -> str:
        """Release so many rows, and write a page about them, as a site does."""
        contract = load(
            self.folder,
            document("public.things", [key("thing_code", 1), column("thing_count", "integer", required=True)]),
        )
        con = duckdb.connect(":memory:")
        con.execute("create schema public")
        con.execute(to_ddl(contract))
        con.execute(f"insert into {contract.table} select md5(i::text), hash(i) % 100000 from range({rows}) t(i)")
        made = build_release(
            con,
            ReleaseInput(
                home=self.home,
                world="sample",
                released_on=day,
                contracts=(contract,),
                minimum_rows={"things": "none"},
                inputs={},
                origins={"things": ()},
                code_digest="0" * 64,
            ),
        )
        for name in ("datasets/things.html", "assets/site.css", "feed.xml"):
            path = self.public / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"{name} of {made.version}\n", encoding="utf-8")
        return made.version


@dataclass(frozen=True)
class Publics:
    """The same public folder at two times: with one release, and with the next."""

    old: Path
    new: Path


def make_publics(folder: Path) -> Publics:
    """Make two releases of a small dataset; nothing of it may be changed by a test."""
    press = Press(folder)
    assert press.release(dt.date(2026, 11, 23), 300) == OLD
    old = Path(shutil.copytree(press.public, folder / "old" / "public"))
    assert press.release(dt.date(2026, 12, 7), 400) == NEW
    return Publics(old, press.public)


def files(folder: Path) -> dict[str, bytes]:
    """Every byte below a folder, by name."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@dataclass
class Told:
    """Progress that keeps what it is told."""

    sentences: list[str] = field(default_factory=list)
    steps: list[tuple[str, int]] = field(default_factory=list)
    done: int = 0

    def begin(self, step: str, size_bytes: int) -> None:
        self.steps.append((step, size_bytes))

    def advance(self, size_bytes: int) -> None:
        self.done += size_bytes

    def say(self, sentence: str) -> None:
        self.sentences.append(sentence)


def folder_target(path: Path, public: Path) -> ObjectTarget:
    """A target that is a folder; `public` is what would be pushed."""
    target = open_target("web", FolderSettings(kind="folder", path=path), public)
    assert isinstance(target, ObjectTarget)
    return target


def push(target: ObjectTarget, public: Path, version: str = "latest") -> Receipt:
    """Push without anybody looking on."""
    return target.push(read_edition(public, version), Told())


# --- who reads it -------------------------------------------------------------------------------------------


def everything_at(target: ObjectTarget) -> dict[str, bytes]:
    """Every byte that a target shows, by name, read without the code that pushes."""
    store = target.objects.store
    names = [entry["path"] for entries in obstore.list(store) for entry in entries]
    return {name: bytes(obstore.get(store, name).bytes()) for name in sorted(names)}


def version_that_readers_get(target: ObjectTarget, scratch: Path) -> str:
    """Follow `latest.json` as a reader does and verify the whole release that it leads to.

    Also what the lists name has to be there: every file of the catalogue, and each release to its last byte.
    """
    there = everything_at(target)
    pointer = orjson.loads(there["latest.json"])
    listed = {str(entry["path"]) for entry in orjson.loads(there["versions.json"])["versions"]}
    shutil.rmtree(scratch, ignore_errors=True)
    for name, content in there.items():
        path = scratch / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for folder in {str(pointer["path"]), *listed}:
        assert verify_release(scratch / folder) == [], folder
    for dataset in orjson.loads(there["catalog.json"])["datasets"]:
        assert {name for name in dataset["files"] if name not in there} == set()
    return str(pointer["version"])


# --- servers ------------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def serving(command: list[str], url: str, log: Path) -> Iterator[str]:
    """Run a server until the end of the block. Fails, and does not skip, where it does not start."""
    with log.open("wb") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        for _ in range(600):
            if server.poll() is not None:
                break
            try:
                httpx.get(url, trust_env=False)
            except httpx.TransportError:
                time.sleep(0.05)
                continue
            yield url
            return
        raise AssertionError(f"{command[0]} does not answer: {log.read_text(errors='replace')[-2000:]}")
    finally:
        server.terminate()
        server.wait()


@contextmanager
def moto(log: Path) -> Iterator[str]:
    """A server that speaks S3, with an empty bucket."""
    port = free_port()
    program = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with serving(program, f"http://127.0.0.1:{port}", log) as url:
        assert httpx.put(f"{url}/{BUCKET}", trust_env=False).status_code == 200
        yield url


@contextmanager
def rclone(log: Path, folder: Path) -> Iterator[str]:
    """A server that speaks S3 and overwrites although it is asked not to."""
    (folder / BUCKET).mkdir(parents=True)
    port = free_port()
    program = Path(sys.executable).parent / "rclone"
    keys = f"{SIGNED_IN[KEY]},{SIGNED_IN[SECRET]}"
    command = [str(program), "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", keys, str(folder)]
    with serving(command, f"http://127.0.0.1:{port}", log) as url:
        yield url


def bucket(
    url: str,
    public: Path,
    prefix: str = "",
    *,
    bucket_name: str = BUCKET,
    environment: Mapping[str, str] = SIGNED_IN,
) -> ObjectTarget:
    """A target in the bucket of a server; `public` is what would be pushed."""
    os.environ.update(environment)
    settings = S3Settings(
        kind="s3",
        endpoint=url,
        bucket=bucket_name,
        prefix=prefix,
        access_key=KEY,
        secret_key=SECRET,
        timeout_seconds=5,
    )
    target = open_target("shelf", settings, public)
    assert isinstance(target, ObjectTarget)
    return target


# --- kills --------------------------------------------------------------------------------------------------


def _push_and_tell(place: Path | tuple[str, str], public: Path, ready: Connection) -> None:
    """In a process of its own: say when it begins, push, say when it is done."""
    target = folder_target(place, public) if isinstance(place, Path) else bucket(place[0], public, place[1])
    edition = read_edition(public, "latest")
    ready.send("begins")
    target.push(edition, Told())
    ready.send("done")


def killed_push(place: Path | tuple[str, str], public: Path, after: float | None) -> tuple[bool, float]:
    """Push to a folder, or a server and a prefix, in a child, and kill it after so many seconds.

    Returns whether it was killed, and how long it took; without a number it is left to end.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    mine, its = context.Pipe(duplex=False)
    child = context.Process(target=_push_and_tell, args=(place, public, its))
    child.start()
    its.close()
    assert mine.recv() == "begins"
    started = time.perf_counter()
    if after is None:
        assert mine.recv() == "done"
    else:
        time.sleep(after)
        child.kill()
    took = time.perf_counter() - started
    child.join()
    return child.exitcode == -signal.SIGKILL, took
