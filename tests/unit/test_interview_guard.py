"""Hostile files: each is refused with a clear message, after a bounded amount of work and in bounded memory.

Work is counted in bytes and memory, never in seconds. What could take a whole machine's memory runs in a process
of its own that may not have much.
"""

from __future__ import annotations

import io
import sqlite3
import struct
import subprocess
import sys
import traceback
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.interviews import guard
from pipelines.interviews.guard import (
    Allowed,
    Archive,
    check_text,
    check_workbook,
    clean_name,
    open_sqlite,
    open_xml,
    open_zip,
    own_text,
)
from pipelines.interviews.refi_qda import read_qdc
from pipelines.interviews.study import InterviewError
from tests import interview_files as files

ROOT = Path(__file__).resolve().parents[2]
MEMORY = 60_000_000  # what refusing may take, besides the file itself
PLAIN = Allowed("a plain document", frozenset({""}), {"a": ("k",), "b": ("k", "lang")}, frozenset({"b"}), {"b": 3})


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(InterviewError) as error:
        call()
    message = str(error.value)
    assert message.startswith("codes: ")
    assert files.CANARY not in "".join(traceback.format_exception(error.value)) + error.value.for_researcher
    return message


def refused_in_little_memory(call: Callable[[], object]) -> str:
    tracemalloc.start()
    try:
        message = refused(call)
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()
    return message


def said_by_a_small_process(path: Path, reader: str) -> str:
    """What a reader says to a file in a process that may have 600 MB of address space and 60 s of processor."""
    module, name = reader.rsplit(".", 1)
    code = (
        "import resource, sys\n"
        f"from {module} import {name} as read\n"
        "from pipelines.interviews.study import InterviewError\n"
        "content = open(sys.argv[1], 'rb').read()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (600_000_000, 600_000_000))\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (60, 60))\n"
        "try:\n    print('read', sum(use.references for use in read(content).uses))\n"
        "except InterviewError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


# --- names and text -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "is_altered"),
    [
        ("  Always \n on ", "Always on", False),
        ("Cafe\u0301", "Caf\u00e9", False),
        ("a\u202eb\u2066c", "abc", True),
        ("a\u200b\u200c\u200d\ufeffb", "ab", True),
        ("a\x00b\x07", "ab", True),
        ("a \u200b b", "a b", True),
        ("\u200b", "", True),
        ("x" * 300, "x" * 300, False),
        ("x" * 301, "x" * 300, True),
        ("=1+1", "=1+1", False),
        ("\U0001f469\U0001f3fd", "\U0001f469\U0001f3fd", False),
    ],
)
def test_clean_names(text: str, name: str, is_altered: bool) -> None:
    assert clean_name(text) == (name, is_altered)


@given(st.text())
def test_a_clean_name_stays_as_it_is(text: str) -> None:
    name = clean_name(text)[0]
    assert clean_name(name) == (name, False)


@pytest.mark.parametrize(
    ("content", "encoding", "text"),
    [
        (b"\xef\xbb\xbfa,\xc3\xa9\n", "utf-8", "a,é\n"),
        (b"a,\xe9", "cp1252", "a,é"),
        (b"a,\xe9", "ISO-8859-1", "a,é"),
        ("a,é".encode("utf-16"), "UTF-16", "a,é"),
        ("a,\u202e".encode(), "utf-8", "a,\u202e"),
    ],
)
def test_text_is_decoded(content: bytes, encoding: str, text: str) -> None:
    assert check_text(content, "codes", encoding) == text


