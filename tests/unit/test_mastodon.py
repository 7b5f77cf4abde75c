"""The Mastodon collector against scripted answers: what each field means, where paging ends, what never leaks."""

from __future__ import annotations

import asyncio
import datetime as dt
import html
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.identity.handles import normalise_account
from pipelines.sources.http import Fetched, FetchError
from pipelines.sources.mastodon import Mastodon, read_text
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

T = TypeVar("T")
HOST = "town.example"
BASE = f"https://{HOST}/api/v1"
LOOKUP = f"{BASE}/accounts/lookup?acct=council"
STATUSES = f"{BASE}/accounts/7/statuses"
WEBFINGER = f"https://{HOST}/.well-known/webfinger?resource=acct%3Acouncil%40{HOST}"
WANTED = Wanted(f"@council@{HOST}")
PROFILE = Profile(f"{HOST}/7", f"@council@{HOST}", None, None, None, None)
LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
CANARY = "zzcanary51b"

Json = Any


# scripted answers in place of a host


@dataclass(frozen=True)
class Page:
    """A JSON answer with a Link header."""

    value: Json
    link: str = ""


@dataclass
class Script:
    """Answers by address: a Page or JSON value, raw bytes, or an error; what is not scripted is a 404 in JSON."""

    answers: Mapping[str, Json]
    asked: list[str] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        accept: str | None = None,
        budget: str | None = None,
    ) -> Fetched:
        assert accept == ("application/jrd+json" if "webfinger" in url else "application/json")
        assert (budget == "paging") == ("max_id=" in url or "min_id=" in url or "since_id=" in url)
        assert len(self.asked) < 500, "asks without end"
        self.asked.append(url)
        self.headers.append(headers or {})
        answer = self.answers.get(url, refused(404))
        if isinstance(answer, FetchError):
            parts = urlsplit(url)
            problem = FetchError(f"{parts.netloc}{parts.path}: {answer}", status=answer.status, body=answer.body)
            problem.transient, problem.asked = answer.transient, f"{parts.netloc}{parts.path}"
            raise problem
        page = answer if isinstance(answer, Page) else Page(answer)
        body = page.value if isinstance(page.value, bytes) else orjson.dumps(page.value)
        return Fetched(url, 200, body, None, None, "application/json", {"link": page.link} if page.link else {})


def refused(status: int | None, body: bytes | None = b'{"error":"no"}', *, transient: bool = False) -> FetchError:
    return FetchError("refused", status=status, body=body, transient=transient)


def run(task: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(task, 30))


def collector(answers: Mapping[str, Json], **settings: Any) -> tuple[Mastodon, Script]:
    script = Script(answers)
    return Mastodon(script, Settings(**settings)), script


def ask(answers: Mapping[str, Json], wanted: Wanted = WANTED) -> Answer:
    [answer] = run(collector(answers)[0].profiles([wanted]))
    return answer


def observed(answers: Mapping[str, Json], wanted: Wanted = WANTED) -> Profile:
    answer = ask(answers, wanted)
    assert answer.outcome == "observed"
    assert answer.profile is not None
    return answer.profile


def pages(
    answers: Mapping[str, Json], since: dt.datetime = LONG_AGO, profile: Profile = PROFILE
) -> list[list[Post]]:
    async def read() -> list[list[Post]]:
        return [page async for page in collector(answers)[0].posts(profile, since)]

    return run(read())


def one_post(**changes: Json) -> Post:
    [[post]] = pages({f"{STATUSES}?limit=40": [status("1", **changes)]})
    return post


def account(**changes: Json) -> Json:
    value = {
        "id": "7",
        "username": "Council",
        "acct": "Council",
        "url": f"https://{HOST}/@Council",
        "created_at": "2022-11-06T00:00:00.000Z",
        "followers_count": 12,
        "following_count": 0,
        "statuses_count": 340,
        "noindex": False,
        "indexable": False,
        "note": f"<p>{CANARY}</p>",
        "display_name": CANARY,
    }
    return value | changes


def status(number: str, **changes: Json) -> Json:
    value = {
        "id": number,
        "created_at": "2026-11-20T12:00:00.000Z",
        "visibility": "public",
        "content": "<p>Bins</p>",
        "language": "en",
        "favourites_count": 3,
        "reblogs_count": 2,
        "replies_count": 1,
        "quotes_count": 0,
        "account": {"id": "7", "acct": "council"},
        "in_reply_to_id": None,
        "in_reply_to_account_id": None,
        "reblog": None,
        "mentions": [],
        "tags": [],
        "card": None,
    }
    return value | changes


def after(query: str, address: str = STATUSES) -> str:
    return f'<{address}?{query}>; rel="next", <{STATUSES}?min_id=9>; rel="prev"'


def failure(task: Callable[[], object]) -> str:
    """The message of the PlatformError that a call ends in; it must hold nothing of the answer."""
    with pytest.raises(PlatformError) as error:
        task()
    message = str(error.value)
    assert CANARY not in message
    assert "council" not in message.lower()
    return message


# --- who is this --------------------------------------------------------------------------------------------


def test_it_is_a_collector() -> None:
    whole: Collector = collector({})[0]
    assert (whole.platform, whole.batch_size) == ("mastodon", 1)


def test_an_account_is_looked_up_by_name_and_then_asked_by_id() -> None:
    expected = Profile(
        f"{HOST}/7",
        f"@council@{HOST}",
        dt.datetime(2022, 11, 6, tzinfo=dt.UTC),
        followers=12,
        following=0,
        posts=340,
    )
    assert observed({LOOKUP: account()}) == expected
    known = Wanted(f"@council@{HOST}", f"{HOST}/7")
    assert observed({f"{BASE}/accounts/7": account()}, known) == expected
    assert observed({f"{BASE}/accounts/7": account()}, Wanted(None, f"{HOST}/7")) == expected


