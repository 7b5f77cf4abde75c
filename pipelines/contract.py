"""Data contracts: one ODCS 3.1 document per table, and everything that follows from it.

Belongs here: reading contracts strictly, and pure functions from a contract to DDL, row rules, expectation
specifications, Arrow and Data Package schemas. Does not belong here: opening a database, running Great
Expectations, or writing files; `warehouse`, `checks` and `release` do that with what this module returns.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar, cast, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

if TYPE_CHECKING:
    import pyarrow as pa

Layer = Literal["source", "observation", "restricted", "protected", "public"]
LogicalType = Literal["string", "integer", "number", "boolean", "date", "timestamp"]
Classification = Literal["drop", "direct", "quasi", "sensitive", "measure", "safe"]
Severity = Literal["critical", "warning"]
RuleKind = Literal[
    "type", "required", "allowed", "pattern", "range", "length", "text", "row", "unique", "row_count"
]

MinimumRows = Literal["live", "sample", "none"]
Licence = Literal["CC-BY-4.0", "CC-BY-SA-4.0", "CC0-1.0", "OGL-UK-3.0", "MIT"]

SQL_TYPES: Mapping[LogicalType, str] = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
}
NUMERIC: frozenset[LogicalType] = frozenset({"integer", "number"})
PUBLISHABLE: frozenset[Classification] = frozenset({"quasi", "measure", "safe"})
SHOWN: frozenset[Layer] = frozenset({"protected", "public"})  # what leaves the privacy gate, or is published
PROVENANCE = ("snapshot_sha256", "snapshot_on", "source_row")
NAME = r"^[a-z][a-z0-9_]*$"
DELTA_COLUMNS = ("change", "changed_columns")  # what a file of changes says about a row, before the row itself
# Text that a spreadsheet would run, or that hides or reorders what a reader sees, is never published.
UNSAFE_TEXT = (
    r"^[=+@\t\r-]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2066}-\x{2069}\x{feff}]"
)


Model = TypeVar("Model", bound=BaseModel)


class ContractError(Exception):
    """A contract that cannot be used; the message names the file, the place in it and the remedy."""


# --- the document as written: a strict subset of ODCS 3.1, unknown keys are errors --------------------------


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _CustomProperty(_Strict):
    property: str
    value: Any


class _Quality(_Strict):
    name: str | None = None
    description: str | None = None
    type: Literal["library", "custom"] = "library"
    metric: Literal["invalidValues", "rowCount"] | None = None
    arguments: dict[str, Any] | None = None
    mustBe: int | None = None  # noqa: N815 - ODCS spells it so
    mustBeGreaterOrEqualTo: int | None = None  # noqa: N815
    engine: Literal["duckdb"] | None = None
    implementation: str | None = None
    severity: Severity = "critical"
    customProperties: list[_CustomProperty] = Field(default_factory=list)  # noqa: N815


class _TypeOptions(_Strict):
    pattern: str | None = None
    minLength: int | None = None  # noqa: N815
    maxLength: int | None = None  # noqa: N815
    minimum: float | None = None
    maximum: float | None = None


class _Property(_Strict):
    name: str = Field(pattern=NAME)
    physicalName: str | None = None  # noqa: N815
    businessName: str | None = None  # noqa: N815
    logicalType: LogicalType  # noqa: N815
    logicalTypeOptions: _TypeOptions = _TypeOptions()  # noqa: N815
    description: str = Field(min_length=10)
    classification: Classification
    required: bool = False
    unique: bool = False
    primaryKey: bool = False  # noqa: N815
    primaryKeyPosition: int | None = None  # noqa: N815
    examples: list[Any] = Field(default_factory=list)
    quality: list[_Quality] = Field(default_factory=list)
    customProperties: list[_CustomProperty] = Field(default_factory=list)  # noqa: N815


class _Table(_Strict):
    name: str = Field(pattern=NAME)
    physicalName: str  # noqa: N815
    logicalType: Literal["object"] = "object"  # noqa: N815
    physicalType: Literal["table"] = "table"  # noqa: N815
    dataGranularityDescription: str = Field(min_length=10)  # noqa: N815
    properties: list[dict[str, Any]] = Field(min_length=1)
    quality: list[_Quality] = Field(default_factory=list)
    customProperties: list[_CustomProperty] = Field(default_factory=list)  # noqa: N815


class _Description(_Strict):
    purpose: str = Field(min_length=20)
    limitations: str = Field(min_length=20)
    usage: str | None = None


class _Sla(_Strict):
    property: Literal["freshness"]
    value: int = Field(gt=0)
    unit: Literal["d"]


class _Document(_Strict):
    apiVersion: Literal["v3.1.0"]  # noqa: N815
    kind: Literal["DataContract"]
    id: str
    name: str
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    status: Literal["draft", "active", "deprecated"]
    domain: Literal["local-government"]
    description: _Description
    schema_: list[_Table] = Field(alias="schema", min_length=1, max_length=1)
    slaProperties: list[_Sla] = Field(default_factory=list)  # noqa: N815
    customProperties: list[_CustomProperty]  # noqa: N815


class _ContractProperties(_Strict):
    """What `customProperties` of a contract may say."""

    licence: Licence
    attribution: list[str] = Field(min_length=1)
    maxQuarantinePercent: float = Field(default=2.0, ge=0, le=100)  # noqa: N815
    keepSnapshots: Literal["latest", "all"] = "latest"  # noqa: N815
    retentionDays: int | None = Field(default=None, ge=1)  # noqa: N815 - for how long a replaced snapshot is kept
    storeRaw: bool = True  # noqa: N815 - false: only the allow-listed columns ever reach the disk
    layouts: list[Layout] = Field(default_factory=list)
    dropped: list[str] = Field(default_factory=list)
    # The finest level at which the dataset shows accounts; see policy.yml. Archives take aggregates only.
    level: Literal["account", "aggregate"] | None = None
    emptyWithout: list[str] = Field(default_factory=list)  # noqa: N815 - sources, or `platforms`, without which no row is expected
    replacedBy: str | None = Field(default=None, pattern=NAME)  # noqa: N815 - the dataset to use instead of this one
    removeAfter: dt.date | None = None  # noqa: N815 - the last day on which a deprecated dataset is promised


class _RowCountProperties(_Strict):
    """What `customProperties` of a minimum row count may say."""

    sampleMinimum: int | None = Field(default=None, ge=0)  # noqa: N815


class _NoProperties(_Strict):
    """Where `customProperties` have nothing to say."""


class _ColumnProperties(_Strict):
    """What `customProperties` of a column may say."""

    unit: str | None = None
    layouts: dict[str, str | None] = Field(default_factory=dict)
    optional: bool = False
    mayHoldAddress: bool = False  # noqa: N815 - what looks like an e-mail address is one of the field's values
    # That a column of a source names an account: of which platform, or `platform` where that column says it.
    account: str | None = Field(default=None, pattern=NAME)
    # What looks personal and is published on purpose, in the words of the last search of a release.
    mayShow: list[Literal["handle", "fediverse address", "social address", "e-mail address"]] = Field(  # noqa: N815
        default_factory=list
    )


# --- the contract as used -----------------------------------------------------------------------------------


class Layout(_Strict):
    """One known column layout of a source file; `ignored` lists fields that are known and not read."""

    name: str = Field(pattern=NAME)
    ignored: list[str] = Field(default_factory=list)


@dataclass(frozen=True)
class Rule:
    """One checkable statement; `column` is None for statements about a row or the table."""

    name: str
    kind: RuleKind
    severity: Severity
    column: str | None = None
    allowed: tuple[str, ...] = ()
    pattern: str | None = None
    low: float | None = None
    high: float | None = None
    expression: str | None = None
    columns: tuple[str, ...] = ()
    sample_low: float | None = None

    @property
    def per_row(self) -> bool:
        """Whether a single row can break the rule, and so go to quarantine."""
        return self.kind not in ("unique", "row_count")


@dataclass(frozen=True)
class Column:
    """One column of a contract; `layouts` maps a source layout to the field's name in it, None if absent."""

    name: str
    title: str
    type: LogicalType
    description: str
    classification: Classification
    required: bool
    key_position: int | None
    unit: str | None
    examples: tuple[Any, ...]
    physical_name: str
    layouts: Mapping[str, str | None]
    optional: bool
    may_hold_address: bool
    may_show: tuple[str, ...]
    account: str | None
    rules: tuple[Rule, ...]

    @property
    def sql_type(self) -> str:
        """The column's DuckDB type."""
        return SQL_TYPES[self.type]

    def field_in(self, layout: str) -> str | None:
        """The field's name in a source layout, None where that layout has no such field."""
        return self.layouts.get(layout, self.physical_name)


