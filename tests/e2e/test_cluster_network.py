"""Clusters' networks with real namespaces, by tests/runtime/driver.c: everything clusters/network promises."""

import os
import socket
import struct
import subprocess

import pytest

from harness.leftovers import data_id
from harness.machine import need
from harness.sandbox import Driver, busybox_root, data_with, left
from harness.server import program, wait_until

PODS, SERVICES, DNS = "10.244.0.0/16", "10.0.0.0/16", "10.0.0.10"


@pytest.fixture(scope="module")
def place():
    need("mount", "crun")
    with data_with("busybox", busybox_root) as made:
        yield made


@pytest.fixture(scope="module")
def image(place):
    return place[1]


@pytest.fixture(scope="module")
def driver(place):
    with Driver(place[0]) as driver:
        driver.range = driver.do("network-up")
        yield driver


class Cluster:
    """One cluster's network; pods are sandboxes in it."""

    def __init__(self, driver, name, uplink):
        self.driver, self.name, self.index = driver, name, uplink
        self.pods = []
        self.up()

    def up(self):
        answer = self.driver.do(
            "cluster-up", id=self.name, podCidr=PODS, serviceCidr=SERVICES, dnsIp=DNS, uplinkIndex=self.index
        )
        self.uplink, self.gateway, self.new = answer["uplink"], answer["gateway"], answer["new"]
        return self

    def pod(self, name, address, volumes=(), **pod):
        id_ = f"{self.name}-{name}"
        self.driver.create(
            id_,
            addresses=[{"address": address, "prefix": 32}],
            gateway=self.gateway,
            nameservers=[DNS],
            volumes=list(volumes),
            pod={"cluster": self.name, "node": "n1", **pod},
        )
        self.pods.append(id_)
        return id_

    def proxy(self, **state):
        self.driver.do("cluster-proxy", id=self.name, state=state)

    def drop(self, pod):
        self.driver.delete(pod)
        self.pods.remove(pod)

    def close(self):
        for pod in list(self.pods):
            self.drop(pod)
        self.driver.do("cluster-delete", id=self.name)


@pytest.fixture
def cluster(driver):
    cluster = Cluster(driver, "one", 101)
    assert cluster.new
    yield cluster
    cluster.close()
    assert "one" not in driver.do("cluster-list")["ids"]


@pytest.fixture
def other(driver):
    cluster = Cluster(driver, "two", 102)
    yield cluster
    cluster.close()


def web(cluster, image, name, address, **pod):
    """A pod that answers at 8000 with its name and who asks."""
    box = cluster.pod(name, address, **pod)
    script = f"mkdir -p /www/cgi-bin; cd /www/cgi-bin; printf '#!/bin/sh\\necho; echo {name} $REMOTE_ADDR\\n' > who; chmod 755 who; exec httpd -f -p 0.0.0.0:8000 -h /www"
    cluster.driver.start(box, "web", "sh", "-c", script, image=image)
    wait_until(lambda: cluster.driver.ask("dial", id=box, port=8000, input=GET)["fault"] == "ok", f"{name} answers")
    return box


GET = "GET /cgi-bin/who HTTP/1.0\r\n\r\n"


def service(name, ip, endpoints, port=80, **more):
    return {
        "ns": "default",
        "service": name,
        "port": port,
        "clusterIPs": [ip] if ip else [],
        "endpoints": [{"address": address, "port": 8000, "node": node} for address, node in endpoints],
        **more,
    }


def said(answer):
    """What a pod of web() said, or why not."""
    if answer["fault"] != "ok":
        return answer["message"].split(": ", 1)[-1]
    return answer["out"].replace("\r", "").split("\n\n", 1)[-1].strip()


def dial(cluster, pod, address, port, **more):
    return said(cluster.driver.ask("dial", id=pod, address=address, port=port, input=GET, **more))


