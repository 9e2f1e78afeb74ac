"""Push, pull, delete and collection at once, then a check of the whole store: each row's file is
there and hashes right, and no file is left that no row names."""

import contextlib
import os
import random
import threading
import time

import pytest

from harness import web
from harness.keys import psql
from harness.load import BROKEN, Load
from harness.machine import need
from harness.postgres import Postgres
from harness.server import Sundog, wait_until
from harness.store import blob_files, check_files

# A lease is renewed by HEAD, mount and upload when less than half of it remains (in whole seconds): so at
# least three seconds are promised. Who needs longer, on a machine that stood still, is promised nothing.
LEASE_S, PROMISED_S, UPLOAD_S = 8, 3, 8


def serve(*more):
    """A server that collects garbage every second, beside a database that can be asked."""
    postgres = Postgres()
    try:
        with Sundog(["--database", postgres.url, "--collect-interval", "1", *more]) as made:
            made.postgres = postgres
            yield made
    finally:
        postgres.close()


@pytest.fixture
def server():
    """Leases and uploads end after seconds."""
    yield from serve("--blob-lease", str(LEASE_S), "--upload-expire", str(UPLOAD_S))


@pytest.fixture
def patient():
    """Leases and uploads last as they do by default: nothing that somebody may still want is garbage."""
    yield from serve()


def rows_of_blobs(postgres):
    """Digests of all rows: one row, one file."""
    return {row[0] for row in postgres.query("select digest from registry.blob")}


def named_blobs(postgres):
    """Digests that manifests name."""
    return {row[0] for row in postgres.query("select distinct blob from registry.manifest_blob")}


def test_everything_at_once(server):
    """Threads push, pull, delete by tag, digest and repository while the collector runs."""
    names = [f"busy/r{number}" for number in range(4)]
    shared = [os.urandom(3000) for _ in range(6)]  # the same layers again and again, in all repositories
    stop, failures = threading.Event(), []
    counts = {"push": 0, "pull": 0, "delete": 0}

    def push(rng, repository):
        layers = rng.sample(shared, 2) + [os.urandom(500)]
        config = os.urandom(20).hex().encode()
        begun = time.monotonic()

        def made(answer, promised_s):
            """Only a whole repository deleted by a neighbour may take away what was promised, and time."""
            if answer.status != 201:
                assert answer.status == 404, answer
                assert repository.name.endswith("r3") or time.monotonic() - begun > promised_s, answer
            return answer.status == 201

        for data in (*layers, config):
            digest = web.digest_of(data)
            if repository.head(f"/blobs/{digest}").status != 200:
                answer = web.expect(repository.request("POST", f"/blobs/uploads/?mount={digest}"), 201, 202)
                if answer.status == 202:
                    answer = repository.finish(repository.registry.follow(answer), digest, data)
                if not made(answer, UPLOAD_S):
                    return
        manifest = web.image_manifest(config, layers)
        # what HEAD, mount or upload has just promised must still be there for the manifest
        made(repository.put(f"t{rng.randrange(8)}", manifest), PROMISED_S)

    def pull(rng, repository):
        answer = web.expect(repository.manifest(f"t{rng.randrange(8)}"), 200, 404)
        if answer.status == 200:
            manifest = answer.json()
            for part in (manifest["config"], *manifest["layers"]):
                got = web.expect(repository.get(f"/blobs/{part['digest']}"), 200, 404)
                assert got.status == 404 or web.digest_of(got.body) == part["digest"]
                if got.status == 404:  # only if the image went meanwhile
                    web.expect(repository.manifest(answer["Docker-Content-Digest"]), 404)

    def delete(rng, repository):
        kind = rng.randrange(4)
        if kind == 0 and repository.name.endswith("r3"):
            web.expect(repository.registry.acr(repository.name, "DELETE"), 202, 404)
        elif kind == 1:
            web.expect(repository.registry.acr(f"{repository.name}/_tags/t{rng.randrange(8)}", "DELETE"), 202, 404)
        else:
            answer = repository.head(f"/manifests/t{rng.randrange(8)}")
            if answer.status == 200:
                web.expect(repository.delete(f"/manifests/{answer['Docker-Content-Digest']}"), 202, 404)

    def work(kind, act):
        rng, registry = random.Random(os.urandom(8)), web.by_path(server)
        try:
            while not stop.is_set():
                act(rng, registry.repository(rng.choice(names)))
                counts[kind] += 1
        except (AssertionError, KeyError, *BROKEN) as error:
            failures.append(f"{kind}: {type(error).__name__} {error}")
            stop.set()

    threads = [threading.Thread(target=work, args=job) for job in
               [("push", push)] * 3 + [("pull", pull)] * 2 + [("delete", delete)]]
    for thread in threads:
        thread.start()
    stop.wait(12)
    with contextlib.suppress(AssertionError):  # the counts tell
        wait_until(lambda: stop.is_set() or min(counts.values()) > 5, "each has done its share")
    stop.set()
    for thread in threads:
        thread.join(120)
    assert not failures, failures[0]
    assert min(counts.values()) > 5, counts
    print(f"\n{counts}")

    registry = web.by_path(server)
    check_whole_store(server, registry, names)
    for name in names:  # with everything deleted, everything is collected
        registry.acr(name, "DELETE")
    wait_until(lambda: len(rows_of_blobs(server.postgres)) == len(blob_files(server.blobs)) <= 8,
               "the collector has taken what nobody names", pause_s=0.5)
    check_whole_store(server, registry, [])
    web.expect(registry.repository("hello").manifest("latest"), 200)


