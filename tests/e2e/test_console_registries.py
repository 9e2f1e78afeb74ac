"""The console's pages of registries: what was really pushed is shown, forms do their thing, readers only read."""

import http.server
import json
import re
import secrets
import threading
import uuid

import pytest

from harness.arm import Arm
from harness.console import Browser
from harness.entra import Entra
from harness.postgres import Postgres
from harness.server import HANG_S, Sundog, wait_until
from harness.web import OCI_INDEX, OCI_MANIFEST, descriptor, digest_of, expect, image_index, image_manifest

READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
SCRIPT = "<script>alert(1)</script>"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
PASSWORD = "Correct-horse-1"


@pytest.fixture(scope="module")
def arm(sundog):
    return Arm(sundog)


@pytest.fixture(scope="module")
def browser(sundog, arm):
    browser = Browser(sundog)
    browser.sign_in(arm.first["userName"], arm.first["userPassword"])
    return browser


@pytest.fixture(scope="module")
def path(arm):
    return arm.registry()


@pytest.fixture(scope="module")
def registry(arm, path):
    return arm.data_plane(path)


@pytest.fixture(scope="module")
def login(arm, path):
    return arm("GET", path)["properties"]["loginServer"]


@pytest.fixture(scope="module")
def reader(sundog, arm):
    """A browser whose user may read everything and change nothing."""
    return person(sundog, arm, READER)


def person(sundog, arm, role=None, scope=None):
    entra, name = Entra(sundog), f"u{secrets.token_hex(4)}@sundog.localhost"
    user = entra.graph("POST", "/users", 201, {"displayName": "Ann", "userPrincipalName": name, "accountEnabled": True,
                                               "mailNickname": "ann", "passwordProfile": {"password": PASSWORD}})
    if role:
        arm("PUT", f"{scope or arm.subscription}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}?api-version=2022-04-01",
            {"properties": {"roleDefinitionId": f"{arm.subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}",
                            "principalId": user["id"], "principalType": "User"}})
    browser = Browser(sundog)
    page = browser.sign_in(name, PASSWORD)
    assert page.title.startswith("Overview"), page.text
    return browser


def real_image(repository, tag=None, config=None, layers=(b"one", b"two" * 1000), history=(), **extra):
    """An image whose config says something; its digest and manifest."""
    data = json.dumps({"architecture": "amd64", "os": "linux", "created": "2026-01-02T03:04:05Z", "config": config or {},
                       "history": list(history), "rootfs": {"type": "layers", "diff_ids": []}}).encode()
    for blob in (data, *layers):
        repository.blob(blob)
    manifest = json.dumps(image_manifest(data, list(layers), **extra)).encode()
    expect(repository.put(tag or digest_of(manifest), manifest, OCI_MANIFEST), 201)
    return digest_of(manifest), manifest


def page_of(browser, path, *below):
    page = browser.get("/console" + path + "".join(below))
    assert page.status == 200, page.text
    return page


def repository_page(browser, path, name):
    return page_of(browser, path, f"/repositories/{name}")


def rows(page):
    """The table rows of a page, each as its text."""
    return [" ".join(re.sub(r"<[^>]*>", " ", row).split()) for row in re.findall(r"<tr>(.*?)</tr>", page.body, re.S)]


def row_of(page, begins):
    found = [row for row in rows(page) if row.startswith(begins)]
    assert found, (begins, rows(page))
    return found[0]


# lists


def test_who_sees_no_registry_is_told_how_to_make_one(sundog, arm):
    page = person(sundog, arm).get("/console/registries")
    assert page.status == 200 and "az acr create" in page.text and not rows(page)


