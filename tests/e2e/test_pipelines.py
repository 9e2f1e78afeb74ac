"""The files of deploy/pipelines, each run from its first step to its last as its system runs it."""

import json
import re

import pytest

from harness import pipeline, sundog_image
from harness.pipeline import GitHub


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
