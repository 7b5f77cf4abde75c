"""Asset factories: one Dagster asset per source, per SQL file, and the release.

Belongs here: how the parts of the project become assets, with their metadata, checks and lineage. Does not
belong here: the work itself; every asset calls one function of a module that knows nothing of Dagster.
Metadata and log lines carry names and counts, never the value of a cell. Annotations are not postponed here:
Dagster reads those of an asset's context and configuration.
"""

import datetime as dt
import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import duckdb
from pydantic import PrivateAttr

from pipelines import contract as contracts_module
from pipelines.checks import Verdict, check_table
from pipelines.collect import CollectError
from pipelines.contract import Contract, MinimumRows, load_contracts
from pipelines.corrections import Correction, corrections_of, load_corrections
from pipelines.erasure.journal import ErasureError, refuse_unfinished
from pipelines.lineage import (
    LAYERS,
    Origins,
    Query,
    build_order,
    load_queries,
    observed_origins,
    upstream_sources,
)
from pipelines.observations import TABLES as OBSERVED_TABLES
from pipelines.observations import ObservationError, ObservationStore, PullRecord
from pipelines.policy import Policy, PolicyError, load_policy
from pipelines.pull import PullError, findings, pull_source, replay
from pipelines.refresh import Plan, changes_of, origins_of, refresh, show_observations, shown_pulls
from pipelines.release.manifest import ManifestError, ReleaseError
from pipelines.retention import expire_snapshots
from pipelines.settings import Home, SettingsError, SourceList, load_sources, project_folder
from pipelines.snapshots import Fetch, SnapshotError, SnapshotStore
from pipelines.sources.reading import RefusedFile
from pipelines.suppression import Holds, SuppressionError, read_suppressed
from pipelines.warehouse import (
    TableResult,
    WarehouseError,
    attach_published,
    columns_of,
    load_source,
    note_corrections,
    note_findings,
    open_warehouse,
    rolled_back_on_error,
    write_roster,
)

if TYPE_CHECKING:  # definitions are loaded often; what only a run needs is imported by it
    from pipelines.release.build import ReleaseInput
    from pipelines.sources.http import HttpPolicy

POOL = "duckdb"  # the warehouse has one writer
OWNERS = ["team:data-engineering"]
EXPECTED = (
    CollectError,
    contracts_module.ContractError,
    ErasureError,
    ManifestError,
    ObservationError,
    PolicyError,
    PullError,
    RefusedFile,
    ReleaseError,
    SettingsError,
    SnapshotError,
    SuppressionError,
    WarehouseError,
)
ISSUES_TABLE = "quarantine.issues"
ROSTER_TABLE = "model.account_to_observe"
PLATFORMS = ("bluesky", "mastodon")  # those with a collector
FIRST_DAY = "2026-09-01"
log = logging.getLogger("engagement")


@dataclass(frozen=True)
class Project:
    """The contracts and queries of this project, read once."""

    contracts: Mapping[str, Contract]
    queries: Mapping[str, Query]
    macros: str
    policy: Policy
    corrections: tuple[Correction, ...] = ()

    @classmethod
    def load(cls) -> "Project":
        """Read data_contracts/ and sql/."""
        sql, contracts = project_folder("sql"), load_contracts(project_folder("data_contracts"))
        return cls(
            contracts,
            load_queries(sql),
            (sql / "macros.sql").read_text(encoding="utf-8"),
            load_policy(project_folder("data_contracts") / "policy.yml", contracts),
            load_corrections(project_folder("data_contracts") / "corrections.yml", contracts),
        )

    def layer(self, name: str) -> list[Contract]:
        """The contracts of a layer such as source or public, by name."""
        return [contract for contract in self.contracts.values() if contract.layer == name]

    @cached_property
    def sources(self) -> frozenset[str]:
        """The names of all sources that have a contract."""
        return frozenset(contract.name for contract in self.layer("source"))

    @cached_property
    def digest(self) -> str:
        """The hash of all that decides what a release says: contracts, queries, macros and functions."""
        texts = [
            *(contract.digest for contract in self.contracts.values()),
            *(query.text for query in self.queries.values()),
            self.functions_digest,
            *(one.model_dump_json() for one in self.corrections),
        ]
        return hashlib.sha256("\n".join(texts).encode()).hexdigest()

    @cached_property
    def functions_digest(self) -> str:
        """The hash of all that a query may call: macros, names and handles, measures."""
        folders = [Path(__file__).parent / name for name in ("identity", "measures")]
        files = sorted(path for folder in folders for path in folder.glob("*.*") if path.is_file())
        files.append(Path(__file__).parent / "functions.py")
        texts = [self.macros, *(path.read_text(encoding="utf-8") for path in files)]
        return hashlib.sha256("\n".join(texts).encode()).hexdigest()

    def recipe(self, query: Query, contract: Contract | None) -> str:
        """The hash of what a table is made by: its query, its contract, and all that a query may call."""
        parts = (query.text, contract.digest if contract else "", self.functions_digest)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def upstream(self, query: Query) -> set[str]:
        """The tables that must be built before a query.

        A query that reads the issues found so far must wait for every table that can raise one.
        """
        made = ("source", "observation", "protected", *LAYERS)
        tables = {table for table in query.reads if table.split(".")[0] in made}
        if ISSUES_TABLE in query.reads:
            own = {table for table in self.contracts if not table.startswith("restricted.")}
            tables |= own - {query.table}
        return tables


