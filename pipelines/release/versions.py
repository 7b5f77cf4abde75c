"""Schema versions: what a change of a contract means to those who read the data, and which number it demands.

Belongs here: comparing two contracts as they were published, the number that follows, the levels of a change,
and the rules by which a dataset may go. Does not belong here: rows (`changes`), and putting changes before
people (`diff`).

A change is **major** where something that was written against the old release may break or silently mean
something else, **minor** where something is new and all that was there keeps its meaning, **patch** where only
words, rows or checks of the publisher differ. `docs/versions.md` has the whole table with the reasons.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.contract import Contract
from pipelines.release.manifest import SHARE_ALIKE, DatasetEntry, Deprecation, Level, Manifest, ManifestError

LEVELS: tuple[Level, ...] = ("none", "patch", "minor", "major")
NOTICE_DAYS = 90  # how long a dataset stays, at least, after a release has first said that it will go
GUARDS = ("pattern", "minLength", "maxLength", "minimum", "maximum")


class SchemaChange(BaseModel):
    """One difference between two contracts of a dataset, in a sentence; `column` where it is about one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    level: Level
    sentence: str
    column: str | None = None


def highest(levels: Iterable[Level]) -> Level:
    """The level of several changes together."""
    return max(levels, key=LEVELS.index, default="none")


# --- a contract as it was published -------------------------------------------------------------------------


class _Read(BaseModel):
    """Read as far as comparing needs; a later edition of the standard may say more."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _Said(_Read):
    property: str
    value: Any = None


class _Rule(_Read):
    name: str | None = None
    severity: str = "critical"
    arguments: dict[str, Any] | None = None
    implementation: str | None = None


class _Column(_Read):
    name: str
    title: str | None = Field(default=None, alias="businessName")
    type: str = Field(alias="logicalType")
    options: dict[str, Any] = Field(default_factory=dict, alias="logicalTypeOptions")
    description: str = ""
    required: bool = False
    unique: bool = False
    is_key: bool = Field(default=False, alias="primaryKey")
    position: int | None = Field(default=None, alias="primaryKeyPosition")
    quality: tuple[_Rule, ...] = ()
    said: tuple[_Said, ...] = Field(default=(), alias="customProperties")

    @property
    def is_filled(self) -> bool:
        """Whether no cell of it is empty."""
        return self.required or self.is_key

    @property
    def unit(self) -> str | None:
        """What its numbers count or measure."""
        return next((str(s.value) for s in self.said if s.property == "unit"), None)

    @property
    def allowed(self) -> tuple[str, ...] | None:
        """The list of its values, None where it is open."""
        lists = [given["validValues"] for given in self._arguments if "validValues" in given]
        return tuple(str(value) for value in lists[0]) if lists else None

    @property
    def guards(self) -> dict[str, Any]:
        """Bounds and patterns that catch wrong values and say nothing about the meaning of right ones."""
        patterns = sorted(str(given["pattern"]) for given in self._arguments if "pattern" in given)
        return {name: self.options.get(name) for name in GUARDS} | {"patterns": patterns}

    @property
    def _arguments(self) -> list[dict[str, Any]]:
        """What the critical rules ask; a rule that only warns promises nothing."""
        return [rule.arguments or {} for rule in self.quality if rule.severity == "critical"]


class _Table(_Read):
    grain: str = Field(default="", alias="dataGranularityDescription")
    columns: tuple[_Column, ...] = Field(alias="properties")
    quality: tuple[_Rule, ...] = ()


class _Texts(_Read):
    purpose: str = ""
    limitations: str = ""
    usage: str | None = None


class _Document(_Read):
    title: str = Field(default="", alias="name")
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    status: str = "active"
    texts: _Texts = Field(default=_Texts(), alias="description")
    tables: tuple[_Table, ...] = Field(alias="schema", min_length=1, max_length=1)
    said: tuple[_Said, ...] = Field(default=(), alias="customProperties")


@dataclass(frozen=True)
class Promise:
    """What a contract promises to readers; made from the document by `read_promise`."""

    read: _Document
    document: Mapping[str, Any]

    @property
    def version(self) -> str:
        """The schema version that the contract states."""
        return self.read.version

    @property
    def is_draft(self) -> bool:
        """Whether the dataset is tried out in public: it may change or go without notice."""
        return self.read.status == "draft"

    @cached_property
    def columns(self) -> dict[str, _Column]:
        """The columns by name, in the order in which files have them."""
        return {column.name: column for column in self.read.tables[0].columns}

    @cached_property
    def key(self) -> tuple[str, ...]:
        """The primary key's columns in order."""
        keyed = [column for column in self.columns.values() if column.is_key]
        return tuple(column.name for column in sorted(keyed, key=lambda column: column.position or 0))

    @property
    def row_rules(self) -> dict[str, str]:
        """Critical rules about a whole row by name."""
        rules = [rule for rule in self.read.tables[0].quality if rule.severity == "critical"]
        return {rule.name: rule.implementation for rule in rules if rule.name and rule.implementation}

    def says(self, name: str) -> Any:
        """The value of a custom property of the whole contract."""
        return next((said.value for said in self.read.said if said.property == name), None)

    @property
    def words(self) -> dict[str, str | None]:
        """The texts about the dataset by what they are."""
        texts = self.read.texts
        return {
            "title": self.read.title,
            "grain": self.read.tables[0].grain,
            "purpose": texts.purpose,
            "usage": texts.usage,
            "limitations": texts.limitations,
        }


