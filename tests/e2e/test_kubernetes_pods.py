"""Pods of a cluster as real containers: what they run, see and say, how they end and come back, what moves them.
Everything by unmodified kubectl; what a container finds, it says in its termination message."""

import json
import os
import secrets
import signal
import socket
import threading

import pytest

from harness import web
from harness.clusters import Clusters
from harness.containers import SHELL, push_shell
from harness.leftovers import data_id
from harness.machine import need
from harness.server import HANG_S, wait_until

ROOT_NAMES = {"bin", "etc", "proc", "usr", "var"}
IMAGE = f"sundog.azurecr.io/{SHELL}:1"
PATIENT = {"periodSeconds": 1, "timeoutSeconds": HANG_S}  # of probes: who is slow to answer is not sick


@pytest.fixture(scope="module")
def clusters(sundog):
    need("root", "crun", "mount")
    push_shell(web.by_path(sundog))
    return Clusters(sundog)


@pytest.fixture(scope="module")
def cluster(clusters):
    made = clusters.create("pods", nodes=2)
    yield made
    clusters.remove(made)


def container(script, name="main", **more):
    return {"name": name, "image": IMAGE, "command": ["/bin/sh", "-c", script], **more}


def pod(script, name="p", container_more=None, **spec):
    spec.setdefault("restartPolicy", "Never")
    spec.setdefault("terminationGracePeriodSeconds", 1)
    spec.setdefault("containers", [container(script, **(container_more or {}))])
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}


def phase(k, name="p"):
    return k("get", "pod", name, "-o", "jsonpath={.status.phase}")


def ended(k, name="p", container_name="main"):
    """The terminated state of a container, once it is there."""
    def look():
        status = k.json("pod", name)["status"]
        for one in status.get("containerStatuses", []) + status.get("initContainerStatuses", []):
            if one["name"] == container_name and "terminated" in one["state"]:
                return one["state"]["terminated"]
        return None
    return wait_until(look, f"{name}/{container_name} has ended")


def said(k, script, name="p", container_more=None, **spec):
    """What a container of a new pod writes into its termination message."""
    k.apply(pod(f"{{ {script}\n}} > /dev/termination-log 2>&1", name, container_more, **spec))
    return ended(k, name).get("message", "")


def restarts(k, name="p"):
    """Of its first container; more with time, if it goes on ending."""
    return int(k("get", "pod", name, "-o", "jsonpath={.status.containerStatuses[0].restartCount}") or 0)


def ready(k, what, timeout=HANG_S):
    k("wait", "--for=condition=Ready", what, f"--timeout={timeout}s")


# running and ending


def test_a_pod_from_create_to_delete(k):
    k.apply(pod("echo done > /dev/termination-log; exit 3"))
    end = ended(k)
    assert (end["exitCode"], end["reason"], end["message"]) == (3, "Error", "done\n")
    wait_until(lambda: phase(k) == "Failed", "it has failed")
    shown = k.json("pod", "p")
    assert shown["status"]["podIP"].startswith("10.244.") and shown["status"]["qosClass"] == "BestEffort"
    assert shown["status"]["containerStatuses"][0]["imageID"].startswith(f"sundog.azurecr.io/{SHELL}@sha256:")
    wait_until(lambda: {"Scheduled", "Pulled", "Created", "Started"} <= {event["reason"] for event in k.json("events")["items"]},
               "its story is told")
    k("delete", "pod", "p")
    assert "NotFound" in k.run("get", "pod", "p", check=False).stderr


def test_a_pod_that_succeeds(k):
    assert said(k, "echo $0 $1", container_more={"args": ["a", "b"]}) == "a b\n"
    wait_until(lambda: phase(k) == "Succeeded", "it has succeeded")


