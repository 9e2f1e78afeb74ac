"""Debian's az (2.45), from an empty configuration and with nothing but the lines of `sundog env`:
sign-in, groups, generic resources, and the whole walk through a registry."""

import http.server
import json
import re
import subprocess
import threading

import pytest

from harness import images
from harness.azure import Az, admin
from harness.clients import TIMEOUT_S, run
from harness.entra import Entra
from harness.machine import need
from harness.server import fresh_folder, wait_until
from test_sign_in import enter


@pytest.fixture(scope="module")
def az(sundog):
    need("az", "localhost-names")
    client = Az(sundog)
    client.login()
    return client


@pytest.fixture(scope="module")
def registry(az):
    """A Premium registry `acmereg` in the group rg1, with an image hello-world:v1 pushed by skopeo as the
    service principal that az signed in with."""
    az("group create -n rg1 -l eastus --tags a=b")
    made = az.json("acr create -g rg1 -n acmereg --sku Premium --admin-enabled true")
    assert made["provisioningState"] == "Succeeded"
    push(az, made["loginServer"], "hello-world:v1")
    return made


def push(az, login_server, image, user=None, password=None, check=True):
    need("skopeo")
    first = admin(az.server)
    layout = images.small_layout(f"{fresh_folder('l')}/layout")
    return run("skopeo", "copy", "--dest-creds", f"{user or first['clientId']}:{password or first['clientSecret']}",
               "--dest-tls-verify=false", f"oci:{layout.folder}:one", f"docker://{login_server}/{image}",
               check=check)


# sign-in, account, groups, providers, generic resources


def test_account(az):
    first = admin(az.server)
    accounts = az.json("account list --refresh")
    assert [(a["id"], a["state"], a["tenantId"]) for a in accounts] == [
        (first["subscriptionId"], "Enabled", first["tenantId"])]
    assert "eastus" in az("account list-locations -o table").out
    assert az.json("account show")["user"] == {"name": first["clientId"], "type": "servicePrincipal"}
    token = az.json("account get-access-token")
    assert token["subscription"] == first["subscriptionId"]
    assert az.json("rest --method get --url /subscriptions?api-version=2020-01-01")["value"][0]["state"] == "Enabled"


def test_wrong_secret(az):
    other = Az(az.server)
    first = admin(az.server)
    said = other("login", "--service-principal", "-u", first["clientId"], "-p", "wrong", "--tenant",
                 first["tenantId"], status=1)
    assert "AADSTS7000215" in said.err


def test_user_signs_in_by_password(az):
    first = admin(az.server)
    other = Az(az.server)
    accounts = other("login", "-u", first["userName"], "-p", first["userPassword"], "--tenant", first["tenantId"]).value
    assert accounts[0]["user"] == {"name": first["userName"], "type": "user"}
    assert other.json("group list") is not None


def test_groups(az):
    made = az.json("group create -n walk -l eastus --tags a=b")
    assert made["properties"]["provisioningState"] == "Succeeded" and made["tags"] == {"a": "b"}
    assert "walk" in [group["name"] for group in az.json("group list")]
    assert az.json("group show -n walk")["id"].endswith("/resourceGroups/walk")
    assert az.json("group exists -n walk") is True
    assert az.json("group exists -n nowhere") is False
    assert az.json("group update -n walk --tags c=d")["tags"] == {"c": "d"}
    assert "ResourceGroupNotFound" in az("group show -n nowhere", status=3).err
    az("group delete -n walk -y")
    assert az.json("group exists -n walk") is False


def test_providers_and_resources(az, registry):
    assert "Microsoft.ContainerRegistry" in [p["namespace"] for p in az.json("provider list")]
    assert az.json("provider show -n Microsoft.ContainerRegistry")["registrationState"] == "Registered"
    az("provider register -n Microsoft.ContainerInstance --wait")
    assert registry["id"] in [resource["id"] for resource in az.json("resource list")]
    assert [r["name"] for r in az.json("resource list --resource-type Microsoft.ContainerRegistry/registries -g rg1")
            ].count("acmereg") == 1
    shown = az.json("resource show -g rg1 -n acmereg --resource-type Microsoft.ContainerRegistry/registries")
    assert shown["properties"]["loginServer"] == registry["loginServer"]
    tagged = az.json("resource", "tag", "--tags", "team=a", "--ids", registry["id"])
    assert tagged["tags"] == {"team": "a"}


def test_locks(az):
    az("group create -n locked -l eastus")
    az("lock create -n keep --lock-type CanNotDelete -g locked")
    assert [lock["level"] for lock in az.json("lock list -g locked")] == ["CanNotDelete"]
    assert "ScopeLocked" in az("group delete -n locked -y", status=1).err
    az("lock delete -n keep -g locked")
    az("group delete -n locked -y")


