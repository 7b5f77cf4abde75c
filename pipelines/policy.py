"""What may be kept of each platform's fields, for how long, and at which level it may be published.

Belongs here: reading `data_contracts/policy.yml` strictly, and the questions that reading, storing and publishing
ask of it. Does not belong here: acting on the answers (`collect` reads, `observations` stores, `release`
publishes). It fails closed: a field without a line is not allowed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.contract import Contract, read_yaml

Level = Literal["never", "aggregate", "account"]
LEVELS: tuple[Level, ...] = ("never", "aggregate", "account")
# What every observation says about itself; no platform's field.
FRAME = frozenset({"platform", "observed_on", "pull_id", "observed_at"})


class PolicyError(Exception):
    """A policy that is incomplete, or something that it forbids; the message names field, platform and remedy."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FieldRule(_Strict):
    """What may be done with one field of one platform."""

    kept: bool
    days: int | None = Field(ge=0)
    published: Level


class _Document(_Strict):
    platforms: dict[str, str]
    rules: dict[str, FieldRule]
    fields: dict[str, dict[str, FieldRule]]


@dataclass(frozen=True)
class Policy:
    """The whole table: `rules` by `table.field` and platform."""

    rules: Mapping[str, Mapping[str, FieldRule]]
    platforms: frozenset[str]

    def rule(self, table: str, column: str, platform: str) -> FieldRule:
        """What may be done with a field. Errors: `PolicyError` when the policy says nothing about it."""
        rule = self.rules.get(f"{table}.{column}", {}).get(platform)
        if rule is None:
            raise PolicyError(
                f"policy.yml says nothing about {table}.{column} on {platform}: add a line before it is read"
            )
        return rule

    def kept(self, table: str, columns: Iterable[str], platform: str) -> frozenset[str]:
        """Those of a table's columns that may be stored for a platform, the frame included."""
        return frozenset(c for c in columns if c in FRAME or self.rule(table, c, platform).kept)

    def expired(self, table: str, columns: Iterable[str], platform: str, age: dt.timedelta) -> frozenset[str]:
        """Those of a table's columns whose stored values are older than they may become."""
        limits = {c: self.rule(table, c, platform).days for c in columns if c not in FRAME}
        return frozenset(c for c, days in limits.items() if days is not None and age > dt.timedelta(days=days))

    def shortest_days(self, platform: str) -> int | None:
        """The shortest time after which something of a platform has to go; None where nothing has."""
        days = [by[platform].days for by in self.rules.values() if platform in by and by[platform].kept]
        return min((d for d in days if d is not None), default=None)

    def publication_faults(
        self, dataset: str, level: Level | None, origins: Collection[str], platforms: Collection[str]
    ) -> list[str]:
        """What the policy forbids about a dataset: `origins` are the observed `table.field`s that it is made from.

        A dataset made from observations has to state its level; `platforms` are those of which it holds data.
        """
        fields = sorted(origin for origin in origins if origin.split(".")[1] not in FRAME)
        if fields and level is None:
            return [f"{dataset}: is made from observations ({', '.join(fields[:3])} …) and states no level"]
        faults = []
        for origin in fields:
            table, column = origin.split(".")
            for platform in sorted(platforms):
                allowed = self.rule(table, column, platform).published
                if LEVELS.index(allowed) < LEVELS.index(level or "account"):
                    faults.append(
                        f"{dataset}: publishes {origin} of {platform} at level {level}, allowed is {allowed}"
                    )
        return faults


def load_policy(path: Path, contracts: Mapping[str, Contract]) -> Policy:
    """Read the policy and hold it against the observation contracts.

    Errors: `PolicyError` for a column of theirs without a line, for a line without one of the platforms, for a
    field that may be kept and is no column, and for a refused field that has days or a level.
    """
    try:
        document = _Document.model_validate(read_yaml(path))
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg'].lower()}" for e in error.errors())
        raise PolicyError(f"{path.name}: {said}") from None
    platforms = frozenset(document.platforms)
    columns = {
        f"{contract.name}.{column.name}"
        for contract in contracts.values()
        if contract.layer == "observation"
        for column in contract.columns
        if column.name not in FRAME
    }
    faults = [
        f"{name} is a column of an observation and has no line" for name in sorted(columns - set(document.fields))
    ]
    for name, by in document.fields.items():
        faults += _line_faults(name, by, platforms, is_column=name in columns)
    if faults:
        raise PolicyError(f"{path.name}: {'; '.join(faults)}")
    return Policy(document.fields, platforms)


def _line_faults(
    name: str, by: Mapping[str, FieldRule], platforms: frozenset[str], *, is_column: bool
) -> Iterator[str]:
    if set(by) != platforms:
        yield f"{name} must have an entry for each of {', '.join(sorted(platforms))}"
    is_kept = any(rule.kept for rule in by.values())
    if is_kept and not is_column:
        yield f"{name} may be kept, but is no column of an observation"
    if not is_kept and is_column:
        yield f"{name} is a column of an observation that no platform may keep"
    for platform, rule in by.items():
        if not rule.kept and (rule.days or rule.published != "never"):
            yield f"{name} of {platform} is refused and yet has days or a level"