class Workplace(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where a run reads from and writes to; everything that differs between deployments."""

    home: str
    sources: str = "sample"
    offline: bool = False
    keep_open: bool = False
    contact: str | None = None
    released_on: str | None = None
    _open: ExitStack | None = PrivateAttr(default=None)
    _con: Any = PrivateAttr(default=None)
    _sources: SourceList | None = PrivateAttr(default=None)

    def place(self) -> Home:
        """The home folder, marked as belonging to the world that its sources describe.

        Errors: `ErasureError` while an erasure in it is half done.
        """
        home = Home(Path(self.home))
        home.claim(self.source_list.world)
        refuse_unfinished(home)
        return home

    def suppressed(self) -> Holds | None:
        """Which accounts are left out of everything that is fetched; None where nobody was ever erased."""
        listed = read_suppressed(self.place().erasures)
        return listed.holds if listed else None

    @property
    def source_list(self) -> SourceList:
        """Which sources are on, and where they are read from; read once."""
        if self._sources is None:
            self._sources = load_sources(self.sources, PROJECT.sources)
        return self._sources

    def store(self) -> ObservationStore:
        """The observations of the home."""
        return ObservationStore(
            self.place().observations, PROJECT.contracts, PROJECT.policy, suppressed=self.suppressed()
        )

    def plan(self) -> Plan:
        """What the building of tables depends on besides the warehouse."""
        return Plan(PROJECT.queries, PROJECT.recipe, self.store())

    @property
    def is_sample(self) -> bool:
        """Whether the run reads the fictional sample world."""
        return self.source_list.world == "sample"

    def expectation(self, contract: Contract) -> MinimumRows:
        """Which minimum row count holds: a live one, the sample world's, or none without a source it needs."""
        if not all(self._is_on(name) for name in contract.empty_without):
            return "none"
        return "sample" if self.is_sample else "live"

    def _is_on(self, name: str) -> bool:
        """Whether a source, the platforms or the interviews have anything to tell in this run."""
        if name == "interviews":
            return self._tells_of_interviews()
        return bool(self.source_list.platforms if name == "platforms" else self.source_list.of(name))

    def _tells_of_interviews(self) -> bool:
        """Whether the disclosure gate last let any table out; withdrawn and small studies have none."""
        path = self.place().disclosure_report
        told = json.loads(path.read_bytes()) if path.exists() else {"studies": []}
        return any(study["tables"] for study in told["studies"])

    def policy(self) -> "HttpPolicy":
        """How politely to fetch. Errors: `SettingsError` when nobody is named whom a server may write to."""
        from pipelines.sources.http import HttpPolicy

        listed = self.source_list
        fetches = any(place.kind in ("url", "sparql") for places in listed.locations.values() for place in places)
        if (fetches or any(not place.is_sample for place in listed.platforms.values())) and not self.contact:
            raise SettingsError(
                "name a web page or an address that a server's operator may write to: --contact or "
                "ENGAGEMENT_CONTACT; it is sent with each request"
            )
        return HttpPolicy(contact=self.contact or "none", private_hosts=self.source_list.private_hosts)

    def now(self) -> dt.datetime:
        """The clock of the run, in UTC."""
        return dt.datetime.now(dt.UTC).replace(microsecond=0)

    @contextmanager
    def warehouse(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The warehouse, ready to run every query of the project.

        It is opened and closed for each step, so that the pool keeps steps of several runs apart. With
        `keep_open` it stays open until the process has done its last step, which is faster for one run alone.
        """
        from pipelines.functions import FUNCTIONS

        if not self.keep_open:
            with open_warehouse(self.place().warehouse, FUNCTIONS) as con:
                con.execute(PROJECT.macros)
                yield con
            return
        if self._con is None:
            stack = ExitStack()
            self._con = stack.enter_context(open_warehouse(self.place().warehouse, FUNCTIONS))
            self._con.execute(PROJECT.macros)
            self._open = stack
        with rolled_back_on_error(self._con):
            yield self._con

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002 - dagster's signature
        """Close the warehouse."""
        if self._open is not None:
            self._open.close()
            self._open = self._con = None


PROJECT = Project.load()


@contextmanager
def _plain_failures(workplace: Workplace | None = None) -> Iterator[None]:
    """Turn an expected error into a failure that shows its sentence.

    It is tried again only where a service runs and time may mend it: on the command line nobody should wait.
    """
    try:
        yield
    except EXPECTED as error:
        is_service = workplace is not None and not workplace.keep_open
        again = is_service and isinstance(error, CollectError | PullError) and error.is_transient
        raise dg.Failure(description=str(error), allow_retries=again) from None


def asset_key(table: str) -> dg.AssetKey:
    """The asset key of a table, such as `public/authorities`."""
    return dg.AssetKey(table.split("."))


# --- sources ------------------------------------------------------------------------------------------------


def snapshot_asset(contract: Contract) -> dg.AssetsDefinition:
    """The asset that pulls one source into snapshots; needs no warehouse, so pulls can run side by side."""

    @dg.asset(
        key=["snapshots", contract.name],
        group_name="snapshots",
        description=f"{contract.title}: the files as received, by hash, with a log of every attempt.",
        owners=OWNERS,
        kinds={"csv"},
        retry_policy=dg.RetryPolicy(
            max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
        ),
        metadata={"licence": contract.licence, "attribution": "; ".join(contract.attribution)},
    )
    def pull(workplace: Workplace) -> dg.MaterializeResult:  # type: ignore[type-arg]
        with _plain_failures(workplace):
            locations = workplace.source_list.of(contract.name)
            store = SnapshotStore(workplace.place().snapshots)
            fetches = (
                []
                if workplace.offline
                else pull_source(
                    contract, locations, store, workplace.policy(), workplace.now, workplace.suppressed()
                )
            )
            expired = (
                0 if workplace.offline else expire_snapshots(workplace.place(), contract, workplace.now().date())
            )
        states = [fetch.status for fetch in fetches]
        state = "off" if not locations else "offline" if workplace.offline else ", ".join(sorted(set(states)))
        rows = sum(fetch.rows or 0 for fetch in fetches)
        report_line("snapshots", contract.name, f"{state}, {len(fetches)} files, {rows} rows")
        return dg.MaterializeResult(
            metadata={"state": state, "files": len(fetches), "dagster/row_count": rows, "expired": expired}
        )

    return pull


def source_asset(contract: Contract) -> dg.AssetsDefinition:
    """The asset that loads a source's snapshots into its typed table, with quarantine and verdict."""

    def load(workplace: Workplace) -> dg.MaterializeResult:  # type: ignore[type-arg]
        locations = workplace.source_list.of(contract.name)
        with _plain_failures(), workplace.warehouse() as con:
            store = SnapshotStore(workplace.place().snapshots)
            mended = corrections_of(PROJECT.corrections, contract.table, workplace.source_list.world)
            result = load_source(con, contract, replay(contract, locations, store), mended)
            note_findings(con, contract, findings(contract, locations, store))
            note_corrections(con, contract, mended if locations else ())
            verdict = (
                check_table(con, contract, workplace.expectation(contract))
                if locations
                else Verdict(contract.table, ())
            )
        return table_result(result, contract, verdict, {"state": "on" if locations else "off"})

    shared = common_settings(contract.table, contract, f"{contract.purpose} {contract.limitations}")
    return _asset(load, deps=[["snapshots", contract.name]], kinds={"duckdb"}, **shared)


# --- tables from SQL ----------------------------------------------------------------------------------------


def table_asset(query: Query, contract: Contract | None) -> dg.AssetsDefinition:
    """The asset that builds one clean, model or public table from its SQL file."""
    reads = PROJECT.upstream(query)
    purpose = f"{contract.purpose} {contract.limitations}" if contract else query.grain.capitalize() + "."

    def build(workplace: Workplace) -> dg.MaterializeResult:  # type: ignore[type-arg]
        with _plain_failures(), workplace.warehouse() as con:
            if any(table.startswith("published.") for table in query.reads):
                from pipelines.release.build import latest_release

                attach_published(con, PROJECT.layer("public"), latest_release(workplace.place().public))
            result = refresh(con, workplace.plan(), query, contract)
            verdict = (
                check_table(con, contract, workplace.expectation(contract), changes=changes_of(con, query))
                if contract
                else None
            )
            columns = columns_of(con, [query.table])[query.table]
            traced = _traced(query, columns, origins_of(con, query))
        return table_result(result, contract, verdict, traced)

    return _asset(
        build,
        deps=[asset_key(table) for table in sorted(reads)],
        kinds={"duckdb", "sql"},
        code_version=_short_hash(query.text),
        **common_settings(query.table, contract, purpose),
    )


def _traced(query: Query, own: Mapping[str, str], origins: Origins) -> dict[str, Any]:
    """Columns of the finished table, and which columns each was computed from."""
    lineage = dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(asset_key(table), name) for table, name in found]
            for column, found in origins.items()
        }
    )
    columns = [dg.TableColumn(name, data_type) for name, data_type in own.items()]
    metadata: dict[str, Any] = {"dagster/column_lineage": lineage}
    return metadata if query.layer == "public" else metadata | {"dagster/column_schema": dg.TableSchema(columns)}