@pytest.mark.parametrize(
    ("content", "encoding", "reason"),
    [
        (b"", "utf-8", "empty"),
        (b"a\nb\n\xe9\n", "utf-8", "line 3 is not in the encoding utf-8"),
        (b"a\x00b", "utf-8", "NUL"),
        (b"a\x00b", "cp1252", "NUL"),
        (b"a", "zlib_codec", "not one that is read"),
        (b"a", "idna", "not one that is read"),
        (b"a", "unicode_escape", "not one that is read"),
        (b"a", files.CANARY, "not one that is read"),
        (b"a", "utf-8\x00", "not one that is read"),
        (b"a" * 50_000_001, "utf-8", "larger than 50 MB"),
    ],
)
def test_text_that_is_refused(content: bytes, encoding: str, reason: str) -> None:
    with pytest.raises(InterviewError, match=reason) as error:
        check_text(content, "codes", encoding)
    assert files.CANARY not in str(error.value)
    assert encoding != files.CANARY or files.CANARY in error.value.for_researcher


# --- archives -----------------------------------------------------------------------------------------------


def member(name: str = "a", mode: int = 0) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def zipped(*infos: zipfile.ZipInfo) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for info in infos:
            archive.writestr(info, b"x")
    return out.getvalue()


def patched(content: bytes, offset_in_local: int, offset_in_central: int, value: bytes) -> bytes:
    """An archive of one member with the same field changed in both of its headers."""
    changed = bytearray(content)
    for start in (offset_in_local, content.index(b"PK\x01\x02") + offset_in_central):
        changed[start : start + len(value)] = value
    return bytes(changed)


def quoted_overlap(names: list[str], kernel: bytes) -> bytes:
    """A zip bomb whose members share one compressed block: each quotes the next one's header and goes on with it.

    After D. Fifield, A better zip bomb, USENIX WOOT 2019: the size unpacked grows with the number of members times
    the size of the kernel, and no ratio of a single member tells.
    """
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed, unpacked = deflate.compress(kernel) + deflate.flush(), kernel
    local, central = b"", []
    following: list[bytes] = []
    for name in reversed(names):
        if local:
            quote = b"\x00" + struct.pack("<HH", len(local), len(local) ^ 0xFFFF)
            packed, unpacked = quote + local + packed, local + unpacked
        sizes = struct.pack("<III", zlib.crc32(unpacked), len(packed), len(unpacked))
        start = struct.pack("<HHHHH", 20, 0, 8, 0, 33)
        local = b"PK\x03\x04" + start + sizes + struct.pack("<HH", len(name), 0) + name.encode()
        following.append(local)
        tail = struct.pack("<HHHHHI", len(name), 0, 0, 0, 0, 0)
        central.append((b"PK\x01\x02\x14\x00" + start + sizes + tail, name, len(local) + len(packed)))
    body = local + packed
    directory = b"".join(
        head + struct.pack("<I", len(body) - length) + name.encode() for head, name, length in reversed(central)
    )
    end = struct.pack("<HHHHIIH", 0, 0, len(names), len(names), len(directory), len(body), 0)
    return body + directory + b"PK\x05\x06" + end


def test_members_are_listed_and_read() -> None:
    archive = open_zip(files.archive({"a/": b"", "a/b.txt": b"one", "c": b"two" * 100_000}), "codes")
    assert archive.names == ("a/b.txt", "c")
    assert archive.read("a/b.txt") == b"one"
    assert archive.read("c") == b"two" * 100_000
    assert "b.txt" not in repr(archive)


def test_an_archive_larger_than_its_list_of_members_may_be_is_read() -> None:
    content = bytes(range(256)) * 40_000
    archive = open_zip(files.archive({"a": content}, zipfile.ZIP_STORED), "codes")
    assert archive.read("a") == content


@pytest.mark.parametrize(
    "name",
    [
        "../a",
        "a/../../b",
        "a/..",
        "..\\a",
        "/a",
        "\\a",
        "C:\\a",
        "c:a",
        "//host/share/a",
    ],
)
def test_a_member_that_reaches_beyond_the_archive_is_refused(name: str) -> None:
    assert "member 2 is named by an absolute path" in refused(
        lambda: open_zip(zipped(member("fine..name"), member(name)), "codes")
    )


