"""Where things are: the project's own folders, the home of a run, and the list of sources to read.

Belongs here: paths, source lists, names that several modules must agree on. Does not belong here: reading
data, and anything that depends on another module of the project.
"""

from __future__ import annotations

import datetime as dt
import glob
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

World = Literal["sample", "live"]
LocationKind = Literal["path", "url", "sample", "sparql"]

PACKAGE = Path(__file__).resolve().parent
CURATED = PACKAGE / "sources" / "curated"
SOURCE_LISTS = PACKAGE / "sources" / "lists"
QUERIES = PACKAGE / "sources" / "queries"


class SettingsError(Exception):
    """A setting or source list that cannot be used; the message names it and the remedy."""


def project_folder(name: str) -> Path:
    """The folder `data_contracts`, `sql` or `docs`: of the copy inside an installed package, or of the checkout.

    The copy comes first, since beside an installed package another one may have left a folder of such a name.
    """
    for root in (PACKAGE / "_project", PACKAGE.parent):
        if (root / name).is_dir():
            return root / name
    raise SettingsError(f"{name}/ stands neither beside nor inside {PACKAGE}: reinstall the package")


def lock_file() -> Path | None:
    """The file that pins what this project runs on: the checkout's, or the copy inside an installed package."""
    places = (root / "requirements.lock" for root in (PACKAGE.parent, PACKAGE / "_project"))
    return next((path for path in places if path.is_file()), None)


@dataclass(frozen=True)
class Location:
    """One place to read a source from; `as_of` is the day the content stands for, where that is known.

    A `sparql` place is an endpoint that is asked a query: `query` is its text, `query_name` what it is called.
    """

    kind: LocationKind
    address: str
    as_of: dt.date | None = None
    query: str | None = None
    query_name: str | None = None

    @property
    def label(self) -> str:
        """How the place is called in logs: without folders of this machine, user information or query."""
        if self.kind in ("url", "sparql"):
            parts = urlsplit(self.address)
            plain = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
            if self.kind == "sparql":
                return f"{plain}#{self.query_name}"
            query = parts.query
            # Addresses that differ only in their query stay apart, without showing what may be a key.
            return f"{plain}?{hashlib.sha256(query.encode()).hexdigest()[:8]}" if query else plain
        return self.address if self.kind == "sample" else "/".join(Path(self.address).parts[-2:])


@dataclass(frozen=True)
class PlatformPlace:
    """Where a platform is asked for profiles and posts, and how often: `requests` in any `seconds`, per host.

    `service` is the base address, with `{host}` where accounts have servers of their own; None is the platform's.
    `timeout_seconds` bounds each silence. `tokens` maps hosts to the tokens that they want, taken from the
    environment. `first_days` is how far back the posts of a new account are read.
    """

    is_sample: bool = False
    service: str | None = None
    requests: int = 300
    seconds: float = 300.0
    timeout_seconds: float = 30.0
    first_days: int = 84
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class StudyPlace:
    """Where interview studies are handed in: one folder, an inbox of folders, or the embedded synthetic study."""

    kind: Literal["sample", "path", "inbox"]
    address: str


@dataclass(frozen=True)
class SourceList:
    """Which sources are on, and where each is read from; sources and platforms not named are off.

    `private_hosts` are hosts, or host:port, that may be fetched from although their address is private.
    """

    name: str
    world: World
    locations: Mapping[str, tuple[Location, ...]]
    private_hosts: frozenset[str] = frozenset()
    platforms: Mapping[str, PlatformPlace] = field(default_factory=dict)
    interviews: tuple[StudyPlace, ...] = ()

    def of(self, source: str) -> tuple[Location, ...]:
        """The places of one source, empty when it is off."""
        return self.locations.get(source, ())


