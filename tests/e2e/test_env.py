"""`sundog env` in each form, evaluated by a shell as a step of a pipeline does, and `sundog ready`."""

import json
import os
import re
import signal
import subprocess

import pytest

from harness.clients import run
from harness.machine import need
from harness.server import Sundog, fresh_folder, program, wait_until

SECRET_NAMES = ("AZURE_CLIENT_SECRET", "ARM_CLIENT_SECRET", "SUNDOG_REGISTRY_PASSWORD")


def env(sundog, *words, check=True):
    return run(program(), "env", "--data", sundog.data, *words, check=check)


def evaluated(sundog, *words, **more):
    """The variables after eval, and what the eval itself printed."""
    home = fresh_folder("h")
    with open(f"{home}/lines", "w") as file:
        file.write(env(sundog, *words).stdout)
    marker = "=== variables"
    said = run("env", "-i", "PATH=" + os.environ["PATH"], f"HOME={home}", *(f"{k}={v}" for k, v in more.items()),
               "sh", "-euc", f'eval "$(cat {home}/lines)"; echo "{marker}"; env -0').stdout
    printed, _, variables = said.partition(f"{marker}\n")
    return dict(line.split("=", 1) for line in variables.rstrip("\0").split("\0")), printed


def test_sh(sundog):
    """Nothing is printed but variables are set, and name files that exist and are this user's alone."""
    variables, printed = evaluated(sundog)
    assert printed == ""
    assert variables["AZURE_CLIENT_SECRET"] == sundog.admin["clientSecret"]
    assert variables["SUNDOG_REGISTRY"] == f"localhost:{sundog.port()}/sundog"
    for name in ("DOCKER_CONFIG", "AZURE_CONFIG_DIR"):
        assert os.path.isdir(variables[name])
    with open(variables["SSL_CERT_FILE"]) as bundle, open(sundog.ca) as ca:
        assert ca.read() in bundle.read()
    assert os.stat(variables["REGISTRY_AUTH_FILE"]).st_mode & 0o077 == 0


def test_the_cloud_by_its_usual_name(sundog):
    """What insists on AzureCloud, as azure/login does, is led here by that name; without, az is here anyway."""
    need("az")
    variables, _ = evaluated(sundog)
    shown = [run("bash", "-euc", f"{chosen} az cloud show -o json", env=variables).stdout for chosen in ("", "az cloud set -n azurecloud;")]
    here, usual = (json.loads(text) for text in shown)
    assert here["name"] == "Sundog" and usual["name"] == "AzureCloud"
    for name in ("resourceManager", "activeDirectory", "activeDirectoryResourceId", "activeDirectoryGraphResourceId", "microsoftGraphResourceId"):
        assert usual["endpoints"][name] == here["endpoints"][name] and str(sundog.port("https")) in usual["endpoints"][name], name
    assert usual["suffixes"]["acrLoginServerEndpoint"].startswith(".azurecr.localhost")


def test_json(sundog):
    """One object, the same variables."""
    said = json.loads(env(sundog, "--format", "json").stdout)
    variables, _ = evaluated(sundog)
    assert said.items() <= variables.items()


def test_github(sundog):
    """Further steps find the variables in $GITHUB_ENV; each secret is masked before it is used."""
    file = fresh_folder("g") + "/env"
    variables, printed = evaluated(sundog, "--format", "github", GITHUB_ENV=file)
    with open(file) as lines:
        later = dict(line.rstrip("\n").split("=", 1) for line in lines)
    assert later.items() <= variables.items() and "AZURE_TENANT_ID" in later
    masked = set(re.findall(r"^::add-mask::(.+)$", printed, re.M))
    assert masked == {later[name] for name in SECRET_NAMES}
    assert all(line.startswith("::add-mask::") for line in printed.splitlines())


def test_azdo(sundog):
    """Logging commands set each variable for further tasks, and its secrets are masked first."""
    variables, printed = evaluated(sundog, "--format", "azdo")
    set_to = dict(re.findall(r"^##vso\[task\.setvariable variable=(\w+)\](.*)$", printed, re.M))
    assert set_to.items() <= variables.items() and "AZURE_TENANT_ID" in set_to
    lines = printed.splitlines()
    for name in SECRET_NAMES:
        mask = lines.index(f"##vso[task.setsecret]{set_to[name]}")
        assert mask < min(i for i, line in enumerate(lines) if set_to[name] in line and "setvariable" in line)


