"""`sundog snapshot` and `sundog reset`: all of a Sundog, and back, whatever happens on the way."""

import contextlib
import http.client
import json
import os
import random
import secrets
import subprocess
import threading
import time

import pytest

from harness import web
from harness.clusters import Clusters
from harness.containers import Groups, push_shell
from harness.entra import Entra
from harness.keys import psql
from harness.leftovers import nothing_left
from harness.machine import need
from harness.manager import READER, Arm, refused
from harness.postgres import Postgres
from harness.server import Sundog, fresh_folder, program, run_tool, wait_until
from harness.web import expect

PATH = "/providers/Sundog.Snapshots/snapshots"


def sundog(server, *words, fails=False):
    done = run_tool(*words, "--data", server.data)
    assert (done.returncode != 0) == fails, done
    return done.stderr if fails else done.stdout


def everything(server):
    """What clients see of it: the registry's content byte for byte, and the resource manager's."""
    arm, registry = Arm(server), web.by_path(server)
    content = {}
    for name in expect(registry.get("/v2/_catalog?n=1000"), 200).json()["repositories"]:
        for tag in expect(registry.get(f"/v2/{name}/tags/list"), 200).json()["tags"] or []:
            body = expect(registry.get(f"/v2/{name}/manifests/{tag}", headers={"Accept": web.OCI_MANIFEST}), 200).body
            blobs = [json.loads(body)["config"]["digest"], *(layer["digest"] for layer in json.loads(body)["layers"])]
            content[name, tag] = body, [expect(registry.get(f"/v2/{name}/blobs/{digest}"), 200).body for digest in blobs]
    return {"content": content, "subscriptions": arm.get("/subscriptions")["value"], "groups": arm.get(f"{arm.sub}/resourceGroups")["value"],
            "resources": [one for one in arm.get(f"{arm.sub}/resources")["value"]],
            "assignments": arm.get("/providers/Microsoft.Authorization/roleAssignments", version="2022-04-01")["value"],
            "applications": sorted(one["appId"] for one in Entra(server).graph("GET", "/applications")["value"]),
            "jobs": arm.get("/providers/Sundog.Jobs/jobs")["value"],
            "keys": web.Http1()("GET", f"{server.plain}/.well-known/jwks.json").body, "admin": server.admin,
            "ca": web.Http1()("GET", f"{server.plain}/ca.pem").body}


def change(server):
    """Something of each kind is made, changed and deleted."""
    arm, registry = Arm(server), web.by_path(server)
    registry.repository("team/app").image("1")
    registry.repository("other").image("new")
    arm.group("later", tags={"of": "now"})
    for group in arm.get(f"{arm.sub}/resourceGroups")["value"]:
        if group["name"] == "before":
            arm.wait(expect(arm("DELETE", group["id"]), 202))
    arm.registry("later", "later" + secrets.token_hex(4))
    assert run_tool("new", "--data", server.data).returncode == 0


@pytest.fixture
def server():
    with Sundog() as made:
        yield made


def test_save_change_load(server):
    arm = Arm(server)
    web.by_path(server).repository("team/app").image("1")
    web.by_path(server).repository("team/app").image("2")
    arm.group("before", tags={"a": "b"})
    arm.registry("before", "before" + secrets.token_hex(4))
    assert run_tool("new", "kept", "--data", server.data).returncode == 0
    before, pid = everything(server), server.process.pid
    sundog(server, "snapshot", "save", "one")
    assert everything(server) == before
    change(server)
    assert everything(server) != before
    sundog(server, "snapshot", "load", "one")
    assert server.process.poll() is None and server.server_pid() == pid
    assert everything(server) == before
    web.by_path(server).repository("after").image("1")  # and it goes on
    server.restart()
    assert {**everything(server), "content": None} == {**before, "content": None}
    sundog(server, "snapshot", "load", "one")  # again
    assert everything(server) == before


