"""Deployments of ARM templates by Debian's az, as people and pipelines run them."""

import contextlib
import json
import re
import textwrap
import uuid

import pytest

from harness import web
from harness.azure import Az
from harness.console import Browser
from harness.containers import push_shell, wait_nothing_left
from harness.entra import Entra
from harness.hold import no_registry
from harness.keys import psql
from harness.machine import need
from harness.manager import VERSION, Arm, refused
from harness.server import Sundog, wait_until
from test_secrets import dump

SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
SUB_SCHEMA = "https://schema.management.azure.com/schemas/2018-05-01/subscriptionDeploymentTemplate.json#"
REGISTRY = "Microsoft.ContainerRegistry/registries"


@pytest.fixture(scope="module")
def az(sundog):
    need("az", "localhost-names")
    client = Az(sundog)
    client.login()
    client("group create -n rg -l eastus")
    return client


@pytest.fixture(scope="module")
def arm(sundog):
    arm = Arm(sundog)
    arm.group("rg")
    return arm


def template(*resources, schema=SCHEMA, **more):
    return {"$schema": schema, "contentVersion": "1.0.0.0", "resources": list(resources), **more}


def registry(name, **more):
    return {"type": REGISTRY, "apiVersion": "2023-07-01", "name": name, "location": "[resourceGroup().location]",
            "sku": {"name": "Basic"}, "properties": {}, **more}


class Files:
    def __init__(self, folder):
        self.folder = folder
        self.n = 0

    def __call__(self, content):
        self.n += 1
        path = f"{self.folder}/t{self.n}.json"
        with open(path, "w") as file:
            file.write(content if isinstance(content, str) else json.dumps(content))
        return path


@pytest.fixture(scope="module")
def files(az):
    return Files(az.folder)


def test_the_walk(az, files):
    """A template as a person writes it: comments, texts over lines, parameters of the command line and of a file."""
    path = files(textwrap.dedent("""\
        {
          // a registry of our own
          "$schema": "%s",
          "contentVersion": "1.0.0.0",
          "parameters": {
            "name": { "type": "string", "minLength": 5, "metadata": { "description": "over
                       two lines" } },
            "sku": { "type": "string", "defaultValue": "Basic", "allowedValues": [ "Basic", "Premium" ] },
            "count": { "type": "int", "defaultValue": 2 }
          },
          "variables": { "hooks": { "copy": [ { "name": "names", "count": "[parameters('count')]",
                                                "input": "[format('hook{0}', copyIndex('names'))]" } ] } },
          "resources": [ /* dependents wait, whatever the order */
            { "type": "Microsoft.ContainerRegistry/registries/webhooks", "apiVersion": "2023-07-01",
              "name": "[concat(parameters('name'), '/', variables('hooks').names[copyIndex()])]",
              "location": "[resourceGroup().location]",
              "copy": { "name": "hooks", "count": "[parameters('count')]" },
              "dependsOn": [ "[resourceId('Microsoft.ContainerRegistry/registries', parameters('name'))]" ],
              "properties": { "serviceUri": "http://127.0.0.1:9/", "actions": [ "push" ] } },
            { "type": "Microsoft.ContainerRegistry/registries", "apiVersion": "2023-07-01", "name": "[parameters('name')]",
              "location": "[resourceGroup().location]", "sku": { "name": "[parameters('sku')]" },
              "tags": { "by": "[deployment().name]" }, "properties": { "adminUserEnabled": true } }
          ],
          "outputs": {
            "server": { "type": "string", "value": "[reference(parameters('name')).loginServer]" },
            "user": { "type": "string", "value": "[listCredentials(resourceId('Microsoft.ContainerRegistry/registries', parameters('name')), '2023-07-01').username]" },
            "ids": { "type": "array", "copy": { "count": "[parameters('count')]",
                     "input": "[resourceId('Microsoft.ContainerRegistry/registries/webhooks', parameters('name'), variables('hooks').names[copyIndex()])]" } },
            "place": { "type": "object", "value": "[resourceGroup()]" }
          }
        }
        """) % SCHEMA)
    made = az.json("deployment", "group", "create", "-g", "rg", "-n", "walk", "--template-file", path, "-p", "name=walkreg", "sku=Premium")
    properties = made["properties"]
    assert properties["provisioningState"] == "Succeeded" and properties["mode"] == "Incremental"
    assert properties["outputs"]["server"]["value"].startswith("walkreg.azurecr.localhost")
    assert properties["outputs"]["user"] == {"type": "String", "value": "walkreg"}
    assert [i.rsplit("/", 1)[1] for i in properties["outputs"]["ids"]["value"]] == ["hook0", "hook1"]
    assert properties["outputs"]["place"]["value"]["location"] == "eastus"
    assert properties["parameters"]["name"] == {"type": "String", "value": "walkreg"}
    assert sorted(r["id"].rsplit("/", 1)[1] for r in properties["outputResources"]) == ["hook0", "hook1", "walkreg"]
    assert re.match(r"PT[\d.]+S", properties["duration"])
    assert az.json("acr show -n walkreg")["tags"] == {"by": "walk"}
    assert {h["name"] for h in az.json("acr webhook list -r walkreg")} == {"hook0", "hook1"}
    # read again
    assert az.json("deployment group show -g rg -n walk")["properties"]["outputs"] == properties["outputs"]
    assert "walk" in [d["name"] for d in az.json("deployment group list -g rg")]
    assert az.json("deployment", "group", "list", "-g", "rg", "--filter", "provisioningState eq 'Failed'") == []
    operations = az.json("deployment operation group list -g rg -n walk")
    assert {o["properties"]["targetResource"]["resourceName"] for o in operations} == {
        "walkreg", "walkreg/hook0", "walkreg/hook1"}
    assert {o["properties"]["provisioningState"] for o in operations} == {"Succeeded"}
    one = operations[0]["operationId"]
    assert az.json("deployment", "operation", "group", "show", "-g", "rg", "-n", "walk", "--operation-ids", one)[0]["operationId"] == one
    exported = az.json("deployment group export -g rg -n walk")
    assert exported["parameters"]["sku"]["allowedValues"] == ["Basic", "Premium"]
    # once more: nothing changes; then it is forgotten, and what it made stays
    az("deployment", "group", "create", "-g", "rg", "-n", "walk", "--template-file", path, "-p", "name=walkreg", "sku=Premium")
    az("deployment group delete -g rg -n walk")
    az("deployment group show -g rg -n walk", status=3)
    assert az.json("acr show -n walkreg")["name"] == "walkreg"


