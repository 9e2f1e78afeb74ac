"""Role definitions and assignments over Resource Manager: what is assigned holds at once, and no longer when it is
taken away. The matrix of all routes is test_rights.py."""

import uuid

import pytest

from harness.manager import CONTRIBUTOR, READER, Arm, refused
from harness.web import expect

AUTH = "providers/Microsoft.Authorization"


@pytest.fixture(scope="module")
def arm(sundog):
    return Arm(sundog)


class Somebody:
    """A service principal without any right, made over the directory's API."""

    def __init__(self, arm, name):
        def graph(path, body):
            answer = arm("POST", f"/graph/v1.0/{path}", body, version=None, token=token)
            return expect(answer, 200, 201).json()

        token = arm.sign_in(arm.admin["clientId"], arm.admin["clientSecret"], "/graph")
        app = graph("applications", {"displayName": name})
        self.principal = graph("servicePrincipals", {"appId": app["appId"]})["id"]
        secret = graph(f"applications/{app['id']}/addPassword", {"passwordCredential": {"displayName": "x"}})
        self.arm = Arm(arm.server, app["appId"], secret["secretText"])


def assign(arm, scope, principal, role, *statuses, name=None, **more):
    path = f"{scope}/{AUTH}/roleAssignments/{name or uuid.uuid4()}"
    body = {"properties": {"roleDefinitionId": f"{arm.sub}/{AUTH}/roleDefinitions/{role}", "principalId": principal, **more}}
    return expect(arm("PUT", path, body), *(statuses or (201,)))


def test_built_in_roles(arm):
    base = f"{arm.sub}/{AUTH}/roleDefinitions"
    everything = arm.get(base)["value"]
    names = {role["properties"]["roleName"] for role in everything}
    assert {"Owner", "Contributor", "Reader", "User Access Administrator", "AcrPull", "AcrPush", "AcrDelete"} <= names
    [pull] = arm.get(f"{base}?$filter=roleName eq 'acrpull'")["value"]
    assert pull["id"] == f"{base}/{pull['name']}" and pull["properties"]["type"] == "BuiltInRole"
    assert arm.get(pull["id"]) == pull
    assert arm.get(f"/{AUTH}/roleDefinitions/{pull['name']}")["properties"] == pull["properties"]
    refused(arm("GET", f"{base}/{uuid.uuid4()}"), 404, "RoleDefinitionDoesNotExist")
    assert not [r for r in arm.get(f"{base}?$filter=type eq 'CustomRole'")["value"]]


def test_assignment_life(arm):
    group = arm.group("roles")["id"]
    who = Somebody(arm, "assignee")
    scope = f"{group}/{AUTH}/roleAssignments"
    text = f"'{who.principal}'"
    error = refused(who.arm("GET", group), 403, "AuthorizationFailed", text,
                    "'Microsoft.Resources/subscriptions/resourceGroups/read'", f"over scope '{group}'")
    assert error
    assert who.arm.get("/subscriptions")["value"] == []
    made = assign(arm, group, who.principal, READER).json()
    assert made["properties"]["scope"] == group and made["properties"]["principalId"] == who.principal
    assert made["properties"]["roleDefinitionId"].endswith(READER)
    assert arm.get(made["id"]) == made
    who.arm.get(group)
    assert [s["id"] for s in who.arm.get("/subscriptions")["value"]] == [arm.sub]
    assert [g["id"] for g in who.arm.get(f"{arm.sub}/resourceGroups")["value"]] == [group]
    refused(who.arm("PUT", group, {"location": "eastus"}), 403, "AuthorizationFailed", "resourceGroups/write")
    refused(assign(arm, group, who.principal, READER, 409), 409, "RoleAssignmentExists")
    for text in (f"principalId eq '{who.principal}'", f"assignedTo('{who.principal}')"):
        assert made["id"] in [a["id"] for a in arm.get(f"{scope}?$filter={text}")["value"]], text
    assert made["id"] in [a["id"] for a in arm.get(f"{arm.sub}/{AUTH}/roleAssignments")["value"]]
    expect(arm("DELETE", made["id"]), 200)
    expect(arm("DELETE", made["id"]), 204)
    refused(who.arm("GET", group), 403, "AuthorizationFailed")
    refused(arm("GET", made["id"]), 404, "RoleAssignmentNotFound")


