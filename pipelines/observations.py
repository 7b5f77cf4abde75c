"""Observations: what platforms showed at one moment, as append-only Parquet, one folder per pull.

Belongs here: writing a pull whole or not at all, what earlier pulls know of accounts and posts, and where the
files are. Does not belong here: asking platforms (`collect`, `sources`) and what observations mean (`sql/model`).

    observations/platform=bluesky/observed_on=2026-11-23/pull_id=20261123T060000.000Z-1f0c9a2b/
        account.parquet  profile.parquet  post.parquet  reply.parquet  pull.json  [quarantine_post.parquet]

The folder names carry the columns platform, observed_on and pull_id. A pull is written elsewhere and renamed into
place, so a reader sees all of it or nothing. It is never changed afterwards, but for what the policy or a person's
request takes out of it.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.contract import SQL_TYPES, Contract, quote
from pipelines.policy import Policy, PolicyError
from pipelines.snapshots import write_atomically
from pipelines.warehouse import broken_rules

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

TABLES = ("account", "profile", "post", "reply")
IN_PATH = ("platform", "observed_on", "pull_id")
PULL_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")
ROWS_AT_ONCE = 50_000
ROW_GROUP_ROWS = 122_880
MOST_REFUSED = 20  # so few refused rows never stop a pull, however small it is


class ObservationError(Exception):
    """Observations that cannot be written or read; the message names platform, table and remedy."""


class PullRecord(BaseModel):
    """What a pull did; `pull.json` beside its files.

    `refused` counts the rows in quarantine by table, `quarantined` which rules they broke. `sha256` are the hashes
    of the files by table; the id ends with the hash of them all. `revision` counts the times something was taken
    out of the pull.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    pull_id: str
    platform: str
    observed_on: dt.date
    started_at: dt.datetime
    ended_at: dt.datetime
    outcomes: dict[str, int]
    rows: dict[str, int]
    refused: dict[str, int]
    quarantined: dict[str, dict[str, int]]
    sha256: dict[str, str]
    requests: int = 0
    revision: int = 0

    @property
    def key(self) -> str:
        """What changes whenever the content of the pull does."""
        return f"{self.pull_id}:{self.revision}"


@dataclass(frozen=True, slots=True)
class KnownPost:
    """What earlier pulls know of a post: when it was posted, when it was last observed, its kind; in UTC."""

    posted_at: dt.datetime
    observed_at: dt.datetime
    kind: str


@dataclass(frozen=True, slots=True)
class KnownAccount:
    """What earlier pulls know of an account: cursor, profile of the day, and posts that still mature."""

    account_id: str
    read_since: dt.datetime | None = None
    read_to: dt.datetime | None = None
    profile: tuple[Any, ...] | None = None
    posts: Mapping[str, KnownPost] = field(default_factory=dict)


@dataclass(frozen=True)
class Known:
    """What earlier pulls of a platform know: accounts by permanent id, and ids by the handle asked about."""

    accounts: Mapping[str, KnownAccount]
    ids: Mapping[str, str]


