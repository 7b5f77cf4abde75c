"""The supporting pages of the site, on small real releases: structure, words, links, size, bytes; and the feed."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urldefrag, urljoin
from xml.etree.ElementTree import Element

import duckdb
import feedparser
import html5rdf
import orjson
import pytest

from pipelines import corrections as mending
from pipelines.cadence import DAILY_PULL, WEEKLY_RELEASE
from pipelines.contract import Contract, load_contract, load_contracts, released_contract, to_ddl
from pipelines.identity.platforms import Fault
from pipelines.release.build import ReleaseInput, build_release
from pipelines.release.changes import changelog
from pipelines.release.manifest import Manifest, ManifestError, read_manifest, released_versions
from pipelines.release.metadata.publisher import Publisher
from pipelines.run import RunRecord, write_record
from pipelines.settings import Home, SettingsError, project_folder
from pipelines.site.accessibility import accessibility_page
from pipelines.site.corrections import Correction, corrections_page, read_corrections
from pipelines.site.dictionary import dictionary_page, fields
from pipelines.site.documents import DOCUMENTS, read_documents, slug
from pipelines.site.feed import atom_feed
from pipelines.site.issues import RULES, SHOWN, Issue, groups, issues_page, read_issues, rule_words
from pipelines.site.page import Frame, Page, render
from pipelines.site.status import Attempt, failed_steps, freshness_limit, status_page, write_status
from pipelines.site.supporting import supporting_files, supporting_pages
from pipelines.site.tombstones import Tombstone, read_tombstones
from pipelines.site.versions import versions_page
from tests.conftest import ROOT
from tests.helpers import CONTRACTS, FIELDS, column, document, key, load

NOW = dt.datetime(2026, 12, 8, 7, 30, tzinfo=dt.UTC)
PUBLISHER = Publisher()
HOSTILE = '<script>alert(1)</script> & "quotes" ]]> `x`'
ISSUES = (
    ("public.things", "account_moved", "mastodon", "warning", "source", 3, dt.date(2026, 5, 8)),
    ("public.things", "authority_code_required", "register", "critical", "source", 1, dt.date(2026, 5, 9)),
    ("public.stuff", "candidate_match_ambiguous", "candidates", "warning", "us", 1_234, dt.date(2025, 6, 1)),
    ("source.register", f"new_field {HOSTILE}", "register", "warning", "source", 1, dt.date(2026, 5, 9)),
)
LAYOUT = re.compile(r"index\.html|datasets/[a-z_]+\.html|authorities/[A-Z-]+\.html")  # the lead pages of the site
OLD, MIDDLE, NEWEST = "2026.11.0", "2026.11.1", "2026.12.0"


# --- small releases and their pages -------------------------------------------------------------------------


def things(*more: dict[str, Any], **custom: Any) -> dict[str, Any]:
    columns = [key("thing_code", 1), column("thing_count", "integer", required=True), *more]
    return document("public.things", columns, **custom)


def stuff() -> dict[str, Any]:
    kinds = {"metric": "invalidValues", "arguments": {"validValues": ["soft", "hard"]}, "mustBe": 0}
    count = column("thing_count", "integer", description="Things beside the stuff.")
    columns = [key("stuff_code", 1), column("kind", quality=[kinds]), count]
    return document("public.stuff", columns) | {"name": "Stuff"}


Table = tuple[Contract, Sequence[tuple[Any, ...]]]


def release(folder: Path, tables: Sequence[Table], day: dt.date) -> None:
    con = duckdb.connect(":memory:")
    con.execute("create schema public")
    for contract, values in tables:
        con.execute(to_ddl(contract))
        for row in values:
            con.execute(f"insert into {contract.table} values ({', '.join('?' * len(row))})", row)
    contracts = tuple(sorted((contract for contract, _ in tables), key=lambda contract: contract.name))
    outcome = build_release(
        con,
        ReleaseInput(
            home=Home(folder / "home"),
            world="sample",
            released_on=day,
            contracts=contracts,
            minimum_rows={contract.name: "none" for contract in contracts},
            inputs={},
            origins={contract.name: () for contract in contracts},
            code_digest="0" * 64,
        ),
    )
    assert outcome.is_new


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three releases: a first, one with a changed row, and one that deprecates a dataset; for reading only."""
    folder = tmp_path_factory.mktemp("site")
    issues = load_contract(CONTRACTS / "public" / "data_issues.yml", FIELDS)
    other = load(folder, stuff())
    going = things(column("note"), removeAfter=dt.date(2027, 6, 30), replacedBy="stuff")
    first, last = load(folder, things()), load(folder, going | {"status": "deprecated", "version": "1.3.0"})
    rest: list[Table] = [(other, [("S", "soft", 1)]), (issues, ISSUES)]
    release(folder, [(first, [("A", 1)]), *rest], dt.date(2026, 11, 2))
    release(folder, [(first, [("A", 2)]), *rest], dt.date(2026, 11, 9))
    release(folder, [(last, [("A", 2, None)]), *rest], dt.date(2026, 12, 7))
    return folder / "home" / "public"


