"""podman login, build, push and pull."""

import json
import os

import pytest

from harness.clients import Podman
from harness.machine import need
from harness.server import fresh_folder


@pytest.fixture(scope="module")
def podman():
    need("podman")
    return Podman(fresh_folder("o"))


@pytest.fixture
def tls(way, certs):
    return ["--tls-verify=false"] if way[1] else ["--cert-dir", certs]


@pytest.fixture
def login(podman, sundog, way, tls):
    user, password = sundog.credentials
    host = way[0].split("/")[0]
    podman("login", *tls, "-u", user, "--password-stdin", host, input=password)
    yield
    podman("logout", host)


@pytest.fixture(scope="module")
def built(podman, folder):
    context = f"{folder}/podman"
    os.makedirs(context)
    with open(f"{context}/data", "wb") as file:
        file.write(os.urandom(1_000_000))
    with open(f"{context}/Containerfile", "w") as file:
        file.write("FROM scratch\nCOPY data /data\n")
    podman("build", "-q", "-t", "localhost/built:1", context)
    return json.loads(podman("image", "inspect", "localhost/built:1").stdout)[0]


@pytest.mark.usefixtures("login")
@pytest.mark.parametrize("name", ["podman/app", "podman/team/service/app"])
def test_push_then_pull(podman, built, way, tls, name):
    target = f"{way[0]}/{name}:1"
    podman("push", *tls, "localhost/built:1", target)
    podman("rmi", "-f", built["Id"])
    podman("pull", "-q", *tls, target)
    pulled = json.loads(podman("image", "inspect", target).stdout)[0]
    assert pulled["RootFS"] == built["RootFS"]
    podman("tag", target, "localhost/built:1")


@pytest.mark.usefixtures("login", "built")
@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_compressions(podman, way, tls, compression):
    """A push with zstd layers, and the pull of it."""
    target = f"{way[0]}/podman/{compression}:1"
    podman("push", *tls, "--compression-format", compression, "--format", "oci", "localhost/built:1", target)
    podman("pull", "-q", *tls, target)


@pytest.mark.usefixtures("login")
def test_pull_of_the_hello_image(podman, way, tls):
    podman("pull", "-q", *tls, f"{way[0]}/hello:latest")


@pytest.mark.usefixtures("login", "built")
def test_manifest_list(podman, way, tls):
    """podman manifest push --all of a list with one image."""
    name = f"list-{'plain' if way[1] else 'tls'}-{len(way[0])}"
    podman("manifest", "create", name)
    podman("manifest", "add", name, "containers-storage:localhost/built:1")
    podman("manifest", "push", "--all", *tls, name, f"docker://{way[0]}/podman/list:1")
    podman("manifest", "inspect", *tls, f"{way[0]}/podman/list:1", check=False)
    podman("pull", "-q", *tls, f"{way[0]}/podman/list:1")


def test_without_login(podman, way, tls):
    result = podman("pull", "-q", *tls, f"{way[0]}/hello:latest", check=False)
    assert result.returncode != 0
