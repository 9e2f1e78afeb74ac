"""Logs, exec, attach, cp and port-forward with every kubectl of this machine (SPDY up to 1.29, WebSockets since) and
the Python client, in pods that run."""

import os
import random
import re
import socket
import subprocess
import threading
import urllib.request

import pytest

from harness import web
from harness.clusters import Clusters, kubectls
from harness.containers import push_shell
from harness.machine import need
from harness.server import HANG_S, fresh_folder, wait_until
from harness.terminal import in_terminal

IMAGE = "sundog.azurecr.io/busybox:1"


def container(script, name="main", **more):
    return {"name": name, "image": IMAGE, "command": ["/bin/sh", "-c", script], **more}


def pod(name, *containers):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": list(containers)}}


def running(kubectl, name):
    wait_until(lambda: kubectl.json("pod", name)["status"]["phase"] == "Running", f"{name} runs")


@pytest.fixture(scope="module")
def clusters(sundog):
    need("root", "crun", "mount")
    push_shell(web.by_path(sundog))
    return Clusters(sundog)


@pytest.fixture(scope="module")
def cluster(clusters):
    made = clusters.create()
    yield made
    clusters.remove(made)


@pytest.fixture(scope="module")
def newest(clusters, cluster):
    kubectl = clusters.kubectl(cluster, namespace="default")
    kubectl.apply(pod("shell", container("httpd -p 80 -h /bin; nc -ll -p 7 -e cat & exec sleep 100000")))
    kubectl.apply(pod("two", container("exec sleep 100000", "a"), container("exec sleep 100000", "b")))
    running(kubectl, "shell")
    running(kubectl, "two")
    wait_until(lambda: {"7", "80"} <= set(re.findall(r":(\d+) .*LISTEN", kubectl("exec", "shell", "--", "netstat", "-ltn"))),
               "its servers listen")
    return kubectl


@pytest.fixture(scope="module", params=sorted(kubectls()))
def kubectl(request, clusters, cluster, newest):
    """Each kubectl in turn."""
    return clusters.kubectl(cluster, kubectls()[request.param], "default")


# exec


def test_exec_says_what_the_command_says(kubectl):
    done = kubectl.run("exec", "shell", "--", "sh", "-c", "echo out; echo err >&2")
    assert (done.stdout, done.stderr) == ("out\n", "err\n")


def test_exec_ends_as_the_command_does(kubectl):
    done = kubectl.run("exec", "shell", "--", "sh", "-c", "echo x; exit 7", check=False)
    assert (done.returncode, done.stdout) == (7, "x\n")
    assert "command terminated with exit code 7" in done.stderr


def test_exec_of_what_is_not_there(kubectl):
    done = kubectl.run("exec", "shell", "--", "nosuch", check=False)
    assert done.returncode != 0
    assert '"nosuch": executable file not found in $PATH' in done.stderr


def test_exec_reads_to_the_end_of_its_input(kubectl):
    text = "".join(f"line {n}\n" for n in range(100000))
    done = kubectl.run("exec", "-i", "shell", "--", "sh", "-c", "sleep 1; wc -c; echo done", stdin=text)
    assert done.stdout.split() == [str(len(text)), "done"]


def test_exec_prints_much(kubectl):
    done = kubectl.run("exec", "shell", "--", "sh", "-c", "yes 0123456789 | head -n 500000")
    assert done.stdout == "0123456789\n" * 500000


def test_exec_in_a_terminal(kubectl):
    shown = in_terminal(kubectl.command("exec", "-it", "shell", "--", "sh"), kubectl.env(), kubectl.folder,
                        [("#", "stty size; echo a$((40+2))b\n"), ("a42b", "exit\n")], size=(33, 99))
    assert "33 99" in shown


def test_exec_needs_a_container_of_several(newest):
    def said(*args):
        return newest.run("exec", *args, check=False).stderr
    assert newest("exec", "two", "-c", "b", "--", "hostname") == "two\n"
    assert "container nosuch is not valid for pod two" in said("two", "-c", "nosuch", "--", "true")
    assert 'pods "nosuch" not found' in said("nosuch", "--", "true")


