"""A page on which readers ask the released tables with SQL, in their own browser.

Belongs here: the page, and the files of its engine. Does not belong here: how those are built
(`browser/build_sql.mjs`), or anything that other pages need: a site without this page is whole.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pipelines.settings import SettingsError
from pipelines.site.page import Page
from pipelines.site.released import Released

FOLDER = "sql"  # below public/, and wholly the site's
ENGINE = "duckdb-eh.wasm"
FILES = ("sql.js", "duckdb-browser-eh.worker.js", ENGINE, "licences.txt")
VARIABLE = "ENGAGEMENT_SITE_SQL"
EXAMPLE = """\
-- The ten councils whose accounts post most
select official_name, sum(posts) as posts, count(distinct account_id) as accounts
from account_activity_weekly
join authorities using (authority_code)
group by official_name
order by posts desc, official_name
limit 10"""


def engine_from(environment: Mapping[str, str] | None = None) -> Path | None:
    """The folder that `make site-sql` filled, as `ENGAGEMENT_SITE_SQL` names it; none where nothing is named.

    Errors: `SettingsError` for a folder that lacks a file.
    """
    value = (os.environ if environment is None else environment).get(VARIABLE, "").strip()
    if not value:
        return None
    folder = Path(value)
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise SettingsError(f"{VARIABLE}: {folder} lacks {', '.join(missing)}; run `make site-sql`, or unset it")
    return folder


def engine_files(engine: Path) -> dict[str, bytes]:
    """The files of the engine by their path below `public/`."""
    return {f"{FOLDER}/{name}": (engine / name).read_bytes() for name in FILES}


def sql_page(released: Released, engine: Path) -> Page:
    """The page `sql/index.html`, with a question that can be asked as it stands."""
    datasets = released.manifest.datasets
    has_example = released.has("account_activity_weekly", "authorities")
    return Page(
        f"{FOLDER}/index.html",
        "Ask with SQL",
        "sql.html",
        {
            "datasets": datasets,
            "question": EXAMPLE if has_example else f"select *\nfrom {datasets[0].name}\nlimit 20",
            "engine_bytes": (engine / ENGINE).stat().st_size,
        },
    )
