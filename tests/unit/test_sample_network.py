"""The fictional network's servers: the platforms' own JSON, as of a moment, paged and refused as the real ones do.

What a list of posts must hold is worked out here from the facts. The real collectors read it too and must find
neither more nor less.
"""

from __future__ import annotations

import asyncio
import copy
import datetime as dt
import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from pipelines.observe import SampleSession
from pipelines.sample import network
from pipelines.sample.answers import Answer
from pipelines.sample.network_accounts import DOWN_ON, END, Account, host_troubles
from pipelines.sample.posts import BURST, Post, conversations, part
from pipelines.sources.bluesky import Bluesky
from pipelines.sources.mastodon import Mastodon
from pipelines.sources.social import Collector, Profile, Settings, Wanted
from tests.conftest import REAL
from tests.lexicon import Lexicons

SERVICE = "https://public.api.bsky.app"
FEED, PROFILES = "app.bsky.feed.getAuthorFeed", "app.bsky.actor.getProfiles"
POSTS, THREAD = "app.bsky.feed.getPosts", "app.bsky.feed.getPostThread"
DAY = dt.timedelta(days=1)
NOWS = (
    dt.datetime(2026, 9, 7, 6, tzinfo=dt.UTC),
    dt.datetime(2026, 10, 12, 6, tzinfo=dt.UTC),
    dt.datetime(2026, 11, 23, 6, tzinfo=dt.UTC),
)
LATEST = NOWS[-1]


def ask(method: str, now: dt.datetime, **parameters: Any) -> Answer:
    return network.answer(f"{SERVICE}/xrpc/{method}?{urlencode(parameters, doseq=True)}", now)


def said(answer: Answer, status: int = 200) -> Any:
    assert answer.status == status, answer.body[:200]
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    return json.loads(answer.body)


def toot(account: Account, path: str, now: dt.datetime, **parameters: Any) -> Answer:
    return network.answer(f"https://{account.host}/api/v1/{path}?{urlencode(parameters, doseq=True)}", now)


def facts(account: Account, now: dt.datetime) -> list[Post]:
    """The posts of an account that stand at a moment, newest first, worked out from the facts alone."""

    def stands(post: Post | None) -> bool:
        if post is None:
            return True
        author = post.author
        lasts = author.since <= now and (author.until is None or now < author.until)
        hides = author.trouble in ("deleted", "deactivated", "taken_down", "suspended", "gone")
        is_there = post.seen_at <= now and (post.deleted_at is None or post.deleted_at > now)
        return is_there and not (hides and lasts)

    posts = conversations().by_author.get(account, ())
    kept = [post for post in posts if stands(post) and (post.kind != "repost" or stands(post.subject))]
    return sorted(kept, key=lambda post: min(post.claimed_at, post.seen_at), reverse=True)


def canary(view: dict[str, Any]) -> int:
    """The number of a post, found in its text on either platform."""
    text = view["record"]["text"] if "record" in view else view["content"]
    found = re.search(r"CANARY-text-([0-9]+)", text)
    assert found
    return int(found[1])


def case(name: str) -> network.Case:
    """The first awkward case whose name begins so; a listed account's before one made up for it."""
    fitting = [c for c in network.cases() if c.name.startswith(name)]
    assert fitting, name
    return sorted(fitting, key=lambda c: not c.is_listed)[0]


def feed_pages(account: Account, now: dt.datetime, limit: int) -> Iterator[list[dict[str, Any]]]:
    cursor: dict[str, str] = {}
    while True:
        body = said(ask(FEED, now, actor=account.number, limit=limit, **cursor))
        yield body["feed"]
        if "cursor" not in body:
            return
        assert body["cursor"] != cursor.get("cursor")
        cursor = {"cursor": body["cursor"]}


def status_pages(account: Account, now: dt.datetime, limit: int) -> Iterator[list[dict[str, Any]]]:
    url: str | None = f"https://{account.host}/api/v1/accounts/{account.number}/statuses?limit={limit}"
    while url:
        answer = network.answer(url, now)
        yield said(answer)
        link = re.search(r'<([^>]+)>; rel="next"', answer.headers.get("link", ""))
        url = link[1] if link else None


# --- when -----------------------------------------------------------------------------------------------------


