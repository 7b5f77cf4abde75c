"""A Mastodon server for tests: several hosts in one process on loopback, in the real API's JSON.

What it answers is validated against the official OpenAPI document, headers and errors included, and read by
Mastodon.py (`tests/integration/test_mastodon_api.py`). It keeps to what real servers do where a collector could be
wrong about it:

- paging by the Link header, which names a next page only after a full one; 40 posts at most, 20 unless asked;
- ids that hold their time (milliseconds × 2^16 and a number), as the real ones do;
- signed out one sees public and unlisted posts, 60 posts of a thread, 20 levels deep;
- fixed windows of requests that begin on the clock, a second window for paged requests, `X-RateLimit-Reset` in
  ISO 8601 with microseconds, and 429 without Retry-After;
- 401 everywhere under limited federation, 404 and 410, suspended accounts emptied but shown, boosts that nest
  somebody else's post, the line that servers put into posts that quote another.

A host is reached as `{fake.template}` (`http://127.0.0.1:PORT/HOST`), or by its name where names resolve to
loopback (`{fake.named_template}`). Accounts, posts and limits may be changed at
any time; `fake.seen` lists what was asked.
"""

from __future__ import annotations

import datetime as dt
import html
import itertools
import json
import math
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

Json = dict[str, Any]
_DEFAULT_LIMIT, _MOST = 20, 40
_SIGNED_OUT_DESCENDANTS, _SIGNED_OUT_DEPTH = 60, 20
_PAGED = frozenset({"page", "min_id", "max_id", "since_id"})


@dataclass(frozen=True)
class Limit:
    """So many requests in each window; windows begin at multiples of their length after `origin`, as in 1970."""

    requests: int
    seconds: float
    origin: float = 0.0


@dataclass(eq=False, repr=False)
class Account:
    """An account as one server knows it; `domain` is set for an account of another server."""

    server: Server
    id: str
    username: str
    domain: str | None = None
    created_at: dt.datetime = dt.datetime(2022, 11, 6, tzinfo=dt.UTC)
    followers: int = 0
    following: int = 0
    noindex: bool = False
    indexable: bool = False
    discoverable: bool | None = None
    suspended: bool = False
    limited: bool = False
    gone: bool = False
    moved_to: Account | None = None
    statuses: list[Status] = field(default_factory=list)

    @property
    def acct(self) -> str:
        return self.username if self.domain is None else f"{self.username}@{self.domain}"

    @property
    def url(self) -> str:
        return f"https://{self.domain or self.server.name}/@{self.username}"

    def post(self, text: str = "", **details: Any) -> Status:
        """Post plain text, or HTML given as `content`."""
        return self.server.add_status(self, text, **details)

    def boost(self, status: Status, at: dt.datetime | None = None) -> Status:
        return self.server.add_status(self, "", at=at, reblog=status)


@dataclass(eq=False, repr=False)
class Status:
    """A post as one server knows it; counts are numbers of their own, as on real servers."""

    account: Account
    id: str
    created_at: dt.datetime
    content: str
    visibility: str = "public"
    language: str | None = "en"
    favourites: int = 0
    reblogs: int = 0
    replies: int = 0
    quotes: int | None = 0
    in_reply_to: Status | None = None
    in_reply_to_account: Account | None = None
    reblog: Status | None = None
    quote: Status | None = None
    mentions: Sequence[Account] = ()
    tags: Sequence[str] = ()
    card: str | None = None
    edited_at: dt.datetime | None = None
    deleted: bool = False

    @property
    def url(self) -> str:
        return f"{self.account.url}/{self.id}"

    def delete(self) -> None:
        """Delete it; replies to it forget its id but not its author."""
        self.deleted = True


