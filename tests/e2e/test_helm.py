"""The chart of deploy/helm, rendered by Helm's own engine, on a Kubernetes: one of ours. Its PostgreSQL is a pod of the
same image, which has one."""

import base64
import json
import re
import subprocess

import pytest

from harness import sundog_image, web
from harness.clients import run
from harness.clusters import Clusters
from harness.machine import TOP, need
from harness.server import fresh_folder, wait_until
from harness.web import expect

CHART = f"{TOP}/deploy/helm/sundog"
KEY = "0123456789abcdef" * 4
VALUES = {"image": {"repository": "sundog.azurecr.io/sundog", "tag": "test"},
          "database": {"url": "postgresql://sundog@database/sundog"}, "secretKey": {"value": KEY},
          "blobs": {"hostPath": "/blobs"}, "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}},
          "firstStart": {"clientSecret": "the-secret", "registryPassword": "the-password", "userPassword": "the-users-password"},
          "extraEnv": {"SUNDOG_LOG_LEVEL": "warn"}}

DATABASE = """
apiVersion: v1
kind: Service
metadata: {name: database}
spec: {selector: {app: database}, ports: [{port: 5432}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: database}
spec:
  selector: {matchLabels: {app: database}}
  template:
    metadata: {labels: {app: database}}
    spec:
      securityContext: {runAsUser: 998, fsGroup: 998}
      initContainers: # a folder of the node is root's, as on any Kubernetes
      - name: blobs
        image: sundog.azurecr.io/sundog:test
        command: [chown, "999:999", /blobs]
        securityContext: {runAsUser: 0}
        volumeMounts: [{name: blobs, mountPath: /blobs}]
      containers:
      - name: postgres
        image: sundog.azurecr.io/sundog:test
        command:
        - sh
        - -euc
        - |
          initdb -D /data/pg -U sundog -A trust -E UTF8 --locale=C.UTF-8
          echo 'host all all all trust' >> /data/pg/pg_hba.conf
          echo 'CREATE DATABASE sundog;' | postgres --single -D /data/pg postgres
          exec postgres -D /data/pg -k /tmp -h 0.0.0.0
        readinessProbe: {tcpSocket: {port: 5432}, periodSeconds: 1}
        volumeMounts: [{name: data, mountPath: /data}]
      volumes: [{name: data, emptyDir: {}}, {name: blobs, hostPath: {path: /blobs, type: DirectoryOrCreate}}]
"""


@pytest.fixture(scope="module")
def engine():
    """The program that renders."""
    need("go")
    path = fresh_folder("g") + "/template"
    run("go", "build", "-o", path, f"{TOP}/tests/helm/template.go",
        env={"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": fresh_folder("g")})
    return path


@pytest.fixture
def render(engine):
    def manifests(values=None, check=True, release="prod"):
        path = fresh_folder("v") + "/values.json"
        with open(path, "w") as file:
            json.dump(VALUES if values is None else values, file)
        done = run(engine, CHART, release, "infra", path, check=check)
        return done.stdout if check else done
    return manifests


@pytest.fixture(scope="module")
def clusters(sundog):
    return Clusters(sundog)


@pytest.fixture(scope="module")
def cluster(clusters):
    need("root", "crun", "mount")
    cluster = clusters.create()
    yield cluster
    clusters.remove(cluster)


@pytest.mark.parametrize("values, why", [
    ({"secretKey": {"value": KEY}}, "database.url"),
    ({"database": {"url": "postgresql://x"}}, "secretKey.value"),
    ({"database": {"url": "postgresql://x"}, "secretKey": {"value": "short"}}, "not 64 hex digits"),
])
def test_what_is_missing_is_told(render, values, why):
    done = render(values, check=False)
    assert done.returncode != 0 and why in done.stderr


def test_its_names_are_in_its_certificate(render):
    """All that a Service has in a cluster, and those of one's own."""
    text = render({**VALUES, "tlsNames": ["images.example"]})
    names = re.search(r'name: SUNDOG_TLS_NAME\s+value: "(.*)"', text).group(1)
    assert names.split(",") == ["prod-sundog", *(f"prod-sundog.infra{end}" for end in ("", ".svc", ".svc.cluster.local")), "images.example"]


