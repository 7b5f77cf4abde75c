"""The restricted store: interviews in a database file of their own, closed to everybody but its owner.

Belongs here: keeping studies under random ids, the ledger of what was published about them and the secret of the
rounding; handing a study to the disclosure gate. Does not belong here: reading a study (`interviews`), and the
decision what may be told of it (`privacy`).

A store holds some thousand rows, so every change writes the whole file anew and renames it into place. What was
erased is therefore not in the file, where a database would keep freed blocks; a run that is killed leaves the file
as it was; and no log of changes ever stands beside it. What a disk keeps of removed files is beyond it. The file
is not compressed, so that a search of its bytes finds what is in it. It is opened by itself, with no other
database, and what reads it cannot reach any other file.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import duckdb
import pandas as pd
import pyarrow as pa

from pipelines.contract import Contract, to_ddl
from pipelines.interviews.study import NOT_STATED, Description, Encounter, Study
from pipelines.privacy.cells import MENTIONED, NOT_MENTIONED, THEME_PREFIX, Population
from pipelines.warehouse import broken_rules

FILE, LOCK, SCRATCH = "restricted.duckdb", "lock", "writing-"
# What of a study is erased with it; its row in `study` and its ledger stay.
CONTENT = ("encounter", "participant", "code", "encounter_code", "theme_map", "frame")
TABLES = ("study", *CONTENT, "ledger", "secret")
SECRET_BYTES = 32
SETTINGS: Mapping[str, str | bool | int | float | list[str]] = {
    "enable_external_access": False,  # no other file, database, extension or address
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "temp_directory": "",  # nothing is spilled to a disk
    "checkpoint_threshold": "1B",  # what is committed goes straight into the file
    "force_compression": "uncompressed",
    "threads": 1,
    "lock_configuration": True,
}

State = Literal["held", "withdrawn"]
Row = Mapping[str, Any]
Rows = Mapping[str, Sequence[Row]]


class RestrictedError(Exception):
    """What the store refuses or cannot do; the message names table, rule, study id and remedy, no value."""


@dataclass(frozen=True)
class StoredStudy:
    """One study that the store knows: what it says about itself, and whether its interviews are still held."""

    description: Description
    state: State


class RestrictedStore:
    """The studies of one folder, for one run at a time; a context manager that holds the folder's lock."""

    def __init__(self, folder: Path, contracts: Mapping[str, Contract]) -> None:
        self._folder = folder
        self._contracts = {name: contracts[f"restricted.{name}"] for name in TABLES}
        self._lock: int | None = None

    def __enter__(self) -> Self:
        """Make the folder where it is missing, lock it, and clear away what a killed run left behind.

        Errors: `RestrictedError` when another run holds the store.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _close_to_others(self._folder, 0o700)
        self._lock = _hold(self._folder / LOCK)
        try:
            for left in self._folder.glob(f"{SCRATCH}*"):
                shutil.rmtree(left)
            if self._file.exists():
                _close_to_others(self._file, 0o600)
            else:
                self._write({})
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def studies(self) -> tuple[StoredStudy, ...]:
        """All studies by id, also those that were withdrawn."""
        return tuple(_stored(row) for row in self._read()["study"])

    def put(self, study: Study, *, is_reinstated: bool = False) -> None:
        """Store a study as a whole in place of what was held of it, under ids drawn anew.

        Errors: `RestrictedError` for a study with refusals, for rows that break their contract, for one that was
        withdrawn unless it is said to be reinstated, and for one that turns from synthetic to real or back.
        """
        name = study.description.study_id
        if study.refusals:
            raise RestrictedError("a study with refused parts is not stored: mend what its issues name")
        stored = self._read()
        known = next((_stored(row) for row in stored["study"] if row["study_id"] == name), None)
        if known and known.state == "withdrawn" and not is_reinstated:
            raise RestrictedError(f"{name} was withdrawn: it comes back only if it is said to be reinstated")
        if known and known.description.is_synthetic != study.description.is_synthetic:
            raise RestrictedError(
                f"{name}: a study does not turn from synthetic to real or back, since the roundings of a "
                f"synthetic one rest on a public secret: give it another study_id"
            )
        fresh = _rows_of(study)
        self._write(stored | {table: [*_without(stored[table], name), *rows] for table, rows in fresh.items()})

    def withdraw(self, study_id: str) -> None:
        """Erase a study; that there was one, and the ledger of what was published about it, stay.

        Errors: `RestrictedError` for a study that the store does not know.
        """
        stored = self._read()
        known = _known(stored, study_id)
        kept = {table: _without(stored[table], study_id) for table in (*CONTENT, "study")}
        kept["study"].append({**known, "state": "withdrawn"})
        self._write(stored | kept)

    def population(self, study_id: str, sensitive: Collection[str]) -> Population:
        """A study as the disclosure gate sees it; `sensitive` are ids of themes for which rule D7 holds.

        Errors: `RestrictedError` for a study that is not held.
        """
        stored = self._read()
        if _known(stored, study_id)["state"] != "held":
            raise RestrictedError(f"{study_id} was withdrawn: nothing is held of it")
        attributes = [c.name for c in self._contracts["participant"].columns if c.classification == "quasi"]
        own = {table: [row for row in stored[table] if row["study_id"] == study_id] for table in CONTENT}
        return _population(study_id, own, attributes, frozenset(sensitive))

    def ids(self) -> frozenset[str]:
        """Every random id of the store, to make sure that none of them is published."""
        stored = self._read()
        named = {"encounter": "encounter_id", "participant": "participant_id", "code": "code_id"}
        return frozenset(row[column] for table, column in named.items() for row in stored[table])

    def ledger(self, study_id: str) -> tuple[str, ...]:
        """The entries about a study, oldest first, as JSON; the first has number 1."""
        entries = [row for row in self._read()["ledger"] if row["study_id"] == study_id]
        return tuple(row["entry"] for row in sorted(entries, key=lambda row: int(row["number"])))

    def append(self, study_id: str, entry: str, *, number: int | None = None) -> int:
        """Add an entry to the ledger of a study and return its number, which must be `number` where that is given.

        Errors: `RestrictedError` for what is no JSON, for an unknown study, and for a number that is taken or
        would leave a gap: an entry is never changed.
        """
        stored = self._read()
        _known(stored, study_id)
        try:
            json.loads(entry)
        except ValueError:
            raise RestrictedError(f"restricted.ledger: the entry for {study_id} is not JSON") from None
        following = 1 + len([row for row in stored["ledger"] if row["study_id"] == study_id])
        if number not in (None, following):
            raise RestrictedError(
                f"restricted.ledger: the next entry for {study_id} has number {following}, not {number}; "
                f"entries are added in order and never changed"
            )
        stored["ledger"].append({"study_id": study_id, "number": following, "entry": entry})
        self._write(stored)
        return following

    def secret(self, study_id: str, public: bytes | None = None) -> bytes:
        """The secret that the rounding of a study depends on: 32 random bytes, drawn once for the whole store.

        With `public` that is returned instead, so that a release of the sample world can be made again; only a
        synthetic study may be rounded with what everybody knows. The secret is kept in the store and not in a file
        beside it: with an old copy of one and a new copy of the other the same counts would be rounded a second
        time in another way, and two roundings tell more than one.
        Errors: `RestrictedError` for an unknown study, and for a public secret of one that is not synthetic.
        """
        stored = self._read()
        known = _known(stored, study_id)
        if public is not None:
            if not known["is_synthetic"]:
                raise RestrictedError(f"{study_id} is not synthetic: it is never rounded with a public secret")
            return public
        if not stored["secret"]:
            stored["secret"].append({"secret": secrets.token_hex(SECRET_BYTES)})
            self._write(stored)
        return bytes.fromhex(stored["secret"][0]["secret"])

    @property
    def _file(self) -> Path:
        return self._folder / FILE

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _read(self) -> dict[str, list[Row]]:
        """All rows by table; a table that the file does not know yet is empty."""
        if self._lock is None:
            raise RestrictedError("the store is closed: use it as a context manager")
        with _opened(self._file, read_only=True) as con:
            present = {row[0] for row in con.execute("select table_name from duckdb_tables()").fetchall()}
            return {
                name: con.execute(f"from {contract.table}").to_arrow_table().to_pylist() if name in present else []
                for name, contract in self._contracts.items()
            }

    def _write(self, rows: Rows) -> None:
        """Write the store anew with these rows: all of it, or nothing.

        Errors: `RestrictedError` naming the first rule that a row breaks.
        """
        scratch = Path(tempfile.mkdtemp(prefix=SCRATCH, dir=self._folder))  # closed to others from the start
        try:
            # DuckDB makes its file as the umask says and takes none that is there and empty: so it is closed
            # while it is an empty database, before the first row goes in.
            fresh = scratch / FILE
            duckdb.connect(str(fresh)).close()
            fresh.chmod(0o600)
            with _opened(fresh, read_only=False) as con:
                con.execute("begin")  # no schema is made: `restricted.` is the name of the file itself
                for name, contract in self._contracts.items():
                    _fill(con, contract, rows.get(name, ()))
                con.execute("commit")
            _sync(fresh)
            fresh.replace(self._file)
            _sync(self._folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


# --- the file -----------------------------------------------------------------------------------------------


def _hold(path: Path) -> int:
    """Lock the store for this run; the lock goes with the process, so a killed run blocks nobody."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise RestrictedError("another run holds the restricted store; wait for it to end") from None
    return handle


