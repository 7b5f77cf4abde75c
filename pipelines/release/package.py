"""Texts and metadata that accompany the data: data package, README, codebook, quality, query database.

Belongs here: pure functions from manifest and contracts to the content of files. Does not belong here: pages
(`pages`) and writing files (`build`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from pipelines.checks import Verdict
from pipelines.contract import Contract, quote, to_table_schema
from pipelines.release.manifest import LICENCES, DatasetEntry, Erasure, Manifest
from pipelines.release.versions import standing

SAMPLE_NOTICE = (
    "Sample data: every authority, councillor and account in this release is fictional. "
    "It shows how the publication works and says nothing about any real council."
)
TITLE = "Councillors' digital engagement"
PRODUCT = "councillor-engagement"


def bundle_name(manifest: Manifest) -> str:
    """The name of the zip file; that of a sample says so, because the name is what stays after a download."""
    return f"{PRODUCT}-{manifest.version}{'-sample' if manifest.notice else ''}.zip"


def licence_entry(code: str) -> dict[str, str]:
    """A licence as Data Package wants it."""
    title, address = LICENCES[code]
    return {"name": code, "title": title, "path": address}


def data_package(manifest: Manifest, contracts: Mapping[str, Contract]) -> dict[str, Any]:
    """The Data Package v2 descriptor: CSV resources with full schema, Parquet beside them.

    Parquet resources carry neither hash nor size, because the reference validator reads them as text;
    `SHA256SUMS` and the manifest hold both.
    """
    resources: list[dict[str, Any]] = []
    for dataset in manifest.datasets:
        contract = contracts[dataset.name]
        shared = {
            "title": dataset.title,
            "description": " ".join(filter(None, [standing(dataset), contract.purpose, contract.limitations])),
            **({} if dataset.status == "active" else {"status": dataset.status}),
            "licenses": [licence_entry(dataset.licence)],
            **({} if manifest.notice else {"sources": [{"title": title} for title in dataset.attribution]}),
        }
        csv, parquet = dataset.file(".csv.gz"), dataset.file(".parquet")
        resources.append(
            {
                "name": f"{dataset.name}-csv",
                "path": csv.path,
                "scheme": "file",
                "format": "csv",
                "mediatype": "text/csv",
                "compression": "gz",
                "encoding": "utf-8",
                **shared,
                "schema": to_table_schema(contract),
            }
        )
        resources.append(
            {
                "name": f"{dataset.name}-parquet",
                "path": parquet.path,
                "scheme": "file",
                "format": "parquet",
                "mediatype": "application/vnd.apache.parquet",
                **shared,
            }
        )
    return {
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": PRODUCT,
        "title": manifest.title,
        "version": manifest.version,
        "created": f"{manifest.released_on.isoformat()}T00:00:00Z",
        "description": manifest.notice or f"{TITLE}, council by council.",
        "licenses": [licence_entry(code) for code in sorted({d.licence for d in manifest.datasets})],
        **({} if manifest.notice else {"sources": [{"title": title} for title in attributions(manifest)]}),
        "resources": resources,
    }


def attributions(manifest: Manifest) -> list[str]:
    """Everyone whose data is in the release, once each."""
    return sorted({title for dataset in manifest.datasets for title in dataset.attribution})


def readme(manifest: Manifest, contracts: Mapping[str, Contract]) -> str:
    """The release's README: what it is, the datasets with their licences, how to query and check it."""
    lines = [f"# {manifest.title}, release {manifest.version}", ""]
    lines += [f"**{manifest.notice}**", ""] if manifest.notice else []
    kept = "" if manifest.erasures else " The folder never changes; a mended release is a new folder."
    lines += [f"Released on {manifest.released_on}.{kept}", ""]
    lines += [line for one in manifest.erasures or () for line in (f"**{erasure_sentence(one)}**", "")]
    lines += ["| dataset | one row per | rows | schema | licence |", "|---|---|---|---|---|"]
    for dataset in manifest.datasets:
        grain = dataset.grain.removeprefix("one row per ")
        lines.append(
            f"| [{dataset.name}](codebook.md#{dataset.name}) | {grain} | {dataset.rows:,} "
            f"| {dataset.schema_version} | {dataset.licence} |"
        )
    lines += ["", "## Files", "", *_files(manifest)]
    lines += ["", "## Before you use it", ""]
    for d in manifest.datasets:
        notice = f" **{said}**" if (said := standing(d)) else ""
        lines.append(f"- **{d.name}**:{notice} {contracts[d.name].limitations}")
    first = manifest.datasets[0].name
    lines += ["", "## Query it", "", "```sh"]
    lines += [
        f"duckdb -c \"select * from '{first}.parquet' limit 10\"",
        "duckdb views.duckdb  # all datasets as views",
        "```",
    ]
    lines += ["", "```python", "import pandas", f'pandas.read_parquet("{first}.parquet")', "```"]
    lines += ["", "## Check it", "", "```sh", "sha256sum --check SHA256SUMS", "engagement verify .", "```"]
    lines += ["", "## Attribution", ""]
    lines += ["Real releases credit these; the sample holds none of their data.", ""] if manifest.notice else []
    lines += [f"- {title}" for title in attributions(manifest)]
    return "\n".join(lines) + "\n"


