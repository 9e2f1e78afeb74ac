"""Subscriptions, resource groups, generic resources, tags, moves: over plain HTTP, as any SDK asks."""

import pytest

from harness.manager import Arm, refused
from harness.web import expect


@pytest.fixture(scope="module")
def arm(sundog):
    return Arm(sundog)


def names(values):
    return [value["name"] for value in values]


# tokens and versions


@pytest.mark.parametrize("headers, code", [
    ([], "AuthenticationFailed"),
    ([("Authorization", "Basic eDp5")], "AuthenticationFailed"),
    ([("Authorization", "Bearer x.y.z")], "InvalidAuthenticationToken"),
])
def test_who_asks(arm, headers, code):
    answer = arm("GET", "/subscriptions", token="", headers=headers)
    refused(answer, 401, code)
    assert answer["WWW-Authenticate"].startswith(f'Bearer authorization_uri="{arm.base}/adfs", error="invalid_token"')


def test_versions(arm):
    refused(arm("GET", "/subscriptions", version=None), 400, "MissingApiVersionParameter")
    for bad in ("1", "2021-13-01", "2021-04-32", "2021-04-01-", "2021-04-01x", "latest"):
        refused(arm("GET", "/subscriptions", version=bad), 400, "InvalidApiVersionParameter", bad)
    for good in ("2014-01-01", "2099-12-31", "2021-04-01-preview", "2023-01-01-privatepreview"):
        arm.get("/subscriptions", version=good)


def test_headers(arm):
    answer = arm("GET", "/subscriptions", headers=[
        ("x-ms-client-request-id", "mine"), ("x-ms-return-client-request-id", "true"),
        ("x-ms-correlation-request-id", "together")])
    assert answer["x-ms-client-request-id"] == "mine"
    assert answer["x-ms-correlation-request-id"] == "together"
    assert answer["x-ms-request-id"] and answer["Cache-Control"] == "no-cache"


# subscriptions


def test_first_subscription(arm):
    [first] = [s for s in arm.get("/subscriptions")["value"] if s["id"] == arm.sub]
    assert first["state"] == "Enabled" and first["tenantId"] == arm.admin["tenantId"]
    assert first == arm.get(arm.sub)
    assert arm.get("/tenants")["value"][0]["tenantId"] == arm.admin["tenantId"]
    assert "eastus" in names(arm.get(f"{arm.sub}/locations")["value"])
    unknown = "/subscriptions/00000000-0000-0000-0000-000000000001"
    refused(arm("GET", f"{unknown}/resourceGroups"), 404, "SubscriptionNotFound")
    refused(arm("GET", "/subscriptions/nonsense"), 400, "InvalidSubscriptionId")


def test_more_subscriptions(arm):
    alias = "/providers/Microsoft.Subscription/aliases/second"
    body = {"properties": {"displayName": "Second", "workload": "Production", "billingScope": "/x"}}
    made = arm.put(alias, body, 201)["properties"]
    assert made["provisioningState"] == "Succeeded"
    assert arm.put(alias, body, 200)["properties"]["subscriptionId"] == made["subscriptionId"]
    assert arm.get(alias)["properties"] == made
    second = f"/subscriptions/{made['subscriptionId']}"
    assert [s["id"] for s in arm.get("/subscriptions")["value"]] == [arm.sub, second]
    post = f"{second}/providers/Microsoft.Subscription"
    expect(arm("POST", f"{post}/rename", {"subscriptionName": "Renamed"}), 200)
    assert arm.get(second)["displayName"] == "Renamed"
    arm.put(f"{second}/resourceGroups/g", {"location": "eastus"}, 201)
    expect(arm("POST", f"{post}/cancel"), 200)
    assert arm.get(second)["state"] == "Disabled"
    refused(arm("PUT", f"{second}/resourceGroups/g", {"location": "eastus"}), 409, "ReadOnlyDisabledSubscription")
    arm.get(f"{second}/resourceGroups/g")
    expect(arm("POST", f"{post}/enable"), 200)
    arm.put(f"{second}/resourceGroups/g", {"location": "eastus"}, 200)
    expect(arm("DELETE", alias), 200)
    expect(arm("DELETE", alias), 204)


# providers


