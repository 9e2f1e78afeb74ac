"""Every command in a ```sh block of README.md, docs/ and deploy/ is run: here, or by the test that is named here."""

import glob
import json
import os
import re

import pytest

from harness import sundog_image, web
from harness.clients import run
from harness.containers import Groups, push_shell, wait_nothing_left
from harness.clusters import Clusters
from harness.machine import TOP, need
from harness.server import fresh_folder, program

# By words of a block: the file that runs it.
ELSEWHERE = {
    "deploy/up --detach": "tests/e2e/test_deploy.py",
    "docker login localhost:8480 -u $user": "tests/e2e/test_readme.py",
    "docker login sundog.azurecr.localhost:8443": "tests/e2e/test_readme.py",
    "az acr webhook create -n onpush": "tests/e2e/test_readme.py",
    "az container exec": "tests/e2e/test_readme.py",
    "az aks create -g aks": "tests/e2e/test_readme.py",
    "apt-get install -y $deb": "tests/e2e/test_deb.py",
    "prometheus --config.file=prometheus.yml": "tests/e2e/test_monitoring.py",
    "docker compose -f deploy/compose.yaml": "tests/e2e/test_compose.py",
}
CI = "docs/ci.md"  # tests/e2e/test_pipelines.py reads that page


def blocks():
    """(file, text) of every block."""
    files = [f"{TOP}/README.md", *sorted(glob.glob(f"{TOP}/docs/*.md")), f"{TOP}/deploy/README.md"]
    return [(os.path.relpath(path, TOP), block) for path in files if os.path.exists(path)
            for block in re.findall(r"^```sh\n(.*?)^```", open(path).read(), re.M | re.S)]


def the_block(file, words):
    return next(text for name, text in blocks() if name == file and words in text)


HERE = {"docs/auth.md": ["az login -u admin@sundog.localhost"], "docs/registry.md": ["deployweb"],
        "docs/instances.md": ["az monitor metrics list", "sundog compose"], "docs/deployments.md": ["az deployment group create"],
        "docs/operations.md": ["deploy/image --archive", "sundog trace --refused", "sundog backup", "sundog new", "sundog snapshot save"]}


def test_each_block_is_run():
    """A block that nobody runs is named."""
    unknown = []
    for file, text in blocks():
        if file == CI or any(words in text for words in HERE.get(file, [])):
            continue
        where = next((path for words, path in ELSEWHERE.items() if words in text), None)
        if not where or not os.path.exists(f"{TOP}/{where}"):
            unknown.append(f"{file}:\n{text}")
    assert not unknown, "\n".join(unknown)


@pytest.fixture
def shell(sundog):
    """Runs a block for this server as somebody who is root already; what differs on this machine is replaced."""
    home = fresh_folder("h")
    path = f"{home}/bin"
    os.makedirs(path)
    for name, text in (("sundog", f'command=$1; shift; exec {program()} "$command" --data {sundog.data} "$@"'), ("sudo", 'exec "$@"')):
        with open(f"{path}/{name}", "w") as file:
            file.write(f"#!/bin/sh\n{text}\n")
        os.chmod(f"{path}/{name}", 0o755)
    plain = {name: value for name, value in os.environ.items()
             if not name.startswith(("AZURE_", "ARM_", "DOCKER_", "REGISTRY_", "KUBE"))}
    env = {**plain, "HOME": home, "PATH": f"{path}:{os.environ['PATH']}"}

    def sh(text, signed_in=True, **more):
        begin = 'eval "$(sundog env)"\n'
        if signed_in:
            begin += "az login --service-principal -u $AZURE_CLIENT_ID -p $AZURE_CLIENT_SECRET --tenant $AZURE_TENANT_ID -o none\n"
        for told, real in (("/tmp/", f"{home}/"), ("/var/lib/sundog", sundog.data), (":8480", f":{sundog.port()}")):
            text = text.replace(told, real)
        return run("bash", "-euo", "pipefail", "-c", begin + text, env={**env, **more}, cwd=home)
    sh.home = home
    return sh


def test_auth(sundog, shell):
    need("az", "jq")
    assert "admin@sundog.localhost" in shell(the_block("docs/auth.md", "az login"), signed_in=False).stdout


