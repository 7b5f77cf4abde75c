"""Bluesky: profiles, posts, their later state and their replies, read from its public AppView.

Belongs here: the AT Protocol's calls and what their fields mean. Does not belong here: when to ask what
(`collect`) and how a host is treated (`http`). Nobody is signed in and no token is ever sent: what a signed-in
reader sees, blocks and mutes included, is not what the public sees.

What the AppView does, as seen on a real one (0.0.280) and in its source:

- `getProfiles` leaves out accounts that are missing, deleted, deactivated, taken down, or known by another handle
  now; a name that cannot be one makes it refuse the whole call.
- A feed is ordered by each item's sort time: the earlier of the client's claim and the AppView's own time. What
  is stated as `indexedAt` is that sort time or a later one, so stopping by it never stops too early. A post newly
  written with an old date stands deep in the feed, where a pull that goes back only to the last one is not led.
- Pages are filtered after they were cut, so a short or an empty one is not the end.
- A date that its calendar lacks (30 February, the year 0) is moved to one that it has, or stated as it is.
- Labels are stated, not applied: who asks not to be shown to the public is shown all the same, and a client is
  to honour it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

import orjson

from pipelines.sources.http import FetchError
from pipelines.sources.social import (
    AccountUnavailable,
    Answer,
    Kind,
    PlatformError,
    Post,
    Profile,
    Reply,
    Session,
    Settings,
    Wanted,
)

PUBLIC_SERVICE: Final = "https://public.api.bsky.app"

_PROFILES: Final = "app.bsky.actor.getProfiles"
_FEED: Final = "app.bsky.feed.getAuthorFeed"
_POSTS: Final = "app.bsky.feed.getPosts"
_THREAD: Final = "app.bsky.feed.getPostThread"
_MOST_NAMED: Final = 25  # accounts or posts in one call
_LARGEST_PAGE: Final = 100
# A page with a cursor is not the end, even an empty one; so many empty ones in a row are nobody's feed.
_MOST_EMPTY_PAGES: Final = 200
_LARGEST_COUNT: Final = 2**53 - 1  # of the data model's integers

# What a name may be: https://atproto.com/specs/handle and https://atproto.com/specs/did.
_HANDLE: Final = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
_DID: Final = re.compile(r"(?=.{1,2048}\Z)did:[a-z]+:[A-Za-z0-9._:%-]*[A-Za-z0-9._-]")
_NO_HANDLE: Final = "handle.invalid"  # shown by all whose handle does not lead back to them
# https://atproto.com/specs/lexicon#datetime; whether the calendar has the date is another question.
_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,20})?(?:Z|(?!-00:00)[+-][0-9]{2}:[0-9]{2})"
)
_LANGUAGE: Final = re.compile(r"[a-z0-9]{1,8}(?:-[a-z0-9]{1,8})*")

_NOT_FOR_THE_PUBLIC: Final = "!no-unauthenticated"
# What moderators of the service may say; an account that says it of itself means nothing by it.
_TAKEN_DOWN: Final = frozenset({"!hide", "!suspend", "!takedown"})

_BY_REPOST: Final = "app.bsky.feed.defs#reasonRepost"
_SHOWN_IN_THREAD: Final = "app.bsky.feed.defs#threadViewPost"
_RECORD_EMBED: Final = "app.bsky.embed.record"
_RECORD_AND_MEDIA_EMBED: Final = "app.bsky.embed.recordWithMedia"
_CARD_EMBED: Final = "app.bsky.embed.external"
_POST_COLLECTION: Final = "app.bsky.feed.post"
_OWN_SITES: Final = ("bsky.app", "bsky.social")
# The app stores an animated picture as a card that leads to the picture's file: nobody is led to a page.
_PICTURE_HOSTS: Final = frozenset({"media.tenor.com"})

_Withheld = Literal["opted_out", "taken_down"]


class Bluesky:
    """The collector for Bluesky; raises ValueError where the service's address or the page size is none.

    `page_size` is how many items a page of a feed has at most; the service allows 100.
    """

    platform: str = "bluesky"
    batch_size: int = _MOST_NAMED

    def __init__(self, session: Session, settings: Settings, *, page_size: int = _LARGEST_PAGE) -> None:
        service = (settings.service or PUBLIC_SERVICE).rstrip("/")
        parts = urlsplit(service)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query:
            raise ValueError("bluesky: the service must be an address like https://host, without a path")
        if not 1 <= page_size <= _LARGEST_PAGE:
            raise ValueError(f"bluesky: a page has 1 to {_LARGEST_PAGE} items, not {page_size}")
        self._session = session
        self._service = service
        self._host = parts.hostname
        self._page_size = page_size

    def host(self, wanted: Wanted) -> str:  # noqa: ARG002 - one service answers for every account
        """The service's host, whatever the account."""
        return self._host

    async def profiles(self, wanted: Sequence[Wanted]) -> list[Answer]:
        """One answer for each account that was asked about, in that order.

        An account that the service leaves out is unavailable: it does not say why. Raises FetchError and
        PlatformError.
        """
        actors = dict.fromkeys(actor for one in wanted if (actor := _actor(one)))
        views: dict[str, _Node] = {}
        refused: set[str] = set()
        for batch in _batches(list(actors)):
            found, unusable = await self._profile_views(batch)
            refused |= unusable
            for view in found:
                # A handle may be in any case. Several accounts may have none that is valid: nobody asks by that.
                views |= {view.text("did"): view, view.text("handle").lower(): view}
        return [_answer(one, views, refused) for one in wanted]

    async def posts(self, profile: Profile, since: dt.datetime) -> AsyncIterator[list[Post]]:
        """The account's posts and reposts page by page, newest first, back to `since`.

        Each one is yielded once; what is labelled as not for the public, or taken down, is left out. Raises
        AccountUnavailable where the account is not shown any more, FetchError, PlatformError.
        """
        cursor: str | None = None
        used: set[str] = set()
        known: set[str] = set()
        empty_pages = 0
        while True:
            body = await self._feed_page(profile, cursor)
            items = [_feed_item(item, profile) for item in body.nodes("feed")]
            # A pinned post comes first and again in its place; new posts never shift what a cursor points to.
            page = {item.post.post_id: item.post for item in items if item.post}
            yield [post for post_id, post in page.items() if post_id not in known]
            known |= page.keys()
            in_order = [item.read_at for item in items if item.read_at]
            cursor = body.maybe_text("cursor")
            if not cursor or (in_order and in_order[-1] < since):
                return
            empty_pages = 0 if items else empty_pages + 1
            if cursor in used or empty_pages > _MOST_EMPTY_PAGES:
                raise self._unusable(_FEED, "pages that come to an end")
            used.add(cursor)

    async def lookup(self, profile: Profile, post_ids: Sequence[str]) -> dict[str, Post | None]:
        """The named posts as they are now; None for one that the public is not shown any more.

        A repost is not in the answer: the service looks up posts only, and a repost has no counts to look up.
        Nor is a post whose time no calendar has. Raises FetchError, PlatformError.
        """
        # A post named by handle instead of DID makes the service fail; no id that we were given looks so.
        own = [post_id for post_id in dict.fromkeys(post_ids) if _is_post_of(profile, post_id)]
        state: dict[str, Post | None] = {}
        for batch in _batches(own):
            body = await self._ask(_POSTS, uris=batch)
            shown = {view.text("uri"): view for view in body.nodes("posts")}
            for post_id in batch:
                view = shown.get(post_id)
                if view is None or _withheld_post(view):
                    state[post_id] = None
                elif post := _post(view):
                    state[post_id] = post
        return state

    async def replies(self, profile: Profile, post_id: str) -> list[Reply] | None:
        """Direct replies by others, the earliest first, and when the account itself first replied to each.

        None for a repost and for a post that is not shown, or not with its replies. Replies by accounts that ask
        not to be shown to the public are left out. Raises FetchError, PlatformError.
        """
        if not _is_post_of(profile, post_id):
            return None
        try:
            body = await self._ask(_THREAD, uri=post_id, depth=2, parentHeight=0)
        except FetchError as problem:
            if problem.status == 400 and _error(problem).get("error") == "NotFound":
                return None
            raise
        thread = body.node("thread")
        if thread.maybe_text("$type") != _SHOWN_IN_THREAD or _withheld_post(thread.node("post")):
            return None
        # Without the list there may still be replies: the service keeps those it must not show.
        if thread.value.get("replies") is None and thread.node("post").count("replyCount") != 0:
            return None
        replies = (_reply(node, profile) for node in _shown(thread))
        return sorted((reply for reply in replies if reply), key=lambda reply: reply.received_at)

    async def _profile_views(self, actors: Sequence[str]) -> tuple[list[_Node], set[str]]:
        """Profiles, and the names that the service refuses to be asked about.

        One such name makes it refuse the whole call: then each half is asked alone. Where every name of several is
        refused it is not the names, and the refusal is raised.
        """
        views: list[_Node] = []
        refused: set[str] = set()
        waiting = [list(actors)]
        while waiting:
            names = waiting.pop()
            try:
                body = await self._ask(_PROFILES, actors=names)
                views += body.nodes("profiles")
            except FetchError as problem:
                if problem.status != 400:
                    raise
                if len(names) == 1:
                    refused.add(names[0])
                    if len(refused) == len(actors) > 1:
                        raise
                else:
                    middle = len(names) // 2
                    waiting += [names[middle:], names[:middle]]
        return views, refused

    async def _feed_page(self, profile: Profile, cursor: str | None) -> _Node:
        parameters: dict[str, str | int] = {
            "actor": profile.account_id,
            "limit": self._page_size,
            "filter": "posts_with_replies",
        }
        if cursor:
            parameters["cursor"] = cursor
        try:
            return await self._ask(_FEED, **parameters)
        except FetchError as problem:
            # The same words for an account that is missing, deleted, deactivated or taken down.
            if problem.status == 400 and _error(problem).get("message") == "Profile not found":
                message = (
                    f"{self._host}: {_FEED}: the account is not shown any more; it is asked about again later"
                )
                raise AccountUnavailable(message) from None
            raise

    async def _ask(self, method: str, **parameters: str | int | Sequence[str]) -> _Node:
        """Call a method and return the object that it answers; raises FetchError, PlatformError."""
        query = urlencode(parameters, doseq=True, quote_via=quote, safe=":")
        url = f"{self._service}/xrpc/{method}?{query}"
        fetched = await self._session.get(url, accept="application/json")
        try:
            body = orjson.loads(fetched.body or b"")
        except orjson.JSONDecodeError:
            body = None
        if not isinstance(body, dict):
            raise self._unusable(method, "a JSON object")
        return _Node(body, self._host, method)

    def _unusable(self, method: str, lacking: str) -> PlatformError:
        return _unusable(self._host, method, lacking)


