"""Long-running operations: polled, resumed after kill -9, and the activity log of who did what."""

import re
import time

import pytest

from harness.hold import Held
from harness.keys import psql
from harness.manager import Arm, refused
from harness.server import Sundog, wait_until
from harness.web import expect


@pytest.fixture(scope="module")
def arm(sundog):
    return Arm(sundog)


def test_poll(arm):
    arm.group("poll")
    arm.registry("poll", "pollregistry")
    answer = expect(arm("DELETE", f"{arm.sub}/resourceGroups/poll"), 202)
    assert answer["Retry-After"] == "1" and answer["Location"].startswith(arm.base)
    operation = answer["Location"].split("/")[-1].split("?")[0]
    status = arm.get(f"{arm.sub}/providers/Microsoft.Resources/locations/global/operationStatuses/{operation}")
    assert status["name"] == operation and status["startTime"]
    assert status["status"] in ("InProgress", "Succeeded")
    assert arm.wait(answer).status == 204
    status = arm.get(f"{arm.sub}/providers/Microsoft.Resources/locations/global/operationStatuses/{operation}")
    assert status["status"] == "Succeeded" and status["endTime"]
    assert arm("GET", answer["Location"]).status == 204, "a result can be asked for again"
    refused(arm("GET", f"{arm.sub}/resourceGroups/poll/providers/Microsoft.ContainerRegistry/registries/pollregistry"),
            404, "ResourceGroupNotFound")


def test_nobody_elses_operations(arm):
    refused(arm("GET", f"{arm.sub}/operationresults/00000000-0000-0000-0000-000000000000"), 404, "NotFound")
    refused(arm("GET", f"{arm.sub}/operationresults/x", token=""), 401, "AuthenticationFailed")
    other = arm.put("/providers/Microsoft.Subscription/aliases/other", {"properties": {"displayName": "Other"}}, 201)
    arm.group("mine")
    answer = expect(arm("DELETE", f"{arm.sub}/resourceGroups/mine"), 202)
    elsewhere = answer["Location"].replace(arm.sub, f"/subscriptions/{other['properties']['subscriptionId']}")
    refused(arm("GET", elsewhere), 404, "NotFound")
    assert arm.wait(answer).status == 204
    refused(arm("POST", f"{arm.sub}/providers/Microsoft.Resources/locations/global/operationStatuses/"
                f"{answer['Location'].split('/')[-1].split('?')[0]}/cancel"), 409, "OperationNotRunning")


def test_metrics(arm):
    """Every family says what it is, its lines stand together, and ours are among them."""
    expect(arm("PUT", f"{arm.sub}/resourceGroups/measured", {"location": "eastus"}), 201)
    lines = arm.http("GET", f"{arm.base}/metrics", None, []).body.decode().splitlines()
    kinds, helped, families = {}, set(), []
    for line in lines:
        words = line.split()
        if words[:2] == ["#", "HELP"]:
            helped.add(words[2])
        elif words[:2] == ["#", "TYPE"]:
            assert words[2] not in kinds, f"twice: {words[2]}"
            kinds[words[2]] = words[3]
        else:
            name = re.match(r"[a-z_]+", line)[0]
            family = name if name in kinds else re.sub(r"_(bucket|sum|count)$", "", name)
            assert family in kinds and family in helped, line
            if families[-1:] != [family]:
                families.append(family)
    assert len(families) == len(set(families)), "a family in several places"
    assert {"sundog_operations_running", "sundog_group_deletions", "sundog_activity_events_total"} <= set(families)
    assert 'sundog_activity_events_total{result="dropped"} 0' in lines