def host_dial(address, port, timeout=60):
    """The same from the machine."""
    with socket.create_connection((address, port), timeout=timeout) as conn:
        conn.sendall(GET.encode())
        return conn.makefile().read().split("\n\n", 1)[-1].strip()


# ---- pods ----


def test_pods_of_one_cluster_reach_each_other_and_not_the_others(cluster, other, image):
    one = web(cluster, image, "a", "10.244.0.5")
    web(cluster, image, "b", "10.244.1.5")
    far = web(other, image, "c", "10.244.0.5")
    assert dial(cluster, one, "10.244.1.5", 8000) == "b 10.244.0.5"
    assert dial(other, far, "10.244.0.5", 8000) == "c 10.244.0.5"
    assert dial(other, far, "10.244.1.5", 8000) == "connect: no route to host"


def test_refused(cluster, image):
    box = web(cluster, image, "a", "10.244.0.5")
    assert dial(cluster, box, "127.0.0.1", 9) == "connect: connection refused"


def test_the_wire_between_pods_is_watched(cluster, image):
    """A pod with another's address is not heard."""
    web(cluster, image, "a", "10.244.0.5")
    box = cluster.pod("b", "10.244.0.6")
    cluster.driver.start(box, "app", "sleep", "1000", image=image, privileged=True)
    cluster.driver.exec(box, "app", "sh", "-c", "ip addr add 192.0.2.1/32 dev eth0; ip addr del 10.244.0.6/32 dev eth0")
    answer = cluster.driver.exec(box, "app", "wget", "-T", "2", "-q", "-O", "-", "http://10.244.0.5:8000/cgi-bin/who")
    assert answer["exitCode"] != 0


# ---- services ----


def test_a_service_sends_to_each_of_its_endpoints(cluster, image):
    one, two = web(cluster, image, "a", "10.244.0.5"), web(cluster, image, "b", "10.244.1.5")
    cluster.proxy(ports=[service("web", "10.0.0.50", [("10.244.0.5", "n1"), ("10.244.1.5", "n2")])])
    answers = {dial(cluster, one, "10.0.0.50", 80) for _ in range(40)}
    assert answers == {"a 10.244.0.1", "b 10.244.0.5"}, "itself by the gateway, others as itself"
    assert {dial(cluster, two, "10.0.0.50", 80)[0] for _ in range(40)} == {"a", "b"}
    cluster.proxy(ports=[service("web", "10.0.0.50", [("10.244.1.5", "n2")])])
    assert {dial(cluster, one, "10.0.0.50", 80) for _ in range(10)} == {"b 10.244.0.5"}


def test_a_service_without_endpoints_refuses(cluster, image):
    box = web(cluster, image, "a", "10.244.0.5")
    cluster.proxy(
        nodes=[{"node": "n1", "address": cluster.uplink}],
        ports=[service("web", "10.0.0.50", [], nodePort=30080)],
    )
    assert dial(cluster, box, "10.0.0.50", 80) == "connect: connection refused"
    assert dial(cluster, box, "10.0.0.51", 80) == "connect: connection refused", "no service at all"
    with pytest.raises(ConnectionRefusedError):
        host_dial(cluster.uplink, 30080)


def test_services_of_two_clusters_with_one_address(cluster, other, image):
    one, two = web(cluster, image, "a", "10.244.0.5"), web(other, image, "b", "10.244.0.5")
    for each in (cluster, other):
        each.proxy(ports=[service("web", "10.0.0.50", [("10.244.0.5", "n1")])])
    assert dial(cluster, one, "10.0.0.50", 80) == "a 10.244.0.1"
    assert dial(other, two, "10.0.0.50", 80) == "b 10.244.0.1"