def test_a_client_that_leaves_takes_its_command_along(kubectl):
    mark = f"sleep {random.randrange(10**5, 10**6)}"
    process = subprocess.Popen(kubectl.command("exec", "shell", "--", "sh", "-c", f"echo on; exec {mark}"),
                               stdout=subprocess.PIPE, env=kubectl.env())
    assert process.stdout.readline() == b"on\n"
    assert mark in kubectl("exec", "shell", "--", "ps")
    process.kill()
    process.wait(HANG_S)
    process.stdout.close()
    wait_until(lambda: mark not in kubectl("exec", "shell", "--", "ps"), "the command is gone")


def test_exec_is_for_who_may(newest):
    def said(*args):
        return newest.run("--as=nobody", *args, check=False).stderr
    newest("create", "clusterrole", "looker", "--verb=get", "--resource=pods")
    newest("create", "clusterrolebinding", "looker", "--clusterrole=looker", "--user=nobody")
    assert 'User "nobody" cannot get resource "pods/log"' in said("logs", "shell")
    assert 'resource "pods/exec"' in said("exec", "shell", "--", "true")
    assert 'resource "pods/attach"' in said("attach", "shell")
    assert 'resource "pods/portforward"' in said("port-forward", "shell", ":80")


def test_a_cluster_that_goes_ends_what_goes_on(clusters):
    cluster = clusters.create()
    kubectl = clusters.kubectl(cluster, namespace="default")
    kubectl.apply(pod("shell", container("echo on; exec sleep 100000")))
    running(kubectl, "shell")
    with Forward(kubectl, "pod/shell", 80) as forward:
        going = [subprocess.Popen(kubectl.command(*args), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  env=kubectl.env())
                 for args in (["logs", "-f", "shell"], ["exec", "shell", "--", "sh", "-c", "echo on; sleep 100000"])]
        for process in going:
            assert process.stdout.readline() == b"on\n"
        clusters.remove(cluster)
        for process in going:
            process.wait(HANG_S)
            process.stdout.close()
        forward.process.wait(HANG_S)


# cp


def test_cp_there_and_back(kubectl):
    data = os.urandom(20 << 20)
    folder = fresh_folder("cp")
    with open(f"{folder}/there", "wb") as file:
        file.write(data)
    kubectl("cp", f"{folder}/there", "shell:/tmp/there")
    kubectl("cp", "shell:/tmp/there", f"{folder}/back")
    with open(f"{folder}/back", "rb") as file:
        assert file.read() == data
    kubectl("exec", "shell", "--", "rm", "/tmp/there")


# port-forward


def fetched(url):
    with urllib.request.urlopen(url, timeout=HANG_S) as answer:
        return answer.read()


class Forward:
    def __init__(self, kubectl, target, port):
        self.process = subprocess.Popen(kubectl.command("port-forward", target, f":{port}"), stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, env=kubectl.env(), text=True)
        line = self.process.stdout.readline()
        assert "Forwarding from 127.0.0.1:" in line, line
        self.port = int(line.split("127.0.0.1:")[1].split()[0])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(HANG_S)
        self.process.stdout.close()


