"""Accounts from Wikidata: the query as text, and what becomes of its answer beside the other sources."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import duckdb
import pytest

from pipelines.contract import PROVENANCE, load_contracts
from pipelines.functions import FUNCTIONS
from pipelines.lineage import build_order, load_queries, upstream_sources
from pipelines.sample.facts import BY_CODE, OFFICIAL_ACCOUNTS
from pipelines.sample.register_files import wikidata_file
from pipelines.settings import QUERIES, Location, load_sources, project_folder
from pipelines.warehouse import Incoming, load_source, open_warehouse
from tests.helpers import CONTRACTS

SQL = project_folder("sql")
SHIPPED = load_contracts(CONTRACTS)
SOURCES = {contract.name: contract for contract in SHIPPED.values() if contract.layer == "source"}
QUERY = (QUERIES / "wikidata_accounts.rq").read_text(encoding="utf-8")
OXIGRAPH = str(Path(sysconfig.get_path("scripts")) / "oxigraph")


# --- the query ----------------------------------------------------------------------------------------------


def without_strings_and_comments(query: str) -> str:
    """What is left when texts, addresses in angle brackets and comments are taken out."""
    return re.sub(r'"[^"\n]*"|<[^<>\s]*>|#[^\n]*', " ", query)


def test_the_query_declares_every_prefix_that_it_uses_and_no_other() -> None:
    """Wikidata knows the usual prefixes by itself, another server does not."""
    bare = without_strings_and_comments(QUERY)
    declared = set(re.findall(r"PREFIX\s+([\w-]*):", bare))
    used = set(re.findall(r"([A-Za-z][\w-]*):[\w]", bare))
    assert used == declared


@pytest.mark.parametrize("word", ["SERVICE", "hint:", "bd:", "INCLUDE", "gas:", "SAMPLE"])
def test_the_query_uses_nothing_that_one_server_only_understands(word: str) -> None:
    assert word not in without_strings_and_comments(QUERY)


def test_the_query_parses_and_selects_the_columns_of_the_contract(tmp_path: Path) -> None:
    store = ["--location", str(tmp_path / "empty")]
    subprocess.run(
        [OXIGRAPH, "load", *store, "--format", "nt"], input="", capture_output=True, text=True, check=True
    )
    command = [OXIGRAPH, "query", *store, "--results-format", "csv"]
    answer = subprocess.run(command, input=QUERY, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    columns = [c.name for c in SOURCES["wikidata_accounts"].columns if c.name not in PROVENANCE]
    assert next(csv.reader(io.StringIO(answer.stdout))) == columns


def test_the_query_fits_into_an_address() -> None:
    """Many servers refuse request lines over 8 KiB, and a query that is asked with GET can be cached."""
    assert len(urlencode({"query": QUERY})) < 7_000


def test_the_live_list_asks_the_query_of_wikidata() -> None:
    (place,) = load_sources("live", frozenset(SOURCES)).of("wikidata_accounts")
    assert place == Location(
        "sparql", "https://query.wikidata.org/sparql", query=QUERY, query_name="wikidata_accounts"
    )


# --- from an answer to the published accounts ---------------------------------------------------------------

DAY = dt.date(2025, 6, 1)
ACCOUNT = {"gss_code": "Z06000002", "found_through": "linked_body", "platform": "x", "item": "Q990000001"}
Row = Mapping[str, str]


@cache
def behind(table: str) -> tuple[list[str], list[tuple[str, str]]]:
    """The sources that a table is made from, and the tables in their order, itself last, each with its query."""
    queries = load_queries(SQL)
    order, wanted = build_order(queries), {table}
    for name in reversed(order):
        wanted |= queries[name].reads if name in wanted else set()
    return sorted(upstream_sources(table, queries)), [(n, queries[n].text) for n in order if n in wanted]


class World:
    """A few bodies and what sources say of their accounts."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con
        self._batches: dict[str, list[Incoming]] = {}
        self.says(
            "authority_register",
            dt.date(2025, 1, 1),
            body("ZZA", "Kettlemarsh", "Z10000001", ("2009-04-01", "2023-03-31"), "ZZB"),
            body("ZZB", "Kettlemarsh", "Z06000001", ("2023-04-01", "")),
            body("ZZG", "Bobbinland", "Z06000002"),
        )

    def says(self, source: str, day: dt.date, *rows: Row) -> None:
        """Add a snapshot of a source."""
        names = [c.name for c in SOURCES[source].columns if c.name not in PROVENANCE]
        cells = [[row.get(name, "") for name in names] for row in rows]
        sha256 = f"{len(self._batches.get(source, [])):064x}"
        self._batches.setdefault(source, []).append(
            Incoming(sha256, day, names, cells, [line + 2 for line in range(len(rows))])
        )

    def wikidata(self, *rows: Row, day: dt.date = DAY) -> None:
        """Add an answer of Wikidata; a row needs to say only what matters."""
        evidence = {"evidence_url": "https://www.wikidata.example/wiki/Q990000001"}
        self.says("wikidata_accounts", day, *({**evidence, **ACCOUNT, **row} for row in rows))

    def organisations(self, day: dt.date, **handles: str) -> None:
        """Add a snapshot of the register of bodies: a handle by GSS code."""
        fixed = {"local_authority": "ZZ", "official_name": "A council"}
        rows = [{**fixed, "gss_code": code, "x_handle": handle} for code, handle in handles.items()]
        self.says("digital_land_authorities", day, *rows)

    def curated(self, *rows: Row, day: dt.date = DAY) -> None:
        """Add a version of the curated list."""
        fixed = {
            "authority_code": "ZZG",
            "platform": "x",
            "evidence_url": "https://www.zzg.example/contact",
            "checked_on": "2025-05-31",
        }
        self.says("official_accounts", day, *({**fixed, **row} for row in rows))

    def accounts(self, *columns: str) -> list[tuple[Any, ...]]:
        """The published accounts, built by the project's own queries."""
        sources, queries = behind("public.authority_accounts")
        for table in sources:
            load_source(self._con, SHIPPED[table], self._batches.get(SHIPPED[table].name, []))
        self._con.execute((SQL / "macros.sql").read_text(encoding="utf-8"))
        for table, query in queries:
            self._con.execute(f"create or replace table {table} as {query}")
        shown = ", ".join(
            f"cast({c} as varchar)" if c.startswith(("valid_", "first_", "verified_")) else c for c in columns
        )
        return self._con.execute(
            f"select {shown} from public.authority_accounts order by authority_code, platform, handle, period"
        ).fetchall()


