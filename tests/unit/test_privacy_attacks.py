"""Every attack finds the leak that was planted for it, and nothing in a study that went through the gate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from pipelines.privacy.attacks.attacker import Attacker
from pipelines.privacy.attacks.cells import (
    likeness,
    prosecutor_and_frame,
    reconstruction,
    singling_out,
    uniform_groups,
)
from pipelines.privacy.attacks.chain import averaging, complements, link, releases_compared
from pipelines.privacy.attacks.linkage import linkage
from pipelines.privacy.attacks.rows import messages_of_the_gate, order_of_rows, shares_and_medians
from pipelines.privacy.audit import audit_study, blocking
from pipelines.privacy.cells import EVERYBODY, MENTIONED, NOT_MENTIONED, Population, Table
from pipelines.privacy.evidence import AttackResult, CoverageRow, Evidence, Protected, Withheld
from pipelines.privacy.reconstruction import Told
from pipelines.privacy.rules import Rules
from pipelines.privacy.tables import count_cells
from tests.interview_study import (
    COUNCILLORS,
    HIERARCHIES,
    MERGES,
    RULES,
    THEMES,
    entry_of,
    first,
    gate,
    study,
    theme_row,
    told,
    with_column,
)

OFFICERS = frozenset({("role_group", "officer")})
BY_THEME = [Table((theme, "role_group")) for theme in THEMES]
ABUSE = "theme:abuse"


def attack_on(protected: Protected, **more: object) -> Attacker:
    return Attacker(Evidence(protected, merges=MERGES, **more), RULES)  # type: ignore[arg-type]


def results(of: Iterable[AttackResult]) -> dict[str, str]:
    return {one.attack: one.outcome for one in of}


def mentioning(population: Population, theme: str, role: str, number: int) -> Population:
    """A study in which just so many of a role group mention a theme."""
    place = 0
    values = []
    for value, group in population.records[[theme, "role_group"]].itertuples(index=False, name=None):
        if group == role:
            value = MENTIONED if place < number else NOT_MENTIONED
            place += 1
        values.append(value)
    return with_column(population, theme, values)


# --- nothing to find ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def protected_study() -> tuple[Evidence, tuple[AttackResult, ...]]:
    social = {"authority_accounts": ("authority_code", "handle", "platform"), "hourly_profile": ("region", "hour")}
    evidence, again = gate(study(), social=social)
    return evidence, audit_study(evidence, RULES, again)


def test_a_study_that_went_through_the_gate_withstands_every_attack(protected_study) -> None:
    evidence, found = protected_study
    assert evidence.protected.publication.counts
    assert evidence.protected.themes
    assert blocking(found) == []
    outcomes = results(found)
    assert list(outcomes) == [f"A{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 13, 14)]
    assert {name for name, outcome in outcomes.items() if outcome == "not applicable"} <= {"A7"}
    assert all(one.tried for one in found if one.attack not in ("A7",))


@pytest.mark.parametrize("seed", range(3))
def test_other_studies_withstand_them_too_or_are_merged_until_they_do(seed: int) -> None:
    evidence, again = gate(study(seed, 40 + 20 * seed, 8 + 6 * seed))
    assert blocking(audit_study(evidence, RULES, again)) == []


def test_a_study_of_which_nothing_is_told_gives_nothing_to_attack() -> None:
    evidence, again = gate(study(interviews=19))
    found = audit_study(evidence, RULES, again)
    assert blocking(found) == []
    assert not evidence.protected.publication.counts


# --- A1 ----------------------------------------------------------------------------------------------------------


def test_a1_finds_the_one_in_tables_as_wide_as_records() -> None:
    """What D1 forbids, handed in as a publication: the full cross of four attributes with exact counts."""
    wide = ("role_group", "region", "party", "gender")
    population = study()
    population = replace(population, records=population.records[[*wide, ABUSE]])
    found = singling_out(attack_on(told(population, [Table(wide)])))
    assert found.outcome == "found"
    assert found.found == 25


def test_a1_puts_two_tables_together() -> None:
    """No table has the three values, and yet: all ten of Wales but one are women, and all Greens are in Wales."""
    population = study(officers=0)
    size = len(population.records)
    region = ["Wales"] * 10 + ["Scotland"] * (size - 10)
    gender = ["male"] + ["female"] * 9 + ["male", "female"] * ((size - 10) // 2)
    party = ["green"] * 10 + ["labour"] * (size - 10)
    changed = with_column(with_column(with_column(population, "region", region), "gender", gender), "party", party)
    slim = replace(changed, records=changed.records[["role_group", "region", "gender", "party"]])
    tables = [Table((name, "role_group")) for name in ("region", "gender", "party")]
    harmless = singling_out(attack_on(told(slim, tables)))
    assert harmless.outcome == "nothing found"
    joined = [Table(("region", "gender")), Table(("region", "party"))]
    found = singling_out(attack_on(told(slim, joined)))
    assert found.outcome == "found"
    assert found.measures["solved"] > 0


def test_a1_is_not_fooled_by_those_who_are_alone_only_in_truth() -> None:
    """Many are unique on four values; what is told, role group by each value, proves it of nobody."""
    population = study()
    columns = ["region", "party", "gender", "age_band"]
    population = replace(population, records=population.records[["role_group", *columns, *THEMES[:3]]])
    assert (population.records.groupby(columns).size() == 1).sum() > 20
    tables = [Table(("role_group", name)) for name in columns]
    assert singling_out(attack_on(told(population, tables, base=5))).found == 0


# --- A2 ----------------------------------------------------------------------------------------------------------


def test_a2_finds_a_group_too_small_to_be_a_share_of() -> None:
    population = study(officers=4)
    found = prosecutor_and_frame(attack_on(told(population, [Table(("role_group",))])))
    assert found.outcome == "found"
    assert found.measures["highest_prosecutor_risk"] == 1 / 4
    assert prosecutor_and_frame(attack_on(told(study(officers=14), [Table(("role_group",))]))).found == 0


def test_a2_finds_a_category_that_fewer_than_ten_hold_in_the_country() -> None:
    population = study()
    seniority = ["mayor"] * 26 + ["backbench"] * 26
    population = with_column(population, "seniority", seniority)
    found = prosecutor_and_frame(attack_on(told(population, [Table(("seniority",), COUNCILLORS)])))
    assert found.outcome == "found"
    assert found.tables == ("seniority of councillor",)


def test_a2_takes_a_category_that_the_frame_does_not_have_for_an_error_in_the_data() -> None:
    population = study()
    population = replace(population, frame={"gender": {"female": 6_700}})
    found = prosecutor_and_frame(attack_on(told(population, [Table(("gender",), COUNCILLORS)])))
    assert found.outcome == "found"


def test_a2_and_a8_read_the_register_at_the_level_that_is_told() -> None:
    """The register has the finest categories; one Green of Scotland is nobody who could be found once merged."""
    population = with_column(study(), "party", ["other"] * 20 + ["labour"] * 32)
    tables = [Table(("party",), COUNCILLORS)]
    social = {"councillor_accounts": ("account_id", "party")}
    register = {frozenset({("party", name)}): 1 for name in ("green", "snp", "other", "plaid_cymru", "reform_uk")}
    register |= {frozenset({("party", "labour"), ("role_group", "councillor")}): 6_000}
    fine = attack_on(told(population, tables), social=social, register=register)
    assert prosecutor_and_frame(fine).outcome == linkage(fine).outcome == "found"
    many = {cell: 900 if number == 1 else number for cell, number in register.items()}
    merged = attack_on(told(population, tables, levels={"party": 2}), social=social, register=many)
    assert prosecutor_and_frame(merged).outcome == linkage(merged).outcome == "nothing found"
    assert merged.registered(COUNCILLORS | {("party", "other")}) == 5 * 900


def test_a2_reads_the_frame_at_the_level_that_is_told() -> None:
    """Seven mayors merge with leaders and members of cabinets, of whom there are thousands."""
    population = study()
    seniority = ["executive"] * 30 + ["backbench"] * 22
    population = with_column(population, "seniority", seniority)
    tables = [Table(("seniority",), COUNCILLORS)]
    assert prosecutor_and_frame(attack_on(told(population, tables, levels={"seniority": 1}))).found == 0


def test_a2_finds_officers_told_apart_by_what_no_register_counts() -> None:
    found = prosecutor_and_frame(attack_on(told(study(), [Table(("role_group", "region"))], base=5)))
    assert "role_group by region" in found.tables


# --- A3, A4, A6 --------------------------------------------------------------------------------------------------


def test_a3_finds_a_small_group_that_is_proven_to_be_alike() -> None:
    population = mentioning(study(), ABUSE, "officer", 13)
    found = likeness(attack_on(told(population, BY_THEME)))
    assert found.outcome == "found"
    assert found.tables == ("theme:abuse by role_group",)
    assert found.measures["largest_proven_distance"] > 0.3
    evenly = mentioning(study(), ABUSE, "officer", 7)
    assert likeness(attack_on(told(evenly, [Table((ABUSE, "role_group"))]))).found == 0


def test_a4_finds_exact_numbers_and_what_is_the_difference_of_exact_numbers() -> None:
    found = reconstruction(attack_on(told(study(), BY_THEME)))
    assert found.outcome == "found"
    assert found.measures["exact_share"] == 1
    assert found.measures["narrowest"] == 0


def test_a4_finds_a_cell_left_out_of_exact_numbers() -> None:
    """What suppression does: the smallest number is missing, and is the margin less the others."""
    population = mentioning(study(), ABUSE, "officer", 3)
    exact = told(population, [Table((ABUSE, "role_group"))])
    hidden = OFFICERS | {(ABUSE, MENTIONED)}
    counts = {cell: count for cell, count in exact.publication.counts.items() if cell != hidden}
    found = reconstruction(attack_on(replace(exact, publication=replace(exact.publication, counts=counts))))
    assert found.found >= 1
    assert found.tables == ("theme:abuse by role_group",)


def test_a4_uses_the_rows_that_are_published_as_well_as_the_counts() -> None:
    """Two roundings of one number are two statements: the truth lies in both."""
    evidence, _ = gate(study())
    row = next(r for r in evidence.protected.themes if r.interviews == 5 and r.role_group == "officer")
    assert reconstruction(Attacker(evidence, RULES)).found == 0
    truth = evidence.protected.population.count(OFFICERS | {(f"theme:{row.theme_id}", MENTIONED)})
    other = replace(row, interviews=10 if truth >= 6 else 0)
    leaking = replace(evidence.protected, themes=(*evidence.protected.themes, other))
    assert reconstruction(attack_on(leaking)).found > 0


def test_a6_finds_a_small_group_that_all_mention_a_theme_or_none() -> None:
    for number in (0, 14):
        population = mentioning(study(), ABUSE, "officer", number)
        found = uniform_groups(attack_on(told(population, [Table((ABUSE, "role_group"))], base=5)))
        assert found.outcome == "found", number
    evenly = mentioning(study(), ABUSE, "officer", 7)
    assert uniform_groups(attack_on(told(evenly, [Table((ABUSE, "role_group"))], base=5))).found == 0


def test_a6_finds_a_share_of_none_or_all_without_a_base() -> None:
    evidence, _ = gate(study())
    row = theme_row("training_wanted", "officer", 15, 15, 100)
    leaking = replace(evidence.protected, themes=(row,))
    assert uniform_groups(attack_on(leaking)).outcome == "found"


# --- A5, A7, A12 -------------------------------------------------------------------------------------------------


def release_of_50_and_52(base: int) -> Attacker:
    population = study()
    tables = [*BY_THEME, Table(("gender",), COUNCILLORS)]
    before = told(first(population, 50), tables, base=base)
    now = told(population, tables, base=base, number=2)
    return Attacker(Evidence(now, (entry_of(before),), merges=MERGES), RULES)


def test_a5_takes_the_two_newcomers_out_of_releases_of_50_and_52() -> None:
    found = releases_compared(release_of_50_and_52(base=1))
    assert found.outcome == "found"
    assert len(found.tables) >= len(THEMES)  # every theme and attribute of both


def test_a5_finds_a_number_that_moved_though_nobody_had_changed() -> None:
    """Two roundings of the same interviews: what is within four of both is within fewer of each."""
    population = mentioning(study(), ABUSE, "officer", 7)
    tables = [Table((ABUSE, "role_group"))]
    below = told(population, tables, base=5)
    up = {cell: -(-count // 5) * 5 for cell, count in told(population, tables).publication.counts.items()}
    above = replace(below, publication=replace(below.publication, number=2, counts=up))
    found = releases_compared(Attacker(Evidence(above, (entry_of(below),), merges=MERGES), RULES))
    assert found.outcome == "found"
    assert found.measures["narrowest"] < 4


def test_a5_finds_nothing_between_gated_releases_of_52_and_70_interviews() -> None:
    population = study(interviews=70, officers=14)
    earlier, _ = gate(first(population, 52))
    later, again = gate(population, ledger=(entry_of(earlier.protected),))
    assert later.protected.publication.number == 2
    assert not later.protected.is_unchanged
    found = releases_compared(Attacker(later, RULES), again)
    assert found.outcome == "nothing found"
    assert found.tried > 20


def test_a5_gets_the_same_numbers_for_52_interviews_after_50() -> None:
    population = study()
    earlier, _ = gate(first(population, 50))
    later, again = gate(population, ledger=(entry_of(earlier.protected),))
    assert later.protected.is_unchanged
    assert later.protected.publication == earlier.protected.publication
    assert blocking(audit_study(later, RULES, again)) == []


def test_a5_finds_a_gate_that_answers_to_one_interview_more_less_or_otherwise() -> None:
    evidence, again = gate(study(), Rules(off=frozenset({"D10"})))
    assert releases_compared(Attacker(evidence, RULES)).found == 0
    assert releases_compared(Attacker(evidence, RULES), again).outcome == "found"


def test_a7_finds_the_group_that_is_left_when_another_is_taken_from_everybody() -> None:
    population = mentioning(study(), ABUSE, "officer", 2)
    tables = [Table((ABUSE,)), Table((ABUSE,), COUNCILLORS)]
    found = complements(attack_on(told(population, tables)))
    assert found.outcome == "found"
    alone = complements(attack_on(told(population, [Table((ABUSE,), COUNCILLORS)])))
    assert alone.found == 0


def test_a7_finds_the_region_that_is_a_nation_less_the_other_regions() -> None:
    """Rounded numbers of one moment at two levels: together they say more than each."""
    population = study(officers=0)
    fine = ["London"] * 14 + ["North East"] * 6 + ["Wales"] * 16 + ["Scotland"] * 16
    merged = ["England"] * 20 + ["Wales"] * 16 + ["Scotland"] * 16
    tables = [Table(("region",), COUNCILLORS)]
    before = told(with_column(population, "region", fine), tables, base=5)
    counts = dict(before.publication.counts)
    london, north = (COUNCILLORS | {("region", name)} for name in ("London", "North East"))
    assert (counts[london], counts[north]) == (10, 5)
    now = told(with_column(population, "region", merged), tables, base=5, number=2, levels={"region": 1})
    chain = Attacker(Evidence(now, (entry_of(before),), merges=MERGES), RULES)
    assert complements(chain).found == 0  # 20 is told as 20: between 16 and 24, as 10 and 5 allow
    assert now.publication.counts[COUNCILLORS | {("region", "England")}] == 20
    up = {**now.publication.counts, COUNCILLORS | {("region", "England")}: 15}
    exact = replace(now, publication=replace(now.publication, base=1, counts={**up, **now.publication.counts}))
    found = complements(Attacker(Evidence(exact, (entry_of(before),), merges=MERGES), RULES))
    assert found.outcome == "found"


def test_levels_link_whatever_became_of_the_categories() -> None:
    """The party called `other` after three merges is not the `other` of before."""
    before = Told(1, (Table(("party",)),), {}, {frozenset({("party", p)}): 5 for p in ("snp", "other", "labour")})
    after = Told(
        2, (Table(("party",)),), {}, {frozenset({("party", p)}): 9 for p in ("other", "labour")}, {"party": 1}
    )
    links = {frozenset(one.later): set(one.earlier) for one in link(before, after, MERGES)}
    other, labour, snp = (frozenset({("party", p)}) for p in ("other", "labour", "snp"))
    assert links == {frozenset({other}): {other, snp}, frozenset({labour}): {labour}}


def test_a12_reruns_give_the_same_and_averages_give_nothing() -> None:
    evidence, again = gate(study())
    found = averaging(Attacker(evidence, RULES), again, neighbours=8, reruns=100)
    assert found.outcome == "nothing found"
    assert found.tried >= 100 + 16


def test_a12_finds_a_gate_that_draws_anew_each_time() -> None:
    population = study()
    evidence, _ = gate(population)
    drawn = np.random.default_rng(1)

    def noisy(changed: Population, *, after: Protected | None = None) -> Protected:
        truth = count_cells(changed, evidence.protected.publication.tables)
        counts = {cell: count + int(drawn.integers(-4, 5)) for cell, count in truth.items()}
        return replace(evidence.protected, publication=replace(evidence.protected.publication, counts=counts))

    leaking = replace(evidence, protected=noisy(evidence.protected.population))
    found = averaging(Attacker(leaking, RULES), noisy, neighbours=20)
    assert found.outcome == "found"
    assert found.measures["near_averaged"] > found.measures["near_once"] + 0.2


# --- A8 ----------------------------------------------------------------------------------------------------------


def test_a8_finds_the_councillor_whose_account_is_the_only_one_that_fits() -> None:
    """What D12 forbids: rows of single councillors' accounts beside the tables about interviews."""
    evidence, _ = gate(study())
    shown = evidence.protected.population.records["seniority"].unique()
    accounts = pd.DataFrame({"role_group": "councillor", "seniority": [*sorted(shown), sorted(shown)[-1]]})
    register = {
        frozenset(zip(names, values, strict=True)): len(rows)
        for size in (1, 2)
        for names in combinations(accounts.columns, size)
        for values, rows in accounts.groupby(list(names))
    }
    columns = {"councillor_accounts": ("account_id", "handle", *accounts.columns)}
    found = linkage(replace_evidence(evidence, columns, register))
    assert found.outcome == "found"
    many = {cell: 100 * count for cell, count in register.items()}
    assert linkage(replace_evidence(evidence, columns, many)).found == 0
    assert linkage(replace_evidence(evidence, {"councils": ("authority_code",)}, register)).found == 0


