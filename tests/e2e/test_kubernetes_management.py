"""What a managed cluster's properties and its end mean for those who use its Kubernetes: local accounts that are switched
off, clients that keep a cluster from ending."""

import base64
import os
import re
import socket
import ssl
import threading

import pytest

from harness import web
from harness.clusters import Clusters
from harness.containers import push_shell, wait_nothing_left
from harness.machine import need
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
    gone = threading.Event()

    def trickle():  # a body that never stalls, and never ends
        while not gone.wait(0.2) and not slow.is_cut():
            pass
    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        wait_until(lambda: clusters.send("GET", cluster["id"]).json()["properties"]["powerState"]["code"] == "Stopped",
                   "it has stopped")
        wait_until(slow.is_cut, "who sends on is cut off")
    finally:
        gone.set()
        thread.join()
    clusters.remove(cluster)
