"""People of the fictional country: names, seats on councils and personal accounts.

Here belongs who sits where and which accounts they truly have, found by anyone or not. Who stood for election
and what the files say of it is in `candidates`.

Nothing here is random: `fraction` turns a label into a number between 0 and 1, so a new fact moves no old
one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import Final, Literal

from pipelines.sample.facts import BY_CODE, COUNCILS, PARTIES, Activity, Authority, Party, Tier

File = Literal["roster 2024", "roster 2025", "candidates 2022", "candidates 2026"]

ROSTER_YEARS: Final = (2024, 2025)


@dataclass(frozen=True, slots=True)
class Councillor:
    """One person's membership of one council.

    `person` is the same number wherever the same person sits. `seats` are seat numbers within the council:
    usually one. `rosters` are the years whose roster lists the person. `written` holds the files that write
    the name in another way, with that way.
    """

    authority_code: str
    person: int
    seats: tuple[int, ...]
    ward: str
    name: str
    party: Party
    rosters: tuple[int, ...] = ROSTER_YEARS
    written: tuple[tuple[File, str], ...] = ()

    def name_in(self, file: File) -> str:
        """Return the name as one file writes it."""
        return dict(self.written).get(file, self.name)


@dataclass(frozen=True, slots=True)
class PersonalAccount:
    """An account that a person truly has, listed anywhere or not.

    `handle` is in the platform's own form: `@user@host` for Mastodon, a host name for Bluesky, without @
    elsewhere.
    """

    person: int
    platform: str
    handle: str
    account_id: str
    activity: Activity


@dataclass(frozen=True, slots=True)
class _Special:
    """A seat written by hand, because its holder's name tests the matching."""

    authority_code: str
    seats: tuple[int, ...]
    name: str
    person: int | None = None
    roster_2024: str = ""
    roster_2025: str = ""
    candidates_2022: str = ""
    candidates_2026: str = ""

    @property
    def written(self) -> tuple[tuple[File, str], ...]:
        """The files that write the name in another way, with that way."""
        ways: tuple[tuple[File, str], ...] = (
            ("roster 2024", self.roster_2024),
            ("roster 2025", self.roster_2025),
            ("candidates 2022", self.candidates_2022),
            ("candidates 2026", self.candidates_2026),
        )
        return tuple((file, name) for file, name in ways if name)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# Real given names, for nicknames and spellings to be real; surnames that nobody bears.
_GIVEN: Final = _words(
    "Margaret David Susan Thomas Elizabeth William Jennifer Michael Patricia Robert Catherine Andrew Deborah "
    "Christopher Alison Edward Rebecca Stephen Victoria Anthony Samantha Daniel Jacqueline Matthew Angela "
    "Nicholas Pamela Richard Abigail Benjamin Josephine Gregory Kathleen Frederick Philippa Timothy Eleanor "
    "Geoffrey Theresa Leonard Winifred"
)
_SURNAME_STARTS: Final = _words(
    "Kettle Ladle Thimble Bobbin Saucer Crumpet Porridge Doily Trivet Colander Napkin Cushion Antimacass "
    "Toaster Whisk Sieve Biscuit Marmalade Pepperpot Gravyboat Teacosy Butterdish Eggcup Footstool Hatstand "
    "Candlewick Coalscuttle Fireguard Mantelpiece Washboard Clothespeg Dustpan Featherduster Buttonhook "
    "Pincushion Darningegg"
)
_SURNAME_ENDS: Final = _words(
    "worthy thwaite bottom fellow sworth wick croft mede lington shanks berry stone mouse whistle bridge wright"
)
_WARD_STARTS: Final = _words(
    "Hearth Pantry Scullery Larder Attic Cellar Parlour Mantel Dresser Cradle Bellows Tinderbox Spindle "
    "Spinningwheel Slipper Pumpkin Beanpod Magpie Tortoise Hare Cricket Thrush Bramble Acorn"
)
_WARD_ENDS: Final = _words("Hill Green Vale Cross End Lane Heath Brook Park Gate Common")

# The first wards of these councils carry the spellings that two sources write differently.
_SPECIAL_WARDS: Final = {
    "ZZT": ("Saucer & Spoon", "St Crumpet's", "Upper/Lower Doily", "Hare, Tortoise and Finish"),
    "ZZM": ("Hearth Hill", "Spout!", "St. Kettle's"),
}

