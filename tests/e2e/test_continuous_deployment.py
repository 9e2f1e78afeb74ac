"""A push that deploys: webhooks whose service URI is the path of a container group or of a Deployment."""

import json
import secrets

import pytest

from harness import web
from harness.azure import admin
from harness.clusters import Clusters
from harness.console import Browser
from harness.containers import Groups, push_shell
from harness.entra import Entra
from harness.machine import need
from harness.manager import CONTRIBUTOR, READER
from harness.manager import Arm as Manager
from harness.server import wait_until
from harness.web import expect

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: web, image: "sundog.azurecr.io/team/app:v1"}
      - {name: other, image: "sundog.azurecr.io/team/other:v1"}
"""


@pytest.fixture(scope="module")
def arm(sundog):
    return Manager(sundog)


@pytest.fixture(scope="module")
def registry(arm):
    """The path of the first registry."""
    found = arm.get(f"{arm.sub}/resources?$filter=resourceType eq 'Microsoft.ContainerRegistry/registries'")["value"]
    return found[0]["id"]


@pytest.fixture
def hook(arm, registry):
    """Makes webhooks, and answers what they did."""
    class Hook:
        def __call__(self, uri, scope="", who=arm, **more):
            self.path = f"{registry}/webhooks/deploy{secrets.token_hex(6)}"
            return who("PUT", self.path, {"location": "eastus", "properties": {
                "serviceUri": uri, "actions": ["push"], "scope": scope, **more}}, version="2023-07-01")

        def events(self, path=None):
            answer = expect(arm("POST", f"{path or self.path}/listEvents", version="2023-07-01"), 200).json()
            said = [event.get("eventResponseMessage", {}) for event in answer["value"]]
            return [(int(one.get("statusCode") or 0), one.get("content") or "") for one in said]

        def last(self, status, word):
            return wait_until(lambda: next((json.loads(said) for code, said in self.events() if code == status and word in said), None),
                              f"an event ends with {status} {word}; there are {self.events()}")
    return Hook()


def push(sundog, tag, word, repository="team/app"):
    """Another image by the same tag: it says another word."""
    return push_shell(web.by_path(sundog), repository, tag, Entrypoint=["/bin/busybox", "sh", "-c", f"echo {word}; sleep 9999"], Cmd=None)


def test_a_container_group(sundog, arm, hook):
    """A push of its tag restarts it with the new image; other tags and repositories leave it alone."""
    need("root", "crun", "mount")
    push(sundog, "v1", "first")
    groups = Groups(sundog)
    name = groups.create(container={"image": "sundog.azurecr.io/team/app:v1"}, restartPolicy="Always")
    groups.wait_logs(name, "first")
    expect(hook(groups.path(name), "team/*:*"), 201)
    push(sundog, "v2", "never")
    assert hook.last(200, "no container of it runs team/app:v2")["deployed"] == []
    push(sundog, "v1", "second")
    said = hook.last(200, '"tag":"v1"')
    assert said["containerGroup"] == name and said["deployed"] == ["main"] and said["digest"].startswith("sha256:")
    groups.wait_logs(name, "second")
    first = admin(sundog)
    browser = Browser(sundog)
    page = browser.sign_in(first["userName"], first["userPassword"], "/console" + hook.path)
    assert browser.get(page.links[name]).title == f"{name} · Sundog", page.links
    expect(arm("POST", groups.path(name, "/stop"), version="2023-05-01"), 204)
    push(sundog, "v1", "third")
    hook.last(200, "it is stopped")
    groups.delete_all()


def test_a_deployment_in_a_cluster(sundog, hook):
    """A push of a tag in scope rolls it to that tag and digest, and the rollout can be undone."""
    def says(word):  # kubectl chooses one of its pods, which may be one that has just gone
        return word in kubectl.run("logs", "deployment/web", "-c", "web", check=False).stdout

    need("root", "crun", "mount")
    push(sundog, "v1", "one")
    push(sundog, "v1", "else", "team/other")
    clusters = Clusters(sundog)
    cluster = clusters.create()
    kubectl = clusters.kubectl(cluster)
    kubectl.apply(DEPLOYMENT)
    kubectl("rollout", "status", "deployment/web", "--timeout=110s")
    expect(hook(f"{cluster['id']}/Namespaces/default/deployments/web", "team/app:*"), 201)
    push(sundog, "v2", "two")
    said = hook.last(200, '"tag":"v2"')
    assert said["deployment"] == "web" and said["deployed"] == ["web"]
    first = admin(sundog)
    browser = Browser(sundog)
    page = browser.sign_in(first["userName"], first["userPassword"], "/console" + hook.path)
    assert "web" in browser.get(page.links["web"]).title and page.links["web"].endswith("/deployments/default/web"), page.links
    kubectl("rollout", "status", "deployment/web", "--timeout=110s")
    images = {one["name"]: one["image"] for one in kubectl.json("deployment/web")["spec"]["template"]["spec"]["containers"]}
    assert images == {"web": f"sundog.azurecr.io/team/app:v2@{said['digest']}", "other": "sundog.azurecr.io/team/other:v1"}
    wait_until(lambda: says("two"), "the new image runs")
    assert "team/app:v2 was pushed" in kubectl("rollout", "history", "deployment/web")
    push(sundog, "v2", "three")  # the same tag again
    wait_until(lambda: len([1 for code, text in hook.events() if code == 200 and '"tag":"v2"' in text]) == 2, "it is rolled again")
    kubectl("rollout", "status", "deployment/web", "--timeout=110s")
    wait_until(lambda: says("three"), "the newest image runs")
    kubectl("rollout", "undo", "deployment/web")
    kubectl("rollout", "status", "deployment/web", "--timeout=110s")
    wait_until(lambda: says("two"), "the image before runs")
    clusters.remove(cluster)


def test_who_may(sundog, arm, registry, hook):
    """Who sets it must have the right there, and what is done is done with his rights of that moment."""
    need("root", "crun", "mount")
    push(sundog, "v1", "first")
    groups = Groups(sundog)
    name = groups.create(container={"image": "sundog.azurecr.io/team/app:v1"})
    entra = Entra(sundog)
    app = entra.application()
    theirs = Manager(sundog, app["appId"], entra.secret(app))

    def give(scope, role, key):
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{key}?api-version=2022-04-01"
        arm.put(path, {"properties": {"principalId": app["principal"]["id"],
                                      "roleDefinitionId": f"{arm.sub}/providers/Microsoft.Authorization/roleDefinitions/{role}"}})
        return path

    give(registry, CONTRIBUTOR, "0e9b52a4-3d30-4c54-9d1f-4b2c3d4e5f01")
    give(groups.path(name), READER, "0e9b52a4-3d30-4c54-9d1f-4b2c3d4e5f02")
    expect(hook(groups.path(name), "team/app:v1", theirs), 403)
    allowed = give(groups.path(name), CONTRIBUTOR, "0e9b52a4-3d30-4c54-9d1f-4b2c3d4e5f03")
    expect(hook(groups.path(name), "team/app:v1", theirs), 201)
    push(sundog, "v1", "second")
    hook.last(200, '"deployed":["main"]')
    expect(arm("DELETE", allowed), 200)
    push(sundog, "v1", "third")
    assert "AuthorizationFailed" in str(hook.last(403, "AuthorizationFailed"))
    entra.graph("DELETE", f"/servicePrincipals/{app['principal']['id']}", 204)
    push(sundog, "v1", "fourth")
    hook.last(403, "who set this webhook is no more")
    groups.delete_all()


@pytest.mark.parametrize("uri, status", [
    ("/subscriptions/x", 400),
    ("{sub}/resourceGroups/none/providers/Microsoft.ContainerInstance/containerGroups/none", 404),
    ("{sub}/resourceGroups/namespaces/providers/Microsoft.ContainerInstance/containerGroups/none", 404),
    ("{sub}/resourceGroups/none/providers/Microsoft.ContainerService/managedClusters/none", 400),
    ("{sub}/resourceGroups/none/providers/Microsoft.ContainerService/managedClusters/none/namespaces/a/deployments/b", 404),
    ("{sub}/resourceGroups/none/providers/Microsoft.ContainerService/managedClusters/none/namespaces/A_/deployments/b", 400),
    ("{sub}/resourceGroups/none/providers/Microsoft.ContainerService/managedClusters/none/namespaces/a/deployments/b/../../x", 400),
    ("{sub}/resourceGroups/none/providers/Microsoft.ContainerRegistry/registries/none", 400),
    ("file:///etc/passwd", 400),
])
def test_places_that_are_none(arm, hook, uri, status):
    expect(hook(uri.format(sub=arm.sub)), status)


def test_a_ping_deploys_nothing(sundog, arm, hook):
    """What a ping says of itself stands in the history like a push."""
    need("root", "crun", "mount")
    push(sundog, "v1", "first")
    groups = Groups(sundog)
    name = groups.create(container={"image": "sundog.azurecr.io/team/app:v1"})
    expect(hook(groups.path(name)), 201)
    expect(arm("POST", f"{hook.path}/ping", version="2023-07-01"), 200)
    hook.last(200, "nothing to deploy")
    groups.delete_all()
