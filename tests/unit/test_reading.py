"""Strict reading of source files: what is refused, where the message points, and what is kept."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract import PROVENANCE, Contract, load_contracts
from pipelines.sample import cases
from pipelines.sample.world import world_files
from pipelines.sources.reading import RefusedFile, read_csv
from tests.helpers import CONTRACTS, column, document, load

CANARY = "zzcanary7f3a"
SHIPPED = load_contracts(CONTRACTS)
ROSTER = SHIPPED["source.open_council_data_councillors"]
CANDIDATES = SHIPPED["source.democracy_club_candidates"]
LANDS = SHIPPED["source.digital_land_authorities"]
ROSTER_HEADER = (
    'Council,"Ward Name","Councillor Name","Next Election","Party Name","Electoral Commission Party Code"'
)


@pytest.fixture(scope="module")
def files() -> Mapping[str, str]:
    return world_files()


@pytest.fixture(scope="module")
def things(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    """A source with three fields, one of them required and one optional, and a personal one that is dropped."""
    columns = [
        column("code", physicalName="Code", required=True),
        column("label", physicalName="Label"),
        column("note", customProperties=[{"property": "optional", "value": True}]),
    ]
    layouts = [{"name": "plain", "ignored": ["Old"]}]
    contract = document("source.things", columns, layouts=layouts, dropped=["Email"])
    return load(tmp_path_factory.mktemp("contracts"), contract)


def refusal(data: bytes | str, contract: Contract) -> str:
    with pytest.raises(RefusedFile) as error:
        read_csv(data.encode() if isinstance(data, str) else data, contract)
    message = str(error.value)
    assert message.startswith(f"{contract.name}: ")
    return message


# --- refused whole ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "page",
    [
        b"<!DOCTYPE html><html><body>Not found</body></html>",
        b"<html><head></head></html>",
        b"\r\n  <HTML>\n",
        b"\xef\xbb\xbf<!doctype html>",
        b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
        b"<script>location='/login'</script>",
    ],
)
def test_a_web_page_is_refused(things: Contract, page: bytes) -> None:
    assert "web page" in refusal(page, things)


@pytest.mark.parametrize(
    ("data", "place"),
    [
        pytest.param("Code,Label\nA,Caf\xe9\n".encode("cp1252"), "line 2", id="cp1252"),
        pytest.param(b"Code,Label\nA,b\nB,\x93quoted\x94\n", "line 3", id="cp1252 quotes"),
        pytest.param(b"\xffCode,Label\nA,b\n", "line 1", id="first byte"),
        pytest.param("Code,Label\nA,b\n".encode("utf-16"), "line 1", id="utf-16"),
    ],
)
def test_another_encoding_is_refused_with_its_line(things: Contract, data: bytes, place: str) -> None:
    message = refusal(data, things)
    assert "not UTF-8" in message
    assert f"{place} " in message


@pytest.mark.parametrize("data", [b"Code,Label\nA\x00,b\n", "Code,Label\nA,b\n".encode("utf-16-le")])
def test_nul_bytes_are_refused(things: Contract, data: bytes) -> None:
    assert "NUL" in refusal(data, things)


@pytest.mark.parametrize("data", ["", "\n", "\r\n\r\n", " ", ",,\n", "\ufeff"])
def test_an_empty_file_is_refused(things: Contract, data: str) -> None:
    assert "empty" in refusal(data, things)


@pytest.mark.parametrize("data", ["Code,Label", "Code,Label\n", "Code,Label\r\n\r\n"])
def test_a_header_without_rows_is_refused(things: Contract, data: str) -> None:
    assert "no rows" in refusal(data, things)


def test_a_header_given_twice_is_refused(things: Contract) -> None:
    message = refusal("Code,Label, Label\nA,b,c\n", things)
    assert "Label" in message
    assert "twice" in message


@pytest.mark.parametrize(
    ("text", "line", "fields"),
    [
        pytest.param("Code,Label\nA\n", 2, 1, id="too narrow"),
        pytest.param("Code,Label\nA,b\nB,c,d\n", 3, 3, id="too wide"),
        pytest.param("Code,Label\nA,b\n\n\nB,c,d\n", 5, 3, id="after blank lines"),
        pytest.param('Code,Label\nA,"b\nc\nd"\nB\n', 5, 1, id="after a quoted newline"),
        pytest.param('Code,Label\nA,b\nB,"c\nd",e\n', 3, 3, id="begins before a quoted newline"),
        pytest.param("Code,Label\r\nA,b\r\nB,c,d\r\n", 3, 3, id="CRLF"),
    ],
)
def test_a_row_of_another_width_is_refused_with_its_line(
    things: Contract, text: str, line: int, fields: int
) -> None:
    assert f"line {line} has {fields} fields where the header has 2" in refusal(text, things)


def test_a_roster_with_a_field_more_than_headers_is_refused() -> None:
    """A layout that the rosters once had: nine headers, ten fields, so that every name shifts by one."""
    header = ROSTER_HEADER + ",Email,Phone,Website"
    row = "Zipwell Council,Toggle Ward,A Nobody,2026-05-07,Buttons Party,PP0,a@b.example,1,https://b.example,extra"
    message = refusal(f"{header}\n{row}\n", ROSTER)
    assert "line 2 has 10 fields where the header has 9" in message


@pytest.mark.parametrize(
    "text", ['Code,Label\nA,"b\n', 'Code,Label\nA,"b"c\n', f"Code,Label\nA,{'x' * 200_000}\n"]
)
def test_broken_csv_is_refused_with_its_line(things: Contract, text: str) -> None:
    message = refusal(text, things)
    assert "broken CSV" in message
    assert "line 2" in message


def test_a_field_without_end_is_refused_whatever_a_library_allows(things: Contract) -> None:
    before = csv.field_size_limit(10_000_000)
    try:
        assert "line 2: broken CSV (field longer than" in refusal(f"Code,Label\nA,{'x' * 200_000}\n", things)
    finally:
        csv.field_size_limit(before)


def test_a_header_that_fits_no_layout_is_refused_with_what_it_lacks(things: Contract) -> None:
    message = refusal("Kode,Label\nA,b\n", things)
    assert "lacks Code" in message
    assert "plain" in message
    assert "things.yml" in message


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"Code,Label\n{CANARY}\n", id="width"),
        pytest.param(f'Code,Label\nA,"{CANARY}\n', id="open quote"),
        pytest.param(f'Code,Label\nA,"{CANARY}"{CANARY}\n', id="text after a quote"),
        pytest.param(f"Kode,Label\n{CANARY},b\n", id="layout"),
        pytest.param(f"Code,Label\n{CANARY}\x00,b\n", id="NUL"),
        pytest.param(f"Code,Label,Label\n{CANARY},b,c\n", id="header twice"),
        pytest.param(f"A,{CANARY},{CANARY}\nB,c,d\n", id="no header, a value twice in the first row"),
        pytest.param(f"{CANARY},b\nB,c\n", id="no header"),
        pytest.param(f"<html>{CANARY}", id="web page"),
    ],
)
def test_a_refusal_shows_no_value_of_a_cell(things: Contract, text: str) -> None:
    assert CANARY not in refusal(text, things)


def test_a_refusal_of_another_encoding_shows_no_value_of_a_cell(things: Contract) -> None:
    assert CANARY not in refusal(f"Code,Label\nA,{CANARY}\xe9\n".encode("cp1252"), things)


# --- read ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"Code,Label\nA,b\nB,c\n", id="plain"),
        pytest.param(b"\xef\xbb\xbfCode,Label\nA,b\nB,c\n", id="byte order mark"),
        pytest.param(b"Code,Label\r\nA,b\r\nB,c\r\n", id="CRLF"),
        pytest.param(b"Code,Label\nA,b\nB,c", id="no last newline"),
        pytest.param(b" Code , Label\nA,b\nB,c\n", id="spaces around the header"),
        pytest.param(b'"Code","Label"\n"A","b"\n"B","c"\n', id="quoted"),
        pytest.param(b"Label,Code\nb,A\nc,B\n", id="another order"),
    ],
)
def test_the_same_rows_are_read_however_they_are_written(things: Contract, data: bytes) -> None:
    reading = read_csv(data, things)
    assert reading.columns == ("code", "label")
    assert reading.rows == [["A", "b"], ["B", "c"]]
    assert reading.line_numbers == [2, 3]
    assert (reading.new_fields, reading.missing_fields) == ((), ())


def test_line_numbers_are_those_on_which_the_rows_begin(things: Contract) -> None:
    text = 'Code,Label\nA,"one\ntwo"\n\nB,"three\r\nfour\n\nfive"\nC,d\n'
    reading = read_csv(text.encode(), things)
    assert reading.line_numbers == [2, 5, 9]
    assert [row[1] for row in reading.rows] == ["one\ntwo", "three\r\nfour\n\nfive", "d"]


def test_a_header_over_two_lines_moves_the_rows_down(tmp_path: Path) -> None:
    named = column("code", physicalName="The\ncode", required=True)
    contract = load(tmp_path, document("source.things", [named, column("label")]))
    assert read_csv(b'"The\ncode",label\nA,b\n', contract).line_numbers == [3]


def test_cells_are_kept_as_they_stand(things: Contract) -> None:
    reading = read_csv('Code,Label\n A ,"say ""é"", b"\n'.encode(), things)
    assert reading.rows == [[" A ", 'say "é", b']]


@pytest.mark.parametrize(
    ("header", "new", "missing"),
    [
        ("Code,Label,note", (), ()),
        ("Code,Label", (), ()),
        ("Code,Label,Old,Email", (), ()),
        ("Code,Label,Extra,Other", ("Extra", "Other"), ()),
        ("Code", (), ("Label",)),
        ("Code,Labels", ("Labels",), ("Label",)),
    ],
    ids=["complete", "without optional", "known and ignored", "new", "missing", "renamed"],
)
def test_fields_that_came_or_went_are_reported(
    things: Contract, header: str, new: tuple[str, ...], missing: tuple[str, ...]
) -> None:
    cells = ",".join("x" for _ in header.split(","))
    reading = read_csv(f"{header}\n{cells}\n".encode(), things)
    assert (reading.new_fields, reading.missing_fields) == (new, missing)


def test_a_new_field_is_reported_and_not_kept(things: Contract) -> None:
    reading = read_csv(f"Code,Label,Phone\nA,b,{CANARY}\n".encode(), things)
    assert reading.new_fields == ("Phone",)
    assert b"Phone" not in reading.kept
    assert CANARY.encode() not in reading.kept


# --- layouts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contract", "file", "layout"),
    [
        (LANDS, cases.OLD_ORGANISATIONS, "organisations"),
        (LANDS, cases.NEW_ORGANISATIONS, "authorities_2025"),
        (CANDIDATES, cases.LEGACY, "legacy"),
        (CANDIDATES, cases.BUILDER, "builder"),
    ],
    ids=["organisations", "authorities_2025", "legacy", "builder"],
)
def test_each_layout_is_recognised_by_its_header(
    files: Mapping[str, str], contract: Contract, file: str, layout: str
) -> None:
    reading = read_csv(files[file].encode(), contract)
    assert reading.layout == layout
    assert (reading.new_fields, reading.missing_fields) == ((), ())


@pytest.mark.parametrize(
    ("contract", "file"),
    [(LANDS, cases.OLD_ORGANISATIONS), (LANDS, cases.NEW_ORGANISATIONS), (CANDIDATES, cases.LEGACY)],
    ids=["organisations", "authorities", "legacy"],
)
def test_what_is_read_does_not_depend_on_the_order_of_the_layouts(
    files: Mapping[str, str], contract: Contract, file: str
) -> None:
    backwards = replace(contract, layouts=contract.layouts[::-1])
    one, other = (read_csv(files[file].encode(), c) for c in (contract, backwards))
    assert (one.columns, one.rows, one.kept) == (other.columns, other.rows, other.kept)
    assert (other.new_fields, other.missing_fields) == ((), ())


def test_a_field_that_only_one_of_two_like_layouts_knows_decides_between_them(files: Mapping[str, str]) -> None:
    header, *rows = files[cases.NEW_ORGANISATIONS].splitlines()
    dated = "\n".join([f"{header},entry-date", *(f"{row},2023-11-20" for row in rows)])
    reading = read_csv(dated.encode(), LANDS)
    assert (reading.layout, reading.new_fields) == ("authorities_2023", ())


def test_the_same_column_is_read_from_each_layout_s_own_field(files: Mapping[str, str]) -> None:
    old, new = (
        read_csv(files[file].encode(), LANDS) for file in (cases.OLD_ORGANISATIONS, cases.NEW_ORGANISATIONS)
    )
    assert set(old.columns) == set(new.columns)
    codes = [dict(zip(old.columns, row, strict=True))["local_authority"] for row in old.rows]
    assert all(":" in code for code in codes)  # with its kind in front, as only the old layout writes it


@pytest.mark.parametrize("file", sorted(world_files()), ids=lambda file: str(file).replace("/", "-"))
def test_every_file_of_the_sample_world_is_read_without_surprise(files: Mapping[str, str], file: str) -> None:
    contract = SHIPPED[f"source.{file.split('/')[0]}"]
    reading = read_csv(files[file].encode(), contract)
    assert (reading.new_fields, reading.missing_fields) == ((), ())
    assert set(reading.columns) <= {c.name for c in contract.columns} - set(PROVENANCE)
    assert len(reading.rows) == len(reading.line_numbers) == len(list(csv.reader(io.StringIO(files[file])))) - 1


@pytest.mark.parametrize("file", [cases.LEGACY, cases.BUILDER])
def test_no_personal_field_of_a_candidate_is_kept(files: Mapping[str, str], file: str) -> None:
    """Each dropped cell gets a mark of its own, which must then be nowhere."""
    header, *rows = list(csv.reader(io.StringIO(files[file])))
    dropped = [index for index, field in enumerate(header) if field in CANDIDATES.dropped]
    assert dropped
    marked = [[CANARY if index in dropped else cell for index, cell in enumerate(row)] for row in rows[:20]]
    out = io.StringIO()
    csv.writer(out).writerows([header, *marked])
    reading = read_csv(out.getvalue().encode(), CANDIDATES)
    assert len(reading.rows) == 20
    assert CANARY not in repr(reading)
    assert CANARY.encode() not in reading.kept
    kept_header = reading.kept.decode().splitlines()[0].split(",")
    assert not set(kept_header) & set(CANDIDATES.dropped)


def test_an_e_mail_address_in_an_account_cell_is_not_kept(files: Mapping[str, str]) -> None:
    header, row, *_ = list(csv.reader(io.StringIO(files[cases.BUILDER])))
    row[header.index("facebook_page_url")] = f"write to {CANARY}@post.example"
    out = io.StringIO()
    csv.writer(out).writerows([header, row])
    reading = read_csv(out.getvalue().encode(), CANDIDATES)
    assert CANARY not in repr(reading)
    assert read_csv(reading.kept, CANDIDATES).rows == reading.rows


def test_the_candidates_file_is_never_stored_as_received() -> None:
    assert not CANDIDATES.store_raw
    assert {"email", "birth_date", "gender", "statement_to_voters"} <= set(CANDIDATES.dropped)


@pytest.mark.parametrize("file", [cases.LEGACY, cases.BUILDER, cases.OLD_ORGANISATIONS, cases.NEW_ORGANISATIONS])
def test_what_is_kept_reads_the_same_again(files: Mapping[str, str], file: str) -> None:
    contract = SHIPPED[f"source.{file.split('/')[0]}"]
    first = read_csv(files[file].encode(), contract)
    again = read_csv(first.kept, contract)
    assert (again.layout, again.columns, again.rows) == (first.layout, first.columns, first.rows)
    assert again.new_fields == ()
    assert again.kept == first.kept


# --- whatever arrives ---------------------------------------------------------------------------------------

fields = st.sampled_from(["Code", "Label", "note", "Old", "Email", "New", " Code "]) | st.text(max_size=4)
cells = st.text(max_size=6) | st.sampled_from(
    ["a\nb", "a\rb", "a\r\nb", '"', '""', ",", "\ufeff", "\x85", "\u2028", ""]
)


@st.composite
def csv_texts(draw: st.DrawFn) -> str:
    """Mostly well-formed files, so that both outcomes are met often."""
    header = ["Code", *draw(st.lists(fields, max_size=4))]
    width = st.just(len(header)) if draw(st.booleans()) else st.integers(0, 6)
    rows = draw(st.lists(width.flatmap(lambda n: st.lists(cells, min_size=n, max_size=n)), max_size=5))
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator=draw(st.sampled_from(["\n", "\r\n"]))).writerows(
        [header, *rows]
    )
    return out.getvalue()


@given(st.one_of(st.text(), st.text(alphabet='aB,"\n\r é<\x00'), csv_texts()))
def test_whatever_arrives_is_refused_or_read_into_full_rows(things: Contract, text: str) -> None:
    assert_refused_or_full(text.encode(), things)


@given(st.binary() | st.binary().map(lambda data: b"Code,Label\n" + data))
def test_whatever_bytes_arrive_are_refused_or_read_into_full_rows(things: Contract, data: bytes) -> None:
    assert_refused_or_full(data, things)


def assert_refused_or_full(data: bytes, contract: Contract) -> None:
    try:
        reading = read_csv(data, contract)
    except RefusedFile:
        return
    assert reading.rows
    assert {len(row) for row in reading.rows} == {len(reading.columns)}
    assert len(reading.rows) == len(reading.line_numbers)
    assert reading.line_numbers == sorted(set(reading.line_numbers))
    assert min(reading.line_numbers) >= 2
    assert "code" in reading.columns


@given(csv_texts())
def test_whatever_is_kept_reads_the_same_again(things: Contract, text: str) -> None:
    try:
        first = read_csv(text.encode(), things)
    except RefusedFile:
        return
    again = read_csv(first.kept, things)
    assert (again.columns, again.rows) == (first.columns, first.rows)


@pytest.mark.parametrize(
    ("field", "cell", "kept"),
    [
        ("linkedin_url", "jane.doe@mail.example", "removed@example.invalid"),
        ("linkedin_url", "https://linkedin.com/in/jane.doe%40mail.example", "removed@example.invalid"),
        ("twitter_username", "@janedoe", "@janedoe"),
        ("threads_url", "https://www.threads.net/@janedoe", "https://www.threads.net/@janedoe"),
        ("tiktok_url", "https://tiktok.com/@jane.doe", "https://tiktok.com/@jane.doe"),
        ("mastodon_username", "janedoe@social.example", "janedoe@social.example"),
        ("mastodon_username", "https://social.example/@janedoe", "https://social.example/@janedoe"),
        ("mastodon_username", "jane.doe@gmail.com", "removed@example.invalid"),
    ],
)
def test_an_address_in_the_wrong_cell_is_taken_out_before_anything_is_kept(
    field: str, cell: str, kept: str
) -> None:
    contract = load_contracts(CONTRACTS)["source.democracy_club_candidates"]
    header = "person_id,person_name,election_id,ballot_paper_id,election_date,post_label"
    row = "1,Zz Candidate,local.zz.2026-05-07,local.zz.ward.2026-05-07,2026-05-07,Ward"
    reading = read_csv(f"{header},{field}\n{row},{cell}\n".encode(), contract)
    assert reading.rows[0][-1].rpartition("/in/")[2] == kept
    assert (cell.encode() in reading.kept) is (kept == cell)
