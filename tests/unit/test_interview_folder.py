"""A study's folder, read as a whole: what it says of itself, which file belongs to what, and the report on it."""

from __future__ import annotations

import copy
import datetime as dt
import io
import json
import os
import sqlite3
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.interviews import folder
from pipelines.interviews.declaration import read_declaration
from pipelines.interviews.folder import load_files, read_study, report, to_records
from pipelines.interviews.study import InterviewError, Study, StudyFiles
from pipelines.interviews.vocabulary import load_vocabulary

ROOT = Path(__file__).resolve().parents[2]
VOCABULARY = load_vocabulary(ROOT / "data_contracts" / "interviews.yml")
TODAY = dt.date(2026, 11, 23)
CANARY = "Canary-7f3a"

DECLARED: Mapping[str, Any] = {
    "study_id": "town-halls-2016",
    "title": "Town halls online",
    "synthetic": "true",
    "years": ["2015", "2016"],
    "sampling": "purposive",
    "lawful_basis": "consent",
    "data_list": {
        "file": "list.csv",
        "format": "csv",
        "label": "Interview",
        "status": "Status",
        "minutes": "Length",
        "attributes": {"role_group": "Role", "gender": "Gender", "tenure_band": "Years"},
        "dropped": ["Name"],
    },
    "codes": {"file": "project.qdpx", "format": "refi-qda"},
    "themes": "themes.csv",
    "frame": "frame.csv",
}
LIST = (
    "Interview,Status,Length,Role,Gender,Years,Name\n"
    f"INT01,completed,54:02,councillor,female,7,{CANARY} one\n"
    f"INT02,completed,1:02:30,councillor,male,12,{CANARY} two\n"
    f"INT03,withdrawn,{CANARY},{CANARY},{CANARY},{CANARY},{CANARY}\n"
    f"INT04,completed,,officer,female,3,{CANARY} four\n"
)
THEMES = "code,theme,reviewed_on\nFeelings > Abuse,abuse,2026-11-01\nSpeed,quicker_than_a_leaflet,2026-11-01\n"
FRAME = "attribute,category,holders\nrole_group,councillor,18000\n"
QDE = """<?xml version="1.0" encoding="utf-8"?>
<Project xmlns="urn:QDA-XML:project:1.0" name="Canary-7f3a" basePath="/home/Canary-7f3a">
<Users><User guid="U1" name="Canary-7f3a"/></Users>
<CodeBook><Codes>
  <Code guid="C1" name="Feelings" isCodable="true"><Description>Canary-7f3a</Description>
    <Code guid="C2" name="Abuse" isCodable="true"/></Code>
  <Code guid="C3" name="Speed" isCodable="true"/>
</Codes></CodeBook>
<Sources>
  <TextSource guid="S1" name="int01.docx">
    <PlainTextSelection guid="P1" name="Canary-7f3a" startPosition="0" endPosition="9" creatingUser="U1">
      <Coding guid="K1"><CodeRef targetGUID="C2"/></Coding></PlainTextSelection>
    <PlainTextSelection guid="P2" startPosition="10" endPosition="19">
      <Coding guid="K2"><CodeRef targetGUID="C2"/></Coding></PlainTextSelection>
  </TextSource>
  <TextSource guid="S2" name="INT01.mp3">
    <PlainTextSelection guid="P3" startPosition="0" endPosition="9">
      <Coding guid="K3"><CodeRef targetGUID="C2"/></Coding></PlainTextSelection></TextSource>
  <TextSource guid="S3" name="INT02">
    <PlainTextSelection guid="P4" startPosition="0" endPosition="9">
      <Coding guid="K4"><CodeRef targetGUID="C3"/></Coding></PlainTextSelection></TextSource>
  <TextSource guid="S4" name="INT03">
    <PlainTextSelection guid="P5" startPosition="0" endPosition="9">
      <Coding guid="K5"><CodeRef targetGUID="C2"/></Coding></PlainTextSelection></TextSource>
  <TextSource guid="S5" name="Field diary">
    <PlainTextSelection guid="P6" startPosition="0" endPosition="9">
      <Coding guid="K6"><CodeRef targetGUID="C2"/></Coding></PlainTextSelection></TextSource>
</Sources></Project>
"""


