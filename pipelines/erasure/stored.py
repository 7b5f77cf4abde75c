"""Taking an account out of what a home has stored: snapshots, observations, the roster, records, the warehouse.

Belongs here: each store, one function, which may be called again after a kill and then does what is left. Does not
belong here: releases (`editions`), and the order of things (`erase`).
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable

from pipelines.contract import Contract
from pipelines.erasure.journal import Pending
from pipelines.erasure.search import Needle
from pipelines.settings import Home
from pipelines.snapshots import SnapshotError, SnapshotStore, write_atomically
from pipelines.sources.reading import RefusedFile, read_csv
from pipelines.suppression import conceal_accounts
from pipelines.warehouse import WarehouseError, open_warehouse

ERASED = "(erased)"


def erase_from_snapshots(
    store: SnapshotStore, contracts: Iterable[Contract], pending: Pending, needle: Needle, *, dry_run: bool = False
) -> Counter[str]:
    """Take the account out of every stored snapshot; returns the rows that were changed or went, by source.

    What is stored instead are the bytes that a pull would store today, so the next pull of an unchanged file finds
    nothing new. A snapshot that cannot be read any more and names the account goes whole, counted as one row.
    """
    counts: Counter[str] = Counter()
    for contract in contracts:
        for sha256 in store.stored(contract.name):
            left, rows, changed = _left_of(store, contract, sha256, pending, needle)
            if not changed:
                continue
            counts[contract.name] += changed
            if not dry_run:
                store.replace(contract.name, sha256, left, rows, pending.day)
    return counts


def _left_of(
    store: SnapshotStore, contract: Contract, sha256: str, pending: Pending, needle: Needle
) -> tuple[bytes | None, int, int]:
    """What is left of a snapshot, how many rows that has, and in how many rows anything was changed."""
    try:
        data = store.read(contract.name, sha256)
    except SnapshotError:  # damaged: whatever it holds, it is of no use
        return None, 0, 1
    names_it = needle.is_in("", [data.decode("utf-8", "replace")])
    try:
        reading = read_csv(data, contract, conceal_accounts(contract, pending.holds), may_be_empty=True)
    except RefusedFile:
        return None, 0, int(names_it)
    is_in_ignored = names_it and not needle.is_in("", [reading.kept.decode()])
    return reading.kept, len(reading.rows), max(reading.concealed, int(is_in_ignored))


def erase_from_roster(home: Home, pending: Pending, *, dry_run: bool = False) -> int:
    """Take the account off the list that the next pull asks about; returns how many rows it had there."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not home.roster.exists():
        return 0
    table = pq.read_table(home.roster)
    stays = [
        not any(cell and pending.holds(row["platform"], cell) for cell in (row["handle"], row["account_id"]))
        for row in table.to_pylist()
    ]
    gone = stays.count(False)
    if gone and not dry_run:
        sink = pa.BufferOutputStream()
        pq.write_table(table.filter(pa.array(stays, pa.bool_())), sink)
        write_atomically(home.roster, sink.getvalue().to_pybytes())
    return gone


def erase_from_records(home: Home, needle: Needle, *, dry_run: bool = False) -> int:
    """Take the account out of run records and fetch logs, where no rule lets it stand; returns how many."""
    changed = 0
    for path in [*sorted(home.runs.glob("*.json")), *sorted(home.snapshots.glob("*/fetches.jsonl"))]:
        text = path.read_text(encoding="utf-8")
        left = needle.replaced_in(text, ERASED)
        if left != text:
            changed += 1
            if not dry_run:
                write_atomically(path, left.encode())
    return changed


def refuse_running(home: Home) -> None:
    """Refuse to work beside a run that writes the warehouse. Errors: `WarehouseError`."""
    if not home.warehouse.exists():
        return
    try:
        with open_warehouse(home.warehouse):
            pass
    except WarehouseError as error:
        if "another process" in str(error):  # a damaged one is deleted like any other
            raise


def drop_unfinished(home: Home) -> None:
    """Delete what a killed run, or a killed erasure, was writing: it was never read and may name anybody."""
    for pattern in (".partial-*", "*.partial"):
        for path in sorted(home.root.rglob(pattern)):
            path.unlink()


def drop_warehouse(home: Home) -> None:
    """Delete the warehouse, whose free blocks would keep what was deleted from it; the next publish makes one.

    Errors: `WarehouseError` when a run holds it.
    """
    refuse_running(home)
    for path in sorted(home.root.glob("warehouse.duckdb*")):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
