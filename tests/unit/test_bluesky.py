"""The Bluesky collector against scripted answers: every trap of the protocol, and real answers replayed."""

from __future__ import annotations

import asyncio
import copy
import datetime as dt
import json
import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipelines.sources.bluesky import Bluesky
from pipelines.sources.http import Fetched, FetchError
from pipelines.sources.social import (
    AccountUnavailable,
    Answer,
    Collector,
    PlatformError,
    Post,
    Profile,
    Reply,
    Settings,
    Wanted,
)
from tests.conftest import REAL, ROOT
from tests.lexicon import Lexicons

T = TypeVar("T")
Json = dict[str, Any]

DID = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
OTHER = "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb"
THIRD = "did:plc:cccccccccccccccccccccccc"
MODERATION = "did:plc:moderationmoderationmode"
PROFILE = Profile(DID, "leeds.example.org", None, None, None, None)
PROFILES, FEED = "app.bsky.actor.getProfiles", "app.bsky.feed.getAuthorFeed"
POSTS, THREAD = "app.bsky.feed.getPosts", "app.bsky.feed.getPostThread"
NOON = dt.datetime(2026, 11, 1, 12, tzinfo=dt.UTC)
EVER = dt.datetime(1, 1, 2, tzinfo=dt.UTC)
RECORDED = REAL / "api" / "bluesky"


def run(task: Coroutine[Any, Any, T]) -> T:
    """Run one test's coroutine; a hang becomes a failure."""
    return asyncio.run(asyncio.wait_for(task, 30))


# --- a service that answers what a test says ----------------------------------------------------------------


@dataclass
class Service:
    """A session that answers each method by a function of its parameters, and remembers what it was asked."""

    answers: dict[str, Callable[[dict[str, list[str]]], Any]]
    asked: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        accept: str | None = None,
        budget: str | None = None,
    ) -> Fetched:
        parts = urlsplit(url)
        assert (parts.netloc, accept, headers) == ("public.api.bsky.app", "application/json", None)
        method = parts.path.removeprefix("/xrpc/")
        parameters = parse_qs(parts.query, strict_parsing=True)
        self.asked.append((method, parameters))
        body = self.answers[method](parameters)
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        return Fetched(url.split("?")[0], 200, raw, None, None, "application/json", {})

    def calls(self, method: str) -> list[dict[str, list[str]]]:
        """The parameters of every call to a method."""
        return [parameters for asked, parameters in self.asked if asked == method]


def refusal(message: str, error: str = "InvalidRequest", status: int = 400) -> FetchError:
    body = orjson.dumps({"error": error, "message": message})
    return FetchError("public.api.bsky.app/xrpc: 400: no", status=status, body=body)


def always(answer: Any) -> Callable[[object], Any]:
    return lambda _: answer


def collector(answers: Mapping[str, Any], **more: Any) -> tuple[Bluesky, Service]:
    """A collector over a service whose answers are functions, or the same every time."""
    service = Service(
        {method: answer if callable(answer) else always(answer) for method, answer in answers.items()}
    )
    return Bluesky(service, Settings(), **more), service


def stamp(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def label(value: str, source: str = DID, **more: Any) -> Json:
    return {"src": source, "uri": f"at://{source}", "val": value, "cts": stamp(NOON), **more}


def profile_view(did: str = DID, handle: str = "leeds.example.org", **more: Any) -> Json:
    return {"did": did, "handle": handle, "labels": [], **more}


def post_view(key: str = "k1", author: str = DID, at: dt.datetime | str = NOON, **more: Any) -> Json:
    """A post as the AppView shows it; `record` and `author_labels` add to the record and the author."""
    moment = at if isinstance(at, str) else stamp(at)
    record = {"$type": "app.bsky.feed.post", "text": "Bins", "createdAt": moment, **more.pop("record", {})}
    view = {
        "uri": f"at://{author}/app.bsky.feed.post/{key}",
        "cid": "bafyreidgyvluiuegoiwctviyvw3ikiajujmukh2j5f5rc7lr6dam57v2ja",
        "author": {"did": author, "handle": "a.example.org", "labels": more.pop("author_labels", [])},
        "record": record,
        "indexedAt": moment,
    }
    return {**view, **more}


def repost_reason(at: dt.datetime, key: str | None = "r1", by: str = DID) -> Json:
    uri = {} if key is None else {"uri": f"at://{by}/app.bsky.feed.repost/{key}"}
    return {
        "$type": "app.bsky.feed.defs#reasonRepost",
        "by": {"did": by, "handle": "b.example.org"},
        "indexedAt": stamp(at),
        **uri,
    }


PIN = {"$type": "app.bsky.feed.defs#reasonPin"}


def asked(service: Service, names: Sequence[Wanted]) -> list[Answer]:
    return run(Bluesky(service, Settings()).profiles(names))


def pages_of(bluesky: Bluesky, since: dt.datetime = EVER) -> list[list[Post]]:
    async def read() -> list[list[Post]]:
        return [page async for page in bluesky.posts(PROFILE, since)]

    return run(read())


def one_post(view: Json, **item: Any) -> Post:
    """The only post of a feed of one item."""
    bluesky, _ = collector({FEED: {"feed": [{"post": view, **item}]}})
    ((post,),) = pages_of(bluesky)
    return post


# --- profiles -----------------------------------------------------------------------------------------------


def test_the_collector_has_the_shape_of_one() -> None:
    bluesky: Collector = collector({})[0]
    assert (bluesky.platform, bluesky.batch_size) == ("bluesky", 25)
    assert bluesky.host(Wanted("leeds.example.org")) == "public.api.bsky.app"


@pytest.mark.parametrize(
    "service", ["bsky.app", "ftp://bsky.app", "https://", "https://bsky.app/xrpc", "https://a?b"]
)
def test_a_service_that_is_no_address_is_refused(service: str) -> None:
    with pytest.raises(ValueError, match="an address like https://host"):
        Bluesky(Service({}), Settings(service=service))


@pytest.mark.parametrize("size", [0, 101])
def test_a_page_size_that_the_service_does_not_allow_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="1 to 100"):
        Bluesky(Service({}), Settings(), page_size=size)


