"""The query for Wikidata, asked of a real SPARQL server that holds a piece of data in Wikidata's own shape."""

from __future__ import annotations

import datetime as dt
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from pipelines.contract import load_contracts
from pipelines.pull import PullError, pull_source, replay
from pipelines.settings import Location, load_sources
from pipelines.snapshots import SnapshotStore
from pipelines.sources.http import HttpPolicy
from tests.helpers import CONTRACTS

pytestmark = pytest.mark.servers

CONTRACT = load_contracts(CONTRACTS)["source.wikidata_accounts"]
TURTLE = Path(__file__).resolve().parents[1] / "fixtures" / "wikidata.ttl"
OXIGRAPH = Path(sysconfig.get_path("scripts")) / "oxigraph"
NOW = dt.datetime(2026, 11, 23, 6, 0, tzinfo=dt.UTC)
START_SECONDS = 20

# What the query should find in tests/fixtures/wikidata.ttl, worked out by hand from Wikidata's rules.
KETTLEMARSH = ("E06999001", "x")
EXPECTED = [
    (*KETTLEMARSH, "Q990000002", "linked_body", "zzKettlemarsh", "9000000000000000002", "2023-04-01", ""),
    (*KETTLEMARSH, "Q990000002", "linked_body", "zzKettlemarshCC", "", "2011", "2023-03"),
    (*KETTLEMARSH, "Q990000001", "own_code", "zzVisitKettle", "", "", ""),
    ("N09999001", "facebook", "Q990000009", "linked_body", "zzSodaFarl", "900000000000026", "", ""),
    ("N09999001", "youtube", "Q990000009", "linked_body", "zzSodaFarl", "UCzzSodaFarl000000000000", "", ""),
    (
        "S12999001",
        "bluesky",
        "Q990000003",
        "own_code",
        "haggisburgh.example",
        "did:plc:zzhaggisburgh22222222222",
        "",
        "",
    ),
    ("S12999001", "mastodon", "Q990000003", "own_code", "@zzhaggis@social.example", "", "2023-01-10", ""),
    ("W06999001", "instagram", "Q990000005", "linked_body", "zzcawlfach", "", "", ""),
    ("W06999001", "linkedin", "Q990000005", "linked_body", "company/zz-cawlfach", "", "", ""),
    ("W06999001", "threads", "Q990000005", "linked_body", "zzcawlfach", "", "", ""),
    ("W06999001", "tiktok", "Q990000005", "linked_body", "zzcawlfach", "", "", ""),
    ("W06999001", "youtube", "Q990000005", "linked_body", "zzCawlfach", "UCzzCawlfach000000000000", "", ""),
]
COLUMNS = ("gss_code", "platform", "item", "found_through", "account", "account_id", "valid_from", "valid_to")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server that holds nothing yet, and forgets everything when it stops."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    with subprocess.Popen(
        [OXIGRAPH, "serve", "--bind", host], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            _wait_for(f"http://{host}/", process)
            yield f"http://{host}"
        finally:
            process.terminate()


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            httpx.get(address, timeout=1)
        except httpx.TransportError:
            assert process.poll() is None, "the server ended by itself"
            assert time.monotonic() < deadline, f"the server did not answer within {START_SECONDS} s"
            time.sleep(0.05)
        else:
            return


@pytest.fixture
def wikidata(server: str) -> str:
    """The server with the piece of Wikidata in it."""
    answer = httpx.put(
        f"{server}/store?default", content=TURTLE.read_bytes(), headers={"Content-Type": "text/turtle"}
    )
    assert answer.is_success, answer.text
    return server


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(tmp_path / "snapshots")


def place(server: str, folder: Path) -> Location:
    """The place as a source list names it."""
    path = folder / "list.yml"
    path.write_text(
        f"world: live\nsources:\n  wikidata_accounts: {{sparql: wikidata_accounts, endpoint: {server}/query}}\n",
        encoding="utf-8",
    )
    (location,) = load_sources(str(path), frozenset({"wikidata_accounts"})).of("wikidata_accounts")
    return location


