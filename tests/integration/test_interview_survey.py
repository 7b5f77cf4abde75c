"""A real survey through the data-list adapter: 122 councillors' answers, anonymised by who asked them.

Read beside the checkout; the mapping is a fixture of ours.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from pipelines.interviews.folder import load_files, read_study, report, to_records
from pipelines.interviews.study import Study, StudyFiles
from pipelines.interviews.vocabulary import load_vocabulary
from tests.conftest import REAL

pytestmark = pytest.mark.real

ROOT = Path(__file__).resolve().parents[2]
MAPPING = ROOT / "tests" / "fixtures" / "studies" / "mysociety-survey"
SURVEY = REAL / "interviews" / "mysociety_survey" / "processed_survey.csv"
VOCABULARY = load_vocabulary(ROOT / "data_contracts" / "interviews.yml")
QUASI = ["region", "authority_type", "party", "gender"]


def hand_in(survey: bytes) -> StudyFiles:
    return StudyFiles({**load_files(MAPPING).content, SURVEY.name: survey})


@pytest.fixture(scope="module")
def study() -> Study:
    return read_study(hand_in(SURVEY.read_bytes()), VOCABULARY)


def test_every_answer_sheet_is_read_and_nothing_is_refused(study: Study) -> None:
    assert len(study.encounters) == len(study.participants) == 122
    assert [str(issue) for issue in study.issues] == [
        "data list, column region: a broader category is given: all rows are kept at that level"
    ]


def test_eleven_rows_are_unique_on_what_others_know(study: Study) -> None:
    """What the gate has to protect: nation, type of council, party and gender single these people out."""
    records, minutes = to_records(study)
    sizes = records.groupby(QUASI).size()
    assert (sizes == 1).sum() == 11
    assert minutes.isna().all()


def test_the_answers_arrive_under_their_themes_and_categories(study: Study) -> None:
    records, _ = to_records(study)
    mentioned = (records.filter(like="theme:") == "mentioned").sum().to_dict()
    assert mentioned == {
        "theme:own_view_first": 62,
        "theme:participation_held": 57,
        "theme:participation_overlaps_role": 97,
        "theme:supports_participation": 107,
    }
    assert records["region"].value_counts().to_dict() == {"England": 103, "Scotland": 11, "Wales": 8}
    assert pairs(records, "region", "authority_type", "Scotland") == {"SCO": 11}
    assert pairs(records, "region", "authority_type", "Wales") == {"WPA": 8}
    assert records["party"].value_counts().to_dict() == {
        "labour": 43, "liberal_democrat": 25, "conservative": 23, "green": 13, "independent": 13, "snp": 3,
        "plaid_cymru": 2,
    }  # fmt: skip
    assert records["gender"].value_counts().to_dict() == {"male": 77, "female": 45}
    assert set(records["role_group"]) == {"councillor"}


def pairs(records, one: str, other: str, value: str) -> dict[str, int]:
    return records.loc[records[one] == value, other].value_counts().to_dict()


def with_canaries() -> bytes:
    """The survey with a canary in every cell of every column that the mapping drops."""
    rows = list(csv.reader(io.StringIO(SURVEY.read_text(encoding="utf-8"), newline="")))
    read = {0, 24, 25, 26, 28, 32, 33, 36, 37}
    for row in rows[1:]:
        row[:] = [cell if place in read else f"CANARY-{place}" for place, cell in enumerate(row)]
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()


def test_what_stands_in_dropped_columns_reaches_nothing(study: Study) -> None:
    planted = read_study(hand_in(with_canaries()), VOCABULARY)
    assert planted == study
    held = [repr(planted), report(planted, True), report(planted, False), to_records(planted)[0].to_csv()]
    held += [str(vars(part)) for part in (*planted.encounters, *planted.participants, *planted.codes)]
    assert not [text for text in held if "CANARY" in text]


def test_a_column_that_is_added_upstream_refuses_the_study() -> None:
    lines = SURVEY.read_text(encoding="utf-8").splitlines()
    more = "\n".join([f"{lines[0]},ward", *(f"{line},Canary ward" for line in lines[1:])])
    refused = read_study(hand_in(more.encode()), VOCABULARY)
    assert [str(issue) for issue in refused.refusals] == [
        "data list, column 39: is neither read nor listed under `dropped`: declare it in study.yml"
    ]
    assert refused.participants == ()
    assert "anary" not in report(refused, True)


def test_a_new_answer_upstream_refuses_the_study() -> None:
    text = SURVEY.read_text(encoding="utf-8").replace(",CON,", ",RFM,", 1)
    refused = read_study(hand_in(text.encode()), VOCABULARY)
    (issue,) = refused.refusals
    assert str(issue).endswith("column party: the value is no category of party: map it under `values`")
    assert "'RFM'" in issue.for_researcher
