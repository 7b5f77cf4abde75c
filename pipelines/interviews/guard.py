"""Opening what somebody handed in: within limits, in memory, by allow-list, and without running any of it.

Belongs here: archives, XML, text, workbooks and SQLite files as containers, their limits, and names cleaned of
what cannot be seen. Does not belong here: what any of them mean. Nothing is ever unpacked to a disk, resolved,
fetched, included or executed. Limits are sizes and counts, never times, so that the same file meets the same end
on every machine. Messages name a role such as `codes`, never a member, an element's content or a path.
"""

from __future__ import annotations

import codecs
import io
import re
import sqlite3
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from lxml import etree

from pipelines.interviews.study import InterviewError

MOST_BYTES: Final = 200_000_000  # of a file, and of all that an archive holds once it is unpacked
MOST_TEXT_BYTES: Final = 50_000_000
MOST_XML_BYTES: Final = 64_000_000
MOST_WORKBOOK_BYTES: Final = 32_000_000  # unpacked: a list of interviews has hundreds of rows, not millions
MOST_MEMBERS: Final = 10_000
MOST_RATIO: Final = 200  # prose packs to about a quarter, repetitive XML to a fiftieth
MOST_ELEMENTS: Final = 1_000_000
MOST_DEPTH: Final = 100
MOST_TAG_BYTES: Final = 1_000_000  # of one tag, comment or instruction
MOST_SQL_STEPS: Final = 100_000_000  # of SQLite's virtual machine: a full read of the largest study takes a tenth
MOST_CODES: Final = 20_000
MOST_USES: Final = 200_000
MOST_NAME: Final = 300  # characters of a name or label

_CHUNK: Final = 65_536
_SMALL: Final = 1_000_000  # bytes that do no harm however well they were packed
_MOST_DIRECTORY_BYTES: Final = 4_000_000  # of an archive's list of members, which is read at once
_ZIP_FAULTS: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,  # NotImplementedError too
    ValueError,
    LookupError,
    OverflowError,
)
_PACKED: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # of others one chunk can unpack to gigabytes
_XML_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"
_ENCODINGS: Final = frozenset(
    codecs.lookup(name).name
    for name in ("ascii", "utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1", "iso-8859-15", "mac-roman")
)
_ACTIVE_PART: Final = re.compile(r"vbaproject|/macrosheets/|/activex/|/externallinks/|/connections\.xml")
_SQLITE_HEADER: Final = b"SQLite format 3\x00"
_SQLITE_ROLLBACK: Final = b"\x01\x01"
_STEPS_PER_CALL: Final = 10_000
_MOST_VALUE_BYTES: Final = 20_000  # of a value that is read; a transcript beside it may be longer


# --- names and text -----------------------------------------------------------------------------------------


def clean_name(text: str) -> tuple[str, bool]:
    """A name as a reader sees it, and whether more than white space was left out of it.

    Left out are control, format (bidirectional controls, zero-width) and unassigned characters, and what follows
    after 300 characters. White space becomes single spaces, and composed characters one form, so that names that
    look equal are equal.
    """
    spaced = " ".join(text.split())
    seen = "".join(c for c in spaced if not unicodedata.category(c).startswith("C"))
    name = unicodedata.normalize("NFC", " ".join(seen.split()))
    return name[:MOST_NAME], seen != spaced or len(name) > MOST_NAME


def check_size(content: bytes, source: str, most: int = MOST_BYTES) -> None:
    """Refuse a file that is empty or longer than `most` bytes."""
    if not content:
        raise InterviewError(f"{source}: the file is empty: export it again")
    if len(content) > most:
        raise InterviewError(f"{source}: the file is larger than {most // 1_000_000} MB: hand in a smaller one")


