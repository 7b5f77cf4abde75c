"""A small publication that is released again and again, in this process or in one that may be killed.

Belongs here: what tests of trust share. Kept apart from the tests, because a process that is started for them
imports it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from pipelines.contract import Contract, load_contract, to_ddl
from pipelines.release import build
from pipelines.release.build import Outcome, ReleaseInput, build_release
from pipelines.release.signing import read_signer
from pipelines.settings import Home
from pipelines.snapshots import Fetch
from tests.helpers import FIELDS, column, document, key, row_rule_quality, write

DAY = dt.date(2026, 11, 23)
Row = tuple[Any, ...]
# What a build passes through, in this order, by the function that each begins with.
PHASES = (
    "check_table",
    "_write_dataset",
    "_compared",
    "write_companions",
    "sign_release",
    "verify_release",
    "flush",
    "publish_key",
    "rename",
    "point_to_newest",
    "write_atomically",
    "finished",
)


def documents() -> tuple[dict[str, Any], ...]:
    """Two small datasets, one of them with every kind of rule."""
    things = document(
        "public.things",
        [
            key("thing_code", 1),
            column("thing_count", "integer", required=True, logicalTypeOptions={"minimum": 0}),
            column("seen_at", "timestamp"),
            column("note"),
        ],
        quality=[row_rule_quality("note_if_many", "thing_count < 1000 or note is not null")],
    )
    return things, document("public.stuff", [key("stuff_code", 1)])


@dataclass(frozen=True)
class Press:
    """A folder with contracts, a warehouse and a home; `signing_key` is a file without a password."""

    folder: Path
    signing_key: Path | None = None

    @property
    def home(self) -> Home:
        return Home(self.folder / "home")

    @property
    def public(self) -> Path:
        return self.home.public

    def contracts(self) -> tuple[Contract, ...]:
        """The contracts, written anew."""
        paths = [write(self.folder, written) for written in documents()]
        return tuple(sorted((load_contract(path, FIELDS) for path in paths), key=lambda c: c.name))

    def fill(self, count: int = 1, more: Sequence[Row] = ()) -> None:
        """Write the warehouse anew; another count makes another release."""
        with duckdb.connect(str(self.folder / "warehouse.duckdb")) as con:
            con.execute("create schema if not exists public")
            for contract in self.contracts():
                con.execute(to_ddl(contract))
            seen = dt.datetime(2026, 11, 1, 12, tzinfo=dt.UTC)
            rows = [("A", count, seen, "first"), ("B", 2, None, "secundus"), ("C", 3, seen, None), *more]
            con.executemany("insert into public.things values (?, ?, ?, ?)", rows)
            con.execute("insert into public.stuff values ('S')")

    def release(self) -> Outcome:
        """Build a release of what stands in the warehouse."""
        contracts = self.contracts()
        source = load_contract(write(self.folder, document("source.thing_list", [column("thing_code")])), FIELDS)
        fetched_at = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
        fetch = Fetch(
            location="https://things.example/list.csv",
            status="new",
            fetched_at=fetched_at,
            as_of=DAY,
            sha256="ab" * 32,
            rows=3,
        )
        with duckdb.connect(str(self.folder / "warehouse.duckdb")) as con:
            given = ReleaseInput(
                home=self.home,
                world="sample",
                released_on=DAY,
                contracts=contracts,
                minimum_rows={c.name: "none" for c in contracts},
                inputs={"thing_list": [fetch]},
                origins={c.name: (source,) for c in contracts},
                code_digest="0" * 64,
                signer=read_signer(self.signing_key, None) if self.signing_key else None,
            )
            return build_release(con, given)


def announce(tell: Callable[[str], None]) -> None:
    """Have a build in this process tell each of its phases when it begins."""

    def told(holder: Any, name: str) -> None:
        known = getattr(holder, name)

        def telling(*args: Any, **kwargs: Any) -> Any:
            tell(name)
            return known(*args, **kwargs)

        setattr(holder, name, telling)

    for name in PHASES[:-1]:
        on_signing = name in ("sign_release", "publish_key")
        told(build.signing if on_signing else Path if name == "rename" else build, name)