def test_answers_come_in_the_order_asked_and_are_matched_by_id_or_handle() -> None:
    shown = [
        profile_view(THIRD, "Third.Example.org", followersCount=0, followsCount=2, postsCount=3),
        profile_view(DID, "new.example.org", createdAt="2023-09-19T15:47:01.417Z"),
    ]
    service = collector({PROFILES: {"profiles": shown}})[1]
    wanted = [Wanted("old.example.org", DID), Wanted("gone.example.org"), Wanted("third.example.ORG")]
    answers = asked(service, wanted)
    assert [answer.wanted for answer in answers] == wanted
    assert [answer.outcome for answer in answers] == ["observed", "unavailable", "observed"]
    # By id an account is found under its new handle; a count that is not stated is not zero, and zero is.
    born = dt.datetime(2023, 9, 19, 15, 47, 1, 417000, tzinfo=dt.UTC)
    assert answers[0].profile == Profile(DID, "new.example.org", born, None, None, None)
    assert answers[1] == Answer(wanted[1], "unavailable", reason="not_answered")
    assert answers[2].profile == Profile(THIRD, "third.example.org", None, 0, 2, 3)
    assert service.calls(PROFILES) == [{"actors": [DID, "gone.example.org", "third.example.org"]}]


def test_an_account_that_was_renamed_is_not_found_under_its_old_handle() -> None:
    service = collector({PROFILES: {"profiles": [profile_view(DID, "new.example.org")]}})[1]
    (answer,) = asked(service, [Wanted("old.example.org")])
    assert (answer.outcome, answer.reason) == ("unavailable", "not_answered")


def test_handles_that_lead_nowhere_are_told_apart_by_id_and_never_asked_for() -> None:
    shown = [
        profile_view(DID, "handle.invalid", postsCount=1),
        profile_view(OTHER, "handle.invalid", postsCount=2),
    ]
    service = collector({PROFILES: {"profiles": shown}})[1]
    wanted = [Wanted(None, DID), Wanted("handle.invalid"), Wanted(None, OTHER)]
    answers = asked(service, wanted)
    assert [answer.profile and (answer.profile.handle, answer.profile.posts) for answer in answers] == [
        (None, 1),
        None,
        (None, 2),
    ]
    assert (answers[1].outcome, answers[1].reason) == ("unavailable", "not_a_name")
    assert service.calls(PROFILES) == [{"actors": [DID, OTHER]}]


def test_an_account_named_twice_is_asked_about_once_and_answered_twice() -> None:
    service = collector({PROFILES: {"profiles": [profile_view()]}})[1]
    answers = asked(service, [Wanted("leeds.example.org"), Wanted("Leeds.Example.Org"), Wanted(None, DID)])
    assert [answer.outcome for answer in answers] == ["observed"] * 3
    assert service.calls(PROFILES) == [{"actors": ["leeds.example.org", DID]}]


def test_no_call_names_more_accounts_than_the_service_allows() -> None:
    service = collector({PROFILES: {"profiles": []}})[1]
    assert len(asked(service, [Wanted(f"c{number}.example.org") for number in range(60)])) == 60
    assert [len(call["actors"]) for call in service.calls(PROFILES)] == [25, 25, 10]
    assert asked(collector({})[1], []) == []


@pytest.mark.parametrize(
    "wanted",
    [
        *(
            Wanted(handle)
            for handle in (None, "", "leeds", "a b.org", "a..org", "ŵ.org", "-a.org", "a.1", "a,b.org")
        ),
        *(
            Wanted(None, did)
            for did in ("did:plc", "plc:abc", "did:plc:", "DID:plc:a", "did:plc:a b", "did:plc:a\n")
        ),
        Wanted(f"{'a' * 64}.org"),
        Wanted(".".join(["a" * 60] * 5)),
    ],
    ids=repr,
)
def test_what_cannot_be_a_name_is_not_sent(wanted: Wanted) -> None:
    assert asked(collector({})[1], [wanted]) == [Answer(wanted, "unavailable", reason="not_a_name")]


def refusing(bad: set[str]) -> Callable[[dict[str, list[str]]], Json]:
    """Answers like the AppView when some names are ones that it does not take."""

    def answer(parameters: dict[str, list[str]]) -> Json:
        if bad.intersection(parameters["actors"]):
            raise refusal("Invalid AT identifier")
        return {"profiles": [profile_view(f"did:web:{name}", name) for name in parameters["actors"]]}

    return answer


@given(bad=st.sets(st.integers(0, 24), max_size=24))
def test_a_name_that_the_service_refuses_fails_alone(bad: set[int]) -> None:
    names = [f"c{number}.example.org" for number in range(25)]
    service = Service({PROFILES: refusing({names[number] for number in bad})})
    answers = asked(service, [Wanted(name) for name in names])
    assert [answer.outcome for answer in answers] == ["failed" if n in bad else "observed" for n in range(25)]
    assert {answer.reason for answer in answers} <= {"refused", None}
    # Halving: at most the whole tree, and for one bad name a path and its siblings.
    assert len(service.asked) <= (11 if len(bad) == 1 else 49)


def test_where_every_name_is_refused_it_is_not_the_names() -> None:
    names = [f"c{number}.example.org" for number in range(4)]
    with pytest.raises(FetchError):
        asked(Service({PROFILES: refusing(set(names))}), [Wanted(name) for name in names])
    (answer,) = asked(Service({PROFILES: refusing({names[0]})}), [Wanted(names[0])])
    assert (answer.outcome, answer.reason) == ("failed", "refused")


