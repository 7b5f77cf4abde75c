"""What is said where the network is not installed or does not start: a failure with its reason, never a wait."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers.network import INSTALLED, NetworkFailed, running_network

pytestmark = pytest.mark.servers


def test_a_network_that_is_not_installed_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(NetworkFailed, match="run `make test-servers`"), running_network(tmp_path):
        pytest.fail("it cannot run")


def test_a_network_that_does_not_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    """Node, PostgreSQL and Redis are there, the network's packages are not."""
    (tmp_path / "made-from").touch()
    (tmp_path / "node").symlink_to((INSTALLED / "node").resolve())
    with pytest.raises(NetworkFailed, match="@atproto/dev-env"), running_network(tmp_path):
        pytest.fail("it cannot run")
