"""The rules D1 to D13 as numbers, and the reading of a configuration that may only tighten them.

Belongs here: what each rule asks. Does not belong here: applying them (`protection`), and trying to get round them
(`attacks`).

A rule that is switched off (`Rules.off`) makes the gate do what somebody without the rule would do, so that the
attacks can show what the rule is for:

- D2: studies of any size are told, and a table of role group by type of authority by gender besides.
- D3: exact counts.
- D4: no category merges for being small, and small role groups are told like large ones.
- D5: shares with one decimal from the true counts, whatever the base.
- D6: exact medians of every row of coverage that somebody contributes to.
- D7: themes and types of small role groups are told even where they are 0 or 100 % of their row.
- D8: rare offices are told as they are: no merging for few holders, and an attribute of councillors with a
  category that never stands alone is told at its finest level, small categories or not.
- D9: every attribute is crossed with the role group, at any number of categories.
- D10: every change gives new numbers, with a dither of their own, and no number stays for having been told.
- D13: findings of the audit are passed over.

D1, D11 and D12 have no switch here: the gate has no record-level output, no text and no accounts to let out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pipelines.contract import ContractError, read_yaml

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


Tighter = Literal["higher", "lower", "fewer", "never"]
# Of which rule each field is, and in which direction it tightens; `off` is no part of a configuration.
_FIELDS: Final[Mapping[str, tuple[str, Tighter]]] = {
    "record_level": ("D1", "never"),
    "max_dimensions": ("D2", "lower"),
    "minimum_base": ("D2", "higher"),
    "rounding_base": ("D3", "higher"),
    "minimum_denominator": ("D4", "higher"),
    "percentage_base": ("D5", "higher"),
    "contributors": ("D6", "higher"),
    "dominance": ("D6", "lower"),
    "p_ratio": ("D6", "higher"),
    "sensitive_base": ("D7", "higher"),
    "minimum_holders": ("D8", "higher"),
    "officer_attributes": ("D9", "fewer"),
    "officer_categories": ("D9", "lower"),
    "changed_interviews": ("D10", "higher"),
}


def load_rules(path: Path) -> Rules:
    """Read a configuration such as `data_contracts/disclosure.yml`: fields by rule, none looser than its default.

    Raises `DisclosureError`, which names rule and field, for a looser value, for one of another kind, for a field
    that its rule does not have, for switching a rule off, and for a file that cannot be read.
    """
    try:
        document = read_yaml(path)
    except (ContractError, OSError, UnicodeDecodeError):
        raise DisclosureError(f"D13: {path.name} cannot be read as YAML with every key once") from None
    rules = document.pop("rules", None)
    if document or not isinstance(rules, dict):
        raise DisclosureError(f"D13: {path.name} must hold `rules` and nothing else")
    chosen: dict[str, Any] = {}
    for rule, fields in rules.items():
        if not isinstance(fields, dict):
            raise DisclosureError(f"{rule}: expected fields with values; no rule can be switched off")
        chosen |= {name: _tightened(str(rule), str(name), value) for name, value in fields.items()}
    return Rules(**chosen)


def _tightened(rule: str, name: str, value: object) -> object:
    """A configured value that may stand; see `load_rules` for what is raised."""
    known_rule, tighter = _FIELDS.get(name, ("", "never"))
    if known_rule != rule:
        refused = "no rule can be switched off" if name == "off" else "no such field"
        raise DisclosureError(f"{rule}: {name}: {refused}")
    default = getattr(Rules(), name)
    if tighter == "never":
        allowed, may_be = value is default, f"{default}".lower()
    elif tighter == "fewer":
        allowed, may_be = _is_part(value, default), f"some of {', '.join(default)}"
    else:
        allowed, may_be = _is_tighter(value, default, tighter), f"{default} or {tighter}"
    if not allowed:
        raise DisclosureError(f"{rule}: {name} may only be {may_be}")
    return tuple(value) if isinstance(value, list) else value


def _is_part(value: object, default: tuple[str, ...]) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) and one in default for one in value)


def _is_tighter(value: object, default: float, tighter: Tighter) -> bool:
    """Whether a number is of the default's kind, above zero and on its tighter side."""
    kinds = (int,) if isinstance(default, int) else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not math.isfinite(value) or value <= 0:
        return False
    return value >= default if tighter == "higher" else value <= default
