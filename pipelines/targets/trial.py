"""The trial of a store before it is trusted: it has to keep what it is given, and not to overwrite when asked so.

Belongs here: acts on a probe of our own. Does not belong here: anything that is published. Some stores take a
condition on a write, ignore it, and say that all went well; on such a store a release would not be immutable.
"""

from __future__ import annotations

import uuid

from pipelines.targets.headers import SHORT
from pipelines.targets.store import AlreadyThere, Objects
from pipelines.targets.target import TargetError

PROBES = ".engagement-probe"
FIRST = b"The first who writes here is kept. " * 4
SECOND = b"Whoever comes second is refused. " * 4
HEADERS = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": SHORT}


def try_out(objects: Objects) -> None:
    """Put a store to the test with a probe that is removed afterwards.

    Errors: `TargetError` with what the store did instead; then nothing else was written.
    """
    objects.clear(PROBES)  # of a trial that was killed
    name = f"{PROBES}/{uuid.uuid4().hex}"
    try:
        _try_creating(objects, name)
        _try_reading(objects, name)
        _try_replacing(objects, name)
    finally:
        objects.remove([name])
    if objects.read(name) is not None:
        raise _not_to_be_trusted(objects, "still shows an object that was deleted")


def _try_creating(objects: Objects, name: str) -> None:
    objects.create(name, FIRST, HEADERS)
    try:
        objects.create(name, SECOND, HEADERS)
    except AlreadyThere:
        return
    raise _not_to_be_trusted(objects, "overwrites an object although it is asked not to (If-None-Match: *)")


def _try_reading(objects: Objects, name: str) -> None:
    if objects.read(name) != FIRST:
        raise _not_to_be_trusted(objects, "gives back other bytes than it was given")
    if objects.sizes(PROBES).get(name) != len(FIRST):
        raise _not_to_be_trusted(objects, "does not list an object that it holds, or with another size")
    start, end = 10, 40
    if objects.read_part(name, start, end) != FIRST[start:end]:
        raise _not_to_be_trusted(objects, "does not answer with the part of an object that is asked for (Range)")


def _try_replacing(objects: Objects, name: str) -> None:
    objects.replace(name, SECOND, HEADERS)
    if objects.read(name) != SECOND:
        raise _not_to_be_trusted(objects, "shows an object as it was before it was replaced")


def _not_to_be_trusted(objects: Objects, what: str) -> TargetError:
    return TargetError(
        f"target {objects.target}: the store at {objects.place} {what}, so releases would not be safe there; "
        f"nothing was pushed. Use another store, or a version of it that passes this test"
    )
