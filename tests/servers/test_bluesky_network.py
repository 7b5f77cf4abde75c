"""The Bluesky collector against the real PDS and AppView: what it yields is what the network says elsewhere.

Counts are compared with the lists behind them (who liked, who follows), which the collector never asks for, and
every raw answer that the collector got is checked against the official lexicons that the AppView itself speaks.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest

from pipelines.sources.bluesky import Bluesky
from pipelines.sources.http import Fetched, FetchError, HttpPolicy, PoliteClient
from pipelines.sources.social import (
    AccountUnavailable,
    Answer,
    PlatformError,
    Post,
    Profile,
    Reply,
    Session,
    Settings,
    Wanted,
)
from tests.conftest import REAL
from tests.lexicon import Lexicons
from tests.servers.chaos import EVERY_FAULT, ChaosProxy, Fault
from tests.servers.network import INSTALLED, BlueskyNetwork, Owner, Record
from tests.servers.seed import LONG_AGO, START, TO_COME, World

pytestmark = pytest.mark.servers

T = TypeVar("T")

EVER = dt.datetime(1, 1, 2, tzinfo=dt.UTC)
POLICY = HttpPolicy(
    contact="tests@example.org",
    per_host_per_second=500,
    timeout_seconds=2,
    total_seconds=20,
    attempts=1,
    private_hosts=frozenset({"127.0.0.1"}),
)
# A name that the collector sends and the AppView would take; a test puts one in its place that it refuses.
STAND_IN = "did:web:refused.invalid"


class Recorder:
    """A session that keeps what was answered, and asks as a test wants it where the collector never would."""

    def __init__(self, session: Session, change: Callable[[str], str]) -> None:
        self._session = session
        self._change = change
        self.answers: list[tuple[str, Any]] = []

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        accept: str | None = None,
        budget: str | None = None,
    ) -> Fetched:
        fetched = await self._session.get(self._change(url), headers=headers, accept=accept)
        self.answers.append((urlsplit(url).path.removeprefix("/xrpc/"), json.loads(fetched.body or b"")))
        return fetched

    def calls(self, method: str) -> list[Any]:
        """Every answer to a method, by the last part of its name."""
        return [answer for asked, answer in self.answers if asked.endswith(f".{method}")]


@cache
def spoken_lexicons() -> Lexicons:
    """The lexicons that came with the installed network."""
    return Lexicons(INSTALLED / "lexicons")


def posts_in(answer: Any) -> list[dict[str, Any]]:
    """Every view of a post anywhere in an answer."""
    inner = list(answer.values()) if isinstance(answer, dict) else answer if isinstance(answer, list) else []
    own = [answer] if isinstance(answer, dict) and {"record", "author", "indexedAt"} <= answer.keys() else []
    return own + [view for child in inner for view in posts_in(child)]


def problems(lexicons: Lexicons, answers: Sequence[tuple[str, Any]]) -> list[str]:
    """What is wrong with answers and the records in them."""
    found = [problem for method, answer in answers for problem in lexicons.problems_of_answer(method, answer)]
    views = [view for _, answer in answers for view in posts_in(answer)]
    return found + [problem for view in views for problem in lexicons.problems_of_record(view["record"])]


@contextlib.asynccontextmanager
async def asking(
    service: str, *, page_size: int = 100, change: Callable[[str], str] = str
) -> AsyncIterator[tuple[Bluesky, Recorder]]:
    """The collector over the polite client; at the end all raw answers must be what the lexicons say."""
    async with PoliteClient(POLICY) as client:
        recorder = Recorder(client, change)
        yield Bluesky(recorder, Settings(service=service), page_size=page_size), recorder
    assert problems(spoken_lexicons(), recorder.answers) == []
    assert spoken_lexicons().missing == set()


def run(task: Coroutine[Any, Any, T]) -> T:
    """Run one test's coroutine; a hang becomes a failure."""
    return asyncio.run(asyncio.wait_for(task, 120))


def known(owner: Owner) -> Profile:
    """An account as an earlier pull knew it."""
    return Profile(owner.did, owner.handle, None, None, None, None)


def profiles(network: BlueskyNetwork, wanted: Sequence[Wanted]) -> list[Answer]:
    async def ask() -> list[Answer]:
        async with asking(network.appview) as (bluesky, _):
            return await bluesky.profiles(wanted)

    return run(ask())