def test_session_affinity_outlives_changes(cluster, image):
    one, _ = web(cluster, image, "a", "10.244.0.5"), web(cluster, image, "b", "10.244.1.5")
    both = [("10.244.0.5", "n1"), ("10.244.1.5", "n2")]
    cluster.proxy(ports=[service("web", "10.0.0.50", both, affinityS=3600)])
    first = dial(cluster, one, "10.0.0.50", 80)
    assert {dial(cluster, one, "10.0.0.50", 80) for _ in range(20)} == {first}
    cluster.proxy(ports=[service("web", "10.0.0.50", both, affinityS=3600), service("more", "10.0.0.51", both)])
    assert {dial(cluster, one, "10.0.0.50", 80) for _ in range(20)} == {first}
    assert len({dial(cluster, one, "10.0.0.51", 80) for _ in range(40)}) == 2


def test_node_ports_and_load_balancers(cluster, driver, image):
    box = web(cluster, image, "a", "10.244.0.5")
    public = driver.range["public"]
    cluster.proxy(
        nodes=[{"node": "n1", "address": cluster.uplink}, {"node": "n2", "address": driver.range["private"]}],
        loadBalancerIPs=[public],
        ports=[service("web", "10.0.0.50", [("10.244.0.5", "n1")], nodePort=30080, loadBalancerIPs=[public])],
    )
    gateway = driver.range["gateway"]
    for address, port in ((cluster.uplink, 30080), (driver.range["private"], 30080), (public, 80)):
        who, seen = host_dial(address, port).split()
        assert who == "a" and seen != cluster.gateway, "the client's own address is seen"
    assert seen == gateway or seen.endswith(".0.1")
    assert dial(cluster, box, public, 80) == "a 10.244.0.1"
    cluster.proxy()
    with pytest.raises(OSError):
        host_dial(public, 80, timeout=2)


def test_source_ranges(cluster, driver, image):
    box = web(cluster, image, "a", "10.244.0.5")
    public = driver.range["public"]
    for ranges, passes in ((["192.0.2.0/24"], False), (["192.0.2.0/24", "10.0.0.0/8"], True)):
        cluster.proxy(
            loadBalancerIPs=[public],
            ports=[service("web", "10.0.0.50", [("10.244.0.5", "n1")], loadBalancerIPs=[public], sourceRanges=ranges)],
        )
        assert dial(cluster, box, public, 80) == "a 10.244.0.1"
        if passes:
            assert host_dial(public, 80).startswith("a ")
        else:
            with pytest.raises(OSError):
                host_dial(public, 80, timeout=2)


def test_local_policy(cluster, driver, image):
    """A node's port leads to that node's own pods, or nowhere."""
    web(cluster, image, "a", "10.244.0.5")
    second = driver.range["private"]
    cluster.proxy(
        nodes=[{"node": "n1", "address": cluster.uplink}, {"node": "n2", "address": second}],
        ports=[service("web", "10.0.0.50", [("10.244.0.5", "n1")], nodePort=30080, localExternal=True)],
    )
    assert host_dial(cluster.uplink, 30080).startswith("a ")
    with pytest.raises(OSError):
        host_dial(second, 30080, timeout=2)


def test_internal_local_policy(cluster, driver, image):
    """A node's pods reach that node's own endpoints, or none."""
    one, two = web(cluster, image, "a", "10.244.0.5"), web(cluster, image, "b", "10.244.1.5")
    far = cluster.pod("c", "10.244.2.5")
    nodes = [("n1", cluster.uplink, 0), ("n2", driver.range["private"], 1), ("n3", driver.range["private"][:-1] + "8", 2)]
    cluster.proxy(
        nodes=[{"node": node, "address": address, "podCidr": f"10.244.{n}.0/24"} for node, address, n in nodes],
        ports=[service("web", "10.0.0.50", [("10.244.0.5", "n1"), ("10.244.1.5", "n2")], localInternal=True)],
    )
    assert {dial(cluster, one, "10.0.0.50", 80)[0] for _ in range(20)} == {"a"}
    assert {dial(cluster, two, "10.0.0.50", 80)[0] for _ in range(20)} == {"b"}
    assert dial(cluster, far, "10.0.0.50", 80, timeoutMs=1500) == "i/o timeout"


