"""Interview studies from the folder they are handed in with to the tables that leave the disclosure gate.

Belongs here: which studies are handed in, taking them into the restricted store, and putting each through the
gate with all that the gate needs. Does not belong here: reading formats (`interviews`), the rules and attacks
(`privacy`), the store itself (`restricted`) and Dagster. What is said here may stand in a log: numbers of
studies and ids that their researchers chose for the public, never a name of a folder or a value.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode

from pipelines.contract import load_contracts
from pipelines.interviews.folder import load_files, read_study, report
from pipelines.interviews.oai import read_oai
from pipelines.interviews.study import Described, Description, InterviewError, Study, StudyFiles
from pipelines.interviews.vocabulary import Vocabulary
from pipelines.privacy.audit import asking_again, audit_study, blocking
from pipelines.privacy.categories import Hierarchy
from pipelines.privacy.cells import EVERYBODY, THEME_PREFIX, Cell
from pipelines.privacy.evidence import Evidence, Protected
from pipelines.privacy.ledger import from_json, to_json
from pipelines.privacy.protection import protect, to_entry
from pipelines.privacy.report import Audited, disclosure_report
from pipelines.privacy.rules import DisclosureError, Rules
from pipelines.restricted import RestrictedError, RestrictedStore, StoredStudy
from pipelines.settings import Home, StudyPlace, World, project_folder
from pipelines.snapshots import write_atomically

if TYPE_CHECKING:
    from pipelines.sources.http import HttpPolicy

log = logging.getLogger("engagement")
REPORT_NAME = "validation-report.txt"
# The sample world is public, and its release can be made again byte by byte; no real study is rounded with this.
SAMPLE_SECRET = b"the roundings of the sample world can be made again"


def files_of(folder: Path) -> StudyFiles:
    """The files of a study, without the report that a run left beside them. Errors: as `load_files`."""
    found = load_files(folder).content
    return StudyFiles({name: content for name, content in found.items() if name != REPORT_NAME})


@dataclass(frozen=True)
class Handed:
    """One study as handed in; `folder` is where its report goes, None for the embedded one."""

    number: int
    place: StudyPlace
    folder: Path | None

    def files(self) -> StudyFiles:
        """Its files. Errors: `InterviewError` when the folder cannot be read."""
        if self.folder is not None:
            return files_of(self.folder)
        from pipelines.sample.interviews import studies

        try:
            return StudyFiles(studies()[self.place.address])
        except KeyError:
            raise InterviewError("the sample world has no study of the name that the source list gives") from None


@dataclass(frozen=True)
class Intake:
    """What became of one study that was handed in; `messages` hold no value."""

    number: int
    study_id: str | None
    state: Literal["stored", "refused"]
    interviews: int = 0
    messages: tuple[str, ...] = ()

    def sentence(self) -> str:
        """What to say about it in a log."""
        called = self.study_id or f"study {self.number}"
        return f"{called}: {self.state}" + (f": {'; '.join(self.messages)}" if self.messages else "")


def handed_in(places: Sequence[StudyPlace]) -> list[Handed]:
    """Every study of the places, in a fixed order; an inbox holds a folder per study."""
    found: list[tuple[StudyPlace, Path | None]] = []
    for place in places:
        if place.kind == "inbox":
            inbox = Path(place.address)
            folders = sorted(path.parent for path in inbox.glob("*/study.yml")) if inbox.is_dir() else []
            found += [(place, folder) for folder in folders]
        else:
            found.append((place, Path(place.address) if place.kind == "path" else None))
    return [Handed(number, place, folder) for number, (place, folder) in enumerate(found, 1)]


def digests(places: Sequence[StudyPlace]) -> list[str]:
    """A hash of each study in a folder, also of one that cannot be read yet; it changes with any file."""
    return [_digest(handed) for handed in handed_in(places) if handed.folder is not None]


def _digest(handed: Handed) -> str:
    hashed = hashlib.sha256()
    try:
        content = handed.files().content
    except InterviewError as error:
        return hashlib.sha256(f"{handed.folder}: {error}".encode()).hexdigest()
    for name in sorted(content):
        hashed.update(f"{name}\0{len(content[name])}\0".encode())
        hashed.update(content[name])
    return hashed.hexdigest()


def take_in(
    places: Sequence[StudyPlace], world: World, vocabulary: Vocabulary, store: RestrictedStore
) -> list[Intake]:
    """Read every study that is handed in, and store those that can be read; the others stay as they were.

    The report on each, with the wording for its researcher, is written beside its files and nowhere else.
    """
    return [_take_in(handed, world, vocabulary, store) for handed in handed_in(places)]


def _take_in(handed: Handed, world: World, vocabulary: Vocabulary, store: RestrictedStore) -> Intake:
    try:
        study = read_study(handed.files(), vocabulary)
        _fits_world(study.description, world)
    except InterviewError as error:
        _write_report(handed, report(error, for_researcher=True))
        return Intake(handed.number, None, "refused", messages=(str(error),))
    _write_report(handed, report(study, for_researcher=True))
    name = study.description.study_id
    if study.refusals:
        return Intake(handed.number, name, "refused", messages=tuple(str(issue) for issue in study.refusals))
    try:
        store.put(study)
    except RestrictedError as error:
        return Intake(handed.number, name, "refused", messages=(str(error),))
    return Intake(handed.number, name, "stored", _completed(study))


def _completed(study: Study) -> int:
    return sum(encounter.status == "completed" for encounter in study.encounters)


def _fits_world(description: Description, world: World) -> None:
    """A made-up study never stands beside real data, nor a real one beside the fictional world."""
    if description.is_synthetic != (world == "sample"):
        kind, other = ("synthetic", "real") if description.is_synthetic else ("real", "fictional")
        raise InterviewError(f"the study is {kind} and this publication is {other}: they are never mixed")


def _write_report(handed: Handed, text: str) -> None:
    """Put the report beside the study; a folder that cannot be written keeps its study and has no report."""
    if handed.folder is None:
        return
    try:
        write_atomically(handed.folder / REPORT_NAME, text.encode())
        (handed.folder / REPORT_NAME).chmod(0o600)
    except OSError as error:
        log.warning("study %d: the report cannot be written beside it (%s)", handed.number, type(error).__name__)


def opened_store(home: Home) -> RestrictedStore:
    """The restricted store of a home, to be used as a context manager. Errors: `RestrictedError` without one."""
    if not home.restricted.is_dir():
        raise RestrictedError("this home has no restricted store: no study was ever taken in")
    return RestrictedStore(home.restricted, load_contracts(project_folder("data_contracts")))


def fetch_description(address: str, identifier: str, prefix: str, out: Path, policy: HttpPolicy) -> Described:
    """Ask an archive over OAI-PMH for one record, and save the answer if it describes a study.

    Errors: `InterviewError` for an answer that cannot be used, and when there is none.
    """
    from pipelines.sources.http import FetchError, PoliteClient

    question = urlencode({"verb": "GetRecord", "identifier": identifier, "metadataPrefix": prefix})
    asked = f"{address}{'&' if '?' in address else '?'}{question}"

    async def ask() -> bytes:
        async with PoliteClient(policy) as client:
            return (await client.get(asked)).body or b""

    try:
        content = asyncio.run(ask())
    except FetchError as error:
        raise InterviewError(f"the archive gave no answer: {error}") from None
    described = read_oai(content)
    if not described.is_deleted:
        write_atomically(out, content)
    return described


# --- through the gate ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Gate:
    """What left the gate: rows of the protected tables by name, and the report that goes out with a release."""

    rows: Mapping[str, Sequence[Mapping[str, Any]]]
    report: Mapping[str, Any]


@dataclass(frozen=True)
class Surroundings:
    """What an attacker has besides: the columns of other public tables, and how many people the register holds.

    `register` counts councillors by cells of region and authority type; `frame` the same by attribute and
    category.
    """

    social: Mapping[str, tuple[str, ...]]
    register: Mapping[Cell, int] = field(repr=False)
    frame: Mapping[str, Mapping[str, int]] = field(repr=False)
    published: frozenset[str] = frozenset()


def hierarchies(vocabulary: Vocabulary) -> dict[str, Hierarchy]:
    """The order in which categories merge, as the gate wants it, in the vocabulary's order."""
    return {
        name: Hierarchy(
            attribute=name,
            merges=attribute.merges,
            always_merged=attribute.always_merged,
            of=attribute.of,
            categories=frozenset(attribute.categories),
        )
        for name, attribute in vocabulary.attributes.items()
    }