def test_the_list(browser, arm, path, registry, login):
    registry.repository("list/app").image("v1")
    page = browser.get("/console/registries")
    row = row_of(page, registry.name)
    assert re.match(rf"{registry.name} Succeeded Premium tests \d+ B 0 B {login}$", row) or "KiB" in row, row
    assert "sundog" in page.links and page.links[registry.name].endswith(path)
    found = browser.get(f"/console/registries?q={registry.name.upper()}")
    assert registry.name in found.links and "sundog" not in found.links


def test_who_may_read_one_registry_sees_one(sundog, arm, path, registry):
    registry.repository("seen").image("v1")
    browser = person(sundog, arm, READER, path)
    page = browser.get("/console/registries")
    assert registry.name in page.links and len(rows(page)) == 2
    assert "seen" in browser.get(page.links[registry.name]).links
    other = arm.registry()
    assert browser.get("/console" + other).status == 403


def test_a_push_is_seen_at_once(browser, path, registry):
    answer = browser.follow.open(f"{browser.base}/console/live?page=/console{path}", timeout=HANG_S)
    def drawn():
        while True:
            line = answer.readline().decode()
            assert line, "the stream ended"
            if line.startswith("data: "):
                return json.loads(line[6:])
    assert "live/now" not in drawn()
    registry.repository("live/now").image("v1")
    while "live/now" not in drawn():
        pass
    answer.close()


def test_a_path_in_other_letters(browser, path, registry):
    page = browser.get("/console" + path.replace("resourceGroups", "resourcegroups").replace("Microsoft.C", "microsoft.c"))
    assert page.title == f"{registry.name} · Sundog"


def test_a_registry_that_is_not_there(browser, path):
    assert browser.get(f"/console{path}x").status == 404


# a registry


def test_a_registry(browser, path, registry, login, arm):
    repository = registry.repository("facts/app")
    repository.image("v1")
    repository.image("v2")
    page = page_of(browser, path)
    assert page.title == f"{registry.name} · Sundog"
    for text in (f"Login server {login}", "SKU Premium", "Admin user on", "Location eastus", "Resource group tests",
                 f"docker login {login} -u {registry.name}", f"docker push {login}/app:1", f"docker pull {login}/app:1",
                 f"az acr delete -n {registry.name}"):
        assert text in page.text, text
    assert re.match(r"facts/app 2 2 \d{4}-.* UTC none$", row_of(page, "facts/app"))
    used = next(u for u in arm("GET", f"{path}/listUsages")["value"] if u["name"] == "Size")
    assert f'<meter class="bar" max="{used["limit"]}" value="{used["currentValue"]}" aria-label="Storage in use">' in page.body
    layer = b"shared by two" * 1000
    for name in ("facts/one", "facts/two"):
        registry.repository(name).blob(layer)
    wait_until(lambda: "Last looked for 20" in page_of(browser, path).text, "garbage was looked for")
    shared = next(u for u in arm("GET", f"{path}/listUsages")["value"] if u["name"] == "SharedLayers")
    assert shared["currentValue"] >= len(layer)
    assert "that saves 12.7 KiB of " in page_of(browser, path).text
    assert "blobs wait until a day after their last use" in page_of(browser, path).text
    assert " 12.7 KiB " in row_of(browser.get(f"/console/registries?q={registry.name}"), registry.name)
    arm.patch(path, adminUserEnabled=False)
    page = page_of(browser, path)
    assert "Admin user off" in page.text and "az acr credential show" not in page.text
    arm.patch(path, adminUserEnabled=True)


def test_an_empty_registry_and_its_end(browser, arm):
    path = arm.registry()
    page = page_of(browser, path)
    assert "It holds no images yet." in page.text and "docker push" in page.text and "0 repositories, all images" in page.text
    gone = browser.submit(page, page.form("Delete the registry"))
    assert gone.url.endswith("/console/registries") and "The registry is deleted." in gone.text
    assert browser.get("/console" + path).status == 404