# names


def _actor(wanted: Wanted) -> str | None:
    """The name to ask by: the DID, or the handle in lower case; None for what cannot be either."""
    if wanted.account_id:
        return wanted.account_id if _DID.fullmatch(wanted.account_id) else None
    handle = (wanted.handle or "").lower()
    return handle if _HANDLE.fullmatch(handle) and handle != _NO_HANDLE else None


def _is_post_of(profile: Profile, post_id: str) -> bool:
    """Whether an id is that of a post, not of a repost, of this very account."""
    return post_id.startswith(f"at://{profile.account_id}/{_POST_COLLECTION}/")


def _batches(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[start : start + _MOST_NAMED] for start in range(0, len(names), _MOST_NAMED))


# answers


@dataclass(frozen=True, slots=True)
class _Node:
    """A JSON object and where it stands: a field that cannot be used is told by its place, never by its value."""

    value: dict[str, Any]
    host: str
    place: str

    def node(self, name: str) -> _Node:
        """An object that must be there."""
        return self._wrap(self._typed(name, dict), name)

    def maybe_node(self, name: str) -> _Node | None:
        """An object, or None where there is none."""
        return None if self.value.get(name) is None else self.node(name)

    def nodes(self, name: str) -> list[_Node]:
        """A list of objects that must be there."""
        items = self._typed(name, list)
        if not all(isinstance(item, dict) for item in items):
            raise _unusable(self.host, self.place, f"objects in {name}")
        return [self._wrap(item, name) for item in items]

    def maybe_nodes(self, name: str) -> list[_Node]:
        """A list of objects, empty where there is none."""
        return [] if self.value.get(name) is None else self.nodes(name)

    def text(self, name: str) -> str:
        """A text that must be there."""
        return str(self._typed(name, str))

    def maybe_text(self, name: str) -> str | None:
        """A text, or None where there is none."""
        return None if self.value.get(name) is None else self.text(name)

    def count(self, name: str) -> int | None:
        """A count, or None where it is not stated."""
        if self.value.get(name) is None:
            return None
        number = self._typed(name, int)
        if isinstance(number, bool) or not 0 <= number <= _LARGEST_COUNT:
            raise _unusable(self.host, self.place, name)
        return int(number)

    def moment(self, name: str) -> dt.datetime | None:
        """A moment that must be stated; None where it is one that no calendar has."""
        text = self.text(name)
        if not _MOMENT.fullmatch(text):
            raise _unusable(self.host, self.place, name)
        return _moment(text)

    def _typed(self, name: str, kind: type) -> Any:
        found = self.value.get(name)
        if not isinstance(found, kind):
            raise _unusable(self.host, self.place, name)
        return found

    def _wrap(self, value: dict[str, Any], name: str) -> _Node:
        return _Node(value, self.host, f"{self.place} {name}")


