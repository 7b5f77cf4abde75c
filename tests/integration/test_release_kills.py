"""A build that is killed at any moment: readers meet the old release or the new one, and the next build completes.

A hundred processes (thirty outside CI) build a release of a small warehouse and are killed by SIGKILL, each at a
random moment of a random phase. They are forks of one that has everything imported already, so that a kill costs a
fraction of a second. The main job itself is killed in `tests/pipeline/test_sample_publish.py`.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.release.build import Outcome, pointer_faults, pointers
from pipelines.release.manifest import read_pointer, released_versions
from pipelines.release.signing import PublicKey, new_keys, read_public_key, signature_fault
from pipelines.release.verify import sha256_of, verify_release
from tests.kill_worker import publish
from tests.release_press import PHASES, Press

KILLS = 100 if os.environ.get("CI") else 30  # a hundred take a minute or two, which is for CI to wait
SEED = 20261123
POINTERS = ("versions.json", "deltas.json", "catalog.json", "latest.json")
PUBLICATION = PHASES[PHASES.index("flush") :]  # from here on a kill may leave something to complete


@dataclass(frozen=True)
class Mark:
    """That a phase began, and how many seconds after the phase before."""

    phase: str
    after: float


@dataclass(frozen=True)
class Runner:
    """Starts processes that build a release, and kills them."""

    press: Press
    context: multiprocessing.context.ForkServerContext

    def run(self, marks: int | None = None, delay: float = 0.0) -> list[Mark]:
        """Build in a process of its own; kill it `delay` seconds after its n-th mark, or not at all."""
        assert self.press.signing_key is not None
        ours, theirs = self.context.Pipe(duplex=False)
        process = self.context.Process(target=publish, args=(self.press.folder, self.press.signing_key, theirs))
        process.start()
        theirs.close()
        found: list[Mark] = []
        last = time.perf_counter()
        try:
            while True:
                if marks is not None and len(found) == marks:
                    time.sleep(delay)
                    process.kill()
                    marks = None
                phase = ours.recv_bytes().decode()
                now = time.perf_counter()
                found.append(Mark(phase, now - last))
                last = now
        except EOFError:
            process.join()
        expected = 0 if found and found[-1].phase == "finished" else -signal.SIGKILL
        assert process.exitcode in (expected, -signal.SIGKILL), "the build failed of itself"
        return found


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def seen(public: Path) -> dict[str, bytes]:
    """The files beside the releases, as far as there are any."""
    return {name: (public / name).read_bytes() for name in POINTERS if (public / name).exists()}


def judge_killed(public: Path, before: dict[str, bytes], old: dict[str, bytes], key: PublicKey) -> None:
    """A reader meets a whole publication: what was released stands, and the pointer leads to what verifies."""
    now = files(public / "v")
    assert {name: now.get(name) for name in old} == old, "an older release changed"
    for folder in sorted((public / "v").glob("2*")):
        if f"{folder.name}/manifest.json" not in old:
            assert verify_release(folder, key) == [], "what is visible is whole and signed"
    pointer = read_pointer(public)
    if "latest.json" not in before and pointer is None:
        return
    assert pointer is not None
    folder = public / pointer.path
    assert sha256_of(folder / "manifest.json") == pointer.manifest_sha256
    assert signature_fault(folder, key) is None
    if (public / "latest.json").read_bytes() != before.get("latest.json"):
        assert seen(public) == {name: pointers(public)[name] for name in POINTERS}, "latest.json was not the last"


def judge_rerun(press: Press, outcome: Outcome, key: PublicKey) -> None:
    """The build after a killed one leaves a publication in which nothing is missing and nothing is too much."""
    pointer = read_pointer(press.public)
    assert pointer is not None
    assert pointer.version == outcome.version
    assert verify_release(outcome.folder, key) == []
    assert pointer_faults(press.public) == []
    assert seen(press.public) == {name: pointers(press.public)[name] for name in POINTERS}
    assert {path.name for path in press.public.iterdir()} == {*POINTERS, "minisign.pub", "v"}
    assert sorted(path.name for path in (press.public / "v").iterdir()) == sorted(released_versions(press.public))
    assert not press.home.staging.exists() or not list(press.home.staging.iterdir())


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    secret, _ = new_keys(tmp_path / "keys", None)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.kill_worker"])
    return Runner(Press(tmp_path, secret), context)


def test_kills_leave_a_publication_that_verifies_and_a_rerun_completes(
    runner: Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    press, moments = runner.press, random.Random(SEED)  # noqa: S311 - which moments, not a secret
    key = read_public_key(str(press.folder / "keys" / "minisign.pub"))
    press.fill(1)
    first = runner.run()
    assert {mark.phase for mark in first} == set(PHASES), "every phase is told"
    killed: Counter[str] = Counter()
    left = 0
    for number in range(KILLS):
        if number % 10 == 0:  # a kill before there is any release
            shutil.rmtree(press.home.root)
        press.fill(number + 2)
        before, old = seen(press.public), files(press.public / "v")
        place = moments.randrange(1, len(first))
        marks = runner.run(place, moments.uniform(0, first[place].after))
        killed[marks[-1].phase] += 1
        judge_killed(press.public, before, old, key)
        after = seen(press.public)
        outcome = press.release()
        judge_rerun(press, outcome, key)
        complete = seen(press.public)
        mixed = {n for n, content in after.items() if content not in (before.get(n), complete[n])}
        assert mixed == set(), "a file beside the releases was half written"
        left += after.get("latest.json") != complete["latest.json"]
    told = ", ".join(f"{phase} {killed[phase]}" for phase in PHASES)
    with capsys.disabled():
        print(f"\n{KILLS} kills, by the phase they hit: {told}; {left} left latest.json as it was")
    assert killed.total() == KILLS
    assert len(killed) >= 6, "the kills are spread"
    assert killed["finished"] < KILLS / 4, "most of them hit a build at work"
    assert sum(killed[phase] for phase in PUBLICATION) >= KILLS / 4
