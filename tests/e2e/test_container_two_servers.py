"""A container group lives on the machine of the `serve` that made it; another one on the same database shows it and
says what is wanted."""

import pytest
from test_arm_two_servers import At
from test_two_servers import pair

from harness import web
from harness.containers import Groups, push_shell, wait_nothing_left
from harness.machine import need
from harness.manager import refused
from harness.server import wait_until
from harness.web import expect


class There(At, Groups):
    def __init__(self, server, first, here):
        At.__init__(self, server, first)
        self.folder, self.image = here.folder, here.image

    def __call__(self, method, path, body=None, **more):
        return Groups.__call__(self, method, path, body, **more)


@pytest.fixture(scope="module")
def servers():
    need("root", "crun", "mount")
    # both on one machine: each has addresses of its own
    yield from pair(second_args=("--public-range", "10.231.0.0/16", "--private-range", "10.232.0.0/16"))


@pytest.fixture(scope="module")
def both(servers):
    one, two = servers
    push_shell(web.by_path(one))
    here = Groups(one)
    yield here, There(two, one, here)
    wait_nothing_left(one.data)
    wait_nothing_left(two.data)


def test_another_server_says_what_is_wanted(both):
    here, there = both
    name = here.create("echo up; sleep 1000")
    here.wait_logs(name, "up")
    wait_until(lambda: there.state(name) == "Running", "it is seen there")
    logs = there("GET", there.path(name, "/containers/main/logs"))
    assert logs.status == 503 and "another machine" in logs.json()["error"]["message"], logs
    answer = there("POST", there.path(name, "/containers/main/exec"), {"command": "sh", "terminalSize": {"rows": 1, "cols": 1}})
    assert answer.status == 503, answer
    expect(there("POST", there.path(name, "/stop")), 204)
    assert here.state(name) == "Stopped" and there.state(name) == "Stopped"
    assert "up" in there("GET", there.path(name, "/containers/main/logs")).json()["content"]
    expect(there("POST", there.path(name, "/start")), 202, 204)
    here.wait_state(name, "Running")
    expect(there("PUT", there.path(name), there.body([there.container("echo anew; sleep 1000")])), 200)
    here.wait_logs(name, "anew")
    expect(there("DELETE", there.path(name)), 200, 202)
    wait_until(lambda: here("GET", here.path(name)).status == 404, "it is gone here")
    refused(there("GET", there.path(name)), 404, "ResourceNotFound")


def test_each_has_its_own(both):
    here, there = both
    mine, other = here.create("echo mine; sleep 1000"), there.create("echo other; sleep 1000")
    here.wait_logs(mine, "mine")
    there.wait_logs(other, "other")
    assert {one["name"] for one in here.get(here.folder)["value"]} == {mine, other}
    for groups, name in ((there, mine), (here, other)):
        groups.delete(name)
