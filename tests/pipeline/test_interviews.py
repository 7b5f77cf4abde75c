"""Interview studies through the main job: from a folder to a release, and every way in which one is stopped.

What is published is held against what the sample world knows to be true, and `findings` against the other datasets
of its release, each computed here once more and in another way.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from pipelines.assets import PROJECT, Workplace
from pipelines.cli import main
from pipelines.interview_assets import surroundings, vocabulary
from pipelines.release.manifest import read_manifest, read_pointer
from pipelines.release.verify import verify_release
from pipelines.restricted import RestrictedStore
from pipelines.run import RunOutcome
from pipelines.sample.interviews import STUDY, Interview, interviews, truth
from pipelines.settings import Home, project_folder
from pipelines.studies import REPORT_NAME
from tests.canaries import sightings
from tests.conftest import publish

INTERVIEW_TABLES = ("interview_themes", "interview_coverage")
ATTACKS_ON_A_STUDY = {"A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8", "A10", "A12", "A13", "A14"}
ATTACKS_ON_FILES = {"A9", "A10", "A15"}
SECOND = "a-second-study"
KEY = ["study_id", "role_group", "attribute", "category"]


def released(home: Home) -> Path:
    pointer = read_pointer(home.public)
    assert pointer is not None
    return home.public / pointer.path


def table(home: Home, name: str) -> pd.DataFrame:
    return pd.read_parquet(released(home) / f"{name}.parquet")


def report_of(home: Home, study: str = STUDY) -> dict[str, Any]:
    """What the report of the newest release says of a study."""
    report = json.loads((released(home) / "disclosure_report.json").read_bytes())
    return next(one for one in report["studies"] if one["study_id"] == study)


# --- what is true -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Counted:
    """True counts by role group, of categories as they are merged in a release, and of themes."""

    categories: Mapping[tuple[str, str, str], int]
    themes: Mapping[tuple[str, str], int]
    minutes: Mapping[str, list[int]]

    @classmethod
    def of(cls, completed: Iterable[Interview], levels: Mapping[str, int]) -> Counted:
        words = vocabulary()
        categories: Counter[tuple[str, str, str]] = Counter()
        themes: Counter[tuple[str, str]] = Counter()
        minutes: dict[str, list[int]] = {"all": [], "councillor": [], "officer": []}
        for interview in completed:
            for group in ("all", interview.role):
                categories[group, "all", "all"] += 1
                for name, level in levels.items():
                    categories[group, name, words.levels(name)[level][interview.attributes[name]]] += 1
                for theme in interview.passages:
                    themes[group, theme] += 1
                if interview.minutes is not None:
                    minutes[group].append(interview.minutes)
        return cls(categories, themes, minutes)


def completed(*, without: Iterable[str] = ()) -> list[Interview]:
    left_out = {*without}
    return [one for one in interviews() if not one.is_withdrawn and one.label not in left_out]


def assert_near(home: Home, true: Counted) -> int:
    """Every count of the sample's study lies within 4 of the truth; returns how many are not the truth itself."""
    coverage, themes = (table(home, name).query("study_id == @STUDY") for name in INTERVIEW_TABLES[::-1])
    told = [
        (row.interviews, true.categories[row.role_group, row.attribute, row.category])
        for row in coverage.itertuples()
    ]
    for row in themes[themes["interviews"].notna()].itertuples():
        told.append((row.interviews, true.themes[row.role_group, row.theme_id]))
        told.append((row.base, true.categories[row.role_group, "all", "all"]))
    assert [(count, truly) for count, truly in told if abs(count - truly) > 4 or count % 5] == []
    return sum(count != truly for count, truly in told)


def assert_adds_up(home: Home) -> None:
    """Categories to their role group, role groups to everybody, and the bases of themes to the coverage."""
    coverage = table(home, "interview_coverage").query("study_id == @STUDY")
    counts = coverage.set_index(["role_group", "attribute", "category"])["interviews"].to_dict()
    wholes = {group: number for (group, attribute, _), number in counts.items() if attribute == "all"}
    sums = coverage.groupby(["role_group", "attribute"])["interviews"].sum()
    assert {(group, attribute): wholes[group] for group, attribute in sums.index} == sums.to_dict()
    assert wholes["all"] == wholes["councillor"] + wholes["officer"]
    for (group, attribute, category), number in counts.items():
        if group == "all" and attribute != "all":
            parts = [counts[role, attribute, category] for role in ("councillor", "officer")]
            assert number == sum(parts), (attribute, category)
    themes = table(home, "interview_themes").query("study_id == @STUDY")
    themes = themes[themes["interviews"].notna()]
    assert themes["base"].tolist() == [wholes[group] for group in themes["role_group"]]
    assert (themes["interviews"] <= themes["base"]).all()
    mentions = themes.pivot_table(index="theme_id", columns="role_group", values="interviews")
    assert (mentions["all"] == mentions["councillor"] + mentions["officer"]).all()


