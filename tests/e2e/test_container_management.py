"""The management API of container groups: statuses, headers, lists, what is refused, what is kept secret. What runs is
tests/e2e/test_container_groups.py's."""

import json
import secrets
import time

import pytest

from harness import web
from harness.containers import Groups, push_shell, wait_nothing_left
from harness.machine import need
from harness.manager import refused
from harness.server import wait_until
from harness.web import expect

KINDS = "containerGroupProfiles", "ngroups", "sandboxGroups"


@pytest.fixture(scope="module")
def groups(sundog):
    need("root", "crun", "mount")
    push_shell(web.by_path(sundog))
    yield Groups(sundog, "managed")
    wait_nothing_left(sundog.data)


@pytest.fixture
def provider(groups):
    return f"{groups.sub}/providers/Microsoft.ContainerInstance"


def new():
    return "g" + secrets.token_hex(4)


WAITS_S = 2  # so long a request waits for what it wants, before it says how to follow it


def deleted(groups, path):
    """The answer of a deletion, which is followed if it took longer than a request waits."""
    asked = time.monotonic()
    answer = expect(groups("DELETE", path), 200, 202)
    if answer.status == 202:
        assert time.monotonic() - asked >= WAITS_S, answer
        expect(groups.wait(answer), 200, 204)
    return answer


def test_answers_as_clients_poll_them(groups):
    name = new()
    path, asked = groups.path(name), time.monotonic()
    made = expect(groups("PUT", path, groups.body([groups.container("sleep 1000")])), 201)
    assert made.json()["id"] == path and made.json()["type"] == "Microsoft.ContainerInstance/containerGroups"
    if made.json()["properties"]["provisioningState"] != "Succeeded":
        assert time.monotonic() - asked >= WAITS_S and made["Azure-AsyncOperation"], made
    groups.wait_provisioned(name)
    assert expect(groups("PUT", path, groups.body([groups.container("sleep 1000")])), 200).json()["name"] == made.json()["name"]
    expect(groups("POST", f"{path}/start"), 204)
    expect(groups("POST", f"{path}/stop"), 204)
    assert groups.get(path)["properties"]["instanceView"]["state"] == "Stopped"
    expect(groups("POST", f"{path}/stop"), 204)
    expect(groups("POST", f"{path}/start"), 202, 204)
    expect(groups("POST", f"{path}/restart"), 204)
    assert groups.get(f"{path}/outboundNetworkDependenciesEndpoints") == []
    gone = deleted(groups, path)
    assert gone.status == 202 or gone.json()["id"] == path
    expect(groups("DELETE", path), 204)
    refused(groups("GET", path), 404, "ResourceNotFound")
    for what in ("start", "stop", "restart"):
        refused(groups("POST", f"{path}/{what}"), 404, "ResourceNotFound")


def test_an_operation_is_followed(groups):
    """A group that takes longer than a request waits: 201, then its operation, then its end."""
    path = groups.path(new())
    volumes, mounts, waits, opens = groups.gate()
    slow = {"name": "first", "properties": {"image": groups.image, "command": ["/bin/sh", "-c", waits], "volumeMounts": mounts}}
    made = expect(groups("PUT", path, groups.body([groups.container("sleep 1000")], initContainers=[slow], volumes=volumes)), 201)
    assert made["Retry-After"] == "1" and made.json()["properties"]["provisioningState"] == "Creating"
    assert made.json()["properties"]["instanceView"]["state"] == "Pending"
    url = made["Azure-AsyncOperation"]
    assert url.startswith(groups.base) and groups.get(url)["status"] == "InProgress"
    opens()
    wait_until(lambda: groups.get(url)["status"] == "Succeeded", "the operation ends", pause_s=0.2)
    assert groups.get(path)["properties"]["provisioningState"] == "Succeeded"
    deleted(groups, path)
    # one that fails
    volumes, mounts, waits, opens = groups.gate()
    failing = {"name": "first", "properties": {"image": groups.image, "command": ["/bin/sh", "-c", f"{waits}; exit 9"],
                                               "volumeMounts": mounts}}
    made = expect(groups("PUT", path, groups.body([groups.container("true")], restartPolicy="Never",
                                                  initContainers=[failing], volumes=volumes)), 201)
    url = made["Azure-AsyncOperation"]
    opens()
    ended = wait_until(lambda: (now := groups.get(url))["status"] != "InProgress" and now, "it ends", pause_s=0.2)
    assert ended["status"] == "Failed" and "exit code 9" in ended["error"]["message"]
    assert groups.get(path)["properties"]["provisioningState"] == "Failed"
    deleted(groups, path)


