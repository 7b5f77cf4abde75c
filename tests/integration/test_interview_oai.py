"""Harvesting over OAI-PMH from a real server on this machine, through the project's own polite client."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from pipelines.interviews import oai
from pipelines.interviews.oai import Harvested, harvest
from pipelines.interviews.study import InterviewError
from pipelines.sources.http import FetchError, HttpPolicy, PoliteClient
from tests.interview_files import CANARY, codebook, everything

Answer = Callable[[dict[str, str]], str]


@dataclass
class Repository:
    """A repository that answers from a function of the request's arguments, and remembers what it was asked."""

    answer: Answer
    asked: list[dict[str, str]] = field(default_factory=list)
    address: str = ""

    @contextmanager
    def serving(self) -> Iterator[Repository]:
        repository = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                arguments = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
                repository.asked.append(arguments)
                inner = repository.answer(arguments)
                body = envelope(inner).encode() if inner else b""
                self.send_response(200 if inner else 500)
                self.send_header("Content-Type", "text/xml; charset=UTF-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """The tests' output is not its place."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.address = f"http://127.0.0.1:{server.server_port}/oai"
        try:
            yield self
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def harvest(self, query: str = "", **changes: str) -> list[Harvested]:
        """Everything that the repository gives, through the polite client."""
        policy = HttpPolicy(
            contact="tests@example.org",
            per_host_per_second=1_000,
            attempts=1,
            private_hosts=frozenset({urlsplit(self.address).netloc}),
        )
        with asyncio.Runner() as runner:
            client = PoliteClient(policy)
            runner.run(client.__aenter__())
            try:
                return list(
                    harvest(lambda url: runner.run(client.get(url)).body or b"", self.address + query, **changes)
                )
            finally:
                runner.run(client.__aexit__())


def envelope(inner: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
        f"<responseDate>2026-11-23T00:00:00Z</responseDate><request>{CANARY}</request>{inner}</OAI-PMH>"
    )


def record(number: int, metadata: str | None = None, *, is_deleted: bool = False) -> str:
    header = f"<identifier>oai:example.org:{number}</identifier><datestamp>2026-01-01</datestamp>"
    if is_deleted:
        return f'<record><header status="deleted">{header}</header></record>'
    described = metadata or codebook(titles=f"<titl>Study {number}</titl>").decode().partition("?>")[2]
    about = f"<about>{CANARY}</about>"
    return f"<record><header>{header}</header><metadata>{described}</metadata>{about}</record>"


def page(records: str, token: str | None = None) -> str:
    following = "" if token is None else f'<resumptionToken completeListSize="9">{token}</resumptionToken>'
    return f"<ListRecords>{records}{following}</ListRecords>"


def error(code: str) -> str:
    return f'<error code="{code}">{CANARY}</error>'


def three_pages(arguments: dict[str, str]) -> str:
    pages = {
        None: page(record(1) + record(2, is_deleted=True), "a b&amp;c/1"),
        "a b&c/1": page(record(3) + record(4, '<x xmlns="urn:x"/>'), "2"),
        "2": page(record(5), ""),
    }
    return pages[arguments.get("resumptionToken")]


def test_pages_are_followed_to_the_empty_token() -> None:
    with Repository(three_pages).serving() as repository:
        found = repository.harvest(set_spec="interviews")
    assert repository.asked == [
        {"verb": "ListRecords", "metadataPrefix": "oai_ddi25", "set": "interviews"},
        {"verb": "ListRecords", "resumptionToken": "a b&c/1"},  # a token stands alone
        {"verb": "ListRecords", "resumptionToken": "2"},
    ]
    assert [harvested.identifier[-1] for harvested in found] == ["1", "2", "3", "4", "5"]
    titles = [harvested.described.title for harvested in found]
    assert titles == ["Study 1", None, "Study 3", None, "Study 5"]
    assert [harvested.described.is_deleted for harvested in found] == [False, True, False, False, False]
    (refused,) = found[3].described.issues
    assert (refused.severity, refused.place) == ("refused", "record 2 of the page")
    assert not [text for text in everything(found) if CANARY in text]


def test_a_list_without_a_token_has_one_page() -> None:
    with Repository(lambda _: page(record(1))).serving() as repository:
        assert len(repository.harvest(prefix="ddi_c")) == 1
    assert repository.asked == [{"verb": "ListRecords", "metadataPrefix": "ddi_c"}]


def test_one_record_by_its_identifier() -> None:
    with Repository(lambda _: f"<GetRecord>{record(7)}</GetRecord>").serving() as repository:
        (found,) = repository.harvest("?key=1", identifier="oai:example.org:7")
    assert found.described.title == "Study 7"
    assert repository.asked == [
        {"key": "1", "verb": "GetRecord", "identifier": "oai:example.org:7", "metadataPrefix": "oai_ddi25"}
    ]


def test_no_records_are_an_empty_list() -> None:
    with Repository(lambda _: error("noRecordsMatch")).serving() as repository:
        assert repository.harvest() == []


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("cannotDisseminateFormat", "answered cannotDisseminateFormat: the repository has no DDI-Codebook"),
        ("idDoesNotExist", "answered idDoesNotExist: the repository has no record"),
        ("badArgument", "answered badArgument"),
        ("noSetHierarchy", "answered noSetHierarchy"),
        (CANARY, "answered an unknown error"),
    ],
)
def test_errors_of_the_protocol_are_named_and_others_are_not(code: str, said: str) -> None:
    with Repository(lambda _: error(code)).serving() as repository, pytest.raises(InterviewError) as refusal:
        repository.harvest()
    assert said in str(refusal.value)
    assert CANARY not in str(refusal.value) + refusal.value.for_researcher


