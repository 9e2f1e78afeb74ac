"""The files of deploy/pipelines, each run from its first step to its last as its system runs it."""

import json
import os
import re
import secrets
import uuid

import pytest

from harness import pipeline, sundog_image
from harness.containers import wait_nothing_left
from harness.machine import TOP, need
from harness.pipeline import AzurePipelines, GitHub, GitLab, Jenkins, OnTheAgent
from harness.server import fresh_folder, program


@pytest.fixture(scope="module")
def docker():
    engine = pipeline.engine()
    yield engine
    engine.close()


def given_names():
    """The principal's names and secret, when they are made before the Sundog."""
    ids = {f"SUNDOG_{name}_ID": (str(uuid.uuid4()), False) for name in ("TENANT", "SUBSCRIPTION", "CLIENT")}
    return {"SUNDOG_IMAGE": (sundog_image.NAME, False), "SUNDOG_CLIENT_SECRET": (secrets.token_urlsafe(24), True), **ids}


@pytest.fixture
def run():
    """Runs a job; its containers go with the test."""
    jobs = []

    def start(job):
        jobs.append(job)
        return job.run()

    yield start
    for job in jobs:
        job.close()


def assert_masked(job, container, masks=2):
    """No secret of the Sundog that the job used stands in its log."""
    admin = json.loads(job.docker("exec", container, "cat", "/data/admin.json").stdout)
    for name in ("clientSecret", "registryPassword", "userPassword"):
        assert admin[name] not in job.log.text(), name
    assert len(job.log.masks) >= masks


def test_github(docker, run):
    """Service, step, and then the actions as they are: sign-in, push, a container group, a cluster, both answer."""
    job = run(GitHub(docker, "github-actions.yml", SUNDOG_IMAGE=sundog_image.NAME))
    said = job.log.text()
    assert len(re.findall("Hello from Sundog</h1>", said)) == 2, said
    assert "Running" in said and f'"{GitHub.SHA}"' in said
    assert_masked(job, job.containers[0])


def test_azure_pipelines(docker, run):
    """Service, step, and the tasks as they are, by connections made before there was this Sundog: its names are given to it."""
    settings = given_names()
    known = {name: value for name, (value, _) in settings.items()}
    principal = {"clientId": known["SUNDOG_CLIENT_ID"], "clientSecret": known["SUNDOG_CLIENT_SECRET"]}
    connections = {
        "sundog-registry": {"registry": "http://localhost:8480", "username": principal["clientId"], "password": principal["clientSecret"]},
        "sundog": {"url": "https://localhost:8443/", "tenantId": known["SUNDOG_TENANT_ID"],
                   "subscriptionId": known["SUNDOG_SUBSCRIPTION_ID"], **principal}}
    job = run(AzurePipelines(docker, "azure-pipelines.yml", settings, connections))
    said = job.log.text()
    assert len(re.findall("Hello from Sundog</h1>", said)) == 2, said
    assert "deployment.apps/app annotated" in said
    assert_masked(job, job.containers[0])


def test_gitlab(docker, run):
    """Sundog as a service beside docker:dind: what the job needs of it is a name, a CA and the project's variables."""
    job = run(GitLab(docker, "gitlab-ci.yml", "deploy", {**given_names(), "JOB_IMAGE": ("tools", False)}))
    said = job.log.text()
    assert "Hello from Sundog</h1>" in said and "successfully rolled out" in said, said
    assert_masked(job, job.containers[0], 1)


def test_jenkins(docker, run):
    """The chain of the articles: build, test, registry, Ansible, cluster, health check at the load balancer's address."""
    need("root", "crun", "mount", "ansible-playbook")
    with OnTheAgent(docker) as server:
        bin_folder = fresh_folder("b")
        os.symlink(program(), f"{bin_folder}/sundog")
        job = run(Jenkins(docker, "Jenkinsfile", {"PATH": f"{bin_folder}:{os.environ['PATH']}", "SUNDOG_DATA": server.data,
                                                    "ANSIBLE_HOME": bin_folder, "ANSIBLE_REMOTE_TEMP": f"{bin_folder}/tmp"}))
        said = job.log.text()
        assert re.search(r"localhost.*ok=3 +changed=1 .*failed=0", said), said
        for name in ("clientSecret", "registryPassword", "userPassword"):
            assert server.admin[name] not in said, name
        assert not os.path.exists(f"{job.work}/.sundog")
        wait_nothing_left(server.data)


def test_what_the_page_quotes():
    """Each block of docs/ci.md stands in a file of deploy/pipelines as it is; each file is on the page and run by a test."""
    files = {}
    for folder, _, names in os.walk(pipeline.FILES):
        for name in names:
            with open(f"{folder}/{name}", encoding="utf-8") as file:
                files[os.path.relpath(f"{folder}/{name}", pipeline.FILES)] = file.read()
    with open(f"{TOP}/docs/ci.md", encoding="utf-8") as file:
        page = file.read()
    blocks = re.findall(r"^```\w*\n(.*?)^```", page, re.M | re.S)
    assert len(blocks) >= 8
    for block in blocks:
        assert any(block in text for text in files.values()), block
    for name in files:
        assert f"../deploy/pipelines/{name}" in page or name.startswith("app/"), name
    paths = re.findall(r"deploy/pipelines/[\w./-]*\w", page + "".join(files.values()))
    assert len(paths) > 20
    for path in paths:
        assert os.path.exists(f"{TOP}/{path}"), path


def test_addresses_are_reached_on_the_host_network(docker):
    """docker run --network host --privileged: a container group answers the job itself."""
    need("az")
    job = pipeline.Job(docker)
    try:
        container = job.start_service("sundog", sundog_image.NAME, (), {}, "--network host --privileged")
        lines = docker("exec", container, "sundog", "env", "--files", f"{job.temp}/sundog").stdout
        code, said = job.execute(["bash", "-euc", lines + """
            az login --service-principal -u $AZURE_CLIENT_ID -p $AZURE_CLIENT_SECRET --tenant $AZURE_TENANT_ID -o none
            az group create -n ci -l eastus -o none
            az container create -g ci -n hello --image $SUNDOG_REGISTRY/hello --ports 80 --ip-address Public -o none
            curl -fsS --retry 30 --retry-connrefused http://$(az container show -g ci -n hello --query ipAddress.ip -o tsv)/"""], job.environment())
        assert code == 0 and "Hello from Sundog</h1>" in said, said
    finally:
        job.close()
