"""Fixtures for the real clients; `sundog` (of tests/conftest.py) is one fresh server a module."""

import secrets

import pytest

from harness import clients, images
from harness.machine import need
from harness.server import fresh_folder, wait_until


@pytest.fixture(scope="module")
def folder():
    """A folder of the module's own, removed with the run."""
    return fresh_folder("c")


@pytest.fixture(scope="module")
def layout(folder):
    need("zstd")
    return images.small_layout(f"{folder}/layout")


@pytest.fixture(scope="module")
def certs(folder, sundog):
    return clients.cert_dir(folder, sundog)


WAYS = ["plain by path", "TLS by name", "TLS by path"]


@pytest.fixture(params=WAYS)
def way(request, sundog, certs):
    """How a client reaches the registry: (what stands before repository names, plain or not)."""
    if request.param == "plain by path":
        return f"localhost:{sundog.port()}/sundog", True
    if request.param == "TLS by name":
        need("localhost-names")
        return f"sundog.azurecr.localhost:{sundog.port('https')}", False
    return f"localhost:{sundog.port('https')}/sundog", False


@pytest.fixture(scope="module")
def kubectl(clusters, cluster):
    """Of a module's own clusters and cluster."""
    return clusters.kubectl(cluster)


@pytest.fixture
def k(kubectl):
    """kubectl in a namespace of the test's own."""
    name = "t" + secrets.token_hex(4)
    kubectl("create", "namespace", name)
    kubectl.namespace = name
    wait_until(lambda: kubectl.run("get", "serviceaccount", "default", check=False).returncode == 0, "it has an account")
    yield kubectl
    kubectl.namespace = None
    kubectl("delete", "namespace", name, "--wait=false")
