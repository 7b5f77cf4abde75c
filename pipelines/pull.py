"""Pulling a source: from its places to snapshots, with a line in the fetch log for every attempt.

Belongs here: the order of things when a source is fetched (address, bytes, strict reading, store, log). Does
not belong here: HTTP itself (`sources.http`), reading (`sources.reading`), typing (`warehouse`). A file is read
before it is stored, so a refused file never becomes a snapshot and a personal field never reaches the disk.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from pipelines.contract import Contract
from pipelines.settings import Location
from pipelines.snapshots import USABLE, Fetch, Finding, SnapshotStore
from pipelines.sources.reading import Reading, RefusedFile, read_csv
from pipelines.suppression import Holds, conceal_accounts
from pipelines.warehouse import Incoming

if TYPE_CHECKING:  # definitions are loaded often, and without any request
    from pipelines.sources.http import HttpPolicy

Clock = Callable[[], dt.datetime]


class PullError(Exception):
    """A source that could not be pulled; the message names source, place and what to do.

    `is_transient` says whether another attempt in a while may succeed: a refused file stays refused.
    """

    def __init__(self, message: str, *, is_transient: bool = False) -> None:
        super().__init__(message)
        self.is_transient = is_transient


@dataclass(frozen=True)
class Raw:
    """Bytes as they came, before anything was read or stored; `body` is None when the server said 304."""

    body: bytes | None
    http_status: int | None = None
    etag: str | None = None
    last_modified: str | None = None


def pull_source(
    contract: Contract,
    locations: Sequence[Location],
    store: SnapshotStore,
    policy: HttpPolicy,
    clock: Clock,
    suppressed: Holds | None = None,
) -> list[Fetch]:
    """Fetch every place of a source, read it strictly, store it and log the attempt.

    Accounts for which `suppressed` holds are left out before anything is stored.
    Every place is tried, and every failure logged, before `PullError` names those that failed.
    """
    fetches = [_pull_place(contract, location, store, policy, clock, suppressed) for location in locations]
    failed = [fetch for fetch in fetches if fetch.status not in USABLE]
    if failed:
        message = "; ".join(f"{fetch.location}: {fetch.message}" for fetch in failed)
        raise PullError(
            message,
            is_transient=all(fetch.location.startswith("http") for fetch in failed)
            and all(fetch.status == "failed" for fetch in failed),
        )
    return fetches


def _pull_place(
    contract: Contract,
    location: Location,
    store: SnapshotStore,
    policy: HttpPolicy,
    clock: Clock,
    suppressed: Holds | None,
) -> Fetch:
    from pipelines.sources.http import FetchError

    now = clock()
    past = store.succeeded(contract.name, location.label)
    last = past[-1] if past and store.has(contract.name, past[-1].sha256 or "") else None
    fetch = Fetch(location=location.label, status="failed", fetched_at=now, as_of=location.as_of or now.date())
    try:
        # A contract that says anything else than last time needs the whole file again, whatever its version.
        known = last if last and last.contract_digest == contract.digest else None
        raw = _get(location, known, policy)
        if raw.body is None and last is not None:
            fetch = last.model_copy(
                update={"status": "not_modified", "fetched_at": now, "http_status": raw.http_status}
            )
        else:
            fetch = _store(contract, fetch, raw, store, last, suppressed)
    except RefusedFile as refusal:
        fetch = fetch.model_copy(update={"status": "refused", "message": str(refusal)})
    except (FetchError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        fetch = fetch.model_copy(update={"message": f"{contract.name}: {reason}"})
    store.log(contract.name, fetch)
    return fetch


def _store(
    contract: Contract,
    fetch: Fetch,
    raw: Raw,
    store: SnapshotStore,
    last: Fetch | None,
    suppressed: Holds | None,
) -> Fetch:
    body = raw.body or b""
    reading = read_csv(body, contract, conceal_accounts(contract, suppressed))
    # What is not read may name a suppressed account as well: such a file is reduced to what is.
    is_whole = contract.store_raw and not reading.new_fields and not reading.concealed
    kept = body if is_whole else reading.kept
    sha256, _ = store.put(contract.name, kept)
    same = last is not None and last.sha256 == sha256
    return fetch.model_copy(
        update={
            "status": "unchanged" if same else "new",
            "sha256": sha256,
            "size_bytes": len(kept),
            "rows": len(reading.rows),
            "layout": reading.layout,
            "contract_version": contract.version,
            "contract_digest": contract.digest,
            "http_status": raw.http_status,
            "etag": raw.etag,
            "last_modified": raw.last_modified,
            "findings": _findings(reading),
        }
    )


def _findings(reading: Reading) -> tuple[Finding, ...]:
    new = [Finding(rule="new_field", field=name) for name in reading.new_fields]
    return (*new, *(Finding(rule="missing_field", field=name) for name in reading.missing_fields))


def _get(location: Location, last: Fetch | None, policy: HttpPolicy) -> Raw:
    if location.kind == "sample":
        return Raw(_sample_world()[location.address].encode())
    if location.kind == "path":
        return Raw(Path(location.address).read_bytes())
    if location.kind == "sparql":
        # Without validators: they belong to an earlier text of the query, for all that the log can tell.
        query = urlencode({"query": location.query or ""})
        return asyncio.run(_get_url(f"{location.address}?{query}", None, policy, accept="text/csv"))
    return asyncio.run(_get_url(location.address, last, policy))


async def _get_url(url: str, last: Fetch | None, policy: HttpPolicy, *, accept: str | None = None) -> Raw:
    from stamina.instrumentation import LoggingOnRetryHook, set_on_retry_hooks

    from pipelines.sources.http import PoliteClient

    set_on_retry_hooks([LoggingOnRetryHook])
    async with PoliteClient(policy) as client:
        fetched = await client.get(
            url,
            accept=accept,
            etag=last.etag if last else None,
            last_modified=last.last_modified if last else None,
        )
    return Raw(fetched.body, fetched.status, fetched.etag, fetched.last_modified)


@lru_cache(maxsize=1)
def _sample_world() -> Mapping[str, str]:
    from pipelines.sample.world import world_files

    return world_files()


def replay(contract: Contract, locations: Sequence[Location], store: SnapshotStore) -> list[Incoming]:
    """Read a source's stored snapshots again, offline, oldest first.

    Errors: `PullError` when a place has never been pulled with success.
    """
    batches = []
    for location in locations:
        fetches = store.usable(contract.name, location.label, every=contract.keep_all_snapshots)
        if not fetches:
            raise PullError(f"{contract.name}: nothing stored from {location.label}: pull it first")
        for fetch in fetches:
            sha256 = fetch.sha256 or ""
            reading = read_csv(store.read(contract.name, sha256), contract, may_be_empty=fetch.rows == 0)
            if not reading.rows:
                continue
            batches.append(Incoming(sha256, fetch.as_of, reading.columns, reading.rows, reading.line_numbers))
    return batches


def findings(
    contract: Contract, locations: Sequence[Location], store: SnapshotStore
) -> list[tuple[str, str, dt.date]]:
    """What publishers changed about the newest file of each place: `(rule, field, day first seen)`.

    Taken from the newest attempt, not from the newest content: a field that is not read can come or go while
    what is kept of the file stays the same.
    """
    found: dict[tuple[str, str], dt.date] = {}
    for location in locations:
        fetches = store.succeeded(contract.name, location.label)
        for finding in fetches[-1].findings if fetches else ():
            place = (finding.rule, finding.field)
            days = [fetch.as_of for fetch in fetches if finding in fetch.findings]
            found[place] = min(found.get(place, days[0]), *days)
    return [(rule, field, day) for (rule, field), day in sorted(found.items())]