@dataclass(frozen=True)
class Contract:
    """A table's whole promise: columns, rules, purpose, licence, freshness; immutable once loaded."""

    layer: Layer
    name: str
    title: str
    version: str
    status: Literal["draft", "active", "deprecated"]
    grain: str
    purpose: str
    limitations: str
    usage: str | None
    licence: str
    attribution: tuple[str, ...]
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...]
    freshness_days: int | None
    max_quarantine_percent: float
    keep_all_snapshots: bool
    retention_days: int | None
    store_raw: bool
    layouts: tuple[Layout, ...]
    dropped: tuple[str, ...]
    empty_without: tuple[str, ...]
    level: Literal["account", "aggregate"] | None
    replaced_by: str | None
    remove_after: dt.date | None
    document: Mapping[str, Any]  # the complete ODCS document: what the columns inherit is written out
    digest: str
    path: Path

    @property
    def table(self) -> str:
        """The qualified table name, such as `public.authorities`."""
        return f"{self.layer}.{self.name}"

    def column(self, name: str) -> Column:
        """One column by its name."""
        return next(column for column in self.columns if column.name == name)

    @property
    def key(self) -> tuple[str, ...]:
        """The primary key's columns in order."""
        keyed = [(c.key_position, c.name) for c in self.columns if c.key_position is not None]
        return tuple(name for _, name in sorted(keyed))

    @property
    def minimum_rows(self) -> int:
        """The critical minimum row count of a healthy run."""
        counts = [r.low or 0 for r in self.rules if r.kind == "row_count" and r.severity == "critical"]
        return int(next(iter(counts), 0))

    def all_rules(self) -> tuple[Rule, ...]:
        """Column rules first, in column order, then rules about rows and the table."""
        return tuple(rule for column in self.columns for rule in column.rules) + self.rules


