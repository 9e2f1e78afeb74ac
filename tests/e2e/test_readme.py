"""The lines for docker, podman, buildah and skopeo in README.md work as printed. Only what depends on
the machine is replaced: the ports, and the data folder."""

import os
import re
import stat

import pytest

from harness import web
from harness.clients import Docker, Podman, cert_dir, run
from harness.clusters import newest
from harness.containers import push_shell, wait_nothing_left
from harness.machine import TOP, need
from harness.postgres import free_port
from harness.server import fresh_folder, program
from harness.terminal import in_terminal

CLIENTS = ("docker", "podman", "buildah", "skopeo")


def blocks():
    """Code blocks of README.md, fenced or indented, as lists of lines (continued lines joined)."""
    path = os.path.join(TOP, "README.md")
    if not os.path.exists(path):
        return []
    with open(path) as file:
        text = file.read().replace("\\\n", " ")
    found = [block.splitlines() for block in re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S)]
    text = re.sub(r"^```\w*\n.*?^```", "", text, flags=re.M | re.S)
    return found + [block.splitlines() for block in re.findall(r"(?:^(?: {4}|\t).*\n?)+", text, re.M)]


def lines_for(client):
    """The client's lines, and what the same blocks do beside: not the other clients' lines, and not
    what needs root (this test's clients know the CA already)."""
    found = []
    for block in blocks():
        lines = [line.strip() for line in block]
        others = [*(name for name in CLIENTS if name != client), "sudo", "deploy/up", "tests/run"]
        if any(line.startswith("az ") for line in lines):
            continue  # the walk through the control plane, below
        if any(line.split(" ", 1)[0] == client for line in lines):
            found += [line for line in lines if line.split(" ", 1)[0] not in others]
    return found


@pytest.fixture(scope="module")
def bin_folder(sundog, folder):
    """Commands of the names that README uses, which lead to the clients of this test."""
    need("docker", "podman", "skopeo", "buildah")
    path = f"{folder}/bin"
    os.makedirs(path)
    docker = Docker(fresh_folder("e"), sundog)
    podman = Podman(fresh_folder("o"))
    certs = cert_dir(folder, sundog)

    def command(name, text):
        with open(f"{path}/{name}", "w") as file:
            file.write("#!/bin/sh\n" + text + "\n")
        os.chmod(f"{path}/{name}", os.stat(file.name).st_mode | stat.S_IXUSR)

    command("docker", f'exec {docker.client} --config {docker.folder}/client -H unix://{docker.socket} "$@"')
    hidden = "umount /sys/fs/cgroup/unified 2>/dev/null; exec \"$@\""
    for name in ("podman", "buildah"):
        command(name, f"export CONTAINERS_CONF={podman.folder}/containers.conf\n"
                      f"exec unshare -m sh -c '{hidden}' sh /usr/bin/{name} --root {podman.folder}/root "
                      f'--runroot {podman.folder}/run --storage-driver vfs "$@"')
    command("sundog", f'exec {program()} "$@" --data {sundog.data}')
    run(f"{path}/docker", "build", "-q", "-t", "app", "-", input="FROM scratch\nLABEL a=b\n")
    context = fresh_folder("w")
    with open(f"{context}/Containerfile", "w") as file:
        file.write("FROM scratch\nCOPY Containerfile /\n")
    run(f"{path}/podman", "build", "-q", "-t", "app", context)
    yield path, certs
    docker.close()


@pytest.mark.parametrize("client", ["docker", "podman", "skopeo"])
def test_lines(client, sundog, bin_folder, layout):
    path, certs = bin_folder
    lines = lines_for(client)
    words = " ".join(lines)
    assert f"{client} login" in words, f"README.md says nothing of {client} login"
    assert f"{client} copy" in words or f"{client} push" in words and f"{client} pull" in words
    script = "\n".join(lines)
    for told, real in (("/tmp/", f"{fresh_folder('h')}/"), ("localhost:8480", f"localhost:{sundog.port()}"), (":8443", f":{sundog.port('https')}"),
                       ("/var/lib/sundog", sundog.data), ("~/.local/share/sundog", sundog.data),
                       ("build/release/sundog", "sundog")):
        script = script.replace(told, real)
    home = fresh_folder("h")
    done = run("bash", "-euxc", script, cwd=layout.folder,
               env={"PATH": f"{path}:{os.environ['PATH']}", "HOME": home, "REGISTRY_AUTH_FILE": f"{home}/auth.json"})
    assert done.returncode == 0