class ObservationStore:
    """The observations of one home."""

    def __init__(
        self,
        folder: Path,
        contracts: Mapping[str, Contract],
        policy: Policy,
        *,
        suppressed: Callable[[str, str], bool] | None = None,
    ) -> None:
        """`suppressed` says of platform and name whether an account is neither asked about nor written down."""
        self.folder = folder
        self.policy = policy
        self._suppressed = suppressed
        self.contracts = {name: contracts[f"observation.{name}"] for name in TABLES}

    # --- reading --------------------------------------------------------------------------------------------

    def pulls(self, platform: str | None = None) -> list[PullRecord]:
        """Every finished pull in the order in which they began. Errors: `ObservationError` for a damaged one."""
        places = [str(self.folder)]
        for name in IN_PATH:  # listed by hand, since there are many and `glob` takes longer than reading them
            starts = f"{name}="
            places = [entry for place in places for entry in _folders(place) if _name(entry).startswith(starts)]
            if name == "platform" and platform:
                places = [place for place in places if _name(place) == f"platform={platform}"]
        found = [record for place in places if (record := _read_record(f"{place}/pull.json"))]
        return sorted(found, key=lambda record: record.pull_id)

    def is_suppressed(self, platform: str, *names: str | None) -> bool:
        """Whether any of an account's names is one that was erased."""
        listed = self._suppressed
        return listed is not None and any(name is not None and listed(platform, name) for name in names)

    def place(self, pull: PullRecord) -> Path:
        """The folder of a pull."""
        return (
            self.folder
            / f"platform={pull.platform}"
            / f"observed_on={pull.observed_on}"
            / f"pull_id={pull.pull_id}"
        )

    def query(self, table: str, pulls: Sequence[PullRecord] | None = None, *, quarantine: bool = False) -> str:
        """A query over the rows of a table, of some pulls or of all, in the contract's columns and types."""
        contract = self.contracts[table]
        name = f"quarantine_{table}" if quarantine else table
        if pulls is None:
            pattern = self.folder / "platform=*" / "observed_on=*" / "pull_id=*" / f"{name}.parquet"
            files = [pattern] if next(self.folder.glob(f"platform=*/*/*/{name}.parquet"), None) else []
        else:
            files = [path for pull in pulls if (path := self.place(pull) / f"{name}.parquet").exists()]
        extra = ', "broken_rules"' if quarantine else ""
        if not files:
            types = {c.name: "VARCHAR" if quarantine else c.sql_type for c in contract.columns}
            types |= {"broken_rules": "VARCHAR"} if quarantine else {}
            return f"select {', '.join(f'cast(null as {t}) as {quoted(c)}' for c, t in types.items())} where false"
        listed = ", ".join(quote(str(path)) for path in files)
        in_path = ", ".join(f"'{c}': {SQL_TYPES[contract.column(c).type]}" for c in IN_PATH)
        columns = ", ".join(quoted(c.name) for c in contract.columns)
        return (
            f"select {columns}{extra} from read_parquet([{listed}], hive_partitioning = true, "
            f"hive_types = {{{in_path}}})"
        )

    def known(self, platform: str, since: dt.datetime, today: dt.date) -> Known:
        """What earlier pulls know: cursors and ids from all of them, posts that were posted after `since`."""
        pulls = self.pulls(platform)
        recent = [pull for pull in pulls if pull.observed_on >= since.date()]
        con = duckdb.connect()
        try:
            ids = dict(
                con.execute(
                    "select handle, max_by(account_id, pull_id) "
                    f"from ({self.query('account', pulls)}) "
                    "where handle is not null and account_id is not null group by handle"
                ).fetchall()
            )
            cursors = {
                account_id: (_utc(read_since), _utc(read_to))
                for account_id, read_since, read_to in con.execute(
                    "select account_id, max_by(read_since, pull_id), max_by(read_to, pull_id) "
                    f"from ({self.query('account', pulls)}) "
                    "where account_id is not null and read_to is not null group by account_id"
                ).fetchall()
            }
            profiles = {
                row[0]: tuple(row[1:])
                for row in con.execute(
                    "select account_id, handle, created_at, followers, following, posts "
                    f"from ({self.query('profile', [p for p in recent if p.observed_on == today])}) "
                    "order by observed_at"
                ).fetchall()
            }
            posts: dict[str, dict[str, KnownPost]] = {}
            for account_id, post_id, posted_at, observed_at, kind, is_gone in con.execute(
                "select account_id, post_id, posted_at, observed_at, kind, is_gone from ("
                "select *, row_number() over (partition by post_id order by observed_at desc, pull_id desc) as n "
                f"from ({self.query('post', recent)})) where n = 1 and posted_at >= ?",
                [since.replace(tzinfo=None)],
            ).fetchall():
                if not is_gone:
                    known = KnownPost(_utc(posted_at), _utc(observed_at), kind)
                    posts.setdefault(account_id, {})[post_id] = known
        finally:
            con.close()
        accounts = {
            account_id: KnownAccount(
                account_id,
                cursors[account_id][0] if account_id in cursors else None,
                cursors[account_id][1] if account_id in cursors else None,
                profiles.get(account_id),
                posts.get(account_id, {}),
            )
            for account_id in {*cursors, *profiles, *posts, *ids.values()}
        }
        return Known(accounts, ids)

    def last_outcomes(self, platform: str) -> dict[str, tuple[str, int]]:
        """The newest outcome per handle asked about, and how many pulls in a row it has been the same."""
        con = duckdb.connect()
        try:
            rows = con.execute(
                f"select handle, pull_id, outcome from ({self.query('account', self.pulls(platform))}) "
                "where handle is not null order by handle, pull_id"
            ).fetchall()
        finally:
            con.close()
        found: dict[str, tuple[str, int]] = {}
        for handle, _, outcome in rows:
            last = found.get(handle)
            found[handle] = (outcome, last[1] + 1 if last and last[0] == outcome else 1)
        return found

    # --- writing --------------------------------------------------------------------------------------------

    @contextmanager
    def pull(self, platform: str, started_at: dt.datetime) -> Iterator[PullWriter]:
        """Write one pull of a platform: visible as a whole when the block ends well, else without a trace.

        Errors: `ObservationError` when another pull of the platform is being written.
        """
        staging = self.folder / ".staging" / platform
        staging.parent.mkdir(parents=True, exist_ok=True)
        with _locked(staging.parent / f"{platform}.lock", platform):
            shutil.rmtree(staging, ignore_errors=True)  # what a killed pull left behind
            staging.mkdir()
            writer = PullWriter(self, platform, started_at, staging)
            try:
                yield writer
                writer.publish()
            finally:
                writer.close()
                shutil.rmtree(staging, ignore_errors=True)

    def expire(self, today: dt.date) -> int:
        """Take out of stored pulls what the policy no longer allows to be kept; returns how many pulls changed."""
        changed = 0
        for platform in sorted(self.policy.platforms):
            if self.policy.shortest_days(platform) is None:
                continue
            for pull in self.pulls(platform):
                changed += self._expire(pull, today - pull.observed_on)
        return changed

    def sightings(self, platform: str) -> set[tuple[str | None, str | None]]:
        """Every pair of handle and permanent id under which pulls saw an account; either may be unknown."""
        con = duckdb.connect()
        try:
            pulls = self.pulls(platform)
            pairs = " union ".join(
                f"select handle, account_id from ({self.query(table, pulls, quarantine=quarantine)})"
                for table in ("account", "profile")
                for quarantine in (False, True)
            )
            return set(con.execute(pairs).fetchall())
        finally:
            con.close()

    def erase(self, platform: str, is_meant: Callable[[str], bool], *, dry_run: bool = False) -> Counter[str]:
        """Take all rows of an account out of every pull of a platform; returns how many there were by table.

        `is_meant` is asked about handles and ids. Where another account names it as the one that it moved to, that
        cell is emptied, counted as `moved_to`. Errors: `ObservationError` when a pull of the platform is running.
        """
        counts: Counter[str] = Counter()
        staging = self.folder / ".staging" / platform
        staging.parent.mkdir(parents=True, exist_ok=True)
        with _locked(staging.parent / f"{platform}.lock", platform):
            if not dry_run:
                shutil.rmtree(staging, ignore_errors=True)  # what a killed pull left behind
            for pull in self.pulls(platform):
                counts += self._erase(pull, is_meant, dry_run=dry_run)
        return counts

    def _erase(self, pull: PullRecord, is_meant: Callable[[str], bool], *, dry_run: bool) -> Counter[str]:
        import pyarrow.parquet as pq

        place, counts, files = self.place(pull), Counter[str](), [*TABLES, *(f"quarantine_{t}" for t in TABLES)]
        for name in files:
            path = place / f"{name}.parquet"
            if not path.exists():
                continue
            table = pq.read_table(path, partitioning=None)
            left, emptied = _without(table, is_meant)
            counts.update({name: table.num_rows - left.num_rows, "moved_to": emptied})
            if not dry_run and not left.equals(table):
                part = path.with_suffix(".partial")
                pq.write_table(left, part, compression="zstd", compression_level=3, row_group_size=ROW_GROUP_ROWS)
                _sync(part)
                part.replace(path)
        if not dry_run:
            self._revise(pull)
        return +counts

    def _revise(self, pull: PullRecord) -> None:
        """Let the record of a pull say what its files hold, where they are no longer those that it was made for.

        Also after a kill that came between the two: files tell by their hashes.
        """
        import pyarrow.parquet as pq

        place = self.place(pull)
        hashes = {name: _sha256(place / f"{name}.parquet") for name in TABLES}
        refused: dict[str, int] = {}
        rules: dict[str, Counter[str]] = {}
        for name in TABLES:
            path = place / f"quarantine_{name}.parquet"
            broken = pq.read_table(path, columns=["broken_rules"])[0].to_pylist() if path.exists() else []
            if broken:
                refused[name] = len(broken)
                rules[name] = Counter(rule for said in broken for rule in said.split(","))
        if hashes == pull.sha256 and refused == pull.refused:
            return
        outcomes = Counter(pq.read_table(place / "account.parquet", columns=["outcome"])[0].to_pylist())
        rows = {name: pq.read_metadata(place / f"{name}.parquet").num_rows for name in TABLES}
        revised = pull.model_copy(
            update={
                "outcomes": dict(sorted(outcomes.items())),
                "rows": rows,
                "refused": dict(sorted(refused.items())),
                "quarantined": {name: dict(sorted(found.items())) for name, found in sorted(rules.items())},
                "sha256": hashes,
                "revision": pull.revision + 1,
            }
        )
        write_atomically(place / "pull.json", revised.model_dump_json(indent=2).encode())

    def _expire(self, pull: PullRecord, age: dt.timedelta) -> bool:
        """Empty the columns of one pull that may no longer be kept; a row without its required columns goes."""
        import pyarrow.parquet as pq

        place, changed = self.place(pull), False
        for name, contract in self.contracts.items():
            names = [c.name for c in contract.columns]
            gone = self.policy.expired(name, names, pull.platform, age)
            path = place / f"{name}.parquet"
            if not gone or not path.exists():
                continue
            table = pq.read_table(path, partitioning=None)
            if table.num_rows and any(contract.column(c).required for c in gone):
                emptied = table.slice(0, 0)
            else:
                emptied = table
                for column in gone & set(table.column_names):
                    index = table.column_names.index(column)
                    nulls = _nulls(table.num_rows, table.schema.field(column))
                    emptied = emptied.set_column(index, table.schema.field(column), nulls)
            if not emptied.equals(table):
                part = path.with_suffix(".partial")
                pq.write_table(emptied, part, compression="zstd", compression_level=3)
                part.replace(path)
                changed = True
            (place / f"quarantine_{name}.parquet").unlink(missing_ok=True)
        if changed:
            hashes = {name: _sha256(place / f"{name}.parquet") for name in TABLES}
            revised = pull.model_copy(update={"revision": pull.revision + 1, "sha256": hashes})
            write_atomically(place / "pull.json", revised.model_dump_json(indent=2).encode())
        return changed