def policy(server: str) -> HttpPolicy:
    return HttpPolicy(
        contact="tests",
        per_host_per_second=1000,
        attempts=1,
        private_hosts=frozenset({server.removeprefix("http://")}),
    )


def test_the_answer_holds_what_is_stated_of_councils_and_nothing_else(
    wikidata: str, store: SnapshotStore, tmp_path: Path
) -> None:
    location = place(wikidata, tmp_path)
    (fetch,) = pull_source(CONTRACT, [location], store, policy(wikidata), lambda: NOW)
    assert (fetch.status, fetch.rows, fetch.location) == (
        "new",
        len(EXPECTED),
        f"{wikidata}/query#wikidata_accounts",
    )
    (batch,) = replay(CONTRACT, [location], store)
    rows = [dict(zip(batch.columns, row, strict=True)) for row in batch.rows]
    assert [tuple(row[name] for name in COLUMNS) for row in rows] == EXPECTED


def test_every_row_names_its_item_and_leads_to_the_statements(
    wikidata: str, store: SnapshotStore, tmp_path: Path
) -> None:
    location = place(wikidata, tmp_path)
    pull_source(CONTRACT, [location], store, policy(wikidata), lambda: NOW)
    (batch,) = replay(CONTRACT, [location], store)
    found = {
        tuple(row[batch.columns.index(name)] for name in ("item", "item_label", "evidence_url"))
        for row in batch.rows
        if row[batch.columns.index("platform")] in ("x", "mastodon", "tiktok", "facebook")
    }
    page = "https://www.wikidata.org/wiki"
    assert found == {
        ("Q990000001", "Kettlemarsh", f"{page}/Q990000001#P2002"),
        ("Q990000002", "Kettlemarsh Council", f"{page}/Q990000002#P2002"),
        ("Q990000003", "Haggisburgh City Council", f"{page}/Q990000003#P4033"),
        # Its name stands under the code for all languages; the Northern Irish body has none at all.
        ("Q990000005", "Cawlfach County Borough Council", f"{page}/Q990000005#P7085"),
        ("Q990000009", "", f"{page}/Q990000009#P2013"),
    }


def test_the_same_data_gives_the_same_bytes(wikidata: str, store: SnapshotStore, tmp_path: Path) -> None:
    location = place(wikidata, tmp_path)
    statuses = [
        pull_source(CONTRACT, [location], store, policy(wikidata), lambda: NOW)[0].status for _ in range(3)
    ]
    assert statuses == ["new", "unchanged", "unchanged"]


def test_a_statement_that_is_deprecated_is_gone_from_the_next_answer(
    wikidata: str, store: SnapshotStore, tmp_path: Path
) -> None:
    location = place(wikidata, tmp_path)
    update = """
        PREFIX wds: <http://www.wikidata.org/entity/statement/>
        PREFIX wikibase: <http://wikiba.se/ontology#>
        DELETE DATA { wds:Q990000002-now wikibase:rank wikibase:PreferredRank } ;
        INSERT DATA { wds:Q990000002-now wikibase:rank wikibase:DeprecatedRank }
    """
    httpx.post(f"{wikidata}/update", data={"update": update}).raise_for_status()
    (fetch,) = pull_source(CONTRACT, [location], store, policy(wikidata), lambda: NOW)
    assert fetch.rows == len(EXPECTED) - 1


def test_an_answer_without_rows_is_refused(server: str, store: SnapshotStore, tmp_path: Path) -> None:
    httpx.delete(f"{server}/store?default").raise_for_status()
    with pytest.raises(PullError, match="a header and no rows") as refused:
        pull_source(CONTRACT, [place(server, tmp_path)], store, policy(server), lambda: NOW)
    assert not refused.value.is_transient


def test_a_query_that_the_server_does_not_understand_is_named_by_its_place(
    wikidata: str, store: SnapshotStore, tmp_path: Path
) -> None:
    broken = replace(place(wikidata, tmp_path), query="SELECT nonsense-7f3a")
    with pytest.raises(PullError, match="400") as failed:
        pull_source(CONTRACT, [broken], store, policy(wikidata), lambda: NOW)
    assert "wikidata_accounts" in str(failed.value)
    assert "nonsense" not in str(failed.value)
