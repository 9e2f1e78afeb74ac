"""What sandboxes of Kubernetes pods have besides (instances/sandbox_pod.h), with real containers."""

import base64
import os

import pytest

from harness.machine import need
from harness.sandbox import Driver, busybox_root, container, data_with
from harness.server import wait_until

EMPTY, MEMORY, ATOMIC, NODE = 0, 1, 5, 6
NETWORK = {"podCidr": "10.244.0.0/16", "serviceCidr": "10.0.0.0/16", "dnsIp": "10.0.0.10", "uplinkIndex": 50}


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
        driver.do("network-up")
        driver.do("cluster-up", id="pods", **NETWORK)
        yield driver
        driver.do("cluster-delete", id="pods")


@pytest.fixture
def pod(driver):
    """Makes pods; they end with the test."""
    made = []

    def make(name="pod", address="10.244.0.5", volumes=(), pod=None, **spec):
        spec = {"addresses": [{"address": address, "prefix": 32}], "gateway": "10.244.0.1", **spec}
        driver.create(name, volumes=list(volumes), pod={"cluster": "pods", "node": "node-1", **(pod or {})}, **spec)
        made.append(name)
        return name

    yield make
    for name in made:
        driver.delete(name)
    driver.do("node-remove", cluster="pods")


def files(*entries):
    """(path, content[, more]) each."""
    return [
        {"path": path, "content": base64.b64encode(text.encode()).decode(), **(more[0] if more else {})}
        for path, text, *more in entries
    ]


def atomic(name, *entries, **more):
    return {"name": name, "kind": ATOMIC, "files": files(*entries), **more}


# ---- files that are replaced ----


def test_files_as_kubelet_lays_them_out(driver, pod, image):
    box = pod(volumes=[atomic("c", ("a", "one", {"mode": 0o640}), ("d/b", "two"))])
    mounts = [{"volume": "c", "path": "/c", "readOnly": True}]
    said = driver.run(box, "app", "cat /c/a /c/d/b; readlink /c/a; readlink /c/d; stat -c %a /c/..data/a; touch /c/x", image, mounts=mounts)[1]
    assert said.startswith("onetwo..data/a\n..data/d\n640\n")
    assert "Read-only file system" in said


def test_files_are_replaced(driver, pod, image):
    box = pod(volumes=[atomic("c", ("a", "1"), ("b", "1"))])
    driver.start(box, "app", "sleep", "1000", image=image, mounts=[{"volume": "c", "path": "/c", "readOnly": True}])
    for i in range(2, 6):
        driver.do("files", id=box, volume=atomic("c", ("a", f"{i} "), ("b", str(i)), ("d/e", "")))
        assert driver.exec(box, "app", "sh", "-c", "cat /c/a /c/b; ls -A /c | wc -l")["out"] == f"{i} {i}5\n"


def test_the_same_files_change_nothing(driver, pod, image):
    box = pod(volumes=[atomic("c", ("a", "1"))])
    mounts = [{"volume": "c", "path": "/c", "readOnly": True}]
    driver.start(box, "app", "sleep", "1000", image=image, mounts=mounts)
    before = driver.exec(box, "app", "readlink", "/c/..data")["out"]
    driver.do("files", id=box, volume=atomic("c", ("a", "1")))
    assert driver.exec(box, "app", "readlink", "/c/..data")["out"] == before
    driver.do("files", id=box, volume=atomic("c", ("b", "1")))
    assert driver.exec(box, "app", "ls", "/c")["out"] == "b\n"


def test_one_file_of_a_volume(driver, pod, image):
    """It stays as it was: subPath mounts are not updated."""
    box = pod(volumes=[atomic("c", ("a", "one"))])
    mounts = [{"volume": "c", "path": "/etc/deep/conf", "subPath": "a", "readOnly": True}]
    driver.start(box, "app", "sleep", "1000", image=image, mounts=mounts)
    driver.do("files", id=box, volume=atomic("c", ("a", "two")))
    assert driver.exec(box, "app", "cat", "/etc/deep/conf")["out"] == "one"