def test_restart_policies(k):
    k.apply(pod("exit 1", "always", restartPolicy="Always"))
    k.apply(pod("test -e /s/x && exit 0; touch /s/x; exit 1", "onfailure", restartPolicy="OnFailure",
                containers=[container("test -e /s/x && exit 0; touch /s/x; exit 1",
                                      volumeMounts=[{"name": "s", "mountPath": "/s"}])],
                volumes=[{"name": "s", "emptyDir": {}}]))
    wait_until(lambda: restarts(k, "always") >= 1, "it was started again")
    wait_until(lambda: "CrashLoopBackOff" in k("get", "pod", "always", "-o", "json"), "it waits")
    wait_until(lambda: phase(k, "onfailure") == "Succeeded", "its second run succeeds")
    assert restarts(k, "onfailure") == 1
    last = k.json("pod", "always")["status"]["containerStatuses"][0]["lastState"]
    assert last["terminated"]["exitCode"] == 1


def test_init_containers_come_first(k):
    order = "echo {0} >> /s/order"
    k.apply(pod("", initContainers=[container(order.format("a"), "a", volumeMounts=[{"name": "s", "mountPath": "/s"}]),
                                    container(order.format("b"), "b", volumeMounts=[{"name": "s", "mountPath": "/s"}])],
                containers=[container("cat /s/order > /dev/termination-log",
                                      volumeMounts=[{"name": "s", "mountPath": "/s"}])],
                volumes=[{"name": "s", "emptyDir": {}}]))
    assert ended(k)["message"] == "a\nb\n"
    assert ended(k, container_name="a")["exitCode"] == 0


def test_an_init_container_that_fails_ends_the_pod(k):
    k.apply(pod("true", initContainers=[container("exit 7", "first")]))
    wait_until(lambda: phase(k) == "Failed", "it has failed")
    assert ended(k, container_name="first")["exitCode"] == 7
    assert "running" not in k.json("pod", "p")["status"]["containerStatuses"][0]["state"]


def test_a_sidecar_runs_beside_and_ends_last(k):
    k.apply(pod("sleep 0.2; echo main > /dev/termination-log",
                initContainers=[{**container("trap 'exit 0' TERM; while :; do sleep 0.1; done", "side"),
                                 "restartPolicy": "Always"}]))
    assert ended(k)["message"] == "main\n"
    wait_until(lambda: phase(k) == "Succeeded", "the sidecar does not keep it")


def test_an_image_that_is_not_there(k):
    k.apply(pod("true", containers=[{"name": "main", "image": "sundog.azurecr.io/nosuch:1"}]))
    wait_until(lambda: "ErrImagePull" in k("get", "pod", "p", "-o", "json")
               or "ImagePullBackOff" in k("get", "pod", "p", "-o", "json"), "it says so")
    assert phase(k) == "Pending"


def test_the_deadline_of_a_pod(k):
    k.apply(pod("sleep 1000", activeDeadlineSeconds=1))
    wait_until(lambda: phase(k) == "Failed", "its time is over")
    assert k.json("pod", "p")["status"]["reason"] == "DeadlineExceeded"


def test_grace_and_pre_stop(k):
    k.apply(pod("trap 'echo term >> /s/log; exit 0' TERM; while :; do sleep 0.05; done", "p",
                terminationGracePeriodSeconds=30,
                containers=[container("trap 'echo term >> /s/log; exit 0' TERM; while :; do sleep 0.05; done",
                                      volumeMounts=[{"name": "s", "mountPath": "/s"}],
                                      lifecycle={"preStop": {"exec": {"command": ["/bin/sh", "-c", "echo stop >> /s/log"]}},
                                                 "postStart": {"exec": {"command": ["/bin/sh", "-c", "echo start >> /s/log"]}}})],
                volumes=[{"name": "s", "hostPath": {"path": "/kept", "type": "DirectoryOrCreate"}}]))
    ready(k, "pod/p")
    node = k("get", "pod", "p", "-o", "jsonpath={.spec.nodeName}")
    k("delete", "pod", "p")
    assert said(k, "cat /s/log", "q", {"volumeMounts": [{"name": "s", "mountPath": "/s"}]}, nodeName=node,
                volumes=[{"name": "s", "hostPath": {"path": "/kept"}}]) == "start\nstop\nterm\n"


# what a container sees