# registries


def test_registry_life(az, registry):
    taken = az.json("acr check-name -n acmereg")
    assert taken["nameAvailable"] is False and taken["reason"] == "AlreadyExists"
    assert az.json("acr check-name -n freeregname")["nameAvailable"] is True
    assert az.json("acr show -n acmereg")["sku"]["name"] == "Premium"
    assert az.json("acr show -n acmereg -g rg1")["id"] == registry["id"]
    assert "acmereg" in [r["name"] for r in az.json("acr list")]
    assert "acmereg" in az("acr list -g rg1 -o table").out
    updated = az.json("acr update -n acmereg --tags k=v --anonymous-pull-enabled true")
    assert updated["tags"] == {"k": "v"} and updated["anonymousPullEnabled"] is True
    assert az.json("acr update -n acmereg --anonymous-pull-enabled false")["anonymousPullEnabled"] is False
    assert {u["name"] for u in az.json("acr show-usage -n acmereg")["value"]} >= {"Size", "Webhooks"}


def test_basic_refuses_what_is_premium(az, registry):
    az("acr create -g rg1 -n basicreg --sku Basic")
    said = az("acr update -n basicreg --anonymous-pull-enabled true", status=1)
    assert "SKU" in said.err.upper()
    az("acr delete -n basicreg -y")
    az("acr show -n basicreg -g rg1", status=3)


def test_admin_credentials(az, registry):
    before = az.json("acr credential show -n acmereg")
    assert before["username"] == "acmereg"
    after = az.json("acr credential renew -n acmereg --password-name password")
    old = {p["name"]: p["value"] for p in before["passwords"]}
    new = {p["name"]: p["value"] for p in after["passwords"]}
    assert old["password"] != new["password"] and old["password2"] == new["password2"]
    assert push(az, registry["loginServer"], "by-admin:1", "acmereg", old["password"], check=False).returncode != 0
    push(az, registry["loginServer"], "by-admin:1", "acmereg", new["password"])


def test_acr_login(az, registry):
    token = az.json("acr login -n acmereg --expose-token")
    assert token["loginServer"] == registry["loginServer"] and token["accessToken"].count(".") == 2
    run("skopeo", "inspect", "--tls-verify=false", "--creds",
        f"00000000-0000-0000-0000-000000000000:{token['accessToken']}", f"docker://{registry['loginServer']}/hello-world:v1")
    az("acr login -n acmereg")
    with open(f"{az.env['DOCKER_CONFIG']}/config.json") as file:
        assert registry["loginServer"] in json.load(file)["auths"]
    password = az.json("acr credential show -n acmereg")["passwords"][0]["value"]
    az("acr", "login", "-n", "acmereg", "-u", "acmereg", "-p", password)


def test_repositories(az, registry):
    push(az, registry["loginServer"], "repo:v1")
    push(az, registry["loginServer"], "repo:v2")
    assert "repo" in az.json("acr repository list -n acmereg")
    assert az.json("acr repository show -n acmereg --repository repo")["tagCount"] == 2
    assert az.json("acr repository show -n acmereg --image repo:v1")["name"] == "v1"
    tags = az.json("acr repository show-tags -n acmereg --repository repo --detail --orderby time_desc --top 5")
    assert [tag["name"] for tag in tags] == ["v2", "v1"]
    manifests = az.json("acr repository show-manifests -n acmereg --repository repo --detail")
    assert manifests[0]["digest"].startswith("sha256:")
    az("acr repository update -n acmereg --image repo:v1 --write-enabled false")
    assert "repo:v1" not in az("acr repository untag -n acmereg --image repo:v1", status=1).out
    az("acr repository update -n acmereg --image repo:v1 --write-enabled true")
    az("acr repository untag -n acmereg --image repo:v1")
    assert az.json("acr repository show-tags -n acmereg --repository repo") == ["v2"]
    az("acr repository delete -n acmereg --image repo:v2 -y")
    az("acr repository delete -n acmereg --repository repo -y", status=None)
    assert "repo" not in az.json("acr repository list -n acmereg")


def test_manifests(az, registry):
    push(az, registry["loginServer"], "man:v1")
    listed = az.json("acr manifest list-metadata -r acmereg -n man")
    assert listed[0]["tags"] == ["v1"]
    assert az.json("acr manifest show -r acmereg -n man:v1")["schemaVersion"] == 2
    assert az.json("acr manifest show-metadata -r acmereg -n man:v1")["digest"] == listed[0]["digest"]
    assert az.json("acr manifest list-referrers -r acmereg -n man:v1")["manifests"] == []
    az("acr manifest delete -r acmereg -n man:v1 -y")
    az("acr manifest show -r acmereg -n man:v1", status=None)


