"""Dagster's entry point: `defs` for a deployment, `build_defs` for everyone who swaps a part.

Belongs here: putting assets, jobs, schedules and resources together. Does not belong here: making any of them.
"""

from __future__ import annotations

import os

import dagster as dg

from pipelines.assets import Workplace, all_assets
from pipelines.interview_assets import interview_assets
from pipelines.schedules import (
    ask_lost_accounts_again,
    daily_pull,
    observe,
    publish,
    pull,
    record_failure,
    record_success,
    take_in_studies,
    weekly_release,
)
from pipelines.settings import default_home


def build_defs(
    workplace: Workplace | None = None, executor: dg.ExecutorDefinition | None = None
) -> dg.Definitions:
    """The project's definitions, with another workplace or executor than a deployment's where given.

    Without a workplace, `ENGAGEMENT_HOME`, `ENGAGEMENT_SOURCES` and `ENGAGEMENT_CONTACT` decide. Steps run
    inside one process unless told otherwise: a process per step costs seconds where the step costs milliseconds.
    """
    place = workplace or Workplace(
        home=str(default_home()),
        sources=os.environ.get("ENGAGEMENT_SOURCES", "sample"),
        contact=os.environ.get("ENGAGEMENT_CONTACT"),
    )
    return dg.Definitions(
        assets=[*all_assets(), *interview_assets()],
        jobs=[publish, pull, observe],
        schedules=[daily_pull, weekly_release],
        sensors=[ask_lost_accounts_again, take_in_studies, record_success, record_failure],
        resources={"workplace": place},
        executor=executor or dg.in_process_executor,
    )


defs = build_defs()
