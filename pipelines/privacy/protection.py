"""The gate: a study's truth goes in, what may be told comes out, or nothing does.

Belongs here: the order of the rules, and the rows, shares and medians that are published (D2, D5, D6, D10, D13).
Does not belong here: choosing tables (`tables`), rounding (`rounding`), and attacking the result (`attacks`): the
audit is handed in, and where it finds something the gate tells less and asks again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from pipelines.privacy.categories import Hierarchy
from pipelines.privacy.cells import (
    EVERYBODY,
    MENTIONED,
    NOT_MENTIONED,
    THEME_PREFIX,
    Cell,
    Population,
    Publication,
    Table,
)
from pipelines.privacy.evidence import CoverageRow, LedgerEntry, Protected, ThemeRow, Withheld
from pipelines.privacy.ledger import as_told, changed_interviews, digest_records
from pipelines.privacy.rounding import Dither, canonical, round_jointly
from pipelines.privacy.rules import DisclosureError, Rules
from pipelines.privacy.tables import (
    COMPLEMENT,
    ROLE,
    SMALL_STUDY,
    Plan,
    count_cells,
    equations,
    plan_tables,
    table_name,
    themes_of,
    withhold_uniform,
)

ALL: Final = "all"
ALL_TABLES: Final = "all tables"
FEW_CHANGES: Final = "too few interviews have changed since the last publication, which stands"
SECRET_BYTES: Final = 16  # the fewest: less could be tried out
ROUNDS: Final = 12  # how often the audit is asked before the gate gives up
MINUTES: Final = 5  # medians are told to the nearest five minutes

Audit = Callable[[Protected], Sequence[str]]


@dataclass(frozen=True)
class _Gate:
    """What stays the same while the audit is asked again and again."""

    population: Population
    hierarchies: Mapping[str, Hierarchy]
    rules: Rules
    secret: bytes = field(repr=False)
    ledger: tuple[LedgerEntry, ...]
    number: int


def protect(
    population: Population,
    hierarchies: Mapping[str, Hierarchy],
    rules: Rules,
    secret: bytes,
    ledger: Sequence[LedgerEntry] = (),
    audit: Audit | None = None,
) -> Protected:
    """What may be told about a study now, given all that was told before.

    `hierarchies` are in the vocabulary's order. `audit` names what it can find out from what is told: then the
    attribute that it names, else the last of the vocabulary, is merged one level further and at the end withheld;
    after the attributes come the themes. The same input gives the same result. Raises `DisclosureError`, which
    names rule and study and shows no value, for whatever goes wrong (D13).
    """
    try:
        return _protect(population, hierarchies, rules, secret, ledger, audit)
    except DisclosureError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever went wrong, its message may hold a value
        fault = type(error).__name__
    # Outside of the handler, so that no report follows the chain of errors to the one with the value.
    raise DisclosureError(f"D13: study {population.study_id}: the gate failed ({fault}): nothing is told")


def to_entry(protected: Protected, secret: bytes) -> LedgerEntry:
    """The ledger's entry of a new publication; `DisclosureError` (D10) for one that only repeats the last."""
    if protected.is_unchanged:
        raise DisclosureError(
            f"D10: study {protected.population.study_id}: this publication has its entry already"
        )
    return LedgerEntry(
        publication=protected.publication,
        truth=count_cells(protected.population, protected.publication.tables),
        levels=protected.levels,
        themes=protected.themes,
        coverage=protected.coverage,
        records_digest=digest_records(protected.population, secret),
        withdrawn=protected.population.withdrawn,
        withheld=protected.withheld,
    )


def _protect(
    population: Population,
    hierarchies: Mapping[str, Hierarchy],
    rules: Rules,
    secret: bytes,
    ledger: Sequence[LedgerEntry],
    audit: Audit | None,
) -> Protected:
    _check(population, secret)
    number = 1 + max((entry.publication.number for entry in ledger), default=0)
    if rules.holds("D2") and len(population.records) < rules.minimum_base:
        return _tell_nothing(population, rules, number)
    told = tuple(sorted((e for e in ledger if e.publication.counts), key=lambda e: e.publication.number))
    gate = _Gate(population, hierarchies, rules, secret, told, number)
    return _repeat(gate) or _tell(gate, audit)


def _check(population: Population, secret: bytes) -> None:
    study, records = population.study_id, population.records
    if len(secret) < SECRET_BYTES:
        raise DisclosureError(f"D13: study {study}: the secret has fewer than {SECRET_BYTES} bytes")
    if not (records.index.is_unique and records.index.equals(population.minutes.index)):
        raise DisclosureError(f"D13: study {study}: records and minutes are not about the same interviews")
    if records.isna().to_numpy().any():
        raise DisclosureError(f"D13: study {study}: a value is missing where not_stated is asked for")
    if not records[themes_of(population)].isin([MENTIONED, NOT_MENTIONED]).to_numpy().all():
        raise DisclosureError(f"D13: study {study}: a theme is neither mentioned nor not mentioned")


