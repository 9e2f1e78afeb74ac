"""Quotas of subscriptions (Microsoft.Quota): seen, changed, acted upon at once, and by everything that adds."""

import pytest

from harness.manager import Arm, refused
from harness.web import expect

QUOTA = "2023-02-01"


@pytest.fixture(scope="module")
def arm(sundog):
    return Arm(sundog)


@pytest.fixture
def place(arm):
    """A new subscription: (its id, how its quotas are asked for)."""
    import uuid

    alias = f"q{uuid.uuid4().hex[:8]}"
    made = arm.put(f"/providers/Microsoft.Subscription/aliases/{alias}", {"properties": {"displayName": alias, "workload": "Production"}})
    sub = f"/subscriptions/{made['properties']['subscriptionId']}"

    def at(provider, rest, location="eastus"):
        return f"{sub}/providers/{provider}/locations/{location}/providers/Microsoft.Quota/{rest}"
    return sub, at


def limit(arm, path, value, **more):
    body = {"properties": {"limit": {"limitObjectType": "LimitValue", "value": value}, **more}}
    return expect(arm("PUT", path, body, version=QUOTA), 200).json()


def registry(arm, sub, group, name):
    return arm("PUT", f"{sub}/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{name}",
               {"location": "eastus", "sku": {"name": "Basic"}})


def test_what_there_is(arm, place):
    sub, at = place
    listed = arm.get(at("Microsoft.Resources", "quotas"))["value"]
    assert {q["name"]: q["properties"]["limit"]["value"] for q in listed} == {
        "resourceGroups": 980, "resourcesPerTypePerResourceGroup": 800}
    one = arm.get(at("microsoft.containerregistry", "Quotas/REGISTRIES", "East US"))
    assert one == {
        "id": at("Microsoft.ContainerRegistry", "quotas/registries"), "name": "registries", "type": "Microsoft.Quota/quotas",
        "properties": {"limit": {"limitObjectType": "LimitValue", "limitType": "Independent", "value": 5000}, "unit": "Count",
                       "name": {"value": "registries", "localizedValue": "Registries"}, "isQuotaApplicable": True, "properties": {}}}
    listed = arm.get(at("Microsoft.ContainerInstance", "quotas"))["value"]
    assert {q["name"]: q["properties"]["limit"]["value"] for q in listed} == {"ContainerGroups": 100, "StandardCores": 100}
    names = {o["name"] for o in arm.get("/providers/Microsoft.Quota/operations")["value"]}
    assert {"Microsoft.Quota/quotas/read", "Microsoft.Quota/quotas/write", "Microsoft.Quota/usages/read"} <= names
    assert arm.get(f"{sub}/providers/Microsoft.Quota")["registrationState"] == "Registered"


@pytest.mark.parametrize("rest, code", [
    ("Microsoft.Resources/locations/eastus/providers/Microsoft.Quota/quotas/registries", "QuotaNotFound"),
    ("Microsoft.Nope/locations/eastus/providers/Microsoft.Quota/quotas", "InvalidResourceNamespace"),
    ("Microsoft.Resources/locations/moon/providers/Microsoft.Quota/quotas", "InvalidLocation"),
    ("Microsoft.Resources/locations/eastus/providers/Microsoft.Quota/usages/nope", "QuotaNotFound"),
    ("Microsoft.Resources/locations/eastus/providers/Microsoft.Quota/quotaRequests/nope", "QuotaRequestNotFound"),
])
def test_what_there_is_not(arm, rest, code):
    refused(arm("GET", f"{arm.sub}/providers/{rest}"), 404, code)


@pytest.mark.parametrize("properties", [
    {}, {"limit": {}}, {"limit": {"value": -1}}, {"limit": {"value": 20001}}, {"limit": {"value": "7"}}, {"limit": "7"},
    {"limit": {"value": 7, "limitObjectType": "Other"}}, {"limit": {"value": 7, "limitType": "Shared"}},
    {"limit": {"value": 7}, "name": {"value": "registries"}},
])
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_what_is_no_limit(arm, place, method, properties):
    path = place[1]("Microsoft.Resources", "quotas/resourceGroups")
    expect(arm(method, path, {"properties": properties}), 400)
    assert arm.get(path)["properties"]["limit"]["value"] == 980


def test_groups_of_a_subscription(arm, place):
    sub, at = place
    path = at("Microsoft.Resources", "quotas/resourceGroups")
    body = {"location": "eastus"}
    assert limit(arm, path, 2)["properties"]["limit"]["value"] == 2
    for name in ("one", "two"):
        expect(arm("PUT", f"{sub}/resourceGroups/{name}", body), 201)
    refused(arm("PUT", f"{sub}/resourceGroups/three", body), 409, "ResourceGroupQuotaExceeded", "may hold 2 ")
    expect(arm("PUT", f"{sub}/resourceGroups/TWO", {**body, "tags": {"a": "b"}}), 200)
    usage = arm.get(at("Microsoft.Resources", "usages/resourceGroups"))
    assert usage["type"] == "Microsoft.Quota/usages"
    assert usage["properties"]["usages"] == {"usagesType": "Individual", "value": 2}
    expect(arm("PATCH", path, {"properties": {"limit": {"limitObjectType": "LimitValue", "value": 3}}}), 200)
    expect(arm("PUT", f"{sub}/resourceGroups/three", body), 201)
    limit(arm, path, 1)  # below what is there: nothing goes, nothing comes
    refused(arm("PUT", f"{sub}/resourceGroups/four", body), 409, "ResourceGroupQuotaExceeded")
    assert len(arm.get(f"{sub}/resourceGroups")["value"]) == 3
    expect(arm("PUT", f"{arm.sub}/resourceGroups/other", body), 200, 201)  # another subscription's is another


