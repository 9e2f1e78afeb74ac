"""The resource manager at two `serve` on one database: what one changes holds at the other within about a second, and
what one began the other finishes."""

import uuid

import pytest
from test_two_servers import pair

from harness.hold import Held
from harness.manager import READER, Arm, refused
from harness.server import wait_until
from harness.web import expect


@pytest.fixture(scope="module")
def servers():
    yield from pair()


@pytest.fixture(scope="module")
def arms(servers):
    """The first principal at both: admin.json is the first server's."""
    one, two = servers
    return Arm(one), At(two, one)


class At(Arm):
    """By the credentials that another server wrote down."""

    def __init__(self, server, first, **who):
        self.first = first
        with_admin = type("Server", (), {"ca": server.ca, "port": server.port, "admin": first.admin})
        super().__init__(with_admin, **who)


def seen(true, what):
    """Within a second or so; the limit is a guard against hangs."""
    return wait_until(true, what, pause_s=0.02)


def test_a_subscription(arms):
    here, there = arms
    made = here.put("/providers/Microsoft.Subscription/aliases/shared", {"properties": {"displayName": "Shared"}}, 201)
    path = f"/subscriptions/{made['properties']['subscriptionId']}"
    seen(lambda: there("GET", path).status == 200, "the other knows the subscription")
    expect(there("PUT", f"{path}/resourceGroups/fromthere", {"location": "eastus"}), 201)
    assert here.get(f"{path}/resourceGroups/fromthere")["name"] == "fromthere"
    expect(there("POST", f"{path}/providers/Microsoft.Subscription/cancel?IgnoreResourceCheck=true"), 200)
    seen(lambda: here("PUT", f"{path}/resourceGroups/late", {"location": "eastus"}).status == 409, "it is read only here")


def test_a_lock(arms):
    here, there = arms
    group = here.group("locked")["id"]
    lock = f"{group}/providers/Microsoft.Authorization/locks/keep"
    here.put(lock, {"properties": {"level": "ReadOnly"}}, 201)
    body = {"location": "eastus", "tags": {"a": "b"}}
    seen(lambda: there("PUT", group, body).status == 409, "the lock holds there")
    refused(there("DELETE", group), 409, "ScopeLocked", "locked")
    expect(there("DELETE", lock), 200)
    seen(lambda: here("PUT", group, body).status == 200, "it is gone here")


def test_a_role_assignment(arms, servers):
    here, there = arms
    made = here("POST", "/graph/v1.0/applications", {"displayName": "two"}, version=None, token=graph_token(here)).json()
    principal = here("POST", "/graph/v1.0/servicePrincipals", {"appId": made["appId"]}, version=None, token=graph_token(here)).json()
    secret = here("POST", f"/graph/v1.0/applications/{made['id']}/addPassword", {"passwordCredential": {}}, version=None,
                  token=graph_token(here)).json()["secretText"]
    somebody = seen(lambda: signed_in(servers, made["appId"], secret), "the other knows the application")
    group = here.group("assigned")["id"]
    refused(somebody("GET", group), 403, "AuthorizationFailed")
    assignment = f"{group}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
    here.put(assignment, {"properties": {"roleDefinitionId": f"{here.sub}/providers/Microsoft.Authorization/roleDefinitions/{READER}",
                                         "principalId": principal["id"]}}, 201)
    seen(lambda: somebody("GET", group).status == 200, "the assignment counts there")
    refused(somebody("PUT", group, {"location": "eastus"}), 403, "AuthorizationFailed")
    expect(there("DELETE", assignment), 200)
    seen(lambda: somebody("GET", group).status == 403, "and no more")


def signed_in(servers, app_id, secret):
    try:
        return At(servers[1], servers[0], client_id=app_id, secret=secret)
    except AssertionError:
        return None


def graph_token(arm):
    return arm.sign_in(arm.admin["clientId"], arm.admin["clientSecret"], "/graph/")


def test_a_quota(arms):
    here, there = arms
    path = f"{here.sub}/providers/Microsoft.ContainerRegistry/locations/eastus/providers/Microsoft.Quota/quotas/registries"
    here.put(path, {"properties": {"limit": {"limitObjectType": "LimitValue", "value": 0}}}, 200)
    seen(lambda: there.get(path)["properties"]["limit"]["value"] == 0, "the quota holds there")
    there.put(path, {"properties": {"limit": {"limitObjectType": "LimitValue", "value": 50}}}, 200)
    seen(lambda: here.get(path)["properties"]["limit"]["value"] == 50, "and back")


def test_a_registry(arms):
    """Deleted there at once, whether the other has heard of it or not: its name is free again."""
    here, there = arms
    here.group("registries")
    for _ in range(5):
        made = here.registry("registries", "sharedregistry")
        seen(lambda: there("GET", made["id"]).status == 200, "the registry is there")
        expect(there("DELETE", made["id"]), 200)
        seen(lambda: here("GET", made["id"]).status == 404, "it is gone here")
    for i in range(5):
        made = here.registry("registries", f"sudden{i}")
        expect(there("DELETE", made["id"]), 200)
        again = there.put(made["id"], {"location": "eastus", "sku": {"name": "Standard"}}, 201)
        assert again["name"] == f"sudden{i}"