@dataclass(frozen=True)
class Home:
    """The folder that a run may write to, and the names of what stands in it."""

    root: Path

    @property
    def snapshots(self) -> Path:
        """Bytes as received, by hash, and the fetch logs."""
        return self.root / "snapshots"

    @property
    def observations(self) -> Path:
        """Profiles and posts as observed, one folder per pull."""
        return self.root / "observations"

    @property
    def roster(self) -> Path:
        """The accounts that the next pull asks about; a file, so that a pull needs no warehouse."""
        return self.root / "roster.parquet"

    @property
    def warehouse(self) -> Path:
        """The DuckDB file with the schemas source, clean, model, public and quarantine."""
        return self.root / "warehouse.duckdb"

    @property
    def restricted(self) -> Path:
        """The restricted database of interviews, and nothing else; closed to all but its owner."""
        return self.root / "restricted"

    @property
    def disclosure_report(self) -> Path:
        """What the disclosure gate last did, without any true count; it goes out with the release."""
        return self.root / "disclosure_report.json"

    @property
    def public(self) -> Path:
        """What the world sees: releases, catalogue, pages."""
        return self.root / "public"

    @property
    def staging(self) -> Path:
        """Releases that are being written; on the same file system as `public`, so that a rename is atomic."""
        return self.root / "staging"

    @property
    def runs(self) -> Path:
        """One record per attempt, also failed ones."""
        return self.root / "runs"

    @property
    def erasures(self) -> Path:
        """Who is left out, under keyed hashes, and an erasure under way; closed to all but its owner."""
        return self.root / "erasures"

    def claim(self, world: World) -> None:
        """Mark the home as belonging to one world; sample and live data never share a home."""
        marker = self.root / "world.txt"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"the home {self.root} cannot be written: {error.strerror}") from None
        if not marker.exists():
            marker.write_text(f"{world}\n", encoding="utf-8")
        held = marker.read_text(encoding="utf-8").strip()
        if held != world:
            raise SettingsError(
                f"the home {self.root} holds {held} data and cannot take {world} data: "
                f"choose another with --home or ENGAGEMENT_HOME"
            )


def default_home() -> Path:
    """`ENGAGEMENT_HOME`, or `build/` in the current folder."""
    return Path(os.environ.get("ENGAGEMENT_HOME", "build")).resolve()


# --- source lists -------------------------------------------------------------------------------------------


class _Place(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str | None = None
    url: str | None = None
    sample: str | None = None
    curated: str | None = None
    sparql: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]*$")
    endpoint: str | None = Field(default=None, pattern=r"^https?://[^\s?#]+$")
    as_of: dt.date | None = None

    @model_validator(mode="after")
    def _query_and_endpoint(self) -> Self:
        if (self.sparql is None) != (self.endpoint is None):
            raise ValueError("sparql names the query and endpoint the address to ask: give both or neither")
        return self