def _unusable(host: str, place: str, lacking: str) -> PlatformError:
    remedy = "try again later; if it persists, the service has changed and the collector must follow"
    return PlatformError(f"{host}: {place}: answered without usable {lacking}; {remedy}")


def _error(problem: FetchError) -> dict[str, Any]:
    """What the service says about a refusal: `error` is a name, `message` is for people."""
    try:
        said = orjson.loads(problem.body or b"")
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def _answer(wanted: Wanted, views: dict[str, _Node], refused: Iterable[str]) -> Answer:
    actor = _actor(wanted)
    if actor is None:
        return Answer(wanted, "unavailable", reason="not_a_name")
    if actor in refused:
        return Answer(wanted, "failed", reason="refused")
    view = views.get(actor)
    if view is None:
        return Answer(wanted, "unavailable", reason="not_answered")
    withheld = _withheld(view, view.text("did"))
    if withheld == "opted_out":
        return Answer(wanted, "opted_out", reason="no_unauthenticated")
    if withheld:
        return Answer(wanted, "unavailable", reason="taken_down")
    return Answer(wanted, "observed", _profile(view))


def _profile(view: _Node) -> Profile:
    handle = view.text("handle").lower()
    return Profile(
        account_id=view.text("did"),
        handle=None if handle == _NO_HANDLE else handle,
        created_at=_moment(view.maybe_text("createdAt") or ""),
        followers=view.count("followersCount"),
        following=view.count("followsCount"),
        posts=view.count("postsCount"),
    )