@dataclass(eq=False, repr=False)
class Server:
    """One Mastodon host; `domain` is the part behind the @ of its handles, where that is not its own name."""

    name: str
    domain: str = ""
    version: tuple[int, int] = (4, 6)
    limited_federation: bool = False
    general: Limit = Limit(300, 300.0)
    paging: Limit = Limit(300, 900.0)
    tokens: set[str] = field(default_factory=set)
    failures: list[int] = field(default_factory=list)  # statuses of the next answers, before anything else
    left_out: set[str] = field(default_factory=set)  # posts that are dropped after a page was cut
    accounts: dict[str, Account] = field(default_factory=dict)
    statuses: dict[str, Status] = field(default_factory=dict)
    counts: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.domain = self.domain or self.name

    def account(self, username: str, domain: str | None = None, **details: Any) -> Account:
        """Register an account; with `domain`, one of another server that this one has heard of."""
        account = Account(self, self._new_id(dt.datetime(2022, 11, 6, tzinfo=dt.UTC)), username, domain, **details)
        self.accounts[account.id] = account
        return account

    def add_status(
        self,
        account: Account,
        text: str,
        *,
        at: dt.datetime | None = None,
        content: str | None = None,
        **details: Any,
    ) -> Status:
        at = at or dt.datetime.now(dt.UTC)
        status = Status(
            account, self._new_id(at), at, content if content is not None else paragraphs(text), **details
        )
        if (parent := status.in_reply_to) is not None:
            status.in_reply_to_account = parent.account
            parent.replies += 1
        if status.reblog is not None:
            status.reblog.reblogs += 1
        if status.quote is not None:
            status.quote.quotes = (status.quote.quotes or 0) + 1
        self.statuses[status.id] = status
        account.statuses.append(status)
        return status

    def _new_id(self, at: dt.datetime) -> str:
        return str((int(at.timestamp() * 1000) << 16) + next(self._numbers) % 65536)


@dataclass
class Website:
    """A domain that is no Mastodon server: it redirects to one, names one through WebFinger, or does neither."""

    name: str
    redirects_to: str | None = None
    webfinger_to: str | None = None
    status: int = 404


@dataclass(frozen=True)
class Reply:
    """One answer of a server."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """One request: host as meant, path without the host's prefix, query and token, and what was answered."""

    host: str
    path: str
    query: Mapping[str, list[str]]
    authorization: str | None
    reply: Reply


