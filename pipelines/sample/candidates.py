"""Elections of the fictional country: who stood where, and which accounts each file lists for them.

Here belongs what a crowd-sourced candidates' file knows and misses. How the file writes it down is in
`candidate_files`; which accounts people truly have is in `people`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Final, Literal

from pipelines.sample.facts import AUTHORITIES, BY_CODE, COUNCILS, Authority, Party
from pipelines.sample.people import (
    Councillor,
    File,
    PersonalAccount,
    accounts_of,
    ascii_words,
    councillors,
    fraction,
    invented_name,
    party_of,
    personal_accounts,
    wards,
)

Election = Literal["local", "mayor", "sp.c"]

DATES: Final = {2022: "2022-05-05", 2026: "2026-05-07"}
BY_ELECTION_DATE: Final = "2026-02-12"

_FILES: Final[dict[int, File]] = {2022: "candidates 2022", 2026: "candidates 2026"}

# How much of what exists each file lists: two separate searches, so their overlap tells what both missed.
LISTED: Final = {2022: 0.72, 2026: 0.8}
# How many of those who sit stood in that year: some came in later, some retire.
_STOOD: Final = {2022: 0.9, 2026: 0.87}

# In 2022 a county that was to become one with its districts elected the councillors of both.
_ELECTED_AS: Final = {(2022, "ZZB"): "ZZA"}

_MAYORS: Final = ((2022, "ZZO"), (2026, "ZZO"), (2026, "ZZCA"))
_PARLIAMENT: Final = ("ZZX", "ZZW")
_BY_ELECTION: Final = "ZZM"


@dataclass(frozen=True, slots=True)
class Candidacy:
    """One person on one ballot.

    `person_id` is the file's own number: the same in both files, save for people entered twice. `merged_ids`
    are numbers that once meant the same person. `councillor` says whether the person sits or sat on the
    council in the rosters' years.
    """

    year: int
    election: Election
    authority: Authority
    ward: str
    date: str
    person: int
    person_id: int
    name: str
    party: Party
    elected: bool
    councillor: bool
    accounts: tuple[PersonalAccount, ...]
    merged_ids: tuple[int, ...] = ()

    @property
    def election_id(self) -> str:
        """The election's identifier: kind, organisation, date."""
        organisation = "c" if self.election == "sp.c" else organisation_slug(self.authority)
        return f"{self.election.removesuffix('.c')}.{organisation}.{self.date}"

    @property
    def ballot_paper_id(self) -> str:
        """The ballot's identifier: a mayor's is the election's own, a ward's has the ward in it."""
        if self.election == "mayor":
            return self.election_id
        by = "by." if self.date == BY_ELECTION_DATE else ""
        return f"{self.election_id.removesuffix(self.date)}{slug(self.ward)}.{by}{self.date}"


def slug(name: str) -> str:
    """Return a name as Democracy Club writes it in identifiers: apostrophes vanish, the rest is hyphens."""
    return "-".join(ascii_words(name.replace("’", "").replace("&", " and ").replace(".", "")))


def organisation_slug(authority: Authority) -> str:
    """Return the slug of an authority; combined authorities end in `-ca`."""
    return slug(authority.nice_name) + ("-ca" if authority.kind == "COMB" else "")


@cache
def candidacies(year: int) -> tuple[Candidacy, ...]:
    """Return everyone on a ballot in one of the two files, ballot by ballot."""
    local = tuple(
        c for authority in COUNCILS if year in authority.candidate_years for c in _local(authority, year)
    )
    return (
        *local,
        *_mayoral(local, year),
        *(_parliament() if year == 2026 else ()),
        *_by_election(local, year),
    )


