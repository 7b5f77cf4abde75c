"""The synthetic study: made up and said to be, the same each time, and read back as it was meant."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Mapping
from typing import Any

import openpyxl
import pytest
from lxml import etree

from pipelines.interviews.bands import MINUTES_STEP, nearest_five_minutes
from pipelines.interviews.folder import read_study
from pipelines.interviews.refi_qda import read_qdc
from pipelines.interviews.study import Study, StudyFiles
from pipelines.interviews.vocabulary import load_vocabulary
from pipelines.sample import interviews as sample
from pipelines.sample.facts import COUNCILS
from pipelines.sample.interviews import (
    CODE_NAMES,
    CODE_TREE,
    SENTENCE,
    STUDY,
    THEME_QUOTAS,
    TITLE,
    UNMAPPED,
    Form,
    codebook_file,
    frame,
    interview_files,
    interviews,
    studies,
    truth,
)
from pipelines.settings import project_folder
from tests.conftest import REAL, ROOT

VOCABULARY = load_vocabulary(project_folder("data_contracts") / "interviews.yml")
FORMS: tuple[Form, ...] = ("csv", "xlsx")
QDA = "{urn:QDA-XML:project:1.0}"
DIGEST = """
import hashlib
from pipelines.sample.interviews import codebook_file, interview_files
for form in ("csv", "xlsx"):
    for name, content in interview_files(form).items():
        print(name, hashlib.sha256(content).hexdigest())