def test_a_service_that_cannot_answer_is_not_asked_name_by_name() -> None:
    def broken(_: object) -> Json:
        raise refusal("upstream", "InternalServerError", 502)

    service = Service({PROFILES: broken})
    with pytest.raises(FetchError):
        asked(service, [Wanted("a.example.org"), Wanted("b.example.org")])
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    ("labels", "outcome", "reason"),
    [
        ([label("!no-unauthenticated")], "opted_out", "no_unauthenticated"),
        ([label("!no-unauthenticated", MODERATION)], "opted_out", "no_unauthenticated"),
        ([label("!takedown", MODERATION), label("!no-unauthenticated")], "opted_out", "no_unauthenticated"),
        ([label("!takedown", MODERATION)], "unavailable", "taken_down"),
        ([label("!suspend", MODERATION)], "unavailable", "taken_down"),
        ([label("!hide", MODERATION)], "unavailable", "taken_down"),
        ([label("!takedown")], "observed", None),
        ([label("!no-unauthenticated", neg=True)], "observed", None),
        ([label("!no-unauthenticated", neg=False)], "opted_out", "no_unauthenticated"),
        ([label("spam", MODERATION), label("bot")], "observed", None),
        ([], "observed", None),
    ],
)
def test_labels_decide_whether_an_account_may_be_observed(labels: list[Json], outcome: str, reason: str) -> None:
    service = collector({PROFILES: {"profiles": [profile_view(labels=labels, followersCount=7)]}})[1]
    (answer,) = asked(service, [Wanted(None, DID)])
    assert (answer.outcome, answer.reason) == (outcome, reason)
    assert (answer.profile is not None) == (outcome == "observed")


# --- one post -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claimed", "indexed", "posted"),
    [
        ("1985-10-26T01:21:00Z", "2026-11-01T12:00:00.000Z", "1985-10-26T01:21:00+00:00"),
        ("0001-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z", "0001-01-01T00:00:00+00:00"),
        ("2031-01-01T00:00:00Z", "2026-11-01T12:00:00.000Z", "2026-11-01T12:00:00+00:00"),
        ("2026-11-01T11:00:00.123456789Z", "2026-11-01T12:00:00Z", "2026-11-01T11:00:00.123456+00:00"),
        ("2026-11-01T11:00:00.1Z", "2026-11-01T12:00:00Z", "2026-11-01T11:00:00.100000+00:00"),
        ("2026-11-01T11:00:00+23:59", "2026-11-01T12:00:00Z", "2026-10-31T11:01:00+00:00"),
        ("2026-11-01T11:00:00-01:30", "2026-11-01T12:00:00Z", "2026-11-01T12:00:00+00:00"),
    ],
)
def test_the_time_that_counts_is_the_claim_but_never_after_the_service_s_own(
    claimed: str, indexed: str, posted: str
) -> None:
    post = one_post(post_view(record={"createdAt": claimed}, indexedAt=indexed))
    assert post.posted_at.isoformat() == posted
    assert post.read_at == post.posted_at
    assert post.claimed_at is not None
    assert post.claimed_at >= post.posted_at
    assert post.claimed_at.tzinfo is dt.UTC


@pytest.mark.parametrize(
    "claimed",
    [
        *(
            "2026-11-01T11:00:00",
            "2026-11-01 11:00:00Z",
            "2026-11-01",
            "20261101T110000Z",
            "2026-W44-7",
            "yesterday",
        ),
        *("0000-01-01T00:00:00Z", "2026-02-30T11:00:00Z", "2026-11-01T25:00:00Z", "2026-11-01T11:00:60Z", ""),
        *("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "2026-11-01T11:00:00-00:00"),
        *("2026-11-01T11:00:00+24:00", "２０２６-11-01T11:00:00Z", "2026-11-01T11:00:00Z\n", None, 1762000000, {}),
    ],
    ids=repr,
)
def test_a_claim_that_cannot_be_read_is_none_and_the_service_s_time_counts(claimed: object) -> None:
    post = one_post(post_view(record={"createdAt": claimed}, indexedAt=stamp(NOON)))
    assert (post.claimed_at, post.posted_at, post.read_at) == (None, NOON, NOON)


@pytest.mark.parametrize("indexed", ["0000-01-01T00:00:00.000Z", "2026-02-30T10:00:00Z"])
def test_a_post_whose_time_no_calendar_has_is_left_out_and_the_others_stay(indexed: str) -> None:
    views = [post_view("a"), post_view("b", indexedAt=indexed), post_view("c")]
    bluesky, _ = collector({FEED: {"feed": [{"post": view} for view in views]}, POSTS: {"posts": views}})
    ids = [view["uri"] for view in views]
    assert [post.post_id for page in pages_of(bluesky) for post in page] == [ids[0], ids[2]]
    assert run(bluesky.lookup(PROFILE, ids)).keys() == {ids[0], ids[2]}


def embed(kind: str, **more: Any) -> Json:
    return {"embed": {"$type": f"app.bsky.embed.{kind}", **more}}


def strong(collection: str) -> Json:
    return {"uri": f"at://{OTHER}/{collection}/x", "cid": "bafy"}


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        ({}, "post"),
        ({"reply": {"root": strong("app.bsky.feed.post"), "parent": strong("app.bsky.feed.post")}}, "reply"),
        (embed("record", record=strong("app.bsky.feed.post")), "quote"),
        (embed("recordWithMedia", record={"record": strong("app.bsky.feed.post")}, media={}), "quote"),
        ({"reply": {}, **embed("record", record=strong("app.bsky.feed.post"))}, "reply"),
        (embed("record", record=strong("app.bsky.feed.generator")), "post"),
        (embed("record", record=strong("app.bsky.graph.starterpack")), "post"),
        (embed("images", images=[]), "post"),
        (embed("record", record=7), "post"),
        ({"reply": None, "embed": None}, "post"),
    ],
)
def test_the_kind_of_a_post(record: Json, kind: str) -> None:
    assert one_post(post_view(record=record)).kind == kind


def facet(uri: object, kind: str = "link") -> Json:
    return {"facets": [{"index": {}, "features": [{"$type": f"app.bsky.richtext.facet#{kind}", "uri": uri}]}]}


