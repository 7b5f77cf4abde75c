"""The fictional country's social network: what its servers answer, on which days it is observed, what is true.

Here belongs the way in from outside: one address and one moment to one answer, as of that moment; a table of what
is awkward and which account shows it; and the true posts, for whoever wants to compare. Accounts are in
`network_accounts`, posts in `posts`, the platforms' JSON in the `…_answers` modules.

Whatever must not get past a collector holds a canary: texts, display names, descriptions, cards, and all that
names a stranger. `CANARIES` in any case of letters finds them all.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, urlsplit

from pipelines.sample import bluesky_answers, mastodon_answers
from pipelines.sample.answers import Answer, json_answer
from pipelines.sample.network_accounts import (
    CANARY,
    DOWN_ON,
    END,
    START,
    Account,
    Platform,
    Trouble,
    host_troubles,
    hosts,
    listed_accounts,
    lonely_accounts,
)
from pipelines.sample.posts import Counts, Kind, Part, Post, conversations, part

CANARIES: Final = (CANARY.lower().encode(),)
FIRST_DAY: Final = dt.date(2026, 9, 7)
_DAILY_FROM: Final = dt.date(2026, 11, 16)
_LAST_DAY: Final = END.date()
_LONGEST_ADDRESS = 20_000


def days() -> tuple[dt.date, ...]:
    """Return the days on which the network is observed: each Monday, and every day of the last week."""
    count = (_LAST_DAY - FIRST_DAY).days + 1
    every = (FIRST_DAY + dt.timedelta(days=n) for n in range(count))
    return tuple(day for day in every if day.weekday() == 0 or day >= _DAILY_FROM)


def moment(day: dt.date) -> dt.datetime:
    """Return the moment of a day at which the network is observed."""
    return dt.datetime.combine(day, dt.time(6), dt.UTC)


def answer(url: str, now: dt.datetime) -> Answer:
    """Return what the server of an address answers at a moment: what was there then, with the counts of then.

    No address raises; one that no server here has is answered with 404. `now` must say its time zone, else
    ValueError.
    """
    if now.tzinfo is None:
        raise ValueError("the moment of an answer must say its time zone")
    try:
        address = urlsplit(url[:_LONGEST_ADDRESS])
        host = address.hostname or ""
        parameters = parse_qs(address.query, keep_blank_values=True, max_num_fields=200)
    except ValueError:
        return json_answer(400, {"error": "Bad Request"})
    if host in bluesky_answers.HOSTS:
        return bluesky_answers.answer(address.path, parameters, now)
    if host in hosts():
        return mastodon_answers.answer(host, address.path, parameters, now)
    return json_answer(404, {"error": "Not Found"})


# --- what is awkward ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """Something awkward: which account shows it, from when until when, and what a collector meets.

    `until` is None where it lasts. `account` is the one to ask about; `is_listed` whether any source lists it.
    """

    name: str
    account: Account
    since: dt.datetime
    until: dt.datetime | None
    meets: str

    @property
    def is_listed(self) -> bool:
        """Whether some source lists the account, so that a pull asks about it."""
        return self.account.is_listed


_MEETS: Final[dict[Trouble, str]] = {
    "deleted": "left out of getProfiles; 400 Profile not found",
    "deactivated": "left out of getProfiles; 400 Profile not found; then back again, posts and all",
    "taken_down": "its posts vanish wherever they were reposted",
    "renamed": "the old handle is answered no more, the DID is; the profile bears the new handle",
    "signed_in_only": "labelled !no-unauthenticated, and answered all the same",
    "moved": "the profile names its successor on another host",
    "noindex": "the profile says noindex",
    "suspended": "the profile is emptied, its counts are zero; no posts",
    "gone": "410 for profile and posts",
}
_PARTS: Final[dict[Part, tuple[str, str]]] = {
    "burst": ("empty pages with a cursor", "a page without items in the middle of the feed"),
    "odd dates": ("posts dated 1985 and 2031", "createdAt long before indexedAt, and long after"),
    "counts missing": (
        "absent counts",
        "posts without likeCount and quoteCount, a profile without followersCount",
    ),
    "pinned": ("pinned post", "with includePins an old post comes first, and not again on the page"),
}
_OF_HOSTS: Final = {
    "signed_in_only": ("limited federation", "401 whatever is asked"),
    "down_at_times": ("host down on some days", "503 and a page that is not JSON"),
    "old_version": ("old version of Mastodon", "no quotes_count, and 404 for several posts at once"),
}


def cases() -> tuple[Case, ...]:
    """Return everything awkward about the network with the account that shows it."""
    return tuple(_cases())


def _cases() -> Iterator[Case]:
    """Yield the awkward cases: of accounts, of posts, of whole hosts."""
    for account in listed_accounts():
        if account.trouble:
            name = f"{account.trouble.replace('_', ' ')} account of a {account.owner} on {account.platform}"
            yield Case(name, account, account.since, account.until, _MEETS[account.trouble])
    for role, (name, meets) in _PARTS.items():
        player = part(role)
        if player is not None:
            yield Case(name, player, START, None, meets)
    everyone = (*listed_accounts(), *lonely_accounts())
    for host, trouble in host_troubles().items():
        name, meets = _OF_HOSTS[trouble]
        for account in everyone:
            if account.host == host:
                yield Case(f"{name} ({host}, {account.handle_at(START)})", account, START, None, meets)
    yield from _cases_of_posts()


def _cases_of_posts() -> Iterator[Case]:
    """Yield awkward posts: the first of each kind and platform, in the order of the accounts."""
    found: dict[str, Case] = {}
    for account in listed_accounts():
        for post in conversations().by_author.get(account, ()) if account.is_listed else ():
            for what, meets in _awkward(post):
                name = f"{what} on {account.platform}"
                found.setdefault(name, Case(name, account, post.seen_at, post.deleted_at, meets))
    yield from found.values()


def _awkward(post: Post) -> Iterator[tuple[str, str]]:
    """Yield what is awkward about a post, and what a collector meets."""
    subject, parent = post.subject, post.parent
    if post.deleted_at is not None and post.kind != "repost":
        yield "deleted post", "there until a moment, then no more"
    if post.kind == "repost" and subject is not None and subject.author.owner == "stranger":
        yield "reposted stranger", "an item that is somebody else's post with somebody else's counts"
    if parent is not None and parent.deleted_at is not None:
        yield "reply to what is gone", "notFoundPost where the parent should be"
    if any(reply.is_walled for reply in conversations().replies.get(post, ())):
        yield "reply of somebody blocked", "blockedPost among the replies"
    if post.kind == "quote" and post.link and not post.link_in_text:
        yield "quote with a card", "two things set under one text: somebody else's post and a link"


# --- what is true ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TruePost:
    """A post as it stands at a moment: what a collector that made no mistake knows of it. Times are UTC.

    A repost has neither counts nor text; `text_length` counts code points, with one for a line end.
    """

    account_id: str
    post_id: str
    kind: Kind
    posted_at: dt.datetime
    claimed_at: dt.datetime
    seen_at: dt.datetime
    counts: Counts
    text_length: int | None
    has_link: bool | None
    language: str | None


@dataclass(frozen=True, slots=True)
class TrueReply:
    """A stranger's reply to a post, and when the account first answered it; None where it did not so far."""

    received_at: dt.datetime
    answered_at: dt.datetime | None