def test_the_handle_is_spelt_as_the_lists_spell_it() -> None:
    profile = observed({LOOKUP: account(acct="CounCil")})
    assert profile.handle == normalise_account("mastodon", f"@CounCil@{HOST}").handle


def test_answers_stand_in_the_order_of_the_questions() -> None:
    collect, _ = collector({LOOKUP: account()})
    wanted = [Wanted(f"@nobody@{HOST}"), WANTED]
    answers = run(collect.profiles(wanted))
    assert [(answer.wanted, answer.outcome) for answer in answers] == list(
        zip(wanted, ("unavailable", "observed"), strict=True)
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("followers_count", -1), ("followers_count", None), ("following_count", -1), ("statuses_count", None)],
)
def test_a_hidden_count_is_none_and_not_zero(name: str, value: int | None) -> None:
    profile = observed({LOOKUP: account(**{name: value})})
    field_name = {"followers_count": "followers", "following_count": "following", "statuses_count": "posts"}[name]
    assert getattr(profile, field_name) is None
    assert sum(count is None for count in (profile.followers, profile.following, profile.posts)) == 1


def test_a_count_that_is_absent_is_none() -> None:
    shown = account()
    del shown["followers_count"], shown["created_at"]
    profile = observed({LOOKUP: shown})
    assert (profile.followers, profile.created_at, profile.posts) == (None, None, 340)


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2019-05-01", dt.datetime(2019, 5, 1, tzinfo=dt.UTC)),
        ("2019-05-01T01:00:00+02:00", dt.datetime(2019, 4, 30, 23, tzinfo=dt.UTC)),
        ("2019-05-01T01:02:03.123456789Z", dt.datetime(2019, 5, 1, 1, 2, 3, 123456, tzinfo=dt.UTC)),
    ],
)
def test_times_are_read_as_utc(written: str, moment: dt.datetime) -> None:
    assert observed({LOOKUP: account(created_at=written)}).created_at == moment


@pytest.mark.parametrize(
    ("changes", "outcome", "reason"),
    [
        ({"suspended": True}, "unavailable", "suspended"),
        ({"suspended": True, "noindex": True}, "unavailable", "suspended"),
        ({"noindex": True}, "opted_out", "noindex"),
        ({"noindex": True, "moved": {"acct": "elsewhere"}}, "opted_out", "noindex"),
        ({"noindex": True, "followers_count": CANARY}, "opted_out", "noindex"),
        ({"noindex": None, "suspended": None, "moved": None}, "observed", None),
        ({"indexable": True}, "observed", None),
        ({"indexable": False, "discoverable": False}, "observed", None),
        ({"limited": True}, "observed", None),
        ({"locked": True, "memorial": True}, "observed", None),
    ],
)
def test_flags_decide_what_becomes_of_an_account(changes: Json, outcome: str, reason: str | None) -> None:
    answer = ask({LOOKUP: account(**changes)})
    assert (answer.outcome, answer.reason, answer.moved_to) == (outcome, reason, None)
    assert (answer.profile is None) == (outcome != "observed")


@pytest.mark.parametrize(
    ("acct", "successor"),
    [("Town_Hall@New.example", "@town_hall@new.example"), ("TownHall", f"@townhall@{HOST}")],
)
def test_a_moved_account_names_its_successor(acct: str, successor: str) -> None:
    answer = ask({LOOKUP: account(moved={"acct": acct, "id": "8"})})
    assert (answer.outcome, answer.moved_to, answer.profile) == ("moved", successor, None)


@pytest.mark.parametrize(
    ("status_code", "outcome", "reason"),
    [
        (401, "restricted", "sign_in_required"),
        (403, "restricted", "forbidden"),
        (404, "unavailable", "not_found"),
        (410, "unavailable", "gone"),
    ],
)
@pytest.mark.parametrize("account_id", [None, f"{HOST}/7"])
def test_a_refusal_is_an_answer(status_code: int, outcome: str, reason: str, account_id: str | None) -> None:
    answers = {LOOKUP: refused(status_code), f"{BASE}/accounts/7": refused(status_code)}
    answer = ask(answers, Wanted(WANTED.handle, account_id))
    assert (answer.outcome, answer.reason, answer.profile) == (outcome, reason, None)


@pytest.mark.parametrize("status_code", [None, 429, 500, 503])
def test_a_host_that_does_not_answer_is_no_verdict_on_the_account(status_code: int | None) -> None:
    with pytest.raises(FetchError) as error:
        ask({LOOKUP: refused(status_code, transient=True)})
    assert error.value.status == status_code