# --- observations -------------------------------------------------------------------------------------------

days = dg.DailyPartitionsDefinition(start_date=FIRST_DAY, end_offset=1)


class ObserveConfig(dg.Config):
    """What a pull is to do besides the usual."""

    since: str | None = None  # a day: read the posts of all accounts back to there again
    only_lost: bool = False  # ask only about accounts that did not answer last time and are due again


def roster_asset() -> dg.AssetsDefinition:
    """The asset that writes down whom the next pull asks about, so that pulls need no warehouse."""

    def write(workplace: Workplace) -> dg.MaterializeResult:  # type: ignore[type-arg]
        with _plain_failures(), workplace.warehouse() as con:
            rows = write_roster(con, ROSTER_TABLE, workplace.place().roster)
        report_line("observations", "roster", f"{rows} accounts to ask about")
        return dg.MaterializeResult(metadata={"dagster/row_count": rows})

    return _asset(
        write,
        key=["observations", "roster"],
        group_name="observations",
        description="The accounts that pulls ask about, as a file beside the warehouse.",
        owners=OWNERS,
        kinds={"parquet"},
        deps=[asset_key(ROSTER_TABLE)],
    )


def platform_asset(platform: str) -> dg.AssetsDefinition:
    """The asset that observes one platform: a pull of every account on the roster, one partition per day."""

    @dg.asset(
        key=["observations", platform],
        partitions_def=days,
        group_name="observations",
        description=f"Profiles and posts of the accounts on {platform.capitalize()} as they stood on one day.",
        owners=OWNERS,
        kinds={"parquet"},
        deps=[["observations", "roster"]],
        pool=f"observe_{platform}",  # one pull of a platform at a time; platforms run side by side
        retry_policy=dg.RetryPolicy(
            max_retries=2, delay=60, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
        ),
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=dt.timedelta(days=3)),
    )
    def pull(
        context: dg.AssetExecutionContext, config: ObserveConfig, workplace: Workplace
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]
        day = dt.date.fromisoformat(context.partition_key) if context.has_partition_key else None
        with _plain_failures(workplace):
            records = observe_platform(workplace, platform, config, day)
        return _observed(platform, records, place_is_on=platform in workplace.source_list.platforms)

    return pull


