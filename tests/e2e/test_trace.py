"""`sundog trace`: what clients ask, who they are, what they needed, and a command that does mend it."""

import json
import os
import re
import signal
import subprocess
import threading
import types

import pytest

from harness import web
from harness.azure import Az
from harness.clients import run
from harness.clusters import Clusters
from harness.entra import Entra
from harness.machine import need
from harness.manager import Arm
from harness.server import program, wait_until
from harness.web import expect, refused


class Trace:
    """The command as it runs, and its lines."""

    def __init__(self, server, *words):
        self.process = subprocess.Popen([program(), "trace", "--data", server.data, *words], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.lines = []
        threading.Thread(target=lambda: self.lines.extend(iter(self.process.stdout.readline, "")), daemon=True).start()

    def __enter__(self):
        assert "until ^C" in self.process.stderr.readline()
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(120)

    def listens(self, ask):
        """Until a call of ours comes through: it is connected only a moment after it said so."""
        wait_until(lambda: ask() is not None and self.lines, "the trace tells")
        return self


class Told(Trace):
    """With --format json: calls as objects."""

    def __init__(self, server, *words):
        super().__init__(server, "--format", "json", *words)

    def of(self, **wanted):
        """The first call that is like this, once it is told."""
        def found():
            calls = [json.loads(line) for line in list(self.lines)]
            return next((call for call in calls if all(re.search(str(value), str(call.get(name, ""))) for name, value in wanted.items())), None)
        return wait_until(found, f"a call like {wanted} is told")


@pytest.fixture(scope="module")
def arm(sundog):
    return Arm(sundog)


@pytest.fixture
def told(sundog, arm):
    with Told(sundog) as trace:
        yield trace.listens(lambda: arm.get("/tenants"))


def stranger(sundog):
    """A service principal without rights: its ids and its secret."""
    entra = Entra(sundog)
    app = entra.application()
    return types.SimpleNamespace(app_id=app["appId"], object_id=app["principal"]["id"], secret=entra.secret(app))


def test_what_is_told(sundog, arm, told):
    """Who, what right, on what, how it ended and how long it took; nothing of secrets."""
    arm.group("traced")
    call = told.of(method="PUT", path="resourceGroups/traced")
    assert call["principal"]["name"] == "sundog-admin" and call["status"] == 201 and call["us"] > 0
    assert call["right"] == "Microsoft.Resources/subscriptions/resourceGroups/write"
    assert call["scope"].endswith("/resourceGroups/traced") and "mend" not in call
    registry = web.by_path(sundog)
    expect(registry.get("/v2/sundog/hello/tags/list"), 200)
    call = told.of(path="/tags/list", service="registry")
    assert call["principal"]["name"] == "sundog" and call["scope"] == "sundog/hello"
    expect(registry.get("/oauth2/token?scope=x&refresh_token=very-secret", auth=False), 200, 400, 401)
    assert "very-secret" not in json.dumps(told.of(path="/oauth2/token.*refresh_token"))
    for text in (sundog.admin["clientSecret"], sundog.credentials[1]):
        assert text not in "".join(told.lines)


def test_a_missing_role(sundog, arm, told):
    """The role that is named has that right, and is the narrowest."""
    principal = stranger(sundog)
    theirs = Arm(sundog, principal.app_id, principal.secret)
    refused_answer = theirs("PUT", f"{arm.sub}/resourceGroups/forbidden", {"location": "eastus"})
    expect(refused_answer, 403)
    call = told.of(status=403, path="resourceGroups/forbidden")
    assert call["principal"]["id"] == principal.object_id and "does not have authorization" in call["reason"]
    found = re.fullmatch(rf'az role assignment create --assignee {principal.object_id} --role "(.+)" --scope (\S+)', call["mend"])
    assert found and found[2] == call["scope"], call["mend"]
    role = next(one for one in arm.get(f"{arm.sub}/providers/Microsoft.Authorization/roleDefinitions?$filter=roleName eq '{found[1]}'",
                                       version="2022-04-01")["value"])
    arm.put(f"{arm.sub}/providers/Microsoft.Authorization/roleAssignments/1d0e2a4c-9b4e-4f0f-8c43-7a5b0b2f4c11?api-version=2022-04-01",
            {"properties": {"principalId": principal.object_id, "roleDefinitionId": role["id"]}})
    expect(theirs("PUT", f"{arm.sub}/resourceGroups/forbidden", {"location": "eastus"}), 201)


def test_a_missing_role_on_a_registry(sundog, told):
    """Docker asks for pull and push at once: the role named has both."""
    principal = stranger(sundog)
    theirs = web.Registry(sundog.plain, "sundog/", (principal.app_id, principal.secret), web.Http1())
    expect(theirs.get("/oauth2/token?service=x&scope=repository:sundog/team/app:pull,push"), 200)
    call = told.of(path="/oauth2/token.*team%2Fapp|/oauth2/token.*team/app", mend="az role")
    assert call["principal"]["id"] == principal.object_id
    assert f'--assignee {principal.object_id} --role "AcrPush" --scope /subscriptions/' in call["mend"]
    refused(theirs.get("/v2/sundog/hello/manifests/latest"), 401, "UNAUTHORIZED")
    assert '--role "AcrPull"' in told.of(path="hello/manifests", status=401, mend="az")["mend"]


def test_a_lock_and_a_token_are_mended_as_told(sundog, arm, told):
    """The command printed is run as it stands."""
    need("az")
    az = Az(sundog)
    az.login()
    arm.group("locked")
    lock = f"{arm.sub}/resourceGroups/locked/providers/Microsoft.Authorization/locks/keep"
    arm.put(f"{lock}?api-version=2020-05-01", {"properties": {"level": "CanNotDelete"}})
    expect(arm("DELETE", f"{arm.sub}/resourceGroups/locked"), 409)
    shell(az, told.of(method="DELETE", path="resourceGroups/locked", status=409)["mend"])
    expect(arm("DELETE", f"{arm.sub}/resourceGroups/locked"), 202)

    az("acr token create -r sundog -n robot --repository team/one content/read --no-passwords true")
    password = az.json("acr token credential generate -r sundog -n robot --password1")["passwords"][0]["value"]
    robot = web.Registry(sundog.plain, "sundog/", ("sundog/robot", password), web.Http1())
    expect(robot.request("POST", "/v2/sundog/team/two/blobs/uploads/", b""), 401)
    shell(az, told.of(method="POST", path="team/two", status=401)["mend"])
    expect(robot.request("POST", "/v2/sundog/team/two/blobs/uploads/", b""), 202)


def shell(az, command):
    run("bash", "-euc", command, env=az.env)


def test_a_right_in_kubernetes(sundog, told):
    """The same for RBAC: the role and its binding, as kubectl makes them, with names that a shell would mistake."""
    clusters = Clusters(sundog)
    cluster = clusters.create()
    kubectl = clusters.kubectl(cluster)
    user = "jane o'hara $(touch x)"
    for words, what in (("get pods -n default", "list pods"), ("get nodes", "list nodes"), ("get --raw /metrics", "get /metrics")):
        asked = [*words.split(), f"--as={user}"]
        assert kubectl.run(*asked, check=False).returncode != 0
        call = told.of(status=403, right=what)
        assert call["principal"]["name"] == user
        done = subprocess.run(["bash", "-euc", call["mend"].replace("kubectl ", kubectl.program + " ")], env=kubectl.env(),
                              capture_output=True, text=True, check=False, cwd=kubectl.folder)
        assert done.returncode == 0, (call["mend"], done.stderr)
        assert not os.path.exists(f"{kubectl.folder}/x")
        if "raw" not in words:
            kubectl.run(*asked)
    clusters.remove(cluster)


def test_for_people(sundog, arm):
    """--refused shows nothing that went well; control characters of a client do not reach the terminal."""
    with Trace(sundog, "--refused") as trace:
        trace.listens(lambda: web.by_path(sundog).get("/v2/", auth=False))
        arm.get("/tenants")
        expect(arm("GET", f"{arm.sub}/resourceGroups/no%1b[31msuch"), 400, 404)
        said = wait_until(lambda: "resourceGroups" in "".join(trace.lines) and "".join(trace.lines), "it is told")
        assert "/tenants" not in said and "\x1b" not in said and "refused" in said


def test_nowhere_to_print(sundog, arm):
    """It ends, and says why."""
    with open("/dev/full", "w") as full:
        process = subprocess.Popen([program(), "trace", "--data", sundog.data], stdout=full, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: arm.get("/tenants") and process.poll() is not None, "it has ended")
    said = process.communicate()[1]
    assert process.returncode == 1 and "cannot write" in said and "null" not in said


def test_only_for_who_may(sundog, arm):
    """Nobody else listens; a listener that leaves is forgotten, and there is a limit."""
    principal = stranger(sundog)
    path = "/providers/Sundog.Diagnostics/trace"
    expect(Arm(sundog, principal.app_id, principal.secret)("GET", path, version=None), 403)
    expect(arm("GET", path, version=None, token=""), 401)