def test_repositories_are_paged_and_searched(browser, arm):
    path = arm.registry()
    registry = arm.data_plane(path)
    for i in range(103):
        registry.repository(f"many/r{i:03}").image("v1")
    first = page_of(browser, path)
    assert "1 to 100 of 103" in first.text and "many/r099" in first.links and "many/r100" not in first.links
    second = page_of(browser, path, first.links["Next"])
    assert "101 to 103 of 103" in second.text and "many/r102" in second.links and "many/r000" not in second.links
    found = browser.submit(first, first.form("Search"), q="R10")
    assert "many/r100" in found.links and "many/r010" not in found.links and 'value="R10"' in found.body
    assert "103 repositories, all" in first.text


def test_tokens_and_scope_maps(browser, path, arm):
    expect_map = {"properties": {"actions": ["repositories/tok/content/read"], "description": SCRIPT}}
    arm("PUT", f"{path}/scopeMaps/mymap", expect_map)
    arm("PUT", f"{path}/tokens/mytoken", {"properties": {"scopeMapId": f"{path}/scopeMaps/mymap", "status": "enabled"}})
    page = page_of(browser, path)
    assert row_of(page, "mytoken").startswith("mytoken Enabled mymap none yet")
    assert "you repositories/tok/content/read" in row_of(page, "mymap") and "Sundog" in row_of(page, "_repositories_pull")
    assert SCRIPT not in page.body and "&lt;script" in page.body


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200, "<script>ok")
        self.end_headers()

    def log_message(self, *args):
        pass


def test_webhooks(browser, reader, path, registry, arm):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hook = f"{path}/webhooks/tellme"
    arm("PUT", hook, {"location": "eastus", "properties": {
        "serviceUri": f"http://127.0.0.1:{server.server_address[1]}/?code=hush", "actions": ["push"], "scope": "hook:*", "status": "enabled"}})
    assert row_of(page_of(browser, path), "tellme") == "tellme Enabled push hook:*"
    registry.repository("hook").image("v7")
    page = page_of(browser, hook)
    assert "Nothing was told" not in page.text and "hush" not in page.body
    sent = browser.submit(page, page.form("Send a ping"))
    assert "A ping is on its way." in sent.text
    for word in ("ping", "push"):
        wait_until(lambda word=word: "Succeeded 200" in row_text(browser, hook, word), f"the {word} is told")
    page = page_of(browser, hook)
    assert f"push hook:v7 127.0.0.1:{server.server_address[1]} Succeeded 200" in " ".join(rows(page)) and page.links["hook:v7"].endswith("/repositories/hook/_tags/v7")
    assert "<script>ok" not in page.body
    log = wait_until(lambda: "webhooks/ping/action" in (text := browser.get("/console/activity").text) and text, "the log has it")
    assert "listEvents" not in log
    seen = page_of(reader, hook)
    assert not seen.has_form("Send a ping") and not seen.has_form("Delete the webhook") and "Deliveries" not in seen.text
    refused(reader, seen, hook + "/ping")
    refused(reader, seen, hook + "/delete")
    gone = browser.submit(page, page.form("Delete the webhook"))
    assert gone.status == 200 and "tellme" not in gone.links
    server.shutdown()
    server.server_close()


def row_text(browser, hook, word):
    return next((row for row in rows(page_of(browser, hook)) if f" {word} " in row), "")


# a repository


