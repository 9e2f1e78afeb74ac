"""A push load in threads, which remembers what the server promised by a 201."""

import http.client
import json
import os
import random
import secrets
import threading
import time

from harness import web

# What a client sees of a server that is being killed: no answer at all.
BROKEN = (OSError, http.client.HTTPException)


class Load:
    """Threads push blobs and images until stop(). `kept` holds what was answered 201."""

    def __init__(self, make_registry, threads=4, blob_max=200_000, repositories=3, on_error=None):
        self.make_registry, self.blob_max, self.on_error = make_registry, blob_max, on_error
        self.repositories = [f"load/r{number}" for number in range(repositories)]
        self.id = secrets.token_hex(3)  # tags of no other load: those of an earlier one may not move
        self.kept_blobs = {}  # (repository, digest) → size
        self.kept_manifests = {}  # (repository, digest) → bytes
        self.kept_tags = {}  # (repository, tag) → set of digests it may have
        self.statuses = {}
        self.retry_after = set()
        self.failures = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(threads)]

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def stop(self):
        self._stopped.set()
        for thread in self.threads:
            thread.join(300)
            assert not thread.is_alive(), "a pushing client hangs"
        assert not self.failures, self.failures[0]

    def pushed(self):
        with self._lock:
            return len(self.kept_blobs) + len(self.kept_manifests)

    def _note(self, answer):
        with self._lock:
            self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
            if answer.status in (429, 503):
                self.retry_after.add(answer.header("Retry-After"))
        return answer

    def _run(self, number):
        rng = random.Random(os.urandom(8))
        try:
            while not self._stopped.is_set():
                registry = self.make_registry()
                try:
                    while not self._stopped.is_set():
                        if not self._image(registry.repository(rng.choice(self.repositories)), rng, number):
                            time.sleep(0.02)
                except BROKEN:
                    time.sleep(0.02)
        except Exception as error:  # noqa: BLE001 — shown by stop()
            self.failures.append(f"{type(error).__name__}: {error}")

    def _blob(self, repository, data, rng):
        digest = web.digest_of(data)
        answer = self._note(repository.request("POST", "/blobs/uploads/"))
        if answer.status != 202:
            return None
        url = repository.registry.follow(answer)
        if rng.random() < 0.5:
            cut = rng.randrange(len(data) + 1)
            answer = self._note(repository.patch(url, data[:cut]))
            if answer.status != 202:
                return None
            answer = self._note(repository.finish(repository.registry.follow(answer), digest, data[cut:]))
        else:
            answer = self._note(repository.finish(url, digest, data))
        if answer.status != 201:
            return None
        with self._lock:
            self.kept_blobs[repository.name, digest] = len(data)
        return digest

    def _image(self, repository, rng, number):
        layer = os.urandom(rng.randrange(1, self.blob_max))
        config = json.dumps({"architecture": "amd64", "os": "linux", "n": rng.random()}).encode()
        if not self._blob(repository, layer, rng) or not self._blob(repository, config, rng):
            return False
        data = json.dumps(web.image_manifest(config, [layer])).encode()
        digest, tag = web.digest_of(data), f"t{self.id}-{number}-{rng.randrange(5)}"
        with self._lock:  # from now on the tag may have moved, whatever the answer
            self.kept_tags.setdefault((repository.name, tag), set()).add(digest)
        answer = self._note(repository.put(tag, data, web.OCI_MANIFEST))
        if answer.status != 201:
            return False
        with self._lock:
            self.kept_manifests[repository.name, digest] = data
            # an answered push ends all doubt about earlier ones: each tag has one pushing thread
            self.kept_tags[repository.name, tag] = {digest}
        return True

    @staticmethod
    def _when_available(get, *args):
        """An answer of 503 says when to ask again; the database may just be coming back."""
        for _ in range(120):
            answer = get(*args)
            if answer.status != 503:
                break
            time.sleep(float(answer.header("Retry-After") or 1) / 2)
        return answer

    def check(self, registry, sample=None):
        """Everything that was promised is there, and hashes right."""
        blobs = list(self.kept_blobs)
        if sample and len(blobs) > sample:
            blobs = random.sample(blobs, sample)
        for name, digest in blobs:
            answer = self._when_available(registry.repository(name).get, f"/blobs/{digest}")
            assert answer.status == 200, f"blob {digest} of {name} was answered 201 and is lost: {answer!r}"
            assert web.digest_of(answer.body) == digest, f"blob {digest} of {name} is damaged"
        for (name, digest), data in list(self.kept_manifests.items()):
            answer = self._when_available(registry.repository(name).manifest, digest)
            assert answer.status == 200, f"manifest {digest} of {name} was answered 201 and is lost: {answer!r}"
            assert answer.body == data, f"manifest {digest} of {name} is damaged"
        for (name, tag), digests in list(self.kept_tags.items()):
            answer = self._when_available(registry.repository(name).manifest, tag)
            if answer.status == 404:
                assert not any((name, digest) in self.kept_manifests for digest in digests), f"tag {name}:{tag} is lost"
            else:
                assert answer.status == 200, answer
                found = web.digest_of(answer.body)
                # a push whose answer was lost may or may not have moved the tag; nothing else may
                assert found in digests or (name, found) in self.kept_manifests, f"tag {name}:{tag} names {found}"
        return len(blobs) + len(self.kept_manifests)
