"""The search for personal data: what each pattern finds and leaves alone, in which files, and what it tells."""

from __future__ import annotations

import gzip
import json
import sqlite3
import zipfile
from pathlib import Path

import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.privacy.audit import audit_files, blocking
from pipelines.privacy.contents import strings_of
from pipelines.privacy.tripwire import Finding, Searcher, declared, normalise, scan_folder
from tests.canaries import canary, in_bytes, sightings

NAMES = ("Cllr Jane Mary Oakenshaw", "José O’Brien-Smith", "Madonna")
KINDS = {
    "national insurance number": ["AB 12 34 56 C", "ab123456c", "QQ is not, JK123456D is"],
    "postcode": ["SW1A 1AA", "m1 1ae", "lives at EC1A1BB now", "GIR 0AA", "B33 8TH", "CR2 6XH", "DN55 1PT"],
    "NHS number": ["943 476 5919", "9434765919", "number 943-476-5919."],
    "e-mail address": [
        "jane@example.org",
        "jane%40example.org",
        "jane&#64;example.org",
        "jane (at) example.org",
        "jane [at] example [dot] org",
        "jane at example dot org",
        "j\u200bane＠example.org",
    ],
    "handle": ["@jane_o", "ask @JaneO about it"],
    "fediverse address": ["@jane@toot.example"],
    "social address": [
        "https://twitter.com/jane",
        "x.com/jane",
        "https://www.facebook.com/profile.php?id=1",
        "https://bsky.app/profile/jane.example",
        "jane.bsky.social",
        "did:plc:abcdefghijklmnopqrstuvwx",
        "https://toot.example/@jane",
    ],
    "telephone number": [
        "020 7946 0018",
        "+44 20 7946 0018",
        "07700 900123",
        "(0121) 496 0000",
        "+1 202-555-0143",
    ],
    "name of a person": [
        "Jane Mary Oakenshaw",
        "JANE OAKENSHAW",
        "Oakenshaw, Jane",
        "jane_oakenshaw",
        "jane.oakenshaw",
        "Ja\u00adne\u00a0Oakenshaw",
        "Jose O'Brien Smith",
    ],
    "direction mark": ["abc\u202edef"],
    "control character": ["abc\x00def"],
    "guid": ["5f3c1ab2-77aa-4c55-9d0e-0123456789ab"],
    "clock": ["2016-03-01T09:30:00Z", "2016-03-01T00:00:07", "2016-03-01 09:30"],
}
HARMLESS = [
    "E07000240",
    "2026-11-23",
    "2026.11.0",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "943 476 5918",  # the check digit is wrong
    "GB123456A",  # a prefix that is not given out
    "QQ123456C",
    "0.1234567890",
    "12345678901",
    "meeting at the town hall",
    "published at example.org",
    "www.birmingham.gov.uk/councillors",
    "Jane Oakenshawe",  # another word
    "Mary Jane",
    "Madonna",  # one word is no full name
    "50 % of councillors & officers",
    "a+b=c",
    "@context",
    "@dataset{release_2026,",
    "@type",
    "2026-11-23T00:00:00Z",
    "count(*) filter (where x > 0)",
]


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in KINDS.items() for text in texts])
def test_what_points_at_a_person_is_found(kind: str, text: str) -> None:
    assert kind in Searcher.of(NAMES).kinds([text])


@pytest.mark.parametrize("text", HARMLESS)
def test_what_points_at_nobody_is_left_alone(text: str) -> None:
    assert Searcher.of(NAMES).kinds([text]) == set()


def test_a_name_does_not_run_from_one_value_into_the_next() -> None:
    assert Searcher.of(NAMES).kinds(["the name is Jane", "Oakenshaw is a place"]) == set()


def test_text_is_read_as_a_reader_sees_it() -> None:
    assert normalise("ｊａｎｅ%2540example&period;org\ufeff") == "jane@example.org"


# --- files --------------------------------------------------------------------------------------------------


def write_parquet(path: Path, columns: dict[str, list[object]], **more: object) -> None:
    pq.write_table(pa.table(columns), path, **more)


