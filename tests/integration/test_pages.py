"""The pages as a browser and a reader would judge them: structure, words, links, escaping, size, bytes."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urldefrag

import pytest

from pipelines.contract import Column, Contract, load_contracts
from pipelines.release.manifest import LICENCES, DatasetEntry, FileEntry, InputEntry, Manifest
from pipelines.release.pages import home_page, human_size, long_day, release_page
from pipelines.settings import World, project_folder

NOTICE = "Sample data: every authority, councillor and account in this release is fictional."
VOID = {"meta", "link", "br", "img", "hr", "input"}
EXAMPLES: Mapping[str, object] = {
    "string": "ZZB",
    "integer": 12345,
    "number": 0.5238,
    "boolean": True,
    "date": dt.date(2026, 5, 8),
    "timestamp": dt.datetime(2026, 5, 8, 9, 30),  # noqa: DTZ001 - the warehouse hands out naive UTC
}


# --- a release made by hand ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def contracts() -> dict[str, Contract]:
    found = load_contracts(project_folder("data_contracts"))
    return {contract.name: contract for contract in found.values() if contract.layer == "public"}


@pytest.fixture(scope="module")
def rows(contracts: dict[str, Contract]) -> dict[str, list[tuple[object, ...]]]:
    return {name: [_row(contract, n) for n in range(10)] for name, contract in contracts.items()}


def _row(contract: Contract, number: int) -> tuple[object, ...]:
    return tuple(_value(column, number) for column in contract.columns)


def _value(column: Column, number: int) -> object:
    return EXAMPLES[column.type] if column.required or number % 2 else None


def _file(path: str, rows: int | None) -> FileEntry:
    digest = hashlib.sha256(path.encode()).hexdigest()
    return FileEntry(path=path, sha256=digest, bytes=12_345, media_type="application/octet-stream", rows=rows)


def _entry(contract: Contract, rows: int = 1234) -> DatasetEntry:
    return DatasetEntry(
        name=contract.name,
        title=contract.title,
        grain=contract.grain,
        schema_version=contract.version,
        contract_sha256="0" * 64,
        rows=rows,
        licence=contract.licence,
        attribution=contract.attribution,
        key=contract.key,
        files=(_file(f"{contract.name}.parquet", rows), _file(f"{contract.name}.csv.gz", rows)),
    )


def _manifest(
    contracts: Mapping[str, Contract],
    world: World = "sample",
    version: str = "2026.11.1",
    previous: str | None = "2026.11.0",
) -> Manifest:
    source = InputEntry(
        source="authority_register",
        location="authority_register/uk_local_authorities.csv",
        as_of=dt.date(2025, 7, 10),
        sha256="1" * 64,
        rows=470,
        licence="CC-BY-4.0",
        attribution=("UK local authority names and codes, mySociety",),
    )
    return Manifest(
        title="Councillors' digital engagement",
        version=version,
        world=world,
        notice=NOTICE if world == "sample" else None,
        released_on=dt.date(2026, 11, 5),
        code_version="0.1.0+abcdef012345",
        previous=previous,
        datasets=tuple(_entry(contract) for contract in contracts.values()),
        inputs=(source,),
        files=(),
    )


@pytest.fixture(scope="module")
def release(contracts: dict[str, Contract], rows: dict[str, list[tuple[object, ...]]]) -> str:
    return release_page(_manifest(contracts), contracts, rows)


@pytest.fixture(scope="module")
def home(contracts: dict[str, Contract]) -> str:
    newest, older = _manifest(contracts), _manifest(contracts, version="2026.11.0", previous=None)
    return home_page(newest, [older, newest])


@pytest.fixture(params=["release", "home"])
def page(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


# --- a small reader of HTML ---------------------------------------------------------------------------------


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    children: list[Element] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def all(self, *tags: str) -> list[Element]:
        here = [self] if self.tag in tags else []
        return here + [found for child in self.children for found in child.all(*tags)]

    def everything(self) -> list[Element]:
        return [self, *(found for child in self.children for found in child.everything())]

    @property
    def text(self) -> str:
        return " ".join(" ".join([*self.words, *(child.text for child in self.children)]).split())


class _Tree(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("root", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].words.append(data)


def parse(page: str) -> Element:
    tree = _Tree()
    tree.feed(page)
    tree.close()
    assert tree.open == [tree.root], f"left open: {[element.tag for element in tree.open[1:]]}"
    return tree.root


def ids(tree: Element) -> list[str]:
    return [element.attributes["id"] or "" for element in tree.everything() if "id" in element.attributes]


# --- structure ----------------------------------------------------------------------------------------------


def test_headings_begin_with_one_h1_and_skip_no_level(page: str) -> None:
    levels = [int(heading.tag[1]) for heading in parse(page).all("h1", "h2", "h3", "h4", "h5", "h6")]
    main = [int(heading.tag[1]) for heading in parse(page).all("main")[0].all("h1", "h2", "h3", "h4")]
    assert levels.count(1) == 1
    assert main[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(main))


def test_landmarks_language_and_skip_link(page: str) -> None:
    tree = parse(page)
    assert tree.all("html")[0].attributes["lang"] == "en-GB"
    assert [len(tree.all(tag)) for tag in ("header", "main", "footer", "title")] == [1, 1, 1, 1]
    skip = tree.all("body")[0].children[0]
    assert skip.attributes["href"] == f"#{tree.all('main')[0].attributes['id']}"


def test_ids_are_unique_and_every_reference_has_one(page: str) -> None:
    tree = parse(page)
    known = ids(tree)
    assert len(known) == len(set(known))
    for element in tree.everything():
        if label := element.attributes.get("aria-labelledby"):
            assert label in known


def test_every_table_has_a_caption_scopes_and_a_region_that_takes_the_focus(page: str) -> None:
    tree = parse(page)
    regions = [element for element in tree.all("div") if element.attributes.get("role") == "region"]
    tables = tree.all("table")
    assert tables
    assert [table for region in regions for table in region.all("table")] == tables
    for region, table in zip(regions, tables, strict=True):
        caption = table.children[0]
        assert caption.tag == "caption"
        assert caption.text
        assert region.attributes["aria-labelledby"] == caption.attributes["id"]
        assert region.attributes["tabindex"] == "0"
        assert {th.attributes.get("scope") for th in table.all("thead")[0].all("th")} == {"col"}
        width = len(table.all("thead")[0].all("th"))
        for row in table.all("tbody")[0].all("tr"):
            cells = row.all("th", "td")
            assert len(cells) == width
            assert [cell.attributes.get("scope") for cell in row.all("th")] == ["row"]
            assert all(cell.text for cell in cells), "an empty cell says nothing to a screen reader"


# --- what is said -------------------------------------------------------------------------------------------


def test_the_sample_notice_stands_before_everything_else_and_on_every_dataset(page: str) -> None:
    body = parse(page).all("body")[0]
    assert [child.tag for child in body.children[:3]] == ["a", "header", "section"]
    assert body.children[2].text == NOTICE
    assert "noindex" in page


def test_every_dataset_of_a_sample_is_marked(release: str, contracts: dict[str, Contract]) -> None:
    marked = [p for p in parse(release).all("p") if p.attributes.get("class") == "tag"]
    assert [p.text for p in marked] == ["Sample data"] * len(contracts)


def test_a_live_release_carries_no_notice(
    contracts: dict[str, Contract], rows: dict[str, list[tuple[object, ...]]]
) -> None:
    manifest = _manifest(contracts, world="live")
    for page in (release_page(manifest, contracts, rows), home_page(manifest, [manifest])):
        tree = parse(page)
        assert "ample data" not in tree.all("body")[0].text
        assert not [s for s in tree.all("section") if s.attributes.get("class") == "notice"]
        assert "noindex" not in page
        assert "fictional, written" not in page


def test_facts_are_those_of_the_manifest(release: str, contracts: dict[str, Contract]) -> None:
    facts = parse(release).all("dl")[0]
    said = dict(zip([t.text for t in facts.all("dt")], [d.text for d in facts.all("dd")], strict=True))
    assert said["Version"] == "2026.11.1"
    assert said["Released on"] == "5 November 2026"
    assert said["Previous release"] == "2026.11.0"
    assert said["Datasets"] == str(len(contracts))
    assert facts.all("time")[0].attributes["datetime"] == "2026-11-05"


def test_the_first_release_has_no_previous_one(
    contracts: dict[str, Contract], rows: dict[str, list[tuple[object, ...]]]
) -> None:
    page = release_page(_manifest(contracts, previous=None), contracts, rows)
    assert "none, this is the first" in page
    assert "None" not in parse(page).text


def test_a_dataset_states_its_limits_first_and_then_everything_else(
    release: str, contracts: dict[str, Contract]
) -> None:
    sections = {
        section.attributes["aria-labelledby"]: section
        for section in parse(release).all("section")
        if section.attributes.get("aria-labelledby") in contracts
    }
    assert list(sections) == list(contracts)
    for name, contract in contracts.items():
        section = sections[name]
        assert [h.text for h in section.all("h3")] == [
            "Limits",
            "What it is for",
            "How to use it",
            "Download",
            "Columns",
            "First rows",
            "Use it in your own tools",
            "Licence and attribution",
        ]
        for said in (contract.limitations, contract.purpose, contract.usage or "", *contract.attribution):
            assert " ".join(said.split()) in section.text
        assert all(column.description in section.text for column in contract.columns)
        assert [f"{name}.parquet" in pre.text for pre in section.all("pre")] == [True] * 3


def test_a_file_is_given_with_size_rows_and_full_checksum(release: str) -> None:
    section = next(t for t in parse(release).all("table") if "authorities.parquet" in t.text)
    parquet = section.all("tbody")[0].all("tr")[0]
    digest = hashlib.sha256(b"authorities.parquet").hexdigest()
    assert parquet.all("details")[0].all("code")[1].text == digest
    assert digest[:12] in parquet.all("summary")[0].text
    assert "12.3 kB" in parquet.text
    assert "1,234" in parquet.text


def test_first_rows_show_values_as_the_file_has_them_and_empties_in_words(
    release: str, contracts: dict[str, Contract]
) -> None:
    table = next(
        t for t in parse(release).all("table") if t.children[0].attributes["id"] == "account_adoption-rows"
    )
    assert table.children[0].text == "Councillors with accounts: the first 10 of 1,234 rows (sample data)"
    first, second = table.all("tbody")[0].all("tr")[:2]
    names = [c.name for c in contracts["account_adoption"].columns]
    said = dict(zip(names, [cell.text for cell in first.all("th", "td")], strict=True))
    assert said["seats"] == "12345"
    assert said["as_of_on"] == "2026-05-08"
    assert said["account_share"] == "– empty"
    empty = first.all("td")[names.index("account_share") - 1]
    assert [span.attributes for span in empty.all("span")] == [{"aria-hidden": "true"}, {"class": "vh"}]
    assert "0.5238" in second.text


def test_no_rows_are_said_to_be_none(contracts: dict[str, Contract]) -> None:
    one = {"data_issues": contracts["data_issues"]}
    manifest = _manifest(one).model_copy(update={"datasets": (_entry(one["data_issues"], rows=0),)})
    page = release_page(manifest, one, {"data_issues": []})
    assert "This dataset has no rows in this release." in page
    assert 'id="data_issues-rows"' not in page


def test_a_short_dataset_is_shown_whole(contracts: dict[str, Contract]) -> None:
    one = {"data_issues": contracts["data_issues"]}
    manifest = _manifest(one).model_copy(update={"datasets": (_entry(one["data_issues"], rows=2),)})
    page = release_page(manifest, one, {"data_issues": [_row(one["data_issues"], 1)] * 2})
    assert "Known issues: all rows" in page


def test_what_it_was_made_from_names_file_day_rows_and_licence(release: str) -> None:
    table = next(t for t in parse(release).all("table") if t.children[0].attributes["id"] == "made-from-files")
    cells = [cell.text for cell in table.all("tbody")[0].all("th", "td")]
    location = "authority_register/uk_local_authorities.csv"
    assert cells == ["authority_register", location, "10 July 2025", "470", LICENCES["CC-BY-4.0"][0]]


def test_home_lists_datasets_and_releases_newest_first(home: str, contracts: dict[str, Contract]) -> None:
    datasets, releases = parse(home).all("table")
    links = [row.all("a")[0].attributes["href"] for row in datasets.all("tbody")[0].all("tr")]
    assert links == [f"v/2026.11.1/index.html#{name}" for name in contracts]
    versions = [row.all("th")[0].text for row in releases.all("tbody")[0].all("tr")]
    assert versions == ["2026.11.1", "2026.11.0"]


def test_home_orders_releases_by_number_not_by_letter(contracts: dict[str, Contract]) -> None:
    given = [_manifest(contracts, version=version) for version in ("2026.9.0", "2026.11.0", "2026.10.12")]
    releases = parse(home_page(given[1], given)).all("table")[1]
    versions = [row.all("th")[0].text for row in releases.all("tbody")[0].all("tr")]
    assert versions == ["2026.11.0", "2026.10.12", "2026.9.0"]


def test_home_points_to_known_issues_only_where_the_release_has_them(
    home: str, contracts: dict[str, Contract]
) -> None:
    assert 'href="v/2026.11.1/index.html#data_issues">Known issues</a>' in home
    fewer = {name: contract for name, contract in contracts.items() if name != "data_issues"}
    assert "data_issues" not in home_page(_manifest(fewer), [_manifest(fewer)])


# --- links and safety ---------------------------------------------------------------------------------------


def test_links_are_relative_and_lead_to_what_a_publication_holds(
    tmp_path: Path, release: str, home: str, contracts: dict[str, Contract]
) -> None:
    _lay_out(tmp_path, release, home, _manifest(contracts))
    for page in (tmp_path / "index.html", tmp_path / "v" / "2026.11.1" / "index.html"):
        for link in parse(page.read_text(encoding="utf-8")).all("a"):
            address, fragment = urldefrag(link.attributes["href"] or "")
            if address in {licence for _, licence in LICENCES.values()}:
                continue
            assert not re.match(r"[a-z]+:|/", address), f"{address} is not relative"
            target = (page.parent / address).resolve() if address else page
            assert target.is_file(), f"{page.name} links to {address}"
            if fragment:
                assert fragment in ids(parse(target.read_text(encoding="utf-8")))


def _lay_out(public: Path, release: str, home: str, manifest: Manifest) -> None:
    """The files of a publication with two releases, as the build writes them; only the pages have content."""
    companions = (
        "README.md CHANGES.md changes.json codebook.md quality.json manifest.json datapackage.json views.duckdb "
        "SHA256SUMS"
    )
    for version in ("2026.11.0", "2026.11.1"):
        folder = public / "v" / version
        folder.mkdir(parents=True)
        for name in [*companions.split(), *(file.path for d in manifest.datasets for file in d.files)]:
            (folder / name).touch()
        (folder / "index.html").write_text(release, encoding="utf-8")
    for name in ("latest.json", "versions.json", "catalog.json"):
        (public / name).touch()
    (public / "index.html").write_text(home, encoding="utf-8")


def test_nothing_is_loaded_and_nothing_runs(page: str) -> None:
    tree = parse(page)
    assert not tree.all("script", "link", "img", "iframe", "object", "form", "base")
    for element in tree.everything():
        assert not {"style", "src", "srcset"} & set(element.attributes)
        assert not [name for name in element.attributes if name.startswith("on")]
    assert "url(" not in tree.all("style")[0].text
    assert "@import" not in tree.all("style")[0].text


def test_the_policy_lets_through_exactly_the_inline_stylesheet(page: str) -> None:
    style = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
    policy = next(m for m in parse(page).all("meta") if m.attributes.get("http-equiv")).attributes["content"]
    assert len(style) == 1
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_markup_in_texts_and_cells_is_shown_and_not_obeyed(contracts: dict[str, Contract]) -> None:
    attack = "<script>alert(1)</script>\"'><img src=x onerror=y>"
    contract = replace(contracts["data_issues"], limitations=attack, title=attack, purpose=attack)
    entry = _entry(contract).model_copy(update={"attribution": (attack,), "licence": attack, "grain": attack})
    manifest = _manifest({"data_issues": contract}).model_copy(
        update={"datasets": (entry,), "title": attack, "notice": attack}
    )
    rows = [(attack, *_row(contract, 1)[1:])]
    for page in (
        release_page(manifest, {"data_issues": contract}, {"data_issues": rows}),
        home_page(manifest, [manifest]),
    ):
        tree = parse(page)
        assert not tree.all("script", "img")
        assert attack in tree.text


def test_a_row_of_another_width_than_the_contract_is_refused(
    contracts: dict[str, Contract], rows: dict[str, list[tuple[object, ...]]]
) -> None:
    with pytest.raises(ValueError, match="zip"):
        release_page(_manifest(contracts), contracts, {**rows, "coverage": [("ZZB",)]})


# --- size, bytes, words -------------------------------------------------------------------------------------


def test_a_page_stays_small(page: str) -> None:
    assert len(page.encode()) < 200_000  # ten datasets on one page, until each has its own


def test_the_same_release_gives_the_same_bytes(
    release: str, home: str, contracts: dict[str, Contract], rows: dict[str, list[tuple[object, ...]]]
) -> None:
    newest, older = _manifest(contracts), _manifest(contracts, version="2026.11.0", previous=None)
    assert release_page(newest, contracts, rows) == release
    assert home_page(newest, [newest, older]) == home, "the order in which manifests come does not matter"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (12_345, "12.3 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (202_700_000, "202.7 MB"),
        (4_500_000_000, "4.5 GB"),
        (7_200_000_000_000, "7.2 TB"),
    ],
)
def test_sizes_in_human_units(size: int, text: str) -> None:
    assert human_size(size) == text


def test_days_do_not_follow_the_language_of_the_machine() -> None:
    assert [long_day(dt.date(2026, month, 1)) for month in (1, 9, 12)] == [
        "1 January 2026",
        "1 September 2026",
        "1 December 2026",
    ]