CARD = {"uri": "https://leeds.gov.uk/bins", "title": "", "description": ""}
GIF = {"uri": "https://media.tenor.com/x/cat.gif?hh=1&ww=1", "title": "", "description": ""}


@pytest.mark.parametrize(
    ("record", "has_link"),
    [
        ({}, False),
        ({"text": "see https://leeds.gov.uk"}, False),
        (facet("https://leeds.gov.uk/bins"), True),
        (facet("https://leeds.gov.uk/bins", "tag"), False),
        (facet("https://bsky.app/profile/x"), False),
        (facet("https://go.bsky.app/x"), False),
        (facet("https://notbsky.app/x"), True),
        (facet("mailto:bins@leeds.gov.uk"), False),
        (facet("https://[broken"), False),
        (facet(None), False),
        ({"facets": [7, {"features": "x"}, {}]}, False),
        ({"entities": [{"type": "link", "value": "https://leeds.gov.uk"}]}, True),
        ({"entities": [{"type": "mention", "value": "https://leeds.gov.uk"}]}, False),
        (embed("external", external=CARD), True),
        (embed("external", external=GIF), False),
        (embed("recordWithMedia", record={}, media=embed("external", external=CARD)["embed"]), True),
        ({**facet("https://leeds.gov.uk"), **embed("external", external=GIF)}, True),
        (embed("external", external=None), False),
    ],
)
def test_a_link_leads_to_a_page_outside(record: Json, has_link: bool) -> None:
    assert one_post(post_view(record=record)).has_link is has_link


@pytest.mark.parametrize(
    ("languages", "language"),
    [
        (["en"], "en"),
        (["cy-GB", "en"], "cy-gb"),
        (["zh-Hant-TW"], "zh-hant-tw"),
        (["english language", "en"], None),
        (["ｅｎ"], None),
        ([""], None),
        ([7, "en"], None),
        ([], None),
        ("en", None),
        (None, None),
    ],
)
def test_the_language_is_the_first_one_claimed(languages: object, language: str | None) -> None:
    assert one_post(post_view(record={"langs": languages})).language == language


def test_the_length_of_a_text_is_in_code_points() -> None:
    assert one_post(post_view(record={"text": "ŵ🏴󠁧󠁢󠁷󠁬󠁳󠁿"})).text_length == 8
    assert one_post(post_view(record={"text": ""})).text_length == 0
    assert one_post(post_view(record={"text": None})).text_length is None


def test_counts_are_as_stated_and_none_where_they_are_not() -> None:
    counts: Json = {"likeCount": 5, "repostCount": 0, "replyCount": 2**53 - 1}
    post = one_post(post_view(**counts))
    assert (post.likes, post.reposts, post.replies, post.quotes) == (5, 0, 2**53 - 1, None)


@pytest.mark.parametrize("count", [-1, 2**53, True, "5", 5.0, [5]])
def test_a_count_that_is_none_is_refused(count: object) -> None:
    with pytest.raises(PlatformError, match=r"public\.api\.bsky\.app: app\.bsky\.feed\.getAuthorFeed.* likeCount"):
        one_post(post_view(likeCount=count))


# --- reposts, pins and what is not the account's ------------------------------------------------------------


def test_a_repost_has_its_own_time_and_none_of_the_other_s_engagement() -> None:
    view = post_view("x", OTHER, NOON, likeCount=900, record={"langs": ["en"]})
    later = NOON + dt.timedelta(hours=1)
    uri = f"at://{DID}/app.bsky.feed.repost/r1"
    assert one_post(view, reason=repost_reason(later)) == Post(uri, "repost", later, None, later)


def test_a_repost_without_an_address_is_named_by_account_and_post() -> None:
    view = post_view("x", OTHER)
    first, again = (one_post(view, reason=repost_reason(NOON, None)) for _ in range(2))
    assert first.post_id == again.post_id
    assert DID in first.post_id
    assert view["uri"] in first.post_id
    assert first.post_id != one_post(post_view("y", OTHER), reason=repost_reason(NOON, None)).post_id


def test_an_account_can_repost_itself() -> None:
    own = post_view("x")
    items = [{"post": own, "reason": repost_reason(NOON)}, {"post": own}]
    bluesky, _ = collector({FEED: {"feed": items}})
    assert [post.kind for post in pages_of(bluesky)[0]] == ["repost", "post"]


@pytest.mark.parametrize(
    "item",
    [
        {"post": post_view("x", OTHER)},
        {"post": post_view("x", OTHER), "reason": PIN},
        {"post": post_view("x", OTHER), "reason": {"$type": "app.bsky.feed.defs#reasonOfTheFuture"}},
        {"post": post_view("x", OTHER), "reason": repost_reason(NOON, by=THIRD)},
    ],
)
def test_what_the_account_neither_wrote_nor_reposted_is_not_its_own(item: Json) -> None:
    bluesky, _ = collector({FEED: {"feed": [item]}})
    assert pages_of(bluesky) == [[]]


@pytest.mark.parametrize(
    "view",
    [
        post_view(labels=[label("!no-unauthenticated")]),
        post_view(labels=[label("!takedown", MODERATION)]),
        post_view(author_labels=[label("!no-unauthenticated")]),
        post_view(author_labels=[label("!suspend", MODERATION)]),
    ],
)
def test_a_post_that_is_withheld_is_not_yielded_and_is_gone_when_looked_up(view: Json) -> None:
    bluesky, _ = collector({FEED: {"feed": [{"post": view}]}, POSTS: {"posts": [view]}})
    assert pages_of(bluesky) == [[]]
    assert run(bluesky.lookup(PROFILE, [view["uri"]])) == {view["uri"]: None}


def test_other_labels_withhold_nothing() -> None:
    assert one_post(post_view(labels=[label("porn", MODERATION), label("!takedown")])).kind == "post"


# --- paging -------------------------------------------------------------------------------------------------


