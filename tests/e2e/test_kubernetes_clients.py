"""The client libraries of Kubernetes against one cluster: Debian's for Python, npm's for JavaScript."""

import json
import os
import threading

import pytest

from harness import web
from harness.clusters import Clusters, Kubectl
from harness.containers import push_shell
from harness.machine import need
from harness.node import packages, run_checks
from harness.server import HANG_S, wait_until

IMAGE = "sundog.azurecr.io/busybox:1"
NAMESPACE = "python"


@pytest.fixture(scope="module")
def config(sundog):
    """The path of a kubeconfig."""
    need("root", "crun", "mount")
    push_shell(web.by_path(sundog))
    clusters = Clusters(sundog)
    cluster = clusters.create()
    yield Kubectl(clusters.kubeconfig(cluster)).config
    clusters.remove(cluster)


def test_javascript(config):
    run_checks(packages(), "kubernetes.mjs", {**os.environ, "KUBECONFIG": config, "SUNDOG_SDK_IMAGE": IMAGE}, 12)


@pytest.fixture(scope="module")
def python(config):
    """The package, set up for the cluster, with a namespace."""
    import kubernetes

    kubernetes.config.load_kube_config(config)
    core = kubernetes.client.CoreV1Api()
    core.create_namespace({"metadata": {"name": NAMESPACE}})
    wait_until(lambda: "default" in [a.metadata.name for a in core.list_namespaced_service_account(NAMESPACE).items],
               "the default service account is there")
    return kubernetes


def config_map(name="c", **labels):
    return {"metadata": {"name": name, "labels": labels}, "data": {"x": "1"}}


def test_python_reads_and_writes(python):
    core = python.client.CoreV1Api()
    made = core.create_namespaced_config_map(NAMESPACE, config_map("rw"))
    assert made.metadata.namespace == NAMESPACE and made.metadata.uid
    core.patch_namespaced_config_map("rw", NAMESPACE, {"data": {"x": "2"}})
    core.patch_namespaced_config_map("rw", NAMESPACE, [{"op": "add", "path": "/data/y", "value": "3"}])
    got = core.read_namespaced_config_map("rw", NAMESPACE)
    assert got.data == {"x": "2", "y": "3"}
    got.data = {"z": "4"}
    core.replace_namespaced_config_map("rw", NAMESPACE, got)
    with pytest.raises(python.client.ApiException) as refused:
        core.replace_namespaced_config_map("rw", NAMESPACE, got)
    assert refused.value.status == 409
    assert core.delete_namespaced_config_map("rw", NAMESPACE).status == "Success"
    with pytest.raises(python.client.ApiException) as refused:
        core.read_namespaced_config_map("rw", NAMESPACE)
    assert json.loads(refused.value.body)["message"] == 'configmaps "rw" not found'


def test_python_watches(python):
    core = python.client.CoreV1Api()
    core.create_namespaced_config_map(NAMESPACE, config_map("first", set="w"))
    seen, begun, watch = [], threading.Event(), python.watch.Watch()

    def look():
        for event in watch.stream(core.list_namespaced_config_map, NAMESPACE, label_selector="set=w",
                                  timeout_seconds=HANG_S):
            seen.append((event["type"], event["object"].metadata.name))
            begun.set()
            if len(seen) == 4:
                watch.stop()
    watcher = threading.Thread(target=look)
    watcher.start()
    assert begun.wait(HANG_S)
    core.create_namespaced_config_map(NAMESPACE, config_map("second", set="w"))
    core.patch_namespaced_config_map("first", NAMESPACE, {"metadata": {"labels": {"set": None}}})
    core.delete_namespaced_config_map("second", NAMESPACE)
    watcher.join(HANG_S)
    assert seen == [("ADDED", "first"), ("ADDED", "second"), ("DELETED", "first"), ("DELETED", "second")]