def kinds_in(folder: Path, **more: object) -> set[tuple[str, str, str]]:
    return {(f.file, f.column, f.kind) for f in scan_folder(folder, NAMES, **more)}


def test_a_postcode_that_is_left_only_in_a_statistic_is_found(tmp_path: Path) -> None:
    """The data page is overwritten afterwards; the footer still says what the smallest value was."""
    path = tmp_path / "councils.parquet"
    values = ["SW1A 1AA", *(f"word {n}" for n in range(9))]
    write_parquet(path, {"name": values}, compression="none", use_dictionary=False, write_page_index=False)
    content = path.read_bytes()
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    path.write_bytes(content[:footer].replace(b"SW1A 1AA", b"a word 9") + content[footer:])
    assert "SW1A 1AA" not in pq.read_table(path)["name"].to_pylist()
    assert kinds_in(tmp_path) == {("councils.parquet", "name", "postcode")}


def test_a_dictionary_entry_that_no_row_uses_is_found(tmp_path: Path) -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0, 0, 0]), pa.array(["a", "jane@example.org"]))
    pq.write_table(pa.table({"name": column}), tmp_path / "a.parquet", write_statistics=False)
    stored = b"jane@example.org" in (tmp_path / "a.parquet").read_bytes()
    assert kinds_in(tmp_path) == ({("a.parquet", "name", "e-mail address")} if stored else set())


@pytest.mark.parametrize("place", ["column name", "schema metadata", "field metadata", "value", "list", "number"])
def test_every_place_of_a_parquet_file_is_searched(tmp_path: Path, place: str) -> None:
    field, metadata, values, kind = pa.field("x", pa.string()), None, pa.array(["a"]), "postcode"
    if place == "column name":
        field = pa.field("SW1A 1AA", pa.string())
    elif place == "schema metadata":
        metadata = {b"made by": b"somebody in SW1A 1AA"}
    elif place == "field metadata":
        field = pa.field("x", pa.string(), metadata={b"comment": b"as in SW1A 1AA"})
    elif place == "value":
        values = pa.array(["SW1A 1AA"])
    elif place == "list":
        values = pa.array([["a", "SW1A 1AA"]])
        field = pa.field("x", pa.list_(pa.string()))
    else:
        values, kind = pa.array([9434765919]), "NHS number"
        field = pa.field("x", pa.int64())
    table = pa.Table.from_arrays([values], schema=pa.schema([field], metadata=metadata))
    pq.write_table(table, tmp_path / "a.parquet")
    assert {found[2] for found in kinds_in(tmp_path)} == {kind}


