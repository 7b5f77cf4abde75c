"""The fictional network in Bluesky's own JSON: what its AppView answers to anybody at a moment.

Here belong four methods of the public XRPC interface, their parameters, errors and omissions, as the real
service has them:

- `app.bsky.actor.getProfiles` leaves out, without a word, accounts that are missing, deleted or deactivated, and
  names that an account no longer bears;
- `app.bsky.feed.getAuthorFeed` says "Profile not found" to all of these alike. It pages by the time that orders
  the feed, and what cannot be shown is left out after paging: a short or empty page with a cursor is not the end;
- counts are optional; a repost is somebody else's post with somebody else's counts.

Shapes: https://github.com/bluesky-social/atproto/tree/main/lexicons.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any, Final

import orjson

from pipelines.sample.answers import Answer, content_id, json_answer, spans, stamp
from pipelines.sample.network_accounts import (
    CANARY,
    Account,
    followers_at,
    following_at,
    listed_accounts,
    strangers,
    taken_down_stranger,
)
from pipelines.sample.people import fraction
from pipelines.sample.posts import Post, conversations, part

HOSTS: Final = frozenset({"public.api.bsky.app", "api.bsky.app"})
MOST_ACTORS: Final = 25
MOST_POSTS: Final = 25
LONGEST_PAGE: Final = 100

_USUAL_PAGE = 50
_USUAL_DEPTH, _DEEPEST = 6, 1000
_HANDLE = re.compile(r"(?=.{1,253}$)([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)+[a-zA-Z][a-zA-Z0-9-]{0,62}")
_DID = re.compile(r"did:[a-z]+:[a-zA-Z0-9._:%-]*[a-zA-Z0-9._-]")
_TID_LETTERS = "234567abcdefghijklmnopqrstuvwxyz"
_NOT_FOUND = "app.bsky.feed.defs#notFoundPost"

Parameters = Mapping[str, Sequence[str]]
Json = dict[str, Any]


class _RefusalError(Exception):
    """A request that the service refuses, with the status, error name and message it gives."""

    def __init__(self, status: int, error: str, message: str) -> None:
        super().__init__(message)
        self.status, self.error, self.message = status, error, message


def answer(path: str, parameters: Parameters, now: dt.datetime) -> Answer:
    """Return what the AppView answers at a moment; what it does not know it refuses in its own form."""
    method = _METHODS.get(path.removeprefix("/xrpc/")) if path.startswith("/xrpc/") else None
    if method is None:
        return json_answer(404, {"error": "XRPCNotSupported", "message": "XRPCNotSupported"})
    try:
        return json_answer(200, method(parameters, now))
    except _RefusalError as refusal:
        return json_answer(refusal.status, {"error": refusal.error, "message": refusal.message})


# --- methods --------------------------------------------------------------------------------------------------


def _get_profiles(parameters: Parameters, now: dt.datetime) -> Json:
    """Return the profiles of those actors that are there, in the order asked."""
    actors = [_named(actor, "actors") for actor in _several(parameters, "actors", MOST_ACTORS)]
    found = dict.fromkeys(account for actor in actors if (account := _find(actor, now)))
    return {"profiles": [_detailed(account, now) for account in found]}


def _get_author_feed(parameters: Parameters, now: dt.datetime) -> Json:
    """Return a page of what an account posted and reposted, newest first."""
    account = _find(_named(_one(parameters, "actor"), "actor"), now)
    if account is None:
        raise _invalid("Profile not found")
    limit = _whole_number(parameters, "limit", _USUAL_PAGE, 1, LONGEST_PAGE)
    cursor = _cursor(parameters)
    kept = _FILTERS.get(_one(parameters, "filter", "posts_with_replies"), _FILTERS["posts_with_replies"])
    newest_first = reversed(conversations().by_author.get(account, ()))
    there = (
        post
        for post in newest_first
        if post.exists(now) and (cursor is None or post.sort_at < cursor) and kept(post)
    )
    page = list(islice(there, limit))
    items = [_item(post, now) for post in page if post.is_shown(now)]
    pinned = (
        _pinned(account, now) if cursor is None and _one(parameters, "includePins", "false") == "true" else None
    )
    if pinned is not None:
        first = {**_item(pinned, now), "reason": {"$type": "app.bsky.feed.defs#reasonPin"}}
        items = [first, *(item for item in items if item["post"]["uri"] != _uri(pinned))][:limit]
    return {"feed": items, "cursor": stamp(page[-1].sort_at)} if page else {"feed": items}


def _get_posts(parameters: Parameters, now: dt.datetime) -> Json:
    """Return those posts that are there, in the order asked."""
    uris = _several(parameters, "uris", MOST_POSTS)
    found = dict.fromkeys(post for uri in uris if (post := _by_uri().get(uri)) and post.is_shown(now))
    return {"posts": [_view(post, now) for post in found]}


def _get_post_thread(parameters: Parameters, now: dt.datetime) -> Json:
    """Return a post with what it replies to and the replies to it."""
    uri = _one(parameters, "uri")
    depth = _whole_number(parameters, "depth", _USUAL_DEPTH, 0, _DEEPEST)
    height = _whole_number(parameters, "parentHeight", 80, 0, _DEEPEST)
    post = _by_uri().get(uri)
    if post is None or not post.is_shown(now):
        raise _RefusalError(400, "NotFound", f"Post not found: {uri}")
    thread = _thread(post, depth, now)
    if post.parent is not None and height:
        thread["parent"] = _parents(post.parent, height - 1, now)
    return {"thread": thread}


_METHODS: Final[dict[str, Callable[[Parameters, dt.datetime], Json]]] = {
    "app.bsky.actor.getProfiles": _get_profiles,
    "app.bsky.feed.getAuthorFeed": _get_author_feed,
    "app.bsky.feed.getPosts": _get_posts,
    "app.bsky.feed.getPostThread": _get_post_thread,
}


def _is_own_thread(post: Post) -> bool:
    """Whether a post is no reply, or a reply within a thread of its author's own."""
    return post.parent is None or post.root.author is post.parent.author is post.author


