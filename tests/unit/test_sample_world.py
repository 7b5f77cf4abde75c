"""The fictional world: the same each time, laid out as its upstreams, with its awkward cases, nobody real."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.sample import cases
from pipelines.sample.candidate_files import (
    BUILDER_FAULTS,
    BUILDER_PERSONAL,
    COLUMNS,
    JSON_COLUMNS,
    LEGACY_FAULTS,
    LEGACY_PERSONAL,
    PARTY_PAGE,
)
from pipelines.sample.candidates import candidacies
from pipelines.sample.cases import CASES, Case
from pipelines.sample.facts import AUTHORITIES, COUNCILS, OFFICIAL_ACCOUNTS
from pipelines.sample.people import councillors, personal_accounts, wards
from pipelines.sample.world import world_files, write_world

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "real"

# The sample's file, the real file in whose layout it is written.
LAYOUTS = (
    (cases.REGISTER, "authorities/mysociety/uk_local_authorities.csv"),
    (cases.GSS_LOOKUP, "authorities/mysociety/lookup_gss_to_registry.csv"),
    (cases.NAME_LOOKUP, "authorities/mysociety/lookup_name_to_registry.csv"),
    (cases.COUNCIL_DATA_IDS, "authorities/mysociety/open_council_data_id.csv"),
    (cases.NEW_ORGANISATIONS, "authorities/digital_land/local-authority.csv"),
    (cases.WEB_PAGES, "authorities/lgsf/councils_cms.csv"),
    (cases.CONTROL, "councillors/open_council_data/council_control_history.csv"),
    (cases.ROSTER_2024, "councillors/open_council_data/councillors_2024.csv"),
    (cases.ROSTER_2025, "councillors/open_council_data/councillors_2025.csv"),
    (cases.BUILDER, "accounts/democracy_club/2026_mayor.csv"),
)


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return world_files()


@pytest.fixture
def real() -> Path:
    if not REAL.is_dir():
        pytest.skip(f"the real input files are not beside the checkout ({REAL.name})")
    return REAL


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def real_rows(real: Path, path: str) -> Iterator[dict[str, str]]:
    return iter(rows((real / path).read_bytes().decode("utf-8-sig")))


def everyone() -> set[tuple[str, int]]:
    """Every name in the world, with the number of the person who bears it."""
    stood = {(c.name, c.person) for year in (2022, 2026) for c in candidacies(year)}
    written = {(name, c.person) for c in councillors() for _, name in c.written}
    return {(c.name, c.person) for c in councillors()} | stood | written


def found_in_both() -> dict[tuple[str, str], int]:
    """Count sitting councillors whose account on a platform both candidates' files list, by council."""
    seats = {c.person: c.authority_code for c in councillors() if 2025 in c.rosters}
    listed: dict[tuple[str, str], list[set[int]]] = defaultdict(lambda: [set(), set()])
    for which, year in enumerate((2022, 2026)):
        for candidacy in candidacies(year):
            if candidacy.election == "local" and candidacy.person in seats:
                for account in candidacy.accounts:
                    listed[seats[candidacy.person], account.platform][which].add(candidacy.person)
    return {key: len(first & second) for key, (first, second) in listed.items()}


def test_writes_every_file_as_the_same_bytes_again(tmp_path: Path, files: dict[str, str]) -> None:
    write_world(tmp_path)
    written = {p.relative_to(tmp_path).as_posix(): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert written == {path: text.encode() for path, text in files.items()}


def test_is_the_same_in_another_process_with_another_hash_seed(files: dict[str, str]) -> None:
    program = (
        "import hashlib; from pipelines.sample.world import world_files; "
        "print(hashlib.sha256(repr(world_files()).encode()).hexdigest())"
    )
    answers = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for seed in ("1", "2")
    ]
    assert answers == [hashlib.sha256(repr(files).encode()).hexdigest()] * 2


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_holds_the_awkward_case(case: Case, files: dict[str, str]) -> None:
    times = files[case.file].count(case.text)
    assert times == case.times if case.times is not None else times > 0


def test_case_names_are_unique() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("path", [*dict.fromkeys(case.file for case in CASES)])
def test_every_row_has_a_cell_for_every_column(path: str, files: dict[str, str]) -> None:
    header, *lines = csv.reader(io.StringIO(files[path], newline=""))
    assert len(set(header)) == len(header)
    assert {len(line) for line in lines} == {len(header)}


def test_country_is_of_the_promised_size() -> None:
    assert 24 <= len(AUTHORITIES) <= 30
    assert len({a.nation for a in AUTHORITIES}) == 4
    assert len({a.region for a in AUTHORITIES if a.nation == "England"} - {""}) == 9
    assert 1000 <= len({c.person for c in councillors()}) <= 1200
    assert {a.tier for a in COUNCILS} == {"silent", "middling", "heavy"}
    assert {a.platform for a in OFFICIAL_ACCOUNTS} == set(COLUMNS)