def to_qdpx(project: str = QDE) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("project.qde", project)
        archive.writestr("Sources/S1.txt", CANARY)
    return out.getvalue()


def declare(**changes: Any) -> dict[str, Any]:
    """The study's declaration with values replaced by dotted path (`data_list__file`); None takes a key out."""
    document = copy.deepcopy(dict(DECLARED))
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = document
        for key in parents:
            place = place[key]
        if value is None:
            place.pop(last, None)
        else:
            place[last] = value
    return document


def hand_in(others: Mapping[str, bytes | None] | None = None, **changes: Any) -> StudyFiles:
    content: dict[str, bytes | None] = {
        "study.yml": yaml.safe_dump(declare(**changes), allow_unicode=True).encode(),
        "list.csv": LIST.encode(),
        "project.qdpx": to_qdpx(),
        "themes.csv": THEMES.encode(),
        "frame.csv": FRAME.encode(),
        **(others or {}),
    }
    return StudyFiles({name: data for name, data in content.items() if data is not None})


def read(others: Mapping[str, bytes | None] | None = None, **changes: Any) -> Study:
    return read_study(hand_in(others, **changes), VOCABULARY, TODAY)


def told(study: Study) -> list[str]:
    return [f"{issue.severity}: {issue.for_researcher}" for issue in study.issues]


# --- the whole ----------------------------------------------------------------------------------------------


def test_a_study_is_put_together_from_its_files() -> None:
    study = read()
    assert study.refusals == ()
    assert [(e.label, e.status, e.minutes) for e in study.encounters] == [
        ("INT01", "completed", 55), ("INT02", "completed", 65), ("INT03", "withdrawn", None),
        ("INT04", "completed", None),
    ]  # fmt: skip
    assert [(use.label, use.code, use.references) for use in study.uses] == [("INT01", 2, 3), ("INT02", 3, 1)]
    assert [(m.code, m.theme_id) for m in study.themes] == [(2, "abuse"), (3, "quicker_than_a_leaflet")]
    assert [(line.category, line.holders) for line in study.frame] == [("councillor", 18000)]
    assert told(study) == [
        "left_out: codes, source 1: 'Field diary' matches no label of the data list: its codes are left out",
        "note: codes, uses: those in withdrawn interviews are left out",
        "note: codes, interview 4: 'INT04' has no codes: it counts as mentioning no theme",
        "note: themes, code 1 of 3: 'Feelings' has no theme and is not published",
    ]


def test_records_have_attributes_and_themes_and_nothing_that_leads_back() -> None:
    study = read()
    records, minutes = to_records(study)
    assert list(records.columns) == [
        *VOCABULARY.attributes, "theme:abuse", "theme:quicker_than_a_leaflet",
    ]  # fmt: skip
    assert not records.isna().any().any()
    rows = records[["role_group", "gender", "tenure_band", "theme:abuse", "theme:quicker_than_a_leaflet"]]
    assert sorted(rows.itertuples(index=False, name=None)) == [
        ("councillor", "female", "4_7", "mentioned", "not_mentioned"),
        ("councillor", "male", "12_19", "not_mentioned", "mentioned"),
        ("officer", "not_stated", "not_stated", "not_mentioned", "not_mentioned"),
    ]
    by_gender = dict(zip(records["gender"], minutes.tolist(), strict=True))
    assert by_gender["female"] == 55
    assert by_gender["male"] == 65
    assert minutes[records["role_group"] == "officer"].isna().all()
    assert (minutes.index == records.index).all()