def test_port_forward_carries_connections(kubectl):
    with open("/bin/busybox", "rb") as file:
        wanted = file.read()
    got = []

    def fetch(port):
        got.append(fetched(f"http://127.0.0.1:{port}/busybox") == wanted)
    with Forward(kubectl, "pod/shell", 80) as forward:
        threads = [threading.Thread(target=fetch, args=[forward.port]) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(HANG_S)
    assert got == [True] * 20


def test_port_forward_of_one_who_sends_much_and_then_listens(kubectl):
    """An echo: what it sends back waits for us, and so we wait for it; its end comes after ours."""
    data = os.urandom(5 << 20)
    with Forward(kubectl, "pod/shell", 7) as forward, \
            socket.create_connection(("127.0.0.1", forward.port), HANG_S) as echo:
        def send():
            echo.sendall(data)
            echo.shutdown(socket.SHUT_WR)
        thread = threading.Thread(target=send)
        thread.start()
        got = bytearray()
        while piece := echo.recv(65536):
            got += piece
        thread.join(HANG_S)
    assert bytes(got) == data


def test_port_forward_to_a_port_where_nobody_is(kubectl):
    with Forward(kubectl, "pod/shell", 81) as forward:
        with pytest.raises(OSError):
            fetched(f"http://127.0.0.1:{forward.port}/")
        said = "".join(iter(forward.process.stdout.readline, "")) if forward.process.poll() else ""
        while "error forwarding port 81" not in said:
            line = forward.process.stdout.readline()
            assert line, said
            said += line
    assert "an error occurred forwarding" in said


# logs and attach


def test_logs_of_a_container_that_reads(kubectl):
    """From its start to its end: followed by one client, typed to by another."""
    name = "talker" + kubectl.program[-2:]
    script = "echo one; echo two; while read x; do echo got $x; echo oops >&2; done; echo end; exit 4"
    kubectl.apply({**pod(name, container(script, stdin=True, stdinOnce=True))})
    running(kubectl, name)
    wait_until(lambda: "two" in kubectl("logs", name), "it has said two lines")
    assert kubectl("logs", name, "--tail=1") == "two\n"
    assert kubectl("logs", name, "--limit-bytes=3") == "one"
    assert kubectl("logs", name, "--timestamps").splitlines()[1].endswith("Z two")
    with subprocess.Popen(kubectl.command("logs", "-f", name), stdout=subprocess.PIPE, env=kubectl.env(),
                          text=True) as follower:
        assert follower.stdout.readline() == "one\n"
        done = kubectl.run("attach", "-i", name, stdin="a\nb\n")
        assert done.stdout == "got a\ngot b\nend\n"
        assert "oops\noops\n" in done.stderr
        said = follower.stdout.read().splitlines()
        assert [line for line in said if line != "oops"] == ["two", "got a", "got b", "end"]
        assert said.count("oops") == 2
        assert follower.wait(HANG_S) == 0
    kubectl("delete", "pod", name, "--now")


def test_run_in_a_terminal(kubectl):
    """A container of its own, attached to, gone when its shell ends."""
    name = "shell" + kubectl.program[-2:]
    shown = in_terminal(kubectl.command("run", name, "--rm", "-it", "--restart=Never", f"--image={IMAGE}", "--", "sh"),
                        kubectl.env(), kubectl.folder,
                        [("prompt", "\n"), ("#", "echo a$((40+2))b\n"), ("a42b", "exit\n")])
    assert f'pod "{name}" deleted' in shown


def test_what_is_wrong_with_logs(newest):
    def said(*args):
        return newest.run("logs", *args, check=False).stderr
    assert 'previous terminated container "main" in pod "shell" not found' in said("shell", "-p")
    assert "container nosuch is not valid for pod shell" in said("shell", "-c", "nosuch")
    assert "a container name must be specified for pod two, choose one of: [a b]" in newest.run(
        "get", "--raw", "/api/v1/namespaces/default/pods/two/log", check=False).stderr
    assert "must be greater than or equal to 0" in newest.run(
        "get", "--raw", "/api/v1/namespaces/default/pods/shell/log?tailLines=-1", check=False).stderr


# the Python client


PYTHON = """
import sys
from kubernetes import client, config
from kubernetes.stream import stream, portforward
config.load_kube_config()
api = client.CoreV1Api()
print(stream(api.connect_get_namespaced_pod_exec, "shell", "default", command=["sh", "-c", "echo out; echo err >&2"],
             stderr=True, stdin=False, stdout=True, tty=False), end="")
talk = stream(api.connect_get_namespaced_pod_exec, "shell", "default", command=["sh", "-c", "read x; echo got $x; exit 3"],
              stderr=True, stdin=True, stdout=True, tty=False, _preload_content=False)
talk.write_stdin("hi\\n")
talk.run_forever(timeout=60)
print(talk.read_stdout(), talk.returncode)
ports = portforward(api.connect_get_namespaced_pod_portforward, "shell", "default", ports="80")
http = ports.socket(80)
http.setblocking(True)
http.sendall(b"GET /nosuch HTTP/1.0\\r\\n\\r\\n")
print(http.recv(12)[9:])
"""


def test_the_python_client(newest):
    done = subprocess.run(["/usr/bin/python3", "-c", PYTHON], capture_output=True, text=True, env=newest.env(),
                          timeout=HANG_S, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == sorted(["out", "err", "got hi", " 3", "b'404'"])