def test_a_member_with_nul_in_its_name_is_refused() -> None:
    content = zipped(member("project.qdeXsafe")).replace(b"project.qdeX", b"project.qde\x00")
    assert "one with NUL" in refused(lambda: open_zip(content, "codes"))


@pytest.mark.parametrize("mode", [0o120777, 0o020666, 0o060666, 0o010666, 0o140777])
def test_links_devices_pipes_and_sockets_are_refused(mode: int) -> None:
    assert "link or a device" in refused(lambda: open_zip(zipped(member(mode=mode)), "codes"))


def test_an_encrypted_member_is_refused() -> None:
    content = patched(zipped(member()), 6, 8, b"\x01\x00")
    assert "encrypted" in refused(lambda: open_zip(content, "codes"))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_packing_is_refused_since_one_piece_of_it_may_unpack_to_gigabytes(method: int) -> None:
    assert "unusual way" in refused(lambda: open_zip(files.archive({"a": b"x"}, method), "codes"))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_by_one_name_are_refused() -> None:
    assert "by one name" in refused(lambda: open_zip(zipped(member(), member()), "codes"))


def test_too_many_members_are_refused() -> None:
    content = zipped(*(member(str(n)) for n in range(10_001)))
    assert "more than 10,000 members" in refused(lambda: open_zip(content, "codes"))


def test_hundreds_of_thousands_of_members_are_refused_before_they_are_listed() -> None:
    one = zipped(member())
    start, end = one.index(b"PK\x01\x02"), one.index(b"PK\x05\x06")
    directory = one[start:end] * 200_000
    tail = struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, len(directory), start, 0)
    content = one[:start] + directory + b"PK\x05\x06" + tail
    message = refused_in_little_memory(lambda: open_zip(content, "codes"))
    assert "lists more members than are read" in message


def test_an_archive_that_declares_too_much_is_refused_before_anything_is_unpacked() -> None:
    content = patched(files.archive({"a": b"x"}), 22, 24, struct.pack("<I", 200_000_001))
    assert "more than 200 MB" in refused_in_little_memory(lambda: open_zip(content, "codes"))


def count_unpacked(archive: Archive, name: str) -> int:
    """How many bytes were handed out before a member was refused."""
    unpacked = 0

    def unpack() -> None:
        nonlocal unpacked
        for chunk in archive.chunks(name):
            unpacked += len(chunk)

    assert "unpacks to more" in refused_in_little_memory(unpack)
    return unpacked


def test_a_flat_zip_bomb_is_stopped_at_two_hundred_times_its_size() -> None:
    content = files.archive({"project.qde": bytes(150_000_000)})
    assert len(content) < 200_000
    archive = open_zip(content, "codes")
    assert count_unpacked(archive, "project.qde") <= 200 * len(content)


def test_the_size_that_a_member_claims_to_take_does_not_help_it() -> None:
    """A compressed size of gigabytes would allow any ratio."""
    content = patched(files.archive({"a": bytes(150_000_000)}), 18, 20, struct.pack("<I", 2_000_000_000))
    assert count_unpacked(open_zip(content, "codes"), "a") <= 200 * len(content)


def test_a_member_that_lies_about_its_size_is_refused() -> None:
    content = patched(files.archive({"a": bytes(1_000_000)}), 22, 24, struct.pack("<I", 10))
    assert "damaged" in refused(lambda: open_zip(content, "codes").read("a"))


def test_a_nested_zip_bomb_is_never_opened() -> None:
    inner = files.archive({"project.qde": bytes(150_000_000)})
    content = files.archive({"project.qde": inner, "more.zip": inner})
    assert open_zip(content, "codes").read("project.qde") == inner


def test_a_member_that_is_not_there_is_refused() -> None:
    assert "cannot be unpacked" in refused(lambda: open_zip(files.qdpx(), "codes").read(files.CANARY))


