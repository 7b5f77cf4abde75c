"""A made-up study of 52 interviews for the tests of the gate and of attacks on it, and publications by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import yaml

from pipelines.privacy.attacks.chain import Reprotect
from pipelines.privacy.audit import asking_again
from pipelines.privacy.categories import read_hierarchies
from pipelines.privacy.cells import MENTIONED, NOT_MENTIONED, THEME_PREFIX, Cell, Population, Publication, Table
from pipelines.privacy.evidence import Evidence, LedgerEntry, Protected, ThemeRow
from pipelines.privacy.protection import protect, to_entry
from pipelines.privacy.rules import Rules
from pipelines.privacy.tables import count_cells
from pipelines.settings import project_folder

VOCABULARY = yaml.safe_load((project_folder("data_contracts") / "interviews.yml").read_text(encoding="utf-8"))
HIERARCHIES = read_hierarchies(VOCABULARY["attributes"])
MERGES = {name: hierarchy.merges for name, hierarchy in HIERARCHIES.items()}
THEMES = tuple(f"{THEME_PREFIX}{name}" for name in sorted(VOCABULARY["themes"]))
SENSITIVE = frozenset(f"{THEME_PREFIX}{name}" for name, said in VOCABULARY["themes"].items() if said["sensitive"])
SECRET = b"a secret that only this test has"
RULES = Rules()
COUNCILLORS: Cell = frozenset({("role_group", "councillor")})
# Roughly how many people in the country hold each; the rare ones are what D8 is about.
FRAME: Mapping[str, Mapping[str, int]] = {
    "seniority": {
        "mayor": 7,
        "leader": 380,
        "cabinet_member": 2_600,
        "committee_chair": 3_000,
        "backbench": 13_000,
    },
    "party": {
        "conservative": 4_400,
        "labour": 6_100,
        "liberal_democrat": 3_200,
        "green": 900,
        "independent": 3_000,
    }
    | {"reform_uk": 800, "snp": 420, "plaid_cymru": 200, "other": 150},
    "gender": {"female": 6_700, "male": 12_000, "other": 20},
}


def study(seed: int = 52, interviews: int = 52, officers: int = 14, *, twins: int = 0) -> Population:
    """Interviews drawn from a seed: councillors with all attributes, officers with those that officers have.

    The first interviews stay the same when there are more of them. `twins` makes that many the same in all.
    """
    draw = np.random.default_rng(seed)
    rows: list[dict[str, str]] = []
    officer_places = set(np.linspace(1, 51, officers).astype(int)) if officers else set()
    for place in range(interviews):
        role = "officer" if place in officer_places else "councillor"
        row = {"role_group": role}
        for name, hierarchy in HIERARCHIES.items():
            if name == "role_group":
                continue
            known = sorted(hierarchy.categories - {"not_stated"})
            weights = 1 / np.arange(1, len(known) + 1)
            chosen = known[int(draw.choice(len(known), p=weights / weights.sum()))]
            row[name] = chosen if role == "councillor" or hierarchy.of is None else "not_stated"
        for number, theme in enumerate(THEMES):
            share = 0.15 + 0.05 * number
            row[theme] = MENTIONED if draw.random() < share else NOT_MENTIONED
        rows.append(row)
    rows[:twins] = [dict(rows[0]) for _ in rows[:twins]]
    records = pd.DataFrame(rows, index=[f"{draw.integers(2**60):016x}" for _ in rows], dtype=str)
    minutes = pd.Series(5.0 * draw.integers(6, 20, interviews), index=records.index)
    return Population("made-up-study", records, minutes, FRAME, SENSITIVE)


def with_column(population: Population, name: str, values: Iterable[str]) -> Population:
    """A study with another column."""
    return replace(population, records=population.records.assign(**{name: list(values)}))


def first(population: Population, number: int) -> Population:
    """A study with its first interviews only."""
    return replace(population, records=population.records.iloc[:number], minutes=population.minutes.iloc[:number])


def told(
    population: Population, tables: Iterable[Table], *, base: int = 1, number: int = 1, **more: Any
) -> Protected:
    """A publication made by hand: true counts of some tables, or those rounded down where `base` is not 1."""
    tables = tuple(tables)
    counts = {cell: count - count % base for cell, count in count_cells(population, tables).items()}
    given: dict[str, Any] = {"themes": (), "coverage": (), "withheld": (), "levels": {}, "medians": {}, **more}
    return Protected(Publication(number, tables, counts, base), population=population, **given)


def entry_of(protected: Protected) -> LedgerEntry:
    """What a ledger keeps of a publication, also of one made by hand."""
    return to_entry(replace(protected, is_unchanged=False), SECRET)


def gate(
    population: Population, rules: Rules = RULES, ledger: tuple[LedgerEntry, ...] = (), **more: Any
) -> tuple[Evidence, Reprotect]:
    """What the gate tells of a study under some rules, as the audit gets it."""
    protected = protect(population, HIERARCHIES, rules, SECRET, ledger)
    evidence = Evidence(protected, ledger, merges=MERGES, **more)
    return evidence, asking_again(HIERARCHIES, rules, SECRET, ledger)


def theme_row(theme_id: str, role_group: str, interviews: int, base: int, share: float | None) -> ThemeRow:
    """A published row that is not withheld."""
    return ThemeRow(theme_id, role_group, interviews, base, share, None)
