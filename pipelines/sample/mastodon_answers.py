"""The fictional network in Mastodon's own JSON: what each of its hosts answers to anybody at a moment.

Here belong the paths of the client API that a collector reads, their paging, errors and omissions, as real
servers have them:

- a list names its next page only in the Link header, and only after a full page; a limit is clipped, not refused;
- a suspended account is there, emptied: its counts are zero because it is, not because nobody follows it;
- a boost is a post of its own around somebody else's post, and repeats that one's content and counts;
- ids hold their time, and count within their host only.

Shapes: https://docs.joinmastodon.org and the OpenAPI document of 4.7.0.
"""

from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from itertools import islice
from typing import Any, Final
from urllib.parse import quote, urlencode

import orjson

from pipelines.sample.answers import Answer, json_answer, spans, stamp
from pipelines.sample.network_accounts import (
    CANARY,
    DOWN_ON,
    SUCCESSOR_HOST,
    Account,
    followers_at,
    following_at,
    host_troubles,
    listed_accounts,
    lonely_accounts,
    strangers,
    successor_of,
)
from pipelines.sample.people import fraction
from pipelines.sample.posts import Post, conversations

LONGEST_PAGE: Final = 40
# How many posts below another somebody sees who is not signed in.
LONGEST_THREAD: Final = 60

_USUAL_PAGE = 20
_AN_ACCOUNT = re.compile(r"/api/v1/accounts/([0-9]{1,25})")
_STATUSES = re.compile(r"/api/v1/accounts/([0-9]{1,25})/statuses")
_A_STATUS = re.compile(r"/api/v1/statuses/([0-9]{1,25})")
_CONTEXT = re.compile(r"/api/v1/statuses/([0-9]{1,25})/context")
_YES = frozenset({"true", "1", "t", "on", "True", "TRUE"})

Parameters = Mapping[str, Sequence[str]]
Json = dict[str, Any]


def answer(host: str, path: str, parameters: Parameters, now: dt.datetime) -> Answer:
    """Return what a host answers at a moment; what it does not know it refuses in its own form."""
    trouble = host_troubles().get(host)
    if trouble == "down_at_times" and now.date() in DOWN_ON:
        page = b"<html><head><title>503 Service Temporarily Unavailable</title></head><body></body></html>"
        return Answer(503, {"content-type": "text/html"}, page)
    if trouble == "signed_in_only":
        return _error(401, "This API requires an authenticated user", now)
    if path == "/api/v1/accounts/lookup":
        return _lookup(host, parameters, now)
    if path == "/api/v1/statuses" and trouble != "old_version":
        return _several(host, parameters, now)
    for pattern, call in _CALLS:
        found = pattern.fullmatch(path)
        if found:
            return call(host, found[1], parameters, now)
    return _error(404, "Not Found", now)


# --- calls ----------------------------------------------------------------------------------------------------


def _lookup(host: str, parameters: Parameters, now: dt.datetime) -> Answer:
    """Return the account of a name, with or without the host behind it."""
    name, _, domain = _one(parameters, "acct").removeprefix("@").lower().partition("@")
    return _shown_account(_names(host).get((name, domain or host)), now)


def _account(host: str, number: str, _: Parameters, now: dt.datetime) -> Answer:
    """Return the account of a number."""
    return _shown_account(_accounts(host).get(number), now)


def _shown_account(account: Account | None, now: dt.datetime) -> Answer:
    """Return an account, or why there is none."""
    if account is not None and account.has("gone", now):
        return _error(410, "Gone", now)
    if account is None or (not account.is_shown(now) and not account.has("suspended", now)):
        return _error(404, "Record not found", now)
    return _json(_account_view(account, now), now)