def feed(
    network: BlueskyNetwork, owner: Owner, since: dt.datetime = EVER, **how: Any
) -> tuple[list[list[Post]], Recorder]:
    async def ask() -> tuple[list[list[Post]], Recorder]:
        async with asking(network.appview, **how) as (bluesky, recorder):
            return [page async for page in bluesky.posts(known(owner), since)], recorder

    return run(ask())


def looked_up(network: BlueskyNetwork, owner: Owner, ids: Sequence[str]) -> dict[str, Post | None]:
    async def ask() -> dict[str, Post | None]:
        async with asking(network.appview) as (bluesky, _):
            return await bluesky.lookup(known(owner), ids)

    return run(ask())


def replies(network: BlueskyNetwork, owner: Owner, record: Record) -> list[Reply] | None:
    async def ask() -> list[Reply] | None:
        async with asking(network.appview) as (bluesky, _):
            return await bluesky.replies(known(owner), record.uri)

    return run(ask())


def size(network: BlueskyNetwork, method: str, name: str, **parameters: Any) -> int:
    """The length of a list that the AppView keeps, asked for directly."""
    answer = network.ask(method, limit=100, **parameters).json()
    assert "cursor" not in answer, "the list goes on: it cannot be counted in one call"
    return len(answer[name])


def present(thing: T | None) -> T:
    assert thing is not None
    return thing


# --- counts -------------------------------------------------------------------------------------------------


def test_the_world_is_as_large_as_it_must_be(world: World) -> None:
    assert len(world.owners) + 5 == 20
    assert len(world.posts) >= 80
    assert min(len(world.replies), len(world.quotes), len(world.reposts), world.likes.total()) >= 12


def test_every_profile_s_counts_are_those_of_the_lists_behind_them(
    bluesky_network: BlueskyNetwork, world: World
) -> None:
    answers = profiles(bluesky_network, [Wanted(owner.handle, owner.did) for owner in world.owners])
    assert [answer.outcome for answer in answers] == ["observed"] * len(world.owners)
    for owner, answer in zip(world.owners, answers, strict=True):
        profile = present(answer.profile)
        assert (profile.account_id, profile.handle) == (owner.did, owner.handle)
        assert profile.followers == size(
            bluesky_network, "app.bsky.graph.getFollowers", "followers", actor=owner.did
        )
        assert profile.following == size(bluesky_network, "app.bsky.graph.getFollows", "follows", actor=owner.did)
        own = [post for page in feed(bluesky_network, owner)[0] for post in page if post.kind != "repost"]
        assert profile.posts == len(own)
    assert sum(present(answer.profile).followers or 0 for answer in answers) > 20


def test_every_post_s_counts_are_what_was_done_to_it(bluesky_network: BlueskyNetwork, world: World) -> None:
    posts = {
        post.post_id: post
        for owner in world.owners
        for page in feed(bluesky_network, owner)[0]
        for post in page
        if post.kind != "repost"
    }
    assert {record.uri for _, record in world.posts} <= posts.keys()
    for uri, post in posts.items():
        done = (world.likes[uri], world.reposted[uri], world.replied[uri], world.quoted[uri])
        assert (post.likes, post.reposts, post.replies, post.quotes) == done
    assert world.likes.keys() | world.reposted.keys() | world.replied.keys() | world.quoted.keys() <= posts.keys()


def test_a_post_s_counts_are_those_of_the_lists_behind_them(bluesky_network: BlueskyNetwork, world: World) -> None:
    counted = 0
    for post in (post for owner in world.owners[:4] for page in feed(bluesky_network, owner)[0] for post in page):
        if post.kind == "repost":
            continue
        uri = post.post_id
        assert post.likes == size(bluesky_network, "app.bsky.feed.getLikes", "likes", uri=uri)
        assert post.reposts == size(bluesky_network, "app.bsky.feed.getRepostedBy", "repostedBy", uri=uri)
        assert post.quotes == size(bluesky_network, "app.bsky.feed.getQuotes", "posts", uri=uri)
        counted += 1
    assert counted > 20


def test_every_post_is_what_was_written(bluesky_network: BlueskyNetwork, world: World) -> None:
    reposts, replied, quoted = ({record.uri for record in r} for r in (world.reposts, world.replies, world.quotes))
    written = {record.uri: number for number, (_, record) in enumerate(world.posts)}
    seen: set[str] = set()
    for owner in world.owners:
        for post in (post for page in feed(bluesky_network, owner)[0] for post in page):
            assert post.post_id.startswith(f"at://{owner.did}/")
            assert (post.kind == "repost") == (post.post_id in reposts)
            seen |= {post.post_id} & (written.keys() | reposts)
            if post.post_id not in written:
                continue
            number = written[post.post_id]
            moment = START + dt.timedelta(minutes=97 * number)
            assert (post.posted_at, post.claimed_at, post.read_at) == (moment, moment, moment)
            assert post.kind == (
                "reply" if post.post_id in replied else "quote" if post.post_id in quoted else "post"
            )
            assert post.text_length == len(f"Post {number}: bins, libraries & buses – ŵ")
            assert (post.has_link, post.language) == (number % 4 == 0, ("en", "cy-gb")[number % 2])
    assert seen == written.keys() | reposts


