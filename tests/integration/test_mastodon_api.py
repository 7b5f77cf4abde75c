"""The Mastodon collector through the real client, and the fake server before its judges.

The fake is judged by the official OpenAPI document, strictly, and by Mastodon.py, which reads the same accounts
and posts and must see what the collector sees. Recorded answers of a real server are replayed.
"""

from __future__ import annotations

import asyncio
import copy
import datetime as dt
import http.client
import json
import logging
import re
import time
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import urlsplit

import mastodon
import pytest
import stamina
import yaml
from jsonschema import Draft202012Validator, FormatChecker

from pipelines.sources.http import Fetched, FetchError, HttpPolicy, PoliteClient
from pipelines.sources.mastodon import Mastodon
from pipelines.sources.social import Answer, Collector, PlatformError, Post, Profile, Reply, Settings, Wanted
from tests.conftest import REAL
from tests.fake_mastodon import Account, FakeMastodon, Limit, Server, Status, hashtag, link, mention, paragraphs

T = TypeVar("T")
RECORDINGS = REAL / "api" / "mastodon"
TOWN = "town.example"
COUNTY = "county.example"
TOKEN = "zzcanary-token"  # noqa: S105 - planted, to be searched for
TEXT = "zzcanarytext"
NOON = dt.datetime(2026, 11, 20, 12, 0, 0, 250_000, tzinfo=dt.UTC)
LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
POLICY = HttpPolicy(
    contact="tests@example.org",
    per_host_per_second=1000.0,
    private_hosts=frozenset({TOWN, COUNTY, "social.county.example"}),
)


@pytest.fixture(autouse=True)
def _quick_retries() -> Iterator[None]:
    with stamina.set_testing(True, attempts=5, cap=True):
        yield


@pytest.fixture
def fake() -> Iterator[FakeMastodon]:
    with FakeMastodon() as server:
        yield server


# a town with an account of every kind


@dataclass
class Town:
    """The accounts and posts that the tests speak of."""

    server: Server
    council: Account
    posts: list[Status]
    asked: Status
    others: dict[str, Account] = field(default_factory=dict)


@pytest.fixture
def town(fake: FakeMastodon) -> Town:
    """95 posts of a council with replies, boosts, quotes and private ones among them, and accounts with flags."""
    server = fake.server(TOWN)
    council = server.account("Council", followers=1204, following=37)
    citizen, press = server.account("ann", "other.example"), server.account("press", "news.example")
    story = press.post(f"{TEXT} story", at=NOON - 500 * HOUR, favourites=812, language="cy")
    posts = [_post(council, number, citizen, story) for number in range(95)]
    others = {
        "moved": server.account("moved", moved_to=server.account("council", "new.example")),
        "moved_here": server.account("old", moved_to=council),
        "suspended": server.account("suspended", suspended=True),
        "gone": server.account("gone", gone=True),
        "opted_out": server.account("optedout", noindex=True),
        "limited": server.account("limited", limited=True, followers=-1),
        "silent": server.account("silent", indexable=True),
    }
    for name in ("suspended", "opted_out", "limited"):
        others[name].post(TEXT, at=NOON)
    return Town(server, council, posts, posts[-1], others)


def _post(council: Account, number: int, citizen: Account, story: Status) -> Status:
    at = NOON - number * HOUR
    server = council.server
    match number % 10:
        case 1:
            return council.boost(story, at=at)
        case 2:
            question = citizen.post(f"{TEXT} When?", at=at - HOUR / 2, in_reply_to=None)
            content = f"<p>{mention(citizen)} Friday</p>"
            return council.post(content=content, at=at, in_reply_to=question, mentions=[citizen], replies=1)
        case 3:
            return council.post(f"{TEXT} quite so", at=at, quote=story, language=None)
        case 4:
            return council.post(f"{TEXT} for followers", at=at, visibility="private")
        case 5:
            address = "https://town.example/a/rather/long/address?week=2&day=mon"
            return council.post(
                content=f"<p>{TEXT}</p><p>{link(address)}</p>", at=at, card=address, reblogs=number
            )
        case 6:
            content = f"<p>{TEXT} {hashtag(server, 'bins')}</p>"
            return council.post(content=content, at=at, tags=["bins"], visibility="unlisted", language="zh-TW")
        case _:
            return council.post(f"{TEXT} & {number}\nline", at=at, favourites=number, quotes=number % 3)


# asking


def run(task: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(task, 60))


