"""Every type of page of the sample in a real Chromium: accessibility, widths, safety, and without scripts."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.chromium import npm_part, visiting
from tests.browser.serving import Served

pytestmark = pytest.mark.browser

PAGES = (
    "index.html",
    "datasets/account_activity_weekly.html",
    "datasets/findings.html",
    "authorities/ZZB.html",
    "authorities/ZZA.html",  # of a body that ended
    "versions.html",
    "dictionary.html",
    "methods.html",
    "methods/privacy.html",
    "issues.html",
    "status.html",
    "corrections.html",
    "accessibility.html",
    "v/2026.11.0/index.html",
)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
AXE = """async (rules) => {
  const found = await axe.run(document, {runOnly: {type: "tag", values: rules}});
  return {passed: found.passes.length, violations: found.violations.map(
    (rule) => `${rule.id}: ${rule.nodes.map((node) => `${node.target} ${node.failureSummary}`).join("; ")}`)};
}"""
WIDER = """() => Array.from(document.querySelectorAll("body *"))
  .filter((element) => !element.closest(".scroll") && element.getBoundingClientRect().right > innerWidth + 1)
  .map((element) => `${element.tagName}.${element.className} ${element.textContent.slice(0, 60)}`).slice(0, 5)"""


def open_all(page: Page) -> None:
    """Open whatever can be unfolded."""
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")


def violations(page: Page) -> list[str]:
    """What axe finds on the page as it stands, after making sure that it looked."""
    page.evaluate(npm_part("axe-core/axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate(AXE, RULES)
    assert found["passed"] > 10, "axe judged next to nothing"
    return list(found["violations"])


@pytest.mark.parametrize("width", [1200, 390])
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_on_a_page_closed_or_opened(
    browser: Browser, site: Served, path: str, width: int
) -> None:
    with visiting(browser, site.address, width=width) as visit:
        assert visit.page.goto(f"{site.address}/{path}").ok  # type: ignore[union-attr]
        assert violations(visit.page) == []
        open_all(visit.page)
        assert violations(visit.page) == []
        assert (visit.refused, visit.complaints) == ([], [])


def test_axe_sees_what_is_wrong(browser: Browser, site: Served) -> None:
    """The judge itself: a page that is spoilt on purpose is not let through."""
    with visiting(browser, site.address) as visit:
        visit.page.goto(f"{site.address}/index.html")
        visit.page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=data:,>')")
        assert any(found.startswith("image-alt") for found in violations(visit.page))


@pytest.mark.parametrize("path", PAGES)
def test_no_page_scrolls_sideways_on_the_narrowest_phone(browser: Browser, site: Served, path: str) -> None:
    with visiting(browser, site.address, width=320) as visit:
        visit.page.goto(f"{site.address}/{path}")
        open_all(visit.page)
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 320, visit.page.evaluate(WIDER)


@pytest.mark.parametrize("path", PAGES)
def test_nothing_injected_runs_and_nothing_outside_is_asked(browser: Browser, site: Served, path: str) -> None:
    """The page's policy is in force: inline scripts, handlers, eval, styles and other hosts are all refused."""
    with visiting(browser, site.address) as visit:
        page = visit.page
        page.goto(f"{site.address}/{path}")
        assert visit.refused == []
        page.evaluate(
            """() => {
              window.refused = [];
              document.addEventListener("securitypolicyviolation", (e) => refused.push(e.effectiveDirective));
              const script = document.createElement("script");
              script.textContent = "window.injected = true";
              document.body.append(script);
              document.body.insertAdjacentHTML("beforeend", '<p onclick="window.injected = true">x</p>');
              document.body.lastChild.click();
              document.body.insertAdjacentHTML("beforeend", '<img src="http://192.0.2.1/x.png" alt="">');
              const other = document.createElement("script");
              other.src = "http://192.0.2.1/x.js";
              document.body.append(other);
              fetch("http://192.0.2.1/").catch(() => {});
            }"""
        )
        page.wait_for_function("refused.length >= 5")
        assert page.evaluate("window.injected") is None
        assert set(page.evaluate("refused")) == {"script-src-elem", "script-src-attr", "img-src", "connect-src"}
        assert visit.refused == [], "the policy refuses before anything is asked"


def test_without_scripts_everything_that_matters_is_there(browser: Browser, site: Served) -> None:
    with visiting(browser, site.address, scripts=False) as visit:
        page = visit.page
        page.goto(f"{site.address}/index.html")
        assert not page.locator(".find").is_visible(), "a search that cannot search is not shown"
        assert page.locator(".claim h3").count() > 3
        assert page.locator(".claim svg.chart").first.is_visible()
        numbers = page.locator(".claim details").first
        numbers.locator("summary").click()
        assert numbers.locator("tbody tr").first.is_visible()
        assert page.locator("a[download]").count() > 30
        area = page.locator("#council-list details").first
        area.locator("summary").click()
        area.locator("a").first.click()
        page.wait_for_url("**/authorities/*.html")
        assert page.locator("h1").is_visible()
        page.goto(f"{site.address}/datasets/account_activity_weekly.html")
        assert not page.locator("#lookup").is_visible()
        assert page.locator("#dataset-rows").is_visible()
        page.goto(f"{site.address}/status.html")
        assert "the data is out of date" in page.locator("main").inner_text(), "from which day on, in words"


def test_the_site_reads_from_a_folder_without_any_server(browser: Browser, site: Served, tmp_path: Path) -> None:
    """As somebody has it who unpacked it on a disk: pages, links and the search work; nothing asks the network."""
    home = (site.folder / "index.html").as_uri()
    with visiting(browser, "file://") as visit:
        page = visit.page
        page.goto(home)
        page.get_by_label("Part of its name").fill("kettlem")
        page.locator("#council-list a:visible").first.click()
        page.wait_for_url("file://**/authorities/ZZB.html")
        assert page.locator("svg.chart").first.is_visible()
        page.goto((site.folder / "datasets" / "account_activity_weekly.html").as_uri())
        assert not page.locator("#lookup").is_visible(), "a look-up needs a server"
        assert (visit.refused, visit.complaints) == ([], [])
