"""The image of deploy/image, built once a test run from the release build, and a Docker Engine that has it."""

import functools

from harness.clients import Docker, run
from harness.machine import TOP, need
from harness.server import fresh_folder, program

NAME = "localhost/sundog:test"


@functools.lru_cache(maxsize=None)
def archive():
    """A docker-archive file of it."""
    need("buildah")
    folder = fresh_folder("i")
    with open(f"{folder}/storage.conf", "w") as file:
        file.write(f'[storage]\ndriver = "vfs"\ngraphroot = "{folder}/root"\nrunroot = "{folder}/run"\n')
    run(f"{TOP}/deploy/image", "--program", program("release"), "--tag", NAME, "--archive", f"{folder}/sundog.tar",
        env={"CONTAINERS_STORAGE_CONF": f"{folder}/storage.conf"})
    return f"{folder}/sundog.tar"


class Nobody:
    """A server whose CA the engine need not know."""

    ca = "/etc/ssl/certs/ca-certificates.crt"

    def port(self, *_):
        return 1


def engine(**options):
    """A Docker Engine that has the image; close() it."""
    need("docker")
    path = archive()
    docker = Docker(fresh_folder("e"), Nobody(), **options)
    try:
        docker("load", "-i", path)
    except AssertionError:
        docker.close()
        raise
    return docker

