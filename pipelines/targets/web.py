"""Asking a site over HTTP as its user: retries where they are safe, errors as sentences, no credential in them.

Belongs here: one request and its failure. Does not belong here: what a portal or an archive is asked for.

What a site answers may repeat the request with its token, so none of its text is passed on: a message here is made
of our own words, of a status, and of the names of fields that the caller expects.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import orjson
import stamina

from pipelines.targets.target import Passing, TargetError

Result = TypeVar("Result")
ATTEMPTS = 4
PIECE = 1024 * 1024
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Fingerprint:
    """Size and hashes of what a site gives back, from all of its bytes."""

    size: int
    sha256: str
    md5: str


@dataclass
class Site:
    """One site and the right to write to it; `variable` names where the token came from, for messages."""

    target: str
    address: str
    variable: str
    client: httpx.Client
    attempts: int = ATTEMPTS

    def get(self, act: str, url: str, **options: Any) -> httpx.Response | None:
        """The answer to a harmless question, asked again where that may help; None for what is not there."""
        return self._patiently(act, lambda: self._answer(act, "GET", url, absent=True, **options))

    def send(self, act: str, method: str, url: str, *, again: bool = False, **options: Any) -> httpx.Response:
        """The answer to a request that changes something; `again` where doing it twice is no harm."""

        def once() -> httpx.Response:
            answer = self._answer(act, method, url, **options)
            if answer is None:
                raise AssertionError("only questions may find nothing")
            return answer

        return self._patiently(act, once, self.attempts if again else 1)

    def deliver(self, act: str, url: str, headers: Mapping[str, str], content: bytes) -> None:
        """Send bytes to where the site says, which may be another one: without the token."""

        def once() -> None:
            with httpx.Client(timeout=self.client.timeout) as client:
                self._judge(act, self._plainly(lambda: client.put(url, headers=dict(headers), content=content)))

        self._patiently(act, once)

    def fingerprint(self, act: str, url: str) -> Fingerprint | None:
        """Read all of a file; None where there is none."""

        def read() -> Fingerprint | None:
            sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
            # As it is stored: some servers call a .gz file encoded, and it would be unpacked on the way.
            headers = {"Accept-Encoding": "identity"}
            with self.client.stream("GET", self._own(url), headers=headers, follow_redirects=True) as answer:
                if answer.status_code in (404, 410):
                    return None
                self._judge(act, answer)
                for piece in answer.iter_raw(PIECE):
                    sha256.update(piece)
                    md5.update(piece)
                    size += len(piece)
            return Fingerprint(size, sha256.hexdigest(), md5.hexdigest())

        return self._patiently(act, lambda: self._plainly(read))

    def document(self, act: str, answer: httpx.Response) -> Any:
        """The answer as JSON. Errors: `TargetError` where it is none."""
        try:
            return orjson.loads(answer.content)
        except orjson.JSONDecodeError:
            raise TargetError(
                f"target {self.target}: could not {act}: {self.address} answers with something that is not JSON: "
                f"check the endpoint in the list of targets"
            ) from None

    def rights(self, act: str) -> TargetError:
        """The sentence for what the token does not allow."""
        return TargetError(
            f"target {self.target}: may not {act}: check the token in {self.variable}, and what it may do at "
            f"{self.address}"
        )

    def _answer(
        self, act: str, method: str, url: str, *, absent: bool = False, **options: Any
    ) -> httpx.Response | None:
        accepted = options.pop("accepted", ())
        answer = self._plainly(lambda: self.client.request(method, self._own(url), **options))
        if absent and answer.status_code in (404, 410):
            return None
        if answer.status_code not in accepted:
            self._judge(act, answer)
        return answer

    def _judge(self, act: str, answer: httpx.Response) -> None:
        """Errors: `Passing`, or `TargetError` for a status that will not pass."""
        status = answer.status_code
        if answer.is_success:
            return
        if status in (401, 403):
            raise self.rights(act)
        if status in PASSING:
            raise Passing(f"{self.address} answered with status {status}")
        if status == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
            raise TargetError(f"target {self.target}: could not {act}: it is larger than {self.address} takes")
        raise TargetError(f"target {self.target}: could not {act}: {self.address} answered with status {status}")

    def _own(self, url: str) -> str:
        """An address of this very site: the token goes nowhere else, wherever an answer may lead."""
        here, there = httpx.URL(self.address), httpx.URL(url)
        if (here.scheme, here.host, here.port) != (there.scheme, there.host, there.port):
            raise TargetError(
                f"target {self.target}: {self.address} leads to another site, to which the token is not sent: "
                f"give the address under which the site knows itself as its endpoint"
            )
        return url

    def _plainly(self, call: Callable[[], Result]) -> Result:
        try:
            return call()
        except httpx.TimeoutException:
            raise Passing(f"{self.address} did not answer in time") from None
        except httpx.ConnectError:
            raise Passing(f"{self.address} cannot be reached") from None
        except (httpx.HTTPError, httpx.InvalidURL):
            raise Passing(f"the answer of {self.address} broke off or cannot be used") from None

    def _patiently(self, act: str, call: Callable[[], Result], attempts: int | None = None) -> Result:
        try:
            for attempt in stamina.retry_context(
                on=Passing, attempts=attempts or self.attempts, timeout=None, wait_initial=0.5, wait_max=15.0
            ):
                with attempt:
                    return call()
        except Passing as failure:
            raise TargetError(f"target {self.target}: could not {act}: {failure}; push again later") from None
        raise AssertionError("stamina ends with a result or an error")


def open_site(target: str, address: str, variable: str, authorization: str, timeout_seconds: float) -> Site:
    """A site with its token in a header, never in an address."""
    client = httpx.Client(
        headers={"Authorization": authorization, "User-Agent": "councillor-engagement"},
        timeout=httpx.Timeout(timeout_seconds),
        trust_env=True,
    )
    return Site(target, address, variable, client)