class PullWriter:
    """One pull while it is being written: rows are held against contract and policy and written in batches.

    A row that breaks a critical rule goes to the pull's quarantine and is counted.
    """

    def __init__(self, store: ObservationStore, platform: str, started_at: dt.datetime, staging: Path) -> None:
        self._store = store
        self._staging = staging
        self.platform = platform
        self.started_at = started_at
        self.observed_on = started_at.date()
        self.requests = 0
        self.outcomes: Counter[str] = Counter()
        self.rows: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.quarantined: dict[str, Counter[str]] = {}
        self.record: PullRecord | None = None
        self.ended_at: dt.datetime | None = None
        self._waiting: dict[str, list[Mapping[str, Any]]] = {name: [] for name in TABLES}
        self._files: dict[str, pq.ParquetWriter] = {}
        self._con = duckdb.connect()
        self._kept = {
            name: store.policy.kept(name, [c.name for c in contract.columns], platform)
            for name, contract in store.contracts.items()
        }

    def add(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows, without the columns that the folder names carry.

        Errors: `PolicyError` for a value that the policy does not let us keep.
        """
        for row in rows:
            if refused := [c for c, value in row.items() if value is not None and c not in self._kept[table]]:
                raise PolicyError(f"{table}.{refused[0]} of {self.platform} may not be stored; see policy.yml")
        waiting = self._waiting[table]
        waiting.extend(rows)
        if len(waiting) >= ROWS_AT_ONCE:
            self._flush(table)

    def is_suppressed(self, *names: str | None) -> bool:
        """Whether any of an account's names is one that was erased; nothing of such an account may be added."""
        return self._store.is_suppressed(self.platform, *names)

    def publish(self) -> None:
        """Finish the files and rename the pull into its place."""
        for table in TABLES:
            self._flush(table)
        for file in self._files.values():
            file.close()
        self._refuse_spoilt()
        hashes = {table: _sha256(self._staging / f"{table}.parquet") for table in TABLES}
        whole = hashlib.sha256("".join(hashes.values()).encode()).hexdigest()
        self.record = PullRecord(
            pull_id=self._pull_id(whole),
            platform=self.platform,
            observed_on=self.observed_on,
            started_at=self.started_at,
            ended_at=self.ended_at or self.started_at,
            outcomes=dict(sorted(self.outcomes.items())),
            rows={table: self.rows[table] for table in TABLES},
            refused={table: n for table, n in sorted(self.refused.items()) if n},
            quarantined={table: dict(sorted(n.items())) for table, n in sorted(self.quarantined.items())},
            sha256=hashes,
            requests=self.requests,
        )
        (self._staging / "pull.json").write_text(self.record.model_dump_json(indent=2), encoding="utf-8")
        for path in self._staging.iterdir():
            _sync(path)
        _sync(self._staging)
        place = self._store.place(self.record)
        place.parent.mkdir(parents=True, exist_ok=True)
        self._staging.rename(place)
        _sync(place.parent)

    def _refuse_spoilt(self) -> None:
        """Stop a pull that refused more rows than the contract tolerates: its cursors must not move past them."""
        for table, bad in self.refused.items():
            tolerated = self._store.contracts[table].max_quarantine_percent
            if bad > MOST_REFUSED and 100 * bad / (bad + self.rows[table]) > tolerated:
                rules = ", ".join(f"{rule} {n}" for rule, n in sorted(self.quarantined[table].items()))
                raise ObservationError(
                    f"observation.{table} of {self.platform}: {bad} of {bad + self.rows[table]} rows break "
                    f"critical rules ({rules}), more than the {tolerated:g} % that the contract tolerates; "
                    f"nothing is stored. Compare the collector with what the platform answers now"
                )

    def close(self) -> None:
        """Let go of everything that is still open."""
        for file in self._files.values():
            file.close()
        self._con.close()

    def _flush(self, table: str) -> None:
        """Judge the rows that wait and write them; a table without any is written empty, so that pulls agree."""
        rows, self._waiting[table] = self._waiting[table], []
        if not rows and table in self._files:
            return
        contract = self._store.contracts[table]
        self._con.register("found", self._as_arrow(contract, rows))
        rules = [rule for rule in contract.all_rules() if rule.per_row and rule.severity == "critical"]
        broken = broken_rules(rules, contract)
        self._con.execute(f"create or replace temp table judged as select *, {broken} as broken_rules from found")
        self._con.unregister("found")
        written = ", ".join(quoted(name) for name in _own_columns(contract))
        order = ", ".join(quoted(name) for name in _order(contract))
        good = self._con.sql(f"select {written} from judged where broken_rules = '' order by {order}")
        kept = good.to_arrow_table().cast(_schema(contract))
        self._write(table, kept)
        self.rows[table] += kept.num_rows
        if kept.num_rows < len(rows):
            self._quarantine(table, contract, order)

    def _quarantine(self, table: str, contract: Contract, order: str) -> None:
        texts = ", ".join(f"cast({quoted(c)} as varchar) as {quoted(c)}" for c in _own_columns(contract))
        bad = self._con.sql(f"select {texts}, broken_rules from judged where broken_rules <> '' order by {order}")
        found = bad.to_arrow_table()
        self._write(f"quarantine_{table}", found)
        self.refused[table] += found.num_rows
        counts = self.quarantined.setdefault(table, Counter())
        for (rules,) in self._con.execute("select broken_rules from judged where broken_rules <> ''").fetchall():
            counts.update(rules.split(","))

    def _write(self, name: str, table: pa.Table) -> None:
        import pyarrow.parquet as pq

        if name not in self._files:
            self._files[name] = pq.ParquetWriter(
                self._staging / f"{name}.parquet", table.schema, compression="zstd", compression_level=3
            )
        self._files[name].write_table(table, row_group_size=ROW_GROUP_ROWS)

    def _pull_id(self, content: str) -> str:
        """The id of the pull, whose alphabetical order is the order in time.

        Milliseconds are told because a pull of few accounts may take less than a second.
        """
        return f"{self.started_at:%Y%m%dT%H%M%S}.{self.started_at.microsecond // 1000:03d}Z-{content[:8]}"

    def _as_arrow(self, contract: Contract, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
        import pyarrow as pa

        # The id follows from the finished files; until then one of its shape stands for it.
        frame = {"platform": self.platform, "observed_on": self.observed_on, "pull_id": self._pull_id("0" * 8)}
        schema = _schema(contract, whole=True)
        columns = {
            c.name: [frame[c.name]] * len(rows) if c.name in frame else [row.get(c.name) for row in rows]
            for c in contract.columns
        }
        try:
            return pa.Table.from_pydict(columns, schema=schema)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            problem = f"{contract.table} of {self.platform}: a value is not of its column's type"
        raise ObservationError(f"{problem}; this is a fault of the collector, not of the platform")


def quoted(column: str) -> str:
    """A column name as SQL writes it."""
    return f'"{column}"'


def _own_columns(contract: Contract) -> list[str]:
    """The columns that stand in the files themselves."""
    return [c.name for c in contract.columns if c.name not in IN_PATH]


def _schema(contract: Contract, *, whole: bool = False) -> pa.Schema:
    """The Arrow schema of a stored table; times are UTC without a zone, as every engine reads them alike."""
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us"),
    }
    return pa.schema([(c.name, types[c.type]) for c in contract.columns if whole or c.name not in IN_PATH])


def _without(table: pa.Table, is_meant: Callable[[str], bool]) -> tuple[pa.Table, int]:
    """The rows that are not about an account, and in how many of them another account had moved to it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    def told(column: str) -> pa.ChunkedArray:
        values = {value for value in table[column].unique().to_pylist() if value and is_meant(value)}
        return pc.is_in(table[column], pa.array(sorted(values), pa.string()))

    named = [told(name) for name in ("handle", "account_id") if name in table.column_names]
    gone = named[0] if len(named) == 1 else pc.or_(*named)
    left = table.filter(pc.invert(gone))
    if "moved_to" not in table.column_names:
        return left, 0
    table = left
    moved = told("moved_to")
    emptied = pc.sum(moved).as_py() or 0
    if emptied:
        index, column = table.column_names.index("moved_to"), table.schema.field("moved_to")
        left = table.set_column(index, column, pc.if_else(moved, _nulls(1, column)[0], table["moved_to"]))
    return left, emptied


def _nulls(rows: int, column: pa.Field) -> pa.Array:
    import pyarrow as pa

    return pa.nulls(rows, column.type)


def _order(contract: Contract) -> list[str]:
    """The order of rows within a file: by account, so that one account's rows lie together."""
    sought = ("account_id", "handle", "posted_at", "post_id", "received_at", "observed_at")
    own = _own_columns(contract)
    return [name for name in sought if name in own]


def _folders(place: str) -> list[str]:
    """What lies in a folder; nothing where there is none."""
    try:
        with os.scandir(place) as entries:
            return [entry.path for entry in entries]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _name(place: str) -> str:
    return place.rpartition(os.sep)[2]


def _read_record(path: str) -> PullRecord | None:
    """What a pull says of itself; None where there is none."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - there are many, and `Path` takes longer than reading
            return PullRecord.model_validate_json(file.read())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValidationError:
        place = "/".join(path.split("/")[-4:])
        raise ObservationError(f"{place} is damaged: put it back from a copy, or delete the folder") from None


def _utc(moment: dt.datetime) -> dt.datetime:
    return moment.replace(tzinfo=dt.UTC)


@contextmanager
def _locked(path: Path, platform: str) -> Iterator[None]:
    """Hold the platform's lock; it goes with the process, so a killed pull blocks nobody."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ObservationError(f"another pull of {platform} is running; wait for it to end") from None
        yield


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