def test_host_ports_and_the_nodes_own_network(cluster, image):
    box = web(cluster, image, "a", "10.244.0.5")
    node = cluster.pod("node", "10.244.0.9", hostNetwork=True)
    cluster.proxy(
        nodes=[{"node": "n1", "address": cluster.uplink}],
        hostPorts=[
            {"nodeAddress": cluster.uplink, "hostPort": 8088, "podPort": 8000, "podAddress": "10.244.0.5"},
            {"nodeAddress": cluster.uplink, "hostIP": "127.0.0.1", "hostPort": 8089, "podPort": 8000, "podAddress": "10.244.0.5"},
        ],
        ports=[service("web", "10.0.0.50", [("10.244.0.5", "n1")])],
    )
    assert host_dial(cluster.uplink, 8088).startswith("a ")
    assert dial(cluster, box, cluster.uplink, 8088) == "a 10.244.0.1"
    assert dial(cluster, node, "127.0.0.1", 8089) == "a 10.244.0.1"
    assert dial(cluster, node, "10.0.0.50", 80) == f"a {cluster.uplink}"
    cluster.driver.start(node, "web", "sh", "-c", "mkdir /www; echo node > /www/who; exec httpd -f -p 0.0.0.0:9000 -h /www", image=image)
    get = "GET /who HTTP/1.0\r\n\r\n"
    wait_until(lambda: said(cluster.driver.ask("dial", id=box, address=cluster.uplink, port=9000, input=get)) == "node", "the node answers")


def test_the_server_listens_within(cluster, other, image):
    box = cluster.pod("a", "10.244.0.5")
    cluster.driver.do("cluster-listen", id=cluster.name, port=6443)
    cluster.proxy(ports=[{**service("kubernetes", "10.0.0.1", [], port=443), "endpoints": [{"address": cluster.uplink, "port": 6443}]}])
    assert dial(cluster, box, "10.0.0.1", 443) == "hello from the server"
    assert said(cluster.driver.ask("cluster-dial", id=cluster.name, address="10.0.0.1", port=443)) == "hello from the server"
    far = other.pod("a", "10.244.0.5")
    assert dial(other, far, "10.0.0.1", 443) == "connect: connection refused"
    assert dial(other, far, cluster.uplink, 6443) == "connect: connection refused", "another cluster's node"


def test_nobody_outside_reaches_pods_or_services(cluster, image):
    """Not by a route over the uplink either."""
    web(cluster, image, "a", "10.244.0.5")
    cluster.proxy(ports=[service("web", "10.0.0.50", [("10.244.0.5", "n1")])])
    bridge = f"sd{data_id(cluster.driver.folder)}"
    for address, port in (("10.244.0.5", 8000), ("10.0.0.50", 80), (DNS, 53)):
        route = ["ip", "route", "add", f"{address}/32", "via", cluster.uplink, "dev", bridge]
        subprocess.run(route, check=True)
        try:
            with pytest.raises(OSError):
                host_dial(address, port, timeout=1)
        finally:
            subprocess.run([*route[:2], "del", *route[3:]], check=True)


def test_the_machines_own_services_are_out_of_reach(cluster, driver, image):
    box = cluster.pod("a", "10.244.0.5")
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        for address in (driver.range["gateway"], cluster.uplink, "127.0.0.1", cluster.gateway):
            assert dial(cluster, box, address, port, timeoutMs=1500) in ("i/o timeout", "connect: connection refused")


