"""The fictional network's posts: the same each time, at human hours, with counts that only grow."""

from __future__ import annotations

import datetime as dt
import os
import re
import statistics
import subprocess
import sys
from collections import Counter, defaultdict
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.identity.handles import normalise_account
from pipelines.sample.candidate_files import COLUMNS
from pipelines.sample.facts import BY_CODE, COUNCILS, OFFICIAL_ACCOUNTS
from pipelines.sample.network_accounts import END, START, Account, listed_accounts, strangers
from pipelines.sample.posts import CLOCKS_BACK, Post, _from_local, _next_office_hour, conversations, grown, paces
from pipelines.sample.world import world_files
from tests.unit.test_sample_world import rows

LONDON = ZoneInfo("Europe/London")
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
# Without a time zone, as the strategies want them.
SUMMER = dt.datetime.fromisoformat("2026-08-01")
WINTER = dt.datetime.fromisoformat("2026-12-31")

# All of the facts in one line, to compare what two interpreters make of them.
DIGEST = """
import hashlib
from pipelines.sample.posts import conversations
told = conversations()
facts = [
    (a.account_id, p.number, p.kind, str(p.claimed_at), str(p.deleted_at), p.text, p.likes, p.reposts, p.quotes)
    for a, posts in told.by_author.items() for p in posts
]
print(len(facts), hashlib.sha256(repr(facts).encode()).hexdigest())
"""


@pytest.fixture(scope="module")
def everything() -> list[Post]:
    return [post for posts in conversations().by_author.values() for post in posts]


@pytest.fixture(scope="module")
def own(everything: list[Post]) -> list[Post]:
    """The posts of councils and councillors that are there when the twelve weeks are over."""
    return [post for post in everything if post.author.owner != "stranger" and post.is_shown(END)]


def local(post: Post) -> dt.datetime:
    return post.sort_at.astimezone(LONDON)


def is_out_of_hours(post: Post) -> bool:
    at = local(post)
    return at.weekday() >= 5 or not 9 <= at.hour < 17


def contributions(own: list[Post]) -> dict[tuple[str, str], Counter[str]]:
    """Posts of each councillor's account that some source lists, by council and month, on Bluesky."""
    found: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for post in own:
        who = post.author
        if who.owner == "councillor" and who.platform == "bluesky" and who.is_listed:
            for code in who.authority_codes:
                found[code, f"{local(post):%Y-%m}"][who.account_id] += 1
    return found


# --- the same each time ---------------------------------------------------------------------------------------