def test_ids_of_records_are_new_each_time_and_give_the_rows_a_random_order() -> None:
    lines = "".join(f"I{n:02},completed,{50 + n},councillor,female,{n},x\n" for n in range(40))
    study = read({"list.csv": (LIST.splitlines()[0] + "\n" + lines).encode()}, codes=None, themes=None)
    orders = [to_records(study)[1].tolist() for _ in range(3)]
    ids = [set(to_records(study)[0].index) for _ in range(2)]
    assert orders[0] != sorted(orders[0])
    assert orders[0] != orders[1] or orders[1] != orders[2]
    assert not ids[0] & ids[1]
    assert all(len(record_id) == 16 for record_id in ids[0])


def test_themes_of_codes_and_of_columns_come_together() -> None:
    columns = [{"column": "Abuse?", "values": {"Yes": "abuse", "No": "not_mentioned"}}]
    lines = LIST.replace(",Name\n", ",Name,Abuse?\n", 1).splitlines()
    rows = [lines[0], f"{lines[1]},No", f"{lines[2]},Yes", f"{lines[3]},Yes", f"{lines[4]},No"]
    study = read(
        {"list.csv": "\n".join(rows).encode()},
        data_list__themes={"reviewed_on": "2026-11-02", "columns": columns},
    )
    assert study.refusals == ()
    assert [(m.code, m.theme_id, m.reviewed_on) for m in study.themes] == [
        (2, "abuse", "2026-11-01"),
        (3, "quicker_than_a_leaflet", "2026-11-01"),
        (4, "abuse", "2026-11-02"),
    ]
    assert len({code.position for code in study.codes}) == len(study.codes) == 4
    records, _ = to_records(study)
    assert sorted(zip(records["role_group"], records["theme:abuse"], strict=True)) == [
        ("councillor", "mentioned"), ("councillor", "mentioned"), ("officer", "not_mentioned"),
    ]  # fmt: skip


def qualcoder() -> bytes:
    with sqlite3.connect(":memory:") as db:
        db.executescript(
            f"""
            CREATE TABLE project (databaseversion text, memo text, about text);
            INSERT INTO project VALUES ('v11', '{CANARY}', '{CANARY}');
            CREATE TABLE code_cat (catid integer primary key, name text, owner text, memo text,
                                   supercatid integer);
            INSERT INTO code_cat VALUES (1, 'Feelings', '{CANARY}', '{CANARY}', NULL);
            CREATE TABLE code_name (cid integer primary key, name text, memo text, catid integer, owner text);
            INSERT INTO code_name VALUES (1, 'Abuse', '{CANARY}', 1, '{CANARY}'), (2, 'Speed', '', NULL, 'x');
            CREATE TABLE source (id integer primary key, name text, fulltext text, memo text, owner text);
            INSERT INTO source VALUES (1, 'int01.txt', '{CANARY}', '{CANARY}', 'x');
            INSERT INTO source VALUES (2, 'INT02.txt', 'x', '', 'x');
            CREATE TABLE code_text (ctid integer primary key, cid integer, fid integer, seltext text, pos0 integer,
                                    pos1 integer, owner text, memo text);
            INSERT INTO code_text VALUES (1, 1, 1, '{CANARY}', 0, 4, 'x', ''), (2, 2, 2, 'x', 0, 4, 'x', '');
            """
        )
        return db.serialize()


def test_codes_of_another_program_match_the_same_theme_map() -> None:
    study = read(
        {"data.qda": qualcoder(), "project.qdpx": None}, codes={"file": "data.qda", "format": "qualcoder"}
    )
    assert study.refusals == (), told(study)
    records, _ = to_records(study)
    assert sorted(zip(records["gender"], records["theme:abuse"], strict=True)) == [
        ("female", "mentioned"), ("male", "not_mentioned"), ("not_stated", "not_mentioned"),
    ]  # fmt: skip


