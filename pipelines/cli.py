"""The command line: publish, pull, verify, sign, push, status, query, diff, check, new and more.

Belongs here: reading arguments, showing progress, and turning errors into sentences with an exit code. Does not
belong here: the work; a command calls the same functions that Dagster and the tests call.
Exit codes: 0 done, 1 the data or a release is not good, 2 the call was wrong.
"""

from __future__ import annotations

import datetime as dt
import functools
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.settings import Home, SettingsError, default_home

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from pipelines.collect import Tally

HOME = click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Folder for everything a run writes. [default: ENGAGEMENT_HOME, or ./build]",
)
SOURCES = click.option(
    "--sources",
    default=lambda: os.environ.get("ENGAGEMENT_SOURCES", "sample"),
    show_default="sample",
    help="Which sources to read: sample, live, a YAML file, or a folder with a folder per source.",
)
CONTACT = click.option(
    "--contact",
    envvar="ENGAGEMENT_CONTACT",
    show_envvar=True,
    help="Whom a server's operator may write to; sent with each request, and needed where one is made.",
)
OFFLINE = click.option(
    "--offline", is_flag=True, help="Fetch nothing; replay the snapshots that the home already holds."
)


class Stop(click.ClickException):
    """An expected error: shown as a sentence, never as a traceback."""

    exit_code = 1

    def show(self, file: Any = None) -> None:  # noqa: ARG002 - click's signature
        """Print the sentence to standard error."""
        click.echo(f"error: {self.message}", err=True)


def _sentences(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn the project's own errors into `Stop`."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        from pipelines.contract import ContractError
        from pipelines.corrections import CorrectionError
        from pipelines.erasure.journal import ErasureError
        from pipelines.interviews.study import InterviewError
        from pipelines.lineage import SqlError
        from pipelines.observations import ObservationError
        from pipelines.policy import PolicyError
        from pipelines.privacy.rules import DisclosureError
        from pipelines.release.manifest import ManifestError
        from pipelines.restricted import RestrictedError
        from pipelines.snapshots import SnapshotError
        from pipelines.suppression import SuppressionError
        from pipelines.targets.target import TargetError
        from pipelines.warehouse import WarehouseError

        try:
            return command(*args, **kwargs)
        except SettingsError as error:
            raise click.UsageError(str(error)) from None
        except InterviewError as error:  # whoever types the command holds the study
            raise Stop(error.for_researcher) from None
        except (
            ContractError,
            CorrectionError,
            DisclosureError,
            ErasureError,
            ManifestError,
            ObservationError,
            PolicyError,
            RestrictedError,
            SnapshotError,
            SqlError,
            SuppressionError,
            TargetError,
            WarehouseError,
        ) as error:
            raise Stop(str(error)) from None

    return wrapped


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="councillor-engagement")
def main() -> None:
    """Open data on councillors' digital engagement: from public sources to released Parquet."""


@main.command()
@SOURCES
@HOME
@OFFLINE
@CONTACT
@click.option(
    "--released-on", type=click.DateTime(["%Y-%m-%d"]), default=None, help="Day of the release. [default: today]"
)
@click.option(
    "--forbid",
    type=click.Choice(["major"]),
    default=None,
    help="Fail rather than release a change of this level; for runs that nobody watches.",
)
@_sentences
def publish(
    sources: str,
    home: Path | None,
    offline: bool,
    contact: str | None,
    released_on: dt.datetime | None,
    forbid: str | None,
) -> None:
    """Pull, build, check and release every dataset; ends with the release folder and its page.

    Nothing is released when nothing changed, and nothing half-made ever becomes visible.
    """
    from pipelines.run import run_job

    day = released_on.date().isoformat() if released_on else None
    careful = forbid == "major"
    outcome = _with_progress(
        lambda: run_job("publish", home or default_home(), sources, offline, contact, day, forbid_major=careful)
    )
    if not outcome.success:
        for problem in outcome.problems:
            click.echo(f"error: {problem}", err=True)
        kept = f"the newest release is still {outcome.version}" if outcome.version else "there is no release yet"
        raise Stop(f"nothing was published; {kept}. Attempt recorded in {_short(outcome.record)}")
    assert outcome.folder is not None  # noqa: S101 - a successful run has a release
    if outcome.is_new:
        click.echo(f"\nrelease  {outcome.version}  {_short(outcome.folder)}")
        click.echo(f"change   {_change_of(outcome.folder)}")
    else:
        click.echo(f"\nnothing changed since release  {outcome.version}  {_short(outcome.folder)}")
    click.echo(f"page     {_short(outcome.folder.parent.parent / 'index.html')}")


