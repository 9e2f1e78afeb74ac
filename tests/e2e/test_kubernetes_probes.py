"""When pods are Ready: conditions of others that it hangs on, and probes and hooks that never answer, which hold up
neither other pods' nor the end of their cluster."""

import json
import os
import secrets

from test_kubernetes_pods import cluster, clusters, container, pod, ready  # noqa: F401

from harness import web
from harness.server import wait_until

GATE = "example.com/gate"


def condition(k, kind="Ready", name="p"):  # noqa: F811
    """(status, reason, message), or None."""
    for one in k.json("pod", name)["status"].get("conditions", []):
        if one["type"] == kind:
            return one["status"], one.get("reason", ""), one.get("message", "")
    return None


def set_condition(k, kind, status, name="p"):  # noqa: F811
    patch = {"status": {"conditions": [{"type": kind, "status": status}]}}
    k("patch", "pod", name, "--subresource=status", "-p", json.dumps(patch))


def test_readiness_gates(k):  # noqa: F811
    k.apply(pod("sleep 1000", restartPolicy="Always", readinessGates=[{"conditionType": GATE}]))
    k("wait", "--for=condition=ContainersReady", "pod/p", "--timeout=120s")
    assert condition(k) == ("False", "ReadinessGatesNotReady",
                            f'corresponding condition of pod readiness gate "{GATE}" does not exist.')
    set_condition(k, GATE, "True")
    wait_until(lambda: condition(k) == ("True", "", ""), "its gate is open")
    set_condition(k, GATE, "False")
    wait_until(lambda: condition(k) == ("False", "ReadinessGatesNotReady",
                                        f'the status of pod readiness gate "{GATE}" is not "True", but False'),
               "its gate is closed")
    assert condition(k, GATE) == ("False", "", "")


# what hangs


def sleeping(mark):
    """How many processes sleep for so long; the mark stands in nobody else's arguments."""
    wanted, n = f"sleep\0{mark}\0".encode(), 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                n += file.read().endswith(wanted)
        except OSError:
            pass  # it has ended
    return n


def new_mark():
    return str(10_000_000 + secrets.randbelow(80_000_000))


def hanging(mark, n, **spec):
    """A pod of n containers, each with an exec hook and an exec probe that never end: twice n sleep."""
    sleep = {"exec": {"command": ["sleep", mark]}}
    return pod("", "hangs", restartPolicy="Always", containers=[
        container("sleep 100000", f"c{i}", lifecycle={"postStart": sleep},
                  readinessProbe={**sleep, "timeoutSeconds": 3600}) for i in range(n)], **spec)


def test_what_hangs_holds_up_no_others(k):  # noqa: F811
    mark = new_mark()
    k.apply(hanging(mark, 20))
    wait_until(lambda: sleeping(mark) == 40, "all hooks and probes hang at once")
    k.apply(pod("sleep 1000", "good", restartPolicy="Always", container_more={
        "lifecycle": {"postStart": {"exec": {"command": ["touch", "/began"]}}},
        "readinessProbe": {"exec": {"command": ["test", "-e", "/began"]}, "periodSeconds": 1}}))
    ready(k, "pod/good")
    assert sleeping(mark) == 40


def silent(mark):
    """A pod whose server takes connections and never answers; each sleeps. Its preStop asks it, too."""
    ask = {"httpGet": {"port": 8080}}
    return pod(f"nc -ll -p 8080 -e sleep {mark}", "silent", restartPolicy="Always", terminationGracePeriodSeconds=3600,
               container_more={"readinessProbe": {**ask, "timeoutSeconds": 3600}, "lifecycle": {"preStop": ask}})


def test_a_cluster_ends_while_all_hangs(sundog, clusters):  # noqa: F811
    mark = new_mark()
    made = clusters.create("hung")
    kube = clusters.kubectl(made)
    try:
        wait_until(lambda: kube.run("get", "serviceaccount", "default", check=False).returncode == 0, "it has an account")
        kube.apply(hanging(mark, 2))
        kube.apply(silent(mark))
        wait_until(lambda: sleeping(mark) >= 5, "hooks and probes hang")
        kube("delete", "pod", "silent", "--wait=false")
        wait_until(lambda: sleeping(mark) >= 6, "its preStop hook hangs, too")
        assert sundog.stop() == 0
        sundog.start()
        wait_until(lambda: kube.run("get", "pods", check=False).returncode == 0, "the API is back")
        wait_until(lambda: sleeping(mark) >= 5, "two that nc has left, two probes, and preStop")
        web.expect(clusters.send("POST", made["id"] + "/stop"), 202, 204)
        assert clusters.settled(made["id"])["properties"]["powerState"] == {"code": "Stopped"}
        assert sleeping(mark) == 0
        web.expect(clusters.send("POST", made["id"] + "/start"), 202, 204)
        assert clusters.settled(made["id"])["properties"]["powerState"] == {"code": "Running"}
        wait_until(lambda: sleeping(mark) >= 4, "they hang again")
    finally:
        clusters.remove(made)
    assert sleeping(mark) == 0
