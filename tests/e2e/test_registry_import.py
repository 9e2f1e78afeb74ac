"""importImage end to end: from one of ours, from Debian's docker-registry with and without a password,
and with a kill -9 in the middle."""

import http.server
import json
import secrets
import subprocess
import threading
import warnings

import pytest

from harness import web
from harness.arm import Arm
from harness.machine import need
from harness.postgres import free_port
from harness.server import HANG_S, fresh_folder, wait_until
from harness.web import OCI_INDEX, Http1, Registry, expect, image_index, image_manifest, OCI_MANIFEST

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import crypt  # bcrypt, the only one docker-registry takes


class Peer:
    """Debian's docker-registry on a free port; credentials: with htpasswd."""

    def __init__(self, credentials=None):
        need("docker-registry")
        self.folder, self.port = fresh_folder("p"), free_port()
        auth = ""
        if credentials:
            with open(f"{self.folder}/htpasswd", "w") as file:
                file.write(f"{credentials[0]}:{crypt.crypt(credentials[1], crypt.mksalt(crypt.METHOD_BLOWFISH)).replace('$2b$', '$2y$')}\n")
            auth = f"auth:\n  htpasswd:\n    realm: peer\n    path: {self.folder}/htpasswd\n"
        with open(f"{self.folder}/config.yml", "w") as file:
            file.write(f"version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {self.folder}/data\n"
                       f"http:\n  addr: 127.0.0.1:{self.port}\n{auth}")
        self.process = subprocess.Popen(["docker-registry", "serve", f"{self.folder}/config.yml"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.host = f"localhost:{self.port}"
        self.registry = Registry(f"http://127.0.0.1:{self.port}", "", credentials, Http1())

        def answers():
            try:
                return self.registry.get("/v2/").status == 200
            except OSError:
                return False
        wait_until(answers, "the peer answers")

    def close(self):
        self.process.terminate()
        self.process.wait(HANG_S)


@pytest.fixture(scope="module")
def peer():
    one = Peer()
    yield one
    one.close()


@pytest.fixture(scope="module")
def guarded():
    one = Peer(("somebody", "peer-password"))
    yield one
    one.close()


@pytest.fixture(scope="module")
def arm(sundog):
    return Arm(sundog)


@pytest.fixture(scope="module")
def path(arm):
    return arm.registry()


@pytest.fixture
def target(arm, path):
    return arm.data_plane(path)


def bring(arm, path, source, *tags, mode="NoForce", untagged=(), wanted=(202,)):
    arm("POST", f"{path}/importImage", {"source": source, "targetTags": list(tags), "mode": mode,
                                        "untaggedTargetRepositories": list(untagged)}, wanted=wanted)
    return arm.operation() if arm.status == 202 else None


def multi(repository):
    """An index of two platforms within another index; answers its digest and the leaves'."""
    leaves = [repository.image() for _ in range(2)]
    inner = json.dumps(image_index([(data, OCI_MANIFEST) for _, data in leaves])).encode()
    expect(repository.put(web.digest_of(inner), inner, OCI_INDEX), 201)
    outer = json.dumps(image_index([(inner, OCI_INDEX)])).encode()
    expect(repository.put("multi", outer, OCI_INDEX), 201)
    return web.digest_of(outer), [digest for digest, _ in leaves]


def check_image(repository, reference, data):
    assert expect(repository.manifest(reference), 200).body == data
    manifest = json.loads(data)
    for one in [manifest["config"], *manifest["layers"]]:
        assert web.digest_of(expect(repository.get(f"/blobs/{one['digest']}"), 200).body) == one["digest"]


def test_from_a_peer(arm, path, target, peer):
    source = peer.registry.repository("team/app")
    digest, data = source.image("v1")
    said = bring(arm, path, {"registryUri": peer.host, "sourceImage": "team/app:v1"}, "copied/app:one", "copied/app:two",
                 "elsewhere:v1", untagged=["untagged"])
    assert said["status"] == "Succeeded", said
    for name, tag in (("copied/app", "one"), ("copied/app", "two"), ("elsewhere", "v1"), ("untagged", digest)):
        check_image(target.repository(name), tag, data)
    assert target.repository("untagged").tags().json()["tags"] in ([], None)


def test_all_platforms_and_by_digest(arm, path, target, peer):
    source = peer.registry.repository("team/multi")
    digest, leaves = multi(source)
    said = bring(arm, path, {"registryUri": peer.host, "sourceImage": f"team/multi@{digest}"}, "multi:1")
    assert said["status"] == "Succeeded", said
    copied = target.repository("multi")
    assert expect(copied.manifest("1"), 200)["Docker-Content-Digest"] == digest
    for leaf in leaves:
        expect(copied.manifest(leaf), 200)


def test_force(arm, path, target, peer):
    source = peer.registry.repository("team/force")
    _, first = source.image("v1")
    assert bring(arm, path, {"registryUri": peer.host, "sourceImage": "team/force:v1"}, "force:1")["status"] == "Succeeded"
    _, second = source.image("v1")
    bring(arm, path, {"registryUri": peer.host, "sourceImage": "team/force:v1"}, "force:1", wanted=(409,))
    check_image(target.repository("force"), "1", first)
    said = bring(arm, path, {"registryUri": peer.host, "sourceImage": "team/force:v1"}, "force:1", mode="Force")
    assert said["status"] == "Succeeded", said
    check_image(target.repository("force"), "1", second)


def test_credentials(arm, path, target, guarded):
    _, data = guarded.registry.repository("secret/app").image("v1")
    source = {"registryUri": guarded.host, "sourceImage": "secret/app:v1"}
    said = bring(arm, path, source, "secret:1")
    assert said["status"] == "Failed" and said["error"]["code"] == "SourceUnauthorized", said
    said = bring(arm, path, {**source, "credentials": {"username": "somebody", "password": "wrong"}}, "secret:1")
    assert said["status"] == "Failed" and said["error"]["code"] == "SourceUnauthorized", said
    said = bring(arm, path, {**source, "credentials": {"username": "somebody", "password": "peer-password"}}, "secret:1")
    assert said["status"] == "Succeeded", said
    check_image(target.repository("secret"), "1", data)
    assert "peer-password" not in json.dumps(said)


def test_what_users_get_wrong(arm, path, peer):
    said = bring(arm, path, {"registryUri": peer.host, "sourceImage": "nothing/here:v1"}, "x:1")
    assert said["status"] == "Failed" and said["error"]["code"] == "ManifestNotFound", said
    said = bring(arm, path, {"registryUri": f"localhost:{free_port()}", "sourceImage": "a:1"}, "x:1")
    assert said["status"] == "Failed" and said["error"]["code"] == "SourceUnavailable", said
    bring(arm, path, {"registryUri": peer.host, "sourceImage": "UPPER:1"}, "x:1", wanted=(400,))
    bring(arm, path, {"registryUri": peer.host, "sourceImage": "a:1"}, "x@sha256:00", wanted=(400,))


def test_from_another_of_ours(arm, path, target):
    """By resource id: at once, by reference; and by its login server with the admin's password."""
    other_path = arm.registry()
    other = arm.data_plane(other_path)
    digest, leaves = multi(other.repository("team/app"))
    said = bring(arm, path, {"resourceId": other_path, "sourceImage": "team/app:multi"}, "ours:1")
    assert said["status"] == "Succeeded", said
    assert expect(target.repository("ours").manifest("1"), 200)["Docker-Content-Digest"] == digest
    for leaf in leaves:
        check_image(target.repository("ours"), leaf, expect(target.repository("ours").manifest(leaf), 200).body)
    user, password = arm.admin_of(other_path)
    source = {"registryUri": f"{other.name}.azurecr.io", "sourceImage": "team/app:multi"}
    said = bring(arm, path, {**source, "credentials": {"username": user, "password": password}}, "ours:2")
    assert said["status"] == "Succeeded", said
    bring(arm, path, {**source, "credentials": {"username": user, "password": "wrong"}}, "ours:3", wanted=(400, 403))


class Slow:
    """A registry of one image whose layer comes in drops, until `go` is set."""

    def __init__(self):
        self.layer = secrets.token_bytes(3 << 20)
        self.config = json.dumps({"architecture": "amd64", "os": "linux"}).encode()
        self.data = json.dumps(image_manifest(self.config, [self.layer])).encode()
        self.go, self.asked, self.tag_fault = threading.Event(), 0, None
        self.token = None  # to be shown; each is good for one request
        slow = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                if self.path.startswith("/token"):
                    slow.token = secrets.token_hex(8)
                    return self.answer(json.dumps({"token": slow.token}).encode(), "application/json")
                if slow.token is not None and self.headers["Authorization"] != f"Bearer {slow.token}":
                    return self.answer(b"{}", "application/json", 401)
                slow.token = slow.token and "used up"
                if "/manifests/" in self.path:
                    if slow.tag_fault:
                        return self.answer(b"{}", "application/json", slow.tag_fault)
                    return self.answer(slow.data, OCI_MANIFEST)
                if web.digest_of(slow.config) in self.path:
                    return self.answer(slow.config)
                slow.asked += 1
                self.send_response(200)
                self.send_header("Content-Length", str(len(slow.layer)))
                self.end_headers()
                half = len(slow.layer) // 2
                try:
                    for at in range(0, half, 65536):
                        self.wfile.write(slow.layer[at:min(at + 65536, half)])
                    slow.go.wait(60)
                    self.wfile.write(slow.layer[half:])
                except OSError:
                    self.close_connection = True

            def answer(self, body, kind="application/octet-stream", status=200):
                self.send_response(status)
                if status == 401:
                    self.send_header("WWW-Authenticate", f'Bearer realm="http://{slow.host}/token",service="slow"')
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.go.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def slow():
    one = Slow()
    yield one
    one.close()


def test_tokens_that_expire_on_the_way(arm, path, target, slow):
    """Every request meets a new challenge."""
    slow.token = "nobody has it"
    slow.go.set()
    said = bring(arm, path, {"registryUri": slow.host, "sourceImage": "a:1"}, "expiring:1")
    assert said["status"] == "Succeeded", said
    check_image(target.repository("expiring"), "1", slow.data)


def test_too_many_requests(arm, path, slow):
    slow.tag_fault = 429
    said = bring(arm, path, {"registryUri": slow.host, "sourceImage": "a:1"}, "limited:1")
    assert said["status"] == "Failed" and said["error"]["code"] == "TooManyRequests", said


def test_wrong_bytes(arm, path, slow):
    slow.go.set()
    slow.layer = slow.layer[:-1] + bytes([slow.layer[-1] ^ 1])
    said = bring(arm, path, {"registryUri": slow.host, "sourceImage": "a:1"}, "wrong:1")
    assert said["status"] == "Failed" and "digest" in said["error"]["message"], said


def test_killed_in_the_middle(sundog, arm, path, slow):
    """kill -9 while a layer is coming: the next start finishes the job."""
    arm("POST", f"{path}/importImage", {"source": {"registryUri": slow.host, "sourceImage": "a:1"}, "targetTags": ["killed:1"]},
        wanted=(202,))
    url = arm.headers.get("Azure-AsyncOperation") or arm.headers["Location"]
    wait_until(lambda: slow.asked, "the layer is asked for")
    sundog.kill()
    slow.go.set()
    sundog.start()
    again = Arm(sundog)
    again.headers = {"Location": url}
    said = again.operation()
    assert said["status"] == "Succeeded", said
    check_image(again.data_plane(path).repository("killed"), "1", slow.data)


def test_cancel(arm, path, target, slow):
    """In the middle of a layer: the job stops, and nothing of the image is there."""
    arm("POST", f"{path}/importImage", {"source": {"registryUri": slow.host, "sourceImage": "a:1"}, "targetTags": ["canceled:1"]},
        wanted=(202,))
    location = arm.headers.get("Azure-AsyncOperation") or arm.headers["Location"]
    wait_until(lambda: slow.asked, "the layer is asked for")
    where = "/" + location.split("://", 1)[1].split("/", 1)[1]
    base, _, query = where.replace("operationResults", "operationStatuses").partition("?")
    arm("POST", f"{base}/cancel?{query}")
    slow.go.set()
    arm.headers = {"Location": location}
    said = arm.operation()
    assert said["status"] in ("Canceled", "Failed") and "ancel" in json.dumps(said), said
    expect(target.repository("canceled").manifest("1"), 404)
