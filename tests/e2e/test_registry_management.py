"""What a registry's properties do to its data plane: networks, tiers, quarantine, retention, exchange, deletion."""

import http.client
import json
import os
import secrets
import urllib.parse

import pytest

from harness import web
from harness.arm import FORM, Arm
from harness.server import Sundog, wait_until
from harness.web import basic, expect, refused


@pytest.fixture(scope="module")
def sundog():
    with Sundog(["--collect-interval", "1s"]) as server:
        yield server
        assert server.process.poll() is None, f"sundog ended by itself:\n{server.said()}"
        assert server.stop() == 0, server.said()


@pytest.fixture(scope="module")
def arm(sundog):
    return Arm(sundog)


def post_form(registry, path, auth=False, **form):
    return registry.request("POST", path, urllib.parse.urlencode(form).encode(), {"Content-Type": FORM}, auth=auth)


def test_network_rules(arm):
    path = arm.registry()
    registry = arm.data_plane(path)
    repository = registry.repository()
    repository.image("v1")
    arm.patch(path, networkRuleSet={"defaultAction": "Deny", "ipRules": [{"action": "Allow", "value": "192.0.2.0/24"}]})
    for answer in (repository.manifest("v1"), repository.tags(), repository.request("POST", "/blobs/uploads/"),
                   registry.acr(repository.name), registry.get(f"/acr/v1/{registry.name}/_catalog"),
                   registry.get("/v2/"), registry.get("/oauth2/token?service=x"), registry.get("/v2/_catalog")):
        refused(answer, 403, "DENIED")
        assert "client with IP '127.0.0.1' is not allowed access" in answer.json()["errors"][0]["message"]
    assert registry.name not in web.by_path(arm.server).get("/v2/_catalog").body.decode()
    arm.patch(path, networkRuleSet={"defaultAction": "Deny", "ipRules": [{"action": "Allow", "value": "127.0.0.0/8"}]})
    expect(repository.manifest("v1"), 200)
    arm.patch(path, publicNetworkAccess="Disabled")
    refused(repository.manifest("v1"), 403, "DENIED")
    arm.patch(path, publicNetworkAccess="Enabled", networkRuleSet={"defaultAction": "Allow"})
    expect(repository.manifest("v1"), 200)


def test_network_rules_on_its_own_host(sundog, arm):
    """/v2/ and the token endpoints answer 403 there, as `az acr login` wants to see it."""
    path = arm.registry()
    named = web.by_name(sundog, name=f"{path.rsplit('/', 1)[1]}.azurecr.localhost")
    named.credentials = arm.admin_of(path)
    expect(named.get("/v2/"), 200)
    arm.patch(path, networkRuleSet={"defaultAction": "Deny", "ipRules": []})
    refused(named.get("/v2/"), 403, "DENIED")
    refused(named.get("/oauth2/token?service=x"), 403, "DENIED")
    refused(post_form(named, "/oauth2/exchange", grant_type="access_token", service="x", access_token="y"), 403, "DENIED")


def test_tiers(arm):
    path = arm.registry(sku="Basic")
    arm("PATCH", path, {"properties": {"anonymousPullEnabled": True}}, wanted=(400, 409))
    arm("PATCH", path, {"properties": {"policies": {"retentionPolicy": {"status": "enabled", "days": 1}}}}, wanted=(400, 409))
    for i in range(2):
        arm("PUT", f"{path}/webhooks/hook{i}x", {"location": "eastus", "properties": {
            "serviceUri": "http://127.0.0.1:9/", "actions": ["push"]}})
    arm("PUT", f"{path}/webhooks/hook3x", {"location": "eastus", "properties": {
        "serviceUri": "http://127.0.0.1:9/", "actions": ["push"]}}, wanted=(400, 403, 409))
    arm("PATCH", path, {"sku": {"name": "Standard"}})
    arm("PUT", f"{path}/webhooks/hook3x", {"location": "eastus", "properties": {
        "serviceUri": "http://127.0.0.1:9/", "actions": ["push"]}})
    arm("PATCH", path, {"sku": {"name": "Basic"}}, wanted=(400, 403, 409))


