"""A page per authority: its accounts, what they did, how that compares, and what is missing and why.

Belongs here: gathering the released rows of one authority, and the peers it is held against. Does not belong here:
measures of its own beyond sums and quartiles of released rows; each is named with the dataset it comes from.

Tables are read once for all authorities, so that four hundred pages cost a dozen queries.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median, quantiles

from markupsafe import Markup

from pipelines.release.pages import MONTHS
from pipelines.site.charts import Mark, columns, marks, percent, plain, round_top
from pipelines.site.page import Page
from pipelines.site.released import Released, Row

WEEKS = 26  # of the chart
COMPARED_WEEKS = 12  # of `compared.sql`: the window of the datasets about areas
LEAST_PEERS = 5  # quartiles of fewer say more about single councils than about a group
# One and several; the codes are those of the contract of `authority_type`.
TYPES: Mapping[str, tuple[str, str]] = {
    "CC": ("city corporation", "city corporations"),
    "COMB": ("combined authority", "combined authorities"),
    "CTY": ("county council", "county councils"),
    "LBO": ("London borough", "London boroughs"),
    "MD": ("metropolitan district", "metropolitan districts"),
    "NID": ("district of Northern Ireland", "districts of Northern Ireland"),
    "NMD": ("non-metropolitan district", "non-metropolitan districts"),
    "SCO": ("council area of Scotland", "council areas of Scotland"),
    "SRA": ("strategic regional authority", "strategic regional authorities"),
    "UA": ("unitary authority in England", "unitary authorities in England"),
    "WPA": ("principal area of Wales", "principal areas of Wales"),
}
PLATFORMS = {
    "bluesky": "Bluesky",
    "facebook": "Facebook",
    "instagram": "Instagram",
    "linkedin": "LinkedIn",
    "mastodon": "Mastodon",
    "threads": "Threads",
    "tiktok": "TikTok",
    "x": "X",
    "youtube": "YouTube",
}
# Why figures are missing, in the words of the dataset `coverage` and in ours.
COLLECTION = {
    "observed": "Posts are read.",
    "not collected": "Posts are not read: nothing is collected from this platform, or no account is known.",
    "unreachable": "Posts are not read: the account did not answer.",
    "moved": "Posts are not read: the account has moved.",
    "opted out": "Posts are not read: the account asks not to be shown to visitors.",
    "restricted": "Posts are not read: the account is restricted.",
}


@dataclass(frozen=True)
class Measure:
    """One number by which councils are compared; `column` is the name in the query, `words` how it is written."""

    column: str
    title: str
    words: Callable[[float], str]
    meaning: str


MEASURES = (
    Measure("posts_a_week", "Posts a week", plain, "posts, replies and quotes of all its accounts that are read"),
    Measure("reply_share", "Share of replies among its posts", percent, "replies divided by posts"),
    Measure("engagement_a_post", "Engagement for each post", plain, "likes, reposts, replies and quotes received"),
    Measure("followers", "Followers", plain, "of all its accounts that are read, as last observed"),
)


@dataclass(frozen=True)
class Comparison:
    """One measure of one authority beside its peers; `groups` have words, count, lower quartile, median, upper."""

    measure: Measure
    own: float
    groups: tuple[tuple[str, int, tuple[float, float, float] | None], ...]
    chart: Markup


@dataclass(frozen=True)
class Activity:
    """The weeks of an authority's accounts, the oldest first, None where no account was read."""

    weeks: tuple[tuple[dt.date, Row | None], ...]
    chart: Markup

    @property
    def newest(self) -> tuple[tuple[dt.date, Row], ...]:
        """The weeks that were read, the newest first, as many as the chart has."""
        return tuple((day, row) for day, row in reversed(self.weeks) if row)


@dataclass(frozen=True)
class Everything:
    """The released rows that authority pages show, by authority."""

    authorities: Mapping[str, Row]
    successors_of: Mapping[str, Sequence[str]]
    tables: Mapping[str, Mapping[str, Sequence[Row]]]
    weeks: Sequence[dt.date]

    def of(self, table: str, code: str) -> Sequence[Row]:
        """The rows of a table about one authority."""
        return self.tables[table].get(code, ())


# By query (`queries/<name>.sql`): the dataset that it needs.
QUERIES = {
    "accounts": "authority_accounts",
    "adoption": "account_adoption",
    "coverage": "coverage",
    "months": "authority_engagement_monthly",
    "weeks": "account_activity_weekly",
    "compared": "account_activity_weekly",
}


def gather(released: Released) -> Everything:
    """Read everything that the pages show, once."""
    authorities = {row["authority_code"]: row for row in released.rows("select * from authorities")}
    before: dict[str, list[str]] = defaultdict(list)
    for code, row in sorted(authorities.items()):
        for successor in codes(row["successor_codes"]):
            before[successor].append(code)
    tables = {
        name: _by_authority(released.query(name) if released.has(dataset) else [])
        for name, dataset in QUERIES.items()
    }
    weeks = sorted({row["week_on"] for rows in tables["weeks"].values() for row in rows})
    return Everything(authorities, before, tables, weeks[-WEEKS:])


