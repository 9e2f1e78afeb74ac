"""The registry under test, reached in three ways: by path over plain HTTP/1.1, by name over TLS
with HTTP/1.1, by path over TLS with HTTP/2.

Another registry can be tested as well:
CONFORMANCE_URL=http://127.0.0.1:5000 CONFORMANCE_PREFIX= CONFORMANCE_AUTH=user:password
"""

import os

import pytest

from harness import web
from harness.server import Sundog

OTHER = os.environ.get("CONFORMANCE_URL")
WAYS = {"path": web.by_path, "name": web.by_name, "http2": web.by_http2}


@pytest.fixture(scope="session")
def sundog():
    if OTHER:
        pytest.skip("a foreign registry is tested")
    with Sundog() as server:
        yield server
        assert server.process.poll() is None, f"sundog ended by itself:\n{server.said()}"
        status = server.stop()
        assert status == 0, f"sundog ended with {status}:\n{server.said()}"


@pytest.fixture(scope="session", params=["other"] if OTHER else list(WAYS))
def registry(request):
    if OTHER:
        user, _, password = os.environ.get("CONFORMANCE_AUTH", "").partition(":")
        return web.Registry(OTHER, os.environ.get("CONFORMANCE_PREFIX", ""), (user, password) if user else None,
                            web.Http1())
    return WAYS[request.param](request.getfixturevalue("sundog"))


@pytest.fixture
def repository(registry):
    return registry.repository()