def test_a_repository(browser, path, registry, login):
    repository = registry.repository("team/app")
    digest, _ = real_image(repository, "v1")
    untagged, _ = real_image(repository, None, {"User": "x"})
    repository.image("v2")
    page = repository_page(browser, path, "team/app")
    assert page.title == "team/app · Sundog"
    assert f"Image {login}/team/app" in page.text and "Tags 2" in page.text and "Manifests 3" in page.text
    short = digest[:19]
    size = expect(registry.acr(f"team/app/_manifests/{digest}"), 200).json()["manifest"]["imageSize"]
    assert re.match(rf"v1 {short} {size / 1024:.1f} KiB \d{{4}}-\S+ \S+ UTC none$", row_of(page, "v1")), row_of(page, "v1")
    assert row_of(page, untagged[:19]).startswith(f"{untagged[:19]} none linux/amd64")
    assert page.links[short].endswith(f"/team/app/_manifests/{digest}")
    for tool in ("docker pull", "podman pull", "skopeo copy docker://"):
        assert f"{tool} {login}/team/app:v1".replace("// ", "//") in page.text
    everything = page_of(browser, path, "/repositories/team/app/_manifests")
    assert len(rows(everything)) == 4 and "linux/amd64" in row_of(everything, short)
    without = page_of(browser, path, "/repositories/team/app/_manifests?untagged=1")
    assert len(rows(without)) == 2 and untagged[:19] in without.links
    for q in (digest, digest[:12], digest[7:13]):
        found = page_of(browser, path, f"/repositories/team/app/_manifests?q={q}")
        assert len(rows(found)) == 2 and short in found.links, q
    assert "None." in page_of(browser, path, "/repositories/team/app/_manifests?q=zz").text


def test_a_repository_that_is_not_there(browser, path):
    for below in ("none", "none/_manifests", "none/_tags/v1", "none/_manifests/sha256:" + "0" * 64, "No%3Cscript%3E"):
        page = browser.get(f"/console{path}/repositories/{below}")
        assert page.status in (400, 404) and "<script>" not in page.body, (below, page.text)


def test_tags_are_paged_and_searched(browser, path, registry):
    repository = registry.repository("many")
    _, data = repository.image("t000")
    for first in range(1, 205, 68):
        query = "&".join(f"tag=t{i:03}" for i in range(first, first + 68))
        expect(repository.put(digest_of(data), data, OCI_MANIFEST, query="?" + query), 201)
    first = repository_page(browser, path, "many")
    assert "1 to 100 of 205" in first.text and "t099" in first.links and "t100" not in first.links
    third = page_of(browser, path, "/repositories/many?page=3")
    assert "201 to 205 of 205" in third.text and "t204" in third.links and "t199" not in third.links
    found = browser.submit(first, first.form("Search"), q="T20")
    assert len(rows(found)) == 6 and "t204" in found.links
    assert len(page_of(browser, path, "/repositories/many?q=nothing").links) < 20


def test_old_manifests_have_pages(browser, path, registry):
    repository = registry.repository("heap")
    for _ in range(101):
        repository.image()
    page = page_of(browser, path, "/repositories/heap/_manifests")
    older = page_of(browser, path, "/repositories/heap/_manifests", page.links["Older"])
    assert len(rows(page)) == 101 and len(rows(older)) == 2 and "Older" not in older.links
    without = page_of(browser, path, "/repositories/heap/_manifests?untagged=1")
    rest = page_of(browser, path, "/repositories/heap/_manifests", without.links["Older"])
    assert len(rows(without)) == 101 and len(rows(rest)) == 2 and "untagged=1" in rest.links["Newest"]
    seen = {row[:19] for p in (without, rest) for row in rows(p)[1:]}
    assert len(seen) == 101


def test_lock_and_delete_a_repository(browser, path, registry):
    registry.repository("locked").image("v1")
    page = repository_page(browser, path, "locked")
    locked = browser.submit(page, page.form("Lock"))
    assert "It is locked." in locked.text and "Lock no deleting, no changing" in locked.text and not locked.has_form("Lock")
    attributes = expect(registry.acr("locked"), 200).json()["changeableAttributes"]
    assert attributes["deleteEnabled"] is False and attributes["writeEnabled"] is False and attributes["readEnabled"] is True
    kept = browser.submit(locked, locked.form("Delete the repository"))
    assert kept.status == 409 and "changeable attributes" in kept.text
    page = browser.submit(locked, locked.form("Unlock"))
    assert "Lock none" in page.text and "1 tag and 1 manifest of" in page.text
    gone = browser.submit(page, page.form("Delete the repository"))
    assert "The repository is deleted." in gone.text and "locked" not in gone.links
    assert registry.acr("locked").status == 404