def test_deployments(sundog, shell):
    need("az")
    resources = [{"type": "Microsoft.ContainerRegistry/registries", "apiVersion": "2023-07-01", "name": "[concat('docs', parameters('name'))]",
                  "location": "eastus", "sku": {"name": "Basic"}}]
    parameters = {"name": {"type": "string"}, "word": {"type": "secureString", "defaultValue": "x"}}
    schema = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
    with open(f"{shell.home}/main.json", "w") as file:
        json.dump({"$schema": schema, "contentVersion": "1.0.0.0", "parameters": parameters, "resources": resources}, file)
    with open(f"{shell.home}/all.json", "w") as file:
        json.dump({"$schema": schema.replace("deploymentTemplate", "subscriptionDeploymentTemplate"), "contentVersion": "1.0.0.0", "resources": [
            {"type": "Microsoft.Resources/resourceGroups", "apiVersion": "2021-04-01", "name": "docs-all", "location": "eastus"}]}, file)
    said = shell(the_block("docs/deployments.md", "az deployment"), SECRET="hush").stdout
    assert "docsweb" in said and "hush" not in said


def test_containers(sundog, shell):
    """The blocks about what runs: metrics of a group, and webhooks that deploy to it and to a cluster."""
    need("az", "root", "crun", "mount")
    push_shell(web.by_path(sundog), "team/app", "1", Entrypoint=["/bin/busybox", "sleep", "9999"], Cmd=None)
    for group, name in (("walk", "hello"), ("demo", "web")):
        Groups(sundog, group).create(name=name, container={"image": "sundog.azurecr.io/team/app:1"})
    clusters = Clusters(sundog, "demo")
    cluster = clusters.create("c1")
    clusters.kubectl(cluster).apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
        "selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {
            "containers": [{"name": "web", "image": "sundog.azurecr.io/team/app:1"}]}}}})
    with open(f"{shell.home}/compose.yaml", "w") as file:
        file.write("name: composed\nservices:\n  app:\n    image: sundog.azurecr.io/team/app:1\n")
    assert '"composed"' in shell(the_block("docs/instances.md", "sundog compose")).stdout
    assert '"CpuUsage"' in shell(the_block("docs/instances.md", "az monitor metrics list")).stdout
    assert '"disabled"' in shell(the_block("docs/registry.md", "deployweb")).stdout
    clusters.remove(cluster)
    for groups in (Groups(sundog, "walk"), Groups(sundog, "demo")):
        for one in groups.get(groups.folder)["value"]:
            groups.delete(one["name"])
    wait_nothing_left(sundog.data)


def test_operations(sundog, shell):
    """Trace, backup and restore."""
    need("root")
    shell(the_block("docs/operations.md", "sundog trace --refused"), signed_in=False)
    shell(the_block("docs/operations.md", "sundog backup"), signed_in=False)
    assert os.path.exists(f"{shell.home}/sundog-restored/secret.key")


def test_the_image():
    """Built, loaded, run, and used from outside by docker."""
    need("docker", "buildah")
    docker = sundog_image.engine(network=True)
    home = fresh_folder("h")
    try:
        docker("tag", sundog_image.NAME, "localhost/sundog:0.1.0")
        text = the_block("docs/operations.md", "deploy/image --archive")
        version = run(program("release"), "--version").stdout.split()[1]
        assert f"localhost/sundog:{version}" in text
        text = re.sub(r"^deploy/image.*\n", "", text, flags=re.M).replace("/tmp/sundog.tar", sundog_image.archive())
        said = docker.beside("bash", "-euo", "pipefail", "-c", text.replace("docker ", f"{docker.client} "), env={"HOME": home})
        assert "Login Succeeded" in said.stdout and "ready" in said.stdout
        docker("rm", "-f", "-v", "sundog")
    finally:
        docker.close()


def test_jobs_and_snapshots(sundog, shell):
    """Last, since it resets the server."""
    need("root")
    shell(the_block("docs/operations.md", "sundog new"), signed_in=False)
    shell(the_block("docs/operations.md", "sundog snapshot save"), signed_in=False)
    assert sundog.ready()
