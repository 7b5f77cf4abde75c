"""What the site costs for a whole country: `python -m tests.benchmarks.site [--authorities 400] [--weeks 104]`.

The sample world is published once and its busiest council is multiplied, each copy under a code and a name of its
own, with its accounts, weeks, months and coverage. The site is built of that release, and built again. What is
printed are seconds, bytes of the largest pages, and what a second build writes; nothing is asserted about time.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import duckdb

from pipelines.release.manifest import read_manifest, to_json
from pipelines.release.metadata.publisher import Publisher
from pipelines.site.build import build_site
from tests.conftest import publish

BY_AUTHORITY = (
    "account_activity_weekly",
    "account_adoption",
    "authorities",
    "authority_accounts",
    "authority_engagement_monthly",
    "coverage",
)
HEAVY = "ZZY"  # the council of the sample with the most accounts that are read


def multiply(folder: Path, authorities: int, weeks: int) -> None:
    """Copy the sample's busiest council until there are that many authorities, each with that many weeks."""
    con = duckdb.connect(":memory:")
    (present,) = con.execute(f"select count(*) from '{folder / 'authorities.parquet'}'").fetchone() or (0,)
    missing = authorities - present
    con.execute(
        f"create table copies as select 'B' || lpad(n::varchar, 3, '0') as code from range({missing}) r(n)"
    )
    for name in BY_AUTHORITY:
        file = folder / f"{name}.parquet"
        named = ", 'Council of ' || c.code as official_name, c.code as nice_name" if name == "authorities" else ""
        con.execute(
            f"create table grown as select * from '{file}' union all by name "
            f"select t.* replace (c.code as authority_code{named}) from '{file}' t, copies c "
            f"where t.authority_code = '{HEAVY}'"
        )
        if name == "account_activity_weekly":
            con.execute(
                "create or replace table grown as select g.* replace (week_on - (7 * n)::integer as week_on) "
                f"from grown g, range({weeks}) r(n) where week_on = (select max(week_on) from grown)"
            )
        con.execute(f"copy (from grown order by authority_code) to '{file}' (format parquet)")
        (rows,) = con.execute("select count(*) from grown").fetchone() or (0,)
        con.execute("drop table grown")
        _tell(folder, name, rows)
    con.close()


def _tell(folder: Path, name: str, rows: int) -> None:
    """Let the manifest say how many rows a dataset has now."""
    manifest = read_manifest(folder)
    datasets = tuple(d.model_copy(update={"rows": rows}) if d.name == name else d for d in manifest.datasets)
    (folder / "manifest.json").write_bytes(to_json(manifest.model_copy(update={"datasets": datasets})))


def main() -> None:
    """Publish, multiply, build twice, print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--authorities", type=int, default=400)
    arguments.add_argument("--weeks", type=int, default=104)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        assert publish(home).success
        public = home / "public"
        multiply(next((public / "v").iterdir()), given.authorities, given.weeks)
        for what in ("built", "built again"):
            start, used = time.perf_counter(), time.process_time()
            outcome = build_site(public, Publisher())
            seconds, processor = time.perf_counter() - start, time.process_time() - used
            print(f"{what}: {outcome.pages} pages, {outcome.changed} files written")
            print(f"  {seconds:.1f} s, {processor:.1f} s of processors")
        pages = sorted(
            (p for p in public.rglob("*.html") if "v" not in p.relative_to(public).parts),
            key=lambda p: -p.stat().st_size,
        )
        for page in pages[:5]:
            print(f"{page.stat().st_size:>8,} bytes  {page.relative_to(public)}")


if __name__ == "__main__":
    main()
