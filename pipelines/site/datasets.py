"""A page per dataset: what it is for, its limits first, its columns and first rows, and how to use it.

Belongs here: what a dataset's page says and the snippets on it, which run as they are printed. Does not belong
here: the codebook inside a release (`release.package`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from pipelines.contract import Contract
from pipelines.release.manifest import DatasetEntry
from pipelines.release.metadata.publisher import cite
from pipelines.release.metadata.schema_org import dataset_json_ld, script_text
from pipelines.release.pages import cells_of
from pipelines.site.page import Page
from pipelines.site.released import Released

FIRST_ROWS = 10


@dataclass(frozen=True)
class Snippet:
    """A few lines for one tool; `language` is what a test runs them with, and `answer` what they print."""

    tool: str
    language: str
    text: str
    answer: str


def dataset_pages(released: Released) -> list[Page]:
    """The pages `datasets/<name>.html` of the newest release."""
    return [dataset_page(released, entry) for entry in released.manifest.datasets]


def dataset_page(released: Released, entry: DatasetEntry) -> Page:
    """The page of one dataset."""
    contract = released.contracts[entry.name]
    changes = (
        next((c for c in released.changes.datasets if c.name == entry.name), None) if released.changes else None
    )
    path, by = f"datasets/{entry.name}.html", released.publisher
    address = f"{by.base_url}/{path}" if by.base_url else f"../../{path}"
    described = dataset_json_ld(released.manifest, contract, publisher=by, page=address)
    return Page(
        path,
        entry.title,
        "dataset_page.html",
        {
            "entry": entry,
            "contract": contract,
            "rows": _first_rows(released, contract),
            # In a file that is sorted by council, one council's rows lie together and are read in a few pieces.
            "looked_up": released.has("authorities") and contract.key[0] == "authority_code",
            "snippets": snippets(released, entry),
            "told": changes.sentences() if changes else [],
            "verdict": verdict(released.quality.get(entry.name, {})),
            "citation": cite(released.manifest, released.publisher),
            "next_expected": released.next_expected,
            "json_ld": Markup(script_text(described)),  # noqa: S704 - escaped for a script by its maker
        },
    )


def _first_rows(released: Released, contract: Contract) -> Sequence[Sequence[Any]]:
    names, key = ", ".join(column.name for column in contract.columns), ", ".join(contract.key)
    sql = f"select {names} from {contract.name} order by {key} limit {FIRST_ROWS}"
    return [cells_of(row, contract) for row in released.con.execute(sql).fetchall()]


def snippets(released: Released, entry: DatasetEntry) -> list[Snippet]:
    """How to open a dataset and count its rows in four tools.

    With a public address they read from there; without one they start in the folder that holds the file.
    """
    version, by, name = released.manifest.version, released.publisher, entry.name
    parquet, csv = (by.address(version, f"{name}{ending}") for ending in (".parquet", ".csv.gz"))
    opened = f'gzcon(url("{csv}"))' if by.base_url else f'"{csv}"'
    rows = str(entry.rows)
    return [
        Snippet("DuckDB", "duckdb", f"select count(*) from '{parquet}';", rows),
        Snippet(
            "Python",
            "python",
            f'import pandas\n{name} = pandas.read_parquet("{parquet}")\nprint(len({name}))',
            rows,
        ),
        Snippet("R", "r", f'{name} <- read.csv({opened}, na.strings = "")\nprint(nrow({name}))', rows),
    ]


@dataclass(frozen=True)
class Quality:
    """How many critical rules hold, and the warnings that the release lives with."""

    critical: int
    warnings: tuple[str, ...]


def verdict(told: Mapping[str, Any]) -> Quality:
    """What `quality.json` says of a dataset."""
    rules = told.get("rules", [])
    critical = sum(rule["severity"] == "critical" and rule["passed"] for rule in rules)
    return Quality(critical, tuple(str(warning) for warning in told.get("warnings", [])))