def _withheld(view: _Node, owner: str) -> _Withheld | None:
    """Why an account or a post is not for us, by its labels.

    The wish not to be shown to the public counts whoever states it, as it does on the service's own pages.
    """
    labels = [label for label in view.maybe_nodes("labels") if label.value.get("neg") is not True]
    if any(label.text("val") == _NOT_FOR_THE_PUBLIC for label in labels):
        return "opted_out"
    if any(label.text("val") in _TAKEN_DOWN and label.text("src") != owner for label in labels):
        return "taken_down"
    return None


def _withheld_post(view: _Node) -> bool:
    author = view.node("author")
    owner = author.text("did")
    return (_withheld(author, owner) or _withheld(view, owner)) is not None


# posts


class _Item(NamedTuple):
    """An item of a feed: a post to keep, and the time that orders the feed, where the item follows that order."""

    post: Post | None = None
    read_at: dt.datetime | None = None


def _feed_item(item: _Node, profile: Profile) -> _Item:
    view, reason = item.node("post"), item.maybe_node("reason")
    if reason and reason.maybe_text("$type") == _BY_REPOST:
        return _repost_item(view, reason, profile)
    if view.node("author").text("did") != profile.account_id:
        # Without a repost that brought it here, somebody else's post says nothing about this account.
        return _Item()
    post = _post(view)
    # The one other reason is a pin: such a post stands first, whatever its time. So may one of a reason to come.
    read_at = post.read_at if post and reason is None else None
    return _Item(None if _withheld_post(view) else post, read_at)


def _repost_item(view: _Node, reason: _Node, profile: Profile) -> _Item:
    """A repost: who posted it first, and what became of that post, is nothing of this account's."""
    moment = reason.moment("indexedAt")
    if moment is None or reason.node("by").text("did") != profile.account_id:
        return _Item()
    # A service that does not name the record: an account can repost a post only once at a time.
    post_id = reason.maybe_text("uri") or f"{profile.account_id} repost {view.text('uri')}"
    return _Item(Post(post_id, "repost", posted_at=moment, claimed_at=None, read_at=moment), moment)


def _post(view: _Node) -> Post | None:
    """A post; None where the service states a time that no calendar has."""
    times = _times(view)
    if times is None:
        return None
    posted_at, claimed_at = times
    record = view.node("record")
    text = record.value.get("text")
    return Post(
        post_id=view.text("uri"),
        kind=_kind(record),
        posted_at=posted_at,
        claimed_at=claimed_at,
        read_at=posted_at,
        likes=view.count("likeCount"),
        reposts=view.count("repostCount"),
        replies=view.count("replyCount"),
        quotes=view.count("quoteCount"),
        # In code points, as the Unicode standard counts characters; a flag or a family of emoji is several.
        text_length=len(text) if isinstance(text, str) else None,
        has_link=_leads_outside(record.value),
        language=_language(record.value),
    )


