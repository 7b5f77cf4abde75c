"""What several tests share: the real files' place, and homes that were published once."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import absl.logging
import pytest
from hypothesis import settings

from pipelines.run import RunOutcome, run_job
from pipelines.settings import Home

ROOT = Path(__file__).resolve().parent.parent
REAL = ROOT.parent / "shared" / "real"
DAY = "2026-11-23"

os.environ.pop("DAGSTER_HOME", None)
os.environ.pop("ENGAGEMENT_SITE_SQL", None)  # a site is tested as it is without the parts from npm
settings.register_profile("patient", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("patient")

# The log handler that comes with mlcroissant closes its stream when logging is configured anew, as Dagster does,
# unless it is one of Python's own. What it finds here is pytest's capture, which every later test still needs.
absl.logging.get_absl_handler().python_handler.setStream(sys.__stderr__)


# A file is the work of one process. Those that take minutes begin, so that none runs alone at the end.
LONGEST = ("test_release_kills.py", "test_sample_publish.py", "test_erasure.py", "test_interviews.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; skip what reads the real files, with the reason, where they are absent."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONGEST)))
    if REAL.is_dir():
        return
    for item in items:
        if item.get_closest_marker("real"):
            item.add_marker(pytest.mark.skip(reason=f"the real input files are not at {REAL}"))


def publish(home: Path, sources: str | Path = "sample", *, offline: bool = False, day: str = DAY) -> RunOutcome:
    """Run the publish job on a home as the command line does."""
    return run_job("publish", home, str(sources), offline=offline, released_on=day)


@pytest.fixture(scope="session")
def sample_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home in which the sample world was published once; copy it before changing anything."""
    home = tmp_path_factory.mktemp("sample-home")
    outcome = publish(home)
    assert outcome.success, outcome.problems
    return Home(home)


@pytest.fixture(scope="session")
def real_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home in which the real files were published once, with Dagster's own storage inside it."""
    home = tmp_path_factory.mktemp("real-home")
    storage = home / "dagster"
    storage.mkdir()
    (storage / "dagster.yaml").write_bytes((ROOT / "dagster.yaml").read_bytes())
    os.environ["DAGSTER_HOME"] = str(storage)
    try:
        outcome = publish(home, ROOT / "tests" / "fixtures" / "real.yml")
    finally:
        del os.environ["DAGSTER_HOME"]
    assert outcome.success, outcome.problems
    return Home(home)