def test_the_limit_of_a_reading_is_kept() -> None:
    archive = open_zip(files.archive({"a": bytes(range(256)) * 10_000}), "codes")
    assert "unpacks to more" in refused(lambda: archive.read("a", 1_000_000))


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b\x08", b"7z\xbc\xaf"])
def test_what_is_no_archive_is_refused(content: bytes) -> None:
    refused(lambda: open_zip(content, "codes"))


# --- workbooks ----------------------------------------------------------------------------------------------


def workbook(**others: bytes) -> bytes:
    out = io.BytesIO()
    book = openpyxl.Workbook()
    book.active.append(["interview", "=1+1"])
    book.save(out)
    with zipfile.ZipFile(io.BytesIO(out.getvalue())) as saved:
        return files.archive({name: saved.read(name) for name in saved.namelist()} | others)


def test_a_plain_workbook_passes() -> None:
    check_workbook(workbook(), "codes")


@pytest.mark.parametrize(
    "name",
    [
        "xl/vbaProject.bin",
        "xl/VBAPROJECT.BIN",
        "xl/externalLinks/externalLink1.xml",
        "xl/macrosheets/sheet1.xml",
        "xl/activeX/activeX1.xml",
        "xl/connections.xml",
    ],
)
def test_a_workbook_with_macros_or_links_is_refused(name: str) -> None:
    assert "macros, or links" in refused(lambda: check_workbook(workbook(**{name: b"<a/>"}), "codes"))


def test_a_workbook_whose_sheet_has_a_document_type_is_refused() -> None:
    sheet = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><worksheet>&b;</worksheet>'
    content = workbook(**{"xl/worksheets/sheet2.xml": sheet})
    assert "DOCTYPE" in refused(lambda: check_workbook(content, "codes"))


def test_another_archive_is_no_workbook() -> None:
    assert "not an Excel workbook" in refused(lambda: check_workbook(files.qdpx(), "codes"))


def test_a_workbook_that_unpacks_to_too_much_is_refused() -> None:
    content = workbook(**{"xl/worksheets/sheet2.xml": bytes(33_000_000)})
    assert "more than 32 MB" in refused(lambda: check_workbook(content, "codes"))


def test_a_bomb_of_overlapping_members_is_stopped_by_what_it_really_unpacks_to() -> None:
    names = [*(f"xl/media/{n}.bin" for n in range(30)), "xl/workbook.xml", "[Content_Types].xml"]
    content = quoted_overlap(names, bytes(900_000))
    assert len(content) < 10_000
    archive = open_zip(content, "codes")
    assert archive.read(names[-1]) == bytes(900_000)
    assert len(archive.read(names[0])) > 900_000, "the members overlap as they should"
    assert "far more" in refused_in_little_memory(lambda: check_workbook(content, "codes"))


# --- XML ----------------------------------------------------------------------------------------------------


def test_only_what_is_allowed_becomes_part_of_the_tree() -> None:
    content = (
        b'<a k="1" z="zzcanary4c1d"><!-- zzcanary4c1d --><?php zzcanary4c1d?>zzcanary4c1d'
        b'<b xml:lang="en">t<c>zzcanary4c1d<b>zzcanary4c1d</b></c>u</b><x:b xmlns:x="urn:x">zzcanary4c1d</x:b></a>'
    )
    root = open_xml(content, "codes", PLAIN)
    assert [(element.tag, dict(element.attrib)) for element in root.iter()] == [
        ("a", {"k": "1"}),
        ("b", {"lang": "en"}),
    ]
    assert own_text(root[0]) == "tu"
    assert root.text is None


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE a [<!ENTITY x "lol">]>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">',
        '<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:9/p"> %p;]>',
        "<!DOCTYPE a>",
        "<!-- first --><!DOCTYPE a []>",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-7"])