def test_a_codebook_alone_has_no_uses_and_says_so() -> None:
    qdc = b"""<CodeBook xmlns="urn:QDA-XML:codebook:1.0"><Codes>
    <Code guid="C2" name="Abuse" isCodable="true"/><Code guid="C3" name="Speed" isCodable="true"/>
    </Codes></CodeBook>"""
    themes = b"code,theme,reviewed_on\nAbuse,abuse,2026-11-01\nSpeed,always_on,2026-11-01\n"
    study = read(
        {"codes.qdc": qdc, "themes.csv": themes, "project.qdpx": None},
        codes={"file": "codes.qdc", "format": "refi-qda"},
    )
    assert told(study) == [
        "note: codes, uses: no code is used in an interview of the data list: every theme counts as not mentioned"
    ]


# --- what a study says of itself ----------------------------------------------------------------------------


def ddi(title: str = "Town halls online", year: int = 2016) -> bytes:
    return f"""<codeBook xmlns="ddi:codebook:2_5" version="2.5"><stdyDscr>
    <citation><titlStmt><titl>{title}</titl><IDNo agency="DOI">10.5255/UKDA-SN-1</IDNo></titlStmt></citation>
    <stdyInfo><sumDscr><collDate event="start" date="2015"/>
    <collDate event="end" date="{year}"/></sumDscr></stdyInfo>
    <method><dataColl><collMode>Face-to-face interview</collMode></dataColl></method>
    </stdyDscr></codeBook>""".encode()


def test_an_archives_description_fills_in_what_the_study_does_not_say() -> None:
    study = read(
        {"ddi.xml": ddi()},
        description={"file": "ddi.xml", "format": "ddi"},
        title=None,
        years=None,
        mode_of_collection=None,
    )
    said = study.description
    assert study.refusals == (), told(study)
    assert (said.title, said.year_from, said.year_to) == ("Town halls online", 2015, 2016)
    assert said.persistent_id == "https://doi.org/10.5255/UKDA-SN-1"
    assert {e.mode_of_collection for e in study.encounters if e.label in ("INT01", "INT02")} == {
        "Interview.FaceToFace"
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"title": "Another title"}, "study.yml, title: 'Another title' contradicts the description file"),
        ({"years": ["2014", "2016"]}, "study.yml, years: '(2014, 2016)' contradicts the description file"),
        ({"mode_of_collection": "FocusGroup"}, "study.yml, mode_of_collection: 'FocusGroup' contradicts"),
        ({"persistent_id": "doi:10.5255/OTHER"}, "study.yml, persistent_id: 'https://doi.org/10.5255/OTHER' con"),
    ],
)
def test_a_study_that_contradicts_its_description_is_refused(changes: dict[str, Any], said: str) -> None:
    study = read({"ddi.xml": ddi()}, description={"file": "ddi.xml", "format": "ddi"}, **changes)
    assert [line for line in told(study) if line.startswith(f"refused: description, {said}")]


def test_a_description_that_says_the_same_in_other_words_is_no_contradiction() -> None:
    study = read(
        {"ddi.xml": ddi("TOWN  halls online")},
        description={"file": "ddi.xml", "format": "ddi"},
        mode_of_collection="Face to face",
        persistent_id="doi:10.5255/UKDA-SN-1",
    )
    assert study.refusals == ()
    assert study.description.title == "Town halls online"


def test_a_study_whose_record_the_archive_withdrew_is_refused() -> None:
    answer = b"""<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><responseDate>2026-11-01T00:00:00Z</responseDate>
    <GetRecord><record><header status="deleted"><identifier>oai:x:1</identifier><datestamp>2026-10-01</datestamp>
    </header></record></GetRecord></OAI-PMH>"""
    study = read({"oai.xml": answer}, description={"file": "oai.xml", "format": "oai"})
    assert "refused: description: the archive has withdrawn this record" in told(study)[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"title": None}, "description, study.yml, title: neither study.yml nor a description file says it"),
        ({"years": None}, "description, study.yml, years: neither"),
        ({"years": "2027"}, "description, study.yml, years: are not a first and a last year"),
        ({"years": ["2016", "2015"]}, "description, study.yml, years: are not a first and a last year"),
        (
            {"mode_of_collection": "Pigeon"},
            "description, study.yml, mode_of_collection: 'Pigeon' is not in the voc",
        ),
        (
            {"data_list__file": "other.csv"},
            "data list: 'other.csv': the file that study.yml names is not in the fol",
        ),
        ({"data_list__file": "../list.csv"}, "data list: '../list.csv': the file that study.yml names is not in"),
        ({"codes__format": "taguette"}, "codes: the file is not an SQLite database"),
        ({"data_list__format": "xlsx"}, "data list: the file is no .xlsx workbook"),
    ],
)
def test_what_refuses_a_study_is_said_with_its_remedy(changes: dict[str, Any], said: str) -> None:
    study = read(**changes)
    assert [line for line in told(study) if line.startswith(f"refused: {said}")], told(study)
    assert (study.encounters, study.participants, study.codes, study.uses, study.themes, study.frame) == ((),) * 6


