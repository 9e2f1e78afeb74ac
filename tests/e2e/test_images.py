"""Images as containers see them: layers of all kinds, those that lie, images of other registries, what is kept and
what goes. The other registry is made here, so that a test can say what it was asked."""

import base64
import gzip
import http.server
import io
import json
import os
import secrets
import tarfile
import threading

import pytest

from harness import web
from harness.containers import Groups, push_image, push_shell, shell_files, wait_nothing_left
from harness.images import packed, tar_of, zstd
from harness.machine import need
from harness.server import Sundog, wait_until

USER, PASSWORD = "somebody", "peer-password"


@pytest.fixture(scope="module")
def groups(sundog):
    need("root", "crun", "mount", "zstd")
    push_shell(web.by_path(sundog))
    yield Groups(sundog)
    wait_nothing_left(sundog.data)


def shell_tar():
    files, links = shell_files()
    return tar_of(files, links, folders=("tmp",))


def config_of(tars, diff_ids=None, **config):
    return json.dumps({"architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/bin"], **config},
                       "rootfs": {"type": "layers", "diff_ids": diff_ids or [web.digest_of(tar) for tar in tars]}}).encode()


def manifest_of(config, layers):
    """layers: (bytes, media type)."""
    return json.dumps({"schemaVersion": 2, "mediaType": web.OCI_MANIFEST,
                       "config": web.descriptor(config, web.OCI_CONFIG),
                       "layers": [web.descriptor(*layer) for layer in layers]}).encode()


def push(sundog, layers, config):
    """Pushes ready layers; the image's name."""
    name = "i" + secrets.token_hex(4)
    target = web.by_path(sundog).repository(name)
    for data, _ in layers:
        target.blob(data)
    target.blob(config)
    web.expect(target.put("1", manifest_of(config, layers)), 201)
    return f"sundog.azurecr.io/{name}:1"


def entry(name, **members):
    one = tarfile.TarInfo(name)
    for member, value in members.items():
        setattr(one, member, value)
    return one