def paged(pages: Sequence[Sequence[Json]]) -> Callable[[dict[str, list[str]]], Json]:
    """A feed cut into pages; the cursor is the number of the next one."""

    def answer(parameters: dict[str, list[str]]) -> Json:
        number = int(parameters.get("cursor", ["0"])[0])
        more = {"cursor": str(number + 1)} if number + 1 < len(pages) else {}
        return {"feed": list(pages[number]), **more}

    return answer


def hours_ago(hours: float) -> dt.datetime:
    return NOON - dt.timedelta(hours=hours)


def item(key: str, hours: float, **more: Any) -> Json:
    return {"post": post_view(key, at=hours_ago(hours)), **more}


def keys(pages: Sequence[Sequence[Post]]) -> list[list[str]]:
    return [[post.post_id.rsplit("/", 1)[1] for post in page] for page in pages]


def test_every_page_is_asked_for_with_everything_but_pins() -> None:
    bluesky, service = collector({FEED: paged([[item("a", 1)], [item("b", 2)]])}, page_size=7)
    assert keys(pages_of(bluesky)) == [["a"], ["b"]]
    common = {"actor": [DID], "limit": ["7"], "filter": ["posts_with_replies"]}
    assert service.calls(FEED) == [common, {**common, "cursor": ["1"]}]


def test_an_empty_page_with_a_cursor_is_not_the_end() -> None:
    bluesky, _ = collector({FEED: paged([[], [item("a", 1)], [], [], [item("b", 2)]])})
    assert keys(pages_of(bluesky)) == [[], ["a"], [], [], ["b"]]


@pytest.mark.parametrize("cursor", [{}, {"cursor": None}, {"cursor": ""}])
def test_without_a_cursor_there_is_no_more(cursor: Json) -> None:
    bluesky, service = collector({FEED: {"feed": [item("a", 1)], **cursor}})
    assert keys(pages_of(bluesky)) == [["a"]]
    assert len(service.asked) == 1


def test_paging_stops_after_the_page_whose_last_item_is_older() -> None:
    bluesky, service = collector({FEED: paged([[item("a", 1)], [item("b", 3), item("c", 5)], [item("d", 6)]])})
    assert keys(pages_of(bluesky, hours_ago(4))) == [["a"], ["b", "c"]]
    assert len(service.asked) == 2


def test_a_post_of_exactly_that_time_is_not_older() -> None:
    bluesky, _ = collector({FEED: paged([[item("a", 4)], [item("b", 4)], [item("c", 5)], [item("d", 6)]])})
    assert keys(pages_of(bluesky, hours_ago(4))) == [["a"], ["b"], ["c"]]


def test_an_old_pinned_post_stops_nothing_and_comes_once() -> None:
    feed = [[item("old", 900, reason=PIN), item("a", 1)], [item("b", 2)], [item("old", 900)]]
    bluesky, _ = collector({FEED: paged(feed)})
    assert keys(pages_of(bluesky)) == [["old", "a"], ["b"], []]
    bluesky, service = collector({FEED: paged([feed[0][:1], *feed[1:], [item("never", 901)]])})
    assert keys(pages_of(bluesky, hours_ago(4))) == [["old"], ["b"], []]
    assert len(service.asked) == 3


def test_a_new_pinned_post_does_not_keep_paging_alive() -> None:
    bluesky, _ = collector({FEED: paged([[item("new", 1, reason=PIN), item("a", 9)], [item("b", 10)]])})
    assert keys(pages_of(bluesky, hours_ago(4))) == [["new", "a"]]


def test_a_repost_of_an_old_post_is_as_new_as_the_repost() -> None:
    old = post_view("ancient", OTHER, "2011-01-01T00:00:00.000Z")
    feed = [[{"post": old, "reason": repost_reason(hours_ago(1))}], [item("a", 2)]]
    bluesky, _ = collector({FEED: paged(feed)})
    assert keys(pages_of(bluesky, hours_ago(4))) == [["r1"], ["a"]]


def test_a_post_that_is_withheld_still_says_how_far_the_page_goes() -> None:
    hidden = {"post": post_view("h", at=hours_ago(9), labels=[label("!no-unauthenticated")])}
    bluesky, _ = collector({FEED: paged([[hidden], [item("a", 10)]])})
    assert keys(pages_of(bluesky, hours_ago(4))) == [[]]


@pytest.mark.parametrize("cursors", [["x", "x"], ["x", "y", "x"]])
def test_a_cursor_that_comes_again_is_an_error(cursors: list[str]) -> None:
    left = iter(cursors)
    bluesky, service = collector({FEED: lambda _: {"feed": [item("a", 1)], "cursor": next(left)}})
    with pytest.raises(PlatformError, match="pages that come to an end"):
        pages_of(bluesky)
    assert len(service.asked) == len(cursors)


def test_a_feed_of_nothing_but_empty_pages_ends_in_an_error() -> None:
    service = Service({})
    service.answers[FEED] = lambda _: {"feed": [], "cursor": str(len(service.asked))}
    with pytest.raises(PlatformError, match="pages that come to an end"):
        pages_of(Bluesky(service, Settings()))
    assert 100 < len(service.asked) < 1000


@pytest.mark.parametrize("call", [1, 2])
def test_an_account_that_is_not_shown_any_more_is_unavailable(call: int) -> None:
    def answer(parameters: dict[str, list[str]]) -> Json:
        if call == 1 or "cursor" in parameters:
            raise refusal("Profile not found")
        return {"feed": [item("a", 1)], "cursor": "x"}

    with pytest.raises(AccountUnavailable, match="not shown any more") as caught:
        pages_of(collector({FEED: answer})[0])
    assert (caught.value.outcome, DID in str(caught.value)) == ("unavailable", False)


@pytest.mark.parametrize(
    "problem",
    [
        refusal("Invalid cursor"),
        refusal("Profile not found", status=500),
        FetchError("no", status=400, body=None),
        FetchError("no", status=400, body=b"<html>"),
        FetchError("no", status=400, body=b'["Profile not found"]'),
    ],
)
def test_any_other_failure_stays_a_failure(problem: FetchError) -> None:
    def answer(_: object) -> Json:
        raise problem

    with pytest.raises(FetchError):
        pages_of(collector({FEED: answer})[0])


