"""The look-up in the browser: right rows, few requests, sentences for what goes wrong, a build that repeats."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from playwright.sync_api import Browser

from pipelines.settings import Home
from tests.browser.chromium import PARTS, ROOT, npm_part, visiting
from tests.browser.large import AUTHORITIES, large_site, look_up
from tests.browser.serving import Served, serving
from tests.browser.test_pages import violations

pytestmark = pytest.mark.browser

MOST_REQUESTS = 8
MOST_BYTES = 1_000_000
ROWS = 2_000_000
PAGE = "datasets/account_activity_weekly.html"


@pytest.fixture(scope="module")
def large(sample_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = large_site(sample_home.public, tmp_path_factory.mktemp("large") / "public", ROWS)
    with serving(folder) as served:
        yield served


def activity(served: Served) -> Path:
    return next((served.folder / "v").iterdir()) / "account_activity_weekly.parquet"


@pytest.mark.parametrize("council", [0, 49, 200, AUTHORITIES - 1])  # the first, two groups of rows, one, the last
def test_one_council_is_read_with_few_requests_and_few_bytes(
    browser: Browser, large: Served, council: int
) -> None:
    with visiting(browser, large.address) as visit:
        cost = look_up(visit.page, large, f"Council {council}")
        expected = duckdb.execute(
            "select authority_code, platform, account_id, handle, week_on::varchar, iso_week, days_read::varchar, "
            f"posts::varchar, quotes::varchar, replies::varchar from '{activity(large)}' where authority_code = ? "
            "order by platform, account_id, week_on limit 50",
            [f"A{council:03}"],
        ).fetchall()
        body = "table:has(#lookup-rows) tbody tr"
        shown = [tuple(row.locator("th, td").all_text_contents()) for row in visit.page.locator(body).all()]
        assert shown == expected[:25]
        assert f"25 of {ROWS // AUTHORITIES:,} rows about Council {council}." in cost.said
        assert cost.requests <= MOST_REQUESTS
        assert cost.bytes <= MOST_BYTES
        assert {answer.status for answer in large.asked if answer.path.endswith(".parquet")} == {206}
        visit.page.get_by_role("button", name="Show 25 more").click()
        visit.page.get_by_text("50 of").wait_for()
        shown = [tuple(row.locator("th, td").all_text_contents()) for row in visit.page.locator(body).all()]
        assert shown == expected
        assert (visit.refused, visit.complaints) == ([], [])


@pytest.mark.parametrize("width", [1200, 390])
def test_the_table_that_is_shown_is_accessible(browser: Browser, site: Served, width: int) -> None:
    with visiting(browser, site.address, width=width) as visit:
        page = visit.page
        page.goto(f"{site.address}/{PAGE}")
        page.get_by_label("Council", exact=True).focus()
        page.get_by_label("Council", exact=True).select_option(value="ZZB")
        page.get_by_role("button", name="Show its rows").click()
        page.locator("#lookup-rows").wait_for()
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_council_without_rows_and_no_choice_are_answered_in_words(browser: Browser, site: Served) -> None:
    (release,) = (site.folder / "v").iterdir()
    (code,) = duckdb.execute(
        f"select authority_code from '{release}/authorities.parquet' "
        f"anti join '{release}/account_activity_weekly.parquet' using (authority_code) limit 1"
    ).fetchall()[0]
    with visiting(browser, site.address) as visit:
        page = visit.page
        page.goto(f"{site.address}/{PAGE}")
        said = page.locator("#lookup [role=status]")
        page.get_by_label("Council", exact=True).focus()
        page.get_by_role("button", name="Show its rows").click()
        assert said.inner_text() == "Choose a council first."
        page.get_by_label("Council", exact=True).select_option(value=code)
        page.get_by_role("button", name="Show its rows").click()
        page.get_by_text("This dataset has no rows about").wait_for()


def test_a_server_that_sends_whole_files_is_told_apart(browser: Browser, sample_home: Home) -> None:
    with serving(sample_home.public) as plain, visiting(browser, plain.address) as visit:
        plain.ranges = False
        visit.page.goto(f"{plain.address}/{PAGE}")
        visit.page.get_by_role("button", name="Show its rows").hover(force=True)
        visit.page.get_by_text("This server sends whole files only").wait_for()


def test_the_script_is_what_its_sources_make(tmp_path: Path) -> None:
    npm_part("hyparquet/package.json")
    folder = ROOT / "pipelines" / "site"
    built = tmp_path / "lookup.js"
    subprocess.run([folder / "browser" / "build.sh", PARTS, built], check=True, timeout=120)
    assert built.read_bytes() == (folder / "assets" / "lookup.js").read_bytes(), "run `make site-scripts`"
    assert "eval(" not in built.read_text(encoding="utf-8")
    assert "WebAssembly" not in built.read_text(encoding="utf-8")
