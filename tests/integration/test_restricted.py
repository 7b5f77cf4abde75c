"""The restricted store: closed to others, erased for good, whole or not at all, and silent about what it holds."""

from __future__ import annotations

import copy
import os
import random
import re
import signal
import stat
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.contract import PUBLISHABLE, load_contracts, row_rule, to_ddl
from pipelines.interviews.folder import read_study, to_records
from pipelines.interviews.study import (
    Code,
    Description,
    Encounter,
    EncounterCode,
    FrameLine,
    Issue,
    Participant,
    Study,
    StudyFiles,
    ThemeMapping,
)
from pipelines.interviews.vocabulary import MODE, load_vocabulary
from pipelines.privacy.cells import MENTIONED, NOT_MENTIONED
from pipelines.restricted import CONTENT, FILE, SCRATCH, TABLES, RestrictedError, RestrictedStore, _opened
from pipelines.sample.interviews import CODE_NAMES, CODE_TREE, STUDY, TITLE, UNMAPPED, interview_files, truth
from pipelines.settings import project_folder

FOLDER = project_folder("data_contracts")
CONTRACTS = load_contracts(FOLDER)
VOCABULARY = load_vocabulary(FOLDER / "interviews.yml")
STORED = {name: CONTRACTS[f"restricted.{name}"] for name in TABLES}
PROTECTED = {c.name: c for c in CONTRACTS.values() if c.layer == "protected"}
CANARY = re.compile(rb"CANARY-[a-z]+-[0-9]+")
SIZE = 40
NAME = "a-study"


def person(number: int, **more: str) -> Participant:
    """A councillor of whom everything but a few attributes is not stated."""
    attributes = {name: "not_stated" for name in VOCABULARY.attributes if name != MODE}
    known = {"role_group": "councillor", "region": "Wales" if number % 3 else "London", "gender": "female"}
    return Participant(f"CANARY-label-{number}", {**attributes, **known, **more})


def study(name: str = NAME, size: int = SIZE, **more: Any) -> Study:
    """A study of some interviews in a telling order; its labels and the names of its codes are canaries.

    Two of three mention abuse, through a code under another; interview 0 is withdrawn.
    """
    numbers = range(size)
    parts: dict[str, Any] = {
        "description": Description(name, "A study", False, 2015, 2016, "purposive", "consent"),
        "encounters": tuple(
            Encounter(
                f"CANARY-label-{n}",
                "completed" if n else "withdrawn",
                2015 if n < size // 2 else 2016,
                "Interview.FaceToFace",
                5 * (n % 200) + 5,
            )
            for n in numbers
        ),
        "participants": tuple(person(n) for n in numbers),
        "codes": (Code("CANARY-code-1", 0), Code("CANARY-code-2", 1, parent=0)),
        "uses": tuple(EncounterCode(f"CANARY-label-{n}", 1, n + 1) for n in numbers if n % 3 != 2),
        "themes": (ThemeMapping(1, "abuse", "2016-05-01"), ThemeMapping(0, "always_on", "2016-05-01")),
        "frame": (FrameLine("region", "Wales", 1200), FrameLine("region", "London", 1800)),
        "issues": (),
    }
    return Study(**{**parts, **more})


def spoilt(change: Callable[[dict[str, Any]], None]) -> Study:
    """The study after its parts were changed."""
    whole = study()
    parts = {name: copy.deepcopy(getattr(whole, name)) for name in whole.__dataclass_fields__}
    change(parts)
    return Study(**parts)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "home" / "restricted"


@pytest.fixture
def store(folder: Path) -> Iterator[RestrictedStore]:
    with RestrictedStore(folder, CONTRACTS) as opened:
        yield opened


def table(folder: Path, name: str, columns: str = "*") -> list[tuple[Any, ...]]:
    """The rows of one table in the order in which they stand in the file, read by another connection."""
    con = duckdb.connect(str(folder / FILE), read_only=True)
    try:
        return con.execute(f"select {columns} from restricted.{name}").fetchall()
    finally:
        con.close()


def ids(folder: Path) -> set[str]:
    """Every random id in the file."""
    columns = {"encounter": "encounter_id", "participant": "participant_id", "code": "code_id"}
    return {row[0] for name, column in columns.items() for row in table(folder, name, column)}


def everything(folder: Path) -> str:
    """Every value of every table, as text."""
    return repr([table(folder, name) for name in TABLES])


