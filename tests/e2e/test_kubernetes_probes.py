"""When pods are Ready: conditions of others that it hangs on, and probes and hooks that never answer, which hold up
neither other pods' nor the end of their cluster."""

import json

from test_kubernetes_pods import cluster, clusters, container, k, kubectl, pod, ready  # noqa: F401

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