def body(code: str, name: str, gss: str, life: tuple[str, str] = ("2009-04-01", ""), heir: str = "") -> Row:
    return {
        "authority_code": code,
        "official_name": f"{name} Council",
        "nice_name": name,
        "gss_code": gss,
        "start_date": life[0],
        "end_date": life[1],
        "replaced_by": heir,
        "nation": "England",
        "region": "South West",
        "authority_type": "UA",
        "alt_names": name,
        "is_current": str(not life[1]),
    }


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_warehouse(tmp_path / "warehouse.duckdb", FUNCTIONS) as con:
        yield World(con)


def test_a_statement_becomes_an_account_with_its_evidence(world: World) -> None:
    world.wikidata({"account": "zzBobbin", "account_id": "9000000000000000007", "valid_from": "2012-05-04"})
    assert world.accounts("authority_code", "handle", "account_id", "valid_from", "source", "evidence_url") == [
        (
            "ZZG",
            "zzbobbin",
            "9000000000000000007",
            "2012-05-04",
            "wikidata_accounts",
            "https://www.wikidata.example/wiki/Q990000001",
        )
    ]


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (("2012", "2016"), ("2012-01-01", "2016-12-31", "ended")),
        (("2012-02", "2016-02"), ("2012-02-01", "2016-02-29", "ended")),
        (("2012-02-03", "2016-02-03"), ("2012-02-03", "2016-02-03", "ended")),
        pytest.param(("2012", "2025"), ("2012-01-01", "2025-06-01", "ended"), id="ended at some time this year"),
        pytest.param(("2012", "2025-08"), ("2012-01-01", None, "active"), id="an end that is still to come"),
        pytest.param(("", "2016"), (None, "2016-12-31", "ended"), id="nobody knows when it began"),
        pytest.param(("", ""), ("2025-06-01", None, "active"), id="first seen in this answer"),
    ],
)
def test_dates_are_as_wide_as_they_are_stated(
    world: World, stated: tuple[str, str], expected: tuple[str | None, str | None, str]
) -> None:
    world.wikidata({"account": "zzBobbin", "valid_from": stated[0], "valid_to": stated[1]})
    assert world.accounts("valid_from", "valid_to", "status") == [expected]


def test_an_account_that_ends_before_it_began_is_not_believed(world: World) -> None:
    good = [{"account": f"zzBobbin{number}"} for number in range(60)]
    world.wikidata(*good, {"account": "zzBackwards", "valid_from": "2016-05", "valid_to": "2015"})
    assert len(world.accounts("handle")) == 60


