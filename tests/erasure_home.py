"""A small home with an account in every place that one can stand, and a child that erases it until it is killed.

The child counts what it is about to do to the disk, and dies before the step that it was told: so every rename and
every removal is a place at which an erasure is interrupted once.
"""

from __future__ import annotations

import datetime as dt
import multiprocessing
import os
import signal
import sys
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.contract import load_contracts, to_ddl
from pipelines.erasure.erase import Place, carry_out, find, plan, resumed
from pipelines.erasure.journal import read_pending
from pipelines.observations import ObservationStore
from pipelines.policy import load_policy
from pipelines.release.build import Outcome, ReleaseInput, build_release
from pipelines.settings import Home, project_folder
from pipelines.snapshots import Fetch, SnapshotStore
from tests.helpers import column, document, key, load

FOLDER = project_folder("data_contracts")
CONTRACTS = load_contracts(FOLDER)
POLICY = load_policy(FOLDER / "policy.yml", CONTRACTS)
SOURCES = [contract for contract in CONTRACTS.values() if contract.layer == "source"]
DAY = dt.date(2026, 11, 23)
START = dt.datetime(2026, 11, 2, 6, tzinfo=dt.UTC)
NOW = START.replace(tzinfo=None)

HANDLE, ID = "zzheron.example", "did:plc:zzheron22222222222222222"
OTHER, OTHER_ID = "zzotter.example", "did:plc:zzotter22222222222222222"
TOKENS = ("zzheron.example", "zzheron22222222222222222")
WRITING = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.copyfile"}

OFFICIAL = f"""authority_code,platform,account,account_id,valid_from,valid_to,evidence_url,checked_on
ZZB,bluesky,https://bsky.app/profile/{HANDLE},{ID},2024-01-15,,https://www.zzb.example/contact,2025-06-01
ZZC,bluesky,{OTHER},{OTHER_ID},2024-01-15,,https://www.zzc.example/contact,2025-06-01
ZZC,facebook,https://www.facebook.com/zzOtter,,2011-05-09,,https://www.zzc.example/contact,2025-06-01
"""
CANDIDATES = """person_id,person_name,election_id,ballot_paper_id,election_date,post_label,blue_sky_url
"9001001","Ada Kettle","local.zzb.2026-05-07","local.zzb.hill.2026-05-07","2026-05-07","Hill","@ZZHeron.example"
"9001002","Bea Spoon","local.zzb.2026-05-07","local.zzb.hill.2026-05-07","2026-05-07","Hill","zzwren.example"
"9001003","Cas Teapot","local.zzb.2026-05-07","local.zzb.hill.2026-05-07","2026-05-07","Hill",""
"""


def place_of(root: Path) -> Place:
    """A home as an erasure sees it."""
    home = Home(root)
    return Place(home, ObservationStore(home.observations, CONTRACTS, POLICY), SOURCES)


def snapshot(home: Home, source: str, text: str) -> str:
    """A stored snapshot with two lines in its log; returns its hash."""
    store = SnapshotStore(home.snapshots)
    sha256, _ = store.put(source, text.encode())
    rows = len(text.splitlines()) - 1
    for status in ("new", "unchanged"):
        at = {"location": f"{source}/a.csv", "status": status, "fetched_at": START, "as_of": START.date()}
        store.log(source, Fetch.model_validate({**at, "sha256": sha256, "size_bytes": len(text), "rows": rows}))
    return sha256


def observed(account_id: str, handle: str, **more: Any) -> dict[str, Any]:
    since = NOW - dt.timedelta(days=28)
    read = {"read_from": since, "read_to": NOW, "read_since": since}
    row = {"observed_at": NOW, "handle": handle, "account_id": account_id, "outcome": "observed"}
    return {**row, **read, **more}


def pull(store: ObservationStore, day: int) -> None:
    """One pull with both accounts, and a third that moved to the one that will go."""
    moment = START + dt.timedelta(days=day)
    posts = [
        {
            "observed_at": NOW,
            "account_id": account_id,
            "post_id": f"at://{account_id}/{day}",
            "kind": "post",
            "is_gone": False,
            "posted_at": NOW - dt.timedelta(days=2),
            "likes": 3,
        }
        for account_id in (ID, OTHER_ID)
    ]
    profile = {"observed_at": NOW, "created_at": NOW, "followers": 1, "following": 1, "posts": 1}
    moved = observed("did:plc:zzwren", "zzwren.example", outcome="moved", moved_to=HANDLE)
    unread = dict.fromkeys(("read_from", "read_to", "read_since"))
    with store.pull("bluesky", moment) as writer:
        writer.outcomes.update({"observed": 2, "moved": 1})
        writer.add("account", [observed(ID, HANDLE), observed(OTHER_ID, OTHER), {**moved, **unread}])
        writer.add(
            "profile", [{**profile, "account_id": i, "handle": h} for i, h in ((ID, HANDLE), (OTHER_ID, OTHER))]
        )
        # The last has no time of posting and goes to quarantine.
        writer.add("post", [*posts, {**posts[0], "posted_at": None}])


