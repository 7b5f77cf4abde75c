"""What the process has imported of which a hundred others are forked: all that a build needs, and no thread."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import duckdb
import openpyxl  # noqa: F401 - imported before the fork and not after each
from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: F401

from pipelines import checks
from tests.release_press import Press, announce

# The judge, which alone would take as long as everything else; it tries the connection that it is given.
with duckdb.connect(":memory:") as _con:
    checks._open_connection[:] = [_con]
    checks._great_expectations()
    checks._open_connection.clear()


def publish(folder: Path, signing_key: Path, pipe: Connection) -> None:
    """Build one release, and tell of each phase before it begins."""
    tell: Callable[[str], None] = lambda phase: pipe.send_bytes(phase.encode())  # noqa: E731
    announce(tell)
    Press(folder, signing_key).release()
    tell("finished")