def test_the_walk(sundog):
    """Sign in, group, registry, a push that is refused and then allowed, a webhook, an import: the block as it stands."""
    need("az", "skopeo", "jq", "localhost-names")
    with open(os.path.join(TOP, "README.md")) as file:
        script = next(block for block in re.findall(r"^```sh\n(.*?)^```", file.read(), re.M | re.S) if "az login" in block)
    home = fresh_folder("h")
    for told, real in (("/tmp/", f"{home}/"), ("build/release/sundog env", f"{program()} env --data {sundog.data}"),
                       ("/var/lib/sundog", sundog.data), ("9999", str(free_port()))):
        script = script.replace(told, real)
    done = run("bash", "-euo", "pipefail", "-c", script, env={"HOME": home})
    assert "refused: it has no AcrPush" in done.stdout
    assert '"team/app"' in done.stdout and '"imported"' in done.stdout, done.stdout + done.stderr
    assert '"action":"push"' in done.stdout.replace(" ", ""), done.stdout + done.stderr


def test_run_it(sundog):
    """Build, push, run, reach, a shell, delete: the block as it stands, in a terminal, since exec wants one."""
    need("az", "buildah", "jq", "root", "crun", "mount")
    with open(os.path.join(TOP, "README.md")) as file:
        script = next(block for block in re.findall(r"^```sh\n(.*?)^```", file.read(), re.M | re.S) if "container exec" in block)
    home = fresh_folder("h")
    for told, real in (("/tmp/", f"{home}/"), ("build/release/sundog env", f"{program()} env --data {sundog.data}"),
                       ("/var/lib/sundog", sundog.data), ("localhost:8480", f"localhost:{sundog.port()}")):
        script = script.replace(told, real)
    with open(f"{home}/storage.conf", "w") as file:
        file.write(f'[storage]\ndriver = "vfs"\ngraphroot = "{home}/root"\nrunroot = "{home}/run"\n')
    plain = {name: value for name, value in os.environ.items()
             if not name.startswith(("AZURE_", "ARM_", "DOCKER_", "REGISTRY_"))}
    env = {**plain, "HOME": home, "CONTAINERS_STORAGE_CONF": f"{home}/storage.conf", "STORAGE_DRIVER": "vfs"}
    shown = in_terminal(["bash", "-euo", "pipefail", "-c", script], env, home,
                        keys=[("/ # ", "echo $((40+2))-inside\r"), ("42-inside", "exit\r")])
    assert "hello from a container group" in shown
    assert "GET /" in shown or "url:/" in shown, shown
    wait_nothing_left(sundog.data)


def test_a_cluster(sundog):
    """Create, credentials, apply, curl, scale, a pod that is killed, undo, delete: the block as it stands."""
    need("az", "jq", "root", "crun", "mount")
    push_shell(web.by_path(sundog), "app", Entrypoint=["/bin/busybox", "httpd", "-f", "-vv", "-p", "80", "-h", "/www"], Cmd=None)
    with open(os.path.join(TOP, "README.md")) as file:
        script = next(block for block in re.findall(r"^```sh\n(.*?)^```", file.read(), re.M | re.S) if "az aks create" in block)
    home = fresh_folder("h")
    for told, real in (("/tmp/", f"{home}/"), ("build/release/sundog env", f"{program()} env --data {sundog.data}")):
        script = script.replace(told, real)
    script = script.replace("kubectl ", f"{newest()} ")
    plain = {name: value for name, value in os.environ.items()
             if not name.startswith(("AZURE_", "ARM_", "DOCKER_", "REGISTRY_", "KUBE"))}
    done = run("bash", "-euo", "pipefail", "-c", script, env={**plain, "HOME": home})
    assert "hello from a pod" in done.stdout and "WORD=open-sesame" in done.stdout, done.stdout + done.stderr
    assert "deployment.apps/web rolled back" in done.stdout
    wait_nothing_left(sundog.data)