_ContractProperties.model_rebuild()


def load_contracts(folder: Path) -> dict[str, Contract]:
    """Read `fields.yml` and the contracts of each layer; keys are qualified table names, sorted.

    Errors: `ContractError` naming the file, the place in it and the remedy.
    """
    fields = load_fields(folder / "fields.yml")
    contracts = (
        load_contract(path, fields) for layer in get_args(Layer) for path in sorted((folder / layer).glob("*.yml"))
    )
    return {contract.table: contract for contract in contracts}


def load_fields(path: Path) -> dict[str, dict[str, Any]]:
    """Read the columns that occur in several tables and are described once."""
    fields = read_yaml(path)
    for name, field in fields.items():
        if not isinstance(field, dict):
            _fail(path, f"field {name}: expected a mapping")
        _parse(_Property, {"name": name, **field}, path, f"field {name}")
    return fields


def load_contract(path: Path, fields: Mapping[str, dict[str, Any]]) -> Contract:
    """Read one contract; a column that `fields` knows inherits every key it does not state itself."""
    return _contract(read_yaml(path), fields, path, path.parent.name)


def released_contract(path: Path) -> Contract:
    """Read the contract of a public dataset as a release keeps it: a whole document, in JSON.

    Errors: `ContractError`, also where the file is not called like its dataset.
    """
    try:
        read = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise ContractError(f"{path}: not JSON") from None
    if not isinstance(read, dict):
        raise ContractError(f"{path}: expected a mapping at the top level")
    return _contract(read, {}, path, "public")