def _statuses(host: str, number: str, parameters: Parameters, now: dt.datetime) -> Answer:
    """Return a page of an account's posts and boosts, newest first."""
    account = _accounts(host).get(number)
    shown = _shown_account(account, now)
    if shown.status != 200 or account is None:
        return shown
    limit = _limit(parameters)
    page = _page(account, parameters, limit, now)
    headers = {}
    if page:
        kept = [(name, value) for name, values in parameters.items() for value in values if name not in _PAGING]
        address = f"https://{host}/api/v1/accounts/{number}/statuses?"
        links = [("prev", "min_id", page[0])]
        if len(page) == limit:
            links.insert(0, ("next", "max_id", page[-1]))
        headers["link"] = ", ".join(
            f'<{address}{urlencode([*kept, (name, _id(post))])}>; rel="{rel}"' for rel, name, post in links
        )
    return _json([_view(post, now) for post in page], now, headers)


def _page(account: Account, parameters: Parameters, limit: int, now: dt.datetime) -> list[Post]:
    """Return the posts that a page holds, newest first."""
    older_than, newer_than = _number(parameters, "max_id"), _number(parameters, "since_id")
    next_newer = _number(parameters, "min_id")
    if _is_yes(parameters, "pinned") or _is_yes(parameters, "only_media") or parameters.get("tagged"):
        # Nobody here pins a post or posts pictures, and tags are no matter of a collector's.
        return []
    oldest_first = conversations().by_author.get(account, ())
    there = (
        post
        for post in (oldest_first if next_newer is not None else reversed(oldest_first))
        if post.is_shown(now)
        and (older_than is None or _id(post) < older_than)
        and (newer_than is None or _id(post) > newer_than)
        and (next_newer is None or _id(post) > next_newer)
        and not (_is_yes(parameters, "exclude_reblogs") and post.kind == "repost")
        and not (_is_yes(parameters, "exclude_replies") and post.parent and post.parent.author is not account)
    )
    page = list(islice(there, limit))
    return page[::-1] if next_newer is not None else page


def _status(host: str, number: str, _: Parameters, now: dt.datetime) -> Answer:
    """Return one post."""
    post = _posts(host).get(int(number))
    if post is None or not post.is_shown(now):
        return _error(404, "Record not found", now)
    return _json(_view(post, now), now)


def _several(host: str, parameters: Parameters, now: dt.datetime) -> Answer:
    """Return those of several posts that are there, without a word about the others."""
    wanted = [*parameters.get("id[]", ()), *parameters.get("id", ())][:_USUAL_PAGE]
    found = [_posts(host).get(int(number)) for number in wanted if re.fullmatch("[0-9]{1,25}", number)]
    return _json([_view(post, now) for post in dict.fromkeys(found) if post and post.is_shown(now)], now)


def _context(host: str, number: str, _: Parameters, now: dt.datetime) -> Answer:
    """Return what a post replies to and what replies to it."""
    post = _posts(host).get(int(number))
    if post is None or not post.is_shown(now):
        return _error(404, "Record not found", now)
    above: list[Post] = []
    parent = post.parent
    while parent is not None:
        above.insert(0, parent)
        parent = parent.parent
    below = islice(_below(post, now), LONGEST_THREAD)
    return _json(
        {
            "ancestors": [_view(one, now) for one in above if one.is_shown(now)],
            "descendants": [_view(one, now) for one in below],
        },
        now,
    )


def _below(post: Post, now: dt.datetime) -> list[Post]:
    """Return the posts below a post, each before those below it."""
    found: list[Post] = []
    for reply in conversations().replies.get(post, ()):
        if reply.is_shown(now):
            found += (reply, *_below(reply, now))
    return found


_CALLS: Final[tuple[tuple[re.Pattern[str], Callable[[str, str, Parameters, dt.datetime], Answer]], ...]] = (
    (_STATUSES, _statuses),
    (_A_STATUS, _status),
    (_CONTEXT, _context),
    (_AN_ACCOUNT, _account),
)
_PAGING: Final = frozenset({"max_id", "min_id", "since_id"})