def read_promise(document: Mapping[str, Any], what: str) -> Promise:
    """A contract document as a promise that can be compared; `what` names it in an error.

    Errors: `ManifestError` when the document is not a contract.
    """
    plain = orjson.loads(orjson.dumps(document, option=orjson.OPT_NON_STR_KEYS))  # days become texts, as when kept
    try:
        return Promise(_Document.model_validate(plain), plain)
    except ValidationError as error:
        raise ManifestError(f"{what}: not a contract of this kind ({error.error_count()} faults)") from None


# --- comparing ----------------------------------------------------------------------------------------------


def compare_promises(old: Promise, new: Promise) -> list[SchemaChange]:
    """Every difference between two contracts of a dataset, the gravest first; empty when they promise the same.

    A column that went while one of the same type, unit and description came was renamed; by that name or
    another, it is gone for those who ask for it. Columns are read by place as well (`union all`, CSV), so one
    that does not come last, or another order, counts as major.
    """
    renamed = _renamed(old, new)
    found = [
        *_key_changes(old, new),
        *_column_set_changes(old, new, renamed),
        *(
            change
            for name in old.columns
            if (now := renamed.get(name, name)) in new.columns
            for change in _column_changes(old.columns[name], new.columns[now])
        ),
        *_row_rule_changes(old, new),
        *_contract_changes(old, new),
    ]
    if not found and {**old.document, "version": ""} != {**new.document, "version": ""}:
        found.append(_change("patch", "its checks of freshness, numbers of rows or warnings changed"))
    return sorted(found, key=lambda change: -LEVELS.index(change.level))


def _change(level: Level, sentence: str, column: str | None = None) -> SchemaChange:
    return SchemaChange(level=level, sentence=sentence, column=column)


def _renamed(old: Promise, new: Promise) -> dict[str, str]:
    """Old names of columns to new ones, where exactly one column that came is like one that went."""
    came = [column for name, column in new.columns.items() if name not in old.columns]
    went = [column for name, column in old.columns.items() if name not in new.columns]

    def likeness(column: _Column) -> tuple[str, str | None, str]:
        return column.type, column.unit, " ".join(column.description.split())

    pairs = {}
    for column in went:
        alike = [other for other in came if likeness(other) == likeness(column)]
        rivals = [other for other in went if likeness(other) == likeness(column)]
        if len(alike) == len(rivals) == 1:
            pairs[column.name] = alike[0].name
    return pairs


def _key_changes(old: Promise, new: Promise) -> Iterator[SchemaChange]:
    if old.key != new.key:
        was, now = ", ".join(old.key) or "nothing", ", ".join(new.key) or "nothing"
        yield _change("major", f"what names a row changed from {was} to {now}")


def _column_set_changes(old: Promise, new: Promise, renamed: Mapping[str, str]) -> Iterator[SchemaChange]:
    for name in old.columns:
        if name in renamed:
            yield _change("major", f"column {name} was renamed to {renamed[name]}", name)
        elif name not in new.columns:
            yield _change("major", f"column {name} was removed", name)
    kept = [renamed.get(name, name) for name in old.columns if renamed.get(name, name) in new.columns]
    order = list(new.columns)
    if kept != [name for name in order if name in kept]:
        yield _change("major", "the columns stand in another order")
    last = max((order.index(name) for name in kept), default=-1)
    for name in order:
        if name in kept:
            continue
        if order.index(name) < last:
            after = next(other for other in order[order.index(name) :] if other in kept)
            yield _change(
                "major", f"column {name} is new and stands before {after}; as the last it would be minor", name
            )
        else:
            yield _change("minor", f"column {name} is new", name)