def _contract(read: Mapping[str, Any], fields: Mapping[str, dict[str, Any]], path: Path, place: str) -> Contract:
    """A document as a contract of the layer that its place says; the path names it in messages."""
    document = _parse(_Document, read, path, "document")
    table = document.schema_[0]
    layer = _layer(document, table, path, place)
    custom = _custom(_ContractProperties, document.customProperties, path, "customProperties")
    names = [layout.name for layout in custom.layouts]
    raw_columns = [_inherit(raw, fields) for raw in table.properties]
    if layer == "source":
        raw_columns += [{"name": name, "required": True, **fields[name]} for name in PROVENANCE]
    columns = tuple(_column(raw, layer, names, path) for raw in raw_columns)
    contract = Contract(
        layer=layer,
        name=table.name,
        title=document.name,
        version=document.version,
        status=document.status,
        grain=table.dataGranularityDescription,
        purpose=document.description.purpose.strip(),
        limitations=document.description.limitations.strip(),
        usage=document.description.usage,
        licence=custom.licence,
        attribution=tuple(custom.attribution),
        columns=columns,
        rules=(*_table_rules(table, columns, path),),
        freshness_days=document.slaProperties[0].value if document.slaProperties else None,
        max_quarantine_percent=custom.maxQuarantinePercent,
        keep_all_snapshots=custom.keepSnapshots == "all",
        retention_days=custom.retentionDays,
        store_raw=custom.storeRaw,
        layouts=tuple(custom.layouts),
        dropped=tuple(custom.dropped),
        empty_without=tuple(custom.emptyWithout),
        level=custom.level,
        replaced_by=custom.replacedBy,
        remove_after=custom.removeAfter,
        document=_resolved(read, fields),
        digest=_digest(document, raw_columns),
        path=path,
    )
    _check_whole(contract)
    return contract


