"""SQL in the browser: the answers are DuckDB's own, nothing outside is asked, and what goes wrong is said."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from playwright.sync_api import Browser, Page

from pipelines.release.manifest import Manifest, read_manifest
from pipelines.release.metadata.publisher import Publisher
from pipelines.settings import Home
from pipelines.site.build import build_site
from pipelines.site.sql import EXAMPLE, FILES, engine_from
from tests.browser.chromium import ROOT, MissingPartError, visiting
from tests.browser.serving import Served, serving
from tests.browser.test_pages import violations

pytestmark = pytest.mark.browser

PAGE = "sql/index.html"


@pytest.fixture(scope="module")
def asked(sample_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The sample site with the page that answers SQL."""
    folder = ROOT / "build" / "site-sql"
    if not folder.is_dir():
        raise MissingPartError(f"{folder} is missing; run `make site-sql`, which builds it")
    public = tmp_path_factory.mktemp("sql") / "public"
    shutil.copytree(sample_home.public, public)
    build_site(public, Publisher(), engine_from({"ENGAGEMENT_SITE_SQL": str(folder)}))
    with serving(public) as served:
        yield served


def release(served: Served) -> Path:
    (folder,) = (served.folder / "v").iterdir()
    return folder


def manifest(served: Served) -> Manifest:
    return read_manifest(release(served))


def ask(page: Page, question: str) -> str:
    """Ask, wait for the answer or the refusal, and give what was said."""
    page.get_by_label("Question").fill(question)
    page.get_by_role("button", name="Ask").click()
    page.locator("#sql button:not([disabled])").wait_for(timeout=120_000)
    return " ".join(page.locator("#sql [role=status], #sql [role=alert]").all_text_contents()).strip()