def test_a_bad_template_is_told(az, files):
    said = az("deployment", "group", "create", "-g", "rg", "-n", "bad", "--template-file",
              files(template(registry("[parameters('nothing')]"))), status=1)
    assert "InvalidTemplate" in said.err and "'nothing' is not found" in said.err
    said = az("deployment", "group", "validate", "-g", "rg", "--template-file",
              files(template(registry("[concat('a'") | {"name": "[concat('a']"})), status=1)
    assert "InvalidTemplate" in said.err and "')' is missing" in said.err
    circle = template(registry("circlea1", dependsOn=["circleb1"]), registry("circleb1", dependsOn=["circlea1"]))
    assert "Circular dependency" in az("deployment", "group", "validate", "-g", "rg", "--template-file", files(circle), status=1).err
    needs = template(parameters={"count": {"type": "int", "maxValue": 3}})
    said = az("deployment", "group", "validate", "-g", "rg", "--template-file", files(needs), "-p", "count=4", status=1)
    assert "maxValue" in said.err
    unknown = template({"type": "Microsoft.Nothing/things", "apiVersion": "2020-01-01", "name": "x"})
    assert "InvalidResourceNamespace" in az("deployment", "group", "validate", "-g", "rg", "--template-file", files(unknown), status=1).err
    good = az.json("deployment", "group", "validate", "-g", "rg", "-n", "v", "--template-file", files(template(registry("validreg1"))))
    assert good["properties"]["validatedResources"][0]["id"].endswith("/registries/validreg1")
    assert good["error"] is None
    az("deployment group show -g rg -n bad", status=3)


def test_a_failing_resource(az, files):
    """What fails is told with its reason, what depends on it is not begun, and what does not is made."""
    path = files(template(registry("no"), registry("afterno1", dependsOn=["no"]), registry("besideno1")))
    said = az("deployment", "group", "create", "-g", "rg", "-n", "failing", "--template-file", path, status=1)
    assert "DeploymentFailed" in said.err and "aka.ms/arm-deployment-operations" in said.err
    shown = az.json("deployment group show -g rg -n failing")["properties"]
    assert shown["provisioningState"] == "Failed" and shown["error"]["code"] == "DeploymentFailed"
    detail = shown["error"]["details"][0]
    assert detail["target"].endswith("/registries/no") and detail["message"]
    states = {o["properties"]["targetResource"]["resourceName"]: o["properties"]
              for o in az.json("deployment operation group list -g rg -n failing")}
    assert states["no"]["provisioningState"] == "Failed" and states["no"]["statusMessage"]["error"]["code"] == detail["code"]
    assert states["no"]["statusCode"] == "BadRequest"
    assert states["besideno1"]["provisioningState"] == "Succeeded"
    assert states["afterno1"]["provisioningState"] == "Canceled"
    az("acr show -g rg -n afterno1", status=3)
    assert [d["name"] for d in az.json("deployment", "group", "list", "-g", "rg", "--filter", "provisioningState eq 'failed'")] == ["failing"]


def test_what_if(az, files):
    az("acr create -g rg -n whatifreg --sku Basic")
    path = files(template(registry("whatifreg") | {"sku": {"name": "Premium"}}, registry("whatifnew")))
    said = az("deployment", "group", "what-if", "-g", "rg", "--template-file", path).out
    assert "~ Microsoft.ContainerRegistry/registries/whatifreg" in said and '"Basic" => "Premium"' in said, said
    assert "+ Microsoft.ContainerRegistry/registries/whatifnew" in said
    result = az.json("deployment", "group", "what-if", "-g", "rg", "--template-file", path, "--no-pretty-print")
    changes = {c["resourceId"].rsplit("/", 1)[1]: c for c in result["changes"]}
    assert changes["whatifreg"]["delta"] == [{"path": "sku.name", "propertyChangeType": "Modify", "before": "Basic",
                                              "after": "Premium", "children": None}]
    az("acr show -g rg -n whatifnew", status=3)