def test_a_start_has_one_time(groups):
    """What is told of it at first is told ever after."""
    for _ in range(3):
        name = new()
        made = expect(groups("PUT", groups.path(name), groups.body([groups.container("sleep 1000")])), 201).json()["properties"]
        first = made["containers"][0]["properties"].get("instanceView", {}).get("currentState", {}).get("startTime")
        groups.wait_provisioned(name)
        first = first or groups.view(name)["currentState"]["startTime"]
        groups.exec(name, "/bin/true").rest()
        assert groups.view(name)["currentState"]["startTime"] == first
        groups.delete(name)


def test_defaults_and_lists(groups, provider):
    name = new()
    expect(groups("PUT", groups.path(name), {"location": "East US", "tags": {"a": "b"}, "properties": {
        "containers": [{"name": "main", "properties": {"image": groups.image, "command": ["sleep", "1000"],
                                                       "configMap": {"keyValuePairs": {}}}}]}}), 201)
    groups.wait_provisioned(name)
    shown = groups.get(groups.path(name))
    properties = shown["properties"]
    assert (shown["location"], shown["tags"]) == ("eastus", {"a": "b"})
    assert (properties["osType"], properties["restartPolicy"], properties["sku"]) == ("Linux", "Always", "Standard")
    assert properties["containers"][0]["properties"]["resources"] == {"requests": {"cpu": 1.0, "memoryInGB": 1.5}}
    for where in (groups.folder, f"{provider}/containerGroups"):
        listed = next(one for one in groups.get(where)["value"] if one["name"] == name)
        assert "instanceView" not in json.dumps(listed) and listed["properties"]["provisioningState"] == "Succeeded"
    generic = groups.get(f"{groups.sub}/resources?$filter=name eq '{name}'&api-version=2021-04-01")["value"]
    assert [one["type"] for one in generic] == ["Microsoft.ContainerInstance/containerGroups"]
    groups.delete(name)


def test_what_is_read_can_be_put_back(groups):
    """Nothing that runs is touched, and secrets stay."""
    name = new()
    body = groups.body([groups.container("echo $TOKEN; cat /keys/k; sleep 1000", environmentVariables=[
        {"name": "TOKEN", "secureValue": "hidden-1"}], volumeMounts=[{"name": "keys", "mountPath": "/keys"}])],
        volumes=[{"name": "keys", "secret": {"k": "aGlkZGVuLTI="}}])
    expect(groups("PUT", groups.path(name), body), 201)
    groups.wait_logs(name, "hidden-2")
    shown = groups.get(groups.path(name))
    assert "hidden" not in json.dumps(shown) and "aGlkZGVuLTI" not in json.dumps(shown)
    started = groups.view(name)["currentState"]["startTime"]
    expect(groups("PUT", groups.path(name), shown), 200)
    assert groups.view(name)["currentState"]["startTime"] == started
    # another command, the same secrets
    command = shown["properties"]["containers"][0]["properties"]["command"]
    command[2] = command[2].replace("sleep", "echo; echo again; sleep")
    expect(groups("PUT", groups.path(name), shown), 200)
    assert groups.wait_logs(name, "again") == "hidden-1\nhidden-2\nagain\n"
    groups.delete(name)


def test_what_has_no_effect_is_named(groups):
    name = new()
    answer = expect(groups("PUT", groups.path(name), {**groups.body(
        [groups.container("sleep 1000")], priority="Spot", diagnostics={"logAnalytics": {
            "workspaceId": "w", "workspaceKey": "hidden"}}), "zones": ["1"]}), 201)
    assert {"zones", "priority", "diagnostics"} <= set(answer["x-sundog-ignored"].split(", "))
    shown = groups.get(groups.path(name))
    assert shown["zones"] == ["1"] and shown["properties"]["priority"] == "Spot" and "hidden" not in json.dumps(shown)
    groups.delete(name)