def check_text(content: bytes, source: str, encoding: str = "utf-8", most: int = MOST_TEXT_BYTES) -> str:
    """The text of a file, without a byte order mark.

    Errors: `InterviewError` for an empty or too large file, an encoding that is none of the usual ones or does
    not fit, and NUL.
    """
    check_size(content, source, most)
    try:
        codec = codecs.lookup(encoding).name
    except (LookupError, ValueError):
        codec = ""
    if codec not in _ENCODINGS:
        said = "state utf-8, utf-16, cp1252 or latin-1"
        raise InterviewError(
            f"{source}: the stated encoding is not one that is read: {said}",
            f"{source}: the encoding {encoding!a} is not one that is read: {said}",
        )
    try:
        text = content.decode("utf-8-sig" if codec == "utf-8" else codec)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InterviewError(
            f"{source}: line {line} is not in the encoding {codec}: save the file as UTF-8 or state its encoding"
        ) from None
    if "\x00" in text:
        raise InterviewError(f"{source}: the file holds NUL characters: it is damaged or not a text file")
    return text


# --- archives -----------------------------------------------------------------------------------------------


class _BoundedFile(io.BytesIO):
    """Bytes of which nobody can ask for very many at once, such as an archive's list of millions of members."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._size = len(content)

    def read(self, size: int | None = -1, /) -> bytes:
        left = self._size - self.tell()
        wanted = left if size is None or size < 0 else size
        if wanted > _MOST_DIRECTORY_BYTES:
            raise zipfile.BadZipFile
        return super().read(size)


@dataclass(frozen=True)
class Archive:
    """A zip archive whose members are read one at a time, within limits, and never written anywhere."""

    source: str
    size: int
    zipped: zipfile.ZipFile = field(repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its files, for matching only."""
        return tuple(info.filename for info in self.zipped.infolist() if not info.is_dir())

    def chunks(self, name: str, most: int = MOST_BYTES) -> Iterator[bytes]:
        """A member's bytes, piece by piece.

        Errors: `InterviewError` as soon as they are more than `most`, or more than could honestly be packed into
        the space they take, whatever the archive declares; and for a damaged or missing member.
        """
        unpacked = 0
        try:
            info = self.zipped.getinfo(name)
            allowed = min(most, max(_SMALL, MOST_RATIO * min(info.compress_size, self.size)))
            with self.zipped.open(info) as member:
                while chunk := member.read(_CHUNK):
                    unpacked += len(chunk)
                    if unpacked > allowed:
                        raise InterviewError(f"{self.source}: a member unpacks to more than it may hold: refused")
                    yield chunk
        except _ZIP_FAULTS:
            raise InterviewError(
                f"{self.source}: the archive is damaged: a member cannot be unpacked; export it again"
            ) from None

    def read(self, name: str, most: int = MOST_BYTES) -> bytes:
        """A member as a whole; errors as `chunks`."""
        return b"".join(self.chunks(name, most))


def open_zip(content: bytes, source: str, most: int = MOST_BYTES) -> Archive:
    """A zip archive, of which only the list of members has been read.

    Errors: `InterviewError` for what is no zip archive, more than `most` bytes declared once unpacked, more than
    10,000 members, and a member that is encrypted, a link or device, named twice, named by an absolute path or
    one with `..`, or packed in a way that cannot be unpacked in small pieces.
    """
    check_size(content, source)
    if not content.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        raise InterviewError(f"{source}: the file is not a zip archive: export it again")
    try:
        zipped = zipfile.ZipFile(_BoundedFile(content))
        members = zipped.infolist()
    except _ZIP_FAULTS:
        raise InterviewError(
            f"{source}: the archive is damaged, or lists more members than are read: export it again"
        ) from None
    if len(members) > MOST_MEMBERS:
        raise InterviewError(f"{source}: the archive holds more than {MOST_MEMBERS:,} members: refused")
    for place, info in enumerate(members, start=1):
        _check_member(info, f"{source}: member {place}")
    if len({info.filename for info in members}) < len(members):
        raise InterviewError(f"{source}: the archive holds two members by one name: refused")
    if sum(info.file_size for info in members) > most:
        raise InterviewError(
            f"{source}: the archive unpacks to more than {most // 1_000_000} MB: export it without recordings"
        )
    return Archive(source, len(content), zipped)