def test_subscription_scope(az, files):
    """A group, and within it what an inner deployment makes, evaluated there or here."""
    inner = template(registry("[parameters('reg')]"), parameters={"reg": {"type": "string"}},
                     outputs={"id": {"type": "string", "value": "[resourceId('%s', parameters('reg'))]" % REGISTRY}})
    outer = template({"copy": {"name": "some", "count": 2}, "type": REGISTRY, "apiVersion": "2023-07-01",
                      "name": "[concat(variables('start'), copyIndex())]", "location": "eastus", "sku": {"name": "Basic"},
                      "properties": {}})
    whole = template(
        {"type": "Microsoft.Resources/resourceGroups", "apiVersion": "2021-04-01", "name": "[parameters('group')]",
         "location": "[deployment().location]", "tags": {"made": "by-template"}},
        {"type": "Microsoft.Resources/deployments", "apiVersion": "2021-04-01", "name": "within",
         "resourceGroup": "[parameters('group')]",
         "dependsOn": ["[subscriptionResourceId('Microsoft.Resources/resourceGroups', parameters('group'))]"],
         "properties": {"mode": "Incremental", "expressionEvaluationOptions": {"scope": "inner"},
                        "parameters": {"reg": {"value": "[concat(variables('start'), 'inner')]"}}, "template": inner}},
        {"type": "Microsoft.Resources/deployments", "apiVersion": "2021-04-01", "name": "without",
         "resourceGroup": "[parameters('group')]", "dependsOn": ["within"],
         "properties": {"mode": "Incremental", "template": outer}},
        schema=SUB_SCHEMA, parameters={"group": {"type": "string"}}, variables={"start": "subscope"},
        outputs={"id": {"type": "string", "value": "[reference(resourceId(parameters('group'), "
                                                   "'Microsoft.Resources/deployments', 'within')).outputs.id.value]"}})
    path = files(whole)
    made = az.json("deployment", "sub", "create", "-l", "westus", "-n", "whole", "--template-file", path, "-p", "group=made")
    assert made["location"] == "westus" and made["properties"]["outputs"]["id"]["value"].endswith(
        "/resourceGroups/made/providers/Microsoft.ContainerRegistry/registries/subscopeinner")
    group = az.json("group show -n made")
    assert group["location"] == "westus" and group["tags"] == {"made": "by-template"}
    assert {r["name"] for r in az.json("acr list -g made")} == {"subscopeinner", "subscope0", "subscope1"}
    assert {d["name"] for d in az.json("deployment group list -g made")} == {"within", "without"}
    assert "whole" in [d["name"] for d in az.json("deployment sub list")]
    assert len(az.json("deployment operation sub list -n whole")) == 3
    az("deployment sub delete -n whole")
    az("group delete -n made -y")
    # its deployments have gone with the group
    az("group create -n made -l eastus")
    assert az.json("deployment group list -g made") == []
    az("group delete -n made -y")


def test_mode_complete(az, files):
    az("group create -n complete -l eastus")
    az("acr create -g complete -n completeold --sku Basic")
    path = files(template(registry("completenew")))
    said = az("deployment", "group", "what-if", "-g", "complete", "--mode", "Complete", "--template-file", path).out
    assert "- Microsoft.ContainerRegistry/registries/completeold" in said
    az("deployment", "group", "create", "-g", "complete", "-n", "all", "--mode", "Complete", "--template-file", path)
    assert [r["name"] for r in az.json("acr list -g complete")] == ["completenew"]
    operations = az.json("deployment operation group list -g complete -n all")
    assert {(o["properties"]["provisioningOperation"], o["properties"]["targetResource"]["resourceName"]) for o in operations} == {
        ("Create", "completenew"), ("Delete", "completeold")}
    az("group delete -n complete -y")


def test_complete_keeps_what_is_named(arm):
    """By deployments within deployments within it, and what something named belongs to; whatIf tells the same."""
    group = f"{arm.sub}/resourceGroups/keeps"
    arm.group("keeps")
    providers = f"{group}/providers/{REGISTRY}"
    for name in ("keepparent", "keepexisting", "keepnot"):
        arm.put(f"{providers}/{name}", {"location": "eastus", "sku": {"name": "Basic"}})

    def within(name, *resources, **more):
        return {"type": "Microsoft.Resources/deployments", "apiVersion": "2021-04-01", "name": name, "properties": {
            "mode": "Incremental", "expressionEvaluationOptions": {"scope": "inner"}, "template": template(*resources, **more)}}

    whole = template(languageVersion="2.0", resources={
        "module": within("module", within("modulemodule", registry("keepdeep"))),
        "hook": {"type": f"{REGISTRY}/webhooks", "apiVersion": "2023-07-01", "name": "keepparent/keephook", "location": "eastus",
                 "properties": {"serviceUri": "http://127.0.0.1:9/", "actions": ["push"]}},
        "old": {"existing": True, "type": REGISTRY, "apiVersion": "2023-07-01", "name": "keepexisting"}})

    def changes(what):
        answer = web.expect(arm("POST", f"{path}/whatIf", {"properties": {"mode": "Complete", "template": what}}), 202)
        return {c["resourceId"].rsplit("/", 1)[1]: c for c in web.expect(arm.wait(answer), 200).json()["properties"]["changes"]}

    path, _ = put(arm, "keeps", "outer", {"mode": "Complete", "template": whole})
    wait_until(lambda: state(arm, path) != "Running", "it ends")
    shown = arm.get(path)["properties"]
    assert shown["provisioningState"] == "Succeeded", shown
    assert {r["id"].rsplit("/", 1)[1] for r in shown["outputResources"]} == {"module", "modulemodule", "keepdeep", "keephook"}
    there = {r["id"].rsplit("/", 1)[1] for r in arm.all(f"{group}/resources")[0]}
    assert there == {"keepdeep", "keepparent", "keephook", "keepexisting"}
    arm.put(f"{providers}/keepnot", {"location": "eastus", "sku": {"name": "Basic"}})
    kinds = {name: c["changeType"] for name, c in changes(whole).items()}
    assert kinds == {"module": "Deploy", "keephook": "NoChange", "keepdeep": "Deploy", "keepparent": "Ignore",
                     "keepexisting": "Ignore", "keepnot": "Delete"}
    # of an inner one that asks for what is not there yet nothing is told
    whole["resources"]["module"] = within("module", registry("[reference('/nothing', '2020-01-01').x]"))
    kinds = {name: c["changeType"] for name, c in changes(whole).items()}
    assert kinds["keepnot"] == kinds["keepdeep"] == "Unsupported" and kinds["keepparent"] == "Ignore"


