"""The gate as a whole: what a study's truth becomes, what it does not become, and what time does to it."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.privacy.categories import read_hierarchies
from pipelines.privacy.cells import EVERYBODY, MENTIONED, NOT_MENTIONED, Cell, Population, Table
from pipelines.privacy.evidence import CoverageRow, LedgerEntry, Protected, ThemeRow
from pipelines.privacy.ledger import from_json, to_json
from pipelines.privacy.protection import ROUNDS, protect, to_entry
from pipelines.privacy.rules import DisclosureError, Rules
from pipelines.privacy.tables import count_cells, equations, is_computable
from pipelines.settings import project_folder

ROOT = Path(__file__).resolve().parents[2]
VOCABULARY = yaml.safe_load((project_folder("data_contracts") / "interviews.yml").read_text(encoding="utf-8"))
HIERARCHIES = read_hierarchies(VOCABULARY["attributes"])
THEMES = sorted(f"theme:{name}" for name in VOCABULARY["themes"])
SENSITIVE = frozenset(f"theme:{name}" for name, theme in VOCABULARY["themes"].items() if theme["sensitive"])
SECRET = bytes(range(32))
RULES = Rules()


def study(seed: int = 0, interviews: int = 52, officers: int = 12, evenness: float = 3.0) -> Population:
    """A random study; with little evenness most interviews fall into a few categories."""
    draw = np.random.default_rng(seed)
    role = np.array(["councillor"] * (interviews - officers) + ["officer"] * officers)
    columns: dict[str, Any] = {"role_group": role}
    for name, hierarchy in HIERARCHIES.items():
        if name != "role_group":
            categories = sorted(hierarchy.categories - {"not_stated"})
            chosen = draw.choice(categories, interviews, p=draw.dirichlet([evenness] * len(categories)))
            is_asked = (role == "councillor") | (hierarchy.of is None)
            columns[name] = np.where(is_asked, chosen, "not_stated")
    for name in THEMES:
        columns[name] = np.where(draw.random(interviews) < draw.uniform(0.1, 0.8), MENTIONED, NOT_MENTIONED)
    records = pd.DataFrame(columns, index=[f"id{n:03d}" for n in range(interviews)], dtype=str)
    minutes = pd.Series(5.0 * draw.integers(6, 24, interviews), index=records.index)
    return Population("study", records, minutes, {}, SENSITIVE)


def with_columns(population: Population, **columns: Sequence[str] | str) -> Population:
    """A study with other columns; `theme_x` stands for `theme:x`."""
    named = {name.replace("theme_", "theme:"): values for name, values in columns.items()}
    return dataclasses.replace(population, records=population.records.assign(**named))


def full_study() -> Population:
    """Fifty-two interviews in which each of the eight attributes can be told at some level."""
    halves = {
        "seniority": ["leader", "backbench"],
        "authority_type": ["MD", "CTY"],
        "region": ["London", "Scotland"],
        "party": ["labour", "conservative"],
        "gender": ["female", "male"],
        "age_band": ["35_44", "65_74"],
        "tenure_band": ["4_7", "20_plus"],
        "mode_of_collection": ["Interview.FaceToFace", "Interview.WebBased"],
    }
    population, draw = study(4), np.random.default_rng(4)
    is_councillor = population.records["role_group"] == "councillor"
    chosen = {
        name: np.where(is_councillor | (HIERARCHIES[name].of is None), draw.permutation(pair * 26), "not_stated")
        for name, pair in halves.items()
    }
    return with_columns(population, **chosen)


def take(population: Population, places: Sequence[int]) -> Population:
    """A study of some of another's interviews, by place, as often as they are named."""
    records, minutes = population.records.iloc[list(places)], population.minutes.iloc[list(places)]
    index = [f"new{n:03d}" for n in range(len(records))]
    return dataclasses.replace(population, records=records.set_axis(index), minutes=minutes.set_axis(index))


def gate(
    population: Population, ledger: Sequence[LedgerEntry] = (), rules: Rules = RULES, **more: Any
) -> Protected:
    """The gate with the project's vocabulary and one secret."""
    return protect(population, HIERARCHIES, rules, SECRET, ledger, **more)


def without(*names: str) -> Rules:
    """The default rules with some switched off."""
    return Rules(off=frozenset(names))


def told(protected: Protected) -> str:
    """Everything that a reader sees, as text."""
    return repr((protected.publication.number, protected.themes, protected.coverage, protected.medians)) + repr(
        sorted((sorted(cell), number) for cell, number in protected.publication.counts.items())
    )