def _local(authority: Authority, year: int) -> Iterator[Candidacy]:
    """Yield a council's candidates: its councillors who stood, then rivals who did not get in."""
    for councillor in councillors():
        if councillor.authority_code == authority.code and _stood(councillor, year):
            yield _councillor_candidacy(councillor, authority, year)
    for seat in range(0, authority.seats, 5 if authority.tier == "silent" else 2):
        yield _rival(authority, year, seat, wards(authority)[seat // authority.seats_per_ward])


def _stood(councillor: Councillor, year: int) -> bool:
    """Whether a councillor stood in a year; the people whose names test the matching always did."""
    if councillor.written or councillor.person < 1000 or councillor.name == "John Muggleworthy":
        return True
    if councillor.rosters == (2024,) and year == 2026:
        return False
    # A newcomer of 2025 seldom stood, and then lost, three years before.
    share = 0.3 if councillor.rosters == (2025,) and year == 2022 else _STOOD[year]
    return fraction("stood", year, councillor.person) < share


def _councillor_candidacy(councillor: Councillor, authority: Authority, year: int) -> Candidacy:
    """Return a councillor's candidacy, under the body that was elected at the time."""
    person = councillor.person
    listed = tuple(
        a for a in personal_accounts()[person] if fraction("listed", year, a.platform, person) < LISTED[year]
    )
    return Candidacy(
        year,
        "local",
        BY_CODE[_ELECTED_AS.get((year, authority.code), authority.code)],
        _ward_in(councillor, authority, year),
        DATES[year],
        person,
        _person_id(person, year),
        councillor.name_in(_FILES[year]),
        councillor.party,
        year == 2022 and councillor.rosters != (2025,),
        True,
        listed,
        _merged_ids(person),
    )


def _ward_in(councillor: Councillor, authority: Authority, year: int) -> str:
    """Return the ward a councillor stood in: four in a hundred sat for another ward by 2024."""
    names = wards(authority)
    here = names.index(councillor.ward)
    moved = year == 2022 and not councillor.written and fraction("moved", councillor.person) < 0.04
    return names[(here + 1) % len(names)] if moved else councillor.ward


def _person_id(person: int, year: int) -> int:
    """Return the file's number for a person; two in a hundred were entered a second time in 2026."""
    entered_twice = year == 2026 and fraction("twice", person) < 0.02
    return (9_500_000 if entered_twice else 9_000_000) + person


def _merged_ids(person: int) -> tuple[int, ...]:
    """Return numbers that once meant the same person, for one person in forty."""
    return (9_700_000 + person, 9_800_000 + person) if fraction("merged", person) < 0.025 else ()


def _rival(authority: Authority, year: int, seat: int, ward: str) -> Candidacy:
    """Return a candidate who did not get in."""
    # Numbers far above the councillors', so that a new seat moves no rival's name.
    block = next(i for i, other in enumerate(AUTHORITIES) if other.code == authority.code)
    person = {2022: 4000, 2026: 12000}[year] + block * 120 + seat
    name = invented_name(person)
    accounts = accounts_of(person, name, authority.tier)
    listed = tuple(a for a in accounts if fraction("listed", year, a.platform, person) < LISTED[year])
    elected_as = BY_CODE[_ELECTED_AS.get((year, authority.code), authority.code)]
    party = party_of(person, authority)
    return Candidacy(
        year,
        "local",
        elected_as,
        ward,
        DATES[year],
        person,
        9_000_000 + person,
        name,
        party,
        False,
        False,
        listed,
    )


def _on_another_ballot(candidacy: Candidacy, election: Election, authority: Authority, ward: str) -> Candidacy:
    """Return the same person on a second ballot of the same file."""
    return replace(candidacy, election=election, authority=authority, ward=ward, elected=False)


def _mayoral(local: tuple[Candidacy, ...], year: int) -> Iterator[Candidacy]:
    """Yield candidates for mayor: people who stand for a council on the same day."""
    for held_in, code in _MAYORS:
        if held_in != year:
            continue
        authority = BY_CODE[code]
        members = {a.code for a in AUTHORITIES if code in (a.code, a.combined)}
        field = [c for c in local if c.authority.code in members]
        for candidacy in field[:: len(field) // 5][:5]:
            yield _on_another_ballot(candidacy, "mayor", authority, authority.official_name)


def _parliament() -> Iterator[Candidacy]:
    """Yield candidates for the Scottish Parliament in 2026: two sitting councillors, two others each."""
    for code in _PARLIAMENT:
        authority = BY_CODE[code]
        constituency = f"{authority.nice_name} Shore"
        sitting = [c for c in councillors() if c.authority_code == code and 2025 in c.rosters]
        for councillor in sitting[4:30:13]:
            own = _councillor_candidacy(councillor, authority, 2026)
            yield _on_another_ballot(own, "sp.c", authority, constituency)
        for seat in (80, 81):
            yield _on_another_ballot(_rival(authority, 2026, seat, constituency), "sp.c", authority, constituency)


def _by_election(local: tuple[Candidacy, ...], year: int) -> Iterator[Candidacy]:
    """Yield a by-election of early 2026: people who stood again three months later."""
    if year == 2026:
        rivals = [c for c in local if c.authority.code == _BY_ELECTION and not c.councillor][:3]
        for c in rivals:
            yield replace(c, ward=wards(c.authority)[2], date=BY_ELECTION_DATE)