@pytest.mark.parametrize("volume", [{"kind": EMPTY}, {"kind": MEMORY, "sizeBytes": 1 << 20}])
def test_groups_of_volumes(driver, pod, image, volume):
    box = pod(volumes=[{"name": "v", **volume, "fsGroup": 4242}, atomic("c", ("a", "secret", {"mode": 0o400}), fsGroup=4242)])
    mounts = [{"volume": "v", "path": "/v"}, {"volume": "c", "path": "/c", "readOnly": True}]
    who = {"runAsUser": 77, "runAsGroup": 88, "groups": [4242]}
    said = driver.run(box, "app", "stat -c '%a %g' /v; touch /v/f; stat -c '%u %g' /v/f; cat /c/a; id -G", image, mounts=mounts, **who)[1]
    assert said == "2777 4242\n77 4242\nsecret88 4242\n"


def test_volumes_without_a_group(driver, pod, image):
    box = pod(volumes=[{"name": "v", "kind": EMPTY}, {"name": "m", "kind": MEMORY}])
    mounts = [{"volume": "v", "path": "/v"}, {"volume": "m", "path": "/m"}]
    script = "stat -c %a /v /m; cp /bin/busybox /m/sh; /m/sh -c true && echo ran; grep ' /m ' /proc/mounts | cut -d' ' -f3"
    assert driver.run(box, "app", script, image, mounts=mounts, runAsUser=77)[1] == "777\n777\nran\ntmpfs\n"


# ---- paths of the node ----


def node_volume(path, type_=""):
    return {"name": "h", "kind": NODE, "path": path, "pathType": type_}


def test_a_nodes_path_is_never_the_machines(driver, pod, place, image):
    """What one pod leaves another finds, on the same node alone, until the node is removed."""
    mounts = [{"volume": "h", "path": "/h"}]
    one = pod("one", volumes=[node_volume("/etc")])
    assert driver.run(one, "app", "ls /h; echo kept > /h/file", image, mounts=mounts) == (0, "")
    two = pod("two", "10.244.0.6", volumes=[node_volume("/etc/")])
    assert driver.run(two, "app", "cat /h/file", image, mounts=mounts)[1] == "kept\n"
    far = pod("far", "10.244.0.7", volumes=[node_volume("/etc")], pod={"node": "node-2"})
    assert driver.run(far, "app", "ls /h", image, mounts=mounts)[1] == ""
    with open(f"{place[0]}/nodes/pods/node-1/etc/file") as file:
        assert file.read() == "kept\n"
    for name in (one, two, far):
        driver.delete(name)
    driver.do("node-remove", cluster="pods", node="node-1")
    assert os.listdir(f"{place[0]}/nodes/pods") == ["node-2"]


def test_a_nodes_links_stay_within(driver, pod, place, image):
    mounts = [{"volume": "h", "path": "/h"}]
    one = pod("one", volumes=[node_volume("/")])
    driver.run(one, "app", "ln -s /etc /h/out; ln -s ../../../../../etc /h/up; mkdir /h/etc; echo node > /h/etc/who", image, mounts=mounts)
    for i, path in enumerate(("/out", "/up", "/out/who")):
        box = pod(f"p{i}", f"10.244.0.{10 + i}", volumes=[node_volume(path)])
        assert driver.run(box, "app", "cat /h/who 2>/dev/null || cat /h", image, mounts=mounts)[1] == "node\n"


