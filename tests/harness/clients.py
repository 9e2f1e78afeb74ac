"""The real clients, each with state of its own below one folder, so that two runs never meet."""

import os
import shutil
import subprocess
import time

from harness.server import wait_until

TIMEOUT_S = 300


def run(*command, check=True, input=None, env=None, cwd=None):
    """Runs a client; a failure shows what it said."""
    result = subprocess.run(command, capture_output=True, text=True, input=input, timeout=TIMEOUT_S, cwd=cwd,
                            env={**os.environ, **(env or {})}, check=False)
    if check:
        assert result.returncode == 0, f"{' '.join(command)}\n→ {result.returncode}\n{result.stdout}{result.stderr}"
    return result


def cert_dir(folder, server):
    """A folder as --cert-dir wants it: the CA of the server as ca.crt."""
    path = os.path.join(folder, "certs")
    os.makedirs(path, exist_ok=True)
    shutil.copy(server.ca, os.path.join(path, "ca.crt"))
    return path


class Docker:
    """Docker Engine on a socket of its own, in a mount namespace of its own where
    /etc/docker/certs.d knows the CA of the server."""

    def __init__(self, folder, server, network=False):
        """network: in a network namespace of its own, where containers have a bridge and publish ports."""
        self.folder = folder
        self.socket = f"{folder}/docker.sock"
        self.client = "/usr/bin/docker" if os.path.exists("/usr/bin/docker") else "docker"
        self.hosts = f"{folder}/etc/certs.d"
        os.makedirs(self.hosts)
        for name in (f"sundog.azurecr.localhost:{server.port('https')}", f"localhost:{server.port('https')}"):
            os.makedirs(f"{self.hosts}/{name}")
            shutil.copy(server.ca, f"{self.hosts}/{name}/ca.crt")
        bridge = "" if network else "--bridge none --iptables=false "
        daemon = (
            f"mkdir -p /etc/docker && mount --bind {folder}/etc /etc/docker && "
            f"{'ip link set lo up && ' if network else ''}"
            f"exec dockerd --config-file /dev/null --data-root {folder}/data --exec-root {folder}/exec "
            f"--pidfile {folder}/pid --host unix://{self.socket} {bridge}--ip6tables=false "
            f"--storage-driver vfs --max-concurrent-uploads 5"
        )
        with open(f"{folder}/daemon.json", "w") as file:
            file.write("{}")
        daemon = daemon.replace("/dev/null", f"{folder}/daemon.json")
        self.log = open(f"{folder}/dockerd.log", "wb")
        self.process = subprocess.Popen(["unshare", "-mn" if network else "-m", "sh", "-c", daemon], stdout=self.log, stderr=self.log,
                                        stdin=subprocess.DEVNULL)
        try:
            wait_until(lambda: self("version", check=False).returncode == 0 or self.process.poll() is not None,
                       "dockerd answers", pause_s=0.3)
            assert self.process.poll() is None, self.said()
        except AssertionError:
            self.close()
            raise

    def beside(self, *command, **options):
        """A command in its network, as on the engine's own machine."""
        env = {**options.pop("env", {}), "DOCKER_HOST": f"unix://{self.socket}", "DOCKER_CONFIG": f"{self.folder}/client"}
        return run("nsenter", "-t", str(self.process.pid), "-n", *command, env=env, **options)

    def said(self):
        with open(f"{self.folder}/dockerd.log", errors="replace") as file:
            return file.read()[-4000:]

    def __call__(self, *args, **options):
        return run(self.client, "--config", f"{self.folder}/client", "-H", f"unix://{self.socket}", *args,
                   env={"DOCKER_BUILDKIT": "0"}, **options)

    def close(self):
        from harness import sweep

        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(30)
        time.sleep(0.1)
        sweep.end_all(self.folder)
        self.log.close()


class Podman:
    """podman with stores of its own, where cgroup2 of a hybrid host is hidden from it."""

    def __init__(self, folder):
        self.folder = folder
        with open(f"{folder}/containers.conf", "w") as file:
            file.write('[containers]\ndefault_ulimits=["nofile=1024:1024"]\n[engine]\ncgroup_manager="cgroupfs"\n'
                       f'events_logger="none"\ntmp_dir="{folder}/tmp"\n')
        with open(f"{folder}/auth.json", "w") as file:
            file.write("{}")

    def __call__(self, *args, program="podman", **options):
        stores = ["--root", f"{self.folder}/root", "--runroot", f"{self.folder}/run", "--storage-driver", "vfs"]
        hidden = "umount /sys/fs/cgroup/unified 2>/dev/null; exec \"$@\""
        return run("unshare", "-m", "sh", "-c", hidden, "sh", program, *stores, *args,
                   env={"CONTAINERS_CONF": f"{self.folder}/containers.conf",
                        "REGISTRY_AUTH_FILE": f"{self.folder}/auth.json"}, **options)