def test_a_group_deleted_there_at_once(arms):
    """The registries in it that the other has not heard of go too: their names are free again."""
    here, there = arms
    for _ in range(3):
        group = here.group("sudden")["id"]
        made = [here.registry("sudden", f"suddenly{i}")["name"] for i in range(3)]
        assert there.wait(expect(there("DELETE", group), 202)).status == 204
        for name in made:
            free = there("POST", f"{there.sub}/providers/Microsoft.ContainerRegistry/checkNameAvailability",
                         {"name": name, "type": "Microsoft.ContainerRegistry/registries"})
            assert expect(free, 200).json()["nameAvailable"], name


def test_a_refusal_ends_the_deletion(arms, servers):
    """A resource that its service will not let go: Failed, the group lives on, and can be deleted once it may."""
    here, _ = arms
    query = postgres_of(servers).query
    group = here.group("refusing")["id"]
    held = here.registry("refusing", "heldregistry")
    query("create function hold() returns trigger language plpgsql as $$ begin if old.name = 'heldregistry' then"
          " raise exception 'held by a test' using errcode = '23503'; end if; return old; end $$;"
          " create trigger hold before delete on registry.registry for each row execute function hold()")
    try:
        answer = expect(here("DELETE", group), 202)
        status = answer["Location"].replace("/operationresults/", "/providers/Microsoft.Resources/locations/global/operationStatuses/")
        ended = wait_until(lambda: next((s for s in [here.get(status)] if s["status"] != "InProgress"), None), "the operation ends")
        assert ended["status"] == "Failed" and ended["error"]["code"] == "Conflict"
        assert held["id"] in ended["error"]["message"] and "'refusing'" in ended["error"]["message"]
        refused(here("GET", answer["Location"], version=None), 409, "Conflict", held["id"])
        assert here.get(group)["properties"]["provisioningState"] == "Succeeded"
        assert here.get(held["id"])["properties"]["provisioningState"] == "Succeeded"
        expect(here("PUT", group, {"location": "eastus", "tags": {"still": "here"}}), 200)
        here.registry("refusing", "newcomer")
    finally:
        query("drop trigger hold on registry.registry; drop function hold()")
    assert here.wait(expect(here("DELETE", group), 202)).status == 204
    refused(here("GET", group), 404, "ResourceGroupNotFound")


def postgres_of(servers):
    """What pair() keeps to itself, by the URL that it gave the servers."""
    from harness.postgres import Postgres

    url = servers[0].args[servers[0].args.index("--database") + 1]
    postgres = Postgres.__new__(Postgres)
    postgres.as_user, postgres.port = [], int(url.rsplit(":", 1)[1].split("/")[0])
    return postgres


def test_a_deployment_is_taken_over(arms, servers):
    """Its `serve` dies in the middle, as it makes the 20th of 40: the other one ends it, when its lease is over."""
    here, there = arms
    query = postgres_of(servers).query
    group = here.group("takeover")["id"]
    path = f"{here.sub}/resourceGroups/takeover/providers/Microsoft.Resources/deployments/long"
    with Held(query, "INSERT", "takeover19"):
        expect(there("PUT", path, {"properties": {"mode": "Incremental", "template": {
            "$schema": "x", "contentVersion": "1", "resources": [{
                "type": "Microsoft.ContainerRegistry/registries", "apiVersion": "2023-07-01", "location": "eastus", "sku": {"name": "Basic"},
                "name": "[format('takeover{0}', copyIndex())]", "copy": {"name": "l", "count": 40, "mode": "serial"}}]}}}), 201)
        wait_until(lambda: query("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"), "it makes the held one")
        servers[1].kill()
        assert len(here.get(f"{here.sub}/resourceGroups/takeover/resources")["value"]) == 19
        assert here.get(path)["properties"]["provisioningState"] == "Running"
    wait_until(lambda: here.get(path)["properties"]["provisioningState"] == "Succeeded", "the other one ends it")
    assert len(here.get(f"{here.sub}/resourceGroups/takeover/resources")["value"]) == 40
    servers[1].restart()
    assert here.wait(expect(here("DELETE", group), 202)).status == 204  # the quota is 50 by now


def test_a_deletion_is_finished_by_the_other(arms, servers):
    """kill -9 of the one that began it; last, because the first server does not come back."""
    here, there = arms
    group = here.group("inherited")["id"]
    for i in range(40):
        here.registry("inherited", f"inherited{i:02}")
    answer = expect(here("DELETE", group), 202)
    servers[0].kill()
    there_too = answer["Location"].replace(here.base, there.base)
    wait_until(lambda: there("GET", there_too, version=None).status == 204, "the other finishes the deletion")
    refused(there("GET", group), 404, "ResourceGroupNotFound")
    assert not [r for r in there.all(f"{there.sub}/resources")[0] if r["name"].startswith("inherited")]