def check_whole_store(server, registry, names):
    """When the last lease has ended, the files are those that rows and manifests name; every image is whole."""
    named = named_blobs(server.postgres)
    wait_until(lambda: rows_of_blobs(server.postgres) == named == set(blob_files(server.blobs)),
               "rows, files and what manifests name agree", pause_s=0.5)
    assert check_files(server.blobs) == named
    for name in names:
        repository = registry.repository(name)
        answer = repository.tags()
        for tag in (answer.json()["tags"] or []) if answer.status == 200 else []:
            manifest = web.expect(repository.manifest(tag), 200).json()
            for part in (manifest["config"], *manifest["layers"]):
                got = web.expect(repository.get(f"/blobs/{part['digest']}"), 200)
                assert web.digest_of(got.body) == part["digest"]


def test_same_blob_by_many_at_once(patient):
    """Sixteen clients push the same blob at the same moment: all succeed, there is one file."""
    data = os.urandom(400_000)
    gate, statuses = threading.Barrier(16), []

    def push(number):
        repository = web.by_path(patient).repository(f"same/r{number % 4}")
        url = repository.start()
        gate.wait(60)
        statuses.append(repository.finish(url, web.digest_of(data), data).status)

    threads = [threading.Thread(target=push, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert statuses == [201] * 16
    assert web.digest_of(data) in check_files(patient.blobs)


def test_unfinished_uploads_expire(server):
    """An upload nobody goes on with is dropped, and its bytes with it."""
    repository = web.by_path(server).repository()
    repository.blob(b"so that it exists")
    url = repository.registry.follow(web.expect(repository.patch(repository.start(), os.urandom(2 << 20)), 202))
    wait_until(lambda: repository.get(url).status == 404, "the upload is dropped", pause_s=0.5)

    def leftover():
        finished, size = set(blob_files(server.blobs).values()), 0
        for path, _, names in os.walk(server.blobs):
            for name in {os.path.join(path, name) for name in names} - finished:
                with contextlib.suppress(FileNotFoundError):  # just dropped
                    size += os.path.getsize(name)
        return size

    wait_until(lambda: leftover() < 1 << 20, "its bytes are gone", pause_s=0.5)


def test_load_with_collection(server):
    """A plain push load: whatever was answered 201 in an image is there afterwards."""
    load = Load(lambda: web.by_path(server), repositories=2).start()
    wait_until(lambda: len(load.kept_manifests) > 60, "the load pushes")
    load.stop()
    registry = web.by_path(server)
    for (name, digest), data in load.kept_manifests.items():
        answer = registry.repository(name).manifest(digest)
        assert web.expect(answer, 200).body == data


def test_a_tag_pushed_again_while_it_is_deleted_is_not_locked(sundog):
    """The DELETE waits for a neighbour's, who then pushes the tag again: the answer is about a tag that was gone."""
    need("root")
    repository = web.by_path(sundog).repository("again")
    image = web.image_manifest(b"{}", [])
    repository.finish(repository.start(), web.digest_of(b"{}"), b"{}")
    web.expect(repository.put("t1", image), 201)
    neighbour = threading.Thread(target=psql, args=(sundog, """
        BEGIN;
        CREATE TEMP TABLE held AS SELECT * FROM registry.tag WHERE name = 't1';
        DELETE FROM registry.tag WHERE name = 't1';
        DO $$ BEGIN
            WHILE NOT EXISTS (SELECT FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))) LOOP
                PERFORM pg_sleep(0.02);
                PERFORM pg_stat_clear_snapshot();
            END LOOP;
        END $$;
        INSERT INTO registry.tag SELECT * FROM held;
        COMMIT"""))
    neighbour.start()
    wait_until(lambda: psql(sundog, "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%CREATE TEMP TABLE held%'"
                                    " AND wait_event = 'PgSleep'"), "the neighbour has deleted the tag")
    answer = repository.registry.acr(f"{repository.name}/_tags/t1", "DELETE")
    neighbour.join()
    web.expect(answer, 404)
    web.expect(repository.manifest("t1"), 200)