def test_python_pages(python):
    core = python.client.CoreV1Api()
    for n in range(5):
        core.create_namespaced_config_map(NAMESPACE, config_map(f"page{n}", set="p"))
    names, token = [], None
    while token != "":
        page = core.list_namespaced_config_map(NAMESPACE, label_selector="set=p", limit=2, _continue=token)
        names += [one.metadata.name for one in page.items]
        token = page.metadata._continue or ""
    assert names == [f"page{n}" for n in range(5)]
    core.delete_collection_namespaced_config_map(NAMESPACE, label_selector="set=p")
    assert core.list_namespaced_config_map(NAMESPACE, label_selector="set=p").items == []


def test_python_versions_of_an_autoscaler(python):
    apps, scalers = python.client.AppsV1Api(), python.client.AutoscalingV1Api()
    labels = {"app": "d"}
    apps.create_namespaced_deployment(NAMESPACE, {
        "metadata": {"name": "d"},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}})
    scale = apps.read_namespaced_deployment_scale("d", NAMESPACE)
    assert (scale.spec.replicas, scale.status.selector) == (0, "app=d")
    scalers.create_namespaced_horizontal_pod_autoscaler(NAMESPACE, {
        "metadata": {"name": "h"},
        "spec": {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"},
                 "targetCPUUtilizationPercentage": 50}})
    assert scalers.read_namespaced_horizontal_pod_autoscaler("h", NAMESPACE).spec.target_cpu_utilization_percentage == 50
    newer = python.client.CustomObjectsApi().get_namespaced_custom_object(
        "autoscaling", "v2", NAMESPACE, "horizontalpodautoscalers", "h")
    target = newer["spec"]["metrics"][0]["resource"]["target"]
    assert target == {"type": "Utilization", "averageUtilization": 50}


def test_python_events_of_both_groups(python):
    core, events = python.client.CoreV1Api(), python.client.EventsV1Api()
    events.create_namespaced_event(NAMESPACE, {
        "metadata": {"name": "e"}, "eventTime": "2026-11-21T10:00:00.000000Z", "action": "Act", "reason": "Because",
        "note": "words", "type": "Normal", "reportingController": "c", "reportingInstance": "i",
        "regarding": {"kind": "Pod", "name": "p", "namespace": NAMESPACE}})
    assert core.read_namespaced_event("e", NAMESPACE).message == "words"
    found = core.list_namespaced_event(NAMESPACE, field_selector="involvedObject.name=p,reason=Because")
    assert [one.metadata.name for one in found.items] == ["e"]


def test_python_refusals(python):
    core = python.client.CoreV1Api()
    with pytest.raises(python.client.ApiException) as refused:
        core.create_namespaced_pod(NAMESPACE, {"metadata": {"name": "p"}, "spec": {"containers": []}})
    assert refused.value.status == 422
    assert json.loads(refused.value.body)["message"] == 'Pod "p" is invalid: spec.containers: Required value'
    with pytest.raises(python.client.ApiException) as refused:
        core.create_namespaced_config_map("nowhere", config_map())
    assert refused.value.status == 404


def test_python_runs_a_command(python):
    core = python.client.CoreV1Api()
    core.create_namespaced_pod(NAMESPACE, {
        "metadata": {"name": "shell"},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [
            {"name": "main", "image": IMAGE, "command": ["/bin/sh", "-c", "echo hello; exec sleep 100000"]}]}})
    wait_until(lambda: core.read_namespaced_pod_status("shell", NAMESPACE).status.phase == "Running", "it runs")
    said = python.stream.stream(core.connect_get_namespaced_pod_exec, "shell", NAMESPACE, command=["echo", "out"],
                                stdout=True, stderr=True, stdin=False, tty=False)
    assert said == "out\n"
    wait_until(lambda: core.read_namespaced_pod_log("shell", NAMESPACE) == "hello\n", "its log is there")
    core.delete_namespaced_pod("shell", NAMESPACE)


def test_python_reviews(python):
    review = python.client.AuthorizationV1Api().create_self_subject_access_review(
        {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}})
    assert review.status.allowed
    assert python.client.VersionApi().get_code().minor == "33"
