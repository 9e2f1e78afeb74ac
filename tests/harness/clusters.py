"""Kubernetes clusters by the resource manager, and kubectl as it is on this machine."""

import base64
import glob
import json
import os
import re
import secrets
import subprocess

from harness import web
from harness.manager import Arm
from harness.server import HANG_S, fresh_folder, wait_until

VERSION = "2025-03-01"
KUBECTLS = "/usr/lib/google-cloud-sdk/bin/kubectl.1.*"


def kubectls():
    """Every kubectl of this machine by its minor version, {"1.33": path}: those of the SDK, the one on the path."""
    found = {os.path.basename(path)[len("kubectl."):]: path for path in glob.glob(KUBECTLS)}
    tools = os.environ.get("SUNDOG_TEST_TOOLS", "")
    for path in [os.path.join(tools, "kubectl")] if tools else []:
        if os.path.exists(path):
            said = subprocess.run([path, "version", "--client"], capture_output=True, text=True, check=False).stdout
            version = re.search(r'v(\d+\.\d+)', said)
            if version:
                found.setdefault(version[1], path)
    if not found:
        found["path"] = "kubectl"
    return found


def newest():
    every = kubectls()
    return every[max(every, key=lambda version: [int(n) for n in re.findall(r"\d+", version)] or [0])]


class Kubectl:
    """kubectl with a kubeconfig and a cache of its own."""

    def __init__(self, kubeconfig, program=None, namespace=None):
        self.folder = fresh_folder("k")
        self.config = os.path.join(self.folder, "config")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(kubeconfig)
        self.program, self.namespace = program or newest(), namespace

    def env(self):
        return {**os.environ, "KUBECONFIG": self.config, "HOME": self.folder,
                "KUBECACHEDIR": os.path.join(self.folder, "cache")}

    def command(self, *args):
        scope = ["-n", self.namespace] if self.namespace else []
        return [self.program, *scope, *args]

    def run(self, *args, stdin=None, check=True, timeout=HANG_S):
        done = subprocess.run(self.command(*args), input=stdin, capture_output=True, text=True, env=self.env(),
                              timeout=timeout, check=False)
        assert not check or done.returncode == 0, (args, done.returncode, done.stdout, done.stderr)
        return done

    def __call__(self, *args, **options):
        return self.run(*args, **options).stdout

    def json(self, *args):
        return json.loads(self("get", *args, "-o", "json"))

    def apply(self, text, *args):
        return self("apply", "-f", "-", *args, stdin=text if isinstance(text, str) else json.dumps(text))


def cluster_body(nodes=1, **pool):
    return {"location": "eastus", "identity": {"type": "SystemAssigned"},
            "properties": {"dnsPrefix": "test", "agentPoolProfiles": [
                {"name": "nodepool1", "count": nodes, "vmSize": "Standard_DS2_v2", "mode": "System", **pool}]}}


class Clusters(Arm):
    """Managed clusters in a resource group of their own."""

    def __init__(self, server, group="clusters"):
        super().__init__(server)
        self.group_name = group
        self.group(group)

    def path(self, name):
        return (f"{self.sub}/resourceGroups/{self.group_name}/providers/Microsoft.ContainerService"
                f"/managedClusters/{name}")

    def send(self, method, path, body=None):
        return self(method, path, body, version=VERSION)

    def settled(self, path):
        """The cluster, once its last operation has ended."""
        def look():
            answer = self.send("GET", path)
            state = answer.json()["properties"]["provisioningState"] if answer.status == 200 else None
            return answer.json() if state in ("Succeeded", "Failed") else None
        return wait_until(look, f"{path} is settled")

    def create(self, name=None, nodes=1, **pool):
        path = self.path(name or "c" + secrets.token_hex(4))
        web.expect(self.send("PUT", path, cluster_body(nodes, **pool)), 200, 201)
        made = self.settled(path)
        assert made["properties"]["provisioningState"] == "Succeeded", made
        return made

    def kubeconfig(self, cluster, kind="Admin"):
        answer = web.expect(self.send("POST", f"{cluster['id']}/listCluster{kind}Credential"), 200).json()
        return base64.b64decode(answer["kubeconfigs"][0]["value"]).decode()

    def kubectl(self, cluster, program=None, namespace=None):
        return Kubectl(self.kubeconfig(cluster), program, namespace)

    def remove(self, cluster):
        web.expect(self.send("DELETE", cluster["id"]), 202, 204)
        wait_until(lambda: self.send("GET", cluster["id"]).status == 404, f"{cluster['id']} is gone")
