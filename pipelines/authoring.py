"""For those who write contracts and SQL: checking the house's rules, and starting a new dataset.

Belongs here: what needs contracts and queries together, but no data. Does not belong here: the rules of either
alone (`contract`, `lineage`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipelines.contract import (
    NAME,
    Contract,
    ContractError,
    load_contracts,
    load_fields,
    official_faults,
    resolved_document,
)
from pipelines.corrections import CorrectionError, load_corrections
from pipelines.lineage import Query, SqlError, build_order, load_queries, upstream_sources
from pipelines.policy import PolicyError, load_policy
from pipelines.release.build import licence_faults
from pipelines.settings import project_folder

CONTRACT_TEMPLATE = """\
apiVersion: v3.1.0
kind: DataContract
id: public.{name}
name: {title}
version: 0.1.0
status: draft
domain: local-government
description:
  purpose: >-
    Say which question this dataset answers, and for whom; this text opens its page.
  usage: >-
    Say how to read it, and what to join it with.
  limitations: >-
    Say what it cannot show, before anyone finds out by using it.
schema:
  - name: {name}
    physicalName: public.{name}
    logicalType: object
    physicalType: table
    dataGranularityDescription: one row per current authority
    properties:
      - name: authority_code
        primaryKey: true
        primaryKeyPosition: 1
      - name: valid_from
    quality:
      - metric: rowCount
        mustBeGreaterOrEqualTo: 300
        description: Take this from a healthy run.
        customProperties: [{{property: sampleMinimum, value: 10}}]
slaProperties:
  - {{property: freshness, value: 40, unit: d}}
customProperties:
  - {{property: licence, value: CC-BY-4.0}}
  - property: attribution
    value:
      - "UK local authority names and codes, mySociety"
"""
QUERY_TEMPLATE = """\
-- one row per current authority
select
  authority.authority_code,
  authority.valid_from
from clean.authority as authority
where authority.valid_to is null
"""
COUNTER_EXAMPLE_TEMPLATE = """\
# Rows that the contract of {name} must refuse: each names the rule it breaks and the column to spoil.
- {{rule: authority_code_required, set: {{authority_code: null}}}}
- {{rule: authority_code_pattern, set: {{authority_code: "not a code"}}}}
"""


def project_faults(contracts_folder: Path | None = None, sql_folder: Path | None = None) -> list[str]:
    """What is wrong with contracts and SQL files, one sentence each; empty when all is in order."""
    folder = contracts_folder or project_folder("data_contracts")
    try:
        contracts = load_contracts(folder)
        if (folder / "policy.yml").exists() or contracts_folder is None:
            load_policy(folder / "policy.yml", contracts)
        if (folder / "corrections.yml").exists() or contracts_folder is None:
            load_corrections(folder / "corrections.yml", contracts)
        queries = load_queries(sql_folder or project_folder("sql"))
        faults = [fault for query in queries.values() for fault in query.faults()]
        if not faults:
            build_order(queries)
            faults += _pairing_faults(contracts, queries)
            faults += _licence_faults(contracts, queries)
    except (ContractError, CorrectionError, PolicyError, SqlError) as error:
        return [str(error)]
    return faults + list(_official_faults(folder, contracts))


def _official_faults(folder: Path, contracts: Mapping[str, Contract]) -> Iterator[str]:
    fields = load_fields(folder / "fields.yml")
    for contract in contracts.values():
        for fault in official_faults(resolved_document(contract.path, fields)):
            yield f"{contract.path}: not ODCS: {fault}"


def _pairing_faults(contracts: Mapping[str, Contract], queries: Mapping[str, Query]) -> Iterator[str]:
    """Every public contract has its query and the other way round; every table that is read is built."""
    built = set(queries) | {table for table in contracts if table.startswith("source.")}
    for table, contract in contracts.items():
        if contract.layer == "public" and table not in queries:
            yield f"{contract.path}: has no sql/public/{contract.name}.sql"
    for query in queries.values():
        if query.layer == "public" and query.table not in contracts:
            yield f"{query.path}: has no data_contracts/public/{query.path.stem}.yml"
        for table in sorted(query.reads - built):
            if table.split(".")[0] in ("source", "clean", "model", "public"):
                yield f"{query.path}: reads {table}, which nothing builds"


def _licence_faults(contracts: Mapping[str, Contract], queries: Mapping[str, Query]) -> list[str]:
    public = [contract for contract in contracts.values() if contract.layer == "public"]
    origins = {
        contract.name: [
            contracts[table] for table in sorted(upstream_sources(contract.table, queries)) if table in contracts
        ]
        for contract in public
    }
    return licence_faults(public, origins)


def start_dataset(
    name: str,
    contracts_folder: Path | None = None,
    sql_folder: Path | None = None,
    examples_folder: Path | None = None,
) -> list[Path]:
    """Write a contract, a query and counter-examples for a new public dataset; returns the paths.

    They pass every check at once, so that the first change of the author is the first that can fail.
    Errors: `ContractError` when the name cannot be used or is taken; then nothing is written.
    """
    contracts_folder = contracts_folder or project_folder("data_contracts")
    sql_folder = sql_folder or project_folder("sql")
    examples_folder = examples_folder or sql_folder.parent / "tests" / "fixtures" / "counter_examples"
    if not re.fullmatch(NAME, name):
        raise ContractError(f"{name!r} cannot be a dataset's name: use lower case, digits and underscores")
    title = name.replace("_", " ").capitalize()
    texts = {
        contracts_folder / "public" / f"{name}.yml": CONTRACT_TEMPLATE.format(name=name, title=title),
        sql_folder / "public" / f"{name}.sql": QUERY_TEMPLATE,
        examples_folder / f"{name}.yml": COUNTER_EXAMPLE_TEMPLATE.format(name=name),
    }
    if taken := [path for path in texts if path.exists()]:
        raise ContractError(f"{taken[0]} exists already: choose another name")
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(texts)
