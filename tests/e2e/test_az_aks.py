"""Debian's az with managed clusters: `az aks` from create to delete, a command run inside, who may pull."""

import os
import secrets
import subprocess
import urllib.parse

import pytest

from harness import images, web
from harness.azure import Az
from harness.clusters import Kubectl, newest
from harness.containers import push_image, push_shell, shell_files, wait_nothing_left
from harness.machine import need
from harness.server import Sundog, wait_until

AKS_SERVER = "6dae42f8-4368-4678-94ff-3960e28e3630"
ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"


def kubectl_path():
    program = newest()
    return program if os.path.isabs(program) else subprocess.run(["which", program], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="module")
def az():
    """A Sundog that pulls only by rights, and runs commands in an image of ours."""
    need("az", "root", "crun", "mount")
    with Sundog(["--pull-default", "none", "--command-image", "sundog.azurecr.io/tools:1"]) as server:
        registry = web.by_path(server)
        push_shell(registry)
        files, links = shell_files()
        with open(kubectl_path(), "rb") as file:
            files["bin/kubectl"] = file.read()
        push_image(registry, "tools", "1", [images.tar_of(files, links, folders=("tmp", "root"))],
                   {"Env": ["PATH=/bin", "HOME=/root"]})
        client = Az(server)
        client.login()
        client("group create -n rg1 -l eastus")
        yield client
        client("group delete -n rg1 -y")
        wait_nothing_left(server.data)


@pytest.fixture(scope="module")
def cluster(az):
    return az.json("aks create -g rg1 -n c1 --node-count 2 --no-ssh-key --node-vm-size Standard_D4s_v3 --tags a=b")


def nodes(k):
    return {node["metadata"]["name"]: node for node in k.json("nodes")["items"]}


@pytest.fixture(scope="module")
def k(az, cluster):
    """kubectl with what `az aks get-credentials` wrote."""
    path = f"{az.folder}/kubeconfig"
    az(f"aks get-credentials -g rg1 -n {cluster['name']} -f {path}")
    with open(path) as file:
        return Kubectl(file.read())


def test_what_create_answers(az, cluster):
    assert cluster["provisioningState"] == "Succeeded" and cluster["powerState"] == {"code": "Running"}
    assert cluster["nodeResourceGroup"] == "MC_rg1_c1_eastus" and cluster["tags"] == {"a": "b"}
    assert cluster["identity"]["type"] == "SystemAssigned" and cluster["identityProfile"]["kubeletidentity"]["objectId"]
    (pool,) = cluster["agentPoolProfiles"]
    assert pool["count"] == 2 and pool["vmSize"] == "Standard_D4s_v3" and pool["mode"] == "System"
    assert az.json("aks show -g rg1 -n c1")["fqdn"] == cluster["fqdn"]
    assert [one["name"] for one in az.json("aks list")] == ["c1"]
    assert "1.33.5" in az("aks get-versions -l eastus -o table").out
    assert "None available" in az("aks get-upgrades -g rg1 -n c1 -o table").out
    assert "c1" in az("aks list -o table").out


def test_credentials(az, cluster, k):
    assert len(nodes(k)) == 2
    path = f"{az.folder}/admin"
    az(f"aks get-credentials -g rg1 -n c1 --admin -f {path}")
    with open(path) as file:
        admin = Kubectl(file.read())
    assert admin("config", "current-context").strip() == "c1-admin"
    assert admin("auth", "can-i", "*", "*").strip() == "yes"


def test_it_pulls_once_it_may(az, cluster, k):
    """--attach-acr's assignment, by the call az 2.45 of Debian fails to make."""
    wait_until(lambda: k.run("get", "serviceaccount", "default", check=False).returncode == 0, "it has an account")
    k("run", "puller", "--image=sundog.azurecr.io/busybox:1", "--restart=Never", "--command", "--", "sleep", "1000")
    wait_until(lambda: k("get", "pod", "puller", "-o", "jsonpath={.status.containerStatuses[0].state.waiting.reason}")
               in ("ErrImagePull", "ImagePullBackOff"), "it is refused")
    registry = az("acr show -n sundog --query id -o tsv").out.strip()
    who = cluster["identityProfile"]["kubeletidentity"]["objectId"]
    name = secrets.token_hex(16)
    guid = "-".join((name[:8], name[8:12], name[12:16], name[16:20], name[20:]))
    az("rest", "--method", "put", "--url",
       f"{registry}/providers/Microsoft.Authorization/roleAssignments/{guid}?api-version=2022-04-01", "--body",
       f'{{"properties": {{"principalId": "{who}", "roleDefinitionId": "{registry.split("/resourceGroups")[0]}'
       f'/providers/Microsoft.Authorization/roleDefinitions/{ACR_PULL}"}}}}')
    wait_until(lambda: k("get", "pod", "puller", "-o", "jsonpath={.status.phase}") == "Running", "it runs",
               timeout_s=420)  # the longer it was refused, the later it is asked for again: up to five minutes
    k("delete", "pod", "puller", "--grace-period=1")