def _close_to_others(path: Path, mode: int) -> None:
    """Take away what others may do with a path, as after it was put back from a copy."""
    if stat.S_IMODE(path.stat().st_mode) & ~mode:
        path.chmod(mode)


@contextmanager
def _opened(path: Path, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that sees this file and nothing else; no message of the engine, which may quote, leaves it."""
    try:
        con = duckdb.connect(str(path), read_only=read_only, config=dict(SETTINGS))
    except duckdb.Error as error:
        # Not just "lock": a damaged file is one with a bad block.
        is_held = any(said in str(error) for said in ("Could not set lock", "different configuration"))
        reason = "another program has it open" if is_held else "it is damaged: put it back from a copy"
        raise RestrictedError(f"cannot open {FILE}: {reason}") from None
    try:
        yield con
    except duckdb.Error as error:
        fault = type(error).__name__
        raise RestrictedError(f"{FILE} cannot be used ({fault}): put it back from a copy") from None
    finally:
        con.close()


def _fill(con: duckdb.DuckDBPyConnection, contract: Contract, rows: Sequence[Row]) -> None:
    """Make a table and fill it in the order of its key, which is a random one wherever an id is; then judge it."""
    types = {"string": pa.string(), "integer": pa.int64(), "boolean": pa.bool_(), "date": pa.date32()}
    schema = pa.schema([(column.name, types[column.type]) for column in contract.columns])
    try:
        incoming = pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):  # their messages quote the value
        raise RestrictedError(f"{contract.table}: a value is not of its column's type") from None
    con.execute(to_ddl(contract))
    con.register("incoming", incoming)
    con.execute(f"insert into {contract.table} select * from incoming order by {', '.join(contract.key)}")
    con.unregister("incoming")
    broken = broken_rules([rule for rule in contract.all_rules() if rule.per_row], contract)
    checks = [f"select {broken} as names from {contract.table} where names <> ''"]
    for rule in contract.all_rules():
        if rule.kind == "unique":
            columns = ", ".join(rule.columns)
            checks.append(f"select '{rule.name}' from {contract.table} group by {columns} having count(*) > 1")
    for check in checks:
        if found := con.execute(f"{check} limit 1").fetchone():
            raise RestrictedError(f"{contract.table}: a row breaks {found[0]}; nothing was stored")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- from a study to rows -----------------------------------------------------------------------------------


def _rows_of(study: Study) -> dict[str, list[Row]]:
    """The rows of a study under fresh random ids; labels and names of codes end here.

    Of a withdrawn interview only that there was one goes in.
    """
    name = study.description.study_id
    ids = _tokens("encounter", [encounter.label for encounter in study.encounters])
    codes = _tokens("code", [code.position for code in study.codes])
    withdrawn = {encounter.label for encounter in study.encounters if encounter.status == "withdrawn"}
    participants = [person for person in study.participants if person.label not in withdrawn]
    uses = [use for use in study.uses if use.label not in withdrawn]
    rows: dict[str, list[dict[str, Any]]] = {
        "study": [{**asdict(study.description), "state": "held"}],
        "encounter": [{"encounter_id": ids[e.label], **_of_encounter(e)} for e in study.encounters],
        "participant": [
            {
                "participant_id": _token(),
                "encounter_id": _id(ids, person.label, "participant"),
                **person.attributes,
            }
            for person in participants
        ],
        "code": [
            {
                "code_id": codes[code.position],
                "parent_code_id": None if code.parent is None else _id(codes, code.parent, "code"),
            }
            for code in study.codes
        ],
        "encounter_code": [
            {
                "encounter_id": _id(ids, use.label, "encounter_code"),
                "code_id": _id(codes, use.code, "encounter_code"),
                "reference_count": use.references,
            }
            for use in uses
        ],
        "theme_map": [
            {
                "code_id": _id(codes, line.code, "theme_map"),
                "theme_id": line.theme_id,
                "reviewed_on": _day(line.reviewed_on),
            }
            for line in study.themes
        ],
        "frame": [asdict(line) for line in study.frame],
    }
    return {table: [{**row, "study_id": name} for row in of_table] for table, of_table in rows.items()}


def _of_encounter(encounter: Encounter) -> dict[str, Any]:
    """What is kept of an encounter besides its id."""
    if encounter.status == "withdrawn":
        return {"status": "withdrawn", "mode_of_collection": NOT_STATED}
    return {
        "status": encounter.status,
        "year": encounter.year,
        "mode_of_collection": encounter.mode_of_collection,
        "minutes": encounter.minutes,
    }


def _token() -> str:
    return secrets.token_hex(16)


def _tokens(table: str, names: Sequence[str | int]) -> dict[str | int, str]:
    """A random id for each name, none of which may be given twice."""
    if len(set(names)) < len(names):
        raise RestrictedError(f"restricted.{table}: two rows of the study have one name")
    return {name: _token() for name in names}


def _id(ids: Mapping[str | int, str], name: str | int, table: str) -> str:
    if name not in ids:
        raise RestrictedError(f"restricted.{table}: a row refers to what the study does not have")
    return ids[name]


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise RestrictedError("restricted.theme_map: a value is not of its column's type") from None


# --- from rows to what is asked for -------------------------------------------------------------------------


def _known(stored: Rows, study_id: str) -> Row:
    """The row of a study."""
    for row in stored["study"]:
        if row["study_id"] == study_id:
            return row
    raise RestrictedError(f"the store knows no study {study_id}")


def _stored(row: Row) -> StoredStudy:
    return StoredStudy(Description(**{f.name: row[f.name] for f in fields(Description)}), row["state"])


def _without(rows: Iterable[Row], study_id: str) -> list[Row]:
    return [row for row in rows if row["study_id"] != study_id]


def _population(study_id: str, own: Rows, attributes: Sequence[str], sensitive: frozenset[str]) -> Population:
    """A study's rows as one record per participant of a completed encounter, by random id."""
    encounters = {row["encounter_id"]: row for row in own["encounter"] if row["status"] == "completed"}
    themes = sorted({row["theme_id"] for row in own["theme_map"]})
    themes_of: dict[str, set[str]] = {}
    for row in own["theme_map"]:
        themes_of.setdefault(row["code_id"], set()).add(row["theme_id"])
    mentioned = {
        (row["encounter_id"], theme)
        for row in own["encounter_code"]
        for theme in themes_of.get(row["code_id"], ())
    }
    people = [row for row in own["participant"] if row["encounter_id"] in encounters]
    people.sort(key=lambda row: str(row["participant_id"]))  # a random order, whatever the file's is
    index = pd.Index([row["participant_id"] for row in people], dtype=str)
    columns = {name: [row[name] for row in people] for name in attributes}
    columns["mode_of_collection"] = [encounters[row["encounter_id"]]["mode_of_collection"] for row in people]
    for theme in themes:
        columns[THEME_PREFIX + theme] = [
            MENTIONED if (row["encounter_id"], theme) in mentioned else NOT_MENTIONED for row in people
        ]
    minutes = [encounters[row["encounter_id"]]["minutes"] for row in people]
    frame: dict[str, dict[str, int]] = {}
    for row in own["frame"]:
        frame.setdefault(row["attribute"], {})[row["category"]] = row["holders"]
    return Population(
        study_id=study_id,
        records=pd.DataFrame(columns, index=index, dtype=str),
        minutes=pd.Series(minutes, index=index, dtype=float),
        frame=frame,
        sensitive=frozenset(THEME_PREFIX + theme for theme in themes if theme in sensitive),
        withdrawn=len(own["encounter"]) - len(encounters),
    )