def _change_of(folder: Path) -> str:
    """What a release changed, in a line."""
    from pipelines.release.diff import MEANINGS
    from pipelines.release.manifest import read_manifest

    change = read_manifest(folder).change or "none"
    return f"{change}: {MEANINGS[change]}"


@main.command()
@SOURCES
@HOME
@CONTACT
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    default=None,
    help="Read the posts of every account back to this day, also those that were read before.",
)
@_sentences
def pull(sources: str, home: Path | None, contact: str | None, since: dt.datetime | None) -> None:
    """Only fetch the sources into snapshots and observe the platforms; build and release nothing.

    The platforms are asked about the accounts that the last publish found.
    """
    from pipelines.run import run_job

    day = since.date().isoformat() if since else None
    outcome = _with_progress(lambda: run_job("pull", home or default_home(), sources, contact=contact, since=day))
    for problem in outcome.problems:
        click.echo(f"error: {problem}", err=True)
    if not outcome.success:
        raise Stop(f"not every source could be pulled. Attempt recorded in {_short(outcome.record)}")


@main.command()
@click.argument("place")
@click.option(
    "--public-key",
    metavar="KEY",
    help="The publisher's key, as its line or as a file: the release must be signed with it.",
)
@_sentences
def verify(place: str, public_key: str | None) -> None:
    """Check a release: checksums, rows, columns, keys, its contracts, and with a key its signature.

    PLACE is a folder or an address, of one release or of all: then the newest is checked, and the lists beside
    it. What is fetched from an address is not kept.
    """
    from pipelines.release.remote import is_address
    from pipelines.release.signing import read_public_key
    from pipelines.release.trust import judge_address, judge_folder

    key = read_public_key(public_key) if public_key else None
    if not is_address(place) and not Path(place).is_dir():
        raise click.UsageError(f"{place} is neither a folder nor an address such as https://data.example/")
    if is_address(place):
        with _bytes_shown() as show:
            found = judge_address(place, key, show)
    else:
        found = judge_folder(Path(place), key)
    for fault in found.faults:
        click.echo(f"error: {fault}", err=True)
    if found.faults:
        raise Stop(f"{found.name} does not verify")
    for line in found.lines:
        click.echo(line)


@main.command()
@click.argument("release", nargs=-1, required=True)
@HOME
@_sentences
def sign(release: tuple[str, ...], home: Path | None) -> None:
    """Sign releases with the key that ENGAGEMENT_SIGNING_KEY names, also those that are signed already.

    Each RELEASE is a version of this home, `latest`, or a folder, and must verify. Only the signature is written;
    every other byte stays.
    """
    from pipelines.release.diff import find_release
    from pipelines.release.signing import KEY_VARIABLE, load_signer, publish_key, sign_release
    from pipelines.release.verify import verify_release

    signer = load_signer()
    if signer is None:
        raise click.UsageError(f"set {KEY_VARIABLE} to the file of a secret key; `engagement keys new` makes one")
    public = Home(home or default_home()).public
    for name in release:
        folder = find_release(name, public).resolve()
        if faults := verify_release(folder):
            raise Stop(f"{folder.name} does not verify and is not signed: {'; '.join(faults)}")
        if folder.parent.parent == public.resolve():
            publish_key(public, signer)
        click.echo(f"signed {folder.name} with key {signer.public.name}: {_short(sign_release(folder, signer))}")


@main.group()
def keys() -> None:
    """Keys that sign releases, in the format of minisign: make a new pair."""


@keys.command("new")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@_sentences
def new_key_pair(folder: Path) -> None:
    """Write a new key pair into FOLDER: minisign.key, which nobody else may have, and minisign.pub, for everybody.

    The secret key is encrypted with ENGAGEMENT_KEY_PASSWORD, if that is set.
    """
    from pipelines.release.signing import KEY_VARIABLE, PASSWORD_VARIABLE, new_keys, read_public_key

    password = os.environ.get(PASSWORD_VARIABLE)
    secret, public = new_keys(folder, password)
    if not password:
        click.echo(f"warning: {PASSWORD_VARIABLE} is not set: whoever has the file can sign", err=True)
    click.echo(f"wrote {_short(secret)}; keep it and a copy of it safe, and name it in {KEY_VARIABLE}")
    click.echo(
        f"wrote {_short(public)}; tell the key where readers trust you: {read_public_key(str(public)).encoded}"
    )


