"""Scope maps and repository tokens end to end: what they may, and that a change holds at once."""

import json
import urllib.parse

import pytest

from harness.arm import Arm
from harness.web import Http1, Registry, basic, expect, refused

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def arm(sundog):
    return Arm(sundog)


@pytest.fixture(scope="module")
def path(arm):
    return arm.registry()


@pytest.fixture(scope="module")
def owner(arm, path):
    return arm.data_plane(path)


def scope_map(arm, path, name, *actions):
    arm("PUT", f"{path}/scopeMaps/{name}", {"properties": {"actions": list(actions)}})
    return f"{path}/scopeMaps/{name}"


def token(arm, path, name, map_id, status="enabled"):
    arm("PUT", f"{path}/tokens/{name}", {"properties": {"scopeMapId": map_id, "status": status}})
    return f"{path}/tokens/{name}"


def generate(arm, path, token_id, **more):
    arm("POST", f"{path}/generateCredentials", {"tokenId": token_id, **more})
    if arm.status == 202:
        said = arm.operation()
        said = said.get("properties", said)
    else:
        said = arm("POST", f"{path}/generateCredentials", {"tokenId": token_id, **more})
    return said["username"], {one["name"]: one["value"] for one in said["passwords"]}


def as_token(owner, name, password):
    """By path the user is REGISTRY/token."""
    return Registry(owner.root, owner.prefix, (f"{owner.name}/{name}", password), Http1(), owner.name)


@pytest.fixture
def robot(arm, path, owner):
    map_id = scope_map(arm, path, "teammap", "repositories/team/*/content/read", "repositories/team/*/metadata/read")
    token_id = token(arm, path, "robot", map_id)
    user, passwords = generate(arm, path, token_id)
    assert user == "robot" and set(passwords) == {"password1", "password2"}
    return as_token(owner, "robot", passwords["password1"])


def test_what_a_token_may(owner, robot):
    inside, outside = owner.repository("team/app"), owner.repository("other")
    inside.image("v1")
    outside.image("v1")
    expect(robot.get("/v2/"), 200)
    expect(robot.repository("team/app").manifest("v1"), 200)
    refused(robot.repository("other").manifest("v1"), 401, "UNAUTHORIZED")
    refused(robot.repository("team/app").request("POST", "/blobs/uploads/"), 401, "UNAUTHORIZED")
    expect(robot.acr("team/app"), 200)
    refused(robot.acr("other"), 401, "UNAUTHORIZED")
    assert robot.get(f"/acr/v1/{robot.name}/_catalog").json()["repositories"] == ["team/app"]


def test_token_flow(owner, robot):
    owner.repository("team/app").image("v1")
    query = urllib.parse.urlencode({"service": "x", "scope": f"repository:{owner.name}/team/app:pull,push,delete"})
    bearer = "Bearer " + expect(robot.get(f"/oauth2/token?{query}"), 200).json()["access_token"]
    expect(robot.repository("team/app").manifest("v1", auth=bearer), 200)
    form = urllib.parse.urlencode({"grant_type": "password", "service": "x", "username": robot.credentials[0],
                                   "password": robot.credentials[1]}).encode()
    expect(robot.request("POST", "/oauth2/token", form, FORM, auth=False), 200)


def test_a_change_of_the_map_holds_at_once(arm, path, owner, robot):
    owner.repository("team/app").image("v1")
    query = urllib.parse.urlencode({"service": "x", "scope": f"repository:{owner.name}/team/app:pull"})
    bearer = "Bearer " + robot.get(f"/oauth2/token?{query}").json()["access_token"]
    manifest = robot.repository("team/app").manifest
    for _ in range(3):
        expect(manifest("v1", auth=bearer), 200)
        scope_map(arm, path, "teammap", "repositories/nothing/content/read")
        refused(manifest("v1", auth=bearer), 401, "UNAUTHORIZED")
        refused(manifest("v1"), 401, "UNAUTHORIZED")
        scope_map(arm, path, "teammap", "repositories/team/*/content/read")
    arm.patch(f"{path}/tokens/robot", status="disabled")
    refused(manifest("v1", auth=bearer), 401, "UNAUTHORIZED")
    refused(robot.get("/v2/"), 401, "UNAUTHORIZED")
    arm.patch(f"{path}/tokens/robot", status="enabled")
    expect(manifest("v1", auth=bearer), 200)
    arm("DELETE", f"{path}/tokens/robot")
    refused(manifest("v1", auth=bearer), 401, "UNAUTHORIZED")


def test_passwords(arm, path, owner):
    token_id = token(arm, path, "expiring", f"{path}/scopeMaps/_repositories_pull")
    _, first = generate(arm, path, token_id, name="password1")
    assert list(first) == ["password1"]
    expect(as_token(owner, "expiring", first["password1"]).get("/v2/"), 200)
    _, second = generate(arm, path, token_id, name="password2", expiry="2020-01-01T00:00:00Z")
    refused(as_token(owner, "expiring", second["password2"]).get("/v2/"), 401, "UNAUTHORIZED")
    _, renewed = generate(arm, path, token_id, name="password1")
    refused(as_token(owner, "expiring", first["password1"]).get("/v2/"), 401, "UNAUTHORIZED")
    expect(as_token(owner, "expiring", renewed["password1"]).get("/v2/"), 200)
    shown = json.dumps(arm("GET", token_id))
    assert renewed["password1"] not in shown and "password1" in shown


def test_system_maps(arm, path):
    names = {one["name"] for one in arm("GET", f"{path}/scopeMaps")["value"]}
    assert {"_repositories_pull", "_repositories_push", "_repositories_admin", "_repositories_pull_metadata_read",
            "_repositories_push_metadata_write"} <= names
    arm("DELETE", f"{path}/scopeMaps/_repositories_pull", wanted=(400, 403, 409))


def test_by_name(sundog, arm, path, owner):
    """On the registry's own host the user is the token's name alone."""
    from harness import web

    token_id = token(arm, path, "byname", f"{path}/scopeMaps/_repositories_pull")
    _, passwords = generate(arm, path, token_id)
    named = web.by_name(sundog, name=f"{owner.name}.azurecr.localhost")
    shown = basic("byname", passwords["password2"])
    expect(named.get("/v2/", auth=shown), 200)
    refused(named.get("/v2/", auth=basic("byname", "wrong")), 401, "UNAUTHORIZED")
