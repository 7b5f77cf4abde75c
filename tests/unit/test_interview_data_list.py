"""The words of interview studies, the bands, and lists of interviews as researchers keep them."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract import ContractError
from pipelines.interviews import bands
from pipelines.interviews.bands import UnreadableValue, age_band, interview_date, nearest_five_minutes, tenure_band
from pipelines.interviews.data_list import DataList, Setting, match_key, read_data_list
from pipelines.interviews.declaration import DeclaredDataList
from pipelines.interviews.frame import read_frame
from pipelines.interviews.rows import MAX_ROWS, NotCalculated, csv_sheet, xlsx_sheet
from pipelines.interviews.study import NOT_STATED, Code, InterviewError, Issue
from pipelines.interviews.theme_map import read_theme_map
from pipelines.interviews.vocabulary import Vocabulary, load_vocabulary

ROOT = Path(__file__).resolve().parents[2]
WORDS = ROOT / "data_contracts" / "interviews.yml"
TODAY = dt.date(2026, 11, 23)
VOCABULARY = load_vocabulary(WORDS)


# --- the vocabulary -----------------------------------------------------------------------------------------


def changed_words(folder: Path, *changes: tuple[str, Any]) -> Path:
    """The project's own vocabulary with values replaced, by dotted path; None takes a key out."""
    document = yaml.safe_load(WORDS.read_text(encoding="utf-8"))
    for path, value in changes:
        *parents, last = path.split(".")
        place = document
        for key in parents:
            place = place[key]
        if value is None:
            del place[last]
        else:
            place[last] = value
    changed = folder / "interviews.yml"
    changed.write_text(yaml.safe_dump(document), encoding="utf-8")
    return changed


def test_every_category_of_the_vocabulary_is_text_and_has_a_title_at_every_level() -> None:
    """YAML reads 35_44 without quotes as the number 3544."""
    for attribute in VOCABULARY.attributes.values():
        for level, known in enumerate(attribute.levels):
            shown = set(known.values())
            assert all(isinstance(category, str) and category for category in shown)
            assert all(attribute.title_of(category, level) for category in shown)
            assert set(attribute.categories) <= known.keys()


def test_levels_lead_from_the_finest_categories_to_broader_ones() -> None:
    party = VOCABULARY.levels("party")
    assert [party[level]["snp"] for level in range(5)] == ["snp", "other", "other", "other", "other_or_not_stated"]
    assert [party[level]["labour"] for level in range(5)] == ["labour"] * 5
    region = VOCABULARY.levels("region")
    assert "England" not in region[0]
    assert region[1]["England"] == region[1]["London"] == "England"
    assert region[3]["not_stated"] == region[3]["Wales"] == "Outside England or not stated"


def test_each_level_has_fewer_categories_than_the_one_before() -> None:
    for attribute in VOCABULARY.attributes.values():
        sizes = [len(set(known.values())) for known in attribute.levels]
        assert sizes == sorted(set(sizes), reverse=True), attribute.name


def test_a_category_that_grew_has_its_wider_title() -> None:
    party = VOCABULARY.attribute("party")
    assert party.title_of("other") == "Another party"
    assert party.title_of("other", 1) == "Another party or none"


@pytest.mark.parametrize(
    ("name", "text", "category"),
    [
        ("gender", "FEMALE", "female"),
        ("age_band", "35 to 44", "35_44"),
        ("region", " yorkshire  and the humber ", "Yorkshire and The Humber"),
        ("authority_type", "Single-tier", None),
        ("party", "Another party or none", "other"),
        ("region", "england", "England"),
    ],
)
def test_categories_are_found_by_id_or_title(name: str, text: str, category: str | None) -> None:
    assert VOCABULARY.attribute(name).category(text) == category


def test_modes_that_say_more_than_is_kept() -> None:
    assert VOCABULARY.mode("interview.telephone.cati") == "Interview.Telephone"
    assert VOCABULARY.mode("Face to face") == "Interview.FaceToFace"
    assert VOCABULARY.mode("Interview.Pigeon") is None


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("attributes.gender.colour", "pink", "attributes.gender.colour: extra inputs"),
        ("attributes.gender.categories.not_stated", None, "attributes.gender.categories: not_stated is missing"),
        ("attributes.gender.merges", [{"neither": "other"}], "merges.0: neither is no category at this level"),
        (
            "attributes.party.merges",
            [{"snp": "other"}, {"snp": "green"}],
            "attributes.party.merges.1: snp is no category at this level",
        ),
        ("attributes.gender.merges", [{"other": "x", "x": "y"}], "x is merged and merged into at once"),
        (
            "attributes.gender.merges",
            [{"male": "other_or_not_stated"}, {"female": "male"}],
            "male was merged away before",
        ),
        ("attributes.gender.merged", {}, "attributes.gender.merged: other_or_not_stated has no title"),
        ("attributes.gender.merged.third", "Third", "third has a title and no category merges into it"),
        ("attributes.seniority.always_merged", ["backbencher"], "no entry of merges takes backbencher in"),
        ("attributes.seniority.of", "minister", "attributes.seniority.of: minister is no role group"),
        ("attributes.role_group", None, "attributes: role_group is missing"),
        ("modes.Interview", "Chat", "modes.Interview: must lead"),
        ("themes.not_mentioned", {"title": "None", "sensitive": False}, "themes.not_mentioned"),
        ("themes.abuse.sensitive", "perhaps", "themes.abuse.sensitive"),
    ],
)
def test_a_vocabulary_that_contradicts_itself_is_refused(tmp_path: Path, path: str, value: Any, said: str) -> None:
    with pytest.raises(ContractError, match=re.escape(said)):
        load_vocabulary(changed_words(tmp_path, (path, value)))