def _tell_nothing(population: Population, rules: Rules, number: int) -> Protected:
    base = rules.rounding_base if rules.holds("D3") else 1
    withheld = (Withheld("D2", ALL_TABLES, SMALL_STUDY),)
    bare = replace(population, records=population.records[[]])
    return Protected(Publication(number, (), {}, base), (), (), withheld, {}, {}, bare)


def _repeat(gate: _Gate) -> Protected | None:
    """Rule D10: the last publication again, unless enough has changed in what it told or somebody withdrew."""
    if not gate.ledger:
        return None
    last = gate.ledger[-1]
    seen = as_told(gate.population, last, gate.hierarchies)
    changed = changed_interviews(last.records_digest, digest_records(seen, gate.secret))
    needed = gate.rules.changed_interviews if gate.rules.holds("D10") else 1
    if changed >= needed or gate.population.withdrawn > last.withdrawn:
        return None
    note = (Withheld("D10", ALL_TABLES, FEW_CHANGES),) if changed else ()
    return Protected(
        publication=last.publication,
        themes=last.themes,
        coverage=last.coverage,
        withheld=(*last.withheld, *note),
        levels=last.levels,
        medians=_medians_told(last),
        population=seen,
        is_unchanged=True,
    )


def _medians_told(entry: LedgerEntry) -> dict[Cell, int]:
    """The medians of an earlier publication, from its rows, in canonical order of their cells."""
    found: dict[Cell, int] = {}
    for row in entry.coverage:
        if row.median_minutes is not None:
            pairs = {(ROLE, row.role_group), (row.attribute, row.category)}
            found[frozenset(pair for pair in pairs if pair[1] != ALL)] = row.median_minutes
    return {cell: found[cell] for cell in sorted(found, key=canonical)}


def _tell(gate: _Gate, audit: Audit | None) -> Protected:
    """A new publication; each finding of the audit makes it tell less, until there is none (D13)."""
    at_least: dict[str, int] = {}
    for entry in gate.ledger:
        at_least |= {name: max(level, at_least.get(name, 0)) for name, level in entry.levels.items()}
    without: frozenset[str] = frozenset()
    for _ in range(ROUNDS):
        protected = _publish(gate, at_least, without)
        findings = audit(protected) if audit and gate.rules.holds("D13") else ()
        if not findings:
            return protected
        name = _next_to_go(protected, gate.hierarchies, findings, without)
        if name in protected.levels:
            at_least[name] = protected.levels[name] + 1
        else:
            without |= {name}
    study = gate.population.study_id
    raise DisclosureError(f"D13: study {study}: after {ROUNDS} rounds the audit still finds something")


def _next_to_go(
    protected: Protected, hierarchies: Collection[str], findings: Sequence[str], without: frozenset[str]
) -> str:
    attributes = [name for name in reversed([*hierarchies]) if name in protected.levels and name != ROLE]
    themes = [name for name in themes_of(protected.population) if name not in without]
    named = [name for name in (*attributes, *themes) if any(name in finding for finding in findings)]
    for name in (*named, *attributes, *themes):
        return name
    raise DisclosureError(
        f"D13: study {protected.population.study_id}: the audit finds something in the last table"
    )


def _publish(gate: _Gate, at_least: Mapping[str, int], without: frozenset[str]) -> Protected:
    """Choose the tables, round them together, look again (D7), and write the rows."""
    plan = plan_tables(gate.population, gate.hierarchies, gate.rules, at_least, without)
    truth = count_cells(plan.population, plan.tables)
    base = gate.rules.rounding_base if gate.rules.holds("D3") else 1
    rounded = _round(gate, plan, truth, base) if base > 1 else truth
    plan = _leave_out_untold(withhold_uniform(plan, rounded, gate.rules))
    cells = sorted({cell for table in plan.tables for cell in plan.population.cells(table)}, key=canonical)
    publication = Publication(gate.number, plan.tables, {cell: rounded[cell] for cell in cells}, base)
    medians = _medians(plan, publication.counts, gate.rules)
    return Protected(
        publication=publication,
        themes=tuple(_theme_rows(plan, publication.counts, truth, gate.rules)),
        coverage=_coverage_rows(plan, publication.counts, medians),
        withheld=plan.withheld,
        levels=plan.levels,
        medians=medians,
        population=plan.population,
    )


def _round(gate: _Gate, plan: Plan, truth: Mapping[Cell, int], base: int) -> dict[Cell, int]:
    """Rule D3, with the numbers told last held fast; a cell is the same only if its attributes' levels are."""
    held: dict[Cell, int] = {}
    for entry in gate.ledger:
        same = {name for name, level in entry.levels.items() if plan.levels.get(name) == level}
        held |= {
            cell: number
            for cell, number in entry.publication.counts.items()
            if all(name in same or name.startswith(THEME_PREFIX) for name, _ in cell)
        }
    is_steady = gate.rules.holds("D10")
    dither = Dither(gate.secret, gate.population.study_id, "" if is_steady else str(gate.number))
    told = equations(plan.population, plan.tables)
    return round_jointly(truth, told, base, dither, held if is_steady else None)