def test_the_posts_are_the_same_in_every_process() -> None:
    said = {
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
    assert int(said.pop().split()[0]) > 5000


def test_numbers_and_moments_belong_to_one_post_only(everything: list[Post]) -> None:
    assert len({post.number for post in everything}) == len(everything)
    assert len({(post.author, post.sort_at) for post in everything}) == len(everything)
    assert all(post.sort_at.microsecond % 1000 == 0 for post in everything), "platforms page by milliseconds"


# --- who and how much -----------------------------------------------------------------------------------------


def test_there_are_a_few_thousand_posts_in_twelve_weeks(own: list[Post]) -> None:
    assert 2500 <= len(own) <= 5000
    assert {post.author.platform for post in own} == {"bluesky", "mastodon"}
    assert {post.kind for post in own} == {"post", "reply", "quote", "repost"}
    in_time = [post for post in own if post.claimed_at == post.sort_at and post.claimed_at.year == 2026]
    assert len(own) - len(in_time) == 2, "one dated 1985, one in the future"
    assert all(START - HOUR <= post.sort_at < END for post in in_time)
    weeks = Counter((post.sort_at.astimezone(LONDON).isocalendar()[:2]) for post in in_time)
    assert sorted(weeks) == [(2026, week) for week in range(36, 48)]
    assert min(weeks.values()) > 200


def test_the_handles_are_those_that_the_pipeline_finds() -> None:
    """What people pasted into the candidates' files, and what the lists of official accounts hold."""
    pasted: set[tuple[str, str]] = set()
    for name, text in world_files().items():
        if name.startswith("democracy_club"):
            for cells in rows(text):
                for platform in ("bluesky", "mastodon"):
                    read = normalise_account(platform, cells[COLUMNS[platform]])
                    pasted.add((read.platform, read.handle or read.account_id or ""))
    personal = [a for a in listed_accounts() if a.owner == "councillor"]
    for account in personal:
        first = account.handle_at(account.opened_at)
        assert ((account.platform, first) in pasted) == account.is_listed
        assert normalise_account(account.platform, first).handle == first
        assert normalise_account(account.platform, account.handle_at(END)).handle == account.handle_at(END)
    assert sum(a.is_listed for a in personal) > 250
    official: dict[tuple[str, str], Account] = {
        (a.platform, name): a for a in listed_accounts() if a.owner == "council" for name in _handles(a)
    }
    open_rows = [r for r in OFFICIAL_ACCOUNTS if r.platform in ("bluesky", "mastodon") and not r.valid_to]
    for row in open_rows:
        handle = normalise_account(row.platform, row.account).handle
        assert handle is not None
        account = official[row.platform, handle]
        assert row.authority_code in account.authority_codes
        assert account.account_id == row.account_id or row.account_id == account.number
    assert {r.authority_code for r in open_rows} == {c for a in official.values() for c in a.authority_codes}


def _handles(account: Account) -> set[str]:
    return {account.handle_at(since) for since, _ in account.names}


def test_councils_are_silent_middling_and_heavy(own: list[Post]) -> None:
    posts = Counter(post.author for post in own if not post.author.trouble)
    official = [a for a in listed_accounts() if a.owner == "council" and not a.trouble]
    by_tier = {tier: [posts[a] for a in official if a.tier == tier] for tier in ("silent", "middling", "heavy")}
    assert max(by_tier["silent"]) < 5
    assert 20 < min(by_tier["middling"]) <= max(by_tier["middling"]) < min(by_tier["heavy"])


def test_there_is_little_middle_ground_among_councillors(own: list[Post]) -> None:
    """The middle is more than one a month and at most one a day."""
    posts = Counter(post.author for post in own)
    rates = [posts[a] / 84 for a, pace in paces().items() if a.platform == "bluesky" and a.is_listed and pace]
    zero, heavy = sum(rate == 0 for rate in rates), sum(rate > 1 for rate in rates)
    middle = sum(1 / 28 < rate <= 1 for rate in rates)
    assert middle / len(rates) < 0.25
    assert zero / len(rates) > 0.2
    assert heavy >= 15
    busy = sorted(rates)[-heavy - 5 : -heavy]
    assert max(busy) < 0.6, "between the busy and all others there is a gap"


def test_some_councils_may_be_told_of_and_many_may_not(own: list[Post]) -> None:
    """Ten accounts that contributed, and no two with 90 % of the posts: in each of three months."""
    found = contributions(own)
    months = ("2026-09", "2026-10", "2026-11")
    many = {council.code for council in COUNCILS if all(len(found[council.code, month]) >= 10 for month in months)}
    dominated = {
        code
        for code in many
        if all(sum(n for _, n in found[code, m].most_common(2)) > 0.9 * found[code, m].total() for m in months)
    }
    let_out = {
        code
        for code in many
        if all(sum(n for _, n in found[code, m].most_common(2)) < 0.8 * found[code, m].total() for m in months)
    }
    assert dominated == {"ZZO"}
    assert len(let_out) >= 4
    assert {BY_CODE[code].tier for code in let_out} == {"heavy"}
    few = {council.code for council in COUNCILS if len(found[council.code, "2026-10"]) < 10}
    assert len(few) >= 8
    assert len([code for code in few if found[code, "2026-10"]]) >= 5, "few is not none"


# --- when -----------------------------------------------------------------------------------------------------


def test_officers_keep_office_hours_and_councillors_do_not(own: list[Post]) -> None:
    shares = {
        owner: statistics.fmean(is_out_of_hours(post) for post in own if post.author.owner == owner)
        for owner in ("council", "councillor")
    }
    assert 0.05 < shares["council"] < 0.25
    assert 0.762 < shares["councillor"] < 0.95, "more than if the hour did not matter"
    hours = {(local(post).weekday(), local(post).hour) for post in own}
    assert len(hours) > 160, "a 24-7 medium"


def test_there_are_posts_in_both_of_the_two_hours_that_bear_one_name(own: list[Post]) -> None:
    night = [local(post) for post in own if CLOCKS_BACK - HOUR <= post.sort_at < CLOCKS_BACK + HOUR]
    folds = Counter(at.fold for at in night if (at.month, at.day, at.hour) == (10, 25, 1))
    assert min(folds[0], folds[1]) >= 5
    assert len(night) == folds.total()


@given(st.datetimes(SUMMER, WINTER), st.booleans())
@example(dt.datetime.fromisoformat("2026-10-25T00:59:59"), False)
@example(dt.datetime.fromisoformat("2026-10-25T01:00"), False)
@example(dt.datetime.fromisoformat("2026-10-25T01:59:59"), False)
@example(dt.datetime.fromisoformat("2026-10-25T01:30"), True)
@example(dt.datetime.fromisoformat("2026-10-25T02:00"), False)
def test_local_time_is_that_of_the_time_zone_database(naive: dt.datetime, second: bool) -> None:
    expected = naive.replace(tzinfo=LONDON, fold=int(second)).astimezone(dt.UTC)
    assert _from_local(naive, second_time=second) == expected


@given(st.datetimes(SUMMER, WINTER, timezones=st.just(dt.UTC)))
def test_answers_wait_for_the_office(moment: dt.datetime) -> None:
    at = _next_office_hour(moment)
    there = at.astimezone(LONDON)
    assert there.weekday() < 5
    assert 9 <= there.hour < 17
    assert dt.timedelta(0) <= at - moment < 4 * DAY
    here = moment.astimezone(LONDON)
    if here.weekday() < 5 and 9 <= here.hour < 17:
        assert at == moment


# --- what they refer to ---------------------------------------------------------------------------------------


def test_nothing_refers_to_what_comes_later(everything: list[Post]) -> None:
    for post in everything:
        for earlier in (post.parent, post.subject):
            if earlier is not None:
                assert earlier.seen_at < post.seen_at
                assert (earlier.author.platform, earlier.author.host) == (post.author.platform, post.author.host)
        assert (post.kind == "reply") == (post.parent is not None)
        assert (post.kind in ("quote", "repost")) == (post.subject is not None)
        assert post.deleted_at is None or post.deleted_at > post.seen_at


def test_some_replies_are_answered_and_many_never(everything: list[Post]) -> None:
    told = conversations()
    asked = [
        post
        for post in everything
        if post.parent is not None and post.parent.author.owner == "council" and post.author.owner == "stranger"
    ]
    lags = [
        min(one.seen_at - post.seen_at for one in answers)
        for post in asked
        if (answers := [r for r in told.replies.get(post, ()) if r.author is post.parent.author])  # type: ignore[union-attr]
    ]
    assert len(asked) > 500
    assert 0.2 < len(lags) / len(asked) < 0.6
    assert min(lags) < 2 * HOUR
    assert sum(lag > 2 * DAY for lag in lags) > 20
    assert HOUR < statistics.median_low(lags) < DAY
    twice = [p for p in asked if sum(r.author is p.parent.author for r in told.replies.get(p, ())) > 1]  # type: ignore[union-attr]
    assert twice, "only the first answer counts"


def test_some_posts_are_deleted_and_their_age_at_that_varies(everything: list[Post]) -> None:
    ages = [p.deleted_at - p.seen_at for p in everything if p.deleted_at and p.author.owner != "stranger"]
    assert 60 < len(ages) < 300
    assert min(ages) < DAY
    assert max(ages) > 28 * DAY
    # A count of a listed account's post is never taken back by a deletion.
    for post in everything:
        about = post.parent or post.subject
        if post.deleted_at and about:
            assert about.author.owner == "stranger"


# --- counts ---------------------------------------------------------------------------------------------------


@given(st.integers(0, 10**6), st.integers(1, 10**6), st.integers(-100, 10**7), st.integers(0, 10**7))
def test_engagement_grows_from_nothing_to_all(final: int, slowness: int, age: int, more: int) -> None:
    second = dt.timedelta(seconds=1)
    young, old = (grown(final, a * second, slowness * second) for a in (age, age + more))
    assert 0 <= young <= old <= final
    assert grown(final, 50 * slowness * second, slowness * second) == final
    if age <= 0:
        assert young == 0


def test_counts_never_fall_and_are_ripe_after_four_weeks(everything: list[Post]) -> None:
    told = conversations()
    ages = [dt.timedelta(hours=h) for h in (-1, 0, 1, 6, 24, 72, 168, 336, 672, 1344)]
    ripened = 0
    for post in everything:
        if post.kind == "repost":
            continue
        seen = [told.counts(post, post.seen_at + age) for age in ages]
        for earlier, later in pairwise(seen):
            for name in ("likes", "reposts", "replies", "quotes"):
                before, after = getattr(earlier, name), getattr(later, name)
                assert (before is None) == (after is None)
                assert before is None or before <= after
        assert seen[0].replies == 0
        assert seen[0].likes in (0, None)
        assert seen[-2].likes in (post.likes, None)
        ripened += seen[4].likes != seen[-1].likes
    assert ripened > 500, "what is read after a day is not all"


def test_each_text_has_its_canary_and_each_stranger_is_one(everything: list[Post]) -> None:
    written = [post for post in everything if post.kind != "repost"]
    assert all(f"CANARY-text-{post.number}" in post.text for post in written)
    assert all(post.text == "" for post in everything if post.kind == "repost")
    assert all(len(post.text) <= 300 for post in written), "Bluesky takes no more"
    for account in (*strangers("bluesky"), *strangers("mastodon", "social.example")):
        assert "canary" in account.handle_at(END)
        assert re.match("CANARY-author-[0-9]+$", account.display_name)
        assert account.platform == "mastodon" or "canary" in account.number
    # Nothing that is meant to be kept holds one.
    for account in listed_accounts():
        assert not any("canary" in handle.lower() for handle in (*_handles(account), account.account_id))