def test_a_key_of_the_vocabulary_given_twice_is_refused(tmp_path: Path) -> None:
    twice = tmp_path / "interviews.yml"
    twice.write_text(WORDS.read_text(encoding="utf-8") + "\nthemes: {}\n", encoding="utf-8")
    with pytest.raises(ContractError, match="twice"):
        load_vocabulary(twice)


# --- bands --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "table"), [("age_band", bands.AGE_BANDS), ("tenure_band", bands.TENURE_BANDS)])
def test_the_bands_are_the_categories_of_the_vocabulary(name: str, table: Mapping[int, str]) -> None:
    assert [*table.values(), NOT_STATED] == list(VOCABULARY.attribute(name).categories)


@pytest.mark.parametrize("table", [bands.AGE_BANDS, bands.TENURE_BANDS])
@given(st.floats(0, 200), st.floats(0, 200))
def test_banding_is_total_and_monotone(table: Mapping[int, str], one: float, other: float) -> None:
    order = list(table.values())
    low, high = sorted((one, other))
    assert order.index(bands.band_of(low, table)) <= order.index(bands.band_of(high, table))


@given(st.integers(18, 110))
def test_an_age_and_a_year_of_birth_fall_into_the_same_band(age: int) -> None:
    assert age_band(str(age), None) == age_band(str(2016 - age), 2016)


@pytest.mark.parametrize(
    ("value", "interviewed", "band"),
    [
        ("34", None, "under_35"),
        ("35", None, "35_44"),
        ("54.9", None, "45_54"),
        ("1957", 2016, "55_64"),
        ("1981-03-14", dt.date(2016, 3, 13), "under_35"),
        ("14/03/1981", dt.date(2016, 3, 14), "35_44"),
        (dt.datetime(1981, 3, 14), dt.date(2016, 3, 14), "35_44"),  # noqa: DTZ001 - as Excel gives it
        ("76 years old", None, "75_plus"),
    ],
)
def test_ages(value: bands.Value, interviewed: bands.When | None, band: str) -> None:
    assert age_band(value, interviewed) == band


@pytest.mark.parametrize(
    ("value", "interviewed", "band"),
    [
        ("0", None, "under_4"),
        ("3.99", None, "under_4"),
        ("7", None, "4_7"),
        ("7.5", None, "4_7"),
        ("7 years", None, "4_7"),
        ("18 months", None, "under_4"),
        ("8", None, "8_11"),
        ("2009", 2016, "4_7"),
        # Elected in May, interviewed in March: four years are not over.
        ("2012-05-03", dt.date(2016, 3, 14), "under_4"),
        ("2012-05-03", dt.date(2016, 5, 3), "4_7"),
        ("1990", 2016, "20_plus"),
    ],
)
def test_tenures(value: bands.Value, interviewed: bands.When | None, band: str) -> None:
    assert tenure_band(value, interviewed) == band


@pytest.mark.parametrize(
    ("read", "value", "said"),
    [
        (lambda v: age_band(v, 2016), "7", "is not an age from 18 to 110"),
        (lambda v: age_band(v, 2016), "2010", "is not an age from 18 to 110"),
        (lambda v: age_band(v, 2016), "forty", "is not an age"),
        (lambda v: age_band(v, None), "1957", "needs the date of the interview"),
        (lambda v: tenure_band(v, 2016), "80", "of 0 to 70 years"),
        (lambda v: tenure_band(v, 2016), "2017", "of 0 to 70 years"),
        (lambda v: tenure_band(v, 2016), "twelve", "is not a number of years"),
        (lambda v: tenure_band(v, 2016), "7²", "is not a number of years"),
        (lambda v: tenure_band(v, 2016), "-3", "is not a number of years"),
        (lambda v: tenure_band(v, 2016), "٧", "is not a number of years"),
        (lambda v: interview_date(v, TODAY), "2026-11-24", "lies in the future"),
        (lambda v: interview_date(v, TODAY), "2027", "lies in the future"),
        (lambda v: interview_date(v, TODAY), "03/14/2016", "is not a date"),
        (lambda v: interview_date(v, TODAY), "2016-02-30", "is not a date"),
        (lambda v: interview_date(v, TODAY), "14/03/16", "is not a date"),
        (lambda v: interview_date(v, TODAY), "last week", "is not a date"),
        (nearest_five_minutes, "1:02", "3 to 600 minutes"),
        (nearest_five_minutes, "601", "3 to 600 minutes"),
        (nearest_five_minutes, "an hour", "is not a length"),
        (nearest_five_minutes, "54:61", "is not a length"),
        (nearest_five_minutes, "PT", "is not a length"),
        (nearest_five_minutes, dt.datetime(2016, 3, 14), "is not a length"),  # noqa: DTZ001 - as Excel gives it
    ],
)
def test_what_cannot_be_is_refused(read: Any, value: bands.Value, said: str) -> None:
    with pytest.raises(UnreadableValue, match=re.escape(said)):
        read(value)


