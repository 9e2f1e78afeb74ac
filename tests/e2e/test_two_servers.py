"""Two `sundog serve` on one database and one blob folder are correct together."""

import os
import re
import shutil

import pytest

from harness import web
from harness.postgres import Postgres
from harness.server import Sundog, fresh_folder
from harness.web import digest_of, expect, refused


def pair(first_args=(), second_args=()):
    """Starts both; the second one is given the first one's secret key."""
    postgres = Postgres()
    blobs = fresh_folder("s")
    os.chmod(blobs, 0o777)
    args = ["--database", postgres.url]
    one = Sundog([*args, *first_args], blobs=f"{blobs}/b")
    two = Sundog([*args, *second_args], blobs=f"{blobs}/b")
    try:
        one.start()
        os.makedirs(two.data, mode=0o755)
        shutil.copystat(one.data, two.data)
        shutil.copy2(f"{one.data}/secret.key", f"{two.data}/secret.key")
        owner = os.stat(f"{one.data}/secret.key")
        if os.geteuid() == 0:
            data_owner = os.stat(one.data)
            os.chown(two.data, data_owner.st_uid, data_owner.st_gid)
            os.chown(f"{two.data}/secret.key", owner.st_uid, owner.st_gid)
        two.start()
        yield one, two
    finally:
        one.close()
        two.close()
        postgres.close()
        shutil.rmtree(blobs, ignore_errors=True)


@pytest.fixture(scope="module")
def servers():
    yield from pair()


@pytest.fixture
def both(servers):
    """The same repository at both servers, by the first one's credentials."""
    one, two = servers
    first = web.by_path(one).repository()
    second = web.Registry(two.plain, "sundog/", one.credentials, web.Http1()).repository(first.name)
    return first, second


def test_push_here_pull_there(both):
    one, two = both
    digest, data = one.image("v1")
    assert expect(two.manifest("v1"), 200).body == data
    blob = one.blob(b"a blob of its own" + os.urandom(8))
    expect(two.get(f"/blobs/{blob}"), 200)
    expect(two.manifest(digest), 200)


def test_upload_started_here_finished_there(both):
    one, two = both
    data = os.urandom(300_000)
    url = one.registry.follow(expect(one.patch(one.start(), data[:100_000]), 202))
    there = url.replace(one.registry.root, two.registry.root)
    assert expect(two.get(there), 204)["Range"] == "0-99999"
    there = two.registry.follow(expect(two.patch(there, data[100_000:200_000], "100000-199999"), 202))
    back = there.replace(two.registry.root, one.registry.root)
    expect(one.finish(back, digest_of(data), data[200_000:]), 201)
    assert expect(two.get(f"/blobs/{digest_of(data)}"), 200).body == data


def test_delete_here_gone_there(both):
    one, two = both
    for _ in range(5):
        digest, _ = one.image("v1")
        expect(two.manifest("v1"), 200)
        expect(one.delete(f"/manifests/{digest}"), 202)
        for reference in ("v1", digest):
            expect(two.manifest(reference), 404)
        blob = one.blob(os.urandom(50))
        expect(two.head(f"/blobs/{blob}"), 200)
        expect(one.delete(f"/blobs/{blob}"), 202)
        expect(two.head(f"/blobs/{blob}"), 404)


def test_tag_moves_at_once(both):
    one, two = both
    for _ in range(10):
        digest, _ = one.image("moving")
        assert expect(two.manifest("moving"), 200)["Docker-Content-Digest"] == digest
        one, two = two, one


def test_lock_here_holds_there(both):
    one, two = both
    _, data = one.image("v1")
    other = one.image()[1]
    expect(one.registry.acr(f"{one.name}/_tags/v1", "PATCH", {"writeEnabled": False}), 200)
    refused(two.put("v1", other, web.OCI_MANIFEST), 405, "REGISTRY_DISALLOWED_OPERATION")
    assert expect(two.manifest("v1"), 200).body == data


def test_token_of_here_counts_there(both):
    one, two = both
    one.image("v1")
    service = re.search('service="([^"]*)"', one.registry.get("/v2/", auth=False)["WWW-Authenticate"])[1]
    answer = one.registry.get(f"/oauth2/token?service={service}&scope=repository:{one.full}:pull")
    token = expect(answer, 200).json()["access_token"]
    expect(two.manifest("v1", auth=f"Bearer {token}"), 200)


def test_a_stranger_with_another_key_is_refused(servers):
    """A second server without the first one's secret.key does not start."""
    one, _ = servers
    stranger = Sundog(one.args, blobs=one.blobs)
    try:
        stranger.start(wait=False)
        assert stranger.process.wait(120) != 0
        assert "key" in stranger.said().lower(), stranger.said()
    finally:
        stranger.close()