def test_group_under_deletion_takes_nothing_new():
    """With many registries in it the deletion takes a while, and one is held back; kill -9 in its middle, and again."""
    with Sundog() as server:
        arm = Arm(server)
        group = arm.group("doomed")["id"]
        for i in range(80):
            arm.registry("doomed", f"doomed{i:02}")
        kept = arm.registry(arm.group("kept")["name"], "keptregistry")
        latecomer = f"{group}/providers/Microsoft.ContainerRegistry/registries/latecomer"
        registry = {"location": "eastus", "sku": {"name": "Basic"}}
        with Held(lambda sql: psql(server, sql), "DELETE", "doomed00", refuse=True):
            answer = expect(arm("DELETE", group), 202)
            refused(arm("PUT", group, {"location": "eastus"}), 409, "ResourceGroupBeingDeleted")
            refused(arm("PUT", latecomer, registry), 409, "ResourceGroupBeingDeleted")
            assert expect(arm("DELETE", group), 202)["Location"] == answer["Location"]
            for _ in range(3):
                server.kill()
                server.start()
                arm = Arm(server)
                assert arm.get(group)["properties"]["provisioningState"] == "Deleting"
                refused(arm("PUT", latecomer, registry), 409, "ResourceGroupBeingDeleted")
        path = answer["Location"].split(f":{answer['Location'].split(':')[2].split('/')[0]}", 1)[1]

        def ended():
            polled = arm("GET", path, version=None)
            return polled if polled.status != 202 else None

        assert wait_until(ended, "the deletion ends").status == 204
        refused(arm("GET", group), 404, "ResourceGroupNotFound")
        names = [r["name"] for r in arm.all(f"{arm.sub}/resources")[0]]
        assert not [name for name in names if name.startswith("doomed")]
        assert arm.get(kept["id"])["name"] == "keptregistry"
        arm.group("doomed")  # the name is free again, and so are the registries'
        arm.registry("doomed", "doomed00")


def activity(arm, filter_text):
    return arm.all(f"{arm.sub}/providers/Microsoft.Insights/eventtypes/management/values?$filter={filter_text}")[0]


def test_activity_log(arm):
    begun = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    arm.group("noted")
    expect(arm("PUT", f"{arm.sub}/resourceGroups/noted", {"location": "westus"}), 409)
    arm.get(f"{arm.sub}/resourceGroups/noted")
    wait = arm.wait(expect(arm("DELETE", f"{arm.sub}/resourceGroups/noted",
                               headers=[("x-ms-correlation-request-id", "find-me")]), 202))
    assert wait.status == 204
    since = "eventTimestamp ge 2020-01-01T00:00:00Z"
    asked = f"{since} and eventTimestamp le 2099-01-01T00:00:00Z and resourceGroupName eq 'Noted'"
    wait_until(lambda: len(activity(arm, asked)) >= 3, "three writes are in the log")
    events = activity(arm, asked)
    assert [e["operationName"]["value"].rsplit("/", 1)[1] for e in events] == ["delete", "write", "write"]
    assert [e["status"]["value"] for e in events] == ["Accepted", "Failed", "Succeeded"]
    assert [e["subStatus"]["value"] for e in events] == ["202", "409", "201"]
    assert events[0]["correlationId"] == "find-me" and events[0]["claims"]["appid"] == arm.admin["clientId"]
    assert events[0]["authorization"]["action"] == "Microsoft.Resources/subscriptions/resourceGroups/delete"
    times = [e["eventTimestamp"] for e in events]
    assert times == sorted(times, reverse=True)
    assert begun <= times[-1] and times[0] <= time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))
    assert activity(arm, f"{since} and correlationId eq 'find-me'") == events[:1]
    assert activity(arm, f"eventTimestamp ge 2090-01-01 and resourceGroupName eq 'noted'") == []
    base = f"{arm.sub}/providers/Microsoft.Insights/eventtypes/management/values"
    refused(arm("GET", base), 400, "BadRequest")
    refused(arm("GET", f"{base}?$filter=eventTimestamp ge 'yesterday'"), 400, "BadRequest")


def test_activity_survives_a_stop(sundog, arm):
    arm.group("lastword")
    sundog.restart()
    again = Arm(sundog)
    asked = "eventTimestamp ge 2020-01-01T00:00:00Z and resourceGroupName eq 'lastword'"
    assert [e["subStatus"]["value"] for e in activity(again, asked)] == ["201"]
