"""Corrections as data: cells of sources that are known to be wrong, what they are to say, and why.

Belongs here: reading `data_contracts/corrections.yml` strictly, and the list for the public. Does not belong here:
applying them (`warehouse.load_source` does, before any rule judges a row). A correction that cannot be checked
against what the source says today is worse than the error: so each states what it expects.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.contract import PROVENANCE, Contract, read_yaml

Reporter = Literal["council_officer", "councillor", "researcher", "public", "ourselves"]
IMPERSONAL = frozenset({"safe", "measure"})  # classes of columns that may be corrected in public


class CorrectionError(Exception):
    """A correction that cannot be used; the message names its place in the file and the remedy."""


class Correction(BaseModel):
    """One cell that is mended; texts are as the source writes them, None is an empty cell."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str
    world: Literal["live", "sample"] = "live"
    key: dict[str, str] = Field(min_length=1)
    column: str
    expect: str | None
    becomes: str | None
    reason: str = Field(min_length=10)
    reported_by: Reporter
    decided_on: dt.date
    evidence: str = Field(pattern=r"^https?://[^\s]+$")

    @property
    def where(self) -> str:
        """The cell, as an error names it."""
        row = ", ".join(f"{name} {value}" for name, value in self.key.items())
        return f"{self.table}.{self.column} of {row}"


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    corrections: list[Correction]


def load_corrections(path: Path, contracts: Mapping[str, Contract]) -> tuple[Correction, ...]:
    """Read all corrections and hold them against the contracts of the sources.

    Errors: `CorrectionError` naming every fault: an unknown table or column, a column about a person, a required
    column that would become empty, a cell that is corrected twice, a correction that changes nothing.
    """
    try:
        found = _Document.model_validate(read_yaml(path)).corrections
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg'].lower()}" for e in error.errors())
        raise CorrectionError(f"{path.name}: {said}") from None
    faults = [fault for one in found if (fault := _fault(one, contracts))]
    cells = [(one.world, one.table, tuple(sorted(one.key.items())), one.column) for one in found]
    faults += [
        f"{one.where} is corrected twice: keep one"
        for number, one in enumerate(found)
        if cells[number] in cells[:number]
    ]
    if faults:
        raise CorrectionError(f"{path.name}: {'; '.join(faults)}")
    return tuple(found)


def _fault(one: Correction, contracts: Mapping[str, Contract]) -> str | None:
    """Why a correction cannot be used; None where it can."""
    contract = contracts.get(one.table)
    if contract is None or contract.layer != "source":
        return f"{one.table} is no table of a source"
    columns = {column.name: column for column in contract.columns if column.name not in PROVENANCE}
    if unknown := sorted({one.column, *one.key} - set(columns)):
        return f"{one.table} has no column {', '.join(unknown)}; it has {', '.join(columns)}"
    if personal := sorted(n for n in {one.column, *one.key} if columns[n].classification not in IMPERSONAL):
        return (
            f"{one.table}.{', '.join(personal)} is about people and is not corrected in public: have it mended at "
            f"the source, or erase the account"
        )
    if one.column in one.key:
        return f"{one.where}: a key that is corrected would name another row"
    if one.becomes is None and columns[one.column].required:
        return f"{one.where} may not be empty, says its contract"
    return f"{one.where} becomes what it is expected to be" if one.becomes == one.expect else None


def corrections_of(corrections: Iterable[Correction], table: str, world: str) -> tuple[Correction, ...]:
    """The corrections of one table that hold in a world."""
    return tuple(one for one in corrections if one.table == table and one.world == world)


def public_list(corrections: Iterable[Correction], world: str) -> bytes:
    """`corrections.json` of a release: every correction in force, with its reason and evidence."""
    listed: list[dict[str, Any]] = [
        one.model_dump(mode="json", exclude={"world"}) for one in corrections if one.world == world
    ]
    return json.dumps({"corrections": listed}, indent=2, ensure_ascii=False).encode() + b"\n"
