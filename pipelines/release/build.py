"""Building a release: staged, read back, renamed into place, pointed to; or nothing at all.

Belongs here: the order of steps that makes a release immutable and its appearance atomic. Does not belong
here: the content of single files (`tables`, `package`, `pages`).
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from pipelines.checks import Verdict, check_table
from pipelines.contract import Contract, MinimumRows
from pipelines.release import bundle, diff, package, pages, provenance, signing, spreadsheet
from pipelines.release.changes import (
    CONTRACTS,
    ReleaseChanges,
    compare_editions,
    list_deltas,
    major_sentences,
    read_edition,
)
from pipelines.release.manifest import (
    SHARE_ALIKE,
    TOMBSTONE,
    DatasetEntry,
    FileEntry,
    InputEntry,
    Manifest,
    ManifestError,
    Pointer,
    ReleaseError,
    next_version,
    read_manifest,
    read_pointer,
    released_versions,
    to_json,
    version_key,
)
from pipelines.release.metadata.documents import documents
from pipelines.release.metadata.publisher import Publisher, cite, publisher_from
from pipelines.release.tables import read_table, write_csv, write_parquet
from pipelines.release.verify import CHECKSUMS, sha256_of, verify_release
from pipelines.release.versions import broken_promises, deprecation_faults, deprecation_of
from pipelines.settings import Home, World
from pipelines.snapshots import PARTIAL, Fetch, write_atomically

log = logging.getLogger("engagement")
MEDIA_TYPES = {
    ".parquet": "application/vnd.apache.parquet",
    ".gz": "application/gzip",
    ".json": "application/json",
    ".md": "text/markdown",
    ".html": "text/html",
    ".duckdb": "application/octet-stream",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".zip": "application/zip",
    ".jsonld": "application/ld+json",
    ".cff": "application/yaml",
}


@dataclass(frozen=True)
class ReleaseInput:
    """All that a release is made of besides the tables themselves.

    `inputs` are the snapshots behind each source, `origins` the source contracts behind each dataset,
    `code_digest` the hash of all contracts, queries and functions, `policy_faults` what the policy of the
    platforms forbids about the tables. `inspect` looks at all staged files before they are listed and renamed.
    `forbid_major` makes no release of a major change, because nobody is there to decide on it. `publisher` is who
    stands for the data, and at which address; `signer` signs for them, if there is one.
    """

    home: Home
    world: World
    released_on: dt.date
    contracts: tuple[Contract, ...]
    minimum_rows: Mapping[str, MinimumRows]
    inputs: Mapping[str, Sequence[Fetch]]
    origins: Mapping[str, Sequence[Contract]]
    code_digest: str
    policy_faults: Sequence[str] = ()
    inspect: Callable[[Path], Inspection] | None = None
    forbid_major: bool = False
    publisher: Publisher = field(default_factory=publisher_from)
    lock_sha256: str | None = field(default_factory=provenance.lock_sha256)
    signer: signing.Signer | None = None


@dataclass(frozen=True)
class Inspection:
    """What a last look at the staged files found: faults that stop the release, and files that it adds."""

    faults: Sequence[str]
    files: Mapping[str, bytes]


@dataclass(frozen=True)
class Outcome:
    """What a build did: the newest release, whether it is new, and rows per dataset."""

    version: str
    folder: Path
    is_new: bool
    rows: Mapping[str, int]


def latest_release(public: Path) -> Path | None:
    """The folder that `latest.json` points to, None before the first release. Errors: `ManifestError`."""
    pointer = read_pointer(public)
    if pointer is None:
        return None
    folder = public / pointer.path
    if not folder.is_dir():
        raise ManifestError(
            f"latest.json names release {pointer.version}, whose folder is gone: put it back from a copy, or "
            f"delete latest.json to start again from the releases that are there"
        )
    return folder


def build_release(con: duckdb.DuckDBPyConnection, given: ReleaseInput) -> Outcome:
    """Publish the public tables as a new release, unless nothing changed since the last.

    Errors: `ReleaseError` when a critical rule does not hold, a licence does not allow it, a contract changed more
    than its version says or than is allowed here, or the staged files do not read back; then nothing becomes
    visible.
    """
    finish_interrupted(given.home)
    if faults := [*given.policy_faults, *licence_faults(given.contracts, given.origins)]:
        raise ReleaseError("; ".join(faults))
    verdicts = [check_table(con, c, given.minimum_rows[c.name]) for c in given.contracts]
    if failures := [f"{v.table} {f.sentence()}" for v in verdicts for f in v.failures]:
        raise ReleaseError(f"no release, critical rules do not hold: {'; '.join(failures)}")
    stage = given.home.staging / f".{uuid.uuid4().hex}"
    stage.mkdir(parents=True)
    try:
        return _stage_and_publish(con, given, verdicts, stage)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _stage_and_publish(
    con: duckdb.DuckDBPyConnection, given: ReleaseInput, verdicts: Sequence[Verdict], stage: Path
) -> Outcome:
    public = given.home.public
    datasets = tuple(_write_dataset(con, contract, stage) for contract in given.contracts)
    rows = {dataset.name: dataset.rows for dataset in datasets}
    latest = latest_release(public)
    manifest = _manifest(given, datasets, latest.name if latest else None)
    if latest and read_manifest(latest).fingerprint() == manifest.fingerprint():
        return Outcome(latest.name, latest, False, rows)
    manifest, changes = _compared(given, manifest, stage, latest)
    judged = package.quality(verdicts, manifest.datasets)
    manifest = write_companions(given, judged, manifest, changes, stage)
    if faults := verify_release(stage, given.signer.public if given.signer else None):
        raise ReleaseError(f"no release, the staged files do not read back: {'; '.join(faults)}")
    flush([*sorted(stage.rglob("*"), reverse=True), stage])
    folder = public / "v" / manifest.version
    folder.parent.mkdir(parents=True, exist_ok=True)
    if given.signer:  # before the first release that needs it
        signing.publish_key(public, given.signer)
    stage.rename(folder)
    flush([folder.parent])
    point_to_newest(public)
    return Outcome(manifest.version, folder, True, rows)


def _compared(
    given: ReleaseInput, manifest: Manifest, stage: Path, latest: Path | None
) -> tuple[Manifest, ReleaseChanges]:
    """Keep the contracts and write the deltas against the newest release; the manifest then says what changed.

    Errors: `ReleaseError` with every promise that the change would break.
    """
    (stage / CONTRACTS).mkdir()
    for contract in given.contracts:
        (stage / CONTRACTS / f"{contract.name}.json").write_bytes(to_json(contract.document))
    old = read_edition(latest) if latest else None
    before = {dataset.name: dataset for dataset in old.manifest.datasets} if old else {}
    datasets = [
        manifest.dataset(c.name).model_copy(
            update={"deprecation": deprecation_of(c, before.get(c.name), manifest.version, given.released_on)}
        )
        for c in given.contracts
    ]
    new = read_edition(stage, manifest.model_copy(update={"datasets": tuple(datasets)}))
    changes = compare_editions(old, new, stage)
    deprecations = {dataset.name: dataset.deprecation for dataset in datasets}
    faults = (
        broken_promises(old.manifest, old.promises, new.promises, deprecations, given.released_on)
        if old
        else deprecation_faults(deprecations, {})
    )
    if given.forbid_major and changes.change == "major":
        said = "; ".join(major_sentences(changes))
        faults.append(f"a major change is forbidden here ({said}): publish by hand, without --forbid major")
    if faults:
        raise ReleaseError(f"no release: {'; '.join(faults)}")
    levels = {dataset.name: dataset.change for dataset in changes.datasets}
    told = tuple(d.model_copy(update={"change": levels[d.name]}) for d in new.manifest.datasets)
    return new.manifest.model_copy(update={"change": changes.change, "datasets": told}), changes


def _write_dataset(con: duckdb.DuckDBPyConnection, contract: Contract, stage: Path) -> DatasetEntry:
    table = read_table(con, contract)
    parquet, csv = stage / f"{contract.name}.parquet", stage / f"{contract.name}.csv.gz"
    write_parquet(table, contract, parquet)
    write_csv(table, csv)
    return DatasetEntry(
        name=contract.name,
        title=contract.title,
        grain=contract.grain,
        schema_version=contract.version,
        contract_sha256=contract.digest,
        rows=table.num_rows,
        licence=contract.licence,
        attribution=contract.attribution,
        key=contract.key,
        status=contract.status,
        files=(file_entry(parquet, stage, table.num_rows), file_entry(csv, stage, table.num_rows)),
    )


def _manifest(given: ReleaseInput, datasets: tuple[DatasetEntry, ...], previous: str | None) -> Manifest:
    origins = {_input_name(contract): contract for found in given.origins.values() for contract in found}
    inputs = [
        InputEntry(
            source=source,
            location=fetch.location,
            as_of=fetch.as_of,
            sha256=fetch.sha256 or "",
            rows=fetch.rows or 0,
            licence=origins[source].licence,
            attribution=origins[source].attribution,
        )
        for source, fetches in sorted(given.inputs.items())
        if source in origins
        for fetch in fetches
    ]
    return Manifest(
        title=package.TITLE + (" (sample)" if given.world == "sample" else ""),
        version=next_version(given.home.public, given.released_on),
        world=given.world,
        notice=package.SAMPLE_NOTICE if given.world == "sample" else None,
        released_on=given.released_on,
        code_version=_code_version(given),
        previous=previous,
        datasets=datasets,
        inputs=tuple(inputs),
        files=(),
    )


def _input_name(contract: Contract) -> str:
    """How the manifest calls a source: by its name, observations with their layer in front."""
    return contract.name if contract.layer == "source" else contract.table


def _code_version(given: ReleaseInput) -> str:
    """The package version and the hash of all that decides what a release says."""
    return f"{_package_version()}+{given.code_digest[:12]}"


def _package_version() -> str:
    try:
        return version_of(package.PRODUCT)
    except PackageNotFoundError:
        return "unreleased"


def write_companions(
    given: ReleaseInput,
    judged: Mapping[str, object],
    manifest: Manifest,
    changes: ReleaseChanges,
    stage: Path,
) -> Manifest:
    """Write all files around the data; the manifest after them, the checksums last.

    The stage holds Parquet and CSV of each dataset, the contracts and the deltas; `judged` is what was checked. Of
    `given` only contracts, publisher and the last look are used.
    """
    contracts = {contract.name: contract for contract in given.contracts}
    manifest = _with_spreadsheets(manifest, contracts, given.publisher, stage)
    codebook = package.codebook(manifest, contracts)
    citation = cite(manifest, given.publisher)
    zipped = bundle.write_bundle(stage, manifest, contracts, codebook=codebook, citation=citation)
    manifest = manifest.model_copy(update={"files": (file_entry(zipped, stage),)})
    texts = {
        "README.md": package.readme(manifest, contracts).encode(),
        "codebook.md": codebook.encode(),
        **documents(manifest, contracts, given.publisher),
        "CHANGES.md": diff.change_notes(manifest, changes).encode(),
        "changes.json": to_json(changes),
        "datapackage.json": to_json(package.data_package(manifest, contracts)),
        "quality.json": to_json(judged),
        "index.html": pages.release_page(manifest, contracts).encode(),
    }
    if manifest.erasures:
        texts[TOMBSTONE] = to_json({"erasures": [one.model_dump(mode="json") for one in manifest.erasures]})
    for name, content in texts.items():
        (stage / name).write_bytes(content)
    package.write_views(stage, [dataset.name for dataset in manifest.datasets])
    added = _inspected(given, stage)
    rows = {dataset.delta: dataset.rows.touched for dataset in changes.datasets if dataset.delta and dataset.rows}
    kept = [f"{CONTRACTS}/{dataset.name}.json" for dataset in manifest.datasets]
    names = sorted([*texts, *added, *rows, *kept, zipped.name, "views.duckdb"])
    extra = tuple(file_entry(stage / name, stage, rows.get(name)) for name in names)
    manifest = manifest.model_copy(update={"files": extra})
    extra = (*extra, _write_provenance(given, manifest, stage))
    manifest = manifest.model_copy(update={"files": tuple(sorted(extra, key=lambda entry: entry.path))})
    (stage / "manifest.json").write_bytes(to_json(manifest))
    finish_edition(stage, given.signer)
    return manifest


def _write_provenance(given: ReleaseInput, manifest: Manifest, stage: Path) -> FileEntry:
    """Write what the release was made from; the manifest lists every other file by then."""
    said = provenance.statement(
        manifest,
        list(manifest.every_file()),
        code_digest=given.code_digest,
        lock_sha256=given.lock_sha256,
    )
    path = stage / provenance.PROVENANCE
    path.write_bytes(to_json(said))
    return file_entry(path, stage)


def finish_edition(folder: Path, signer: signing.Signer | None) -> None:
    """Seal a release folder whose files are all there: checksums of everything in it, and the signature."""
    (folder / signing.SIGNATURE).unlink(missing_ok=True)  # of the manifest that stood here before
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    sums = "".join(f"{sha256_of(folder / name)}  {name}\n" for name in names)
    (folder / CHECKSUMS).write_text(sums, encoding="utf-8")
    if signer:
        signing.sign_release(folder, signer)


def _with_spreadsheets(
    manifest: Manifest, contracts: Mapping[str, Contract], publisher: Publisher, stage: Path
) -> Manifest:
    """Write a spreadsheet of each dataset that fits one, from its Parquet file; the manifest then lists them."""
    citation = cite(manifest, publisher)
    datasets = []
    for dataset in manifest.datasets:
        files, path = dataset.files, stage / f"{dataset.name}.xlsx"
        if spreadsheet.fits(parquet := stage / dataset.file(".parquet").path):
            about = spreadsheet.About(manifest, contracts[dataset.name], creator=publisher.name, citation=citation)
            spreadsheet.write_spreadsheet(pq.read_table(parquet), about, path)
            files = (*files, file_entry(path, stage, dataset.rows))
        datasets.append(dataset.model_copy(update={"files": files}))
    return manifest.model_copy(update={"datasets": tuple(datasets)})


def _inspected(given: ReleaseInput, stage: Path) -> list[str]:
    """Have the staged files looked at, and write what that adds; returns the names of the files added."""
    if given.inspect is None:
        return []
    found = given.inspect(stage)
    if found.faults:
        raise ReleaseError(f"no release, the disclosure gate is shut: {'; '.join(found.faults)}")
    for name, content in found.files.items():
        (stage / name).write_bytes(content)
    return list(found.files)


def file_entry(path: Path, folder: Path, rows: int | None = None) -> FileEntry:
    """The manifest's entry of a file that stands in a release folder."""
    return FileEntry(
        path=str(path.relative_to(folder)),
        sha256=sha256_of(path),
        bytes=path.stat().st_size,
        media_type=MEDIA_TYPES[path.suffix],
        rows=rows,
    )