def _check_member(info: zipfile.ZipInfo, place: str) -> None:
    """Refuse a member that could reach beyond the archive, or that cannot be unpacked within limits."""
    name = info.orig_filename.replace("\\", "/")
    if "\x00" in name or name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in name.split("/"):
        raise InterviewError(f"{place} is named by an absolute path, one with '..' or one with NUL: refused")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise InterviewError(f"{place} is a link or a device, not a file: refused")
    if info.flag_bits & 0x1:
        raise InterviewError(f"{place} is encrypted: export the project without a password")
    if info.compress_type not in _PACKED:
        raise InterviewError(f"{place} is packed in an unusual way: pack it again as an ordinary zip archive")


def check_workbook(content: bytes, source: str) -> None:
    """Refuse what is not an Excel workbook of plain cells, before anything else opens it.

    Errors: `InterviewError` as `open_zip`; for macros, links to other workbooks and data connections; for a
    document type in any of its XML; and for more than 32 MB once unpacked, which is counted, not believed.
    """
    archive = open_zip(content, source, MOST_WORKBOOK_BYTES)
    names = {name.lower() for name in archive.names}
    if not {"[content_types].xml", "xl/workbook.xml"} <= names:
        raise InterviewError(f"{source}: the file is not an Excel workbook (.xlsx): save it as one, or as CSV")
    if any(_ACTIVE_PART.search(name) for name in names):
        raise InterviewError(
            f"{source}: the workbook holds macros, or links to other data: save a copy with plain cells only"
        )
    unpacked = 0
    for name in archive.names:
        member = archive.read(name, MOST_WORKBOOK_BYTES)
        unpacked += len(member)
        if unpacked > min(MOST_WORKBOOK_BYTES, max(_SMALL, MOST_RATIO * len(content))):
            raise InterviewError(f"{source}: the workbook unpacks to far more than it may hold: refused")
        if name.lower().endswith((".xml", ".rels", ".vml")):
            _feed(member, source, _Prologue(source))


# --- XML ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Allowed:
    """What is read of an XML format; anything else is passed over, with all that stands in it.

    `attributes` names each element that is kept, with the attributes that are kept of it (`lang` is xml:lang);
    `text` those whose text is kept as well; `most` how many of an element there may be. Elements of other
    namespaces are not kept. In the tree names have no namespace.
    """

    what: str
    namespaces: frozenset[str]
    attributes: Mapping[str, Sequence[str]]
    text: frozenset[str] = frozenset()
    most: Mapping[str, int] = field(default_factory=dict)


def open_xml(content: bytes, source: str, allowed: Allowed) -> etree._Element:
    """The allowed part of an XML document.

    Errors: `InterviewError` for a document type of any kind (so that no entity can be defined, let alone expand),
    malformed XML, another root element than an allowed one, and more elements, depth or bytes than are read.
    """
    check_size(content, source, MOST_XML_BYTES)
    reader = _Reader(source, allowed)
    if not _feed(content, source, reader):
        raise InterviewError(f"{source}: the file is not {allowed.what}: check which file was handed in")
    return reader.tree()


class _Enough(Exception):  # noqa: N818 - not an error: what was asked is known
    """Ends parsing early."""