def protect_studies(
    store: RestrictedStore,
    vocabulary: Vocabulary,
    rules: Rules,
    around: Surroundings,
    world: World,
    versions: Mapping[str, str],
) -> Gate:
    """Put every stored study through the gate, attack what would be told, and note in the ledger what is told.

    Errors: `DisclosureError` when a rule cannot be kept or an attack finds anything; then nothing leaves the gate.
    """
    rows: dict[str, list[Mapping[str, Any]]] = {
        "interview_study": [],
        "interview_theme": [],
        "interview_count": [],
    }
    told: list[Audited] = []
    for stored in store.studies():
        if stored.state == "withdrawn":
            rows["interview_study"].append(_study_row(stored, None))
            continue
        audited = _through_the_gate(stored, store, vocabulary, rules, around, world)
        told.append(audited)
        rows["interview_study"].append(_study_row(stored, audited.protected))
        rows["interview_theme"] += _theme_rows(stored, audited.protected, vocabulary)
        rows["interview_count"] += _count_rows(stored, audited.protected)
    return Gate(rows, disclosure_report(told, rules, versions=versions))


def _through_the_gate(
    stored: StoredStudy,
    store: RestrictedStore,
    vocabulary: Vocabulary,
    rules: Rules,
    around: Surroundings,
    world: World,
) -> Audited:
    name = stored.description.study_id
    population = store.population(name, vocabulary.sensitive)
    population = replace(population, frame={**around.frame, **population.frame})
    secret = store.secret(name, SAMPLE_SECRET if world == "sample" else None)
    ledger = tuple(from_json(entry) for entry in store.ledger(name))
    if name in around.published and not ledger:
        raise DisclosureError(
            f"D3: study {name} was published before and the ledger does not know of it: put the folder "
            f"restricted/ back from a copy, since a second rounding would tell more than one"
        )
    levels = hierarchies(vocabulary)
    merges = {attribute: hierarchy.merges for attribute, hierarchy in levels.items()}

    def evidence(protected: Protected) -> Evidence:
        return Evidence(protected, ledger, around.social, around.register, merges=merges)

    def audit(protected: Protected) -> list[str]:
        return blocking(audit_study(evidence(protected), rules))

    protected = protect(population, levels, rules, secret, ledger, audit)
    results = audit_study(evidence(protected), rules, asking_again(levels, rules, secret, ledger))
    if found := blocking(results):
        raise DisclosureError(f"D13: study {name}: nothing is told: {'; '.join(found)}")
    if protected.publication.counts and not protected.is_unchanged:
        # Noted before anything is told: after a run that dies here the ledger says too much, never too little.
        store.append(name, to_json(to_entry(protected, secret)))
    return Audited(protected, results)