def test_the_network_is_observed_on_mondays_and_daily_in_the_last_week() -> None:
    days = network.days()
    assert days[0] == dt.date(2026, 9, 7)
    assert days[-1] == dt.date(2026, 11, 23)
    assert list(days) == sorted(set(days))
    gaps = Counter((later - earlier).days for earlier, later in pairwise(days))
    assert gaps == {7: 10, 1: 7}
    assert all(day.weekday() == 0 for day in days[:11])
    assert network.moment(days[0]) == NOWS[0]


# --- lists ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [100, 7])
@pytest.mark.parametrize("now", NOWS, ids=lambda now: f"{now:%m-%d}")
def test_every_feed_holds_what_was_there_and_nothing_else(now: dt.datetime, limit: int) -> None:
    compared = 0
    for account in network.accounts("bluesky"):
        if not account.is_shown(now):
            continue
        items = [item for page in feed_pages(account, now, limit) for item in page]
        expected = facts(account, now)
        assert [canary(item["post"]) for item in items] == [
            post.subject.number if post.kind == "repost" and post.subject else post.number for post in expected
        ]
        for item, post in zip(items, expected, strict=True):
            assert ("reason" in item) == (post.kind == "repost")
            assert ("reply" in item) == (post.kind == "reply")
            own = item["reason"]["by"] if "reason" in item else item["post"]["author"]
            assert (own["did"], own["handle"]) == (account.number, account.name_at(now))
        compared += len(items)
    assert compared > (150 if now == NOWS[0] else 1500)


@pytest.mark.parametrize("limit", [40, 7])
@pytest.mark.parametrize("now", NOWS, ids=lambda now: f"{now:%m-%d}")
def test_every_list_of_statuses_holds_what_was_there_and_nothing_else(now: dt.datetime, limit: int) -> None:
    compared = 0
    for account in network.accounts("mastodon"):
        if not network.is_reachable(account, now):
            continue
        statuses = [status for page in status_pages(account, now, limit) for status in page]
        expected = facts(account, now)
        assert [canary(status["reblog"] or status) for status in statuses] == [
            post.subject.number if post.kind == "repost" and post.subject else post.number for post in expected
        ]
        assert all(status["account"]["id"] == account.number for status in statuses)
        assert len({int(status["id"]) for status in statuses}) == len(statuses)
        assert [int(s["id"]) for s in statuses] == sorted((int(s["id"]) for s in statuses), reverse=True)
        compared += len(statuses)
    assert compared > (30 if now == NOWS[0] else 300)


