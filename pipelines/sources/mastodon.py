"""Mastodon, and servers that speak its client API: profiles, posts, what became of posts, and replies to them.

Belongs here: Mastodon's addresses, fields and paging. Does not belong here: the pace, retries and rate limits
(`http`), and when to ask what (`collect`). The API is the one of docs.joinmastodon.org and of the OpenAPI document
of 4.7.0; what a field means was checked against recorded answers of 4.6.4.

Every account is asked about on its own server: counts seen from elsewhere are partial. What was decided:

- **Opting out.** `noindex` is the account's wish to stay out of search engines, off by default: who sets it is
  `opted_out`, before anything else is read from the account. `indexable` is not: it is false on every new account
  and lets Mastodon's own search find the words of posts, which we neither keep nor search; `discoverable` is about
  being suggested to others.
- **Visibility.** `public` and `unlisted` are taken. Both are shown to anybody on the profile page; `unlisted` only
  stays out of timelines and search, and is what many official accounts use for all but their first post in a row.
  Everything else is for some readers only and is left out even where a token would show it.
- **Times.** `created_at` of a post is the clock of the account's own server, so no client's claim is involved.
- **Ids.** An id counts within its server only, so accounts and posts are `host/id`. The host is the one that
  answers: where `@user@town.example` lives at `social.town.example`, ids begin with `social.town.example/`.
- **Gone posts.** Servers from 4.3 on answer for 20 posts at once and silently leave out what they do not show.
  Only a 404 or 410 for the one post makes it gone; older servers are asked one by one.
"""

from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Final, NamedTuple
from urllib.parse import SplitResult, parse_qs, quote, urljoin, urlsplit

import orjson

from pipelines.sources.http import Fetched, FetchError
from pipelines.sources.social import (
    AccountUnavailable,
    Answer,
    Kind,
    Outcome,
    PlatformError,
    Post,
    Profile,
    Reply,
    Session,
    Settings,
    Wanted,
)

DEFAULT_SERVICE: Final = "https://{host}"
# The most that the API gives for one request: DEFAULT_STATUSES_LIMIT × 2 in a list, × 1 by ids.
_PAGE: Final = 40
_BATCH: Final = 20
# No account has that many pages: a list that never ends is a fault of the server.
_MOST_PAGES: Final = 25_000

_LOOKUP: Final = "/api/v1/accounts/lookup"
_ACCOUNT: Final = "/api/v1/accounts/:id"
_STATUSES: Final = "/api/v1/accounts/:id/statuses"
_STATUS: Final = "/api/v1/statuses/:id"
_SEVERAL: Final = "/api/v1/statuses"
_CONTEXT: Final = "/api/v1/statuses/:id/context"
_WEBFINGER: Final = "/.well-known/webfinger"

# Parameters that ask for another page.
_PAGED: Final = frozenset({"max_id", "min_id", "since_id"})
_REFUSALS: Final[Mapping[int, tuple[Outcome, str]]] = {
    401: ("restricted", "sign_in_required"),  # limited federation, or a token that no longer holds
    403: ("restricted", "forbidden"),
    404: ("unavailable", "not_found"),
    410: ("unavailable", "gone"),
}
_OPEN: Final = frozenset({"public", "unlisted"})

_HOST = re.compile(r"[^\s/?#@%\\\[\]:]+(?::[0-9]{1,5})?")
_NAME = re.compile(r"[^\s/?#@%\\]+")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TAG_BCP47 = re.compile(r"[a-z0-9]{1,8}(-[a-z0-9]{1,8})*")
_PARAMETER = r"""\s*;\s*[\w!#$&+.^`|~-]+\*?\s*(?:=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]+))?"""
_LINK = re.compile(rf"\s*<(?P<target>[^<>]*)>(?P<parameters>(?:{_PARAMETER})*)\s*(?:,\s*|$)")
_REL = re.compile(r""";\s*rel\s*=\s*(?:"(?P<quoted>[^"]*)"|(?P<bare>[^\s;,"]+))""", re.IGNORECASE)

