"""A real survey of 122 councillors through the gate and every attack, and names of councillors in real files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest

from pipelines.interviews.folder import load_files, read_study, to_records
from pipelines.interviews.vocabulary import load_vocabulary
from pipelines.privacy.attacks.attacker import Attacker
from pipelines.privacy.attacks.cells import reconstruction, singling_out
from pipelines.privacy.audit import asking_again, audit_study, blocking
from pipelines.privacy.cells import Population, Table
from pipelines.privacy.evidence import Evidence
from pipelines.privacy.protection import protect
from pipelines.privacy.reconstruction import Deadline, Range, prove, suppressed
from pipelines.privacy.tables import count_cells
from pipelines.privacy.tripwire import scan_folder
from pipelines.settings import Home, project_folder
from tests.conftest import REAL, ROOT
from tests.interview_study import HIERARCHIES, MERGES, RULES, SECRET, SENSITIVE, told

pytestmark = pytest.mark.real

SURVEY = REAL / "interviews" / "mysociety_survey" / "processed_survey.csv"
COUNTRY = {"E": "England", "S": "Scotland", "W": "Wales"}


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Population:
    """The survey as the data-list adapter reads it."""
    folder = tmp_path_factory.mktemp("survey")
    declared = ROOT / "tests" / "fixtures" / "studies" / "mysociety-survey" / "study.yml"
    (folder / "study.yml").write_bytes(declared.read_bytes())
    (folder / SURVEY.name).write_bytes(SURVEY.read_bytes())
    study = read_study(load_files(folder), load_vocabulary(project_folder("data_contracts") / "interviews.yml"))
    assert study.refusals == ()
    records, minutes = to_records(study)
    frame: dict[str, Mapping[str, int]] = {}
    return Population(study.description.study_id, records, minutes, frame, SENSITIVE & set(records.columns))


def test_eleven_of_122_are_alone_on_country_type_party_and_gender() -> None:
    """From the file itself: what the adapter later merges must not be what this is counted on."""
    answers = pd.read_csv(SURVEY, keep_default_na=False)
    columns = ["country", "council_type", "party_reduced", "gender"]
    assert len(answers) == 122
    assert (answers.groupby(columns).size() == 1).sum() == 11
    assert set(answers["country"]) == set(COUNTRY)


def test_no_attack_finds_anything_in_what_is_told_of_the_survey(survey: Population) -> None:
    def audit(protected):
        return blocking(audit_study(Evidence(protected, merges=MERGES), RULES))

    assert len(survey.records) == 122
    protected = protect(survey, HIERARCHIES, RULES, SECRET, audit=audit)
    again = asking_again(HIERARCHIES, RULES, SECRET, ())
    found = audit_study(Evidence(protected, merges=MERGES), RULES, again)
    assert [one.attack for one in found if one.outcome in ("found", "failed")] == []
    assert sum(one.tried for one in found) > 100
    assert len(protected.publication.counts) > 15


def test_the_attacks_would_have_found_the_eleven(survey: Population) -> None:
    """The same answers as exact tables of four columns, and as exact tables of two."""
    columns = ("region", "authority_type", "party", "gender")
    slim = survey.records[["role_group", *columns]]
    population = Population(survey.study_id, slim, survey.minutes, {}, frozenset())
    assert (slim.groupby(list(columns)).size() == 1).sum() >= 11
    wide = Attacker(Evidence(told(population, [Table(columns)]), merges=MERGES), RULES)
    assert singling_out(wide).found >= 11
    pairs = [Table((name, "role_group")) for name in columns]
    exact = Attacker(Evidence(told(population, pairs), merges=MERGES), RULES)
    assert reconstruction(exact).outcome == "found"


def test_suppressing_small_cells_of_the_survey_would_not_have_hidden_them(survey: Population) -> None:
    columns = ["region", "authority_type", "party", "gender"]
    population = Population(survey.study_id, survey.records[columns], survey.minutes, {}, frozenset())
    tables = [Table((a, b)) for place, a in enumerate(columns) for b in columns[place + 1 :]]
    truth = count_cells(population, tables)
    hidden = [cell for cell, count in truth.items() if 1 <= count <= 4]
    proven = prove(suppressed(truth, tables, Range(1, 4)), Deadline())
    assert len(hidden) > 15
    assert sum(proven[cell].is_exact for cell in hidden) / len(hidden) > 0.3


def test_the_names_of_all_councillors_are_in_no_file_of_a_release_from_real_sources(real_home: Home) -> None:
    """What the search finds there is what a table holds on purpose: nobody's name, number or address."""
    lists = sorted((REAL / "councillors" / "open_council_data").glob("councillors_20*.csv"))
    names = {name for path in lists for name in pd.read_csv(path)["Councillor Name"].dropna()}
    assert len(names) > 15_000
    (release,) = Path(real_home.root / "public" / "v").iterdir()
    kinds = {finding.kind for finding in scan_folder(release, names)}
    assert kinds <= {"social address", "handle", "e-mail address"}
