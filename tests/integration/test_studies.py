"""Studies from their folder to what leaves the gate, the commands about them, and what the report may say."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner, Result

from pipelines.assets import PROJECT
from pipelines.cli import main
from pipelines.interview_assets import disclosure_rules, vocabulary
from pipelines.interviews.folder import read_study
from pipelines.interviews.study import InterviewError, StudyFiles
from pipelines.privacy.rules import DisclosureError
from pipelines.restricted import RestrictedError, RestrictedStore
from pipelines.sample.interviews import STUDY, interview_files
from pipelines.settings import StudyPlace, World
from pipelines.sources.http import HttpPolicy
from pipelines.studies import REPORT_NAME, Gate, Surroundings, fetch_description, protect_studies, take_in
from tests.conftest import REAL, ROOT
from tests.integration.test_interview_oai import Repository, error, record
from tests.pipeline.test_interviews import small_study

VOCABULARY = vocabulary()
NOBODY = Surroundings({}, {}, {})
QUIET = {"nothing found", "not applicable"}
SURVEY = ROOT / "tests" / "fixtures" / "studies" / "mysociety-survey"


def call(*arguments: str | Path) -> Result:
    """Run a command in this process; whatever it does, it must not end in a traceback."""
    result = CliRunner().invoke(main, ["study", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


def written(folder: Path, files: Mapping[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The sample's study as its researcher would hand it in, with a workbook."""
    return written(tmp_path / "studies" / "handed", interview_files("xlsx"))


@pytest.fixture
def home(tmp_path: Path, folder: Path) -> Path:
    """A home whose store holds the study."""
    with RestrictedStore(tmp_path / "home" / "restricted", PROJECT.contracts) as store:
        (intake,) = take_in([StudyPlace("path", str(folder))], "sample", VOCABULARY, store)
    assert intake.state == "stored"
    return tmp_path / "home"


def gate(store: RestrictedStore, around: Surroundings = NOBODY, world: World = "sample") -> Gate:
    return protect_studies(store, VOCABULARY, disclosure_rules(), around, world, {})


# --- taking in ----------------------------------------------------------------------------------------------


def test_a_made_up_study_is_refused_beside_real_data(folder: Path, tmp_path: Path) -> None:
    with RestrictedStore(tmp_path / "restricted", PROJECT.contracts) as store:
        (intake,) = take_in([StudyPlace("inbox", str(folder.parent))], "live", VOCABULARY, store)
        assert store.studies() == ()
    assert intake.sentence() == (
        "study 1: refused: the study is synthetic and this publication is real: they are never mixed"
    )
    assert "never mixed" in (folder / REPORT_NAME).read_text(encoding="utf-8")


def test_a_study_that_is_spoilt_stays_as_it_was_and_its_keeper_is_told(home: Path, folder: Path) -> None:
    themes = (folder / "themes.csv").read_text(encoding="utf-8")
    (folder / "themes.csv").write_text(themes.replace(",abuse,", ",Zzcanarytheme,"), encoding="utf-8")
    with RestrictedStore(home / "restricted", PROJECT.contracts) as store:
        before = store.population(STUDY, ()).records
        (intake,) = take_in([StudyPlace("path", str(folder))], "sample", VOCABULARY, store)
        assert store.population(STUDY, ()).records.equals(before)
    assert (intake.state, intake.study_id) == ("refused", STUDY)
    assert "zzcanary" not in repr(intake).lower() + intake.sentence().lower()
    report = folder / REPORT_NAME
    assert "Zzcanarytheme" in report.read_text(encoding="utf-8")
    assert stat.S_IMODE(report.stat().st_mode) == 0o600


def test_a_report_that_cannot_be_written_stops_nothing(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / REPORT_NAME).mkdir()  # whoever runs the tests may write everywhere, but no file over a folder
    with RestrictedStore(tmp_path / "restricted", PROJECT.contracts) as store:
        intakes = take_in([StudyPlace("path", str(folder))], "sample", VOCABULARY, store)
    # A subfolder is refused as well: a folder holds the files of one study.
    assert [intake.state for intake in intakes] == ["refused"]
    assert "study 1: the report cannot be written beside it (IsADirectoryError)" in caplog.text


# --- the gate -----------------------------------------------------------------------------------------------