_NOT_MASTODON = "check that the host runs Mastodon, or correct the account where it is listed"
_CHANGED = "the server does not keep to Mastodon's API: look at its version, and report it if it is Mastodon's own"


@dataclass(frozen=True, slots=True)
class _Call:
    """What was asked of which host, for messages: the path without ids and names."""

    host: str
    path: str

    def error(self, problem: str, remedy: str = _CHANGED) -> PlatformError:
        return PlatformError(f"{self.host}{self.path}: {problem}; {remedy}")


class _Object:
    """A JSON object of an answer; reading from it raises PlatformError naming host, call and field, no value."""

    def __init__(self, value: object, call: _Call, place: str = "the answer") -> None:
        if not isinstance(value, dict):
            raise call.error(f"{place} is not an object")
        self._fields: dict[str, object] = value
        self._call = call
        self._prefix = "" if place == "the answer" else f"{place}."

    def error(self, name: str, problem: str) -> PlatformError:
        return self._call.error(f"{self._prefix}{name} is {problem}")

    def has(self, name: str) -> bool:
        """Say whether a field is there and not null."""
        return self._fields.get(name) is not None

    def optional_text(self, name: str) -> str | None:
        value = self._fields.get(name)
        if not (value is None or isinstance(value, str)):
            raise self.error(name, "not text")
        return value

    def text(self, name: str) -> str:
        value = self.optional_text(name)
        if value is None:
            raise self.error(name, "missing")
        return value

    def identifier(self, name: str) -> str:
        value = self.text(name)
        if not _ID.fullmatch(value):
            raise self.error(name, "not an id")
        return value

    def count(self, name: str) -> int | None:
        """A count, or None where it is absent, null or negative: -1 is how a hidden count is written."""
        value = self._fields.get(name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.error(name, "not a whole number")
        return value if value >= 0 else None

    def flag(self, name: str) -> bool:
        """A flag, false where it is absent or null; another type may be a wish that we misread: an error."""
        value = self._fields.get(name)
        if not (value is None or isinstance(value, bool)):
            raise self.error(name, "neither true nor false")
        return value or False

    def optional_time(self, name: str) -> dt.datetime | None:
        """A time in UTC, also where it is written as a date or without its zone."""
        value = self.optional_text(name)
        if value is None:
            return None
        try:
            moment = dt.datetime.fromisoformat(value)
            return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
        except (ValueError, OverflowError):
            pass
        raise self.error(name, "not a time in ISO 8601")

    def time(self, name: str) -> dt.datetime:
        value = self.optional_time(name)
        if value is None:
            raise self.error(name, "missing")
        return value

    def object(self, name: str) -> _Object | None:
        value = self._fields.get(name)
        return None if value is None else _Object(value, self._call, f"{self._prefix}{name}")

    def objects(self, name: str) -> list[_Object]:
        """The objects of a list; empty where the field is absent or null."""
        value = self._fields.get(name)
        return [] if value is None else _objects(value, self._call, f"{self._prefix}{name}")


def _objects(value: object, call: _Call, place: str = "the answer") -> list[_Object]:
    if not isinstance(value, list):
        raise call.error(f"{place} is not a list")
    return [_Object(item, call, f"{place}[]") for item in value]


class _Place(NamedTuple):
    """An account on a server: its name where it is asked by name, its id where that is known."""

    host: str
    name: str | None
    number: str | None


class Mastodon:
    """Answers for accounts on any Mastodon server, each on its own host.

    `settings.service` is a template in which `{host}` stands for the account's host; by default
    `https://{host}`. A token of `settings.tokens` goes to the host it is listed for and to no other. Raises
    ValueError for a template without `{host}`.
    """

    platform = "mastodon"
    batch_size = 1

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session = session
        self._service = (settings.service or DEFAULT_SERVICE).rstrip("/")
        if "{host}" not in self._service:
            raise ValueError("the service of mastodon is a template: write {host} where an account's host belongs")
        self._tokens = {host.lower(): token for host, token in settings.tokens.items()}
        self._one_by_one: set[str] = set()  # hosts that cannot be asked for several posts

    def host(self, wanted: Wanted) -> str:
        """The host of the account's id where that is known, else of its handle.

        Empty for an account that has neither in a usable form; `profiles` then says what is wrong with it.
        """
        try:
            return _locate(wanted).host
        except PlatformError:
            return ""

    async def profiles(self, wanted: Sequence[Wanted]) -> list[Answer]:
        """One answer each, in that order.

        An account is looked for on the host of its handle and, where that host names another server as the
        account's home, there. Raises FetchError when a host does not answer, PlatformError when it is no Mastodon.
        """
        return [await self._answer(one) for one in wanted]

    async def posts(self, profile: Profile, since: dt.datetime) -> AsyncIterator[list[Post]]:
        """The account's posts and boosts page by page; see `Collector.posts`.

        Only the Link header says that there is more, and only its query is used: a link to another host or path,
        one that was given before and one that cannot be read raise PlatformError, as the rest would be lost.
        Raises AccountUnavailable where the server no longer shows the account.
        """
        host, number = _split(profile.account_id)
        call = _Call(host, _STATUSES)
        path = _STATUSES.replace(":id", number)
        query: str | None = f"limit={_PAGE}"
        asked: set[str] = set()
        seen: set[str] = set()
        while query is not None:
            if query in asked:
                raise call.error("the link to the next page leads back to an earlier one")
            if len(asked) == _MOST_PAGES:
                raise call.error(f"there is still a next page after {_MOST_PAGES}")
            asked.add(query)
            answer = await self._ask_for(call, path, query)
            statuses = _objects(_json(answer, call), call)
            page = [_post(host, status) for status in statuses if _is_of(status, number) and _is_open(status)]
            fresh = {post.post_id: post for post in page if post.post_id not in seen}
            yield list(fresh.values())
            seen.update(fresh)
            if statuses and all(status.time("created_at") < since for status in statuses):
                return
            query = _next_query(answer, self._address(host, path), call)

    async def lookup(self, profile: Profile, post_ids: Sequence[str]) -> dict[str, Post | None]:
        """The named posts as they are now; None for one that is gone, or no longer shown to anybody.

        Raises AccountUnavailable where the host shows posts to nobody without signing in.
        """
        host, number = _split(profile.account_id)
        ids = [_split(post_id) for post_id in post_ids]
        if any(place != host for place, _ in ids):
            raise _Call(host, _STATUS).error("a post of another host was asked for", "ask its own account for it")
        found: dict[str, Post | None] = {}
        for batch in _batches([post for _, post in ids]):
            found |= await self._several(host, number, batch)
            for post in batch:
                if f"{host}/{post}" not in found:
                    found[f"{host}/{post}"] = await self._single(host, number, post)
        return found

    async def replies(self, profile: Profile, post_id: str) -> list[Reply] | None:
        """Direct replies by others, earliest first, and the account's first direct answer to each.

        Without a token a server shows at most 60 posts of the thread below, 20 levels deep. A reply's time is its
        own server's clock, which may run ahead: it is never later here than the answer to it. None where the post
        is gone or its thread is shown only to those who are signed in.
        """
        host, number = _split(profile.account_id)
        _, post = _split(post_id)
        call = _Call(host, _CONTEXT)
        try:
            answer = await self._ask(call, _CONTEXT.replace(":id", post))
        except FetchError as problem:
            if problem.status in _REFUSALS:
                return None
            raise
        below = [one for one in _Object(_json(answer, call), call).objects("descendants") if _is_open(one)]
        answered: dict[str, dt.datetime] = {}
        received: dict[str, dt.datetime] = {}
        for one in below:
            parent, moment = one.optional_text("in_reply_to_id"), one.time("created_at")
            if _author(one) == number:
                if parent is not None:
                    answered[parent] = min(moment, answered.get(parent, moment))
            elif parent == post:
                received[one.identifier("id")] = moment
        replies = [
            Reply(moment if reply not in answered else min(moment, answered[reply]), answered.get(reply))
            for reply, moment in received.items()
        ]
        return sorted(replies, key=lambda reply: reply.received_at)

    # who is this

    async def _answer(self, wanted: Wanted) -> Answer:
        place = _locate(wanted)
        domain = place.host if wanted.handle is None else _split_handle(wanted.handle)[1]
        try:
            place, account = await self._find(place)
        except FetchError as problem:
            refusal = _REFUSALS.get(problem.status or 0)
            if refusal is None:
                raise
            return Answer(wanted, refusal[0], reason=refusal[1])
        if account.flag("suspended"):
            return Answer(wanted, "unavailable", reason="suspended")
        if account.flag("noindex"):
            return Answer(wanted, "opted_out", reason="noindex")
        if (successor := account.object("moved")) is not None:
            return Answer(wanted, "moved", reason="moved", moved_to=_handle(successor, domain))
        profile = Profile(
            account_id=f"{place.host}/{account.identifier('id')}",
            handle=_handle(account, domain),
            created_at=account.optional_time("created_at"),
            followers=account.count("followers_count"),
            following=account.count("following_count"),
            posts=account.count("statuses_count"),
        )
        return Answer(wanted, "observed", profile)

    async def _find(self, place: _Place) -> tuple[_Place, _Object]:
        """The account, and the server that answers for it."""
        if place.name is None:
            call = _Call(place.host, _ACCOUNT)
            path = _ACCOUNT.replace(":id", str(place.number))
            account = _Object(_json(await self._ask(call, path), call), call)
            return place, _must_be_local(account)
        try:
            account = _must_be_local(await self._account_named(place.host, place.name))
        except (FetchError, PlatformError) as problem:
            # A JSON 404 is Mastodon's own word; anything else may be the web site of a domain that has its
            # Mastodon elsewhere.
            if isinstance(problem, FetchError) and (problem.status != 404 or problem.body):
                raise
            home = await self._home_of(place)
            found = None if home is None else await self._at_home(home, place)
            if found is None:
                raise
            return found
        home = _host_of(account.optional_text("url") or account.optional_text("uri"))
        if home is not None and home != place.host:
            # The question was redirected. Pages and later questions go where the answer came from.
            return await self._at_home(home, place) or (place, account)
        return place, account

    async def _at_home(self, home: str, place: _Place) -> tuple[_Place, _Object] | None:
        """The account on the server that is said to be its home; None unless that server says so too.

        Without that, any host could claim another server's account as its own.
        """
        try:
            account = await self._account_named(home, f"{place.name}@{place.host}")
        except FetchError as problem:
            if problem.transient:
                raise
            return None
        except PlatformError:
            return None
        if "@" in account.text("acct"):
            return None
        return _Place(home, place.name, None), account

    async def _home_of(self, place: _Place) -> str | None:
        """The server that WebFinger (RFC 7033) names for an account, if it is another one."""
        call = _Call(place.host, _WEBFINGER)
        resource = quote(f"acct:{place.name}@{place.host}", safe="")
        try:
            answer = await self._ask(call, _WEBFINGER, f"resource={resource}", accept="application/jrd+json")
            links = _Object(_json(answer, call), call).objects("links")
        except FetchError as problem:
            if problem.transient:
                raise
            return None
        except PlatformError:
            return None
        actors = (link.optional_text("href") for link in links if link.optional_text("rel") == "self")
        homes = [home for home in map(_host_of, actors) if home not in (None, place.host)]
        return homes[0] if homes else None

    async def _account_named(self, host: str, name: str) -> _Object:
        call = _Call(host, _LOOKUP)
        answer = await self._ask(call, _LOOKUP, f"acct={quote(name, safe='')}")
        return _Object(_json(answer, call), call)

    # what became of it

    async def _several(self, host: str, number: str, posts: Sequence[str]) -> dict[str, Post]:
        """Those of the posts that the host gives when asked for all of them at once; none where it cannot."""
        if len(posts) == 1 or host in self._one_by_one:
            return {}
        call = _Call(host, _SEVERAL)
        try:
            answer = await self._ask(call, _SEVERAL, "&".join(f"id%5B%5D={post}" for post in posts))
            statuses = _objects(_json(answer, call), call)
        except FetchError as problem:
            if problem.transient or problem.status is None:
                raise
            statuses = None
        except PlatformError:
            statuses = None
        if statuses is None:
            self._one_by_one.add(host)
            return {}
        asked = [one for one in statuses if one.identifier("id") in posts]
        shown = [_post(host, one) for one in asked if _is_of(one, number) and _is_open(one)]
        return {post.post_id: post for post in shown}

    async def _single(self, host: str, number: str, post: str) -> Post | None:
        call = _Call(host, _STATUS)
        try:
            answer = await self._ask(call, _STATUS.replace(":id", post))
        except FetchError as problem:
            if problem.status in (404, 410):
                return None
            if problem.status in _REFUSALS:
                raise _unavailable(call, problem) from None
            raise
        status = _Object(_json(answer, call), call)
        if status.identifier("id") != post:
            raise status.error("id", "not the one that was asked for")
        return _post(host, status) if _is_of(status, number) and _is_open(status) else None

    # asking

    def _address(self, host: str, path: str) -> str:
        return self._service.replace("{host}", host) + path

    async def _ask_for(self, call: _Call, path: str, query: str) -> Fetched:
        """Ask for something of an account that was there a moment ago; raises AccountUnavailable if it is not."""
        try:
            return await self._ask(call, path, query)
        except FetchError as problem:
            if problem.status in _REFUSALS:
                raise _unavailable(call, problem) from None
            raise

    async def _ask(self, call: _Call, path: str, query: str = "", *, accept: str = "application/json") -> Fetched:
        """Fetch one address; raises FetchError, in which ids of accounts and posts are replaced by `:id`."""
        token = self._tokens.get(call.host)
        headers = None if token is None else {"Authorization": f"Bearer {token}"}
        address = self._address(call.host, path) + (f"?{query}" if query else "")
        try:
            return await self._session.get(address, headers=headers, accept=accept, budget=_budget(query))
        except FetchError as problem:
            problem.args = (str(problem.args[0]).replace(path, call.path), *problem.args[1:])
            problem.asked = problem.asked.replace(path, call.path)
            raise


def _budget(query: str) -> str | None:
    """Which further limit a request counts against: servers count those for another page apart."""
    return "paging" if _PAGED.intersection(parse_qs(query)) else None


def _unavailable(call: _Call, problem: FetchError) -> AccountUnavailable:
    outcome, reason = _REFUSALS[problem.status or 0]
    message = f"{call.host}{call.path}: status {problem.status}: the account is not shown to us (any longer)"
    return AccountUnavailable(f"{message}; nothing to do, it is asked again next time", outcome, reason)


def _json(answer: Fetched, call: _Call) -> object:
    try:
        return orjson.loads(answer.body or b"")
    except orjson.JSONDecodeError:
        pass
    raise call.error("the answer is not JSON", _NOT_MASTODON)


# names and places


def _split_handle(handle: str) -> tuple[str, str]:
    """User and host of `@user@host`; the message of the error does not repeat the handle."""
    name, _, host = handle.removeprefix("@").rpartition("@")
    if not (handle.startswith("@") and _NAME.fullmatch(name) and _HOST.fullmatch(host)):
        raise PlatformError("mastodon: a handle is not of the form @user@host; correct it where it is listed")
    return name, host.lower()


def _split(identity: str) -> tuple[str, str]:
    """Host and id of `host/id`."""
    host, _, number = identity.partition("/")
    if not (_HOST.fullmatch(host) and _ID.fullmatch(number)):
        raise PlatformError("mastodon: an id is not of the form host/id; correct it where it is listed")
    return host.lower(), number


def _locate(wanted: Wanted) -> _Place:
    if wanted.account_id is not None:
        host, number = _split(wanted.account_id)
        return _Place(host, None, number)
    if wanted.handle is None:
        raise PlatformError("mastodon: an account has neither handle nor id; correct it where it is listed")
    name, host = _split_handle(wanted.handle)
    return _Place(host, name, None)


def _must_be_local(account: _Object) -> _Object:
    if "@" in account.text("acct"):
        raise account.error("acct", "a name on another server, though the account was looked for on its own")
    return account


def _handle(account: _Object, domain: str) -> str:
    """`@user@host` in lower case: `acct` has a host only where that is not the answering server's own."""
    name = account.text("acct")
    return (f"@{name}" if "@" in name else f"@{name}@{domain}").lower()


def _host_of(address: str | None) -> str | None:
    """The host of an address, with its port where that is written; None if it is no web address."""
    parts = _parsed(address or "")
    if parts is None or parts.scheme not in ("http", "https"):
        return None
    host = parts.netloc.rpartition("@")[2].lower()
    return host if _HOST.fullmatch(host) else None


def _parsed(address: str) -> SplitResult | None:
    try:
        return urlsplit(address)
    except ValueError:
        return None


# paging


def _next_query(answer: Fetched, asked: str, call: _Call) -> str | None:
    """The query of the next page's address; None where the Link header (RFC 8288) names none."""
    for target, relations in _links(answer.headers.get("link", ""), call):
        if "next" not in relations:
            continue
        try:
            link = urlsplit(urljoin(asked, target))
            here = urlsplit(asked)
            # Behind a proxy some servers write http for https; we never go by the link's scheme.
            same = (link.hostname, link.port or 0, link.path) == (here.hostname, here.port or 0, here.path)
        except ValueError:
            same = False
        if not same:
            raise call.error("the link to the next page leads to another host or path")
        if not link.query:
            raise call.error("the link to the next page does not say which page")
        return link.query
    return None


def _links(header: str, call: _Call) -> Iterator[tuple[str, list[str]]]:
    """Target and relations of each link; raises PlatformError at what is no link: it may be the next page's."""
    position = 0
    while position < len(header.rstrip()):
        link = _LINK.match(header, position)
        if link is None:
            raise call.error("the Link header cannot be read, so whether there is more is not known")
        rel = _REL.search(link["parameters"])
        yield link["target"], (rel["quoted"] or rel["bare"] or "").lower().split() if rel else []
        position = link.end()


def _batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _BATCH):
        yield ids[start : start + _BATCH]


