"""The proof of an erasure: a search of every byte of a home for the names of the account.

Belongs here: where a name still stands, by file and column. Does not belong here: taking it out. It fails closed:
a file that cannot be taken apart is a finding, and so are bytes that nothing in the file's content explains, such
as what a database has deleted and not overwritten. No finding shows what was found.

A name counts where it stands by itself: `bath` is found in `@bath` and in `x.com/bath`, not in `bathing` or
`bath-spa`. Where a handle is a word as well, or the domain of a web site, only its forms as an account are looked
for.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from pipelines.erasure.journal import Pending
from pipelines.identity.handles import Account, profile_url
from pipelines.identity.platforms import PLATFORMS
from pipelines.privacy.contents import BROKEN, strings_of
from pipelines.warehouse import WarehouseError, texts_that_hold

BEFORE, AFTER = r"(?<![\w.%-])", r"(?![\w-]|\.\w|@\w)"
DATABASES = (".duckdb",)
SQLITE = (".db", ".sqlite")
TEXTS = ("", ".csv", ".json", ".jsonl", ".jsonld", ".html", ".md", ".txt", ".cff", ".yml", ".yaml", ".xml", ".log")
NAMING = frozenset({"handle", "account_id", "moved_to"})  # columns in which a bare name is an account


@dataclass(frozen=True, order=True)
class Trace:
    """A place where the account is still named: a file of what was searched, and a column or part of it."""

    file: str
    part: str

    def __str__(self) -> str:
        """The wording that may stand in a log."""
        return f"{self.file} ({self.part})"


@dataclass(frozen=True)
class Needle:
    """What is looked for: `alone` matches a name that stands by itself, `any_bytes` are all names as bytes."""

    alone: re.Pattern[str] = field(repr=False)
    naming: re.Pattern[str] = field(repr=False)
    any_bytes: Sequence[bytes] = field(repr=False)

    def is_in(self, column: str, values: Collection[str]) -> bool:
        """Whether any of some strings names the account; `column` is what they stand under."""
        pattern = self.naming if column in NAMING else self.alone
        return any(pattern.search(value.lower()) for value in values)

    def replaced_in(self, text: str, instead: str) -> str:
        """A text with something else in the place of the account."""
        return re.sub(self.alone.pattern, lambda _: instead, text, flags=re.IGNORECASE)

    def explains(self, values: Collection[str]) -> bool:
        """Whether strings hold a name as a part of something else, so that its bytes in the file mean nothing."""
        return any(one.decode() in value.lower() for value in values for one in self.any_bytes)


def needle_for(pending: Pending) -> Needle:
    """What is looked for of an account; of a handle that is a word as well only its forms as an account."""
    written = {cell.strip('"').lower() for cell in pending.written}
    addresses = {form.lower() for handle in pending.handles for form in _forms(pending.platform, handle)}
    own = {name.lower() for name in (pending.ids if pending.is_word else {*pending.handles, *pending.ids})}
    bare = {name.lower() for name in (*pending.handles, *pending.ids)}
    strict = own | {cell for cell in written | addresses if cell not in bare}
    return Needle(_alone(strict), _alone(strict | bare), [name.encode() for name in sorted(strict)])


def _alone(names: Collection[str]) -> re.Pattern[str]:
    listed = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.compile(f"{BEFORE}(?:{listed}){AFTER}" if listed else r"(?!)")


def _forms(platform: str, handle: str) -> Iterator[str]:
    """The ways in which texts point at a handle, without what a bare handle would match by itself."""
    if platform == "mastodon":
        user, _, host = handle.partition("@")
        yield from (f"{host}/@{user}", f"{host}/users/{user}")
    else:
        known = next(one for one in PLATFORMS if one == platform)
        address = profile_url(Account(known, handle, None, None)) or ""
        yield address.partition("://")[2].removeprefix("www.").rstrip("/")
    yield f"@{handle}"
    yield quote(f"@{handle}")


def find_traces(roots: Sequence[Path], needle: Needle, *, without: Collection[Path] = ()) -> list[Trace]:
    """Every place under some folders that still names the account, sorted; `without` are files not looked at."""
    found: set[Trace] = set()
    for root in roots:
        for path in sorted(root.rglob("*")):
            name = path.relative_to(root).as_posix()
            if needle.is_in("", [path.name]):
                found.add(Trace(str(path.parent.relative_to(root)), "the name of a file"))
            if path.is_file() and path not in without:
                found |= {Trace(name, part) for part in _parts(path, needle)}
    return sorted(found)


def _parts(path: Path, needle: Needle) -> set[str]:
    """The columns, or other parts, of one file that name the account."""
    look = _Look(needle)
    try:
        if path.suffix in DATABASES:
            parts = texts_that_hold(path, look)
        elif path.suffix in SQLITE:
            parts = set(_in_sqlite(path, look))
        else:
            parts = {
                " ".join(filter(None, (one.member, one.column or "text")))
                for one in strings_of(path)
                if look(one.column, one.values)
            }
    except (*BROKEN, WarehouseError, sqlite3.Error):
        return {"cannot be read"}
    raw = path.read_bytes().lower()
    if path.suffix in TEXTS and needle.is_in("", [raw.decode("utf-8", "replace")]):
        parts.add("text")
    elif path.suffix not in TEXTS and not look.explains and any(one in raw for one in needle.any_bytes):
        parts.add("bytes that are in no column")
    return parts


@dataclass
class _Look:
    """Asks about strings, and remembers whether any of them explains why a file's bytes hold a name."""

    needle: Needle
    explains: bool = False

    def __call__(self, column: str, values: Collection[str]) -> bool:
        self.explains = self.explains or self.needle.explains(values)
        return self.needle.is_in(column, values)


def _in_sqlite(path: Path, look: _Look) -> Iterator[str]:
    """The columns of an SQLite file, such as the storage of Dagster, that name the account."""
    con = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
    try:
        for (table,) in con.execute("select name from sqlite_master where type = 'table'").fetchall():
            rows = con.execute(f'select * from "{table}"')
            names = [column[0] for column in rows.description]
            for row in rows:
                for name, cell in zip(names, row, strict=True):
                    text = cell.decode("utf-8", "replace") if isinstance(cell, bytes) else cell
                    if isinstance(text, str) and look(name, [text]):
                        yield f"{table}.{name}"
    finally:
        con.close()