@pytest.mark.parametrize(
    "state",
    [
        {"loadBalancerIPs": ["192.0.2.1"]},
        {"loadBalancerIPs": ["127.0.0.1"]},
        {"nodes": [{"node": "n", "address": "8.8.8.8"}]},
        {"nodes": [{"node": 'n" drop', "address": "10.213.128.9"}]},
        {"ports": [service("x", "10.0.0.9; flush ruleset", [])]},
        {"ports": [service('x" ; }', "10.0.0.9", [])]},
        {"ports": [service("x", "10.0.0.9", [], sourceRanges=["10.0.0.0/33"])]},
        {"ports": [service("x", "10.0.0.9", [], port=0)]},
        {"hostPorts": [{"nodeAddress": "10.213.128.9", "hostPort": 70000, "podPort": 1, "podAddress": "10.244.0.5"}]},
    ],
)
def test_root_believes_nothing(cluster, state):
    assert cluster.driver.ask("cluster-proxy", id=cluster.name, state=state)["fault"] == "invalid"


@pytest.mark.parametrize(
    "change", [{"podCidr": "10.244.0.1/16"}, {"podCidr": "10.0.0.0/8"}, {"dnsIp": "10.1.0.10"}, {"uplinkIndex": 40000}, {"id": "../x"}, {"podCidr": "the machine's"}]
)
def test_networks_that_cannot_be(driver, change):
    if change.get("podCidr") == "the machine's":
        change = {"podCidr": ".".join(driver.range["private"].split(".")[:2]) + ".0.0/16"}
    spec = {"id": "bad", "podCidr": PODS, "serviceCidr": SERVICES, "dnsIp": DNS, "uplinkIndex": 3, **change}
    assert driver.ask("cluster-up", **spec)["fault"] == "invalid"
    assert "bad" not in driver.do("cluster-list")["ids"]


# ---- DNS ----

A, CNAME, SOA, PTR, AAAA, SRV = 1, 5, 6, 12, 28, 33
NAMES = {
    "web.default.svc.cluster.local": [{"type": A, "target": "10.0.0.50"}],
    "headless.default.svc.cluster.local": [{"type": A, "target": f"10.244.{n >> 8}.{n & 255}"} for n in range(300)],
    "ext.default.svc.cluster.local": [{"type": CNAME, "target": "example.test"}],
    "_http._tcp.web.default.svc.cluster.local": [{"type": SRV, "target": "web.default.svc.cluster.local", "port": 80}],
    "50.0.0.10.in-addr.arpa": [{"type": PTR, "target": "web.default.svc.cluster.local"}],
}


def query(name, type_, edns=0):
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"
    extra = struct.pack(">BHHIH", 0, 41, edns, 0, 0) if edns else b""
    return struct.pack(">HHHHHH", 4242, 0x0100, 1, 0, 0, 1 if edns else 0) + labels + struct.pack(">HH", type_, 1) + extra


def name_at(data, at):
    parts, end = [], 0
    while data[at]:
        if data[at] >= 192:
            end = end or at + 2
            at = struct.unpack(">H", data[at : at + 2])[0] & 0x3FFF
            continue
        parts.append(data[at + 1 : at + 1 + data[at]].decode())
        at += 1 + data[at]
    return ".".join(parts), end or at + 1


def records(data):
    """(code, truncated, answers as (type, text), types of authority)."""
    id_, flags, questions, n, authority, _ = struct.unpack(">HHHHHH", data[:12])
    assert id_ == 4242 and flags & 0x8000 and questions == 1
    at = name_at(data, 12)[1] + 4
    answers, types = [], []
    for i in range(n + authority):
        at = name_at(data, at)[1]
        type_, _, ttl, size = struct.unpack(">HHIH", data[at : at + 10])
        at += 10
        text = data[at : at + size]
        if type_ == A:
            text = socket.inet_ntoa(text)
        elif type_ in (CNAME, PTR):
            text = name_at(data, at)[0]
        elif type_ == SRV:
            text = (struct.unpack(">HHH", text[:6])[2], name_at(data, at + 6)[0])
        at += size
        (answers if i < n else types).append((type_, text) if i < n else type_)
    return flags & 15, bool(flags & 0x0200), answers, types