def test_providers(arm):
    path = f"{arm.sub}/providers/Microsoft.App"
    assert arm.get(path)["registrationState"] == "NotRegistered"
    assert expect(arm("POST", f"{path}/register"), 200).json()["registrationState"] == "Registered"
    assert arm.get(path)["registrationState"] == "Registered"
    assert expect(arm("POST", f"{path}/unregister"), 200).json()["registrationState"] == "NotRegistered"
    acr = arm.get(f"{arm.sub}/providers/microsoft.containerregistry")
    types = {t["resourceType"]: t for t in acr["resourceTypes"]}
    assert "East US" in types["registries"]["locations"] and types["registries"]["apiVersions"]
    found = {p["namespace"] for p in arm.get(f"{arm.sub}/providers")["value"]}
    assert {"Microsoft.Resources", "Microsoft.Authorization", "Microsoft.ContainerRegistry"} <= found
    operations = arm.get("/providers/Microsoft.ContainerRegistry/operations")["value"]
    assert any(o["name"] == "Microsoft.ContainerRegistry/registries/read" for o in operations)
    refused(arm("GET", f"{arm.sub}/providers/Microsoft.Nope"), 404, "InvalidResourceNamespace")
    refused(arm("POST", f"{arm.sub}/providers/Microsoft.Resources/unregister"), 409,
            "CannotUnregisterRegistrationFreeResourceProvider")


# groups


def test_group_life(arm):
    path = f"{arm.sub}/resourceGroups/Life"
    made = arm.put(path, {"location": "East US", "tags": {"a": "b"}}, 201)
    assert made == {"id": path, "name": "Life", "type": "Microsoft.Resources/resourceGroups", "location": "eastus",
                    "tags": {"a": "b"}, "properties": {"provisioningState": "Succeeded"}}
    other_case = f"/SUBSCRIPTIONS{arm.sub[len('/subscriptions'):]}//resourcegroups/LIFE"
    assert arm.get(other_case) == made == arm.get(other_case)
    assert arm.put(path, arm.get(path), 200) == made, "what is read can be put back"
    assert expect(arm("PATCH", path, {"tags": {"c": "d"}}), 200).json()["tags"] == {"c": "d"}
    assert arm.get(path)["tags"] == {"c": "d"}
    assert expect(arm("PATCH", path, {}), 200).json()["tags"] == {"c": "d"}
    expect(arm("HEAD", path), 204)
    assert arm.wait(expect(arm("DELETE", path), 202)).status == 204
    expect(arm("HEAD", path), 404)
    refused(arm("GET", path), 404, "ResourceGroupNotFound", "'Life'")
    refused(arm("DELETE", path), 404, "ResourceGroupNotFound")


@pytest.mark.parametrize("name, body, code", [
    ("ends.", {"location": "eastus"}, "InvalidResourceGroup"),
    ("x" * 91, {"location": "eastus"}, "InvalidResourceGroup"),
    ("a b", {"location": "eastus"}, "InvalidResourceGroup"),
    ("ok", {"location": "mars"}, "LocationNotAvailableForResourceType"),
    ("ok", {}, "LocationRequired"),
    ("ok", [], "InvalidRequestContent"),
    ("ok", b"{", "InvalidRequestContent"),
    ("ok", b"", "MissingRequestBody"),
    ("ok", {"location": 1}, "InvalidRequestContent"),
    ("ok", {"location": "eastus", "tags": {"a<b": "x"}}, "InvalidTagNameCharacters"),
    ("ok", {"location": "eastus", "tags": {"a": "x" * 257}}, "InvalidTagValueLength"),
    ("ok", {"location": "eastus", "tags": {f"t{i}": "" for i in range(51)}}, "TagCountExceeded"),
])
def test_bad_groups(arm, name, body, code):
    refused(arm("PUT", f"{arm.sub}/resourceGroups/{name}", body), 400, code)
    refused(arm("GET", f"{arm.sub}/resourceGroups/ok"), 404, "ResourceGroupNotFound")


def test_big_body(arm):
    body = b'{"location":"eastus","tags":{"a":"' + b"x" * (4 << 20) + b'"}}'
    refused(arm("PUT", f"{arm.sub}/resourceGroups/big", body), 413, "RequestEntityTooLarge")


def test_group_stays_where_it_is(arm):
    arm.group("fixed")
    error = refused(arm("PUT", f"{arm.sub}/resourceGroups/fixed", {"location": "westus"}), 409,
                    "InvalidResourceGroupLocation", "eastus", "westus")
    assert error["target"] == "location"