TARGETS = click.option(
    "--targets",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="The list of targets. [default: ENGAGEMENT_TARGETS, or ./targets.yml]",
)


@main.command()
@click.argument("target")
@click.argument("version", default="latest")
@HOME
@TARGETS
@_sentences
def push(target: str, version: str, home: Path | None, file: Path | None) -> None:
    """Push release VERSION to TARGET of the list of targets: a folder, an object store or a data portal.

    VERSION is `latest` unless given. Everything is read back; files of a release are never overwritten, and
    `latest.json` changes last. A push that was stopped is completed by the next.
    """
    from pipelines.targets import command

    with command.on_terminal() as progress:
        receipt = command.push(Home(home or default_home()).public, target, version, file, progress)
    for line in command.in_words(receipt):
        click.echo(line)


@main.command("publish-draft")
@click.argument("target")
@click.argument("version")
@HOME
@TARGETS
@_sentences
def publish_draft(target: str, version: str, home: Path | None, file: Path | None) -> None:
    """Publish the draft of release VERSION at TARGET, such as Zenodo: it gets a DOI and stays for good."""
    from pipelines.targets import command

    with command.on_terminal() as progress:
        receipt = command.publish_draft(Home(home or default_home()).public, target, version, file, progress)
    for line in command.in_words(receipt):
        click.echo(line)


@main.command()
@click.argument("target")
@click.argument("version")
@HOME
@TARGETS
@_sentences
def withdraw(target: str, version: str, home: Path | None, file: Path | None) -> None:
    """Delete release VERSION at TARGET, once it is out of the public folder and that was pushed."""
    from pipelines.targets import command

    with command.on_terminal() as progress:
        receipt = command.withdraw(Home(home or default_home()).public, target, version, file, progress)
    for line in command.in_words(receipt):
        click.echo(line)


@main.command()
@HOME
@_sentences
def status(home: Path | None) -> None:
    """Say which release is the newest, how old it is, and how the last attempts ended."""
    from pipelines.run import describe_status

    lines, healthy = describe_status(Home(home or default_home()))
    for line in lines:
        click.echo(line)
    if not healthy:
        sys.exit(1)


@main.command()
@click.argument("sql")
@HOME
@click.option(
    "--format",
    "shape",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="How rows are printed.",
)
@_sentences
def query(sql: str, home: Path | None, shape: str) -> None:
    """Run SQL on the newest release; every dataset is a table of its own name.

    Example: engagement query "select nation, count(*) from authorities group by nation"
    """
    import duckdb

    from pipelines.contract import quote
    from pipelines.release.build import latest_release
    from pipelines.release.manifest import read_manifest

    public = Home(home or default_home()).public
    folder = latest_release(public)
    if folder is None:
        raise Stop(f"no release under {_short(public)}: run `engagement publish` first")
    names = [dataset.name for dataset in read_manifest(folder).datasets]
    con = duckdb.connect(":memory:")
    try:
        for name in names:
            con.from_parquet(str(folder / f"{name}.parquet")).create_view(name)
        # What follows can read the release and nothing else of this machine. It could also write there, so
        # nothing but a single query is run.
        con.execute(f"set allowed_directories = [{quote(str(folder))}]; set enable_external_access = false")
        if [s.type for s in con.extract_statements(sql)] != [duckdb.StatementType.SELECT]:
            raise Stop("give one query: nothing else is of use here")
        relation = con.sql(sql)
        _print_rows(relation, shape)
    except duckdb.Error as error:
        hint = f" The tables are {', '.join(names)}." if isinstance(error, duckdb.CatalogException) else ""
        raise Stop(f"{str(error).strip()}{hint}") from None