def theme_row(protected: Protected, theme: str, role: str) -> ThemeRow:
    """The row of a theme and role group."""
    return next(row for row in protected.themes if (row.theme_id, row.role_group) == (theme, role))


def rules_withheld(protected: Protected) -> set[tuple[str, str]]:
    """Rules and the tables that they kept back."""
    return {(note.rule, note.table) for note in protected.withheld}


studies = st.builds(
    lambda seed, interviews, share, evenness: study(seed, interviews, round(interviews * share), evenness),
    st.integers(0, 10_000),
    st.integers(20, 90),
    st.floats(0, 1),
    st.sampled_from([0.3, 1.0, 5.0]),
)
some = settings(max_examples=15, deadline=None)


# --- what every publication keeps -----------------------------------------------------------------------------


@given(studies)
@some
def test_every_table_adds_up_and_every_number_is_a_multiple_near_the_truth(population: Population) -> None:
    protected = gate(population)
    publication = protected.publication
    truth = count_cells(protected.population, publication.tables)
    assert publication.base == 5
    assert publication.counts.keys() == truth.keys()
    assert all(number % 5 == 0 and abs(number - truth[cell]) <= 4 for cell, number in publication.counts.items())
    for margin, parts in equations(protected.population, publication.tables):
        assert publication.counts[margin] == sum(publication.counts[part] for part in parts)
    assert all(publication.interval(cell)[0] <= truth[cell] <= publication.interval(cell)[1] for cell in truth)


@given(studies)
@some
def test_no_table_is_wider_smaller_or_about_more_than_the_rules_let_it_be(population: Population) -> None:
    protected = gate(population)
    rows = protected.population
    for table in protected.publication.tables:
        assert table.width <= 2
        assert rows.count(table.where) >= 20
        names = {*table.dimensions, *(name for name, _ in table.where)}
        assert names <= {*HIERARCHIES, *THEMES}
        for name in table.dimensions:
            if name.startswith("theme:"):
                continue
            assert all(rows.count(table.where | {(name, c)}) >= 10 for c in rows.categories(name, table.where))
            if not (table.where == {("role_group", "councillor")} or name in ("role_group", "authority_type")):
                pytest.fail("something other than the type of authority is told of somebody without a register")
    told_of_officers = {row.attribute for row in protected.coverage if row.role_group == "officer"}
    assert told_of_officers <= {"all", "authority_type"}
    if told_of_officers:
        types = {row.category for row in protected.coverage if row.attribute == "authority_type"}
        assert len(types) <= 2


@given(studies)
@some
def test_rows_say_what_the_cells_say_and_stand_in_the_order_of_names(population: Population) -> None:
    protected = gate(population)
    counts = protected.publication.counts
    for row in protected.themes:
        whole = EVERYBODY if row.role_group == "all" else frozenset({("role_group", row.role_group)})
        cell = whole | {(f"theme:{row.theme_id}", MENTIONED)}
        if row.withheld_reason:
            assert (row.interviews, row.base, row.share_percent) == (None, None, None)
            assert cell not in counts
        else:
            assert (row.interviews, row.base) == (counts[cell], counts[whole])
            expected = None if row.base < 20 else int(100 * row.interviews / row.base + 0.5)
            assert row.share_percent == expected
    assert {row.theme_id for row in protected.themes} == {name.removeprefix("theme:") for name in THEMES}
    for row in protected.coverage:
        pairs = {("role_group", row.role_group), (row.attribute, row.category)}
        assert row.interviews == counts[frozenset(pair for pair in pairs if pair[1] != "all")]
    for rows in (protected.themes, protected.coverage):
        keys = [
            dataclasses.astuple(row)[:2] if isinstance(row, ThemeRow) else dataclasses.astuple(row)[:3]
            for row in rows
        ]
        assert keys == sorted(set(keys))


@given(studies, st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None)
def test_the_same_study_is_told_the_same_in_any_order_of_its_interviews(population, shuffle) -> None:
    places = list(range(len(population.records)))
    shuffle.shuffle(places)
    assert told(gate(population)) == told(gate(take(population, places))) == told(gate(population))