def datasets() -> list[dict[str, Any]]:
    """Three small datasets: accounts one by one, figures per authority and kind of owner, and figures of all."""
    listed = [key("authority_code", 1), key("platform", 2), key("handle", 3), column("account_id")]
    owned = [key("authority_code", 1), key("platform", 2), key("owner_kind", 3), column("posts", "integer")]
    every = [key("platform", 1), column("posts", "integer")]
    return [
        document("public.listed", listed) | {"version": "1.0.0"},
        document("public.owned", owned) | {"version": "1.0.0"},
        document("public.every", every) | {"version": "1.0.0"},
    ]


def release(home: Home, rows: dict[str, list[tuple[Any, ...]]]) -> Outcome:
    """Release the small datasets with some rows."""
    con = duckdb.connect(":memory:")
    con.execute("create schema public")
    contracts = sorted((load(home.root.parent / "contracts", one) for one in datasets()), key=lambda c: c.name)
    for contract in contracts:
        con.execute(to_ddl(contract))
        for row in rows[contract.name]:
            con.execute(f"insert into {contract.table} values ({', '.join('?' * len(row))})", row)
    given = ReleaseInput(
        home=home,
        world="sample",
        released_on=DAY,
        contracts=tuple(contracts),
        minimum_rows={contract.name: "none" for contract in contracts},
        inputs={},
        origins={contract.name: () for contract in contracts},
        code_digest="0" * 64,
    )
    outcome = build_release(con, given)
    con.close()
    return outcome


def rows_with(*, heron: bool, posts: int = 7) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of a release, with or without the account."""
    listed = [("ZZC", "bluesky", OTHER, OTHER_ID), ("ZZC", "facebook", "zzotter", None)]
    owned: list[tuple[Any, ...]] = [("ZZB", "bluesky", "councillor", 90), ("ZZC", "bluesky", "council", posts)]
    if heron:
        listed.append(("ZZB", "bluesky", HANDLE, ID))
        owned.append(("ZZB", "bluesky", "council", 3))
    return {"listed": listed, "owned": owned, "every": [("bluesky", 100)]}


def build_home(root: Path) -> Place:
    """The home: two sources, two pulls, a roster, a record, a warehouse, and four releases.

    The account is in the second and third release; the second delta adds it and the fourth removes it.
    """
    home = Home(root)
    home.claim("sample")
    snapshot(home, "official_accounts", OFFICIAL)
    snapshot(home, "democracy_club_candidates", CANDIDATES)
    place = place_of(root)
    for day in (0, 7):
        pull(place.observations, day)
    roster = {
        "platform": ["bluesky", "bluesky"],
        "handle": [HANDLE, OTHER],
        "account_id": [None, OTHER_ID],
        "is_official": [True, True],
    }
    pq.write_table(pa.table(roster), home.roster)
    home.runs.mkdir()
    (home.runs / "a.json").write_text(f'{{"problems": ["source.official_accounts: {HANDLE} was odd"]}}', "utf-8")
    con = duckdb.connect(str(home.warehouse))
    con.execute(f"create schema clean; create table clean.account as select '{HANDLE}' as handle")
    con.close()
    for heron, posts in ((False, 7), (True, 7), (True, 8), (False, 9)):
        release(home, rows_with(heron=heron, posts=posts))
    return place


def begin(root: Path) -> None:
    """Start an erasure, or go on with the one that is under way, to its end."""
    place = place_of(root)
    if read_pending(place.home):
        pending = resumed(place.home)
    else:
        pending = plan(find(place, "bluesky", HANDLE), "bluesky", "request", DAY)
    carry_out(place, pending, lambda: None)


def _dying_at(root: Path, step: int, told: Path | None) -> None:
    """Erase, and be killed before the given step that changes the disk; tell how many there were otherwise."""
    seen = 0
    inside = str(root)

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        is_write = event in WRITING or (event == "open" and isinstance(arguments[1], str) and "w" in arguments[1])
        if is_write and any(str(one).startswith(inside) for one in arguments[:2]):
            seen += 1
            if seen == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    begin(root)
    if told is not None:
        told.write_text(str(seen), encoding="ascii")


def run_child(root: Path, step: int, told: Path | None = None) -> int:
    """Run the erasure in a child of its own; returns its exit code, -9 where it was killed."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.erasure_home"])
    child = context.Process(target=_dying_at, args=(root, step, told))
    child.start()
    child.join()
    assert child.exitcode is not None
    return child.exitcode