def test_only_pages_that_are_full_name_a_next_one() -> None:
    account = max(network.accounts("mastodon"), key=lambda a: len(facts(a, LATEST)))
    there = len(facts(account, LATEST))
    assert there > 80
    pages = list(status_pages(account, LATEST, 40))
    assert [len(page) for page in pages] == [40] * (there // 40) + [there % 40] * bool(there % 40)
    newest = int(pages[0][0]["id"])
    newer = said(toot(account, f"accounts/{account.number}/statuses", LATEST, min_id=pages[1][-1]["id"], limit=40))
    assert [s["id"] for s in newer] == [s["id"] for s in (*pages[0], *pages[1])][39:79], (
        "the next newer, not the newest"
    )
    since = said(toot(account, f"accounts/{account.number}/statuses", LATEST, since_id=pages[1][-1]["id"]))
    assert int(since[0]["id"]) == newest
    assert len(since) == 20
    assert len(said(toot(account, f"accounts/{account.number}/statuses", LATEST, limit=4000))) == 40


def test_a_post_is_observed_again_with_more_engagement() -> None:
    account = next(a for a in network.accounts("bluesky") if a.owner == "council" and a.tier == "heavy")
    days = network.days()
    first = network.moment(days[0])
    uris = [item["post"]["uri"] for item in said(ask(FEED, first, actor=account.number, limit=25))["feed"]]
    totals = []
    for day in days[:6]:
        posts = said(ask(POSTS, network.moment(day), uris=uris))["posts"]
        totals.append(sum(post["likeCount"] + post["repostCount"] + post["replyCount"] for post in posts))
    assert totals == sorted(totals)
    assert totals[1] > totals[0] > 0


@pytest.mark.parametrize("platform", ["bluesky", "mastodon"])
def test_the_true_posts_are_those_of_the_facts(platform: Any) -> None:
    for now in NOWS:
        for account in network.accounts(platform):
            true = network.posts_of(account, now)
            expected = [] if not account.is_shown(now) else facts(account, now)[::-1]
            assert [t.claimed_at for t in true] == [post.claimed_at for post in expected]
            assert all(t.account_id == account.account_id for t in true)


# --- the real collectors --------------------------------------------------------------------------------------


def collector(platform: str, now: dt.datetime) -> Collector:
    kinds: dict[str, type[Bluesky | Mastodon]] = {"bluesky": Bluesky, "mastodon": Mastodon}
    return kinds[platform](SampleSession(now), Settings())


async def collect(platform: str, account: Account, now: dt.datetime) -> None:
    """Compare what the real collector makes of an account with what is true of it."""
    reader = collector(platform, now)
    (answer,) = await reader.profiles([Wanted(account.handle_at(now))])
    opted_out = account.has("signed_in_only", now) or account.has("noindex", now)
    if opted_out or account.has("moved", now) or not network.is_reachable(account, now):
        assert answer.outcome != "observed"
        return
    assert answer.profile is not None, answer
    assert (answer.profile.account_id, answer.profile.handle) == (account.account_id, account.handle_at(now))
    start = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    read = {post.post_id: post async for page in reader.posts(answer.profile, start) for post in page}
    true = {post.post_id: post for post in network.posts_of(account, now)}
    assert read.keys() == true.keys()
    for post_id, post in read.items():
        fact = true[post_id]
        assert (post.kind, post.posted_at) == (fact.kind, fact.posted_at)
        counts = fact.counts
        assert (post.likes, post.reposts, post.replies, post.quotes) == (
            counts.likes,
            counts.reposts,
            counts.replies,
            counts.quotes,
        )
        if post.kind != "repost":
            assert (post.text_length, post.has_link) == (fact.text_length, fact.has_link)
            assert (post.claimed_at, post.language) == (fact.claimed_at, fact.language)
    if account.owner == "council":
        await compare_replies(reader, answer.profile, account, now)


async def compare_replies(reader: Collector, profile: Profile, account: Account, now: dt.datetime) -> None:
    for post_id, expected in network.replies_to(account, now).items():
        replies = await reader.replies(profile, post_id)
        assert replies is not None
        assert [(r.received_at, r.answered_at) for r in replies] == [
            (e.received_at, e.answered_at) for e in expected
        ]


@pytest.mark.parametrize("platform", ["bluesky", "mastodon"])
@pytest.mark.parametrize("now", NOWS, ids=lambda now: f"{now:%m-%d}")
def test_the_real_collectors_find_the_true_posts_and_replies(platform: Any, now: dt.datetime) -> None:
    async def everyone() -> None:
        for account in network.accounts(platform):
            await collect(platform, account, now)

    asyncio.run(everyone())


# --- awkward cases --------------------------------------------------------------------------------------------


def test_every_case_that_a_source_can_lead_to_has_a_listed_account() -> None:
    cases = network.cases()
    assert len({c.name for c in cases}) == len(cases) >= 25
    for name in (
        *(
            f"{trouble} account of a {owner} on bluesky"
            for trouble in TROUBLES
            for owner in ("council", "councillor")
        ),
        *(
            f"{trouble} account of a councillor on mastodon"
            for trouble in ("moved", "noindex", "suspended", "gone")
        ),
        *(f"{trouble} account of a council on mastodon" for trouble in ("moved", "noindex")),
        *(
            "limited federation",
            "host down on some days",
            "empty pages with a cursor",
            "absent counts",
            "pinned post",
        ),
        *("posts dated 1985 and 2031", "deleted post on bluesky", "deleted post on mastodon"),
        *("reposted stranger on bluesky", "reposted stranger on mastodon", "reply to what is gone on bluesky"),
        "reply of somebody blocked on bluesky",
    ):
        assert case(name).is_listed, name


TROUBLES = ("deleted", "deactivated", "renamed", "signed in only")


@pytest.mark.parametrize("owner", ["council", "councillor"])
@pytest.mark.parametrize("trouble", ["deleted", "deactivated"])
def test_an_account_that_left_is_omitted_without_a_word(trouble: str, owner: str) -> None:
    left = case(f"{trouble} account of a {owner} on bluesky")
    other = next(a for a in network.accounts("bluesky") if a.trouble is None)
    before, after = left.since - DAY, left.since + DAY
    name = left.account.name_at(before)
    actors = [name, other.number, left.account.number]
    assert [p["handle"] for p in said(ask(PROFILES, before, actors=actors))["profiles"]] == [
        name,
        other.name_at(before),
    ]
    uris = [item["post"]["uri"] for item in said(ask(FEED, before, actor=name))["feed"] if "reason" not in item][
        :25
    ]
    assert uris
    assert [p["did"] for p in said(ask(PROFILES, after, actors=actors))["profiles"]] == [other.number]
    refusal = {"error": "InvalidRequest", "message": "Profile not found"}
    assert said(ask(FEED, after, actor=name), 400) == refusal
    assert said(ask(FEED, after, actor=left.account.number), 400) == refusal
    assert said(ask(FEED, after, actor="nobody.example"), 400) == refusal, "all alike"
    assert said(ask(POSTS, after, uris=uris))["posts"] == []
    assert said(ask(THREAD, after, uri=uris[0]), 400)["error"] == "NotFound"
    if left.until:
        assert len(said(ask(POSTS, left.until + DAY, uris=uris))["posts"]) >= len(uris) - 1, "it came back"


@pytest.mark.parametrize("owner", ["council", "councillor"])
def test_a_renamed_account_answers_to_its_did_and_its_new_name_only(owner: str) -> None:
    renamed = case(f"renamed account of a {owner} on bluesky")
    account = renamed.account
    before, after = renamed.since - DAY, renamed.since + DAY
    old, new = account.name_at(before), account.name_at(after)
    assert old != new
    for now, alive, dead in ((before, old, new), (after, new, old)):
        assert said(ask(FEED, now, actor=dead), 400)["message"] == "Profile not found"
        (profile,) = said(ask(PROFILES, now, actors=[dead, alive]))["profiles"]
        assert (profile["did"], profile["handle"]) == (account.number, alive)
        assert said(ask(PROFILES, now, actors=[account.number]))["profiles"][0]["handle"] == alive
        assert said(ask(FEED, now, actor=account.number))["feed"]


@pytest.mark.parametrize("owner", ["council", "councillor"])
def test_an_account_for_those_signed_in_says_so_and_is_answered_all_the_same(owner: str) -> None:
    closed = case(f"signed in only account of a {owner} on bluesky")
    for now, labels in ((closed.since - DAY, []), (closed.since + DAY, ["!no-unauthenticated"])):
        (profile,) = said(ask(PROFILES, now, actors=[closed.account.number]))["profiles"]
        assert [label["val"] for label in profile["labels"]] == labels
        assert all(label["src"] == closed.account.number for label in profile["labels"])
        items = said(ask(FEED, now, actor=closed.account.number))["feed"]
        own = [item["post"]["author"] for item in items if "reason" not in item]
        assert own
        assert all([label["val"] for label in author["labels"]] == labels for author in own)


def test_somewhere_a_page_is_empty_and_not_the_last() -> None:
    burst = case("empty pages with a cursor")
    pages = list(feed_pages(burst.account, LATEST, 100))
    assert [] in pages[1:-1]
    assert pages[pages.index([]) + 1] or pages[pages.index([]) + 2]
    hidden = [p for p in conversations().by_author[burst.account] if p.kind == "repost" and not p.is_shown(LATEST)]
    assert len(hidden) >= BURST


def test_a_post_from_1985_is_last_and_one_from_the_future_is_dated_when_it_came() -> None:
    odd = case("posts dated 1985 and 2031").account
    posts = [item["post"] for page in feed_pages(odd, LATEST, 100) for item in page if "reason" not in item]
    assert posts[-1]["record"]["createdAt"].startswith("1985-10-26")
    assert posts[-1]["indexedAt"].startswith("1985-10-26")
    (future,) = [post for post in posts if post["record"]["createdAt"].startswith("2031")]
    assert future["indexedAt"].startswith("2026-10-08")
    assert all(post["indexedAt"] < "2027" for post in posts)


def test_absent_counts_are_left_out_not_null() -> None:
    account = case("absent counts").account
    own = [i["post"] for page in feed_pages(account, LATEST, 100) for i in page if "reason" not in i]
    lacking = [post for post in own if "likeCount" not in post]
    assert 5 < len(lacking) < len(own) / 2
    assert all("quoteCount" not in post and "replyCount" in post for post in lacking)
    (profile,) = said(ask(PROFILES, LATEST, actors=[account.number]))["profiles"]
    assert "followersCount" not in profile
    assert "followsCount" in profile


def test_a_pinned_post_comes_first_only_when_asked_for() -> None:
    account = case("pinned post").account
    plain = said(ask(FEED, LATEST, actor=account.number, limit=100))["feed"]
    assert [i["post"]["indexedAt"] for i in plain if "reason" not in i] == sorted(
        (i["post"]["indexedAt"] for i in plain if "reason" not in i), reverse=True
    )
    first, *others = said(ask(FEED, LATEST, actor=account.number, limit=100, includePins="true"))["feed"]
    assert first["reason"] == {"$type": "app.bsky.feed.defs#reasonPin"}
    assert first["post"]["indexedAt"] < min(item["post"]["indexedAt"] for item in others)
    assert first["post"]["uri"] not in [item["post"]["uri"] for item in others]
    (profile,) = said(ask(PROFILES, LATEST, actors=[account.number]))["profiles"]
    assert profile["pinnedPost"]["uri"] == first["post"]["uri"]


def test_reposts_are_other_peoples_posts_with_their_counts() -> None:
    account = case("reposted stranger on bluesky").account
    item = next(
        item
        for page in feed_pages(account, LATEST, 100)
        for item in page
        if "reason" in item and "canary" in item["post"]["author"]["handle"]
    )
    assert item["reason"]["by"]["did"] == account.number
    assert item["reason"]["uri"].startswith(f"at://{account.number}/app.bsky.feed.repost/")
    (original,) = said(ask(POSTS, LATEST, uris=[item["post"]["uri"]]))["posts"]
    assert original == item["post"]
    afar = case("reposted stranger on mastodon").account
    boost = next(s for page in status_pages(afar, LATEST, 40) for s in page if s["reblog"])
    assert boost["account"]["id"] == afar.number != boost["reblog"]["account"]["id"]
    assert boost["id"] != boost["reblog"]["id"]
    found = said(toot(afar, f"statuses/{boost['reblog']['id']}", LATEST))
    assert found["favourites_count"] == boost["reblog"]["favourites_count"]


def test_what_a_reply_was_to_may_be_gone_and_who_replied_may_be_hidden() -> None:
    gone = case("reply to what is gone on bluesky").account
    items = [item for page in feed_pages(gone, LATEST, 100) for item in page if "reply" in item]
    parents = Counter(item["reply"]["parent"]["$type"] for item in items)
    assert parents["app.bsky.feed.defs#notFoundPost"]
    walled = case("reply of somebody blocked on bluesky").account
    kinds: Counter[str] = Counter()
    for post in facts(walled, LATEST):
        if any(reply.is_walled for reply in conversations().replies.get(post, ())):
            (true,) = [t for t in network.posts_of(walled, LATEST) if t.seen_at == post.seen_at]
            thread = said(ask(THREAD, LATEST, uri=true.post_id))["thread"]
            kinds += Counter(reply["$type"] for reply in thread["replies"])
            assert len(thread["replies"]) == thread["post"]["replyCount"]
    assert kinds["app.bsky.feed.defs#blockedPost"]


def test_a_deleted_post_is_there_until_it_is_not() -> None:
    for platform in ("bluesky", "mastodon"):
        account = case(f"deleted post on {platform}").account
        gone = next(p for p in conversations().by_author[account] if p.deleted_at and p.kind != "repost")
        assert gone.deleted_at
        before, after = gone.deleted_at - dt.timedelta(seconds=1), gone.deleted_at + dt.timedelta(seconds=1)
        (post_id,) = [t.post_id for t in network.posts_of(account, before) if t.seen_at == gone.seen_at]
        for now, is_there in ((gone.seen_at - dt.timedelta(seconds=1), False), (before, True), (after, False)):
            if platform == "bluesky":
                assert bool(said(ask(POSTS, now, uris=[post_id]))["posts"]) == is_there
                continue
            number = post_id.partition("/")[2]
            assert toot(account, f"statuses/{number}", now).status == (200 if is_there else 404)
            assert toot(account, f"statuses/{number}/context", now).status == (200 if is_there else 404)
            several = said(toot(account, "statuses", now, **{"id[]": [number, "7"]}))
            assert [status["id"] for status in several] == [number] * is_there


# --- troubles of Mastodon -------------------------------------------------------------------------------------


def profile_of(account: Account, now: dt.datetime) -> Answer:
    by_name = toot(account, "accounts/lookup", now, acct=account.names[-1][1])
    by_number = toot(account, f"accounts/{account.number}", now)
    full = toot(account, "accounts/lookup", now, acct=account.handle_at(now).removeprefix("@"))
    assert by_name == by_number == full
    return by_name


@pytest.mark.parametrize("owner", ["council", "councillor"])
def test_a_moved_account_names_its_successor_which_answers_on_its_own_host(owner: str) -> None:
    moved = case(f"moved account of a {owner} on mastodon")
    assert "moved" not in said(profile_of(moved.account, moved.since - DAY))
    successor = said(profile_of(moved.account, moved.since + DAY))["moved"]
    name, host = successor["acct"].split("@")
    assert host != moved.account.host
    there = said(
        network.answer(f"https://{host}/api/v1/accounts/lookup?acct={name}", moved.since + DAY),
    )
    assert there["url"] == successor["url"]
    assert there["acct"] == name


@pytest.mark.parametrize("owner", ["council", "councillor"])
def test_noindex_is_said_from_a_day_on(owner: str) -> None:
    hidden = case(f"noindex account of a {owner} on mastodon")
    told = [said(profile_of(hidden.account, now))["noindex"] for now in (hidden.since - DAY, hidden.since + DAY)]
    assert told == [False, True]


def test_a_suspended_account_is_emptied_and_an_erased_one_is_gone() -> None:
    suspended = case("suspended account of a councillor on mastodon")
    before, after = (said(profile_of(suspended.account, suspended.since + d)) for d in (-DAY, DAY))
    assert "suspended" not in before
    assert after["suspended"] is True
    assert (before["followers_count"] > 0, after["followers_count"]) == (True, 0)
    assert (
        said(toot(suspended.account, f"accounts/{suspended.account.number}/statuses", suspended.since + DAY)) == []
    )
    gone = case("gone account of a councillor on mastodon")
    assert profile_of(gone.account, gone.since - DAY).status == 200
    assert profile_of(gone.account, gone.since + DAY).status == 410
    assert toot(gone.account, f"accounts/{gone.account.number}/statuses", gone.since + DAY).status == 410


def test_a_host_in_limited_federation_answers_nobody_and_a_shaky_one_not_on_some_days() -> None:
    closed = case("limited federation").account
    for path in ("accounts/lookup?acct=x", f"accounts/{closed.number}", f"accounts/{closed.number}/statuses"):
        answer = network.answer(f"https://{closed.host}/api/v1/{path}", LATEST)
        assert said(answer, 401) == {"error": "This API requires an authenticated user"}
    shaky = case("host down on some days").account
    observed = {day for day in network.days() if day in DOWN_ON}
    assert observed, "seen by those who observe"
    for day in network.days():
        answer = profile_of(shaky, network.moment(day))
        assert answer.status == (503 if day in DOWN_ON else 200)
        if answer.status == 503:
            with pytest.raises(json.JSONDecodeError):
                json.loads(answer.body)


def test_an_old_version_knows_no_quotes_and_no_lists_by_ids() -> None:
    (host,) = [host for host, trouble in host_troubles().items() if trouble == "old_version"]
    assert network.answer(f"https://{host}/api/v1/statuses?id[]=1&id[]=2", LATEST).status == 404
    new = next(a for a in network.accounts("mastodon") if a.host not in host_troubles() and facts(a, LATEST))
    assert all("quotes_count" in status for status in next(status_pages(new, LATEST, 40)))


# --- what is asked wrongly ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "parameters", "status", "error"),
    [
        ("app.bsky.feed.getTimeline", {}, 404, "XRPCNotSupported"),
        (FEED, {}, 400, "InvalidRequest"),
        (FEED, {"actor": "council.saucerby.example", "limit": 101}, 400, "InvalidRequest"),
        (FEED, {"actor": "council.saucerby.example", "limit": 0}, 400, "InvalidRequest"),
        (FEED, {"actor": "council.saucerby.example", "limit": "ten"}, 400, "InvalidRequest"),
        (FEED, {"actor": "council.saucerby.example", "cursor": "x::y"}, 500, "InternalServerError"),
        (FEED, {"actor": "not a name"}, 400, "InvalidRequest"),
        (PROFILES, {}, 400, "InvalidRequest"),
        (PROFILES, {"actors": ["a.example"] * 26}, 400, "InvalidRequest"),
        (PROFILES, {"actors": ["council.saucerby.example", "https://a.example"]}, 400, "InvalidRequest"),
        (POSTS, {"uris": ["at://a.example/app.bsky.feed.post/1"] * 26}, 400, "InvalidRequest"),
        (THREAD, {"uri": "at://a.example/app.bsky.feed.post/1"}, 400, "NotFound"),
    ],
)
def test_bluesky_refuses_in_its_own_form(method: str, parameters: Any, status: int, error: str) -> None:
    body = said(ask(method, LATEST, **parameters), status)
    assert body["error"] == error
    assert isinstance(body["message"], str)
    assert body.keys() == {"error", "message"}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/accounts/lookup", 404),
        ("/api/v1/accounts/lookup?acct=nobody", 404),
        ("/api/v1/accounts/lookup?acct=zzteapot@elsewhere.example", 404),
        ("/api/v1/accounts/1", 404),
        ("/api/v1/accounts/1/statuses", 404),
        ("/api/v1/accounts/zzteapot/statuses", 404),
        ("/api/v1/statuses/1", 404),
        ("/api/v1/statuses/1/context", 404),
        ("/api/v2/search", 404),
        ("/@zzteapot", 404),
    ],
)
def test_mastodon_refuses_in_its_own_form(path: str, status: int) -> None:
    answer = network.answer(f"https://social.example{path}", LATEST)
    body = said(answer, status)
    assert body.keys() == {"error"}
    assert dt.datetime.fromisoformat(answer.headers["x-ratelimit-reset"]) > LATEST