def test_the_number_of_threads_is_nowhere_to_be_seen() -> None:
    code = (
        "import os, sys, hashlib\n"
        "if sys.argv[1] == '1': os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from tests.unit.test_privacy_protection import *\n"
        "print(hashlib.sha256(to_json(to_entry(gate(full_study()), SECRET)).encode()).hexdigest())"
    )
    shown = []
    for threads in ("1", "8"):
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": threads,
            "PYTHONHASHSEED": threads,
        }
        command = [sys.executable, "-c", code, threads]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        shown.append(done.stdout)
    assert shown[0] == shown[1]
    assert len(shown[0].strip()) == 64


def test_another_secret_tells_other_numbers() -> None:
    numbers = {told(protect(full_study(), HIERARCHIES, RULES, bytes([n]) * 32)) for n in range(5)}
    assert len(numbers) == 5


def test_numbers_are_off_by_less_than_two_in_the_mean_and_take_no_time(capsys: pytest.CaptureFixture[str]) -> None:
    errors, began = [], time.perf_counter()
    for seed in range(20):
        protected = protect(full_study(), HIERARCHIES, RULES, bytes([seed]) * 32)
        truth = count_cells(protected.population, protected.publication.tables)
        errors += [abs(number - truth[cell]) for cell, number in protected.publication.counts.items()]
    took = (time.perf_counter() - began) / 20
    with capsys.disabled():
        print(f"\n52 interviews, 14 themes, 8 attributes: {len(truth)} cells in {took:.3f} s, ", end="")
        print(f"mean error {np.mean(errors):.2f}")
    assert len(protected.levels) == 9
    assert 1.2 <= np.mean(errors) <= 2.0


# --- single rules -----------------------------------------------------------------------------------------------


def test_a_study_of_nineteen_is_not_told_and_one_of_twenty_is() -> None:
    small = gate(study(1, 19, 0))
    assert (small.themes, small.coverage, dict(small.publication.counts), dict(small.medians)) == ((), (), {}, {})
    assert rules_withheld(small) == {("D2", "all tables")}
    assert gate(study(1, 20, 0)).publication.counts[EVERYBODY] == 20


def test_a_small_role_group_is_not_told_and_cannot_be_computed() -> None:
    protected = gate(study(2, 52, 7))
    assert ("D4", "role_group") in rules_withheld(protected)
    assert {row.role_group for row in protected.coverage} == {"councillor"}
    cells = set(protected.publication.counts)
    assert not any(
        is_computable(cell, cells, protected.population)
        for cell in [frozenset({("role_group", "officer")}), EVERYBODY]
    )
    assert theme_row(protected, "always_on", "all").withheld_reason
    assert theme_row(protected, "always_on", "councillor").base


def test_many_small_role_groups_are_told_as_everybody() -> None:
    population = study(2, 27, 0)
    roles = ["councillor"] * 9 + ["officer"] * 9 + ["other"] * 9
    protected = gate(with_columns(population, role_group=roles))
    assert {row.role_group for row in protected.themes} == {"all"}
    assert all(row.base in (25, 30) for row in protected.themes)
    assert not any(name == "role_group" for cell in protected.publication.counts for name, _ in cell)


def test_the_role_group_of_a_whole_study_is_told_once() -> None:
    protected = gate(study(3, 40, 0))
    assert {row.role_group for row in (*protected.themes, *protected.coverage)} == {"councillor"}


def test_types_of_a_group_without_register_have_two_categories_even_when_it_is_alone() -> None:
    types = ["UA"] * 14 + ["MD"] * 14 + ["CTY"] * 14
    for role, number in (("officer", 2), ("councillor", 3)):
        protected = gate(with_columns(study(3, 42, 0), role_group=[role] * 42, authority_type=types))
        assert len([row for row in protected.coverage if row.attribute == "authority_type"]) == number


@pytest.mark.parametrize("mentions", range(13))
def test_a_sensitive_theme_of_a_small_role_group_is_withheld_whatever_its_number(mentions: int) -> None:
    population = full_study()
    of_officers = [MENTIONED] * mentions + [NOT_MENTIONED] * (12 - mentions)
    abuse = [*population.records["theme:abuse"][:40], *of_officers]
    protected = gate(with_columns(population, theme_abuse=abuse))
    assert theme_row(protected, "abuse", "officer").withheld_reason
    assert theme_row(protected, "abuse", "all").withheld_reason
    assert theme_row(protected, "abuse", "councillor").interviews is not None
    hidden = frozenset({("theme:abuse", MENTIONED), ("role_group", "officer")})
    assert not is_computable(hidden, protected.publication.counts, protected.population)


