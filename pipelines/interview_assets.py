"""Dagster's side of interviews: taking studies in, the disclosure gate, and the last look at a release.

Belongs here: assets and checks about interviews. Does not belong here: what they do (`studies`), and every
other asset (`assets`). Metadata carries numbers of studies and tables, never of cells, and no value.
"""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import duckdb

from pipelines.assets import (
    OWNERS,
    POOL,
    PROJECT,
    Workplace,
    asset_key,
    common_settings,
    report_line,
    table_result,
)
from pipelines.checks import check_table
from pipelines.contract import Contract
from pipelines.corrections import public_list
from pipelines.settings import project_folder
from pipelines.snapshots import write_atomically
from pipelines.warehouse import build_table

if TYPE_CHECKING:  # definitions are loaded often; what only a run needs is imported by it
    from pipelines.interviews.vocabulary import Vocabulary
    from pipelines.privacy.rules import Rules
    from pipelines.release.build import Inspection
    from pipelines.restricted import RestrictedStore
    from pipelines.studies import Surroundings

STORE_POOL = "restricted"  # the restricted store has one user at a time
FRAME_TABLE, SEAT_TABLE = "model.councillor_frame", "clean.councillor_seat"
COVERAGE = "interview_coverage"
REPORT, CORRECTIONS = "disclosure_report.json", "corrections.json"
log = logging.getLogger("engagement")


@contextmanager
def _plain_failures() -> Iterator[None]:
    """Turn what the store and the gate refuse into a failure that shows its sentence."""
    from pipelines.interviews.study import InterviewError
    from pipelines.privacy.rules import DisclosureError
    from pipelines.restricted import RestrictedError

    try:
        yield
    except (DisclosureError, InterviewError, RestrictedError) as error:
        raise dg.Failure(description=str(error), allow_retries=False) from None


def vocabulary() -> "Vocabulary":
    """The project's words for interviews."""
    from pipelines.interviews.vocabulary import load_vocabulary

    return load_vocabulary(project_folder("data_contracts") / "interviews.yml")


def disclosure_rules() -> "Rules":
    """The project's rules of disclosure. Errors: `DisclosureError` where one was loosened."""
    from pipelines.privacy.rules import load_rules

    return load_rules(project_folder("data_contracts") / "disclosure.yml")


def restricted_store(workplace: Workplace) -> "RestrictedStore":
    """The restricted store of the home."""
    from pipelines.restricted import RestrictedStore

    return RestrictedStore(workplace.place().restricted, PROJECT.contracts)


def studies_asset() -> dg.AssetsDefinition:
    """The asset that takes the studies that are handed in into the restricted store."""
    key = dg.AssetKey(["restricted", "studies"])

    @dg.asset(
        key=key,
        group_name="restricted",
        description="Interview studies as handed in, in a store of their own that no public table can reach.",
        owners=OWNERS,
        kinds={"duckdb"},
        pool=STORE_POOL,
        check_specs=[
            dg.AssetCheckSpec("readable", asset=key, description="Every study that is handed in can be read.")
        ],
    )
    def take(workplace: Workplace) -> dg.MaterializeResult:  # type: ignore[type-arg]
        places = workplace.source_list.interviews
        if not places:
            report_line("restricted", "studies", "off")
            return _taken(0, [])
        from pipelines.studies import take_in

        with _plain_failures(), restricted_store(workplace) as store:
            intakes = take_in(places, workplace.source_list.world, vocabulary(), store)
        refused = [intake.sentence() for intake in intakes if intake.state == "refused"]
        for sentence in refused:
            log.warning("restricted.studies: %s", sentence)
        stored = len(intakes) - len(refused)
        report_line("restricted", "studies", f"{stored} studies stored, {len(refused)} refused")
        return _taken(stored, refused)

    return take


def _taken(stored: int, refused: list[str]) -> dg.MaterializeResult:  # type: ignore[type-arg]
    return dg.MaterializeResult(
        metadata={"studies": stored, "refused": len(refused)},
        check_results=[
            dg.AssetCheckResult(
                check_name="readable",
                passed=not refused,
                severity=dg.AssetCheckSeverity.WARN,
                description="; ".join(refused) or None,
            )
        ],
    )


def gate_assets() -> dg.AssetsDefinition:
    """The assets that leave the disclosure gate, made by one step: all of them, or none."""
    contracts = PROJECT.layer("protected")
    shared = [
        common_settings(contract.table, contract, f"{contract.purpose} {contract.limitations}")
        for contract in contracts
    ]

    @dg.multi_asset(
        name="disclosure_gate",
        specs=[
            dg.AssetSpec(
                **{key: value for key, value in settings.items() if key != "check_specs"},
                deps=[dg.AssetKey(["restricted", "studies"]), asset_key(FRAME_TABLE)],
                kinds={"duckdb"},
            )
            for settings in shared
        ],
        check_specs=[spec for settings in shared for spec in settings["check_specs"]],
        pool=POOL,
    )
    def protect(workplace: Workplace) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
        with _plain_failures(), workplace.warehouse() as con:
            rows = _gate_rows(workplace, con)
            for contract in contracts:
                _write_rows(con, contract, rows.get(contract.name, ()))
                result = build_table(con, contract.table, "select * from incoming", contract.grain, contract)
                con.unregister("incoming")
                verdict = check_table(con, contract, workplace.expectation(contract))
                yield table_result(result, contract, verdict, {})

    return protect