def tar_with(*entries):
    """entries: TarInfo, or (TarInfo, bytes)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for one in entries:
            info, data = one if isinstance(one, tuple) else (one, b"")
            if info.isreg():
                info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def fails(groups, image, text, **properties):
    """A group of this image is not made, or fails, and says why."""
    name = "g" + secrets.token_hex(4)
    answer = groups("PUT", groups.path(name), groups.body([groups.container("true", image=image)], restartPolicy="Never",
                                                          **properties))
    if answer.status in (200, 201):
        wait_until(lambda: text in json.dumps(groups.show(name)), f"{name} says {text!r}")
        groups.delete(name)
    else:
        assert answer.status == 400 and text in answer.body.decode(), answer


# layers


def test_layers_of_all_kinds(groups, sundog):
    base = tar_with(
        entry("data", type=tarfile.DIRTYPE, mode=0o755), (entry("data/below"), b"below"), (entry("keep/a"), b"a"),
        (entry("keep/b"), b"b"), (entry("gone"), b"gone"), entry("dir", type=tarfile.DIRTYPE, mode=0o755),
        (entry("dir/in"), b"in"))
    top = tar_with(
        entry("data/.wh..wh..opq"), (entry("data/above"), b"above"), entry("keep/.wh.a"), entry(".wh.gone"),
        entry(".wh.dir"), (entry("owned", uid=1000, gid=33, mode=0o640), b"owned"),
        (entry("su", mode=0o4755), b"su"), entry("same", type=tarfile.LNKTYPE, linkname="su"),
        entry("link", type=tarfile.SYMTYPE, linkname="/keep/b"), entry("pipe", type=tarfile.FIFOTYPE, mode=0o600),
        entry("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666),
        (entry("n\u00e4me " + "x" * 150), b"long"), entry("old", mtime=86400))
    shell = shell_tar()
    split = len(base) // 3
    layers = [(packed(shell), web.OCI_LAYER + "+gzip"),
              (gzip.compress(base[:split]) + gzip.compress(base[split:]), web.OCI_LAYER + "+gzip"),
              (zstd(top), web.OCI_LAYER + "+zstd"),
              (tar_with((entry("last"), b"plain")), web.OCI_LAYER)]
    config = config_of([shell, base, top, layers[3][0]])
    script = """ls data keep; test -e gone || echo no gone; test -e dir || echo no dir
        stat -c '%n %a %u %g %h' owned su same; cat link; echo; stat -c %F pipe; cat n*; echo; stat -c %Y old; cat last"""
    code, said = groups.run(script, container={"image": push(sundog, layers, config)})
    assert code == 0, said
    assert said.splitlines() == [
        "data:", "above", "", "keep:", "b", "no gone", "no dir", "owned 640 1000 33 1", "su 4755 0 0 2",
        "same 4755 0 0 2", "b", "fifo", "long", "86400", "plain"]


def test_layers_that_lie(groups, sundog):
    shell = shell_tar()
    kind = web.OCI_LAYER + "+gzip"
    outside = tar_with((entry("../../../escaped"), b"x"))
    link = tar_with(entry("l", type=tarfile.SYMTYPE, linkname="../../.."), (entry("l/escaped"), b"x"))
    hard = tar_with(entry("h", type=tarfile.LNKTYPE, linkname="../../../etc/passwd"))
    for tar, text in ((outside, "leaves the root"), (link, "leaves the root"), (hard, "leaves the root")):
        image = push(sundog, [(packed(shell), kind), (packed(tar), kind)], config_of([shell, tar]))
        fails(groups, image, text)
    assert not os.path.exists(f"{sundog.data}/escaped") and not os.path.exists(f"{sundog.data}/layers/escaped")
    other = tar_with((entry("other"), secrets.token_bytes(8)))
    fails(groups, push(sundog, [(packed(other), kind)], config_of([], ["sha256:" + "1" * 64])), "not what the image's config says")
    fails(groups, push(sundog, [(packed(other)[:-9], kind)], config_of([other])), "ends too early")
    fails(groups, push(sundog, [(secrets.token_bytes(5000), kind)], config_of([other])), "no good archive")
    fails(groups, push(sundog, [(packed(other), kind)], config_of([other, other])), "1 layers, and its config names 2")
    left = [name for name in os.listdir(f"{sundog.data}/layers") if name.startswith("tmp-")]
    assert left == []


def test_an_index(groups, sundog):
    """Of several platforms this one's; attestations are none."""
    registry = web.by_path(sundog)
    shell = shell_tar()
    push_image(registry, "index", "amd64", [shell], {"Env": ["PATH=/bin", "WHICH=this"]})
    push_image(registry, "index", "arm64", [shell], {"Env": ["PATH=/bin", "WHICH=other"]}, architecture="arm64")
    entries = []
    for tag, os_name, architecture in (("arm64", "linux", "arm64"), ("arm64", "unknown", "unknown"), ("amd64", "linux", "amd64")):
        data = web.expect(registry.repository("index").manifest(tag), 200).body
        entries.append(web.descriptor(data, web.OCI_MANIFEST, platform={"os": os_name, "architecture": architecture}))

    def put(tag, manifests):
        body = json.dumps({"schemaVersion": 2, "mediaType": web.OCI_INDEX, "manifests": manifests}).encode()
        web.expect(registry.repository("index").put(tag, body, web.OCI_INDEX), 201)

    put("all", entries)
    put("others", entries[:2])
    assert groups.run("echo $WHICH", container={"image": "sundog.azurecr.io/index:all"}) == (0, "this\n")
    fails(groups, "sundog.azurecr.io/index:others", "no image for linux/amd64 in sundog.azurecr.io/index:others; it has linux/arm64")


def test_no_image_at_all(groups, sundog):
    target = web.by_path(sundog).repository("chart")
    config = b"{}"
    target.blob(config)
    manifest = {"schemaVersion": 2, "mediaType": web.OCI_MANIFEST, "layers": [],
                "config": web.descriptor(config, "application/vnd.cncf.helm.config.v1+json")}
    web.expect(target.put("1", json.dumps(manifest).encode()), 201)
    fails(groups, "sundog.azurecr.io/chart:1", "is no container image")


# other registries