def observe_platform(
    workplace: Workplace, platform: str, config: ObserveConfig, day: dt.date | None
) -> list[PullRecord]:
    """Make the pulls of a platform that are due on a day, today if none is named."""
    from pipelines.observe import Order, days_to_observe, lost_accounts_due, observe

    place = workplace.source_list.platforms.get(platform)
    if place is None or workplace.offline:
        return []
    if not workplace.place().roster.exists():
        log.warning("%s: there is no list of accounts yet, so nobody was asked: publish first", platform)
        return []
    store, today = workplace.store(), workplace.now().date()
    since = dt.date.fromisoformat(config.since) if config.since else None
    only = lost_accounts_due(store, platform) if config.only_lost else None
    if only is not None and not only:
        return []  # nobody of this platform is due
    moments = days_to_observe(place, store, platform, day or today, today)
    roster, policy = workplace.place().roster, workplace.policy()
    records = [
        observe(platform, place, store, roster, policy, Order(since, only), moment=moment) for moment in moments
    ]
    if records:
        store.expire(today)
    return records


def lost_accounts_due(workplace: Workplace) -> int:
    """How many accounts did not answer and are due to be asked again by themselves."""
    from pipelines.observe import lost_accounts_due as due

    return sum(len(due(workplace.store(), platform)) for platform in workplace.source_list.platforms)


