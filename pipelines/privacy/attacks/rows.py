"""Attacks on rows and words as they are published: A10 their order, A13 shares and medians, A14 messages.

Belongs here: what is learned from the form of what is told. Does not belong here: files (`audit`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Final

from pipelines.privacy.attacks.attacker import ALL, Attacker, names_of, result, statements
from pipelines.privacy.cells import MENTIONED, NOT_MENTIONED, THEME_PREFIX, Cell
from pipelines.privacy.evidence import AttackResult, CoverageRow, ThemeRow
from pipelines.privacy.rules import RULE_NAMES
from pipelines.privacy.tables import ROLE, table_name

HALF: Final = 0.5 + 1e-9
# Categories that are also words of plain English and say nothing about anybody.
PLAIN: Final = frozenset({ALL, "other", "not_stated", MENTIONED, NOT_MENTIONED})
_NAME = re.compile(r"\b(?:A|D)\d{1,2}\b")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def order_of_rows(attacker: Attacker) -> AttackResult:
    """A10: rows come in the order of their keys; any other could be that of the interviews or of the counts."""
    themes = [(row.theme_id, row.role_group) for row in attacker.protected.themes]
    coverage = [(row.role_group, row.attribute, row.category) for row in attacker.protected.coverage]
    tables = (("themes", themes), ("coverage", coverage))
    found = tuple(name for name, keys in tables if list(keys) != sorted(set(keys)))
    return result("A10", "Order of rows", sum(len(keys) for _, keys in tables), len(found), found)


def shares_and_medians(attacker: Attacker) -> AttackResult:
    """A13: whether a share says more than the two counts beside it, or a median something of one interview.

    A share that is not the whole per cent of the two counts must come from other numbers: of all pairs of counts
    that the rounding allows it leaves the few whose share it is. A median tells of single interviews where few
    share in it, or where the second longest could be sure of the longest: the (n, k) and p % rules.
    """
    found: set[Cell] = set()
    fewest = float("inf")
    shares = [row for row in attacker.protected.themes if row.share_percent is not None]
    for row in shares:
        if _tells_more(row, attacker.rules.percentage_base):
            found.add(_cell(row))
            fewest = min(fewest, _pairs_left(row, attacker.protected.publication.base))
    medians = [row for row in attacker.protected.coverage if row.median_minutes is not None]
    if not attacker.protected.is_unchanged:  # a repeated median is about the interviews of then
        found |= {cell for row in medians for cell in [_group(row)] if _is_of_few(attacker, cell)}
    contradicted = set(_contradicted(attacker))
    measures = {"fewest_pairs_left": fewest} if fewest < float("inf") else {}
    names = names_of(attacker.now, found | contradicted)
    tried = len(shares) + len(medians)
    return result("A13", "Shares and medians solved back", tried, len(found | contradicted), names, **measures)


def _cell(row: ThemeRow) -> Cell:
    group = frozenset() if row.role_group == ALL else frozenset({(ROLE, row.role_group)})
    return group | {(f"{THEME_PREFIX}{row.theme_id}", MENTIONED)}


def _group(row: CoverageRow) -> Cell:
    pairs = ((ROLE, row.role_group), (row.attribute, row.category))
    return frozenset((name, value) for name, value in pairs if ALL not in (name, value))


def _tells_more(row: ThemeRow, base: int) -> bool:
    """Whether a share is anything but the whole per cent of the counts beside it, on a large enough base."""
    if row.interviews is None or row.base is None or row.share_percent is None or row.base < base:
        return True
    is_whole = row.share_percent == int(row.share_percent)
    return not is_whole or abs(row.share_percent - 100 * row.interviews / row.base) > HALF


def _pairs_left(row: ThemeRow, base: int) -> int:
    """How many pairs of true counts are left for a share, if it is that of the true counts."""
    reach = base - 1
    share = row.share_percent or 0
    step = 0.5 if share == int(share) else 0.05
    whole = range(max(1, (row.base or 0) - reach), (row.base or 0) + reach + 1)
    return sum(
        abs(100 * part / total - share) <= step
        for total in whole
        for part in range(max(0, (row.interviews or 0) - reach), (row.interviews or 0) + reach + 1)
        if part <= total
    )


def _is_of_few(attacker: Attacker, cell: Cell) -> bool:
    records = attacker.population.records
    for dimension, category in cell:
        records = records[records[dimension] == category]
    lengths = sorted(attacker.population.minutes.reindex(records.index).dropna(), reverse=True)
    if len(lengths) < max(2, attacker.rules.contributors):
        return True
    total, largest = sum(lengths), lengths[0] + lengths[1]
    is_dominated = largest >= attacker.rules.dominance * total
    return is_dominated or total - largest < attacker.rules.p_ratio * lengths[0]


def _contradicted(attacker: Attacker) -> Iterator[Cell]:
    """The cells of which a row tells another number than the counts that were rounded together."""
    counts = attacker.protected.publication.counts
    for cell, count in statements(attacker.protected.themes, attacker.protected.coverage):
        if counts.get(cell) != count:
            yield cell


def messages_of_the_gate(attacker: Attacker) -> AttackResult:
    """A14: messages and reasons name rules, tables and numbers of rules, never a category or a count."""
    withheld = [f"{note.rule}: {note.table}: {note.reason}" for note in attacker.protected.withheld]
    reasons = [row.withheld_reason for row in attacker.protected.themes if row.withheld_reason]
    said = [*attacker.evidence.messages, *withheld, *reasons]
    found = sum(_tells_a_value(attacker, message) for message in said)
    return result("A14", "Messages of the gate", len(said), found, ("messages",) if found else ())


def _tells_a_value(attacker: Attacker, message: str) -> bool:
    rules = attacker.rules
    told = attacker.protected.publication.tables
    roles = {category for dimension, category in _role_categories(attacker)}
    allowed = [attacker.population.study_id, *(table_name(table) for table in told), *RULE_NAMES]
    rest = message
    for name in sorted(allowed, key=len, reverse=True):
        rest = rest.replace(name, " ")
    rest = _NAME.sub(" ", rest)
    numbers = {str(getattr(rules, field.name)) for field in fields(rules)}
    if any(number not in numbers for number in _NUMBER.findall(rest)):
        return True
    records = attacker.population.records
    names = [name for name in map(str, records.columns) if not name.startswith(THEME_PREFIX) and name != ROLE]
    categories = {str(c) for name in names for c in records[name].unique()} - PLAIN - roles
    return _holds_word(rest, sorted(categories))


def _role_categories(attacker: Attacker) -> set[tuple[str, str]]:
    """Roles name tables: which role groups there are is public, who has an attribute is not."""
    records = attacker.population.records
    return {(ROLE, str(category)) for category in records[ROLE].unique()} if ROLE in records else set()


def _holds_word(text: str, words: Sequence[str]) -> bool:
    return any(re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text) for word in words)