# an image


CONFIG = {"Entrypoint": ["/bin/sh", "-c"], "Cmd": ["echo 'hi' && exit"], "Env": ["PATH=/bin:/usr/bin", f"EVIL={SCRIPT}", "EMPTY"],
          "User": "1000:1000", "WorkingDir": "/srv", "ExposedPorts": {"80/tcp": {}, "443/tcp": {}}, "Labels": {SCRIPT: SCRIPT, "a.b": "c"},
          "Volumes": {"/data": {}}, "StopSignal": "SIGTERM"}
HISTORY = ({"created": "2026-01-02T03:04:05Z", "created_by": f"RUN {SCRIPT}"}, {"created_by": "ENV a=b", "empty_layer": True},
           {"created": "2026-01-02T03:04:06Z", "created_by": "COPY two /"})


def test_an_image(browser, path, registry, login):
    repository = registry.repository("img/app")
    digest, manifest = real_image(repository, "v1", CONFIG, history=HISTORY, annotations={"org.x/note": SCRIPT})
    page = page_of(browser, path, "/repositories/img/app/_tags/v1")
    assert page.title == "img/app:v1 · Sundog" and SCRIPT not in page.body and page.body.count("<script") == 1
    for text in (f"Digest {digest}", f"Media type {OCI_MANIFEST}", "Platform linux/amd64", 'Command "echo \'hi\' && exit"',
                 "Entrypoint /bin/sh -c", "User 1000:1000", "Working folder /srv", "80/tcp", "443/tcp", "Volumes /data",
                 "Stop signal SIGTERM", "Built 2026-01-02 03:04:05 UTC", f"docker pull {login}/img/app:v1",
                 f"docker pull {login}/img/app@{digest}", "Lock of the tag none"):
        assert text in page.text, (text, page.text)
    layers = json.loads(manifest)["layers"]
    for number, layer in enumerate(layers, 1):
        assert f"{number} {layer['digest'][:19]} {layer['mediaType']}" in " ".join(rows(page))
    assert '<meter class="bar" max="3000" value="3" aria-label="Size beside the largest">' in page.body
    assert row_of(page, "PATH") == "PATH /bin:/usr/bin" and row_of(page, "EMPTY") == "EMPTY" and row_of(page, "a.b") == "a.b c"
    assert "ENV a=b" in rows(page) and any(row.endswith("COPY two / 2.9 KiB") for row in rows(page))
    assert "org.x/note" in page.text
    by_digest = page_of(browser, path, f"/repositories/img/app/_manifests/{digest}")
    assert by_digest.title == f"{digest[:19]} · Sundog" and by_digest.links["v1"].endswith("/_tags/v1")
    assert not by_digest.has_form("Delete the tag")


def test_looking_is_no_pull(browser, path, registry):
    repository = registry.repository("looked")
    digest, _ = repository.image("v1")
    for _ in range(2):
        page_of(browser, path, "/repositories/looked/_tags/v1")
    expect(repository.get(f"/manifests/{repository.image('v2')[0]}"), 200)
    wait_until(lambda: "lastPulledTime" in json.dumps(registry.acr("looked/_manifests").json()), "the pull is known")
    assert "lastPulledTime" not in registry.acr(f"looked/_manifests/{digest}").json()["manifest"]
    assert "Last pulled" not in page_of(browser, path, "/repositories/looked/_tags/v1").text