def _observed(platform: str, records: Sequence[PullRecord], *, place_is_on: bool) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """One materialisation for the pulls of a partition."""
    outcomes: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    for record in records:
        outcomes.update(record.outcomes)
        rows.update(record.rows)
    refused = sum(sum(record.refused.values()) for record in records)
    said = ", ".join(f"{n} {outcome.replace('_', ' ')}" for outcome, n in sorted(outcomes.items()))
    line = f"{len(records)} pulls, {rows['post']} posts" + (f"; accounts: {said}" if said else "")
    report_line("observations", platform, line if place_is_on else "off")
    return dg.MaterializeResult(
        metadata={
            "pulls": len(records),
            "dagster/row_count": sum(rows.values()),
            "rows": dg.MetadataValue.json(dict(rows)),
            "outcomes": dg.MetadataValue.json(dict(outcomes)),
            "requests": sum(record.requests for record in records),
            "quarantined": refused,
        }
    )


def observation_asset(contract: Contract) -> dg.AssetsDefinition:
    """The asset that shows one table of all pulls, and judges the pulls that are new."""

    def show(workplace: Workplace) -> dg.MaterializeResult:  # type: ignore[type-arg]
        with _plain_failures(), workplace.warehouse() as con:
            result, verdict = show_observations(
                con,
                workplace.store(),
                contract.name,
                lambda rows: check_table(con, contract, "none", instead=rows),
            )
        return table_result(result, contract, verdict, {})

    shared = common_settings(contract.table, contract, f"{contract.purpose} {contract.limitations}")
    deps = [["observations", platform] for platform in PLATFORMS]
    if contract.name != OBSERVED_TABLES[0]:  # which decides for all of them which pulls are seen
        deps.append(["observation", OBSERVED_TABLES[0]])
    return _asset(show, deps=deps, kinds={"duckdb", "parquet"}, **shared)


# --- the release --------------------------------------------------------------------------------------------


class ReleaseConfig(dg.Config):
    """What a release is to be besides the usual."""

    forbid_major: bool = False  # fail rather than release a change that may break what others wrote


def release_asset(public: Sequence[Contract]) -> dg.AssetsDefinition:
    """The asset that publishes all public tables as one immutable release, if anything changed."""

    @dg.asset(
        key=["release"],
        deps=[asset_key(contract.table) for contract in public],
        group_name="release",
        description="All public datasets as one immutable, verified release; none when nothing changed.",
        owners=OWNERS,
        kinds={"parquet"},
        pool=POOL,
    )
    def publish(config: ReleaseConfig, workplace: Workplace) -> dg.MaterializeResult:  # type: ignore[type-arg]
        from pipelines.release.build import build_release

        with _plain_failures(), workplace.warehouse() as con:
            outcome = build_release(con, release_input(workplace, con, forbid_major=config.forbid_major))
        report_line("release", outcome.version, "published" if outcome.is_new else "nothing changed")
        return dg.MaterializeResult(
            metadata={
                "version": outcome.version,
                "published": outcome.is_new,
                "folder": dg.MetadataValue.path(str(outcome.folder)),
                "dagster/row_count": sum(outcome.rows.values()),
                "rows": dg.MetadataValue.json(outcome.rows),
            }
        )

    return publish