# --- parameters and headers -----------------------------------------------------------------------------------


def _one(parameters: Parameters, name: str) -> str:
    """Return a parameter, or nothing."""
    values = parameters.get(name)
    return values[-1] if values else ""


def _is_yes(parameters: Parameters, name: str) -> bool:
    """Whether a parameter is set to one of the words for yes."""
    return _one(parameters, name) in _YES


def _number(parameters: Parameters, name: str) -> int | None:
    """Return an id among the parameters; what is no number is as good as none."""
    text = _one(parameters, name)
    return int(text) if re.fullmatch("[0-9]{1,25}", text) else None


def _limit(parameters: Parameters) -> int:
    """Return the length of a page: never more than twice the usual one."""
    text = _one(parameters, "limit")
    return min(int(text), LONGEST_PAGE) if re.fullmatch("[0-9]{1,9}", text) else _USUAL_PAGE


def _json(value: object, now: dt.datetime, headers: Mapping[str, str] | None = None) -> Answer:
    """Return a value with the headers that tell how many requests are left: 300 in five minutes of the clock."""
    seconds = 300 - now.timestamp() % 300
    reset = (now + dt.timedelta(seconds=seconds)).astimezone(dt.UTC).replace(tzinfo=None)
    limits = {
        "x-ratelimit-limit": "300",
        "x-ratelimit-remaining": "299",
        "x-ratelimit-reset": f"{reset.isoformat(timespec='microseconds')}Z",
    }
    return json_answer(200, value, {**limits, **(headers or {})})


def _error(status: int, message: str, now: dt.datetime) -> Answer:
    """Return an error as Mastodon words it."""
    answered = _json({"error": message}, now)
    return Answer(status, answered.headers, answered.body)


# --- who and what is there ------------------------------------------------------------------------------------


@cache
def _accounts(host: str) -> dict[str, Account]:
    """Return every account that a host shows, its own and others, by the number it gave them."""
    listed = [account for account in listed_accounts() if account.platform == "mastodon"]
    successors = [successor_of(account) for account in listed if account.trouble == "moved"]
    everyone = (*listed, *successors, *lonely_accounts(), *strangers("mastodon", host))
    return {account.number: account for account in everyone if account.host == host}


@cache
def _names(host: str) -> dict[tuple[str, str], Account]:
    """Return every account that a host shows, by its name and the host it lives on."""
    return {(account.names[-1][1], account.home): account for account in _accounts(host).values()}


@cache
def _posts(host: str) -> dict[int, Post]:
    """Return every post that a host shows, boosts included, by its id."""
    return {
        _id(post): post
        for account in _accounts(host).values()
        for post in conversations().by_author.get(account, ())
    }


@cache
def _id(post: Post) -> int:
    """Return the id of a post: its moment in milliseconds × 2^16, and a number."""
    return int(post.seen_at.timestamp() * 1000) << 16 | post.number % 2**16


def post_id(post: Post) -> str:
    """Return the permanent id of a post: the number means something only together with its host."""
    return f"{post.author.host}/{_id(post)}"


# --- views ----------------------------------------------------------------------------------------------------


def _acct(account: Account) -> str:
    """Return the name of an account as its host writes it: with the other host's name where it lives there."""
    name = account.names[-1][1]
    return name if account.home == account.host else f"{name}@{account.home}"


def _page_of(account: Account) -> str:
    """Return the address of an account's page, on the host it lives on."""
    return f"https://{account.home}/@{account.names[-1][1]}"