def test_errors_name_no_ids_of_accounts_and_posts() -> None:
    number = "109314159265358979"
    collect, _ = collector({f"{BASE}/accounts/{number}": refused(503, transient=True)})
    with pytest.raises(FetchError) as error:
        run(collect.profiles([Wanted(None, f"{HOST}/{number}")]))
    assert str(error.value) == f"{HOST}/api/v1/accounts/:id: refused"
    assert number not in repr(error.value)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<!doctype html><title>Town</title>", "the answer is not JSON"),
        (b"", "the answer is not JSON"),
        (b"[]", "the answer is not an object"),
        (b'{"error":"zzcanary51b"}', "acct is missing"),
        (b'{"acct":["zzcanary51b"]}', "acct is not text"),
    ],
)
def test_a_host_that_is_no_mastodon_is_named_with_the_call(body: bytes, said: str) -> None:
    message = failure(lambda: ask({LOOKUP: Page(body)}))
    assert message.startswith(f"{HOST}/api/v1/accounts/lookup: {said}; ")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id": 7}, "id is not text"),
        ({"id": f"../{CANARY}"}, "id is not an id"),
        ({"followers_count": CANARY}, "followers_count is not a whole number"),
        ({"followers_count": True}, "followers_count is not a whole number"),
        ({"followers_count": 1.5}, "followers_count is not a whole number"),
        ({"created_at": CANARY}, "created_at is not a time in ISO 8601"),
        ({"created_at": "0001-01-01T00:00:00+14:00"}, "created_at is not a time in ISO 8601"),
        ({"noindex": CANARY}, "noindex is neither true nor false"),
        ({"suspended": 0}, "suspended is neither true nor false"),
        ({"moved": CANARY}, "moved is not an object"),
        ({"moved": {}}, "moved.acct is missing"),
        ({"acct": f"{CANARY}@other.example"}, "acct is a name on another server"),
    ],
)
def test_an_unexpected_shape_is_named_by_its_field(changes: Json, said: str) -> None:
    message = failure(lambda: ask({LOOKUP: account(**changes)}))
    assert message.startswith(f"{HOST}/api/v1/accounts/lookup: {said}")


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(None),
        Wanted("council"),
        Wanted("@council"),
        Wanted("council@town.example"),
        Wanted("@council@town.example/../x"),
        Wanted("@council@user:pw@town.example"),
        Wanted("@cou ncil@town.example"),
        Wanted(None, "7"),
        Wanted(None, "town.example/7/8"),
        Wanted(None, "town.example/7?x"),
        Wanted(None, "/7"),
    ],
)
def test_an_account_without_a_usable_name_is_refused_and_nothing_is_asked(wanted: Wanted) -> None:
    collect, script = collector({})
    assert collect.host(wanted) == ""
    failure(lambda: run(collect.profiles([wanted])))
    assert script.asked == []


def test_the_host_is_the_one_of_the_id_if_that_is_known() -> None:
    collect, _ = collector({})
    assert collect.host(Wanted("@council@Town.example")) == HOST
    assert collect.host(Wanted(None, "Town.example/7")) == HOST
    assert collect.host(Wanted(f"@council@{HOST}", "social.town.example/7")) == "social.town.example"


# --- a domain that has its Mastodon elsewhere ----------------------------------------------------------------

HOME = "social.town.example"
AT_HOME = f"https://{HOME}/api/v1/accounts/lookup?acct=council%40{HOST}"
JRD = {"links": [{"rel": "self", "type": "application/activity+json", "href": f"https://{HOME}/users/council"}]}


def at_home(**changes: Json) -> Json:
    return account(id="44", url=f"https://{HOME}/@council", **changes)


@pytest.mark.parametrize(
    "answers",
    [
        {LOOKUP: at_home()},  # the question was redirected
        {LOOKUP: refused(404, None), WEBFINGER: JRD},
        {LOOKUP: Page(b"<!doctype html>"), WEBFINGER: JRD},
    ],
)
def test_the_account_is_found_at_home_and_keeps_its_handle(answers: Mapping[str, Json]) -> None:
    profile = observed({**answers, AT_HOME: at_home()})
    assert (profile.account_id, profile.handle) == (f"{HOME}/44", f"@council@{HOST}")
    # From then on it is asked there, by id.
    known = Wanted(profile.handle, profile.account_id)
    assert observed({f"https://{HOME}/api/v1/accounts/44": at_home()}, known) == profile


@pytest.mark.parametrize(
    "claimed", [at_home(acct=f"council@{HOST}"), refused(404), Page(b"<!doctype html>"), refused(401)]
)
def test_a_server_that_does_not_know_the_domain_as_its_own_gets_nobody(claimed: Json) -> None:
    """Else any host could claim another server's account, and its id, as its own."""
    assert observed({LOOKUP: at_home(), AT_HOME: claimed}).account_id == f"{HOST}/44"
    absent = ask({LOOKUP: refused(404, None), WEBFINGER: JRD, AT_HOME: claimed})
    assert (absent.outcome, absent.reason) == ("unavailable", "not_found")


def test_home_that_is_silent_for_now_is_asked_again_later() -> None:
    """An account must not have one id while its home answers and another while it does not."""
    for answers in ({LOOKUP: at_home()}, {LOOKUP: refused(404, None), WEBFINGER: JRD}):
        with pytest.raises(FetchError):
            ask({**answers, AT_HOME: refused(503, transient=True)})
    with pytest.raises(FetchError):
        ask({LOOKUP: refused(404, None), WEBFINGER: refused(503, transient=True)})


@pytest.mark.parametrize(
    "jrd",
    [
        refused(404),
        Page(b"<!doctype html>"),
        [],
        {"links": CANARY},
        {"links": [{"rel": "self"}]},
        {"links": [{"rel": "self", "href": f"https://{HOST}/users/council"}]},
        {"links": [{"rel": "self", "href": "https://[bad/users/council"}]},
        {"links": [{"rel": "self", "href": "ftp://social.town.example/users/council"}]},
        {"links": [{"rel": "other", "href": f"https://{HOME}/users/council"}]},
    ],
)
def test_webfinger_that_leads_nowhere_leaves_the_first_answer(jrd: Json) -> None:
    collect, script = collector({LOOKUP: refused(404, None), WEBFINGER: jrd, AT_HOME: at_home()})
    [answer] = run(collect.profiles([WANTED]))
    assert (answer.outcome, answer.reason) == ("unavailable", "not_found")
    assert script.asked == [LOOKUP, WEBFINGER]
    assert "not JSON" in failure(lambda: ask({LOOKUP: Page(b"<!doctype html>"), WEBFINGER: jrd}))


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (refused(404), "not_found"),
        (refused(410, None), "gone"),
        (refused(401, None), "sign_in_required"),
    ],
)
def test_a_mastodon_that_refuses_is_not_asked_for_its_home(refusal: FetchError, reason: str) -> None:
    collect, script = collector({LOOKUP: refusal, WEBFINGER: JRD, AT_HOME: at_home()})
    [answer] = run(collect.profiles([WANTED]))
    assert answer.reason == reason
    assert script.asked == [LOOKUP]