def test_a_small_role_group_is_never_told_to_be_all_alike() -> None:
    population = full_study()
    mentioned = [*population.records["theme:always_on"][:40], *[MENTIONED] * 12]
    types = [*population.records["authority_type"][:40], *["MD"] * 12]
    changed = with_columns(population, theme_always_on=mentioned, authority_type=types)
    protected = gate(changed)
    assert theme_row(protected, "always_on", "officer").interviews is None
    assert theme_row(protected, "always_on", "councillor").interviews is not None
    assert {("D7", "theme:always_on of officer"), ("D7", "authority_type of officer")} <= rules_withheld(protected)
    hidden = [
        frozenset({pair, ("role_group", "officer")})
        for pair in (("theme:always_on", MENTIONED), ("authority_type", "MD"))
    ]
    assert not any(is_computable(cell, protected.publication.counts, protected.population) for cell in hidden)
    open_gate = gate(changed, rules=without("D7"))
    alike = theme_row(open_gate, "always_on", "officer")
    assert alike.interviews == alike.base


def test_what_is_a_difference_of_two_told_cells_is_computable() -> None:
    population = full_study()
    officer, councillor = (frozenset({("role_group", role)}) for role in ("officer", "councillor"))
    assert is_computable(officer, [EVERYBODY, councillor], population)
    assert not is_computable(officer, [EVERYBODY], population)
    theme = frozenset({("theme:abuse", MENTIONED)})
    assert is_computable(theme | officer, [theme, theme | councillor], population)
    assert not is_computable(theme | officer, [EVERYBODY, officer, theme | councillor], population)


def lengths(population: Population, values: Mapping[int, float | None], other: float | None) -> Population:
    """A study with the lengths of some interviews set by place, all others alike."""
    minutes = pd.Series([values.get(n, other) for n in range(len(population.records))], dtype=float)
    return dataclasses.replace(population, minutes=minutes.set_axis(population.records.index))


@pytest.mark.parametrize(
    ("values", "other", "expected"),
    [
        ({}, 63.0, 65),
        (dict.fromkeys(range(9), 60.0), None, None),  # nine contributors
        (dict.fromkeys(range(10), 60.0), None, 60),
        ({0: 1200.0, 1: 1200.0, **dict.fromkeys(range(2, 10), 35.0)}, None, 35),  # the largest two have 89.6 %
        ({0: 1200.0, 1: 1200.0, **dict.fromkeys(range(2, 10), 30.0)}, None, None),  # 90.9 %
        (
            {0: 2000.0, 1: 5.0, **dict.fromkeys(range(2, 40), 5.0)},
            None,
            None,
        ),  # the others have 9.5 % of the first
    ],
)
def test_a_median_has_ten_contributors_none_of_whom_dominates(values, other, expected) -> None:
    protected = gate(lengths(study(3, 40, 0), values, other))
    assert protected.medians.get(frozenset({("role_group", "councillor")})) == expected
    rows = {row.median_minutes for row in protected.coverage if row.attribute == "all"}
    assert rows == {expected}
    assert {row.median_minutes for row in protected.coverage if row.attribute != "all"} == {None}


def test_two_columns_for_one_attribute_or_none_for_a_column_stop_the_gate() -> None:
    ward = with_columns(full_study(), ward="Northfield")
    with pytest.raises(
        DisclosureError, match=r"^D13: study study: column 24 is neither an attribute nor a theme$"
    ):
        gate(ward)
    vocabulary = {**HIERARCHIES, "ward": dataclasses.replace(HIERARCHIES["gender"], attribute="ward")}
    with pytest.raises(DisclosureError, match=r"^D2: study study: the vocabulary has an attribute that may be no"):
        protect(ward, vocabulary, RULES, SECRET)


# --- releases over time -----------------------------------------------------------------------------------------


def entries(*populations: Population) -> list[LedgerEntry]:
    """The ledger after telling one study after the other."""
    ledger: list[LedgerEntry] = []
    for population in populations:
        protected = gate(population, ledger)
        if not protected.is_unchanged:
            ledger.append(to_entry(protected, SECRET))
    return ledger


@given(studies)
@settings(max_examples=10, deadline=None)
def test_asking_again_repeats_the_last_publication_under_any_secret_of_the_rounding(population) -> None:
    ledger = entries(population)
    again = gate(population, ledger)
    assert again.is_unchanged
    assert told(again) == told(gate(population))
    assert again.withheld == gate(population).withheld