def test_admin_credentials(arm):
    path = arm.registry()
    registry = arm.data_plane(path)
    expect(registry.get("/v2/"), 200)
    said = arm("POST", f"{path}/regenerateCredential", {"name": "password"})
    refused(registry.get("/v2/"), 401, "UNAUTHORIZED")
    registry.credentials = said["username"], said["passwords"][0]["value"]
    expect(registry.get("/v2/"), 200)
    arm.patch(path, adminUserEnabled=False)
    refused(registry.get("/v2/"), 401, "UNAUTHORIZED")


def test_anonymous_pull(arm):
    path = arm.registry()
    registry = arm.data_plane(path)
    repository = registry.repository()
    repository.image("v1")
    refused(repository.manifest("v1", auth=False), 401, "UNAUTHORIZED")
    arm.patch(path, anonymousPullEnabled=True)
    expect(repository.manifest("v1", auth=False), 200)
    arm.patch(path, anonymousPullEnabled=False)
    refused(repository.manifest("v1", auth=False), 401, "UNAUTHORIZED")


def test_retention(arm):
    path = arm.registry()
    repository = arm.data_plane(path).repository()
    tagged, _ = repository.image("v1")
    untagged, _ = repository.image()
    arm.patch(path, policies={"retentionPolicy": {"status": "enabled", "days": 0}})
    wait_until(lambda: repository.manifest(untagged).status == 404, "the untagged manifest is deleted")
    expect(repository.manifest("v1"), 200)
    expect(repository.registry.acr(f"{repository.name}/_tags/v1", "DELETE"), 202)
    wait_until(lambda: repository.manifest(tagged).status == 404, "the untagged manifest is deleted")


def test_quarantine(arm):
    path = arm.registry()
    arm.patch(path, policies={"quarantinePolicy": {"status": "enabled"}})
    owner = arm.data_plane(path)
    arm("PUT", f"{path}/tokens/puller", {"properties": {"scopeMapId": f"{path}/scopeMaps/_repositories_push_metadata_write"}})
    arm("POST", f"{path}/generateCredentials", {"tokenId": f"{path}/tokens/puller", "name": "password1"})
    said = arm.operation() if arm.status == 202 else arm(
        "POST", f"{path}/generateCredentials", {"tokenId": f"{path}/tokens/puller", "name": "password1"})
    said = said.get("properties", said)
    other = arm.data_plane(path, (f"{owner.name}/puller", said["passwords"][0]["value"]))
    digest, data = owner.repository("app").image("v1")
    refused(other.repository("app").manifest("v1"), 404, "MANIFEST_UNKNOWN")
    refused(other.repository("app").manifest(digest), 405, "REGISTRY_DISALLOWED_OPERATION")
    passed = {"quarantineState": "Passed", "quarantineDetails": "{}"}
    refused(other.acr(f"app/_manifests/{digest}", "PATCH", passed), 403, "DENIED")
    expect(owner.acr(f"app/_manifests/{digest}", "PATCH", passed), 200)
    assert expect(other.repository("app").manifest("v1"), 200).body == data