# --- posts --------------------------------------------------------------------------------------------------


def test_a_post_is_read_whole() -> None:
    assert one_post() == Post(
        f"{HOST}/1",
        "post",
        posted_at=NOON,
        claimed_at=NOON,
        read_at=NOON,
        likes=3,
        reposts=2,
        replies=1,
        quotes=0,
        text_length=4,
        has_link=False,
        language="en",
    )


def test_a_boost_has_nothing_of_the_post_that_it_boosts() -> None:
    original = status("5", account={"id": "99"}, favourites_count=5000, language="cy", card={"url": "https://x"})
    boost = one_post(id="8", reblog=original, content="<p>somebody else's</p>", language=None, favourites_count=0)
    assert boost == Post(f"{HOST}/8", "repost", posted_at=NOON, claimed_at=NOON, read_at=NOON)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"in_reply_to_id": "3", "in_reply_to_account_id": "9"}, "reply"),
        ({"in_reply_to_id": "3", "in_reply_to_account_id": "7"}, "reply"),
        ({"in_reply_to_id": None, "in_reply_to_account_id": "9"}, "reply"),  # what it replied to was deleted
        ({"quote": {"state": "accepted", "quoted_status": None}}, "quote"),
        ({"quote": {"state": "pending", "quoted_status_id": "3"}}, "quote"),
        ({"quote": {"state": "accepted"}, "in_reply_to_id": "3"}, "reply"),
        ({"quote": None}, "post"),
        ({"poll": {"id": "1"}}, "post"),
    ],
)
def test_the_kind_of_a_post(changes: Json, kind: str) -> None:
    assert one_post(**changes).kind == kind


@pytest.mark.parametrize(
    ("visibility", "taken"),
    [("public", 1), ("unlisted", 1), ("private", 0), ("direct", 0), ("limited", 0), ("local", 0)],
)
def test_only_what_anybody_may_read_is_taken(visibility: str, taken: int) -> None:
    [page] = pages({f"{STATUSES}?limit=40": [status("1", visibility=visibility)]})
    assert len(page) == taken


@pytest.mark.parametrize(
    ("written", "language"),
    [
        ("en", "en"),
        ("zh-TW", "zh-tw"),
        ("cnr", "cnr"),
        (None, None),
        ("", None),
        ("zh_CN", None),
        ("English, mostly", None),
    ],
)
def test_the_language_is_a_tag_or_nothing(written: str | None, language: str | None) -> None:
    assert one_post(language=written).language == language


@pytest.mark.parametrize("name", ["favourites_count", "reblogs_count", "replies_count", "quotes_count"])
def test_counts_of_a_post_that_are_absent_are_none(name: str) -> None:
    shown = status("1")
    del shown[name]
    [[post]] = pages({f"{STATUSES}?limit=40": [shown]})
    counts = {
        "favourites_count": post.likes,
        "reblogs_count": post.reposts,
        "replies_count": post.replies,
        "quotes_count": post.quotes,
    }
    assert [key for key, value in counts.items() if value is None] == [name]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id": None}, "[].id is missing"),
        ({"created_at": None}, "[].created_at is missing"),
        ({"created_at": CANARY}, "[].created_at is not a time"),
        ({"content": None}, "[].content is missing"),
        ({"visibility": None}, "[].visibility is missing"),
        ({"account": None}, "[].account is missing"),
        ({"account": {"id": CANARY}}, "[].account.id is not the one"),
        ({"favourites_count": CANARY}, "[].favourites_count is not a whole number"),
        ({"mentions": CANARY}, "[].mentions is not a list"),
        ({"mentions": [CANARY]}, "[].mentions[] is not an object"),
        ({"language": 1}, "[].language is not text"),
    ],
)
def test_an_unexpected_post_is_named_by_its_field(changes: Json, said: str) -> None:
    message = failure(lambda: one_post(**changes))
    assert message.startswith(f"{HOST}/api/v1/accounts/:id/statuses: the answer{said}")


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[1]", b"nul"])
def test_a_page_that_is_no_list_of_posts_is_refused(body: bytes) -> None:
    assert "/api/v1/accounts/:id/statuses: the answer" in failure(
        lambda: pages({f"{STATUSES}?limit=40": Page(body)})
    )


@pytest.mark.parametrize(
    ("status_code", "outcome", "reason"),
    [(401, "restricted", "sign_in_required"), (404, "unavailable", "not_found"), (410, "unavailable", "gone")],
)
def test_an_account_may_vanish_between_two_questions(status_code: int, outcome: str, reason: str) -> None:
    first = {f"{STATUSES}?limit=40": Page([status("1")], after("max_id=1"))}
    for answers in ({}, first):
        asked = f"{STATUSES}?{'max_id=1' if answers else 'limit=40'}"
        with pytest.raises(AccountUnavailable) as error:
            pages({**answers, asked: refused(status_code)})
        assert (error.value.outcome, error.value.reason) == (outcome, reason)
        assert "/7" not in str(error.value)


def test_a_host_that_breaks_off_between_pages_is_an_error() -> None:
    answers = {
        f"{STATUSES}?limit=40": Page([status("1")], after("max_id=1")),
        f"{STATUSES}?max_id=1": refused(502, transient=True),
    }
    with pytest.raises(FetchError) as error:
        pages(answers)
    assert "/accounts/:id/statuses" in str(error.value)


# --- paging -------------------------------------------------------------------------------------------------


def hours_ago(number: int) -> str:
    return (NOON - dt.timedelta(hours=number)).isoformat()


def test_a_short_or_empty_page_is_not_the_end() -> None:
    answers = {
        f"{STATUSES}?limit=40": Page([], after("max_id=9")),
        f"{STATUSES}?max_id=9": Page([status("5")], after("max_id=5")),
        f"{STATUSES}?max_id=5": Page([status("4", visibility="private")], after("max_id=4")),
        f"{STATUSES}?max_id=4": Page([status("2")]),
    }
    assert [[post.post_id for post in page] for page in pages(answers)] == [[], [f"{HOST}/5"], [], [f"{HOST}/2"]]