@pytest.mark.parametrize(
    "value", ["2016-03-14", "14/03/2016", "2016-03-14T10:30:00", "14/03/2016 10:30", "2016-03"]
)
def test_dates_keep_their_year(value: str) -> None:
    assert bands.year_of(interview_date(value, TODAY)) == 2016


@pytest.mark.parametrize(
    ("value", "minutes"),
    [
        ("54:02", 55),
        ("1:02:30", 65),
        ("54", 55),
        ("52.5", 55),
        ("52.4", 50),
        ("54 min", 55),
        ("54 minutes", 55),
        ("PT54M", 55),
        ("PT1H2M30S", 65),
        ("125:10", 125),
        (dt.timedelta(hours=1, minutes=2, seconds=30), 65),
        (dt.timedelta(hours=54, minutes=2), 55),  # Excel's reading of 54:02
        (dt.timedelta(minutes=54, seconds=2), 55),
    ],
)
def test_lengths_to_the_nearest_five_minutes(value: bands.Value, minutes: int) -> None:
    assert nearest_five_minutes(value) == minutes


@given(st.floats(3, 600), st.floats(3, 600))
def test_lengths_are_monotone_and_at_most_half_a_step_away(one: float, other: float) -> None:
    low, high = sorted((round(one, 4), round(other, 4)))
    assert nearest_five_minutes(f"{low:.4f}") <= nearest_five_minutes(f"{high:.4f}")
    assert nearest_five_minutes(f"{low:.4f}") % 5 == 0
    assert abs(nearest_five_minutes(f"{low:.4f}") - low) <= 2.5


MESSAGES = {
    "is not an age",
    "is not an age from 18 to 110",
    "is the date of a birth, which needs the date of the interview",
    "is not a number of years",
    "is not a time in office of 0 to 70 years",
    "is the date of a start, which needs the date of the interview",
    "is not a date such as 2016-03-14, 14/03/2016 or 2016",
    "lies in the future",
    "is not a length such as 54, 54:02, 1:02:30, 54 min or PT54M",
    "is not a length of 3 to 600 minutes: 54:02 means minutes and seconds, 1:02:30 begins with hours",
}


def message_of(read: Callable[[bands.Value], object], text: str) -> str | None:
    try:
        read(text)
    except UnreadableValue as error:
        return str(error)
    return None


@given(st.text(max_size=30) | st.from_regex(r"[0-9:/. -]{1,12}(years|min)?", fullmatch=True))
def test_no_text_breaks_the_readers_of_values_and_no_message_holds_it(text: str) -> None:
    for interviewed in (2016, None):
        assert message_of(lambda value, at=interviewed: age_band(value, at), text) in {None, *MESSAGES}
        assert message_of(lambda value, at=interviewed: tenure_band(value, at), text) in {None, *MESSAGES}
    assert message_of(lambda value: interview_date(value, TODAY), text) in {None, *MESSAGES}
    assert message_of(nearest_five_minutes, text) in {None, *MESSAGES}


@pytest.mark.parametrize(
    "text", ["", "  ", "N/A", "n/a ", "-", "–", "Prefer not to say", "NOT STATED", "don’t know"]
)
def test_words_for_not_stated(text: str) -> None:
    assert bands.is_not_stated(text)


@pytest.mark.parametrize("text", ["none", "0", "no", "#N/A", "other"])
def test_words_that_state_something(text: str) -> None:
    assert not bands.is_not_stated(text)


# --- rows of files ------------------------------------------------------------------------------------------


def to_csv(rows: Iterable[Sequence[str]], delimiter: str = ",") -> str:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows(rows)
    return out.getvalue()


def to_xlsx(rows: Iterable[Sequence[Any]], *, sheets: Sequence[str] = ("Interviews",), merge: str = "") -> bytes:
    book = openpyxl.Workbook()
    book.active.title = sheets[0]
    for name in sheets[1:]:
        book.create_sheet(name)
    for row in rows:
        book.active.append(list(row))
    if merge:
        book.active.merge_cells(merge)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


cells = st.text(alphabet='ab,;"\n\r\t é', max_size=8)


@given(st.lists(st.tuples(cells, cells), max_size=12), st.sampled_from([",", ";", "\t"]))
def test_rows_have_the_numbers_that_a_spreadsheet_shows(rows: list[tuple[str, str]], delimiter: str) -> None:
    """Line breaks inside quotes begin no row; a row without anything in it is counted and passed over."""
    text = to_csv([("label", "tenure"), *rows], delimiter)
    found = list(csv_sheet(text, "data list", ["label", "tenure"]).rows)
    assert found == [(n, list(row)) for n, row in enumerate(rows, start=2) if any(cell.strip() for cell in row)]