@dataclass(frozen=True)
class Question:
    """One request, taken apart."""

    base: str  # where the host is reached, for links
    path: str
    query: Mapping[str, list[str]]
    authorization: str | None

    def one(self, name: str) -> str | None:
        return self.query[name][0] if name in self.query else None

    @property
    def is_paged(self) -> bool:
        return not _PAGED.isdisjoint(self.query)


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no fault; anything else is shown as usual."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class FakeMastodon:
    """The servers behind one port; use as `with FakeMastodon() as fake`."""

    def __init__(self) -> None:
        self.seen: list[Asked] = []
        self._places: dict[str, Server | Website] = {}
        self._lock = threading.Lock()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one packet, or each answer waits for an acknowledgement

            def do_GET(self) -> None:
                reply = fake._reply(self.path, self.headers.get("Host", ""), self.headers.get("Authorization"))
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, *_: object) -> None:
                pass

        self._http = _Http(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    @property
    def template(self) -> str:
        return f"http://127.0.0.1:{self.port}/{{host}}"

    @property
    def named_template(self) -> str:
        return f"http://{{host}}:{self.port}"

    def server(self, name: str, **details: Any) -> Server:
        server = Server(name, **details)
        self._places[name] = server
        return server

    def website(self, name: str, **details: Any) -> Website:
        website = Website(name, **details)
        self._places[name] = website
        return website

    def asked(self, path: str) -> list[Asked]:
        """What was asked of one path on any host."""
        return [one for one in self.seen if one.path == path]

    def _reply(self, target: str, host: str, authorization: str | None) -> Reply:
        parts = urlsplit(target)
        first, _, rest = parts.path.lstrip("/").partition("/")
        if first in self._places:
            name, base, path = first, f"http://127.0.0.1:{self.port}/{first}", f"/{rest}"
        else:
            name, base, path = host.partition(":")[0], f"http://{host}", parts.path
        question = Question(base, path, parse_qs(parts.query, keep_blank_values=True), authorization)
        with self._lock:
            place = self._places.get(name)
            if place is None:
                reply = Reply(404, b"<!doctype html><title>Not found</title>", {"Content-Type": "text/html"})
            elif isinstance(place, Website):
                reply = _website(place, question, base.replace(name, place.redirects_to or name), parts.query)
            else:
                reply = _limited(place, question)
            self.seen.append(Asked(name, path, question.query, authorization, reply))
        return reply


def paragraphs(text: str) -> str:
    """Plain text as Mastodon's HTML: paragraphs between empty lines, `<br />` for other line breaks."""
    escaped = (html.escape(part).replace("\n", "<br />") for part in text.split("\n\n"))
    return "".join(f"<p>{part}</p>" for part in escaped) if text else ""


def link(address: str) -> str:
    """An address in a post, as Mastodon writes it: whole in the text, shortened for the eye."""
    scheme, _, rest = address.partition("://")
    shown, hidden = html.escape(rest[:30]), html.escape(rest[30:])
    return (
        f'<a href="{html.escape(address)}" target="_blank" rel="nofollow noopener" translate="no">'
        f'<span class="invisible">{scheme}://</span><span class="{"ellipsis" if hidden else ""}">{shown}</span>'
        f'<span class="invisible">{hidden}</span></a>'
    )


def mention(account: Account) -> str:
    """A mention in a post, as Mastodon writes it."""
    name = f"@<span>{account.username}</span>"
    return f'<span class="h-card" translate="no"><a href="{account.url}" class="u-url mention">{name}</a></span>'


def hashtag(server: Server, name: str) -> str:
    """A hashtag in a post, as Mastodon writes it."""
    return (
        f'<a href="https://{server.name}/tags/{name}" class="mention hashtag" rel="tag">#<span>{name}</span></a>'
    )


# what comes before the API


def _website(website: Website, question: Question, target: str, query: str) -> Reply:
    if question.path == "/.well-known/webfinger" and website.webfinger_to is not None:
        return _webfinger(question, website.name, website.webfinger_to)
    if website.redirects_to is not None and question.path.startswith("/api/"):
        return Reply(301, b"", {"Location": f"{target}{question.path}?{query}"})
    return Reply(website.status, b"<!doctype html><title>Town</title>", {"Content-Type": "text/html"})


def _webfinger(question: Question, domain: str, home: str) -> Reply:
    resource = question.one("resource") or ""
    user = resource.removeprefix("acct:").partition("@")[0]
    links = [
        {"rel": "http://webfinger.net/rel/profile-page", "type": "text/html", "href": f"https://{home}/@{user}"},
        {"rel": "self", "type": "application/activity+json", "href": f"https://{home}/users/{user}"},
    ]
    body = json.dumps({"subject": f"acct:{user}@{domain}", "links": links}).encode()
    return Reply(200, body, {"Content-Type": "application/jrd+json"})


def _limited(server: Server, question: Question) -> Reply:
    """Count the request against its windows and answer it, unless one of them is used up."""
    now = time.time()
    who = question.authorization or "address"
    limits = {"general": server.general} | ({"paging": server.paging} if question.is_paged else {})
    left: dict[str, int] = {}
    for name, limit in limits.items():
        window = (name, who, math.floor((now - limit.origin) / limit.seconds))
        server.counts[window] += 1
        left[name] = limit.requests - server.counts[window]
    scarcest = min(left, key=lambda name: left[name])
    limit = limits[scarcest]
    # Real servers reckon in whole seconds what is left of the window, and add it to this moment.
    passed = (math.floor(now) if limit.seconds >= 1 else now) - limit.origin
    reset = now + limit.seconds - passed % limit.seconds
    headers = {
        "X-RateLimit-Limit": str(limit.requests),
        "X-RateLimit-Remaining": str(max(0, left[scarcest])),
        "X-RateLimit-Reset": dt.datetime.fromtimestamp(reset, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    if left[scarcest] < 0:
        body = json.dumps({"error": "Too many requests"}).encode()
        return Reply(429, body, {"Content-Type": "application/json", **headers})
    reply = _answer(server, question)
    return Reply(reply.status, reply.body, {**reply.headers, **headers})


# the API


def _json(value: object, headers: Mapping[str, str] | None = None, status: int = 200) -> Reply:
    body = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    return Reply(status, body, {"Content-Type": "application/json; charset=utf-8", **(headers or {})})


def _error(status: int, message: str) -> Reply:
    return _json({"error": message}, status=status)


_NOT_FOUND = _error(404, "Record not found")


def _answer(server: Server, question: Question) -> Reply:
    refusal = _refusal(server, question)
    return refusal if refusal is not None else _route(server, question)


def _refusal(server: Server, question: Question) -> Reply | None:
    if server.failures:
        return _error(server.failures.pop(0), "There was a temporary problem")
    token = (question.authorization or "").removeprefix("Bearer ")
    if question.authorization is not None and token not in server.tokens:
        return _error(401, "The access token is invalid")
    if server.limited_federation and not token:
        return _error(401, "This method requires an authenticated user")
    return None


def _route(server: Server, question: Question) -> Reply:
    is_signed_in = question.authorization is not None
    match question.path.strip("/").split("/"):
        case ["api", "v1", "accounts", "lookup"]:
            return _account(_named(server, question.one("acct") or ""))
        case ["api", "v1", "accounts", number]:
            return _account(server.accounts.get(number))
        case ["api", "v1", "accounts", number, "statuses"]:
            return _statuses(server, number, question, is_signed_in=is_signed_in)
        case ["api", "v1", "statuses"] if server.version >= (4, 3):
            return _several(server, question.query.get("id[]", []), is_signed_in=is_signed_in)
        case ["api", "v1", "statuses", number]:
            status = _visible(server, number, is_signed_in=is_signed_in)
            return _NOT_FOUND if status is None else _json(_status_json(status))
        case ["api", "v1", "statuses", number, "context"]:
            return _context(server, number, is_signed_in=is_signed_in)
        case [".well-known", "webfinger"]:
            name = (question.one("resource") or "").removeprefix("acct:")
            return _NOT_FOUND if _named(server, name) is None else _webfinger(question, server.domain, server.name)
    return _error(404, "Not Found")


def _named(server: Server, acct: str) -> Account | None:
    name, _, domain = acct.removeprefix("@").lower().partition("@")
    domain = "" if domain in (server.name, server.domain) else domain
    for account in server.accounts.values():
        if (account.username.lower(), account.domain or "") == (name, domain):
            return account
    return None


def _account(account: Account | None) -> Reply:
    if account is None:
        return _NOT_FOUND
    if account.gone:
        return Reply(410, b"", {"Content-Type": "application/json; charset=utf-8"})
    return _json(_account_json(account))


def _shows(status: Status, *, is_signed_in: bool) -> bool:
    visibilities = ("public", "unlisted", "private") if is_signed_in else ("public", "unlisted")
    original = status.reblog
    is_there = not status.deleted and not status.account.suspended
    return is_there and status.visibility in visibilities and (original is None or not original.deleted)


def _visible(server: Server, number: str, *, is_signed_in: bool) -> Status | None:
    status = server.statuses.get(number)
    return status if status is not None and _shows(status, is_signed_in=is_signed_in) else None


def _statuses(server: Server, number: str, question: Question, *, is_signed_in: bool) -> Reply:
    account = server.accounts.get(number)
    if account is None:
        return _NOT_FOUND
    if account.gone:
        return Reply(410, b"", {"Content-Type": "application/json; charset=utf-8"})
    limit = min(abs(int(question.one("limit") or _DEFAULT_LIMIT)), _MOST)
    found = sorted(account.statuses, key=lambda status: int(status.id), reverse=True)
    found = [status for status in found if _shows(status, is_signed_in=is_signed_in)]
    if (below := question.one("max_id")) is not None:
        found = [status for status in found if int(status.id) < int(below)]
    if (above := question.one("min_id") or question.one("since_id")) is not None:
        found = [status for status in found if int(status.id) > int(above)]
    # min_id gives those just above it, since_id the newest.
    page = found[-limit:] if question.one("min_id") is not None else found[:limit]
    shown = [_status_json(status) for status in page if status.id not in server.left_out]
    return _json(shown, _link_header(question, page, limit))


def _link_header(question: Question, page: Sequence[Status], limit: int) -> dict[str, str]:
    """The pages before and after; there is an older one only after a page that was full when it was cut."""
    if not page:
        return {}
    kept = {name: values[0] for name, values in question.query.items() if name not in _PAGED}
    address = f"{question.base}{question.path}"
    links = {"next": {"max_id": page[-1].id}} if len(page) == limit else {}
    links["prev"] = {"min_id": page[0].id}
    written = (f'<{address}?{urlencode({**kept, **ids})}>; rel="{rel}"' for rel, ids in links.items())
    return {"Link": ", ".join(written)}


def _several(server: Server, numbers: Sequence[str], *, is_signed_in: bool) -> Reply:
    if len(set(numbers)) > _DEFAULT_LIMIT:
        return _json({"error": "Validation failed", "details": {}}, status=422)
    found = (_visible(server, number, is_signed_in=is_signed_in) for number in dict.fromkeys(numbers))
    return _json([_status_json(status) for status in found if status is not None])


def _context(server: Server, number: str, *, is_signed_in: bool) -> Reply:
    status = _visible(server, number, is_signed_in=is_signed_in)
    if status is None:
        return _NOT_FOUND
    ancestors: list[Status] = []
    parent = status.in_reply_to
    while parent is not None:
        ancestors.insert(0, parent)
        parent = parent.in_reply_to
    below = list(_below(server, status, 1, is_signed_in=is_signed_in))
    below = below if is_signed_in else below[:_SIGNED_OUT_DESCENDANTS]
    above = [_status_json(one) for one in ancestors if _shows(one, is_signed_in=is_signed_in)]
    return _json({"ancestors": above, "descendants": [_status_json(one) for one in below]})


def _below(server: Server, status: Status, depth: int, *, is_signed_in: bool) -> Iterator[Status]:
    """The thread below a post, depth first."""
    if not is_signed_in and depth > _SIGNED_OUT_DEPTH:
        return
    for one in sorted(server.statuses.values(), key=lambda one: int(one.id)):
        if one.in_reply_to is status and _shows(one, is_signed_in=is_signed_in):
            yield one
            yield from _below(server, one, depth + 1, is_signed_in=is_signed_in)


# JSON


def _time(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _account_json(account: Account, *, is_nested: bool = False) -> Json:
    shown = [one for one in account.statuses if not one.deleted]
    is_suspended = account.suspended
    picture = f"https://{account.server.name}/avatars/original/missing.png"
    value: Json = {
        "id": account.id,
        "username": account.username,
        "acct": account.acct,
        "display_name": "" if is_suspended else f"The name of {account.username}",
        "locked": False,
        "bot": False,
        "discoverable": False if is_suspended else account.discoverable,
        "indexable": False if is_suspended else account.indexable,
        "group": False,
        "created_at": account.created_at.strftime("%Y-%m-%dT00:00:00.000Z"),
        "note": "" if is_suspended else f"<p>About {account.username}</p>",
        "url": account.url,
        "uri": f"https://{account.domain or account.server.name}/users/{account.username}",
        "avatar": picture,
        "avatar_static": picture,
        "avatar_description": "",
        "header": picture,
        "header_static": picture,
        "header_description": "",
        "followers_count": account.followers,
        "following_count": account.following,
        "statuses_count": len(shown),
        "last_status_at": max((one.created_at.date().isoformat() for one in shown), default=None),
        "hide_collections": None,
        "show_media": True,
        "show_media_replies": True,
        "show_featured": True,
        "feature_approval": {"automatic": [], "manual": [], "current_user": "missing"},
        "emojis": [],
        "fields": [] if is_suspended else [{"name": "site", "value": "town", "verified_at": None}],
    }
    if account.domain is None:
        value |= {"noindex": account.noindex, "roles": []}
    value |= {"suspended": True} if is_suspended else {}
    value |= {"limited": True} if account.limited else {}
    if account.moved_to is not None and not is_nested:
        value["moved"] = _account_json(account.moved_to, is_nested=True)
    return value


def _status_json(status: Status, *, is_nested: bool = False) -> Json:
    parent, original = status.in_reply_to, status.reblog
    parent_author = status.in_reply_to_account
    value: Json = {
        "id": status.id,
        "created_at": _time(status.created_at),
        "in_reply_to_id": parent.id if parent is not None and not parent.deleted else None,
        "in_reply_to_account_id": None if parent_author is None else parent_author.id,
        "sensitive": False,
        "spoiler_text": "",
        "visibility": status.visibility,
        "language": status.language if original is None else None,
        "uri": f"https://{status.account.domain or status.account.server.name}/statuses/{status.id}",
        "url": status.url,
        "replies_count": status.replies,
        "reblogs_count": status.reblogs,
        "favourites_count": status.favourites,
        "quotes_count": status.quotes,
        "edited_at": None if status.edited_at is None else _time(status.edited_at),
        # A boost repeats the text of the post that it boosts.
        "content": status.content if original is None else original.content,
        "reblog": None if original is None else _status_json(original, is_nested=True),
        "application": {"name": "Web", "website": None},
        "account": _account_json(status.account),
        "media_attachments": [],
        "mentions": [
            {"id": one.id, "username": one.username, "url": one.url, "acct": one.acct} for one in status.mentions
        ],
        "tags": [
            {"name": name, "url": f"https://{status.account.server.name}/tags/{name}"} for name in status.tags
        ],
        "emojis": [],
        "tagged_collections": [],
        "quote": None,
        "card": None if status.card is None else _card_json(status.card),
        "poll": None,
        "quote_approval": {"automatic": ["public"], "manual": [], "current_user": "denied"},
    }
    if (quoted := status.quote) is not None:
        value["quote"] = (
            {"state": "accepted", "quoted_status_id": quoted.id}
            if is_nested
            else {"state": "accepted", "quoted_status": _status_json(quoted, is_nested=True)}
        )
        value["content"] = f'<p class="quote-inline">RE: {link(quoted.url)}</p>{value["content"]}'
    return value


def _card_json(address: str) -> Json:
    empty = dict.fromkeys(("author_name", "author_url", "embed_url", "html", "provider_name", "provider_url"), "")
    return {
        **empty,
        "url": address,
        "title": "A page",
        "description": "What it says",
        "type": "link",
        "authors": [],
        "width": 0,
        "height": 0,
        "image": None,
        "blurhash": None,
        "published_at": None,
    }