def _leave_out_untold(plan: Plan) -> Plan:
    """A plan whose levels and truth are of no attribute that ended up in no table."""
    told = {name for table in plan.tables for name in table.dimensions} | {ROLE}
    levels = {name: level for name, level in plan.levels.items() if name in told}
    records = plan.population.records[[*levels, *themes_of(plan.population)]]
    return replace(plan, levels=levels, population=replace(plan.population, records=records))


def _groups(plan: Plan) -> dict[str, Cell]:
    """The groups that have rows: the role groups, and everybody where that is not the one role group again."""
    groups = {role: frozenset({(ROLE, role)}) for role in plan.roles}
    return groups if len(groups) == 1 and plan.is_whole else {ALL: EVERYBODY, **groups}


def _theme_rows(
    plan: Plan, counts: Mapping[Cell, int], truth: Mapping[Cell, int], rules: Rules
) -> Iterator[ThemeRow]:
    reasons = {note.table: note.reason for note in plan.withheld}
    for theme in themes_of(plan.population):
        theme_id = theme.removeprefix(THEME_PREFIX)
        for group, whole in sorted(_groups(plan).items()):
            cell = whole | {(theme, MENTIONED)}
            if cell in counts:
                share = _share(counts[cell], counts[whole], truth[cell], truth[whole], rules)
                yield ThemeRow(theme_id, group, counts[cell], counts[whole], share, None)
                continue
            tables = (Table((theme,), whole), Table((theme,)), Table((theme, ROLE)), Table((ROLE,)))
            said = (reasons[name] for table in tables if (name := table_name(table)) in reasons)
            yield ThemeRow(theme_id, group, None, None, None, next(said, COMPLEMENT))


def _share(count: int, base: int, true_count: int, true_base: int, rules: Rules) -> float | None:
    """Rule D5: whole per cent of the rounded counts, halves upwards."""
    if not rules.holds("D5"):
        return round(100 * true_count / true_base, 1) if true_base else None
    return (200 * count + base) // (2 * base) if base >= rules.percentage_base else None


def _coverage_rows(plan: Plan, counts: Mapping[Cell, int], medians: Mapping[Cell, int]) -> tuple[CoverageRow, ...]:
    """A row for each told cell of one attribute, in the order of names."""
    groups, rows = _groups(plan), []
    for cell, count in counts.items():
        pairs = dict(cell)
        group = pairs.pop(ROLE, ALL)
        if group not in groups or len(pairs) > 1 or any(name.startswith(THEME_PREFIX) for name in pairs):
            continue
        attribute, category = next(iter(pairs.items()), (ALL, ALL))
        rows.append(CoverageRow(group, attribute, category, count, medians.get(cell)))
    return tuple(sorted(rows, key=lambda row: (row.role_group, row.attribute, row.category)))


def _medians(plan: Plan, counts: Mapping[Cell, int], rules: Rules) -> dict[Cell, int]:
    """Rule D6: median lengths in minutes of everybody and of each role group that is told.

    Without the rule of every told cell of attributes, to the minute, however few there are.
    """
    groups = set(_groups(plan).values())
    found: dict[Cell, int] = {}
    for cell in counts:
        is_attribute = not any(name.startswith(THEME_PREFIX) for name, _ in cell)
        if cell in groups or (is_attribute and not rules.holds("D6")):
            lengths = _lengths(plan.population, cell)
            if lengths and (not rules.holds("D6") or _is_spread(lengths, rules)):
                step = MINUTES if rules.holds("D6") else 1
                found[cell] = step * int(np.median(lengths) / step + 0.5)
    return found


def _lengths(population: Population, cell: Cell) -> list[float]:
    """The lengths of the interviews of a cell that state one."""
    chosen = population.minutes.notna().to_numpy()
    for name, category in cell:
        chosen = chosen & (population.records[name] == category).to_numpy()
    return [float(length) for length in population.minutes.to_numpy()[chosen]]


def _is_spread(lengths: Sequence[float], rules: Rules) -> bool:
    """Whether enough interviews share in a sum for a figure of it to be told.

    With the lengths x1 >= x2 >= ... and their sum X there have to be enough of them; (x1 + x2) / X has to be lower
    than the dominance, the (n, k) rule with n = 2; and (X - x1 - x2) / x1, the p-ratio, at least its minimum, the
    p % rule: the interview of length x2 could otherwise estimate x1 too closely. A. Hundepool et al., Statistical
    Disclosure Control (2012), section 4.2.
    """
    first, second = sorted(lengths, reverse=True)[:2] if len(lengths) > 1 else (*lengths, 0.0)
    total = sum(lengths)
    others = total - first - second
    is_shared = first + second < rules.dominance * total and others >= rules.p_ratio * first
    return len(lengths) >= rules.contributors and is_shared