@pytest.mark.parametrize("change, code, target", [
    ({"nope": 1}, "InvalidRequestContent", "properties.nope"),
    ({"containers": []}, "ContainersNotSpecified", "properties.containers"),
    ({"restartPolicy": "Perhaps"}, "InvalidRequestContent", "properties.restartPolicy"),
    ({"ipAddress": {"type": "Public", "ports": [{"port": 81}]}}, "InvalidIPAddressPorts", "properties.ipAddress.ports[0]"),
    ({"volumes": [{"name": "v", "emptyDir": {}}, {"name": "v", "emptyDir": {}}]}, "DuplicateVolumeName",
     "properties.volumes[1]"),
])
def test_refusals_make_nothing(groups, change, code, target):
    path = groups.path(new())
    body = groups.body([groups.container("true")])
    body["properties"].update(change)
    assert refused(groups("PUT", path, body), 400, code)["target"] == target
    assert groups("GET", path).status == 404


def test_too_many_containers(groups):
    small = {"requests": {"cpu": 0.01, "memoryInGB": 0.1}}
    many = [groups.container("true", name=f"c{i}", resources=small) for i in range(61)]
    refused(groups("PUT", groups.path(new()), groups.body(many)), 400, "TooManyContainers")


def test_what_is_not_built_says_so(groups, provider):
    path = groups.path(new())
    for body in (groups.body([groups.container("true")], osType="Windows"),
                 {**groups.body([groups.container("true")]), "identity": {"type": "UserAssigned", "userAssignedIdentities": {
                     "/subscriptions/x": {}}}}):
        refused(groups("PUT", path, body), 501, "NotSupported")
    for kind in KINDS:
        refused(groups("GET", f"{provider}/{kind}"), 501, "NotSupported")


def test_quotas_and_regions(groups, provider):
    name = groups.create("sleep 1000", container={"resources": {"requests": {"cpu": 2, "memoryInGB": 0.5}}})
    usages = {u["name"]["value"]: u for u in groups.get(f"{provider}/locations/eastus/usages")["value"]}
    assert usages["ContainerGroups"]["currentValue"] >= 1 and usages["ContainerGroups"]["limit"] == 100
    assert usages["StandardCores"]["currentValue"] >= 2
    assert groups.get(f"{provider}/locations/eastus/capabilities")["value"][0]["capabilities"]["maxCpu"] == 4
    assert isinstance(groups.get(f"{provider}/locations/eastus/cachedImages")["value"], list)
    refused(groups("GET", f"{provider}/locations/nowhere/usages"), 400, "InvalidLocation")
    quota = (f"{provider}/locations/eastus/providers/Microsoft.Quota/quotas/StandardCores", {"properties": {"limit": {
        "limitObjectType": "LimitValue", "value": 2}}})
    version = "2023-02-01"
    expect(groups("PUT", *quota, version=version), 200, 202)
    refused(groups("PUT", groups.path(new()), groups.body([groups.container("true")])), 409, "ContainerGroupQuotaReached")
    quota[1]["properties"]["limit"]["value"] = 100
    expect(groups("PUT", *quota, version=version), 200, 202)
    groups.delete(name)


def test_a_group_of_resources_takes_its_container_groups_along(groups):
    other = Groups(groups.server, "doomed")
    names = [other.create("sleep 1000") for _ in range(3)]
    expect(groups("DELETE", f"{groups.sub}/resourceGroups/doomed", version="2021-04-01"), 200, 202)
    wait_until(lambda: groups("GET", f"{groups.sub}/resourceGroups/doomed", version="2021-04-01").status == 404, "it is gone")
    assert [groups("GET", other.path(name)).status for name in names] == [404] * 3


def test_moving(groups):
    name = groups.create("echo here; sleep 1000")
    groups.wait_logs(name, "here")
    to = groups.group("moved")["id"]
    answer = expect(groups("POST", f"{groups.sub}/resourceGroups/managed/moveResources", {
        "resources": [groups.path(name)], "targetResourceGroup": to}, version="2021-04-01"), 202, 204)
    groups.wait(answer)
    moved = f"{to}/providers/Microsoft.ContainerInstance/containerGroups/{name}"
    assert groups.get(moved)["properties"]["instanceView"]["state"] == "Running"
    assert "here" in groups.get(f"{moved}/containers/main/logs")["content"]
    assert groups("GET", groups.path(name)).status == 404
    expect(groups("DELETE", moved), 200, 202)
    wait_until(lambda: groups("GET", moved).status == 404, "it is gone")


def test_numbers(groups):
    name = groups.create("sleep 1000")
    said = groups.http("GET", f"{groups.base}/metrics").body.decode()
    assert 'sundog_container_groups{state="Running"} ' in said and "sundog_container_group_start_seconds_count" in said
    groups.delete(name)