@pytest.mark.parametrize(
    "name",
    ["a.csv", "a.csv.gz", "a.json", "a.jsonld", "a.html", "a.md", "a.xlsx", "LICENCE", "a.duckdb", "a.unknown"],
)
def test_every_kind_of_file_is_searched(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    said = "write to jane@example.org"
    if name == "a.csv.gz":
        path.write_bytes(gzip.compress(f"x,y\n1,{said}\n".encode()))
    elif name.startswith("a.json"):
        path.write_text(json.dumps({"x": [{"y": said}]}), encoding="utf-8")
    elif name == "a.xlsx":
        book = openpyxl.Workbook()
        book.active["A1"], book.active["A2"] = "x", said
        book.save(path)
    elif name == "a.duckdb":
        with duckdb.connect(str(path)) as con:
            con.execute(f"create view v as select '{said}' as x")
    elif name == "a.csv":
        path.write_text(f"x,y\n1,{said}\n", encoding="utf-8")
    else:
        path.write_text(f"<p title='{said}'>x</p>\n", encoding="utf-8")
    assert {(found[0], found[2]) for found in kinds_in(tmp_path)} == {(name, "e-mail address")}


def test_a_file_is_named_after_nobody(tmp_path: Path) -> None:
    (tmp_path / "jane-oakenshaw.md").write_text("x", encoding="utf-8")
    assert kinds_in(tmp_path) == {("jane-oakenshaw.md", "file name", "name of a person")}


@pytest.mark.parametrize("name", ["a.parquet", "a.csv.gz", "a.json", "a.xlsx", "a.csv"])
def test_a_file_that_cannot_be_read_is_a_finding(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x,y\n1,2,3\n\xff\xfe")
    assert kinds_in(tmp_path) == {(name, "", "unreadable file")}


def test_a_link_out_of_the_folder_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "release").mkdir()
    (tmp_path / "elsewhere.md").write_text("jane@example.org", encoding="utf-8")
    (tmp_path / "release" / "a.md").symlink_to(tmp_path / "elsewhere.md")
    assert kinds_in(tmp_path / "release") == {("a.md", "", "unreadable file")}


# --- exceptions, hostile text, and the verdict --------------------------------------------------------------


def test_what_is_declared_for_a_column_is_let_through_there_and_nowhere_else(tmp_path: Path) -> None:
    write_parquet(tmp_path / "accounts.parquet", {"handle": ["@council"], "note": ["@council"]})
    write_parquet(tmp_path / "other.parquet", {"handle": ["@council"]})
    allowed = declared({"accounts": {"handle": ("handle",)}})
    assert kinds_in(tmp_path, allowed=allowed) == {
        ("accounts.parquet", "note", "handle"),
        ("other.parquet", "handle", "handle"),
    }
    write_parquet(tmp_path / "accounts.parquet", {"handle": ["jane@example.org"], "note": ["x"]})
    assert ("accounts.parquet", "handle", "e-mail address") in kinds_in(tmp_path, allowed=allowed)


def test_a_spreadsheet_is_searched_by_column_and_an_archive_by_what_is_in_it(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (("handle", "note", "sum"), ("@council", "@council", "=1+1")):
        book.active.append(row)
    book.save(tmp_path / "accounts.xlsx")
    allowed = declared({"accounts": {"handle": ("handle",)}})
    assert {found[1:] for found in kinds_in(tmp_path, allowed=allowed)} == {("note", "handle"), ("sum", "formula")}
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.write(tmp_path / "accounts.xlsx", "tables/accounts.xlsx")
        archive.writestr("notes.zip", b"no archive")
    (tmp_path / "accounts.xlsx").unlink()
    found = kinds_in(tmp_path, allowed=allowed)
    assert ("all.zip/tables/accounts.xlsx", "note", "handle") in found
    assert ("all.zip", "", "unreadable file") in found


def test_a_text_of_a_spreadsheet_that_no_cell_shows_is_found(tmp_path: Path) -> None:
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    cell = '<row r="1"><c r="A1" t="s"><v>0</v></c></row><row r="2"><c r="A2" t="s"><v>1</v></c></row>'
    texts = "<si><t>handle</t></si><si><t>@council</t></si><si><t>jane@example.org</t></si>"
    with zipfile.ZipFile(tmp_path / "accounts.xlsx", "w") as archive:
        sheet = f'<worksheet xmlns="{main}"><sheetData>{cell}</sheetData></worksheet>'
        archive.writestr("xl/worksheets/sheet1.xml", sheet)
        archive.writestr("xl/sharedStrings.xml", f'<sst xmlns="{main}">{texts}</sst>')
    found = kinds_in(tmp_path, allowed=declared({"accounts": {"handle": ("handle",)}}))
    assert found == {("accounts.xlsx", "shared strings", "e-mail address")}


def test_ids_and_times_of_day_are_findings_in_tables_about_interviews_only(tmp_path: Path) -> None:
    """What D11 keeps out: source guids and timestamps."""
    texts = {"x": ["5f3c1ab2-77aa-4c55-9d0e-0123456789ab", "2016-03-01T09:30:00"]}
    write_parquet(tmp_path / "interview_themes.parquet", texts)
    write_parquet(tmp_path / "hourly_profile.parquet", texts)
    found = kinds_in(tmp_path, strict=("interview_themes",))
    assert {(name, kind) for name, _, kind in found} == {
        ("interview_themes.parquet", "guid"),
        ("interview_themes.parquet", "clock"),
    }


@pytest.mark.parametrize(
    ("cell", "is_found"),
    [
        ("=1+1", True),
        ("+44x", True),
        ("-2+3", True),
        ("@SUM(A1)", True),
        ("\tx", True),
        ('"\rx"', True),
        ("-5", False),
        ("+3.5", False),
        ("-1e5", False),
        ("a=b", False),
    ],
)
def test_a_cell_that_a_spreadsheet_would_calculate_is_found(tmp_path: Path, cell: str, is_found: bool) -> None:
    (tmp_path / "a.csv").write_text(f"x,y\n1,{cell}\n", encoding="utf-8", newline="")
    assert any(found.kind == "formula" for found in scan_folder(tmp_path)) is is_found


def test_the_verdict_names_the_attack_the_file_and_the_column_and_no_value(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", {"x": ["jane@example.org"], "y": ["abc\u202e"]})
    found = audit_files(tmp_path, record_ids=["zzz"])
    assert [one.outcome for one in found] == ["found", "nothing found", "found"]
    assert blocking(found) == [
        "A9 (Personal data in files) got through in a.parquet, x: e-mail address",
        "A15 (Hostile text in files) got through in a.parquet, y: direction mark",
    ]
    assert "jane" not in repr(scan_folder(tmp_path, ["jane doe"]))
    assert "doe" not in repr(Searcher.of(["jane doe"]))
    assert str(Finding("a.parquet", "x", "postcode")) == "a.parquet, x: postcode"


def test_rows_in_another_order_than_that_of_their_keys_and_ids_of_records_are_found(tmp_path: Path) -> None:
    ordered = {"study_id": ["s"] * 3, "theme_id": ["a", "a", "b"], "role_group": ["all", "councillor", "all"]}
    write_parquet(tmp_path / "interview_themes.parquet", ordered)
    assert blocking(audit_files(tmp_path, record_ids=["3fa97c"])) == []
    by_interview = {name: values[::-1] for name, values in ordered.items()}
    write_parquet(tmp_path / "interview_themes.parquet", by_interview)
    assert [one.outcome for one in audit_files(tmp_path)][1] == "found"
    write_parquet(tmp_path / "interview_themes.parquet", {**ordered, "x": ["id 3fa97c", "", ""]})
    assert [one.outcome for one in audit_files(tmp_path, record_ids=["3fa97c"])][1] == "found"
    write_parquet(tmp_path / "interview_themes.parquet", {"study_id": ["s"]})
    assert [one.outcome for one in audit_files(tmp_path)][1] == "found"  # no keys, no order to trust


def test_an_audit_of_files_that_breaks_off_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> list[Finding]:
        raise OSError("jane@example.org")

    monkeypatch.setattr("pipelines.privacy.audit.scan_folder", broken)
    said = blocking(audit_files(tmp_path))
    assert len(said) == 3
    assert not any("jane" in sentence for sentence in said)


# --- A11: the search for canaries itself --------------------------------------------------------------------


def test_a_canary_is_found_wherever_it_sits(tmp_path: Path) -> None:
    token, absent = canary("participant.name"), canary("never planted")
    (tmp_path / "plain.log").write_text(f"a {token.upper()} b", encoding="utf-8")
    (tmp_path / "wide.txt").write_bytes(token.encode("utf-16-le"))
    write_parquet(tmp_path / "a.parquet", {"x": [token]}, compression="zstd")
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.gz", gzip.compress(token.encode() * 50))
    con = sqlite3.connect(tmp_path / "a.sqlite")
    con.execute("create table t (x blob)")
    con.execute("insert into t values (?)", (b"x" * 5_000 + token.encode(),))
    con.commit()
    con.close()
    with duckdb.connect(str(tmp_path / "a.duckdb")) as duck:
        duck.execute("create table t as select ? as x from range(5000)", [token])
    (tmp_path / token).mkdir()
    (tmp_path / "clean.parquet").write_bytes(b"nothing")
    found = sightings(tmp_path, [token, absent])
    names = {"plain.log", "wide.txt", "a.parquet", "a.zip", "a.sqlite", "a.duckdb", token}
    assert found == {(name, token) for name in names}
    assert in_bytes(b"x", [token]) == []


def test_strings_come_once_a_column_however_often_they_stand_there(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", {"x": ["town"] * 100_000, "y": list(range(100_000))})
    values = [value for one in strings_of(tmp_path / "a.parquet") if one.column == "x" for value in one.values]
    assert sorted(values) == ["town"] * 3  # the smallest, the largest, the dictionary
