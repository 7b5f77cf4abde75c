"""Lists that stand in more than one place say the same."""

from __future__ import annotations

import re

import duckdb

from pipelines.assets import PROJECT
from pipelines.identity.platforms import PLATFORMS


def test_every_list_of_platforms_is_the_one_that_handles_are_normalised_for() -> None:
    rows = duckdb.connect(":memory:").execute(PROJECT.queries["model.platform"].text).fetchall()
    assert {platform for platform, *_ in rows} == set(PLATFORMS)
    candidates = PROJECT.queries["clean.candidate_account"].text
    assert set(re.findall(r"'(\w+)' as platform", candidates)) == set(PLATFORMS)
    allowed = next(
        rule.allowed
        for rule in PROJECT.contracts["public.authority_accounts"].column("platform").rules
        if rule.kind == "allowed"
    )
    assert set(allowed) == set(PLATFORMS)
