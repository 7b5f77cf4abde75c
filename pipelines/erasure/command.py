"""What `engagement erase` does and says.

Belongs here: putting the parts together for the command line, and the words. Does not belong here: reading
arguments (`cli`), and the erasure itself (`erase`). Nothing that is printed names the account.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import click

from pipelines.erasure.erase import Counts, Place, carry_out, count, find, plan, resumed, today
from pipelines.erasure.journal import ErasureError, Pending, Reason, read_pending
from pipelines.settings import Home

Progress = Callable[[Callable[[], Any]], Any]


@dataclass(frozen=True)
class Request:
    """What was typed; without platform and account, an erasure that is under way is completed."""

    home: Path
    sources: str
    platform: str | None
    account: str | None
    reason: str
    is_word: bool


def run(request: Request, *, dry_run: bool, progress: Progress) -> None:
    """Erase, or say what would go. Errors: `ErasureError`, and those of the stores."""
    home = Home(request.home.resolve())
    if not home.root.is_dir():
        raise ErasureError(f"{home.root} is no home: name it with --home or ENGAGEMENT_HOME")
    place = _place(home)
    pending, shared = _pending(place, request)
    _say(count(place, pending, shared), is_dry=dry_run)
    if dry_run:
        return

    def publish() -> None:
        from pipelines.run import run_job

        outcome = progress(lambda: run_job("publish", home.root, request.sources, offline=True))
        if not outcome.success:
            raise ErasureError(
                f"the account is out of all that is stored, but no new release could be made: "
                f"{'; '.join(outcome.problems)}. Mend that, and run `engagement erase --resume`"
            )

    releases = carry_out(place, pending, publish, lambda step: click.echo(f"erase      {step}"))
    _say_what_is_left(releases)


def _place(home: Home) -> Place:
    from pipelines.assets import PROJECT
    from pipelines.observations import ObservationStore

    store = ObservationStore(home.observations, PROJECT.contracts, PROJECT.policy)
    return Place(home, store, PROJECT.layer("source"))


def _pending(place: Place, request: Request) -> tuple[Pending, int]:
    """The erasure to carry out, and how many of its handles stood for other accounts as well."""
    if request.platform is None or request.account is None:
        return resumed(place.home, is_word=request.is_word), 0
    if read_pending(place.home):
        raise ErasureError("another erasure is under way: run `engagement erase --resume` first")
    known = find(place, request.platform, request.account)
    reason = cast("Reason", request.reason)
    return plan(known, request.platform, reason, today(), is_word=request.is_word), known.shared


def _say(counts: Counts, *, is_dry: bool) -> None:
    click.echo(f"the account goes by {counts.handles} handles and {counts.ids} permanent ids here")
    if counts.shared:
        click.echo(f"{counts.shared} of its handles stood for another account as well, and stay with that")
    for where, rows in sorted(counts.rows.items()):
        click.echo(f"{rows:>8,}  {where}")
    if not counts.rows:
        click.echo(
            "nothing of it is stored here; it is kept from coming in" if not is_dry else "nothing of it is here"
        )
    if is_dry:
        click.echo("nothing was changed")


def _say_what_is_left(releases: tuple[str, ...]) -> None:
    """What only people can do."""
    click.echo("\nThe account is erased from this home. What is left to people:")
    if releases:
        listed = ", ".join(releases)
        click.echo(
            f"- releases {listed} were written anew: bring every copy up to date (servers, stores, archives),"
        )
        click.echo("  and delete the old files there, with what a store keeps of earlier versions of a file;")
        click.echo("- who downloaded them has the old rows: tell them where you can;")
    click.echo("- take the same out of backups of the home, or note that they are to be erased when restored;")
    click.echo("- if a source still lists the account, ask its publisher to take it off.")
