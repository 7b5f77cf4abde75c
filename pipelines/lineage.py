"""What an SQL file reads: tables, columns, order; read from the SQL itself, never declared a second time.

Belongs here: pure questions about SQL text, answered by parsing. Does not belong here: running SQL, and
translating it (sqlglot only parses; its translations to other engines are wrong in places that matter here).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

LAYERS = ("clean", "model", "public")
READABLE = frozenset({"source", "observation", "protected", "clean", "model", "public", "quarantine", "published"})
MAY_READ = {
    "clean": frozenset({"source", "clean"}),
    "model": frozenset({"clean", "model", "source", "observation"}),
    "public": frozenset({"clean", "model", "public", "protected", "quarantine", "published"}),
}


NEWEST = re.compile(r"-- newest per ([a-z_]+(?:, [a-z_]+)*) by ([a-z_]+(?:, [a-z_]+)*)[.]?")
REBUILT = re.compile(r"-- rebuilt by ([a-z_]+)(?:, ([a-z_]+))?[.]?")


@dataclass(frozen=True)
class Newest:
    """A table that keeps, per `key`, the newest row by `order` of all observations ever seen."""

    key: tuple[str, ...]
    order: tuple[str, ...]


@dataclass(frozen=True)
class Rebuilt:
    """A table whose rows of one value of `column` follow from the rows of that value in what it reads.

    The column is a day or a text. With `within`, a text, the rows of one pair of values follow from those of that
    pair.
    """

    column: str
    within: str | None = None


class SqlError(Exception):
    """An SQL file that breaks a rule of the house; the message names the file and the remedy."""


@dataclass(frozen=True)
class Query:
    """One SQL file, which builds one table named after its folder and file."""

    path: Path
    text: str

    @property
    def layer(self) -> str:
        """clean, model or public."""
        return self.path.parent.name

    @property
    def table(self) -> str:
        """The qualified name of the table that the file builds."""
        return f"{self.layer}.{self.path.stem}"

    @property
    def grain(self) -> str:
        """The first line's statement of what one row is."""
        match = re.match(r"-- (one row per .+)\n", self.text)
        if not match:
            raise SqlError(f"{self.path}: the first line must be a comment `-- one row per …`")
        return match.group(1).rstrip(".")

    @cached_property
    def refresh(self) -> Newest | Rebuilt | None:
        """How the table follows its changing input, as the second line says; None: built as a whole."""
        line = [*self.text.split("\n"), ""][1]
        if match := NEWEST.fullmatch(line):
            return Newest(tuple(match.group(1).split(", ")), tuple(match.group(2).split(", ")))
        if match := REBUILT.fullmatch(line):
            return Rebuilt(match.group(1), match.group(2))
        if line.startswith(("-- newest", "-- rebuilt")):
            raise SqlError(f"{self.path}: the second line must be `-- newest per … by …` or `-- rebuilt by …`")
        return None

    @cached_property
    def tree(self) -> exp.Query:
        """The parsed statement. Errors: `SqlError` when the file is not exactly one query."""
        try:
            statements = sqlglot.parse(self.text, dialect="duckdb")
        except SqlglotError as error:
            raise SqlError(f"{self.path}: {error}") from None
        if len(statements) != 1 or not isinstance(statements[0], exp.Query):
            raise SqlError(f"{self.path}: must hold exactly one query")
        return statements[0]

    @cached_property
    def reads(self) -> frozenset[str]:
        """Every table that the query reads, as `schema.table`."""
        return frozenset(self._tables())

    def _tables(self) -> Iterator[str]:
        own = {cte.alias for cte in self.tree.find_all(exp.CTE)}
        for table in self.tree.find_all(exp.Table):
            if isinstance(table.this, exp.Func):
                if table.this.name.lower().startswith("read_") or isinstance(
                    table.this, exp.ReadCSV | exp.ReadParquet
                ):
                    raise SqlError(f"{self.path}: {table.this.sql().lower()} reads a file; only pulls read files")
                continue
            if not table.db and table.name in own:
                continue
            if table.catalog:
                raise SqlError(f"{self.path}: {table.sql()} is in another database")
            if not table.db:
                raise SqlError(f"{self.path}: write {table.name!r} as schema.table")
            if table.db not in READABLE:
                raise SqlError(f"{self.path}: unknown schema {table.db!r} in {table.sql()}")
            yield f"{table.db}.{table.name}"

    def faults(self) -> list[str]:
        """What the house's rules find wrong with the file, one line each."""
        faults = []
        try:
            _ = self.grain
            allowed = MAY_READ[self.layer]
            backwards = sorted(t for t in self.reads if t.split(".")[0] not in allowed)
        except SqlError as error:
            return [str(error)]
        if backwards:
            faults.append(f"{self.path}: the {self.layer} layer may not read {', '.join(backwards)}")
        if self.layer == "clean" and any(self.tree.find_all(exp.Join)):
            faults.append(f"{self.path}: clean tables rename, map and trim; joins belong in model")
        if self.layer == "public" and any(self.tree.find_all(exp.Star)) and _bare_star(self.tree):
            faults.append(f"{self.path}: name the columns of a public table; no `select *`")
        return faults