# --- accounts -----------------------------------------------------------------------------------------------


def test_accounts_that_are_gone_or_withdrawn_end_where_they_should(
    bluesky_network: BlueskyNetwork, world: World
) -> None:
    odd = [present(owner) for owner in (world.deleted, world.deactivated, world.taken_down, world.opted_out)]
    ids, handles = [Wanted(None, owner.did) for owner in odd], [Wanted(owner.handle) for owner in odd]
    nobody = [Wanted("nobody.test"), Wanted(None, "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa")]
    answers = profiles(bluesky_network, [*ids, *handles, *nobody])
    unavailable, opted_out = ("unavailable", "not_answered"), ("opted_out", "no_unauthenticated")
    expected = [*[unavailable] * 3, opted_out]
    assert [(a.outcome, a.reason) for a in answers] == [*expected, *expected, unavailable, unavailable]
    assert {answer.profile for answer in answers} == {None}
    for owner in odd[:3]:
        with pytest.raises(AccountUnavailable):
            feed(bluesky_network, owner)
    # Labels are stated, not applied: it is the collector that honours the wish.
    assert bluesky_network.ask("app.bsky.feed.getAuthorFeed", actor=odd[3].did).json()["feed"] != []
    assert feed(bluesky_network, odd[3])[0] == [[]]


def test_a_renamed_account_is_found_by_its_id_and_not_by_its_old_handle(
    bluesky_network: BlueskyNetwork, world: World
) -> None:
    renamed = present(world.renamed)
    wanted = [Wanted(world.old_handle, renamed.did), Wanted(world.old_handle), Wanted(renamed.handle.upper())]
    by_id, by_old, by_new = profiles(bluesky_network, wanted)
    assert present(by_id.profile) == present(by_new.profile)
    assert present(by_id.profile).handle == renamed.handle != world.old_handle
    assert (by_old.outcome, by_old.reason) == ("unavailable", "not_answered")


def test_an_account_comes_and_goes(bluesky_network: BlueskyNetwork) -> None:
    owner = bluesky_network.create_account("comes-and-goes")
    record = bluesky_network.post(owner, "Here")
    seen = []
    for act in (None, bluesky_network.deactivate, bluesky_network.activate):
        if act:
            act(owner)
        bluesky_network.settle()
        (answer,) = profiles(bluesky_network, [Wanted(None, owner.did)])
        found = looked_up(bluesky_network, owner, [record.uri])[record.uri]
        seen.append((answer.outcome, found is not None, replies(bluesky_network, owner, record)))
    assert seen == [("observed", True, []), ("unavailable", False, None), ("observed", True, [])]


def test_a_name_that_the_appview_refuses_fails_alone(bluesky_network: BlueskyNetwork, world: World) -> None:
    wanted = [Wanted(None, owner.did) for owner in world.owners]
    wanted.insert(7, Wanted(None, STAND_IN))

    async def ask() -> tuple[list[Answer], Recorder]:
        change = lambda url: url.replace(STAND_IN, "not%20a%20name")  # noqa: E731
        async with asking(bluesky_network.appview, change=change) as (bluesky, recorder):
            return await bluesky.profiles(wanted), recorder

    answers, recorder = run(ask())
    assert [answer.outcome for answer in answers].index("failed") == 7
    assert Counter(answer.outcome for answer in answers) == {"observed": 15, "failed": 1}
    assert len(recorder.calls("getProfiles")) > 1


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        *((name, False) for name in ("not a name", "nodots", "a..b", "a-.test", "x.123a", "a,b.test", "ŵ.test")),
        *((name, False) for name in ("did:foo", "did:plc:a:", "did:plc:a%", "x" * 64 + ".test", "at://x.test")),
        *(
            (name, True)
            for name in ("a.b-c", "xn--a.test", "0.test", "did:web:a:b", "did:plc:-", "x" * 63 + ".test")
        ),
    ],
)
def test_the_collector_and_the_appview_agree_on_what_can_be_a_name(
    bluesky_network: BlueskyNetwork, name: str, is_one: bool
) -> None:
    assert bluesky_network.ask("app.bsky.actor.getProfiles", actors=[name]).status_code == (200 if is_one else 400)
    wanted = Wanted(None, name) if name.startswith("did:") else Wanted(name)
    (answer,) = profiles(bluesky_network, [wanted])
    assert answer.reason == ("not_answered" if is_one else "not_a_name")


