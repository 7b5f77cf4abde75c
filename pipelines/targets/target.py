"""What a target is: something that a verified release can be pushed to and withdrawn from.

Belongs here: the protocol that every kind of target follows, and what goes in and out of it. Does not belong here:
any one kind.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pipelines.targets.edition import Edition


class TargetError(Exception):
    """A push or withdrawal that failed; the message names target, object and remedy, and no credential."""


class Passing(Exception):  # noqa: N818 - a state, told to stamina; what leaves a target is a `TargetError`
    """A failure that may be over at the next attempt; its message is shown, so it is in our own words only."""


class Progress(Protocol):
    """Who is told how far a push is. May be called from several threads at once."""

    def begin(self, step: str, size_bytes: int) -> None:
        """Start a step in which that many bytes are to be sent or read."""

    def advance(self, size_bytes: int) -> None:
        """So many more bytes of the step are done."""

    def say(self, sentence: str) -> None:
        """Something that the operator should read, such as an earlier release that goes along."""


@dataclass(frozen=True)
class Receipt:
    """What a push or a withdrawal did, after all of it was read back.

    `sent` and `kept` count objects that were written, and that were there with the same bytes already; `removed`
    those that were deleted. `place` is where people find the result, such as the address of a record or a draft;
    `notes` are sentences about what is left for the operator to do.
    """

    target: str
    version: str
    place: str
    sent: int = 0
    kept: int = 0
    removed: int = 0
    sent_bytes: int = 0
    notes: tuple[str, ...] = field(default=())


class Target(Protocol):
    """A place outside this home that releases are pushed to.

    Both acts are safe to repeat: after a kill or a failure the same call completes them.
    """

    name: str

    def push(self, edition: Edition, progress: Progress) -> Receipt:
        """Bring a release, and what stands beside it, to the target; what readers follow changes last.

        Never overwrites a file of a release. Errors: `TargetError`.
        """

    def withdraw(self, version: str, progress: Progress) -> Receipt:
        """Delete what the target holds of a version that was taken back.

        Refused while the target still points to it. A version that is not there is no error.

        Errors: `TargetError`.
        """