_FILTERS: Final[dict[str, Callable[[Post], bool]]] = {
    "posts_with_replies": lambda _: True,
    "posts_no_replies": lambda post: post.parent is None,
    "posts_and_author_threads": _is_own_thread,
    # Nobody here posts pictures or films.
    "posts_with_media": lambda _: False,
    "posts_with_video": lambda _: False,
}


# --- parameters -----------------------------------------------------------------------------------------------


def _invalid(message: str) -> _RefusalError:
    return _RefusalError(400, "InvalidRequest", message)


def _one(parameters: Parameters, name: str, usual: str | None = None) -> str:
    """Return a parameter, or its usual value; one that is needed and missing is refused."""
    values = parameters.get(name)
    if values:
        return values[-1]
    if usual is None:
        raise _invalid(f'Error: Params must have the property "{name}"')
    return usual


def _several(parameters: Parameters, name: str, most: int) -> Sequence[str]:
    """Return the values of a repeated parameter, which must be given and not too often."""
    values = parameters.get(name, ())
    if not values:
        raise _invalid(f'Error: Params must have the property "{name}"')
    if len(values) > most:
        raise _invalid(f"Error: {name} must not have more than {most} elements")
    return values


def _whole_number(parameters: Parameters, name: str, usual: int, least: int, most: int) -> int:
    """Return a number within its limits; any other is refused, not clipped."""
    text = _one(parameters, name, str(usual))
    if not text.isascii() or not text.isdigit():
        raise _invalid(f"Error: {name} must be an integer")
    number = int(text[:9])
    if number < least:
        raise _invalid(f"Error: {name} can not be less than {least}")
    if number > most:
        raise _invalid(f"Error: {name} can not be greater than {most}")
    return number


