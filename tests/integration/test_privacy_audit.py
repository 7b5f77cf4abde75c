"""Each rule keeps something out that an attack finds as soon as the rule is off; and the report of the audit.

The studies are made so that the rule has something to do: whether a random study would break without it is chance.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.privacy.attacks.attacker import Attacker
from pipelines.privacy.attacks.chain import averaging
from pipelines.privacy.audit import audit_files, audit_study, blocking
from pipelines.privacy.cells import MENTIONED, Population, Table
from pipelines.privacy.evidence import AttackResult, Evidence
from pipelines.privacy.protection import protect
from pipelines.privacy.report import Audited, disclosure_report
from pipelines.privacy.rules import RULE_NAMES, DisclosureError, Rules
from tests.interview_study import (
    HIERARCHIES,
    MERGES,
    RULES,
    SECRET,
    THEMES,
    entry_of,
    first,
    gate,
    study,
    told,
    with_column,
)

# --- every rule off in turn -----------------------------------------------------------------------------------


def small_study() -> Population:
    """D2: fewer interviews than anything is told about."""
    return study(interviews=16, officers=0)


def small_roles() -> Population:
    """D4: officers too few to be compared with, and categories that few councillors have."""
    return study(officers=4)


def few_minutes() -> Population:
    """D6: the lengths of eight interviews are known."""
    population = study()
    lengths = population.minutes.copy()
    lengths.iloc[8:] = np.nan
    return replace(population, minutes=lengths)


def of_one_mind() -> Population:
    """D7: all of a small group mention something that could be held against them."""
    population = study(officers=14)
    is_officer = population.records["role_group"] == "officer"
    values = population.records["theme:abuse"].mask(is_officer, MENTIONED)
    return with_column(population, "theme:abuse", values)


def with_mayors() -> Population:
    """D8: as many mayors as nearly exist, all interviewed."""
    population = study(officers=0)
    seniority = ["mayor"] * 6 + ["leader"] * 16 + ["backbench"] * 30
    return with_column(population, "seniority", seniority)


def found_by(population: Population, rules: Rules) -> set[str]:
    """The attacks that do not come to nothing on what a gate with these rules tells; they know the full rules."""
    evidence, again = gate(population, rules)
    return {one.attack for one in audit_study(evidence, RULES, again) if one.outcome in ("found", "failed")}


SWITCHED: dict[str, tuple[Callable[[], Population], set[str]]] = {
    "D2": (small_study, {"A2"}),
    "D3": (study, {"A4"}),
    "D4": (small_roles, {"A2"}),
    "D5": (study, {"A13"}),
    "D6": (few_minutes, {"A13"}),
    "D7": (of_one_mind, {"A6"}),
    "D8": (with_mayors, {"A2"}),
    "D9": (study, {"A2"}),
    "D10": (study, {"A5"}),
}


@pytest.mark.parametrize("rule", SWITCHED)
def test_a_rule_that_is_switched_off_lets_an_attack_through(rule: str) -> None:
    make, catching = SWITCHED[rule]
    assert found_by(make(), RULES) == set()
    assert catching <= found_by(make(), Rules(off=frozenset({rule})))


def test_without_d1_records_single_people_out() -> None:
    """The gate has no record-level output: here it is handed in as a publication of the full cross."""
    columns = ["role_group", "region", "party", "gender"]
    population = study(officers=0)
    records = replace(population, records=population.records[[*columns, *THEMES[:2]]])
    found = audit_study(Evidence(told(records, [Table(tuple(columns))]), merges=MERGES), RULES)
    assert {"A1", "A2", "A4"} <= {one.attack for one in found if one.outcome == "found"}


def write(folder: Path, **columns: list[str]) -> None:
    keys = {"study_id": ["s", "s"], "theme_id": ["abuse", "always_on"], "role_group": ["all", "all"]}
    pq.write_table(pa.table({**keys, **columns}), folder / "interview_themes.parquet")


@pytest.mark.parametrize(
    "leak",
    [
        "Interview_07_Jane_Oakenshaw.docx",
        "5f3c1ab2-77aa-4c55-9d0e-0123456789ab",
        "2016-03-01T09:30",
        "jane@example.org",
    ],
)
def test_without_d11_a_name_an_id_or_a_time_is_found_in_the_files(tmp_path: Path, leak: str) -> None:
    write(tmp_path, withheld_reason=["", "too few interviews"])
    assert blocking(audit_files(tmp_path, gazetteer=["Jane Oakenshaw"])) == []
    write(tmp_path, withheld_reason=["", leak])
    assert [one.attack for one in audit_files(tmp_path, gazetteer=["Jane Oakenshaw"]) if one.found] == ["A9"]


def test_without_d12_single_accounts_link_with_interviews() -> None:
    """Rows of councillors' accounts: the register by the columns that both sides have has classes of one."""
    evidence, _ = gate(study())
    shared = sorted({d for cell in evidence.protected.publication.counts for d, _ in cell if d in MERGES})
    rows = evidence.protected.population.records[shared]
    accounts = rows[rows["role_group"] == "councillor"].drop_duplicates([shared[-1]])
    register = {
        frozenset({("role_group", "councillor"), (name, str(category))}): int(number)
        for name in shared
        if name != "role_group"
        for category, number in accounts[name].value_counts().items()
    }
    social = {"councillor_accounts": ("account_id", "handle", *shared)}
    found = audit_study(replace(evidence, social=social, register=register), RULES)
    assert {"A2", "A8"} <= {one.attack for one in found if one.outcome == "found"}