_SPECIALS: Final = (
    # Nickname on the roster, given name on the ballot paper.
    _Special(
        "ZZT",
        (0,),
        "Bob Ladlethwaiter",
        candidates_2022="Robert Ladlethwaiter",
        candidates_2026="Robert Ladlethwaiter",
    ),
    # Initials on the roster.
    _Special(
        "ZZT",
        (1,),
        "A J Spoonfellower",
        candidates_2022="Alice Jane Spoonfellower",
        candidates_2026="Alice Spoonfellower",
    ),
    # Surname changed between the two rosters.
    _Special(
        "ZZT",
        (2,),
        "Grace Ladlesworthy",
        roster_2024="Grace Thimbletonne",
        candidates_2022="Grace Thimbletonne",
    ),
    # Hyphenated on the roster, half of it on the ballot paper.
    _Special("ZZT", (3,), "Hazel Bobbin-Teacosey", candidates_2022="Hazel Teacosey"),
    # Two people of one name in one ward: no source can tell them apart.
    _Special("ZZT", (6,), "John Muggleworthy"),
    _Special("ZZT", (7,), "John Muggleworthy"),
    # Accent kept on the ballot paper and in one roster, lost in the other.
    _Special("ZZT", (9,), "Zoë Crumpétte", roster_2025="Zoe Crumpette", candidates_2022="Zoe Crumpette"),
    # Apostrophe: straight, typographic, and escaped with a backslash as the upstream's own writer does.
    _Special("ZZT", (10,), "Niamh O'Doilyn", roster_2025="Niamh O\\'Doilyn", candidates_2026="Niamh O’Doilyn"),
    # A middle name, and a name in brackets.
    _Special("ZZT", (12,), "Peregrine Kettlemouser", candidates_2026="Peregrine Humphrey (Perry) Kettlemouser"),
    # One letter apart.
    _Special("ZZT", (13,), "Katherine Trivetstones", candidates_2022="Catherine Trivetstones"),
    # A title inside the name.
    _Special("ZZT", (15,), "Dr Ottoline Sievebridger", candidates_2022="Ottoline Sievebridger"),
    # One person listed for two seats of one ward.
    _Special("ZZM", (3, 4), "Wilhelmina Whiskbottomley"),
    # Two people of one name in two wards of one council.
    _Special("ZZN", (0,), "Pat Crumpetsonne"),
    _Special("ZZN", (9,), "Pat Crumpetsonne"),
    # People who sit on the county and on the district within it.
    _Special("ZZJ", (0,), "Marigold Porringerby", person=900),
    _Special("ZZK", (0,), "Marigold Porringerby", person=900),
    _Special("ZZJ", (1,), "Barnaby Oatcakesworth", person=901),
    _Special("ZZK", (3,), "Barnaby Oatcakesworth", person=901),
    _Special("ZZJ", (2,), "Cordelia Bowlington-Smalle", person=902),
    _Special("ZZK", (6,), "Cordelia Bowlington-Smalle", person=902),
)

# Seats that a roster shows as vacant, and the years in which it does.
VACANCIES: Final = {
    ("ZZM", 8): (2025,),
    ("ZZN", 20): (2024, 2025),
    ("ZZN", 21): (2024, 2025),
    ("ZZP", 4): (2024,),
    ("ZZR", 11): (2025,),
    ("ZZX", 30): (2024,),
}
# The upstream leaves the name blank now and then, where it means a vacancy.
BLANK_VACANCIES: Final = frozenset({("ZZR", 11)})

# How many of a council's people took to social media at all: there is little middle ground within a person.
_JOINED: Final[dict[Tier, float]] = {"silent": 0.12, "middling": 0.45, "heavy": 0.8}
# Of those who did, and of those who did not, how many have an account on each platform.
_SHARES: Final = {
    "x": (0.9, 0.05),
    "facebook": (0.92, 0.12),
    "instagram": (0.72, 0.03),
    "bluesky": (0.64, 0.0),
    "linkedin": (0.3, 0.04),
    "tiktok": (0.12, 0.0),
    "threads": (0.2, 0.0),
    "youtube": (0.08, 0.0),
    "mastodon": (0.08, 0.0),
}


