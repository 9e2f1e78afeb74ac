"""Debian's az with container groups: the commands of azure-cli's `az container`, an image that was just pushed, a shell by
`az container exec` in a terminal."""

import json
import re

import pytest

from harness import web
from harness.azure import Az
from harness.containers import Groups, fetch, push_shell, wait_nothing_left
from harness.machine import need
from harness.server import wait_until
from harness.terminal import in_terminal


@pytest.fixture(scope="module")
def az(sundog):
    need("az", "root", "crun", "mount")
    push_shell(web.by_path(sundog))
    push_shell(web.by_path(sundog), "app", Cmd=["/bin/sh", "-c", "echo started; echo hello from the group > /tmp/index.html; "
                                                "exec httpd -f -p 80 -h /tmp"])
    client = Az(sundog)
    client.login()
    client("group create -n rg1 -l eastus")
    yield client
    client("group delete -n rg1 -y")
    wait_nothing_left(sundog.data)


def typed(az, *args, **more):
    return in_terminal(["/usr/bin/az", *args], az.env, az.folder, **more)


def local(az, image):
    """A name for which az does not ask for credentials, as it does for *.azurecr.io."""
    return f"sundog.azurecr.localhost:{az.server.port('https')}/{image}"


def as_admin(az):
    name, password = az.server.credentials
    return "--registry-username", name, "--registry-password", password


def test_the_walk(az):
    made = az.json("container", "create", "-g", "rg1", "-n", "hello", "--image", "sundog.azurecr.io/app:1", "--ports", "80",
                   "--ip-address", "Public", "--dns-name-label", "hello-walk", "-l", "eastus", *as_admin(az))
    assert made["provisioningState"] == "Succeeded" and made["instanceView"]["state"] == "Running"
    assert made["ipAddress"]["fqdn"] == "hello-walk.eastus.azurecontainer.localhost"
    assert fetch(made["ipAddress"]["ip"]).strip() == "hello from the group"
    wait_until(lambda: az("container logs -g rg1 -n hello").out.strip() == "started", "it has said so")
    shown = typed(az, "container", "exec", "-g", "rg1", "-n", "hello", "--exec-command", "/bin/sh", size=(33, 101),
                        keys=[("# ", "stty size; echo $((40+2))-done\r"), ("42-done", "exit\r")])
    assert "33 101" in shown and "42-done" in shown
    assert "hello" in az("container list -g rg1 -o table").out
    table = az("container show -g rg1 -n hello -o table").out
    assert re.search(r"hello\s+rg1\s+Running\s+sundog.azurecr.io/app:1\s+[\d.]+:80\s", table), table
    az("container restart -g rg1 -n hello")
    az("container stop -g rg1 -n hello")
    assert az.json("container show -g rg1 -n hello")["instanceView"]["state"] == "Stopped"
    az("container start -g rg1 -n hello")
    wait_until(lambda: az.json("container show -g rg1 -n hello")["instanceView"]["state"] == "Running", "it runs again")
    az("container delete -g rg1 -n hello -y")
    assert az("container show -g rg1 -n hello", status=3).err
    assert az.json("container list -g rg1") == []


def test_everything_create_knows(az, sundog):
    az("container", "create", "-g", "rg1", "-n", "full", "--image", local(az, "busybox:1"), "--cpu", "1", "--memory", "1.5",
       "--restart-policy", "OnFailure", "-e", "A=1", "B=two words", "--secure-environment-variables", "S=hush-hush",
       "--command-line", "/bin/sh -c 'echo $A-$B-$S; cat /s/a; ls /m'", "--azure-file-volume-share-name", "sh",
       "--azure-file-volume-account-name", "acaccount", "--azure-file-volume-account-key", "a2V5",
       "--azure-file-volume-mount-path", "/m", "--secrets", "a=from-secret", "--secrets-mount-path", "/s",
       "--log-analytics-workspace", "w", "--log-analytics-workspace-key", "kk", "--assign-identity", "--zone", "1",
       "--registry-login-server", f"sundog.azurecr.localhost:{sundog.port('https')}", "--registry-username",
       sundog.credentials[0], "--registry-password", sundog.credentials[1])
    shown = wait_until(lambda: (s := az.json("container show -g rg1 -n full"))["instanceView"]["state"] == "Succeeded" and s,
                       "it ends")
    assert az("container logs -g rg1 -n full").out.splitlines()[0] == "1-two words-hush-hush"
    assert "from-secret" in az("container logs -g rg1 -n full").out
    text = json.dumps(shown)
    assert "hush-hush" not in text and "a2V5" not in text and shown["identity"]["type"] == "SystemAssigned"
    az("container delete -g rg1 -n full -y")