@given(studies, st.integers(1, 9), st.sampled_from(["added", "removed", "recoded"]), st.integers(0, 999))
@some
def test_fewer_than_ten_changes_change_nothing_that_is_told(population, number, how, seed) -> None:
    places, more = list(range(len(population.records))), study(seed, 20)
    ledger = entries(population)
    if how == "removed":
        changed = take(population, places[: max(20, len(places) - number)])
    else:
        kept = take(population, places if how == "added" else places[number:])
        new = take(more, range(number))
        changed = dataclasses.replace(
            population,
            records=pd.concat([kept.records, new.records]).set_axis(pd.RangeIndex(len(kept.records) + number)),
            minutes=pd.concat([kept.minutes, new.minutes]).set_axis(pd.RangeIndex(len(kept.minutes) + number)),
        )
    protected = gate(changed, ledger)
    assert protected.is_unchanged
    assert told(protected) == told(gate(population))


def test_one_more_interview_is_noted_and_ten_more_are_told() -> None:
    whole = study(5, 62, 12)
    before = take(whole, range(52))
    ledger = entries(before)
    one = gate(take(whole, range(53)), ledger)
    assert [note.rule for note in one.withheld if note not in gate(before).withheld] == ["D10"]
    ten = gate(whole, ledger)
    assert not ten.is_unchanged
    assert ten.publication.number == 2


@pytest.mark.parametrize(("told_as", "is_seen"), [("leader", True), ("executive", False)])
def test_corrections_in_what_was_never_told_do_not_carry_one_new_interview_out(told_as, is_seen) -> None:
    """Where leaders were told as executive, making them members of the cabinet changes nothing that was told."""
    population = full_study()
    seniority = population.records["seniority"]
    ledger = entries(with_columns(population, seniority=seniority.replace("leader", told_as)))
    assert ledger[0].levels["seniority"] == (0 if is_seen else 1)
    corrected = with_columns(population, seniority=seniority.replace("leader", "cabinet_member"))
    assert (corrected.records["seniority"] != seniority).sum() >= 10
    assert gate(corrected, ledger).is_unchanged != is_seen
    with_a_new_one = take(corrected, [*range(52), 0])
    assert gate(with_a_new_one, ledger).is_unchanged != is_seen


def test_one_withdrawal_is_a_new_publication_that_moves_little() -> None:
    population = full_study()
    ledger = entries(population)
    withdrawn = dataclasses.replace(take(population, range(1, 52)), withdrawn=1)
    protected = gate(withdrawn, ledger)
    assert protected.publication.number == 2
    assert not protected.is_unchanged
    before = ledger[0].publication.counts
    moved = [cell for cell, number in protected.publication.counts.items() if before.get(cell, number) != number]
    assert len(moved) <= len(before) / 4
    must = [
        c
        for c, n in protected.publication.counts.items()
        if c in before and abs(before[c] - protected.population.count(c)) > 4
    ]
    assert set(must) <= set(moved)
    assert gate(withdrawn, [*ledger, to_entry(protected, SECRET)]).is_unchanged


def test_a_level_once_told_never_becomes_finer_nor_does_its_meaning_change() -> None:
    coarse = with_columns(full_study(), party=["labour"] * 14 + ["conservative"] * 14 + ["snp", "reform_uk"] * 12)
    fine = with_columns(full_study(), party=["labour"] * 13 + ["conservative"] * 13 + ["green"] * 26)
    ledger = entries(coarse)
    assert ledger[0].levels["party"] == 1
    assert gate(fine).levels["party"] == 0
    later = gate(fine, ledger)
    assert not later.is_unchanged
    assert later.levels["party"] == 1


def test_a_repeated_publication_gets_no_second_entry() -> None:
    population = full_study()
    with pytest.raises(DisclosureError, match=r"^D10: study study: this publication has its entry already$"):
        to_entry(gate(population, entries(population)), SECRET)


def test_a_study_that_was_too_small_is_told_once_it_is_not() -> None:
    whole = study(5, 21, 0)
    ledger = entries(take(whole, range(15)))
    assert not ledger[0].publication.counts
    protected = gate(whole, ledger)
    assert protected.publication.number == 2
    assert protected.publication.counts


