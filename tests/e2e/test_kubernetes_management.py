"""What a managed cluster's properties and its end mean for those who use its Kubernetes: local accounts that are switched
off, clients that keep a cluster from ending, what commands leave behind."""

import base64
import json
import os
import re
import secrets
import socket
import ssl
import threading

import pytest

from harness import web
from harness.clusters import Clusters, cluster_body
from harness.containers import push_shell, wait_nothing_left
from harness.machine import need
from harness.postgres import Postgres
from harness.server import Sundog, fresh_folder, wait_until

IMAGE = "sundog.azurecr.io/busybox:1"


@pytest.fixture(scope="module")
def server():
    """Whoever stalls is not given up on its own: what ends it is the end of its cluster."""
    need("root", "crun", "mount")
    with Sundog(["--body-timeout", "86400"]) as made:
        push_shell(web.by_path(made))
        yield made
        wait_nothing_left(made.data)


@pytest.fixture(scope="module")
def clusters(server):
    return Clusters(server)


def change(clusters, cluster, **properties):
    """A PUT of what a GET shows, with other properties."""
    body = clusters.send("GET", cluster["id"]).json()
    body["properties"].update(properties)
    web.expect(clusters.send("PUT", cluster["id"], body), 200)
    return clusters.settled(cluster["id"])


# local accounts


def is_refused(kubectl):
    said = kubectl.run("get", "nodes", check=False)
    return said.returncode != 0 and ("Unauthorized" in said.stderr or "must be logged in" in said.stderr)


def test_local_accounts_are_refused_while_they_are_off(clusters, server):
    cluster = clusters.create()
    before = clusters.kubectl(cluster)
    assert before("auth", "can-i", "*", "*").strip() == "yes"
    change(clusters, cluster, disableLocalAccounts=True)
    assert is_refused(before)
    for kind in ("Admin", "User"):
        answer = clusters.send("POST", f"{cluster['id']}/listCluster{kind}Credential")
        assert answer.status == 400 and answer.json()["error"]["code"] == "BadRequest", answer
        assert answer.json()["error"]["message"] == ("Getting static credential is not allowed because this cluster is "
                                                     "set to disable local accounts.")
    server.restart()
    wait_until(lambda: is_refused(before), "it is refused again")
    change(clusters, cluster, disableLocalAccounts=False)
    assert clusters.kubectl(cluster)("auth", "can-i", "*", "*").strip() == "yes"
    clusters.remove(cluster)


# how much there may be


def test_no_more_than_fits(clusters):
    path = clusters.path("c" + secrets.token_hex(4))
    body = cluster_body(1)
    body["properties"]["networkProfile"] = {"podCidr": "10.244.0.0/22"}  # for four nodes

    def refused(answer, code="InvalidParameter"):
        assert answer.status == 400 and answer.json()["error"]["code"] == code, answer

    refused(clusters.send("PUT", path, {**body, "properties": {**body["properties"], "x": ["y" * 1000] * 300}}), "InvalidRequestContent")
    body["properties"]["agentPoolProfiles"][0]["count"] = 5
    refused(clusters.send("PUT", path, body))
    body["properties"]["agentPoolProfiles"][0]["count"] = 3
    web.expect(clusters.send("PUT", path, body), 201)
    cluster = clusters.settled(path)
    pool = {"properties": {"count": 2, "vmSize": "Standard_DS2_v2", "mode": "User"}}
    refused(clusters.send("PUT", f"{path}/agentPools/more", pool))
    pool["properties"].update(count=1, x=["y" * 1000] * 70)
    refused(clusters.send("PUT", f"{path}/agentPools/more", pool), "InvalidRequestContent")
    del pool["properties"]["x"]
    web.expect(clusters.send("PUT", f"{path}/agentPools/more", pool), 201)
    clusters.settled(path)
    k = clusters.kubectl(cluster)
    names = {node["spec"]["podCIDR"] for node in k.json("nodes")["items"]}
    assert names == {f"10.244.{n}.0/24" for n in range(4)}
    # a pool for another, in one request: the new one's node waits until there is a range for it again
    body["properties"]["agentPoolProfiles"].append({**body["properties"]["agentPoolProfiles"][0], "name": "other", "count": 1})
    web.expect(clusters.send("PUT", path, body), 200)
    clusters.settled(path)
    nodes = k.json("nodes")["items"]
    assert {node["spec"]["podCIDR"] for node in nodes} == names
    assert len([node for node in nodes if "-other-" in node["metadata"]["name"]]) == 1
    clusters.remove(cluster)


