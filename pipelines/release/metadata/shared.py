"""What several documents about a release say alike.

Belongs here: sentences, keywords, places and formats that more than one standard is told. Does not belong here:
the terms of any one standard.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.contract import Contract
from pipelines.release.manifest import DatasetEntry, FileEntry, Manifest
from pipelines.release.package import TITLE
from pipelines.release.versions import standing

Node = dict[str, Any]
Contracts = Mapping[str, Contract]

KEYWORDS = ("local government", "councils", "councillors", "social media", "digital engagement", "open data")
SAMPLE_KEYWORDS = ("sample data", "fictional")
COUNTRY = "United Kingdom"
SAMPLE_PLACE = "No real place: the authorities of the sample are fictional"
BOX = {"south": 49.8, "west": -8.7, "north": 60.9, "east": 1.8}  # the United Kingdom, in degrees


@dataclass(frozen=True)
class Format:
    """A form of the data: its name, what reads it, its media type, and its code in the EU's list of file types."""

    name: str
    media_type: str
    file_type: str
    compressed: bool = False


# By the ending of a file. Validators of Croissant know Parquet by its older media type, see `croissant`.
FORMATS = {
    ".parquet": Format("Parquet", "application/vnd.apache.parquet", "PARQUET"),
    ".csv.gz": Format("CSV", "text/csv", "CSV", compressed=True),
    ".xlsx": Format("Excel", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "XLSX"),
}


def summary(manifest: Manifest) -> str:
    """What the release is, in a few sentences."""
    titles = ", ".join(dataset.title for dataset in manifest.datasets)
    about = f"{TITLE} in the United Kingdom, council by council, as open data. Datasets: {titles}."
    return f"{manifest.notice} {about}" if manifest.notice else about


def about(dataset: DatasetEntry, contract: Contract, manifest: Manifest) -> str:
    """What a dataset is: the notice of a sample and a deprecation first, then its purpose and its limitations."""
    grain = dataset.grain[:1].upper() + dataset.grain[1:]
    said = [
        manifest.notice or "",
        standing(dataset) or "",
        f"{grain}.",
        contract.purpose,
        f"Limitations: {contract.limitations}",
    ]
    return " ".join(part for part in said if part)


def name_of(dataset: DatasetEntry, manifest: Manifest) -> str:
    """The title of a dataset, which tells a sample."""
    return f"{dataset.title} (sample)" if manifest.notice else dataset.title


def keywords(manifest: Manifest) -> list[str]:
    """What to find the release by."""
    return [*(SAMPLE_KEYWORDS if manifest.notice else ()), *KEYWORDS]


def credit_to(titles: Sequence[str], manifest: Manifest) -> list[str]:
    """Whom to credit; nobody's data is in a sample."""
    return [] if manifest.notice else list(titles)


def period(manifest: Manifest) -> tuple[dt.date, dt.date] | None:
    """The first and the last day that a source of the release stands for; None where it names no source."""
    days = [entry.as_of for entry in manifest.inputs]
    return (min(days), max(days)) if days else None


def format_of(entry: FileEntry) -> Format:
    """The form of a data file. Errors: `KeyError` for an ending that no dataset has."""
    for ending, form in FORMATS.items():
        if entry.path.endswith(ending):
            return form
    raise KeyError(entry.path)


def by_licence(manifest: Manifest) -> dict[str, list[str]]:
    """The datasets under each licence."""
    found: dict[str, list[str]] = {}
    for dataset in manifest.datasets:
        found.setdefault(dataset.licence, []).append(dataset.name)
    return dict(sorted(found.items()))


def without_none(node: Node) -> Node:
    """A node without what nobody stated."""
    return {key: value for key, value in node.items() if value is not None and value != []}


def licence_sentence(manifest: Manifest) -> str:
    """Every licence with the datasets under it."""
    said = (f"{code} for {', '.join(names)}" for code, names in by_licence(manifest).items())
    return f"Licences: {'; '.join(said)}."