def test_reading_stops_after_the_page_on_which_all_is_older() -> None:
    answers = {
        f"{STATUSES}?limit=40": Page([status("5", created_at=hours_ago(1))], after("max_id=5")),
        f"{STATUSES}?max_id=5": Page(
            [status("4", created_at=hours_ago(9)), status("3", created_at=hours_ago(2))], after("max_id=3")
        ),
        f"{STATUSES}?max_id=3": Page([], after("max_id=2")),
        f"{STATUSES}?max_id=2": Page([status("1", created_at=hours_ago(5))], after("max_id=1")),
        f"{STATUSES}?max_id=1": refused(500),
    }
    read = pages(answers, since=NOON - dt.timedelta(hours=3))
    assert [[post.post_id[-1] for post in page] for page in read] == [["5"], ["4", "3"], [], ["1"]]


def test_a_page_of_private_posts_tells_the_time_too() -> None:
    answers = {
        f"{STATUSES}?limit=40": Page(
            [status("5", visibility="private", created_at=hours_ago(9))], after("max_id=5")
        ),
        f"{STATUSES}?max_id=5": refused(500),
    }
    assert pages(answers, since=NOON) == [[]]


def test_a_post_of_the_very_moment_is_not_older() -> None:
    answers = {
        f"{STATUSES}?limit=40": Page([status("5")], after("max_id=5")),
        f"{STATUSES}?max_id=5": [status("4")],
    }
    assert len(pages(answers, since=NOON)) == 2


@pytest.mark.parametrize(
    "link",
    [
        f'<{STATUSES}?max_id=5>; rel="next"',
        f"<{STATUSES}?max_id=5>; rel=next",
        f'<{STATUSES}?max_id=5>;rel="next last"',
        f'<{STATUSES}?min_id=9>; rel="prev",<{STATUSES}?max_id=5>; title="a, <b>; c"; REL="NEXT"',
        '</api/v1/accounts/7/statuses?max_id=5>; rel="next"',
        '<?max_id=5>; rel="next"',
        f'<http://{HOST}/api/v1/accounts/7/statuses?max_id=5>; rel="next"',
        '<https://TOWN.example/api/v1/accounts/7/statuses?max_id=5>; rel="next" , ',
    ],
)
def test_links_are_read_in_every_spelling(link: str) -> None:
    answers = {f"{STATUSES}?limit=40": Page([status("6")], link), f"{STATUSES}?max_id=5": [status("4")]}
    assert len(pages(answers)) == 2


@pytest.mark.parametrize("link", ["", f'<{STATUSES}?min_id=9>; rel="prev"', f"<{STATUSES}?max_id=5>", " "])
def test_without_a_next_link_the_list_ends(link: str) -> None:
    answers = {f"{STATUSES}?limit=40": Page([status(str(n)) for n in range(40, 0, -1)], link)}
    assert [len(page) for page in pages(answers)] == [40]


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/api/v1/accounts/7/statuses",
        f"https://{HOST}.evil.example/api/v1/accounts/7/statuses",
        f"https://{HOST}:8443/api/v1/accounts/7/statuses",
        f"https://{HOST}:99999/api/v1/accounts/7/statuses",
        "https://[bad/api/v1/accounts/7/statuses",
        f"https://{HOST}/api/v1/accounts/8/statuses",
        f"https://{HOST}/api/v1/timelines/public",
        f"{STATUSES}/../../8/statuses",
    ],
)
def test_a_link_that_leads_elsewhere_is_refused(address: str) -> None:
    answers = {f"{STATUSES}?limit=40": Page([status("6")], after("max_id=5", address))}
    message = failure(lambda: pages(answers))
    assert "the link to the next page leads to another host or path" in message
    assert "evil" not in message


@pytest.mark.parametrize(
    ("link", "said"),
    [
        (f'<{STATUSES}?max_id=5; rel="next"', "cannot be read"),
        ("max_id=5", "cannot be read"),
        (f'<{STATUSES}?min_id=5>; rel="prev" <{STATUSES}?max_id=5>; rel="next"', "cannot be read"),
        (f'<{STATUSES}>; rel="next"', "does not say which page"),
    ],
)
def test_a_damaged_link_is_not_taken_for_the_end(link: str, said: str) -> None:
    assert said in failure(lambda: pages({f"{STATUSES}?limit=40": Page([status("6")], link)}))


def test_a_post_that_is_listed_twice_is_read_once() -> None:
    answers = {
        f"{STATUSES}?limit=40": Page([status("6"), status("6"), status("5")], after("max_id=6")),
        f"{STATUSES}?max_id=6": Page([status("5"), status("4")]),
    }
    assert [[post.post_id[-1] for post in page] for page in pages(answers)] == [["6", "5"], ["4"]]


def test_a_link_that_leads_back_is_refused() -> None:
    answers = {
        f"{STATUSES}?limit=40": Page([status("6")], after("max_id=6")),
        f"{STATUSES}?max_id=6": Page([status("5")], after("max_id=5")),
        f"{STATUSES}?max_id=5": Page([], after("max_id=6")),
    }
    assert "leads back" in failure(lambda: pages(answers))


def test_a_list_that_never_ends_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.sources.mastodon._MOST_PAGES", 3)
    answers = {f"{STATUSES}?limit=40": Page([], after("max_id=0"))}
    answers |= {f"{STATUSES}?max_id={n}": Page([], after(f"max_id={n + 1}")) for n in range(9)}
    assert "still a next page after 3" in failure(lambda: pages(answers))


