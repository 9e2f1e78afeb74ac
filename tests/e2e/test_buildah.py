"""buildah: images made without a Containerfile, pushed and pulled, and multi-arch manifests."""

import os

import pytest

from harness.clients import Podman
from harness.machine import need
from harness.server import fresh_folder


@pytest.fixture(scope="module")
def buildah():
    need("podman", "buildah")
    stores = Podman(fresh_folder("b"))

    def call(*args, **options):
        return stores(*args, program="buildah", **options)

    return call


@pytest.fixture
def access(way, certs, sundog):
    tls = ["--tls-verify=false"] if way[1] else ["--cert-dir", certs]
    return [*tls, "--creds", ":".join(sundog.credentials)]


@pytest.fixture(scope="module")
def image(buildah, folder):
    path = f"{folder}/buildah-file"
    with open(path, "wb") as file:
        file.write(os.urandom(300_000))
    container = buildah("from", "scratch").stdout.strip()
    buildah("copy", "-q", container, path, "/file")
    buildah("commit", "-q", container, "localhost/made:1")
    buildah("rm", container)
    return "localhost/made:1"


@pytest.mark.parametrize("name", ["buildah/app", "buildah/nested/deeper/app"])
def test_push_then_pull(buildah, image, way, access, name):
    target = f"docker://{way[0]}/{name}:1"
    buildah("push", "-q", *access, image, target)
    buildah("pull", "-q", *access, target)


def test_multi_arch(buildah, image, way, access):
    """A manifest list pushed with all its images."""
    name = f"multi-{abs(hash(way))}"
    buildah("manifest", "create", name)
    buildah("manifest", "add", name, f"containers-storage:{image}")
    buildah("manifest", "push", "-q", "--all", *access, name, f"docker://{way[0]}/buildah/multi:1")
    buildah("pull", "-q", *access, f"docker://{way[0]}/buildah/multi:1")


def test_from_the_registry(buildah, way, access):
    """buildah from NAME/hello: pulls and makes a working container of it."""
    container = buildah("from", "-q", *access, f"docker://{way[0]}/hello:latest").stdout.strip()
    buildah("rm", container)
