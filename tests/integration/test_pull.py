"""Pulling from a real server on this machine: validators, failures, pace, and what the fetch log says."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest

from pipelines.assets import PROJECT
from pipelines.pull import PullError, findings, pull_source, replay
from pipelines.sample.world import world_files
from pipelines.settings import Location
from pipelines.snapshots import SnapshotStore
from pipelines.sources.http import HttpPolicy
from pipelines.sources.pace import Rate

NOW = dt.datetime(2026, 11, 23, 6, 0, tzinfo=dt.UTC)
REGISTER = PROJECT.contracts["source.authority_register"]
CANDIDATES = PROJECT.contracts["source.democracy_club_candidates"]


@dataclass
class Upstream:
    """A publisher's server whose answers a test can change."""

    files: dict[str, bytes] = field(default_factory=dict)
    status: int = 200
    content_type: str = "text/csv"
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    accepted: list[str | None] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    port: int = 0

    def place(self, name: str, query: str = "") -> Location:
        return Location("url", f"http://127.0.0.1:{self.port}/{name}{query}")

    @property
    def policy(self) -> HttpPolicy:
        return HttpPolicy(
            contact="tests",
            per_host_per_second=1000,
            attempts=1,
            private_hosts=frozenset({f"127.0.0.1:{self.port}"}),
        )


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    state = Upstream()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.lstrip("/").partition("?")[0]
            body = state.files.get(name, b"")
            etag = f'"{hashlib.sha256(body).hexdigest()[:12]}"'
            state.asked.append((self.path, self.headers["If-None-Match"]))
            state.accepted.append(self.headers["Accept"])
            state.times.append(time.monotonic())
            fresh = state.status == 200 and self.headers["If-None-Match"] == etag
            self.send_response(304 if fresh else state.status)
            self.send_header("ETag", etag)
            self.send_header("Content-Type", state.content_type)
            self.send_header("Content-Length", "0" if fresh else str(len(body)))
            self.end_headers()
            if not fresh:
                self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.port = server.server_port
    Thread(target=server.serve_forever, daemon=True).start()
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(tmp_path / "snapshots")


def register_text() -> bytes:
    return world_files()["authority_register/uk_local_authorities.csv"].encode()


def test_a_file_is_fetched_once_and_asked_for_again_only_if_it_changed(
    upstream: Upstream, store: SnapshotStore
) -> None:
    upstream.files["register.csv"] = register_text()
    places = [upstream.place("register.csv")]
    statuses = [pull_source(REGISTER, places, store, upstream.policy, lambda: NOW)[0].status for _ in range(2)]
    assert statuses == ["new", "not_modified"]
    assert [bool(etag) for _, etag in upstream.asked] == [False, True]

    upstream.files["register.csv"] = register_text().replace(b"Kettlemarsh", b"Kettlemoor")
    later = pull_source(REGISTER, places, store, upstream.policy, lambda: NOW + dt.timedelta(days=1))
    assert later[0].status == "new"
    assert later[0].as_of == dt.date(2026, 11, 24)
    batches = replay(REGISTER, places, store)
    assert len(batches) == 1, "only the newest register counts"
    assert any("Kettlemoor" in cell for row in batches[0].rows for cell in row)


def test_a_lost_snapshot_is_fetched_again_although_nothing_changed(
    upstream: Upstream, store: SnapshotStore
) -> None:
    upstream.files["register.csv"] = register_text()
    places = [upstream.place("register.csv")]
    first = pull_source(REGISTER, places, store, upstream.policy, lambda: NOW)[0]
    (store.folder / REGISTER.name / f"{first.sha256}.csv").unlink()
    assert pull_source(REGISTER, places, store, upstream.policy, lambda: NOW)[0].sha256 == first.sha256
    assert replay(REGISTER, places, store)


def test_a_contract_that_says_anything_else_gets_the_whole_file_again(
    upstream: Upstream, store: SnapshotStore
) -> None:
    upstream.files["register.csv"] = register_text()
    places = [upstream.place("register.csv")]
    changed = replace(REGISTER, digest="0" * 64)  # the same version: somebody forgot to raise it
    fetches = [
        pull_source(contract, places, store, upstream.policy, lambda: NOW)[0]
        for contract in (REGISTER, changed, changed, REGISTER)
    ]
    assert [bool(etag) for _, etag in upstream.asked] == [False, False, True, False]
    assert [fetch.contract_digest for fetch in fetches] == [
        contract.digest for contract in (REGISTER, changed, changed, REGISTER)
    ]


def test_a_log_from_before_digests_were_noted_means_the_whole_file(
    upstream: Upstream, store: SnapshotStore
) -> None:
    upstream.files["register.csv"] = register_text()
    places = [upstream.place("register.csv")]
    pull_source(REGISTER, places, store, upstream.policy, lambda: NOW)
    log = store.folder / REGISTER.name / "fetches.jsonl"
    old = log.read_text(encoding="utf-8").replace(f',"contract_digest":"{REGISTER.digest}"', "")
    assert "contract_digest" not in old
    log.write_text(old, encoding="utf-8")
    again = pull_source(REGISTER, places, store, upstream.policy, lambda: NOW)[0]
    assert (again.status, again.contract_digest) == ("unchanged", REGISTER.digest)
    assert [etag for _, etag in upstream.asked] == [None, None]