@given(studies, st.booleans())
@some
def test_an_entry_survives_the_way_to_text_and_back(population: Population, is_open: bool) -> None:
    rules = without("D2", "D5", "D6", "D9") if is_open else RULES
    entry = to_entry(gate(population, rules=rules), SECRET)
    again = from_json(to_json(entry))
    assert again == entry
    assert to_json(again) == to_json(entry)


def test_an_entry_holds_hashes_and_its_text_is_refused_without_being_shown() -> None:
    text = to_json(entries(full_study())[0])
    document = json.loads(text)
    assert sum(document["records_digest"].values()) == 52
    assert all(len(key) == 64 for key in document["records_digest"])
    for broken in (
        text[:-5],
        "[]",
        "{}",
        "null",
        json.dumps({**document, "format": 0}),
        json.dumps({**document, "themes": [1]}),
    ):
        with pytest.raises(
            DisclosureError, match=r"^D13: a ledger entry cannot be read, or is of another version$"
        ) as caught:
            from_json(broken)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None


# --- the audit and everything else that goes wrong ----------------------------------------------------------


def test_what_the_audit_names_is_merged_and_then_withheld() -> None:
    population = full_study()
    seen: list[int | None] = []

    def audit(protected: Protected) -> list[str]:
        seen.append(protected.levels.get("age_band"))
        return ["A4 recovers a cell of age_band of councillor"] if "age_band" in protected.levels else []

    protected = gate(population, audit=audit)
    assert seen == [0, 1, 2, None]
    assert not any(row.attribute == "age_band" for row in protected.coverage)
    assert any(note.table.startswith("age_band") for note in protected.withheld)
    assert "tenure_band" in protected.levels


def test_a_theme_that_the_audit_names_is_withheld() -> None:
    def audit(protected: Protected) -> list[str]:
        told_ = any(("theme:always_on", MENTIONED) in cell for cell in protected.publication.counts)
        return ["A6 theme:always_on"] if told_ else []

    protected = gate(full_study(), audit=audit)
    assert {row.withheld_reason for row in protected.themes if row.theme_id == "always_on"} == {
        "the audit found a way in"
    }
    assert ("D13", "theme:always_on") in rules_withheld(protected)
    ledger = [to_entry(protected, SECRET)]
    assert gate(full_study(), ledger).is_unchanged


def test_an_audit_that_is_never_content_stops_the_publication() -> None:
    asked = []
    with pytest.raises(DisclosureError, match=f"^D13: study study: after {ROUNDS} rounds the audit still finds"):
        gate(full_study(), audit=lambda _: asked.append(1) or ["A1 finds somebody"])
    assert len(asked) == ROUNDS


def test_an_audit_that_breaks_stops_the_publication_and_shows_nothing() -> None:
    def audit(protected: Protected) -> list[str]:
        raise ValueError("Councillor Jane Canary of Northfield")

    with pytest.raises(DisclosureError) as caught:
        gate(full_study(), audit=audit)
    assert str(caught.value) == "D13: study study: the gate failed (ValueError): nothing is told"
    shown = "".join(traceback.format_exception(caught.value))
    assert "Canary" not in shown
    assert caught.value.__context__ is None


CANARY = "canary_7f3a"


@pytest.mark.parametrize(
    "population",
    [
        with_columns(full_study(), gender=CANARY),
        with_columns(full_study(), role_group=CANARY),
        with_columns(full_study(), theme_abuse=CANARY),
        with_columns(full_study(), **{CANARY: "x"}),
        with_columns(full_study(), gender=[None, *["female"] * 51]),
        with_columns(full_study(), gender=[3.5, *["female"] * 51]),
        dataclasses.replace(full_study(), records=full_study().records.drop(columns="role_group")),
        dataclasses.replace(full_study(), minutes=full_study().minutes.iloc[1:]),
        dataclasses.replace(
            full_study(), minutes=full_study().minutes.astype(object).where(lambda m: m < 0, CANARY)
        ),
        dataclasses.replace(full_study(), frame={"gender": {"female": CANARY}}),
    ],
)
def test_whatever_is_wrong_with_a_study_stops_it_without_showing_a_value(population: Population) -> None:
    with pytest.raises(DisclosureError, match=r"^D\d+: ") as caught:
        gate(population)
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_a_secret_that_could_be_tried_out_is_refused() -> None:
    with pytest.raises(DisclosureError, match="the secret has fewer than 16 bytes"):
        protect(full_study(), HIERARCHIES, RULES, b"secret")


