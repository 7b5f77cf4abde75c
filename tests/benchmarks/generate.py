"""Observations of any size for benchmarks, made by DuckDB from hashes: the same arguments give the same files.

Belongs here: a folder of pulls as the store lays them out, and the tables about owners and areas that the models
need beside them. Does not belong here: measuring anything. The shape is that of the real thing: one pull a day and
platform, activity that differs a thousandfold between accounts, quiet nights and weekends, posts that are observed
again while they mature, hidden counts, reposts, replies, posts that are deleted, accounts that disappear.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import shutil
from pathlib import Path

import duckdb
from pydantic_core import to_json

TABLES = ("account", "profile", "post", "reply")
AGES = (0, 1, 3, 7, 14, 28)  # days at which a post is observed
LAST_DAY = dt.date(2026, 8, 31)
DAYS_A_MONTH = 30.4375
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


def generate(home: Path, observations: int, accounts: int, authorities: int, months: int) -> None:
    """Write about `observations` observations of posts under `home/observations`, and `home/owners`.

    `home/owners` holds `authority.parquet` and `account_owner.parquet`, with the columns of `clean.authority` and
    `model.account_owner`. One account in ten is a council's. `home/observations` is replaced.
    """
    folder = home / "observations"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (home / "owners").mkdir(parents=True, exist_ok=True)
    days = round(months * DAYS_A_MONTH)
    first = LAST_DAY - dt.timedelta(days=days - 1)
    con = duckdb.connect()
    try:
        con.execute("set preserve_insertion_order = false; set enable_progress_bar = false; set timezone = 'UTC'")
        con.execute("set memory_limit = '3GB'; set partitioned_write_max_open_files = 200")
        _make_owners(con, home / "owners", accounts, authorities)
        _make_observations(con, observations, first, days)
        for table in TABLES:
            _write(con, folder, table)
    finally:
        con.close()
    _name_files(folder)


def _make_owners(con: duckdb.DuckDBPyConnection, folder: Path, accounts: int, authorities: int) -> None:
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
        [authorities, authorities, authorities],
    )
    # Five of six accounts are on Bluesky. Activity falls off as accounts go on; one in five hardly ever posts.
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
          hash(a, 4) % 400 = 0 as disappears
        from range(?) as t(a)
        """,
        [accounts],
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


def _make_observations(con: duckdb.DuckDBPyConnection, observations: int, first: dt.date, days: int) -> None:
    """Posts spread over the days, and one view for each observed table that says what each pull saw."""
    kept = sum(max(0, days - age) for age in AGES) / days  # the last days' posts are not observed to the end
    con.execute("create table setting as select ? as first, ? as days", [first, days])
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
          a, platform, account_id, disappears, h, k, p,
          cast(h % (select days from setting) as bigint) as day,
          -- Two thirds of posts fall between eight and eighteen o'clock.
          case when h // 1000 % 3 < 2 then 8 * 3600 + cast(h // 7919 % 36000 as bigint)
            else cast(h // 7919 % 86400 as bigint) end as second,
          case when k % 20 < 11 then 'post' when k % 20 < 15 then 'reply' when k % 20 < 16 then 'quote'
            else 'repost' end as kind,
          cast(floor(3 * exp(3.5 * (k // 100 % 1000) / 1000.0) - 3) as bigint) as popularity
        from dated
        """,
        [observations / kept],
    )
    con.execute(
        """
        create table pull as
        select
          platform, day, cast(first + cast(day as integer) as date) as observed_on,
          strftime(first + cast(day as integer), '%Y%m%d') || 'T230000Z-'
            || substr(md5(platform || day), 1, 8) as pull_id,
          cast(first + cast(day as integer) as timestamp) + interval 23 hour as started_at
        from setting, range((select days from setting)) as t(day),
          (values ('bluesky'), ('mastodon')) as p(platform)
        """
    )
    moment = "pull.started_at + interval 1 second * (a % 3000)"
    frame = f"pull.platform, pull.observed_on, pull.pull_id, {moment} as observed_at"
    ages = ", ".join(f"({age})" for age in AGES)
    # An account that disappears does so half way; its posts are then no longer observed.
    seen = "(not disappears or pull.day * 2 < (select days from setting))"
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
            pull.observed_on - age as posted_on
          from post cross join (values {ages}) as ages(age)
          join pull on pull.platform = post.platform and pull.day = post.day + age
          where {seen} and not (age > 14 and k // 7 % 60 = 0)
        )
        select
          platform, observed_on, pull_id, observed_at, account_id, 'post-' || a || '-' || p as post_id, kind,
          least(cast(posted_on as timestamp) + interval 1 second * second, observed_at) as posted_at,
          least(cast(posted_on as timestamp) + interval 1 second * second, observed_at) as claimed_at,
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
          cast(pull.observed_on - 7 as timestamp) + interval 1 second * (second + 60 * n) as received_at,
          case when hash(a, p, n) % 3 = 0 then cast(pull.observed_on - 7 as timestamp)
            + interval 1 second * (second + 60 * n + cast(hash(n, p, a) % 200000 as bigint)) end as answered_at
        from post
        join pull on pull.platform = post.platform and pull.day = post.day + 7
        cross join range(1, 4) as t(n)
        where {seen} and a % 10 = 0 and kind <> 'repost' and n <= popularity // 8
        """
    )


def _write(con: duckdb.DuckDBPyConnection, folder: Path, table: str) -> None:
    con.execute(
        f"copy (select * from see_{table}) to '{folder}' (format parquet, compression zstd, "
        f"partition_by (platform, observed_on, pull_id), overwrite_or_ignore, filename_pattern '{table}_{{i}}')"
    )


def _name_files(folder: Path) -> None:
    """One file per table and pull, under the store's names, and the record of each pull beside them."""
    import pyarrow.parquet as pq

    for place in sorted(folder.glob("platform=*/observed_on=*/pull_id=*")):
        rows = dict.fromkeys(TABLES, 0)
        for table in TABLES:
            parts = sorted(place.glob(f"{table}_*.parquet"))
            if len(parts) > 1:
                pq.write_table(pq.read_table(parts), place / f"{table}.parquet", compression="zstd")
                for part in parts:
                    part.unlink()
            elif parts:
                parts[0].rename(place / f"{table}.parquet")
            if parts:
                rows[table] = pq.read_metadata(place / f"{table}.parquet").num_rows
        _write_record(place, rows)


def _write_record(place: Path, rows: dict[str, int]) -> None:
    platform, observed_on, pull_id = (part.split("=", 1)[1] for part in place.parts[-3:])
    started = f"{observed_on}T23:00:00Z"
    record = {
        "pull_id": pull_id,
        "platform": platform,
        "observed_on": observed_on,
        "started_at": started,
        "ended_at": f"{observed_on}T23:50:00Z",
        "outcomes": {"observed": rows["account"]},
        "rows": rows,
        "quarantined": {},
    }
    (place / "pull.json").write_bytes(to_json(record, indent=2))


def digest(folder: Path) -> str:
    """A hash over the names and the bytes of all files below a folder."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return found.hexdigest()