# clients that do not go


class Raw:
    """A connection with a kubeconfig's certificate, on which anything can be said, and nothing need be heard."""

    def __init__(self, kubeconfig):
        folder = fresh_folder("k")
        parts = {}
        for part in ("client-certificate", "client-key"):
            parts[part] = os.path.join(folder, part)
            with open(parts[part], "wb") as file:
                file.write(base64.b64decode(re.search(f'{part}-data: "(.*)"', kubeconfig)[1]))
        host, port = re.search(r'server: "https://(.*):(\d+)"', kubeconfig).groups()
        context = ssl.create_default_context(cadata=base64.b64decode(
            re.search('certificate-authority-data: "(.*)"', kubeconfig)[1]).decode())
        context.load_cert_chain(parts["client-certificate"], parts["client-key"])
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.connect((host, int(port)))
        self.socket = context.wrap_socket(plain, server_hostname=host)

    def say(self, method, path, *headers):
        head = "".join(f"{line}\r\n" for line in (f"{method} {path} HTTP/1.1", "Host: x", *headers))
        self.socket.sendall(head.encode() + b"\r\n")

    def is_cut(self):
        try:
            self.socket.sendall(b" ")
        except OSError:
            return True
        return False


def test_a_cluster_ends_although_clients_do_not_go(clusters):
    cluster = clusters.create()
    kubeconfig = clusters.kubeconfig(cluster)
    k = clusters.kubectl(cluster, namespace="default")
    for n in range(12):
        k.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"m{n}"}, "data": {"a": "x" * (900 << 10)}},
                "--server-side")
    k("run", "much", f"--image={IMAGE}", "--restart=Never", "--command", "--", "sh", "-c", "yes 0123456789")
    wait_until(lambda: k.json("pod", "much")["status"]["phase"] == "Running", "it prints")
    slow, list_, log, command = [Raw(kubeconfig) for _ in range(4)]
    slow.say("POST", "/api/v1/namespaces", "Content-Type: application/json", "Content-Length: 1000000")
    list_.say("GET", "/api/v1/namespaces/default/configmaps")
    log.say("GET", "/api/v1/namespaces/default/pods/much/log?follow=true")
    command.say("POST", "/api/v1/namespaces/default/pods/much/exec?command=yes&stdout=true", "Connection: Upgrade",
                "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                "Sec-WebSocket-Protocol: v4.channel.k8s.io")
    for one in (list_, log, command):
        assert one.socket.recv(20).startswith(b"HTTP/1.1 ")  # it has begun; nothing more is taken
    web.expect(clusters.send("POST", f"{cluster['id']}/stop"), 202, 204)
    gone, cut = threading.Event(), threading.Event()

    def trickle():  # a body that never stalls, and never ends; nobody else uses its connection
        while not gone.wait(0.2):
            if slow.is_cut():
                cut.set()
                return
    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        wait_until(lambda: clusters.send("GET", cluster["id"]).json()["properties"]["powerState"]["code"] == "Stopped",
                   "it has stopped")
        wait_until(cut.is_set, "who sends on is cut off")
    finally:
        gone.set()
        thread.join()
    clusters.remove(cluster)


# az aks command invoke


@pytest.fixture(scope="module")
def commands():
    """(server, its PostgreSQL, clusters) of a Sundog that runs commands in busybox."""
    need("root", "crun", "mount")
    postgres = Postgres()
    try:
        with Sundog(["--database", postgres.url, "--command-image", IMAGE]) as made:
            push_shell(web.by_path(made))
            yield made, postgres, Clusters(made)
            wait_nothing_left(made.data)
    finally:
        postgres.close()


@pytest.fixture(scope="module")
def commanded(commands):
    made = commands[2].create()
    yield made
    commands[2].remove(made)


def invoke(clusters, cluster, command):
    """Where its result will be."""
    answer = web.expect(clusters.send("POST", f"{cluster['id']}/runCommand", {"command": command}), 202)
    return answer["location"].split("?")[0].replace(clusters.base, "", 1)


def result(clusters, path):
    def look():
        answer = web.expect(clusters.send("GET", path), 200, 202)
        return answer.json() if answer.status == 200 else None
    return wait_until(look, "the command has ended")


def parts(k):
    """What is there of commands, by kind and name."""
    return sorted(name for kind in ("clusterrolebindings", "serviceaccounts", "pods", "secrets")
                  for name in k("-n", "aks-command", "get", kind, "-o", "name").split() if "/command-" in name)


def test_a_command_has_its_right_while_it_runs(commands, commanded):
    _, _, clusters = commands
    k = clusters.kubectl(commanded)
    path = invoke(clusters, commanded, "cat /var/run/secrets/kubernetes.io/serviceaccount/token; echo; sleep 100000")
    name = f"command-{path.rsplit('/', 1)[1]}"
    wait_until(lambda: len(k.run("-n", "aks-command", "logs", name, check=False).stdout.split()) == 1, "it has said its token")
    token = k("-n", "aks-command", "logs", name).strip()
    assert parts(k) == sorted(f"{kind}/{name}" for kind in ("clusterrolebinding.rbac.authorization.k8s.io", "serviceaccount", "pod"))
    stranger = clusters.kubectl(commanded)
    stranger("config", "unset", f"users.{stranger('config', 'view', '-o', 'jsonpath={.users[0].name}')}")
    assert stranger("--token", token, "auth", "can-i", "*", "*").strip() == "yes"
    k("-n", "aks-command", "delete", "pod", name, "--grace-period=0", "--force")
    assert result(clusters, path)["properties"]["reason"] == "the command's pod was removed"
    assert parts(k) == []
    assert is_refused_token(stranger, token)


def is_refused_token(kubectl, token):
    said = kubectl.run("--token", token, "get", "--raw", "/api", check=False)
    return said.returncode != 0 and ("Unauthorized" in said.stderr or "logged in" in said.stderr)


def test_a_command_that_nobody_asks_for(commands, commanded):
    _, postgres, clusters = commands
    k = clusters.kubectl(commanded)
    path = invoke(clusters, commanded, "echo $((40+2))")
    wait_until(lambda: postgres.query("SELECT 1 FROM clusters.command WHERE finished_us = 0") == [], "its result is kept")
    wait_until(lambda: parts(k) == [], "nothing of it is left")
    properties = web.expect(clusters.send("GET", path), 200).json()["properties"]
    assert properties["logs"] == "42\n" and properties["exitCode"] == 0


def binding(name, namespace):
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}]}