class Elsewhere:
    """A registry that notes what it is asked, and may want a token for it."""

    def __init__(self, credentials=None):
        self.manifests, self.blobs, self.asked, self.status, self.pulls = {}, {}, [], None, 0
        self.credentials, self.token = credentials, secrets.token_hex(8)
        place = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def answer(self, status, body=b"", **headers):
                self.send_response(status)
                for name, value in {**headers, "Content-Length": len(body)}.items():
                    self.send_header(name.replace("_", "-"), str(value))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def do_GET(self):
                place.asked.append(self.path)
                place.pulls += self.command == "GET" and "/manifests/" in self.path
                if place.status:
                    return self.answer(place.status)
                if self.path.startswith("/token"):
                    given = "Basic " + base64.b64encode(":".join(place.credentials).encode()).decode()
                    good = self.headers["Authorization"] == given
                    return self.answer(200 if good else 401, json.dumps({"token": place.token}).encode())
                if place.credentials and self.headers["Authorization"] != f"Bearer {place.token}":
                    realm = f'Bearer realm="http://{place.host}/token",service="elsewhere"'
                    return self.answer(401, WWW_Authenticate=realm)
                kind, _, name = self.path.rpartition("/")
                if kind.endswith("/blobs") and name in place.blobs:
                    return self.answer(200, place.blobs[name])
                found = place.manifests.get(self.path)
                if not found:
                    return self.answer(404)
                return self.answer(200, found[0], Content_Type=found[1], Docker_Content_Digest=web.digest_of(found[0]))

            do_HEAD = do_GET

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.host = f"localhost:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def put(self, repository, tag, data, media_type=web.OCI_MANIFEST):
        for reference in (tag, web.digest_of(data)):
            self.manifests[f"/v2/{repository}/manifests/{reference}"] = data, media_type

    def image(self, repository, tag, said, architecture="amd64"):
        """An image that says something."""
        tars = [shell_tar(), tar_with((entry("said"), said.encode()))]
        config = json.loads(config_of(tars, Cmd=["/bin/cat", "/said"]))
        config = json.dumps({**config, "architecture": architecture}).encode()
        layers = [packed(tar) for tar in tars]
        self.blobs.update({web.digest_of(blob): blob for blob in [config, *layers]})
        data = manifest_of(config, [(layer, web.OCI_LAYER + "+gzip") for layer in layers])
        self.put(repository, tag, data)
        return data

    def blobs_asked(self):
        return [path for path in self.asked if "/blobs/" in path]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def elsewhere():
    one = Elsewhere()
    yield one
    one.close()


@pytest.fixture
def guarded():
    one = Elsewhere((USER, PASSWORD))
    yield one
    one.close()


def test_from_another_registry(groups, elsewhere):
    """Fetched once, asked for again each time; a tag that moved is noticed."""
    elsewhere.image("team/app", "1", "first")
    image = {"image": f"{elsewhere.host}/team/app:1"}
    assert groups.run(None, container=image) == (0, "first")
    assert len(elsewhere.blobs_asked()) == 3
    elsewhere.asked.clear()
    assert groups.run(None, container=image) == (0, "first")
    assert elsewhere.asked == ["/v2/team/app/manifests/1"]
    assert elsewhere.pulls == 1  # it counts GETs
    elsewhere.image("team/app", "1", "second")
    assert groups.run(None, container=image) == (0, "second")


def test_only_this_platform_is_fetched(groups, elsewhere):
    here, there = elsewhere.image("multi", "a", "here"), elsewhere.image("multi", "b", "there", "arm64")
    elsewhere.put("multi", "all", json.dumps({"schemaVersion": 2, "mediaType": web.OCI_INDEX, "manifests": [
        web.descriptor(there, web.OCI_MANIFEST, platform={"os": "linux", "architecture": "arm64"}),
        web.descriptor(here, web.OCI_MANIFEST, platform={"os": "linux", "architecture": "amd64"})]}).encode(), web.OCI_INDEX)
    assert groups.run(None, container={"image": f"{elsewhere.host}/multi:all"}) == (0, "here")
    assert len(elsewhere.blobs_asked()) == 3
    assert not any(web.digest_of(there) in path for path in elsewhere.asked)
    fails(groups, f"{elsewhere.host}/multi:b", "it has linux/arm64")


def test_credentials_of_another_registry(groups, guarded):
    guarded.image("secret", "1", "secret")
    image = f"{guarded.host}/secret:1"

    def credentials(password, server=guarded.host):
        return [{"server": server, "username": USER, "password": password}]

    fails(groups, image, "may not be pulled")
    fails(groups, image, "may not be pulled", imageRegistryCredentials=credentials("wrong"))
    fails(groups, image, "may not be pulled", imageRegistryCredentials=credentials(PASSWORD, "elsewhere.example"))
    assert groups.run(None, container={"image": image}, imageRegistryCredentials=credentials(PASSWORD)) == (0, "secret")
    # what somebody with credentials has brought here is not for those without
    fails(groups, image, "may not be pulled")
    guarded.status = 503
    name = groups.create(container={"image": image}, wait=False)
    wait_until(lambda: "503" in json.dumps(groups.show(name)), "it waits for the registry")
    groups.delete(name)


