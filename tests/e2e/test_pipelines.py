"""The files of deploy/pipelines, each run from its first step to its last as its system runs it."""

import json
import re
import secrets
import uuid

import pytest

from harness import pipeline, sundog_image
from harness.pipeline import AzurePipelines, GitHub


@pytest.fixture(scope="module")
def docker():
    engine = pipeline.engine()
    yield engine
    engine.close()


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


def assert_masked(job, container):
    """No secret of the Sundog that the job used stands in its log."""
    admin = json.loads(job.docker("exec", container, "cat", "/data/admin.json").stdout)
    for name in ("clientSecret", "registryPassword", "userPassword"):
        assert admin[name] not in job.log.text(), name
    assert len(job.log.masks) >= 2


def test_github(docker, run):
    """Service, step, and then the actions as they are: sign-in, push, a container group, a cluster, both answer."""
    job = run(GitHub(docker, "github-actions.yml", SUNDOG_IMAGE=sundog_image.NAME))
    said = job.log.text()
    assert len(re.findall("Hello from Sundog</h1>", said)) == 2, said
    assert "Running" in said and f'"{GitHub.SHA}"' in said
    assert_masked(job, job.containers[0])


def test_azure_pipelines(docker, run):
    """Service, step, and the tasks as they are, by connections made before there was this Sundog: its names are given to it."""
    ids = {name: str(uuid.uuid4()) for name in ("TENANT_ID", "SUBSCRIPTION_ID", "CLIENT_ID")}
    secret = secrets.token_urlsafe(24)
    principal = {"clientId": ids["CLIENT_ID"], "clientSecret": secret}
    connections = {
        "sundog-registry": {"registry": "http://localhost:8480", "username": ids["CLIENT_ID"], "password": secret},
        "sundog": {"url": "https://localhost:8443/", "tenantId": ids["TENANT_ID"], "subscriptionId": ids["SUBSCRIPTION_ID"], **principal}}
    settings = {"SUNDOG_IMAGE": (sundog_image.NAME, False), "SUNDOG_CLIENT_SECRET": (secret, True),
                **{f"SUNDOG_{name}": (value, False) for name, value in ids.items()}}
    job = run(AzurePipelines(docker, "azure-pipelines.yml", settings, connections))
    said = job.log.text()
    assert len(re.findall("Hello from Sundog</h1>", said)) == 2, said
    assert "deployment.apps/app annotated" in said
    assert_masked(job, job.containers[0])
