"""The page of methods: how data travels through the project, and the way to the documents that say it in full.

Belongs here: the overview and its picture. Does not belong here: the methods themselves (`docs/`, as `documents`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.site.documents import Document
from pipelines.site.page import Page

BOX = 52  # heights in the picture, in pixels: of a box, and from one box to the next
STEP = 84


@dataclass(frozen=True)
class Station:
    """A stage that data passes: its name, a few words for the picture, and a sentence or two for the list."""

    name: str
    words: str
    sentence: str


STATIONS = (
    Station(
        "Sources",
        "public lists and platforms",
        "Registers of authorities, lists of councillors and candidates, and what accounts show to everybody. Only "
        "what is needed is read; much that names people is never taken in.",
    ),
    Station(
        "Snapshots",
        "kept as received, by checksum",
        "What was received is kept as it came, with the day and a checksum (a number that changes if a single "
        "byte does). Everything after this can be computed again from here, without asking anybody.",
    ),
    Station(
        "Typed tables",
        "rows that break a rule stay behind",
        "Each source has a contract: which fields there are, and what their values may be. Rows that break a rule "
        "are set aside and counted as known issues.",
    ),
    Station(
        "Model",
        "joined, with history; measures",
        "Names are matched, changes of councils are followed, and the measures are computed, by queries that "
        "anybody can read.",
    ),
    Station(
        "Public tables",
        "checked again, small ones withheld",
        "What is published, with a contract for every column. A rule that fails here stops the release; figures "
        "about fewer than ten accounts of councillors are withheld.",
    ),
    Station(
        "Release",
        "files that never change",
        "A folder with files, checksums and descriptions, under a version number. It is read back and verified "
        "before it appears. These pages are made from it and from nothing else.",
    ),
)


def methods_page(documents: Sequence[Document]) -> Page:
    """The page `methods.html`."""
    boxes = [(station, place * STEP + 1) for place, station in enumerate(STATIONS)]
    return Page(
        "methods.html",
        "Methods",
        "methods.html",
        {
            "boxes": boxes,
            "box_height": BOX,
            "step": STEP,
            "height": (len(boxes) - 1) * STEP + BOX + 2,
            "documents": documents,
        },
    )