def _digest(document: _Document, columns: list[dict[str, Any]]) -> str:
    """The hash of all that a contract says, what its columns inherit included."""
    said = document.model_dump(mode="json", exclude={"schema_": {0: {"properties"}}}), columns
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping; a key given twice is an error, since YAML would silently keep the last."""
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)  # noqa: S506 - a SafeLoader
    except FileNotFoundError:
        raise ContractError(f"{path}: no such file") from None
    except yaml.YAMLError as error:
        raise ContractError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(document, dict):
        raise ContractError(f"{path}: expected a mapping at the top level")
    return document


class _UniqueKeyLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # the fast parser
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", node.start_mark)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def _parse(model: type[Model], raw: Any, path: Path, where: str) -> Model:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in e['loc']) or where}: {e['msg'].lower()}" for e in error.errors()
        )
        raise ContractError(f"{path}: {where}: {faults}") from None


def _custom(model: type[Model], properties: list[_CustomProperty], path: Path, where: str) -> Model:
    names = [p.property for p in properties]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        _fail(path, f"{where}: {', '.join(twice)} is given twice")
    return _parse(model, {p.property: p.value for p in properties}, path, where)


def _layer(document: _Document, table: _Table, path: Path, layer: str) -> Layer:
    """The layer is said four times (folder, id, physicalName, file name); all must agree."""
    expected = f"{layer}.{path.stem}"
    for what, value in (("id", document.id), ("physicalName", table.physicalName)):
        if value != expected:
            _fail(path, f"{what} is {value!r} but the file's place says {expected!r}")
    if table.name != path.stem:
        _fail(path, f"schema name is {table.name!r} but the file is called {path.stem!r}")
    for known in get_args(Layer):
        if layer == known:
            return cast("Layer", layer)
    return _fail(path, f"contracts stand in data_contracts/ under {', '.join(get_args(Layer))}")


def _inherit(raw: dict[str, Any], fields: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    return {**fields.get(str(raw.get("name")), {}), **raw}


def _column(raw: dict[str, Any], layer: Layer, layouts: list[str], path: Path) -> Column:
    where = f"column {raw.get('name', '?')}"
    parsed = _parse(_Property, raw, path, where)
    custom = _custom(_ColumnProperties, parsed.customProperties, path, where)
    if parsed.logicalType in NUMERIC and not custom.unit:
        _fail(path, f"{where}: a numeric column needs a unit (customProperties: unit)")
    if layer in SHOWN and parsed.classification not in PUBLISHABLE:
        _fail(path, f"{where}: class {parsed.classification!r} may not stand in a {layer} dataset")
    if unknown := set(custom.layouts) - set(layouts):
        _fail(path, f"{where}: unknown layout {sorted(unknown)}")
    _check_options(parsed, path, where)
    if parsed.primaryKey != (parsed.primaryKeyPosition is not None):
        _fail(path, f"{where}: primaryKey and primaryKeyPosition go together")
    return Column(
        name=parsed.name,
        title=parsed.businessName or parsed.name.replace("_", " ").capitalize(),
        type=parsed.logicalType,
        description=" ".join(parsed.description.split()),
        classification=parsed.classification,
        required=parsed.required or parsed.primaryKey,
        key_position=parsed.primaryKeyPosition,
        unit=custom.unit,
        examples=tuple(parsed.examples),
        physical_name=parsed.physicalName or parsed.name,
        layouts=custom.layouts,
        optional=custom.optional,
        may_hold_address=custom.mayHoldAddress,
        may_show=tuple(custom.mayShow),
        account=custom.account,
        rules=tuple(_column_rules(parsed, layer, path)),
    )


def _check_options(column: _Property, path: Path, where: str) -> None:
    """Patterns and lengths are for text, bounds for numbers; on another type they would fail only when run."""
    stated = set(column.logicalTypeOptions.model_dump(exclude_none=True))
    text, numbers = {"pattern", "minLength", "maxLength"}, {"minimum", "maximum"}
    fitting = text if column.logicalType == "string" else numbers if column.logicalType in NUMERIC else set()
    if odd := sorted(stated - fitting):
        _fail(path, f"{where}: {', '.join(odd)} cannot be asked of type {column.logicalType}")


def _column_rules(column: _Property, layer: Layer, path: Path) -> Iterator[Rule]:
    name, options = column.name, column.logicalTypeOptions
    if name in PROVENANCE:
        return  # written by the loader, not by a source: there is nothing to judge
    if layer == "source" and column.logicalType != "string":
        yield Rule(f"{name}_type", "type", "critical", name)
    if column.required or column.primaryKey:
        yield Rule(f"{name}_required", "required", "critical", name)
    if options.pattern is not None:
        yield Rule(f"{name}_pattern", "pattern", "critical", name, pattern=options.pattern)
    if options.minimum is not None or options.maximum is not None:
        yield Rule(f"{name}_range", "range", "critical", name, low=options.minimum, high=options.maximum)
    if options.minLength is not None or options.maxLength is not None:
        yield Rule(f"{name}_length", "length", "critical", name, low=options.minLength, high=options.maxLength)
    if column.unique:
        yield Rule(f"{name}_unique", "unique", "critical", name, columns=(name,))
    if layer in SHOWN and column.logicalType == "string":
        yield Rule(f"{name}_text", "text", "critical", name)
    for quality in column.quality:
        yield _invalid_values_rule(column, quality, path)


def _invalid_values_rule(column: _Property, quality: _Quality, path: Path) -> Rule:
    where = f"column {column.name}: quality"
    _custom(_NoProperties, quality.customProperties, path, where)
    arguments = quality.arguments or {}
    if quality.metric != "invalidValues" or quality.mustBe != 0 or len(arguments) != 1:
        _fail(path, f"{where}: a column rule is metric invalidValues with one argument and mustBe: 0")
    if "validValues" in arguments:
        listed = arguments["validValues"]
        if not isinstance(listed, list) or not listed:
            _fail(path, f"{where}: validValues is a list of at least one value")
        values = tuple(str(value) for value in listed)
        return Rule(f"{column.name}_allowed", "allowed", quality.severity, column.name, allowed=values)
    if "pattern" in arguments:
        pattern = str(arguments["pattern"])
        name = quality.name or f"{column.name}_expected_pattern"
        return Rule(name, "pattern", quality.severity, column.name, pattern=pattern)
    return _fail(path, f"{where}: argument must be validValues or pattern")


def _table_rules(table: _Table, columns: tuple[Column, ...], path: Path) -> Iterator[Rule]:
    keyed = sorted((c.key_position, c.name) for c in columns if c.key_position is not None)
    key = tuple(name for _, name in keyed)
    _custom(_NoProperties, table.customProperties, path, "schema")
    if key:
        yield Rule("key_unique", "unique", "critical", columns=key)
    for quality in table.quality:
        yield _table_rule(quality, path)


def _table_rule(quality: _Quality, path: Path) -> Rule:
    if quality.type == "custom":
        _custom(_NoProperties, quality.customProperties, path, "quality")
        if not (quality.name and quality.implementation and quality.engine == "duckdb"):
            _fail(path, "a custom table rule needs name, engine: duckdb and implementation")
        if not re.fullmatch(NAME, quality.name):
            _fail(path, f"{quality.name!r} cannot be a rule's name: use lower case, digits and underscores")
        return Rule(quality.name, "row", quality.severity, expression=quality.implementation)
    if quality.metric != "rowCount" or quality.mustBeGreaterOrEqualTo is None:
        _fail(path, "a table rule is metric rowCount with mustBeGreaterOrEqualTo, or type custom")
    sample = _custom(_RowCountProperties, quality.customProperties, path, "rowCount").sampleMinimum
    low = float(quality.mustBeGreaterOrEqualTo)
    return Rule("row_count", "row_count", quality.severity, low=low, sample_low=sample)


def _check_whole(contract: Contract) -> None:
    names = [column.name for column in contract.columns]
    if twice := {name for name in names if names.count(name) > 1}:
        _fail(contract.path, f"columns given twice: {sorted(twice)}")
    rules = [rule.name for rule in contract.all_rules()]
    if again := sorted({name for name in rules if rules.count(name) > 1}):
        _fail(contract.path, f"rules of the same name: {', '.join(again)}")
    positions = sorted(c.key_position for c in contract.columns if c.key_position is not None)
    if positions != list(range(1, len(positions) + 1)):
        _fail(contract.path, f"primaryKeyPosition must run from 1 without a gap, not {positions}")
    if contract.layer == "source" and not contract.layouts:
        _fail(contract.path, "a source needs at least one layout (customProperties: layouts)")
    if contract.retention_days and (contract.layer != "source" or contract.keep_all_snapshots):
        _fail(contract.path, "retentionDays is for a source of which only the newest snapshots are read")
    if contract.layer == "public" and not (
        contract.key and contract.minimum_rows and contract.freshness_days and contract.usage
    ):
        _fail(contract.path, "a public dataset needs a primary key, a minimum row count, freshness and usage")
    if contract.layer == "public" and (taken := sorted(set(names) & set(DELTA_COLUMNS))):
        _fail(contract.path, f"column {taken[0]}: a public dataset leaves this name to the files of its changes")
    _check_deprecation(contract)


def _check_deprecation(contract: Contract) -> None:
    """A deprecation of a public dataset says until when it is promised, and nothing else says so."""
    stated = [contract.remove_after, contract.replaced_by]
    if contract.status != "deprecated" and any(stated):
        _fail(contract.path, "replacedBy and removeAfter go with status: deprecated")
    if contract.status == "deprecated" and contract.layer == "public" and not contract.remove_after:
        _fail(contract.path, "status deprecated needs removeAfter, a day (customProperties)")
    if contract.replaced_by == contract.name:
        _fail(contract.path, "replacedBy names the dataset itself")


def _fail(path: Path, message: str) -> NoReturn:
    raise ContractError(f"{path}: {message}")


# --- what follows from a contract ---------------------------------------------------------------------------


def quote(text: str) -> str:
    """Quote a text as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def to_ddl(contract: Contract, table: str | None = None) -> str:
    """The `create or replace table` statement with one comment per column; `table` overrides the name."""
    name = table or contract.table
    columns = ",\n".join(f'  "{c.name}" {c.sql_type}' for c in contract.columns)
    comments = [f"comment on table {name} is {quote(contract.grain)};"]
    comments += [f'comment on column {name}."{c.name}" is {quote(_comment(c))};' for c in contract.columns]
    return f"create or replace table {name} (\n{columns}\n);\n" + "\n".join(comments)