ASK = """
import socket, sys
query = bytes.fromhex(sys.argv[2])
if sys.argv[1] == 'udp':
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(60); s.sendto(query, ('%s', 53)); out = s.recv(65535)
else:
    s = socket.create_connection(('%s', 53), 60); s.sendall(len(query).to_bytes(2, 'big') + query); f = s.makefile('rb')
    out = f.read(int.from_bytes(f.read(2), 'big'))
print(out.hex())
""" % (DNS, DNS)


def within(cluster, box, *command):
    """A program of this machine in a pod's network."""
    pid = cluster.driver.state(box, "app")["pid"]
    return subprocess.run(["nsenter", "-t", str(pid), "-n", *command], check=True, capture_output=True, text=True).stdout


def resolve(cluster, box, name, type_, way="udp", **more):
    return records(bytes.fromhex(within(cluster, box, "/usr/bin/python3", "-c", ASK, way, query(name, type_, **more).hex())))


@pytest.fixture
def resolving(cluster, image):
    box = cluster.pod("a", "10.244.0.5")
    cluster.driver.start(box, "app", "sleep", "1000", image=image)
    cluster.driver.do("cluster-dns", id=cluster.name, names=NAMES)
    return cluster, box


def test_dns_answers(resolving):
    ok, nxdomain = 0, 3
    name = "web.default.svc.cluster.local"
    assert resolve(*resolving, name, A) == (ok, False, [(A, "10.0.0.50")], [])
    assert resolve(*resolving, name.upper(), A) == (ok, False, [(A, "10.0.0.50")], [])
    assert resolve(*resolving, name, AAAA) == (ok, False, [], [SOA]), "it is there, without such an address"
    assert resolve(*resolving, f"no.{name}", A) == (nxdomain, False, [], [SOA])
    assert resolve(*resolving, "ext.default.svc.cluster.local", A) == (ok, False, [(CNAME, "example.test")], [])
    assert resolve(*resolving, f"_http._tcp.{name}", SRV) == (ok, False, [(SRV, (80, name))], [])
    assert resolve(*resolving, "50.0.0.10.in-addr.arpa", PTR) == (ok, False, [(PTR, name)], [])
    assert resolve(*resolving, "51.0.0.10.in-addr.arpa", PTR) == (nxdomain, False, [], [SOA])


def test_dns_long_answers(resolving):
    name = "headless.default.svc.cluster.local"
    assert resolve(*resolving, name, A)[1:3] == (True, [])
    assert resolve(*resolving, name, A, edns=4096)[1:3] == (True, [])
    code, truncated, answers, _ = resolve(*resolving, name, A, way="tcp")
    assert (code, truncated, len(answers)) == (0, False, 300)


def test_dns_by_programs(resolving):
    cluster, box = resolving
    answer = cluster.driver.exec(box, "app", "nslookup", "web.default.svc.cluster.local")
    assert "10.0.0.50" in answer["out"] and answer["exitCode"] == 0


def test_dns_after_it_was_opened_again(resolving):
    cluster, box = resolving
    cluster.driver.do("cluster-dns", id=cluster.name, names={"new.cluster.local": [{"type": A, "target": "10.0.0.9"}]})
    assert resolve(*resolving, "new.cluster.local", A)[2] == [(A, "10.0.0.9")]
    assert resolve(*resolving, "web.default.svc.cluster.local", A)[0] == 3


# ---- UDP ----

SERVE = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('0.0.0.0', 8000)); print('up', flush=True)
while True:
    s.sendto(sys.argv[1].encode(), s.recvfrom(99)[1])
"""
CALL = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(60)
for line in sys.stdin:
    s.sendto(b'x', ('10.0.0.60', 53)); print(s.recv(99).decode(), flush=True)
"""


