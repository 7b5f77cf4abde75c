"""The policy of the platforms: complete, strict, and asked when reading, storing and publishing."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.contract import load_contracts
from pipelines.policy import FRAME, Policy, PolicyError, load_policy
from pipelines.settings import project_folder

FOLDER = project_folder("data_contracts")
CONTRACTS = load_contracts(FOLDER)
TEXT = (FOLDER / "policy.yml").read_text(encoding="utf-8")


def changed(tmp_path: Path, change: Any) -> Policy:
    """The project's policy with something changed in it."""
    document = yaml.safe_load(TEXT)
    change(document)
    path = tmp_path / "policy.yml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return load_policy(path, CONTRACTS)


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load_policy(FOLDER / "policy.yml", CONTRACTS)


def test_every_observed_column_has_a_line_for_every_platform(policy: Policy) -> None:
    for contract in CONTRACTS.values():
        if contract.layer != "observation":
            continue
        for column in contract.columns:
            if column.name in FRAME:
                continue
            for platform in ("bluesky", "mastodon", "x", "youtube"):
                policy.rule(contract.name, column.name, platform)


def test_text_names_and_authors_of_replies_are_refused_on_every_platform(policy: Policy) -> None:
    for field in ("post.text", "profile.display_name", "profile.description", "reply.author", "reply.text"):
        table, column = field.split(".")
        for platform in policy.platforms:
            assert not policy.rule(table, column, platform).kept
        assert column not in {c.name for c in CONTRACTS[f"observation.{table}"].columns}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d["fields"].pop("post.likes"), "post.likes is a column of an observation and has no line"),
        (lambda d: d["fields"]["post.likes"].pop("x"), "post.likes must have an entry for each of"),
        (lambda d: d["fields"]["post.text"]["x"].update(kept=True), "post.text may be kept, but is no column"),
        (
            lambda d: d["fields"]["post.text"]["x"].update(published="account"),
            "refused and yet has days or a level",
        ),
        (lambda d: d["fields"].update({"post.likes": d["fields"]["post.text"]}), "that no platform may keep"),
        (lambda d: d["fields"]["post.likes"]["x"].update(days=-1), "greater than or equal to 0"),
        (lambda d: d["fields"]["post.likes"]["x"].pop("days"), "field required"),
        (lambda d: d["fields"]["post.likes"]["x"].update(published="anywhere"), "input should be"),
        (lambda d: d.update(more=1), "extra inputs"),
    ],
)
def test_an_incomplete_or_contradictory_policy_is_refused(tmp_path: Path, change: Any, said: str) -> None:
    with pytest.raises(PolicyError, match=said):
        changed(tmp_path, change)


def test_a_field_that_the_policy_does_not_know_is_not_allowed(policy: Policy) -> None:
    with pytest.raises(PolicyError, match=r"nothing about post\.mood on bluesky"):
        policy.rule("post", "mood", "bluesky")
    with pytest.raises(PolicyError, match=r"nothing about post\.likes on facebook"):
        policy.kept("post", ["likes"], "facebook")


def test_publishing_above_the_level_that_a_platform_allows_is_a_fault(policy: Policy) -> None:
    likes = ["post.likes"]
    assert policy.publication_faults("d", "account", likes, ["bluesky", "mastodon"]) == []
    assert policy.publication_faults("d", "aggregate", likes, ["x"]) == []
    assert len(policy.publication_faults("d", "account", likes, ["bluesky", "x"])) == 1
    assert len(policy.publication_faults("d", "aggregate", likes, ["youtube"])) == 1
    assert len(policy.publication_faults("d", "aggregate", ["post.post_id"], ["bluesky"])) == 1


def test_a_dataset_made_of_observations_must_state_its_level(policy: Policy) -> None:
    assert "states no level" in policy.publication_faults("d", None, ["post.likes"], ["bluesky"])[0]
    assert policy.publication_faults("d", None, ["post.platform", "post.observed_on"], ["bluesky"]) == []
    assert policy.publication_faults("d", None, [], ["bluesky"]) == []


def test_values_expire_where_the_policy_sets_days(policy: Policy) -> None:
    columns = ["likes", "post_id", "observed_on"]
    assert policy.expired("post", columns, "youtube", dt.timedelta(days=31)) == {"likes"}
    assert policy.expired("post", columns, "youtube", dt.timedelta(days=30)) == frozenset()
    assert policy.expired("post", columns, "bluesky", dt.timedelta(days=3000)) == frozenset()
    assert policy.shortest_days("youtube") == 30
    assert policy.shortest_days("bluesky") is None