def modes(folder: Path) -> dict[str, int]:
    paths = [folder, *folder.rglob("*")]
    return {str(path.relative_to(folder.parent)): stat.S_IMODE(path.stat().st_mode) for path in paths}


# --- contracts ----------------------------------------------------------------------------------------------


def test_every_table_has_a_contract_and_every_column_a_class() -> None:
    assert {c.name for c in CONTRACTS.values() if c.layer == "restricted"} == set(TABLES)
    for contract in STORED.values():
        for column in contract.columns:
            is_id = column.name.endswith("_id") and column.name not in ("study_id", "theme_id", "persistent_id")
            assert (column.classification == "direct") == is_id, f"{contract.name}.{column.name}"


def test_no_column_could_hold_a_label_or_a_name() -> None:
    closed = {"allowed", "pattern", "range"}
    free = {
        f"{contract.name}.{column.name}"
        for contract in STORED.values()
        for column in contract.columns
        if column.type == "string" and not closed & {rule.kind for rule in column.rules}
    }
    about_the_study = {"study.title", "study.persistent_id", "study.licence"}
    assert free == about_the_study | {"frame.category", "ledger.entry"}


def test_a_participant_has_one_column_for_each_attribute_with_all_its_categories() -> None:
    """The contract and the vocabulary say the same: neither can be changed alone."""
    columns = {c.name: c for c in STORED["participant"].columns if c.classification == "quasi"}
    assert set(columns) == set(VOCABULARY.attributes) - {MODE}
    columns[MODE] = STORED["encounter"].column(MODE)
    for name, attribute in VOCABULARY.attributes.items():
        (allowed,) = (rule.allowed for rule in columns[name].rules if rule.kind == "allowed")
        assert set(allowed) == set(attribute.levels[-1]), name


def test_the_contracts_know_the_themes_and_attributes_of_the_vocabulary() -> None:
    def allowed(column: Any) -> set[str]:
        return set(next(rule.allowed for rule in column.rules if rule.kind == "allowed"))

    assert allowed(STORED["theme_map"].column("theme_id")) == set(VOCABULARY.themes)
    assert allowed(PROTECTED["interview_theme"].column("theme_id")) == set(VOCABULARY.themes)
    assert allowed(STORED["frame"].column("attribute")) == set(VOCABULARY.attributes) - {MODE}
    counted = allowed(PROTECTED["interview_count"].column("attribute"))
    assert counted == {"all"} | set(VOCABULARY.attributes) - {"role_group"}
    roles = VOCABULARY.attribute("role_group")
    assert allowed(PROTECTED["interview_count"].column("role_group")) == {"all", *roles.levels[-1]}


def test_what_leaves_the_gate_is_publishable_and_nothing_of_it_may_be_quarantined() -> None:
    assert set(PROTECTED) == {"interview_theme", "interview_count", "interview_study"}
    for contract in PROTECTED.values():
        assert all(column.classification in PUBLISHABLE for column in contract.columns)
        assert contract.max_quarantine_percent == 0
        assert all(rule.severity == "critical" for rule in contract.all_rules())


THEME = {
    "study_id": NAME, "theme_id": "abuse", "theme": "Abuse", "is_sensitive": True, "role_group": "councillor",
    "interviews": 15, "base": 30, "share_percent": 50, "withheld_reason": None,
}  # fmt: skip
COUNT = {
    "study_id": NAME, "role_group": "councillor", "attribute": "region", "category": "England",
    "interviews": 25, "median_minutes": 50,
}  # fmt: skip
PUBLISHED = {
    "study_id": NAME, "title": "A study", "is_synthetic": False, "year_from": 2015, "year_to": 2016,
    "sampling": "purposive", "lawful_basis": "consent", "persistent_id": None, "licence": None,
    "publication_number": 1, "interviews": 50, "state": "published", "withheld_reason": None,
}  # fmt: skip
WITHHELD = {"interviews": None, "base": None, "share_percent": None, "withheld_reason": "too few"}
NOTHING = {"publication_number": None, "interviews": None}


def broken_rules(name: str, row: dict[str, Any]) -> set[str]:
    """The names of the rules about rows that a row of a protected table breaks."""
    contract = PROTECTED[name]
    con = duckdb.connect()
    con.execute(to_ddl(contract, "protected_rows"))
    marks = ", ".join("?" * len(contract.columns))
    con.execute(f"insert into protected_rows values ({marks})", [row[c.name] for c in contract.columns])
    return {
        rule.name
        for rule in contract.all_rules()
        if rule.per_row
        and con.execute(f"select 1 from protected_rows where {row_rule(rule, contract)}").fetchone()
    }