def test_group_pages(arm):
    for i in range(7):
        arm.group(f"page{i}", tags={"Page": str(i % 2)})
    listed, pages = arm.all(f"{arm.sub}/resourceGroups?$top=3")
    assert pages >= 3 and names(listed) == sorted(names(listed), key=str.lower)
    assert {f"page{i}" for i in range(7)} <= set(names(listed))
    tagged, _ = arm.all(f"{arm.sub}/resourceGroups?%24filter=tagName eq 'page' and tagValue eq '1'&%24top=2")
    assert names(tagged) == ["page1", "page3", "page5"]
    refused(arm("GET", f"{arm.sub}/resourceGroups?$filter=name eq 'x'"), 400, "InvalidFilterInQueryString")
    refused(arm("GET", f"{arm.sub}/resourceGroups?$top=0"), 400, "InvalidTopParameter")


def test_what_has_no_effect_is_named(arm):
    answer = arm("PUT", f"{arm.sub}/resourceGroups/ignored", {"location": "eastus", "zones": ["1"]})
    assert expect(answer, 201)["x-sundog-ignored"] == "zones"


# resources


def test_resources(arm):
    arm.group("res1", "westus")
    arm.group("res2")
    one, two = arm.registry("res1", "resourcesone"), arm.registry("res2", "resourcestwo")
    base = f"{arm.sub}/resources"
    listed = arm.get(f"{base}?$filter=&$expand=createdTime,changedTime,provisioningState")["value"]
    [found] = [r for r in listed if r["id"] == one["id"]]
    assert found["createdTime"] and found["provisioningState"] == "Succeeded" and found["sku"]["name"] == "Standard"
    for text, wanted in [
        ("resourceType eq 'microsoft.containerregistry/REGISTRIES'", {"resourcesone", "resourcestwo"}),
        ("name eq 'ResourcesOne'", {"resourcesone"}),
        ("resourceGroup eq 'res2'", {"resourcestwo"}),
        ("substringof('two', name) or name eq 'resourcesone'", {"resourcesone", "resourcestwo"}),
        ("resourceType ne 'Microsoft.ContainerRegistry/registries' and location eq 'eastus'", set()),
        ("tagName eq 'none'", set()),
    ]:
        assert {"resourcesone", "resourcestwo"} & set(names(arm.get(f"{base}?$filter={text}")["value"])) == wanted, text
    assert names(arm.get(f"{arm.sub}/resourceGroups/res1/resources")["value"]) == ["resourcesone"]
    values, pages = arm.all(f"{base}?$top=1&$filter=substringof('resources', name)")
    assert names(values) == ["resourcesone", "resourcestwo"] and pages == 2
    refused(arm("GET", f"{base}?$filter=plan eq"), 400, "InvalidFilterInQueryString")
    refused(arm("GET", f"{arm.sub}/resourceGroups/none/resources"), 404, "ResourceGroupNotFound")
    assert arm.get(two["id"])["id"] == two["id"]


def test_resource_without_group(arm):
    path = f"{arm.sub}/resourceGroups/nogroup/providers/Microsoft.ContainerRegistry/registries/lonely"
    body = {"location": "eastus", "sku": {"name": "Basic"}}
    refused(arm("PUT", path, body), 404, "ResourceGroupNotFound")
    refused(arm("GET", path), 404, "ResourceGroupNotFound")


def test_unregistered_provider(arm):
    made = arm.put("/providers/Microsoft.Subscription/aliases/bare", {"properties": {"displayName": "Bare"}}, 201)
    bare = f"/subscriptions/{made['properties']['subscriptionId']}"
    expect(arm("POST", f"{bare}/providers/Microsoft.ContainerRegistry/unregister"), 200)
    arm.put(f"{bare}/resourceGroups/g", {"location": "eastus"}, 201)
    path = f"{bare}/resourceGroups/g/providers/Microsoft.ContainerRegistry/registries/unregistered"
    body = {"location": "eastus", "sku": {"name": "Basic"}}
    refused(arm("PUT", path, body), 409, "MissingSubscriptionRegistration")
    expect(arm("POST", f"{bare}/providers/Microsoft.ContainerRegistry/register"), 200)
    arm.put(path, body, 200, 201)
    refused(arm("POST", f"{bare}/providers/Microsoft.ContainerRegistry/unregister"), 409,
            "CannotUnregisterResourceProvider")
    refused(arm("POST", f"{bare}/providers/Microsoft.Subscription/cancel"), 409, "SubscriptionHasResources")


# tags


