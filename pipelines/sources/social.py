"""The shape of a platform: what a collector is asked and what it answers, the same for every platform.

Belongs here: the questions (who is this account, what did it post, what became of these posts, were replies
answered) and their answers as plain records. Does not belong here: any platform's addresses and fields (one
module each), and when to ask what (`collect`). Answers carry no text, no display name and no author of a reply:
a collector turns text into what a measure needs and forgets it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from pipelines.sources.http import Fetched

# unavailable: the platform does not show it (missing, deleted, deactivated, taken down: it does not say which).
# restricted: shown only to those who are signed in, or only within the federation. failed: no usable answer.
Outcome = Literal["observed", "unavailable", "moved", "opted_out", "restricted", "failed"]
Kind = Literal["post", "reply", "quote", "repost"]


class PlatformError(Exception):
    """An answer that cannot be used; the message names host, call and remedy, and nothing of the answer."""


class AccountUnavailable(PlatformError):  # noqa: N818 - the platform's verdict, not a fault
    """The platform does not show the account, or no longer; `outcome` and `reason` say what is known."""

    def __init__(self, message: str, outcome: Outcome = "unavailable", reason: str = "not_shown") -> None:
        super().__init__(message)
        self.outcome = outcome
        self.reason = reason


class Session(Protocol):
    """What a collector needs of HTTP: the polite client, or the sample world in its place."""

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        accept: str | None = None,
        budget: str | None = None,
    ) -> Fetched:
        """Fetch one address; raises `FetchError` with `status` and, for a JSON error, `body`.

        `budget` names a further limit of the host that the request counts against, such as `paging`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """An account to ask about: by its permanent id where that is known, else by its handle.

    `handle` is spelt as `identity.handles` does (`@user@host` on Mastodon); None where only the id is known.
    """

    handle: str | None
    account_id: str | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """An account as its platform shows it now; counts that the platform does not state are None, never zero."""

    account_id: str
    handle: str | None
    created_at: dt.datetime | None
    followers: int | None
    following: int | None
    posts: int | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of the question about one account; `profile` only where `outcome` is observed.

    `reason` is a short code for people who look after the pull, such as `not_answered`, `gone`, `noindex`.
    `moved_to` is the handle that the account itself names as its successor.
    """

    wanted: Wanted
    outcome: Outcome
    profile: Profile | None = None
    reason: str | None = None
    moved_to: str | None = None


@dataclass(frozen=True, slots=True)
class Post:
    """One post of an account, or its repost of somebody else's, which has no counts of its own.

    `posted_at` is the time that counts: the client's claim, but never after the platform's own time. `claimed_at`
    is the claim as made, None where it cannot be read. `read_at` is the time by which the platform orders the list
    that the post came from; paging stops by it. Times are UTC. `language` is the first one claimed.
    """

    post_id: str
    kind: Kind
    posted_at: dt.datetime
    claimed_at: dt.datetime | None
    read_at: dt.datetime
    likes: int | None = None
    reposts: int | None = None
    replies: int | None = None
    quotes: int | None = None
    text_length: int | None = None
    has_link: bool | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply by somebody else to a post, and when the account first answered it; None while it did not."""

    received_at: dt.datetime
    answered_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a platform is asked: `service` is the base address where it has one for all accounts.

    `tokens` maps a host to the token that it wants; tokens come from the environment and go nowhere else.
    """

    service: str | None = None
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)


class Collector(Protocol):
    """A platform as a set of questions; every method raises `FetchError` or `PlatformError`, no bare error."""

    platform: str
    batch_size: int  # how many accounts one call to `profiles` may name

    def host(self, wanted: Wanted) -> str:
        """The host that will be asked about an account: calls to different hosts may run side by side."""
        ...

    async def profiles(self, wanted: Sequence[Wanted]) -> list[Answer]:
        """One answer for each account that was asked about, in that order; accounts of one `host` only."""
        ...

    def posts(self, profile: Profile, since: dt.datetime) -> AsyncIterator[list[Post]]:
        """The account's posts page by page, newest first, back to `since`; a page may be empty.

        Ends where the protocol says that there is no more, or with the page whose last item that keeps the order
        is older than `since`.
        """
        ...

    async def lookup(self, profile: Profile, post_ids: Sequence[str]) -> dict[str, Post | None]:
        """The named posts as they are now; None for one that the platform no longer shows."""
        ...

    async def replies(self, profile: Profile, post_id: str) -> list[Reply] | None:
        """Direct replies by others to a post, as far as anybody may read them; None where they are hidden."""
        ...