def test_a_command_inside(az, cluster, k):
    said = az("aks", "command", "invoke", "-g", "rg1", "-n", "c1", "--command", "kubectl get nodes -o name; echo $((40+2))").out
    assert "exitcode=0" in said.replace(" ", "") and "42" in said
    assert all(f"node/{name}" in said for name in nodes(k))


def test_pools(az, cluster, k):
    pool = "--cluster-name c1 -g rg1"
    az(f"aks nodepool add {pool} -n user1 --node-count 1 --mode User --labels a=b --node-taints k=v:NoSchedule")
    (name,) = [name for name in nodes(k) if "user1" in name]
    made = nodes(k)[name]
    assert made["metadata"]["labels"]["a"] == "b" and made["metadata"]["labels"]["kubernetes.azure.com/mode"] == "user"
    assert {"key": "k", "value": "v", "effect": "NoSchedule"} in made["spec"]["taints"]
    az(f"aks nodepool scale {pool} -n user1 --node-count 2")
    assert len([name for name in nodes(k) if "user1" in name]) == 2
    az(f"aks nodepool update {pool} -n user1 --labels x=y --node-taints q=r:NoExecute")
    assert nodes(k)[name]["metadata"]["labels"].get("x") == "y" and "a" not in nodes(k)[name]["metadata"]["labels"]
    assert [(taint["key"], taint["effect"]) for taint in nodes(k)[name]["spec"]["taints"]] == [("q", "NoExecute")]
    assert az.json(f"aks nodepool get-upgrades {pool} --nodepool-name user1")["kubernetesVersion"] == "1.33.5"
    assert "user1" in az(f"aks nodepool list {pool} -o table").out
    az(f"aks nodepool stop {pool} --nodepool-name user1")
    assert not [name for name in nodes(k) if "user1" in name]
    az(f"aks nodepool start {pool} --nodepool-name user1")
    assert len([name for name in nodes(k) if "user1" in name]) == 2
    az(f"aks nodepool delete {pool} -n user1")
    assert not [name for name in nodes(k) if "user1" in name]
    az("aks scale -g rg1 -n c1 --node-count 1")
    assert len(nodes(k)) == 1


def test_stop_start_and_tags(az, cluster, k):
    az("aks stop -g rg1 -n c1")
    assert az.json("aks show -g rg1 -n c1")["powerState"] == {"code": "Stopped"}
    assert k.run("get", "nodes", check=False).returncode != 0
    az("aks start -g rg1 -n c1")
    assert len(nodes(k)) == 1
    assert az.json("aks update -g rg1 -n c1 --tags x=y")["tags"] == {"x": "y"}


def test_what_is_not_built_says_so(az, cluster):
    assert "NotSupported" in az("aks rotate-certs -g rg1 -n c1 -y", status=1).err
    assert "NotSupported" in az("aks create -g rg1 -n c2 --no-ssh-key --enable-cluster-autoscaler --min-count 1 --max-count 3", status=1).err
    assert az("aks show -g rg1 -n c2", status=3).err


def test_administrators_are_a_group_of_the_directory(az):
    group = az.json("ad group create --display-name operators --mail-nickname operators")["id"]
    made = az.json("ad sp create-for-rbac -n operator")
    az(f"aks create -g rg1 -n c3 --node-count 1 --no-ssh-key --enable-aad --aad-admin-group-object-ids {group}")
    path = f"{az.folder}/c3"
    az(f"aks get-credentials -g rg1 -n c3 --admin -f {path}")
    with open(path) as file:
        k = Kubectl(file.read())
    form = urllib.parse.urlencode({"grant_type": "client_credentials", "client_id": made["appId"], "client_secret": made["password"],
                                   "scope": f"{AKS_SERVER}/.default"}).encode()
    answer = web.Http1(az.server.ca)("POST", f"https://localhost:{az.server.port('https')}/{made['tenant']}/oauth2/v2.0/token", form,
                                     [("Content-Type", "application/x-www-form-urlencoded")])
    token = web.expect(answer, 200).json()["access_token"]
    user = k("config", "view", "--raw", "-o", "jsonpath={.users[0].name}")
    k("config", "unset", f"users.{user}")
    k("config", "set-credentials", user, f"--token={token}")
    assert "Forbidden" in k.run("get", "nodes", check=False).stderr
    az("ad", "group", "member", "add", "--group", group, "--member-id", az.json("ad", "sp", "show", "--id", made["appId"])["id"])
    wait_until(lambda: k.run("get", "nodes", check=False).returncode == 0, "it may")
    az("aks delete -g rg1 -n c3 -y")


def test_delete(az, cluster):
    az("aks delete -g rg1 -n c1 -y")
    assert az.json("aks list") == []