def test_blank_lines_of_csv_are_rows_of_the_spreadsheet() -> None:
    sheet = csv_sheet("label\n\nA\n\n\nB\n", "data list", ["label"])
    assert list(sheet.rows) == [(3, ["A"]), (6, ["B"])]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "row 1 holds no headings|first row holds no headings"),
        ("\nlabel\nA\n", "first row holds no headings"),
        ("label,label\nA,B\n", "columns 1, 2 share a heading"),
        ("label,tenure\nA,7\nB,7,x\n", "row 3 has 3 cells where row 1 has 2"),
        ("label,tenure\nA\n", "row 2 has 1 cells where row 1 has 2"),
        ("label,tenure,\nA,7,x\n", "row 2 has something beyond the last heading"),
        ('label,tenure\nA,"7"x\n', "after row 1 the file is not valid CSV"),
        ('label,tenure\nA,"7\n', "after row 1 the file is not valid CSV"),
        ("label\n" + "A\n" * MAX_ROWS, "more than 20000 rows"),
        (",".join(f"c{n}" for n in range(1001)), "more than 1000 columns"),
    ],
)
def test_csv_that_may_have_shifted_is_refused(text: str, said: str) -> None:
    with pytest.raises(InterviewError, match=said):
        list(csv_sheet(text, "data list", ["label"]).rows)


def test_the_delimiter_is_the_one_that_finds_the_headings() -> None:
    text = 'a;"b"\n"1,5";2\n'
    assert list(csv_sheet(text, "data list", ["a", "b"]).rows) == [(2, ["1,5", "2"])]


def test_cells_of_excel_are_text_dates_and_lengths() -> None:
    held = [dt.datetime(2016, 3, 14), 7, 7.5, dt.time(1, 2, 30), True, "=1+1", None, "x"]  # noqa: DTZ001 - Excel's
    sheet = xlsx_sheet(to_xlsx([list("abcdefgh"), [], held]), "data list")
    assert sheet.header == tuple("abcdefgh")
    assert list(sheet.rows) == [
        (
            3,
            [
                dt.datetime(2016, 3, 14),  # noqa: DTZ001
                "7",
                "7.5",
                dt.timedelta(hours=1, minutes=2, seconds=30),
                "TRUE",
                NotCalculated(),
                None,
                "x",
            ],
        )
    ]


def test_a_sheet_is_named_where_there_are_several() -> None:
    content = to_xlsx([["label"], ["A"]], sheets=("List", "Notes"))
    assert list(xlsx_sheet(content, "data list", "List").rows) == [(2, ["A"])]
    with pytest.raises(InterviewError, match="has 2 sheets: name the right one"):
        xlsx_sheet(content, "data list")
    with pytest.raises(InterviewError, match="no sheet of the name") as caught:
        xlsx_sheet(content, "data list", "Liste")
    assert "'List', 'Notes'" in caught.value.for_researcher
    assert "Notes" not in str(caught.value)


def test_a_column_beside_the_list_needs_a_heading_and_notes_farther_off_are_not_read() -> None:
    beside = to_xlsx([["label", None], ["A", "x"]])
    with pytest.raises(InterviewError, match="row 2 has something beyond the last heading"):
        list(xlsx_sheet(beside, "data list").rows)
    farther = to_xlsx([["label"], ["A", None, "x"]])
    assert list(xlsx_sheet(farther, "data list").rows) == [(2, ["A"])]


def test_merged_cells_are_refused_since_all_but_the_first_read_as_empty() -> None:
    content = to_xlsx([["label", "region"], ["A", "London"], ["B", None]], merge="B2:B3")
    with pytest.raises(InterviewError, match="merged"):
        xlsx_sheet(content, "data list")