def test_without_its_ledger_a_study_that_was_told_is_not_rounded_again(home: Path) -> None:
    around = replace(NOBODY, published=frozenset({STUDY}))
    with RestrictedStore(home / "restricted", PROJECT.contracts) as store:
        with pytest.raises(DisclosureError, match=f"D3: study {STUDY} was published before .* from a copy"):
            gate(store, around)
        assert store.ledger(STUDY) == ()
        told = gate(store)
        assert len(store.ledger(STUDY)) == 1
        again = gate(store, around)
        assert len(store.ledger(STUDY)) == 1
    assert again.rows == told.rows
    assert again.report["studies"][0]["is_unchanged"]


def test_a_real_study_is_never_rounded_with_the_public_secret(home: Path, tmp_path: Path) -> None:
    files = dict(interview_files())
    files["study.yml"] = files["study.yml"].replace(b"synthetic: true", b"synthetic: false")
    with RestrictedStore(tmp_path / "other", PROJECT.contracts) as store:
        store.put(read_study(StudyFiles(files), VOCABULARY))
        with pytest.raises(RestrictedError, match="is not synthetic: it is never rounded with a public secret"):
            gate(store, world="sample")


def variants() -> Iterator[tuple[str, StudyFiles]]:
    """The study, and the same with one mention of a theme more or less in each."""
    from pipelines.sample import interviews as sample

    files = dict(interview_files())
    yield "as it is", StudyFiles(files)
    for role, theme in (("councillor", "abuse"), ("officer", "always_on"), ("councillor", "values_dialogue")):
        quotas = {name: dict(by_role) for name, by_role in sample.THEME_QUOTAS.items()}
        quotas[theme][role] -= 1
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sample, "THEME_QUOTAS", quotas)
            sample.interviews.cache_clear()
            sample.interview_files.cache_clear()
            yield f"{theme} of {role}", StudyFiles(dict(interview_files()))
        sample.interviews.cache_clear()
        sample.interview_files.cache_clear()


def test_the_report_says_nothing_of_the_truth_behind_what_is_told(tmp_path: Path) -> None:
    """Studies that differ in one interview and of which the same is told have the same report to the byte."""
    told: dict[str, tuple[str, str]] = {}
    for number, (name, files) in enumerate(variants()):
        with RestrictedStore(tmp_path / str(number), PROJECT.contracts) as store:
            store.put(read_study(files, VOCABULARY))
            found = gate(store)
        told[name] = (json.dumps(found.rows, default=str), json.dumps(found.report))
    rows, report = told.pop("as it is")
    alike = [other for other_rows, other in told.values() if other_rows == rows]
    assert alike, "no variant is told the same: choose others"
    assert set(alike) == {report}


def one_theme(mentioned: int, interviews: int = 30) -> StudyFiles:
    """A study of which one theme is told, with a number that stands for less than ten or for ten and more."""
    files = small_study("small-study", rows=interviews)
    rows = [f"S{n},{'fm'[n % 2]},{'Yes' if n < mentioned else 'No'}" for n in range(interviews)]
    declared = files["study.yml"].replace(b"Yes: abuse", b"Yes: always_on")
    return StudyFiles({"study.yml": declared, "list.csv": "\n".join(["Interview,Gender,Abuse", *rows]).encode()})


def test_the_report_does_not_say_whether_a_count_is_below_ten(tmp_path: Path) -> None:
    found = []
    for mentioned in (9, 10):
        with RestrictedStore(tmp_path / str(mentioned), PROJECT.contracts) as store:
            store.put(read_study(one_theme(mentioned), VOCABULARY))
            found.append(gate(store))
    assert found[0].rows == found[1].rows
    assert found[0].report == found[1].report


# --- a real survey ------------------------------------------------------------------------------------------