@given(
    st.sampled_from(
        [SERVICE, "https://social.example", "https://nowhere.example", "", "https://[", "http://social.example:x"]
    ),
    st.sampled_from(
        [
            f"/xrpc/{FEED}",
            f"/xrpc/{THREAD}",
            "/api/v1/accounts/lookup",
            "/api/v1/accounts/109000000000000013/statuses",
            "/",
        ]
    ),
    st.dictionaries(
        st.sampled_from(["actor", "cursor", "limit", "uri", "depth", "acct", "max_id", "min_id", "filter"]),
        st.text(max_size=30) | st.integers().map(str) | st.sampled_from(["council.saucerby.example", "zzteapot"]),
    ),
    st.text(max_size=10),
)
def test_no_address_is_answered_with_a_bare_error(base: str, path: str, parameters: Any, tail: str) -> None:
    answer = network.answer(f"{base}{path}?{urlencode(parameters)}{tail}", LATEST)
    assert answer.status in (200, 400, 401, 404, 500)
    json.loads(answer.body)


def test_a_moment_without_its_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        network.answer(f"{SERVICE}/xrpc/{FEED}", LATEST.replace(tzinfo=None))


def test_answers_are_full_of_what_must_not_be_kept() -> None:
    """So that a byte search of what was kept proves something."""
    bluesky = next(a for a in network.accounts("bluesky") if a.owner == "council" and a.tier == "heavy")
    mastodon = max(network.accounts("mastodon"), key=lambda a: len(facts(a, LATEST)))
    for answer in (
        ask(FEED, LATEST, actor=bluesky.number, limit=100),
        ask(PROFILES, LATEST, actors=[bluesky.number]),
        toot(mastodon, f"accounts/{mastodon.number}/statuses", LATEST, limit=40),
        profile_of(mastodon, LATEST),
    ):
        assert all(canary in answer.body.lower() for canary in network.CANARIES)
    feed = ask(FEED, LATEST, actor=bluesky.number, limit=100).body
    assert feed.count(b"CANARY-text-") > 50
    assert b"did:plc:canaryauthor" in feed
    assert b"canary-author-" in feed
    assert b"CANARY-author-" in feed