def test_an_index_and_what_refers_to_it(browser, path, registry):
    repository = registry.repository("multi")
    one, two = (real_image(repository, None, {"User": user}) for user in "ab")
    index = json.dumps(image_index([
        {**descriptor(one[1], OCI_MANIFEST), "platform": {"os": "linux", "architecture": "amd64"}},
        {**descriptor(two[1], OCI_MANIFEST), "platform": {"os": "windows", "architecture": "arm", "variant": "v7", "os.version": SCRIPT}},
    ])).encode()
    expect(repository.put("v1", index, OCI_INDEX), 201)
    subject = descriptor(index, OCI_INDEX)
    empty = b"{}"
    repository.blob(empty)
    sbom = json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": "application/spdx+json",
                       "config": descriptor(empty, "application/vnd.oci.empty.v1+json"),
                       "layers": [descriptor(empty, "application/vnd.oci.empty.v1+json")], "subject": subject}).encode()
    expect(repository.put(digest_of(sbom), sbom, OCI_MANIFEST), 201)
    signature = subject["digest"].replace(":", "-") + ".sig"
    repository.image(signature)
    page = page_of(browser, path, "/repositories/multi/_tags/v1")
    assert row_of(page, "linux/amd64").startswith(f"linux/amd64 {one[0][:19]} {OCI_MANIFEST}")
    assert "windows/arm/v7 &lt;script" in " ".join(rows(page)) and SCRIPT not in page.body
    assert page.links[two[0][:19]].endswith(two[0])
    assert row_of(page, "application/spdx+json").startswith(f"application/spdx+json {digest_of(sbom)[:19]}")
    assert signature in page.links
    of_sbom = page_of(browser, path, f"/repositories/multi/_manifests/{digest_of(sbom)}")
    assert "Artifact type application/spdx+json" in of_sbom.text and of_sbom.links[subject["digest"][:19]].endswith(subject["digest"])
    assert "several" in row_of(page_of(browser, path, "/repositories/multi/_manifests"), subject["digest"][:19])


def test_hostile_words_of_a_manifest(browser, path, registry):
    repository = registry.repository("words")
    repository.blob(b"{}")
    evil = {**descriptor(b"{}", f"text/{SCRIPT}"), "annotations": {SCRIPT: SCRIPT}}
    subject, data = repository.image("v1")
    manifest = json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": f"x/{SCRIPT}", "config": evil, "layers": [evil],
                           "annotations": {SCRIPT: SCRIPT}, "subject": descriptor(data, OCI_MANIFEST)}).encode()
    expect(repository.put("evil", manifest, OCI_MANIFEST), 201)
    for below in ("", "/_manifests", "/_tags/evil", f"/_manifests/{digest_of(manifest)}", f"/_manifests/{subject}"):
        page = page_of(browser, path, f"/repositories/words{below}")
        assert SCRIPT not in page.body and page.body.count("<script") == 1, below
        assert below in ("", "/_manifests") or "&lt;script&gt;" in page.body, below
    for q in ("%3Cscript%3E", "%22%3E%3Cscript%3E"):
        assert page_of(browser, path, f"/repositories/words?q={q}").body.count("<script") == 1
        assert page_of(browser, path, f"/repositories/words/_manifests?q={q}&after={q}").body.count("<script") == 1
        assert page_of(browser, path, f"?q={q}").body.count("<script") == 1


@pytest.mark.parametrize("config", [b"no JSON", b"[1]", b'{"config":{"Env":"x","Cmd":{"a":1},"Labels":[1],"ExposedPorts":7},"history":"y","os":4}',
                                    b" " * (2 << 20), b'{"config":{"Env":[1,null,"=x",""],"Cmd":[1],"Labels":{"a":1}},"history":[1,{}]}'])
def test_configs_that_are_none(browser, path, registry, config):
    repository = registry.repository("odd")
    repository.blob(config)
    repository.blob(b"layer")
    manifest = json.dumps(image_manifest(config, [b"layer"])).encode()
    expect(repository.put("v1", manifest, OCI_MANIFEST), 201)
    assert "Layers" in page_of(browser, path, "/repositories/odd/_tags/v1").text