# posts


def _author(status: _Object) -> str:
    account = status.object("account")
    if account is None:
        raise status.error("account", "missing")
    return account.identifier("id")


def _is_of(status: _Object, number: str) -> bool:
    """True for a post of this account; raises PlatformError for anybody else's, which must not count."""
    if _author(status) != number:
        raise status.error("account.id", "not the one that was asked about")
    return True


def _is_open(status: _Object) -> bool:
    return status.text("visibility") in _OPEN


def _kind(status: _Object) -> Kind:
    """Boost, reply, quote or post; a reply stays one when what it replied to is deleted, which empties its id."""
    if status.has("reblog"):
        return "repost"
    if status.has("in_reply_to_id") or status.has("in_reply_to_account_id"):
        return "reply"
    return "quote" if status.has("quote") else "post"


def _post(host: str, status: _Object) -> Post:
    post_id = f"{host}/{status.identifier('id')}"
    moment = status.time("created_at")
    kind = _kind(status)
    if kind == "repost":  # counts, text and language of a boost are those of somebody else's post
        return Post(post_id, kind, posted_at=moment, claimed_at=moment, read_at=moment)
    text = _read_text(status)
    return Post(
        post_id,
        kind,
        posted_at=moment,
        claimed_at=moment,
        read_at=moment,
        likes=status.count("favourites_count"),
        reposts=status.count("reblogs_count"),
        replies=status.count("replies_count"),
        quotes=status.count("quotes_count"),
        text_length=text.length,
        has_link=text.has_link or status.has("card"),
        language=_language(status),
    )


