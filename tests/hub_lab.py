"""What the tests of portals and archives share: a push in a process of its own that is killed.

Belongs here: opening any kind of target in a child, and ending it. Does not belong here: any server.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path

from pipelines.targets.edition import read_edition
from pipelines.targets.opening import open_target
from pipelines.targets.settings import AnySettings
from tests.target_lab import Told


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
