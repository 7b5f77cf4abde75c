"""Accounts of the fictional country on Bluesky and Mastodon: whose they are, their names, what befalls them.

Here belong accounts as their platforms know them: those of councils and councillors that other facts list, and
strangers who reply to them and are reposted. What they post is in `posts`, how the platforms show it in the
`…_answers` modules.

Everything that a stranger is called holds a canary, in capitals or small letters: no name, host name or id of
one may get past a collector.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Final, Literal
from urllib.parse import urlsplit

from pipelines.sample.candidates import candidacies
from pipelines.sample.facts import BY_CODE, OFFICIAL_ACCOUNTS, Activity, OfficialAccount, Tier
from pipelines.sample.people import councillors, fraction, personal_accounts

Platform = Literal["bluesky", "mastodon"]
Owner = Literal["council", "councillor", "stranger"]
# What befalls an account; `moved`, `noindex`, `suspended` and `gone` happen on Mastodon, the others on Bluesky.
Trouble = Literal[
    "deleted", "deactivated", "taken_down", "renamed", "signed_in_only", "moved", "noindex", "suspended", "gone"
]

# The twelve weeks: from the first moment up to, not including, the second.
START: Final = dt.datetime(2026, 8, 31, tzinfo=dt.UTC)
END: Final = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)

CANARY: Final = "CANARY"

# Most people of the country are here; other hosts are small.
MAIN_HOST: Final = "social.example"
# What befalls a host as a whole, and the name of a host that shows it where no listed account is on a small one.
HostTrouble = Literal["signed_in_only", "down_at_times", "old_version"]
_HOST_TROUBLES: Final[tuple[tuple[HostTrouble, str], ...]] = (
    ("signed_in_only", "closed.example"),
    ("down_at_times", "shaky.example"),
    ("old_version", "antique.example"),
)
SUCCESSOR_HOST: Final = "newhome.example"
# Whole days, in UTC, on which the shaky host answers nothing.
DOWN_ON: Final = frozenset({dt.date(2026, 9, 28), dt.date(2026, 11, 18), dt.date(2026, 11, 19)})


def _at(month: int, day: int, hour: int = 12) -> dt.datetime:
    return dt.datetime(2026, month, day, hour, tzinfo=dt.UTC)


# From when and until when each trouble lasts; deactivation can be taken back.
_SPANS: Final[dict[Trouble, tuple[dt.datetime, dt.datetime | None]]] = {
    "deleted": (_at(10, 7), None),
    "deactivated": (_at(9, 30), _at(10, 29)),
    "taken_down": (_at(8, 1), None),
    "renamed": (_at(10, 14), None),
    "signed_in_only": (_at(11, 3), None),
    "moved": (_at(10, 21), None),
    "noindex": (_at(10, 20), None),
    "suspended": (_at(10, 1), None),
    "gone": (_at(9, 16), None),
}

# In this order, to as many accounts of each group as it can spare.
_TROUBLES: Final[dict[tuple[Platform, Owner], tuple[Trouble, ...]]] = {
    ("bluesky", "council"): ("renamed", "deactivated", "signed_in_only", "deleted"),
    ("bluesky", "councillor"): ("renamed", "deleted", "deactivated", "signed_in_only"),
    ("mastodon", "council"): ("moved", "noindex"),
    ("mastodon", "councillor"): ("moved", "noindex", "suspended", "gone"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Account:
    """An account as its platform knows it; two are the same only if they are one object.

    `number` is the permanent id at the platform: a DID, or a number that one Mastodon host counts for itself.
    `names` are its names with the moment from which it bears each, oldest first: a host name on Bluesky, the
    part before the host on Mastodon. `host` is the Mastodon host that shows it, `home` the one it lives on:
    another one for people seen from afar. `trouble` lasts from `since` until `until`.
    """

    platform: Platform
    owner: Owner
    number: str
    names: tuple[tuple[dt.datetime, str], ...]
    opened_at: dt.datetime
    display_name: str
    authority_codes: tuple[str, ...] = ()
    tier: Tier = "middling"
    activity: Activity = "steady"
    host: str = ""
    home: str = ""
    is_listed: bool = False
    trouble: Trouble | None = None
    since: dt.datetime = END
    until: dt.datetime | None = None

    @property
    def account_id(self) -> str:
        """The permanent id as the whole world can tell it: Mastodon's numbers say which host counts."""
        return f"{self.host}/{self.number}" if self.host else self.number

    def name_at(self, now: dt.datetime) -> str:
        """Return the name the account bears at a moment."""
        borne = [name for since, name in self.names if since <= now]
        return borne[-1] if borne else self.names[0][1]

    def handle_at(self, now: dt.datetime) -> str:
        """Return the handle as sources write it: `@user@host` on Mastodon."""
        name = self.name_at(now)
        return f"@{name}@{self.home}" if self.home else name

    def has(self, trouble: Trouble, now: dt.datetime) -> bool:
        """Whether a trouble of that kind lasts at a moment."""
        lasts = self.since <= now and (self.until is None or now < self.until)
        return self.trouble == trouble and lasts

    def is_shown(self, now: dt.datetime) -> bool:
        """Whether the platform answers for the account at a moment, to anybody or to some."""
        if now < self.opened_at:
            return False
        return not any(self.has(t, now) for t in ("deleted", "deactivated", "taken_down", "suspended", "gone"))


