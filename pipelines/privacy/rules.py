"""The rules D1 to D13 as numbers, and the reading of a configuration that may only tighten them.

Belongs here: what each rule asks. Does not belong here: applying them (`protection`), and trying to get round them
(`attacks`).
"""

from __future__ import annotations

from dataclasses import dataclass

RULE_NAMES = tuple(f"D{number}" for number in range(1, 14))


class DisclosureError(Exception):
    """Something that must not be published; the message names the rule, the study and the table, never a value."""


@dataclass(frozen=True)
class Rules:
    """What may be told. Defaults are the loosest that a configuration may choose.

    `off` switches rules off: only the tests of the attacks do that, and no configuration can.
    """

    record_level: bool = False  # D1: one row per interview, never
    max_dimensions: int = 2  # D2: dimensions of a table, filters included
    minimum_base: int = 20  # D2: interviews behind a table
    rounding_base: int = 5  # D3
    minimum_denominator: int = 10  # D4: interviews behind a row or column used as denominator
    percentage_base: int = 20  # D5: rounded interviews behind a percentage
    contributors: int = 10  # D6: interviews behind a median
    dominance: float = 0.9  # D6: what the largest two may hold less than
    p_ratio: float = 0.1  # D6: how closely the second largest may estimate the largest
    sensitive_base: int = 20  # D7: interviews behind an implied 0 or 100 % of a sensitive theme
    minimum_holders: int = 10  # D8: people in the frame who hold a category
    officer_attributes: tuple[str, ...] = ("authority_type",)  # D9: all that is told about officers besides themes
    officer_categories: int = 2  # D9: types of authority at most
    changed_interviews: int = 10  # D10: interviews that must have changed before new numbers
    off: frozenset[str] = frozenset()

    def holds(self, name: str) -> bool:
        """Whether a rule, such as `D3`, is applied."""
        return name not in self.off