def _gate_rows(workplace: Workplace, con: duckdb.DuckDBPyConnection) -> Mapping[str, Any]:
    """Rows of the protected tables; none where no study was ever taken in."""
    home = workplace.place()
    if not workplace.source_list.interviews and not home.restricted.exists():
        home.disclosure_report.unlink(missing_ok=True)
        return {}
    from pipelines.studies import protect_studies

    with restricted_store(workplace) as store:
        gate = protect_studies(
            store,
            vocabulary(),
            disclosure_rules(),
            surroundings(con, workplace.place().public),
            workplace.source_list.world,
            {"scipy": metadata.version("scipy"), "project": gate_digest()},
        )
    write_atomically(home.disclosure_report, json.dumps(gate.report, indent=2, sort_keys=True).encode())
    return gate.rows


def _write_rows(con: duckdb.DuckDBPyConnection, contract: Contract, rows: Any) -> None:
    import pyarrow as pa

    from pipelines.contract import to_arrow

    # Nullability is the contract's rule to judge, with a name to it, not Arrow's.
    schema = pa.schema([field.with_nullable(True) for field in to_arrow(contract)])
    con.register("incoming", pa.Table.from_pylist([dict(row) for row in rows], schema=schema))


def gate_digest() -> str:
    """The hash of the code and the rules that decide what leaves the gate."""
    package = Path(__file__).parent
    files = [*sorted((package / "privacy").rglob("*.py")), package / "studies.py"]
    files += [project_folder("data_contracts") / name for name in ("disclosure.yml", "interviews.yml")]
    return hashlib.sha256(b"\n".join(path.read_bytes() for path in files)).hexdigest()[:12]


def surroundings(con: duckdb.DuckDBPyConnection, public: Path) -> "Surroundings":
    """What an attacker has besides the interview tables: the public register, and every other public table."""
    from pipelines.studies import Surroundings

    cells: dict[frozenset[tuple[str, str]], int] = {}
    frame: dict[str, dict[str, int]] = {"region": {}, "authority_type": {}}
    rows = con.execute(f"select region, authority_type, councillors from {FRAME_TABLE}").fetchall()
    for region, kind, councillors in rows:
        pairs = {"region": region, "authority_type": kind}
        for attribute, category in pairs.items():
            frame[attribute][category] = frame[attribute].get(category, 0) + councillors
        for chosen in ([("region", region)], [("authority_type", kind)], list(pairs.items())):
            cell = frozenset(chosen)
            cells[cell] = cells.get(cell, 0) + councillors
    social = {
        contract.name: tuple(column.name for column in contract.columns)
        for contract in PROJECT.layer("public")
        if not is_about_interviews(contract)
    }
    return Surroundings(social, cells, frame, studies_shown(public))


def studies_shown(public: Path) -> frozenset[str]:
    """The studies of which any release that is out tells a number; a withdrawal takes none of them back."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    shown: set[str] = set()
    for file in public.glob(f"v/*/{COVERAGE}.parquet"):
        told = pq.read_table(file, columns=["study_id"], filters=pc.field("interviews").is_valid())
        shown |= {*told["study_id"].to_pylist()}
    return frozenset(shown)


def is_about_interviews(contract: Contract) -> bool:
    """Whether a public table is made from what left the disclosure gate."""
    query = PROJECT.queries[contract.table]
    others = [PROJECT.contracts[table] for table in query.reads if table.startswith("public.")]
    return any(table.startswith("protected.") for table in query.reads) or any(map(is_about_interviews, others))


def inspect_release(workplace: Workplace, con: duckdb.DuckDBPyConnection, stage: Path) -> "Inspection":
    """The last look at all files of a release: the attacks on files, and the report that goes out with them."""
    from pipelines.privacy.audit import audit_files, blocking
    from pipelines.privacy.report import disclosure_report
    from pipelines.privacy.tripwire import declared
    from pipelines.release.build import Inspection

    names = con.execute(f"select distinct councillor_name from {SEAT_TABLE}").fetchall()
    ids: frozenset[str] = frozenset()
    if workplace.place().restricted.exists():
        with restricted_store(workplace) as store:
            ids = store.ids()
    results = audit_files(
        stage,
        gazetteer=[name for (name,) in names if name is not None],
        allowed=declared(shown_on_purpose()),
        record_ids=ids,
    )
    path = workplace.place().disclosure_report
    of_files = disclosure_report([], disclosure_rules(), results)
    gate = json.loads(path.read_bytes()) if path.exists() else of_files
    report = {**gate, "files": of_files["files"]}
    told = {
        REPORT: json.dumps(report, indent=2, sort_keys=True).encode() + b"\n",
        CORRECTIONS: public_list(PROJECT.corrections, workplace.source_list.world),
    }
    return Inspection(blocking(results), told)


def shown_on_purpose() -> dict[str, dict[str, tuple[str, ...]]]:
    """What looks personal and is meant to be there, by dataset and column, as the contracts declare it.

    The page shows the first rows of the tables, which are searched column by column where they stand as tables.
    """
    declared = {
        contract.name: {column.name: column.may_show for column in contract.columns if column.may_show}
        for contract in PROJECT.layer("public")
    }
    shown = sorted({kind for columns in declared.values() for kinds in columns.values() for kind in kinds})
    return {**declared, "index": {"text": tuple(shown)}}


def inbox_digests(workplace: Workplace) -> list[str]:
    """A hash of each study that is handed in as a folder."""
    if not workplace.source_list.interviews:
        return []
    from pipelines.studies import digests

    return digests(workplace.source_list.interviews)


def interview_assets() -> list[dg.AssetsDefinition]:
    """Every asset about interviews up to the gate; the public tables are made like all others."""
    return [studies_asset(), gate_assets()]