def _named(actor: str, name: str) -> str:
    """Return a DID or handle; what has the form of neither makes the service refuse the whole call."""
    if not (_HANDLE.fullmatch(actor) or _DID.fullmatch(actor)):
        raise _invalid(f"Error: {name} must be a valid did or a handle")
    return actor


def _cursor(parameters: Parameters) -> dt.datetime | None:
    """Return the moment before which a page begins; one that is none makes the real service stumble: 500."""
    text = _one(parameters, "cursor", "")
    if not text:
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise _RefusalError(500, "InternalServerError", "Internal Server Error") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


# --- who and what is there ------------------------------------------------------------------------------------


@cache
def _accounts() -> dict[str, Account]:
    """Return every account by its DID."""
    everyone = (*listed_accounts(), *strangers("bluesky"), taken_down_stranger())
    return {account.number: account for account in everyone if account.platform == "bluesky"}


@cache
def _names() -> dict[str, Account]:
    """Return every account by each of the names it ever bears."""
    return {name: account for account in _accounts().values() for _, name in account.names}


@cache
def _by_uri() -> dict[str, Post]:
    """Return every post by its address; reposts have none that can be asked for."""
    return {
        _uri(post): post
        for account, posts in conversations().by_author.items()
        if account.platform == "bluesky"
        for post in posts
        if post.kind != "repost"
    }


def _find(actor: str, now: dt.datetime) -> Account | None:
    """Return the account of a DID or handle, if the service shows it and it bears that name now."""
    account = _accounts().get(actor) or _names().get(actor.lower())
    if account is None or not account.is_shown(now):
        return None
    return account if actor.startswith("did:") or account.name_at(now) == actor.lower() else None


def _pinned(account: Account, now: dt.datetime) -> Post | None:
    """Return the post that an account pinned: its first plain one."""
    if account is not part("pinned"):
        return None
    own = conversations().by_author.get(account, ())
    return next((post for post in own if post.kind == "post" and not post.deleted_at and post.is_shown(now)), None)


def _record_key(post: Post) -> str:
    """Return a post's record key: the microsecond of its making and 10 bits more, in sortable base 32."""
    value = int(post.seen_at.timestamp()) * 1_000_000 + post.seen_at.microsecond << 10 | post.number % 1024
    return "".join(_TID_LETTERS[value >> shift & 31] for shift in range(60, -1, -5))


@cache
def _uri(post: Post) -> str:
    """Return the address of a post, or of a repost."""
    collection = "repost" if post.kind == "repost" else "post"
    return f"at://{post.author.number}/app.bsky.feed.{collection}/{_record_key(post)}"


@cache
def _cid(post: Post) -> str:
    """Return the content identifier of a post's record."""
    return content_id(f"{post.number} {post.claimed_at.isoformat()}")


def post_id(post: Post) -> str:
    """Return the permanent id of a post, or of the repost itself."""
    return _uri(post)


# --- views ----------------------------------------------------------------------------------------------------


def _labels(account: Account, now: dt.datetime) -> list[Json]:
    """Return the labels that an account put on itself: one asks not to be shown to those not signed in."""
    if not account.has("signed_in_only", now):
        return []
    profile = f"at://{account.number}/app.bsky.actor.profile/self"
    return [
        {
            "src": account.number,
            "uri": profile,
            "cid": content_id(profile),
            "val": "!no-unauthenticated",
            "cts": stamp(account.since),
        }
    ]


def _author(account: Account, now: dt.datetime) -> orjson.Fragment:
    """Return the short view of an account that stands on each of its posts."""
    return _author_as(account, account.name_at(now), account.has("signed_in_only", now))


@cache
def _author_as(account: Account, name: str, is_labelled: bool) -> orjson.Fragment:
    """Return the short view of an account under a name, as bytes that are written only once."""
    view = {
        "did": account.number,
        "handle": name,
        "displayName": account.display_name,
        "avatar": f"https://cdn.example/{CANARY}-avatar/{account.number}",
        "associated": {"chat": {"allowIncoming": "following"}},
        "labels": _labels(account, account.since) if is_labelled else [],
        "createdAt": stamp(account.opened_at),
    }
    return orjson.Fragment(orjson.dumps(view))