@dataclass
class Way:
    """How the collector reaches the fake: the real client, with every name at loopback."""

    fake: FakeMastodon
    tokens: Mapping[str, str] = field(default_factory=dict)
    policy: HttpPolicy = POLICY

    async def open(self, stack: AsyncExitStack) -> Mastodon:
        client = await stack.enter_async_context(PoliteClient(self.policy, resolve=_loopback))
        return Mastodon(client, Settings(self.fake.named_template, self.tokens))

    def profile(self, wanted: Wanted) -> Answer:
        async def ask() -> Answer:
            async with AsyncExitStack() as stack:
                [answer] = await (await self.open(stack)).profiles([wanted])
                return answer

        return run(ask())

    def observed(self, wanted: Wanted) -> Profile:
        profile = self.profile(wanted).profile
        assert profile is not None
        return profile

    def pages(self, profile: Profile, since: dt.datetime = LONG_AGO) -> list[list[Post]]:
        async def ask() -> list[list[Post]]:
            async with AsyncExitStack() as stack:
                return [page async for page in (await self.open(stack)).posts(profile, since)]

        return run(ask())

    def lookup(self, profile: Profile, ids: Sequence[str]) -> dict[str, Post | None]:
        async def ask() -> dict[str, Post | None]:
            async with AsyncExitStack() as stack:
                return await (await self.open(stack)).lookup(profile, ids)

        return run(ask())

    def replies(self, profile: Profile, post_id: str) -> list[Reply] | None:
        async def ask() -> list[Reply] | None:
            async with AsyncExitStack() as stack:
                return await (await self.open(stack)).replies(profile, post_id)

        return run(ask())


async def _loopback(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


def named(username: str, host: str = TOWN) -> Wanted:
    return Wanted(f"@{username}@{host}")


async def _all(collector: Collector, profile: Profile) -> list[list[Post]]:
    return [page async for page in collector.posts(profile, LONG_AGO)]


def flat(pages: Sequence[Sequence[Post]]) -> list[Post]:
    return [post for page in pages for post in page]


# --- through the real client --------------------------------------------------------------------------------


def test_a_profile_by_name_and_by_id(fake: FakeMastodon, town: Town) -> None:
    way = Way(fake)
    profile = way.observed(named("council"))
    assert profile == Profile(
        f"{TOWN}/{town.council.id}",
        f"@council@{TOWN}",
        created_at=dt.datetime(2022, 11, 6, tzinfo=dt.UTC),
        followers=1204,
        following=37,
        posts=95,
    )
    assert way.observed(Wanted(None, profile.account_id)) == profile
    assert [one.path for one in fake.seen] == [
        "/api/v1/accounts/lookup",
        f"/api/v1/accounts/{town.council.id}",
    ]


def test_what_becomes_of_each_account(fake: FakeMastodon, town: Town) -> None:
    way = Way(fake)
    found = {
        name: (answer.outcome, answer.reason, answer.moved_to)
        for name, account in town.others.items()
        for answer in [way.profile(named(account.username))]
    }
    assert found == {
        "moved": ("moved", "moved", "@council@new.example"),
        "moved_here": ("moved", "moved", f"@council@{TOWN}"),
        "suspended": ("unavailable", "suspended", None),
        "gone": ("unavailable", "gone", None),
        "opted_out": ("opted_out", "noindex", None),
        "limited": ("observed", None, None),
        "silent": ("observed", None, None),
    }
    assert way.profile(named("nobody")).reason == "not_found"
    limited, silent = way.observed(named("limited")), way.observed(named("silent"))
    assert (limited.followers, limited.posts) == (None, 1)
    assert (silent.followers, silent.posts) == (0, 0)


def test_all_posts_are_read_and_are_what_they_were_made(fake: FakeMastodon, town: Town) -> None:
    way = Way(fake)
    read = way.pages(way.observed(named("council")))
    # Signed out, the server gives full pages of what is for everybody: 10 of 95 posts are for followers.
    assert [len(page) for page in read] == [40, 40, 5]
    found = {post.post_id.removeprefix(f"{TOWN}/"): post for post in flat(read)}
    made = {post.id: post for post in town.posts if post.visibility != "private"}
    assert list(found) == list(made)
    for number, post in found.items():
        status = made[number]
        assert post.posted_at == post.claimed_at == post.read_at == status.created_at
        if status.reblog is not None:
            assert post == Post(
                f"{TOWN}/{number}", "repost", status.created_at, status.created_at, status.created_at
            )
            continue
        assert (post.likes, post.reposts, post.replies, post.quotes) == (
            status.favourites,
            status.reblogs,
            status.replies,
            status.quotes,
        )
        assert post.language == (None if status.language is None else status.language.lower())
        assert post.has_link == (status.card is not None)
    kinds = [post.kind for post in found.values()]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"post": 55, "repost": 10, "reply": 10, "quote": 10}
    lengths = {post.text_length for post in found.values() if post.kind == "quote"}
    assert lengths == {len(f"{TEXT} quite so")}


