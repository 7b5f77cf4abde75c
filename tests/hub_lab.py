"""What the tests of portals and archives share: a push in a process of its own that is killed.

Belongs here: opening any kind of target in a child, and ending it. Does not belong here: any server.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import orjson

from pipelines.targets.edition import Edition, read_edition
from pipelines.targets.opening import open_target
from pipelines.targets.settings import AnySettings
from tests.target_lab import Told


def erased(edition: Edition, folder: Path) -> Edition:
    """A new edition of the same version, as an erasure makes it: fewer rows, told in the manifest.

    Whether such an edition is sound is for `verify` to say; what a push does about it is tested with this.
    """
    release = edition.release
    copy = Path(shutil.copytree(release.folder, folder / release.version))
    (copy / "quality.json").write_text('{"rules": "fewer"}\n', encoding="utf-8")
    table = next(copy.glob("*.parquet"))
    table.write_bytes(table.read_bytes() + b"without the rows of somebody")
    manifest = orjson.loads((copy / "manifest.json").read_bytes())
    manifest["erasures"] = [{"erasure": "4f1d", "erased_on": "2026-12-08", "reason": "asked", "rows": {}}]
    (copy / "manifest.json").write_bytes(orjson.dumps(manifest))
    items = []
    for item in release.files:
        content = (copy / item.name.split("/", 2)[2]).read_bytes()
        path, sha256 = copy / item.name.split("/", 2)[2], hashlib.sha256(content).hexdigest()
        items.append(replace(item, path=path, size=len(content), sha256=sha256))
    return replace(edition, release=replace(release, folder=copy, files=tuple(items)))


def _push_and_tell(
    name: str, settings: AnySettings, public: Path, environment: Mapping[str, str], ready: Connection
) -> None:
    os.environ.update(environment)
    target = open_target(name, settings, public)
    edition = read_edition(public, "latest")
    ready.send("begins")
    target.push(edition, Told())
    ready.send("done")


def killed_push(
    name: str, settings: AnySettings, public: Path, environment: Mapping[str, str], after: float | None
) -> tuple[bool, float]:
    """Push in a child and kill it so many seconds after it begins; without a number it is left to end.

    Returns whether it was killed, and how long it took.
    """
    context = multiprocessing.get_context("forkserver")
    mine, its = context.Pipe(duplex=False)
    child = context.Process(target=_push_and_tell, args=(name, settings, public, dict(environment), its))
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
