"""A token, texts and names of people pass through a whole run and stay in no file and no line of a log."""

from __future__ import annotations

import datetime as dt
import logging
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import stamina
import yaml

from pipelines.run import run_job
from pipelines.settings import Home, SettingsError, load_sources
from tests.conftest import ROOT
from tests.fake_mastodon import FakeMastodon, Server
from tests.helpers import contents

TOKEN = "zztokencanary7f3a"  # noqa: S105 - planted, to be searched for
TEXT, CITIZEN = "zztextcanary", "zzcitizencanary"
NAME, NOTE = "the name of council", "about council"  # as the fake server writes them
HOST = "town.example"
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)


def a_server(fake: FakeMastodon) -> Server:
    """A server that shows itself to those with a token only, with posts and a citizen's replies."""
    server = fake.server(HOST, limited_federation=True, tokens={TOKEN})
    council = server.account("council")
    citizen = server.account(CITIZEN)
    for number in range(6):
        post = council.post(f"{TEXT} {number}", at=NOW - dt.timedelta(days=8 + number))
        question = citizen.post(f"{TEXT} why?", at=post.created_at + dt.timedelta(hours=1), in_reply_to=post)
        if number % 2:
            council.post(f"{TEXT} so", at=post.created_at + dt.timedelta(hours=3), in_reply_to=question)
    council.boost(citizen.post(f"{TEXT} boosted", at=NOW - dt.timedelta(days=2)), at=NOW - dt.timedelta(days=1))
    return server


def a_home(folder: Path, template: str) -> tuple[Home, Path]:
    home = Home(folder / "home")
    home.claim("live")
    table = {
        "platform": ["mastodon", "mastodon"],
        "handle": [f"council@{HOST}", f"nobody@{HOST}"],
        "account_id": pa.array([None, None], pa.string()),
        "is_official": [True, True],
    }
    pq.write_table(pa.table(table), home.roster)
    told = {
        "world": "live",
        "private_hosts": ["127.0.0.1"],
        "sources": {"gss_changes": {"curated": "gss_changes.csv"}},
        "platforms": {
            "mastodon": {"service": template, "requests": 3000, "seconds": 60, "tokens": {HOST: "ZZ_TOKEN"}}
        },
    }
    sources = folder / "sources.yml"
    sources.write_text(yaml.safe_dump(told), encoding="utf-8")
    return home, sources


def test_nothing_of_what_is_secret_or_personal_stays(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with FakeMastodon() as fake:
        server = a_server(fake)
        home, sources = a_home(tmp_path, fake.template)
        storage = home.root / "dagster"
        storage.mkdir()
        (storage / "dagster.yaml").write_bytes((ROOT / "dagster.yaml").read_bytes())
        monkeypatch.setenv("DAGSTER_HOME", str(storage))
        monkeypatch.setenv("ZZ_TOKEN", TOKEN)
        with caplog.at_level(logging.DEBUG):
            first = run_job("pull", home.root, str(sources), contact="tests@example.org")
            server.failures = [503] * 50  # and once when everything fails
            with stamina.set_testing(True, attempts=2, cap=True):
                second = run_job("pull", home.root, str(sources), contact="tests@example.org")
            server.failures = []
    assert first.success, first.problems
    assert not second.success
    (pulled,) = [yaml.safe_load(first.record.read_text(encoding="utf-8"))["pulls"]]
    assert pulled[0]["outcomes"] == {"observed": 1, "unavailable": 1}
    assert pulled[0]["rows"]["post"] == 10
    assert pulled[0]["rows"]["reply"] >= 6
    shown = capfd.readouterr()
    said = "\n".join([caplog.text, shown.out, shown.err, *first.problems, *second.problems])
    searched = [*contents(home.root), ("logs", said.encode())]
    assert any(name.endswith("post.parquet") for name, _ in searched)
    assert any("dagster" in name for name, _ in searched)
    leaks = {
        (name, planted)
        for name, content in searched
        for planted in (TOKEN, TEXT, NAME, NOTE, CITIZEN)
        if planted.encode() in content.lower()
    }
    assert leaks == set()


def test_a_token_that_is_not_in_the_environment_is_said_before_anything_starts(tmp_path: Path) -> None:
    _, sources = a_home(tmp_path, "http://127.0.0.1:1/{host}")
    with pytest.raises(SettingsError, match="platform mastodon: set the environment variable ZZ_TOKEN"):
        load_sources(str(sources), frozenset({"gss_changes"}))


def test_a_token_shows_in_no_description_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZZ_TOKEN", TOKEN)
    _, sources = a_home(tmp_path, "http://127.0.0.1:1/{host}")
    listed = load_sources(str(sources), frozenset({"gss_changes"}))
    assert listed.platforms["mastodon"].tokens == {HOST: TOKEN}
    assert TOKEN not in repr(listed)