def test_a_registry_that_is_away(groups):
    """What anybody may have is here still."""
    elsewhere = Elsewhere()
    elsewhere.image("app", "1", "kept")
    image = {"image": f"{elsewhere.host}/app:1"}
    assert groups.run(None, container=image) == (0, "kept")
    elsewhere.close()
    assert groups.run(None, container=image) == (0, "kept")
    name = groups.create(container={"image": f"{elsewhere.host}/app:2"}, wait=False)
    wait_until(lambda: "cannot be reached" in json.dumps(groups.show(name)), "it waits for the registry")
    groups.delete(name)


def test_too_many_requests(groups, elsewhere):
    elsewhere.image("app", "1", "at last")
    elsewhere.status = 429
    name = groups.create(container={"image": f"{elsewhere.host}/app:1"}, wait=False)
    wait_until(lambda: "429 Too Many Requests" in json.dumps(groups.show(name)), "it says so")
    elsewhere.status = None
    assert groups.ended(name)["exitCode"] == 0
    groups.delete(name)


def test_many_of_one_image(groups, elsewhere):
    """They ask once or a few times, not each."""
    elsewhere.image("popular", "1", "yes")
    names = [groups.create(container={"image": f"{elsewhere.host}/popular:1"}, wait=False) for _ in range(8)]
    for name in names:
        assert groups.ended(name)["exitCode"] == 0
        groups.delete(name)
    assert len(elsewhere.blobs_asked()) == 3


def test_what_is_kept_is_nobodys_registry(groups, sundog, elsewhere):
    elsewhere.image("hidden/app", "1", "x")
    assert groups.run(None, container={"image": f"{elsewhere.host}/hidden/app:1"}) == (0, "x")
    registry = web.by_path(sundog)
    catalog = web.expect(registry.request("GET", "/v2/_catalog"), 200).body.decode()
    assert "hidden" not in catalog and "_public" not in catalog
    listed = groups.get(f"{groups.sub}/providers/Microsoft.ContainerRegistry/registries?api-version=2023-07-01")
    assert "_" not in "".join(one["name"] for one in listed["value"])
    kept = elsewhere.host.replace(":", "__")
    for path in (f"/v2/_public/{kept}/hidden/app/manifests/1", f"/v2/{kept}/hidden/app/manifests/1"):
        assert registry.request("GET", path).status in (400, 401, 404)
    with pytest.raises(AssertionError):
        groups.run(None, container={"image": f"localhost:{sundog.port()}/_public/{kept}/hidden/app:1"})


# what goes


def layers_there(sundog):
    return {name for name in os.listdir(f"{sundog.data}/layers") if len(name) == 24}


@pytest.fixture
def forgetful():
    """It keeps for a second what nothing uses."""
    need("root", "crun", "mount")
    with Sundog(["--layer-keep", "1s"]) as server:
        push_shell(web.by_path(server))
        yield server
        wait_nothing_left(server.data)
        assert server.stop() == 0, server.said()


def test_unused_layers_go(forgetful):
    """Those of containers stay, also over a restart."""
    sundog, groups = forgetful, Groups(forgetful)
    tars = [shell_tar(), tar_with((entry("mine"), secrets.token_bytes(9)))]
    push_image(web.by_path(sundog), "going", "1", tars, {"Cmd": ["/bin/sleep", "10000"], "Env": ["PATH=/bin"]})
    mine = web.digest_of(tars[1])[7:31]
    name = groups.create(container={"image": "sundog.azurecr.io/going:1"})
    assert mine in layers_there(sundog)
    gone = tar_with((entry("gone"), secrets.token_bytes(9)))
    push_image(web.by_path(sundog), "gone", "1", [tars[0], gone], {"Env": ["PATH=/bin"]})
    assert groups.run("true", container={"image": "sundog.azurecr.io/gone:1"})[0] == 0
    wait_until(lambda: web.digest_of(gone)[7:31] not in layers_there(sundog), "an unused layer goes")
    assert mine in layers_there(sundog)
    sundog.restart()
    groups = Groups(sundog)  # its ports are others now
    push_image(web.by_path(sundog), "gone", "2", [tars[0], gone], {"Env": ["PATH=/bin"]})
    assert groups.run("true", container={"image": "sundog.azurecr.io/gone:2"})[0] == 0
    wait_until(lambda: web.digest_of(gone)[7:31] not in layers_there(sundog), "an unused layer goes again")
    assert mine in layers_there(sundog)
    groups.delete(name)
    wait_until(lambda: mine not in layers_there(sundog), "the layer goes after its container")
