"""The recruitment frame of a study: how many people hold each category, whether they were interviewed or not.

Belongs here: reading `frame.csv`. Does not belong here: the public register, which stands in where a study gives
no frame, and what too few holders lead to.
"""

from __future__ import annotations

from typing import Final

from pipelines.interviews.rows import quoted, read_table
from pipelines.interviews.study import FrameLine, Issue
from pipelines.interviews.vocabulary import Vocabulary

SOURCE: Final = "frame"
COLUMNS: Final = ("attribute", "category", "holders")
MOST_HOLDERS: Final = 1_000_000  # there are some 20,000 councillors in the country


def read_frame(content: bytes, vocabulary: Vocabulary) -> tuple[tuple[FrameLine, ...], tuple[Issue, ...]]:
    """The lines of a frame; one that is not understood, or given twice, refuses the study.

    Errors: `InterviewError` as `read_table`.
    """
    lines: dict[tuple[str, str], FrameLine] = {}
    issues: list[Issue] = []
    for number, written in read_table(content, SOURCE, COLUMNS):
        line, fault = _line(written, vocabulary)
        if line is not None and (line.attribute, line.category) in lines:
            line, fault = None, ("holders", "the category stands in a line above it already")
        if line is None:
            column, said = fault
            shown = f"{quoted(written[column])}: {said}"
            issues.append(Issue(SOURCE, f"row {number}, column {column}", said, "refused", shown))
        else:
            lines[line.attribute, line.category] = line
    return tuple(lines.values()), tuple(issues)


def _line(written: dict[str, str], vocabulary: Vocabulary) -> tuple[FrameLine | None, tuple[str, str]]:
    """A line, or else the column that is wrong and why."""
    attribute = vocabulary.attributes.get(written["attribute"])
    if attribute is None:
        return None, ("attribute", f"is no attribute; there are: {', '.join(vocabulary.attributes)}")
    category = attribute.category(written["category"])
    if category is None:
        return None, ("category", f"is no category of {attribute.name}")
    holders = written["holders"]
    if not (holders.isascii() and holders.isdigit()) or int(holders[:9]) > MOST_HOLDERS:
        return None, ("holders", "is not a number of people")
    return FrameLine(attribute.name, category, int(holders)), ("", "")