def licence_faults(contracts: Sequence[Contract], origins: Mapping[str, Sequence[Contract]]) -> list[str]:
    """Datasets whose licence or attribution does not follow from the sources behind them."""
    faults = []
    for contract in contracts:
        behind = origins[contract.name]
        share_alike = sorted(o.name for o in behind if o.licence in SHARE_ALIKE)
        if share_alike and contract.licence not in SHARE_ALIKE:
            faults.append(
                f"{contract.path.name}: holds rows from {', '.join(share_alike)}, which are share-alike, "
                f"so its licence must be one of {', '.join(sorted(SHARE_ALIKE))}"
            )
        for origin in behind:
            if missing := set(origin.attribution) - set(contract.attribution):
                faults.append(f"{contract.path.name}: must attribute {'; '.join(sorted(missing))}")
    return faults


# --- what becomes visible, and in which order ---------------------------------------------------------------


def finish_interrupted(home: Home) -> None:
    """Bring a home back in order after a run that was killed: nothing half stays, pointers are completed.

    A folder under `v/` was verified before it was renamed there, so if it is newer than what `latest.json`
    points to, only the pointers are missing.
    """
    shutil.rmtree(home.staging, ignore_errors=True)
    for left in [*home.public.glob(f"{PARTIAL}*"), *(home.public / "v").glob(f"{PARTIAL}*")]:
        left.unlink()
    versions = released_versions(home.public)
    pointer = read_pointer(home.public)
    if versions and (pointer is None or version_key(pointer.version) < version_key(versions[-1])):
        log.warning("completing release %s, whose publication was interrupted", versions[-1])
        if faults := verify_release(home.public / "v" / versions[-1]):
            raise ReleaseError(f"{versions[-1]} is damaged, remove its folder: {'; '.join(faults)}")
        point_to_newest(home.public)