def test_a_file_that_cannot_be_read_does_not_hide_what_is_wrong_with_the_next() -> None:
    study = read({"project.qdpx": b"PK\x03\x04 damaged", "list.csv": LIST.replace(",7,", ",twelve,").encode()})
    assert {issue.source for issue in study.refusals} >= {"codes", "data list"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"study_id": "Town Halls"}, "study_id: string should match pattern"),
        ({"lawful_basis": None}, "lawful_basis: field required"),
        ({"lawful_basis": "trust"}, "lawful_basis: input should be 'consent'"),
        ({"synthetic": "perhaps"}, "synthetic: input should be a valid boolean"),
        ({"title": "=cmd()"}, "title: has characters that cannot be seen, or begins like a formula"),
        ({"title": "Town\u202ehalls"}, "title: has characters that cannot be seen, or begins like a formula"),
        ({"themes": None}, "the study: codes and themes belong together"),
        ({"codes": None}, "the study: codes and themes belong together"),
        ({"data_list__dropped": ["Name", "Gender"]}, "data_list: a column is both read and dropped"),
        ({"data_list__attributes__gender": {}}, "data_list.attributes.gender: give either a column or a constant"),
        (
            {"data_list__attributes__gender": {"column": "G", "values": {"F": "female", "f ": "male"}}},
            "data_list.attributes.gender.values: two of the values differ only in capitals or spaces",
        ),
        (
            {"data_list__themes": {"reviewed_on": "soon", "columns": [{"column": "x", "values": {"a": "abuse"}}]}},
            "data_list.themes.reviewed_on: is not a date such as 2026-11-20",
        ),
    ],
)
def test_a_study_yml_that_cannot_be_used_names_the_place(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InterviewError) as caught:
        read(**changes)
    assert f"study.yml: {said}" in str(caught.value)


def test_keys_that_a_researcher_wrote_are_told_to_the_researcher_only() -> None:
    with pytest.raises(InterviewError) as caught:
        read(data_list__attributes__gender={"column": "G", "values": {CANARY: ["female"]}}, **{CANARY: "x"})
    assert CANARY not in str(caught.value)
    assert "data_list.attributes.gender.values.(a key): " in str(caught.value)
    assert f"{CANARY}: extra inputs are not permitted" in caught.value.for_researcher


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\na: 2\n", "line 1: not valid YAML"),
        ("a: [1\n", "not valid YAML"),
        ("a: &x [1]\nb: *x\n", "line 2: an alias"),
        ("a: " + "[" * 5000, "line 1: an alias, or too many levels"),
        ("- a\n", "study.yml: the study: input should be a valid dictionary"),
        ("? [a, b]\n: c\n", "study.yml: "),
        ("a: \x07\n", "study.yml: "),
        ("x: !!python/object/apply:os.system [ls]\n", "(a key): extra inputs"),
        ("#" * 1_000_001, "larger than 1 MB"),
        ("", "empty"),
    ],
)
def test_yaml_that_hides_something_is_refused(text: str, said: str) -> None:
    with pytest.raises(InterviewError) as caught:
        read_declaration(text.encode(), VOCABULARY.attributes)
    assert said in str(caught.value)


