"""Two judges, one law: the row rules that fill the quarantine and the suite that Great Expectations runs.

Both are made from the same contract by different code. Whatever a table holds, they must find the same rows
broken; if they did not, a row could pass into a release that its own contract forbids, or stop one for nothing.
"""

from __future__ import annotations

import datetime as dt
import logging
import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow as pa
import pytest
import sqlglot
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from pipelines.checks import Changes, Verdict, check_table
from pipelines.contract import (
    SQL_TYPES,
    Column,
    Contract,
    MinimumRows,
    Rule,
    load_contracts,
    row_rule,
    to_arrow,
    to_ddl,
    to_suite_spec,
)
from tests.helpers import CONTRACTS, column, document, key, load, row_count, row_rule_quality

Row = Mapping[str, Any]
# The restricted store judges its own tables: they never stand where Great Expectations could see them.
SHIPPED = {n: c for n, c in load_contracts(CONTRACTS).items() if c.layer != "restricted"}
CANARY = "zzcanary7f3a"


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        for schema in ("protected", "source", "observation", "public"):
            connection.execute(f"create schema {schema}")
        yield connection


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("contracts")


def fill(con: duckdb.DuckDBPyConnection, contract: Contract, rows: Sequence[Row]) -> None:
    con.execute(to_ddl(contract))
    # The schema without "not null": a table under test may break every rule.
    schema = pa.schema([pa.field(field.name, field.type) for field in to_arrow(contract)])
    given = {field.name: pa.array([row.get(field.name) for row in rows], field.type) for field in schema}
    con.register("given_rows", pa.table(given, schema=schema))
    con.execute(f"insert into {contract.table} by name from given_rows")
    con.unregister("given_rows")


def one(con: duckdb.DuckDBPyConnection, query: str) -> int:
    row = con.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def count_broken(con: duckdb.DuckDBPyConnection, rule: Rule, contract: Contract) -> int:
    """What the row rules say; for rules about the table, which have none, what plain SQL says."""
    if rule.kind == "row_count":
        return int(one(con, f"select count(*) from {contract.table}") < (rule.low or 0))
    if rule.kind == "unique":
        names = ", ".join(f'"{name}"' for name in rule.columns)
        # What has an empty part is like nothing else; in a key, it breaks the rule that each part is required.
        known = " and ".join(f'"{name}" is not null' for name in rule.columns)
        groups = f"select count(*) as n from {contract.table} where {known} group by {names}"
        return one(con, f"select coalesce(sum(n), 0) from ({groups}) as g where n > 1")
    return one(con, f"select count(*) from {contract.table} where {row_rule(rule, contract)}")


def judged_as_changed(con: duckdb.DuckDBPyConnection, contract: Contract, verdict: Verdict) -> Verdict:
    """The verdict where nothing was found before, and every row of the table has changed since."""
    clean = [replace(r, passed=True, broken=0, problem=None) for r in verdict.results]
    said = orjson.dumps([asdict(result) for result in clean]).decode()
    con.execute("update quarantine.judged set state = 'version a:0', verdict = ?", [said])
    return check_table(con, contract, changes=Changes("a:1", (), lambda _: "true"))


def disagreements(con: duckdb.DuckDBPyConnection, contract: Contract) -> list[tuple[Any, ...]]:
    """The rules on which the two judges differ: rule, rows broken by the row rule, what the suite says."""
    verdict = check_table(con, contract)
    assert judged_as_changed(con, contract, verdict) == verdict
    results = {result.rule: result for result in verdict.results}
    rules = [rule for rule in contract.all_rules() if rule.kind != "type"]
    assert set(results) == {rule.name for rule in rules}
    empty = one(con, f"select count(*) from {contract.table}") == 0
    differing = []
    for rule in rules:
        broken, result = count_broken(con, rule, contract), results[rule.name]
        # Great Expectations counts nothing in an empty table, and no rows for a rule about their number.
        counted = broken if rule.kind == "row_count" or (result.broken is None and empty) else result.broken
        if (result.passed, counted, result.problem) != (broken == 0, broken, None):
            differing.append((rule.name, rule.kind, broken, result))
    return differing


# --- whatever a table holds, both judges agree --------------------------------------------------------------

