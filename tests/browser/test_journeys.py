"""What people do on the site in a real Chromium: find a council by keyboard, read its chart, take its figures."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
from pathlib import Path

import openpyxl
import pytest
from playwright.sync_api import Browser, Page

from tests.browser.chromium import visiting
from tests.browser.serving import Served

pytestmark = pytest.mark.browser


def tab_to(page: Page, selector: str, most: int = 60) -> None:
    """Press Tab until the element has the focus; fails where the keyboard does not reach it."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{most} times Tab do not reach {selector}")


@pytest.mark.parametrize(
    ("written", "typed"), [("Kettlemarsh", "kettlem"), ("Kettlemârsh", "TLEMAR"), ("Kettlemarsh", "ttlemâr")]
)
def test_a_council_is_found_by_part_of_its_name_with_the_keyboard_alone(
    browser: Browser, site: Served, written: str, typed: str
) -> None:
    """Accents count neither in the name nor in what is typed; no name of the sample has one, so one gets it."""
    with visiting(browser, site.address) as visit:
        page = visit.page
        home = (site.folder / "index.html").read_text(encoding="utf-8").replace("Kettlemarsh", written)
        page.route("**/index.html", lambda route: route.fulfill(body=home, content_type="text/html"))
        page.goto(f"{site.address}/index.html")
        tab_to(page, "#find-council")
        page.keyboard.type(typed)
        found = page.locator("#council-list a:visible").all_text_contents()
        assert found
        assert all(written in name for name in found)
        assert page.get_by_role("status").inner_text().startswith(f"{len(found)} council")
        tab_to(page, "a[href='authorities/ZZB.html']")
        page.keyboard.press("Enter")
        page.wait_for_url("**/authorities/ZZB.html")
        assert "Kettlemarsh" in page.locator("h1").inner_text()


def test_a_name_that_no_council_has_is_answered_in_words(browser: Browser, site: Served) -> None:
    with visiting(browser, site.address) as visit:
        visit.page.goto(f"{site.address}/index.html")
        visit.page.get_by_label("Part of its name").fill("qqq <b>")
        assert visit.page.get_by_role("status").inner_text() == "0 councils found"
        assert visit.page.locator("#council-list a:visible").count() == 0


def test_the_skip_link_is_the_first_thing_the_keyboard_reaches(browser: Browser, site: Served) -> None:
    with visiting(browser, site.address) as visit:
        page = visit.page
        page.goto(f"{site.address}/datasets/findings.html")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main-content"


def test_from_a_councils_name_to_its_chart_and_to_a_spreadsheet_that_opens(
    browser: Browser, site: Served, tmp_path: Path
) -> None:
    """The way of a member of the public on a phone, with the accounts of the council found again in the file."""
    with visiting(browser, site.address, width=390, height=844) as visit:
        page = visit.page
        page.goto(f"{site.address}/index.html")
        page.get_by_label("Part of its name").fill("kettlem")
        page.locator("#council-list a:visible").first.click()
        page.wait_for_url("**/authorities/ZZB.html")
        assert page.locator("figure svg.chart").first.is_visible()
        assert page.locator("figure figcaption").first.inner_text()
        handle = page.locator("table:has(#authority-accounts) tbody tr").first.inner_text()
        page.get_by_role("link", name="Datasets").first.click()
        page.wait_for_url("**/index.html#datasets")
        with page.expect_download() as coming:
            page.locator("a[download][href$='/authority_accounts.xlsx']").click()
        file = tmp_path / coming.value.suggested_filename
        coming.value.save_as(file)
    rows = list(openpyxl.load_workbook(file, read_only=True).worksheets[0].iter_rows(values_only=True))
    header = [str(cell) for cell in rows[0]]
    mine = [
        dict(zip(header, row, strict=True)) for row in rows[1:] if row[header.index("authority_code")] == "ZZB"
    ]
    assert any(str(row["handle"]) in handle for row in mine)
    office = shutil.which("soffice")
    assert office or not os.environ.get("CI"), "where everything is asked for, LibreOffice must be there"
    if office:
        run = [
            office,
            f"-env:UserInstallation={(tmp_path / 'office').as_uri()}",
            "--headless",
            "--convert-to",
            "csv",
        ]
        subprocess.run([*run, "--outdir", str(tmp_path), str(file)], check=True, capture_output=True, timeout=180)
        assert "ZZB" in file.with_suffix(".csv").read_text(encoding="utf-8")


def test_the_status_warns_by_the_readers_own_clock(browser: Browser, site: Served) -> None:
    with visiting(browser, site.address) as visit:
        page = visit.page
        page.goto(f"{site.address}/status.html")
        limit = dt.datetime.fromisoformat(page.locator("#stale-from").get_attribute("datetime") or "")
        for clock, warned in ((limit - dt.timedelta(minutes=1), False), (limit, True)):
            page.clock.set_fixed_time(clock)
            page.reload()
            assert page.locator("#stale-by-now").is_visible() == warned
