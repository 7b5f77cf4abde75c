"""Observations of any size for benchmarks, made by DuckDB from hashes: the same arguments give the same rows.

Belongs here: a folder of pulls as the store lays them out, and the tables about owners and areas that the models
need beside them. Does not belong here: measuring anything. The shape is that of the real thing: one pull a day and
platform, activity that differs a thousandfold between accounts, quiet nights and weekends, posts that are observed
again while they mature, hidden counts, reposts, replies, posts that are deleted, accounts that disappear.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb
from pydantic_core import to_json

from pipelines.observations import ROW_GROUP_ROWS, TABLES, PullRecord

PLATFORMS = ("bluesky", "mastodon")
AGES = (0, 1, 3, 7, 14, 28)  # days at which a post is observed
LAST_DAY = dt.date(2026, 8, 29)  # a Saturday: the days after it end a week, and a month
DAYS_A_MONTH = 30.4375
WRITERS = 2
# As in Great Britain: type of authority, nation, region, how many of a hundred.
PLACES = (
    ("NMD", "England", "South East", 12),
    ("NMD", "England", "East of England", 10),
    ("NMD", "England", "East Midlands", 9),
    ("NMD", "England", "West Midlands", 7),
    ("UA", "England", "South West", 8),
    ("UA", "England", "South East", 5),
    ("UA", "England", "Yorkshire and The Humber", 4),
    ("MD", "England", "North West", 6),
    ("MD", "England", "West Midlands", 4),
    ("MD", "England", "North East", 2),
    ("LBO", "England", "London", 9),
    ("CC", "England", "London", 1),
    ("CTY", "England", "East of England", 3),
    ("CTY", "England", "South East", 2),
    ("SCO", "Scotland", "Scotland", 9),
    ("WPA", "Wales", "Wales", 6),
    ("NID", "Northern Ireland", "Northern Ireland", 3),
)


@dataclass(frozen=True)
class Size:
    """How much to make: about `observations` of posts up to `LAST_DAY`, and the pulls of the `later` days."""

    observations: int
    accounts: int
    authorities: int
    months: int
    later: int = 7

    @property
    def days(self) -> int:
        """The days of the history."""
        return round(self.months * DAYS_A_MONTH)

    @property
    def first(self) -> dt.date:
        """The first day of the history."""
        return LAST_DAY - dt.timedelta(days=self.days - 1)


def generate(home: Path, size: Size) -> None:
    """Write `home/observations`, `home/later` with the pulls of the days that follow, and `home/owners`.

    `home/owners` holds `authority.parquet` and `account_owner.parquet`, with the columns of `clean.authority` and
    `model.account_owner`. One account in ten is a council's. Pulls that are there already are kept if they were
    made for the same size by the same text, so that what was interrupted goes on.
    """
    mark, made = home / "made.json", _made(size)
    if not mark.exists() or mark.read_bytes() != made:
        shutil.rmtree(home, ignore_errors=True)
        (home / "owners").mkdir(parents=True)
        mark.write_bytes(made)
    missing = [(place, platform, day) for place, platform, day in _pulls(home, size) if not place.exists()]
    if not missing:
        return
    con = duckdb.connect()
    try:
        con.execute("set enable_progress_bar = false; set timezone = 'UTC'; set memory_limit = '6GB'")
        _make_owners(con, home / "owners", size)
        _make_observations(con, size)
        with ThreadPoolExecutor(WRITERS) as pool:
            parts = [missing[n::WRITERS] for n in range(WRITERS)]
            list(pool.map(lambda part: _write(con.cursor(), home, size, part), parts))
    finally:
        con.close()


def _made(size: Size) -> bytes:
    text = Path(__file__).read_bytes()
    return to_json({"size": asdict(size), "generator": hashlib.sha256(text).hexdigest()}, indent=2)


def _pulls(home: Path, size: Size) -> Iterator[tuple[Path, str, int]]:
    """The folder of each pull, its platform, and its day counted from the first."""
    for day in range(size.days + size.later):
        on = size.first + dt.timedelta(days=day)
        folder = home / ("observations" if day < size.days else "later")
        for platform in PLATFORMS:
            known = hashlib.sha256(f"{platform} {on}".encode()).hexdigest()[:8]
            place = f"platform={platform}/observed_on={on}/pull_id={on:%Y%m%d}T230000Z-{known}"
            yield folder / place, platform, day


def _make_owners(con: duckdb.DuckDBPyConnection, folder: Path, size: Size) -> None:
    con.execute(
        "create table place (n bigint, authority_type varchar, nation varchar, region varchar, hundredths bigint)"
    )
    for n, place in enumerate(PLACES):
        con.execute("insert into place values (?, ?, ?, ?, ?)", [n, *place])
    con.execute(
        """
        create table authority as
        select
          'A' || chr(65 + cast(t.i // 676 % 26 as integer)) || chr(65 + cast(t.i // 26 % 26 as integer))
            || chr(65 + cast(t.i % 26 as integer)) as authority_code,
          'Authority ' || t.i as official_name, 'Authority ' || t.i as nice_name,
          'E' || lpad(cast(t.i as varchar), 8, '0') as gss_code,
          date '1974-04-01' as valid_from, cast(null as date) as valid_to, cast(null as varchar) as replaced_by,
          place.nation, place.region, place.authority_type,
          cast(null as varchar) as county_code, cast(null as varchar) as combined_authority_code,
          cast(null as varchar) as former_gss_codes, date '2026-08-31' as snapshot_on, t.i as n
        from range(?) as t(i)
        join (
          select *, sum(hundredths) over (order by n) as upto from place
        ) as place on t.i * 100 // ? >= place.upto - place.hundredths and t.i * 100 // ? < place.upto
        """,
        3 * [size.authorities],
    )
    # Five of six accounts are on Bluesky. Activity falls off as accounts go on; one in five hardly ever posts.
    # One in forty disappears in a year: gone_before says how many days before the end.
    con.execute(
        """
        create table account as
        select
          a, case when hash(a, 1) % 6 = 0 then 'mastodon' else 'bluesky' end as platform,
          case when a % 10 = 0 then 'council' else 'councillor' end as owner_kind,
          'account' || a || case when hash(a, 1) % 6 = 0 then '@host' || a % 40 || '.example'
            else '.bsky.example' end as handle,
          case when hash(a, 1) % 6 = 0 then 'host' || a % 40 || '.example/' || a
            else 'did:plc:' || lpad(cast(a as varchar), 24, '0') end as account_id,
          case when hash(a, 2) % 5 = 0 then 0.02
            else 0.3 + 40 * power(hash(a, 3) % 10000 / 10000.0, 6) end as rate,
          cast(hash(a, 4) % 14600 as bigint) as gone_before
        from range(?) as t(a)
        """,
        [size.accounts],
    )
    con.execute(
        """
        create table account_owner as
        select
          account.platform, account.handle, authority.authority_code, account.owner_kind,
          cast(null as varchar) as account_id, cast(null as date) as valid_from, cast(null as date) as valid_to
        from account
        join authority on authority.n = (account.a // 10 * 7 + case when account.a % 10 = 0 then 0
          else hash(account.a // 10) % 5 end) % (select count(*) from authority)
        """
    )
    for name, columns in (("authority", "* exclude n"), ("account_owner", "*")):
        path = folder / f"{name}.parquet"
        con.execute(f"copy (select {columns} from {name} order by all) to '{path}' (format parquet)")


def _make_observations(con: duckdb.DuckDBPyConnection, size: Size) -> None:
    """Posts spread over the days, and one view for each observed table that says what each pull saw."""
    kept = sum(max(0, size.days - age) for age in AGES)  # the last days' posts are not observed to the end
    days = size.days + size.later
    con.execute(
        "create table setting as select ? as first, ? as days, cast(? as timestamp) as since",
        [size.first, days, size.first - dt.timedelta(days=2)],
    )
    con.execute(
        """
        create table post as
        with weighed as (select *, rate / sum(rate) over () as part from account),
        numbered as (
          select account.*, unnest(range(cast(round(part * ?) as bigint))) as p from weighed as account
        ),
        dated as (
          select *, hash(a, p) as h, hash(a, p, 7) as k from numbered
        )
        select
          a, platform, account_id, gone_before, h, k, p,
          cast(h % (select days from setting) as bigint) as day,
          -- Two thirds of posts fall between eight and eighteen o'clock.
          case when h // 1000 % 3 < 2 then 8 * 3600 + cast(h // 7919 % 36000 as bigint)
            else cast(h // 7919 % 86400 as bigint) end as second,
          case when k % 20 < 11 then 'post' when k % 20 < 15 then 'reply' when k % 20 < 16 then 'quote'
            else 'repost' end as kind,
          cast(floor(3 * exp(3.5 * (k // 100 % 1000) / 1000.0) - 3) as bigint) as popularity
        from dated
        order by platform, day  -- so that the rows of a pull's days lie together
        """,
        [size.observations / kept * days],
    )
    con.execute(
        """
        create table pull as
        select platform, day, cast(first + cast(day as integer) as timestamp) + interval 23 hour as started_at
        from setting, range((select days from setting)) as t(day),
          (values ('bluesky'), ('mastodon')) as p(platform)
        """
    )
    moment = "pull.started_at + interval 1 second * (a % 3000)"
    frame = f"pull.platform, pull.day as pull_day, {moment} as observed_at"
    ages = ", ".join(f"({age})" for age in AGES)
    # The posts of an account that is gone are no longer observed.
    seen = f"(gone_before not between 1 and {days - 1} or pull.day < {days} - gone_before)"
    con.execute(
        f"""
        create view see_account as
        select
          {frame}, handle, case when {seen} or pull.day > 0 then account_id end as account_id,
          case when {seen} then 'observed' when a % 2 = 0 then 'unavailable' else 'opted_out' end as outcome,
          cast(null as varchar) as reason, cast(null as varchar) as moved_to,
          case when {seen} then case when pull.day = 0 then pull.started_at - interval 2 day
            else pull.started_at - interval 29 day end end as read_from,
          case when {seen} then {moment} end as read_to,
          case when {seen} then (select since from setting) end as read_since,
          case when {seen} then cast(hash(a, pull.day) % 50 as bigint) end as posts_read
        from account join pull on pull.platform = account.platform
        """
    )
    con.execute(
        f"""
        create view see_profile as
        select
          {frame}, account_id, handle, timestamp '2023-06-01 12:00:00' as created_at,
          cast(50 + rate * 100 + pull.day as bigint) as followers, cast(hash(a) % 900 as bigint) as following,
          cast(floor(rate * pull.day / 30) as bigint) as posts
        from account join pull on pull.platform = account.platform
        where {seen} and (pull.day + a) % 7 = 0
        """
    )
    con.execute(
        f"""
        create view see_post as
        with observed as (
          select
            {frame}, post.*, age, age = 14 and k // 7 % 60 = 0 as is_gone, kind = 'repost' as is_repost,
            popularity * least(1, 0.3 + age / 10.0) as reached,
            date_trunc('day', pull.started_at) - interval 1 day * age as posted_on
          from pull cross join (values {ages}) as ages(age)
          join post on post.platform = pull.platform and post.day = pull.day - age
          where {seen} and not (age > 14 and k // 7 % 60 = 0)
        )
        select
          platform, pull_day, observed_at, account_id, 'post-' || a || '-' || p as post_id, kind,
          least(posted_on + interval 1 second * second, observed_at) as posted_at,
          least(posted_on + interval 1 second * second, observed_at) as claimed_at,
          is_gone,
          case when not is_gone and not is_repost then cast(floor(reached) as bigint) end as likes,
          case when not is_gone and not is_repost then cast(floor(reached / 5) as bigint) end as reposts,
          case when not is_gone and not is_repost then cast(floor(reached / 4) as bigint) end as replies,
          case when not is_gone and not is_repost and platform = 'bluesky'
            then cast(floor(reached / 20) as bigint) end as quotes,
          case when not is_gone then cast(20 + k % 280 as bigint) end as text_length,
          case when not is_gone then k % 3 = 0 end as has_link,
          case when not is_gone then 'en' end as language
        from observed
        """
    )
    con.execute(
        f"""
        create view see_reply as
        select
          {frame}, account_id, 'post-' || a || '-' || p as post_id,
          pull.started_at - interval 175 hour + interval 1 second * (second + 60 * n) as received_at,
          case when hash(a, p, n) % 3 = 0 then pull.started_at - interval 175 hour
            + interval 1 second * (second + 60 * n + cast(hash(n, p, a) % 200000 as bigint)) end as answered_at
        from post
        join pull on pull.platform = post.platform and pull.day - 7 = post.day
        cross join range(1, 4) as t(n)
        where {seen} and a % 10 = 0 and kind <> 'repost' and n <= popularity // 8
        """
    )


# How the store orders the rows of a file, and the columns that stand in it.
ORDER = {
    "account": "account_id, handle, observed_at",
    "profile": "account_id, handle, observed_at",
    "post": "account_id, posted_at, post_id, observed_at",
    "reply": "account_id, post_id, received_at, observed_at",
}


def _write(con: duckdb.DuckDBPyConnection, home: Path, size: Size, pulls: Sequence[tuple[Path, str, int]]) -> None:
    """Write pulls as the store does: one file per table, the record beside them, the folder renamed when whole."""
    for place, platform, day in pulls:
        part = home / "partial" / place.name / platform
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        rows, hashes = {}, {}
        for table in TABLES:
            path = part / f"{table}.parquet"
            (rows[table],) = con.execute(
                f"copy (select * exclude (platform, pull_day) from see_{table} "
                f"where platform = '{platform}' and pull_day = {day} order by {ORDER[table]}) "
                f"to '{path}' (format parquet, compression zstd, row_group_size {ROW_GROUP_ROWS})"
            ).fetchone() or (0,)
            hashes[table] = hashlib.sha256(path.read_bytes()).hexdigest()
        on = size.first + dt.timedelta(days=day)
        started = dt.datetime.combine(on, dt.time(23), dt.UTC)
        record = PullRecord(
            pull_id=place.name.removeprefix("pull_id="),
            platform=platform,
            observed_on=on,
            started_at=started,
            ended_at=started + dt.timedelta(minutes=50),
            outcomes={"observed": rows["account"]},
            rows=rows,
            refused={},
            quarantined={},
            sha256=hashes,
        )
        (part / "pull.json").write_bytes(to_json(record, indent=2))
        place.parent.mkdir(parents=True, exist_ok=True)
        part.rename(place)
