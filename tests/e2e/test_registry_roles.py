"""Service principals in the data plane: what a role gives, where, in both modes, and that it goes at once."""

import json
import urllib.parse
import uuid

import pytest

from harness.arm import FORM, Arm
from harness.web import Http1, Registry, basic, expect, refused

PULL, PUSH, DELETE = ("7f951dda-4ed3-4680-a7ca-43fe172d538d", "8311e382-0749-4cb8-b61a-304f252e45ec",
                      "c2f4ef07-c644-48eb-af81-4b1b4947fb11")
REPOSITORY_READER, CATALOG_LISTER = "b93aa761-3e63-49ed-ac28-beffa264f7ac", "bfdb9389-c9a5-478a-bb2f-ba9ca092c3c7"


@pytest.fixture(scope="module")
def arm(sundog):
    return Arm(sundog)


@pytest.fixture
def path(arm):
    return arm.registry()


@pytest.fixture
def owner(arm, path):
    return arm.data_plane(path)


def graph(arm, path, body):
    token = arm.sign_in(arm.first["clientId"], arm.first["clientSecret"], f"https://localhost:{arm.server.port('https')}/graph/")
    status, said, _ = arm.plain("POST", f"/graph/v1.0/{path}", json.dumps(body),
                                {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    assert status in (200, 201), said
    return json.loads(said)


class Robot:
    """A service principal, and the registry as it sees it with `docker login -u APPID -p SECRET`."""

    def __init__(self, arm, owner):
        app = graph(arm, "applications", {"displayName": "robot"})
        self.arm, self.id = arm, graph(arm, "servicePrincipals", {"appId": app["appId"]})["id"]
        secret = graph(arm, f"applications/{app['id']}/addPassword", {"passwordCredential": {"displayName": "x"}})["secretText"]
        self.credentials = app["appId"], secret
        self.registry = Registry(owner.root, owner.prefix, self.credentials, Http1(), owner.name)

    def assign(self, role, scope, **more):
        url = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}?api-version=2022-04-01"
        self.arm("PUT", url, {"properties": {
            "roleDefinitionId": f"{self.arm.subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}",
            "principalId": self.id, "principalType": "ServicePrincipal", **more}})
        return url


@pytest.fixture
def robot(arm, owner):
    return Robot(arm, owner)


def may_push(registry, name):
    return registry.repository(name).request("POST", "/blobs/uploads/").status == 202


def test_without_a_role(owner, robot):
    owner.repository("app").image("v1")
    expect(robot.registry.get("/v2/"), 200)
    refused(robot.registry.repository("app").manifest("v1"), 401, "UNAUTHORIZED")
    refused(robot.registry.acr("_catalog"), 401, "UNAUTHORIZED")


def test_roles_come_and_go_at_once(arm, path, owner, robot):
    digest, _ = owner.repository("app").image("v1")
    app = robot.registry.repository("app")
    query = urllib.parse.urlencode({"service": "x", "scope": f"repository:{owner.name}/app:pull,push,delete"})
    pull = robot.assign(PULL, path)
    expect(app.manifest("v1"), 200)
    bearer = "Bearer " + expect(robot.registry.get(f"/oauth2/token?{query}"), 200).json()["access_token"]
    expect(app.manifest("v1", auth=bearer), 200)
    assert not may_push(robot.registry, "app")
    arm("DELETE", pull)
    refused(app.manifest("v1"), 401, "UNAUTHORIZED")
    refused(app.manifest("v1", auth=bearer), 401, "UNAUTHORIZED")
    robot.assign(PUSH, arm.group)
    assert may_push(robot.registry, "app") and may_push(robot.registry, "new")
    refused(app.delete(f"/manifests/{digest}"), 401, "UNAUTHORIZED")
    robot.assign(DELETE, path)
    expect(app.delete(f"/manifests/{digest}"), 202)


def test_on_one_repository(path, owner, robot):
    owner.repository("team/app").image("v1")
    owner.repository("other").image("v1")
    robot.assign(PULL, f"{path}/repositories/team/app")
    expect(robot.registry.repository("team/app").manifest("v1"), 200)
    refused(robot.registry.repository("other").manifest("v1"), 401, "UNAUTHORIZED")


def test_abac(arm, owner, path, robot):
    """In the other mode the old roles give nothing; conditions narrow the new ones to repositories."""
    owner.repository("team/app").image("v1")
    owner.repository("other").image("v1")
    robot.assign(PULL, path)
    expect(robot.registry.repository("other").manifest("v1"), 200)
    arm.patch(path, roleAssignmentMode="AbacRepositoryPermissions")
    refused(robot.registry.repository("other").manifest("v1"), 401, "UNAUTHORIZED")
    read = "Microsoft.ContainerRegistry/registries/repositories/content/read"
    robot.assign(REPOSITORY_READER, path, conditionVersion="2.0", condition=(
        f"((!(ActionMatches{{'{read}'}})) OR (@Request[Microsoft.ContainerRegistry/registries/repositories:name]"
        " StringStartsWith 'team/'))"))
    expect(robot.registry.repository("team/app").manifest("v1"), 200)
    refused(robot.registry.repository("other").manifest("v1"), 401, "UNAUTHORIZED")
    refused(robot.registry.acr("_catalog"), 401, "UNAUTHORIZED")
    robot.assign(CATALOG_LISTER, path)
    assert expect(robot.registry.acr("_catalog"), 200).json()["repositories"] == ["other", "team/app"]


def test_tokens_of_a_principal(arm, path, owner, robot):
    """Its ARM token at /oauth2/exchange, its secret at grant_type=password, and a wrong secret."""
    owner.repository("app").image("v1")
    robot.assign(PULL, path)

    def form(where, **fields):
        return owner.request("POST", where, urllib.parse.urlencode(fields).encode(), {"Content-Type": FORM}, auth=False)

    arm_token = arm.sign_in(*robot.credentials)
    refresh = expect(form("/oauth2/exchange", grant_type="access_token", service="x", access_token=arm_token), 200).json()["refresh_token"]
    scope = f"repository:{owner.name}/app:pull,push"
    for fields in ({"grant_type": "refresh_token", "refresh_token": refresh},
                   {"grant_type": "password", "username": robot.credentials[0], "password": robot.credentials[1]}):
        token = expect(form("/oauth2/token", service="x", scope=scope, **fields), 200).json()["access_token"]
        expect(owner.repository("app").manifest("v1", auth=f"Bearer {token}"), 200)
        refused(owner.repository("app").request("POST", "/blobs/uploads/", auth=f"Bearer {token}"), 401, "UNAUTHORIZED")
    refused(robot.registry.get("/v2/", auth=basic(robot.credentials[0], "wrong")), 401, "UNAUTHORIZED")