def test_without_d13_the_gate_passes_over_what_the_audit_finds() -> None:
    """With it, an attack that breaks off stops the publication; so does one that always finds something."""

    def broken(attacker: Attacker) -> AttackResult:
        raise RuntimeError("labour, 3 interviews")

    evidence, _ = gate(study())
    said = blocking(audit_study(evidence, RULES, attacks=[("A4", "Reconstruction", broken)]))
    assert said == ["A4 (Reconstruction) could not be carried through: it broke off (RuntimeError)"]
    with pytest.raises(DisclosureError) as refused:
        protect(study(), HIERARCHIES, RULES, SECRET, audit=lambda _: said)
    assert "labour" not in str(refused.value)
    careless = protect(study(), HIERARCHIES, Rules(off=frozenset({"D13"})), SECRET, audit=lambda _: said)
    assert careless.publication.counts


def test_the_table_of_mutations_has_every_rule() -> None:
    others = {"D1", "D11", "D12", "D13"}
    assert {*SWITCHED, *others} == set(RULE_NAMES)


# --- through the gate and its audit, over time ----------------------------------------------------------------


def test_the_gate_asks_its_audit_and_tells_what_withstands_it() -> None:
    def audit(protected):
        return blocking(audit_study(Evidence(protected, merges=MERGES), RULES))

    protected = protect(study(), HIERARCHIES, RULES, SECRET, audit=audit)
    assert protected.publication.counts
    assert audit(protected) == []


def test_a_chain_of_three_releases_withstands_every_pair_and_the_whole() -> None:
    population = study(interviews=96, officers=20)
    ledger = ()
    for number in (52, 72, 96):
        evidence, again = gate(first(population, number), ledger=ledger)
        found = audit_study(evidence, RULES, again)
        assert blocking(found) == [], number
        ledger = (*ledger, entry_of(evidence.protected))
    assert [entry.publication.number for entry in ledger] == [1, 2, 3]


def test_a_withdrawal_is_a_new_release_that_withstands_the_one_who_knows_who_it_was() -> None:
    def audit(protected):
        return blocking(audit_study(Evidence(protected, ledger, merges=MERGES), RULES))

    population = study(interviews=60)
    ledger = (entry_of(protect(population, HIERARCHIES, RULES, SECRET)),)
    fewer = replace(first(population, 59), withdrawn=1)
    protected = protect(fewer, HIERARCHIES, RULES, SECRET, ledger, audit)
    assert not protected.is_unchanged
    (compared,) = [
        one for one in audit_study(Evidence(protected, ledger, merges=MERGES), RULES) if one.attack == "A5"
    ]
    assert (compared.outcome, compared.tried > 20) == ("nothing found", True)


def test_a_hundred_reruns_are_one() -> None:
    evidence, again = gate(study())
    found = averaging(Attacker(evidence, RULES), again, neighbours=20, reruns=100)
    assert (found.found, found.measures["near_averaged"]) == (0, found.measures["near_once"])


# --- the report -----------------------------------------------------------------------------------------------


def test_the_report_tells_rules_attacks_and_versions_and_no_count(tmp_path: Path) -> None:
    write(tmp_path)
    evidence, again = gate(study())
    audited = Audited(evidence.protected, audit_study(evidence, RULES, again))
    report = disclosure_report([audited], RULES, audit_files(tmp_path), {"project": "0123abcd"})
    assert report == json.loads(json.dumps(report))
    assert report == disclosure_report([audited], RULES, audit_files(tmp_path), {"project": "0123abcd"})
    assert report["blocked_by"] == []
    assert report["rules"]["in_force"] == list(RULE_NAMES)
    assert report["rules"]["numbers"]["rounding_base"] == 5
    assert {"scipy", "pyarrow", "project"} <= report["versions"].keys()
    (one,) = report["studies"]
    assert one["study_id"] == "made-up-study"
    assert {attack["attack"] for attack in one["attacks"]} | {attack["attack"] for attack in report["files"]} == {
        f"A{number}" for number in range(1, 16) if number != 11
    }
    assert all(set(attack) == set(report["files"][0]) for attack in one["attacks"])
    assert not any(
        "near" in name or "marketer" in name for attack in one["attacks"] for name in attack["measures"]
    )


def test_the_report_is_the_same_for_other_interviews_behind_the_same_numbers() -> None:
    """Figures that followed the truth would tell more than the tables: nothing in the report does."""
    evidence, _ = gate(study())
    records = evidence.protected.population.records
    same = dict(evidence.protected.publication.counts)
    for place in range(len(records)):
        fewer = replace(evidence.protected.population, records=records.drop(records.index[place]))
        truth = {cell: fewer.count(cell) for cell in same}
        if all(abs(truth[cell] - number) <= 4 for cell, number in same.items()):
            break
    else:
        pytest.fail("no interview could be left out under the same numbers")
    other = replace(evidence.protected, population=fewer)
    reports = [
        disclosure_report([Audited(one, audit_study(replace(evidence, protected=one), RULES))], RULES)
        for one in (evidence.protected, other)
    ]
    assert reports[0] == reports[1]


def test_a_report_that_blocks_says_why(tmp_path: Path) -> None:
    pd.DataFrame({"x": ["jane@example.org"]}).to_csv(tmp_path / "a.csv", index=False)
    report = disclosure_report([], RULES, audit_files(tmp_path))
    assert report["blocked_by"] == ["A9 (Personal data in files) got through in a.csv, x: e-mail address"]