def test_a_damaged_workbook_is_refused_without_its_contents() -> None:
    content = bytearray(to_xlsx([["label"], ["CANARY"]]))
    content[len(content) // 2 : len(content) // 2 + 200] = b"\x00" * 200
    with pytest.raises(InterviewError) as caught:
        list(xlsx_sheet(bytes(content), "data list").rows)
    assert "CANARY" not in str(caught.value)
    assert caught.value.__cause__ is None


# --- data lists ---------------------------------------------------------------------------------------------


SETTING = Setting(2015, 2016, TODAY)
BASIC: Mapping[str, Any] = {
    "file": "list.csv",
    "format": "csv",
    "label": "Interview",
    "attributes": {"role_group": {"constant": "councillor"}},
}


def declare(**parts: Any) -> DeclaredDataList:
    return DeclaredDataList.model_validate({**BASIC, **parts})


def read(
    text: str | bytes, declared: DeclaredDataList, setting: Setting = SETTING, words: Vocabulary = VOCABULARY
) -> DataList:
    return read_data_list(text.encode() if isinstance(text, str) else text, declared, words, setting)


def told(issues: Iterable[Issue]) -> list[str]:
    return [f"{issue.severity}: {issue.for_researcher}" for issue in issues]


FULL = declare(
    status="Status",
    date="Date",
    minutes="Length",
    attributes={
        "role_group": "Role",
        "seniority": {"column": "Office", "values": {"Cabinet": "cabinet_member", "none": "backbench"}},
        "region": "Region",
        "party": {"column": "Party", "values": {"-": "independent", "Lab/Co-op": "labour"}},
        "age_band": {"column": "Age", "band": "age"},
        "tenure_band": {"column": "Elected", "band": "tenure"},
        "mode_of_collection": "How",
    },
    dropped=["Name", "Notes"],
)
HEADER = "Interview,Status,Date,Length,Role,Office,Region,Party,Age,Elected,How,Name,Notes\n"


def test_a_list_is_banded_and_mapped_as_it_enters() -> None:
    text = HEADER + (
        "I1,completed,14/03/2016,54:02,Councillor,cabinet,London,-,1957,2012-05-03,Interview.Telephone.CATI,N,x\n"
        "I2,done,2015,,councillor,NONE,wales,lab/co-op,35-44,20+,Face to face,N,x\n"
        'I3,complete,2016-01-02,1:30:00,councillor,,n/a,Green,prefer not to say,"7.5",,N,x\n'
    )
    found = read(text, FULL)
    assert found.issues == ()
    assert [(e.label, e.year, e.minutes, e.mode_of_collection) for e in found.encounters] == [
        ("I1", 2016, 55, "Interview.Telephone"),
        ("I2", 2015, None, "Interview.FaceToFace"),
        ("I3", 2016, 90, "not_stated"),
    ]
    assert [tuple(p.attributes.values()) for p in found.participants] == [
        ("councillor", "cabinet_member", "not_stated", "London", "independent", "not_stated", "55_64", "under_4",
         "Interview.Telephone"),
        ("councillor", "backbench", "not_stated", "Wales", "labour", "not_stated", "35_44", "20_plus",
         "Interview.FaceToFace"),
        ("councillor", "not_stated", "not_stated", "not_stated", "green", "not_stated", "not_stated", "4_7",
         "not_stated"),
    ]  # fmt: skip
    assert all(list(p.attributes) == list(VOCABULARY.attributes) for p in found.participants)


def test_what_is_not_asked_of_officers_is_not_even_read() -> None:
    text = HEADER + (
        "I1,completed,2016,50,officer,Head of Communications,London,Labour,fifty,dunno,by phone,N,x\n"
        "I2,completed,2016,50,councillor,,London,Labour,50,7,By telephone,N,x\n"
    )
    found = read(text, FULL)
    assert found.issues == ()
    officer = {k: v for k, v in found.participants[0].attributes.items() if v != NOT_STATED}
    assert officer == {"role_group": "officer", "region": "London"}


HEADINGS = {
    "tenure": "Elected",
    "age": "Age",
    "region": "Region",
    "role_group": "Role",
    "date": "Date",
    "minutes": "Length",
    "status": "Status",
}


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("tenure", "twelve", "is not a number of years"),
        ("age", "7", "is not an age from 18 to 110"),
        ("region", "Londres", "is no category of region: map it under `values`"),
        ("role_group", "mayor", "is no category of role_group: map it under `values`"),
        ("date", "2030-01-01", "lies in the future"),
        ("date", "2012", "lies outside the years of the study"),
        ("minutes", "an hour", "is not a length such as 54, 54:02, 1:02:30, 54 min or PT54M"),
        ("status", "planned", "is no known status: map it under `values`"),
    ],
)
def test_a_value_that_is_not_understood_refuses_the_study(column: str, value: str, said: str) -> None:
    names = HEADER.strip().split(",")
    good = dict(zip(names, ["I1", "completed", "2016", "50", "councillor", *[""] * 8], strict=True))
    bad = good | {"Interview": "I2", HEADINGS[column]: value}
    found = read(to_csv([names, list(good.values()), list(bad.values())]), FULL)
    assert told(found.issues) == [f"refused: data list, row 3, column {column}: {value!r} {said}"]
    assert str(found.issues[0]) == f"data list, row 3, column {column}: the value {said}"
    assert (found.encounters, found.participants) == ((), ())


@pytest.mark.parametrize("status", ["", "n/a"])
def test_a_status_that_is_not_stated_may_hide_a_withdrawal(status: str) -> None:
    declared = declare(status="Status", minutes="Length")
    found = read(f"Interview,Status,Length\nI1,done,50\nI2,{status},50\n", declared)
    assert told(found.issues) == [
        "refused: data list, row 3, column status: is not stated: say completed or withdrawn"
    ]


def test_a_label_given_twice_is_refused() -> None:
    found = read("Interview,x\nI1,\ni1.docx,\n", declare(dropped=["x"]))
    (line,) = told(found.issues)
    assert line.startswith("refused: data list, row 3, column label: 'i1.docx': the label stands in row 2 already")
    assert "i1" not in str(found.issues[0])


def test_rows_that_are_incomplete_are_left_out_and_said() -> None:
    text = "Interview,Region,Status\nI1,London,completed\n,London,completed\nTotal,,\n,,\nI2,Wales,cancelled\n"
    declared = declare(
        status={"column": "Status", "values": {"Cancelled": "left_out"}},
        attributes={"role_group": {"constant": "councillor"}, "region": "Region"},
    )
    found = read(text, declared)
    assert [e.label for e in found.encounters] == ["I1"]
    assert told(found.issues) == [
        "left_out: data list, row 3, column label: is not stated: a row without a label is left out",
        "left_out: data list, row 4: holds a label and nothing else that is read: left out",
        "left_out: data list, row 6: left out because of its status",
    ]