def _language(status: _Object) -> str | None:
    """The language as a BCP 47 tag in lower case; None for what is no such tag."""
    language = (status.optional_text("language") or "").lower()
    return language if _TAG_BCP47.fullmatch(language) else None


def _read_text(status: _Object) -> Text:
    named = [*status.objects("mentions"), *status.objects("tags")]
    inside = frozenset(url for one in named if (url := one.optional_text("url")) is not None)
    return read_text(status.text("content"), inside)


# HTML


class Text(NamedTuple):
    """What the measures need of a post's text: its length in characters, and whether it links to a page."""

    length: int
    has_link: bool


# Tags are found here and only read by `HTMLParser`: on a damaged page the parser takes time that grows with the
# square of its length, and raises for `<![`. A tag that is longer than any address is text.
_TAG = re.compile(r"(<(?:/?[A-Za-z]|[!?])[^<>]{0,8192}>)")
_LONG_REFERENCE = re.compile(r"&#[0-9]{20,};?")  # int() refuses more than 4,300 digits
_PARAGRAPHS: Final = frozenset({"p", "li", "pre", "h1", "h2", "h3", "h4", "h5", "h6"})
_GROUPS: Final = frozenset({"blockquote", "div", "ol", "ul"})
_QUOTE_LINE: Final = "quote-inline"