def test_one_account_in_three_sources_is_one_row_with_what_each_knows(world: World) -> None:
    world.organisations(dt.date(2023, 11, 20), Z06000002="@zzBobbin")
    world.wikidata({"account": "ZZBobbin", "account_id": "9007", "valid_from": "2012"})
    known = world.accounts("handle", "source", "account_id", "valid_from", "status")
    assert known == [("zzbobbin", "digital_land_authorities", "9007", "2012-01-01", "active")]

    world.curated({"account": "https://x.com/zzBobbin", "valid_from": "2011-03-01"})
    known = world.accounts("handle", "source", "account_id", "valid_from", "status")
    assert known == [("zzbobbin", "official_accounts", "9007", "2011-03-01", "active")]


def test_a_handle_that_is_new_in_the_register_of_bodies_began_there(world: World) -> None:
    """Wikidata may say since when the account exists; under this name it was seen only later."""
    world.organisations(dt.date(2023, 11, 20), Z06000002="zzBobbinOld")
    world.organisations(dt.date(2025, 1, 28), Z06000002="zzBobbin")
    world.wikidata({"account": "zzBobbin", "account_id": "9007", "valid_from": "2012"})
    assert world.accounts("handle", "valid_from", "valid_to", "status") == [
        ("zzbobbin", "2025-01-28", None, "active"),
        ("zzbobbinold", "2023-11-20", "2025-01-27", "renamed"),
    ]


@pytest.mark.parametrize(
    ("platform", "spellings"),
    [
        ("facebook", ("zz.Bobbin.Land", "https://www.facebook.com/zzBobbinLand/")),
        ("mastodon", ("@zzbobbin@social.example", "https://social.example/@zzBobbin")),
        ("linkedin", ("company/zz-bobbin", "https://www.linkedin.com/company/zz-bobbin/")),
        ("bluesky", ("Bobbinland.example", "https://bsky.app/profile/bobbinland.example")),
    ],
)
def test_two_spellings_are_one_account(world: World, platform: str, spellings: tuple[str, str]) -> None:
    world.wikidata({"platform": platform, "account": spellings[0]})
    world.curated({"platform": platform, "account": spellings[1]})
    assert world.accounts("source") == [("official_accounts",)]


def test_what_a_better_source_saw_end_is_not_opened_again(world: World) -> None:
    world.organisations(dt.date(2023, 11, 20), Z06000002="zzBobbin", Z06000001="zzKettle")
    world.organisations(dt.date(2025, 1, 28), Z06000001="zzKettle")
    world.wikidata({"account": "zzBobbin"})
    assert world.accounts("authority_code", "handle", "valid_to", "status") == [
        ("ZZB", "zzkettle", None, "active"),
        ("ZZG", "zzbobbin", "2025-01-27", "ended"),
    ]


def test_a_name_that_the_account_no_longer_bears_is_history_or_nothing(world: World) -> None:
    world.curated({"account": "zzBobbin", "account_id": "9007", "valid_from": "2017-01-01"})
    world.wikidata(
        {"account": "zzBobbinBC", "account_id": "9007"},
        {"account": "zzBobbinRDC", "account_id": "9007", "valid_from": "2010", "valid_to": "2016"},
    )
    assert world.accounts("handle", "status", "valid_to") == [
        ("zzbobbin", "active", None),
        ("zzbobbinrdc", "renamed", "2016-12-31"),
    ]


def test_what_the_area_states_gives_way_to_what_the_council_states(world: World) -> None:
    area = {"item": "Q990000009", "found_through": "own_code"}
    world.wikidata(
        {"account": "zzBobbin"},
        {**area, "account": "zzVisitBobbin"},
        {**area, "platform": "instagram", "account": "zzbobbin"},
    )
    assert world.accounts("platform", "handle") == [("instagram", "zzbobbin"), ("x", "zzbobbin")]


def test_an_item_with_the_codes_of_two_bodies_gives_each_what_was_its_own(world: World) -> None:
    for_both = [
        {**row, "gss_code": code}
        for code in ("Z10000001", "Z06000001")
        for row in (
            {"account": "zzKettle", "valid_from": "2011"},
            {"account": "zzKettleNews", "valid_from": "2012", "valid_to": "2019"},
        )
    ]
    world.wikidata(*for_both)
    assert world.accounts("authority_code", "handle", "valid_from", "valid_to") == [
        ("ZZA", "zzkettlenews", "2012-01-01", "2019-12-31"),
        ("ZZB", "zzkettle", "2023-04-01", None),
    ]