def test_of_a_withdrawn_interview_only_the_withdrawal_is_read() -> None:
    text = HEADER + (
        "I1,withdrawn,nonsense,nonsense,nonsense,x,x,x,x,x,x,N,x\n"
        "I2,completed,2016,50,councillor,,London,Labour,50,7,,N,x\n"
    )
    found = read(text, FULL)
    assert found.issues == ()
    withdrawn = found.encounters[0]
    assert (withdrawn.status, withdrawn.year, withdrawn.minutes) == ("withdrawn", None, None)
    assert [p.label for p in found.participants] == ["I2"]


def test_a_list_of_withdrawals_alone_is_refused() -> None:
    found = read(HEADER + "I1,withdrawn,,,,,,,,,,N,x\n", FULL)
    assert told(found.issues) == ["refused: data list: no completed interview is in the list"]


GROUP = declare(
    participant="Person",
    status="Status",
    minutes="Length",
    attributes={"role_group": {"constant": "councillor"}, "gender": "Gender", "mode_of_collection": "How"},
)
GROUP_HEADER = "Interview,Person,Status,Length,Gender,How\n"


def test_a_group_is_one_encounter_with_several_participants() -> None:
    text = GROUP_HEADER + (
        "G1,a,completed,90,female,FocusGroup\nG1,b,completed,,male,\nG1,c,withdrawn,,male,\n"
        "I2,,completed,30,male,Interview\n"
    )
    found = read(text, GROUP)
    assert [(e.label, e.minutes, e.mode_of_collection) for e in found.encounters] == [
        ("G1", 90, "FocusGroup"),
        ("I2", 30, "Other"),
    ]
    assert [(p.label, p.attributes["gender"]) for p in found.participants] == [
        ("G1", "female"),
        ("G1", "male"),
        ("I2", "male"),
    ]
    assert told(found.issues) == ["note: data list, row 2: part of the group has withdrawn and is left out"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("G1,a,completed,90,male,\nG1,A ,completed,90,male,\n", "row 3, column participant: everybody in a group"),
        ("G1,a,completed,90,male,\nG1,,completed,90,male,\n", "row 3, column participant: everybody in a group"),
        (
            "G1,a,completed,90,male,\nG1,b,completed,60,male,\n",
            "row 2: rows 2, 3 are one encounter, but differ in",
        ),
    ],
)
def test_a_group_that_contradicts_itself_is_refused(rows: str, said: str) -> None:
    found = read(GROUP_HEADER + rows, GROUP)
    assert len(found.issues) == 1
    assert said in told(found.issues)[0]


def test_a_broader_category_lifts_everybody_to_its_level() -> None:
    declared = declare(attributes={"role_group": {"constant": "councillor"}, "region": "Region"})
    found = read("Interview,Region\nI1,London\nI2,England\nI3,Wales\n", declared)
    assert [p.attributes["region"] for p in found.participants] == ["England", "England", "Wales"]
    assert [issue.severity for issue in found.issues] == ["note"]


@given(st.lists(st.sampled_from(sorted(VOCABULARY.levels("region")[-1])), min_size=1, max_size=8))
def test_the_categories_that_are_kept_can_stand_in_one_table(given_regions: list[str]) -> None:
    """No category that is kept takes in another one that is kept."""
    declared = declare(attributes={"role_group": {"constant": "councillor"}, "region": "Region"})
    rows = [(f"I{n}", region) for n, region in enumerate(given_regions)]
    kept = {p.attributes["region"] for p in read(to_csv([("Interview", "Region"), *rows]), declared).participants}
    levels = VOCABULARY.levels("region")
    at = VOCABULARY.attribute("region").level_of(kept)
    assert all(levels[at][region] == region for region in kept)


def test_themes_are_read_from_columns_of_answers() -> None:
    themes = {
        "reviewed_on": "2026-11-01",
        "columns": [
            {"column": "Was it abuse?", "values": {"Yes": "abuse", "No": "not_mentioned"}},
            {"column": "Best of it", "values": {"Speed": "quicker_than_a_leaflet", "Talks": "values_dialogue"}},
        ],
    }
    declared = declare(themes=themes)
    found = read("Interview,Was it abuse?,Best of it\nI1,yes,Speed\nI2,No,\nI3,Yes,talks\n", declared)
    assert found.mentions == (
        ("I1", "abuse"), ("I1", "quicker_than_a_leaflet"), ("I3", "abuse"), ("I3", "values_dialogue"),
    )  # fmt: skip
    refused = read("Interview,Was it abuse?,Best of it\nI1,sometimes,Speed\n", declared)
    assert told(refused.issues) == [
        "refused: data list, row 2, column theme 1: 'sometimes' is no answer that `values` maps to a theme"
    ]