def _comment(column: Column) -> str:
    return f"{column.description} [{column.unit}]" if column.unit else column.description


def row_rule(rule: Rule, contract: Contract) -> str:
    """An SQL predicate that is true exactly for a row that breaks `rule`; never null.

    The row must have the contract's columns in their declared types; for a `type` rule it must also carry the
    raw text as `raw_<column>`.
    """
    column = f'"{rule.column}"'
    if rule.kind == "type":
        return f'("raw_{rule.column}" is not null and {column} is null)'
    if rule.kind == "required":
        return f"({column} is null)"
    if rule.kind == "allowed":
        values = ", ".join(quote(value) for value in rule.allowed)
        return f"coalesce({column} not in ({values}), false)"
    if rule.kind == "pattern":
        return f"coalesce(not regexp_full_match({column}, {quote(rule.pattern or '')}), false)"
    if rule.kind == "text":
        return f"coalesce(regexp_matches({column}, {quote(UNSAFE_TEXT)}), false)"
    if rule.kind in ("range", "length"):
        return _bounds(column if rule.kind == "range" else f"length({column})", rule)
    if rule.kind == "row":
        return f"coalesce(not ({rule.expression}), false)"
    raise ContractError(f"{contract.path}: rule {rule.name} is about the whole table, not about a row")