def test_reading_stops_where_it_was_asked_to(fake: FakeMastodon, town: Town) -> None:
    way = Way(fake)
    profile = way.observed(named("council"))
    assert [len(page) for page in way.pages(profile, NOON - 10 * HOUR)] == [40, 40]
    assert [len(page) for page in way.pages(profile, NOON + HOUR)] == [40]
    assert len(fake.asked(f"/api/v1/accounts/{town.council.id}/statuses")) == 3


def test_pages_from_which_the_server_drops_posts_are_not_the_end(fake: FakeMastodon, town: Town) -> None:
    shown = [post for post in town.posts if post.visibility != "private"]
    town.server.left_out = {post.id for post in shown[:40]} | {post.id for post in shown[41:79]}
    way = Way(fake)
    assert [len(page) for page in way.pages(way.observed(named("council")))] == [0, 2, 5]


@pytest.mark.parametrize("version", [(4, 6), (4, 2)])
def test_posts_are_seen_again_with_what_changed(fake: FakeMastodon, town: Town, version: tuple[int, int]) -> None:
    town.server.version = version
    way = Way(fake)
    profile = way.observed(named("council"))
    known = flat(way.pages(profile))
    deleted, edited, parent = town.posts[0], town.posts[7], town.posts[2].in_reply_to
    assert parent is not None
    deleted.delete()
    parent.delete()
    edited.favourites, edited.edited_at, edited.content = 4321, NOON, paragraphs("shorter")
    seen = way.lookup(profile, [post.post_id for post in known])
    assert [post_id for post_id, post in seen.items() if post is None] == [f"{TOWN}/{deleted.id}"]
    changed = {post.post_id: post for post in known if seen[post.post_id] not in (post, None)}
    assert list(changed) == [f"{TOWN}/{edited.id}"]
    again = seen[f"{TOWN}/{edited.id}"]
    assert again == replace(changed[f"{TOWN}/{edited.id}"], likes=4321, text_length=7)
    # 85 posts: five calls of up to 20 and one for the deleted post; an old server refuses one, then takes 85.
    asked = [one for one in fake.seen if re.fullmatch(r"/api/v1/statuses(/\d+)?", one.path)]
    assert len(asked) == (6 if version >= (4, 3) else 86)


def test_replies_and_the_answers_to_them(fake: FakeMastodon, town: Town) -> None:
    ann = town.others["ann"] = town.server.account("bob", "other.example")
    post, council = town.posts[0], town.council
    first = ann.post(TEXT, at=NOON + HOUR, in_reply_to=post)
    ann.post(TEXT, at=NOON + 2 * HOUR, in_reply_to=post)
    council.post(TEXT, at=NOON + 4 * HOUR, in_reply_to=first)
    council.post(TEXT, at=NOON + 3 * HOUR, in_reply_to=first)
    council.post(TEXT, at=NOON + 5 * HOUR, in_reply_to=post)
    ann.post(TEXT, at=NOON + 6 * HOUR, in_reply_to=first)
    ann.post(TEXT, at=NOON + 7 * HOUR, in_reply_to=post, visibility="direct")
    way = Way(fake)
    profile = way.observed(named("council"))
    assert way.replies(profile, f"{TOWN}/{post.id}") == [
        Reply(NOON + HOUR, NOON + 3 * HOUR),
        Reply(NOON + 2 * HOUR, None),
    ]
    assert way.replies(profile, f"{TOWN}/{town.posts[7].id}") == []
    post.delete()
    assert way.replies(profile, f"{TOWN}/{post.id}") is None


def test_429_without_retry_after_is_waited_out_and_nothing_is_lost(fake: FakeMastodon, town: Town) -> None:
    """Another program behind our address has used up the window, which has two seconds to go."""
    way = Way(fake)
    town.server.general = Limit(20, 300.0, origin=time.time())
    while _raw(fake, "/api/v1/accounts/lookup?acct=council") == 200:
        pass
    town.server.general = Limit(20, 300.0, origin=time.time() - 298)
    started = time.monotonic()

    async def everything() -> list[Post]:
        async with AsyncExitStack() as stack:
            collector = await way.open(stack)
            [answer] = await collector.profiles([named("council")])
            assert answer.profile is not None
            both = await asyncio.gather(*(_all(collector, answer.profile) for _ in range(2)))
            assert both[0] == both[1]
            return flat(both[0])

    posts = run(everything())
    assert len(posts) == len({post.post_id for post in posts}) == 85
    refused = [one for one in fake.seen if one.reply.status == 429]
    assert len(refused) == 2  # the other program's last request and our first
    assert all("Retry-After" not in one.reply.headers for one in refused)
    assert 1 < time.monotonic() - started < 30


