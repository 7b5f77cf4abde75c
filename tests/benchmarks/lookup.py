"""What looking one council up in a large file costs, as the server counts it, in a real Chromium.

    python -m tests.benchmarks.lookup HOME [--rows 20000000]

HOME is a home in which the sample was published. Its site is copied, its file of weekly activity replaced
by one of so many rows of 400 councils, written as a release writes it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from pipelines.settings import Home
from tests.browser.chromium import running_chromium, visiting
from tests.browser.large import AUTHORITIES, large_site, look_up
from tests.browser.serving import serving


def main() -> None:
    parser = argparse.ArgumentParser(description="Count what a look-up asks of the server.")
    parser.add_argument("home", type=Path)
    parser.add_argument("--rows", type=int, default=20_000_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lookup-") as scratch:
        folder = large_site(Home(asked.home).public, Path(scratch) / "public", asked.rows)
        with serving(folder) as served, running_chromium() as browser:
            for council in (0, 7, 133, 266, AUTHORITIES - 1):
                with visiting(browser, served.address) as visit:
                    began = time.perf_counter()
                    cost = look_up(visit.page, served, f"Council {council}")
                    took = time.perf_counter() - began
                print(f"{cost.requests} requests, {cost.bytes:,} bytes, {took:.1f} s with the page: {cost.said}")


if __name__ == "__main__":
    main()
