"""A8: interviews linked with the public tables about councils and accounts, and with the councillors' register.

Belongs here: what another published table adds. Does not belong here: what interviews tell alone (`cells`).
"""

from __future__ import annotations

from typing import Final

from pipelines.privacy.attacks.attacker import Attacker, names_of, result
from pipelines.privacy.cells import Cell
from pipelines.privacy.evidence import AttackResult
from pipelines.privacy.tables import COUNCILLOR, ROLE

# What could tell one interview, study or theme from another: no other table may have such a column.
KEYS: Final = frozenset(
    {"study_id", "theme_id", "interview_id", "encounter_id", "participant_id", "record_id", "case_id", "label"}
)


def linkage(attacker: Attacker) -> AttackResult:
    """A8: whether somebody in another public table can only be the one whom a cell of interviews describes.

    Found is a cell of interviews that has somebody in it and that the register, by the columns that both sides
    have, gives one person for; and a column that could serve as a key between the two.
    """
    found: set[Cell] = set()
    tried = 0
    for cell, count in attacker.now.truth.items():
        tables = [name for name, columns in attacker.evidence.social.items() if _is_shared(cell, columns)]
        if not tables or cell not in attacker.now.intervals:
            continue
        tried += len(tables)
        if count and attacker.registered(cell) == 1:
            found.add(cell)
    keys = {name for name, columns in attacker.evidence.social.items() if KEYS & set(columns)}
    names = (*names_of(attacker.now, found), *sorted(keys))
    return result(
        "A8",
        "Linkage with public tables",
        tried + len(attacker.evidence.social),
        len(found) + len(keys),
        names,
        common_keys=len(keys),
    )


def _is_shared(cell: Cell, columns: tuple[str, ...]) -> bool:
    """Whether a table has a column for everything that a cell says about councillors besides their role."""
    attributes = {dimension for dimension, _ in cell} - {ROLE}
    roles = {category for dimension, category in cell if dimension == ROLE}
    return bool(attributes) and attributes <= set(columns) and roles <= {COUNCILLOR}
