"""What a portal or an archive tells about a release, in its own words: taken from the files of the release.

Belongs here: reading `datacite.json` and the contracts that lie in a release. Does not belong here: the form that
one portal wants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from pipelines.release.manifest import DatasetEntry, Manifest
from pipelines.release.versions import standing
from pipelines.targets.edition import Release
from pipelines.targets.target import TargetError


@dataclass(frozen=True)
class Description:
    """What a release says about itself; `warnings` come before anything else wherever it is shown."""

    title: str
    creators: tuple[str, ...]
    keywords: tuple[str, ...]
    abstract: str
    warnings: tuple[str, ...]
    limitations: Mapping[str, str]
    purposes: Mapping[str, str]
    levels: Mapping[str, str | None]

    def of(self, dataset: str) -> str:
        """Purpose and limits of one dataset."""
        return f"{self.purposes[dataset]} Limitations: {self.limitations[dataset]}"


def describe(release: Release) -> Description:
    """Read what a release says about itself. Errors: `TargetError` where one of its files cannot be read."""
    manifest = release.manifest
    cited = _json(release.folder / "datacite.json")
    contracts = {d.name: _json(release.folder / "contracts" / f"{d.name}.json") for d in manifest.datasets}
    return Description(
        title=manifest.title,
        creators=tuple(str(one["name"]) for one in cited["creators"]),
        keywords=tuple(str(one["subject"]) for one in cited.get("subjects", [])),
        abstract=next(d["description"] for d in cited["descriptions"] if d["descriptionType"] == "Abstract"),
        warnings=warnings(manifest),
        limitations={name: str(found["description"]["limitations"]) for name, found in contracts.items()},
        purposes={name: str(found["description"]["purpose"]) for name, found in contracts.items()},
        levels={name: _level(found) for name, found in contracts.items()},
    )


def warnings(manifest: Manifest) -> tuple[str, ...]:
    """That a release is a sample, and which of its datasets will go."""
    going = (standing(dataset) for dataset in manifest.datasets)
    return tuple(said for said in (manifest.notice, *going) if said)


def licences(datasets: Sequence[DatasetEntry]) -> dict[str, list[str]]:
    """The names of datasets under each licence."""
    found: dict[str, list[str]] = {}
    for dataset in datasets:
        found.setdefault(dataset.licence, []).append(dataset.name)
    return dict(sorted(found.items()))


def licence_sentence(datasets: Sequence[DatasetEntry]) -> str:
    """Which dataset is under which licence."""
    return "; ".join(f"{code}: {', '.join(names)}" for code, names in licences(datasets).items())


def _level(contract: Mapping[str, Any]) -> str | None:
    """The finest level at which a dataset shows what was observed; None where its contract does not say."""
    given = contract.get("customProperties") or []
    return next((str(one["value"]) for one in given if one.get("property") == "level"), None)


def _json(path: Path) -> Any:
    try:
        return orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        raise TargetError(f"{path}: cannot be read; publish again") from None
