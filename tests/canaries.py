"""Tokens that are planted in every field of an input, and a search for them in whatever a run leaves behind.

A token is searched for as it is, in either case, as UTF-8 and UTF-16, in files as they lie on the disk and in what
is packed inside them: zip and gzip within each other, the columns and metadata of Parquet, the rows of SQLite and
DuckDB files. Write-ahead logs and temporary files are files like others.
"""

from __future__ import annotations

import gzip
import io
import shutil
import sqlite3
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

DEEPEST = 4  # archives within archives


def canary(field: str) -> str:
    """A token for a field, such as `zzcanaryqparticipantqname`: letters only, so that no cleaning changes it."""
    name = "".join(letter if letter.isalpha() else "q" for letter in field.lower())
    return f"zzcanaryq{name}"


def sightings(folder: Path, tokens: Iterable[str]) -> set[tuple[str, str]]:
    """Every token that is in a file of a folder or in a name, with the file's path."""
    wanted = sorted(tokens)
    found: set[tuple[str, str]] = set()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        found |= {(name, token) for token in in_bytes(name.encode(), wanted)}
        if path.is_file():
            for content in unpacked(path):
                found |= {(name, token) for token in in_bytes(content, wanted)}
    return found


def in_bytes(content: bytes, tokens: Iterable[str]) -> list[str]:
    """The tokens that some bytes hold."""
    lowered = content.lower()
    return [
        token
        for token in tokens
        if any(token.lower().encode(form) in lowered for form in ("utf-8", "utf-16-le", "utf-16-be"))
    ]


def unpacked(path: Path) -> Iterator[bytes]:
    """A file as it is, and all that is packed in it."""
    content = path.read_bytes()
    yield from _layers(content, DEEPEST)
    if content[:4] == b"PAR1":
        yield from _parquet(path)
    elif content[:15] == b"SQLite format 3":
        yield from _sqlite(path)
    elif content[8:12] == b"DUCK":
        yield from _duckdb(path)


def _layers(content: bytes, depth: int) -> Iterator[bytes]:
    yield content
    if depth == 0:
        return
    if content[:2] == b"\x1f\x8b":
        try:
            yield from _layers(gzip.decompress(content), depth - 1)
        except (OSError, EOFError, zlib.error):
            return
    elif content[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield archive.comment
            for member in archive.infolist():
                yield member.filename.encode() + member.comment + member.extra
                yield from _layers(archive.read(member), depth - 1)
    elif content[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(content)) as packed:
            for item in packed.getmembers():
                yield item.name.encode()
                inner = packed.extractfile(item)
                if inner is not None:
                    yield from _layers(inner.read(), depth - 1)


def _parquet(path: Path) -> Iterator[bytes]:
    file = pq.ParquetFile(path)
    yield repr((file.schema_arrow, file.schema_arrow.metadata, file.metadata.metadata)).encode()
    for group in range(file.num_row_groups):
        for place in range(file.metadata.num_columns):
            yield repr(file.metadata.row_group(group).column(place).statistics).encode()
        for column in file.read_row_group(group).columns:
            yield repr(column.to_pylist()).encode()


def _sqlite(path: Path) -> Iterator[bytes]:
    """The rows of a copy, so that reading changes nothing and no lock is needed; a log beside it comes along."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        shutil.copy(path, copy)
        for suffix in ("-wal", "-journal"):
            beside = path.with_name(path.name + suffix)
            if beside.exists():
                shutil.copy(beside, copy.with_name(copy.name + suffix))
        con = sqlite3.connect(copy)
        try:
            for (table,) in con.execute("select name from sqlite_master where type = 'table'").fetchall():
                for row in con.execute(f'select * from "{table}"'):
                    yield b"\n".join(cell if isinstance(cell, bytes) else str(cell).encode() for cell in row)
        finally:
            con.close()


def _duckdb(path: Path) -> Iterator[bytes]:
    """The rows of a copy, the log beside it included, and the text of views."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        shutil.copy(path, copy)
        log = path.with_name(f"{path.name}.wal")
        if log.exists():
            shutil.copy(log, copy.with_name(f"{copy.name}.wal"))
        with duckdb.connect(str(copy)) as con:
            yield repr(
                con.execute("select sql, comment from duckdb_views() where not internal").fetchall()
            ).encode()
            tables = con.execute("select schema_name, table_name, comment, sql from duckdb_tables()").fetchall()
            for schema, table, *said in tables:
                yield repr(said).encode()
                rows = con.execute(f'select * from "{schema}"."{table}"')
                while some := rows.fetchmany(10_000):
                    yield repr(some).encode()