def _bounds(value: str, rule: Rule) -> str:
    outside = [f"{value} < {_number(rule.low)}"] if rule.low is not None else []
    outside += [f"{value} > {_number(rule.high)}"] if rule.high is not None else []
    return f"coalesce({' or '.join(outside)}, false)"


def _number(bound: float) -> str:
    """A bound as SQL: the very double that Great Expectations compares with."""
    return f"cast('{float(bound)!r}' as double)"


@dataclass(frozen=True)
class ExpectationSpec:
    """One Great Expectations expectation as plain data: its class name, arguments and severity."""

    rule: Rule
    expectation: str
    arguments: Mapping[str, Any]

    @property
    def severity(self) -> Severity:
        """What a failure means: critical stops the pipeline, warning is reported."""
        return self.rule.severity


def to_suite_spec(contract: Contract, minimum: MinimumRows = "live") -> tuple[ExpectationSpec, ...]:
    """The Great Expectations suite of a contract, without importing Great Expectations.

    `minimum` says which minimum row count holds: that of a healthy live run, that of the sample world, or none.
    """
    return tuple(
        ExpectationSpec(rule, *_expectation(rule, minimum))
        for rule in contract.all_rules()
        if rule.kind != "type"  # a column of the declared type cannot break it: only the reader can
    )


def _expectation(rule: Rule, minimum: MinimumRows) -> tuple[str, dict[str, Any]]:
    column = {"column": rule.column}
    if rule.kind == "required":
        return "ExpectColumnValuesToNotBeNull", column
    if rule.kind == "allowed":
        return "ExpectColumnValuesToBeInSet", {**column, "value_set": list(rule.allowed)}
    if rule.kind == "range":
        return "ExpectColumnValuesToBeBetween", {**column, "min_value": rule.low, "max_value": rule.high}
    if rule.kind == "unique":
        if len(rule.columns) == 1:
            return "ExpectColumnValuesToBeUnique", {"column": rule.columns[0]}
        return "ExpectCompoundColumnsToBeUnique", {
            "column_list": list(rule.columns),
            "ignore_row_if": "never",
        }
    if rule.kind == "row_count":
        sample_low = rule.low if rule.sample_low is None else rule.sample_low
        low = {"live": rule.low, "sample": sample_low, "none": 0}[minimum]
        return "ExpectTableRowCountToBeBetween", {"min_value": int(low or 0)}
    return "UnexpectedRowsExpectation", {"unexpected_rows_query": _unexpected_rows(rule)}


