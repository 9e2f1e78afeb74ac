"""deploy/compose.yaml by docker-compose as it is: published ports, credentials by variables, data that stays."""

import json

import pytest

from harness import sundog_image
from harness.machine import TOP, need
from harness.server import fresh_folder, wait_until

GIVEN = {"SUNDOG_IMAGE": sundog_image.NAME, "SUNDOG_CLIENT_SECRET": "a-secret-of-the-file", "SUNDOG_ADMIN_PASSWORD": "a-password-of-the-file"}


@pytest.fixture(scope="module")
def docker():
    need("docker", "docker-compose", "mount")
    engine = sundog_image.engine(network=True)
    yield engine
    engine.close()


def test_up_push_down_up(docker):
    def compose(*words):
        return docker.beside("docker-compose", "-p", "ours", "-f", f"{TOP}/deploy/compose.yaml", *words, env={**GIVEN, "HOME": fresh_folder("h")})

    def healthy():
        inspected = docker("inspect", compose("ps", "-q", "sundog").stdout.strip()).stdout
        return json.loads(inspected)[0]["State"]["Health"]["Status"] == "healthy"

    compose("up", "-d")
    wait_until(healthy, "it is healthy")
    assert docker.beside("curl", "-fsS", "http://localhost:8480/readyz").stdout is not None
    pair = "sundog:a-password-of-the-file"
    docker("login", "localhost:8480", "-u", "sundog", "-p", "a-password-of-the-file")
    docker("pull", "-q", "localhost:8480/sundog/hello")
    docker("tag", "localhost:8480/sundog/hello", "localhost:8480/sundog/kept:1")
    docker("push", "-q", "localhost:8480/sundog/kept:1")
    said = docker.beside("curl", "-kfsS", "https://localhost:8443/metadata/endpoints?api-version=2019-05-01").stdout
    assert "https://localhost:8443" in said
    compose("down")
    compose("up", "-d")
    wait_until(healthy, "it is healthy again")
    tags = docker.beside("curl", "-fsS", "-u", pair, "http://localhost:8480/v2/sundog/kept/tags/list").stdout
    assert json.loads(tags)["tags"] == ["1"]
    compose("down", "-v")
    assert docker("volume", "ls", "-q").stdout == ""