def test_no_representation_shows_a_count_of_the_truth_or_the_secret() -> None:
    protected = gate(full_study())
    entry = to_entry(protected, SECRET)
    for shown in (repr(protected), repr(entry)):
        assert "id000" not in shown
        assert SECRET.hex() not in shown
        assert "truth" not in shown
        assert "records" not in shown.replace("records_digest", "records")


# --- every rule can be switched off, and then it is missed --------------------------------------------------


def test_without_d2_small_studies_and_three_way_tables_are_told() -> None:
    assert gate(study(1, 15, 0), rules=without("D2")).publication.counts
    assert (
        Table(("role_group", "authority_type", "gender"))
        in gate(full_study(), rules=without("D2")).publication.tables
    )


def test_without_d3_counts_are_exact() -> None:
    protected = gate(full_study(), rules=without("D3"))
    assert protected.publication.base == 1
    assert protected.publication.counts == count_cells(protected.population, protected.publication.tables)


def test_without_d4_nothing_merges_for_being_small() -> None:
    protected = gate(study(2, 52, 3, 0.5), rules=without("D4"))
    assert {row.role_group for row in protected.coverage} == {"all", "councillor", "officer"}
    assert protected.levels["party"] == 0


def test_without_d5_shares_are_exact_to_one_decimal() -> None:
    protected = gate(full_study(), rules=without("D5"))
    row = theme_row(protected, "always_on", "officer")
    true = protected.population.count(frozenset({("theme:always_on", MENTIONED), ("role_group", "officer")}))
    assert row.share_percent == round(100 * true / 12, 1)


def test_without_d6_single_interviews_have_medians() -> None:
    population = lengths(study(3, 40, 0), {0: 62.0}, None)
    protected = gate(population, rules=without("D6"))
    assert protected.medians[frozenset({("role_group", "councillor")})] == 62
    assert any(row.median_minutes for row in protected.coverage if row.attribute != "all")


def test_without_d8_mayors_are_told() -> None:
    seniority = ["mayor"] * 3 + ["backbench"] * 49
    protected = gate(with_columns(full_study(), seniority=seniority), rules=without("D8"))
    assert any(row.category == "mayor" for row in protected.coverage)
    assert not any(
        "mayor" in row.category for row in gate(with_columns(full_study(), seniority=seniority)).coverage
    )


def test_without_d9_officers_are_crossed_with_everything() -> None:
    protected = gate(full_study(), rules=without("D9"))
    assert {row.attribute for row in protected.coverage if row.role_group == "officer"} > {"all", "authority_type"}


def test_without_d10_every_change_tells_new_numbers() -> None:
    whole = study(5, 53, 12)
    first = gate(take(whole, range(52)), rules=without("D10"))
    second = gate(whole, [to_entry(first, SECRET)], without("D10"))
    assert second.publication.number == 2
    moved = [c for c, n in second.publication.counts.items() if first.publication.counts.get(c, n) != n]
    assert len(moved) >= 5, "numbers that would have stayed move"


def test_without_d13_the_audit_is_passed_over() -> None:
    assert gate(full_study(), rules=without("D13"), audit=lambda _: ["A1 finds somebody"]).publication.counts


def cells_of(rows: Sequence[CoverageRow]) -> set[Cell]:
    """The cells that rows of coverage are about."""
    return {frozenset({("role_group", row.role_group), (row.attribute, row.category)}) for row in rows}


def test_a_configuration_that_is_tighter_tells_less() -> None:
    loose, tight = (
        gate(full_study()),
        gate(full_study(), rules=Rules(minimum_denominator=18, officer_attributes=())),
    )
    assert cells_of(tight.coverage) < cells_of(loose.coverage)
    assert not gate(full_study(), rules=Rules(max_dimensions=1)).themes[0].interviews
    assert all(n % 10 == 0 for n in gate(full_study(), rules=Rules(rounding_base=10)).publication.counts.values())


@pytest.mark.parametrize(
    "name", ["D1", "D2", "D3", "D4", "D5", "D6", "D7", "D8", "D9", "D10", "D11", "D12", "D13"]
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_gate_without_one_rule_still_tells_something(name: str, seed: int) -> None:
    """Mutations are of use to the attacks only if the gate does not fail closed for another reason."""
    population = study(seed, 52, 11, 0.5)
    first = gate(population, rules=without(name))
    assert first.publication.counts
    assert gate(take(population, range(40)), [to_entry(first, SECRET)], without(name)).publication.counts