def _unexpected_rows(rule: Rule) -> str:
    """Rules that Great Expectations has no expectation for on DuckDB, as a query over `{batch}`."""
    if rule.kind == "pattern":
        where = f'not regexp_full_match("{rule.column}", {quote(rule.pattern or "")})'
    elif rule.kind == "text":
        where = f'regexp_matches("{rule.column}", {quote(UNSAFE_TEXT)})'
    elif rule.kind == "length":
        low, high = rule.low or 0, rule.high if rule.high is not None else 2**31
        where = f'length("{rule.column}") not between {_number(low)} and {_number(high)}'
    else:
        where = f"({rule.expression}) is false"
    # Great Expectations fills in braces, and SQLAlchemy takes a word after a colon for a parameter.
    escaped = where.replace("{", "{{").replace("}", "}}").replace(":", "\\:")
    return "select 1 as broken from {batch} where " + escaped


def to_arrow(contract: Contract) -> pa.Schema:
    """The Arrow schema of the published Parquet file; descriptions and version stand in its metadata."""
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us", tz="UTC"),
    }
    fields = [
        pa.field(
            c.name,
            types[c.type],
            nullable=not c.required,
            metadata={"description": c.description, **({"unit": c.unit} if c.unit else {})},
        )
        for c in contract.columns
    ]
    about = {
        "dataset": contract.name,
        "title": contract.title,
        "grain": contract.grain,
        "schema_version": contract.version,
        "licence": contract.licence,
        "attribution": "; ".join(contract.attribution),
    }
    return pa.schema(fields, metadata=about)


def to_table_schema(contract: Contract) -> dict[str, Any]:
    """The Data Package v2 Table Schema of the dataset."""
    types = {"timestamp": "datetime"}
    fields = []
    for column in contract.columns:
        constraints: dict[str, Any] = {"required": True} if column.required else {}
        for rule in column.rules:
            constraints |= _constraint(rule)
        field: dict[str, Any] = {
            "name": column.name,
            "type": types.get(column.type, column.type),
            "title": column.title,
            "description": column.description,
        }
        if column.unit:
            field["unit"] = column.unit
        fields.append({**field, **({"constraints": constraints} if constraints else {})})
    return {"fields": fields, "fieldsMatch": "exact", "primaryKey": list(contract.key), "missingValues": [""]}


def _constraint(rule: Rule) -> dict[str, Any]:
    if rule.severity != "critical":
        return {}
    if rule.kind == "allowed":
        return {"enum": list(rule.allowed)}
    if rule.kind == "pattern":
        return {"pattern": rule.pattern}
    if rule.kind == "range":
        bounds = {"minimum": rule.low, "maximum": rule.high}
        return {key: value for key, value in bounds.items() if value is not None}
    return {}


def freshness(contract: Contract) -> dt.timedelta | None:
    """How long a dataset may go without a successful build."""
    return dt.timedelta(days=contract.freshness_days) if contract.freshness_days else None


def resolved_document(path: Path, fields: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """A contract as a complete ODCS document: what its columns inherit from `fields` is written out."""
    return _resolved(read_yaml(path), fields)


def _resolved(document: Mapping[str, Any], fields: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    tables = [
        {**table, "properties": [_inherit(raw, fields) for raw in table["properties"]]}
        for table in document["schema"]
    ]
    return {**document, "schema": tables}


def official_faults(document: Mapping[str, Any]) -> list[str]:
    """What the official ODCS JSON schema finds wrong with a document, one line each."""
    from jsonschema import Draft201909Validator
    from open_data_contract_standard.model import OpenDataContractStandard

    text: str = OpenDataContractStandard.json_schema()  # type: ignore[no-untyped-call]
    errors = Draft201909Validator(json.loads(text)).iter_errors(document)
    return [f"{'.'.join(str(part) for part in error.path)}: {error.message}" for error in errors]
