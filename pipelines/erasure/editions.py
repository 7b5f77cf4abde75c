"""Taking an account out of every release that is kept: which rows go, and in which order.

Belongs here: what counts as being about the account in a published table. Does not belong here: how an edition is
written and put in place (`release.edition`).
"""

from __future__ import annotations

import shutil
from collections import Counter
from typing import TYPE_CHECKING

from pipelines.erasure.journal import REASONS, Pending
from pipelines.erasure.names import BODY, HANDLE, ID
from pipelines.release.build import point_to_newest
from pipelines.release.edition import (
    TakeOut,
    complete_swap,
    delta_tells,
    put_in_place,
    rows_to_go,
    write_edition,
)
from pipelines.release.manifest import Erasure, Manifest, read_manifest, released_versions
from pipelines.settings import Home

if TYPE_CHECKING:
    import pyarrow as pa

COUNCIL = "council"  # the kind of owner whose figures per authority may rest on one account


def taking_out(pending: Pending) -> TakeOut:
    """What is left of a published table: no row that names the account, none that rests on it alone.

    The latter are figures of an authority's own accounts on the platform, where the account was one of them.
    """

    def take_out(table: pa.Table) -> pa.Table:
        import pyarrow as pa
        import pyarrow.compute as pc

        columns = set(table.column_names)
        if "platform" not in columns:
            return table
        none = pa.chunked_array([pa.array([False] * table.num_rows, pa.bool_())])
        about = none
        for name in (HANDLE, ID):
            if name in columns:
                meant = {text for text in _texts(table[name]) if pending.holds(pending.platform, text)}
                about = pc.or_(about, pc.is_in(table[name], pa.array(sorted(meant), pa.string())))
        if {BODY, "owner_kind"} <= columns:
            body = pc.is_in(table[BODY], pa.array(sorted(pending.bodies), pa.string()))
            about = pc.or_(about, pc.and_(body, pc.equal(table["owner_kind"], COUNCIL)))
        gone = pc.and_(about, pc.equal(table["platform"], pending.platform))
        return table.filter(pc.invert(pc.fill_null(gone, False)))

    return take_out


def _texts(column: pa.ChunkedArray) -> list[str]:
    return [value for value in column.unique().to_pylist() if value]


def count_in_releases(home: Home, pending: Pending) -> Counter[str]:
    """How many rows would go, by `version dataset`; a delta that names the account counts as one row."""
    counts: Counter[str] = Counter()
    take_out = taking_out(pending)
    for version in released_versions(home.public):
        folder = home.public / "v" / version
        counts.update({f"{version} {name}": rows for name, rows in rows_to_go(folder, take_out).items()})
        counts.update({f"{version} changes": int(delta_tells(folder, take_out))})
    return +counts


def erase_from_releases(home: Home, pending: Pending) -> list[str]:
    """Write every release anew that tells of the account, oldest first; returns the versions it touched.

    A release whose rows stay is written anew as well if the one before lost some, since its deltas begin there.
    """
    work = home.erasures / "work"
    take_out = taking_out(pending)
    changed: dict[str, bool] = {}
    for aside in sorted(work.glob(".old-*")):
        version = aside.name.removeprefix(".old-")
        complete_swap(home, version, work / f".new-{version}", aside)
    for version in released_versions(home.public):
        stage, aside = work / f".new-{version}", work / f".old-{version}"
        folder = home.public / "v" / version
        manifest = read_manifest(folder)
        done = _done(manifest, pending)
        if done is None:
            rows = rows_to_go(folder, take_out)
            follows = changed.get(manifest.previous or "", False)
            if not (rows or follows or delta_tells(folder, take_out)):
                continue
            done = Erasure(
                erasure=pending.erasure, erased_on=pending.day, reason=REASONS[pending.reason], rows=rows
            )
            write_edition(home, version, take_out, done, stage)
            put_in_place(home, version, stage, aside)
        changed[version] = bool(done.rows)
    if changed:
        point_to_newest(home.public)
    shutil.rmtree(work, ignore_errors=True)
    shutil.rmtree(home.staging, ignore_errors=True)
    return list(changed)


def _done(manifest: Manifest, pending: Pending) -> Erasure | None:
    """What this erasure noted in a release that it has already written anew."""
    return next((one for one in manifest.erasures or () if one.erasure == pending.erasure), None)