def test_a_list_that_expires_on_the_way_says_so() -> None:
    def answer(arguments: dict[str, str]) -> str:
        return error("badResumptionToken") if "resumptionToken" in arguments else page(record(1), "x")

    with (
        Repository(answer).serving() as repository,
        pytest.raises(InterviewError, match="harvest again from the start"),
    ):
        repository.harvest()


def test_a_token_given_twice_is_refused() -> None:
    def answer(arguments: dict[str, str]) -> str:
        return page(record(1), {None: "x", "x": "y", "y": "x"}[arguments.get("resumptionToken")])

    with Repository(answer).serving() as repository, pytest.raises(InterviewError, match="token twice"):
        repository.harvest()
    assert len(repository.asked) == 3


def test_a_list_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oai, "MOST_PAGES", 5)
    with Repository(
        lambda arguments: page("", arguments.get("resumptionToken", "") + "x")
    ).serving() as repository:
        with pytest.raises(InterviewError, match="more than 5 pages"):
            repository.harvest()
        assert len(repository.asked) == 5


def test_an_answer_in_another_format_is_refused() -> None:
    hostile = f'<!DOCTYPE a [<!ENTITY x "{CANARY}">]><a>&x;</a>'.encode()
    with pytest.raises(InterviewError, match="DOCTYPE"):
        list(harvest(lambda _: hostile, "https://example.org/oai"))
    with pytest.raises(InterviewError, match="not an answer over OAI-PMH"):
        list(harvest(lambda _: b"<html/>", "https://example.org/oai"))
    with pytest.raises(InterviewError, match="not an answer over OAI-PMH"):
        list(harvest(lambda _: codebook(), "https://example.org/oai"))


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://example.org", "example.org/oai"])
def test_other_addresses_are_refused_before_anything_is_fetched(address: str) -> None:
    def fetch(_: str) -> bytes:
        raise AssertionError("it was fetched")

    with pytest.raises(InterviewError, match="http://"):
        list(harvest(fetch, address))


def test_a_failure_of_the_fetch_is_the_callers_own() -> None:
    with Repository(lambda _: "").serving() as repository, pytest.raises(FetchError):
        repository.harvest()


def test_records_arrive_as_pages_are_asked_for() -> None:
    """A long list need not be fetched whole: the second page is asked for when its first record is."""
    with Repository(three_pages).serving() as repository:
        asked: list[str] = []

        def fetch(url: str) -> bytes:
            asked.append(url)
            arguments = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
            return envelope(three_pages(arguments)).encode()

        found = harvest(fetch, repository.address)
        assert next(found).described.title == "Study 1"
        assert next(found).described.is_deleted
        assert len(asked) == 1
        assert next(found).described.title == "Study 3"
        assert len(asked) == 2
