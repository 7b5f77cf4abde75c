"""Contracts: what is refused and where the message points, what is inherited, and what follows from them."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from pipelines.contract import (
    PROVENANCE,
    PUBLISHABLE,
    Contract,
    ContractError,
    MinimumRows,
    freshness,
    load_contract,
    load_contracts,
    load_fields,
    official_faults,
    read_yaml,
    resolved_document,
    row_rule,
    to_arrow,
    to_ddl,
    to_suite_spec,
    to_table_schema,
)
from tests.helpers import CONTRACTS, FIELDS, column, document, key, load, row_count, row_rule_quality, write

Edit = Callable[[dict[str, Any]], Any]
SHIPPED = load_contracts(CONTRACTS)
PUBLIC = [contract for contract in SHIPPED.values() if contract.layer == "public"]
every_shipped_contract = pytest.mark.parametrize("shipped", SHIPPED.values(), ids=list(SHIPPED))


def public(*more: dict[str, Any], **custom: Any) -> dict[str, Any]:
    columns = [key("thing_code", 1), column("thing_count", "integer"), *more]
    return document("public.things", columns, **custom)


def source(*more: dict[str, Any], **custom: Any) -> dict[str, Any]:
    return document("source.things", [column("thing_code"), *more], **custom)


def table(contract: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = contract["schema"][0]
    return found


def first(contract: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = table(contract)["properties"][0]
    return found


def custom_properties(contract: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = contract["customProperties"]
    return found


def without(name: str) -> Edit:
    def edit(contract: dict[str, Any]) -> None:
        contract["customProperties"] = [p for p in custom_properties(contract) if p["property"] != name]

    return edit


def assert_refused(tmp_path: Path, contract: dict[str, Any], edit: Edit, *places: str) -> None:
    load(tmp_path, contract)  # good before the edit, so that nothing else can be the reason
    broken = copy.deepcopy(contract)
    edit(broken)
    path = tmp_path / f"{contract['id'].replace('.', '/')}.yml"
    write(tmp_path, broken, place=str(path.relative_to(tmp_path)))
    with pytest.raises(ContractError) as refusal:
        load_contract(path, FIELDS)
    for part in (str(path), *places):
        assert part in str(refusal.value)


# --- what is refused ----------------------------------------------------------------------------------------

COLOUR = {"property": "colour", "value": "red"}
INVALID = {"metric": "invalidValues", "mustBe": 0, "arguments": {"validValues": ["a"]}}


@pytest.mark.parametrize(
    ("edit", "places"),
    [
        pytest.param(lambda d: d.update(colour="red"), ["document", "colour"], id="document"),
        pytest.param(lambda d: d["description"].update(colour="red"), ["description.colour"], id="description"),
        pytest.param(lambda d: table(d).update(colour="red"), ["schema.0.colour"], id="table"),
        pytest.param(lambda d: first(d).update(colour="red"), ["column thing_code", "colour"], id="property"),
        pytest.param(
            lambda d: first(d).update(logicalTypeOptions={"colour": "red"}),
            ["column thing_code", "logicalTypeOptions.colour"],
            id="type options",
        ),
        pytest.param(
            lambda d: first(d).update(quality=[{**INVALID, "colour": "red"}]),
            ["column thing_code", "quality.0.colour"],
            id="quality of a property",
        ),
        pytest.param(
            lambda d: table(d)["quality"][0].update(colour="red"),
            ["schema.0.quality.0.colour"],
            id="quality of the table",
        ),
        pytest.param(
            lambda d: d["slaProperties"][0].update(colour="red"), ["slaProperties.0.colour"], id="service level"
        ),
        pytest.param(
            lambda d: custom_properties(d)[0].update(colour="red"), ["customProperties.0.colour"], id="entry"
        ),
        pytest.param(
            lambda d: custom_properties(d).append(COLOUR),
            ["customProperties", "colour"],
            id="custom property of the document",
        ),
        pytest.param(
            lambda d: first(d).update(customProperties=[COLOUR]),
            ["column thing_code", "colour"],
            id="custom property of a property",
        ),
        pytest.param(
            lambda d: table(d).update(customProperties=[COLOUR]), ["colour"], id="custom property of the table"
        ),
        pytest.param(
            lambda d: table(d)["quality"][0].update(customProperties=[COLOUR]),
            ["colour"],
            id="custom property of a table's quality",
        ),
        pytest.param(
            lambda d: first(d).update(quality=[{**INVALID, "customProperties": [COLOUR]}]),
            ["column thing_code", "colour"],
            id="custom property of a property's quality",
        ),
    ],
)
def test_unknown_keys_are_refused_at_every_level(tmp_path: Path, edit: Edit, places: list[str]) -> None:
    assert_refused(tmp_path, public(), edit, *places)


@pytest.mark.parametrize("where", ["document", "column"])
def test_a_custom_property_given_twice_is_refused(tmp_path: Path, where: str) -> None:
    def edit(contract: dict[str, Any]) -> None:
        if where == "document":
            custom_properties(contract).append({"property": "licence", "value": "MIT"})
        else:
            table(contract)["properties"][1]["customProperties"] *= 2

    assert_refused(tmp_path, public(), edit, "twice")


def test_a_key_given_twice_in_yaml_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "twice.yml"
    path.write_text("name: one\nversion: 1.0.0\nname: two\n", encoding="utf-8")
    with pytest.raises(ContractError, match="'name' is given twice") as refusal:
        read_yaml(path)
    assert str(path) in str(refusal.value)
    assert "line" in str(refusal.value)


def test_a_key_given_twice_deep_inside_is_refused_too(tmp_path: Path) -> None:
    path = tmp_path / "twice.yml"
    path.write_text(
        "schema:\n  - {name: one, quality: [{metric: rowCount, metric: rowCount}]}\n", encoding="utf-8"
    )
    with pytest.raises(ContractError, match="'metric' is given twice"):
        read_yaml(path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "mapping"),
        ("- one\n- two\n", "mapping"),
        ("a: [1, 2\n", "not valid YAML"),
        ("a: !!python/object:builtins.object {}\n", "not valid YAML"),
    ],
    ids=["empty", "list", "broken", "tag of a program"],
)
def test_a_file_that_is_no_yaml_mapping_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "thing.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ContractError, match=reason) as refusal:
        read_yaml(path)
    assert str(path) in str(refusal.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"nowhere\.yml: no such file"):
        read_yaml(tmp_path / "nowhere.yml")


@pytest.mark.parametrize("logical_type", ["integer", "number"])
def test_a_numeric_column_without_a_unit_is_refused(tmp_path: Path, logical_type: str) -> None:
    def edit(contract: dict[str, Any]) -> None:
        bare = {**column("size"), "logicalType": logical_type}
        table(contract)["properties"].append(bare)

    assert_refused(tmp_path, public(), edit, "column size", "unit")


@pytest.mark.parametrize("classification", ["direct", "sensitive", "drop"])
def test_a_personal_column_is_refused_in_a_public_dataset_only(tmp_path: Path, classification: str) -> None:
    personal = column("person", classification=classification)
    assert_refused(
        tmp_path, public(), lambda d: table(d)["properties"].append(personal), "column person", classification
    )
    assert load(tmp_path, source(personal)).columns[1].classification == classification


def test_a_column_without_a_class_is_refused(tmp_path: Path) -> None:
    assert_refused(
        tmp_path, public(), lambda d: first(d).pop("classification"), "column thing_code", "classification"
    )


def _no_key(contract: dict[str, Any]) -> None:
    del first(contract)["primaryKey"], first(contract)["primaryKeyPosition"]


@pytest.mark.parametrize(
    ("edit", "place"),
    [
        pytest.param(_no_key, "primary key", id="key"),
        pytest.param(lambda d: table(d).update(quality=[]), "minimum row count", id="minimum rows"),
        pytest.param(lambda d: table(d).update(quality=[row_count(0)]), "minimum row count", id="minimum of zero"),
        pytest.param(
            lambda d: table(d).update(quality=[row_count(1, severity="warning")]),
            "minimum row count",
            id="minimum that only warns",
        ),
        pytest.param(lambda d: d.update(slaProperties=[]), "freshness", id="freshness"),
        pytest.param(lambda d: d["description"].pop("usage"), "usage", id="usage"),
        pytest.param(without("licence"), "licence", id="licence"),
        pytest.param(without("attribution"), "attribution", id="attribution"),
        pytest.param(
            lambda d: d.update(customProperties=[{"property": "licence", "value": "Ask us"}]),
            "licence",
            id="a licence that is none",
        ),
    ],
)
def test_a_public_contract_must_promise_everything(tmp_path: Path, edit: Edit, place: str) -> None:
    assert_refused(tmp_path, public(), edit, place)


def test_a_source_needs_a_layout(tmp_path: Path) -> None:
    assert_refused(tmp_path, source(), without("layouts"), "layout")


@pytest.mark.parametrize(
    ("edit", "place"),
    [
        pytest.param(lambda d: d.update(id="public.other"), "id is 'public.other'", id="id"),
        pytest.param(lambda d: d.update(id="source.things"), "id is 'source.things'", id="layer"),
        pytest.param(
            lambda d: table(d).update(physicalName="clean.things"),
            "physicalName is 'clean.things'",
            id="physicalName",
        ),
        pytest.param(lambda d: table(d).update(name="others"), "schema name is 'others'", id="name"),
        pytest.param(lambda d: d.update(version="1.0"), "version", id="version"),
        pytest.param(lambda d: d.update(apiVersion="v2.0.0"), "apiVersion", id="apiVersion"),
        pytest.param(lambda d: d.update(schema=[]), "schema", id="no table"),
        pytest.param(lambda d: d.update(schema=d["schema"] * 2), "schema", id="two tables"),
        pytest.param(lambda d: table(d).update(properties=[]), "properties", id="no columns"),
    ],
)
def test_a_document_that_contradicts_itself_is_refused(tmp_path: Path, edit: Edit, place: str) -> None:
    assert_refused(tmp_path, public(), edit, place)


@pytest.mark.parametrize("place", ["public/others.yml", "source/things.yml", "elsewhere/things.yml"])
def test_a_file_in_the_wrong_place_is_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(ContractError, match=place):
        load(tmp_path, public(), place=place)


def test_a_third_layer_is_refused(tmp_path: Path) -> None:
    contract = public()
    contract["id"] = table(contract)["physicalName"] = "model.things"
    with pytest.raises(ContractError, match=r"model/things\.yml: contracts stand in"):
        load(tmp_path, contract)


@pytest.mark.parametrize(
    ("edit", "places"),
    [
        pytest.param(
            lambda d: first(d).update(customProperties=[{"property": "layouts", "value": {"unheard_of": "x"}}]),
            ["column thing_code", "unheard_of"],
            id="unknown layout",
        ),
        pytest.param(lambda d: first(d).update(name="Thing Code"), ["column Thing Code", "name"], id="name"),
        pytest.param(lambda d: first(d).pop("name"), ["column ?", "name"], id="no name"),
        pytest.param(
            lambda d: first(d).update(logicalType="text"), ["column thing_code", "logicalType"], id="type"
        ),
        pytest.param(
            lambda d: first(d).update(description="Short"), ["thing_code", "description"], id="description"
        ),
        pytest.param(
            lambda d: first(d).update(primaryKey=True), ["thing_code", "primaryKeyPosition"], id="half a key"
        ),
        pytest.param(
            lambda d: table(d)["properties"].append(column("thing_code")), ["twice", "thing_code"], id="twice"
        ),
    ],
)
def test_a_column_that_cannot_be_meant_is_refused(tmp_path: Path, edit: Edit, places: list[str]) -> None:
    assert_refused(tmp_path, source(), edit, *places)


@pytest.mark.parametrize("positions", [(0, 1), (1, 1), (1, 3)], ids=str)
def test_the_positions_of_a_key_run_from_one_without_gap(tmp_path: Path, positions: tuple[int, int]) -> None:
    contract = document("public.things", [key("a", positions[0]), key("b", positions[1])])
    with pytest.raises(ContractError, match=r"things\.yml: .*primaryKeyPosition"):
        load(tmp_path, contract)


@pytest.mark.parametrize(
    "quality",
    [
        pytest.param({**INVALID, "mustBe": 1}, id="some may be invalid"),
        pytest.param({**INVALID, "metric": "rowCount"}, id="count of rows"),
        pytest.param({**INVALID, "arguments": None}, id="no argument"),
        pytest.param({**INVALID, "arguments": {"validValues": ["a"], "pattern": "a"}}, id="two arguments"),
        pytest.param({**INVALID, "arguments": {"colour": ["a"]}}, id="unknown argument"),
        pytest.param({**INVALID, "arguments": {"validValues": []}}, id="no valid value"),
        pytest.param({**INVALID, "arguments": {"validValues": "abc"}}, id="a text for a list"),
    ],
)
def test_a_column_rule_that_says_something_else_is_refused(tmp_path: Path, quality: dict[str, Any]) -> None:
    assert_refused(tmp_path, public(), lambda d: first(d).update(quality=[quality]), "column thing_code: quality")


@pytest.mark.parametrize(
    "quality",
    [
        pytest.param({"type": "custom", "engine": "duckdb", "implementation": "true"}, id="no name"),
        pytest.param({"type": "custom", "engine": "duckdb", "name": "odd"}, id="no implementation"),
        pytest.param({"type": "custom", "name": "odd", "implementation": "true"}, id="no engine"),
        pytest.param({"metric": "rowCount", "mustBe": 3}, id="exact count of rows"),
        pytest.param(INVALID, id="rule of a column"),
    ],
)
def test_a_table_rule_that_says_something_else_is_refused(tmp_path: Path, quality: dict[str, Any]) -> None:
    assert_refused(tmp_path, public(), lambda d: table(d)["quality"].append(quality), "table rule")


@pytest.mark.parametrize(
    "names",
    [("same_name", "same_name"), ("thing_code_required",), ("with, comma",)],
    ids=["two table rules", "name of a column's rule", "comma"],
)
def test_rule_names_are_plain_and_each_stands_for_one_rule(tmp_path: Path, names: tuple[str, ...]) -> None:
    # Quarantined rows carry the names of the rules they break as one text with commas between.
    rules = [row_rule_quality(name, "thing_count > 0") for name in names]
    assert_refused(tmp_path, public(), lambda d: table(d)["quality"].extend(rules), names[0])


@pytest.mark.parametrize(
    ("logical_type", "options"),
    [
        ("integer", {"pattern": "[0-9]+"}),
        ("integer", {"maxLength": 3}),
        ("string", {"minimum": 3}),
        ("date", {"maximum": 3}),
    ],
    ids=lambda value: value if isinstance(value, str) else "".join(value),
)
def test_a_rule_that_the_column_s_type_cannot_bear_is_refused(
    tmp_path: Path, logical_type: str, options: dict[str, Any]
) -> None:
    odd = column("odd", logical_type, logicalTypeOptions=options)
    assert_refused(tmp_path, public(), lambda d: table(d)["properties"].append(odd), "column odd", *options)


def test_a_shared_field_that_is_not_a_column_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fields.yml"
    path.write_text("platform:\n  logicalType: string\n  colour: red\n", encoding="utf-8")
    with pytest.raises(ContractError, match=r"fields\.yml: field platform") as refusal:
        load_fields(path)
    assert "colour" in str(refusal.value)


def test_a_shared_field_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fields.yml"
    path.write_text("platform: string\n", encoding="utf-8")
    with pytest.raises(ContractError, match=r"fields\.yml: field platform"):
        load_fields(path)


# --- what is inherited --------------------------------------------------------------------------------------


def test_a_bare_name_inherits_everything_from_the_shared_fields(tmp_path: Path) -> None:
    contract = load(tmp_path, public({"name": "platform"}))
    platform = contract.columns[-1]
    assert platform.title == "Platform"
    assert platform.classification == "safe"
    assert platform.description == " ".join(FIELDS["platform"]["description"].split())
    assert "mastodon" in next(rule for rule in platform.rules if rule.kind == "allowed").allowed
    assert not platform.required


def test_what_a_column_states_itself_wins_over_the_shared_field(tmp_path: Path) -> None:
    own = {"name": "platform", "description": "Where the thing was posted.", "required": True, "quality": []}
    platform = load(tmp_path, public(own)).columns[-1]
    assert platform.description == "Where the thing was posted."
    assert platform.required
    assert [rule.kind for rule in platform.rules] == ["required", "text"]
    assert platform.title == "Platform"


def test_the_shared_fields_stay_as_they_are_when_a_contract_overrides_them(tmp_path: Path) -> None:
    before = copy.deepcopy(FIELDS)
    load(tmp_path, public({"name": "platform", "businessName": "Place", "quality": []}))
    assert before == FIELDS


def test_a_column_that_no_field_knows_states_everything_itself(tmp_path: Path) -> None:
    assert_refused(
        tmp_path, public(), lambda d: table(d)["properties"].append({"name": "unheard_of"}), "column unheard_of"
    )


def test_only_a_source_gets_the_columns_of_provenance(tmp_path: Path) -> None:
    names = [c.name for c in load(tmp_path, source()).columns]
    assert tuple(names[-3:]) == PROVENANCE
    assert not set(PROVENANCE) & {c.name for c in load(tmp_path, public()).columns}


def test_the_loader_s_own_columns_are_not_judged(tmp_path: Path) -> None:
    contract = load(tmp_path, source())
    assert not [rule for column in contract.columns if column.name in PROVENANCE for rule in column.rules]


# --- the contract as used -----------------------------------------------------------------------------------


def test_the_key_keeps_its_order_and_its_columns_are_required(tmp_path: Path) -> None:
    columns = [key("last", 2), key("first", 1), column("other")]
    contract = load(tmp_path, document("public.things", columns))
    assert contract.key == ("first", "last")
    assert [c.required for c in contract.columns] == [True, True, False]
    assert [rule.columns for rule in contract.rules if rule.kind == "unique"] == [("first", "last")]


def test_a_field_is_called_as_its_layout_calls_it(tmp_path: Path) -> None:
    layouts = [{"property": "layouts", "value": {"old": "Old name", "bare": None}}]
    named = column("thing_name", physicalName="New name", customProperties=layouts)
    contract = source(named, layouts=[{"name": "plain"}, {"name": "old"}, {"name": "bare"}])
    thing_name = load(tmp_path, contract).columns[1]
    assert [thing_name.field_in(name) for name in ("plain", "old", "bare")] == ["New name", "Old name", None]


def test_every_kind_of_rule_comes_from_its_place_in_the_document(tmp_path: Path) -> None:
    columns = [
        column("code", required=True, unique=True, logicalTypeOptions={"pattern": "[a-z]+", "maxLength": 9}),
        column("size", "number", logicalTypeOptions={"minimum": 0, "maximum": 1}),
        column("kind", quality=[{**INVALID, "severity": "warning"}]),
    ]
    quality = [row_rule_quality("small_enough", "size < 1", "warning")]
    contract = load(tmp_path, document("source.things", columns, quality=quality))
    assert [(rule.name, rule.kind, rule.severity) for rule in contract.all_rules()] == [
        ("code_required", "required", "critical"),
        ("code_pattern", "pattern", "critical"),
        ("code_length", "length", "critical"),
        ("code_unique", "unique", "critical"),
        ("size_type", "type", "critical"),
        ("size_range", "range", "critical"),
        ("kind_allowed", "allowed", "warning"),
        ("row_count", "row_count", "critical"),
        ("small_enough", "row", "warning"),
    ]


def test_published_text_is_always_checked_for_what_a_spreadsheet_would_run(tmp_path: Path) -> None:
    assert "text" in {rule.kind for rule in load(tmp_path, public()).columns[0].rules}
    assert "text" not in {rule.kind for rule in load(tmp_path, source()).columns[0].rules}


@pytest.mark.parametrize("kind", ["unique", "row_count"])
def test_a_rule_about_the_table_has_no_row_rule(tmp_path: Path, kind: str) -> None:
    contract = load(tmp_path, public())
    rule = next(rule for rule in contract.all_rules() if rule.kind == kind)
    assert not rule.per_row
    with pytest.raises(ContractError, match=r"things\.yml: rule .* about the whole table"):
        row_rule(rule, contract)


def test_the_sample_world_has_a_minimum_of_its_own(tmp_path: Path) -> None:
    contract = public()
    small = [{"property": "sampleMinimum", "value": 3}]
    table(contract)["quality"] = [row_count(1000, customProperties=small)]
    loaded = load(tmp_path, contract)
    minimums: tuple[MinimumRows, ...] = ("live", "sample", "none")
    low = [s.arguments for m in minimums for s in to_suite_spec(loaded, m) if s.rule.kind == "row_count"]
    assert low == [{"min_value": 1000}, {"min_value": 3}, {"min_value": 0}]
    assert loaded.minimum_rows == 1000


def test_the_digest_changes_with_anything_the_contract_says_or_inherits(tmp_path: Path) -> None:
    contract = public({"name": "platform"})
    path = write(tmp_path, contract)
    before = load_contract(path, FIELDS).digest
    assert load_contract(path, FIELDS).digest == before
    inherited = {**FIELDS, "platform": {**FIELDS["platform"], "description": "Where the thing was posted."}}
    after = {load_contract(path, inherited).digest}
    for edit in (
        lambda d: first(d).update(description="Another word for it."),
        lambda d: table(d)["quality"].append(row_rule_quality("small", "thing_count < 9")),
        lambda d: d["customProperties"].append({"property": "emptyWithout", "value": ["others"]}),
    ):
        changed = copy.deepcopy(contract)
        edit(changed)
        after.add(load(tmp_path, changed).digest)
    assert len(after - {before}) == 4


def test_freshness_is_a_span_of_days(tmp_path: Path) -> None:
    assert freshness(load(tmp_path, public())) == dt.timedelta(days=40)
    undated = source()
    undated["slaProperties"] = []
    assert freshness(load(tmp_path, undated)) is None


# --- the contracts that ship --------------------------------------------------------------------------------


def test_every_file_in_the_folder_is_loaded() -> None:
    files = {f"{path.parent.name}.{path.stem}" for path in CONTRACTS.glob("*/*.yml")}
    assert set(SHIPPED) == files
    assert files


@every_shipped_contract
def test_a_shipped_contract_satisfies_the_official_schema(shipped: Contract) -> None:
    assert official_faults(resolved_document(shipped.path, FIELDS)) == []


def test_the_official_schema_finds_a_fault(tmp_path: Path) -> None:
    contract = public()
    assert official_faults(contract) == []
    first(contract)["logicalType"] = "colour"
    assert any("schema.0.properties.0" in fault for fault in official_faults(contract))


def test_a_bare_name_is_complete_only_once_it_is_resolved(tmp_path: Path) -> None:
    path = write(tmp_path, public({"name": "platform"}))
    assert table(read_yaml(path))["properties"][-1] == {"name": "platform"}
    assert table(resolved_document(path, FIELDS))["properties"][-1] == {"name": "platform", **FIELDS["platform"]}


def test_no_shipped_public_column_is_personal() -> None:
    assert PUBLIC
    assert all(column.classification in PUBLISHABLE for contract in PUBLIC for column in contract.columns)


@every_shipped_contract
def test_rule_names_are_unique_within_a_shipped_contract(shipped: Contract) -> None:
    names = [rule.name for rule in shipped.all_rules()]
    assert len(set(names)) == len(names)


# --- what follows from a contract ---------------------------------------------------------------------------


def _comments(con: duckdb.DuckDBPyConnection, name: str) -> dict[str, str]:
    query = "select column_name, comment from duckdb_columns() where table_name = ? order by column_index"
    return dict(con.execute(query, [name]).fetchall())


@every_shipped_contract
def test_the_ddl_of_a_shipped_contract_builds_the_table_with_its_comments(shipped: Contract) -> None:
    con = duckdb.connect()
    con.execute(f"create schema {shipped.layer}")
    con.execute(to_ddl(shipped))
    described = con.execute(f"describe {shipped.table}").fetchall()
    assert [(name, kind) for name, kind, *_ in described] == [(c.name, c.sql_type) for c in shipped.columns]
    comments = _comments(con, shipped.name)
    for c in shipped.columns:
        assert comments[c.name] == (f"{c.description} [{c.unit}]" if c.unit else c.description)
    grain = con.execute("select comment from duckdb_tables() where table_name = ?", [shipped.name]).fetchone()
    assert grain == (shipped.grain,)


def test_quotes_in_a_description_survive_the_ddl(tmp_path: Path) -> None:
    words = """The council's "own" word; -- not a comment, nor '' the end."""
    contract = load(tmp_path, public(column("word", description=words)))
    con = duckdb.connect()
    con.execute(to_ddl(contract, "things"))
    assert _comments(con, "things")["word"] == words