def test_exchange(arm):
    """Entra's token for one of the registry, and what the owner of the subscription may with it."""
    path = arm.registry()
    registry = arm.data_plane(path)
    registry.repository("app").image("v1")
    refresh = None
    for grant in ("access_token", "access_token_refresh_token"):
        said = expect(post_form(registry, "/oauth2/exchange", grant_type=grant, service="x", tenant=arm.first["tenantId"],
                                access_token=arm.token), 200).json()
        refresh = said["refresh_token"]
    boundary = secrets.token_hex(8)
    parts = {"grantType": "access_token", "service": "x", "accessToken": arm.token}
    body = "".join(f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n' for key, value in parts.items())
    expect(registry.request("POST", "/oauth2/exchange", f"{body}--{boundary}--\r\n".encode(),
                            {"Content-Type": f"multipart/form-data; boundary={boundary}"}, auth=False), 200)
    scope = f"repository:{registry.name}/app:pull,push"
    said = expect(post_form(registry, "/oauth2/token", grant_type="refresh_token", service="x", scope=scope,
                            refresh_token=refresh), 200).json()
    expect(registry.repository("app").manifest("v1", auth=f"Bearer {said['access_token']}"), 200)
    null = "00000000-0000-0000-0000-000000000000"
    for token in (refresh, said["access_token"]):
        expect(registry.repository("app").manifest("v1", auth=basic(null, token)), 200)
    first = arm.first
    expect(registry.repository("app").manifest("v1", auth=basic(first["clientId"], first["clientSecret"])), 200)
    refused(registry.repository("app").manifest("v1", auth=basic(first["clientId"], "wrong")), 401, "UNAUTHORIZED")
    refused(post_form(registry, "/oauth2/exchange", grant_type="access_token", service="x", access_token="nonsense"),
            401, "UNAUTHORIZED")


def test_arm_tokens_may_be_refused(sundog, arm):
    path = arm.registry()
    host = f"{path.rsplit('/', 1)[1]}.azurecr.localhost"
    named = web.by_name(sundog, name=host)
    ask = {"grant_type": "access_token", "service": host, "access_token": arm.token}
    refresh = expect(post_form(named, "/oauth2/exchange", **ask), 200).json()["refresh_token"]
    shown = basic("00000000-0000-0000-0000-000000000000", refresh)
    expect(named.get("/acr/v1/_catalog", auth=shown), 200)
    arm.patch(path, policies={"azureADAuthenticationAsArmPolicy": {"status": "disabled"}})
    refused(post_form(named, "/oauth2/exchange", **ask), 401, "UNAUTHORIZED")
    refused(named.get("/acr/v1/_catalog", auth=shown), 401, "UNAUTHORIZED")  # nor what was made of one before
    acr = arm.sign_in(arm.first["clientId"], arm.first["clientSecret"], f"https://localhost:{sundog.port('https')}/acr")
    expect(post_form(named, "/oauth2/exchange", **{**ask, "access_token": acr}), 200)


def test_deleted_with_its_content(arm):
    path = arm.registry(name="r" + secrets.token_hex(5))
    registry = arm.data_plane(path)
    repository = registry.repository("app")
    repository.image("v1")
    shown = basic(*registry.credentials)
    arm("DELETE", path)
    wait_until(lambda: repository.manifest("v1").status in (401, 404), "the registry is gone")
    again = arm.registry(name=path.rsplit("/", 1)[1])
    fresh = arm.data_plane(again)
    refused(fresh.get("/v2/", auth=shown), 401, "UNAUTHORIZED")
    refused(fresh.repository("app").manifest("v1"), 404, "NAME_UNKNOWN")
    assert fresh.get(f"/acr/v1/{fresh.name}/_catalog").json() == {"repositories": []}


def test_a_running_pull_ends_well(sundog, arm):
    """The registry is deleted while a client is in the middle of a blob: the client gets it whole."""
    path = arm.registry()
    registry = arm.data_plane(path)
    data = os.urandom(48 << 20)
    digest = registry.repository("app").blob(data)
    connection = http.client.HTTPConnection("127.0.0.1", sundog.port(), timeout=60)
    connection.request("GET", f"/v2/{registry.name}/app/blobs/{digest}", headers={"Authorization": basic(*registry.credentials)})
    answer = connection.getresponse()
    got = answer.read(1 << 20)
    arm("DELETE", path)
    wait_until(lambda: registry.get("/v2/").status == 401, "the registry is gone")
    got += answer.read()
    assert web.digest_of(got) == digest
    connection.close()


def test_usages(arm):
    path = arm.registry()
    arm.data_plane(path).repository().image("v1")
    said = {one["name"]: one for one in arm("GET", f"{path}/listUsages")["value"]}
    assert said["Size"]["currentValue"] > 0 and said["Webhooks"]["limit"] == 100, json.dumps(said)


def test_what_shared_layers_save(arm):
    path = arm.registry()
    registry = arm.data_plane(path)

    def shared():
        said = {one["name"]: one for one in arm("GET", f"{path}/listUsages")["value"]}["SharedLayers"]
        assert said["unit"] == "Bytes"
        return said["currentValue"], said["limit"]
    assert shared() == (0, 0)
    layer, config = b"l" * 5000 + os.urandom(8), b"{}" + b" " * 98
    manifest = json.dumps(web.image_manifest(config, [layer])).encode()
    for n, repository in enumerate(registry.repository(name) for name in ("one", "two", "three")):
        for blob in (layer, config):
            repository.blob(blob)
        web.expect(repository.put("v1", manifest), 201)
        assert shared() == (n * (len(layer) + len(config)), (n + 1) * (len(layer) + len(config)))
    web.expect(registry.repository("three").put("again", manifest), 201)  # one repository holds it once
    assert shared() == (2 * (len(layer) + len(config)), 3 * (len(layer) + len(config)))