def test_symbolic_names(az, files):
    """As Bicep writes: an object of resources, existing ones, loops referred to by index."""
    az("acr create -g rg -n symbolexisting --sku Basic")
    whole = template(languageVersion="2.0", parameters={"names": {"type": "array"}}, resources={
        "old": {"existing": True, "type": REGISTRY, "apiVersion": "2023-07-01", "name": "symbolexisting"},
        "many": {"copy": {"name": "many", "count": "[length(parameters('names'))]", "mode": "serial", "batchSize": 1},
                 "type": REGISTRY, "apiVersion": "2023-07-01", "name": "[parameters('names')[copyIndex()]]",
                 "location": "eastus", "sku": {"name": "[reference('old', '2023-07-01', 'full').sku.name]"}},
        "hook": {"type": f"{REGISTRY}/webhooks", "apiVersion": "2023-07-01",
                 "name": "[format('{0}/{1}', parameters('names')[0], 'symbolhook')]", "location": "eastus",
                 "properties": {"serviceUri": "[format('http://{0}/', reference('many[0]').loginServer)]", "actions": ["push"]},
                 "dependsOn": ["many"]},
        "not": {"condition": False, "type": REGISTRY, "apiVersion": "2023-07-01", "name": "symbolnever", "location": "eastus",
                "sku": {"name": "Basic"}}},
        outputs={"servers": {"type": "array", "value": "[map(references('many'), lambda('r', lambdaVariables('r').loginServer))]"},
                 "id": {"type": "string", "value": "[resourceInfo('hook').id]"}})
    made = az.json("deployment", "group", "create", "-g", "rg", "-n", "symbols", "--template-file", files(whole), "-p",
                   'names=["symbola1", "symbolb1"]')["properties"]["outputs"]
    assert [server.split(".")[0] for server in made["servers"]["value"]] == ["symbola1", "symbolb1"]
    assert made["id"]["value"].endswith("/registries/symbola1/webhooks/symbolhook")
    az("acr show -g rg -n symbolnever", status=3)


def long_one(start, count=60):
    """So many registries, one after the other: START0, START1…"""
    return template(registry(f"[concat('{start}', copyIndex())]", copy={"name": "many", "count": count, "mode": "serial"}),
                    outputs={"n": {"type": "int", "value": count}})


def put(arm, group, name, body, *statuses):
    """PUT, without waiting for its end."""
    path = f"{arm.sub}/resourceGroups/{group}/providers/Microsoft.Resources/deployments/{name}"
    return path, web.expect(arm("PUT", path, {"properties": {"mode": "Incremental", **body}}), *(statuses or (200, 201)))


def state(arm, path):
    return arm.get(path)["properties"]["provisioningState"]


def done(arm, path):
    """How many of its operations have succeeded."""
    return sum(o["properties"]["provisioningState"] == "Succeeded" for o in arm.get(f"{path}/operations")["value"])


def standing(arm, start):
    """Meanwhile the third registry of a long one is not made, however long that is: what makes it waits for its name."""
    return no_registry(arm.server, f"{start}2")


def test_cancel(az, arm):
    """What was not begun is not made; what was made stays."""
    az("deployment group cancel -g rg -n nothere", status=3)
    with standing(arm, "cancelled"):
        path, _ = put(arm, "rg", "long", {"template": long_one("cancelled")})
        wait_until(lambda: done(arm, path) == 2, "some are made")
        refused(arm("PUT", path, {"properties": {"mode": "Incremental", "template": template()}}), 409, "DeploymentActive")
        refused(arm("DELETE", path), 409, "DeploymentActive")
        az("deployment group cancel -g rg -n long")
    wait_until(lambda: state(arm, path) == "Canceled", "it is cancelled")
    states = [o["properties"]["provisioningState"] for o in arm.get(f"{path}/operations")["value"]]
    assert states.count("Canceled") > 1 and states.count("Succeeded") >= 2 and len(states) == 60
    pages, page = [], arm.get(f"{path}/operations?$top=25")
    while page:
        pages.append([o["operationId"] for o in page["value"]])
        page = arm.get(page["nextLink"], version=None) if "nextLink" in page else None
    assert [len(p) for p in pages] == [25, 25, 10] and len({o for p in pages for o in p}) == 60
    assert "DeploymentCannotBeCancelled" in az("deployment group cancel -g rg -n long", status=1).err


def test_polling(arm):
    """201 with Azure-AsyncOperation, which says how far it is and what went wrong."""
    path, answer = put(arm, "rg", "polled", {"template": template(registry("no"))})
    assert answer.status == 201 and answer["Retry-After"] == "1"
    url = answer["Azure-AsyncOperation"]
    assert url.startswith(arm.base + "/")
    ended = wait_until(lambda: (s := arm.get(url, version=None))["status"] != "InProgress" and s, "it ends")
    assert ended["status"] == "Failed" and ended["error"]["code"] == "DeploymentFailed"
    assert ended["error"]["details"][0]["target"].endswith("/registries/no")
    assert arm("HEAD", path).status == 204 and arm("HEAD", path + "x").status == 404
    assert arm("DELETE", path + "x").status == 204
    _, again = put(arm, "rg", "polled", {"template": template()})
    assert again.status == 200
    assert arm.get(f"{path}/operations")["value"] == []


def test_a_loop_that_makes_nothing(arm):
    """What depends on it comes after what it depends on; its many paths cost nothing."""
    loop = registry("[concat('nonesuch', copyIndex())]", condition=False, dependsOn=["emptyfirst"],
                    copy={"name": "none", "count": 100, "mode": "serial", "batchSize": 10})
    path, _ = put(arm, "rg", "empty", {"template": template(registry("emptylast", dependsOn=["none"]), loop, registry("emptyfirst"))})
    wait_until(lambda: state(arm, path) != "Running", "it ends")
    assert state(arm, path) == "Succeeded" and len(arm.get(f"{path}/operations")["value"]) == 2


