"""The site as a browser and a reader would judge it: every page of the sample, links, numbers, snippets, bytes."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import urldefrag

import duckdb
import pytest

from pipelines.assets import PROJECT
from pipelines.release.manifest import ManifestError, read_manifest
from pipelines.release.metadata.publisher import Publisher
from pipelines.release.metadata.search_rules import jsonld_faults
from pipelines.settings import Home, SettingsError
from pipelines.site.authorities import COLLECTION, LEAST_PEERS, PLATFORMS, TYPES, quartiles
from pipelines.site.build import build_site
from pipelines.site.charts import percent
from pipelines.site.datasets import snippets
from pipelines.site.home import claims
from pipelines.site.released import Released, open_released
from pipelines.site.sql import FILES, VARIABLE, engine_from
from tests.conftest import DAY
from tests.html import (
    Element,
    assert_headings_in_order,
    assert_landmarks,
    assert_references,
    assert_tables,
    ids,
    parse,
)

NOTICE = "every authority, councillor and account in this release is fictional"
LARGEST = 100_000
PUBLISHER = Publisher(name="County data office", base_url="https://data.example/engagement")


@pytest.fixture(scope="module")
def public(sample_home: Home) -> Path:
    return sample_home.public


@pytest.fixture(scope="module")
def released(public: Path) -> Iterator[Released]:
    with open_released(public, Publisher()) as found:
        yield found


@pytest.fixture
def copy(sample_home: Home, tmp_path: Path) -> Path:
    """A public folder that a test may change."""
    return Path(shutil.copytree(sample_home.public, tmp_path / "public"))


def pages_of(public: Path) -> list[Path]:
    return [page for page in sorted(public.rglob("*.html")) if "v" not in page.relative_to(public).parts]


@cache
def tree_of(page: Path) -> Element:
    return parse(page.read_text(encoding="utf-8"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


# --- structure and safety -----------------------------------------------------------------------------------


def test_every_page_is_built_for_every_reader(public: Path) -> None:
    assert len(pages_of(public)) > 40
    for page in pages_of(public):
        tree = tree_of(page)
        assert_headings_in_order(tree)
        assert_landmarks(tree)
        assert_references(tree)
        assert_tables(tree)
        assert NOTICE in tree.text
        assert not [cell for cell in tree.all("td", "th", "dd") if "None" in cell.text.split()], page
        assert page.stat().st_size <= LARGEST, page


def test_every_picture_has_words_and_a_table_stands_beside_it(public: Path) -> None:
    for page in pages_of(public):
        tree = tree_of(page)
        drawn = tree.all("svg")
        assert all({"aria-label", "aria-labelledby"} & set(drawing.attributes) for drawing in drawn)
        assert len(tree.all("figcaption")) == len(tree.all("figure"))
        if [drawing for drawing in drawn if drawing.attributes["class"] == "chart"]:
            assert tree.all("table"), page


def test_every_link_leads_somewhere_and_only_people_follow_links_outside(public: Path) -> None:
    for page in pages_of(public):
        for link in tree_of(page).all("a"):
            address, fragment = urldefrag(link.attributes["href"] or "")
            assert link.text, f"{page}: a link to {address} says nothing"
            if re.match(r"https?://", address):
                continue
            target = (page.parent / address).resolve() if address else page
            assert target.is_file(), f"{page} links to {address}"
            if fragment:
                assert fragment in ids(tree_of(target)), f"{page}: {address}#{fragment}"


def test_nothing_is_loaded_from_elsewhere_and_nothing_runs_but_our_own_files(public: Path) -> None:
    for page in pages_of(public):
        tree = tree_of(page)
        text = page.read_text(encoding="utf-8")
        for script in tree.all("script"):
            assert script.attributes.get("type") == "application/ld+json" or re.fullmatch(
                r"(\.\./)?assets/[a-z]+\.js", script.attributes["src"] or ""
            )
        assert not tree.all("img", "iframe", "object", "form", "base")
        for element in tree.everything():
            assert not {"style", "srcset"} & set(element.attributes)
            assert not [name for name in element.attributes if name.startswith("on")]
        (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
        assert "url(" not in style
        assert "@import" not in style
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        policy = next(m for m in tree.all("meta") if m.attributes.get("http-equiv")).attributes["content"]
        assert policy == (
            f"default-src 'none'; style-src 'sha256-{digest}'; script-src 'self'; connect-src 'self'; "
            "img-src 'self' data:; base-uri 'none'; form-action 'none'"
        )


# --- what is said -------------------------------------------------------------------------------------------


def test_the_home_page_tells_every_claim_with_numbers_of_the_findings(public: Path, released: Released) -> None:
    told = claims(released)
    listed = [rule.allowed for rule in released.contracts["findings"].column("claim_id").rules if rule.allowed]
    assert [claim.id for claim in told] == list(listed[0])
    text = tree_of(public / "index.html").text
    for claim in told:
        assert claim.text.rstrip(".") in text
        for row in claim.rows:
            (found,) = released.rows(
                "select value, base from findings where claim_id = ? and measure = ? and evidence = ? "
                "and area = ? and subject_group = ?",
                [claim.id, row["measure"], row["evidence"], row["area"], row["subject_group"]],
            )
            assert (row["value"], row["base"]) == (found["value"], found["base"])
            if row["unit"] == "share" and row["value"] is not None:
                assert row["words"] == percent(found["value"])
        assert all(limit in text for limit in claim.cannot_say)


def test_every_authority_can_be_found_by_name_without_a_script(public: Path, released: Released) -> None:
    listed = next(
        e for e in tree_of(public / "index.html").everything() if e.attributes.get("id") == "council-list"
    )
    links = {link.attributes["href"]: link.text for link in listed.all("a")}
    rows = released.rows("select authority_code, official_name from authorities")
    assert links == {f"authorities/{row['authority_code']}.html": row["official_name"] for row in rows}


def test_an_authority_shows_all_of_its_rows(public: Path, released: Released) -> None:
    for code in ("ZZB", "ZZA", "ZZO"):
        tree = tree_of(public / "authorities" / f"{code}.html")
        tables = {table.children[0].attributes["id"]: table for table in tree.all("table")}
        for name, sql in {
            "authority-accounts": "select count(*) as n from authority_accounts where authority_code = ?",
            "authority-coverage": "select count(*) as n from coverage where authority_code = ?",
            "authority-adoption": "select count(*) as n from account_adoption where authority_code = ?",
            "authority-weeks": "select count(distinct week_on) as n from account_activity_weekly "
            "where authority_code = ?",
        }.items():
            (expected,) = released.rows(sql, [code])
            shown = len(tables[name].all("tbody")[0].all("tr")) if name in tables else 0
            assert shown == expected["n"], (code, name)


def test_the_weeks_of_an_authority_are_the_sums_of_its_accounts(public: Path, released: Released) -> None:
    table = next(
        t
        for t in tree_of(public / "authorities" / "ZZY.html").all("table")
        if t.children[0].attributes["id"] == "authority-weeks"
    )
    newest = [cell.text for cell in table.all("tbody")[0].all("tr")[0].all("td")]
    (row,) = released.rows(
        "select count(*) as accounts, min(days_read) as days, sum(posts) as posts, sum(replies) as replies "
        "from account_activity_weekly where authority_code = 'ZZY' "
        "and week_on = (select max(week_on) from account_activity_weekly)"
    )
    assert newest[:4] == [str(row[name]) for name in ("accounts", "days", "posts", "replies")]
    assert row["accounts"] > 1


def test_a_body_that_ended_says_so_and_leads_to_its_successor(public: Path) -> None:
    tree = tree_of(public / "authorities" / "ZZA.html")
    assert "This body no longer exists" in tree.text
    assert "ZZB.html" in [link.attributes["href"] for link in tree.all("main")[0].all("a")]
    followed = tree_of(public / "authorities" / "ZZB.html")
    assert "ZZA.html" in [link.attributes["href"] for link in followed.all("main")[0].all("a")]


def test_peers_are_summed_up_only_where_there_are_enough() -> None:
    assert quartiles([1.0] * (LEAST_PEERS - 1)) is None
    assert quartiles([1.0, 2.0, 3.0, 4.0, 5.0]) == (2.0, 3.0, 4.0)
    assert quartiles([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]) == (2.75, 4.5, 6.25), "as R's quantile() has it"


def test_words_exist_for_every_code_that_the_data_may_hold() -> None:
    def allowed(table: str, column: str) -> set[str]:
        rules = PROJECT.contracts[table].column(column).rules
        return {value for rule in rules for value in rule.allowed}

    assert set(TYPES) == allowed("public.authorities", "authority_type")
    assert set(COLLECTION) == allowed("public.coverage", "collection")
    assert set(PLATFORMS) == allowed("public.coverage", "platform")


def test_the_next_release_is_expected_on_the_day_of_the_schedule(released: Released) -> None:
    assert released.manifest.released_on.isoformat() == DAY, "a Monday"
    assert (released.next_expected - released.manifest.released_on).days == 7


# --- datasets -----------------------------------------------------------------------------------------------


def test_a_dataset_states_its_limits_first_and_then_everything_else(public: Path, released: Released) -> None:
    for name, contract in released.contracts.items():
        main = tree_of(public / "datasets" / f"{name}.html").all("main")[0]
        assert main.all("h2")[0].text == "Limits"
        said = (contract.limitations, contract.purpose, contract.usage or "", *contract.attribution)
        assert all(" ".join(words.split()) in main.text for words in said)
        assert all(column.description in main.text for column in contract.columns)
        table = next(t for t in main.all("table") if t.children[0].attributes["id"] == "dataset-rows")
        rows = table.all("tbody")[0].all("tr")
        assert len(rows) == min(10, released.manifest.dataset(name).rows)
        assert len(rows[0].all("th", "td")) == len(contract.columns)


def test_snippets_run_as_printed_and_print_the_number_of_rows(public: Path, released: Released) -> None:
    printed: dict[str, list[str]] = {"duckdb": [], "python": [], "r": []}
    for name in released.contracts:
        blocks = [block.all("code")[0] for block in tree_of(public / "datasets" / f"{name}.html").all("pre")]
        for block in blocks:
            printed[(block.attributes["class"] or "").removeprefix("language-")].append("".join(block.words))
    expected = [str(released.manifest.dataset(name).rows) for name in released.contracts]
    con = duckdb.connect(":memory:")
    try:
        con.execute(f"set file_search_path = '{released.folder}'")
        assert [str(row[0]) for text in printed["duckdb"] for row in con.execute(text).fetchall()] == expected
    finally:
        con.close()
    # One process for all, because a process that imports pandas takes a second to start.
    program = f"for text in {printed['python']!r}:\n    exec(text, {{}})"
    assert _output([sys.executable, "-c", program], released.folder) == expected
    rscript = shutil.which("Rscript")
    assert rscript or not os.environ.get("CI"), "where everything is asked for, R must be there"
    if rscript:
        told = _output([rscript, "-e", "\n".join(printed["r"])], released.folder)
        assert [line.split()[-1] for line in told] == expected


def _output(command: list[str], folder: Path) -> list[str]:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.splitlines()


def test_with_a_public_address_snippets_read_from_there(copy: Path) -> None:
    with open_released(copy, PUBLISHER) as released:
        entry = released.manifest.dataset("findings")
        texts = {snippet.tool: snippet.text for snippet in snippets(released, entry)}
    base = f"https://data.example/engagement/v/{entry.files and '2026.11.0'}/findings"
    assert f"'{base}.parquet'" in texts["DuckDB"]
    assert f'"{base}.parquet"' in texts["Python"]
    assert f'gzcon(url("{base}.csv.gz"))' in texts["R"]


def test_search_engines_get_a_description_without_faults(copy: Path) -> None:
    build_site(copy, PUBLISHER)
    pages = sorted((copy / "datasets").glob("*.html"))
    assert pages
    for page in pages:
        (script,) = [s for s in parse(page.read_text(encoding="utf-8")).all("script") if "type" in s.attributes]
        described = json.loads("".join(script.words))
        assert jsonld_faults(described) == []
        assert described["url"] == f"https://data.example/engagement/datasets/{page.name}"


# --- writing it ---------------------------------------------------------------------------------------------


def test_the_same_release_gives_the_same_bytes_and_writes_nothing(copy: Path) -> None:
    before = contents(copy)
    outcome = build_site(copy, Publisher())
    assert outcome.changed == 0
    made = [page for page in pages_of(copy) if page.name != "status.html"]  # which is of a run, not of a release
    assert outcome.pages == len(made)
    assert outcome.largest_bytes == max(page.stat().st_size for page in made)
    assert contents(copy) == before


def test_a_page_that_was_damaged_is_mended_and_one_that_went_is_removed(copy: Path) -> None:
    before = contents(copy)
    (copy / "authorities" / "ZZB.html").write_text("half", encoding="utf-8")
    (copy / "authorities" / "ZZGONE.html").write_text("of an earlier release", encoding="utf-8")
    (copy / "datasets" / ".partial-abc").write_text("of a killed run", encoding="utf-8")
    assert build_site(copy, Publisher()).changed == 1
    assert contents(copy) == before


def test_the_page_for_sql_comes_and_goes_with_its_engine(copy: Path, tmp_path: Path) -> None:
    before = contents(copy)
    engine = tmp_path / "engine"
    engine.mkdir()
    for name in FILES:
        (engine / name).write_text(name, encoding="utf-8")
    build_site(copy, Publisher(), engine)
    assert {path.name for path in (copy / "sql").iterdir()} == {*FILES, "index.html"}
    page = parse((copy / "sql" / "index.html").read_text(encoding="utf-8"))
    files = [row.attributes["data-file"] for row in page.all("tr") if "data-file" in row.attributes]
    assert len(files) == len(read_manifest(copy / "v" / "2026.11.0").datasets)
    assert all(((copy / "sql") / str(file)).is_file() for file in files)
    for linked in (copy / "index.html", copy / "datasets" / "findings.html"):
        assert "sql/index.html" in linked.read_text(encoding="utf-8")
    (copy / "sql" / "of-an-older-engine.wasm").write_text("x", encoding="utf-8")
    build_site(copy, Publisher(), engine)
    assert not (copy / "sql" / "of-an-older-engine.wasm").exists()
    build_site(copy, Publisher())
    assert contents(copy) == before
    assert not (copy / "sql").exists()


def test_a_folder_that_is_no_engine_is_refused_with_what_to_do(tmp_path: Path) -> None:
    assert engine_from({}) is None
    assert engine_from({VARIABLE: " "}) is None
    (tmp_path / "sql.js").write_text("x", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"lacks .*duckdb-eh\.wasm.*make site-sql"):
        engine_from({VARIABLE: str(tmp_path)})


def test_without_a_release_there_is_a_sentence_and_no_page(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="holds no release yet"):
        build_site(tmp_path, Publisher())
    assert list(tmp_path.iterdir()) == []


def test_a_release_that_cannot_be_read_leaves_every_page_as_it_is(copy: Path) -> None:
    folder = next((copy / "v").iterdir())
    (folder / "findings.parquet").unlink()
    before = contents(copy)
    with pytest.raises(ManifestError, match=r"findings\.parquet"):
        build_site(copy, Publisher())
    assert contents(copy) == before


def test_markup_in_a_release_is_shown_and_not_obeyed(copy: Path) -> None:
    attack = "<script>alert(1)</script>\"'><img src=x onerror=y>"
    folder = copy / "v" / "2026.11.0"
    con = duckdb.connect(":memory:")
    for name, column in (
        ("authorities", "official_name"),
        ("authority_accounts", "handle"),
        ("findings", "claim"),
    ):
        file = folder / f"{name}.parquet"
        con.execute(f"create table t as select * replace ($1 as {column}) from '{file}'", [attack])
        con.execute(f"copy t to '{file}' (format parquet)")
        con.execute("drop table t")
    con.close()
    manifest = read_manifest(folder).model_copy(update={"notice": attack, "title": attack})
    (folder / "manifest.json").write_text(manifest.model_dump_json(), encoding="utf-8")
    build_site(copy, Publisher())
    for page in [copy / "index.html", copy / "authorities" / "ZZB.html", copy / "datasets" / "findings.html"]:
        tree = parse(page.read_text(encoding="utf-8"))
        assert not tree.all("img")
        assert all({"src", "type"} & set(script.attributes) for script in tree.all("script"))
        assert attack in tree.text
