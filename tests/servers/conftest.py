"""The real servers that the tests here run against, each started once and ended with the run.

A server that does not start fails the tests that want it, with the end of its log: nothing here is skipped for it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.network import BlueskyNetwork, running_network
from tests.servers.seed import World, seed_world


@pytest.fixture(scope="session")
def bluesky_network() -> Iterator[BlueskyNetwork]:
    """The Bluesky network, empty at first; tests share it and make accounts of their own."""
    with running_network() as network:
        yield network


@pytest.fixture(scope="session")
def world(bluesky_network: BlueskyNetwork) -> World:
    """Accounts and posts that no test changes: what is renamed, deleted or switched off was so from the start."""
    return seed_world(bluesky_network)