@given(data=st.data())
def test_paging_neither_loses_nor_doubles(data: st.DataObject) -> None:
    """Whatever the cuts, the empty pages, the pin, the reposts and what is withheld."""
    gaps = data.draw(st.lists(st.sampled_from([0.0, 0.5, 1.0, 30.0]), max_size=25), label="hours between items")
    times = [sum(gaps[: index + 1]) for index in range(len(gaps))]
    feed: list[Json] = []
    for index, hours in enumerate(times):
        kind = data.draw(st.sampled_from(["post", "repost", "withheld", "foreign"]), label="kind")
        if kind == "repost":
            other = post_view(f"o{index}", OTHER, "2011-01-01T00:00:00.000Z")
            feed.append({"post": other, "reason": repost_reason(hours_ago(hours), f"r{index}")})
        elif kind == "foreign":
            feed.append({"post": post_view(f"f{index}", OTHER, hours_ago(hours))})
        else:
            labels = [label("!no-unauthenticated")] if kind == "withheld" else []
            feed.append({"post": post_view(f"p{index}", at=hours_ago(hours), labels=labels)})
    ours = [i for i, entry in enumerate(feed) if "/p" in entry["post"]["uri"] and not entry["post"]["labels"]]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(feed)), max_size=8), label="cuts"))
    pages = [feed[start:end] for start, end in zip([0, *cuts], [*cuts, len(feed)], strict=True)]
    pinned = data.draw(st.sampled_from([None, *ours]), label="pinned")
    if pinned is not None:
        pages[0] = [{**feed[pinned], "reason": PIN}, *pages[0]]
    since = hours_ago(data.draw(st.sampled_from([0.0, 1.0, 7.5, 40.0, 10_000.0]), label="hours back"))

    bluesky, service = collector({FEED: paged(pages)})
    read = [post.post_id for page in pages_of(bluesky, since) for post in page]
    assert len(read) == len(set(read))
    wanted = {
        entry["post"]["uri"] if index in ours else entry["reason"]["uri"]
        for index, entry in enumerate(feed)
        if hours_ago(times[index]) >= since and (index in ours or "reason" in entry)
    }
    assert wanted <= set(read)
    assert set(read) <= {entry.get("reason", {}).get("uri", entry["post"]["uri"]) for entry in feed}
    # No page is asked for after one whose last item that keeps the order is older.
    in_order = [
        [
            hours_ago(times[feed.index(entry)])
            for entry in page
            if entry in feed and "/f" not in entry["post"]["uri"]
        ]
        for page in pages
    ]
    last = next((number for number, moments in enumerate(in_order) if moments and moments[-1] < since), len(pages))
    assert len(service.asked) == min(last + 1, len(pages))


# --- posts looked up again ----------------------------------------------------------------------------------


def test_posts_are_looked_up_in_batches_and_an_omitted_one_is_gone() -> None:
    ids = [post_view(f"k{number}")["uri"] for number in range(60)]

    def answer(parameters: dict[str, list[str]]) -> Json:
        uris = parameters["uris"]
        shown = [post_view(uri.rsplit("/", 1)[1], likeCount=len(uris)) for uri in uris if not uri.endswith("7")]
        return {"posts": shown[::-1]}

    bluesky, service = collector({POSTS: answer})
    found = run(bluesky.lookup(PROFILE, [*ids, *ids[:5]]))
    assert list(found) == ids
    assert [len(call["uris"]) for call in service.calls(POSTS)] == [25, 25, 10]
    assert {post_id for post_id, post in found.items() if post is None} == {
        uri for uri in ids if uri.endswith("7")
    }
    assert [post.likes for post in found.values() if post][:: len(ids)] == [25]


def test_only_posts_of_the_account_are_looked_up() -> None:
    bluesky, service = collector({POSTS: {"posts": []}})
    strange = [
        f"at://{DID}/app.bsky.feed.repost/r1",
        f"{DID} repost at://{OTHER}/app.bsky.feed.post/x",
        f"at://{OTHER}/app.bsky.feed.post/x",
        "at://leeds.example.org/app.bsky.feed.post/x",
    ]
    assert run(bluesky.lookup(PROFILE, strange)) == {}
    assert service.asked == []


def test_a_post_that_was_not_asked_for_is_not_taken() -> None:
    bluesky, _ = collector({POSTS: {"posts": [post_view("other")]}})
    uri = post_view("k1")["uri"]
    assert run(bluesky.lookup(PROFILE, [uri])) == {uri: None}


# --- replies ------------------------------------------------------------------------------------------------

SHOWN = "app.bsky.feed.defs#threadViewPost"
HIDDEN = [
    {"$type": "app.bsky.feed.defs#blockedPost", "uri": "at://x", "blocked": True, "author": {"did": OTHER}},
    {"$type": "app.bsky.feed.defs#notFoundPost", "uri": "at://x", "notFound": True},
]


def node(view: Json, replies: Sequence[Json] | None = ()) -> Json:
    found = {"$type": SHOWN, "post": view}
    return found if replies is None else {**found, "replies": list(replies)}


def reply_view(key: str, author: str, hours_later: float, **more: Any) -> Json:
    return post_view(key, author, NOON + dt.timedelta(hours=hours_later), **more)


def read_replies(thread: Json) -> list[Reply] | None:
    bluesky, service = collector({THREAD: {"thread": thread}})
    found = run(bluesky.replies(PROFILE, post_view("top")["uri"]))
    assert service.calls(THREAD) == [{"uri": [post_view("top")["uri"]], "depth": ["2"], "parentHeight": ["0"]}]
    return found


def after(hours: float) -> dt.datetime:
    return NOON + dt.timedelta(hours=hours)


