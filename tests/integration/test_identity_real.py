"""Accounts and names as real registers write them: facts counted and looked at by eye, persons by id only.

Democracy Club candidates of 2026 and the Open Council Data roster of 2025, read beside the checkout.
"""

import csv
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

import pytest

from pipelines.identity import Account, compare_names, is_vacancy, normalise_account, profile_url

REAL = Path(__file__).resolve().parents[3] / "shared" / "real"
ACCOUNTS = REAL / "accounts" / "democracy_club"
ROSTER = REAL / "councillors" / "open_council_data" / "councillors_2025.csv"
COLUMNS = {
    "twitter_username": "x",
    "facebook_page_url": "facebook",
    "instagram_url": "instagram",
    "blue_sky_url": "bluesky",
    "youtube_profile": "youtube",
    "linkedin_url": "linkedin",
    "tiktok_url": "tiktok",
    "threads_url": "threads",
}

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not REAL.is_dir(), reason="the real input files are not beside the checkout"),
]


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_accounts(name: str) -> list[Account]:
    return [
        normalise_account(platform, row[column])
        for row in read_rows(ACCOUNTS / name)
        for column, platform in COLUMNS.items()
        if row.get(column)
    ]


def read_roster() -> dict[str, list[dict[str, str]]]:
    councils = defaultdict(list)
    for row in read_rows(ROSTER):
        councils[row["Council"]].append(row)
    return councils


FOUND = {
    # One share link.
    "2026_mayor.csv": {
        ("x", None): 23, ("facebook", None): 16, ("facebook", "not_a_profile"): 1, ("instagram", None): 10,
        ("linkedin", None): 7, ("bluesky", None): 4, ("youtube", None): 2,
    },
    # Share links, two groups and a fb.watch link; a party's own site twice (one person, two ballots).
    "2026_scotland_slim.csv": {
        ("x", None): 475, ("facebook", None): 428, ("facebook", "not_a_profile"): 24,
        ("facebook", "unknown_host"): 2, ("instagram", None): 116, ("bluesky", None): 82,
        ("linkedin", None): 77, ("tiktok", None): 34, ("youtube", None): 20, ("threads", None): 6,
    },
}  # fmt: skip
PERMANENT = {
    "2026_mayor.csv": {"facebook": 7, "youtube": 1},
    "2026_scotland_slim.csv": {"facebook": 85, "youtube": 6},
}


@pytest.mark.parametrize("name", FOUND)
def test_every_account_cell_has_the_verdict_given_by_eye(name: str) -> None:
    accounts = read_accounts(name)
    assert Counter((account.platform, account.fault) for account in accounts) == FOUND[name]
    assert Counter(account.platform for account in accounts if account.account_id) == PERMANENT[name]


@pytest.mark.parametrize("name", FOUND)
def test_real_accounts_come_back_from_their_own_address(name: str) -> None:
    for account in read_accounts(name):
        url = profile_url(account)
        assert (url is None) == (account.fault is not None)
        if url is not None:
            assert normalise_account(account.platform, url) == account


def test_mayoral_candidates_who_sit_on_the_council_are_found_and_nobody_else() -> None:
    roster = read_roster()
    matches = {}
    for candidate in read_rows(ACCOUNTS / "2026_mayor.csv"):
        council = roster[candidate["organisation_name"].removeprefix("London Borough of ")]
        assert council
        for row in council:
            found = compare_names(candidate["person_name"], row["Councillor Name"])
            if found.score >= 0.5:
                assert candidate["person_id"] not in matches
                matches[candidate["person_id"]] = (found.surname, found.given, found.score)
    same = ("same", "same", 1.0)
    assert matches == {
        "4435": same,
        "39965": same,
        "47266": same,
        "86718": same,
        "92209": same,  # elected for one party, candidate of another: party must not decide
        "93766": same,
        "84208": ("same", "spelling", 0.75),  # the roster lost a letter to a wrong encoding
    }


def test_seats_without_a_person() -> None:
    assert sum(is_vacancy(row["Councillor Name"]) for row in read_rows(ROSTER)) == 41


def test_names_within_one_council_rarely_collide() -> None:
    """17 of 519,892 pairs: re-listed seats and true namesakes, which a name cannot tell apart."""
    pairs = [pair for rows in read_roster().values() for pair in combinations(rows, 2)]
    alike = [(a, b) for a, b in pairs if compare_names(a["Councillor Name"], b["Councillor Name"]).score >= 0.8]
    assert len(pairs) == 519_892
    assert len(alike) == 17
    assert sum(a["Councillor Name"] == b["Councillor Name"] for a, b in alike) == 12
    assert sum(a["Ward Name"] == b["Ward Name"] for a, b in alike) == 2
    assert sum(a["Party Name"] != b["Party Name"] for a, b in alike) == 4
