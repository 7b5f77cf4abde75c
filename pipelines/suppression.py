"""Accounts that are left out: which cells name one, and the list of those that were erased.

Belongs here: how an account is recognised in whatever way a source or a platform writes it, and the list that
keeps erased accounts from coming back. Does not belong here: taking out what is already stored (`erasure`). The
list names nobody: it holds keyed hashes, and the key stays in the home, readable by its owner only.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.contract import Contract
from pipelines.identity.handles import normalise_account
from pipelines.identity.platforms import PLATFORMS
from pipelines.snapshots import write_atomically

if TYPE_CHECKING:
    from pipelines.sources.reading import Conceal

Holds = Callable[[str, str], bool]  # whether an account is meant: platform, and the account as somebody writes it
OWN_PLATFORM = "platform"  # what a column says that names the account which its whole row is about
OWNER_ONLY = 0o600


class SuppressionError(Exception):
    """A list of suppressed accounts that cannot be used; the message names the file and the remedy."""


def spellings(platform: str, text: str) -> frozenset[tuple[str, str]]:
    """An account as platform and name, in every way in which the same cell may be meant: as handle, as id.

    Handles are in the spelling of `identity.handles` without a leading @; an id keeps its own.
    """
    plain = text.strip()
    if not plain:
        return frozenset()
    found = {(platform, plain.removeprefix("@"))}
    if platform in PLATFORMS:
        account = normalise_account(platform, plain)
        names = (account.handle.lstrip("@") if account.handle else None, account.account_id)
        found |= {(account.platform, name) for name in names if name}
    return frozenset(found)


# --- what a source says about an account --------------------------------------------------------------------


def conceal_accounts(contract: Contract, holds: Holds | None) -> Conceal | None:
    """How rows of a source are rid of some accounts; None where nobody is left out or no column names one.

    A row that is about the account goes. Where an account is only said of somebody, its cell is emptied: a person
    who stood for election did so with or without it.
    """
    naming = {column.name: column.account for column in contract.columns if column.account}
    if holds is None or not naming:
        return None

    def conceal(columns: Sequence[str], row: list[str]) -> list[str] | None:
        place = {name: number for number, name in enumerate(columns)}
        left = row
        for name in (name for name in naming if name in place):
            stated = naming[name] or ""
            platform = row[place[OWN_PLATFORM]].strip() if stated == OWN_PLATFORM else stated
            if row[place[name]] and holds(platform, row[place[name]]):
                if stated == OWN_PLATFORM:
                    return None
                left = [*left[: place[name]], "", *left[place[name] + 1 :]]
        return left

    return conceal


# --- the list of those who are left out ---------------------------------------------------------------------


class _Mark(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    mark: str
    since: dt.date


class _List(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    marks: tuple[_Mark, ...] = ()


@dataclass(frozen=True)
class Suppressed:
    """The suppressed accounts of one home; `marks` are days by keyed hash."""

    folder: Path
    key: bytes = field(repr=False, default=b"")
    marks: Mapping[str, dt.date] = field(repr=False, default_factory=dict)

    def holds(self, platform: str, text: str) -> bool:
        """Whether an account is suppressed, however it is written."""
        return any(self._mark(name) in self.marks for name in spellings(platform, text))

    def __bool__(self) -> bool:
        """Whether anybody is left out."""
        return bool(self.marks)

    def with_names(self, names: Iterable[tuple[str, str]], day: dt.date) -> Suppressed:
        """The list with some more names, which is kept on disk at once; the key is made with the first of them."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = self.key
        if not key:
            key = secrets.token_bytes(32)
            write_atomically(self.folder / "key", key.hex().encode(), mode=OWNER_ONLY)
        found = Suppressed(self.folder, key, self.marks)
        marks = {**{found._mark(name): day for name in names}, **self.marks}
        listed = _List(marks=tuple(_Mark(mark=mark, since=since) for mark, since in sorted(marks.items())))
        text = listed.model_dump_json(indent=2)
        write_atomically(self.folder / "suppressed.json", text.encode(), mode=OWNER_ONLY)
        return Suppressed(self.folder, key, marks)

    def _mark(self, name: tuple[str, str]) -> str:
        return hmac.new(self.key, "\0".join(name).encode(), hashlib.sha256).hexdigest()


def read_suppressed(folder: Path) -> Suppressed:
    """The list of a home, empty where nobody was ever erased.

    Errors: `SuppressionError` where list or key is damaged or missing: without them erased accounts would come
    back.
    """
    key_file, list_file = folder / "key", folder / "suppressed.json"
    if not list_file.exists():
        key = key_file.read_text(encoding="ascii").strip() if key_file.exists() else ""
        return Suppressed(folder, bytes.fromhex(key))
    try:
        key_bytes = bytes.fromhex(key_file.read_text(encoding="ascii").strip())
        listed = _List.model_validate_json(list_file.read_bytes())
    except FileNotFoundError:
        problem = f"{key_file} is missing, without which the list of erased accounts means nothing"
    except (ValidationError, ValueError):
        problem = f"{folder}: the list of erased accounts, or its key, is damaged"
    else:
        return Suppressed(folder, key_bytes, {one.mark: one.since for one in listed.marks})
    raise SuppressionError(f"{problem}: put both files back from a copy before anything is fetched")