def test_direct_replies_by_others_and_the_first_answer_to_each() -> None:
    first_answers = [
        node(reply_view("a3", DID, 9)),
        node(reply_view("a1", OTHER, 3)),
        node(reply_view("a2", DID, 5)),
        *HIDDEN,
    ]
    thread = node(
        post_view("top"),
        [
            node(reply_view("late", OTHER, 4), [node(reply_view("x", THIRD, 6))]),
            node(reply_view("early", THIRD, 2), first_answers),
            node(reply_view("own", DID, 1), [node(reply_view("to-own", OTHER, 2))]),
            *HIDDEN,
        ],
    )
    assert read_replies(thread) == [Reply(after(2), after(5)), Reply(after(4), None)]


def test_an_answer_is_never_earlier_than_what_it_answers() -> None:
    thread = node(post_view("top"), [node(reply_view("r", OTHER, 4), [node(reply_view("a", DID, 3))])])
    assert read_replies(thread) == [Reply(after(4), after(4))]


def test_replies_that_are_not_for_the_public_are_left_out() -> None:
    thread = node(
        post_view("top"),
        [
            node(reply_view("r1", OTHER, 1, author_labels=[label("!no-unauthenticated", OTHER)])),
            node(reply_view("r2", OTHER, 2, labels=[label("!takedown", MODERATION)])),
            node(reply_view("r3", OTHER, 3, labels=[label("rude", MODERATION)])),
            node(reply_view("r4", OTHER, 4, indexedAt="0000-01-01T00:00:00.000Z")),
        ],
    )
    assert read_replies(thread) == [Reply(after(3), None)]


def test_a_post_nobody_replied_to_has_no_replies_and_a_hidden_thread_is_not_that() -> None:
    assert read_replies(node(post_view("top"))) == []
    assert read_replies(node(post_view("top", replyCount=0), None)) == []
    assert read_replies(node(post_view("top", replyCount=3), None)) is None
    assert read_replies(node(post_view("top"), None)) is None
    assert [read_replies(hidden) for hidden in HIDDEN] == [None, None]
    assert read_replies(node(post_view("top", labels=[label("!no-unauthenticated")]))) is None


def test_a_thread_that_is_not_found_is_hidden_and_other_refusals_are_failures() -> None:
    def answering(problem: FetchError) -> Bluesky:
        def answer(_: object) -> Json:
            raise problem

        return collector({THREAD: answer})[0]

    uri = post_view("top")["uri"]
    assert run(answering(refusal("Post not found", "NotFound")).replies(PROFILE, uri)) is None
    with pytest.raises(FetchError):
        run(answering(refusal("Invalid at-uri")).replies(PROFILE, uri))
    assert run(collector({})[0].replies(PROFILE, f"at://{DID}/app.bsky.feed.repost/r1")) is None


# --- answers that are not as promised -----------------------------------------------------------------------

CANARY = "CANARY-7f3a"
GOOD: dict[str, Json] = {
    PROFILES: {"profiles": [profile_view(followersCount=1, createdAt=stamp(NOON), labels=[label("bot")])]},
    FEED: {
        "feed": [
            {"post": post_view("a", likeCount=1, record=facet("https://leeds.gov.uk"))},
            {"post": post_view("b", OTHER), "reason": repost_reason(NOON)},
            {"post": post_view("c", record={"langs": ["en"], **embed("external", external=CARD)}), "reason": PIN},
        ],
        "cursor": "",
    },
    POSTS: {"posts": [post_view("a", record=embed("record", record=strong("app.bsky.feed.post")))]},
    THREAD: {"thread": node(post_view("a"), [node(reply_view("r", OTHER, 1), [node(reply_view("s", DID, 2))])])},
}


async def everything(bluesky: Bluesky) -> int:
    """Ask every question once; the number of things learnt."""
    uri = post_view("a")["uri"]
    answers = await bluesky.profiles([Wanted(None, DID)])
    pages = [page async for page in bluesky.posts(PROFILE, EVER)]
    looked_up = await bluesky.lookup(PROFILE, [uri])
    replies = await bluesky.replies(PROFILE, uri)
    observed = [answer for answer in answers if answer.profile]
    return len(observed) + len(pages[0]) + len([post for post in looked_up.values() if post]) + len(replies or ())


def test_the_good_answers_are_good() -> None:
    assert run(everything(collector(GOOD)[0])) == 1 + 3 + 1 + 1


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path to every value inside a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, child in inner for place in places(child, (*path, name)))]


SPOTS = [(method, path) for method, document in GOOD.items() for path in places(document)]
ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.just(CANARY),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["uri", "did", "$type"]), inner),
    max_leaves=4,
)


@given(spot=st.sampled_from(SPOTS), odd=ODD, delete=st.booleans())
def test_whatever_stands_where_it_should_not_is_told_by_its_place_only(
    spot: tuple[str, tuple[Any, ...]], odd: Any, delete: bool
) -> None:
    method, path = spot
    answers = copy.deepcopy(GOOD)
    parent: Any = answers
    for step in (method, *path)[:-1]:
        parent = parent[step]
    if delete and path:
        del parent[path[-1]]
    else:
        parent[(method, *path)[-1]] = odd
    try:
        run(everything(collector(answers)[0]))
    except PlatformError as problem:
        assert str(problem).startswith(f"public.api.bsky.app: {method}")  # noqa: PT017 - a success is fine too
        assert CANARY not in str(problem)  # noqa: PT017
        assert "usable" in str(problem)  # noqa: PT017


@pytest.mark.parametrize(
    "body", [b"", b"<html>CANARY-7f3a", b"[]", b"null", b'"x"', b'{"feed": [', b"\xff{}", b"NaN"]
)
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(PlatformError, match=r"getAuthorFeed: .*a JSON object") as caught:
        pages_of(collector({FEED: body})[0])
    assert CANARY not in str(caught.value)


# --- real answers, recorded in May 2025 ---------------------------------------------------------------------

# What the folder's lexicons refer to and do not hold.
ELSEWHERE = {
    "app.bsky.embed.",
    "app.bsky.richtext.facet#",
    "com.atproto.repo.strongRef#",
    "com.atproto.label.defs#",
}