def read_text(content: str, inside: frozenset[str] = frozenset()) -> Text:
    """Measure the HTML of a post; no content raises.

    A line break counts as one character, and so does the gap between two paragraphs. A link counts unless it is a
    mention or a hashtag, by its class, its relation or its address (`inside`). The line `RE: <address>` that
    servers put into a post that quotes another is the server's, not the author's, and counts as nothing.
    """
    reader = _Reader(inside)
    for number, piece in enumerate(_TAG.split(content)):
        if not number % 2 or not reader.take_tag(piece):
            reader.take_text(piece)
    return Text(reader.length, reader.has_link)


class _Reader(HTMLParser):
    """Counts characters and looks at links, one tag or piece of text at a time; keeps neither."""

    def __init__(self, inside: frozenset[str]) -> None:
        super().__init__(convert_charrefs=True)
        self._inside = inside
        self._depth = 0  # paragraphs that are open
        self._gap = False  # a paragraph began or ended since the last text
        self._skipped = ""  # the tag whose content is left out, while it is open
        self._skipped_depth = 0
        self.length = 0
        self.has_link = False

    def take_tag(self, piece: str) -> bool:
        """Read one tag; False when the parser takes it for text."""
        if piece[1] in "!?":
            return True
        self.feed(piece)
        is_tag = not self.rawdata
        self.reset()  # forgets a tag left open by a quotation mark, and that scripts hold no tags
        return is_tag

    def take_text(self, piece: str) -> None:
        if self._skipped or not piece:
            return
        text = html.unescape(_LONG_REFERENCE.sub("&#65533;", piece))
        if self._gap and not self._depth and text.isspace():
            return  # white space between paragraphs is layout
        self.length += len(text) + (1 if self._gap and self.length else 0)
        self._gap = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._skipped:
            self._skipped_depth += tag == self._skipped
            return
        values = {name: value or "" for name, value in attrs}
        classes = set(values.get("class", "").split())
        if _QUOTE_LINE in classes:
            self._skipped, self._skipped_depth = tag, 1
        elif tag == "a":
            self.has_link = self.has_link or self._leads_out(values, classes)
        elif tag == "br":
            self.length += 1
        else:
            self._boundary(tag, 1)

    def handle_endtag(self, tag: str) -> None:
        if self._skipped:
            self._skipped_depth -= tag == self._skipped
            if not self._skipped_depth:
                self._skipped = ""
            return
        self._boundary(tag, -1)

    def _boundary(self, tag: str, step: int) -> None:
        if tag in _PARAGRAPHS:
            self._depth = max(0, self._depth + step)
        self._gap = self._gap or tag in _PARAGRAPHS or tag in _GROUPS

    def _leads_out(self, values: Mapping[str, str], classes: set[str]) -> bool:
        href = values.get("href", "").strip()
        is_named = not classes.isdisjoint({"mention", "hashtag"}) or "tag" in values.get("rel", "").split()
        return href.lower().startswith(("http://", "https://")) and not is_named and href not in self._inside
