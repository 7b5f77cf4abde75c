"""Pushes to real servers that speak S3: one that keeps its word, one that lies, and a line that breaks."""

from __future__ import annotations

import asyncio
import datetime as dt
import http.server
import logging
import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import duckdb
import httpx
import obstore
import pyarrow.parquet as pq
import pytest
import stamina
from click.testing import CliRunner
from obstore.store import S3Store
from pyarrow import fs

from pipelines.cli import main
from pipelines.settings import SettingsError
from pipelines.targets.objects import ObjectTarget
from pipelines.targets.target import TargetError
from tests.servers.chaos import ChaosProxy, Fault
from tests.target_lab import (
    BUCKET,
    KEY,
    NEW,
    OLD,
    SECRET,
    SIGNED_IN,
    Publics,
    Told,
    bucket,
    everything_at,
    files,
    killed_push,
    make_publics,
    moto,
    push,
    rclone,
    version_that_readers_get,
)

KILLS = 6  # thirty are made against a folder, where each costs less


@pytest.fixture(scope="module")
def publics(tmp_path_factory: pytest.TempPathFactory) -> Publics:
    """A public folder with one release, and with two; for reading only."""
    return make_publics(tmp_path_factory.mktemp("press"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a store that keeps its word; each test has a folder of its own in the bucket."""
    with moto(tmp_path_factory.mktemp("moto") / "log.txt") as url:
        yield url


@pytest.fixture(autouse=True)
def _signed_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in SIGNED_IN.items():
        monkeypatch.setenv(name, value)
    with stamina.set_testing(True, attempts=4):
        yield


# --- a store that keeps its word ----------------------------------------------------------------------------


def test_a_push_brings_every_byte_and_a_second_one_sends_nothing(server: str, publics: Publics) -> None:
    target = bucket(server, publics.new, "whole/data")
    receipt = push(target, publics.new)
    assert everything_at(target) == files(publics.new)
    assert receipt.place == f"{server}/{BUCKET}/whole/data"
    again = push(target, publics.new)
    assert (again.sent, again.kept) == (0, receipt.sent - len(files(publics.new / "v" / OLD)))


def address_of(target: ObjectTarget, name: str, method: Literal["GET", "HEAD"]) -> str:
    """Where a reader finds an object of a store that lets nobody read without a signature."""
    store = target.objects.store
    assert isinstance(store, S3Store)
    return obstore.sign(store, method, name, dt.timedelta(minutes=5))


def test_readers_are_told_the_media_type_and_how_long_a_copy_is_good(server: str, publics: Publics) -> None:
    target = bucket(server, publics.new, "headers")
    push(target, publics.new)
    told = {}
    for name in files(publics.new):
        answer = httpx.head(address_of(target, name, "HEAD"), trust_env=False)
        assert "content-encoding" not in answer.headers, name
        kept = answer.headers["cache-control"]
        assert kept == (
            "public, max-age=31536000, immutable" if name[:2] == "v/" else "public, max-age=60, must-revalidate"
        )
        told[name.rpartition("/")[2]] = answer.headers["content-type"]
    assert told["things.parquet"] == "application/vnd.apache.parquet"
    assert told["things.csv.gz"] == "application/gzip"
    assert told["index.html"] == told["things.html"] == "text/html; charset=utf-8"
    assert told["latest.json"] == told["datapackage.json"] == "application/json"
    assert told["site.css"] == "text/css; charset=utf-8"
    assert told["feed.xml"] == "application/atom+xml; charset=utf-8"
    assert told["SHA256SUMS"] == "text/plain; charset=utf-8"


def test_a_dataset_is_read_straight_from_the_store(server: str, publics: Publics) -> None:
    push(bucket(server, publics.new, "read"), publics.new)
    name = f"v/{NEW}/things.parquet"
    expected = pq.read_table(publics.new / name)
    parts = urlsplit(server)
    remote = fs.S3FileSystem(
        access_key=SIGNED_IN[KEY],
        secret_key=SIGNED_IN[SECRET],
        endpoint_override=parts.netloc,
        scheme=parts.scheme,
        region="us-east-1",
    )
    things = pq.read_table(f"{BUCKET}/read/{name}", filesystem=remote)
    assert things.equals(expected)
    (count, largest) = duckdb.sql("select count(*), max(thing_count) from things").fetchone() or (0, 0)
    assert (count, largest) == (expected.num_rows, max(expected["thing_count"].to_pylist()))


def test_readers_may_ask_for_a_part(server: str, publics: Publics) -> None:
    target = bucket(server, publics.new, "part")
    push(target, publics.new)
    whole = (publics.new / "v" / NEW / "things.parquet").read_bytes()
    address = address_of(target, f"v/{NEW}/things.parquet", "GET")
    answer = httpx.get(address, headers={"range": "bytes=10-29"}, trust_env=False)
    assert (answer.status_code, answer.content) == (206, whole[10:30])


def test_an_object_with_other_bytes_is_named_and_never_overwritten(server: str, publics: Publics) -> None:
    target = bucket(server, publics.new, "differs")
    push(target, publics.old)
    name = f"v/{NEW}/codebook.md"
    theirs = b"x" * (publics.new / name).stat().st_size
    obstore.put(target.objects.store, name, theirs)
    with pytest.raises(TargetError, match=rf"target shelf: {name} is there with other bytes"):
        push(target, publics.new)
    assert bytes(obstore.get(target.objects.store, name).bytes()) == theirs
    assert b'"2026.11.0"' in everything_at(target)["latest.json"]


def test_what_a_versioned_bucket_keeps_of_a_withdrawn_release_is_said(server: str, publics: Publics) -> None:
    assert httpx.put(f"{server}/versioned", trust_env=False).status_code == 200
    on = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    assert httpx.put(f"{server}/versioned?versioning", content=on, trust_env=False).status_code == 200
    target = bucket(server, publics.new, bucket_name="versioned")
    push(target, publics.new, OLD)
    receipt = bucket(server, publics.new, bucket_name="versioned").withdraw(OLD, Told())
    assert receipt.removed == len(files(publics.new / "v" / OLD))
    assert everything_at(target) == {}
    assert "keeps what is deleted" in receipt.notes[0]


def test_a_reader_sees_old_or_new_after_every_kill_and_a_rerun_completes(
    server: str, publics: Publics, tmp_path: Path
) -> None:
    chance = random.Random(20261207)  # noqa: S311 - the same moments each time
    complete, first = files(publics.new), files(publics.old)
    whole = []
    for n in range(3):
        push(bucket(server, publics.old, f"trial-{n}"), publics.old)
        whole.append(killed_push((server, f"trial-{n}"), publics.new, None)[1])
    left_half_done = 0
    for n in range(KILLS):
        target = bucket(server, publics.new, f"kill-{n}")
        for name, content in first.items():
            obstore.put(target.objects.store, name, content)
        killed, _ = killed_push((server, f"kill-{n}"), publics.new, chance.uniform(0, min(whole)))
        version = version_that_readers_get(target, tmp_path / "reader")
        assert version in ((OLD, NEW) if killed else (NEW,))
        left_half_done += killed and everything_at(target) not in (first, complete)
        push(target, publics.new)
        assert everything_at(target) == complete
    assert left_half_done >= KILLS // 3, "the kills have to fall into the push"


# --- a store that lies, and a line that breaks --------------------------------------------------------------


def test_a_server_that_overwrites_although_it_is_asked_not_to_is_refused(publics: Publics, tmp_path: Path) -> None:
    with rclone(tmp_path / "log.txt", tmp_path / "buckets") as url:
        target = bucket(url, publics.new)
        with pytest.raises(TargetError, match="overwrites an object although it is asked not to"):
            push(target, publics.new)
        assert everything_at(target) == {}


@contextmanager
def line_to(url: str, plan: Sequence[Fault]) -> Iterator[str]:
    """A line to a server on which connection after connection meets the faults of a plan."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    proxy = ChaosProxy(url, plan)
    try:
        asyncio.run_coroutine_threadsafe(proxy.__aenter__(), loop).result()
        yield proxy.url
        asyncio.run_coroutine_threadsafe(proxy.__aexit__(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_a_push_over_a_line_that_breaks_again_and_again_is_complete(server: str, publics: Publics) -> None:
    good = Fault("ok")
    plan = [
        *(good, good, Fault("refuse"), good, Fault("cut_start"), good, good),
        *(Fault("cut_reset", after=900), good, Fault("latency"), good, Fault("cut_fin", after=700), good),
    ]
    with line_to(server, plan) as url:
        push(bucket(url, publics.new, "broken"), publics.new)
    assert everything_at(bucket(server, publics.new, "broken")) == files(publics.new)


def test_a_line_that_turns_bytes_is_caught_before_readers_are_led_there(
    server: str, publics: Publics, tmp_path: Path
) -> None:
    push(bucket(server, publics.old, "turned"), publics.old)
    with line_to(server, [Fault("corrupt", after=3000)]) as url, pytest.raises(TargetError) as caught:
        push(bucket(url, publics.new, "turned"), publics.new)
    assert "did not come back as it was sent" in str(caught.value)
    assert version_that_readers_get(bucket(server, publics.new, "turned"), tmp_path / "reader") == OLD


# --- errors and credentials ---------------------------------------------------------------------------------


class _Echo(http.server.BaseHTTPRequestHandler):
    """Answers each request with a status, and in the body with all that it was sent and knows."""

    status = 403

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        told = "".join(f"<{name}>{value}</{name}>" for name, value in self.headers.items())
        body = f"<Error><Code>Odd</Code><Message>{SIGNED_IN[SECRET]} {told}</Message></Error>".encode()
        self.send_response(self.status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_HEAD = do_DELETE = do_POST = do_GET  # noqa: N815 - names that http.server calls

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of http.server
        pass


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (400, "answered with status 400"),
        (401, "check the credentials in ENGAGEMENT_TEST_KEY, ENGAGEMENT_TEST_SECRET"),
        (403, "check the credentials in ENGAGEMENT_TEST_KEY, ENGAGEMENT_TEST_SECRET"),
        (404, "is not there"),
        (500, "answered with status 500"),
        (200, "none of ours"),
    ],
)
def test_no_answer_of_a_server_brings_a_credential_to_light(
    publics: Publics, tmp_path: Path, caplog: pytest.LogCaptureFixture, status: int, sentence: str
) -> None:
    caplog.set_level(logging.DEBUG)
    handler = type("Handler", (_Echo,), {"status": status})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        (tmp_path / "targets.yml").write_text(
            f"targets:\n  shelf:\n    kind: s3\n    bucket: {BUCKET}\n    timeout_seconds: 5\n"
            f"    endpoint: http://127.0.0.1:{server.server_port}\n"
            f"    access_key: {KEY}\n    secret_key: {SECRET}\n",
            encoding="utf-8",
        )
        done = CliRunner().invoke(
            main,
            ["push", "shelf", "--home", str(publics.new.parent), "--targets", str(tmp_path / "targets.yml")],
        )
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert done.exit_code == 1
    assert sentence in done.output
    shown = done.output + caplog.text
    for secret in (*SIGNED_IN.values(), "Signature", "Traceback", "AWS4"):
        assert secret not in shown


def test_a_credential_that_is_not_set_is_named_and_nobody_is_asked(
    publics: Publics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.target_lab.SIGNED_IN", {})
    monkeypatch.delenv(SECRET)
    with pytest.raises(SettingsError, match=f"set the environment variable {SECRET}"):
        bucket("http://127.0.0.1:9", publics.new, environment={})


def test_a_server_that_is_not_there_is_a_sentence(publics: Publics) -> None:
    with pytest.raises(TargetError, match=r"could not read latest.json: it cannot be reached, 4 times over"):
        push(bucket("http://127.0.0.1:9", publics.new), publics.new)


def test_variables_that_are_meant_for_other_programs_are_not_taken(
    server: str, publics: Publics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of somebody else")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    target = bucket(server, publics.new, "other")
    push(target, publics.new)
    assert len(everything_at(target)) == len(files(publics.new))