def test_registries_of_a_subscription(arm, place):
    sub, at = place
    path, mark = at("Microsoft.ContainerRegistry", "quotas/registries"), sub[-6:]
    for group in ("a", "b"):
        expect(arm("PUT", f"{sub}/resourceGroups/{group}", {"location": "eastus"}), 201)
    expect(registry(arm, sub, "a", f"quotaone{mark}"), 201)
    limit(arm, path, 1)
    refused(registry(arm, sub, "b", f"quotatwo{mark}"), 409, "QuotaExceeded", "'registries'")
    refused(arm("GET", f"{sub}/resourceGroups/b/providers/Microsoft.ContainerRegistry/registries/quotatwo{mark}"), 404, "ResourceNotFound")
    expect(registry(arm, sub, "a", f"quotaone{mark}"), 200)
    limit(arm, path, 0)  # moving within the subscription adds nothing to it
    move = {"resources": [f"{sub}/resourceGroups/a/providers/Microsoft.ContainerRegistry/registries/quotaone{mark}"],
            "targetResourceGroup": f"{sub}/resourceGroups/b"}
    expect(arm("POST", f"{sub}/resourceGroups/a/moveResources", move), 202)
    limit(arm, path, 2)
    expect(registry(arm, sub, "b", f"quotatwo{mark}"), 201)
    assert arm.get(at("Microsoft.ContainerRegistry", "usages"))["value"][0]["properties"]["usages"]["value"] == 2


def test_a_move_is_held_to_the_targets_quota(arm, place):
    sub, at = place
    mark = sub[-6:]
    expect(arm("PUT", f"{sub}/resourceGroups/target", {"location": "eastus"}), 201)
    arm.group("quota-source")
    made = arm.registry("quota-source", f"quotamover{mark}")
    limit(arm, at("Microsoft.ContainerRegistry", "quotas/registries"), 0)
    move = {"resources": [made["id"]], "targetResourceGroup": f"{sub}/resourceGroups/target"}
    refused(arm("POST", f"{arm.sub}/resourceGroups/quota-source/moveResources", move), 409, "QuotaExceeded")
    assert arm.get(made["id"])["id"] == made["id"]


def test_resources_of_one_type_in_a_group(arm, place):
    sub, at = place
    mark = sub[-6:]
    limit(arm, at("Microsoft.Resources", "quotas/resourcesPerTypePerResourceGroup"), 1)
    for group in ("a", "b"):
        expect(arm("PUT", f"{sub}/resourceGroups/{group}", {"location": "eastus"}), 201)
        expect(registry(arm, sub, group, f"quota{group}{mark}"), 201)
    refused(registry(arm, sub, "a", f"quotac{mark}"), 409, "ResourceQuotaExceeded")
    assert arm.get(at("Microsoft.Resources", "usages/resourcesPerTypePerResourceGroup"))["properties"]["usages"]["value"] == 1


def test_requests(arm, place):
    sub, at = place
    path, requests = at("Microsoft.Resources", "quotas/resourceGroups"), at("Microsoft.Resources", "quotaRequests")
    for value in (11, 12, 13):
        limit(arm, path, value)
    limit(arm, at("Microsoft.Resources", "quotas/resourcesPerTypePerResourceGroup"), 9)
    values, pages = arm.all(f"{requests}?$top=2")
    assert [v["properties"]["value"][0]["limit"]["value"] for v in values] == [9, 13, 12, 11] and pages == 2
    only = arm.get(f"{requests}?$filter=resourceName eq 'resourceGroups' and provisioningState eq 'Succeeded'")["value"]
    assert len(only) == 3 and only[0]["properties"]["value"][0]["name"]["value"] == "resourceGroups"
    assert arm.get(f"{requests}?$filter=requestSubmitTime ge '2100-01-01'")["value"] == []
    refused(arm("GET", f"{requests}?$filter=nope eq 'x'"), 400, "InvalidFilterInQueryString")
    assert arm.get(only[0]["id"]) == only[0]
    refused(arm("GET", only[0]["id"].replace("Microsoft.Resources", "Microsoft.ContainerRegistry")), 404, "QuotaRequestNotFound")
    assert arm.get(at("Microsoft.ContainerRegistry", "quotaRequests"))["value"] == []


def test_the_number_itself_as_limit(arm, place):
    """As older clients send it."""
    path = place[1]("Microsoft.Resources", "quotas/resourceGroups")
    said = expect(arm("PUT", path, {"properties": {"name": {"value": "resourceGroups"}, "limit": 5}}), 200).json()
    assert said["properties"]["limit"]["value"] == 5