def test_import_from_our_own(az, registry):
    az("acr create -g rg1 -n otherreg --sku Basic")
    az("acr", "import", "-n", "otherreg", "--source", "hello-world:v1", "--registry", registry["id"], "--image", "h:v2")
    assert az.json("acr repository show-tags -n otherreg --repository h") == ["v2"]
    said = az("acr", "import", "-n", "otherreg", "--source", "hello-world:v1", "--registry", registry["id"], "--image",
              "h:v2", status=1)
    assert "h:v2" in said.err
    az("acr", "import", "-n", "otherreg", "--source", "hello-world:v1", "--registry", registry["id"], "--image", "h:v2",
       "--force")
    az("acr delete -n otherreg -y")


def test_scope_maps_and_tokens(az, registry):
    made = az.json("acr scope-map create -n smap1 -r acmereg --repository hello-world content/read metadata/read "
                   "--description d")
    assert sorted(made["actions"]) == ["repositories/hello-world/content/read", "repositories/hello-world/metadata/read"]
    assert {m["name"] for m in az.json("acr scope-map list -r acmereg")} >= {"smap1", "_repositories_pull"}
    assert az.json("acr scope-map show -r acmereg -n smap1")["description"] == "d"
    token = az.json("acr token create -n tok01 -r acmereg --scope-map smap1")
    passwords = {p["name"]: p["value"] for p in token["credentials"]["passwords"]}
    assert set(passwords) == {"password1", "password2"}
    server = registry["loginServer"]

    def may_push():
        return push(az, server, "hello-world:by-token", "tok01", passwords["password1"], check=False).returncode == 0

    run("skopeo", "inspect", "--tls-verify=false", "--creds", f"tok01:{passwords['password2']}",
        f"docker://{server}/hello-world:v1")
    assert not may_push()
    az("acr scope-map update -r acmereg -n smap1 --add-repository hello-world content/write")
    assert may_push()  # a change of the map holds at once
    az("acr token update -r acmereg -n tok01 --status disabled")
    assert not may_push()
    az("acr token create -n tok02 -r acmereg --repository hello-world content/read")
    assert {t["name"] for t in az.json("acr token list -r acmereg")} >= {"tok01", "tok02"}
    assert az.json("acr token show -r acmereg -n tok01")["status"] == "disabled"
    new = az.json("acr token credential generate -r acmereg -n tok02 --password1 --expiration-in-days 30")
    assert new["passwords"][0]["expiry"]
    az("acr token credential delete -r acmereg -n tok02 --password1")
    shown = az.json("acr token show -r acmereg -n tok02")["credentials"]["passwords"]
    assert "password1" not in [p["name"] for p in shown]
    az("acr token delete -r acmereg -n tok01 -y")
    az("acr token delete -r acmereg -n tok02 -y")
    az("acr scope-map delete -r acmereg -n smap1 -y")


class Receiver:
    """Takes webhooks."""

    def __init__(self):
        got = self.got = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def test_webhooks(az, registry):
    receiver = Receiver()
    az("acr", "webhook", "create", "-n", "hook1", "-r", "acmereg", "--uri", receiver.url, "--actions", "push", "delete",
       "--scope", "hello-world:*", "--headers", "Authorization=Bearer secret-of-the-hook")
    assert [hook["name"] for hook in az.json("acr webhook list -r acmereg")] == ["hook1"]
    assert "secret-of-the-hook" not in az("acr webhook show -r acmereg -n hook1").out
    assert az.json("acr webhook get-config -r acmereg -n hook1")["serviceUri"] == receiver.url
    az("acr webhook ping -r acmereg -n hook1")
    push(az, registry["loginServer"], "hello-world:hooked")
    wait_until(lambda: {"ping", "push"} <= {event["action"] for event in receiver.got}, "ping and push arrive")
    event = next(event for event in receiver.got if event["action"] == "push")
    assert event["target"]["repository"] == "hello-world" and event["target"]["tag"] == "hooked"
    events = az("acr webhook list-events -r acmereg -n hook1")
    assert "secret-of-the-hook" not in events.out and "******" in events.out
    assert az.json("acr webhook update -r acmereg -n hook1 --status disabled")["status"] == "disabled"
    az("acr webhook delete -r acmereg -n hook1")
    receiver.server.shutdown()


def test_settings(az, registry):
    policy = az.json("acr config retention update -r acmereg --status enabled --days 3 --type UntaggedManifests")
    assert (policy["days"], policy["status"]) == (3, "enabled")
    assert az.json("acr config content-trust show -r acmereg")["status"] == "disabled"
    assert az.json("acr network-rule list -n acmereg")["ipRules"] == []
    # what is read can be put back and changes nothing
    url = f"{registry['id']}?api-version=2023-07-01"
    before = az.json("rest", "--method", "get", "--url", url)
    az("rest", "--method", "put", "--url", url, "--body", json.dumps(before))
    after = az.json("rest", "--method", "get", "--url", url)
    for side in (before, after):
        side.pop("systemData", None)
        side.pop("etag", None)
    assert before == after