@pytest.mark.parametrize(
    ("name", "good", "more"),
    [
        ("interview_theme", THEME, {}),
        ("interview_theme", THEME, {"share_percent": None}),
        ("interview_theme", THEME, {"interviews": 25, "base": 40, "share_percent": 62}),  # 62.5
        ("interview_theme", THEME, {"interviews": 25, "base": 40, "share_percent": 63}),
        ("interview_theme", THEME, WITHHELD),
        ("interview_count", COUNT, {}),
        ("interview_count", COUNT, {"attribute": "all", "category": "all"}),
        ("interview_count", COUNT, {"role_group": "officer", "attribute": "authority_type"}),
        ("interview_study", PUBLISHED, {}),
        ("interview_study", PUBLISHED, {**NOTHING, "state": "withheld", "withheld_reason": "too few"}),
        ("interview_study", PUBLISHED, {**NOTHING, "state": "withdrawn"}),
    ],
)
def test_what_the_rules_allow_breaks_no_contract(name: str, good: dict[str, Any], more: dict[str, Any]) -> None:
    assert broken_rules(name, {**good, **more}) == set()


@pytest.mark.parametrize(
    ("name", "good", "more", "rule"),
    [
        ("interview_theme", THEME, {"interviews": 16, "share_percent": None}, "interviews_rounded"),
        ("interview_theme", THEME, {"base": 31, "share_percent": None}, "base_rounded"),
        ("interview_theme", THEME, {"base": 5, "interviews": 5, "share_percent": None}, "base_range"),
        ("interview_theme", THEME, {"interviews": 35, "share_percent": None}, "interviews_within_base"),
        ("interview_theme", THEME, {"interviews": None, "share_percent": None}, "withheld_or_given"),
        ("interview_theme", THEME, {"withheld_reason": "too few"}, "withheld_or_given"),
        ("interview_theme", THEME, {**WITHHELD, "base": 30}, "counted_of_something"),
        ("interview_theme", THEME, {**WITHHELD, "share_percent": 50}, "share_with_base"),
        ("interview_theme", THEME, {"share_percent": 51}, "share_of_rounded"),
        ("interview_theme", THEME, {"theme": "=1+1"}, "theme_text"),
        ("interview_theme", THEME, {"theme_id": "a_code"}, "theme_id_allowed"),
        ("interview_theme", THEME, {"role_group": "mayor"}, "role_group_allowed"),
        ("interview_count", COUNT, {"interviews": 24}, "interviews_rounded"),
        ("interview_count", COUNT, {"interviews": 5}, "median_of_enough"),
        ("interview_count", COUNT, {"attribute": "council"}, "attribute_allowed"),
        ("interview_count", COUNT, {"attribute": "all"}, "all_of_all"),
        ("interview_count", COUNT, {"role_group": "officer"}, "officers_by_type_only"),
        ("interview_study", PUBLISHED, {"interviews": 52}, "interviews_rounded"),
        ("interview_study", PUBLISHED, {"state": "withheld"}, "counted_if_published"),
        ("interview_study", PUBLISHED, {"publication_number": None}, "numbered_if_published"),
        ("interview_study", PUBLISHED, {**NOTHING, "state": "withheld"}, "reason_if_withheld"),
        ("interview_study", PUBLISHED, {"year_to": 2014}, "years_in_order"),
    ],
)
def test_what_breaks_a_rule_of_the_gate_breaks_the_contract(
    name: str, good: dict[str, Any], more: dict[str, Any], rule: str
) -> None:
    assert rule in broken_rules(name, {**good, **more})


# --- who may look -------------------------------------------------------------------------------------------


class Watched:
    """A connection after each of whose statements something is looked at."""

    def __init__(self, con: Any, look: Callable[[], None]) -> None:
        self._con, self._look = con, look

    def __getattr__(self, name: str) -> Any:
        return getattr(self._con, name)

    def execute(self, *statement: Any) -> Any:
        result = self._con.execute(*statement)
        self._look()
        return result