def test_a_document_type_is_refused_before_any_entity_is_defined(doctype: str, encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?>{doctype}<a k="&x;">&x;</a>'
    assert "DOCTYPE" in refused(lambda: open_xml(text.encode(encoding), "codes", PLAIN))


def test_an_external_file_is_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text(files.CANARY)
    included = (
        f'<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="{secret}" parse="text"/><b>t</b></a>'
    )
    root = open_xml(included.encode(), "codes", PLAIN)
    assert [element.tag for element in root.iter()] == ["a", "b"]
    entity = f'<!DOCTYPE a [<!ENTITY x SYSTEM "{secret.as_uri()}">]><a><b>&x;</b></a>'
    refused(lambda: open_xml(entity.encode(), "codes", PLAIN))


def entity_bomb() -> bytes:
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    return f'<!DOCTYPE a [<!ENTITY l0 "lol">{levels}]><a k="&l11;"><b>&l11;</b></a>'.encode()


def test_an_entity_bomb_is_refused() -> None:
    assert "DOCTYPE" in refused_in_little_memory(lambda: open_xml(entity_bomb(), "codes", PLAIN))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"<a>" * 101 + b"</a>" * 101, "more than 100 inside each other", id="depth"),
        pytest.param(b"<a>" + b"<c/>" * 1_000_000 + b"</a>", "more than 1,000,000 elements", id="elements"),
        pytest.param(b"<a>" + b"<b/>" * 4 + b"</a>", "more than 3 elements b", id="one kind"),
        pytest.param(
            b"<a " + b" ".join(b"a%d=''" % n for n in range(900_000)) + b"/>", "single tag", id="attributes"
        ),
        pytest.param(b"<a><!--" + b"x" * 5_000_000 + b"--></a>", "single tag or comment", id="comment"),
        pytest.param(b"<a k='" + b"x" * 5_000_000 + b"'/>", "single tag", id="attribute"),
        pytest.param(b"<a" + b"x" * 5_000_000 + b"/>", "", id="name"),
        pytest.param(b"<a>" + b"x" * 64_000_000 + b"</a>", "larger than 64 MB", id="bytes"),
        pytest.param(b"<a>", "line 1 is not well-formed", id="truncated"),
        pytest.param(b"<a>\n\x00</a>", "line 2 is not well-formed", id="nul"),
        pytest.param(b"<a>&#0;</a>", "not well-formed", id="nul reference"),
        pytest.param(b"<a>&zzcanary4c1d;</a>", "not well-formed", id="undefined entity"),
        pytest.param(b"<a></zzcanary4c1d>", "not well-formed", id="mismatch"),
        pytest.param(b"<zzcanary4c1d/>", "not a plain document", id="other root"),
        pytest.param(b"<a xmlns='zzcanary4c1d'/>", "not a plain document", id="other namespace"),
        pytest.param(b"<?xml version='1.0' encoding='zzcanary4c1d'?><a/>", "", id="unknown encoding"),
        pytest.param(b"", "empty", id="empty"),
        pytest.param(b" ", "not well-formed", id="blank"),
    ],
)
def test_xml_that_is_refused(content: bytes, reason: str) -> None:
    assert reason in refused_in_little_memory(lambda: open_xml(content, "codes", PLAIN))


def test_a_long_text_is_passed_over_in_little_memory() -> None:
    """A transcript of megabytes is no sign of anything; it never becomes part of the tree."""
    content = b"<a>" + b"word " * 1_900_000 + b"<b>t</b></a>"
    tracemalloc.start()
    assert own_text(open_xml(content, "codes", PLAIN)[0]) == "t"
    assert tracemalloc.get_traced_memory()[1] < MEMORY
    tracemalloc.stop()


def test_a_million_codes_are_refused_at_the_first_that_is_too_many() -> None:
    content = files.qdc('<Code guid="1" name="a"/>' * 1_000_000)
    message = refused_in_little_memory(lambda: read_qdc(content))
    assert "more than 20,000 elements Code" in message


# --- SQLite -------------------------------------------------------------------------------------------------


