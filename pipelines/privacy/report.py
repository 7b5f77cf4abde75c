"""What is published about the protection itself: rules, attacks, results and versions.

Belongs here: `disclosure_report.json` as a plain object. Does not belong here: writing it, and the words about it
on a page. It holds no true count and no time, so that the same data gives the same bytes: figures of attacks are
told only where they say nothing about how many interviews there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from importlib import metadata
from typing import Any, Final

from pipelines.privacy.audit import blocking
from pipelines.privacy.evidence import AttackResult, Protected
from pipelines.privacy.rules import RULE_NAMES, Rules
from pipelines.privacy.tables import table_name

PARTS: Final = ("numpy", "pandas", "phonenumbers", "pyarrow", "scipy")
# Figures that follow from what is told. Others, such as a risk weighted by true counts, stay inside.
TOLD: Final = frozenset(
    {
        "subset_size",
        "common_keys",
        "highest_prosecutor_risk",
        "highest_journalist_risk",
    }
)


@dataclass(frozen=True)
class Audited:
    """A study as it goes out: what is told, and what the attacks on it came to."""

    protected: Protected
    results: tuple[AttackResult, ...]


def disclosure_report(
    studies: Sequence[Audited],
    rules: Rules,
    files: Sequence[AttackResult] = (),
    versions: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The report of a release: by study what was withheld and which attacks failed to get through.

    `files` are the results on the files of the release, `versions` what the caller adds to those of the libraries,
    such as the digest of the project.
    """
    ordered = sorted(studies, key=lambda one: one.protected.population.study_id)
    everything = [result for one in ordered for result in one.results] + list(files)
    return {
        "rules": _rules(rules),
        "studies": [_study(one) for one in ordered],
        "files": [_result(result) for result in files],
        "blocked_by": blocking(everything),
        "versions": dict(sorted({**_installed(), **(versions or {})}.items())),
    }


def _rules(rules: Rules) -> dict[str, Any]:
    numbers = {one.name: getattr(rules, one.name) for one in fields(rules) if one.name != "off"}
    return {
        "numbers": {name: list(value) if isinstance(value, tuple) else value for name, value in numbers.items()},
        "in_force": [name for name in RULE_NAMES if rules.holds(name)],
    }


def _study(one: Audited) -> dict[str, Any]:
    protected = one.protected
    return {
        "study_id": protected.population.study_id,
        "release": protected.publication.number,
        "is_unchanged": protected.is_unchanged,
        "rounding_base": protected.publication.base,
        "tables": sorted(table_name(table) for table in protected.publication.tables),
        "levels_of_merging": dict(sorted(protected.levels.items())),
        "withheld": [
            {"rule": note.rule, "table": note.table, "reason": note.reason}
            for note in sorted(protected.withheld, key=lambda note: (note.table, note.rule, note.reason))
        ],
        "attacks": [_result(result) for result in one.results],
    }


def _result(result: AttackResult) -> dict[str, Any]:
    return {
        "attack": result.attack,
        "title": result.title,
        "outcome": result.outcome,
        "tried": result.tried,
        "found": result.found,
        "tables": list(result.tables),
        "measures": {name: value for name, value in sorted(result.measures.items()) if name in TOLD},
        "reason": result.reason,
    }


def _installed() -> dict[str, str]:
    return {name: metadata.version(name) for name in PARTS}
