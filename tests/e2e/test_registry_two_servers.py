"""Registries, scope maps and tokens changed at one `serve` hold at another of the same database within a second."""

import time

import pytest
from test_two_servers import pair

from harness.arm import Arm
from harness.server import wait_until
from harness.web import Http1, Registry, expect


@pytest.fixture(scope="module")
def servers():
    yield from pair()


@pytest.fixture(scope="module")
def arm(servers):
    return Arm(servers[0])


def soon(true, what):
    """By a notification: nobody looks by himself later, so that it comes at once or never."""
    before = time.monotonic()
    wait_until(true, what, pause_s=0.02)
    return time.monotonic() - before


def test_a_registry_and_its_properties(servers, arm):
    path = arm.registry()
    here = arm.data_plane(path)
    there = Registry(servers[1].plain, here.prefix, here.credentials, Http1(), here.name)
    soon(lambda: there.get("/v2/").status == 200, "the other serve knows the registry")
    _, data = here.repository("app").image("v1")
    assert expect(there.repository("app").manifest("v1"), 200).body == data
    arm.patch(path, publicNetworkAccess="Disabled")
    soon(lambda: there.repository("app").manifest("v1").status == 403, "the network rule holds there")
    arm("DELETE", path)
    soon(lambda: there.get("/v2/").status == 401, "it is gone there")


def test_a_token_and_its_map(servers, arm):
    path = arm.registry()
    here = arm.data_plane(path)
    here.repository("app").image("v1")
    arm("PUT", f"{path}/scopeMaps/sharedmap", {"properties": {"actions": ["repositories/app/content/read"]}})
    arm("PUT", f"{path}/tokens/shared", {"properties": {"scopeMapId": f"{path}/scopeMaps/sharedmap"}})
    arm("POST", f"{path}/generateCredentials", {"tokenId": f"{path}/tokens/shared", "name": "password1"})
    said = arm.operation() if arm.status == 202 else arm(
        "POST", f"{path}/generateCredentials", {"tokenId": f"{path}/tokens/shared", "name": "password1"})
    password = said.get("properties", said)["passwords"][0]["value"]
    there = Registry(servers[1].plain, here.prefix, (f"{here.name}/shared", password), Http1(), here.name)
    soon(lambda: there.repository("app").manifest("v1").status == 200, "the token is good there")
    for _ in range(3):
        arm("PUT", f"{path}/scopeMaps/sharedmap", {"properties": {"actions": ["repositories/b/content/read"]}})
        soon(lambda: there.repository("app").manifest("v1").status == 401, "the map's change holds there")
        arm("PUT", f"{path}/scopeMaps/sharedmap", {"properties": {"actions": ["repositories/app/content/read"]}})
        soon(lambda: there.repository("app").manifest("v1").status == 200, "and back")