# Patterns with all that quoting, formatting and binding could trip over, each with texts that match it.
PATTERNS = (
    ("[A-Z]{2,5}(-[A-Z])?", ("AB", "ABCDE-F")),
    (r"https?://[^ ]+", ("http://a.example/é?b=:c", "https://x")),
    (r"(?:a|b)+", ("ab", "bbb")),
    (r"[[:alpha:]]+", ("abc", "Z")),
    (r".* :name\d*", ("a :name", " :name1")),
    (r"\d{2}:\d{2}(:\d{2})?", ("10:30", "10:30:59")),
    (r"it's \"(x|y)\"", ('it\'s "x"', 'it\'s "y"')),
    (r"\{[a-z]{1,3}\}|\{batch\}", ("{a}", "{batch}")),
    (r"100%s?|%\(x\)s|\$[1-9]", ("100%", "100%s", "%(x)s", "$1")),
    (r"a\\:b|\\x", ("a\\:b", "\\x")),
    (r"é+|(?i)straße|\p{Greek}+", ("éé", "STRASSE", "STRAßE", "αβγ")),
    (r".+", ("a", "a\nb", " ")),
    (r"", ("",)),
)
TEXTS = (
    "",
    " ",
    "a",
    "'",
    '"',
    "''",
    "{",
    "}",
    "{}",
    "%",
    ":a",
    "\\",
    "\n",
    "-",
    "=1+1",
    "@x",
    "+1",
    "é",
    "e\u0301",
)
UNSAFE = ("\t", "\x00", "a\x7f", "zero\u200bwidth", "\u202egnp", "\ufeffx", "a\r", "'=x")
ROW_RULES = (
    "ends_on >= begins_on",
    "(ends_on is null) = (kind in ('a', ':b', '{c}', 'it''s'))",
    "label <> '{batch}' and label not like '%s :x%'",
    "whole between -5 and 5 or part > 1e-3 or label is null",
    "cast(begins_on as varchar)::date = begins_on and length(label) < 9",
    "regexp_full_match(label, '(?:a|b){1,3}')",
    "coalesce(whole, 0) % 2 = 0",
)
EXACT = 2**53  # up to here a whole number and its double are the same

texts = st.one_of(st.none(), st.sampled_from(TEXTS + UNSAFE), st.text(max_size=8))
valid_values = st.lists(st.sampled_from(TEXTS) | st.text(max_size=5), min_size=1, max_size=5, unique=True)
wholes = st.integers(-EXACT, EXACT) | st.integers(-3, 3) | st.integers(999_990, 1_000_010)
parts = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.1, 0.1234567, 1e-7, 12345.678, 0.0])


@st.composite
def bounds(draw: st.DrawFn, numbers: st.SearchStrategy[float], names: tuple[str, str]) -> dict[str, float]:
    """One or both ends of a range."""
    low, high = sorted((draw(numbers), draw(numbers)))
    given = draw(st.sampled_from(["low", "high", "both"]))
    return {
        **({names[0]: low} if given != "high" else {}),
        **({names[1]: high} if given != "low" else {}),
    }


def near(limits: Mapping[str, float]) -> list[Any]:
    """Numbers on, just below and just above the ends of a range."""
    whole = [limit + step for limit in limits.values() for step in (-1, 0, 1) if isinstance(limit, int)]
    part = [
        number
        for limit in limits.values()
        if isinstance(limit, float)
        for number in (limit, math.nextafter(limit, math.inf), math.nextafter(limit, -math.inf))
    ]
    return whole + part


