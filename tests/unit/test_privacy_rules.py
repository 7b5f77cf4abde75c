"""The configuration of the disclosure rules: strict, and never looser than the defaults."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipelines.privacy.rules import DisclosureError, Rules, load_rules
from pipelines.settings import project_folder

TEXT = (project_folder("data_contracts") / "disclosure.yml").read_text(encoding="utf-8")


def load(folder: Path, change: Any) -> Rules:
    """The project's configuration with something changed in its rules."""
    document = yaml.safe_load(TEXT)
    change(document["rules"])
    path = folder / "disclosure.yml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return load_rules(path)


def test_the_projects_configuration_states_every_field_and_loosens_none() -> None:
    written = yaml.safe_load(TEXT)["rules"]
    assert load_rules(project_folder("data_contracts") / "disclosure.yml") == Rules()
    stated = [name for of_rule in written.values() for name in of_rule]
    assert sorted([*stated, "off"]) == sorted(field.name for field in fields(Rules))


LOOSER = [
    ("D1", "record_level", True, "false"),
    ("D2", "max_dimensions", 3, "2 or lower"),
    ("D2", "minimum_base", 19, "20 or higher"),
    ("D3", "rounding_base", 4, "5 or higher"),
    ("D4", "minimum_denominator", 9, "10 or higher"),
    ("D5", "percentage_base", 15, "20 or higher"),
    ("D6", "contributors", 9, "10 or higher"),
    ("D6", "dominance", 0.95, "0.9 or lower"),
    ("D6", "p_ratio", 0.05, "0.1 or higher"),
    ("D7", "sensitive_base", 10, "20 or higher"),
    ("D8", "minimum_holders", 3, "10 or higher"),
    ("D9", "officer_attributes", ["authority_type", "region"], "some of authority_type"),
    ("D9", "officer_categories", 3, "2 or lower"),
    ("D10", "changed_interviews", 1, "10 or higher"),
]
TIGHTER = [
    ("D2", "max_dimensions", 1),
    ("D2", "minimum_base", 30),
    ("D3", "rounding_base", 10),
    ("D4", "minimum_denominator", 15),
    ("D5", "percentage_base", 50),
    ("D6", "contributors", 20),
    ("D6", "dominance", 0.5),
    ("D6", "p_ratio", 0.2),
    ("D7", "sensitive_base", 30),
    ("D8", "minimum_holders", 100),
    ("D9", "officer_attributes", []),
    ("D9", "officer_categories", 1),
    ("D10", "changed_interviews", 15),
]


@pytest.mark.parametrize(("rule", "name", "value", "may_be"), LOOSER)
def test_a_looser_value_is_refused_by_rule_and_field(tmp_path: Path, rule, name, value, may_be) -> None:
    with pytest.raises(DisclosureError, match=rf"^{rule}: {name} may only be {may_be}$"):
        load(tmp_path, lambda rules: rules[rule].update({name: value}))


@pytest.mark.parametrize(("rule", "name", "value"), TIGHTER)
def test_a_tighter_value_is_taken(tmp_path: Path, rule: str, name: str, value: Any) -> None:
    chosen = load(tmp_path, lambda rules: rules[rule].update({name: value}))
    assert getattr(chosen, name) == (tuple(value) if isinstance(value, list) else value)


def test_every_field_is_tried_both_ways() -> None:
    names = {field.name for field in fields(Rules)} - {"off"}
    assert {name for _, name, _, _ in LOOSER} == names
    assert {name for _, name, _ in TIGHTER} == names - {"record_level"}


@given(
    number=st.one_of(st.integers(-50, 50), st.floats(allow_nan=True, allow_infinity=True)),
    case=st.sampled_from(LOOSER),
)
def test_no_number_makes_a_rule_looser_than_its_default(tmp_path_factory, number, case) -> None:
    rule, name, _, may_be = case
    folder = tmp_path_factory.mktemp("rules")
    try:
        chosen = getattr(load(folder, lambda rules: rules[rule].update({name: number})), name)
    except DisclosureError:
        return
    default = getattr(Rules(), name)
    assert type(chosen) is type(default) or isinstance(default, float)
    assert 0 < chosen < float("inf")
    assert chosen >= default if may_be.endswith("higher") else chosen <= default


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: r["D3"].update(off=True), "D3: off: no rule can be switched off"),
        (lambda r: r.update(off=["D3"]), "off: expected fields with values; no rule can be switched off"),
        (lambda r: r.update(D3="off"), "D3: expected fields with values; no rule can be switched off"),
        (lambda r: r.update(D3=None), "D3: expected fields with values"),
        (lambda r: r["D3"].update(base=5), "D3: base: no such field"),
        (lambda r: r["D4"].update(rounding_base=5), "D4: rounding_base: no such field"),
        (lambda r: r.update(D99={"rounding_base": 5}), "D99: rounding_base: no such field"),
        (lambda r: r["D3"].update(rounding_base="10"), "D3: rounding_base may only be"),
        (lambda r: r["D3"].update(rounding_base=True), "D3: rounding_base may only be"),
        (lambda r: r["D3"].update(rounding_base=7.5), "D3: rounding_base may only be"),
        (lambda r: r["D2"].update(max_dimensions=0), "D2: max_dimensions may only be"),
        (lambda r: r["D6"].update(p_ratio=float("inf")), "D6: p_ratio may only be"),
        (lambda r: r["D1"].update(record_level=0), "D1: record_level may only be false"),
        (lambda r: r["D9"].update(officer_attributes="authority_type"), "D9: officer_attributes may only be"),
    ],
)
def test_what_is_no_field_or_of_another_kind_is_refused(tmp_path: Path, change: Any, said: str) -> None:
    with pytest.raises(DisclosureError, match=said):
        load(tmp_path, change)


@pytest.mark.parametrize(
    "text",
    [
        "rules: {D3: {rounding_base: 5, rounding_base: 10}}",
        "rules: [",
        "- a list",
        "rules: {}\noff: [D3]",
        "",
        "\xff",
    ],
)
def test_a_file_in_another_shape_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "disclosure.yml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(DisclosureError, match=r"D13: disclosure\.yml"):
        load_rules(path)
    with pytest.raises(DisclosureError, match="D13"):
        load_rules(tmp_path / "missing.yml")


def test_rules_that_are_not_stated_keep_their_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, lambda rules: rules.clear()) == Rules()
