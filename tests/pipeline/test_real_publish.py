"""The main job on real files: what a researcher and a data protection officer would ask of the release."""

from __future__ import annotations

import csv
import mmap
from pathlib import Path

import duckdb
import pytest

from pipelines.release.verify import verify_release
from pipelines.settings import Home
from tests.conftest import REAL

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def release(real_home: Home) -> Path:
    return real_home.public / "v" / "2026.11.0"


def rows(release: Path, sql: str) -> list[tuple[object, ...]]:
    con = duckdb.connect(":memory:")
    for path in release.glob("*.parquet"):
        con.from_parquet(str(path)).create_view(path.stem)
    return con.execute(sql).fetchall()


def test_the_release_holds_every_authority_of_the_register(release: Path) -> None:
    assert verify_release(release) == []
    assert rows(release, "select count(*), count(*) filter (where valid_to is null) from authorities") == [
        (470, 397)
    ]


def test_successions_are_followed_to_their_end(release: Path) -> None:
    found = {
        code: (direct, final)
        for code, direct, final in rows(
            release,
            "select authority_code, successor_codes, final_successor_codes from authorities "
            "where authority_code in ('TAU', 'CMA', 'NTH')",
        )
    }
    assert found == {"TAU": ("SWT", "SMT"), "CMA": ("CBD WAF", "CBD WAF"), "NTH": ("NNT WNT", "NNT WNT")}


def test_recoded_areas_carry_the_new_code_and_remember_the_old(release: Path) -> None:
    assert rows(
        release,
        "select authority_code, gss_code, former_gss_codes from authorities "
        "where authority_code in ('BNS', 'SHF', 'FIF') order by 1",
    ) == [
        ("BNS", "E08000038", "E08000016"),
        ("FIF", "S12000047", "S12000015"),
        ("SHF", "E08000039", "E08000019"),
    ]


def test_a_reorganisation_ends_a_body_on_the_day_before_its_successor_begins(release: Path) -> None:
    gaps = rows(
        release,
        "select old.authority_code from authorities as old join authorities as heir "
        "on heir.authority_code = old.successor_codes "
        "where heir.valid_from is not null and heir.valid_from >= date '2019-01-01' "
        "and old.valid_to <> heir.valid_from - 1",
    )
    assert gaps == []


def test_every_roster_council_is_resolved_and_its_seats_equal_the_second_opinion(release: Path) -> None:
    assert rows(release, "select count(*) from authorities where seats is not null") == [(382,)]
    assert rows(release, "select count(*) from data_issues where rule like 'seats_differ%'") == [(0,)]


def test_every_handle_of_the_register_of_bodies_is_accounted_for(release: Path) -> None:
    """Each of the 150 handles is published, moved to a successor, or counted as an issue."""
    with (REAL / "authorities/digital_land/local-authority.csv").open(encoding="utf-8-sig", newline="") as file:
        listed = [row for row in csv.DictReader(file) if row["twitter"]]
    assert len(listed) == 150
    published = {
        (handle, code)
        for handle, code in rows(release, "select handle, listed_authority_code from authority_accounts")
    }
    codes = _codes_by_gss()
    missing = [
        row for row in listed if (row["twitter"].lower(), codes.get(row["statistical-geography"])) not in published
    ]
    # The combined authority of 2024 is not in the register of 2025: reported, not lost.
    assert [row["reference"] for row in missing] == ["NNECA"]
    assert rows(
        release, "select rows_affected, source from data_issues where rule = 'account_of_unknown_authority'"
    ) == [(1, "digital_land_authorities")]
    assert len(published) == 149


def _codes_by_gss() -> dict[str, str]:
    with (REAL / "authorities/mysociety/lookup_gss_to_registry.csv").open(encoding="utf-8", newline="") as file:
        return {row["gss-code"]: row["local-authority-code"] for row in csv.DictReader(file) if row["gss-code"]}


def test_only_a_successor_of_the_same_name_inherits_an_account(release: Path) -> None:
    assert rows(
        release,
        "select handle, authority_code, listed_authority_code, valid_to is null from authority_accounts "
        "where status = 'inherited' order by handle",
    ) == [("northyorkscc", "NYE", "NYK", True), ("somersetcouncil", "SMT", "SOM", True)]
    dissolved = rows(
        release,
        "select handle, authority_code from authority_accounts where status = 'dissolved' order by handle",
    )
    assert dissolved == [
        ("allerdale", "ALL"),
        ("barrowcouncil", "BAR"),
        ("bcpcouncil", "BMH"),
        ("harrogatebc", "HAG"),
        ("northamptonbc", "NOR"),
        ("swtcouncil", "SWT"),
    ]


def test_adoption_covers_the_councils_of_the_candidates_file_and_withholds_small_counts(release: Path) -> None:
    found = rows(
        release,
        "select authority_code, count(*), count(accounts_found), min(withheld_reason), max(reached_seats) "
        "from account_adoption group by 1 order by 1",
    )
    reason = "fewer than 10 contributing accounts"
    assert [(code, n, given, why) for code, n, given, why, _ in found] == [
        (code, 9, 0, reason) for code in ("CRY", "HCK", "LEW", "NWM", "TWH", "WAT")
    ]
    # Seven of the 45 candidates for mayor sit on their council's roster; see the identity tests.
    assert sum(int(str(reached)) for *_, reached in found) == 7


def test_ballots_for_other_parliaments_are_counted_and_not_matched(release: Path) -> None:
    assert rows(
        release, "select rows_affected, responsibility from data_issues where rule = 'ballot_not_for_council'"
    ) == [(81, "us")]


def test_share_alike_travels_with_the_rows(release: Path) -> None:
    import orjson

    manifest = orjson.loads((release / "manifest.json").read_bytes())
    licences = {dataset["name"]: dataset["licence"] for dataset in manifest["datasets"]}
    # All but the list of official accounts and what is told of interviews rest on the rosters of councillors.
    free = ("authority_accounts", "interview_coverage", "interview_themes")
    assert {licences.pop(name) for name in free} == {"CC-BY-4.0"}
    assert licences == dict.fromkeys(licences, "CC-BY-SA-4.0")
    assert len(licences) == 10


def test_no_personal_value_reaches_any_byte_under_the_home(real_home: Home) -> None:
    """The files hold a CANARY value in every personal cell; none may be in any file, Dagster's included."""
    planted = (REAL / "accounts/democracy_club/2026_mayor.csv").read_bytes()
    assert planted.count(b"CANARY") > 50
    files = [path for path in real_home.root.rglob("*") if path.is_file() and path.stat().st_size]
    assert any("dagster" in path.parts for path in files)
    assert any(path.name == "warehouse.duckdb" for path in files)
    leaking = [str(path) for path in files if _holds(path, b"CANARY") or _holds(path, b"canary.email")]
    assert leaking == []


def _holds(path: Path, token: bytes) -> bool:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(token) >= 0