@cache
def listed_accounts() -> tuple[Account, ...]:
    """Return the accounts of councils and councillors, each once, with what befalls them."""
    accounts = (*_official(), *_personal())
    groups: dict[tuple[Platform, Owner], list[Account]] = {}
    for account in accounts:
        groups.setdefault((account.platform, account.owner), []).append(account)
    troubles = {
        account.account_id: trouble for key, group in groups.items() for account, trouble in _assign(key, group)
    }
    return tuple(_troubled(account, troubles.get(account.account_id)) for account in accounts)


def _official() -> Iterator[Account]:
    """Yield the councils' accounts: rows of one permanent id are one account under several names."""
    rows: dict[tuple[str, str], list[OfficialAccount]] = {}
    for row in OFFICIAL_ACCOUNTS:
        if row.platform in ("bluesky", "mastodon"):
            rows.setdefault((row.platform, row.account_id or row.account), []).append(row)
    for same in rows.values():
        newest = max(same, key=lambda row: (row.valid_from, row.valid_to or "9"))
        if newest.valid_to and _midnight(newest.valid_to) < START:
            continue
        yield _official_account(sorted(same, key=lambda row: row.valid_from), newest)


def _official_account(rows: list[OfficialAccount], newest: OfficialAccount) -> Account:
    """Return the account that several rows describe, oldest first."""
    platform: Platform = "bluesky" if newest.platform == "bluesky" else "mastodon"
    names = {_name_and_host(row)[0]: _midnight(row.valid_from) for row in reversed(rows)}
    host = _name_and_host(newest)[1]
    made_up = _did("council", newest.account) if platform == "bluesky" else _number(newest.account)
    return Account(
        platform,
        "council",
        # A Mastodon id may be listed with the host that counts in front.
        newest.account_id.rpartition("/")[2] or made_up,
        tuple(sorted((since, name) for name, since in names.items())),
        min(names.values()),
        f"{BY_CODE[newest.authority_code].nice_name} {CANARY}-name-{newest.authority_code}",
        tuple(sorted({row.authority_code for row in rows})),
        newest.tier,
        "heavy" if newest.tier == "heavy" else "steady" if newest.tier == "middling" else "silent",
        host,
        host,
        is_listed=True,
    )


def _midnight(day: str) -> dt.datetime:
    """Return the first moment of a day in UTC."""
    return dt.datetime.fromisoformat(day).replace(tzinfo=dt.UTC)


def _name_and_host(row: OfficialAccount) -> tuple[str, str]:
    """Return the name of a listed account, and its host on Mastodon: bare, with at signs or as an address."""
    address = urlsplit(row.account) if "://" in row.account else None
    last = address.path.rstrip("/").rsplit("/", 1)[-1] if address else row.account
    name, _, host = last.lower().removeprefix("@").partition("@")
    if row.platform == "bluesky":
        return name, ""
    return name, host or (address.hostname or "" if address else MAIN_HOST)


def _personal() -> Iterator[Account]:
    """Yield the councillors' accounts; one account for a person who sits on two councils."""
    seats: dict[int, set[str]] = {}
    for councillor in councillors():
        seats.setdefault(councillor.person, set()).add(councillor.authority_code)
    listed = _listed_people()
    for person, accounts in personal_accounts().items():
        for account in accounts:
            if account.platform not in ("bluesky", "mastodon"):
                continue
            platform: Platform = "bluesky" if account.platform == "bluesky" else "mastodon"
            name, _, host = account.handle.removeprefix("@").partition("@")
            opened = START - dt.timedelta(days=120 + int(900 * fraction("opened", platform, person)))
            yield Account(
                platform,
                "councillor",
                account.account_id or str(109_100_000_000_000_000 + person),
                ((opened, name),),
                opened,
                f"{CANARY}-name-{person}",
                tuple(sorted(seats[person])),
                BY_CODE[min(seats[person])].tier,
                account.activity,
                host,
                host,
                is_listed=(platform, person) in listed,
            )


def _listed_people() -> set[tuple[str, int]]:
    """Return the people for whom some candidates' file lists an account, with the platform."""
    return {
        (account.platform, candidacy.person)
        for year in (2022, 2026)
        for candidacy in candidacies(year)
        if candidacy.councillor
        for account in candidacy.accounts
    }