# --- time, order and paging ---------------------------------------------------------------------------------


def test_a_post_dated_1985_stays_there_and_one_from_the_future_ends_at_its_arrival(
    bluesky_network: BlueskyNetwork, world: World
) -> None:
    owner = world.owners[0]
    posts = {post.post_id: post for page in feed(bluesky_network, owner)[0] for post in page}
    old, new = posts[present(world.long_ago).uri], posts[present(world.to_come).uri]
    assert (old.posted_at, old.claimed_at, list(posts)[-1]) == (LONG_AGO, LONG_AGO, old.post_id)
    assert (new.claimed_at, new.posted_at) == (TO_COME, new.read_at)
    assert dt.timedelta(0) <= dt.datetime.now(dt.UTC) - new.posted_at < dt.timedelta(hours=1)
    # A pull that goes back to the last one is not led to a post that was dated back.
    recent = [post.post_id for page in feed(bluesky_network, owner, START, page_size=1)[0] for post in page]
    assert new.post_id in recent
    assert set(posts) - set(recent) == set()  # the page on which all is older is still read
    recent = [
        post.post_id for page in feed(bluesky_network, owner, new.posted_at, page_size=2)[0] for post in page
    ]
    assert new.post_id in recent
    assert old.post_id not in recent


@pytest.mark.parametrize("page_size", [1, 3, 7])
def test_small_pages_bring_the_same_posts_in_the_same_order(
    bluesky_network: BlueskyNetwork, world: World, page_size: int
) -> None:
    (whole,), once = feed(bluesky_network, world.owners[0])
    pages, recorder = feed(bluesky_network, world.owners[0], page_size=page_size)
    assert [post for page in pages for post in page] == whole
    assert max(len(page) for page in pages) == page_size
    assert len(recorder.calls("getAuthorFeed")) == len(pages) >= len(whole) / page_size > 1
    assert len(once.calls("getAuthorFeed")) == 1
    assert [post.read_at for post in whole] == sorted((post.read_at for post in whole), reverse=True)