def test_columns_that_nobody_declared_are_refused_by_position() -> None:
    found = read("Interview,CANARY,,x\nI1,a,b,c\n", declare(dropped=["x", "gone"]))
    assert [(issue.severity, str(issue)) for issue in found.issues] == [
        (
            "refused",
            "data list, column 2: is neither read nor listed under `dropped`: declare it in study.yml",
        ),
        (
            "refused",
            "data list, column 3: is neither read nor listed under `dropped`: declare it in study.yml",
        ),
        ("note", "data list, row 1: dropped columns that are not in the file: 1"),
    ]
    assert "'CANARY'" in found.issues[0].for_researcher
    assert found.participants == ()


def test_a_declared_column_that_is_not_there_is_refused() -> None:
    declared = declare(attributes={"role_group": {"constant": "councillor"}, "region": "Region"})
    found = read("Interview,region\nI1,London\n", declared)
    assert told(found.issues)[-1] == (
        "refused: data list, row 1: column 'Region' that study.yml declares is not among the headings"
    )


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"attributes": {"region": "R"}}, "role_group is missing"),
        ({"attributes": {"role_group": "R", "shoe_size": "S"}}, "attribute 'shoe_size' is not in the vocabulary"),
        ({"attributes": {"role_group": {"constant": "mayor"}}}, "category 'mayor' is not in the vocabulary"),
        (
            {"attributes": {"role_group": {"column": "R", "values": {"x": "clerk"}}}},
            "category 'clerk' is not in the vocabulary",
        ),
        ({"attributes": {"role_group": {"column": "R", "band": "age"}}}, "is not banded as age"),
        (
            {"themes": {"reviewed_on": "2026-11-01", "columns": [{"column": "T", "values": {"x": "joy"}}]}},
            "theme 'joy' is not in the vocabulary",
        ),
    ],
)
def test_a_declaration_outside_the_vocabulary_is_refused(parts: dict[str, Any], said: str) -> None:
    found = read("Interview,R,S,T\nI1,a,b,c\n", declare(**parts))
    assert any(said in line for line in told(found.issues))
    assert all(issue.severity == "refused" for issue in found.issues)


def test_excel_and_csv_of_one_list_read_the_same() -> None:
    rows = [
        ["Interview", "Date", "Length", "Age", "Note"],
        ["I1", "2016-03-14", "54", "1957", "x"],
        ["I2", "2015-01-02", "1:02:30", "", "x"],
    ]
    typed = [
        rows[0],
        ["I1", dt.date(2016, 3, 14), 54, 1957.0, "x"],
        ["I2", dt.datetime(2015, 1, 2), dt.time(1, 2, 30), None, "x"],  # noqa: DTZ001 - as Excel gives it
    ]
    parts = {
        "date": "Date",
        "minutes": "Length",
        "attributes": {"role_group": {"constant": "councillor"}, "age_band": "Age"},
        "dropped": ["Note"],
    }
    from_csv = read(to_csv(rows), declare(**parts))
    from_xlsx = read(to_xlsx(typed), declare(**parts, format="xlsx"))
    assert from_csv == from_xlsx
    assert [e.minutes for e in from_csv.encounters] == [55, 65]


def test_a_formula_without_its_result_is_not_taken_for_an_empty_cell() -> None:
    declared = declare(attributes={"role_group": {"constant": "councillor"}, "age_band": "Age"}, format="xlsx")
    found = read(to_xlsx([["Interview", "Age"], ["I1", "=2016-1957"]]), declared)
    (line,) = told(found.issues)
    assert line.startswith("refused: data list, row 2, column age: holds a formula without its result: open")


@pytest.mark.parametrize(
    ("content", "form", "said"),
    [
        (to_xlsx([["Interview"], ["I1"]]), "csv", "a workbook: declare `format: xlsx`"),
        (b"Interview\nI1\n", "xlsx", "no .xlsx workbook"),
        (b"Interview\nI\xff1\n", "csv", "line 2"),
        (b"Interview\nI\x001\n", "csv", "NUL"),
        (b"", "csv", "empty"),
    ],
)
def test_a_file_of_another_kind_than_declared_is_refused(content: bytes, form: str, said: str) -> None:
    with pytest.raises(InterviewError, match=re.escape(said)):
        read(content, declare(format=form))


def test_the_declared_encoding_is_used() -> None:
    found = read(
        "Interview,Region\nInès,London\n".encode("cp1252"), declare(encoding="cp1252", dropped=["Region"])
    )
    assert [e.label for e in found.encounters] == ["Inès"]


@given(st.binary(max_size=300), st.sampled_from(["csv", "xlsx"]))
def test_random_bytes_are_refused_or_read_and_never_break(content: bytes, form: str) -> None:
    for data in (content, b"PK\x03\x04" + content, b"Interview\n" + content):
        try:
            found = read(data, declare(format=form))
        except InterviewError as error:
            found = DataList(issues=(Issue("data list", "", str(error), "refused"),))
        assert bool(found.encounters) != any(issue.severity == "refused" for issue in found.issues)