def _detailed(account: Account, now: dt.datetime) -> Json:
    """Return the long view of an account, with its counts; one account's follower count is left out."""
    posts = conversations().by_author.get(account, ())
    written = sum(post.kind != "repost" and post.exists(now) for post in posts)
    view: Json = {
        "did": account.number,
        "handle": account.name_at(now),
        "displayName": account.display_name,
        "description": f"Views my own. {CANARY}-description https://canary-link.example/about",
        "avatar": f"https://cdn.example/{CANARY}-avatar/{account.number}",
        "associated": {"lists": 0, "feedgens": 0, "starterPacks": 0, "labeler": False},
        "labels": _labels(account, now),
        "createdAt": stamp(account.opened_at),
        "indexedAt": stamp(account.opened_at + dt.timedelta(days=30)),
        "followsCount": following_at(account, now),
        "postsCount": int(300 * fraction("older posts", account.account_id)) + written,
    }
    if account is not part("counts missing"):
        view["followersCount"] = followers_at(account, now)
    pinned = _pinned(account, now)
    if pinned is not None:
        view["pinnedPost"] = _reference(pinned)
    return view


def _reference(post: Post) -> Json:
    """Return what a record says of another record."""
    return {"uri": _uri(post), "cid": _cid(post)}


@cache
def _record(post: Post) -> orjson.Fragment:
    """Return the record that the author's program wrote, as bytes that are written only once."""
    record: Json = {"$type": "app.bsky.feed.post", "createdAt": _claimed(post), "text": post.text}
    facets = [_facet(post, kind, start, end) for kind, (start, end) in spans(post).items()]
    if facets:
        record["facets"] = facets
    if post.language:
        record["langs"] = [post.language]
    if post.parent is not None:
        record["reply"] = {"root": _reference(post.root), "parent": _reference(post.parent)}
    quoted = None if post.subject is None else {"record": _reference(post.subject)}
    embed = _embed(post, quoted, "")
    if embed is not None:
        record["embed"] = embed
    return orjson.Fragment(orjson.dumps(record))


def _claimed(post: Post) -> str:
    """Return the claimed time as one of several programs writes it."""
    program = post.number % 10
    if program == 0:
        return post.claimed_at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    if program == 1:
        return post.claimed_at.astimezone(dt.timezone(dt.timedelta(hours=1))).isoformat(timespec="milliseconds")
    return stamp(post.claimed_at)


def _facet(post: Post, kind: str, start: int, end: int) -> Json:
    """Return what a stretch of the text is; stretches are counted in bytes."""
    feature: Json = {"$type": f"app.bsky.richtext.facet#{kind}"}
    if kind == "link":
        feature["uri"] = post.link
    elif kind == "tag":
        feature["tag"] = post.hashtag
    elif post.mention is not None:
        feature["did"] = post.mention.number
    index = {"byteStart": len(post.text[:start].encode()), "byteEnd": len(post.text[:end].encode())}
    return {"index": index, "features": [feature]}


def _embed(post: Post, quoted: Json | None, suffix: str) -> Json | None:
    """Return what is set under a text: a quoted post, a card, or both; records and views differ in the suffix."""
    card: Json | None = None
    if post.link and not post.link_in_text:
        page = {"uri": post.link, "title": f"{CANARY}-card-title", "description": f"{CANARY}-card-description"}
        card = {"$type": f"app.bsky.embed.external{suffix}", "external": page}
    if quoted is None:
        return card
    record = {"$type": f"app.bsky.embed.record{suffix}", **quoted}
    if card is None:
        return record
    return {"$type": f"app.bsky.embed.recordWithMedia{suffix}", "record": record, "media": card}


