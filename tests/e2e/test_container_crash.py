"""Containers outlive the service; whatever is killed, what should run runs again and nothing is left over."""

import glob
import os
import random
import signal
import time

import pytest

from harness import web
from harness.containers import Groups, push_shell, wait_nothing_left
from harness.leftovers import data_id, nothing_left, shims
from harness.machine import need
from harness.server import Sundog, wait_until

TICK = "i=0; while :; do echo tick $i; i=$((i+1)); sleep 0.1; done"


@pytest.fixture
def server():
    need("root", "crun", "mount")
    with Sundog() as made:
        push_shell(web.by_path(made))
        yield made


def ticks(groups, name):
    return [int(line.split()[1]) for line in groups.logs(name).splitlines() if line.startswith("tick ")]


def log_files(server):
    """What containers have printed, as it is on the disk, where no service is needed to see it."""
    said = ""
    for path in glob.glob(f"{server.data}/sandboxes/*/logs/*.log"):
        with open(path, errors="replace") as file:
            said += file.read()
    return said


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_containers_outlive_the_service(server, end):
    groups = Groups(server)
    name = groups.create(TICK, restartPolicy="Always")
    short = groups.create("sleep 2; echo over; exit 5")
    wait_until(lambda: len(ticks(groups, name)) > 3, "it ticks")
    started = groups.view(name)["currentState"]["startTime"]
    getattr(server, end)()
    wait_until(lambda: "over" in log_files(server) and log_files(server).count("tick") > 20, "it goes on; the short one ends")
    server.start()
    groups = Groups(server)
    before = ticks(groups, name)
    assert before == list(range(len(before))), "it went on all the time"
    assert groups.view(name)["currentState"]["startTime"] == started
    assert groups.view(name)["restartCount"] == 0
    assert groups.ended(short)["exitCode"] == 5
    terminal = groups.exec(name, "/bin/echo still here")
    assert "still here" in terminal.rest()[0]
    wait_until(lambda: len(ticks(groups, name)) > len(before), "its log goes on")
    for one in (name, short):
        groups.delete(one)
    wait_nothing_left(server.data)


def test_a_supervisor_that_dies(server):
    groups = Groups(server)
    name = groups.create(TICK, restartPolicy="Always")
    never = groups.create("sleep 1000")
    wait_until(lambda: groups.state(name) == groups.state(never) == "Running", "both run")
    before = groups.view(name)["currentState"]["startTime"]
    for pid in shims(server.data):
        os.kill(pid, signal.SIGKILL)

    def again():
        state = groups.view(name).get("currentState", {})
        return state.get("state") == "Running" and state["startTime"] > before
    wait_until(again, "it is started again")
    groups.wait_state(never, "Failed")
    assert groups.view(never)["currentState"]["exitCode"] == 137
    for one in (name, never):
        groups.delete(one)
    wait_nothing_left(server.data)


def test_kills_at_any_moment(server):
    """kill -9 of the service in the middle of creations and deletions; then all rows come true."""
    groups = Groups(server)
    rng = random.Random(7)
    wanted = set()
    for turn in range(6):
        for _ in range(4):
            name = f"g{turn}-{rng.randrange(1000)}"
            if groups("PUT", groups.path(name), groups.body([groups.container(TICK)])).status in (200, 201):
                wanted.add(name)
        for name in rng.sample(sorted(wanted), len(wanted) // 3):
            if groups("DELETE", groups.path(name)).status in (200, 202):
                wanted.discard(name)
        time.sleep(rng.random() * 0.3)
        server.kill()
        server.start()
        groups = Groups(server)
    for name in sorted(wanted):
        groups.wait_state(name, "Running")
    there = {one["name"] for one in groups.get(groups.folder)["value"]}
    wait_until(lambda: {one["name"] for one in groups.get(groups.folder)["value"]} == wanted, f"{there} becomes {wanted}")
    for name in wanted:
        groups.delete(name)
    wait_nothing_left(server.data)


def test_after_a_reboot(server):
    """Everything that a reboot takes is taken: processes, /run, mounts, cgroups, the network. What should run runs again."""
    from harness import leftovers

    groups = Groups(server)
    runs = groups.create(TICK, restartPolicy="Always")
    stopped = groups.create("sleep 1000")
    web.expect(groups("POST", groups.path(stopped, "/stop")), 204)
    done = groups.create("exit 0")
    groups.wait_state(done, "Succeeded")
    server.kill()
    leftovers.sweep(server.data)
    assert not os.path.exists(f"/run/sundog-{data_id(server.data)}")
    server.start()
    groups = Groups(server)
    groups.wait_state(runs, "Running")
    groups.wait_logs(runs, "tick")
    assert groups.state(stopped) == "Stopped"
    assert groups.state(done) == "Succeeded"
    for name in (runs, stopped, done):
        groups.delete(name)
    wait_nothing_left(server.data)
    server.stop()
    assert nothing_left(server.data) and not os.path.exists(f"/sys/class/net/sd{data_id(server.data)}")
    assert not os.path.exists(f"/run/sundog-{data_id(server.data)}")
    server.start()


def test_purge(server):
    """`sundog purge` ends what outlived the service, and only then."""
    import subprocess

    from harness.server import program

    groups = Groups(server)
    name = groups.create(TICK, restartPolicy="Always")
    command = [program(), "purge", "--data", server.data]
    busy = subprocess.run(command, capture_output=True, text=True, check=False)
    assert busy.returncode == 1 and "stop it first" in busy.stderr, busy
    server.stop()
    assert shims(server.data)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout == "sandboxes removed: 1\n", done
    assert nothing_left(server.data) and not os.path.exists(f"/sys/class/net/sd{data_id(server.data)}")
    assert not os.path.exists(f"/run/sundog-{data_id(server.data)}")
    server.start()
    groups = Groups(server)
    groups.wait_state(name, "Running")  # its row is still there
    groups.delete(name)
    wait_nothing_left(server.data)


def test_layers_that_a_power_failure_took(server):
    """Layers that were not yet safe are thrown away by the next start: images are unpacked again."""
    import shutil

    from harness import leftovers

    groups = Groups(server)
    name = groups.create(TICK, restartPolicy="Always")
    groups.wait_logs(name, "tick")
    before = groups.view(name)["currentState"]["startTime"]
    server.kill()
    leftovers.sweep(server.data)
    for layer in os.listdir(f"{server.data}/layers"):
        shutil.rmtree(f"{server.data}/layers/{layer}")
    server.start()
    groups = Groups(server)
    wait_until(lambda: groups.view(name).get("currentState", {}).get("startTime", "") > before, "it is started again")
    groups.wait_state(name, "Running")
    groups.wait_logs(name, "tick")
    groups.delete(name)