@cache
def _fixed(account: Account) -> Json:
    """Return what of an account never changes."""
    picture = f"https://{account.host}/avatars/{CANARY}-avatar.png"
    header = f"https://{account.host}/headers/missing.png"
    return {
        "id": account.number,
        "username": account.names[-1][1],
        "acct": _acct(account),
        "bot": False,
        "group": False,
        # A server keeps only the day on which an account was opened.
        "created_at": stamp(account.opened_at.replace(hour=0, minute=0, second=0, microsecond=0)),
        "url": _page_of(account),
        "uri": f"https://{account.home}/users/{account.names[-1][1]}",
        "avatar": picture,
        "avatar_static": picture,
        "avatar_description": "",
        "header": header,
        "header_static": header,
        "header_description": "",
        "hide_collections": False,
        "show_media": True,
        "show_media_replies": True,
        "show_featured": True,
        "emojis": [],
        "roles": [],
        "feature_approval": {"automatic": [], "manual": [], "current_user": "denied"},
    }


def _account_view(account: Account, now: dt.datetime) -> Json:
    """Return an account as its host shows it; one that is suspended is empty."""
    if account.has("suspended", now):
        counts = {"followers_count": 0, "following_count": 0, "statuses_count": 0, "last_status_at": None}
        blank = {"display_name": "", "note": "", "fields": [], "locked": False, "discoverable": False}
        return {**_fixed(account), **counts, **blank, "indexable": False, "noindex": False, "suspended": True}
    posts = conversations().by_author.get(account, ())
    there = [post for post in posts if post.exists(now)]
    opted_out = account.has("noindex", now)
    view: Json = {
        **_fixed(account),
        "display_name": account.display_name,
        "note": f"<p>Views my own. {CANARY}-note</p>",
        "fields": [{"name": "Web", "value": f"{CANARY}-field", "verified_at": None}],
        "locked": False,
        "discoverable": not opted_out,
        "noindex": opted_out,
        # Off unless somebody turns it on; it lets the words of posts be searched and says nothing about robots.
        "indexable": not opted_out and fraction("indexable", account.account_id) < 0.5,
        "followers_count": followers_at(account, now),
        "following_count": following_at(account, now),
        "statuses_count": int(300 * fraction("older posts", account.account_id)) + len(there),
        "last_status_at": there[-1].seen_at.date().isoformat() if there else None,
    }
    if account.has("moved", now):
        view["moved"] = _account_view(successor_of(account), now)
        if account.host != SUCCESSOR_HOST:
            # The new account as the old host sees it: under its full name.
            view["moved"]["acct"] = f"{account.names[-1][1]}@{SUCCESSOR_HOST}"
    return view


def _author(account: Account, now: dt.datetime) -> orjson.Fragment:
    """Return the account that stands on each of its posts, as bytes that are written once for a moment."""
    return _author_at(account, now if account.owner != "stranger" else account.opened_at)


@lru_cache(maxsize=4096)
def _author_at(account: Account, now: dt.datetime) -> orjson.Fragment:
    """Return an account as bytes."""
    return orjson.Fragment(orjson.dumps(_account_view(account, now)))


@cache
def _content(post: Post) -> str:
    """Return the text as HTML: mention, hashtag and link are anchors, and only one of them leads outside."""
    pieces: list[str] = []
    position = 0
    for kind, (start, end) in sorted(spans(post).items(), key=lambda item: item[1]):
        pieces += (_escaped(post.text[position:start]), _anchor(post, kind))
        position = end
    return f"<p>{''.join(pieces)}{_escaped(post.text[position:])}</p>"


def _escaped(text: str) -> str:
    return html.escape(text).replace("\n", "<br />")


def _anchor(post: Post, kind: str) -> str:
    """Return mention, hashtag or link as a server writes it; the middle of a long address is hidden, not cut."""
    if kind == "mention" and post.mention is not None:
        page, name = _page_of(post.mention), post.mention.names[-1][1]
        return f'<span class="h-card"><a href="{page}" class="u-url mention">@<span>{name}</span></a></span>'
    if kind == "tag":
        tag = _tag(post)
        words = f"#<span>{post.hashtag}</span>"
        return f'<a href="{tag["url"]}" class="mention hashtag" rel="tag">{words}</a>'
    link = post.link or ""
    shown, rest = link[8:38], link[38:]
    return (
        f'<a href="{link}" target="_blank" rel="nofollow noopener noreferrer">'
        f'<span class="invisible">https://</span><span class="ellipsis">{shown}</span>'
        f'<span class="invisible">{rest}</span></a>'
    )