def replace_evidence(evidence: Evidence, social: dict[str, tuple[str, ...]], register: dict) -> Attacker:
    return Attacker(replace(evidence, social=social, register=register), RULES)


def test_a8_finds_a_column_that_could_be_a_key() -> None:
    evidence, _ = gate(study())
    found = linkage(replace_evidence(evidence, {"accounts": ("handle", "participant_id")}, {}))
    assert found.outcome == "found"
    assert found.tables == ("accounts",)


# --- A10, A13, A14 -----------------------------------------------------------------------------------------------


def test_a10_finds_rows_in_the_order_of_the_interviews() -> None:
    evidence, _ = gate(study())
    assert order_of_rows(Attacker(evidence, RULES)).outcome == "nothing found"
    by_count = tuple(sorted(evidence.protected.themes, key=lambda row: -(row.interviews or 0)))
    found = order_of_rows(attack_on(replace(evidence.protected, themes=by_count)))
    assert found.tables == ("themes",)
    twice = replace(evidence.protected, coverage=evidence.protected.coverage[:1] * 2)
    assert order_of_rows(attack_on(twice)).tables == ("coverage",)


@pytest.mark.parametrize("share", [32.4, 31, None])
def test_a13_finds_a_share_of_other_numbers_than_those_beside_it(share: float | None) -> None:
    evidence, _ = gate(study())
    row = next(row for row in evidence.protected.themes if row.share_percent is not None)
    assert shares_and_medians(Attacker(evidence, RULES)).found == 0
    # None stands for a share where the counts are withheld.
    changes = {"interviews": None, "base": None} if share is None else {"share_percent": share}
    other = replace(row, **changes)
    rows = tuple(other if one is row else one for one in evidence.protected.themes)
    found = shares_and_medians(attack_on(replace(evidence.protected, themes=rows)))
    assert found.outcome == "found"