@pytest.mark.parametrize("line", [
    "acr replication list -r acmereg",
    "acr task list -r acmereg",
    "acr run -r acmereg --cmd $Registry/hello:v1 /dev/null",
])
def test_what_is_not_built_says_so(az, registry, line):
    said = az(line, status=1)
    assert "not supported" in said.err.lower(), said


# rights


def rest(az, method, url, body=None, status=0):
    extra = ["--body", json.dumps(body)] if body is not None else []
    return az("rest", "--method", method, "--url", url, *extra, status=status)


def test_a_push_needs_acrpush(az, registry):
    """A service principal made by az; its role by `az rest`, since az 2.45's own command is broken."""
    made = az.json("ad sp create-for-rbac -n pusher")
    user, password = made["appId"], made["password"]
    object_id = az.json(f"ad sp show --id {user}")["id"]
    server = registry["loginServer"]
    said = push(az, server, "team/app:1", user, password, check=False)
    assert said.returncode != 0 and "access to the resource is denied" in said.stderr
    acr_push = "8311e382-0749-4cb8-b61a-304f252e45ec"
    subscription = registry["id"].split("/")[2]
    assignment = f"{registry['id']}/providers/Microsoft.Authorization/roleAssignments/{acr_push}?api-version=2022-04-01"
    rest(az, "put", assignment, {"properties": {
        "roleDefinitionId": f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{acr_push}",
        "principalId": object_id, "principalType": "ServicePrincipal"}})
    push(az, server, "team/app:1", user, password)
    # it may push, and nothing else
    other = Az(az.server)
    other("login", "--service-principal", "-u", user, "-p", password, "--tenant", made["tenant"], "--allow-no-subscriptions")
    denied = rest(other, "delete", f"{registry['id']}?api-version=2023-07-01", status=1)
    assert "AuthorizationFailed" in denied.err and object_id in denied.err
    assert "Microsoft.ContainerRegistry/registries/delete" in denied.err
    rest(az, "delete", assignment)
    assert push(az, server, "team/app:2", user, password, check=False).returncode != 0
    az(f"ad sp delete --id {user}")


def test_the_directory(az):
    app = az.json("ad app create --display-name tool")
    assert az.json(f"ad app show --id {app['appId']}")["displayName"] == "tool"
    assert app["appId"] in [a["appId"] for a in az.json("ad app list --display-name tool")]
    principal = az.json(f"ad sp create --id {app['appId']}")
    assert principal["appId"] == app["appId"]
    secret = az.json(f"ad app credential reset --id {app['appId']}")["password"]
    other = Az(az.server)
    other("login", "--service-principal", "-u", app["appId"], "-p", secret, "--tenant", admin(az.server)["tenantId"],
          "--allow-no-subscriptions")
    user = az.json("ad user create --display-name Ada --password Secret-pass-1 --user-principal-name ada@sundog.localhost")
    group = az.json("ad group create --display-name devs --mail-nickname devs")
    az(f"ad group member add -g devs --member-id {user['id']}")
    assert [m["id"] for m in az.json("ad group member list -g devs")] == [user["id"]]
    assert az.json(f"ad group member check -g devs --member-id {user['id']}")["value"] is True
    az(f"ad group delete -g {group['id']}")
    az(f"ad user delete --id {user['id']}")
    az(f"ad app delete --id {app['appId']}")
    gone = other("rest --method get --url /subscriptions?api-version=2020-01-01", status=None)
    assert gone.status != 0, "a deleted application's token still works"


def test_group_deletion_takes_its_registry(az):
    az("group create -n doomed -l eastus")
    made = az.json("acr create -g doomed -n doomedreg --sku Basic")
    push(az, made["loginServer"], "app:1")
    az("group delete -n doomed -y")
    az("acr show -n doomedreg -g doomed", status=3)
    assert az.json("acr check-name -n doomedreg")["nameAvailable"] is True


def test_device_code(az):
    """What az prints, typed into the page by somebody with a browser."""
    other, first, entra = Az(az.server), admin(az.server), Entra(az.server)
    process = subprocess.Popen(["/usr/bin/az", "login", "--use-device-code", "--tenant", first["tenantId"]], text=True,
                               env=other.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    try:
        words = process.stderr.readline()
        assert f"{entra.base}/devicelogin" in words, words
        code = re.search(r"enter the code (\S+) to authenticate", words)[1]
        enter(entra, {"user_code": code}, username=first["userName"], password=first["userPassword"])
        out, err = process.communicate(timeout=TIMEOUT_S)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert json.loads(out)[0]["user"] == {"name": first["userName"], "type": "user"}