@pytest.mark.parametrize(
    ("one", "other"),
    [("INT01", "int01.docx"), (" Interview 3 ", "interview 3"), ("I\u200b1", "I1"), ("é.mp3", "e\u0301")],
)
def test_labels_that_match(one: str, other: str) -> None:
    assert match_key(one) == match_key(other)


@pytest.mark.parametrize(("one", "other"), [("1.5", "1"), ("INT1", "INT01"), ("a.smith", "a")])
def test_labels_that_do_not_match(one: str, other: str) -> None:
    assert match_key(one) != match_key(other)


# --- the theme map and the frame ----------------------------------------------------------------------------

CODES = (
    Code("Feelings", 1),
    Code("Feelings > Abuse", 2, 1),
    Code("Feelings > Fun", 3, 1),
    Code("Work > Fun", 4),
)
MAP_HEADER = "code,theme,reviewed_on,reviewed_by\n"


def read_map(lines: str) -> tuple[list[tuple[int, str, str]], list[str]]:
    mappings, issues = read_theme_map((MAP_HEADER + lines).encode(), CODES, VOCABULARY, TODAY)
    return [(m.code, m.theme_id, m.reviewed_on) for m in mappings], told(issues)


def test_codes_are_matched_by_path_or_by_their_own_name() -> None:
    mappings, issues = read_map(
        "abuse,abuse,2026-11-01,first author\n"
        "Feelings::Fun,values_dialogue,2026-11-01,\n"
        "work  > FUN,always_on,2026-11-01,\n"
        "Feelings,impatience,2026-11-01,\n"
    )
    assert mappings == [
        (2, "abuse", "2026-11-01"),
        (3, "values_dialogue", "2026-11-01"),
        (4, "always_on", "2026-11-01"),
        (1, "impatience", "2026-11-01"),
    ]
    assert issues == []


def test_a_code_without_a_theme_is_named_to_the_researcher_only() -> None:
    mappings, _ = read_map("Feelings,impatience,2026-11-01,\n")
    _, issues = read_theme_map(
        (MAP_HEADER + "Feelings,impatience,2026-11-01,\n").encode(), CODES, VOCABULARY, TODAY
    )
    assert [code for code, *_ in mappings] == [1], "the codes under it do not take its theme over"
    assert str(issues[0]) == "themes, code 2 of 4: has no theme and is not published"
    assert issues[0].for_researcher == (
        "themes, code 2 of 4: 'Feelings > Abuse' has no theme and is not published"
    )
    assert {issue.severity for issue in issues} == {"note"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Abuse,joy,2026-11-01,", "refused: themes, row 2: 'joy': the theme is not on the reviewed list"),
        ("Abuse,abuse,,", "refused: themes, row 2: has no date of review"),
        ("Abuse,abuse,soon,", "refused: themes, row 2: has no date of review"),
        ("Abuse,abuse,2026-11-24,", "refused: themes, row 2: has no date of review"),
        ("Fun,abuse,2026-11-01,", "refused: themes, row 2: 'Fun': names 2 codes"),
        ("Hope,abuse,2026-11-01,", "left_out: themes, row 2: 'Hope': names a code that is not in the code tree"),
        (
            "Abuse,abuse,2026-11-01,\nFeelings > Abuse,abuse,2026-11-01,",
            "refused: themes, row 3: says the same as a line above it",
        ),
    ],
)
def test_lines_of_a_theme_map_that_do_not_hold(line: str, said: str) -> None:
    _, issues = read_map(line + "\n")
    assert any(issue.startswith(said) for issue in issues), issues


@pytest.mark.parametrize("header", ["code,theme", "code,theme,reviewed_on,notes"])
def test_other_columns_in_a_theme_map_are_refused(header: str) -> None:
    content = f"{header}\n{','.join('x' for _ in header.split(','))}\n".encode()
    with pytest.raises(InterviewError, match="themes: "):
        read_theme_map(content, CODES, VOCABULARY, TODAY)


def test_a_frame_gives_holders_by_category() -> None:
    lines, issues = read_frame(
        b"attribute;category;holders\nseniority;mayor;26\nregion;England;16500\nparty;Green;800\n", VOCABULARY
    )
    assert [(line.attribute, line.category, line.holders) for line in lines] == [
        ("seniority", "mayor", 26),
        ("region", "England", 16500),
        ("party", "green", 800),
    ]
    assert issues == ()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("shoes,red,3", "refused: frame, row 2, column attribute: 'shoes': is no attribute"),
        ("party,purple,3", "refused: frame, row 2, column category: 'purple': is no category of party"),
        ("party,green,many", "refused: frame, row 2, column holders: 'many': is not a number of people"),
        ("party,green,-1", "refused: frame, row 2, column holders: '-1': is not a number of people"),
        ("party,green,9999999", "refused: frame, row 2, column holders: '9999999': is not a number of people"),
        (
            "party,green,1\nparty,GREEN,2",
            "refused: frame, row 3, column holders: '2': the category stands in a line",
        ),
    ],
)
def test_lines_of_a_frame_that_do_not_hold(line: str, said: str) -> None:
    _, issues = read_frame(f"attribute,category,holders\n{line}\n".encode(), VOCABULARY)
    (found,) = told(issues)
    assert found.startswith(said)