def test_reset(server):
    first = everything(server)
    change(server)
    job = json.loads(sundog(server, "new", "--format", "json"))
    sundog(server, "snapshot", "save", "full")
    full = everything(server)
    token = Arm(server).token
    sundog(server, "reset")
    assert everything(server) == first
    expect(Arm(server)("GET", "/subscriptions", token=token), 200)
    login = job["SUNDOG_REGISTRY_USERNAME"], job["SUNDOG_REGISTRY_PASSWORD"]
    expect(web.Registry(server.plain, "", login, web.Http1()).get("/v2/"), 401)
    sundog(server, "reset")
    assert everything(server) == first
    sundog(server, "snapshot", "load", "full")
    assert everything(server) == full


def test_identities_are_not_given_twice(server):
    """A token for a registry that is no more is none for the next one made, though both are the first after the snapshot."""
    sundog(server, "snapshot", "save", "s")
    old = json.loads(sundog(server, "new", "--format", "json"))
    name, login = old["SUNDOG_REGISTRY_USERNAME"], (old["SUNDOG_REGISTRY_USERNAME"], old["SUNDOG_REGISTRY_PASSWORD"])
    bearer = expect(web.Http1()("GET", f"{server.plain}/oauth2/token?service=localhost&scope=repository:{name}/a:pull,push",
                                headers=[("Authorization", web.basic(*login))]), 200).json()["access_token"]
    sundog(server, "snapshot", "load", "s")
    new = json.loads(sundog(server, "new", "--format", "json"))
    registry = web.Registry(server.plain, "", None, web.Http1())
    for repository in (f"{name}/a", f"{new['SUNDOG_REGISTRY_USERNAME']}/a"):
        expect(registry.request("POST", f"/v2/{repository}/blobs/uploads/", auth=f"Bearer {bearer}"), 401, 404)
    expect(registry.get("/v2/", auth=f"Bearer {bearer}"), 401)


def test_containers_and_clusters_are_those_of_the_snapshot(server):
    need("root", "crun", "mount")
    push_shell(web.by_path(server))
    groups = Groups(server)
    kept = groups.create("echo begun; sleep 100000", restartPolicy="Always")
    groups.wait_logs(kept, "begun")
    clusters = Clusters(server)
    cluster = clusters.create()
    kubectl = clusters.kubectl(cluster)
    kubectl("create", "configmap", "page", "--from-literal=a=1")
    kubectl("run", "web", "--image=sundog.azurecr.io/busybox:1", "--command", "--", "sleep", "100000")
    running = lambda: kubectl.json("pod", "web")["status"].get("phase") == "Running"
    wait_until(running, "the pod runs")
    sundog(server, "snapshot", "save", "running")

    kubectl("delete", "configmap", "page")
    kubectl("delete", "pod", "web", "--now")
    groups.delete(kept)
    extra = groups.create("sleep 100000", restartPolicy="Always")
    sundog(server, "snapshot", "load", "running")
    groups = Groups(server)
    refused(groups("GET", groups.path(extra)), 404, "ResourceNotFound")
    groups.wait_state(kept, "Running")
    groups.wait_logs(kept, "begun")
    kubectl = Clusters(server).kubectl(cluster)
    assert wait_until(lambda: kubectl.run("get", "configmap", "page", "-o", "jsonpath={.data.a}", check=False).stdout, "the cluster answers") == "1"
    wait_until(running, "the pod runs again")
    sundog(server, "reset")
    wait_until(lambda: nothing_left(server.data), "nothing of it runs")


def test_requests_meanwhile(server):
    """Answers are the old state's until one is the new state's; nothing in between but no answer."""
    repository = web.by_path(server).repository("app")
    _, old = repository.image("1")
    sundog(server, "snapshot", "save", "s")
    _, new = repository.image("1")
    seen, ending = [], threading.Event()

    def ask():
        while not ending.is_set():
            try:
                answer = web.by_path(server).repository("app").manifest("1")
            except (OSError, http.client.HTTPException):
                continue
            seen.append(answer.body if answer.status == 200 else answer.status)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_until(lambda: new in seen, "it answers")
    sundog(server, "snapshot", "load", "s")
    wait_until(lambda: seen[-1] == old, "it answers anew")
    ending.set()
    for thread in threads:
        thread.join()
    assert set(seen) <= {old, new, 503}, {answer for answer in seen if answer not in (old, new)}