def test_a_table_that_is_built_again_replaces_the_old_one(tmp_path: Path) -> None:
    contract = load(tmp_path, public())
    con = duckdb.connect()
    for _ in range(2):
        con.execute(to_ddl(contract, "things"))
        con.execute("insert into things values ('a', 1)")
    assert con.execute("select count(*) from things").fetchone() == (1,)


def test_the_arrow_schema_carries_types_units_and_the_contract_s_promise(tmp_path: Path) -> None:
    columns = [column(f"a_{t}", t) for t in ("string", "integer", "number", "boolean", "date", "timestamp")]
    schema = to_arrow(load(tmp_path, document("public.things", [key("thing_code", 1), *columns])))
    assert schema.types == [
        pa.string(),
        pa.string(),
        pa.int64(),
        pa.float64(),
        pa.bool_(),
        pa.date32(),
        pa.timestamp("us", tz="UTC"),
    ]
    assert [field.nullable for field in schema] == [False, *[True] * 6]
    assert schema.field("a_integer").metadata == {
        b"description": b"What a_integer says about a thing.",
        b"unit": b"things",
    }
    assert b"unit" not in schema.field("a_date").metadata
    assert schema.metadata == {
        b"dataset": b"things",
        b"title": b"Things",
        b"grain": b"one row per thing",
        b"schema_version": b"1.2.3",
        b"licence": b"CC-BY-4.0",
        b"attribution": b"Nobody",
    }