def test_codes_cannot_be_mistaken_for_real_ones() -> None:
    assert all(re.fullmatch(r"ZZ[A-Z]{1,2}", a.code) for a in AUTHORITIES)
    codes = [gss for a in AUTHORITIES for gss in (a.gss_code, *a.former_gss) if gss]
    assert all(re.fullmatch(r"Z[0-9]{8}", gss) for gss in codes)
    assert len(set(codes)) == len(codes)


def test_hosts_are_platforms_or_reserved_names(files: dict[str, str]) -> None:
    platforms = re.compile(
        r"(^|\.)(facebook|fb|instagram|twitter|x|bsky|linkedin|tiktok|ticktok|wwwfacebook|threads|youtube)"
        r"\.(com|net|app)$|\.bsky\.social$"
    )
    hosts = {host for text in files.values() for host in re.findall(r"https?://([a-z0-9.-]+)", text)}
    hosts.discard("http")  # half of the broken scheme `http://http;//…`
    assert {h for h in hosts if not platforms.search(h) and not h.endswith((".example", ".invalid"))} == set()


def test_every_handle_is_marked_as_invented() -> None:
    for accounts in personal_accounts().values():
        assert all("zz" in account.handle for account in accounts)
    for official in OFFICIAL_ACCOUNTS:
        marked = "zz" in official.account.lower() or ".example" in official.account
        assert marked or "profile.php?id=9000000000000" in official.account


def test_accounts_of_people_are_theirs_alone() -> None:
    handles = [(a.platform, a.handle) for accounts in personal_accounts().values() for a in accounts]
    assert len(set(handles)) == len(handles)


def test_names_repeat_only_where_they_are_meant_to() -> None:
    people: dict[str, set[int]] = defaultdict(set)
    for name, number in everyone():
        people[name].add(number)
    assert {name for name, numbers in people.items() if len(numbers) > 1} == {
        "John Muggleworthy",
        "Pat Crumpetsonne",
    }


def test_every_name_on_a_roster_is_in_the_name_lookup(files: dict[str, str]) -> None:
    known = {row["la-name"] for row in rows(files[cases.NAME_LOOKUP])}
    assert {row["Council"] for row in rows(files[cases.ROSTER_2025])} <= known


def test_nothing_tells_the_namesakes_of_one_ward_apart() -> None:
    namesakes = [(c.authority_code, c.ward, c.party) for c in councillors() if c.name == "John Muggleworthy"]
    assert len(namesakes) == 2
    assert len(set(namesakes)) == 1


def test_who_sits_on_county_and_district_is_one_person_of_one_party() -> None:
    seats: dict[int, set[tuple[str, str]]] = defaultdict(set)
    for councillor in councillors():
        seats[councillor.person].add((councillor.authority_code, councillor.party.code))
    double = [held for held in seats.values() if len(held) > 1]
    assert len(double) == 3
    assert all({code for code, _ in held} == {"ZZJ", "ZZK"} for held in double)
    assert all(len({party for _, party in held}) == 1 for held in double)


def test_no_council_has_two_wards_of_one_name() -> None:
    for council in COUNCILS:
        assert len(set(wards(council))) == len(wards(council))


def test_every_successor_exists_and_begins_in_the_year_its_predecessor_ends() -> None:
    by_code = {a.code: a for a in AUTHORITIES}
    for authority in AUTHORITIES:
        for code in authority.replaced_by:
            assert by_code[code].start_date[:4] == authority.end_date[:4]


def test_recall_can_be_estimated_for_several_councils_and_not_for_others() -> None:
    both = found_in_both()
    for platform in ("x", "facebook", "instagram", "bluesky"):
        assert sum(both.get((a.code, platform), 0) > 10 for a in COUNCILS) >= 4
        assert any(0 < both.get((a.code, platform), 0) < 10 for a in COUNCILS if len(a.candidate_years) == 2)
    assert [a.code for a in COUNCILS if not a.candidate_years] == ["ZZU", "ZZZ"]


@pytest.mark.parametrize(
    ("path", "personal", "last_column"),
    [(cases.LEGACY, LEGACY_PERSONAL, "other_url"), (cases.BUILDER, BUILDER_PERSONAL, "image")],
)
def test_every_personal_cell_is_a_canary(
    path: str, personal: tuple[str, ...], last_column: str, files: dict[str, str]
) -> None:
    for number, row in enumerate(rows(files[path])):
        assert row["email"].strip('"') == f"canary.email.{number}@example.invalid"
        for column in personal:
            assert row[column].strip('"').startswith(f"CANARY-{column}-{number}")
        assert last_column in row


def test_builder_writes_identifiers_as_json_and_booleans_as_letters(files: dict[str, str]) -> None:
    table = rows(files[cases.BUILDER])
    assert {row["election_current"] + row["by_election"] for row in table} == {"tf", "tt"}
    for row in table:
        assert all(isinstance(json.loads(row[column]), str) for column in JSON_COLUMNS if row[column])