# --- the sample's release -----------------------------------------------------------------------------------


def test_every_count_lies_within_four_of_the_truth_and_most_are_not_the_truth(sample_home: Home) -> None:
    levels = report_of(sample_home)["levels_of_merging"]
    true = Counted.of(completed(), levels)
    assert true.categories["all", "all", "all"] == truth().interviews == 52
    assert {(role, theme): n for (role, theme), n in true.themes.items() if role != "all"}.items() >= (
        truth().mentions.items()
    )
    assert assert_near(sample_home, true) >= 20


def test_counts_add_up_and_shares_follow_from_what_is_told(sample_home: Home) -> None:
    assert_adds_up(sample_home)
    themes = table(sample_home, "interview_themes")
    assert len(themes) == 30
    assert themes["withheld_reason"].isna().all()
    halves_up = [int(100 * count / base + 0.5) for count, base in zip(themes.interviews, themes.base, strict=True)]
    assert themes["share_percent"].tolist() == halves_up
    true = truth()
    exact = [
        round(100 * true.mentions[role, theme] / true.roles[role])
        for role, theme in zip(themes.role_group, themes.theme_id, strict=True)
        if role != "all"
    ]
    assert themes.loc[themes.role_group != "all", "share_percent"].tolist() != exact


def test_medians_are_those_of_whole_role_groups_to_five_minutes(sample_home: Home) -> None:
    coverage = table(sample_home, "interview_coverage")
    told = coverage[coverage["median_minutes"].notna()]
    assert sorted(told["role_group"]) == ["all", "councillor", "officer"]
    assert set(told["attribute"]) == {"all"}
    minutes = Counted.of(completed(), {}).minutes
    for row in told.itertuples():
        assert row.median_minutes % 5 == 0
        assert abs(row.median_minutes - pd.Series(minutes[row.role_group]).median()) <= 5, row.role_group


def test_nothing_is_told_of_officers_but_their_kind_of_council(sample_home: Home) -> None:
    coverage = table(sample_home, "interview_coverage")
    officers = coverage[coverage["role_group"] == "officer"]
    assert set(officers["attribute"]) == {"all", "authority_type"}
    assert officers.query("attribute == 'authority_type'")["category"].nunique() == 2


def test_the_report_names_every_attack_and_none_found_anything(sample_home: Home) -> None:
    report = json.loads((released(sample_home) / "disclosure_report.json").read_bytes())
    (study,) = report["studies"]
    assert {one["attack"] for one in study["attacks"]} == ATTACKS_ON_A_STUDY
    assert {one["attack"] for one in report["files"]} == ATTACKS_ON_FILES
    everything = [*study["attacks"], *report["files"]]
    assert {one["outcome"] for one in everything} <= {"nothing found", "not applicable"}
    assert all(one["reason"] for one in everything if one["outcome"] == "not applicable")
    assert all(one["tried"] > 0 for one in everything if one["outcome"] == "nothing found")
    assert report["blocked_by"] == []
    assert len(report["rules"]["in_force"]) == 13
    assert study["release"] == 1
    assert {"seniority of councillor", "theme:abuse by role_group"} <= set(study["tables"])


def test_a_made_up_study_says_so_in_every_row(sample_home: Home) -> None:
    for name in INTERVIEW_TABLES:
        assert table(sample_home, name)["is_synthetic"].eq(True).all(), name
    assert table(sample_home, "interview_coverage")["study_title"].str.contains("synthetic").all()
    findings = table(sample_home, "findings")
    is_from_interviews = findings["evidence"] != "accounts"
    assert findings.loc[is_from_interviews, "is_synthetic"].eq(True).all()
    assert findings.loc[is_from_interviews, "evidence"].str.contains("synthetic").all()
    assert findings.loc[~is_from_interviews, "is_synthetic"].isna().all()
    assert is_from_interviews.sum() == 27