@given(
    sizes=st.lists(st.integers(0, 5), min_size=1, max_size=12),
    overlaps=st.lists(st.integers(0, 3), min_size=12, max_size=12),
    hidden=st.sets(st.integers(0, 60)),
)
def test_paging_neither_loses_nor_doubles(sizes: list[int], overlaps: list[int], hidden: set[int]) -> None:
    """Whatever the sizes of the pages, empty ones among them, and if pages repeat some of what came before."""
    total = sum(sizes)
    posts = [
        status(str(1000 - n), visibility="private" if n in hidden else "public", created_at=hours_ago(n))
        for n in range(total)
    ]
    answers: dict[str, Json] = {}
    address, start = f"{STATUSES}?limit=40", 0
    for number, size in enumerate(sizes):
        following = f"limit=40&max_id=p{number}"
        is_last = number == len(sizes) - 1
        shown = posts[max(0, start - overlaps[number]) : start + size]
        answers[address] = Page(shown, "" if is_last else after(following))
        address, start = f"{STATUSES}?{following}", start + size
    read = pages(answers)
    assert len(read) == len(sizes)
    found = [post.post_id for page in read for post in page]
    assert found == [f"{HOST}/{1000 - n}" for n in range(total) if n not in hidden]


@given(sizes=st.lists(st.integers(0, 4), min_size=1, max_size=10), hours=st.integers(0, 40))
def test_everything_since_a_moment_is_read_and_no_page_too_many(sizes: list[int], hours: int) -> None:
    since = NOON - dt.timedelta(hours=hours)
    answers: dict[str, Json] = {}
    address, start, needed = f"{STATUSES}?limit=40", 0, 0
    for number, size in enumerate(sizes):
        shown = [status(str(1000 - n), created_at=hours_ago(n)) for n in range(start, start + size)]
        answers[address] = Page(shown, "" if number == len(sizes) - 1 else after(f"max_id=p{number}"))
        if needed == number and not (size and start > hours):
            needed += 1
        address, start = f"{STATUSES}?max_id=p{number}", start + size
    read = pages(answers, since)
    assert len(read) == min(len(sizes), needed + 1)
    assert {post.post_id for page in read for post in page} >= {
        f"{HOST}/{1000 - n}" for n in range(min(start, hours + 1))
    }


# --- what became of posts -----------------------------------------------------------------------------------


def look_up(answers: Mapping[str, Json], ids: Sequence[str]) -> tuple[dict[str, Post | None], list[str]]:
    collect, script = collector(answers)
    found = run(collect.lookup(PROFILE, [f"{HOST}/{number}" for number in ids]))
    return found, [address.removeprefix(BASE) for address in script.asked]


def several(*ids: str) -> str:
    return f"{BASE}/statuses?{'&'.join(f'id%5B%5D={number}' for number in ids)}"


def test_posts_are_looked_up_together_and_only_an_explicit_404_makes_one_gone() -> None:
    answers = {
        several("1", "2", "3", "4"): [status("3", favourites_count=9), status("9"), status("1")],
        f"{BASE}/statuses/2": refused(410),
        f"{BASE}/statuses/4": status("4"),  # left out of the first answer, yet there
    }
    found, asked = look_up(answers, ["1", "2", "3", "4"])
    assert {key: post and post.likes for key, post in found.items()} == {
        f"{HOST}/1": 3,
        f"{HOST}/2": None,
        f"{HOST}/3": 9,
        f"{HOST}/4": 3,
    }
    assert asked == ["/statuses?id%5B%5D=1&id%5B%5D=2&id%5B%5D=3&id%5B%5D=4", "/statuses/2", "/statuses/4"]


@pytest.mark.parametrize("answer", [refused(404), refused(405), refused(401), refused(422), Page(b"<html>"), {}])
def test_a_server_that_cannot_give_several_is_asked_one_by_one_from_then_on(answer: Json) -> None:
    singles = {f"{BASE}/statuses/{n}": status(str(n)) for n in range(50)}
    numbers = [str(n) for n in range(45)]
    found, asked = look_up({**singles, several(*numbers[:20]): answer}, numbers)
    assert all(found.values())
    assert len(found) == 45
    assert len(asked) == 46


def test_many_posts_are_asked_for_in_twenties() -> None:
    numbers = [str(n) for n in range(41)]
    groups = [numbers[:20], numbers[20:40]]
    answers: dict[str, Json] = {several(*group): [status(number) for number in group] for group in groups}
    found, asked = look_up({**answers, f"{BASE}/statuses/40": status("40")}, numbers)
    assert list(found) == [f"{HOST}/{number}" for number in numbers]
    assert len(asked) == 3


def test_a_post_that_is_no_longer_for_anybody_is_gone() -> None:
    found, _ = look_up({f"{BASE}/statuses/1": status("1", visibility="private")}, ["1"])
    assert found == {f"{HOST}/1": None}


def test_looking_up_nothing_asks_nothing() -> None:
    assert look_up({}, []) == ({}, [])


@pytest.mark.parametrize(
    ("answers", "ids"),
    [
        ({several("1", "2"): refused(503, transient=True)}, ["1", "2"]),
        ({f"{BASE}/statuses/1": refused(503, transient=True)}, ["1"]),
        ({several("1", "2"): refused(None, transient=True)}, ["1", "2"]),
    ],
)
def test_a_host_that_does_not_answer_makes_no_post_gone(answers: Mapping[str, Json], ids: list[str]) -> None:
    with pytest.raises(FetchError):
        look_up(answers, ids)


def test_a_host_that_wants_us_to_sign_in_makes_no_post_gone() -> None:
    with pytest.raises(AccountUnavailable) as error:
        look_up({f"{BASE}/statuses/1": refused(401)}, ["1"])
    assert error.value.outcome == "restricted"


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (status("2"), "id is not the one"),
        (status("1", account={"id": "8"}), "account.id is not the one"),
        ([], "the answer is not an object"),
    ],
)
def test_another_post_than_the_one_asked_for_is_refused(shown: Json, said: str) -> None:
    assert said in failure(lambda: look_up({f"{BASE}/statuses/1": shown}, ["1"]))