def test_nobody_else_can_read_the_store_whatever_the_umask(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while it is written: modes are noted after every statement."""
    seen: set[tuple[str, int]] = set()
    connect = duckdb.connect

    def look() -> None:
        seen.update((Path(name).name, mode) for name, mode in modes(folder).items())

    def watched(*place: Any, **settings: Any) -> Any:
        con = connect(*place, **settings)
        return Watched(con, look) if "config" in settings else con

    monkeypatch.setattr("pipelines.restricted.duckdb.connect", watched)
    before = os.umask(0)
    try:
        with RestrictedStore(folder, CONTRACTS) as store:
            store.put(study())
            store.append(NAME, "{}")
            store.withdraw(NAME)
    finally:
        os.umask(before)
    assert modes(folder) == {"restricted": 0o700, "restricted/lock": 0o600, f"restricted/{FILE}": 0o600}
    scratch = {(name, mode) for name, mode in seen if name.startswith(SCRATCH)}
    assert {mode for _, mode in scratch} == {0o700}
    # Only the database itself is ever written: no log of changes, no spilled rows.
    assert seen - scratch == {("restricted", 0o700), ("lock", 0o600), (FILE, 0o600)}


def test_a_store_that_stood_open_is_closed_when_it_is_opened(folder: Path) -> None:
    with RestrictedStore(folder, CONTRACTS):
        pass
    folder.chmod(0o755)
    (folder / FILE).chmod(0o644)
    with RestrictedStore(folder, CONTRACTS):
        assert modes(folder) == {"restricted": 0o700, "restricted/lock": 0o600, f"restricted/{FILE}": 0o600}


def test_only_one_run_at_a_time_has_the_store(folder: Path, store: RestrictedStore) -> None:
    with pytest.raises(RestrictedError, match="another run"), RestrictedStore(folder, CONTRACTS):
        pass
    store.put(study())  # and the one that has it goes on


def test_another_process_with_the_store_is_named_as_the_reason(folder: Path) -> None:
    holder = textwrap.dedent("""
        import sys, pathlib
        from pipelines.contract import load_contracts
        from pipelines.restricted import RestrictedStore
        from pipelines.settings import project_folder
        with RestrictedStore(pathlib.Path(sys.argv[1]), load_contracts(project_folder("data_contracts"))):
            print("held", flush=True)
            sys.stdin.read()
    """)
    command = [sys.executable, "-c", holder, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stdout.readline() == "held\n"
        with pytest.raises(RestrictedError, match="another run holds"), RestrictedStore(folder, CONTRACTS):
            pass
        child.communicate()
    with RestrictedStore(folder, CONTRACTS) as store:
        assert store.studies() == ()


def test_a_program_that_writes_the_file_is_named_as_the_reason(folder: Path, store: RestrictedStore) -> None:
    program = f"import duckdb, sys; con = duckdb.connect({str(folder / FILE)!r}); print('on', flush=True); input()"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stdout.readline() == "on\n"
        with pytest.raises(RestrictedError, match="another program has it open"):
            store.studies()
        child.communicate("\n")
    assert store.studies() == ()


def test_a_damaged_file_is_said_to_be_damaged(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / FILE).write_bytes(b"CANARY-bytes-1" * 1000)
    with RestrictedStore(folder, CONTRACTS) as store, pytest.raises(RestrictedError, match="damaged") as refusal:
        store.studies()
    assert not CANARY.search(str(refusal.value).encode())


def test_a_file_damaged_in_the_middle_is_refused_without_a_value(folder: Path) -> None:
    with RestrictedStore(folder, CONTRACTS) as store:
        store.put(study())
        content = bytearray((folder / FILE).read_bytes())
        content[12_288:] = bytes(byte ^ 0x55 for byte in content[12_288:])  # all but the headers
        (folder / FILE).write_bytes(content)
        with pytest.raises(RestrictedError, match="put it back from a copy") as refusal:
            store.population(NAME, ())
    assert not re.search("[0-9a-f]{32}", str(refusal.value))


@pytest.mark.parametrize(
    "statement",
    [
        "copy restricted.study to '{place}/study.csv'",
        "attach '{place}/other.duckdb' as other",
        "create table copied as from read_csv('/etc/hostname')",
        "install httpfs",
        "set enable_external_access = true",
        "set temp_directory = '{place}'",
    ],
)
def test_what_reads_the_store_reaches_no_other_file(
    folder: Path, store: RestrictedStore, tmp_path: Path, statement: str
) -> None:
    before = set(tmp_path.rglob("*"))
    with pytest.raises(RestrictedError, match="cannot be used"), _opened(folder / FILE, read_only=False) as con:
        con.execute(statement.format(place=tmp_path))
    assert set(tmp_path.rglob("*")) == before


def test_a_store_that_was_left_is_closed(folder: Path) -> None:
    with RestrictedStore(folder, CONTRACTS) as store:
        store.put(study())
    with pytest.raises(RestrictedError, match="closed"):
        store.studies()


# --- what is kept -------------------------------------------------------------------------------------------


def test_a_study_comes_back_as_the_gate_needs_it(store: RestrictedStore) -> None:
    store.put(study())
    population = store.population(NAME, {"abuse", "does_not_use_it"})
    completed = range(1, SIZE)
    records = population.records
    assert len(records) == len(completed)
    assert population.withdrawn == 1
    assert set(records.columns) == {*VOCABULARY.attributes, "theme:abuse", "theme:always_on"}
    assert not records.isna().any().any()
    assert population.sensitive == {"theme:abuse"}
    assert population.frame == {"region": {"Wales": 1200, "London": 1800}}
    # Each record keeps together what belongs to one person: the length of an interview tells which it was.
    found = Counter(
        (minutes, row["region"], row["theme:abuse"], row["theme:always_on"], row[MODE])
        for (_, row), minutes in zip(records.iterrows(), population.minutes, strict=True)
    )
    assert found == Counter(
        (
            5.0 * n + 5,
            "Wales" if n % 3 else "London",
            MENTIONED if n % 3 != 2 else NOT_MENTIONED,
            NOT_MENTIONED,
            "Interview.FaceToFace",
        )
        for n in completed
    )
    assert population.count(frozenset({("region", "London")})) == sum(n % 3 == 0 for n in completed)


def test_the_people_of_a_group_share_its_themes_and_length(store: RestrictedStore) -> None:
    group = (person(1), person(2), replace(person(3), label="CANARY-label-1"))
    store.put(study(size=3, participants=group))
    population = store.population(NAME, ())
    mentions = zip(population.minutes, population.records["theme:abuse"], strict=True)
    assert Counter(mentions) == {(10.0, MENTIONED): 2, (15.0, NOT_MENTIONED): 1}


def test_a_length_that_is_not_stated_is_no_number(store: RestrictedStore) -> None:
    store.put(study(encounters=tuple(replace(e, minutes=None) for e in study().encounters)))
    assert store.population(NAME, ()).minutes.isna().all()


def test_of_a_withdrawn_interview_only_that_there_was_one_is_kept(folder: Path, store: RestrictedStore) -> None:
    store.put(study(encounters=tuple(replace(e, status="withdrawn") for e in study().encounters)))
    assert set(table(folder, "encounter", "* exclude (encounter_id)")) == {
        (NAME, "withdrawn", None, "not_stated", None)
    }
    assert table(folder, "participant") == table(folder, "encounter_code") == []
    population = store.population(NAME, ())
    assert len(population.records) == 0
    assert population.withdrawn == SIZE


def test_no_label_and_no_name_is_in_the_file_an_error_or_a_repr(folder: Path, store: RestrictedStore) -> None:
    for _ in range(5):  # memory that is used again could carry a text into a block of the file
        store.put(study())
    for path in folder.rglob("*"):
        assert not CANARY.search(path.read_bytes())
    assert "CANARY" not in everything(folder)
    assert "CANARY" not in repr(store) + repr(store.studies()) + repr(store.population(NAME, ()))


def test_the_description_of_a_study_is_kept(store: RestrictedStore) -> None:
    described = replace(
        study().description, persistent_id="10.9999/x", licence="CC-BY-4.0", mode_of_collection="FocusGroup"
    )
    store.put(study(description=described))
    (stored,) = store.studies()
    assert (stored.description, stored.state) == (described, "held")


def test_ids_are_drawn_anew_and_follow_from_nothing(folder: Path, store: RestrictedStore) -> None:
    drawn: list[set[str]] = []
    for _ in range(2):
        random.seed(4)  # a generator that can be seeded would draw the same again
        store.put(study())
        drawn.append(ids(folder))
    assert all(re.fullmatch("[0-9a-f]{32}", token) for token in drawn[0] | drawn[1])
    assert len(drawn[0]) == len(drawn[1]) == SIZE + (SIZE - 1) + 2
    assert not drawn[0] & drawn[1]


def test_the_order_of_rows_is_not_that_of_the_interviews(folder: Path, store: RestrictedStore) -> None:
    lengths = []
    for _ in range(3):
        store.put(study())
        rows = table(folder, "encounter", "minutes")
        lengths.append([row[0] for row in rows if row[0] is not None])
        # Nor do participants stand in the order of their interviews.
        encounters = [row[0] for row in table(folder, "encounter", "encounter_id")]
        assert [row[0] for row in table(folder, "participant", "encounter_id")] != encounters
        assert list(store.population(NAME, ()).minutes) != sorted(lengths[-1])
    in_order = sorted(lengths[0])
    assert all(sorted(found) == in_order for found in lengths)
    assert len({tuple(found) for found in [*lengths, in_order, in_order[::-1]]}) == 5


def test_the_synthetic_study_passes_through_as_its_facts_say(folder: Path, store: RestrictedStore) -> None:
    whole = read_study(StudyFiles(interview_files("xlsx")), VOCABULARY)
    store.put(whole)
    population = store.population(STUDY, VOCABULARY.sensitive)
    records, facts = population.records, truth()
    assert (len(records), population.withdrawn) == (facts.interviews, facts.withdrawn)
    for (role, attribute, category), count in facts.categories.items():
        assert population.count(frozenset({("role_group", role), (attribute, category)})) == count
    for (role, theme), count in facts.mentions.items():
        assert population.count(frozenset({("role_group", role), (f"theme:{theme}", MENTIONED)})) == count
    # The same as without the store, but for ids and order.
    straight, lengths = to_records(whole)
    names = sorted(records.columns)
    assert names == sorted(straight.columns)
    assert Counter(zip(*(records[n] for n in names), population.minutes.fillna(-1), strict=True)) == Counter(
        zip(*(straight[n] for n in names), lengths.fillna(-1), strict=True)
    )
    held = (folder / FILE).read_bytes() + everything(folder).encode()
    assert TITLE.encode() in held  # the study's own title is public, and shows that the search finds something
    words = ["INT-", "FICTIONAL", "interviews.example", *CODE_NAMES.values(), *CODE_TREE, UNMAPPED]
    assert not [word for word in words if word.encode() in held]


# --- replaced, withdrawn ------------------------------------------------------------------------------------


def test_a_study_is_replaced_as_a_whole_and_others_stay(folder: Path, store: RestrictedStore) -> None:
    store.put(study("another-study", size=10))
    store.put(study())
    others = {name: {row for row in table(folder, name) if "another-study" in row} for name in TABLES}
    store.put(study(size=20))
    assert len(store.population(NAME, ()).records) == 19
    assert {name: {row for row in table(folder, name) if "another-study" in row} for name in TABLES} == others
    assert Counter(row[0] for row in table(folder, "encounter", "study_id")) == {NAME: 20, "another-study": 10}


@pytest.mark.parametrize("change", ["replaced", "withdrawn"])
def test_what_was_replaced_or_withdrawn_is_not_in_the_file(
    folder: Path, store: RestrictedStore, change: str
) -> None:
    store.put(study("another-study", size=10))
    kept = ids(folder)
    store.put(study())
    gone = ids(folder) - kept
    before = (folder / FILE).read_bytes()
    assert gone
    assert all(token.encode() in before for token in gone)  # so that the search below could find something
    if change == "replaced":
        store.put(study())
    else:
        store.withdraw(NAME)
    after, values = (folder / FILE).read_bytes(), everything(folder)
    assert all(token in values for token in kept)
    assert not [token for token in gone if token.encode() in after or token in values]
    assert {path.name for path in folder.iterdir()} == {FILE, "lock"}


def test_nothing_is_compressed_so_that_a_search_of_bytes_finds_it(folder: Path, store: RestrictedStore) -> None:
    store.put(study(size=1000))
    con = duckdb.connect(str(folder / FILE), read_only=True)
    try:
        found = {
            compression
            for name in TABLES
            for (compression,) in con.execute(f"select compression from pragma_storage_info('{name}')").fetchall()
        }
    finally:
        con.close()
    assert "Uncompressed" in found
    assert found <= {"Uncompressed", "Constant", "Empty Validity"}


def test_a_withdrawn_study_leaves_its_row_and_its_ledger(folder: Path, store: RestrictedStore) -> None:
    store.put(study())
    store.append(NAME, '{"first": 1}')
    store.withdraw(NAME)
    (stored,) = store.studies()
    assert (stored.description.study_id, stored.state) == (NAME, "withdrawn")
    assert store.ledger(NAME) == ('{"first": 1}',)
    assert all(table(folder, name) == [] for name in CONTENT)
    with pytest.raises(RestrictedError, match=f"{NAME} was withdrawn"):
        store.population(NAME, ())
    assert store.append(NAME, "{}") == 2  # the release without it is a publication, too


def test_a_withdrawn_study_comes_back_only_on_purpose(store: RestrictedStore) -> None:
    store.put(study())
    store.append(NAME, "{}")
    store.withdraw(NAME)
    with pytest.raises(RestrictedError, match="was withdrawn"):
        store.put(study())
    store.put(study(), is_reinstated=True)
    assert store.studies()[0].state == "held"
    assert store.ledger(NAME) == ("{}",)


def test_an_unknown_study_is_said_to_be_unknown(store: RestrictedStore) -> None:
    for ask in (
        lambda: store.withdraw("no-study"),
        lambda: store.population("no-study", ()),
        lambda: store.append("no-study", "{}"),
        lambda: store.secret("no-study"),
    ):
        with pytest.raises(RestrictedError, match="knows no study no-study"):
            ask()
    assert store.ledger("no-study") == ()


# --- refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda p: p.update(participants=(person(1, gender="CANARY-value-1"),)), "participant.*gender_allowed"),
        (lambda p: p.update(participants=(person(1, role_group="officer"),)), "participant.*of_councillors_only"),
        (
            lambda p: p.update(participants=(Participant("CANARY-label-1", {"role_group": "councillor"}),)),
            "participant.*required",
        ),
        (lambda p: p.update(encounters=(replace(p["encounters"][1], minutes=7),)), "participant.*does not have"),
        (
            lambda p: p.update(encounters=tuple(replace(e, minutes=7) for e in p["encounters"])),
            "encounter.*minutes_in_fives",
        ),
        (lambda p: p.update(encounters=p["encounters"] * 2), "encounter.*one name"),
        (lambda p: p.update(codes=p["codes"] * 2), "code.*one name"),
        (lambda p: p.update(codes=p["codes"][1:]), "code.*does not have"),
        (lambda p: p.update(uses=p["uses"] * 2), "encounter_code.*key_unique"),
        (lambda p: p.update(uses=(EncounterCode("CANARY-label-77", 1, 1),)), "encounter_code.*does not have"),
        (lambda p: p.update(uses=(EncounterCode("CANARY-label-1", 1, 0),)), "encounter_code.*count_range"),
        (lambda p: p.update(themes=(ThemeMapping(1, "CANARY-theme-1", "2016-05-01"),)), "theme_map.*allowed"),
        (lambda p: p.update(themes=(ThemeMapping(1, "abuse", "CANARY-day-1"),)), "theme_map.*type"),
        (lambda p: p.update(frame=(FrameLine("CANARY-attribute-1", "x", 1),)), "frame.*attribute_allowed"),
        (lambda p: p.update(frame=(FrameLine("region", "Wales", -1),)), "frame.*holders_range"),
        (lambda p: p.update(description=replace(p["description"], title="")), "study.*title_length"),
        (lambda p: p.update(description=replace(p["description"], year_to="CANARY-year-1")), "study.*type"),
        (lambda p: p.update(description=replace(p["description"], year_to=2**70)), "study.*type"),
        (lambda p: p.update(issues=(Issue("codes", "", "is broken", "refused", "CANARY-shown-1"),)), "refused"),
    ],
)
def test_what_breaks_a_contract_is_refused_without_a_value_and_changes_nothing(
    folder: Path, store: RestrictedStore, change: Callable[[dict[str, Any]], None], place: str
) -> None:
    store.put(study(size=10))
    before = (folder / FILE).read_bytes()
    with pytest.raises(RestrictedError, match=f"(?s){place}") as refusal:
        store.put(spoilt(change))
    assert "CANARY" not in str(refusal.value)
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None
    assert (folder / FILE).read_bytes() == before
    assert {path.name for path in folder.iterdir()} == {FILE, "lock"}


def test_a_study_does_not_turn_from_synthetic_to_real(store: RestrictedStore) -> None:
    """Its earlier roundings could be undone with the public secret."""
    synthetic = replace(study().description, is_synthetic=True)
    store.put(study(description=synthetic))
    with pytest.raises(RestrictedError, match="does not turn"):
        store.put(study())
    store.put(study(description=synthetic))


# --- ledger and secret --------------------------------------------------------------------------------------


def test_the_ledger_only_grows_and_has_no_gap(store: RestrictedStore) -> None:
    store.put(study())
    store.put(study("another-study"))
    assert [store.append(NAME, f'{{"n": {n}}}') for n in range(3)] == [1, 2, 3]
    assert store.append("another-study", "{}", number=1) == 1
    for number in (0, 1, 3, 5):
        with pytest.raises(RestrictedError, match="has number 4"):
            store.append(NAME, '{"n": 9}', number=number)
    store.put(study())
    assert store.ledger(NAME) == ('{"n": 0}', '{"n": 1}', '{"n": 2}')


def test_an_entry_that_is_not_json_is_refused_without_being_quoted(store: RestrictedStore) -> None:
    store.put(study())
    with pytest.raises(RestrictedError, match="not JSON") as refusal:
        store.append(NAME, "{CANARY-entry-1")
    assert "CANARY" not in str(refusal.value)
    assert store.ledger(NAME) == ()


def test_a_long_entry_comes_back_as_it_was(store: RestrictedStore) -> None:
    entry = '{"text": "' + "é" * 300_000 + '"}'
    store.put(study())
    store.append(NAME, entry)
    store.put(study())
    assert store.ledger(NAME) == (entry,)


def test_the_secret_is_drawn_once_and_differs_between_stores(folder: Path, tmp_path: Path) -> None:
    with RestrictedStore(folder, CONTRACTS) as store:
        store.put(study())
        store.put(study("another-study"))
        secret = store.secret(NAME)
        store.put(study())
        store.withdraw("another-study")
    with RestrictedStore(folder, CONTRACTS) as store:
        assert store.secret(NAME) == store.secret("another-study") == secret
    with RestrictedStore(tmp_path / "other", CONTRACTS) as store:
        store.put(study())
        assert store.secret(NAME) != secret
    assert len(secret) == 32


def test_only_a_synthetic_study_is_rounded_with_a_public_secret(folder: Path, store: RestrictedStore) -> None:
    store.put(study("made-up", description=Description("made-up", "t", True, 2015, 2015, "census", "consent")))
    store.put(study())
    assert store.secret("made-up", b"everybody knows") == b"everybody knows"
    assert table(folder, "secret") == []
    with pytest.raises(RestrictedError, match="not synthetic"):
        store.secret(NAME, b"everybody knows")


# --- killed -------------------------------------------------------------------------------------------------

PUTTING = textwrap.dedent("""
    import os, signal, sys
    from pathlib import Path
    from pipelines.restricted import RestrictedStore
    from tests.integration.test_restricted import CONTRACTS, study

    if sys.argv[2] == "before the rename":
        Path.replace = lambda path, target: os.kill(os.getpid(), signal.SIGKILL)
    with RestrictedStore(Path(sys.argv[1]), CONTRACTS) as store:
        print("go", flush=True)
        while True:
            for size in (20, 30):
                store.put(study(size=size))
""")


def killed_while_putting(folder: Path, when: str, seconds: float = 0) -> None:
    command = [sys.executable, "-c", PUTTING, str(folder), when]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stdout.readline() == "go\n"
        if when == "at some time":
            time.sleep(seconds)
            child.kill()
        assert child.wait(60) == -signal.SIGKILL


def test_a_run_killed_before_the_rename_leaves_the_old_study_and_its_rest_is_cleared_away(folder: Path) -> None:
    with RestrictedStore(folder, CONTRACTS) as store:
        store.put(study(size=10))
    before = (folder / FILE).read_bytes()
    killed_while_putting(folder, "before the rename")
    assert (folder / FILE).read_bytes() == before
    left = {path.name for path in folder.iterdir()} - {FILE, "lock"}
    assert len(left) == 1  # the study as it would have become
    assert all(mode in (0o700, 0o600) for mode in modes(folder).values())
    with RestrictedStore(folder, CONTRACTS) as store:
        assert {path.name for path in folder.iterdir()} == {FILE, "lock"}
        assert len(store.population(NAME, ()).records) == 9


@pytest.mark.parametrize("seconds", [0.003, 0.05, 0.11])
def test_a_run_killed_at_any_time_leaves_a_whole_study(folder: Path, seconds: float) -> None:
    with RestrictedStore(folder, CONTRACTS) as store:
        store.put(study(size=10))
    killed_while_putting(folder, "at some time", seconds)
    with RestrictedStore(folder, CONTRACTS) as store:
        size = len(table(folder, "encounter"))
        assert size in (10, 20, 30)
        assert len(store.population(NAME, ()).records) == len(table(folder, "participant")) == size - 1
        assert len(table(folder, "encounter_code")) == sum(n % 3 != 2 for n in range(1, size))
        assert {path.name for path in folder.iterdir()} == {FILE, "lock"}