def test_environment_of_all_sources(k):
    k("create", "configmap", "c", "--from-literal=a=1", "--from-literal=b=2")
    k("create", "secret", "generic", "s", "--from-literal=pw=hidden")
    text = said(k, 'echo "$a $b $X_pw $ONE $TWO $NAME $NODE $IP $SA $CPU $MISSING $EXPANDED"', container_more={
        "resources": {"limits": {"cpu": "500m", "memory": "64Mi"}},
        "envFrom": [{"configMapRef": {"name": "c"}}, {"secretRef": {"name": "s"}, "prefix": "X_"}],
        "env": [{"name": "ONE", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "a"}}},
                {"name": "TWO", "valueFrom": {"secretKeyRef": {"name": "s", "key": "pw"}}},
                {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
                {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
                {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                {"name": "SA", "valueFrom": {"fieldRef": {"fieldPath": "spec.serviceAccountName"}}},
                {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}},
                {"name": "MISSING", "valueFrom": {"configMapKeyRef": {"name": "no", "key": "a", "optional": True}}},
                {"name": "EXPANDED", "value": "$(ONE)-$$(ONE)-$(NOPE)"}]}).split()
    shown = k.json("pod", "p")
    assert text == ["1", "2", "hidden", "1", "hidden", "p", shown["spec"]["nodeName"], shown["status"]["podIP"], "default",
                    "500", "1-$(ONE)-$(NOPE)"]