def test_a_server_that_never_relents_is_an_error_and_no_verdict(fake: FakeMastodon, town: Town) -> None:
    town.server.general = Limit(0, 0.2)
    way = Way(fake, policy=replace(POLICY, attempts=3))
    with pytest.raises(FetchError) as error:
        way.profile(named("council"))
    assert error.value.status == 429 or error.value.status is None
    assert "council" not in str(error.value).lower()


def test_a_server_that_is_down_for_a_moment_is_asked_again(fake: FakeMastodon, town: Town) -> None:
    town.server.failures = [503, 502]
    assert Way(fake).observed(named("council")).posts == 95


def test_limited_federation_is_restricted_until_a_token_opens_it(fake: FakeMastodon, town: Town) -> None:
    profile = Way(fake).observed(named("council"))
    town.server.limited_federation = True
    town.server.tokens = {TOKEN}
    answer = Way(fake).profile(named("council"))
    assert (answer.outcome, answer.reason, answer.profile) == ("restricted", "sign_in_required", None)
    assert Way(fake).replies(profile, f"{TOWN}/{town.posts[0].id}") is None
    with pytest.raises(PlatformError):
        Way(fake).pages(profile)
    way = Way(fake, {TOWN: TOKEN})
    assert way.observed(named("council")) == profile
    # The token is one of a follower's: what it shows beyond what anybody sees is not taken.
    assert [len(page) for page in way.pages(profile)] == [36, 36, 13]
    assert len(flat(way.pages(profile))) == 85
    assert Way(fake, {TOWN: "expired"}).profile(named("council")).outcome == "restricted"


@pytest.mark.parametrize("through", ["redirects_to", "webfinger_to"])
def test_a_domain_with_its_server_elsewhere(fake: FakeMastodon, through: str) -> None:
    home = fake.server("social.county.example", domain=COUNTY)
    council = home.account("council", followers=5)
    council.post(TEXT, at=NOON)
    fake.website(COUNTY, **{through: home.name})
    home.tokens = {"for-home"}
    way = Way(fake, {COUNTY: TOKEN, home.name: "for-home"})
    profile = way.observed(named("council", COUNTY))
    assert (profile.account_id, profile.handle) == (f"{home.name}/{council.id}", f"@council@{COUNTY}")
    assert way.observed(Wanted(profile.handle, profile.account_id)) == profile
    assert len(flat(way.pages(profile))) == 1
    tokens = {(one.host, one.authorization) for one in fake.seen}
    assert tokens <= {(COUNTY, f"Bearer {TOKEN}"), (home.name, "Bearer for-home"), (home.name, None)}
    assert way.profile(named("nobody", COUNTY)).reason == "not_found"


def test_a_host_that_is_no_mastodon(fake: FakeMastodon) -> None:
    fake.website(COUNTY, status=200)
    with pytest.raises(PlatformError, match=f"^{COUNTY}/api/v1/accounts/lookup: the answer is not JSON"):
        Way(fake).profile(named("council", COUNTY))


