"""`sundog compose`: real compose files become container groups that run."""

import urllib.request

import pytest

from harness import web
from harness.azure import Az
from harness.containers import push_shell
from harness.machine import need
from harness.server import run_tool, wait_until

PAIR = """
name: pair
x-base: &base
  image: ${IMAGE}
  restart: always
services:
  web:
    <<: *base
    entrypoint: ["/bin/sh", "-c", "exec httpd -f -p 80 -h /shared"]
    ports: ["80:80"]
    volumes: ["shared:/shared:ro"]
    depends_on: [writer]
  writer:
    <<: *base
    entrypoint: /bin/sh -c
    command: ['echo "$$GREETING $$TOKEN $$(cat /run/secrets/pw)" > /shared/index.html; until wget -qO /shared/seen http://127.0.0.1/; do usleep 100000; done; exec sleep 1000000']
    environment: {GREETING: "${GREETING:-hello}"}
    env_file: app.env
    secrets: [pw]
    volumes: ["shared:/shared"]
volumes: {shared: }
secrets: {pw: {file: pw.txt}}
"""


@pytest.fixture
def written(tmp_path):
    (tmp_path / ".env").write_text("IMAGE=sundog.azurecr.io/busybox:1\n")
    (tmp_path / "app.env").write_text("TOKEN='t 1'\n")
    (tmp_path / "pw.txt").write_text("s3cret")
    (tmp_path / "compose.yaml").write_text(PAIR)
    return tmp_path


def test_a_pair_runs_and_answers(sundog, written):
    need("root", "crun", "mount", "az")
    push_shell(web.by_path(sundog))
    az = Az(sundog)
    az.login()
    az("group create -n rg -l eastus")
    made = run_tool("compose", str(written / "compose.yaml"), "--name", "shop")
    assert made.returncode == 0, made.stderr
    (written / "g.yaml").write_text(made.stdout)
    az("container", "create", "-g", "rg", "--file", str(written / "g.yaml"))
    shown = az.json("container show -g rg -n shop")
    assert shown["restartPolicy"] == "Always" and [one["name"] for one in shown["containers"]] == ["writer", "web"]
    assert shown["containers"][0]["environmentVariables"][1]["secureValue"] is None

    def answer(path):
        try:
            with urllib.request.urlopen(f"http://{shown['ipAddress']['ip']}{path}", timeout=60) as said:
                return said.read().decode().strip()
        except OSError:
            return None

    assert wait_until(lambda: answer("/"), "it answers") == "hello t 1 s3cret"
    assert wait_until(lambda: answer("/seen"), "the sidecar has asked by localhost") == "hello t 1 s3cret"
    az("container delete -g rg -n shop -y")


def test_what_does_not_fit_is_told(written):
    path = written / "compose.yaml"
    path.write_text(PAIR.replace('"80:80"', '"8080:80"') + "networks: {back: }\n")
    said = run_tool("compose", str(path))
    assert said.returncode == 3 and said.stdout.startswith("apiVersion:") and "\nname: pair\n" in said.stdout
    assert "left out: services.web.ports[0]: a container group cannot map ports: it opens 80, not 8080" in said.stderr
    assert "left out: networks: " in said.stderr and "s3cret" not in said.stderr
    strict = run_tool("compose", str(path), "--strict")
    assert strict.returncode == 3 and strict.stdout == "" and strict.stderr == said.stderr


def test_what_cannot_be_read(written):
    path = written / "compose.yaml"
    path.write_text("services: {web: {image: x, profiles: [p]}}")
    said = run_tool("compose", str(path))
    assert said.returncode == 2 and said.stdout == "" and "services.web.profiles" in said.stderr
    assert run_tool("compose", str(written / "none.yaml")).returncode == 2 == run_tool("compose").returncode
