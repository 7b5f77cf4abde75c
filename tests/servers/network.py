"""The Bluesky network's own servers on this machine, and what a test does there as its users and moderators.

Belongs here: starting and ending the network, and writing to it over XRPC. Does not belong here: what a test
expects of the collector. Addresses and limits of the network stand in `bluesky/network.mjs`.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

HERE = Path(__file__).resolve().parent / "bluesky"
INSTALLED = HERE.parents[2] / "build" / "servers" / "bluesky"
PASSWORD = "only-for-tests"  # noqa: S105 - of accounts that live as long as the test run
MODERATOR = ("admin", "admin-pass")  # what the development network gives its own PDS
START_SECONDS = 120.0
STOP_SECONDS = 30.0


class NetworkFailed(Exception):  # noqa: N818 - a verdict on the machine, not on the code under test
    """The network did not start or refused a write; the message says what to look at."""


@dataclass(frozen=True, slots=True)
class Owner:
    """An account with the right to write to it."""

    did: str
    handle: str
    token: str


@dataclass(frozen=True, slots=True)
class Record:
    """A record as others refer to it; `root` is where its thread began, None where it began one itself."""

    uri: str
    cid: str
    root: Record | None = None

    @property
    def reference(self) -> dict[str, str]:
        """The record as a strong reference."""
        return {"uri": self.uri, "cid": self.cid}


def timestamp(moment: dt.datetime) -> str:
    """A moment as Bluesky's own programs write it."""
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class BlueskyNetwork:
    """A running network: where it is, and its users' and moderators' acts; safe to use from several threads."""

    def __init__(self, pds: str, appview: str, control: str) -> None:
        self.pds = pds
        self.appview = appview
        self._control = control
        self._client = httpx.Client(timeout=60.0)
        self._numbers = itertools.count(1)

    def close(self) -> None:
        """Close the connections; the servers go on."""
        self._client.close()

    # reading

    def ask(self, method: str, **parameters: Any) -> httpx.Response:
        """One raw question to the AppView, as somebody who is not signed in."""
        return self._client.get(f"{self.appview}/xrpc/{method}", params=parameters)

    def settle(self) -> None:
        """Wait until the AppView has taken in all that was written so far."""
        answer = self._client.post(f"{self._control}/settle")
        if answer.status_code != httpx.codes.OK:
            raise NetworkFailed(f"the AppView does not catch up with the PDS: {answer.text}")

    # writing, as a user

    def create_account(self, name: str) -> Owner:
        """A new account; its handle begins with `name` and is used once in the life of the network."""
        handle = f"{name}-{next(self._numbers)}.test"
        answer = self._call(
            "com.atproto.server.createAccount",
            {"handle": handle, "email": f"{handle}@example.invalid", "password": PASSWORD},
        )
        return Owner(did=answer["did"], handle=handle, token=answer["accessJwt"])

    def set_profile(self, owner: Owner, *, labels: Sequence[str] = (), pinned: Record | None = None) -> None:
        """Write the account's profile anew, with labels that it gives itself and the post that it pins."""
        record: dict[str, Any] = {"$type": "app.bsky.actor.profile", "displayName": f"Name of {owner.handle}"}
        if labels:
            record["labels"] = _self_labels(labels)
        if pinned:
            record["pinnedPost"] = pinned.reference
        where = {"repo": owner.did, "collection": "app.bsky.actor.profile", "rkey": "self"}
        self._call("com.atproto.repo.putRecord", {**where, "record": record}, owner)

    def post(
        self,
        owner: Owner,
        text: str,
        *,
        at: dt.datetime | str | None = None,
        reply_to: Record | None = None,
        quote: Record | None = None,
        labels: Sequence[str] = (),
        **more: Any,
    ) -> Record:
        """Post as of `at` (a text is sent as it is); `more` are fields of the record."""
        record: dict[str, Any] = {"text": text, **more}
        root = None
        if reply_to:
            root = reply_to.root or reply_to
            record["reply"] = {"root": root.reference, "parent": reply_to.reference}
        if quote:
            record["embed"] = {"$type": "app.bsky.embed.record", "record": quote.reference}
        if labels:
            record["labels"] = _self_labels(labels)
        return replace(self._create(owner, "app.bsky.feed.post", record, at), root=root)

    def like(self, owner: Owner, subject: Record) -> Record:
        """Like a post."""
        return self._create(owner, "app.bsky.feed.like", {"subject": subject.reference})

    def repost(self, owner: Owner, subject: Record, *, at: dt.datetime | str | None = None) -> Record:
        """Repost a post."""
        return self._create(owner, "app.bsky.feed.repost", {"subject": subject.reference}, at)

    def follow(self, owner: Owner, other: Owner) -> Record:
        """Follow an account."""
        return self._create(owner, "app.bsky.graph.follow", {"subject": other.did})

    def delete(self, owner: Owner, record: Record) -> None:
        """Delete a record of one's own."""
        collection, key = record.uri.split("/")[-2:]
        where = {"repo": owner.did, "collection": collection, "rkey": key}
        self._call("com.atproto.repo.deleteRecord", where, owner)

    def rename(self, owner: Owner, name: str) -> Owner:
        """Take another handle."""
        handle = f"{name}-{next(self._numbers)}.test"
        self._call("com.atproto.identity.updateHandle", {"handle": handle}, owner)
        return replace(owner, handle=handle)

    def deactivate(self, owner: Owner) -> None:
        """Switch the account off; it can come back."""
        self._call("com.atproto.server.deactivateAccount", {}, owner)

    def activate(self, owner: Owner) -> None:
        """Switch the account on again."""
        self._call("com.atproto.server.activateAccount", None, owner)

    # writing, as the operator of the PDS

    def delete_account(self, owner: Owner) -> None:
        """Delete the account for good."""
        self._call("com.atproto.admin.deleteAccount", {"did": owner.did})

    def take_down(self, owner: Owner) -> None:
        """Take the account down."""
        subject = {"$type": "com.atproto.admin.defs#repoRef", "did": owner.did}
        takedown = {"applied": True, "ref": "test"}
        self._call("com.atproto.admin.updateSubjectStatus", {"subject": subject, "takedown": takedown})

    def _create(
        self, owner: Owner, collection: str, record: dict[str, Any], at: dt.datetime | str | None = None
    ) -> Record:
        moment = at or dt.datetime.now(dt.UTC)
        claimed = moment if isinstance(moment, str) else timestamp(moment)
        whole = {"$type": collection, "createdAt": claimed, **record}
        body = {"repo": owner.did, "collection": collection, "record": whole}
        answer = self._call("com.atproto.repo.createRecord", body, owner)
        return Record(answer["uri"], answer["cid"])

    def _call(self, method: str, body: dict[str, Any] | None, owner: Owner | None = None) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {owner.token}"} if owner else {}
        auth = httpx.BasicAuth(*MODERATOR) if ".admin." in method else httpx.Auth()
        url = f"{self.pds}/xrpc/{method}"
        answer = self._client.post(url, json=body, headers=headers, auth=auth)
        if answer.status_code != httpx.codes.OK:
            raise NetworkFailed(f"{method} answered {answer.status_code}: {answer.text[:500]}")
        return dict(answer.json()) if answer.content else {}