def _print_rows(relation: Any, shape: str) -> None:
    if shape == "table":
        click.echo(str(relation))
        return
    if shape == "csv":
        click.echo(relation.df().to_csv(index=False).rstrip("\n"))
        return
    import orjson

    rows = [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
    click.echo(orjson.dumps(rows, default=str).decode())


@main.command()
@click.argument("old")
@click.argument("new")
@HOME
@click.option(
    "--format",
    "shape",
    type=click.Choice(["text", "markdown", "html"]),
    default="text",
    show_default=True,
    help="For the terminal, for a comment on a proposed change, or a page of its own.",
)
@_sentences
def diff(old: str, new: str, home: Path | None, shape: str) -> None:
    """Show what changed from release OLD to release NEW: columns, rows, and the numbers that moved most.

    Each is a version of this home, `latest`, a release folder, or a public folder for its newest release.
    """
    from pipelines.release.diff import as_page, compare_folders, find_release, in_markdown, in_terminal

    public = Home(home or default_home()).public
    changes = compare_folders(find_release(old, public), find_release(new, public))
    if shape == "text":
        from rich.console import Console

        Console(highlight=False, soft_wrap=not sys.stdout.isatty()).print(in_terminal(changes))
    else:
        click.echo(in_markdown(changes) if shape == "markdown" else as_page(changes), nl=False)


@main.command()
@click.option(
    "--against",
    metavar="RELEASE",
    help="Also compare the public contracts with those of a release, and the versions they state.",
)
@HOME
@_sentences
def check(against: str | None, home: Path | None) -> None:
    """Check contracts and SQL files against the rules of the house, without touching data."""
    from pipelines.authoring import project_faults

    faults = project_faults()
    if against and not faults:
        from pipelines.assets import PROJECT
        from pipelines.release.changes import compare_contracts
        from pipelines.release.diff import find_release

        folder = find_release(against, Home(home or default_home()).public)
        changes, faults = compare_contracts(folder, PROJECT.layer("public"), dt.datetime.now(dt.UTC).date())
        for change in changes:
            click.echo(f"{change.level:<6} {change.sentence}")
    if faults:
        for fault in faults:
            click.echo(f"error: {fault}", err=True)
        raise Stop(f"{len(faults)} faults in contracts or SQL")
    click.echo("contracts and SQL are in order")


@main.command()
@click.argument("name")
@_sentences
def new(name: str) -> None:
    """Start a public dataset: a contract and a SQL file that pass all checks at once."""
    from pipelines.authoring import start_dataset

    for path in start_dataset(name):
        click.echo(f"wrote {_short(path)}")
    click.echo("now say what it is for in the contract, write the query, and run `make test`")


@main.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def sample(folder: Path) -> None:
    """Write the embedded fictional world as files, to look at or to change by hand."""
    from pipelines.sample.interviews import studies
    from pipelines.sample.world import write_world
    from pipelines.settings import SOURCE_LISTS

    write_world(folder)
    for name, files in studies().items():
        place = folder / "interviews" / name
        place.mkdir(parents=True, exist_ok=True)
        for file, content in files.items():
            (place / file).write_bytes(content)
    places = (SOURCE_LISTS / "sample.yml").read_text(encoding="utf-8")
    # The social network of the sample answers questions and has no files: it stays in the program.
    places = re.sub(r"sample: (?=\w+/)", "path: ", places)
    places = re.sub(r"(?<=- )\{sample: [a-z0-9-]+\}", "{inbox: interviews}", places)
    (folder / "sources.yml").write_text(places, encoding="utf-8")
    click.echo(f"wrote the sample world to {folder}; read it with --sources {folder / 'sources.yml'}")


@main.command()
@click.argument("platform", required=False)
@click.argument("account", required=False)
@HOME
@SOURCES
@click.option("--dry-run", is_flag=True, help="Say in counts what would go, and change nothing.")
@click.option("--resume", is_flag=True, help="Complete an erasure that was interrupted.")
@click.option(
    "--reason",
    type=click.Choice(["request", "wrong_listing", "not_public", "legal", "other"]),
    default="request",
    show_default=True,
    help="What the releases say about why rows are missing.",
)
@click.option(
    "--also-a-word",
    is_flag=True,
    help="The handle is a word, a web site or another account as well: look for its forms as this account only.",
)
@_sentences
def erase(
    platform: str | None,
    account: str | None,
    home: Path | None,
    sources: str,
    dry_run: bool,
    resume: bool,
    reason: str,
    also_a_word: bool,
) -> None:
    """Erase an account from everything that the home holds, releases included, and prove it.

    ACCOUNT is a handle, the address of a profile, or a permanent id. The account is kept out of all that is
    fetched later. Give the sources that the releases are made from; nothing is fetched.
    """
    if resume == bool(platform and account) or (resume and dry_run):
        raise click.UsageError("give a platform and an account, or --resume alone")
    from pipelines.erasure.command import Request, run

    run(
        Request(home or default_home(), sources, platform, account, reason, also_a_word),
        dry_run=dry_run,
        progress=_with_progress,
    )


# --- interview studies --------------------------------------------------------------------------------------


@main.group()
def study() -> None:
    """Interview studies: check one before it is handed in, list and withdraw those that the store holds."""


@study.command("check")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@_sentences
def check_study(folder: Path) -> None:
    """Say what would be read of the study in FOLDER and what would not; store and publish nothing.

    The report is for whoever keeps the study: it may quote what stands in a cell.
    """
    from pipelines.interview_assets import vocabulary
    from pipelines.interviews.folder import read_study, report
    from pipelines.interviews.study import InterviewError
    from pipelines.studies import files_of

    try:
        found = read_study(files_of(folder), vocabulary())
    except InterviewError as error:
        raise Stop(report(error, for_researcher=True)) from None
    click.echo(report(found, for_researcher=True))
    if found.refusals:
        raise Stop("the study would be refused")


@study.command("list")
@HOME
@_sentences
def list_studies(home: Path | None) -> None:
    """List the studies that the store of a home knows; without any number of interviews."""
    from pipelines.studies import opened_store

    with opened_store(Home(home or default_home())) as store:
        for known in store.studies():
            about = known.description
            kind = ", synthetic" if about.is_synthetic else ""
            click.echo(f"{about.study_id}  {known.state}  {about.year_from}–{about.year_to}{kind}")


@study.command("withdraw")
@click.argument("study_id")
@HOME
@_sentences
def withdraw_study(study_id: str, home: Path | None) -> None:
    """Erase a study from the store; the next publication says that it was withdrawn.

    Releases that are out stay as they are. Take its folder out of the source list as well.
    """
    from pipelines.studies import opened_store

    with opened_store(Home(home or default_home())) as store:
        store.withdraw(study_id)
    click.echo(f"{study_id} is erased from the store; publish to say so")


@study.command("describe")
@click.argument("address")
@click.option("--identifier", required=True, help="What the archive calls the record.")
@click.option("--prefix", default="oai_ddi25", show_default=True, help="The archive's name for DDI-Codebook.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write.")
@CONTACT
@_sentences
def describe_study(address: str, identifier: str, prefix: str, out: Path, contact: str | None) -> None:
    """Fetch the description of a study over OAI-PMH from ADDRESS, for its study.yml to name."""
    from pipelines.sources.http import HttpPolicy
    from pipelines.studies import fetch_description

    if not contact:
        raise click.UsageError("name whom the archive's operator may write to: --contact or ENGAGEMENT_CONTACT")
    described = fetch_description(address, identifier, prefix, out, HttpPolicy(contact=contact))
    if described.is_deleted:
        raise Stop("the archive has withdrawn this record")
    click.echo(f"wrote {_short(out)}; name it in study.yml: description: {{file: {out.name}, format: oai}}")


# --- showing progress ---------------------------------------------------------------------------------------


def _with_progress(job: Callable[[], Any]) -> Any:
    """Run a job with one line per finished step and, on a terminal, a bar with the time so far."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True, highlight=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(show_speed=True),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with bar as progress, _steps_shown(progress):
        return job()


@contextmanager
def _bytes_shown() -> Iterator[Callable[[int, int], None]]:
    """On a terminal, a bar that shows how much of a download has come."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("fetching"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("fetching", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def _steps_shown(progress: Progress) -> Iterator[None]:
    from pipelines.run import step_count

    started = time.monotonic()
    task = progress.add_task("starting", total=None)
    pulls: dict[str, TaskID] = {}

    class StepHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            tally = getattr(record, "tally", None)
            if tally is not None:  # one of many small steps of a pull: drawn, not written
                _show_pull(progress, pulls, getattr(record, "platform", ""), tally)
                return
            step = getattr(record, "step", None)
            elapsed = time.monotonic() - started
            mark = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
            progress.console.print(f"{elapsed:6.1f} s  {mark}{record.getMessage()}", markup=False, soft_wrap=True)
            if step:
                progress.update(task, advance=1, total=step_count(), description=step)

    handler = StepHandler()
    logger = logging.getLogger("engagement")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = True


def _show_pull(progress: Progress, pulls: dict[str, TaskID], platform: str, tally: Tally) -> None:
    """Draw how far the pull of a platform is; what is finished is taken off again."""
    if platform not in pulls:
        pulls[platform] = progress.add_task(f"accounts on {platform}", total=tally.accounts)
    progress.update(pulls[platform], completed=tally.done, total=tally.accounts)
    if tally.done == tally.accounts:
        progress.remove_task(pulls.pop(platform))


def _short(path: Path) -> str:
    """A path as short as it can be said from here."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