def test_what_runs_now_is_listed(arm, people):
    """Of what one may see: its beginner, and who may read what it works on."""
    stranger, reader = people("Microsoft.ContainerRegistry/registries/read"), people("*/read")
    with standing(arm, "listed"):
        path, _ = put(arm, "rg", "listed", {"template": long_one("listed")})
        wait_until(lambda: done(arm, path) == 2, "some are made")
        listed = f"{arm.sub}/operationresults"
        [one] = arm.get(listed)["value"]
        assert one["status"] == "InProgress" and one["properties"]["operation"] == "deployment" and one["startTime"]
        assert one["properties"]["resourceId"].endswith("/deployments/listed") and one["properties"]["principalName"] == "sundog-admin"
        assert 0 <= one["percentComplete"] < 100
        assert arm.get(one["id"], version=VERSION)["status"] == "InProgress"
        assert len(arm.get(f"{listed}?$filter=resourceId eq '{arm.sub}/resourceGroups/rg'")["value"]) == 1
        assert arm.get(f"{listed}?$filter=resourceId eq '{arm.sub}/resourceGroups/other'")["value"] == []
        refused(arm("GET", f"{listed}?$filter=name eq 'x'"), 400, "InvalidFilterInQueryString")
        assert stranger.get(listed)["value"] == []
        assert [o["id"] for o in reader.get(listed)["value"]] == [one["id"]]
        web.expect(arm("POST", f"{path}/cancel"), 204)
    wait_until(lambda: arm.get(listed)["value"] == [], "nothing runs")


def test_all_of_a_subscription(arm, people):
    """$expand=resourceGroups: those of groups too, for whom may read them."""
    every = f"{arm.sub}/providers/Microsoft.Resources/deployments"
    put(arm, "rg", "everywhere", {"template": template()})
    assert "everywhere" not in [d["name"] for d in arm.get(every)["value"]]
    assert "everywhere" in [d["name"] for d in arm.all(f"{every}?$expand=resourceGroups")[0]]
    reader, stranger = people("*/read"), people("Microsoft.ContainerRegistry/registries/read")
    assert "everywhere" in [d["name"] for d in reader.all(f"{every}?$expand=resourceGroups")[0]]
    assert stranger.get(f"{every}?$expand=resourceGroups")["value"] == []


def test_the_newest_first(sundog, arm):
    """In pages; and the page of a resource group shows the latest."""
    arm.group("newest")
    every = f"{arm.sub}/resourceGroups/newest/providers/Microsoft.Resources/deployments"
    for i in range(12):
        path, _ = put(arm, "newest", f"d{i * 5 % 12}", {"template": template()})
        wait_until(lambda: state(arm, path) == "Succeeded", "it is deployed")
    wanted = [f"d{i * 5 % 12}" for i in reversed(range(12))]
    page = arm.get(f"{every}?$top=5")
    assert [d["name"] for d in page["value"]] == wanted[:5]
    assert [d["name"] for d in arm.get(page["nextLink"], version=None)["value"]] == wanted[5:10]
    assert [d["name"] for d in arm.all(every)[0]] == wanted
    refused(arm("GET", f"{every}?$skiptoken=YWJj"), 400, "InvalidSkipToken")
    browser = Browser(sundog)
    browser.sign_in(arm.admin["userName"], arm.admin["userPassword"])
    said = browser.get(f"/console{arm.sub}/resourceGroups/newest")
    assert [name for name in said.links if re.fullmatch(r"d\d+", name)] == wanted[:10] and "The latest 10." in said.text


@contextlib.contextmanager
def nested(arm, name, group="rg"):
    """The paths of a deployment and of a long one within it, of which some is made; it stands meanwhile."""
    inner = {"type": "Microsoft.Resources/deployments", "apiVersion": "2021-04-01", "name": f"{name}inner",
             "properties": {"mode": "Incremental", "expressionEvaluationOptions": {"scope": "inner"},
                            "template": long_one(f"{name}inner")}}
    with standing(arm, f"{name}inner"):
        path, _ = put(arm, group, f"{name}outer", {"template": template(inner)})
        within = path.replace(f"{name}outer", f"{name}inner")
        wait_until(lambda: arm("HEAD", within).status == 204 and done(arm, within) == 2, "it makes some")
        yield path, within


def wait_told(arm, name):
    """Until it knows that it is cancelled; then it may go on."""
    wait_until(lambda: psql(arm.server, f"SELECT 1 FROM api.deployment WHERE name = '{name}' AND cancel"), "it is told")


def test_an_inner_one_stops_with_its_outer(arm):
    with nested(arm, "stop") as (path, within):
        web.expect(arm("POST", f"{path}/cancel"), 204)
        wait_told(arm, "stopinner")
    wait_until(lambda: state(arm, path) == "Canceled" and state(arm, within) == "Canceled", "both are cancelled")


def test_a_lost_answer_of_an_inner_one(arm):
    """As after a crash: what was begun is followed, and not refused because it is active."""
    with nested(arm, "lost") as (path, within):
        psql(arm.server, f"UPDATE api.deployment_step SET poll = NULL WHERE lower(target) = lower('{within}')")
    wait_until(lambda: state(arm, path) != "Running", "it ends")
    assert state(arm, path) == "Succeeded" and state(arm, within) == "Succeeded", arm.get(path)["properties"]


