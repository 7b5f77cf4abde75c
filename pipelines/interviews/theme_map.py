"""The reviewed map from a study's codes to themes: the only way on which a code's meaning is published.

Belongs here: reading `themes.csv` and matching its codes to the code tree. Does not belong here: the themes
(`vocabulary`) and how often a code was used. A code that no line names is never published, nor does it take over
the theme of the code above it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Final

from pipelines.interviews import guard
from pipelines.interviews.declaration import iso_date
from pipelines.interviews.rows import quoted, read_table
from pipelines.interviews.study import Code, Issue, Severity, ThemeMapping
from pipelines.interviews.vocabulary import Vocabulary, fold

SOURCE: Final = "themes"
REQUIRED, OPTIONAL = ("code", "theme", "reviewed_on"), ("reviewed_by",)
_SEPARATORS = re.compile(r"\s*(?:>|::)\s*")
Path = tuple[str, ...]


def read_theme_map(
    content: bytes, codes: Sequence[Code], vocabulary: Vocabulary, today: dt.date
) -> tuple[tuple[ThemeMapping, ...], tuple[Issue, ...]]:
    """The reviewed lines that fit the code tree, and issues about the others and about codes without a theme.

    A line names a code by its path, written with `>` or `::`, or by its own name where only one code has it.
    Refused: a theme that is not on the reviewed list, a line without a date of review, a name that several codes
    share, a line given twice. Errors: `InterviewError` as `read_table`.
    """
    places = _places(codes)
    issues: list[Issue] = []
    mappings: dict[tuple[int, str], ThemeMapping] = {}
    for number, line in read_table(content, SOURCE, REQUIRED, OPTIONAL):
        found = places.get(_path(line["code"]), [])
        faults = [*_line_issues(number, line, found, vocabulary, today)]
        if len(found) == 1 and (found[0].position, line["theme"]) in mappings:
            faults.append(_issue(number, "says the same as a line above it", "refused"))
        issues += faults
        if not faults:
            mapping = ThemeMapping(found[0].position, line["theme"], iso_date(line["reviewed_on"]))
            mappings[mapping.code, mapping.theme_id] = mapping
    mapped = {code for code, _ in mappings}
    for place, code in enumerate(codes, start=1):
        if code.position not in mapped:
            said = "has no theme and is not published"
            shown = f"{quoted(code.name)} {said}"
            issues.append(Issue(SOURCE, f"code {place} of {len(codes)}", said, "note", shown))
    return tuple(mappings.values()), tuple(issues)


def _line_issues(
    number: int, line: Mapping[str, str], found: Sequence[Code], vocabulary: Vocabulary, today: dt.date
) -> list[Issue]:
    issues = []
    if line["theme"] not in vocabulary.themes:
        said = f"the theme is not on the reviewed list; there are: {', '.join(vocabulary.themes)}"
        issues.append(_issue(number, said, "refused", line["theme"]))
    try:
        is_reviewed = iso_date(line["reviewed_on"]) <= today.isoformat()
    except ValueError:
        is_reviewed = False
    if not is_reviewed:
        said = "has no date of review: add the day on which it was reviewed, such as 2026-11-20"
        issues.append(_issue(number, said, "refused"))
    if not found:
        issues.append(_issue(number, "names a code that is not in the code tree", "left_out", line["code"]))
    elif len(found) > 1:
        said = f"names {len(found)} codes: write the path of the one that is meant, such as `Use > Abuse`"
        issues.append(_issue(number, said, "refused", line["code"]))
    return issues


def _issue(number: int, said: str, severity: Severity, value: str = "") -> Issue:
    shown = f"{quoted(value)}: {said}" if value else ""
    return Issue(SOURCE, f"row {number}", said, severity, shown)


def _places(codes: Sequence[Code]) -> dict[Path, list[Code]]:
    """The codes by path, and by their own name; a name that is a whole path means that code only."""
    by_path: dict[Path, list[Code]] = {}
    by_name: dict[Path, list[Code]] = {}
    for code in codes:
        path = _path(code.name)
        by_path.setdefault(path, []).append(code)
        by_name.setdefault(path[-1:], []).append(code)
    return by_name | by_path


def _path(name: str) -> Path:
    return tuple(part for part in _SEPARATORS.split(fold(guard.clean_name(name)[0])) if part)