def test_who_goes_on_sending_is_sent_elsewhere(cluster, image):
    """UDP knows no connection: only the kernel does, and it is told when an endpoint goes."""
    started = []
    for name, address in (("a", "10.244.0.5"), ("b", "10.244.0.6"), ("c", "10.244.0.7")):
        box = cluster.pod(name, address)
        cluster.driver.start(box, "app", "sleep", "1000", image=image)
        command = ["nsenter", "-t", str(cluster.driver.state(box, "app")["pid"]), "-n", "/usr/bin/python3", "-c"]
        command += [CALL] if name == "c" else [SERVE, name]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    try:
        assert [each.stdout.readline() for each in started[:2]] == ["up\n", "up\n"]
        for name, address in (("a", "10.244.0.5"), ("b", "10.244.0.6"), ("a", "10.244.0.5")):
            cluster.proxy(ports=[service("udp", "10.0.0.60", [(address, "n1")], port=53, udp=True)])
            started[2].stdin.write("\n")
            started[2].stdin.flush()
            assert started[2].stdout.readline() == f"{name}\n"
    finally:
        for each in started:
            each.kill()
            each.communicate()


# ---- ends ----


def holder_pid(cluster):
    with open(f"/run/sundog-{data_id(cluster.driver.folder)}/n/{cluster.name}/pid") as file:
        return int(file.read().split()[0])


def test_a_killed_holder_is_made_anew(cluster, image):
    box = web(cluster, image, "a", "10.244.0.5")
    os.kill(holder_pid(cluster), 9)
    wait_until(lambda: cluster.driver.ask("cluster-dial", id=cluster.name, address="10.244.0.5", port=8000)["fault"] == "gone", "it is gone")
    assert cluster.up().new
    cluster.drop(box)
    box = web(cluster, image, "a", "10.244.0.5")
    cluster.proxy(nodes=[{"node": "n1", "address": cluster.uplink}], ports=[service("web", "10.0.0.50", [("10.244.0.5", "n1")], nodePort=30080)])
    assert dial(cluster, box, "10.0.0.50", 80) == "a 10.244.0.1"
    assert host_dial(cluster.uplink, 30080).startswith("a ")


def test_a_pod_without_a_network_is_not_made(driver):
    answer = driver.ask("create", spec={"id": "lost", "hostname": "x", "pod": {"cluster": "nowhere"}})
    assert (answer["fault"], answer["message"]) == ("unavailable", "the network of the cluster is not there")
    assert "lost" not in driver.do("list")["ids"]


def test_everything_outlives_the_server(place):
    """kill -9 of the server: pods, services and holder go on; the next one finds them."""
    folder, image = place
    first = Driver(folder)
    first.__enter__()
    first.do("network-up")
    cluster = Cluster(first, "stays", 111)
    box = web(cluster, image, "a", "10.244.0.5")
    cluster.proxy(nodes=[{"node": "n1", "address": cluster.uplink}], ports=[service("web", "10.0.0.50", [("10.244.0.5", "n1")], nodePort=30080)])
    first.kill()
    assert host_dial(cluster.uplink, 30080).startswith("a ")
    with Driver(folder) as second:
        second.do("network-up")
        cluster.driver = second
        assert not cluster.up().new
        assert dial(cluster, box, "10.0.0.50", 80) == "a 10.244.0.1"
        second.do("cluster-dns", id="stays", names=NAMES)
        cluster.close()


def test_purge_ends_networks(place):
    folder, image = place
    first = Driver(folder)
    first.__enter__()
    first.do("network-up")
    cluster = Cluster(first, "purged", 112)
    web(cluster, image, "a", "10.244.0.5")
    first.kill()
    with open(f"{folder}/lock", "a"):
        pass  # as of a folder that was served
    subprocess.run([program(), "purge", "--data", folder], check=True, timeout=120)
    assert left(folder) == []
    assert not os.path.exists(f"/run/sundog-{data_id(folder)}")