def test_a_page_stays_small_whatever_is_in_an_image(browser, path, registry):
    repository = registry.repository("large")
    config = {"Env": [f"A{i}={'x' * 50}" for i in range(5000)], "Labels": {f"l{i}": "y" * 50 for i in range(5000)}, "Cmd": ["z" * 100000]}
    real_image(repository, "v1", config, history=[{"created_by": "w" * 200}] * 1000)
    page = page_of(browser, path, "/repositories/large/_tags/v1")
    assert len(page.body) < 200_000 and "And 4,800 more." in page.text.replace("4800", "4,800") and "more bytes" in page.text


def test_lock_and_delete_a_tag_and_a_manifest(browser, path, registry):
    repository = registry.repository("gone")
    digest, data = repository.image("v1")
    expect(repository.put("v2", data, OCI_MANIFEST), 201)
    page = page_of(browser, path, "/repositories/gone/_tags/v1")
    page = browser.submit(page, page.form("Lock"))
    assert "Lock of the tag no deleting, no changing" in page.text
    assert registry.acr("gone/_tags/v1").json()["tag"]["changeableAttributes"]["deleteEnabled"] is False
    assert browser.submit(page, page.form("Delete the tag")).status == 409
    page = browser.submit(page, page.form("Unlock"))
    assert "and with it 2 tags." in page.text
    gone = browser.submit(page, page.form("Delete the tag"))
    assert "The tag is deleted." in gone.text and "v1" not in gone.links and "v2" in gone.links
    page = page_of(browser, path, f"/repositories/gone/_manifests/{digest}")
    page = browser.submit(page, page.form("Lock"))
    assert "Lock no deleting, no changing" in page.text
    page = browser.submit(page, page.form("Unlock"))
    gone = browser.submit(page, page.form("Delete the manifest"))
    assert "The manifest is deleted, with its tags." in gone.text and "v2" not in gone.links
    assert browser.get(f"/console{path}/repositories/gone/_manifests/{digest}").status == 404


def test_what_may_not_be_pulled_is_told(browser, path, registry):
    repository = registry.repository("shut")
    repository.image("v1")
    expect(registry.acr("shut/_tags/v1", "PATCH", {"readEnabled": False}), 200)
    page = page_of(browser, path, "/repositories/shut/_tags/v1")
    assert "Lock of the tag no pulling" in page.text
    expect(registry.acr("shut", "PATCH", {"readEnabled": False}), 200)
    page = page_of(browser, path, "/repositories/shut/_tags/v1")
    assert "Its content may not be read now" in page.text and "Layers" not in page.text


# rights


def refused(browser, page, path, **fields):
    """The form is not shown, and its POST with the viewer's own proof is refused."""
    proof = page.form("Sign out").fields["proof"]
    body = "&".join(f"{name}={value}" for name, value in {"proof": proof, **fields}.items()).encode()
    answer = browser.get(path if path.startswith("/console") else "/console" + path, body)
    assert answer.status == 403, answer.text


def test_a_reader_only_reads(reader, browser, path, registry):
    repository = registry.repository("ro/app")
    digest, _ = repository.image("v1")
    base = f"{path}/repositories/ro/app"
    pages = {path: ("Delete the registry",), base: ("Lock", "Delete the repository"),
             f"{base}/_tags/v1": ("Lock", "Delete the tag", "Delete the manifest"),
             f"{base}/_manifests/{digest}": ("Lock", "Delete the manifest"), f"{base}/_manifests": ()}
    for where, buttons in pages.items():
        seen, owned = page_of(reader, where), page_of(browser, where)
        for button in buttons:
            assert owned.has_form(button) and not seen.has_form(button), (where, button)
        assert all(form.button.strip() in ("Sign out", "Search") for form in seen.forms)
        if where == path:
            refused(reader, seen, path + "/delete")
        elif buttons:
            refused(reader, seen, where + "/_delete")
            refused(reader, seen, where + "/_lock", locked="true")
    expect(repository.manifest("v1"), 200)
    assert registry.acr("ro/app").json()["changeableAttributes"]["deleteEnabled"] is True


