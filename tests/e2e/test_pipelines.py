"""The files of deploy/pipelines, each run from its first step to its last as its system runs it."""

import json
import re
import secrets
import uuid

import pytest

from harness import pipeline, sundog_image
from harness.pipeline import AzurePipelines, GitHub, GitLab


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