class _Prologue:
    """Reads an XML document as far as its first element, to see that it has no document type."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.events = 0

    def doctype(self, _name: str, _public_id: str | None, _system_id: str | None) -> None:
        raise InterviewError(
            f"{self.source}: the XML has a document type (DOCTYPE), which may define entities: remove it"
        )

    def start(self, _tag: str, _attributes: Mapping[str, str]) -> None:
        raise _Enough

    def end(self, _tag: str) -> None:
        self.events += 1

    def data(self, _text: str) -> None:
        self.events += 1

    def close(self) -> None:
        """Called at the end, and also after an error: there is nothing to do, and nothing may fail."""


class _Reader(_Prologue):
    """Builds the allowed part of a document, counting everything."""

    def __init__(self, source: str, allowed: Allowed) -> None:
        super().__init__(source)
        self._allowed = allowed
        self._built = etree.TreeBuilder()
        self._open: list[str] = []
        self._depth = 0
        self._elements = 0
        self._counts: Counter[str] = Counter()
        self._passed_over = 0  # the depth from which on everything is passed over; 0 where nothing is

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self.events += 1
        self._elements += 1
        self._depth += 1
        if self._elements > MOST_ELEMENTS or self._depth > MOST_DEPTH:
            raise InterviewError(
                f"{self.source}: the XML has more than {MOST_ELEMENTS:,} elements, or more than {MOST_DEPTH} "
                f"inside each other: refused"
            )
        if self._passed_over:
            return
        namespace, _, name = tag.rpartition("}")
        if name not in self._allowed.attributes or namespace.lstrip("{") not in self._allowed.namespaces:
            if self._depth == 1:
                raise _Enough
            self._passed_over = self._depth
            return
        self._counts[name] += 1
        if self._counts[name] > self._allowed.most.get(name, MOST_ELEMENTS):
            raise InterviewError(
                f"{self.source}: more than {self._allowed.most[name]:,} elements {name}: no study has so many"
            )
        kept = self._allowed.attributes[name]
        named = (("lang" if key == _XML_LANG else key, value) for key, value in attributes.items())
        self._built.start(name, {key: value for key, value in named if key in kept})
        self._open.append(name)

    def end(self, _tag: str) -> None:
        self.events += 1
        if not self._passed_over:
            self._built.end(self._open.pop())
        elif self._passed_over == self._depth:
            self._passed_over = 0
        self._depth -= 1

    def data(self, text: str) -> None:
        self.events += 1
        if self._open and not self._passed_over and self._open[-1] in self._allowed.text:
            self._built.data(text)

    def tree(self) -> etree._Element:
        """What was built, once the document has ended."""
        return self._built.close()


def _feed(content: bytes, source: str, reader: _Prologue) -> bool:
    """Let a reader see a document piece by piece; false where it had seen enough before the end."""
    parser = etree.XMLParser(
        target=reader,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    silent = 0
    try:
        for start in range(0, len(content), _CHUNK):
            before = reader.events
            parser.feed(content[start : start + _CHUNK])
            silent = silent + _CHUNK if reader.events == before else 0
            if silent > MOST_TAG_BYTES:
                raise InterviewError(f"{source}: a single tag or comment of the XML is too long: refused")
        parser.close()
    except _Enough:
        return False
    except etree.XMLSyntaxError as error:
        raise InterviewError(
            f"{source}: line {error.lineno or 1} is not well-formed XML: the file is damaged; export it again"
        ) from None
    except (etree.LxmlError, ValueError):
        raise InterviewError(f"{source}: the XML cannot be read: the file is damaged; export it again") from None
    return True


def own_text(element: etree._Element) -> str:
    """The text of an element without that of the elements in it, in single spaces."""
    parts = [element.text, *(child.tail for child in element)]
    return " ".join(" ".join(part for part in parts if part).split())


# --- SQLite -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tables:
    """The allowed columns of an SQLite file that was opened in memory and can only be read."""

    source: str
    allowed: Mapping[str, Sequence[str]]
    present: Mapping[str, frozenset[str]]
    connection: sqlite3.Connection = field(repr=False)

    def rows(self, table: str, columns: Sequence[str], most: int) -> list[tuple[Any, ...]]:
        """Rows of a table; None in a column that is allowed but not there.

        Errors: `InterviewError` for more than `most` rows, more work than any honest file needs, and damage.
        """
        there = [column for column in columns if column in self.present.get(table, ())]
        if not there:
            return []
        quoted = ", ".join(f'"{column}"' for column in there)
        at = {column: index for index, column in enumerate(there)}
        found: list[tuple[Any, ...]] = []
        characters = 0  # in a damaged file many rows can share the very same long text
        with _sqlite_errors(self.source):
            for row in self.connection.execute(f'SELECT {quoted} FROM main."{table}" LIMIT {most + 1}'):
                characters += sum(len(value) for value in row if isinstance(value, str | bytes))
                if len(found) == most or characters > MOST_TEXT_BYTES:
                    raise InterviewError(f"{self.source}: a table holds more than {most:,} rows, or too long ones")
                found.append(tuple(row[at[column]] if column in at else None for column in columns))
        return found


@contextmanager
def open_sqlite(content: bytes, source: str, allowed: Mapping[str, Sequence[str]]) -> Iterator[Tables]:
    """The allowed tables and columns of an SQLite file.

    The file is copied into memory, where it cannot be changed. Only plain tables are read: a view or virtual table
    by an allowed name counts as missing, and triggers, functions and other databases are out of reach. What a
    write-ahead log beside the file would have added is not seen.

    Errors: `InterviewError` for what is no SQLite file, or a damaged one.
    """
    check_size(content, source)
    if not content.startswith(_SQLITE_HEADER) or len(content) < 100:  # the length of the header
        raise InterviewError(f"{source}: the file is not an SQLite database: check which file was handed in")
    connection = sqlite3.connect(":memory:")
    try:
        with _sqlite_errors(source):
            connection.deserialize(_without_log(content))
            connection.text_factory = lambda value: value.decode("utf-8", "replace")
            connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_VALUE_BYTES)
            for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "query_only = ON"):
                connection.execute(f"PRAGMA {pragma}")
            connection.set_progress_handler(_work_limit(), _STEPS_PER_CALL)
            connection.set_authorizer(_only_reading(allowed))
            present = {table: _plain_columns(connection, table) & set(allowed[table]) for table in allowed}
        yield Tables(source, allowed, present, connection)
    finally:
        connection.close()


def _without_log(content: bytes) -> bytes:
    """The same database without the two bytes that ask for a write-ahead log, which there is none of in memory."""
    if content[18:20] == _SQLITE_ROLLBACK:
        return content
    return content[:18] + _SQLITE_ROLLBACK + content[20:]


@contextmanager
def _sqlite_errors(source: str) -> Iterator[None]:
    """Say what is wrong with an SQLite file without repeating its own words."""
    try:
        yield
    except (sqlite3.Error, OverflowError, MemoryError, UnicodeDecodeError):  # the last where a message is damaged
        raise InterviewError(
            f"{source}: the database is damaged, or asks for more than reading: export it again"
        ) from None


def _work_limit() -> Callable[[], int]:
    """A handler that stops SQLite after a fixed amount of work."""
    calls = iter(range(MOST_SQL_STEPS // _STEPS_PER_CALL))
    return lambda: int(next(calls, None) is None)


def _only_reading(allowed: Mapping[str, Sequence[str]]) -> Callable[..., int]:
    """A judge that lets SQLite read allowed columns of tables by themselves, and do nothing else."""
    readable = {(table, column) for table, columns in allowed.items() for column in columns}
    readable |= {(table, "") for table in allowed}  # asked where of a row nothing but its number is read
    readable |= {("sqlite_master", column) for column in ("type", "name", "sql")}

    def judge(action: int, one: str | None, two: str | None, _database: str | None, inside: str | None) -> int:
        if action == sqlite3.SQLITE_SELECT:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_READ and inside is None and (one, two) in readable:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_PRAGMA and one == "table_info" and two in allowed:
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY

    return judge


def _plain_columns(connection: sqlite3.Connection, table: str) -> frozenset[str]:
    """The columns of an ordinary table; none for anything else by that name.

    Columns that are computed are not listed, so that no expression of the file is run for them.
    """
    kinds = connection.execute("SELECT type, sql FROM sqlite_master WHERE name = ?", (table,)).fetchall()
    if len(kinds) != 1 or kinds[0][0] != "table" or re.match(r"\s*CREATE\s+VIRTUAL", kinds[0][1] or "", re.I):
        return frozenset()
    return frozenset(row[1] for row in connection.execute(f'PRAGMA table_info("{table}")'))