def test_a13_counts_the_pairs_that_a_true_share_leaves() -> None:
    """11 of 34 is 32.4 %: of 81 pairs that the rounding of 10 of 35 allows, three have this share."""
    population = mentioning(study(), ABUSE, "councillor", 11)
    protected = told(population, [Table((ABUSE, "role_group"))], base=5)
    row = theme_row("abuse", "councillor", 10, 35, 32.4)
    found = shares_and_medians(attack_on(replace(protected, themes=(row,))))
    pairs = sum(abs(100 * k / n - 32.4) <= 0.05 for k in range(6, 15) for n in range(31, 40))
    assert found.measures["fewest_pairs_left"] == pairs < 5


@pytest.mark.parametrize("minutes", ["few", "dominated", "estimated"])
def test_a13_finds_a_median_of_few_or_of_a_few_long_ones(minutes: str) -> None:
    population = study()
    lengths = pd.Series(60.0, index=population.minutes.index)
    if minutes == "few":
        lengths.iloc[9:] = np.nan
    elif minutes == "dominated":
        lengths.iloc[:2], lengths.iloc[2:] = 9_000.0, 5.0
    else:
        lengths.iloc[0], lengths.iloc[2:], lengths.iloc[1] = 9_000.0, 10.0, 900.0
    tables = [Table(("role_group",))]
    everybody = CoverageRow("all", "all", "all", 50, 60)

    def attacked(with_lengths: pd.Series) -> AttackResult:
        changed = replace(population, minutes=with_lengths)
        return shares_and_medians(attack_on(told(changed, tables, base=5, coverage=(everybody,))))

    assert attacked(lengths).outcome == "found"
    assert attacked(pd.Series(60.0, index=lengths.index)).outcome == "nothing found"