def _tag(post: Post) -> Json:
    """Return a hashtag as its host lists it."""
    name = (post.hashtag or "").lower()
    return {"name": name, "url": f"https://{post.author.host}/tags/{quote(name)}"}


@cache
def _lasting(post: Post) -> Json:
    """Return what of a post does not change."""
    author = post.author
    number = str(_id(post))
    mention = post.mention
    return {
        "id": number,
        "created_at": stamp(post.seen_at),
        "in_reply_to_id": str(_id(post.parent)) if post.parent else None,
        "in_reply_to_account_id": post.parent.author.number if post.parent else None,
        "sensitive": False,
        "spoiler_text": "",
        # Some keep all but the first post of a row out of the timelines.
        "visibility": "unlisted" if post.parent is not None and post.parent.author is author else "public",
        "language": post.language,
        "uri": f"https://{author.home}/users/{author.names[-1][1]}/statuses/{number}",
        "url": f"{_page_of(author)}/{number}",
        "edited_at": None,
        "content": _content(post),
        "reblog": None,
        "media_attachments": [],
        "mentions": [
            {
                "id": mention.number,
                "username": mention.names[-1][1],
                "url": _page_of(mention),
                "acct": _acct(mention),
            }
        ]
        if mention
        else [],
        "tags": [_tag(post)] if post.hashtag else [],
        "emojis": [],
        "card": _card(post),
        "poll": None,
        "application": {"name": "Web", "website": None},
    }


def _card(post: Post) -> Json | None:
    """Return the preview of a page that a post leads to."""
    if not post.link:
        return None
    return {
        "url": post.link,
        "title": f"{CANARY}-card-title",
        "description": f"{CANARY}-card-description",
        "type": "link",
        "author_name": "",
        "author_url": "",
        "authors": [],
        "provider_name": "",
        "provider_url": "",
        "html": "",
        "width": 0,
        "height": 0,
        "image": None,
        "embed_url": "",
        "blurhash": None,
        "published_at": None,
    }


def _view(post: Post, now: dt.datetime, *, is_nested: bool = False) -> Json:
    """Return a post as its host shows it."""
    if post.kind == "repost" and post.subject is not None:
        inner = _view(post.subject, now, is_nested=True)
        own = _lasting(post)
        return {
            **inner,
            **{name: own[name] for name in _OF_A_BOOST},
            "account": _author(post.author, now),
            "reblog": inner,
        }
    counts = conversations().counts(post, now)
    view = {
        **_lasting(post),
        "account": _author(post.author, now),
        "replies_count": counts.replies,
        "reblogs_count": counts.reposts,
        "favourites_count": counts.likes,
    }
    if host_troubles().get(post.author.host) != "old_version":
        view["quotes_count"] = counts.quotes
        view["quote"] = None if post.subject is None else _quote(post.subject, now, is_nested=is_nested)
        view["quote_approval"] = {"automatic": ["public"], "manual": [], "current_user": "denied"}
    return view


# What a boost has of its own; all else is what it boosts.
_OF_A_BOOST: Final = ("id", "created_at", "uri", "url", "in_reply_to_id", "in_reply_to_account_id", "visibility")


def _quote(post: Post, now: dt.datetime, *, is_nested: bool) -> Json:
    """Return a post inside another that quotes it; inside a third only its id stands."""
    if not post.is_shown(now):
        return {"state": "deleted", "quoted_status": None}
    if is_nested:
        return {"state": "accepted", "quoted_status_id": str(_id(post))}
    return {"state": "accepted", "quoted_status": _view(post, now, is_nested=True)}