def test_posts_of_another_host_are_not_asked_for_here() -> None:
    collect, script = collector({})
    failure(lambda: run(collect.lookup(PROFILE, ["other.example/1"])))
    assert script.asked == []


# --- replies ------------------------------------------------------------------------------------------------


def reply(number: str, to: str | None, by: str, minutes: int, **changes: Json) -> Json:
    moment = (NOON + dt.timedelta(minutes=minutes)).isoformat()
    return status(number, in_reply_to_id=to, account={"id": by}, created_at=moment, **changes)


def replies(descendants: Json) -> list[Reply] | None:
    collect, _ = collector({f"{BASE}/statuses/1/context": {"ancestors": [], "descendants": descendants}})
    return run(collect.replies(PROFILE, f"{HOST}/1"))


def minutes(found: list[Reply] | None) -> list[tuple[float, float | None]]:
    assert found is not None
    return [
        (
            (one.received_at - NOON).total_seconds() / 60,
            None if one.answered_at is None else (one.answered_at - NOON).total_seconds() / 60,
        )
        for one in found
    ]


def test_replies_by_others_and_the_first_answer_to_each() -> None:
    thread = [
        reply("20", "1", "90", 30),
        reply("21", "20", "7", 50),
        reply("22", "20", "7", 40),  # earlier than the one before
        reply("30", "20", "7", 45),
        reply("23", "22", "90", 60),  # not to the post
        reply("24", "1", "91", 10),
        reply("25", "24", "92", 20),  # somebody else's answer
        reply("26", "1", "7", 5),  # the account goes on
        reply("27", "1", "90", 70, visibility="private"),
        reply("28", "1", "93", 80, visibility="unlisted"),
        reply("29", "28", "7", 90, visibility="direct"),  # nobody can see that answer
    ]
    assert minutes(replies(thread)) == [(10, None), (30, 40), (80, None)]


def test_an_answer_is_never_earlier_than_what_it_answers() -> None:
    """The reply's time is its own server's, whose clock ran ahead."""
    assert minutes(replies([reply("20", "1", "90", 30), reply("21", "20", "7", 25)])) == [(25, 25)]


def test_no_replies_is_not_the_same_as_hidden_ones() -> None:
    assert replies([]) == []
    for code in (401, 403, 404, 410):
        collect, _ = collector({f"{BASE}/statuses/1/context": refused(code)})
        assert run(collect.replies(PROFILE, f"{HOST}/1")) is None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "the answer is not an object"),
        ({"descendants": CANARY}, "descendants is not a list"),
        ({"descendants": [reply("1", "1", CANARY, 1) | {"account": {}}]}, "account.id is missing"),
    ],
)
def test_an_unexpected_thread_is_named_by_its_field(value: Json, said: str) -> None:
    collect, _ = collector({f"{BASE}/statuses/1/context": value})
    assert said in failure(lambda: run(collect.replies(PROFILE, f"{HOST}/1")))


def test_replies_of_a_silent_host_are_asked_for_again() -> None:
    collect, _ = collector({f"{BASE}/statuses/1/context": refused(503, transient=True)})
    with pytest.raises(FetchError):
        run(collect.replies(PROFILE, f"{HOST}/1"))


# --- where and with what ------------------------------------------------------------------------------------


def test_a_token_goes_to_its_own_host_only() -> None:
    other = "https://other.example/api/v1/accounts/lookup?acct=council"
    collect, script = collector(
        {LOOKUP: account(), other: account(url="https://other.example/@council"), f"{BASE}/accounts/7": account()},
        tokens={"Town.example": CANARY},
    )
    run(collect.profiles([WANTED, Wanted("@council@other.example"), Wanted(None, f"{HOST}/7")]))
    assert [headers.get("Authorization") for headers in script.headers] == [
        f"Bearer {CANARY}",
        None,
        f"Bearer {CANARY}",
    ]
    assert not any(CANARY in address for address in script.asked)
    assert CANARY not in repr(collect)


def test_the_service_is_a_template() -> None:
    base = "http://127.0.0.1:1/town.example/api/v1"
    collect, script = collector(
        {f"{base}/accounts/lookup?acct=council": account()}, service="http://127.0.0.1:1/{host}/"
    )
    [answer] = run(collect.profiles([WANTED]))
    assert answer.profile is not None
    assert script.asked == [f"{base}/accounts/lookup?acct=council"]
    with pytest.raises(ValueError, match=r"\{host\}"):
        collector({}, service="https://town.example")


def test_names_are_written_into_addresses_so_that_they_stay_names() -> None:
    collect, script = collector({})
    run(collect.profiles([Wanted("@a&limit=1@town.example")]))
    assert script.asked[0].endswith("/lookup?acct=a%26limit%3D1")


# --- HTML ---------------------------------------------------------------------------------------------------

ADDRESS = "https://town.example/bins?week=2&day=mon"
SHOWN = '<a href="https://town.example/bins?week=2&amp;day=mon" target="_blank"><span class="invisible">https://</span>'
LINK = f'{SHOWN}<span class="">town.example/bins?week=2&amp;day=mon</span><span class="invisible"></span></a>'
MENTION = (
    '<span class="h-card"><a href="https://x.example/@ann" class="u-url mention">@<span>ann</span></a></span>'
)
HASHTAG = '<a href="https://town.example/tags/bins" class="mention hashtag" rel="tag">#<span>bins</span></a>'


