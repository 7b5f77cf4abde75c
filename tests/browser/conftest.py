"""What the tests in a browser share: one Chromium, and the sample site behind a server.

A browser that does not start fails the tests: nothing here is skipped for it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from pipelines.settings import Home
from tests.browser.chromium import running_chromium
from tests.browser.serving import Served, serving


@pytest.fixture(scope="session")
def browser(sample_home: Home) -> Iterator[Browser]:
    """One Chromium; its driver keeps an event loop running, in which no pull of the sample could start its own."""
    with running_chromium() as started:
        yield started


@pytest.fixture(scope="session")
def site(sample_home: Home) -> Iterator[Served]:
    with serving(sample_home.public) as served:
        yield served