def test_what_a_crash_left_of_commands_goes(commands, commanded):
    server, postgres, clusters = commands
    k = clusters.kubectl(commanded)
    path = invoke(clusters, commanded, "sleep 100000")
    name = f"command-{path.rsplit('/', 1)[1]}"
    wait_until(lambda: k.json("-n", "aks-command", "pod", name)["status"]["phase"] == "Running", "it runs")
    server.kill()
    server.start()
    # a right that commands once shared, and a stranger's that is called alike; without a row the command is none
    k = wait_until(lambda: ready(clusters, commanded), "its cluster answers")
    k.apply(json.dumps(binding("command-admin", "aks-command")))
    k.apply(json.dumps(binding("command-other", "default")))
    postgres.query("DELETE FROM clusters.command")
    server.restart()
    k = wait_until(lambda: ready(clusters, commanded), "its cluster answers")
    other = "clusterrolebinding.rbac.authorization.k8s.io/command-other"
    wait_until(lambda: parts(k) == [other], "only a stranger's is left")
    k("delete", other)


def ready(clusters, cluster):
    kubectl = clusters.kubectl(cluster)
    return kubectl if kubectl.run("get", "--raw", "/readyz", check=False).returncode == 0 else None


def test_a_result_is_kept_for_an_hour(commands, commanded):
    server, postgres, clusters = commands
    path = invoke(clusters, commanded, "true")
    result(clusters, path)
    server.restart()
    assert web.expect(clusters.send("GET", path), 200)
    postgres.query("UPDATE clusters.command SET finished_us = finished_us - 3600000000")
    server.restart()
    wait_until(lambda: postgres.query("SELECT 1 FROM clusters.command") == [], "it is forgotten")
    web.expect(clusters.send("GET", path), 404)