@pytest.mark.parametrize(
    ("content", "length", "has_link"),
    [
        ("", 0, False),
        ("<p></p>", 0, False),
        ("plain", 5, False),
        ("<p>one<br />two</p>", 7, False),
        ("<p>one<br>two</p>", 7, False),
        ("<p>one</p><p>two</p>", 7, False),
        ("<p>one</p>\n<p>two</p>\n", 7, False),
        ("<p>one<p>two", 7, False),
        ("</p>\n<p>one</p>\n<p>two</p>", 7, False),
        ("<div>one</div><div>two</div>", 7, False),
        ("<p>x <b c='></p>", len("x <b c='>"), False),
        ("<ul><li>one</li><li>two</li></ul>", 7, False),
        ("<blockquote><p>one</p></blockquote><p>two</p>", 7, False),
        ("<p>a &amp; b &lt;i&gt; &#39;c&#39; &eacute;</p>", 15, False),
        ("<p>naïve 🏛️</p>", 8, False),
        ("<p><strong>one</strong> <em>two</em></p>", 7, False),
        ("<p>1 < 2 > 0</p>", 9, False),
        ("<p>one<!-- two --></p>", 3, False),
        (f"<p>{LINK}</p>", len(ADDRESS), True),
        (f"<p>{MENTION} {HASHTAG}</p>", 10, False),
        (f"<p>{MENTION} {LINK}</p>", 5 + len(ADDRESS), True),
        ('<p><a href="https://y.example/tag/x" rel="tag ugc">#x</a></p>', 2, False),
        ('<p><a href="https://y.example/tag/x" class="hashtag">#x</a></p>', 2, False),
        ('<p><a href="mailto:a@town.example">us</a> <a>x</a> <a href>y</a></p>', 6, False),
        ('<p><A HREF="HTTPS://town.example">x</A></p>', 1, True),
        (f'<p class="quote-inline">RE: {LINK}</p><p>Quite so</p>', 8, False),
        (f'<p>Quite so<span class="quote-inline"><br/><br/>RE: <span>{LINK}</span></span></p>', 8, False),
        (f'<p>Quite so</p><p class="quote-inline">RE: {LINK}', 8, False),
        ("<script>one</script>", 3, False),
        ("<p>" + "&#" + "1" * 5000 + ";</p>", 1, False),
    ],
)
def test_text_is_measured(content: str, length: int, has_link: bool) -> None:
    assert read_text(content) == (length, has_link)


def test_a_mention_or_hashtag_of_other_software_is_known_by_its_address() -> None:
    content = '<p><a href="https://x.example/ann">@ann</a> <a href="https://x.example/t/bins">#bins</a></p>'
    assert one_post(content=content).has_link is True
    named = {"mentions": [{"url": "https://x.example/ann"}], "tags": [{"url": "https://x.example/t/bins"}]}
    assert one_post(content=content, **named).has_link is False


def test_a_card_is_a_link() -> None:
    assert one_post(card={"url": "https://town.example"}).has_link is True


@given(st.text())
@example(" ")
@example("\n")
@example("&amp;")
@example("a\r\n\tb")
def test_the_length_of_plain_text_is_its_length(text: str) -> None:
    assert read_text(html.escape(text)) == (len(text), False)
    assert read_text(f"<p>{html.escape(text)}</p>") == (len(text), False)


@given(st.lists(st.lists(st.text(st.characters(exclude_characters="\n"), min_size=1), min_size=1), min_size=1))
def test_lines_and_paragraphs_count_one_character_between_them(paragraphs: list[list[str]]) -> None:
    written = "".join(f"<p>{'<br />'.join(map(html.escape, lines))}</p>" for lines in paragraphs)
    assert read_text(written).length == len("\n".join("\n".join(lines) for lines in paragraphs))


PIECES = (
    *(
        "<",
        ">",
        "<!",
        "<![",
        "<![CDATA[",
        "]]>",
        "<!--",
        "-->",
        "--!>",
        "<?",
        "</",
        "/>",
        "&",
        "&#",
        "&#x",
        ";",
        "'",
    ),
    *(
        '"',
        "=",
        " ",
        "<p>",
        "</p>",
        "<br>",
        "<a ",
        "href",
        "class",
        "quote-inline",
        "<script>",
        "</script>",
        "</a>",
    ),
    *(
        "<textarea>",
        "<plaintext>",
        "<title>",
        "\x00",
        "a",
        "9999999999",
        "https://x.example",
        "<a b='",
        '<p class="',
    ),
)


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=60).map("".join))
def test_no_html_raises_and_no_text_grows(content: str) -> None:
    text = read_text(content)
    # A boundary takes at least three characters of HTML; an entity may stand for two characters, never for more
    # than it is long.
    assert 0 <= text.length <= len(content)


@pytest.mark.parametrize(
    "seed",
    ["<", "<a ", "<a b='>", "<a \"' a='>", "<!--", "<!--x--!>", "<![", "&#", "&", '<p class="', "<p>", "<a b="],
)
def test_damaged_html_takes_no_time_to_speak_of(seed: str) -> None:
    """The parser alone takes seconds for 20,000 characters of some of these, and 25 times as long for 100,000."""
    content = seed * (200_000 // len(seed))
    start = time.perf_counter()
    read_text(content)
    assert time.perf_counter() - start < 5


# --- nothing stays ------------------------------------------------------------------------------------------


def test_no_text_name_or_author_is_in_any_answer() -> None:
    shown = status("1", content=f"<p>{CANARY}</p>", spoiler_text=CANARY, media_attachments=[{"url": CANARY}])
    thread = {"descendants": [reply("20", "1", CANARY, 3, content=CANARY)]}
    collect, _ = collector(
        {LOOKUP: account(), f"{STATUSES}?limit=40": [shown], f"{BASE}/statuses/1/context": thread}
    )

    async def everything() -> list[object]:
        answers = await collect.profiles([WANTED])
        posts = [page async for page in collect.posts(PROFILE, LONG_AGO)]
        return [answers, posts, await collect.replies(PROFILE, f"{HOST}/1"), vars(collect)["_one_by_one"]]

    found = run(everything())
    assert CANARY not in repr(found)
    assert "received_at" in repr(found)
