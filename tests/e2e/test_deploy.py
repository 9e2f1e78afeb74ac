"""deploy/up --detach returns when the service is ready; deploy/down stops it and keeps the data."""

import json
import os

from harness import web
from harness.clients import run
from harness.machine import TOP
from harness.server import fresh_folder
from harness.web import expect


def test_up_and_down():
    folder = fresh_folder("u")
    env = {"DEPLOY_STATE": f"{folder}/state"}
    up = [f"{TOP}/deploy/up", "--detach", "--data", f"{folder}/data", "--listen", "127.0.0.1:0", "--plain-listen",
          "127.0.0.1:0"]
    data = None
    for _ in range(2):
        done = run(*up, env=env)
        try:
            assert f"{folder}/state/serve.log" in done.stderr
            with open(f"{folder}/data/endpoints.json") as file:
                root = json.load(file)["plain"][0]
            with open(f"{folder}/data/admin.json") as file:
                admin = json.load(file)
            registry = web.Registry(root, "sundog/", (admin["registryUsername"], admin["registryPassword"]), web.Http1())
            repository = registry.repository("kept")
            if data is None:
                _, data = repository.image("v1")
            assert expect(repository.manifest("v1"), 200).body == data
            again = run(*up, env=env, check=False)
            assert again.returncode != 0 and "already running" in again.stderr
        finally:
            run(f"{TOP}/deploy/down", env=env)
        assert not os.path.exists(f"{folder}/state/pid")


def test_a_service_that_is_ready_before_its_process_id_is_noted():
    folder = fresh_folder("u")
    with open(f"{folder}/slow", "w") as file:  # read by bash first of all: the script stands until the service has begun
        file.write("""trap '[ "$BASH_COMMAND" != "pid=\\$!" ] || until [ -s "$DATA/endpoints.json" ]; do sleep 0.1; done' DEBUG\n""")
    env = {"DEPLOY_STATE": f"{folder}/state", "BASH_ENV": f"{folder}/slow", "DATA": f"{folder}/data"}
    try:
        run(f"{TOP}/deploy/up", "--detach", "--data", env["DATA"], "--listen", "127.0.0.1:0", "--plain-listen", "127.0.0.1:0", env=env)
    finally:
        run(f"{TOP}/deploy/down", env=env)


def test_help():
    for command in ("up", "down"):
        assert "usage: deploy/" + command in run(f"{TOP}/deploy/{command}", "--help").stdout


def test_unknown_option_of_serve_is_told():
    """What `serve` does not know ends the start, with the log's last lines."""
    folder = fresh_folder("u")
    done = run(f"{TOP}/deploy/up", "--detach", "--data", f"{folder}/data", "--no-such-flag", check=False,
               env={"DEPLOY_STATE": f"{folder}/state"})
    assert done.returncode != 0 and "no-such-flag" in done.stderr