def _by_authority(rows: Sequence[Row]) -> Mapping[str, Sequence[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["authority_code"]].append(row)
    return found


def codes(joined: str | None) -> list[str]:
    """The codes of a column that holds several, such as `successor_codes`."""
    return joined.split() if joined else []


def authority_pages(released: Released) -> Iterator[Page]:
    """The pages `authorities/<authority_code>.html` of the newest release, those that ended included."""
    everything = gather(released)
    for code in sorted(everything.authorities):
        yield authority_page(everything, code, released)


def authority_page(everything: Everything, code: str, released: Released) -> Page:
    """The page of one authority."""
    row = everything.authorities[code]
    named = partial(_named, everything)
    return Page(
        f"authorities/{code}.html",
        str(row["official_name"]),
        "authority.html",
        {
            "authority": row,
            "type_words": TYPES.get(row["authority_type"], (row["authority_type"],))[0],
            "successors": named(codes(row["successor_codes"])),
            "predecessors": named(everything.successors_of.get(code, ())),
            "belongs_to": named([c for c in (row["county_code"], row["combined_authority_code"]) if c]),
            "accounts": everything.of("accounts", code),
            "activity": _activity(everything, code),
            "comparisons": _comparisons(everything, code),
            "compared_weeks": COMPARED_WEEKS,
            "least_peers": LEAST_PEERS,
            "adoption": everything.of("adoption", code),
            "adoption_chart": _adoption_chart(everything.of("adoption", code), str(row["nice_name"])),
            "months": everything.of("months", code),
            "coverage": everything.of("coverage", code),
            "platforms": PLATFORMS,
            "collection": COLLECTION,
            "next_expected": released.next_expected,
        },
    )


def _named(everything: Everything, found: Sequence[str]) -> list[tuple[str, str]]:
    """Codes with their names; a code that the release does not hold stays a code without a page."""
    return [
        (c, str(everything.authorities[c]["official_name"]) if c in everything.authorities else "") for c in found
    ]


# --- charts -------------------------------------------------------------------------------------------------


def _activity(everything: Everything, code: str) -> Activity | None:
    found = {row["week_on"]: row for row in everything.of("weeks", code)}
    if not found:
        return None
    weeks = tuple((day, found.get(day)) for day in everything.weeks)
    name = (
        f"Posts in each of {len(weeks)} weeks; a dash stands for a week that was not read. The table has them all."
    )
    ticks = [(n, short_day(day)) for n, (day, _) in enumerate(weeks) if n % 8 == 0]
    values = [None if row is None else float(row["posts"]) for _, row in weeks]
    return Activity(weeks, columns(values, ticks, name))


def short_day(day: dt.date) -> str:
    """A day without its year, such as 5 Oct."""
    return f"{day.day} {MONTHS[day.month - 1][:3]}"


def _adoption_chart(rows: Sequence[Row], name: str) -> Markup | None:
    shown = [row for row in rows if row["account_share"] is not None]
    if not shown:
        return None
    drawn = [
        Mark(
            PLATFORMS.get(row["platform"], str(row["platform"])),
            row["account_share"],
            row["account_share_low"],
            row["account_share_high"],
        )
        for row in shown
    ]
    return marks(
        drawn, f"Share of the seats of {name} whose holder has an account, by platform, with 95% intervals."
    )


def _comparisons(everything: Everything, code: str) -> list[Comparison]:
    own = next(iter(everything.of("compared", code)), None)
    if own is None:
        return []
    name = str(everything.authorities[code]["nice_name"])
    return [_comparison(everything, own, measure, name) for measure in MEASURES if own[measure.column] is not None]


def _comparison(everything: Everything, own: Row, measure: Measure, name: str) -> Comparison:
    value = float(own[measure.column])
    groups = []
    for column, words in _groups(own):
        peers = _peers(everything, own, column, measure.column)
        groups.append((words, len(peers), quartiles(peers)))
    drawn = [Mark(name, value, kind="own")]
    drawn += [Mark(f"{count} {words}", q[1], q[0], q[2], "peer") for words, count, q in groups if q]
    highest = [value, *(q[2] for _, _, q in groups if q)]
    top = 1.0 if measure.words is percent else round_top(highest)
    said = f"{measure.title}: {name} beside the middle half of its peers, from 0 to {measure.words(top)}."
    return Comparison(measure, value, tuple(groups), marks(drawn, said, top, measure.words))


def _groups(own: Row) -> Iterator[tuple[str | None, str]]:
    """The groups that an authority is held against: a column and how its members are called, the nearest first."""
    if own["region"]:
        yield "region", f"others in {own['region']}"
    yield "authority_type", f"other {TYPES.get(own['authority_type'], ('', 'of its type'))[1]}"
    yield None, "others in the United Kingdom"


def _peers(everything: Everything, own: Row, group: str | None, column: str) -> list[float]:
    """The values of all others in a group, of everybody where it is None; who has no value is not among them."""
    return [
        float(row[column])
        for (row,) in everything.tables["compared"].values()
        if (group is None or row[group] == own[group])
        and row["authority_code"] != own["authority_code"]
        and row[column] is not None
    ]


def quartiles(values: Sequence[float]) -> tuple[float, float, float] | None:
    """Lower quartile, median and upper quartile; None of fewer than `LEAST_PEERS`.

    Quartiles include both ends (method 7 of Hyndman and Fan 1996, as numpy and R have it).
    """
    if len(values) < LEAST_PEERS:
        return None
    low, _, high = quantiles(values, n=4, method="inclusive")
    return low, median(values), high