ALLOWED = {"source": ("id", "name")}
TABLE = "CREATE TABLE source (id integer primary key, name text, fulltext text);"


def changed(script: str) -> bytes:
    return files.database(TABLE + "INSERT INTO source VALUES (1, 'P1', 'zzcanary4c1d');" + script, {})


def more_rows(until: int) -> str:
    rows = f"WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {until})"
    return f"{rows} INSERT INTO source (id) SELECT i FROM n;"


def names(content: bytes) -> list[tuple[object, ...]]:
    with open_sqlite(content, "codes", ALLOWED) as tables:
        return tables.rows("source", ("id", "name"), 10)


def test_allowed_columns_are_read() -> None:
    assert names(changed("")) == [(1, "P1")]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT fulltext FROM source",
        "SELECT name FROM other",
        "SELECT upper(name) FROM source",
        "SELECT load_extension('x')",
        "SELECT sql FROM sqlite_temp_master",
        "SELECT * FROM pragma_database_list",
        "PRAGMA query_only = OFF",
        "PRAGMA writable_schema = ON",
        "PRAGMA table_info(other)",
        "ATTACH 'x.db' AS x",
        "UPDATE source SET name = 'x'",
        "DELETE FROM source",
        "CREATE TABLE x (y)",
        "CREATE TEMP TABLE x (y)",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n",
        "BEGIN",
    ],
)
def test_nothing_else_is_possible(query: str) -> None:
    with (
        open_sqlite(changed("CREATE TABLE other (name)"), "codes", ALLOWED) as tables,
        pytest.raises(sqlite3.Error),
    ):
        tables.connection.execute(query)


@pytest.mark.parametrize(
    "script",
    [
        "DROP TABLE source; CREATE TABLE t (id, name); CREATE VIEW source AS SELECT id, name FROM t;",
        "DROP TABLE source; CREATE VIRTUAL TABLE source USING fts5(id, name);",
        "DROP TABLE source; CREATE TABLE source (x, name AS (upper(x)), id AS (1));",
        "DROP TABLE source;",
    ],
)
def test_a_view_a_virtual_table_and_computed_columns_are_not_there(script: str) -> None:
    with open_sqlite(changed(script), "codes", ALLOWED) as tables:
        assert tables.present["source"] == frozenset()
        assert tables.rows("source", ("id", "name"), 10) == []


def test_a_view_is_not_read_even_by_an_allowed_name() -> None:
    content = changed("CREATE VIEW v AS SELECT name AS x FROM source;")
    with open_sqlite(content, "codes", ALLOWED | {"v": ("x",)}) as tables, pytest.raises(sqlite3.Error):
        tables.connection.execute("SELECT x FROM v")


@pytest.mark.parametrize(("pragma", "value"), [("query_only", 1), ("trusted_schema", 0), ("cell_size_check", 1)])
def test_there_is_a_second_line_behind_the_judge(pragma: str, value: int) -> None:
    with open_sqlite(changed(""), "codes", ALLOWED) as tables:
        tables.connection.set_authorizer(None)
        assert tables.connection.execute(f"PRAGMA {pragma}").fetchone() == (value,)
        with pytest.raises(sqlite3.Error, match="readonly"):
            tables.connection.execute("UPDATE source SET name = 'x'")


def test_triggers_do_not_run_and_the_copy_cannot_be_changed() -> None:
    content = changed("CREATE TRIGGER t AFTER UPDATE ON source BEGIN UPDATE source SET name = 'x'; END;")
    with open_sqlite(content, "codes", ALLOWED) as tables:
        with pytest.raises(sqlite3.Error):
            tables.connection.execute("UPDATE source SET id = 2")
        assert tables.rows("source", ("id", "name"), 10) == [(1, "P1")]