def test_a_key_that_is_not_there_keeps_it_waiting(k):
    k.apply(pod("echo $A > /dev/termination-log", container_more={
        "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "later", "key": "k"}}}]}))
    wait_until(lambda: "CreateContainerConfigError" in k("get", "pod", "p", "-o", "json"), "it says what is missing")
    k("create", "secret", "generic", "later", "--from-literal=k=come")
    assert ended(k)["message"] == "come\n"


def test_service_variables_and_names(k):
    k("create", "service", "clusterip", "web", "--tcp=80:80")
    text = said(k, "echo $WEB_SERVICE_HOST $WEB_SERVICE_PORT $KUBERNETES_SERVICE_HOST; cat /etc/resolv.conf; hostname")
    ip = k("get", "service", "web", "-o", "jsonpath={.spec.clusterIP}")
    assert text.splitlines()[0] == f"{ip} 80 10.0.0.1"
    assert f"search {k.namespace}.svc.cluster.local svc.cluster.local cluster.local" in text
    assert "nameserver 10.0.0.10" in text and "ndots:5" in text and text.splitlines()[-1] == "p"


def test_volumes_of_files(k):
    k("create", "configmap", "c", "--from-literal=a=1", "--from-literal=b=2")
    k("create", "secret", "generic", "s", "--from-literal=pw=hidden")
    text = said(k, "cat /c/a /c/sub/z /s/pw; echo; cat /d/labels /p/name /p/tok/token | cut -c1-20; ls -ld /s/..data/pw",
                container_more={"volumeMounts": [{"name": n, "mountPath": f"/{n}"} for n in "csdp"]}, volumes=[
                    {"name": "c", "configMap": {"name": "c", "items": [{"key": "a", "path": "a"}, {"key": "b", "path": "sub/z"}]}},
                    {"name": "s", "secret": {"secretName": "s", "defaultMode": 0o400}},
                    {"name": "d", "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
                    {"name": "p", "projected": {"sources": [
                        {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
                        {"serviceAccountToken": {"path": "tok/token", "audience": "x"}}]}}])
    lines = text.splitlines()
    assert lines[0] == "12hidden" and lines[1].startswith('app="p"p'), text
    assert lines[-1].startswith("-r--------"), text


def test_a_config_map_changes_in_a_running_pod(k):
    k("create", "configmap", "c", "--from-literal=a=old")
    k.apply(pod("while ! grep -q new /c/a; do sleep 0.05; done; cat /c/a > /dev/termination-log",
                container_more={"volumeMounts": [{"name": "c", "mountPath": "/c"}]},
                volumes=[{"name": "c", "configMap": {"name": "c"}}]))
    ready(k, "pod/p")
    k("patch", "configmap", "c", "-p", '{"data":{"a":"new"}}')
    assert ended(k)["message"] == "new"


def test_empty_dirs_are_shared_and_sub_paths(k):
    k.apply(pod("", containers=[
        container("echo x > /s/f; while [ ! -e /s/done ]; do sleep 0.05; done", "one",
                  volumeMounts=[{"name": "s", "mountPath": "/s"}]),
        container("while [ ! -s /a/f ]; do sleep 0.05; done; cat /a/f > /dev/termination-log; touch /a/done; mount | grep -c ' /m ' >> /dev/termination-log",
                  volumeMounts=[{"name": "s", "mountPath": "/a"}, {"name": "m", "mountPath": "/m"}])],
        volumes=[{"name": "s", "emptyDir": {}}, {"name": "m", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}]))
    assert ended(k)["message"] == "x\n1\n"


def test_a_host_path_is_the_nodes_and_not_the_machines(k):
    assert not ROOT_NAMES & set(
        said(k, "echo here > /h/mark; ls /h", "p", {"volumeMounts": [{"name": "h", "mountPath": "/h"}]},
             volumes=[{"name": "h", "hostPath": {"path": "/", "type": "Directory"}}]).split())


def test_security_context(k):
    text = said(k, "id -u; id -g; id -G; touch /x || echo read-only; grep NoNewPrivs /proc/self/status; stat -c %g:%a /v",
                container_more={"securityContext": {"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False},
                                "volumeMounts": [{"name": "v", "mountPath": "/v"}]},
                securityContext={"runAsUser": 1000, "runAsGroup": 33, "fsGroup": 77, "supplementalGroups": [88]},
                volumes=[{"name": "v", "emptyDir": {}}]).splitlines()
    assert text[0] == "1000" and text[1] == "33" and set(text[2].split()) == {"33", "77", "88"}
    assert "read-only" in text and any(line.split() == ["NoNewPrivs:", "1"] for line in text)
    assert text[-1] == "77:2777"


def test_non_root_is_demanded(k):
    k.apply(pod("true", securityContext={"runAsNonRoot": True}))
    wait_until(lambda: "container has runAsNonRoot and image will run as root" in k("get", "pod", "p", "-o", "json"), "it says why")
    k.apply(pod("true", "privileged", container_more={"securityContext": {"privileged": True}}))
    wait_until(lambda: "--privileged-containers" in k("get", "pod", "privileged", "-o", "json"), "it is refused")


def test_limits_reach_the_kernel(k):
    text = said(k, "head -c 100m /dev/zero | tail", container_more={"resources": {"limits": {"memory": "20Mi", "cpu": "100m"}}})
    assert ended(k)["reason"] in ("OOMKilled", "Error"), text
    assert k.json("pod", "p")["status"]["qosClass"] == "Guaranteed"


def test_the_token_reaches_the_api(k):
    """With a role: what curl would do, in the shell's own words (the API speaks TLS, busybox's wget asks openssl)."""
    text = said(k, "ls /var/run/secrets/kubernetes.io/serviceaccount; cat /var/run/secrets/kubernetes.io/serviceaccount/namespace;"
                   " nc -w 100 kubernetes.default.svc 443 < /dev/null && echo open")
    assert text.split()[:3] == ["ca.crt", "namespace", "token"] and k.namespace in text and text.endswith("open\n")


# probes


def test_probes(k):
    serve = "mkdir -p /w; echo ok > /w/ok; httpd -f -p 8080 -h /w"
    k.apply(pod(serve, "good", restartPolicy="Always", container_more={
        "ports": [{"name": "http", "containerPort": 8080}],
        "startupProbe": {"httpGet": {"path": "/ok", "port": "http"}, **PATIENT, "failureThreshold": HANG_S},
        "readinessProbe": {"tcpSocket": {"port": 8080}, **PATIENT},
        "livenessProbe": {"exec": {"command": ["test", "-e", "/w/ok"]}, **PATIENT}}))
    ready(k, "pod/good")
    k.apply(pod("sleep 1000", "unready", restartPolicy="Always", container_more={
        "readinessProbe": {"exec": {"command": ["false"]}, "periodSeconds": 1}}))
    k.apply(pod("touch /alive; sleep 1000", "sick", restartPolicy="Always", container_more={
        "livenessProbe": {"exec": {"command": ["/bin/sh", "-c", "exit 1"]}, "periodSeconds": 1, "failureThreshold": 1}}))
    wait_until(lambda: restarts(k, "sick") >= 1, "it is started again")
    wait_until(lambda: any(e["reason"] == "Unhealthy" and e["involvedObject"]["name"] == "unready"
                           for e in k.json("events")["items"]), "the readiness probe says no")
    assert k("get", "pod", "unready", "-o", "jsonpath={.status.containerStatuses[0].ready}") == "false"
    assert restarts(k, "good") == 0


# services


SERVE = "mkdir -p /w; hostname > /w/index.html; exec httpd -f -p 8080 -h /w"


def deployment(name, script=SERVE, replicas=2, **spec):
    labels = {"app": name}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [container(script, ports=[{"name": "http", "containerPort": 8080}],
                                     readinessProbe={"tcpSocket": {"port": 8080}, **PATIENT})], **spec}}}}


def service(name, **spec):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {
        "selector": {"app": name}, "ports": [{"port": 80, "targetPort": "http"}], **spec}}


def fetch(address, port=80, patience_s=HANG_S):
    """The body, or None."""
    try:
        with socket.create_connection((address, port), timeout=patience_s) as sock:
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            data = b""
            while chunk := sock.recv(65536):
                data += chunk
        return data.split(b"\r\n\r\n", 1)[1].decode().strip()
    except OSError:
        return None


def staying(k):
    """The pods that are not to go."""
    return [p for p in k.json("pods")["items"] if "deletionTimestamp" not in p["metadata"]]


def available(k, name):
    k("rollout", "status", f"deployment/{name}", f"--timeout={HANG_S}s")


def test_services_of_all_types(k):
    k.apply(deployment("web"))
    k.apply(service("web", type="LoadBalancer"))
    k.apply({**service("headless", clusterIP="None"), "spec": {**service("web")["spec"], "clusterIP": "None"}})
    available(k, "web")
    address = wait_until(lambda: k("get", "svc", "web", "-o", "jsonpath={.status.loadBalancer.ingress[0].ip}"), "it has an address")
    names = set(k("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].metadata.name}").split())
    seen = set()
    wait_until(lambda: seen.add(fetch(address)) or seen >= names, "the balancer leads to both")
    assert {fetch(address) for _ in range(40)} == names
    shown = k.json("svc", "web")["spec"]
    for node in k.json("nodes")["items"]:
        assert fetch(node["status"]["addresses"][0]["address"], shown["ports"][0]["nodePort"]) in names
    text = said(k, f"wget -qO- http://web/; wget -qO- http://web.{k.namespace}.svc.cluster.local/; nslookup headless.{k.namespace}.svc.cluster.local | grep -c '^Address.*10.244'; wget -qO- http://{shown['clusterIP']}/")
    lines = text.split()
    assert lines[0] in names and lines[1] in names and lines[2] == "2" and lines[3] in names
    k("delete", "service", "web")
    wait_until(lambda: fetch(address, patience_s=5) is None, "it answers no more")


def test_pods_of_one_cluster_do_not_reach_another(k, clusters, cluster):
    other = clusters.create("other", nodes=1)
    try:
        there = clusters.kubectl(other)
        wait_until(lambda: there.run("get", "serviceaccount", "default", check=False).returncode == 0, "it has an account")
        there.apply(pod("mkdir /w; httpd -f -p 80 -h /w", "web", restartPolicy="Always"))
        ready(there, "pod/web")
        address = there("get", "pod", "web", "-o", "jsonpath={.status.podIP}")
        node = there("get", "nodes", "-o", "jsonpath={.items[0].status.addresses[0].address}")
        text = said(k, f"nc -w 2 {address} 80 < /dev/null && echo reached; nc -w 2 {node} 6443 < /dev/null && echo api; echo end")
        assert "reached" not in text and "api" not in text and text.endswith("end\n")
        # nor does one cluster's credential open the other's door
        strange = clusters.kubeconfig(other).split("server: ")[1].split("\n")[0]
        mine = clusters.kubeconfig(cluster)
        server = mine.split("server: ")[1].split("\n")[0]
        wrong = type(k)(mine.replace(server, strange).replace("certificate-authority-data", "insecure-skip-tls-verify: true\n    x"))
        assert wrong.run("get", "nodes", check=False).returncode != 0
    finally:
        clusters.remove(other)


# controllers


def test_a_rollout_and_its_undo(k):
    k.apply(deployment("web", replicas=3))
    k.apply(service("web", type="LoadBalancer"))
    available(k, "web")
    address = wait_until(lambda: k("get", "svc", "web", "-o", "jsonpath={.status.loadBalancer.ingress[0].ip}"), "it has an address")
    wait_until(lambda: fetch(address), "it answers")
    k("set", "env", "deployment/web", "VERSION=2")
    available(k, "web")
    wait_until(lambda: fetch(address), "it answers")
    assert len(k.json("replicasets")["items"]) == 2
    k("rollout", "undo", "deployment/web")
    available(k, "web")
    template = k.json("deployment", "web")["spec"]["template"]["spec"]["containers"][0]
    assert "env" not in template
    assert k.json("deployment", "web")["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"
    k("scale", "deployment/web", "--replicas=5")
    available(k, "web")
    victim = staying(k)[0]["metadata"]["name"]  # of the undone rollout's some may be ending yet
    k("delete", "pod", victim)
    available(k, "web")
    wait_until(lambda: [p["status"]["phase"] for p in staying(k)] == ["Running"] * 5, "there are five again")


def test_a_rollout_refuses_no_connection(k):
    """Services leave a pod before it is asked to end, also if its server ends at once."""
    refused, taken, over = [], [], threading.Event()

    def knock():
        while not over.wait(0.005):
            try:
                with socket.create_connection((address, 80), timeout=HANG_S) as sock:
                    taken.append(address)
                    sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
                    sock.recv(1000)
            except ConnectionResetError:
                pass  # it was in flight when this server, which has no manners, ended
            except OSError as error:
                refused.append(error)
    k.apply(deployment("web", replicas=3))
    k.apply(service("web", type="LoadBalancer"))
    available(k, "web")
    address = wait_until(lambda: k("get", "svc", "web", "-o", "jsonpath={.status.loadBalancer.ingress[0].ip}"), "it has an address")
    wait_until(lambda: fetch(address), "it answers")
    thread = threading.Thread(target=knock)
    thread.start()
    try:
        for version in range(3):
            k("set", "env", "deployment/web", f"VERSION={version}")
            available(k, "web")
        k("scale", "deployment/web", "--replicas=1")
        wait_until(lambda: len(k.json("pods")["items"]) == 1, "the others are gone")
    finally:
        over.set()
        thread.join()
    assert len(taken) > 100 and not refused


def test_a_container_that_is_killed_comes_back(k):
    k.apply(pod("sleep 0.3; exit 1", restartPolicy="Always"))
    wait_until(lambda: restarts(k) >= 1, "it came back")


def test_a_job(k):
    k.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {
        "completions": 3, "parallelism": 2, "completionMode": "Indexed", "template": {"spec": {
            "restartPolicy": "Never", "containers": [container("echo $JOB_COMPLETION_INDEX > /dev/termination-log")]}}}})
    k("wait", "--for=condition=complete", "job/j", f"--timeout={HANG_S}s")
    messages = sorted(p["status"]["containerStatuses"][0]["state"]["terminated"]["message"] for p in k.json("pods")["items"])
    assert messages == ["0\n", "1\n", "2\n"]
    assert k.json("job", "j")["status"]["completedIndexes"] == "0-2"
    k("delete", "job", "j")
    wait_until(lambda: not k.json("pods")["items"], "its pods went with it")