def fraction(*labels: object) -> float:
    """Return a number from 0 up to 1 that belongs to these labels, always the same."""
    digest = blake2b(" ".join(map(str, labels)).encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big") / 2**48


def invented_name(person: int) -> str:
    """Return a name that no other person number below 23,616 has.

    Both multipliers share no factor with the length of their list, and the lengths share none: the pairs
    repeat only after their product.
    """
    given = _GIVEN[(person * 7) % len(_GIVEN)]
    surnames = len(_SURNAME_STARTS) * len(_SURNAME_ENDS)
    start, end = divmod((person * 31) % surnames, len(_SURNAME_ENDS))
    return f"{given} {_SURNAME_STARTS[start]}{_SURNAME_ENDS[end]}"


def wards(authority: Authority) -> tuple[str, ...]:
    """Return the ward names of a council, in order."""
    count = -(-authority.seats // authority.seats_per_ward)
    offset = ord(authority.code[2]) * 5
    special = _SPECIAL_WARDS.get(authority.code, ())
    made = (
        f"{_WARD_STARTS[(offset + i) % len(_WARD_STARTS)]} {_WARD_ENDS[(offset + i * 3) % len(_WARD_ENDS)]}"
        for i in range(len(special), count)
    )
    return (*special, *made)


def party_of(person: int, authority: Authority) -> Party:
    """Return the party of a person: one party leads in each council."""
    leading = ord(authority.code[2]) % len(PARTIES)
    return PARTIES[leading if fraction("party", person) < 0.45 else int(fraction("other", person) * len(PARTIES))]


@cache
def councillors() -> tuple[Councillor, ...]:
    """Return everyone who sits or sat on a council in the rosters' years, council by council."""
    people: list[Councillor] = []
    for authority in COUNCILS:
        people.extend(_councillors_of(authority, first_person=len(people) + 1000))
    return tuple(people)


def _councillors_of(authority: Authority, first_person: int) -> Iterator[Councillor]:
    """Yield the councillors of one council, seat by seat."""
    person = first_person
    special = {seat: s for s in _SPECIALS if s.authority_code == authority.code for seat in s.seats}
    for seat in range(authority.seats):
        if seat in special:
            if special[seat].seats[0] == seat:
                yield _special_councillor(authority, special[seat], person)
                person += 1
            continue
        for rosters in _holders(authority, seat):
            yield Councillor(
                authority.code,
                person,
                (seat,),
                _ward_of(authority, seat),
                invented_name(person),
                party_of(person, authority),
                rosters,
            )
            person += 1


def _special_councillor(authority: Authority, special: _Special, person: int) -> Councillor:
    """Return the councillor of a seat written by hand."""
    number = special.person or person
    ward = _ward_of(authority, special.seats[0])
    # Who sits on a county and on its district has one party on both; of the others, those of one ward have
    # one party, so that it does not give away which of two namesakes is meant.
    home = BY_CODE[authority.county] if special.person and authority.county else authority
    party = party_of(special.person or special.seats[0] // authority.seats_per_ward, home)
    return Councillor(authority.code, number, special.seats, ward, special.name, party, written=special.written)


def _ward_of(authority: Authority, seat: int) -> str:
    """Return the ward a seat belongs to."""
    return wards(authority)[seat // authority.seats_per_ward]


def _holders(authority: Authority, seat: int) -> tuple[tuple[int, ...], ...]:
    """Return, for each holder of a seat, the rosters that list them."""
    vacant = VACANCIES.get((authority.code, seat))
    if vacant:
        held = tuple(year for year in ROSTER_YEARS if year not in vacant)
        return (held,) if held else ()
    # The county voted in May 2025, between the two rosters; elsewhere only by-elections changed hands.
    turnover = 0.35 if authority.kind == "CTY" else 0.03
    if fraction("turnover", authority.code, seat) < turnover:
        return ((2024,), (2025,))
    return (ROSTER_YEARS,)


@cache
def personal_accounts() -> dict[int, tuple[PersonalAccount, ...]]:
    """Return the accounts that councillors truly have, by person."""
    return {c.person: accounts_of(c.person, c.name, BY_CODE[c.authority_code].tier) for c in councillors()}


def accounts_of(person: int, name: str, tier: Tier) -> tuple[PersonalAccount, ...]:
    """Return the accounts of one person: mostly all of the platforms or none of them."""
    joined = fraction("joined", person) < _JOINED[tier]
    return tuple(
        PersonalAccount(
            person,
            platform,
            _handle(platform, person, name),
            _id(platform, person),
            _activity(platform, person, joined),
        )
        for platform, (if_joined, if_not) in _SHARES.items()
        if fraction(platform, person) < (if_joined if joined else if_not)
    )


def _activity(platform: str, person: int, joined: bool) -> Activity:
    """Return how busy an account is: busy or asleep, seldom between."""
    drawn = fraction("activity", platform, person)
    if not joined or drawn < 0.3:
        return "silent"
    return "steady" if drawn < 0.45 else "heavy"


def _handle(platform: str, person: int, name: str) -> str:
    """Return a handle in the platform's own form; the person's number keeps it unique."""
    given, surname = ascii_words(name)[0], ascii_words(name)[-1]
    if platform == "x":
        return f"zz{given[0]}{surname[:8]}{person}"[:15]
    if platform == "bluesky":
        return _bluesky_handle(given, surname, person)
    if platform == "mastodon":
        return f"@zz{given}{person}@social.example"
    if platform == "linkedin":
        return f"zz-{given}-{surname}-{person}"
    # Instagram, Threads, TikTok and YouTube: the shortest limit (24) fits them all.
    return f"zz{given[:6]}{surname[:11]}{person}"


def _bluesky_handle(given: str, surname: str, person: int) -> str:
    """Return a domain of the person's own, or now and then a name on the platform's domain."""
    if fraction("domain", person) < 0.7:
        return f"{given}{surname}{person}.zz.example"
    return f"zz{surname[:10]}{person}.bsky.social"


def _id(platform: str, person: int) -> str:
    """Return the permanent id, for the platforms whose ids a source ever carries."""
    if platform == "x":
        return str(9_100_000_000_000_000_000 + person)
    if platform == "bluesky":
        letters = str(person).translate(str.maketrans("0189", "abcd"))
        return f"did:plc:{f'zzperson{letters}':2<24}"
    if platform == "youtube":
        return f"UC{f'zzPerson{person}':0<22}"
    return ""


def ascii_words(name: str) -> list[str]:
    """Return the words of a name as lower-case ASCII letters."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return "".join(c if c.isalpha() else " " for c in plain.replace("'", "").replace("\\", "")).split()
