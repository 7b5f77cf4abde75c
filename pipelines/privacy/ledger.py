"""What was told about a study before: how much has changed since, and the entries as text for the store.

Belongs here: the comparison of interviews by keyed hashes (rule D10), and JSON of an entry, there and back. Does
not belong here: storing, and what follows from a change (`protection`).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any, Final

from pipelines.privacy.categories import NOT_STATED, Hierarchy, recode
from pipelines.privacy.cells import NOT_MENTIONED, THEME_PREFIX, Cell, Population, Publication, Table
from pipelines.privacy.evidence import CoverageRow, LedgerEntry, ThemeRow, Withheld
from pipelines.privacy.rules import DisclosureError

FORMAT: Final = 1


def digest_records(population: Population, secret: bytes) -> dict[str, int]:
    """How often each combination of categories occurs, by its HMAC-SHA256 under the secret; sorted by hash."""
    names = sorted(map(str, population.records.columns))
    found: Counter[str] = Counter()
    for combination in population.records[names].itertuples(index=False, name=None):
        text = json.dumps(
            ["record", population.study_id, list(zip(names, combination, strict=True))], ensure_ascii=False
        )
        found[hmac.new(secret, text.encode("utf-8"), hashlib.sha256).hexdigest()] += 1
    return dict(sorted(found.items()))


def as_told(population: Population, entry: LedgerEntry, hierarchies: Mapping[str, Hierarchy]) -> Population:
    """The interviews of today through the eyes of an earlier publication: its columns, at its levels.

    Only so is a change counted if a reader could see it: a correction in what was never told, added to one new
    interview, must not pass for two. A column that the study no longer has is not stated or not mentioned.
    """
    themes = {f"{THEME_PREFIX}{row.theme_id}": NOT_MENTIONED for row in entry.themes}
    missing = {**dict.fromkeys(entry.levels, NOT_STATED), **themes}
    records = population.records
    records = records.assign(**{name: value for name, value in missing.items() if name not in records})
    records = records[[*entry.levels, *sorted(themes)]]
    recoded = {
        name: recode(records[name], hierarchies[name], level)
        for name, level in entry.levels.items()
        if name in hierarchies
    }
    return replace(population, records=records.assign(**recoded))


def changed_interviews(before: Mapping[str, int], after: Mapping[str, int]) -> int:
    """How many interviews differ between two digests: those that came or those that went, whichever are more.

    An interview that was recoded went and came, and counts once.
    """
    came, went = Counter(after) - Counter(before), Counter(before) - Counter(after)
    return max(came.total(), went.total())


def to_json(entry: LedgerEntry) -> str:
    """An entry as JSON, the same text for the same entry."""
    told = entry.publication
    document = {
        "format": FORMAT,
        "publication": {
            "number": told.number,
            "base": told.base,
            "tables": [{"dimensions": table.dimensions, "where": sorted(table.where)} for table in told.tables],
            "counts": _pairs(told.counts),
        },
        "truth": _pairs(entry.truth),
        "levels": dict(entry.levels),
        "themes": [asdict(row) for row in entry.themes],
        "coverage": [asdict(row) for row in entry.coverage],
        "withheld": [asdict(note) for note in entry.withheld],
        "records_digest": dict(entry.records_digest),
        "withdrawn": entry.withdrawn,
    }
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def from_json(text: str) -> LedgerEntry:
    """The entry that `to_json` wrote; `DisclosureError` (D13), which shows no value, for anything else."""
    # The errors that are suppressed know the text, so none of them may hang on the one that is raised.
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        document = json.loads(text)
        if document["format"] == FORMAT:
            return _entry(document)
    raise DisclosureError("D13: a ledger entry cannot be read, or is of another version")


def _entry(document: Mapping[str, Any]) -> LedgerEntry:
    told = document["publication"]
    tables = tuple(Table(tuple(table["dimensions"]), _cell(table["where"])) for table in told["tables"])
    return LedgerEntry(
        publication=Publication(told["number"], tables, _counts(told["counts"]), told["base"]),
        truth=_counts(document["truth"]),
        levels=dict(document["levels"]),
        themes=tuple(ThemeRow(**row) for row in document["themes"]),
        coverage=tuple(CoverageRow(**row) for row in document["coverage"]),
        records_digest=dict(document["records_digest"]),
        withdrawn=document["withdrawn"],
        withheld=tuple(Withheld(**note) for note in document["withheld"]),
    )


def _pairs(counts: Mapping[Cell, int]) -> list[tuple[list[tuple[str, str]], int]]:
    return sorted((sorted(cell), number) for cell, number in counts.items())


def _counts(pairs: Sequence[tuple[Iterable[Sequence[str]], int]]) -> dict[Cell, int]:
    return {_cell(pairs_of_cell): number for pairs_of_cell, number in pairs}


def _cell(pairs: Iterable[Sequence[str]]) -> Cell:
    return frozenset((dimension, category) for dimension, category in pairs)
