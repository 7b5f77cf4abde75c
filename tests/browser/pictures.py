"""Take the pictures of the site that the README and the documentation show, from a home with the sample in it.

    python -m tests.browser.pictures [HOME]

Without HOME the sample is published into a folder of its own first. Each picture is the top of a page, or what
follows the place that its address names, on a desk and on a phone.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from pipelines.settings import Home
from tests.browser.chromium import ROOT, running_chromium, visiting
from tests.browser.serving import serving
from tests.conftest import publish

PLACE = ROOT / "docs" / "images"
PAGES = {
    "home": "index.html#findings",
    "dataset": "datasets/account_activity_weekly.html",
    "authority": "authorities/ZZB.html",
    "versions": "versions.html",
}
WINDOWS = {"desktop": (1200, 1100), "phone": (390, 844)}
HEIGHTS = {
    ("authority", "desktop"): 1500,
    ("authority", "phone"): 1950,
    ("home", "phone"): 1250,
}  # down to a chart


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="pictures-") as scratch:
        home = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(scratch)
        if len(sys.argv) == 1:
            outcome = publish(home)
            if not outcome.success:
                raise SystemExit(f"the sample was not published: {'; '.join(outcome.problems)}")
        take(Home(home).public)


def take(public: Path) -> None:
    """Write a picture of every page at every width."""
    with serving(public) as served, running_chromium() as browser:
        for window, (width, height) in WINDOWS.items():
            for name, path in PAGES.items():
                tall = HEIGHTS.get((name, window), height)
                with visiting(browser, served.address, width=width, height=tall) as visit:
                    visit.page.goto(f"{served.address}/{path}")
                    file = PLACE / f"{name}-{window}.png"
                    visit.page.screenshot(path=file)
                print(f"{file.relative_to(ROOT)}: {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