def test_taints_labels_and_selectors(kubectl, k):
    first, second = k("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}").split()
    k("label", "node", second, "disk=ssd")
    try:
        k.apply(pod("sleep 1000", "chosen", nodeSelector={"disk": "ssd"}))
        ready(k, "pod/chosen")
        assert k("get", "pod", "chosen", "-o", "jsonpath={.spec.nodeName}") == second
        k.apply(pod("sleep 1000", "nowhere", nodeSelector={"disk": "tape"}))
        wait_until(lambda: "didn't match Pod's node affinity/selector" in k("describe", "pod", "nowhere"), "it says why")
        k("cordon", second)
        k.apply(pod("sleep 1000", "late", nodeSelector={"disk": "ssd"}))
        wait_until(lambda: "were unschedulable" in k("describe", "pod", "late"), "it waits")
        k("uncordon", second)
        ready(k, "pod/late")
        k("taint", "node", second, "gone=yes:NoExecute")
        wait_until(lambda: not [p for p in k.json("pods")["items"] if p["spec"].get("nodeName") == second], "they were evicted")
    finally:
        k("taint", "node", second, "gone-")
        k("label", "node", second, "disk-")


def both_run(k):
    """Where, once there are two ready pods and no others. (What a rollout says may be of before the drain.)"""
    pods = k.json("pods")["items"]
    run = [p["spec"]["nodeName"] for p in pods if "deletionTimestamp" not in p["metadata"]
           and ("Ready", "True") in [(one["type"], one["status"]) for one in p["status"].get("conditions", [])]]
    return run if len(pods) == len(run) == 2 else None