def test_every_value_is_used(render, kubectl):
    """All options at once are objects that an API server takes; secrets of one's own replace the chart's."""
    text = render({**VALUES, "database": {"existingSecret": "mine"}, "secretKey": {"existingSecret": "my-key"},
                   "firstStart": {**VALUES["firstStart"], "existingSecret": "my-first", "tenantId": KEY[:8] + "-1111-2222-3333-444444444444"},
                   "blobs": {"size": "7Gi", "storageClass": "shared"}, "tlsNames": ["images.example"],
                   "publicUrl": "https://images.example", "nodeSelector": {"disk": "fast"}, "podAnnotations": {"a": "b"},
                   "tolerations": [{"key": "x", "operator": "Exists"}], "imagePullSecrets": [{"name": "pull"}],
                   "service": {"type": "LoadBalancer", "annotations": {"c": "d"}}, "plain": {"inService": True}})
    kubectl.apply(text, "--dry-run=server")
    assert "kind: Secret" not in text
    for word in ("my-key", "mine", "my-first", "images.example", "disk: fast", "storageClassName: shared", "name: pull", "7Gi"):
        assert word in text, word


def test_two_replicas_on_a_kubernetes(sundog, render, k):
    """They start without a privilege, share database and blobs, and one of them is enough."""
    need("skopeo")
    run("skopeo", "copy", "-q", "--dest-tls-verify=false", "--dest-creds", ":".join(sundog.credentials),
        f"docker-archive:{sundog_image.archive()}", f"docker://localhost:{sundog.port()}/sundog/sundog:test")
    k.apply(DATABASE)
    rolled_out(k, "database")
    k.apply(render())
    rolled_out(k, "prod-sundog")
    pods = [pod["metadata"]["name"] for pod in k.json("pods", "-l", "app.kubernetes.io/name=sundog")["items"]]
    assert len(pods) == 2
    secret = k.json("secret", "prod-sundog-first-start")["data"]
    assert base64.b64decode(secret["registry-password"]).decode() == "the-password"

    with Forward(k, f"pod/{pods[0]}") as one, Forward(k, f"pod/{pods[1]}") as two:
        _, manifest = registry(one).repository("team/app").image("v1")
        assert expect(registry(two).repository("team/app").manifest("v1"), 200).body == manifest
        k("delete", "pod", pods[0], "--wait=false")
        assert expect(registry(two).repository("team/app").manifest("v1"), 200).body == manifest
    # kubectl would choose one that is on its way out as well as any other
    wait_until(lambda: not k("get", "pod", pods[0], "--ignore-not-found", "-o", "name"), "it is gone")
    rolled_out(k, "prod-sundog")
    with Forward(k, "service/prod-sundog", 443) as service:
        assert expect(registry(service, tls=True).repository("team/app").manifest("v1"), 200).body == manifest


def registry(forward, tls=False):
    if not tls:
        return web.Registry(f"http://127.0.0.1:{forward.port}", "sundog/", ("sundog", "the-password"), web.Http1())
    ca = fresh_folder("a") + "/ca.pem"
    with open(ca, "w") as file:
        file.write(forward.kubectl("exec", "deploy/prod-sundog", "--", "cat", "/data/tls/ca.pem"))
    return web.Registry(f"https://prod-sundog:{forward.port}", "sundog/", ("sundog", "the-password"),
                        web.Http1(ca, f"127.0.0.1:{forward.port}"))


def rolled_out(k, name):
    """A rollout that has ended; else what its pods say."""
    done = k.run("rollout", "status", f"deployment/{name}", "--timeout=600s", check=False, timeout=660)
    assert done.returncode == 0, (k("describe", "pods") + k("logs", f"deployment/{name}", "--tail=30"))[-6000:]


class Forward:
    """kubectl port-forward to a port of its choice."""

    def __init__(self, kubectl, what, port=8480):
        self.kubectl, self.port = kubectl, None
        self.process = subprocess.Popen(kubectl.command("port-forward", what, f":{port}"), env=kubectl.env(),
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def __enter__(self):
        said = self.process.stdout.readline()
        self.port = int(re.match(r"Forwarding from 127\.0\.0\.1:(\d+) ", said).group(1))
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(60)