_NO_COUNTS: Final = Counts(None, None, None, None)


def accounts(platform: Platform | None = None) -> tuple[Account, ...]:
    """Return the accounts of councils and councillors, of one platform or of both."""
    return tuple(account for account in listed_accounts() if platform in (None, account.platform))


def posts_of(account: Account, now: dt.datetime) -> tuple[TruePost, ...]:
    """Return the posts of an account that anybody sees at a moment, in the order of the platform, oldest first.

    Whether the account opted out, moved or cannot be asked that day is not looked at: `has` and `is_reachable`
    say so.
    """
    shown = (post for post in conversations().by_author.get(account, ()) if post.is_shown(now))
    return tuple(_true_post(post, now) for post in shown)


def replies_to(account: Account, now: dt.datetime) -> dict[str, tuple[TrueReply, ...]]:
    """Return the replies by strangers to each post of an account that anybody sees at a moment, oldest first."""
    found: dict[str, tuple[TrueReply, ...]] = {}
    for post in conversations().by_author.get(account, ()):
        if post.kind != "repost" and post.is_shown(now):
            found[_post_id(post)] = tuple(_true_replies(post, now))
    return found


def _true_replies(post: Post, now: dt.datetime) -> Iterator[TrueReply]:
    """Yield the replies to a post by others than its author."""
    for reply in conversations().replies.get(post, ()):
        if reply.author is post.author or reply.is_walled or not reply.is_shown(now):
            continue
        below = conversations().replies.get(reply, ())
        answers = [one.sort_at for one in below if one.author is post.author and one.is_shown(now)]
        yield TrueReply(reply.sort_at, min(answers, default=None))


def is_reachable(account: Account, now: dt.datetime) -> bool:
    """Whether the server answers anybody about an account at a moment, and shows it."""
    trouble = host_troubles().get(account.host)
    if trouble == "signed_in_only" or (trouble == "down_at_times" and now.date() in DOWN_ON):
        return False
    return account.is_shown(now)


def _true_post(post: Post, now: dt.datetime) -> TruePost:
    """Return what is true of a post at a moment."""
    is_repost = post.kind == "repost"
    return TruePost(
        post.author.account_id,
        _post_id(post),
        post.kind,
        post.sort_at,
        post.claimed_at,
        post.seen_at,
        _NO_COUNTS if is_repost else conversations().counts(post, now),
        None if is_repost else len(post.text),
        None if is_repost else post.link is not None,
        post.language.lower() if post.language else None,
    )


def _post_id(post: Post) -> str:
    """Return the permanent id of a post at its platform."""
    is_bluesky = post.author.platform == "bluesky"
    return bluesky_answers.post_id(post) if is_bluesky else mastodon_answers.post_id(post)
