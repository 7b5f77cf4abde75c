"""What goes out of the gate, what an attacker can see of it, and what an attack found.

Belongs here: types only. Does not belong here: how they are made (`protection`) and how they are judged
(`attacks`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pipelines.privacy.cells import Cell, Population, Publication

Outcome = Literal["nothing found", "found", "not applicable", "failed"]


@dataclass(frozen=True)
class ThemeRow:
    """One published row of themes: how many of a role group's interviews mention a theme.

    `interviews` and `base` are rounded counts; `share_percent` is whole per cent of the rounded counts (D5; only
    with that rule off has it decimals), None where the base is too small. A withheld row has neither count nor
    share. `role_group` is `all` for the row of everybody.
    """

    theme_id: str
    role_group: str
    interviews: int | None
    base: int | None
    share_percent: float | None
    withheld_reason: str | None


@dataclass(frozen=True)
class CoverageRow:
    """One published row of coverage: how many of a role group's interviews are of one category of an attribute.

    `attribute` is `all` for the row of the whole role group, then `category` is `all` too.
    """

    role_group: str
    attribute: str
    category: str
    interviews: int
    median_minutes: int | None


@dataclass(frozen=True)
class Withheld:
    """A table, row or median that a rule kept back; names only, no value."""

    rule: str
    table: str
    reason: str


@dataclass(frozen=True)
class Protected:
    """All that one release tells about one study, and the merged truth behind it, which never leaves the gate.

    `levels` says for each attribute after how many merges it is shown. `medians` are median lengths in minutes
    by cell.
    """

    publication: Publication
    themes: tuple[ThemeRow, ...]
    coverage: tuple[CoverageRow, ...]
    withheld: tuple[Withheld, ...]
    levels: Mapping[str, int]
    medians: Mapping[Cell, int]
    population: Population = field(repr=False)
    is_unchanged: bool = False


@dataclass(frozen=True)
class LedgerEntry:
    """One earlier publication of a study with the truth behind its cells; kept in the restricted store only.

    `records_digest` counts how often each combination of all attributes and themes occurred, merged as they were
    told, by the hash of the combination under the store's secret: enough to tell how many interviews changed since
    in what was told, and nothing else.
    """

    publication: Publication
    truth: Mapping[Cell, int] = field(repr=False)
    levels: Mapping[str, int]
    themes: tuple[ThemeRow, ...]
    coverage: tuple[CoverageRow, ...]
    records_digest: Mapping[str, int] = field(repr=False)
    withdrawn: int = 0
    withheld: tuple[Withheld, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """What the audit of a study rests on: all that was ever told, oldest first, and the truth to hold against it.

    `social` gives the column names of every published table that is not about interviews; `register` counts the
    people in the public register by the values of the columns that such tables share with the interview tables.
    `merges` are the public vocabulary's merges by attribute: which categories an earlier, finer table had.
    """

    protected: Protected
    ledger: tuple[LedgerEntry, ...] = ()
    social: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    register: Mapping[Cell, int] = field(default_factory=dict, repr=False)
    messages: tuple[str, ...] = ()
    merges: Mapping[str, tuple[Mapping[str, str], ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class AttackResult:
    """What one attack did: how much it tried, how often it got through; no value of any cell.

    `measures` are figures about the attack itself, such as the share of cells recovered or the smallest interval.
    """

    attack: str
    title: str
    outcome: Outcome
    tried: int
    found: int
    tables: tuple[str, ...] = ()
    measures: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