def _bare_star(tree: exp.Query) -> bool:
    return any(not isinstance(star.parent, exp.Count) for star in tree.find_all(exp.Star))


def load_queries(folder: Path) -> dict[str, Query]:
    """Read every `clean`, `model` and `public` SQL file; keys are the tables that they build."""
    queries = (
        Query(path, path.read_text(encoding="utf-8"))
        for layer in LAYERS
        for path in sorted((folder / layer).glob("*.sql"))
    )
    return {query.table: query for query in queries}


def build_order(queries: Mapping[str, Query]) -> list[str]:
    """The tables in an order in which each comes after all it reads. Errors: `SqlError` names a cycle."""
    sorter = TopologicalSorter(
        {table: sorted(query.reads & set(queries) - {table}) for table, query in sorted(queries.items())}
    )
    try:
        return list(sorter.static_order())
    except CycleError as error:
        raise SqlError(f"tables read each other in a circle: {' -> '.join(error.args[1])}") from None


def upstream_sources(table: str, queries: Mapping[str, Query]) -> frozenset[str]:
    """Every table from outside that a table's rows can come from, through all layers.

    Outside are sources, observations, and what the disclosure gate lets out of interviews.
    """
    seen: set[str] = set()
    waiting = [table]
    while waiting:
        current = waiting.pop()
        if current not in seen:
            seen.add(current)
            waiting += queries[current].reads if current in queries else ()
    return frozenset(name for name in seen if name.startswith(("source.", "observation.", "protected.")))


Origins = Mapping[str, Sequence[tuple[str, str]]]


def observed_origins(
    tables: Iterable[str], queries: Mapping[str, Query], origins_of: Callable[[Query], Origins]
) -> dict[str, frozenset[str]]:
    """For each table, the observed `table.field`s that its columns are computed from, through all layers.

    `origins_of` gives for each column of a query what it is computed from, as `column_lineage` does.
    """
    traced: dict[str, dict[str, frozenset[str]]] = {}

    def columns_of(table: str) -> dict[str, frozenset[str]]:
        if table not in traced:
            traced[table] = {}
            query = queries.get(table)
            for column, origins in origins_of(query).items() if query else ():
                traced[table][column] = frozenset().union(*(observed(*origin) for origin in origins))
        return traced[table]

    def observed(table: str, column: str) -> frozenset[str]:
        if table.startswith("observation."):
            return frozenset({f"{table.split('.')[1]}.{column}"})
        return columns_of(table).get(column, frozenset())

    return {table: frozenset().union(*columns_of(table).values()) for table in tables}


def column_lineage(query: Query, schema: Mapping[str, Mapping[str, str]]) -> dict[str, list[tuple[str, str]]]:
    """For each output column, the `(table, column)` pairs that it is computed from.

    `schema` maps each table that the query reads to its columns and types. A column whose origin cannot be
    traced (a literal, a table function) is left out.
    """
    from sqlglot.lineage import lineage
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.optimizer.scope import build_scope

    nested: dict[Any, Any] = {}
    for table, columns in schema.items():
        layer, name = table.split(".")
        nested.setdefault(layer, {})[name] = dict(columns)
    tree = qualify(query.tree.copy(), schema=nested, dialect="duckdb", validate_qualify_columns=False)
    scope = build_scope(tree)
    if scope is None or not isinstance(tree, exp.Query):
        return {}
    traced: dict[str, list[tuple[str, str]]] = {}
    for column in tree.named_selects:
        node = lineage(column, tree, schema={}, scope=scope, dialect="duckdb", trim_selects=False)
        origins = {
            (f"{leaf.source.db}.{leaf.source.name}", leaf.name.split(".")[-1].strip('"'))
            for leaf in node.walk()
            if not leaf.downstream and isinstance(leaf.source, exp.Table)
        }
        if origins:
            traced[column] = sorted(origins)
    return traced