@pytest.mark.parametrize(
    ("message", "is_found"),
    [
        ("D2: made-up-study: gender of councillor: too few interviews of that role group for a table", False),
        ("D4: party of councillor: a category has fewer than 10 interviews, however it is merged", False),
        ("A4 (Reconstruction by linear programming) got through in theme:abuse by role_group", False),
        ("D4: party of councillor: labour has too few interviews", True),
        ("D4: party of councillor: only 3 interviews", True),
        ("D13: 37 interviews could not be rounded", True),
    ],
)
def test_a14_finds_a_value_in_a_message(message: str, is_found: bool) -> None:
    population = with_column(study(), "party", ["labour", "conservative"] * 26)
    protected = told(population, [Table(("party",), COUNCILLORS), Table(("gender",), COUNCILLORS)], base=5)
    found = messages_of_the_gate(attack_on(protected, messages=(message,)))
    assert found.outcome == ("found" if is_found else "nothing found")
    reason = replace(protected, withheld=(Withheld("D4", "party of councillor", message),))
    assert messages_of_the_gate(attack_on(reason)).outcome == found.outcome


# --- failing closed ----------------------------------------------------------------------------------------------


def test_an_attack_that_breaks_off_blocks_and_says_nothing_of_what_it_saw() -> None:
    def broken(attacker: Attacker) -> AttackResult:
        raise KeyError("labour, 3 interviews")

    evidence, _ = gate(study())
    found = audit_study(evidence, RULES, attacks=[("A4", "Reconstruction", broken)])
    assert blocking(found) == ["A4 (Reconstruction) could not be carried through: it broke off (KeyError)"]


