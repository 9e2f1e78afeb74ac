"""How much a pod may ask for: its environment, arguments and volumes have limits, are refused with a reason that users
see, and come right when what they read shrinks."""

import base64
import json

import pytest

from harness.server import wait_until
from test_kubernetes_pods import cluster, clusters, container, ended, pod  # noqa: F401

LONG = 700_000


@pytest.fixture
def big(k):  # noqa: F811
    """A secret with a long key; applied, kubectl would keep it in an annotation, too."""
    def make(length):
        k("delete", "secret", "big", "--ignore-not-found")
        k("create", "-f", "-", stdin=secret(length))
    make(LONG)
    return make


def secret(length):
    content = base64.b64encode(b"x" * length).decode()
    return json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "big"}, "data": {"k": content}})


def waits_because(k, name="p"):  # noqa: F811
    """(reason, message) of the state that the container waits in."""
    for one in k.json("pod", name)["status"].get("containerStatuses", []):
        waiting = one["state"].get("waiting", {})
        if waiting.get("message"):
            return waiting["reason"], waiting["message"]
    return None


A = {"name": "A", "valueFrom": {"secretKeyRef": {"name": "big", "key": "k"}}}


@pytest.mark.parametrize("more", [
    {"env": [A] + [{"name": f"B{i}", "value": "$(A)"} for i in range(4000)]},
    {"env": [A], "args": ["$(A)"] * 4000},
], ids=["env", "args"])
def test_an_environment_has_a_limit(k, big, more):  # noqa: F811
    k.apply(pod("true", container_more=more))
    assert wait_until(lambda: waits_because(k), "it says why") == (
        "CreateContainerConfigError", "the environment and arguments are longer than 2097152 bytes")


def test_volumes_have_a_limit(k, big):  # noqa: F811
    items = [{"key": "k", "path": f"f{i}"} for i in range(1000)]
    k.apply(pod("wc -c < /v/f9 > /dev/termination-log", container_more={"volumeMounts": [{"name": "v", "mountPath": "/v"}]},
                volumes=[{"name": "v", "secret": {"secretName": "big", "items": items}}]))

    def messages():
        return [event["message"] for event in k.json("events")["items"] if event["reason"] == "FailedMount"]
    wait_until(lambda: any("longer than 15 MiB" in message for message in messages()), "it says why")
    big(10)
    assert ended(k)["message"].strip() == "10"