def _self_labels(labels: Sequence[str]) -> dict[str, Any]:
    return {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": label} for label in labels]}


@contextlib.contextmanager
def running_network(installed: Path = INSTALLED) -> Iterator[BlueskyNetwork]:
    """Run the network until the block ends; raises NetworkFailed with the log's end where it does not start."""
    node = installed / "node"
    if not (installed / "made-from").exists():
        raise NetworkFailed(f"the network is not installed in {installed}: run `make test-servers`")
    # Not pytest's own folder: PostgreSQL, which runs as somebody else, must be able to pass through.
    state = Path(tempfile.mkdtemp(prefix="bluesky-"))
    state.chmod(0o711)
    log = state / "network.log"
    try:
        with log.open("wb") as output:
            # Standard input is never written to: it closes when this process ends, however it ends.
            process = subprocess.Popen(
                [node, HERE / "network.mjs", installed, state],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            network = BlueskyNetwork(**_wait_until_ready(process, state / "ready.json", log))
            try:
                yield network
            finally:
                network.close()
        finally:
            _end(process)
    finally:
        shutil.rmtree(state, ignore_errors=True)


def _wait_until_ready(process: subprocess.Popen[bytes], ready: Path, log: Path) -> dict[str, str]:
    deadline = time.monotonic() + START_SECONDS
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            tail = log.read_text(encoding="utf-8", errors="replace")[-3000:]
            raise NetworkFailed(
                f"the network did not start within {START_SECONDS:g} seconds; its log ends:\n{tail}"
            )
        time.sleep(0.05)
    return dict(json.loads(ready.read_bytes()))


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