def test_legacy_writes_identifiers_bare_and_booleans_as_words(files: dict[str, str]) -> None:
    table = rows(files[cases.LEGACY])
    assert {row["elected"] for row in table} == {"True", "False"}
    assert not any(row[column].startswith('"') for row in table for column in COLUMNS.values())
    assert any(re.fullmatch(r"[0-9]+;[0-9]+", row["old_person_ids"]) for row in table)


def test_every_account_fault_stands_in_its_column(files: dict[str, str]) -> None:
    for path, faults in ((cases.LEGACY, LEGACY_FAULTS), (cases.BUILDER, BUILDER_FAULTS)):
        table = rows(files[path])
        for fault in faults:
            assert [row for row in table if row[fault.column].strip('"') == fault.value], fault.case
    x_name = next(fault.value for fault in BUILDER_FAULTS if fault.case == "16-character X name")
    assert len(x_name) == 16


def test_several_people_give_the_party_page_as_their_own(files: dict[str, str]) -> None:
    owners = {
        r["person_id"] for r in rows(files[cases.BUILDER]) if r["facebook_page_url"].strip('"') == PARTY_PAGE
    }
    assert len(owners) >= 3


def test_some_statements_run_over_several_lines(files: dict[str, str]) -> None:
    assert any("\n" in row["statement_to_voters"] for row in rows(files[cases.BUILDER]))


def test_some_people_were_entered_twice_and_some_moved_ward() -> None:
    def local(year: int) -> dict[int, tuple[int, str]]:
        return {
            c.person: (c.person_id, c.ward) for c in candidacies(year) if c.councillor and c.election == "local"
        }

    before, after = local(2022), local(2026)
    shared = before.keys() & after.keys()
    assert any(before[person][0] != after[person][0] for person in shared)
    assert any(before[person][1] != after[person][1] for person in shared)


def test_four_handles_were_renamed_and_one_went() -> None:
    files = world_files()
    old = {r["statistical-geography"]: r["twitter"] for r in rows(files[cases.OLD_ORGANISATIONS])}
    new = {r["statistical-geography"]: r["twitter"] for r in rows(files[cases.NEW_ORGANISATIONS])}
    bare = {gss: handle.removeprefix("https://twitter.com/").removeprefix("@") for gss, handle in old.items()}
    changed = {gss for gss in new if bare.get(gss) != new[gss]}
    assert {gss for gss in changed if not new[gss]} == {"Z07000006"}
    assert len(changed) == 5


@pytest.mark.real
@pytest.mark.parametrize(("ours", "theirs"), LAYOUTS, ids=[theirs for _, theirs in LAYOUTS])
def test_header_and_line_end_are_the_real_files(ours: str, theirs: str, real: Path, files: dict[str, str]) -> None:
    with (real / theirs).open("rb") as stream:
        first_line = stream.readline()
    assert files[ours].encode().splitlines(keepends=True)[0] == first_line


@pytest.mark.real
def test_no_authority_is_a_real_one(real: Path) -> None:
    folder = "authorities/mysociety"
    register = list(real_rows(real, f"{folder}/uk_local_authorities.csv"))
    names = {row["la-name"].lower() for row in real_rows(real, f"{folder}/lookup_name_to_registry.csv")}
    names |= {row[column].lower() for row in register for column in ("official-name", "nice-name")}
    gss_codes = {row["gss-code"] for row in real_rows(real, f"{folder}/lookup_gss_to_registry.csv")} - {""}
    codes = {row["local-authority-code"] for row in register}
    for a in AUTHORITIES:
        assert a.code not in codes
        assert {a.gss_code, *a.former_gss}.isdisjoint(gss_codes)
        assert {n.lower() for n in (a.official_name, a.nice_name, *a.alt_names)}.isdisjoint(names)


@pytest.mark.real
def test_no_person_and_no_party_is_a_real_one(real: Path) -> None:
    rosters = [
        r for y in (2024, 2025) for r in real_rows(real, f"councillors/open_council_data/councillors_{y}.csv")
    ]
    candidates = [
        row["person_name"].lower()
        for name in ("2026_mayor", "2026_scotland_slim")
        for row in real_rows(real, f"accounts/democracy_club/{name}.csv")
    ]
    names = {row["Councillor Name"].lower() for row in rosters} | set(candidates)
    # Surnames too: no family finds itself in the fable.
    surnames = {name.split()[-1] for name in names if name.split()}
    for name, _ in everyone():
        assert name.lower() not in names
        assert name.lower().split()[-1] not in surnames
    parties = {row["Party Name"] for row in rosters} - {"Independent / Other", "Vacant"}
    assert {c.party.name for c in councillors()}.isdisjoint(parties)


@pytest.mark.real
def test_no_handle_is_a_real_one(real: Path) -> None:
    handles = {r["twitter"].lower() for r in real_rows(real, "authorities/digital_land/local-authority.csv")}
    ours = {a.account.lower() for a in OFFICIAL_ACCOUNTS}
    assert ours.isdisjoint(handles - {""})