def test_kill_during_load():
    """The old state or the new one, whole; and what was asked for comes with the next start."""
    with Sundog() as server:
        repository = web.by_path(server).repository("app")
        for tag in ("a", "b", "c"):
            repository.image(tag)
        Arm(server).group("old")
        sundog(server, "snapshot", "save", "s")
        saved = everything(server)
        for number in range(10):
            web.by_path(server).repository("app").image("d")
            Arm(server).group("later")
            now = everything(server)
            load = subprocess.Popen([program(), "snapshot", "load", "s", "--data", server.data], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(random.Random(number).uniform(0, 1))  # where it hits is chance; each end must be whole
            server.kill()
            load.kill()
            load.wait()
            wished = os.path.exists(f"{server.data}/load")
            server.start()
            assert not os.path.exists(f"{server.data}/load")
            found = everything(server)
            assert found in ([saved] if wished else [saved, now])


def test_saves_of_one_name_at_once(server):
    """One of them makes it, and it is whole; the others' blobs are not its."""
    for i in range(8):
        web.by_path(server).repository(f"team/app{i}").image("1")
    before = everything(server)
    statuses = []

    def save():
        statuses.append(Arm(server)("PUT", f"{PATH}/same", {}).status)

    for _ in range(3):
        statuses.clear()
        savers = [threading.Thread(target=save) for _ in range(8)]
        for one in savers:
            one.start()
        for one in savers:
            one.join()
        assert statuses.count(201) == 1 and statuses.count(409) == 7, statuses
        change(server)
        sundog(server, "snapshot", "load", "same")
        assert everything(server) == before
        sundog(server, "snapshot", "delete", "same")


def test_what_cannot_be_loaded_changes_nothing(server):
    """A wish for a state that is not whole is dropped, and said."""
    web.by_path(server).repository("app").image("1")
    sundog(server, "snapshot", "save", "s")
    web.by_path(server).repository("app").image("2")
    before = everything(server)
    for folder, _, files in os.walk(f"{server.data}/blobs/saved/s"):
        for name in files:
            os.remove(f"{folder}/{name}")
    os.rename(f"{server.data}/blobs/saved/s", f"{server.data}/blobs/saved/hidden")
    said = sundog(server, "snapshot", "load", "s", fails=True)
    assert "everything is as it was" in said and everything(server) == before


def test_garbage_collection_and_snapshots():
    """Deleted blobs of a snapshot stay until it goes; those of a state left behind are collected."""
    with Sundog(args=["--collect-interval", "1"]) as server:
        registry = web.by_path(server)
        repository = registry.repository("app")
        data = secrets.token_bytes(100000)
        config = b'{"os":"linux"}'
        repository.blob(data)
        repository.blob(config)
        manifest = json.dumps(web.image_manifest(config, [data])).encode()
        expect(repository.put("1", manifest, web.OCI_MANIFEST), 201)
        server.args += ["--blob-lease", "1"]  # only now: what was pushed had to live until its manifest came
        server.restart()
        psql(server, "UPDATE registry.repository_blob SET leased_until = now()")
        repository = web.by_path(server).repository("app")
        digest = web.digest_of(data)
        below = f"sha256/{digest[7:9]}/{digest[7:]}"
        sundog(server, "snapshot", "save", "s")
        expect(repository.delete(f"/manifests/{web.digest_of(manifest)}"), 202)
        wait_until(lambda: not os.path.exists(f"{server.blobs}/{below}"), "the store has it no more")
        assert os.path.exists(f"{server.blobs}/saved/s/{below}")
        sundog(server, "snapshot", "load", "s")
        assert expect(web.by_path(server).repository("app").get(f"/blobs/{digest}"), 200).body == data
        sundog(server, "reset")
        wait_until(lambda: not os.path.exists(f"{server.blobs}/{below}"), "the reset's garbage is collected")
        sundog(server, "snapshot", "delete", "s")
        assert not os.path.exists(f"{server.blobs}/saved/s")
        sundog(server, "snapshot", "load", "s", fails=True)


def test_a_backup_is_without_snapshots(server):
    web.by_path(server).repository("app").image("1")
    sundog(server, "snapshot", "save", "s")
    folder = fresh_folder("k")
    os.chmod(folder, 0o777)
    assert run_tool("backup", f"{folder}/out", "--data", server.data).returncode == 0
    assert run_tool("restore", f"{folder}/out", "--data", f"{folder}/new").returncode == 0
    with Sundog(data=f"{folder}/new") as restored:
        assert len(sundog(restored, "snapshot", "list").splitlines()) == 1
        assert "kept nothing" in sundog(restored, "reset", fails=True)
        sundog(restored, "snapshot", "save", "s")
        sundog(restored, "snapshot", "load", "s")


@pytest.mark.parametrize("name", ["A", "-a", "a/b", "..", ".first", "a" * 41, "a b"])
def test_names(sundog_of_module, name):
    for what in ("save", "load", "delete"):
        said = sundog(sundog_of_module, "snapshot", what, "--", name, fails=True) if name.startswith("-") else \
            sundog(sundog_of_module, "snapshot", what, name, fails=True)
        assert said.startswith("sundog: ")


@pytest.fixture(scope="module")
def sundog_of_module():
    with Sundog() as made:
        yield made


def test_list(sundog_of_module):
    server = sundog_of_module
    sundog(server, "snapshot", "save", "b")
    sundog(server, "snapshot", "save", "a")
    assert "already" in sundog(server, "snapshot", "save", "a", fails=True)
    lines = sundog(server, "snapshot", "list").splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["a", "b"]
    listed = Arm(server).get(PATH)["value"]
    assert all(one["properties"]["created"].endswith("Z") and one["properties"]["blobs"] >= 2 and one["properties"]["tableBytes"] > 0 for one in listed)
    sundog(server, "snapshot", "delete", "a")
    assert "no snapshot" in sundog(server, "snapshot", "delete", "a", fails=True)
    for words in (("snapshot",), ("snapshot", "save"), ("snapshot", "eat", "a"), ("snapshot", "save", "a", "b"), ("reset", "a")):
        assert "usage" in sundog(server, *words, fails=True)


def test_who_may(sundog_of_module):
    server = sundog_of_module
    arm, entra = Arm(server), Entra(server)
    reader = entra.application()
    path = f"/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-{secrets.token_hex(6)}"
    expect(arm("PUT", path, {"properties": {"roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{READER}",
                                            "principalId": reader["principal"]["id"]}}, version="2022-04-01"), 201)
    who = Arm(server, reader["appId"], entra.secret(reader))
    who.get(PATH)
    for method, place, body in (("PUT", f"{PATH}/mine", {}), ("POST", f"{PATH}/mine/load", {}), ("DELETE", f"{PATH}/mine", None),
                                ("POST", "/providers/Sundog.Snapshots/reset", {"everything": True})):
        refused(who(method, place, body), 403, "AuthorizationFailed")
    refused(arm("POST", "/providers/Sundog.Snapshots/reset", {}), 400, "InvalidParameter", "everything")


def test_not_with_a_database_of_ones_own():
    postgres = Postgres()
    with contextlib.closing(postgres), Sundog(args=["--database", postgres.url]) as server:
        for words in (("snapshot", "save", "a"), ("snapshot", "load", "a"), ("snapshot", "list"), ("snapshot", "delete", "a"), ("reset",)):
            assert "embedded database" in sundog(server, *words, fails=True)