def test_polls_have_their_own_time():
    """What runs is asked twice a second, however many others end meanwhile."""
    inner = {"type": "Microsoft.Resources/deployments", "apiVersion": "2021-04-01", "name": "slow",
             "properties": {"mode": "Incremental", "expressionEvaluationOptions": {"scope": "inner"},
                            "template": long_one("within", 100)}}
    beside = registry("[concat('beside', copyIndex())]", copy={"name": "many", "count": 60, "mode": "serial"})
    with Sundog() as server:
        arm = Arm(server)
        arm.group("rg")
        psql(server, """
            CREATE TABLE api.polled ();
            CREATE FUNCTION api.note_poll() RETURNS trigger LANGUAGE plpgsql AS
                'BEGIN INSERT INTO api.polled DEFAULT VALUES; RETURN NEW; END';
            CREATE TRIGGER note AFTER UPDATE ON api.deployment_step FOR EACH ROW
                WHEN (NEW.name = 'slow') EXECUTE FUNCTION api.note_poll()""")
        path, _ = put(arm, "rg", "busy", {"template": template(inner, beside)})
        wait_until(lambda: state(arm, path) != "Running", "it ends")
        assert state(arm, path) == "Succeeded"
        [[polls, seconds]] = psql(server, "SELECT (SELECT count(*) FROM api.polled), extract(epoch FROM ended - started) "
                                          "FROM api.deployment_step WHERE name = 'slow'")
        assert int(polls) <= 2 * float(seconds) + 10


def test_the_plan_stays(arm):
    """What a template asks of its resource group is asked once: tags that go while it runs change nothing."""
    group = f"{arm.sub}/resourceGroups/tagged"
    arm.put(group, {"location": "eastus", "tags": {f"t{i:02}": "tagged" for i in range(40)}})
    slow = template(registry("[concat(resourceGroup().tags.t00, copyIndex())]",
                             copy={"name": "many", "count": "[length(resourceGroup().tags)]", "mode": "serial"}))
    path, _ = put(arm, "tagged", "kept", {"template": slow})
    wait_until(lambda: done(arm, path) >= 2, "some are made")
    arm.put(group, {"location": "eastus", "tags": {}})
    wait_until(lambda: state(arm, path) != "Running", "it ends")
    assert state(arm, path) == "Succeeded" and done(arm, path) == 40
    # a step of a plan that was another one is an error of that step
    with standing(arm, "strange"):
        path, _ = put(arm, "tagged", "strange", {"template": long_one("strange")})
        wait_until(lambda: done(arm, path) == 2, "some are made")
        psql(arm.server, f"""INSERT INTO api.deployment_step (deployment, number, id, action, target, type, name, version, state)
             SELECT uid, 999, 'x', 'Create', '{group}/providers/{REGISTRY}/strangest', '{REGISTRY}', 'strangest', '1', 'Waiting'
             FROM api.deployment WHERE name = 'strange'""")
    wait_until(lambda: state(arm, path) != "Running", "it ends")
    [said] = arm.get(path)["properties"]["error"]["details"]
    assert said["target"].endswith("/strangest") and "does not make this resource" in said["message"]
    # and cancelling needs no plan
    with nested(arm, "unplanned", "tagged") as (path, within):
        psql(arm.server, "UPDATE api.deployment SET input = 'damaged', cancel = true WHERE name = 'unplannedouter'")
        wait_told(arm, "unplannedinner")
    wait_until(lambda: state(arm, path) == "Canceled" and state(arm, within) == "Canceled", "both are cancelled")


def test_it_ends_with_its_group(arm):
    arm.group("doomed")
    path, answer = put(arm, "doomed", "long", {"template": long_one("doomed", 400)})
    wait_until(lambda: done(arm, path) >= 2, "some are made")
    web.expect(arm.wait(web.expect(arm("DELETE", f"{arm.sub}/resourceGroups/doomed"), 202)), 200, 204)
    assert arm.get(answer["Azure-AsyncOperation"], version=None)["status"] in ("Canceled", "Failed")
    refused(arm("GET", path), 404, "DeploymentNotFound")


def test_killed(files):
    """kill -9 in the middle: the deployment goes on after the start, as if nothing had been."""
    with Sundog() as server:
        arm = Arm(server)
        arm.group("rg")
        with standing(arm, "killed"):
            path, _ = put(arm, "rg", "long", {"template": long_one("killed")})
            wait_until(lambda: done(arm, path) == 2, "some are made")
            server.kill()
            server.start()
            arm = Arm(server)
            assert state(arm, path) == "Running"
        wait_until(lambda: state(arm, path) != "Running", "it ends")
        shown = arm.get(path)["properties"]
        assert shown["provisioningState"] == "Succeeded", shown
        assert shown["outputs"] == {"n": {"type": "Int", "value": 60}} and len(shown["outputResources"]) == 60
        made, _ = arm.all(f"{arm.sub}/resourceGroups/rg/resources")
        assert len(made) == 60


@pytest.fixture(scope="module")
def people(sundog, arm):
    """Arm of a service principal with these actions at the group rg."""
    entra = Entra(sundog)

    def person(*actions):
        app = entra.application(displayName="deployer")
        secret = entra.secret(app)
        principal = entra.graph("GET", f"/servicePrincipals?$filter=appId%20eq%20'{app['appId']}'")["value"][0]
        role, scope = str(uuid.uuid4()), f"{arm.sub}/resourceGroups/rg"
        auth = f"{scope}/providers/Microsoft.Authorization"
        arm.put(f"{auth}/roleDefinitions/{role}", {"properties": {
            "roleName": role, "type": "CustomRole", "assignableScopes": [scope], "permissions": [{"actions": list(actions)}]}})
        arm.put(f"{auth}/roleAssignments/{uuid.uuid4()}", {"properties": {
            "principalId": principal["id"], "roleDefinitionId": f"{arm.sub}/providers/Microsoft.Authorization/roleDefinitions/{role}"}})
        return Arm(sundog, app["appId"], secret)

    return person