def test_no_person_and_no_token_in_logs_or_errors(
    fake: FakeMastodon, town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    town.server.tokens = {TOKEN}
    way = Way(fake, {TOWN: TOKEN}, replace(POLICY, attempts=1))
    profile = way.observed(named("council"))
    post_id = way.pages(profile)[0][0].post_id
    said = [repr(way.replies(profile, post_id)), repr(way.lookup(profile, [post_id]))]
    for ask in (
        lambda: way.profile(named("council")),
        lambda: way.profile(Wanted(None, profile.account_id)),
        lambda: way.pages(profile),
        lambda: way.lookup(profile, [post_id]),
        lambda: way.replies(profile, post_id),
    ):
        town.server.failures = [500]
        with pytest.raises(FetchError) as error:
            ask()
        said += [str(error.value), repr(error.value)]
        assert "/api/v1/" in str(error.value)
    number = post_id.partition("/")[2]
    everything = "\n".join([*said[2:], caplog.text])
    for secret in (TOKEN, TEXT, town.council.id, number, "council@", "acct="):
        assert secret not in everything
    assert TEXT not in "".join(said)


# --- judge: the official OpenAPI document ---------------------------------------------------------------------


class Conformance:
    """Whether an answer is one that the OpenAPI document describes; properties it does not name are faults."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._paths: Mapping[str, Any] = document["paths"]
        self._components = _closed(document["components"])
        self._formats = FormatChecker(formats=())
        self._formats.checks("date-time", ValueError)(_is_time)
        self._formats.checks("date", ValueError)(_is_date)
        self._formats.checks("uri")(_is_address)
        self._formats.checks("iso-639-1")(_is_language)

    def operation(self, path: str) -> str | None:
        """The operation that a path belongs to; one written out goes before one with a parameter."""
        for template in sorted(self._paths, key=lambda template: template.count("{")):
            pattern = re.sub(r"\{\w+\}", "[^/]+", template)
            if "get" in self._paths[template] and re.fullmatch(pattern, path):
                return str(template)
        return None

    def problems(self, path: str, status: int, headers: Mapping[str, str], body: bytes) -> list[str]:
        template = self.operation(path)
        if template is None:
            return [f"{path}: no such operation"]
        response = self._paths[template]["get"]["responses"].get(str(status))
        if response is None:
            return [f"{template}: status {status} is not described"]
        found = [*self._of_headers(response, headers), *self._of_body(response, headers, body)]
        return [f"{template} {status}: {problem}" for problem in found]

    def _of_headers(self, response: Mapping[str, Any], headers: Mapping[str, str]) -> Iterator[str]:
        written = {name.lower(): value for name, value in headers.items()}
        for name, reference in response.get("headers", {}).items():
            value = written.get(name.lower())
            if value is None:
                if name.startswith("X-RateLimit"):
                    yield f"{name} is missing"
                continue
            schema = self._components["headers"][reference["$ref"].rsplit("/", 1)[1]]["schema"]
            typed = int(value) if schema["type"] == "integer" else value
            yield from self._errors(schema, typed, name)

    def _of_body(self, response: Mapping[str, Any], headers: Mapping[str, str], body: bytes) -> Iterator[str]:
        content = response.get("content")
        if content is None:
            yield from ["there is a body"] if body else []
            return
        kind = {name.lower(): value for name, value in headers.items()}["content-type"].partition(";")[0]
        if kind not in content:
            yield f"content type {kind} is not described"
            return
        yield from self._errors(content[kind]["schema"], json.loads(body), "body")

    def _errors(self, schema: Mapping[str, Any], value: object, where: str) -> Iterator[str]:
        whole = {**_closed(schema), "components": self._components}
        validator = Draft202012Validator(whole, format_checker=self._formats)
        for error in validator.iter_errors(value):
            yield f"{where}{error.json_path.removeprefix('$')}: {error.message[:200]}"


def _closed(schema: Any) -> Any:
    """The schema with no room for properties that it does not name; that also tells its `oneOf`s apart."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(value) for name, value in schema.items() if name not in ("example", "examples")}
    if isinstance(schema.get("properties"), dict) and "type" in schema and "additionalProperties" not in schema:
        closed["additionalProperties"] = False
    return closed


def _is_time(value: object) -> bool:
    if not isinstance(value, str):
        return True
    shape = re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", value)
    return shape is not None and dt.datetime.fromisoformat(value).tzinfo is not None


def _is_date(value: object) -> bool:
    return not isinstance(value, str) or dt.date.fromisoformat(value).isoformat() == value


def _is_address(value: object) -> bool:
    """Real servers write empty text where a card has no author's page."""
    return not isinstance(value, str) or not value or bool(re.fullmatch(r"https?://[^\s/]+\S*", value))


def _is_language(value: object) -> bool:
    return not isinstance(value, str) or bool(re.fullmatch(r"[a-z]{2,3}(-[A-Za-z]{2,4})?", value))


@pytest.fixture(scope="module")
def conformance() -> Conformance:
    return Conformance(json.loads((RECORDINGS / "openapi.json").read_bytes()))


@dataclass(frozen=True)
class Recorded:
    """One recorded question and answer of a real server."""

    method: str
    address: str
    status: int
    headers: Mapping[str, str]
    body: bytes


def recordings(name: str) -> list[Recorded]:
    document = yaml.safe_load((RECORDINGS / f"{name}.yaml").read_text(encoding="utf-8"))
    return [
        Recorded(
            one["request"]["method"],
            one["request"]["uri"],
            one["response"]["status"]["code"],
            {key: ", ".join(values) for key, values in one["response"]["headers"].items()},
            one["response"]["body"]["string"].encode(),
        )
        for one in document["interactions"]
    ]


@pytest.mark.real
def test_answers_of_a_real_server_pass_the_same_judge(conformance: Conformance) -> None:
    """So the judge asks for nothing that real servers do not do."""
    answers = [one for name in ("test_account_lookup", "test_fetch_next_previous") for one in recordings(name)]
    read = [one for one in answers if one.method == "GET"]
    assert len(read) == 8
    for one in read:
        assert conformance.problems(urlsplit(one.address).path, one.status, one.headers, one.body) == []


def _raw(fake: FakeMastodon, path: str, token: str | None = None) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", fake.port)
    connection.request("GET", f"/{TOWN}{path}", headers={"Authorization": f"Bearer {token}"} if token else {})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


@pytest.mark.real
def test_every_answer_of_the_fake_is_one_that_the_openapi_document_describes(
    fake: FakeMastodon, town: Town, conformance: Conformance
) -> None:
    server, council = town.server, town.council
    bob = server.account("bob", "other.example")
    bob.post(TEXT, at=NOON + HOUR, in_reply_to=town.posts[0])
    posts = [post.id for post in town.posts]
    accounts = [*town.others.values(), council, bob]
    ids = "&".join(f"id[]={number}" for number in posts[:20])
    paths = [
        *(f"/api/v1/accounts/lookup?acct={account.acct}" for account in accounts),
        *(f"/api/v1/accounts/{account.id}" for account in accounts),
        *(f"/api/v1/accounts/{account.id}/statuses" for account in accounts),
        *(f"/api/v1/statuses/{number}" for number in posts),
        *(f"/api/v1/statuses/{number}/context" for number in posts[:12]),
        f"/api/v1/accounts/{council.id}/statuses?limit=7&max_id={posts[20]}",
        f"/api/v1/accounts/{council.id}/statuses?limit=7&min_id={posts[20]}",
        f"/api/v1/statuses?{ids}",
        f"/api/v1/statuses?{ids}&id[]={posts[20]}",
        "/api/v1/accounts/lookup?acct=nobody",
        "/api/v1/accounts/1",
        "/api/v1/accounts/1/statuses",
        "/api/v1/statuses/1",
        "/api/v1/statuses/1/context",
    ]
    operations = ["/accounts/lookup?acct=council", f"/accounts/{council.id}", f"/accounts/{council.id}/statuses"]
    operations += [f"/statuses/{posts[0]}", f"/statuses/{posts[0]}/context", f"/statuses?id[]={posts[0]}"]
    for path in paths:
        _raw(fake, path)
    for path in operations:
        _raw(fake, f"/api/v1{path}", "a token that nobody gave")
        server.failures = [503]
        _raw(fake, f"/api/v1{path}")
        server.limited_federation = True
        _raw(fake, f"/api/v1{path}")
        server.limited_federation = False
        server.general, general = Limit(0, 300.0), server.general
        _raw(fake, f"/api/v1{path}")
        server.general = general
    told = {(conformance.operation(one.path), one.reply.status) for one in fake.seen}
    statuses = "/api/v1/accounts/{id}/statuses"
    context = "/api/v1/statuses/{id}/context"
    everywhere = ["/api/v1/accounts/lookup", "/api/v1/accounts/{id}", statuses, "/api/v1/statuses/{id}", context]
    assert told == (
        {(operation, code) for operation in everywhere for code in (200, 401, 404, 429, 503)}
        | {(operation, 410) for operation in everywhere[:3]}
        | {("/api/v1/statuses", code) for code in (200, 401, 422, 429, 503)}
    )
    for one in fake.seen:
        assert conformance.problems(one.path, one.reply.status, one.reply.headers, one.reply.body) == []
        assert "Retry-After" not in one.reply.headers


@pytest.mark.real
def test_the_judge_sees_what_is_wrong(fake: FakeMastodon, town: Town, conformance: Conformance) -> None:
    """Each damage to an answer that conforms is found, so that passing means something."""
    path = f"/api/v1/accounts/{town.council.id}/statuses"
    _raw(fake, path)
    reply = fake.seen[-1].reply
    good = json.loads(reply.body)

    def problems(change: Any, **headers: str) -> list[str]:
        value = copy.deepcopy(good)
        change(value)
        written = {name.replace("_", "-"): text for name, text in headers.items()}
        return conformance.problems(path, 200, {**reply.headers, **written}, json.dumps(value).encode())

    assert problems(lambda _: None) == []
    assert problems(lambda value: value[0].pop("favourites_count"))
    assert problems(lambda value: value[0].update(favourites_count="3"))
    assert problems(lambda value: value[0].update(favorites_count=3))
    assert problems(lambda value: value[0].update(created_at="2026-11-20 12:00"))
    assert problems(lambda value: value[0].update(visibility="limited"))
    assert problems(lambda value: value[0]["account"].update(last_status_at="yesterday"))
    assert problems(lambda value: value[0]["account"].update(url="/@council"))
    assert problems(lambda value: value[1]["reblog"].pop("uri"))
    assert problems(lambda value: value[3]["quote"].update(state="maybe"))
    assert problems(lambda _: None, X_RateLimit_Reset="1790000000")
    assert problems(lambda _: None, Content_Type="text/html")
    assert conformance.problems(path, 418, reply.headers, reply.body)
    assert conformance.problems(path, 410, reply.headers, reply.body)
    assert conformance.problems("/api/v1/nothing", 200, reply.headers, reply.body)


# --- judge: Mastodon.py -------------------------------------------------------------------------------------


def client(fake: FakeMastodon, host: str = TOWN, **details: Any) -> mastodon.Mastodon:
    settings = {"version_check_mode": "none", "ratelimit_method": "throw", **details}
    return mastodon.Mastodon(api_base_url=fake.template.format(host=host), **settings)


def test_mastodon_py_sees_the_accounts_that_the_collector_sees(fake: FakeMastodon, town: Town) -> None:
    theirs, way = client(fake), Way(fake)
    for username in ("council", "limited", "silent"):
        account = theirs.account_lookup(username)
        assert theirs.account(account.id) == account
        ours = way.observed(named(username))
        assert (ours.account_id, ours.handle) == (f"{TOWN}/{account.id}", f"@{account.acct.lower()}@{TOWN}")
        assert (ours.following, ours.posts) == (account.following_count, account.statuses_count)
        assert ours.followers == (None if account.followers_count < 0 else account.followers_count)
        assert ours.created_at == account.created_at
        assert (account.noindex, account.suspended) == (False, None)
    assert theirs.account_lookup("optedout").noindex is True
    assert theirs.account_lookup("suspended").suspended is True
    assert theirs.account_lookup("limited").limited is True
    assert theirs.account_lookup("moved").moved.acct == "council@new.example"


def test_mastodon_py_pages_through_the_posts_that_the_collector_reads(fake: FakeMastodon, town: Town) -> None:
    theirs, way = client(fake), Way(fake)
    for limit in (40, 7, 100):
        page = theirs.account_statuses(town.council.id, limit=limit)
        listed = [*page]
        while (page := theirs.fetch_next(page)) is not None:
            listed += page
        profile = way.observed(named("council"))
        ours = flat(way.pages(profile))
        assert [post.post_id for post in ours] == [f"{TOWN}/{one.id}" for one in listed]
        for post, one in zip(ours, listed, strict=True):
            assert post.posted_at == one.created_at
            assert (post.kind == "repost") == (one.reblog is not None)
            assert (post.kind == "reply") == (one.in_reply_to_id is not None)
            assert (post.kind == "quote") == (one.quote is not None)
            if post.kind != "repost":
                counts = (one.favourites_count, one.reblogs_count, one.replies_count, one.quotes_count)
                assert (post.likes, post.reposts, post.replies, post.quotes) == counts


def test_mastodon_py_looks_up_what_the_collector_looks_up(fake: FakeMastodon, town: Town) -> None:
    theirs, way = client(fake), Way(fake)
    profile = way.observed(named("council"))
    town.posts[0].delete()
    numbers = [post.id for post in town.posts[:20]]
    ours = way.lookup(profile, [f"{TOWN}/{number}" for number in numbers])
    shown = {f"{TOWN}/{one.id}": one.favourites_count for one in theirs.statuses(numbers) if one.reblog is None}
    assert {key: post.likes for key, post in ours.items() if post and post.kind != "repost"} == shown
    for number in numbers:
        if ours[f"{TOWN}/{number}"] is None:
            with pytest.raises(mastodon.MastodonNotFoundError):
                theirs.status(number)
        else:
            assert theirs.status(number).id == number


def test_mastodon_py_sees_the_threads_that_the_collector_reads(fake: FakeMastodon, town: Town) -> None:
    bob = town.server.account("bob", "other.example")
    first = [bob.post(TEXT, at=NOON + n * HOUR, in_reply_to=town.posts[0]) for n in range(1, 4)]
    town.council.post(TEXT, at=NOON + 9 * HOUR, in_reply_to=first[1])
    thread = client(fake).status_context(town.posts[0].id).descendants
    direct = [one for one in thread if one.in_reply_to_id == town.posts[0].id and one.account.id == bob.id]
    answers = {one.in_reply_to_id: one.created_at for one in thread if one.account.id == town.council.id}
    way = Way(fake)
    ours = way.replies(way.observed(named("council")), f"{TOWN}/{town.posts[0].id}")
    assert ours == [Reply(one.created_at, answers.get(one.id)) for one in direct]
    assert [one.answered_at for one in ours or ()] == [None, NOON + 9 * HOUR, None]


def test_mastodon_py_meets_the_errors_that_the_collector_meets(fake: FakeMastodon, town: Town) -> None:
    theirs = client(fake)
    with pytest.raises(mastodon.MastodonNotFoundError):
        theirs.account_lookup("nobody")
    with pytest.raises(mastodon.MastodonAPIError) as gone:
        theirs.account(town.others["gone"].id)
    assert gone.value.args[1] == 410
    town.server.limited_federation = True
    with pytest.raises(mastodon.MastodonUnauthorizedError):
        theirs.account_lookup("council")
    town.server.tokens = {TOKEN}
    assert client(fake, access_token=TOKEN).account_lookup("council").id == town.council.id
    town.server.limited_federation = False
    town.server.failures = [503]
    with pytest.raises(mastodon.MastodonServiceUnavailableError):
        theirs.account_lookup("council")
    town.server.general = Limit(0, 300.0)
    with pytest.raises(mastodon.MastodonRatelimitError):
        theirs.account_lookup("council")


def test_mastodon_py_waits_for_the_reset_that_the_fake_names(fake: FakeMastodon, town: Town) -> None:
    theirs = client(fake, ratelimit_method="wait")
    town.server.general = Limit(1, 300.0, origin=time.time())
    assert theirs.account_lookup("council").id == town.council.id
    town.server.general = Limit(1, 300.0, origin=time.time() - 298)
    started = time.monotonic()
    assert theirs.account_lookup("council").id == town.council.id
    assert time.monotonic() - started > 1
    assert [one.reply.status for one in fake.seen] == [200, 429, 200]


# --- recorded answers of a real server ------------------------------------------------------------------------

RECORDED = "localhost:3000"
RECORDED_ACCOUNT = f"@mastodonpy_test@{RECORDED}"


class Replay:
    """A session that answers as a real server once did; `instead` maps a question to a recorded one."""

    def __init__(self, answers: Sequence[Recorded], instead: Mapping[str, str]) -> None:
        self._answers = {one.address: one for one in answers if one.method == "GET"}
        self._instead = instead

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        accept: str | None = None,
        budget: str | None = None,
    ) -> Fetched:
        assert accept == "application/json"
        assert not headers
        one = self._answers[self._instead.get(url, url)]
        if one.status != 200:
            raise FetchError("refused", status=one.status, body=one.body)
        return Fetched(url, one.status, one.body, None, None, one.headers["content-type"], one.headers)