@pytest.mark.parametrize(
    "path, type_, why",
    [
        ("/no", "Directory", "hostPath type check failed: /no is not a directory"),
        ("/no", "File", "hostPath type check failed: /no is not a file"),
        ("/made", "File", "hostPath type check failed: /made is not a file"),
        ("/made", "Socket", "hostPath type check failed: /made is not a socket file"),
        ("/made", "BlockDevice", "hostPath type check failed: /made is not a block device"),
        ("/file", "DirectoryOrCreate", "hostPath type check failed: /file is not a directory"),
        ("/made", "Nonsense", '"Nonsense" is no type of a hostPath'),
    ],
)
def test_types_of_a_nodes_path(driver, pod, path, type_, why):
    pod("made", volumes=[node_volume("/made", "DirectoryOrCreate")])
    pod("file", "10.244.0.6", volumes=[node_volume("/file", "FileOrCreate")])
    spec = {"id": "bad", "hostname": "x", "pod": {"cluster": "pods", "node": "node-1"}, "volumes": [node_volume(path, type_)]}
    answer = driver.ask("create", spec=spec)
    assert (answer["fault"], answer["message"]) == ("invalid", why)
    assert "bad" not in driver.do("list")["ids"]


def test_a_file_of_the_node(driver, pod, image):
    box = pod(volumes=[node_volume("/etc-file", "FileOrCreate")])
    assert driver.run(box, "app", "echo said > /conf; cat /conf", image, mounts=[{"volume": "h", "path": "/conf"}])[1] == "said\n"
    again = pod("again", "10.244.0.6", volumes=[node_volume("/etc-file", "File")])
    assert driver.run(again, "app", "cat /conf", image, mounts=[{"volume": "h", "path": "/conf"}])[1] == "said\n"


# ---- how it ended ----


@pytest.mark.parametrize(
    "script, message",
    [("echo bye > /dev/termination-log", "bye\n"), ("true", ""), ("yes ä | head -c 9000 > /dev/termination-log", None), ("rm -f /dev/termination-log", "")],
)
def test_the_message_it_leaves(driver, pod, image, script, message):
    box = pod()
    driver.run(box, "app", script, image, terminationPath="/dev/termination-log")
    found = driver.state(box, "app")["message"]
    if message is None:
        assert len(found.encode()) in range(4093, 4097) and set(found) == {"ä", "\n"}
    else:
        assert found == message


def test_the_message_is_of_the_last_attempt(driver, pod, image):
    box = pod()
    for attempt, script in enumerate(("echo one > /log/end", "true")):
        driver.run(box, "app", script, image, attempt=attempt, terminationPath="/log/end")
    assert driver.state(box, "app")["message"] == ""


# ---- in common ----


def test_what_containers_have_in_common(driver, pod, image):
    box = pod(hostname="web-0")
    script = "hostname; echo here > /dev/shm/x; readlink /proc/self/ns/ipc > /dev/shm/ipc"
    driver.run(box, "one", script, image)
    said = driver.run(box, "two", "hostname; cat /dev/shm/x; [ $(cat /dev/shm/ipc) = $(readlink /proc/self/ns/ipc) ] && echo same; ps | wc -l", image)[1]
    assert said.startswith("web-0\nhere\nsame\n") and int(said.splitlines()[3]) <= 5, "but not their processes"


def test_processes_in_common(driver, pod, image):
    box = pod(pod={"shareProcesses": True})
    driver.start(box, "one", "sleep", "4321", image=image)
    said = driver.run(box, "two", "ps -o pid,comm,args; echo $$", image)[1]
    assert "1 pause" in " ".join(said.split()) and "sleep 4321" in said
    assert "sleep 4321" in driver.exec(box, "one", "ps")["out"]
    driver.do("signal", id=box, name="one", signal=9)
    assert driver.wait(box, "one")["exitCode"] == 137


def test_hosts_file_and_sysctls(driver, pod, image):
    sysctls = [{"name": "kernel.shm_rmid_forced", "value": "1"}, {"name": "net.ipv4.ip_local_port_range", "value": "30000 40000"}]
    box = pod(pod={"hostsFile": "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n", "sysctls": sysctls})
    said = driver.run(box, "app", "cat /etc/hosts /proc/sys/kernel/shm_rmid_forced /proc/sys/net/ipv4/ip_local_port_range", image)[1]
    assert said == "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n1\n30000\t40000\n"
    with open("/proc/sys/kernel/shm_rmid_forced") as file:
        assert file.read() == "0\n", "the machine's own"


