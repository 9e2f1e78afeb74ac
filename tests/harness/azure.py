"""az and the Azure SDKs, pointed here by the lines of `sundog env` alone, as a newcomer would."""

import json
import os
import shutil
import stat
import subprocess

from harness.clients import TIMEOUT_S
from harness.server import fresh_folder, program


def environment(server):
    """What `sundog env` says, in an environment without the machine's own settings of az."""
    said = subprocess.run([program(server.build), "env", "--format", "json", "--data", server.data],
                          capture_output=True, text=True, check=True, timeout=TIMEOUT_S)
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "ARM_"))}
    return {**plain, **json.loads(said.stdout)}


def admin(server):
    with open(os.path.join(server.data, "admin.json")) as file:
        return json.load(file)


class Said:
    """How a command ended, and its output read as JSON."""

    def __init__(self, done, line):
        self.status, self.out, self.err, self.line = done.returncode, done.stdout, done.stderr, line

    @property
    def value(self):
        try:
            return json.loads(self.out)
        except ValueError as error:
            raise AssertionError(f"no JSON from {self!r}") from error

    def __repr__(self):
        return f"{self.line}\n→ {self.status}\n{self.out[-3000:]}{self.err[-3000:]}"


class Az:
    """Debian's az in a configuration folder of its own, empty at first."""

    def __init__(self, server):
        self.server = server
        self.env = environment(server)
        self.folder = fresh_folder("z")
        self.env["AZURE_CONFIG_DIR"] = f"{self.folder}/config"
        os.makedirs(self.env["AZURE_CONFIG_DIR"])
        self.env["HOME"] = self.folder
        self._docker()

    def _docker(self):
        """`az acr login` runs `docker ps` first and then `docker login`, which needs no daemon."""
        folder = f"{self.folder}/bin"
        os.makedirs(folder)
        docker = "/usr/bin/docker" if os.path.exists("/usr/bin/docker") else shutil.which("docker")
        with open(f"{folder}/docker", "w") as file:
            file.write(f'#!/bin/sh\n[ "$1" = ps ] && exit 0\nexec {docker} "$@"\n')
        os.chmod(f"{folder}/docker", os.stat(file.name).st_mode | stat.S_IXUSR)
        self.env["PATH"] = f"{folder}:{self.env['PATH']}"
        self.env["DOCKER_CONFIG"] = f"{self.folder}/docker"

    def __call__(self, *args, status=0, input=None):
        """`status`: the exit status that is wanted; None: any."""
        args = args[0].split() if len(args) == 1 else args
        done = subprocess.run(["/usr/bin/az", *args], capture_output=True, text=True, env=self.env, input=input,
                              timeout=TIMEOUT_S, cwd=self.folder, check=False)
        said = Said(done, "az " + " ".join(args))
        assert status is None or said.status == status, said
        assert "Traceback" not in said.err, said
        return said

    def json(self, *args):
        return self(*args).value

    def login(self, app_id=None, secret=None, tenant=None):
        first = admin(self.server)
        return self("login", "--service-principal", "-u", app_id or first["clientId"], "-p",
                    secret or first["clientSecret"], "--tenant", tenant or first["tenantId"])