@st.composite
def tables(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A contract with a rule of every kind, and rows that keep or break each."""
    pattern, matching = draw(st.sampled_from(PATTERNS))
    allowed = draw(valid_values)
    whole = draw(bounds(wholes, ("minimum", "maximum")))
    part = draw(bounds(parts, ("minimum", "maximum")))
    length = draw(bounds(st.integers(0, 6), ("minLength", "maxLength")))
    dates = st.none() | st.dates(dt.date(1900, 1, 1), dt.date(1900, 1, 3)) | st.dates()
    invalid = {"metric": "invalidValues", "mustBe": 0, "severity": draw(st.sampled_from(["critical", "warning"]))}
    columns = [
        key("key_a", 1),
        key("key_b", 2, "integer"),
        column("code", logicalTypeOptions={"pattern": pattern}),
        column("kind", quality=[{**invalid, "arguments": {"validValues": allowed}}]),
        column("label", required=True, logicalTypeOptions=length),
        column("whole", "integer", required=True, logicalTypeOptions=whole),
        column("part", "number", logicalTypeOptions=part),
        column("mark", unique=True, quality=[{**invalid, "arguments": {"pattern": pattern}}]),
        column("begins_on", "date", required=True),
        column("ends_on", "date", unique=True),
        column("is_open", "boolean", required=True),
        column("seen_at", "timestamp"),
    ]
    quality = [row_rule_quality(f"row_{n}", draw(st.sampled_from(ROW_RULES))) for n in range(2)]
    contract = document("public.things", columns, quality=quality)
    contract["schema"][0]["quality"][0] = row_count(draw(st.integers(1, 6)))
    values = {
        "key_a": st.sampled_from(["a", "b", None, ""]),
        "key_b": st.sampled_from([0, 1, None]),
        "code": texts | st.sampled_from(matching),
        "kind": texts | st.sampled_from(allowed),
        "label": texts,
        "whole": st.none() | wholes | st.sampled_from([n for n in near(whole) if abs(n) <= EXACT] or [0]),
        "part": st.none() | parts | st.sampled_from([*near(part), math.inf, -math.inf, math.nan, -0.0]),
        "mark": texts | st.sampled_from(matching),
        "begins_on": dates,
        "ends_on": dates,
        "is_open": st.sampled_from([True, False, None]),
        "seen_at": st.none() | st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1)),  # noqa: DTZ001
    }
    return contract, draw(st.lists(st.fixed_dictionaries(values), max_size=12))


@settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # the disagreement names the rule: no need to shrink
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
@given(tables())
def test_both_judges_find_the_same_rows_broken(
    con: duckdb.DuckDBPyConnection, folder: Path, table: tuple[dict[str, Any], list[dict[str, Any]]]
) -> None:
    contract = load(folder, table[0])
    fill(con, contract, table[1])
    assert disagreements(con, contract) == []


@pytest.mark.parametrize(("pattern", "matching"), PATTERNS, ids=[pattern for pattern, _ in PATTERNS])
def test_both_judges_read_a_pattern_alike(
    con: duckdb.DuckDBPyConnection, folder: Path, pattern: str, matching: tuple[str, ...]
) -> None:
    options = column("code", logicalTypeOptions={"pattern": pattern})
    contract = load(folder, document("public.things", [key("key_a", 1), options]))
    fill(con, contract, [{"key_a": str(n), "code": text} for n, text in enumerate((*matching, *TEXTS, None))])
    assert disagreements(con, contract) == []


@pytest.mark.parametrize("expression", ROW_RULES)
def test_both_judges_read_a_row_rule_alike(con: duckdb.DuckDBPyConnection, folder: Path, expression: str) -> None:
    columns = [
        key("kind", 1),
        column("label"),
        column("whole", "integer"),
        column("part", "number"),
        column("begins_on", "date"),
        column("ends_on", "date"),
    ]
    quality = [row_rule_quality("row", expression)]
    contract = load(folder, document("public.things", columns, quality=quality))
    days = (None, dt.date(1900, 1, 1), dt.date(1899, 12, 31))
    labels = ("a", "{batch}", "x %s :x", "abab", None, "123456789")
    rows = [
        {"kind": kind, "label": label, "whole": whole, "part": 1e-4, "begins_on": days[1], "ends_on": ends}
        for kind in (":b", "{c}", "it's", "z")
        for label in labels
        for whole in (None, 4, 7)
        for ends in days
    ]
    fill(con, contract, rows)
    assert disagreements(con, contract) == []
    assert 0 < count_broken(con, contract.rules[-1], contract) < len(rows)


@pytest.mark.parametrize(
    ("logical_type", "limit"),
    [
        ("integer", 1_234_567),
        ("integer", EXACT - 2),
        ("number", 0.123456789),
        ("number", 1e-12),
        ("number", 2.5e300),
    ],
)
@pytest.mark.parametrize("end", ["minimum", "maximum"])
def test_a_bound_is_exact_however_many_digits_it_has(
    con: duckdb.DuckDBPyConnection, folder: Path, logical_type: str, limit: float, end: str
) -> None:
    sized = column("size", logical_type, logicalTypeOptions={end: limit})
    contract = load(folder, document("public.things", [key("code", 1), sized]))
    for number in near({end: limit}):
        fill(con, contract, [{"code": "a", "size": number}])
        assert disagreements(con, contract) == []
        broken = number < limit if end == "minimum" else number > limit
        rule = next(rule for rule in contract.all_rules() if rule.kind == "range")
        assert count_broken(con, rule, contract) == broken


def test_broken_rows_are_counted_however_many_there_are(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    columns = [key("code", 1, logicalTypeOptions={"pattern": "a", "maxLength": 2}), column("size", "integer")]
    quality = [row_rule_quality("small", "size < 0")]
    contract = load(folder, document("public.things", columns, quality=quality))
    fill(con, contract, [{"code": "=bc", "size": 1}] * 1000)
    assert disagreements(con, contract) == []
    broken = {result.rule: result.broken for result in check_table(con, contract).results}
    assert {broken[name] for name in ("code_pattern", "code_length", "code_text", "small", "key_unique")} >= {1000}


def test_an_empty_table_breaks_its_minimum_and_nothing_else(con: duckdb.DuckDBPyConnection) -> None:
    for contract in SHIPPED.values():
        fill(con, contract, [])
    failed = {name: [r.rule for r in check_table(con, c).failures] for name, c in SHIPPED.items()}
    # A pull may be empty, nobody need have posted; and the disclosure gate may let nothing out.
    may_be_empty = ("observation.", "protected.")
    assert failed == {name: [] if name.startswith(may_be_empty) else ["row_count"] for name in SHIPPED}


# --- every rule of every shipped contract can fail, and lets a good row pass --------------------------------


@lru_cache
def matching_text(pattern: str) -> str:
    """A text that a pattern matches, the same each time."""
    strategy = st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True)
    return find(
        strategy, lambda _: True, settings=settings(database=None, derandomize=True, phases=[Phase.generate])
    )


def values_for(column: Column) -> list[Any]:
    """Values that keep the column's rules, and null where the column may be empty."""
    by_type: dict[str, list[Any]] = {
        "string": ["a text", "another text"],
        "integer": [10, 11, 12, 20, 21, 50],
        "number": [0.25, 0.5, 0.75],
        "boolean": [True, False],
        "date": [dt.date(2020, 1, 1), dt.date(2021, 1, 1)],
        "timestamp": [dt.datetime(2020, 1, 1), dt.datetime(2021, 1, 1)],  # noqa: DTZ001
    }
    values = by_type[column.type]
    for rule in column.rules:
        if rule.kind == "allowed":
            values = list(rule.allowed)
        elif rule.kind == "pattern":
            values = [matching_text(rule.pattern or ""), *column.examples]
        elif rule.kind == "range":
            values = sorted({*values, *(v for v in (rule.low, rule.high) if v is not None)})
            values = [
                v for v in values if (rule.low is None or v >= rule.low) and (rule.high is None or v <= rule.high)
            ]
    if column.type == "integer":
        values = [int(value) for value in values]
    return values if column.required else [*values, None]


def breaking(rule: Rule, column: Column) -> Any:
    """A value of the column's type that breaks the rule."""
    step = 1 if column.type == "integer" else 0.5
    if rule.kind == "range":
        value = rule.low - step if rule.low is not None else (rule.high or 0) + step
        return int(value) if column.type == "integer" else value
    if rule.kind == "length":
        return "" if rule.low else "x" * (int(rule.high or 0) + 1)
    return {"required": None, "allowed": "no such value", "pattern": "~ no match ~", "text": "=1+1"}[rule.kind]


def search(con: duckdb.DuckDBPyConnection, contract: Contract, where: str, names: Sequence[str]) -> Row:
    """Values of some columns for which a predicate is true, as few of them empty as possible."""
    columns = [c for c in contract.columns if c.name in names]
    lists = [f'(select unnest(cast(? as {c.sql_type}[])) as "{c.name}") as v_{c.name}' for c in columns]
    empty = " + ".join(f'cast("{c.name}" is null as int)' for c in columns)
    wanted = ", ".join(names)
    query = f"select {wanted} from {', '.join(lists)} where {where} order by {empty}, {wanted} limit 1"
    found = con.execute(query, [values_for(c) for c in columns]).fetchone()
    assert found is not None, f"{contract.table}: no row found with {where}"
    return dict(zip(names, found, strict=True))


def columns_in(rules: Sequence[Rule]) -> list[str]:
    trees = [sqlglot.parse_one(rule.expression or "", dialect="duckdb") for rule in rules]
    return sorted({found.name for tree in trees for found in tree.find_all(exp.Column)})


def good_row(con: duckdb.DuckDBPyConnection, contract: Contract) -> Row:
    """A row that keeps every rule of the contract."""
    row = {c.name: values_for(c)[0] for c in contract.columns}
    rules = [rule for rule in contract.rules if rule.kind == "row"]
    if rules:
        where = " and ".join(f"({rule.expression}) is true" for rule in rules)
        row |= search(con, contract, where, columns_in(rules))
    return row


def bad_rows(con: duckdb.DuckDBPyConnection, contract: Contract, good: Row) -> dict[str, Row]:
    """For each rule about a row, the good row with as little changed as breaks that rule."""
    columns = {c.name: c for c in contract.columns}
    rows = {}
    for rule in contract.all_rules():
        if rule.kind == "row":
            rows[rule.name] = {**good, **search(con, contract, row_rule(rule, contract), columns_in([rule]))}
        elif rule.per_row and rule.kind != "type":
            rows[rule.name] = {**good, str(rule.column): breaking(rule, columns[str(rule.column)])}
    return rows


every_shipped_contract = pytest.mark.parametrize("contract", SHIPPED.values(), ids=list(SHIPPED))


@every_shipped_contract
def test_a_good_row_passes_both_judges(con: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    fill(con, contract, [good_row(con, contract)])
    assert disagreements(con, contract) == []
    broken = {rule.name for rule in contract.all_rules() if rule.per_row and rule.kind != "type"} & {
        result.rule for result in check_table(con, contract).results if not result.passed
    }
    assert broken == set()


@every_shipped_contract
def test_every_rule_of_a_shipped_contract_catches_a_counter_example(
    con: duckdb.DuckDBPyConnection, contract: Contract
) -> None:
    good = good_row(con, contract)
    bad = bad_rows(con, contract, good)
    fill(con, contract, [good, *bad.values()])
    assert disagreements(con, contract) == []
    verdict = check_table(con, contract)
    assert judged_as_changed(con, contract, verdict) == verdict
    results = {result.rule: result for result in verdict.results}
    for rule in contract.all_rules():
        if rule.name not in bad:
            continue
        assert not results[rule.name].passed, rule.name
        fill(con, contract, [good])
        assert count_broken(con, rule, contract) == 0, rule.name
        fill(con, contract, [bad[rule.name]])
        assert count_broken(con, rule, contract) == 1, rule.name


@pytest.mark.parametrize("contract", [c for c in SHIPPED.values() if c.minimum_rows], ids=lambda c: c.table)
def test_too_few_rows_and_repeated_keys_of_a_shipped_contract_are_caught(
    con: duckdb.DuckDBPyConnection, contract: Contract
) -> None:
    good, least = good_row(con, contract), contract.minimum_rows
    fill(con, contract, [good])
    con.execute(f"insert into {contract.table} select t.* from {contract.table} as t, range({least - 1})")
    con.execute(f"insert into {contract.table} from {contract.table} limit {int(least == 1)}")
    enough = check_table(con, contract)
    assert {r.rule for r in enough.failures} == {
        rule.name for rule in contract.all_rules() if rule.kind == "unique"
    }
    assert disagreements(con, contract) == []
    con.execute(f"delete from {contract.table} where rowid >= {least - 1}")
    assert one(con, f"select count(*) from {contract.table}") == least - 1
    assert "row_count" in {r.rule for r in check_table(con, contract).failures}


@pytest.mark.parametrize(
    ("minimum", "least"), [("live", 9), ("sample", 3), ("none", 0)], ids=["live", "sample", "none"]
)
def test_the_minimum_that_holds_is_the_one_asked_for(
    con: duckdb.DuckDBPyConnection, folder: Path, minimum: MinimumRows, least: int
) -> None:
    thing = document("public.things", [key("code", 1)])
    small = [{"property": "sampleMinimum", "value": 3}]
    thing["schema"][0]["quality"] = [row_count(9, customProperties=small)]
    contract = load(folder, thing)
    for rows in {0, least, max(least - 1, 0)}:
        fill(con, contract, [{"code": f"code {n}"} for n in range(rows)])
        assert _passed(check_table(con, contract, minimum))["row_count"] == (rows >= least)


def _passed(verdict: Verdict) -> dict[str, bool]:
    return {result.rule: result.passed for result in verdict.results}


# --- fail closed, and say no value --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule",
    [
        Rule("odd", "row", "critical", expression="no_such_column > 1"),
        Rule("odd", "row", "critical", expression="size >"),
        Rule("odd", "row", "critical", expression="cast(code as integer) > 1"),
        Rule("odd", "pattern", "critical", "code", pattern="("),
        Rule("odd", "range", "critical", "code", low=1),
        Rule("odd", "length", "critical", "size", low=1),
        Rule("odd", "allowed", "critical", "no_such_column", allowed=("a",)),
        Rule("odd", "required", "critical", "no_such_column"),
        Rule("odd", "unique", "critical", columns=("no_such_column",)),
        Rule("odd", "unique", "critical", columns=("code", "no_such_column")),
    ],
    ids=lambda rule: f"{rule.kind} {rule.expression or rule.pattern or rule.column or rule.columns}",
)
def test_a_rule_that_cannot_be_evaluated_counts_as_failed(
    con: duckdb.DuckDBPyConnection, folder: Path, rule: Rule
) -> None:
    sound = load(folder, document("public.things", [key("code", 1), column("size", "integer")]))
    fill(con, sound, [{"code": CANARY, "size": 1}])
    verdict = check_table(con, replace(sound, rules=(*sound.rules, rule)))
    assert CANARY not in repr(verdict)
    assert [result.rule for result in verdict.failures] == ["odd"]
    assert verdict.failures[0].problem
    assert "could not be checked" in verdict.failures[0].sentence()


def test_a_table_that_is_not_there_fails_every_rule(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    contract = load(folder, document("public.no_such_thing", [key("code", 1)]))
    assert len(check_table(con, contract).failures) == len(to_suite_spec(contract))


def test_a_rule_that_only_warns_is_a_warning_not_a_failure(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    quality = [row_rule_quality("small", "size < 0", "warning")]
    columns = [key("code", 1), column("size", "integer")]
    contract = load(folder, document("public.things", columns, quality=quality))
    fill(con, contract, [{"code": "a", "size": 1}])
    verdict = check_table(con, contract)
    assert verdict.failures == ()
    assert [(result.rule, result.broken) for result in verdict.warnings] == [("small", 1)]


def test_no_value_of_a_cell_appears_in_a_verdict_or_on_the_way_to_it(
    con: duckdb.DuckDBPyConnection,
    folder: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    number = 918_273_645
    only = {"metric": "invalidValues", "mustBe": 0, "arguments": {"validValues": ["a"]}}
    columns = [
        key("code", 1, logicalTypeOptions={"pattern": "[a-f]+", "maxLength": 3}),
        key("place", 2),
        column("kind", unique=True, quality=[only]),
        column("size", "integer", unique=True, logicalTypeOptions={"maximum": 5}),
        column("seen_on", "date", required=True),
    ]
    quality = [row_rule_quality("small", "size < 0"), row_rule_quality("cast", "cast(kind as integer) > 0")]
    contract = load(folder, document("public.things", columns, quality=quality))
    canaries = {"code": f"={CANARY}", "place": f"@{CANARY}", "kind": f"+{CANARY}", "size": number}
    fill(con, contract, [canaries] * 7)
    verdict = check_table(con, contract)
    passed = _passed(verdict)
    assert [name for name in passed if passed[name]] == ["code_required", "place_required", "row_count"]
    said = [repr(verdict), *(result.sentence() for result in verdict.results), caplog.text, *capfd.readouterr()]
    for text in said:
        assert CANARY not in text
        assert str(number) not in text


def test_the_connection_is_still_usable_after_the_verdict(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    contract = load(folder, document("public.things", [key("code", 1)]))
    fill(con, contract, [{"code": "a"}])
    assert check_table(con, contract).failures == ()
    con.execute("insert into public.things values ('b')")
    assert one(con, "select count(*) from public.things") == 2


def test_every_kind_of_rule_is_met_in_this_file() -> None:
    kinds = {rule.kind for contract in SHIPPED.values() for rule in contract.all_rules()}
    assert kinds == {
        "type",
        "required",
        "allowed",
        "pattern",
        "range",
        "length",
        "text",
        "row",
        "unique",
        "row_count",
    }
    assert set(SQL_TYPES) >= {c.type for contract in SHIPPED.values() for c in contract.columns}
    assert sys.modules.get("great_expectations")