@pytest.fixture(scope="module")
def manifests(public: Path) -> list[Manifest]:
    return [read_manifest(public / "v" / version) for version in released_versions(public)]


@pytest.fixture(scope="module")
def contracts(public: Path, manifests: list[Manifest]) -> dict[str, Contract]:
    folder = public / "v" / NEWEST / "contracts"
    return {entry.name: released_contract(folder / f"{entry.name}.json") for entry in manifests[-1].datasets}


ATTEMPTS = (
    Attempt("publish", NOW - dt.timedelta(days=1, hours=1), NOW - dt.timedelta(days=1), "published"),
    Attempt("pull", NOW - dt.timedelta(hours=4), NOW - dt.timedelta(hours=3), "pulled"),
)


@pytest.fixture(scope="module")
def site(public: Path, manifests: list[Manifest], contracts: dict[str, Contract]) -> dict[str, bytes]:
    """Every supporting page by its path, and the feed."""
    corrections = [Correction(dt.date(2026, 12, 1), "things", HOSTILE, "the source has a typing error", "council")]
    frame = Frame(manifests[-1], PUBLISHER)
    pages = [
        *supporting_pages(public, manifests, contracts, PUBLISHER),
        corrections_page(corrections),
        status_page(manifests[-1], ATTEMPTS, dt.timedelta(days=40), NOW),
    ]
    return {page.path: render(page, frame) for page in pages} | supporting_files(public, manifests, PUBLISHER)


PAGES = (
    *("versions.html", "dictionary.html", "methods.html", "issues.html", "accessibility.html", "corrections.html"),
    "status.html",
    *(f"methods/{name}.html" for name, _ in DOCUMENTS.values()),
)


@pytest.fixture(params=PAGES)
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def parse(page: bytes) -> Element:
    """A page as a browser reads it; anything that HTML 5 calls a parse error raises."""
    tree: Element = html5rdf.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page.decode())
    return tree


def shown(page: Page, manifest: Manifest, publisher: Publisher = PUBLISHER) -> Element:
    return parse(render(page, Frame(manifest, publisher)))