def test_paging_stops_where_all_is_older(bluesky_network: BlueskyNetwork, world: World) -> None:
    (whole,), _ = feed(bluesky_network, world.owners[0])
    since = whole[len(whole) // 2].read_at
    pages, recorder = feed(bluesky_network, world.owners[0], since, page_size=2)
    read = [post for page in pages for post in page]
    assert read == whole[: len(read)]
    assert {post for post in whole if post.read_at >= since} <= set(read)
    assert len(recorder.calls("getAuthorFeed")) < len(whole) / 2


@pytest.mark.parametrize("page_size", [1, 4, 100])
def test_a_pinned_post_is_neither_lost_nor_doubled(
    bluesky_network: BlueskyNetwork, world: World, page_size: int
) -> None:
    """The collector does not ask for pins; should the service send them all the same, only the order changes."""
    (whole,), _ = feed(bluesky_network, world.owners[0])
    pages, recorder = feed(
        bluesky_network, world.owners[0], page_size=page_size, change=lambda url: f"{url}&includePins=true"
    )
    first = recorder.calls("getAuthorFeed")[0]["feed"][0]
    assert first["reason"]["$type"] == "app.bsky.feed.defs#reasonPin"
    read = [post for page in pages for post in page]
    assert read[0].post_id == first["post"]["uri"] == present(world.pinned).uri
    assert len(read) == len(whole)
    assert set(read) == set(whole)


@pytest.mark.parametrize(
    ("claimed", "posted"),
    [
        ("2026-05-01T10:00:00.123456789Z", "2026-05-01T10:00:00.123000+00:00"),
        ("2026-05-01T10:00:00+23:59", "2026-04-30T10:01:00+00:00"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00"),
        ("2026-02-30T10:00:00Z", "2026-03-02T10:00:00+00:00"),
        ("0000-01-01T00:00:00Z", None),
    ],
)
def test_dates_that_the_network_lets_through(
    bluesky_network: BlueskyNetwork, claimed: str, posted: str | None
) -> None:
    owner = bluesky_network.create_account("odd-dates")
    record = bluesky_network.post(owner, "When?", at=claimed)
    bluesky_network.settle()
    times = [post.posted_at.isoformat() for page in feed(bluesky_network, owner)[0] for post in page]
    assert times == ([posted] if posted else [])
    assert looked_up(bluesky_network, owner, [record.uri]).keys() == ({record.uri} if posted else set())


# --- posts again, and their replies -------------------------------------------------------------------------


def test_a_look_up_says_what_the_feed_says_and_what_is_gone(bluesky_network: BlueskyNetwork, world: World) -> None:
    owner = world.owners[0]
    (whole,), _ = feed(bluesky_network, owner)
    gone = present(world.deleted_post).uri
    found = looked_up(bluesky_network, owner, [*(post.post_id for post in whole), gone])
    assert found == {gone: None} | {post.post_id: post for post in whole if post.kind != "repost"}
    assert any(post.kind == "repost" for post in whole)


def test_more_posts_are_looked_up_than_one_call_may_name(bluesky_network: BlueskyNetwork) -> None:
    owner = bluesky_network.create_account("busy")
    records = [bluesky_network.post(owner, f"Number {number}") for number in range(27)]
    bluesky_network.settle()
    assert set(looked_up(bluesky_network, owner, [record.uri for record in records])) == {r.uri for r in records}


def test_a_post_that_its_author_withdraws_from_the_public_is_withheld(bluesky_network: BlueskyNetwork) -> None:
    owner = bluesky_network.create_account("shy")
    shown = bluesky_network.post(owner, "For all")
    withheld = bluesky_network.post(owner, "For some", labels=["!no-unauthenticated"])
    bluesky_network.settle()
    assert [post.post_id for page in feed(bluesky_network, owner)[0] for post in page] == [shown.uri]
    found = looked_up(bluesky_network, owner, [shown.uri, withheld.uri])
    assert [found[shown.uri] is None, found[withheld.uri]] == [False, None]
    assert replies(bluesky_network, owner, withheld) is None


def test_replies_and_the_first_answers_to_them(bluesky_network: BlueskyNetwork, world: World) -> None:
    monday = START + dt.timedelta(days=60)
    hour = dt.timedelta(hours=1)
    asked = present(world.asked)
    assert replies(bluesky_network, world.owners[1], asked) == [
        Reply(monday + hour, monday + 6 * hour),
        Reply(monday + 2 * hour, None),
        Reply(monday + 3 * hour, None),
    ]
    alone = present(world.to_come)
    assert replies(bluesky_network, world.owners[0], alone) == []
    assert replies(bluesky_network, world.owners[0], present(world.deleted_post)) is None


# --- lexicons and faults ------------------------------------------------------------------------------------


@pytest.mark.real
def test_answers_are_also_what_the_lexicons_beside_the_checkout_say(
    bluesky_network: BlueskyNetwork, world: World
) -> None:
    lexicons = Lexicons(REAL / "api" / "bluesky" / "lexicons")
    wanted = [Wanted(None, owner.did) for owner in world.owners]

    async def ask() -> Recorder:
        async with asking(bluesky_network.appview) as (bluesky, recorder):
            await bluesky.profiles(wanted)
            for owner in world.owners[:5]:
                posts = [post async for page in bluesky.posts(known(owner), EVER) for post in page]
                await bluesky.lookup(known(owner), [post.post_id for post in posts])
            return recorder

    answers = run(ask()).answers
    assert {method.rsplit(".", 1)[1] for method, _ in answers} == {"getProfiles", "getAuthorFeed", "getPosts"}
    assert problems(lexicons, answers) == []


@pytest.mark.parametrize("fault", EVERY_FAULT, ids=lambda fault: fault.kind)
def test_every_fault_of_the_network_ends_in_an_answer_or_a_plain_error(
    bluesky_network: BlueskyNetwork, world: World, fault: Fault
) -> None:
    owner = world.owners[0]
    (whole,), _ = feed(bluesky_network, owner)

    async def ask() -> list[Post]:
        async with ChaosProxy(bluesky_network.appview, [fault]) as proxy, PoliteClient(POLICY) as client:
            bluesky = Bluesky(client, Settings(service=proxy.url))
            try:
                return [post async for page in bluesky.posts(known(owner), EVER) for post in page]
            finally:
                assert proxy.met == [fault.kind]

    if fault.kind in ("ok", "latency", "bandwidth"):
        assert run(ask()) == whole
        return
    with pytest.raises((FetchError, PlatformError)) as caught:
        run(ask())
    assert owner.did not in str(caught.value)
    assert owner.handle not in str(caught.value)