def test_the_table_schema_states_type_unit_key_and_critical_constraints(tmp_path: Path) -> None:
    columns = [
        key("code", 1, logicalTypeOptions={"pattern": "[a-z]+"}),
        column("size", "number", logicalTypeOptions={"minimum": 0}),
        column("kind", businessName="Kind of thing", quality=[INVALID]),
        column("doubted", quality=[{**INVALID, "severity": "warning"}]),
        column("seen_at", "timestamp"),
    ]
    schema = to_table_schema(load(tmp_path, document("public.things", columns)))
    fields = {field.pop("name"): field for field in schema.pop("fields")}
    assert schema == {"fieldsMatch": "exact", "primaryKey": ["code"], "missingValues": [""]}
    assert list(fields) == ["code", "size", "kind", "doubted", "seen_at"]
    assert fields["code"] == {
        "type": "string",
        "title": "Code",
        "description": "What code says about a thing.",
        "constraints": {"required": True, "pattern": "[a-z]+"},
    }
    assert fields["size"]["constraints"] == {"minimum": 0}
    assert fields["size"]["unit"] == "things"
    assert fields["kind"]["title"] == "Kind of thing"
    assert fields["kind"]["constraints"] == {"enum": ["a"]}
    assert "constraints" not in fields["doubted"]
    assert fields["seen_at"]["type"] == "datetime"