def test_a_drain_keeps_to_budgets(k):
    k.apply(deployment("web", replicas=2))
    k("create", "poddisruptionbudget", "web", "--selector=app=web", "--min-available=1")
    available(k, "web")
    wait_until(lambda: k.json("pdb", "web")["status"]["disruptionsAllowed"] == 1, "one may go")
    node = k("get", "pods", "-o", "jsonpath={.items[0].spec.nodeName}")
    drain = ["drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--pod-selector=app=web"]
    try:
        k(*drain, f"--timeout={HANG_S}s")
        places = wait_until(lambda: both_run(k), "there are two again")
        assert node not in places
        k("uncordon", node)
        node = k("get", "pods", "-o", "jsonpath={.items[0].spec.nodeName}")
        k("patch", "pdb", "web", "-p", '{"spec": {"minAvailable": 2}}')
        drain[1] = node
        done = k.run(*drain, "--timeout=2s", check=False)
        assert done.returncode != 0 and "Cannot evict pod as it would violate the pod's disruption budget." in done.stderr
        assert len(k.json("pods")["items"]) == 2
    finally:
        k("uncordon", node)


def test_what_nothing_acts_on_says_so(k):
    done = k.run("create", "-f", "-", stdin=json.dumps({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "d"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}))
    assert "Warning: persistentvolumeclaims are stored but not acted on by this server yet" in done.stderr
    assert "Warning" not in k.run("create", "configmap", "a").stderr
    k.apply(pod("sleep 1000"))
    done = k.run("debug", "p", f"--image={IMAGE}", "--", "true", check=False)
    assert done.returncode != 0 and "not supported by this server yet" in done.stderr
    assert "ephemeralContainers" not in k.json("pod", "p")["spec"]


