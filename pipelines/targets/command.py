"""What `engagement push` and `engagement withdraw` do, and how it is shown in a terminal.

Belongs here: from names to a target, and progress on the screen. Does not belong here: any one kind of target.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.targets.edition import RELEASES, read_edition
from pipelines.targets.opening import open_target
from pipelines.targets.settings import load_targets, one_target, targets_file
from pipelines.targets.target import Passing, Progress, Receipt, TargetError

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID
    from stamina.instrumentation import RetryDetails


def push(public: Path, target: str, version: str, file: Path | None, progress: Progress) -> Receipt:
    """Push a release of a public folder to a target of the list. Errors: `TargetError`, `SettingsError`."""
    settings = one_target(load_targets(file or targets_file()), target)
    opened = open_target(target, settings, public)  # a missing credential shows before the release is read
    return opened.push(read_edition(public, version), progress)


def publish_draft(public: Path, target: str, version: str, file: Path | None, progress: Progress) -> Receipt:
    """Publish what a push left as a draft. Errors: `TargetError`, also where a target has no drafts."""
    from pipelines.targets.zenodo import ZenodoTarget

    settings = one_target(load_targets(file or targets_file()), target)
    opened = open_target(target, settings, public)
    if not isinstance(opened, ZenodoTarget):
        raise TargetError(f"target {target}: has no drafts: what was pushed is published")
    return opened.publish(read_edition(public, version), progress)


def withdraw(public: Path, target: str, version: str, file: Path | None, progress: Progress) -> Receipt:
    """Delete a version at a target, once the public folder no longer has it. Errors: `TargetError`."""
    settings = one_target(load_targets(file or targets_file()), target)
    if (public / RELEASES / version).exists():
        raise TargetError(
            f"release {version} stands in {public}, and the next push would bring it back: it is withdrawn here "
            f"first, then at a target"
        )
    return open_target(target, settings, public).withdraw(version, progress)


def in_words(receipt: Receipt) -> list[str]:
    """What a push or withdrawal did, in lines for a terminal."""
    did = [f"{receipt.sent} sent"] if receipt.sent else []
    did += [f"{receipt.kept} there already"] if receipt.kept else []
    did += [f"{receipt.removed} deleted"] if receipt.removed else []
    return [
        f"{receipt.target} has {receipt.version}: {', '.join(did)}; all read back"
        if receipt.sent or receipt.kept
        else f"{receipt.target}: {', '.join(did) or 'nothing was there'}",
        f"place    {receipt.place}",
        *(f"note     {note}" for note in receipt.notes),
    ]


@contextmanager
def on_terminal() -> Iterator[Progress]:
    """Progress with bytes, speed and time left on a terminal, and in sentences elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars
    from stamina.instrumentation import set_on_retry_hooks

    console = Console(stderr=True, highlight=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        shown = _Shown(bars)
        set_on_retry_hooks([shown.wait])
        try:
            yield shown
        finally:
            set_on_retry_hooks(None)


class _Shown:
    """Progress as bars, one step after another."""

    def __init__(self, bars: Bars) -> None:
        self.bars = bars
        self.task: TaskID | None = None

    def begin(self, step: str, size_bytes: int) -> None:
        if self.task is not None:
            self.bars.remove_task(self.task)
        self.task = self.bars.add_task(step, total=size_bytes)

    def advance(self, size_bytes: int) -> None:
        if self.task is not None:
            self.bars.advance(self.task, size_bytes)

    def wait(self, details: RetryDetails) -> None:
        """Say that something is tried again, and why; only errors in our own words are shown."""
        why = f"{details.caused_by}: " if isinstance(details.caused_by, Passing) else ""
        self.say(f"{why}trying again in {details.wait_for:.0f} s")

    def say(self, sentence: str) -> None:
        self.bars.console.print(sentence, markup=False, soft_wrap=True)