def saved(page: Page) -> list[list[str]]:
    """The whole answer as the page saves it."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the answer as CSV").click()
    with Path(download.value.path()).open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def answered(served: Served, question: str) -> list[list[str]]:
    """The same answer of DuckDB itself, of the released files, as fields of CSV."""
    with duckdb.connect() as con:
        for path in release(served).glob("*.parquet"):
            con.execute(f"create view {path.stem} as select * from '{path}'")
        found = con.sql(question)
        words = ", ".join(f'cast("{name}" as varchar)' for name in found.columns)
        rows = con.sql(f"select {words} from ({question})").fetchall()
    return [found.columns, *([value or "" for value in row] for row in rows)]


def test_the_example_is_answered_as_duckdb_answers_it(browser: Browser, asked: Served) -> None:
    with visiting(browser, asked.address) as visit:
        visit.page.goto(f"{asked.address}/{PAGE}")
        before = len(asked.asked)
        assert visit.page.get_by_label("Question").input_value() == EXAMPLE
        assert ask(visit.page, EXAMPLE).startswith("10 rows in ")
        expected = answered(asked, EXAMPLE)
        rows = visit.page.locator("#sql-result tbody tr").all()
        assert [row.locator("td").all_text_contents() for row in rows] == expected[1:]
        assert saved(visit.page) == expected
        fetched = [Path(one.path).name for one in asked.asked[before:]]
        assert sorted(fetched) == [
            "account_activity_weekly.parquet",
            "authorities.parquet",
            "duckdb-browser-eh.worker.js",
            "duckdb-eh.wasm",
        ]
        assert (visit.refused, visit.complaints) == ([], [])


def test_every_value_of_every_dataset_is_the_one_in_its_file(browser: Browser, asked: Served) -> None:
    datasets = manifest(asked).datasets
    assert len(datasets) > 10
    with visiting(browser, asked.address) as visit:
        visit.page.goto(f"{asked.address}/{PAGE}")
        for dataset in datasets:
            said = ask(visit.page, f"select * from {dataset.name};")
            assert said.startswith(f"{dataset.rows:,} row"), (dataset.name, said)
            shown = visit.page.locator("#sql-result tbody tr").count()
            assert shown == min(dataset.rows, 200), dataset.name
            assert saved(visit.page) == answered(asked, f"select * from {dataset.name}"), dataset.name
        assert (visit.refused, visit.complaints) == ([], [])


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("", "Write a question first."),
        ("select * from nowhere", "nowhere does not exist"),
        ("selec 1", "syntax error"),
        ("select * from 'http://192.0.2.1/x.parquet'", "does not exist"),
        ("select * from read_csv('http://192.0.2.1/x.csv')", "disabled"),
        ("select 1); attach 'http://192.0.2.1/x.db' as x; select (1", "disabled"),
        ("select 1); set enable_external_access = true; select (1", "locked"),
        ("select 1); install httpfs; load httpfs; select (1", "disabled"),
        ("select 1); load parquet; select (1", "disabled"),
    ],
)
def test_what_cannot_be_answered_is_said_and_nothing_outside_is_asked(
    browser: Browser, asked: Served, question: str, said: str
) -> None:
    with visiting(browser, asked.address) as visit:
        visit.page.goto(f"{asked.address}/{PAGE}")
        assert said in ask(visit.page, question)
        assert visit.page.locator("#sql-result table").count() == 0
        assert visit.refused == []
        assert ask(visit.page, "select 6 * 7 as answer").startswith("1 row in ")
        assert saved(visit.page) == [["answer"], ["42"]]


def test_a_file_that_does_not_arrive_is_asked_for_again(browser: Browser, asked: Served) -> None:
    name = manifest(asked).datasets[0].name
    with visiting(browser, asked.address) as visit:
        visit.page.goto(f"{asked.address}/{PAGE}")
        for file in (f"{name}.parquet", "duckdb-eh.wasm"):
            visit.page.route(f"**/{file}", lambda route: route.fulfill(status=503))
        assert "The server did not hand out a file (503)." in ask(visit.page, "select 1")
        visit.page.unroute("**/duckdb-eh.wasm")
        assert "1 row in " in ask(visit.page, "select 1")
        assert "The server did not hand out a file (503)." in ask(visit.page, f"select * from {name}")
        visit.page.unroute(f"**/{name}.parquet")
        visit.page.route(f"**/{name}.parquet", lambda route: route.abort())
        assert "A file did not arrive" in ask(visit.page, f"select * from {name}")
        visit.page.unroute(f"**/{name}.parquet")
        assert "rows in " in ask(visit.page, f"select * from {name}")


def test_a_dataset_that_is_too_large_for_a_page_is_refused_before_it_is_fetched(
    browser: Browser, asked: Served
) -> None:
    name = manifest(asked).datasets[0].name
    with visiting(browser, asked.address) as visit:
        visit.page.goto(f"{asked.address}/{PAGE}")
        visit.page.locator(f"tr[data-table={name}]").evaluate("row => (row.dataset.rows = '1000001')")
        before = len(asked.asked)
        assert f"{name} has 1,000,001 rows, too many for a page" in ask(visit.page, f"select * from {name}")
        assert not [one for one in asked.asked[before:] if one.path.endswith(".parquet")]


@pytest.mark.parametrize("width", [1200, 390])
def test_the_page_is_accessible_before_and_after_an_answer(browser: Browser, asked: Served, width: int) -> None:
    with visiting(browser, asked.address, width=width) as visit:
        page = visit.page
        page.goto(f"{asked.address}/{PAGE}")
        assert violations(page) == []
        page.get_by_label("Question").press("Control+Enter")
        page.locator("#sql-result table").wait_for(timeout=120_000)
        assert violations(page) == []
        assert "No answer." in ask(page, "selec 1")
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_dataset_s_page_leads_to_a_question_about_it(browser: Browser, asked: Served) -> None:
    with visiting(browser, asked.address) as visit:
        visit.page.goto(f"{asked.address}/datasets/coverage.html")
        visit.page.get_by_role("link", name="Ask this dataset with SQL").click()
        visit.page.wait_for_url("**/sql/index.html#coverage")
        assert visit.page.get_by_label("Question").input_value() == "select *\nfrom coverage\nlimit 20"


def test_without_scripts_the_page_says_where_else_to_ask(browser: Browser, asked: Served, tmp_path: Path) -> None:
    with visiting(browser, asked.address, scripts=False) as visit:
        visit.page.goto(f"{asked.address}/{PAGE}")
        assert visit.page.get_by_text(
            "This needs JavaScript and a site that is opened from a web server."
        ).is_visible()
        assert not visit.page.get_by_label("Question").is_visible()
        assert visit.page.locator("tr[data-table]").count() == len(manifest(asked).datasets)


def test_an_engine_that_lacks_nothing_is_whole(asked: Served) -> None:
    assert {path.name for path in (asked.folder / "sql").iterdir()} == {*FILES, "index.html"}
    licences = (asked.folder / "sql" / "licences.txt").read_text(encoding="utf-8")
    for name in ("@duckdb/duckdb-wasm", "apache-arrow", "flatbuffers", "fzstd", "hyparquet", "tslib"):
        assert f"{name} " in licences