def site_asset() -> dg.AssetsDefinition:
    """The asset that writes the site around the releases."""

    @dg.asset(
        key=["site"],
        deps=[["release"]],
        group_name="site",
        description="The pages that people read: home, datasets, authorities; made from the newest release alone.",
        owners=OWNERS,
        kinds={"html"},
    )
    def write(workplace: Workplace) -> dg.MaterializeResult:  # type: ignore[type-arg]
        from pipelines.release.metadata.publisher import publisher_from
        from pipelines.site.build import build_site
        from pipelines.site.sql import engine_from

        with _plain_failures():
            outcome = build_site(workplace.place().public, publisher_from(), engine_from())
        report_line("site", outcome.version, f"{outcome.pages} pages, {outcome.changed} files changed")
        return dg.MaterializeResult(
            metadata={
                "version": outcome.version,
                "pages": outcome.pages,
                "changed": outcome.changed,
                "largest_bytes": outcome.largest_bytes,
            }
        )

    return write


def release_input(
    workplace: Workplace, con: duckdb.DuckDBPyConnection, *, forbid_major: bool = False
) -> "ReleaseInput":
    """What a release is made of besides the tables: contracts, licences, hashes of the inputs, day and world."""
    from pipelines.interview_assets import inspect_release
    from pipelines.release.build import ReleaseInput
    from pipelines.release.signing import load_signer

    home, sources = workplace.place(), workplace.source_list
    store = SnapshotStore(home.snapshots)
    inputs = {
        source: [
            fetch
            for location in sources.of(source)
            for fetch in store.usable(
                source, location.label, every=PROJECT.contracts[f"source.{source}"].keep_all_snapshots
            )
        ]
        for source in sorted(PROJECT.sources)
        if sources.of(source)
    }
    pulls = shown_pulls(con)
    inputs |= {f"observation.{table}": _observed_inputs(table, pulls) for table in OBSERVED_TABLES if pulls}
    day = dt.date.fromisoformat(workplace.released_on) if workplace.released_on else workplace.now().date()
    return ReleaseInput(
        home=home,
        world=sources.world,
        released_on=day,
        contracts=tuple(PROJECT.layer("public")),
        minimum_rows={contract.name: workplace.expectation(contract) for contract in PROJECT.layer("public")},
        inputs=inputs,
        code_digest=PROJECT.digest,
        forbid_major=forbid_major,
        signer=load_signer(),
        inspect=partial(inspect_release, workplace, con),
        policy_faults=_policy_faults(con, {pull.platform for pull in pulls}),
        origins={
            contract.name: tuple(
                PROJECT.contracts[table] for table in sorted(upstream_sources(contract.table, PROJECT.queries))
            )
            for contract in PROJECT.layer("public")
        },
    )


def _observed_inputs(table: str, pulls: Sequence[PullRecord]) -> list[Fetch]:
    """What a release was made from, as to observations: one entry per platform for all its pulls."""
    inputs = []
    for platform in sorted({pull.platform for pull in pulls}):
        its = [pull for pull in pulls if pull.platform == platform]
        whole = hashlib.sha256("".join(pull.sha256[table] for pull in its).encode()).hexdigest()
        inputs.append(
            Fetch(
                location=f"{platform}, {len(its)} pulls",
                status="new",
                fetched_at=its[-1].ended_at,
                as_of=its[-1].observed_on,
                sha256=whole,
                rows=sum(pull.rows[table] for pull in its),
            )
        )
    return inputs


def _policy_faults(con: duckdb.DuckDBPyConnection, platforms: set[str]) -> list[str]:
    """What the policy forbids about the public tables as they are computed now."""
    public = PROJECT.layer("public")
    tables = [contract.table for contract in public]
    origins = observed_origins(tables, PROJECT.queries, lambda query: origins_of(con, query))
    faults = []
    for contract in public:
        observed = origins[contract.table]
        faults += PROJECT.policy.publication_faults(contract.name, contract.level, observed, platforms)
    return faults


