"""Webhooks end to end: a real receiver, scopes, retries, masks, and what survives a kill -9."""

import http.server
import json
import secrets
import threading

import pytest

from harness.arm import Arm
from harness.server import HANG_S, wait_until
from harness.web import expect

RETRIES_S = 3 * HANG_S  # the last pauses between tries are one minute and three


class Receiver:
    """Keeps what is POSTed; answers `status`, or nothing sensible while there is none."""

    def __init__(self):
        self.got, self.status = [], 200
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((self.path, dict(self.headers), json.loads(body)))
                self.send_response(receiver.status)
                self.send_header("Set-Cookie", "secret-cookie")
                self.end_headers()
                self.wfile.write(b"taken")

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def events(self, action=None):
        return [event for _, _, event in list(self.got) if action in (None, event["action"])]


@pytest.fixture
def receiver():
    one = Receiver()
    yield one
    one.close()


@pytest.fixture(scope="module")
def arm(sundog):
    return Arm(sundog)


@pytest.fixture(scope="module")
def path(arm):
    return arm.registry()


@pytest.fixture
def registry(arm, path):
    return arm.data_plane(path)


def hook(arm, path, port, scope="", actions=("push", "delete"), name=None, headers=None, status="enabled"):
    url = f"{path}/webhooks/{name or 'h' + secrets.token_hex(5)}"
    arm("PUT", url, {"location": "eastus", "properties": {
        "serviceUri": f"http://127.0.0.1:{port}/hook?code=in-the-query", "scope": scope, "actions": list(actions),
        "status": status, "customHeaders": headers or {}}})
    return url


def events_of(arm, url):
    return arm("POST", f"{url}/listEvents")["value"]


def last_status(arm, url):
    """Of the answer to the latest event; None: what came of its delivery is not written yet."""
    return events_of(arm, url)[0].get("eventResponseMessage", {}).get("statusCode")


def test_push_and_delete(arm, path, registry, receiver):
    url = hook(arm, path, receiver.port, headers={"Authorization": "Bearer secret-1", "X-Colour": "blue"})
    repository = registry.repository()
    digest, data = repository.image("v1")
    wait_until(lambda: receiver.events("push"), "the push is told")
    where, headers, event = receiver.got[0]
    assert where == "/hook?code=in-the-query"
    assert headers["Content-Type"].startswith("application/json")
    assert headers["Authorization"] == "Bearer secret-1" and headers["X-Colour"] == "blue"
    assert event["target"] == {"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": len(data), "digest": digest,
                               "length": len(data), "repository": repository.name, "tag": "v1"}
    assert event["request"]["method"] == "PUT" and event["request"]["host"] and event["request"]["id"]
    expect(repository.delete(f"/manifests/{digest}"), 202)
    wait_until(lambda: receiver.events("delete"), "the deletion is told")
    assert receiver.events("delete")[0]["target"]["digest"] == digest
    arm("DELETE", url)
    repository.image("v2")
    assert len(receiver.got) == 2


def test_history_is_masked(arm, path, registry, receiver):
    url = hook(arm, path, receiver.port, headers={"Authorization": "Bearer secret-2", "X-Colour": "blue"})
    registry.repository().image("v1")
    wait_until(lambda: receiver.got, "the push is told")
    wait_until(lambda: last_status(arm, url) == "200", "the answer is kept")
    (event,) = events_of(arm, url)
    text = json.dumps(event)
    assert "secret-2" not in text and "in-the-query" not in text and "secret-cookie" not in text
    assert event["eventRequestMessage"]["headers"]["Authorization"] == "******"
    assert event["eventRequestMessage"]["headers"]["X-Colour"] == "blue"
    assert event["eventRequestMessage"]["content"]["action"] == "push"
    assert event["eventResponseMessage"]["content"] == "taken"
    callback = arm("POST", f"{url}/getCallbackConfig")
    assert callback["customHeaders"]["Authorization"] == "Bearer secret-2"
    arm("DELETE", url)


@pytest.mark.parametrize("scope, fires", [
    ("", True), ("NAME", False), ("NAME:*", True), ("NAME:v1", True), ("NAME:v2", False), ("other:*", False)])
def test_scope(arm, path, registry, receiver, scope, fires):
    repository = registry.repository()
    url = hook(arm, path, receiver.port, scope.replace("NAME", repository.name))
    everything = hook(arm, path, receiver.port, "")
    before = len(receiver.got)
    repository.image("v1")
    wait_until(lambda: len(receiver.got) > before + fires, "all hooks were told") if fires else wait_until(
        lambda: len(receiver.got) > before, "the other hook was told")
    assert len(events_of(arm, url)) == fires
    arm("DELETE", url)
    arm("DELETE", everything)


def test_ping_and_disabled(arm, path, registry, receiver):
    url = hook(arm, path, receiver.port, status="disabled")
    registry.repository().image("v1")
    said = arm("POST", f"{url}/ping")
    wait_until(lambda: receiver.events("ping"), "the ping arrives")
    assert receiver.events("ping")[0]["id"] == said["id"]
    assert not receiver.events("push")
    arm("DELETE", url)


def test_retries(arm, path, registry, receiver):
    """A receiver that fails is asked again; the history tells each event's last try."""
    receiver.status = 500
    url = hook(arm, path, receiver.port)
    registry.repository().image("v1")
    wait_until(lambda: len(receiver.got) >= 2, "it is asked again")
    receiver.status = 202
    wait_until(lambda: last_status(arm, url) == "202", "it is taken", RETRIES_S)
    assert len({event["id"] for event in receiver.events()}) == 1
    arm("DELETE", url)


def test_nobody_there_then_killed(arm, path, registry, sundog):
    """The event outlives a kill -9 and is delivered when the receiver comes back."""
    dead = Receiver()
    port = dead.port
    dead.close()
    url = hook(arm, path, port, name="survivor")
    registry.repository().image("v1")
    wait_until(lambda: events_of(arm, url)[0].get("eventResponseMessage", {}).get("reasonPhrase"), "the failure is told")
    sundog.kill()
    sundog.start()
    again = Arm(sundog)
    late = Receiver.__new__(Receiver)
    Receiver.__init__(late)
    again.patch(url, serviceUri=f"http://127.0.0.1:{late.port}/late")
    wait_until(lambda: late.events("push"), "the event arrives after all", RETRIES_S)
    again("DELETE", url)
    late.close()
