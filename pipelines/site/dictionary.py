"""The data dictionary: every field of every public dataset, once.

Belongs here: bringing together the columns of one name. Does not belong here: their words, which the contracts
have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.contract import Column, Contract
from pipelines.release.manifest import Manifest
from pipelines.release.pages import TYPES
from pipelines.site.page import Page


@dataclass(frozen=True)
class Meaning:
    """What a field says in some datasets: description, type, unit and values, and the datasets where it is so.

    `optional_in` are those of the datasets where a cell may be empty.
    """

    description: str
    type: str
    unit: str | None
    allowed: tuple[str, ...]
    datasets: tuple[str, ...]
    optional_in: tuple[str, ...]


@dataclass(frozen=True)
class Field:
    """A field by its name; one meaning if it says the same wherever it stands."""

    name: str
    meanings: tuple[Meaning, ...]

    @property
    def letter(self) -> str:
        """The initial that the field is found under."""
        return self.name[0].upper()


def dictionary_page(manifest: Manifest, contracts: Mapping[str, Contract]) -> Page:
    """The page `dictionary.html`; `contracts` has every dataset of the manifest by name."""
    found = fields(contracts)
    return Page(
        "dictionary.html",
        "Data dictionary",
        "dictionary.html",
        {
            "fields": found,
            "letters": sorted({field.letter for field in found}),
            "datasets": [(entry, contracts[entry.name]) for entry in manifest.datasets],
            "titles": {entry.name: entry.title for entry in manifest.datasets},
        },
    )


def fields(contracts: Mapping[str, Contract]) -> list[Field]:
    """Every field of some contracts, by name; datasets in which it means the same stand together."""
    found: dict[str, dict[tuple[object, ...], list[tuple[str, Column]]]] = {}
    for name, contract in sorted(contracts.items()):
        for column in contract.columns:
            same = (column.description, column.type, column.unit, _allowed(column))
            found.setdefault(column.name, {}).setdefault(same, []).append((name, column))
    return [
        Field(name, tuple(_meaning(uses) for uses in meanings.values()))
        for name, meanings in sorted(found.items())
    ]


def _meaning(uses: list[tuple[str, Column]]) -> Meaning:
    column = uses[0][1]
    return Meaning(
        description=column.description,
        type=TYPES[column.type],
        unit=column.unit,
        allowed=_allowed(column),
        datasets=tuple(name for name, _ in uses),
        optional_in=tuple(name for name, used in uses if not used.required),
    )


def _allowed(column: Column) -> tuple[str, ...]:
    """The values that a critical rule keeps the field to; empty where the list is open."""
    lists = (rule.allowed for rule in column.rules if rule.kind == "allowed" and rule.severity == "critical")
    return next(lists, ())
