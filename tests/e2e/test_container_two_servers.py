"""Container groups at two `serve` on one database: a group lives where it was made; the other shows it, changes it, and
says clearly what it cannot do."""

import pytest
from test_two_servers import pair

from harness import web
from harness.containers import VERSION, Groups, push_shell, wait_nothing_left
from harness.leftovers import nothing_left
from harness.machine import need
from harness.server import wait_until


@pytest.fixture(scope="module")
def servers():
    need("root", "crun", "mount")
    yield from pair()


class At(Groups):
    """By the credentials that another server wrote down."""

    def __init__(self, server, first):
        super().__init__(type("Server", (), {"ca": server.ca, "port": server.port, "admin": first.admin, "said": server.said}))
        self.server = server


@pytest.fixture(scope="module")
def groups(servers):
    one, two = servers
    push_shell(web.by_path(one))
    here, there = Groups(one), At(two, one)
    yield here, there
    here.delete_all()
    wait_nothing_left(one.data)
    assert nothing_left(two.data)


def test_shown_and_changed_by_the_other(groups):
    here, there = groups
    name = here.create("trap 'exit 0' TERM; echo up; while :; do sleep 0.1; done", restartPolicy="Always")
    here.wait_logs(name, "up")
    there.wait_state(name, "Running")
    answer = there("GET", there.path(name, f"/containers/main/logs?api-version={VERSION}"))
    assert answer.status >= 400 and "another machine" in answer.json()["error"]["message"], answer
    answer = there("POST", there.path(name, "/containers/main/exec"), {"command": "/bin/sh", "terminalSize": {
        "rows": 24, "cols": 80}})
    assert answer.status >= 400 and "another machine" in answer.json()["error"]["message"], answer
    web.expect(there("POST", there.path(name, "/stop")), 204)
    here.wait_state(name, "Stopped")
    web.expect(there("POST", there.path(name, "/start")), 202, 204)
    here.wait_state(name, "Running")
    web.expect(there("DELETE", there.path(name)), 200, 202)
    wait_until(lambda: here("GET", here.path(name)).status == 404, "it is gone at both")
    wait_nothing_left(here.server.data)


def test_each_has_its_own(groups):
    here, there = groups
    one, two = here.create("echo one; sleep 1000"), there.create("echo two; sleep 1000")
    here.wait_logs(one, "one")
    there.wait_logs(two, "two")
    names = sorted([one, two])
    wait_until(lambda: sorted(group["name"] for group in here.get(here.folder)["value"]) == names, "both are listed")
    for name in names:
        here.delete(name)
    wait_nothing_left(there.server.data)