def _counts(post: Post, now: dt.datetime) -> Json:
    """Return the counts of a post; one that is missing is left out, not null."""
    counts = conversations().counts(post, now)
    named = {
        "replyCount": counts.replies,
        "repostCount": counts.reposts,
        "likeCount": counts.likes,
        "quoteCount": counts.quotes,
    }
    return {name: count for name, count in named.items() if count is not None}


def _view(post: Post, now: dt.datetime) -> Json:
    """Return a post as it stands."""
    view: Json = {
        "uri": _uri(post),
        "cid": _cid(post),
        "author": _author(post.author, now),
        "record": _record(post),
        **_counts(post, now),
        "indexedAt": stamp(post.sort_at),
        "labels": [],
    }
    quoted = None if post.subject is None else {"record": _quoted(post.subject, now)}
    embed = _embed(post, quoted, "#view")
    if embed is not None:
        view["embed"] = embed
    return view


def _quoted(post: Post, now: dt.datetime) -> Json:
    """Return a post inside another that quotes it, with its own counts."""
    if not post.is_shown(now):
        return {"$type": "app.bsky.embed.record#viewNotFound", "uri": _uri(post), "notFound": True}
    return {
        "$type": "app.bsky.embed.record#viewRecord",
        "uri": _uri(post),
        "cid": _cid(post),
        "author": _author(post.author, now),
        "value": _record(post),
        "labels": [],
        **_counts(post, now),
        "indexedAt": stamp(post.sort_at),
        "embeds": [],
    }


def _item(post: Post, now: dt.datetime) -> Json:
    """Return a post as an item of its author's feed; a repost is the other's post, with the reason."""
    if post.kind == "repost" and post.subject is not None:
        reason = {
            "$type": "app.bsky.feed.defs#reasonRepost",
            "by": _author(post.author, now),
            "uri": _uri(post),
            "cid": _cid(post),
            "indexedAt": stamp(post.sort_at),
        }
        return {"post": _view(post.subject, now), "reason": reason}
    item: Json = {"post": _view(post, now)}
    if post.parent is not None:
        item["reply"] = {"root": _united(post.root, now), "parent": _united(post.parent, now)}
        if post.parent.parent is not None and post.parent.is_shown(now):
            item["reply"]["grandparentAuthor"] = _author(post.parent.parent.author, now)
    return item


def _united(post: Post, now: dt.datetime) -> Json:
    """Return a post where several types may stand, or that it is not there."""
    if not post.is_shown(now):
        return {"$type": _NOT_FOUND, "uri": _uri(post), "notFound": True}
    return {"$type": "app.bsky.feed.defs#postView", **_view(post, now)}


def _thread(post: Post, depth: int, now: dt.datetime) -> Json:
    """Return a post with the replies below it, as deep as asked."""
    thread: Json = {"$type": "app.bsky.feed.defs#threadViewPost", "post": _view(post, now), "threadContext": {}}
    if depth:
        thread["replies"] = list(_replies(post, depth - 1, now))
    return thread


def _replies(post: Post, depth: int, now: dt.datetime) -> Iterator[Json]:
    """Yield the replies to a post; one whose author blocked the other is there without its content."""
    for reply in conversations().replies.get(post, ()):
        if not reply.is_shown(now):
            continue
        if reply.is_walled:
            author = {"did": reply.author.number}
            yield {
                "$type": "app.bsky.feed.defs#blockedPost",
                "uri": _uri(reply),
                "blocked": True,
                "author": author,
            }
        else:
            yield _thread(reply, depth, now)


def _parents(post: Post, height: int, now: dt.datetime) -> Json:
    """Return what a post replies to, as high as asked."""
    if not post.is_shown(now):
        return {"$type": _NOT_FOUND, "uri": _uri(post), "notFound": True}
    thread: Json = {"$type": "app.bsky.feed.defs#threadViewPost", "post": _view(post, now), "threadContext": {}}
    if post.parent is not None and height:
        thread["parent"] = _parents(post.parent, height - 1, now)
    return thread