# --- findings -----------------------------------------------------------------------------------------------

CLAIMS_OF_THEMES = {
    "as_you": ["councillors_differ_from_officers"],
    "blurred_boundary": ["councillors_differ_from_officers"],
    "controlled_by_officers": ["councillors_differ_from_officers"],
    "does_not_use_it": ["no_middle_ground", "some_do_not_use_it"],
    "always_on": ["always_on"],
    "quicker_than_a_leaflet": ["quicker_than_a_leaflet"],
    "abuse": ["abuse_and_impatience"],
    "impatience": ["abuse_and_impatience"],
}
Row = tuple[str, str, str, str, str, str]  # claim, measure, evidence, kind of area, area, group
Figures = tuple[float | None, float | None, float | None, float | None]  # value, lower, upper limit, base


def expected_of_interviews(themes: pd.DataFrame) -> dict[Row, Figures]:
    found: dict[Row, Figures] = {}
    for row in themes.itertuples():
        for claim in CLAIMS_OF_THEMES.get(row.theme_id, []):
            key = (claim, f"mentions: {row.theme}", row.study_id, "study", "all of the study", row.role_group)
            found[key] = (row.interviews / row.base, None, None, row.base)
    return found


def in_england(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[(frame["area_kind"] == "region") | (frame["area"] == "England")]


def expected_of_activity(distribution: pd.DataFrame) -> dict[Row, Figures]:
    """The bands from their numbers of accounts; what has no second source in the release from its own column."""
    found: dict[Row, Figures] = {}
    for (kind, area, owner), bands in in_england(distribution).groupby(["area_kind", "area", "owner_kind"]):
        place = ("accounts", kind, area, owner)
        first, by_band = bands.iloc[0], bands.set_index("band")
        hours = first["out_of_hours_share_by_account"]
        for claim in ("always_on", "councillors_differ_from_officers"):
            found[claim, "posts outside office hours", *place] = (hours, None, None, first["accounts"])
        if owner == "council":
            continue
        shares = by_band["band_accounts"] / by_band["band_accounts"].sum()
        told = [("no_middle_ground", band) for band in ("zero", "middle", "heavy")]
        for claim, band in [*told, ("some_do_not_use_it", "zero")]:
            limits = (by_band.loc[band, "share_low"], by_band.loc[band, "share_high"])
            found[claim, f"accounts in the {band} band", *place] = (shares[band], *limits, first["accounts"])
        for measure, column in (("Gini of posts", "gini"), ("agreement A", "agreement")):
            figures = (first[column], first[f"{column}_low"], first[f"{column}_high"], first["accounts"])
            found["no_middle_ground", measure, *place] = figures
        dip = (first["dip_p_value"], None, None, first["accounts"])
        found["no_middle_ground", "p value of the dip", *place] = dip
    return found


def expected_of_replies(latency: pd.DataFrame) -> dict[Row, Figures]:
    found: dict[Row, Figures] = {}
    for row in in_england(latency).itertuples():
        place = ("accounts", row.area_kind, row.area, "council")
        median = (row.median_hours, row.median_hours_low, row.median_hours_high, row.replies)
        found["quicker_than_a_leaflet", "median hours to an answer", *place] = median
        answered = (row.answered / row.replies, None, None, row.replies)
        found["abuse_and_impatience", "replies that were answered", *place] = answered
    return found


def test_every_finding_is_what_the_datasets_that_it_names_say(sample_home: Home) -> None:
    expected = expected_of_interviews(table(sample_home, "interview_themes"))
    expected |= expected_of_activity(table(sample_home, "activity_distribution"))
    expected |= expected_of_replies(table(sample_home, "reply_latency"))
    findings = table(sample_home, "findings")
    keys = findings[["claim_id", "measure", "evidence", "area_kind", "area", "subject_group"]]
    told = dict(
        zip(
            keys.itertuples(index=False, name=None),
            findings[["value", "value_low", "value_high", "base"]].itertuples(index=False, name=None),
            strict=True,
        )
    )
    assert told.keys() == expected.keys()
    for key, figures in told.items():
        # Shares of interviews are whole per cent, those of bands have four digits.
        tolerance = 0.005 + 1e-9 if key[2] != "accounts" else 0.00005 + 1e-9
        for name, one, other in zip(("value", "low", "high", "base"), figures, expected[key], strict=True):
            assert pd.isna(one) == pd.isna(other), (key, name)
            assert pd.isna(one) or abs(one - other) <= tolerance, (key, name)
    shown = findings[findings["value"].notna()].groupby("claim_id")["evidence"].unique()
    assert {claim for claim, kinds in shown.items() if {STUDY} & {*kinds}} == {*findings["claim_id"]}
    assert findings[(findings["evidence"] == "accounts") & findings["value"].notna()]["measure"].nunique() >= 7


def test_posts_outside_office_hours_follow_from_the_hours_of_the_week(sample_home: Home) -> None:
    findings, hours = table(sample_home, "findings"), table(sample_home, "hourly_profile")
    day, hour = hours["hour_of_week"] // 24, hours["hour_of_week"] % 24
    hours = hours[(day >= 5) | (hour < 9) | (hour >= 17)]
    summed = hours.groupby(["area_kind", "area", "owner_kind"])["share_by_account"].agg(
        lambda shares: shares.sum(skipna=False)
    )
    rows = findings[(findings["measure"] == "posts outside office hours") & findings["value"].notna()]
    assert len(rows) > 10
    for row in rows.itertuples():
        # 123 hours, each rounded to a thousandth or finer.
        assert abs(row.value - summed[row.area_kind, row.area, row.subject_group]) < 123 * 0.0005
        assert abs(row.value - summed[row.area_kind, row.area, row.subject_group]) < 0.02


def test_a_finding_has_a_value_or_a_reason_and_an_interval_or_a_reason(sample_home: Home) -> None:
    findings = table(sample_home, "findings")
    is_given = findings["value"].notna()
    assert (is_given != findings["withheld_reason"].notna()).all()
    assert not is_given.all()
    has_interval = findings["value_low"].notna() & findings["value_high"].notna()
    says_why = findings["no_interval_reason"].notna()
    assert (has_interval | says_why | ~is_given).all()
    assert not (says_why & ~is_given).any()
    # Rule D12 is about people: an official account may stand alone.
    is_of_people = is_given & (findings["subject_group"] != "council")
    assert (findings.loc[is_of_people, "base"] >= 10).all()
    for name in ("method", "cannot_say"):
        assert findings[name].str.len().min() > 20, name
    datasets = {dataset.name for dataset in read_manifest(released(sample_home)).datasets}
    assert {name for said in findings["datasets"] for name in said.split(", ")} <= datasets


def test_interviews_share_no_column_by_which_they_could_be_joined_with_accounts(sample_home: Home) -> None:
    own = {name for dataset in INTERVIEW_TABLES for name in table(sample_home, dataset).columns}
    others = {
        dataset.name: {*table(sample_home, dataset.name).columns}
        for dataset in read_manifest(released(sample_home)).datasets
        if dataset.name not in (*INTERVIEW_TABLES, "findings")
    }
    assert len(others) >= 8
    assert {name for columns in others.values() for name in columns & own} == {"withheld_reason"}
    findings = table(sample_home, "findings")
    for row in findings.itertuples():
        assert (row.evidence != "accounts") == (row.area_kind == "study") == (row.area == "all of the study")
        assert (row.evidence == "accounts") == (row.datasets != "interview_themes")
    linked = next(one for one in report_of(sample_home)["attacks"] if one["attack"] == "A8")
    assert linked["measures"] == {"common_keys": 0}


# --- an inbox -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Handed:
    """A world with an inbox, and the home that was published from it."""

    folder: Path
    outcome: RunOutcome

    @property
    def home(self) -> Home:
        return Home(self.folder / "home")

    @property
    def inbox(self) -> Path:
        return self.folder / "world" / "interviews"

    def copied(self, to: Path) -> Handed:
        return Handed(Path(shutil.copytree(self.folder, to)), self.outcome)

    def publish(self) -> Handed:
        return Handed(self.folder, publish(self.home.root, self.folder / "world" / "sources.yml"))

    def study_report(self, study: str = STUDY) -> str:
        return (self.inbox / study / REPORT_NAME).read_text(encoding="utf-8")


def written_world(folder: Path) -> Path:
    """The sample world as files, its study in an inbox; without platforms, which take most of a run's time."""
    assert CliRunner().invoke(main, ["sample", str(folder)]).exit_code == 0
    sources = folder / "sources.yml"
    told = yaml.safe_load(sources.read_text(encoding="utf-8"))
    del told["platforms"]
    assert told["interviews"] == [{"inbox": "interviews"}]
    sources.write_text(yaml.safe_dump(told), encoding="utf-8")
    return folder


def small_study(study_id: str, *, synthetic: bool = True, rows: int = 24, **changes: str) -> dict[str, bytes]:
    """A study of councillors with one attribute and one theme; `changes` put other text into its first row."""
    declared = {
        "study_id": study_id,
        "title": f"A small study ({'synthetic' if synthetic else 'real'})",
        "synthetic": synthetic,
        "years": 2024,
        "sampling": "purposive",
        "lawful_basis": "not_stated",
        "data_list": {
            "file": "list.csv",
            "format": "csv",
            "label": "Interview",
            "attributes": {
                "role_group": {"constant": "councillor"},
                "gender": {"column": "Gender", "values": {"f": "female", "m": "male"}},
            },
            "themes": {
                "reviewed_on": "2025-01-01",
                "columns": [{"column": "Abuse", "values": {"Yes": "abuse", "No": "not_mentioned"}}],
            },
        },
    }
    lines = [
        {"Interview": f"S{n:02}", "Gender": "fm"[n % 2], "Abuse": "Yes" if n % 3 else "No"} for n in range(rows)
    ]
    lines[0] |= changes
    text = "\n".join(",".join(line.get(name, "") for name in lines[0]) for line in lines)
    return {
        "study.yml": yaml.safe_dump(declared, sort_keys=False).encode(),
        "list.csv": f"{','.join(lines[0])}\n{text}\n".encode(),
    }


def hand_in(inbox: Path, name: str, files: Mapping[str, bytes]) -> Path:
    folder = inbox / name
    folder.mkdir(parents=True)
    for file, content in files.items():
        (folder / file).write_bytes(content)
    return folder


def edit_list(inbox: Path, change: Callable[[list[dict[str, str]]], None]) -> None:
    """Change the rows of the sample study's data list."""
    path = inbox / STUDY / "data_list.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    change(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Handed:
    """Two studies that were handed in and published."""
    folder = tmp_path_factory.mktemp("inbox")
    world = written_world(folder / "world")
    hand_in(world / "interviews", SECOND, small_study(SECOND))
    handed = Handed(folder, publish(folder / "home", world / "sources.yml"))
    assert handed.outcome.success, handed.outcome.problems
    return handed


OFFICES = ("Cabinet", "Committee chair", "Leader")


def office_holders(number: int) -> list[str]:
    """The first interviews with councillors who hold an office, whose count stands at the edge of its rounding."""
    named = ("cabinet_member", "committee_chair", "leader")
    return [one.label for one in completed() if one.seniority in named][:number]


@pytest.fixture(scope="module")
def second(first: Handed, tmp_path_factory: pytest.TempPathFactory) -> Handed:
    """The same after three withdrew; with their answers still in the folder."""
    handed = first.copied(tmp_path_factory.mktemp("withdrawn") / "copy")
    labels = office_holders(3)

    def withdraw(rows: list[dict[str, str]]) -> None:
        for row in rows:
            if row["Interview"] in labels:
                assert row["Position"] in OFFICES
                row["Status"] = "withdrawn"

    edit_list(handed.inbox, withdraw)
    after = handed.publish()
    assert after.outcome.success, after.outcome.problems
    return after


def test_a_study_goes_from_its_folder_to_a_release(first: Handed, sample_home: Home) -> None:
    assert first.outcome.is_new
    assert verify_release(released(first.home)) == []
    for name in INTERVIEW_TABLES:
        found = table(first.home, name)
        own = found[found["study_id"] == STUDY].reset_index(drop=True)
        assert own.equals(table(sample_home, name)), name
    coverage = table(first.home, "interview_coverage").query("study_id == @SECOND")
    counts = coverage.set_index(["attribute", "category"])["interviews"].to_dict()
    assert {attribute for attribute, category in counts if category != "not_stated"} == {"all", "gender"}
    assert abs(counts["all", "all"] - 24) <= 4
    assert counts["gender", "female"] + counts["gender", "male"] == counts["all", "all"]
    assert {one["outcome"] for one in report_of(first.home, SECOND)["attacks"]} <= {
        "nothing found",
        "not applicable",
    }
    assert "52 interviews with 52 participants, 1 withdrawn" in first.study_report()
    assert (first.inbox / STUDY / REPORT_NAME).stat().st_mode & 0o777 == 0o600
    assert {path.name: path.stat().st_mode & 0o777 for path in first.home.restricted.iterdir()} == {
        "lock": 0o600,
        "restricted.duckdb": 0o600,
    }


def test_a_withdrawal_is_a_second_publication_within_the_rules(first: Handed, second: Handed) -> None:
    assert second.outcome.is_new
    assert verify_release(released(second.home)) == []
    before, after = report_of(first.home), report_of(second.home)
    assert (before["release"], after["release"], after["is_unchanged"]) == (1, 2, False)
    assert {one["outcome"] for one in after["attacks"]} <= {"nothing found", "not applicable"}
    true = Counted.of(completed(without=office_holders(3)), after["levels_of_merging"])
    assert_near(second.home, true)
    assert_adds_up(second.home)
    # What was merged stays merged, and a number changes only where it would be wrong by five or more, or where
    # another one of the same sum did.
    levels = after["levels_of_merging"]
    assert all(levels.get(name, level) >= level for name, level in before["levels_of_merging"].items())
    both = table(first.home, "interview_coverage").merge(
        table(second.home, "interview_coverage"), on=KEY, suffixes=("", "_after")
    )
    moved = both[both["interviews"] != both["interviews_after"]]
    wrong = [
        abs(row.interviews - true.categories[row.role_group, row.attribute, row.category]) > 4
        for row in moved.itertuples()
    ]
    assert any(wrong)
    assert set(moved["attribute"]) == {"seniority"}
    assert set(moved["study_id"]) == {STUDY}
    assert "49 interviews with 49 participants, 4 withdrawn" in second.study_report()


def test_what_a_withdrawn_interview_said_is_no_longer_held(second: Handed) -> None:
    with RestrictedStore(second.home.restricted, PROJECT.contracts) as store:
        population = store.population(STUDY, vocabulary().sensitive)
    assert len(population.records) == 49
    assert population.withdrawn == 4
    with duckdb.connect(str(second.home.restricted / "restricted.duckdb"), read_only=True) as con:
        held = con.execute(
            "select count(*), count(year), count(minutes) from encounter where status = 'withdrawn'"
        ).fetchone()
        others = con.execute(
            "select (select count(*) from participant join encounter using (encounter_id) "
            "where status = 'withdrawn') + (select count(*) from encounter_code join encounter "
            "using (encounter_id) where status = 'withdrawn')"
        ).fetchone()
    assert held == (4, 0, 0)
    assert others == (0,)


CANARY = "Zzcanaryvalue"


@pytest.fixture(scope="module")
def third(second: Handed, tmp_path_factory: pytest.TempPathFactory) -> Handed:
    """One more interview, and three studies that cannot be taken in."""
    handed = second.copied(tmp_path_factory.mktemp("refused") / "copy")

    def add(rows: list[dict[str, str]]) -> None:
        rows.append({**rows[0], "Interview": "INT-99"})

    edit_list(handed.inbox, add)
    hand_in(handed.inbox, "one-column", small_study("one-column", Telephone=CANARY))
    hand_in(handed.inbox, "one-value", small_study("one-value", Gender=CANARY))
    hand_in(handed.inbox, "a-real-one", small_study("a-real-one", synthetic=False))
    return handed.publish()


def test_one_more_interview_tells_nothing_new(second: Handed, third: Handed) -> None:
    assert third.outcome.success, third.outcome.problems
    assert "50 interviews with 50 participants" in third.study_report()
    assert (third.outcome.is_new, third.outcome.version) == (False, second.outcome.version)
    held = json.loads(third.home.disclosure_report.read_bytes())
    (study,) = [one for one in held["studies"] if one["study_id"] == STUDY]
    assert (study["release"], study["is_unchanged"]) == (2, True)
    assert {note["rule"] for note in study["withheld"]} >= {"D10"}


def test_a_study_that_cannot_be_read_is_refused_and_all_else_is_published(
    third: Handed, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    handed = third.publish()  # once more, to see what it says
    assert handed.outcome.success, handed.outcome.problems
    for name, said in {
        "one-column": "column 4",
        "one-value": f"row 2, column gender: '{CANARY}'",
        "a-real-one": "the study is real and this publication is fictional: they are never mixed",
    }.items():
        path = third.inbox / name / REPORT_NAME
        assert said in path.read_text(encoding="utf-8"), name
        assert path.stat().st_mode & 0o777 == 0o600
    shown = capfd.readouterr()
    spoken = "\n".join([caplog.text, shown.out, shown.err, *handed.outcome.problems])
    assert "one-value: refused" in caplog.text
    assert "refused: the study is real and this publication is fictional" in caplog.text
    assert CANARY.lower() not in spoken.lower()
    assert sightings(third.home.root, [CANARY]) == set()
    with RestrictedStore(third.home.restricted, PROJECT.contracts) as store:
        assert {known.description.study_id for known in store.studies()} == {STUDY, SECOND}


def test_a_withdrawn_study_is_said_to_be_withdrawn_and_is_never_told_anew(first: Handed, tmp_path: Path) -> None:
    handed = first.copied(tmp_path / "copy")
    said = CliRunner().invoke(main, ["study", "withdraw", SECOND, "--home", str(handed.home.root)])
    assert said.exit_code == 0
    after = handed.publish()  # the folder is still in the inbox
    assert after.outcome.success, after.outcome.problems
    assert verify_release(released(after.home)) == []
    coverage = table(after.home, "interview_coverage")
    (row,) = coverage[coverage["study_id"] == SECOND].to_dict("records")
    assert row["withheld_reason"] == "the study was withdrawn"
    assert pd.isna(row["interviews"])
    assert not table(after.home, "interview_themes")["study_id"].eq(SECOND).any()
    assert not table(after.home, "findings")["evidence"].eq(SECOND).any()
    own, earlier = (
        table(home, "interview_themes").query("study_id == @STUDY") for home in (after.home, first.home)
    )
    assert own.reset_index(drop=True).equals(earlier.reset_index(drop=True))
    # Its numbers stand in the release before, so without the ledger it must not be rounded a second time.
    with Workplace(home=str(after.home.root)).warehouse() as con:
        assert surroundings(con, after.home.public).published == {STUDY, SECOND}


def test_the_only_study_can_be_withdrawn(first: Handed, tmp_path: Path) -> None:
    handed = first.copied(tmp_path / "copy")
    for name in (STUDY, SECOND):
        said = CliRunner().invoke(main, ["study", "withdraw", name, "--home", str(handed.home.root)])
        assert said.exit_code == 0
        shutil.rmtree(handed.inbox / name)
    after = handed.publish()
    assert after.outcome.success, after.outcome.problems
    assert set(table(after.home, "interview_coverage")["withheld_reason"]) == {"the study was withdrawn"}


# --- what stops a run ---------------------------------------------------------------------------------------


def test_a_loosened_rule_and_a_lost_store_stop_the_run(
    first: Handed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed = first.copied(tmp_path / "copy")
    version = handed.outcome.version
    contracts = Path(shutil.copytree(project_folder("data_contracts"), tmp_path / "data_contracts"))
    rules = contracts / "disclosure.yml"
    text, changed = re.subn(r"rounding_base: 5\b", "rounding_base: 3", rules.read_text(encoding="utf-8"))
    assert changed == 1
    rules.write_text(text, encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.interview_assets.project_folder", lambda name: tmp_path / name)
        loosened = handed.publish().outcome
    assert not loosened.success
    assert loosened.version == version
    assert loosened.problems == ("disclosure_gate: D3: rounding_base may only be 5 or higher",)

    shutil.rmtree(handed.home.restricted)
    lost = handed.publish().outcome
    assert not lost.success
    assert lost.version == version
    (problem,) = lost.problems
    assert problem.startswith(f"disclosure_gate: D3: study {SECOND} was published before")
    assert "put the folder restricted/ back from a copy" in problem
    assert verify_release(released(handed.home)) == []

    shutil.rmtree(handed.home.restricted)
    shutil.copytree(first.home.restricted, handed.home.restricted)
    mended = handed.publish().outcome
    assert mended.success, mended.problems
    assert (mended.is_new, mended.version) == (False, version)
