"""What the pipeline observed of the sample world: all that was there, each oddity in its place, no word of it."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any

import duckdb
import pytest

from pipelines.assets import PROJECT
from pipelines.observations import ObservationStore
from pipelines.run import read_records
from pipelines.sample import network
from pipelines.settings import Home
from tests.helpers import contents

LAST = network.moment(max(network.days()))
PLATFORMS = ("bluesky", "mastodon")


def rows(home: Home, table: str, columns: str, where: str = "true") -> list[Any]:
    store = ObservationStore(home.observations, PROJECT.contracts, PROJECT.policy)
    con = duckdb.connect()
    try:
        return con.execute(f"select {columns} from ({store.query(table)}) where {where} order by all").fetchall()
    finally:
        con.close()


def model(home: Home, query: str) -> list[Any]:
    con = duckdb.connect(str(home.warehouse), read_only=True)
    try:
        return con.execute(query).fetchall()
    finally:
        con.close()


def listed(home: Home) -> set[tuple[str, str]]:
    """Platform and permanent id of every account that was ever observed."""
    return set(rows(home, "account", "distinct platform, account_id", "outcome = 'observed'"))


def true_accounts(home: Home) -> list[Any]:
    """The accounts of the world that the pipeline knows of and still observed at the end."""
    known = set(
        rows(home, "account", "platform, account_id", f"outcome = 'observed' and observed_on = '{LAST.date()}'")
    )
    return [
        account
        for platform in PLATFORMS
        for account in network.accounts(platform)
        if (platform, account.account_id) in known
    ]


def plain(moment: dt.datetime | None) -> dt.datetime | None:
    return moment.astimezone(dt.UTC).replace(tzinfo=None) if moment else None


# --- what was there is there --------------------------------------------------------------------------------


def test_every_day_of_the_sample_has_a_pull_of_each_platform_and_the_run_record_tells_of_them(
    sample_home: Home,
) -> None:
    days = [day.isoformat() for day in sorted(network.days())]
    for platform in PLATFORMS:
        folder = sample_home.observations / f"platform={platform}"
        assert sorted(path.name.partition("=")[2] for path in folder.iterdir()) == days
    (record,) = read_records(sample_home)
    assert Counter(pull.platform for pull in record.pulls) == dict.fromkeys(PLATFORMS, len(days))
    assert sum(pull.rows["post"] for pull in record.pulls) == len(rows(sample_home, "post", "1"))


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_post_of_every_account_that_shows_itself_is_known_and_no_other(
    sample_home: Home, platform: str
) -> None:
    accounts = [account for account in true_accounts(sample_home) if account.platform == platform]
    assert len(accounts) >= 8
    ids = {account.account_id for account in accounts}
    first = plain(network.moment(min(network.days())) - dt.timedelta(days=84))
    found = {
        post_id: (account_id, kind, posted_at, length, link, language)
        for post_id, account_id, kind, posted_at, length, link, language in rows(
            sample_home,
            "post",
            "distinct post_id, account_id, kind, posted_at, text_length, has_link, language",
            f"platform = '{platform}' and not is_gone",
        )
        if account_id in ids
    }
    hidden = 0
    for account in accounts:
        for post in network.posts_of(account, LAST):
            if plain(post.posted_at) < first:
                continue  # dated before what is read of a new account
            text = (
                (None, None, None) if post.kind == "repost" else (post.text_length, post.has_link, post.language)
            )
            expected = (post.account_id, post.kind, plain(post.posted_at), *text)
            if post.kind == "repost" and post.post_id not in found:
                hidden += 1
                continue
            assert found.pop(post.post_id) == expected
    assert hidden < 5, "reposts of what was hidden for as long as they were looked for"
    left = model(
        sample_home,
        f"select kind, is_gone, is_mature from model.post where platform = '{platform}' and post_id in "
        f"({', '.join(repr(post_id) for post_id in found) or repr('')})",
    )
    assert all(is_gone or is_mature or kind == "repost" for kind, is_gone, is_mature in left), "deleted since"


def test_counts_are_those_of_the_moment_of_the_last_observation(sample_home: Home) -> None:
    newest = {
        (platform, post_id): (plain_at, counts)
        for platform, post_id, plain_at, *counts in model(
            sample_home,
            "select platform, post_id, observed_at, likes, reposts, replies, quotes from model.post "
            "where kind <> 'repost' and not is_gone",
        )
    }
    compared = 0
    for account in true_accounts(sample_home):
        moments: dict[dt.datetime, dict[str, Any]] = {}
        for post in network.posts_of(account, LAST):
            if (account.platform, post.post_id) not in newest or post.counts is None:
                continue
            at, counts = newest[account.platform, post.post_id]
            then = at.replace(tzinfo=dt.UTC)
            if then not in moments:
                moments[then] = {one.post_id: one.counts for one in network.posts_of(account, then)}
            true = moments[then][post.post_id]
            assert counts == [true.likes, true.reposts, true.replies, true.quotes]
            compared += 1
    assert compared > 2000


def test_engagement_grows_while_a_post_matures_and_is_then_left_alone(sample_home: Home) -> None:
    history = model(
        sample_home,
        "select count(*), max(observed_at) - min(posted_at), min(likes), max(likes) from observation.post "
        "where kind = 'post' and not is_gone group by platform, post_id",
    )
    assert 3 <= max(row[0] for row in history) <= 6, "when first seen, and at most at each of five ages"
    assert any(row[3] > row[2] for row in history if row[2] is not None)
    late = [age for pulls, age, *_ in history if pulls > 1]
    assert max(late) < dt.timedelta(days=60), "an account that was away is read again from where it was left"
    assert sum(age < dt.timedelta(days=36) for age in late) > 0.9 * len(late)


# --- each oddity where it belongs ---------------------------------------------------------------------------


OUTCOMES = {
    "deactivated": "unavailable",
    "deleted": "unavailable",
    "gone": "unavailable",
    "suspended": "unavailable",
    "moved": "moved",
    "noindex": "opted_out",
    "signed in only": "opted_out",
}


@pytest.mark.parametrize("trouble", OUTCOMES)
def test_an_account_in_trouble_is_written_down_as_such_while_it_lasts(sample_home: Home, trouble: str) -> None:
    known = listed(sample_home)
    cases = [
        case
        for case in network.cases()
        if case.name.startswith(f"{trouble} account") and (case.account.platform, case.account.account_id) in known
    ]
    assert cases
    for case in cases:
        for observed_at, outcome in rows(
            sample_home, "account", "observed_at, outcome", f"account_id = '{case.account.account_id}'"
        ):
            at = observed_at.replace(tzinfo=dt.UTC)
            is_in_trouble = at >= case.since and (case.until is None or at < case.until)
            assert outcome == (OUTCOMES[trouble] if is_in_trouble else "observed")


def test_a_renamed_account_stays_one_account_and_its_handles_are_history(sample_home: Home) -> None:
    known = listed(sample_home)
    renamed = [
        case.account
        for case in network.cases()
        if case.name.startswith("renamed account") and (case.account.platform, case.account.account_id) in known
    ]
    assert renamed
    for account in renamed:
        where = f"account_id = '{account.account_id}'"
        handles = rows(sample_home, "profile", "distinct handle", where)
        assert {handle for (handle,) in handles} == {name for _, name in account.names}
        assert set(rows(sample_home, "account", "distinct outcome", where)) == {("observed",)}


def test_hosts_that_are_closed_or_down_are_told_apart(sample_home: Home) -> None:
    reasons = Counter(
        (handle.rpartition("@")[2], outcome)
        for handle, outcome in rows(sample_home, "account", "handle, outcome", "platform = 'mastodon'")
        if handle and not handle.endswith("@social.example")
    )
    assert reasons["mastodon.example", "restricted"] >= len(network.days())
    assert reasons["toot.example", "failed"] >= 3
    assert reasons["toot.example", "observed"] > reasons["toot.example", "failed"]


def test_what_was_missed_while_a_host_was_down_is_there_afterwards(sample_home: Home) -> None:
    """Covered for every post by the comparison with the truth; here the cursor itself."""
    spans = rows(
        sample_home,
        "account",
        "account_id, read_from, read_to",
        "handle like '%@toot.example' and outcome = 'observed'",
    )
    by_account: dict[str, dt.datetime] = {}
    for account_id, read_from, read_to in sorted(spans, key=lambda row: (row[0], row[2])):
        assert account_id not in by_account or read_from <= by_account[account_id]
        by_account[account_id] = read_to


def test_odd_dates_are_kept_and_do_not_reach_the_figures(sample_home: Home) -> None:
    found = model(
        sample_home,
        "select post_id, posted_at, is_dated_plausibly, is_counted from model.post where not is_dated_plausibly",
    )
    assert found
    assert not any(posted_at.year > 2026 for _, posted_at, *_ in found)
    assert not any(is_counted for _, posted_at, _, is_counted in found if posted_at.year < 2016)


def test_reposts_have_no_counts_of_their_own(sample_home: Home) -> None:
    kinds = rows(sample_home, "post", "kind, count(likes), count(*)", "not is_gone group by kind")
    by_kind = {kind: (likes, posts) for kind, likes, posts in kinds}
    assert by_kind["repost"][0] == 0 < by_kind["repost"][1]
    assert by_kind["post"][0] > 1000


def test_posts_that_were_deleted_are_known_to_be_gone(sample_home: Home) -> None:
    """A repost is gone while what it points to is hidden; a post only when its platform says so."""
    gone = {
        post_id
        for (post_id,) in model(sample_home, "select post_id from model.post where is_gone and kind <> 'repost'")
    }
    assert gone
    shown = {post.post_id for account in true_accounts(sample_home) for post in network.posts_of(account, LAST)}
    assert not gone & shown


def test_answers_to_replies_are_those_of_the_world(sample_home: Home) -> None:
    found = Counter(
        (received, answered) for received, answered in rows(sample_home, "reply", "received_at, answered_at")
    )
    assert sum(found.values()) > 100
    assert any(answered for _, answered in found)
    assert any(answered is None for _, answered in found)
    true = {
        plain(reply.received_at)
        for account in true_accounts(sample_home)
        for replies in network.replies_to(account, LAST).values()
        for reply in replies
    }
    known = {received for received, _ in found}
    assert len(known & true) > 0.9 * len(known)


# --- no word of it ------------------------------------------------------------------------------------------


def test_no_text_no_name_and_no_author_of_a_reply_is_in_any_file(sample_home: Home) -> None:
    """Texts, display names and reply authors of the world hold canaries; the search is shown to find them."""
    account = network.accounts("bluesky")[0]
    url = f"https://public.api.bsky.app/xrpc/app.bsky.feed.getAuthorFeed?actor={account.account_id}&limit=100"
    served = network.answer(url, LAST).body.lower()
    found: list[str] = []
    searched = 0
    # The candidates' files hold canaries of their own; what of them may stay is another test's.
    for name, content in contents(sample_home.root):
        searched += 1
        lowered = content.lower()
        found += [name for canary in network.CANARIES if canary in lowered]
    assert searched > 150
    assert all(canary in served for canary in network.CANARIES)
    assert found == []
