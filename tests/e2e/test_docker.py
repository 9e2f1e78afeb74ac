"""docker login, build, push, pull with Debian's Docker Engine on a private socket."""

import json
import os

import pytest

from harness.clients import Docker
from harness.machine import need
from harness.server import fresh_folder


@pytest.fixture(scope="module")
def docker(sundog):
    need("docker")
    engine = Docker(fresh_folder("e"), sundog)
    yield engine
    engine.close()


@pytest.fixture
def login(docker, sundog, way):
    user, password = sundog.credentials
    host = way[0].split("/")[0]
    docker("login", "-u", user, "--password-stdin", host, input=password)
    yield
    docker("logout", host)


@pytest.fixture(scope="module")
def built(docker, folder):
    context = f"{folder}/context"
    os.makedirs(f"{context}/site")
    for name, size in (("small", 100), ("large", 3_000_000)):
        with open(f"{context}/site/{name}", "wb") as file:
            file.write(os.urandom(size))
    with open(f"{context}/Dockerfile", "w") as file:
        file.write("FROM scratch\nCOPY site/small /small\nCOPY site/large /large\nCMD [\"/large\"]\n")
    docker("build", "-q", "-t", "built:1", context)
    return json.loads(docker("image", "inspect", "built:1").stdout)[0]


@pytest.mark.usefixtures("login")
@pytest.mark.parametrize("name", ["app", "team/service/app"])
def test_push_then_pull(docker, built, way, name):
    """`docker push localhost:8480/sundog/app:1`, then a pull gives the very image."""
    target = f"{way[0]}/{name}:1"
    docker("tag", "built:1", target)
    assert "digest: sha256:" in docker("push", target).stdout
    docker("rmi", target)
    docker("rmi", "-f", "built:1")  # no layer is left: all of them must come from the registry
    docker("pull", target)
    pulled = json.loads(docker("image", "inspect", target).stdout)[0]
    assert pulled["Id"] == built["Id"]
    assert pulled["RootFS"] == built["RootFS"]
    docker("tag", target, "built:1")


@pytest.mark.usefixtures("login")
def test_push_again_finds_everything_there(docker, built, way):
    """A second push of the same image sends no layer again."""
    target = f"{way[0]}/again:1"
    docker("tag", "built:1", target)
    first, second = docker("push", target).stdout, docker("push", target).stdout
    assert "Layer already exists" in second
    assert first.splitlines()[-1] == second.splitlines()[-1]


@pytest.mark.usefixtures("login")
def test_pull_of_the_hello_image(docker, way):
    """sundog/hello is there from the first start."""
    target = f"{way[0]}/hello:latest"
    docker("pull", target)
    image = json.loads(docker("image", "inspect", target).stdout)[0]
    assert image["Config"]["Entrypoint"] or image["Config"]["Cmd"]


@pytest.mark.usefixtures("login")
def test_pull_by_digest(docker, built, way):
    """docker pull NAME@sha256:…"""
    target = f"{way[0]}/digest:1"
    docker("tag", "built:1", target)
    digest = docker("push", target).stdout.split("digest: ")[1].split()[0]
    docker("rmi", target)
    docker("pull", f"{way[0]}/digest@{digest}")


def test_without_login(docker, built, way):
    """Anonymous push never exists, and an anonymous pull is refused."""
    target = f"{way[0]}/denied:1"
    docker("tag", "built:1", target)
    assert docker("push", target, check=False).returncode != 0
    result = docker("pull", f"{way[0]}/hello:latest", check=False)
    assert result.returncode != 0
    assert "authentication required" in result.stderr or "unauthorized" in result.stderr, result.stderr


def test_login_with_wrong_password(docker, sundog, way):
    result = docker("login", "-u", sundog.credentials[0], "--password-stdin", way[0].split("/")[0], input="wrong",
                    check=False)
    assert result.returncode != 0


@pytest.mark.usefixtures("login")
def test_pull_of_what_is_not_there(docker, way):
    result = docker("pull", f"{way[0]}/nothing/here:1", check=False)
    assert result.returncode != 0
    assert "not found" in result.stderr or "unknown" in result.stderr, result.stderr