def point_to_newest(public: Path) -> None:
    """Write the lists of versions, deltas and datasets, and `latest.json` last of all."""
    for name, content in pointers(public).items():
        write_atomically(public / name, content)


def pointers(public: Path) -> dict[str, bytes]:
    """What stands beside the releases, made from their manifests; `latest.json` comes last."""
    manifests = [read_manifest(public / "v" / version) for version in released_versions(public)]
    newest = manifests[-1]
    versions = [
        {
            "version": m.version,
            "path": f"v/{m.version}",
            "released_on": m.released_on.isoformat(),
            "world": m.world,
            "previous": m.previous,
            "change": m.change,
            **({"erased_on": [one.erased_on.isoformat() for one in m.erasures]} if m.erasures else {}),
        }
        for m in reversed(manifests)
    ]
    catalog = {
        "title": newest.title,
        "notice": newest.notice,
        "version": newest.version,
        "datasets": [
            {
                "name": dataset.name,
                "title": dataset.title,
                "schema_version": dataset.schema_version,
                "licence": dataset.licence,
                "rows": dataset.rows,
                "status": dataset.status,
                "change": dataset.change,
                "files": [f"v/{newest.version}/{file.path}" for file in dataset.files],
            }
            for dataset in newest.datasets
        ],
    }
    pointer = Pointer(
        version=newest.version,
        path=f"v/{newest.version}",
        world=newest.world,
        released_on=newest.released_on,
        manifest_sha256=sha256_of(public / "v" / newest.version / "manifest.json"),
    )
    return {
        "versions.json": to_json({"versions": versions}),
        "deltas.json": to_json({"deltas": list_deltas(manifests)}),
        "catalog.json": to_json(catalog),
        "latest.json": to_json(pointer),
    }


def pointer_faults(public: Path) -> list[str]:
    """Lists and pointers of a public folder that do not follow from the manifests of the releases in it."""
    return [
        f"{name}: does not follow from the releases under v/; publish again, or copy the folder again"
        for name, content in pointers(public).items()
        if name.endswith(".json") and (not (public / name).exists() or (public / name).read_bytes() != content)
    ]


def flush(paths: Iterable[Path]) -> None:
    """Ask the disk to keep files and folders; what is in a folder comes before it."""
    for path in paths:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