# clusters as a whole


def test_nodes_that_go_have_their_pods_moved(clusters):
    made = clusters.create("moving", nodes=2)
    k = clusters.kubectl(made)
    try:
        wait_until(lambda: k.run("get", "serviceaccount", "default", check=False).returncode == 0, "it has an account")
        k.apply(deployment("web", replicas=4))
        available(k, "web")
        victim = k("get", "nodes", "-o", "jsonpath={.items[1].metadata.name}")
        k("delete", "node", victim)
        available(k, "web")
        wait_until(lambda: {p["spec"].get("nodeName") for p in k.json("pods")["items"]
                            if "deletionTimestamp" not in p["metadata"]} != {victim}
                   and victim not in {p["spec"].get("nodeName") for p in k.json("pods")["items"]}, "all pods are elsewhere")
        # the pool grows, then drains what it gives up
        pool = f"{made['id']}/agentPools/nodepool1"
        web.expect(clusters.send("PUT", pool, {"properties": {"count": 4, "mode": "System"}}), 200, 201)
        clusters.settled(made["id"])
        assert len(k.json("nodes")["items"]) == 4
        web.expect(clusters.send("PUT", pool, {"properties": {"count": 1, "mode": "System"}}), 200, 201)
        clusters.settled(made["id"])
        assert len(k.json("nodes")["items"]) == 1
        available(k, "web")
    finally:
        clusters.remove(made)


