"""A code tree and its uses, as every coding format yields them once its own ids are resolved.

Belongs here: positions, paths and counts, and what is left out of them with an issue. Does not belong here: any
format. Ids of the format are used while a file is read and forgotten with it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pipelines.interviews.guard import MOST_CODES, MOST_TEXT_BYTES, clean_name
from pipelines.interviews.study import Code, Coding, EncounterCode, InterviewError, Issue

SEPARATOR: Final = " > "
SOURCE: Final = "codes"
_MOST_LEVELS: Final = 50
_NO_PARENT: Final = object()


@dataclass(frozen=True)
class FoundCode:
    """A code as a file states it: by the file's own ids, None for a parent that it does not have."""

    key: Hashable
    parent: Hashable | None
    name: str = field(repr=False)


@dataclass(frozen=True)
class FoundUse:
    """That a code was used in an interview, by the interview's label and the file's own id of the code."""

    label: str = field(repr=False)
    code: Hashable
    references: int = 1


def build_coding(found: Sequence[FoundCode], uses: Iterable[FoundUse]) -> Coding:
    """The codes in order, parents before children, with positions from 1; and how often each was used where.

    A code whose parent is missing stands by itself. Left out, each with an issue: a code without a name and all
    under it, codes that are their own ancestors, uses of a code that is not there, uses without an interview.
    Errors: `InterviewError` for more than 20,000 codes, two codes by one id, a tree more than 50 levels deep, and
    paths that are longer in sum than any study's.
    """
    if len(found) > MOST_CODES:
        raise InterviewError(f"{SOURCE}: more than {MOST_CODES:,} codes: no study has so many; refused")
    if len({code.key for code in found}) < len(found):
        raise InterviewError(f"{SOURCE}: two codes have one id: the file is damaged; export it again")
    issues: list[Issue] = []
    kept: dict[Hashable, Code] = {}
    characters = 0
    for place, code, level in _in_order(found):
        name = _read_name(code, place, issues)
        above = kept.get(code.parent) if level > 1 else None
        if not name or (above is None and level > 1):
            continue
        path = f"{above.name}{SEPARATOR}{name}" if above else name
        characters += len(path)
        if level > _MOST_LEVELS or characters > MOST_TEXT_BYTES:
            raise InterviewError(
                f"{SOURCE}: codes stand more than {_MOST_LEVELS} levels deep, or have endless names"
            )
        kept[code.key] = Code(path, len(kept) + 1, above.position if above else None)
    issues += _left_out(len(found) - len(kept))
    counted, faults = _count(uses, {key: code.position for key, code in kept.items()})
    return Coding(tuple(kept.values()), counted, (*issues, *faults))


def _in_order(found: Sequence[FoundCode]) -> Iterator[tuple[int, FoundCode, int]]:
    """Each code that hangs on a root, with its place in the file and its level, parents before children."""
    keys = {code.key for code in found}
    under: dict[Hashable, list[tuple[int, FoundCode]]] = defaultdict(list)
    for place, code in enumerate(found, start=1):
        has_parent = code.parent is not None and code.parent in keys
        under[code.parent if has_parent else _NO_PARENT].append((place, code))
    waiting = [(place, code, 1) for place, code in reversed(under[_NO_PARENT])]
    while waiting:
        place, code, level = waiting.pop()
        yield place, code, level
        waiting += [(place, child, level + 1) for place, child in reversed(under.get(code.key, []))]


def _read_name(code: FoundCode, place: int, issues: list[Issue]) -> str:
    """A code's name as it is matched; an issue where that is not all that the file holds."""
    name, is_altered = clean_name(code.name)
    if is_altered:
        message = "the name is very long, or holds characters that hide or reorder text: matched without them"
        issues.append(Issue(SOURCE, f"code {place}", message, "note", f"{message}: {ascii(code.name)[:80]}"))
    return name


def _left_out(codes: int) -> Iterator[Issue]:
    if codes:
        message = f"left out {codes} without a name, under one without a name, or among their own ancestors"
        yield Issue(SOURCE, "code tree", message, "left_out")


def _count(
    uses: Iterable[FoundUse], positions: Mapping[Hashable, int]
) -> tuple[tuple[EncounterCode, ...], list[Issue]]:
    """Uses by interview and code, sorted; and issues about those that belong to none."""
    counts: Counter[tuple[str, int]] = Counter()
    lost: Counter[str] = Counter()
    for use in uses:
        label, is_altered = clean_name(use.label)
        lost["altered"] += is_altered
        if use.code not in positions:
            lost["code"] += use.references
        elif not label:
            lost["label"] += use.references
        else:
            counts[label, positions[use.code]] += use.references
    wordings = {
        "code": "left out {} uses of codes that are not in the code tree",
        "label": "left out {} uses in interviews without a name",
    }
    issues = [
        Issue(SOURCE, "uses", wording.format(lost[name]), "left_out")
        for name, wording in wordings.items()
        if lost[name]
    ]
    if lost["altered"]:
        message = "names are very long, or hold characters that hide or reorder text: matched without them"
        issues.append(Issue(SOURCE, "uses", message, "note"))
    return tuple(EncounterCode(label, code, n) for (label, code), n in sorted(counts.items())), issues