def _assign(key: tuple[Platform, Owner], group: list[Account]) -> Iterator[tuple[Account, Trouble]]:
    """Yield who of a group meets with which trouble: at most one in three, and nobody that much depends on."""
    spare = [a for a in group if a.is_listed and a.tier == "middling" and a.activity != "silent"]
    spare.sort(key=lambda account: fraction("trouble", account.account_id))
    if key == ("mastodon", "councillor"):
        # So few of them that any will do.
        spare = sorted((a for a in group if a.is_listed), key=lambda a: fraction("trouble", a.account_id))
    yield from zip(spare[: len(group) // 3], _TROUBLES[key], strict=False)


def _troubled(account: Account, trouble: Trouble | None) -> Account:
    """Return an account with its trouble, which makes it neither busy nor silent."""
    if trouble is None:
        return account
    since, until = _SPANS[trouble]
    names = account.names
    if trouble == "renamed":
        old = account.names[-1][1]
        # From the platform's domain to one of their own, or from one of their own to another.
        new = old.replace(".bsky.social", ".zz.example") if old.endswith(".bsky.social") else f"new-{old}"
        names = (*names, (since, new))
    return replace(account, names=names, trouble=trouble, since=since, until=until, activity="steady")


@cache
def successor_of(account: Account) -> Account:
    """Return the account on another host to which a Mastodon account moved."""
    number = _number("successor", account.account_id)
    return replace(
        account,
        number=number,
        host=SUCCESSOR_HOST,
        home=SUCCESSOR_HOST,
        opened_at=account.since - dt.timedelta(days=1),
        is_listed=False,
        trouble=None,
        since=END,
        until=None,
    )


@cache
def host_troubles() -> dict[str, HostTrouble]:
    """Return what befalls whole hosts: the small hosts in the order of their names, else one made up for it."""
    small = sorted({a.host for a in listed_accounts() if a.host} - {MAIN_HOST})
    return {
        small[n] if n < len(small) else made_up: trouble for n, (trouble, made_up) in enumerate(_HOST_TROUBLES)
    }


@cache
def lonely_accounts() -> tuple[Account, ...]:
    """Return one account of nobody's for each host in trouble that no listed account is on."""
    inhabited = {a.host for a in listed_accounts()}
    return tuple(
        Account(
            "mastodon",
            "stranger",
            _number("lonely", host),
            ((START - dt.timedelta(days=400), "zzlonely"),),
            START - dt.timedelta(days=400),
            f"{CANARY}-name-lonely",
            host=host,
            home=host,
        )
        for host in host_troubles()
        if host not in inhabited
    )


@cache
def hosts() -> tuple[str, ...]:
    """Return every Mastodon host of the fictional network."""
    listed = {a.host for a in listed_accounts() if a.host}
    return tuple(sorted(listed | set(host_troubles()) | {MAIN_HOST, SUCCESSOR_HOST}))


@cache
def strangers(platform: Platform, host: str = "") -> tuple[Account, ...]:
    """Return the other people of a network, as one host sees them: some live on a host far away."""
    return tuple(_stranger(platform, host, n) for n in range(_STRANGERS[platform]))


@cache
def taken_down_stranger() -> Account:
    """Return somebody on Bluesky whose account was taken down before the twelve weeks began."""
    since, until = _SPANS["taken_down"]
    stranger = _stranger("bluesky", "", _STRANGERS["bluesky"])
    return replace(stranger, trouble="taken_down", since=since, until=until)


_STRANGERS: Final[dict[Platform, int]] = {"bluesky": 90, "mastodon": 40}


def _stranger(platform: Platform, host: str, n: int) -> Account:
    """Return one stranger; whatever names them is a canary."""
    opened = START - dt.timedelta(days=60 + int(700 * fraction("stranger", platform, n)))
    if platform == "bluesky":
        return Account(
            "bluesky",
            "stranger",
            _did("canaryauthor", n),
            ((opened, f"canary-author-{n}.zz.example"),),
            opened,
            f"{CANARY}-author-{n}",
        )
    return Account(
        "mastodon",
        "stranger",
        _number("stranger", host, n),
        ((opened, f"canary_author_{n}"),),
        opened,
        f"{CANARY}-author-{n}",
        host=host,
        home="canary-far.example" if n % 3 == 0 else host,
    )


def _did(label: str, key: object) -> str:
    """Return a DID in the right shape: 24 characters from a to z and 2 to 7."""
    letters = "".join(chr(ord("a") + int(fraction(label, key, i) * 26)) for i in range(10))
    return f"did:plc:{(label + letters)[:24]:2<24}"


def _number(*labels: object) -> str:
    """Return an account's number at a Mastodon host."""
    return str(109_300_000_000_000_000 + int(fraction("number", *labels) * 1e14))


def followers_at(account: Account, now: dt.datetime) -> int:
    """Return how many follow an account: more each week, or fewer with some."""
    base = _audience(account)
    weeks = (now - START) / dt.timedelta(weeks=1)
    return max(0, base + round(base * weeks * (fraction("growth", account.account_id) * 0.02 - 0.003)))


@cache
def _audience(account: Account) -> int:
    """Return how many followed an account when the twelve weeks began."""
    drawn = fraction("followers", account.account_id)
    if account.owner == "council":
        least, most = {"heavy": (4000, 20000), "middling": (400, 3000), "silent": (15, 200)}[account.tier]
        return round(float(least * (most / least) ** drawn))
    return round(float(20 * (40 if account.activity == "silent" else 150) ** drawn))


def following_at(account: Account, now: dt.datetime) -> int:
    """Return how many an account follows."""
    days = max(0, (now - START).days)
    return int(30 + 600 * fraction("following", account.account_id) ** 2) + days // 9
