"""Management locks: enforced on every write, inherited by all below, named in the refusal."""

import pytest

from harness.manager import Arm, refused
from harness.web import expect

LOCKS = "providers/Microsoft.Authorization/locks"


@pytest.fixture(scope="module")
def arm(sundog):
    return Arm(sundog)


@pytest.fixture
def place(arm, request):
    """A group and a registry in it, of the test's own; every lock is taken off afterwards."""
    name = request.node.name.replace("_", "").replace("test", "", 1)[:30]
    group = arm.group(name)["id"]
    registry = arm.registry(name, f"{name}registry")["id"]
    yield group, registry
    for lock in arm.get(f"{group}/{LOCKS}")["value"]:
        expect(arm("DELETE", lock["id"]), 200)


def lock(arm, scope, level, *statuses, name="l"):
    return arm.put(f"{scope}/{LOCKS}/{name}", {"properties": {"level": level, "notes": "why"}}, *(statuses or (201,)))


def test_life(arm, place):
    group, _ = place
    made = lock(arm, group, "CanNotDelete")
    assert made["id"] == f"{group}/{LOCKS}/l" and made["properties"] == {"level": "CanNotDelete", "notes": "why"}
    assert arm.get(made["id"]) == made == arm.put(made["id"], {"properties": made["properties"]}, 200) | {
        "systemData": made["systemData"]}
    assert made["id"] in [one["id"] for one in arm.get(f"{arm.sub}/{LOCKS}")["value"]]
    assert [one["id"] for one in arm.get(f"{group}/{LOCKS}?$filter=atScope()")["value"]] == [made["id"]]
    expect(arm("DELETE", made["id"]), 200)
    expect(arm("DELETE", made["id"]), 204)
    refused(arm("GET", made["id"]), 404, "LockNotFound")


def test_cannot_delete(arm, place):
    group, registry = place
    lock(arm, group, "CanNotDelete")
    for path in (group, registry):
        refused(arm("DELETE", path), 409, "ScopeLocked", f"'{path}'", "cannot perform delete", f"locked: '{group}'")
    expect(arm("PATCH", group, {"tags": {"a": "b"}}), 200)
    expect(arm("PATCH", registry, {"tags": {"a": "b"}}), 200)
    arm.get(registry)


def test_read_only(arm, place):
    group, registry = place
    lock(arm, group, "ReadOnly")
    arm.get(group)
    for method, path, body in [
        ("PUT", group, {"location": "eastus"}), ("PATCH", group, {"tags": {}}), ("DELETE", group, None),
        ("PATCH", registry, {"tags": {}}), ("DELETE", registry, None), ("POST", f"{registry}/listCredentials", None),
        ("PUT", f"{group}/providers/Microsoft.Resources/tags/default", {"properties": {"tags": {}}}),
    ]:
        refused(arm(method, path, body), 409, "ScopeLocked", group)
    lock(arm, group, "CanNotDelete", 200)  # the lock itself can be changed
    arm.group(group.rsplit("/", 1)[1])


def test_lock_below_stops_deletion_above(arm, place):
    group, registry = place
    lock(arm, registry, "CanNotDelete", name="one")
    lock(arm, registry, "ReadOnly", name="two")
    refused(arm("DELETE", group), 409, "ScopeLocked", registry)
    expect(arm("PATCH", group, {"tags": {}}), 200)
    arm.get(registry)


def test_locked_resources_do_not_move(arm, place):
    group, registry = place
    target = arm.group("movetarget")["id"]
    lock(arm, registry, "ReadOnly")
    body = {"resources": [registry], "targetResourceGroup": target}
    refused(arm("POST", f"{group}/moveResources", body), 409, "ScopeLocked")
    refused(arm("POST", f"{group}/validateMoveResources", body), 409, "ScopeLocked")


def test_bad_locks(arm, place):
    group, _ = place
    path = f"{group}/{LOCKS}/x"
    for body in ({}, {"properties": {}}, {"properties": {"level": "Sometimes"}}, {"properties": {"level": "NotSpecified"}},
                 {"properties": {"level": "ReadOnly", "notes": "x" * 513}}):
        expect(arm("PUT", path, body), 400)
    refused(arm("PUT", f"{arm.sub}/resourceGroups/none/{LOCKS}/x", {"properties": {"level": "ReadOnly"}}), 404,
            "ResourceGroupNotFound")
    assert arm.get(f"{group}/{LOCKS}")["value"] == []


def test_locks_go_with_what_they_lock(arm, sundog):
    arm.group("gone")
    scope = f"{arm.sub}/resourceGroups/gone"
    lock(arm, scope, "ReadOnly")
    expect(arm("DELETE", f"{scope}/{LOCKS}/l"), 200)
    lock(arm, scope, "CanNotDelete")
    sundog.restart()
    again = Arm(sundog)
    refused(again("DELETE", scope), 409, "ScopeLocked")
    expect(again("DELETE", f"{scope}/{LOCKS}/l"), 200)
    assert again.wait(expect(again("DELETE", scope), 202)).status == 204