def test_words_of_study_yml_stay_text() -> None:
    """YAML of its own would read No as false, 07 as 7 and 35_44 as 3544."""
    declared = read_declaration(
        b"""
        study_id: s
        synthetic: no
        years: 2016
        lawful_basis: consent
        data_list:
          file: list.csv
          format: csv
          label: 07
          attributes: {role_group: {column: on, values: {No: other, 35_44: officer}}}
        """,
        VOCABULARY.attributes,
    )
    assert declared.synthetic is False
    assert declared.years == (2016, 2016)
    assert declared.data_list.label == "07"
    assert declared.data_list.attributes["role_group"].column == "on"
    assert declared.data_list.attributes["role_group"].values == {"no": "other", "35_44": "officer"}


# --- the folder ---------------------------------------------------------------------------------------------


def test_files_are_taken_from_one_folder(tmp_path: Path) -> None:
    for name, content in hand_in().content.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / ".DS_Store").write_bytes(b"x")
    files = load_files(tmp_path)
    assert list(files) == ["frame.csv", "list.csv", "project.qdpx", "study.yml", "themes.csv"]
    assert read_study(files, VOCABULARY, TODAY) == read()


def test_links_subfolders_and_devices_are_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text(CANARY, encoding="utf-8")
    for name, make in {
        "a link": lambda path: path.symlink_to(secret),
        "a dangling link": lambda path: path.symlink_to(tmp_path / "nothing"),
        "a subfolder": lambda path: path.mkdir(),
        "a pipe": lambda path: os.mkfifo(path),
    }.items():
        inbox = tmp_path / name
        inbox.mkdir()
        make(inbox / CANARY)
        with pytest.raises(InterviewError, match="the folder holds a") as caught:
            load_files(inbox)
        assert CANARY not in str(caught.value)
        assert CANARY in caught.value.for_researcher


def test_too_many_or_too_large_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(51):
        (tmp_path / f"{number}.txt").write_bytes(b"x" * 10)
    with pytest.raises(InterviewError, match="more than 50 files"):
        load_files(tmp_path)
    (tmp_path / "0.txt").unlink()
    monkeypatch.setattr(folder, "MOST_BYTES", 499)
    with pytest.raises(InterviewError, match="hold more than"):
        load_files(tmp_path)
    monkeypatch.setattr(folder, "MOST_BYTES", 500)
    assert len(load_files(tmp_path).content) == 50


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InterviewError, match="cannot be read"):
        load_files(tmp_path / "nothing")


def test_a_folder_without_a_declaration_is_refused() -> None:
    with pytest.raises(InterviewError, match=r"has no study.yml: add one"):
        read_study(StudyFiles({"list.csv": b"x"}), VOCABULARY)


def test_files_that_nobody_named_are_not_read_and_that_is_said() -> None:
    study = read({CANARY: b"x", "notes.docx": b"x"})
    (issue,) = (issue for issue in study.issues if issue.source == "description")
    assert str(issue) == "description, study.yml: files in the folder that it does not name were not read: 2"
    assert "notes.docx" in issue.for_researcher


# --- the report ---------------------------------------------------------------------------------------------


def test_the_report_begins_with_what_has_to_be_mended() -> None:
    study = read({"list.csv": LIST.replace(",7,", ",twelve,").encode(), "notes.txt": b"x"})
    assert report(study, True) == (
        "Study town-halls-2016 was refused: mend what is called `refused` below, and hand it in again.\n"
        "\n"
        "data list:\n"
        "  refused: row 2, column tenure: 'twelve' is not a number of years\n"
        "\n"
        "description:\n"
        "  note: study.yml: files in the folder that it does not name were not read: 1, 'notes.txt'\n"
        "\n"
        "themes:\n"
        "  note: code 1 of 3: 'Feelings' has no theme and is not published\n"
    )
    assert "row 2, column tenure: the value is not a number of years" in report(study, False)
    assert "twelve" not in report(study, False)


