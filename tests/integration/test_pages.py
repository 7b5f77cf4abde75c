"""The page of a release as a browser and a reader would judge it: structure, words, links, escaping, size."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urldefrag

import pytest

from pipelines.contract import Contract, load_contracts
from pipelines.release.manifest import LICENCES, DatasetEntry, FileEntry, InputEntry, Manifest
from pipelines.release.pages import cells_of, human_size, long_day, release_page
from pipelines.settings import World, project_folder
from tests.html import (
    assert_headings_in_order,
    assert_landmarks,
    assert_references,
    assert_tables,
    ids,
    parse,
)

NOTICE = "Sample data: every authority, councillor and account in this release is fictional."


# --- a release made by hand ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def contracts() -> dict[str, Contract]:
    found = load_contracts(project_folder("data_contracts"))
    return {contract.name: contract for contract in found.values() if contract.layer == "public"}


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
def release(contracts: dict[str, Contract]) -> str:
    return release_page(_manifest(contracts), contracts)


# --- structure ----------------------------------------------------------------------------------------------


def test_the_page_is_built_for_every_reader(release: str) -> None:
    tree = parse(release)
    assert_headings_in_order(tree)
    assert_landmarks(tree)
    assert_references(tree)
    assert tree.all("table")
    assert_tables(tree)


# --- what is said -------------------------------------------------------------------------------------------


def test_the_sample_notice_stands_before_everything_else_and_on_every_dataset(release: str) -> None:
    body = parse(release).all("body")[0]
    assert [child.tag for child in body.children[:3]] == ["a", "header", "section"]
    assert body.children[2].text == NOTICE
    assert "noindex" in release


def test_every_dataset_of_a_sample_is_marked(release: str, contracts: dict[str, Contract]) -> None:
    marked = [p for p in parse(release).all("p") if p.attributes.get("class") == "tag"]
    assert [p.text for p in marked] == ["Sample data"] * len(contracts)


def test_a_live_release_carries_no_notice(contracts: dict[str, Contract]) -> None:
    page = release_page(_manifest(contracts, world="live"), contracts)
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


def test_the_first_release_has_no_previous_one(contracts: dict[str, Contract]) -> None:
    page = release_page(_manifest(contracts, previous=None), contracts)
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
            "Download",
            "Use it in your own tools",
            "Licence and attribution",
        ]
        assert [h.text for h in section.all("h4")] == ["How to use it", "DuckDB", "Python", "R"]
        for said in (contract.limitations, contract.purpose, contract.usage or "", *contract.attribution):
            assert " ".join(said.split()) in section.text
        assert [f"{name}.parquet" in pre.text for pre in section.all("pre")] == [True] * 3


def test_a_file_is_given_with_size_rows_and_full_checksum(release: str) -> None:
    section = next(t for t in parse(release).all("table") if "authorities.parquet" in t.text)
    parquet = section.all("tbody")[0].all("tr")[0]
    digest = hashlib.sha256(b"authorities.parquet").hexdigest()
    assert parquet.all("details")[0].all("code")[1].text == digest
    assert digest[:12] in parquet.all("summary")[0].text
    assert "12.3 kB" in parquet.text
    assert "1,234" in parquet.text


def test_what_it_was_made_from_names_file_day_rows_and_licence(release: str) -> None:
    table = next(t for t in parse(release).all("table") if t.children[0].attributes["id"] == "made-from-files")
    cells = [cell.text for cell in table.all("tbody")[0].all("th", "td")]
    location = "authority_register/uk_local_authorities.csv"
    assert cells == ["authority_register", location, "10 July 2025", "470", LICENCES["CC-BY-4.0"][0]]


# --- links and safety ---------------------------------------------------------------------------------------


def test_links_are_relative_and_lead_to_what_a_publication_holds(
    tmp_path: Path, release: str, contracts: dict[str, Contract]
) -> None:
    _lay_out(tmp_path, release, _manifest(contracts))
    page = tmp_path / "v" / "2026.11.1" / "index.html"
    for link in parse(page.read_text(encoding="utf-8")).all("a"):
        address, fragment = urldefrag(link.attributes["href"] or "")
        if address in {licence for _, licence in LICENCES.values()}:
            continue
        assert not re.match(r"[a-z]+:|/", address), f"{address} is not relative"
        target = (page.parent / address).resolve() if address else page
        assert target.is_file(), f"{page.name} links to {address}"
        if fragment:
            assert fragment in ids(parse(target.read_text(encoding="utf-8")))


def _lay_out(public: Path, release: str, manifest: Manifest) -> None:
    """The files of a publication with two releases, as the build writes them; only the page has content."""
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
    (public / "index.html").touch()


def test_nothing_is_loaded_and_nothing_runs(release: str) -> None:
    tree = parse(release)
    assert not tree.all("script", "link", "img", "iframe", "object", "form", "base")
    for element in tree.everything():
        assert not {"style", "src", "srcset"} & set(element.attributes)
        assert not [name for name in element.attributes if name.startswith("on")]
    assert "url(" not in tree.all("style")[0].text
    assert "@import" not in tree.all("style")[0].text


def test_the_policy_lets_through_exactly_the_inline_stylesheet(release: str) -> None:
    style = re.findall(r"<style>(.*?)</style>", release, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
    policy = next(m for m in parse(release).all("meta") if m.attributes.get("http-equiv")).attributes["content"]
    assert len(style) == 1
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_markup_in_texts_is_shown_and_not_obeyed(contracts: dict[str, Contract]) -> None:
    attack = "<script>alert(1)</script>\"'><img src=x onerror=y>"
    contract = replace(contracts["data_issues"], limitations=attack, title=attack, purpose=attack)
    entry = _entry(contract).model_copy(update={"attribution": (attack,), "licence": attack, "grain": attack})
    manifest = _manifest({"data_issues": contract}).model_copy(
        update={"datasets": (entry,), "title": attack, "notice": attack}
    )
    tree = parse(release_page(manifest, {"data_issues": contract}))
    assert not tree.all("script", "img")
    assert attack in tree.text


def test_a_row_of_another_width_than_the_contract_is_refused(contracts: dict[str, Contract]) -> None:
    with pytest.raises(ValueError, match="zip"):
        cells_of(("ZZB",), contracts["coverage"])


# --- size, bytes, words -------------------------------------------------------------------------------------


def test_a_page_stays_small(release: str) -> None:
    assert len(release.encode()) < 100_000


def test_the_same_release_gives_the_same_bytes(release: str, contracts: dict[str, Contract]) -> None:
    assert release_page(_manifest(contracts), contracts) == release


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