def test_forms_of_another_site_do_nothing(browser, path, registry):
    registry.repository("csrf").image("v1")
    base = f"/console{path}/repositories/csrf"
    for where in (f"/console{path}/delete", base + "/_delete", base + "/_lock", base + "/_tags/v1/_delete", base + "/_tags/v1/_lock"):
        assert browser.get(where, b"proof=" + b"0" * 64 + b"&locked=true").status == 403
    assert browser.get(base).status == 200


def test_with_abac_the_owner_sees_what_its_roles_allow(browser, path, arm):
    other = arm.registry()
    arm.data_plane(other).repository("app").image("v1")
    arm.patch(other, roleAssignmentMode="AbacRepositoryPermissions")
    page = page_of(browser, other)
    assert "You may not list its repositories" in page.text and "All its repositories, all" in page.text
    assert browser.get(f"/console{other}/repositories/app").status == 403


# many


@pytest.fixture(scope="module")
def crowd():
    """A server of its own whose registry has 10,000 repositories, and one with 10,000 tags and manifests."""
    postgres = Postgres()
    with Sundog(["--database", postgres.url]) as server:
        arm = Arm(server)
        path = arm.registry()
        registry = arm.data_plane(path)
        registry.repository("big").image("v0")
        postgres.query("""
            INSERT INTO registry.repository (registry_id, name) SELECT registry_id, 'crowd/r' || lpad(n::text, 5, '0')
              FROM registry.repository, generate_series(1, 10000) n WHERE name = 'big';
            INSERT INTO registry.manifest (repository_id, digest, media_type, size, image_size, content)
              SELECT r.id, m.digest, m.media_type, m.size, m.image_size, m.content FROM registry.repository r, registry.manifest m
              JOIN registry.repository b ON b.id = m.repository_id AND b.name = 'big' WHERE r.name LIKE 'crowd/%';
            INSERT INTO registry.tag (repository_id, name, digest) SELECT m.repository_id, 'v0', digest FROM registry.manifest m
              JOIN registry.repository r ON r.id = m.repository_id AND r.name LIKE 'crowd/%';
            INSERT INTO registry.manifest (repository_id, digest, media_type, size, image_size, content, updated)
              SELECT repository_id, 'sha256:' || encode(sha256(n::text::bytea), 'hex'), media_type, size, image_size, content,
                now() - make_interval(secs => n) FROM registry.manifest m JOIN registry.repository b ON b.id = m.repository_id
                AND b.name = 'big', generate_series(1, 10000) n;
            INSERT INTO registry.tag (repository_id, name, digest) SELECT repository_id, 'v' || row_number() OVER (), digest
              FROM registry.manifest m JOIN registry.repository b ON b.id = m.repository_id AND b.name = 'big' ORDER BY digest OFFSET 5000;
            ANALYZE""")
        browser = Browser(server)
        browser.sign_in(arm.first["userName"], arm.first["userPassword"])
        yield browser, path
    postgres.close()


@pytest.mark.parametrize("below, says", [
    ("", "1 to 100 of 10,001"), ("?page=101", "10,001 to 10,001 of 10,001"), ("?q=R0999", "crowd/r09999"), ("?q=nothing", "10,001 repositories"),
    ("/repositories/big", "1 to 100 of 5,002"), ("/repositories/big?page=50", "4,901 to 5,000 of 5,002"),
    ("/repositories/big?q=V99", "v99"), ("/repositories/big/_manifests", "Older"), ("/repositories/big/_manifests?untagged=1", "Older"),
])
def test_long_lists_come_in_pages(crowd, below, says):
    browser, path = crowd
    page = page_of(browser, path, below)
    assert says in page.text and len(page.body) < 200_000, page.text[-500:]