def _column_changes(old: _Column, new: _Column) -> Iterator[SchemaChange]:
    name = new.name
    if old.type != new.type:
        yield _change("major", f"column {name} has type {new.type} instead of {old.type}", name)
    if old.unit != new.unit:
        was, now = old.unit or "no unit", new.unit or "no unit"
        yield _change("major", f"column {name} has the unit {now} instead of {was}", name)
    if old.is_filled != new.is_filled:
        yield (
            _change("major", f"column {name} may now be empty", name)
            if old.is_filled
            else _change("minor", f"column {name} is no longer empty anywhere", name)
        )
    if old.unique != new.unique:
        yield (
            _change("major", f"a value of column {name} may now occur in several rows", name)
            if old.unique
            else _change("minor", f"a value of column {name} now occurs in one row only", name)
        )
    yield from _value_changes(old, new)
    if old.guards != new.guards:
        yield _change("minor", f"the bounds or the pattern that values of column {name} keep to changed", name)
    if (old.title, old.description) != (new.title, new.description):
        yield _change("patch", f"column {name} is described in other words", name)


def _value_changes(old: _Column, new: _Column) -> Iterator[SchemaChange]:
    name, was, now = new.name, old.allowed, new.allowed
    if was is None and now is not None:
        yield _change("minor", f"column {name} now keeps to a list of values: {', '.join(now)}", name)
    elif was is not None and now is None:
        yield _change("major", f"column {name} no longer keeps to a list of values", name)
    elif was is not None and now is not None:
        if gone := [value for value in was if value not in now]:
            yield _change("major", f"column {name} no longer knows the value {', '.join(gone)}", name)
        if added := [value for value in now if value not in was]:
            yield _change("minor", f"column {name} may now have the value {', '.join(added)}", name)


def _row_rule_changes(old: Promise, new: Promise) -> Iterator[SchemaChange]:
    was, now = old.row_rules, new.row_rules
    for name in sorted(was.keys() | now.keys()):
        if name not in now:
            yield _change("minor", f"rule {name} is no longer promised")
        elif name not in was:
            yield _change("minor", f"rule {name} is promised now")
        elif " ".join(was[name].split()) != " ".join(now[name].split()):
            yield _change("minor", f"rule {name} says something else")


def _contract_changes(old: Promise, new: Promise) -> Iterator[SchemaChange]:
    was, now = old.says("licence"), new.says("licence")
    if was != now:
        stricter = now in SHARE_ALIKE and was not in SHARE_ALIKE
        yield _change("major" if stricter else "minor", f"its licence is {now} instead of {was}")
    if old.says("attribution") != new.says("attribution"):
        yield _change("patch", "other names are to be given as its sources")
    yield from _status_changes(old, new)
    if changed := [what for what, text in new.words.items() if text != old.words[what]]:
        yield _change("patch", f"other words for: {', '.join(changed)}")


def _status_changes(old: Promise, new: Promise) -> Iterator[SchemaChange]:
    was, now = old.read.status, new.read.status
    until = new.says("removeAfter"), new.says("replacedBy")
    if now == "deprecated" and (was != now or until != (old.says("removeAfter"), old.says("replacedBy"))):
        instead = f"use {until[1]} instead" if until[1] else "nothing replaces it"
        yield _change("minor", f"it is deprecated and may be removed after {until[0]}; {instead}")
    elif was == "deprecated" and was != now:
        yield _change("minor", "it is no longer deprecated")
    elif was != now:
        yield _change("minor", f"its status is {now} instead of {was}")


# --- numbers ------------------------------------------------------------------------------------------------


def demanded_version(version: str, level: Level) -> str:
    """The lowest version that a change of a level demands after `version`.

    Before 1.0.0 nothing is promised for long: there, as semantic versioning has it, a major change raises the
    middle number.
    """
    major, minor, patch = _numbers(version)
    if level == "major" and major:
        return f"{major + 1}.0.0"
    if level in ("major", "minor"):
        return f"{major}.{minor + 1}.0"
    return f"{major}.{minor}.{patch + (level == 'patch')}"