def test_a_database_in_write_ahead_mode_is_read(tmp_path: Path) -> None:
    path = tmp_path / "data.qda"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = wal")
    connection.executescript(TABLE + "INSERT INTO source VALUES (1, 'P1', '')")
    connection.close()
    content = path.read_bytes()
    assert content[18:20] == b"\x02\x02"
    assert names(content) == [(1, "P1")]


def test_too_many_rows_are_refused() -> None:
    assert len(names(changed(more_rows(10)))) == 10
    assert "more than 10 rows" in refused(lambda: names(changed(more_rows(11))))


def test_a_name_without_end_is_refused_in_little_memory() -> None:
    content = changed("INSERT INTO source VALUES (2, printf('%.*c', 100000000, 'x'), '');")
    assert "damaged" in refused_in_little_memory(lambda: names(content))


def test_a_long_transcript_beside_a_name_does_not_matter() -> None:
    assert names(changed("INSERT INTO source VALUES (2, 'P2', printf('%.*c', 10000000, 'x'));"))[1] == (2, "P2")


def test_work_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    content = changed(more_rows(9_000))

    def read() -> int:
        with open_sqlite(content, "codes", ALLOWED) as tables:
            return len(tables.rows("source", ("id", "name"), 10_000))

    assert read() == 9_000
    monkeypatch.setattr(guard, "MOST_SQL_STEPS", 20_000)
    assert "more than reading" in refused(read)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"SQLite format 3\x00",
        b"SQLite format 3\x00" + bytes(84),
        b"SQLite format 4\x00" + bytes(84),
        b"PK\x03\x04",
    ],
)
def test_what_is_no_database_is_refused(content: bytes) -> None:
    refused(lambda: names(content))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_damaged_database_is_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(changed("INSERT INTO source VALUES (2, 'P2', printf('%.*c', 9000, 'x'));"))
    for _ in range(data.draw(st.integers(1, 20))):
        content[data.draw(st.integers(16, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = names(bytes(content))
    except InterviewError as error:
        found = [(str(error),)]
    assert files.CANARY not in repr(found)


# --- in a process that may have little ----------------------------------------------------------------------


def many_codes() -> bytes:
    return files.qdc('<Code guid="1" name="a"/>' * 1_000_000)


def deep_codes() -> bytes:
    return files.qdc('<Code guid="1" name="a">' * 500_000)


def flat_bomb() -> bytes:
    return files.archive({"project.qde": b"<Project>" + b" " * 180_000_000})


def nested_json() -> bytes:
    return b'{"a":' * 1_500_000


@pytest.mark.parametrize(
    ("build", "reader", "reason"),
    [
        (many_codes, "refi_qda.read_qdc", "more than 20,000"),
        (deep_codes, "refi_qda.read_qdc", "inside each other"),
        (flat_bomb, "refi_qda.read_qdpx", "unpacks to more"),
        (entity_bomb, "ddi.read_ddi", "DOCTYPE"),
        (entity_bomb, "oai.read_oai", "DOCTYPE"),
        (nested_json, "dataverse.read_dataverse", "not JSON"),
    ],
)
def test_bombs_are_refused_by_a_process_that_may_have_little(
    tmp_path: Path, build: Callable[[], bytes], reader: str, reason: str
) -> None:
    path = tmp_path / "handed-in"
    path.write_bytes(build())
    assert reason in said_by_a_small_process(path, f"pipelines.interviews.{reader}")


def test_a_project_larger_than_any_study_is_read_by_a_process_that_may_have_little(tmp_path: Path) -> None:
    uses = 100_000
    coded = "".join(files.selection("PlainTextSelection", number, [1 + number % 4]) for number in range(uses))
    sources = f'<TextSource guid="{files.guid(11)}" name="P1">{coded}</TextSource>'
    path = tmp_path / "large.qdpx"
    path.write_bytes(files.qdpx(files.project(sources=sources)))
    assert said_by_a_small_process(path, "pipelines.interviews.refi_qda.read_qdpx") == f"read {uses}"