def erasure_sentence(erasure: Erasure) -> str:
    """What an erasure did to a release, for those who rely on its rows; names nobody."""
    rows = sum(erasure.rows.values())
    told = ", ".join(f"{count:,} of {name}" for name, count in sorted(erasure.rows.items()))
    lost = f"{rows:,} rows were taken out ({told})" if rows else "rows were taken out of what tells of changes"
    return (
        f"An account was erased from this release on {erasure.erased_on}: {lost}. Figures of groups stand as they "
        f"were published; the releases that follow are computed without it."
        f" Checksums are not those of the first edition."
    )


def _files(manifest: Manifest) -> list[str]:
    """What each file is for, as a list."""
    too_large = [d.name for d in manifest.datasets if not any(file.path.endswith(".xlsx") for file in d.files)]
    without = f" (not for {', '.join(too_large)}: too large for a spreadsheet)" if too_large else ""
    return [
        "- `<dataset>.parquet`: for DuckDB, Python and R; `views.duckdb` shows them all as views",
        "- `<dataset>.csv.gz`: the same rows as compressed CSV",
        f"- `<dataset>.xlsx`: the same rows for Excel and LibreOffice, with codebook and licence{without}",
        f"- `{bundle_name(manifest)}`: the spreadsheets and the codebook in one download",
        "- `codebook.md`: what each column means; `quality.json`: what was checked",
        "- `CHANGES.md`: what changed since the release before; `changes.json` says the same to programs",
        "- `changes/<dataset>.parquet`: only the rows that changed since then, not in a first release",
        "- `contracts/<dataset>.json`: what is promised of each dataset, as an ODCS data contract",
        "- `CITATION.cff`: how to cite the release",
        "- `manifest.json`: every file with its hash, and what the release was made from",
        "- `manifest.json.minisig`: the publisher's signature, where there is one",
        "- `provenance.json`: what the release was made from, as an in-toto statement",
        "- descriptions for other systems: `datapackage.json`, `croissant.json`, `dcat.jsonld`, `datacite.json`",
    ]


def codebook(manifest: Manifest, contracts: Mapping[str, Contract]) -> str:
    """Every dataset and every column in words."""
    lines = [f"# Codebook of release {manifest.version}", ""]
    lines += [f"**{manifest.notice}**", ""] if manifest.notice else []
    for dataset in manifest.datasets:
        contract = contracts[dataset.name]
        lines += [
            f"## {dataset.name}",
            "",
            f"{contract.title}: {contract.grain}. Schema {contract.version}.",
            "",
        ]
        lines += [f"**{notice}**", ""] if (notice := standing(dataset)) else []
        lines += [contract.purpose, "", f"**How to use it.** {contract.usage}", ""]
        lines += [f"**Limits.** {contract.limitations}", ""]
        lines += [f"Key: {', '.join(contract.key)}. Licence: {contract.licence}.", ""]
        lines += ["| column | type | unit | may be empty | meaning |", "|---|---|---|---|---|"]
        lines += [
            f"| {c.name} | {c.type} | {c.unit or ''} | {'no' if c.required else 'yes'} | {c.description} |"
            for c in contract.columns
        ]
        lines.append("")
    return "\n".join(lines)


def quality(verdicts: Sequence[Verdict], datasets: Sequence[DatasetEntry]) -> dict[str, Any]:
    """What was checked on each dataset and with which result, in counts."""
    rows = {dataset.name: dataset.rows for dataset in datasets}
    return {
        "checked_by": "Great Expectations, inside DuckDB, on the tables that were released",
        "datasets": {
            verdict.table.split(".")[1]: {
                "rows": rows[verdict.table.split(".")[1]],
                "critical_failures": len(verdict.failures),
                "warnings": [warning.sentence() for warning in verdict.warnings],
                "rules": [
                    {
                        "rule": result.rule,
                        "column": result.column,
                        "severity": result.severity,
                        "passed": result.passed,
                        "rows_breaking": result.broken,
                    }
                    for result in verdict.results
                ],
            }
            for verdict in verdicts
        },
    }


def write_views(folder: Path, names: Sequence[str]) -> None:
    """Write `views.duckdb`: a view per dataset over the Parquet files beside it, holding no data itself.

    The views look in the folder that DuckDB was started in, or in `set variable release = '…'`, which may also
    be a web address.
    """
    path = folder / "views.duckdb"
    # The oldest storage version that is still read everywhere.
    with duckdb.connect(":memory:") as con:
        con.execute(f"attach {quote(str(path))} as views (storage_version 'v1.0.0')")
        con.execute(f"set variable release = {quote(str(folder))}")
        for name in names:
            con.execute(
                f"create view views.{name} as select * from "
                f"read_parquet(coalesce(getvariable('release') || '/', '') || '{name}.parquet')"
            )
        con.execute("detach views")