def test_a_statement_that_is_taken_back_is_as_if_it_had_never_been(world: World) -> None:
    world.wikidata({"account": "zzBobbin"}, {"account": "zzHoax"}, day=dt.date(2025, 5, 1))
    world.wikidata({"account": "zzBobbin"})
    assert world.accounts("handle", "first_seen_on", "verified_on") == [("zzbobbin", "2025-05-01", "2025-06-01")]


CHANNEL = {"platform": "youtube", "account": "UCzzBobbinland0000000000", "account_id": "UCzzBobbinland0000000000"}


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        pytest.param(
            [CHANNEL, {"platform": "youtube", "account": "zzBobbin"}],
            [("zzbobbin", CHANNEL["account"])],
            id="one channel and one handle are one account",
        ),
        pytest.param(
            [{**CHANNEL, "account": "zzBobbin"}, CHANNEL],
            [("zzbobbin", CHANNEL["account"])],
            id="the statement says so itself",
        ),
        pytest.param(
            [CHANNEL, {"platform": "youtube", "account": "zzOne"}, {"platform": "youtube", "account": "zzTwo"}],
            [(CHANNEL["account"], CHANNEL["account"]), ("zzone", None), ("zztwo", None)],
            id="of two handles nobody knows which",
        ),
        pytest.param(
            [CHANNEL, {"platform": "youtube", "account": "zzBobbin", "item": "Q990000002"}],
            [(CHANNEL["account"], CHANNEL["account"]), ("zzbobbin", None)],
            id="of two items nobody knows either",
        ),
    ],
)
def test_a_channel_and_its_handle(
    world: World, statements: Sequence[Row], expected: list[tuple[str, str | None]]
) -> None:
    world.wikidata(*statements)
    assert world.accounts("handle", "account_id") == expected


@pytest.mark.parametrize(
    ("periods", "expected"),
    [
        pytest.param([("", ""), ("2012", "2016")], [("2012-01-01", "2016-12-31")], id="with dates and without"),
        pytest.param(
            [("2012", "2016"), ("2014-05", "2018")], [("2012-01-01", "2018-12-31")], id="two that overlap"
        ),
        pytest.param([("2012", "2016"), ("2017", "")], [("2012-01-01", None)], id="two that meet"),
        pytest.param(
            [("2012", "2014"), ("2018", "")],
            [("2012-01-01", "2014-12-31"), ("2018-01-01", None)],
            id="closed and opened again",
        ),
        pytest.param([("2012", ""), ("2012", "")], [("2012-01-01", None)], id="the same twice"),
    ],
)
def test_one_account_in_several_statements(
    world: World, periods: Sequence[tuple[str, str]], expected: list[tuple[str, str | None]]
) -> None:
    world.wikidata(*({"account": "zzBobbin", "valid_from": a, "valid_to": b} for a, b in periods))
    assert world.accounts("valid_from", "valid_to") == expected


def test_a_body_that_the_register_does_not_know_gets_no_account(world: World) -> None:
    world.wikidata({"account": "zzBobbin"}, {"account": "zzNowhere", "gss_code": "Z06000099"})
    assert world.accounts("handle") == [("zzbobbin",)]


# --- the sample's answer ------------------------------------------------------------------------------------


def test_councils_of_every_nation_are_on_the_platforms_that_are_observed() -> None:
    now = [a for a in OFFICIAL_ACCOUNTS if not a.valid_to]
    bluesky = [a for a in now if a.platform == "bluesky"]
    mastodon = [a for a in now if a.platform == "mastodon"]
    hosts = {a.account_id.partition("/")[0] for a in mastodon}
    assert len({a.account_id for a in bluesky}) >= 18
    assert len({a.account_id for a in mastodon}) == 6
    assert hosts == {"social.example", "toot.example", "mastodon.example"}
    for accounts in (bluesky, mastodon):
        assert len({BY_CODE[a.authority_code].nation for a in accounts}) == 4
    assert {a.tier for a in (*bluesky, *mastodon)} == {"silent", "middling", "heavy"}


@pytest.mark.parametrize("year", [2024, 2025])
def test_the_answer_holds_no_account_of_these_platforms_that_nobody_has(year: int) -> None:
    true = {(a.platform, a.account.rpartition("/")[2].lower()) for a in OFFICIAL_ACCOUNTS}
    ids = {a.account_id for a in OFFICIAL_ACCOUNTS}
    for row in csv.DictReader(io.StringIO(wikidata_file(year), newline="")):
        if row["platform"] in ("bluesky", "mastodon") and "hoax" not in row["account"]:
            assert (row["platform"], row["account"].lower()) in true
            assert not row["account_id"] or row["account_id"] in ids