def test_yaml_and_export(az):
    path = f"{az.folder}/group.yaml"
    with open(path, "w") as file:
        file.write("""
apiVersion: '2021-09-01'
location: eastus
name: fromyaml
type: Microsoft.ContainerInstance/containerGroups
properties:
  osType: Linux
  restartPolicy: Always
  ipAddress:
    type: Public
    ports: [{protocol: tcp, port: 80}]
  containers:
  - name: a
    properties:
      image: sundog.azurecr.io/app:1
      ports: [{port: 80}]
      resources: {requests: {cpu: 1, memoryInGB: 1}}
  - name: b
    properties:
      image: sundog.azurecr.io/busybox:1
      command: [/bin/sh, -c, 'echo from b; sleep 1000']
      resources: {requests: {cpu: 1, memoryInGB: 1}}
""")
    az("container", "create", "-g", "rg1", "-f", path)
    wait_until(lambda: az("container logs -g rg1 -n fromyaml --container-name b").out.strip() == "from b", "b has spoken")
    az("container", "export", "-g", "rg1", "-n", "fromyaml", "-f", f"{az.folder}/exported.yaml")
    with open(f"{az.folder}/exported.yaml") as file:
        exported = file.read()
    assert "sundog.azurecr.io/app:1" in exported
    az("container delete -g rg1 -n fromyaml -y")
    az("container", "create", "-g", "rg1", "-f", f"{az.folder}/exported.yaml")
    assert az.json("container show -g rg1 -n fromyaml")["instanceView"]["state"] == "Running"
    az("container delete -g rg1 -n fromyaml -y")


def test_logs_that_follow_and_attach(az, sundog):
    """Whoever attaches sees what was said and what is said from now on; it goes on as it is told, and ends when told."""
    az("container", "create", "-g", "rg1", "-n", "ends", "--image", local(az, "busybox:1"), "--restart-policy", "Never",
       "--command-line", "/bin/sh -c 'for i in 1 2 3; do echo tick $i; until [ -e /tmp/$i ]; do sleep 0.1; done; done'")
    groups = Groups(sundog, "rg1")

    def go_on(number):
        return f"tick {number}", lambda: groups.exec("ends", f"/bin/touch /tmp/{number}", container="ends").rest() and None

    shown = typed(az, "container", "attach", "-g", "rg1", "-n", "ends", keys=[go_on(1), go_on(2), go_on(3)])
    assert "Start streaming logs" in shown.split("tick 1\n")[0], shown
    assert groups.ended("ends")["exitCode"] == 0
    assert "tick 3" in az("container logs -g rg1 -n ends --follow").out
    az("container delete -g rg1 -n ends -y")


def test_what_it_says_of_mistakes(az):
    said = az("container", "create", "-g", "rg1", "-n", "bad", "--image", local(az, "nosuch:1"), status=1)
    assert "InaccessibleImage" in said.err and "nosuch:1" in said.err
    said = az("container", "create", "-g", "rg1", "-n", "big", "--image", local(az, "busybox:1"), "--cpu", "64", status=1)
    assert "cpu" in said.err.lower()
    said = az("container", "create", "-g", "rg1", "-n", "Bad_Name!", "--image", local(az, "busybox:1"), status=None)
    assert said.status != 0
    assert az.json("container list -g rg1") == []
