"""Which tables are told about a study, at which level of merging, and what is withheld (rules D2, D4, D7 to D9).

Belongs here: the choice of tables, from the truth, and the second look at them once they are rounded. Does not
belong here: the numbers in them (`rounding`) and the rows that are published (`protection`).

Three kinds of tables are told: role group by each attribute that may be told about everybody, each other attribute
among councillors, and each theme by role group. What may be a dimension is a list of allowed columns.

Where something is withheld for one role group, its tables are told for each other group alone, without the row of
everybody: with it, what is withheld would be a difference of two published numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Final

import numpy as np

from pipelines.privacy.categories import Hierarchy, choose_level, recode
from pipelines.privacy.cells import (
    MENTIONED,
    THEME_PREFIX,
    Cell,
    Population,
    Table,
    additive_groups,
)
from pipelines.privacy.evidence import Withheld
from pipelines.privacy.rules import DisclosureError, Rules

ROLE: Final = "role_group"
COUNCILLOR: Final = "councillor"
TYPE: Final = "authority_type"
GENDER: Final = "gender"
# Everything that may ever be a dimension besides themes; no council, ward, name or account.
ATTRIBUTES: Final = frozenset(
    {ROLE, TYPE, GENDER, "seniority", "region", "party", "age_band", "tenure_band", "mode_of_collection"}
)
SMALL_STUDY: Final = "the study has too few interviews"
SMALL_TABLE: Final = "too few interviews of that role group for a table"
SMALL_ROLE: Final = "role groups with too few interviews are not told, nor is the row of everybody"
SMALL_CATEGORY: Final = "a category has too few interviews of that role group"
SENSITIVE: Final = "a sensitive theme, and too few interviews of that role group"
ALL_ALIKE: Final = "nearly all of too few interviews are alike"
COMPLEMENT: Final = "would tell what is withheld for a role group"
AUDITED: Final = "the audit found a way in"
TOO_WIDE: Final = "more dimensions than are told"


@dataclass(frozen=True)
class Plan:
    """What may be told about a study: tables over its merged truth, and why other tables are not told.

    `roles` are the role groups that are told, with their true number of interviews; `is_whole` says that they are
    all there are, so that everybody may be told as well. `levels` are those of the attributes that are told, and
    `hidden` are cells that must not be computable from what is told.
    """

    population: Population = field(repr=False)
    tables: tuple[Table, ...]
    levels: Mapping[str, int]
    roles: Mapping[str, int] = field(repr=False)
    is_whole: bool
    withheld: tuple[Withheld, ...] = ()
    hidden: tuple[Cell, ...] = field(default=(), repr=False)


def table_name(table: Table) -> str:
    """How a table is called in messages, such as `gender of councillor` or `theme:abuse by role_group`."""
    filters = " and ".join(category for _, category in sorted(table.where))
    return " by ".join(table.dimensions) + (f" of {filters}" if filters else "")


def plan_tables(
    population: Population,
    hierarchies: Mapping[str, Hierarchy],
    rules: Rules,
    at_least: Mapping[str, int],
    without: frozenset[str] = frozenset(),
) -> Plan:
    """Choose the tables of a study and the levels of its attributes.

    `at_least` gives for an attribute the finest level that may be shown, `without` names themes that are left
    out. The study has as many interviews as D2 asks for. Raises `DisclosureError` (D13) for a column or category
    that the vocabulary does not have.
    """
    _check_columns(population, hierarchies)
    plan = _plan_roles(population, hierarchies[ROLE], rules, at_least)
    for name, hierarchy in hierarchies.items():
        if name != ROLE and name in population.records:
            plan = _plan_attribute(plan, hierarchy, rules, at_least.get(name, 0))
    for theme in themes_of(population):
        audited = Withheld("D13", theme, AUDITED)
        plan = _withhold(plan, audited) if theme in without else _plan_theme(plan, theme, rules)
    if not rules.holds("D2") and {ROLE, TYPE, GENDER} <= plan.levels.keys():
        plan = replace(plan, tables=(*plan.tables, Table((ROLE, TYPE, GENDER))))
    shown = plan.population.records[[*plan.levels, *themes_of(population)]]
    return replace(plan, population=replace(plan.population, records=shown))


def count_cells(population: Population, tables: Iterable[Table]) -> dict[Cell, int]:
    """The true count of every cell of some tables."""
    cells = {cell: None for table in tables for cell in population.cells(table)}
    holds = {
        pair: (population.records[pair[0]] == pair[1]).to_numpy()
        for pair in {pair for cell in cells for pair in cell}
    }
    everyone = np.ones(len(population.records), dtype=bool)
    return {cell: int(np.logical_and.reduce([everyone, *(holds[p] for p in cell)]).sum()) for cell in cells}


def withhold_uniform(plan: Plan, counts: Mapping[Cell, int], rules: Rules) -> Plan:
    """Rule D7 on rounded counts: no small role group is told to be all alike.

    A table that would tell it is told for the large role groups alone. Sensitive themes are withheld for small
    role groups from the start, whatever their numbers: withholding only those that are near none or all would say
    just that. Raises `DisclosureError` where what is withheld could be computed from what is left.
    """
    if not rules.holds("D7"):
        return plan
    for table in plan.tables:
        uniform = _uniform_roles(plan, table, counts, rules)
        if uniform:
            plan = _only_large_roles(plan, table, rules, uniform, ALL_ALIKE)
    if not rules.holds("D2"):
        return plan  # its three-way table tells what is withheld elsewhere
    told = {cell for table in plan.tables for cell in plan.population.cells(table)}
    if any(is_computable(cell, told, plan.population) for cell in plan.hidden):
        raise DisclosureError(f"D7: study {plan.population.study_id}: what is withheld could be computed")
    return plan


def is_computable(cell: Cell, told: Iterable[Cell], population: Population) -> bool:
    """Whether the count of a cell is a sum and difference of told counts over the cell's own dimensions.

    Every told cell is a row of zeros and ones over all combinations of those dimensions; the cell is computable if
    it lies in the span of the rows, which is if adding it does not raise their rank. Each attribute has one more
    category than occurs: where a table is not told, nobody knows that its categories are all there are.
    """
    dimensions = sorted(dimension for dimension, _ in cell)
    choices = [[(name, category) for category in population.categories(name)] for name in dimensions]
    for name, categories in zip(dimensions, choices, strict=True):
        if name != ROLE and not name.startswith(THEME_PREFIX):
            categories.append((name, ""))
    combinations = list(product(*choices))

    def row(one: Cell) -> list[bool]:
        return [one <= frozenset(combination) for combination in combinations]

    rows = [row(one) for one in told if {dimension for dimension, _ in one} <= set(dimensions)]
    rank = int(np.linalg.matrix_rank(np.array(rows, dtype=float))) if rows else 0
    return rank == int(np.linalg.matrix_rank(np.array([*rows, row(cell)], dtype=float)))


def equations(population: Population, tables: Iterable[Table]) -> list[tuple[Cell, list[Cell]]]:
    """Every equation of some tables, over the categories that occur among those whom each is about."""
    found: dict[tuple[Cell, tuple[Cell, ...]], None] = {}
    for table in tables:
        categories = {name: population.categories(name, table.where) for name in table.dimensions}
        found |= {(margin, tuple(parts)): None for margin, parts in additive_groups([table], categories)}
    return [(margin, list(parts)) for margin, parts in found]


def themes_of(population: Population) -> list[str]:
    """The columns of themes, sorted."""
    return sorted(name for name in map(str, population.records.columns) if name.startswith(THEME_PREFIX))


def _check_columns(population: Population, hierarchies: Mapping[str, Hierarchy]) -> None:
    study = population.study_id
    if not hierarchies.keys() <= ATTRIBUTES or ROLE not in hierarchies:
        raise DisclosureError(f"D2: study {study}: the vocabulary has an attribute that may be no dimension")
    for place, column in enumerate(map(str, population.records.columns), start=1):
        if column not in hierarchies and not column.startswith(THEME_PREFIX):
            raise DisclosureError(f"D13: study {study}: column {place} is neither an attribute nor a theme")
    if ROLE not in population.records:
        raise DisclosureError(f"D13: study {study}: there is no column {ROLE}")


def _plan_roles(population: Population, hierarchy: Hierarchy, rules: Rules, at_least: Mapping[str, int]) -> Plan:
    """Which role groups are told: all, or those large enough for tables of their own, or only everybody.

    Holders (D8) do not count here: groups without public register are what D9 is about.
    """
    level = choose_level(population.records[ROLE], hierarchy, rules, at_least=at_least.get(ROLE, 0))
    withheld: tuple[Withheld, ...] = ()
    is_whole = not isinstance(level, Withheld)
    if isinstance(level, Withheld):
        withheld, level = (Withheld(level.rule, ROLE, SMALL_ROLE),), hierarchy.top
    merged = _merge(population, hierarchy, level)
    sizes = {str(role): int(number) for role, number in merged.records[ROLE].value_counts().items()}
    needed = max(rules.minimum_denominator, rules.minimum_base if rules.holds("D2") else 0)
    roles = {role: sizes[role] for role in sorted(sizes) if is_whole or sizes[role] >= needed}
    return Plan(merged, (Table((ROLE,)),) if is_whole else (), {ROLE: level}, roles, is_whole, withheld)


def _merge(population: Population, hierarchy: Hierarchy, level: int) -> Population:
    name = hierarchy.attribute
    column = recode(population.records[name], hierarchy, level)
    return replace(population, records=population.records.assign(**{name: column}))


def _plan_attribute(plan: Plan, hierarchy: Hierarchy, rules: Rules, at_least: int) -> Plan:
    """Cross an attribute with the role group where D9 lets it, or tell it of one role group."""
    name = hierarchy.attribute
    is_for_all = name in rules.officer_attributes or not rules.holds("D9")
    at_most: int | None = rules.officer_categories
    if plan.is_whole and len(plan.roles) > 1 and is_for_all:
        table = Table((ROLE, name))
    else:
        role = next(iter(plan.roles)) if is_for_all and len(plan.roles) == 1 else COUNCILLOR
        table = _of_role(name, role)
        at_most = None if role == COUNCILLOR else at_most
    fault = _fault(plan, table, rules)
    if fault:
        return _withhold(plan, Withheld("D2", table_name(table), fault))
    rows = plan.population.records
    for dimension, category in table.where:
        rows = rows[rows[dimension] == category]
    holders = plan.population.frame.get(name)
    level = choose_level(rows[name], hierarchy, rules, holders, at_least, at_most)
    if isinstance(level, Withheld):
        return _withhold(plan, replace(level, table=table_name(table)))
    merged = _merge(plan.population, hierarchy, level)
    return replace(plan, population=merged, tables=(*plan.tables, table), levels={**plan.levels, name: level})


def _plan_theme(plan: Plan, theme: str, rules: Rules) -> Plan:
    if not plan.is_whole:
        tables = [_of_role(theme, role) for role in plan.roles] or [Table((theme,))]
        for table in tables:
            plan = _tell(plan, table, rules)
        return plan
    table = Table((theme, ROLE))
    small = {role for role, size in plan.roles.items() if size < rules.sensitive_base}
    if small and theme in plan.population.sensitive and rules.holds("D7"):
        return _only_large_roles(plan, table, rules, small, SENSITIVE)
    return _tell(plan, table, rules)


def _of_role(dimension: str, role: str) -> Table:
    return Table((dimension,), frozenset({(ROLE, role)}))


def _fault(plan: Plan, table: Table, rules: Rules) -> str:
    """Why D2 does not let a table be told; empty where it does."""
    if not rules.holds("D2"):
        return ""
    sizes = [plan.roles.get(role, 0) for _, role in table.where]
    if min([len(plan.population.records), *sizes]) < rules.minimum_base:
        return SMALL_TABLE if sizes else SMALL_STUDY
    return TOO_WIDE if table.width > rules.max_dimensions else ""


def _tell(plan: Plan, table: Table, rules: Rules) -> Plan:
    fault = _fault(plan, table, rules)
    if fault:
        return _withhold(plan, Withheld("D2", table_name(table), fault))
    return replace(plan, tables=(*plan.tables, table))


def _withhold(plan: Plan, withheld: Withheld) -> Plan:
    return replace(plan, withheld=(*plan.withheld, withheld))


def _only_large_roles(plan: Plan, table: Table, rules: Rules, hidden: Collection[str], reason: str) -> Plan:
    """Tell a table over role groups of each large one alone, so that no difference yields what is hidden."""
    dimension = next(name for name in table.dimensions if name != ROLE)
    inner = [cell for cell in plan.population.cells(table) if len(cell) == table.width]
    plan = replace(
        plan,
        tables=tuple(other for other in plan.tables if other != table),
        hidden=(*plan.hidden, *(cell for cell in inner if any((ROLE, role) in cell for role in hidden))),
    )
    for role in plan.roles:
        alone = _of_role(dimension, role)
        if role in hidden:
            plan = _withhold(plan, Withheld("D7", table_name(alone), reason))
        elif _has_small_category(plan, alone, rules):
            plan = _withhold(plan, Withheld("D4", table_name(alone), SMALL_CATEGORY))
        else:
            plan = _tell(plan, alone, rules)
    return _withhold(plan, Withheld("D7", table_name(Table((dimension,))), COMPLEMENT))


def _has_small_category(plan: Plan, table: Table, rules: Rules) -> bool:
    """Whether a category of an attribute that was large enough for all role groups is too small for one (D4)."""
    if table.dimensions[0].startswith(THEME_PREFIX) or not rules.holds("D4"):
        return False
    counts = count_cells(plan.population, [table])
    return min(counts.values()) < rules.minimum_denominator


def _uniform_roles(plan: Plan, table: Table, counts: Mapping[Cell, int], rules: Rules) -> set[str]:
    """Small role groups whose row of a table would say that they are all alike."""
    if len(table.dimensions) != 2 or ROLE not in table.dimensions:
        return set()
    dimension = next(name for name in table.dimensions if name != ROLE)
    telling = set(plan.population.categories(dimension))
    if dimension.startswith(THEME_PREFIX) and dimension not in plan.population.sensitive:
        telling = {MENTIONED}
    found = set()
    for role, size in plan.roles.items():
        row = frozenset({(ROLE, role)})
        is_uniform = any(counts.get(row | {(dimension, c)}) == counts[row] for c in telling)
        if is_uniform and min(size, counts[row]) < rules.sensitive_base:
            found.add(role)
    return found