@pytest.mark.real
def test_a_real_survey_becomes_tables_in_which_no_attack_finds_anything(tmp_path: Path) -> None:
    survey = REAL / "interviews" / "mysociety_survey" / "processed_survey.csv"
    files = {path.name: path.read_bytes() for path in SURVEY.iterdir()} | {survey.name: survey.read_bytes()}
    place = StudyPlace("path", str(written(tmp_path / "survey", files)))
    with RestrictedStore(tmp_path / "restricted", PROJECT.contracts) as store:
        (intake,) = take_in([place], "live", VOCABULARY, store)
        assert (intake.state, intake.interviews) == ("stored", 122)
        truth = store.population("mysociety-survey", VOCABULARY.sensitive).records
        found = gate(store, world="live")
    sizes = truth.groupby(["region", "authority_type", "party", "gender"]).size()
    assert (sizes == 1).sum() == 11

    (study,) = found.report["studies"]
    assert found.report["blocked_by"] == []
    assert {one["attack"]: one["outcome"] for one in study["attacks"] if one["outcome"] not in QUIET} == {}
    assert len(study["attacks"]) == 12
    counts = {(row["attribute"], row["category"]): row["interviews"] for row in found.rows["interview_count"]}
    true = {
        (name, category): number
        for name, level in study["levels_of_merging"].items()
        for category, number in truth[name].map(VOCABULARY.levels(name)[level]).value_counts().items()
    } | {("all", "all"): 122}
    assert counts.keys() <= true.keys()
    assert {name for name, _ in counts} >= {"all", "gender", "party"}
    assert all(number % 5 == 0 and abs(number - true[cell]) <= 4 for cell, number in counts.items())
    themes = {row["theme_id"]: row for row in found.rows["interview_theme"]}
    assert len(themes) == 4
    for name, row in themes.items():
        truly = int((truth[f"theme:{name}"] == "mentioned").sum())
        assert abs(row["interviews"] - truly) <= 4, name
        assert row["base"] == counts["all", "all"]
        assert row["share_percent"] == int(100 * row["interviews"] / row["base"] + 0.5)


# --- the commands -------------------------------------------------------------------------------------------


def test_check_says_what_would_be_read_and_stores_nothing(folder: Path) -> None:
    before = sorted(path.name for path in folder.iterdir())
    result = call("check", folder)
    assert result.exit_code == 0
    assert f"Study {STUDY} was read with remarks." in result.output
    assert "52 interviews with 52 participants, 1 withdrawn, 15 codes, 10 themes." in result.output
    assert sorted(path.name for path in folder.iterdir()) == before


def test_check_ends_with_1_for_what_would_be_refused(folder: Path, tmp_path: Path) -> None:
    text = (folder / "study.yml").read_text(encoding="utf-8")
    spoilt = text.replace("liberal_democrat", "liberal_demokrat")
    assert spoilt != text
    (folder / "study.yml").write_text(spoilt, encoding="utf-8")
    result = call("check", folder)
    assert result.exit_code == 1
    assert "error: the study would be refused" in result.output
    assert "liberal_demokrat" in result.output
    (folder / "study.yml").unlink()
    result = call("check", folder)
    assert result.exit_code == 1
    assert "the folder has no study.yml: add one that names the data list and its columns" in result.output
    result = call("check", tmp_path / "nowhere")
    assert result.exit_code == 2


def test_check_reads_the_folder_as_it_stands_after_a_run(folder: Path, home: Path) -> None:
    """The report that a run left there is no file of the study."""
    assert (folder / REPORT_NAME).exists()
    result = call("check", folder)
    assert result.exit_code == 0
    assert "were not read" not in result.output


def test_list_names_studies_and_no_number_of_interviews(home: Path) -> None:
    result = call("list", "--home", home)
    assert (result.exit_code, result.output) == (0, f"{STUDY}  held  2023–2024, synthetic\n")


def test_withdraw_erases_a_study_and_keeps_that_there_was_one(home: Path) -> None:
    result = call("withdraw", STUDY, "--home", home)
    assert (result.exit_code, result.output) == (0, f"{STUDY} is erased from the store; publish to say so\n")
    assert call("list", "--home", home).output == f"{STUDY}  withdrawn  2023–2024, synthetic\n"
    with RestrictedStore(home / "restricted", PROJECT.contracts) as store:
        assert store.ids() == frozenset()
        (row,) = gate(store).rows["interview_study"]
    assert (row["state"], row["interviews"], row["withheld_reason"]) == (
        "withdrawn",
        None,
        "the study was withdrawn",
    )


def test_what_cannot_be_listed_or_withdrawn_is_said_in_a_sentence(home: Path, tmp_path: Path) -> None:
    unknown = call("withdraw", "another-study", "--home", home)
    assert (unknown.exit_code, unknown.output) == (1, "error: the store knows no study another-study\n")
    for arguments in (["list"], ["withdraw", STUDY]):
        result = call(*arguments, "--home", tmp_path / "empty")
        assert result.exit_code == 1
        assert "error: this home has no restricted store: no study was ever taken in" in result.output
        assert not (tmp_path / "empty").exists()
    with RestrictedStore(home / "restricted", PROJECT.contracts):
        busy = call("list", "--home", home)
    assert busy.exit_code == 1
    assert busy.output == "error: another run holds the restricted store; wait for it to end\n"