def test_both_rights_are_needed(arm, people):
    body = {"template": template(registry("rightsreg"))}
    path = f"{arm.sub}/resourceGroups/rg/providers/Microsoft.Resources/deployments/rights"
    reader = people("*/read")
    refused(reader("PUT", path, {"properties": body}), 403, "AuthorizationFailed", "Microsoft.Resources/deployments/write")
    deployer = people("*/read", "Microsoft.Resources/deployments/*")
    refused(deployer("PUT", path, {"properties": body}), 403, "InvalidTemplateDeployment", "registries/write")
    refused(deployer("POST", f"{path}/validate", {"properties": body}), 403, "InvalidTemplateDeployment")
    both = people("*/read", "Microsoft.Resources/deployments/*", "Microsoft.ContainerRegistry/*")
    put(both, "rg", "rights", body)
    wait_until(lambda: state(arm, path) == "Succeeded", "it is deployed")
    # an inner deployment is no way round: its resources are asked for when it is made
    inner = {"type": "Microsoft.Resources/deployments", "apiVersion": "2021-04-01", "name": "innerrights",
             "properties": {"mode": "Incremental", "template": template(registry("rightsreg2"))}}
    put(deployer, "rg", "rights", {"template": template(inner)})
    wait_until(lambda: state(arm, path) == "Failed", "it is refused")
    assert "registries/write" in json.dumps(arm.get(path)["properties"]["error"])
    # and a lock holds for what a deployment makes
    lock = f"{arm.sub}/resourceGroups/rg/providers/Microsoft.ContainerRegistry/registries/rightsreg/providers/Microsoft.Authorization/locks/l"
    arm.put(lock, {"properties": {"level": "ReadOnly"}})
    changed = {"template": template(registry("rightsreg") | {"tags": {"a": "b"}})}
    put(arm, "rg", "rights", changed)
    wait_until(lambda: state(arm, path) == "Failed", "it is locked")
    assert arm.get(path)["properties"]["error"]["details"][0]["code"] == "ScopeLocked"
    web.expect(arm("DELETE", lock), 200)
    # what it makes is in the activity log as of who deploys
    def noted():  # it is written behind
        events, _ = arm.all(f"{arm.sub}/providers/Microsoft.Insights/eventtypes/management/values?$filter="
                            "eventTimestamp ge '2020-01-01' and resourceGroupName eq 'rg'")
        return any(e["operationName"]["value"].endswith("registries/write") and e["resourceId"].endswith("/rightsreg") for e in events)
    wait_until(noted, "it is noted")


def test_secrets_are_nowhere(sundog, arm):
    """A secure parameter in an inner deployment, evaluated outside: it reaches its resource, and is seen nowhere."""
    need("root")
    word = "hush-" + uuid.uuid4().hex
    hook = {"type": f"{REGISTRY}/webhooks", "apiVersion": "2023-07-01", "name": "secretreg/[x", "location": "eastus",
            "properties": {"serviceUri": "http://127.0.0.1:9/", "actions": ["push"],
                           "customHeaders": {"Authorization": "[concat('Bearer ', variables('w'))]"}}}
    inner = {"type": "Microsoft.Resources/deployments", "apiVersion": "2021-04-01", "name": "secretinner",
             "dependsOn": ["secretreg"], "properties": {"mode": "Incremental", "template": template(hook | {"name": "secretreg/secrethook"})}}
    whole = template(registry("secretreg"), inner, parameters={"word": {"type": "secureString"}}, variables={"w": "[parameters('word')]"},
                     outputs={"word": {"type": "secureString", "value": "[parameters('word')]"}})
    path, _ = put(arm, "rg", "secret", {"template": whole, "parameters": {"word": {"value": word}}})
    wait_until(lambda: state(arm, path) != "Running", "it ends")
    shown = arm.get(path)["properties"]
    assert shown["provisioningState"] == "Succeeded", shown
    assert shown["parameters"] == {"word": {"type": "SecureString"}} and shown["outputs"] == {"word": {"type": "SecureString"}}
    hook = f"{arm.sub}/resourceGroups/rg/providers/{REGISTRY}/secretreg/webhooks/secrethook"
    config = web.expect(arm("POST", f"{hook}/getCallbackConfig"), 200).json()
    assert config["customHeaders"]["Authorization"] == f"Bearer {word}"
    beside = path.replace("/secret", "/secretinner")
    seen = [json.dumps(arm.get(p)) for p in (path, beside, f"{path}/operations", f"{beside}/operations")]
    seen += [web.expect(arm("POST", f"{p}/exportTemplate"), 200).body.decode() for p in (path, beside)]
    seen += [json.dumps(web.expect(arm("POST", f"{path}/validate", {"properties": {
        "mode": "Incremental", "template": whole, "parameters": {"word": {"value": word}}}}), 200).json())]
    answer = web.expect(arm("POST", f"{path}/whatIf", {"properties": {
        "mode": "Incremental", "template": whole, "parameters": {"word": {"value": word}}}}), 202)
    seen += [web.expect(arm.wait(answer), 200).body.decode(), sundog.said(), dump(sundog).decode()]
    for text in seen:
        assert word not in text
    # but for whoever may ask for it
    told = web.expect(arm("POST", f"{path}/listOutputsWithSecureValues"), 200).json()
    assert told["properties"]["outputs"]["word"]["value"] == word


@pytest.mark.parametrize("body, code", [
    (b"", "InvalidRequestContent"),
    (b"{", "InvalidRequestContent"),
    (b'{"properties": {"mode": "Incremental"}}', "InvalidTemplate"),
    (b'{"properties": {"template": []}}', "InvalidTemplate"),
    (b'{"properties": {"templateLink": {"uri": "https://x/"}}}', "NotSupported"),
    (b'{"properties": {"mode": "Other", "template": {}}}', "InvalidRequestContent"),
    (b'{"properties": {"template": {"$schema": "x", "contentVersion": "1", "resources": [], "parameters":'
     b' {"p": {"type": "securestring"}}}, "parameters": {"p": {"reference": {"keyVault": {"id": "x"}, "secretName": "s"}}}}}',
     "KeyVaultReferenceNotSupported"),
    (b'{"properties": {"template": {"$schema": "x", "contentVersion": "1", "resources": []}, "parameters": {"q": {"value": 1}}}}',
     "InvalidTemplate"),
    (b"[" * 100000, "InvalidRequestContent"),
])
def test_bad_requests(arm, az, body, code):
    path = f"{arm.sub}/resourceGroups/rg/providers/Microsoft.Resources/deployments/badone"
    assert arm("PUT", path, body).json()["error"]["code"] == code
    assert arm("HEAD", path).status == 404