# --- what all tables share ----------------------------------------------------------------------------------


def _asset(build: Callable[..., Any], **settings: Any) -> dg.AssetsDefinition:
    """An asset that writes to the warehouse."""
    definition: dg.AssetsDefinition = dg.asset(pool=POOL, **settings)(build)
    return definition


def common_settings(table: str, contract: Contract | None, description: str) -> dict[str, Any]:
    """Group, owners, description, column schema, freshness and checks of a table's asset."""
    shared: dict[str, Any] = {
        "key": asset_key(table),
        "group_name": table.split(".")[0],
        "owners": OWNERS,
        "description": description,
    }
    if contract is None:
        return shared
    shared["check_specs"] = [
        dg.AssetCheckSpec("contract", asset=asset_key(table), blocking=True, description=_promise(contract)),
        dg.AssetCheckSpec("warnings", asset=asset_key(table), description="Rules that warn and do not stop."),
    ]
    shared["metadata"] = {
        "dagster/column_schema": _column_schema(contract),
        "grain": contract.grain,
        "licence": contract.licence,
        "schema_version": contract.version,
    }
    if fresh := contracts_module.freshness(contract):
        shared["freshness_policy"] = dg.FreshnessPolicy.time_window(fail_window=fresh)
    return shared


def _promise(contract: Contract) -> str:
    critical = [rule.name for rule in contract.all_rules() if rule.severity == "critical"]
    return f"{len(critical)} critical rules of {contract.path.name} hold."


def _column_schema(contract: Contract) -> dg.TableSchema:
    return dg.TableSchema(
        [
            dg.TableColumn(
                column.name,
                column.sql_type,
                description=column.description,
                constraints=dg.TableColumnConstraints(nullable=not column.required),
                tags={"classification": column.classification},
            )
            for column in contract.columns
        ]
    )


def table_result(
    result: TableResult, contract: Contract | None, verdict: Verdict | None, metadata: Mapping[str, Any]
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """One materialisation with its verdict, and the asset's one log line."""
    report_line(
        result.table.split(".")[0],
        result.table.split(".")[1],
        f"{result.rows_in} rows in, {result.rows_out} out, {result.rows_quarantined} quarantined, "
        f"{result.seconds:.2f} s",
    )
    counts = {"dagster/row_count": result.rows_out, "quarantined": result.rows_quarantined, **metadata}
    key = asset_key(result.table)
    if contract is None or verdict is None:
        return dg.MaterializeResult(asset_key=key, metadata=counts)
    failures = [failure.sentence() for failure in verdict.failures]
    doubts = [warning.sentence() for warning in verdict.warnings]
    for sentence in failures:
        log.error("%s: %s", contract.table, sentence)
    return dg.MaterializeResult(
        asset_key=key,
        metadata=counts,
        check_results=[
            dg.AssetCheckResult(
                asset_key=key,
                check_name="contract",
                passed=not failures,
                severity=dg.AssetCheckSeverity.ERROR,
                description="; ".join(failures) or None,
                metadata={"rules": len(verdict.results), "failed": len(failures)},
            ),
            dg.AssetCheckResult(
                asset_key=key,
                check_name="warnings",
                passed=not doubts,
                severity=dg.AssetCheckSeverity.WARN,
                description="; ".join(doubts) or None,
            ),
        ],
    )


def report_line(layer: str, name: str, line: str) -> None:
    """Log the one line of an asset that is done."""
    log.info("%-10s %-28s %s", layer, name, line, extra={"step": f"{layer}.{name}"})


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def all_assets() -> list[dg.AssetsDefinition]:
    """Every asset besides those about interviews, in an order in which each comes after what it needs."""
    sources = PROJECT.layer("source")
    public = PROJECT.layer("public")
    order = build_order(PROJECT.queries)
    return [
        *(snapshot_asset(contract) for contract in sources),
        *(source_asset(contract) for contract in sources),
        roster_asset(),
        *(platform_asset(platform) for platform in PLATFORMS),
        *(observation_asset(PROJECT.contracts[f"observation.{name}"]) for name in OBSERVED_TABLES),
        *(table_asset(PROJECT.queries[table], PROJECT.contracts.get(table)) for table in order),
        release_asset(public),
        site_asset(),
    ]