def test_stop_and_start(clusters):
    made = clusters.create("sleeper")
    k = clusters.kubectl(made)
    try:
        wait_until(lambda: k.run("get", "serviceaccount", "default", check=False).returncode == 0, "it has an account")
        k.apply(deployment("web", replicas=2))
        available(k, "web")
        web.expect(clusters.send("POST", made["id"] + "/stop"), 202, 204)
        stopped = clusters.settled(made["id"])["properties"]
        assert stopped["powerState"] == {"code": "Stopped"}
        assert k.run("get", "nodes", check=False).returncode != 0
        web.expect(clusters.send("POST", made["id"] + "/start"), 202, 204)
        assert clusters.settled(made["id"])["properties"]["powerState"] == {"code": "Running"}
        available(k, "web")
    finally:
        clusters.remove(made)


def holder(folder):
    """The process that keeps a cluster's network."""
    try:
        with open(f"{folder}/pid") as file:
            return int(file.read().split()[0])
    except (FileNotFoundError, IndexError):
        return None


def test_a_network_that_died_is_made_anew(sundog, clusters):
    run = f"/run/sundog-{data_id(sundog.data)}/n"
    before = set(os.listdir(run)) if os.path.isdir(run) else set()
    made = clusters.create("netless")
    k = clusters.kubectl(made)
    try:
        wait_until(lambda: k.run("get", "serviceaccount", "default", check=False).returncode == 0, "it has an account")
        k.apply(deployment("web", replicas=2))
        k.apply(service("web", type="LoadBalancer"))
        available(k, "web")
        address = wait_until(lambda: k("get", "svc", "web", "-o", "jsonpath={.status.loadBalancer.ingress[0].ip}"), "it has an address")
        assert wait_until(lambda: fetch(address), "it answers")
        (name,) = set(os.listdir(run)) - before
        pods = {p["metadata"]["uid"] for p in k.json("pods")["items"]}
        victim = holder(f"{run}/{name}")
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: holder(f"{run}/{name}") not in (None, victim), "there is another")
        wait_until(lambda: k.run("get", "pods", check=False).returncode == 0, "the API is back")
        available(k, "web")
        assert wait_until(lambda: fetch(address), "it answers again")
        assert {p["metadata"]["uid"] for p in k.json("pods")["items"]} == pods
    finally:
        clusters.remove(made)


def test_a_restart_of_the_server_leaves_pods_alone(sundog, clusters, cluster, kubectl):
    name = "r" + secrets.token_hex(4)
    kubectl("create", "namespace", name)
    kubectl.namespace = name
    try:
        wait_until(lambda: kubectl.run("get", "serviceaccount", "default", check=False).returncode == 0, "it has an account")
        kubectl.apply(deployment("web", replicas=2))
        kubectl.apply(service("web", type="LoadBalancer"))
        available(kubectl, "web")
        address = wait_until(lambda: kubectl("get", "svc", "web", "-o", "jsonpath={.status.loadBalancer.ingress[0].ip}"), "it has an address")
        wait_until(lambda: fetch(address), "it answers")
        before = {p["metadata"]["uid"]: p["status"]["containerStatuses"][0]["containerID"] for p in kubectl.json("pods")["items"]}
        sundog.stop()
        assert fetch(address), "services answer without us"
        sundog.start()
        wait_until(lambda: kubectl.run("get", "pods", check=False).returncode == 0, "the API is back")
        available(kubectl, "web")
        after = {p["metadata"]["uid"]: p["status"]["containerStatuses"][0]["containerID"] for p in kubectl.json("pods")["items"]}
        assert after == before and fetch(address)
        kubectl("scale", "deployment/web", "--replicas=3")
        available(kubectl, "web")
    finally:
        kubectl("delete", "namespace", name, "--wait=false")
        kubectl.namespace = None