def test_tags_anywhere(arm):
    arm.group("tags", tags={"old": "1"})
    registry = arm.registry("tags", "tagsregistry")
    for scope in (arm.sub, f"{arm.sub}/resourceGroups/tags", registry["id"]):
        path = f"{scope}/providers/Microsoft.Resources/tags/default"

        def patch(operation, tags):
            answer = arm("PATCH", path, {"operation": operation, "properties": {"tags": tags}})
            return expect(answer, 200).json()["properties"]["tags"]

        assert arm.put(path, {"properties": {"tags": {"a": "1", "b": "2"}}}, 200)["properties"]["tags"] == {"a": "1", "b": "2"}
        assert arm.get(scope)["tags"] == {"a": "1", "b": "2"}
        assert patch("Merge", {"A": "9", "c": "3"}) == {"A": "9", "b": "2", "c": "3"}
        assert patch("Delete", {"A": "other", "b": "2"}) == {"A": "9", "c": "3"}
        assert patch("Replace", {"z": "26"}) == {"z": "26"}
        assert arm.get(path)["properties"]["tags"] == arm.get(scope)["tags"] == {"z": "26"}
        refused(arm("PATCH", path, {"operation": "Forget", "properties": {}}), 400, "InvalidRequestContent")
        expect(arm("DELETE", path), 200)
        assert not arm.get(scope).get("tags")


def test_tag_names(arm):
    base = f"{arm.sub}/tagNames"
    expect(arm("PUT", f"{base}/Cost"), 201)
    expect(arm("PUT", f"{base}/cost"), 200)
    expect(arm("PUT", f"{base}/Cost/tagValues/low"), 201)
    refused(arm("PUT", f"{base}/unknown/tagValues/low"), 404, "TagNotFound")
    arm.group("costs", tags={"cost": "high"})
    [tag] = [t for t in arm.get(base)["value"] if t["tagName"].lower() == "cost"]
    assert {v["tagValue"]: v["count"]["value"] for v in tag["values"]} == {"low": 0, "high": 1}
    refused(arm("DELETE", f"{base}/Cost"), 409, "TagInUse")
    expect(arm("DELETE", f"{base}/Cost/tagValues/low"), 200)
    arm.group("costs")
    expect(arm("DELETE", f"{base}/Cost"), 200)


# moves


def test_move(arm):
    arm.group("from")
    to = arm.group("Target")["id"]
    old = arm.registry("from", "moving")
    body = {"resources": [old["id"]], "targetResourceGroup": to}
    base = f"{arm.sub}/resourceGroups/from"
    expect(arm("POST", f"{base}/validateMoveResources", body), 204)
    arm.get(old["id"])
    assert arm.wait(expect(arm("POST", f"{base}/moveResources", body), 202)).status == 204
    refused(arm("GET", old["id"]), 404, "ResourceNotFound")
    moved = arm.get(f"{to}/providers/Microsoft.ContainerRegistry/registries/moving")
    assert moved["id"].startswith(to) and moved["properties"] == old["properties"]
    refused(arm("POST", f"{base}/moveResources", body), 404, "ResourceNotFound")
    refused(arm("POST", f"{base}/moveResources", {**body, "targetResourceGroup": base}), 400,
            "ResourceMoveSourceAndTargetSame")
    refused(arm("POST", f"{base}/moveResources", {**body, "targetResourceGroup": f"{arm.sub}/resourceGroups/none"}), 404,
            "ResourceGroupNotFound")


# what is not there


@pytest.mark.parametrize("method, path, status, code", [
    ("GET", "/resourceGroups/rest/providers/Microsoft.Nope/a/b", 404, "InvalidResourceNamespace"),
    ("PUT", "/resourceGroups/rest/providers/Microsoft.ContainerRegistry/nope/b", 404, "InvalidResourceType"),
    ("PUT", "/resourceGroups/rest/providers/Microsoft.Resources/deploymentStacks/d", 404, "InvalidResourceType"),
    ("POST", "/resourceGroups/rest/exportTemplate", 501, "NotSupported"),
    ("GET", "/providers/Microsoft.Authorization/policyAssignments", 501, "NotSupported"),
    ("DELETE", "/something", 501, "NotSupported"),
])
def test_not_built(arm, method, path, status, code):
    arm.group("rest")
    refused(arm(method, f"{arm.sub}{path}", {} if method != "GET" else None), status, code)
    refused(arm(method, f"{arm.sub}{path}", token=""), 401, "AuthenticationFailed")
