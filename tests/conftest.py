"""Fixtures of all suites. A module that needs a server of its own kind overrides `sundog`."""

import pytest

from harness import web
from harness.server import Sundog


@pytest.fixture(scope="module")
def sundog():
    """A running Sundog (sanitizer build) with a fresh data folder, one for each module."""
    with Sundog() as server:
        yield server
        assert server.process.poll() is None, f"sundog ended by itself:\n{server.said()}"
        status = server.stop()
        assert status == 0, f"sundog ended with {status}:\n{server.said()}"


@pytest.fixture
def registry(sundog):
    return web.by_path(sundog)


@pytest.fixture
def repository(registry):
    return registry.repository()