# --- descriptions from an archive ---------------------------------------------------------------------------


def one_record(arguments: Mapping[str, str]) -> str:
    if arguments.get("identifier") == "deleted":
        return f"<GetRecord>{record(2, is_deleted=True)}</GetRecord>"
    if arguments.get("identifier") != "oai:example.org:1":
        return error("idDoesNotExist")
    return f"<GetRecord>{record(1)}</GetRecord>"


def allowing(address: str) -> HttpPolicy:
    return HttpPolicy(
        contact="tests@example.org",
        per_host_per_second=1_000,
        attempts=1,
        private_hosts=frozenset({urlsplit(address).netloc}),
    )


def test_a_description_is_fetched_and_read_again_with_the_study(folder: Path) -> None:
    with Repository(one_record).serving() as archive:
        out = folder / "description.xml"
        address = f"{archive.address}?context=interviews"
        described = fetch_description(address, "oai:example.org:1", "oai_ddi25", out, allowing(archive.address))
    assert archive.asked == [
        {
            "context": "interviews",
            "verb": "GetRecord",
            "identifier": "oai:example.org:1",
            "metadataPrefix": "oai_ddi25",
        }
    ]
    assert described.title == "Study 1"
    declared = (folder / "study.yml").read_text(encoding="utf-8")
    lines = [line for line in declared.splitlines() if not line.startswith(("title:", "years:", "licence:"))]
    said = "description: {file: description.xml, format: oai}"
    (folder / "study.yml").write_text("\n".join([*lines, said]), encoding="utf-8")
    result = call("check", folder)
    # The record is of 2015 and 2016, the interviews of 2023: it was read.
    assert result.exit_code == 1
    assert "2015" in result.output


@pytest.mark.parametrize(
    ("identifier", "said"),
    [("nobody", "the repository has no record by this identifier"), ("deleted", None)],
)
def test_what_describes_no_study_is_not_saved(tmp_path: Path, identifier: str, said: str | None) -> None:
    out = tmp_path / "description.xml"
    with Repository(one_record).serving() as archive:
        policy = allowing(archive.address)
        if said is None:
            assert fetch_description(archive.address, identifier, "oai_ddi25", out, policy).is_deleted
        else:
            with pytest.raises(InterviewError, match=said):
                fetch_description(archive.address, identifier, "oai_ddi25", out, policy)
    assert archive.asked
    assert not out.exists()


def test_describe_reaches_no_private_address_and_wants_a_contact(tmp_path: Path) -> None:
    out = tmp_path / "description.xml"
    with Repository(one_record).serving() as archive:
        arguments = ("describe", archive.address, "--identifier", "oai:example.org:1", "--out", out)
        refused = call(*arguments, "--contact", "tests@example.org")
        nobody = call(*arguments)
    assert refused.exit_code == 1
    assert refused.output.startswith("error: the archive gave no answer: ")
    assert "private" in refused.output
    assert nobody.exit_code == 2
    assert "name whom the archive's operator may write to: --contact or ENGAGEMENT_CONTACT" in nobody.output
    assert archive.asked == []
    assert not out.exists()


def test_describe_says_where_it_put_the_description(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the one thing replaced that keeps the command from this machine: which private hosts may be asked."""
    with Repository(one_record).serving() as archive:
        policy = replace(HttpPolicy("tests@example.org"), private_hosts=allowing(archive.address).private_hosts)
        monkeypatch.setattr("pipelines.sources.http.HttpPolicy", lambda **_: policy)
        out = tmp_path / "description.xml"
        arguments = ("--out", out, "--contact", "tests@example.org")
        good = call("describe", archive.address, "--identifier", "oai:example.org:1", *arguments)
        out.unlink()
        gone = call("describe", archive.address, "--identifier", "deleted", *arguments)
    assert good.exit_code == 0
    assert "name it in study.yml: description: {file: description.xml, format: oai}" in good.output
    assert (gone.exit_code, gone.output) == (1, "error: the archive has withdrawn this record\n")
    assert not out.exists()
