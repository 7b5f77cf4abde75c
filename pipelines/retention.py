"""How long replaced snapshots are kept: as many days as a contract says, and while a release needs them.

Belongs here: which snapshots are past their time. Does not belong here: observed fields, whose days the policy of
the platforms says (`observations`), and what a person asked to have erased (`erasure`).
"""

from __future__ import annotations

import datetime as dt

from pipelines.contract import Contract
from pipelines.release.manifest import read_manifest, released_versions
from pipelines.settings import Home
from pipelines.snapshots import SnapshotStore


def expire_snapshots(home: Home, contract: Contract, today: dt.date) -> int:
    """Delete what the contract of a source allows no longer to be kept; returns how many snapshots went.

    What stays in any case: the newest of each place, since tables are made from it, and what a kept release names
    among its inputs, so that it can be made again. The log keeps hashes and counts. Errors: `ManifestError`.
    """
    if contract.retention_days is None:
        return 0
    public = home.public
    manifests = (read_manifest(public / "v" / version) for version in released_versions(public))
    needed = {entry.sha256 for manifest in manifests for entry in manifest.inputs if entry.source == contract.name}
    limit = today - dt.timedelta(days=contract.retention_days)
    return SnapshotStore(home.snapshots).expire(contract.name, limit, needed, today)