def text(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def main(tree: Element) -> Element:
    found = tree.find(".//main")
    assert found is not None
    return found


def by_id(tree: Element, anchor: str) -> Element:
    (found,) = [element for element in tree.iter() if element.get("id") == anchor]
    return found


def rows(tree: Element, caption: str) -> list[list[str]]:
    """The body of the table whose caption has an id."""
    table = next(table for table in tree.iter("table") if table[0].get("id") == caption)
    return [[text(cell) for cell in row] for row in table.findall("tbody/tr")]


def anchors(page: bytes) -> set[str]:
    return {element.get("id", "") for element in parse(page).iter() if element.get("id")}


# --- what every page keeps to -------------------------------------------------------------------------------


def test_the_pages_are_those_of_the_layout(site: dict[str, bytes]) -> None:
    assert set(site) == {*PAGES, "feed.xml"}


def test_headings_begin_with_one_h1_and_skip_no_level(site: dict[str, bytes], path: str) -> None:
    levels = [int(e.tag[1]) for e in main(parse(site[path])).iter() if re.fullmatch(r"h[1-6]", str(e.tag))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_table_has_a_caption_scopes_and_a_region_that_takes_the_focus(
    site: dict[str, bytes], path: str
) -> None:
    tree = parse(site[path])
    regions = [region for region in tree.iter("div") if region.get("role") == "region"]
    assert [table for region in regions for table in region.iter("table")] == list(tree.iter("table"))
    for region in regions:
        caption = region[0][0]
        assert (caption.tag, caption.get("id")) == ("caption", region.get("aria-labelledby"))
        assert text(caption)
        assert region.get("tabindex") == "0"
        heads = list(region.iterfind(".//thead//th"))
        assert {head.get("scope") for head in heads} == {"col"}
        for row in region.iterfind(".//tbody/tr"):
            assert [cell.get("scope") for cell in row.iter("th")] == ["row"]
            assert len(row) == len(heads)
        assert all(text(cell) for cell in region.iter() if cell.tag in ("th", "td")), "an empty cell says nothing"


def test_ids_are_unique_and_every_label_has_one(site: dict[str, bytes], path: str) -> None:
    tree = parse(site[path])
    known = [element.get("id") for element in tree.iter() if element.get("id")]
    assert len(known) == len(set(known))
    labels = [label for element in tree.iter() for label in (element.get("aria-labelledby") or "").split()]
    assert set(labels) <= set(known)


def test_links_say_where_they_go(site: dict[str, bytes], path: str) -> None:
    links = list(main(parse(site[path])).iter("a"))
    assert all(text(link) for link in links)
    assert not {text(link).lower() for link in links} & {"here", "click here", "more", "link", "this"}
    targets: dict[str, set[str]] = {}
    for link in links:
        targets.setdefault(text(link), set()).add(urldefrag(link.get("href") or "")[0])
    assert {words: found for words, found in targets.items() if len(found) > 1} == {}


def test_a_page_loads_nothing_from_outside_and_has_no_inline_script_or_style(
    site: dict[str, bytes], path: str
) -> None:
    tree = parse(site[path])
    scripts = [script.get("src") for script in tree.iter("script")]
    assert scripts == (["assets/status.js"] if path == "status.html" else [])
    for element in tree.iter():
        assert not [name for name in element.keys() if name == "style" or name.startswith("on")]  # noqa: SIM118
        if element.tag != "a":
            assert "://" not in (element.get("href") or "") + (element.get("src") or "")
    assert site[path].count(b"<style>") == 1


def test_every_link_leads_to_something_that_is_there(public: Path, site: dict[str, bytes], path: str) -> None:
    known = {page: anchors(content) for page, content in site.items() if page.endswith(".html")}
    datasets = {entry.name for entry in read_manifest(public / "v" / NEWEST).datasets}
    for link in parse(site[path]).iter(
        "a",
    ):
        href = link.get("href") or ""
        if "://" in href or href.startswith("mailto:"):
            continue
        place, anchor = urldefrag(urljoin(f"/{path}", href))
        place = place.removeprefix("/")
        if place in known:
            assert not anchor or anchor in known[place], f"{href}: no such anchor"
        elif place.startswith("datasets/"):
            assert Path(place).stem in datasets | {"coverage"}
        else:
            assert place in site or LAYOUT.fullmatch(place) or (public / place).is_file(), href


def test_a_page_weighs_less_than_100_kb(site: dict[str, bytes], path: str) -> None:
    assert len(site[path]) < 100_000


def test_the_same_releases_give_the_same_bytes(
    public: Path, manifests: list[Manifest], contracts: dict[str, Contract], site: dict[str, bytes]
) -> None:
    frame = Frame(manifests[-1], PUBLISHER)
    again = supporting_pages(public, manifests, dict(reversed(contracts.items())), PUBLISHER)
    for page in again:
        if page.path != "corrections.html":
            assert render(page, frame) == site[page.path]


# --- versions -----------------------------------------------------------------------------------------------


def test_versions_are_told_newest_first_with_what_changed(site: dict[str, bytes]) -> None:
    tree = parse(site["versions.html"])
    told = rows(tree, "releases-caption")
    assert [row[0] for row in told] == [NEWEST, MIDDLE, OLD]
    assert [row[2] for row in told] == ["minor", "patch", "first"]
    assert "things: rows: 1 changed, 0 as before." in told[1][3]
    assert told[0][3].startswith("things: column note is new. things: it is deprecated")
    assert told[2][3] == "This is the first release."
    details = by_id(tree, f"changes-{NEWEST.replace('.', '-')}")
    assert text(details) == f"Changes from release {MIDDLE} to {NEWEST}"
    assert "1.2.3 → 1.3.0" in text(main(tree))


def test_a_dataset_that_will_go_is_announced_with_its_replacement_and_last_day(site: dict[str, bytes]) -> None:
    (row,) = rows(parse(site["versions.html"]), "going-caption")
    assert row == ["Things", f"7 December 2026, release {NEWEST}", "stuff", "30 June 2027"]


def test_a_dataset_that_is_gone_is_named_with_the_last_release_that_had_it(manifests: list[Manifest]) -> None:
    without = manifests[-1].model_copy(update={"datasets": manifests[-1].datasets[:1]})
    tree = shown(versions_page([*manifests[:2], without], [], PUBLISHER), without)
    assert f"(things): last in release {MIDDLE}" in text(main(tree))


def test_what_was_taken_out_is_told_and_names_nobody(
    tmp_path: Path, public: Path, manifests: list[Manifest]
) -> None:
    told = {
        "erasures": [{"erasure": "r1", "erased_on": "2026-12-01", "reason": "on request", "rows": {"things": 2}}]
    }
    (tmp_path / "v" / OLD).mkdir(parents=True)
    (tmp_path / "v" / OLD / "erasure.json").write_bytes(orjson.dumps(told))
    listed = [{"version": MIDDLE, "withdrawn": {"on": "2026-12-02", "reason": "wrong"}}, {"version": OLD}]
    (tmp_path / "versions.json").write_bytes(orjson.dumps({"versions": listed}))
    stones = read_tombstones(tmp_path)
    assert [(stone.version, stone.is_withdrawn) for stone in stones] == [(MIDDLE, True), (OLD, False)]
    tree = shown(versions_page(manifests, changelog(public), PUBLISHER, stones), manifests[-1])
    assert rows(tree, "erased-caption") == [[OLD, "1 December 2026", "On request.", "2things 2"]]
    assert rows(tree, "withdrawn-caption") == [[MIDDLE, "2 December 2026", "Wrong."]]
    assert "Something was taken out later" in rows(tree, "releases-caption")[2][3]
    assert read_tombstones(public) == ()


@pytest.mark.parametrize(
    ("withdrawn", "day"), [(True, None), ("2026-12-02", dt.date(2026, 12, 2)), (False, "none"), (None, "none")]
)
def test_a_withdrawn_release_may_be_listed_in_several_ways(tmp_path: Path, withdrawn: object, day: object) -> None:
    listed = {"versions": [{"version": OLD, "withdrawn": withdrawn}]}
    (tmp_path / "versions.json").write_bytes(orjson.dumps(listed))
    assert [stone.day for stone in read_tombstones(tmp_path)] == ([] if day == "none" else [day])


def test_a_damaged_tombstone_is_named(tmp_path: Path) -> None:
    (tmp_path / "v" / OLD).mkdir(parents=True)
    (tmp_path / "v" / OLD / "erasure.json").write_text("{", encoding="utf-8")
    with pytest.raises(ManifestError, match=r"erasure\.json: not a file of this kind .* put it back"):
        read_tombstones(tmp_path)


def many(manifest: Manifest, count: int) -> list[Manifest]:
    return [manifest.model_copy(update={"version": f"2026.12.{n}", "previous": None}) for n in range(count)]


def test_ten_years_of_releases_still_fit_on_the_page(public: Path, manifests: list[Manifest]) -> None:
    releases = many(manifests[-1], 520)
    newest = changelog(public)[0]
    sentences = tuple(f"things: column {'x' * 60}{n} is new" for n in range(300))
    told = [newest.model_copy(update={"version": m.version, "sentences": sentences}) for m in releases]
    page = versions_page(releases, told, PUBLISHER)
    assert len(render(page, Frame(releases[-1], PUBLISHER))) < 100_000
    tree = shown(page, releases[-1])
    told_rows = rows(tree, "releases-caption")
    assert f"{520 - len(told_rows)} older releases stand in versions.json" in text(main(tree))
    assert told_rows[0][0] == "2026.12.519"
    assert "And 297 more: see all changes in 2026.12.519." in told_rows[0][3]
    assert told_rows[-1][3] == f"300 changes: see all changes in {told_rows[-1][0]}."


# --- dictionary ---------------------------------------------------------------------------------------------


def test_every_field_stands_once_with_all_that_is_known_of_it(
    site: dict[str, bytes], contracts: dict[str, Contract]
) -> None:
    tree = parse(site["dictionary.html"])
    names = {used.name for contract in contracts.values() for used in contract.columns}
    assert {heading.get("id") for heading in main(tree).iter("h3")} == names
    content = text(main(tree))
    assert "kind What kind says about a thing. Text; may be empty One of: soft, hard In Stuff" in content
    two = next(field for field in fields(contracts) if field.name == "thing_count")
    assert [(m.description, m.datasets, m.optional_in) for m in two.meanings] == [
        ("Things beside the stuff.", ("stuff",), ("stuff",)),
        ("What thing_count says about a thing.", ("things",), ()),
    ]
    assert "Whole number, unit: things; never empty" in content


def test_the_dictionary_of_all_datasets_weighs_less_than_100_kb(manifests: list[Manifest]) -> None:
    found = load_contracts(project_folder("data_contracts")).values()
    real = {contract.name: contract for contract in found if contract.layer == "public"}
    entry = manifests[-1].datasets[0]
    entries = tuple(entry.model_copy(update={"name": c.name, "title": c.title}) for c in real.values())
    manifest = manifests[-1].model_copy(update={"datasets": entries})
    assert len(render(dictionary_page(manifest, real), Frame(manifest, PUBLISHER))) < 100_000


# --- methods ------------------------------------------------------------------------------------------------


def test_an_installed_copy_carries_every_document_that_is_a_page() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
    carried = build["targets"]["wheel"]["force-include"]
    expected = {f"docs/{name}": f"pipelines/_project/docs/{name}" for name in DOCUMENTS}
    assert {path: place for path, place in carried.items() if path.startswith("docs/")} == expected


def test_the_picture_has_a_name_and_a_description_and_its_words_stand_below(site: dict[str, bytes]) -> None:
    tree = main(parse(site["methods.html"]))
    (drawing,) = [element for element in tree.iter() if str(element.tag).endswith("svg")]
    assert drawing.get("role") == "img"
    labels = (drawing.get("aria-labelledby") or "").split()
    assert [text(by_id(drawing, label)) != "" for label in labels] == [True, True]
    boxes = [text(e) for e in drawing.iter() if str(e.tag).endswith("text") and e.get("font-weight")]
    (steps,) = tree.iter("ol")
    assert [text(item).split(".")[0] for item in steps] == boxes


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A folder of documents in which a test may write."""
    folder = tmp_path / "docs"
    folder.mkdir()
    for name in DOCUMENTS:
        (folder / name).write_text(f"# Title of {name}\n\nWords.\n", encoding="utf-8")
    return folder


def content_of(docs: Path, markdown: str, name: str = "privacy.md") -> str:
    (docs / name).write_text(f"# Title\n\n{markdown}\n", encoding="utf-8")
    place = list(DOCUMENTS).index(name)
    return str(read_documents(docs)[place].content)


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("[words](versions.md)", '<a href="versions.html">words</a>'),
        ("[words](data-licences.md#sources)", '<a href="licences.html#sources">words</a>'),
        ("[words](#below)", '<a href="#below">words</a>'),
        ("[words](https://example.org/x)", '<a href="https://example.org/x">words</a>'),
        ("[words](../README.md)", "<p>words</p>"),
        ("[words](decisions/0001-own-sql-runner.md)", "<p>words</p>"),
        ("[versions.md](versions.md)", '<a href="versions.html">Title of versions.md</a>'),
        ("<script>alert(1)</script>", "&lt;script&gt;"),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>"),
    ],
)
def test_links_of_documents_lead_to_pages_or_become_words(docs: Path, link: str, expected: str) -> None:
    assert expected in content_of(docs, link)


def test_tables_of_documents_become_tables_of_the_site(docs: Path) -> None:
    table = "| a | n |\n|---|---:|\n| x | 1 |\n| y | |\n"
    content = content_of(docs, f"## Part\n\n{table}\n{table}")
    assert "style=" not in content
    assert content.count('<th scope="col">a</th>') == 2
    assert '<th scope="row">x</th>' in content
    assert '<td class="number">1</td>' in content
    assert '<span class="vh">nothing</span>' in content
    assert re.findall(r"<caption id=\"[^\"]*\"><span>([^<]*)", content) == ["Part", "Part (2)"]


def test_anchors_are_those_that_links_between_documents_use(docs: Path) -> None:
    assert slug("What is withheld: rule D12") == "what-is-withheld-rule-d12"
    content = content_of(docs, "## Two\n\n## Two\n\n### `Code` it")
    assert re.findall(r"id=\"([^\"]*)\"", content) == ["two", "two-1", "code-it"]


def test_a_document_that_is_missing_or_has_no_title_is_named(docs: Path) -> None:
    (docs / "privacy.md").write_text("Words.\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"docs/privacy\.md: begins with no title; write `# Title`"):
        read_documents(docs)
    (docs / "privacy.md").unlink()
    with pytest.raises(SettingsError, match=r"docs/privacy\.md: not there"):
        read_documents(docs)


# --- issues -------------------------------------------------------------------------------------------------


def test_issues_are_read_from_the_release_and_grouped_by_gravity_and_responsibility(public: Path) -> None:
    issues = read_issues(public / "v" / NEWEST)
    assert sorted(issues, key=lambda i: i.rule) == sorted((Issue(*row) for row in ISSUES), key=lambda i: i.rule)
    found = groups(issues)
    assert [(g.id, g.total) for g in found] == [("critical-source", 1), ("warning-us", 1), ("warning-source", 2)]
    assert [issue.rows_affected for issue in found[2].issues] == [3, 1]
    assert read_issues(public) == [], "a release without the dataset has no issues to tell"


def test_issues_are_told_in_words(site: dict[str, bytes]) -> None:
    tree = parse(site["issues.html"])
    (row,) = rows(tree, "warning-us-caption")
    assert row[1:] == ["1,234", "Stuff", "candidates", "1 June 2025"]
    assert row[0].startswith("Councillors whose name fits more than one candidate")
    assert HOSTILE in text(by_id(tree, "warning-source-caption").find("..") or main(tree))


def named_rules() -> Iterator[str]:
    """Every rule that the query of issues can name, as far as it writes them out."""
    query = (project_folder("sql") / "model" / "issue.sql").read_text(encoding="utf-8")
    yield from re.findall(
        r"'((?!account_activity|account_adoption)(?:account|authority|ballot|candidate)_[a-z_]+)'", query
    )
    yield from re.findall(r"'([a-z_]+)' as rule", query)
    yield from (f"candidate_account_{fault}" for fault in get_args(Fault))
    outcomes = load_contracts(project_folder("data_contracts"))["observation.account"].column("outcome").rules
    allowed = next(rule.allowed for rule in outcomes if rule.allowed)
    yield from (f"account_{outcome}" for outcome in allowed if outcome != "observed")


TABLES = {"account_activity_weekly", "account_adoption", "authority_accounts", "authority_engagement_monthly"}
PREFIXES = {"account_", "candidate_account_"}
INPUTS = {"authority_register"}


def test_every_rule_of_the_query_has_words_of_its_own() -> None:
    rules = set(named_rules()) - TABLES - PREFIXES - INPUTS
    assert {"seats_differ_from_control", "candidate_account_too_long", "account_opted_out"} <= rules
    assert sorted(rules - RULES.keys()) == []


def test_every_warning_of_a_contract_has_words() -> None:
    found = load_contracts(project_folder("data_contracts")).values()
    names = {rule.name for c in found if c.layer in ("source", "public") for rule in c.all_rules() if rule.per_row}
    assert "nation_code_allowed" in names
    assert rule_words("nation_code_allowed") == "rows with a value that is not on the list in nation_code"
    assert rule_words("missing_field shoe size") == "the source no longer has the field shoe size"
    assert rule_words("valid_dates") == "rows that break the rule “valid dates”"


def test_thousands_of_issues_are_shortened_and_lead_to_the_dataset(manifests: list[Manifest]) -> None:
    long = "candidate_account_broken_host"
    issues = [
        Issue(f"public.{name}", long, f"{'source' * 5}_{n}", severity, side, n + 1, dt.date(2026, 5, 8))
        for severity in ("critical", "warning")
        for side in ("us", "source")
        for name in ("things", "stuff")
        for n in range(1000)
    ]
    page = issues_page(manifests[-1], issues)
    assert len(render(page, Frame(manifests[-1], PUBLISHER))) < 100_000
    tree = shown(page, manifests[-1])
    shown_rows = rows(tree, "warning-source-caption")
    assert len(shown_rows) == SHOWN
    assert shown_rows[0][1] == "1,000"
    assert f"{2000 - SHOWN:,} more are in the dataset Known issues" in text(main(tree))


def test_no_issues_are_said_to_be_none(manifests: list[Manifest]) -> None:
    assert "no issues" in text(main(shown(issues_page(manifests[-1], []), manifests[-1])))


# --- status -------------------------------------------------------------------------------------------------

LIMIT = dt.timedelta(days=10)


def attempt(ending: Any, days: float, job: Any = "publish", *failed_at: str) -> Attempt:
    ended = NOW - dt.timedelta(days=days)
    return Attempt(job, ended - dt.timedelta(minutes=5), ended, ending, failed_at)


def status(manifests: list[Manifest], *attempts: Attempt, limit: dt.timedelta | None = LIMIT) -> Element:
    return shown(status_page(manifests[-1], attempts, limit, NOW), manifests[-1])


def facts(tree: Element) -> dict[str, str]:
    (said,) = main(tree).iter("dl")
    return dict(zip([text(e) for e in said.iter("dt")], [text(e) for e in said.iter("dd")], strict=True))


def test_fresh_data_says_until_when_and_when_the_next_release_is_due(manifests: list[Manifest]) -> None:
    tree = status(manifests, attempt("published", 8), attempt("unchanged", 1))
    assert "The data is up to date" in text(main(tree))
    assert "If you read this after 17 December 2026, the data is out of date" in text(main(tree))
    said = facts(tree)
    assert said["Newest release"] == f"{NEWEST}, 7 December 2026"
    assert said["Last success"].startswith(
        "7 December 2026, 07:30 UTC. Everything was checked and nothing had changed"
    )
    assert WEEKLY_RELEASE.words in said["Next release"]
    assert "14 December 2026" in said["Next release"]
    assert DAILY_PULL.words in said["Reading of sources"]
    assert "every 10 days" in said["Promised"]


def test_the_script_finds_what_it_compares_and_its_warning_is_hidden_until_then(manifests: list[Manifest]) -> None:
    tree = status(manifests, attempt("published", 1))
    limit = by_id(tree, "stale-from")
    assert (limit.tag, limit.get("datetime")) == ("time", "2026-12-17T07:30:00+00:00")
    assert by_id(tree, "stale-by-now").get("hidden") is not None
    script = (Path(status_page.__code__.co_filename).parent / "assets" / "status.js").read_text(encoding="utf-8")
    assert set(re.findall(r'getElementById\("([^"]+)"\)', script)) == {"stale-from", "stale-by-now"}


@pytest.mark.parametrize(("days", "is_stale"), [(9.999, False), (10, True), (30, True)])
def test_data_is_stale_from_the_moment_that_its_freshness_ends(
    manifests: list[Manifest], days: float, is_stale: bool
) -> None:
    said = text(main(status(manifests, attempt("unchanged", days))))
    assert ("The data is out of date." in said) is is_stale
    assert ("The data is up to date" in said) is not is_stale


def test_a_failed_attempt_is_told_without_its_message_and_ends_no_freshness(manifests: list[Manifest]) -> None:
    steps = failed_steps(
        ["source.register: /secret/path/file.csv: broken", "source.register: again", "no step here"]
    )
    tree = status(manifests, attempt("published", 3), attempt("failed", 0.1, "publish", *steps))
    assert "The last attempt to make a release failed." in text(main(tree))
    assert facts(tree)["Last success"].startswith("5 December 2026")
    assert facts(tree)["Last attempt"].endswith(
        "It failed at source.register. What was released before stays as it is."
    )
    assert "secret" not in text(tree)


def test_a_pull_is_an_attempt_but_neither_success_nor_failure_of_a_release(manifests: list[Manifest]) -> None:
    tree = status(manifests, attempt("published", 3), attempt("failed", 0.1, "pull", "snapshots.register"))
    assert "The data is up to date" in text(main(tree))
    assert [row[1:] for row in rows(tree, "attempts-caption")] == [
        ["reading sources", "It failed at snapshots.register."],
        ["making a release", "A new release was published."],
    ]


def test_without_records_the_day_of_the_release_counts(manifests: list[Manifest]) -> None:
    tree = status(manifests)
    assert "If you read this after 16 December 2026" in text(main(tree))
    assert facts(tree)["Last attempt"] == "no attempt is recorded here"
    assert "no limit is stated" in facts(status(manifests, limit=None))["Promised"]


def test_the_limit_is_the_strictest_of_the_contracts(public: Path, manifests: list[Manifest]) -> None:
    assert freshness_limit(public / "v" / NEWEST, manifests[-1]) == dt.timedelta(days=40)
    assert freshness_limit(public, manifests[-1]) is None, "a release from before contracts were kept"


@pytest.fixture
def home(public: Path, tmp_path: Path) -> Home:
    """A home with the same releases, in which a test may write."""
    home = Home(tmp_path / "home")
    home.public.mkdir(parents=True)
    (home.public / "v").symlink_to(public / "v")
    (home.public / "latest.json").write_bytes((public / "latest.json").read_bytes())
    return home


def record(status: Any, problems: tuple[str, ...] = (), hours: int = 1) -> RunRecord:
    ended = NOW - dt.timedelta(hours=hours)
    return RunRecord(
        run_id=f"{hours:08d}",
        job="publish",
        sources="sample",
        started_at=ended - dt.timedelta(minutes=1),
        ended_at=ended,
        status=status,
        version=NEWEST,
        problems=problems,
    )


def test_every_record_of_a_run_writes_the_status_anew(home: Home) -> None:
    write_record(home, record("published", hours=3))
    first = (home.public / "status.html").read_bytes()
    write_record(home, record("failed", ("public.things: /secret/place",), hours=2))
    tree = parse((home.public / "status.html").read_bytes())
    assert [row[1:] for row in rows(tree, "attempts-caption")] == [
        ["making a release", "It failed at public.things. What was released before stays as it is."],
        ["making a release", "A new release was published."],
    ]
    assert b"secret" not in (home.public / "status.html").read_bytes()
    assert first != (home.public / "status.html").read_bytes()
    assert (home.public / "assets" / "status.js").is_file()


def test_before_the_first_release_there_is_no_status_page(tmp_path: Path) -> None:
    home = Home(tmp_path)
    write_record(home, record("failed", ("source.register: broken",)))
    assert not home.public.exists()


def test_a_run_ends_as_it_ended_also_where_the_page_cannot_be_written(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    (home.public / "latest.json").write_text("{", encoding="utf-8")
    assert write_record(home, record("published")).is_file()
    assert "the status page was not written" in caplog.text
    assert write_status(home.public, [], NOW) is None


# --- accessibility, corrections -----------------------------------------------------------------------------


@pytest.mark.parametrize("page", [accessibility_page, corrections_page, lambda: issues_page_of_nothing()])
@pytest.mark.parametrize(
    ("contact", "expected"),
    [
        ("data@example.org", "mailto:data@example.org"),
        ("https://example.org/ask", "https://example.org/ask"),
        (None, "has given no address"),
    ],
)
def test_pages_say_whom_to_ask_or_that_nobody_is_named(
    manifests: list[Manifest], page: Callable[[], Page], contact: str | None, expected: str
) -> None:
    made = render(page(), Frame(manifests[-1], Publisher(contact=contact))).decode()
    assert expected in made
    assert ("has given no address" in made) is (contact is None)


def issues_page_of_nothing() -> Page:
    manifest = Manifest.model_construct(version=NEWEST, datasets=())
    return issues_page(manifest, [])


def test_corrections_are_those_that_the_release_lists(tmp_path: Path) -> None:
    listed = mending.Correction(
        table="source.official_accounts",
        key={"authority_code": "ZZB", "platform": "x"},
        column="status",
        expect="active",
        becomes="ended",
        reason="the council closed the account",
        reported_by="council_officer",
        decided_on=dt.date(2026, 12, 1),
        evidence="https://www.zzb.example/contact",
    )
    assert read_corrections(tmp_path) == []
    (tmp_path / "corrections.json").write_bytes(mending.public_list([listed], "live"))
    (found,) = read_corrections(tmp_path)
    assert found == Correction(
        dt.date(2026, 12, 1),
        "source.official_accounts",
        "status where authority_code is ZZB, platform is x",
        "the council closed the account",
        "council officer",
    )
    (tmp_path / "corrections.json").write_text('{"corrections": [{"table": 1}]}', encoding="utf-8")
    with pytest.raises(ManifestError, match=r"corrections\.json: not a list of corrections"):
        read_corrections(tmp_path)


def test_corrections_are_listed_newest_first_and_many_are_shortened(manifests: list[Manifest]) -> None:
    made = [
        Correction(dt.date(2026, 1, 1) + dt.timedelta(days=n), "things", "w" * 90, "r" * 90, "council")
        for n in range(300)
    ]
    page = corrections_page(made)
    assert len(render(page, Frame(manifests[-1], PUBLISHER))) < 100_000
    tree = shown(page, manifests[-1])
    assert rows(tree, "made-caption")[0][0] == "27 October 2026"
    assert "150 older ones are not listed here." in text(main(tree))


def test_erasures_are_counted_and_one_over_several_releases_is_one(manifests: list[Manifest]) -> None:
    day = dt.date(2026, 12, 1)
    stones = [
        Tombstone(OLD, day, "on request", (("things", 2),), "r1"),
        Tombstone(MIDDLE, day, "on request", (("things", 3), ("stuff", 1)), "r1"),
        Tombstone(MIDDLE, day + dt.timedelta(days=1), None, (), "r2"),
        Tombstone(NEWEST, day, "withdrawn"),
    ]
    tree = shown(corrections_page((), stones), manifests[-1])
    assert rows(tree, "erasures-caption") == [["2 December 2026", "1", "0"], ["1 December 2026", "2", "6"]]
    assert "None at present." in text(main(tree))


# --- the feed -----------------------------------------------------------------------------------------------


def feed(content: bytes) -> Any:
    """The feed as readers take it; what is not well-formed, or not of the declared type, is a fault."""
    found = feedparser.parse(content, response_headers={"content-type": "application/atom+xml; charset=utf-8"})
    assert not found.bozo, found.get("bozo_exception")
    assert found.version == "atom10"
    return found


def test_readers_find_each_release_with_what_changed(site: dict[str, bytes]) -> None:
    found = feed(site["feed.xml"])
    assert found.feed.title == "Councillors' digital engagement (sample): releases"
    assert found.feed.author == PUBLISHER.name
    assert [entry.title for entry in found.entries] == [
        f"Release {NEWEST} (minor)",
        f"Release {MIDDLE} (patch)",
        f"Release {OLD} (first)",
    ]
    assert [entry.updated for entry in found.entries] == [
        "2026-12-07T00:00:00Z",
        "2026-11-09T00:00:00Z",
        "2026-11-02T00:00:00Z",
    ]
    assert found.feed.updated == found.entries[0].updated
    assert "<li>things: rows: 1 changed, 0 as before.</li>" in found.entries[1].content[0].value
    assert "fictional" in found.entries[0].content[0].value
    assert found.entries[0].link == f"v/{NEWEST}/index.html"


def test_every_entry_has_what_the_standard_asks_for(site: dict[str, bytes]) -> None:
    """RFC 4287, section 4.1: one id, title and updated each, an author, a link; ids differ."""
    found = feed(site["feed.xml"])
    parts = [found.feed, *found.entries]
    assert all(part.id.startswith("urn:uuid:") and part.title and part.updated for part in parts)
    assert len({part.id for part in parts}) == len(parts)
    for name in (b"id", b"title", b"updated"):
        assert site["feed.xml"].count(b"<%s" % name) == len(parts)
    assert {link.rel for link in found.feed.links} == {"self", "alternate"}


def test_ids_stay_when_the_site_moves_and_links_follow_its_address(
    public: Path, manifests: list[Manifest]
) -> None:
    here = feed(atom_feed(manifests, changelog(public), PUBLISHER))
    there = feed(atom_feed(manifests, changelog(public), replace(PUBLISHER, base_url="https://data.example/x")))
    assert [entry.id for entry in there.entries] == [entry.id for entry in here.entries]
    assert there.entries[0].link == f"https://data.example/x/v/{NEWEST}/index.html"
    other = feed(atom_feed(manifests, [], replace(PUBLISHER, name="Another")))
    assert other.entries[0].id != here.entries[0].id
    assert "does not tell" in other.entries[0].content[0].value


def test_nothing_that_changed_is_taken_for_a_tag(public: Path, manifests: list[Manifest]) -> None:
    told = changelog(public)[0].model_copy(update={"sentences": (HOSTILE,) * 200})
    content = atom_feed(manifests, [told], PUBLISHER)
    value = feed(content).entries[0].content[0].value
    assert "<script" not in value
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in value
    assert "And 100 more changes" in value
    assert content == atom_feed(manifests[::-1], [told], PUBLISHER)


def test_a_feed_holds_the_newest_fifty(manifests: list[Manifest]) -> None:
    entries = feed(atom_feed(many(manifests[-1], 60), [], PUBLISHER)).entries
    assert len(entries) == 50
    assert entries[0].title.startswith("Release 2026.12.59")
