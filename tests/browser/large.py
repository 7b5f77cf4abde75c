"""Large files of a real public dataset, written as a release writes them, on which the look-up is tried."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import duckdb
from playwright.sync_api import Page

from pipelines.assets import PROJECT
from pipelines.contract import to_arrow
from pipelines.release.tables import write_parquet
from tests.browser.serving import Served

CONTRACT = PROJECT.contracts["public.account_activity_weekly"]
AUTHORITIES = 400
WEEKS = 104

# Two years of every account. Counts have long tails, two in five accounts are silent, as on the platforms; hashes
# take the place of chance, so that the same number of rows gives the same file.
ROWS = f"""
with numbered as (
  select range as n, range * {AUTHORITIES} // $rows as authority, range // {WEEKS} as account,
    range % {WEEKS} as week
  from range($rows)
), drawn as (
  select *, (hash(account) % 1000) / 1000 as size, (hash(n, 1) % 1000) / 1000 as luck,
    (hash(n, 2) % 1000) / 1000 as echo
  from numbered
), counted as (
  select *, if(size < 0.4, 0, (exp(size * 4) * luck)::bigint) as posts from drawn
), answered as (
  select *, (posts * exp(echo * 4 * size))::bigint as likes, (posts * echo)::bigint as back from counted
)
select
  'A' || lpad((authority)::varchar, 3, '0') as authority_code,
  if(account % 2 = 0, 'bluesky', 'mastodon') as platform,
  'did:plc:' || substr(md5(account::varchar), 1, 24) as account_id,
  'account' || account || '.example' as handle,
  date '2024-11-25' + (week * 7)::integer as week_on,
  strftime(week_on, '%G-W%V') as iso_week,
  7::bigint as days_read,
  posts,
  posts // 9 as quotes,
  (posts * luck)::bigint // 2 as replies,
  (posts * echo)::bigint as reposts,
  likes as likes_received,
  likes // 7 as reposts_received,
  back as replies_received,
  back // 5 as quotes_received,
  likes_received + reposts_received + replies_received + quotes_received as engagement,
  if(posts = 0, null, round(engagement / posts, 1)) as engagement_median,
  week < {WEEKS} - 4 as is_mature,
  if(posts = 0, null, round(luck, 3)) as out_of_hours_share,
  (exp(size * 10)::bigint + week * (account % 7))::bigint as followers,
  (size * 2000)::bigint as following
from answered order by authority_code, platform, account_id, week_on
"""


def write_activity(path: Path, rows: int) -> None:
    """Write `rows` rows of weekly activity of accounts of 400 authorities, an equal part each."""
    con = duckdb.connect(":memory:")
    try:
        con.execute(f"set temp_directory = '{path.parent / 'spilled'}'")
        table = con.execute(ROWS, {"rows": rows}).to_arrow_table().cast(to_arrow(CONTRACT))
    finally:
        con.close()
    write_parquet(table, CONTRACT, path)


def large_site(public: Path, folder: Path, rows: int) -> Path:
    """A copy of a public folder whose weekly activity has `rows` rows of 400 authorities; returns the copy."""
    shutil.copytree(public, folder)
    (release,) = (folder / "v").iterdir()
    write_activity(release / "account_activity_weekly.parquet", rows)
    con = duckdb.connect(":memory:")
    try:
        contract = PROJECT.contracts["public.authorities"]
        table = con.execute(
            "select a.* replace ('A' || lpad(n::varchar, 3, '0') as authority_code, "
            "'Council ' || n as official_name) "
            f"from (select * from '{release / 'authorities.parquet'}' limit 1) as a, "
            f"(select range as n from range({AUTHORITIES})) order by 1"
        ).to_arrow_table()
    finally:
        con.close()
    write_parquet(table.cast(to_arrow(contract)), contract, release / "authorities.parquet")
    return folder


@dataclass(frozen=True)
class Cost:
    """What a look-up asked of the server, the list of councils included, and what the page said in the end."""

    requests: int
    bytes: int
    said: str


def look_up(page: Page, served: Served, council: str) -> Cost:
    """Look a council up on the open page of a dataset; counted from opening the page, without page and scripts."""
    page.goto(f"{served.address}/datasets/account_activity_weekly.html")
    served.asked.clear()
    page.reload()
    page.get_by_label("Council", exact=True).focus()
    page.get_by_label("Council", exact=True).select_option(label=council)
    page.get_by_role("button", name="Show its rows").click()
    page.locator("#lookup-rows").wait_for()
    asked = [answer for answer in served.asked if answer.path.endswith(".parquet")]
    return Cost(
        len(asked), sum(answer.sent for answer in asked), page.locator("#lookup [role=status]").inner_text()
    )