def test_the_report_on_a_study_that_was_read_counts_for_the_researcher_only() -> None:
    study = read()
    assert "3 interviews with 3 participants, 1 withdrawn, 3 codes, 2 themes." in report(study, True)
    assert "interviews with" not in report(study, False)


def test_the_report_is_short_however_much_is_wrong() -> None:
    lines = "".join(f"I{n},completed,{CANARY},councillor,female,{n},x\n" for n in range(500))
    study = read({"list.csv": (LIST.splitlines()[0] + "\n" + lines).encode()})
    text = report(study, True)
    assert len(text.splitlines()) < 60
    assert "refused: and " in text


def test_the_report_shows_what_cannot_be_seen() -> None:
    bidi = "twelve\u202e\u200b"
    study = read({"list.csv": LIST.replace(",7,", f",{bidi},").encode()})
    assert all(line.isprintable() for line in report(study, True).splitlines())
    assert "\\u202e" in report(study, True)


def test_an_error_is_reported_in_both_wordings() -> None:
    error = InterviewError("study.yml: a key is wrong", f"study.yml: {CANARY} is wrong")
    assert CANARY in report(error, True)
    assert CANARY not in report(error, False)


# --- nothing personal gets through, nothing breaks ----------------------------------------------------------


def test_canaries_in_every_place_leave_no_trace() -> None:
    """In every file and field: dropped columns, withdrawn rows, users, paths, memos, descriptions, file names."""
    book = openpyxl.Workbook()
    book.properties.creator = CANARY
    for line in LIST.splitlines():
        book.active.append(line.split(","))
    book.active["A2"].comment = openpyxl.comments.Comment(CANARY, CANARY)
    out = io.BytesIO()
    book.save(out)
    for study in (
        read({f"{CANARY}.docx": b"x"}),
        read(
            {"list.xlsx": out.getvalue(), "list.csv": None},
            data_list__file="list.xlsx",
            data_list__format="xlsx",
        ),
        read({"data.qda": qualcoder()}, codes={"file": "data.qda", "format": "qualcoder"}),
    ):
        assert study.refusals == (), told(study)
        records, minutes = to_records(study)
        held = [
            *(e.label for e in study.encounters), *(p.label for p in study.participants),
            *(v for p in study.participants for v in p.attributes.values()), *(c.name for c in study.codes),
            *(str(issue) for issue in study.issues), repr(study), report(study, False),
            records.to_csv(), minutes.to_csv(),
        ]  # fmt: skip
        assert not [text for text in held if CANARY in text]


def test_labels_and_names_stand_in_no_representation() -> None:
    study = read()
    assert "INT01" not in repr(study)
    assert "Feelings" not in repr(study)
    assert "INT01" not in repr(hand_in())


def read_anything(files: StudyFiles) -> tuple[Study | None, str]:
    """The study, unless its declaration ends the reading, and the report on either."""
    try:
        study = read_study(files, VOCABULARY, TODAY)
    except InterviewError as error:
        return None, report(error, False)
    return study, report(study, False)


@pytest.mark.parametrize("name", ["list.csv", "project.qdpx", "themes.csv", "frame.csv", "study.yml", "ddi.xml"])
@settings(max_examples=30, deadline=None)
@given(content=st.binary(max_size=200))
def test_no_bytes_break_the_reading_of_a_study(name: str, content: bytes) -> None:
    files = hand_in({"ddi.xml": ddi(), name: content}, description={"file": "ddi.xml", "format": "ddi"})
    study, told_of = read_anything(files)
    assert told_of
    if name == "study.yml":
        assert study is None
    else:
        assert study is not None
        assert bool(study.refusals) != bool(study.encounters)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(sorted(DECLARED)),
    st.recursive(st.text(max_size=8) | st.integers(), lambda inner: st.lists(inner, max_size=3), max_leaves=6),
)
def test_no_value_of_study_yml_breaks_its_reading(key: str, value: Any) -> None:
    text = json.dumps(declare(**{key: value}))
    _, told_of = read_anything(hand_in({"study.yml": text.encode()}))
    assert told_of.startswith(("Study ", "The study was refused."))