def test_gitlab(sundog):
    """GitLab masks what its settings name, and has no command for it: nothing may be printed."""
    variables, printed = evaluated(sundog, "--format", "gitlab")
    assert printed == "" and variables["AZURE_CLIENT_SECRET"] == sundog.admin["clientSecret"]


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_elsewhere(sundog, shell):
    """--files: what is printed makes the files, in a folder with blanks and quotes, too; --at: a host and ports of another machine."""
    folder = fresh_folder("f") + "/it's here/$HOME `x`"
    with open(os.path.dirname(os.path.dirname(folder)) + "/lines", "w") as file:
        file.write(env(sundog, "--files", folder, "--at", "sundog:18443:18480").stdout)
    said = run(shell, "-euc", f'eval "$(cat {file.name})"; echo "$DOCKER_CONFIG"; umask', env={"HOME": fresh_folder("h")}).stdout
    assert said.splitlines()[0] == f"{folder}/docker" and said.splitlines()[1] != "0077"
    with open(f"{folder}/docker/config.json") as file:
        assert {"sundog:18443", "sundog:18480"} <= set(json.load(file)["auths"])
    with open(f"{folder}/ca-bundle.pem") as bundle, open(sundog.ca) as ca:
        assert ca.read() in bundle.read()
    assert os.path.isdir(f"{folder}/azure") and os.stat(f"{folder}/ca.pem").st_mode & 0o077 == 0


@pytest.mark.parametrize("words, why", [
    (("--files", "relative"), "not an absolute path"),
    (("--files", "/x", "--format", "json"), "--files prints commands"),
    (("--at", "a b"), "--at: "),
    (("--at", ":1"), "--at: "),
    (("--format", "powershell"), "is not one of"),
])
def test_what_is_wrong_is_told(sundog, words, why):
    done = env(sundog, *words, check=False)
    assert done.returncode != 0 and why in done.stderr and not done.stdout


def test_ready(sundog):
    """Its exit status says it; --wait waits for one that starts."""
    assert run(program(), "ready", "--data", sundog.data).stdout == "ready\n"
    done = run(program(), "ready", "--data", fresh_folder("n"), check=False)
    assert done.returncode == 1 and "not ready" in done.stderr
    with Sundog() as server:
        server.stop()
        os.remove(f"{server.data}/endpoints.json")
        waiting = subprocess.Popen([program(), "ready", "--data", server.data, "--wait", "600"], stdout=subprocess.PIPE, text=True)
        server.start()
        assert waiting.communicate()[0] == "ready\n" and waiting.returncode == 0


def test_as_process_one():
    """In a process namespace of its own it reaps what others leave, hands SIGTERM on, and exits as the service does."""
    class First(Sundog):
        def command(self):
            return ["unshare", "-pf", "--mount-proc", *super().command()]

    with First() as server:
        first = int(run("pgrep", "-P", str(server.process.pid)).stdout)
        inside = ["nsenter", "-t", str(first), "-p", "-m"]
        run(*inside, "sh", "-c", "(sleep 0.2; exit 3) & (exit 4) &")
        wait_until(lambda: "sleep" not in run(*inside, "ps", "-eo", "stat,comm").stdout, "the orphan has ended")
        wait_until(lambda: not re.search(r"^Z", run(*inside, "ps", "-eo", "stat,comm").stdout, re.M), "it is reaped")
        os.kill(first, signal.SIGTERM)
        assert server.process.wait(120) == 0, server.said()


def test_the_service_manager_is_told():
    """READY=1 when it is ready and STOPPING=1 when it ends, as Type=notify wants (sd_notify)."""
    import socket

    path = fresh_folder("m") + "/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        os.chmod(path, 0o777)
        manager.settimeout(120)
        with Sundog(env={"NOTIFY_SOCKET": path}) as server:
            assert manager.recv(100) == b"READY=1"
            server.stop()
            assert manager.recv(100) == b"STOPPING=1"