class _Platform(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    sample: bool = False
    service: str | None = Field(default=None, pattern=r"^https?://[^\s?#@]+$")
    requests: int = Field(default=300, gt=0)
    seconds: float = Field(default=300.0, gt=0)
    timeout_seconds: float = Field(default=30.0, gt=0)
    first_days: int = Field(default=84, gt=0)
    # Names of environment variables by host: a token itself never stands in a file.
    tokens: dict[str, str] = Field(default_factory=dict)


class _StudyPlace(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    sample: str | None = Field(default=None, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    path: str | None = None
    inbox: str | None = None


class _List(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    world: World
    private_hosts: list[str] = Field(default_factory=list)
    platforms: dict[Literal["bluesky", "mastodon"], _Platform] = Field(default_factory=dict)
    interviews: list[_StudyPlace] = Field(default_factory=list)
    sources: dict[str, str | _Place | list[str | _Place]] = Field(min_length=1)


def load_sources(name_or_path: str, known: frozenset[str]) -> SourceList:
    """Read a source list: a name that ships with the project, a YAML file, or a folder of source folders.

    A folder with a `sources.yml` is read as that list says.

    Paths and globs in a YAML file are relative to it. A day such as 2025-01-28 in a file name is taken as the
    day the file stands for, unless `as_of` says otherwise. Errors: `SettingsError`.
    """
    shipped = SOURCE_LISTS / f"{name_or_path}.yml"
    path = shipped if shipped.is_file() else Path(name_or_path)
    if path.is_dir() and (path / "sources.yml").is_file():
        path = path / "sources.yml"
    if path.is_dir():
        return _from_folder(path, known)
    if not path.is_file():
        names = ", ".join(sorted(p.stem for p in SOURCE_LISTS.glob("*.yml")))
        raise SettingsError(f"no source list {name_or_path!r}: give one of {names}, a YAML file or a folder")
    try:
        parsed = _List.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg'].lower()}" for fault in error.errors()]
        raise SettingsError(f"{path.name}: not a usable source list: {'; '.join(faults)}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        place = getattr(error, "problem_mark", None)
        line = f" near line {place.line + 1}" if place else ""
        raise SettingsError(f"{path.name}: not a usable source list: not readable as YAML{line}") from None
    if unknown := set(parsed.sources) - known:
        raise SettingsError(
            f"{path.name}: no contract for source {sorted(unknown)}; known: {', '.join(sorted(known))}"
        )
    locations = {source: _places(places, path) for source, places in parsed.sources.items()}
    for source, places in locations.items():
        labels = [place.label for place in places]
        if twice := sorted({label for label in labels if labels.count(label) > 1}):
            raise SettingsError(
                f"{path.name}: {source} has several places called {', '.join(twice)}, which the fetch log could "
                f"not tell apart: give the files or their folders different names"
            )
    platforms = {str(name): _platform(name, given, parsed.world, path) for name, given in parsed.platforms.items()}
    studies = tuple(_study_place(given, parsed.world, path) for given in parsed.interviews)
    return SourceList(path.stem, parsed.world, locations, frozenset(parsed.private_hosts), platforms, studies)


def _study_place(given: _StudyPlace, world: World, file: Path) -> StudyPlace:
    """A place of studies; folders are relative to the list, and an inbox may still be missing."""
    stated = given.model_dump(exclude_none=True)
    if len(stated) != 1:
        raise SettingsError(f"{file.name}: a place of interviews is one of sample, path or inbox")
    ((kind, address),) = stated.items()
    if kind == "sample" and world != "sample":
        raise SettingsError(f"{file.name}: interviews: only a list of world: sample may name the embedded study")
    if kind == "sample":
        return StudyPlace("sample", address)
    folder = Path(os.path.expandvars(address)).expanduser()
    return StudyPlace("path" if kind == "path" else "inbox", str((file.parent / folder).resolve()))


def _platform(name: str, given: _Platform, world: World, file: Path) -> PlatformPlace:
    if given.sample != (world == "sample"):
        raise SettingsError(
            f"{file.name}: platform {name}: sample: true belongs into a list of world: sample only"
        )
    if missing := sorted(variable for variable in given.tokens.values() if not os.environ.get(variable)):
        raise SettingsError(
            f"{file.name}: platform {name}: set the environment variable {', '.join(missing)}, or take it out of "
            f"tokens"
        )
    if given.service and ("{host}" in given.service) != (name == "mastodon"):
        where = "write {host} where an account's host belongs" if name == "mastodon" else "it has one host for all"
        raise SettingsError(f"{file.name}: platform {name}: service {given.service!r} cannot be used: {where}")
    tokens = {host: os.environ[variable] for host, variable in given.tokens.items()}
    return PlatformPlace(
        is_sample=given.sample,
        service=given.service,
        requests=given.requests,
        seconds=given.seconds,
        timeout_seconds=given.timeout_seconds,
        first_days=given.first_days,
        tokens=tokens,
    )


def _from_folder(folder: Path, known: frozenset[str]) -> SourceList:
    """A folder with one folder per source, such as files kept by hand."""
    locations = {
        source: tuple(Location("path", str(file), _day(file.name)) for file in files)
        for source in sorted(known)
        if (files := sorted((folder / source).glob("*.csv")))
    }
    if not locations:
        raise SettingsError(f"{folder}: holds no <source>/*.csv for any known source")
    return SourceList(folder.name, "live", locations)


def _places(places: str | _Place | list[str | _Place], file: Path) -> tuple[Location, ...]:
    entries = places if isinstance(places, list) else [places]
    return tuple(location for entry in entries for location in _place(entry, file))


def _place(entry: str | _Place, file: Path) -> list[Location]:
    if isinstance(entry, str):
        entry = _Place(url=entry) if re.match(r"https?://", entry) else _Place(path=entry)
    given: dict[str, Any] = entry.model_dump(exclude_none=True, exclude={"as_of", "endpoint"})
    if len(given) != 1:
        raise SettingsError(
            f"{file.name}: a place is one of path, url, sample, curated or sparql; got {sorted(given)}"
        )
    if entry.url:
        return [Location("url", entry.url, entry.as_of)]
    if entry.sample:
        return [Location("sample", entry.sample, entry.as_of or _day(entry.sample))]
    if entry.sparql and entry.endpoint:
        return [Location("sparql", entry.endpoint, entry.as_of, _query(entry.sparql, file), entry.sparql)]
    pattern = CURATED / entry.curated if entry.curated else file.parent / str(entry.path)
    found = sorted(glob.glob(str(pattern)))  # noqa: PTH207 - the pattern may be absolute
    if not found:
        raise SettingsError(f"{file.name}: nothing found at {entry.curated or entry.path}")
    return [Location("path", match, entry.as_of or _day(Path(match).name)) for match in found]


def _query(name: str, file: Path) -> str:
    """The text of a query that ships with the project."""
    path = QUERIES / f"{name}.rq"
    if not path.is_file():
        names = ", ".join(sorted(p.stem for p in QUERIES.glob("*.rq")))
        raise SettingsError(f"{file.name}: no query {name!r}: give one of {names}")
    return path.read_text(encoding="utf-8")


def _day(name: str) -> dt.date | None:
    match = re.search(r"\d{4}-\d{2}-\d{2}", name)
    try:
        return dt.date.fromisoformat(match.group()) if match else None
    except ValueError:  # digits that are no day
        return None