print(hashlib.sha256(codebook_file()).hexdigest())
"""
every_form = pytest.mark.parametrize("form", FORMS)


def read(form: Form = "csv") -> Study:
    return read_study(StudyFiles(interview_files(form)), VOCABULARY)


def data_list(form: Form) -> list[dict[str, Any]]:
    """The rows of the data list by heading, read without the project."""
    if form == "csv":
        return list(csv.DictReader(io.StringIO(interview_files("csv")["data_list.csv"].decode())))
    book = openpyxl.load_workbook(io.BytesIO(interview_files("xlsx")["data_list.xlsx"]))
    header, *rows = book["Interviews"].iter_rows(values_only=True)
    return [dict(zip(map(str, header), row, strict=True)) for row in rows]


def project() -> etree._Element:
    with zipfile.ZipFile(io.BytesIO(interview_files()["coding.qdpx"])) as archive:
        return etree.fromstring(archive.read("project.qde"))


def told(study: Study) -> Counter[tuple[Any, ...]]:
    """What a study says of each completed interview, without its label."""
    themes: dict[str, set[str]] = {}
    meant = {line.code: line.theme_id for line in study.themes}
    for use in study.uses:
        themes.setdefault(use.label, set()).update({meant[use.code]} if use.code in meant else set())
    lengths = {e.label: (e.year, e.minutes) for e in study.encounters if e.status == "completed"}
    return Counter(
        (tuple(sorted(p.attributes.items())), *lengths[p.label], tuple(sorted(themes.get(p.label, ()))))
        for p in study.participants
    )


# --- the facts ----------------------------------------------------------------------------------------------


def test_the_study_has_the_published_size_and_one_withdrawn_interview() -> None:
    assert truth().interviews == 52
    assert truth().withdrawn == 1
    assert truth().roles == {"councillor": 31, "officer": 21}
    assert [interview.number for interview in interviews()] == list(range(1, 54))


def test_the_truth_is_what_the_quotas_say() -> None:
    for theme, quotas in THEME_QUOTAS.items():
        assert {role: truth().mentions[role, theme] for role in quotas} == quotas
    found = {key[1:]: count for key, count in truth().categories.items() if key[0] == "councillor"}
    for attribute, quota in {
        "seniority": sample.SENIORITY_QUOTA,
        "party": sample.PARTY_QUOTA,
        "gender": sample.GENDER_QUOTA,
        "mode_of_collection": sample.MODE_QUOTA,
    }.items():
        assert {category: n for (name, category), n in found.items() if name == attribute} == quota
    for place, attribute in enumerate(("age_band", "tenure_band")):
        by_band: Counter[str] = Counter()
        for life, n in sample.LIFE_QUOTA.items():
            by_band[life[place]] += n
        assert {category: n for (name, category), n in found.items() if name == attribute} == by_band


def test_every_claim_has_something_to_show() -> None:
    def share(theme: str, role: str) -> float:
        return truth().mentions[role, theme] / truth().roles[role]

    assert share("as_you", "councillor") > 3 * share("as_you", "officer")
    assert share("blurred_boundary", "officer") > 2 * share("blurred_boundary", "councillor")
    assert all(share("always_on", role) > 0.6 for role in ("councillor", "officer"))
    assert share("quicker_than_a_leaflet", "councillor") > 2 * share("quicker_than_a_leaflet", "officer")
    assert all(share(theme, "councillor") >= 0.5 for theme in ("abuse", "impatience"))


def test_there_is_no_middle_ground_among_councillors() -> None:
    """Who does not use it never speaks in a voice of their own there, and hardly anybody does neither."""
    themes = [set(i.passages) for i in interviews() if i.role == "councillor" and not i.is_withdrawn]
    assert not [both for both in themes if {"does_not_use_it", "as_you"} <= both]
    assert len([neither for neither in themes if not {"does_not_use_it", "as_you"} & neither]) <= 3


def test_themes_and_attributes_are_dealt_out_independently() -> None:
    """Otherwise one quota would be read from another: no two are the same interviews or their opposite."""
    councillors = [i for i in interviews() if i.role == "councillor" and not i.is_withdrawn]
    sets = {
        (name, value): frozenset(i.number for i in councillors if i.attributes[name] == value)
        for name in ("gender", "party", "seniority", "region")
        for value in {i.attributes[name] for i in councillors}
    }
    sets |= {("theme", t): frozenset(i.number for i in councillors if t in i.passages) for t in THEME_QUOTAS}
    del sets["gender", "male"]  # the opposite of the other
    large = {name: found for name, found in sets.items() if 5 <= len(found) <= 26}
    everybody = frozenset(i.number for i in councillors)
    assert len(large) > 12
    assert len(set(large.values()) | {everybody - found for found in large.values()}) == 2 * len(large)


def test_some_groups_are_too_small_to_be_shown_and_some_are_not() -> None:
    sizes = [
        n
        for (role, attribute, _), n in truth().categories.items()
        if role == "councillor" and attribute != "role_group"
    ]
    assert min(sizes) == 1
    assert len([n for n in sizes if n < 10]) > 20
    assert len([n for n in sizes if n >= 10]) > 5
    assert truth().categories["councillor", "seniority", "mayor"] == 1


def test_nobody_took_office_as_a_child() -> None:
    for interview in interviews():
        if interview.age is not None and interview.since is not None:
            assert interview.age - (interview.held_on.year - interview.since) >= 18


def test_interviews_follow_each_other_on_working_days() -> None:
    days = [interview.held_on for interview in interviews()]
    assert days == sorted(days)
    assert all(day.weekday() < 5 for day in days)
    assert {day.year for day in days} == set(sample.YEARS)


def test_the_frame_counts_the_councillors_of_the_fictional_country() -> None:
    assert sum(frame().values()) == sum(council.seats for council in COUNCILS)
    assert frame()["seniority", "mayor"] < 10 <= min(n for key, n in frame().items() if key[1] != "mayor")
    assert {key[1] for key in frame()} == {*VOCABULARY.attribute("seniority").categories} - {"not_stated"}


# --- the files ----------------------------------------------------------------------------------------------


def test_the_files_are_the_same_in_every_process() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "TZ": zone},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, zone in (("0", "UTC"), ("7", "Asia/Tokyo"))
    }
    assert len(outputs) == 1
    assert outputs.pop().count("\n") == 11


def test_no_file_tells_when_it_was_written() -> None:
    for name in ("data_list.xlsx", "coding.qdpx"):
        with zipfile.ZipFile(io.BytesIO(interview_files("xlsx")[name])) as archive:
            assert {info.date_time for info in archive.infolist()} == {(2025, 1, 15, 9, 0, 0)}
            assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
            text = b"".join(archive.read(member) for member in archive.namelist())
        moments = set(re.findall(rb"\d{4}-\d\d-\d\dT[0-9:.]+Z?", text))
        assert moments == {b"2025-01-15T09:00:00Z"}, name


@every_form
def test_every_file_that_can_says_that_it_is_made_up(form: Form) -> None:
    files = interview_files(form)
    assert set(files) == {"study.yml", f"data_list.{form}", "coding.qdpx", "themes.csv", "frame.csv"}
    assert SENTENCE.encode() in files["study.yml"]
    assert b"\nsynthetic: true\n" in files["study.yml"]
    assert all(SENTENCE in row["Notes"] for row in data_list(form))
    assert project().findtext(f"{QDA}Description") == SENTENCE
    assert project().get("name") == TITLE
    assert b"ynthetic" in codebook_file()
    assert "synthetic" in STUDY
    assert "(synthetic)" in TITLE
    if form == "xlsx":
        book = openpyxl.load_workbook(io.BytesIO(files["data_list.xlsx"]))
        assert [cell.value for (cell,) in book["About"].iter_rows()] == [TITLE, SENTENCE]
        assert book.properties.title == TITLE


def test_the_embedded_studies_are_listed_by_their_id() -> None:
    assert dict(studies()) == {STUDY: interview_files()}


def test_there_is_no_text_of_an_interview() -> None:
    """The notes are one sentence about the study; the project holds codes, ids, places and counts."""
    assert {row["Notes"].split(". ", 1)[1] for row in data_list("csv")} == {SENTENCE}
    allowed = {*CODE_NAMES.values(), *CODE_TREE, UNMAPPED, TITLE, SENTENCE, project().get("origin")}
    for element in project().iter():
        for name, value in element.attrib.items():
            is_plain = re.fullmatch(
                r"[0-9a-f-]{36}|[0-9]+|true|false|INT-[0-9]{2}\.docx|FICTIONAL-\S+|2025-\S+", value
            )
            assert is_plain or value in allowed, f"{etree.QName(element).localname}/@{name}"
        assert (element.text or "").strip() in {"", SENTENCE}
    with zipfile.ZipFile(io.BytesIO(interview_files()["coding.qdpx"])) as archive:
        assert archive.namelist() == ["project.qde"]


@every_form
def test_exact_values_stand_in_the_data_list_as_a_researcher_keeps_them(form: Form) -> None:
    rows = data_list(form)
    assert len(rows) == 53
    assert len({row["Name"] for row in rows}) == len({row["E-mail"] for row in rows}) == 53
    lengths = [row["Length"] for row in rows if row["Length"]]
    assert len(lengths) == 53 - sample.UNTIMED
    assert any(re.fullmatch(r"\d\d:\d\d", length) for length in lengths)
    assert any(re.fullmatch(r"1:\d\d:\d\d", length) for length in lengths)
    days = {type(row["Held on"]) for row in rows}
    ages = [row["Age"] for row in rows if str(row["Age"]).isdigit()]
    assert days == ({dt.datetime} if form == "xlsx" else {str})
    assert {type(age) for age in ages} == ({int} if form == "xlsx" else {str})
    assert len({int(age) for age in ages}) > len(sample.AGES)  # ages, not bands


# --- read back ----------------------------------------------------------------------------------------------


@every_form
def test_reading_the_files_gives_the_facts(form: Form) -> None:
    study = read(form)
    about = study.description
    assert (about.study_id, about.title, about.is_synthetic) == (STUDY, TITLE, True)
    assert (about.year_from, about.year_to) == sample.YEARS
    completed = [interview for interview in interviews() if not interview.is_withdrawn]
    assert told(study) == Counter(
        (
            tuple(sorted(i.attributes.items())),
            i.held_on.year,
            i.minutes,
            tuple(sorted(set(i.passages) - {UNMAPPED})),
        )
        for i in completed
    )
    assert Counter(e.status for e in study.encounters) == {"completed": 52, "withdrawn": 1}
    passages = {i.label: sum(i.passages.values()) for i in completed}
    assert passages == {
        label: sum(use.references for use in study.uses if use.label == label) for label in passages
    }
    assert {(line.attribute, line.category): line.holders for line in study.frame} == dict(frame())
    assert {line.theme_id for line in study.themes} == set(THEME_QUOTAS)


def test_both_forms_read_as_one_study() -> None:
    assert read("csv") == read("xlsx")


@every_form
def test_nothing_is_refused_or_left_out(form: Form) -> None:
    found = Counter(issue.severity for issue in read(form).issues)
    assert set(found) == {"note"}
    # The headings of the code tree, the code that no theme stands for, and the withdrawn interview.
    assert found["note"] == len(CODE_TREE) + 1 + 1


@every_form
def test_what_is_to_be_dropped_is_dropped(form: Form) -> None:
    study = read(form)
    kept = repr([vars(part) for part in (*study.encounters, *study.participants, *study.codes, *study.uses)])
    kept += repr(study) + "".join(issue.for_researcher for issue in study.issues)
    assert "INT-01" in kept  # so that the search can find something
    assert "FICTIONAL" not in kept
    assert "interviews.example" not in kept
    assert not [row["Council"] for row in data_list(form) if row["Council"] and row["Council"] in kept]


def test_the_rounding_of_lengths_is_that_of_the_reader() -> None:
    """The facts round by themselves: both must agree on every second of an interview."""
    for seconds in range(1500, 5700):
        rounded = MINUTES_STEP * ((seconds + 150) // 300)
        assert nearest_five_minutes(sample._clock(seconds)) == rounded


def test_the_codebook_holds_the_same_codes_as_the_project() -> None:
    coding = read_qdc(codebook_file())
    assert coding.codes == read().codes
    assert not coding.uses


def _code_counts(document: etree._Element) -> Mapping[str, int]:
    names = {code.get("guid"): code.get("name") for code in document.iter(f"{QDA}Code")}
    return Counter(names[ref.get("targetGUID")] for ref in document.iter(f"{QDA}CodeRef"))


def test_the_project_counts_what_the_facts_count() -> None:
    expected: Counter[str] = Counter()
    for interview in interviews():
        for theme, times in interview.passages.items():
            expected[CODE_NAMES.get(theme, theme)] += times
    assert _code_counts(project()) == expected
    guids = [element.get("guid") for element in project().iter() if element.get("guid")]
    assert len(set(guids)) == len(guids)


@pytest.mark.real
def test_the_project_satisfies_the_official_schema() -> None:
    schema = etree.XMLSchema(etree.parse(REAL / "interviews" / "refi_qda" / "Project.xsd"))
    schema.assertValid(etree.ElementTree(project()))
    broken = project()
    broken.set("creationDateTime", "yesterday")
    assert not schema.validate(broken)
