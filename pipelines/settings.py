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
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

World = Literal["sample", "live"]
LocationKind = Literal["path", "url", "sample"]

PACKAGE = Path(__file__).resolve().parent
CURATED = PACKAGE / "sources" / "curated"
SOURCE_LISTS = PACKAGE / "sources" / "lists"


class SettingsError(Exception):
    """A setting or source list that cannot be used; the message names it and the remedy."""


def project_folder(name: str) -> Path:
    """The folder `data_contracts` or `sql`: of the checkout, or of the copy inside an installed package."""
    for root in (PACKAGE.parent, PACKAGE / "_project"):
        if (root / name).is_dir():
            return root / name
    raise SettingsError(f"{name}/ stands neither beside nor inside {PACKAGE}: reinstall the package")


@dataclass(frozen=True)
class Location:
    """One place to read a source from; `as_of` is the day the content stands for, where that is known."""

    kind: LocationKind
    address: str
    as_of: dt.date | None = None

    @property
    def label(self) -> str:
        """How the place is called in logs: without folders of this machine, user information or query."""
        if self.kind == "url":
            parts = urlsplit(self.address)
            plain = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
            query = parts.query
            # Addresses that differ only in their query stay apart, without showing what may be a key.
            return f"{plain}?{hashlib.sha256(query.encode()).hexdigest()[:8]}" if query else plain
        return self.address if self.kind == "sample" else "/".join(Path(self.address).parts[-2:])


@dataclass(frozen=True)
class SourceList:
    """Which sources are on, and where each is read from; sources not named are off.

    `private_hosts` are hosts, or host:port, that may be fetched from although their address is private.
    """

    name: str
    world: World
    locations: Mapping[str, tuple[Location, ...]]
    private_hosts: frozenset[str] = frozenset()

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
    def warehouse(self) -> Path:
        """The DuckDB file with the schemas source, clean, model, public and quarantine."""
        return self.root / "warehouse.duckdb"

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
    as_of: dt.date | None = None


class _List(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    world: World
    private_hosts: list[str] = Field(default_factory=list)
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
    return SourceList(path.stem, parsed.world, locations, frozenset(parsed.private_hosts))


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
    given: dict[str, Any] = entry.model_dump(exclude_none=True, exclude={"as_of"})
    if len(given) != 1:
        raise SettingsError(f"{file.name}: a place is one of path, url, sample or curated; got {sorted(given)}")
    if entry.url:
        return [Location("url", entry.url, entry.as_of)]
    if entry.sample:
        return [Location("sample", entry.sample, entry.as_of or _day(entry.sample))]
    pattern = CURATED / entry.curated if entry.curated else file.parent / str(entry.path)
    found = sorted(glob.glob(str(pattern)))  # noqa: PTH207 - the pattern may be absolute
    if not found:
        raise SettingsError(f"{file.name}: nothing found at {entry.curated or entry.path}")
    return [Location("path", match, entry.as_of or _day(Path(match).name)) for match in found]


def _day(name: str) -> dt.date | None:
    match = re.search(r"\d{4}-\d{2}-\d{2}", name)
    try:
        return dt.date.fromisoformat(match.group()) if match else None
    except ValueError:  # digits that are no day
        return None