def replay(name: str, instead: Mapping[str, str] | None = None) -> Collector:
    return Mastodon(Replay(recordings(name), instead or {}), Settings("http://{host}"))


@pytest.mark.real
def test_recorded_profiles_replay() -> None:
    collector = replay("test_account_lookup")
    nobody = Wanted(f"@kljadklajsdkljlkjlkjlkjasdasd@{RECORDED}")
    found, missing = run(collector.profiles([Wanted(RECORDED_ACCOUNT), nobody]))
    assert found.profile == Profile(
        f"{RECORDED}/117020565966271181",
        RECORDED_ACCOUNT,
        created_at=dt.datetime(2026, 8, 1, tzinfo=dt.UTC),
        followers=0,
        following=0,
        posts=0,
    )
    assert missing == Answer(nobody, "unavailable", reason="not_found")


@pytest.mark.real
def test_recorded_pages_replay() -> None:
    """Two pages, the second reached by the recorded Link header; its own next page was not recorded."""
    account = f"{RECORDED}/117020565966271181"
    first = f"http://{RECORDED}/api/v1/accounts/117020565966271181/statuses"
    collector = replay("test_fetch_next_previous", {f"{first}?limit=40": f"{first}?limit=5"})
    second = [one for one in recordings("test_fetch_next_previous") if "max_id" in one.address]
    newest = dt.datetime.fromisoformat(json.loads(second[0].body)[0]["created_at"])
    profile = Profile(account, RECORDED_ACCOUNT, None, None, None, None)

    async def read() -> list[list[Post]]:
        return [page async for page in collector.posts(profile, newest + dt.timedelta(milliseconds=1))]

    pages = run(read())
    assert [len(page) for page in pages] == [5, 5]
    posts = flat(pages)
    # As they were posted, newest first: "Toot number 9!" to "Toot number 0!", unlisted, in English.
    posted = [one for one in recordings("test_fetch_next_previous") if one.method == "POST"]
    made = [json.loads(one.body) for one in reversed(posted)]
    assert [post.post_id for post in posts] == [f"{RECORDED}/{one['id']}" for one in made]
    assert [post.posted_at.isoformat(timespec="milliseconds") for post in posts] == [
        one["created_at"].replace("Z", "+00:00") for one in made
    ]
    assert {one["visibility"] for one in made} == {"unlisted"}
    assert {replace(post, post_id="", posted_at=NOON, claimed_at=NOON, read_at=NOON) for post in posts} == {
        Post(
            "",
            "post",
            posted_at=NOON,
            claimed_at=NOON,
            read_at=NOON,
            likes=0,
            reposts=0,
            replies=0,
            quotes=0,
            text_length=len("Toot number 9!"),
            has_link=False,
            language="en",
        )
    }