def test_nobody_gives_himself_rights(arm):
    group = arm.group("powers")["id"]
    who = Somebody(arm, "climber")
    assign(arm, group, who.principal, CONTRIBUTOR)
    refused(assign(who.arm, group, who.principal, READER, 403), 403, "AuthorizationFailed", "roleAssignments/write")
    lock = f"{group}/{AUTH}/locks/l"
    refused(who.arm("PUT", lock, {"properties": {"level": "ReadOnly"}}), 403, "AuthorizationFailed", "locks/write")
    permissions = who.arm.get(f"{group}/{AUTH}/permissions")["value"]
    assert permissions[0]["actions"] == ["*"] and "Microsoft.Authorization/*/Write" in permissions[0]["notActions"]


def test_bad_assignments(arm):
    group = arm.group("badroles")["id"]
    who = Somebody(arm, "target")
    assert assign(arm, group, str(uuid.uuid4()), READER, 400, 404).json()["error"]["code"] == "PrincipalNotFound"
    assert assign(arm, group, who.principal, str(uuid.uuid4()), 400, 404).json()["error"]["code"] == "RoleDefinitionDoesNotExist"
    refused(assign(arm, group, who.principal, READER, 400, name="noguid"), 400, "InvalidRoleAssignmentId")
    refused(assign(arm, f"{arm.sub}/resourceGroups/none", who.principal, READER, 404), 404, "ResourceGroupNotFound")


def test_custom_role(arm):
    group = arm.group("custom")["id"]
    who = Somebody(arm, "custom user")
    name = str(uuid.uuid4())
    path = f"{arm.sub}/{AUTH}/roleDefinitions/{name}"
    body = {"properties": {"roleName": "Group reader", "description": "reads", "type": "CustomRole",
                           "permissions": [{"actions": ["Microsoft.Resources/subscriptions/resourceGroups/read"]}],
                           "assignableScopes": [arm.sub]}}
    made = arm.put(path, body, 201)
    assert made["properties"]["type"] == "CustomRole" and made["properties"]["assignableScopes"] == [arm.sub]
    assign(arm, group, who.principal, name)
    who.arm.get(group)
    refused(who.arm("PATCH", group, {"tags": {}}), 403, "AuthorizationFailed")
    body["properties"]["permissions"][0]["actions"].append("Microsoft.Resources/subscriptions/resourceGroups/write")
    arm.put(path, body, 200, 201)
    expect(who.arm("PATCH", group, {"tags": {"a": "b"}}), 200)
    expect(arm("DELETE", path), 409, 400)
    for one in arm.get(f"{group}/{AUTH}/roleAssignments?$filter=principalId eq '{who.principal}'")["value"]:
        expect(arm("DELETE", one["id"]), 200)
    expect(arm("DELETE", path), 200)
    expect(arm("DELETE", path), 204)
    reader = f"{arm.sub}/{AUTH}/roleDefinitions/{READER}"
    assert arm("PUT", reader, body).status in (400, 403, 409)
    assert arm.get(reader)["properties"]["roleName"] == "Reader"


def test_assignments_go_with_the_group(arm):
    group = arm.group("brief")["id"]
    who = Somebody(arm, "brief")
    assign(arm, group, who.principal, CONTRIBUTOR)
    assert arm.wait(expect(arm("DELETE", group), 202)).status == 204
    arm.group("brief")
    refused(who.arm("GET", group), 403, "AuthorizationFailed")