def test_an_audit_that_runs_out_of_time_blocks() -> None:
    evidence, again = gate(study())
    found = audit_study(evidence, RULES, again, seconds=0)
    late = [one for one in found if one.outcome == "failed"]
    assert {"A1", "A4", "A5", "A12"} <= {one.attack for one in late}
    assert {one.reason for one in late} == {"time ran out"}
    assert len(blocking(found)) == len(late)


def test_numbers_that_cannot_be_true_together_block() -> None:
    evidence, _ = gate(study())
    counts = {**evidence.protected.publication.counts, EVERYBODY: 200}
    wrong = replace(evidence.protected, publication=replace(evidence.protected.publication, counts=counts))
    found = audit_study(Evidence(wrong, merges=MERGES), RULES)
    assert any("exclude each other" in sentence for sentence in blocking(found))


def test_merged_categories_without_the_vocabulary_block() -> None:
    population = with_column(study(), "seniority", ["executive"] * 30 + ["backbench"] * 22)
    protected = told(population, [Table(("seniority",), COUNCILLORS)], base=5, levels={"seniority": 1})
    found = audit_study(Evidence(protected), RULES)
    assert any("its merges were not handed in" in sentence for sentence in blocking(found))


def test_the_hierarchies_of_the_tests_are_those_of_the_project() -> None:
    assert set(MERGES) == set(HIERARCHIES) >= {"role_group", "party", "region"}
