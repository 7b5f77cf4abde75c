"""The audit that blocks a release: all attacks on what is told about a study, and on the files to be published.

Belongs here: carrying out the attacks, each within its time, and the verdict. Does not belong here: the attacks
themselves, and the report of what they did (`report`).

It fails closed (D13): an attack that breaks off or runs out of time has failed, and a failed attack blocks like
one that found something. No sentence of the verdict holds a value.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq

from pipelines.privacy.attacks.attacker import Attacker, result
from pipelines.privacy.attacks.cells import (
    likeness,
    prosecutor_and_frame,
    reconstruction,
    singling_out,
    uniform_groups,
)
from pipelines.privacy.attacks.chain import Reprotect, averaging, complements, releases_compared
from pipelines.privacy.attacks.linkage import linkage
from pipelines.privacy.attacks.rows import messages_of_the_gate, order_of_rows, shares_and_medians
from pipelines.privacy.categories import Hierarchy
from pipelines.privacy.cells import Population
from pipelines.privacy.evidence import AttackResult, Evidence, LedgerEntry, Protected
from pipelines.privacy.protection import protect, to_entry
from pipelines.privacy.reconstruction import AuditError, Deadline
from pipelines.privacy.rules import Rules
from pipelines.privacy.tripwire import HOSTILE, RECORD_ID, Allowed, scan_folder

SECONDS: Final = 120.0  # for the whole audit of a study, which takes a few
STRICT: Final = ("interview_themes", "interview_coverage")
# The columns by which the rows of the tables about interviews have to be in order.
KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "interview_themes": ("study_id", "theme_id", "role_group"),
    "interview_coverage": ("study_id", "role_group", "attribute", "category"),
}

Attack = Callable[[Attacker], AttackResult]


def attacks_on_a_study(reprotect: Reprotect | None) -> tuple[tuple[str, str, Attack], ...]:
    """Every attack on what is told about a study, with its number and title, in order."""
    found: list[tuple[str, str, Attack]] = [
        ("A1", "Singling out", singling_out),
        ("A2", "Prosecutor, journalist and marketer risk", prosecutor_and_frame),
        ("A3", "Homogeneity, l and t", likeness),
        ("A4", "Reconstruction by linear programming", reconstruction),
        ("A5", "Releases compared", partial(releases_compared, reprotect=reprotect)),
        ("A6", "Groups that are all alike", uniform_groups),
        ("A7", "Geographic and hierarchy differencing", complements),
        ("A8", "Linkage with public tables", linkage),
        ("A10", "Order of rows", order_of_rows),
        ("A13", "Shares and medians solved back", shares_and_medians),
        ("A14", "Messages of the gate", messages_of_the_gate),
    ]
    if reprotect is not None:
        found.insert(9, ("A12", "Reruns and averages", partial(averaging, reprotect=reprotect)))
    return tuple(found)


def audit_study(
    evidence: Evidence,
    rules: Rules,
    reprotect: Reprotect | None = None,
    *,
    seconds: float = SECONDS,
    attacks: Sequence[tuple[str, str, Attack]] | None = None,
) -> tuple[AttackResult, ...]:
    """Carry out every attack on a study; without `reprotect`, the gate, A5 has no neighbours and A12 is left out.

    Raises nothing that an attack raises: it has then failed, with a reason that shows no value.
    """
    attacker = Attacker(evidence, rules, Deadline.within(seconds))
    chosen = attacks_on_a_study(reprotect) if attacks is None else attacks
    return tuple(_attempt(number, title, partial(attack, attacker)) for number, title, attack in chosen)


def audit_files(
    folder: Path,
    *,
    gazetteer: Iterable[str] = (),
    allowed: Allowed | None = None,
    record_ids: Iterable[str] = (),
    strict: Collection[str] = STRICT,
    keys: Mapping[str, Sequence[str]] = KEYS,
) -> tuple[AttackResult, ...]:
    """A9, A10 and A15 on a folder of files to be published.

    `gazetteer` are the names of people in the public register, `record_ids` the random ids of interviews in the
    restricted store; see `tripwire.scan_folder` for the rest.
    """
    titles = {
        "A9": "Personal data in files",
        "A10": "Order of rows and ids in files",
        "A15": "Hostile text in files",
    }

    def scan() -> tuple[AttackResult, ...]:
        findings = scan_folder(folder, gazetteer, allowed, strict=strict, tokens=record_ids)
        files = sum(1 for path in folder.rglob("*") if path.is_file())
        unordered = _unordered(folder, keys)
        by_attack: dict[str, list[str]] = {"A9": [], "A10": [*unordered], "A15": []}
        for one in findings:
            attack = "A10" if one.kind == RECORD_ID else "A15" if one.kind in HOSTILE else "A9"
            by_attack[attack].append(str(one))
        return tuple(
            result(attack, titles[attack], files, len(found), tuple(found)) for attack, found in by_attack.items()
        )

    try:
        return scan()
    except Exception as error:  # noqa: BLE001 - the audit has failed, and the message may hold a value
        return tuple(_failed(attack, title, error) for attack, title in titles.items())


def blocking(results: Iterable[AttackResult]) -> list[str]:
    """Why a release must not go out: a sentence for each attack that found something or failed; empty if none."""
    return [sentence for one in results if (sentence := _sentence(one))]


def _sentence(one: AttackResult) -> str:
    where = f" in {', '.join(one.tables)}" if one.tables else ""
    if one.outcome == "found":
        return f"{one.attack} ({one.title}) got through{where}"
    if one.outcome == "failed":
        return f"{one.attack} ({one.title}) could not be carried through: {one.reason}"
    return ""


def asking_again(
    hierarchies: Mapping[str, Hierarchy], rules: Rules, secret: bytes, ledger: Sequence[LedgerEntry]
) -> Reprotect:
    """The gate as attacks ask it: without an audit of its own, and with what was told last in its ledger."""

    def reprotect(population: Population, *, after: Protected | None = None) -> Protected:
        told = (to_entry(after, secret),) if after is not None and not after.is_unchanged else ()
        return protect(population, hierarchies, rules, secret, (*ledger, *told))

    return reprotect


def _attempt(number: str, title: str, attack: Callable[[], AttackResult]) -> AttackResult:
    try:
        return attack()
    except Exception as error:  # noqa: BLE001 - fail closed, and its message may hold a value
        return _failed(number, title, error)


def _failed(number: str, title: str, error: Exception) -> AttackResult:
    reason = str(error) if isinstance(error, AuditError) else f"it broke off ({type(error).__name__})"
    return AttackResult(number, title, "failed", 0, 0, reason=reason)


def _unordered(folder: Path, keys: Mapping[str, Sequence[str]]) -> list[str]:
    """The files about interviews whose rows are not in the order of their keys, or lack a key, or repeat one."""
    found = []
    for path in sorted(folder.rglob("*")):
        columns = keys.get(path.name.split(".")[0])
        if columns and path.name.endswith((".parquet", ".csv", ".csv.gz")):
            rows = _rows(path, columns)
            if rows is None or rows != sorted(set(rows)):
                found.append(f"{path.relative_to(folder).as_posix()}: order of rows")
    return found


def _rows(path: Path, columns: Sequence[str]) -> list[tuple[str, ...]] | None:
    """The keys of all rows of a file in its order; None where a column is missing."""
    if path.suffix == ".parquet":
        if not set(columns) <= set(pq.read_schema(path).names):
            return None
        table = pq.read_table(path, columns=list(columns))
        return [tuple(str(row[name]) for name in columns) for row in table.to_pylist()]
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))
    if not set(columns) <= set(reader.fieldnames or ()):
        return None
    return [tuple(row[name] for name in columns) for row in reader]