@pytest.mark.parametrize(
    "sysctl, host_network, why",
    [
        ("kernel.panic", False, 'forbidden sysctl: "kernel.panic" not allowlisted'),
        ("../../../etc/passwd", False, 'forbidden sysctl: "../../../etc/passwd" not allowlisted'),
        ("net.ipv4.tcp_syncookies", True, 'forbidden sysctl: "net.ipv4.tcp_syncookies" not allowed with host net enabled'),
    ],
)
def test_sysctls_that_are_not_allowed(driver, sysctl, host_network, why):
    spec = {"cluster": "pods", "hostNetwork": host_network, "sysctls": [{"name": sysctl, "value": "1"}]}
    answer = driver.ask("create", spec={"id": "bad", "hostname": "x", "pod": spec})
    assert (answer["fault"], answer["message"]) == ("forbidden", why)
    assert "bad" not in driver.do("list")["ids"]


# ---- rights ----


@pytest.mark.parametrize(
    "spec, why",
    [
        ({}, "container has runAsNonRoot and image will run as root"),
        ({"user": "0"}, "container has runAsNonRoot and image will run as root"),
        ({"user": "app:www"}, "container has runAsNonRoot and image has non-numeric user (app), cannot verify user is non-root"),
        ({"runAsUser": 0}, "container's runAsUser breaks non-root policy"),
        ({"user": "1234:0"}, None),
        ({"user": "root", "runAsUser": 7}, None),
    ],
)
def test_not_as_root(driver, pod, image, spec, why):
    box = pod()
    answer = driver.ask("start", id=box, spec=container("app", image, ["true"], runAsNonRoot=True, **spec))
    assert (answer["fault"], answer.get("message")) == (("invalid", why) if why else ("ok", None))


def test_weights_and_order_of_death(driver, pod, image):
    box = pod(cpuShares=204)
    said = driver.run(box, "app", "cat /proc/self/oom_score_adj", image, oomScoreAdj=987, cpuShares=2)[1]
    assert said == "987\n"


# ---- while it runs ----


def test_limits_that_change(driver, pod, image):
    """What it may have before it is killed for it grows and shrinks."""
    box = pod()
    eat = "trap '' TERM; while :; do :; done & x=$(head -c 60000000 /dev/zero | tr '\\0' x); echo ate; wait"
    driver.start(box, "app", "sh", "-c", eat, image=image, memoryBytes=400 << 20, cpuMillis=500)
    wait_until(lambda: driver.log(box, "app") == "ate\n", "it ate")
    driver.do("resize", id=box, name="app", memoryBytes=800 << 20, cpuMillis=1000, cpuShares=512)
    driver.do("resize", id=box, memoryBytes=900 << 20)
    assert driver.do("stats", id=box)["memoryBytes"] > 50 << 20
    assert driver.ask("resize", id=box, name="nobody", cpuMillis=1)["fault"] == "not found"


def test_standard_input_once(driver, pod, image):
    """With the first that closes it comes its end."""
    box = pod()
    driver.start(box, "app", "cat", image=image, stdinOpen=True, stdinOnce=True)
    driver.do("stdin", id=box, name="app", input="said\n")
    assert driver.wait(box, "app")["exitCode"] == 0
    assert driver.log(box, "app") == "said\n"


def test_connections_into_it(driver, pod, image):
    box = pod()
    driver.start(box, "app", "sh", "-c", "mkdir /www; echo hello > /www/f; exec httpd -f -p 127.0.0.1:8000 -h /www", image=image)
    wait_until(lambda: driver.ask("dial", id=box, port=8000, input="GET /f HTTP/1.0\r\n\r\n").get("out", "").endswith("hello\n"), "it answers")
    answer = driver.ask("dial", id=box, port=8001)
    assert (answer["fault"], answer["message"]) == ("unavailable", "dial tcp 127.0.0.1:8001: connect: connection refused")
    assert driver.ask("dial", id="nobody", port=8001)["fault"] == "gone"
