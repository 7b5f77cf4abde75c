"""The journal of an erasure: what is to go, kept until it is gone, so that a kill at any point loses nothing.

Belongs here: the one file `erasures/pending.json` and who has to wait for it. Does not belong here: the erasing.
It is the only place of the home that names the account meanwhile, readable by its owner only, and removed at the
end.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.settings import Home
from pipelines.snapshots import write_atomically
from pipelines.suppression import OWNER_ONLY, spellings

Reason = Literal["request", "wrong_listing", "not_public", "legal", "other"]
REASONS: Mapping[Reason, str] = {
    "request": "whoever holds the account asked for it",
    "wrong_listing": "the account was listed as something that it is not",
    "not_public": "the account was never meant for the public",
    "legal": "a court or an authority ordered it",
    "other": "another reason, which the publisher knows",
}


class ErasureError(Exception):
    """An erasure that cannot be done or is not finished; the message says what to do and names no account."""


class Pending(BaseModel):
    """An erasure that is under way.

    `handles` are as `identity.handles` spells them, without a leading @, `written` are cells as sources wrote
    them. `bodies` are the authorities under which the account was published. `is_word` says that a handle means
    other things as well and proves nothing by itself. `is_mended` is set when all that is stored is rid of the
    account and only a new release and the proof are left.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    erasure: str
    day: dt.date
    reason: Reason
    platform: str
    handles: frozenset[str]
    ids: frozenset[str]
    written: frozenset[str] = frozenset()
    bodies: frozenset[str] = frozenset()
    is_word: bool = False
    is_mended: bool = False

    @property
    def names(self) -> frozenset[tuple[str, str]]:
        """Platform and name, as `spellings` gives them."""
        return frozenset((self.platform, name) for name in {*self.handles, *self.ids})

    def holds(self, platform: str, text: str) -> bool:
        """Whether the account is meant, however it is written."""
        return not self.names.isdisjoint(spellings(platform, text))

    def save(self, home: Home) -> Pending:
        """Keep the journal on disk."""
        home.erasures.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(home.erasures / "pending.json", self.model_dump_json().encode(), mode=OWNER_ONLY)
        return self


def read_pending(home: Home) -> Pending | None:
    """The erasure that is under way, None where there is none. Errors: `ErasureError` for a damaged journal."""
    path = home.erasures / "pending.json"
    try:
        return Pending.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError:
        raise ErasureError(f"{path} is damaged: delete it, and begin the erasure again") from None


def refuse_unfinished(home: Home) -> None:
    """Let nothing read or publish what is half erased. Errors: `ErasureError`."""
    pending = read_pending(home)
    if pending is not None and not pending.is_mended:
        raise ErasureError("an erasure was interrupted: run `engagement erase --resume` first")