def test_elsewhere(arm, az):
    refused(arm("PUT", "/providers/Microsoft.Resources/deployments/x", {"properties": {"template": template()}}), 501, "NotSupported")
    answer = arm("PUT", "/providers/Microsoft.Management/managementGroups/m/providers/Microsoft.Resources/deployments/x", {})
    assert answer.status in (404, 501)
    first, second = ({"a": 1, "b": [2]}, {"b": [2], "a": 1})
    hashes = {web.expect(arm("POST", "/providers/Microsoft.Resources/calculateTemplateHash", t), 200).json()["templateHash"]
              for t in (first, second)}
    assert len(hashes) == 1


@pytest.fixture(scope="module")
def containers(sundog, az):
    need("root", "crun", "mount")
    push_shell(web.by_path(sundog))
    az("group create -n cont -l eastus")
    yield "cont"
    az("group delete -n cont -y")
    wait_nothing_left(sundog.data)


def test_containers_and_a_cluster(az, files, containers):
    """A registry, a container group with an identity that may pull from it, a cluster with a further pool; in order."""
    whole = template(
        registry("containersreg"),
        {"type": "Microsoft.ContainerInstance/containerGroups", "apiVersion": "2023-05-01", "name": "web", "location": "eastus",
         "identity": {"type": "SystemAssigned"}, "dependsOn": ["containersreg"],
         "properties": {"osType": "Linux", "restartPolicy": "Always", "containers": [{"name": "main", "properties": {
             "image": "sundog.azurecr.io/busybox:1", "command": ["/bin/sh", "-c", "echo $SERVER $WORD; sleep 100000"],
             "environmentVariables": [{"name": "SERVER", "value": "[reference('containersreg').loginServer]"},
                                      {"name": "WORD", "secureValue": "[parameters('word')]"}],
             "resources": {"requests": {"cpu": 0.5, "memoryInGB": 0.5}}}}]}},
        {"type": "Microsoft.Authorization/roleAssignments", "apiVersion": "2022-04-01",
         "scope": f"[format('{REGISTRY}/{{0}}', 'containersreg')]",
         "name": "[guid(resourceGroup().id, 'pull')]",
         "properties": {"principalId": "[reference('web', '2023-05-01', 'Full').identity.principalId]",
                        "principalType": "ServicePrincipal",
                        "roleDefinitionId": "[subscriptionResourceId('Microsoft.Authorization/roleDefinitions', "
                                            "'7f951dda-4ed3-4680-a7ca-43fe172d538d')]"}},
        {"type": "Microsoft.ContainerService/managedClusters", "apiVersion": "2023-05-01", "name": "kube", "location": "eastus",
         "identity": {"type": "SystemAssigned"},
         "properties": {"dnsPrefix": "kube", "agentPoolProfiles": [
             {"name": "system", "count": 1, "vmSize": "Standard_D2s_v3", "mode": "System", "osType": "Linux"}]}},
        {"type": "Microsoft.ContainerService/managedClusters/agentPools", "apiVersion": "2023-05-01", "name": "kube/more",
         "dependsOn": ["[resourceId('Microsoft.ContainerService/managedClusters', 'kube')]"],
         "properties": {"count": 1, "vmSize": "Standard_D2s_v3", "mode": "User", "osType": "Linux"}},
        parameters={"word": {"type": "secureString"}},
        outputs={"fqdn": {"type": "string", "value": "[reference('kube').fqdn]"},
                 "state": {"type": "string", "value": "[reference('web').instanceView.state]"}})
    made = az.json("deployment", "group", "create", "-g", "cont", "-n", "all", "--template-file", files(whole), "-p",
                   "word=hush-hush")["properties"]
    assert made["outputs"]["state"]["value"] == "Running" and made["outputs"]["fqdn"]["value"].startswith("kube")
    wait_until(lambda: "containersreg.azurecr.localhost" in (s := az("container logs -g cont -n web").out) and "hush-hush" in s,
               "the container has what the template gave it")
    # the same once more changes nothing, though the group shows more than was said; another image would
    path = files(whole)
    result = az.json("deployment", "group", "what-if", "-g", "cont", "--template-file", path, "-p", "word=hush-hush", "--no-pretty-print")
    kinds = {c["resourceId"].rsplit("/", 1)[1]: c["changeType"] for c in result["changes"]}
    assert kinds["web"] == kinds["containersreg"] == "NoChange", kinds
    path = files(json.loads(json.dumps(whole).replace("busybox:1", "busybox:2")))
    said = az("deployment", "group", "what-if", "-g", "cont", "--template-file", path, "-p", "word=hush-hush").out
    assert "~ properties.containers" in said and '"sundog.azurecr.io/busybox:1" => "sundog.azurecr.io/busybox:2"' in said, said
    assert "hush-hush" not in said
    assert [p["name"] for p in az.json("aks nodepool list -g cont --cluster-name kube")] == ["system", "more"]
    groups = az.json("resource list -g cont --resource-type Microsoft.ContainerInstance/containerGroups")
    principal = groups[0]["identity"]["principalId"]
    registry_id = az.json("acr show -n containersreg")["id"]
    given = az.json("rest", "--method", "get", "--url", f"{registry_id}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01")
    assert principal in [a["properties"]["principalId"] for a in given["value"]]