def recorded(name: str) -> Json:
    if name.endswith(".json"):
        return dict(json.loads((RECORDED / name).read_bytes()))
    tape = yaml.safe_load((RECORDED / "bskyr_vcr" / name).read_text(encoding="utf-8"))
    (exchange,) = tape["http_interactions"]
    return dict(json.loads(exchange["response"]["body"]["string"]))


@pytest.mark.real
@pytest.mark.parametrize(
    ("method", "name"),
    [
        (PROFILES, "getProfiles_unwrapped.json"),
        (PROFILES, "a_profile.yml"),
        (FEED, "getAuthorFeed_unwrapped.json"),
        (FEED, "f_autfeed.yml"),
        (POSTS, "getPosts_unwrapped.json"),
    ],
)
def test_recorded_answers_are_what_the_lexicons_say(method: str, name: str) -> None:
    lexicons = Lexicons(RECORDED / "lexicons")
    answer = recorded(name)
    assert lexicons.problems_of_answer(method, answer) == []
    records = [entry["post"]["record"] for entry in answer.get("feed", [])]
    assert [problem for record in records for problem in lexicons.problems_of_record(record)] == []
    assert {name for name in lexicons.missing if not name.startswith(tuple(ELSEWHERE))} == set()


@pytest.mark.real
def test_the_validator_finds_what_is_planted_in_a_recorded_answer() -> None:
    lexicons = Lexicons(RECORDED / "lexicons")
    answer = recorded("getAuthorFeed_unwrapped.json")
    for path, wrong in (
        (("feed", 0, "post", "uri"), "at://nobody"),
        (("feed", 0, "post", "likeCount"), "5"),
        (("feed", 0, "post", "indexedAt"), "2025-05-05"),
        (("feed", 0, "post", "author", "did"), None),
        (("feed", 0, "post", "author"), {}),
        (("feed", 0, "reply", "root", "$type"), None),
        (("feed",), {}),
        (("cursor",), 5),
    ):
        planted = copy.deepcopy(answer)
        parent: Any = planted
        for step in path[:-1]:
            parent = parent[step]
        parent[path[-1]] = wrong
        assert lexicons.problems_of_answer(FEED, planted) != [], path


@pytest.mark.real
@pytest.mark.parametrize("name", ["getProfiles_unwrapped.json", "a_profile.yml"])
def test_recorded_profiles_are_read(name: str) -> None:
    answer = recorded(name)
    service = collector({PROFILES: answer})[1]
    views = answer["profiles"]
    answers = asked(service, [Wanted(view["handle"]) for view in views])
    profiles = [answer.profile for answer in answers if answer.profile]
    assert len(profiles) == len(views) > 0
    assert [(p.account_id, p.handle, p.followers, p.following, p.posts) for p in profiles] == [
        (v["did"], v["handle"], v["followersCount"], v["followsCount"], v["postsCount"]) for v in views
    ]


@pytest.mark.real
@pytest.mark.parametrize("name", ["getAuthorFeed_unwrapped.json", "f_autfeed.yml"])
def test_a_recorded_feed_is_read(name: str) -> None:
    feed = recorded(name)["feed"]
    own = [entry["post"] for entry in feed if "reason" not in entry]
    did = own[0]["author"]["did"]
    bluesky, _ = collector({FEED: {"feed": feed}})

    async def read() -> list[Post]:
        return [
            post async for page in bluesky.posts(Profile(did, None, None, None, None, None), EVER) for post in page
        ]

    posts = run(read())
    assert len(posts) == len(feed) == 50
    # The service's order is that of `read_at`: what paging stops by.
    assert [post.read_at for post in posts] == sorted((post.read_at for post in posts), reverse=True)
    assert [post.kind == "repost" for post in posts] == ["reason" in entry for entry in feed]
    mine = [post for post in posts if post.kind != "repost"]
    assert [(p.post_id, p.likes, p.reposts, p.replies, p.quotes) for p in mine] == [
        (v["uri"], v["likeCount"], v["repostCount"], v["replyCount"], v["quoteCount"]) for v in own
    ]
    assert [post.text_length for post in mine] == [len(view["record"]["text"]) for view in own]
    assert [post.kind == "reply" for post in mine] == ["reply" in view["record"] for view in own]
    embeds = [view["record"].get("embed", {}).get("$type") for view in own]
    assert sum(post.kind == "quote" for post in mine) > 0
    assert all(post.has_link for post, kind in zip(mine, embeds, strict=True) if kind == "app.bsky.embed.external")
    assert {post.language for post in mine} <= {"en", None}


@pytest.mark.real
def test_recorded_posts_are_looked_up() -> None:
    answer = recorded("getPosts_unwrapped.json")
    (view,) = answer["posts"]
    author = Profile(view["author"]["did"], None, None, None, None, None)
    bluesky, _ = collector({POSTS: answer})
    found = run(bluesky.lookup(author, [view["uri"]]))[view["uri"]]
    assert found is not None
    assert (found.likes, found.kind, found.has_link) == (view["likeCount"], "post", True)
    assert found.claimed_at == dt.datetime.fromisoformat(view["record"]["createdAt"])


# --- what the network for tests is made of ------------------------------------------------------------------


def test_the_network_s_packages_are_pinned_and_no_download_address_is_named() -> None:
    folder = ROOT / "tests" / "servers" / "bluesky"
    lock = json.loads((folder / "package-lock.json").read_bytes())
    wanted = json.loads((folder / "package.json").read_bytes())
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted["dependencies"].values())
    assert lock["packages"][""]["dependencies"] == wanted["dependencies"]
    packages = [package for name, package in lock["packages"].items() if name]
    assert len(packages) > 500
    assert [package for package in packages if not package.get("integrity", "").startswith("sha512-")] == []
    assert [package for package in packages if "resolved" in package] == []
    python = (folder / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in python
    assert len(re.findall(r"^[a-z-]+==", python, re.MULTILINE)) == 2