def test_one_host_is_asked_at_one_pace_over_several_sources(upstream: Upstream, store: SnapshotStore) -> None:
    """Each is fetched by a client and an event loop of its own."""
    upstream.files = {f"{n}.csv": register_text() for n in range(3)}
    # One in 0.4 seconds: the next may go no sooner than that after the answer to the one before.
    calm = replace(upstream.policy, rates={f"127.0.0.1:{upstream.port}": Rate(1, 0.4)})
    for name in upstream.files:
        pull_source(REGISTER, [upstream.place(name)], store, calm, lambda: NOW)
    assert len(upstream.times) == 3
    assert all(later - earlier >= 0.4 for earlier, later in pairwise(upstream.times))


def test_an_endpoint_is_asked_its_query_and_for_csv(upstream: Upstream, store: SnapshotStore) -> None:
    upstream.files["sparql"] = register_text()
    query = 'SELECT * WHERE {\n  ?a ?b "ä&c=+%"\n}'
    place = Location("sparql", f"http://127.0.0.1:{upstream.port}/sparql", query=query, query_name="register")
    statuses = [pull_source(REGISTER, [place], store, upstream.policy, lambda: NOW)[0].status for _ in range(2)]
    assert statuses == ["new", "unchanged"]
    for target, etag in upstream.asked:
        assert parse_qs(urlsplit(target).query) == {"query": [query]}
        assert etag is None, "it may belong to another text of the query"
    assert upstream.accepted == ["text/csv", "text/csv"]


def test_a_web_page_with_status_200_is_refused_and_the_last_good_snapshot_stays(
    upstream: Upstream, store: SnapshotStore
) -> None:
    upstream.files["register.csv"] = register_text()
    places = [upstream.place("register.csv")]
    pull_source(REGISTER, places, store, upstream.policy, lambda: NOW)
    upstream.files["register.csv"] = b"<!doctype html><title>We are sorry</title>"
    with pytest.raises(PullError, match="got a web page instead of CSV") as refused:
        pull_source(REGISTER, places, store, upstream.policy, lambda: NOW)
    assert not refused.value.is_transient, "asking again would not help"
    assert [fetch.status for fetch in store.fetches(REGISTER.name)] == ["new", "refused"]
    assert len(replay(REGISTER, places, store)[0].rows) == 28


def test_a_failing_server_is_named_and_may_be_asked_again(upstream: Upstream, store: SnapshotStore) -> None:
    upstream.status = 503
    with pytest.raises(PullError, match=r"authority_register: .*503") as failed:
        pull_source(REGISTER, [upstream.place("register.csv")], store, upstream.policy, lambda: NOW)
    assert failed.value.is_transient
    assert store.fetches(REGISTER.name)[0].status == "failed"


def test_every_place_is_tried_before_a_failure_is_told(upstream: Upstream, store: SnapshotStore) -> None:
    upstream.files["good.csv"] = register_text()
    upstream.files["bad.csv"] = b"\xff\xfe"
    with pytest.raises(PullError, match=r"bad\.csv"):
        pull_source(
            REGISTER, [upstream.place("bad.csv"), upstream.place("good.csv")], store, upstream.policy, lambda: NOW
        )
    assert [fetch.status for fetch in store.fetches(REGISTER.name)] == ["refused", "new"]


def test_a_private_address_is_refused_unless_it_is_named(upstream: Upstream, store: SnapshotStore) -> None:
    upstream.files["register.csv"] = register_text()
    closed = replace(upstream.policy, private_hosts=frozenset())
    with pytest.raises(PullError, match="private"):
        pull_source(REGISTER, [upstream.place("register.csv")], store, closed, lambda: NOW)
    assert upstream.asked == []


def test_a_key_in_an_address_reaches_neither_log_nor_message(upstream: Upstream, store: SnapshotStore) -> None:
    place = upstream.place("register.csv", "?key=SECRET-TOKEN")
    upstream.status = 403
    with pytest.raises(PullError) as failed:
        pull_source(REGISTER, [place], store, upstream.policy, lambda: NOW)
    assert "SECRET" not in str(failed.value)
    assert "SECRET" not in (store.folder / REGISTER.name / "fetches.jsonl").read_text(encoding="utf-8")


def test_personal_fields_never_reach_the_disk_and_a_new_field_is_noted(
    upstream: Upstream, store: SnapshotStore
) -> None:
    text = world_files()["democracy_club_candidates/2026-local.csv"]
    assert text.count("CANARY") > 100
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    out = io.StringIO(newline="")
    csv.writer(out).writerows([[*header, "shoe_size"], *([*row, "CANARY-shoe"] for row in rows)])
    upstream.files["candidates.csv"] = out.getvalue().encode()
    places = [upstream.place("candidates.csv")]
    pull_source(CANDIDATES, places, store, upstream.policy, lambda: NOW)
    stored = b"".join(path.read_bytes() for path in store.folder.rglob("*") if path.is_file())
    assert b"CANARY" not in stored
    assert b"canary.email" not in stored
    assert findings(CANDIDATES, places, store) == [("new_field", "shoe_size", NOW.date())]

    upstream.files["candidates.csv"] = text.encode()
    pull_source(CANDIDATES, places, store, upstream.policy, lambda: NOW)
    assert findings(CANDIDATES, places, store) == []