def _study_row(stored: StoredStudy, protected: Protected | None) -> dict[str, Any]:
    """The row of a study; its total is missing where a role group is too small to be told."""
    about = stored.description
    is_told = protected is not None and bool(protected.publication.counts)
    reason = None
    if protected is None:
        reason = "the study was withdrawn"
    elif not is_told:
        reason = "; ".join(sorted({kept.reason for kept in protected.withheld})) or "no table is left"
    return {
        "study_id": about.study_id,
        "title": about.title,
        "is_synthetic": about.is_synthetic,
        "year_from": about.year_from,
        "year_to": about.year_to,
        "sampling": about.sampling,
        "lawful_basis": about.lawful_basis,
        "persistent_id": about.persistent_id,
        "licence": about.licence,
        "publication_number": protected.publication.number if protected and is_told else None,
        "interviews": protected.publication.counts.get(EVERYBODY) if protected else None,
        "state": "withdrawn" if protected is None else "published" if is_told else "withheld",
        "withheld_reason": reason,
    }


def _theme_rows(stored: StoredStudy, protected: Protected, vocabulary: Vocabulary) -> Iterator[dict[str, Any]]:
    for row in protected.themes:
        theme = row.theme_id.removeprefix(THEME_PREFIX)
        yield {
            "study_id": stored.description.study_id,
            "theme_id": theme,
            "theme": vocabulary.themes[theme].title,
            "is_sensitive": vocabulary.themes[theme].is_sensitive,
            "role_group": row.role_group,
            "interviews": row.interviews,
            "base": row.base,
            "share_percent": None if row.share_percent is None else int(row.share_percent),
            "withheld_reason": row.withheld_reason,
        }


def _count_rows(stored: StoredStudy, protected: Protected) -> Iterator[dict[str, Any]]:
    for row in protected.coverage:
        yield {
            "study_id": stored.description.study_id,
            "role_group": row.role_group,
            "attribute": row.attribute,
            "category": row.category,
            "interviews": row.interviews,
            "median_minutes": row.median_minutes,
        }
