"""What clients may write into a cluster never leads its network astray: neither to addresses that are others', nor to a
standstill for everybody by one bad value."""

import json
import secrets
import socket

import pytest

from harness import web
from harness.clusters import Clusters
from harness.containers import SHELL, push_shell
from harness.machine import need
from harness.server import HANG_S, wait_until

ADDRESS = "jsonpath={.status.loadBalancer.ingress[0].ip}"
CLEANUP = "service.kubernetes.io/load-balancer-cleanup"


@pytest.fixture(scope="module")
def k(sundog):
    need("root", "crun", "mount")
    push_shell(web.by_path(sundog))
    clusters = Clusters(sundog)
    made = clusters.create("takeover")
    kubectl = clusters.kubectl(made)
    wait_until(lambda: kubectl.run("get", "serviceaccount", "default", check=False).returncode == 0, "it has an account")
    yield kubectl
    clusters.remove(made)


def fetch(host, port, patience_s=HANG_S):
    try:
        with socket.create_connection((host, port), timeout=patience_s) as sock:
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return b"".join(iter(lambda: sock.recv(65536), b"")).split(b"\r\n\r\n", 1)[1].decode().strip()
    except OSError:
        return None


def service(name, **spec):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], **spec}}


def address(k, name):
    return wait_until(lambda: k("get", "svc", name, "-o", ADDRESS), f"{name} has an address")


def patch_status(k, kind, name, status):
    k("patch", kind, name, "--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))


def test_an_address_that_somebody_wrote_is_not_taken(k):
    k.apply(service("a"))
    own = address(k, "a")
    other = own.rsplit(".", 1)[0] + ".250"
    patch_status(k, "svc", "a", {"loadBalancer": {"ingress": [{"ip": other, "ipMode": "VIP"}]}})
    wait_until(lambda: k("get", "svc", "a", "-o", ADDRESS) == own, "it says its own again")
    # nor with the finalizer that says all is done
    forged = service("b", loadBalancerClass="example.com/none")
    forged["metadata"]["finalizers"] = [CLEANUP]
    k.apply(forged)
    patch_status(k, "svc", "b", {"loadBalancer": {"ingress": [{"ip": own, "ipMode": "VIP"}]}})
    k("delete", "svc", "b", "--wait=false")
    k.apply(service("c"))
    assert address(k, "c") != own and k("get", "svc", "a", "-o", ADDRESS) == own


def test_an_address_comes_back_without_its_finalizer(k):
    k.apply(service("d"))
    first = address(k, "d")
    k("patch", "svc", "d", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
    wait_until(lambda: CLEANUP in k("get", "svc", "d", "-o", "jsonpath={.metadata.finalizers}"), "it is there again")
    assert address(k, "d") == first
    k("delete", "svc", "d")


def test_a_node_has_the_address_that_its_pool_gave_it(k):
    k.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "labels": {"app": "web"}}, "spec": {
        "terminationGracePeriodSeconds": 1, "containers": [{
            "name": "main", "image": f"sundog.azurecr.io/{SHELL}:1", "ports": [{"containerPort": 80, "hostPort": 8099}],
            "command": ["/bin/sh", "-c", "mkdir /w; echo web > /w/index.html; httpd -f -p 80 -h /w"]}]}})
    k.apply(service("web", type="NodePort", selector={"app": "web"}))
    k("wait", "--for=condition=Ready", "pod/web", f"--timeout={HANG_S}s")
    (node,) = k.json("nodes")["items"]
    own = node["status"]["addresses"][0]["address"]
    port = k.json("svc", "web")["spec"]["ports"][0]["nodePort"]
    wait_until(lambda: fetch(own, port) == "web" and fetch(own, 8099) == "web", "it answers there")
    strange = own.rsplit(".", 1)[0] + ".251"
    patch_status(k, "node", node["metadata"]["name"], {"addresses": [{"type": "InternalIP", "address": strange}]})
    patch_status(k, "pod", "web", {"hostIP": strange})
    k.apply(service("afterwards"))
    address(k, "afterwards")
    assert fetch(own, port) == "web" and fetch(own, 8099) == "web" and fetch(strange, port, patience_s=3) is None


BAD = {
    "external": {"externalIPs": ["fd00::1"]},
    "ranges": {"loadBalancerSourceRanges": ["fd00::/8"]},
    "many": {"loadBalancerSourceRanges": [f"10.{i}.0.0/13" for i in range(0, 100)]},
    "affinity": {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 90000}}},
    "lots": {"externalIPs": [f"192.0.2.{i}" for i in range(1, 100)]},
}


def test_one_bad_service_does_not_stop_the_others(k):
    for name, spec in BAD.items():
        k.run("apply", "-f", "-", stdin=json.dumps(service("bad-" + name, **spec)), check=False)
    k.run("apply", "-f", "-", check=False, stdin=json.dumps({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "bad", "labels": {"kubernetes.io/service-name": "bad-ranges"}},
        "ports": [{"name": "", "port": 80, "protocol": "TCP"}],
        "endpoints": [{"addresses": ["10.244.0.77"], "nodeName": 'n"1'}, {"addresses": ["10.244.0.078"]}]}))
    k.run("apply", "-f", "-", check=False, stdin=json.dumps({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "many", "labels": {"kubernetes.io/service-name": "bad-many"}},
        "ports": [{"name": "", "port": 80, "protocol": "TCP"}], "endpoints": [{"addresses": ["10.244.0.77"]}]}))
    long = "l" * 63
    k("create", "namespace", long)
    k.run("apply", "-n", long, "-f", "-", check=False, stdin=json.dumps(
        service(long, ports=[{"name": "p" * 15, "port": 80}])))
    k.run("apply", "-n", long, "-f", "-", check=False, stdin=json.dumps({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "long", "labels": {"kubernetes.io/service-name": long}},
        "ports": [{"name": "p" * 15, "port": 80, "protocol": "TCP"}], "endpoints": [{"addresses": ["10.244.0.77"]}]}))
    name = "good" + secrets.token_hex(2)
    k.apply(service(name))
    address(k, name)  # it is written only after the network took the whole
    assert k("get", "svc", "-n", long, long, "-o", "name")
