"""The image of deploy/image under a real Docker Engine: with the capabilities Docker gives, with none and as
another user, and with those that containers in it need."""

import contextlib
import json
import os

import pytest

from harness import sundog_image, web
from harness.clients import run
from harness.postgres import free_port
from harness.server import fresh_folder, wait_until
from harness.web import expect

SECRETS = {"SUNDOG_CLIENT_ID": "0c1f31a0-6c8b-4b0c-9c56-6a1f1c1b7a01", "SUNDOG_CLIENT_SECRET": "a-secret-of-the-pipeline",
           "SUNDOG_TENANT_ID": "5d0b1a3e-2f0b-4a59-8a53-1f4d3f1b7a02",
           "SUNDOG_SUBSCRIPTION_ID": "f3a1b2c4-0d5e-4f60-9a7b-8c9d0e1f2a03", "SUNDOG_REGISTRY_NAME": "pipeline",
           "SUNDOG_ADMIN_PASSWORD": "a-password-of-the-pipeline"}


@pytest.fixture(scope="module")
def docker():
    engine = sundog_image.engine()
    yield engine
    engine.close()


class Running:
    """One container of the image, with ports of its own on this host's loopback."""

    def __init__(self, docker, *options, env=None):
        self.docker, self.tls, self.plain = docker, free_port(), free_port()
        self.name = f"sundog{self.plain}"
        settings = {"SUNDOG_LISTEN": f"127.0.0.1:{self.tls}", "SUNDOG_PLAIN_LISTEN": f"127.0.0.1:{self.plain}", **(env or {})}
        docker("run", "-d", "--network", "host", "--name", self.name,
               *[word for name, value in settings.items() for word in ("-e", f"{name}={value}")], *options,
               sundog_image.NAME)

    def sh(self, command, **options):
        return self.docker("exec", self.name, "sh", "-c", command, **options)

    def ready(self):
        """Waits as whoever starts it would, and answers what it is."""
        said = self.docker("exec", self.name, "sundog", "ready", "--wait", "120", check=False)
        assert said.returncode == 0, said.stderr + self.logs()
        return self

    def logs(self):
        said = self.docker("logs", self.name)
        return said.stdout + said.stderr

    def state(self):
        return json.loads(self.docker("inspect", self.name).stdout)[0]["State"]

    def admin(self):
        return json.loads(self.sh("cat /data/admin.json").stdout)

    def registry(self):
        admin = self.admin()
        pair = (admin["registryUsername"], admin["registryPassword"])
        return web.Registry(f"http://127.0.0.1:{self.plain}", admin["registryName"] + "/", pair, web.Http1())

    def remove(self):
        self.docker("rm", "-f", "-v", self.name, check=False)


@contextlib.contextmanager
def running(docker, *options, **more):
    container = Running(docker, *options, **more)
    try:
        yield container.ready()
    finally:
        container.remove()


@pytest.mark.parametrize("options", [(), ("--user", "sundog", "--cap-drop", "ALL")], ids=["as given", "nobody special"])
def test_registry_without_privileges(docker, options):
    """Names and secrets come from variables; push and pull; an orphan is reaped; containers say what they lack."""
    with running(docker, "--security-opt", "no-new-privileges", *options, env=SECRETS) as it:
        admin = it.admin()
        assert admin["clientId"] == SECRETS["SUNDOG_CLIENT_ID"] and admin["clientSecret"] == SECRETS["SUNDOG_CLIENT_SECRET"]
        assert admin["tenantId"] == SECRETS["SUNDOG_TENANT_ID"] and admin["registryName"] == "pipeline"
        assert admin["subscriptionId"] == SECRETS["SUNDOG_SUBSCRIPTION_ID"]
        assert admin["registryPassword"] == SECRETS["SUNDOG_ADMIN_PASSWORD"]
        assert "a-secret-of-the-pipeline" not in it.logs()
        repository = it.registry().repository("team/app")
        _, manifest = repository.image("v1")
        assert expect(repository.manifest("v1"), 200).body == manifest
        wait_until(lambda: it.state()["Health"]["Status"] == "healthy", "the image says it is healthy")
        orphans = it.sh("(sleep 0.2; exit 7) & echo $!; (sleep 0.1) & echo $!").stdout.split()
        assert len(orphans) == 2
        wait_until(lambda: it.sh(f"for pid in {' '.join(orphans)}; do test ! -e /proc/$pid || echo $pid; done").stdout == "",
                   "they have ended, and nothing of them is left that waits for its parent")
        assert "containers need" in it.sh("sundog doctor").stdout
        it.docker("stop", "-t", "120", it.name)
        assert it.state()["ExitCode"] == 0, it.logs()


def test_data_stays_in_the_volume(docker):
    """What was pushed is there when another container has the volume; a taken port ends it, not silently."""
    volume = docker("volume", "create").stdout.strip()
    with running(docker, "-v", f"{volume}:/data") as it:
        _, manifest = it.registry().repository("kept").image("v1")
    with running(docker, "-v", f"{volume}:/data") as it:
        assert expect(it.registry().repository("kept").manifest("v1"), 200).body == manifest
        taken = Running(docker, env={"SUNDOG_LISTEN": f"127.0.0.1:{it.tls}"})
        try:
            wait_until(lambda: not taken.state()["Running"], "it has ended")
            assert taken.state()["ExitCode"] == 1 and f"{it.tls}" in taken.logs()
        finally:
            taken.remove()


def test_secrets_from_files(docker):
    """Docker's secrets are files: SUNDOG_NAME_FILE."""
    secrets = fresh_folder("s")
    with open(f"{secrets}/client", "w") as file:
        file.write("the-secret-of-a-file\n")
    with running(docker, "-v", f"{secrets}:/run/secrets:ro", env={"SUNDOG_CLIENT_SECRET_FILE": "/run/secrets/client"}) as it:
        assert it.admin()["clientSecret"] == "the-secret-of-a-file"


def test_env_for_the_machine_outside(docker):
    """`docker exec … sundog env --files` makes clients' files out here; by them a registry is created over TLS."""
    with running(docker) as it:
        folder = fresh_folder("f") + "/client"
        lines = it.docker("exec", it.name, "sundog", "env", "--files", folder, "--at", f"localhost:{it.tls}:{it.plain}").stdout
        said = run("bash", "-euc", lines + '\ncurl -fsS "$ARM_CLOUD_METADATA_URL"; echo; echo "$AZURE_CLIENT_ID $SUNDOG_REGISTRY"')
        assert f"https://localhost:{it.tls}" in said.stdout and it.admin()["clientId"] in said.stdout
        assert f"localhost:{it.plain}/sundog" in said.stdout
        for path in ("docker/config.json", "ca-bundle.pem"):
            assert os.stat(f"{folder}/{path}").st_mode & 0o077 == 0