# --- the official schemas -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lexicons() -> Lexicons:
    return Lexicons(REAL / "api" / "bluesky" / "lexicons")


# The folder does not hold these; what stands there is not checked.
NOT_IN_THE_FOLDER = re.compile(r"app\.bsky\.(embed|richtext)\.|com\.atproto\.(label|repo)\.")


def threads(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All nodes of a thread, up and down."""
    yield node
    for below in (*node.get("replies", ()), *([node["parent"]] if "parent" in node else [])):
        yield from threads(below)


@pytest.mark.real
def test_bluesky_answers_keep_to_the_official_lexicons(lexicons: Lexicons) -> None:
    posts = 0
    for account in network.accounts("bluesky"):
        if not account.is_shown(LATEST) or len(facts(account, LATEST)) < 3:
            continue
        profiles = said(ask(PROFILES, LATEST, actors=[account.number]))
        feed = said(ask(FEED, LATEST, actor=account.number, limit=100, includePins="true"))
        assert lexicons.problems_of_answer(PROFILES, profiles) == []
        assert lexicons.problems_of_answer(FEED, feed) == []
        for item in feed["feed"]:
            assert lexicons.problems_of_record(item["post"]["record"]) == []
        posts += len(feed["feed"])
    assert posts > 1500
    official = [a for a in network.accounts("bluesky") if a.owner == "council" and a.is_shown(LATEST)]
    nodes = [
        node
        for account in official
        for true in network.posts_of(account, LATEST)[:15]
        if true.kind != "repost"
        for node in threads(said(ask(THREAD, LATEST, uri=true.post_id))["thread"])
    ]
    kinds = Counter(node["$type"] for node in nodes)
    assert kinds.keys() <= {f"app.bsky.feed.defs#{k}" for k in ("threadViewPost", "notFoundPost", "blockedPost")}
    assert kinds["app.bsky.feed.defs#threadViewPost"] > 200
    views = [node["post"] for node in nodes if "post" in node]
    for start in range(0, len(views), 25):
        assert lexicons.problems_of_answer(POSTS, {"posts": views[start : start + 25]}) == []
    assert all(NOT_IN_THE_FOLDER.match(name) for name in lexicons.missing), lexicons.missing


@pytest.mark.real
def test_the_shape_is_that_of_recorded_answers() -> None:
    """Every field of ours is one that the real service was seen to send, or that a lexicon names."""
    recorded = json.loads((REAL / "api" / "bluesky" / "getAuthorFeed_unwrapped.json").read_bytes())
    real: set[str] = set().union(*(item["post"].keys() for item in recorded["feed"]))
    account = case("pinned post").account
    for page in feed_pages(account, LATEST, 100):
        for item in page:
            assert item["post"].keys() <= real | {"embed"}
    assert re.fullmatch(r"[0-9-]{10}T[0-9:]{8}\.[0-9]{3}Z", recorded["cursor"])
    body = said(ask(FEED, LATEST, actor=account.number))
    assert re.fullmatch(r"[0-9-]{10}T[0-9:]{8}\.[0-9]{3}Z", body["cursor"])


@pytest.fixture(scope="module")
def openapi() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((REAL / "api" / "mastodon" / "openapi.json").read_bytes())
    return document


def schema_of(openapi: dict[str, Any], path: str, status: int = 200) -> Draft202012Validator:
    """The schema of an answer; objects may hold no field that the document does not know."""
    document = copy.deepcopy(openapi)
    for schema in document["components"]["schemas"].values():
        if schema.get("type") == "object" and "properties" in schema:
            schema["additionalProperties"] = False
    content = document["paths"][path]["get"]["responses"][str(status)]["content"]
    wanted = content["application/json"]["schema"]
    return Draft202012Validator({**wanted, "components": document["components"]})


@pytest.mark.real
def test_mastodon_answers_keep_to_the_official_openapi(openapi: dict[str, Any]) -> None:
    lookup = schema_of(openapi, "/api/v1/accounts/lookup")
    statuses = schema_of(openapi, "/api/v1/accounts/{id}/statuses")
    context = schema_of(openapi, "/api/v1/statuses/{id}/context")
    checked = 0
    for account in network.accounts("mastodon"):
        if not network.is_reachable(account, LATEST):
            continue
        lookup.validate(said(profile_of(account, LATEST)))
        page = said(toot(account, f"accounts/{account.number}/statuses", LATEST, limit=10))
        statuses.validate(page)
        checked += len(page)
        if account.owner == "council" and page:
            context.validate(said(toot(account, f"statuses/{page[-1]['id']}/context", LATEST)))
    assert checked > 100
    error = schema_of(openapi, "/api/v1/accounts/lookup", 404)
    error.validate(said(network.answer("https://social.example/api/v1/accounts/lookup?acct=nobody", LATEST), 404))
    suspended = case("suspended account of a councillor on mastodon")
    lookup.validate(said(profile_of(suspended.account, suspended.since + DAY)))


def test_the_parts_are_played_by_different_accounts() -> None:
    players = [part(name) for name in ("burst", "odd dates", "counts missing", "pinned")]
    assert len(set(players)) == 4
    assert all(player is not None and player.is_listed and player.is_shown(END) for player in players)