def _times(view: _Node) -> tuple[dt.datetime, dt.datetime | None] | None:
    """When a post was posted, and when it claims to have been; None where no calendar has the service's time."""
    indexed_at, claim = view.moment("indexedAt"), view.node("record").value.get("createdAt")
    if indexed_at is None:
        return None
    claimed_at = _moment(claim) if isinstance(claim, str) else None
    return min(claimed_at or indexed_at, indexed_at), claimed_at


def _moment(text: str) -> dt.datetime | None:
    """A moment in UTC; None for what is not a datetime of the protocol, or none that the calendar has.

    Digits after the microsecond are cut. A time without a zone is not guessed at: it may be off by half a day.
    """
    if not _MOMENT.fullmatch(text):
        return None
    try:
        return dt.datetime.fromisoformat(text).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None


# What stands in a record is what its author's program wrote: where it is not as expected, nothing is known of it.


def _kind(record: _Node) -> Kind:
    if isinstance(record.value.get("reply"), dict):
        return "reply"
    embed = _object(record.value, "embed")
    if embed.get("$type") == _RECORD_AND_MEDIA_EMBED:
        embed = _object(embed, "record")
    elif embed.get("$type") != _RECORD_EMBED:
        return "post"
    # Feeds, lists and starter packs are embedded in the same way, and are nobody's post.
    uri = _object(embed, "record").get("uri")
    return "quote" if isinstance(uri, str) and f"/{_POST_COLLECTION}/" in uri else "post"


def _leads_outside(record: dict[str, Any]) -> bool:
    """Whether a post leads to a page outside Bluesky: by a link in its text or by the card under it."""
    return any(_is_outside(uri) for uri in (*_links(record), *_cards(record)))


def _links(record: dict[str, Any]) -> Iterator[object]:
    for facet in _objects(record, "facets"):
        for feature in _objects(facet, "features"):
            if feature.get("$type") == "app.bsky.richtext.facet#link":
                yield feature.get("uri")
    # How links were written before July 2023.
    for entity in _objects(record, "entities"):
        if entity.get("type") == "link":
            yield entity.get("value")


def _cards(record: dict[str, Any]) -> Iterator[object]:
    embed = _object(record, "embed")
    if embed.get("$type") == _RECORD_AND_MEDIA_EMBED:
        embed = _object(embed, "media")
    if embed.get("$type") == _CARD_EMBED:
        uri = _object(embed, "external").get("uri")
        if _host_of(uri) not in _PICTURE_HOSTS:
            yield uri


def _is_outside(uri: object) -> bool:
    host = _host_of(uri)
    return bool(host) and not f".{host}".endswith(tuple(f".{site}" for site in _OWN_SITES))


def _host_of(uri: object) -> str:
    try:
        return (urlsplit(uri).hostname or "") if isinstance(uri, str) else ""
    except ValueError:
        return ""


def _language(record: dict[str, Any]) -> str | None:
    languages = record.get("langs")
    first = languages[0] if isinstance(languages, list) and languages else None
    tag = first.lower() if isinstance(first, str) else ""
    return tag if _LANGUAGE.fullmatch(tag) else None


def _object(parent: dict[str, Any], name: str) -> dict[str, Any]:
    found = parent.get(name)
    return found if isinstance(found, dict) else {}


def _objects(parent: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = parent.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


# threads


def _shown(node: _Node) -> list[_Node]:
    """The replies under a post that may be shown; others stand there as blocked or not found."""
    nodes = [reply for reply in node.maybe_nodes("replies") if reply.maybe_text("$type") == _SHOWN_IN_THREAD]
    return [reply for reply in nodes if not _withheld_post(reply.node("post"))]


def _reply(node: _Node, profile: Profile) -> Reply | None:
    """A reply by somebody else; None for the account's own, and for one of no readable time."""
    view = node.node("post")
    times = _times(view)
    if times is None or _author(view) == profile.account_id:
        return None
    received_at, _ = times
    own = [answer for reply in _shown(node) if _author(answer := reply.node("post")) == profile.account_id]
    answered = [answer_times[0] for answer in own if (answer_times := _times(answer))]
    # Both times are claims of two programs: an answer is never taken to be earlier than what it answers.
    return Reply(received_at, max(min(answered), received_at) if answered else None)


def _author(view: _Node) -> str:
    return view.node("author").text("did")