def _numbers(version: str) -> tuple[int, int, int]:
    major, minor, patch = (int(part) for part in version.split("."))
    return major, minor, patch


def version_fault(name: str, old: Promise, new: Promise) -> str | None:
    """That a contract states a lower version than its changes demand, with the number to write; else None."""
    changes = compare_promises(old, new)
    level = highest(change.level for change in changes)
    demanded = demanded_version(old.version, level)
    if _numbers(new.version) >= _numbers(demanded):
        return None
    why = "; ".join(change.sentence for change in changes if change.level == level) or "nothing else changed"
    return f"{name}.yml: states version {new.version} after {old.version}, but {why}: write {demanded} or higher"


def version_faults(old: Mapping[str, Promise], new: Mapping[str, Promise]) -> list[str]:
    """Every contract whose stated version is too low, one sentence each."""
    faults = (version_fault(name, old[name], new[name]) for name in sorted(old.keys() & new.keys()))
    return [fault for fault in faults if fault]


# --- deprecation --------------------------------------------------------------------------------------------


def deprecation_of(
    contract: Contract, before: DatasetEntry | None, version: str, day: dt.date
) -> Deprecation | None:
    """What a release says about a dataset that will go; the day of the first such release is kept."""
    if contract.status != "deprecated" or contract.remove_after is None:
        return None
    first = before.deprecation if before else None
    return Deprecation(
        since_version=first.since_version if first else version,
        since=first.since if first else day,
        replaced_by=contract.replaced_by,
        remove_after=contract.remove_after,
    )


def broken_promises(
    before: Manifest,
    old: Mapping[str, Promise],
    new: Mapping[str, Promise],
    deprecations: Mapping[str, Deprecation | None],
    day: dt.date,
) -> list[str]:
    """Why a release of `day` may not follow the one before: too low a number, or too little notice.

    `deprecations` has every dataset of the new release; it may say of the ones that will go until when.
    """
    earlier = {dataset.name: dataset.deprecation for dataset in before.datasets}
    drafts = {name for name, promise in old.items() if promise.is_draft}
    gone = sorted(earlier.keys() - deprecations.keys() - drafts)
    return [
        *version_faults(old, new),
        *deprecation_faults(deprecations, earlier),
        *(fault for name in gone if (fault := _removal_fault(name, earlier[name], before.version, day))),
    ]


def deprecation_faults(
    now: Mapping[str, Deprecation | None], before: Mapping[str, Deprecation | None]
) -> list[str]:
    """Deprecations that give too little notice, less than was promised before, or name a stranger."""
    faults = []
    for name, said in now.items():
        if said is None:
            continue
        earliest, promised = said.since + dt.timedelta(days=NOTICE_DAYS), before.get(name)
        if said.remove_after < earliest:
            faults.append(
                f"{name}.yml: removeAfter is {said.remove_after}, but release {said.since_version} of "
                f"{said.since} said so first, and a dataset stays for {NOTICE_DAYS} days: write {earliest}"
            )
        elif promised and said.remove_after < promised.remove_after:
            faults.append(
                f"{name}.yml: removeAfter is {said.remove_after}, but {promised.remove_after} was promised: it "
                f"may be put off, not brought forward"
            )
        if said.replaced_by and said.replaced_by not in now:
            faults.append(f"{name}.yml: replacedBy names {said.replaced_by}, which is no public dataset")
    return faults


def _removal_fault(name: str, said: Deprecation | None, version: str, day: dt.date) -> str | None:
    """That a dataset is gone too early; None where its time has come."""
    if said is None:
        return (
            f"dataset {name} is gone, but release {version} did not say that it would go: bring it back with "
            f"status: deprecated, and removeAfter {NOTICE_DAYS} days after the next release"
        )
    if day <= said.remove_after:
        return f"dataset {name} is gone, but promised until {said.remove_after}: bring it back"
    return None


def standing(dataset: DatasetEntry) -> str | None:
    """The notice about a dataset that is a draft or will go, in a sentence or two; None where all is well."""
    if dataset.status == "draft":
        return "This dataset is a draft: it may change or go without notice."
    if (said := dataset.deprecation) is None:
        return None
    instead = f"Use {said.replaced_by} instead." if said.replaced_by else "Nothing replaces it."
    return f"This dataset is deprecated since {said.since} and may be removed after {said.remove_after}. {instead}"
